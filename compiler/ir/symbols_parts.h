/* symbols_parts.h - what the files of symbols share. */
#ifndef NNCC_IR_SYMBOLS_PARTS_H
#define NNCC_IR_SYMBOLS_PARTS_H

#include "ir/symbols.h"

/* The symbol like that one; NULL: its values overflow. */
const Symbol *intern_symbol(Module *, Symbol proto);
static inline Dim dim_of_symbol(const Symbol *s) { return (Dim){s->max, s}; }

/* Copies of a symbol (copy_symbol) have names of their own. */
static inline bool same_name(const Symbol *a, const Symbol *b) { return a == b || !strcmp(a->text, b->text); }
/* Adds the names in s to at most SYMBOL_NAMES, of which *n may count one more. */
void add_names(const Symbol **name, int *n, const Symbol *s);
void find_names(Symbol *);
/* Sets min and max; false: they overflow. */
bool find_range(Symbol *);

/* Where a quotient is a name by its own step: 3 * (h / 16) is 3 * h / 16, and 16 of them are h. */
static inline const Symbol *stepped(const Symbol *s) {
    return s->kind == SYMBOL_QUOTIENT && s->a->kind == SYMBOL_NAME && s->a->step > 1 && s->a->step == s->by ? s->a
                                                                                                            : NULL;
}

#endif
