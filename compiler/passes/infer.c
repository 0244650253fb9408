/* infer - one sweep that gives every value a type and evaluates small known results; needs: SSA order. */
#include "bounded/bounded.h"
#include "control/control.h"
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

static void draw_all(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (draws_numbers(n)) start_drawing(n);
        if (IS(n, Dropout)) start_dropping(n);
    }
}

void pass_strings(Module *m) { make_rows_of_strings(m); }

static void infer_one(Node *n) {
    infer_sized(n);
    if (is_gone(n)) return;
    if (!is_gone(n)) drop_unused(n);
}

void pass_infer(Module *m) {
    check_inputs(m);
    count_uses(m);
    measure_inputs(m);
    for (Node *n = m->main->first, *next; n; n = next) {
        Node *before = n->prev;
        next = n->next;
        infer_one(n);
        /* An If whose condition is known leaves its branch's nodes, which a Loop may go on from. */
        if (is_gone(n) || (next && is_gone(next))) next = before ? before->next : m->main->first;
    }
    each_graph(m, draw_all, NULL);
    drop_lists(m);
    output_extents(m);
    resolve_graph(m->main);
}
