/* loop.h - the loop-nest IR: expressions and statements, how they are built, rewritten and counted.
 *
 * A kernel is a tree of statements over expressions. Its textual form is the C that render.c prints.
 * This room calls base, ir and ops. */
#ifndef NNCC_LOOP_LOOP_H
#define NNCC_LOOP_LOOP_H

#include "ir/symbols.h"

typedef struct Stmt Stmt;
typedef struct Block Block;
typedef struct Arrays Arrays;

/* PAR: iterations are independent. SEQ: in order. The rest are parallel loops of CUDA (cuda/cuda.h): one iteration for
 * each thread of the grid, or for each block; or distributed over a thread group. */
typedef enum { AX_PAR, AX_SEQ, AX_GRID, AX_BLOCKS, AX_GROUP } AxisKind;
/* Of a loop in order whose iterations are independent but for memory that each fills before it reads it, and that
 * nothing outside reads: arrays in the function, or also scratch memory. Then threads divide it, each with memory of
 * its own. */
typedef enum { OWN_NOTHING, OWN_LOCALS, OWN_SCRATCH } Own;
typedef struct {
    const char *name;
    int id;
    AxisKind kind;
    int64_t extent;
    Expr *size;
    Own own;
} Axis; /* size: E_INT or involves a symbol */
typedef struct {
    const char *name;
    int id;
    DType dtype;
    bool mutable;
} Temp;
typedef struct {
    const char *name;
    int id;
    DType dtype;
    int64_t count;
    int64_t row; /* elements of one, in an array of rows; 0: it has none */
    bool
        in_memory; /* filled again and again, and too large or too scattered for registers: templates/c/align_stack.h */
    bool shared;   /* CUDA: the block's, `at` bytes from the start of its shared memory */
    int64_t at;
} Local; /* an array in the function */

typedef enum {
    E_INT, /* i: an index or integer constant of dtype */
    E_NUM, /* num: a float constant of dtype */
    E_AXIS,
    E_TEMP,
    E_SYM,   /* symbol: an extent of the call, or what follows from such, dtype index */
    E_LOAD,  /* value[arg0]: arg0 the flat element index */
    E_LOCAL, /* local[arg0] */
    E_CAST,  /* arg0 to dtype */
    E_MAP    /* op(arg…) computed in arg dtype, giving dtype */
} ExprKind;
struct Expr { /* hash-consed in its kernel: equal expressions are one pointer */
    ExprKind kind;
    DType dtype;
    const Op *op;
    bool bits; /* LOAD: as bits_type() of the element, not as what they stand for */
    int n;
    Expr *arg[3];
    union {
        int64_t i;
        double num;
        Axis *axis;
        Value *value;
        Temp *temp;
        Local *local;
        const Symbol *symbol;
    };
    int id;      /* order of creation, for canonical sums */
    Expr *chain; /* of its hash bucket */
};

/* Products added to sums[rows][cols] by a template (templates/c/tile.h), for a < taps and k < n:
 * sums[p][j] += x[x_at + p * x_row + a * x_tap + k * x_step] * w[w_at + a * w_tap + k * w_step + j]. Where there are
 * lines, each of so many rows, x and the sums of the next lie x_line and `rows` further. */
typedef struct {
    int rows, cols, lines; /* lines: 0: one */
    Value *x, *w;
    Expr *x_at, *w_at, *x_line, *x_row, *x_tap, *x_step, *w_tap, *w_step, *taps, *n;
    int group, chunk; /* how many taps and how many of n a call sums; 0: all */
    Expr *height;     /* how many rows there are, up to `rows`; NULL: all */
    Local *copy;      /* of w, from w_at on; NULL: w itself is read */
    Local *sums;
    Local *piece; /* a call adds to it instead, then it is added exactly; behind it stands what was lost; NULL: none */
} Tile;

