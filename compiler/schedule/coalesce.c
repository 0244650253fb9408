/* coalesce.c - nests of loops as one loop, which threads or blocks share. */
#include "schedule/schedule.h"

enum { MAX_NEST = 16 };

/* The loops of a nest that can be one: plain, each the only statement of the one around it, extents of their own. */
static int nest_of(const Stmt *s, AxisKind kind, const Stmt **loop) {
    int n = 0;
    for (; plain_for(s) && s->axis->kind == kind && n < MAX_NEST; s = s->body) {
        for (int i = 0; i < n; i++)
            if (uses_axis(s->axis->size, loop[i]->axis)) return n;
        loop[n++] = s;
        if (!s->body || s->body->next) break;
    }
    return n;
}

const Stmt *parallel_body(const Stmt *s, int64_t *count) {
    const Stmt *loop[MAX_NEST];
    int n = nest_of(s, AX_PAR, loop);
    *count = 1;
    if (!n) return s->body; /* with bounds */
    for (int i = 0; i < n; i++) *count *= loop[i]->axis->extent;
    return loop[n - 1]->body;
}

static Stmt *let_index(Lower *l, const char *name, Expr *e, Expr **temp) {
    Temp *t = NEW(l->arena, Temp);
    *t = (Temp){name, l->k->temps++, DT_index, false};
    *temp = new_temp_expr(l, t);
    return new_stmt(l, (Stmt){.kind = S_LET, .temp = t, .expr = e});
}

/* The loops' variables from the number of the iteration: i = flat / (J * K), j = flat / K % J, k = flat % K. */
Stmt *unflatten(Lower *l, const Axis *const *axis, int n, Expr *flat, Stmt *body) {
    Expr *inner = ix(l, 1);
    for (int i = n - 1; i >= 0; i--) {
        Expr *e = ix_div(l, flat, inner), *temp;
        if (i) e = ix_mod(l, e, axis[i]->size);
        Stmt *let = let_index(l, axis[i]->name, e, &temp);
        Substitution w = new_substitution(l, new_axis_expr(l, (Axis *)(uintptr_t)axis[i]), temp);
        let->next = rewrite_stmts(l, body, &w);
        body = let;
        inner = ix_mul(l, inner, axis[i]->size);
    }
    return body;
}

static Stmt *coalesce(Lower *l, const Stmt *s, const Stmt **loop, int n, AxisKind to) {
    Stmt *one = new_stmt(l, *s);
    one->next = NULL;
    one->axis = arena_copy(l->arena, s->axis, sizeof *s->axis);
    one->axis->kind = to, one->axis->id = l->k->axes++;
    if (n > 1) {
        const Axis *axis[MAX_NEST];
        for (int i = 0; i < n; i++) axis[i] = loop[i]->axis;
        one->axis->name = "at";
        for (int i = 1; i < n; i++) {
            one->axis->extent *= loop[i]->axis->extent;
            one->axis->size = ix_mul(l, one->axis->size, loop[i]->axis->size);
        }
        one->body = unflatten(l, axis, n, new_axis_expr(l, one->axis), loop[n - 1]->body);
    } else {
        Substitution w = new_substitution(l, new_axis_expr(l, s->axis), new_axis_expr(l, one->axis));
        one->body = rewrite_stmts(l, s->body, &w);
    }
    return one;
}

Stmt *coalesce_loops(Lower *l, const Stmt *s, AxisKind from, AxisKind to) {
    const Stmt *loop[MAX_NEST];
    return coalesce(l, s, loop, nest_of(s, from, loop), to);
}

Stmt *coalesce_first(Lower *l, const Stmt *s, int n) {
    const Stmt *loop[MAX_NEST];
    int most = nest_of(s, s->axis->kind, loop);
    return coalesce(l, s, loop, n < most ? n : most, s->axis->kind);
}

Stmt *distribute_loop(Lower *l, const Stmt *s, AxisKind kind) { return coalesce_loops(l, s, AX_PAR, kind); }
