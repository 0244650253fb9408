/* sequence.c - sequences and optionals: lists of values that are known when compiling, or rows of a tensor.
 *
 * A value that is a sequence has Value.items, and its type is that of its length. Behind the pass infer there are only
 * the items: operators that take or give sequences are gone. An optional is what is in it, or a list of nothing. Where
 * only a call tells how many tensors there are, they are of one type, and rows of one: Items.rows; or parts of one that
 * is divided by a number: Items.whole. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

enum { MAX_ITEMS = 4096, CLONE_FUEL = 16 };

static Value *joined(Node *n, int count, Value *const *part, int64_t axis, bool new_axis);
static void becomes(Node *n, Value *v);

/* ---- lists ---- */

static void give_items(Node *n, int i, int count, Value *const *at, bool none) {
    Value *v = output(n, i);
    Arena *a = n->graph->module->arena;
    if (!v) return;
    Items *items = NEW(a, Items);
    items->n = count, items->none = none, items->at = NEW_ARRAY(a, Value *, count + 1);
    for (int k = 0; k < count; k++) items->at[k] = resolve(at[k]);
    v->items = items;
    set_result(n, i, DT_i64, 0, NULL);
}

static void give_rows(Node *n, Value *rows) {
    Items *items = NEW(n->graph->module->arena, Items);
    items->rows = resolve(rows);
    if (!output(n, 0)) return;
    n->out[0]->items = items;
    set_result(n, 0, DT_i64, 0, NULL);
}

static bool need_rows_of_one_type(Node *n, const Items *s) {
    for (int k = 1; k < s->n; k++) {
        const Type *a = &resolve(s->at[0])->type, *b = &resolve(s->at[k])->type;
        if (a->dtype == b->dtype && same_shape(a, b)) continue;
        problem(n, EXIT_UNSUPPORTED,
                "expected tensors of one type in a sequence that a call chooses from, saw %s and %s", type_shown(n, a),
                type_shown(n, b));
        return false;
    }
    if (!s->n) problem(n, EXIT_UNSUPPORTED, "expected a sequence with tensors, saw an empty one");
    return s->n > 0;
}

/* Whether only a call tells how many tensors there are. */
static bool is_open_list(const Items *s) { return s->rows || s->whole; }

/* ---- parts of a tensor, by the number of elements of each ---- */

static Value *axis_of_whole(Node *n, const Items *s) {
    return build_text(n, format(n->graph->module->arena, "Gather(Shape(m), %d)", s->axis), 1, (Value **)&s->whole);
}

static Value *parts_of_whole(Node *n, const Items *s) {
    return build_text(n, "Min((m + p - 1) / p, m)", 2, (Value *[]){axis_of_whole(n, s), s->each});
}

/* A number of elements as an extent of the call. */
static Value *measured(Node *n, Value *number, int64_t least, const Items *s, const char *stem) {
    Module *m = n->graph->module;
    int64_t most = s->whole->type.dim[s->axis].max;
    return extent_called(n, number, 0, fresh_dim(m, stem), least, most < least ? least : most, true);
}

/* As rows of one: the call fails unless all have as many elements. */
static Value *rows_of_parts(Node *n, const Items *s) {
    Arena *a = n->graph->module->arena;
    int rank = s->whole->type.rank;
    Str shape = {.arena = a}, perm = {.arena = a};
    Value *each = build_text(n, "Min(m, p)", 2, (Value *[]){s->each, axis_of_whole(n, s)}),
          *count = measured(n, parts_of_whole(n, s), 0, s, "parts_count");
    each = measured(n, each, 0, s, "parts_extent");
    must_be_equal(n, axis_of_whole(n, s), build_text(n, "m * p", 2, (Value *[]){count, each}));
    for (int k = 0; k < rank; k++) {
        put_text(&shape, k ? ", " : "");
        if (k == s->axis)
            put_text(&shape, "Reshape(p, [1]), Reshape(q, [1])");
        else
            put(&shape, "Slice(Shape(m), [%d], [%d], [0])", k, k + 1);
        put(&perm, ", %d", k < s->axis ? k : k + 1);
    }
    Value *rows = build_text(n, format(a, "Unflatten(Reshape(m, [-1]), Concat(%s, axis = 0))", shape.s), 3,
                             (Value *[]){s->whole, count, each});
    return build_text(n, format(a, "Transpose(m, perm = [%d%s])", s->axis, perm.s), 1, &rows);
}

