/* threads.c - a nest divided among the threads of a call (docs/contract.md, 4).
 *
 * All threads run all statements of a kernel, but for
 *
 *   parts    loops whose iterations are independent: each thread has a range of them
 *   stores   that stand in no such loop: one thread runs what they are in
 *
 * and they wait for each other wherever one may read what another has written, or write what another may still read. A
 * loop in order is run by all, its body divided in the same way. No sum is cut, so that the bits are those of one
 * thread. Kernels of little work stay with one thread, and so do all of a network that has little. */
#include "ir/build.h"
#include "ir/target.h"
#include "ops/ops.h"
#include "schedule/schedule.h"

/* Picoseconds, roughly those of a machine with vectors of 8 floats: of an operation and an access in a loop through
 * memory, of a multiply-add in a tile, of a barrier. A kernel of less than LEAST, or whose parts save less than a part
 * in SAVED of it, is not divided, nor is a network whose divided kernels take less than LEAST_NETWORK:
 * waking a thread that sleeps costs 5 to 50 microseconds. */
enum { OPERATION = 40, ACCESS = 60, MULTIPLY_ADD = 20, BARRIER = 1000000, LEAST = 4000000, SAVED = 4 };
enum { LEAST_NETWORK = 100000000 };
enum { ENOUGH = 16 }; /* iterations: fewer are multiplied by those of the loop inside, if there is more within that */

/* ---- what may be divided ---- */

static bool has_loop(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == S_FOR || s->kind == S_TILE || has_loop(s->body) || has_loop(s->other)) return true;
    return false;
}

bool runs_in_vectors(const Stmt *s) { return !has_loop(s->body); }

static bool any_stores(const Stmt *s);

static bool stores(const Stmt *s) { return s->kind == S_STORE || any_stores(s->body) || any_stores(s->other); }

static bool any_stores(const Stmt *s) {
    for (; s; s = s->next)
        if (stores(s)) return true;
    return false;
}

/* Temps and locals that the statements declare, and whether they set no others. */
typedef struct {
    Arena *arena;
    List declared;
    bool locals; /* others may be set, of locals */
} Names;

static bool declares(const Names *n, const void *p) {
    for (int i = n->declared.n - 1; i >= 0; i--)
        if (n->declared.at[i] == p) return true;
    return false;
}

static bool sets_only_own(Names *n, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == S_LET) push(n->arena, &n->declared, s->temp);
        if (s->kind == S_LOCAL) push(n->arena, &n->declared, s->local);
        if (s->kind == S_SET && !declares(n, s->temp)) return false;
        if (s->kind == S_PUT && !n->locals && !declares(n, s->local)) return false;
        if (s->kind == S_TILE && !n->locals && !declares(n, s->tile->sums)) return false;
        if (!sets_only_own(n, s->body) || !sets_only_own(n, s->other)) return false;
    }
    return true;
}

typedef struct {
    Lower *l;
    Arena *arena; /* of this look alone */
    int threads;
} Division;

static bool keeps_to_itself(const Division *d, const Stmt *s, bool locals) {
    Names n = {.arena = d->arena, .locals = locals};
    return sets_only_own(&n, s);
}

/* ---- time ---- */

static int64_t times(int64_t a, int64_t b) { return mul_ok(a, b, &a) ? a : INT64_MAX; }

static int64_t time_of_expr(const Expr *e) {
    int64_t t = 0;
    if (!e || e->dtype == DT_index) return 0; /* a subscript: compilers make a step of it */
    if (e->kind == E_LOAD || e->kind == E_LOCAL) return ACCESS;
    if (e->kind == E_MAP) t = OPERATION * cost_of(e->op);
    for (int i = 0; i < e->n; i++) t += time_of_expr(e->arg[i]);
    return t;
}

static int64_t time_of_tile(const Tile *t) {
    return times(times((int64_t)t->rows * t->cols, times(most_of(t->taps), most_of(t->n))), MULTIPLY_ADD);
}

static int64_t time_of_list(const Stmt *);

static int64_t time_of(const Stmt *s) {
    int64_t inside = saturating_add(time_of_list(s->body), time_of_list(s->other));
    if (s->kind == S_FOR) inside = times(inside, s->axis->extent);
    if (s->kind == S_TILE) inside = time_of_tile(s->tile);
    if (s->kind == S_STORE || s->kind == S_PUT) inside = ACCESS;
    return saturating_add(inside, time_of_expr(s->expr));
}

static int64_t time_of_list(const Stmt *s) {
    int64_t t = 0;
    for (; s; s = s->next) t = saturating_add(t, time_of(s));
    return t;
}

/* ---- who does what ---- */

