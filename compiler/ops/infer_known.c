/* infer_known.c - contents of small integer results that involve symbols, so that shape arithmetic over a run-time
 * extent (Shape, Gather, Mul, Concat, Reshape) still gives every dim. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"

enum { MOST = 64 };

typedef bool (*DimRule)(Module *, Dim a, Dim b, Dim *);

bool dim_sub(Module *m, Dim a, Dim b, Dim *out) {
    return b.max >= 0 && dim_add(m, a, (Dim){-b.max, b.symbol}, out) && out->max >= 0;
}

/* ---- elementwise ---- */

/* Results of an operator on two inputs of at most one dim; a single number goes with every element. */
static void by_element(Node *n, DimRule rule) {
    Dim a[MOST], b[MOST], out[MOST];
    int na, nb;
    if (!known_dims(n->in[0], MOST, &na, a) || !known_dims(n->in[1], MOST, &nb, b)) return;
    int count = na > nb ? na : nb;
    if ((na != count && na != 1) || (nb != count && nb != 1)) return;
    for (int i = 0; i < count; i++)
        if (!rule(n->graph->module, a[na == 1 ? 0 : i], b[nb == 1 ? 0 : i], &out[i])) return;
    know(n, 0, count, out);
}

/* An extent is never negative, and no rule here gives one that may be 0: it differs from every number below 1. */
bool dim_equal(Module *m, Dim a, Dim b, Dim *out) {
    (void)m;
    bool never = (a.symbol && !b.symbol && b.max < 1) || (b.symbol && !a.symbol && a.max < 1);
    if (!never && a.symbol != b.symbol) return false;
    *out = fixed(!never && a.max == b.max);
    return true;
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
        if (!v || v->data || v->known || !type_known(&v->type) || is_float(v->type.dtype) ||
            type_count(&v->type) > MOST)
            return;
    }
    if (!n->nout || !has_symbols(n)) return;
    if (n->op->dims)
        by_element(n, n->op->dims);
    else if (n->op->combine)
        reduced(n);
    else if (n->op->moves)
        move(n);
    else if (n->op->view || IS(n, Cast))
        same(n);
}
