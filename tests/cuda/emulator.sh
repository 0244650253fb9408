# For tests that run generated CUDA without a GPU; sourced. Builds the emulator once, into $work, unless $EMULATOR names it.
cxx=${CXX:-c++}
if [ -z "${EMULATOR:-}" ]; then
    EMULATOR=$work/libcuda_emu.so
    $cxx -std=c++17 -O2 -fPIC -shared "$root"/runtime/emu/emu_*.cpp -o "$EMULATOR" -ldl || exit 1
fi
# … and the runtime, for programs that nncc builds.
export NNCC_CUDA_RUNTIME=$work/nncc_cuda.o
${CC:-cc} -std=c11 -O1 -I "$root/runtime" -c "$root/runtime/nncc_cuda.c" -o "$NNCC_CUDA_RUNTIME" || exit 1
# model.cu to a module of the emulator
emulated() { $cxx -std=c++17 -O1 -w -ffp-contract=off -DNNCC_EMU -I "$root/runtime/emu" -shared -fPIC -x c++ "$1" -o "$2"; }
on_emulator() { local module=$1; shift; NNCC_CUDA_DRIVER=$EMULATOR NNCC_CUDA_IMAGE=$module "$@"; }
