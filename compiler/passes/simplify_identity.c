/* simplify_identity.c - nodes that give what they were given, and pairs that are one.
 *
 * Exact, NaN and infinities included, but for the sign of zero: x + 0 gives +0 for -0 and x does not, nor does a Clip
 * whose bound is 0. Nothing here is x * 0 = 0. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "passes/simplify.h"
#include <math.h>

/* ---- one node ---- */

static bool always(Node *n) {
    (void)n;
    return true;
}

static bool one_input(Node *n) { return n->nin == 1; }

static bool one_result(Node *n) { return n->nout == 1; }

static bool cuts_nothing(Node *n) {
    int64_t step[MAX_RANK];
    Dim begin[MAX_RANK], dim[MAX_RANK];
    bool whole = slice_of(n, begin, step, dim);
    for (int i = 0; i < in_type(n, 0)->rank && whole; i++) whole = step[i] == 1 || same_dim(dim[i], fixed(1));
    return whole;
}

static bool pads_nothing(Node *n) {
    int64_t begin[MAX_RANK], end[MAX_RANK];
    bool none = fixed_pads_of(n, begin, end);
    for (int i = 0; i < in_type(n, 0)->rank && none; i++) none = !begin[i] && !end[i];
    return none;
}

static bool pools_nothing(Node *n) {
    Window w = window_of(n);
    bool none = w.n >= 0;
    for (int k = 0; k < w.n && none; k++) none = w.kernel[k] == 1 && w.stride[k] == 1 && !w.begin[k] && !w.end[k];
    return none;
}

static bool no_bound(Value *v, double infinite) {
    const Tensor *t = known(v);
    return !v || (t && all_are(t, infinite));
}

static bool limits_nothing(Node *n) { return no_bound(in_of(n, 1), -INFINITY) && no_bound(in_of(n, 2), INFINITY); }

/* The result has the type of the input, too. */
static const struct {
    int op;
    bool (*if_so)(Node *);
} same[] = {
    {OP_Identity, always},       {OP_Dropout, always}, /* what drops elements is another row since infer */
    {OP_Cast, always},           {OP_CastLike, always},
    {OP_Expand, always},         {OP_Tile, always},
    {OP_Concat, one_input},      {OP_Sum, one_input},
    {OP_Max, one_input},         {OP_Min, one_input},
    {OP_Mean, one_input},        {OP_Split, one_result},
    {OP_Slice, cuts_nothing},    {OP_Pad, pads_nothing},
    {OP_MaxPool, pools_nothing}, {OP_AveragePool, pools_nothing},
    {OP_Clip, limits_nothing},
};

bool rule_same_value(Rewrite *r, Node *n) {
    for (int i = 0; i < COUNT(same); i++)
        if (n->op == &ops[same[i].op]) return can_become(n, n->in[0]) && same[i].if_so(n) && become(r, n, n->in[0]);
    return false;
}

/* ---- neutral constants ---- */

/* The least and the greatest number of a type hardly ever stand in a model. */
static bool is_neutral(const Value *v, Neutral which) {
    const Tensor *t = which == NEUTRAL_0 || which == NEUTRAL_1 ? known(v) : NULL;
    return t && all_are(t, which == NEUTRAL_1);
}

bool rule_neutral(Rewrite *r, Node *n) {
    const Op *op = n->op;
    if (n->nin != 2) return false;
    if (is_neutral(n->in[0], op->neutral) && become(r, n, n->in[1])) return true;
    return is_neutral(n->in[1], op->right ? op->right : op->neutral) && become(r, n, n->in[0]);
}

/* ---- pairs ---- */

bool rule_twice(Rewrite *r, Node *n) {
    Node *before = n->op->twice ? maker(n, n->in[0]) : NULL;
    if (!before) return false;
    Twice twice = n->op->twice;
    bool equal = before->op == n->op;
    if (equal && twice == TWICE_UNDONE) return become(r, n, in_of(before, 0));
    if ((equal && twice == TWICE_SAME) || (twice == TWICE_INTEGER && before->op->twice == TWICE_INTEGER))
        return become(r, n, n->in[0]);
    if (!IS(n, Abs) || !IS(before, Neg)) return false;
    rewire(r, n, 0, in_of(before, 0));
    return true;
}

bool rule_never_negative(Rewrite *r, Node *n) {
    Node *before = maker(n, n->in[0]);
    DType t = n->in[0]->type.dtype;
    if (dtypes[t].kind == 'u') return become(r, n, n->in[0]);
    Sign sign = before && is_float(t) ? before->op->sign : SIGN_ANY;
    return (sign == SIGN_NONNEGATIVE || (sign == SIGN_MINUS_ZERO && !IS(n, Abs))) && become(r, n, n->in[0]);
}

/* ---- Clip ---- */

static bool bound(Value *v, double *x) { return !v || (known(v) && known_float(v, x)); }

static bool range_of(Node *n, double *lo, double *hi) {
    *lo = IS(n, Relu) ? 0 : -INFINITY, *hi = INFINITY;
    bool all = IS(n, Relu) || (IS(n, Clip) && bound(in_of(n, 1), lo) && bound(in_of(n, 2), hi));
    return all && *lo <= *hi;
}

static double clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

