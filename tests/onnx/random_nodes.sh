#!/usr/bin/env bash
# Random configurations of every row of ai.onnx.ml or com.microsoft against ONNX Runtime.
# usage: tests/onnx/random_nodes.sh ml|microsoft [EACH] [SEED] [OPERATOR]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/random_nodes.py" "$nncc" "${@:-ml}"
