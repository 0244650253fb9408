#!/usr/bin/env bash
# Checkpoints in the eyes of PyPI's safetensors, exported networks in those of ONNX Runtime. usage: interop.sh
# Every network of models/ that trains is trained on a few random examples. NNCC_PYTHON is a Python with numpy, safetensors and onnxruntime
# (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy safetensors onnxruntime || exit 1

see() { "$python" "$root/tests/train/interop.py" "$@"; }
trained() { # NAME DATA
    "$nncc" train "$1" --data "$2" --epochs 2 --cc "${CC:-cc} -O1 -march=native" --checkpoint "$work/file" --keep "$work/kept" -o "$work/trained.onnx" \
        >"$work/said" && cat "$work/said" && ! grep -qE 'accuracy: ([2-9]|[0-9]{2}|1\.0*[1-9])' "$work/said"
}
reads_checkpoint() {
    (cd "$work/kept" && ${CC:-cc} -std=c11 -march=native -I. "$root/tests/train/dump.c" model.c nncc_checkpoint.c -lm -o dump && ./dump "$work/file") &&
        see checkpoint "$work/kept" "$work/file"
}

judge() { # MODEL DATA
    local name
    name=$(basename "$1" .nn)
    rm -rf "$work/kept" "$work/file"
    check "$name trains" trained "$1" "$2"
    check "$name: safetensors reads the checkpoint" reads_checkpoint
    check "$name: ONNX Runtime agrees" see onnx "$nncc" "$work/trained.onnx" "$work"
}

awk -v n=200 -f "$root/tests/train/points.awk" >"$work/points.csv"
judge "$root/tests/train/fit.nn" "$work/points.csv"
while read -r shape classes names; do
    mkdir "$work/$shape-$classes" && see data "$work/$shape-$classes" "$shape" "$classes" || exit 1
    for name in $names; do judge "$root/models/$name.nn" "$work/$shape-$classes"; done
done <<'TABLE'
1x28x28 10 mlp_mnist lenet mnist_cnn
1x28x28 0 autoencoder denoising_autoencoder
3x32x32 10 cifar_cnn resnet20
4 2 banknote banknote_hidden
TABLE
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
