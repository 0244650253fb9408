/* elimination.c - Det and Inverse: elimination with the largest pivot of each column */
#include "lower/parts.h"
#include "lower/rows_nn.h"

typedef struct {
    Lower *l;
    Value *m;
    Expr *size, *columns; /* rows, and columns with what stands beside them */
    Expr *det;            /* NULL: nobody asks */
    DType t;
} Elimination;

static Expr *entry(const Elimination *e, Expr *i, Expr *j) { return load(e->l, e->m, (Expr *[]){i, j}); }
static void put_entry(const Elimination *e, Expr *i, Expr *j, Expr *v) { store(e->l, e->m, (Expr *[]){i, j}, v); }

static Expr *pivot_row(const Elimination *e, Expr *k) {
    Lower *l = e->l;
    Expr *p = var(l, "p", DT_index, k), *i = open_for(l, "i", AX_SEQ, e->size);
    open_if(l, ix_less(l, k, i));
    open_if(l, greater(l, map1(l, OP_Abs, entry(e, i, k)), map1(l, OP_Abs, entry(e, p, k))));
    set(l, p, i);
    close_blocks(l, 3);
    return p;
}

/* Swapping two rows turns the sign. */
static void swap_rows(const Elimination *e, Expr *k, Expr *p) {
    Lower *l = e->l;
    open_if(l, map1(l, OP_Not, ix_equal(l, p, k)));
    if (e->det) set(l, e->det, map1(l, OP_Neg, e->det));
    Expr *j = open_for(l, "j", AX_SEQ, e->columns), *kept = let(l, "t", entry(e, k, j));
    put_entry(e, k, j, entry(e, p, j));
    put_entry(e, p, j, kept);
    close_blocks(l, 2);
}

static void clear_below(const Elimination *e, Expr *k) {
    Lower *l = e->l;
    Expr *pivot = let(l, "pivot", entry(e, k, k));
    set(l, e->det, mul(l, e->det, pivot));
    open_if(l, map1(l, OP_Not, map2(l, OP_Equal, pivot, num(l, e->t, 0))));
    Expr *i = open_for(l, "i", AX_SEQ, e->size);
    open_if(l, ix_less(l, k, i));
    Expr *f = let(l, "f", quotient(l, entry(e, i, k), pivot)), *j = open_for(l, "j", AX_SEQ, e->size);
    put_entry(e, i, j, sub(l, entry(e, i, j), mul(l, f, entry(e, k, j))));
    close_blocks(l, 4);
}

void lower_det(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0), *y = &n->out[0]->type;
    int64_t size = t->dim[t->rank - 1].max, dim[2] = {size, size};
    Elimination e = {.l = l,
                     .m = scratch(l, "m", computed(n, 0), 2, dim),
                     .size = ix(l, size),
                     .columns = ix(l, size),
                     .t = computed(n, 0)};
    Expr *idx[MAX_RANK], *ij[2];
    int opened = open_dims(l, y, ~0u, idx);
    open_loops(l, &e.m->type, "ij", ij);
    idx[y->rank] = ij[0], idx[y->rank + 1] = ij[1];
    put_entry(&e, ij[0], ij[1], value_at(l, n->in[0], idx));
    close_loops(l, &e.m->type);
    e.det = var(l, "det", e.t, num(l, e.t, 1));
    Expr *k = open_for(l, "k", AX_SEQ, e.size);
    swap_rows(&e, k, pivot_row(&e, k));
    clear_below(&e, k);
    close_block(l);
    store(l, n->out[0], idx, e.det);
    close_blocks(l, opened);
}

/* ---- Inverse: a matrix and the unit matrix beside it, until the former is one ---- */

static void divide_row(const Elimination *e, Expr *k) {
    Lower *l = e->l;
    Expr *pivot = let(l, "pivot", entry(e, k, k)), *j = open_for(l, "j", AX_SEQ, e->columns);
    put_entry(e, k, j, quotient(l, entry(e, k, j), pivot));
    close_block(l);
}

static void clear_others(const Elimination *e, Expr *k) {
    Lower *l = e->l;
    Expr *i = open_for(l, "i", AX_SEQ, e->size);
    open_if(l, map1(l, OP_Not, ix_equal(l, i, k)));
    Expr *f = let(l, "f", entry(e, i, k)), *j = open_for(l, "j", AX_SEQ, e->columns);
    put_entry(e, i, j, sub(l, entry(e, i, j), mul(l, f, entry(e, k, j))));
    close_blocks(l, 3);
}

void lower_inverse(Lower *l, Node *n) {
    Type outer = *in_shape(n, 0);
    int last = outer.rank -= 2;
    int64_t size = outer.dim[last].max, dim[2] = {size, 2 * size};
    Elimination e = {.l = l, .size = ix(l, size), .columns = ix(l, 2 * size), .t = computed(n, 0)};
    Expr *idx[MAX_RANK];
    e.m = scratch(l, "m", e.t, 2, dim);
    int opened = open_dims(l, &outer, ~0u, idx);
    Expr *i = idx[last] = open_for(l, "i", AX_SEQ, e.size), *j = idx[last + 1] = open_for(l, "j", AX_SEQ, e.size);
    put_entry(&e, i, j, value_at(l, n->in[0], idx));
    put_entry(&e, i, ix_add(l, j, e.size), cast(l, ix_equal(l, i, j), e.t));
    close_blocks(l, 2);
    Expr *k = open_for(l, "k", AX_SEQ, e.size);
    swap_rows(&e, k, pivot_row(&e, k));
    divide_row(&e, k);
    clear_others(&e, k);
    close_block(l);
    i = idx[last] = open_for(l, "i", AX_SEQ, e.size), j = idx[last + 1] = open_for(l, "j", AX_SEQ, e.size);
    store(l, n->out[0], idx, entry(&e, i, ix_add(l, j, e.size)));
    close_blocks(l, opened + 2);
}
