/* resize.c - Resize: where an element of the result lies in the input, and what is found there. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"
#include "ops/infer.h"
#include <math.h>

/* Result element i of a dim lies at (i + shift) * crop * times / over + offset of the input; crop 0 stands for 1. */
typedef struct {
    double shift, times, over, offset, crop;
} Mapping;

static double crop_of(const Mapping *p) { return p->crop != 0 ? p->crop : 1; }
static double slope(const Mapping *p) { return crop_of(p) * p->times / p->over; }
static double offset(const Mapping *p) { return p->shift * slope(p) + p->offset; }

/* In f32 and in this order: nearest neighbours hang on how ties come out, and what is outside of a crop on how its end
 * comes out. These come out as in ONNX Runtime. */
static float coordinate(const Mapping *p, int64_t i) {
    float x = ((float)i + (float)p->shift) * (float)crop_of(p);
    x *= (float)p->times;
    x /= (float)p->over;
    return x + (float)p->offset;
}

/* The mapping of a coordinate_transformation_mode; `wide` is the result's extent before it was cut to an integer.
 * align_corners aligns the last elements that there are, so it takes the integer. */
static Mapping mapping_of(const char *mode, double in, double out, double scale, double wide, const double *roi) {
    if (!strcmp(mode, "asymmetric")) return (Mapping){0, 1, scale, 0, 0};
    if (!strcmp(mode, "tf_half_pixel_for_nn")) /* half an element off even where nothing is resized: not there */
        return (Mapping){scale == 1 ? 0 : 0.5, 1, scale, 0, 0};
    if (!strcmp(mode, "align_corners"))
        return out == 1 ? (Mapping){0, 0, 1, 0, 0} : (Mapping){0, in - 1, out - 1, 0, 0};
    if (!strcmp(mode, "tf_crop_and_resize")) {
        float start = (float)roi[0], end = (float)roi[1], last = (float)(in - 1);
        if (out == 1) return (Mapping){0, 0, 1, (double)(0.5f * (start + end) * last), 0};
        if (start == end) return (Mapping){0, 0, 1, (double)(start * last), 0};
        return (Mapping){0, in - 1, out - 1, (double)(start * last), (double)(end - start)};
    }
    if (!strcmp(mode, "pytorch_half_pixel") && out == 1) return (Mapping){0, 0, 1, 0, 0};
    Mapping half = {0.5, 1, scale, -0.5, 0};
    if (!strcmp(mode, "half_pixel_symmetric")) half.offset += in / 2 * (1 - out / wide);
    return half;
}

/* Where the crop of the input along dim `axis` stands in `roi`; -1 if it does not. */
static int roi_entry(const Node *n, int axis) {
    const Attr *axes = attr(n, "axes");
    int rank = in_shape(n, 0)->rank;
    for (int i = 0; i < axes->n; i++)
        if ((axes->ints[i] < 0 ? axes->ints[i] + rank : axes->ints[i]) == axis) return i;
    return axes->n ? -1 : axis;
}

static bool is_crop(const Node *n) {
    return !strcmp(attr_s(n, "coordinate_transformation_mode"), "tf_crop_and_resize");
}

static Mapping mapping_in(const Node *n, int axis, const Resized *r) {
    double roi[2] = {0, 1}, scale = r->scale[axis];
    double in = (double)in_shape(n, 0)->dim[axis].max, out = (double)r->dim[axis].max;
    const Value *v = input(n, 1);
    int entry = roi_entry(n, axis);
    if (is_crop(n) && entry >= 0 && v && v->data) {
        int64_t half = v->data->count / 2;
        if (entry < half) roi[0] = get_f(v->data, entry), roi[1] = get_f(v->data, half + entry);
    }
    return mapping_of(attr_s(n, "coordinate_transformation_mode"), in, out, scale, scale * in, roi);
}

enum { MAX_TRIED = 1 << 20 }; /* elements of a dim that are looked at one by one */

/* ---- nearest: an integer formula wherever one is exact ---- */

/* simple, of opset 10: up where a dim shrinks, down elsewhere. */
static const char *rounding(const Node *n, double scale) {
    const char *mode = attr_s(n, "nearest_mode");
    return strcmp(mode, "simple") ? mode : scale < 1 ? "ceil" : "floor";
}

static double nearest(const char *mode, double x) {
    if (!strcmp(mode, "floor")) return floor(x);
    if (!strcmp(mode, "ceil")) return ceil(x);
    return !strcmp(mode, "round_prefer_ceil") ? floor(x + 0.5) : ceil(x - 0.5);
}

