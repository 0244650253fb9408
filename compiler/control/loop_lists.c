/* loop_lists.c - Loops that carry sequences: unrolled, or with rows of one tensor in their place. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

bool carries_list(const Node *n) {
    for (int i = LOOP_CARRIED; i < n->nin; i++)
        if (n->in[i]->items) return true;
    return false;
}

/* What an iteration would make of the sequences that are carried, by their types: NULL for others. false: it does not
 * say it. */
static bool rows_of_lists(Node *n, Value **like) {
    Module *m = n->graph->module;
    Graph *body = loop_body(n), *tried = clone_graph(body, body->outer, map_new(m->arena));
    int said = m->problems.n;
    forget_types(tried);
    for (int i = 0; i < n->nin; i++) {
        tried->in[i]->type = i == LOOP_M      ? (Type){.dtype = DT_i64}
                             : i == LOOP_COND ? (Type){.dtype = DT_bool}
                                              : *in_type(n, i);
        tried->in[i]->items = i < LOOP_CARRIED ? NULL : n->in[i]->items;
    }
    infer_graph(tried);
    bool all = m->problems.n == said;
    for (int k = 0; k < loop_carried(n) && all; k++) {
        const Value *first = n->in[LOOP_CARRIED + k];
        like[k] = first->items ? no_row_like(body, first) : NULL;
        if (first->items && !like[k]) like[k] = no_row_like(body, tried->out[BODY_CARRIED + k]);
        const Items *next = tried->out[BODY_CARRIED + k]->items;
        bool flagged =
            first->items && (first->items->has || (next && next->has)); /* rows do not say whether there are any */
        all = !first->items || (like[k] && !flagged);
    }
    m->problems.n = said;
    forget_extents(tried);
    return all;
}

/* Carried sequence k as rows of one tensor. */
static Node *carry_rows(Node *n, int k, Value *like) {
    Graph *body = loop_body(n);
    Value *old = body->in[LOOP_CARRIED + k], *last = n->out[k];
    fresh_parameter(body, LOOP_CARRIED + k);
    Value *rows = body->in[LOOP_CARRIED + k];
    rows->items = NULL;
    Node *list = node_new(body, body->first, &ops[OP_SequenceOfRows], 1, &rows, 1, NULL, n->loc);
    replace(old, list->out[0]);
    Node *next = node_new(body, NULL, &ops[OP_RowsOfSequence], 2,
                          (Value *[]){resolve(body->out[BODY_CARRIED + k]), like}, 1, NULL, n->loc);
    set_output(body, BODY_CARRIED + k, next->out[0]);
    Node *first =
        node_new(n->graph, n, &ops[OP_RowsOfSequence], 2, (Value *[]){n->in[LOOP_CARRIED + k], like}, 1, NULL, n->loc);
    Value *begin = first->out[0];
    infer_node(first);
    n->in[LOOP_CARRIED + k] = resolve(begin);
    Value *all = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
    all->kind = V_NODE, all->def = n, all->result = k, n->out[k] = all;
    Node *after = node_new(n->graph, n->next, &ops[OP_SequenceOfRows], 1, &all, 1, NULL, n->loc);
    replace_keeping_name(last, after->out[0]);
    return after;
}

/* Of tensors of one type, where data or an extent tells how often the body runs. */
static bool carry_lists(Node *n) {
    Arena *a = n->graph->module->arena;
    int carried = loop_carried(n);
    Value **like = NEW_ARRAY(a, Value *, carried + 1);
    Node **after = NEW_ARRAY(a, Node *, carried + 1);
    if (is_being_read(n->graph) || !rows_of_lists(n, like)) return false;
    for (int k = 0; k < carried; k++)
        if (like[k]) after[k] = carry_rows(n, k, like[k]);
    infer_loop(n);
    for (int k = 0; k < carried; k++)
        if (after[k] && type_known(&resolve(after[k]->in[0])->type)) infer_node(after[k]);
    return true;
}

void unroll_lists(Node *n) {
    Graph *body = loop_body(n);
    int64_t count = counted_trips(n);
    if (count < 0 || count > MAX_UNROLLED || (!count && has_rows(n))) {
        if (!carry_lists(n))
            problem(n, EXIT_UNSUPPORTED,
                    "it carries a sequence: expected tensors of one type and fixed extents in it, or 1 to %d "
                    "iterations, by a trip count that is known when compiling and nothing else",
                    MAX_UNROLLED);
        return;
    }
    forget_types(body);
    unroll(n, clone_graph(body, body->outer, map_new(body->module->arena)), count);
}
