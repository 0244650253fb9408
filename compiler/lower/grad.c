/* grad.c - gradients that are nests of their own, and what else training needs.
 *
 * Gradients gather: every element of the result sums what it contributed to, so that nothing is written twice and no
 * order of threads shows. Where the indices are only known at run time (the maximum of a window, an index), loops that
 * may write one element twice keep their order. */
#include "ir/build.h"
#include "ir/target.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"
#include <math.h>

/* ---- Conv: inputs X, W, dY ---- */

/* Element x of a channel went, through tap p, into the results at (x + begin - p * dilation) / stride. */
Expr *at_conv_grad_x(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Transposed w = transposed_of(n, n->in[2], n->in[1]);
    const Type *wt = in_shape(n, 1);
    int64_t results = wt->dim[0].max / attr_i(n, "group");
    DType t = computed(n, 0);
    Expr *gi[MAX_RANK] = {idx[0]}, *wi[MAX_RANK], *acc = var(l, "acc", t, num(l, t, 0));
    Expr *start = group_start(l, n, idx[1], in_shape(n, 0)->dim[1].max, results);
    int opened = 0;
    gi[1] = wi[0] = ix_add(l, start, open_dim(l, 'o', AX_SEQ, (Dim){results, NULL}, &opened));
    wi[1] = ix_mod(l, idx[1], ix(l, wt->dim[1].max));
    opened += open_transposed(l, &w, idx + 2, wi + 2, gi + 2);
    set(l, acc, add(l, acc, mul(l, value_at(l, n->in[2], gi), value_at(l, n->in[1], wi))));
    close_blocks(l, opened);
    return acc;
}

/* What one image, or all of them (NULL), adds to element idx: a sum over the positions of the window. */
static Expr *image_sum(Lower *l, Node *n, Expr *image, Expr *const *idx) {
    static const char letters[] = "ijklmrstuv";
    Window w = window_of(n);
    const Type *wt = in_shape(n, 1), *g = in_shape(n, 2), *x = in_shape(n, 0);
    DType t = computed(n, 0);
    Expr *gi[MAX_RANK], *xi[MAX_RANK], *sum = var(l, "sum", t, num(l, t, 0));
    int opened = 0;
    gi[0] = xi[0] = image ? image : open_dim(l, 'b', AX_SEQ, g->dim[0], &opened), gi[1] = idx[0];
    xi[1] = ix_add(l, group_start(l, n, idx[0], wt->dim[0].max, wt->dim[1].max), idx[1]);
    for (int s = 0; s < w.n; s++) {
        gi[2 + s] = open_dim(l, letters[s], AX_SEQ, g->dim[2 + s], &opened);
        Expr *from = ix_sub(l, ix_mul(l, gi[2 + s], ix(l, w.stride[s])), ix(l, w.begin[s]));
        xi[2 + s] = ix_add(l, from, ix_mul(l, idx[2 + s], ix(l, w.dilation[s])));
        open_guard(l, within(l, xi[2 + s], x->dim[2 + s], n->in[0]->layout.halo, 2 + s), &opened);
    }
    set(l, sum, add(l, sum, mul(l, value_at(l, n->in[2], gi), value_at(l, n->in[0], xi))));
    close_blocks(l, opened);
    return sum;
}

/* Images of few positions: all weights would be gone through again for each of them. */
static bool are_small(const Node *n) {
    enum { SMALL = 36 };
    const Type *g = &n->in[2]->type;
    int64_t positions = 1;
    for (int i = 2; i < g->rank; i++) positions *= g->dim[i].max;
    return positions <= SMALL && !on_device(n->graph->module);
}

/* Image by image: one of them stays in a cache while all weights take their part of it, and the error stays that of
 * one image's sum. */
