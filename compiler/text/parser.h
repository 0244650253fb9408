/* parser.h - what the files of the .nn parser share. The grammar is on top of parse.c. */
#ifndef NNCC_PARSER_H
#define NNCC_PARSER_H
#include "base/lexer.h"
#include "ir/diag.h"
#include "ir/open_dims.h"
#include "train/train.h"

/* Names in sight. A function's scope ends the search, but for what is outside every graph; a region's goes on outwards.
 */
typedef struct Scope {
    struct Scope *outer;
    Map *values;      /* name as written to Value */
    Map *words;       /* attribute parameters and counters of repeats: name to Attr; NULL none */
    const char *stem; /* of the values' names: the call it was inlined at; NULL none */
    int repeats;      /* open repeats: a name may be defined again */
} Scope;

typedef struct {
    Module *m;
    const char *path;
    Lexer l;
    Graph *g;
    Scope *scope, *globals;
    Scope *network;      /* that of the network, once it is read */
    Map *functions;      /* name to Function */
    Map *dims;           /* dim lines: name to DimBinding */
    Map *defaults;       /* the same of dims that nothing binds */
    OpenDims open;       /* dims of the network's inputs that nothing binds, once its signature is */
    bool scanned;        /* in a look ahead */
    bool signature;      /* it is being read */
    List open_inputs;    /* dims.c: inputs whose extents stay open */
    Map *taken;          /* names of opened calls and results: to how often each was used, as an int */
    List meta_locs;      /* Loc* of each meta line */
    List losses;         /* LossCall*: of train lines */
    Str kept;            /* the functions that they call, as text */
    Map *kept_dims;      /* … and which dim lines that text has */
    int depth;           /* of nesting, against MAX_NESTING */
    int opened;          /* functions and repeats that are being opened */
    int budget;          /* statements that may yet come of opening them */
    bool typed;          /* types are inferred while reading; not in a dump that no pass has seen */
    const char *weights; /* the sidecar, mapped when first needed */
    size_t weights_size;
    int64_t weights_said; /* its size as the module line says; -1: not said */
    int serial;           /* as the module line says; -1: not said */
} Parser;

typedef struct {
    Attr *at;
    Loc *loc;
    int n;
} Attrs;
typedef struct {
    const char *name;
    Lexer start;     /* at the parenthesis */
    const char *end; /* behind the brace */
    bool active;
    bool kept; /* losses.c: its text is */
} Function;
/* Where a result goes. Without a name: nowhere, or, used, into an argument. */
typedef struct {
    const char *name;
    bool used;
    Loc loc;
} Defined;
/* A value (NULL for _), or a literal if that has a kind. */
typedef struct {
    Value *value;
    Attr literal;
    Loc loc;
} Arg;
typedef struct {
    const char *name;
    Loc loc;
    List args, targets; /* Arg*, Defined* */
    Attrs attrs;
    Value **result; /* one for each target */
    Node *node;     /* of an operator; NULL: a layer or function */
} Call;

/* A loss of a train line. */
typedef struct {
    const char *entry; /* loss.main */
    const char *name;  /* what is called */
    Loc loc;
    List args; /* LossArgument* */
    Attrs settings;
    Function *f;
    LossTerm *term;
} LossCall;
/* A value or a target, or a pattern of names of parameters. */
typedef struct {
    Defined name;
    bool pattern;
} LossArgument;

enum { MAX_NESTING = 64, OPENED_STATEMENTS = 50000 };

