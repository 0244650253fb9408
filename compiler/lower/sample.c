/* sample.c - elements interpolated at coordinates that are computed or read at run time. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* ---- AffineGrid ---- */

/* Where element i of `size` lies between -1 and 1: elements' centres, or with align_corners both ends at the ends. An
 * only element has no two ends: it lies in the middle, as in PyTorch. */
static Expr *grid_point(Lower *l, DType t, Expr *i, int64_t size, bool corners) {
    if (corners && size == 1) return num(l, t, 0);
    double step = 2.0 / (double)(corners ? size - 1 : size);
    return add(l, mul(l, cast(l, i, t), num(l, t, step)), num(l, t, corners ? -1 : step / 2 - 1));
}

/* The last dim of the result holds x first, the coordinate in the last spatial dim. */
Expr *at_affine_grid(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *y = &n->out[out]->type;
    int spatial = y->rank - 2;
    DType t = computed(n, 0);
    bool corners = attr_i(n, "align_corners") != 0;
    Expr *row[] = {idx[0], idx[y->rank - 1], ix(l, spatial)}, *sum = value_at(l, n->in[0], row);
    for (int k = 0; k < spatial; k++) {
        row[2] = ix(l, k);
        Expr *coordinate = grid_point(l, t, idx[spatial - k], y->dim[spatial - k].max, corners);
        sum = add(l, sum, mul(l, value_at(l, n->in[0], row), coordinate));
    }
    return sum;
}

/* ---- GridSample ---- */

typedef struct {
    Lower *l;
    DType t;
    bool corners, nearest;
    Filter filter;
} Sampler;

static Expr *constant(const Sampler *s, double v) { return num(s->l, s->t, v); }

/* From -1 … 1 to elements. */
static Expr *denormalized(const Sampler *s, Expr *g, double size) {
    Lower *l = s->l;
    Expr *x = add(l, g, constant(s, 1));
    if (s->corners) return mul(l, x, constant(s, (size - 1) / 2));
    return mul(l, sub(l, mul(l, x, constant(s, size)), constant(s, 1)), constant(s, 0.5));
}

/* A coordinate mirrored at lo and lo + span as often as needed. */
static Expr *reflected(const Sampler *s, Expr *x, double lo, double span) {
    Lower *l = s->l;
    if (span <= 0) return constant(s, lo);
    Expr *turned = map2(l, OP_FloorMod, sub(l, x, constant(s, lo)), constant(s, 2 * span));
    Expr *m = let(l, "m", turned), *back = sub(l, constant(s, 2 * span), m);
    return add(l, select_of(l, greater(l, m, constant(s, span)), back, m), constant(s, lo));
}

/* Brings a coordinate near the elements: so near that all taps stay outside if they do. Cubic taps take the border one
 * by one, as in PyTorch, where the coordinate itself is not moved to it. */
static Expr *confined(const Sampler *s, Expr *x, double size) {
    Lower *l = s->l;
    double edge = s->corners ? 0 : 0.5;
    switch (s->filter.outside) {
    case OUTSIDE_SKIP: return clamp(l, x, constant(s, -3), constant(s, size + 2));
    case OUTSIDE_CLAMP:
        if (s->filter.reach == 1) return clamp(l, x, constant(s, 0), constant(s, size - 1));
        return clamp(l, x, constant(s, -3), constant(s, size + 2));
    default: return reflected(s, x, -edge, size - 1 + 2 * edge);
    }
}

static Sampler sampler_of(Lower *l, const Node *n) {
    const char *mode = attr_s(n, "mode"), *padding = attr_s(n, "padding_mode");
    Sampler s = {.l = l, .t = computed(n, 0), .nearest = !strcmp(mode, "nearest")};
    s.corners = attr_i(n, "align_corners") != 0;
    s.filter = (Filter){strcmp(mode, "cubic") ? 1 : 2, 1, -0.75, OUTSIDE_SKIP};
    if (!strcmp(padding, "border")) s.filter.outside = OUTSIDE_CLAMP;
    if (!strcmp(padding, "reflection")) s.filter.outside = s.corners ? OUTSIDE_REFLECT : OUTSIDE_REFLECT_EDGE;
    return s;
}

