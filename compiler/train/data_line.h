/* data_line.h - the data line of a text: what is done to numbers before a network sees them. */
#ifndef NNCC_DATA_LINE_H
#define NNCC_DATA_LINE_H
#include "ir/ir.h"

/* What it says of an input or a target, as `scale`; NULL: nothing. Number i of it. */
const Attr *data_said(const Module *, const char *input, const char *what);
double number_said(const Attr *, int i);
/* Stops, behind messages, if what it says of these inputs and targets is wrong; all: or if it speaks of others. */
void check_data_numbers(Module *, const Value *const *port, int n, bool all);
/* Stops, behind a message, if it says nothing of the first inputs. */
void expect_data_line(Module *, int inputs);
/* The network does itself what the line says: its inputs are as the data has them. */
void normalise_inputs(Module *);

#endif
