/* taps.c - interpolation: the elements around a coordinate and their weights. */
#include "lower/parts.h"
#include <math.h>

static Expr *scaled(Lower *l, Expr *e, double k) { return k == 1 ? e : mul(l, e, num(l, e->dtype, k)); }

/* c[0] + c[1] t + c[2] t^2 + c[3] t^3, of floats in double: what a compiler contracts is then lost in the rounding. */
static Expr *cubic(Lower *l, Expr *t, const double *c) {
    DType wide = t->dtype == DT_f32 ? DT_f64 : t->dtype;
    Expr *e = num(l, wide, c[3]), *x = cast(l, t, wide);
    for (int i = 2; i >= 0; i--) e = add(l, mul(l, e, x), num(l, wide, c[i]));
    return cast(l, e, t->dtype);
}

/* The filter's weight at a distance: a triangle, or Keys' cubic convolution with parameter a. */
static Expr *weight_at(Lower *l, const Filter *f, Expr *distance) {
    Expr *t = let(l, "d", scaled(l, map1(l, OP_Abs, distance), f->stretch));
    Expr *one = num(l, t->dtype, 1), *zero = num(l, t->dtype, 0);
    double a = f->cubic_a;
    if (f->reach == 1) return f->stretch < 1 ? map2(l, OP_Max, sub(l, one, t), zero) : sub(l, one, t);
    Expr *near = cubic(l, t, (double[]){1, 0, -(a + 3), a + 2});
    Expr *far = cubic(l, t, (double[]){-4 * a, 8 * a, -5 * a, a});
    if (f->stretch < 1) far = select_of(l, less(l, t, num(l, t->dtype, 2)), far, zero);
    return select_of(l, greater(l, t, one), far, near);
}

/* How that changes as the distance grows; of a filter that nothing widens. */
static Expr *slope_at(Lower *l, const Filter *f, Expr *distance) {
    Expr *t = let(l, "d", map1(l, OP_Abs, distance)), *one = num(l, t->dtype, 1), *less_far = map1(l, OP_Neg, one);
    double a = f->cubic_a;
    Expr *sign = select_of(l, less(l, distance, num(l, t->dtype, 0)), less_far, one);
    if (f->reach == 1) return map1(l, OP_Neg, sign);
    Expr *near = cubic(l, t, (double[]){0, -2 * (a + 3), 3 * (a + 2), 0});
    Expr *far = cubic(l, t, (double[]){8 * a, -10 * a, 3 * a, 0});
    return mul(l, sign, select_of(l, greater(l, t, one), far, near));
}

/* An index from -below on, mirrored at the middle of the first and last elements or at their outer edges. */
static Expr *mirrored(Lower *l, Expr *i, int64_t size, bool edge, int64_t below) {
    int64_t period = edge ? 2 * size : 2 * (size - 1);
    if (period <= 0) return ix(l, 0);
    Expr *m = let(l, "m", ix_mod(l, ix_add(l, i, ix(l, ceil_div(below, period) * period)), ix(l, period)));
    return select_of(l, ix_less(l, m, ix(l, size)), m, ix_sub(l, ix(l, edge ? period - 1 : period), m));
}

void open_taps(Lower *l, char letter, const Filter *f, Expr *x, Dim size, Expr **pos, Expr **weight, Expr **slope,
               int *opened) {
    int64_t first = (int64_t)floor(-f->reach / f->stretch) + 1, count = 2 - 2 * first;
    Expr *base = let(l, "at", cast(l, map1(l, OP_Floor, x), DT_index));
    Expr *tap = open_dim(l, letter, AX_SEQ, (Dim){count, NULL}, opened), *n = extent(l, size);
    Expr *at = let(l, "at", ix_add(l, ix_add(l, base, tap), ix(l, first)));
    if (f->outside == OUTSIDE_SKIP) open_guard(l, in_range(l, at, ix(l, 0), n), opened);
    Expr *distance = sub(l, x, cast(l, at, x->dtype));
    *weight = let(l, "weight", weight_at(l, f, distance));
    if (slope) *slope = let(l, "slope", slope_at(l, f, let(l, "d", distance)));
    if (f->outside == OUTSIDE_CLAMP)
        *pos = let(l, "near", clamp_index(l, at, n));
    else if (f->outside == OUTSIDE_SKIP)
        *pos = at;
    else
        *pos = let(l, "near", mirrored(l, at, size.max, f->outside == OUTSIDE_REFLECT_EDGE, -first + 1));
}
