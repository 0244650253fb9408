/* optimizer.c - what a step does to parameters: the rows of optimizers.def, groups with settings of their own, limits
 * on gradients, averages of weights. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/ops.h"
#include "train/train.h"
#include <fnmatch.h>

const Optimizer optimizers[] = {
#define OPTIMIZER(id, ...) {#id, __VA_ARGS__},
#include "train/optimizers.def"
#undef OPTIMIZER
    {.name = NULL},
};

const char *flavor_of(const Optimizer *o) { return o->flavor ? o->flavor : "torch"; }

static void list_settings(FILE *f, const Optimizer *o) {
    for (int i = 0; i < MAX_SETTINGS && o->setting[i].name; i++)
        fprintf(f, " %s=%g", o->setting[i].name, o->setting[i].value);
    fputs("\n", f);
}

void list_optimizers(FILE *f) {
    for (const Optimizer *o = optimizers; o->name && !o->flavor; o++) {
        fprintf(f, "%-15s  %s\n                ", o->name, o->doc);
        list_settings(f, o);
        for (const Optimizer *other = o; other->name; other++) {
            if (!other->flavor || strcmp(other->name, o->name)) continue;
            fprintf(f, "          %s:", other->flavor);
            list_settings(f, other);
        }
    }
}

/* ---- what lies beside the parameters ---- */

int split_names(Arena *a, const char *words, const char **name) {
    int n = 0;
    for (const char *s = words; s && *s; s = next_word(s)) name[n++] = copy_word(a, s);
    return n;
}

/* The name of a slot, without what says which parameters have it. */
static const char *slot_name(Arena *a, const char *word) { return format(a, "%.*s", (int)strcspn(word, ":"), word); }

/* Its type beside a parameter; false: the parameter has none. */
static bool slot_type(const char *word, Type *t) {
    const char *kind = strchr(word, ':');
    if (!kind) return true;
    if (strchr("2n", kind[1])) return (kind[1] == '2') == (t->rank == 2);
    if ((kind[1] == 'v') == (t->rank > 1)) return false;
    if (kind[1] == 'r') t->dim[t->rank - 1] = (Dim){.max = 1};
    if (kind[1] == 'c') t->dim[t->rank - 2] = (Dim){.max = 1};
    return true;
}

static Value *new_state(Module *m, const char *name, Type t, TrainingBlock block, double first) {
    Value *v = outside_new(m, V_STATE, name, NULL);
    v->type = t, v->train.block = block, v->init = first == 1 ? "ones" : "zeros";
    if (first == 0 || first == 1) return v;
    int64_t dim[MAX_RANK];
    for (int d = 0; d < t.rank; d++) dim[d] = t.dim[d].max;
    v->data = tensor_new(m->arena, t.dtype, t.rank, dim);
    for (int64_t i = 0; i < v->data->count; i++) set_f(v->data, i, first);
    return v;
}

/* What updates of a parameter are computed in: beside those of half precision lie numbers that are not. */
static DType update_type(const Module *m, const Value *param) {
    return m->opt->real_f64 || param->type.dtype == DT_f64 ? DT_f64 : DT_f32;
}

static double setting_of(const Training *t, const char *name) {
    for (int i = 0; i < MAX_SETTINGS && t->setting[i].name; i++)
        if (!strcmp(t->setting[i].name, name)) return t->setting[i].value;
    return 0;
}

static ParamGroup *group_of(const Training *t, const Value *param) {
    for (int i = 0; i < t->groups.n; i++) {
        ParamGroup *g = t->groups.at[i];
        if (!g->name) return g;
        for (int k = 0; k < g->patterns.n; k++)
            if (!fnmatch(g->patterns.at[k], param->name, 0)) return g;
    }
    bug(__FILE__, __LINE__, "a parameter without a group");
}

static void check_drawn(Module *m, const Value *param) {
    Draw d;
    if (dtypes[param->type.dtype].bytes < 4 && param->init && draw_of(param, &d))
        fatal(m, EXIT_UNSUPPORTED, "parameter '%s' begins at random numbers: expected f32 or f64, saw %s",
              escaped(m->arena, param->name, 60), type_text(m->arena, &param->type));
}

static void add_trained(Module *m, Value *param) {
    const char *name[MAX_SETTINGS];
    check_drawn(m, param);
    Training *t = m->training;
    Trained *p = NEW(m->arena, Trained);
    int slots = split_names(m->arena, t->optimizer->slots, name);
    double first = setting_of(t, "initial_accumulator");
    p->param = param, p->group = group_of(t, param), p->group->members++;
    p->grad = new_state(m, format(m->arena, "%s.gradient", param->name), param->type, BLOCK_GRADS, 0);
    for (int i = 0; i < slots; i++) {
        Type type = param->type;
        type.dtype = update_type(m, param);
        const char *slot = format(m->arena, "%s.%s", param->name, slot_name(m->arena, name[i]));
        if (slot_type(name[i], &type)) p->slot[i] = new_state(m, slot, type, BLOCK_OPT, first);
    }
    if (t->ema != 0) p->average = new_state(m, format(m->arena, "%s.ema", param->name), param->type, BLOCK_OPT, 0);
    push(m->arena, &t->trained, p);
}

