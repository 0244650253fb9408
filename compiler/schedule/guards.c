/* guards.c - a bounds check that a loop's variable decides becomes the loop's bounds; one that chooses between values
 * divides the loop. */
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

/* Whether a condition is k * a + rest >= lo, or < hi, of an axis. */
static bool bounds_axis(const Expr *c, const Axis *a, int64_t *k) {
    if (c->kind != E_MAP || (c->op != &ops[OP_GreaterOrEqual] && c->op != &ops[OP_Less])) return false;
    return c->arg[0]->dtype == DT_index && !uses_axis(c->arg[1], a) && coefficient(c->arg[0], a, k) && *k >= 1;
}

/* Such a condition as a bound of the loop; false if it has another form. */
static bool as_bound(Lower *l, Stmt *s, Expr *x, const Expr *c) {
    int64_t k;
    if (!bounds_axis(c, x->axis, &k)) return false;
    Expr *rest = ix_sub(l, c->arg[0], ix_mul(l, x, ix(l, k)));
    Expr *limit = ceil_of(l, ix_sub(l, c->arg[1], rest), k);
    if (c->op == &ops[OP_GreaterOrEqual])
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

/* ---- ranges: padding around short rows ----
 *
 * Left in one loop, gcc 12 at -O3 with AVX2 unrolls the row, takes the loop around it for a vector's and reads zeros
 * for what the check lets through (findings/gcc_guarded_rows.sh). */

enum { SHORT_ROW = 16, MAX_DIVISIONS = 8 };

static bool asks_a_loop_in(const Stmt *s, const Expr *c) {
    for (; s; s = s->next)
        if ((s->kind == S_FOR && uses_axis(c, s->axis)) || asks_a_loop_in(s->body, c) || asks_a_loop_in(s->other, c))
            return true;
    return false;
}

/* Whether a loop's variable and what is known outside of the loop decide it. */
static bool decided_by(const Stmt *loop, const Expr *c) {
    int64_t k;
    return bounds_axis(c, loop->axis, &k) && !reads_temp(c) && !asks_a_loop_in(loop->body, c);
}

/* A choice between values by such a check; NULL if there is none. */
static Expr *choice_in(const Stmt *loop, Expr *e) {
    Expr *c[MAX_CONDITIONS], *found = NULL;
    int n = e->kind == E_MAP && e->op == &ops[OP_Where] ? conjuncts(e->arg[0], 0, c) : 0;
    for (int i = 0; i < n && n < MAX_CONDITIONS; i++)
        if (decided_by(loop, c[i])) return e;
    for (int i = 0; i < e->n && !found; i++) found = choice_in(loop, e->arg[i]);
    return found;
}

/* The same in statements below, in rows that are short. */
static Expr *choice_below(const Stmt *loop, const Stmt *s, const Axis *row) {
    Expr *found = NULL;
    for (; s && !found; s = s->next) {
        found = choice_below(loop, s->body, s->kind == S_FOR ? s->axis : row);
        if (!found) found = choice_below(loop, s->other, row);
        if (!found && gives_value(s) && row && row->extent <= SHORT_ROW) found = choice_in(loop, s->expr);
    }
    return found;
}

/* The loop with one of the values, within bounds; before `next`. */
static Stmt *range(Lower *l, const Stmt *s, Expr *choice, Expr *value, Expr *lo, Expr *hi, Stmt *next) {
    Substitution w = new_substitution(l, choice, value);
    Stmt *r = arena_copy(l->arena, s, sizeof *r);
    r->body = rewrite_stmts(l, s->body, &w), r->next = next;
    r->lo = lo && lo->kind == E_INT && lo->i == 0 ? NULL : lo, r->hi = hi == s->axis->size ? NULL : hi;
    return r;
}

/* Before, within, and behind the bounds. */
static void divide(Lower *l, Stmt *s, Expr *choice) {
    Expr *c[MAX_CONDITIONS], *left = NULL, *x = new_axis_expr(l, s->axis), *size = s->axis->size;
    Stmt at = {.axis = s->axis};
    int n = conjuncts(choice->arg[0], 0, c);
    for (int i = 0; i < n; i++)
        if (!decided_by(s, c[i]) || !as_bound(l, &at, x, c[i])) left = conjunction(l, left, c[i]);
    Expr *in = left ? select_of(l, left, choice->arg[1], choice->arg[2]) : choice->arg[1], *out = choice->arg[2];
    Stmt *rest = s->next;
    if (at.hi) rest = range(l, s, choice, out, at.lo ? map2(l, OP_Max, at.lo, at.hi) : at.hi, NULL, rest);
    rest = range(l, s, choice, in, at.lo, at.hi, rest);
    if (at.lo) rest = range(l, s, choice, out, NULL, map2(l, OP_Min, at.lo, size), rest);
    *s = *rest;
}

static void divide_loops(Lower *l, Stmt *s, int *divisions) {
    for (; s; s = s->next) {
        if (s->done) continue;
        Expr *choice;
        while (plain_parallel(s) && *divisions < MAX_DIVISIONS && (choice = choice_below(s, s->body, NULL)))
            ++*divisions, divide(l, s, choice);
        divide_loops(l, s->body, divisions), divide_loops(l, s->other, divisions);
    }
}

void schedule_ranges(Lower *l, Stmt **list) {
    int divisions = 0;
    divide_loops(l, *list, &divisions);
}

void schedule_guards(Lower *l, Stmt **list) { guards_into_bounds(l, *list); }