void lower_conv_grad_w(Lower *l, Node *n) {
    const Type *wt = in_shape(n, 1);
    Expr *idx[MAX_RANK];
    int opened = 0;
    if (are_small(n)) {
        open_loops(l, wt, NULL, idx);
        store(l, n->out[0], idx, image_sum(l, n, NULL, idx));
        close_loops(l, wt);
        return;
    }
    fill_with_zeros(l, n->out[0]);
    Expr *image = open_dim(l, 'b', AX_SEQ, in_shape(n, 2)->dim[0], &opened);
    open_loops(l, wt, NULL, idx);
    Expr *sum = image_sum(l, n, image, idx);
    store(l, n->out[0], idx, add(l, load(l, n->out[0], idx), sum));
    close_loops(l, wt);
    close_blocks(l, opened);
}

/* ---- pools: inputs X, dY ---- */

/* Keeps x and its index if it exceeds all before it in the window: the first of equals, and NaN before numbers. */
static void keep_first(Lower *l, int n, Expr *max, Expr **index, Expr *x, Expr *const *pos) {
    Expr *wins = either(l, ix_less(l, index[0], ix(l, 0)), greater(l, x, max));
    open_if(l, either(l, wins, both(l, map1(l, OP_IsNaN, x), map2(l, OP_Equal, max, max))));
    set(l, max, x);
    for (int s = 0; s < n; s++) set(l, index[s], pos[s]);
    close_block(l);
}

/* ---- windows apart from each other ---- */

enum { MAX_TAPS = 16 };

/* Windows side by side that lie in the input; `whole`: all of it is in one. */
static bool are_apart(const Node *n, const Window *w, bool *whole) {
    int64_t taps = 1;
    *whole = true;
    for (int s = 0; s < w->n; s++) {
        int64_t x = in_shape(n, 0)->dim[2 + s].max, covered = in_shape(n, 1)->dim[2 + s].max * w->stride[s];
        if (w->stride[s] != w->kernel[s] || w->dilation[s] != 1 || w->begin[s] || covered > x) return false;
        if (covered < x) *whole = false;
        taps *= w->kernel[s];
    }
    return taps <= MAX_TAPS;
}

/* The index of tap t, counted row by row, of the window at idx. */
static void index_of_tap(Lower *l, const Window *w, int64_t t, Expr *const *idx, Expr **pos) {
    for (int s = w->n - 1; s >= 0; s--) {
        pos[2 + s] = ix_add(l, ix_mul(l, idx[2 + s], ix(l, w->stride[s])), ix(l, t % w->kernel[s]));
        t /= w->kernel[s];
    }
}

/* The first that equals the maximum gets the gradient, or the first NaN, and leaves none to those behind it. Nothing
 * here branches, so that a loop over channels becomes vectors. */
static void spread_window(Lower *l, Node *n, const Window *w, Expr *const *idx) {
    Expr *x[MAX_TAPS], *max = NULL, *pos[MAX_RANK] = {idx[0], idx[1]};
    int64_t taps = 1;
    for (int s = 0; s < w->n; s++) taps *= w->kernel[s];
    for (int64_t t = 0; t < taps; t++) {
        index_of_tap(l, w, t, idx, pos);
        x[t] = let(l, "x", value_at(l, n->in[0], pos));
        max = max ? let(l, "max", map2(l, OP_Max, max, x[t])) : x[t];
    }
    Expr *g = let(l, "g", value_at(l, n->in[1], idx)), *zero = num(l, g->dtype, 0);
    for (int64_t t = 0; t < taps; t++) {
        index_of_tap(l, w, t, idx, pos);
        Expr *is_max = either(l, map2(l, OP_Equal, x[t], max), map1(l, OP_IsNaN, x[t]));
        store(l, n->out[0], pos, select_of(l, is_max, g, zero));
        if (t + 1 < taps) g = let(l, "g", select_of(l, is_max, zero, g));
    }
}

static void lower_windows_apart(Lower *l, Node *n, const Window *w, bool whole) {
    Expr *idx[MAX_RANK];
    if (!whole) fill_with_zeros(l, n->out[0]);
    open_loops(l, in_shape(n, 1), NULL, idx);
    spread_window(l, n, w, idx);
    close_loops(l, in_shape(n, 1));
}

