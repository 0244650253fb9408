/* dot.c - the graph for Graphviz: a box per node, an edge per value with its type. */
#include "emit/output.h"
#include "ir/build.h"

static int number_of(const Node *n) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) return n->out[i]->id;
    return 0;
}

static void put_edge_source(Str *s, const Value *v) {
    if (v->def)
        put(s, "n%d", number_of(v->def));
    else
        put(s, "v%d", v->id);
}

static void put_graph(Module *m, Str *s, const Graph *g);

/* A frame around a node's region. */
static void put_region(Module *m, Str *s, const Node *n, int id, const Attr *a) {
    put(s, "  subgraph cluster_%d_%s {\n  label=\"%s of %s %s\";\n", id, a->name, a->name, n->op->name,
        comment_text(m->arena, n->name ? n->name : "", 40));
    put_graph(m, s, a->graph);
    put_text(s, "  }\n");
    for (int i = 0; i < a->graph->nout; i++) {
        const Value *v = a->graph->out[i];
        if (!v->def && v->kind != V_INPUT) continue;
        put_text(s, "  ");
        put_edge_source(s, v);
        put(s, " -> n%d [style=dashed, label=\"%s\"];\n", id, type_text(m->arena, &v->type));
    }
}

static void put_node(Module *m, Str *s, const Node *n) {
    int id = number_of(n);
    put(s, "  n%d [shape=box, label=\"%s\\n%s\"];\n", id, n->op->name,
        comment_text(m->arena, n->name ? n->name : "", 40));
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].kind == A_GRAPH && n->attr[i].graph) put_region(m, s, n, id, &n->attr[i]);
    for (int i = 0; i < n->nin; i++) {
        const Value *v = n->in[i];
        if (!v || (!v->def && v->kind != V_INPUT)) continue;
        put_text(s, "  ");
        put_edge_source(s, v);
        put(s, " -> n%d [label=\"%s\"];\n", id, type_text(m->arena, &v->type));
    }
}

static void put_graph(Module *m, Str *s, const Graph *g) {
    for (int i = 0; i < g->nin; i++)
        put(s, "  v%d [shape=ellipse, label=\"%s\"];\n", g->in[i]->id, comment_text(m->arena, g->in[i]->name, 40));
    for (const Node *n = g->first; n; n = n->next) put_node(m, s, n);
}

void emit_dot(Module *m, Str *s) {
    number_values(m);
    put(s, "digraph \"%s\" {\n", comment_text(m->arena, m->source ? m->source : "model", 60));
    put_graph(m, s, m->main);
    put_text(s, "}\n");
}
