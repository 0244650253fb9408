/* loop.c - Loop: its region is inferred, and what exporters wrap around it is taken off.
 *
 * Behind this pass there is only Loop, in one form. Values that no iteration changes are read from outside. A number of
 * iterations that follows from constants and extents is its M, and the condition true. The iteration number is a value
 * that is carried like others, if it is read at all: the interface's own parameters are never read. A Loop of none or
 * one iteration is none, and one whose carried values change their types is unrolled. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

/* ---- the interface ---- */

static void pad_inputs(Node *n) {
    Value **in = NEW_ARRAY(n->graph->module->arena, Value *, LOOP_CARRIED);
    for (int i = 0; i < n->nin; i++) in[i] = n->in[i];
    n->in = in, n->nin = LOOP_CARRIED;
}

static bool is_one(Node *n, int i, const char *what, bool fits) {
    const Value *v = input(n, i);
    if (!v || (fits && type_count(&v->type) == 1)) return true;
    problem(n, EXIT_INPUT, "%s: expected one %s, saw %s", arg_text(n, i), what, in_text(n, i));
    return false;
}

static bool interface_fits(Node *n) {
    const Graph *body = loop_body(n);
    int said = n->graph->module->problems.n;
    if (n->nin < LOOP_CARRIED) pad_inputs(n);
    int carried = loop_carried(n), scans = body->nout - BODY_CARRIED - carried;
    if (body->nin != n->nin || scans < 0)
        problem(n, EXIT_INPUT,
                "expected a body with %d inputs and at least %d results: an iteration number, a condition and %d "
                "carried values, saw %d and %d",
                n->nin, BODY_CARRIED + carried, carried, body->nin, body->nout);
    else if (n->nout > carried + scans)
        problem(n, EXIT_INPUT, "expected at most %d results as its body gives, saw %d", carried + scans, n->nout);
    for (int i = LOOP_CARRIED; i < n->nin; i++)
        if (!n->in[i]) problem(n, EXIT_INPUT, "initial value %d is missing", i - LOOP_CARRIED);
    const Value *m = n->in[LOOP_M], *cond = n->in[LOOP_COND];
    bool fit = is_one(n, LOOP_M, "integer", m && is_int(m->type.dtype)) &
               is_one(n, LOOP_COND, "bool", cond && cond->type.dtype == DT_bool);
    return fit && n->graph->module->problems.n == said;
}

/* Results that nobody asked for have a value, too: what is carried has to lie somewhere. */
static void complete_results(Node *n) {
    int count = loop_body(n)->nout - BODY_CARRIED;
    Value **out = NEW_ARRAY(n->graph->module->arena, Value *, count + 1);
    for (int i = 0; i < n->nout; i++) out[i] = n->out[i];
    for (int i = 0; i < loop_carried(n); i++) {
        if (out[i]) continue;
        out[i] = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
        out[i]->def = n, out[i]->result = i, out[i]->loc = n->loc;
    }
    n->out = out, n->nout = count;
}

/* Takes place i out of a list. */
static void take_out(Value **list, int *n, int i) {
    memmove(list + i, list + i + 1, sizeof *list * (size_t)(*n - i - 1));
    --*n;
}

static Value **put_in(Arena *a, Value **list, int *n, int i, Value *v) {
    Value **grown = NEW_ARRAY(a, Value *, *n + 1);
    for (int k = 0; k < *n; k++) grown[k + (k >= i)] = list[k];
    grown[i] = v, ++*n;
    return grown;
}

void renumber_loop(Node *n) {
    Graph *body = loop_body(n);
    for (int i = 0; i < body->nin; i++) body->in[i]->result = i;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) n->out[i]->result = i;
    for (int i = 0; i < body->nout; i++) set_output(body, i, resolve(body->out[i]));
}

static void drop_carried(Node *n, int k) {
    Graph *body = loop_body(n);
    take_out(n->in, &n->nin, LOOP_CARRIED + k);
    take_out(n->out, &n->nout, k);
    take_out(body->in, &body->nin, LOOP_CARRIED + k);
    take_out(body->out, &body->nout, BODY_CARRIED + k);
    renumber_loop(n);
}

