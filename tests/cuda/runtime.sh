#!/usr/bin/env bash
# runtime.sh - nncc_cuda.c and the emulator, by a small network written by hand (runtime.c, runtime.cu). usage: bash runtime.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
here=$root/tests/cuda

build_emulator() { emulator; }
check "the emulator builds" build_emulator
program() { ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -g -fsanitize=address,undefined -I "$root/runtime" "$here/runtime.c" "$root/runtime/nncc_cuda.c" -o "$work/runtime" -ldl; }
check "the program builds without CUDA" program
program_cpp() { ${CXX:-g++} -std=c++17 -Wall -Wextra -fsyntax-only -x c++ "$root/runtime/nncc_cuda.c" -Wno-missing-field-initializers; }
check "the runtime is C++ too" program_cpp
check "kernels build" emu_module "$here/runtime.cu" "$work/toy.so"
check "kernels build, instrumented by gcc" emu_checked "$here/runtime.cu" "$work/gcc.so"
modules="toy gcc"
if command -v clang++ >/dev/null; then
    checker=clang++ check "kernels build, instrumented by clang" emu_checked "$here/runtime.cu" "$work/clang.so"
    modules="$modules clang"
fi

toy() { emulated "$work/$1.so" "$work/runtime" "$2"; }
for module in $modules; do
    for test in run device mixed two begin; do check "$test, $module" toy "$module" "$test"; done
    for order in 1 2; do NNCC_EMU_ORDER=$order check "run in order $order, $module" toy "$module" run; done
done
NO_GRAPHS=1 check "run without graphs" toy toy run
NNCC_CUDA_SYNC=1 check "run one kernel at a time" toy toy run
for test in value rotate pinned; do check "$test" toy toy $test; done
# As late as a GPU may.
for test in run device mixed half streams managed; do NNCC_EMU_LATE=1 check "$test, late" toy toy $test; done

# says TEXT COMMAND...: it fails, and its message has TEXT.
says() {
    local text=$1 message
    shift
    message=$("$@" 2>&1) && { echo "succeeded: $message"; return 1; }
    case $message in *"$text"*) ;; *) echo "$message"; return 1 ;; esac
}
check "a launch the driver refuses" says "cuLaunchKernel of scale (Mul large) in toy_wrong: CUDA_ERROR_INVALID_VALUE" toy toy wrong
check "more shared memory than there is" says "cuFuncSetAttribute of scale (Mul greedy) in toy_greedy: CUDA_ERROR_INVALID_VALUE" toy toy greedy
check "a grid of less than nothing" says "scale (Mul empty) in toy_empty: expected 1 to 2147483647 blocks along x, saw -1" toy toy empty
check "more threads than a kernel has registers for" says "cuLaunchKernel of scale (Mul many) in toy_many: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES" toy toy many
check "too many blocks along y" says "scale (Mul tall) in toy_tall: expected 1 to 65535 blocks along y, saw 70000" toy toy tall
check "too many blocks along x" says "expected 1 to 2147483647 blocks along x, saw 3000000000" toy toy wide
NNCC_EMU_DEVICES=2 check "memory of another GPU" says "x: expected memory of GPU 0, saw GPU 1's" toy toy foreign
check "a cooperative grid that does not fit" says "too few multiprocessors for the cooperative launch of scale (Mul together)" toy toy together
check "an input that is missing" says "x is NULL in toy_run" toy toy null
check "a device pointer that is not aligned" says "not a multiple of 16" toy toy misaligned
check "an upload past a block's end" says "are not in block 5" toy toy range
check "the caller's stream, its capture" says "toy_run under capture needs all data on the device" toy toy stream
check "an error comes late" says "of y in toy_short: CUDA_ERROR_LAUNCH_FAILED" toy gcc short
check "and says how to know more" says "NNCC_CUDA_SYNC=1" toy gcc short
NNCC_CUDA_SYNC=1 check "which is true" says "cuStreamSynchronize of sums (ReduceSum short) in toy_short" toy gcc short

