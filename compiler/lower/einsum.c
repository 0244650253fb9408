/* einsum.c - Einsum: a sum of products over the labels of an equation, which infer_einsum has checked. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* Labels are the letters, and the dims of the ellipsis counted from the right. */
enum { LETTERS = 52, LABELS = LETTERS + MAX_RANK };

typedef struct {
    int uses[LABELS];
    Dim extent[LABELS];
    Expr *at[LABELS]; /* the index a label has in the nest; NULL: none yet */
    int dots;         /* dims of the longest ellipsis */
} Labels;

static int letter(char c) { return c >= 'a' ? c - 'a' + 26 : c - 'A'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* The labels of a term's dims, in order; the ellipsis stands for as many as make up the rank. */
static void read_term(const char *s, int rank, int *label) {
    int letters = 0, at = 0;
    for (const char *c = s; *c && *c != ',' && *c != '-'; c++) letters += is_letter(*c);
    for (; *s && *s != ',' && *s != '-'; s++) {
        if (is_letter(*s))
            label[at++] = letter(*s);
        else if (*s == '.') {
            for (int d = rank - letters; d > 0; d--) label[at++] = LETTERS + d - 1;
            s += 2;
        }
    }
}

static const char *next_term(const char *s) {
    s += strcspn(s, ",-");
    return s + (*s == ',');
}

/* A label's extent is that of any dim but 1. */
static void count_labels(Labels *l, const Type *t, const int *label) {
    for (int i = 0; i < t->rank; i++) {
        int k = label[i];
        if (!l->uses[k]++ || is_unit(l->extent[k])) l->extent[k] = t->dim[i];
        if (k >= LETTERS && k - LETTERS >= l->dots) l->dots = k - LETTERS + 1;
    }
}

/* Without an output term: the ellipsis, then the letters used once, in alphabetical order (ONNX, Einsum). */
static void output_labels(const Labels *l, const char *equation, int rank, int *label) {
    const char *arrow = strstr(equation, "->");
    int at = 0;
    if (arrow) {
        read_term(arrow + 2, rank, label);
        return;
    }
    for (int d = l->dots; d > 0; d--) label[at++] = LETTERS + d - 1;
    for (int k = 0; k < LETTERS; k++)
        if (l->uses[k] == 1) label[at++] = k;
}

/* Loops over every label that the result lacks. */
static int open_sums(Lower *l, Labels *labels) {
    static const char names[] = "klmnpqrstuvwxyz";
    int opened = 0;
    for (int k = 0; k < LABELS; k++)
        if (labels->uses[k] && !labels->at[k])
            labels->at[k] = open_dim(l, names[opened % 15], AX_SEQ, labels->extent[k], &opened);
    return opened;
}

Expr *at_einsum(Lower *l, Node *n, int out, Expr *const *idx) {
    const char *equation = attr_s(n, "equation"), *term = equation;
    int(*label)[MAX_RANK] = arena_alloc(l->arena, sizeof *label * (size_t)(n->nin + 1)), *result = label[n->nin];
    Labels labels = {.dots = 0};
    for (int i = 0; i < n->nin; i++, term = next_term(term)) {
        read_term(term, in_shape(n, i)->rank, label[i]);
        count_labels(&labels, in_shape(n, i), label[i]);
    }
    output_labels(&labels, equation, n->out[out]->type.rank, result);
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
