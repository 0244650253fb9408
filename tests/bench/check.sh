#!/usr/bin/env bash
# The benchmark itself: what it refuses, what it writes, that its documents are what its figures say. usage: tests/bench/check.sh
# Publishes nothing, and needs no quiet machine.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1
bench=$root/tests/bench
export PYTHONDONTWRITEBYTECODE=1

check "documents are what figures say" python3 "$bench/table.py" --check
edited() {
    mkdir -p copy/tests && cp -r "$bench" copy/tests && cp "$root/README.md" copy &&
        sed -i '/"native"/ s/"ort": [0-9.]*/"ort": 12.75/' copy/tests/bench/figures/avx512.json || return 1
    expect 1 'is not what table.py writes' python3 copy/tests/bench/table.py --check &&
        expect 0 '' python3 copy/tests/bench/table.py && expect 0 '' python3 copy/tests/bench/table.py --check && ! cmp -s copy/README.md "$root/README.md"
}
check "an edited figure is told, and goes into all documents" edited
for name in kinds quiet stat waits side_by_side training products; do check "$name" python3 "$bench/check.py" $name; done

# while_busy COMMAND...: with a loop beside it that uses a core.
while_busy() {
    (trap - EXIT; while :; do :; done) &
    local busy=$! status
    "$@"
    status=$?
    kill $busy
    wait $busy 2>/dev/null
    return $status
}
refused='^the machine is busy: expected at most 5 % of a core used by others, saw [0-9]+ % in 2 seconds$'
check "a busy machine is refused" while_busy expect 1 "$refused" python3 "$bench/machine.py" quiet
check "the product is not measured there" while_busy expect 1 "$refused" bash "$bench/gemm.sh"
product() { bash "$bench/gemm.sh" --no-quiet-check | tee out; grep -Eq '^\| .*: .* \| c \| [0-9.]+ \| [0-9.]+ \| [0-9]+ % \|$' out; } # whatever its share is
check "the product, printed" product
check "an option that gemm.sh has not" expect 2 'there is no option --quite' bash "$bench/gemm.sh" --quite
check "nor train.sh" expect 2 'there is no option --quite' bash "$bench/train.sh" --quite

# The rest needs those that nncc is compared with, but installs nothing.
python=${NNCC_PYTHON:-$root/build/venv/bin/python3}
export NNCC_PYTHON=$python
if "$python" -c 'import torch' 2>/dev/null; then
    check "nor is training" while_busy expect 1 "$refused" bash "$bench/train.sh"
else
    skip "training on a busy machine" "no Python with torch"
fi
if "$python" -c 'import numpy, onnx, onnxruntime, openvino' 2>/dev/null; then
    not_written() { while_busy expect 1 "$refused" bash "$bench/run.sh" -o refused.json --quiet-check "$root/models/mnist.onnx" && ! [ -e refused.json ]; }
    check "inference is not measured there" not_written
    for name in wrong_outputs measured_again; do check "$name" "$python" "$bench/check.py" $name; done
    check "one network" expect 0 '^\| mnist \|( [0-9.]+ \|){5}' bash "$bench/run.sh" -o figures.json --cflags=-Os "$root/models/mnist.onnx"
    check "its figures" python3 "$bench/check.py" one_run figures.json
    check "an option that run.sh has not" expect 2 'unrecognized arguments: --quite' bash "$bench/run.sh" --quite "$root/models/mnist.onnx"
    check "a compiler that is not there" expect 1 '^no-such-cc cannot be run: ' bash "$bench/run.sh" --cc=no-such-cc "$root/models/mnist.onnx"
    check "a compiler that fails" expect 1 '^FAIL mnist: default -mno-such-thing: ' bash "$bench/run.sh" --cflags=-mno-such-thing "$root/models/mnist.onnx"
else
    skip "inference" "no Python with onnxruntime and openvino"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
