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
        if "$nncc" verify --poison --cc "$cc $(isa) -O1 $warnings $sanitizers" "${@:2}" >"$work/log" 2>&1; then
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

# The poison can bite. planted NAME OPTIONS FROM TO: in NAME.nn's code a pointer is moved; that has to be caught, and only that.
planted() {
    local name=$1 kind
    "$nncc" "$work/$name.nn" $2 --off=fuse --poison --prefix net -o "$work/net.c" || exit 1
    printf '%s\n' '#include "net.h"' 'NET_ARENA(arena);' 'int main(void) {' \
        '    static float x[NET_X_LEN], y[NET_Y_LEN];' '    net_net net = {.x = x, .y = y, .arena = arena};' \
        '    return net_run(&net);' '}' >"$work/main.c"
    for kind in right moved; do
        gcc -O1 -fsanitize=address -I "$work" "$work/net.c" "$work/main.c" -lm -o "$work/net" || exit 1
        "$work/net" >"$work/$kind" 2>&1
        echo $? >>"$work/$kind"
        sed -i "s/$3/$4/" "$work/net.c"
    done
    if [ "$(cat "$work/right")" = 0 ] && grep -q use-after-poison "$work/moved"; then tally 1 0 0
    else tally 0 1 0; echo "FAIL a misplaced buffer of $name was not caught"
    fi
}
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
planted two -O0 'const b = a + 256;' 'const b = a + 512;' # where c lies, which is not alive yet
cat >"$work/parts.nn" <<'END'
network @parts(%x: f32[1,64]) {
  %a = Exp(%x)
  %b = CumSum(%a, 1)
  %c = Transpose(Reshape(%b, [8, 8]))
  %d = Concat(%c, Reshape(%a, [8, 8])) {axis = 0}
  %e = MatMul(%d, %c)
  %y = MatMul(Transpose(%d), %e)
  return %y
}
END
planted parts -O1 'const b = a + 512;' 'const b = a;' # the half of d that is not made yet
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
