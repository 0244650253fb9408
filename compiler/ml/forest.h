/* forest.h - a tree ensemble as it is read, of either generation. */
#ifndef NNCC_ML_FOREST_H
#define NNCC_ML_FOREST_H

#include "ir/ir.h"

/* MOST_SUMS: targets whose sums lie on the stack. */
enum { MOST_NODES = 1 << 24, MOST_SUMS = 1024 };

typedef enum { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, LEAF } Mode;

/* Where a branch leads: a branch by its number, or a leaf, -1 - its number. */
typedef struct {
    int64_t feature;
    double value;
    Mode mode;
    bool missing; /* what is no number satisfies the test */
    int64_t yes, no;
} Branch;

typedef struct {
    Branch *branch;
    int64_t branches, leaves, trees, targets;
    int64_t *root;
    double *weight; /* [leaves][targets] */
    const bool *has_weight;
} Forest;

/* A branch in the one form that tables have: x <= threshold, or x == threshold, leads to `pass`, all else to `fail`. */
typedef struct {
    int64_t feature;
    double threshold; /* as a number of the type that is compared; NaN: nothing passes */
    bool equal;
    bool missing; /* what is no number passes */
    int64_t pass, fail;
} Test;
Test test_of(const Branch *, DType compared);

/* trees.c: a vector; input i as a constant vector of so many elements (-1: any number), and with all of them from 0 on
 * and below a limit: NULL and false after a problem(). */
Tensor *table_new(Arena *, DType, int64_t n);
const Tensor *known_table(Node *, int i, int64_t count);
bool entries_below(Node *, int i, int64_t count, int64_t limit);

/* masked_trees.c: the sums of weights [leaves + 1, targets], [N, targets], from MaskedTrees in front of the node; NULL:
 * its trees are not for that. */
Value *masked_scores(Node *, const Forest *, Value *weights, DType compared);

/* The nodes of the first generation, whose leaves have weights of a kind ("target", "class"), and of the second; false
 * after a problem(). */
bool read_listed(Node *, const char *kind, int64_t targets, Forest *);
bool read_split(Node *, Forest *);
int64_t targets_of(const Node *);

/* A list of numbers: an attribute, or the tensor that takes its place from version 3 on. */
typedef struct {
    const Attr *list;
    const Tensor *tensor;
    int64_t n;
} Numbers;
Numbers numbers_in(const Node *, const char *list, const char *tensor);
double number_at(const Numbers *, int64_t i);

#endif
