/* control.h - If, Loop and Scan: their regions, and what becomes of them.
 *
 * This room calls base, ir and ops, whose table names its functions. */
#ifndef NNCC_CONTROL_H
#define NNCC_CONTROL_H

#include "ir/ir.h"

void infer_graph(Graph *);                 /* a region's nodes and results */
void inline_branch(Node *, Graph *branch); /* the branch's nodes, already typed, take the place of an If */

#endif
