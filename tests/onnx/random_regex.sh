#!/usr/bin/env bash
# Random regular expressions against RE2 (PyPI's google-re2). usage: tests/onnx/random_regex.sh [PATTERNS] [SEED]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime || exit 1
"$python" -c 'import re2' 2>/dev/null || "$python" -m pip -q install google-re2 || exit 1
"$python" "$root/tests/onnx/random_regex.py" "$nncc" "${@:-200}"
