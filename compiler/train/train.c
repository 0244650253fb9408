/* train.c - from a network to one that can be trained: which values are parameters, what layers do otherwise than in
 * inference, the loss to minimise. */
#include "train/train.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/ops.h"

const Optimizer optimizers[] = {
#define OPTIMIZER(id, ...) {#id, __VA_ARGS__},
#include "train/optimizers.def"
#undef OPTIMIZER
    {.name = NULL},
};

void list_optimizers(FILE *f) {
    for (const Optimizer *o = optimizers; o->name; o++) {
        fprintf(f, "%-8s  %s\n         ", o->name, o->doc);
        for (int i = 0; i < MAX_SETTINGS && o->setting[i].name; i++)
            fprintf(f, " %s=%g", o->setting[i].name, o->setting[i].value);
        fputs("\n", f);
    }
}

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
    {.name = NULL},
};
const Entry entry_value = {.name = "value", .training = true, .loss = true};
const Entry entry_gradient = {.name = "gradient", .training = true, .loss = true, .grads = true, .input_grads = true};

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

/* The random numbers of a function that another continues: both need the same, and the first moves the state on. */
Value *rng_read(Module *m) {
    Training *t = m->training;
    Value *rng = rng_of(m);
    if (!m->entry->second) return rng;
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
    if (m->entry && m->entry->training)
        drop_by(n, rng_read(m));
    else if (!m->entry && input(n, 2) && known_float(n->in[2], &told) && told)
        drop_by(n, const_ints(m, 2, (int64_t[]){attr_i(n, "seed"), 0}));
}

/* Every function has the same states, whether it uses them or not. */
static void add_rng(Graph *g, void *unused) {
    (void)unused;
    for (const Node *n = g->first; n; n = n->next)
        if (IS(n, Dropout) || n->op->draws) rng_of(g->module);
}

/* ---- what lies beside the parameters ---- */

int split_names(Arena *a, const char *words, const char **name) {
    int n = 0;
    for (const char *s = words; s && *s; s = next_word(s)) name[n++] = copy_word(a, s);
    return n;
}

static Value *new_state(Module *m, const char *name, Type t, TrainingBlock block) {
    Value *v = outside_new(m, V_STATE, name, NULL);
    v->type = t, v->train.block = block, v->init = "zeros";
    return v;
}

static void add_trained(Module *m, Value *param) {
    const char *name[MAX_SETTINGS];
    Training *t = m->training;
    Trained *p = NEW(m->arena, Trained);
    int slots = split_names(m->arena, t->optimizer->slots, name);
    p->param = param, p->slot = NEW_ARRAY(m->arena, Value *, slots + 1);
    p->grad = new_state(m, format(m->arena, "%s.gradient", param->name), param->type, BLOCK_GRADS);
    for (int i = 0; i < slots; i++)
        p->slot[i] = new_state(m, format(m->arena, "%s.%s", param->name, name[i]), param->type, BLOCK_OPT);
    push(m->arena, &t->trained, p);
}

static void add_states(Module *m) {
    Training *t = m->training;
    const char *name[MAX_SETTINGS];
    int scalars = split_names(m->arena, t->optimizer->scalars, name), n = m->outside.n;
    t->scalar = NEW_ARRAY(m->arena, Value *, scalars + 1);
    for (int i = 0; i < scalars; i++)
        t->scalar[i] = new_state(m, format(m->arena, "optimizer.%s", name[i]), (Type){.dtype = DT_f64}, BLOCK_OPT);
    for (int i = 0; i < scalars; i++) t->scalar[i]->init = "ones";
    for (int i = 0; i < n; i++)
        if (trained(m->outside.at[i])) add_trained(m, m->outside.at[i]);
}

void prepare_training(Module *m) {
    if (!m->entry) return;
    if (!m->after) undo_export(m);
    m->training = training_of(m);
    prepare_loss_output(m);
    m->training->inputs = m->main->nin - m->training->targets.n;
    choose_parameters(m);
    sort_out(m);
    add_states(m);
    each_graph(m, add_rng, NULL);
}

/* ---- updates ---- */

