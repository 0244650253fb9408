/* The one internal header of nncc, in pipeline order:
 *
 *   util  diag  tables  tensor  IR (graph)  build  front ends  infer  meaning
 *   passes  IR (loop nests)  lowering  interpreter  renderer  emission  commands
 *
 * Everything a compilation allocates comes from one arena and is freed with it. */
#ifndef NNCC_H
#define NNCC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NNCC_VERSION "0.1"

#if defined __GNUC__
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#else
#define PRINTF_LIKE(f, a)
#endif

typedef struct Arena Arena;
typedef struct Module Module;
typedef struct Graph Graph;
typedef struct Node Node;
typedef struct Value Value;
typedef struct Tensor Tensor;
typedef struct Op Op;
typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Kernel Kernel;
typedef struct Lower Lower;
typedef struct Target Target;
typedef struct Block Block;
typedef struct Training Training;
typedef struct Output Output;

/* ---- base/util.c: arena, strings, maps, checked arithmetic ---- */

/* A bump allocator. Blocks come zeroed and 16-byte aligned; nothing is freed before arena_free.
 * `limit` bounds the bytes ever handed out (0: none); past it, `full` is called and must not return. */
Arena *arena_new(size_t limit, void (*full)(void *), void *arg);
void arena_limit(Arena *, size_t limit); /* another limit from here on */
void arena_free(Arena *);
size_t arena_used(const Arena *);
void *arena_alloc(Arena *, size_t bytes);
void *arena_copy(Arena *, const void *, size_t bytes);
char *arena_str(Arena *, const char *); /* a copy; NULL stays NULL */
char *format(Arena *, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define NEW(arena, T)          ((T *)arena_alloc(arena, sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc(arena, sizeof(T) * (size_t)(n)))
#define COUNT(a)               ((int)(sizeof(a) / sizeof *(a)))

/* A growing text or byte buffer in an arena; `s` is always NUL-terminated once something is put. */
typedef struct {
    Arena *arena;
    char *s;
    size_t n, cap;
} Str;
void put(Str *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void put_text(Str *, const char *);
void put_bytes(Str *, const void *, size_t);

/* A growing array of pointers. */
typedef struct {
    void **at;
    int n, cap;
} List;
void push(Arena *, List *, void *);

/* Scratch about things that are numbered from 0, used again and again: an entry holds from the turn in which it was
 * made, so that nothing is cleared. */
typedef struct {
    int64_t *turn, now;
    int n;
} Marks;
typedef struct {
    int64_t turn;
    Expr *to;
} Rewritten;
typedef struct {
    Rewritten *at;
    int64_t now;
    int n;
} Memos;
void marks_fit(Arena *, Marks *, int n); /* room for n of them */
void memos_fit(Arena *, Memos *, int n);

/* A string-keyed map; keys are kept, not copied. */
typedef struct Map Map;
Map *map_new(Arena *);
void *map_get(const Map *, const char *key);                            /* NULL if absent */
int map_keys(const Map *, Arena *, int most, const char *const **keys); /* `most` of them at most; how many */
void map_set(Map *, const char *key, void *value);

bool mul_ok(int64_t a, int64_t b, int64_t *product); /* false on overflow */
bool add_ok(int64_t a, int64_t b, int64_t *sum);
int64_t saturating_add(int64_t a, int64_t b);     /* INT64_MAX on overflow */
bool in_list(const char *list, const char *name); /* whether it stands in a comma list; NULL: an empty one */
int64_t floor_div(int64_t a, int64_t b);
int64_t ceil_div(int64_t a, int64_t b);
uint32_t hash_bytes(const void *, size_t, uint32_t seed);
void sha256_hex(const void *, size_t, char hex[65]);
/* `s` with every byte outside printable ASCII (and quotes, backslashes) as \xNN: for terminals. Cut to `max`. */
char *escaped(Arena *, const char *s, int max);
/* A file's bytes, mapped read-only (NULL with errno set if it cannot be read). */
const void *map_file(const char *path, size_t *bytes);
/* Lets go of the memory behind bytes that lie in the mapped source file (read again if needed); others are left alone.
 */
void release_mapped(const Module *, const void *, size_t bytes);

/* ---- base/suggest.c: what was probably meant ---- */

/* "; did you mean 'Relu'?" for the nearest of n names, "" if none is near. */
const char *suggest(Arena *, const char *name, int n, const char *const *names);
const char *suggest_key(Arena *, const char *name, const Map *); /* the same for a map's keys */
/* "; it has filters, kernel, stride", or "; it has none"; before: "it has". */
const char *names_listed(Arena *, const char *before, int n, const char *const *names);
/* The nearest, and all there are: "; did you mean 'stride'? It has filters, kernel, stride"; before: "it has". */
const char *choices(Arena *, const char *name, const char *before, int n, const char *const *names);

/* ---- base/files.c: files that are written ---- */

typedef struct {
    const char *path;
    const void *bytes;
    size_t n;
} NewFile;
/* Writes all of them, or none if one cannot be written: through temporaries, renamed when all are there, so that a
 * reader never sees half a file. Links are followed; a device, a pipe or an open descriptor (/dev/stdout) is written in
 * place. False with errno set and *failed the path at fault. */
bool write_files(const NewFile *, int n, const char **failed);
bool write_file(const char *path, const void *, size_t); /* one of them */
bool can_write_file(const char *path);                   /* nothing is changed; false with errno set */
bool written_in_place(const char *path);                 /* no regular file: nothing can lie beside it */
bool same_file(const char *, const char *);              /* both are there, and are one */

/* ---- diag.c: errors ---- */

enum { EXIT_OK = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_UNSUPPORTED = 3, EXIT_BUG = 70 };

/* Where something came from. Text: file, line, col (from 1), width. ONNX: node is the node's index (from 0), name its
 * name. */
typedef struct {
    const char *file;
    int line, col, width;
    int node;
    const char *name;
} Loc;

/* Stops the compilation: prints "file:line:col: error: …" with the line and a caret, or "file: node 'x' (Op): …",
 * and returns through the module's jmp_buf with `code`. */
_Noreturn void fatal_at(Module *, int code, Loc, const char *fmt, ...) PRINTF_LIKE(4, 5);
_Noreturn void fatal(Module *, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with EXIT_INPUT, of shapes that do not fit: an extent that nobody gave is named as a possible cause. */
_Noreturn void misfit_at(Module *, Loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Records a problem with a node and goes on, so that all are listed together. `code` is EXIT_INPUT or EXIT_UNSUPPORTED.
 * The text says what was expected and what was seen; node and operator are added here. */
void problem(Node *, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void problem_at(Module *, int code, Loc, const char *op, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* If problems were recorded: prints them grouped, and stops. */
void stop_on_problems(Module *);
void warn(Module *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void inform(Module *, const char *fmt, ...) PRINTF_LIKE(2, 3);
_Noreturn void bug(const char *file, int line, const char *what);
#define ASSERT(c) ((c) ? (void)0 : bug(__FILE__, __LINE__, #c))

/* ---- tables: dtypes.def, ops/ops.def, passes/passes.def (instantiated in ops/ops.c) ---- */

typedef enum {
#define DTYPE(name, ...) DT_##name,
#include "ir/dtypes.def"
#undef DTYPE
    DT_COUNT,
    DT_none = -1
} DType;

typedef struct {
    const char *name; /* as spelled in .nn */
    char kind;        /* f float, i signed, u unsigned, b bool, x index (internal), s string */
    int bytes;
    int onnx;      /* TensorProto.DataType */
    const char *c; /* C type */
    const char *cuda;
    const char *suffix; /* of literals */
} DTypeRow;
extern const DTypeRow dtypes[DT_COUNT];
static inline bool is_float(DType t) { return dtypes[t].kind == 'f'; }
static inline bool is_int(DType t) { return dtypes[t].kind == 'i' || dtypes[t].kind == 'u'; }
DType find_dtype(const char *name); /* DT_none if unknown */
DType dtype_of_onnx(int64_t onnx);  /* DT_none if unknown */
int64_t dtype_min(DType);           /* integers and bool */
uint64_t dtype_max(DType);

typedef enum { A_NONE, A_INT, A_FLOAT, A_STR, A_INTS, A_FLOATS, A_STRS, A_TENSOR, A_GRAPH } AttrKind;
/* What an attribute's integers mean, and so what they may be; r is the rank of the first input. */
typedef enum {
    FIT_NUMBER,        /* any, or lo … hi */
    FIT_AXIS,          /* -r … r-1 */
    FIT_AXIS_OR_END,   /* -r … r */
    FIT_RESULT_AXIS,   /* -r-1 … r: of a result with one more dim */
    FIT_LEADING_DIMS,  /* 0 … r-1: how many */
    FIT_AXES,          /* a list of axes, each once */
    FIT_PERMUTATION,   /* 0 … r-1 in any order */
    FIT_DIMS,          /* a list of r numbers, each lo … hi */
    FIT_SPATIAL,       /* a list of r-2 numbers, likewise: one for each dim but batch and channels */
    FIT_SPATIAL_PAIRS, /* a list of 2(r-2) numbers, likewise */
    FIT_TYPE,          /* TensorProto.DataType of numbers that nncc has */
    FIT_TYPE_OR_0,     /* the same, or 0: not said */
    FIT_FLOAT_TYPE,    /* the same, of floats */
} AttrFit;
typedef struct {
    const char *name;
    AttrKind kind;
    bool set; /* a Node's: given, not defaulted. A row's: required if `must` */
    bool must;
    int n; /* length of ints, floats, strs */
    int64_t i;
    double f;
    const char *s;
    const int64_t *ints;
    const double *floats;
    const char *const *strs;
    Tensor *tensor;
    Graph *graph;
    /* A row's: the values that a model may give (ops/infer_attr.c). */
    AttrFit fit;
    int64_t lo, hi;    /* of each integer; both 0: any */
    const char *words; /* of strings, "none add mul"; NULL: any */
} Attr;

typedef enum { K_MAP, K_RED, K_DEF, K_OP } OpKind;
typedef union {
    double f;
    int64_t i;
    uint64_t u;
} Scalar;

enum { MAX_GRAD = 8, ROW_ATTRS = 12 }; /* columns of a row, not limits on a model: --check-ops insists rows fit */

/* One row of ops/ops.def: everything nncc knows about an operator. */
struct Op {
    OpKind kind;
    const char *name, *doc;
    const char *domain;      /* NULL: ai.onnx */
    int since;               /* opset of the meaning held here; 0: internal to nncc */
    int in, in_max;          /* fewest and most inputs; in_max 0: same as in; -1: any number */
    int out, out_max;        /* likewise; out 0 means 1 */
    const char *args, *outs; /* their names, as in ONNX ("X W B"); C parameters follow from them */
    /* Types: one letter per input and output. T U V type variables, b bool, l i64, i any integer, f any float,
     * * anything, . same letter as the last for the rest. NULL in: all T. NULL out: all T. */
    const char *in_types, *out_types;
    const char *types;     /* kinds that T may be: letters of DTypeRow.kind; NULL any */
    Attr attr[ROW_ATTRS];  /* names, kinds, defaults */
    void (*infer)(Node *); /* result types; NULL: MAP broadcasts, RED reduces, DEF follows its meaning */
    const char *c, *ci;    /* MAP: its C text for floats and for integers */
    bool wrap;             /* MAP: integers compute modulo 2^n */
    bool nary;             /* MAP: folds over any number of inputs */
    const char *infix;     /* MAP: its operator in meanings and in C */
    int prec;
    double (*eval_f)(double, double, double);
    int64_t (*eval_i)(int64_t, int64_t, int64_t);
    uint64_t (*eval_u)(uint64_t, uint64_t, uint64_t);
    const char *combine;    /* RED: the MAP row that combines */
    const char *init;       /* RED: its neutral element, in the definition language */
    const char *def;        /* DEF: the meaning in terms of other rows */
    void (*expand)(Node *); /* OP that is a composite beyond the language: builds its replacement */
    Expr *(*at)(Lower *, Node *, int out, Expr *const *idx); /* OP: the element at an index */
    void (*lower)(Lower *, Node *);                          /* OP: a whole loop nest that stores its results */
    bool view;    /* OP: the result is the first input's bytes under another shape */
    bool effect;  /* never merged, never dropped */
    bool no_fold; /* fold leaves it alone: ConstantOfShape of a huge shape */
    const char
        *grad[MAX_GRAD];   /* the gradient of each input, in the definition language; "0": none flows. NULL: unknown */
    const char *grad_each; /* the same for any number of inputs: x is the input in question */
    const char *params;    /* letters of the inputs that hold what is trained ("bc") */
    const char *learns;    /* and of those that may where they meet data: scales, positions; "*": any */
    const char *unsupported; /* why this operator is refused: schema only */
    bool rounds;             /* DEF: half precision rounds every step of it, too, wherever it is computed */
};
extern const Op ops[];
extern const int n_ops;
const Op *find_op(const char *domain, const char *name); /* NULL if unknown */
int max_inputs(const Op *);                              /* INT_MAX if any number */
int max_outputs(const Op *);
enum {
#define OP_ID(name)    OP_##name,
#define MAP(name, ...) OP_ID(name)
#define RED(name, ...) OP_ID(name)
#define DEF(name, ...) OP_ID(name)
#define OP(name, ...)  OP_ID(name)
#include "ops/ops.def"
#undef MAP
#undef RED
#undef DEF
#undef OP
#undef OP_ID
    OP_COUNT
};
#define IS(node, name) ((node)->op == &ops[OP_##name])
void list_ops(FILE *, bool markdown);
int check_ops(FILE *); /* number of faults found in the tables */

/* ---- tensor.c: contents ---- */

enum { MAX_RANK = 12 };

/* A dim is a bound, and the symbol whose run-time value scales it: the extent is max * value(symbol) / max(symbol).
 * Symbols are interned: equal names are one pointer. Memory and strides always follow `max`. max -1: unknown. */
typedef struct {
    int64_t max;
    const char *symbol;
} Dim;
typedef struct {
    DType dtype;
    int rank;
    Dim dim[MAX_RANK];
} Type; /* rank -1: unknown */

/* Contents of a dense row-major tensor. `data` may be unaligned (it may lie in a mapped file) and is never written. */
struct Tensor {
    DType dtype;
    int rank;
    int64_t dim[MAX_RANK];
    int64_t count;    /* elements */
    const void *data; /* NULL only for strings or when count is 0 */
};
Tensor *tensor_new(Arena *, DType, int rank, const int64_t *dim); /* zeroed; data is writable: tensor_data() */
Tensor *tensor_of(Arena *, DType, int rank, const int64_t *dim, const void *data);
void *tensor_data(Tensor *);
double get_f(const Tensor *, int64_t i);  /* any numeric type as double */
int64_t get_i(const Tensor *, int64_t i); /* floats truncate */
void set_f(Tensor *, int64_t i, double);
void set_i(Tensor *, int64_t i, int64_t);
Tensor *tensor_cast(Arena *, const Tensor *, DType);
Scalar load_scalar(DType, const void *p);         /* floats in .f, unsigned in .u, the rest in .i */
void store_scalar(DType, void *p, Scalar);        /* integers wrap, floats round */
Scalar cast_scalar(Scalar, DType from, DType to); /* float to int saturates, NaN gives 0 */
float f16_to_f32(uint16_t);
uint16_t f32_to_f16(float);
float bf16_to_f32(uint16_t);
uint16_t f32_to_bf16(float);

int64_t type_count(const Type *); /* elements for the bounds; -1 if unknown or beyond 2^62 bytes */
int64_t type_bytes(const Type *);
bool type_known(const Type *); /* dtype, rank and every dim */
Type type_make(DType, int rank, const int64_t *dim);
Type tensor_type(const Tensor *);
bool same_shape(const Type *, const Type *);
char *type_text(Arena *, const Type *); /* f32[batch,3,224,224] */
/* What --dim calls an extent that the model gives no name. */
const char *unnamed_dim(Arena *, const char *input, int place);

/* ---- the graph IR ---- */

typedef enum { V_NODE, V_INPUT, V_CONST, V_PARAM, V_STATE } ValueKind;
/* Blocks of memory of a network that trains, each contiguous and the caller's. */
typedef enum { PART_NONE, PART_PARAMS, PART_GRADS, PART_OPT, PART_STATE, PART_FIELD, PARTS } Part;

/* A tensor in SSA form: defined once, by a node or from outside. What every pass looks at comes first: a walk over a
 * large network waits for memory, a cache line of 64 bytes at a time. */
struct Value {
    ValueKind kind;
    int id;       /* scratch for passes: dense number set by number_values() */
    Node *def;    /* V_NODE: its node, and which of the node's results it is */
    Graph *graph; /* the graph that owns it; NULL for the module's params, states and consts */
    Value *to;    /* replaced by this (build.c:resolve) */
    int result;
    int uses;     /* scratch: set by count_uses() */
    int output;   /* 1 + its place when it was last seen among its graph's outputs; 0: it never was one */
    int home;     /* plan: Home */
    Tensor *data; /* contents, when known at compile time (params: initial contents) */
    Value *lead;  /* plan: a view's: the value whose bytes it shows; else itself */
    /* plan.c */
    Value *root;     /* the value in whose buffer the lead lies: often itself */
    int first, last; /* a lead's: steps between which its contents are wanted */
    int64_t shift;   /* bytes from the beginning of that buffer */
    int64_t offset;  /* bytes in the arena, -1: not there */
    int64_t asked;   /* 1 + the offset that a #at= asks for; 0: none does */
    int begin, end;  /* a root's: the same of everything in its buffer */
    int seat[2];     /* scratch: its place among what a kernel reads and what it writes */
    int64_t where;   /* byte offset in the weights block */
    Type type;
    int64_t *stride;  /* elements per dim; NULL: dense row-major */
    int64_t *halo;    /* zero frame before and after each dim (2 * rank); NULL: none */
    int64_t *block;   /* {dim, size, step}: that dim lies in blocks of size, step elements apart; NULL: none */
    const char *name; /* unique in its module; as in the model, any bytes */
    const char *port; /* an output's name in the model if another value has that, such as an input; NULL: its own */
    Dim *known;       /* infer: small integer contents that involve symbols, type_count() of them; else NULL */
    const char *init; /* V_PARAM: initialiser in text ("glorot_uniform"), NULL if data is given */
    Loc loc;
    int slot;          /* plan: index among inputs or outputs */
    Part part;         /* training: the block it lies in, at `where` */
    bool frozen;       /* training: a parameter that stays as it is */
    bool literal;      /* from a Constant node of a model, not an initializer */
    const char *cname; /* emit: its identifier; an input's or output's field in the network's struct */
    /* training: why these floats are not trained */
    const char *untrained;
};

struct Node {
    const Op *op;
    Node *prev, *next; /* execution order */
    Value **in, **out; /* in[i] NULL: an omitted optional input; out[i] NULL: a result nobody wants */
    int nin, nout;
    Kernel *code; /* plan: its loop nest, on the first node of each label */
    int kernel;   /* nodes with equal labels become one kernel; 0: alone */
    Graph *graph;
    Attr *attr;           /* in the order of its row, defaults filled in */
    const char *name;     /* as in the model; may be NULL */
    const char *origin;   /* the model's nodes it stands for, "Conv 'conv1'"; NULL: itself */
    const char *overload; /* domain of an operator without a row, for the error; else NULL */
    Loc loc;
};

struct Graph {
    const char *name;
    Module *module;
    Graph *outer; /* the graph whose values a region may use */
    Node *owner;  /* the node this is a region of */
    Node *first, *last;
    bool regions; /* some node is, or was, of an operator that has regions: others are not looked for them */
    Value **in, **out;
    int nin, nout;
    Map *names; /* name to Value, of this graph alone */
    Graph *next;
};

typedef struct {
    const char *name;
    int64_t min, max;
    bool used;
    bool told; /* of a default: by the train line */
    const char *cname;
} DimBinding; /* min == max: a fixed extent; cname: in C */
typedef struct {
    const char *from, *to;
    bool used;
} Rename;
typedef enum { W_AUTO, W_EMBED, W_FILE, W_OBJECT } WeightsMode;
/* Extents of inputs that are not given: asked for, or a default. Or only the interface is wanted, and they stay open:
 * unknown to the nodes; or 1 while text is read, since some layers need to know all extents; or for ONNX alone. */
typedef enum { OPEN_DIMS_BOUND, OPEN_DIMS_UNKNOWN, OPEN_DIMS_1, OPEN_DIMS_IN_ONNX } OpenDimsMode;

typedef struct Options {
    const char *input, *output, *emit, *prefix, *external_data;
    const Target *target; /* a row of targets.def; NULL where no code is generated and no pass runs */
    const char *stem;     /* file name of the C without its ending: its header is STEM.h; NULL: the prefix */
    const char *print_after, *print_nest, *passes, *off; /* comma lists; NULL none */
    bool print_change, time_passes, plain_names, real_f64, fast_half, inline_data, taps, no_templates;
    bool train; /* functions that train, besides the one that predicts */
    const char *loss, *optimizer;
    List hyper, freeze; /* Rename*: settings of the optimizer; char*: patterns of parameters that stay as they are */
    List trainable;     /* char*: patterns of constants that are trained, too */
    List initializer_inputs; /* char*: patterns of initializers that the caller may override */
    bool quiet;              /* no warnings: they were printed before */
    bool timed;              /* generated code tells its caller when a step is done */
    bool poison;             /* generated code tells AddressSanitizer when each buffer is alive */
    OpenDimsMode open_dims;
    int level; /* -O0..-O3 */
    WeightsMode weights;
    List dims, renames, consts; /* DimBinding*, Rename*, Rename* (name=file) */
    int64_t max_bytes;          /* memory a compilation may take; 0: from the file's size */
    int64_t max_ram;            /* memory that the generated code may take; 0: any */
} Options;

/* A function of a program that trains: a module of its own, from the same source (train/train.c). */
typedef struct {
    const char *name;
    bool training; /* batch statistics, dropout: else as in inference */
    bool loss, grads, input_grads;
    bool metrics;    /* right answers are counted */
    bool accumulate; /* gradients are added to their block */
    bool update;     /* parameters follow their gradients: those just computed, or those in the block */
    const char *doc;
} Entry;

struct Module {
    Arena *arena;
    Options *opt;
    const Target *target;
    jmp_buf *escape; /* fatal_at returns here */
    FILE *err;       /* where messages go */
    bool quiet;      /* no warnings: another module of the same source printed them */
    List problems;
    const char *source; /* base name of the file compiled first */
    char sha[65];       /* sha256 of its bytes */
    const char *file;   /* the source's bytes while they are mapped, and how many */
    size_t file_bytes;
    List external;        /* char *: paths of external data that was read */
    const char *producer; /* for summary: "ONNX IR 3, opset 8, CNTK 2.5.1" */
    Map *overridable;     /* patterns of --input-initializers that some initializer has met */
    int64_t opset;        /* of ONNX's own operators in the model; 0: it is no ONNX model */
    const char *after;    /* the pass a dump was taken after; NULL: none ran */
    const char *text;     /* source text of a .nn file, for carets */
    Graph *main, *functions;
    List outside;  /* Value*: consts, params, states, in order of appearance */
    Map *names;    /* name to Value, all graphs */
    Map *symbols;  /* interned symbol to itself */
    List bounds;   /* DimBinding*: bounded symbols in use (min < max) */
    Map *dims;     /* names of dims that the model leaves open */
    List defaults; /* DimBinding*: dims of inputs that nobody gave an extent (open_dims.c) */
    List metas;    /* Meta*: data and train lines of a .nn file, kept through dumps */
    int serial;    /* counter for fresh names */
    int kernels;   /* last kernel label given */
    int streams;   /* of random numbers, given out */
    int64_t fuel;  /* steps left before a pass gives up on a hostile model */
    int64_t arena_bytes, bound_bytes, weights_bytes;
    const Entry *entry; /* the function of a training program that is compiled here; NULL: plain inference */
    Training *training; /* what it is trained with */
    bool planned;       /* plan ran: kernels, storage and steps are set */
    List buffers;       /* plan: Value*, the roots in the arena */
    List tenants;       /* plan: Value*, leads that lie in another's buffer */
    List kernel_list;   /* plan: Kernel*, in the order of their steps */
    int steps, peak;    /* plan: how many, and the one at which most memory is in use */
    Marks seen;         /* plan_overwrite.c: expressions of the kernel at hand */
    Memos rewritten;    /* loop/rewrite.c: likewise */
};

/* `data` and `train` lines: a keyword, the network, and attributes kept in order. */
typedef struct {
    const char *keyword, *network;
    int n;
    Attr *attr;
} Meta;

/* ---- open_dims.c: extents of inputs that nobody gives ---- */

enum { MAX_SYMBOLS = 256 }; /* extents chosen at run time */

/* Names of dims that are open, in order. */
typedef struct {
    Map *known;
    List names;
    bool inner; /* some stands elsewhere than at axis 0 */
} OpenDims;
void leave_dim_open(Arena *, OpenDims *, const char *name, int place);
DimBinding *given_dim(Module *, const char *name); /* what --dim says of a dim of the model; NULL: nothing */
/* Of each --dim so far that names none of the model's dims: the open one that is meant; "" if none is near. */
const char *slips_of_dims(Module *, const OpenDims *);
/* Whether they are taken as 1, or 1..batch in training: each is axis 0 wherever it stands. Otherwise all are asked for.
 */
bool has_default(const OpenDims *);
const DimBinding *default_dim(Module *, const char *name);
const char *ask_for(Arena *, const OpenDims *, const char **options); /* "'a', 'b'", "--dim a=N --dim b=N" */
void tell_defaults(Module *);                                         /* a note, if there are any */
const char *blame_defaults(Module *); /* what an error ends with; NULL if there are none */

/* ---- build.c: making and changing graphs ---- */

Module *module_new(Options *, FILE *err, jmp_buf *escape, size_t memory_limit);
void module_free(Module *);
Graph *graph_new(Module *, const char *name, Graph *outer);
const char *symbol(Module *, const char *name); /* interned */
/* A new value; `name` is made unique by a suffix if taken, NULL gives a fresh one. */
Value *value_new(Graph *, const char *name, Type);
Value *input_new(Graph *, const char *name, Type);
Value *outside_new(Module *, ValueKind, const char *name, Tensor *); /* const, param, state */
Value *const_new(Module *, const char *name, Tensor *);
Value *const_ints(Module *, int n, const int64_t *); /* i64[n] */
Value *const_scalar(Module *, DType, double);
Value *find_value(Graph *, const char *name); /* here, in outer graphs, outside; NULL */
/* A node before `at` (NULL: at the end), attributes at their defaults, `nout` results made (names NULL: fresh). */
Node *node_new(Graph *, Node *at, const Op *, int nin, Value *const *in, int nout, const char *const *names, Loc);
Node *emit(Node *at, const Op *, int nin, Value *const *in); /* before `at`, inherits loc and origin; one result */
void set_attr_i(Node *, const char *name, int64_t);
void set_attr_f(Node *, const char *name, double);
void set_attr_s(Node *, const char *name, const char *);
void set_attr_ints(Node *, const char *name, int n, const int64_t *);
void set_attr(Node *, const Attr *); /* by name */
/* The attribute of a row's name; asking for one the row lacks is a bug. */
const Attr *attr(const Node *, const char *name);
static inline int64_t attr_i(const Node *n, const char *name) { return attr(n, name)->i; }
static inline double attr_f(const Node *n, const char *name) { return attr(n, name)->f; }
static inline const char *attr_s(const Node *n, const char *name) { return attr(n, name)->s; }
void unlink_node(Node *);
void move_before(Node *, Node *at);
void swap_names(Module *, Value *, Value *); /* of one graph, or both outside */
void replace(Value *old, Value *with);       /* O(1): uses are redirected when next resolved */
void take_place(Value *old, Value *with);    /* replace, and `with` takes over the name where that matters */
Value *resolve(Value *);                     /* follows replacements; NULL stays NULL */
void resolve_graph(Graph *);                 /* in and out arrays of every node, regions too */
int number_values(Module *);                 /* sets Value.id; returns how many */
void count_uses(Module *);
void drop_unread(Module *); /* forgets consts whose counted uses are none */
/* Contents that no run changes: constants, and the parameters and states of a network that is not trained. */
static inline bool is_known(const Value *v) { return v->data && !v->part; }
bool is_output(const Value *);            /* of its graph */
void set_output(Graph *, int i, Value *); /* whoever gives a graph an output does it here */
void set_outputs(Graph *, const List *);
/* The value as one more output called `name`: itself if that is its name, else through an Identity. */
Value *output_as(Graph *, Value *, const char *name);
static inline const char *port_name(const Value *v) { return v->port ? v->port : v->name; }
const char *node_text(Arena *, const Node *); /* Conv 'conv1' for messages and comments (escaped, cut) */
/* True and the contents if the value is known integers (any count up to `max`). */
bool known_ints(const Value *, int max, int *n, int64_t *out);
bool known_dims(const Value *, int max, int *n, Dim *out); /* the same, symbols allowed */
bool known_float(const Value *, double *);                 /* one known number */
/* Whether the value is one number that follows from an extent of the run, 144 * batch, also as a float. */
bool is_extent(const Value *, Dim *);
static inline Value *input(const Node *n, int i) { return i < n->nin ? n->in[i] : NULL; }
static inline Value *output(const Node *n, int i) { return i < n->nout ? n->out[i] : NULL; }
/* Calls f on every graph: main, functions, regions (inner first). */
void each_graph(Module *, void (*f)(Graph *, void *), void *);

/* ---- storage.c: where elements lie ---- */

int64_t step_of(const Value *, int dim); /* elements between neighbours along a dim */
bool is_dense(const Value *);            /* row-major without a frame */
int64_t value_elements(const Value *);   /* room it takes: frame and gaps included; -1 if beyond 2^62 bytes */
int64_t value_bytes(const Value *);
/* Whether part, element for element, has the place that it would have in whole, `at` elements from its first. */
bool is_part_of(const Value *part, const Value *whole, int64_t at);
void put_in_place(const Value *, void *to); /* its data, value_bytes() of them, laid out; zeros elsewhere */

/* ---- front ends ---- */

void import_onnx(Module *, const char *path, const void *bytes,
                 size_t n);                                   /* onnx/import.c; errors collected, then stop */
bool onnx_scan(const void *bytes, size_t n, char error[200]); /* onnx/scan.c: bounds before unpack */
void export_onnx(Module *, Str *bytes);                       /* onnx/export.c */
void parse_text(Module *, const char *path, const char *text, size_t n); /* text/parse.c */
void print_module(Module *, Str *,
                  Str *weights); /* the whole module; tensors above 32 elements go to `weights` (NULL: inline) */
void print_node(Str *, const Node *);
/* text/layers.c: a lower-case layer call expands to operators and params. in: its arguments; returns its value. */
Value *build_layer(Graph *, const char *layer, int nin, Value *const *in, int nattr, const Attr *, Loc,
                   const Loc *attr_locs);
bool is_layer(const char *name);

/* ---- ops/infer.c: result types; one function per family, named in ops/ops.def ---- */

void infer_node(Node *);    /* checks arity and types, calls the row's rule, folds small known results */
void drop_unwanted(Node *); /* takes out a node whose results nobody names: checked, it is of no more use */
bool broadcast(Node *, int n, Value *const *in, Type *out); /* false after a problem() */
int64_t attr_axis(Node *, const char *name, int rank);      /* normalised; problem() and 0 if out of range */
/* Axes given by input `arg` (or attribute "axes"), normalised and sorted into mask[rank]; false if not known. */
bool known_axes(Node *, int arg, int rank, bool *mask);
/* Windows (conv, pools): resolved per spatial dim. */
typedef struct {
    int n;
    int64_t kernel[MAX_RANK], stride[MAX_RANK], dilation[MAX_RANK], begin[MAX_RANK], end[MAX_RANK], out[MAX_RANK],
        outpad[MAX_RANK];
} Window;
Window window_of(Node *);

/* ---- ops/meaning.c: the definition language --------------------------------------------------------
 * meaning ::= (name '=' expr ';')* expr (',' expr)*
 * Inputs are a b c d or the names in .args; attributes go by name; `y0 y1 … g0 g1 …` in gradients. */
void expand_def(Node *); /* replaces the node by its meaning */
/* Builds `text` before `at`; names bind values. Returns the number of results. */
int build_meaning(Node *at, const char *text, int n, const char *const *names, Value *const *values, int max,
                  Value **results);
const char *check_meaning(Arena *, const Op *, const char *text); /* NULL, or what is wrong */
/* Builds, before `at`, the gradient of a node's input i from those of its results (NULL: none flows into one). NULL: it
 * is zero. The row must have one: has_gradient(). */
Value *build_gradient(Node *n, Node *at, int i, Value *const *g);
const char *gradient_text(const Op *, int i); /* NULL if the row knows none */
const char *check_gradient(Arena *, const Op *, int i);

/* ---- train/train.c: what a network is trained with ---- */

/* Infer: a layer whose input has a type becomes one that drops elements at random: when a network is trained, and
 * outside of training where an input of its own says so, the same ones in each call. Else it stays as it is. */
void start_dropping(Node *);
void prepare_training(Module *); /* before the first pass: parameters and states opaque, layers in training mode */

/* ---- passes ---- */

typedef struct {
    const char *name;
    void (*run)(Module *);
    bool optional;
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
void initialise_params(Module *); /* contents for params that only name an initialiser */
/* How a parameter is drawn: shift + scale * a number of a stream (runtime/nncc_random.h). False: it is not random. */
typedef enum { DRAW_UNIFORM, DRAW_NORMAL, DRAW_TRUNCATED } DrawKind;
typedef struct {
    DrawKind kind;
    uint32_t stream;
    double shift, scale;
} Draw;
bool draw_of(const Value *, Draw *);
void widen_floats(Module *); /* --real=f64, before the first pass */
double work_of(const Op *);  /* of an elementwise operator for one element: an addition is 1 */
/* What a reduction reads, if it computes a row at a time and the elements of that are dear: a row of them is kept. */
Value *row_value(Node *);
enum { KERNEL_NODES = 256, ROW_ELEMENTS = 1024 };
bool same_axes(Node *, Node *);     /* two reductions over the same axes of the same shape */
bool fold_node(Node *);             /* if every input is known: evaluates it, sets the data of its results */
void make_const(Module *, Value *); /* a result with known contents becomes a const in place */

/* ---- the loop-nest IR ------------------------------------------------------------------------
 * A kernel is a tree of statements over expressions. Its textual form is the C that render.c prints. */

/* PAR: iterations are independent. SEQ: in order. The rest are parallel loops of CUDA (cuda/cuda.h): one iteration for
 * each thread of the grid, or for each block; or dealt out to a team of threads. */
typedef enum { AX_PAR, AX_SEQ, AX_GRID, AX_BLOCKS, AX_TEAM } AxisKind;
typedef struct {
    const char *name;
    int id;
    AxisKind kind;
    int64_t extent;
    Expr *size;
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
    bool shared; /* CUDA: the block's, `at` bytes from the start of its shared memory */
    int64_t at;
} Local; /* an array in the function */

typedef enum {
    E_INT, /* i: an index or integer constant of dtype */
    E_NUM, /* num: a float constant of dtype */
    E_AXIS,
    E_TEMP,
    E_SYM,   /* dim: a run-time symbol, dtype index */
    E_LOAD,  /* value[arg0]: arg0 the flat element index */
    E_LOCAL, /* local[arg0] */
    E_CAST,  /* arg0 to dtype */
    E_MAP    /* op(arg…) computed in arg dtype, giving dtype */
} ExprKind;
struct Expr { /* hash-consed in its kernel: equal expressions are one pointer */
    ExprKind kind;
    DType dtype;
    const Op *op;
    int n;
    Expr *arg[3];
    union {
        int64_t i;
        double num;
        Axis *axis;
        Value *value;
        Temp *temp;
        Local *local;
        Dim dim;
    };
    int id;      /* order of creation, for canonical sums */
    Expr *chain; /* of its hash bucket */
};

/* Products added to sums[rows][cols] by a template (templates/c/tile.h), for a < taps and k < n:
 * sums[p][j] += x[x_at + p * x_row + a * x_tap + k * x_step] * w[w_at + a * w_tap + k * w_step + j]. */
typedef struct {
    int rows, cols;
    Value *x, *w;
    Expr *x_at, *w_at;
    int64_t x_row, x_tap, x_step, w_tap, w_step;
    Expr *taps, *n;
    Local *sums;
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
    S_NOTE,
    S_TILE,
    S_SYNC,   /* the threads of a team wait for each other */
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
    const char *text;          /* NOTE: a comment */
    Tile *tile;                /* TILE */
    const Op *op;              /* COMBINE: the MAP row */
    bool frame;                /* FOR: writes zeros around a result, which nothing else writes */
    bool done;                 /* FOR: scheduled; left as it is */
    Stmt *body, *other, *next; /* FOR, IF, WHILE; IF's else */
};

struct Kernel {
    Module *module;
    const char *name; /* stem of its function */
    Node **node;      /* the nodes it computes */
    int nnode;
    Value **arg; /* tensors it touches: read first, then written, then scratch */
    int narg, nread, nwritten;
    const char **arg_name; /* their names inside the function, by role */
    int *same;             /* plan: the argument written in place of each one read, else -1; NULL: none is */
    List scratch;          /* Value*: memory it needs while it runs */
    Stmt *body;
    Expr **table;
    int nexpr, buckets; /* hash-consing */
    int axes, temps, locals;
    int step;      /* plan: its place in the order of execution */
    int64_t macs;  /* multiply-adds of its reductions */
    List launches; /* cuda/emit_cuda.c: Launch*, what it is on a GPU */
};

/* Whether argument i shares its memory with one that is written: then there is one pointer for both. */
static inline bool written_over(const Kernel *k, int i) { return k->same && i < k->nread && k->same[i] >= 0; }

/* ---- loop/loop.c: expressions and statements --------------------------------------------------
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
Expr *load(Lower *, Value *, Expr *const *idx); /* the stored element: honours strides and halo */
Expr *local_at(Lower *, Local *, Expr *index);
bool uses_axis(const Expr *, const Axis *);
DType compute_type(DType); /* f16 and bf16 compute in f32; expressions never have a storage-only type */
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
Local *local_new(Lower *, const char *name, DType, int64_t count);
void put_local(Lower *, Local *, Expr *index, Expr *);
Value *scratch(Lower *, const char *name, DType, int rank,
               const int64_t *dim); /* memory that lives during the kernel */
void note(Lower *, const char *text);

/* ---- lower/lower.c: graph to loop nests ---- */

struct Lower {
    Kernel *k;
    Module *m;
    Arena *arena;
    Block *block; /* stack of open blocks */
    int depth, cap;
    Node *filling;     /* the reduction whose row is being computed */
    bool scalar_lanes; /* a hint to the interpreter: contains S_WHILE */
    bool placed;       /* values have their places: nothing is copied to where it lies */
    const Node *split; /* a Split whose parts were asked for, and where they begin */
    int64_t *part_at;
};
/* The element of `v` at idx: inlined if v is computed in this kernel and not stored, else loaded. */
Expr *value_at(Lower *, Value *v, Expr *const *idx);
/* The same for input i of n, with idx aligned to the result's rank and broadcast (dims of 1 read index 0). */
Expr *broadcast_at(Lower *, Value *v, int rank, Expr *const *idx);
Expr *open_loops(Lower *, const Type *, const char *names,
                 Expr **idx); /* one PAR loop per dim; names "nchw"; NULL: i j k … */
void close_loops(Lower *, const Type *);
Kernel *lower_kernel(Module *, Node **nodes, int n); /* the nodes of one label, in order */
Kernel *lower_placed(Module *, Node *);              /* the same of one node, once its values have their places */
const Node *main_node(const Kernel *);               /* the one with a loop nest of its own; NULL: none */
int kernels_of(Module *, Graph *, List *out);        /* every kernel of a graph in order (regions excluded) */
const char *axis_letters(int rank);

/* ---- interp/interp.c ---- */

/* Runs a kernel; `at` maps Value.id to its memory. */
void interpret(Kernel *, void *const *at);
int64_t nest_cost(const Stmt *); /* work of a nest in scalar operations, saturating */
/* Runs main on inputs (in order), giving outputs; fatal if something in it cannot be interpreted. Takes f64 networks
 * too. */
void interpret_module(Module *, Tensor *const *in, Tensor **out);

/* ---- render/render.c, dialects.c, template.c ---- */

typedef struct Render Render;
typedef struct {
    const char *name;
    const char *function; /* what stands before a function's name */
    const char *restrict_;
    const char *wide; /* the type of subscripts beyond int */
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

/* ---- plan.c, emit/emit.c: storage and files ---- */

typedef enum { HOME_NONE, HOME_ARENA, HOME_INPUT, HOME_OUTPUT, HOME_WEIGHTS, HOME_LITERAL, HOME_PART } Home;
enum { BUFFER_ALIGN = 64 };

/* A buffer of the arena at Module.peak: the tensor that it holds then, and its size. */
typedef struct {
    const Value *v;
    int64_t bytes;
} Held;
int at_peak(const Module *, Held **list); /* the largest first; returns how many */
const char *peak_step(const Module *);    /* what runs then: Conv 'conv1' */
int64_t ram_bytes(const Module *);        /* what a call writes or reads besides weights: arena, inputs, outputs */

struct Output {
    Str c, h, cu, weights, object;
};
void emit_dot(Module *, Str *);
/* A C identifier for model text: [a-z0-9_], at most 24 characters, not reserved, unique in `taken`. */
const char *identifier(Arena *, Map *taken, const char *name, const char *fallback);
const char *comment_text(Arena *, const char *, int max); /* white-listed ASCII for comments */

/* ---- io/io.c: tensors in files ---- */

/* Reads a .pb (TensorProto), .npy, .pgm/.ppm or raw file. `want` gives type and shape for raw and picture files (may be
 * NULL for pb and npy). NULL with a message in error[200]. */
Tensor *read_tensor(Arena *, const char *path, const Type *want, char error[200]);
bool write_tensor(const char *path, const Tensor *, char error[200]); /* .npy, .pgm/.ppm, or raw bytes */

/* ---- commands (cli/): each returns an exit code ---- */

/* Reads a model by content: ONNX or text. Problems end through the escape. */
int load_model(Module *, const char *path);
int compile(Options *, FILE *err, int (*then)(Module *, void *),
            void *arg); /* load, passes, then `then`; owns the module */
int cmd_compile(Options *);
int cmd_summary(Options *);
int cmd_check(Options *);
int cmd_verify(Options *, int ndirs, char **dirs, double rtol, double atol, const char *cc);
int cmd_run(Options *, int nin, char **in, int nout, char **out, bool interpret);

#endif
