/* simplify_contraction.c - a batch norm, scale or shift per channel goes into the weights and the bias of the product
 * beside it.
 *
 * With y = x * scale + shift: conv(x, w) * scale + shift is conv(x, w * scale) + shift, and conv(x * scale + shift, w)
 * is conv(x, w * scale) + conv(shift, w), where the last is one number per channel if no window juts out. All of it
 * known numbers, so that the network loses a node. Computed in double, rounded once; a number that would no longer be
 * finite in the weights' type stops it. And a transposed convolution of one pixel is a product. */
#include "ir/build.h"
#include "ops/ops.h"
#include "passes/simplify.h"
#include <math.h>

/* ---- y = x * scale + shift ---- */

typedef struct {
    double *scale, *shift;
    bool scales, shifts;
} Affine;

static const Tensor *known_vector(const Value *v, int64_t n) {
    const Tensor *t = known(v);
    return t && t->count == n && is_float(t->dtype) ? t : NULL;
}

/* A float const that has one number for everything, or one for each index of an axis of the type. */
static const Tensor *per_channel(const Value *v, const Type *type, int axis) {
    const Tensor *t = known(v);
    if (!t || !is_float(t->dtype) || t->rank > type->rank) return NULL;
    for (int i = 0, at = type->rank - t->rank; i < t->rank; i++, at++)
        if (t->dim[i] != 1 && (at != axis || t->dim[i] != type->dim[at].max)) return NULL;
    return t;
}

static bool plain_norm(const Node *n) {
    return IS(n, BatchNormalization) && !attr_i(n, "training_mode") && n->nin == 5 && only_result(n);
}

static Affine affine_new(Arena *a, int64_t n) {
    Affine f = {NEW_ARRAY(a, double, n + 1), NEW_ARRAY(a, double, n + 1), false, false};
    for (int64_t i = 0; i < n; i++) f.scale[i] = 1;
    return f;
}

static bool affine_of_norm(Arena *a, Node *n, int64_t channels, Affine *f) {
    const Tensor *t[5];
    for (int i = 1; i < 5; i++)
        if (!(t[i] = known_vector(in_of(n, i), channels))) return false;
    double epsilon = attr_f(n, "epsilon");
    *f = affine_new(a, channels);
    f->scales = f->shifts = true;
    for (int64_t i = 0; i < channels; i++) {
        f->scale[i] = get_f(t[1], i) / sqrt(get_f(t[4], i) + epsilon);
        f->shift[i] = get_f(t[2], i) - get_f(t[3], i) * f->scale[i];
    }
    return true;
}

/* What an elementwise operator with constant c on side `at` (0: before it, 1: behind it) does to x. */
static bool combine(const Node *n, int at, double c, double *scale, double *shift) {
    if (IS(n, Mul)) *scale = c;
    if (IS(n, Div)) *scale = 1 / c;
    if (IS(n, Add)) *shift = c;
    if (IS(n, Sub)) *shift = at ? -c : c, *scale = at ? 1 : -1;
    return names_operand(n->op, n->op->affine, !at);
}

/* What n does to its input x, per index of an axis. */
static bool affine_of(Arena *a, Node *n, const Value *x, int axis, int64_t channels, Affine *f) {
    const Type *t = &x->type;
    if (!only_result(n)) return false;
    if (!same_type(t, &n->out[0]->type) || axis >= t->rank || t->dim[axis].symbol || t->dim[axis].max != channels)
        return false;
    if (plain_norm(n)) return axis == 1 && in_of(n, 0) == x && affine_of_norm(a, n, channels, f);
    *f = affine_new(a, channels);
    if (IS(n, Neg)) {
        for (int64_t i = 0; i < channels; i++) f->scale[i] = -1;
        return f->scales = true;
    }
    if (!n->op->affine) return false;
    int at = in_of(n, 0) == x;
    const Tensor *c = per_channel(in_of(n, at), t, axis);
    for (int64_t i = 0; i < channels && c; i++) {
        if (!combine(n, at, get_f(c, c->count == 1 ? 0 : i), &f->scale[i], &f->shift[i])) return false;
        f->scales |= f->scale[i] != 1, f->shifts |= f->shift[i] != 0;
    }
    return c;
}

