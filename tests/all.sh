#!/usr/bin/env bash
# all.sh - the body of tests/run.sh.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
install=yes
[ "${1:-}" = --no-install ] && install=no
. "$root/tests/common.sh"
. "$root/tests/install.sh"

# stage NAME: its heading, with the seconds since the beginning.
stage() { printf '\n== %s (at %d s)\n' "$1" "$SECONDS"; }
# counted COMMAND...: a suite that prints "N passed, N failed" last.
counted() {
    local line
    "$@" 2>&1 | tee "$work/log" | grep -v '^ok '
    line=$(tail -n 1 "$work/log")
    case $line in
    [0-9]*' passed, '[0-9]*' failed'*)
        set -- $(echo "$line" | grep -o '[0-9]*')
        tally "$1" "$2" "${3:-0}" ;;
    *) tally 0 1 0; echo "FAIL  $* did not finish" ;;
    esac
}
# later NAME COMMAND...: a suite that keeps one processor busy at most times, or a function here that makes checks of its own. `side_by_side`
# runs what was put off, in this order, as many at once as there are processors: the longest first, so that none is left over at the end.
later_names=() later_commands=()
later() { later_names+=("$1"); later_commands+=("$(printf '%q ' "${@:2}")"); }
# suite NAME [ARGUMENT...]: such a script of this folder.
suite() { later "$1" bash "tests/$1" "${@:2}"; }
# apart I: the Ith of them; a function has counts and a folder of its own.
apart() {
    local TIMEFORMAT='%U %S'
    passed=0 failed=0 skipped=0 work=$work/later-$1
    mkdir -p "$work"
    { time eval "${later_commands[$1]}" >"$work/said" 2>&1; } 2>"$work/time"
    [ "$(type -t "${later_commands[$1]%% *}")" != function ] || echo "$passed passed, $failed failed, $skipped skipped" >>"$work/said"
}
side_by_side() {
    local i
    for i in "${!later_names[@]}"; do
        while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do wait -n; done
        (trap - EXIT; apart "$i") &
    done
    wait
    for i in "${!later_names[@]}"; do
        echo "-- ${later_names[i]} ($(awk '{ printf "%.0f", $1 + $2 }' "$work/later-$i/time") s of processor time)"
        counted cat "$work/later-$i/said"
    done
}

stage "build"
cd "$root" || exit 1
# A compiler's warning is an error here, so that none is ever left.
build_release() { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DNNCC_WERROR=ON && ninja -C "$build" -j "$jobs"; }
build_debug() { cmake -S . -B "$root/build/debug" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DNNCC_SANITIZE=ON && ninja -C "$root/build/debug" -j "$jobs"; }
check "release build without warnings" build_release
check "debug build" build_debug
[ -x "$nncc" ] || { echo; echo "$passed passed, $failed failed, $skipped skipped"; exit 1; }

stage "tables"
counted bash tests/rooms.sh
check "check-ops" "$nncc" --check-ops
narrow() { awk 'length > 160 { print FILENAME ":" FNR ": " length " columns, at most 160 are read at once"; n++ } END { exit n > 0 }' compiler/ops/ops.def; }
check "rows of ops.def are within 160 columns" narrow
check "every gradient has a test" sh tests/grad/covered.sh "$nncc"
rules_tested() { "$nncc" --list-rules | awk '{ print $1 }' | while read -r rule; do ls "tests/passes/simplify-$rule.nn" || exit 1; done; }
check "every rule of simplify has a test" rules_tested
check "help" sh -c "'$nncc' --help && '$nncc' --version && '$nncc' --list-passes"
# Debian's onnx belongs to Debian's Python, which need not be the first.
for python in "${NNCC_PYTHON:-}" python3 /usr/bin/python3 ''; do "$python" -c 'import onnx' 2>/dev/null && break; done
if [ -n "$python" ]; then check "operators against ONNX's schemas" "$python" tests/schema/check.py "$nncc"
else skip "operators against ONNX's schemas" "no Python with onnx"
fi

