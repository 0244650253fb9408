/* schedule.h - what the files that reorder loops share. */
#ifndef NNCC_SCHEDULE_H
#define NNCC_SCHEDULE_H

#include "loop.h"

bool coefficient(const Expr *index, const Axis *, int64_t *coef); /* false: the axis is not just a term of it */
bool plain_for(const Stmt *);                                     /* a loop over all of its axis */

#endif
