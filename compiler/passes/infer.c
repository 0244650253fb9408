/* infer - one sweep that gives every value a type and evaluates small known results; needs: SSA order. */
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "train/train.h"

/* Callers see dense tensors: an extent chosen at run time can only be the outermost of an output. */
static void check_outputs(Module *m) {
    for (int i = 0; i < m->main->nout; i++) {
        const Value *v = m->main->out[i];
        for (int d = 1; d < v->type.rank; d++)
            if (v->type.dim[d].symbol)
                problem_at(
                    m, EXIT_UNSUPPORTED, v->loc, "output",
                    "'%s' is %s: an extent chosen at run time can only be its outermost; give one with --dim %s=N",
                    escaped(m->arena, v->name, 60), type_text(m->arena, &v->type),
                    escaped(m->arena, v->type.dim[d].symbol, 40));
    }
}

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

/* Another output, which the caller may leave out: how many rows the one before it has in a call. */
static void add_extent(Module *m, int of, int axis, Value *count) {
    List out = {0};
    const char *name = format(m->arena, "%s.extent", port_name(resolve(m->main->out[of])));
    Node *copy = node_new(m->main, NULL, &ops[OP_Copy], 1, &count, 1, &name, count->def->loc);
    infer_node(copy);
    for (int i = 0; i < m->main->nout; i++) push(m->arena, &out, resolve(m->main->out[i]));
    push(m->arena, &out, copy->out[0]);
    say_extent(m, of, axis, m->main->nout);
    set_outputs(m->main, &out);
}

static bool is_only_output(const Value *v) { return is_output(v) && v->uses == 1; }

/* PyTorch's nonzero() is exported as the transpose of NonZero's result, which nothing else reads; NULL: it is not. */
static Node *transposed_output(const Node *n) {
    const Value *v = n->out[0];
    Node *r = n->next;
    if (!IS(n, NonZero) || v->uses != 1 || is_output(v)) return NULL;
    while (r && !(r->nin && r->in[0] == v)) r = r->next;
    if (!r || !IS(r, Transpose) || !is_only_output(r->out[0])) return NULL;
    const Attr *perm = attr(r, "perm");
    return !perm->set || (perm->n == 2 && perm->ints[0] == 1) ? r : NULL;
}

/* A size that only a call tells: others would have to know it. */
static void bound_output(Node *n) {
    Module *m = n->graph->module;
    Node *transpose = transposed_output(n);
    const Value *v = transpose ? transpose->out[0] : n->out[0];
    if (!v->uses) {
        unlink_node(n);
        return;
    }
    if (!is_only_output(v)) {
        problem(n, EXIT_UNSUPPORTED,
                "the size of its result depends on contents which are not known when compiling: expected it as an "
                "output of the network alone, saw it read");
        return;
    }
    int of = v->output - 1, axis = IS(n, NonZero) && !transpose;
    add_extent(m, of, axis, bound_result(n, transpose));
}

/* Rows of a Loop that data may end early: how many there are is its iteration number, which it carries last. */
static void bound_rows(Node *n) {
    Module *m = n->graph->module;
    int carried = loop_carried(n);
    for (int i = carried; i < n->nout; i++) {
        const Value *v = n->out[i];
        if (!v || !v->uses || !type_known(&v->type)) continue;
        if (!is_only_output(v))
            problem(n, EXIT_UNSUPPORTED,
                    "result %d has a row for each iteration, and how many there are follows from data: expected it as "
                    "an output of the network alone, saw it read",
                    i);
        else if (extent_output(m, v->output - 1, NULL) < 0)
            add_extent(m, v->output - 1, 0, n->out[carried - 1]);
    }
}

static bool size_follows_from_call(const Node *n) {
    if (!IS(n, Compress) && !IS(n, NonZero)) return false;
    const Value *y = output(n, 0), *x = input(n, IS(n, Compress));
    bool known = x && x->data && x->kind != V_PARAM && x->kind != V_STATE;
    return y && x && !known && !y->data && !y->replacement && type_known(&y->type);
}

static void draw_all(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (n->op->draws) start_drawing(n);
    }
}

void pass_infer(Module *m) {
    check_inputs(m);
    count_uses(m);
    for (Node *n = m->main->first, *next; n; n = next) {
        next = n->next;
        Node *before = n->prev;
        infer_node(n);
        if (IS(n, Dropout)) start_dropping(n);
        if (size_follows_from_call(n)) bound_output(n);
        if (IS(n, Loop) && has_rows(n) && !loop_trips(n).exact) bound_rows(n);
        /* An If whose condition is known leaves its branch's nodes in its place, already typed. */
        bool gone = !n->prev && !n->next && m->main->first != n;
        if (gone) next = before ? before->next : m->main->first;
        if (!gone) drop_unused(n);
        if (next && !next->prev && m->main->first != next) next = before ? before->next : m->main->first;
    }
    each_graph(m, draw_all, NULL);
    resolve_graph(m->main);
    check_outputs(m);
}