/* What becomes of a statement: all threads run it; one does; its iterations are divided; its body is. */
typedef enum { RUN_BY_ALL, RUN_BY_ONE, PART, DIVIDED_INSIDE } Share;
static Share share_of(const Division *, const Stmt *);

/* Loops with few iterations as one with their nest, as long as that leaves loops inside. */
static int loops_to_divide(const Stmt *s, int64_t *count) {
    int n = 1;
    *count = s->axis->size->kind == E_INT ? s->axis->extent : 1;
    for (const Stmt *in = s->body; *count < ENOUGH && in && !in->next && plain_for(in); in = in->body, n++) {
        bool alike = in->axis->kind == s->axis->kind && in->axis->own == s->axis->own;
        if (!alike || in->axis->own == OWN_SCRATCH || !has_loop(in->body)) break;
        *count *= in->axis->size->kind == E_INT ? in->axis->extent : 1;
    }
    return n;
}

/* The longest part of n iterations is a thread's that has one more than others may. */
static int64_t saved_outside(const Division *d, const Stmt *s) {
    int64_t n, took = time_of(s);
    loops_to_divide(s, &n);
    if (s->axis->size->kind != E_INT) n = s->axis->extent;
    return n ? took - took / n * ((n + d->threads - 1) / d->threads) : 0;
}

static int64_t saving(const Division *, const Stmt *);

static int64_t saved_inside(const Division *d, const Stmt *s) { return times(saving(d, s->body), s->axis->extent); }

static bool any_part(const Division *d, const Stmt *s) {
    for (; s; s = s->next) {
        Share share = share_of(d, s);
        if (share == PART || share == DIVIDED_INSIDE) return true;
    }
    return false;
}

static bool is_part(const Division *d, const Stmt *s) {
    const Axis *a = s->axis;
    int64_t least = runs_in_vectors(s) ? 2 * PART_OF_ROW : 2;
    if (!plain_for(s) || (a->kind != AX_PAR && !a->own) || a->extent < least || a->extent > INT32_MAX) return false;
    if (!keeps_to_itself(d, s->body, a->own)) return false;
    return a->own != OWN_SCRATCH || saved_outside(d, s) >= saved_inside(d, s);
}

static Share share_of(const Division *d, const Stmt *s) {
    if (!stores(s)) return RUN_BY_ALL;
    if (s->kind != S_FOR) return RUN_BY_ONE;
    if (is_part(d, s)) return PART;
    return any_part(d, s->body) ? DIVIDED_INSIDE : RUN_BY_ONE;
}

/* What all threads take less than one; below 0: they take more. */
static int64_t saving(const Division *d, const Stmt *s) {
    int64_t t = 0;
    for (; s; s = s->next) {
        Share share = share_of(d, s);
        if (share == PART) t = saturating_add(t, saved_outside(d, s));
        if (share == DIVIDED_INSIDE) t = saturating_add(t, saved_inside(d, s));
        if (share != RUN_BY_ALL && !s->fills_halo) t -= BARRIER;
    }
    return t;
}

/* Whether nothing that one thread computes is asked for by all. */
static bool can_divide(const Division *d, const Stmt *s) {
    for (; s; s = s->next) {
        Share share = share_of(d, s);
        if (share == DIVIDED_INSIDE && !can_divide(d, s->body)) return false;
        if (share == RUN_BY_ONE) {
            Stmt alone = *s;
            alone.next = NULL;
            if (!keeps_to_itself(d, &alone, false)) return false;
        }
    }
    return true;
}

/* ---- memory of their own ---- */

typedef struct {
    int copies;
    Own own;
} Copies;

static void find_own(const Stmt *s, const Copies *c) {
    for (; s; s = s->next) {
        bool scratch = s->kind == S_STORE && !s->value->graph && !s->value->data;
        if (scratch && c->own == OWN_SCRATCH) s->value->plan.copies = c->copies;
        const Copies inside = {c->copies, s->kind == S_FOR && s->axis->own == OWN_SCRATCH ? OWN_SCRATCH : c->own};
        find_own(s->body, &inside), find_own(s->other, &inside);
    }
}

static void give_own(const Division *d, Stmt *s, int copies) {
    for (; s; s = s->next) {
        Share share = share_of(d, s);
        if (share == DIVIDED_INSIDE) give_own(d, s->body, copies);
        if (share == PART) find_own(s->body, &(Copies){copies, s->axis->own});
    }
}

/* ---- kernels and networks ---- */

static bool worth_dividing(Kernel *k, int64_t *took) {
    Lower l = {.k = k, .m = k->module, .arena = k->module->arena};
    Division d = {&l, arena_new(0, NULL, NULL), l.m->opt->threads};
    *took = time_of_list(k->body);
    bool worth = *took >= LEAST && !k->count && can_divide(&d, k->body) && saving(&d, k->body) >= *took / SAVED;
    arena_free(d.arena);
    return worth;
}

