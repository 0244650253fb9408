#!/usr/bin/env bash
# Random configurations of every row of ai.onnx.ml against ONNX Runtime. usage: tests/onnx/random_ml.sh [EACH] [SEED] [OPERATOR]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/random_ml.py" "$nncc" "${@:-40}"
