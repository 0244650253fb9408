/* scan_batch.c - ScanBatch, the Scan of opset 8: a Loop over the batch around today's Scan. */
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include "ops/rules_shape.h"

enum { LENGTHS, SEQUENCES }; /* inputs: how long each sequence is, perhaps; then states and what is scanned */

typedef struct {
    Node *n;
    Graph *body, *item; /* one step; all steps of one item of the batch */
    Value *number;      /* of the item */
    int states, inputs;
} Batch;

static bool batch_fits(Batch *b) {
    Node *n = b->n;
    int64_t scans = attr_i(n, "num_scan_inputs");
    const Value *lengths = input(n, LENGTHS);
    b->inputs = n->nin - SEQUENCES;
    if (scans < 1 || scans > b->inputs) {
        problem(n, EXIT_INPUT,
                "num_scan_inputs: expected 1 to %d, as many as there are inputs behind the first, saw %lld", b->inputs,
                (long long)scans);
        return false;
    }
    b->states = b->inputs - (int)scans;
    if (b->body->nin != b->inputs || b->body->nout < b->states) {
        problem(n, EXIT_INPUT, "expected a body with %d inputs and at least %d results, saw %d and %d", b->inputs,
                b->states, b->body->nin, b->body->nout);
        return false;
    }
    for (int i = SEQUENCES; i < n->nin; i++)
        if (in_type(n, i)->rank < 1 || !same_dim(in_type(n, i)->dim[0], in_type(n, SEQUENCES)->dim[0])) {
            problem(n, EXIT_INPUT, "%s: expected a batch as in %s, saw %s", arg_text(n, i), in_text(n, SEQUENCES),
                    in_text(n, i));
            return false;
        }
    if (!lengths || (lengths->type.dtype == DT_i64 && lengths->type.rank == 1)) return true;
    problem(n, EXIT_INPUT, "%s: expected a list of i64, saw %s", arg_text(n, LENGTHS), in_text(n, LENGTHS));
    return false;
}

static Value *added(Graph *g, int op, int nin, Value *const *in, Loc loc) {
    Node *n = node_new(g, NULL, &ops[op], nin, in, 1, NULL, loc);
    n->name = NULL, n->origin = "Scan";
    return n->out[0];
}

static Value *item_of(const Batch *b, Value *all) {
    Value *v = added(b->item, OP_Gather, 2, (Value *[]){all, b->number}, b->n->loc);
    set_attr_i(v->def, "axis", 0);
    return v;
}

static void set_inputs(Graph *g, const List *in) {
    g->in = (Value **)in->at, g->nin = in->n;
    for (int i = 0; i < in->n; i++) g->in[i]->result = i;
}

/* A body that goes on to the length of the longest sequence: behind its own end a step keeps the states, and gives
 * zeros. It counts its steps in one state more, the last. */
static void end_early(const Batch *b, Value *length) {
    Graph *body = b->body;
    Module *m = body->module;
    Loc loc = b->n->loc;
    List in = {0}, out = {0};
    Value *step = input_new(body, "step", (Type){.dtype = DT_i64, .rank = 0});
    Value *on = added(body, OP_Less, 2, (Value *[]){step, length}, loc);
    Value *next = added(body, OP_Add, 2, (Value *[]){step, const_scalar(m, DT_i64, 1)}, loc);
    for (int i = 0; i < b->inputs; i++) {
        if (i == b->states) push(m->arena, &in, step);
        push(m->arena, &in, body->in[i]);
    }
    for (int i = 0; i < body->nout; i++) {
        Value *v = resolve(body->out[i]), *otherwise = i < b->states ? body->in[i] : NULL;
        if (!otherwise) otherwise = added(body, OP_CastLike, 2, (Value *[]){const_scalar(m, DT_i64, 0), v}, loc);
        if (i == b->states) push(m->arena, &out, next);
        push(m->arena, &out, added(body, OP_Where, 3, (Value *[]){on, v, otherwise}, loc));
    }
    if (body->nout == b->states) push(m->arena, &out, next);
    set_inputs(body, &in);
    set_outputs(body, &out);
}

