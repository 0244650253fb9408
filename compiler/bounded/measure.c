/* measure.c - numbers that data tells become dims, and what a caller gets of results that have such. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <math.h>

/* ---- one number ---- */

static bool is_taken(const Module *m, const char *name) {
    return symbol_called(m, name) || (m->dims && map_get(m->dims, name));
}

const char *fresh_dim(Module *m, const char *stem) {
    const char *name = stem;
    for (int i = 2; is_taken(m, name); i++) name = format(m->arena, "%s_%d", stem, i);
    return name;
}

Value *extent_called(Node *at, Value *numbers, int64_t i, const char *dim, int64_t least, int64_t most, bool checked) {
    Node *n = insert_node(at, &ops[OP_Extent], 1, &numbers);
    set_attr_s(n, "dim", dim);
    n->origin = format(at->graph->module->arena, "Extent '%s'", dim);
    set_attr_i(n, "index", i), set_attr_i(n, "checked", checked);
    set_attr_i(n, "least", least), set_attr_i(n, "most", most);
    infer_node(n);
    return n->out[0];
}

Value *measure(Node *at, Value *count, int64_t least, int64_t most, const Value *of) {
    Module *m = at->graph->module;
    int64_t lo, hi;
    bool given = given_range(m, of, &lo, &hi) && hi < most;
    return extent_called(at, count, 0, fresh_dim(m, format(m->arena, "%s_count", port_name(of))), least,
                         given ? hi : most, given);
}

bool is_computed(const Module *m, Dim d) {
    for (int i = 0; d.symbol && i < d.symbol->names && i < SYMBOL_NAMES; i++)
        if (binding_of(m, d.symbol->name[i])->computed) return true;
    return false;
}

bool has_computed(const Module *m, const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (is_computed(m, t->dim[i])) return true;
    return false;
}

/* ---- what is in front ---- */

Value *cut(Node *at, Value *rows, Value *extent) {
    return build_text(at, "Slice(m, [0], Reshape(p, [1]), [0])", 2, (Value *[]){rows, extent});
}

void cut_results(Node *n, int first, Value *count) {
    Graph *g = n->graph;
    Node *end = n->next ? NULL : node_new(g, NULL, &ops[OP_Identity], 1, &count, 1, NULL, n->loc),
         *at = end ? end : n->next;
    Value *extent = NULL;
    for (int i = first; i < n->nout; i++) {
        Value *v = n->out[i];
        if (!v || !type_known(&v->type) || !v->type.dim[0].max) continue;
        Value *all = value_new(g, NULL, v->type);
        all->kind = V_NODE, all->def = n, all->result = i, n->out[i] = all;
        if (!extent) extent = measure(at, count, 0, v->type.dim[0].max, v);
        replace_keeping_name(v, cut(at, all, extent));
    }
    if (end) unlink_node(end);
}

/* ---- numbers that a shape is made of ---- */

enum { MAX_NUMBERS = 2 * MAX_RANK, MAX_EXTENT = 1 << 24 };

static bool is_told(const Value *v) { return v->data || v->known; }

static Range within(Range r, Range limit) { return (Range){ceil(fmax(r.lo, limit.lo)), floor(fmin(r.hi, limit.hi))}; }

/* Whether an extent may go through that range. */
static bool is_bounded(Range r) { return r.lo == r.hi || (r.lo < r.hi && r.lo >= -MAX_EXTENT && r.hi <= MAX_EXTENT); }

/* Element i as an extent of the call, a tensor of one. What the data gives beyond the limit is the call's error, and
 * beyond --bound. */
static Value *number(Node *at, Value *v, int64_t i, Range limit) {
    Module *m = at->graph->module;
    Range all = numbers_of(v, i), r = within(all, limit);
    if (all.lo == all.hi) return const_ints(m, 1, (int64_t[]){(int64_t)all.lo});
    bool checked = r.lo > all.lo || r.hi < all.hi;
    const char *name = port_name(v);
    if (type_count(&v->type) > 1) name = format(m->arena, "%s_%lld", name, (long long)i);
    Value *extent = extent_called(at, v, i, fresh_dim(m, name), (int64_t)r.lo, (int64_t)r.hi, checked);
    return build_text(at, "Reshape(m, [1])", 1, &extent);
}

Value *extent_within(Node *at, Value *v, int64_t i, Range limit) {
    return is_bounded(within(numbers_of(v, i), limit)) ? number(at, v, i, limit) : NULL;
}

static bool may_measure(const Value *v, Range limit) {
    int64_t count = type_count(&v->type);
    bool ok = is_int(v->type.dtype) && count >= 1 && count <= MAX_NUMBERS && v->type.rank <= 1;
    for (int i = 0; i < count && ok; i++) {
        Range r = numbers_of(v, i);
        ok = r.lo == r.hi || is_bounded(within(r, limit));
    }
    return ok;
}

