#!/usr/bin/env bash
# C of --target=auto, once for each instruction set of this machine, of 64-bit ARM under qemu and of WebAssembly in node: results within 1e-6
# of the largest of a program in double; dispatched, they are to the bit those of the best set alone. gcc and clang, warnings, sanitizers,
# ways to build and link; what the object asks of a linker; weights files. usage: isas.sh [--all] [NAME...]
# NAME: of the networks below. --all: also the larger ones, and clang for every set.
# Needs gcc; takes clang 14, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user, wasi-libc, libclang-rt-14-dev-wasm32, lld-14 and node,
# gcc-arm-none-eabi and libnewlib-arm-none-eabi if they are there.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
all=
[ "${1:-}" != --all ] || { all=yes; shift; }
warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wundef -Wcast-align -Wstrict-prototypes -Werror'
sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all'
clang=$(command -v clang-14 || command -v clang) objdump=$(command -v llvm-objdump-14 || command -v llvm-objdump)
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64)
export ASAN_OPTIONS=detect_stack_use_after_return=1

sets=$(isas_here | xargs)
[ "$(uname -m)" != x86_64 ] || for set in avx2 avx512; do
    case " $sets " in *" $set "*) ;; *) skip "$set" "this machine has none" ;; esac
done
best=${sets%% *}

# Depthwise and pointwise convolutions, attention, a layer of a transformer; and products of many shapes behind one another.
cat >"$work/attention.nn" <<'END'
param %depthwise: f32[8,1,3,3] = glorot_uniform
param %pointwise: f32[24,8,1,1] = glorot_uniform
param %bias: f32[24] = glorot_uniform
param %query: f32[24,24] = glorot_uniform
param %key: f32[24,24] = glorot_uniform
param %value: f32[24,24] = glorot_uniform
param %scale: f32[24] = ones
param %shift: f32[24] = glorot_uniform
param %wide: f32[24,70] = glorot_uniform
param %narrow: f32[70,24] = glorot_uniform
network @attention(%image: f32[batch,8,7,7]) {
  %local = Conv(%image, %depthwise) {kernel_shape = [3,3], pads = [1,1,1,1], group = 8}
  %mixed = Relu(Conv(%local, %pointwise, %bias) {kernel_shape = [1,1]})
  %tokens = Transpose(Reshape(%mixed, [0, 24, 49])) {perm = [0, 2, 1]}
  %scores = MatMul(MatMul(%tokens, %query), Transpose(MatMul(%tokens, %key)) {perm = [0, 2, 1]})
  %attended = MatMul(Softmax(Mul(%scores, 0.2)) {axis = 2}, MatMul(%tokens, %value))
  %normal = LayerNormalization(Add(%tokens, %attended), %scale, %shift)
  %y = Add(%normal, MatMul(Gelu(MatMul(%normal, %wide)), %narrow))
  return %y, %scores
}
END

# Long sums over a few rows, whose pieces are added exactly.
cat >"$work/long.nn" <<'END'
param %filters: f32[96,16,4,4] = glorot_uniform
param %dense: f32[1024,16] = glorot_uniform
network @long(%image: f32[batch,96,4,4]) {
  %up = Relu(ConvTranspose(%image, %filters) {kernel_shape = [4,4], strides = [2,2], pads = [1,1,1,1]})
  %y = MatMul(Reshape(%up, [0, 1024]), %dense)
  return %up, %y
}
END

# name:model
networks="recurrent:$root/tests/run/recurrent.nn
cnn:$root/tests/run/cnn.nn --dim batch=1..3
winograd:$root/tests/run/winograd.nn --dim batch=1..2
attention:$work/attention.nn --dim batch=1..2
long:$work/long.nn --dim batch=1..9
mnist:$root/models/mnist.onnx
mlp_mnist:$root/models/mlp_mnist.nn --dim batch=1"
[ -z "$all" ] || networks="$networks
lenet:$root/models/lenet.nn --dim batch=1
cifar_cnn:$root/models/cifar_cnn.nn --dim batch=1
autoencoder:$root/models/autoencoder.nn --dim batch=1..2
mnist_cnn:$root/models/mnist_cnn.nn --dim batch=1
resnet20:$root/models/resnet20.nn --dim batch=1"

