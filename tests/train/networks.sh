#!/usr/bin/env bash
# Losses of networks of models/ against those PyTorch had, step by step, from the same parameters, batches and noise, without dropout.
# usage: networks.sh [NAME...]
# record_networks.py wrote networks.txt, which says lr and batch. In double 1e-5 relative, 100 steps, 40 of resnet20, which is chaotic; in
# single precision 1e-4 and 10 steps, without resnet20. Five have the default target's kernels; the others are plain C, which compiles in
# a third of the time (NNCC_TARGET=auto: those, too). dcgan is two networks with a loop of their own.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
recorded=$root/tests/train/networks.txt

# generate NAME PREFIX TYPE BATCH [OPTION...]: its C in $dir, without dropout, and of small pictures where it takes any.
generate() {
    sed "s/ratio = [0-9.]*/ratio = 0/; s/batch = [0-9]*/batch = $4/; s/^\(dim [hw]\) = .*/\1 = 16/" "$root/models/$1.nn" >"$dir/$1.nn"
    "$nncc" "$dir/$1.nn" --train "--target=$target" "--real=$3" --prefix "$2" "${@:5}" -o "$dir/$2.c"
}

follows() { # NAME TYPE OPTIMIZER LR BATCH TOLERANCE
    local dir=$work/$1-$2 real=float main=networks.c nets=(net) target=${NNCC_TARGET:-c} level=-O1
    [ "$2" = f64 ] && real=double
    case $1 in mlp_mnist | *_cnn | resnet20 | denoising_autoencoder) target=auto level=-O2 ;; esac
    mkdir -p "$dir" || return 1
    if [ "$1" = dcgan ]; then
        main=dcgan.c nets=(generator discriminator)
        generate dcgan_generator generator "$2" "$5" && generate dcgan_discriminator discriminator "$2" "$5" || return 1
    else
        generate "$1" net "$2" "$5" --entry=train_batch "--optimizer=$3" "--lr=$4" || return 1
    fi
    nets=("${nets[@]/#/$dir/}")
    ${CC:-cc} $(isa) -std=c11 $level -Wall -Wextra -DREAL=$real -I "$dir" -I "$root/tests/train" "$root/tests/train/$main" "${nets[@]/%/.c}" -lm \
        -o "$dir/net" && "$dir/net" "$1" "$2" "$6" "$recorded"
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
