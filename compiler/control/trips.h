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
/* How often a body runs that only a trip count ends; -1: something else does. Known before the body is inferred. */
int64_t counted_trips(const Node *);

/* ---- flat.c: shapes that an iteration or a branch decides ---- */

bool join_by_call(Node *, int i);   /* result i of an If; false: its branches differ in more than extents */
void forget_extents(const Graph *); /* a region that is thrown away: names that only it gives a value */
bool is_open_loop(const Node *);    /* whether iterations give what they decide the shape of */
/* Such a Loop, inferred once, from its body that is not, and the names of the values there; false: for some extent
 * there is no bound. */
bool hand_on_by_call(Node *, const Graph *pristine, const List *names, Trips);

/* ---- loop.c ---- */

/* Calls f for the values that a body and regions in it define, in the order in which copies have them. */
void each_named(Graph *, void (*f)(Value *, void *arg), void *arg);
Value *iteration_number(Node *); /* which its body reads, from 0 on; of a Loop whose own parameter nothing reads */
void renumber_loop(Node *);      /* after its inputs or results have changed places */
void finish_loop(Node *);        /* its body is inferred, and no iteration changes a type */
void cut_rows(Node *);           /* of one that data may end early, to those that there are */

void fresh_parameter(Graph *body, int i); /* one that nothing reads in the place of parameter i */
void forget_types(Graph *body);           /* of its nodes' results, so that they are inferred again */

/* ---- loop_unroll.c, loop_lists.c ---- */

enum { MAX_UNROLLED = 256 };
/* `body` has not been inferred: what one iteration's types decide another's need not. */
void unroll(Node *, const Graph *body, int64_t count);
/* Sequences that iterations change are lists of other values after each of them. */
bool carries_list(const Node *);
void unroll_lists(Node *);

/* The Gather that gives each iteration its element of a value outside, from the first to the last in order; NULL: v is
 * none. */
Node *loop_element(const Node *loop, const Value *);

#endif
