/* access_set.c - what statements read and write, by buffer: where barriers are needed, and which nests may run at once.
 */
#include "schedule/schedule.h"

static void add(Arena *a, List *l, const void *p) {
    for (int i = 0; i < l->n; i++)
        if (l->at[i] == p) return;
    push(a, l, (void *)(uintptr_t)p);
}

static const Value *buffer_of(const Value *v) {
    return v->plan.base && v->plan.base->plan.buffer ? v->plan.base->plan.buffer : v;
}

typedef struct {
    Arena *arena;
    AccessSet *set;
} Adding;

static void add_load(void *arg, const Expr *e) {
    const Adding *to = arg;
    add(to->arena, &to->set->read, e->kind == E_LOAD ? (const void *)buffer_of(e->value) : e->local);
}

static void add_store(void *arg, const Stmt *s) {
    const Adding *to = arg;
    add(to->arena, &to->set->written, s->kind == S_STORE ? (const void *)buffer_of(s->value) : s->local);
}

void add_accesses(Arena *a, AccessSet *t, const Stmt *s) {
    visit_stmt(&(Visitor){.load = add_load, .store = add_store, .arg = &(Adding){a, t}}, s);
}

/* A halo's zeros are written where nothing else is, arrays in the function are each thread's. */
static bool is_shared(const Value *v) { return v->plan.copies < 2; }

static void add_shared_load(void *arg, const Expr *e) {
    const Adding *to = arg;
    if (e->kind == E_LOAD && is_shared(e->value)) add(to->arena, &to->set->read, buffer_of(e->value));
}

static void add_shared_store(void *arg, const Stmt *s) {
    const Adding *to = arg;
    if (s->kind == S_STORE && !s->fills_halo && is_shared(s->value))
        add(to->arena, &to->set->written, buffer_of(s->value));
}

static void add_shared_tile(void *arg, const Tile *t) {
    const Adding *to = arg;
    if (is_shared(t->x)) add(to->arena, &to->set->read, buffer_of(t->x));
    if (!t->copy && is_shared(t->w)) add(to->arena, &to->set->read, buffer_of(t->w));
}

void add_shared(Arena *a, AccessSet *t, const Stmt *s) {
    Visitor v = {add_shared_load, add_shared_store, &(Adding){a, t}, NULL, add_shared_tile};
    if (!s->fills_halo) visit_stmt(&v, s);
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
