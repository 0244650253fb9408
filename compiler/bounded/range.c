/* range.c - between which numbers the elements of a value stay, whatever the data is. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <math.h>

enum { MAX_DEPTH = 48, MAX_LOOKED_AT = 1 << 12 };

static const Range anything = {-INFINITY, INFINITY};

/* What is asked about: element i of a value, or all of it (-1); and how much asking is left. */
typedef struct {
    int depth;
    int *left;
} Ask;

static Range asked(Ask a, const Value *v, int64_t i);

static Range hull(Range a, Range b) { return (Range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi}; }
static Range meet(Range a, Range b) { return (Range){a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi}; }

/* ---- rules for two numbers ---- */

static Range corners(double a, double b, double c, double d) {
    Range r = {fmin(fmin(a, b), fmin(c, d)), fmax(fmax(a, b), fmax(c, d))};
    return isnan(a + b + c + d) ? anything : r;
}

static Range add(Range a, Range b) { return (Range){a.lo + b.lo, a.hi + b.hi}; }
static Range subtract(Range a, Range b) { return (Range){a.lo - b.hi, a.hi - b.lo}; }
static Range multiply(Range a, Range b) { return corners(a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi); }

/* Of integers what lies between the quotients, too: towards zero. */
static Range divide(Range a, Range b) {
    if (b.lo <= 0 && b.hi >= 0) return anything;
    return corners(a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi);
}

static Range least_of(Range a, Range b) { return (Range){fmin(a.lo, b.lo), fmin(a.hi, b.hi)}; }
static Range most_of(Range a, Range b) { return (Range){fmax(a.lo, b.lo), fmax(a.hi, b.hi)}; }

/* Conditions, 1 or 0 where it is certain. */
static Range is_less(Range a, Range b) { return (Range){a.hi < b.lo, a.lo < b.hi}; }
static Range is_equal(Range a, Range b) {
    return (Range){a.lo == a.hi && b.lo == b.hi && a.lo == b.lo, a.lo <= b.hi && b.lo <= a.hi};
}

/* Of the divisor's sign (Mod of integers), or of the dividend's (fmod). */
static Range rest(Range a, Range b) {
    double size = fmax(fabs(b.lo), fabs(b.hi));
    return meet((Range){b.lo < 0 || a.lo < 0 ? -size : 0, b.hi > 0 || a.hi > 0 ? size : 0},
                a.lo >= 0 && b.lo > 0 ? (Range){0, a.hi} : anything);
}

/* ---- rules for one ---- */

static Range negate(Range a) { return (Range){-a.hi, -a.lo}; }

static Range magnitude(Range a) {
    double most = fmax(fabs(a.lo), fabs(a.hi));
    return (Range){a.lo > 0 ? a.lo : a.hi < 0 ? -a.hi : 0, most};
}

static Range same(Range a) { return a; }
static Range from_zero(Range a) { return (Range){fmax(a.lo, 0), fmax(a.hi, 0)}; }
static Range whole(Range a) { return (Range){floor(a.lo), ceil(a.hi)}; }
static Range root(Range a) { return (Range){a.lo > 0 ? sqrt(a.lo) : 0, a.hi > 0 ? sqrt(a.hi) : 0}; }
static Range fraction(Range a) { return (void)a, (Range){0, 1}; }
static Range signed_fraction(Range a) { return (void)a, (Range){-1, 1}; }

static const struct {
    int op;
    Range (*one)(Range);
    Range (*two)(Range, Range);
} rules[] = {
    {OP_Less, NULL, is_less},
    {OP_Equal, NULL, is_equal},
    {OP_Add, NULL, add},
    {OP_Sub, NULL, subtract},
    {OP_Mul, NULL, multiply},
    {OP_Div, NULL, divide},
    {OP_Min, NULL, least_of},
    {OP_Max, NULL, most_of},
    {OP_Mod, NULL, rest},
    {OP_Neg, negate, NULL},
    {OP_Abs, magnitude, NULL},
    {OP_Relu, from_zero, NULL},
    {OP_Floor, whole, NULL},
    {OP_Ceil, whole, NULL},
    {OP_Round, whole, NULL},
    {OP_Sqrt, root, NULL},
    {OP_Identity, same, NULL},
    {OP_Sigmoid, fraction, NULL},
    {OP_HardSigmoid, fraction, NULL},
    {OP_Softmax, fraction, NULL},
    {OP_Tanh, signed_fraction, NULL},
    {OP_Sin, signed_fraction, NULL},
    {OP_Cos, signed_fraction, NULL},
    {OP_Sign, signed_fraction, NULL},
};

