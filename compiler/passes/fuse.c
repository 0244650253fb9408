/* fuse - label nodes that become one kernel. needs: no composites, types; keeps: meaning, names; moves nodes, and
 * copies cheap ones to each of their readers.
 *
 * Every kernel takes in the kernels it reads from, nearest first, as long as fuse_cost.c finds that this saves more
 * than it costs; what several nodes of it read comes in once all of them are there. A kernel's nodes stand together:
 * the producer's are moved down to the consumer's, which is always possible, for nobody else reads them.
 *
 * What widens small numbers goes to its reader first, where that is not a product: it is they that are best stored. */
#include "passes/fuse.h"
#include "ir/build.h"
#include "lower/lower.h"
#include "passes/passes.h"

enum { MIN_EFFORT = 10000000, VALUE_EFFORT = 1000, MAX_COPIES = 4096 };

static void find_writes(Graph *g, void *arg) {
    Fuse *f = arg;
    for (const Node *n = g->first; n; n = n->next) f->writes = f->writes || IS(n, Assign);
}

Fuse fuse_new(Module *m) {
    Fuse f = {.m = m};
    count_uses(m);
    f.values = number_values(m);
    f.effort = MIN_EFFORT + (int64_t)VALUE_EFFORT * f.values;
    f.cap = f.values + MAX_COPIES;
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

/* What the group reads from other kernels, each time a node of it does. */
typedef struct {
    Value *v;
    Node *reader;
    int order; /* in which the group reads: of equal values the last one counts */
} Read;

static int latest_first(const void *a, const void *b) {
    const Read *x = a, *y = b;
    return x->v->id != y->v->id ? (x->v->id < y->v->id) - (x->v->id > y->v->id) : y->order - x->order;
}

static int reads_of(const Group *g, Read *read) {
    int count = 0;
    for (Node *n = g->first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            Value *v = n->in[i];
            if (v && v->kind == V_NODE && !in_group(g, v->def)) read[count] = (Read){v, n, count}, count++;
        }
        if (n == g->last) return count;
    }
}

/* Room for the reads of any kernel that is looked at. */
enum { MAX_READS = 4 * KERNEL_NODES };

/* Tries every kernel that the group reads from, the latest value first; true if one came in. */
static bool take_one(Fuse *f, Node *last) {
    Group c = group_of(last);
    Read read[MAX_READS];
    if (c.n >= KERNEL_NODES || c.reads > MAX_READS) return false;
    int count = reads_of(&c, read);
    qsort(read, (size_t)count, sizeof *read, latest_first);
    for (int i = 0; i < count; i++) {
        Value *v = read[i].v;
        if (i && v == read[i - 1].v) continue;
        if ((f->effort -= c.reads) < 0) return false;
        if (may_fuse(f, v, read[i].reader, false).why) continue;
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
    enum { MAX_STEPS = 8 };
    const Value *x = v;
    for (int step = 0; step < MAX_STEPS && x->def && elementwise(x->def); step++) {
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
