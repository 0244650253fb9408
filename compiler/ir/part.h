/* part.h - a part of a network: other outputs than the model's, and what they need. */
#ifndef NNCC_IR_PART_H
#define NNCC_IR_PART_H

#include "ir/ir.h"

void no_such_value(Module *, const char *name, const Map *values); /* an error that names the nearest of them */
/* The value of that name in the network or outside of graphs; NULL after an error, which names the nearest. */
Value *part_value(Module *, const char *name);
/* Makes these values, one for each name in Options.outputs, the outputs; nodes and inputs that they do not need go.
 * After an error, when one of them is NULL, the network stays as it is. */
void keep_part(Module *, const List *values);
void select_outputs(Module *); /* both, by the names that stand in a text */

#endif