/* ---- parse.c: tokens and names ---- */
#define FAIL(p, loc, ...) fatal_at((p)->m, EXIT_INPUT, loc, __VA_ARGS__)
Loc here(const Parser *);                            /* the current token */
_Noreturn void expected(Parser *, const char *what); /* "expected a type, saw '}'" */
void expect(Parser *, const char *spelling);
bool see(const Parser *, const char *spelling);
bool eat(Parser *, const char *spelling);
void next(Parser *);
const char *take(Parser *, TokenKind, const char *what); /* the text of a token of this kind, and past it */
/* Past a group in brackets, unread: where its text ends. */
const char *skip_group(Parser *, const char *open, const char *close);
const char *show(const Parser *, const char *text); /* for messages: escaped and cut */
void enter(Parser *);                               /* one level deeper; stops at MAX_NESTING */
void leave(Parser *);
Scope *open_scope(Parser *, Scope *outer, const char *stem);
Value *find_named(const Parser *, const char *name); /* NULL if none is in sight */
void define(Parser *, Defined, Value *);
const char *full_name(const Parser *, const char *name); /* behind the stem of the call it is inlined at */
const char *fresh_name(Parser *, const char *name);      /* the full name; x.2, x.3 if it is taken */
void define_word(Parser *, const char *name, const Attr *);
const Attr *find_word(const Parser *, const char *name);

/* ---- literal.c ---- */
int64_t parse_int(Parser *); /* sign allowed */
Type parse_type(Parser *);
/* {strides = […], halo = […]}, if it is there. */
void parse_layout(Parser *, Value *); /* of a value whose type is read */
Tensor *parse_contents(Parser *, const Type *);

/* ---- dims.c ---- */
void find_places(Parser *); /* of dims in the network's inputs, for --dim INPUT:AXIS; before the first is read */
/* On the command line, by a dim line, else by --dim '*'; NULL if nowhere. */
const DimBinding *find_dim(Parser *, const char *name);
Dim named_dim(Parser *, const char *name, Loc); /* its extent, or an error */
bool stays_open(const Parser *);                /* only the interface is asked for: extents may stay unknown */
void use_bound(Parser *, const DimBinding *);   /* into the module's bounds */
/* Extents of an input that are not said: they go by the names that unnamed ones of ONNX have. */
void bind_unknown(Parser *, const Defined *, Type *);
/* Extents that stay open are unknown, or 1, while the network is read, and have their names behind it. */
Type type_for_now(const Parser *, const Type *declared);
void remember_open(Parser *, Value *input, const Type *declared);
void name_open_dims(Parser *);

/* ---- attr.c ---- */
void parse_scalar(Parser *, Attr *);                 /* a number, a word or a string */
const char *initializer_here(Parser *);              /* glorot_uniform, normal(0, 0.05) */
void parse_literal(Parser *, Attr *);                /* the same, their products, or a list */
void add_attr(Parser *, Attrs *, const Attr *, Loc); /* an error if it is there already */
Attrs parse_attrs(Parser *, bool meta); /* {a = 1, b = relu}; meta: braces may nest, names are joined by points */
/* Makes an attribute's value one of `kind`: [3] for 3, its number for f32, 1 for true; false if it cannot be one. */
bool coerce_attr(Arena *, Attr *, AttrKind kind);

/* ---- call.c, body.c ---- */
void parse_call(Parser *, Call *);
Arg *parse_arg(Parser *);
/* The one result of a function. */
Value *call_by_value(Parser *, Function *, const List *args, const Attrs *, Loc);
void type_now(Parser *, Node *); /* infers a node that has just been read */
void parse_inputs(Parser *, Graph *, bool of_network);
void parse_block(Parser *, List *results);
void parse_body(Parser *, Graph *); /* a block that gives the graph its results */
Graph *parse_region(Parser *);

/* ---- layers.c ---- */
bool is_layer(const char *name);
void build_layer(Parser *, Call *, Value *const *in, const char *stem); /* into operators and parameters */

/* ---- losses.c ---- */
bool see_loss(const Parser *);     /* a call, or factors and a call */
void parse_loss(Parser *, Attr *); /* as an entry of a meta line called like the attribute */
void check_loss_entries(Parser *, const char *keyword, const Attrs *); /* of a meta line */
void finish_losses(Parser *);                                          /* when the file is read */

/* ---- print.c ---- */
/* The fewest digits that read back; a float's value is spelled as a float where this is shorter: 0.1f. */
void put_double(Str *, double, bool point); /* point: 1 is 1.0 */
void put_setting(Str *, const Attr *);      /* what stands behind the equals sign */
#endif
