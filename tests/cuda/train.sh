#!/bin/bash
# Twenty steps of training on the emulator against the same on the CPU: losses and parameters agree to 1e-5, relative to
# the largest of each tensor block. usage: train.sh [MODEL BATCH]...   NNCC, EMULATOR (libcuda_emu.so) and WORK may be set
root=$(cd "$(dirname "$0")/../.." && pwd)
nncc=${NNCC:-$root/build/release/bin/nncc}
work=${WORK:-$(mktemp -d)}
. "$root/tests/cuda/emulator.sh"
passed=0 failed=0
[ $# -gt 0 ] || set -- mlp_mnist:0.1 8 mnist_cnn:0.001 4 resnet20:0.001 4
while [ $# -gt 1 ]; do
    model=${1%:*} rate=${1#*:} batch=$2 dir=$work/${1%:*}; shift 2
    mkdir -p "$dir/c" "$dir/cuda"
    flags=(-DINPUT=image -DINPUT_LEN=NET_IMAGE_LEN -DTARGET=label -DTARGET_LEN=NET_LABEL_LEN -DCLASSES=10)
    if "$nncc" "$root/models/$model.nn" --train --lr "$rate" --dim batch="$batch" -o "$dir/c/net.c" &&
        "$nncc" "$root/models/$model.nn" --train --lr "$rate" --dim batch="$batch" --target=cuda -o "$dir/cuda/net.cu" &&
        ${CC:-cc} -std=c11 -O2 -ffp-contract=off "${flags[@]}" -I"$dir/c" "$root/tests/cuda/steps.c" "$dir/c/net.c" -o "$dir/c/steps" -lm &&
        ${CC:-cc} -std=c11 -O2 -DCUDA "${flags[@]}" -I"$dir/cuda" -I"$root/runtime" "$root/tests/cuda/steps.c" "$dir/cuda/net.c" \
            "$root/runtime/nncc_cuda.c" -o "$dir/cuda/steps" -ldl -lm -lpthread &&
        emulated "$dir/cuda/net.cu" "$dir/cuda/net.so" &&
        "$dir/c/steps" >"$dir/c/out" && on_emulator "$dir/cuda/net.so" "$dir/cuda/steps" >"$dir/cuda/out" &&
        awk -v model="$model" -f "$root/tests/cuda/same.awk" "$dir/c/out" "$dir/cuda/out"
    then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED  $model"; fi
done
[ -n "${WORK:-}" ] || rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
