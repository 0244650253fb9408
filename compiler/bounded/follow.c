/* follow.c - what operators make of values whose size only a call tells, and what a caller gets of them. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* ---- rules: what becomes of input i's extent; false: the operator needs to know it ---- */

static bool same_extent(const Extent *a, const Extent *b) {
    return resolve(a->count) == resolve(b->count) && a->axis == b->axis;
}

/* Inputs are aligned at their last dims; others than those with this extent have one element there. */
static bool follow_elementwise(Node *n, int i, Extent *e) {
    int rank = n->out[0]->type.rank;
    e->axis += rank - in_type(n, i)->rank, e->zeros = false;
    for (int k = 0; k < n->nin; k++) {
        if (!n->in[k]) continue;
        const Type *t = in_type(n, k);
        int at = e->axis - (rank - t->rank);
        const Extent *other = n->in[k]->extent;
        bool fits = other ? same_extent(other, &(Extent){e->count, at, false}) : at < 0 || t->dim[at].max == 1;
        if (!fits) return false;
    }
    return true;
}

static bool follow_same(Node *n, int i, Extent *e) {
    (void)n, (void)e;
    return i == 0;
}

static bool follow_cast(Node *n, int i, Extent *e) {
    (void)n, e->zeros = false;
    return i == 0;
}

static bool follow_concat(Node *n, int i, Extent *e) {
    for (int k = 0; k < n->nin; k++)
        if (!n->in[k]->extent || !same_extent(n->in[k]->extent, e)) return false;
    return attr_axis(n, "axis", in_type(n, i)->rank) != e->axis;
}

static bool follow_other_axis(Node *n, int i, Extent *e) {
    e->zeros = e->zeros && IS(n, Split);
    return i == 0 && attr_axis(n, "axis", in_type(n, 0)->rank) != e->axis;
}

static bool follow_gather(Node *n, int i, Extent *e) {
    int axis = (int)attr_axis(n, "axis", in_type(n, 0)->rank), rank = in_type(n, 1)->rank;
    e->zeros = false;
    if (i == 1)
        e->axis += axis;
    else if (e->axis > axis)
        e->axis += rank - 1;
    else if (e->axis == axis)
        return false;
    return true;
}

static bool follow_gather_nd(Node *n, int i, Extent *e) {
    e->zeros = false;
    return i == 1 && e->axis < in_type(n, 1)->rank - 1 && !attr_i(n, "batch_dims");
}

static bool follow_transpose(Node *n, int i, Extent *e) {
    const Attr *perm = attr(n, "perm");
    int rank = in_type(n, i)->rank;
    for (int k = 0; k < rank; k++) {
        if ((perm->set ? perm->ints[k] : rank - 1 - k) != e->axis) continue;
        e->axis = k;
        return true;
    }
    return false;
}

static bool follow_squeeze(Node *n, int i, Extent *e) {
    bool gone[MAX_RANK] = {false};
    const Type *t = in_type(n, 0);
    if (i || (input(n, 1) && !known_axes(n, 1, t->rank, gone))) return false;
    for (int k = 0; k < t->rank && !input(n, 1); k++) gone[k] = t->dim[k].max == 1;
    if (gone[e->axis]) return false;
    for (int k = e->axis; k-- > 0;) e->axis -= gone[k];
    return true;
}

static bool follow_unsqueeze(Node *n, int i, Extent *e) {
    bool added[MAX_RANK] = {false};
    if (i || !known_axes(n, 1, n->out[0]->type.rank, added)) return false;
    for (int k = 0; k <= e->axis; k++) e->axis += added[k];
    return true;
}

static int64_t before(const Type *t, int axis) {
    int64_t count = 1;
    for (int k = 0; k < axis; k++) count *= t->dim[k].max;
    return count;
}

