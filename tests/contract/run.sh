#!/usr/bin/env bash
# Programs around the C of networks with losses of their own, in double: 20 steps, and PyTorch's losses to 1e-9.
# usage: run.sh [NAME...]
# record_torch.py wrote torch.txt. The networks' own RUN lines check their gradients.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/contract

trains() { # NAME
    local dir=$work/$1
    mkdir -p "$dir" && "$nncc" "$here/$1.nn" --train --real=f64 --prefix net -o "$dir/net.c" &&
        ${CC:-cc} -std=c11 -O1 -g -Wall -Wextra -Wpedantic -Wshadow -Werror -fsanitize=address,undefined -I "$dir" "$here/$1.c" "$dir/net.c" \
            -lm -o "$dir/net" && "$dir/net" "$here/torch.txt"
}

for name in two_losses dice vae clipping; do
    case " ${*:-$name} " in *" $name "*) check "$name" trains "$name" ;; esac
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