stage "the repository"
counted bash tests/repository.sh

stage "text, passes, emission, errors (lit)"
lit=$(ls /usr/lib/llvm-*/build/utils/lit/lit.py 2>/dev/null | tail -n 1)
lit_run() { if [ -n "$lit" ]; then python3 "$lit" "$@"; else lit "$@"; fi; }
if [ -n "$lit" ] || command -v lit >/dev/null; then
    lit_run -v --no-progress-bar -j "$jobs" --param build="$root/build/debug" tests >"$work/lit" 2>&1
    grep -v '^PASS: ' "$work/lit" | cut -c 1-200 | tail -n 80
    lit_count() { sed -n "s/^ *\($1\) *: *\([0-9]*\).*/\2/p" "$work/lit" | awk '{ n += $1 } END { print n + 0 }'; }
    tally "$(lit_count Passed)" "$(lit_count 'Failed\|Unresolved\|Timed Out')" "$(lit_count 'Unsupported\|Skipped')"
else
    skip "lit" "llvm-14-tools is not installed"
fi

stage "passes off"
counted bash tests/passes/subsets.sh

stage "large networks"
counted python3 tests/passes/growth.py "$nncc" check

stage "ONNX's own tests"
debian=/usr/share/libonnx-testdata/data
suite=
if [ -d "$debian" ]; then # without its bfloat16, which ONNX 1.12 cut off where the standard rounds
    cp -r --symbolic-link "$debian" "$work/debian" && rm -rf "$work"/debian/node/*BFLOAT16* && suite=$work/debian
fi
[ -f "$shared/onnx-backend-tests.tar.gz" ] && suite=$shared/onnx-backend-tests.tar.gz
onnx_suite() {
    bash tests/onnx/run.sh "$suite" >"$work/onnx-log" 2>&1
    local status=$?
    tail -n 40 "$work/onnx-log"
    set -- $(tail -n 1 "$work/onnx-log" | grep -o '[0-9]*')
    if [ $# != 4 ]; then tally 0 1 0
    elif [ $status = 0 ]; then tally "$1" 0 "$2"
    else tally "$1" "$((($3 + $4) > 0 ? $3 + $4 : 1))" "$2"
    fi
}
if [ -n "$suite" ]; then
    onnx_suite
    check "the same, interpreted" bash tests/onnx/run.sh "$suite" --interpret
    if command -v "${CXX:-g++}" >/dev/null; then check "a sample of them as CUDA" bash tests/onnx/run.sh "$suite" --cuda=16; fi
else
    skip "ONNX's own tests" "neither $shared/onnx-backend-tests.tar.gz nor libonnx-testdata"
fi

stage "shared networks"
if [ -d "$shared/models" ]; then counted bash tests/models/run.sh; else skip "shared networks" "no $shared/models"; fi
if [ -d "$shared/exported" ]; then counted bash tests/models/exported.sh; else skip "exported networks" "no $shared/exported"; fi

stage "zoo"
if [ "${NNCC_ZOO:-}" = yes ]; then counted bash tests/zoo/run.sh; else skip "zoo" "set NNCC_ZOO=yes; it takes minutes and needs numpy, onnx and onnxruntime"; fi

# Whether a Python has these modules, or may get them.
has() { [ "$install" = yes ] || "${NNCC_PYTHON:-build/venv/bin/python3}" -c "import $1" 2>/dev/null; }
rename() { "$python" tests/emit/rename.py "$nncc" "${CC:-cc}" "$@"; }
hostile_names() {
    local name
    check "hostile names: mnist" rename models/mnist.onnx
    for name in gtcrn_simple dtln_1; do
        if [ -f "$shared/models/$name.onnx" ]; then check "hostile names: $name" rename "$shared/models/$name.onnx"; fi
    done
}
no_cuda() { check "the runtime where no CUDA is installed" env NNCC_CUDA_TOOLKIT=none PATH=/usr/bin:/bin bash tests/cuda/runtime.sh; }
wrong_figures() {
    local change
    for change in 's/66,560 bytes/62,720 bytes/' 's/^## Licence/It takes 3.7 ms.\n\n&/'; do
        sed "$change" README.md >"$work/wrong.md" && ! cmp -s README.md "$work/wrong.md" || return 1
        if python3 tests/listings.py "$build/bin" "$work/wrong.md"; then return 1; fi
    done
}
documents() { check "a wrong figure, and one that nothing stands for, are found" wrong_figures; }

stage "suites side by side"
cuda=
command -v "${CXX:-g++}" >/dev/null && cuda=yes || skip "CUDA" "its emulator needs a C++ compiler"
if [ -d "$shared/data" ] && [ "${NNCC_TRAINING:-}" = yes ]; then suite train/accuracy.sh
else skip "training on real data" "set NNCC_TRAINING=yes; it takes a quarter of an hour, $shared/data, numpy and torch"
fi
suite train/clean.sh
suite run/run.sh
if command -v clang-14 >/dev/null; then suite fuzz/run.sh 20; else skip "fuzzers" "no clang-14"; fi
if has "numpy, safetensors, onnxruntime"; then suite train/interop.sh
else skip "checkpoints and exports in other programs" "no Python with safetensors and onnxruntime"
fi
[ -z "$cuda" ] || suite cuda/planted.sh
[ -z "$cuda" ] || suite cuda/models.sh
if has "numpy, onnx"; then later "the structural fuzzer" env "NNCC_BUILD=$root/build/debug" bash tests/fuzz/structural.sh
else skip "the structural fuzzer" "no Python with numpy and onnx"
fi
suite train/networks.sh
suite train/optimizers.sh
suite cli/run.sh
if [ -d "$shared/cases" ]; then suite cases.sh; else skip "cases that failed once" "no $shared/cases"; fi
suite emit/run.sh
suite emit/contract.sh
suite emit/threads.sh
suite emit/isas.sh
suite recipes.sh
suite models/course.sh
suite models/open_dims.sh
suite train/loop.sh
suite contract/run.sh
later "unit tests" env "NNCC_BUILD=$root/build/debug" bash tests/unit/run.sh
suite train/levels.sh
[ -z "$cuda" ] || for name in gemm teeth launches; do suite cuda/$name.sh; done
[ -z "$cuda" ] || suite cuda/gpu.sh --rehearse
if [ -d "$shared/data" ]; then suite models/accuracy.sh; else skip "accuracy on test sets" "no $shared/data"; fi
[ -z "$cuda" ] || for name in traffic train; do suite cuda/$name.sh; done
suite bench/check.sh
suite grad/torch.sh
suite grad/operators.sh
suite package/run.sh
if command -v qemu-riscv64 >/dev/null; then suite rvv.sh; else skip "RISC-V" "no qemu-user"; fi
if has "numpy, onnx, onnxruntime"; then suite onnx/random_forms.sh 200; suite onnx/random_recurrent.sh 60; suite onnx/random_regions.sh 25
    suite onnx/random_nodes.sh microsoft 2; suite onnx/optimised.sh 12; suite models/random_open.sh 60 1 --interpret
else skip "random forms of operators, random nodes, regions and open networks, networks that ONNX Runtime optimised" "no Python with onnx and onnxruntime"
fi
suite onnx/newest.sh
for name in files run messages readers watch start exported processes; do suite train/$name.sh; done
suite versions/run.sh
later "where runtimes disagree" python3 tests/behaviour/run.py "$nncc"
[ -z "$cuda" ] || for name in runtime words; do suite cuda/$name.sh; done
[ -z "$cuda" ] || later "CUDA's runtime" no_cuda
if [ -d "$shared/models" ]; then suite models/arena.sh; else skip "memory of shared networks" "no $shared/models"; fi
if [ -n "$python" ]; then later "generated code" hostile_names; else skip "hostile names" "no Python with onnx"; fi
later "listings in documents" python3 tests/listings.py "$build/bin"
later "figures in documents" documents
side_by_side

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