/* ---- operators that choose among elements, or count ---- */

/* Element i of the result in an operand that is broadcast; -1 where it takes more than one dim to say. */
static int64_t aligned(const Node *n, const Value *x, int64_t i) {
    int64_t all = type_count(&n->out[0]->type), own = type_count(&x->type);
    return own == 1 ? 0 : i >= 0 && own == all ? i : -1;
}

static Range operand(Ask a, const Node *n, int k, int64_t i) { return asked(a, n->in[k], aligned(n, n->in[k], i)); }

static Range of_rule(Ask a, const Node *n, int64_t i, int k) {
    Range r = operand(a, n, 0, i);
    if (rules[k].one) return rules[k].one(r);
    for (int j = 1; j < n->nin; j++) r = rules[k].two(r, operand(a, n, j, i));
    return r;
}

static Range of_clip(Ask a, const Node *n, int64_t i) {
    Range r = operand(a, n, 0, i);
    if (input(n, 1)) r = most_of(r, asked(a, n->in[1], 0));
    return input(n, 2) ? least_of(r, asked(a, n->in[2], 0)) : r;
}

static Range of_where(Ask a, const Node *n, int64_t i) {
    Range c = operand(a, n, 0, i);
    if (c.lo >= 1) return operand(a, n, 1, i);
    return c.hi <= 0 ? operand(a, n, 2, i) : hull(operand(a, n, 1, i), operand(a, n, 2, i));
}

/* Of one dim the parts lie one after the other. */
static Range of_concat(Ask a, const Node *n, int64_t i) {
    Range r = {INFINITY, -INFINITY};
    for (int k = 0; k < n->nin; k++) {
        int64_t own = type_count(in_type(n, k));
        if (i >= 0 && n->out[0]->type.rank == 1) {
            if (i < own) return asked(a, n->in[k], i);
            i -= own;
        } else {
            r = hull(r, asked(a, n->in[k], -1));
        }
    }
    return r;
}

static Range of_gather(Ask a, const Node *n, int64_t i) {
    int64_t at[1];
    int count;
    bool one = in_type(n, 0)->rank == 1 && known_ints(n->in[1], 1, &count, at) && count == 1;
    (void)i;
    if (one && at[0] < 0) at[0] += in_type(n, 0)->dim[0].max;
    return asked(a, n->in[0], one ? at[0] : -1);
}

static Range of_slice(Ask a, const Node *n, int64_t i) {
    int64_t start[1], step[1] = {1};
    int count;
    bool one = i >= 0 && in_type(n, 0)->rank == 1 && known_ints(n->in[1], 1, &count, start) && count == 1 &&
               (!input(n, 4) || known_ints(n->in[4], 1, &count, step));
    if (one && start[0] < 0) start[0] += in_type(n, 0)->dim[0].max;
    int64_t at = one ? start[0] + i * step[0] : -1;
    return asked(a, n->in[0], at >= 0 && at < in_type(n, 0)->dim[0].max ? at : -1);
}

static Range of_shape(Ask a, const Node *n, int64_t i) {
    const Type *t = in_type(n, 0);
    Range r = {INFINITY, -INFINITY};
    (void)a, (void)i;
    for (int k = 0; k < t->rank; k++) r = hull(r, (Range){(double)dim_least(t->dim[k]), (double)t->dim[k].max});
    return r;
}

static Range of_size(Ask a, const Node *n, int64_t i) {
    return (void)a, (void)i, (Range){0, (double)type_count(in_type(n, 0))};
}

/* Places along an axis. */
static Range of_place(Ask a, const Node *n, int64_t i) {
    const Type *t = in_type(n, 0);
    (void)a, (void)i;
    return (Range){0, fmax(0, (double)t->dim[axis_in(attr_i(n, "axis"), t->rank)].max - 1)};
}

static Range of_sum(Ask a, const Node *n, int64_t i) {
    double all = (double)type_count(in_type(n, 0)) / fmax(1, (double)type_count(&n->out[0]->type));
    (void)i;
    return multiply(asked(a, n->in[0], -1), (Range){IS(n, CumSum) ? fmin(all, 1) : all, all});
}

