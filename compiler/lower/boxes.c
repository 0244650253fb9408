/* boxes.c - SelectBoxes: the best boxes that overlap no better one. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

typedef struct {
    Lower *l;
    Node *n;
    DType t;
    Expr *batch, *category;
    Value *left; /* scratch: numbers of the boxes that are left of each batch and class */
} Boxes;

static Expr *box_left(const Boxes *b, Expr *i) {
    Expr *at[] = {b->batch, b->category, i};
    Expr *box = cast(b->l, load(b->l, b->left, at), DT_index);
    return let(b->l, "box", clamp_index(b->l, box, ix(b->l, in_shape(b->n, 0)->dim[1].max)));
}

static void keep_box(const Boxes *b, Expr *count, Expr *box) {
    Expr *at[] = {b->batch, b->category, count};
    store(b->l, b->left, at, cast(b->l, box, DT_i32));
    set(b->l, count, ix_add(b->l, count, ix(b->l, 1)));
}

static Expr *score_of(const Boxes *b, Expr *box) {
    return let(b->l, "score", value_at(b->l, b->n->in[1], (Expr *[]){b->batch, b->category, box}));
}

/* Where a box begins and ends along one of its two axes. */
typedef struct {
    Expr *low, *high;
} Side;

static Side side_of(const Boxes *b, Expr *box, int axis) {
    Lower *l = b->l;
    Expr *u = value_at(l, b->n->in[0], (Expr *[]){b->batch, box, ix(l, axis)});
    Expr *v = value_at(l, b->n->in[0], (Expr *[]){b->batch, box, ix(l, axis + 2)});
    if (!attr_i(b->n, "center_point_box"))
        return (Side){let(l, "low", map2(l, OP_Min, u, v)), let(l, "high", map2(l, OP_Max, u, v))};
    Expr *half = let(l, "half", quotient(l, v, num(l, b->t, 2)));
    return (Side){let(l, "low", sub(l, u, half)), let(l, "high", add(l, u, half))};
}

static Expr *area_of(const Boxes *b, const Side *s) {
    return let(b->l, "area", mul(b->l, sub(b->l, s[0].high, s[0].low), sub(b->l, s[1].high, s[1].low)));
}

/* Whether what two boxes share is more than so much of what they cover together; empty ones share nothing. */
static Expr *overlap(const Boxes *b, const Side *x, Expr *box) {
    Lower *l = b->l;
    Expr *zero = num(l, b->t, 0);
    Side y[2], z[2];
    for (int k = 0; k < 2; k++) {
        y[k] = side_of(b, box, k);
        z[k].low = let(l, "low", map2(l, OP_Max, x[k].low, y[k].low));
        z[k].high = let(l, "high", map2(l, OP_Min, x[k].high, y[k].high));
    }
    Expr *shared = area_of(b, z), *area[] = {area_of(b, x), area_of(b, y)};
    Expr *all = let(l, "all", sub(l, add(l, area[0], area[1]), shared));
    Expr *most = input(b->n, 3) ? element_of(l, b->n->in[3]) : zero;
    Expr *real = both(l, less(l, z[0].low, z[0].high), less(l, z[1].low, z[1].high));
    real = both(l, real, both(l, less(l, zero, area[0]), less(l, zero, area[1])));
    real = both(l, real, both(l, less(l, zero, shared), less(l, zero, all)));
    return both(l, real, greater(l, quotient(l, shared, all), most));
}

/* Those with a score that counts: above the threshold, and a number. Returns how many. */
static Expr *collect(const Boxes *b) {
    Lower *l = b->l;
    Expr *count = var(l, "count", DT_index, ix(l, 0));
    Expr *i = open_for(l, "i", AX_SEQ, ix(l, in_shape(b->n, 0)->dim[1].max)), *score = score_of(b, i);
    open_if(l, input(b->n, 4) ? greater(l, score, element_of(l, b->n->in[4])) : map2(l, OP_Equal, score, score));
    keep_box(b, count, i);
    close_blocks(l, 2);
    return count;
}

/* The first of the best that are left. */
static Expr *best_box(const Boxes *b, Expr *count) {
    Lower *l = b->l;
    Expr *first = box_left(b, ix(l, 0));
    Expr *best = var(l, "best", DT_index, first), *top = var(l, "top", b->t, score_of(b, first));
    Expr *i = var(l, "i", DT_index, ix(l, 1));
    open_while(l, ix_less(l, i, count));
    Expr *box = box_left(b, i), *score = score_of(b, box);
    open_if(l, greater(l, score, top));
    set(l, best, box);
    set(l, top, score);
    close_block(l);
    set(l, i, ix_add(l, i, ix(l, 1)));
    close_block(l);
    return let(l, "chosen", best);
}

/* Takes away a box and those that overlap it. */
static void take_away(const Boxes *b, Expr *chosen, Expr *count) {
    Lower *l = b->l;
    Side side[] = {side_of(b, chosen, 0), side_of(b, chosen, 1)};
    Expr *i = var(l, "i", DT_index, ix(l, 0)), *kept = var(l, "kept", DT_index, ix(l, 0));
    open_while(l, ix_less(l, i, count));
    Expr *box = box_left(b, i);
    open_if(l, map1(l, OP_Not, either(l, ix_equal(l, box, chosen), overlap(b, side, box))));
    keep_box(b, kept, box);
    close_block(l);
    set(l, i, ix_add(l, i, ix(l, 1)));
    close_block(l);
    set(l, count, kept);
}

void lower_select_boxes(Lower *l, Node *n) {
    const Type *scores = in_shape(n, 1), *y = &n->out[0]->type;
    Boxes b = {.l = l, .n = n, .t = computed(n, 0)};
    b.left = scratch(l, "left", DT_i32, 3, (int64_t[]){scores->dim[0].max, scores->dim[1].max, scores->dim[2].max});
    b.batch = open_for(l, "b", AX_PAR, extent(l, scores->dim[0]));
    b.category = open_for(l, "c", AX_PAR, extent(l, scores->dim[1]));
    Expr *count = collect(&b);
    Expr *k = open_for(l, "k", AX_SEQ, extent(l, y->dim[2])), *at[] = {b.batch, b.category, k};
    Expr *wanted = ix_less(l, ix(l, 0), count);
    if (input(n, 2)) wanted = both(l, wanted, ix_less(l, k, cast(l, element_of(l, n->in[2]), DT_index)));
    open_if(l, wanted);
    Expr *chosen = best_box(&b, count);
    store(l, n->out[0], at, cast(l, chosen, DT_i64));
    take_away(&b, chosen, count);
    open_else(l);
    store(l, n->out[0], at, num(l, DT_i64, -1));
    close_blocks(l, 4);
}
