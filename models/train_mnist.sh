#!/bin/sh
# Trains the network of the demo and writes mnist.onnx beside this script: mnist_cnn.nn with a softmax behind its scores, for one picture.
# usage: sh models/train_mnist.sh DIR [NNCC]    DIR holds MNIST as its authors publish it
set -eu
models=$(cd "$(dirname "$0")" && pwd)
nncc=${2:-$models/../build/release/bin/nncc}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$nncc" train "$models/mnist_cnn.nn" --data "$1" --epochs 10 -o "$dir/trained.onnx"
"$nncc" "$dir/trained.onnx" --dim batch=1 --passes=none --emit=nn --inline-data |
    sed 's/network @mnist_cnn/network @mnist/; s/^  return %scores/  %probabilities = Softmax(%scores)\n  return %probabilities/' >"$dir/mnist.nn"
"$nncc" "$dir/mnist.nn" --passes=infer,simplify --emit=onnx -o "$models/mnist.onnx"
