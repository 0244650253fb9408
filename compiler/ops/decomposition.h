/* decomposition.h - what the halves of the definition language share: decomposition.c and builtins.c. */
#ifndef NNCC_MEANING_H
#define NNCC_MEANING_H
#include "base/lexer.h"
#include "ir/ir.h"

typedef enum { I_VALUE, I_INT, I_FLOAT, I_STR, I_INTS, I_TYPE, I_NONE } ItemKind;
typedef struct {
    ItemKind kind;
    Value *v;
    int64_t i;
    double f;
    const char *s;
    int n;
    const int64_t *ints;
    bool unset; /* an attribute that was not given and has no default: 0 to all but has() */
} Item;

typedef struct {
    const char *name;
    Item item;
} Binding;

enum { MAX_BINDINGS = 48, MAX_ARGS = 32, DEEPEST = 64 };

typedef struct {
    Lexer lex;
    Module *m;
    Arena *arena;
    Node *at;               /* new nodes go before it */
    Node *node;             /* whose inputs, attributes and results names mean; its row is op */
    const Op *op;           /* NULL: bindings alone */
    bool gradient;          /* y0 y1 … are the node's results, g0 g1 … their gradients */
    Value *const *upstream; /* … the latter */
    int each;               /* the input whose gradient is built */
    Binding bound[MAX_BINDINGS];
    int nbound, depth;
    const char *text;
    bool dry;          /* check_decomposition: parse only */
    bool typing;       /* infer_by_meaning: a node without a type has said why */
    const char *wrong; /* dry: the first fault */
} Decomposition;

/* A function of meanings that computes from shapes and types when a composite is expanded. */
typedef struct {
    const char *name;
    int least, most; /* arguments */
    Item (*f)(Decomposition *, const Item *, int);
} Helper;
extern const Helper helpers[]; /* ends with a NULL name */

#define HELP(f) Item f(Decomposition *, const Item *, int)
/* decomposition_grad.c: functions of gradients */
HELP(help_sum_to);
HELP(help_spread);
HELP(help_zeros);
HELP(help_swapped);
HELP(help_unpermuted);
HELP(help_offset);
HELP(help_joined);
HELP(help_unpadded);
HELP(help_unresized);
HELP(help_unsliced);
HELP(help_untiled);
HELP(help_extent);
HELP(help_numbers);
HELP(help_with_batch);
HELP(help_cofactors);
HELP(help_dft_axis);
HELP(help_dft_length);
HELP(help_frame_step);
HELP(help_frame_length);
HELP(help_unsummed);
HELP(help_window_pads);
HELP(help_inputs);
HELP(help_place);
HELP(help_ties);
HELP(help_unsupported);
#undef HELP

/* build_decomposition() with names that may stand for numbers too. */
int build_bound(Node *at, const char *text, int n, const Binding *, int max, Value **out);
void wrong_decomposition(Decomposition *,
                         const char *what); /* a fault of the text: reported when checking, a bug otherwise */
Item an_int(int64_t);
Item ints_item(Decomposition *, int n, const int64_t *);
Item a_value(Value *); /* NULL: an omitted input */
bool is_number(Item);
double item_number(Item);
Item any_value(Decomposition *); /* stands for a value while a text is only checked */
Node *build_call(Decomposition *, const Op *, const Item *,
                 int n);               /* a node before the composite; NULL when only checking */
Item item_of(Decomposition *, Node *); /* infers it; its first result */
Item call_row(Decomposition *, int op, const Item *, int n);

#endif
