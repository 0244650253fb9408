/* conv.c - convolutions: sums over windows, in floats and in exact integers, and their transposes. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* ---- windows ---- */

/* Loops over a kernel: k for one dim, else p q r... */
static char tap_letter(const Window *w, int s) { return w->n == 1 ? 'k' : "pqrstuvxyz"[s]; }

static Expr *open_tap(Lower *l, const Window *w, int s, int64_t count, int *opened) {
    return open_dim(l, tap_letter(w, s), AX_SEQ, (Dim){count, NULL}, opened);
}

Expr *within(Lower *l, Expr *pos, Dim d, const int64_t *halo, int dim) {
    int64_t before = halo ? halo[2 * dim] : 0, after = halo ? halo[2 * dim + 1] : 0;
    return in_range(l, pos, ix(l, -before), ix_add(l, extent(l, d), ix(l, after)));
}

int open_window(Lower *l, const Window *w, const Type *x, const int64_t *halo, Expr *const *at, Expr **tap,
                Expr **pos) {
    int opened = 0;
    for (int s = 0; s < w->n; s++) {
        tap[s] = open_tap(l, w, s, w->kernel[s], &opened);
        Expr *from = ix_sub(l, ix_mul(l, at[s], ix(l, w->stride[s])), ix(l, w->begin[s]));
        pos[s] = ix_add(l, from, ix_mul(l, tap[s], ix(l, w->dilation[s])));
        open_guard(l, within(l, pos[s], x->dim[2 + s], halo, 2 + s), &opened);
    }
    return opened;
}

/* ---- Conv, ConvInteger, QLinearConv ---- */

/* What is summed: x - x_zero times w - w_zero in i32 if there are zero points, else in the type of x. */
typedef struct {
    Value *x, *w, *x_zero, *w_zero;
    bool integer;
    DType acc;
} Operands;

static Expr *operand(Lower *l, const Operands *a, Value *v, Expr *const *idx, Expr *zero) {
    return a->integer ? less_zero_point(l, value_at(l, v, idx), zero) : value_at(l, v, idx);
}

Expr *group_start(Lower *l, const Node *n, Expr *o, int64_t results, int64_t channels) {
    int64_t groups = attr_i(n, "group");
    return groups == 1 ? ix(l, 0) : ix_mul(l, ix_div(l, o, ix(l, results / groups)), ix(l, channels));
}

static Expr *conv_sum(Lower *l, Node *n, const Operands *a, Expr *const *idx, Expr *init) {
    Window w = window_of(n);
    const Type *wt = &a->w->type;
    Expr *xi[MAX_RANK] = {idx[0]}, *wi[MAX_RANK] = {idx[1]};
    Expr *xz = quant_param(l, a->x_zero, 1, idx, 0), *wz = quant_param(l, a->w_zero, 1, &idx[1], 0);
    Expr *start = group_start(l, n, idx[1], wt->dim[0].max, wt->dim[1].max);
    Expr *acc = var(l, "acc", a->acc, init);
    int opened = 0;
    wi[1] = open_dim(l, 'c', AX_SEQ, wt->dim[1], &opened);
    xi[1] = ix_add(l, start, wi[1]);
    opened += open_window(l, &w, &a->x->type, a->x->layout.halo, idx + 2, wi + 2, xi + 2);
    set(l, acc, add(l, acc, mul(l, operand(l, a, a->x, xi, xz), operand(l, a, a->w, wi, wz))));
    close_blocks(l, opened);
    return acc;
}

static Expr *bias_or_zero(Lower *l, const Node *n, int input_index, DType t, Expr *const *idx) {
    Value *b = input(n, input_index);
    return b ? value_at(l, b, &idx[1]) : num(l, t, 0);
}

Expr *at_conv(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Operands a = {.x = n->in[0], .w = n->in[1], .acc = computed(n, 0)};
    return conv_sum(l, n, &a, idx, bias_or_zero(l, n, 2, a.acc, idx));
}

Expr *at_conv_integer(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Operands a = {n->in[0], n->in[1], input(n, 2), input(n, 3), true, DT_i32};
    return conv_sum(l, n, &a, idx, num(l, DT_i32, 0));
}

