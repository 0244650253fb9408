#!/usr/bin/env bash
# How other projects use nncc: each folder beside this is one. Installed, in its build tree, as part of the project, for a
# microcontroller, and by pkg-config. usage: tests/package/run.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
model=$root/models/mnist.onnx
cd "$work" || exit 1

# configure NAME FOLDER OPTION...; make NAME
configure() { cmake -S "$root/tests/package/$2" -B "$1" -DMODEL="$model" -DTRAINED="$root/models/banknote.nn" -DCMAKE_BUILD_TYPE=Debug "${@:3}"; }
make() { cmake --build "$1" -j "$jobs" && [ -x "$1/app" ]; }

install_it() { cmake --install "$build" --prefix "$work/before" && mv before usr; } # what is installed may be moved
check "install" install_it
check "the licence is installed" sh -c 'find usr -name LICENSE | grep -q nncc'
check "nncc runs where it was moved" usr/bin/nncc --version

check "find_package: installed" configure installed find -DCMAKE_PREFIX_PATH="$work/usr"
check "builds: weights as a file and linked in, cuda, training, a dash in the name" make installed
weights=$(cat installed/weights-path 2>/dev/null)
check "runs" installed/app "$weights"
check "nothing is built twice" sh -c "cmake --build installed | grep -v Built | grep -q . && exit 1 || exit 0"
head -c 4000 "$weights" >short
check "a cut weights file is not taken" sh -c "! installed/app short"
sed 's/\x00/\x01/1' "$weights" >other
check "a changed weights file is not taken" sh -c "! installed/app other"

check "find_package: the build tree" configure tree find -Dnncc_DIR="$build"
check "builds" make tree
check "runs" tree/app tree/digits.weights

pc_works() {
    export PKG_CONFIG_PATH
    PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name nncc.pc)")
    "$(pkg-config --variable=nncc nncc)" "$model" --prefix digits --weights=file -o digits.c &&
        ${CC:-cc} "$root/tests/package/main.c" digits.c -I. $(pkg-config --cflags --libs nncc) -o by_pc && ./by_pc digits.weights
}
if command -v pkg-config >/dev/null; then check "pkg-config, moved" pc_works
else echo "skip  pkg-config is not installed"
fi

launcher=$(command -v ccache)
check "FetchContent" configure fetch fetch -DNNCC="$root" ${launcher:+-DCMAKE_C_COMPILER_LAUNCHER="$launcher"}
check "builds nncc and the network" make fetch
check "runs" fetch/app fetch/digits.weights

if command -v arm-none-eabi-gcc >/dev/null && [ -n "$(arm-none-eabi-gcc -print-file-name=nosys.specs | grep /)" ]; then
    check "find_package: a Cortex-M4" configure arm arm -DCMAKE_TOOLCHAIN_FILE="$root/tests/package/arm/toolchain.cmake" -Dnncc_DIR="$build"
    check "builds firmware" make arm
    check "which is for ARM" sh -c 'arm-none-eabi-objdump -f arm/app | grep -q "file format elf32-littlearm"'
else
    echo "skip  a microcontroller: gcc-arm-none-eabi and libnewlib-arm-none-eabi are not installed"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
