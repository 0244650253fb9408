#!/usr/bin/env bash
# How much memory traffic kernels cause: sectors of 32 bytes that the requests of warps touch, over the fewest that hold the same bytes.
# Counted by the emulator. usage: tests/cuda/traffic.sh [MODEL...]; without arguments networks of the project, which must stay below 1.5.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
emulator || exit 1
export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o NNCC_EMU_COUNT=$work/counts
limit=1.5
if [ $# = 0 ]; then set -- "$root"/models/{mlp_mnist,lenet,cifar_cnn,autoencoder}.nn "$root/models/mnist.onnx" "$root/tests/cuda/wide.nn"; else limit=inf; fi

# The network's quotient, its kernel with the most sectors too many, and that one's.
report() {
    awk -v limit="$limit" -v name="$1" '$3 ~ /^global/ { all += $6; least += $7; a[$1] += $6; b[$1] += $7 }
        END {
            for (k in a) if (a[k] - b[k] >= most) { most = a[k] - b[k]; worst = k }
            printf "%-28s %.2f of %d sectors; %s: %.2f of %d\n", name, all / least, least, worst, a[worst] / b[worst], b[worst]
            exit !(least && all / least < limit)
        }' "$work/counts"
}
for model; do
    name=$(basename "$model"); name=${name%.*}
    dims=(); if grep -q '\[batch' "$model"; then dims=(--dim batch=4); fi
    rm -f "$work/counts"
    if ! "$nncc" verify "$model" ${dims[@]+"${dims[@]}"} --target=cuda --poison >"$work/log" 2>&1; then
        failed=$((failed + 1)); echo "FAIL  $name: $(tail -n 1 "$work/log")"
    elif report "$name"; then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "FAIL  $name: not below $limit"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
