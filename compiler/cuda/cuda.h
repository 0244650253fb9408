/* cuda.h - loop nests as launches of CUDA kernels.
 *
 * A kernel's statements are cut into launches, for there is no cheaper barrier between all threads:
 *
 *   gemm    a product: the tiled kernel of templates/cuda, with the rest of the nest behind each sum
 *   grid    a nest of parallel loops; one thread for each iteration, neighbours on neighbouring elements
 *   rows    parallel loops around sums or further loops: one block for each iteration, whose threads share these
 *   columns likewise where memory runs along the iterations, not along the sums: a block has a few neighbours, which
 *           are a sector of memory, and a thread group for each
 *   group   anything else: one block, or, where there is work for more, all blocks of a cooperative launch
 *   serial  what has nothing to share: one thread
 *
 * Every thread of a group runs the statements; parallel loops are distributed, sums are added up in a tree of fixed
 * order (so that results are the same in each run), one thread stores what stands outside of loops, and barriers stand
 * wherever a thread may read what another has written, or write what another may still read. */
#ifndef NNCC_CUDA_H
#define NNCC_CUDA_H
#include "loop/loop.h"
#include "render/render.h"
#include "render/renderer.h"
#include "schedule/schedule.h"

/* Neighbours of a block of columns: floats of a sector of memory. */
static inline int columns_of(const Target *gpu) { return gpu->sector_bytes / 4; }

typedef struct Gemm Gemm;
typedef struct Batch Batch;
struct Launch {
    Kernel *k;
    const char *name; /* of its __global__ function */
    Stmt *body;
    Expr *items; /* iterations that are threads', or groups'; NULL: one block */
    int groups;  /* of a block, each for an item: 1 or columns_of(); 0: an item is a thread's */
    int parts;   /* blocks that share a sum over columns (columns.c); 0: it is added up as any other */
    Axis *share; /* with parts: of the threads of all, one iteration for each */
    int64_t partials_at, tickets_at; /* with more than one: bytes, in what a program has for these */
    bool cooperative;                /* its barriers are for all blocks */
    int threads;                     /* of a block */
    int64_t shared;                  /* bytes */
    const Gemm *gemm;                /* the nest as a tiled product (gemm.h), or NULL */
    List symbols;                    /* const char *: run-time dims that it takes, after its pointers */
    Batch *batch;                    /* what it is launched with (batch.c), or NULL */
};

extern const Schedule cuda_schedules[]; /* nest.c */
/* Finds the launches of a kernel, in order. Needs the plan: what shares memory decides on barriers. */
void schedule_launches(Lower *, Stmt **);
/* render_launch.c: prints a launch as a function. */
void render_launch(const Launch *, const char *name, const Map *outer, Str *, List *needs);
void start_launch(Render *, const Launch *, const Map *outer, Str *, List *needs);
void launch_parameters(Render *);      /* what stands between the parentheses */
void print_cuda_nest(Kernel *, Str *); /* a nest that is no launch yet */
/* What a launch of several parts takes behind its pointers: the partial sums, and a ticket for each block of columns.
 */
static inline int extra_pointers(const Launch *x) { return x->parts > 1 ? 2 : 0; }
DType partial_type(const Launch *); /* render_launch.c */
static inline int64_t column_blocks(const Launch *x) { return ceil_div(x->items->i, x->groups); }
static inline int64_t partial_bytes(const Launch *x) {
    return column_blocks(x) * x->groups * x->parts * dtypes[partial_type(x)].bytes;
}
/* columns.c: decides on parts; and the loops of a sum, from `own` to `partial`. */
void divide_columns(Lower *, Launch *, const Stmt *body);
Stmt *sum_in_parts(Lower *, const Launch *, const Stmt *, const Temp *own, Temp *partial);
/* Whether argument i is one of the launch's pointers. */
bool launch_takes(const Launch *, int i);
bool launch_reads(const Launch *, int i);            /* through that pointer */
bool launch_writes(const Launch *, int i);           /* likewise */
void schedule_split(Lower *, Stmt **);               /* split.c */
bool sums_columns(const Target *, const Stmt *nest); /* cuda.c */
/* render_gemm.c */
void render_gemm(const Launch *, const char *name, const Map *outer, Str *, List *needs);
/* thread_group.c: the statements for one thread group; false if they need more shared memory than there is. */
bool schedule_group(Launch *, const Stmt *);
/* What a thread group can share in the statements: iterations of parallel loops and of sums, the most of any; 0:
 * nothing. */
int64_t group_work(const Stmt *);

/* sum.c: what a loop adds up, if it does nothing else. */
enum { MAX_SUMS = 8 };
typedef struct {
    Temp *temp[MAX_SUMS];
    const Op *op[MAX_SUMS];
    int n;
    bool fits;
} Sums;
bool sums_of(const Stmt *loop, Sums *);
bool is_shared_sum(const Stmt *, Sums *); /* thread_group.c: likewise, if there is enough to share it */
/* for r { row = 0; for s row += e; sum += row }  as  for r for s sum += e: a tree needs no rows. */
const Stmt *without_row_sums(Lower *, const Stmt *);
/* Assignments to one temp become assignments to another, in statements that are no one else's. */
void retarget(Stmt *, const Temp *from, Temp *to);
/* "group_sum_f32", and what such a name stands for; false if it is none. "groups_…": each of the groups of a block its
 * own.
 */
const char *reduction_name(Arena *, const Op *, DType, int groups);
bool parse_reduction_name(const Target *, const char *name, const Op **, DType *, int *groups);

#endif
