/* agree.c - shapes of which only a call tells that they fit: that is checked there, and taken for granted behind it. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <math.h>

void must_be_equal(Node *at, Value *a, Value *b) {
    Value *more = build_text(at, "m - p", 2, (Value *[]){a, b});
    Node *check = insert_node(at, &ops[OP_Extent], 1, &more);
    set_attr_s(check, "dim", "difference"), set_attr_i(check, "most", 0), set_attr_i(check, "checked", 1);
    infer_node(check);
}

/* The elements of x in their order under a shape, a vector of extents. */
static Value *under_shape(Node *at, Value *x, Value *shape) {
    Value *flat = build_text(at, "Reshape(m, [-1])", 1, &x);
    Node *y = insert_node(at, &ops[OP_Unflatten], 2, (Value *[]){flat, shape});
    infer_node(y);
    return y->out[0];
}

static bool product(Module *m, const Dim *dim, int n, int but, Dim *all) {
    *all = fixed(1);
    for (int i = 0; i < n; i++)
        if (i != but && !dim_mul(m, *all, dim[i], all)) return false;
    return true;
}

/* ---- Reshape ---- */

typedef struct {
    Dim dim[MAX_RANK];
    int rank, hole; /* hole: of the extent that is left open, -1: none is */
} WantedShape;

static bool target_of(const Node *n, WantedShape *t) {
    const Type *x = in_type(n, 0);
    t->hole = -1;
    if (!known_dims(n->in[1], MAX_RANK, &t->rank, t->dim)) return false;
    for (int i = 0; i < t->rank; i++) {
        if (same_dim(t->dim[i], fixed(0)) && !attr_i(n, "allowzero") && i < x->rank) t->dim[i] = x->dim[i];
        if (t->dim[i].max >= 0) continue;
        if (t->hole >= 0 || t->dim[i].max != -1) return false;
        t->hole = i;
    }
    return true;
}

/* Whether infer_reshape sees that both have as many elements. */
static bool is_certain(Module *m, const Type *x, const WantedShape *t) {
    Dim all, rest;
    if (!product(m, x->dim, x->rank, -1, &all) || !product(m, t->dim, t->rank, t->hole, &rest)) return false;
    if (t->hole < 0) return same_dim(all, rest);
    return (rest.symbol || rest.max > 0) && dim_div(m, all, rest, &rest);
}

bool reshape_is_certain(Node *n) {
    WantedShape t;
    return target_of(n, &t) && is_certain(n->graph->module, in_type(n, 0), &t);
}

/* A shape whose numbers may be -1 or 0 in a call, as what it stands for there. */
Value *shape_in_call(Node *n) {
    Arena *a = n->graph->module->arena;
    const Value *v = n->in[1];
    long long rank = in_type(n, 0)->rank, count = type_count(&v->type);
    Str ones = {.arena = a};
    for (long long i = rank; i < count; i++) put_text(&ones, ", [1]");
    const char *own = format(a, "Concat(Slice(Shape(m), [0], [%lld], [0])%s, axis = 0)", rank < count ? rank : count,
                             ones.n ? ones.s : "");
    const char *zero = attr_i(n, "allowzero") || !rank ? "s = p" : format(a, "s = Where(p == 0, %s, p)", own);
    return build_text(n,
                      format(a,
                             "%s; rest = Size(m) / Max(ReduceProd(Where(s < 0, 1, s), keepdims = 0), 1); Where(s < 0, "
                             "rest, s)",
                             zero),
                      2, n->in);
}

/* The extents of a target one after the other; the open one is what the others leave. */
static Value *extents_of(Node *n, const WantedShape *t) {
    Arena *a = n->graph->module->arena;
    Str s = {.arena = a};
    for (int i = 0; i < t->rank; i++) {
        put_text(&s, i ? ", " : "");
        bool own = i < in_type(n, 0)->rank && same_dim(t->dim[i], in_type(n, 0)->dim[i]);
        if (i == t->hole)
            put_text(&s, "[1]");
        else if (!t->dim[i].symbol)
            put(&s, "[%lld]", (long long)t->dim[i].max);
        else
            put(&s, "Slice(%s, [%d], [%d], [0])", own ? "Shape(m)" : "p", i, i + 1);
    }
    return build_text(n, format(a, "Concat(%s, axis = 0)", s.s), 2, n->in);
}