/* The one at a place that data may tell. */
static Value *part_at(Node *n, const Items *s, Value *place) {
    const char *text = "i = Reshape(Cast(m, to = 7), []); Where(i < 0, i + p, i) * q";
    Value *from = build_text(n, text, 3, (Value *[]){place, parts_of_whole(n, s), s->each}),
          *left = build_text(n, "Min(m, p - q)", 3, (Value *[]){s->each, axis_of_whole(n, s), from}),
          *extent = measured(n, left, 1, s, "part_extent");
    text = format(n->graph->module->arena, "Gather(m, Range(cast(0, \"i64\"), p, 1) + q, axis = %d)", s->axis);
    return build_text(n, text, 3, (Value *[]){s->whole, extent, from});
}

/* The tensors of a sequence as rows of one; NULL after a problem: they differ, or there is none to tell their type. */
static Value *need_rows(Node *n, const Items *s) {
    if (s->rows) return s->rows;
    if (s->whole) return rows_of_parts(n, s);
    return need_rows_of_one_type(n, s) ? joined(n, s->n, s->at, 0, true) : NULL;
}

static const Items *need_items(Node *n, int i) {
    const Items *items = n->in[i]->items;
    if (items && !items->none) return items;
    problem(n, EXIT_INPUT, "%s: expected a sequence, saw %s", arg_text(n, i), items ? "none" : in_text(n, i));
    return NULL;
}

static bool is_tensor(Node *n, int i) {
    if (!n->in[i]->items) return true;
    problem(n, EXIT_UNSUPPORTED, "%s: expected a tensor, saw a sequence", arg_text(n, i));
    return false;
}

/* The place that input i names, counted from the end if negative; `last` without one. */
static bool need_place(Node *n, int i, int count, int last, int *place) {
    int64_t given = last;
    int one;
    if (input(n, i) && !need_ints(n, i, 1, &one, &given)) return false;
    int64_t at = given < 0 ? given + count : given;
    *place = (int)at;
    if (at >= 0 && at <= last) return true;
    problem(n, EXIT_INPUT, "%s: expected a place in a sequence of %d, saw %lld",
            input(n, i) ? arg_text(n, i) : "position", count, (long long)given);
    return false;
}

static void becomes(Node *n, Value *v) {
    v = resolve(v);
    if (n->out[0]) n->out[0]->type = v->type, n->out[0]->items = v->items;
    replaced_by(n, 1, &v);
}

static Value *made_of(Node *at, int op, int count, Value *const *in) {
    Node *x = insert_node(at, &ops[op], count, in);
    infer_node(x);
    return x->out[0];
}

static Value *joined(Node *n, int count, Value *const *part, int64_t axis, bool new_axis) {
    Module *m = n->graph->module;
    Value **in = NEW_ARRAY(m->arena, Value *, count + 1), *at = const_ints(m, 1, &axis);
    for (int k = 0; k < count; k++)
        in[k] = new_axis ? made_of(n, OP_Unsqueeze, 2, (Value *[]){part[k], at}) : resolve(part[k]);
    Node *all = insert_node(n, &ops[OP_Concat], count, in);
    set_attr_i(all, "axis", axis);
    infer_node(all);
    return all->out[0];
}

/* ---- operators ---- */

void infer_sequence_construct(Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (!is_tensor(n, i)) return;
    give_items(n, 0, n->nin, n->in, false);
}

void infer_sequence_empty(Node *n) { give_items(n, 0, 0, NULL, false); }

/* Whether only a call tells a place that input i names. */
static bool is_open_place(const Node *n, int i) {
    return input(n, i) && !n->in[i]->data && !n->in[i]->known && type_count(in_type(n, i)) == 1;
}

/* A place, or the one behind the last, among n rows, counted from the front. */
#define PLACE "n = Gather(Shape(m), 0); i = Reshape(Cast(q, to = 7), []); at = Where(i < 0, i + n, i); "

static Value *place_of(Node *n, int i, Value *rows, const char *without) {
    return input(n, i) ? n->in[i] : build_text(n, without, 1, &rows);
}