void add_optimizer_state(Module *m) {
    Training *t = m->training;
    const char *name[MAX_SETTINGS];
    int scalars = split_names(m->arena, t->optimizer->scalars, name), n = m->outside.n;
    Type scalar = {.dtype = DT_f64};
    t->scalar = NEW_ARRAY(m->arena, Value *, scalars + 1);
    for (int i = 0; i < scalars; i++)
        t->scalar[i] = new_state(m, format(m->arena, "optimizer.%s", name[i]), scalar, BLOCK_OPT, 1);
    if (t->ema != 0) t->first = new_state(m, "ema.first", scalar, BLOCK_OPT, 1);
    for (int i = 0; i < n; i++)
        if (trained(m->outside.at[i])) add_trained(m, m->outside.at[i]);
    for (int i = 0; i < t->groups.n && t->trained.n; i++) {
        const ParamGroup *g = t->groups.at[i];
        if (g->name && !g->members)
            fatal(m, EXIT_INPUT, "group '%s' of the train line: no parameter that is trained is called '%s'",
                  escaped(m->arena, g->name, 60), escaped(m->arena, g->patterns.at[0], 60));
    }
}

/* ---- updates ---- */

void build_assign(Node *at, Value *target, Value *value, Value *kept) {
    Value *in[3] = {target, value, kept};
    Node *n = node_new(at->graph, at, &ops[OP_Assign], kept ? 3 : 2, in, 1, NULL, at->loc);
    n->origin = at->origin, n->out[0] = NULL;
    infer_node(n);
}

static int bind_settings(const ParamGroup *g, Binding *b) {
    int n = 0;
    for (const Setting *s = g->setting; n < MAX_SETTINGS && s[n].name; n++)
        b[n] = (Binding){s[n].name, {.kind = I_FLOAT, .f = s[n].value}};
    return n;
}

static int bind_values(Arena *a, const char *words, Value *const *v, Binding *b) {
    const char *name[MAX_SETTINGS];
    int n = split_names(a, words, name);
    for (int i = 0; i < n; i++) b[i] = (Binding){slot_name(a, name[i]), a_value(v[i])};
    return n;
}

/* What `once` makes of the settings of a group. */
static void start_group(Module *m, Node *at, ParamGroup *g, Value **scalar) {
    Training *t = m->training;
    Binding b[4 * MAX_SETTINGS];
    const Optimizer *o = t->optimizer;
    const char *name[MAX_SETTINGS];
    Value *result[2 * MAX_SETTINGS], *lr = t->lr;
    int n = bind_settings(g, b), scalars = split_names(m->arena, o->scalars, name);
    if (g->rate != 1)
        lr = build_value(at, "a * k", 2, (const char *[]){"a", "k"}, (Value *[]){lr, const_scalar(m, DT_f64, g->rate)});
    n += bind_values(m->arena, o->scalars, t->scalar, b + n);
    b[n++] = (Binding){"lr", a_value(lr)};
    b[n++] = (Binding){"real", {.kind = I_STR, .s = dtypes[m->opt->real_f64 ? DT_f64 : DT_f32].name}};
    int results = build_bound(at, o->once, n, b, COUNT(result), result);
    memcpy(scalar, result, sizeof *result * (size_t)scalars);
    g->named = arena_copy(m->arena, result + scalars, sizeof *result * (size_t)(results - scalars));
}

/* An average is what it was, but for the first step, which begins it. */
static void start_averages(Module *m, Node *at) {
    Training *t = m->training;
    if (!t->first) return;
    Value *in[2] = {t->first, const_scalar(m, DT_f64, t->ema)};
    t->kept_share = build_value(at, m->opt->real_f64 ? "(1 - f) * k" : "cast((1 - f) * k, \"f32\")", 2,
                                (const char *[]){"f", "k"}, in);
}

