/* count.c - the work of a nest: its multiply-adds, and the bytes that it moves. */
#include "ir/storage.h"
#include "loop/loop.h"

/* A sum in place whose one side is a product: what multiply-add units do. */
static bool multiply_adds(const Expr *e) {
    while (e->kind == E_CAST) e = e->arg[0];
    if (e->kind != E_MAP || e->op != &ops[OP_Add]) return false;
    for (int i = 0; i < 2; i++) {
        const Expr *side = e->arg[i];
        while (side->kind == E_CAST) side = side->arg[0];
        if (side->kind == E_MAP && side->op == &ops[OP_Mul]) return true;
    }
    return false;
}

static int64_t saturating_mul(int64_t a, int64_t b) { return mul_ok(a, b, &a) ? a : INT64_MAX; }

/* Multiply-adds of reductions, every loop at its full extent. Blocks nest as deep as a kernel has axes. */
int64_t count_macs(const Stmt *s) {
    int64_t n = 0;
    for (; s; s = s->next) {
        int64_t inside = saturating_add(count_macs(s->body), count_macs(s->other));
        if (s->kind == S_FOR) inside = saturating_mul(inside, s->axis->extent);
        if ((s->kind == S_SET || s->kind == S_STORE || s->kind == S_PUT) && multiply_adds(s->expr))
            inside = saturating_add(inside, 1);
        n = saturating_add(n, inside);
    }
    return n;
}

/* ---- bytes ---- */

/* How often an argument's elements are read or written, every loop at its full extent. */
typedef struct {
    const Value *v;
    int64_t times;
} Accesses;

typedef struct {
    Arena *arena;
    Map *by_name; /* Accesses of the arguments; scratch and locals have none */
    Marks seen;   /* expressions of the statement at hand: a shared one is computed once */
    int64_t runs; /* of the statement at hand */
} Traffic;

static void add_access(Traffic *t, const Value *v) {
    Accesses *a = map_get(t->by_name, v->name);
    if (a && a->v == v) a->times = saturating_add(a->times, t->runs);
}

static void count_loads(Traffic *t, const Expr *e) {
    if (!e || t->seen.turn[e->id] == t->seen.now) return;
    t->seen.turn[e->id] = t->seen.now;
    if (e->kind == E_LOAD) add_access(t, e->value);
    for (int i = 0; i < e->n; i++) count_loads(t, e->arg[i]);
}

static void count_accesses(Traffic *t, const Stmt *s) {
    for (; s; s = s->next) {
        int64_t outside = t->runs;
        t->seen.now++;
        count_loads(t, s->index), count_loads(t, s->expr);
        if (s->kind == S_STORE) add_access(t, s->value);
        if (s->kind == S_FOR) t->runs = saturating_mul(outside, s->axis->extent);
        count_accesses(t, s->body), count_accesses(t, s->other);
        t->runs = outside;
    }
}

int64_t count_bytes(const Kernel *k) {
    Arena *arena = arena_new(0, NULL, NULL);
    Traffic t = {.arena = arena, .by_name = map_new(arena), .runs = 1};
    int n = k->nread + k->nwritten;
    Accesses *all = NEW_ARRAY(arena, Accesses, n);
    int64_t bytes = 0;
    marks_fit(arena, &t.seen, k->nexpr);
    for (int i = 0; i < n; i++) all[i].v = k->arg[i], map_set(t.by_name, k->arg[i]->name, &all[i]);
    count_accesses(&t, k->body);
    for (int i = 0; i < n; i++) {
        int64_t room = value_bytes(all[i].v), moved = saturating_mul(all[i].times, dtypes[all[i].v->type.dtype].bytes);
        bytes = saturating_add(bytes, moved < room ? moved : room);
    }
    arena_free(arena);
    return bytes;
}
