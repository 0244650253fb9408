/* infer_grad.c - operators that only training brings along. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_nn.h"
#include "ops/rules_shape.h"

/* Whether input g is shaped as the result that the operator itself, by `rule`, has for the inputs before it. */
static bool is_upstream(Node *n, int g, void (*rule)(Node *)) {
    int said = n->graph->module->problems.n;
    Value y = {.type = {.dtype = DT_none, .rank = -1}}, *out = &y;
    Node forward = *n;
    forward.out = &out, forward.nout = 1, forward.nin = g;
    if (!input(n, g)) {
        problem(n, EXIT_INPUT, "%s is missing", arg_text(n, g));
        return false;
    }
    rule(&forward);
    if (n->graph->module->problems.n > said || !type_known(&y.type)) return false;
    return has_dims(n, g, y.type.rank, y.type.dim);
}

void infer_grid_sample_grad(Node *n) {
    int like = IS(n, GridGrad);
    if (is_upstream(n, 2, infer_grid_sample)) set_shape(n, 0, in_type(n, like)->rank, in_type(n, like)->dim);
}

void infer_deform_columns_grad(Node *n) {
    int like = IS(n, DeformOffsetGrad) ? 1 : IS(n, DeformMaskGrad) ? 2 : 0;
    if (!is_upstream(n, 3, infer_deform_columns)) return;
    if (input(n, like))
        set_shape(n, 0, in_type(n, like)->rank, in_type(n, like)->dim);
    else
        problem(n, EXIT_INPUT, "%s is missing", arg_text(n, like));
}

/* Along the axis dY is as the result, and dX as the input. */
void infer_resize_grad(Node *n) {
    Resized r;
    Dim dim[MAX_RANK];
    if (!input(n, 4)) {
        problem(n, EXIT_INPUT, "%s is missing", arg_text(n, 4));
        return;
    }
    const Type *x = in_type(n, 0), *g = in_type(n, 4);
    if (!resized(n, &r)) return;
    int64_t axis = attr_axis(n, "axis", x->rank);
    memcpy(dim, g->dim, sizeof dim);
    if (x->rank != g->rank || !same_dim(g->dim[axis], r.dim[axis])) {
        do_not_fit(n, 0, 4);
        return;
    }
    dim[axis] = x->dim[axis];
    set_shape(n, 0, g->rank, dim);
}

static void infer_upstream(Node *n, int g, void (*rule)(Node *)) {
    if (is_upstream(n, g, rule)) infer_same(n);
}

void infer_max_unpool_grad(Node *n) { infer_upstream(n, 3, infer_max_unpool); }
void infer_roi_align_grad(Node *n) { infer_upstream(n, 3, infer_roi_align); }
void infer_col2im_grad(Node *n) { infer_upstream(n, 3, infer_col2im); }
void infer_cumulate_grad(Node *n) { infer_upstream(n, 2, infer_cumulate); }

/* Where the first and the last element of every dim of the slice came from. */
void infer_slice_grad(Node *n) {
    const Type *x = in_type(n, 0), *g = in_type(n, 1);
    const int64_t *begin = attr(n, "begins")->ints, *step = attr(n, "steps")->ints;
    bool ok = g->rank == x->rank;
    for (int i = 0; i < x->rank && ok; i++) {
        int64_t last, all = x->dim[i].max, count = g->dim[i].max;
        if (same_dim(x->dim[i], g->dim[i]) && begin[i] == 0 && step[i] == 1) continue;
        ok = step[i] && (!count || (begin[i] >= 0 && begin[i] < all && mul_ok(count - 1, step[i], &last) &&
                                    add_ok(begin[i], last, &last) && last >= 0 && last < all));
    }
    if (ok)
        infer_same(n);
    else
        do_not_fit(n, 0, 1);
}

void infer_random_drop(Node *n) {
    double ratio = attr_f(n, "ratio");
    if (!(ratio >= 0 && ratio < 1))
        problem(n, EXIT_INPUT, "ratio: expected at least 0 and less than 1, saw %g", ratio);
    else if (need_rng(n))
        infer_same(n);
}

/* It has no result that could be read: the target is the result. */
void infer_assign(Node *n) {
    if (n->in[0]->kind != V_PARAM && n->in[0]->kind != V_STATE)
        problem(n, EXIT_INPUT, "%s: expected a parameter or a state", arg_text(n, 0));
    else if (broadcasts_to(n, 1, in_type(n, 0)))
        infer_same(n);
}

void infer_batch_statistics(Node *n) {
    if (!need_rank_from(n, 0, 2)) return;
    for (int i = 0; i < n->nout; i++) set_shape(n, i, 1, &in_type(n, 0)->dim[1]);
}
