#!/usr/bin/env bash
# How long a training step takes as generated C and in PyTorch: one core, one process, taking turns.
# usage: tests/bench/train.sh [-o FILE] [--quiet-check] [--wait=MINUTES] [NAME...]
# Without names replaces the figures of this kind of machine, tests/bench/figures/train/KIND.json, and writes RESULTS-train.md and
# README's table anew, on a machine that is quiet (run.sh has the options) unless --no-quiet-check; with names only prints.
# NNCC_FLAGS are nncc's options (--target=native); CC the compiler; NNCC_PYTHON a Python with numpy and torch (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
out= names=() quiet= wait=0
while [ $# -gt 0 ]; do
    case $1 in
    -o) out=${2:?-o needs a file}; shift ;;
    --quiet-check) quiet=yes ;;
    --no-quiet-check) quiet=no ;;
    --wait=*) wait=${1#*=} ;;
    -*) echo "train.sh: there is no option $1" >&2; exit 2 ;;
    *) names+=("$1") ;;
    esac
    shift
done
python_with numpy torch || exit 1
published=
if [ ${#names[@]} = 0 ] && [ -z "$out" ]; then
    published=$root/tests/bench/figures/train/$("$python" "$root/tests/bench/machine.py" kind).json
    quiet=${quiet:-yes}
fi
[ "$quiet" != yes ] || "$python" "$root/tests/bench/machine.py" quiet "$wait" || exit 1
commit=$(git -C "$root" rev-parse --short HEAD)
[ -z "$(git -C "$root" status --porcelain -- compiler runtime templates 2>/dev/null)" ] || commit="$commit and changes"
NNCC_QUIET=$quiet NNCC_COMMIT=$commit "$python" "$root/tests/bench/train.py" "$nncc" "$root/models" "$work" "$work/figures.json" "${names[@]}" || exit 1
[ -z "$out$published" ] || cp "$work/figures.json" "${out:-$published}"
[ -z "$published" ] || "$python" "$root/tests/bench/table.py"
