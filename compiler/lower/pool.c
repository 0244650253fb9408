/* pool.c - what a window of an input is reduced to, and the inverse of its maximum. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* ---- MaxPool ---- */

/* The flat index of an input element; storage_order 1 counts the spatial dims column by column (ONNX, MaxPool). */
static Expr *flat_index_of(Lower *l, const Node *n, const Type *x, Expr *const *pos) {
    bool columns = attr_i(n, "storage_order") != 0;
    Expr *plane = ix_add(l, ix_mul(l, pos[0], extent(l, x->dim[1])), pos[1]), *index = ix(l, 0);
    Expr *size = ix(l, 1);
    for (int i = 2; i < x->rank; i++) {
        int d = columns ? x->rank + 1 - i : i;
        index = ix_add(l, ix_mul(l, index, extent(l, x->dim[d])), pos[d]);
        size = ix_mul(l, size, extent(l, x->dim[d]));
    }
    return ix_add(l, ix_mul(l, plane, size), index);
}

/* Keeps x and its index if it exceeds all before it, so that the first of equals wins; a NaN wins over numbers. */
static void keep_greater(Lower *l, Expr *max, Expr *index, Expr *x, Expr *here) {
    Expr *wins = either(l, ix_less(l, index, ix(l, 0)), greater(l, x, max));
    if (is_float(x->dtype)) wins = either(l, wins, both(l, map1(l, OP_IsNaN, x), map2(l, OP_Equal, max, max)));
    open_if(l, wins);
    set(l, max, x);
    set(l, index, here);
    close_block(l);
}

Expr *at_max_pool(Lower *l, Node *n, int out, Expr *const *idx) {
    Window w = window_of(n);
    const Type *t = in_shape(n, 0);
    DType dtype = computed(n, 0);
    Expr *pos[MAX_RANK] = {idx[0], idx[1]}, *tap[MAX_RANK];
    Expr *max = var(l, "max", dtype, lowest(l, dtype)), *index = out ? var(l, "index", DT_index, ix(l, -1)) : NULL;
    int opened = open_window(l, &w, t, NULL, idx + 2, tap, pos + 2);
    Expr *x = value_at(l, n->in[0], pos);
    if (out)
        keep_greater(l, max, index, let(l, "x", x), flat_index_of(l, n, t, pos));
    else
        set(l, max, map2(l, OP_Max, max, x));
    close_blocks(l, opened);
    return out ? cast(l, index, DT_i64) : max;
}

/* ---- AveragePool, LpPool ---- */

Type counted_area(const Node *n, const Window *w, Window *shifted) {
    Type t = *in_shape(n, 0);
    bool pads = attr_i(n, "count_include_pad") != 0;
    *shifted = *w;
    for (int s = 0; s < w->n && pads; s++) {
        ASSERT(dim_add(n->graph->module, t.dim[2 + s], (Dim){w->begin[s] + w->end[s], NULL}, &t.dim[2 + s]));
        shifted->begin[s] = 0;
    }
    return t;
}

/* Whether every tap of every window lies in the area, so that all windows count the same. */
static bool always_inside(Module *m, const Window *w, const Type *area, const Type *y) {
    for (int s = 0; s < w->n; s++) {
        Dim end; /* of the last window */
        int64_t more = (w->kernel[s] - 1) * w->dilation[s] + 1 - w->stride[s];
        if (w->begin[s] || !dim_mul(m, y->dim[2 + s], (Dim){w->stride[s], NULL}, &end) ||
            !dim_add(m, end, (Dim){more, NULL}, &end) || !never_less(m, area->dim[2 + s], end))
            return false;
    }
    return true;
}

Expr *taps_in(Lower *l, const Window *w, const Type *area, const Type *y, Expr *const *at) {
    int64_t all = 1;
    for (int s = 0; s < w->n; s++) all *= w->kernel[s];
    if (always_inside(l->m, w, area, y)) return ix(l, all);
    Expr *count = var(l, "count", DT_index, ix(l, 0)), *tap[MAX_RANK], *pos[MAX_RANK];
    int opened = open_window(l, w, area, NULL, at, tap, pos);
    set(l, count, ix_add(l, count, ix(l, 1)));
    close_blocks(l, opened);
    return count;
}

Expr *at_average_pool(Lower *l, Node *n, int out, Expr *const *idx) {
    Window w = window_of(n), counted;
    DType t = computed(n, 0);
    Type area = counted_area(n, &w, &counted);
    Expr *pos[MAX_RANK] = {idx[0], idx[1]}, *tap[MAX_RANK], *sum = var(l, "sum", t, num(l, t, 0));
    int opened = open_window(l, &w, in_shape(n, 0), NULL, idx + 2, tap, pos + 2);
    set(l, sum, add(l, sum, value_at(l, n->in[0], pos)));
    close_blocks(l, opened);
    Expr *count = taps_in(l, &counted, &area, &n->out[out]->type, idx + 2);
    return quotient(l, sum, cast(l, count, t));
}

/* |x| to the p, and its root: squares and square roots where they do. */
static Expr *power_of(Lower *l, Expr *x, int64_t p) {
    if (p == 2) return mul(l, x, x);
    x = map1(l, OP_Abs, x);
    return p == 1 ? x : map2(l, OP_Power, x, num(l, x->dtype, (double)p));
}

