/* cuda_nest.c - nests brought into the form that suits threads, before the plan sees them. */
#include "cuda.h"
#include "product.h"
#include "schedule.h"

static bool parallel(const Stmt *s) { return s && plain_for(s) && s->axis->kind == AX_PAR; }

static bool uses(const Expr *e, const Axis *a) { return e && uses_axis(e, a); }

static bool loads(const Expr *e, const Value *v) {
    if (!e) return false;
    if (e->kind == E_LOAD && e->value == v) return true;
    for (int i = 0; i < e->n; i++)
        if (loads(e->arg[i], v)) return true;
    return false;
}

static bool loads_in(const Stmt *s, const Value *v) {
    for (; s; s = s->next)
        if (loads(s->lo, v) || loads(s->hi, v) || loads(s->index, v) || loads(s->expr, v) || loads_in(s->body, v) ||
            loads_in(s->other, v))
            return true;
    return false;
}

/* y[idx] = y[idx] + sum, where sum is what the statements before it add up from zero. */
static bool accumulates(const Stmt *let, const Stmt *loop, const Stmt *store, const Axis *outer) {
    if (!let || !loop || !store || store->next || let->kind != S_LET || !let->temp->mutable || loop->kind != S_FOR ||
        store->kind != S_STORE || let->expr->kind != E_NUM || let->expr->num != 0)
        return false;
    const Expr *e = store->expr;
    if (e->kind != E_MAP || e->op != &ops[OP_Add] || uses(store->index, outer)) return false;
    const Expr *old = e->arg[0], *sum = e->arg[1];
    if (old->kind != E_LOAD || old->value != store->value || old->arg[0] != store->index) return false;
    return sum->kind == E_TEMP && sum->temp == let->temp && !loads_in(loop, store->value);
}

/* for b { for i, j { sum = 0; …; y[i, j] += sum } }  becomes  for i, j { sum = y[i, j]; for b …; y[i, j] = sum }:
 * then threads need not wait for each other. */
static void sum_inside(Lower *l, Stmt *s) {
    Stmt *nest = s->body, *last = nest;
    if (!plain_for(s) || s->axis->kind != AX_SEQ || !parallel(nest) || nest->next) return;
    for (; parallel(last->body) && !last->body->next; last = last->body)
        if (uses(last->body->axis->size, s->axis)) return;
    Stmt *let = last->body, *loop = let ? let->next : NULL, *store = loop ? loop->next : NULL;
    if (uses(nest->axis->size, s->axis) || !accumulates(let, loop, store, s->axis)) return;
    Stmt *around = arena_copy(l->arena, s, sizeof *s);
    around->body = loop, around->next = store, loop->next = NULL;
    let->expr = store->expr->arg[0], let->next = around;
    store->expr = store->expr->arg[1];
    nest->next = s->next;
    *s = *nest;
}

/* Products keep the guards of their sums: a tile of one is copied with zeros in place of what is not there. */
void nests_for_cuda(Lower *l, Stmt *s) {
    Product p;
    for (; s; s = s->next) {
        sum_inside(l, s);
        if (find_product(l, s, &p) && p.guard) s->done = true;
    }
}
