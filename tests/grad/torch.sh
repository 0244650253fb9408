#!/usr/bin/env bash
# Gradients against those of PyTorch 2.15, recorded in torch.txt by record_torch.py: torch.sh [TEXT] (only expressions with TEXT).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python3 "$root/tests/grad/torch_gradients.py" "$nncc" "${CC:-cc} $(isa)" "$work" "$@"