void reshape_by_call(Node *n) {
    Module *m = n->graph->module;
    WantedShape t;
    Value *x = n->in[0], *shape, *y;
    if (!target_of(n, &t) || is_certain(m, &x->type, &t)) return;
    bool computed = has_computed(m, &x->type);
    for (int i = 0; i < t.rank; i++) computed = computed || is_computed(m, t.dim[i]);
    if (!computed || !t.rank) return;
    shape = extents_of(n, &t);
    if (t.hole >= 0) {
        Value *left = build_text(n, "Size(m) / Max(ReduceProd(p, keepdims = 0), 1)", 2, (Value *[]){x, shape});
        Value *extent = measure(n, left, 0, type_count(&x->type), n->out[0]);
        Str s = {.arena = m->arena};
        for (int i = 0; i < t.rank; i++) {
            put_text(&s, i ? ", " : "");
            i == t.hole ? put_text(&s, "Reshape(p, [1])") : put(&s, "Slice(m, [%d], [%d], [0])", i, i + 1);
        }
        shape = build_text(n, format(m->arena, "Concat(%s, axis = 0)", s.s), 2, (Value *[]){shape, extent});
    }
    must_be_equal(n, build_text(n, "Size(m)", 1, &x), build_text(n, "ReduceProd(m, keepdims = 0)", 1, &shape));
    y = under_shape(n, x, shape);
    replaced_by(n, 1, &y);
}

/* ---- elementwise operators ---- */

/* x with another extent at axis k, which in every call that goes on is the one that it has. */
static Value *with_extent(Node *n, Value *x, int k, Value *like, int at) {
    Arena *a = n->graph->module->arena;
    Str s = {.arena = a};
    for (int i = 0; i < x->type.rank; i++)
        put(&s, "%sSlice(Shape(%s), [%d], [%d], [0])", i ? ", " : "", i == k ? "p" : "m", i == k ? at : i,
            (i == k ? at : i) + 1);
    Value *shape = build_text(n, format(a, "Concat(%s, axis = 0)", s.s), 2, (Value *[]){x, like});
    must_be_equal(n, build_text(n, format(a, "Gather(Shape(m), %d)", k), 1, &x),
                  build_text(n, format(a, "Gather(Shape(m), %d)", at), 1, &like));
    return under_shape(n, x, shape);
}

/* Axis k of operand i has the extent of that one, if a call has a say in either. */
static void agree_axis(Node *n, int i, int k, int with, int at) {
    Module *m = n->graph->module;
    Dim own = in_type(n, i)->dim[k], other = in_type(n, with)->dim[at];
    if (!same_dim(own, other) && (is_computed(m, own) || is_computed(m, other)))
        n->in[i] = with_extent(n, n->in[i], k, n->in[with], at);
}

void agree_concat(Node *n) {
    int rank = in_type(n, 0)->rank, axis = (int)axis_in(attr_i(n, "axis"), rank);
    for (int i = 1; i < n->nin; i++)
        for (int k = 0; k < rank && in_type(n, i)->rank == rank; k++)
            if (k != axis) agree_axis(n, i, k, 0, k);
}

void agree_product(Node *n) {
    int a = in_type(n, 0)->rank, b = in_type(n, 1)->rank;
    bool gemm = IS(n, Gemm);
    if (a < 1 || b < 1 || (gemm && (a != 2 || b != 2))) return;
    int summed = gemm && attr_i(n, "transA") ? 0 : a - 1, rows = b < 2 || (gemm && attr_i(n, "transB")) ? b - 1 : b - 2;
    agree_axis(n, 1, rows, 0, summed);
    for (int k = 3; k <= a && k <= b; k++) /* of batches; 1 goes with any */
        if (!is_unit(in_type(n, 0)->dim[a - k]) && !is_unit(in_type(n, 1)->dim[b - k]))
            agree_axis(n, 1, b - k, 0, a - k);
}

void agree_elementwise(Node *n) {
    Module *m = n->graph->module;
    int rank = 0;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && in_type(n, i)->rank > rank) rank = in_type(n, i)->rank;
    for (int k = 1; k <= rank; k++) {
        int first = -1; /* k counts axes from the last */
        for (int i = 0; i < n->nin; i++) {
            if (!n->in[i] || in_type(n, i)->rank < k) continue;
            Dim d = in_type(n, i)->dim[in_type(n, i)->rank - k], f;
            if (is_unit(d)) continue;
            if (first < 0) {
                first = i;
                continue;
            }
            f = in_type(n, first)->dim[in_type(n, first)->rank - k];
            if (same_dim(f, d) || (!is_computed(m, f) && !is_computed(m, d))) continue;
            n->in[i] = with_extent(n, n->in[i], in_type(n, i)->rank - k, n->in[first], in_type(n, first)->rank - k);
        }
    }
}

/* ---- Split ---- */

/* Whether the sizes are known to be those of the whole axis together. */
static bool fills(Module *m, const Value *sizes, Dim whole) {
    Dim size[MAX_RANK * 4], sum = fixed(0);
    int count;
    bool ok = known_dims(sizes, COUNT(size), &count, size);
    for (int i = 0; i < count && ok; i++) ok = dim_add(m, sum, size[i], &sum);
    return ok && same_dim(sum, whole);
}

