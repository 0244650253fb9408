/* infer_known.c - contents of small integer results that involve symbols, so that shape arithmetic over a run-time
 * extent (Shape, Gather, Mul, Concat, Reshape) still gives every dim. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <math.h>

enum { MOST = 64 };

typedef bool (*DimRule)(Module *, Dim a, Dim b, Dim *);

/* ---- rules that rows of ops.def name, beside those of symbols.h ---- */

/* Towards zero, which is down where nothing is negative. */
bool dim_truncated(Module *m, Dim a, Dim b, Dim *out) {
    if (!a.symbol && !b.symbol) return b.max && a.max != INT64_MIN && (*out = fixed(a.max / b.max), true);
    return dim_div(m, a, b, out) || (dim_least(a) >= 0 && !b.symbol && b.max > 0 && dim_quotient(m, a, b, out));
}

bool dim_rest(Module *m, Dim a, Dim b, Dim *out) {
    Dim whole;
    return !b.symbol && b.max > 0 && dim_quotient(m, a, b, &whole) && dim_mul(m, whole, b, &whole) &&
           dim_sub(m, a, whole, out);
}

static bool certain(Module *m, Dim low, Dim high, bool if_equal, Dim *out) {
    Dim more;
    if (!dim_sub(m, high, low, &more)) return false;
    bool always = dim_least(more) >= !if_equal, never = more.max < !if_equal;
    *out = fixed(always);
    return always || never;
}

bool dim_is_less(Module *m, Dim a, Dim b, Dim *out) { return certain(m, a, b, false, out); }
bool dim_is_at_most(Module *m, Dim a, Dim b, Dim *out) { return certain(m, a, b, true, out); }
bool dim_is_more(Module *m, Dim a, Dim b, Dim *out) { return certain(m, b, a, false, out); }
bool dim_is_at_least(Module *m, Dim a, Dim b, Dim *out) { return certain(m, b, a, true, out); }

/* ---- elementwise ---- */

/* Results of an operator on inputs of at most one dim; a single number goes with every element. */
static void by_element(Node *n, DimRule rule) {
    Dim a[MOST], b[MOST];
    int na, nb;
    if (n->nin < 2 || !known_dims(n->in[0], MOST, &na, a)) return;
    for (int k = 1; k < n->nin; k++) {
        if (!known_dims(n->in[k], MOST, &nb, b)) return;
        int count = na > nb ? na : nb;
        if ((na != count && na != 1) || (nb != count && nb != 1)) return;
        for (int i = count - 1; i >= 0; i--)
            if (!rule(n->graph->module, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i], &a[i])) return;
        na = count;
    }
    if (na == type_count(&n->out[0]->type)) know(n, 0, na, a); /* a column and a row are more */
}

/* All to one number, by the rule of what combines them. */
static void reduced(Node *n) {
    const Op *combine = find_op(NULL, n->op->combine);
    Dim a[MOST];
    int count;
    if (!combine->dims || type_count(&n->out[0]->type) != 1 || !known_dims(n->in[0], MOST, &count, a) || !count) return;
    for (int i = 1; i < count; i++)
        if (!combine->dims(n->graph->module, a[0], a[i], &a[0])) return;
    know(n, 0, 1, a);
}

static void same(Node *n) {
    Dim a[MOST];
    int count;
    if (!is_float(n->out[0]->type.dtype) && known_dims(n->in[0], MOST, &count, a)) know(n, 0, count, a);
}

/* ---- floats: exporters scale extents in them, and round ---- */

enum { MOST_OVER = 1 << 12 };

typedef struct {
    Dim dim[MOST];
    int n;
    int64_t over; /* all are divided by it */
} Ratios;

/* p / q of a float that is such a ratio of small numbers. */
static bool ratio_of(double x, int64_t *p, int64_t *q) {
    for (*q = 1; *q <= MOST_OVER; ++*q) {
        double times = x * (double)*q;
        *p = (int64_t)(times < 0 ? times - 0.5 : times + 0.5);
        if (fabs(times) < 1e9 && *p && (float)((double)*p / (double)*q) == (float)x) return true;
    }
    return false;
}

static bool ratios_of(const Value *v, Ratios *r) {
    r->over = 1;
    if (known_dims(v, MOST, &r->n, r->dim)) return true;
    if (!v || v->data || !v->known || type_count(&v->type) > MOST) return false;
    r->n = (int)type_count(&v->type), r->over = v->over;
    memcpy(r->dim, v->known, sizeof *r->dim * (size_t)r->n);
    return true;
}

static void know_ratios(Node *n, const Ratios *r) {
    Value *v = output(n, 0);
    bool symbols = false;
    for (int i = 0; i < r->n; i++) symbols |= r->dim[i].symbol != NULL;
    if (!v || r->n != type_count(&v->type) || !symbols) return;
    v->known = arena_copy(n->graph->module->arena, r->dim, sizeof *r->dim * (size_t)r->n), v->over = r->over;
}

