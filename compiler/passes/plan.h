/* plan.h - what the parts of the memory planner share. */
#ifndef NNCC_PLAN_H
#define NNCC_PLAN_H
#include "ir/ir.h"

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

/* ---- plan_overwrite.c ---- */

/* Whether, in a kernel that reads the base x (or views of it) and writes y, both may have the same bytes. */
bool may_overwrite(const Kernel *, const Value *x, const Value *y);

/* ---- plan_parts.c: tensors whose elements lie within another's: parts of a Concat, a Slice, a Split ---- */

typedef struct {
    Value *part, *whole;
    int64_t at; /* elements from whole's first to part's */
} Piece;

/* Decides, before kernels are made, which rows a loop's body reads where they lie, and which parts of a Concat there
 * lie as they will in the whole. */
void find_in_loops(Graph *, void *unused);
/* The number of the row in a turn of the loop: that of its first turn, and how many it goes on by. */
void row_in_turn(const Node *, int64_t *first, int64_t *step);
/* The parts that need no copy if they share whole's buffer: at most nin + nout of them. */
int parts_of(Node *, Piece *);
/* Leaves out of the node's kernel what its parts' places have made needless. */
void drop_copies(Module *, Node *);

/* ---- plan.c ---- */

/* Calls f on every value that a graph may keep in memory: inputs, results, and what its kernels need while they run. */
void each_stored(Module *, void (*f)(Module *, Value *, void *), void *arg);

/* What a value is a view of, in the end; itself if it is none. */
Value *base_of(Value *);
/* `again`: an output before it is the same value. */
void copy_output(Graph *, int i, bool again);

/* ---- plan_second.c ---- */

/* With Entry.second: moves the first function's nodes before the second's, and sets m->second. */
void split_functions(Module *);

/* ---- plan_share.c ---- */

int64_t aligned_size(int64_t bytes); /* to the alignment of buffers */
/* Decides which bases lie in another's buffer: sets every value's buffer and shift, and each kernel's `in_place`. */
void share_buffers(Module *);

/* ---- plan_asked.c ---- */

/* Moves buffers to where #at= wants them, all others behind those; what cannot be is an error. */
void obey_places(Module *, Interval *life);
void tell_ignored_places(Module *); /* at -O0 */

/* ---- plan_check.c ---- */

void check_plan(Module *); /* a fault is ours, and stops */

/* ---- plan_peak.c ---- */

void check_ram(Module *); /* stops if the plan takes more than --max-ram */

#endif