void split_by_call(Node *n) {
    Value *v = input(n, 1), *y[MAX_RANK * 4];
    Module *m = n->graph->module;
    int rank = in_type(n, 0)->rank, count = n->nout;
    if (!v || v->data || count > COUNT(y) || v->type.rank != 1 || type_count(&v->type) != count || !rank) return;
    int axis = (int)axis_in(attr_i(n, "axis"), rank);
    if (axis < 0 || fills(m, v, in_type(n, 0)->dim[axis])) return;
    must_be_equal(n, build_text(n, format(m->arena, "Gather(Shape(m), %d)", axis), 1, n->in),
                  build_text(n, "Cast(ReduceSum(m, keepdims = 0), to = 7)", 1, &v));
    for (int i = 0; i < count; i++) {
        y[i] = NULL;
        if (!n->out[i]) continue;
        const char *text = format(m->arena, "c = CumSum(m, 0); Slice(c, [%d], [%d], [0]) - Slice(m, [%d], [%d], [0])",
                                  i, i + 1, i, i + 1);
        Value *from = build_text(n, text, 1, &v),
              *to = build_text(n, format(m->arena, "Slice(CumSum(m, 0), [%d], [%d], [0])", i, i + 1), 1, &v),
              *at = const_ints(m, 1, (int64_t[]){axis});
        Node *part = insert_node(n, &ops[OP_Slice], 4, (Value *[]){n->in[0], from, to, at});
        infer_sized(part);
        y[i] = part->out[0];
    }
    replaced_by(n, count, y);
}

/* ---- Col2Im: an image into which as many blocks fit as there are columns ---- */

/* Of each dim of the image, what is in front of and behind it less the first block, and the step to the next. */
typedef struct {
    int64_t more[MAX_RANK], step[MAX_RANK];
} Fit;

static Fit fit_of(const Window *w) {
    Fit f;
    for (int k = 0; k < w->n; k++) {
        f.more[k] = w->begin[k] + w->end[k] - (w->kernel[k] - 1) * w->dilation[k] - 1;
        f.step[k] = w->stride[k];
    }
    return f;
}

/* Numbers that data tells as extents, if a block fits, and no more than there are columns; false: not within a C int.
 */
static bool measure_image(Node *n, int i, const Window *w) {
    Value *image = n->in[i], *part[MAX_RANK];
    Fit f = fit_of(w);
    for (int k = 0; k < w->n; k++) {
        double least = fmax(1, (double)-f.more[k]), columns = (double)in_type(n, 0)->dim[2].max;
        part[k] = extent_within(n, image, k, (Range){least, columns * (double)f.step[k] - 1 - (double)f.more[k]});
        if (!part[k]) return false;
    }
    n->in[i] = numbers_joined(n, image, w->n, part);
    return true;
}

/* Whether the numbers are told, and are enough for one in every call. */
static bool fits_a_block(const Value *image, const Window *w) {
    Fit f = fit_of(w);
    for (int k = 0; image->known && k < w->n; k++)
        if (image->known[k].symbol && dim_least(image->known[k]) + f.more[k] < 0) return false;
    return image->data || image->known;
}

void blocks_by_call(Node *n, int i) {
    Module *m = n->graph->module;
    Value *x = n->in[0], *count, *shape;
    Window w;
    Dim image[MAX_RANK] = {{0}}, blocks[MAX_RANK], all;
    int rank = (int)type_count(in_type(n, i)), said = m->problems.n;
    if (!is_known(n->in[2]) || x->type.rank != 3 || in_type(n, i)->rank != 1 || rank < 1 || rank > MAX_RANK - 2 ||
        type_count(in_type(n, 2)) != rank || !blocks_in(n, image, &w, blocks, &all)) {
        m->problems.n = said; /* inference says so, too */
        return;
    }
    if (!fits_a_block(n->in[i], &w) && !measure_image(n, i, &w)) return;
    if (!known_dims(n->in[i], MAX_RANK - 2, &rank, image) || !blocks_in(n, image, &w, blocks, &all)) return;
    bool computed = is_computed(m, x->type.dim[2]) || is_computed(m, all);
    if (!computed || same_dim(x->type.dim[2], all)) return;
    Fit f = fit_of(&w);
    count = build_text(n, "ReduceProd((Cast(m, to = 7) + p) / q + 1, keepdims = 0)", 3,
                       (Value *[]){n->in[i], const_ints(m, rank, f.more), const_ints(m, rank, f.step)});
    must_be_equal(n, build_text(n, "Gather(Shape(m), 2)", 1, &x), count);
    shape =
        build_text(n, "Concat(Slice(Shape(m), [0], [2], [0]), Reshape(p, [1]), axis = 0)", 2, (Value *[]){x, count});
    n->in[0] = under_shape(n, x, shape);
}
