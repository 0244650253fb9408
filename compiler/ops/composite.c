/* composite.c - building replacements of nodes, and the small composites that the definition language does not reach.
 */
#include "ops/composite.h"
#include "ir/build.h"
#include "ops/ops.h"

/* ---- building ---- */

static Value *make(Node *at, int op, int n, Value *const *in) {
    Node *node = insert_node(at, &ops[op], n, in);
    infer_node(node);
    return node->out[0];
}

static Value *make2(Node *at, int op, Value *a, Value *b) { return make(at, op, 2, (Value *[]){a, b}); }

void replaced_by(Node *n, int count, Value *const *with) {
    for (int i = 0; i < count; i++)
        if (with[i] && output(n, i)) replace_keeping_name(n->out[i], with[i]);
    unlink_node(n);
}

/* ---- Mean ---- */

void expand_mean(Node *n) {
    Value *sum = make(n, OP_Sum, n->nin, n->in);
    Value *mean = make2(n, OP_Div, sum, const_scalar(n->graph->module, sum->type.dtype, n->nin));
    replaced_by(n, 1, &mean);
}

/* ---- operators whose result has a size only known data tells ---- */

void expand_compress(Node *n) {
    const Tensor *keep = n->in[1]->data;
    Module *m = n->graph->module;
    int64_t *at = NEW_ARRAY(m->arena, int64_t, keep->count + 1);
    int count = 0;
    for (int64_t i = 0; i < keep->count; i++)
        if (get_i(keep, i)) at[count++] = i;
    Value *from = n->in[0], *indices = const_ints(m, count, at);
    const Attr *axis = attr(n, "axis");
    if (!axis->set) from = make2(n, OP_Reshape, from, const_ints(m, 1, (int64_t[]){-1}));
    Node *gather = insert_node(n, &ops[OP_Gather], 2, (Value *[]){from, indices});
    if (axis->set) set_attr_i(gather, "axis", axis->i);
    infer_node(gather);
    replaced_by(n, 1, gather->out);
}

void expand_non_zero(Node *n) {
    Value *known = const_new(n->graph->module, NULL, n->out[0]->data);
    replaced_by(n, 1, &known);
}