/* Whether floor((p * i + q) / r) is the nearest element for every i < count; if so gives the q closest to 0. */
static bool fits(const Mapping *at, const char *mode, int64_t count, int64_t p, int64_t r, int64_t *q) {
    int64_t lo = INT64_MIN, hi = INT64_MAX;
    for (int64_t i = 0; i < count && lo <= hi; i++) {
        int64_t want = (int64_t)nearest(mode, (double)coordinate(at, i)), least = want * r - p * i;
        if (least > lo) lo = least;
        if (least + r - 1 < hi) hi = least + r - 1;
    }
    *q = lo > 0 ? lo : hi < 0 ? hi : 0;
    return lo <= hi;
}

/* Tries the continued fraction's convergents of the slope, the simplest first. */
static bool find_ratio(const Mapping *at, const char *mode, int64_t count, int64_t *p, int64_t *q, int64_t *r) {
    int64_t p0 = 1, r0 = 0, most = ((int64_t)1 << 30) / (count + 1);
    double x = slope(at);
    *p = (int64_t)floor(x), *r = 1;
    if (count > MAX_TRIED || !(fabs(offset(at)) < 1e9) || !(x >= 0 && x < (double)most)) return false;
    while (!fits(at, mode, count, *p, *r, q)) {
        double rest = x - floor(x);
        if (rest < 1e-9) return false;
        x = 1 / rest;
        int64_t a = (int64_t)floor(x), p1 = a * *p + p0, r1 = a * *r + r0;
        if (a > most || p1 > most || r1 > most) return false;
        p0 = *p, r0 = *r, *p = p1, *r = r1;
    }
    return true;
}

/* i * slope + start, of numbers as exact as t has them. Their product is exact in double: whether a compiler contracts
 * it with the sum to one operation, or computes it itself where it knows i, changes no bit. */
static Expr *line(Lower *l, DType t, Expr *i, Expr *slope, Expr *start) {
    DType wide = t == DT_f32 ? DT_f64 : t;
    Expr *x = mul(l, cast(l, i, wide), cast(l, cast(l, slope, t), wide));
    return cast(l, add(l, x, cast(l, cast(l, start, t), wide)), t);
}

static Expr *coordinate_at(Lower *l, DType t, const Mapping *at, Expr *i) {
    return line(l, t, i, num(l, t, slope(at)), num(l, t, offset(at)));
}

/* A mapping whose factors are computed in the call, in double. */
typedef struct {
    double shift, offset;
    Expr *times, *over, *only; /* only: whether the result has one element, at 0; NULL: it has more */
} OpenMapping;

static Expr *number_of(Lower *l, Dim d) { return cast(l, extent(l, d), DT_f64); }

static OpenMapping open_mapping(Lower *l, const Node *n, int axis, const Resized *r) {
    const char *mode = attr_s(n, "coordinate_transformation_mode");
    Dim in = in_shape(n, 0)->dim[axis], out = r->dim[axis];
    Expr *one = num(l, DT_f64, 1), *scale = num(l, DT_f64, r->scale[axis]);
    OpenMapping o = {.shift = 0.5, .offset = -0.5, .times = one};
    bool corners = !strcmp(mode, "align_corners"), alone = corners || !strcmp(mode, "pytorch_half_pixel");
    bool by_scale = input(n, 2) && type_count(in_shape(n, 2)) > 0;
    if (by_scale && !n->in[2]->data)
        scale = cast(l, value_at(l, n->in[2], (Expr *[]){ix(l, roi_entry(n, axis))}), DT_f64);
    o.over = by_scale ? scale : quotient(l, number_of(l, out), number_of(l, in));
    if (!strcmp(mode, "asymmetric") || corners) o.shift = o.offset = 0;
    if (!strcmp(mode, "tf_half_pixel_for_nn")) o.offset = 0;
    if (alone && dim_least(out) < 2) o.only = ix_less(l, extent(l, out), ix(l, 2));
    if (corners) o.times = sub(l, number_of(l, in), one), o.over = sub(l, number_of(l, out), one);
    o.over = let(l, "over", cast(l, cast(l, o.over, DT_f64), DT_f64));
    return o;
}

