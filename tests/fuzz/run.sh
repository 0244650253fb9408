#!/usr/bin/env bash
# The fuzzers. usage: tests/fuzz/run.sh [SECONDS [TARGET...]]     60 seconds each if not given
# Builds every tests/fuzz/fuzz_*.c with all of nncc under clang's libFuzzer, ASan and UBSan. Seeds are the small models of this
# repository and, where it is there, of the shared folder. A finding stays in build/fuzz as crash-*.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=${*:-$(cd "$root/tests/fuzz" && ls fuzz_*.c | sed 's/\.c$//')}
clang=$(command -v clang-14 || command -v clang) || { echo "tests/fuzz/run.sh: no clang"; exit 2; }
dir=$root/build/fuzz
mkdir -p "$dir"

# libFuzzer wants its instrumentation in nncc itself, so that the library is built once more.
CC=$clang CFLAGS='-fsanitize=fuzzer-no-link' cmake -S "$root" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DNNCC_SANITIZE=ON \
    >"$dir/log" 2>&1 && ninja -C "$dir" nncc_core >>"$dir/log" 2>&1 || { tail -n 20 "$dir/log"; exit 1; }

for target in $targets; do
    seeds=$dir/seeds-$target corpus=$dir/corpus-$target
    mkdir -p "$seeds" "$corpus"
    case $target in
    *tensor*) printf '\0\010\002\020\001\042\010\0\0\200\077\0\0\0\100' >"$seeds/proto"
        printf "\001\223NUMPY\001\0\066\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n1234" >"$seeds/npy"
        printf '\002P5 2 2 255\n1234' >"$seeds/picture" ;;
    *text*) find "$root/models" "$root/tests" -name '*.nn' -size -64k -exec cp -f {} "$seeds" \; ;;
    *) find "$root/models" "$shared/models" "$shared/vectors" -name '*.onnx' -size -64k -exec cp -f {} "$seeds" \; 2>/dev/null ;;
    esac
    build=$dir CC=$clang TEST_CFLAGS='-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all' \
        compile_test "$root/tests/fuzz/$target.c" -o "$dir/$target" || exit 1
    echo "$target: $seconds s"
    if (cd "$dir" && "./$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=65536 -verbosity=0 \
        -print_final_stats=1 "$corpus" "$seeds" >"$target.log" 2>&1); then
        sed -n 's/^stat::number_of_executed_units: */  runs: /p' "$dir/$target.log"
        passed=$((passed + 1))
    else
        grep -E 'ERROR|SUMMARY|runtime error|^ +#[0-7] |artifact' "$dir/$target.log" | cut -c 1-200 | head -n 20
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
