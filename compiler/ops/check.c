/* check.c - faults of rows of ops.def: what a row lacks, names that are none, columns that do not go together. */
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"

static int fault(FILE *f, const Op *op, const char *what) {
    fprintf(f, "ops.def: %s: %s\n", op->name, what);
    return 1;
}

static int check_kind(FILE *f, const Op *op) {
    int faults = 0;
    bool control = op == &ops[OP_If] || op == &ops[OP_Loop] || op == &ops[OP_Scan] || op == &ops[OP_ScanBatch] ||
                   op == &ops[OP_LinearAttention] || op == &ops[OP_FlexAttention] || op == &ops[OP_DynamicQuantizeLSTM];
    bool computed = op->at || op->lower || op->blocks || op->view || op->expand || op->draws || op->lists || control;
    if (!gradient_kind(op)) faults += fault(f, op, "neither a gradient nor .no_grad");
    if (!op->doc && !op->unsupported) faults += fault(f, op, "no .doc");
    if (op->attr[ROW_ATTRS - 1].name) faults += fault(f, op, "more attributes than a row holds");
    if (op->kind == K_OP && !op->unsupported && !op->infer) faults += fault(f, op, "no .infer");
    if (op->kind == K_OP && !op->unsupported && !computed)
        faults += fault(f, op, "neither .at nor .lower nor .blocks nor .view nor .expand nor .draws");
    return faults;
}

/* Reductions, and scalar functions. */
static int check_scalars(FILE *f, const Op *op) {
    int faults = 0;
    const Op *combine = op->combine ? find_op(NULL, op->combine) : NULL;
    if (op->kind == K_RED && !combine) faults += fault(f, op, ".combine names no row");
    if (combine && (!combine->neutral || !combine->sum))
        faults += fault(f, op, "the row of .combine has no .neutral and .sum");
    if (op->kind == K_MAP && strchr(op->c, '(') && !op->cost && strchr("abcdefghijklmnopqrstuvwxyz", op->c[0]))
        faults += fault(f, op, "calls a function, and has no .cost");
    if (op->kind != K_MAP && (op->cost || op->dims || op->sum))
        faults += fault(f, op, ".cost, .dims and .sum are a MAP's");
    if (op->neutral && op->right) faults += fault(f, op, ".neutral is one on the right, too");
    return faults;
}

static int check_operands(FILE *f, const Op *op) {
    const struct {
        const char *column, *list;
    } columns[] = {{"params", op->params},     {"learns", op->learns}, {"moves", op->moves},
                   {"weights", op->weights},   {"image", op->image},   {"grad_of", op->grad_of},
                   {"like_out", op->like_out}, {"affine", op->affine}, {"optional", op->optional}};
    int faults = 0;
    for (int i = 0; i < COUNT(columns); i++) {
        const char *wrong = no_operand(op, columns[i].list);
        if (!wrong) continue;
        fprintf(f, "ops.def: %s: .%s names '%.*s', which is no operand\n", op->name, columns[i].column,
                (int)word_length(wrong), wrong);
        faults++;
    }
    return faults;
}

static int check_access(FILE *f, const Op *op) {
    int faults = 0;
    AccessPattern access = access_of(op);
    if (op->access && (op->kind == K_MAP || op->kind == K_RED || op->view))
        faults += fault(f, op, ".access follows from its kind");
    if (access == ACCESS_CONTRACTION && (!op->weights || op->in < 2))
        faults += fault(f, op, "a contraction has two operands and names its .weights");
    if (access == ACCESS_RECURRENCE && !op->weights) faults += fault(f, op, "a recurrence names its .weights");
    if (op->image && !op->weights) faults += fault(f, op, ".image is a convolution's, which names its .weights");
    if ((op->column || op->transposed) && !op->weights) faults += fault(f, op, ".column and .transposed need .weights");
    if (op->transposed && !op->image) faults += fault(f, op, ".transposed needs an .image");
    if (op->column < 0 || op->column > 1) faults += fault(f, op, ".column is 0 or 1");
    if (op->like_out && !op->grad_of) faults += fault(f, op, ".like_out is a gradient's: no .grad_of");
    if (op->keeps && (op->view || (access != ACCESS_MOVEMENT && op->out_types == NULL)))
        faults += fault(f, op, ".keeps is for what moves or converts elements; views do anyway");
    return faults;
}

static int check_texts(FILE *f, Arena *arena, const Op *op) {
    int faults = 0;
    const char *wrong;
    if (op->def && (wrong = check_decomposition(arena, op, op->def))) faults += fault(f, op, wrong);
    if (op->opened && (wrong = check_decomposition(arena, op, op->opened))) faults += fault(f, op, wrong);
    for (int j = 0; j < (op->grad_each ? 1 : MAX_GRAD); j++)
        if (gradient_text(op, j) && (wrong = check_gradient(arena, op, j))) faults += fault(f, op, wrong);
    return faults;
}

int check_op(FILE *f, const Op *op) {
    Arena *arena = arena_new(0, NULL, NULL);
    int faults = check_kind(f, op) + check_scalars(f, op) + check_operands(f, op) + check_access(f, op) +
                 check_texts(f, arena, op);
    arena_free(arena);
    return faults;
}

int check_ops(FILE *f) {
    int faults = 0;
    for (int i = 0; i < n_ops; i++) {
        faults += check_op(f, &ops[i]);
        for (int j = 0; j < i; j++)
            if (!strcmp(ops[j].name, ops[i].name) && find_op(ops[i].domain, ops[i].name) == &ops[j])
                faults += fault(f, &ops[i], "two rows");
    }
    return faults;
}
