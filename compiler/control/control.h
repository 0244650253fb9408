/* control.h - If, Loop and Scan: their regions, and what becomes of them; sequences and optionals.
 *
 * This room calls base, ir and ops, whose table names its functions. */
#ifndef NNCC_CONTROL_H
#define NNCC_CONTROL_H

#include "ir/ir.h"

void infer_graph(Graph *);                     /* a region's nodes and results */
void infer_new_nodes(Node *before, Node *end); /* those between (NULL: from the first one) */
void drop_lists(Module *);                     /* sequences: outputs become their items, nodes go */
void inline_branch(Node *, Graph *branch);     /* the branch's nodes, already typed, take the place of an If */

/* Puts a node of a region in front of `at`, in another graph: what it reads has to be there. */
void move_out(Node *, Node *at);
/* Takes result k of a Loop away: a scan output, or a carried value that no other result follows from. */
void drop_loop_result(Node *, int k);
Value *behind_identities(Value *);

#endif
