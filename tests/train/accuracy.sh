#!/usr/bin/env bash
# Networks of models/ trained on real data until they are as good as they should be. usage: accuracy.sh [NAME...]
# A quarter of an hour on two cores, hence not part of run.sh by itself (NNCC_TRAINING=yes makes it so). denoising_autoencoder,
# cifar_cnn and resnet20 need Python with numpy and torch; the others only ../shared.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
if [ ! -d "$shared/data" ]; then echo "0 passed, 0 failed (no $shared/data)"; exit 0; fi

# name, data, epochs, least validation accuracy (0: other figures judge). MNIST's validation set is its 10,000 test pictures, that of
# banknotes every tenth, which is not trained on.
table='banknote tabular/banknote_authentication.csv 50 0.98
banknote_hidden tabular/banknote_authentication.csv 50 0.98
lenet mnist 4 0.98
mlp_mnist mnist 20 0.982
mnist_cnn mnist 14 0.990
autoencoder mnist 2 0
denoising_autoencoder mnist 2 0
cifar_cnn cifar10 12 0
resnet20 cifar10 6 0'

last() { tr '\r' '\n' <"$1" | sed -n "s/.* - $2: \([0-9.]*\).*/\1/p" | tail -n 1; }
said() { tr '\r' '\n' <"$1" | grep 'step' | tail -n 1 | sed 's/^/      /'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }
train() { # NAME DATA EPOCHS MORE...
    "$nncc" train "$root/models/$1.nn" --data "$shared/data/$2" --epochs "$3" "${@:4}"
}
judge() { # NAME DATA EPOCHS LEAST
    train "$1" "$2" "$3" >"$work/log" 2>&1 && at_least "$(last "$work/log" val_accuracy)" "$4"
    local status=$?
    cat "$work/log"
    return $status
}
# The loss of giving back the mean picture is 0.067; a third of that needs more than one picture for all.
gives_back() {
    train autoencoder mnist "$1" >"$work/log" 2>&1 && at_least 0.02 "$(last "$work/log" val_loss)"
}
denoises() {
    python_with numpy && train denoising_autoencoder mnist "$1" -o "$work/trained.onnx" >"$work/log" 2>&1 &&
        "$python" "$root/tests/train/denoise.py" "$nncc" "$work/trained.onnx" "$shared/data/mnist" "$work"
}
# The mean of three seeds against the mean of PyTorch's.
as_torch() { # NAME EPOCHS MORE...
    python_with numpy torch || return 1
    rm -f "$work/ours"
    for seed in 1 2 3; do
        train "$1" cifar10 "$2" --seed $seed "${@:3}" >"$work/log" 2>&1 || return 1
        last "$work/log" val_accuracy >>"$work/ours"
    done
    "$python" "$root/tests/train/torch_cifar.py" "$1" "$shared/data/cifar10" "$2" 1 2 3 >"$work/theirs" || return 1
    paste "$work/ours" "$work/theirs"
    awk 'FNR == NR { a += $1; next } { b += $1 } END { printf "mean %.4f, PyTorch %.4f\n", a / 3, b / 3; exit !(a / 3 >= b / 3 - 0.03) }' "$work/ours" "$work/theirs"
}

while read -r name data epochs least; do
    [ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
    case $name in
    autoencoder) check "autoencoder" gives_back "$epochs" ;;
    denoising_autoencoder) check "denoising_autoencoder" denoises "$epochs" ;;
    cifar_cnn) check "cifar_cnn" as_torch cifar_cnn "$epochs" ;;
    resnet20) check "resnet20" as_torch resnet20 "$epochs" --lr=0.01 ;; # with its 0.1 single epochs differ by several points
    *) check "$name" judge "$name" "$data" "$epochs" "$least" ;;
    esac
    said "$work/log"
    case $name in denoising_autoencoder | cifar_cnn | resnet20) sed 's/^/      /' "$work/check-log" ;; esac
done <<<"$table"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
