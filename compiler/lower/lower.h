/* lower.h - graph to loop nests.
 *
 * This room calls base, ir, ops and loop. */
#ifndef NNCC_LOWER_LOWER_H
#define NNCC_LOWER_LOWER_H

#include "loop/loop.h"

/* The element of `v` at idx: inlined if v is computed in this kernel and not stored, else loaded. */
Expr *value_at(Lower *, Value *v, Expr *const *idx);
/* The same for input i of n, with idx aligned to the result's rank and broadcast (dims of 1 read index 0). */
Expr *broadcast_at(Lower *, Value *v, int rank, Expr *const *idx);
/* For rows with .blocks: `e` is the element of v at idx until the block is closed; the kernel's results at idx are
 * stored. */
void give_element(Lower *, Value *v, Expr *const *idx, Expr *e);
void store_results(Lower *, Expr *const *idx);
Expr *open_loops(Lower *, const Type *, const char *names,
                 Expr **idx); /* one PAR loop per dim; names "nchw"; NULL: i j k … */
void close_loops(Lower *, const Type *);
Kernel *lower_kernel(Module *, Node **nodes, int n); /* the nodes of one label, in order */
Kernel *lower_planned(Module *, Node *);             /* the same of one node, once its values have addresses */
const Node *main_node(const Kernel *);               /* the one with a loop nest of its own; NULL: none */
int kernels_of(Module *, Graph *, List *out);        /* every kernel of a graph in order (regions excluded) */
const char *axis_letters(int rank);

/* winograd_choice.c: 3x3 convolutions that are faster so become Winograd nodes. */
void choose_winograd(Module *);

/* What a reduction reads, if it computes a row at a time and the elements of that are expensive: a row of them is kept.
 */
Value *row_value(Node *);
enum { KERNEL_NODES = 256, ROW_ELEMENTS = 1024 };

#endif
