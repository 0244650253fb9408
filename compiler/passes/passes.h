/* passes.h - the passes over the graph, in the order of passes.def, and what runs them.
 *
 * This room calls base, ir, ops, train, text (dumps), loop, lower, schedule and interp. */
#ifndef NNCC_PASSES_PASSES_H
#define NNCC_PASSES_PASSES_H

#include "ir/ir.h"

typedef struct {
    const char *name;
    void (*run)(Module *);
    bool optional;
    bool training; /* only where gradients were built, or layers divided */
    int level;
    const char *doc;
} Pass;
extern const Pass passes[]; /* in the order they run; ends with a NULL name */
void list_passes(FILE *);
void list_rules(FILE *); /* of simplify */
void run_passes(Module *);
void verify(Module *, const char *after); /* SSA, arity, types, labels, plan; a fault is our bug */
#define PASS(name, ...) void pass_##name(Module *);
#include "passes/passes.def"
#undef PASS
void quantize_io(Module *);         /* --io=quantized, before the first pass */
void promote_to_f64(Module *);      /* --real=f64, after that */
bool same_axes(Node *, Node *);     /* two reductions over the same axes of the same shape */
void make_const(Module *, Value *); /* a result with known contents becomes a const in place */

/* A buffer of the arena at Module.peak: the tensor that it holds then, and its size. */
typedef struct {
    const Value *v;
    int64_t bytes;
} Held;
int at_peak(const Module *, Held **list); /* the largest first; returns how many */
const char *peak_step(const Module *);    /* what runs then: Conv 'conv1' */
int64_t ram_bytes(const Module *);        /* what a call writes or reads besides weights: arena, inputs, outputs */

#endif