bool rule_clip_range(Rewrite *r, Node *n) {
    Node *before = sole_maker(n, n->in[0]);
    double a, b, c, d;
    DType t = n->in[0]->type.dtype;
    if (!before || !is_float(t) || !range_of(before, &a, &b) || !range_of(n, &c, &d)) return false;
    double lo = clamp(a, c, d), hi = clamp(b, c, d);
    Value *in[] = {in_of(before, 0), lo > -INFINITY ? const_scalar(r->m, t, lo) : NULL,
                   hi < INFINITY ? const_scalar(r->m, t, hi) : NULL};
    bool relu = lo == 0 && !in[2];
    Node *made = insert(r, n, &ops[relu ? OP_Relu : OP_Clip], relu ? 1 : in[2] ? 3 : 2, in);
    comes_from(made, before, n);
    return become(r, n, typed(r, made));
}

/* ---- arithmetic with constants ---- */

bool rule_square(Rewrite *r, Node *n) {
    const Tensor *c = known(n->in[1]);
    Value *x = n->in[0];
    bool two = c && all_are(c, 2);
    if (!c || !is_float(x->type.dtype) || !same_type(&x->type, &n->out[0]->type)) return false;
    if (!two && !all_are(c, -1)) return false;
    Node *made = insert(r, n, &ops[two ? OP_Mul : OP_Reciprocal], two ? 2 : 1, (Value *[]){x, x});
    return become(r, n, typed(r, made));
}

/* With room for its reciprocal, and products with it, in every type. */
static bool power_of_two(double x) {
    int e;
    return fabs(frexp(x, &e)) == 0.5 && e > -14 && e < 14;
}

static bool powers_of_two(const Tensor *t) {
    bool all = is_float(t->dtype);
    for (int64_t i = 0; i < t->count && all; i++) all = power_of_two(get_f(t, i));
    return all;
}

bool rule_power_of_two(Rewrite *r, Node *n) {
    const Tensor *c = known(n->in[1]);
    if (!c || !may_copy(n->in[1]) || !powers_of_two(c)) return false;
    Tensor *t = tensor_new(r->m->arena, c->dtype, c->rank, c->dim);
    for (int64_t i = 0; i < c->count; i++) set_f(t, i, 1 / get_f(c, i));
    Value *in[] = {n->in[0], const_new(r->m, n->in[1]->name, t)};
    return become(r, n, typed(r, insert(r, n, &ops[OP_Mul], 2, in)));
}

/* Which input is the only const; -1. */
static int constant_side(Node *n) {
    bool a = known(n->in[0]), b = known(n->in[1]);
    return a == b ? -1 : b;
}

/* All of one size: two factors that both enlarge, or both reduce, overflow or vanish together as they do apart. */
static bool same_direction(const Tensor *a, const Tensor *b) {
    bool up = true, down = true;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < (k ? b : a)->count; i++) {
            double x = fabs(get_f(k ? b : a, i));
            up = up && x >= 1, down = down && x <= 1;
        }
    return up || down;
}

static bool may_merge(const Node *n, const Tensor *a, const Tensor *b) {
    if (is_int(a->dtype)) return true; /* modulo 2^n order does not matter */
    return IS(n, Mul) && powers_of_two(a) && powers_of_two(b) && same_direction(a, b);
}

static Tensor *combined(Arena *arena, const Node *n, const Tensor *a, const Tensor *b) {
    const Tensor *large = a->count > b->count ? a : b;
    Tensor *t = tensor_new(arena, a->dtype, large->rank, large->dim);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t ia = a->count == 1 ? 0 : i, ib = b->count == 1 ? 0 : i;
        if (is_float(a->dtype))
            set_f(t, i, get_f(a, ia) * get_f(b, ib));
        else if (IS(n, Mul))
            set_i(t, i, (int64_t)((uint64_t)get_i(a, ia) * (uint64_t)get_i(b, ib)));
        else
            set_i(t, i, (int64_t)((uint64_t)get_i(a, ia) + (uint64_t)get_i(b, ib)));
    }
    return t;
}

static bool same_dims(const Tensor *a, const Tensor *b) {
    return a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank);
}

bool rule_merge_constants(Rewrite *r, Node *n) {
    int side = constant_side(n), inner;
    Node *before = side < 0 ? NULL : sole_maker(n, n->in[1 - side]);
    if (!before || before->op != n->op || (inner = constant_side(before)) < 0) return false;
    Value *x = in_of(before, 1 - inner), *old = n->in[side];
    const Tensor *a = known(in_of(before, inner)), *b = known(old);
    bool fit = (a->count == 1 || b->count == 1 || same_dims(a, b)) && may_copy(old) && may_merge(n, a, b);
    if (!fit || !same_type(&x->type, &n->out[0]->type)) return false;
    Value *in[] = {x, const_new(r->m, old->name, combined(r->m->arena, n, a, b))};
    Node *made = insert(r, n, n->op, 2, in);
    comes_from(made, before, n);
    return become(r, n, typed(r, made));
}

bool rule_ones_reduced(Rewrite *r, Node *n) {
    bool mask[MAX_RANK];
    const Type *t = &n->in[0]->type;
    if (!known_axes(n, 1, t->rank, mask)) return false;
    for (int i = 0; i < t->rank; i++)
        if (mask[i] && !same_dim(t->dim[i], fixed(1))) return false;
    Value *y = reshaped(r, n, n->in[0], &n->out[0]->type);
    return y && become(r, n, y);
}
