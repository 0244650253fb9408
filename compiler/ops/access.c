/* access.c - what a row says about its operands, and how results depend on them.
 *
 * Columns name operands as ONNX does, "W B"; rows without .args have a, b, c. "*" is every operand. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* ---- operands ---- */

static bool same_word(const char *a, const char *b) {
    return word_length(a) == word_length(b) && !memcmp(a, b, word_length(a));
}

int find_operand(const Op *op, const char *name) {
    static const char *const letters = "a b c";
    const char *arg = op->args ? op->args : op->kind == K_MAP ? letters : "";
    for (int i = 0; name && *name && *arg; i++, arg = next_word(arg))
        if (same_word(arg, name) && (op->args || i < max_inputs(op))) return i;
    return -1;
}

bool names_operand(const Op *op, const char *list, int i) {
    if (!list || *list == '*') return list;
    for (; *list; list = next_word(list))
        if (find_operand(op, list) == i) return true;
    return false;
}

const char *no_operand(const Op *op, const char *list) {
    for (; list && *list && *list != '*'; list = next_word(list))
        if (find_operand(op, list) < 0) return list;
    return NULL;
}

/* ---- access patterns ---- */

AccessPattern access_of(const Op *op) {
    if (op->access) return op->access;
    if (op->kind == K_RED) return ACCESS_REDUCTION;
    if (op->view) return ACCESS_MOVEMENT;
    return op->kind == K_MAP || (op->kind == K_DEF && !op->infer) ? ACCESS_ELEMENTWISE : ACCESS_OTHER;
}

int cost_of(const Op *op) { return op->cost ? op->cost : COST_ADD; }

static bool is_set(const Node *n, const char *attr) { return given_attr(n, attr) && attr_i(n, attr); }

int contracted_dim(const Node *n, int rank) { return is_set(n, "transA") ? rank - 2 : rank - 1; }

int column_dim(const Node *n) { return is_set(n, "transB") ? 1 - n->op->column : n->op->column; }

static int64_t taps_of(const Node *n) {
    int64_t count = 1;
    Window w = window_of((Node *)(uintptr_t)n);
    for (int i = 0; i < w.n; i++) count *= w.kernel[i];
    return count;
}

static int64_t convolution_terms(const Node *n) {
    const Type *w = &n->in[find_operand(n->op, n->op->weights)]->type;
    int64_t columns = w->dim[n->op->column].max;
    if (n->op->transposed) return taps_of(n) * w->dim[1 - n->op->column].max / attr_i(n, "group");
    return columns ? type_count(w) / columns : 0;
}

int64_t terms_of(const Node *n) {
    AccessPattern access = access_of(n->op);
    const Type *a = &n->in[0]->type;
    if (access == ACCESS_WINDOW) return taps_of(n);
    if (access != ACCESS_CONTRACTION) return 1;
    return n->op->image ? convolution_terms(n) : a->dim[contracted_dim(n, a->rank)].max;
}
