#!/usr/bin/env bash
# Real networks on real data: the accuracy that is known for each, from generated C. usage: tests/models/accuracy.sh [NAME...]
# Needs the shared folder (data/mnist, data/cifar10); skips with a message without it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
mnist=$shared/data/mnist cifar=$shared/data/cifar10
if [ ! -d "$mnist" ] || [ ! -d "$cifar" ]; then echo "SKIP accuracy: no $shared/data"; echo "0 passed, 0 failed, 1 skipped"; exit 0; fi
gzip -dc "$mnist"/t10k-images*gz | tail -c +17 >"$work/mnist.images"
gzip -dc "$mnist"/t10k-labels*gz | tail -c +9 >"$work/mnist.labels"
gzip -dc "$cifar"/test_761*gz >"$work/cifar.bin"

imagenet='-DMEAN=.485f,.456f,.406f -DSTD=.229f,.224f,.225f'
none='-DMEAN=0,0,0 -DSTD=1,1,1'
# name | least right answers in percent | format | scale | mean and deviation
table="mnist-8-cntk|98.91|0|1|$none
mnist_pytorch|91.89|0|(1/255.0)|$none
onnxmlir_mnist|88.56|0|(1/255.0)|$none
lenet5_mnist|98.6|1|(1/255.0)|$none
mlperf_resnet8|88.4|3|1|$none
resnet20_cifar10|91.7|2|(1/255.0)|$imagenet
resnet56_cifar10|93.4|2|(1/255.0)|$imagenet"

macro() { sed -n "s/^#define $1 \([0-9]*\).*/\1/p" "$work/m.h"; }
while IFS='|' read -r name percent format scale rest; do
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    rm -f "$work"/m.*
    "$nncc" "$shared/models/$name.onnx" --prefix m --dim batch=1 -o "$work/m.c" || { tally 0 1 0; continue; }
    in=$(sed -n 's/^    const float \*\([a-z0-9_]*\); .* in .*/\1/p' "$work/m.h") out=$(sed -n 's/^    float \*\([a-z0-9_]*\); .* out .*/\1/p' "$work/m.h")
    ${CC:-cc} -std=gnu11 -O3 -march=native -w -include "$work/m.h" -DNET=m -DIN="$in" -DOUT="$out" -DFORMAT="$format" "-DSCALE=$scale" $rest \
        -DIN_LEN="$(macro "M_${in^^}_LEN")" -DOUT_LEN="$(macro "M_${out^^}_LEN")" -DARENA="$(macro M_ARENA_BYTES)" \
        -DWEIGHTS="$(macro M_WEIGHTS_BYTES)" "$root/tests/models/accuracy.c" "$work/m.c" -lm -o "$work/m" || { tally 0 1 0; continue; }
    case $format in 0 | 1) data=$work/mnist.images ;; *) data=$work/cifar.bin ;; esac
    got=$("$work/m" "$work/mnist.labels" "$work/m.weights" <"$data" 2>/dev/null)
    # Two images may fall either way: the figures known are rounded, and another order of additions moves a tie.
    if awk -v g="${got:-0 of 1}" -v p="$percent" 'BEGIN { split(g, a, " "); exit !(a[3] > 700 && a[1] + 2 >= p / 100 * a[3]) }'; then tally 1 0 0; verdict=ok; else tally 0 1 0; verdict=FAIL; fi
    printf '%-20s %s right, known %s %%  %s\n' "$name" "${got:-nothing}" "$percent" "$verdict"
done <<<"$table"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
