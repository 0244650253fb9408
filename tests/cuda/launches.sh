#!/usr/bin/env bash
# How many launches functions of networks are on a GPU: no more than the table says; and that grids and offsets of huge operands fit.
# usage: tests/cuda/launches.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"

# launches FUNCTION: of all its parts together, in $work/net.c.
launches() { sed -n -E "s/^static const nncc_cuda_entry E_[a-z_]*_[0-9]+ = \{\"net_$1\", ([0-9]+),.*/\1/p" "$work/net.c" | awk '{ n += $1 } END { print n + 0 }'; }

# at_most LIMIT FUNCTION MODEL OPTION...
at_most() {
    local limit=$1 function=$2 model=$3 n
    shift 3
    "$nncc" "$root/models/$model.nn" --target=cuda --prefix net -o "$work/net.cu" "$@" || return 1
    n=$(launches "$function")
    echo "$model $function: $n launches, at most $limit"
    [ "$n" -gt 0 ] && [ "$n" -le "$limit" ]
}
while read -r limit function model options; do
    check "$model $function: at most $limit launches" at_most "$limit" "$function" "$model" $options
done <<'END'
31 train_batch mlp_mnist --train --dim batch=128
26 train_batch mnist_cnn --train --dim batch=64
260 train_batch resnet20 --train --dim batch=128
2 apply mlp_mnist --train --dim batch=128
3 apply resnet20 --train --dim batch=128
3 run mlp_mnist --dim batch=1
7 run lenet --dim batch=1
7 run cifar_cnn --dim batch=1
5 run lstm --dim batch=1
27 run resnet18
34 run transformer_encoder
END

# More tiles of columns than a grid has room for along y.
tall() {
    echo 'network @tall(%x: f32[16, 64], %w: f32[64, 5000000]) { %y = MatMul(%x, %w) return %y }' >"$work/tall.nn"
    "$nncc" "$work/tall.nn" --target=cuda --prefix net -o "$work/net.cu" && grep 'K_matmul' "$work/net.c" || return 1
    grep 'K_matmul.*GRID' "$work/net.c" | grep -oE 'GRID\([0-9]+, [0-9]+\)' |
        awk -F'[(,) ]+' '{ n = int(($2 + $3 - 1) / $3); if (NR == 1 ? n <= 65535 : n > 65535) bad = 1 } END { exit bad || NR != 3 }'
}
check "the longer side lies along x" tall
# Elements beyond 2^31 have offsets of 64 bits, in loads and stores.
wide() {
    echo 'network @wide(%x: f32[50000, 60000], %w: f32[60000, 32]) { %y = MatMul(%x, %w) return %y }' >"$work/wide.nn"
    "$nncc" "$work/wide.nn" --target=cuda --prefix net -o "$work/net.cu" || return 1
    sed -n '/__launch_bounds__.* matmul/,/^}/p' "$work/net.cu" >"$work/kernel"
    grep -q 'int64_t m = m0 + r, k = next' "$work/kernel" && grep -q 'int64_t n = n0' "$work/kernel" && ! grep -qE 'const int (m|n|k) = ' "$work/kernel"
}
check "offsets of huge operands are 64 bits wide" wide
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
