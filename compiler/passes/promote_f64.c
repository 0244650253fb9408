/* promote_f64.c - --real=f64: the same network with every float a double, the oracle for networks too large for the
 * interpreter. */
#include "ir/build.h"
#include "passes/passes.h"

static DType widened(DType t) { return t != DT_none && is_float(t) ? DT_f64 : t; }

/* Attributes that name an element type by its ONNX number. */
static bool names_type(const char *attr) {
    static const char *const names[] = {"to",         "dtype",           "output_dtype",
                                        "stash_type", "output_datatype", "softmax_precision"};
    for (int i = 0; i < COUNT(names); i++)
        if (!strcmp(names[i], attr)) return true;
    return false;
}

static void widen_attr(Module *m, Attr *a) {
    if (a->kind == A_TENSOR && a->tensor && a->tensor->dtype != DT_str && is_float(a->tensor->dtype))
        a->tensor = tensor_cast(m->arena, a->tensor, DT_f64);
    if (a->kind == A_INT && names_type(a->name) && dtype_of_onnx(a->i) != DT_none)
        a->i = dtypes[widened(dtype_of_onnx(a->i))].onnx;
}

static void widen_graph(Graph *g, void *unused) {
    (void)unused;
    for (int i = 0; i < g->nin; i++) g->in[i]->type.dtype = widened(g->in[i]->type.dtype);
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++) {
            Value *v = n->out[i];
            if (!v) continue;
            v->type.dtype = widened(v->type.dtype);
            if (v->data && v->data->dtype != v->type.dtype) v->data = NULL; /* known in f32: computed again */
        }
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) widen_attr(g->module, &n->attr[i]);
    }
}

void promote_to_f64(Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (v->data && v->data->dtype != DT_str && is_float(v->data->dtype))
            v->data = tensor_cast(m->arena, v->data, DT_f64);
        v->type.dtype = widened(v->type.dtype);
    }
    each_graph(m, widen_graph, NULL);
}
