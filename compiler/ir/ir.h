/* ir.h - the graph: modules, graphs, nodes and values in SSA form, and the options of a compilation.
 *
 * This room holds networks, their storage and errors about them. It calls base alone; the rows of ops.def are known to
 * it as data. */
#ifndef NNCC_IR_IR_H
#define NNCC_IR_IR_H

#include "ir/op.h"
#include <setjmp.h>

typedef struct Module Module;
typedef struct Value Value;
typedef struct Kernel Kernel;
typedef struct Target Target;
typedef struct Training Training;
typedef struct Output Output;

/* Where something came from. Text: file, line, col (from 1), width. ONNX: node is the node's index (from 0), name its
 * name. */
typedef struct {
    const char *file;
    int line, col, width;
    int node;
    const char *name;
} Loc;

typedef enum { HOME_NONE, HOME_ARENA, HOME_INPUT, HOME_OUTPUT, HOME_WEIGHTS, HOME_LITERAL, HOME_BLOCK } Home;
enum { BUFFER_ALIGN = 64 };

typedef enum { V_NODE, V_INPUT, V_CONST, V_PARAM, V_STATE } ValueKind;
/* Where a value of a network that trains lies: in a block, or in a field of the network's struct. */
typedef enum {
    BLOCK_NONE,
#define BLOCK(name, ...) BLOCK_##name,
#include "base/blocks.def"
#undef BLOCK
    BLOCK_FIELD,
    BLOCKS
} TrainingBlock;

/* What a sequence holds, or an optional without an element (control/sequence.c). */
typedef struct {
    int n;
    Value **at;
    bool none;
    Value *rows; /* where only a call tells how many there are: its tensors as rows of one; then there is no `at` */
    Value *whole,
        *each; /* or they are parts of one along an axis, of so many elements, the last of as many as are left */
    int axis;
    Value *has; /* of an optional sequence that a branch decides: whether there is one */
} Items;

/* A tensor in SSA form: defined once, by a node or from outside. Its own fields come first, then those of each part of
 * the compiler that keeps something with it. What every pass looks at leads: a walk over a large network waits for
 * memory, a cache line of 64 bytes at a time. */
struct Value {
    ValueKind kind;
    int id;             /* dense number, set by number_values() */
    Node *def;          /* V_NODE: its node, and which of the node's results it is */
    Graph *graph;       /* the graph that owns it; NULL for the module's params, states and consts */
    Value *replacement; /* what stands for it from now on (build.c:resolve) */
    Tensor *data;       /* contents, when known at compile time (params: initial contents) */
    int uses;           /* how often it is read, set by count_uses() */
    int output;         /* 1 + its place when it was last seen among its graph's outputs; 0: it never was one */
    int result;
    int arg_place[2]; /* its place among what the kernel at hand reads, and writes; compared with the list before use */
    unsigned char simplify_marks; /* bits of simplify.h, while that pass runs */
    bool literal;                 /* from a Constant node of a model, not an initializer */
    Type type;
    const char *name;   /* unique in its module; as in the model, any bytes */
    const Type *packed; /* an input's or output's that the caller has packed: of its elements; `type` is of the bytes */
    const char *port;   /* an output's name in the model if another value has that, such as an input; NULL: its own */
    Dim *known;         /* infer: small contents that involve symbols, type_count() of them; else NULL */
    int64_t over;       /* what `known` is divided by; of integers 1 or 0 */
    Value *measured;    /* infer: the same numbers as extents of the call; else NULL */
    const Items *items; /* infer: of a sequence; else NULL */
    const char *init;   /* V_PARAM: initialiser in text ("glorot_uniform"), NULL if data is given */
    Loc loc;
    /* Where it is in memory, and from when to when (passes/plan.h). */
    struct {
        Value *base; /* a view's: the value whose bytes it shows; else itself */
        Value *row;  /* the row of a loop's turn that it is, or shows, in its base; NULL: it begins where that does */
        Home home;   /* what kind of memory the base lies in */
        int first, last; /* a base's: steps between which its contents are live */
        int begin, end;  /* a buffer's: the same of everything in it */
        int slot;        /* index among inputs or outputs */
        Value *buffer;   /* the value in whose buffer the base lies: often itself */
        int64_t shift;   /* bytes from the beginning of that buffer */
        int64_t offset;  /* bytes in the arena, -1: not there */
        int copies;      /* of scratch memory: threads that have one each; 0: all have the same */
        int64_t asked;   /* 1 + the offset that a #at= asks for; 0: none does */
        int number;      /* a base's: dense number in the list that a part of the planner works on; -1: not in it */
        int places;      /* a base's: how many inputs of the Concat at hand lie in it */
        bool wanted;     /* a base's: a kernel reads it, or it is an output */
        bool handed;     /* a base's: a Loop carries it from one iteration to the next */
    } plan;
    /* In what order its elements are stored (passes/layout.c). */
    struct {
        int64_t *stride; /* elements per dim; NULL: dense row-major */
        int64_t *halo;   /* zeros stored before and after each dim (2 * rank); NULL: none */
        int64_t *block;  /* {dim, size, step}: that dim lies in blocks of size, step elements apart; NULL: none */
    } layout;
    /* What it is to a program that trains (train/). */
    struct {
        TrainingBlock block;   /* that it lies in */
        bool frozen;           /* a parameter that stays as it is */
        const char *untrained; /* why these floats are not trained */
    } train;
    /* How generated code refers to it (emit/). */
    struct {
        int mentions;         /* a base's: how often a function's body names it */
        const char *cname;    /* its identifier; an input's or output's field in the network's struct */
        const char *local;    /* a base's: what a function calls that field; NULL: by its own name */
        int64_t block_offset; /* bytes from the beginning of its block: of weights, parameters, gradients, … */
    } emit;
};

