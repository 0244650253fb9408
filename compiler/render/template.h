/* template.h - text with blanks to fill in (templates/). */
#ifndef NNCC_TEMPLATE_H
#define NNCC_TEMPLATE_H

#include "ir/ir.h"

/* What a name in a template stands for: a number, a text, or (count > 0) a number that runs from 0 to count - 1. */
typedef struct {
    const char *name, *text;
    int number, count;
} Blank;

/* Prints a template:
 *   $(rows) $(p*cols+4)    the text, or the value of a sum of products
 *   ${q|, :s$(q)$}         its inside for every q, with ", " between
 *   @p line                the whole line for every p
 * A name that is not given, or an unclosed repetition, is a bug. */
void fill_template(Str *, const char *text, int n, Blank *);

#endif