/* In the order of coordinate(), or, for interpolation, of coordinate_at(). */
static Expr *open_coordinate(Lower *l, DType t, const OpenMapping *o, bool nearest, Expr *i) {
    Expr *x;
    if (nearest) {
        x = add(l, cast(l, i, DT_f32), num(l, DT_f32, o->shift));
        x = quotient(l, mul(l, x, cast(l, o->times, DT_f32)), cast(l, o->over, DT_f32));
        x = add(l, x, num(l, DT_f32, o->offset));
    } else {
        Expr *slope = let(l, "slope", quotient(l, o->times, o->over));
        Expr *start = add(l, mul(l, num(l, DT_f64, o->shift), slope), num(l, DT_f64, o->offset));
        x = line(l, t, i, slope, start);
    }
    return o->only ? select_of(l, o->only, num(l, x->dtype, 0), x) : x;
}

static Expr *nearest_by_rounding(Lower *l, const char *mode, Expr *x) {
    bool up = !strcmp(mode, "ceil") || !strcmp(mode, "round_prefer_floor");
    if (!strcmp(mode, "round_prefer_floor")) x = sub(l, x, num(l, x->dtype, 0.5));
    if (!strcmp(mode, "round_prefer_ceil")) x = add(l, x, num(l, x->dtype, 0.5));
    return cast(l, map1(l, up ? OP_Ceil : OP_Floor, x), DT_index);
}

/* Whether all that is found lies inside, whatever the extents of the call. */
static bool stays_inside(Lower *l, Expr *e, Dim in) {
    Expr *below = ix_less(l, e, extent(l, in)), *negative = ix_less(l, e, ix(l, 0));
    return below->kind == E_INT && below->i && negative->kind == E_INT && !negative->i;
}

static Expr *nearest_index(Lower *l, const char *mode, const Mapping *at, Dim in, int64_t count, Expr *i) {
    int64_t p, q, r, lift = 0;
    Expr *e;
    if (find_ratio(at, mode, count, &p, &q, &r)) {
        if (q < 0) lift = ceil_div(-q, r); /* keeps what is divided non-negative */
        e = ix_div(l, ix_add(l, ix_mul(l, i, ix(l, p)), ix(l, q + lift * r)), ix(l, r));
        e = ix_sub(l, e, ix(l, lift));
    } else {
        e = nearest_by_rounding(l, mode, coordinate_at(l, DT_f64, at, i)); /* no ratio of small integers is exact */
    }
    if (in.symbol) return stays_inside(l, e, in) ? e : clamp_index(l, e, extent(l, in));
    double first = nearest(mode, (double)coordinate(at, 0)), last = nearest(mode, (double)coordinate(at, count - 1));
    bool inside = first >= 0 && last >= 0 && first < (double)in.max && last < (double)in.max;
    return inside ? e : clamp_index(l, e, extent(l, in));
}

/* ---- the element ---- */

/* tf_crop_and_resize: which elements of a dim lie inside the input; both ends, since coordinates are in order. */
static Expr *inside_input(Lower *l, const Mapping *at, int64_t in, int64_t count, Expr *i) {
    int64_t first = count, end = 0;
    for (int64_t k = 0; k < count; k++) {
        float x = coordinate(at, k);
        if (x < 0 || x > (float)(in - 1)) continue;
        if (k < first) first = k;
        end = k + 1;
    }
    return in_range(l, i, ix(l, first), ix(l, end));
}

typedef struct {
    Lower *l;
    Node *n;
    DType t; /* of weights and sums */
    Filter filter;
    bool nearest, share; /* share: weights are divided by their sum */
    Expr *in[MAX_RANK], *x[MAX_RANK], *weight, *inside;
    int opened;
} Resampling;

static Expr *weighted(Lower *l, Expr *a, Expr *b) { return a ? mul(l, a, b) : b; }

/* The coordinate under a region of interest that is read at run time; the element lies outside where this does. */
static Expr *cropped(Resampling *s, int axis, const Resized *r, Expr *i) {
    Lower *l = s->l;
    Value *roi = s->n->in[1];
    int64_t entry = roi_entry(s->n, axis), half = roi->type.dim[0].max / 2, out = r->dim[axis].max;
    Expr *last = num(l, s->t, (double)(in_shape(s->n, 0)->dim[axis].max - 1));
    Expr *start = cast(l, value_at(l, roi, (Expr *[]){ix(l, entry)}), s->t);
    Expr *span = sub(l, cast(l, value_at(l, roi, (Expr *[]){ix(l, half + entry)}), s->t), start);
    Expr *way = out > 1 ? quotient(l, mul(l, mul(l, cast(l, i, s->t), span), last), num(l, s->t, (double)(out - 1)))
                        : mul(l, mul(l, num(l, s->t, 0.5), span), last);
    Expr *x = let(l, "x", add(l, mul(l, start, last), way)); /* in the order of coordinate() */
    Expr *after = either(l, less(l, x, num(l, s->t, 0)), greater(l, x, last));
    s->inside = both(l, s->inside, map1(l, OP_Not, after));
    return clamp(l, x, num(l, s->t, 0), last);
}

