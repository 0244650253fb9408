#!/usr/bin/env bash
# Small transformers as PyTorch exports them and as ONNX Runtime's tools rewrite them. usage: tests/models/transformers.sh [TEXT], by hand.
# $NNCC_PYTHON with torch, transformers, onnxscript, onnx and onnxruntime, else there is nothing to do.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python=${NNCC_PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, onnxscript, onnx, onnxruntime' 2>/dev/null; then
    echo "skip  transformers: $python lacks torch, transformers, onnxscript, onnx or onnxruntime"
    exit 0
fi
"$python" "$root/tests/models/transformer_forms.py" "$nncc" "$work" "$@"
