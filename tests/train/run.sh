#!/bin/bash
# nncc train on made-up data: it learns; stopping and going on gives the same bytes; what it learnt comes back as ONNX.
# usage: run.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
fit() { "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv" "$@"; }

awk -v n=1200 -f "$root/tests/train/points.awk" >"$work/points.csv"
gzip -k "$work/points.csv"

learns() { fit --epochs 12 -o "$work/fit.onnx" | tee "$work/learnt" && awk '/val_accuracy/ { a = $NF } END { exit !(a > 0.9) }' "$work/learnt"; }
# With batch norm, dropout, Adam and shuffling, all that a run goes on from is there to be lost.
resumes() {
    fit --epochs 10 --checkpoint "$work/whole.safetensors" && fit --epochs 5 --checkpoint "$work/parts.safetensors" &&
        ! cmp -s "$work/whole.safetensors" "$work/parts.safetensors" &&
        fit --epochs 10 --resume --checkpoint "$work/parts.safetensors" && cmp "$work/whole.safetensors" "$work/parts.safetensors"
}
# Averages, a common limit and a schedule of the whole run are gone on with, too.
resumes_with() {
    local options=("--optimizer=$1" --set ema=0.9 --set clip_global_norm=1 --schedule 'onecycle(steps = 150)')
    fit "${options[@]}" --epochs 4 --checkpoint "$work/all.safetensors" && fit "${options[@]}" --epochs 2 --checkpoint "$work/half.safetensors" &&
        ! cmp -s "$work/all.safetensors" "$work/half.safetensors" &&
        fit "${options[@]}" --epochs 4 --resume --checkpoint "$work/half.safetensors" && cmp "$work/all.safetensors" "$work/half.safetensors"
}
seeds_differ() { fit --epochs 10 --seed 2 --checkpoint "$work/other.safetensors" && ! cmp -s "$work/whole.safetensors" "$work/other.safetensors"; }
gzipped() { "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv.gz" --epochs 10 --checkpoint "$work/gz.safetensors" && cmp "$work/whole.safetensors" "$work/gz.safetensors"; }
refuses() { head -c 300 "$work/whole.safetensors" >"$work/cut.safetensors"; ! fit --epochs 11 --resume --checkpoint "$work/cut.safetensors"; }
reads_back() { "$nncc" verify "$work/fit.onnx" --dim batch=4; }
check "it learns" learns
check "going on gives the same bytes" resumes
check "going on with averages and a schedule" resumes_with Adafactor
check "another seed gives others" seeds_differ
check "compressed data" gzipped
check "a cut checkpoint is refused" refuses
check "what it learnt compiles" reads_back
check "10 kills, 10 recoveries" bash "$root/tests/train/kills.sh" 10
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
