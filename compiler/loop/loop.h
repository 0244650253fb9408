/* loop.h - what the files of loop/ share beyond ir/nncc.h. */
#ifndef NNCC_LOOP_H
#define NNCC_LOOP_H
#include "ir/nncc.h"

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
const char *symbol_cname(const Module *, const char *symbol); /* a run-time dim's name in C */
void kernel_symbols(const Kernel *, Arena *, List *out);      /* the run-time dims it needs, as const char * */
void stmt_symbols(const Stmt *, Arena *, List *out);          /* the same of statements */
Expr *new_axis_expr(Lower *, Axis *);
Expr *new_temp_expr(Lower *, Temp *);

/* rewrite.c: an expression in place of another */
typedef struct {
    Expr *from, *to;
    int known;    /* expressions there were when it began */
    int64_t turn; /* among what was rewritten */
    Memos *memos;
} Swap;
Swap new_swap(Lower *, Expr *from, Expr *to);
Expr *rewrite(Lower *, Expr *, const Swap *);
Stmt *rewrite_stmts(Lower *, const Stmt *, const Swap *);

bool rounds_steps(Arena *, const char *origin); /* in half precision; by the row of the operator it names */

void run_kernel(Kernel *, void *const *at, int values);
int64_t count_macs(const Stmt *); /* before it is scheduled */
Scalar constant_of(const Expr *);
Expr *scalar_expr(Lower *, DType, Scalar);

#endif