/* Windows may overlap, so their order is kept; channels cannot meet. */
void lower_max_pool_grad(Lower *l, Node *n) {
    static const char *const names[] = {"at", "at2", "at3", "at4", "at5", "at6"};
    Window w = window_of(n);
    const Type *t = in_shape(n, 0);
    DType dtype = computed(n, 0);
    Expr *idx[MAX_RANK], *pos[MAX_RANK], *tap[MAX_RANK], *to[MAX_RANK];
    bool whole;
    if (are_apart(n, &w, &whole)) {
        lower_windows_apart(l, n, &w, whole);
        return;
    }
    fill_with_zeros(l, n->out[0]);
    int outer = open_dims(l, in_shape(n, 1), ~3u, idx);
    pos[0] = to[0] = idx[0], pos[1] = to[1] = idx[1];
    Expr *max = var(l, "max", dtype, lowest(l, dtype));
    for (int s = 0; s < w.n; s++) to[2 + s] = var(l, names[s], DT_index, ix(l, -1));
    int opened = open_window(l, &w, t, NULL, idx + 2, tap, pos + 2);
    keep_first(l, w.n, max, to + 2, let(l, "x", value_at(l, n->in[0], pos)), pos + 2);
    close_blocks(l, opened);
    open_if(l, map1(l, OP_Not, ix_less(l, to[2], ix(l, 0))));
    store(l, n->out[0], to, add(l, load(l, n->out[0], to), value_at(l, n->in[1], idx)));
    close_blocks(l, outer + 1);
}

Expr *at_average_pool_grad(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    Window w = window_of(n), counted;
    const Type *g = in_shape(n, 1);
    DType t = computed(n, 0);
    Type area = counted_area(n, &w, &counted);
    Expr *pos[MAX_RANK] = {idx[0], idx[1]}, *tap[MAX_RANK], *acc = var(l, "acc", t, num(l, t, 0));
    int opened = open_transposed(l, &(Transposed){w, g->dim + 2, NULL, NULL}, idx + 2, tap, pos + 2);
    Expr *dy = value_at(l, n->in[1], pos);
    if (attr_i(n, "mean")) dy = quotient(l, dy, cast(l, taps_in(l, &counted, &area, g, pos + 2), t));
    set(l, acc, add(l, acc, dy));
    close_blocks(l, opened);
    return acc;
}

/* ---- Slice, Gather ---- */

Expr *at_slice_grad(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *t = in_shape(n, 0), *g = in_shape(n, 1);
    const int64_t *begin = attr(n, "begins")->ints, *step = attr(n, "steps")->ints;
    Expr *y = var(l, "y", computed(n, 1), num(l, computed(n, 1), 0)), *from[MAX_RANK];
    int opened = 0;
    for (int i = 0; i < t->rank; i++) {
        Expr *past = step[i] > 0 ? ix_sub(l, idx[i], ix(l, begin[i])) : ix_sub(l, ix(l, begin[i]), idx[i]);
        int64_t size = step[i] > 0 ? step[i] : -step[i];
        Expr *span = ix_mul(l, extent(l, g->dim[i]), ix(l, size));
        from[i] = past;
        if (size == 1 && !begin[i] && step[i] > 0 && g->dim[i].max == t->dim[i].max) continue;
        open_guard(l, in_range(l, past, ix(l, 0), span), &opened);
        if (size > 1) open_guard(l, ix_equal(l, ix_mod(l, past, ix(l, size)), ix(l, 0)), &opened);
        from[i] = ix_div(l, past, ix(l, size));
    }
    set(l, y, value_at(l, n->in[1], from));
    close_blocks(l, opened);
    return y;
}

