/* infer_signal.c - Fourier transforms and the windows that go with them. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_nn.h"

/* The one integer of input i, at least `least`; false after a problem(). */
static bool one_int(Node *n, int i, int64_t least, int64_t *out) {
    int count;
    if (!need_ints(n, i, 1, &count, out)) return false;
    if (count == 1 && *out >= least && *out <= (int64_t)1 << 40) return true;
    problem(n, EXIT_INPUT, "%s: expected at least %lld, saw %lld", arg_text(n, i), (long long)least,
            (long long)(count ? *out : 0));
    return false;
}

/* Whether the last dim has real parts, or real and imaginary ones. */
static bool holds_numbers(const Type *t) {
    Dim last = t->dim[t->rank - 1];
    return (last.max == 1 || last.max == 2) && !last.symbol;
}

bool dft_of(Node *n, int *axis, int64_t *length) {
    const Type *t = in_type(n, 0);
    int64_t given = -2;
    if (!need_rank_from(n, 0, 2)) return false;
    if (input(n, 2) && !one_int(n, 2, -MAX_RANK, &given)) return false;
    given = axis_in(given, t->rank);
    if (given < 0 || given == t->rank - 1 || !holds_numbers(t)) {
        problem(n, EXIT_INPUT, "%s: expected real and imaginary parts in its last dim, and the axis before, saw %s",
                arg_text(n, 0), in_text(n, 0));
        return false;
    }
    *axis = (int)given;
    if (!need_fixed(n, t->dim[given], "the transformed axis")) return false;
    *length = attr_i(n, "inverse") && attr_i(n, "onesided") ? 2 * (t->dim[given].max - 1) : t->dim[given].max;
    return !input(n, 1) || one_int(n, 1, 1, length);
}

void infer_dft(Node *n) {
    const Type *t = in_type(n, 0);
    int axis;
    int64_t length;
    if (!dft_of(n, &axis, &length)) return;
    bool inverse = attr_i(n, "inverse") != 0, half = attr_i(n, "onesided") != 0;
    Dim dim[MAX_RANK];
    memcpy(dim, t->dim, sizeof dim);
    dim[axis] = fixed(half && !inverse ? length / 2 + 1 : length);
    dim[t->rank - 1] = fixed(half && inverse ? 1 : 2);
    if (half && t->dim[t->rank - 1].max != (inverse ? 2 : 1))
        problem(n, EXIT_INPUT, "%s: expected %s numbers for onesided, saw %s", arg_text(n, 0),
                inverse ? "complex" : "real", in_text(n, 0));
    else
        set_shape(n, 0, t->rank, dim);
}

bool frames_of(Node *n, int64_t *step, int64_t *length) {
    const Type *t = in_type(n, 0);
    if (!need_rank(n, 0, 3) || !one_int(n, 1, 1, step) || !need_fixed(n, t->dim[1], "the length of the signal"))
        return false;
    if (!holds_numbers(t)) {
        problem(n, EXIT_INPUT, "%s: expected real and imaginary parts in its last dim, saw %s", arg_text(n, 0),
                in_text(n, 0));
        return false;
    }
    *length = t->dim[1].max;
    if (input(n, 2)) {
        if (!need_rank(n, 2, 1)) return false;
        *length = in_type(n, 2)->dim[0].max;
    }
    return !input(n, 3) || one_int(n, 3, 1, length);
}

void infer_stft(Node *n) {
    const Type *t = in_type(n, 0);
    int64_t step, length;
    if (!frames_of(n, &step, &length)) return;
    if (length < 1 || length > t->dim[1].max || (input(n, 2) && in_type(n, 2)->dim[0].max != length)) {
        problem(n, EXIT_INPUT, "expected frames within the signal %s, saw frames of %lld", in_text(n, 0),
                (long long)length);
        return;
    }
    int64_t frames = (t->dim[1].max - length) / step + 1, bins = attr_i(n, "onesided") ? length / 2 + 1 : length;
    set_shape(n, 0, 4, (Dim[]){t->dim[0], fixed(frames), fixed(bins), fixed(2)});
}

void infer_signal_window(Node *n) {
    int64_t size;
    DType t = attr_dtype(n, "output_datatype");
    if (t != DT_none && one_int(n, 0, 0, &size)) set_result(n, 0, t, 1, (Dim[]){fixed(size)});
}

void infer_mel_weights(Node *n) {
    int64_t bins, length, rate;
    DType t = attr_dtype(n, "output_datatype");
    if (t == DT_none || !one_int(n, 0, 0, &bins) || !one_int(n, 1, 1, &length) || !one_int(n, 2, 1, &rate)) return;
    set_result(n, 0, t, 2, (Dim[]){fixed(length / 2 + 1), fixed(bins)});
}
