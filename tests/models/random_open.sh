#!/usr/bin/env bash
# Random networks with several extents that a call gives against ONNX Runtime and builds for some extents. usage: tests/models/random_open.sh [NETWORKS] [SEED] [--only N] [--keep DIR] [--interpret]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" "$root/tests/models/random_open.py" "$nncc" "${@:-20}"