/* Inputs: x, its scale and zero point, w's, the result's, an i32 bias. Padding is x's zero point: it adds nothing. */
Expr *at_qlinear_conv(Lower *l, Node *n, int out, Expr *const *idx) {
    Operands a = {n->in[0], n->in[3], n->in[2], n->in[5], true, DT_i32};
    Expr *acc = conv_sum(l, n, &a, idx, bias_or_zero(l, n, 8, DT_i32, idx));
    Expr *scale = mul(l, element_of(l, n->in[1]), quant_param(l, n->in[4], 1, &idx[1], 0));
    scale = quotient(l, scale, element_of(l, n->in[6]));
    return requantize(l, acc, scale, element_of(l, n->in[7]), n->out[out]->type.dtype);
}

/* ---- transposed windows: which input elements and taps reach a result element ---- */

/* Without dilation every stride-th tap reaches the element: phase, phase + stride, ... over inputs that step back. */
static void open_phase(Lower *l, const Transposed *t, int s, Expr *reach, Expr **tap, Expr **pos, int *opened) {
    int64_t stride = t->w.stride[s], kernel = t->w.kernel[s], zeros = t->tap_halo ? t->tap_halo[5 + 2 * s] : 0;
    Expr *phase = ix_mod(l, reach, ix(l, stride)), *last = ix_div(l, reach, ix(l, stride));
    Expr *k = open_tap(l, &t->w, s, ceil_div(kernel, stride), opened);
    *tap = ix_add(l, phase, ix_mul(l, k, ix(l, stride)));
    *pos = ix_sub(l, last, k);
    open_guard(l, ix_less(l, *tap, ix(l, kernel + zeros)), opened);
    open_guard(l, within(l, *pos, t->in[s], t->halo, 2 + s), opened);
}

/* With dilation each tap is tried. */
static void open_tried(Lower *l, const Transposed *t, int s, Expr *reach, Expr **tap, Expr **pos, int *opened) {
    Expr *stride = ix(l, t->w.stride[s]);
    *tap = open_tap(l, &t->w, s, t->w.kernel[s], opened);
    Expr *from = ix_sub(l, reach, ix_mul(l, *tap, ix(l, t->w.dilation[s])));
    open_guard(l, in_range(l, from, ix(l, 0), ix_mul(l, extent(l, t->in[s]), stride)), opened);
    open_guard(l, ix_equal(l, ix_mod(l, from, stride), ix(l, 0)), opened);
    *pos = ix_div(l, from, stride);
}

int open_transposed(Lower *l, const Transposed *t, Expr *const *at, Expr **tap, Expr **pos) {
    int opened = 0;
    for (int s = 0; s < t->w.n; s++) {
        bool phased = t->w.dilation[s] == 1 && t->w.begin[s] >= 0;
        Expr *reach = ix_add(l, at[s], ix(l, t->w.begin[s]));
        (phased ? open_phase : open_tried)(l, t, s, reach, &tap[s], &pos[s], &opened);
    }
    return opened;
}

Transposed transposed_of(Node *n, const Value *x, const Value *w) {
    return (Transposed){window_of(n), x->type.dim + 2, x->layout.halo, w->layout.halo};
}

/* Weights are [C, M / group, k...]. */
Expr *at_conv_transpose(Lower *l, Node *n, int out, Expr *const *idx) {
    Transposed w = transposed_of(n, n->in[0], n->in[1]);
    const Type *wt = in_shape(n, 1);
    int64_t group = attr_i(n, "group"), channels = wt->dim[0].max / group;
    DType t = computed(n, 0);
    Expr *xi[MAX_RANK] = {idx[0]}, *wi[MAX_RANK];
    Expr *start = group_start(l, n, idx[1], n->out[out]->type.dim[1].max, channels);
    Expr *acc = var(l, "acc", t, bias_or_zero(l, n, 2, t, idx));
    int opened = 0;
    xi[1] = wi[0] = ix_add(l, start, open_dim(l, 'c', AX_SEQ, (Dim){channels, NULL}, &opened));
    wi[1] = ix_mod(l, idx[1], ix(l, wt->dim[1].max));
    opened += open_transposed(l, &w, idx + 2, wi + 2, xi + 2);
    set(l, acc, add(l, acc, mul(l, value_at(l, n->in[0], xi), value_at(l, n->in[1], wi))));
    close_blocks(l, opened);
    return acc;
}

