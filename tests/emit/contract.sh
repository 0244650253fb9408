#!/usr/bin/env bash
# The interface of generated code, a header for each case of docs/contract.md: nncc still writes the same, and a program that includes
# it compiles as C99, C11 and C++11, with gcc and clang, without a warning. usage: contract.sh [--update] [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/emit/contract
update=no
[ "${1:-}" = --update ] && update=yes && shift

# NAME MODEL OPTION...
cases() {
    cat <<'END'
inference chain
weights_file chain --weights=file
open_batch chain --dim batch=1..8
two_open_dims grid --dim asked=1..4 --dim stored=2..6
half half
threads chain --threads=4
training trained --train
training_threads trained --train --threads=2
forward_backward chain --train --optimizer=SGD
ports ports --train
cuda chain --target=cuda
quantized quantized --io=quantized
losses losses --train
cuda_training trained --train --target=cuda
state state
state_threads state --threads=2
state_cuda state --target=cuda
extents extents
small small --dim n=1..4
strings strings
END
}

# The prefix is the case's name.
generate() {
    local name=$1 model=$2
    shift 2
    (cd "$here" && "$nncc" "$model.nn" --prefix "$name" "$@" --emit=h) >"$work/$name.h" 2>"$work/$name.said" || { cat "$work/$name.said"; return 1; }
}

same() { sed '1s/nncc [0-9.]* /nncc /' "$work/$1.h" | diff -u "$here/$1.h" -; }

# compiles_everywhere NAME: $work/NAME.c as C99, C11 and C++11, with gcc and clang; it exits with 0.
compiles_everywhere() {
    local compiler standard
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || compiler=clang-14
        command -v $compiler >/dev/null || continue
        for standard in c99 c11; do
            $compiler -std=$standard $strict -Wstrict-prototypes -I "$work" -I "$root/runtime" "$work/$1.c" -o "$work/$1.out" && "$work/$1.out" || return 1
        done
        $compiler -std=c++11 $strict -x c++ -fsyntax-only -I "$work" -I "$root/runtime" "$work/$1.c" || return 1
    done
}

# check is called: it is an inline function.
includes() {
    local macro=${1^^} call=
    grep -q "int function," "$work/$1.h" && call=", ${macro}_FN_PREDICT"
    printf '#include "%s.h"\nint main(void) {\n    const char *field;\n    return %s_check(0%s, &field) != %s_E_NULL;\n}\n' "$1" "$1" "$call" "$macro" >"$work/$1.c"
    compiles_everywhere "$1"
}
strict='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Werror'

while read -r name model options; do
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    # shellcheck disable=SC2086
    check "$name is generated" generate "$name" "$model" $options
    if [ $update = yes ]; then sed '1s/nncc [0-9.]* /nncc /' "$work/$name.h" >"$here/$name.h"; fi
    check "$name is as it was" same "$name"
    check "$name compiles everywhere" includes "$name"
done < <(cases)
# The fields that docs/contract.md decides for later versions.
later() {
    { echo '#include <stdint.h>' && sed -n '/^## 5/,/^## 6/p' "$root/docs/contract.md" | sed -n '/^```c$/,/^```$/{//!p}' &&
        printf 'int main(void) {\n    static p_net net;\n    return net.frames_count != 0 || P_FRAMES_MAX < 1;\n}\n'; } >"$work/later.c"
    compiles_everywhere later
}
check "the fields of later versions compile everywhere" later

# A small network is one thread's: the others return at once. More than there may be are refused.
threads() {
    "$nncc" "$here/chain.nn" --prefix threads --threads=4 -o "$work/threads.c" && cat >"$work/main.c" <<'END' &&
#include "threads.h"
int main(void) {
    const float x[THREADS_X_LEN] = {1, 2, 3, 4};
    float y[THREADS_Y_LEN], z[THREADS_Y_LEN] = {0};
    const char *field;
    threads_net net = {.x = x, .y = y};
    if (threads_run(&net)) return 1;
    net.threads = 1, net.y = z;
    if (threads_run_part(&net, 0, 1) || y[0] != z[0] || y[2] != z[2]) return 2;
    z[0] = 99;
    if (threads_run_part(&net, 1, 2) || z[0] != 99 || threads_run_part(&net, 0, 2) || y[0] != z[0]) return 3;
    if (threads_run_part(&net, 0, 5) != THREADS_E_THREADS || threads_run_part(&net, 1, 1) != THREADS_E_THREADS) return 4;
    net.threads = 4;
    if (threads_run(&net)) return 5;
    net.threads = 5;
    return threads_run(&net) != THREADS_E_THREADS || threads_check(&net, &field) != THREADS_E_THREADS || field[0] != 't';
}
END
        cc -std=c99 $strict -I "$work" "$work/main.c" "$work/threads.c" -lm -o "$work/main" && "$work/main"
}
check "threads are counted" threads

# Who was built against another interface and says so is told when compiling.
abi() { printf '#include "%s.h"\n#if %s_ABI != %s\n#error "net.h is of another interface than this program: see its header"\n#endif\n' "$1" "${1^^}" "$2" | ${CC:-cc} -fsyntax-only -x c -I "$work" -; }
older() {
    local now
    now=$(sed -n 's/^#define THREADS_ABI \(0x[0-9a-f]*u\).*/\1/p' "$work/threads.h")
    abi threads "$now" && ! abi threads 0x4ee03eb7u 2>"$work/said" && grep -q 'of another interface than this program' "$work/said"
}
[ ! -f "$work/threads.h" ] || check "another interface is seen" older

# An object that was built against another header does not link, and what is missing names the ABI it was built for. The C of a network
# has no data that can be written. link COMPILER FLAG...: builds the program against net.h of `then`, the network of `now`.
link() {
    local compiler=$1 built
    shift
    "$compiler" "$@" -I "$work/then" -c "$work/linked.c" -o "$work/program.o" || return 1
    built=$(sed -n 's/^#define NET_ABI 0x\([0-9a-f]*\)u$/\1/p' "$work/then/net.h")
    "$compiler" "$work/program.o" "$work/then.o" -lm -o "$work/linked" && "$work/linked" || return 1
    ! "$compiler" "$work/program.o" "$work/now.o" -lm -o "$work/linked" 2>"$work/said" && grep -q "net_run_abi_$built" "$work/said"
}
not_linked() {
    local at compiler
    mkdir -p "$work/then" "$work/now" && "$nncc" "$here/chain.nn" --prefix net -o "$work/then/net.c" &&
        "$nncc" "$here/chain.nn" --prefix net --threads=4 -o "$work/now/net.c" || return 1
    for at in then now; do cc -std=c99 -c "$work/$at/net.c" -o "$work/$at.o" || return 1; done
    ! nm "$work/then.o" "$work/now.o" | grep ' [bBdDC] ' || return 1
    cat >"$work/linked.c" <<'END'
#include "net.h"
int main(void) {
    float x[NET_X_LEN] = {1}, y[NET_Y_LEN];
    net_net net = net_net();
    net.x = x, net.y = y;
    return net_run(&net);
}
END
    link "${CXX:-c++}" -std=c++11 -x c++ || return 1
    sed -i 's/ = net_net()/ = {0}/' "$work/linked.c"
    for compiler in gcc clang-14 clang; do
        ! command -v $compiler >/dev/null || { link $compiler -std=c99 -O0 && link $compiler -std=c11 -O2; } || return 1
    done
}
check "an object of another interface does not link" not_linked
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
