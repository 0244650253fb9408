/* source.c - where sizes that only a call tells begin: what is kept goes to the front, and zeros behind it. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* A mask of one dim. Of each element: how many are kept up to it, and how many are not. And how many are kept; once it
 * is a dim, that. */
typedef struct {
    Value *mask, *kept, *rest, *count;
    Value *extent;
} Kept;

static Kept count_kept(Node *n, Value *mask) {
    Value *v[3];
    build_decomposition(n, "k = Cast(m, to = 7); CumSum(k, 0), CumSum(1 - k, 0), ReduceSum(k, keepdims = 0)", 1,
                        (const char *[]){"m"}, &mask, 3, v);
    return (Kept){mask, v[0], v[1], v[2], NULL};
}

/* The rows of x that a mask keeps come first. */
static Value *rows_in_front(Node *n, const Kept *k, Value *x) {
    Arena *a = n->graph->module->arena;
    Str ones = {.arena = a};
    for (int i = 1; i < x->type.rank; i++) put_text(&ones, ", 1");
    const char *text = format(a,
                              "kept = Where(Reshape(m, [-1%s]), x, cast(0, x)); to = Where(m, p - 1, n + q - 1); "
                              "ScatterND(zeros(kept), Reshape(to, [-1, 1]), kept)",
                              ones.n ? ones.s : "");
    return build_text(n, text, 5, (Value *[]){k->mask, k->kept, k->rest, k->count, x});
}

/* The rows of x that a mask keeps, in all; the model calls them `name`. */
static Value *kept_rows(Node *n, Kept *k, Value *x, const Value *name) {
    if (!k->extent) k->extent = measure(n, k->count, 0, k->mask->type.dim[0].max, name);
    return cut(n, rows_in_front(n, k, x), k->extent);
}

/* x with dim `from` at place `to`. */
static Value *moved_axis(Node *n, Value *x, int from, int to) {
    Arena *a = n->graph->module->arena;
    Str perm = {.arena = a};
    if (from == to) return x;
    for (int i = 0, next = 0; i < x->type.rank; i++) {
        next += next == from && i != to;
        put(&perm, "%s%d", i ? ", " : "", i == to ? from : next++);
    }
    return build_text(n, format(a, "Transpose(m, perm = [%s])", perm.s), 1, &x);
}

/* x with room for the most that there can be along its open axes, or one of them: 0 where a call has less. */
static Value *whole(Node *n, Value *x, int only) {
    Arena *a = n->graph->module->arena;
    Str before = {.arena = a}, behind = {.arena = a};
    bool open = false;
    for (int k = 0; k < x->type.rank; k++) {
        bool wide = x->type.dim[k].symbol && (only < 0 || k == only);
        open = open || wide;
        put(&before, "[0], ");
        put_text(&behind, k ? ", " : "");
        if (wide)
            put(&behind, "Reshape(%lld - Gather(Shape(m), %d), [1])", (long long)x->type.dim[k].max, k);
        else
            put_text(&behind, "[0]");
    }
    return open ? build_text(n, format(a, "Pad(m, Concat(%s%s, axis = 0))", before.s, behind.s), 1, &x) : x;
}

/* ---- Compress ---- */

/* A condition that may be longer than what it chooses from means nothing behind that. */
static Value *within_axis(Node *n, Value *mask, const Value *x) {
    Dim d = x->type.dim[0];
    if (!d.symbol || (same_dim(d, mask->type.dim[0]))) return whole(n, mask, 0);
    Value *all = whole(n, mask, 0);
    return build_text(n,
                      format(n->graph->module->arena, "And(m, Range(cast(0, \"i64\"), %lld, 1) < Gather(Shape(x), 0))",
                             (long long)all->type.dim[0].max),
                      5, (Value *[]){all, all, all, all, (Value *)(uintptr_t)x});
}

