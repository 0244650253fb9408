/* sequence_split.c - SplitToSequence: parts of listed sizes, of one size, or of a number that a call tells. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/items.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

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
