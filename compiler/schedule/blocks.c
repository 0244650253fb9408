/* blocks.c - a copy that reads through memory along one loop and writes along another goes through both in blocks: what
 * it has touched of one side is still in the nearest cache when its neighbours are wanted. */
#include "schedule/schedule.h"

/* BLOCK: floats of a line of a cache; NEAREST: elements that fit the nearest cache, which need no blocks. */
enum { MOST_LOOPS = 12, BLOCK = 16, NEAREST = 8192 };

typedef struct {
    Axis *axis[MOST_LOOPS];
    int64_t store[MOST_LOOPS], load[MOST_LOOPS]; /* how far each loop moves on either side */
    int n;
    Stmt *body; /* y[…] = x[…] */
} Copy;

/* Of one load, as it is or through a function of it alone. */
static bool is_copy(Copy *c, Stmt *s) {
    for (c->n = 0; plain_parallel(s) && !s->next && c->n < MOST_LOOPS; s = s->body) {
        if (s->axis->size->kind != E_INT) return false;
        c->axis[c->n++] = s->axis;
    }
    if (!s || s->next || s->kind != S_STORE || c->n < 2 || type_count(&s->value->type) <= NEAREST) return false;
    const Expr *from = s->expr->kind == E_MAP && s->expr->n == 1 ? s->expr->arg[0] : s->expr;
    c->body = s;
    for (int i = 0; i < c->n && from->kind == E_LOAD; i++)
        if (!coefficient(s->index, c->axis[i], &c->store[i]) || !coefficient(from->arg[0], c->axis[i], &c->load[i]))
            return false;
    return from->kind == E_LOAD;
}

/* -1: there is none. */
static int unit_loop(const Copy *c, const int64_t *step) {
    for (int i = 0; i < c->n; i++)
        if (step[i] == 1) return i;
    return -1;
}

/* Along it several turns read one line, but each writes another. */
static bool reads_near(const Copy *c, int i) { return c->load[i] > 0 && c->load[i] <= BLOCK && c->store[i] >= BLOCK; }

/* The loop whose blocks go inside: the longest of those; -1: none. */
static int loop_to_divide(const Copy *c) {
    int best = -1;
    for (int i = 0; i < c->n; i++)
        if (reads_near(c, i) && c->axis[i]->extent > BLOCK && c->axis[i]->extent % BLOCK == 0 &&
            (best < 0 || c->axis[i]->extent > c->axis[best]->extent))
            best = i;
    return best;
}

/* Others of those that are short go inside as well. */
static bool goes_inside(const Copy *c, int i, int divided) {
    return i != divided && reads_near(c, i) && c->axis[i]->extent <= BLOCK;
}

static Axis *part_of(Lower *l, const Axis *like, const char *name, int64_t extent) {
    Axis *a = arena_copy(l->arena, like, sizeof *a);
    a->id = l->k->axes++, a->extent = extent, a->size = ix(l, extent), a->name = name;
    return a;
}

static Stmt *loops(Lower *l, Axis *const *order, int n, Stmt *s) {
    while (n--) {
        Stmt loop = {.kind = S_FOR, .axis = order[n], .body = s};
        s = arena_copy(l->arena, &loop, sizeof loop);
    }
    return s;
}

/* for …, for o0, for n, for …, for o: blocks around the loop that runs through what is written, one of them in it. */
static Stmt *in_blocks(Lower *l, const Copy *c, int along_store, int divided) {
    Axis *a = c->axis[divided], *outer = part_of(l, a, format(l->arena, "%s0", a->name), a->extent / BLOCK),
         *inner = part_of(l, a, a->name, BLOCK), *order[MOST_LOOPS + 1];
    int n = 0;
    for (int i = 0; i < c->n; i++)
        if (i != along_store && i != divided && !goes_inside(c, i, divided)) order[n++] = c->axis[i];
    order[n++] = outer, order[n++] = c->axis[along_store];
    for (int i = 0; i < c->n; i++)
        if (goes_inside(c, i, divided)) order[n++] = c->axis[i];
    order[n++] = inner;
    Expr *at = ix_add(l, ix_mul(l, new_axis_expr(l, outer), ix(l, BLOCK)), new_axis_expr(l, inner));
    Substitution whole = new_substitution(l, new_axis_expr(l, a), at);
    return loops(l, order, n, rewrite_stmts(l, c->body, &whole));
}

/* What is written along one loop is read along it too, and along short ones: these go inside. */
static Stmt *in_order(Lower *l, const Copy *c, int along_store) {
    Axis *order[MOST_LOOPS];
    int n = 0;
    for (int inside = 0; inside < 2; inside++)
        for (int i = 0; i < c->n; i++)
            if (i != along_store && goes_inside(c, i, along_store) == inside) order[n++] = c->axis[i];
    order[n++] = c->axis[along_store];
    return loops(l, order, n, c->body);
}

/* NULL: it may stay as it is. */
static Stmt *divide(Lower *l, const Copy *c) {
    int along_store = unit_loop(c, c->store), divided = along_store < 0 ? -1 : loop_to_divide(c);
    if (along_store < 0) return NULL;
    if (c->load[along_store] > BLOCK) return divided < 0 ? NULL : in_blocks(l, c, along_store, divided);
    return c->load[along_store] > 0 && c->load[c->n - 1] > BLOCK ? in_order(l, c, along_store) : NULL;
}

void schedule_blocks(Lower *l, Stmt **list) {
    for (Stmt **p = list; *p; p = &(*p)->next) {
        Copy c;
        Stmt alone = **p;
        alone.next = NULL;
        Stmt *s = (*p)->done || !is_copy(&c, &alone) ? NULL : divide(l, &c);
        if (s) s->next = (*p)->next, *p = s;
    }
}
