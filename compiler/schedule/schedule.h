/* schedule.h - what the files that reorder loops share. */
#ifndef NNCC_SCHEDULE_H
#define NNCC_SCHEDULE_H

#include "loop/loop.h"

bool coefficient(const Expr *index, const Axis *, int64_t *coef); /* false: the axis is not just a term of it */
const Stmt *first_store(const Stmt *);                            /* NULL: there is none */
int64_t store_step(const Stmt *store, const Axis *);              /* how far an axis moves it; INT64_MAX: not at all */
bool plain_for(const Stmt *);                                     /* a loop over all of its axis */
bool plain_parallel(const Stmt *);                                /* … whose iterations are independent */
void interchange(Stmt *);                                         /* interchange.c */
bool runs_along(const Stmt *, const Axis *); /* all reads run with the axis or stand still along it, and one runs */

enum { LEAST_ROW = 4 }; /* a loop shorter than this is not worth being the innermost */

#endif
