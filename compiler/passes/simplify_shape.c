/* simplify_shape.c - views of views, shapes that are known, gradients of Slices. */
#include "ir/build.h"
#include "ops/infer.h"
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

/* ---- gradients of Slices ---- */

enum { MOST_PARTS = 64 };

/* The parts of a value that gradients of Slices are of. */
typedef struct {
    int n, axis; /* axis: the one that they lie along, below 0: any */
    int64_t from[MOST_PARTS];
    Value *part[MOST_PARTS];
} Parts;

static bool steps_are_one(const Node *n) {
    const Attr *steps = attr(n, "steps");
    for (int i = 0; i < steps->n; i++)
        if (steps->ints[i] != 1) return false;
    return true;
}

bool rule_whole_slice(Rewrite *r, Node *n) {
    return same_type(&n->in[0]->type, &n->in[1]->type) && steps_are_one(n) && become(r, n, n->in[1]);
}

/* The axis along which a SliceGrad's part is shorter than the whole; below 0: none, or several. */
static int sliced_axis(const Node *n) {
    const Type *whole = &n->in[0]->type, *part = &n->in[1]->type;
    int axis = -1;
    for (int i = 0; i < whole->rank; i++) {
        if (same_dim(whole->dim[i], part->dim[i])) continue;
        if (axis >= 0 || whole->dim[i].symbol || part->dim[i].symbol) return -1;
        axis = i;
    }
    return axis;
}

/* In the order of where they begin. */
static bool put_part(Parts *p, Node *n) {
    int axis = steps_are_one(n) ? sliced_axis(n) : -1, i = p->n;
    if (axis < 0 || (p->n && axis != p->axis) || p->n == MOST_PARTS) return false;
    int64_t from = attr(n, "begins")->ints[axis];
    for (; i > 0 && p->from[i - 1] > from; i--) p->from[i] = p->from[i - 1], p->part[i] = p->part[i - 1];
    p->from[i] = from, p->part[i] = in_of(n, 1), p->axis = axis, p->n++;
    return true;
}

/* What a sum adds, each read by nobody else: a chain, as gradients are added up in. */
static bool find_parts(Parts *p, Node *sum) {
    for (Node *n = sum; n;) {
        Node *a = sole_maker(n, in_of(n, 0)), *b = sole_maker(n, in_of(n, 1));
        if (!a || !b || !IS(b, SliceGrad) || !put_part(p, b)) return false;
        if (IS(a, SliceGrad)) return put_part(p, a);
        n = IS(a, Add) ? a : NULL;
    }
    return false;
}

bool rule_joined_slices(Rewrite *r, Node *n) {
    Parts p = {.axis = -1};
    if (!find_parts(&p, n)) return false;
    int64_t at = 0;
    for (int i = 0; i < p.n; at += p.part[i++]->type.dim[p.axis].max)
        if (p.from[i] != at) return false;
    if (at != n->out[0]->type.dim[p.axis].max) return false;
    Node *joined = insert(r, n, &ops[OP_Concat], p.n, p.part);
    set_attr_i(joined, "axis", p.axis);
    joined->origin = n->origin;
    return become(r, n, typed(r, joined));
}
