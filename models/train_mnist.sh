#!/bin/sh
# Trains the network of the demo and writes mnist.onnx beside this script: mnist_cnn.nn, for one picture.
# usage: sh models/train_mnist.sh DIR [NNCC]    DIR holds MNIST as its authors publish it
set -eu
models=$(cd "$(dirname "$0")" && pwd)
nncc=${2:-$models/../build/release/bin/nncc}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$nncc" train "$models/mnist_cnn.nn" --data "$1" --epochs 14 -o "$dir/trained.onnx"
"$nncc" "$dir/trained.onnx" --dim batch=1 --passes=infer,simplify --emit=onnx -o "$models/mnist.onnx"
