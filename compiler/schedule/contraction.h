/* contraction.h - the form of a nest that is a product: y[..] = f(init + sum of x * w). */
#ifndef NNCC_PRODUCT_H
#define NNCC_PRODUCT_H
#include "loop/loop.h"

enum { MAX_LOOPS = 16 };

typedef struct {
    Stmt *loop[MAX_LOOPS]; /* the parallel loops, outermost first */
    int loops;
    const Stmt *init, *sum, *rest; /* in the innermost: the accumulator's start, its loops, and what uses it */
    Expr *acc;
    Expr *x, *w;           /* the two loads */
    Axis *step[MAX_LOOPS]; /* of the sum's loops, outermost first */
    int steps;
    Expr *guard; /* what has to hold for a step of the sum to count; NULL: nothing */
} Contraction;

/* Whether the nest has this form. */
bool find_contraction(Lower *, Stmt *nest, Contraction *);

#endif
