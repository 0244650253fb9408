/* plan_check.c - an independent check of the plan, always on. It knows nothing of lives: it walks through the steps as
 * they will run, remembers which tensors still have their contents, and insists that whatever a step reads is one of
 * them. A store ends every tensor that it shares a byte with. */
#include "control/trips.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "loop/loop.h"
#include "passes/plan.h"

/* All bases that have memory, by where it begins on one line: the arena, then each other buffer. plan.number is a
 * base's place here, -1 for what has none. `reach` is a tree over them: the farthest end of what is intact below a
 * node. */
typedef struct {
    int64_t from, end;
    Value *v;
    int whole; /* the last store that it was a part of */
    bool intact;
} Room;

typedef struct {
    Module *m;
    Room *room;
    int64_t *reach;
    int n, leaves, stores;
} Memory;

static bool kept(const Value *v) {
    return v->plan.buffer->plan.home >= HOME_ARENA && v->plan.buffer->plan.home <= HOME_OUTPUT;
}

static int64_t address(const Value *v) {
    return v->plan.buffer->plan.home == HOME_ARENA ? v->plan.buffer->plan.offset + v->plan.shift : v->plan.shift;
}

/* Elements of `v` behind its first within one of its own steps of `whole`; 0 if other steps do not fit that one. */
static int64_t row_length(const Value *v, int64_t whole) {
    int64_t length = 1;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t step = step_of(v, i), extent = v->type.dim[i].max;
        if (extent > 1 && step >= whole && step % whole) return 0;
        if (extent > 1 && step < whole) length += (extent - 1) * step;
    }
    return length;
}

/* Whether rows of one lie between rows of the other: parts of a whole along an inner dim. */
static bool alternate(const Value *a, const Value *b) {
    if (a->layout.halo || a->layout.block || b->layout.halo || b->layout.block || a->type.dtype != b->type.dtype)
        return false;
    for (int i = 0; i < a->type.rank; i++) {
        int64_t whole = step_of(a, i), apart = (address(b) - address(a)) / dtypes[a->type.dtype].bytes;
        if (whole < 1 || a->type.dim[i].max < 2) continue;
        int64_t rest = apart - floor_div(apart, whole) * whole, length = row_length(a, whole),
                other = row_length(b, whole);
        if (length && other && length <= rest && rest + other <= whole) return true;
    }
    return false;
}

static bool overlap(const Value *a, const Value *b) {
    bool arena = a->plan.buffer->plan.home == HOME_ARENA && b->plan.buffer->plan.home == HOME_ARENA;
    if ((!arena && a->plan.buffer != b->plan.buffer) || alternate(a, b)) return false;
    return address(a) < address(b) + value_bytes(b) && address(b) < address(a) + value_bytes(a);
}

/* ---- what is intact ---- */

static void is_intact(const Memory *c, const Value *v) {
    ASSERT(!kept(v->plan.base) || c->room[v->plan.base->plan.number].intact || !value_bytes(v));
}

static void set_reach(Memory *c, int i, int64_t end) {
    int at = c->leaves + i;
    c->reach[at] = end;
    for (at /= 2; at; at /= 2) {
        int64_t a = c->reach[2 * at], b = c->reach[2 * at + 1];
        c->reach[at] = a > b ? a : b;
    }
}

static void becomes(Memory *c, Value *v) {
    if (v->plan.number < 0 || c->room[v->plan.number].intact) return;
    c->room[v->plan.number].intact = true;
    set_reach(c, v->plan.number, c->room[v->plan.number].end);
}

/* The first intact base from place i on that ends behind `at`; -1 if there is none. */
static int next_behind(const Memory *c, int i, int64_t at) {
    int node = c->leaves + i;
    if (i >= c->leaves) return -1;
    while (c->reach[node] <= at) { /* up, until there is one to the right */
        while (node & 1) node /= 2;
        if (!node) return -1;
        node++;
    }
    while (node < c->leaves) node = 2 * node + (c->reach[2 * node] <= at);
    return node - c->leaves;
}

/* v is stored; of what shares its bytes only parts that it holds stay as they are, and what lies in one without gaps:
 * the part that covers a room begins before it, or is the larger. */
