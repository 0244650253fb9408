/* ml.h - what operators of ai.onnx.ml mean in terms of others: features, labels, linear models, trees, support vectors.
 *
 * This room calls base, ir and ops. */
#ifndef NNCC_ML_H
#define NNCC_ML_H

#include "ir/ir.h"

/* The type of one example or a row of each, [C] or [N,C]: how many, and the fixed number of features; false after a
 * problem(). */
bool examples_of(Node *, int i, Dim *count, int64_t *features);
Value *examples_as(Node *, int i, DType); /* [N,C] of that type, built before the node */
/* How many classes a model's labels name, integers or strings; 0: none. */
int count_labels(const Node *, const char *ints, const char *strings);
/* The type of a label of each of `count` examples. */
void set_labels(Node *, int result, const char *strings, Dim count);
/* The labels of classes by their numbers, built before the node. */
Value *labels_at(Node *, const char *ints, const char *strings, Value *classes);

#endif