void lower_gather_grad(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank), q = in_shape(n, 1)->rank;
    Expr *idx[MAX_RANK], *to[MAX_RANK];
    fill_with_zeros(l, n->out[0]);
    if (is_empty(n, 0)) return;
    int opened = open_dims(l, in_shape(n, 2), ((1u << q) - 1) << axis, idx);
    Expr *at = index_from(l, "at", n->in[1], idx + axis, t->dim[axis]);
    for (int i = 0; i < t->rank; i++) to[i] = i < axis ? idx[i] : i > axis ? idx[i + q - 1] : at;
    store(l, n->out[0], to, add(l, load(l, n->out[0], to), value_at(l, n->in[2], idx)));
    close_blocks(l, opened);
}

/* ---- randomness, state ---- */

/* Four neighbours share a block of four random words. Which are neighbours follows from the shape alone, not from the
 * layout in memory: along the channels, which mostly lie together, or along the last dim. */
enum { WORDS = 4 };

static int drawn_along(const Type *t) {
    int dim = t->rank > 2 && t->dim[1].max % WORDS == 0 ? 1 : t->rank - 1;
    return dim >= 0 && t->dim[dim].symbol ? -1 : dim; /* -1: each element has a block of its own */
}

/* What the index begins with where this process's examples are a part of a batch: rng says, behind seed and step, which
 * of them is the first. `each`: indices for one index of the first dim, which counts examples, or pieces of them. NULL:
 * nothing is added. */
static Expr *part_begin(Lower *l, const Node *n, const Type *t, int64_t each) {
    const Type *x = n->graph->module->main->nin ? &n->graph->module->main->in[0]->type : NULL;
    if (n->in[1]->type.dim[0].max < 3 || !x || !x->rank || !t->rank) return NULL;
    bool examples = t->dim[0].max % x->dim[0].max == 0 && !t->dim[0].symbol == !x->dim[0].symbol;
    if (!examples) return NULL;
    Expr *first = value_at(l, n->in[1], (Expr *[]){ix(l, 2)});
    return mul(l, first, num(l, DT_i64, (double)(t->dim[0].max / x->dim[0].max * each)));
}

typedef struct {
    Node *n;
    int along;
    Expr *key, *step, *row; /* row: which of the rows along that dim */
    Expr *begin;            /* NULL, or the first block */
    int64_t blocks;         /* in a row */
} Draws;

/* rng holds the seed and the number of the step. */
static Draws new_draws(Lower *l, Node *n, int along, Expr *const *idx) {
    const Type *t = in_shape(n, 0);
    Expr *stream = num(l, DT_i64, (double)(attr_i(n, "stream") * ((int64_t)1 << 32))), *row = ix(l, 0);
    int64_t rows = 1; /* for one index of the first dim */
    for (int i = 0; i < t->rank; i++) {
        if (i == along) continue;
        row = ix_add(l, ix_mul(l, row, ix(l, t->dim[i].max)), idx[i]);
        rows *= i ? t->dim[i].max : 1;
    }
    Draws d = {n, along, .row = row, .blocks = along < 0 ? 1 : ceil_div(t->dim[along].max, WORDS)};
    d.begin = along ? part_begin(l, n, t, rows * d.blocks) : NULL;
    d.key = add(l, value_at(l, n->in[1], (Expr *[]){ix(l, 0)}), stream);
    d.step = value_at(l, n->in[1], (Expr *[]){ix(l, 1)});
    return d;
}

/* Whether word w of a block, which holds two in each of the pairs, is below `ratio` of its range. */
static Expr *is_below(Lower *l, Expr *const *pair, int w, double ratio) {
    Expr *low = map2(l, OP_BitwiseAnd, pair[w / 2], num(l, DT_i64, 4294967295.0));
    if (w % 2 == 0) return less(l, low, num(l, DT_i64, floor(ratio * 4294967296.0)));
    return less(l, pair[w / 2], num(l, DT_i64, ldexp(ratio, 64) - ldexp(1, 63))); /* its words: the upper is signed */
}

