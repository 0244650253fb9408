/* part.c - a part of a network: the values that --outputs names, and what they are computed from. */
#include "ir/part.h"
#include "ir/build.h"
#include "ir/diag.h"

void no_such_value(Module *m, const char *name, const Map *values) {
    problem_at(m, EXIT_INPUT, (Loc){0}, NULL, "--outputs: the network has no value '%s'%s", escaped(m->arena, name, 60),
               suggest_key(m->arena, name, values));
}

Value *part_value(Module *m, const char *name) {
    Value *v = find_value(m->main, name);
    if (!v) no_such_value(m, name, m->main->names);
    return resolve(v);
}

/* ---- what is needed ---- */

static void need(Value *v, bool *needed) {
    v = resolve(v);
    if (v) needed[v->id] = true;
}

static void need_node(const Node *n, bool *needed);

/* What a region uses of the graphs around it is among what its nodes use. */
static void need_region(const Graph *g, bool *needed) {
    for (const Node *n = g->first; n; n = n->next) need_node(n, needed);
    for (int i = 0; i < g->nout; i++) need(g->out[i], needed);
}

static void need_node(const Node *n, bool *needed) {
    for (int i = 0; i < n->nin; i++) need(n->in[i], needed);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].kind == A_GRAPH && n->attr[i].graph) need_region(n->attr[i].graph, needed);
}

static bool node_is_needed(const Node *n, const bool *needed) {
    bool is = stays(n); /* what a call leaves for the next one */
    for (int i = 0; i < n->nout && !is; i++) is = n->out[i] && needed[n->out[i]->id];
    return is;
}

static void drop_unneeded(Module *m) {
    Graph *g = m->main;
    bool *needed = NEW_ARRAY(m->arena, bool, number_values(m));
    int kept = 0;
    for (int i = 0; i < g->nout; i++) need(g->out[i], needed);
    for (Node *n = g->last, *before; n; n = before) {
        before = n->prev;
        if (node_is_needed(n, needed))
            need_node(n, needed);
        else
            unlink_node(n);
    }
    for (int i = 0; i < g->nin; i++)
        if (needed[g->in[i]->id]) g->in[kept++] = g->in[i];
    g->nin = kept;
}

/* A dump of a later pass, and an io line, speak of outputs by their number. */
static void check_source(Module *m) {
    bool numbered = m->after != NULL;
    for (int i = 0; i < m->metas.n; i++) numbered = numbered || !strcmp(((Meta *)m->metas.at[i])->keyword, "io");
    if (numbered)
        fatal(m, EXIT_INPUT,
              "--outputs: expected a network as it was written, saw a dump taken after a pass, or a "
              "text with an io line");
}

void keep_part(Module *m, const List *values) {
    List out = {0};
    for (int i = 0; i < values->n; i++)
        if (!values->at[i]) return;
    check_source(m);
    set_outputs(m->main, &out);
    for (int i = 0; i < values->n; i++) {
        Value *v = output_as(m->main, resolve(values->at[i]), m->opt->outputs.at[i]);
        push(m->arena, &out, v);
        set_outputs(m->main, &out);
    }
    drop_unneeded(m);
}

void select_outputs(Module *m) {
    List values = {0};
    for (int i = 0; i < m->opt->outputs.n; i++) push(m->arena, &values, part_value(m, m->opt->outputs.at[i]));
    keep_part(m, &values);
}
