#!/usr/bin/env bash
# Generated C under the strictest flags: gcc and clang, every warning an error, ASan and UBSan, every buffer poisoned outside
# its life. usage: tests/emit/run.sh [NAME...]    NAME: networks of the shared folder (default: all small enough for CI)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror"
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
export ASAN_OPTIONS=detect_leaks=0 # the harness ends without freeing its inputs; generated code has no heap
small="mnist-8-cntk burn_model1 dtln_1 gtcrn_simple lenet5_mnist mlperf_resnet8 silero_vad_16k_op15 tract_byte_sb_bidi_lstm
       emx_micro_kws_m_qdq mlperf_kws_dscnn vae_mnist_decoder mp_selfie_segmentation_landscape"

compilers=$(command -v gcc; command -v clang || command -v clang-14)
check() { # NAME MODEL DATA...
    for cc in $compilers; do
        if "$nncc" verify --poison --cc "$cc -O1 $warnings $sanitizers" "${@:2}" >"$work/log" 2>&1; then
            tally 1 0 0
        else
            tally 0 1 0
            echo "FAIL $1 ($(basename "$cc"))"
            head -n 6 "$work/log"
        fi
    done
}

check mnist "$root/models/mnist.onnx"
if [ -d "$shared/expected" ]; then
    for name in ${*:-$small}; do check "$name" "$shared/models/$name.onnx" "$shared/expected/$name"; done
else
    echo "SKIP the shared networks: no $shared/expected"
    tally 0 0 1
fi

# The poison can bite: a buffer moved into its neighbour has to be caught.
cat >"$work/two.nn" <<'END'
network @two(%x: f32[64]) {
  %a = Exp(%x)
  %b = Tanh(%a)
  %c = Add(%a, %b)
  %d = Exp(%c)
  %y = Sub(%d, %a)
  return %y
}
END
"$nncc" "$work/two.nn" --off=fuse --poison --prefix two -o "$work/two.c" || exit 1
sed -i 's/const b = a + 64;/const b = a + 128;/' "$work/two.c" # where c lies, which is not alive yet
cat >"$work/main.c" <<'END'
#include "two.h"
TWO_ARENA(arena);
int main(void) {
    static float x[TWO_X_LEN], y[TWO_Y_LEN];
    two_net net = {.x = x, .y = y, .arena = arena};
    return two_run(&net);
}
END
gcc -O1 -fsanitize=address -I "$work" "$work/two.c" "$work/main.c" -lm -o "$work/two" || exit 1
if "$work/two" >"$work/log" 2>&1 || ! grep -q use-after-poison "$work/log"; then
    echo "FAIL a misplaced buffer was not caught"
    tally 0 1 0
else
    tally 1 0 0
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