void drop_loop_result(Node *n, int k) {
    Graph *body = loop_body(n);
    if (k < loop_carried(n)) {
        drop_carried(n, k);
        return;
    }
    take_out(n->out, &n->nout, k);
    take_out(body->out, &body->nout, BODY_CARRIED + k);
    renumber_loop(n);
}

/* ---- what no iteration changes ---- */

Value *behind_identities(Value *v) {
    v = resolve(v);
    while (v->kind == V_NODE && IS(v->def, Identity)) v = resolve(v->def->in[0]);
    return v;
}

static bool drop_one_invariant(Node *n) {
    Graph *body = loop_body(n);
    for (int k = 0; k < loop_carried(n); k++) {
        Value *in = body->in[LOOP_CARRIED + k], *first = resolve(n->in[LOOP_CARRIED + k]);
        if (behind_identities(body->out[BODY_CARRIED + k]) != in) continue;
        replace(in, first);
        n->out[k]->type = first->type;
        replace_keeping_name(n->out[k], first);
        drop_carried(n, k);
        return true;
    }
    return false;
}

/* ---- types ---- */

/* What a body declares of shapes may be wrong, as in exporters' files; its element types are the model's word. */
static bool element_types_fit(Node *n) {
    const Graph *body = loop_body(n);
    for (int i = LOOP_CARRIED; i < n->nin; i++) {
        DType told = body->in[i]->type.dtype, given = n->in[i]->type.dtype;
        if (told == DT_none || told == given) continue;
        problem(n, EXIT_INPUT, "initial value %d: expected %s as the body declares, saw %s", i - LOOP_CARRIED,
                dtypes[told].name, in_text(n, i));
        return false;
    }
    return true;
}

static void type_inputs(Node *n) {
    const Graph *body = loop_body(n);
    const Value *cond = n->in[LOOP_COND];
    body->in[LOOP_M]->type = (Type){.dtype = DT_i64, .rank = 0};
    body->in[LOOP_COND]->type = cond ? cond->type : (Type){.dtype = DT_bool, .rank = 0};
    for (int i = LOOP_CARRIED; i < n->nin; i++) body->in[i]->type = n->in[i]->type;
}

/* What a body's nodes were taken for while its inputs had the types that the model declares. */
void forget_types(Graph *body) {
    for (Node *n = body->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (n->out[i])
                n->out[i]->type = (Type){.dtype = DT_none, .rank = -1}, n->out[i]->data = NULL, n->out[i]->items = NULL;
}

/* The first carried value whose type an iteration changes; -1: none. */
static int changed_type(const Node *n) {
    const Graph *body = loop_body(n);
    for (int k = 0; k < loop_carried(n); k++) {
        const Type *a = &n->in[LOOP_CARRIED + k]->type, *b = &body->out[BODY_CARRIED + k]->type;
        if (a->dtype != b->dtype || !same_shape(a, b)) return k;
    }
    return -1;
}

static bool results_typed(Node *n) {
    const Graph *body = loop_body(n);
    for (int i = 0; i < body->nout; i++)
        if (!type_known(&body->out[i]->type)) return false;
    if (type_count(&body->out[BODY_COND]->type) == 1 && body->out[BODY_COND]->type.dtype == DT_bool) return true;
    problem(n, EXIT_INPUT, "expected a body whose first result is a bool, the condition, saw %s",
            type_shown(n, &body->out[BODY_COND]->type));
    return false;
}

/* Each iteration adds a row to a scan output. */
static void type_scans(Node *n, Dim rows) {
    const Graph *body = loop_body(n);
    for (int i = loop_carried(n); i < n->nout; i++) {
        const Type *row = &body->out[BODY_CARRIED + i]->type;
        Dim dim[MAX_RANK + 1] = {rows};
        if (!n->out[i]) continue;
        if (rows.max < 0) {
            problem(n, EXIT_UNSUPPORTED,
                    "result %d has a row for each iteration, and how many there are follows from data: expected a "
                    "trip count M that bounds it; give one with --const, or its most with --bound",
                    i);
            continue;
        }
        for (int d = 0; d < row->rank; d++) dim[d + 1] = row->dim[d];
        set_result(n, i, row->dtype, row->rank + 1, dim);
    }
}

static void type_results(Node *n, Dim rows) {
    for (int k = 0; k < loop_carried(n); k++) {
        const Type *t = &n->in[LOOP_CARRIED + k]->type;
        set_result(n, k, t->dtype, t->rank, t->dim);
    }
    type_scans(n, rows);
}

/* ---- the iteration number, carried ---- */

static bool is_read(const Graph *g, const Value *v) {
    for (int i = 0; i < g->nout; i++)
        if (resolve(g->out[i]) == v) return true;
    for (const Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++)
            if (resolve(n->in[i]) == v) return true;
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph && is_read(n->attr[i].graph, v)) return true;
    }
    return false;
}

