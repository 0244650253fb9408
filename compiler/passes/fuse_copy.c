/* fuse_copy.c - what is cheap is computed by each of its readers: casts, scalars, a mask made of a few bytes. */
#include "ir/build.h"
#include "passes/fuse.h"

enum { MAX_READERS = 64, MAX_COPIED = 4 };

/* Who reads a value: one node of each kernel, in order. */
typedef struct {
    Node *at[MAX_READERS];
    int n;
} Readers;

/* Of the graph's own values. */
static void index_readers(Fuse *f, Graph *g, List *readers) {
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) readers[n->out[i]->id].n = 0;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->kind == V_NODE && n->in[i]->graph == g)
                push(f->m->arena, &readers[n->in[i]->id], n);
}

static bool same_kernel(const Node *a, const Node *b) { return a == b || (a->kernel && a->kernel == b->kernel); }

/* False if somebody reads v who is not in the list: an output, a branch. */
static bool distinct_readers(const List *all, const Value *v, Readers *r) {
    r->n = 0;
    for (int i = 0; i < all->n; i++) {
        Node *n = all->at[i];
        bool known = false;
        if (same_kernel(n, v->def)) return false;
        for (int j = 0; j < r->n && !known; j++) known = same_kernel(n, r->at[j]);
        if (known) continue;
        if (r->n == MAX_READERS) return false;
        r->at[r->n++] = n;
    }
    return all->n == v->uses;
}

static bool cheap_group(const Group *g) { return !g->nest && !g->reduction && g->n <= MAX_COPIED; }

static bool all_would_take(Fuse *f, Value *v, const Readers *r) {
    double times = 0;
    for (int i = 0; i < r->n; i++) {
        Decision d = may_fuse(f, v, r->at[i], true);
        if (d.why) return false;
        times += d.times;
    }
    return worth_copying(f, v, times);
}

static Node *copy_node(Fuse *f, const Node *from, Node *at) {
    Node *n = node_new(at->graph, at, from->op, from->nin, from->in, 1, NULL, from->loc);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) n->attr[i] = from->attr[i];
    n->origin = node_origin(from);
    n->out[0]->type = from->out[0]->type, n->out[0]->id = f->values++, n->kernel = from->kernel;
    return n;
}

static void redirect(Node *n, Value *from, Value *to) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == from) n->in[i] = to, from->uses--, to->uses++;
}

/* A copy of the group's nodes before the reader's kernel, which reads it from then on. */
static void give_copy(Fuse *f, const Group *p, Value *v, Node *reader) {
    Group c = group_of(reader), made = {.first = NULL};
    Node *copy[MAX_COPIED];
    int k = 0, label = p->n > 1 ? ++f->m->kernels : 0;
    for (Node *n = p->first;; n = n->next) {
        copy[k] = copy_node(f, n, c.first);
        copy[k]->kernel = label;
        for (int i = 0; i < n->nin; i++)
            if (n->in[i]) n->in[i]->uses++;
        Node *q = p->first;
        for (int j = 0; j < k; j++, q = q->next) redirect(copy[k], q->out[0], copy[j]->out[0]);
        if (n->out[0] == v)
            for (Node *r = c.first;; r = r->next) {
                redirect(r, v, copy[k]->out[0]);
                if (r == c.last) break;
            }
        k++;
        if (n == p->last) break;
    }
    made.first = copy[0], made.last = copy[k - 1];
    join_groups(f->m, &made, &c);
}

static void copy_value(Fuse *f, Value *v, const List *all) {
    Readers r;
    Group p = group_of(v->def);
    if (v->uses < 2 || !cheap_group(&p) || is_output(v) || !distinct_readers(all, v, &r) || r.n < 2) return;
    if (f->values + p.n * r.n > f->cap || !all_would_take(f, v, &r)) return;
    for (int i = 1; i < r.n; i++) give_copy(f, &p, v, r.at[i]);
    p = group_of(v->def);
    Group c = group_of(r.at[0]);
    join_groups(f->m, &p, &c);
}

void copy_to_readers(Fuse *f, Graph *g) {
    int known = f->values;
    if (!f->readers) f->readers = NEW_ARRAY(f->m->arena, List, f->cap);
    List *readers = f->readers;
    index_readers(f, g, readers);
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (elementwise(n) && n->nout == 1 && n->out[0]->id < known) copy_value(f, n->out[0], &readers[n->out[0]->id]);
    }
}
