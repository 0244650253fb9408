#!/usr/bin/env bash
# Gradients and losses against those of PyTorch 2.15, recorded in torch.txt and losses.txt by record_torch.py and record_losses.py:
# torch.sh [TEXT] (only expressions and calls with TEXT).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
for what in gradients losses; do
    python3 "$root/tests/grad/torch_$what.py" "$nncc" "${CC:-cc} $(isa)" "$work" "$@" | tee "$work/$what"
done | grep -v passed,
awk '/ passed, / { passed += $1; failed += $3; n++ } END { print passed " passed, " failed + (n < 2) " failed"; exit failed || n < 2 }' "$work"/{gradients,losses}
