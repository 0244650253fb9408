/* head.h - a model's last layer for another number of classes. */
#ifndef NNCC_HEAD_H
#define NNCC_HEAD_H
#include "ir/ir.h"

/* Parameters that Options.heads names have another number of results, and begin anew. */
void resize_heads(Module *);

#endif