/* From where on a value can be read. */
static Node *behind(const Value *v, Node *n) {
    if (!v->graph) return n->graph->first;
    return v->def ? v->def->next : v->graph->first;
}

/* Parts of one as a tensor like v. */
Value *numbers_joined(Node *at, const Value *v, int count, Value *const *part) {
    Node *all = insert_node(at, &ops[OP_Concat], count, part);
    set_attr_i(all, "axis", 0);
    infer_node(all);
    Value *y = all->out[0];
    if (!v->type.rank) y = build_text(at, "Reshape(m, [])", 1, &y);
    if (v->type.dtype == DT_i64) return y;
    return build_text(at, format(at->graph->module->arena, "Cast(m, to = %d)", dtypes[v->type.dtype].onnx), 1, &y);
}

/* If the value's numbers have bounds, they are extents of the call from now on: shape arithmetic goes on with them. */
static void measure_numbers(Node *n, Value *v, Range limit) {
    Value *part[MAX_NUMBERS];
    if (is_told(v) || v->measured || !may_measure(v, limit)) return;
    int count = (int)type_count(&v->type);
    Node *at = behind(v, n);
    for (int i = 0; i < count; i++) part[i] = number(at, v, i, limit);
    v->measured = numbers_joined(at, v, count, part);
}

static const Range extents = {0, INFINITY}, any_number = {-INFINITY, INFINITY};

/* A value that --bound names, before anything else is computed with it. */
static void measure_named(Value *v) {
    int64_t lo, hi;
    Module *m = v->graph ? v->graph->module : NULL;
    if (m && m->main->first && is_int(v->type.dtype) && type_known(&v->type) && given_range(m, v, &lo, &hi))
        measure_numbers(m->main->first, v, (Range){(double)lo, (double)hi});
}

void measure_inputs(Module *m) {
    for (int i = 0; i < m->main->nin && !m->entry; i++) measure_named(m->main->in[i]);
}

/* ---- what operators read to know their results' shapes ---- */

static void measure_operand(Node *n, int i, Range limit) {
    if (!input(n, i)) return;
    measure_numbers(n, n->in[i], limit);
    if (n->in[i]->measured) n->in[i] = n->in[i]->measured;
}

/* A dim that is not 1 stays what it is, whichever of both the shape says. */
static void measure_expand(Node *n, int i) {
    Value *v = n->in[i], *part[MAX_RANK];
    const Type *t = in_type(n, 0);
    int64_t count = type_count(&v->type);
    bool own[MAX_RANK], differ = !v->known;
    if (v->data || v->type.rank != 1 || count < 1 || count > MAX_RANK) return;
    for (int64_t k = 0; k < count; k++) {
        int64_t from = k - (count - t->rank);
        own[k] = from >= 0 && !is_unit(t->dim[from]);
        differ = differ || (own[k] && !same_dim(t->dim[from], v->known[k]));
        if (!own[k] && !v->known && !is_bounded(within(numbers_of(v, k), extents))) return;
    }
    for (int64_t k = 0; k < count && differ; k++) {
        long long from = own[k] ? k - (count - t->rank) : k;
        if (own[k] || v->known)
            part[k] = build_text(n,
                                 format(n->graph->module->arena, "Slice(%s, [%lld], [%lld], [0])",
                                        own[k] ? "Shape(m)" : "p", from, from + 1),
                                 2, n->in);
        else
            part[k] = number(behind(v, n), v, k, extents);
    }
    if (differ) n->in[i] = numbers_joined(n, v, (int)count, part);
}

static void measure_top_k(Node *n, int i) {
    const Type *t = in_type(n, 0);
    int64_t axis = t->rank ? axis_in(attr_i(n, "axis"), t->rank) : -1;
    if (axis >= 0) measure_operand(n, i, (Range){0, (double)t->dim[axis].max});
}

/* No extent is more than all elements. */
static void measure_reshape(Node *n, int i) {
    Range limit = {0, (double)type_count(in_type(n, 0))};
    const Value *v = n->in[i];
    bool open = false; /* a number may be -1 or 0, which stand for others */
    if (v->type.rank != 1) return;
    for (int64_t k = 0; !v->data && k < type_count(&v->type) && k < MAX_RANK; k++) {
        Range r = numbers_of(v, k);
        open = open || (r.lo != r.hi && r.lo < (attr_i(n, "allowzero") ? 0 : 1));
    }
    if (open && !reshape_is_certain(n)) n->in[i] = shape_in_call(n);
    measure_operand(n, i, limit);
    reshape_by_call(n);
}