/* `count` elements from block `at` of the row on: all are read before any is written, which may be the same memory. A
 * factor instead of a choice does not branch. */
static void drop_block(Lower *l, const Draws *d, Expr *const *idx, Expr *at, int count) {
    Node *n = d->n;
    DType t = computed(n, 0);
    double ratio = attr_f(n, "ratio");
    Expr *index = cast(l, ix_add(l, ix_mul(l, d->row, ix(l, d->blocks)), at), DT_i64), *to[MAX_RANK], *x[WORDS];
    if (d->begin) index = add(l, index, d->begin);
    Expr *pair[2] = {let(l, "r", map3(l, OP_PhiloxFirst, d->key, d->step, index))};
    if (count > 2) pair[1] = let(l, "r", map3(l, OP_PhiloxLast, d->key, d->step, index));
    memcpy(to, idx, sizeof to);
    for (int store_them = 0; store_them < 2; store_them++)
        for (int w = 0; w < count; w++) {
            if (d->along >= 0) to[d->along] = ix_add(l, ix_mul(l, at, ix(l, WORDS)), ix(l, w));
            Expr *kept = cast(l, map1(l, OP_Not, is_below(l, pair, w, ratio)), t);
            if (store_them)
                store(l, n->out[0], to, x[w]);
            else
                x[w] = let(l, "x", mul(l, value_at(l, n->in[0], to), mul(l, kept, num(l, t, 1 / (1 - ratio)))));
        }
}

void lower_random_drop(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    int along = drawn_along(t), opened = 0;
    int64_t size = along < 0 ? 1 : t->dim[along].max;
    Expr *idx[MAX_RANK] = {NULL};
    for (int i = 0; i < t->rank; i++)
        if (i != along)
            idx[i] = open_dim(l, *axis_letters(t->rank) ? axis_letters(t->rank)[i] : 'i', AX_PAR, t->dim[i], &opened);
    Draws d = new_draws(l, n, along, idx);
    if (size >= WORDS) {
        int inner = 0;
        Expr *at = open_dim(l, axis_letters(t->rank)[along], AX_PAR, (Dim){size / WORDS, NULL}, &inner);
        drop_block(l, &d, idx, at, WORDS);
        close_blocks(l, inner);
    }
    if (size % WORDS) drop_block(l, &d, idx, ix(l, size / WORDS), (int)(size % WORDS));
    close_blocks(l, opened);
}

/* An element's random words are those of a block of its own. */
Expr *at_draw(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = &n->out[out]->type;
    int64_t bits = attr_i(n, "bits");
    DType wide = compute_type(t->dtype);
    double key = (double)attr_i(n, "stream") * 4294967296.0 + (double)attr_i(n, "seed");
    Expr *index = ix(l, 0), *rng[2];
    int64_t each = 1;
    for (int i = 0; i < t->rank; i++) index = ix_add(l, ix_mul(l, index, ix(l, t->dim[i].max)), idx[i]);
    for (int i = 1; i < t->rank; i++) each *= t->dim[i].max;
    Expr *begin = part_begin(l, n, t, each);
    index = cast(l, index, DT_i64);
    if (begin) index = add(l, index, begin);
    for (int i = 0; i < 2; i++) rng[i] = value_at(l, n->in[1], (Expr *[]){ix(l, i)});
    Expr *words =
        map3(l, attr_i(n, "half") ? OP_PhiloxLast : OP_PhiloxFirst, add(l, rng[0], num(l, DT_i64, key)), rng[1], index);
    words = map2(l, OP_ShiftRight, words, num(l, DT_i64, (double)(64 - bits)));
    words = map2(l, OP_BitwiseAnd, words, num(l, DT_i64, ldexp(1, (int)bits) - 1));
    return mul(l, cast(l, words, wide), num(l, wide, ldexp(1, (int)-bits)));
}

Expr *at_assign(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    return broadcast_at(l, n->in[1], n->in[0]->type.rank, idx);
}
