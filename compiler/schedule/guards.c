/* guards.c - a bounds check that a loop's variable decides becomes the loop's bounds. */
#include "schedule/schedule.h"

enum { MAX_CONDITIONS = 32 };

static int conjuncts(Expr *e, int n, Expr **out) {
    if (n == MAX_CONDITIONS) return n;
    if (e->kind == E_MAP && e->op == &ops[OP_And]) return conjuncts(e->arg[1], conjuncts(e->arg[0], n, out), out);
    out[n] = e;
    return n + 1;
}

static Expr *conjunction(Lower *l, Expr *a, Expr *b) { return a ? map2(l, OP_And, a, b) : b; }

static Expr *no_less(Lower *l, Expr *e, int64_t least) {
    int64_t lo, hi;
    if (bounds_of(e, &lo, &hi) && lo >= least) return e;
    return map2(l, OP_Max, e, ix(l, least));
}

/* ceil(e / k) of what is at least 0 once clamped. */
static Expr *ceil_of(Lower *l, Expr *e, int64_t k) {
    e = no_less(l, e, 0);
    return k == 1 ? e : ix_div(l, ix_add(l, e, ix(l, k - 1)), ix(l, k));
}

/* a * x + rest >= lo, or < hi, as a bound of x; false if the condition has another form. */
static bool as_bound(Lower *l, Stmt *s, Expr *x, const Expr *c) {
    bool lower = c->op == &ops[OP_GreaterOrEqual], upper = c->op == &ops[OP_Less];
    int64_t k;
    if (c->kind != E_MAP || (!lower && !upper) || c->arg[0]->dtype != DT_index || uses_axis(c->arg[1], x->axis))
        return false;
    if (!coefficient(c->arg[0], x->axis, &k) || k < 1) return false;
    Expr *rest = ix_sub(l, c->arg[0], ix_mul(l, x, ix(l, k)));
    Expr *limit = ceil_of(l, ix_sub(l, c->arg[1], rest), k);
    if (lower)
        s->lo = s->lo ? map2(l, OP_Max, s->lo, limit) : limit;
    else
        s->hi = map2(l, OP_Min, limit, s->hi ? s->hi : s->axis->size);
    return true;
}

static Expr *bounds_from_guard(Lower *l, Stmt *s, Expr *guard, Expr **outside) {
    Expr *c[MAX_CONDITIONS], *left = NULL, *x = new_axis_expr(l, s->axis);
    int n = conjuncts(guard, 0, c);
    if (n == MAX_CONDITIONS) return guard;
    for (int i = 0; i < n; i++) {
        if (!uses_axis(c[i], s->axis))
            *outside = conjunction(l, *outside, c[i]);
        else if (!as_bound(l, s, x, c[i]))
            left = conjunction(l, left, c[i]);
    }
    return left;
}

static bool sets_nothing_else(const Stmt *s) { return s && s->kind == S_IF && !s->next && !s->other; }

static bool reads_temp(const Expr *e) {
    if (e->kind == E_TEMP || e->kind == E_LOAD || e->kind == E_LOCAL) return true;
    for (int i = 0; i < e->n; i++)
        if (reads_temp(e->arg[i])) return true;
    return false;
}

/* Works from the inside out, so that what one loop does not decide reaches the next. */
static void guards_into_bounds(Lower *l, Stmt *s) {
    for (; s; s = s->next) {
        if (s->done) continue;
        guards_into_bounds(l, s->body), guards_into_bounds(l, s->other);
        if (!plain_for(s) || !sets_nothing_else(s->body) || reads_temp(s->body->expr)) continue;
        Stmt *guard = s->body;
        Expr *outside = NULL, *left = bounds_from_guard(l, s, guard->expr, &outside);
        if (left)
            guard->expr = left;
        else
            s->body = guard->body;
        if (!outside) continue;
        Stmt *in = arena_copy(l->arena, s, sizeof *s);
        in->next = NULL;
        *s = (Stmt){.kind = S_IF, .expr = outside, .body = in, .next = s->next};
    }
}

void schedule_guards(Lower *l, Stmt **list) { guards_into_bounds(l, *list); }
