#!/usr/bin/env bash
# What `cmake --install` leaves: a program that a CMake project and pkg-config find, and a network compiled through each.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
fail() { echo "FAIL $*"; exit 1; }
cmake --install "$build" --prefix "$work/usr" >/dev/null || fail "install"
mkdir "$work/app"
cat >"$work/app/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES C)
find_package(nncc 0.1 REQUIRED)
nncc_add_network(digits $root/models/mnist.onnx --weights=file)
add_executable(app main.c)
target_link_libraries(app digits nncc::runtime)
END
cat >"$work/app/main.c" <<'END'
#include "digits.h"
#include <nncc_weights.h>
#include <stdio.h>
DIGITS_ARENA(arena);
int main(int argc, char **argv) {
    static float image[DIGITS_IMAGE_LEN], probabilities[DIGITS_PROBABILITIES_LEN];
    const void *weights = argc > 1 ? nncc_weights_map(argv[1], DIGITS_WEIGHTS_BYTES) : NULL;
    digits_net net = {.image = image, .probabilities = probabilities, .arena = arena, .weights = weights};
    float sum = 0;
    if (digits_open(&net) != DIGITS_OK || digits_run(&net) != DIGITS_OK) return 1;
    for (int i = 0; i < DIGITS_PROBABILITIES_LEN; i++) sum += probabilities[i];
    nncc_weights_unmap(weights, DIGITS_WEIGHTS_BYTES);
    return !(sum > 0.999f && sum < 1.001f);
}
END
cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$work/usr" >"$work/log" 2>&1 || { cat "$work/log"; fail "find_package"; }
cmake --build "$work/app/build" >"$work/log" 2>&1 || { cat "$work/log"; fail "building with nncc_add_network"; }
"$work/app/build/app" "$work/app/build/digits.weights" || fail "the program"
head -c 4000 "$work/app/build/digits.weights" >"$work/short"
"$work/app/build/app" "$work/short" && fail "a cut weights file was taken"
sed 's/\x00/\x01/1' "$work/app/build/digits.weights" >"$work/other"
"$work/app/build/app" "$work/other" && fail "a changed weights file was taken"
if command -v pkg-config >/dev/null; then
    pc=$(find "$work/usr" -name nncc.pc)
    PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --exists nncc || fail "pkg-config"
fi
echo ok
