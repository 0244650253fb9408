/* items.c - what a sequence has: a list of values, rows of a tensor, or parts of one. */
#include "control/items.h"
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"

void give_items(Node *n, int i, int count, Value *const *at, bool none) {
    Value *v = output(n, i);
    Arena *a = n->graph->module->arena;
    if (!v) return;
    Items *items = NEW(a, Items);
    items->n = count, items->none = none, items->at = NEW_ARRAY(a, Value *, count + 1);
    for (int k = 0; k < count; k++) items->at[k] = resolve(at[k]);
    v->items = items;
    set_result(n, i, DT_i64, 0, NULL);
}

void give_rows(Node *n, Value *rows) {
    Items *items = NEW(n->graph->module->arena, Items);
    items->rows = resolve(rows);
    if (!output(n, 0)) return;
    n->out[0]->items = items;
    set_result(n, 0, DT_i64, 0, NULL);
}

bool need_rows_of_one_type(Node *n, const Items *s) {
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

/* ---- parts of a tensor, by the number of elements of each ---- */

static Value *axis_of_whole(Node *n, const Items *s) {
    return build_text(n, format(n->graph->module->arena, "Gather(Shape(m), %d)", s->axis), 1, (Value **)&s->whole);
}

Value *parts_of_whole(Node *n, const Items *s) {
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
Value *part_at(Node *n, const Items *s, Value *place) {
    const char *text = "i = Reshape(Cast(m, to = 7), []); Where(i < 0, i + p, i) * q";
    Value *from = build_text(n, text, 3, (Value *[]){place, parts_of_whole(n, s), s->each}),
          *left = build_text(n, "Min(m, p - q)", 3, (Value *[]){s->each, axis_of_whole(n, s), from}),
          *extent = measured(n, left, 1, s, "part_extent");
    text = format(n->graph->module->arena, "Gather(m, Range(cast(0, \"i64\"), p, 1) + q, axis = %d)", s->axis);
    return build_text(n, text, 3, (Value *[]){s->whole, extent, from});
}

/* The tensors of a sequence as rows of one; NULL after a problem: they differ, or there is none to tell their type. */
Value *need_rows(Node *n, const Items *s) {
    if (s->rows) return s->rows;
    if (s->whole) return rows_of_parts(n, s);
    return need_rows_of_one_type(n, s) ? joined(n, s->n, s->at, 0, true) : NULL;
}

const Items *need_items(Node *n, int i) {
    const Items *items = n->in[i]->items;
    if (items && !items->none) return items;
    problem(n, EXIT_INPUT, "%s: expected a sequence, saw %s", arg_text(n, i), items ? "none" : in_text(n, i));
    return NULL;
}

bool is_tensor(Node *n, int i) {
    if (!n->in[i]->items) return true;
    problem(n, EXIT_UNSUPPORTED, "%s: expected a tensor, saw a sequence", arg_text(n, i));
    return false;
}

/* The place that input i names, counted from the end if negative; `last` without one. */
bool need_place(Node *n, int i, int count, int last, int *place) {
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

void becomes(Node *n, Value *v) {
    v = resolve(v);
    if (n->out[0]) n->out[0]->type = v->type, n->out[0]->items = v->items;
    replaced_by(n, 1, &v);
}

Value *made_of(Node *at, int op, int count, Value *const *in) {
    Node *x = insert_node(at, &ops[op], count, in);
    infer_node(x);
    return x->out[0];
}

Value *joined(Node *n, int count, Value *const *part, int64_t axis, bool new_axis) {
    Module *m = n->graph->module;
    Value **in = NEW_ARRAY(m->arena, Value *, count + 1), *at = const_ints(m, 1, &axis);
    for (int k = 0; k < count; k++)
        in[k] = new_axis ? made_of(n, OP_Unsqueeze, 2, (Value *[]){part[k], at}) : resolve(part[k]);
    Node *all = insert_node(n, &ops[OP_Concat], count, in);
    set_attr_i(all, "axis", axis);
    infer_node(all);
    return all->out[0];
}
