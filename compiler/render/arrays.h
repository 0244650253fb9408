/* arrays.h - how memory is indexed in C: as an array of arrays, where every access stays inside the inner extents
 * (arrays.c). */
#ifndef NNCC_ARRAYS_H
#define NNCC_ARRAYS_H

#include "loop/loop.h"

enum { MAX_SUBSCRIPTS = MAX_RANK + 2, SUBSCRIPT_TERMS = 24 };

/* Memory as the layout has it, outermost first; step: elements from one index to the next. Kernels that do not keep to
 * an extent see it as one with its neighbour: `split` is false where an index is left out. */
typedef struct {
    int n;
    int64_t extent[MAX_SUBSCRIPTS], step[MAX_SUBSCRIPTS];
    int dim[MAX_SUBSCRIPTS]; /* of the value's type */
    bool split[MAX_SUBSCRIPTS];
    bool open; /* the outermost extent is chosen at run time */
} Array;

typedef struct Access Access;
struct Arrays {
    Array *arg, *local; /* by the kernel's argument; by Local.id */
    Access **access;    /* by Expr.id of an index */
};

/* A subscript: sum coef * term + c. */
typedef struct {
    const Expr *term[SUBSCRIPT_TERMS];
    int64_t coef[SUBSCRIPT_TERMS], c;
    int n;
} Subscript;

Array array_of(const Value *);
Array array_of_local(const Local *);
int argument_of(const Kernel *, const Value *); /* the parameter that it is seen through */
void find_arrays(Kernel *, Arena *);            /* sets k->arrays; until then all memory is flat */
int extents_of(const Array *, int64_t *extent); /* those that have an index; how many */
/* The subscripts of an access, outermost first; 0: the index as it is. */
int subscripts(const Kernel *, const Value *, const Local *, const Expr *index, Subscript *);

#endif
