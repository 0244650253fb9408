/* einsum.c - Einsum: a sum of products over the labels of an equation, which infer_einsum has checked. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"
#include "ops/infer.h"

typedef struct {
    int uses[EINSUM_LABELS];
    Dim extent[EINSUM_LABELS];
    Expr *at[EINSUM_LABELS]; /* the index a label has in the nest; NULL: none yet */
} Labels;

/* A label's extent is that of any dim but 1. */
static void count_labels(Labels *l, const Type *t, const int *label) {
    for (int i = 0; i < t->rank; i++) {
        int k = label[i];
        if (!l->uses[k]++ || is_unit(l->extent[k])) l->extent[k] = t->dim[i];
    }
}

/* Loops over every label that the result lacks. */
static int open_sums(Lower *l, Labels *labels) {
    static const char names[] = "klmnpqrstuvwxyz";
    int opened = 0;
    for (int k = 0; k < EINSUM_LABELS; k++)
        if (labels->uses[k] && !labels->at[k])
            labels->at[k] = open_dim(l, names[opened % 15], AX_SEQ, labels->extent[k], &opened);
    return opened;
}

Expr *at_einsum(Lower *l, Node *n, int out, Expr *const *idx) {
    int(*label)[MAX_RANK] = arena_alloc(l->arena, sizeof *label * (size_t)(n->nin + 1)), *result = label[n->nin];
    Labels labels = {.uses = {0}};
    for (int i = 0; i <= n->nin; i++) einsum_term(n, i, label[i]);
    for (int i = 0; i < n->nin; i++) count_labels(&labels, in_shape(n, i), label[i]);
    for (int i = 0; i < n->out[out]->type.rank; i++) labels.at[result[i]] = idx[i];
    DType t = computed(n, 0);
    Expr *acc = var(l, "acc", t, num(l, t, 0)), *product = NULL;
    int opened = open_sums(l, &labels);
    for (int i = 0; i < n->nin; i++) {
        Expr *in[MAX_RANK];
        for (int d = 0; d < in_shape(n, i)->rank; d++)
            in[d] = is_unit(in_shape(n, i)->dim[d]) ? ix(l, 0) : labels.at[label[i][d]];
        Expr *x = value_at(l, n->in[i], in);
        product = product ? mul(l, product, x) : x;
    }
    set(l, acc, add(l, acc, product));
    close_blocks(l, opened);
    return acc;
}
