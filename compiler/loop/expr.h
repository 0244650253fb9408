/* expr.h - what the files that build expressions share. */
#ifndef NNCC_LOOP_EXPR_H
#define NNCC_LOOP_EXPR_H

#include "loop/loop.h"

Expr *intern_expr(Lower *, Expr proto); /* the one expression like that */
Expr *truth(Lower *, bool);
Expr *binary(Lower *, int op, DType, Expr *, Expr *); /* as it is: of operands that say nothing about its value */

static inline bool is_op(const Expr *e, int op) { return e->kind == E_MAP && e->op == &ops[op]; }
static inline bool is_constant(const Expr *e) { return e->kind == E_INT || e->kind == E_NUM; }

/* index.c: an index as a sum of coef * term + c. */
enum { MAX_TERMS = 24, MAX_FACTORS = 12 };
typedef struct {
    int n;
    const Expr *term[MAX_TERMS];
    int64_t coef[MAX_TERMS], c;
} Sum;
bool add_to_sum(Sum *, const Expr *, int64_t times); /* false: it has too many terms */
/* Those of a product behind the n that f has; how many there are then; -1: too many. */
int factors_of(const Expr *, const Expr **f, int n);

/* element.c: of an element in memory. */
Expr *flat_index(Lower *, const Value *, Expr *const *idx);

#endif
