#!/usr/bin/env bash
# Gradients in the generated C: as the loop nests of the operators' meanings have them, which nncc gradcheck compares with differences of the
# loss, and as the compiler's passes have made them, in vectors where this machine has some. usage: levels.sh [NETWORK.nn...]
# One program per output of each network of tests/grad that convolves, pools or multiplies, with the squares of it as loss.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"

gradients() { # NETWORK DIR REAL FLAGS...
    mkdir -p "$2" && "$nncc" "$1" --train --loss MeanSquaredError "--real=$3" "${@:4}" --prefix net -o "$2/net.c" 2>"$2/log" || return 1
    python3 "$root/tests/train/entries.py" "$2/net.h" --print >"$2/main.c" &&
        ${CC:-cc} $(isa) -std=c11 -O1 -march=native "-DREAL=$([ "$3" = f64 ] && echo double || echo float)" "$2/main.c" "$2/net.c" -lm -o "$2/net" && "$2/net" >"$2/gradients"
}
# Relative to the largest of a tensor, in single precision: sums of some hundred terms in another order.
agree() { # WITHOUT WITH
    paste -d ' ' "$1" "$2" | awk '
        { d = $2 - $4; d = d < 0 ? -d : d; v = $2 < 0 ? -$2 : $2; if (v > largest[$1]) largest[$1] = v; if (d > most[$1]) most[$1] = d; if ($1 != $3 || NF != 4) exit 1 }
        END { for (t in most) { if (largest[t] == 0) { dead++; continue } alive++; if (most[t] > 1e-5 * largest[t]) { print t, most[t], largest[t]; bad = 1 } }
              exit bad || !alive }'
}
compared() { # NETWORK DIR FLAGS...
    gradients "$1" "$2/fast" f32 "${@:3}" && agree "$2/plain/gradients" "$2/fast/gradients"
}

[ $# -gt 0 ] || set -- "$root"/tests/grad/conv*.nn "$root"/tests/grad/pools*.nn "$root"/tests/grad/{products,loops,recurrent}.nn
for network; do
    name=$(basename "$network" .nn)
    for output in $(sed -n 's/^  return //p' "$network" | tr -d ,%); do
        sed "s/^  return .*/  return %$output/" "$network" >"$work/$name.nn"
        gradients "$work/$name.nn" "$work/$name/plain" f64 -O0 --no-templates || { tally 0 1 0; echo "FAIL  $name $output -O0"; continue; }
        for flags in -O2 "-O3 --target=native"; do
            check "$name $output $flags" compared "$work/$name.nn" "$work/$name" $flags
        done
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
