#!/usr/bin/env bash
# Networks as CUDA: on the emulator they agree with the C to 1e-5 of the largest value, and nvcc and NVRTC take them for sm_80 and
# sm_90 where they are installed or PyPI has them. usage: tests/cuda/models.sh [--all | NAME...]
# Without arguments the project's own; --all: the shared networks and the zoo too, with their recorded inputs.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
emulator || exit 1
export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o
${CC:-cc} -std=c11 -O1 "$root/tests/cuda/close.c" -o "$work/close" -lm || exit 1
limit=${LIMIT:-300} strict="${CC:-cc} -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"

# one NAME MODEL [DIR] OPTION...: prints what it comes to.
one() {
    local name=$1 model=$2 dir=$work/$1 data=() worst=0 r i
    shift 2
    if [ -d "${1:-}" ]; then data=("$1"); shift; fi
    mkdir -p "$dir"
    "$nncc" verify "$model" ${data[@]+"${data[@]}"} "$@" --keep "$dir/c" >"$dir/c-log" 2>&1 || { echo "FAIL as C: $(tail -n 1 "$dir/c-log")"; return; }
    timeout "$limit" "$nncc" verify "$model" ${data[@]+"${data[@]}"} "$@" --target=cuda --cc "$strict" --keep "$dir/cuda" >"$dir/log" 2>&1 ||
        { echo "FAIL $(grep -m 1 -E '   WRONG|: error: |^nncc: |: node |CUDA' "$dir/log" || tail -n 1 "$dir/log")"; return; }
    for i in "$dir"/c/out*; do
        r=$("$work/close" 1e-5 "$i" "$dir/cuda/$(basename "$i")") || nearer "$dir" || { echo "FAIL $(basename "$i") is off by ${r:-?}"; return; }
        worst=$(awk -v a="$worst" -v b="$r" 'BEGIN { print (a > b ? a : b) }')
    done
    compiled "$dir/cuda/model.cu" "$dir" || { echo "FAIL $(head -n 1 "$dir/log")"; return; }
    echo "ok $worst$how"
}

# nearer DIR: every output is as far from what was recorded, or from double precision, as that of the C is, within a half more: then it
# is the network that magnifies what rounding does, in both.
nearer() {
    awk '!/max abs/ { next } { off = substr($0, index($0, "max abs") + 8, 7) + 0 }
        FILENAME == ARGV[1] { c[++n] = off; next } { if (off > 1.5 * c[++m]) bad = 1 } END { exit bad || !n || n != m }' "$1/c-log" "$1/log"
}

# compiled FILE DIR: by nvcc, and by NVRTC if there is one.
how=''
compiled() {
    local arch
    if [ -n "${nvcc:-}" ]; then
        for arch in sm_80 sm_90; do "$nvcc" -std=c++17 -fmad=false -arch="$arch" -cubin -o "$2/cubin" "$1" >"$2/log" 2>&1 || return 1; done
        how=', nvcc'
    fi
    if [ -x "$work/nvrtc" ]; then "$work/nvrtc" "$1" >"$2/log" 2>&1 || return 1; how="$how, nvrtc"; fi
}
if cuda_toolkit; then
    ${CC:-cc} -std=c11 -O1 -I "$root/runtime" "$root/tests/cuda/nvrtc.c" "$emu/nncc_cuda.o" -o "$work/nvrtc" -ldl -lm -lpthread || exit 1
else
    echo "skip  nvcc and NVRTC: not installed"
fi

report() { # NAME MODEL ...
    local verdict
    verdict=$(one "$@")
    printf '%-36s %s\n' "$1" "$verdict"
    case $verdict in ok*) passed=$((passed + 1)) ;; *) failed=$((failed + 1)) ;; esac
    rm -rf "${work:?}/$1"
}
wanted() { [ ${#names[@]} = 0 ] || [[ " ${names[*]} " == *" $1 "* ]]; }
all=no names=()
for word; do if [ "$word" = --all ]; then all=yes; else names+=("$word"); fi; done

# All helpers that kernels may want, whether a network here does or not.
if [ ${#names[@]} = 0 ] && [ -n "${nvcc:-}" ]; then
    mkdir "$work/helpers"
    { cat "$root/runtime/cuda/nncc_device.h"
      sed -n '/^.. @helper/,/^.. @end/p' "$root/runtime/nncc_math.h" "$root/runtime/nncc_random.h"
      echo 'extern "C" __global__ void k(float *x) { *x = nncc_expf(*x); }'; } >"$work/helpers.cu"
    check "helpers" compiled "$work/helpers.cu" "$work/helpers"
fi

for model in "$root"/models/*.nn "$root"/models/mnist.onnx "$root"/tests/run/{cnn,recurrent,mixed}.nn "$root"/tests/cuda/wide.nn; do
    name=$(basename "$model"); name=${name%.*}
    wanted "$name" || continue
    if grep -q '\[batch' "$model"; then report "$name" "$model" --dim batch=1..3; else report "$name" "$model"; fi
done
if [ $all = yes ] || [ ${#names[@]} -gt 0 ]; then
    for model in "$shared"/models/*.onnx "$root"/build/zoo/models/*.onnx; do
        name=$(basename "$model" .onnx) dir=$(dirname "$(dirname "$model")")/expected/$(basename "$model" .onnx)
        if [ -f "$model" ] && wanted "$name"; then
            if [ -d "$dir" ]; then report "$name" "$model" "$dir"; elif [[ $model == */zoo/* ]]; then report "$name" "$model"; fi
        fi
    done
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