/* The depth may be a float. */
static void measure_depth(Node *n, int i) {
    Value *v = n->in[i];
    int64_t lo, hi;
    Range limit = extents;
    if (is_told(v) || type_count(&v->type) != 1) return;
    if (is_float(v->type.dtype)) {
        if (!given_range(n->graph->module, v, &lo, &hi)) return;
        limit.hi = (double)hi;
        n->in[i] = build_text(n, "Reshape(Cast(m, to = 7), [])", 1, &v);
    }
    measure_operand(n, i, limit);
}

/* How many rows a Loop may give. */
static void measure_trips(Node *n, int i) {
    Value *v = n->in[i], *count;
    bool rows = n->nout > n->nin - 2;
    if (!rows || is_told(v) || type_count(&v->type) != 1 || !is_int(v->type.dtype)) return;
    count = build_text(n, "Max(Reshape(Cast(m, to = 7), []), 0)", 1, &v);
    measure_numbers(n, count, extents);
    if (is_told(count) || count->measured) n->in[i] = is_told(count) ? count : count->measured;
}

static void measure_pads(Node *n, int i) { measure_operand(n, i, any_number); }
void measure_extents(Node *n, int i) { measure_operand(n, i, extents); }

/* Counted from the front, and within the axis, where the data may say what it likes. */
static void measure_slice(Node *n, int i) {
    int64_t axes[MAX_RANK], steps[MAX_RANK];
    int count, naxes, nsteps;
    Value *v = n->in[i], *at, *shape;
    const Type *t = in_type(n, 0);
    if (is_told(v) || is_moving_slice(n) || v->type.rank != 1 || type_count(&v->type) > t->rank) return;
    count = naxes = nsteps = (int)type_count(&v->type);
    for (int k = 0; k < count; k++) axes[k] = k, steps[k] = 1;
    if (input(n, 3) && !known_ints(n->in[3], MAX_RANK, &naxes, axes)) return;
    if (input(n, 4) && !known_ints(n->in[4], MAX_RANK, &nsteps, steps)) return;
    for (int k = 0; k < count; k++)
        if (naxes != count || nsteps != count || axis_in(axes[k], t->rank) < 0 || steps[k] < 1) return;
    for (int k = 0; k < count; k++) axes[k] = axis_in(axes[k], t->rank);
    at = const_ints(n->graph->module, count, axes);
    shape = build_text(n, "Gather(Shape(m), p)", 2, (Value *[]){n->in[0], at});
    Value *from_front =
        build_text(n, "s = Cast(m, to = 7); Max(Min(Where(s < 0, s + p, s), p), 0)", 2, (Value *[]){v, shape});
    n->in[i] = from_front;
    measure_operand(n, i, extents);
}

/* How many numbers there are, where start, limit and step do not say it as extents. */
static void measure_range(Node *n, int i) {
    Module *m = n->graph->module;
    Value *y;
    if (i < 2) {
        measure_operand(n, i, any_number);
        return;
    }
    if (is_told(n->in[0]) && is_told(n->in[1]) && n->in[2]->data) return;
    for (int k = 0; k < 3; k++)
        if (type_count(in_type(n, k)) != 1) return;
    Value *count =
        build_text(n,
                   "a = Reshape(Cast(m, to = 11), []); b = Reshape(Cast(p, to = 11), []); c = Reshape(Cast(q, to "
                   "= 11), []); Max(Cast(Ceil((b - a) / c), to = 7), 0)",
                   3, n->in);
    Range r = within(numbers_of(count, -1), extents);
    int64_t lo, hi;
    if (given_range(m, n->out[0], &lo, &hi)) r.hi = fmin(r.hi, (double)hi);
    if (!is_bounded(r)) return;
    Value *extent = measure(n, count, 0, (int64_t)r.hi, n->out[0]);
    y = build_text(n,
                   format(m->arena, "Reshape(m, []) + Cast(Range(0, n, 1), to = %d) * Reshape(q, [])",
                          dtypes[in_type(n, 0)->dtype].onnx),
                   4, (Value *[]){n->in[0], n->in[1], n->in[2], extent});
    replaced_by(n, 1, &y);
}