static void insert_row(Node *n, const Items *s) {
    Value *rows = need_rows(n, s), *x = n->in[1];
    if (!rows) return;
    Type t = {.dtype = rows->type.dtype, .rank = rows->type.rank - 1};
    for (int k = 0; k < t.rank; k++) t.dim[k] = rows->type.dim[k + 1];
    if (t.dtype != x->type.dtype || !same_shape(&t, &x->type)) {
        problem(n, EXIT_UNSUPPORTED, "%s: expected %s as the others of a sequence whose length a call tells, saw %s",
                arg_text(n, 1), type_shown(n, &t), in_text(n, 1));
        return;
    }
    Value *with[3] = {rows, x, place_of(n, 2, rows, "Gather(Shape(m), 0)")};
    give_rows(n, build_text(n,
                            input(n, 2) ? PLACE
                                "j = Range(cast(0, \"i64\"), n + 1, 1); Gather(Concat(m, Unsqueeze(p, [0]), axis "
                                "= 0), Where(j < at, j, Where(j == at, n, j - 1)))"
                                        : "Concat(m, Unsqueeze(p, [0]), axis = 0)",
                            3, with));
}

void infer_sequence_insert(Node *n) {
    const Items *s = need_items(n, 0);
    int place;
    if (s && is_tensor(n, 1) && (is_open_list(s) || (is_open_place(n, 2) && s->n))) {
        insert_row(n, s);
        return;
    }
    if (!s || !is_tensor(n, 1) || !need_place(n, 2, s->n, s->n, &place)) return;
    Value **at = NEW_ARRAY(n->graph->module->arena, Value *, s->n + 1);
    for (int k = 0; k <= s->n; k++) at[k] = k < place ? s->at[k] : k > place ? s->at[k - 1] : n->in[1];
    give_items(n, 0, s->n + 1, at, false);
}

void infer_sequence_erase(Node *n) {
    const Items *s = need_items(n, 0);
    int place;
    if (s && (is_open_list(s) || is_open_place(n, 1))) {
        Value *rows = need_rows(n, s),
              *with[3] = {rows, rows, rows ? place_of(n, 1, rows, "Gather(Shape(m), 0) - 1") : NULL};
        if (rows)
            give_rows(n, build_text(n,
                                    PLACE
                                    "j = Range(cast(0, \"i64\"), Max(n - 1, 0), 1); Gather(m, Where(j < at, j, j + 1))",
                                    3, with));
        return;
    }
    if (!s || !need_place(n, 1, s->n, s->n - 1, &place)) return;
    Value **at = NEW_ARRAY(n->graph->module->arena, Value *, s->n);
    for (int k = 0; k < s->n - 1; k++) at[k] = s->at[k + (k >= place)];
    give_items(n, 0, s->n - 1, at, false);
}

/* One of equal type that only a run names is a row of all of them. */
static bool gathers_item(Node *n, const Items *s) {
    if (n->in[1]->data || n->in[1]->known || !s->n || type_count(in_type(n, 1)) != 1) return false;
    const Type *first = &resolve(s->at[0])->type;
    for (int k = 0; k < s->n; k++) {
        const Type *t = &resolve(s->at[k])->type;
        if (t->dtype != first->dtype || !same_shape(t, first)) return false;
    }
    Value *all = joined(n, s->n, s->at, 0, true), *y;
    build_decomposition(n, "Gather(x, Squeeze(Reshape(i, [1]), [0]))", 2, (const char *[]){"x", "i"},
                        (Value *[]){all, n->in[1]}, 1, &y);
    becomes(n, y);
    return true;
}

void infer_sequence_at(Node *n) {
    const Items *s = need_items(n, 0);
    int place;
    if (s && s->rows) {
        becomes(n, build_text(n, "Gather(m, Reshape(p, []))", 2, (Value *[]){s->rows, n->in[1]}));
        return;
    }
    if (s && s->whole) {
        becomes(n, part_at(n, s, n->in[1]));
        return;
    }
    if (!s || gathers_item(n, s) || !need_place(n, 1, s->n, s->n - 1, &place)) return;
    becomes(n, s->at[place]);
}

