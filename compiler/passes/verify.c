/* verify.c - what must hold after every pass. A fault here is ours: the message names the pass and the node. */
#include "ir/build.h"
#include "ir/diag.h"
#include "passes/passes.h"
#include "text/text.h"

static _Noreturn void broken(Module *m, const Node *n, const char *after, const char *what) {
    tell_internal_error(m, format(m->arena, "pass '%s'", after), n, what);
    Str s = {.arena = m->arena};
    print_module(m, &s, NULL);
    const char *file = "nncc-crash.nn";
    if (write_file(file, s.s, s.n))
        fprintf(m->err, "The network at this point is in %s: attach it to a bug report.\n", file);
    give_up(m);
}

static bool visible(const Value *v, const Graph *g, const unsigned char *defined) {
    if (!v->graph) return true;
    for (; g; g = g->outer)
        if (v->graph == g) return defined[v->id] != 0;
    return false;
}

static void check_types(Module *m, const Node *n, const char *after) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && !type_known(&n->out[i]->type)) broken(m, n, after, "a result has no type");
}

static void check_node(Module *m, const Node *n, const char *after, const unsigned char *defined) {
    if (n->nin < (n->op->nary ? 1 : n->op->in) || n->nin > max_inputs(n->op))
        broken(m, n, after, "wrong number of inputs");
    if (n->nout > max_outputs(n->op)) broken(m, n, after, "too many results");
    for (int i = 0; i < n->nin; i++) {
        if (n->in[i] && n->in[i]->replacement) broken(m, n, after, "an input was replaced and not resolved");
        if (n->in[i] && !visible(n->in[i], n->graph, defined))
            broken(m, n, after, "an input is used before it is defined");
    }
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && (n->out[i]->def != n || n->out[i]->result != i))
            broken(m, n, after, "a result does not know its node");
}

static void check_graph(Module *m, Graph *g, const char *after, unsigned char *defined, Map *labels) {
    for (int i = 0; i < g->nin; i++) defined[g->in[i]->id] = 1;
    for (Node *n = g->first; n; n = n->next) {
        check_node(m, n, after, defined);
        check_types(m, n, after);
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) check_graph(m, n->attr[i].graph, after, defined, labels);
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) defined[n->out[i]->id] = 1;
        if (n->kernel && !(n->prev && n->prev->kernel == n->kernel)) {
            const char *key = format(m->arena, "%d", n->kernel);
            if (map_get(labels, key)) broken(m, n, after, "nodes of one kernel do not stand together");
            map_set(labels, key, n);
        }
    }
    for (int i = 0; i < g->nout; i++)
        if (!g->out[i] || g->out[i]->replacement || !visible(g->out[i], g, defined))
            broken(m, NULL, after, "an output is not defined");
}

/* Whoever reads a state means what the call found there. What an Assign itself reads, plan copies. */
static void check_reads_of_state(Module *m, const char *after) {
    const Node *n = m->main->first;
    while (n && !n->op->effect) n = n->next;
    for (; n && m->carried.n; n = n->next)
        for (int i = 0; i < n->nin && !n->op->effect; i++) {
            const Value *v = n->in[i];
            while (v && v->def && v->def->op->view) v = v->def->in[0];
            if (v && v->kind == V_STATE && v->train.block) broken(m, n, after, "a state is read behind an assignment");
        }
}

void verify(Module *m, const char *after) {
    int n = number_values(m);
    check_reads_of_state(m, after);
    unsigned char *defined = arena_alloc(m->arena, (size_t)n + 1);
    check_graph(m, m->main, after, defined, map_new(m->arena));
}
