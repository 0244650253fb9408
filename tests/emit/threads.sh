#!/usr/bin/env bash
# C of --threads: for 1, 2, 3, 4 and 7 threads of a pool and for threads of the caller's own the bits are those of C without the option,
# under the sanitizer of threads, too, and for the instruction sets of this machine; gcc and clang, warnings; a small network has nobody wait.
# usage: threads.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/emit/threads
warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wundef -Wcast-align -Wstrict-prototypes -Werror'
clang=$(command -v clang-14 || command -v clang)

# generate NAME OPTION...: net.c with threads, plain.c without; the first has threads wait, or the test proves nothing.
generate() {
    local model=$here/$1.nn
    shift
    "$nncc" "$model" --prefix net --threads=7 "$@" -o "$work/net.c" && "$nncc" "$model" --prefix plain "$@" -o "$work/plain.c" &&
        { [ "${model##*/}" != image.nn ] || grep -q 'scratch v, u' "$work/net.c"; } &&
        grep -q 'nncc_meet(meet, nt)' "$work/net.c"
}

# runs COMPILER... -- ARGUMENT...
runs() {
    local compiler=()
    while [ "$1" != -- ]; do compiler+=("$1"); shift; done
    shift
    "${compiler[@]}" -D_POSIX_C_SOURCE=200809L -I "$work" -I "$root/runtime" "$here/$main.c" "$root/runtime/nncc_threads.c" \
        "$work/net.c" "$work/plain.c" -pthread -lm -o "$work/threads" && timeout 120 "$work/threads" "$@"
}

small() { ! "$nncc" "$root/tests/tour/mlp.nn" --threads=7 --emit=c | grep -q 'nncc_meet\|nncc_pool_run'; }

cxx() {
    printf '#include "nncc_threads.h"\nint main() { nncc_pool_close(nncc_pool_open(2)); }\n' >"$work/pool.cpp"
    ${CXX:-g++} -Wall -Wextra -Wpedantic -Werror -std=c++11 -fsyntax-only -I "$root/runtime" "$work/pool.cpp"
}

names=("$@")
[ $# -gt 0 ] || names=(image tokens steps training)
for name in "${names[@]}"; do
    options=(--weights=embed) main=threads
    [ "$name" != training ] || options=(--train) main=training
    [ "$name" != tokens ] || options+=(--dim 'n=1..8')
    check "$name is divided" generate "$name" "${options[@]}"
    # shellcheck disable=SC2046,SC2086
    check "$name, the default target" runs gcc $(isa) $warnings -std=c11 -O2 --
    # shellcheck disable=SC2046
    check "$name, the sanitizer of threads" runs gcc $(isa) -std=c11 -O1 -g -fsanitize=thread --
    [ "$name" != tokens ] || check "$name, one sequence" "$work/threads" 1
    sets=$(isas_here)
    [ "$name" = image ] || sets=${sets%%$'\n'*} # the best one: it takes long
    for set in $sets; do
        [ "$set" != plain ] || set=c
        generate "$name" --target="$set" "${options[@]}" >/dev/null
        flags=-O2
        case $set in avx512) flags='-O2 -mavx512f -mavx512dq -mavx512vl -mfma' ;; avx2) flags='-O2 -mavx2 -mfma' ;; esac
        # shellcheck disable=SC2086
        check "$name, $set" runs ${clang:-gcc} $warnings -std=c99 $flags --
    done
done
check "a small network is one thread's" small
check "the pool in C++" cxx
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
