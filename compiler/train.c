/* train.c - from a network to one that can be trained: which values are parameters, what layers do otherwise than in
 * inference, what is made small. */
#include "train.h"
#include <fnmatch.h>

const Loss losses[] = {
#define LOSS(id, ...) {#id, __VA_ARGS__},
#include "losses.def"
#undef LOSS
    {NULL, NULL, 0, NULL},
};

const Entry entry_value = {.name = "value", .training = true, .loss = true};
const Entry entry_gradient = {.name = "gradient", .training = true, .loss = true, .grads = true, .input_grads = true};

/* ---- parameters ---- */

/* What a constant is before views and casts that exporters put between it and its reader. */
static Value *source_of(Value *v) {
    static const int through[] = {OP_Identity, OP_Transpose, OP_Reshape, OP_Squeeze, OP_Unsqueeze, OP_Flatten};
    for (int steps = 0; v && v->def && steps < 8; steps++) {
        bool passed = false;
        for (int i = 0; i < COUNT(through); i++) passed = passed || v->def->op == &ops[through[i]];
        if (!passed) return v;
        v = v->def->in[0];
    }
    return v;
}

static void promote(Value *v, ValueKind kind) {
    if (v && v->kind == V_CONST && v->data && v->data->dtype != DT_str && is_float(v->data->dtype)) v->kind = kind;
}

static bool is_linear(const Value *v) {
    return v && v->def && (IS(v->def, MatMul) || IS(v->def, Conv) || IS(v->def, ConvTranspose) || IS(v->def, Gemm));
}

/* A constant vector added to a product is its bias. */
static void promote_bias(Node *n) {
    for (int i = 0; i < 2; i++) {
        Value *v = source_of(n->in[i]);
        if (is_linear(n->in[1 - i]) && v && v->data && v->data->count > 1) promote(v, V_PARAM);
    }
}

static void promote_inputs(Node *n) {
    for (const char *s = n->op->params; s && *s; s++) promote(source_of(input(n, *s - 'a')), V_PARAM);
    if (IS(n, Add)) promote_bias(n);
    if (IS(n, BatchNormalization))
        for (int i = 3; i < 5; i++) promote(input(n, i), V_STATE);
}

static void freeze(Module *m) {
    for (int i = 0; i < m->opt->freeze.n; i++) {
        bool any = false;
        for (int k = 0; k < m->outside.n; k++) {
            Value *v = m->outside.at[k];
            if (v->kind != V_PARAM || fnmatch(m->opt->freeze.at[i], v->name, 0)) continue;
            v->frozen = any = true;
        }
        if (!any)
            fatal(m, EXIT_INPUT, "--freeze: no parameter is called '%s'", escaped(m->arena, m->opt->freeze.at[i], 60));
    }
}

/* Integers are never trained: what a text calls a parameter then is a constant. */
static void sort_out(Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (v->kind == V_PARAM && !is_float(v->type.dtype)) v->kind = V_CONST;
        if (v->kind != V_CONST) v->part = v->kind == V_PARAM ? PART_PARAMS : PART_STATE;
    }
}

/* ---- layers in training mode ---- */

static Value *rng_of(Module *m) {
    Training *t = m->training;
    if (t->rng) return t->rng;
    t->rng = outside_new(m, V_STATE, "rng", tensor_new(m->arena, DT_i64, 1, (int64_t[]){2}));
    t->rng->part = PART_STATE;
    return t->rng;
}

static double drop_ratio(Node *n) {
    double ratio = 0.5;
    if (input(n, 1) && !known_float(n->in[1], &ratio))
        problem(n, EXIT_UNSUPPORTED, "its ratio is not known when compiling");
    return ratio;
}

static void start_dropping(Node *n) {
    Module *m = n->graph->module;
    double ratio = drop_ratio(n);
    if (ratio == 0) return;
    if (output(n, 1)) problem(n, EXIT_UNSUPPORTED, "its mask is used; only its first result can be trained through");
    Node *drop = node_new(n->graph, n, &ops[OP_RandomDrop], 2, (Value *[]){n->in[0], rng_of(m)}, 1, NULL, n->loc);
    set_attr_f(drop, "ratio", ratio);
    set_attr_i(drop, "stream", ++m->training->streams);
    drop->out[0]->type = n->out[0]->type;
    drop->origin = node_text(m->arena, n);
    take_place(n->out[0], drop->out[0]);
    unlink_node(n);
}

void prepare_training(Module *m) {
    if (!m->entry) return;
    m->training = NEW(m->arena, Training);
    m->training->inputs = m->main->nin;
    for (int i = 0; i < COUNT(losses) - 1; i++)
        if (m->opt->loss && !strcmp(m->opt->loss, losses[i].name)) m->training->loss = &losses[i];
    for (Node *n = m->main->first; n; n = n->next) promote_inputs(n);
    sort_out(m);
    freeze(m);
    for (Node *n = m->main->first, *next; n; n = next) {
        next = n->next;
        if (IS(n, Dropout) && m->entry->training) start_dropping(n);
    }
    resolve_graph(m->main);
}

/* ---- the loss ---- */

static Value *scalar_sum(Node *at, Value *v) {
    Value *r;
    build_meaning(at, "ReduceSum(y, keepdims = 0)", 1, (const char *[]){"y"}, &v, 1, &r);
    return r;
}

/* Any gradient shows in a weighted sum: for checking networks that say nothing of training. */
static Value *projection(Module *m, Node *at) {
    Value *sum = NULL;
    Graph *g = m->main;
    for (int i = 0; i < g->nout; i++) {
        if (!is_float(g->out[i]->type.dtype)) continue;
        Value *w = input_new(g, format(m->arena, "weight_of_%d", i), g->out[i]->type), *r;
        build_meaning(at, "y * w", 2, (const char *[]){"y", "w"}, (Value *[]){g->out[i], w}, 1, &r);
        r = scalar_sum(at, r);
        if (sum) build_meaning(at, "a + b", 2, (const char *[]){"a", "b"}, (Value *[]){sum, r}, 1, &r);
        sum = r;
    }
    if (!sum) fatal(m, EXIT_UNSUPPORTED, "the network has no output of floats to be made small");
    return sum;
}

static Type target_type(Module *m, const Loss *loss) {
    Type t = m->main->out[0]->type;
    if (loss->target != 'c') return t;
    if (t.rank < 2)
        fatal(m, EXIT_INPUT, "%s needs scores [batch, classes, …]; the output is %s", loss->name,
              type_text(m->arena, &t));
    for (int i = 1; i + 1 < t.rank; i++) t.dim[i] = t.dim[i + 1];
    t.rank--, t.dtype = DT_i32;
    return t;
}

Value *build_loss(Module *m) {
    Training *t = m->training;
    Graph *g = m->main;
    Node *at = node_new(g, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    Value *y = g->out[0], *loss;
    at->origin = "Loss";
    t->scores = y->type;
    if (t->loss) {
        t->target = input_new(g, t->loss->target == 'c' ? "label" : "target", target_type(m, t->loss));
        build_meaning(at, t->loss->value, 2, (const char *[]){"y", "t"}, (Value *[]){y, t->target}, 1, &loss);
    } else {
        loss = projection(m, at);
    }
    unlink_node(at);
    return loss;
}
