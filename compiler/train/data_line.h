/* data_line.h - the data line of a text: what is done to numbers before a network sees them. */
#ifndef NNCC_DATA_LINE_H
#define NNCC_DATA_LINE_H
#include "ir/ir.h"

/* What it says of an input or a target, as `scale`; NULL: nothing. Number i of it. */
const Attr *data_said(const Module *, const char *input, const char *what);
double number_said(const Attr *, int i);
/* The network does itself what the line says: its inputs are as the data has them. */
void normalise_inputs(Module *);

#endif
