#!/usr/bin/env bash
# A program that trains is killed at random moments, again and again, and goes on from its checkpoint. usage: kills.sh [KILLS [SEED]]
# After each kill the checkpoint is whole and no older than before; after the last one a run to the end gives the bytes of one that was
# never stopped. Few examples, so that most of the time goes into writing checkpoints.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
kills=${1:-200}
RANDOM=${2:-1}
dir=$work/fit
far=1000000 more=5

epoch_of() { grep -a -o '"epoch":"[0-9]*"' "$1" | tr -dc 0-9; }
program() { (cd "$dir" && exec ./program "$work/points.csv" "$@" >/dev/null); } # EPOCHS SEED CHECKPOINT RESUME

awk -v n=100 -f "$root/tests/train/points.awk" >"$work/points.csv"
"$nncc" train "$root/tests/train/fit.nn" --data "$work/points.csv" --epochs 1 --checkpoint "$work/killed" --keep "$dir" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }

inside=0 epoch=$(epoch_of "$work/killed")
for ((i = 0; i < kills; i++)); do
    (cd "$dir" && exec ./program "$work/points.csv" $far 1 "$work/killed" 1 >/dev/null) &
    child=$!
    sleep "0.0$((RANDOM % 90 + 10))"
    kill -9 $child
    { wait $child; } 2>/dev/null
    if ls "$work"/killed.tmp.* >/dev/null 2>&1; then inside=$((inside + 1)); rm -f "$work"/killed.tmp.*; fi
    if program 1 1 "$work/killed" 1 && [ "$(epoch_of "$work/killed")" -ge "$epoch" ]; then tally 1 0 0
    else tally 0 1 0; echo "FAIL  kill $i: the checkpoint of epoch $epoch is lost"
    fi
    epoch=$(epoch_of "$work/killed")
done
echo "$i kills, $inside of them while a checkpoint was written; $passed recoveries, epoch $epoch"
[ "$epoch" -gt "$kills" ] || { tally 0 1 0; echo "FAIL  it did not get on between the kills"; }
last=$((epoch + more))
same() { program $last 1 "$work/killed" 1 && program $last 1 "$work/whole" 0 && cmp "$work/killed" "$work/whole"; }
check "$last epochs with $kills kills are those without" same
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
