#!/usr/bin/env bash
# Random networks of convolutions as ONNX Runtime saves them with all optimizations, against ONNX Runtime. usage: tests/onnx/optimised.sh [NETWORKS] [SEED]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/optimised.py" "$nncc" "$@"
