/* infer - one sweep that gives every value a type and evaluates small known results; needs: SSA order. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "strings/strings.h"
#include "train/train.h"

/* A dump that no pass has seen may leave types open; code needs them whole. */
static void check_inputs(Module *m) {
    for (int i = 0; i < m->main->nin; i++) {
        const Value *v = m->main->in[i];
        if (v->type.dtype == DT_none || v->type.rank < 0)
            problem_at(m, EXIT_INPUT, v->loc, "input", "'%s' needs a full type", escaped(m->arena, v->name, 60));
        for (int k = 0; k < v->type.rank; k++)
            if (v->type.dim[k].max < 0)
                problem_at(m, EXIT_INPUT, v->loc, "input", "dim %d of '%s' is not known; give it with --dim %s=N", k,
                           escaped(m->arena, v->name, 60), escaped(m->arena, unnamed_dim(m->arena, v->name, k), 60));
    }
}

/* Rows of a Loop that data may end early: how many there are is its iteration number, which it carries last. In a dump
 * they were followed before. */
static void bound_rows(Node *n) {
    int carried = loop_carried(n);
    for (int i = carried; i < n->nout && !n->graph->module->after; i++)
        if (n->out[i] && type_known(&n->out[i]->type)) bound_value(n->out[i], n->out[carried - 1], 0, true);
}

static void draw_all(Graph *g, void *unused) {
    (void)unused;
    const Entry *e = g->module->entry;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op->draws && (!n->op->in_training || (e && e->training))) start_drawing(n);
    }
}

/* Those that a node which stays, such as SequenceMap, has put before itself. */
static void follow_new_nodes(const Graph *g, Node *before, Node *n, bool gone) {
    for (Node *x = before ? before->next : g->first; x != n && !gone && n->op->lists; x = x->next) follow_extents(x);
}

void pass_strings(Module *m) { make_rows_of_strings(m); }

void pass_infer(Module *m) {
    check_inputs(m);
    count_uses(m);
    for (Node *n = m->main->first, *next; n; n = next) {
        next = n->next;
        Node *before = n->prev;
        infer_node(n);
        if (IS(n, Dropout)) start_dropping(n);
        if (size_follows_from_call(n)) bound_results(n);
        if (IS(n, Loop) && has_rows(n) && !loop_trips(n).exact) bound_rows(n);
        /* An If whose condition is known leaves its branch's nodes in its place, already typed. */
        bool gone = !n->prev && !n->next && m->main->first != n;
        if (gone) next = before ? before->next : m->main->first;
        follow_new_nodes(m->main, before, n, gone);
        if (!gone) follow_extents(n), drop_unused(n);
        if (next && !next->prev && m->main->first != next) next = before ? before->next : m->main->first;
    }
    each_graph(m, draw_all, NULL);
    drop_lists(m);
    output_extents(m);
    resolve_graph(m->main);
}
