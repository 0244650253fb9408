/* access_set.c - what statements read and write, by buffer: where barriers are needed, and which nests may run at once.
 */
#include "cuda/cuda.h"

static void add(Arena *a, List *l, const void *p) {
    for (int i = 0; i < l->n; i++)
        if (l->at[i] == p) return;
    push(a, l, (void *)(uintptr_t)p);
}

static const Value *buffer_of(const Value *v) {
    return v->plan.base && v->plan.base->plan.buffer ? v->plan.base->plan.buffer : v;
}

static void access_expr(Arena *a, AccessSet *t, const Expr *e) {
    if (!e) return;
    if (e->kind == E_LOAD) add(a, &t->read, buffer_of(e->value));
    if (e->kind == E_LOCAL) add(a, &t->read, e->local);
    for (int i = 0; i < e->n; i++) access_expr(a, t, e->arg[i]);
}

void access_stmts(Arena *a, AccessSet *t, const Stmt *s, bool alone) {
    for (; s; s = alone ? NULL : s->next) {
        access_expr(a, t, s->lo), access_expr(a, t, s->hi), access_expr(a, t, s->index), access_expr(a, t, s->expr);
        if (s->kind == S_FOR) access_expr(a, t, s->axis->size);
        if (s->kind == S_STORE) add(a, &t->written, buffer_of(s->value));
        if (s->kind == S_PUT) add(a, &t->written, s->local);
        access_stmts(a, t, s->body, false), access_stmts(a, t, s->other, false);
    }
}

bool overlap(const List *x, const List *y) {
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < y->n; j++)
            if (x->at[i] == y->at[j]) return true;
    return false;
}

bool conflicts(const AccessSet *x, const AccessSet *y) {
    return overlap(&x->written, &y->read) || overlap(&x->read, &y->written) || overlap(&x->written, &y->written);
}

bool loads(const Expr *e, const Value *v) {
    if (!e) return false;
    if (e->kind == E_LOAD && e->value == v) return true;
    for (int i = 0; i < e->n; i++)
        if (loads(e->arg[i], v)) return true;
    return false;
}

bool loads_in(const Stmt *s, const Value *v) {
    for (; s; s = s->next) {
        if (loads(s->lo, v) || loads(s->hi, v) || loads(s->index, v) || loads(s->expr, v)) return true;
        if (s->kind == S_FOR && loads(s->axis->size, v)) return true;
        if (loads_in(s->body, v) || loads_in(s->other, v)) return true;
    }
    return false;
}
