# emu.sh - the emulator for tests. Sourced after common.sh; `emulator` makes $emu/libcuda_emu.so if it is not there.
emu=$root/build/emu

# Modules run where they are compiled; with fmaf as an instruction they are much faster.
emu_flags="-std=c++17 -ffp-contract=off -Wno-unknown-pragmas -DNNCC_EMU -I $root/runtime/emu -fPIC"
if ${CXX:-g++} -march=native -E -x c++ /dev/null >/dev/null 2>&1; then emu_flags="$emu_flags -march=native"; fi

# Also the runtime's object, since every program wants it. Suites run side by side, and one makes them for all.
emulator() {
    mkdir -p "$emu"
    (flock 9 && up_to_date) 9>"$emu/lock"
}

up_to_date() {
    local lib=$emu/libcuda_emu.so source
    for source in "$root"/runtime/emu/* "$root"/runtime/nncc_cuda.[ch]; do
        [ "$source" -nt "$lib" ] || continue
        ${CC:-cc} -std=c11 -O2 -g -Wall -Wextra -c "$root/runtime/nncc_cuda.c" -o "$emu/nncc_cuda.o" || return 1
        ${CXX:-g++} -std=c++17 -O2 -g -Wall -Wextra -Wpedantic -Wshadow -fPIC -shared "$root"/runtime/emu/emu_*.cpp -o "$lib.new" -ldl && mv "$lib.new" "$lib"
        return
    done
}

# emu_module SOURCE.cu MODULE.so [FLAG...]: kernels for the emulator.
emu_module() {
    local source=$1 module=$2
    shift 2
    ${CXX:-g++} -O1 $emu_flags -shared "$@" -x c++ "$source" -o "$module"
}

# emu_checked SOURCE.cu MODULE.so [FLAG...]: the same, instrumented for races, bounds and counts. $checker: gcc or clang.
emu_checked() {
    local source=$1 module=$2
    shift 2
    ${checker:-${CXX:-g++}} -O1 -g -fsanitize=thread $emu_flags "$@" -x c++ -c "$source" -o "$module.o" &&
        ${CXX:-g++} -shared "$module.o" -o "$module"
}

# emulated MODULE.so COMMAND...: with it for a GPU.
emulated() {
    local module=$1
    shift
    NNCC_CUDA_DRIVER=$emu/libcuda_emu.so NNCC_CUDA_IMAGE=$module "$@"
}
