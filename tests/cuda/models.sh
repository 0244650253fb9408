#!/usr/bin/env bash
# Networks as CUDA: on the emulator they agree with the C to 1e-5 of the largest value, and nvcc and NVRTC take them for sm_80 and
# sm_90 where they are installed or PyPI has them. usage: tests/cuda/models.sh [--all | NAME...]
# Without arguments the project's own; --all: the shared networks and the zoo too, with their recorded inputs (20 minutes;
# LIMIT=1800 for the seconds that unet takes).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
emulator || exit 1
export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o
${CC:-cc} -std=c11 -O1 "$root/tests/cuda/close.c" -o "$work/close" -lm || exit 1
limit=${LIMIT:-300} strict="${CC:-cc} -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"

# verify FORM DIR OPTION...: leaves inputs and outputs in DIR/FORM.
verify() {
    local form=$1 dir=$2
    shift 2
    timeout "$limit" "$nncc" verify "$@" --keep "$dir/$form" >"$dir/$form-log" 2>&1
}

# off DIR FORM FORM [LIMIT [-64]]: the worst of all outputs; false if it is above LIMIT, or if one is missing.
off() {
    local i r worst=0 bad=0
    for i in "$1/$2"/out*; do
        r=$("$work/close" ${5:-} "${4:-inf}" "$i" "$1/$3/$(basename "$i")" 2>/dev/null) || bad=1
        worst=$(awk -v a="$worst" -v b="${r:-inf}" 'BEGIN { print (b + 0 > a + 0 || b ~ /inf|nan/ ? b : a) }')
    done
    echo "$worst"
    return $bad
}

# one NAME MODEL [DIR] OPTION...: prints what it comes to.
one() {
    local dir=$work/$1 worst why
    shift
    mkdir -p "$dir"
    verify c "$dir" "$@" || { echo "FAIL as C: $(tail -n 1 "$dir/c-log")"; return; }
    verify cuda "$dir" "$@" --target=cuda --cc "$strict" ||
        { echo "FAIL $(grep -m 1 -E '   WRONG|: error: |^nncc: |: node |CUDA' "$dir/cuda-log" || tail -n 1 "$dir/cuda-log")"; return; }
    if ! worst=$(off "$dir" c cuda 1e-5); then
        why=$(magnified "$dir" "$worst" "$@") || { echo "FAIL off by $worst$why"; return; }
    fi
    compiled "$dir/cuda/model.cu" "$dir" || { echo "FAIL $(head -n 1 "$dir/log")"; return; }
    echo "ok $worst${why:-}$how"
}

# magnified DIR OFF MODEL...: whether a difference above the limit is the network's, which magnifies what the last bit of
# any sum is. Then in double nothing of it is left, and the C in another order of its sums is as far from itself.
magnified() {
    local dir=$1 off=$2 double itself
    shift 2
    verify c-64 "$dir" "$@" --real=f64 && verify cuda-64 "$dir" "$@" --target=cuda --real=f64 || { echo ", does not run in double"; return 1; }
    double=$(off "$dir" c-64 cuda-64 1e-9 -64) || { echo ", in double by $double"; return 1; }
    verify c-other "$dir" "$@" --no-templates || return 1
    itself=$(off "$dir" c c-other)
    echo " (in double $double; the C from its own sums in another order $itself)"
    awk -v a="$off" -v b="$itself" 'BEGIN { exit !(a <= 2 * b) }'
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
# Networks of the course that consist of what others have; --all takes them, too.
course=' char_lstm char_rnn cifar_conv3 conv1d dcgan_discriminator dcgan_generator denoising_upsampled gates gru lstm lstm_deep mc_dropout realnvp
regression_gaussian regression_mixture regression_poisson simple_rnn text_classifier transformer_decoder transformer_encoder unet wavenet '
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
    [ $all = yes ] || [ ${#names[@]} -gt 0 ] || ! [[ $(echo '' $course '') = *" $name "* ]] || continue
    if [ "$name" = resnet18 ]; then # untrained, all of its softmax is one class: then nothing of the rest could be seen
        sed 's/return softmax(%scores).*/return %scores/' "$model" >"$work/resnet18.nn"
        model=$work/resnet18.nn
    fi
    if grep -q '\[batch' "$model"; then report "$name" "$model" --dim batch=1..3; else report "$name" "$model"; fi
done
if [ $all = yes ] || [ ${#names[@]} -gt 0 ]; then
    for model in "$shared"/models/*.onnx "$root"/build/zoo/models/*.onnx; do
        name=$(basename "$model" .onnx) dir=$(dirname "$(dirname "$model")")/expected/$(basename "$model" .onnx)
        if [ -f "$model" ] && wanted "$name"; then
            if [ -d "$dir" ]; then report "$name" "$model" "$dir"
            elif "$nncc" check "$model" >"$work/check"; then report "$name" "$model" $(sed -n 's/^.*: checked with \(--dim .*\); to compile.*/\1/p' "$work/check")
            fi
        fi
    done
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
