/* target.h - what code is generated for: a row of compiler/targets.def, and the backend that writes for such rows. The
 * rooms below the table know targets by these columns alone: nobody asks for a name. */
#ifndef NNCC_TARGET_H
#define NNCC_TARGET_H

#include "ir/ir.h"

typedef struct Backend Backend;   /* below */
typedef struct Runner Runner;     /* harness: how a program is built and run */
typedef struct Schedule Schedule; /* schedule/schedule.h */
typedef struct Emit Emit;         /* emit/emit.h */

enum { TARGET_PANELS = 7, TARGET_ISAS = 7 };

struct Target {
    const char *name, *doc;
    const Backend *backend;
    const Runner *runner;
    bool (*is_native)(void); /* whether the machine that nncc runs on is one; NULL: nobody can tell */
    /* a CPU */
    int lanes;                       /* floats in a vector (c: that the compiler may make of them) */
    int panels[TARGET_PANELS];       /* widths of a tile, widest first */
    int registers;                   /* vectors it has; 0: the compiler's business */
    int most_rows;                   /* of a tile; 0: ir/target.c's */
    int most_cols;                   /* of a part of a tile; 0: as many as registers hold */
    const char *macro, *flags;       /* that a compiler defines, and takes, for it; see target_flags() */
    const char *features;            /* of an x86, as gcc's target attribute has them */
    const char *isa;                 /* its name for NNCC_ISA; NULL: only by itself */
    const char *available;           /* when a compiler can make code for it without flags, for #if; NULL: always */
    const Target *isas[TARGET_ISAS]; /* the rows that its kernels are compiled for, each processor's best first */
    /* a GPU */
    int multiprocessors;
    int block_threads; /* of a thread block that shares the machine with others */
    int shared_bytes;  /* of shared memory that such a block may have */
    int sector_bytes;  /* the least that a read of memory brings */
};

/* What a kind of machine has in common, and the functions that write for it. NULL: there is nothing to do. */
struct Backend {
    bool device; /* weights, arena and blocks lie in memory of a device, which open() takes: no caller gives them */
    bool pads_on_copy;  /* tiles are copied, with zeros where there is padding: values need no halo */
    const char *ending; /* of the file of kernels beside the C; NULL: they are in it */

    const Schedule *schedules;                         /* what nests go through, in order; ends with a NULL name */
    void (*print_nest)(Kernel *, Str *);               /* a nest between schedules, for --print-nest-after */
    void (*emit)(Module *, Output *);                  /* every file of a network that predicts; needs the plan */
    void (*emit_training)(Module **, int n, Output *); /* of one that trains: its functions */
    const char *include;                               /* lines of the header behind its other #includes */
    void (*put_fields)(Emit *);                        /* members of the network's struct besides */
    void (*put_open)(Emit *);                          /* prototypes: open, close, … */
    void (*put_transfers)(Emit *);                     /* of one that trains: how its blocks come and go */
};

/* Whether weights, arena and blocks are in a device's memory. */
static inline bool on_device(const Module *m) { return m->target->backend->device; }

/* Whether kernels are compiled for several instruction sets; small code (below -O2) is for one. */
static inline bool has_isas(const Module *m) { return m->target->isas[0] && m->opt->level >= 2; }
/* A function that each of them has one of, as the C calls it: ISA(name); else its name. */
const char *isa_name(Arena *, const Module *, const char *name);

/* The width of the panels in which rows by cols are computed soonest. `whole`: cols have to fill them; 0 if none does.
 * The same for every CPU: one packing of weights suits them all. */
int choose_panel(const Target *, int64_t rows, int64_t cols, bool whole);
/* How `rows` are cut into tiles of at most `most`: `count[0]` tiles of `size[0]`, then count[1] of one row less. */
typedef struct {
    int64_t count[2];
    int size[2];
} RowTiles;
RowTiles tile_rows(int64_t rows, int most);
int most_tile_rows(const Target *, int panel);

/* What a compiler has to be told. "": nothing. */
const char *target_flags(Arena *, const Target *);
/* The instruction set that this machine's best of a target's is, by its name for NNCC_ISA; NULL: the target has one. */
const char *isa_here(const Target *);

/* How a tile is cut into parts whose sums fit the registers of a target: `cols` at a time, in vectors of `lanes`. */
typedef struct {
    int cols, lanes;
    RowTiles rows;
} TileParts;
TileParts choose_parts(const Target *, int rows, int cols);
/* The same of `lines` of `line` rows: parts of whole lines, which TileParts.rows counts. No columns: a line by itself
 * is cut better. */
TileParts choose_line_parts(const Target *, int lines, int line, int cols);

#endif
