/* builtins.c - the functions of the definition language that read shapes and types. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <math.h>

static int64_t axis_of(Decomposition *g, const Value *v, Item axis) {
    int64_t i = axis.kind == I_INT ? axis.i : 0, rank = v->type.rank;
    if (axis.kind != I_INT) wrong_decomposition(g, "expected an axis");
    return i < 0 ? i + rank : i;
}

Item ints_item(Decomposition *g, int n, const int64_t *v) {
    return (Item){.kind = I_INTS, .n = n, .ints = arena_copy(g->arena, v, sizeof *v * (size_t)n)};
}

static Item axis_range(Decomposition *g, int64_t from, int64_t to) {
    int64_t v[MAX_RANK];
    int n = 0;
    for (int64_t i = from < 0 ? 0 : from; i < to && n < MAX_RANK; i++) v[n++] = i;
    return ints_item(g, n, v);
}

static Item help_has(Decomposition *g, const Item *x, int n) {
    (void)g, (void)n;
    return an_int(x[0].kind != I_NONE && !x[0].unset);
}
static Item help_rank(Decomposition *g, const Item *x, int n) {
    (void)g, (void)n;
    return an_int(x[0].v->type.rank);
}
static Item help_axes_from(Decomposition *g, const Item *x, int n) {
    (void)n;
    return axis_range(g, axis_of(g, x[0].v, x[1]), x[0].v->type.rank);
}
static Item help_axes_to(Decomposition *g, const Item *x, int n) {
    (void)n;
    return axis_range(g, 0, axis_of(g, x[0].v, x[1]));
}
static Item help_spatial_axes(Decomposition *g, const Item *x, int n) {
    (void)n;
    return axis_range(g, 2, x[0].v->type.rank);
}
static Item help_lowest(Decomposition *g, const Item *x, int n) {
    (void)g, (void)n;
    return is_float((DType)x[0].i) ? (Item){.kind = I_FLOAT, .f = -(double)INFINITY} : an_int(dtype_min((DType)x[0].i));
}
static Item help_highest(Decomposition *g, const Item *x, int n) {
    (void)g, (void)n;
    return is_float((DType)x[0].i) ? (Item){.kind = I_FLOAT, .f = (double)INFINITY}
                                   : an_int((int64_t)dtype_max((DType)x[0].i));
}

/* A dim with a run-time symbol has no number: what needs one is a fault of the row's rule, caught before. */
static Item help_dim(Decomposition *g, const Item *x, int n) {
    (void)n;
    int64_t axis = axis_of(g, x[0].v, x[1]);
    if (axis < 0 || axis >= x[0].v->type.rank) {
        wrong_decomposition(g, "axis out of range");
        return an_int(1);
    }
    return an_int(x[0].v->type.dim[axis].max);
}

/* What was there before an operator's own steps made v of it, element by element: to ask v itself for its shape would
 * keep it in memory. */
static Value *source_of_shape(const Node *n, Value *v) {
    const char *origin = n ? node_origin(n) : "";
    while (v->kind == V_NODE && v->def->origin && !strcmp(v->def->origin, origin) &&
           access_of(v->def->op) == ACCESS_ELEMENTWISE) {
        Value *from = NULL;
        for (int i = 0; i < v->def->nin && !from; i++)
            if (v->def->in[i] && same_shape(in_type(v->def, i), &v->type)) from = resolve(v->def->in[i]);
        if (!from) break;
        v = from;
    }
    return v;
}

/* The extents of the axes in `mask`, multiplied, and times a number. */
static Item runtime_count(Decomposition *g, Value *v, const bool *mask, int64_t times) {
    Item total = {.kind = I_NONE};
    for (int i = 0; i < v->type.rank; i++) {
        if (!mask[i]) continue;
        Item shape = call_row(g, OP_Shape, (Item[]){a_value(source_of_shape(g->node, v))}, 1);
        Item dim = call_row(g, OP_Gather, (Item[]){shape, a_value(const_scalar(g->m, DT_i64, i))}, 2);
        total = total.kind == I_NONE ? dim : call_row(g, OP_Mul, (Item[]){total, dim}, 2);
    }
    if (times != 1) total = call_row(g, OP_Mul, (Item[]){total, a_value(const_scalar(g->m, DT_i64, times))}, 2);
    Node *cast = build_call(g, &ops[OP_Cast], &total, 1);
    set_attr_i(cast, "to", dtypes[is_float(v->type.dtype) ? v->type.dtype : DT_f32].onnx);
    return item_of(g, cast);
}

