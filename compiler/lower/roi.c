/* roi.c - RoiAlign: regions of images, pooled by interpolation at points in them; its gradient. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

enum { MAX_SAMPLES = 1024 }; /* per dim of a bin: bounds the time that a region without sense takes */

/* One dim of a bin: where it begins, its extent, and how many samples lie in it. */
typedef struct {
    Expr *start, *size, *count;
} Bin;

static Bin bin_of(Lower *l, const Node *n, Expr *roi, int side, Expr *i) {
    DType t = computed(n, 0);
    bool half = !strcmp(attr_s(n, "coordinate_transformation_mode"), "half_pixel");
    int64_t ratio = attr_i(n, "sampling_ratio"), bins = attr_i(n, side ? "output_width" : "output_height");
    Expr *scale = num(l, t, attr_f(n, "spatial_scale")), *shift = num(l, t, half ? 0.5 : 0);
    Expr *lo = let(l, "lo", sub(l, mul(l, value_at(l, n->in[1], (Expr *[]){roi, ix(l, side ? 0 : 1)}), scale), shift));
    Expr *hi = sub(l, mul(l, value_at(l, n->in[1], (Expr *[]){roi, ix(l, side ? 2 : 3)}), scale), shift);
    Expr *span = sub(l, hi, lo);
    if (!half) span = map2(l, OP_Max, span, num(l, t, 1)); /* the older form makes every region at least 1 x 1 */
    Expr *size = let(l, "bin", quotient(l, span, num(l, t, (double)bins)));
    Expr *count = ix(l, ratio < MAX_SAMPLES ? ratio : MAX_SAMPLES);
    if (ratio <= 0) {
        count = clamp(l, map1(l, OP_Ceil, size), num(l, t, 0), num(l, t, MAX_SAMPLES));
        count = let(l, "count", cast(l, count, DT_index));
    }
    return (Bin){add(l, lo, mul(l, cast(l, i, t), size)), size, count};
}

/* Loops over a bin's samples, whose number is known only at run time; the caller steps `at` before it closes. */
static Expr *open_samples(Lower *l, const Bin *b, DType t, Expr **at) {
    *at = var(l, "s", DT_index, ix(l, 0));
    open_while(l, ix_less(l, *at, b->count));
    Expr *middle = add(l, cast(l, *at, t), num(l, t, 0.5));
    return let(l, "x", add(l, b->start, quotient(l, mul(l, middle, b->size), cast(l, b->count, t))));
}

static Expr *near_image(Lower *l, Expr *x, Dim size) {
    Expr *after = greater(l, x, num(l, x->dtype, (double)size.max));
    return map1(l, OP_Not, either(l, less(l, x, num(l, x->dtype, -1)), after));
}

/* Opens loops over the four elements around a point; returns their weight. */
static Expr *open_sample(Lower *l, Node *n, Expr **in, Expr *const *coordinate, int *opened) {
    static const Filter linear = {1, 1, 0, OUTSIDE_CLAMP};
    const Type *x = in_shape(n, 0);
    Expr *weight[2];
    for (int s = 0; s < 2; s++) {
        Expr *last = num(l, coordinate[s]->dtype, (double)(x->dim[2 + s].max - 1));
        Expr *at = let(l, "x", clamp(l, coordinate[s], num(l, coordinate[s]->dtype, 0), last));
        open_taps(l, s ? 'q' : 'p', &linear, at, x->dim[2 + s], &in[2 + s], &weight[s], NULL, opened);
    }
    return let(l, "weight", mul(l, weight[0], weight[1]));
}

/* Takes them into the result: their weighted sum, or the largest weighted one. */
static void take_sample(Lower *l, Node *n, Expr **in, Expr *const *coordinate, Expr *acc, bool max) {
    int opened = 0;
    Expr *weight = open_sample(l, n, in, coordinate, &opened), *e = mul(l, weight, value_at(l, n->in[0], in));
    set(l, acc, map2(l, max ? OP_Max : OP_Add, acc, e));
    close_blocks(l, opened);
}

/* The samples of the bin at idx. */
typedef struct {
    Bin bin[2];
    Expr *in[4], *at[2], *coordinate[2];
} Samples;

static Samples samples_of(Lower *l, Node *n, Expr *const *idx) {
    Samples s = {.in = {index_from(l, "image", n->in[2], idx, in_shape(n, 0)->dim[0]), idx[1]}};
    for (int k = 0; k < 2; k++) s.bin[k] = bin_of(l, n, idx[0], k, idx[2 + k]);
    return s;
}

