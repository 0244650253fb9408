/* axes.c - axes that only a call tells: what is read along them is written in terms of all axes. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* Operand i as axes of `rank`, counted from the front; NULL: they are known, or how many there are is not. */
static Value *axes_in_call(Node *n, int i, int rank) {
    Value *v = input(n, i);
    int64_t count = v && v->type.rank == 1 ? type_count(&v->type) : 0;
    if (!v || is_known(v) || v->known || count < 1 || count > rank) return NULL;
    return build_text(n, format(n->graph->module->arena, "a = Cast(m, to = 7); Where(a < 0, a + %d, a)", rank), 1, &v);
}

/* i64[rank]: 1 where an axis is named, else 0. */
static Value *named_axes(Node *n, Value *axes, int rank) {
    return build_text(n,
                      format(n->graph->module->arena,
                             "z = Expand(cast(0, \"i64\"), [%d]); ScatterElements(z, m, zeros(m) + 1, axis = 0)", rank),
                      1, &axes);
}

/* The elements of x in their order under a shape that the call computes. */
static void reshaped(Node *n, Value *shape) {
    Node *y = insert_node(n, &ops[OP_Reshape], 2, (Value *[]){n->in[0], shape});
    Value *out = y->out[0];
    infer_sized(y);
    replaced_by(n, 1, &out);
}

/* ---- Slice: of every axis, from 0 to its extent where none is named ---- */

void slice_by_call(Node *n, int i) {
    int64_t axis[MAX_RANK], steps[MAX_RANK];
    int rank = in_type(n, 0)->rank, count = 0;
    Value *at = axes_in_call(n, i, rank), *x = n->in[0];
    if (!at || (input(n, 4) && !known_ints(n->in[4], MAX_RANK, &count, steps))) return;
    for (int k = 0; k < count; k++)
        if (steps[k] != 1) return;
    for (int k = 0; k < rank; k++) axis[k] = k;
    Value *none = const_ints(n->graph->module, rank, (int64_t[MAX_RANK]){0}),
          *from = build_text(n, "ScatterElements(m, p, Cast(q, to = 7), axis = 0)", 3, (Value *[]){none, at, n->in[1]}),
          *to =
              build_text(n, "ScatterElements(Shape(m), p, Cast(q, to = 7), axis = 0)", 3, (Value *[]){x, at, n->in[2]});
    Node *y = insert_node(n, &ops[OP_Slice], 4, (Value *[]){x, from, to, const_ints(n->graph->module, rank, axis)});
    Value *out = y->out[0];
    infer_sized(y);
    replaced_by(n, 1, &out);
}

/* ---- Pad: of every axis, by 0 where none is named ---- */

/* Choices, not a scatter: what is chosen among bounds each number. */
void pad_by_call(Node *n, int i) {
    int rank = in_type(n, 0)->rank, count = (int)type_count(in_type(n, i));
    int64_t axis[MAX_RANK];
    Value *at = axes_in_call(n, i, rank);
    Str text = {.arena = n->graph->module->arena};
    if (!at || in_type(n, 1)->rank != 1 || type_count(in_type(n, 1)) != 2 * count) return;
    for (int k = 0; k < rank; k++) axis[k] = k;
    put_text(&text, "begin = zeros(q); end = begin; ");
    for (int k = 0; k < count; k++)
        put(&text,
            "here = Slice(m, [%d], [%d]) == q; begin = Where(here, Slice(p, [%d], [%d]), begin); "
            "end = Where(here, Slice(p, [%d], [%d]), end); ",
            k, k + 1, k, k + 1, count + k, count + k + 1);
    put_text(&text, "Concat(begin, end, axis = 0)");
    n->in[1] = build_text(n, text.s, 3, (Value *[]){at, n->in[1], const_ints(n->graph->module, rank, axis)});
    n->nin = i;
}

/* ---- dims of 1 that come or go ---- */

void unsqueeze_by_call(Node *n, int i) {
    int rank = in_type(n, 0)->rank, all = rank + (int)type_count(in_type(n, i));
    Value *at = all <= MAX_RANK && rank ? axes_in_call(n, i, all) : NULL;
    if (!at) return;
    reshaped(n, build_text(n, "Where(m == 1, 1, Gather(Shape(p), Max(CumSum(1 - m, 0) - 1, 0)))", 2,
                           (Value *[]){named_axes(n, at, all), n->in[0]}));
}

void squeeze_by_call(Node *n, int i) {
    int rank = in_type(n, 0)->rank;
    Value *at = axes_in_call(n, i, rank);
    if (!at) return;
    int left = rank - (int)type_count(in_type(n, i));
    reshaped(n,
             build_text(
                 n,
                 format(n->graph->module->arena,
                        "to = Where(m == 1, %d, CumSum(1 - m, 0) - 1); Slice(ScatterElements(Expand(cast(1, \"i64\"), "
                        "[%d]), to, Shape(p), axis = 0), [0], [%d], [0])",
                        left, left + 1, left),
                 2, (Value *[]){named_axes(n, at, rank), n->in[0]}));
}

/* ---- reductions: one axis after the other, if it is named ---- */

static Graph *branch(Node *n, const char *name, const Op *op, int nin, Value *const *in) {
    Graph *g = graph_new(n->graph->module, name, n->graph);
    List out = {0};
    Node *x = node_new(g, NULL, op, nin, in, 1, NULL, n->loc);
    push(n->graph->module->arena, &out, x->out[0]);
    set_outputs(g, &out);
    return g;
}

/* x, reduced along axis k if the call names that. */
static Value *reduced_if(Node *n, Value *x, Value *named, int k) {
    Module *m = n->graph->module;
    Value *cond = build_text(n, format(m->arena, "Gather(m, %d) == 1", k), 1, &named);
    Node *y = insert_node(n, &ops[OP_If], 1, &cond);
    Graph *yes = branch(n, "then_branch", n->op, 2, (Value *[]){x, const_ints(m, 1, (int64_t[]){k})}),
          *no = branch(n, "else_branch", &ops[OP_Identity], 1, &x);
    Value *out = y->out[0];
    n->graph->regions = true, yes->owner = no->owner = y;
    set_attr(y, &(Attr){.name = "then_branch", .kind = A_GRAPH, .graph = yes});
    set_attr(y, &(Attr){.name = "else_branch", .kind = A_GRAPH, .graph = no});
    infer_sized(y);
    return resolve(out);
}

/* Those that may be taken one axis at a time. */
static bool goes_by_axis(const Node *n) {
    static const int ones[] = {OP_ReduceSum,  OP_ReduceMax, OP_ReduceMin, OP_ReduceMean,
                               OP_ReduceProd, OP_ReduceL1,  OP_ReduceL2,  OP_ReduceLogSumExp};
    for (int i = 0; i < COUNT(ones); i++)
        if (n->op == &ops[ones[i]]) return true;
    return false;
}

void reduce_by_call(Node *n) {
    Value *axes = input(n, 1), *at, *named, *x = n->in[0];
    int rank = in_type(n, 0)->rank;
    if (!axes || !goes_by_axis(n) || !(at = axes_in_call(n, 1, rank))) return;
    named = named_axes(n, at, rank);
    for (int k = 0; k < rank; k++) x = reduced_if(n, x, named, k);
    if (!attr_i(n, "keepdims")) {
        Node *y = insert_node(n, &ops[OP_Squeeze], 2, (Value *[]){x, axes});
        x = y->out[0];
        infer_sized(y);
    }
    replaced_by(n, 1, &x);
}
