/* decomposition_grad.c - the functions of the definition language that gradients use: what they need to know of the
 * node whose gradient is built, and sums back to an operand's shape. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"

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

static Item constant_pad(Decomposition *g, Item v, const int64_t *pads, int n) {
    for (int i = 0; i < n; i++)
        if (pads[i]) return call_row(g, OP_Pad, (Item[]){v, ints_item(g, n, pads)}, 2);
    return v;
}

/* The gradient of a padded tensor: the padding cut off again, or added to what it repeats, axis by axis. */
Item help_unpadded(Decomposition *g, const Item *x, int n) {
    int64_t pads[2 * MAX_RANK], cut[2 * MAX_RANK];
    const char *mode = g->dry ? "constant" : attr_s(g->node, "mode");
    Item v = x[0];
    (void)n;
    if (g->dry) return v;
    int rank = v.v->type.rank;
    bool constant = !strcmp(mode, "constant");
    if (!fixed_pads_of(g->node, pads, pads + rank))
        wrong_decomposition(g, "expected pads that are the same in every call");
    for (int i = 0; i < 2 * rank; i++) cut[i] = constant || pads[i] < 0 ? -pads[i] : 0;
    v = constant_pad(g, v, cut, 2 * rank);
    for (int i = rank - 1; i >= 0 && !constant; i--) {
        int64_t before = pads[i] > 0 ? pads[i] : 0, after = pads[rank + i] > 0 ? pads[rank + i] : 0;
        if (!before && !after) continue;
        Node *one = build_call(g, &ops[OP_PadGrad], &v, 1);
        set_attr_i(one, "axis", i), set_attr_i(one, "before", before), set_attr_i(one, "after", after);
        set_attr_s(one, "mode", mode);
        v = item_of(g, one);
    }
    return v;
}

static bool is_resized(const Node *n, const Resized *r, int axis) {
    return !same_dim(n->in[0]->type.dim[axis], r->dim[axis]) || r->scale[axis] != 1 ||
           !strcmp(attr_s(n, "coordinate_transformation_mode"), "tf_crop_and_resize");
}

/* The gradient of what was resized, axis by axis: interpolations along them are a product. */
Item help_unresized(Decomposition *g, const Item *x, int n) {
    Resized r;
    Item v = x[0];
    Node *node = g->node;
    (void)n;
    if (g->dry || !resized(node, &r)) return v;
    for (int i = v.v->type.rank - 1; i >= 0; i--) {
        Item in[5] = {{.kind = I_NONE}};
        if (!is_resized(node, &r, i)) continue;
        for (int k = 0; k < 4; k++) in[k] = a_value(input(node, k));
        in[4] = v;
        Node *one = build_call(g, &ops[OP_ResizeGrad], in, 5);
        for (int k = 0; k < ROW_ATTRS && node->op->attr[k].name; k++)
            if (node->attr[k].set) set_attr(one, &node->attr[k]);
        set_attr_i(one, "axis", i);
        v = item_of(g, one);
    }
    return v;
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

static Item extents(Decomposition *g, Item shape, int64_t from, int64_t to) {
    return call_row(g, OP_Slice, (Item[]){shape, ints_item(g, 1, &from), ints_item(g, 1, &to)}, 3);
}

/* The copies along one axis as a dim of their own in front of it, added up; `shape` is the operand's. */
static Item sum_copies(Decomposition *g, Item v, Item shape, int64_t axis, int64_t repeats) {
    Item mine = call_row(g, OP_Shape, &v, 1);
    Item part[] = {extents(g, mine, 0, axis), ints_item(g, 1, &repeats), extents(g, shape, axis, axis + 1),
                   extents(g, mine, axis + 1, MAX_RANK)};
    Node *apart = build_call(g, &ops[OP_Concat], part, 4);
    set_attr_i(apart, "axis", 0);
    v = call_row(g, OP_Reshape, (Item[]){v, item_of(g, apart)}, 2);
    return sum_axes(g, v, 1, &axis, false);
}

/* The gradient of what a Tile repeated: the copies added up, one axis after the other. */
Item help_untiled(Decomposition *g, const Item *x, int n) {
    int64_t repeats[MAX_RANK];
    int count;
    Item v = x[0];
    (void)n;
    if (g->dry) return v;
    Item like = a_value(g->node->in[0]), shape = call_row(g, OP_Shape, &like, 1);
    if (!known_ints(g->node->in[1], MAX_RANK, &count, repeats) || count == MAX_RANK)
        return help_unsupported(g, &(Item){.kind = I_STR, .s = "such repeats"}, 1);
    for (int i = 0; i < count; i++)
        if (repeats[i] != 1) v = sum_copies(g, v, shape, i, repeats[i]);
    return v;
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

/* Which input is in question. */
Item help_place(Decomposition *g, const Item *x, int n) {
    (void)x, (void)n;
    return an_int(g->dry ? 0 : g->each);
}

/* ---- indices ---- */

static Item range_to(Decomposition *g, Item limit) {
    Item zero = a_value(const_scalar(g->m, DT_i64, 0)), one = a_value(const_scalar(g->m, DT_i64, 1));
    return call_row(g, OP_Range, (Item[]){zero, limit, one}, 3);
}

/* An extent: a number, or what this call has. */
Item help_extent(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry) return an_int(1);
    int rank = x[0].v->type.rank;
    int64_t axis = x[1].i < 0 ? x[1].i + rank : x[1].i;
    const Dim *d = &x[0].v->type.dim[axis];
    if (!d->symbol) return a_value(const_scalar(g->m, DT_i64, (double)d->max));
    Item shape = call_row(g, OP_Shape, x, 1);
    return call_row(g, OP_Gather, (Item[]){shape, a_value(const_scalar(g->m, DT_i64, (double)axis))}, 2);
}

/* The elements of a tensor, numbered row by row. */
Item help_numbers(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry) return any_value(g);
    Item numbers = range_to(g, call_row(g, OP_Size, x, 1));
    return call_row(g, OP_Reshape, (Item[]){numbers, call_row(g, OP_Shape, x, 1)}, 2);
}

