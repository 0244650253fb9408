#!/usr/bin/env bash
# Gradients of operators with many attributes against PyTorch 2.15's, recorded in operators.txt by record_operators.py: operators.sh [TEXT].
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python3 "$root/tests/grad/operators.py" "$nncc" "${CC:-cc} -O1 $(isa)" "$work" "$@"