static bool all_finite(const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* ---- products ---- */

typedef struct {
    Node *n, *add; /* add: of a bias to a MatMul, which has none itself; NULL */
    Value *weights, *bias;
    int64_t in, out, group; /* channels */
    bool transposed;        /* weights are [out, in], not [in, out] */
    double alpha, beta;
} Contraction;

static bool is_convolution(const Node *n) { return n->op->image; }

static bool product_of(Node *n, Contraction *p) {
    *p = (Contraction){.n = n, .alpha = 1, .beta = 1, .group = 1};
    if (access_of(n->op) != ACCESS_CONTRACTION) return false;
    p->transposed = !column_dim(n);
    p->weights = in_of(n, find_operand(n->op, n->op->weights)), p->bias = in_of(n, 2);
    const Type *w = &p->weights->type;
    if (!is_float(w->dtype) || (!is_convolution(n) && w->rank != 2)) return false;
    for (int i = 0; i < w->rank; i++)
        if (w->dim[i].symbol || w->dim[i].max < 1) return false;
    if (is_convolution(n)) p->group = attr_i(n, "group");
    if (IS(n, Gemm)) p->alpha = attr_f(n, "alpha"), p->beta = attr_f(n, "beta");
    p->in = w->dim[p->transposed].max, p->out = w->dim[!p->transposed].max;
    *(p->transposed ? &p->in : &p->out) *= p->group;
    return true;
}

/* The product that makes v for n alone, a bias added to it included. */
static bool product_before(Node *n, Value *v, Contraction *p) {
    Node *add = sole_maker(n, v);
    if (!add || product_of(add, p)) return add != NULL;
    if (!IS(add, Add)) return false;
    for (int i = 0; i < 2; i++) {
        Node *m = sole_maker(add, in_of(add, i));
        if (!m || !IS(m, MatMul) || !product_of(m, p)) continue;
        p->add = add, p->bias = in_of(add, 1 - i);
        return same_type(&add->out[0]->type, &m->out[0]->type);
    }
    return false;
}

static int channel_axis(const Contraction *p, const Type *t) { return is_convolution(p->n) ? 1 : t->rank - 1; }

/* The channel that row i, column j of the weights reads or adds to. In groups, columns count within their group. */
static int64_t channel(const Contraction *p, const Tensor *w, int64_t i, int64_t j, bool out) {
    if (out == p->transposed) return i;
    return i / (w->dim[0] / p->group) * (p->group > 1 ? w->dim[1] : 0) + j;
}

/* w * f, f per channel read or added to; NULL if a number gets too large. */
static Tensor *scaled(Arena *a, const Contraction *p, const double *f, bool out) {
    const Tensor *w = p->weights->data;
    Tensor *t = tensor_new(a, w->dtype, w->rank, w->dim);
    int64_t inner = w->count / (w->dim[0] * w->dim[1]), at = 0;
    bool f32 = w->dtype == DT_f32, finite = true;
    for (int64_t i = 0; i < w->dim[0]; i++)
        for (int64_t j = 0; j < w->dim[1]; j++) {
            double factor = f[channel(p, w, i, j, out)];
            for (int64_t end = at + inner; at < end; at++) {
                float x, y;
                if (f32) { /* the many go fast: weights may be a hundred megabytes */
                    memcpy(&x, (const char *)w->data + 4 * at, 4);
                    ((float *)tensor_data(t))[at] = y = (float)((double)x * factor);
                    finite = finite && (isfinite(y) || !isfinite(x));
                } else {
                    set_f(t, at, get_f(w, at) * factor);
                    finite = finite && isfinite(get_f(t, at));
                }
            }
        }
    return finite ? t : NULL;
}

/* What the product makes of a constant input, per channel. */
static double *product_of_shift(Arena *a, const Contraction *p, const double *shift) {
    const Tensor *w = p->weights->data;
    double *sum = NEW_ARRAY(a, double, p->out);
    int64_t inner = w->count / (w->dim[0] * w->dim[1]), at = 0;
    for (int64_t i = 0; i < w->dim[0]; i++)
        for (int64_t j = 0; j < w->dim[1]; j++) {
            double x = p->alpha * shift[channel(p, w, i, j, false)], *to = &sum[channel(p, w, i, j, true)];
            for (int64_t end = at + inner; at < end; at++) *to += get_f(w, at) * x;
        }
    return sum;
}

/* ---- rewriting ---- */

/* What is to become of a product: weights (NULL: as they are), and bias * scale + shift (NULL: as it is). */
typedef struct {
    Tensor *weights;
    const double *scale, *shift;
} Change;

/* One number for each channel of the result, or one for all. */
static bool is_row(const Tensor *t, int64_t n) {
    for (int i = 0; t && i < t->rank - 1; i++)
        if (t->dim[i] != 1) return false;
    return t && is_float(t->dtype) && (t->count == 1 || t->count == n);
}

static bool bias_is_known(const Contraction *p) { return !p->bias || is_row(known(p->bias), p->out); }

/* What the parameter is called that shifts. */
static const char *shift_name(const Node *n) {
    if (IS(n, BatchNormalization)) return n->in[2]->name;
    for (int i = 0; i < n->nin; i++)
        if (known(n->in[i])) return n->in[i]->name;
    return NULL;
}

static Value *bias_of(Rewrite *r, const Contraction *p, const Change *c, const char *name) {
    if (!c->shift && (!c->scale || !p->bias)) return p->bias;
    const Tensor *b = known(p->bias);
    Tensor *t = tensor_new(r->m->arena, p->weights->type.dtype, 1, &p->out);
    for (int64_t i = 0; i < p->out; i++) {
        double x = b ? p->beta * get_f(b, b->count == 1 ? 0 : i) : 0;
        set_f(t, i, x * (c->scale ? c->scale[i] : 1) + (c->shift ? c->shift[i] : 0));
        if (!isfinite(get_f(t, i))) return NULL;
    }
    return const_new(r->m, p->bias ? p->bias->name : name, t);
}

static Value *weights_of(Rewrite *r, const Contraction *p, Tensor *t) {
    if (!t) return p->weights;
    release_mapped(r->m->file, r->m->file_bytes, p->weights->data->data,
                   (size_t)t->count * (size_t)dtypes[t->dtype].bytes);
    return const_new(r->m, p->weights->name, t);
}

/* The product of x, changed, in the place of n, which stood beside it. */
static bool fold(Rewrite *r, Node *n, Value *x, const Contraction *p, const Change *c, const Node *beside) {
    bool changed = c->shift || (c->scale && p->bias), matmul = IS(p->n, MatMul);
    Value *bias = bias_of(r, p, c, shift_name(beside));
    if (changed && !bias) return false;
    r->m->fuel -= c->weights ? c->weights->count / 1000 : 0;
    Value *in[] = {x, weights_of(r, p, c->weights), bias};
    Node *made = insert_like(r, n, p->n, bias && !matmul ? 3 : 2, in);
    if (changed && IS(p->n, Gemm)) set_attr_f(made, "beta", 1);
    comes_from(made, p->n, beside);
    Value *y = typed(r, made);
    if (matmul && bias) y = typed(r, insert(r, n, &ops[OP_Add], 2, (Value *[]){y, bias}));
    return become(r, n, y);
}

static bool can_change(const Contraction *p, const Affine *f, bool bias) {
    return (!f->scales || (known(p->weights) && may_copy(p->weights))) && (!bias || bias_is_known(p));
}

bool rule_affine_after(Rewrite *r, Node *n) {
    Contraction p;
    Affine f;
    Value *x = NULL;
    if (!only_result(n) || !is_float(n->out[0]->type.dtype)) return false;
    for (int i = 0; i < n->nin && i < 2 && !x; i++)
        if (product_before(n, in_of(n, i), &p)) x = n->in[i];
    if (!x || !affine_of(r->m->arena, n, x, channel_axis(&p, &x->type), p.out, &f) || !can_become(n, x)) return false;
    if (!can_change(&p, &f, true) || !all_finite(f.scale, p.out) || !all_finite(f.shift, p.out)) return false;
    if (IS(p.n, MatMul) && !p.add && !f.scales) return false; /* as it has to be */
    Change c = {NULL, f.scales ? f.scale : NULL, f.shifts ? f.shift : NULL};
    if (f.scales && !(c.weights = scaled(r->m->arena, &p, f.scale, true))) return false;
    return fold(r, n, in_of(p.n, 0), &p, &c, n);
}

static bool has_pads(Node *n) {
    Window w = window_of(n);
    bool none = w.n >= 0;
    for (int k = 0; k < w.n; k++) none = none && !w.begin[k] && !w.end[k];
    return !none;
}

/* A constant input gives a constant result only if every window lies inside, and a bias can hold it. */
static bool takes_shift(const Contraction *p, const Affine *f) {
    if (!known(p->weights) || p->n->op->transposed || (is_convolution(p->n) && has_pads(p->n))) return false;
    return !IS(p->n, MatMul) || f->scales;
}

static Value *affine_input(Node *n) {
    for (int i = 0; i < n->nin && i < 2; i++)
        if (!known(in_of(n, i))) return n->in[i];
    return NULL;
}

bool rule_affine_before(Rewrite *r, Node *n) {
    Contraction p;
    Affine f;
    Node *before = sole_maker(n, n->in[0]);
    Value *x = before ? affine_input(before) : NULL;
    if (!x || !product_of(n, &p) || contracted_dim(n, 2) == 0) return false;
    if (!affine_of(r->m->arena, before, x, channel_axis(&p, &x->type), p.in, &f) || !only_result(n)) return false;
    if (!can_change(&p, &f, f.shifts) || !all_finite(f.scale, p.in) || !all_finite(f.shift, p.in)) return false;
    if (f.shifts && !takes_shift(&p, &f)) return false;
    Change c = {NULL, NULL, NULL};
    if (f.scales && !(c.weights = scaled(r->m->arena, &p, f.scale, false))) return false;
    if (f.shifts) c.shift = product_of_shift(r->m->arena, &p, f.shift);
    return fold(r, n, x, &p, &c, before);
}

/* ---- a pixel ---- */

/* Whether the image is one pixel, and the result what the kernel makes of it, all of that and no more. */
static bool is_pixel(Node *n) {
    Window w = window_of(n);
    const Type *x = &n->in[0]->type, *y = &n->out[0]->type;
    bool one = w.n > 0;
    for (int k = 0; k < w.n; k++) {
        const Dim *in = &x->dim[k + 2], *out = &y->dim[k + 2];
        one = one && !in->symbol && in->max == 1 && !out->symbol && out->max == w.kernel[k] && !w.begin[k];
    }
    return one;
}

static Type matrix_of(DType t, Dim rows, Dim cols) { return (Type){.dtype = t, .rank = 2, .dim = {rows, cols}}; }

/* The windows of the other taps would read nothing but the frame of zeros. */
bool rule_pixel_into_product(Rewrite *r, Node *n) {
    Value *w = in_of(n, 1), *bias = in_of(n, 2);
    if (!only_result(n) || attr_i(n, "group") != 1 || !known(w) || !may_copy(w) || !is_pixel(n)) return false;
    const Type *x = &n->in[0]->type, *filters = &w->type;
    Dim columns = {w->data->count / filters->dim[0].max, NULL};
    Type pixel = matrix_of(x->dtype, x->dim[0], x->dim[1]), matrix = matrix_of(x->dtype, filters->dim[0], columns);
    Type channels = {.dtype = x->dtype, .rank = n->out[0]->type.rank - 1, .dim = {filters->dim[1]}};
    for (int k = 1; k < channels.rank; k++) channels.dim[k] = (Dim){1, NULL};
    Value *row = reshaped(r, n, in_of(n, 0), &pixel);
    if (!row) return false;
    Node *product = insert(r, n, &ops[OP_MatMul], 2, (Value *[]){row, reshaped(r, n, w, &matrix)});
    product->name = n->name, product->loc = n->loc;
    comes_from(product, n, n);
    Value *y = reshaped(r, n, typed(r, product), &n->out[0]->type);
    if (!y) return false;
    if (bias) y = typed(r, insert(r, n, &ops[OP_Add], 2, (Value *[]){y, reshaped(r, n, bias, &channels)}));
    return become(r, n, y);
}
