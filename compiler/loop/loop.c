/* loop.c - building loop nests: hash-consed expressions, canonical index sums, statements in blocks. */
#include "loop/loop.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include <math.h>

/* ---- expressions ---- */

static uint64_t mixed(uint64_t h, uint64_t with) {
    h = (h ^ with) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static uint32_t expr_hash(const Expr *e) {
    uint64_t h = mixed((uint64_t)e->kind << 32 | (uint32_t)e->dtype, (uint64_t)(uintptr_t)e->op);
    h = mixed(h, (uint64_t)e->i);
    for (int i = 0; i < e->n; i++) h = mixed(h, (uint64_t)(uintptr_t)e->arg[i]);
    return (uint32_t)h;
}

static bool expr_equal(const Expr *a, const Expr *b) {
    return a->kind == b->kind && a->dtype == b->dtype && a->op == b->op && a->bits == b->bits && a->n == b->n &&
           a->i == b->i && a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2];
}

static void grow_table(Kernel *k, Arena *arena) {
    Expr **old = k->table;
    int n = k->buckets;
    k->buckets = n ? 2 * n : 32;
    k->table = NEW_ARRAY(arena, Expr *, k->buckets);
    for (int i = 0; i < n; i++)
        for (Expr *e = old[i], *next; e; e = next) {
            Expr **b = &k->table[expr_hash(e) & (uint32_t)(k->buckets - 1)];
            next = e->chain, e->chain = *b, *b = e;
        }
}

static Expr *intern(Lower *l, Expr proto) {
    Kernel *k = l->k;
    if (k->nexpr >= k->buckets) grow_table(k, l->arena);
    Expr **b = &k->table[expr_hash(&proto) & (uint32_t)(k->buckets - 1)];
    for (Expr *e = *b; e; e = e->chain)
        if (expr_equal(e, &proto)) return e;
    if (--l->m->fuel < 0)
        fatal(l->m, EXIT_INPUT, "the model is too large to compile: a kernel has too many expressions");
    Expr *e = arena_copy(l->arena, &proto, sizeof proto);
    e->id = k->nexpr++, e->chain = *b, *b = e;
    return e;
}

Expr *ix(Lower *l, int64_t i) { return intern(l, (Expr){.kind = E_INT, .dtype = DT_index, .i = i}); }

static Expr *truth(Lower *l, bool b) { return intern(l, (Expr){.kind = E_INT, .dtype = DT_bool, .i = b}); }

Expr *num(Lower *l, DType t, double v) {
    t = compute_type(t);
    if (is_float(t))
        return intern(l, (Expr){.kind = E_NUM, .dtype = t, .num = cast_scalar((Scalar){.f = v}, DT_f64, t).f});
    return intern(l, (Expr){.kind = E_INT, .dtype = t, .i = cast_scalar((Scalar){.f = v}, DT_f64, t).i});
}

Expr *scalar_expr(Lower *l, DType t, Scalar s) {
    if (is_float(t)) return num(l, t, s.f);
    return intern(l, (Expr){.kind = E_INT, .dtype = t, .i = s.i});
}

static bool is_constant(const Expr *e) { return e->kind == E_INT || e->kind == E_NUM; }
static bool is_atom(const Expr *e) {
    return is_constant(e) || e->kind == E_AXIS || e->kind == E_SYM || (e->kind == E_TEMP && !e->temp->mutable);
}

Scalar constant_of(const Expr *e) { return e->kind == E_NUM ? (Scalar){.f = e->num} : (Scalar){.i = e->i}; }

/* ---- index arithmetic: sums of coef * term + c, kept in one canonical order ---- */

enum { MAX_TERMS = 24 };
typedef struct {
    int n;
    const Expr *term[MAX_TERMS];
    int64_t coef[MAX_TERMS], c;
} Sum;

static bool is_op(const Expr *e, int op) { return e->kind == E_MAP && e->op == &ops[op]; }

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