static void drop_unread_rows(Node *n) {
    for (int i = loop_carried(n); i < n->nout; i++)
        if (n->out[i] && !is_read(n->graph, n->out[i])) n->out[i] = NULL;
}

void fresh_parameter(Graph *body, int i) {
    Value **in = body->in;
    int nin = body->nin;
    body->in = NULL, body->nin = 0;
    Value *v = input_new(body, in[i]->name, in[i]->type);
    body->in = in, body->nin = nin;
    in[i] = v, v->result = i;
}

static void carry_iteration_number(Node *n) {
    Graph *body = loop_body(n);
    Module *m = body->module;
    Value *i = body->in[LOOP_M], *one = const_scalar(m, DT_i64, 1);
    int carried = loop_carried(n);
    fresh_parameter(body, LOOP_M);
    Node *next = node_new(body, NULL, &ops[OP_Add], 2, (Value *[]){i, one}, 1, NULL, n->loc);
    next->name = NULL, next->origin = "iteration number";
    infer_node(next);
    Value *last = value_new(n->graph, NULL, i->type);
    last->kind = V_NODE, last->def = n, last->loc = n->loc;
    n->in = put_in(m->arena, n->in, &n->nin, n->nin, const_scalar(m, DT_i64, 0));
    body->in = put_in(m->arena, body->in, &body->nin, body->nin, i);
    body->out = put_in(m->arena, body->out, &body->nout, BODY_CARRIED + carried, next->out[0]);
    n->out = put_in(m->arena, n->out, &n->nout, carried, last);
    renumber_loop(n);
}

Value *iteration_number(Node *n) {
    Graph *body = loop_body(n);
    int carried = loop_carried(n);
    for (int k = 0; k < carried; k++) {
        Affine a;
        Value *v = body->in[LOOP_CARRIED + k];
        bool fits = v->type.dtype == DT_i64 && !v->type.rank && affine_in_loop(n, v, &a);
        if (fits && !a.base.symbol && !a.base.max && a.step == 1) return v;
    }
    carry_iteration_number(n);
    n->out[carried]->type = body->in[LOOP_CARRIED + carried]->type;
    return body->in[LOOP_CARRIED + carried];
}

/* ---- Loop ---- */

static void settle_trips(Node *n, Dim count) {
    Graph *body = loop_body(n);
    Module *m = body->module;
    Affine given;
    bool same = input(n, LOOP_M) && affine_in_loop(n, n->in[LOOP_M], &given) && same_dim(given.base, count);
    if (count.symbol && !same) return; /* the condition ends it */
    if (!count.symbol) n->in[LOOP_M] = const_scalar(m, DT_i64, (double)count.max);
    n->in[LOOP_COND] = NULL;
    if (!is_known(body->out[BODY_COND])) set_output(body, BODY_COND, const_scalar(m, DT_bool, 1));
}

/* The condition holds wherever the body reads it. */
static void know_condition(Node *n) {
    Graph *body = loop_body(n);
    Value *cond = body->in[LOOP_COND];
    if (!is_read(body, cond)) return;
    Tensor *yes = tensor_new(body->module->arena, DT_bool, 0, NULL);
    set_i(yes, 0, 1);
    replace(cond, const_new(body->module, NULL, yes));
    fresh_parameter(body, LOOP_COND);
}

