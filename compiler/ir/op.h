/* op.h - a row of ops.def: everything nncc knows about an operator. */
#ifndef NNCC_IR_OP_H
#define NNCC_IR_OP_H

#include "ir/tensor.h"

typedef struct Graph Graph;
typedef struct Module Module;
typedef struct Node Node;
typedef struct Op Op;
typedef struct Expr Expr;
typedef struct Lower Lower;

typedef enum { A_NONE, A_INT, A_FLOAT, A_STR, A_INTS, A_FLOATS, A_STRS, A_TENSOR, A_GRAPH, A_LOSS } AttrKind;
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
    bool own;          /* nncc's own, behind the others: no ONNX file has it */
} Attr;

typedef enum { K_MAP, K_RED, K_DEF, K_OP } OpKind;

/* Which elements of its operands an element of a result is made of. */
typedef enum {
    ACCESS_OTHER,       /* by a loop nest of its own, of which no more is known */
    ACCESS_ELEMENTWISE, /* those at its index, broadcast */
    ACCESS_REDUCTION,   /* all along some axes */
    ACCESS_CONTRACTION, /* a sum of products of elements of the first two */
    ACCESS_WINDOW,      /* those under a window */
    ACCESS_MOVEMENT,    /* one, at another index */
    ACCESS_RECURRENCE   /* those of one step, and what the step before gave */
} AccessPattern;

/* What leaves an element as it is when it is combined with it. */
typedef enum { NEUTRAL_NONE, NEUTRAL_0, NEUTRAL_1, NEUTRAL_LOWEST, NEUTRAL_HIGHEST } Neutral;

/* What is known of results: never below 0; or never below -0, whose sign Abs takes away. */
typedef enum { SIGN_ANY, SIGN_NONNEGATIVE, SIGN_MINUS_ZERO } Sign;
/* An operator on its own result: another result, the same, its operand again; INTEGER: the same, whichever of these. */
typedef enum { TWICE_OTHER, TWICE_SAME, TWICE_UNDONE, TWICE_INTEGER } Twice;

enum { COST_ADD = 1, COST_DIVIDE = 4, COST_CALL = 20 }; /* of a scalar function, relative to an addition */

enum { MAX_GRAD = 8, ROW_ATTRS = 24 }; /* columns of a row, not limits on a model: --check-ops insists rows fit */

/* One row of ops/ops.def: everything nncc knows about an operator. */
struct Op {
    OpKind kind;
    const char *name, *doc;
    const char *domain;      /* NULL: ai.onnx */
    int since;               /* opset of the meaning held here; 0: internal to nncc */
    int in, in_max;          /* fewest and most inputs; in_max 0: same as in; -1: any number */
    int omitted;             /* of any number: how many of the first may be left out */
    const char *optional;    /* of the fewest, by the names in .args: those that may be left out */
    int out, out_max;        /* likewise; out 0 means 1 */
    const char *args, *outs; /* their names, as in ONNX ("X W B"); C parameters follow from them */
    /* Types: one letter per input and output. T U V type variables, b bool, l i64, i any integer, f any float,
     * * anything, . same letter as the last for the rest. NULL in: all T. NULL out: all T. */
    const char *in_types, *out_types;
    const char *types;     /* kinds that T may be: letters of kind_letter(); NULL any */
    Attr attr[ROW_ATTRS];  /* names, kinds, defaults */
    void (*infer)(Node *); /* result types; NULL: MAP broadcasts, RED reduces, DEF follows its meaning */
    const char *c, *ci;    /* MAP: its C text for floats and for integers */
    int cost;              /* MAP: of one element, COST_*; 0: an addition's. See cost_of() */
    bool wrap;             /* MAP: integers compute modulo 2^n */
    bool nary;             /* MAP: folds over any number of inputs */
    const char *infix;     /* MAP: its operator in meanings and in C */
    int prec;
    double (*eval_f)(double, double, double);
    int64_t (*eval_i)(int64_t, int64_t, int64_t);
    uint64_t (*eval_u)(uint64_t, uint64_t, uint64_t);
    Neutral neutral, right; /* MAP: on either side; on the right alone */
    const char *affine;     /* MAP: operands that a constant other one scales and shifts */
    Twice twice;
    Sign sign;
    const char *sum;        /* MAP: what its reduction is called in C and CUDA; NULL: its order may not change */
    const char *combine;    /* RED: the MAP row that combines; reductions start from its neutral element */
    const char *def;        /* DEF: the meaning in terms of other rows */
    const char *opened;     /* OP: the same, for the gradient's sake: it has none of its own */
    const char *draws;      /* OP: the meaning in terms of u and v, uniform random numbers below 1 (train/random.c) */
    bool in_training;       /* .draws is for training; elsewhere the row means what it decomposes into */
    void (*expand)(Node *); /* OP that is a composite beyond the language: builds its replacement */
    bool before_rows;       /* its replacement is made of strings: expanded before these become rows of bytes */
    Expr *(*at)(Lower *, Node *, int out, Expr *const *idx); /* OP: the element at an index */
    void (*lower)(Lower *, Node *);                          /* OP: a whole loop nest that stores its results */
    void (*blocks)(Lower *,
                   Node *); /* OP: the nest of its kernel, a block of results at a time: what reads these is in it */
    bool view;              /* OP: the result is the first input's bytes under another shape */
    bool lists;             /* OP: takes or gives sequences or optionals, and is gone behind the pass infer */
    bool effect;            /* never merged, never dropped */
    bool measures;          /* likewise: dims of other values are called after its result */
    bool no_fold;           /* fold leaves it alone: ConstantOfShape of a huge shape */
    const char
        *grad[MAX_GRAD];   /* the gradient of each input, in the definition language; "0": none flows. NULL: unknown */
    const char *no_grad;   /* why it has none, or what is done instead: of rows that floats go through */
    const char *grad_each; /* the same for any number of inputs: x is the input in question */
    /* Operands by the names in .args, "W B"; without .args "a b c". "*": every one. See find_operand(). */
    const char *params;   /* those that hold what is trained */
    const char *learns;   /* those that may, where they meet data: scales, positions */
    const char *moves;    /* each element of a result is one of theirs; the other operands say which */
    bool keeps;           /* every element of the first input is in the result, at most converted; views do */
    AccessPattern access; /* if not as the kind says: see access_of() */
    const char *weights;  /* contractions, recurrences: what layout packs */
    int column;           /* the weights' dim that gives the result's columns, its channels; transB: the other */
    const char *image;    /* convolutions: what their window slides over; a second one is read as it lies */
    bool transposed;      /* convolutions: an element of the image goes into as many results as there are taps */
    const char *grad_of;  /* the result is this operand's gradient: only its shape is read, or the window's */
    const char *like_out; /* layout: this operand gets the layout of the result */
    bool (*dims)(Module *, Dim, Dim, Dim *); /* MAP: of extents chosen at run time; false: none says it */
    const char *unsupported;                 /* why this operator is refused: schema only */
    bool rounds; /* DEF: half precision rounds every step of it, too, wherever it is computed */
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
#define NAMED(id, ...) OP_ID(id)
#include "ops/ops.def"
#undef MAP
#undef RED
#undef DEF
#undef OP
#undef NAMED
#undef OP_ID
    OP_COUNT
};
#define IS(node, name) ((node)->op == &ops[OP_##name])

#endif
