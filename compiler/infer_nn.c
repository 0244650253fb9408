/* infer_nn.c - matrix products and normalisation. */
#include "infer.h"

static void differ(Node *n, Dim a, Dim b) {
    Arena *arena = n->graph->module->arena;
    problem(n, EXIT_INPUT, "inputs do not fit: %s is %s, %s is %s: %s against %s", arg_text(n, 0), in_text(n, 0), arg_text(n, 1),
            in_text(n, 1), dim_text(arena, a), dim_text(arena, b));
}

/* The type of an input to MatMul, vectors made matrices: a row on the left, a column on the right. */
static Type as_matrix(const Type *t, bool left) {
    Type m = *t;
    if (t->rank == 1) m = (Type){.dtype = t->dtype, .rank = 2, .dim = {left ? fixed(1) : t->dim[0], left ? t->dim[0] : fixed(1)}};
    return m;
}

void infer_matmul(Node *n) {
    if (!need_rank_from(n, 0, 1) || !need_rank_from(n, 1, 1)) return;
    const Type *left = in_type(n, 0), *right = in_type(n, 1);
    Type a = as_matrix(left, true), b = as_matrix(right, false), out;
    Dim rows = a.dim[a.rank - 2], k = a.dim[a.rank - 1], k2 = b.dim[b.rank - 2], cols = b.dim[b.rank - 1];
    if (!same_dim(k, k2)) { differ(n, k, k2); return; }
    a.rank -= 2, b.rank -= 2;
    Value va = {.name = n->in[0]->name, .type = a}, vb = {.name = n->in[1]->name, .type = b};
    if (!broadcast(n, 2, (Value *[]){&va, &vb}, &out)) return;
    if (left->rank > 1) out.dim[out.rank++] = rows;
    if (right->rank > 1) out.dim[out.rank++] = cols;
    set_shape(n, 0, out.rank, out.dim);
}

void infer_gemm(Node *n) {
    if (!need_rank(n, 0, 2) || !need_rank(n, 1, 2)) return;
    const Type *a = in_type(n, 0), *b = in_type(n, 1);
    int ta = attr_i(n, "transA") != 0, tb = attr_i(n, "transB") != 0;
    Type out = {.dtype = a->dtype, .rank = 2, .dim = {a->dim[ta], b->dim[1 - tb]}}, both;
    if (!same_dim(a->dim[1 - ta], b->dim[tb])) { differ(n, a->dim[1 - ta], b->dim[tb]); return; }
    Value result = {.name = "A * B", .type = out};
    if (input(n, 2) && (!broadcast(n, 2, (Value *[]){&result, n->in[2]}, &both) || !same_shape(&both, &out))) {
        problem(n, EXIT_INPUT, "%s is %s, which does not broadcast to %s", arg_text(n, 2), in_text(n, 2),
                type_text(n->graph->module->arena, &out));
        return;
    }
    set_shape(n, 0, 2, out.dim);
}

/* True if input i is a vector of one number for each channel of input 0. */
static bool is_per_channel(Node *n, int i) {
    const Type *x = in_type(n, 0), *t = in_type(n, i);
    if (t->rank == 1 && same_dim(t->dim[0], x->dim[1])) return true;
    problem(n, EXIT_INPUT, "%s is %s, expected one number for each of the %lld channels", arg_text(n, i), in_text(n, i),
            (long long)x->dim[1].max);
    return false;
}

void infer_channel_norm(Node *n) {
    if (!need_rank_from(n, 0, 2)) return;
    for (int i = 1; i < n->nin; i++)
        if (!is_per_channel(n, i)) return;
    infer_same(n);
    for (int i = 1; i < n->nout; i++) set_shape(n, i, 1, &in_type(n, 0)->dim[1]);
}
