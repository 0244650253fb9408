/* ops.h - operators: the table (ops.def), result types (infer*.c), and what composite operators stand for.
 *
 * This room calls base and ir. Its table alone names functions of a later room: a row's lowering. */
#ifndef NNCC_OPS_OPS_H
#define NNCC_OPS_OPS_H

#include "ir/ir.h"

void list_ops(FILE *, bool markdown);
int check_ops(FILE *); /* number of faults found in the tables */
int check_op(FILE *, const Op *);

/* ---- access.c: what a row says about its operands ---- */

int find_operand(const Op *, const char *name);          /* the first word of `name`; -1: there is none */
bool names_operand(const Op *, const char *list, int i); /* whether a column names operand i */
const char *no_operand(const Op *, const char *list);    /* the first name in a column that is none; NULL */
AccessPattern access_of(const Op *);
int cost_of(const Op *);                    /* of one element of an elementwise operator */
int contracted_dim(const Node *, int rank); /* a contraction's, of its first operand */
int column_dim(const Node *);               /* a contraction's, of its weights */
int64_t terms_of(const Node *);             /* what is added up for one element of the result; else 1 */

/* ---- infer.c: result types; one function per family, named in ops.def ---- */

void infer_node(Node *);  /* checks arity and types, calls the row's rule, folds small known results */
void drop_unused(Node *); /* removes a node without used results, once it is checked */
bool broadcast(Node *, int n, Value *const *in, Type *out); /* false after a problem() */
int64_t attr_axis(Node *, const char *name, int rank);      /* normalised; problem() and 0 if out of range */
/* Axes given by input `arg` (or attribute "axes"), normalised and sorted into mask[rank]; false if not known. */
bool known_axes(Node *, int arg, int rank, bool *mask);
/* Windows (conv, pools): resolved per spatial dim. */
typedef struct {
    int n;
    int64_t kernel[MAX_RANK], stride[MAX_RANK], dilation[MAX_RANK], begin[MAX_RANK], end[MAX_RANK], out[MAX_RANK],
        outpad[MAX_RANK];
} Window;
Window window_of(Node *);
/* The window of a Col2Im, how many blocks fit along each dim of an image, and into all of it; false after a problem().
 */
bool blocks_in(Node *, const Dim *image, Window *, Dim *blocks, Dim *all);

/* ---- ops/decomposition.c: the definition language --------------------------------------------------------
 * meaning ::= (name '=' expr ';')* expr (',' expr)*
 * Inputs are a b c d or the names in .args; attributes go by name; `y0 y1 … g0 g1 …` in gradients. */
void expand_def(Node *); /* replaces the node by its meaning */
/* Builds `text` before `at`; names bind values. Returns the number of results. */
int build_decomposition(Node *at, const char *text, int n, const char *const *names, Value *const *values, int max,
                        Value **results);
Value *build_value(Node *at, const char *text, int n, const char *const *names,
                   Value *const *values);                                 /* its only one */
Value *build_text(Node *at, const char *text, int n, Value *const *with); /* of values that it calls m p q n x */
const char *check_decomposition(Arena *, const Op *, const char *text);   /* NULL, or what is wrong */
/* Builds, before `at`, the gradient of a node's input i from those of its results (NULL: none flows into one). NULL: it
 * is zero. The row must have one: has_gradient(). */
Value *build_gradient(Node *n, Node *at, int i, Value *const *g);
const char *gradient_kind(const Op *); /* rule, meaning, or what else there is to say of it; NULL: nothing is said */
const char *gradient_text(const Op *, int i); /* NULL if the row knows none */
const char *check_gradient(Arena *, const Op *, int i);

#endif