/* One of the first operand's elements, or of some index there. */
static Range of_first(Ask a, const Node *n, int64_t i) {
    bool kept = n->op->view || IS(n, Cast) || IS(n, Identity);
    return asked(a, n->in[0], kept ? i : -1);
}

static const struct {
    int op;
    Range (*rule)(Ask, const Node *, int64_t);
} others[] = {
    {OP_Clip, of_clip},        {OP_Where, of_where},   {OP_Concat, of_concat},   {OP_Gather, of_gather},
    {OP_Slice, of_slice},      {OP_Shape, of_shape},   {OP_Size, of_size},       {OP_ArgMax, of_place},
    {OP_ArgMin, of_place},     {OP_ReduceSum, of_sum}, {OP_ReduceMax, of_first}, {OP_ReduceMin, of_first},
    {OP_ReduceMean, of_first}, {OP_Cast, of_first},    {OP_Transpose, of_first}, {OP_GatherElements, of_first},
    {OP_GatherND, of_first},   {OP_Expand, of_first},  {OP_Tile, of_first},      {OP_Split, of_first},
};

static Range of_node(Ask a, const Node *n, int result, int64_t i) {
    if (IS(n, TopK)) return result ? of_place(a, n, i) : asked(a, n->in[0], -1);
    for (int k = 0; k < COUNT(rules); k++)
        if (n->op == &ops[rules[k].op] && !result) return of_rule(a, n, i, k);
    for (int k = 0; k < COUNT(others); k++)
        if (n->op == &ops[others[k].op]) return others[k].rule(a, n, i);
    return n->op->view ? of_first(a, n, i) : anything;
}

/* ---- any value ---- */

static Range of_type(const Type *t) {
    if (t->dtype == DT_bool) return (Range){0, 1};
    if (!is_int(t->dtype)) return anything;
    return (Range){(double)dtype_min(t->dtype), (double)dtype_max(t->dtype)};
}

static Range of_tensor(const Tensor *t, int64_t i) {
    Range r = {INFINITY, -INFINITY};
    for (int64_t k = i < 0 ? 0 : i; k < (i < 0 ? t->count : i + 1); k++) {
        double x = is_float(t->dtype) ? get_f(t, k) : (double)get_i(t, k);
        r = isnan(x) ? anything : hull(r, (Range){x, x});
    }
    return r;
}

static Range of_known(const Value *v, int64_t i) {
    Range r = {INFINITY, -INFINITY};
    for (int64_t k = i < 0 ? 0 : i; k < (i < 0 ? type_count(&v->type) : i + 1); k++)
        r = hull(r, (Range){(double)dim_least(v->known[k]), (double)v->known[k].max});
    return r;
}

static Range asked(Ask a, const Value *v, int64_t i) {
    v = resolve((Value *)(uintptr_t)v);
    if (v->measured) v = resolve(v->measured);
    if (is_known(v) && v->data->dtype != DT_str && v->data->count <= (i < 0 ? MAX_LOOKED_AT : INT64_MAX))
        return of_tensor(v->data, i);
    if (v->known && is_int(v->type.dtype)) return of_known(v, i);
    Range r = of_type(&v->type);
    if (++a.depth < MAX_DEPTH && --*a.left > 0 && v->def && v->def->nin && v->def->in[0]) {
        Range from = of_node(a, v->def, v->result, i);
        /* What does not fit into the type is another number there. */
        if (from.lo >= r.lo && from.hi <= r.hi) r = from;
    }
    return r;
}

Range numbers_of(const Value *v, int64_t i) {
    int left = MAX_LOOKED_AT;
    return asked((Ask){0, &left}, v, i);
}

/* ---- --bound ---- */

bool given_range(Module *m, const Value *v, int64_t *least, int64_t *most) {
    for (int i = 0; i < m->opt->bounds.n; i++) {
        const Rename *r = m->opt->bounds.at[i];
        char *end;
        if (strcmp(r->from, port_name(v)) || v->items) continue;
        *least = 0, *most = strtoll(r->to, &end, 10);
        if (!strncmp(end, "..", 2)) *least = *most, *most = strtoll(end + 2, &end, 10);
        if (*end || *most < *least || *most >= INT32_MAX || *least <= INT32_MIN)
            fatal(m, EXIT_USAGE, "--bound %s=%s: expected N or LEAST..N, of which a C int holds both",
                  escaped(m->arena, r->from, 60), escaped(m->arena, r->to, 40));
        return true;
    }
    return false;
}
