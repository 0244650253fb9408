#!/usr/bin/env bash
# Generated programs, run. usage: tests/run/run.sh
# The networks of this folder and models/mnist.onnx on random inputs against nncc's arithmetic in double: at every -O, with every
# way to keep weights, for every target this machine can run, with gcc and clang, warning-free, under the sanitizers with every buffer poisoned outside its life. Then
# the header's own example, as C and as C++, and two networks in one program.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror'
clang=$(command -v clang-14 || command -v clang)
networks="$root/tests/run/*.nn $root/models/mnist.onnx"
# The vector targets that this machine can run.
targets=
for feature in sse2:sse2 fma:avx2 avx512vl:avx512; do
    grep -qw -m 1 "${feature%:*}" /proc/cpuinfo 2>/dev/null && targets="$targets ${feature#*:}"
done
export ASAN_OPTIONS=detect_stack_use_after_return=1

verified() { "$nncc" verify "$@"; }
for network in $networks; do
    name=$(basename "$network") dims=
    grep -q '\[batch' "$network" && dims='--dim batch=1..3'
    for level in 0 1 2 3; do check "$name -O$level, gcc" verified "$network" $dims -O$level --cc "gcc $warnings"; done
    [ -n "$clang" ] && check "$name, clang" verified "$network" $dims --cc "$clang $warnings"
    for weights in embed file object; do check "$name --weights=$weights" verified "$network" $dims --weights=$weights --cc "gcc $warnings"; done
    check "$name --names=plain" verified "$network" $dims --names=plain --cc "gcc $warnings"
    check "$name --real=f64" verified "$network" $dims --real=f64 --cc "gcc $warnings"
    check "$name, sanitizers" verified "$network" $dims --poison --cc 'gcc -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'
    check "$name --interpret" verified "$network" $dims --interpret
    for target in $targets; do check "$name --target=$target" verified "$network" $dims --target=$target --cc "gcc $warnings"; done
    check "$name --target=native, sanitizers" verified "$network" $dims --target=native --poison --cc 'gcc -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'
    [ -n "$clang" ] && check "$name --target=native, clang" verified "$network" $dims --target=native --cc "$clang $warnings"
    check "$name --no-templates" verified "$network" $dims --no-templates --cc "gcc $warnings"
    [ -z "$dims" ] || check "$name, one extent" verified "$network" --dim batch=2
done

check "twelve dims, sanitizers" verified "$root/tests/infer/rank.nn" --poison --cc 'gcc -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'
check "gates of McCulloch and Pitts" sh "$root/tests/run/gates.sh" "$nncc"
check "random networks, fused" sh -c "cd '$work' && python3 '$root/tests/run/random_graphs.py' '$nncc' 200"

# The complete main() in the header's comment is cut out, compiled and run; it prints the network's outputs.
example() {
    local dir=$work/example-$1
    shift
    mkdir -p "$dir" && cd "$dir" || return 1
    "$nncc" "$root/models/mnist.onnx" "$@" -o mnist.c || return 1
    awk '/#include <stdio.h>/ { on = 1 } /^ \*\// { on = 0 } on { sub(/^ \* ?/, ""); print }' mnist.h >main.c
    local more=
    [ -f mnist.S ] && more=mnist.S
    gcc -std=c11 $warnings main.c mnist.c $more -lm -o example && ./example >printed && [ "$(wc -l <printed)" = 10 ]
}
for weights in embed file object; do check "example of the header, --weights=$weights" example $weights --weights=$weights; done

cplusplus() {
    local dir=$work/cplusplus
    mkdir -p "$dir" && cd "$dir" || return 1
    "$nncc" "$root/models/mnist.onnx" -o mnist.c || return 1
    cat >main.cpp <<'CPP'
#include "mnist.h"
MNIST_ARENA(arena);
static float image[MNIST_IMAGE_LEN], probabilities[MNIST_PROBABILITIES_LEN];
int main() {
    mnist_net net = mnist_net();
    net.image = image, net.probabilities = probabilities, net.arena = arena;
    return mnist_run(&net) == MNIST_OK && probabilities[0] > 0 ? 0 : 1;
}
CPP
    gcc -std=c11 $warnings -c mnist.c && g++ $warnings -c main.cpp && g++ main.o mnist.o -lm -o program && ./program
}
check "the header in C++" cplusplus

# Whatever is missing or wrong is told by the return value.
misuse() {
    local dir=$work/misuse
    mkdir -p "$dir" && cd "$dir" || return 1
    "$nncc" "$root/tests/run/cnn.nn" --dim batch=1..3 --weights=file -o cnn.c || return 1
    cat >main.c <<'C'
#include "cnn.h"
#include <stdio.h>
CNN_ARENA(arena);
CNN_WEIGHTS(weights);
static float image[CNN_IMAGE_LEN], probabilities[CNN_PROBABILITIES_LEN], g[CNN_G_LEN];
int main(void) {
    cnn_net net = {.image = image, .probabilities = probabilities, .g = g, .batch = 2, .arena = arena, .weights = weights};
    if (cnn_open(&net) != CNN_E_WEIGHTS || cnn_run(&net) != CNN_E_WEIGHTS) return 1;
    FILE *f = fopen("cnn.weights", "rb");
    if (!f || fread(weights, 1, sizeof weights, f) != sizeof weights) return 2;
    fclose(f);
    if (cnn_open(&net) != CNN_OK || cnn_run(&net) != CNN_OK) return 3;
    weights[sizeof weights - 100] ^= 1;
    if (cnn_open(&net) != CNN_E_WEIGHTS) return 4;
    net.batch = 4;
    if (cnn_run(&net) != CNN_E_DIM) return 5;
    net.batch = 0;
    if (cnn_run(&net) != CNN_E_DIM) return 6;
    net.batch = 1, net.g = 0;
    if (cnn_run(&net) != CNN_E_NULL) return 7;
    net.g = g, net.arena = arena + 4;
    if (cnn_run(&net) != CNN_E_ALIGN) return 8;
    return 0;
}
C
    gcc -std=c11 $warnings main.c cnn.c -lm -o program && ./program
}
check "misuse is reported" misuse

two_networks() {
    local dir=$work/two
    mkdir -p "$dir" && cd "$dir" || return 1
    "$nncc" "$root/models/mnist.onnx" --prefix left -o left.c && "$nncc" "$root/models/mnist.onnx" --prefix right -o right.c || return 1
    echo '#include "left.h"
#include "right.h"
int main(void) { left_net a = {0}; right_net b = {0}; return left_run(&a) == LEFT_E_NULL && right_run(&b) == RIGHT_E_NULL ? 0 : 1; }' >main.c
    gcc -std=c11 $warnings main.c left.c right.c -lm -o program && ./program
}
check "two networks in one program" two_networks

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
