/* simplify.h - what the rewrite rules share. */
#ifndef NNCC_SIMPLIFY_H
#define NNCC_SIMPLIFY_H

#include "ir/ir.h"

/* Bits of Value.simplify_marks: a reader needs it in the order of dims it has; it comes from transposes alone;
 * it is its graph's output (asking is_output() would go through all). */
enum { STUCK = 1, MOVED = 2, OUTPUT = 4 };

/* The state of one run of the pass. While it runs, Value.uses never counts too few readers. */
typedef struct {
    Module *m;
    List todo;    /* Node*: to be looked at next */
    int64_t left; /* rewrites until it gives up */
    bool changed;
} Rewrite;

typedef bool RuleFunction(Rewrite *, Node *);
#define RULE(name, ...) RuleFunction rule_##name;
#include "passes/simplify.def"
#undef RULE

/* ---- looking ---- */

/* Input i as it is now; NULL if omitted. */
Value *in_of(Node *, int i);
/* The node that makes a value, if it is in n's graph; NULL. */
Node *maker(const Node *n, const Value *);
/* The same if n is its only reader. */
Node *sole_maker(const Node *n, const Value *);
/* Contents of a const; params and states are opaque. */
const Tensor *known(const Value *);
/* A const that n may replace by another without both staying in the program, unless it is small. */
bool may_copy(const Value *);
/* Whether results other than the first are asked for. */
bool only_result(const Node *);
static inline bool same_type(const Type *a, const Type *b) { return a->dtype == b->dtype && same_shape(a, b); }

/* ---- rewriting ---- */

/* A node before `at`, not yet typed, so that attributes can be set; then its result, typed. */
Node *insert(Rewrite *, Node *at, const Op *, int n, Value *const *in);
Value *typed(Rewrite *, Node *);
/* A copy of `like` with other inputs and more to say about its origin; typed() comes next. */
Node *insert_like(Rewrite *, Node *at, const Node *like, int n, Value *const *in);
/* `made` stands for these nodes of the model, too. */
void comes_from(Node *made, const Node *a, const Node *b);
/* Whether n's first result may become v, and nothing else of n is asked for. */
bool can_become(const Node *n, const Value *v);
/* n's first result becomes v, and n goes, with what only it read. */
bool become(Rewrite *, Node *n, Value *v);
/* Result i becomes v; when all are done, drop(). */
void redirect(Rewrite *, Node *, int i, Value *v);
void drop(Rewrite *, Node *);
/* Input i becomes v. */
void rewire(Rewrite *, Node *, int i, Value *v);

/* ---- shared by families ---- */

/* Sets Value.simplify_marks; what a rule makes has none, and takes over those of what it replaces. */
void mark_values(Module *);
/* A const that holds `dim`, as a Reshape's target; NULL if it cannot be said. *zero: extents of 0 are meant. */
Value *target_of(Rewrite *, const Type *, bool *zero);
/* x under another shape, before `at`: x itself, or a Reshape; NULL if the target cannot be said. */
Value *reshaped(Rewrite *, Node *at, Value *x, const Type *to);
bool is_view(const Node *); /* Reshape, Flatten, Squeeze, Unsqueeze */
/* t with dims in another order: dim i of the result is dim perm[i]. */
Tensor *permuted(Arena *, const Tensor *t, const int *perm);
/* The dim of its input that each dim of a Transpose is. */
void perm_of(Node *, int *perm);
bool keeps_order(const int *perm, int n);
/* x in another order, before `at`; x itself if that is the order it has. */
Value *transposed(Rewrite *, Node *at, Value *x, const int *perm);
/* Whether every element of a const is x. */
bool all_are(const Tensor *, double x);

#endif