void finish_loop(Node *n) {
    Graph *body = loop_body(n);
    Trips trips = loop_trips(n);
    if (trips.exact) settle_trips(n, trips.most);
    if (is_read(body, body->in[LOOP_M]) || (!trips.exact && has_rows(n))) carry_iteration_number(n);
    type_results(n, trips.most);
}

void cut_rows(Node *n) {
    int carried = loop_carried(n);
    if (n->graph->module->after || !has_rows(n) || loop_trips(n).exact || is_being_read(n->graph)) return;
    cut_results(n, carried, n->out[carried - 1]);
}

void each_named(Graph *g, void (*f)(Value *, void *arg), void *arg) {
    for (int i = 0; i < g->nin; i++) f(g->in[i], arg);
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) f(n->out[i], arg);
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) each_named(n->attr[i].graph, f, arg);
    }
}

static void note_name(Value *v, void *names) { push(v->graph->module->arena, names, (void *)(uintptr_t)v->name); }

static void infer_iterations(Node *n, const Graph *pristine, const List *names) {
    Trips trips = loop_trips(n);
    int changed = changed_type(n);
    if (!trips.exact) drop_unread_rows(n);
    bool few = pristine && trips.exact && !trips.most.symbol && trips.most.max <= (changed < 0 ? 1 : MAX_UNROLLED),
         open = is_open_loop(n), handed = false;
    if (changed < 0 && !open && !few) {
        finish_loop(n), cut_rows(n);
        return;
    }
    if (!few || (open && trips.most.max > 1))
        handed = is_being_read(n->graph) || hand_on_by_call(n, pristine, names, trips);
    if (handed) return;
    if (few) {
        unroll(n, pristine, trips.most.max);
        return;
    }
    if (changed < 0) {
        problem(
            n, EXIT_UNSUPPORTED,
            "iterations decide the extents of rows that it keeps: expected extents with a bound, and a trip count M "
            "that bounds the iterations");
        return;
    }
    const char *name = escaped(n->graph->module->arena, port_name(n->out[changed]), 60);
    problem(
        n, EXIT_UNSUPPORTED,
        "carried value %d is %s before an iteration and %s after it: expected one type, extents with a bound, which "
        "--bound %s=N gives, or at most %d iterations, as many in every call",
        changed, type_shown(n, &n->in[LOOP_CARRIED + changed]->type),
        type_shown(n, &loop_body(n)->out[BODY_CARRIED + changed]->type), name, MAX_UNROLLED);
}

void infer_loop(Node *n) {
    if (!interface_fits(n) || !element_types_fit(n)) return;
    Graph *body = loop_body(n);
    complete_results(n);
    renumber_loop(n);
    while (drop_one_invariant(n)) continue;
    know_condition(n);
    if (carries_list(n)) {
        unroll_lists(n);
        return;
    }
    if (counted_trips(n) == 1) { /* at once: a body that is first inferred would double the work at every level */
        unroll(n, body, 1);
        return;
    }
    Map *of = map_new(body->module->arena);
    bool few = input(n, LOOP_M) && is_known(n->in[LOOP_M]) && get_i(n->in[LOOP_M]->data, 0) <= MAX_UNROLLED;
    Graph *pristine = few || !is_being_read(n->graph) ? clone_graph(body, body->outer, of) : NULL;
    List names = {0};
    each_named(body, note_name, &names);
    type_inputs(n);
    forget_types(body);
    infer_graph(body);
    if (results_typed(n)) infer_iterations(n, pristine, &names);
}

/* ---- what an iteration computes from outside alone ---- */

static bool is_invariant(const Graph *body, const Node *x) {
    if (stays(x) || x->op->draws || x->kernel || has_regions(x)) return false;
    for (int i = 0; i < x->nin; i++)
        if (x->in[i] && lies_in(resolve(x->in[i])->graph, body)) return false;
    return true;
}

int hoist_invariants(Node *n) {
    Graph *body = loop_body(n);
    int moved = 0;
    for (Node *x = body->first, *next; x; x = next) {
        next = x->next;
        if (!is_invariant(body, x)) continue;
        move_out(x, n);
        moved++;
    }
    return moved;
}
