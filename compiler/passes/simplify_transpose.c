/* simplify_transpose.c - transposes: merged, dropped, taken into products. */
#include "ir/build.h"
#include "ops/infer.h"
#include "passes/simplify.h"

/* ---- orders of dims: dim i of the result is dim p[i] of the input ---- */

void perm_of(Node *t, int *p) {
    const Attr *a = given_attr(t, "perm");
    int rank = in_type(t, 0)->rank;
    for (int i = 0; i < rank; i++) p[i] = a ? (int)axis_in(a->ints[i], rank) : rank - 1 - i;
}

bool keeps_order(const int *p, int n) {
    for (int i = 0; i < n; i++)
        if (p[i] != i) return false;
    return true;
}

/* x in the order p, before `at`. */
Value *transposed(Rewrite *r, Node *at, Value *x, const int *p) {
    int64_t perm[MAX_RANK];
    int rank = x->type.rank;
    if (keeps_order(p, rank)) return x;
    for (int i = 0; i < rank; i++) perm[i] = p[i];
    Node *n = insert(r, at, &ops[OP_Transpose], 1, &x);
    set_attr_ints(n, "perm", rank, perm);
    return typed(r, n);
}

/* ---- one or two of them ---- */

bool rule_transposed_constant(Rewrite *r, Node *n) {
    const Tensor *t = known(n->in[0]);
    int p[MAX_RANK];
    if (!t || t->dtype == DT_str || !may_copy(n->in[0])) return false;
    perm_of(n, p);
    r->m->fuel -= t->count / 1000;
    return become(r, n, const_new(r->m, n->in[0]->name, permuted(r->m->arena, t, p)));
}

bool rule_merge_transposes(Rewrite *r, Node *n) {
    Node *before = maker(n, n->in[0]);
    int p[MAX_RANK], q[MAX_RANK], both[MAX_RANK], rank = in_type(n, 0)->rank;
    if (!before || !IS(before, Transpose)) return false;
    perm_of(before, p), perm_of(n, q);
    for (int i = 0; i < rank; i++) both[i] = p[q[i]];
    Value *x = in_of(before, 0);
    if (keeps_order(both, rank)) return become(r, n, x);
    Value *y = transposed(r, n, x, both);
    comes_from(y->def, before, n);
    return become(r, n, y);
}

/* Whether only dims of 1 change places. */
static bool moves_nothing(const Type *t, const int *p) {
    int last = -1;
    for (int i = 0; i < t->rank; i++) {
        if (same_dim(t->dim[p[i]], fixed(1))) continue;
        if (p[i] < last) return false;
        last = p[i];
    }
    return true;
}

bool rule_trivial_transpose(Rewrite *r, Node *n) {
    int p[MAX_RANK];
    perm_of(n, p);
    if (keeps_order(p, in_type(n, 0)->rank)) return become(r, n, n->in[0]);
    if (!moves_nothing(in_type(n, 0), p)) return false;
    Value *y = reshaped(r, n, n->in[0], &n->out[0]->type);
    return y && become(r, n, y);
}

/* ---- into products ---- */

static Node *transpose_of_matrix(Node *n, int i) {
    Node *t = sole_maker(n, in_of(n, i));
    return t && IS(t, Transpose) && in_type(t, 0)->rank == 2 ? t : NULL;
}

bool rule_transpose_into_product(Rewrite *r, Node *n) {
    if (in_type(n, 0)->rank != 2 || in_type(n, 1)->rank != 2) return false;
    bool gemm = IS(n, Gemm);
    Node *a = transpose_of_matrix(n, 0), *b = transpose_of_matrix(n, 1), *t = a ? a : b;
    int p[MAX_RANK];
    if (!t) return false;
    perm_of(t, p);
    if (keeps_order(p, 2)) return false;
    Value *in[] = {a ? in_of(a, 0) : n->in[0], a ? n->in[1] : in_of(b, 0), in_of(n, 2)};
    Node *made = gemm ? insert_like(r, n, n, n->nin, in) : insert(r, n, &ops[OP_Gemm], 2, in);
    const char *which = a ? "transA" : "transB";
    set_attr_i(made, which, !(gemm && attr_i(n, which)));
    comes_from(made, t, n);
    return become(r, n, typed(r, made));
}

