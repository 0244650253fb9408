/* facts.h - what the loops and conditions around a place say of indices there (facts.c). */
#ifndef NNCC_FACTS_H
#define NNCC_FACTS_H

#include "loop/loop.h"

typedef struct {
    int64_t lo, hi;
} Range;

typedef struct {
    Arena *arena;
    List known;        /* Fact*, the innermost last */
    Range *temp;       /* by Temp.id; lo > hi: not known */
    const Expr **axis; /* by Axis.id: as the nest has it */
} Facts;

Facts facts_new(const Kernel *, Arena *);
void learn_loop(Facts *, const Stmt *loop);
void learn_condition(Facts *, const Expr *, bool holds);
void learn_temp(Facts *, const Stmt *let);
void forget(Facts *, int known); /* all but so many of the outermost */
/* Least and greatest value of sum coef * term; false if unbounded. */
bool range_of(const Facts *, int n, const Expr *const *term, const int64_t *coef, Range *);

#endif
