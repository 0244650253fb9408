/* expand - replace composites by their meaning. needs: types; keeps: types (new nodes are typed as they are built).
 *
 * The nodes of one meaning share a kernel label as far as they are elementwise or reductions over the same axes: they
 * stand together, and no reduction is then computed inside another's loop. */
#include "ir/build.h"
#include "ir/diag.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes/passes.h"

/* Extents of the run are no work: who wants one knows it. */
static bool fusable(const Node *n) {
    const Op *op = n->op;
    return (op->kind == K_MAP || op->kind == K_RED) && !is_extent(n->out[0], &(Dim){0});
}

bool same_axes(Node *a, Node *b) {
    bool x[MAX_RANK] = {false}, y[MAX_RANK] = {false};
    const Type *s = &a->in[0]->type, *t = &b->in[0]->type;
    return same_shape(s, t) && known_axes(a, 1, s->rank, x) && known_axes(b, 1, t->rank, y) && !memcmp(x, y, sizeof x);
}

static int64_t most_elements(const Node *n) {
    int64_t most = 0;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && type_count(&n->in[i]->type) > most) most = type_count(&n->in[i]->type);
    return most;
}

static void resolve_inputs(Node *n) {
    for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
}

static bool made_by(const Value *v, const Node *first, const Node *end) {
    for (const Node *n = first; n && n != end; n = n->next)
        if (v && v->def == n) return true;
    return false;
}

/* A node that needs nothing of the run (a reshaped scale, a cast constant) can go before it. */
static bool independent(const Node *n, const Node *run) {
    for (int i = 0; i < n->nin; i++)
        if (made_by(n->in[i], run, n)) return false;
    return true;
}

/* Labels the nodes between `first` and `end`. A run ends at a node with a nest of its own, and at a reduction over
 * other axes. */
static void label(Module *m, Node *first, const Node *end) {
    Node *reduction = NULL, *run = NULL;
    int k = 0, count = 0;
    for (Node *n = first, *next; n != end; n = next) {
        next = n->next;
        resolve_inputs(n);
        if (!fusable(n)) {
            if (k && independent(n, run))
                move_before(n, run);
            else
                k = 0, reduction = NULL;
            continue;
        }
        if (n->op->kind == K_RED && reduction && !same_axes(n, reduction)) k = 0, reduction = NULL;
        if (reduction && most_elements(n) > most_elements(reduction)) k = 0, reduction = NULL;
        if (count == KERNEL_NODES) k = 0, reduction = NULL;
        if (!k) k = ++m->kernels, run = n, count = 0;
        count++;
        n->kernel = k;
        if (n->op->kind == K_RED) reduction = n;
    }
}

static void unlabel_singles(Node *first, const Node *end) {
    for (Node *n = first; n != end; n = n->next)
        if (n->kernel && !(n->prev && n->prev->kernel == n->kernel) && !(n->next && n->next->kernel == n->kernel))
            n->kernel = 0;
}

static bool composite(const Node *n) { return n->op->kind == K_DEF || n->op->expand; }

static void expand_node(Node *n) {
    if (n->op->expand)
        n->op->expand(n);
    else
        expand_def(n);
}

static void expand_graph(Graph *g, void *unused) {
    (void)unused;
    Module *m = g->module;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!composite(n)) continue;
        Node *before = n->prev, *end = next;
        expand_node(n);
        for (;;) { /* meanings may use composites: resume at the first inserted node */
            Node *inner = before ? before->next : g->first;
            while (inner != end && !composite(inner)) inner = inner->next;
            if (inner == end) break;
            if (--m->fuel < 0) fatal(m, EXIT_INPUT, "the model is too large to expand");
            expand_node(inner);
        }
        label(m, before ? before->next : g->first, end);
        unlabel_singles(before ? before->next : g->first, end);
    }
    resolve_graph(g);
}

void pass_expand(Module *m) {
    each_graph(m, expand_graph, NULL);
    resolve_graph(m->main);
}
