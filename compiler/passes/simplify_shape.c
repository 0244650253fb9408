/* simplify_shape.c - views of views, and shapes that are known. */
#include "ir/build.h"
#include "passes/simplify.h"

bool is_view(const Node *n) { return n->op->view && !IS(n, Identity); }

Value *target_of(Rewrite *r, const Type *t, bool *zero) {
    int64_t dim[MAX_RANK];
    int symbols = 0;
    *zero = false;
    for (int i = 0; i < t->rank; i++) {
        dim[i] = t->dim[i].symbol ? -1 : t->dim[i].max;
        symbols += t->dim[i].symbol != NULL, *zero |= dim[i] == 0;
    }
    return symbols > 1 || (symbols && *zero) ? NULL : const_ints(r->m, t->rank, dim);
}

Value *reshaped(Rewrite *r, Node *at, Value *x, const Type *to) {
    bool zero;
    if (same_type(&x->type, to)) return x;
    Value *target = target_of(r, to, &zero);
    if (!target) return NULL;
    Node *n = insert(r, at, &ops[OP_Reshape], 2, (Value *[]){x, target});
    if (zero) set_attr_i(n, "allowzero", 1);
    return typed(r, n);
}

bool rule_same_shape(Rewrite *r, Node *n) { return become(r, n, n->in[0]); }

bool rule_merge_shapes(Rewrite *r, Node *n) {
    Node *before = maker(n, n->in[0]);
    if (!before || !is_view(before) || !only_result(n)) return false;
    Value *x = in_of(before, 0), *y = reshaped(r, n, x, &n->out[0]->type);
    if (!y || (y == x && !can_become(n, x))) return false;
    if (y != x) comes_from(y->def, before, n);
    return become(r, n, y);
}

/* ---- contents ---- */

Tensor *permuted(Arena *a, const Tensor *t, const int *perm) {
    int64_t dim[MAX_RANK], stride[MAX_RANK], step[MAX_RANK], at[MAX_RANK] = {0}, from = 0;
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    for (int i = t->rank - 1; i >= 0; i--) stride[i] = i == t->rank - 1 ? 1 : stride[i + 1] * t->dim[i + 1];
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[perm[i]], step[i] = stride[perm[i]];
    Tensor *p = tensor_new(a, t->dtype, t->rank, dim);
    char *to = tensor_data(p);
    for (int64_t i = 0; i < t->count; i++, to += bytes) {
        memcpy(to, (const char *)t->data + (size_t)from * bytes, bytes);
        for (int k = t->rank - 1; k >= 0; k--) {
            from += step[k];
            if (++at[k] < dim[k]) break;
            from -= step[k] * dim[k], at[k] = 0;
        }
    }
    return p;
}

bool all_are(const Tensor *t, double x) {
    bool all = t->count > 0 && t->dtype != DT_str;
    for (int64_t i = 0; i < t->count && all; i++) all = get_f(t, i) == x;
    return all;
}
