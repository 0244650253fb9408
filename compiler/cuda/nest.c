/* nest.c - nests brought into the form that suits threads, before the plan sees them. */
#include "cuda/cuda.h"
#include "ir/storage.h"
#include "schedule/contraction.h"

static bool uses(const Expr *e, const Axis *a) { return e && uses_axis(e, a); }

/* y[idx] = y[idx] + sum, where sum is what the statements before it add up from zero. */
static bool accumulates(const Stmt *let, const Stmt *loop, const Stmt *store, const Axis *outer) {
    if (!let || !loop || !store || store->next || let->kind != S_LET || !let->temp->mutable || loop->kind != S_FOR ||
        store->kind != S_STORE || let->expr->kind != E_NUM || let->expr->num != 0)
        return false;
    const Expr *e = store->expr;
    if (e->kind != E_MAP || e->op != &ops[OP_Add] || uses(store->index, outer)) return false;
    const Expr *old = e->arg[0], *sum = e->arg[1];
    if (old->kind != E_LOAD || old->value != store->value || old->arg[0] != store->index) return false;
    return sum->kind == E_TEMP && sum->temp == let->temp && !loads_in(loop->body, store->value);
}

/* for b { for i, j { sum = 0; …; y[i, j] += sum } }  becomes  for i, j { sum = y[i, j]; for b …; y[i, j] = sum }:
 * then threads need not wait for each other. */
static void sum_inside(Lower *l, Stmt *s) {
    Stmt *nest = s->body, *last = nest;
    if (!plain_for(s) || s->axis->kind != AX_SEQ || !plain_parallel(nest) || nest->next) return;
    for (; plain_parallel(last->body) && !last->body->next; last = last->body)
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

/* Whether a nest stores zeros, to places of their own. */
static bool fills_with_zeros(const Stmt *nest, const Value **v, int64_t *count) {
    const Stmt *store = plain_parallel(nest) ? parallel_body(nest, count) : NULL;
    if (!store || store->kind != S_STORE || store->next || store->expr->kind != E_NUM || store->expr->num != 0)
        return false;
    *v = store->value;
    return true;
}

/* for i { y[i] = 0 } for i { sum = y[i]; …; y[i] = sum }: the second can do without the first. */
static bool starts_from_zero(Lower *l, const Stmt *fill, Stmt *nest) {
    const Value *v;
    int64_t filled, count;
    if (!fills_with_zeros(fill, &v, &filled) || !plain_parallel(nest)) return false;
    Stmt *let = (Stmt *)(uintptr_t)parallel_body(nest, &count), *loop = let ? let->next : NULL;
    const Stmt *store = loop ? loop->next : NULL;
    if (!store || store->next || let->kind != S_LET || store->kind != S_STORE || store->value != v || count != filled ||
        count != value_elements(v) || let->expr->kind != E_LOAD || let->expr->value != v ||
        let->expr->arg[0] != store->index || loads_in(loop, v) || loads(store->expr, v))
        return false;
    let->expr = num(l, let->temp->dtype, 0);
    return true;
}

/* ---- loops in order around parallel ones ---- */

/* The statements that an iteration of the outer loops consists of, but for the last: only lets. */
static Stmt *last_of(Stmt *s) {
    while (s && s->kind == S_LET && !s->temp->mutable && s->next) s = s->next;
    return s && !s->next ? s : NULL;
}

typedef struct {
    const Stmt *loop[MAX_RANK];
    int n;
    List stored; /* Value* */
} Apart;

/* Whether iterations of the parallel loops have elements of their own: an index steps by less than the rest does. */
static bool is_apart(const Apart *a, const Expr *index) {
    const Expr *term[24];
    int64_t coef[24], c, span = 1;
    int n = affine(index, COUNT(term), term, coef, &c), seen = 0;
    bool mine[24] = {false};
    if (n < 0) return false;
    for (int k = a->n - 1; k >= 0; k--)
        for (int i = 0; i < n; i++) {
            if (term[i]->kind != E_AXIS || term[i]->axis != a->loop[k]->axis) continue;
            if (coef[i] <= 0 || coef[i] % span) return false;
            mine[i] = true, seen++;
            if (!mul_ok(coef[i], a->loop[k]->axis->extent, &span)) return false;
        }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < a->n && !mine[i]; k++)
            if (uses_axis(term[i], a->loop[k]->axis)) return false;
        if (!mine[i] && coef[i] % span) return false;
    }
    return seen == a->n && c % span == 0;
}

static bool loads_apart(const Apart *a, const Expr *e) {
    if (!e) return true;
    for (int i = 0; i < a->stored.n; i++)
        if (e->kind == E_LOAD && e->value == a->stored.at[i] && !is_apart(a, e->arg[0])) return false;
    for (int i = 0; i < e->n; i++)
        if (!loads_apart(a, e->arg[i])) return false;
    return true;
}

/* Stores, and lets of their own. */
static bool body_apart(const Apart *a, const Stmt *s) {
    for (; s; s = s->next) {
        if ((s->kind != S_LET && s->kind != S_STORE) || !loads_apart(a, s->expr) || !loads_apart(a, s->index))
            return false;
        if (s->kind == S_STORE && !is_apart(a, s->index)) return false;
    }
    return true;
}

static void find_stored(Lower *l, Apart *a, const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == S_STORE) push(l->arena, &a->stored, s->value);
}

/* for t { at = …; for j { y[at, j] += … } }  becomes  for j { for t { at = …; y[at, j] += … } }  where no two j meet in
 * y: what is scattered keeps its order, and threads need not wait for each other. */
static void scatter_inside(Lower *l, Stmt *s) {
    Stmt **at = &s->body, *in = s;
    Apart a = {.n = 0};
    if (!plain_for(s) || s->axis->kind != AX_SEQ) return;
    for (;;) {
        Stmt *last = last_of(in->body);
        if (!last || !plain_for(last)) return;
        at = &in->body;
        while (*at != last) at = &(*at)->next;
        if (last->axis->kind == AX_PAR) break;
        in = last;
    }
    Stmt *nest = *at, *body = nest;
    for (; plain_parallel(body) && a.n < MAX_RANK; body = body->body) {
        if (body->axis->size->kind != E_INT || body->next) return;
        a.loop[a.n++] = body;
        if (!body->body) return;
    }
    find_stored(l, &a, body);
    if (!a.stored.n || !body_apart(&a, body)) return;
    for (const Stmt *let = s; let != nest; let = let->kind == S_FOR ? let->body : let->next)
        for (int i = 0; i < a.stored.n; i++)
            if (loads(let->expr, a.stored.at[i])) return;
    *at = body;
    Stmt *order = new_stmt(l, *s);
    order->next = NULL;
    Stmt *innermost = (Stmt *)(uintptr_t)a.loop[a.n - 1], *after = s->next;
    innermost->body = order;
    *s = *nest, s->next = after;
}

/* Products keep the guards of their sums: a tile of one is copied with zeros in place of what is not there. */
static void schedule_threads(Lower *l, Stmt **list) {
    Contraction p;
    for (Stmt *before = NULL, *s = *list; s; before = s, s = s->next) {
        sum_inside(l, s);
        if (before && starts_from_zero(l, before, s)) *before = *s, s = before;
        scatter_inside(l, s);
        if (find_contraction(l, s, &p) && p.guard) s->done = true;
    }
}

const Schedule cuda_schedules[] = {
#define SCHEDULE(id, function, ...) {.name = #id, .run = schedule_##function, __VA_ARGS__},
#include "cuda/schedules.def"
#undef SCHEDULE
    {.name = NULL},
};