typedef enum {
    S_FOR,
    S_LET,
    S_SET,
    S_STORE,
    S_LOCAL,
    S_PUT,
    S_IF,
    S_WHILE,
    S_TILE,
    S_SYNC,   /* the threads of a group, or of a call, wait for each other */
    S_COMBINE /* temp becomes what `op` makes of every thread's */
} StmtKind;
struct Stmt {
    StmtKind kind;
    Axis *axis;                /* FOR */
    Expr *lo, *hi;             /* FOR: bounds if not 0 and axis->size */
    Temp *temp;                /* LET: defines; SET: assigns */
    Value *value;              /* STORE */
    Local *local;              /* LOCAL: declares; PUT: stores */
    Expr *index;               /* STORE, PUT */
    Expr *expr;                /* LET, SET, STORE, PUT: what; IF, WHILE: condition */
    Tile *tile;                /* TILE */
    const Op *op;              /* COMBINE: the MAP row */
    bool bits;                 /* STORE: as Expr.bits */
    bool fills_halo;           /* FOR, STORE: writes zeros around a result, which nothing else writes */
    bool done;                 /* FOR: scheduled; left as it is */
    bool part;                 /* FOR: its iterations are divided among the threads of a call */
    bool vector;               /* FOR: as long as a vector, which compilers are told to make of it, not to unroll it */
    Stmt *body, *other, *next; /* FOR, IF, WHILE; IF's else */
};

struct Kernel {
    Module *module;
    const char *name; /* stem of its function */
    Node **node;      /* the nodes it computes */
    int nnode;
    Value **arg; /* tensors it accesses: read first, then written, then scratch */
    int narg, nread, nwritten;
    const char **arg_name; /* their names inside the function, by role */
    int *in_place;         /* plan: the argument written in place of each one read, else -1; NULL: none is */
    List scratch;          /* Value*: memory it needs while it runs */
    Stmt *body;
    Expr **table;
    int nexpr, buckets; /* hash-consing */
    int axes, temps, locals;
    Arrays *arrays; /* render/arrays.h: how its C indexes memory; NULL: flat */
    int step;       /* plan: its number in the order of execution */
    int64_t count;  /* of an update that is one loop: its turns, which its function is told; 0: they are in the text */
    bool divided;   /* plan: among the threads of a call */
    bool waits;     /* … which wait for each other inside */
    int64_t macs;   /* multiply-adds of its reductions */
    int64_t bytes;  /* with Options.timed: that it moves */
    List launches;  /* cuda/emit_cuda.c: Launch*, what it is on a GPU */
};

/* Whether argument i shares its memory with one that is written: then there is one pointer for both. */
static inline bool written_over(const Kernel *k, int i) { return k->in_place && i < k->nread && k->in_place[i] >= 0; }

struct Lower {
    Kernel *k;
    Module *m;
    Arena *arena;
    Block *block; /* stack of open blocks */
    int depth, cap;
    Node *filling;     /* the reduction whose row is being computed */
    bool planned;      /* values have their addresses: nothing is copied onto itself */
    const Node *split; /* a Split whose parts were asked for, and where they begin */
    Expr **part_at;
};

/* ---- expr.c, index.c, extent.c, element.c, stmt.c: expressions and statements ---------------------
 * Index expressions have dtype index and are simplified as they are built. */

Expr *ix(Lower *, int64_t);
Expr *ix_add(Lower *, Expr *, Expr *);
Expr *ix_sub(Lower *, Expr *, Expr *);
Expr *ix_mul(Lower *, Expr *, Expr *);
Expr *ix_div(Lower *, Expr *, Expr *); /* floor division, of a non-negative by a positive */
Expr *ix_mod(Lower *, Expr *, Expr *);
Expr *ix_less(Lower *, Expr *, Expr *); /* bool */
Expr *ix_equal(Lower *, Expr *, Expr *);
Expr *in_range(Lower *, Expr *, Expr *lo, Expr *hi); /* lo <= e && e < hi, bool; folds what is certain */
Expr *num(Lower *, DType, double);                   /* a constant of any type */
Expr *map1(Lower *, int op, Expr *);                 /* op: OP_Exp … */
Expr *map2(Lower *, int op, Expr *, Expr *);
Expr *map3(Lower *, int op, Expr *, Expr *, Expr *);
Expr *select_of(Lower *, Expr *cond, Expr *then, Expr *other);
Expr *cast(Lower *, Expr *, DType);
Expr *extent(Lower *, Dim); /* E_INT, or symbol arithmetic */
Expr *load_flat(Lower *, Value *, Expr *index);
Expr *load(Lower *, Value *, Expr *const *idx);                /* the stored element: honours strides and halo */
Expr *load_char_flat(Lower *, Value *, Expr *index, Expr *at); /* byte `at` of a string, u8 */
Expr *load_bits_flat(Lower *, Value *, Expr *index);
Expr *load_bits(Lower *, Value *, Expr *const *idx);
Expr *local_at(Lower *, Local *, Expr *index);
bool uses_axis(const Expr *, const Axis *);
/* Least and greatest value of an index expression; false if unbounded. */
bool bounds_of(const Expr *, int64_t *lo, int64_t *hi);
int64_t most_of(const Expr *); /* the greatest value of an extent */
/* e = sum coef[i] * term[i] + constant; returns the number of terms, -1 if more than max. */
int affine(const Expr *e, int max, const Expr **term, int64_t *coef, int64_t *constant);

