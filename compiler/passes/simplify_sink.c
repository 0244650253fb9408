/* simplify_sink.c - transposes move down to one that they cancel, or to a reduction that takes them in.
 *
 * Networks made channels last and exported channels first are full of pairs with elementwise nodes between. A transpose
 * that moves down and meets nothing has cost a kernel of its own, so first the ends of every way down are looked at. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"
#include "passes/simplify.h"

/* ---- which nodes let one through ---- */

static bool elementwise(const Node *n) {
    if (IS(n, QuantizeLinear) || IS(n, DequantizeLinear)) return type_count(&n->in[1]->type) == 1;
    return access_of(n->op) == ACCESS_ELEMENTWISE && only_result(n);
}

static bool reduces(const Node *n) { return access_of(n->op) == ACCESS_REDUCTION; }

static bool along_axis(const Node *n) { return n->op->infer == infer_along_axis; }

/* Inputs that share the order of dims: all of an elementwise node and of Concat, else the first. */
static int ordered_inputs(const Node *n) { return elementwise(n) || IS(n, Concat) ? n->nin : 1; }

static bool lets_through(const Node *n) {
    if (n->kernel || !n->nin || !n->in[0] || stays(n)) return false;
    return elementwise(n) || reduces(n) || along_axis(n) || IS(n, Concat) || IS(n, Split) ||
           ((IS(n, Slice) || IS(n, Pad)) && (!input(n, 3) || known(n->in[3])) && known(n->in[1]));
}

/* ---- where it pays ---- */

static void unmark(Value *v, void *unused) {
    (void)unused;
    v->simplify_marks = 0;
}

static bool is_still(const Value *v) { return !v || known(v) || type_count(&v->type) == 1; }

static void mark_moved(Node *n) {
    bool moved = IS(n, Transpose);
    if (!moved && lets_through(n)) {
        bool all = true;
        for (int i = 0; i < ordered_inputs(n); i++) {
            const Value *v = n->in[i];
            all = all && (is_still(v) || v->simplify_marks & MOVED), moved = moved || (v && v->simplify_marks & MOVED);
        }
        moved = moved && all;
    }
    for (int i = 0; i < n->nout && moved; i++)
        if (n->out[i]) n->out[i]->simplify_marks |= MOVED;
}

static bool wants_order(const Node *n) {
    bool stuck = !IS(n, Transpose) && !reduces(n);
    for (int i = 0; i < n->nout && stuck; i++)
        if (n->out[i] && !(n->out[i]->simplify_marks & STUCK) && n->out[i]->simplify_marks & MOVED) return false;
    return stuck;
}

static void mark_stuck(Node *n) {
    bool all = false;
    for (int i = 0; i < n->nout; i++) all = all || (n->out[i] && n->out[i]->simplify_marks & STUCK);
    bool stuck = wants_order(n) || (all && !IS(n, Transpose) && !reduces(n)) || n->kernel;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && (stuck || n->in[i]->graph != n->graph || i >= ordered_inputs(n)))
            n->in[i]->simplify_marks |= STUCK;
}

static void mark_graph(Graph *g, void *unused) {
    (void)unused;
    for (int i = 0; i < g->nout; i++) g->out[i]->simplify_marks |= STUCK | OUTPUT;
    for (Node *n = g->first; n; n = n->next) mark_moved(n);
    for (Node *n = g->last; n; n = n->prev) mark_stuck(n);
}

void mark_values(Module *m) {
    each_value(m, unmark, NULL);
    each_graph(m, mark_graph, NULL);
}

/* ---- the step ---- */

/* A const that broadcasts with tensors of that rank, as it is before they are put in the order p. */
static Value *constant_before(Rewrite *r, Value *v, int rank, const int *p) {
    const Tensor *t = known(v);
    int64_t dim[MAX_RANK];
    int inverse[MAX_RANK];
    if (!t || t->rank > rank || t->dtype == DT_str || !may_copy(v)) return NULL;
    for (int i = 0; i < rank; i++) {
        dim[i] = i < rank - t->rank ? 1 : t->dim[i - (rank - t->rank)];
        inverse[p[i]] = i;
    }
    r->m->fuel -= t->count / 1000;
    t = tensor_of(r->m->arena, t->dtype, rank, dim, t->data);
    return const_new(r->m, v->name, permuted(r->m->arena, t, inverse));
}

static Node *transpose_input(Node *n, int i, int rank) {
    Node *t = maker(n, in_of(n, i));
    return t && IS(t, Transpose) && in_type(t, 0)->rank == rank ? t : NULL;
}

/* The order that all inputs which share one were put in. */
static bool common_order(Node *n, int rank, int *p) {
    Node *first = NULL;
    int q[MAX_RANK];
    for (int i = 0; i < ordered_inputs(n); i++) {
        const Value *v = in_of(n, i);
        Node *t = transpose_input(n, i, rank);
        if (!t && (!v || known(v) || (type_count(&v->type) == 1 && !IS(n, Concat)))) continue;
        if (!t) return false;
        perm_of(t, first ? q : p);
        if (first && memcmp(p, q, sizeof *p * (size_t)rank)) return false;
        first = t;
    }
    return first;
}

