/* bounded.h - results whose size only a call tells.
 *
 * Such a value has room for the most there can be. What there is comes first along one axis; Value.extent says which,
 * and what counts it. Operators that treat each index of that axis by itself pass it on, others are refused. This room
 * calls base, ir and ops. */
#ifndef NNCC_BOUNDED_H
#define NNCC_BOUNDED_H

#include "ir/ir.h"

bool size_follows_from_call(const Node *); /* a NonZero, Compress, NonMaxSuppression or Unique, typed */
void bound_results(Node *);                /* such a node becomes others */
void bound_value(Value *, Value *count, int axis, bool zeros);
void follow_extents(Node *);   /* results of a node that reads such values; else a problem() */
void output_extents(Module *); /* such outputs are packed, and more outputs say how much there is */

/* Nodes of the definition language before `at`; the first result. */
Value *built(Node *at, const char *text, int count, Value *const *with);

#endif