/* Opens loops over them, and an `if` for what lies near the image; close_samples() closes all. */
static void open_near(Lower *l, Node *n, DType t, Samples *s) {
    const Type *x = in_shape(n, 0);
    for (int k = 0; k < 2; k++) s->coordinate[k] = open_samples(l, &s->bin[k], t, &s->at[k]);
    open_if(l, both(l, near_image(l, s->coordinate[0], x->dim[2]), near_image(l, s->coordinate[1], x->dim[3])));
}

static void close_samples(Lower *l, const Samples *s) {
    close_block(l);
    for (int k = 1; k >= 0; k--) {
        set(l, s->at[k], ix_add(l, s->at[k], ix(l, 1)));
        close_block(l);
    }
}

static Expr *samples_count(Lower *l, const Samples *s, DType t) {
    return cast(l, map2(l, OP_Max, ix_mul(l, s->bin[0].count, s->bin[1].count), ix(l, 1)), t);
}

static bool takes_max(const Node *n) { return !strcmp(attr_s(n, "mode"), "max"); }

Expr *at_roi_align(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    DType t = computed(n, 0);
    bool max = takes_max(n);
    if (is_empty(n, 0)) return num(l, t, 0);
    Samples s = samples_of(l, n, idx);
    Expr *acc = var(l, "acc", t, max ? lowest(l, t) : num(l, t, 0));
    open_near(l, n, t, &s);
    take_sample(l, n, s.in, s.coordinate, acc, max);
    if (max) {
        open_else(l);
        set(l, acc, map2(l, OP_Max, acc, num(l, t, 0)));
    }
    close_samples(l, &s);
    if (!max) return quotient(l, acc, samples_count(l, &s, t));
    return select_of(l, map2(l, OP_Equal, acc, lowest(l, t)), num(l, t, 0), acc); /* no samples: 0 */
}

/* ---- the gradient: inputs X, rois, batch_indices, dY ---- */

static void spread_mean(Lower *l, Node *n, Samples *s, Expr *g) {
    int opened = 0;
    g = let(l, "g", quotient(l, g, samples_count(l, s, g->dtype)));
    open_near(l, n, g->dtype, s);
    Expr *weight = open_sample(l, n, s->in, s->coordinate, &opened);
    add_to(l, n->out[0], s->in, mul(l, weight, g));
    close_blocks(l, opened);
    close_samples(l, s);
}

/* To the first of the largest weighted elements; to none if a point beside the image was as large. */
static void give_largest(Lower *l, Node *n, Samples *s, Expr *g) {
    DType t = g->dtype;
    Expr *zero = num(l, t, 0), *best = var(l, "best", t, lowest(l, t)), *share = var(l, "share", t, zero), *place[2];
    int opened = 0;
    for (int k = 0; k < 2; k++) place[k] = var(l, k ? "q" : "p", DT_index, ix(l, 0));
    open_near(l, n, t, s);
    Expr *weight = open_sample(l, n, s->in, s->coordinate, &opened);
    Expr *e = let(l, "e", mul(l, weight, value_at(l, n->in[0], s->in)));
    open_if(l, greater(l, e, best));
    set(l, best, e);
    set(l, share, weight);
    for (int k = 0; k < 2; k++) set(l, place[k], s->in[2 + k]);
    close_blocks(l, opened + 1);
    open_else(l);
    open_if(l, greater(l, zero, best));
    set(l, best, zero);
    set(l, share, zero);
    close_block(l);
    close_samples(l, s);
    for (int k = 0; k < 2; k++) s->in[2 + k] = place[k];
    add_to(l, n->out[0], s->in, mul(l, share, g));
}

/* Regions may overlap, so their order is kept; channels cannot meet. */
void lower_roi_align_grad(Lower *l, Node *n) {
    const Type *g = in_shape(n, 3);
    Expr *idx[4];
    int opened = 0;
    fill_with_zeros(l, n->out[0]);
    if (is_empty(n, 0)) return;
    idx[1] = open_dim(l, 'c', AX_PAR, g->dim[1], &opened);
    for (int i = 0; i < 4; i++)
        if (i != 1) idx[i] = open_dim(l, "rcij"[i], AX_SEQ, g -> dim[i], &opened);
    Samples s = samples_of(l, n, idx);
    Expr *upstream = let(l, "g", value_at(l, n->in[3], idx));
    (takes_max(n) ? give_largest : spread_mean)(l, n, &s, upstream);
    close_blocks(l, opened);
}