/* The inputs as they are before the transposes; NULL if a const cannot be. */
static Value **inputs_before(Rewrite *r, Node *n, int rank, const int *p) {
    Value **in = NEW_ARRAY(r->m->arena, Value *, n->nin + 1);
    for (int i = 0; i < n->nin; i++) {
        in[i] = in_of(n, i);
        if (!in[i] || i >= ordered_inputs(n)) continue;
        Node *t = transpose_input(n, i, rank);
        bool number = !IS(n, Concat) && type_count(&in[i]->type) == 1;
        if (t)
            in[i] = in_of(t, 0);
        else if (!number && !(in[i] = constant_before(r, in[i], rank, p)))
            return NULL;
    }
    return in;
}

/* The axes a node names, as they are before the order p. */
static void move_axes(Rewrite *r, Node *n, Node *made, int rank, const int *p) {
    if (along_axis(n) || IS(n, Concat) || IS(n, Split)) set_attr_i(made, "axis", p[axis_in(attr_i(n, "axis"), rank)]);
    if (!IS(n, Slice) && !IS(n, Pad)) return;
    int64_t axes[MAX_RANK];
    int count = 0;
    if (!known_ints(input(n, 3), MAX_RANK, &count, axes)) {
        count = (int)n->in[1]->data->count / (IS(n, Pad) ? 2 : 1);
        for (int i = 0; i < count; i++) axes[i] = i;
    }
    for (int i = 0; i < count; i++) axes[i] = p[axis_in(axes[i], rank)];
    Value *in[5] = {made->in[0], made->in[1], input(n, 2), const_ints(r->m, count, axes), input(n, 4)};
    made->nin = n->nin > 4 ? n->nin : 4;
    made->in = arena_copy(r->m->arena, in, sizeof in);
    made->in[3]->uses++;
}

/* Axes of a reduction before the order p; `left` is the order of what is left, its rank is returned. -1: none known. */
static int move_reduction(Rewrite *r, Node *n, Value **in, int rank, const int *p, int *left) {
    bool mask[MAX_RANK], before[MAX_RANK], keep = attr_i(n, "keepdims");
    int64_t axes[MAX_RANK];
    int count = 0, rest = 0, place[MAX_RANK];
    if (!known_axes(n, 1, rank, mask)) return -1;
    for (int i = 0; i < rank; i++) before[p[i]] = mask[i];
    for (int i = 0; i < rank; i++)
        if (before[i]) axes[count++] = i;
    for (int i = 0, k = 0; i < rank; i++) place[i] = keep || !before[i] ? k++ : -1;
    for (int i = 0; i < rank; i++)
        if (place[p[i]] >= 0) left[rest++] = place[p[i]];
    in[1] = const_ints(r->m, count, axes);
    return count ? rest : -1;
}

static bool sink_reduction(Rewrite *r, Node *n, int rank, const int *p) {
    Value *in[2] = {in_of(transpose_input(n, 0, rank), 0), NULL};
    int left[MAX_RANK];
    if (move_reduction(r, n, in, rank, p, left) < 0) return false;
    Node *made = insert_like(r, n, n, 2, in);
    return become(r, n, transposed(r, n, typed(r, made), left));
}

static bool all_want(const Node *n) {
    for (int i = 0; i < n->nout; i++)
        if (!n->out[i] || n->out[i]->simplify_marks & STUCK) return false;
    return true;
}

/* The same node with `results` results. */
static Node *insert_wide(Rewrite *r, Node *n, Value *const *in, int results) {
    Node *made = insert_like(r, n, n, n->nin, in);
    if (results == 1) return made;
    made->out = NEW_ARRAY(r->m->arena, Value *, results);
    made->nout = results;
    for (int i = 0; i < results; i++) {
        made->out[i] = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
        made->out[i]->def = made, made->out[i]->result = i, made->out[i]->loc = n->loc;
    }
    return made;
}

bool rule_sink_transpose(Rewrite *r, Node *n) {
    if (!lets_through(n)) return false;
    int p[MAX_RANK], rank = in_type(n, 0)->rank;
    if (elementwise(n)) rank = n->out[0]->type.rank;
    if (!common_order(n, rank, p) || keeps_order(p, rank)) return false;
    if (reduces(n)) return only_result(n) && sink_reduction(r, n, rank, p);
    if (!all_want(n)) return false;
    Value **in = inputs_before(r, n, rank, p);
    if (!in) return false;
    Node *made = insert_wide(r, n, in, n->nout);
    move_axes(r, n, made, rank, p);
    typed(r, made);
    for (int i = 0; i < n->nout; i++) redirect(r, n, i, transposed(r, n, made->out[i], p));
    drop(r, n);
    return true;
}
