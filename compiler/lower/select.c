/* select.c - indices of extremes, the first of an order, sums that run along an axis. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"
#include <math.h>

/* ---- ArgMax, ArgMin ---- */

/* Whether x replaces the best so far. NaN comes before all numbers, and the first or the last of them. */
static Expr *takes_over(Lower *l, int op, Expr *x, Expr *best, bool real) {
    Expr *before = map2(l, op, x, best);
    if (!real) return before;
    bool last = op == OP_GreaterOrEqual || op == OP_LessOrEqual;
    Expr *nan = map1(l, OP_IsNaN, x);
    return either(l, before, last ? nan : both(l, nan, map2(l, OP_Equal, best, best)));
}

/* The index along an axis of the element that `op` puts before all others. */
static Expr *extreme_index(Lower *l, Value *v, Expr **in, int axis, int op) {
    DType t = compute_type(v->type.dtype);
    in[axis] = ix(l, 0);
    Expr *best = var(l, "best", t, value_at(l, v, in)), *index = var(l, "index", DT_index, ix(l, 0));
    int opened = 0;
    Expr *r = in[axis] = open_dim(l, 'r', AX_SEQ, v->type.dim[axis], &opened);
    Expr *x = let(l, "x", value_at(l, v, in));
    open_if(l, takes_over(l, op, x, best, is_float(t)));
    set(l, best, x);
    set(l, index, r);
    close_block(l);
    close_blocks(l, opened);
    return index;
}

static Expr *arg_at(Lower *l, Node *n, Expr *const *idx, int first, int last) {
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank);
    bool keep = attr_i(n, "keepdims") != 0;
    Expr *in[MAX_RANK];
    for (int i = 0; i < t->rank; i++) in[i] = i == axis ? NULL : idx[i - (i > axis && !keep)];
    bool take_last = attr_i(n, "select_last_index") != 0;
    return cast(l, extreme_index(l, n->in[0], in, axis, take_last ? last : first), DT_i64);
}

Expr *at_arg_max(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    return arg_at(l, n, idx, OP_Greater, OP_GreaterOrEqual);
}

Expr *at_arg_min(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    return arg_at(l, n, idx, OP_Less, OP_LessOrEqual);
}

/* Loops over all dims but the axis. */
static int open_rows(Lower *l, const Type *t, int axis, Expr **idx) {
    Type rows = *t;
    rows.dim[axis] = (Dim){1, NULL};
    return open_dims(l, &rows, 0, idx);
}

/* One at the first of the largest elements of each row, else zero. */
void lower_hardmax(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    int axis = (int)attr_axis(n, "axis", t->rank);
    Expr *idx[MAX_RANK];
    if (is_empty(n, 0)) return;
    int opened = open_rows(l, t, axis, idx), inner = 0;
    Expr *index = extreme_index(l, n->in[0], idx, axis, OP_Greater);
    idx[axis] = open_dim(l, 'j', AX_PAR, t->dim[axis], &inner);
    store(l, n->out[0], idx, cast(l, ix_equal(l, idx[axis], index), t->dtype));
    close_blocks(l, opened + inner);
}

/* ---- TopK: selection, k times along each row ---- */

/* What the slot before held: the next one may only hold what comes after it, in value and then in index. */
typedef struct {
    Expr *value, *index;
} Slot;

/* NaN counts as the largest of all numbers, and as equal to itself. */
static Expr *is_nan(Lower *l, Expr *x) { return map1(l, OP_Not, map2(l, OP_Equal, x, x)); }
static Expr *is_number(Lower *l, Expr *x) { return map2(l, OP_Equal, x, x); }

static Expr *comes_before(Lower *l, int before, Expr *x, Expr *y) {
    Expr *e = map2(l, before, x, y);
    if (!is_float(x->dtype)) return e;
    Expr *larger = before == OP_Greater ? x : y, *smaller = before == OP_Greater ? y : x;
    return either(l, e, both(l, is_nan(l, larger), is_number(l, smaller)));
}

static Expr *ranks_equal(Lower *l, Expr *x, Expr *y) {
    Expr *e = map2(l, OP_Equal, x, y);
    return is_float(x->dtype) ? either(l, e, both(l, is_nan(l, x), is_nan(l, y))) : e;
}