static bool add_to(Sum *s, const Expr *e, int64_t k) {
    if (e->kind == E_INT) {
        s->c = wrapped_sum(s->c, wrapped_product(k, e->i));
        return true;
    }
    if (is_op(e, OP_Add)) return add_to(s, e->arg[0], k) && add_to(s, e->arg[1], k);
    if (is_op(e, OP_Mul) && e->arg[1]->kind == E_INT) return add_to(s, e->arg[0], wrapped_product(k, e->arg[1]->i));
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

static Expr *binary(Lower *l, int op, DType t, Expr *a, Expr *b) {
    return intern(l, (Expr){.kind = E_MAP, .dtype = t, .op = &ops[op], .n = 2, .arg = {a, b}});
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
    if (add_to(&s, a, ka) && add_to(&s, b, kb)) return build_sum(l, &s);
    return binary(l, OP_Add, DT_index, scaled(l, a, ka), scaled(l, b, kb));
}

Expr *ix_add(Lower *l, Expr *a, Expr *b) { return combine(l, a, 1, b, 1); }
Expr *ix_sub(Lower *l, Expr *a, Expr *b) { return combine(l, a, 1, b, -1); }

enum { MAX_FACTORS = 12 };

static int factors_of(const Expr *e, const Expr **f, int n) {
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
    if (!add_to(s, e, 1)) return false;
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
    if (!add_to(&s, e, 1)) return -1;
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
    if (!add_to(&s, e, 1)) return false;
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
    if (k <= 0 || !add_to(&s, e, 1)) return false;
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

bool dim_of_expr(Module *m, const Expr *e, Dim *d) {
    static const struct {
        int op;
        bool (*rule)(Module *, Dim, Dim, Dim *);
    } rules[] = {{OP_Add, dim_add}, {OP_Mul, dim_mul}, {OP_Div, dim_quotient}};
    Dim a, b;
    if (e->kind == E_INT) return *d = (Dim){e->i, NULL}, true;
    if (e->kind == E_SYM) return *d = (Dim){e->symbol->max, e->symbol}, true;
    for (int i = 0; i < COUNT(rules); i++)
        if (is_op(e, rules[i].op) && dim_of_expr(m, e->arg[0], &a) && dim_of_expr(m, e->arg[1], &b))
            return rules[i].rule(m, a, b, d);
    return false;
}

/* An expression's range as dims, so that terms of the same extents cancel: 2 i + 1 stays below h where i is below h
 * / 2. */
typedef struct {
    Dim lo, hi;
} Span;

static bool has_symbol(const Expr *e) {
    if (e->kind == E_SYM) return true;
    if (e->kind == E_AXIS) return has_symbol(e->axis->size);
    for (int i = 0; i < e->n; i++)
        if (has_symbol(e->arg[i])) return true;
    return false;
}

static bool add_scaled(Module *m, Dim *sum, Dim d, int64_t k) {
    return dim_mul(m, d, (Dim){k, NULL}, &d) && dim_add(m, *sum, d, sum);
}

static bool span_of(Module *m, const Expr *e, Span *s);

static bool term_span(Module *m, const Expr *e, Span *s) {
    int64_t lo, hi;
    if (dim_of_expr(m, e, &s->lo)) return s->hi = s->lo, true;
    *s = (Span){{0, NULL}, {0, NULL}};
    if (e->kind == E_AXIS) return dim_of_expr(m, e->axis->size, &s->hi) && dim_add(m, s->hi, (Dim){-1, NULL}, &s->hi);
    if (is_op(e, OP_Div) && e->arg[1]->kind == E_INT)
        return span_of(m, e->arg[0], s) && dim_quotient(m, s->lo, (Dim){e->arg[1]->i, NULL}, &s->lo) &&
               dim_quotient(m, s->hi, (Dim){e->arg[1]->i, NULL}, &s->hi);
    if (!bounds_of(e, &lo, &hi)) return false;
    s->lo.max = lo, s->hi.max = hi;
    return true;
}

static bool span_of(Module *m, const Expr *e, Span *out) {
    Sum s = {0};
    if (!add_to(&s, e, 1)) return false;
    *out = (Span){{s.c, NULL}, {s.c, NULL}};
    for (int i = 0; i < s.n; i++) {
        Span t;
        int64_t k = s.coef[i];
        if (k && (!term_span(m, s.term[i], &t) || !add_scaled(m, &out->lo, k > 0 ? t.lo : t.hi, k) ||
                  !add_scaled(m, &out->hi, k > 0 ? t.hi : t.lo, k)))
            return false;
    }
    return true;
}

/* Bounds, with what is known of the extents of the call. */
static bool bounds_in_calls(Lower *l, const Expr *e, int64_t *lo, int64_t *hi) {
    Span s;
    bool known = bounds_of(e, lo, hi);
    if (!has_symbol(e) || !span_of(l->m, e, &s)) return known;
    int64_t least = dim_least(s.lo), most = s.hi.max;
    *lo = known && *lo > least ? *lo : least, *hi = known && *hi < most ? *hi : most;
    return true;
}

Expr *ix_less(Lower *l, Expr *a, Expr *b) {
    int64_t lo, hi;
    if (bounds_in_calls(l, ix_sub(l, a, b), &lo, &hi)) {
        if (hi < 0) return truth(l, true);
        if (lo >= 0) return truth(l, false);
    }
    return binary(l, OP_Less, DT_bool, a, b);
}

Expr *ix_equal(Lower *l, Expr *a, Expr *b) {
    int64_t lo, hi;
    if (a == b) return truth(l, true);
    if (bounds_of(ix_sub(l, a, b), &lo, &hi) && (hi < 0 || lo > 0)) return truth(l, false);
    return binary(l, OP_Equal, DT_bool, a, b);
}

static Expr *at_least(Lower *l, Expr *e, Expr *lo) {
    Expr *below = ix_less(l, e, lo);
    if (below->kind == E_INT) return truth(l, !below->i);
    return binary(l, OP_GreaterOrEqual, DT_bool, e, lo);
}

Expr *in_range(Lower *l, Expr *e, Expr *lo, Expr *hi) { return map2(l, OP_And, at_least(l, e, lo), ix_less(l, e, hi)); }

/* ---- scalar arithmetic ---- */

static DType result_type(const Op *op, DType t) { return op->out_types && op->out_types[0] == 'b' ? DT_bool : t; }

/* Evaluates a row's text on constants of type t. */
Scalar eval_map(const Op *op, DType t, const Scalar *a) {
    DType out = result_type(op, t);
    bool where = op == &ops[OP_Where];
    if (is_float(t)) {
        double r = op->eval_f(where ? (double)a[0].i : a[0].f, a[1].f, a[2].f);
        return is_float(out) ? cast_scalar((Scalar){.f = r}, DT_f64, out) : (Scalar){.i = (int64_t)r};
    }
    Scalar s;
    if (op->wrap || dtypes[t].kind == 'u')
        s.u = op->eval_u(a[0].u, a[1].u, a[2].u);
    else
        s.i = op->eval_i(a[0].i, a[1].i, a[2].i);
    return out == DT_index ? s : cast_scalar(s, DT_u64, out);
}

static Expr *fold_bools(Lower *l, const Op *op, Expr *const *a) {
    if (op == &ops[OP_And] || op == &ops[OP_Or]) {
        bool absorbing = op == &ops[OP_Or];
        for (int i = 0; i < 2; i++)
            if (a[i]->kind == E_INT) return (a[i]->i != 0) == absorbing ? truth(l, absorbing) : a[1 - i];
    }
    if (op == &ops[OP_Where] && a[0]->kind == E_INT) return a[0]->i ? a[1] : a[2];
    return NULL;
}

static Expr *map_n(Lower *l, int op, int n, Expr *a, Expr *b, Expr *c) {
    const Op *row = &ops[op];
    Expr *args[3] = {a, b, c};
    Expr *typed = op == OP_Where ? b : a;
    DType t = typed->dtype;
    Expr *folded = fold_bools(l, row, args);
    if (folded) return folded;
    if (t == DT_index && op == OP_Add) return ix_add(l, a, b);
    if (t == DT_index && op == OP_Sub) return ix_sub(l, a, b);
    if (t == DT_index && op == OP_Mul) return ix_mul(l, a, b);
    bool constant = true;
    Scalar v[3] = {{0}, {0}, {0}};
    for (int i = 0; i < n; i++) {
        constant = constant && is_constant(args[i]);
        if (constant) v[i] = constant_of(args[i]);
    }
    if (constant) return scalar_expr(l, result_type(row, t), eval_map(row, t, v));
    return intern(l, (Expr){.kind = E_MAP, .dtype = result_type(row, t), .op = row, .n = n, .arg = {a, b, c}});
}

Expr *neutral_element(Lower *l, const Op *op, DType t) {
    bool lowest = op->neutral == NEUTRAL_LOWEST;
    if (op->neutral == NEUTRAL_0 || op->neutral == NEUTRAL_1) return num(l, t, op->neutral == NEUTRAL_1);
    if (is_float(t)) return num(l, t, lowest ? -(double)INFINITY : (double)INFINITY);
    return scalar_expr(l, t, lowest ? (Scalar){.i = dtype_min(t)} : (Scalar){.u = dtype_max(t)});
}

Expr *map1(Lower *l, int op, Expr *a) { return map_n(l, op, 1, a, NULL, NULL); }
Expr *map2(Lower *l, int op, Expr *a, Expr *b) { return map_n(l, op, 2, a, b, NULL); }
Expr *map3(Lower *l, int op, Expr *a, Expr *b, Expr *c) { return map_n(l, op, 3, a, b, c); }
Expr *select_of(Lower *l, Expr *cond, Expr *then, Expr *other) { return map_n(l, OP_Where, 3, cond, then, other); }

Expr *cast(Lower *l, Expr *e, DType to) {
    to = compute_type(to);
    if (e->dtype == to) return e;
    if (is_constant(e)) return scalar_expr(l, to, cast_scalar(constant_of(e), e->dtype, to));
    return intern(l, (Expr){.kind = E_CAST, .dtype = to, .n = 1, .arg = {e}});
}

static Expr *symbol_expr(Lower *l, const Symbol *s) {
    return intern(l, (Expr){.kind = E_SYM, .dtype = DT_index, .symbol = s});
}

/* A factor of a term; a quotient by the name's own step is the name, if the coefficient has the step in it. */
static Expr *factor_expr(Lower *l, const Symbol *s, int64_t *coef) {
    const Symbol *name = s->a;
    Dim whole;
    bool stepped = s->kind == SYMBOL_QUOTIENT && name->kind == SYMBOL_NAME && name->step == s->by && *coef % s->by == 0;
    if (!stepped || !dim_mul(l->m, (Dim){s->max, s}, (Dim){s->by, NULL}, &whole)) return symbol_expr(l, s);
    *coef /= s->by;
    return symbol_expr(l, whole.symbol);
}

static Expr *term_expr(Lower *l, const SymbolTerm *t) {
    int64_t coef = t->coef;
    Expr *e = NULL;
    for (int k = 0; k < t->n; k++) {
        Expr *f = factor_expr(l, t->factor[k], &coef);
        e = e ? ix_mul(l, e, f) : f;
    }
    return ix_mul(l, e, ix(l, coef));
}

/* The bounds of a sum are those of its terms, so that it can be taken apart, where none is subtracted. */
Expr *extent(Lower *l, Dim d) {
    const Symbol *s = d.symbol;
    if (!s) return ix(l, d.max);
    if (s->kind != SYMBOL_SUM) return symbol_expr(l, s);
    for (int i = 0; i < s->n; i++)
        if (s->term[i].coef < 0) return symbol_expr(l, s);
    Expr *e = ix(l, s->c);
    for (int i = 0; i < s->n; i++) e = ix_add(l, e, term_expr(l, &s->term[i]));
    return e;
}

Expr *load_flat(Lower *l, Value *v, Expr *index) {
    if (v->data && v->kind == V_CONST && v->data->count == 1 && is_dense(v)) /* a halo around it holds zeros */
        return scalar_expr(l, compute_type(v->type.dtype), load_scalar(v->type.dtype, v->data->data));
    return intern(l, (Expr){.kind = E_LOAD, .dtype = compute_type(v->type.dtype), .n = 1, .arg = {index}, .value = v});
}

/* Dense tensors are packed at the extents of the call; others have room for the greatest. */
static Expr *step_in(Lower *l, const Value *v, int dim) {
    Expr *step = ix(l, 1);
    if (!is_dense(v)) return ix(l, step_of(v, dim));
    for (int i = v->type.rank - 1; i > dim; i--) step = ix_mul(l, step, extent(l, v->type.dim[i]));
    return step;
}

static Expr *flat_index(Lower *l, const Value *v, Expr *const *idx) {
    Expr *e = ix(l, 0);
    for (int i = v->type.rank - 1; i >= 0; i--) {
        Expr *at = ix_add(l, idx[i], ix(l, v->layout.halo ? v->layout.halo[2 * i] : 0));
        if (v->layout.block && v->layout.block[0] == i) {
            Expr *size = ix(l, v->layout.block[1]);
            e = ix_add(l, ix_mul(l, ix_div(l, at, size), ix(l, v->layout.block[2])), e);
            at = ix_mod(l, at, size);
        }
        e = ix_add(l, ix_mul(l, at, step_in(l, v, i)), e);
    }
    return e;
}

Expr *load(Lower *l, Value *v, Expr *const *idx) { return load_flat(l, v, flat_index(l, v, idx)); }

Expr *load_bits_flat(Lower *l, Value *v, Expr *index) {
    DType t = bits_type(v->type.dtype);
    return intern(l, (Expr){.kind = E_LOAD, .dtype = t, .bits = true, .n = 1, .arg = {index}, .value = v});
}

Expr *load_char_flat(Lower *l, Value *v, Expr *index, Expr *at) {
    return intern(l, (Expr){.kind = E_LOAD, .dtype = DT_u8, .n = 2, .arg = {index, at}, .value = v});
}

Expr *load_bits(Lower *l, Value *v, Expr *const *idx) { return load_bits_flat(l, v, flat_index(l, v, idx)); }

Expr *local_at(Lower *l, Local *a, Expr *index) {
    return intern(l, (Expr){.kind = E_LOCAL, .dtype = a->dtype, .n = 1, .arg = {index}, .local = a});
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

/* ---- statements ---- */

static void append_stmt(Lower *l, Stmt *s) {
    Block *b = &l->block[l->depth - 1];
    if (b->last)
        b->last->next = s;
    else
        b->first = s;
    b->last = s;
}

static void add_stmt(Lower *l, Stmt proto) { append_stmt(l, arena_copy(l->arena, &proto, sizeof proto)); }

/* A block's statement joins its parent's list only when it is closed, so that code hoisted meanwhile comes before it.
 */
void push_block(Lower *l, Stmt *owner) {
    if (l->depth == l->cap) {
        Block *grown = NEW_ARRAY(l->arena, Block, l->cap ? 2 * l->cap : 32);
        if (l->depth) memcpy(grown, l->block, sizeof(Block) * (size_t)l->depth);
        l->cap = l->cap ? 2 * l->cap : 32, l->block = grown;
    }
    l->block[l->depth++] = (Block){.owner = owner};
}

static Stmt *new_stmt(Lower *l, Stmt proto) { return arena_copy(l->arena, &proto, sizeof proto); }

Expr *new_axis_expr(Lower *l, Axis *a) { return intern(l, (Expr){.kind = E_AXIS, .dtype = DT_index, .axis = a}); }

Expr *new_temp_expr(Lower *l, Temp *t) { return intern(l, (Expr){.kind = E_TEMP, .dtype = t->dtype, .temp = t}); }

Expr *open_for(Lower *l, const char *name, AxisKind kind, Expr *size) {
    Axis *axis = NEW(l->arena, Axis);
    int64_t lo = 0, hi = 0;
    if (!bounds_of(size, &lo, &hi)) hi = INT32_MAX;
    *axis = (Axis){name, l->k->axes++, kind, hi, size};
    push_block(l, new_stmt(l, (Stmt){.kind = S_FOR, .axis = axis}));
    return new_axis_expr(l, axis);
}

void open_if(Lower *l, Expr *cond) { push_block(l, new_stmt(l, (Stmt){.kind = S_IF, .expr = cond})); }

void open_while(Lower *l, Expr *cond) { push_block(l, new_stmt(l, (Stmt){.kind = S_WHILE, .expr = cond})); }

void open_else(Lower *l) {
    Block *b = &l->block[l->depth - 1];
    ASSERT(b->owner->kind == S_IF && !b->in_else);
    b->owner->body = b->first;
    *b = (Block){.owner = b->owner, .in_else = true};
}

/* An if whose condition is certain leaves its body, or nothing, in its place. */
void close_block(Lower *l) {
    Block b = l->block[--l->depth];
    Stmt *s = b.owner;
    *(b.in_else ? &s->other : &s->body) = b.first;
    if (s->kind == S_IF && s->expr->kind == E_INT) {
        Stmt *kept = s->expr->i ? s->body : s->other;
        for (Stmt *next; kept; kept = next) next = kept->next, kept->next = NULL, append_stmt(l, kept);
        return;
    }
    if (s->kind == S_FOR && s->axis->size->kind == E_INT && s->axis->size->i == 0) return;
    append_stmt(l, s);
}

static Expr *new_temp(Lower *l, const char *name, DType t, bool mutable) {
    Temp *temp = NEW(l->arena, Temp);
    *temp = (Temp){name, l->k->temps++, t, mutable};
    return new_temp_expr(l, temp);
}

Expr *let(Lower *l, const char *name, Expr *e) {
    if (is_atom(e)) return e;
    Expr *t = new_temp(l, name, e->dtype, false);
    add_stmt(l, (Stmt){.kind = S_LET, .temp = t->temp, .expr = e});
    return t;
}

Expr *var(Lower *l, const char *name, DType t, Expr *init) {
    Expr *v = new_temp(l, name, compute_type(t), true);
    add_stmt(l, (Stmt){.kind = S_LET, .temp = v->temp, .expr = cast(l, init, t)});
    return v;
}

void set(Lower *l, Expr *v, Expr *e) {
    ASSERT(v->kind == E_TEMP && v->temp->mutable && v->dtype == e->dtype);
    add_stmt(l, (Stmt){.kind = S_SET, .temp = v->temp, .expr = e});
}

void store_flat(Lower *l, Value *v, Expr *index, Expr *e) {
    add_stmt(l, (Stmt){.kind = S_STORE, .value = v, .index = index, .expr = cast(l, e, v->type.dtype)});
}

void store_bits(Lower *l, Value *v, Expr *const *idx, Expr *e) {
    add_stmt(l, (Stmt){.kind = S_STORE, .value = v, .index = flat_index(l, v, idx), .expr = e, .bits = true});
}

void store(Lower *l, Value *v, Expr *const *idx, Expr *e) { store_flat(l, v, flat_index(l, v, idx), e); }

Local *local_new(Lower *l, const char *name, DType t, int64_t count) {
    Local *a = NEW(l->arena, Local);
    *a = (Local){name, l->k->locals++, compute_type(t), count};
    add_stmt(l, (Stmt){.kind = S_LOCAL, .local = a});
    return a;
}

void put_local(Lower *l, Local *a, Expr *index, Expr *e) {
    add_stmt(l, (Stmt){.kind = S_PUT, .local = a, .index = index, .expr = cast(l, e, a->dtype)});
}

Value *scratch(Lower *l, const char *name, DType t, int rank, const int64_t *dim) {
    Value *v = NEW(l->arena, Value);
    v->kind = V_NODE, v->name = name, v->type = type_make(t, rank, dim), v->plan.offset = -1,
    v->plan.base = v->plan.buffer = v;
    v->graph = NULL, v->def = NULL, v->id = -1;
    push(l->arena, &l->k->scratch, v);
    return v;
}
