#!/bin/sh
# The neurons of models/mcculloch_pitts.nn are the gates they are called after. usage: gates.sh NNCC
root=$(cd "$(dirname "$0")/../.." && pwd)
pairs=$(mktemp) && trap 'rm -f "$pairs"' EXIT
printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\200\077\0\0\200\077\0\0\0\0\0\0\200\077\0\0\200\077' >"$pairs" # 0 0, 0 1, 1 0, 1 1 as f32
seen=$("$1" run "$root/models/mcculloch_pitts.nn" --input "inputs=$pairs") || exit 1
[ "$seen" = 'and f32[4,1]: 0 0 0 1
or f32[4,1]: 0 1 1 1
nand f32[4,1]: 1 1 1 0
xor f32[4,1]: 0 1 1 0' ] || { echo "$seen"; exit 1; }
