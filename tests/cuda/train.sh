#!/usr/bin/env bash
# Twenty steps of training on the emulator against the same in C: losses and parameters agree to 1e-5 of the largest.
# usage: train.sh [MODEL:RATE BATCH]...
# The rates are low, for a step magnifies what rounding does: at the models' own, C with fused multiply-adds is as far from C without
# (mlp_mnist 2e-2, resnet20 5e-1 after 20 steps) as the CUDA is.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
emulator || exit 1
[ $# -gt 0 ] || set -- mlp_mnist:0.01 8 mnist_cnn:0.001 4 resnet20:0.00003 2
while [ $# -gt 1 ]; do
    model=${1%:*} rate=${1#*:} batch=$2 dir=$work/${1%:*}; shift 2
    mkdir -p "$dir/c" "$dir/cuda"
    flags=(-DINPUT=image -DINPUT_LEN=NET_IMAGE_LEN -DTARGET=label -DTARGET_LEN=NET_LABEL_LEN -DCLASSES=10)
    if "$nncc" "$root/models/$model.nn" --train --lr "$rate" --dim batch="$batch" -o "$dir/c/net.c" &&
        "$nncc" "$root/models/$model.nn" --train --lr "$rate" --dim batch="$batch" --target=cuda -o "$dir/cuda/net.cu" &&
        ${CC:-cc} -std=c11 -O2 -ffp-contract=off "${flags[@]}" -I"$dir/c" "$root/tests/cuda/steps.c" "$dir/c/net.c" -o "$dir/c/steps" -lm &&
        ${CC:-cc} -std=c11 -O2 -DCUDA "${flags[@]}" -I"$dir/cuda" -I"$root/runtime" "$root/tests/cuda/steps.c" "$dir/cuda/net.c" \
            "$emu/nncc_cuda.o" -o "$dir/cuda/steps" -ldl -lm -lpthread &&
        emu_module "$dir/cuda/net.cu" "$dir/cuda/net.so" -w &&
        "$dir/c/steps" >"$dir/c/out" && emulated "$dir/cuda/net.so" "$dir/cuda/steps" >"$dir/cuda/out" &&
        awk -v model="$model" -f "$root/tests/cuda/same.awk" "$dir/c/out" "$dir/cuda/out"
    then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED  $model"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
