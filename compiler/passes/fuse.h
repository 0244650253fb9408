/* fuse.h - what decides whether two kernels become one: for the pass, and for whoever wants it explained. */
#ifndef NNCC_FUSE_H
#define NNCC_FUSE_H
#include "ir/ir.h"

/* The nodes from first to last that carry one label; a node without one is alone. */
typedef struct {
    Node *first, *last;
    int n, reads;           /* nodes, and inputs of all together */
    Node *nest, *reduction; /* one of each kind, or NULL; a nest that computes before one that only moves */
} Group;

typedef enum {
#define REASON(id, text) WHY_##id,
#include "passes/fuse_reasons.def"
#undef REASON
    WHY_COUNT
} Why;
extern const char *const fuse_reasons[WHY_COUNT];

/* WHY_JOIN, or what keeps two kernels apart; where it was a matter of cost, both sides of the sum. */
typedef struct {
    Why why;
    double times;       /* that an element is computed */
    double saved, work; /* bytes no longer moved, and operations more, of an element */
} Decision;

/* Where values are remembered by number: Value.id from number_values(), and what was made since. */
typedef struct {
    Module *m;
    unsigned char *mark;
    int cap, values;
    List *readers;  /* fuse_copy.c: of each value, those in its graph */
    bool writes;    /* some node writes into what others read */
    int64_t effort; /* steps left: beyond, everything stays as it is */
} Fuse;

Fuse fuse_new(Module *);
Group group_of(Node *);
bool in_group(const Group *, const Node *);
int uses_in(const Group *, const Value *);
bool elementwise(const Node *);
/* Whether the kernel that makes v belongs into that of `reader`, a node which reads v. `copy`: v may have other
 * readers, for the reader would get a copy of what makes it. */
Decision may_fuse(Fuse *, Value *v, Node *reader, bool copy);
/* Whether each of its readers may have a copy of what makes v: together they compute it so many times. */
bool worth_copying(Fuse *, const Value *v, double times);
void copy_to_readers(Fuse *, Graph *);
void join_groups(Module *, const Group *producer, const Group *consumer);

/* ---- what the files that weigh fusion share ---- */

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
