#!/usr/bin/env bash
# How long the 18 benchmark networks take as generated C, in ONNX Runtime and in OpenVINO: one core, all in one process, taking
# turns. usage: tests/bench/run.sh [-o FILE] [NAME...]
# Without names writes tests/bench/RESULTS.md; with names only prints. An output that differs from ONNX Runtime's fails.
# TARGETS="native c" are nncc's targets, NNCC_FLAGS more of its options; CC the compiler; NNCC_PYTHON a Python with numpy, onnx,
# onnxruntime and openvino (else a venv is made).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
out=
while getopts o: option; do case $option in o) out=$OPTARG ;; *) exit 2 ;; esac done
shift $((OPTIND - 1))
[ $# -gt 0 ] || out=${out:-$root/tests/bench/RESULTS.md}
python_with numpy onnx onnxruntime openvino && make_zoo || exit 1
commit=$(git -C "$root" rev-parse --short HEAD)
[ -z "$(git -C "$root" status --porcelain -- compiler runtime templates 2>/dev/null)" ] || commit="$commit and changes"
export NNCC_COMMIT=$commit
names=${*:-$(cd "$zoo/models" && ls ./*.onnx | sed 's,^\./,,; s,\.onnx$,,')}
for name in $names; do set -- "$@" "$zoo/models/$name.onnx"; done
shift $(($# - $(echo $names | wc -w)))
"$python" "$root/tests/bench/bench.py" "$nncc" "$work" "$@" | tee "$work/table"
status=${PIPESTATUS[0]}
[ "$status" != 0 ] || [ -z "$out" ] || cp "$work/table" "$out"
exit "$status"