/* Iterations of loops that were unrolled: the one that a node was copied for, and those around it. */
typedef struct Turns Turns;
struct Turns {
    const Turns *around;
    int64_t turn;
};

struct Node {
    const Op *op;
    Node *prev, *next; /* execution order */
    Value **in, **out; /* in[i] NULL: an omitted optional input; out[i] NULL: a result nobody wants */
    int nin, nout;
    Kernel *code; /* plan: its loop nest, on the first node of each label */
    int kernel;   /* nodes with equal labels become one kernel; 0: alone */
    bool row;     /* plan: a Gather in a loop whose result is read where it lies, a row in each turn (plan_parts.c) */
    Graph *graph;
    const Turns *turns;   /* those since the region that it is in, NULL: none */
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
    int64_t min, max, step; /* step: the extent is a multiple of it; 0: of 1 */
    bool used;
    bool told;     /* of a default: by the train line */
    bool computed; /* in the call, by the node Extent of that name: no field of the caller's */
    int64_t value; /* of a computed one, while the interpreter runs */
    const char *cname;
    const Symbol *symbol; /* of one that the module's nodes know */
} DimBinding;             /* min == max: a fixed extent; cname: in C */
typedef struct {
    const char *from, *to;
    bool used;
} Rename;
typedef enum { W_AUTO, W_EMBED, W_FILE, W_OBJECT } WeightsMode;
/* Extents of inputs that are not given: asked for, or a default. Or only the interface is needed, and they stay open:
 * unknown to the nodes; or 1 while text is read, since some layers need to know all extents; or for ONNX alone. */
typedef enum { OPEN_DIMS_BOUND, OPEN_DIMS_UNKNOWN, OPEN_DIMS_1, OPEN_DIMS_IN_ONNX } OpenDimsMode;

typedef struct Options {
    const char *input, *output, *emit, *prefix, *external_data;
    const Target *target; /* a row of targets.def; NULL where no code is generated and no pass runs */
    const char *stem;     /* file name of the C without its ending: its header is STEM.h; NULL: the prefix */
    const char *self;     /* file name of the C, which may include itself; NULL: STEM.c */
    const char *print_after, *print_nest, *passes, *off; /* comma lists; NULL none */
    bool keep_dropout;                                   /* dropout stays in inference */
    bool print_change, time_passes, plain_names, real_f64, fast_half, inline_data, taps, no_templates, no_winograd;
    bool train;              /* functions that train, besides the one that predicts */
    const char *distributed; /* by several processes, which it starts ("mpi"); NULL: by one */
    const char *loss, *optimizer, *flavor, *schedule;
    List heads;        /* Rename*: patterns of parameters, and how many classes they are for */
    List added_losses; /* char*: 0.001 * L2("*.weight"), added to it */
    int class_weights; /* of the loss, one for each class; 0: none are asked for */
    const double *class_weight;
    List hyper, freeze;      /* Rename*: words of the train line; char*: patterns of parameters that stay as they are */
    List trainable;          /* char*: patterns of constants that are trained, too */
    List initializer_inputs; /* char*: patterns of initializers that the caller may override */
    List outputs;            /* char*: values that are the outputs instead of the model's; none: the model's */
    bool normalise;          /* the network does to its inputs what the data line says */
    bool quantized_io;       /* the caller's tensors are those behind and before the quantisation at the boundary */
    bool quiet;              /* no warnings: they were printed before */
    int threads;             /* that a call may use at most; 0: no threads in the interface */
    bool timed;              /* generated code tells its caller when a step is done */
    bool poison;             /* generated code tells AddressSanitizer when each buffer is alive */
    OpenDimsMode open_dims;
    int level; /* -O0..-O3 */
    WeightsMode weights;
    List bounds;                /* Rename*: input=N, how many tensors a sequence holds */
    List dims, renames, consts; /* DimBinding*, Rename*, Rename* (name=file) */
    int64_t max_bytes;          /* memory a compilation may take; 0: from the file's size */
    int64_t string_bytes;       /* of a string of an input, with its NUL; 0: STRING_WIDTH */
    const char *channel_blocks; /* "8" or "16": of a model of ONNX Runtime's optimizer that does not say; NULL */
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
    bool averages;   /* only exchanges parameters and their averages */
    bool samples;    /* dropout and random numbers as in training, each call other ones */
    const char *doc;
    /* A second function that goes on where the first ends, with its arena: from gradients that the caller gives. */
    const char *second, *second_doc;
} Entry;

