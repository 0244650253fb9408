/* bounded.h - sizes that only a call tells.
 *
 * Such an extent is a dim with a name, like those of the caller's, but a node computes it: Extent. There is room for
 * the most that there can be: what the operator says, the ranges of the numbers that it follows from, or --bound. This
 * room calls base, ir and ops. */
#ifndef NNCC_BOUNDED_H
#define NNCC_BOUNDED_H

#include "ir/ir.h"

/* ---- measure.c: numbers that become dims ---- */

/* One number from `least` to `most` as an extent of the call, for a value of the model: its --bound may be less. */
Value *measure(Node *at, Value *count, int64_t least, int64_t most, const Value *of);
/* Number i of some as the dim of that name; `checked`: the call fails where it is out of range. */
Value *extent_called(Node *at, Value *numbers, int64_t i, const char *dim, int64_t least, int64_t most, bool checked);
const char *fresh_dim(Module *, const char *stem); /* a name that no dim has */
Value *numbers_joined(Node *at, const Value *like, int count,
                      Value *const *part);         /* numbers as a tensor of a type like that */
Value *cut(Node *at, Value *rows, Value *extent);  /* the first of them */
void cut_results(Node *, int first, Value *count); /* those of a node that stays, from result `first` on */
void measure_inputs(Module *);                     /* those that --bound names */
/* Operand i as extents of the call, if all its numbers have bounds; those of an image's operators. */
void measure_extents(Node *, int i);
void measure_crop(Node *, int i);
void measure_grid(Node *, int i);
void measure_scales(Node *, int i);
/* Axes that only a call tells, operand i: other nodes stand for such a one then. */
void slice_by_call(Node *, int i);
void pad_by_call(Node *, int i);
void squeeze_by_call(Node *, int i);
void unsqueeze_by_call(Node *, int i);
void reduce_by_call(Node *);
void measure_shape(Node *);    /* what a node reads to know its result's shape, if it has a bound */
void output_extents(Module *); /* outputs get fixed dims, and more outputs say how much of them there is */

bool is_computed(const Module *, Dim);
bool has_computed(const Module *, const Type *);

/* ---- agree.c: the call is asked whether shapes fit; these leave a node as it is where it knows itself ---- */

void must_be_equal(Node *at, Value *, Value *); /* two numbers: the call fails unless they are */
void reshape_by_call(Node *);
bool reshape_is_certain(Node *);
Value *shape_in_call(Node *); /* of a Reshape */
void split_by_call(Node *);
void blocks_by_call(Node *, int i); /* a Col2Im whose image is operand i */
void agree_elementwise(Node *);
void agree_concat(Node *);
void agree_product(Node *); /* a MatMul or Gemm */

/* ---- source.c: operators whose results have such sizes ---- */

bool size_follows_from_call(const Node *); /* a NonZero, Compress, NonMaxSuppression or Unique, typed */
void bound_results(Node *);                /* such a node becomes others */

/* ---- range.c ---- */

typedef struct {
    double lo, hi;
} Range;
/* Number i as an extent of the call within the limit, a tensor of one; NULL: nothing bounds it. */
Value *extent_within(Node *at, Value *, int64_t i, Range limit);
Range numbers_of(const Value *, int64_t i); /* of element i, -1: of all; infinite where nothing bounds it */
/* What --bound says of a value; false: nothing. */
bool given_range(Module *, const Value *, int64_t *least, int64_t *most);

/* ---- sized.c ---- */

void infer_sized(Node *); /* infer_node(), and all of the above */

#endif
