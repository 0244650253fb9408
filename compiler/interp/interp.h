/* interp.h - loop nests and whole networks run inside nncc: for folding, and as a reference.
 *
 * This room calls base, ir, ops, loop and lower. */
#ifndef NNCC_INTERP_INTERP_H
#define NNCC_INTERP_INTERP_H

#include "loop/loop.h"

/* Runs a kernel; `at` maps Value.id to its memory. */
void interpret(Kernel *, void *const *at);
int64_t nest_cost(const Stmt *); /* work of a nest in scalar operations, saturating */
/* Runs main on inputs (in order), giving outputs; fatal if something in it cannot be interpreted. Takes f64 networks
 * too. `state` is the contents of what is carried, in order, which the call changes. */
void interpret_module(Module *, Tensor *const *in, Tensor **out, Tensor *const *state);
bool fold_node(Node *); /* if every input is known: evaluates it, sets the data of its results */

/* interp.c: `at` is where values lie, by Value.id. */
void run_kernel(Kernel *, void *const *at, int values);
/* A network that is run often: `at` is where values lie, by Value.id of number_values(), NULL where the run itself
 * gives them memory; kernels are lowered once. */
typedef struct Interpreted Interpreted;
Interpreted *interpreted_new(Module *, void **at, int values);
void run_again(Interpreted *);

#endif
