/* composite.h - operators made of others beyond what the definition language says: each function replaces its node. */
#ifndef NNCC_COMPOSITE_H
#define NNCC_COMPOSITE_H

#include "ir/ir.h"

/* Results become `with` (NULL: nobody asked), and the node is gone. */
void replaced_by(Node *, int n, Value *const *with);

void expand_mean(Node *);
void expand_compress(Node *);
void expand_non_zero(Node *);
/* Compress or NonZero of what only a call knows, or the latter's transpose (else NULL): it becomes other nodes, whose
 * result has room for all there can be. Returns how much of it there is. */
Value *bound_result(Node *, Node *transpose);

/* Whether a Slice begins where only a run knows and has a fixed length: it becomes a Gather. */
bool gather_moving_slice(Node *);

#endif
