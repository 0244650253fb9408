#!/usr/bin/env bash
# Checkpoints in the eyes of PyPI's safetensors, exported networks in those of ONNX Runtime, logs in those of TensorBoard, if it is there.
# usage: interop.sh [--all]
# Networks of models/ are trained on a few random examples; --all: every one that trains (minutes). NNCC_PYTHON is a Python with numpy,
# safetensors and onnxruntime (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy safetensors onnxruntime || exit 1

see() { "$python" "$root/tests/train/interop.py" "$@"; }
trained() { # NAME DATA
    "$nncc" train "$1" --data "$2" --epochs 2 --log "$work/log.csv" --tensorboard "$work/events" --cc "${CC:-cc} -O1 -march=native" --checkpoint "$work/file" --keep "$work/kept" -o "$work/trained.onnx" \
        >"$work/said" && cat "$work/said" && ! grep -qE 'accuracy: ([2-9]|[0-9]{2}|1\.0*[1-9])' "$work/said"
}
reads_checkpoint() {
    (cd "$work/kept" && ${CC:-cc} -std=c11 -march=native -I. "$root/tests/train/dump.c" model.c nncc_checkpoint.c -lm -o dump && ./dump "$work/file") &&
        see checkpoint "$work/kept" "$work/file"
}

judge() { # MODEL DATA [BELOW]
    local name
    name=$(basename "$1" .nn)
    rm -rf "$work"/{kept,file,log.csv,events}
    check "$name trains" trained "$1" "$2"
    check "$name: safetensors reads the checkpoint" reads_checkpoint
    check "$name: ONNX Runtime agrees" see onnx "$nncc" "$work/trained.onnx" "$work" "${@:3}"
}

awk -v n=200 -f "$root/tests/train/points.awk" >"$work/points.csv"
judge "$root/tests/train/fit.nn" "$work/points.csv"
if "$python" -c 'import tensorboard' 2>/dev/null; then check "TensorBoard reads the events" see events "$work/events" "$work/log.csv"
else skip "TensorBoard reads the events" "no tensorboard in $python"
fi
while read -r shape classes names; do
    mkdir "$work/$shape-$classes" && see data "$work/$shape-$classes" "$shape" "$classes" || exit 1
    for name in $names; do judge "$root/models/$name.nn" "$work/$shape-$classes"; done
done <<TABLE
1x28x28 10 mlp_mnist lenet mnist_cnn${1:+ lstm gru simple_rnn lstm_deep transformer_encoder}
1x28x28 0 autoencoder denoising_autoencoder${1:+ denoising_upsampled vae}
3x32x32 10 cifar_cnn resnet20${1:+ cifar_conv3}
4 2 banknote banknote_hidden
TABLE
mkdir "$work/small" && sed 's/^\(dim [hw]\) = .*/\1 = 16/' "$root/models/unet.nn" >"$work/small/unet.nn"
for name in ${1:+dcgan_generator dcgan_discriminator}; do # trained by loops of a program's own
    "$nncc" "$root/models/$name.nn" --dim batch=3 --passes=none --emit=onnx -o "$work/$name.onnx"
    check "$name: ONNX Runtime agrees" see onnx "$nncc" "$work/$name.onnx" "$work"
done
while read -r name below ports; do
    case ${1:-}$name in --all*|char_rnn|realnvp) ;; *) continue ;; esac
    # shellcheck disable=SC2086
    see arrays "$work/$name.npz" $ports && judge "$([ "$name" = unet ] && echo "$work/small" || echo "$root/models")/$name.nn" "$work/$name.npz" "$below"
done <<'TABLE'
char_rnn 65 text:64:65 label:64:65
char_lstm 65 text:64:65 label:64:65
transformer_decoder 65 text:64:65 label:64:65
text_classifier 66 line:64:66 label::6
wavenet 64 sound:128:64 label:128:64
unet 2 image:1x16x16:256 cells:1x16x16:2
conv1d 2 past:24:f target:1:f
gates 2 inputs:2:2 target:4:2
realnvp 2 point:2:f
regression_gaussian 2 x:13:f wanted:1:f
regression_mixture 2 x:1:f wanted:1:f
regression_poisson 2 x:4:f count:1:9
mc_dropout 2 x:1:f target:1:f
TABLE
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