/* Today's Scan over one item; its results, without the steps that are counted. */
static void scan_item(const Batch *b, List *results) {
    Node *n = b->n;
    Module *m = n->graph->module;
    List in = {0};
    bool counted = input(n, LENGTHS) != NULL;
    for (int i = 0; i < b->inputs; i++) {
        if (i == b->states && counted) push(m->arena, &in, const_scalar(m, DT_i64, 0));
        push(m->arena, &in, item_of(b, n->in[SEQUENCES + i]));
    }
    if (counted) end_early(b, item_of(b, n->in[LENGTHS]));
    Node *scan = node_new(b->item, NULL, &ops[OP_Scan], in.n, (Value **)in.at, b->body->nout, NULL, n->loc);
    scan->name = NULL, scan->origin = "Scan";
    set_attr(scan, &(Attr){.name = "body", .kind = A_GRAPH, .graph = b->body});
    set_attr_i(scan, "num_scan_inputs", b->inputs - b->states);
    if (attr(n, "scan_input_directions")->set) set_attr(scan, attr(n, "scan_input_directions"));
    b->body->owner = scan, b->body->outer = b->item;
    for (int i = 0; i < scan->nout; i++)
        if (!counted || i != b->states) push(m->arena, results, scan->out[i]);
}

static Node *loop_over_items(Batch *b) {
    Node *n = b->n;
    Module *m = n->graph->module;
    const Dim batch = in_type(n, SEQUENCES)->dim[0];
    Value *count = const_scalar(m, DT_i64, (double)batch.max);
    const char **names = NEW_ARRAY(m->arena, const char *, n->nout + 1);
    List out = {0};
    if (batch.symbol)
        build_decomposition(n, "Gather(Shape(x), 0)", 1, (const char *[]){"x"}, &n->in[SEQUENCES], 1, &count);
    b->item = graph_new(m, "item", n->graph);
    b->number = input_new(b->item, "number", (Type){.dtype = DT_i64, .rank = 0});
    input_new(b->item, "more", (Type){.dtype = DT_bool, .rank = 0});
    push(m->arena, &out, const_scalar(m, DT_bool, 1));
    scan_item(b, &out);
    set_outputs(b->item, &out);
    for (int i = 0; i < n->nout; i++) names[i] = n->out[i] ? n->out[i]->name : NULL;
    Node *loop = node_new(n->graph, n, &ops[OP_Loop], LOOP_CARRIED, (Value *[]){count, NULL}, n->nout, names, n->loc);
    loop->name = n->name, loop->origin = n->origin, loop->turns = n->turns;
    for (int i = 0; i < n->nout; i++)
        if (!n->out[i]) loop->out[i] = NULL;
    set_attr(loop, &(Attr){.name = "body", .kind = A_GRAPH, .graph = b->item});
    b->item->owner = loop;
    return loop;
}

static bool any_backwards(const Attr *directions) {
    for (int i = 0; directions->set && i < directions->n; i++)
        if (directions->ints[i]) return true;
    return false;
}

void infer_scan_batch(Node *n) {
    Module *m = n->graph->module;
    Batch b = {.n = n, .body = attr(n, "body")->graph};
    if (!batch_fits(&b)) return;
    if (n->nout > b.body->nout) {
        problem(n, EXIT_INPUT, "expected at most %d results as its body gives, saw %d", b.body->nout, n->nout);
        return;
    }
    if (input(n, LENGTHS) && any_backwards(attr(n, "scan_input_directions"))) {
        problem(n, EXIT_UNSUPPORTED, "%s together with a direction backwards is not supported", arg_text(n, LENGTHS));
        return;
    }
    int nout = n->nout, said = m->problems.n;
    Node *loop = loop_over_items(&b);
    Value **y = NEW_ARRAY(m->arena, Value *, nout + 1);
    for (int i = 0; i < nout; i++) y[i] = loop->out[i];
    infer_node(loop);
    if (m->problems.n > said) return;
    for (int i = 0; i < nout; i++)
        if (n->out[i] && y[i]) y[i] = resolve(y[i]), n->out[i]->type = y[i]->type;
    replaced_by(n, nout, y);
}