void infer_sequence_length(Node *n) {
    const Items *s = need_items(n, 0);
    if (s && s->rows)
        becomes(n, build_text(n, "Gather(Shape(m), 0)", 1, &s->rows));
    else if (s && s->whole)
        becomes(n, parts_of_whole(n, s));
    else if (s)
        becomes(n, const_scalar(n->graph->module, DT_i64, s->n));
}

/* Rows one after the other along an axis of theirs, or along a new one. */
static void join_rows(Node *n, Value *rows) {
    Arena *a = n->graph->module->arena;
    int rank = rows->type.rank, wide = attr_i(n, "new_axis") ? rank : rank - 1;
    int64_t axis = axis_in(attr_i(n, "axis"), wide);
    if (axis < 0) {
        problem(n, EXIT_INPUT, "attribute 'axis': expected an axis of %d, saw %lld", wide,
                (long long)attr_i(n, "axis"));
        return;
    }
    Str perm = {.arena = a}, shape = {.arena = a};
    for (int k = 0; k < rank; k++) put(&perm, "%s%d", k ? ", " : "", k < axis ? k + 1 : k == axis ? 0 : k);
    rows = build_text(n, format(a, "Transpose(m, perm = [%s])", perm.s), 1, &rows);
    if (!attr_i(n, "new_axis")) {
        for (int k = 0; k < wide; k++) {
            int from = k > axis ? k + 1 : k;
            put_text(&shape, k ? ", " : "");
            k == axis ? put_text(&shape, "[-1]") : put(&shape, "Slice(Shape(m), [%d], [%d], [0])", from, from + 1);
        }
        rows = build_text(n, format(a, "Reshape(m, Concat(%s, axis = 0))", shape.s), 1, &rows);
    }
    becomes(n, rows);
}

void infer_concat_from_sequence(Node *n) {
    const Items *s = need_items(n, 0);
    if (s && s->whole && !attr_i(n, "new_axis") && axis_in(attr_i(n, "axis"), s->whole->type.rank) == s->axis) {
        becomes(n, s->whole);
        return;
    }
    if (s && is_open_list(s)) {
        join_rows(n, need_rows(n, s));
        return;
    }
    if (s && !s->n) problem(n, EXIT_INPUT, "expected a sequence with tensors, saw an empty one");
    if (s && s->n) becomes(n, joined(n, s->n, s->at, attr_i(n, "axis"), attr_i(n, "new_axis") != 0));
}

/* Sizes of the parts: as listed, of one size but for the last, or of 1; NULL after a problem. */
static const int64_t *list_sizes(Node *n, int64_t extent, int *count) {
    Arena *a = n->graph->module->arena;
    int64_t each = 1, *size = NEW_ARRAY(a, int64_t, MAX_ITEMS), sum = 0;
    bool listed = input(n, 1) && in_type(n, 1)->rank == 1;
    if (input(n, 1) && !need_ints(n, 1, MAX_ITEMS, count, size)) return NULL;
    if (input(n, 1) && !listed) each = size[0];
    if (!listed && (each < 1 || ceil_div(extent, each) > MAX_ITEMS)) {
        problem(n, EXIT_UNSUPPORTED, "expected 1 to %d parts, saw %lld of %lld", MAX_ITEMS, (long long)extent,
                (long long)each);
        return NULL;
    }
    if (!listed) *count = (int)ceil_div(extent, each);
    for (int k = 0; k < *count && !listed; k++) size[k] = extent - k * each < each ? extent - k * each : each;
    for (int k = 0; k < *count; k++)
        if (size[k] < 0 || !add_ok(sum, size[k], &sum)) sum = -1, *count = 0;
    if (sum == extent) return size;
    problem(n, EXIT_INPUT, "%s: expected parts with the %lld elements of the axis, saw %lld", arg_text(n, 1),
            (long long)extent, (long long)sum);
    return NULL;
}

/* Sizes that a call tells: as many parts as there are. */
static bool split_by_sizes(Node *n, int64_t axis) {
    const Value *sizes = input(n, 1);
    int64_t count = sizes && sizes->type.rank == 1 ? type_count(&sizes->type) : 0;
    if (count < 1 || count > MAX_ITEMS || sizes->data) return false;
    Node *split = node_new(n->graph, n, &ops[OP_Split], 2, n->in, (int)count, NULL, n->loc);
    Value **at = NEW_ARRAY(n->graph->module->arena, Value *, count);
    set_attr_i(split, "axis", axis);
    split->name = NULL, split->origin = n->origin;
    for (int64_t k = 0; k < count; k++) at[k] = split->out[k];
    infer_sized(split);
    give_items(n, 0, (int)count, at, false);
    return true;
}