/* The coordinate in spatial dim d - 2 of x that the grid holds; the grid's last dim names the innermost one first. */
static Expr *grid_coordinate(const Sampler *s, Node *n, int d, Expr *const *idx) {
    Lower *l = s->l;
    const Type *x = in_shape(n, 0);
    Expr *grid[MAX_RANK] = {idx[0]};
    double size = (double)x->dim[d].max;
    for (int i = 2; i < x->rank; i++) grid[i - 1] = idx[i];
    grid[x->rank - 1] = ix(l, x->rank - 1 - d);
    Expr *at = denormalized(s, cast(l, value_at(l, n->in[1], grid), s->t), size);
    return let(l, "x", confined(s, s->nearest ? map1(l, OP_Round, at) : at, size)); /* Round: half to even */
}

/* The one element that a rounded coordinate names. */
static Expr *open_nearest(const Sampler *s, Expr *x, Dim size, int *opened) {
    Lower *l = s->l;
    Expr *at = let(l, "at", cast(l, x, DT_index)), *n = extent(l, size);
    if (s->filter.outside != OUTSIDE_SKIP) return let(l, "near", clamp_index(l, at, n));
    open_guard(l, in_range(l, at, ix(l, 0), n), opened);
    return at;
}

Expr *at_grid_sample(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *t = in_shape(n, 0);
    Sampler s = sampler_of(l, n);
    Expr *in[MAX_RANK] = {idx[0], idx[1]}, *x[MAX_RANK], *weight = NULL, *w;
    int opened = 0;
    if (is_empty(n, 0)) return num(l, t->dtype, 0);
    for (int d = 2; d < t->rank; d++) x[d] = grid_coordinate(&s, n, d, idx);
    Expr *acc = var(l, "acc", s.t, num(l, s.t, 0));
    for (int d = 2; d < t->rank; d++) {
        if (s.nearest) {
            in[d] = open_nearest(&s, x[d], t->dim[d], &opened);
            continue;
        }
        open_taps(l, "pqrstuvwxy"[d - 2], &s.filter, x[d], t->dim[d], &in[d], &w, &opened);
        weight = weight ? mul(l, weight, w) : w;
    }
    Expr *e = value_at(l, n->in[0], in);
    set(l, acc, add(l, acc, weight ? mul(l, weight, e) : e));
    close_blocks(l, opened);
    return acc;
}

/* ---- DeformConv ---- */

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

/* The coordinate in spatial dim s that a tap was moved to. */
static Expr *moved_coordinate(Deformed *d, int s, Expr *number) {
    Lower *l = d->l;
    Expr *from = ix_sub(l, ix_mul(l, d->idx[2 + s], ix(l, d->w.stride[s])), ix(l, d->w.begin[s]));
    Expr *at = ix_add(l, from, ix_mul(l, d->wi[2 + s], ix(l, d->w.dilation[s])));
    Expr *offset = moved_by(l, d->n->in[2], d->idx, ix_add(l, ix_mul(l, number, ix(l, d->w.n)), ix(l, s)));
    double size = (double)in_shape(d->n, 0)->dim[2 + s].max;
    return let(l, "x", clamp(l, add(l, cast(l, at, d->t), offset), num(l, d->t, -3), num(l, d->t, size + 2)));
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
    for (int s = 0; s < d.w.n; s++) coordinate[s] = moved_coordinate(&d, s, number);
    for (int s = 0; s < d.w.n; s++) {
        Dim size = x->dim[2 + s];
        open_taps(l, "uvwijklmno"[s], &linear, coordinate[s], size, &d.xi[2 + s], &weight, &d.opened);
        factor = mul(l, factor, weight);
    }
    set(l, acc, add(l, acc, mul(l, factor, value_at(l, n->in[0], d.xi))));
    close_blocks(l, d.opened);
    return acc;
}

/* ---- RoiAlign ---- */

enum { MAX_SAMPLES = 1024 }; /* per dim of a bin: bounds the time that a region without sense takes */

/* One dim of a bin: where it begins, its extent, and how many samples lie in it. */
typedef struct {
    Expr *start, *size, *count;
} Bin;

