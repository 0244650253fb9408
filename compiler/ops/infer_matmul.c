/* infer_matmul.c - matrix products. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_nn.h"

/* A vector on the left of a product is a row, on the right a column. */
static Type as_matrix(const Type *t, bool left) {
    if (t->rank > 1) return *t;
    return (Type){.dtype = t->dtype, .rank = 2, .dim = {left ? fixed(1) : t->dim[0], left ? t->dim[0] : fixed(1)}};
}

bool matmul_type(Node *n, int i, int j, Type *out) {
    if (!need_rank_from(n, i, 1) || !need_rank_from(n, j, 1)) return false;
    const Type *left = in_type(n, i), *right = in_type(n, j);
    Type a = as_matrix(left, true), b = as_matrix(right, false);
    Dim rows = a.dim[a.rank - 2], k = a.dim[a.rank - 1], k2 = b.dim[b.rank - 2], cols = b.dim[b.rank - 1];
    if (!same_dim(k, k2)) return dims_do_not_fit(n, i, j, k, k2);
    a.rank -= 2, b.rank -= 2;
    Value va = {.name = n->in[i]->name, .type = a}, vb = {.name = n->in[j]->name, .type = b};
    if (!broadcast(n, 2, (Value *[]){&va, &vb}, out)) return false;
    if (left->rank > 1) out->dim[out->rank++] = rows;
    if (right->rank > 1) out->dim[out->rank++] = cols;
    return true;
}

void infer_matmul(Node *n) {
    Type out;
    if (matmul_type(n, 0, 1, &out)) set_shape(n, 0, out.rank, out.dim);
}

void infer_gemm(Node *n) {
    if (!need_rank(n, 0, 2) || !need_rank(n, 1, 2)) return;
    const Type *a = in_type(n, 0), *b = in_type(n, 1);
    int ta = attr_i(n, "transA") != 0, tb = attr_i(n, "transB") != 0;
    Type out = {.dtype = a->dtype, .rank = 2, .dim = {a->dim[ta], b->dim[1 - tb]}};
    if (!same_dim(a->dim[1 - ta], b->dim[tb])) {
        dims_do_not_fit(n, 0, 1, a->dim[1 - ta], b->dim[tb]);
        return;
    }
    if (input(n, 2) && !broadcasts_to(n, 2, &out)) return;
    set_shape(n, 0, 2, out.dim);
}
