#!/usr/bin/env bash
# The first minutes on a machine with a GPU, without a network: what it is, whether everything is right there, and how long it takes,
# as Markdown. Each part has a limit of its own; together they stay below nine minutes. nncc has to be built. A part that fails does not stop the rest.
# usage: tests/cuda/gpu.sh [--rehearse] [FILE.md]; --rehearse: all of it in the emulator, briefly
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
rehearse=no out=
for word; do case $word in --rehearse) rehearse=yes ;; *) out=$word ;; esac; done
here=$root/tests/cuda NNCC_NO_INSTALL=1
export NNCC_NO_INSTALL
md=$work/gpu.md
say() { printf '%s\n' "$*" | tee -a "$md"; }

# part SECONDS NAME COMMAND...: its last line stands in the table.
part() {
    local limit=$1 name=$2 begin status verdict last
    shift 2
    begin=$SECONDS
    (export -f 2>/dev/null; timeout "$limit" bash -c '. "$1/functions"; shift; "$@"' part "$work" "$@") >"$work/log" 2>&1
    status=$?
    case $status in 0) verdict=ok passed=$((passed + 1)) ;; 124) verdict="over $limit s" failed=$((failed + 1)) ;; *) verdict=FAILED failed=$((failed + 1)) ;; esac
    last=$(tail -n 1 "$work/log" | tr '|' '/' | cut -c 1-160)
    say "| $name | $verdict | $((SECONDS - begin)) s | $last |"
    [ $status = 0 ] || tail -n 20 "$work/log" >&2
}

cuda_toolkit >/dev/null 2>&1 || nvcc=
if [ $rehearse = yes ]; then
    emulator || exit 1
    export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o
    networks='mlp_mnist lenet' steps='mlp_mnist:8' timed='mlp_mnist lenet' batches=1 calls=1 times=2 tests='run device mixed value half streams managed'
else
    mkdir -p "$work/rt" && ${CC:-cc} -std=c11 -O2 -c "$root/runtime/nncc_cuda.c" -o "$work/rt/nncc_cuda.o" || exit 1
    export NNCC_CUDA_RUNTIME=$work/rt/nncc_cuda.o
    networks='mlp_mnist lenet cifar_cnn autoencoder lstm gru char_lstm transformer_encoder unet vae' steps='mlp_mnist:128 mnist_cnn:64 resnet20:128'
    timed='mlp_mnist lenet cifar_cnn autoencoder lstm transformer_encoder resnet18 unet' batches='1 32' calls=100 times=3
    tests='run device mixed value half streams managed two'
fi