/* The input is [N, C * taps, blocks]: taps and blocks are numbered row by row. */
Expr *at_col2im(Lower *l, Node *n, int out, Expr *const *idx) {
    Dim blocks[MAX_RANK], all;
    Window w;
    bool fit = blocks_in(n, n->out[out]->type.dim + 2, &w, blocks, &all);
    ASSERT(fit);
    DType t = computed(n, 0);
    Expr *tap[MAX_RANK], *pos[MAX_RANK], *acc = var(l, "acc", t, num(l, t, 0));
    int opened = open_transposed(l, &(Transposed){w, blocks, NULL, NULL}, idx + 2, tap, pos);
    Expr *column = idx[1], *block = ix(l, 0);
    for (int s = 0; s < w.n; s++) {
        column = ix_add(l, ix_mul(l, column, ix(l, w.kernel[s])), tap[s]);
        block = ix_add(l, ix_mul(l, block, extent(l, blocks[s])), pos[s]);
    }
    set(l, acc, add(l, acc, value_at(l, n->in[0], (Expr *[]){idx[0], column, block})));
    close_blocks(l, opened);
    return acc;
}

/* What a block has at an element: that of the image, or 0 beside it. */
Expr *at_col2im_grad(Lower *l, Node *n, int out, Expr *const *idx) {
    Dim blocks[MAX_RANK], all;
    Window w;
    bool fit = blocks_in(n, in_shape(n, 3)->dim + 2, &w, blocks, &all);
    ASSERT(fit);
    DType t = computed(n, 0);
    Expr *pos[MAX_RANK] = {idx[0]}, *column = idx[1], *block = idx[2], *y = var(l, "y", t, num(l, t, 0));
    int opened = 0;
    for (int s = w.n - 1; s >= 0; s--) {
        Expr *tap = ix_mod(l, column, ix(l, w.kernel[s])), *k = s ? ix_mod(l, block, extent(l, blocks[s])) : block;
        Expr *at = ix_add(l, ix_mul(l, k, ix(l, w.stride[s])), ix_mul(l, tap, ix(l, w.dilation[s])));
        pos[2 + s] = ix_sub(l, at, ix(l, w.begin[s]));
        column = ix_div(l, column, ix(l, w.kernel[s])), block = ix_div(l, block, extent(l, blocks[s]));
        open_guard(l, in_range(l, pos[2 + s], ix(l, 0), extent(l, in_shape(n, 3)->dim[2 + s])), &opened);
    }
    pos[1] = column;
    set(l, y, value_at(l, n->in[3], pos));
    close_blocks(l, opened);
    (void)out;
    return y;
}

/* ---- CausalConvWithState: depthwise, one-dimensional, over the past and the present ---- */

/* Element t of a channel's past state (zeros if there is none) followed by its input. */
static Expr *causal_element(Lower *l, const Node *n, Expr *batch, Expr *c, Expr *t) {
    Value *x = n->in[0], *past = input(n, 3);
    Expr *length = ix(l, n->in[1]->type.dim[2].max - 1);
    Expr *now = value_at(l, x, (Expr *[]){batch, c, ix_sub(l, t, length)});
    Expr *before = past ? value_at(l, past, (Expr *[]){batch, c, t}) : num(l, x->type.dtype, 0);
    return select_of(l, ix_less(l, t, length), before, now);
}

Expr *at_causal_conv_with_state(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *x = in_shape(n, 0);
    if (out == 1) return causal_element(l, n, idx[0], idx[1], ix_add(l, extent(l, x->dim[2]), idx[2]));
    DType t = computed(n, 0);
    Expr *acc = var(l, "acc", t, bias_or_zero(l, n, 2, t, idx));
    int opened = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, in_shape(n, 1)->dim[2], &opened);
    Expr *w = value_at(l, n->in[1], (Expr *[]){idx[1], ix(l, 0), k});
    set(l, acc, add(l, acc, mul(l, w, causal_element(l, n, idx[0], idx[1], ix_add(l, idx[2], k)))));
    close_blocks(l, opened);
    return strcmp(attr_s(n, "activation"), "none") ? mul(l, acc, map1(l, OP_Sigmoid, acc)) : acc;
}
