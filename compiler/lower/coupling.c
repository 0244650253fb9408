/* coupling.c - CoupledProbabilities: those of classes that fit those of all pairs best (Wu, Lin and Weng 2004, their
 * second method, as libsvm iterates it). */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

typedef struct {
    Lower *l;
    Node *n;
    Expr *example;
    int64_t classes;
    DType t;
    Local *q, *p, *qp; /* the quadratic form [classes][classes], the probabilities, their product */
} Coupling;

static Expr *q_at(const Coupling *c, Expr *i, Expr *j) {
    return ix_add(c->l, ix_mul(c->l, i, ix(c->l, c->classes)), j);
}

static Expr *over_classes(const Coupling *c, const char *name) {
    return open_for(c->l, name, AX_SEQ, ix(c->l, c->classes));
}

static void add_local(Lower *l, Local *x, Expr *at, Expr *e) { put_local(l, x, at, add(l, local_at(l, x, at), e)); }

/* Each pair i < j, in order, with r_ij: Q_jj += r_ij^2, Q_ii += r_ji^2, Q_ij = Q_ji = -r_ij r_ji. */
static void fill_form(const Coupling *c) {
    Lower *l = c->l;
    Expr *k = open_for(l, "k", AX_SEQ, ix(l, c->classes * c->classes));
    put_local(l, c->q, k, num(l, c->t, 0));
    close_block(l);
    Expr *pair = var(l, "pair", DT_index, ix(l, 0)), *i = over_classes(c, "i"), *j = over_classes(c, "j");
    open_if(l, ix_less(l, i, j));
    Expr *r = let(l, "r", value_at(l, c->n->in[0], (Expr *[]){c->example, let(l, "at", pair)}));
    Expr *s = let(l, "s", sub(l, num(l, c->t, 1), r)),
         *product = let(l, "product", sub(l, num(l, c->t, 0), mul(l, r, s)));
    add_local(l, c->q, q_at(c, j, j), mul(l, r, r));
    add_local(l, c->q, q_at(c, i, i), mul(l, s, s));
    put_local(l, c->q, q_at(c, i, j), product);
    put_local(l, c->q, q_at(c, j, i), product);
    set(l, pair, ix_add(l, pair, ix(l, 1)));
    close_blocks(l, 3);
    Expr *t = over_classes(c, "t");
    put_local(l, c->p, t, num(l, c->t, 1.0 / (double)c->classes));
    close_block(l);
}

/* Q p, and p Q p in `form`. */
static void multiply(const Coupling *c, Expr *form) {
    Lower *l = c->l;
    set(l, form, num(l, c->t, 0));
    Expr *t = over_classes(c, "t"), *sum = var(l, "sum", c->t, num(l, c->t, 0)), *j = over_classes(c, "j");
    set(l, sum, add(l, sum, mul(l, local_at(l, c->q, q_at(c, t, j)), local_at(l, c->p, j))));
    close_block(l);
    put_local(l, c->qp, t, sum);
    set(l, form, add(l, form, mul(l, local_at(l, c->p, t), sum)));
    close_block(l);
}

static void measure(const Coupling *c, Expr *form, Expr *error) {
    Lower *l = c->l;
    set(l, error, num(l, c->t, 0));
    Expr *t = over_classes(c, "t");
    Expr *apart = let(l, "apart", map1(l, OP_Abs, sub(l, local_at(l, c->qp, t), form)));
    set(l, error, map2(l, OP_Max, error, apart));
    close_block(l);
}

/* One class after the other becomes what is best for it; all are divided by their new sum. */
static void improve(const Coupling *c, Expr *form) {
    Lower *l = c->l;
    Expr *t = over_classes(c, "t"), *own = let(l, "own", local_at(l, c->q, q_at(c, t, t)));
    Expr *step = let(l, "step", quotient(l, sub(l, form, local_at(l, c->qp, t)), own));
    Expr *whole = let(l, "whole", add(l, num(l, c->t, 1), step));
    add_local(l, c->p, t, step);
    Expr *twice = mul(l, num(l, c->t, 2), local_at(l, c->qp, t));
    Expr *more = let(l, "more", mul(l, step, add(l, mul(l, step, own), twice)));
    set(l, form, quotient(l, quotient(l, add(l, form, more), whole), whole));
    Expr *j = over_classes(c, "j");
    Expr *product = mul(l, step, local_at(l, c->q, q_at(c, t, j)));
    put_local(l, c->qp, j, quotient(l, add(l, local_at(l, c->qp, j), product), whole));
    put_local(l, c->p, j, quotient(l, local_at(l, c->p, j), whole));
    close_blocks(l, 2);
}

void lower_coupled_probabilities(Lower *l, Node *n) {
    const Type *y = &n->out[0]->type;
    int64_t classes = y->dim[1].max, most = classes > 100 ? classes : 100;
    int opened = 0;
    Coupling c = {.l = l, .n = n, .classes = classes, .t = computed(n, 0)};
    c.example = open_dim(l, 'n', AX_PAR, y->dim[0], &opened);
    c.q = local_new(l, "q", c.t, classes * classes), c.p = local_new(l, "p", c.t, classes);
    c.qp = local_new(l, "qp", c.t, classes);
    fill_form(&c);
    Expr *form = var(l, "form", c.t, num(l, c.t, 0)), *error = var(l, "error", c.t, num(l, c.t, 1));
    Expr *turn = var(l, "turn", DT_index, ix(l, 0)), *least = num(l, c.t, 0.005 / (double)classes);
    multiply(&c, form);
    measure(&c, form, error);
    open_while(l, both(l, ix_less(l, turn, ix(l, most)), map1(l, OP_Not, less(l, error, least))));
    improve(&c, form);
    multiply(&c, form);
    measure(&c, form, error);
    set(l, turn, ix_add(l, turn, ix(l, 1)));
    close_block(l);
    Expr *t = over_classes(&c, "t");
    store(l, n->out[0], (Expr *[]){c.example, t}, local_at(l, c.p, t));
    close_blocks(l, opened + 1);
}
