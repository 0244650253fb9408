#!/usr/bin/env bash
# Twenty steps of training on the emulator against the same in C: losses and parameters agree to 1e-5 of the largest. Then nncc train:
# it learns, goes on from a checkpoint with the same bytes, and writes what it learnt. usage: train.sh [MODEL:RATE:REAL BATCH]...
# The rates are low, for a step magnifies what rounding does: at the models' own, C with fused multiply-adds is as far from C without
# (mlp_mnist 2e-2, resnet20 5e-1 after 20 steps) as the CUDA is. resnet20 is compared in double: in single precision the C, whose long
# sums are made of pieces, is 1.3e-5 from itself in double after 20 steps of 3e-5, and the CUDA no nearer.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
emulator || exit 1
[ $# -gt 0 ] || set -- mlp_mnist:0.01 8 mnist_cnn:0.001 4 resnet20:0.00003:f64 2
while [ $# -gt 1 ]; do
    IFS=: read -r model rate real <<<"$1"
    batch=$2 real=${real:-f32} dir=$work/$model; shift 2
    mkdir -p "$dir/c" "$dir/cuda"
    flags=(-DINPUT=image -DINPUT_LEN=NET_IMAGE_LEN -DTARGET=label -DTARGET_LEN=NET_LABEL_LEN -DCLASSES=10 "-DREAL=$([ "$real" = f64 ] && echo double || echo float)")
    if "$nncc" "$root/models/$model.nn" --train --real="$real" --lr "$rate" --dim batch="$batch" -o "$dir/c/net.c" &&
        "$nncc" "$root/models/$model.nn" --train --real="$real" --lr "$rate" --dim batch="$batch" --target=cuda -o "$dir/cuda/net.cu" &&
        ${CC:-cc} -std=c11 -O2 -ffp-contract=off "${flags[@]}" -I"$dir/c" "$root/tests/cuda/steps.c" "$dir/c/net.c" -o "$dir/c/steps" -lm &&
        ${CC:-cc} -std=c11 -O2 -DCUDA "${flags[@]}" -I"$dir/cuda" -I"$root/runtime" "$root/tests/cuda/steps.c" "$dir/cuda/net.c" \
            "$emu/nncc_cuda.o" -o "$dir/cuda/steps" -ldl -lm -lpthread &&
        emu_module "$dir/cuda/net.cu" "$dir/cuda/net.so" -w &&
        "$dir/c/steps" >"$dir/c/out" && emulated "$dir/cuda/net.so" "$dir/cuda/steps" >"$dir/cuda/out" &&
        awk -v model="$model" -f "$root/tests/cuda/same.awk" "$dir/c/out" "$dir/cuda/out"
    then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED  $model"; fi
done

export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o
awk -v n=1200 -f "$root/tests/train/points.awk" >"$work/points.csv"
fit() { "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv" --target=cuda "$@"; }
learns() {
    fit --epochs 6 --checkpoint "$work/whole.safetensors" -o "$work/fit.onnx" | tee "$work/learnt" &&
        grep -q emulated "$work/learnt" && awk '/val_accuracy/ { a = $NF } END { exit !(a > 0.9) }' "$work/learnt"
}
goes_on() {
    fit --epochs 3 --checkpoint "$work/parts.safetensors" && ! cmp -s "$work/whole.safetensors" "$work/parts.safetensors" &&
        fit --epochs 6 --resume --checkpoint "$work/parts.safetensors" && cmp "$work/whole.safetensors" "$work/parts.safetensors"
}
exported() { "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv" --epochs 6 --resume --checkpoint "$work/whole.safetensors" && "$nncc" verify "$work/fit.onnx" --dim batch=4; }
backward() {
    local dir=$work/backward
    mkdir -p "$dir" && "$nncc" "$root/tests/contract/seeds.nn" --train --real=f64 --prefix net --target=cuda -o "$dir/net.cu" &&
        ${CC:-cc} -std=c11 -O1 -Wall -Wextra -Werror -I"$dir" -I"$root/runtime" "$root/tests/contract/seeds.c" "$dir/net.c" "$emu/nncc_cuda.o" \
            -o "$dir/seeds" -ldl -lm -lpthread &&
        emu_module "$dir/net.cu" "$dir/net.so" -w && emulated "$dir/net.so" "$dir/seeds"
}
# Updates of whole matrices, averages and a common limit: the losses are those of the C, in double, so that no order of sums shows.
matrices() {
    local options=(--epochs 2 --real=f64 "--optimizer=$1" --set clip_global_norm=1 --set ema=0.9 --schedule "cosine(steps = 40, warmup = 4)")
    fit "${options[@]}" | grep -o 'loss: .*' >"$work/device" &&
        "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv" "${options[@]}" | grep -o 'loss: .*' >"$work/host" && cat "$work/device" "$work/host" && cmp "$work/device" "$work/host"
}
for optimizer in Muon Adafactor; do check "$optimizer as in C" matrices $optimizer; done
check "forward and backward" backward
check "nncc train learns" learns
check "going on gives the same bytes" goes_on
check "the C reads its checkpoint, and what it learnt compiles" exported
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
