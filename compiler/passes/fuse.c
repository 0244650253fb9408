/* fuse - label nodes that become one kernel. needs: no composites, types; keeps: meaning, names; moves nodes, and
 * copies cheap ones to each of their readers.
 *
 * Every kernel takes in the kernels it reads from, nearest first, as long as fuse_cost.c finds that this saves more
 * than it costs; what several nodes of it read comes in once all of them are there. A kernel's nodes stand together:
 * the producer's are moved down to the consumer's, which is always possible, for nobody else reads them.
 *
 * What widens small numbers goes to its reader first, where that is not a product: it is they that are best stored. */
#include "fuse.h"

enum { MOST_EFFORT = 10000000, MOST_COPIES = 4096 };

static void find_writes(Graph *g, void *arg) {
    Fuse *f = arg;
    for (const Node *n = g->first; n; n = n->next) f->writes = f->writes || IS(n, Assign);
}

Fuse fuse_new(Module *m) {
    Fuse f = {.m = m, .effort = MOST_EFFORT};
    count_uses(m);
    f.values = number_values(m);
    f.cap = f.values + MOST_COPIES;
    f.mark = arena_alloc(m->arena, (size_t)f.cap);
    each_graph(m, find_writes, &f);
    return f;
}

void join_groups(Module *m, const Group *p, const Group *c) {
    int k = c->first->kernel ? c->first->kernel : ++m->kernels;
    for (Node *n = c->first;; n = n->next) {
        n->kernel = k;
        if (n == c->last) break;
    }
    for (Node *n = p->first, *next;; n = next) {
        next = n->next;
        bool last = n == p->last;
        if (n->next != c->first || p->last != n) move_before(n, c->first);
        n->kernel = k;
        if (last) break;
    }
}

/* What the group reads that was computed after `before`, the latest of it; NULL if there is nothing. `reader` is the
 * last node that reads it. */
static Value *latest_input(const Group *g, int before, Node **reader) {
    Value *latest = NULL;
    for (Node *n = g->first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            Value *v = n->in[i];
            if (!v || v->kind != V_NODE || v->id >= before || (latest && v->id < latest->id) || in_group(g, v->def))
                continue;
            latest = v, *reader = n;
        }
        if (n == g->last) return latest;
    }
}

/* Tries every kernel that the group reads from; true if one came in. */
static bool take_one(Fuse *f, Node *last) {
    Group c = group_of(last);
    Node *reader = NULL;
    int before = f->values;
    for (Value *v; (v = latest_input(&c, before, &reader)); before = v->id) {
        if ((f->effort -= c.reads) < 0) return false;
        if (may_fuse(f, v, reader, false).why) continue;
        Group p = group_of(v->def);
        join_groups(f->m, &p, &c);
        return true;
    }
    return false;
}

/* ---- widening ---- */

static bool as_many(const Value *v, const Value *x) { return type_count(&x->type) == type_count(&v->type); }

static int bytes_of(const Value *v) { return dtypes[v->type.dtype].bytes; }

/* Whether v comes, by elementwise nodes alone, from as many smaller elements. */
static bool widened(const Value *v) {
    enum { MOST_STEPS = 8 };
    const Value *x = v;
    for (int step = 0; step < MOST_STEPS && x->def && elementwise(x->def); step++) {
        const Value *from = NULL;
        for (int i = 0; i < x->def->nin; i++)
            if (as_many(v, x->def->in[i])) from = from ? v : x->def->in[i];
        if (!from || from == v) return false;
        if (bytes_of(from) < bytes_of(v)) return true;
        x = from;
    }
    return false;
}

static bool take_widening(Fuse *f, Node *n) {
    for (int i = 0; i < n->nin; i++) {
        Value *v = n->in[i];
        if (!v || v->kind != V_NODE || v->graph != n->graph || !widened(v)) continue;
        Group c = group_of(n), p = group_of(v->def);
        if (in_group(&c, v->def) || may_fuse(f, v, n, false).why) continue;
        join_groups(f->m, &p, &c);
        return true;
    }
    return false;
}

/* From the readers down to what is small: the nodes of a chain come in one after the other. */
static void widen_graph(Graph *g, void *arg) {
    for (Node *n = g->last; n; n = n->prev)
        while (take_widening(arg, n)) continue;
}

static void fuse_graph(Graph *g, void *arg) {
    Fuse *f = arg;
    for (Node *n = g->first; n; n = n->next) {
        if (n->kernel && n->next && n->next->kernel == n->kernel) continue; /* the last of its kernel stands for it */
        while (f->effort > 0 && take_one(f, n)) continue;
    }
}

static void copy_graph(Graph *g, void *arg) { copy_to_readers(arg, g); }

void pass_fuse(Module *m) {
    Fuse f = fuse_new(m);
    each_graph(m, widen_graph, &f);
    each_graph(m, fuse_graph, &f);
    each_graph(m, copy_graph, &f);
}
