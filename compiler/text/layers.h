/* layers.h - the layers of the .nn language. */
#ifndef NNCC_LAYERS_H
#define NNCC_LAYERS_H
#include "ir/ir.h"

const char *const *layer_names(Arena *, int *n);
void list_layers(FILE *);
/* How a parameter may begin: glorot_uniform, zeros. */
const char *initializer_choices(Arena *, const char *name); /* as choices() has them */
bool is_initializer(const char *name);
/* What it takes in parentheses, if that are not n numbers. */
const char *initializer_misfit(const char *name, int n);
const char *initializer_number_misfit(const char *name, double);
void list_initialisers(FILE *);
/* The value under a better name, if no other has it. */
void rename_value(Module *, Value *, const char *name);
#endif
