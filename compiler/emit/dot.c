/* dot.c - the graph for Graphviz: a box per node, an edge per value with its type. */
#include "emit/output.h"
#include "ir/build.h"

static void put_edge_source(Str *s, const Value *v) {
    if (v->def)
        put(s, "n%d", v->def->out[0] ? v->def->out[0]->id : v->id);
    else
        put(s, "v%d", v->id);
}

static void put_node(Module *m, Str *s, const Node *n) {
    int id = n->nout && n->out[0] ? n->out[0]->id : 0;
    put(s, "  n%d [shape=box, label=\"%s\\n%s\"];\n", id, n->op->name,
        comment_text(m->arena, n->name ? n->name : "", 40));
    for (int i = 0; i < n->nin; i++) {
        const Value *v = n->in[i];
        if (!v || (!v->def && v->kind != V_INPUT)) continue;
        put_text(s, "  ");
        put_edge_source(s, v);
        put(s, " -> n%d [label=\"%s\"];\n", id, type_text(m->arena, &v->type));
    }
}

void emit_dot(Module *m, Str *s) {
    number_values(m);
    put(s, "digraph \"%s\" {\n", comment_text(m->arena, m->source ? m->source : "model", 60));
    for (int i = 0; i < m->main->nin; i++)
        put(s, "  v%d [shape=ellipse, label=\"%s\"];\n", m->main->in[i]->id,
            comment_text(m->arena, m->main->in[i]->name, 40));
    for (const Node *n = m->main->first; n; n = n->next) put_node(m, s, n);
    put_text(s, "}\n");
}
