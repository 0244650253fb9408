/* decomposition_grad.c - the functions of the definition language that gradients use: what they need to know of the
 * node whose gradient is built, and sums back to an operand's shape. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"

static Item shape_like(Decomposition *g, Item v, Item like) {
    if (same_shape(&v.v->type, &like.v->type)) return v;
    Item shape = call_row(g, OP_Shape, &like, 1);
    return call_row(g, OP_Reshape, (Item[]){v, shape}, 2);
}

static Item sum_axes(Decomposition *g, Item v, int n, const int64_t *axes, bool keep) {
    Node *sum = build_call(g, &ops[OP_ReduceSum], (Item[]){v, ints_item(g, n, axes)}, 2);
    set_attr_i(sum, "keepdims", keep);
    return item_of(g, sum);
}

/* Sums over the axes along which an operand was broadcast; those in front of its own go, the rest stay as 1. */
static Item summed(Decomposition *g, Item v, const Type *t) {
    int64_t axes[MAX_RANK];
    int lead = v.v->type.rank - t->rank, n = 0;
    for (int i = 0; i < lead; i++) axes[n++] = i;
    if (n) v = sum_axes(g, v, n, axes, false);
    n = 0;
    for (int i = 0; i < t->rank; i++)
        if (is_unit(t->dim[i]) && !is_unit(v.v->type.dim[i])) axes[n++] = i;
    return n ? sum_axes(g, v, n, axes, true) : v;
}

/* A gradient brought to the shape and type of the operand: summed where that was broadcast, broadcast where it was
 * reduced. */
Item help_sum_to(Decomposition *g, const Item *x, int n) {
    Item v = x[0];
    (void)n;
    if (g->dry) return any_value(g);
    const Type *t = &x[1].v->type;
    if (is_number(v)) v = a_value(const_scalar(g->m, t->dtype, item_number(v)));
    if (v.v->type.rank >= t->rank) v = summed(g, v, t);
    if (!same_shape(&v.v->type, t)) v = call_row(g, OP_Expand, (Item[]){v, call_row(g, OP_Shape, &x[1], 1)}, 2);
    if (v.v->type.dtype == t->dtype) return v;
    Node *cast = build_call(g, &ops[OP_Cast], &v, 1);
    set_attr_i(cast, "to", dtypes[t->dtype].onnx);
    return item_of(g, cast);
}

/* A result of the reduction in question, its axes back as 1, so that it broadcasts to what was reduced. */
Item help_spread(Decomposition *g, const Item *x, int n) {
    bool mask[MAX_RANK] = {false};
    int64_t axes[MAX_RANK];
    int count = 0;
    (void)n;
    if (g->dry || attr_i(g->node, "keepdims")) return x[0];
    int rank = g->node->in[0]->type.rank;
    known_axes(g->node, 1, rank, mask);
    for (int i = 0; i < rank; i++)
        if (mask[i]) axes[count++] = i;
    return call_row(g, OP_Unsqueeze, (Item[]){x[0], ints_item(g, count, axes)}, 2);
}

Item help_zeros(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry) return any_value(g);
    Item zero = a_value(const_scalar(g->m, x[0].v->type.dtype, 0));
    return call_row(g, OP_Expand, (Item[]){zero, call_row(g, OP_Shape, x, 1)}, 2);
}

static Item permuted(Decomposition *g, Item v, int n, const int64_t *perm) {
    Node *t = build_call(g, &ops[OP_Transpose], &v, 1);
    set_attr_ints(t, "perm", n, perm);
    return item_of(g, t);
}

/* The last two dims in the other order. */
Item help_swapped(Decomposition *g, const Item *x, int n) {
    int64_t perm[MAX_RANK];
    (void)n;
    if (g->dry) return x[0];
    int rank = x[0].v->type.rank;
    for (int i = 0; i < rank; i++) perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return permuted(g, x[0], rank, perm);
}

/* What the Transpose in question did, undone. */
Item help_unpermuted(Decomposition *g, const Item *x, int n) {
    int64_t perm[MAX_RANK];
    (void)n;
    if (g->dry) return x[0];
    const Attr *given = attr(g->node, "perm");
    int rank = x[0].v->type.rank;
    for (int i = 0; i < rank; i++) perm[given->n ? given->ints[i] : rank - 1 - i] = i;
    return permuted(g, x[0], rank, perm);
}

/* Where the input in question begins along an axis of the joined tensor. */
Item help_offset(Decomposition *g, const Item *x, int n) {
    int64_t at = 0;
    (void)n;
    if (g->dry) return an_int(0);
    int axis = (int)(x[0].i < 0 ? x[0].i + g->node->in[0]->type.rank : x[0].i);
    for (int i = 0; i < g->each; i++) at += g->node->in[i]->type.dim[axis].max;
    return an_int(at);
}

/* Results that nobody reads, for their extents: they are gone again with the next pass that drops dead ones. */
static void make_results(Node *n) {
    bool missing = false;
    for (int i = 0; i < n->nout; i++) {
        if (n->out[i]) continue;
        n->out[i] = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
        n->out[i]->def = n, n->out[i]->result = i, n->out[i]->loc = n->loc;
        missing = true;
    }
    if (missing) n->op->infer(n);
}

