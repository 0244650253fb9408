/* loop_unroll.c - a Loop as the nodes of all its iterations. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"

enum { CLONE_FUEL = 16 };

void infer_new_nodes(Node *before, Node *end) {
    Node *first = before ? before->next : end->graph->first;
    for (Node *x = first, *next; x != end; x = next) {
        next = x->next;
        infer_in_region(x);
    }
}

/* The nodes of one iteration before n; `at`: the carried values, before and after. */
static void put_iteration(Node *n, const Graph *body, int64_t i, Value **at, Value **row) {
    Module *m = n->graph->module;
    Map *of = map_new(m->arena);
    Node *before = n->prev;
    int carried = loop_carried(n);
    for (const Node *x = body->first; x; x = x->next)
        if ((m->fuel -= CLONE_FUEL) < 0) fatal(m, EXIT_INPUT, "the model is too large to unroll its loops");
    clone_stands_for(of, body->in[LOOP_M], const_scalar(m, DT_i64, (double)i));
    clone_stands_for(of, body->in[LOOP_COND], const_scalar(m, DT_bool, 1));
    for (int k = 0; k < carried; k++) clone_stands_for(of, body->in[LOOP_CARRIED + k], at[k]);
    clone_nodes(body, n->graph, n, of);
    come_out_of(n, i, before ? before->next : n->graph->first, n);
    infer_new_nodes(before, n);
    for (int k = 0; k < carried; k++) at[k] = resolve(clone_of(of, body->out[BODY_CARRIED + k]));
    for (int k = carried; k < n->nout; k++) row[k] = resolve(clone_of(of, body->out[BODY_CARRIED + k]));
}

static Value *rows_joined(Node *n, int64_t count, Value **row, int stride) {
    Module *m = n->graph->module;
    Value **part = NEW_ARRAY(m->arena, Value *, count), *zero = const_ints(m, 1, (int64_t[]){0});
    for (int64_t i = 0; i < count; i++) {
        Node *x = insert_node(n, &ops[OP_Unsqueeze], 2, (Value *[]){row[i * stride], zero});
        infer_node(x);
        part[i] = x->out[0];
    }
    Node *all = insert_node(n, &ops[OP_Concat], (int)count, part);
    set_attr_i(all, "axis", 0);
    infer_node(all);
    return all->out[0];
}

static Value *no_rows(Node *n, const Type *row) {
    int64_t dim[MAX_RANK] = {0};
    for (int d = 0; d < row->rank && d + 1 < MAX_RANK; d++) dim[d + 1] = row->dim[d].max;
    return const_new(n->graph->module, NULL, tensor_new(n->graph->module->arena, row->dtype, row->rank + 1, dim));
}

void unroll(Node *n, const Graph *body, int64_t count) {
    Arena *a = n->graph->module->arena;
    int nout = n->nout, said = n->graph->module->problems.n;
    Value **at = NEW_ARRAY(a, Value *, nout + 1), **row = NEW_ARRAY(a, Value *, (size_t)(count + 1) * (nout + 1));
    for (int k = 0; k < loop_carried(n); k++) at[k] = n->in[LOOP_CARRIED + k];
    for (int64_t i = 0; i < count; i++) put_iteration(n, body, i, at, row + i * nout);
    if (n->graph->module->problems.n > said) return;
    for (int k = loop_carried(n); k < nout; k++)
        if (n->out[k])
            at[k] =
                count ? rows_joined(n, count, row + k, nout) : no_rows(n, &loop_body(n)->out[BODY_CARRIED + k]->type);
    for (int k = 0; k < nout; k++)
        if (n->out[k]) n->out[k]->type = at[k]->type, n->out[k]->items = at[k]->items;
    replaced_by(n, nout, at);
}