/* Elements over some axes; an axis whose extent is only known at run time makes it a value. */
static Item help_count(Decomposition *g, const Item *x, int n) {
    Value *v = x[0].v;
    bool mask[MAX_RANK] = {false}, symbolic = false;
    int64_t count = 1, axes[MAX_RANK];
    int naxes = 0;
    if (g->dry) return an_int(1);
    if (n < 2 || x[1].kind == I_NONE)
        for (; naxes < v->type.rank; naxes++) axes[naxes] = naxes;
    else if (x[1].kind == I_INT)
        axes[naxes++] = axis_of(g, v, x[1]);
    else if (x[1].kind == I_INTS)
        for (; naxes < x[1].n && naxes < MAX_RANK; naxes++) axes[naxes] = axis_of(g, v, an_int(x[1].ints[naxes]));
    else if (!known_ints(x[1].v, MAX_RANK, &naxes, axes))
        wrong_decomposition(g, "expected known axes");
    for (int i = 0; i < naxes; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + v->type.rank : axes[i];
        if (axis < 0 || axis >= v->type.rank) continue;
        mask[axis] = true;
    }
    for (int i = 0; i < v->type.rank; i++)
        if (mask[i]) count *= v->type.dim[i].max, symbolic = symbolic || v->type.dim[i].symbol;
    return symbolic ? runtime_count(g, v, mask, 1) : an_int(count);
}

/* A vector reshaped so that it broadcasts along one axis of another tensor. */
static Item help_along(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry) return any_value(g);
    int64_t axis = axis_of(g, x[1].v, x[2]), dims[MAX_RANK];
    int rank = (int)(x[1].v->type.rank - axis);
    if (x[0].v->type.rank == 0 || rank <= 1) return x[0];
    dims[0] = -1;
    for (int i = 1; i < rank; i++) dims[i] = 1;
    return call_row(g, OP_Reshape, (Item[]){x[0], ints_item(g, rank, dims)}, 2);
}

static Item help_cast(Decomposition *g, const Item *x, int n) {
    if (g->dry) return any_value(g);
    DType to = x[1].kind == I_STR     ? find_dtype(x[1].s)
               : x[1].kind == I_TYPE  ? (DType)x[1].i
               : x[1].kind == I_VALUE ? x[1].v->type.dtype
                                      : dtype_of_onnx(x[1].i);
    if (to == DT_none) wrong_decomposition(g, "cast to an unknown type");
    if (is_number(x[0])) return a_value(const_scalar(g->m, to, item_number(x[0])));
    if (x[0].kind == I_VALUE && x[0].v->type.dtype == to) return x[0];
    Node *c = build_call(g, &ops[OP_Cast], x, 1);
    set_attr_i(c, "to", dtypes[to].onnx);
    if (n > 2) set_attr_i(c, "saturate", (int64_t)item_number(x[2]));
    return item_of(g, c);
}

static Item help_type(Decomposition *g, const Item *x, int n) {
    (void)n, (void)g;
    return (Item){.kind = I_STR, .s = dtypes[x[0].v->type.dtype].name};
}

static Item help_kind(Decomposition *g, const Item *x, int n) {
    (void)n;
    DType t = x[0].kind == I_TYPE ? (DType)x[0].i : x[0].v->type.dtype;
    return (Item){.kind = I_STR, .s = format(g->arena, "%c", kind_letter(t))};
}

static bool elements_of(Decomposition *g, const Type *t, Dim *all) {
    *all = (Dim){.max = 1};
    for (int i = 0; i < t->rank; i++)
        if (!dim_mul(g->m, *all, t->dim[i], all)) return false;
    return true;
}

/* The axes with extents of the run whose product a number of elements is, and how many times that. */
static bool times_axes(Module *m, Value *v, Dim each, bool *mask, int64_t *times) {
    for (int i = 0; i < v->type.rank && each.symbol; i++)
        mask[i] = v->type.dim[i].symbol && dim_div(m, each, v->type.dim[i], &each);
    *times = each.max;
    return !each.symbol;
}

/* Elements of one tensor over those of another: what a mean divides by. An extent of the run that both have is not in
 * it. */
