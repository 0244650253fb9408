#!/usr/bin/env bash
# Mistakes planted in generated kernels: the emulator's checks find each, and nothing where none is. usage: teeth.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
emulator || exit 1
export NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_RUNTIME=$emu/nncc_cuda.o

"$nncc" verify "$root/tests/cuda/wide.nn" --target=cuda --poison --keep "$work/wide" >"$work/log" 2>&1 || { cat "$work/log"; echo "0 passed, 1 failed"; exit 1; }

# run EXPRESSION TEXT: the kernels changed by sed; what the program says has TEXT in it.
run() {
    sed -E "$1" "$work/wide/model.cu" >"$work/wide/bad.cu"
    if [ -n "$1" ] && cmp -s "$work/wide/model.cu" "$work/wide/bad.cu"; then echo "nothing was changed"; return 1; fi
    emu_checked "$work/wide/bad.cu" "$work/wide/bad.so" -w || return 1
    (cd "$work/wide" && NNCC_CUDA_IMAGE=./bad.so ./program) >"$work/said" 2>&1
    local status=$?
    if [ -z "$2" ]; then return $status; fi
    [ $status != 0 ] && grep -q -- "$2" "$work/said" || { cat "$work/said"; return 1; }
}
check "nothing planted, nothing found" run '' ''
check "a barrier of a tree removed" run '/^NNCC_DEVICE float group_sum_f32/,/^}/{/for \(unsigned half/,/^    }/s/__syncthreads\(\);/;/}' 'race'
check "a barrier after a tree removed" run '/^NNCC_DEVICE float group_sum_f32/,/^}/{/v = cell\[0\]/,/^}/s/__syncthreads\(\);/;/}' 'race'
check "a barrier of the grid removed" run '/unsigned \*barrier/,/^}/s/nncc_grid_sync\(barrier\);/;/' 'race'
check "a tail that is not guarded" run 's/if \(thread < 40\)/if (thread < 41)/' 'outside'
check "columns beyond the last that store" run 's/ \? \(int\)threadIdx.x \/ 8 : 1 << 30;/ ? (int)threadIdx.x \/ 8 : (int)threadIdx.x \/ 8;/' 'race'
check "a part of a sum that does not wait for the others" run 's/if \(!nncc_last_part\(.*\)\) return;/if (part != 0) return;/' 'race'
check "launches that are one, and conflict" run 's/^(        [a-z]+_[0-9]+_part\()p1, /\1p0, /' 'race\|bounds'
check "a product that does not wait" run 's/NNCC_CP_WAIT\(STAGES - 2\);/;/' 'race'
check "a product's barrier removed" run '/NNCC_CP_WAIT\(STAGES - 2\);/,/}/s/__syncthreads\(\);/;/' 'race'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
