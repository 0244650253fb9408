/* deform.c - DeformConv: a convolution whose taps are moved by offsets, and the columns that its gradient goes through.
 */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* The number of a tap, row by row. */
static Expr *tap_number(Lower *l, const Window *w, Expr *const *tap) {
    Expr *k = ix(l, 0);
    for (int s = 0; s < w->n; s++) k = ix_add(l, ix_mul(l, k, ix(l, w->kernel[s])), tap[s]);
    return k;
}

/* Offsets are [N, groups * taps * dims, o...], the mask [N, groups * taps, o...]. */
static Expr *moved_by(Lower *l, Value *v, Expr *const *idx, Expr *channel) {
    Expr *in[MAX_RANK] = {idx[0], channel};
    for (int i = 2; i < v->type.rank; i++) in[i] = idx[i];
    return value_at(l, v, in);
}

typedef struct {
    Lower *l;
    Node *n;
    Window w;
    DType t;
    Expr *const *idx;
    Expr *wi[MAX_RANK], *xi[MAX_RANK];
    int opened;
} Deformed;

/* Opens the loops over channels and taps. */
static void open_deformed(Deformed *d) {
    Lower *l = d->l;
    const Type *wt = in_shape(d->n, 1);
    int64_t per_group = wt->dim[0].max / attr_i(d->n, "group");
    d->xi[0] = d->idx[0], d->wi[0] = d->idx[1];
    d->wi[1] = open_dim(l, 'c', AX_SEQ, wt->dim[1], &d->opened);
    d->xi[1] = ix_add(l, ix_mul(l, ix_div(l, d->idx[1], ix(l, per_group)), ix(l, wt->dim[1].max)), d->wi[1]);
    for (int s = 0; s < d->w.n; s++) {
        static const char letters[] = "pqrstuvxyz";
        Dim kernel = {d->w.kernel[s], NULL};
        d->wi[2 + s] = open_dim(l, letters[s], AX_SEQ, kernel, &d->opened);
    }
}

/* The coordinate in spatial dim s that a tap was moved to by input `offset`: not so far that it could not be told from
 * what is outside. */
static Expr *moved_to(Lower *l, Node *n, int offset, const Window *w, int s, Expr *tap, Expr *const *idx,
                      Expr *number) {
    DType t = computed(n, 0);
    Expr *from = ix_sub(l, ix_mul(l, idx[2 + s], ix(l, w->stride[s])), ix(l, w->begin[s]));
    Expr *at = ix_add(l, from, ix_mul(l, tap, ix(l, w->dilation[s])));
    Expr *by = moved_by(l, n->in[offset], idx, ix_add(l, ix_mul(l, number, ix(l, w->n)), ix(l, s)));
    double size = (double)in_shape(n, 0)->dim[2 + s].max;
    return let(l, "x", clamp(l, add(l, cast(l, at, t), by), num(l, t, -3), num(l, t, size + 2)));
}

Expr *at_deform_conv(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Deformed d = {.l = l, .n = n, .w = window_of(n), .t = computed(n, 0), .idx = idx};
    const Type *x = in_shape(n, 0);
    static const Filter linear = {1, 1, 0, OUTSIDE_SKIP};
    int64_t taps = 1;
    for (int s = 0; s < d.w.n; s++) taps *= d.w.kernel[s];
    Expr *acc = var(l, "acc", d.t, input(n, 3) ? value_at(l, n->in[3], &idx[1]) : num(l, d.t, 0));
    Expr *coordinate[MAX_RANK], *weight;
    open_deformed(&d);
    Expr *group = ix_div(l, d.xi[1], ix(l, x->dim[1].max / attr_i(n, "offset_group")));
    Expr *number = ix_add(l, ix_mul(l, group, ix(l, taps)), tap_number(l, &d.w, d.wi + 2));
    Expr *factor = value_at(l, n->in[1], d.wi);
    if (input(n, 4)) factor = mul(l, factor, moved_by(l, n->in[4], idx, number));
    factor = let(l, "w", factor);
    for (int s = 0; s < d.w.n; s++) coordinate[s] = moved_to(l, n, 2, &d.w, s, d.wi[2 + s], idx, number);
    for (int s = 0; s < d.w.n; s++) {
        Dim size = x->dim[2 + s];
        open_taps(l, "uvwijklmno"[s], &linear, coordinate[s], size, &d.xi[2 + s], &weight, NULL, &d.opened);
        factor = mul(l, factor, weight);
    }
    set(l, acc, add(l, acc, mul(l, factor, value_at(l, n->in[0], d.xi))));
    close_blocks(l, d.opened);
    return acc;
}

