#!/usr/bin/env bash
# Small inputs that once failed, with the right results: each case of $shared/cases. usage: tests/cases.sh [NAME...]
# A case that a row of `open` names is known to fail: it prints "open", and fails the script once it passes, until its row is removed.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
cases=$shared/cases
[ -d "$cases" ] || { echo "skip  $cases is not there"; echo "0 passed, 0 failed"; exit 0; }

# What does not pass yet. Patterns of check names.
open=''

# case NAME COMMAND...: one check, unless other names were asked for.
asked=("$@")
case_() {
    local name=$1 pattern
    shift
    [ ${#asked[@]} = 0 ] || [[ " ${asked[*]} " == *" ${name%%/*} "* ]] || return 0
    for pattern in $open; do
        # shellcheck disable=SC2254
        case $name in
        $pattern)
            if (cd "$work" && "$@") >"$work/log" 2>&1; then tally 0 1 0; echo "FAIL  $name passes: remove its row of \`open\`"
            else echo "open  $name"
            fi
            return ;;
        esac
    done
    check "$name" in_work "$@"
}
in_work() { (cd "$work" && "$@"); }

# agrees DIR: what nncc computes is what is recorded there, at every level and interpreted.
agrees() {
    "$nncc" verify "$1/model.onnx" "$1" && "$nncc" verify "$1/model.onnx" "$1" -O0 && "$nncc" verify "$1/model.onnx" "$1" --interpret -O0
}
# says FILE OPTION...: a result or an error in words, as a signal or a fault of nncc (70) is not.
says() {
    timeout 120 "$nncc" "$@" -o x.c >out 2>&1
    local got=$?
    cat out
    case $got in 0) [ -s x.c ] ;; 1 | 3) [ -s out ] ;; *) echo "exit status $got"; return 1 ;; esac
}
# trained FILE NAME...: these are parameters, and nothing else is; names with a reason are listed for what is not.
block() { "$nncc" "$1" --train --loss=MeanSquaredError --prefix m -o m.c >out 2>&1 && sed -n "s/^    {\"\([^\"]*\)\", \"$2\",.*/\1/p" m.c; }
trained() {
    local file=$1
    shift
    [ "$(block "$file" params | sort)" = "$(printf '%s\n' "$@" | sort)" ] || { block "$file" params; return 1; }
}
# has_state FILE NUMBER: as many tensors of state, named apart.
has_state() { [ "$(block "$1" state | sort -u | wc -l)" = "$2" ]; }

# gradients FILE OPTIONS LOSS DIR FIELD: gradients of the loss by input FIELD, and of params, against DIR/NAME.g.
cat >"$work/gradients.c" <<'C'
#include "m.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef M_PARAMS /* a network may have none */
M_PARAMS(params);
M_GRADS(grads);
#else
static unsigned char params[64], grads[64];
#endif
#ifdef M_OPT
M_OPT(opt);
#else
static unsigned char opt[64];
#endif
#ifdef M_ARENA
M_ARENA(arena);
#else
static unsigned char arena[64];
#endif
static REAL x[LENGTH], target[M_TARGET_LEN], y[M_Y_LEN], loss, x_grad[LENGTH];

static int read_file(const char *name, void *to, size_t size) {
    FILE *f = fopen(name, "rb");
    const int ok = f && fread(to, 1, size, f) == size;
    if (f) fclose(f);
    return ok;
}

/* Compares with NAME.g if there is one; what is not a number there has to be finite here. */
static int compare(const char *name, const REAL *got, int n) {
    static REAL expected[4096];
    char file[300];
    snprintf(file, sizeof file, "%s.g", name);
    if (!read_file(file, expected, (size_t)n * sizeof *got)) return printf("%s is not there\n", file), 1;
    int bad = 0;
    for (int i = 0; i < n; i++) {
        const double e = (double)expected[i], g = (double)got[i];
        if (!isfinite(g) || (!isnan(e) && fabs(g - e) > TOLERANCE * (1 + fabs(e)))) bad = 1, printf("%s[%d]: %.17g, expected %.17g\n", name, i, g, e);
    }
    return bad;
}

