#!/usr/bin/env bash
# Random forms of convolutions, pools, Resize and recurrence against ONNX Runtime. usage: tests/onnx/random_forms.sh [FORMS] [SEED] [OPTIONS]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/random_forms.py" "$nncc" "${@:-200}"
