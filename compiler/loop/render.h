/* render.h - what the two halves of the renderer share: render_expr.c and render.c. */
#ifndef NNCC_RENDER_H
#define NNCC_RENDER_H
#include "cuda.h"
#include "dialects.h"
#include "loop.h"

typedef struct {
    Kernel *k;
    const Dialect *dialect;
    Arena *arena;
    Str *out;
    List *needs;
    int indent;
    const char *index_type;
    const char **axis_name, **temp_name, **local_name;
    List scope;           /* const char*: names in use */
    const Map *outer;     /* names of the file */
    const Launch *launch; /* of CUDA, else NULL */
    List hoisted;         /* Hoisted*: operands given a name for the statement being printed */
} Render;

typedef struct {
    const Expr *e;
    const char *name;
} Hoisted;

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
const char *value_name(const Render *, const Value *);
void need(Render *, const char *helper);
const Hoisted *find_hoisted(const Render *, const Expr *);
const char *text_of(const Expr *);             /* the text an operator prints */
int count_parameter(const char *text, char p); /* how often it names one of its parameters */

/* render.c */
void start_line(Render *);
void statements(Render *, const Stmt *); /* the statement and those that follow */
bool fits_int(const Kernel *);           /* whether int will do for subscripts */
/* render_launch.c */
void start_launch(Render *, const Launch *, const Dialect *, const Map *outer, Str *, List *needs);
const char *expr_text(Render *, const Expr *, int prec);
void launch_parameters(Render *);        /* what stands between the parentheses */
void dealt_head(Render *, const Stmt *); /* of a loop that threads or blocks share */
bool of_teams(Render *, const Stmt *);
void combine(Render *, const Stmt *);

#endif
