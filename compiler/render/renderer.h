/* renderer.h - what the two halves of the renderer share: expr.c and render.c. */
#ifndef NNCC_RENDERER_H
#define NNCC_RENDERER_H
#include "loop/loop.h"
#include "render/arrays.h"
#include "render/dialects.h"

typedef struct Launch Launch; /* cuda/cuda.h */

struct Render {
    Kernel *k;
    const Dialect *dialect;
    Arena *arena;
    Str *out;
    List *needs; /* helpers, tiles by their names, and templates */
    int indent;
    const char *index_type;
    const char *count;         /* the parameter that says how long the one loop is; NULL: the text says it */
    const char *t, *nt, *meet; /* parameters of a kernel that threads divide; meet: where they wait */
    const char **axis_name, **temp_name, **local_name;
    List scope;           /* Named*: names in use, the innermost last */
    Map *named, *wishes;  /* the same by name, NULL: no longer; Wish* by what was asked for */
    const Map *outer;     /* names of the file */
    const Launch *launch; /* what a dialect with parallel loops prints; else NULL */
    const char **hoisted; /* by the id of an operand, below nhoisted: its name in the statement being printed */
    int nhoisted;
    List hoists;    /* const Expr*: those that have one */
    List dims;      /* const Symbol *: extents of the call, and what they are called, in turn */
    List constants; /* tile_call.c: the strides of tiles and their names */
};

/* A wish is granted with a number behind it; all numbers below `next` are taken. */
typedef struct {
    int next;
} Wish;

const char *take_dim(Render *, const Symbol *); /* a parameter's name for it */

typedef struct {
    const char *name;
    Wish *wish; /* NULL: as it is */
    int number;
} Named;

enum {
    PREC_ANY = 0,
    PREC_TERNARY = 2,
    PREC_OR = 3,
    PREC_AND = 4,
    PREC_EQUAL = 8,
    PREC_LESS = 9,
    PREC_ADD = 11,
    PREC_MUL = 12,
    PREC_UNARY = 13,
    PREC_ATOM = 15
};

void expr(Render *, const Expr *, int prec);       /* prints it, in parentheses if it binds weaker than prec */
const char *take_name(Render *, const char *wish); /* a name nothing else in scope has */
void bring_into_scope(Render *, const char *name);
void leave_scope(Render *, int names);                  /* all but so many of the outermost */
const char *hoisted_name(const Render *, const Expr *); /* NULL: it has none */
void name_arguments(Render *);                          /* notes their places, for value_name() */
const char *value_name(const Render *, const Value *);
void need(Render *, const char *helper);
/* The function that a float of another type goes through on its way from or to memory ("load", "store"); NULL: none. */
const char *storage_helper(Render *, DType, const char *verb);
void put_element(Render *, const Value *, const Local *, const Expr *index); /* of one of them */
void put_address(Render *, const Value *, const Expr *index);
void put_array(Render *, const Array *, const char *name, const char *qualifier); /* in a declaration */
const char *text_of(const Render *, const Expr *);                                /* the text an operator prints */
int count_parameter(const char *text, char p); /* how often it names one of its parameters */

/* tile_call.c */
void name_tiles(Render *, const Stmt *); /* declares the strides of all tiles below */
void tile_call(Render *, const Tile *);

/* render.c */
void start_line(Render *);
void statements(Render *, const Stmt *); /* the statement and those that follow */
bool fits_int(const Kernel *);           /* whether int will do for subscripts */
const char *expr_text(Render *, const Expr *, int prec);
/* A kernel that is still being made, for people. */
void print_nest(Kernel *, const Dialect *, Str *);
/* What prints a kernel's own names, at indent 1. */
Render render_new(Kernel *, const Dialect *, const Map *outer, Str *, List *needs);

#endif
