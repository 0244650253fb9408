/* print.h - what the files of the printer share: print.c (the module), print_value.c (what stands for itself). */
#ifndef NNCC_PRINT_H
#define NNCC_PRINT_H
#include "ir/ir.h"

typedef struct {
    Str *out, *weights;
} Printer; /* weights NULL: all contents stand in the text */

enum { INLINE_ELEMENTS = 32 };

void put_ints(Str *, int n, const int64_t *);
void put_value_type(Str *, const Value *); /* and its layout */
bool has_contents(const Tensor *);         /* strings have none */
void put_contents(Printer *, const Tensor *);
#endif
