/* pack - elements of less than a byte: the caller and constants have them packed, nodes one to a byte. needs: types;
 * keeps: names. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ops/ops.h"
#include "passes/passes.h"

enum { FEW = 64 }; /* elements of a constant that are not worth it */

/* The elements of `bytes`, before node `at`. */
static Node *unpack_before(Node *at, Value *bytes, const Type *elements) {
    int64_t shape[MAX_RANK];
    Node *n = insert_node(at, &ops[OP_Unpack], 1, &bytes);
    for (int i = 0; i < elements->rank; i++) shape[i] = elements->dim[i].symbol ? -1 : elements->dim[i].max;
    set_attr_i(n, "to", dtypes[elements->dtype].onnx);
    set_attr_ints(n, "shape", elements->rank, shape);
    n->out[0]->type = *elements;
    return n;
}

/* Bytes for elements; where their number is open, whole bytes for each index of the first dim: the rule of Pack. */
static Type bytes_for(Module *m, const Type *elements) {
    int64_t bytes = packed_bytes(elements->dtype, type_count(elements));
    Type t = type_make(DT_u8, 1, &bytes);
    if (!elements->rank || !elements->dim[0].symbol) return t;
    Dim each = {bytes / elements->dim[0].max, NULL};
    ASSERT(dim_mul(m, elements->dim[0], each, &t.dim[0]));
    return t;
}

static bool can_pack(const Value *v) {
    const Type *t = &v->type;
    int64_t bits = dtypes[t->dtype].bits;
    for (int i = 0; i < t->rank; i++) {
        if (!t->dim[i].symbol) continue;
        int64_t each = type_count(t) / (t->dim[0].max ? t->dim[0].max : 1);
        if (i || each * bits % 8) return false;
    }
    return true;
}

static void check_port(Module *m, const Value *v, const char *what) {
    if (!can_pack(v))
        fatal(m, EXIT_UNSUPPORTED, "%s '%s': expected whole bytes for each index of an open dim, the first, saw %s",
              what, escaped(m->arena, port_name(v), 60), type_text(m->arena, &v->type));
}

typedef struct {
    Value *bytes;
    Node *unpack;
} Unpacked;

/* Whoever reads an input reads its elements. */
static void read_elements(Graph *g, void *arg) {
    const Unpacked *u = arg;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin && n != u->unpack; i++)
            if (n->in[i] == u->bytes) n->in[i] = u->unpack->out[0];
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == u->bytes) set_output(g, i, u->unpack->out[0]);
}

static void pack_input(Graph *g, Value *v) {
    Module *m = g->module;
    Type elements = v->type;
    check_port(m, v, "input");
    v->packed = arena_copy(m->arena, &elements, sizeof elements);
    v->type = bytes_for(m, &elements);
    if (g->first) each_graph(m, read_elements, &(Unpacked){v, unpack_before(g->first, v, &elements)});
}

static void pack_output(Graph *g, int i) {
    Module *m = g->module;
    Value *v = g->out[i];
    check_port(m, v, "output");
    if (extent_output(m, i, NULL) >= 0)
        fatal(m, EXIT_UNSUPPORTED, "output '%s': expected a size that does not depend on data, saw %s",
              escaped(m->arena, port_name(v), 60), type_text(m->arena, &v->type));
    Node *n = node_new(g, NULL, &ops[OP_Pack], 1, &v, 1, NULL, v->loc);
    n->out[0]->type = bytes_for(m, &v->type);
    n->out[0]->packed = arena_copy(m->arena, &v->type, sizeof v->type);
    if (v->kind == V_NODE && !v->port)
        swap_names(m, v, n->out[0]);
    else
        n->out[0]->port = port_name(v);
    set_output(g, i, n->out[0]);
}

/* What reads a constant finds it again through its Unpack, which is fused into it. */
static void pack_constant(Module *m, Map *known, Node *reader) {
    Value *v = reader->in[0];
    int64_t bytes = packed_bytes(v->type.dtype, v->data->count);
    Tensor *t = tensor_of(m->arena, DT_u8, 1, &bytes, packed_contents(m->arena, v->data));
    Value *packed = map_get(known, v->name);
    if (!packed) map_set(known, v->name, packed = const_new(m, v->name, t));
    reader->in[0] = unpack_before(reader, packed, &v->type)->out[0];
}

/* Who converts elements takes them out of their bytes one by one; for others the whole would be unpacked in each run.
 */
static bool is_worth_packing(const Node *reader, const Value *v) {
    return IS(reader, Cast) && v && v->kind == V_CONST && v->data && is_packed(v->type.dtype) && v->data->count > FEW;
}

static void pack_constants(Graph *g, void *known) {
    for (Node *n = g->first; n; n = n->next)
        if (is_worth_packing(n, input(n, 0))) pack_constant(g->module, known, n);
}

void pass_pack(Module *m) {
    Graph *g = m->main;
    if (m->opt->emit && !strcmp(m->opt->emit, "onnx")) return; /* which packs them itself */
    each_graph(m, pack_constants, map_new(m->arena));
    for (int i = 0; i < g->nout; i++)
        if (is_packed(g->out[i]->type.dtype)) pack_output(g, i);
    for (int i = 0; i < g->nin; i++)
        if (is_packed(g->in[i]->type.dtype)) pack_input(g, g->in[i]);
    count_uses(m);
    drop_unread(m);
}
