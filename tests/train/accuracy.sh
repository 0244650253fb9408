#!/usr/bin/env bash
# Networks of models/ trained on real data, by the commands of models/COURSE.md, to the figures that it promises. usage: accuracy.sh [NAME...]
# 40 minutes on one core, hence not part of run.sh by itself (NNCC_TRAINING=yes makes it so). Needs ../shared and Python with numpy; torch for
# `cifar_seeds`, ten runs of cifar_cnn beside PyTorch's from the same initial weights, and `unet_seeds`, three of U-Net. torch_course.py has the
# other figures of PyTorch.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
if [ ! -d "$shared/data" ] || ! python_with numpy; then echo "0 passed, 0 failed (no $shared/data, or no numpy)"; exit 0; fi

# name, and for each figure: what is printed in front of it, an extended regular expression, of which the last one counts; le or ge; the limit.
# In the order of the course: what is trained in a row goes into the next ones. Without a figure the command's status judges.
table='data
banknote;val_accuracy: ;ge;0.98
banknote_hidden;val_accuracy: ;ge;0.98
mlp_mnist;val_accuracy: ;ge;0.984
lenet;val_accuracy: ;ge;0.98
mnist_cnn;val_accuracy: ;ge;0.992
conv1d;val_loss: ;le;0.37
resnet20;val_accuracy: ;ge;0.35
cifar_seeds
simple_rnn;val_accuracy: ;ge;0.9
gru;val_accuracy: ;ge;0.95
lstm;val_accuracy: ;ge;0.95
lstm_deep;val_accuracy: ;ge;0.95
char_rnn;val_loss: ;le;2.1
char_lstm;val_loss: ;le;1.75
text
text_classifier;val_accuracy: ;ge;0.3
autoencoder;val_loss: ;le;0.02
denoising_autoencoder;left [0-9.]*: ;le;0.5
denoising_upsampled;val_loss: ;le;0.1
unet;of cells ;ge;0.93;of membranes ;ge;0.74
unet_seeds
vae;val_loss: ;le;110
vae_conv
cvae
dcgan
realnvp;val_loss: ;le;1
transformer_encoder;val_accuracy: ;ge;0.9
transformer_decoder;val_loss: ;le;2.4
wavenet;val_loss: ;le;3.4
regression_gaussian;val_loss: ;le;0
regression_poisson;val_loss: ;le;-130
regression_mixture;val_loss: ;le;-0.5
mc_dropout;val_loss: ;le;0.02
scratch;val_accuracy: ;le;0.955
transfer;val_accuracy: ;ge;0.955
attack;after the attack ;le;20
look;most salient: ;le;50'

mkdir -p "$work/course/bin" "$work/init" && cd "$work/course" && ln -s "$root/models" "$root/tests" . || exit 1
printf '#!/bin/sh\nexec %s "$@"\n' "$python" >bin/python3 && chmod +x bin/python3
export PATH=$PWD/bin:$(dirname "$nncc"):$PATH HOME=$shared

# The block of the course that begins with `# NAME`.
block() { awk -v name="# $1" '/^```$/ { if (found) exit; inside = 0 } inside && $0 == name { found = 1 } found; /^```sh$/ { inside = 1 }' "$root/models/COURSE.md"; }
eval "$(block data | sed -n '/^export/p')"
last() { tr '\r' '\n' <"$1" | sed -nE "s/.*$2(-?[0-9][0-9.e+-]*).*/\1/p" | tail -n 1; }
reached() { # NAME [FIGURE le|ge LIMIT]...
    local commands wrong=0
    commands=$(block "$1")
    shift
    [ -n "$commands" ] || { echo "models/COURSE.md has no such block"; return 1; }
    bash -ec "$commands" >log 2>&1 || { tr '\r' '\n' <log | tail; return 1; }
    while [ $# != 0 ]; do
        awk -v a="$(last log "$1")" -v b="$3" -v how="$2" 'BEGIN { exit !(a != "" && (how == "ge" ? a >= b : a <= b)) }' || wrong=1
        shift 3
    done
    tr '\r' '\n' <log | tail -n 1
    return $wrong
}
# Of several seeds, ours and theirs: the means, the first at least PyTorch's, and with `within` not more, by two standard errors of their difference.
means() { # ge|within
    paste ours theirs | awk -v how="$1" 'NF != 2 { exit bad = 1 } { a += $1; b += $2; aa += $1 * $1; bb += $2 * $2 } END {
        if (bad || NR < 2) exit 1
        va = (aa - a * a / NR) / (NR - 1); vb = (bb - b * b / NR) / (NR - 1); e = sqrt((va + vb) / NR)
        printf "mean %.4f, PyTorch %.4f, standard error of the difference %.4f\n", a / NR, b / NR, e
        exit !((b - a) / NR <= 2 * e && (how == "ge" || (a - b) / NR <= 2 * e)) }'
}
# NAME SEED [OPTION...]: a block's training with another seed.
with_seed() { bash -ec "$(block "$1" | sed "s|^nncc train .*|& --seed $2 ${*:3}|")" >log 2>&1 || { tail log; return 1; }; }
cifar_as_torch() {
    local seed
    rm -f ours theirs
    python_with numpy torch || return 1
    for seed in 1 2 3 4 5 6 7 8 9 10; do
        "$python" "$root/tests/train/torch_cifar.py" "$DATA/cifar10" 3 "$work/init" $seed >>theirs || return 1
        with_seed cifar_cnn $seed --start-from "$work/init/$seed.safetensors" || return 1
        last log 'val_accuracy: ' >>ours
    done
    means within
}
unet_as_torch() {
    local seed
    rm -f ours
    python_with numpy torch || return 1
    "$python" "$root/tests/train/torch_course.py" "$DATA" build/course unet:{1..3} | sed -n 's/.*dice of membranes //p' >theirs || return 1
    for seed in 1 2 3; do
        with_seed unet $seed || return 1
        last log 'of membranes ' >>ours
    done
    means ge
}

while IFS=';' read -r name figures; do
    [ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
    case $name in
    cifar_seeds) check "cifar_cnn: as PyTorch" cifar_as_torch ;;
    unet_seeds) check "unet: membranes at least as PyTorch" unet_as_torch ;;
    *)
        IFS=';' read -ra figures <<<"$figures"
        check "$name" reached "$name" "${figures[@]}" ;;
    esac
    tail -n 1 "$work/check-log" | sed 's/^/      /'
done <<<"$table"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