static const struct {
    int op, input; /* in the order of the operands */
    void (*measure)(Node *, int);
} shapes[] = {
    {OP_Slice, 3, slice_by_call},     {OP_Expand, 1, measure_expand},   {OP_TopK, 1, measure_top_k},
    {OP_Slice, 1, measure_slice},     {OP_Slice, 2, measure_slice},     {OP_Range, 0, measure_range},
    {OP_Range, 1, measure_range},     {OP_Range, 2, measure_range},     {OP_Pad, 3, pad_by_call},
    {OP_Pad, 1, measure_pads},        {OP_Tile, 1, measure_extents},    {OP_ConstantOfShape, 0, measure_extents},
    {OP_OneHot, 1, measure_depth},    {OP_Resize, 3, measure_extents},  {OP_Reshape, 1, measure_reshape},
    {OP_Loop, 0, measure_trips},      {OP_Resize, 2, measure_scales},   {OP_CenterCropPad, 1, measure_crop},
    {OP_AffineGrid, 1, measure_grid}, {OP_Squeeze, 1, squeeze_by_call}, {OP_Unsqueeze, 1, unsqueeze_by_call},
    {OP_Col2Im, 1, blocks_by_call}};

static bool may_be_measured(Node *n) {
    if (n->graph->module->entry) return false;
    for (int i = 0; i < n->nin; i++) {
        n->in[i] = resolve(n->in[i]);
        if (n->in[i] && !type_known(in_type(n, i))) return false;
        if (!n->in[i] || n->op->measures) continue;
        measure_named(n->in[i]);
        if (n->in[i]->measured) n->in[i] = resolve(n->in[i]->measured);
    }
    for (int i = 0; i < n->op->in; i++)
        if (!input(n, i)) return false;
    return missing_input(n) < 0 && n->nin > 0 && n->in[0];
}

void measure_shape(Node *n) {
    if (!may_be_measured(n)) return;
    for (int k = 0; k < COUNT(shapes); k++)
        if (!is_gone(n) && n->op == &ops[shapes[k].op] && input(n, shapes[k].input))
            shapes[k].measure(n, shapes[k].input);
    if (!is_gone(n)) reduce_by_call(n);
    if (is_gone(n)) return;
    if (IS(n, Split)) split_by_call(n);
    if (IS(n, Concat)) agree_concat(n);
    if (IS(n, MatMul) || IS(n, Gemm)) agree_product(n);
    if (access_of(n->op) == ACCESS_ELEMENTWISE) agree_elementwise(n);
}

/* ---- outputs ---- */

/* The elements that there are, one after the other, and zeros behind them. */
static Value *filled(Node *at, Value *v, unsigned open) {
    Arena *a = at->graph->module->arena;
    const Type *t = &v->type;
    Str dims = {.arena = a};
    for (int k = 0; k < t->rank; k++) {
        if (open >> k & 1)
            put(&dims, "%s[%lld]", k ? ", " : "", (long long)t->dim[k].max);
        else
            put(&dims, "%sSlice(Shape(m), [%d], [%d], [0])", k ? ", " : "", k, k + 1);
    }
    const char *text = format(a,
                              "to = Concat(%s, axis = 0); all = ReduceProd(to, keepdims = 0); have = Size(m); "
                              "Reshape(Pad(Reshape(m, [-1]), Concat([0], Reshape(all - have, [1]), axis = 0)), to)",
                              dims.s);
    return build_text(at, text, 1, &v);
}

/* Another output, which the caller may leave out: how much of output `of` there is in a call. */
static Value *output_extent(Module *m, int of, unsigned open, int number) {
    Value *v = m->main->out[of];
    const char *name = format(m->arena, "%s.extent", port_name(v));
    Node *end = node_new(m->main, NULL, &ops[OP_Copy], 1, &v, 1, &name, v->def->loc);
    int64_t axes[MAX_RANK];
    int count = 0;
    for (int k = 0; k < v->type.rank; k++)
        if (open >> k & 1) axes[count++] = k;
    Value *at = count == 1 ? const_scalar(m, DT_i64, (double)axes[0]) : const_ints(m, count, axes);
    end->in[0] = build_text(end, "Gather(Shape(m), p)", 2, (Value *[]){v, at});
    infer_node(end);
    Value *y = filled(end, v, open);
    swap_names(m, v, y);
    set_output(m->main, of, y);
    say_extent(m, of, open, number);
    return end->out[0];
}

void output_extents(Module *m) {
    List out = {0};
    int count = m->main->nout;
    for (int i = 0; i < count; i++) set_output(m->main, i, resolve(m->main->out[i]));
    for (int i = 0; i < count; i++) push(m->arena, &out, NULL);
    for (int i = 0; i < count; i++) {
        const Value *v = m->main->out[i];
        unsigned open = 0;
        for (int k = 0; k < v->type.rank; k++) open |= (unsigned)is_computed(m, v->type.dim[k]) << k;
        if (open) push(m->arena, &out, output_extent(m, i, open, out.n));
    }
    for (int i = 0; i < count; i++) out.at[i] = m->main->out[i];
    set_outputs(m->main, &out);
}