/* ---- columns: what every tap finds, times the mask; inputs X, offset, mask, and of gradients dY ---- */

/* Element `column` at a place of the result: channel and tap, and the number of the tap among those with offsets. */
typedef struct {
    Lower *l;
    Node *n;
    Window w;
    DType t;
    Expr *const *idx; /* image, column, place */
    Expr *tap[MAX_RANK], *number, *in[MAX_RANK], *factor, *x[MAX_RANK];
} Column;

static int64_t taps_of(const Window *w) {
    int64_t taps = 1;
    for (int s = 0; s < w->n; s++) taps *= w->kernel[s];
    return taps;
}

static int64_t channels_of(const Node *n) { return in_shape(n, 0)->dim[1].max / attr_i(n, "offset_group"); }

/* The coordinates of a tap of a channel, and what the mask makes of it. */
static Column column_at(Lower *l, Node *n, Expr *channel, Expr *tap, Expr *const *idx) {
    Column c = {.l = l, .n = n, .w = window_of(n), .t = computed(n, 0), .idx = idx};
    Expr *group = ix_div(l, channel, ix(l, channels_of(n))), *rest = tap;
    c.in[0] = idx[0], c.in[1] = channel;
    for (int s = c.w.n - 1; s >= 0; s--) {
        c.tap[s] = s ? ix_mod(l, rest, ix(l, c.w.kernel[s])) : rest;
        rest = ix_div(l, rest, ix(l, c.w.kernel[s]));
    }
    c.number = ix_add(l, ix_mul(l, group, ix(l, taps_of(&c.w))), tap);
    c.factor = input(n, 2) ? let(l, "mask", moved_by(l, n->in[2], idx, c.number)) : num(l, c.t, 1);
    for (int s = 0; s < c.w.n; s++) c.x[s] = moved_to(l, n, 1, &c.w, s, c.tap[s], idx, c.number);
    return c;
}

static void open_column(Column *c, Expr **weight, Expr **slope, int *opened) {
    static const Filter linear = {1, 1, 0, OUTSIDE_SKIP};
    for (int s = 0; s < c->w.n; s++)
        open_taps(c->l, "uvwijklmno"[s], &linear, c -> x[s], in_shape(c->n, 0) -> dim[2 + s], &c -> in[2 + s],
                  &weight[s], slope ? &slope[s] : NULL, opened);
}

static Expr *product_of(Lower *l, int n, Expr *const *weight) {
    Expr *e = weight[0];
    for (int i = 1; i < n; i++) e = mul(l, e, weight[i]);
    return e;
}

Expr *at_deform_columns(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Window w = window_of(n);
    Expr *taps = ix(l, taps_of(&w)), *weight[MAX_RANK];
    Column c = column_at(l, n, ix_div(l, idx[1], taps), ix_mod(l, idx[1], taps), idx);
    Expr *acc = var(l, "acc", c.t, num(l, c.t, 0));
    int opened = 0;
    open_column(&c, weight, NULL, &opened);
    set(l, acc, add(l, acc, mul(l, product_of(l, c.w.n, weight), value_at(l, n->in[0], c.in))));
    close_blocks(l, opened);
    return mul(l, c.factor, acc);
}

