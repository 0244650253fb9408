/* sequence_map.c - SequenceMap: the body once for each item, or a Scan over rows. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/items.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_control.h"

enum { CLONE_FUEL = 16 };

/* The body's nodes for one item of each sequence; `result[k]`: its k-th. */
static void map_item(Node *n, const Graph *body, int64_t i, Value **result) {
    Module *m = n->graph->module;
    Map *of = map_new(m->arena);
    Node *before = n->prev;
    for (const Node *x = body->first; x; x = x->next)
        if ((m->fuel -= CLONE_FUEL) < 0) fatal(m, EXIT_INPUT, "the model is too large to unroll its sequences");
    for (int k = 0; k < n->nin; k++)
        clone_stands_for(of, body->in[k], n->in[k]->items ? resolve(n->in[k]->items->at[i]) : n->in[k]);
    clone_nodes(body, n->graph, n, of);
    come_out_of(n, i, before ? before->next : n->graph->first, n);
    infer_new_nodes(before, n);
    for (int k = 0; k < body->nout; k++) result[k] = resolve(clone_of(of, body->out[k]));
}

/* As many rows as the first sequence has: the body is that of a Scan over them. */
static void map_rows(Node *n, const Graph *body) {
    Module *m = n->graph->module;
    Graph *g = clone_graph(body, n->graph, map_new(m->arena));
    List rows = {0}, in = {0};
    for (int k = 0; k < n->nin; k++) {
        if (!n->in[k]->items) {
            replace(g->in[k], n->in[k]);
            continue;
        }
        Value *v = need_rows(n, n->in[k]->items);
        if (!v) return;
        push(m->arena, &rows, v), push(m->arena, &in, g->in[k]);
    }
    g->in = (Value **)in.at, g->nin = in.n;
    for (int k = 0; k < g->nin; k++) g->in[k]->result = k;
    Node *scan = node_new(n->graph, n, &ops[OP_Scan], rows.n, (Value **)rows.at, body->nout, NULL, n->loc);
    scan->name = NULL, scan->origin = n->origin, scan->turns = n->turns, g->owner = scan;
    set_attr(scan, &(Attr){.name = "body", .kind = A_GRAPH, .graph = g});
    set_attr_i(scan, "num_scan_inputs", rows.n);
    Value **y = NEW_ARRAY(m->arena, Value *, body->nout + 1);
    for (int k = 0; k < body->nout; k++) y[k] = scan->out[k];
    infer_sized(scan);
    for (int k = 0; k < n->nout; k++) {
        if (!output(n, k)) continue;
        Items *items = NEW(m->arena, Items);
        items->rows = resolve(y[k]), n->out[k]->items = items;
        set_result(n, k, DT_i64, 0, NULL);
    }
}

void infer_sequence_map(Node *n) {
    const Graph *body = attr(n, "body")->graph;
    const Items *s = need_items(n, 0);
    int said = n->graph->module->problems.n;
    if (!s || (n->nout && output(n, 0) && n->out[0]->items)) return;
    if (!body || body->nin != n->nin || body->nout < n->nout) {
        problem(n, EXIT_INPUT, "expected a body with %d inputs and at least %d results, saw %d and %d", n->nin, n->nout,
                body ? body->nin : 0, body ? body->nout : 0);
        return;
    }
    if (is_open_list(s)) {
        map_rows(n, body);
        return;
    }
    for (int k = 1; k < n->nin; k++)
        if (n->in[k]->items && n->in[k]->items->n < s->n) {
            problem(n, EXIT_INPUT, "%s: expected %d tensors as in the first sequence, saw %d", arg_text(n, k), s->n,
                    n->in[k]->items->n);
            return;
        }
    Value **result = NEW_ARRAY(n->graph->module->arena, Value *, (size_t)(s->n + 1) * (size_t)(body->nout + 1));
    Value **at = NEW_ARRAY(n->graph->module->arena, Value *, s->n + 1);
    for (int i = 0; i < s->n; i++) map_item(n, body, i, result + i * body->nout);
    for (int k = 0; k < n->nout && n->graph->module->problems.n == said; k++) {
        for (int i = 0; i < s->n; i++) at[i] = result[i * body->nout + k];
        give_items(n, k, s->n, at, false);
    }
}