driver() { NNCC_CUDA_DRIVER=$1 "$work/runtime" run; }
check "no driver" says "no CUDA driver was found" driver "$work/none.so"
NNCC_EMU_INIT=34 check "a stub for a driver" says "only the toolkit's stub" toy toy run
NNCC_EMU_INIT=100 check "no GPU" says "finds no GPU" toy toy run
NNCC_EMU_DEVICES=0 check "no GPU, said otherwise" says "expected a GPU below 0, saw 0" toy toy run
DEVICE=3 check "a GPU that is not there" says "expected a GPU below 1, saw 3" toy toy run
NNCC_EMU_MEMORY=10000 check "out of memory" says "bytes for toy: CUDA_ERROR_OUT_OF_MEMORY" toy toy run
check "a module that is not there" says "CUDA_ERROR_NO_BINARY_FOR_GPU" toy nothing run
check "a stale module builds" emu_module "$here/runtime.cu" "$work/stale.so" -DBUG_STALE
check "a stale module" says "of another version of toy" toy stale run
if ${CXX:-g++} $emu_flags -dM -E -x c++ /dev/null | grep -qE '__FMA__|__ARM_FEATURE_FMA'; then
    check "a module with other rounding builds" emu_module "$here/runtime.cu" "$work/contracted.so" -ffp-contract=fast -O2
    check "a module with other rounding" says "were compiled without -fmad=false" toy contracted run
fi
mkdir "$work/folder" && cp "$work/toy.so" "$work/folder"
toy_folder() { emulated "$work/folder/" "$work/runtime" run; }
check "a folder of modules" toy_folder

stub=$(ls /usr/local/cuda/lib64/stubs/libcuda.so "${CUDA_HOME:-/nowhere}"/lib64/stubs/libcuda.so 2>/dev/null | head -n 1)
[ -z "$stub" ] || check "the toolkit's stub" says "only the toolkit's stub" driver "$stub"

