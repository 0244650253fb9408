/* train.h - what a network is trained with: the `train` line of a .nn file and the options, resolved. */
#ifndef NNCC_TRAIN_H
#define NNCC_TRAIN_H
#include "nncc.h"

typedef struct {
    const char *name, *value;
    char target; /* 'c': a class, 's': as the output */
    const char *doc;
} Loss;
extern const Loss losses[]; /* ends with a NULL name */

struct Training {
    const Loss *loss; /* NULL: the sum of all outputs, weighted by inputs of their own (gradcheck) */
    Type scores;      /* of the output that the loss is about */
    Value *target;    /* the input that holds what the output should have been */
    Value *rng;       /* state: seed, step */
    int streams;      /* random streams given out */
    List updated;     /* Value*: states and, next to each, what they become */
    int inputs;       /* of the network itself; targets come after them */
};

/* The functions of a program that trains, and those that gradcheck runs. */
extern const Entry entries[]; /* ends with a NULL name */
extern const Entry entry_value, entry_gradient;

/* Whether v is a parameter that training changes. */
static inline bool trained(const Value *v) { return v->kind == V_PARAM && !v->frozen && is_float(v->type.dtype); }
/* The scalar that is made small; adds the inputs it needs. */
Value *build_loss(Module *);
/* passes/grad.c: the gradients of `loss` for `n` values, built at the end of the graph. NULL: it does not depend on
 * one. */
void differentiate(Module *, Value *loss, int n, Value *const *with_respect_to, Value **gradient);
#endif