/* Finds in a row what comes right after `last`. */
static Slot next_best(Lower *l, Node *n, Expr **in, int axis, int before, Slot last) {
    DType t = computed(n, 0);
    Slot best = {var(l, "best", t, num(l, t, 0)), var(l, "index", DT_index, ix(l, -1))};
    in[axis] = open_for(l, "r", AX_SEQ, extent(l, in_shape(n, 0)->dim[axis]));
    Expr *x = let(l, "x", value_at(l, n->in[0], in));
    Expr *again = both(l, ranks_equal(l, x, last.value), ix_less(l, in[axis], ix_add(l, last.index, ix(l, 1))));
    open_if(l, map1(l, OP_Not, either(l, comes_before(l, before, x, last.value), again)));
    open_if(l, either(l, ix_less(l, best.index, ix(l, 0)), comes_before(l, before, x, best.value)));
    set(l, best.value, x);
    set(l, best.index, in[axis]);
    close_blocks(l, 3);
    return best;
}

void lower_top_k(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0), *y = &(n->out[0] ? n->out[0] : n->out[1])->type;
    int axis = (int)attr_axis(n, "axis", t->rank);
    bool largest = attr_i(n, "largest") != 0;
    DType dtype = computed(n, 0);
    Expr *idx[MAX_RANK], *in[MAX_RANK];
    int opened = open_rows(l, t, axis, idx);
    memcpy(in, idx, sizeof in);
    Expr *top = is_float(dtype) ? num(l, dtype, (double)NAN) : highest(l, dtype);
    Slot last = {var(l, "last", dtype, largest ? top : lowest(l, dtype)), var(l, "at", DT_index, ix(l, -1))};
    idx[axis] = open_for(l, "k", AX_SEQ, extent(l, y->dim[axis]));
    Slot best = next_best(l, n, in, axis, largest ? OP_Greater : OP_Less, last);
    set(l, last.value, best.value);
    set(l, last.index, best.index);
    if (output(n, 0)) store(l, n->out[0], idx, last.value);
    if (output(n, 1)) store(l, n->out[1], idx, cast(l, last.index, DT_i64));
    close_blocks(l, opened + 1);
}

/* ---- SortRows: runs of 1, 2, 4 … rows are merged, until there is one ---- */

typedef struct {
    Lower *l;
    Value *x, *order, *merged; /* merged: scratch, numbers of rows like order */
    Expr *rows;
} Sort;

static Expr *row_number(const Sort *s, Value *order, Expr *i) {
    return let(s->l, "row", clamp_index(s->l, cast(s->l, load(s->l, order, &i), DT_index), s->rows));
}

/* -1, 0, 1: whether row a comes before row b, both are equal, or it comes behind. */
static Expr *compare_rows(const Sort *s, Expr *a, Expr *b) {
    Lower *l = s->l;
    Expr *sign = var(l, "sign", DT_index, ix(l, 0)), *k = var(l, "k", DT_index, ix(l, 0));
    open_while(l, both(l, ix_less(l, k, extent(l, s->x->type.dim[1])), ix_equal(l, sign, ix(l, 0))));
    Expr *u = let(l, "u", value_at(l, s->x, (Expr *[]){a, k})), *v = let(l, "v", value_at(l, s->x, (Expr *[]){b, k}));
    open_if(l, comes_before(l, OP_Less, u, v));
    set(l, sign, ix(l, -1));
    close_block(l);
    open_if(l, comes_before(l, OP_Less, v, u));
    set(l, sign, ix(l, 1));
    close_block(l);
    set(l, k, ix_add(l, k, ix(l, 1)));
    close_block(l);
    return sign;
}

/* Of two runs that follow each other the next row, from the first where both are equal; `take`: whether it is from
 * the first. */
static void merge_runs(const Sort *s, Expr *begin, Expr *middle, Expr *end) {
    Lower *l = s->l;
    Expr *i = var(l, "i", DT_index, begin), *j = var(l, "j", DT_index, middle), *to = var(l, "to", DT_index, begin);
    open_while(l, ix_less(l, to, end));
    Expr *take = var(l, "take", DT_index, ix(l, 0));
    open_if(l, ix_less(l, i, middle));
    set(l, take, ix(l, 1));
    open_if(l, ix_less(l, j, end));
    Expr *sign = compare_rows(s, row_number(s, s->order, i), row_number(s, s->order, j));
    open_if(l, ix_less(l, ix(l, 0), sign));
    set(l, take, ix(l, 0));
    close_blocks(l, 3);
    Expr *from = let(l, "from", select_of(l, ix_equal(l, take, ix(l, 1)), i, j));
    store(l, s->merged, &to, load(l, s->order, &from));
    set(l, i, ix_add(l, i, take));
    set(l, j, ix_add(l, j, ix_sub(l, ix(l, 1), take)));
    set(l, to, ix_add(l, to, ix(l, 1)));
    close_block(l);
}

