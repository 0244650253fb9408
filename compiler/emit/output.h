/* output.h - generated files: C, header, weights, kernels. */
#ifndef NNCC_EMIT_OUTPUT_H
#define NNCC_EMIT_OUTPUT_H

#include "ir/ir.h"

struct Output {
    Str c, h, cu, weights, object;
};
void emit_dot(Module *, Str *);

#endif
