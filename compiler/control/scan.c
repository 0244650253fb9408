/* scan.c - Scan becomes a Loop that gathers its elements, and moves of the rows that it gives. */
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

typedef struct {
    Node *n, *loop;
    Graph *body;
    int states, scans;
    Dim length;
} Scanned;

static int64_t listed(const Node *n, const char *name, int i, int64_t otherwise) {
    const Attr *a = attr(n, name);
    return a->set && i < a->n ? a->ints[i] : otherwise;
}

static bool list_fits(Node *n, const char *name, int count) {
    const Attr *a = attr(n, name);
    if (!a->set || a->n == count) return true;
    problem(n, EXIT_INPUT, "attribute '%s': expected %d numbers, saw %d", name, count, a->n);
    return false;
}

static bool scan_fits(Scanned *s) {
    Node *n = s->n;
    int64_t scans = attr_i(n, "num_scan_inputs");
    if (!s->body || scans < 1 || scans > n->nin) {
        problem(n, EXIT_INPUT, "num_scan_inputs: expected 1 to %d, as many as there are inputs, saw %lld", n->nin,
                (long long)scans);
        return false;
    }
    s->scans = (int)scans, s->states = n->nin - s->scans;
    if (s->body->nin != n->nin || s->body->nout < s->states || n->nout > s->body->nout) {
        problem(n, EXIT_INPUT, "expected a body with %d inputs and at least %d results, saw %d and %d", n->nin,
                s->states > n->nout ? s->states : n->nout, s->body->nin, s->body->nout);
        return false;
    }
    for (int i = 0; i < n->nin; i++) {
        DType told = s->body->in[i]->type.dtype;
        if (told == DT_none || told == in_type(n, i)->dtype) continue;
        problem(n, EXIT_INPUT, "%s: expected %s as the body declares, saw %s", arg_text(n, i), dtypes[told].name,
                in_text(n, i));
        return false;
    }
    int outs = s->body->nout - s->states;
    return list_fits(n, "scan_input_axes", s->scans) && list_fits(n, "scan_input_directions", s->scans) &&
           list_fits(n, "scan_output_axes", outs) && list_fits(n, "scan_output_directions", outs);
}

/* All are scanned over axes of one length. */
static bool find_length(Scanned *s) {
    Node *n = s->n;
    for (int i = 0; i < s->scans; i++) {
        const Type *t = in_type(n, s->states + i);
        int64_t axis = axis_in(listed(n, "scan_input_axes", i, 0), t->rank);
        if (axis < 0) {
            problem(n, EXIT_INPUT, "scan_input_axes: expected an axis of %s, saw %lld", in_text(n, s->states + i),
                    (long long)listed(n, "scan_input_axes", i, 0));
            return false;
        }
        if (i && !same_dim(s->length, t->dim[axis])) {
            dims_do_not_fit(n, s->states, s->states + i, s->length, t->dim[axis]);
            return false;
        }
        s->length = t->dim[axis];
    }
    return true;
}

/* A text of the definition language as nodes before `at`. */
static Value *built(Node *at, const char *text, int count, Value *const *with) {
    static const char *const names[] = {"x", "i", "m"};
    return build_value(at, text, count, names, with);
}

/* The body's parameter for an element becomes a Gather at the iteration number. */
static void gather_elements(Scanned *s, Value *iteration, Value *count) {
    Graph *body = s->body;
    Arena *a = body->module->arena;
    for (int i = 0; i < s->scans; i++) {
        Value *x = s->n->in[s->states + i], *element = body->in[s->states + i];
        int64_t axis = axis_in(listed(s->n, "scan_input_axes", i, 0), x->type.rank);
        bool back = listed(s->n, "scan_input_directions", i, 0) == 1;
        Node *first = body->first;
        Value *at = iteration;
        if (back) {
            Node *last = node_new(body, first, &ops[OP_Sub], 2,
                                  (Value *[]){count, const_scalar(body->module, DT_i64, 1)}, 1, NULL, s->n->loc);
            Node *from =
                node_new(body, first, &ops[OP_Sub], 2, (Value *[]){last->out[0], iteration}, 1, NULL, s->n->loc);
            last->name = from->name = NULL;
            at = from->out[0];
        }
        Node *g = node_new(body, first, &ops[OP_Gather], 2, (Value *[]){x, at}, 1,
                           (const char *[]){format(a, "%s", element->name)}, s->n->loc);
        g->name = NULL, g->origin = "scan input";
        set_attr_i(g, "axis", axis);
        replace(element, g->out[0]);
    }
}

