/* spelling.h - names and types as .nn text spells them. */
#ifndef NNCC_SPELLING_H
#define NNCC_SPELLING_H

#include "ir/ir.h"

void put_quoted(Str *, const char *text);
void put_name(Str *, char sigil, const char *name); /* %x, %"a/b:0" */
void put_word(Str *, const char *word);             /* bare if it can be */
void put_type(Str *, const Type *);

#endif
