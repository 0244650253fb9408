/* sample.c - elements interpolated at coordinates that are computed or read at run time. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* ---- AffineGrid ---- */

/* Where element i of `size` lies between -1 and 1: elements' centres, or with align_corners both ends at the ends. An
 * only element has no two ends: it lies in the middle, as in PyTorch. */
static Expr *open_grid_point(Lower *l, DType t, Expr *i, Dim size, bool corners) {
    Expr *all = cast(l, ix_sub(l, extent(l, size), ix(l, corners)), DT_f64), *one = num(l, DT_f64, 1);
    Expr *step = let(l, "step", quotient(l, num(l, DT_f64, 2), all));
    Expr *start = corners ? num(l, t, -1) : cast(l, sub(l, mul(l, step, num(l, DT_f64, 0.5)), one), t);
    Expr *x = add(l, mul(l, cast(l, i, t), cast(l, step, t)), start);
    return corners ? select_of(l, ix_less(l, extent(l, size), ix(l, 2)), num(l, t, 0), x) : x;
}

static Expr *grid_point(Lower *l, DType t, Expr *i, Dim extent, bool corners) {
    int64_t size = extent.max;
    if (extent.symbol) return open_grid_point(l, t, i, extent, corners);
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
        Expr *coordinate = grid_point(l, t, idx[spatial - k], y->dim[spatial - k], corners);
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
static Expr *grid_element(Lower *l, Node *n, int d, Expr *const *idx) {
    int rank = in_shape(n, 0)->rank;
    Expr *grid[MAX_RANK] = {idx[0]};
    for (int i = 2; i < rank; i++) grid[i - 1] = idx[i];
    grid[rank - 1] = ix(l, rank - 1 - d);
    return value_at(l, n->in[1], grid);
}

static Expr *grid_coordinate(const Sampler *s, Node *n, int d, Expr *const *idx) {
    Lower *l = s->l;
    double size = (double)in_shape(n, 0)->dim[d].max;
    Expr *at = denormalized(s, cast(l, grid_element(l, n, d, idx), s->t), size);
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
        open_taps(l, "pqrstuvwxy"[d - 2], &s.filter, x[d], t->dim[d], &in[d], &w, NULL, &opened);
        weight = weight ? mul(l, weight, w) : w;
    }
    Expr *e = value_at(l, n->in[0], in);
    set(l, acc, add(l, acc, weight ? mul(l, weight, e) : e));
    close_blocks(l, opened);
    return acc;
}

/* ---- gradients: inputs X, grid, dY ---- */

/* An element of the gradient goes to the elements around its coordinate. Channels and images cannot meet. */
void lower_grid_sample_grad(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0), *g = in_shape(n, 2);
    Sampler s = sampler_of(l, n);
    Expr *idx[MAX_RANK], *to[MAX_RANK], *x[MAX_RANK], *w;
    fill_with_zeros(l, n->out[0]);
    if (is_empty(n, 0)) return;
    int opened = open_dims(l, g, ~3u, idx);
    to[0] = idx[0], to[1] = idx[1];
    for (int d = 2; d < t->rank; d++) x[d] = grid_coordinate(&s, n, d, idx);
    Expr *e = let(l, "g", value_at(l, n->in[2], idx));
    for (int d = 2; d < t->rank; d++) {
        if (s.nearest) {
            to[d] = open_nearest(&s, x[d], t->dim[d], &opened);
            continue;
        }
        open_taps(l, "pqrstuvwxy"[d - 2], &s.filter, x[d], t->dim[d], &to[d], &w, NULL, &opened);
        e = mul(l, e, w);
    }
    add_to(l, n->out[0], to, e);
    close_blocks(l, opened);
}

/* How the coordinate in dim d changes with what the grid holds: as elements do, turned where it is mirrored, not at all
 * where it is held at the border. */
static Expr *coordinate_slope(const Sampler *s, Node *n, int d, Expr *const *idx) {
    Lower *l = s->l;
    double size = (double)in_shape(n, 0)->dim[d].max, edge = s->corners ? 0 : 0.5, span = size - 1 + 2 * edge;
    Expr *zero = constant(s, 0), *slope = constant(s, (s->corners ? size - 1 : size) / 2);
    if (s->filter.outside == OUTSIDE_SKIP || (s->filter.outside == OUTSIDE_CLAMP && s->filter.reach > 1)) return slope;
    Expr *at = let(l, "at", denormalized(s, cast(l, grid_element(l, n, d, idx), s->t), size));
    if (s->filter.outside == OUTSIDE_CLAMP)
        return select_of(l, both(l, greater(l, at, zero), less(l, at, constant(s, size - 1))), slope, zero);
    if (span <= 0) return zero;
    Expr *turned = map2(l, OP_FloorMod, add(l, at, constant(s, edge)), constant(s, 2 * span));
    return select_of(l, greater(l, turned, constant(s, span)), map1(l, OP_Neg, slope), slope);
}

/* What the elements around a point say about each of its coordinates. */
static void add_slopes(const Sampler *s, Node *n, Expr *const *idx, Expr *const *x, Expr **acc) {
    Lower *l = s->l;
    const Type *t = in_shape(n, 0);
    Expr *in[MAX_RANK] = {idx[0], idx[1]}, *w[MAX_RANK], *slope[MAX_RANK];
    int opened = 0;
    for (int d = 2; d < t->rank; d++)
        open_taps(l, "pqrstuvwxy"[d - 2], &s -> filter, x[d], t -> dim[d], &in[d], &w[d], &slope[d], &opened);
    Expr *e = let(l, "e", mul(l, value_at(l, n->in[0], in), value_at(l, n->in[2], idx)));
    for (int d = 2; d < t->rank; d++) {
        Expr *part = e;
        for (int k = 2; k < t->rank; k++) part = mul(l, part, k == d ? slope[k] : w[k]);
        set(l, acc[d], add(l, acc[d], part));
    }
    close_blocks(l, opened);
}

void lower_grid_grad(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    Type points = *in_shape(n, 2);
    Sampler s = sampler_of(l, n);
    Expr *idx[MAX_RANK], *x[MAX_RANK], *acc[MAX_RANK], *to[MAX_RANK];
    if (is_empty(n, 0) || s.nearest) {
        fill_with_zeros(l, n->out[0]);
        return;
    }
    points.dim[1] = (Dim){1, NULL};
    int opened = open_dims(l, &points, 0, idx), channels = 0;
    for (int d = 2; d < t->rank; d++)
        x[d] = grid_coordinate(&s, n, d, idx), acc[d] = var(l, "acc", s.t, constant(&s, 0));
    idx[1] = open_dim(l, 'c', AX_SEQ, t->dim[1], &channels);
    add_slopes(&s, n, idx, x, acc);
    close_blocks(l, channels);
    to[0] = idx[0];
    for (int d = 2; d < t->rank; d++) to[d - 1] = idx[d];
    for (int d = 2; d < t->rank; d++) {
        to[t->rank - 1] = ix(l, t->rank - 1 - d);
        store(l, n->out[0], to, mul(l, acc[d], coordinate_slope(&s, n, d, idx)));
    }
    close_blocks(l, opened);
}
