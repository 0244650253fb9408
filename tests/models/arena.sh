#!/usr/bin/env bash
# The memory of every shared and zoo network against its lower bound. usage: tests/models/arena.sh [NAME...]
# The arena has to stay within 1.02 times the bound (1.05 below 16 KB, 1.01 for resnet50 and unet), and never above the bound
# of the unfused graph. Prints a table and, last, "N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
zoo=$root/build/zoo/models

# open_dims MODEL NAME: the options that give the dims which the model leaves open, from its reference data.
open_dims() {
    [ -d "$shared/expected/$2" ] || return
    "$nncc" verify "$1" "$shared/expected/$2" --cc true 2>/dev/null | sed -n 's/^compiled with .* in [0-9.]* s//p' | head -n 1
}

# bytes WORD: the number on a line of the summary.
bytes() { sed -n "s/^$1 \([0-9]*\) bytes$/\1/p" "$work/summary"; }

# judge NAME ARENA BOUND UNFUSED: ok, or what is wrong.
judge() {
    awk -v name="$1" -v a="$2" -v b="$3" -v u="$4" 'BEGIN {
        most = b < 16384 ? 1.05 : name == "resnet50" || name == "unet" ? 1.01 : 1.02
        if (a < b) print "FAIL below its bound"
        else if (a > most * b) printf "FAIL above %.2f of the bound\n", most
        else if (a > u) print "FAIL above the bound of the unfused graph"
        else print "ok"
    }'
}

printf '%-34s %11s %11s %11s %7s %7s  %s\n' network arena bound unfused /bound /unfused verdict
# measure MODEL: one line of the table. A network that nncc refuses is passed over.
measure() {
    local name options arena bound unfused verdict
    name=$(basename "$1" .onnx)
    options=$(open_dims "$1" "$name")
    "$nncc" summary "$1" $options >"$work/summary" 2>"$work/error" || { printf '%-34s %s\n' "$name" "not compiled"; return; }
    arena=$(bytes arena) bound=$(bytes bound)
    "$nncc" summary "$1" $options --off=fuse >"$work/summary" 2>"$work/error"
    unfused=$(bytes bound)
    verdict=$(judge "$name" "${arena:--1}" "${bound:-0}" "${unfused:--1}")
    printf '%-34s %11s %11s %11s %7s %7s  %s\n' "$name" "$arena" "$bound" "$unfused" \
        "$(awk -v a="$arena" -v b="$bound" 'BEGIN { printf "%.3f", b ? a / b : 1 }')" \
        "$(awk -v a="$arena" -v u="$unfused" 'BEGIN { printf "%.3f", u ? a / u : 1 }')" "$verdict"
    case $verdict in ok) passed=$((passed + 1)) ;; *) failed=$((failed + 1)) ;; esac
}

for model in "$shared"/models/*.onnx "$zoo"/*.onnx; do
    [ -f "$model" ] || continue
    case " ${*:-$(basename "$model" .onnx)} " in *" $(basename "$model" .onnx) "*) measure "$model" ;; esac
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
