#!/usr/bin/env bash
# By hand: milliseconds of a training step of one process and of several that MPI starts, by the fastest of five runs. Strong: a batch of
# 128 is divided among them; weak: each has a batch of 128. usage: processes.sh [PROCESSES...] (default: 1 2)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1
counts=${*:-1 2}

cat >examples.py <<'END'
import random, struct, sys, zipfile
random.seed(1)
name, shape, n = sys.argv[1], tuple(map(int, sys.argv[2].split(","))), 2560
def npy(dtype, shape, raw):
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + raw
count = n
for d in shape: count *= d
with zipfile.ZipFile(name + ".npz", "w") as z:
    z.writestr("x.npy", npy("|u1", (n,) + shape, random.randbytes(count)))
    z.writestr("y.npy", npy("|u1", (n,), bytes(random.randrange(10) for _ in range(n))))
END

measure() { # NETWORK SHAPE
    python3 examples.py "$1" "$2"
    local n batch
    for batch in 128 $(for n in $counts; do echo $((128 / n)); done); do
        [ -d "$1-$batch" ] || "$nncc" train "$root/models/$1.nn" --dim "batch=1..$batch" --data "$1.npz" --epochs 1 --distributed=mpi --keep "$work/$1-$batch" >log 2>&1 || { cat log; return 1; }
    done
    for n in $counts; do
        printf '%s, %d processes: strong %s ms, weak %s ms, %s floats to sum\n' "$1" "$n" "$(fastest "$1-$((128 / n))" "$n" "$1" 20)" \
            "$(fastest "$1-128" "$n" "$1" $((20 / n)))" "$(sed -n 's/^#define MODEL_GRADS_BYTES *\([0-9]*\).*/\1/p' "$1-128/model.h" | awk '{ print $1 / 4 }')"
    done
}
# nanoseconds PROGRAM PROCESSES DATA EPOCHS: of a whole run
nanoseconds() {
    local before
    before=$(date +%s%N)
    (cd "$1" && mpirun -np "$2" --allow-run-as-root --oversubscribe ./program "$work/$3.npz" "$4" 1 '' 0 held_out=-1) >/dev/null 2>&1 || return 1
    echo $(($(date +%s%N) - before))
}
# fastest PROGRAM PROCESSES DATA STEPS: milliseconds of a step; what begins and ends a run is the same for one epoch and for more
fastest() {
    local i short long
    for i in 1 2 3 4 5; do
        short=$(nanoseconds "$1" "$2" "$3" 1) long=$(nanoseconds "$1" "$2" "$3" 5) && echo "$short $long"
    done | awk -v steps="$4" 'NR == 1 || $1 < s { s = $1 } NR == 1 || $2 < l { l = $2 } END { printf "%.2f", (l - s) / 1e6 / 4 / steps }'
}
measure mlp_mnist 1,28,28
measure lenet 1,28,28
measure cifar_conv3 3,32,32
