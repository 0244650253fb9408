/* storage.h - where the elements of a value lie. */
#ifndef NNCC_IR_STORAGE_H
#define NNCC_IR_STORAGE_H

#include "ir/ir.h"

int64_t step_of(const Value *, int dim); /* elements between neighbours along a dim */
bool is_dense(const Value *);            /* row-major without a halo */
/* Whether that is the same in every call: dense tensors are packed at the extents of the call. */
bool is_steady(const Value *, int dim);
/* Whether part moves in each dim `times` (of each dim; NULL: once) as far as whole, in every call. */
bool steps_agree(const Value *part, const Value *whole, const int64_t *times);
int64_t value_elements(const Value *); /* room it takes: halo and gaps included; -1 if beyond 2^62 bytes */
int64_t value_bytes(const Value *);
/* Whether part, element for element, has the place that it would have in whole, `at` elements from its first. */
bool is_part_of(const Value *part, const Value *whole, int64_t at);
void write_laid_out(const Value *, void *to); /* its data, value_bytes() of them, laid out; zeros elsewhere */

#endif