# What the parts call, each in a shell of its own.
{
    declare -p root work nncc rehearse emu emu_flags nvcc networks calls times here 2>/dev/null | sed 's/^declare -[a-z-]* /declare -- /'
    declare -f emu_module
    cat <<'END'
dims_of() { grep -q '\[batch' "$root/models/$1.nn" && echo "--dim batch=$2"; }

facts() {
    if [ "$rehearse" = yes ]; then echo "the emulator"; else nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,mig.mode.current --format=csv,noheader; fi
}

# Where its kernels are, for the program that follows: the emulator's module, or none (NVRTC compiles).
with_kernels() {
    local dir=$1
    shift
    if [ "$rehearse" = yes ]; then emu_module "$dir/net.cu" "$dir/net.so" -w || return 1; NNCC_CUDA_IMAGE=$dir/net.so "$@"
    else "$@"; fi
}

# runtime.c with kernels from NVRTC: the runtime's paths on the real driver.
runtime() {
    local test
    sed -e '/nncc_device.h/{r '"$root/runtime/cuda/nncc_device.h" -e 'd;}' "$here/runtime.cu" >"$work/jit.cu"
    ${CC:-cc} -std=c11 -g -I "$root/runtime" "$here/runtime.c" "$root/runtime/nncc_cuda.c" -o "$work/runtime" -ldl || return 1
    if [ "$rehearse" = yes ]; then emu_module "$here/runtime.cu" "$work/toy.so" || return 1; export NNCC_CUDA_IMAGE=$work/toy.so; fi
    for test in "$@"; do
        SOURCE=$work/jit.cu timeout 30 "$work/runtime" "$test" || { echo "$test fails"; return 1; }
        [ "$rehearse" = yes ] || NNCC_CUDA_SYNC=1 SOURCE=$work/jit.cu timeout 30 "$work/runtime" "$test" || { echo "$test fails, one kernel at a time"; return 1; }
    done
    echo "$# tests of the runtime"
}

# Each network several times: right, and the same bits.
same_bits() {
    local name i n=0
    mkdir -p "$work/bits"
    for name in $networks; do
        for i in $(seq "$times"); do
            "$nncc" verify "$root/models/$name.nn" $(dims_of "$name" 2) --target=cuda --keep "$work/bits/$name-$i" || { echo "$name is wrong"; return 1; }
            for f in "$work/bits/$name-1"/out*; do cmp "$f" "$work/bits/$name-$i/$(basename "$f")" || { echo "$name: other bits"; return 1; }; done
        done
        n=$((n + 1))
    done
    echo "$n networks $times times each, right and with the same bits"
}

sanitized() { # TOOL
    [ "$rehearse" = no ] || { echo "not in the emulator"; return 0; }
    command -v compute-sanitizer || { echo "there is no compute-sanitizer"; return 0; }
    (cd "$work/bits/mlp_mnist-1" && timeout 60 compute-sanitizer --tool "$1" --error-exitcode 1 ./program) && echo "$1: nothing found"
}

# Steps of training beside the C's.
train() {
    local model=${1%:*} batch=${1#*:} dir=$work/train-${1%:*}
    local flags=(-DINPUT=image -DINPUT_LEN=NET_IMAGE_LEN -DTARGET=label -DTARGET_LEN=NET_LABEL_LEN -DCLASSES=10)
    mkdir -p "$dir/c" "$dir/cuda"
    "$nncc" "$root/models/$model.nn" --train --lr 0.001 --dim batch="$batch" --prefix net -o "$dir/c/net.c" &&
        "$nncc" "$root/models/$model.nn" --train --lr 0.001 --dim batch="$batch" --prefix net --target=cuda -o "$dir/cuda/net.cu" &&
        ${CC:-cc} -std=c11 -O2 -ffp-contract=off "${flags[@]}" -I"$dir/c" "$here/steps.c" "$dir/c/net.c" -o "$dir/c/steps" -lm &&
        ${CC:-cc} -std=c11 -O2 -DCUDA "${flags[@]}" -I"$dir/cuda" -I"$root/runtime" "$here/steps.c" "$dir/cuda/net.c" "$NNCC_CUDA_RUNTIME" -o "$dir/cuda/steps" -ldl -lm -lpthread &&
        "$dir/c/steps" >"$dir/c/out" && with_kernels "$dir/cuda" "$dir/cuda/steps" >"$dir/cuda/out" && awk -v model="$model" -f "$here/same.awk" "$dir/c/out" "$dir/cuda/out"
}

# Microseconds of a call: data on the device | on the host.
time_of() { # FUNCTION MODEL DIR NNCC-OPTIONS...
    local function=$1 model=$2 dir=$3 flags=(-DRUN="net_$1")
    shift 3
    mkdir -p "$dir"
    case " $* " in *" --train "*) flags+=(-DTRAINS) ;; esac
    "$nncc" "$root/models/$model.nn" "$@" --prefix net --target=cuda -o "$dir/net.cu" || return 1
    [ ! -f "$dir/net.weights" ] || flags+=("-DWEIGHTS=\"$dir/net.weights\"")
    sed -n -E 's/^    \{"([^"]*)", NNCC_CUDA_([A-Z]*)[^,]*, [0-9]+, \{([0-9]+),.*/FIELD(\1, \2, \3)/p' "$dir/net.c" >"$dir/fields.h"
    ${CC:-cc} -std=c11 -O2 -w "${flags[@]}" -I"$dir" -I"$root/runtime" "$here/time.c" "$dir/net.c" "$NNCC_CUDA_RUNTIME" -o "$dir/time" -ldl -lm -lpthread &&
        with_kernels "$dir" "$dir/time" "$calls"
}
END
} >"$work/functions"

: >"$md"
say "# nncc on a GPU, $(date +%Y-%m-%d), $(git -C "$root" rev-parse --short HEAD 2>/dev/null)"
[ $rehearse = no ] || say "A rehearsal in the emulator: its times mean nothing."
say ""
say "| part | | took | |"
say "|---|---|---|---|"
part 10 "the GPU" facts
part 60 "the runtime" runtime $tests
part 150 "networks, thrice" same_bits
for tool in memcheck racecheck; do part 40 "compute-sanitizer $tool" sanitized $tool; done
for step in $steps; do part 60 "20 steps of $step" train "$step"; done
say ""
say "| microseconds | batch | data on the device | on the host |"
say "|---|---|---|---|"
timing() { # NAME BATCH FUNCTION MODEL DIR OPTION...
    local name=$1 batch=$2 line
    shift 2
    [ $SECONDS -lt 500 ] || { say "| $name | $batch | no time left | |"; return; }
    if line=$(timeout 40 bash -c '. "$1/functions"; shift; time_of "$@"' time "$work" "$@" 2>"$work/log"); then
        passed=$((passed + 1)); say "| $name | $batch | $(tail -n 1 <<<"$line") |"
    else
        failed=$((failed + 1)); say "| $name | $batch | FAILED | $(tail -n 1 "$work/log" | tr '|' '/' | cut -c 1-120) |"
    fi
}
for model in $timed; do
    for batch in $batches; do
        if grep -q '\[batch' "$root/models/$model.nn"; then timing "$model" "$batch" run "$model" "$work/t-$model-$batch" --dim batch="$batch"
        elif [ "$batch" = 1 ]; then timing "$model" 1 run "$model" "$work/t-$model"; fi
    done
done
for step in $steps; do timing "${step%:*}, a training step" "${step#*:}" train_batch "${step%:*}" "$work/s-${step%:*}" --train --dim batch="${step#*:}"; done
[ -z "$out" ] || cp "$md" "$out"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
