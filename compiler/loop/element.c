/* element.c - where the elements of a tensor lie, and what loads them. */
#include "ir/build.h"
#include "ir/storage.h"
#include "loop/expr.h"

Expr *load_flat(Lower *l, Value *v, Expr *index) {
    if (v->data && v->kind == V_CONST && v->data->count == 1 && is_dense(v)) /* a halo around it holds zeros */
        return scalar_expr(l, compute_type(v->type.dtype), load_scalar(v->type.dtype, v->data->data));
    return intern_expr(
        l, (Expr){.kind = E_LOAD, .dtype = compute_type(v->type.dtype), .n = 1, .arg = {index}, .value = v});
}

/* Dense tensors are packed at the extents of the call; others have room for the greatest. */
static Expr *step_in(Lower *l, const Value *v, int dim) {
    Expr *step = ix(l, 1);
    if (!is_dense(v)) return ix(l, step_of(v, dim));
    for (int i = v->type.rank - 1; i > dim; i--) step = ix_mul(l, step, extent(l, v->type.dim[i]));
    return step;
}

Expr *flat_index(Lower *l, const Value *v, Expr *const *idx) {
    Expr *e = ix(l, 0);
    for (int i = v->type.rank - 1; i >= 0; i--) {
        Expr *at = ix_add(l, idx[i], ix(l, v->layout.halo ? v->layout.halo[2 * i] : 0));
        if (v->layout.block && v->layout.block[0] == i) {
            Expr *size = ix(l, v->layout.block[1]);
            e = ix_add(l, ix_mul(l, ix_div(l, at, size), ix(l, v->layout.block[2])), e);
            at = ix_mod(l, at, size);
        }
        e = ix_add(l, ix_mul(l, at, step_in(l, v, i)), e);
    }
    return e;
}

Expr *load(Lower *l, Value *v, Expr *const *idx) { return load_flat(l, v, flat_index(l, v, idx)); }

Expr *load_bits_flat(Lower *l, Value *v, Expr *index) {
    DType t = bits_type(v->type.dtype);
    return intern_expr(l, (Expr){.kind = E_LOAD, .dtype = t, .bits = true, .n = 1, .arg = {index}, .value = v});
}

Expr *load_char_flat(Lower *l, Value *v, Expr *index, Expr *at) {
    return intern_expr(l, (Expr){.kind = E_LOAD, .dtype = DT_u8, .n = 2, .arg = {index, at}, .value = v});
}

Expr *load_bits(Lower *l, Value *v, Expr *const *idx) { return load_bits_flat(l, v, flat_index(l, v, idx)); }

Expr *local_at(Lower *l, Local *a, Expr *index) {
    return intern_expr(l, (Expr){.kind = E_LOCAL, .dtype = a->dtype, .n = 1, .arg = {index}, .local = a});
}
