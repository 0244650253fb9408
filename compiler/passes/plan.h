/* plan.h - what the parts of the memory planner share. */
#ifndef NNCC_PLAN_H
#define NNCC_PLAN_H
#include "../nncc.h"

/* ---- plan_place.c: intervals to offsets; knows nothing of graphs ---- */

typedef struct {
    int first, last; /* steps at which it is alive, both included */
    int64_t size;    /* a multiple of the alignment, which offsets then are too */
    int64_t offset;  /* the answer */
} Interval;

/* The largest sum of sizes alive at one step, and that step: no placement can be smaller. */
int64_t live_bound(Arena *, const Interval *, int n, int *step);
/* Places all of them and returns the memory that takes; stops early at the bound. `effort` is what may still be spent,
 * in elementary steps, so that the result follows from the input alone; at least one placement is always made. */
int64_t place_intervals(Arena *, Interval *, int n, int64_t *effort);

#endif
