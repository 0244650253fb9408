/* infer_elementwise.c - elementwise composites that ask more than that their inputs broadcast. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"

void infer_prelu(Node *n) {
    if (broadcasts_to(n, 1, in_type(n, 0))) infer_same(n);
}

void infer_clip(Node *n) {
    for (int i = 1; i < n->nin; i++)
        if (n->in[i] && (type_count(in_type(n, i)) != 1 || in_type(n, i)->rank > in_type(n, 0)->rank)) {
            problem(n, EXIT_INPUT, "%s: expected one number, saw %s", arg_text(n, i), in_text(n, i));
            return;
        }
    infer_same(n);
}

void infer_mean(Node *n) {
    Type t;
    if (broadcast(n, n->nin, n->in, &t)) set_shape(n, 0, t.rank, t.dim);
}

/* Whether elements are dropped is decided when compiling. */
void infer_dropout(Node *n) {
    const Module *m = n->graph->module;
    const Value *mode = input(n, 2);
    double ratio = 0.5, training;
    bool drops = mode && !m->entry && (!input(n, 1) || !known_float(n->in[1], &ratio) || ratio != 0);
    if (drops && !known_float(mode, &training)) {
        problem(n, EXIT_UNSUPPORTED, "training_mode is not known when compiling");
        return;
    }
    infer_same(n);
    set_shape(n, 1, in_type(n, 0)->rank, in_type(n, 0)->dim);
}
