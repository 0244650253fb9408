/* fuse - label nodes that become one kernel. needs: no composites, types; keeps: meaning, names; moves nodes.
 *
 * A node joins the kernel of the only node that reads it, if no element is then computed twice:
 *   - an elementwise node takes in what makes one of its inputs of its own shape: another elementwise chain, a
 * reduction, or one node with a nest of its own (convolution, product, pool), whose epilogue it becomes;
 *   - a reduction takes in the elementwise chain that it reads.
 * A kernel holds at most one node with a nest of its own, and reductions over one set of axes. Its nodes stand
 * together: the producer's are moved down to the consumer's, which is always possible, for nobody else reads them. */
#include "../nncc.h"

enum { MOST_NODES = 64 };

/* The nodes from first to last that carry one label; a node without one is alone. */
typedef struct {
    Node *first, *last;
    int n, nests;
    Node *reduction;
} Group;

static bool has_nest(const Node *n) { return n->op->kind == K_OP && n->op->at && !n->op->lower && !n->op->view; }

static bool simple(const Node *n) { return n->op->kind == K_MAP || n->op->kind == K_RED; }

static Group group_of(Node *n) {
    Group g = {n, n, 0, 0, NULL};
    while (n->kernel && g.first->prev && g.first->prev->kernel == n->kernel) g.first = g.first->prev;
    while (n->kernel && g.last->next && g.last->next->kernel == n->kernel) g.last = g.last->next;
    for (Node *p = g.first;; p = p->next) {
        g.n++, g.nests += !simple(p);
        if (p->op->kind == K_RED) g.reduction = p;
        if (p == g.last) return g;
    }
}

static bool inside(const Group *g, const Node *n) {
    for (const Node *p = g->first;; p = p->next) {
        if (p == n) return true;
        if (p == g->last) return false;
    }
}

static int uses_in(const Group *g, const Value *v) {
    int n = 0;
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nin; i++) n += p->in[i] == v;
        if (p == g->last) return n;
    }
}

/* Whether the group's only result for others is v. */
static bool gives_only(const Group *g, const Value *v) {
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nout; i++)
            if (p->out[i] && p->out[i] != v && p->out[i]->uses > uses_in(g, p->out[i])) return false;
        if (p == g->last) return true;
    }
}

static bool fits(const Group *p, const Group *c, const Node *reader, const Value *v) {
    if (p->n + c->n > MOST_NODES || p->nests + c->nests > 1 || !gives_only(p, v)) return false;
    if (reader->op->kind == K_RED) return !p->nests && !p->reduction;
    if (!same_shape(&v->type, &reader->out[0]->type)) return false;
    if (c->reduction && (p->nests || reader->out[0]->uses > 1))
        return false; /* would be computed in every loop that asks */
    return !p->reduction || !c->reduction || same_axes(p->reduction, c->reduction);
}

static bool can_produce(const Node *n) { return simple(n) || (has_nest(n) && n->nout == 1); }

static void join(Module *m, const Group *p, const Group *c) {
    int k = c->first->kernel ? c->first->kernel : ++m->kernels;
    for (Node *n = c->first;; n = n->next) {
        n->kernel = k;
        if (n == c->last) break;
    }
    for (Node *n = p->first, *next;; n = next) {
        next = n->next;
        bool last = n == p->last;
        move_before(n, c->first);
        n->kernel = k;
        if (last) break;
    }
}

/* The producer of v joins its reader's kernel if it may. */
static bool try_join(Module *m, Node *reader, Value *v) {
    if (!v || v->kind != V_NODE || v->uses != 1 || v->graph != reader->graph || is_output(v) || !can_produce(v->def))
        return false;
    Group p = group_of(v->def), c = group_of(reader);
    if (inside(&c, v->def) || !fits(&p, &c, reader, v)) return false;
    if ((m->fuel -= p.n + c.n) < 0) return false;
    join(m, &p, &c);
    return true;
}

static void fuse_graph(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; n; n = n->next) {
        if (!simple(n) || n->op == &ops[OP_Copy]) continue;
        for (int i = n->nin - 1; i >= 0; i--) try_join(g->module, n, n->in[i]);
    }
}

void pass_fuse(Module *m) {
    count_uses(m);
    each_graph(m, fuse_graph, NULL);
}
