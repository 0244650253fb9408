/* index.c - index arithmetic: sums of coef * term + c, kept in one canonical order. */
#include "ir/build.h"
#include "loop/expr.h"

/* Indices that a model knows may be any number; sums with those that are out of range are never looked at. */
static int64_t wrapped_sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t wrapped_product(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static uint64_t magnitude(int64_t a) { return a < 0 ? 0 - (uint64_t)a : (uint64_t)a; }

static bool add_term(Sum *s, const Expr *t, int64_t coef) {
    int i = 0;
    while (i < s->n && s->term[i] != t) i++;
    if (i == s->n) {
        if (s->n == MAX_TERMS) return false;
        s->term[s->n] = t, s->coef[s->n++] = 0;
    }
    s->coef[i] = wrapped_sum(s->coef[i], coef);
    return true;
}

bool add_to_sum(Sum *s, const Expr *e, int64_t k) {
    if (e->kind == E_INT) {
        s->c = wrapped_sum(s->c, wrapped_product(k, e->i));
        return true;
    }
    if (is_op(e, OP_Add)) return add_to_sum(s, e->arg[0], k) && add_to_sum(s, e->arg[1], k);
    if (is_op(e, OP_Mul) && e->arg[1]->kind == E_INT) return add_to_sum(s, e->arg[0], wrapped_product(k, e->arg[1]->i));
    return add_term(s, e, k);
}

static void sort_terms(Sum *s) {
    int n = 0;
    for (int i = 0; i < s->n; i++)
        if (s->coef[i]) s->term[n] = s->term[i], s->coef[n++] = s->coef[i];
    s->n = n;
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0; j--) {
            uint64_t a = magnitude(s->coef[j - 1]), b = magnitude(s->coef[j]);
            if (a > b || (a == b && s->term[j - 1]->id < s->term[j]->id)) break;
            const Expr *t = s->term[j - 1];
            int64_t c = s->coef[j - 1];
            s->term[j - 1] = s->term[j], s->coef[j - 1] = s->coef[j];
            s->term[j] = t, s->coef[j] = c;
        }
}

Expr *binary(Lower *l, int op, DType t, Expr *a, Expr *b) {
    return intern_expr(l, (Expr){.kind = E_MAP, .dtype = t, .op = &ops[op], .n = 2, .arg = {a, b}});
}

static Expr *scaled(Lower *l, const Expr *t, int64_t k) {
    Expr *e = (Expr *)(uintptr_t)t;
    return k == 1 ? e : binary(l, OP_Mul, DT_index, e, ix(l, k));
}

static Expr *build_sum(Lower *l, Sum *s) {
    sort_terms(s);
    Expr *e = NULL;
    for (int i = 0; i < s->n; i++) {
        Expr *t = scaled(l, s->term[i], s->coef[i]);
        e = e ? binary(l, OP_Add, DT_index, e, t) : t;
    }
    if (!e) return ix(l, s->c);
    return s->c ? binary(l, OP_Add, DT_index, e, ix(l, s->c)) : e;
}

static Expr *combine(Lower *l, Expr *a, int64_t ka, Expr *b, int64_t kb) {
    Sum s = {0};
    if (add_to_sum(&s, a, ka) && add_to_sum(&s, b, kb)) return build_sum(l, &s);
    return binary(l, OP_Add, DT_index, scaled(l, a, ka), scaled(l, b, kb));
}

Expr *ix_add(Lower *l, Expr *a, Expr *b) { return combine(l, a, 1, b, 1); }
Expr *ix_sub(Lower *l, Expr *a, Expr *b) { return combine(l, a, 1, b, -1); }

int factors_of(const Expr *e, const Expr **f, int n) {
    if (n < 0 || n == MAX_FACTORS) return -1;
    if (is_op(e, OP_Mul) && e->arg[1]->kind != E_INT) return factors_of(e->arg[1], f, factors_of(e->arg[0], f, n));
    f[n] = e;
    return n + 1;
}

/* Of terms, in the one order of its factors. */
static Expr *product_of(Lower *l, const Expr *a, const Expr *b) {
    const Expr *f[MAX_FACTORS];
    int n = factors_of(b, f, factors_of(a, f, 0));
    if (n < 0) return binary(l, OP_Mul, DT_index, (Expr *)(uintptr_t)a, (Expr *)(uintptr_t)b);
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && f[j]->id < f[j - 1]->id; j--) {
            const Expr *e = f[j];
            f[j] = f[j - 1], f[j - 1] = e;
        }
    Expr *e = (Expr *)(uintptr_t)f[0];
    for (int i = 1; i < n; i++) e = binary(l, OP_Mul, DT_index, e, (Expr *)(uintptr_t)f[i]);
    return e;
}

