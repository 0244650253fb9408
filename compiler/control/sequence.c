/* sequence.c - sequences and optionals: lists of values that are known when compiling, or rows of a tensor.
 *
 * A value that is a sequence has Value.items, and its type is that of its length. Behind the pass infer there are only
 * the items: operators that take or give sequences are gone. An optional is what is in it, or a list of nothing. Where
 * only a call tells how many tensors there are, they are of one type, and rows of one: Items.rows; or parts of one that
 * is divided by a number: Items.whole. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/items.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

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
