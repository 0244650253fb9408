/* fill.c - operators whose elements follow from their index, or from their own value alone. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

/* A diagonal's number, forced to where the matrix still has elements so that index sums cannot overflow. */
static Expr *diagonal(Lower *l, Expr *k, const Type *t) {
    return clamp(l, k, ix_sub(l, ix(l, 0), extent(l, t->dim[t->rank - 2])), extent(l, t->dim[t->rank - 1]));
}

Expr *at_trilu(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = &n->out[out]->type;
    Expr *i = idx[t->rank - 2], *j = idx[t->rank - 1], *k = ix(l, 0);
    if (input(n, 1)) k = let(l, "k", diagonal(l, cast(l, element_of(l, n->in[1]), DT_index), t));
    Expr *edge = ix_add(l, i, k), *one = ix(l, 1);
    Expr *kept = attr_i(n, "upper") ? ix_less(l, edge, ix_add(l, j, one)) : ix_less(l, j, ix_add(l, edge, one));
    return select_of(l, kept, value_at(l, n->in[0], idx), num(l, t->dtype, 0));
}

Expr *at_eye_like(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = &n->out[out]->type;
    Expr *k = diagonal(l, ix(l, attr_i(n, "k")), t);
    return cast(l, ix_equal(l, ix_add(l, idx[0], k), idx[1]), t->dtype);
}

Expr *at_range(Lower *l, Node *n, int out, Expr *const *idx) {
    DType t = n->out[out]->type.dtype;
    return add(l, element_of(l, n->in[0]), mul(l, cast(l, idx[0], t), element_of(l, n->in[2])));
}

Expr *at_constant_of_shape(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)idx;
    DType t = n->out[out]->type.dtype;
    const Tensor *v = attr(n, "value")->tensor;
    return v && v->count ? scalar_expr(l, compute_type(t), load_scalar(v->dtype, v->data)) : num(l, t, 0);
}

/* Extents that are fixed were folded long ago: this is for those known at run time. */
void lower_shape(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    int64_t start = attr_i(n, "start"), count = n->out[0]->type.dim[0].max;
    if (start < 0) start = start < -t->rank ? 0 : start + t->rank;
    for (int64_t i = 0; i < count; i++)
        store_flat(l, n->out[0], ix(l, i), cast(l, extent(l, t->dim[start + i]), DT_i64));
}

Expr *at_extent(Lower *l, Node *n, int out, Expr *const *idx) {
    Expr *at[MAX_RANK];
    (void)out, (void)idx;
    for (int i = 0; i < in_shape(n, 0)->rank; i++) at[i] = ix(l, i ? 0 : attr_i(n, "index"));
    return cast(l, load(l, n->in[0], at), DT_i64); /* from memory, whatever it is called */
}

Expr *at_size(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out, (void)idx;
    Expr *count = ix(l, 1);
    for (int i = 0; i < in_shape(n, 0)->rank; i++) count = ix_mul(l, count, extent(l, in_shape(n, 0)->dim[i]));
    return cast(l, count, DT_i64);
}

/* Compared in i64, so that no index outside the depth turns into one inside it; such ones give `off` (ONNX, OneHot). */
Expr *at_one_hot(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = &n->out[out]->type;
    int64_t axis = attr_axis(n, "axis", t->rank);
    Expr *in[MAX_RANK];
    for (int i = 0, k = 0; i < t->rank; i++)
        if (i != axis) in[k++] = idx[i];
    Expr *hot = let(l, "hot", cast(l, value_at(l, n->in[0], in), DT_i64));
    Expr *here = cast(l, idx[axis], DT_i64), *depth = cast(l, extent(l, t->dim[axis]), DT_i64);
    Expr *on = either(l, map2(l, OP_Equal, here, hot), map2(l, OP_Equal, here, add(l, hot, depth)));
    return select_of(l, on, value_at(l, n->in[2], (Expr *[]){ix(l, 1)}), value_at(l, n->in[2], (Expr *[]){ix(l, 0)}));
}