static void sort_order(const Sort *s) {
    Lower *l = s->l;
    Expr *i = open_for(l, "i", AX_PAR, s->rows);
    store(l, s->order, &i, cast(l, i, DT_i64));
    close_block(l);
    Expr *width = var(l, "width", DT_index, ix(l, 1));
    open_while(l, ix_less(l, width, s->rows));
    Expr *at = var(l, "at", DT_index, ix(l, 0));
    open_while(l, ix_less(l, at, s->rows));
    Expr *middle = let(l, "middle", map2(l, OP_Min, ix_add(l, at, width), s->rows));
    Expr *end = let(l, "end", map2(l, OP_Min, ix_add(l, middle, width), s->rows));
    Expr *begin = let(l, "begin", at);
    merge_runs(s, begin, middle, end);
    set(l, at, end);
    close_block(l);
    i = open_for(l, "i", AX_PAR, s->rows);
    store(l, s->order, &i, load(l, s->merged, &i));
    close_block(l);
    set(l, width, ix_add(l, width, width));
    close_block(l);
}

void lower_sort_rows(Lower *l, Node *n) {
    Sort s = {.l = l, .x = n->in[0], .order = n->out[0], .rows = extent(l, in_shape(n, 0)->dim[0])};
    s.merged = scratch(l, "merged", DT_i64, 1, (int64_t[]){in_shape(n, 0)->dim[0].max});
    sort_order(&s);
    if (!output(n, 1)) return;
    Expr *i = open_for(l, "i", AX_PAR, s.rows), *first = let(l, "first", ix_equal(l, i, ix(l, 0)));
    Expr *before = let(l, "before", select_of(l, first, ix(l, 0), ix_sub(l, i, ix(l, 1))));
    Expr *sign = compare_rows(&s, row_number(&s, s.order, before), row_number(&s, s.order, i));
    store(l, n->out[1], &i, either(l, first, map1(l, OP_Not, ix_equal(l, sign, ix(l, 0)))));
    close_block(l);
}

/* ---- CumSum, CumProd ---- */

/* Loops over all dims but the one that input 1 names, and then over that, backwards if asked. */
static int open_running(Lower *l, Node *n, bool back, Expr **idx, Expr **acc, const char *name, double init) {
    const Type *t = in_shape(n, 0);
    int64_t given;
    int count;
    ASSERT(known_ints(n->in[1], 1, &count, &given) && count == 1);
    int axis = (int)(given < 0 ? given + t->rank : given), opened = open_rows(l, t, axis, idx);
    *acc = var(l, name, t->dtype, num(l, t->dtype, init));
    Expr *size = extent(l, t->dim[axis]), *r = open_for(l, "r", AX_SEQ, size);
    idx[axis] = back ? ix_sub(l, ix_sub(l, size, ix(l, 1)), r) : r;
    return opened + 1;
}

static void lower_running(Lower *l, Node *n, const char *name, int op, double init) {
    Expr *idx[MAX_RANK], *acc;
    int opened = open_running(l, n, attr_i(n, "reverse") != 0, idx, &acc, name, init);
    Expr *next = map2(l, op, acc, value_at(l, n->in[0], idx));
    if (attr_i(n, "exclusive")) store(l, n->out[0], idx, acc);
    set(l, acc, next);
    if (!attr_i(n, "exclusive")) store(l, n->out[0], idx, acc);
    close_blocks(l, opened);
}

void lower_cum_sum(Lower *l, Node *n) { lower_running(l, n, "sum", OP_Add, 0); }
void lower_cum_prod(Lower *l, Node *n) { lower_running(l, n, "prod", OP_Mul, 1); }

/* Inputs x, axis, dY: of element i the sum of dY[j] times the product of what lies between, over the products j that it
 * is in. Against the order of the products, so that nothing is divided. */
void lower_cum_prod_grad(Lower *l, Node *n) {
    Expr *idx[MAX_RANK], *acc;
    bool before = attr_i(n, "exclusive") != 0;
    int opened = open_running(l, n, attr_i(n, "reverse") == 0, idx, &acc, "sum", 0);
    Expr *x = let(l, "x", value_at(l, n->in[0], idx)), *g = let(l, "g", value_at(l, n->in[2], idx));
    if (before) {
        store(l, n->out[0], idx, acc);
        set(l, acc, add(l, mul(l, acc, x), g));
    } else {
        Expr *sum = let(l, "sum", add(l, acc, g));
        store(l, n->out[0], idx, sum);
        set(l, acc, mul(l, sum, x));
    }
    close_blocks(l, opened);
}
