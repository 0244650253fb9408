#!/usr/bin/env bash
# Sizes that only a call tells, against ONNX Runtime. usage: tests/onnx/by_call.sh [TEXT]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/by_call.py" "$nncc" "$work" "$@"
