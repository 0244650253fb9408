# gemm.sh - the matrix product of templates/cuda in the emulator: results, races, bounds, traffic; and spills. usage: bash gemm.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
. "$root/tests/cuda/emu.sh"
. "$root/tests/cuda/toolkit.sh"
export TEMPLATES=$root/templates/cuda

emulator >"$work/log" 2>&1 || { cat "$work/log"; echo "0 passed, 1 failed"; exit 1; }
program() { compile_test -O2 -ffp-contract=off -Wno-missing-field-initializers "$root/tests/cuda/gemm.c" "$emu/nncc_cuda.o" -ldl -o "$work/gemm"; }
check "the program builds" program
"$work/gemm" print >"$work/gemm.cu" || { echo "0 passed, 1 failed"; exit 1; }

check "kernels build" emu_module "$work/gemm.cu" "$work/gemm.so" -O2
check "kernels build, instrumented" emu_checked "$work/gemm.cu" "$work/checked.so"
for order in 0 1 2; do NNCC_EMU_ORDER=$order check "results, order $order" emulated "$work/gemm.so" "$work/gemm" run; done
export NNCC_EMU_COUNT=$work/counts
check "no races, all in bounds" emulated "$work/checked.so" "$work/gemm" run
unset NNCC_EMU_COUNT
[ -z "${KEEP:-}" ] || cp "$work"/gemm.cu "$work"/counts "$KEEP"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
