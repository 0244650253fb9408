#!/usr/bin/env bash
# What nncc writes, compared with what it wrote at another commit, for refactorings that must not change it.
# usage: tests/same_output.sh BASE_COMMIT [--substitute FILE] [--code] [--zoo] [NAME...]
# For each network of models/ and $shared/models (--zoo: of build/zoo/models as well): the exit status; the C, header, weights and CUDA
# files of each target, for inference and training; the dumps after every pass. --substitute: a sed script that turns
# the text of the base commit into today's, for terms that were renamed; the bytes and the hash of CUDA's source in the C are
# then left out. Builds the base commit in build/same/COMMIT.
# Prints a line for each difference and, last, "N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
targets='c native cuda'

usage() { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }

# code_of FOLDER: takes the comments out of its headers.
code_of() {
    local header
    for header in "$1"/*.h; do
        [ ! -f "$header" ] || { "${CC:-cc}" -w -fpreprocessed -dD -E -P -x c "$header" | sed '/_ABI 0x/d; s/_abi_[0-9a-f]\{8\}//g' >"$header.code" && mv "$header.code" "$header"; }
    done
}

# folder_diff BASE TODAY: prints how the files differ, if they do.
folder_diff() {
    if [ "$NNCC_SAME_CODE" = yes ]; then code_of "$1" && code_of "$2"; fi
    if [ -n "$NNCC_SAME_SED" ]; then
        find "$1" -type f ! -name '*.weights' -exec sed -i -f "$NNCC_SAME_SED" {} +
        find "$1" "$2" -name 'm.c*' -exec sed -i '/^static const char source\[\]/,/^};/d; s/0x[0-9a-f]*u, source/source/; /^NNCC_MODULE_HASH/d' {} +
    fi
    diff -rq "$1" "$2" >"$1.diff" && return
    sed -n '1s/.*/  &/p' "$1.diff" | sed "s,$work/,,g"
    diff -r -U0 "$1" "$2" 2>/dev/null | grep -a '^[-+][^-+]' | head -n 4 | cut -c 1-160 | sed 's/^/    /'
    return 1
}

# run NNCC DIR ARGUMENT...: what NNCC writes into DIR, its exit status among it.
run() {
    local program=$1 dir=$2
    shift 2
    mkdir -p "$dir"
    (cd "$dir" && timeout 300 "$program" "$@" 2>messages)
    echo $? >"$dir/status"
    # Messages may be reworded; dumps are printed there too.
    grep -q '^// ----- after ' "$dir/messages" || rm -f "$dir/messages"
}

# one MODEL: all comparisons of one network; leaves a line "PASSED FAILED" in a file of its name.
one() {
    local model=$1 name dims mode options target base today
    name=$(basename "$model")
    dims=$("$NNCC_SAME_BASE" check "$model" 2>&1 | sed -n 's/^\(.*: \)*checked with \(--dim .*\); to compile.*/\2/p')
    for mode in inference training; do
        options="$dims --max-bytes=12G"
        if [ $mode = training ]; then
            options="$options --train"
            grep -aq '^train @' "$model" || options="$options --loss=MeanSquaredError"
        fi
        for target in $targets dumps; do
            base=$work/$name.base today=$work/$name.today
            set -- --prefix=m --target="$target" -o m.c
            [ "$target" = dumps ] && set -- --prefix=m --print-ir-after=all --emit=h -o m.h
            # shellcheck disable=SC2086
            run "$NNCC_SAME_BASE" "$base" "$model" $options "$@"
            # shellcheck disable=SC2086
            run "$nncc" "$today" "$model" $options "$@"
            if said=$(folder_diff "$base" "$today"); then tally 1 0 0
            else
                tally 0 1 0
                printf 'differs  %s, %s, %s\n%s\n' "$name" $mode "$target" "$said"
            fi
            rm -rf "$base" "$base.diff" "$today"
        done
    done
    echo "$passed $failed" >"$work/$name.count"
}

if [ "${1:-}" = --one ]; then
    trap - EXIT
    rm -rf "$work"
    work=$NNCC_SAME_WORK
    export TMPDIR=$work
    one "$2"
    exit
fi

[ $# -ge 1 ] || usage
commit=$(git -C "$root" rev-parse --verify --quiet "$1^{commit}") || { echo "tests/same_output.sh: no commit '$1'" >&2; exit 2; }
shift
substitute='' code=no zoo=no names=()
while [ $# -gt 0 ]; do
    case $1 in
    --substitute) [ $# -ge 2 ] || usage; substitute=$(realpath "$2") || exit 2; shift ;;
    --code) code=yes ;;
    --zoo) zoo=yes ;;
    -*) usage ;;
    *) names+=("$1") ;;
    esac
    shift
done

tree=$root/build/same/$commit
if [ ! -x "$tree/build/bin/nncc" ]; then
    mkdir -p "$tree" && git -C "$root" archive "$commit" | tar -x -C "$tree" &&
        cmake -S "$tree" -B "$tree/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 && ninja -C "$tree/build" >>"$work/log" 2>&1 ||
        { tail -n 20 "$work/log"; exit 1; }
fi
export NNCC_SAME_BASE=$tree/build/bin/nncc NNCC_SAME_WORK=$work NNCC_SAME_SED=$substitute NNCC_SAME_CODE=$code

networks=("$root"/models/*.nn "$root"/models/*.onnx)
[ -d "$shared/models" ] && networks+=("$shared"/models/*.onnx)
[ $zoo = yes ] && networks+=("$root"/build/zoo/models/*.onnx)
for network in "${networks[@]}"; do
    [ ${#names[@]} = 0 ] || [[ " ${names[*]} " == *" $(basename "$network") "* ]] || continue
    printf '%s\0' "$network"
done | xargs -0 -P "$jobs" -n 1 bash "$0" --one
for count in "$work"/*.count; do
    [ -f "$count" ] || continue
    read -r p f <"$count"
    tally "$p" "$f" 0
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
