/* range.c - between which numbers the elements of a value stay, whatever the data is. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <float.h>
#include <math.h>

enum { MAX_DEPTH = 48, MAX_LOOKED_AT = 1 << 12 };

static const Range anything = {-INFINITY, INFINITY};

/* What is asked about: element i of a value, or all of it (-1); and how much asking is left. */
typedef struct {
    int depth;
    int *left;
} Ask;

static Range asked(Ask a, const Value *v, int64_t i);
static bool are_numbers(Ask a, const Node *n);

static Range hull(Range a, Range b) { return (Range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi}; }
static Range meet(Range a, Range b) { return (Range){a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi}; }

/* ---- types ---- */

static Range of_type(const Type *t) {
    if (t->dtype == DT_bool) return (Range){0, 1};
    if (!is_int(t->dtype)) return anything;
    return (Range){(double)dtype_min(t->dtype), (double)dtype_max(t->dtype)};
}

/* Up to here every whole number is one of the type, and doubles here hold it. */
static double exact_to(DType t) { return t == DT_f32 ? 1 << FLT_MANT_DIG : 0x1p53; }

static double rounded(double x) { return fabs(x) <= FLT_MAX ? (double)(float)x : copysign(INFINITY, x); }

/* What an operator computes in a type. Integers are cut off; what doubles do not hold may have wrapped. Floats are
 * rounded, or, where a compiler contracts operations, are not. */
static Range computed(DType t, Range r) {
    if (t == DT_f64) return r;
    if (t == DT_f32) return hull(r, (Range){rounded(r.lo), rounded(r.hi)});
    if (!is_int(t) || !(fabs(r.lo) <= exact_to(t) && fabs(r.hi) <= exact_to(t))) return anything;
    return (Range){trunc(r.lo), trunc(r.hi)};
}

/* A sum, or a mean, of so many terms: rounded after each, but for whole numbers that are small. */
static Range summed(DType t, Range term, double terms, Range r) {
    double most = fmax(fabs(term.lo), fabs(term.hi));
    bool exact = term.lo == floor(term.lo) && term.hi == floor(term.hi) && most * terms <= exact_to(t);
    double slack = exact ? 0 : fmax(fabs(r.lo), fabs(r.hi)) * terms * dtypes[t].unit;
    return isfinite(slack) ? computed(t, (Range){r.lo - slack, r.hi + slack}) : anything;
}

/* Whether elements lie at the same numbers in every call. */
static bool is_placed(const Type *t) { return !has_open_dims(t); }

/* ---- rules for two numbers ---- */

static Range corners(double a, double b, double c, double d) {
    Range r = {fmin(fmin(a, b), fmin(c, d)), fmax(fmax(a, b), fmax(c, d))};
    return isnan(a + b + c + d) ? anything : r;
}

static Range add(Range a, Range b) { return (Range){a.lo + b.lo, a.hi + b.hi}; }
static Range subtract(Range a, Range b) { return (Range){a.lo - b.hi, a.hi - b.lo}; }
static Range multiply(Range a, Range b) { return corners(a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi); }

static Range divide(Range a, Range b) {
    if (b.lo <= 0 && b.hi >= 0) return anything;
    return corners(a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi);
}

static Range least_of(Range a, Range b) { return (Range){fmin(a.lo, b.lo), fmin(a.hi, b.hi)}; }
static Range most_of(Range a, Range b) { return (Range){fmax(a.lo, b.lo), fmax(a.hi, b.hi)}; }

/* Conditions, 1 or 0 where it is certain, of numbers: of_rule() knows that NaN meets none. */
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
    bool computes; /* a number that no operand has */
} rules[] = {
    {OP_Less, NULL, is_less, false},
    {OP_Equal, NULL, is_equal, false},
    {OP_Add, NULL, add, true},
    {OP_Sub, NULL, subtract, true},
    {OP_Mul, NULL, multiply, true},
    {OP_Div, NULL, divide, true},
    {OP_Min, NULL, least_of, false},
    {OP_Max, NULL, most_of, false},
    {OP_Mod, NULL, rest, false},
    {OP_Neg, negate, NULL, true},
    {OP_Abs, magnitude, NULL, true},
    {OP_Relu, from_zero, NULL, false},
    {OP_Floor, whole, NULL, false},
    {OP_Ceil, whole, NULL, false},
    {OP_Round, whole, NULL, false},
    {OP_Sqrt, root, NULL, true},
    {OP_Identity, same, NULL, false},
    {OP_Sigmoid, fraction, NULL, false},
    {OP_HardSigmoid, fraction, NULL, false},
    {OP_Softmax, fraction, NULL, false},
    {OP_Tanh, signed_fraction, NULL, false},
    {OP_Sin, signed_fraction, NULL, false},
    {OP_Cos, signed_fraction, NULL, false},
    {OP_Sign, signed_fraction, NULL, false},
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
    DType t = n->out[0]->type.dtype;
    if (rules[k].one) r = rules[k].one(r);
    for (int j = 1; j < n->nin && rules[k].two; j++) r = rules[k].two(r, operand(a, n, j, i));
    if (t == DT_bool && !are_numbers(a, n)) r.lo = 0;
    return rules[k].computes ? computed(t, r) : r;
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
        if (i >= 0 && n->out[0]->type.rank == 1 && is_placed(&n->out[0]->type)) {
            if (i < own) return asked(a, n->in[k], i);
            i -= own;
        } else {
            r = hull(r, asked(a, n->in[k], -1));
        }
    }
    return r;
}

