#!/usr/bin/env bash
# The unit tests, each a main() linked with all of nncc but its own: with sanitizers where the build has them. usage: tests/unit/run.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$root" || exit 1
flags=
grep -q '^NNCC_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && flags=-fsanitize=address,undefined
unit() { TEST_CFLAGS=$flags compile_test "tests/unit/$1.c" -o "$work/$1" && "$work/$1"; }
for name in ${*:-$(cd tests/unit && ls test_*.c)}; do check "${name%.c}" unit "${name%.c}"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
