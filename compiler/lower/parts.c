/* parts.c - pieces that many lowerings share: guards, indices read at run time, quantisation. */
#include "lower/parts.h"
#include "ir/build.h"
#include <math.h>

Expr *element_of(Lower *l, Value *v) {
    Expr *idx[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) idx[i] = ix(l, 0);
    return value_at(l, v, idx);
}

Expr *lowest(Lower *l, DType t) {
    return is_float(t) ? num(l, t, -(double)INFINITY) : scalar_expr(l, t, (Scalar){.i = dtype_min(t)});
}

Expr *highest(Lower *l, DType t) {
    return is_float(t) ? num(l, t, (double)INFINITY) : scalar_expr(l, t, (Scalar){.u = dtype_max(t)});
}

/* Not the rows Max and Min: those hand NaN on. */
Expr *clamp(Lower *l, Expr *e, Expr *lo, Expr *hi) {
    if (!is_float(e->dtype)) return map2(l, OP_Min, map2(l, OP_Max, e, lo), hi);
    Expr *x = let(l, "x", e);
    return select_of(l, greater(l, x, lo), select_of(l, less(l, x, hi), x, hi), lo);
}

Expr *clamp_index(Lower *l, Expr *e, Expr *size) { return clamp(l, e, ix(l, 0), ix_sub(l, size, ix(l, 1))); }

/* Whether every index in v is known and lies in [least, size). */
static bool known_within(const Value *v, int64_t least, Dim size) {
    if (!v->data || v->kind == V_PARAM || v->kind == V_STATE || size.symbol) return false;
    for (int64_t i = 0; i < v->data->count; i++) {
        int64_t at = get_i(v->data, i);
        if (at < least || at >= size.max) return false;
    }
    return true;
}

Expr *index_from(Lower *l, const char *name, Value *v, Expr *const *idx, Dim size) {
    Expr *i = cast(l, value_at(l, v, idx), DT_index), *n = extent(l, size);
    if (known_within(v, 0, size)) return let(l, name, i);
    i = let(l, name, i);
    i = select_of(l, ix_less(l, i, ix(l, 0)), ix_add(l, i, n), i);
    return let(l, name, known_within(v, -size.max, size) ? i : clamp_index(l, i, n));
}

Expr *open_dim(Lower *l, char letter, AxisKind kind, Dim d, int *opened) {
    if (is_unit(d)) return ix(l, 0);
    ++*opened;
    return open_for(l, format(l->arena, "%c", letter), kind, extent(l, d));
}

int open_dims(Lower *l, const Type *t, unsigned ordered, Expr **idx) {
    const char *letters = axis_letters(t->rank);
    int opened = 0;
    for (int i = 0; i < t->rank; i++)
        idx[i] = open_dim(l, letters[i], ordered >> i & 1 ? AX_SEQ : AX_PAR, t->dim[i], &opened);
    return opened;
}

void open_guard(Lower *l, Expr *cond, int *opened) {
    if (cond->kind == E_INT && cond->i) return;
    ++*opened;
    open_if(l, cond);
}

void close_blocks(Lower *l, int opened) {
    while (opened--) close_block(l);
}

void copy_value(Lower *l, Value *from, Value *to) {
    Expr *idx[MAX_RANK];
    open_loops(l, &to->type, NULL, idx);
    store(l, to, idx, value_at(l, from, idx));
    close_loops(l, &to->type);
}

void fill_with_zeros(Lower *l, Value *v) {
    Expr *idx[MAX_RANK];
    open_loops(l, &v->type, NULL, idx);
    store(l, v, idx, num(l, v->type.dtype, 0));
    close_loops(l, &v->type);
}

void add_to(Lower *l, Value *v, Expr *const *idx, Expr *e) { store(l, v, idx, add(l, load(l, v, idx), e)); }

Expr *less_zero_point(Lower *l, Expr *value, Expr *zero) {
    Expr *v = cast(l, value, DT_i32);
    return zero ? sub(l, v, cast(l, zero, DT_i32)) : v;
}

Expr *quant_param(Lower *l, Value *v, int rank, Expr *const *idx, int axis) {
    if (!v) return NULL;
    if (type_count(&v->type) == 1) return element_of(l, v);
    return v->type.rank == 1 ? value_at(l, v, &idx[axis]) : broadcast_at(l, v, rank, idx);
}

Expr *requantize(Lower *l, Expr *acc, Expr *scale, Expr *zero, DType to) {
    DType t = scale->dtype;
    Expr *y = map1(l, OP_Round, mul(l, cast(l, acc, t), scale));
    if (zero) y = add(l, y, cast(l, zero, t));
    return cast(l, y, to); /* which saturates */
}