static bool as_sum(const Expr *e, Sum *s) {
    *s = (Sum){0};
    if (!add_to_sum(s, e, 1)) return false;
    sort_terms(s);
    return true;
}

/* Products of sums are sums of products, so that equal ones are one expression. */
Expr *ix_mul(Lower *l, Expr *a, Expr *b) {
    if (a->kind == E_INT) return combine(l, b, a->i, ix(l, 0), 1);
    if (b->kind == E_INT) return combine(l, a, b->i, ix(l, 0), 1);
    Sum s, t, all = {0};
    if (!as_sum(a, &s) || !as_sum(b, &t)) return product_of(l, a, b);
    for (int i = 0; i <= s.n; i++)
        for (int k = 0; k <= t.n; k++) {
            int64_t c = wrapped_product(i < s.n ? s.coef[i] : s.c, k < t.n ? t.coef[k] : t.c);
            const Expr *x = i < s.n ? s.term[i] : NULL, *y = k < t.n ? t.term[k] : NULL;
            if (!x && !y)
                all.c = wrapped_sum(all.c, c);
            else if (c && !add_term(&all, x && y ? product_of(l, x, y) : x ? x : y, c))
                return product_of(l, a, b);
        }
    return build_sum(l, &all);
}

int affine(const Expr *e, int max, const Expr **term, int64_t *coef, int64_t *constant) {
    Sum s = {0};
    if (!add_to_sum(&s, e, 1)) return -1;
    sort_terms(&s);
    if (s.n > max) return -1;
    for (int i = 0; i < s.n; i++) term[i] = s.term[i], coef[i] = s.coef[i];
    *constant = s.c;
    return s.n;
}

static bool product_bounds(int64_t a, int64_t b, int64_t c, int64_t d, int64_t *lo, int64_t *hi) {
    int64_t p[4];
    if (!mul_ok(a, c, &p[0]) || !mul_ok(a, d, &p[1]) || !mul_ok(b, c, &p[2]) || !mul_ok(b, d, &p[3])) return false;
    *lo = *hi = p[0];
    for (int i = 1; i < COUNT(p); i++) {
        if (p[i] < *lo) *lo = p[i];
        if (p[i] > *hi) *hi = p[i];
    }
    return true;
}

static bool term_bounds(const Expr *e, int64_t *lo, int64_t *hi) {
    int64_t a, b, c, d;
    if (e->kind == E_INT) {
        *lo = *hi = e->i;
        return true;
    }
    if (e->kind == E_AXIS) {
        *lo = 0, *hi = e->axis->extent > 0 ? e->axis->extent - 1 : 0;
        return true;
    }
    if (e->kind == E_SYM) {
        *lo = e->symbol->min, *hi = e->symbol->max;
        return true;
    }
    if (e->kind == E_CAST && e->dtype == DT_index && e->arg[0]->dtype == DT_bool) {
        *lo = 0, *hi = 1;
        return true;
    }
    if (e->kind != E_MAP || e->n != 2 || !bounds_of(e->arg[0], &a, &b) || !bounds_of(e->arg[1], &c, &d)) return false;
    if (is_op(e, OP_Mul)) return product_bounds(a, b, c, d, lo, hi);
    if (is_op(e, OP_Div) && a >= 0 && c > 0) {
        *lo = a / d, *hi = b / c;
        return true;
    }
    if (is_op(e, OP_FloorMod) && c > 0) {
        *lo = 0, *hi = a >= 0 && b < d - 1 ? b : d - 1;
        return true;
    }
    if (is_op(e, OP_Max)) {
        *lo = a > c ? a : c, *hi = b > d ? b : d;
        return true;
    }
    if (is_op(e, OP_Min)) {
        *lo = a < c ? a : c, *hi = b < d ? b : d;
        return true;
    }
    return false;
}

/* Half-open knowledge helps clamps: Max(x, 0) is at least 0 and Min(x, 9) at most 9 whatever x is. */
static bool clamp_bounds(const Expr *e, int64_t *lo, int64_t *hi) {
    if (!is_op(e, OP_Min) || !is_op(e->arg[0], OP_Max)) return false;
    const Expr *top = e->arg[1], *bottom = e->arg[0]->arg[1];
    if (top->kind != E_INT || bottom->kind != E_INT || bottom->i > top->i) return false;
    *lo = bottom->i, *hi = top->i;
    return true;
}

