#!/usr/bin/env bash
# Random configurations of RNN, GRU and LSTM against ONNX Runtime. usage: tests/onnx/random_recurrent.sh [CONFIGURATIONS] [SEED]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/random_recurrent.py" "$nncc" "${@:-600}"
