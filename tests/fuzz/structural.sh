#!/usr/bin/env bash
# The structural fuzzer. usage: NNCC_BUILD=build/debug tests/fuzz/structural.sh [OPTION...]
# Without an option: first its teeth, then 60 seconds.
# Options go to structural.py, which says what it does. A model that is a finding stays in build/fuzz/structural.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy onnx || { echo "tests/fuzz/structural.sh: no Python with numpy and onnx"; exit 1; }
mkdir -p "$root/build/fuzz"
TEST_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=all' compile_test "$root/tests/fuzz/structural.c" -o "$work/structural" || exit 1
fuzz() { "$python" "$root/tests/fuzz/structural.py" "$nncc" "$work/structural" "$root/build/fuzz/structural" "$@"; }
if [ $# = 0 ]; then
    fuzz --teeth || exit 1
    set -- --seconds 60
fi
fuzz "$@"
