/* schedule.h - schedules: what changes the order of a nest's loops and keeps its results. A target's backend owns the
 * list of those that its nests go through; manager.c is the loop that runs it. */
#ifndef NNCC_SCHEDULE_H
#define NNCC_SCHEDULE_H

#include "ir/target.h"
#include "loop/loop.h"

struct Schedule {
    const char *name;
    void (*run)(Lower *, Stmt **nest);
    int level;            /* the lowest -O that runs it */
    bool optional;        /* --off may leave it out */
    bool fills_templates; /* not with --no-templates */
    bool planned;         /* it asks which values share memory, and runs when the plan is made */
    const char *doc;
};
extern const Schedule cpu_schedules[]; /* schedule.c */

/* manager.c: those before the plan, and those that need it. */
void schedule(Kernel *);
void schedule_planned(Kernel *);
void list_schedules(FILE *, const Target *);
/* The row of that label, "tile" or "tile.2" for its second turn; NULL. */
const Schedule *find_schedule(Arena *, const Target *, const char *label);
const char *schedule_label(Arena *, const Schedule *list, const Schedule *);
/* verify.c: what must hold of a nest after each. A fault of ours ends the compilation. */
void verify_nest(Kernel *, const Stmt *, const char *after);

/* Rows that several targets have. */
void schedule_interchange(Lower *, Stmt **);
void schedule_blocks(Lower *, Stmt **);
void schedule_collapse(Lower *, Stmt **);
void schedule_collapse_parallel(Lower *, Stmt **);
void schedule_guards(Lower *, Stmt **);
void schedule_ranges(Lower *, Stmt **);
void schedule_lanes(Lower *, Stmt **);
void schedule_pieces(Lower *, Stmt **);
void schedule_choices(Lower *, Stmt **);

bool coefficient(const Expr *index, const Axis *, int64_t *coef); /* false: the axis is not just a term of it */
int64_t modulus_in(const Expr *index, const Axis *); /* k, where i / k or i % k is in it for the axis i; 0: none is */
const Stmt *first_store(const Stmt *);               /* NULL: there is none */
int64_t store_step(const Stmt *store, const Axis *); /* how far an axis moves it; INT64_MAX: not at all */
/* Calls f on every memory index in the statements; stops and returns false as soon as f does. */
typedef bool (*IndexTest)(const Expr *index, const void *arg);
bool each_index(const Stmt *, IndexTest f, const void *arg);
bool gives_value(const Stmt *);              /* Stmt.expr is what it stores, defines or assigns */
bool plain_for(const Stmt *);                /* a loop over all of its axis */
bool plain_parallel(const Stmt *);           /* … whose iterations are independent */
void interchange(Stmt *);                    /* interchange.c */
bool runs_along(const Stmt *, const Axis *); /* all reads run with the axis or stand still along it, and one runs */

/* access_set.c: what statements touch, Value* (of its buffer) and Local*. */
typedef struct {
    List read, written;
} AccessSet;
void add_accesses(Arena *, AccessSet *, const Stmt *); /* of one statement, and what is inside it */
void add_shared(Arena *, AccessSet *, const Stmt *);   /* likewise, what threads of a call have together */
bool overlap(const List *, const List *);
bool conflicts(const AccessSet *, const AccessSet *);
bool loads(const Expr *, const Value *); /* whether it reads v */
bool loads_in(const Stmt *, const Value *);

static inline bool is_parallel(const Stmt *s) { return s->kind == S_FOR && s->axis->kind == AX_PAR; }
static inline Stmt *new_stmt(Lower *l, Stmt proto) { return arena_copy(l->arena, &proto, sizeof proto); }

/* threads.c: decides which kernels are divided among the threads of a call, and gives these scratch memory. */
void choose_divided(Module *);
void schedule_divide(Lower *, Stmt **); /* divides the nest */
/* Whether a loop becomes vectors, and what is behind the last whole one is computed by itself, by other instructions:
 * then it is divided at multiples of PART_OF_ROW. */
bool runs_in_vectors(const Stmt *);
enum { PART_OF_ROW = 64 };

/* coalesce.c: a nest of loops of one kind as one loop of another; of parallel ones. */
Stmt *coalesce_loops(Lower *, const Stmt *, AxisKind from, AxisKind to);
Stmt *coalesce_first(Lower *, const Stmt *, int n); /* the outermost n of a nest of one kind, at most those there are */
Stmt *distribute_loop(Lower *, const Stmt *, AxisKind);
/* Lets for the variables of loops, by their numbers in one row of iterations, in front of the statements. */
Stmt *unflatten(Lower *, const Axis *const *axis, int n, Expr *flat, Stmt *body);
/* How often the body of a nest of parallel loops runs, and that body. */
const Stmt *parallel_body(const Stmt *, int64_t *count);

/* What floats lose in a chain of additions grows with its length: one that is half as long again is cut into pieces of
 * about this length, whose sums are added. Those of a long sum are shorter, and lose nothing where PIECES of them are
 * added. */
enum { CHAIN = 64, SHORT_CHAIN = 16, PIECES = 8, LONG_SUM = 1024 };
enum { SHORT_LANES = 96 }; /* a sum of fewer terms is not worth lanes (lanes.c) */
enum { MIN_ROW = 4 };      /* a loop shorter than this is not worth being the innermost */

#endif