/* One number that a call tells, or an axis of which only a call tells the extent: parts of a whole; single elements are
 * rows. */
static bool split_by_number(Node *n, int axis) {
    Value *each = input(n, 1), *x = n->in[0];
    Arena *a = n->graph->module->arena;
    int64_t one = 1, most = x->type.dim[axis].max > 1 ? x->type.dim[axis].max : 1;
    if (each && (each->type.rank || n->graph->module->entry)) return false;
    if (!x->type.dim[axis].symbol && (!each || each->data || each->known)) return false;
    if (n->graph->outer && is_being_read(n->graph)) return true; /* it is inferred again */
    Items *items = NEW(a, Items);
    if (!each || (is_known(each) && get_i(each->data, 0) == 1)) {
        Str perm = {.arena = a};
        for (int k = 0; k < x->type.rank; k++)
            if (k != axis) put(&perm, ", %d", k);
        items->rows = build_text(n, format(a, "Transpose(m, perm = [%d%s])", axis, perm.n ? perm.s : ""), 1, &x);
        if (each || attr_i(n, "keepdims"))
            items->rows = build_text(n, "Unsqueeze(m, p)", 2,
                                     (Value *[]){items->rows, const_ints(n->graph->module, 1, (int64_t[]){axis + 1})});
    } else {
        each = build_text(n, format(a, "Min(Reshape(Cast(m, to = 7), []), %lld)", (long long)most), 1, &each);
        items->whole = x, items->axis = axis;
        items->each = extent_called(n, each, 0, fresh_dim(n->graph->module, format(a, "%s_each", port_name(n->out[0]))),
                                    one, most, true);
    }
    n->out[0]->items = items;
    set_result(n, 0, DT_i64, 0, NULL);
    return true;
}

void infer_split_to_sequence(Node *n) {
    Module *m = n->graph->module;
    const Type *t = in_type(n, 0);
    int count = 0;
    if (!output(n, 0) || n->out[0]->items || !is_tensor(n, 0) || !need_rank_from(n, 0, 1)) return;
    int64_t axis = attr_axis(n, "axis", t->rank);
    if (split_by_number(n, (int)axis) || split_by_sizes(n, axis) || !need_fixed(n, t->dim[axis], "the split axis"))
        return;
    const int64_t *size = list_sizes(n, t->dim[axis].max, &count);
    if (!size) return;
    Value *sizes = const_ints(m, count, size);
    Node *split = node_new(n->graph, n, &ops[OP_Split], 2, (Value *[]){n->in[0], sizes}, count, NULL, n->loc);
    set_attr_i(split, "axis", axis);
    split->name = NULL, split->origin = n->origin;
    infer_node(split);
    Value **at = NEW_ARRAY(m->arena, Value *, count + 1), *only = const_ints(m, 1, &axis);
    bool flat = !input(n, 1) && !attr_i(n, "keepdims");
    for (int k = 0; k < count; k++)
        at[k] = flat ? made_of(n, OP_Squeeze, 2, (Value *[]){split->out[k], only}) : split->out[k];
    give_items(n, 0, count, at, false);
}

/* The body's nodes for one item of each sequence; `result[k]`: its k-th. */
static void map_item(Node *n, const Graph *body, int64_t i, Value **result) {
    Module *m = n->graph->module;
    Map *of = map_new(m->arena);
    Node *before = n->prev;
    for (const Node *x = body->first; x; x = x->next)
        if ((m->fuel -= CLONE_FUEL) < 0) fatal(m, EXIT_INPUT, "the model is too large to unroll its sequences");
    for (int k = 0; k < n->nin; k++)
        clone_stands_for(of, body->in[k], n->in[k]->items ? resolve(n->in[k]->items->at[i]) : n->in[k]);
    clone_nodes(body, n->graph, n, of);
    come_out_of(n, i, before ? before->next : n->graph->first, n);
    infer_new_nodes(before, n);
    for (int k = 0; k < body->nout; k++) result[k] = resolve(clone_of(of, body->out[k]));
}

