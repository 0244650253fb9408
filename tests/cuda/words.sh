#!/usr/bin/env bash
# words.sh - that the words of runtime/cuda and runtime/emu mean what CUDA says. usage: bash words.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
here=$root/tests/cuda

emulator >"$work/log" 2>&1 || { cat "$work/log"; echo "0 passed, 1 failed"; exit 1; }
program() { ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -Wno-missing-field-initializers -g -I "$root/runtime" "$here/words.c" "$emu/nncc_cuda.o" -ldl -o "$work/words"; }
check "the program builds" program
words() { # MODULE
    for order in 0 1 2; do NNCC_EMU_ORDER=$order emulated "$1" "$work/words" || return 1; done
}
check "kernels build" emu_module "$here/words.cu" "$work/words.so"
check "their meaning" words "$work/words.so"
check "kernels build, instrumented" emu_checked "$here/words.cu" "$work/checked.so"
check "no false alarms" words "$work/checked.so"
if command -v clang++ >/dev/null; then
    checker=clang++ check "kernels build, instrumented by clang" emu_checked "$here/words.cu" "$work/clang.so"
    check "no false alarms, clang" words "$work/clang.so"
fi

# Other processors switch fibers by ucontext.
other_emulator() { mkdir -p "$work/other" && ${CXX:-g++} -std=c++17 -O1 -DNNCC_EMU_UCONTEXT -fPIC -shared "$root"/runtime/emu/emu_*.cpp -o "$work/other/libcuda_emu.so" -ldl; }
check "the emulator builds with ucontext" other_emulator
with_ucontext() { emu=$work/other words "$work/words.so"; }
check "their meaning, with ucontext" with_ucontext

if cuda_toolkit; then
    for arch in sm_80 sm_90; do check "nvcc, $arch" "$nvcc" -std=c++17 -fmad=false -cubin -arch=$arch -I "$root/runtime/cuda" "$here/words.cu" -o "$work/words.cubin"; done
    sed -e '/nncc_device.h/{r '"$root/runtime/cuda/nncc_device.h" -e 'd;}' "$here/words.cu" >"$work/jit.cu"
    on_gpu() { XDG_CACHE_HOME=$work/cache SOURCE=$work/jit.cu "$work/words"; }
    if nvidia-smi -L >/dev/null 2>&1; then check "their meaning on a GPU" on_gpu; else tally 0 0 1; echo "skip  their meaning on a GPU: there is none"; fi
else
    tally 0 0 1; echo "skip  nvcc: neither the system nor PyPI has it"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