/* Channels and images cannot meet. */
void lower_deform_image_grad(Lower *l, Node *n) {
    const Type *g = in_shape(n, 3);
    Window w = window_of(n);
    Expr *idx[MAX_RANK], *weight[MAX_RANK];
    int opened = 0;
    fill_with_zeros(l, n->out[0]);
    if (is_empty(n, 0)) return;
    idx[0] = open_dim(l, 'n', AX_PAR, g->dim[0], &opened);
    Expr *channel = open_dim(l, 'c', AX_PAR, in_shape(n, 0)->dim[1], &opened);
    Expr *tap = open_dim(l, 'k', AX_SEQ, (Dim){taps_of(&w), NULL}, &opened);
    idx[1] = ix_add(l, ix_mul(l, channel, ix(l, taps_of(&w))), tap);
    for (int s = 0; s < w.n; s++) idx[2 + s] = open_dim(l, "pqrstuvxyz"[s], AX_SEQ, g -> dim[2 + s], &opened);
    Column c = column_at(l, n, channel, tap, idx);
    Expr *e = let(l, "g", mul(l, c.factor, value_at(l, n->in[3], idx)));
    open_column(&c, weight, NULL, &opened);
    add_to(l, n->out[0], c.in, mul(l, product_of(l, c.w.n, weight), e));
    close_blocks(l, opened);
}

/* What the channels of a group make of a tap: of its mask, acc[n], or of each of its coordinates. */
static void sum_channels(Lower *l, Node *n, Expr *group, Expr *tap, Expr **idx, bool mask, Expr **acc) {
    Window w = window_of(n);
    Expr *weight[MAX_RANK], *slope[MAX_RANK], *first = ix_mul(l, group, ix(l, channels_of(n)));
    int opened = 0;
    Expr *channel = ix_add(l, first, open_dim(l, 'c', AX_SEQ, (Dim){channels_of(n), NULL}, &opened));
    idx[1] = ix_add(l, ix_mul(l, channel, ix(l, taps_of(&w))), tap);
    Column c = column_at(l, n, channel, tap, idx);
    Expr *g = value_at(l, n->in[3], idx);
    if (!mask) g = mul(l, c.factor, g);
    g = let(l, "g", g);
    open_column(&c, weight, slope, &opened);
    Expr *e = let(l, "e", mul(l, g, value_at(l, n->in[0], c.in)));
    for (int s = 0; s < w.n && !mask; s++) {
        Expr *part = e;
        for (int k = 0; k < w.n; k++) part = mul(l, part, k == s ? slope[k] : weight[k]);
        set(l, acc[s], add(l, acc[s], part));
    }
    if (mask) set(l, acc[0], add(l, acc[0], mul(l, e, product_of(l, w.n, weight))));
    close_blocks(l, opened);
}

static void lower_tap_grad(Lower *l, Node *n, bool mask) {
    const Type *g = in_shape(n, 3);
    Window w = window_of(n);
    Expr *idx[MAX_RANK], *acc[MAX_RANK], *to[MAX_RANK];
    int opened = 0, parts = mask ? 1 : w.n;
    if (is_empty(n, 0)) {
        fill_with_zeros(l, n->out[0]);
        return;
    }
    to[0] = idx[0] = open_dim(l, 'n', AX_PAR, g->dim[0], &opened);
    Expr *group = open_dim(l, 'g', AX_PAR, (Dim){attr_i(n, "offset_group"), NULL}, &opened);
    Expr *tap = open_dim(l, 'k', AX_PAR, (Dim){taps_of(&w), NULL}, &opened);
    for (int s = 0; s < w.n; s++)
        to[2 + s] = idx[2 + s] = open_dim(l, "pqrstuvxyz"[s], AX_PAR, g -> dim[2 + s], &opened);
    for (int s = 0; s < parts; s++) acc[s] = var(l, "acc", computed(n, 0), num(l, computed(n, 0), 0));
    sum_channels(l, n, group, tap, idx, mask, acc);
    Expr *number = ix_add(l, ix_mul(l, group, ix(l, taps_of(&w))), tap);
    for (int s = 0; s < parts; s++) {
        to[1] = ix_add(l, ix_mul(l, number, ix(l, parts)), ix(l, s));
        store(l, n->out[0], to, acc[s]);
    }
    close_blocks(l, opened);
}

void lower_deform_offset_grad(Lower *l, Node *n) { lower_tap_grad(l, n, false); }
void lower_deform_mask_grad(Lower *l, Node *n) { lower_tap_grad(l, n, true); }
