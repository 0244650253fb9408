#!/usr/bin/env bash
# Every text of models/: 40 lines at most, compiles, has a summary. Those that train: a step of the C of all functions, in double, and the
# gradient along a random direction against the difference of the loss there (course.py). usage: course.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"

# Pictures of any size, small, as 256 x 256 take long in double.
smaller='unet --dim h=16 --dim w=24'
options() { echo "$smaller" | sed -n "s/^$1 //p"; }
short() { [ "$(wc -l <"$1")" -le 40 ] || { wc -l "$1"; return 1; }; }
summarised() { "$nncc" summary "$1" | grep '^total [0-9,]* params, [0-9,]* MACs'; }
steps() { # FILE NAME
    mkdir -p "$work/$2" && cd "$work/$2" && sed 's/batch = [0-9]*/batch = 2/' "$1" >"$2.nn" &&
        "$nncc" "$2.nn" --train --real=f64 --target=c --prefix net $(options "$2") -o net.c &&
        python3 "$root/tests/models/course.py" net.h >main.c && ${CC:-cc} -std=c11 -O1 -Wall -Wextra -Werror main.c net.c -lm -o net && ./net
}

for model in "$root"/models/*.nn; do
    name=$(basename "$model" .nn)
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    check "$name: at most 40 lines" short "$model"
    check "$name: summary" summarised "$model"
    if grep -q '^train' "$model"; then check "$name: a step of training" steps "$model" "$name"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
