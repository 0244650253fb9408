/* strings.h - strings as rows of bytes.
 *
 * A string tensor of a model is a tensor of u8 with one more dim, the width, filled with NULs: what computes with it
 * knows numbers alone. This room calls base, ir and ops; a Module goes through strings_as_rows_in() behind the first
 * pass, which knows all types. */
#ifndef NNCC_STRINGS_H
#define NNCC_STRINGS_H

#include "ir/ir.h"

enum {
    STRING_WIDTH = 64
}; /* bytes that a string of an input may have, its NUL included, unless --string-bytes says otherwise */

void make_rows_of_strings(Module *);
bool has_strings(const Module *);
int64_t width_of_strings(const Module *, const Value *input); /* bytes that each may have, its NUL included */

/* rows.c: what is built of rows, before a node. */
Value *rows_built(Node *at, const char *text, int n, Value *const *with); /* the values are called m p q x */
Value *rows_widened(Node *at, Value *rows, int64_t width);
int64_t width_of_rows(const Value *rows);
void as_wide(Node *at, int n, Value **rows); /* all as the widest */

/* An output that nothing reads may have a size that only a call tells: `count`, of an axis. False after a problem(). */
bool sized_by_call(Node *, int result, int axis, Value *count);

#endif