static Expr *root_of(Lower *l, Expr *x, int64_t p) {
    if (p == 1) return x;
    return p == 2 ? map1(l, OP_Sqrt, x) : map2(l, OP_Power, x, num(l, x->dtype, 1 / (double)p));
}

Expr *at_lp_pool(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Window w = window_of(n);
    int64_t p = attr_i(n, "p");
    DType t = computed(n, 0);
    Expr *pos[MAX_RANK] = {idx[0], idx[1]}, *tap[MAX_RANK], *sum = var(l, "sum", t, num(l, t, 0));
    int opened = open_window(l, &w, in_shape(n, 0), NULL, idx + 2, tap, pos + 2);
    set(l, sum, add(l, sum, power_of(l, let(l, "x", value_at(l, n->in[0], pos)), p)));
    close_blocks(l, opened);
    return root_of(l, sum, p);
}

/* Divided by (bias + alpha / size * the squares of `size` neighbours in the channel dim) ^ beta. */
Expr *at_lrn(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *x = in_shape(n, 0);
    int64_t size = attr_i(n, "size"), before = (size - 1) / 2;
    DType t = computed(n, 0);
    Expr *pos[MAX_RANK], *sum = var(l, "sum", t, num(l, t, 0));
    int opened = 0;
    for (int i = 0; i < x->rank; i++) pos[i] = idx[i];
    Expr *k = open_dim(l, 'k', AX_SEQ, (Dim){size, NULL}, &opened);
    pos[1] = ix_add(l, ix_sub(l, idx[1], ix(l, before)), k);
    open_guard(l, in_range(l, pos[1], ix(l, 0), extent(l, x->dim[1])), &opened);
    set(l, sum, add(l, sum, power_of(l, let(l, "x", value_at(l, n->in[0], pos)), 2)));
    close_blocks(l, opened);
    Expr *scaled = add(l, mul(l, sum, num(l, t, attr_f(n, "alpha") / (double)size)), num(l, t, attr_f(n, "bias")));
    return quotient(l, value_at(l, n->in[0], idx), map2(l, OP_Power, scaled, num(l, t, attr_f(n, "beta"))));
}

/* ---- MaxUnpool ---- */

/* The shape the indices were counted in: that of the pool's input, from the window alone. output_shape only enlarges or
 * cuts what they are put into (ONNX, MaxUnpool). False if there is no such shape. */
static bool pooled_dims(Node *n, int64_t *dim) {
    const Type *x = in_shape(n, 0);
    Window w = window_of(n);
    dim[0] = x->dim[0].max, dim[1] = x->dim[1].max;
    for (int s = 0; s < w.n; s++) {
        int64_t more = w.kernel[s] - w.begin[s] - w.end[s];
        if (!mul_ok(x->dim[2 + s].max - 1, w.stride[s], &dim[2 + s]) || !add_ok(dim[2 + s], more, &dim[2 + s]))
            return false;
        if (dim[2 + s] < 1) return false;
    }
    return !is_empty(n, 0);
}

/* Where the element at idx goes in a tensor of type y; what would go beside it is guarded. */
static int open_place(Lower *l, Node *n, const int64_t *dim, const Type *y, Expr *const *idx, Expr **to) {
    Expr *index = let(l, "index", map2(l, OP_Max, cast(l, value_at(l, n->in[1], idx), DT_index), ix(l, 0)));
    int rank = in_shape(n, 0)->rank, opened = 0;
    for (int i = rank - 1; i >= 0; i--) {
        to[i] = i ? ix_mod(l, index, ix(l, dim[i])) : index;
        index = ix_div(l, index, ix(l, dim[i]));
    }
    for (int i = 0; i < rank; i++) open_guard(l, in_range(l, to[i], ix(l, 0), extent(l, y->dim[i])), &opened);
    return opened;
}

void lower_max_unpool(Lower *l, Node *n) {
    const Type *x = in_shape(n, 0), *y = &n->out[0]->type;
    int64_t dim[MAX_RANK];
    Expr *idx[MAX_RANK], *to[MAX_RANK];
    open_loops(l, y, NULL, idx);
    store(l, n->out[0], idx, num(l, y->dtype, 0));
    close_loops(l, y);
    if (!pooled_dims(n, dim)) return;
    int opened = open_dims(l, x, ~0u, idx);
    opened += open_place(l, n, dim, y, idx, to);
    store(l, n->out[0], to, value_at(l, n->in[0], idx));
    close_blocks(l, opened);
}

Expr *at_max_unpool_grad(Lower *l, Node *n, int out, Expr *const *idx) {
    DType t = computed(n, 0);
    int64_t dim[MAX_RANK];
    Expr *g = var(l, "g", t, num(l, t, 0)), *from[MAX_RANK];
    (void)out;
    if (!pooled_dims(n, dim)) return g;
    int opened = open_place(l, n, dim, in_shape(n, 3), idx, from);
    set(l, g, value_at(l, n->in[3], from));
    close_blocks(l, opened);
    return g;
}