# made DIR MODEL OPTION...: net.c and a main() around it.
made() {
    mkdir -p "$1" && "$nncc" "${@:2}" --prefix net -o "$1/net.c" && python3 "$root/tests/emit/isas.py" main "$1/net.h" >"$1/main.c"
}
# refers DIR MODEL OPTION...: DIR, and DIR/reference, what a program in double prints.
refers() {
    made "$@" && made "$1/double" "${@:2}" --target=c --real=f64 &&
        cd "$1/double" && gcc -O1 main.c net.c -lm -o program && ./program >../reference
}
# prints DIR FILE COMPILER...: what the program prints is in DIR/FILE.
prints() { cd "$1" && "${@:3}" main.c net.c -lm -o "program-$2" && "./program-$2" >"$2"; }
# A network that Winograd computes has a limit of its own.
agrees() { python3 "$root/tests/emit/isas.py" compare "$([ "${1##*/}" = winograd ] && echo 1e-5 || echo 1e-6)" "$1/reference" "$1/$2"; }
right() { prints "$@" && agrees "$1" "$2"; }
same() { prints "$@" && cmp "$1/$2" "$1/$best${cc_name#gcc}"; }
wanted() { case " ${names:-$1} " in *" $1 "*) ;; *) return 1 ;; esac; }
names="$*"

# compiled_by CC DIR: every set, and all of them.
compiled_by() {
    local cc=$1 dir=$2 cc_name set
    cc_name=$(basename "${cc%-14}")
    for set in $sets; do check "$name, $set, $cc_name" right "$dir" "$set${cc_name#gcc}" "$cc" -std=c11 -O2 $warnings -DNNCC_ISA=$set; done
    check "$name, dispatched, $cc_name: $best to the bit" same "$dir" "auto${cc_name#gcc}" "$cc" -std=c11 -O2 $warnings
}
while IFS=: read -r name model; do
    wanted "$name" || continue
    dir=$work/$name
    check "$name: in double" refers "$dir" $model
    compiled_by gcc "$dir"
    if [ -n "$clang" ]; then
        case $all$name in attention | yes*) compiled_by "$clang" "$dir" ;; esac
    fi
done <<<"$networks"

# ---- other machines ----
name=recurrent dir=$work/recurrent
wanted recurrent || refers "$dir" "$root/tests/run/recurrent.nn"
cat >"$work/emulated" <<'END'
#!/bin/sh
# What is compiled for another machine becomes a program that runs here.
$cross "$@" || exit
for out; do [ "$before" = -o ] && break; before=$out; done
mv "$out" "$out.other" && printf '#!/bin/sh\nexec %s "$0.other"\n' "$emulator" >"$out" && chmod +x "$out"
END
cat >"$work/wasi.mjs" <<'END'
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', args: process.argv.slice(2), env: {} });
const module = await WebAssembly.compile(await readFile(process.argv[2]));
wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
END
chmod +x "$work/emulated"
echo 'int main(void) { return 0; }' >"$work/none.c"
can_run() { "$work/emulated" "$work/none.c" -o "$work/none" && "$work/none"; }
# instructions PROGRAM PATTERN: whether the program has them.
instructions() { [ "$($disassemble "$1" | grep -cE "$2")" -ge 8 ]; }
# other FILE FLAGS INSTRUCTION
other() {
    local each
    for each in recurrent cnn; do
        wanted "$each" || continue
        check "$each, $1, $emulated" right "$work/$each" "$1-$emulated" "$work/emulated" -O2 -std=gnu11 $warnings $2
    done
    if [ -n "$3" ]; then check "$1, $emulated: $3" instructions "$dir/program-$1-$emulated.other" "$3"; fi
}
export cross emulator
emulated=qemu cross='aarch64-linux-gnu-gcc -static' emulator=$qemu disassemble='aarch64-linux-gnu-objdump -d'
if [ -n "$qemu" ] && can_run >/dev/null 2>&1; then
    other auto '' 'fmla.*\.4s'
    [ -z "$all" ] || other neon -DNNCC_ISA=neon 'fmla.*\.4s'
    other plain -DNNCC_ISA=plain ''
else
    skip "64-bit ARM" "gcc-aarch64-linux-gnu, libc6-dev-arm64-cross or qemu-user is not installed"
fi
emulated=node cross="$clang --target=wasm32-wasi" emulator="node --no-warnings $work/wasi.mjs" disassemble="$objdump -d"
if [ -n "$clang" ] && [ -n "$objdump" ] && command -v node >/dev/null && can_run >/dev/null 2>&1; then
    other auto -msimd128 'f32x4\.(add|mul)'
    [ -z "$all" ] || other wasm '-msimd128 -DNNCC_ISA=wasm' 'f32x4\.(add|mul)'
    other plain '' ''
else
    skip "WebAssembly" "clang, wasi-libc, libclang-rt-14-dev-wasm32, lld-14 or node is not installed"
fi

