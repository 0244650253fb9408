/* matmul.c - matrix products, in floats and in exact integers, and the determinant. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* ---- products of stacks of matrices ---- */

/* The index of an operand whose last two dims are at (row, col): a vector has but one of them, and the dims before are
 * aligned with the result's first `batch` and broadcast. */
static void operand_at(Lower *l, const Type *t, int batch, Expr *const *idx, Expr *row, Expr *col, Expr **in) {
    for (int i = 0; i < t->rank - 2; i++) in[i] = is_unit(t->dim[i]) ? ix(l, 0) : idx[batch - (t->rank - 2) + i];
    if (t->rank > 1) in[t->rank - 2] = row;
    in[t->rank - 1] = col;
}

/* Where the result's element lies: the row of a and the column of b. */
typedef struct {
    const Type *a, *b;
    int batch;
    Expr *const *idx;
    Expr *row, *col;
} MatrixProduct;

static MatrixProduct product_of(const Node *n, int a, int b, Expr *const *idx) {
    MatrixProduct p = {.a = in_shape(n, a), .b = in_shape(n, b), .idx = idx};
    int rank = n->out[0]->type.rank;
    p.batch = rank - (p.a->rank > 1) - (p.b->rank > 1);
    p.row = p.a->rank > 1 ? idx[p.batch] : NULL;
    p.col = p.b->rank > 1 ? idx[rank - 1] : NULL;
    return p;
}

static void index_a(Lower *l, const MatrixProduct *p, Expr *k, Expr **in) {
    operand_at(l, p->a, p->batch, p->idx, p->row, k, in);
}
static void index_b(Lower *l, const MatrixProduct *p, Expr *k, Expr **in) {
    operand_at(l, p->b, p->batch, p->idx, k, p->b->rank > 1 ? p->col : k, in);
}

Expr *at_matmul(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    MatrixProduct p = product_of(n, 0, 1, idx);
    DType t = computed(n, 0);
    Expr *acc = var(l, "acc", t, num(l, t, 0)), *ia[MAX_RANK], *ib[MAX_RANK];
    int opened = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, p.a->dim[p.a->rank - 1], &opened);
    index_a(l, &p, k, ia), index_b(l, &p, k, ib);
    set(l, acc, add(l, acc, mul(l, value_at(l, n->in[0], ia), value_at(l, n->in[1], ib))));
    close_blocks(l, opened);
    return acc;
}

/* alpha * A * B + beta * C; a bias that is not scaled is what the sum begins with. */
Expr *at_gemm(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    DType t = computed(n, 0);
    bool ta = attr_i(n, "transA") != 0, tb = attr_i(n, "transB") != 0;
    double alpha = attr_f(n, "alpha"), beta = attr_f(n, "beta");
    Expr *c = input(n, 2) && beta != 0 ? broadcast_at(l, n->in[2], 2, idx) : NULL;
    bool first = c && alpha == 1 && beta == 1;
    Expr *acc = var(l, "acc", t, first ? c : num(l, t, 0));
    int opened = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, in_shape(n, 0)->dim[!ta], &opened);
    Expr *a = value_at(l, n->in[0], (Expr *[]){ta ? k : idx[0], ta ? idx[0] : k});
    Expr *b = value_at(l, n->in[1], (Expr *[]){tb ? idx[1] : k, tb ? k : idx[1]});
    set(l, acc, add(l, acc, mul(l, a, b)));
    close_blocks(l, opened);
    Expr *y = alpha == 1 ? acc : mul(l, acc, num(l, t, alpha));
    if (!c || first) return y;
    return add(l, y, beta == 1 ? c : mul(l, c, num(l, t, beta)));
}

/* ---- integers ---- */

/* The exact i32 sum of (a - a_zero) * (b - b_zero); zero points are one per tensor, per row of a, per column of b. */
static Expr *integer_product(Lower *l, const MatrixProduct *p, Value *a, Value *a_zero, Value *b, Value *b_zero) {
    Expr *ia[MAX_RANK], *ib[MAX_RANK];
    index_a(l, p, ix(l, 0), ia), index_b(l, p, ix(l, 0), ib);
    Expr *za = quant_param(l, a_zero, p->a->rank, ia, p->a->rank - 2),
         *zb = quant_param(l, b_zero, p->b->rank, ib, p->b->rank - 1);
    Expr *acc = var(l, "acc", DT_i32, num(l, DT_i32, 0));
    int opened = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, p->a->dim[p->a->rank - 1], &opened);
    index_a(l, p, k, ia), index_b(l, p, k, ib);
    Expr *x = less_zero_point(l, value_at(l, a, ia), za), *w = less_zero_point(l, value_at(l, b, ib), zb);
    set(l, acc, add(l, acc, mul(l, x, w)));
    close_blocks(l, opened);
    return acc;
}

Expr *at_matmul_integer(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    MatrixProduct p = product_of(n, 0, 1, idx);
    return integer_product(l, &p, n->in[0], input(n, 2), n->in[1], input(n, 3));
}

Expr *at_qlinear_matmul(Lower *l, Node *n, int out, Expr *const *idx) {
    MatrixProduct p = product_of(n, 0, 3, idx);
    Expr *ia[MAX_RANK], *ib[MAX_RANK];
    index_a(l, &p, ix(l, 0), ia), index_b(l, &p, ix(l, 0), ib);
    Expr *acc = integer_product(l, &p, n->in[0], n->in[2], n->in[3], n->in[5]);
    Expr *a_scale = quant_param(l, n->in[1], p.a->rank, ia, p.a->rank - 2);
    Expr *b_scale = quant_param(l, n->in[4], p.b->rank, ib, p.b->rank - 1);
    const Type *y = &n->out[out]->type;
    Expr *y_scale = quant_param(l, n->in[6], y->rank, idx, y->rank - 1),
         *zero = quant_param(l, n->in[7], y->rank, idx, y->rank - 1);
    return requantize(l, acc, quotient(l, mul(l, a_scale, b_scale), y_scale), zero, y->dtype);
}