static void is_stored(Memory *c, Value *v, const Piece *p, int n) {
    ASSERT(v->plan.base == v && v->plan.buffer->plan.home != HOME_INPUT &&
           v->plan.shift + value_bytes(v) <= value_bytes(v->plan.buffer));
    if (v->plan.buffer->plan.home == HOME_ARENA)
        ASSERT(v->plan.buffer->plan.offset >= 0 && v->plan.buffer->plan.offset % BUFFER_ALIGN == 0 &&
               address(v) + value_bytes(v) <= c->m->arena_bytes);
    if (v->plan.number < 0) return;
    const Room *mine = &c->room[v->plan.number];
    c->stores++;
    for (int i = 0; i < n; i++)
        if (p[i].part->plan.base->plan.number >= 0) c->room[p[i].part->plan.base->plan.number].whole = c->stores;
    int64_t covered = INT64_MIN;
    for (int i = 0; (i = next_behind(c, i, mine->from)) >= 0 && c->room[i].from < mine->end; i++) {
        Room *r = &c->room[i];
        if (r->whole == c->stores && is_dense(r->v) && r->end > covered) covered = r->end;
        if (r == mine || r->whole == c->stores || r->end <= covered || !overlap(v, r->v)) continue;
        r->intact = false;
        set_reach(c, i, -1);
    }
    becomes(c, v);
}

/* ---- steps ---- */

/* Whether v lies in a part without gaps that is in place already: a Concat does not write there. */
static bool lies_in_part(const Value *v, const Piece *p, int n) {
    for (int i = 0; i < n; i++) {
        const Value *part = p[i].part->plan.base;
        if (part->plan.buffer == v->plan.buffer && is_dense(part) && address(part) <= address(v) &&
            address(v) + value_bytes(v) <= address(part) + value_bytes(part))
            return true;
    }
    return false;
}

static void check_argument(const Kernel *k, int j, const Piece *p, int n) {
    for (int i = 0; i < k->narg; i++) {
        const Value *a = k->arg[i]->plan.base, *b = k->arg[j]->plan.base;
        if (i == j || !kept(a) || !kept(b) || !overlap(a, b) || lies_in_part(a, p, n)) continue;
        ASSERT(i < k->nread && k->in_place && k->in_place[i] == j && address(a) == address(b));
    }
}

typedef struct {
    const Room *room;
    int arg;
} Place;

static int by_place(const void *a, const void *b) {
    const Place *x = a, *y = b;
    return x->room->from != y->room->from ? (x->room->from > y->room->from ? 1 : -1) : x->arg - y->arg;
}

/* Inside a kernel nothing written, scratch included, may meet anything else, but an input in exactly the same place.
 * Only what has a neighbour that reaches it is looked at. */
static void check_arguments(const Memory *c, const Kernel *k, const Piece *parts, int count) {
    Place *p = NEW_ARRAY(c->m->arena, Place, k->narg + 1);
    int n = 0;
    int64_t reach = INT64_MIN;
    for (int i = 0; i < k->narg; i++)
        if (kept(k->arg[i]->plan.base)) p[n++] = (Place){&c->room[k->arg[i]->plan.base->plan.number], i};
    qsort(p, (size_t)n, sizeof *p, by_place);
    for (int i = 0; i < n; i++) {
        bool reached = p[i].room->from < reach || (i + 1 < n && p[i + 1].room->from < p[i].room->end);
        if (reached && p[i].arg >= k->nread) check_argument(k, p[i].arg, parts, count);
        if (p[i].room->end > reach) reach = p[i].room->end;
    }
}

static int parts_in_place(Node *n, Piece *p) {
    int count = parts_of(n, p), kept_parts = 0;
    for (int i = 0; i < count; i++)
        if (is_part_of(p[i].part, p[i].whole, p[i].at) || !IS(n, Concat)) p[kept_parts++] = p[i];
    return kept_parts;
}

/* A copy that is not made: what would be read has to be there, and what would be written then is. */
static void check_missing(Memory *c, Node *n, const Piece *p, int count) {
    for (int i = 0; i < count; i++) {
        if (p[i].part->plan.base->plan.last < 0 || p[i].whole->plan.base->plan.last < 0) continue; /* nobody wants it */
        is_intact(c, IS(n, Concat) ? p[i].part : p[i].whole);
        ASSERT(p[i].part->plan.buffer == p[i].whole->plan.buffer);
    }
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && n->out[i]->plan.last >= 0) becomes(c, n->out[i]->plan.base);
}

static void check_kernel(Memory *c, Node *n) {
    const Kernel *k = n->code;
    Piece *p = NEW_ARRAY(c->m->arena, Piece, n->nin + n->nout);
    int count = parts_in_place(n, p);
    if (!k->body) {
        check_missing(c, n, p, count);
        return;
    }
    if (!IS(n, Concat)) count = 0;
    for (int i = 0; i < k->nread; i++) is_intact(c, k->arg[i]);
    for (int i = 0; i < count; i++) is_intact(c, p[i].part);
    check_arguments(c, k, p, count);
    for (int i = k->nread; i < k->narg; i++) is_stored(c, k->arg[i], p, count);
}

