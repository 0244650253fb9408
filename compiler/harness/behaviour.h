/* behaviour.h - where runtimes give different results for valid models; behaviour.def holds the rows. */
#ifndef NNCC_BEHAVIOUR_H
#define NNCC_BEHAVIOUR_H

#include "ir/ir.h"

/* A node, and the contents of values in the run that is judged, as far as they are known. */
typedef struct {
    const Node *node;
    const Tensor *(*contents)(void *, const Value *); /* NULL: not known */
    void *arg;
} Sight;

typedef struct {
    const char *name;               /* of its tests in tests/behaviour */
    const char *ops;                /* operators, as ops/ops.def has them; NULL: it is about no operator */
    bool (*applies)(const Sight *); /* whether another runtime may give another value for this node and these data */
    const char *topic, *does, *same, *other, *why;
} Behaviour;
extern const Behaviour behaviours[]; /* ends with a NULL name */

void list_behaviours(FILE *, bool markdown);

/* Prints the rows that apply to any of the nodes that a graph's outputs depend on; `wrong[i]`: output i counts. */
void report_behaviours(Module *, const bool *wrong, const Tensor *(*contents)(void *, const Value *), void *arg,
                       FILE *out);

#endif