/* Statements go to the innermost open block. */
Expr *open_for(Lower *, const char *name, AxisKind, Expr *size); /* returns the axis as an expression */
void open_if(Lower *, Expr *cond);
void open_else(Lower *);
void open_while(Lower *, Expr *cond);
void close_block(Lower *);
Expr *let(Lower *, const char *name, Expr *);            /* names a value; atoms are returned as they are */
Expr *var(Lower *, const char *name, DType, Expr *init); /* a mutable temp */
void set(Lower *, Expr *var, Expr *);
void store(Lower *, Value *, Expr *const *idx, Expr *);
void store_flat(Lower *, Value *, Expr *index, Expr *);
void store_bits(Lower *, Value *, Expr *const *idx, Expr *);
Local *local_new(Lower *, const char *name, DType, int64_t count);
void put_local(Lower *, Local *, Expr *index, Expr *);
Value *scratch(Lower *, const char *name, DType, int rank,
               const int64_t *dim); /* memory that lives during the kernel */

typedef struct Memo {
    Value *value;
    int rank;
    Expr *idx[MAX_RANK];
    Expr *result;
    Local *row; /* in place of a result: the elements along the last index */
    struct Memo *next;
} Memo;

/* An open block of statements: a loop, a branch, or a kernel's body. */
struct Block {
    Stmt *first, *last, *owner;
    bool in_else;
    Memo *memo; /* values computed here, valid until it is closed */
};

void push_block(Lower *, Stmt *owner);
Scalar eval_map(const Op *, DType, const Scalar *a);
const char *symbol_cname(const Module *, const Symbol *name); /* a run-time dim's name in C */
void kernel_symbols(const Kernel *, Arena *, List *out);      /* the run-time dims it needs, as const Symbol * */
void stmt_symbols(const Stmt *, Arena *, List *out);          /* the same of statements */
/* How far an index moves along an axis, which may depend on the extents of the call; NULL: it is no sum in the axis. */
Expr *step_over(Lower *, const Expr *index, const Axis *);
bool dim_of_expr(Module *, const Expr *, Dim *); /* of numbers and symbols alone; false: it has other things in it */
Expr *new_axis_expr(Lower *, Axis *);
Expr *new_temp_expr(Lower *, Temp *);

/* walk.c: what a nest loads and stores, in order */
typedef struct {
    void (*load)(void *arg, const Expr *);  /* of a value, or of a local */
    void (*store)(void *arg, const Stmt *); /* STORE or PUT */
    void *arg;
    unsigned char *seen; /* by Expr.id: those visited, so that a shared one is once; NULL: as often as it occurs */
    void (*tile)(void *arg, const Tile *); /* NULL: there is none, or it is not asked for */
} Visitor;
void visit_stmt(const Visitor *, const Stmt *); /* with what is inside it */
void visit_stmts(const Visitor *, const Stmt *);
/* Whether a statement of that kind, LET or SET, is of the temp. */
bool names_temp(const Stmt *, StmtKind, const Temp *);

/* rewrite.c: an expression in place of another */
typedef struct {
    Expr *from, *to;
    int known;    /* expressions there were when it began */
    int64_t turn; /* among what was rewritten */
    Memos *memos;
} Substitution;
Substitution new_substitution(Lower *, Expr *from, Expr *to);
Expr *rewrite(Lower *, Expr *, const Substitution *);
Stmt *rewrite_stmts(Lower *, const Stmt *, const Substitution *);

bool rounds_steps(Arena *, const char *origin); /* in half precision; by the row of the operator it names */

int64_t count_macs(const Stmt *); /* before it is scheduled */
/* Bytes of its arguments that a kernel reads and writes, each once however often it does; before it is scheduled. */
int64_t count_bytes(const Kernel *);
Scalar constant_of(const Expr *);
Expr *scalar_expr(Lower *, DType, Scalar);
Expr *neutral_element(Lower *, const Op *, DType); /* of a row that has one */

#endif