void start_step(Module *m) {
    Training *t = m->training;
    const char *name[MAX_SETTINGS];
    Value *scalar[MAX_SETTINGS];
    int scalars = split_names(m->arena, t->optimizer->scalars, name);
    t->lr = input_new(m->main, "lr", (Type){.dtype = DT_f64});
    t->lr->train.block = BLOCK_FIELD;
    Node *at = node_new(m->main, m->main->first, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    at->origin = "Step";
    for (int i = 0; i < t->groups.n; i++) start_group(m, at, t->groups.at[i], scalar);
    start_averages(m, at);
    for (int i = 0; i < scalars; i++) build_assign(at, t->scalar[i], scalar[i], NULL);
    if (t->first) build_assign(at, t->first, const_scalar(m, DT_f64, 0), NULL);
    one_kernel(m, NULL, at);
    unlink_node(at);
}

/* ---- limits on gradients ---- */

static bool clips(const Training *t, const char *how) { return t->clip && !strcmp(t->clip, how); }

bool clips_together(const Training *t) { return clips(t, "clip_global_norm"); }

static Value *length_squared(Node *at, Value *g) {
    return build_value(at, "x = cast(g, \"f64\"); ReduceSum(x * x, keepdims = 0)", 1, (const char *[]){"g"}, &g);
}

/* PyTorch keeps clear of a division by 0, Keras takes the larger. */
static Value *scale_of(Module *m, Node *at, Value *squared) {
    const Training *t = m->training;
    Value *in[2] = {squared, const_scalar(m, DT_f64, t->limit)};
    const char *text = t->optimizer->flavor ? "c / Max(Sqrt(s), c)" : "Min(c / (Sqrt(s) + 1e-6), 1)";
    return build_value(at, format(m->arena, "cast(%s, \"%s\")", text, m->opt->real_f64 ? "f64" : "f32"), 2,
                       (const char *[]){"s", "c"}, in);
}

Value *build_common_scale(Module *m, Node *at, Value *const *gradient) {
    Value *sum = NULL;
    for (int i = 0; i < m->training->trained.n; i++) {
        Value *in[2] = {sum, length_squared(at, gradient[i])};
        sum = sum ? build_value(at, "a + b", 2, (const char *[]){"a", "b"}, in) : in[1];
    }
    return sum ? scale_of(m, at, sum) : NULL;
}

/* ---- updates ---- */

static Value *in_type(Node *at, Value *v, DType t) {
    if (v->type.dtype == t) return v;
    return build_value(at, format(at->graph->module->arena, "cast(x, \"%s\")", dtypes[t].name), 1,
                       (const char *[]){"x"}, &v);
}

static Value *limited(Module *m, Node *at, Value *g, Value *scale) {
    Value *in[2] = {g, scale ? in_type(at, scale, g->type.dtype) : NULL};
    if (scale) return build_value(at, "g * s", 2, (const char *[]){"g", "s"}, in);
    if (!clips(m->training, "clip_value")) return g;
    in[1] = const_scalar(m, g->type.dtype, m->training->limit);
    return build_value(at, "Min(Max(g, -c), c)", 2, (const char *[]){"g", "c"}, in);
}

static Value *averaged(Module *m, Node *at, const Trained *p, Value *w) {
    DType t = w->type.dtype;
    Value *in[3] = {in_type(at, p->average, t), w, in_type(at, m->training->kept_share, t)};
    return build_value(at, "k * a + (1 - k) * w", 3, (const char *[]){"a", "w", "k"}, in);
}

/* Values of the row's `update`; how many. */
static int new_values(Module *m, Node *at, const Trained *p, Value *gradient, Value **result) {
    const Training *t = m->training;
    const Optimizer *o = t->optimizer;
    DType type = update_type(m, p->param);
    Binding b[4 * MAX_SETTINGS];
    int n = bind_settings(p->group, b);
    b[n++] = (Binding){"w", a_value(in_type(at, p->param, type))};
    b[n++] = (Binding){"g", a_value(in_type(at, gradient, type))};
    n += bind_values(m->arena, o->slots, p->slot, b + n);
    int named = bind_values(m->arena, o->names, p->group->named, b + n);
    for (int i = 0; i < named; i++)
        if (b[n + i].item.kind == I_VALUE) b[n + i].item.v = in_type(at, b[n + i].item.v, type);
    n += named;
    return build_bound(at, o->update, n, b, 1 + MAX_SLOTS, result);
}

void build_update(Module *m, Node *at, const Trained *p, Value *gradient, Value *scale) {
    const Training *t = m->training;
    Value *result[1 + MAX_SLOTS], *average = NULL;
    const char *origin = at->origin;
    at->origin = format(m->arena, "%s '%s'", t->optimizer->name, p->param->name);
    if (clips(t, "clip_norm")) scale = scale_of(m, at, length_squared(at, gradient));
    Node *before = at->prev;
    int results = new_values(m, at, p, limited(m, at, gradient, scale), result);
    if (p->average) average = in_type(at, averaged(m, at, p, result[0]), p->param->type.dtype);
    build_assign(at, p->param, in_type(at, result[0], p->param->type.dtype), gradient);
    for (int i = 1; i < results; i++)
        if (p->slot[i - 1]) build_assign(at, p->slot[i - 1], result[i], NULL);
    if (average) build_assign(at, p->average, average, NULL);
    if (!t->optimizer->whole) one_kernel(m, before, at);
    at->origin = origin;
}

/* Before the first step an average is the parameter, whatever its memory holds. */
void build_exchange(Module *m) {
    const Training *t = m->training;
    Node *at = node_new(m->main, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    for (int i = 0; i < t->trained.n; i++) {
        const Trained *p = t->trained.at[i];
        at->origin = format(m->arena, "Average '%s'", p->param->name);
        Node *before = at->prev;
        Value *in[3] = {t->first, p->param, p->average};
        build_assign(at, p->param, build_value(at, "Where(f != 0, w, a)", 3, (const char *[]){"f", "w", "a"}, in),
                     NULL);
        build_assign(at, p->average, p->param, NULL);
        one_kernel(m, before, at);
    }
    unlink_node(at);
}
