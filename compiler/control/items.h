/* items.h - what the operators of sequences share: lists of tensors, known when compiling or rows of one. */
#ifndef NNCC_CONTROL_ITEMS_H
#define NNCC_CONTROL_ITEMS_H

#include "ir/ir.h"

enum { MAX_ITEMS = 4096 };

/* Result i is a list of `count` values; none: an optional without one. */
void give_items(Node *, int i, int count, Value *const *at, bool none);
void give_rows(Node *, Value *rows); /* result 0 has the rows of a tensor */
void becomes(Node *, Value *);       /* result 0 is that value, and the node goes */

/* What input i has, a place in a sequence of `count`, counted from the end if negative (`last` without the input):
 * false or NULL after a problem. */
const Items *need_items(Node *, int i);
bool is_tensor(Node *, int i);
bool need_place(Node *, int i, int count, int last, int *place);

/* Whether only a call tells how many tensors there are. */
static inline bool is_open_list(const Items *s) { return s->rows || s->whole; }
bool need_rows_of_one_type(Node *, const Items *); /* false after a problem: they differ, or there are none */
/* The tensors as rows of one; NULL after a problem. */
Value *need_rows(Node *, const Items *);

/* Of Items.whole: how many parts there are, and the one at a place that data may tell. */
Value *parts_of_whole(Node *, const Items *);
Value *part_at(Node *, const Items *, Value *place);

Value *made_of(Node *at, int op, int count, Value *const *in);                     /* of a new node in front of `at` */
Value *joined(Node *, int count, Value *const *part, int64_t axis, bool new_axis); /* Concat; new_axis: of Unsqueeze */

#endif
