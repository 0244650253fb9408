/* compare.h - how far a result is from its reference. */
#ifndef NNCC_COMPARE_H
#define NNCC_COMPARE_H

#include "ir/ir.h"

/* |error| <= atol + rtol * |reference|. atol < 0: 1e-5 of the largest finite reference. Integers and bools have to be
 * equal unless atol is given. rtol is `bf16` for results of bf16 where it would be less. */
typedef struct {
    double rtol, atol, bf16;
} Tolerance;

typedef struct {
    bool ok, same_type; /* same_type: shape fits, and dtype (any two float types fit each other) */
    bool constant;      /* more than one element, and the reference is the same everywhere */
    int64_t wrong;      /* elements outside the tolerance */
    int64_t at;         /* the first of them */
    double abs, rel;    /* largest error; the same relative to the largest finite reference */
    double ulp;         /* largest distance in steps of the result's type */
    double largest;     /* largest finite magnitude of the reference */
} Difference;

Difference compare_tensors(const Tensor *reference, const Tensor *got, Tolerance);

/* "scores [1,10]   max abs 1.9e-06   max rel 3.1e-07   4 ulp   ok", or what is wrong; no newline. */
void put_difference(Str *, const char *name, const Tensor *reference, const Tensor *got, const Difference *);

#endif
