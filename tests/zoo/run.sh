#!/usr/bin/env bash
# The 18 benchmark networks of make_zoo.py against ONNX Runtime; and, against nncc's arithmetic in double, the error of every instruction
# set of this machine, beside ONNX Runtime's (error.py). usage: tests/zoo/run.sh [NAME...]
# Models and references are made in build/zoo, once for each make_zoo.py, by a Python with numpy, onnx and onnxruntime:
# $NNCC_PYTHON, or a venv made here (PyPI). nncc has to take at most 2 s and 3 times the file's size in memory, or that of the weights
# that it writes, which Winograd makes larger (below 16 MB, 50 MB).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx onnxruntime && make_zoo && made_by "$root/tests/zoo/expected.py" "$zoo/models" "$zoo/expected" || exit 1
cc -std=c11 -O1 -D_POSIX_C_SOURCE=200809L -o "$work/measure" "$root/tests/measure.c" || exit 1

targets=$(isas_here | sed 's/^plain$/c/' | xargs)
printf '%-14s %9s %9s %8s %6s  %-8s%s  %s\n' network 'max abs' 'max rel' seconds MB runtime "$(printf '%-8s' $targets)" verdict
for name in ${*:-$(cd "$zoo/models" && ls ./*.onnx | sed 's,^\./,,; s,\.onnx$,,')}; do
    model=$zoo/models/$name.onnx data=$zoo/expected/$name/test_data_set_0 verdict=ok seconds='' mb='' size=$(stat -c %s "$model")
    : >"$work/errors"
    if ! "$nncc" verify "$model" "$zoo/expected/$name" >"$work/log" 2>&1; then
        verdict="FAIL $(grep -m 1 -E 'WRONG|: error: |^nncc: |: node ' "$work/log")"
    elif ! "$python" "$root/tests/zoo/alive.py" "$data/output_0.pb" >"$work/dead" 2>&1; then
        verdict="FAIL $(cat "$work/dead")"
    elif ! "$work/measure" "$work/measured" "$nncc" "$model" -o "$work/$name.c"; then
        verdict="FAIL does not compile"
    elif ! "$python" "$root/tests/zoo/error.py" "$nncc" "$model" "$data" $targets >"$work/errors" 2>"$work/inexact"; then
        verdict="FAIL $(tail -n 1 "$work/inexact")"
    else
        read -r seconds kb <"$work/measured"
        mb=$((kb / 1024))
        awk -v s="$seconds" 'BEGIN { exit !(s > 2) }' && verdict="FAIL takes longer than 2 s"
        written=$(stat -c %s "$work/$name.weights" 2>/dev/null || echo 0)
        [ "$written" -le "$size" ] || size=$written
        [ "$size" -lt 16000000 ] && size=17500000
        [ $((kb * 1024)) -gt $((3 * size)) ] && verdict="FAIL takes more than $((3 * size / 1000000)) MB"
    fi
    read -r abs rel <<<"$(sed -n 's/.*max abs \([^ ]*\) *max rel \([^ ]*\) .*/\1 \2/p' "$work/log" | head -n 1)"
    printf '%-14s %9s %9s %8s %6s  %s  %s\n' "$name" "${abs:-}" "${rel:-}" "$seconds" "$mb" "$(cat "$work/errors")" "$verdict"
    case $verdict in ok) passed=$((passed + 1)) ;; *) failed=$((failed + 1)) ;; esac
    rm -f "$work/$name".*
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
