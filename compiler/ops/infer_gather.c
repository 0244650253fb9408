/* infer_gather.c - operators whose second input says which elements of the first to take or to replace. */
#include "ops/infer.h"

/* The rank of what is gathered, and its dims. */
static int gathered(Node *n, Dim *dim) {
    const Type *t = in_type(n, 0), *at = in_type(n, 1);
    int axis = (int)attr_axis(n, "axis", t->rank), rank = 0;
    for (int i = 0; i < axis; i++) dim[rank++] = t->dim[i];
    for (int i = 0; i < at->rank; i++) dim[rank++] = at->dim[i];
    for (int i = axis + 1; i < t->rank; i++) dim[rank++] = t->dim[i];
    return rank;
}

void infer_gather(Node *n) {
    Dim dim[2 * MAX_RANK];
    if (need_rank_from(n, 0, 1)) set_shape(n, 0, gathered(n, dim), dim);
}

void infer_gather_grad(Node *n) {
    Dim dim[2 * MAX_RANK];
    if (!need_rank_from(n, 0, 1)) return;
    int rank = gathered(n, dim);
    if (rank == in_type(n, 2)->rank && has_dims(n, 2, rank, dim))
        infer_same(n);
    else if (rank != in_type(n, 2)->rank)
        do_not_fit(n, 0, 2);
}

/* Whether input i has the rank of the data and, off the axis, no dim larger than its. */
static bool lies_within(Node *n, int i, int axis) {
    const Type *t = in_type(n, 0), *at = in_type(n, i);
    bool ok = t->rank == at->rank;
    for (int k = 0; k < t->rank && ok; k++) ok = k == axis || at->dim[k].max <= t->dim[k].max;
    if (!ok) do_not_fit(n, 0, i);
    return ok;
}

void infer_gather_elements(Node *n) {
    const Type *t = in_type(n, 0), *at = in_type(n, 1);
    if (!need_rank_from(n, 0, 1)) return;
    if (lies_within(n, 1, (int)attr_axis(n, "axis", t->rank))) set_shape(n, 0, at->rank, at->dim);
}

void infer_scatter_elements(Node *n) {
    if (!need_rank_from(n, 0, 1)) return;
    if (!lies_within(n, 1, (int)attr_axis(n, "axis", in_type(n, 0)->rank))) return;
    if (same_shape(in_type(n, 1), in_type(n, 2)))
        infer_same(n);
    else
        do_not_fit(n, 1, 2);
}

/* How many leading dims of the data an index of GatherND and ScatterND names; 0 after a problem(). */
static int index_depth(Node *n, int batch) {
    const Type *t = in_type(n, 0), *at = in_type(n, 1);
    if (!need_rank_from(n, 0, 1) || !need_rank_from(n, 1, 1) || !need_fixed(n, at->dim[at->rank - 1], arg_text(n, 1)))
        return 0;
    int64_t depth = at->dim[at->rank - 1].max;
    if (batch < at->rank && depth >= 1 && depth <= t->rank - batch) return (int)depth;
    do_not_fit(n, 0, 1);
    return 0;
}

void infer_gather_nd(Node *n) {
    const Type *t = in_type(n, 0), *at = in_type(n, 1);
    int64_t batch = attr_i(n, "batch_dims");
    int depth = index_depth(n, (int)batch), rank = 0;
    Dim dim[2 * MAX_RANK];
    if (!depth) return;
    for (int i = 0; i < batch; i++)
        if (!same_dim(t->dim[i], at->dim[i])) {
            do_not_fit(n, 0, 1);
            return;
        }
    for (int i = 0; i < at->rank - 1; i++) dim[rank++] = at->dim[i];
    for (int i = (int)batch + depth; i < t->rank; i++) dim[rank++] = t->dim[i];
    set_shape(n, 0, rank, dim);
}

void infer_scatter_nd(Node *n) {
    const Type *t = in_type(n, 0), *at = in_type(n, 1), *with = in_type(n, 2);
    int depth = index_depth(n, 0), rank = at->rank - 1;
    if (!depth) return;
    bool ok = with->rank == rank + t->rank - depth;
    for (int i = 0; i < with->rank && ok; i++)
        ok = same_dim(with->dim[i], i < rank ? at->dim[i] : t->dim[i - rank + depth]);
    if (ok)
        infer_same(n);
    else
        do_not_fit(n, 1, 2);
}
