/* plan_check.c - an independent check of the plan, always on. It knows nothing of lives: it walks through the steps as
 * they will run, remembers which tensors still have their contents, and insists that whatever a step reads is one of
 * them. A store ends every tensor that it shares a byte with. */
#include "plan.h"

typedef struct {
    Module *m;
    List whole; /* Value*: leads whose contents are intact; Value.id: where in this list, or -1 */
} Memory;

static void forget(Memory *c, Value *v) {
    if (v->id < 0) return;
    Value *last = c->whole.at[--c->whole.n];
    c->whole.at[v->id] = last, last->id = v->id, v->id = -1;
}

static bool kept(const Value *v) { return v->root->home >= HOME_ARENA && v->root->home <= HOME_OUTPUT; }

static int64_t address(const Value *v) { return v->root->home == HOME_ARENA ? v->root->offset + v->shift : v->shift; }

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
    if (a->halo || a->block || b->halo || b->block || a->type.dtype != b->type.dtype) return false;
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
    bool arena = a->root->home == HOME_ARENA && b->root->home == HOME_ARENA;
    if ((!arena && a->root != b->root) || alternate(a, b)) return false;
    return address(a) < address(b) + value_bytes(b) && address(b) < address(a) + value_bytes(a);
}

static void is_intact(const Value *v) { ASSERT(!kept(v->lead) || v->lead->id >= 0 || !value_bytes(v)); }

static void becomes(Memory *c, Value *v) {
    if (v->id >= 0) return;
    v->id = c->whole.n;
    push(c->m->arena, &c->whole, v);
}

static bool is_part(const Value *v, const Piece *p, int n) {
    for (int i = 0; i < n; i++)
        if (p[i].part->lead == v) return true;
    return false;
}

/* v is stored; of what shares its bytes only parts that it holds stay as they are. */
static void is_stored(Memory *c, Value *v, const Piece *p, int n) {
    ASSERT(v->lead == v && v->root->home != HOME_INPUT && v->shift + value_bytes(v) <= value_bytes(v->root));
    if (v->root->home == HOME_ARENA)
        ASSERT(v->root->offset >= 0 && v->root->offset % BUFFER_ALIGN == 0 &&
               address(v) + value_bytes(v) <= c->m->arena_bytes);
    for (int i = c->whole.n - 1; i >= 0; i--) {
        Value *w = c->whole.at[i];
        if (w != v && overlap(v, w) && !is_part(w, p, n)) forget(c, w);
    }
    becomes(c, v);
}

/* Inside a kernel nothing written, scratch included, may meet anything else, but an input in exactly the same place. */
static void check_arguments(const Kernel *k) {
    for (int j = k->nread; j < k->narg; j++)
        for (int i = 0; i < k->narg; i++) {
            const Value *a = k->arg[i]->lead, *b = k->arg[j]->lead;
            if (i == j || !kept(a) || !kept(b) || !overlap(a, b)) continue;
            ASSERT(i < k->nread && k->same && k->same[i] == j && address(a) == address(b));
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
        if (p[i].part->lead->last < 0 || p[i].whole->lead->last < 0) continue; /* nobody wants it */
        is_intact(IS(n, Concat) ? p[i].part : p[i].whole);
        ASSERT(p[i].part->root == p[i].whole->root);
    }
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && n->out[i]->last >= 0) becomes(c, n->out[i]->lead);
}

static void check_kernel(Memory *c, Node *n) {
    const Kernel *k = n->code;
    Piece *p = NEW_ARRAY(c->m->arena, Piece, n->nin + n->nout);
    int count = parts_in_place(n, p);
    if (!k->body) {
        check_missing(c, n, p, count);
        return;
    }
    for (int i = 0; i < k->nread; i++) is_intact(k->arg[i]);
    for (int i = 0; i < count && IS(n, Concat); i++) is_intact(p[i].part);
    check_arguments(k);
    for (int i = k->nread; i < k->narg; i++) is_stored(c, k->arg[i], p, IS(n, Concat) ? count : 0);
}

static void check_graph(Memory *c, Graph *g);

static void check_if(Memory *c, Node *n) {
    is_intact(n->in[0]);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        Graph *branch = n->attr[i].graph;
        if (!branch) continue;
        check_graph(c, branch);
        for (int j = 0; j < branch->nout; j++) {
            if (!n->out[j] || n->out[j]->last < 0) continue;
            is_intact(branch->out[j]);
            is_stored(c, n->out[j], NULL, 0);
        }
    }
}

static void check_graph(Memory *c, Graph *g) {
    for (Node *n = g->first; n; n = n->next) {
        if (IS(n, If))
            check_if(c, n);
        else if (n->code)
            check_kernel(c, n);
    }
}

static void nothing_intact(Graph *g, void *unused) {
    (void)unused;
    for (int i = 0; i < g->nin; i++) g->in[i]->id = -1;
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) n->out[i]->id = -1;
        for (int i = 0; n->code && i < n->code->scratch.n; i++) ((Value *)n->code->scratch.at[i])->id = -1;
    }
}

void check_plan(Module *m) {
    Memory c = {.m = m};
    each_graph(m, nothing_intact, NULL);
    for (int i = 0; i < m->main->nin; i++) becomes(&c, m->main->in[i]);
    check_graph(&c, m->main);
    for (int i = 0; i < m->main->nout; i++) is_intact(m->main->out[i]);
}