# ---- training ----
gradients() { # FILE REAL OPTION... -- COMPILER...
    local dir=$work/training-$1 options=()
    while [ "$3" != -- ]; do options+=("$3"); set -- "$1" "$2" "${@:4}"; done
    mkdir -p "$dir" && "$nncc" "$root/models/banknote_hidden.nn" --train --prefix net "${options[@]}" -o "$dir/net.c" &&
        python3 "$root/tests/train/entries.py" "$dir/net.h" --print >"$dir/main.c" &&
        prints "$dir" printed "${@:4}" "-DREAL=$2" && mkdir -p "$work/training" && cp "$dir/printed" "$work/training/$1"
}
if wanted training; then
    check "training: in double" gradients reference double --target=c --real=f64 -- gcc -O1
    for set in $sets; do
        check "training, $set" gradients "$set" float -- gcc -std=c11 -O2 -DNNCC_ISA=$set
        check "training, $set: gradients" agrees "$work/training" "$set"
    done
    check "training, dispatched" gradients auto float -- gcc -std=c11 -O2
    check "training, dispatched: $best to the bit" cmp "$work/training/auto" "$work/training/$best"
fi

# ---- ways to build ----
built() { right "$dir" "built" "$@"; }
for cc in gcc ${clang:+"$clang"}; do
    cc_name=$(basename "${cc%-14}") name=recurrent
    for flags in '-O0' '-Os' '-O2 -std=c99 -fPIE -pie -D_FORTIFY_SOURCE=2' "-O$([ "$cc" = gcc ] && echo 1 || echo 0) $sanitizers"; do
        check "$cc_name ${flags%% -fno*}" built "$cc" $warnings $flags
    done
done
check "gcc -flto -march=native" built gcc -O3 -flto -march=native $warnings
preprocessed() { cd "$dir" && gcc -O2 -E net.c -o net.i && gcc -O2 -c net.i -o net.o && gcc main.c net.o -lm -o program-i && ./program-i >i && agrees "$dir" i; }
check "preprocessed apart" preprocessed
shared_library() {
    cd "$dir" && gcc -O2 -fPIC -shared $warnings net.c -lm -Wl,-z,defs -o libnet.so && gcc main.c -L. -lnet -Wl,-rpath,. -o program-so && ./program-so >so && agrees "$dir" so
}
check "shared library" shared_library
elsewhere() { # from above, by its whole path, through links to its folder and to the file
    cd "$work" && gcc -c recurrent/net.c -o one.o && gcc -c "$dir/net.c" -o two.o && ln -sfn recurrent linked && gcc -c linked/net.c -o three.o &&
        ln -sf recurrent/net.c other.c && gcc -c -Irecurrent other.c -o four.o && mkdir -p out && cd out && gcc -c ../recurrent/net.c -o five.o
}
check "from other folders" elsewhere
named() { # FILE: the name that -o gives, whatever its ending
    mkdir -p "$work/named" && cd "$work/named" && "$nncc" "$root/tests/run/recurrent.nn" --prefix net -o "$1" && gcc -x c -c "./$1" -o named.o
}
for file in 'a model.c' model.inc model .c -.c ISA.c; do check "-o '$file'" named "$file"; done
refused() { # FILE
    mkdir -p "$work/refused" && cd "$work/refused" && expect 2 'the C includes its header by name' "$nncc" "$root/tests/run/recurrent.nn" -o "$1" && [ "$(ls)" = out ]
}
for file in 'a"b.c' 'a\b.c' $'a\n#error.c' 'a?b.c'; do check "-o ${file@Q} is refused" refused "$file"; done
cplusplus() {
    cd "$dir" && gcc -O2 $warnings -c net.c -o c.o && g++ -x c++ main.c -x none c.o -lm -o program-cpp && ./program-cpp >cpp && agrees "$dir" cpp
}
if command -v g++ >/dev/null; then check "in a program in C++" cplusplus; fi
two_models() {
    mkdir -p "$work/two" && cd "$work/two" && "$nncc" "$root/tests/run/recurrent.nn" --prefix left -o left.c && "$nncc" "$work/attention.nn" --prefix right -o right.c &&
        echo '#include "left.h"
#include "right.h"
int main(void) { left_net a = {0}; right_net b = {0}; return left_run(&a) == LEFT_E_NULL && right_run(&b) == RIGHT_E_NULL ? 0 : 1; }' >main.c &&
        gcc $warnings main.c left.c right.c -lm -o program && ./program
}
check "two models in one program" two_models
unknown() { # NNCC_ISA
    cd "$dir" && ! gcc -c "-DNNCC_ISA$1" net.c -o none.o 2>log && cat log && grep -q 'NNCC_ISA: expected auto, avx512, avx2, sse2, neon, wasm, plain' log
}
for value in =avx1024 =AVX2 = ''; do check "-DNNCC_ISA$value is an error with the names" unknown "$value"; done

