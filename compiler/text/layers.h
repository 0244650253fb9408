/* layers.h - the layers of the .nn language. */
#ifndef NNCC_LAYERS_H
#define NNCC_LAYERS_H
#include "ir/ir.h"

const char *const *layer_names(Arena *, int *n);
/* How a parameter may begin: glorot_uniform, zeros. */
const char *const *initializer_names(int *n);
bool is_initializer(const char *name);
/* The value under a better name, if no other has it. */
void rename_value(Module *, Value *, const char *name);
#endif