static void check_graph(Memory *c, Graph *g);

static void check_if(Memory *c, Node *n) {
    is_intact(c, n->in[0]);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        Graph *branch = n->attr[i].graph;
        if (!branch) continue;
        check_graph(c, branch);
        for (int j = 0; j < branch->nout; j++) {
            if (!n->out[j] || n->out[j]->plan.last < 0) continue;
            is_intact(c, branch->out[j]);
            is_stored(c, n->out[j], NULL, 0);
        }
    }
}

static void hand_on(Memory *c, Value *from, Value *to) {
    if (!to || to->plan.last < 0) return;
    is_intact(c, from);
    if (from->plan.base != to) is_stored(c, to, NULL, 0);
}

/* The second time around shows whether the first left whole what every iteration reads. */
static void check_loop(Memory *c, Node *n) {
    Graph *body = loop_body(n);
    int carried = loop_carried(n);
    for (int i = 0; i < LOOP_CARRIED; i++)
        if (n->in[i]) is_intact(c, n->in[i]);
    for (int i = 0; i < carried; i++) hand_on(c, n->in[LOOP_CARRIED + i], n->out[i]);
    for (int i = carried; i < n->nout; i++)
        if (n->out[i] && n->out[i]->plan.last >= 0) is_stored(c, n->out[i], NULL, 0);
    for (int turn = 0; turn < 2; turn++) {
        check_graph(c, body);
        is_intact(c, body->out[BODY_COND]);
        for (int i = carried; i < n->nout; i++)
            if (n->out[i]) is_intact(c, body->out[BODY_CARRIED + i]), is_intact(c, n->out[i]);
        for (int i = 0; i < carried; i++) hand_on(c, body->out[BODY_CARRIED + i], n->out[i]);
    }
}

static void check_graph(Memory *c, Graph *g) {
    for (Node *n = g->first; n; n = n->next) {
        if (IS(n, Loop))
            check_loop(c, n);
        else if (IS(n, If))
            check_if(c, n);
        else if (n->code)
            check_kernel(c, n);
    }
}

/* ---- the line of all memory ---- */

static void add_room(Module *m, Value *v, void *arg) {
    List *bases = arg;
    v->plan.number = -1;
    if (v->plan.base != v || !kept(v)) return;
    v->plan.number = bases->n; /* for now its place in the order of the graph */
    push(m->arena, bases, v);
}

static int by_beginning(const void *a, const void *b) {
    const Room *x = a, *y = b;
    if (x->from != y->from) return x->from > y->from ? 1 : -1;
    if (x->end != y->end) return x->end < y->end ? 1 : -1;
    return x->v->plan.number - y->v->plan.number;
}

/* Buffers outside the arena stand behind it, one after the other. */
static void line_up(Memory *c) {
    int64_t *base = NEW_ARRAY(c->m->arena, int64_t, c->n + 1), next = c->m->arena_bytes;
    for (int i = 0; i < c->n; i++) {
        const Value *v = c->room[i].v;
        if (v->plan.buffer == v && v->plan.home != HOME_ARENA) base[i] = next, next += value_bytes(v);
    }
    for (int i = 0; i < c->n; i++) {
        const Value *v = c->room[i].v;
        c->room[i].from =
            address(v) + (v->plan.buffer->plan.home == HOME_ARENA ? 0 : base[v->plan.buffer->plan.number]);
        c->room[i].end = c->room[i].from + value_bytes(v);
    }
    qsort(c->room, (size_t)c->n, sizeof *c->room, by_beginning);
    for (int i = 0; i < c->n; i++) c->room[i].v->plan.number = i;
}

void check_plan(Module *m) {
    Memory c = {.m = m, .leaves = 1};
    for (int i = 0; i < m->outside.n; i++) ((Value *)m->outside.at[i])->plan.number = -1;
    List bases = {0};
    each_stored(m, add_room, &bases);
    c.n = bases.n, c.room = NEW_ARRAY(m->arena, Room, c.n + 1);
    for (int i = 0; i < c.n; i++) c.room[i].v = bases.at[i];
    line_up(&c);
    while (c.leaves < c.n) c.leaves *= 2;
    c.reach = NEW_ARRAY(m->arena, int64_t, 2 * c.leaves);
    for (int i = 0; i < 2 * c.leaves; i++) c.reach[i] = -1;
    for (int i = 0; i < m->main->nin; i++) becomes(&c, m->main->in[i]);
    check_graph(&c, m->main);
    for (int i = 0; i < m->main->nout; i++) is_intact(&c, m->main->out[i]);
}