/* x * c and x / c, of constants that are ratios. */
static void scaled_floats(Node *n, bool divides) {
    Ratios r;
    const Value *x = n->in[0], *c = n->in[1];
    if (!divides && x->data) x = n->in[1], c = n->in[0];
    if (!c->data || !is_float(c->data->dtype) || !ratios_of(x, &r)) return;
    int64_t over = 1, count = c->data->count;
    if (count != 1 && count != r.n) return;
    for (int i = 0; i < r.n; i++) {
        int64_t p, q;
        if (!ratio_of(get_f(c->data, count == 1 ? 0 : i), &p, &q)) return;
        if (divides && p < 1) return;
        if (divides ? over % p : over % q) over *= divides ? p : q;
        if (over > MOST_OVER) return;
    }
    for (int i = 0; i < r.n; i++) {
        int64_t p, q;
        ratio_of(get_f(c->data, count == 1 ? 0 : i), &p, &q);
        int64_t times = divides ? q * (over / p) : p * (over / q);
        if (!dim_mul(n->graph->module, r.dim[i], fixed(times), &r.dim[i])) return;
    }
    r.over *= over;
    know_ratios(n, &r);
}

static void rounded_floats(Node *n, bool up) {
    Ratios r;
    if (!ratios_of(n->in[0], &r)) return;
    for (int i = 0; i < r.n; i++)
        if ((up && !dim_add(n->graph->module, r.dim[i], fixed(r.over - 1), &r.dim[i])) ||
            !dim_quotient(n->graph->module, r.dim[i], fixed(r.over), &r.dim[i]))
            return;
    r.over = 1;
    know_ratios(n, &r);
}

static void from_float(Node *n) {
    Ratios r;
    if (!ratios_of(n->in[0], &r)) return;
    for (int i = 0; i < r.n; i++)
        if (dim_least(r.dim[i]) < 0 || !dim_quotient(n->graph->module, r.dim[i], fixed(r.over), &r.dim[i])) return;
    know(n, 0, r.n, r.dim);
}

static void same_ratios(Node *n) {
    Ratios r;
    if (ratios_of(n->in[0], &r)) know_ratios(n, &r);
}

static void joined_floats(Node *n) {
    Ratios all = {.over = 1}, r;
    for (int i = 0; i < n->nin; i++) {
        if (!ratios_of(n->in[i], &r) || (i && r.over != all.over) || all.n + r.n > MOST) return;
        memcpy(all.dim + all.n, r.dim, sizeof *r.dim * (size_t)r.n);
        all.n += r.n, all.over = r.over;
    }
    know_ratios(n, &all);
}

static void known_floats(Node *n) {
    if (IS(n, Mul) || IS(n, Div))
        scaled_floats(n, IS(n, Div));
    else if (IS(n, Floor) || IS(n, Ceil))
        rounded_floats(n, IS(n, Ceil));
    else if (IS(n, Cast) || n->op->view)
        same_ratios(n);
    else if (IS(n, Concat))
        joined_floats(n);
}

/* ---- movement: the operator is evaluated on labels that stand for the elements ---- */

static Tensor *labels_of(Arena *a, const Type *t, int64_t first) {
    int64_t dim[MAX_RANK];
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i].max;
    Tensor *labels = tensor_new(a, t->dtype, t->rank, dim);
    for (int64_t i = 0; i < labels->count; i++) set_i(labels, i, first + i);
    return labels;
}

/* ScatterElements and ScatterND may add what they move to what is there. */
static bool combines(const Node *n) {
    const Attr *reduction = given_attr(n, "reduction");
    return reduction && strcmp(reduction->s, "none");
}

static bool moved(const Node *n, int i) { return names_operand(n->op, n->op->moves, i); }

/* Operands that the row's .moves names hold dims; the others say where they go, and must be known. */
static void move(Node *n) {
    Arena *a = n->graph->module->arena;
    Dim table[MOST];
    int used = 0, count, nin = n->nin;
    if (combines(n)) return;
    for (int i = 0; i < nin; i++) {
        bool moves = moved(n, i);
        if (!n->in[i]) continue;
        if (moves ? !known_dims(n->in[i], MOST - used, &count, table + used) : !n->in[i]->data) return;
        if (moves) used += count;
    }
    Value **was = n->in;
    n->in = NEW_ARRAY(a, Value *, nin);
    for (int i = 0, first = 0; i < nin; i++) {
        n->in[i] = was[i];
        if (!was[i] || !moved(n, i)) continue;
        n->in[i] = arena_copy(a, was[i], sizeof(Value));
        n->in[i]->data = labels_of(a, &was[i]->type, first), n->in[i]->known = NULL;
        first += (int)n->in[i]->data->count;
    }
    bool folded = n->graph->module->fold(n);
    n->in = was;
    for (int i = 0; i < n->nout && folded; i++) {
        Value *v = n->out[i];
        if (!v || !v->data || v->data->count > MOST) continue;
        Dim out[MOST];
        for (int k = 0; k < v->data->count; k++) out[k] = table[get_i(v->data, k)];
        count = (int)v->data->count, v->data = NULL;
        know(n, i, count, out);
    }
}

/* ---- which operator ---- */

static bool has_symbols(const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && n->in[i]->known && !n->in[i]->data) return true;
    return false;
}

void infer_known(Node *n) {
    for (int i = 0; i < n->nout; i++) {
        const Value *v = n->out[i];
        if (!v || v->data || v->known || !type_known(&v->type) || type_count(&v->type) > MOST) return;
    }
    if (!n->nout || !has_symbols(n)) return;
    if (n->out[0] && is_float(n->out[0]->type.dtype))
        known_floats(n);
    else if (IS(n, Cast) && is_float(in_type(n, 0)->dtype))
        from_float(n);
    else if (n->op->dims)
        by_element(n, n->op->dims);
    else if (n->op->combine)
        reduced(n);
    else if (n->op->moves)
        move(n);
    else if (n->op->view || IS(n, Cast))
        same(n);
}
