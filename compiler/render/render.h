/* render.h - loop nests as text of C or CUDA.
 *
 * This room calls base, ir, ops and loop. */
#ifndef NNCC_RENDER_RENDER_H
#define NNCC_RENDER_RENDER_H

#include "loop/loop.h"

typedef struct Render Render;
typedef struct {
    const char *name;
    const char *function; /* what stands before a function's name */
    const char *restrict_;
    const char *wide; /* the type of subscripts beyond int */
    bool arrays;      /* memory is arrays of arrays (arrays.h) */
    /* Of a language with parallel loops, else NULL: the head of one, false if its body stands without; and the
     * statements that threads do together. */
    bool (*parallel_head)(Render *, const Stmt *);
    void (*parallel_stmt)(Render *, const Stmt *);
} Dialect;
extern const Dialect dialect_c;
/* Functions of MAP texts: how they are spelled for a type, and the runtime text they need. */
typedef struct {
    const char *name;
    const char *f32, *f64, *int_;
} MathName;
extern const MathName math_names[];
/* Prints the kernel as a function called `name`; needed runtime helpers are added to `needs` (names, in order). Its own
 * names keep clear of those in `outer` (of the file; NULL: none). */
void render_kernel(Kernel *, const Dialect *, const char *name, const Map *outer, Str *, List *needs);
const char *number_text(Arena *, DType, Scalar); /* an exact C literal */

#endif
