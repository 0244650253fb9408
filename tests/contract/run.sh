#!/usr/bin/env bash
# Programs of a caller around the C of networks that train, in double: 20 steps, and PyTorch's losses to 1e-9; forward and backward,
# also of outputs that are inputs or other outputs. And of networks that carry a state: 20 calls are PyTorch's 20 steps; and
# with outputs whose sizes the data tells, and data that is refused; and of those that draw random numbers.
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
    ${CC:-cc} $(isa) -std=c11 -O1 -g -Wall -Wextra -Wpedantic -Wshadow -Werror -fsanitize=address,undefined -pthread -I "$dir" "$here/$name.c" \
        "${@/#/$dir/}" -lm -o "$dir/$name" && "$dir/$name" "$here/torch.txt"
}

trains() { generate "$1" net && runs "$1" net.c; }
# carries [OPTION...]: the programs around networks with state, and the first once more under the sanitizer of threads.
carries() {
    local prefix name
    while read -r prefix name; do
        "$nncc" "$here/$name.nn" --real=f64 --prefix "$prefix" "$@" -o "$dir/$prefix.c" || return 1
    done <<<$'net lstm\nall lstm_unrolled\nnoise noise'
    runs lstm net.c all.c noise.c || return 1
    ${CC:-cc} $(isa) -std=c11 -O1 -g -fsanitize=thread -I "$dir" "$here/lstm.c" "$dir"/{net,all,noise}.c -lm -o "$dir/threads" &&
        "$dir/threads" "$here/torch.txt" || return 1
    "$nncc" "$here/noise.nn" --real=f64 --prefix net "$@" -o "$dir/net.c" && runs noise net.c
}
# draws [OPTION...]: how random numbers are distributed; and CUDA draws the bits that C does.
draws() { "$nncc" "$here/draws.nn" --real=f64 --prefix net "$@" -o "$dir/net.c" && runs draws net.c; }
same_bits() {
    local target name outputs=()
    head -c 131072 /dev/zero | tr '\0' '\077' >"$dir/p.bin" && head -c 128 "$dir/p.bin" >"$dir/w.bin" || return 1
    for target in c cuda; do
        outputs=()
        for name in u v n b m s; do outputs+=(--output "$name=$dir/$name-$target.npy"); done
        "$nncc" run "$here/draws.nn" --input "p=$dir/p.bin" --input "odds=$dir/w.bin" "${outputs[@]}" --target=$target || return 1
    done
    for name in u v n b m s; do cmp "$dir/$name-c.npy" "$dir/$name-cuda.npy" || return 1; done
}
sized() { "$nncc" "$here/extents.nn" --real=f64 --prefix net "$@" -o "$dir/net.c" && runs extents net.c; }
refused() { "$nncc" "$here/refused.nn" --real=f64 --bound k=5 --prefix net "$@" -o "$dir/net.c" && runs refused net.c; }
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
for options in -O0 -O2 --target=avx2; do tried lstm carries $options; tried draws draws $options; tried extents sized $options; done
for level in -O0 -O2 --poison; do tried seeds seeds $level; tried ports ports $level; tried refused refused $level; done
if command -v "${CXX:-g++}" >/dev/null; then tried draws same_bits; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