/* Regions are one thread's; whatever ends a call inside one could not be told to the others. */
static bool ends_inside(const Graph *g) {
    for (const Node *n = g->first; n; n = n->next) {
        if (g->owner && n->op->measures) return true;
        for (int i = 0; (IS(n, If) || IS(n, Loop)) && i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph && ends_inside(n->attr[i].graph)) return true;
    }
    return false;
}

void choose_divided(Module *m) {
    int64_t took, all = 0;
    if (m->opt->threads < 2 || m->opt->poison || on_device(m) || ends_inside(m->main)) return;
    for (const Node *n = m->main->first; n; n = n->next)
        if (n->code && n->code->body && worth_dividing(n->code, &took))
            n->code->divided = true, all = saturating_add(all, took);
    for (const Node *n = m->main->first; n; n = n->next) {
        Kernel *k = n->code;
        if (!k || !k->divided) continue;
        k->divided = all >= LEAST_NETWORK;
        Lower l = {.k = k, .m = m, .arena = m->arena};
        Division d = {&l, arena_new(0, NULL, NULL), l.m->opt->threads};
        if (k->divided) give_own(&d, k->body, m->opt->threads), m->meets = true;
        arena_free(d.arena);
    }
}

/* ---- dividing ---- */

/* What the threads have done since they last waited. */
typedef struct {
    AccessSet by_one, by_all;
} Pending;

static void add_share(const Division *d, Pending *p, const Stmt *s, Share share) {
    add_shared(d->arena, share == RUN_BY_ONE ? &p->by_one : &p->by_all, s);
}

/* Whether a statement has to wait for what is pending: what one thread does, it does in order. */
static bool has_to_wait(const Division *d, const Pending *p, const Stmt *s, Share share) {
    AccessSet own = {0};
    add_shared(d->arena, &own, s);
    return conflicts(&p->by_all, &own) || (share != RUN_BY_ONE && conflicts(&p->by_one, &own));
}

static Stmt *new_barrier(const Division *d, Stmt *before) {
    d->l->k->waits = true;
    return new_stmt(d->l, (Stmt){.kind = S_SYNC, .next = before});
}

static void divide_loop(const Division *d, Stmt *s) {
    int64_t count;
    int n = loops_to_divide(s, &count);
    Stmt *next = s->next;
    if (n > 1) *s = *coalesce_first(d->l, s, n);
    s->next = next, s->part = true;
}

/* One thread's: a loop of one iteration. */
static void give_to_one(const Division *d, Stmt *s) {
    Axis *a = NEW(d->l->arena, Axis);
    *a = (Axis){.name = "once", .id = d->l->k->axes++, .kind = AX_PAR, .extent = 1, .size = ix(d->l, 1)};
    Stmt *inside = new_stmt(d->l, *s);
    inside->next = NULL;
    *s = (Stmt){.kind = S_FOR, .axis = a, .body = inside, .next = s->next, .part = true};
}

static void divide_list(const Division *, Stmt **list, bool repeats);

static void divide_stmt(const Division *d, Stmt *s, Share share) {
    if (share == PART) divide_loop(d, s);
    if (share == RUN_BY_ONE) give_to_one(d, s);
    if (share == DIVIDED_INSIDE) divide_list(d, &s->body, true);
}

/* Whether the last of a loop's body meets the first of its next iteration, before threads wait there. */
static bool meets_next(const Division *d, const Stmt *first, const Pending *last) {
    for (const Stmt *s = first; s && s->kind != S_SYNC; s = s->next) {
        bool one = s->kind == S_FOR && s->part && s->axis->extent == 1;
        if (has_to_wait(d, last, s, one ? RUN_BY_ONE : PART)) return true;
    }
    return false;
}

static void divide_list(const Division *d, Stmt **list, bool repeats) {
    Pending pending = {{{0}, {0}}, {{0}, {0}}};
    for (Stmt **at = list; *at; at = &(*at)->next) {
        Stmt *s = *at;
        Share share = share_of(d, s);
        if (has_to_wait(d, &pending, s, share)) {
            pending = (Pending){{{0}, {0}}, {{0}, {0}}};
            *at = new_barrier(d, s), at = &(*at)->next;
        }
        add_share(d, &pending, s, share);
        divide_stmt(d, s, share);
    }
    Stmt **end = list;
    while (*end) end = &(*end)->next;
    if (repeats && meets_next(d, *list, &pending)) *end = new_barrier(d, NULL);
}

void schedule_divide(Lower *l, Stmt **nest) {
    if (!l->k->divided) return;
    Division d = {l, arena_new(0, NULL, NULL), l->m->opt->threads};
    divide_list(&d, nest, false);
    arena_free(d.arena);
}
