#!/usr/bin/env bash
# How long the 18 benchmark networks take as generated C, in ONNX Runtime and in OpenVINO: on one core, all in one process, taking
# turns, as medians. usage: tests/bench/run.sh [OPTION...] [NAME|MODEL.onnx...]
# Without names replaces the figures of this kind of machine, tests/bench/figures/KIND.json, and writes RESULTS.md and README's table
# anew; with names only prints. An output that differs from ONNX Runtime's fails.
# Columns: nncc's default file compiled with `cc -O2`, that of --target=native with `cc -O3 -march=native`, ONNX Runtime and OpenVINO with
# one thread, and with two for comparison. More of nncc's, each option as often as wanted:
#   --cc=COMMAND      the same with another compiler: --cc=clang-14
#   --cflags=FLAGS    the default file with other options: --cflags=-Os --cflags='-O2 -std=c99'
#   --threads=2       the same with --threads=2 and a pool, on two cores
#   --target=TARGET   C for another target with -O3 -march=native: --target=c
#   -o FILE           writes the figures there
#   --quiet-check     refuses to measure on a machine that others use or whose speed wanders, and measures a network again if others
#                     came meanwhile: always, where figures of the repository are replaced, unless --no-quiet-check;
#                     --wait=MINUTES tries so long before it refuses
# CC is the compiler; NNCC_PYTHON a Python with numpy, onnx, onnxruntime and openvino (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
options=() names=() out=
while [ $# -gt 0 ]; do
    case $1 in
    -o) out=${2:?-o needs a file}; shift ;;
    -*) options+=("$1") ;;
    *) names+=("$1") ;;
    esac
    shift
done
python_with numpy onnx onnxruntime openvino || exit 1
published=
if [ ${#names[@]} = 0 ]; then
    [ -n "$out" ] || published=$root/tests/bench/figures/$("$python" "$root/tests/bench/machine.py" kind).json
    [ -z "$published" ] || options=(--quiet-check "${options[@]}") # the last one counts
    make_zoo || exit 1
    for model in "$zoo"/models/*.onnx; do names+=("$(basename "$model" .onnx)"); done
fi
models=()
for name in "${names[@]}"; do
    case $name in *.onnx) models+=("$name") ;; *) [ -n "${zoo:-}" ] || make_zoo || exit 1; models+=("$zoo/models/$name.onnx") ;; esac
done
commit=$(git -C "$root" rev-parse --short HEAD)
[ -z "$(git -C "$root" status --porcelain -- compiler runtime templates 2>/dev/null)" ] || commit="$commit and changes"
NNCC_COMMIT=$commit "$python" "$root/tests/bench/bench.py" "$nncc" "$work" -o "$work/figures.json" "${options[@]}" "${models[@]}" || exit $?
[ -z "$out$published" ] || cp "$work/figures.json" "${out:-$published}"
[ -z "$published" ] || "$python" "$root/tests/bench/table.py"
