/* signal.c - Fourier transforms by definition, the windows and filters that go with them. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"
#include "ops/infer.h"
#include <math.h>

static const double PI = 3.14159265358979323846;

/* ---- DFT, STFT ---- */

/* One transform: element k of the result is the sum over samples of x * e^(sign * 2 pi j k n / length). */
typedef struct {
    Lower *l;
    Node *n;
    DType t;
    int axis;                /* of the samples, in the index of the input */
    int64_t length, samples; /* `samples` of the input are used, the rest is zeros */
    bool complex_in, inverse;
    bool mirrored;       /* half a spectrum is given: what its other half adds, the conjugate, is added */
    Expr *idx[MAX_RANK]; /* of a sample, but for `axis` and the last dim */
    Expr *start;         /* STFT: where the frame begins */
    Value *window;       /* STFT: what scales its samples */
    Value *turns;        /* cosine and sine of every angle */
} Transform;

static Expr *sample_at(const Transform *f, Expr *n, int part) {
    Expr *in[MAX_RANK];
    memcpy(in, f->idx, sizeof in);
    in[f->axis] = f->start ? ix_add(f->l, f->start, n) : n;
    in[in_shape(f->n, 0)->rank - 1] = ix(f->l, part);
    return value_at(f->l, f->n->in[0], in);
}

/* What a sample is multiplied with: the window; in a mirrored spectrum 2 between its first and its middle. */
static Expr *factor_at(const Transform *f, Expr *n) {
    Lower *l = f->l;
    if (f->window) return let(l, "w", value_at(l, f->window, &n));
    if (!f->mirrored) return NULL;
    Expr *between = in_range(l, n, ix(l, 1), ix(l, (f->length + 1) / 2));
    return let(l, "times", select_of(l, between, num(l, f->t, 2), num(l, f->t, 1)));
}

/* Cosines and sines of all angles that occur, rounded once, so that sines of half turns vanish. */
static Value *turns_of(const Transform *f) {
    Lower *l = f->l;
    int64_t dim[2] = {f->length, 2};
    Value *turns = scratch(l, "turns", f->t, 2, dim);
    Expr *i = open_for(l, "i", AX_PAR, ix(l, f->length));
    Expr *angle = let(l, "angle", mul(l, cast(l, i, DT_f64), num(l, DT_f64, 2 * PI / (double)f->length)));
    Expr *s = map1(l, OP_Sin, angle);
    store(l, turns, (Expr *[]){i, ix(l, 0)}, map1(l, OP_Cos, angle));
    store(l, turns, (Expr *[]){i, ix(l, 1)}, f->inverse ? s : map1(l, OP_Neg, s));
    close_block(l);
    return turns;
}

static void transform(const Transform *f, Expr *k, Expr *re, Expr *im) {
    Lower *l = f->l;
    Expr *turn = var(l, "turn", DT_index, ix(l, 0)), *n = open_for(l, "n", AX_SEQ, ix(l, f->samples));
    Expr *c = let(l, "c", load(l, f->turns, (Expr *[]){turn, ix(l, 0)})),
         *s = let(l, "s", load(l, f->turns, (Expr *[]){turn, ix(l, 1)}));
    Expr *x = sample_at(f, n, 0), *y = f->complex_in ? sample_at(f, n, 1) : NULL, *factor = factor_at(f, n);
    x = let(l, "x", factor ? mul(l, x, factor) : x);
    if (y) y = let(l, "y", factor ? mul(l, y, factor) : y);
    set(l, re, add(l, re, y ? sub(l, mul(l, x, c), mul(l, y, s)) : mul(l, x, c)));
    if (im) set(l, im, add(l, im, y ? add(l, mul(l, x, s), mul(l, y, c)) : mul(l, x, s)));
    set(l, turn, ix_mod(l, ix_add(l, turn, k), ix(l, f->length)));
    close_block(l);
}

/* Stores the real and, if the result has one, the imaginary part of element k, which lies at idx. */
static void store_transform(const Transform *f, Expr *k, Expr **idx) {
    Lower *l = f->l;
    const Type *y = &f->n->out[0]->type;
    bool real_out = y->dim[y->rank - 1].max == 1;
    Expr *re = var(l, "re", f->t, num(l, f->t, 0)), *im = real_out ? NULL : var(l, "im", f->t, num(l, f->t, 0));
    Expr *scale = num(l, f->t, f->inverse ? 1 / (double)f->length : 1);
    transform(f, k, re, im);
    idx[y->rank - 1] = ix(l, 0);
    store(l, f->n->out[0], idx, f->inverse ? mul(l, re, scale) : re);
    idx[y->rank - 1] = ix(l, 1);
    if (im) store(l, f->n->out[0], idx, f->inverse ? mul(l, im, scale) : im);
}

static int open_spectrum(Lower *l, const Type *y, Expr **idx) {
    Type t = *y;
    t.dim[t.rank - 1] = (Dim){1, NULL};
    return open_dims(l, &t, 0, idx);
}

void lower_dft(Lower *l, Node *n) {
    const Type *x = in_shape(n, 0);
    Transform f = {.l = l, .n = n, .t = computed(n, 0), .complex_in = x->dim[x->rank - 1].max == 2};
    ASSERT(dft_of(n, &f.axis, &f.length));
    f.inverse = attr_i(n, "inverse") != 0;
    f.mirrored = f.inverse && attr_i(n, "onesided");
    f.samples = f.mirrored ? f.length / 2 + 1 : f.length;
    if (f.samples > x->dim[f.axis].max) f.samples = x->dim[f.axis].max;
    f.turns = turns_of(&f);
    int opened = open_spectrum(l, &n->out[0]->type, f.idx);
    Expr *idx[MAX_RANK];
    memcpy(idx, f.idx, sizeof idx);
    store_transform(&f, f.idx[f.axis], idx);
    close_blocks(l, opened);
}

