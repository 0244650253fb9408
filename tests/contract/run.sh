#!/usr/bin/env bash
# Programs of a caller around the C of networks that train, in double: 20 steps, and PyTorch's losses to 1e-9; forward and backward,
# also of outputs that are inputs or other outputs.
# usage: run.sh [NAME...]
# record_torch.py wrote torch.txt. The networks' own RUN lines check their gradients.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/contract

# generate NAME PREFIX [OPTION...]: the network's C, in $dir.
generate() {
    local name=$1 prefix=$2
    shift 2
    "$nncc" "$here/$name.nn" --train --real=f64 --prefix "$prefix" "$@" -o "$dir/$prefix.c"
}

# runs NAME PREFIX...: the program of that name around those networks.
runs() {
    local name=$1
    shift
    ${CC:-cc} -std=c11 -O1 -g -Wall -Wextra -Wpedantic -Wshadow -Werror -fsanitize=address,undefined -I "$dir" "$here/$name.c" \
        "${@/#/$dir/}" -lm -o "$dir/$name" && "$dir/$name" "$here/torch.txt"
}

trains() { generate "$1" net && runs "$1" net.c; }
gan() { generate gan_generator generator && generate gan_discriminator discriminator && runs gan generator.c discriminator.c; }
seeds() { generate seeds net "$@" && runs seeds net.c; }
ports() { generate ports net "$@" && runs ports net.c; }

tried() { # NAME COMMAND ARGUMENT...
    local name=$1
    shift
    case " ${only:-$name} " in *" $name "*) dir=$work/$name && mkdir -p "$dir" && check "$name $*" "$@" ;; esac
}

only="$*"
for name in two_losses dice vae clipping; do tried $name trains $name; done
tried gan gan
for level in -O0 -O2 --poison; do tried seeds seeds $level; tried ports ports $level; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
