/* infer_gather.c - operators whose second input says which elements of the first to take or to replace. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"

/* Whether a node runs whenever the network does: not in a branch that a run may leave out. */
static bool always_runs(const Node *n) {
    const Graph *g = n->graph;
    for (; g->outer && g->owner; g = g->owner->graph)
        if (!IS(g->owner, If) || !is_known(g->owner->in[0])) return false;
    return !g->outer;
}

/* Indices that are known lie within the axes that they name, one after the other from `axis` on: "It is an error if any
 * of the index values are out of bounds." Those that only a run knows are clamped. */
static void check_indices(Node *n, int axis, int depth) {
    const Value *v = n->in[1];
    if (!v->data || v->kind == V_PARAM || v->kind == V_STATE || !always_runs(n)) return;
    int64_t wrong = 0, first = 0;
    for (int64_t i = 0; i < v->data->count; i++) {
        int64_t extent = in_type(n, 0)->dim[axis + i % depth].max, at = get_i(v->data, i);
        if (at >= -extent && at < extent) continue;
        if (!wrong++) first = i;
    }
    if (!wrong) return;
    int k = axis + (int)(first % depth);
    int64_t extent = in_type(n, 0)->dim[k].max;
    const char *more = wrong > 1 ? format(n->graph->module->arena, "; %lld more are", (long long)wrong - 1) : "";
    problem(n, EXIT_INPUT, "element %lld of %s is %lld, out of range: dim %d of %s, %s, has the extent %lld%s",
            (long long)first, arg_text(n, 1), (long long)get_i(v->data, first), k, arg_text(n, 0), in_text(n, 0),
            (long long)extent, more);
}

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
    if (!need_rank_from(n, 0, 1)) return;
    set_shape(n, 0, gathered(n, dim), dim);
    check_indices(n, (int)attr_axis(n, "axis", in_type(n, 0)->rank), 1);
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
    int axis = (int)attr_axis(n, "axis", t->rank);
    if (!lies_within(n, 1, axis)) return;
    set_shape(n, 0, at->rank, at->dim);
    check_indices(n, axis, 1);
}

void infer_scatter_elements(Node *n) {
    if (!need_rank_from(n, 0, 1)) return;
    int axis = (int)attr_axis(n, "axis", in_type(n, 0)->rank);
    if (!lies_within(n, 1, axis)) return;
    check_indices(n, axis, 1);
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
    check_indices(n, (int)batch, depth);
}

void infer_scatter_nd(Node *n) {
    const Type *t = in_type(n, 0), *at = in_type(n, 1), *with = in_type(n, 2);
    int depth = index_depth(n, 0), rank = at->rank - 1;
    if (!depth) return;
    check_indices(n, 0, depth);
    bool ok = with->rank == rank + t->rank - depth;
    for (int i = 0; i < with->rank && ok; i++)
        ok = same_dim(with->dim[i], i < rank ? at->dim[i] : t->dim[i - rank + depth]);
    if (ok)
        infer_same(n);
    else
        do_not_fit(n, 1, 2);
}