/* The result is [batch, frames, bins, 2]; the frame length follows from the window, the input or the result. */
void lower_stft(Lower *l, Node *n) {
    const Type *x = in_shape(n, 0), *y = &n->out[0]->type;
    int64_t step, length;
    ASSERT(frames_of(n, &step, &length));
    Transform f = {.l = l,
                   .n = n,
                   .t = computed(n, 0),
                   .axis = 1,
                   .length = length,
                   .samples = length,
                   .complex_in = x->dim[2].max == 2};
    Expr *idx[MAX_RANK];
    f.turns = turns_of(&f);
    int opened = open_spectrum(l, y, idx);
    f.window = input(n, 2), f.idx[0] = idx[0], f.start = ix_mul(l, idx[1], ix(l, step));
    store_transform(&f, idx[2], idx);
    close_blocks(l, opened);
}

/* ---- windows ---- */

/* a - b cos(turn) + c cos(2 turn) */
static const struct {
    int op;
    double a, b, c;
} signal_windows[] = {
    {OP_HannWindow, 0.5, 0.5, 0},
    {OP_HammingWindow, 25.0 / 46, 21.0 / 46, 0},
    {OP_BlackmanWindow, 0.42, 0.5, 0.08},
};

Expr *at_signal_window(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *y = &n->out[out]->type;
    int64_t steps = y->dim[0].max - !attr_i(n, "periodic");
    DType t = is_float(y->dtype) ? compute_type(y->dtype) : DT_f32;
    int k = 0;
    while (n->op != &ops[signal_windows[k].op]) k++;
    Expr *turn = let(l, "turn", mul(l, cast(l, idx[0], t), num(l, t, 2 * PI / (double)(steps > 0 ? steps : 1))));
    Expr *w = sub(l, num(l, t, signal_windows[k].a), mul(l, num(l, t, signal_windows[k].b), map1(l, OP_Cos, turn)));
    if (signal_windows[k].c == 0) return cast(l, w, y->dtype);
    Expr *second = map1(l, OP_Cos, mul(l, turn, num(l, t, 2)));
    return cast(l, add(l, w, mul(l, num(l, t, signal_windows[k].c), second)), y->dtype);
}

/* ---- MelWeightMatrix ---- */

/* 2595 log10(1 + hertz / 700) */
static Expr *mel_of(Lower *l, Expr *hertz) {
    Expr *x = map1(l, OP_Log1p, quotient(l, cast(l, hertz, DT_f64), num(l, DT_f64, 700)));
    return mul(l, x, num(l, DT_f64, 2595 / log(10)));
}

static const double MAX_BIN = 1 << 24; /* keeps differences of bins in range whatever the frequencies */

/* The frequency bin at which triangle `i` begins. */
static Expr *mel_bin(Lower *l, const Node *n, Expr *low, Expr *step, Expr *i) {
    Expr *mel = add(l, mul(l, cast(l, i, DT_f64), step), low);
    Expr *hertz = mul(l, map1(l, OP_Expm1, mul(l, mel, num(l, DT_f64, log(10) / 2595))), num(l, DT_f64, 700));
    Expr *length = add(l, cast(l, element_of(l, n->in[1]), DT_f64), num(l, DT_f64, 1));
    Expr *rate = cast(l, element_of(l, n->in[2]), DT_f64);
    Expr *bin = map1(l, OP_Floor, quotient(l, mul(l, length, hertz), rate));
    return cast(l, clamp(l, bin, num(l, DT_f64, -MAX_BIN), num(l, DT_f64, MAX_BIN)), DT_index);
}

static Expr *ratio_of(Lower *l, Expr *a, Expr *b) { return quotient(l, cast(l, a, DT_f64), cast(l, b, DT_f64)); }

/* Row j, column i: a triangle that rises from bin i to bin i + 1, where it is 1, and falls to bin i + 2. */
Expr *at_mel_weight_matrix(Lower *l, Node *n, int out, Expr *const *idx) {
    Expr *j = idx[0], *i = idx[1], *low = let(l, "low", mel_of(l, element_of(l, n->in[3])));
    Expr *bins = cast(l, add(l, cast(l, element_of(l, n->in[0]), DT_f64), num(l, DT_f64, 2)), DT_f64);
    Expr *step = let(l, "step", quotient(l, sub(l, mel_of(l, element_of(l, n->in[4])), low), bins));
    Expr *left = let(l, "left", mel_bin(l, n, low, step, i));
    Expr *top = let(l, "top", mel_bin(l, n, low, step, ix_add(l, i, ix(l, 1))));
    Expr *right = let(l, "right", mel_bin(l, n, low, step, ix_add(l, i, ix(l, 2)))), *zero = num(l, DT_f64, 0);
    Expr *up = select_of(l, ix_less(l, j, left), zero, ratio_of(l, ix_sub(l, j, left), ix_sub(l, top, left)));
    Expr *down = select_of(l, ix_less(l, j, right), ratio_of(l, ix_sub(l, right, j), ix_sub(l, right, top)), zero);
    Expr *e = select_of(l, ix_equal(l, j, top), num(l, DT_f64, 1), select_of(l, ix_less(l, j, top), up, down));
    return cast(l, e, n->out[out]->type.dtype);
}
