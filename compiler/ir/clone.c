/* clone.c - copies of a graph's nodes, regions and all: for loops that are unrolled. */
#include "ir/clone.h"
#include "ir/build.h"
#include "ir/diag.h"

Value *clone_of(const Map *of, Value *v) {
    v = resolve(v);
    Value *copy = v ? map_get(of, v->name) : NULL;
    return copy ? copy : v;
}

void clone_stands_for(Map *of, const Value *original, Value *copy) { map_set(of, original->name, copy); }

static void clone_regions(Node *n, Map *of) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        if (n->attr[i].kind != A_GRAPH || !n->attr[i].graph) continue;
        n->attr[i].graph = clone_graph(n->attr[i].graph, n->graph, of);
        n->attr[i].graph->owner = n;
    }
}

static void clone_node(const Node *n, Graph *to, Node *at, Map *of) {
    Arena *a = to->module->arena;
    if (--to->module->fuel < 0) fatal(to->module, EXIT_INPUT, "the model is too large to copy what its loops hold");
    Value **in = NEW_ARRAY(a, Value *, n->nin + 1);
    const char **names = NEW_ARRAY(a, const char *, n->nout + 1);
    for (int i = 0; i < n->nin; i++) in[i] = clone_of(of, n->in[i]);
    for (int i = 0; i < n->nout; i++) names[i] = n->out[i] ? n->out[i]->name : NULL;
    Node *copy = node_new(to, at, n->op, n->nin, in, n->nout, names, n->loc);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) copy->attr[i] = n->attr[i];
    copy->name = n->name, copy->origin = n->origin, copy->overload = n->overload, copy->turns = n->turns;
    clone_regions(copy, of);
    for (int i = 0; i < n->nout; i++) {
        if (n->out[i])
            clone_stands_for(of, n->out[i], copy->out[i]);
        else
            copy->out[i] = NULL;
    }
}

static bool is_stood_for(const Node *n, const Map *of) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && !map_get(of, n->out[i]->name)) return false;
    return n->nout > 0;
}

void clone_nodes(const Graph *from, Graph *to, Node *at, Map *of) {
    for (const Node *n = from->first; n; n = n->next)
        if (!is_stood_for(n, of)) clone_node(n, to, at, of);
}

Graph *clone_graph(const Graph *from, Graph *outer, Map *of) {
    Graph *g = graph_new(from->module, from->name, outer);
    for (int i = 0; i < from->nin; i++)
        clone_stands_for(of, from->in[i], input_new(g, from->in[i]->name, from->in[i]->type));
    clone_nodes(from, g, NULL, of);
    List out = {0};
    for (int i = 0; i < from->nout; i++) push(from->module->arena, &out, clone_of(of, from->out[i]));
    set_outputs(g, &out);
    return g;
}

static const Turns *within(Arena *a, const Turns *outer, const Turns *inner) {
    Turns *t = inner ? NEW(a, Turns) : NULL;
    if (!t) return outer;
    t->around = within(a, outer, inner->around), t->turn = inner->turn;
    return t;
}

void come_out_of(const Node *owner, int64_t turn, Node *first, const Node *end) {
    Arena *a = owner->graph->module->arena;
    const Turns *outer = turn < 0 ? owner->turns : within(a, owner->turns, &(Turns){NULL, turn});
    for (Node *n = outer ? first : NULL; n && n != end; n = n->next) n->turns = within(a, outer, n->turns);
}
