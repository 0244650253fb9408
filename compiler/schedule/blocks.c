/* blocks.c - a copy that reads through memory along one loop and writes along another goes through both in blocks: what
 * it has touched of one side is still in the nearest cache when its neighbours are wanted. */
#include "schedule/schedule.h"

/* BLOCK: floats of a line of a cache; NEAREST: elements that fit the nearest cache, which need no blocks. */
enum { MOST_LOOPS = 12, BLOCK = 16, NEAREST = 8192 };

typedef struct {
    Axis *axis[MOST_LOOPS];
    Expr *end[MOST_LOOPS];                       /* of a loop whose last turns there may not be; NULL: its extent */
    int64_t store[MOST_LOOPS], load[MOST_LOOPS]; /* how far each loop moves on either side */
    int n;
    Stmt *body; /* y[…] = x[…] */
} Copy;

static Axis *part_of(Lower *l, const Axis *like, const char *name, int64_t extent) {
    Axis *a = arena_copy(l->arena, like, sizeof *a);
    a->id = l->k->axes++, a->extent = extent, a->size = ix(l, extent), a->name = name;
    return a;
}

/* Two loops in the place of loop i: over blocks of so many turns, and over one. */
static void split_loop(Lower *l, Copy *c, int i, int64_t turns) {
    Axis *a = c->axis[i], *outer = part_of(l, a, format(l->arena, "%s0", a->name), ceil_div(a->extent, turns)),
         *inner = part_of(l, a, a->name, turns);
    Expr *begin = ix_mul(l, new_axis_expr(l, outer), ix(l, turns));
    Substitution whole = new_substitution(l, new_axis_expr(l, a), ix_add(l, begin, new_axis_expr(l, inner)));
    c->body = rewrite_stmts(l, c->body, &whole);
    for (int k = c->n++; k > i; k--) {
        c->axis[k] = c->axis[k - 1], c->end[k] = c->end[k - 1];
        c->store[k] = c->store[k - 1], c->load[k] = c->load[k - 1];
    }
    c->axis[i] = outer, c->axis[i + 1] = inner, c->end[i] = c->end[i + 1] = NULL;
    c->store[i] *= turns, c->load[i] *= turns;
    if (a->extent % turns) c->end[i + 1] = map2(l, OP_Min, ix_sub(l, a->size, begin), ix(l, turns));
}

/* In every call the same. */
static bool is_known_extent(const Copy *c, int i) { return c->axis[i]->size->kind == E_INT; }

/* Columns that lie in panels, which they do not fill. */
static void split_panels(Lower *l, Copy *c) {
    for (int i = 0; i < c->n && c->n < MOST_LOOPS; i++) {
        int64_t panel = modulus_in(c->body->index, c->axis[i]);
        if (panel > 1 && panel < c->axis[i]->extent && is_known_extent(c, i)) split_loop(l, c, i, panel);
    }
}

/* Of one load, as it is or through a function of it alone. */
static const Expr *loaded(const Stmt *store) {
    const Expr *e = store->expr->kind == E_MAP && store->expr->n == 1 ? store->expr->arg[0] : store->expr;
    return e->kind == E_LOAD ? e : NULL;
}

static bool is_copy(Lower *l, Copy *c, Stmt *s) {
    *c = (Copy){.n = 0};
    for (; plain_parallel(s) && !s->next && c->n < MOST_LOOPS; s = s->body) c->axis[c->n++] = s->axis;
    if (!s || s->next || s->kind != S_STORE || c->n < 2 || !loaded(s)) return false;
    if (type_count(&s->value->type) <= NEAREST) return false;
    c->body = s;
    split_panels(l, c);
    for (int i = 0; i < c->n; i++)
        if (!coefficient(c->body->index, c->axis[i], &c->store[i]) ||
            !coefficient(loaded(c->body)->arg[0], c->axis[i], &c->load[i]))
            return false;
    return true;
}

/* -1: there is none. */
static int unit_loop(const Copy *c, const int64_t *step) {
    for (int i = 0; i < c->n; i++)
        if (step[i] == 1) return i;
    return -1;
}

/* Along it several turns read one line, but each writes another. */
static bool reads_near(const Copy *c, int i) {
    return c->load[i] > 0 && c->load[i] <= BLOCK && c->store[i] >= BLOCK && !c->end[i];
}

