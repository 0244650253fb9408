/* if.c - If: both branches are inferred; a known condition puts the nodes of its branch in place. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

bool is_being_read(const Graph *g) {
    while (g && g->nout) g = g->outer;
    return g != NULL;
}

void infer_in_region(Node *n) {
    (is_being_read(n->graph->outer ? n->graph->outer : n->graph) ? infer_node : infer_sized)(n);
}

void infer_graph(Graph *g) {
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        infer_in_region(n);
        if (!is_gone(n)) drop_unused(n);
    }
    for (int i = 0; i < g->nout; i++) set_output(g, i, resolve(g->out[i]));
}

/* Values and regions of a node that has moved belong to the graph it moved to. */
static void adopt(Node *n) {
    Graph *g = n->graph;
    for (int i = 0; i < n->nout; i++) {
        if (!n->out[i]) continue;
        n->out[i]->graph = g;
        map_set(g->names, n->out[i]->name, n->out[i]);
    }
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].kind == A_GRAPH && n->attr[i].graph) n->attr[i].graph->outer = g;
}

void move_out(Node *x, Node *at) {
    move_before(x, at);
    adopt(x);
}

void inline_branch(Node *n, Graph *branch) {
    come_out_of(n, -1, branch->first, NULL);
    for (Node *x = branch->first, *next; x; x = next) {
        next = x->next;
        move_out(x, n);
    }
    for (int i = 0; i < n->nout; i++)
        if (n->out[i])
            n->out[i]->type = resolve(branch->out[i])->type, n->out[i]->items = resolve(branch->out[i])->items;
    replaced_by(n, n->nout, branch->out);
}

static void take_types(Node *n, const Graph *branch) {
    for (int i = 0; i < n->nout; i++) {
        const Value *from = resolve(branch->out[i]);
        if (!n->out[i] || !type_known(&from->type) || from->items) continue;
        set_result(n, i, from->type.dtype, from->type.rank, from->type.dim);
        n->out[i]->data = from->data, n->out[i]->known = from->known;
    }
}

/* A branch's sequence or optional, result i, as rows. */
static void rows_in_branch(Graph *g, int i, Value *like) {
    Node *rows = node_new(g, NULL, &ops[OP_RowsOfSequence], 2, (Value *[]){g->out[i], like}, 1, NULL, g->owner->loc);
    Value *y = rows->out[0];
    infer_node(rows);
    set_output(g, i, resolve(y));
}

static bool is_none(const Value *v) { return v->items && v->items->none; }

/* Whether there is a sequence, of an optional one; NULL: there always is. */
static Value *has_sequence(Module *m, const Value *v) {
    if (is_none(v)) return const_scalar(m, DT_bool, 0);
    return v->items ? v->items->has : NULL;
}

/* One more result of both branches, which the node gives. */
static Value *join_flags(Node *n, Graph *yes, Graph *no, Value *of_yes, Value *of_no) {
    Module *m = n->graph->module;
    Graph *branch[] = {yes, no};
    Value *flag[] = {of_yes, of_no}, **out = NEW_ARRAY(m->arena, Value *, n->nout + 1);
    for (int b = 0; b < 2; b++) {
        List all = {0};
        for (int k = 0; k < branch[b]->nout; k++) push(m->arena, &all, branch[b]->out[k]);
        push(m->arena, &all, flag[b] ? resolve(flag[b]) : const_scalar(m, DT_bool, 1));
        set_outputs(branch[b], &all);
    }
    for (int k = 0; k < n->nout; k++) out[k] = n->out[k];
    Value *v = out[n->nout] = value_new(n->graph, NULL, (Type){.dtype = DT_bool, .rank = 0});
    v->kind = V_NODE, v->def = n, v->result = n->nout++, v->loc = n->loc;
    n->out = out;
    return v;
}

/* Sequences of tensors of one type are rows, of which the branches may have different numbers; so is an optional
 * tensor. No sequence is not an empty one: of an optional one there is a flag beside the rows. */
