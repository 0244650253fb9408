/* symbols.h - extents that follow from those of a call: polynomials of named dims and of quotients, (h + 1) / 2. */
#ifndef NNCC_IR_SYMBOLS_H
#define NNCC_IR_SYMBOLS_H

#include "ir/ir.h"

enum { SYMBOL_TERMS = 16, SYMBOL_FACTORS = 6, SYMBOL_NAMES = 8 };

typedef struct {
    int64_t coef;
    int n;
    const Symbol *factor[SYMBOL_FACTORS]; /* names, quotients, limits; in the order of their ids */
} SymbolTerm;

/* SUM: c and terms; QUOTIENT: floor(a / by), with a from 0 on; GREATER and LESS: of a and b. */
typedef enum { SYMBOL_NAME, SYMBOL_SUM, SYMBOL_QUOTIENT, SYMBOL_GREATER, SYMBOL_LESS } SymbolKind;
struct Symbol { /* interned in its module: equal expressions are one pointer */
    SymbolKind kind;
    int id;
    const char *text;                 /* of a NAME: itself; else the expression, for messages */
    int64_t min, max;                 /* values between which it stays */
    int64_t step;                     /* NAME: it is a multiple of that */
    const Symbol *name[SYMBOL_NAMES]; /* the NAMEs in it */
    int names;                        /* SYMBOL_NAMES + 1: too many to list */
    int n;
    SymbolTerm *term;
    int64_t c;
    const Symbol *a, *b;
    int64_t by;
};

/* The dim that a binding gives: a number, or its name, which is then among the module's bounds. */
Dim dim_of_binding(Module *, const DimBinding *);
const Symbol *symbol_unbound(Module *, const char *name);      /* known by its name alone */
const Symbol *symbol_called(const Module *, const char *name); /* NULL: no bound dim has that name */
DimBinding *binding_of(const Module *, const Symbol *name);    /* NULL: it has no bounds */
DimBinding *computed_by(const Node *); /* the dim that an Extent gives its value; NULL: it only checks */

/* Arithmetic, on numbers and symbols of either sign; false where no symbol says the result, or it overflows. */
bool dim_add(Module *, Dim a, Dim b, Dim *);
bool dim_sub(Module *, Dim a, Dim b, Dim *);
bool dim_mul(Module *, Dim a, Dim b, Dim *);
bool dim_div(Module *, Dim a, Dim b, Dim *);      /* exact: b divides a whatever the extents are */
bool dim_quotient(Module *, Dim a, Dim b, Dim *); /* rounded down; b is a number from 1 on, or divides a */
bool dim_greater(Module *, Dim a, Dim b, Dim *);
bool dim_less(Module *, Dim a, Dim b, Dim *);
bool dim_equal(Module *, Dim a, Dim b, Dim *); /* 1 or 0, where that is certain */
int64_t dim_least(Dim);                        /* the most is Dim.max */
bool never_less(Module *, Dim a, Dim b);       /* a >= b in every call */

/* Its value where each NAME has the value that `value` gives. */
typedef int64_t SymbolValue(const void *arg, const Symbol *name);
int64_t symbol_value(const Symbol *, SymbolValue *value, const void *arg);
static inline int64_t dim_value(Dim d, SymbolValue *value, const void *arg) {
    return d.symbol ? symbol_value(d.symbol, value, arg) : d.max;
}
/* What the NAME has to be for the symbol to have a value; -1: no extent gives it, or others have a say. */
int64_t solve_symbol(const Symbol *, const Symbol *name, int64_t value);

/* As text, C and .nn alike: put_name writes a NAME, of which `arg` knows. tight: without blanks around operators. */
typedef struct {
    void (*put_name)(Str *, const Symbol *name, const void *arg);
    const void *arg;
    bool tight;
} SymbolStyle;
void put_symbol(Str *, const Symbol *, bool atom, SymbolStyle); /* atom: in parentheses, if it is no name */
/* The same in an arena that outlives the module. */
const Symbol *copy_symbol(Arena *, const Symbol *);

/* The least extent of its one name from which on it is at least that; -1: none. */
int64_t least_for(const Symbol *, int64_t value);
/* The least number of which the extents called `*name` have to be multiples for two dims to be equal; 0: none. */
int64_t equal_in_steps(Module *, Dim a, Dim b, const Symbol **name);

#endif