/* The number of iterations as a value. */
static Value *length_value(const Scanned *s) {
    Module *m = s->body->module;
    if (!s->length.symbol) return const_scalar(m, DT_i64, (double)s->length.max);
    const Type *t = in_type(s->n, s->states);
    int64_t axis = axis_in(listed(s->n, "scan_input_axes", 0, 0), t->rank);
    return built(s->n, format(m->arena, "Gather(Shape(x), %lld)", (long long)axis), 1, &s->n->in[s->states]);
}

/* The body with the interface of a Loop's. */
static void change_body(Scanned *s, Value *count) {
    Graph *body = s->body;
    Module *m = body->module;
    List in = {0}, out = {0};
    Value *iteration = input_new(body, "iteration", (Type){.dtype = DT_i64, .rank = 0});
    Value *cond = input_new(body, "cond", (Type){.dtype = DT_bool, .rank = 0});
    gather_elements(s, iteration, count);
    push(m->arena, &in, iteration), push(m->arena, &in, cond);
    for (int i = 0; i < s->states; i++) push(m->arena, &in, body->in[i]);
    push(m->arena, &out, const_scalar(m, DT_bool, 1));
    for (int i = 0; i < body->nout; i++) push(m->arena, &out, resolve(body->out[i]));
    body->in = (Value **)in.at, body->nin = in.n;
    set_outputs(body, &out);
}

/* A result with its rows in the order and along the axis that the node asks for. */
static Value *row_order(const Scanned *s, int k, Value *y) {
    Node *n = s->n;
    bool back = listed(n, "scan_output_directions", k, 0) == 1;
    int64_t axis = axis_in(listed(n, "scan_output_axes", k, 0), y->type.rank);
    Arena *a = n->graph->module->arena;
    if (back) y = built(n, "Slice(x, [-1], [-9223372036854775807], [0], [-1])", 1, &y);
    if (axis < 1) return y;
    Str perm = {.arena = a};
    for (int d = 0; d < y->type.rank; d++) put(&perm, "%s%d", d ? ", " : "", d < axis ? d + 1 : d == axis ? 0 : d);
    return built(n, format(a, "Transpose(x, perm = [%s])", perm.s), 1, &y);
}

static Node *loop_of(Scanned *s, Value *count) {
    Node *n = s->n;
    Arena *a = n->graph->module->arena;
    Value **in = NEW_ARRAY(a, Value *, LOOP_CARRIED + s->states);
    const char **names = NEW_ARRAY(a, const char *, n->nout + 1);
    in[LOOP_M] = count, in[LOOP_COND] = NULL;
    for (int i = 0; i < s->states; i++) in[LOOP_CARRIED + i] = n->in[i];
    for (int i = 0; i < n->nout; i++) names[i] = n->out[i] ? n->out[i]->name : NULL;
    Node *loop = node_new(n->graph, n, &ops[OP_Loop], LOOP_CARRIED + s->states, in, n->nout, names, n->loc);
    loop->name = n->name, loop->origin = n->origin, loop->turns = n->turns;
    for (int i = 0; i < n->nout; i++)
        if (!n->out[i]) loop->out[i] = NULL;
    set_attr(loop, &(Attr){.name = "body", .kind = A_GRAPH, .graph = s->body});
    s->body->owner = loop;
    return loop;
}

void infer_scan(Node *n) {
    Module *m = n->graph->module;
    Scanned s = {.n = n, .body = attr(n, "body")->graph};
    if (!scan_fits(&s) || !find_length(&s)) return;
    Value *count = length_value(&s);
    change_body(&s, count);
    Node *loop = loop_of(&s, count);
    int states = s.states, nout = n->nout, said = m->problems.n;
    Value **y = NEW_ARRAY(m->arena, Value *, nout + 1);
    for (int i = 0; i < nout; i++) y[i] = loop->out[i];
    infer_node(loop);
    if (m->problems.n > said) return;
    for (int i = 0; i < nout; i++) {
        if (!n->out[i] || !y[i]) continue;
        y[i] = resolve(y[i]);
        if (i >= states) y[i] = row_order(&s, i - states, y[i]);
        n->out[i]->type = y[i]->type;
    }
    replaced_by(n, nout, y);
}
