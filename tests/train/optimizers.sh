#!/usr/bin/env bash
# A hundred steps of every optimizer, limit, schedule and group in the generated C, in double, within 1e-6 of what record_torch.py wrote into
# torch.txt: PyTorch's losses, or those of another library's formulas. usage: optimizers.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/train

follows() { # NAME MACROS OPTION...
    local dir=$work/$1 macros=$2
    mkdir -p "$dir" && "$nncc" "${network:-$here/torch.nn}" --target=c --train --real=f64 --prefix net "${@:3}" -o "$dir/net.c" 2>"$dir/log" || { cat "$dir/log"; return 1; }
    # shellcheck disable=SC2086
    ${CC:-cc} -std=c11 -O1 -Wall -Wextra -Wshadow -Werror -I "$dir" $macros "$here/torch.c" "$dir/net.c" -lm -o "$dir/net" && "$dir/net" "$1" "$here/torch.txt"
}
try() { case " ${only:-$1} " in *" $1 "*) check "$1" follows "$1" "" "${@:2}" ;; esac; }
apply() { case " ${only:-$1} " in *" $1 "*) check "$1, apply" follows "$1" -DAPPLY "${@:2}" ;; esac; }
by_schedule() { case " ${only:-$1} " in *" $1 "*) check "$1" follows "$1" -DSCHEDULE --optimizer=SGD --lr=0.1 "--schedule=$2" ;; esac; }

only="$*"
try SGD --optimizer=SGD --lr=0.1
try Momentum --optimizer=SGD --lr=0.05 --set momentum=0.9 --set weight_decay=0.01
try Nesterov --optimizer=Nesterov --lr=0.05
try Adam --optimizer=Adam --lr=0.01
try AdamL2 --optimizer=Adam --lr=0.01 --set weight_decay=0.1
try AdamW --optimizer=AdamW --lr=0.01
try Adadelta --optimizer=Adadelta --lr=1
try Adagrad --optimizer=Adagrad --lr=0.05
try RMSprop --optimizer=RMSprop --lr=0.005
try RMSpropMomentum --optimizer=RMSprop --lr=0.001 --set momentum=0.8 --set weight_decay=0.01
try AMSGrad --optimizer=AMSGrad --lr=0.01
try Adamax --optimizer=Adamax --lr=0.01 --set weight_decay=0.01
try Nadam --optimizer=Nadam --lr=0.01
try Adafactor --optimizer=Adafactor --lr=0.02 --set weight_decay=0.05
try Muon --optimizer=Muon --lr=0.02
try Lion --optimizer=Lion --lr=0.002 --set weight_decay=0.1
try LAMB --optimizer=LAMB --lr=0.02
for name in SGD:0.1 Momentum:0.05 Nesterov:0.05 Adam:0.01 AdamW:0.01 AMSGrad:0.01 Adamax:0.01 Nadam:0.01 Adadelta:1 Adagrad:0.05 RMSprop:0.005 LAMB:0.02 Adafactor:0.02 Muon:0.02; do
    try "Keras${name%:*}" --flavor=keras "--optimizer=${name%:*}" "--lr=${name#*:}"
done
try KerasRMSpropMomentum --flavor=keras --optimizer=RMSprop --lr=0.001 --set momentum=0.8
try KerasLion --flavor=keras --optimizer=Lion --lr=0.002 --set weight_decay=0.05
limited=(--optimizer=Momentum --lr=0.1)
try ClipValue "${limited[@]}" --set clip_value=0.01
try ClipNorm "${limited[@]}" --set clip_norm=0.05
try ClipTogether "${limited[@]}" --set clip_global_norm=0.1
try KerasClipNorm "${limited[@]}" --flavor=keras --set clip_norm=0.05
try KerasClipTogether "${limited[@]}" --flavor=keras --set clip_global_norm=0.1
apply ClipTogether "${limited[@]}" --set clip_global_norm=0.1
apply ClipNorm "${limited[@]}" --set clip_norm=0.05 -O0
apply Muon --optimizer=Muon --lr=0.02
by_schedule step 'step(every = 30, gamma = 0.2)'
by_schedule exponential 'exponential(gamma = 0.97)'
by_schedule cosine 'cosine(steps = 120, final = 0.001)'
by_schedule polynomial 'polynomial(steps = 80, power = 2)'
by_schedule onecycle 'onecycle(steps = 100)'
by_schedule warmup 'cosine(steps = 50, warmup = 10)'
try Groups --optimizer=AdamW --lr=0.01 --set 'groups.head.params=y.*' --set groups.head.rate=0.1 --set groups.head.weight_decay=0.5
case " ${only:-Average} " in *" Average "*) check Average follows Average -DAVERAGE "${limited[@]}" --set ema=0.95 ;; esac
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
