#!/usr/bin/env bash
# The shared networks against ONNX Runtime's outputs. usage: tests/models/run.sh [NAME...]
# Every network with a reference has to compile, warning-free, and agree (rtol 1e-3, atol 1e-5 of the largest value); one without is
# refused by `nncc check` or agrees with nncc's own arithmetic. Then: each dump after each pass re-parses to the same text and compiles to the same C, and
# nncc takes at most 0.2 s. Prints a table and, last, "N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
models=$shared/models expected=$shared/expected
if [ ! -d "$models" ]; then echo "0 passed, 0 failed (no $models)"; exit 0; fi
warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror'
complaint='   WRONG|: error: |^nncc: |: node '

# without_reference MODEL DIR: such a network, which ONNX Runtime does not take, is refused with reasons, or agrees with nncc's own
# arithmetic in double.
without_reference() {
    local status
    "$nncc" check "$1" >"$2/log" 2>&1
    status=$?
    if [ $status = 1 ] && grep -q ": node '" "$2/log"; then echo "refused (the model contradicts itself)"
    elif [ $status = 3 ]; then echo "refused ($(sed -n 's/.*: \([0-9]* things\{0,1\}\) nncc cannot.*/\1/p' "$2/log"))"
    elif [ $status = 0 ] && "$nncc" verify "$1" $(sed -n 's/^.*: checked with \(--dim .*\); to compile.*/\1/p' "$2/log") >"$2/log" 2>&1; then echo "ok (random inputs)"
    else echo "FAIL neither refused nor right: $(grep -m 1 -E "$complaint" "$2/log")"
    fi
}

# one NAME: everything about one network but time; leaves NAME/verdict, NAME/errors and NAME/options in the working directory.
one() {
    local name=$1 dir=$work/$1 model=$models/$1.onnx options cc=${CC:-cc}
    mkdir -p "$dir"
    if [ ! -d "$expected/$name" ]; then
        without_reference "$model" "$dir" >"$dir/verdict"
        return
    fi
    if ! "$nncc" verify "$model" "$expected/$name" --cc "$cc $warnings" >"$dir/log" 2>&1; then
        echo "FAIL $(grep -m 1 -E "$complaint" "$dir/log")" >"$dir/verdict"
        return
    fi
    sed -n 's/.*max rel \([^ ]*\) .*/\1/p' "$dir/log" >"$dir/errors"
    options=$(sed -n 's/^compiled with .* in [0-9.]* s//p' "$dir/log" | head -n 1)
    echo "$options" >"$dir/options"
    "$nncc" "$model" $options --prefix model -o "$dir/model.c" 2>"$dir/err" || { echo "FAIL $(head -n 1 "$dir/err")" >"$dir/verdict"; return; }
    if command -v clang-14 >/dev/null && ! clang-14 -std=c11 $warnings -fsyntax-only "$dir/model.c" 2>"$dir/err"; then
        echo "FAIL clang: $(head -n 1 "$dir/err")" >"$dir/verdict"
        return
    fi
    if ! PATH=$build/bin:$PATH "$root/tests/roundtrip.sh" "$model" $options >"$dir/dump-log" 2>&1; then
        echo "FAIL round trip: $(head -n 1 "$dir/dump-log")" >"$dir/verdict"
        return
    fi
    echo "ok" >"$dir/verdict"
}

if [ "${1:-}" = --one ]; then
    trap - EXIT
    rm -rf "$work"
    work=$NNCC_MODELS_WORK
    export TMPDIR=$work
    one "$2"
    exit
fi
names=${*:-$(cd "$models" && ls ./*.onnx | sed 's,^\./,,; s,\.onnx$,,')}
export NNCC_MODELS_WORK=$work
printf '%s\n' $names | xargs -P "$jobs" -n 1 "$0" --one
cc -std=c11 -O1 -D_POSIX_C_SOURCE=200809L -o "$work/measure" "$root/tests/measure.c" || exit 1

printf '%-34s %9s %8s %7s  %s\n' network 'max rel' seconds MB verdict
for name in $names; do
    dir=$work/$name verdict=$(cat "$work/$name/verdict") seconds='' mb='' best=99
    if [ "$verdict" = ok ]; then
        for i in 1 2 3; do
            "$work/measure" "$dir/measured" "$nncc" "$models/$name.onnx" $(cat "$dir/options") -o "$dir/model.c"
            read -r seconds kb <"$dir/measured"
            best=$(awk -v a="$best" -v b="$seconds" 'BEGIN { print a < b ? a : b }')
            mb=$(awk -v k="$kb" 'BEGIN { printf "%.0f", k / 1024 }')
        done
        awk -v s="$best" 'BEGIN { exit !(s > 0.2) }' && verdict="FAIL takes longer than 0.2 s"
        seconds=$best
    fi
    worst=$(sort -g "$dir/errors" 2>/dev/null | tail -n 1)
    printf '%-34s %9s %8s %7s  %s\n' "$name" "$worst" "$seconds" "$mb" "$verdict"
    case $verdict in FAIL*) failed=$((failed + 1)) ;; *) passed=$((passed + 1)) ;; esac
done
cat "$work"/*/errors 2>/dev/null | sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "median error of %d outputs: %s\n", NR, v[int((NR + 1) / 2)] }'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