/* The gradients of all results side by side, zeros where none flows. */
Item help_joined(Decomposition *g, const Item *x, int n) {
    Item part[MAX_ARGS];
    Node *node = g->node;
    (void)n;
    if (g->dry) return any_value(g);
    if (node->nout > MAX_ARGS) return help_unsupported(g, &(Item){.kind = I_STR, .s = "so many parts"}, 1);
    make_results(node);
    for (int i = 0; i < node->nout; i++) {
        Item y = a_value(node->out[i]);
        part[i] = g->upstream[i] ? a_value(g->upstream[i]) : help_zeros(g, &y, 1);
    }
    Node *all = build_call(g, &ops[OP_Concat], part, node->nout);
    set_attr_i(all, "axis", x[0].i);
    return item_of(g, all);
}

/* The gradient of a padded tensor: the padding cut off again. */
Item help_unpadded(Decomposition *g, const Item *x, int n) {
    int64_t pads[2 * MAX_RANK];
    (void)n;
    if (g->dry) return x[0];
    int rank = x[0].v->type.rank;
    pads_of(g->node, pads, pads + rank);
    for (int i = 0; i < 2 * rank; i++) pads[i] = -pads[i];
    return call_row(g, OP_Pad, (Item[]){x[0], ints_item(g, 2 * rank, pads)}, 2);
}

/* The gradient of what a Slice cut: zeros, but at the indices that were taken. */
Item help_unsliced(Decomposition *g, const Item *x, int n) {
    int64_t begin[MAX_RANK], step[MAX_RANK];
    Dim from[MAX_RANK], dim[MAX_RANK];
    (void)n;
    if (g->dry) return x[0];
    slice_of(g->node, from, step, dim);
    for (int i = 0; i < x[0].v->type.rank; i++) {
        begin[i] = from[i].max;
        if (from[i].symbol || (dim[i].symbol && step[i] < 0))
            return help_unsupported(g, &(Item){.kind = I_STR, .s = "a slice that begins where the call says"}, 1);
    }
    Node *s = build_call(g, &ops[OP_SliceGrad], (Item[]){a_value(g->node->in[0]), x[0]}, 2);
    set_attr_ints(s, "begins", x[0].v->type.rank, begin);
    set_attr_ints(s, "steps", x[0].v->type.rank, step);
    return item_of(g, s);
}

/* The extent of some dims taken together, each as often as it is repeated; -1, what is left, if the run decides it. */
static int64_t extent_of(const Type *t, int from, int to, const int64_t *repeats) {
    int64_t n = 1;
    for (int i = from; i < to; i++) {
        if (t->dim[i].symbol) return -1;
        n *= t->dim[i].max * (repeats ? repeats[i] : 1);
    }
    return n;
}

/* The gradient of what a Tile repeated: the copies added up, one axis after the other. */
Item help_untiled(Decomposition *g, const Item *x, int n) {
    int64_t repeats[MAX_RANK];
    int count;
    Item v = x[0];
    (void)n;
    if (g->dry) return v;
    const Type *t = &g->node->in[0]->type;
    if (!known_ints(g->node->in[1], MAX_RANK, &count, repeats))
        return help_unsupported(g, &(Item){.kind = I_STR, .s = "unknown repeats"}, 1);
    for (int i = 0; i < count; i++) {
        if (repeats[i] == 1) continue;
        int64_t before = extent_of(t, 0, i, NULL), each = extent_of(t, i, i + 1, NULL),
                after = extent_of(t, i + 1, count, repeats);
        v = call_row(g, OP_Reshape, (Item[]){v, ints_item(g, 4, (int64_t[]){before, repeats[i], each, after})}, 2);
        v = sum_axes(g, v, 1, (int64_t[]){1}, false);
    }
    return shape_like(g, v, a_value(g->node->in[0]));
}

/* The pads of the window in question, auto_pad resolved. */
Item help_window_pads(Decomposition *g, const Item *x, int n) {
    int64_t pads[2 * MAX_RANK];
    (void)x, (void)n;
    if (g->dry) return ints_item(g, 0, NULL);
    Window w = window_of(g->node);
    for (int i = 0; i < w.n; i++) pads[i] = w.begin[i], pads[w.n + i] = w.end[i];
    return ints_item(g, 2 * w.n, pads);
}

Item help_inputs(Decomposition *g, const Item *x, int n) {
    (void)x, (void)n;
    return an_int(g->dry ? 2 : g->node->nin);
}

/* How many inputs equal the result, element by element. */
Item help_ties(Decomposition *g, const Item *x, int n) {
    Item sum = {.kind = I_NONE};
    (void)x, (void)n;
    if (g->dry) return any_value(g);
    Item y = a_value(g->node->out[0]);
    for (int i = 0; i < g->node->nin; i++) {
        Item same = call_row(g, OP_Equal, (Item[]){a_value(g->node->in[i]), y}, 2);
        Node *one = build_call(g, &ops[OP_Cast], &same, 1);
        set_attr_i(one, "to", dtypes[y.v->type.dtype].onnx);
        Item tie = item_of(g, one);
        sum = sum.kind == I_NONE ? tie : call_row(g, OP_Add, (Item[]){sum, tie}, 2);
    }
    return sum;
}

/* For branches of a gradient that are not compiled. */
Item help_unsupported(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (!g->dry) problem(g->node, EXIT_UNSUPPORTED, "its gradient is not supported with %s", x[0].s);
    return g->dry ? any_value(g) : an_int(0);
}