# ---- what the object has, and asks for ----
libm=$(gcc -print-file-name=libm.so.6)
nm -D --defined-only "$libm" 2>/dev/null | awk '{ sub(/@.*/, "", $3); print $3 }' >"$work/known"
printf '%s\n' memcpy memset >>"$work/known"
constant() { # OBJECT: nothing to write, nothing that runs before main, no indirect function
    ! nm "$1" | grep -E ' [DdBbCGgSsiVvWw] ' && ! objdump -h "$1" | grep -E '\.(init_array|ctors|preinit_array|tdata|tbss)'
}
asks() { # OBJECT SYMBOL...: of libm, memcpy, memset, or these
    printf '%s\n' "${@:2}" | cat - "$work/known" >"$work/may" && ! nm -u "$1" | awk '{ print $2 }' | grep -vxFf "$work/may"
}
object() { # CC FLAGS SYMBOL...
    cd "$dir" && "$1" -std=c11 -O2 $2 -c net.c -o nm.o && constant nm.o && asks nm.o "${@:3}"
}
for cc in gcc ${clang:+"$clang"}; do
    cc_name=$(basename "${cc%-14}")
    check "$cc_name: symbols" object "$cc" '' __cpu_model _GLOBAL_OFFSET_TABLE_
    for set in $sets; do check "$cc_name: symbols, $set" object "$cc" -DNNCC_ISA=$set _GLOBAL_OFFSET_TABLE_; done
done
freestanding() {
    cd "$dir" && echo '#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t n) { for (size_t i = 0; i < n; i++) ((char *)to)[i] = ((const char *)from)[i]; return to; }
void *memset(void *p, int c, size_t n) { for (size_t i = 0; i < n; i++) ((char *)p)[i] = (char)c; return p; }' >mem.c &&
        gcc -std=c11 -O2 -ffreestanding -fPIC -c mem.c && gcc -std=c11 -O2 -DNNCC_ISA=plain -fPIC -shared -nostdlib -Wl,-z,defs mem.o net.c -o none.so
}
check "without any library: NNCC_ISA=plain" freestanding
threads() {
    cd "$dir" && cat >threads.c <<'C' && gcc -std=c11 -O1 -g $1 -pthread threads.c net.c -lm -o program-threads && ./program-threads
#include "net.h"
#include <pthread.h>
#include <string.h>
typedef struct { float z[NET_Z_LEN], zh[NET_ZH_LEN], yh[NET_YH_LEN], yc[NET_YC_LEN]; } Results;
static float x[NET_X_LEN], h0[NET_H0_LEN];
NET_ARENA(first);
NET_ARENA(second);
static void *repeated(void *arena) {
    static _Thread_local Results r, before;
    net_net net = {.x = x, .h0 = h0, .z = r.z, .zh = r.zh, .yh = r.yh, .yc = r.yc, .arena = arena};
    for (int i = 0; i < 200; i++) {
        if (net_run(&net) || (i && memcmp(&r, &before, sizeof r))) return arena;
        before = r;
    }
    return NULL;
}
int main(void) {
    pthread_t t;
    void *failed;
    for (int i = 0; i < NET_X_LEN; i++) x[i] = (float)(i % 7) - 3.0f;
    if (pthread_create(&t, NULL, repeated, first) || repeated(second) || pthread_join(t, &failed)) return 1;
    return failed != NULL;
}
C
}
check "two contexts in two threads" threads -fsanitize=thread

# Portable C is as small as the flags say: no larger than that of --target=c.
small() { # FLAG
    local target
    for target in auto c; do
        made "$work/small-$target" "$root/models/mnist.onnx" --weights=object --target=$target &&
            arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 $warnings "$1" -c "$work/small-$target/net.c" -o "$work/$target.o" || return 1
    done
    arm-none-eabi-size "$work/auto.o" "$work/c.o" | tee "$work/log" && awk 'NR == 2 { a = $1 } NR == 3 { c = $1 } END { exit !(a > 0 && a <= 1.02 * c) }' "$work/log"
}
if command -v arm-none-eabi-gcc >/dev/null; then for flag in -Os -O2; do check "a Cortex-M4, $flag: no larger than --target=c" small $flag; done
else skip "a Cortex-M4" "gcc-arm-none-eabi is not installed"
fi

# ---- weights files ----
weights_alike() {
    local target
    for target in c auto avx2 avx512 neon sse2; do
        made "$work/weights-$target" "$root/models/mlp_mnist.nn" --dim batch=1 --weights=file --target=$target &&
            cmp "$work/weights-c/net.weights" "$work/weights-$target/net.weights" || return 1
    done
}
of_another_target() { # FLAGS...: the code of auto with the weights of c
    cd "$work/weights-auto" && cp ../weights-c/net.weights . && prints . "${1#*=}" gcc -O2 "$@" && cp ../mlp_mnist/reference . && agrees . "${1#*=}"
}
if wanted mlp_mnist; then
    check "weights files of all targets are one" weights_alike
    for set in auto $sets; do check "weights of --target=c, $set" of_another_target -DNNCC_ISA=$set; done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
