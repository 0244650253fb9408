#!/usr/bin/env bash
# Networks that PyTorch 2.15 exported (exported/, by record_exported.py), trained as PyTorch trains them: exported.sh [NAME...].
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python3 "$root/tests/train/exported.py" "$nncc" "${CC:-cc}" "$work" "$root/tests/train/exported" "$@"
