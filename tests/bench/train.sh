#!/usr/bin/env bash
# How long a training step takes as generated C and in PyTorch: one core, one process, taking turns. usage: tests/bench/train.sh [-o FILE] [NAME...]
# Without names writes tests/bench/RESULTS-train.md; with names only prints. NNCC_FLAGS are nncc's options (--target=native); CC the compiler;
# NNCC_PYTHON a Python with numpy and torch (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
out=
while getopts o: option; do case $option in o) out=$OPTARG ;; *) exit 2 ;; esac done
shift $((OPTIND - 1))
[ $# -gt 0 ] || out=${out:-$root/tests/bench/RESULTS-train.md}
python_with numpy torch || exit 1
commit=$(git -C "$root" rev-parse --short HEAD)
[ -z "$(git -C "$root" status --porcelain -- compiler runtime templates 2>/dev/null)" ] || commit="$commit and changes"
export NNCC_COMMIT=$commit
"$python" "$root/tests/bench/train.py" "$nncc" "$root/models" "$work" "$@" | tee "$work/table"
status=${PIPESTATUS[0]}
[ "$status" != 0 ] || [ -z "$out" ] || cp "$work/table" "$out"
exit "$status"