/* The product of whatever a gradient is computed from reads both of its operands in the same way. */
bool rule_transpose_of_product(Rewrite *r, Node *n) {
    Node *product = r->m->entry ? sole_maker(n, in_of(n, 0)) : NULL;
    if (!product || !IS(product, Gemm) || in_of(product, 2)) return false;
    if (!attr_i(product, "transA") || attr_i(product, "transB")) return false;
    Node *made = insert_like(r, n, product, 2, (Value *[]){in_of(product, 1), in_of(product, 0)});
    comes_from(made, product, n);
    return become(r, n, typed(r, made));
}

/* Rows of w in the order that undoes p on the dims they stand for. */
static Tensor *rows_moved(Arena *a, const Tensor *w, int axis, const Type *x, const int *p) {
    int64_t dim[MAX_RANK], row = axis ? 1 : w->dim[1], step = axis ? w->dim[1] : 1;
    int q[MAX_RANK];
    size_t bytes = (size_t)dtypes[w->dtype].bytes;
    for (int i = 1; i < x->rank; i++) dim[i - 1] = x->dim[i].max, q[i - 1] = p[i] - 1;
    Tensor *order = tensor_new(a, DT_i64, x->rank - 1, dim), *moved = tensor_new(a, w->dtype, 2, w->dim);
    for (int64_t i = 0; i < order->count; i++) set_i(order, i, i);
    order = permuted(a, order, q);
    for (int64_t i = 0; i < order->count; i++) {
        int64_t to = get_i(order, i);
        for (int64_t k = 0; k < (axis ? w->dim[0] : 1); k++)
            memcpy((char *)tensor_data(moved) + (size_t)(axis ? k * step + to : to * row) * bytes,
                   (const char *)w->data + (size_t)(axis ? k * step + i : i * row) * bytes, (size_t)row * bytes);
    }
    return moved;
}

static bool flattens(const Node *view) {
    const Type *x = &view->in[0]->type, *y = &view->out[0]->type;
    if (!is_view(view) || y->rank != 2 || x->rank < 3 || !same_dim(x->dim[0], y->dim[0])) return false;
    for (int i = 1; i < x->rank; i++)
        if (x->dim[i].symbol) return false;
    return true;
}

/* Flattened in the order they lie in, channels would come in another order: so do the rows of the weights. */
bool rule_transpose_into_rows(Rewrite *r, Node *n) {
    Node *view = sole_maker(n, n->in[0]);
    const Tensor *w = known(n->in[1]);
    int p[MAX_RANK], axis = IS(n, Gemm) && attr_i(n, "transB");
    if (!view || !w || w->rank != 2 || !w->count || !may_copy(n->in[1]) || (IS(n, Gemm) && attr_i(n, "transA")))
        return false;
    Node *t = sole_maker(view, in_of(view, 0));
    if (!t || !IS(t, Transpose) || !flattens(view)) return false;
    perm_of(t, p);
    if (p[0]) return false;
    Value *x = in_of(t, 0), *flat = reshaped(r, n, x, &view->out[0]->type);
    if (!flat) return false;
    if (flat != x) comes_from(flat->def, view, view);
    r->m->fuel -= w->count / 1000;
    Value *in[] = {flat, const_new(r->m, n->in[1]->name, rows_moved(r->m->arena, w, axis, &x->type, p)), in_of(n, 2)};
    Node *made = insert_like(r, n, n, n->nin, in);
    comes_from(made, t, n);
    return become(r, n, typed(r, made));
}

/* ---- images and tokens ---- */

/* Whether n makes [N, T, C] of [N, C, T]. */
static bool swaps_last(Node *n) {
    int p[MAX_RANK];
    if (!n || !IS(n, Transpose) || in_type(n, 0)->rank != 3) return false;
    perm_of(n, p);
    return !p[0] && p[1] == 2;
}