/* Tuples of indices with those of their batch dims in front. */
Item help_with_batch(Decomposition *g, const Item *x, int n) {
    Item part[MAX_RANK + 1], one = ints_item(g, 1, (int64_t[]){1});
    int batch = g->dry ? 0 : (int)x[1].i, rank = g->dry ? 0 : x[0].v->type.rank;
    (void)n;
    if (!batch) return x[0];
    Item last = ints_item(g, 1, (int64_t[]){-1});
    Item shape = call_row(g, OP_Shape, &x[0], 1);
    Node *before = build_call(g, &ops[OP_Slice], (Item[]){shape, ints_item(g, 1, (int64_t[]){0}), last}, 3);
    Node *tuple = build_call(g, &ops[OP_Concat], (Item[]){item_of(g, before), one}, 2);
    set_attr_i(tuple, "axis", 0);
    Item single = item_of(g, tuple);
    for (int i = 0; i < batch; i++) {
        int64_t dims[MAX_RANK];
        for (int k = 0; k < rank; k++) dims[k] = k == i ? -1 : 1;
        Item at = range_to(g, help_extent(g, (Item[]){x[0], an_int(i)}, 2));
        at = call_row(g, OP_Reshape, (Item[]){at, ints_item(g, rank, dims)}, 2);
        part[i] = call_row(g, OP_Expand, (Item[]){at, single}, 2);
    }
    part[batch] = x[0];
    Node *all = build_call(g, &ops[OP_Concat], part, batch + 1);
    set_attr_i(all, "axis", -1);
    return item_of(g, all);
}

/* ---- determinants ---- */

static Value *const_table(Decomposition *g, DType t, int64_t rows, int64_t columns, int64_t (*at)(int64_t, int64_t)) {
    Tensor *x = tensor_new(g->arena, t, 2, (int64_t[]){rows, columns});
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            if (is_float(t))
                set_f(x, i * columns + j, (double)at(i, j));
            else
                set_i(x, i * columns + j, at(i, j));
    return const_new(g->m, NULL, x);
}

static int64_t all_but(int64_t i, int64_t j) { return j < i ? j : j + 1; }
static int64_t sign_at(int64_t i, int64_t j) { return (i + j) % 2 ? -1 : 1; }

/* Of every element of square matrices: the determinant without its row and its column, and its sign. They are exact
 * where the matrix is singular, too. */
Item help_cofactors(Decomposition *g, const Item *x, int n) {
    int64_t perm[MAX_RANK];
    (void)n;
    if (g->dry) return x[0];
    int rank = x[0].v->type.rank;
    Dim size = x[0].v->type.dim[rank - 1];
    if (rank > MAX_RANK - 2 || size.symbol || size.max > 64)
        return help_unsupported(g, &(Item){.kind = I_STR, .s = "such matrices"}, 1);
    Item others = a_value(const_table(g, DT_i64, size.max, size.max - 1, all_but)), v = x[0];
    for (int k = 2; k > 0; k--) {
        Node *minors = build_call(g, &ops[OP_Gather], (Item[]){v, others}, 2);
        set_attr_i(minors, "axis", -k);
        v = item_of(g, minors);
    }
    for (int i = 0; i < rank - 2; i++) perm[i] = i;
    for (int i = 0; i < 4; i++) perm[rank - 2 + i] = rank - 2 + (int[]){0, 2, 1, 3}[i];
    v = call_row(g, OP_Det, (Item[]){permuted(g, v, rank + 2, perm)}, 1);
    Item sign = a_value(const_table(g, x[0].v->type.dtype, size.max, size.max, sign_at));
    return call_row(g, OP_Mul, (Item[]){v, sign}, 2);
}

/* ---- transforms ---- */

static int64_t transformed(Decomposition *g, bool want_axis) {
    int axis;
    int64_t length;
    if (g->dry || !dft_of(g->node, &axis, &length)) return 1;
    return want_axis ? axis : length;
}

Item help_dft_axis(Decomposition *g, const Item *x, int n) {
    (void)x, (void)n;
    return an_int(transformed(g, true));
}

