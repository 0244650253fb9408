/* index.c - Gather, Scatter and their kin: indices that are read at run time. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"
#include <strings.h>

/* Nothing has no elements to name: what is read from it is 0, and nothing is written to it. */

/* ---- reading ---- */

Expr *at_gather(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank), q = in_shape(n, 1)->rank;
    Expr *in[MAX_RANK];
    if (is_empty(n, 0)) return num(l, t->dtype, 0);
    for (int i = 0; i < t->rank; i++)
        in[i] = i < axis ? idx[i] : i > axis ? idx[i + q - 1] : index_from(l, "at", n->in[1], idx + axis, t->dim[axis]);
    return value_at(l, n->in[0], in);
}

Expr *at_gather_elements(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank);
    Expr *in[MAX_RANK];
    if (is_empty(n, 0)) return num(l, t->dtype, 0);
    for (int i = 0; i < t->rank; i++) in[i] = i == axis ? index_from(l, "at", n->in[1], idx, t->dim[axis]) : idx[i];
    return value_at(l, n->in[0], in);
}

/* The indices that the innermost dim of v holds at idx (its other dims): those of dims `first` on of a tensor of type
 * t. */
static void read_tuple(Lower *l, Value *v, Expr *const *idx, const Type *t, int first, Expr **in) {
    int q = v->type.rank;
    Expr *at[MAX_RANK];
    for (int i = 0; i < q - 1; i++) at[i] = idx[i];
    for (int k = 0; k < v->type.dim[q - 1].max; k++) {
        at[q - 1] = ix(l, k);
        in[first + k] = index_from(l, "at", v, at, t->dim[first + k]);
    }
}

Expr *at_gather_nd(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *t = in_shape(n, 0), *it = in_shape(n, 1);
    int batch = (int)attr_i(n, "batch_dims"), q = it->rank, k = (int)it->dim[q - 1].max;
    Expr *in[MAX_RANK];
    if (is_empty(n, 0)) return num(l, t->dtype, 0);
    for (int i = 0; i < batch; i++) in[i] = idx[i];
    read_tuple(l, n->in[1], idx, t, batch, in);
    for (int i = batch + k; i < t->rank; i++) in[i] = idx[q - 1 + i - batch - k];
    return value_at(l, n->in[0], in);
}

/* ---- writing: a copy of the data, then the updates over it ---- */

/* "add", "mul", "max", "min": the row of that name; -1 for "none". */
static int combined_by(const char *reduction) {
    for (int i = 0; i < n_ops; i++)
        if (ops[i].sum && !strcasecmp(ops[i].name, reduction)) return i;
    return -1;
}

/* Stores an update, or what the node's reduction makes of it and the element already there. */
static void store_update(Lower *l, Node *n, Expr *const *idx, Expr *update) {
    int op = combined_by(attr_s(n, "reduction"));
    if (op >= 0) update = map2(l, op, load(l, n->out[0], idx), update);
    store(l, n->out[0], idx, update);
}

/* Updates along the axis may have the same index, so they keep their order; elsewhere they cannot. */
void lower_scatter_elements(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank);
    Expr *idx[MAX_RANK], *to[MAX_RANK];
    if (is_empty(n, 0)) return;
    copy_value(l, n->in[0], n->out[0]);
    int opened = open_dims(l, in_shape(n, 1), 1u << axis, idx);
    for (int i = 0; i < t->rank; i++) to[i] = i == axis ? index_from(l, "at", n->in[1], idx, t->dim[axis]) : idx[i];
    store_update(l, n, to, value_at(l, n->in[2], idx));
    close_blocks(l, opened);
}

void lower_scatter_nd(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0), *it = in_shape(n, 1);
    int q = it->rank, k = (int)it->dim[q - 1].max;
    Expr *idx[MAX_RANK], *to[MAX_RANK];
    if (is_empty(n, 0)) return;
    copy_value(l, n->in[0], n->out[0]);
    int opened = open_dims(l, in_shape(n, 2), (1u << (q - 1)) - 1, idx);
    read_tuple(l, n->in[1], idx, t, 0, to);
    for (int i = k; i < t->rank; i++) to[i] = idx[q - 1 + i - k];
    store_update(l, n, to, value_at(l, n->in[2], idx));
    close_blocks(l, opened);
}

/* A cache whose rows from write_indices[batch] on are replaced; "circular" wraps at its end. */
void lower_tensor_scatter(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank);
    bool circular = !strcmp(attr_s(n, "mode"), "circular");
    Expr *idx[MAX_RANK], *size = extent(l, t->dim[axis]);
    if (is_empty(n, 0)) return;
    copy_value(l, n->in[0], n->out[0]);
    int opened = open_dims(l, in_shape(n, 1), circular ? 1u << axis : 0, idx);
    Expr *update = value_at(l, n->in[1], idx), *start = ix(l, 0);
    if (input(n, 2)) start = index_from(l, "start", n->in[2], idx, t->dim[axis]);
    idx[axis] = ix_add(l, start, idx[axis]);
    if (circular)
        idx[axis] = ix_mod(l, idx[axis], size);
    else
        open_guard(l, ix_less(l, idx[axis], size), &opened);
    store(l, n->out[0], idx, update);
    close_blocks(l, opened);
}
