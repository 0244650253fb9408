/* composite.c - building replacements of nodes, and the small composites that the definition language does not reach.
 */
#include "ops/composite.h"
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* ---- building ---- */

static Value *make(Node *at, int op, int n, Value *const *in) {
    Node *node = insert_node(at, &ops[op], n, in);
    infer_node(node);
    return node->out[0];
}

static Value *make2(Node *at, int op, Value *a, Value *b) { return make(at, op, 2, (Value *[]){a, b}); }

void replaced_by(Node *n, int count, Value *const *with) {
    for (int i = 0; i < count; i++)
        if (with[i] && output(n, i)) replace_keeping_name(n->out[i], with[i]);
    unlink_node(n);
}

/* ---- Mean ---- */

void expand_mean(Node *n) {
    Value *sum = make(n, OP_Sum, n->nin, n->in);
    Value *mean = make2(n, OP_Div, sum, const_scalar(n->graph->module, sum->type.dtype, n->nin));
    replaced_by(n, 1, &mean);
}

/* ---- operators whose result has a size only known data tells ---- */

void expand_compress(Node *n) {
    const Tensor *keep = n->in[1]->data;
    Module *m = n->graph->module;
    int64_t *at = NEW_ARRAY(m->arena, int64_t, keep->count + 1);
    int count = 0;
    for (int64_t i = 0; i < keep->count; i++)
        if (get_i(keep, i)) at[count++] = i;
    Value *from = n->in[0], *indices = const_ints(m, count, at);
    const Attr *axis = attr(n, "axis");
    if (!axis->set) from = make2(n, OP_Reshape, from, const_ints(m, 1, (int64_t[]){-1}));
    Node *gather = insert_node(n, &ops[OP_Gather], 2, (Value *[]){from, indices});
    if (axis->set) set_attr_i(gather, "axis", axis->i);
    infer_node(gather);
    replaced_by(n, 1, gather->out);
}

void expand_non_zero(Node *n) {
    Value *known = const_new(n->graph->module, NULL, n->out[0]->data);
    replaced_by(n, 1, &known);
}

/* ---- the same where only a call tells: what is kept goes to the front, and the rest, as zeros, behind it ---- */

/* Of a mask of one dim: how many are kept up to each element, how many are not, and how many are kept in all. */
static void count_kept(Node *n, Value *mask, Value *count[3]) {
    build_decomposition(n, "k = Cast(m, to = 7); CumSum(k, 0), CumSum(1 - k, 0), ReduceSum(k, keepdims = 0)", 1,
                        (const char *[]){"m"}, &mask, 3, count);
}

static Value *built(Node *n, const char *text, int count, Value *const *with) {
    static const char *const names[] = {"m", "p", "q", "n", "x"};
    Value *v;
    build_decomposition(n, text, count, names, with, 1, &v);
    return v;
}

static Value *concat(Node *n, int axis, int count, Value *const *part) {
    Node *all = insert_node(n, &ops[OP_Concat], count, part);
    set_attr_i(all, "axis", axis);
    infer_node(all);
    return all->out[0];
}

static Value *rows_in_front(Node *n, Value *mask, Value *const *count, Value *x) {
    Arena *a = n->graph->module->arena;
    Str ones = {.arena = a};
    for (int i = 1; i < x->type.rank; i++) put_text(&ones, ", 1");
    const char *text = format(a,
                              "kept = Where(Reshape(m, [-1%s]), x, 0); to = Where(m, p - 1, n + q - 1); "
                              "ScatterND(zeros(kept), Reshape(to, [-1, 1]), kept)",
                              ones.n ? ones.s : "");
    return built(n, text, 5, (Value *[]){mask, count[0], count[1], count[2], x});
}

static Value *kept_rows(Node *n, Value *count[3]) {
    Module *m = n->graph->module;
    Value *x = n->in[0];
    int64_t rows = n->in[1]->type.dim[0].max;
    if (!attr(n, "axis")->set) x = make2(n, OP_Reshape, x, const_ints(m, 1, (int64_t[]){-1}));
    if (x->type.dim[0].max > rows) x = built(n, format(m->arena, "Slice(m, [0], [%lld], [0])", (long long)rows), 1, &x);
    count_kept(n, n->in[1], count);
    return rows_in_front(n, n->in[1], count, x);
}

/* What is not 0, and for each dim the index there of every element. */
static Value *indices_of_all(Node *n, Value *index[MAX_RANK], Value *count[3]) {
    const Type *t = &n->in[0]->type;
    int64_t step = type_count(t);
    Value *mask = built(n, t->dtype == DT_bool ? "Reshape(m, [-1])" : "!Equal(Reshape(m, [-1]), 0)", 1, n->in);
    count_kept(n, mask, count);
    for (int k = 0; k < t->rank; k++) {
        int64_t extent = t->dim[k].max;
        step /= extent;
        const char *text =
            format(n->graph->module->arena, "FloorMod((p + q - 1) / %lld, %lld)", (long long)step, (long long)extent);
        index[k] = built(n, text, 3, (Value *[]){mask, count[0], count[1]});
    }
    return mask;
}