bool bounds_of(const Expr *e, int64_t *lo, int64_t *hi) {
    Sum s = {0};
    if (!add_to_sum(&s, e, 1)) return false;
    *lo = *hi = s.c;
    for (int i = 0; i < s.n; i++) {
        int64_t a, b;
        if (!term_bounds(s.term[i], &a, &b) && !clamp_bounds(s.term[i], &a, &b)) return false;
        *lo += s.coef[i] * (s.coef[i] > 0 ? a : b);
        *hi += s.coef[i] * (s.coef[i] > 0 ? b : a);
    }
    return true;
}

int64_t most_of(const Expr *e) {
    int64_t lo, hi;
    ASSERT(bounds_of(e, &lo, &hi));
    return hi;
}

/* Splits e = k * q + r with r the terms k does not divide; true if then 0 <= r < k, so that q and r are e / k and e %
 * k. */
static bool split(Lower *l, Expr *e, int64_t k, Expr **q, Expr **r) {
    Sum s = {0}, sq = {0}, sr = {0};
    int64_t lo, hi;
    if (k <= 0 || !add_to_sum(&s, e, 1)) return false;
    for (int i = 0; i < s.n; i++) {
        bool divides = s.coef[i] % k == 0;
        if (!add_term(divides ? &sq : &sr, s.term[i], divides ? s.coef[i] / k : s.coef[i])) return false;
    }
    sq.c = floor_div(s.c, k), sr.c = s.c - sq.c * k;
    *r = build_sum(l, &sr);
    *q = build_sum(l, &sq);
    return bounds_of(*r, &lo, &hi) && lo >= 0 && hi < k;
}

/* (k * q + r) / k is q + r / k for any r that is not negative, and leaves r % k. */
static bool takes_out(const Expr *whole, const Expr *r) {
    int64_t lo, hi;
    return r && r != whole && bounds_of(r, &lo, &hi) && lo >= 0;
}

Expr *ix_div(Lower *l, Expr *a, Expr *b) {
    Expr *q = NULL, *r = NULL;
    if (b->kind == E_INT && b->i == 1) return a;
    if (a->kind == E_INT && b->kind == E_INT && b->i) return ix(l, floor_div(a->i, b->i));
    if (b->kind == E_INT && split(l, a, b->i, &q, &r)) return q;
    if (b->kind == E_INT && b->i > 0 && takes_out(a, r)) return ix_add(l, q, binary(l, OP_Div, DT_index, r, b));
    return binary(l, OP_Div, DT_index, a, b);
}

Expr *ix_mod(Lower *l, Expr *a, Expr *b) {
    Expr *q = NULL, *r = NULL;
    if (b->kind == E_INT && b->i == 1) return ix(l, 0);
    if (a->kind == E_INT && b->kind == E_INT && b->i) return ix(l, a->i - floor_div(a->i, b->i) * b->i);
    if (b->kind == E_INT && split(l, a, b->i, &q, &r)) return r;
    if (b->kind == E_INT && b->i > 0 && takes_out(a, r)) return binary(l, OP_FloorMod, DT_index, r, b);
    return binary(l, OP_FloorMod, DT_index, a, b);
}

/* A product without the axis among its factors, which are no sums; NULL: it is no such product. */
static Expr *without_axis(Lower *l, const Expr *term, const Axis *axis) {
    const Expr *f[MAX_FACTORS];
    int n = factors_of(term, f, 0), found = 0;
    Expr *e = ix(l, 1);
    for (int i = 0; i < n; i++) {
        bool here = f[i]->kind == E_AXIS && f[i]->axis == axis;
        if (!here && uses_axis(f[i], axis)) return NULL;
        found += here;
        if (!here) e = ix_mul(l, e, (Expr *)(uintptr_t)f[i]);
    }
    return found == 1 ? e : NULL;
}

Expr *step_over(Lower *l, const Expr *index, const Axis *axis) {
    const Expr *term[MAX_TERMS];
    int64_t coef[MAX_TERMS], c;
    int n = affine(index, MAX_TERMS, term, coef, &c);
    Expr *step = ix(l, 0);
    if (n < 0) return NULL;
    for (int i = 0; i < n; i++) {
        if (!uses_axis(term[i], axis)) continue;
        Expr *by = without_axis(l, term[i], axis);
        if (!by) return NULL;
        step = ix_add(l, step, ix_mul(l, by, ix(l, coef[i])));
    }
    return step;
}

bool uses_axis(const Expr *e, const Axis *axis) {
    if (!e) return false;
    if (e->kind == E_AXIS) return e->axis == axis;
    for (int i = 0; i < e->n; i++)
        if (uses_axis(e->arg[i], axis)) return true;
    return false;
}