static Bin bin_of(Lower *l, const Node *n, Expr *roi, int side, Expr *i) {
    DType t = computed(n, 0);
    bool half = !strcmp(attr_s(n, "coordinate_transformation_mode"), "half_pixel");
    int64_t ratio = attr_i(n, "sampling_ratio"), bins = attr_i(n, side ? "output_width" : "output_height");
    Expr *scale = num(l, t, attr_f(n, "spatial_scale")), *shift = num(l, t, half ? 0.5 : 0);
    Expr *lo = let(l, "lo", sub(l, mul(l, value_at(l, n->in[1], (Expr *[]){roi, ix(l, side ? 0 : 1)}), scale), shift));
    Expr *hi = sub(l, mul(l, value_at(l, n->in[1], (Expr *[]){roi, ix(l, side ? 2 : 3)}), scale), shift);
    Expr *span = sub(l, hi, lo);
    if (!half) span = map2(l, OP_Max, span, num(l, t, 1)); /* the older form makes every region at least 1 x 1 */
    Expr *size = let(l, "bin", quotient(l, span, num(l, t, (double)bins)));
    Expr *count = ix(l, ratio < MAX_SAMPLES ? ratio : MAX_SAMPLES);
    if (ratio <= 0) {
        count = clamp(l, map1(l, OP_Ceil, size), num(l, t, 0), num(l, t, MAX_SAMPLES));
        count = let(l, "count", cast(l, count, DT_index));
    }
    return (Bin){add(l, lo, mul(l, cast(l, i, t), size)), size, count};
}

/* Loops over a bin's samples, whose number is known only at run time; the caller steps `at` before it closes. */
static Expr *open_samples(Lower *l, const Bin *b, DType t, Expr **at) {
    *at = var(l, "s", DT_index, ix(l, 0));
    open_while(l, ix_less(l, *at, b->count));
    Expr *middle = add(l, cast(l, *at, t), num(l, t, 0.5));
    return let(l, "x", add(l, b->start, quotient(l, mul(l, middle, b->size), cast(l, b->count, t))));
}

static Expr *near_image(Lower *l, Expr *x, Dim size) {
    Expr *after = greater(l, x, num(l, x->dtype, (double)size.max));
    return map1(l, OP_Not, either(l, less(l, x, num(l, x->dtype, -1)), after));
}

/* Takes the four elements around a point into the result: their weighted sum, or the largest weighted one. */
static void take_sample(Lower *l, Node *n, Expr **in, Expr *const *coordinate, Expr *acc, bool max) {
    static const Filter linear = {1, 1, 0, OUTSIDE_CLAMP};
    const Type *x = in_shape(n, 0);
    Expr *weight[2];
    int opened = 0;
    for (int s = 0; s < 2; s++) {
        Expr *last = num(l, coordinate[s]->dtype, (double)(x->dim[2 + s].max - 1));
        Expr *at = let(l, "x", clamp(l, coordinate[s], num(l, coordinate[s]->dtype, 0), last));
        open_taps(l, s ? 'q' : 'p', &linear, at, x->dim[2 + s], &in[2 + s], &weight[s], &opened);
    }
    Expr *e = mul(l, mul(l, weight[0], weight[1]), value_at(l, n->in[0], in));
    set(l, acc, map2(l, max ? OP_Max : OP_Add, acc, e));
    close_blocks(l, opened);
}

Expr *at_roi_align(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *x = in_shape(n, 0);
    DType t = computed(n, 0);
    bool max = !strcmp(attr_s(n, "mode"), "max");
    if (is_empty(n, 0)) return num(l, t, 0);
    Expr *in[4] = {index_from(l, "image", n->in[2], idx, x->dim[0]), idx[1], NULL, NULL}, *coordinate[2], *at[2];
    Bin bin[2] = {bin_of(l, n, idx[0], 0, idx[2]), bin_of(l, n, idx[0], 1, idx[3])};
    Expr *acc = var(l, "acc", t, max ? lowest(l, t) : num(l, t, 0));
    for (int s = 0; s < 2; s++) coordinate[s] = open_samples(l, &bin[s], t, &at[s]);
    open_if(l, both(l, near_image(l, coordinate[0], x->dim[2]), near_image(l, coordinate[1], x->dim[3])));
    take_sample(l, n, in, coordinate, acc, max);
    if (max) {
        open_else(l);
        set(l, acc, map2(l, OP_Max, acc, num(l, t, 0)));
    }
    close_block(l);
    for (int s = 1; s >= 0; s--) {
        set(l, at[s], ix_add(l, at[s], ix(l, 1)));
        close_block(l);
    }
    Expr *count = map2(l, OP_Max, ix_mul(l, bin[0].count, bin[1].count), ix(l, 1));
    if (!max) return quotient(l, acc, cast(l, count, t));
    return select_of(l, map2(l, OP_Equal, acc, lowest(l, t)), num(l, t, 0), acc); /* no samples: 0 */
}
