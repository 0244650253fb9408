/* fold - evaluate nodes whose inputs are known. needs: types; keeps: names (a folded value becomes a const in place).
 */
#include "interp/interp.h"
#include "ir/build.h"
#include "passes/passes.h"

/* A result may be far larger than what it is computed from (Expand, ConstantOfShape, a dequantised weight): such a node
 * stays unless it is small, for memory in the program is dearer than computing it. */
static bool worth_its_size(const Node *n) {
    int64_t in = 0, out = 0;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && n->in[i]->data) in += packed_bytes(n->in[i]->type.dtype, n->in[i]->data->count);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) out += type_bytes(&n->out[i]->type);
    return out <= 65536 || out <= 4 * in;
}

void make_const(Module *m, Value *v) {
    v->kind = V_CONST, v->graph = NULL, v->def = NULL, v->known = NULL;
    push(m->arena, &m->outside, v);
}

static void fold_graph(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        bool done = false, all = true;
        for (int i = 0; i < n->nout; i++) done = done || (n->out[i] && n->out[i]->data);
        if (!done && (!worth_its_size(n) || !fold_node(n))) continue;
        for (int i = 0; i < n->nout; i++) {
            if (n->out[i] && n->out[i]->data && n->out[i]->kind == V_NODE)
                make_const(g->module, n->out[i]);
            else
                all = all && !n->out[i];
        }
        if (all) unlink_node(n);
    }
}

void pass_fold(Module *m) { each_graph(m, fold_graph, NULL); }