static bool reads_roi(const Node *n, int axis, int64_t count) {
    return is_crop(n) && input(n, 1) && roi_entry(n, axis) >= 0 && (!n->in[1]->data || count > MAX_TRIED);
}

/* Finds dim `axis` of the input's element, or the coordinate x around which it is interpolated. */
static void locate(Resampling *s, int axis, const Resized *r, Expr *i) {
    Lower *l = s->l;
    Dim in = in_shape(s->n, 0)->dim[axis];
    int64_t out = r->dim[axis].max;
    Mapping at = mapping_in(s->n, axis, r);
    s->in[axis] = i;
    if (in.max == 1 && same_dim(in, r->dim[axis]) && !is_crop(s->n)) return; /* it is all there is */
    Expr *x = NULL;
    if (reads_roi(s->n, axis, out)) x = cropped(s, axis, r, i);
    if (r->open[axis]) {
        OpenMapping open = open_mapping(l, s->n, axis, r);
        x = let(l, "x", open_coordinate(l, s->t, &open, s->nearest, i));
    }
    if (!x && slope(&at) == 1 && offset(&at) == 0 && same_dim(in, r->dim[axis])) return;
    if (!x && is_crop(s->n)) s->inside = both(l, s->inside, inside_input(l, &at, in.max, out, i));
    if (!s->nearest) {
        s->x[axis] = let(l, "x", x ? x : coordinate_at(l, s->t, &at, i));
        return;
    }
    const char *mode = rounding(s->n, r->scale[axis]);
    Expr *near = x ? nearest_by_rounding(l, mode, x) : nearest_index(l, mode, &at, in, out, i);
    s->in[axis] = let(l, "at", x ? clamp_index(l, near, extent(l, in)) : near);
}

/* The loop over the elements around the coordinate. */
static void interpolate(Resampling *s, int axis, const Resized *r) {
    static const char letters[] = "pqrstuvwxyzm";
    Dim size = in_shape(s->n, 0)->dim[axis];
    Filter f = s->filter;
    Expr *weight;
    if (attr_i(s->n, "antialias") && r->scale[axis] < 1) f.stretch = r->scale[axis];
    open_taps(s->l, letters[axis], &f, s->x[axis], size, &s->in[axis], &weight, NULL, &s->opened);
    s->weight = weighted(s->l, s->weight, weight);
}

static Resampling resampling_of(Lower *l, Node *n) {
    const char *mode = attr_s(n, "mode");
    bool skip = attr_i(n, "exclude_outside") != 0;
    DType t = computed(n, 0);
    Resampling s = {.l = l, .n = n, .t = is_float(t) ? t : DT_f32, .nearest = !strcmp(mode, "nearest")};
    s.share = skip || attr_i(n, "antialias");
    s.inside = ix_less(l, ix(l, 0), ix(l, 1));
    s.filter = (Filter){strcmp(mode, "cubic") ? 1 : 2, 1, attr_f(n, "cubic_coeff_a"), OUTSIDE_CLAMP};
    if (skip) s.filter.outside = OUTSIDE_SKIP;
    return s;
}

Expr *at_resize(Lower *l, Node *n, int out, Expr *const *idx) {
    Resampling s = resampling_of(l, n);
    Resized r;
    DType y = n->out[out]->type.dtype;
    ASSERT(resized(n, &r));
    Expr *acc = s.nearest ? NULL : var(l, "acc", s.t, num(l, s.t, 0)), *total = NULL;
    if (acc && s.share) total = var(l, "total", s.t, num(l, s.t, 0));
    for (int i = 0; i < in_shape(n, 0)->rank; i++) locate(&s, i, &r, idx[i]);
    for (int i = 0; i < in_shape(n, 0)->rank; i++)
        if (s.x[i]) interpolate(&s, i, &r);
    Expr *x = value_at(l, n->in[0], s.in);
    if (!s.nearest) {
        set(l, acc, add(l, acc, weighted(l, s.weight, cast(l, x, s.t))));
        if (total) set(l, total, add(l, total, s.weight ? s.weight : num(l, s.t, 1)));
        close_blocks(l, s.opened);
        x = cast(l, total ? quotient(l, acc, total) : acc, y);
    }
    return select_of(l, s.inside, x, num(l, y, attr_f(n, "extrapolation_value")));
}

/* ---- the gradient along one axis: inputs X, roi, scales, sizes, dY ---- */