/* Element `at` of a vector; of all if there is none. */
static Range of_element(Ask a, const Value *v, int64_t at) {
    return asked(a, v, at >= 0 && at < v->type.dim[0].max && is_placed(&v->type) ? at : -1);
}

static Range of_gather(Ask a, const Node *n, int64_t i) {
    int64_t at[1];
    int count;
    bool one = in_type(n, 0)->rank == 1 && known_ints(n->in[1], 1, &count, at) && count == 1;
    (void)i;
    if (one && at[0] < 0) at[0] += in_type(n, 0)->dim[0].max;
    return one ? of_element(a, n->in[0], at[0]) : asked(a, n->in[0], -1);
}

static Range of_slice(Ask a, const Node *n, int64_t i) {
    int64_t start[1], step[1] = {1};
    int count;
    bool one = i >= 0 && in_type(n, 0)->rank == 1 && known_ints(n->in[1], 1, &count, start) && count == 1 &&
               (!input(n, 4) || known_ints(n->in[4], 1, &count, step));
    if (!one) return asked(a, n->in[0], -1);
    int64_t extent = in_type(n, 0)->dim[0].max;
    if (start[0] < 0) start[0] += extent;
    if (start[0] >= extent) start[0] = extent - 1; /* only steps back go on from there */
    return of_element(a, n->in[0], i ? start[0] + i * step[0] : start[0]);
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

/* How many elements go into one of the result, at most. */
static double most_terms(const Node *n) {
    return (double)type_count(in_type(n, 0)) / fmax(1, (double)type_count(&n->out[0]->type));
}

static Range of_sum(Ask a, const Node *n, int64_t i) {
    double all = most_terms(n);
    Range term = asked(a, n->in[0], -1);
    (void)i;
    return summed(n->out[0]->type.dtype, term, all, multiply(term, (Range){is_placed(in_type(n, 0)) ? all : 0, all}));
}

/* Of nothing it is no element. */
static bool may_be_empty(const Type *t) {
    for (int k = 0; k < t->rank; k++)
        if (dim_least(t->dim[k]) < 1) return true;
    return false;
}

static Range of_mean(Ask a, const Node *n, int64_t i) {
    Range term = asked(a, n->in[0], -1);
    (void)i;
    bool none = may_be_empty(in_type(n, 0)) || !is_float(n->out[0]->type.dtype); /* sums of integers may wrap */
    return none ? anything : summed(n->out[0]->type.dtype, term, most_terms(n), term);
}

static Range of_extreme(Ask a, const Node *n, int64_t i) {
    (void)i;
    return may_be_empty(in_type(n, 0)) ? anything : asked(a, n->in[0], -1);
}

/* Floats become the nearest integers that there are, NaN becomes 0. */
static Range of_cast(Ask a, const Node *n, int64_t i) {
    DType from = in_type(n, 0)->dtype, to = n->out[0]->type.dtype;
    Range r = asked(a, n->in[0], i), all = of_type(&n->out[0]->type);
    if (from == to || from == DT_bool) return r;
    if (!is_float(from) || !is_int(to)) return computed(to, r);
    r = (Range){trunc(fmin(fmax(r.lo, all.lo), all.hi)), trunc(fmin(fmax(r.hi, all.lo), all.hi))};
    return are_numbers(a, n) ? r : hull(r, (Range){0, 0});
}

/* One of the first operand's elements, or of some index there. */
static Range of_first(Ask a, const Node *n, int64_t i) { return asked(a, n->in[0], n->op->view ? i : -1); }

static const struct {
    int op;
    Range (*rule)(Ask, const Node *, int64_t);
} others[] = {
    {OP_Clip, of_clip},       {OP_Where, of_where},   {OP_Concat, of_concat},     {OP_Gather, of_gather},
    {OP_Slice, of_slice},     {OP_Shape, of_shape},   {OP_Size, of_size},         {OP_ArgMax, of_place},
    {OP_ArgMin, of_place},    {OP_ReduceSum, of_sum}, {OP_ReduceMax, of_extreme}, {OP_ReduceMin, of_extreme},
    {OP_ReduceMean, of_mean}, {OP_Cast, of_cast},     {OP_Transpose, of_first},   {OP_GatherElements, of_first},
    {OP_GatherND, of_first},  {OP_Expand, of_first},  {OP_Tile, of_first},        {OP_Split, of_first},
};

static Range of_node(Ask a, const Node *n, int result, int64_t i) {
    if (IS(n, TopK)) return result ? of_place(a, n, i) : asked(a, n->in[0], -1);
    for (int k = 0; k < COUNT(rules); k++)
        if (n->op == &ops[rules[k].op] && !result) return of_rule(a, n, i, k);
    for (int k = 0; k < COUNT(others); k++)
        if (n->op == &ops[others[k].op]) return others[k].rule(a, n, i);
    return n->op->view ? of_first(a, n, i) : anything;
}

/* ---- parameters of a Loop's body ---- */

static bool adds(const Value *v, const Value *to, double *by) {
    const Node *n = resolve((Value *)(uintptr_t)v)->def;
    int64_t x;
    int count;
    if (!n || !IS(n, Add) || n->nin != 2) return false;
    int own = resolve(n->in[0]) == to ? 0 : 1;
    if (resolve(n->in[own]) != to || !known_ints(n->in[!own], 1, &count, &x) || count != 1) return false;
    *by = (double)x;
    return true;
}

/* The iteration number, and what each iteration adds the same number to. */
static Range of_parameter(Ask a, const Value *v) {
    enum { M, COND, CARRIED }; /* inputs of a Loop and of its body */
    const Node *loop = v->graph ? v->graph->owner : NULL;
    int i = 0;
    double by;
    if (!loop || !IS(loop, Loop) || !is_int(v->type.dtype) || !input(loop, M)) return anything;
    double most = asked(a, loop->in[M], 0).hi;
    while (i < v->graph->nin && v->graph->in[i] != v) i++;
    if (i == M) return (Range){0, fmax(most - 1, 0)};
    if (i < CARRIED || i >= loop->nin || !adds(v->graph->out[i - 1], v, &by)) return anything;
    /* A body that does not run has no values; after the last iteration nothing reads this one. */
    Range first = asked(a, loop->in[i], -1);
    double all = by * fmax(most - 1, 0);
    return (Range){first.lo + fmin(all, 0), first.hi + fmax(all, 0)};
}

/* ---- NaN, which is in no range ---- */

/* Whether it gives numbers where it is given finite ones, and its range is finite. */
static bool keeps_numbers(const Node *n) {
    bool keeps = n->op->view;
    for (int k = 0; k < COUNT(rules); k++) keeps = keeps || n->op == &ops[rules[k].op];
    for (int k = 0; k < COUNT(others); k++) keeps = keeps || n->op == &ops[others[k].op];
    return keeps && !IS(n, Mod) && !IS(n, Sqrt);
}

/* Whether a value is no NaN, whatever the data is: it follows from integers. */
static bool is_number(Ask a, const Value *v) {
    Range r = asked(a, v, -1);
    v = resolve((Value *)(uintptr_t)v);
    if (!is_float(v->type.dtype)) return true;
    if (!isfinite(r.lo) || !isfinite(r.hi)) return false;
    if (is_known(v)) return true;
    return v->def && keeps_numbers(v->def) && ++a.depth < MAX_DEPTH && --*a.left > 0 && are_numbers(a, v->def);
}

static bool are_numbers(Ask a, const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && !is_number(a, n->in[i])) return false;
    return true;
}

/* ---- any value ---- */

static Range of_tensor(const Tensor *t, int64_t i) {
    Range r = {INFINITY, -INFINITY};
    for (int64_t k = i < 0 ? 0 : i; k < (i < 0 ? t->count : i + 1); k++) {
        double x = get_f(t, k);
        bool exact = is_float(t->dtype) || fabs(x) <= exact_to(t->dtype);
        r = isnan(x) ? anything
                     : hull(r, (Range){exact ? x : nextafter(x, -INFINITY), exact ? x : nextafter(x, INFINITY)});
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
    } else if (v->kind == V_INPUT && *a.left > 0 && a.depth < MAX_DEPTH) {
        Range from = of_parameter(a, v);
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
