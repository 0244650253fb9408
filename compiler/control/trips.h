/* trips.h - how often a Loop runs its body, as far as it follows from constants and extents. */
#ifndef NNCC_TRIPS_H
#define NNCC_TRIPS_H

#include "ir/ir.h"

/* A loop's inputs and results by what they are for: ONNX's Loop has M, cond, v_initial... and gives v_final...,
 * scan_outputs...; its body has iteration_num, condition, v_in... and gives condition, v_out..., scan_outputs.... */
enum { LOOP_M, LOOP_COND, LOOP_CARRIED }; /* inputs of the node, and of its body */
enum { BODY_COND, BODY_CARRIED };         /* results of the body */
Graph *loop_body(const Node *);
int loop_carried(const Node *); /* how many values go from one iteration to the next */

bool has_rows(const Node *); /* whether somebody wants a scan output */
/* Whether the first iteration gives the last row. Then each call has as many iterations as there are rows. */
bool rows_from_end(const Node *);

/* A number that is base + step * iteration. */
typedef struct {
    Dim base;
    int64_t step;
} Affine;
/* Whether a value in or before the loop's body is one such number. */
bool affine_in_loop(const Node *loop, Value *, Affine *);

/* How many iterations. `exact`: neither more nor fewer. Otherwise at most so many; below 0: any number. */
typedef struct {
    bool exact;
    Dim most;
} Trips;
Trips loop_trips(const Node *);
/* The Gather that gives each iteration its element of a value outside, from the first to the last in order; NULL: v is
 * none. */
Node *loop_element(const Node *loop, const Value *);

#endif