static void bound_compress(Node *n) {
    Value *x = n->in[0];
    const Attr *given = attr(n, "axis");
    int64_t rows = n->in[1]->type.dim[0].max;
    int axis = given->set ? (int)axis_in(given->i, x->type.rank) : 0;
    x = given->set ? moved_axis(n, x, axis, 0) : build_text(n, "Reshape(m, [-1])", 1, &x);
    Value *mask = within_axis(n, n->in[1], x);
    x = whole(n, x, 0);
    if (x->type.dim[0].max > rows)
        x = build_text(n, format(n->graph->module->arena, "Slice(m, [0], [%lld], [0])", (long long)rows), 1, &x);
    Kept kept = count_kept(n, mask);
    Value *y = moved_axis(n, kept_rows(n, &kept, x, n->out[0]), 0, axis);
    replaced_by(n, 1, &y);
}

/* ---- NonZero ---- */

/* The index in dim k of each element of a mask over all elements of a tensor with these dims, as a column. */
static Value *index_column(Node *n, const Kept *kept, const int64_t *dim, int rank, int k) {
    int64_t step = 1;
    for (int i = k + 1; i < rank; i++) step *= dim[i];
    const char *text = format(n->graph->module->arena, "Reshape(FloorMod((p + q - 1) / %lld, %lld), [-1, 1])",
                              (long long)step, (long long)dim[k]);
    return build_text(n, text, 3, (Value *[]){kept->mask, kept->kept, kept->rest});
}

static Value *columns_joined(Node *n, int count, Value *const *column) {
    Node *all = insert_node(n, &ops[OP_Concat], count, column);
    set_attr_i(all, "axis", 1);
    infer_node(all);
    return all->out[0];
}

static void bound_non_zero(Node *n) {
    Value *x = whole(n, n->in[0], -1);
    const Type *t = &x->type;
    Value *column[MAX_RANK];
    int64_t dim[MAX_RANK];
    for (int k = 0; k < t->rank; k++) dim[k] = t->dim[k].max;
    Kept kept =
        count_kept(n, build_text(n, t->dtype == DT_bool ? "Reshape(m, [-1])" : "!Equal(Reshape(m, [-1]), 0)", 1, &x));
    for (int k = 0; k < t->rank; k++) column[k] = index_column(n, &kept, dim, t->rank, k);
    Value *y = moved_axis(n, kept_rows(n, &kept, columns_joined(n, t->rank, column), n->out[0]), 1, 0);
    replaced_by(n, 1, &y);
}

/* ---- NonMaxSuppression ---- */

/* The best boxes of each batch and class, -1 behind them; those that there are as rows (batch, class, box). */
static void bound_suppression(Node *n) {
    Node *select = insert_node(n, &ops[OP_SelectBoxes], n->nin, n->in);
    set_attr_i(select, "center_point_box", attr_i(n, "center_point_box"));
    infer_node(select);
    Value *best = select->out[0], *column[3];
    int64_t dim[3];
    for (int k = 0; k < 3; k++) dim[k] = best->type.dim[k].max;
    Kept kept = count_kept(n, build_text(n, "Reshape(m, [-1]) >= 0", 1, &best));
    for (int k = 0; k < 2; k++) column[k] = index_column(n, &kept, dim, 3, k);
    column[2] = build_text(n, "Reshape(m, [-1, 1])", 1, &best);
    Value *y = kept_rows(n, &kept, columns_joined(n, 3, column), n->out[0]);
    replaced_by(n, 1, &y);
}

/* ---- Unique ---- */

/* Rows in order, each element once: which they are in order, which of those differ from the one before, and for each
 * the number of its group of equal ones. */
typedef struct {
    Value *rows, *order, *group;
    Kept first;
} Sorted;

static Sorted sort_rows(Node *n, Value *rows) {
    Sorted s = {.rows = rows};
    Value *x = rows->type.dtype == DT_bool ? build_text(n, "Cast(m, to = 2)", 1, &rows) : rows;
    Node *sort = node_new(n->graph, n, &ops[OP_SortRows], 1, &x, 2, NULL, n->loc);
    sort->origin = n->origin;
    infer_node(sort);
    s.order = sort->out[0];
    s.first = count_kept(n, sort->out[1]);
    s.group = build_text(n, "p - 1", 2, (Value *[]){s.first.mask, s.first.kept});
    return s;
}