int main(void) {
    m_net net = {.FIELD = x, .target = target, .y = y, .loss = &loss, .FIELD_GRAD = x_grad};
#ifdef M_CORRECT_LEN
    static int32_t correct;
    net.correct = &correct;
#endif
    net.params = params, net.grads = grads, net.opt = opt, net.arena = arena;
    if (!read_file(NAME ".bin", x, sizeof x) || !read_file("t.bin", target, sizeof target)) return puts("no input"), 1;
    if (m_init(&net, 1) || m_forward_backward(&net)) return puts("a call failed"), 1;
    int bad = 0;
    for (int i = 0; m_tensors[i].name; i++)
        if (!strcmp(m_tensors[i].block, "grads")) {
            char name[200];
            snprintf(name, sizeof name, "%.*s", (int)(strlen(m_tensors[i].name) - strlen(".gradient")), m_tensors[i].name);
            bad |= compare(name, (const REAL *)(grads + m_tensors[i].offset), (int)(m_tensors[i].bytes / (int)sizeof(REAL)));
        }
    if (m_input_grad(&net)) return puts("input_grad failed"), 1;
    return bad | compare(NAME, x_grad, LENGTH);
}
C
gradients() { # FILE REAL TOLERANCE FIELD, in a folder with FIELD.bin, t.bin and the expected *.g
    local upper=${4^^}
    "$nncc" "$1" --train --real="f$([ "$2" = double ] && echo 64 || echo 32)" ${5:-} --prefix m -o m.c &&
        ${CC:-cc} -std=c11 -O1 -I. "-DREAL=$2" "-DTOLERANCE=$3" "-DFIELD=$4" "-DFIELD_GRAD=$4_grad" "-DLENGTH=M_${upper}_LEN" "-DNAME=\"$4\"" \
            gradients.c m.c -lm -o gradients && ./gradients
}
# floats TYPE NUMBER...: raw, to standard output.
floats() { python3 -c 'import struct, sys; sys.stdout.buffer.write(b"".join(struct.pack(sys.argv[1], float(x)) for x in sys.argv[2:]))' "$@"; }
# kink NAME GRADIENT...: of the input, as PyTorch 2.15 has it in double.
kink() {
    local dir=$cases/kinks/$1
    shift
    cp "$dir"/*.bin . && floats d "$@" >x0.g && gradients "$dir/m.nn" double 1e-9 x0
}
prelu() { floats d 4.361000137264208 >s.g && kink prelu_zero -1.1949653704379872 0.13599347437983278 0.28461440649611003 0.6260460648015385; }
relu6() { # half of the first picture is black: there Clip is at its lower bound
    local dir=$cases/kinks/relu6_black
    cp "$dir"/*.bin "$dir/w.g" . && floats d 2.488466019917179 0.5993608996123521 1.5599888803439272 >b.g &&
        python3 -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("72d", *([0.0] * 12 + [float("nan")] * 60)))' >x0.g && gradients "$dir/m.nn" double 1e-9 x0
}
clip_at_bound() { # the target is 0, the loss the mean of |y|: its gradient is sign(y) / 5 where Clip passes it
    floats d -2 -1 0.5 1 2 >x.bin && floats d 0 0 0 0 0 >t.bin && floats d 0 0 0.2 0 0 >x.g && gradients "$cases/clip_at_bound/clip.nn" double 1e-9 x
}
bce() { # d/dx of the mean over 5 of softplus(x) - t x: (sigmoid(x) - t) / 5
    floats f 0 16 18 -100 -110 >x.bin && floats f 1 1 1 0 0 >t.bin &&
        python3 -c 'import math, struct, sys
for x, t in ((0, 1), (16, 1), (18, 1), (-100, 0), (-110, 0)): sys.stdout.buffer.write(struct.pack("f", (1 / (1 + math.exp(-x)) - t) / 5))' >x.g &&
        gradients "$cases/grad_nan_bce/model.onnx" float 1e-6 x --loss=BinaryCrossEntropy
}
elu() { # the target is 0, the mean of y^2 of 3: 2 y / 3 * elu'(x), and y = x above 0
    floats f 1 20 100 >x.bin && floats f 0 0 0 >t.bin && floats f 0.66666667 13.3333333 66.6666667 >x.g &&
        gradients "$cases/grad_nan_elu/model.onnx" float 1e-6 x --loss=MeanSquaredError
}

# last FIGURE FILE: the last value of a figure that nncc train printed.
last() { tr '\r' '\n' <"$2" | grep -o "[ -]$1: [0-9.a-z+-]*" | tail -n 1 | sed 's/.*: //'; }
train() { timeout 120 "$nncc" train "$@" -o trained.onnx >out 2>&1 || { cat out; return 1; }; }
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; exit !(a != "" && b != "" && (d < 0 ? -d : d) <= t) }' || { echo "$1, expected $2"; return 1; }; }
fixed_batch() { # the validation's figures are those of all examples, whatever the batch they are computed in
    local dir=$cases/fixed_batch_metrics
    train "$dir/fixed16.nn" --data "$dir/c.csv" --epochs 3 && cp trained.onnx fixed.onnx && cat out
    local loss accuracy
    loss=$(last val_loss out) accuracy=$(last val_accuracy out)
    train "$dir/nod2.nn" --data "$dir/c.csv" --epochs 3 && cat out
    awk -v l="$loss" -v a="$accuracy" 'BEGIN { exit !(l > 0 && a > 0) }' && near "$loss" "$(last val_loss out)" 0.08 && near "$accuracy" "$(last val_accuracy out)" 0.2
}
fixed_batch_too_large() { # 149 examples, batches of 200: an error, or every example counted
    timeout 120 "$nncc" train "$cases/fixed_batch_metrics/fixed200.nn" --data "$cases/fixed_batch_metrics/c.csv" --epochs 1 -o trained.onnx >out 2>&1
    local got=$?
    cat out
    ! grep -Eq 'loss: 0\.0000' out && { [ $got = 1 ] && grep -q 200 out || [ $got = 0 ]; }
}
notes_of_note() { find "$shared/data" -name '*banknote*' | head -n 1; }
real_f64() {
    local data
    data=$(notes_of_note) && [ -n "$data" ] || return 1
    train "$cases/train_real_f64/banknote_hidden.nn" --data "$data" --epochs 2 --real=f64 && cat out
    local loss
    loss=$(last val_loss out)
    train "$cases/train_real_f64/banknote_hidden.nn" --data "$data" --epochs 2 && near "$loss" "$(last val_loss out)" 1e-4
}
epochs_ignored() {
    timeout 120 "$nncc" train "$cases/epochs_ignored/ep.nn" --data "$(notes_of_note)" -o trained.onnx >out 2>&1
    case $? in 0) grep -q '^Epoch 5/5' out ;; 1 | 2) grep -Eq 'epochs' out ;; *) return 1 ;; esac
}
per_pixel() { train "$cases/segmentation_labels/$1" --data "$cases/segmentation_labels" --epochs 4 ${2:-} && cat out && awk -v a="$(last accuracy out)" 'BEGIN { exit !(a > 0.8 && a <= 1) }'; }
# npy TYPE WIDTH LIMIT: an array [40, WIDTH] of small whole numbers, to standard output.
npy() {
    python3 -c 'import struct, sys
kind, width, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
head = "{\"descr\": \"<%s\", \"fortran_order\": False, \"shape\": (40, %d), }" % (kind, width)
head = head.replace("\"", chr(39)).ljust(128 - 11) + "\n"
cells = [(7 * i + i // width) % limit for i in range(40 * width)]
sys.stdout.buffer.write(b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head.encode() + struct.pack("<%d%s" % (len(cells), kind[0]), *cells))' "$@"
}
per_step() { # one class for each of 32 steps
    mkdir -p steps && npy f4 32 65 >steps/x_train.npy && npy i4 32 65 >steps/y_train.npy && train "$cases/sequence_labels/textcnn_f.nn" --data steps --epochs 2 &&
        cat out && awk -v l="$(last loss out)" 'BEGIN { exit !(l > 0 && l < 5) }'
}
retrain() {
    local dir=$cases/export_dropout_retrain data=$cases/fixed_batch_metrics/c.csv
    train "$dir/nod.nn" --data "$data" --epochs 1 && cp trained.onnx again.onnx && train again.onnx --data "$data" --epochs 1 --loss=SoftmaxCrossEntropyLoss &&
        train "$dir/nod.onnx" --data "$data" --epochs 1 --loss=SoftmaxCrossEntropyLoss && ! "$nncc" trained.onnx --emit=nn | grep -q Dropout
}
inference_form() { # the exported network takes the running statistics
    "$nncc" "$1" --train --loss=MeanSquaredError --emit=nn --entry=predict >predict.nn && cat predict.nn && ! grep -Eq 'training_mode = 1|Reduce' predict.nn
}
drops() { # every element is 0 or what it would be, twice, and some of both
    timeout 60 "$nncc" "$1" ${2:-} -o x.c
}
grid() { timeout 300 "$nncc" verify --target=cuda "$cases/cuda_launch/gy.nn" | tee out && grep -q ' ok$' out; }

for name in convtranspose_k1_stride2 resize_align_corners_fraction resize10_nearest_downsample mod_fmod0_inf mod_fmod0_signed_zero topk_nan \
    output_is_input output_is_initializer constant_sparse_value function_default_attribute; do
    case_ $name agrees "$cases/$name"
done
for name in output_is_input:x output_is_initializer:w; do
    case_ "${name%:*}/name" expect 0 "\\* out .*, \"${name#*:}\" in the model" "$nncc" "$cases/${name%:*}/model.onnx" --emit=h
done
case_ crop_and_resize_scales expect 0 'warning.*(length|extent|shape|[Rr]esize)' "$nncc" "$cases/crop_and_resize_scales/model.onnx" -o x.c
case_ crop_and_resize_scales/length sh -c "'$nncc' '$cases/crop_and_resize_scales/model.onnx' --emit=h 2>/dev/null | grep -q 'Y_LEN 8'"
for file in "$cases"/ir14/*.onnx; do case_ "ir14/$(basename "$file")" expect 0 '   ok$' "$nncc" verify "$file"; done
case_ unsorted_nodes expect 0 '   ok$' "$nncc" verify "$cases/unsorted_nodes/model.onnx"
for file in "$cases"/int4_weights/*.onnx; do case_ "int4_weights/$(basename "$file")" expect 0 '   ok$' "$nncc" verify "$file"; done
for file in "$cases"/dropout_training_mode/*.onnx; do
    dim=$(case $file in *mlp*) echo --dim=N=4 ;; esac)
    case_ "dropout_training_mode/$(basename "$file")" drops "$file" $dim
    case_ "dropout_training_mode/$(basename "$file"), trained" drops "$file" "$dim --train --loss=MeanSquaredError"
done
case_ export_dropout_retrain retrain
for file in "$cases"/omitted_output_crash/*.onnx "$cases"/split_fewer_parts/*.onnx "$cases"/unknown_dim/*.nn; do
    case_ "${file#"$cases"/}" says "$file"
done
for file in "$cases"/transpose_negative_perm/*; do case_ "${file#"$cases"/}" expect 1 'perm' "$nncc" "$file" -o x.c; done
case_ passes_none says "$cases/passes_none/t1.onnx" --passes=none
case_ interpret_scatter expect 0 '2, 6, 15, 4|2 6 15 4' sh -c "'$nncc' run '$cases/interpret_scatter/sc_b.onnx' -O0 --interpret"
case_ grad_nan_bce bce
case_ grad_nan_elu elu
case_ clip_at_bound clip_at_bound
case_ kinks/hardswish_edge kink hardswish_edge 0 0.08271753797352191 0.28461440649611003 0.38281616511239314
case_ kinks/leaky_zero kink leaky_zero -0.14890343586063018 0.041358768986760955 0.28461440649611003 0.6260460648015385
case_ kinks/prelu_zero prelu
case_ kinks/l2norm_zero_row kink l2norm_zero_row nan nan nan 0.05245867747527097 0.05023623039916142 -0.050977046091197936
case_ kinks/relu6_black relu6
case_ train_bn_stats_shared has_state "$cases/train_bn_stats_shared/model.onnx" 2
case_ train_bn_stats_identity has_state "$cases/train_bn_stats_identity/model.onnx" 2
case_ train_bn_training_mode inference_form "$cases/train_bn_training_mode/model.onnx"
case_ train_dense1_bias trained "$cases/train_dense1_bias/model.onnx" w b
case_ train_scale_position trained "$cases/train_scale_position/model.onnx" w g pos
group='c.weight c.bias i.weight i.bias onnx::Mul_27 onnx::Add_28 onnx::PRelu_29'
case_ train_groupnorm_pytorch trained "$cases/train_groupnorm_pytorch/model.onnx" $group
for file in "$cases"/tile_grad_open_batch/*.nn; do case_ "${file#"$cases"/}" expect 0 - "$nncc" "$file" --train --dim=batch=1..8 -o x.c; done
case_ fixed_batch_metrics fixed_batch
case_ fixed_batch_metrics/fixed200 fixed_batch_too_large
case_ segmentation_labels per_pixel seg.nn
case_ segmentation_labels/onnx per_pixel seg.onnx "--loss=SoftmaxCrossEntropyLoss --lr=0.1" # 4 steps: the default, 0.001, is too small
case_ segmentation_labels/one expect 1 '\[.*4.*4\]' "$nncc" train "$cases/segmentation_labels/seg.nn" --data "$cases/segmentation_labels/one" -o y.onnx
case_ segmentation_labels/rank expect 1 'scores|label' "$nncc" train "$cases/segmentation_labels/dense_without_flatten.nn" --data "$shared/data/cifar10" -o y.onnx
case_ epochs_ignored epochs_ignored
case_ train_real_f64 real_f64
case_ sequence_labels per_step
case_ cuda_launch/gy grid
for dir in "$cases"/missing_gradients/*; do case_ "${dir#"$cases"/}" expect 0 - "$nncc" "$dir/m.nn" --train -o x.c; done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
