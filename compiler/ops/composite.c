/* composite.c - building replacements of nodes, and the small composites that the definition language does not reach.
 */
#include "ops/composite.h"
#include "ir/build.h"
#include "ops/infer.h"
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

void expand_known(Node *n) {
    Value **known = NEW_ARRAY(n->graph->module->arena, Value *, n->nout + 1);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && n->out[i]->data) known[i] = const_new(n->graph->module, NULL, n->out[i]->data);
    replaced_by(n, n->nout, known);
}

/* ---- a Slice that begins where only a run knows and ends a fixed number of elements behind, as exporters write
 * x[i : i + 1] in a loop: a Gather of so many elements ---- */

enum { MAX_STEPS = 64, MAX_LENGTH = 4096 };

static bool keeps_number(const Node *n) {
    return IS(n, Identity) || IS(n, Cast) || IS(n, Squeeze) || IS(n, Unsqueeze) || IS(n, Reshape) || IS(n, Flatten);
}

/* A single number as what it is computed from plus a constant. */
static Value *root_of(Value *v, int64_t *add) {
    int64_t c;
    *add = 0;
    for (int step = 0; step < MAX_STEPS; step++) {
        v = resolve(v);
        if (v->kind != V_NODE || v->data || type_count(&v->type) != 1 || !is_int(v->type.dtype)) return v;
        Node *n = v->def;
        int count;
        if (keeps_number(n)) {
            v = n->in[0];
        } else if ((IS(n, Add) || IS(n, Sub)) && n->nin == 2 && known_ints(resolve(n->in[1]), 1, &count, &c) &&
                   count == 1 && add_ok(*add, IS(n, Sub) ? -c : c, add)) {
            v = n->in[0];
        } else if (IS(n, Add) && n->nin == 2 && known_ints(resolve(n->in[0]), 1, &count, &c) && count == 1 &&
                   add_ok(*add, c, add)) {
            v = n->in[1];
        } else {
            return v;
        }
    }
    return v;
}

/* The one axis that is cut, in steps of 1. */
static bool one_axis(Node *n, int *axis) {
    int64_t at = 0, step = 1;
    int count;
    if (type_count(in_type(n, 1)) != 1 || type_count(in_type(n, 2)) != 1) return false;
    if (input(n, 3) && (!known_ints(n->in[3], 1, &count, &at) || count != 1)) return false;
    if (input(n, 4) && (!known_ints(n->in[4], 1, &count, &step) || count != 1 || step != 1)) return false;
    *axis = (int)axis_in(at, in_type(n, 0)->rank);
    return *axis >= 0;
}

static bool moves(Node *n, int *axis, int64_t *length) {
    int64_t from, to;
    if (n->in[1]->data || n->in[1]->known || n->in[2]->data || n->in[2]->known || !one_axis(n, axis)) return false;
    if (root_of(n->in[1], &from) != root_of(n->in[2], &to)) return false;
    Dim whole = in_type(n, 0)->dim[*axis];
    *length = to - from;
    return *length >= 1 && *length <= MAX_LENGTH && !whole.symbol && whole.max >= *length;
}

bool is_moving_slice(Node *n) {
    int64_t length;
    int axis;
    return moves(n, &axis, &length);
}

bool gather_moving_slice(Node *n) {
    int64_t length;
    int axis;
    if (!moves(n, &axis, &length)) return false;
    int64_t step[MAX_LENGTH];
    for (int64_t i = 0; i < length; i++) step[i] = i;
    Value *offsets = const_ints(n->graph->module, (int)length, step), *y;
    build_decomposition(
        n, format(n->graph->module->arena, "Gather(x, Reshape(Cast(i, to = 7), [1]) + k, axis = %d)", axis), 3,
        (const char *[]){"x", "i", "k"}, (Value *[]){n->in[0], n->in[1], offsets}, 1, &y);
    n->out[0]->type = y->type;
    replaced_by(n, 1, &y);
    return true;
}
