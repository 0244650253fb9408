/* open_dims.h - extents of inputs that nobody gives. */
#ifndef NNCC_IR_OPEN_DIMS_H
#define NNCC_IR_OPEN_DIMS_H

#include "ir/ir.h"

enum { MAX_SYMBOLS = 256 }; /* extents chosen at run time */

/* Names of dims that are open, in order. */
typedef struct {
    Map *known;
    List names;
    bool inner; /* some stands elsewhere than at axis 0 */
} OpenDims;
void leave_dim_open(Arena *, OpenDims *, const char *name, int dim);
/* Where an open dim of that name lies: --dim INPUT:AXIS means it. Before anything is asked of it. */
void dim_lies_at(Module *, const char *input, int axis, const char *name);
/* What --dim says of a dim of the model, by its name, else by a place where it lies; NULL: nothing. */
DimBinding *given_dim(Module *, const char *name);
DimBinding *any_dim(Module *, const char *name); /* what --dim '*' says of all others; NULL: nothing */
/* Two places in --dim that are the same dim, with different extents: an error. */
void check_places(Module *);
/* Of each --dim so far that names none of the model's dims: the open one that is meant; "" if none is near. */
const char *slips_of_dims(Module *, const OpenDims *);
/* Whether they are taken as 1, or 1..batch in training: each is axis 0 wherever it stands. Otherwise all are asked for.
 */
bool has_default(const OpenDims *);
const char *ask_for(Arena *, const OpenDims *, const char **options); /* "'a', 'b'", "--dim a=N --dim b=N" */
void tell_defaults(Module *);                                         /* a note, if there are any */
const char *blame_defaults(Module *); /* what an error ends with; NULL if there are none */

#endif
