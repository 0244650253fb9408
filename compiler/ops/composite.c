/* composite.c - building replacements of nodes, and the small composites that the definition language does not reach.
 */
#include "ops/composite.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
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

/* ---- the optimizers of ai.onnx.preview.training: one step of any number of tensors, each by a text ---- */

enum { RATE, TURN, FIRST, MOST_KINDS = 4 };

/* Inputs come in groups of as many tensors: x, gradients g, then what is kept, v and h; results are all but the
 * gradients. r is the rate and t counts steps. */
#define OPTIMIZER_BEGIN "k = cast(Reshape(r, []), x); t = cast(Reshape(t, []), x); u = x * norm_coefficient + g; "
static const struct {
    int op, kinds;
    const char *names[MOST_KINDS], *text;
} optimizers[] = {
    {OP_Adagrad,
     3,
     {"x", "g", "h"},
     OPTIMIZER_BEGIN "s = h + u * u; x - k / (1 + t * decay_factor) * u / (Sqrt(s) + epsilon), s"},
    {OP_Adam,
     4,
     {"x", "g", "v", "h"},
     OPTIMIZER_BEGIN "m = v * alpha + u * (1 - alpha); s = h * beta + u * u * (1 - beta); "
                     "k = Where(t > 0, k * Sqrt(1 - Power(beta, t)) / (1 - Power(alpha, t)), k); "
                     "(x - m / (Sqrt(s) + epsilon) * k) * (1 - norm_coefficient_post), m, s"},
    {OP_Momentum,
     3,
     {"x", "g", "v"},
     OPTIMIZER_BEGIN
     "m = v * alpha + u * Where(t > 0, beta, 1); x - (mode == \"nesterov\" ? u + m * alpha : m) * k, m"},
};

static int row_of(const Node *n) {
    int i = 0;
    while (n->op != &ops[optimizers[i].op]) i++;
    return i;
}

void infer_optimizer(Node *n) {
    int kinds = optimizers[row_of(n)].kinds, count = (n->nin - FIRST) / kinds;
    if (count * kinds != n->nin - FIRST || n->nout > count * (kinds - 1)) {
        problem(
            n, EXIT_INPUT,
            "expected %d inputs for each tensor behind R and T, and a result for all but its gradient, saw %d and %d",
            kinds, n->nin - FIRST, n->nout);
        return;
    }
    for (int i = RATE; i <= TURN; i++)
        if (type_count(in_type(n, i)) != 1) {
            problem(n, EXIT_INPUT, "%s: expected one number, saw %s", arg_text(n, i), in_text(n, i));
            return;
        }
    for (int i = FIRST; i < n->nin; i++) {
        const Type *t = in_type(n, i), *x = in_type(n, FIRST + (i - FIRST) % count);
        if (!is_float(t->dtype) || t->dtype != x->dtype || !same_shape(t, x)) {
            problem(n, EXIT_INPUT, "input %d: expected floats %s as the tensor that is updated, saw %s", i + 1,
                    type_shown(n, x), in_text(n, i));
            return;
        }
    }
    for (int i = 0; i < n->nout; i++) {
        const Type *x = in_type(n, FIRST + i % count);
        set_result(n, i, x->dtype, x->rank, x->dim);
    }
}

/* What a text may name of an attribute. */
static Item known_item(const Attr *a) {
    return a->kind == A_STR ? (Item){.kind = I_STR, .s = a->s} : (Item){.kind = I_FLOAT, .f = a->f};
}

void expand_optimizer(Node *n) {
    int row = row_of(n), kinds = optimizers[row].kinds, count = (n->nin - FIRST) / kinds;
    Binding known[ROW_ATTRS + FIRST + MOST_KINDS] = {{"r", a_value(n->in[RATE])}, {"t", a_value(n->in[TURN])}};
    Value **with = NEW_ARRAY(n->graph->module->arena, Value *, count * kinds), *y[MOST_KINDS];
    int fixed = FIRST;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        known[fixed++] = (Binding){n->op->attr[i].name, known_item(&n->attr[i])};
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < kinds; k++)
            known[fixed + k] = (Binding){optimizers[row].names[k], a_value(n->in[FIRST + k * count + i])};
        build_bound(n, optimizers[row].text, fixed + kinds, known, kinds - 1, y);
        for (int k = 0; k < kinds - 1; k++) with[k * count + i] = y[k];
    }
    replaced_by(n, n->nout, with);
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
