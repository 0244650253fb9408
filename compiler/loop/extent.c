/* extent.c - extents of the call in indices, and what is certain about indices because of them. */
#include "ir/build.h"
#include "loop/expr.h"

static Expr *symbol_expr(Lower *l, const Symbol *s) {
    return intern_expr(l, (Expr){.kind = E_SYM, .dtype = DT_index, .symbol = s});
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
    if (!add_to_sum(&s, e, 1)) return false;
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