Item help_dft_length(Decomposition *g, const Item *x, int n) {
    (void)x, (void)n;
    return an_int(transformed(g, false));
}

static int64_t framed(Decomposition *g, bool want_step) {
    int64_t step, length;
    if (g->dry || !frames_of(g->node, &step, &length)) return 1;
    return want_step ? step : length;
}

Item help_frame_step(Decomposition *g, const Item *x, int n) {
    (void)x, (void)n;
    return an_int(framed(g, true));
}

Item help_frame_length(Decomposition *g, const Item *x, int n) {
    (void)x, (void)n;
    return an_int(framed(g, false));
}

/* ---- Einsum ---- */

typedef struct {
    const Node *n;
    int (*label)[MAX_RANK]; /* of each operand's dims, then of the result's */
    bool elsewhere[EINSUM_LABELS];
    char letter[EINSUM_LABELS];
    int letters;
} Equation;

static const char *term_text(Arena *a, Equation *e, int count, const int *label) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    Str s = {.arena = a};
    for (int d = 0; d < count; d++) {
        int k = label[d];
        if (!e->letter[k] && e->letters < EINSUM_LETTERS) e->letter[k] = alphabet[e->letters++];
        if (e->letter[k]) put(&s, "%c", e->letter[k]);
    }
    return s.s ? s.s : "";
}

/* The product of the result's gradient and all other operands, with the labels that they share with operand `of`:
 * `dims` of them, in its order. */
static Item shared_product(Decomposition *g, Equation *e, Item upstream, int of, int count, const int *shared) {
    Node *node = g->node;
    Item *x = NEW_ARRAY(g->arena, Item, node->nin);
    Str s = {.arena = g->arena};
    int n = 0;
    x[n++] = upstream;
    put(&s, "%s", term_text(g->arena, e, node->out[0]->type.rank, e->label[node->nin]));
    for (int i = 0; i < node->nin; i++) {
        if (i == of) continue;
        put(&s, ",%s", term_text(g->arena, e, node->in[i]->type.rank, e->label[i]));
        if (n < MAX_ARGS) x[n] = a_value(node->in[i]);
        n++;
    }
    put(&s, "->%s", term_text(g->arena, e, count, shared));
    if (n > MAX_ARGS || e->letters >= EINSUM_LETTERS)
        return help_unsupported(g, &(Item){.kind = I_STR, .s = "so many operands or dims"}, 1);
    Node *product = build_call(g, &ops[OP_Einsum], x, n);
    set_attr_s(product, "equation", s.s);
    return item_of(g, product);
}

/* Where two dims of one label have different indices nothing flows. */
static Item on_diagonal(Decomposition *g, Item v, Item like, int rank, int i, int j) {
    Item at[2];
    for (int k = 0; k < 2; k++) {
        int64_t dims[MAX_RANK];
        for (int d = 0; d < rank; d++) dims[d] = d == (k ? j : i) ? -1 : 1;
        at[k] = range_to(g, help_extent(g, (Item[]){like, an_int(k ? j : i)}, 2));
        at[k] = call_row(g, OP_Reshape, (Item[]){at[k], ints_item(g, rank, dims)}, 2);
    }
    Item zero = a_value(const_scalar(g->m, v.v->type.dtype, 0));
    return call_row(g, OP_Where, (Item[]){call_row(g, OP_Equal, at, 2), v, zero}, 3);
}

static int find_label(const int *label, int n, int k) {
    for (int i = 0; i < n; i++)
        if (label[i] == k) return i;
    return -1;
}

/* The gradient of an Einsum's operand. A label that nothing else has was summed alone: its sum is spread again. */
Item help_unsummed(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry) return any_value(g);
    Node *node = g->node;
    Equation e = {.n = node, .label = arena_alloc(g->arena, sizeof *e.label * (size_t)(node->nin + 1))};
    for (int i = 0; i <= node->nin; i++) {
        einsum_term(node, i, e.label[i]);
        int rank = i < node->nin ? node->in[i]->type.rank : node->out[0]->type.rank;
        for (int d = 0; d < rank && i != g->each; d++) e.elsewhere[e.label[i][d]] = true;
    }
    Item like = a_value(node->in[g->each]);
    const Type *t = &like.v->type;
    const int *mine = e.label[g->each];
    int shared[MAX_RANK], count = 0;
    int64_t missing[MAX_RANK];
    int nmissing = 0;
    for (int d = 0; d < t->rank; d++)
        if (e.elsewhere[mine[d]] && !is_unit(t->dim[d]) && find_label(mine, d, mine[d]) < 0)
            shared[count++] = mine[d];
        else
            missing[nmissing++] = d;
    Item v = shared_product(g, &e, x[0], g->each, count, shared);
    if (v.kind != I_VALUE) return v;
    if (nmissing) v = call_row(g, OP_Unsqueeze, (Item[]){v, ints_item(g, nmissing, missing)}, 2);
    for (int d = 0; d < t->rank; d++) {
        int first = find_label(mine, d, mine[d]);
        if (first >= 0 && !is_unit(t->dim[d])) v = on_diagonal(g, v, like, t->rank, first, d);
    }
    return v;
}
