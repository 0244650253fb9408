#!/usr/bin/env bash
# Losses of networks of models/ against those PyTorch had, step by step, from the same parameters and batches, without dropout.
# usage: networks.sh [NAME...]
# record_networks.py wrote networks.txt, which says lr and batch. In double 1e-5 relative, 100 steps, 40 of resnet20, which is chaotic; in
# single precision 1e-4 and 10 steps, without resnet20.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
recorded=$root/tests/train/networks.txt

follows() { # NAME TYPE OPTIMIZER LR BATCH TOLERANCE
    local dir=$work/$1-$2 real=float
    [ "$2" = f64 ] && real=double
    mkdir -p "$dir" && sed "s/ratio = [0-9.]*/ratio = 0/; s/batch = [0-9]*/batch = $5/" "$root/models/$1.nn" >"$dir/$1.nn"
    "$nncc" "$dir/$1.nn" --train "--real=$2" "--optimizer=$3" "--lr=$4" --prefix net -o "$dir/net.c" &&
        ${CC:-cc} $(isa) -std=c11 -O2 -Wall -Wextra -DREAL=$real -I "$dir" "$root/tests/train/networks.c" "$dir/net.c" -lm -o "$dir/net" &&
        "$dir/net" "$1" "$2" "$6" "$recorded" && cp "$work/check-log" "$dir/said"
}

while read -r name type optimizer lr batch _; do
    case $name in '#'*) continue ;; esac
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    tolerance=1e-5
    [ "$type" = f32 ] && tolerance=1e-4
    check "$name, $type, $optimizer" follows "$name" "$type" "$optimizer" "$lr" "$batch" $tolerance
    tail -n 1 "$work/check-log" | sed 's/^/      /'
done <"$recorded"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