static Value *columns(Node *n, int count, Value **index) {
    for (int k = 0; k < count; k++) index[k] = built(n, "Reshape(m, [-1, 1])", 1, &index[k]);
    return concat(n, 1, count, index);
}

/* A row of indices for each dim, one behind the other: the k-th begins where k counts of what is not 0 end. */
static Value *packed_rows(Node *n, int rank, Value *mask, Value *const *count, Value *const *index) {
    Arena *a = n->graph->module->arena;
    int64_t all = type_count(&mask->type);
    Value *to[MAX_RANK], *kept[MAX_RANK];
    for (int k = 0; k < rank; k++) {
        const char *text =
            format(a, "Where(m, n * %d + p - 1, n * %d + (q + %lld))", k, rank - k, (long long)(k * all - 1));
        to[k] = built(n, text, 4, (Value *[]){mask, count[0], count[1], count[2]});
        kept[k] = built(n, "Where(m, p, 0)", 2, (Value *[]){mask, index[k]});
    }
    Value *both[] = {concat(n, 0, rank, to), concat(n, 0, rank, kept)};
    const char *text = format(a, "Reshape(ScatterElements(zeros(p), m, p), [%d, %lld])", rank, (long long)all);
    return built(n, text, 2, both);
}

Value *bound_result(Node *n, Node *transpose) {
    int rank = n->in[0]->type.rank;
    Value *count[3], *index[MAX_RANK], *y, *mask = IS(n, NonZero) ? indices_of_all(n, index, count) : NULL;
    if (!mask)
        y = kept_rows(n, count);
    else if (transpose)
        y = rows_in_front(n, mask, count, columns(n, rank, index));
    else
        y = packed_rows(n, rank, mask, count, index);
    replaced_by(transpose ? transpose : n, 1, &y);
    if (transpose) unlink_node(n);
    return count[2];
}

/* ---- a Slice that begins where only a run knows and ends a fixed number of elements behind, as exporters write
 * x[i : i + 1] in a loop: a Gather of so many elements ---- */

enum { MAX_STEPS = 64, MAX_LENGTH = 4096 };

static bool keeps_number(const Node *n) {
    return IS(n, Identity) || IS(n, Cast) || IS(n, Squeeze) || IS(n, Unsqueeze) || IS(n, Reshape) || IS(n, Flatten);
}

/* A single number as what it is computed from plus a constant. */
static Value *root_of(Value *v, int64_t *add) {
    int64_t c;
    *add = 0;
    for (int step = 0; step < MAX_STEPS; step++) {
        v = resolve(v);
        if (v->kind != V_NODE || v->data || type_count(&v->type) != 1 || !is_int(v->type.dtype)) return v;
        Node *n = v->def;
        int count;
        if (keeps_number(n)) {
            v = n->in[0];
        } else if ((IS(n, Add) || IS(n, Sub)) && n->nin == 2 && known_ints(resolve(n->in[1]), 1, &count, &c) &&
                   count == 1 && add_ok(*add, IS(n, Sub) ? -c : c, add)) {
            v = n->in[0];
        } else if (IS(n, Add) && n->nin == 2 && known_ints(resolve(n->in[0]), 1, &count, &c) && count == 1 &&
                   add_ok(*add, c, add)) {
            v = n->in[1];
        } else {
            return v;
        }
    }
    return v;
}

/* The one axis that is cut, in steps of 1. */
static bool one_axis(Node *n, int *axis) {
    int64_t at = 0, step = 1;
    int count;
    if (type_count(in_type(n, 1)) != 1 || type_count(in_type(n, 2)) != 1) return false;
    if (input(n, 3) && (!known_ints(n->in[3], 1, &count, &at) || count != 1)) return false;
    if (input(n, 4) && (!known_ints(n->in[4], 1, &count, &step) || count != 1 || step != 1)) return false;
    *axis = (int)axis_in(at, in_type(n, 0)->rank);
    return *axis >= 0;
}

bool gather_moving_slice(Node *n) {
    int64_t from, to;
    int axis;
    if (n->in[1]->data || n->in[1]->known || n->in[2]->data || n->in[2]->known || !one_axis(n, &axis)) return false;
    if (root_of(n->in[1], &from) != root_of(n->in[2], &to)) return false;
    int64_t length = to - from;
    if (length < 1 || length > MAX_LENGTH || in_type(n, 0)->dim[axis].symbol || in_type(n, 0)->dim[axis].max < length)
        return false;
    int64_t step[MAX_LENGTH];
    for (int64_t i = 0; i < length; i++) step[i] = i;
    Value *offsets = const_ints(n->graph->module, (int)length, step), *y;
    build_decomposition(
        n, format(n->graph->module->arena, "Gather(x, Reshape(Cast(i, to = 7), [1]) + k, axis = %d)", axis), 3,
        (const char *[]){"x", "i", "k"}, (Value *[]){n->in[0], n->in[1], offsets}, 1, &y);
    n->out[0]->type = y->type;
    replaced_by(n, 1, &y);
    return true;
}