/* The dim stays as it is, and so does what is before it; the shape does not give it a number. */
static bool follow_reshape(Node *n, int i, Extent *e) {
    const Type *x = in_type(n, 0), *y = &n->out[0]->type;
    int64_t shape[MAX_RANK];
    int count;
    if (i || !known_ints(n->in[1], MAX_RANK, &count, shape)) return false;
    for (int k = 0; k < count; k++) {
        bool open = shape[k] == -1 || (shape[k] == 0 && k == e->axis && !attr_i(n, "allowzero"));
        if (!open || y->dim[k].max != x->dim[e->axis].max || before(x, e->axis) != before(y, k)) continue;
        e->axis = k;
        return true;
    }
    return false;
}

static bool follow_flatten(Node *n, int i, Extent *e) {
    return !i && !e->axis && axis_in(attr_i(n, "axis"), in_type(n, 0)->rank + 1) == 1;
}

/* Cut at another axis, or after a number of elements. */
static bool follow_slice(Node *n, int i, Extent *e) {
    int64_t step[MAX_RANK], end[MAX_RANK], axes[MAX_RANK];
    int count, naxes;
    Dim begin[MAX_RANK], dim[MAX_RANK];
    const Type *t = in_type(n, 0);
    if (i || !known_ints(n->in[2], MAX_RANK, &count, end) || !slice_of(n, begin, step, dim)) return false;
    if (!same_dim(begin[e->axis], fixed(0)) || step[e->axis] != 1) return false;
    for (int k = 0; k < count; k++) axes[k] = k;
    if (input(n, 3) && !known_ints(n->in[3], MAX_RANK, &naxes, axes)) return false;
    for (int k = 0; k < count; k++)
        if (axis_in(axes[k], t->rank) == e->axis && end[k] < 0) return false;
    if (dim[e->axis].max == t->dim[e->axis].max) return true;
    e->count = built(n, format(n->graph->module->arena, "Min(m, %lld)", (long long)dim[e->axis].max), 1, &e->count);
    e->zeros = false;
    return true;
}

static bool follow_reduction(Node *n, int i, Extent *e) {
    bool gone[MAX_RANK];
    e->zeros = false;
    if (i || !known_axes(n, 1, in_type(n, 0)->rank, gone) || gone[e->axis]) return false;
    for (int k = e->axis; k-- > 0 && !attr_i(n, "keepdims");) e->axis -= gone[k];
    return true;
}

/* Rows of the first operand give rows of the product. */
static bool follow_product(Node *n, int i, Extent *e) {
    e->zeros = false;
    if (i || in_type(n, 1)->rank != 2 || e->axis == in_type(n, 0)->rank - 1) return false;
    if (!IS(n, Gemm)) return true;
    return !attr_i(n, "transA") && (!input(n, 2) || in_type(n, 2)->rank < 2 || in_type(n, 2)->dim[0].max == 1);
}

static const struct {
    int op;
    bool (*rule)(Node *, int i, Extent *);
} rules[] = {
    {OP_Identity, follow_same},      {OP_Cast, follow_cast},           {OP_Concat, follow_concat},
    {OP_Split, follow_other_axis},   {OP_Softmax, follow_other_axis},  {OP_LogSoftmax, follow_other_axis},
    {OP_Gather, follow_gather},      {OP_GatherND, follow_gather_nd},  {OP_Transpose, follow_transpose},
    {OP_Squeeze, follow_squeeze},    {OP_Unsqueeze, follow_unsqueeze}, {OP_Reshape, follow_reshape},
    {OP_Flatten, follow_flatten},    {OP_Slice, follow_slice},         {OP_ReduceMean, follow_reduction},
    {OP_ReduceL1, follow_reduction}, {OP_ReduceL2, follow_reduction},  {OP_ReduceSumSquare, follow_reduction},
    {OP_MatMul, follow_product},     {OP_Gemm, follow_product},
};

/* Inputs may share an extent where the rule looks at all of them. */
static bool follow(Node *n, int i, Extent *e) {
    if (access_of(n->op) == ACCESS_ELEMENTWISE) return follow_elementwise(n, i, e);
    for (int k = 0; k < n->nin && !IS(n, Concat); k++)
        if (k != i && n->in[k] && n->in[k]->extent) return false;
    if (n->op->kind == K_RED) return follow_reduction(n, i, e);
    for (int k = 0; k < COUNT(rules); k++)
        if (n->op == &ops[rules[k].op]) return rules[k].rule(n, i, e);
    return false;
}

