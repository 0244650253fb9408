#!/usr/bin/env bash
# ONNX's own tests. usage: tests/onnx/run.sh ARCHIVE|DIR [FILTER] [--update] [--interpret] [--sanitize] [--cuda[=N] [--races]]
# ARCHIVE is a .tar.gz with data/node and so on, DIR such a folder or one that holds tests itself.
# --interpret: the loop nests interpreted, no C. --sanitize: the C under ASan and UBSan, every buffer poisoned outside its life.
# --expected=FILE instead of expected.txt.
# --cuda: what passes as C runs as CUDA, on the emulator if there is no GPU; every Nth test. --races: with the emulator's checks.
# Last line: N pass, N unsupported, N wrong, N crashed.
# A test that is WRONG or CRASHED, or passes no longer although expected.txt says so, fails the run; --update writes the file anew.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"

expected=$root/tests/onnx/expected.txt
cuda='' data='' filter='' flags=() cc="${CC:-cc} -O0"
for word; do
    case $word in
    --update) flags+=(-u) ;;
    --interpret) flags+=(-i) ;;
    --sanitize) flags+=(-p) cc="$cc -g -fsanitize=address,undefined -fno-sanitize-recover=all" ;;
    --expected=*) expected=${word#*=} ;;
    --races) flags+=(-p) ;;
    --cuda) flags+=(-t cuda) cuda=yes ;;
    --cuda=*) flags+=(-t cuda -n "${word#*=}") cuda=yes ;;
    -*) echo "usage: tests/onnx/run.sh ARCHIVE|DIR [FILTER] [--update] [--interpret] [--sanitize] [--cuda[=N]]" >&2; exit 2 ;;
    *) if [ -z "$data" ]; then data=$word; else filter=$word; fi ;;
    esac
done
if [ ! -e "$data" ]; then echo "tests/onnx/run.sh: no archive or folder '$data'" >&2; exit 2; fi
if [ -f "$data" ]; then
    mkdir "$work/onnx" && tar -xzf "$data" -C "$work/onnx" || exit 1
    data=$work/onnx
fi
if [ -d "$data/data" ]; then data=$data/data; fi

# One emulator for all tests, unless $NNCC_CUDA_DRIVER names one.
if [ -n "$cuda" ] && [ -z "${NNCC_CUDA_DRIVER:-}" ]; then
    . "$root/tests/cuda/emu.sh"
    emulator || exit 1
    export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o
fi

compile_test "$root/tests/onnx/runner.c" -o "$work/runner" || exit 1

# The graphs of light/ have constant weights, so that their recorded outputs say little: they compile and agree with double precision.
light=0
if [ -z "$filter${flags[*]:-}" ] && [ -d "$data/light" ]; then
    printf '%s\0' "$data"/light/*.onnx | xargs -0 -n 1 -P "$jobs" sh -c \
        'said=$("$1" verify "$2" 2>&1) || { echo "WRONG $(basename "$2"): $(echo "$said" | tail -n 1)"; exit 1; }' _ "$nncc" || light=1
fi
[ -f "$expected" ] && cp "$expected" "$work/before"
"$work/runner" -j "$jobs" -e "$expected" -c "$cc" ${flags[@]+"${flags[@]}"} "$data" ${filter:+"$filter"}
status=$?
# Of tests that did not run, --update keeps what was known.
if [ -n "$filter" ] && [ -f "$work/before" ] && ! cmp -s "$work/before" "$expected"; then
    awk 'NR == FNR { ran[$1] = 1; print; next } !($1 in ran)' "$expected" "$work/before" | LC_ALL=C sort -k 1,1 >"$work/merged" && cat "$work/merged" >"$expected"
fi
[ $light = 0 ] && exit $status
exit 1