/* Whether an image [N, C, H, W …] has the elements of [N, C, T] in the same order. */
static bool is_image_of(const Type *image, const Type *t) {
    if (image->rank < 4 || t->rank != 3 || !same_dim(image->dim[0], t->dim[0]) || !same_dim(image->dim[1], t->dim[1]))
        return false;
    for (int i = 2; i < image->rank; i++)
        if (image->dim[i].symbol) return false;
    return true;
}

static bool can_reshape_to(Rewrite *r, const Type *t) {
    bool zero;
    return target_of(r, t, &zero) != NULL;
}

bool rule_tokens_of_image(Rewrite *r, Node *n) {
    Node *view = sole_maker(n, n->in[0]);
    if (!swaps_last(n) || !view || !is_view(view)) return false;
    Value *x = in_of(view, 0);
    int p[MAX_RANK] = {0}, rank = x->type.rank;
    if (!is_image_of(&x->type, &view->out[0]->type) || !can_reshape_to(r, &n->out[0]->type)) return false;
    for (int i = 1; i < rank; i++) p[i] = i == rank - 1 ? 1 : i + 1;
    Value *moved = transposed(r, n, x, p), *y = reshaped(r, n, moved, &n->out[0]->type);
    comes_from(moved->def, n, n), comes_from(y->def, view, n);
    return become(r, n, y);
}

bool rule_image_of_tokens(Rewrite *r, Node *n) {
    Node *t = sole_maker(n, n->in[0]);
    if (!swaps_last(t) || !is_image_of(&n->out[0]->type, &t->out[0]->type)) return false;
    Type last = n->out[0]->type;
    int p[MAX_RANK] = {0};
    for (int i = 1; i < last.rank; i++) {
        last.dim[i] = n->out[0]->type.dim[i == last.rank - 1 ? 1 : i + 1];
        p[i] = i == 1 ? last.rank - 1 : i - 1;
    }
    if (!can_reshape_to(r, &last)) return false;
    Value *image = reshaped(r, n, in_of(t, 0), &last), *y = transposed(r, n, image, p);
    comes_from(image->def, n, t), comes_from(y->def, t, n);
    return become(r, n, y);
}

/* ---- shuffled channels ---- */

/* Whether n exchanges two dims into which only the channels were taken apart: [N, groups, C / groups, H, W]. */
static bool shuffles(Node *n, const Type *image) {
    int p[MAX_RANK];
    const Type *t = in_type(n, 0);
    if (!IS(n, Transpose) || t->rank != image->rank + 1 || t->rank < 4 || !same_dim(t->dim[0], image->dim[0]))
        return false;
    perm_of(n, p);
    for (int i = 0; i < t->rank; i++) {
        if (p[i] != (i == 1 ? 2 : i == 2 ? 1 : i)) return false;
        if (i > 2 && !same_dim(t->dim[i], image->dim[i - 1])) return false;
    }
    return !t->dim[1].symbol && !t->dim[2].symbol;
}

bool rule_shuffled_channels(Rewrite *r, Node *n) {
    Node *t = sole_maker(n, n->in[0]), *apart = t ? sole_maker(t, in_of(t, 0)) : NULL;
    Node *concat = apart && is_view(apart) ? sole_maker(apart, in_of(apart, 0)) : NULL;
    const Type *image = &n->out[0]->type;
    if (r->m->entry || !concat || !IS(concat, Concat) || !same_type(&concat->out[0]->type, image)) return false;
    if (!shuffles(t, image) || axis_in(attr_i(concat, "axis"), image->rank) != 1) return false;
    if (concat->nin != in_type(t, 0)->dim[1].max) return false;
    Value **in = NEW_ARRAY(r->m->arena, Value *, concat->nin);
    for (int i = 0; i < concat->nin; i++) {
        in[i] = in_of(concat, i);
        if (!same_dim(in[i]->type.dim[1], in_type(t, 0)->dim[2])) return false;
    }
    Node *made = insert(r, n, &ops[OP_Interleave], concat->nin, in);
    comes_from(made, concat, t);
    return become(r, n, typed(r, made));
}
