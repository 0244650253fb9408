/* head.c - a model's last layer for another number of classes: its parameters begin anew in another shape. */
#include "train/head.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"
#include <fnmatch.h>

/* The axis of an input of a node along which the node's results are; -1: it has none. */
static int axis_of_results(const Node *n, int i) {
    int rank = n->in[i]->type.rank;
    if (IS(n, Gemm) && i == 1) return attr_i(n, "transB") ? 0 : 1;
    if ((IS(n, Gemm) && i == 2) || (IS(n, MatMul) && i == 1) || (IS(n, Add) && rank == 1)) return rank - 1;
    return IS(n, Conv) && i > 0 ? 0 : -1;
}

static int axis_in_model(const Module *m, const Value *v) {
    for (const Node *n = m->main->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && resolve(n->in[i]) == v && axis_of_results(n, i) >= 0) return axis_of_results(n, i);
    return -1;
}

static void begin_anew(Module *m, Value *v, int64_t classes) {
    int axis = axis_in_model(m, v);
    if (axis < 0)
        fatal(m, EXIT_INPUT, "--head: '%s' %s: expected a weight or bias of Gemm, MatMul, Conv or Add",
              escaped(m->arena, v->name, 60), type_text(m->arena, &v->type));
    v->type.dim[axis] = (Dim){.max = classes};
    v->kind = V_PARAM, v->data = NULL, v->init = v->type.rank > 1 ? "glorot_uniform" : "zeros";
}

void resize_heads(Module *m) {
    for (int i = 0; i < m->opt->heads.n; i++) {
        const Rename *r = m->opt->heads.at[i];
        int found = 0;
        for (int k = 0; k < m->outside.n; k++) {
            Value *v = m->outside.at[k];
            if (!is_float(v->type.dtype) || fnmatch(r->from, v->name, 0)) continue;
            begin_anew(m, v, strtoll(r->to, NULL, 10)), found++;
        }
        if (!found)
            fatal(m, EXIT_INPUT, "--head: the model has no parameter that is called '%s'",
                  escaped(m->arena, r->from, 60));
    }
}