static Item help_ratio(Decomposition *g, const Item *x, int n) {
    Dim all, some, each;
    bool mask[MAX_RANK] = {false};
    int64_t times;
    (void)n;
    if (g->dry) return an_int(1);
    if (elements_of(g, &x[0].v->type, &all) && elements_of(g, &x[1].v->type, &some) &&
        dim_div(g->m, all, some, &each)) {
        if (!each.symbol) return an_int(each.max);
        if (times_axes(g->m, x[0].v, each, mask, &times)) return runtime_count(g, x[0].v, mask, times);
    }
    Item a = help_count(g, x, 1), b = help_count(g, x + 1, 1);
    if (a.kind == I_INT && b.kind == I_INT) return b.i ? an_int(a.i / b.i) : an_int(0);
    DType t = is_float(x[0].v->type.dtype) ? x[0].v->type.dtype : DT_f32;
    if (a.kind == I_INT) a = a_value(const_scalar(g->m, t, item_number(a)));
    return call_row(g, OP_Div, (Item[]){a, b}, 2);
}

static Item help_axes_but(Decomposition *g, const Item *x, int n) {
    (void)n;
    int64_t v[MAX_RANK], axis = axis_of(g, x[0].v, x[1]);
    int count = 0;
    for (int i = 0; i < x[0].v->type.rank; i++)
        if (i != axis) v[count++] = i;
    return ints_item(g, count, v);
}

/* Half-precision tensors compute in f32. */
static Item help_wide(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry) return x[0];
    DType t = compute_type(x[0].v->type.dtype);
    return help_cast(g, (Item[]){x[0], {.kind = I_TYPE, .i = t}}, 2);
}

/* The one known integer that a value is, or what stands for one that is not known. */
static Item help_number(Decomposition *g, const Item *x, int n) {
    int64_t i;
    int count;
    (void)g, (void)n;
    return !g->dry && known_ints(x[0].v, 1, &count, &i) && count == 1 ? an_int(i) : x[1];
}

static Item help_omitted(Decomposition *g, const Item *x, int n) {
    (void)g, (void)x, (void)n;
    return a_value(NULL);
}

/* What inputs and attributes must have in common; what is built of others is not typed. */
static Item help_expect(Decomposition *g, const Item *x, int n) {
    (void)n;
    if (g->dry || item_number(x[0]) != 0) return an_int(1);
    problem(g->node, EXIT_INPUT, "expected %s", x[1].s);
    g->dry = true;
    return an_int(0);
}

const Helper helpers[] = {
    {"has", 1, 1, help_has},
    {"rank", 1, 1, help_rank},
    {"dim", 2, 2, help_dim},
    {"count", 1, 2, help_count},
    {"axes_from", 2, 2, help_axes_from},
    {"axes_to", 2, 2, help_axes_to},
    {"spatial_axes", 1, 1, help_spatial_axes},
    {"along", 3, 3, help_along},
    {"lowest", 1, 1, help_lowest},
    {"highest", 1, 1, help_highest},
    {"cast", 2, 3, help_cast},
    {"type", 1, 1, help_type},
    {"kind", 1, 1, help_kind},
    {"ratio", 2, 2, help_ratio},
    {"axes_but", 2, 2, help_axes_but},
    {"wide", 1, 1, help_wide},
    {"number", 2, 2, help_number},
    {"omitted", 0, 0, help_omitted},
    {"expect", 2, 2, help_expect},
    {"sum_to", 2, 2, help_sum_to},
    {"spread", 1, 1, help_spread},
    {"zeros", 1, 1, help_zeros},
    {"swapped", 1, 1, help_swapped},
    {"unpermuted", 1, 1, help_unpermuted},
    {"offset", 1, 1, help_offset},
    {"joined", 1, 1, help_joined},
    {"unpadded", 1, 1, help_unpadded},
    {"unresized", 1, 1, help_unresized},
    {"unsliced", 1, 1, help_unsliced},
    {"untiled", 1, 1, help_untiled},
    {"window_pads", 0, 0, help_window_pads},
    {"extent", 2, 2, help_extent},
    {"numbers", 1, 1, help_numbers},
    {"with_batch", 2, 2, help_with_batch},
    {"cofactors", 1, 1, help_cofactors},
    {"dft_axis", 0, 0, help_dft_axis},
    {"dft_length", 0, 0, help_dft_length},
    {"frame_step", 0, 0, help_frame_step},
    {"frame_length", 0, 0, help_frame_length},
    {"unsummed", 1, 1, help_unsummed},
    {"inputs", 0, 0, help_inputs},
    {"place", 0, 0, help_place},
    {"ties", 0, 0, help_ties},
    {"unsupported", 1, 1, help_unsupported},
    {NULL, 0, 0, NULL},
};
