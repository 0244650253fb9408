/* train.c - from a network to one that can be trained: which values are parameters, what layers do otherwise than in
 * inference, the loss to minimise. */
#include "train/train.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/ops.h"

const Entry entries[] = {
    {.name = "predict", .doc = "Computes the network's outputs, in inference mode."},
    {.name = "eval_batch", .loss = true, .metrics = true, .doc = "Computes the loss of a batch, in inference mode."},
    {.name = "train_batch",
     .training = true,
     .loss = true,
     .metrics = true,
     .grads = true,
     .update = true,
     .doc = "One training step: forward, backward and update in one pass; does not use the block of gradients."},
    {.name = "forward_backward",
     .training = true,
     .loss = true,
     .metrics = true,
     .grads = true,
     .accumulate = true,
     .doc = "Accumulates the gradients of a batch into their block."},
    {.name = "apply",
     .update = true,
     .doc = "Updates the parameters from the block of gradients, then clears the block."},
    {.name = "input_grad",
     .loss = true,
     .input_grads = true,
     .doc = "Computes the gradient of the loss with respect to the inputs, in inference mode."},
    {.name = "forward",
     .training = true,
     .grads = true,
     .input_grads = true,
     .accumulate = true,
     .doc = "Computes the outputs in training mode; keeps in the arena what backward needs.",
     .second = "backward",
     .second_doc =
         "From the gradients of the outputs (NULL: zero) adds those of the parameters to their block, and computes "
         "those\n * of the inputs (NULL: not wanted). Comes after forward, whose inputs, parameters and arena it needs "
         "as they were."},
    {.name = "sample",
     .samples = true,
     .doc = "Computes the network's outputs with dropout, by other random numbers in each call; statistics as in "
            "inference."},
    {.name = "swap_ema",
     .averages = true,
     .doc = "Exchanges the parameters and their running averages; a second call exchanges them back."},
    {.name = NULL},
};
const Entry entry_value = {.name = "value", .training = true, .loss = true};
const Entry entry_gradient = {.name = "gradient", .training = true, .loss = true, .grads = true, .input_grads = true};

const char first_field[] = "first";

/* ---- parameters ---- */

/* Integers are never trained: what a text calls a parameter then is a constant. */
static void sort_out(Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (v->kind == V_PARAM && !is_float(v->type.dtype)) v->kind = V_CONST;
        if (v->kind != V_CONST) v->train.block = v->kind == V_PARAM ? BLOCK_PARAMS : BLOCK_STATE;
    }
}

/* ---- layers in training mode ---- */

static Value *rng_of(Module *m) {
    Training *t = m->training;
    if (t->rng) return t->rng;
    t->rng = new_rng(m);
    t->rng->train.block = BLOCK_STATE;
    return t->rng;
}

/* Each of several processes draws what one alone would for the same examples: it is told which of them is its first. */
static Value *rng_of_part(Module *m, Value *rng) {
    Training *t = m->training;
    if (t->drawn) return t->drawn;
    Value *in[2] = {rng, input_new(m->main, first_field, (Type){.dtype = DT_i64, .rank = 1, .dim = {{.max = 1}}})};
    in[1]->train.block = BLOCK_FIELD;
    Node *n = node_new(m->main, m->main->first, &ops[OP_Concat], 2, in, 1, NULL, (Loc){.node = -1});
    set_attr_i(n, "axis", 0);
    n->origin = "rng";
    infer_node(n);
    return t->drawn = n->out[0];
}

/* The random numbers of a function that another continues: both need the same, and the first moves the state on. */
Value *rng_read(Module *m) {
    Training *t = m->training;
    Value *rng = rng_of(m);
    if (!m->entry->second) return m->opt->distributed ? rng_of_part(m, rng) : rng;
    if (!t->drawn) {
        Node *n = node_new(m->main, m->main->first, &ops[OP_Copy], 1, &rng, 1, NULL, (Loc){.node = -1});
        n->origin = "rng";
        infer_node(n);
        t->drawn = n->out[0];
    }
    return t->drawn;
}

static double drop_ratio(Node *n) {
    double ratio = 0.5;
    if (input(n, 1) && !known_float(n->in[1], &ratio))
        problem(n, EXIT_UNSUPPORTED, "its ratio is not known when compiling");
    return ratio;
}

/* By random numbers that follow from the values of rng, seed and step; each layer has a stream of its own. */
static void drop_by(Node *n, Value *rng) {
    Module *m = n->graph->module;
    double ratio = drop_ratio(n);
    Value *result[2] = {NULL, NULL};
    int stream = ++m->streams;
    if (ratio == 0) return;
    const char *how = format(m->arena, "r, ratio = %.17g, stream = %d", ratio, stream),
               *mask = format(m->arena, ", RandomDrop(Expand(cast(1, a), Shape(a)), %s) > 0", how),
               *text = format(m->arena, "RandomDrop(a, %s)%s", how, output(n, 1) ? mask : "");
    build_decomposition(n, text, 2, (const char *[]){"a", "r"}, (Value *[]){n->in[0], rng}, COUNT(result), result);
    for (int i = 0; i < COUNT(result); i++)
        if (output(n, i)) replace_keeping_name(n->out[i], result[i]);
    unlink_node(n);
}

void start_dropping(Node *n) {
    Module *m = n->graph->module;
    double told = 0;
    if (noise_stays(m))
        drop_by(n, rng_at(n, NULL));
    else if (!m->entry && input(n, 2) && known_float(n->in[2], &told) && told)
        drop_by(n, rng_at(n, const_ints(m, 2, (int64_t[]){attr_i(n, "seed"), 0})));
}

/* Every function has the same states, whether it uses them or not. */
static void add_rng(Graph *g, void *unused) {
    (void)unused;
    for (const Node *n = g->first; n; n = n->next)
        if (IS(n, Dropout) || n->op->draws) rng_of(g->module);
}

/* A mean over no examples is not a number, and so would the parameters be. */
static void refuse_none(Module *m) {
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (b->min < 1)
            fatal(m, EXIT_INPUT, "%s = %lld..%lld: expected an extent of at least 1 in a network that trains",
                  escaped(m->arena, b->name, 60), (long long)b->min, (long long)b->max);
    }
}

void prepare_training(Module *m) {
    if (!m->entry) return;
    refuse_none(m);
    if (!m->after) undo_export(m);
    m->training = training_of(m);
    prepare_loss_output(m);
    m->training->inputs = m->main->nin - m->training->targets.n;
    choose_parameters(m);
    sort_out(m);
    add_optimizer_state(m);
    each_graph(m, add_rng, NULL);
}

bool is_optional(const Module *m, const Value *v) {
    const Training *t = m->training;
    if (!m->entry) return v->plan.home == HOME_OUTPUT && output_of_extent(m, v->plan.slot) >= 0;
    if (!m->entry->second) return false;
    if (v->plan.home == HOME_INPUT) return v->kind == V_INPUT && v->plan.slot >= t->inputs;
    return v->plan.home == HOME_OUTPUT && v->plan.slot >= t->outputs;
}

/* ---- names ---- */

const char *const training_fields[] = {
#define BLOCK(name, field, ...) #field,
#include "base/blocks.def"
#undef BLOCK
    "arena", "lr", "device", "options", NULL};
