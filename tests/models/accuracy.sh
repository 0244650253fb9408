#!/usr/bin/env bash
# Networks on the whole test sets that lie in the shared folder, against the accuracy that its manifest states.
# usage: tests/models/accuracy.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
if [ ! -d "$shared/data" ]; then echo "0 passed, 0 failed (no $shared/data)"; exit 0; fi

# name, its input, its output, kind of data, right answers that the manifest's figure stands for, options
table='mnist image probabilities mnist 9910
mnist-8-cntk Input3 Plus214_Output_0 mnist255 9891
mnist_pytorch network_input network_output mnist 9189
onnxmlir_mnist image prediction mnist 8856
onnxmlir_mnist image prediction mnist255 8640
lenet5_mnist image log_probs mnist32 9860 --dim batch=1
mlperf_resnet8 input_1 dense cifar_hwc 673 --dim batch=1
resnet20_cifar10 input logits cifar_norm 698 --dim batch=1
resnet56_cifar10 input logits cifar_norm 711 --dim batch=1'

# The manifest rounds: LeNet's figure to three digits.
slack() { case $1 in 9860) echo 5 ;; *) echo 1 ;; esac; }

printf '%-26s %-11s %-14s %s\n' network data right verdict
while read -r name input output kind right options; do
    [ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
    dir=$work/$name-$kind verdict=ok
    mkdir -p "$dir"
    [ -f "$work/$kind" ] || python3 "$root/tests/models/accuracy.py" "$shared/data" "$kind" >"$work/$kind" || exit 1
    model=$shared/models/$name.onnx
    [ -f "$model" ] || model=$root/models/$name.onnx # the demo's
    if ! "$nncc" "$model" $options --rename "$input=x" --rename "$output=y" --prefix model --weights=embed -o "$dir/model.c" 2>"$dir/log" ||
        ! ${CC:-cc} -std=c11 -O2 -I "$dir" "$root/tests/models/accuracy.c" "$dir/model.c" -lm -o "$dir/program" 2>"$dir/log"; then
        verdict="FAIL $(head -n 1 "$dir/log")" got=
    else
        got=$("$dir/program" <"$work/$kind")
        off=$((${got%% *} - right))
        [ "${off#-}" -le "$(slack "$right")" ] || verdict="FAIL the manifest says $right"
    fi
    printf '%-26s %-11s %-14s %s\n' "$name" "$kind" "$got" "$verdict"
    case $verdict in ok) passed=$((passed + 1)) ;; *) failed=$((failed + 1)) ;; esac
done <<<"$table"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
