#!/usr/bin/env bash
# Code of --target=rvv: it has vector multiply-adds, and its programs agree with nncc's arithmetic in double under qemu.
# usage: tests/rvv.sh [MODEL...]
# Needs clang 14, llvm-objdump, and Debian's qemu-user, binutils-riscv64-linux-gnu, libc6-dev-riscv64-cross and
# libgcc-12-dev-riscv64-cross, without which it skips.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
[ $# -gt 0 ] || set -- "$root/models/mnist.onnx" "$root/models/lenet.nn"
clang=$(command -v clang-14 || command -v clang) objdump=$(command -v llvm-objdump-14 || command -v llvm-objdump)
export clang
# What is compiled becomes a program that qemu runs in its place.
cat >"$work/cc" <<'END'
#!/bin/sh
"$clang" --target=riscv64-linux-gnu -static -ffp-contract=fast "$@" || exit
for out; do [ "$before" = -o ] && break; before=$out; done
mv "$out" "$out.riscv" && printf '#!/bin/sh\nexec qemu-riscv64 -cpu rv64,v=true,vlen=128,vext_spec=v1.0 ./program.riscv "$@"\n' >"$out" && chmod +x "$out"
END
chmod +x "$work/cc"
echo 'int main(void) { return 0; }' >"$work/none.c"
if [ -z "$clang" ] || [ -z "$objdump" ] || ! command -v qemu-riscv64 >/dev/null || ! "$work/cc" -march=rv64gcv "$work/none.c" -o "$work/none" >"$work/log" 2>&1; then
    echo "skip  clang, llvm-objdump, qemu-riscv64 or RISC-V's C library is not there"
    echo "0 passed, 0 failed"
    exit
fi

agrees() { "$nncc" verify "$1" --target=rvv --cc="$work/cc" --keep "$work/program" | tee "$work/log" | grep -q ' ok$' && ! grep -q WRONG "$work/log"; }
multiplies_and_adds() { [ "$("$objdump" -d --mattr=+v "$work/program/program.riscv" | grep -cE 'vfm(acc|add)')" -ge 8 ]; }
for model; do
    check "$(basename "$model"): agrees" agrees "$model"
    check "$(basename "$model"): vector multiply-adds" multiplies_and_adds
    rm -rf "$work/program"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
