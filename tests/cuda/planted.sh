#!/usr/bin/env bash
# planted.sh - bugs of kinds that GPUs hide, each found by the emulator; without them the same kernels pass. usage: bash planted.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
here=$root/tests/cuda

emulator >"$work/log" 2>&1 || { cat "$work/log"; echo "0 passed, 1 failed"; exit 1; }
program() { ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -Wno-missing-field-initializers -g -I "$root/runtime" "$here/planted.c" "$emu/nncc_cuda.o" "$@" -ldl; }
check "the program builds" program -o "$work/planted"
check "and with AddressSanitizer" program -fsanitize=address -o "$work/planted_asan"

checkers=gcc
command -v clang++ >/dev/null && checkers="gcc clang"
compiler() { case $1 in gcc) echo "${CXX:-g++}" ;; clang) echo clang++ ;; esac; }
# build KIND MODULE [FLAG...]
build() {
    local kind=$1 module=$2
    shift 2
    case $kind in
    plain) emu_module "$here/planted.cu" "$module" -g "$@" ;;
    asan) emu_module "$here/planted.cu" "$module" -g -fsanitize=address "$@" ;;
    *) checker=$(compiler "$kind") emu_checked "$here/planted.cu" "$module" "$@" ;;
    esac
}
run() { # KIND MODULE [COUNT]
    local program=$work/planted
    [ "$1" != asan ] || program=${program}_asan
    ASAN_OPTIONS=detect_leaks=0 NNCC_CUDA_SYNC=1 emulated "$2" "$program" ${3:+"$3"}
}

for kind in plain asan $checkers; do
    check "builds: $kind" build $kind "$work/$kind.so"
    for order in 0 1 2; do NNCC_EMU_ORDER=$order check "right kernels pass: $kind, order $order" run $kind "$work/$kind.so"; done
done

# found BUG KIND TEXT [COUNT]: the kernels with this bug fail, saying so.
found() {
    local message
    build "$2" "$work/bug.so" "-D$1" || return 1
    message=$(run "$2" "$work/bug.so" "${4:-}" 2>&1) && { echo "not found: $message"; return 1; }
    # shellcheck disable=SC2254 # a pattern
    case $message in *$3*) ;; *) echo "$message"; return 1 ;; esac
}
check "no __syncthreads: result" found BUG_SYNC plain 'reversed?'
check "no wait for cp.async" found BUG_WAIT plain 'copied?0? is -nan, not'
check "cp.async still on its way" found BUG_IN_FLIGHT plain 'leaves the kernel while its cp.async'
check "cp.async, misaligned" found BUG_ALIGN plain 'is not aligned'
check "four floats, misaligned" found BUG_ALIGN4 plain 'not a multiple of it'
check "divergent __syncthreads" found BUG_DIVERGENT plain 'divergent __syncthreads'
check "threads that wait for ever" found BUG_DEADLOCK plain 'deadlock'
check "past the end of shared memory" found BUG_SHARED_END plain 'past the end of its shared memory'
check "an address outside of device memory" found BUG_WILD plain 'outside device memory at *planted.cu'
check "a grid too small" found NONE plain 'is -nan, not' 128
check "a tensor's end: AddressSanitizer" found BUG_OFF_BY_ONE asan 'use-after-poison'
check "no guard: AddressSanitizer" found BUG_GUARD asan 'use-after-poison'
for kind in $checkers; do
    check "no __syncthreads: $kind" found BUG_SYNC $kind 'race: block * shared memory at *planted.cu:'
    check "no wait for cp.async: $kind" found BUG_WAIT $kind 'copied?0? is -nan, not'
    check "+= across blocks: $kind" found BUG_ADD $kind 'race: block * global memory at *planted.cu:*unordered with the write of block'
    check "a tensor's end: $kind" found BUG_OFF_BY_ONE $kind 'reads 4 bytes at *planted.cu:*outside the tensors of this kernel'
    for order in 0 1 2; do NNCC_EMU_ORDER=$order check "a weight updated early: $kind, order $order" found BUG_EARLY $kind 'global memory at *planted.cu:*unordered with the * of block'; done
    check "a weight updated early by its last reader: $kind" found BUG_EARLY_LAST $kind 'block 3 thread 7 writes global memory at *unordered with the read of block'
    check "no guard on a load: $kind" found BUG_GUARD $kind 'bounds: block 3 thread 8 reads'
    check "no guard on a store: $kind" found BUG_STORE_GUARD $kind 'bounds: block 3 thread * writes'
    check "a grid too large, unguarded: $kind" found BUG_STORE_GUARD $kind 'outside the tensors of this kernel' 256
    check "a write to an input: $kind" found BUG_READ_ONLY $kind 'in a tensor that this kernel only reads'
    check "a read past shared memory: $kind" found BUG_SHARED_READ $kind "outside the block's shared memory"
done
# Why the checks are there: nothing shows in these results.
invisible() { build plain "$work/bug.so" "-D$1" && run plain "$work/bug.so"; }
for bug in BUG_ADD BUG_SHARED_READ BUG_EARLY; do check "results hide $bug" invisible $bug; done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