/* Nearest neighbours of a whole factor: every element went into as many in a row. 0: it is not so. */
static int64_t block_of(Node *n, int axis, const Resized *r) {
    Dim in = in_shape(n, 0)->dim[axis], out = r->dim[axis], k;
    Mapping at = mapping_in(n, axis, r);
    if (strcmp(attr_s(n, "mode"), "nearest") || is_crop(n) || r->open[axis] || out.max > MAX_TRIED) return 0;
    if (!dim_div(n->graph->module, out, in, &k) || k.symbol || k.max < 1) return 0;
    for (int64_t i = 0; i < out.max; i++)
        if (nearest(rounding(n, r->scale[axis]), (double)coordinate(&at, i)) != (double)(i / k.max)) return 0;
    return k.max;
}

static void add_blocks(Lower *l, Node *n, int axis, int64_t block) {
    Value *y = n->out[0];
    DType t = computed(n, 0);
    Expr *idx[MAX_RANK], *from[MAX_RANK];
    int opened = 0;
    open_loops(l, &y->type, NULL, idx);
    memcpy(from, idx, sizeof from);
    Expr *acc = var(l, "acc", t, num(l, t, 0)), *k = open_dim(l, 'r', AX_SEQ, (Dim){block, NULL}, &opened);
    from[axis] = ix_add(l, ix_mul(l, idx[axis], ix(l, block)), k);
    set(l, acc, add(l, acc, value_at(l, n->in[4], from)));
    close_blocks(l, opened);
    store(l, y, idx, acc);
    close_loops(l, &y->type);
}

/* What the weights of the elements around a coordinate add up to. */
static Expr *total_weight(Resampling *s, int axis, const Resized *r) {
    Lower *l = s->l;
    Expr *total = var(l, "total", s->t, num(l, s->t, 0));
    interpolate(s, axis, r);
    set(l, total, add(l, total, s->weight));
    close_blocks(l, s->opened);
    s->opened = 0, s->weight = NULL;
    return total;
}

/* Whether dim i is gone through for each element along the axis: those behind it, and along which memory runs. */
static bool is_inner(const Value *v, int axis, int i) {
    return i > axis || (i < axis && v->layout.stride && v->layout.stride[i] == 1);
}

/* Loops over dims inside (or outside of) that along the axis; where memory runs comes last. */
static int open_others(Lower *l, const Value *v, const Type *g, int axis, bool inner, Expr **idx) {
    const char *letters = axis_letters(g->rank);
    int opened = 0;
    for (int last = 0; last < 2; last++)
        for (int i = 0; i < g->rank; i++) {
            bool runs = v->layout.stride && v->layout.stride[i] == 1;
            if (i == axis || is_inner(v, axis, i) != inner || runs != (last == 1)) continue;
            idx[i] = open_dim(l, letters[i], AX_PAR, g->dim[i], &opened);
        }
    return opened;
}

/* An element of the gradient goes to the elements around its coordinate. Only along the axis can they meet. */
static void spread_along(Lower *l, Node *n, int axis, const Resized *r) {
    Resampling s = resampling_of(l, n);
    const Type *g = in_shape(n, 4);
    const char *letters = axis_letters(g->rank);
    Expr *idx[MAX_RANK], *to[MAX_RANK], *total = NULL;
    fill_with_zeros(l, n->out[0]);
    int outer = open_others(l, n->out[0], g, axis, false, idx);
    idx[axis] = open_dim(l, letters[axis], AX_SEQ, g->dim[axis], &outer);
    locate(&s, axis, r, idx[axis]);
    open_guard(l, s.inside, &outer);
    if (s.x[axis] && s.share) total = total_weight(&s, axis, r);
    if (s.x[axis]) interpolate(&s, axis, r);
    Expr *weight = s.weight && total ? let(l, "share", quotient(l, s.weight, total)) : s.weight;
    int inner = open_others(l, n->out[0], g, axis, true, idx);
    memcpy(to, idx, sizeof to);
    to[axis] = s.in[axis];
    Expr *dy = value_at(l, n->in[4], idx);
    add_to(l, n->out[0], to, weight ? mul(l, weight, cast(l, dy, s.t)) : dy);
    close_blocks(l, inner + s.opened + outer);
}

void lower_resize_grad(Lower *l, Node *n) {
    Resized r;
    ASSERT(resized(n, &r));
    int axis = (int)attr_axis(n, "axis", in_shape(n, 0)->rank);
    int64_t block = block_of(n, axis, &r);
    if (block)
        add_blocks(l, n, axis, block);
    else
        spread_along(l, n, axis, &r);
}
