/* if_gradient.c - the gradient of an If is an If with the same condition: the branch that was taken is computed again,
 * and with it what it says about what it read from outside. */
#include "control/control.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ops/infer.h"
#include "ops/ops.h"

typedef struct {
    Node *n, *end; /* what is built goes before the end */
    Value *const *upstream;
    const RegionGradient *how;
    List outside; /* Value*: what a branch reads from outside and gradients flow into */
} Back;

static bool listed(const List *list, const Value *v) {
    for (int i = 0; i < list->n; i++)
        if (list->at[i] == v) return true;
    return false;
}

static void note_read(void *arg, Value *v) {
    Back *b = arg;
    v = resolve(v);
    if (!b->how->is_live(b->how->arg, v) || listed(&b->outside, v)) return;
    for (int i = 0; i < 2; i++)
        if (lies_in(v->graph, b->n->attr[i].graph)) return;
    push(b->n->graph->module->arena, &b->outside, v);
}

static void infer_before(Graph *g, const Node *end) {
    for (Node *x = g->first, *next; x != end; x = next) {
        next = x->next;
        infer_node(x);
    }
}

static Graph *back_through(Back *b, const Graph *branch) {
    Module *m = branch->module;
    Graph *back = graph_new(m, "backward", b->n->graph);
    Node *last = node_new(back, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, b->n->loc);
    Map *of = map_new(m->arena);
    List root = {0}, seed = {0}, out = {0};
    Value **gradient = NEW_ARRAY(m->arena, Value *, b->outside.n + 1);
    last->origin = b->end->origin;
    clone_nodes(branch, back, last, of);
    infer_before(back, last);
    for (int k = 0; k < b->n->nout; k++) {
        if (!b->n->out[k] || !b->upstream[k]) continue;
        push(m->arena, &root, resolve(clone_of(of, branch->out[k])));
        push(m->arena, &seed, b->upstream[k]);
    }
    b->how->reverse(b->how->arg, last, &root, &seed, &b->outside, gradient);
    for (int i = 0; i < b->outside.n; i++) {
        static const char *const name[] = {"x"};
        Value *v = b->outside.at[i];
        push(m->arena, &out, gradient[i] ? gradient[i] : build_value(last, "zeros(x)", 1, name, &v));
    }
    set_outputs(back, &out);
    unlink_node(last);
    return back;
}

void reverse_if(Node *n, Node *end, Value *const *upstream, const RegionGradient *how) {
    Module *m = n->graph->module;
    Back b = {.n = n, .end = end, .upstream = upstream, .how = how};
    int said = m->problems.n;
    each_read(n, note_read, &b);
    if (!b.outside.n) return;
    Node *back = node_new(n->graph, end, n->op, 1, n->in, b.outside.n, NULL, n->loc);
    back->name = NULL, back->origin = end->origin;
    for (int i = 0; i < 2; i++) {
        Graph *g = back_through(&b, n->attr[i].graph);
        set_attr(back, &(Attr){.name = n->op->attr[i].name, .kind = A_GRAPH, .graph = g});
        g->owner = back;
    }
    if (m->problems.n > said) return;
    infer_node(back);
    for (int i = 0; i < b.outside.n && m->problems.n == said; i++) how->give(how->arg, b.outside.at[i], back->out[i]);
}