struct Module {
    Arena *arena;
    Options *opt;
    const Target *target;
    jmp_buf *escape;      /* fatal_at returns here */
    bool (*fold)(Node *); /* interp.h, fold_node(): inference folds what extents are computed with; set by the driver */
    FILE *err;            /* where messages go */
    bool quiet;           /* no warnings: another module of the same source printed them */
    int64_t segments;     /* the steps of recurrent layers in so many parts, which the backward pass computes again */
    int64_t longest_scan; /* the most steps of one that could be divided */
    bool too_large;       /* it takes more than --max-ram, and more segments could help */
    List problems;
    const char *source; /* base name of the file compiled first */
    char sha[65];       /* sha256 of its bytes */
    const char *file;   /* the source's bytes while they are mapped, and how many */
    size_t file_bytes, external_bytes;
    List external;        /* char *: paths of external data that was read, of external_bytes in all */
    const char *producer; /* for summary: "ONNX IR 3, opset 8, CNTK 2.5.1" */
    Map *overridable;     /* patterns of --input-initializers that some initializer has met */
    int64_t opset;        /* of ONNX's own operators in the model; 0: it is no ONNX model */
    const char *after;    /* the pass a dump was taken after; NULL: none ran */
    const char *text;     /* source text of a .nn file, for carets */
    Graph *main, *functions;
    List outside; /* Value*: consts, params, states, in order of appearance */
    Map *names;   /* name to Value, all graphs */
    Map *symbols; /* Symbol*, by what it is made of */
    int symbol_ids;
    List bounds;   /* DimBinding*: bounded symbols in use (min < max) */
    Map *dims;     /* names of dims that the model leaves open */
    Map *dims_at;  /* "INPUT:AXIS" to the name of the open dim that lies there */
    List defaults; /* DimBinding*: dims of inputs that nobody gave an extent (open_dims.c) */
    List carried;  /* Value*: states that a call of inference leaves for the next one (train/state.c) */
    List props;    /* Rename*: what an ONNX file says of itself, by key: metadata_props */
    List metas;    /* Meta*: data, train and io lines of a .nn file, kept through dumps */
    List losses;   /* LossTerm*: those that a train line gives by name (train/train.h) */
    List targets;  /* Value*: the inputs that only they read */
    /* The functions that they call, as text; NULL: none. */
    const char *loss_functions;
    int serial;   /* counter for fresh names */
    int kernels;  /* last kernel label given */
    int streams;  /* of random numbers, given out */
    int64_t fuel; /* steps left before a pass gives up on a hostile model */
    int64_t arena_bytes, bound_bytes, weights_bytes, state_bytes;
    const Entry *entry; /* the function of a training program that is compiled here; NULL: plain inference */
    Training *training; /* what it is trained with */
    bool meets;         /* plan: threads of a call divide kernels, and wait for each other at the arena's first word */
    bool planned;       /* plan ran: kernels, storage and steps are set */
    List buffers;       /* plan: Value*, those with a buffer of their own in the arena */
    List aliases;       /* plan: Value*, bases that lie in another's buffer */
    List kernel_list;   /* plan: Kernel*, in the order of their steps */
    int steps, peak;    /* plan: how many, and the one at which most memory is in use */
    Node *second;       /* plan: where Entry.second begins, NULL: nowhere; and its first step */
    int second_step;
    Marks seen;      /* plan_overwrite.c: expressions of the kernel at hand */
    Memos rewritten; /* loop/rewrite.c: likewise */
};

/* `data`, `train` and `io` lines: a keyword, the network, and attributes kept in order. */
typedef struct {
    const char *keyword, *network;
    int n;
    Attr *attr;
} Meta;

#endif