/* The loop whose blocks go inside: the longest of those; -1: none. */
static int loop_to_divide(const Copy *c) {
    int best = -1;
    for (int i = 0; i < c->n; i++)
        if (reads_near(c, i) && is_known_extent(c, i) && c->axis[i]->extent > BLOCK &&
            c->axis[i]->extent % BLOCK == 0 && (best < 0 || c->axis[i]->extent > c->axis[best]->extent))
            best = i;
    return best;
}

/* Others of those that are short go inside as well. */
static bool goes_inside(const Copy *c, int i, int divided) {
    return i != divided && reads_near(c, i) && c->axis[i]->extent <= BLOCK && is_known_extent(c, i);
}

/* Loops in that order around the copy. */
static Stmt *loops(Lower *l, const Copy *c, const int *order) {
    Stmt *s = c->body;
    for (int i = c->n - 1; i >= 0; i--) {
        Stmt loop = {.kind = S_FOR, .axis = c->axis[order[i]], .hi = c->end[order[i]], .body = s};
        s = arena_copy(l->arena, &loop, sizeof loop);
    }
    return s;
}

/* Whether whole lines of a cache are written along loop i. */
static bool writes_lines(const Copy *c, int i) {
    int64_t turns = c->axis[i]->extent;
    return is_known_extent(c, i) && !c->end[i] && (turns <= BLOCK || turns % BLOCK == 0) && c->n < MOST_LOOPS;
}

/* The loops of blocks, by their indices; -1: there is no such loop. */
typedef struct {
    int read, written;                   /* over blocks */
    int read_in_block, written_in_block; /* in one */
} Blocks;

static bool is_any_of(const Blocks *b, int i) {
    return i == b->read || i == b->written || i == b->read_in_block || i == b->written_in_block;
}

static Blocks split_into_blocks(Lower *l, Copy *c, int along_store, int divided) {
    split_loop(l, c, divided, BLOCK);
    Blocks b = {divided, along_store + (along_store > divided), divided + 1, -1};
    if (!writes_lines(c, b.written)) return b;
    b.written_in_block = b.written;
    if (c->axis[b.written]->extent <= BLOCK) return b.written = -1, b;
    split_loop(l, c, b.written, BLOCK);
    if (b.read > b.written) b.read++, b.read_in_block++;
    return b.written_in_block++, b;
}

/* for …, for o0, for n0, for o, for …, for n: a line is written at once, of elements whose neighbours are soon wanted.
 * Where lines cannot be told, for …, for o0, for n, for …, for o. */
static Stmt *in_blocks(Lower *l, Copy *c, int along_store, int divided) {
    Blocks b = split_into_blocks(l, c, along_store, divided);
    bool lines = b.written_in_block >= 0;
    int order[MOST_LOOPS], n = 0;
    for (int inside = 0; inside < 2; inside++) {
        for (int i = 0; i < c->n; i++)
            if (!is_any_of(&b, i) && goes_inside(c, i, b.read) == inside) order[n++] = i;
        if (inside) break;
        order[n++] = b.read;
        if (b.written >= 0) order[n++] = b.written;
        if (lines) order[n++] = b.read_in_block;
    }
    order[n++] = lines ? b.written_in_block : b.read_in_block;
    return loops(l, c, order);
}

/* What is written along one loop is read along it too, and along short ones: these go inside. */
static Stmt *in_order(Lower *l, const Copy *c, int along_store) {
    int order[MOST_LOOPS], n = 0;
    for (int inside = 0; inside < 2; inside++)
        for (int i = 0; i < c->n; i++)
            if (i != along_store && goes_inside(c, i, along_store) == inside) order[n++] = i;
    order[n++] = along_store;
    return loops(l, c, order);
}

/* NULL: it may stay as it is. */
static Stmt *divide(Lower *l, Copy *c) {
    int along_store = unit_loop(c, c->store), divided = along_store < 0 ? -1 : loop_to_divide(c);
    if (along_store < 0) return NULL;
    if (c->load[along_store] > BLOCK)
        return divided < 0 || c->n == MOST_LOOPS ? NULL : in_blocks(l, c, along_store, divided);
    return c->load[along_store] > 0 && c->load[c->n - 1] > BLOCK ? in_order(l, c, along_store) : NULL;
}

void schedule_blocks(Lower *l, Stmt **list) {
    for (Stmt **p = list; *p; p = &(*p)->next) {
        Copy c;
        Stmt alone = **p;
        alone.next = NULL;
        Stmt *s = (*p)->done || !is_copy(l, &c, &alone) ? NULL : divide(l, &c);
        if (s) s->next = (*p)->next, *p = s;
    }
}