/* Groups numbered in the order in which they first appear; what is kept then is the first of each where it stands. */
static Kept by_appearance(Node *n, Sorted *s) {
    Value *at = rows_in_front(n, &s->first, s->order);
    Value *mask = build_text(n, "!Equal(ScatterElements(zeros(m), m, Cast(p, to = 7)), 0)", 2,
                             (Value *[]){s->order, s->first.mask});
    Kept kept = count_kept(n, mask);
    s->group = build_text(n, "Gather(p, Gather(m, q)) - 1", 3, (Value *[]){at, kept.kept, s->group});
    return kept;
}

/* A result of Unique: its rows of dims 0 in front, or all of them. */
static Value *unique_rows(Node *n, Kept *kept, Value *rows, int axis) {
    const Type *t = &n->in[0]->type;
    int wanted = 0;
    while (!n->out[wanted]) wanted++;
    Value *y = kept_rows(n, kept, rows, n->out[wanted]);
    int64_t dim[MAX_RANK] = {-1};
    int rank = 1;
    for (int i = 0; i < t->rank && attr(n, "axis")->set; i++)
        if (i != axis) dim[rank++] = t->dim[i].max;
    Value *shape = const_ints(n->graph->module, rank, dim);
    return moved_axis(n, build_text(n, "Reshape(m, p)", 2, (Value *[]){y, shape}), 0, axis);
}

static void bound_unique(Node *n) {
    Value *x = n->in[0], *y[4] = {NULL};
    const Attr *given = attr(n, "axis");
    int axis = given->set ? (int)axis_in(given->i, x->type.rank) : 0;
    x = given->set ? moved_axis(n, x, axis, 0) : x;
    Value *shape =
        const_ints(n->graph->module, 2, (int64_t[]){given->set ? x->type.dim[0].max : type_count(&x->type), -1});
    Sorted s = sort_rows(n, build_text(n, "Reshape(m, p)", 2, (Value *[]){x, shape}));
    bool sorted = attr_i(n, "sorted") != 0;
    Kept kept = sorted ? s.first : by_appearance(n, &s);
    Value *rows = sorted ? build_text(n, "Gather(m, p)", 2, (Value *[]){s.rows, s.order}) : s.rows;
    y[0] = unique_rows(n, &kept, rows, axis);
    y[1] = cut(
        n,
        rows_in_front(n, &kept,
                      sorted ? s.order : build_text(n, "p + q - 1", 3, (Value *[]){kept.mask, kept.kept, kept.rest})),
        kept.extent);
    y[2] = build_text(n, "ScatterElements(zeros(m), m, p)", 2, (Value *[]){s.order, s.group});
    y[3] = cut(n, build_text(n, "z = zeros(m); ScatterElements(z, m, z + 1, reduction = \"add\")", 1, &s.group),
               kept.extent);
    replaced_by(n, n->nout, y);
}

/* ---- all of them ---- */

static const struct {
    int op, decides; /* the operand that decides how much there is */
    void (*bound)(Node *);
} sources[] = {{OP_NonZero, 0, bound_non_zero},
               {OP_Compress, 1, bound_compress},
               {OP_NonMaxSuppression, -1, bound_suppression},
               {OP_Unique, -1, bound_unique}};

static int source_of(const Node *n) {
    for (int i = 0; i < COUNT(sources); i++)
        if (n->op == &ops[sources[i].op]) return i;
    return -1;
}

bool size_follows_from_call(const Node *n) {
    int s = source_of(n);
    const Value *x = s < 0 || sources[s].decides < 0 ? NULL : input(n, sources[s].decides);
    if (s < 0 || (sources[s].decides >= 0 && !x) || (x && is_known(x))) return false;
    bool wanted = false;
    for (int i = 0; i < n->nout; i++) {
        const Value *y = n->out[i];
        if (y && (y->data || y->replacement || !type_known(&y->type))) return false;
        wanted = wanted || y;
    }
    return wanted;
}

void bound_results(Node *n) { sources[source_of(n)].bound(n); }