/* ---- nodes ---- */

static const Value *bounded_input(const Graph *);

/* The first input of a node, or of one in its regions, whose size only a call tells. */
static const Value *bounded_of(const Node *n, int *at) {
    for (*at = 0; *at < n->nin; ++*at)
        if (n->in[*at] && resolve(n->in[*at])->extent) return resolve(n->in[*at]);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Value *v = n->attr[i].kind == A_GRAPH && n->attr[i].graph ? bounded_input(n->attr[i].graph) : NULL;
        if (v) return v;
    }
    return NULL;
}

static const Value *bounded_input(const Graph *g) {
    int at;
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] && resolve(g->out[i])->extent) return resolve(g->out[i]);
    for (const Node *n = g->first; n; n = n->next) {
        const Value *v = bounded_of(n, &at);
        if (v) return v;
    }
    return NULL;
}

void follow_extents(Node *n) {
    Arena *a = n->graph->module->arena;
    int at;
    const Value *v = bounded_of(n, &at);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && !type_known(&n->out[i]->type)) return;
    if (!v || n->op->lists) return; /* a sequence of such values is none itself */
    Extent e = *v->extent;
    if (at == n->nin || !follow(n, at, &e)) {
        problem(n, EXIT_UNSUPPORTED,
                "it reads '%s', whose size depends on contents which are not known when compiling: expected an "
                "operator that treats each index of its axis %d by itself, or an output of the network",
                escaped(a, v->name, 60), v->extent->axis);
        return;
    }
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) bound_value(n->out[i], e.count, e.axis, e.zeros);
}

/* ---- outputs ---- */

/* The elements that there are, one after the other, and zeros behind them. */
static Value *packed(Node *at, Value *v) {
    const Extent *e = v->extent;
    const Type *t = &v->type;
    Arena *a = at->graph->module->arena;
    int64_t step = 1, outer = before(t, e->axis), rows = t->dim[e->axis].max;
    Str dims = {.arena = a};
    if (e->zeros && outer == 1) return v;
    for (int k = e->axis + 1; k < t->rank; k++) step *= t->dim[k].max;
    for (int k = 0; k < t->rank; k++) put(&dims, "%s%lld", k ? ", " : "", (long long)t->dim[k].max);
    const char *text = format(a,
                              "i = Range(cast(0, n), %lld, 1); g = i / %lld; h = g / n; "
                              "y = Gather(Reshape(x, [-1]), (h * %lld + g - h * n) * %lld + i - g * %lld); "
                              "Reshape(Where(g < n * %lld, y, cast(0, x)), [%s])",
                              (long long)type_count(t), (long long)step, (long long)rows, (long long)step,
                              (long long)step, (long long)outer, dims.s);
    return built(at, text, 5, (Value *[]){v, v, v, e->count, v});
}

/* Another output, which the caller may leave out: how much of output `of` there is in a call. */
static Value *output_extent(Module *m, int of, int number) {
    Value *v = m->main->out[of], *count = resolve(v->extent->count);
    int axis = v->extent->axis;
    const char *name = format(m->arena, "%s.extent", port_name(v));
    Node *copy = node_new(m->main, NULL, &ops[OP_Copy], 1, &count, 1, &name, count->def->loc);
    infer_node(copy);
    Value *y = packed(copy, v);
    if (y != v) {
        y->extent = NULL;
        swap_names(m, v, y);
        set_output(m->main, of, y);
    }
    say_extent(m, of, axis, number);
    return copy->out[0];
}

void output_extents(Module *m) {
    List out = {0};
    int count = m->main->nout;
    for (int i = 0; i < count; i++) set_output(m->main, i, resolve(m->main->out[i]));
    for (int i = 0; i < count; i++) push(m->arena, &out, NULL);
    for (int i = 0; i < count; i++)
        if (m->main->out[i]->extent) push(m->arena, &out, output_extent(m, i, out.n));
    for (int i = 0; i < count; i++) out.at[i] = m->main->out[i];
    set_outputs(m->main, &out);
}