void build_assign(Node *at, Value *target, Value *value, Value *kept) {
    Value *in[3] = {target, value, kept};
    Node *n = node_new(at->graph, at, &ops[OP_Assign], kept ? 3 : 2, in, 1, NULL, at->loc);
    n->origin = at->origin, n->out[0] = NULL;
    infer_node(n);
}

/* The nodes between `first` (NULL: the start) and `at` become one kernel. */
static void one_kernel(Module *m, Node *first, const Node *at) {
    int k = ++m->kernels;
    for (Node *n = first ? first->next : m->main->first; n != at; n = n->next) n->kernel = k;
}

static int bind_settings(const Training *t, Binding *b) {
    int n = 0;
    for (const Setting *s = t->setting; n < MAX_SETTINGS && s[n].name; n++)
        b[n] = (Binding){s[n].name, {.kind = I_FLOAT, .f = s[n].value}};
    return n;
}

static int bind_values(Arena *a, const char *words, Value *const *v, Binding *b) {
    const char *name[MAX_SETTINGS];
    int n = split_names(a, words, name);
    for (int i = 0; i < n; i++) b[i] = (Binding){name[i], a_value(v[i])};
    return n;
}

bool is_optional(const Module *m, const Value *v) {
    const Training *t = m->training;
    if (!m->entry) return v->plan.home == HOME_OUTPUT && output_of_extent(m, v->plan.slot) >= 0;
    if (!m->entry->second) return false;
    if (v->plan.home == HOME_INPUT) return v->kind == V_INPUT && v->plan.slot >= t->inputs;
    return v->plan.home == HOME_OUTPUT && v->plan.slot >= t->outputs;
}

static Type scalar_type(DType t) { return (Type){.dtype = t}; }

void start_step(Module *m) {
    Training *t = m->training;
    Binding b[4 * MAX_SETTINGS];
    const Optimizer *o = t->optimizer;
    DType real = m->opt->real_f64 ? DT_f64 : DT_f32;
    const char *name[MAX_SETTINGS];
    Value *result[2 * MAX_SETTINGS];
    int n = bind_settings(t, b), scalars = split_names(m->arena, o->scalars, name);
    t->lr = input_new(m->main, "lr", scalar_type(DT_f64));
    t->lr->train.block = BLOCK_FIELD;
    n += bind_values(m->arena, o->scalars, t->scalar, b + n);
    b[n++] = (Binding){"lr", a_value(t->lr)};
    b[n++] = (Binding){"real", {.kind = I_STR, .s = dtypes[real].name}};
    Node *at = node_new(m->main, m->main->first, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    at->origin = "Step";
    int results = build_bound(at, o->once, n, b, COUNT(result), result);
    for (int i = 0; i < scalars; i++) build_assign(at, t->scalar[i], result[i], NULL);
    one_kernel(m, NULL, at);
    unlink_node(at);
    t->named = arena_copy(m->arena, result + scalars, sizeof *result * (size_t)(results - scalars));
}

void build_update(Module *m, Node *at, const Trained *p, Value *gradient) {
    Training *t = m->training;
    const Optimizer *o = t->optimizer;
    Binding b[4 * MAX_SETTINGS];
    Value *result[2 * MAX_SETTINGS];
    Node *before = at->prev;
    int n = bind_settings(t, b);
    const char *origin = at->origin;
    at->origin = format(m->arena, "%s '%s'", o->name, p->param->name);
    b[n++] = (Binding){"w", a_value(p->param)};
    b[n++] = (Binding){"g", a_value(gradient)};
    n += bind_values(m->arena, o->slots, p->slot, b + n);
    n += bind_values(m->arena, o->names, t->named, b + n);
    int results = build_bound(at, o->update, n, b, COUNT(result), result);
    build_assign(at, p->param, result[0], gradient);
    for (int i = 1; i < results; i++) build_assign(at, p->slot[i - 1], result[i], NULL);
    one_kernel(m, before, at);
    at->origin = origin;
}

/* ---- names ---- */

const char *const training_fields[] = {
#define BLOCK(name, field, ...) #field,
#include "base/blocks.def"
#undef BLOCK
    "arena", "lr", "device", "options", NULL};
