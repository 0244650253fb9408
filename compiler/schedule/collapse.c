/* collapse.c - two loops that run through memory as one become one. */
#include "schedule/schedule.h"

typedef struct {
    Lower *l;
    const Axis *outer, *inner;
} Pair;

static bool runs_as_one(const Expr *index, const void *arg) {
    const Pair *p = arg;
    const Expr *a = step_over(p->l, index, p->outer);
    Expr *b = step_over(p->l, index, p->inner);
    return a && b && a == ix_mul(p->l, b, p->inner->size);
}

/* Whether an axis appears anywhere but in memory indices. */
static bool used_as_value(const Expr *e, const Axis *a) {
    if (!e) return false;
    if (e->kind == E_AXIS) return e->axis == a;
    if (e->kind == E_LOAD || e->kind == E_LOCAL) return false;
    for (int i = 0; i < e->n; i++)
        if (used_as_value(e->arg[i], a)) return true;
    return false;
}

static bool value_in_stmts(const Stmt *s, const Axis *a) {
    for (; s; s = s->next)
        if (uses_axis(s->lo, a) || uses_axis(s->hi, a) || used_as_value(s->expr, a) || value_in_stmts(s->body, a) ||
            value_in_stmts(s->other, a))
            return true;
    return false;
}

static bool can_collapse(Lower *l, const Stmt *s) {
    const Stmt *in = s->body;
    if (!plain_for(s) || !plain_for(in) || in->next || s->axis->kind != in->axis->kind) return false;
    if (uses_axis(in->axis->size, s->axis) || value_in_stmts(in->body, s->axis) || value_in_stmts(in->body, in->axis))
        return false;
    Pair p = {l, s->axis, in->axis};
    return each_index(in->body, runs_as_one, &p);
}

/* for i { for j … i * J + j … } becomes for i { … i … }, i over I * J. */
static void collapse_pair(Lower *l, Stmt *s) {
    Stmt *in = s->body;
    Expr *i = new_axis_expr(l, s->axis), *j = new_axis_expr(l, in->axis);
    Axis *merged = arena_copy(l->arena, s->axis, sizeof *s->axis);
    merged->id = l->k->axes++, merged->name = in->axis->name;
    merged->extent = s->axis->extent * in->axis->extent;
    merged->size = ix_mul(l, s->axis->size, in->axis->size);
    Expr *m = new_axis_expr(l, merged);
    Substitution drop_outer = new_substitution(l, i, ix(l, 0));
    Stmt *body = rewrite_stmts(l, in->body, &drop_outer);
    Substitution to_merged = new_substitution(l, j, m);
    s->axis = merged;
    s->body = rewrite_stmts(l, body, &to_merged);
}

/* sums: the loops of sums, too. */
static void collapse(Lower *l, Stmt *s, bool sums) {
    for (; s; s = s->next) {
        if (s->done || s->fills_halo) continue; /* a border is written where its rows and columns can be told apart */
        bool may = s->kind == S_FOR && (sums || s->axis->kind == AX_PAR);
        while (may && can_collapse(l, s)) collapse_pair(l, s);
        collapse(l, s->body, sums), collapse(l, s->other, sums);
        while (may && can_collapse(l, s)) collapse_pair(l, s);
    }
}

void schedule_collapse(Lower *l, Stmt **list) { collapse(l, *list, true); }

void schedule_collapse_parallel(Lower *l, Stmt **list) { collapse(l, *list, false); }
