/* control.h - If, Loop and Scan: their regions, and what becomes of them; sequences and optionals.
 *
 * This room calls base, ir, ops, whose table names its functions, and bounded. */
#ifndef NNCC_CONTROL_H
#define NNCC_CONTROL_H

#include "ir/ir.h"

void infer_graph(Graph *);                     /* a region's nodes and results */
void infer_in_region(Node *);                  /* a node of one, or of a body that was unrolled */
void infer_new_nodes(Node *before, Node *end); /* those between (NULL: from the first one) */
void drop_lists(Module *);                     /* sequences: outputs become their items, nodes go */
void inline_branch(Node *, Graph *branch);     /* the branch's nodes, already typed, take the place of an If */

/* Replaces RNN, GRU or LSTM by the Loops of its directions; with Module.segments by Loops over segments of steps. */
bool is_recurrent(const Node *);
void expand_recurrent(Node *);
/* Notes in Module.longest_scan how many steps could be divided into segments; false: none can. */
bool note_steps(const Node *);
/* Puts a node of a region in front of `at`, in another graph: what it reads has to be there. */
void move_out(Node *, Node *at);
/* Takes result k of a Loop away: a scan output, or a carried value that no other result follows from. */
void drop_loop_result(Node *, int k);
Value *behind_identities(Value *);
Value *no_row_like(Graph *, const Value *); /* of a sequence: nothing, as a tensor with rows of its type, or NULL */
bool has_regions(const Node *);
bool is_being_read(const Graph *); /* outputs of it, or of one around it, are not known yet */
/* Moves what an iteration of a Loop computes from outside alone in front of it; returns how many nodes. */
int hoist_invariants(Node *);
/* Calls f for whatever a node reads, in its regions too: also what these define themselves. */
void each_read(const Node *, void (*f)(void *arg, Value *), void *arg);

/* What the gradient of a Loop or If is built with, by who differentiates the graph that it is in. */
typedef struct {
    void *arg;
    bool (*is_live)(void *arg, const Value *); /* whether a value of that graph has a gradient */
    /* Builds gradients in a region, before `end`: of each of `wrt`, from those that `seed` gives of `root`; NULL: 0. */
    void (*reverse)(void *arg, Node *end, const List *root, const List *seed, const List *wrt, Value **gradient);
    void (*give)(void *arg, Value *, Value *gradient); /* takes part of a gradient, in the loop's graph */
} RegionGradient;
/* Builds the gradient of a Loop before `end`, from those of its results (NULL: none flows into one). */
void reverse_loop(Node *, Node *end, Value *const *upstream, const RegionGradient *);
void reverse_if(Node *, Node *end, Value *const *upstream, const RegionGradient *);

#endif