/* As many rows as the first sequence has: the body is that of a Scan over them. */
static void map_rows(Node *n, const Graph *body) {
    Module *m = n->graph->module;
    Graph *g = clone_graph(body, n->graph, map_new(m->arena));
    List rows = {0}, in = {0};
    for (int k = 0; k < n->nin; k++) {
        if (!n->in[k]->items) {
            replace(g->in[k], n->in[k]);
            continue;
        }
        Value *v = need_rows(n, n->in[k]->items);
        if (!v) return;
        push(m->arena, &rows, v), push(m->arena, &in, g->in[k]);
    }
    g->in = (Value **)in.at, g->nin = in.n;
    for (int k = 0; k < g->nin; k++) g->in[k]->result = k;
    Node *scan = node_new(n->graph, n, &ops[OP_Scan], rows.n, (Value **)rows.at, body->nout, NULL, n->loc);
    scan->name = NULL, scan->origin = n->origin, scan->turns = n->turns, g->owner = scan;
    set_attr(scan, &(Attr){.name = "body", .kind = A_GRAPH, .graph = g});
    set_attr_i(scan, "num_scan_inputs", rows.n);
    Value **y = NEW_ARRAY(m->arena, Value *, body->nout + 1);
    for (int k = 0; k < body->nout; k++) y[k] = scan->out[k];
    infer_sized(scan);
    for (int k = 0; k < n->nout; k++) {
        if (!output(n, k)) continue;
        Items *items = NEW(m->arena, Items);
        items->rows = resolve(y[k]), n->out[k]->items = items;
        set_result(n, k, DT_i64, 0, NULL);
    }
}

void infer_sequence_map(Node *n) {
    const Graph *body = attr(n, "body")->graph;
    const Items *s = need_items(n, 0);
    int said = n->graph->module->problems.n;
    if (!s || (n->nout && output(n, 0) && n->out[0]->items)) return;
    if (!body || body->nin != n->nin || body->nout < n->nout) {
        problem(n, EXIT_INPUT, "expected a body with %d inputs and at least %d results, saw %d and %d", n->nin, n->nout,
                body ? body->nin : 0, body ? body->nout : 0);
        return;
    }
    if (is_open_list(s)) {
        map_rows(n, body);
        return;
    }
    for (int k = 1; k < n->nin; k++)
        if (n->in[k]->items && n->in[k]->items->n < s->n) {
            problem(n, EXIT_INPUT, "%s: expected %d tensors as in the first sequence, saw %d", arg_text(n, k), s->n,
                    n->in[k]->items->n);
            return;
        }
    Value **result = NEW_ARRAY(n->graph->module->arena, Value *, (size_t)(s->n + 1) * (size_t)(body->nout + 1));
    Value **at = NEW_ARRAY(n->graph->module->arena, Value *, s->n + 1);
    for (int i = 0; i < s->n; i++) map_item(n, body, i, result + i * body->nout);
    for (int k = 0; k < n->nout && n->graph->module->problems.n == said; k++) {
        for (int i = 0; i < s->n; i++) at[i] = result[i * body->nout + k];
        give_items(n, k, s->n, at, false);
    }
}

/* Items with another word on whether there are any. */
static void give_sequence(Node *n, const Items *s, Value *has) {
    Items *items = arena_copy(n->graph->module->arena, s, sizeof *s);
    items->has = has, n->out[0]->items = items;
    set_result(n, 0, DT_i64, 0, NULL);
}

void infer_optional(Node *n) {
    if (!input(n, 0))
        give_items(n, 0, 0, NULL, true);
    else if (n->in[0]->items)
        give_sequence(n, n->in[0]->items, const_scalar(n->graph->module, DT_bool, 1));
    else
        becomes(n, n->in[0]);
}

void infer_optional_has_element(Node *n) {
    const Value *v = input(n, 0);
    if (v && v->items && v->items->has)
        becomes(n, v->items->has);
    else if (v && v->items && v->items->rows)
        becomes(n, build_text(n, "Gather(Shape(m), 0) > 0", 1, &v->items->rows));
    else
        becomes(n, const_scalar(n->graph->module, DT_bool, v && !(v->items && v->items->none)));
}