static bool join_lists(Node *n, int i, Graph *yes, Graph *no) {
    Module *m = n->graph->module;
    bool lists = yes->out[i]->items && no->out[i]->items;
    Value *of_yes = lists ? has_sequence(m, yes->out[i]) : NULL, *of_no = lists ? has_sequence(m, no->out[i]) : NULL,
          *has = NULL;
    Value *like = no_row_like(yes, yes->out[i]), *v = n->out[i];
    if (!like) like = no_row_like(no, no->out[i]);
    if (!like || !v || is_being_read(n->graph)) return false;
    rows_in_branch(yes, i, like), rows_in_branch(no, i, like);
    Value *rows = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
    rows->kind = V_NODE, rows->def = n, rows->result = i, n->out[i] = rows;
    const Type *a = &yes->out[i]->type, *b = &no->out[i]->type;
    Node *list = node_new(n->graph, n->next, &ops[OP_SequenceOfRows], 1, &rows, 1, NULL, n->loc);
    if (!join_by_call(n, i) && a->dtype == b->dtype && same_shape(a, b)) set_result(n, i, a->dtype, a->rank, a->dim);
    if (!type_known(&resolve(rows)->type)) return false;
    if (of_yes || of_no) has = join_flags(n, yes, no, of_yes, of_no);
    infer_node(list);
    Items *items = arena_copy(m->arena, list->out[0]->items, sizeof *items);
    items->has = has, list->out[0]->items = items;
    v->type = list->out[0]->type, v->items = list->out[0]->items;
    replace_keeping_name(v, list->out[0]);
    return true;
}

static void join_types(Node *n, Graph *yes, Graph *no) {
    for (int i = 0; i < n->nout; i++) {
        const Type *a = &yes->out[i]->type, *b = &no->out[i]->type;
        if (!type_known(a) || !type_known(b)) continue;
        if (yes->out[i]->items || no->out[i]->items) {
            if (join_lists(n, i, yes, no)) continue;
            problem(n, EXIT_UNSUPPORTED,
                    "result %d is a sequence, and which branch is taken is not known when compiling", i);
            continue;
        }
        if (join_by_call(n, i)) continue;
        if (a->dtype == b->dtype && same_shape(a, b))
            set_result(n, i, a->dtype, a->rank, a->dim);
        else if (!is_being_read(n->graph) || a->dtype != b->dtype || a->rank != b->rank)
            problem(n, EXIT_UNSUPPORTED,
                    "result %d is %s in one branch, %s in the other, and which is taken is not known when compiling", i,
                    type_shown(n, a), type_shown(n, b));
    }
}

void infer_if(Node *n) {
    Graph *yes = attr(n, "then_branch")->graph, *no = attr(n, "else_branch")->graph;
    const Value *cond = n->in[0];
    if (type_count(&cond->type) != 1) {
        problem(n, EXIT_INPUT, "%s: expected one bool, saw %s", arg_text(n, 0), in_text(n, 0));
        return;
    }
    if (!yes || !no || yes->nout != n->nout || no->nout != n->nout) {
        problem(n, EXIT_INPUT, "expected as many results as its branches have, %d and %d, saw %d", yes ? yes->nout : 0,
                no ? no->nout : 0, n->nout);
        return;
    }
    bool known = cond->data && cond->kind != V_PARAM && cond->kind != V_STATE;
    bool taken = known && get_i(cond->data, 0);
    if (!known || taken) infer_graph(yes);
    if (!known || !taken) infer_graph(no);
    if (!known)
        join_types(n, yes, no);
    else if (n->graph->nout)
        inline_branch(n, taken ? yes : no);
    else
        take_types(n,
                   taken ? yes : no); /* a graph still being read: which results carry an output's name shows later */
}

void each_read(const Node *n, void (*f)(void *arg, Value *), void *arg) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]) f(arg, n->in[i]);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Graph *g = n->attr[i].graph;
        for (const Node *x = g ? g->first : NULL; x; x = x->next) each_read(x, f, arg);
        for (int k = 0; g && k < g->nout; k++) f(arg, g->out[k]);
    }
}

bool has_regions(const Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].graph) return true;
    return false;
}