# ---- NVRTC and its cache: cubins that the emulator's kernels stand in for ----
export XDG_CACHE_HOME=$work/cache
compiled() { # EXPECTED-NUMBER-OF-FILES
    (cd "$root/runtime/cuda" && SOURCE=$work/jit.cu NNCC_EMU_STANDIN=$work/toy.so NNCC_CUDA_DRIVER=$emu/libcuda_emu.so "$work/runtime" run) || return 1
    [ "$(find "$work/cache" -name '*.cubin*' | wc -l)" = "$1" ] || { ls -lR "$work/cache"; return 1; }
}
# As nncc pastes it.
sed -e '/nncc_device.h/{r '"$root/runtime/cuda/nncc_device.h" -e 'd;}' "$here/runtime.cu" >"$work/jit.cu"
no_nvrtc() { SOURCE=$work/jit.cu NNCC_NVRTC=/nowhere NNCC_CUDA_DRIVER=$emu/libcuda_emu.so "$work/runtime" run; }
check "no NVRTC" says "NVRTC was not found" no_nvrtc
if cuda_toolkit; then
    check "NVRTC compiles" compiled 1
    check "its result is kept" compiled 1
    newest() { find "$work/cache" -name '*.cubin' -newer "$work/mark" | wc -l; }
    unchanged() { touch "$work/mark"; compiled 1 && [ "$(newest)" = 0 ]; }
    check "and used" unchanged
    damaged() { sleep 1; touch "$work/mark"; for f in "$work"/cache/nncc/*; do echo rubbish >"$f"; done; sleep 1; touch "$work/mark"; compiled 1 && [ "$(newest)" = 1 ]; }
    check "a damaged file is made anew" damaged
    # A byte in its middle: code that the driver would take.
    flipped() {
        local f=$(ls "$work"/cache/nncc/*) half
        half=$(($(stat -c %s "$f") / 2)); sleep 1; touch "$work/mark"
        { head -c $half "$f"; tail -c +$((half + 1)) "$f" | head -c 1 | tr '\000-\377' '\001-\377\000'; tail -c +$((half + 2)) "$f"; } >"$work/flipped" && cat "$work/flipped" >"$f"
        sleep 1; touch "$work/mark"; compiled 1 && [ "$(newest)" = 1 ]
    }
    check "a file with a byte that changed is made anew" flipped
    # The cached file of another source under this one's name: as if the key had not changed with the source.
    stale() {
        sed 's/00c0ffee00c0ffee/00000000deadbeef/' "$work/jit.cu" >"$work/old.cu"
        local f=$(ls "$work"/cache/nncc/*)
        (export XDG_CACHE_HOME=$work/cache-stale HASH=deadbeef; SOURCE=$work/old.cu NNCC_EMU_STANDIN=$work/stale.so NNCC_CUDA_DRIVER=$emu/libcuda_emu.so "$work/runtime" run) || return 1
        cp "$work"/cache-stale/nncc/*.cubin "$f" || return 1
        sleep 1; touch "$work/mark"
        compiled 1 && [ "$(newest)" = 1 ]
    }
    check "a stale file is made anew" stale
    chmod 500 "$work/cache/nncc" && rm -rf "$work/cache2"
    unwritable() { XDG_CACHE_HOME=/dev/null compiled 1; }
    check "a cache that cannot be written" unwritable
    chmod 700 "$work/cache/nncc"
    others() { mkdir -p "$work/open/nncc" && chmod 777 "$work/open/nncc" && XDG_CACHE_HOME=$work/open compiled 1 && [ -z "$(ls "$work/open/nncc")" ]; }
    check "a folder where others write is no cache" others
    many() {
        mkdir -p "$work/many/nncc" && for i in $(seq 80); do echo >"$work/many/nncc/$i.cubin"; done && touch -a -d 2001-01-01 "$work"/many/nncc/*.cubin
        XDG_CACHE_HOME=$work/many compiled 1 && [ "$(ls "$work/many/nncc" | wc -l)" = 64 ]
    }
    check "old files make room" many
    older() { NNCC_EMU_DRIVER=$1 NNCC_EMU_CAPABILITY=${2:-90} XDG_CACHE_HOME=$work/older SOURCE=$work/jit.cu NNCC_EMU_STANDIN=$work/toy.so NNCC_CUDA_DRIVER=$emu/libcuda_emu.so "$work/runtime" run; }
    check "an NVRTC that is newer than the driver" says "expected an NVRTC up to the driver's CUDA 11.8, saw" older 11080
    check "a GPU that NVRTC does not know gets PTX of an older one" older 99000 109
    # Two that are the real one, but say that they are of CUDA 13 and 12: a driver of CUDA 12 gets the second.
    two() {
        mkdir -p "$work/two" && for v in 12 13; do ${CC:-cc} -shared -fPIC -DMAJOR=$v "$here/old_nvrtc.c" -o "$work/two/libnvrtc.so.$v" -ldl || return 1; done
        (REAL_NVRTC=$NNCC_NVRTC; unset NNCC_NVRTC; export REAL_NVRTC LD_LIBRARY_PATH=$work/two; older "$1") 2>&1 | tee "$work/said"
        grep -q "NVRTC $2 compiles" "$work/said" && grep -q '^ok' "$work/said"
    }
    check "the NVRTC that suits the driver, of two" two 12080 12
    rm -rf "$work/older"
    check "and that which suits a newer one" two 13000 13
    sed 's/fmaf(/fmaff(/' "$work/jit.cu" >"$work/bad.cu"
    refused() { SOURCE=$work/bad.cu NNCC_CUDA_DRIVER=$emu/libcuda_emu.so "$work/runtime" run; }
    check "what NVRTC says" says 'identifier "fmaff" is undefined' refused
    include=$(dirname "$(dirname "$nvcc")")/include
    signatures() { ${CXX:-g++} -std=c++17 -w -fsyntax-only -I "$root/runtime" -I "$include" "$here/signatures.cpp"; }
    if [ -f "$include/cuda.h" ] && [ -f "$include/nvrtc.h" ]; then check "signatures are those of CUDA's headers" signatures; fi
    for arch in sm_80 sm_90; do check "nvcc, $arch" "$nvcc" -std=c++17 -fmad=false -cubin -arch=$arch "$work/jit.cu" -o "$work/out.cubin"; done
else
    tally 0 0 1; echo "skip  NVRTC and nvcc: neither the system nor PyPI has them"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
