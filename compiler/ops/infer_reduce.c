/* infer_reduce.c - operators that work along axes: reductions, positions, running sums, order. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"

void infer_reduction(Node *n) {
    const Type *t = in_type(n, 0);
    bool mask[MAX_RANK], keep = attr_i(n, "keepdims") != 0;
    Dim dim[MAX_RANK];
    int rank = 0;
    if (!known_axes(n, 1, t->rank, mask)) return;
    for (int i = 0; i < t->rank; i++)
        if (!mask[i])
            dim[rank++] = t->dim[i];
        else if (keep)
            dim[rank++] = fixed(1);
    set_shape(n, 0, rank, dim);
}

void infer_along_axis(Node *n) {
    if (!need_rank_from(n, 0, 1)) return;
    int before = n->graph->module->problems.n;
    attr_axis(n, "axis", in_type(n, 0)->rank);
    if (n->graph->module->problems.n == before) infer_same(n);
}

void infer_arg(Node *n) {
    const Type *t = in_type(n, 0);
    if (!need_rank_from(n, 0, 1)) return;
    int axis = (int)attr_axis(n, "axis", t->rank), rank = 0;
    Dim dim[MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        if (i != axis)
            dim[rank++] = t->dim[i];
        else if (attr_i(n, "keepdims"))
            dim[rank++] = fixed(1);
    if (t->dim[axis].max > 0)
        set_shape(n, 0, rank, dim);
    else
        problem(n, EXIT_INPUT, "expected elements along axis %d of %s, saw none", axis, in_text(n, 0));
}

/* The axis comes as a tensor of one number. */
void infer_cumulate(Node *n) {
    int64_t axis;
    int one;
    if (!need_rank_from(n, 0, 1) || !need_ints(n, 1, 1, &one, &axis)) return;
    if (one == 1 && axis_in(axis, in_type(n, 0)->rank) >= 0)
        infer_same(n);
    else
        problem(n, EXIT_INPUT, "axis: expected an axis of an input of rank %d, saw %lld", in_type(n, 0)->rank,
                (long long)(one ? axis : 0));
}

void infer_top_k(Node *n) {
    const Type *t = in_type(n, 0);
    Dim k;
    int one;
    if (!need_rank_from(n, 0, 1) || !need_dims(n, 1, 1, &one, &k)) return;
    int axis = (int)attr_axis(n, "axis", t->rank);
    Dim dim[MAX_RANK];
    memcpy(dim, t->dim, sizeof dim);
    if (one != 1 || dim_least(k) < 0 || !never_less(n->graph->module, t->dim[axis], k)) {
        problem(n, EXIT_INPUT, "K: expected from 0 to %lld, the extent of axis %d of %s, saw %s%s",
                (long long)dim_least(t->dim[axis]), axis, in_text(n, 0), one ? extent_text(n, k) : "none",
                fix_text(n, k.symbol ? k : dim[axis]));
        return;
    }
    dim[axis] = k;
    for (int i = 0; i < n->nout; i++) set_shape(n, i, t->rank, dim);
}
