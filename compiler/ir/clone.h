/* clone.h - copies of a graph's nodes, regions and all. */
#ifndef NNCC_IR_CLONE_H
#define NNCC_IR_CLONE_H

#include "ir/ir.h"

/* What stands for what in a copy, by the original's name: Value * to Value *. */
Value *clone_of(const Map *of, Value *); /* itself if nothing stands for it */
void clone_stands_for(Map *of, const Value *original, Value *copy);
/* Copies a graph's nodes to before `at` (NULL: to the end of `to`), but for those whose results are stood for; results
 * have no types yet. Adds to `of`. */
void clone_nodes(const Graph *from, Graph *to, Node *at, Map *of);
Graph *clone_graph(const Graph *, Graph *outer, Map *of);
/* Nodes from `first` to before `end` come out of a region of `owner`: an iteration's, or a branch where `turn` is -1.
 */
void come_out_of(const Node *owner, int64_t turn, Node *first, const Node *end);

#endif
