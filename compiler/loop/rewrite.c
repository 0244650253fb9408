/* rewrite.c - substitution in expressions and statements; what schedules are made of. */
#include "loop/loop.h"

static Expr *rebuild(Lower *l, const Expr *e, Expr *const *a) {
    switch (e->kind) {
    case E_LOAD:
        if (e->n == 2) return load_char_flat(l, e->value, a[0], a[1]);
        return e->bits ? load_bits_flat(l, e->value, a[0]) : load_flat(l, e->value, a[0]);
    case E_LOCAL: return local_at(l, e->local, a[0]);
    case E_CAST: return cast(l, a[0], e->dtype);
    default: break;
    }
    int op = (int)(e->op - ops);
    if (e->dtype == DT_index && op == OP_Div) return ix_div(l, a[0], a[1]);
    if (e->dtype == DT_index && op == OP_FloorMod) return ix_mod(l, a[0], a[1]);
    return e->n == 1 ? map1(l, op, a[0]) : e->n == 2 ? map2(l, op, a[0], a[1]) : map3(l, op, a[0], a[1], a[2]);
}

/* What existed when the rewriting began is looked up among what was rewritten; new expressions contain nothing to
 * replace. */
Expr *rewrite(Lower *l, Expr *e, const Substitution *s) {
    Expr *a[3] = {NULL, NULL, NULL};
    bool changed = false;
    if (!e) return NULL;
    if (e == s->from) return s->to;
    if (!e->n || e->id >= s->known) return e;
    if (s->memos->at[e->id].turn == s->turn) return s->memos->at[e->id].to;
    for (int i = 0; i < e->n; i++) {
        a[i] = rewrite(l, e->arg[i], s);
        changed = changed || a[i] != e->arg[i];
    }
    Expr *to = changed ? rebuild(l, e, a) : e;
    s->memos->at[e->id].turn = s->turn, s->memos->at[e->id].to = to;
    return to;
}

Substitution new_substitution(Lower *l, Expr *from, Expr *to) {
    Memos *memos = &l->m->rewritten;
    memos_fit(l->arena, memos, l->k->nexpr);
    return (Substitution){from, to, l->k->nexpr, ++memos->now, memos};
}

static void rewrite_tile(Lower *l, Tile *t, const Substitution *w) {
    Expr **const all[] = {&t->x_at,  &t->w_at,   &t->x_row, &t->x_tap, &t->x_step,
                          &t->w_tap, &t->w_step, &t->taps,  &t->n,     &t->height};
    for (int i = 0; i < COUNT(all); i++) *all[i] = rewrite(l, *all[i], w);
}

static Stmt *rewrite_one(Lower *l, const Stmt *s, const Substitution *w) {
    Stmt *t = arena_copy(l->arena, s, sizeof *s);
    t->lo = rewrite(l, s->lo, w), t->hi = rewrite(l, s->hi, w);
    t->index = rewrite(l, s->index, w), t->expr = rewrite(l, s->expr, w);
    if (s->tile) {
        t->tile = arena_copy(l->arena, s->tile, sizeof *s->tile);
        rewrite_tile(l, t->tile, w);
    }
    t->body = rewrite_stmts(l, s->body, w), t->other = rewrite_stmts(l, s->other, w);
    if ((s->kind == S_LET || s->kind == S_SET) && w->from->kind == E_TEMP && w->from->temp == s->temp &&
        w->to->kind == E_LOCAL) {
        t->kind = S_PUT, t->local = w->to->local, t->index = w->to->arg[0], t->temp = NULL;
    }
    return t;
}

/* A copy of a list of statements with one expression replaced by another; a temp that becomes a local's element is put
 * there. */
Stmt *rewrite_stmts(Lower *l, const Stmt *s, const Substitution *w) {
    Stmt *first = NULL, **end = &first;
    for (; s; s = s->next) {
        Stmt *t = rewrite_one(l, s, w);
        t->next = NULL;
        *end = t, end = &t->next;
    }
    return first;
}
