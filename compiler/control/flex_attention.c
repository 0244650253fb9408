/* flex_attention.c - FlexAttention (ai.onnx.preview): attention whose scores and probabilities go through regions of
 * the model, which take the place of calls here. */
#include "control/control.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include <math.h>

enum { QUERY, KEY, VALUE };

static bool heads_fit(Node *n) {
    for (int i = QUERY; i <= VALUE; i++)
        if (!need_rank(n, i, 4)) return false;
    const Dim *q = in_type(n, QUERY)->dim, *k = in_type(n, KEY)->dim, *v = in_type(n, VALUE)->dim;
    if (!need_fixed(n, q[1], "heads") || !need_fixed(n, k[1], "heads") || !need_fixed(n, q[3], "what is compared"))
        return false;
    if (!same_dim(q[0], k[0]) || !same_dim(q[3], k[3]) || !k[1].max || q[1].max % k[1].max)
        return do_not_fit(n, QUERY, KEY);
    if (!same_dim(k[0], v[0]) || !same_dim(k[1], v[1]) || !same_dim(k[2], v[2])) return do_not_fit(n, KEY, VALUE);
    return true;
}

/* What a region makes of a tensor, which keeps its type; NULL after a problem(). */
static Value *modified(Node *n, const char *name, Value *x) {
    const Graph *body = attr(n, name)->graph;
    Map *of = map_new(n->graph->module->arena);
    Node *before = n->prev;
    if (!body) return x;
    if (body->nin != 1 || body->nout != 1) {
        problem(n, EXIT_INPUT, "%s: expected one input and one result, saw %d and %d", name, body->nin, body->nout);
        return NULL;
    }
    clone_stands_for(of, body->in[0], x);
    clone_nodes(body, n->graph, n, of);
    come_out_of(n, -1, before ? before->next : n->graph->first, n);
    infer_new_nodes(before, n);
    Value *y = resolve(clone_of(of, body->out[0]));
    if (!type_known(&y->type)) return NULL; /* it has been said why */
    if (y->type.dtype == x->type.dtype && same_shape(&y->type, &x->type)) return y;
    problem(n, EXIT_INPUT, "%s: expected a result %s as it is given, saw %s", name, type_shown(n, &x->type),
            type_shown(n, &y->type));
    return NULL;
}

/* Keys of a group of heads in turn: [batch, heads, positions, width] of as many heads as the queries have. */
#define SHARED(v)                                                                                                      \
    "(dim(m, 1) == dim(" v ", 1) ? " v " : Reshape(Expand(Unsqueeze(" v ", [2]), [1, 1, dim(m, 1) / dim(" v            \
    ", 1), 1, 1]), [0, dim(m, 1), -1, dim(" v ", 3)]))"

void infer_flex_attention(Node *n) {
    Arena *a = n->graph->module->arena;
    const Attr *scale = attr(n, "scale"), *precision = attr(n, "softmax_precision");
    if (!heads_fit(n)) return;
    if (scale->set && !isfinite(scale->f)) {
        problem(n, EXIT_INPUT, "attribute 'scale': expected a finite number, saw %g", scale->f);
        return;
    }
    DType t =
        precision->set && precision->i ? attr_dtype(n, "softmax_precision") : compute_type(in_type(n, QUERY)->dtype);
    const char *root =
        scale->set ? format(a, "Sqrt(cast(%.9g, \"f32\"))", scale->f) : "Sqrt(1 / Sqrt(cast(dim(m, 3), \"f32\")))";
    const char *text =
        format(a, "r = cast(%s, m); cast(MatMul(m * r, swapped(" SHARED("p") " * r)), \"%s\")", root, dtypes[t].name);
    Value *s = modified(n, "score_mod", build_text(n, text, 2, n->in));
    if (!s) return;
    Value *w = modified(n, "prob_mod", build_text(n, "Softmax(m)", 1, &s));
    if (!w) return;
    Value *y =
        build_text(n, "cast(MatMul(q, cast(" SHARED("p") ", q)), p)", 3, (Value *[]){n->in[QUERY], n->in[VALUE], w});
    n->out[0]->type = y->type;
    replaced_by(n, 1, &y);
}
