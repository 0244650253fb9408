#!/usr/bin/env bash
# Random graphs of nested If, Loop and Scan against ONNX Runtime. usage: tests/onnx/random_regions.sh [GRAPHS] [SEED] [OPTIONS] [--only N] [--keep DIR]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/onnx/random_regions.py" "$nncc" "${@:-25}"
