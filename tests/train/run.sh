#!/bin/bash
# nncc train on made-up data: it learns; stopping and going on gives the same bytes; what it learnt comes back as ONNX.
# usage: run.sh    NNCC and WORK may be set
root=$(cd "$(dirname "$0")/../.." && pwd)
nncc=${NNCC:-$root/build/release/bin/nncc}
work=${WORK:-$(mktemp -d)}
passed=0 failed=0
check() { # NAME COMMAND...
    local name=$1; shift
    if "$@" >"$work/log" 2>&1; then passed=$((passed + 1)); echo "ok      $name"
    else failed=$((failed + 1)); echo "FAILED  $name"; tail -n 5 "$work/log"; fi
}
fit() { "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv" "$@"; }

# Three classes of points in four dims, by simple rules; with a heading.
awk 'BEGIN { srand(3); print "a,b,c,d,class"
    for (i = 0; i < 1200; i++) {
        a = rand() * 2 - 1; b = rand() * 2 - 1; c = rand() * 2 - 1; d = rand()
        printf "%.6f,%.6f,%.6f,%.6f,%d\n", a, b, c, d, (a > 0.3 ? 0 : b + c > 0 ? 1 : 2)
    } }' >"$work/points.csv"
gzip -k "$work/points.csv"

learns() { fit --epochs 12 -o "$work/fit.onnx" | tee "$work/learnt" && awk '/val_accuracy/ { a = $NF } END { exit !(a > 0.9) }' "$work/learnt"; }
resumes() {
    fit --epochs 6 --checkpoint "$work/whole.safetensors" && fit --epochs 2 --checkpoint "$work/parts.safetensors" &&
        fit --epochs 5 --resume --checkpoint "$work/parts.safetensors" &&
        fit --epochs 6 --resume --checkpoint "$work/parts.safetensors" && cmp "$work/whole.safetensors" "$work/parts.safetensors"
}
seeds_differ() { fit --epochs 6 --seed 2 --checkpoint "$work/other.safetensors" && ! cmp -s "$work/whole.safetensors" "$work/other.safetensors"; }
gzipped() { "$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv.gz" --epochs 6 --checkpoint "$work/gz.safetensors" && cmp "$work/whole.safetensors" "$work/gz.safetensors"; }
refuses() { head -c 300 "$work/whole.safetensors" >"$work/cut.safetensors"; ! fit --epochs 7 --resume --checkpoint "$work/cut.safetensors"; }
reads_back() { "$nncc" verify "$work/fit.onnx" --dim batch=4; }
# Whenever the program ends, the file under the name is whole.
killed() {
    cd "$work/fit" || return 1
    for i in 1 2 3 4 5 6; do
        cp "$work/whole.safetensors" "$work/killed.safetensors"
        timeout -s KILL "0.$((i * 37 % 9 + 1))" ./program "$work/points.csv" 100000 1 "$work/killed.safetensors" 1
        ./program "$work/points.csv" 1 1 "$work/killed.safetensors" 1 || return 1
    done
}
check "it learns" learns
check "going on gives the same bytes" resumes
check "another seed gives others" seeds_differ
check "compressed data" gzipped
check "a cut checkpoint is refused" refuses
check "what it learnt compiles" reads_back
fit --epochs 1 --keep "$work/fit" >"$work/log" 2>&1
check "a killed writer leaves a whole file" killed
[ -n "${WORK:-}" ] || rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
