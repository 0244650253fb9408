#!/usr/bin/env bash
# How long 500 trees of LightGBM take as generated C, in ONNX Runtime, and as lleaves and tl2cgen compile them: on one core.
# usage: tests/bench/trees.sh [TREES]
# Prints a table; the last figures are in tests/bench/RESULTS-trees.md. NNCC_PYTHON is a Python with what trees.py imports (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python=${NNCC_PYTHON:-$root/build/venv-trees/bin/python3}
if [ ! -x "$python" ]; then # lleaves 1.3.0 wants an LLVM with the old pass manager, tl2cgen 1.0.0 the treelite that it was built with
    python3 -m venv "$root/build/venv-trees" && "$python" -m pip -q install lightgbm==4.7.0 lleaves==1.3.0 llvmlite==0.44.0 \
        tl2cgen==1.0.0 treelite==4.1.2 onnxmltools==1.16.0 skl2onnx==1.20.0 onnx onnxruntime openvino scikit-learn || exit 1
fi
cd "$root/tests/bench" && "$python" trees.py "$nncc" "$work" "$@" 2>"$work/log" || { tail -5 "$work/log" >&2; exit 1; }
