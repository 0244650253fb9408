/* fuse_cost.h - what the files that weigh fusion share. */
#ifndef NNCC_FUSE_COST_H
#define NNCC_FUSE_COST_H
#include "passes/fuse.h"

/* fuse_group.c */
/* How many times slower arithmetic gets that is done along with the nest: it is not vectorised where elements come from
 * here and there. */
double slowdown(const Node *nest);
double elements_of(const Value *);
const Value *result_of(const Node *); /* the first, or what it writes into */
bool simple(const Node *);            /* elementwise, or a reduction */
bool has_nest(const Node *);
bool stored_by(const Group *, const Value *); /* somebody else reads it */
/* Takes the group's own uses out of what it reads (1), or puts them back (-1): in between Value.uses are the others'.
 */
void leave_out_uses(const Group *, int sign);
bool gives_only(const Group *, const Value *); /* … nothing but v */

/* fuse_cost.c */
void clear_marks(Fuse *, const Group *); /* of all that the group reads and makes */
/* Work and bytes loaded for one element of a value that a group computes. */
typedef struct {
    double work, bytes;
} ElementCost;
ElementCost element_cost(Fuse *, const Group *, const Value *);
/* How often an element of v is computed if the group, which reads v, does that for itself. */
double asked(Fuse *, const Group *, const Value *);

#endif
