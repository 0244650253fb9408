/* optimizers.c - the optimizers of ai.onnx.preview.training: one step of any number of tensors, each by a text */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"

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
