#!/usr/bin/env bash
# The generated matrix product, 256 x 512 x 512 with bias and ReLU, beside the most multiply-adds this machine's core does:
# the best of 400 turns each, on one core. usage: tests/bench/gemm.sh [--no-quiet-check]. Fails below 85 %. Its last figures are in
# RESULTS-gemm.md, whose rows of this kind of machine it replaces if the machine is quiet; with --no-quiet-check it only prints.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
case ${1:-} in
'') python3 "$root/tests/bench/machine.py" quiet || exit 1 ;;
--no-quiet-check) ;;
*) echo "gemm.sh: there is no option $1" >&2; exit 2 ;;
esac
cat >"$work/gemm.nn" <<'NN'
param %w: f32[512,512] = glorot_uniform
param %b: f32[512] = splat(0.125)
network @gemm(%x: f32[256,512]) {
  %y = Relu(Gemm(%x, %w, %b))
  return %y
}
NN
made="$(python3 "$root/tests/bench/machine.py" title), $(LC_ALL=C date '+%-d %B %Y'), $(gcc -dumpfullversion), $(git -C "$root" rev-parse --short HEAD)"
for target in native c; do
    "$nncc" "$work/gemm.nn" --target=$target --weights=file -o "$work/gemm.c" &&
        gcc -O3 -march=native -std=gnu11 -ffp-contract=fast -I "$work" -I "$root/runtime/main" "$root/tests/bench/peak.c" "$work/gemm.c" -lm -o "$work/peak" || exit 1
    read -r peak product alive <<<"$(taskset -c 0 "$work/peak" "$work/gemm.weights")"
    [ -n "${alive:-}" ] || exit 1
    awk -v m="$made" -v t=$target -v p="$peak" -v g="$product" 'BEGIN { printf "| %s | %s | %.1f | %.1f | %.0f %% |\n", m, t, p, g, 100 * g / p }'
done | tee "$work/rows"
[ "${PIPESTATUS[0]}" = 0 ] || exit 1
[ $# -gt 0 ] || python3 "$root/tests/bench/table.py" --gemm "$work/rows" || exit 1
awk -F'|' '/ %/ { split($6, share, " "); if (share[1] < 85) low = 1 } END { exit low }' "$work/rows"