void infer_optional_get_element(Node *n) {
    if (n->in[0]->items && n->in[0]->items->none)
        problem(n, EXIT_INPUT, "%s: expected an element, saw none", arg_text(n, 0));
    else if (n->in[0]->items && n->in[0]->items->has)
        give_sequence(n, n->in[0]->items, NULL);
    else if (n->in[0]->items && n->in[0]->items->rows)
        becomes(n, build_text(n, "Gather(m, 0)", 1, &n->in[0]->items->rows));
    else
        becomes(n, n->in[0]);
}

/* ---- rows of a tensor ---- */

/* As many as when compiling are a list. */
void infer_sequence_of_rows(Node *n) {
    Value *rows = n->in[0];
    Arena *a = n->graph->module->arena;
    if (!need_rank_from(n, 0, 1)) return;
    if (rows->type.dim[0].symbol || rows->type.dim[0].max > MAX_ITEMS) {
        give_rows(n, rows);
        return;
    }
    int count = (int)rows->type.dim[0].max;
    Value **at = NEW_ARRAY(a, Value *, count + 1);
    for (int k = 0; k < count; k++) at[k] = build_text(n, format(a, "Gather(m, %d)", k), 1, &rows);
    give_items(n, 0, count, at, false);
}

void infer_rows_of_sequence(Node *n) {
    const Items *s = n->in[0]->items;
    if (!s)
        becomes(n, build_text(n, "Unsqueeze(m, [0])", 1, n->in));
    else if (!is_open_list(s) && !s->n)
        becomes(n, n->in[1]);
    else if (is_open_list(s) || need_rows_of_one_type(n, s))
        becomes(n, need_rows(n, s));
}

/* Nothing, of the type of rows that a sequence or an optional would have; NULL: it does not tell one. */
Value *no_row_like(Graph *g, const Value *v) {
    v = resolve((Value *)(uintptr_t)v);
    const Items *s = v->items;
    const Value *one = !s ? v : s->rows ? s->rows : s->n ? resolve(s->at[0]) : NULL;
    int skip = s && s->rows;
    int64_t dim[MAX_RANK] = {0};
    if (!one || !type_known(&one->type) || one->type.rank - skip >= MAX_RANK) return NULL;
    for (int k = skip; k < one->type.rank; k++) {
        if (one->type.dim[k].symbol) return NULL;
        dim[k + 1 - skip] = one->type.dim[k].max;
    }
    return const_new(g->module, NULL, tensor_new(g->module->arena, one->type.dtype, one->type.rank + 1 - skip, dim));
}

/* ---- behind the pass infer ---- */

static void drop_list_nodes(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        bool list = n->op->lists;
        for (int i = 0; i < n->nout; i++) list |= n->out[i] && n->out[i]->items;
        if (list) unlink_node(n);
    }
}

/* Each tensor of a sequence is an output of its own; rows are one. */
static void put_items(Module *m, List *out, Value *v) {
    if (is_open_list(v->items))
        push(m->arena, out, output_as(m->main, resolve(need_rows(v->def, v->items)), port_name(v)));
    if (v->items->has && !is_known(v->items->has))
        push(m->arena, out, output_as(m->main, resolve(v->items->has), format(m->arena, "%s.has", port_name(v))));
    for (int k = 0; k < v->items->n; k++)
        push(m->arena, out, output_as(m->main, resolve(v->items->at[k]), format(m->arena, "%s_%d", port_name(v), k)));
}

void drop_lists(Module *m) {
    List out = {0};
    bool any = false;
    for (int i = 0; i < m->main->nout; i++) any |= resolve(m->main->out[i])->items != NULL;
    for (int i = 0; i < m->main->nout && any; i++) {
        Value *v = resolve(m->main->out[i]);
        if (v->items)
            put_items(m, &out, v);
        else
            push(m->arena, &out, v);
    }
    if (any) set_outputs(m->main, &out);
    if (any && !out.n)
        problem_at(m, EXIT_UNSUPPORTED, (Loc){0}, "output", "expected outputs, saw none and empty sequences alone");
    each_graph(m, drop_list_nodes, NULL);
}
