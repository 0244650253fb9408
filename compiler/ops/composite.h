/* composite.h - operators made of others beyond what the definition language says: each function replaces its node. */
#ifndef NNCC_COMPOSITE_H
#define NNCC_COMPOSITE_H

#include "ir/ir.h"

/* Results become `with` (NULL: nobody asked), and the node is gone. */
void replaced_by(Node *, int n, Value *const *with);

void expand_mean(Node *);
void expand_compress(Node *);
void expand_qlinear_concat(Node *);
void expand_known(Node *); /* a constant: infer found the contents */
/* Of control/: their types are those of what takes their place. */
void infer_flex_attention(Node *);
void infer_quantised_lstm(Node *);
void infer_optimizer(Node *);
void expand_optimizer(Node *);
/* Whether a Slice begins where only a run knows and has a fixed length; then it becomes a Gather. */
bool is_moving_slice(Node *);
bool gather_moving_slice(Node *);

#endif
