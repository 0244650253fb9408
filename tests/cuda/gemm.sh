#!/usr/bin/env bash
# gemm.sh - the matrix product of templates/cuda in the emulator: results, races, bounds, traffic; and spills. usage: bash gemm.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
export TEMPLATES=$root/templates/cuda

emulator >"$work/log" 2>&1 || { cat "$work/log"; echo "0 passed, 1 failed"; exit 1; }
program() { compile_test -O2 -ffp-contract=off -Wno-missing-field-initializers "$root/tests/cuda/gemm.c" "$emu/nncc_cuda.o" -ldl -o "$work/gemm"; }
check "the program builds" program
"$work/gemm" print >"$work/gemm.cu" || { echo "0 passed, 1 failed"; exit 1; }

check "kernels build" emu_module "$work/gemm.cu" "$work/gemm.so" -O2
check "kernels build, instrumented" emu_checked "$work/gemm.cu" "$work/checked.so"
for order in 0 1 2; do NNCC_EMU_ORDER=$order check "results, order $order" emulated "$work/gemm.so" "$work/gemm" run; done
export NNCC_EMU_COUNT=$work/counts
check "no races, all in bounds" emulated "$work/checked.so" "$work/gemm" run
unset NNCC_EMU_COUNT
[ -z "${KEEP:-}" ] || cp "$work"/gemm.cu "$work"/counts "$KEEP"

# Whole tiles: every request of a warp takes as few sectors or turns of banks as its bytes can.
ideal() {
    awk -v kernel="$1" '$1 == kernel { rows++; kinds[$3] = 1; if ($6 != $7) { print; bad = 1 } }
        END { if (!rows || !("global-async" in kinds) || !("shared-read" in kinds) || !("global-write" in kinds)) { print "counts are missing"; bad = 1 }; exit bad }' "$work/counts"
}
for kernel in $(awk '$1 ~ /^full_/ { print $1 }' "$work/counts" | sort -u); do check "coalesced, no bank conflicts: $kernel" ideal "$kernel"; done
# The counters can tell: without the shuffled quads, or with rows of shared memory that lie badly, there are conflicts.
mutated() { # SED-EXPRESSION KERNEL: the counters are not ideal any more, and the results are still right
    sed "$1" "$work/gemm.cu" >"$work/mutated.cu"
    ! cmp -s "$work/gemm.cu" "$work/mutated.cu" && emu_checked "$work/mutated.cu" "$work/mutated.so" || return 1
    NNCC_EMU_COUNT=$work/counts emulated "$work/mutated.so" "$work/gemm" run "$2" || return 1
    ! ideal "$2"
}
check "counters see conflicts of banks" mutated 's/(c \/ 4 ^ (r \* BK \/ 32 & (BK \/ 4 - 1)))/(c \/ 4)/; s/(q ^ (r \* BK \/ 32 & (BK \/ 4 - 1)))/q/' full_kk
check "counters see strided stores" mutated 's/n0 + tx + j \* TX/n0 + tx * TN + j/; s/bs\[(q \* 4 + k) \* BN + tx + j \* TX\]/bs[(q * 4 + k) * BN + tx * TN + j]/' full_mn

# What the emulator is for: each of these makes it complain.
planted() { # NAME SED-EXPRESSION MODULE-KIND
    sed "$2" "$work/gemm.cu" >"$work/planted.cu"
    ! cmp -s "$work/gemm.cu" "$work/planted.cu" && "$1" "$work/planted.cu" "$work/planted.so" || return 1
    ! emulated "$work/planted.so" "$work/gemm" run "$3"
}
check "planted: no barrier, seen in results" planted emu_module '/__syncthreads/d' large_kn
check "planted: no barrier, seen as a race" planted emu_checked '/__syncthreads/d' large_kn
check "planted: no wait" planted emu_module 's/NNCC_CP_WAIT(STAGES - 2);//' large_kn
check "planted: a wait too few" planted emu_module 's/NNCC_CP_WAIT(STAGES - 2);/NNCC_CP_WAIT(STAGES - 1);/' large_kn
check "planted: no bound of m" planted emu_checked 's/if (m < M \&\& n < N)/if (n < N)/' large_kn
check "planted: no bound of k" planted emu_module 's/ \&\& k < K / /' kn1

if cuda_toolkit; then
    ptxas() {
        "$nvcc" -std=c++17 -fmad=false -cubin -arch="$1" -Xptxas -v -I "$root/runtime/cuda" "$work/gemm.cu" -o "$work/gemm.cubin" >"$work/ptxas" 2>&1 || { cat "$work/ptxas"; return 1; }
        [ "$(grep -c 'spill' "$work/ptxas")" -gt 20 ] && ! grep spill "$work/ptxas" | grep -v ' 0 bytes spill stores, 0 bytes spill loads'
    }
    for arch in sm_80 sm_90; do check "nvcc, no spills: $arch" ptxas $arch; done
else
    tally 0 0 1; echo "skip  nvcc: neither the system nor PyPI has it"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
