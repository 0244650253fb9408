/* train_facts.c - what a network and its data line say to the program that trains it, checked and as program.h. */
#include "cli/command.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/target.h"
#include "ops/ops.h"
#include "train/data_line.h"
#include "train/train.h"
#include <ctype.h>

/* Types that data can have there. */
static const struct {
    DType dtype;
    const char *name;
} port_types[] = {{DT_f32, "NNCC_F32"}, {DT_f64, "NNCC_F64"}, {DT_i32, "NNCC_I32"},
                  {DT_i64, "NNCC_I64"}, {DT_u8, "NNCC_U8"},   {DT_bool, "NNCC_BOOL"}};

static bool has_port_type(const Value *v) {
    for (int i = 0; i < COUNT(port_types); i++)
        if (port_types[i].dtype == v->type.dtype) return true;
    return false;
}

static const char *port_type(Module *m, const Value *v) {
    for (int i = 0; i < COUNT(port_types); i++)
        if (port_types[i].dtype == v->type.dtype) return port_types[i].name;
    fatal(
        m, EXIT_UNSUPPORTED,
        "nncc train: expected inputs of f32, f64, i32, i64, u8 or bool, saw '%s' %s; for others write the loop around "
        "the generated C, or use --real=f64",
        escaped(m->arena, port_name(v), 60), type_text(m->arena, &v->type));
}

/* What data is read for: the network's inputs, then what losses compare with. */
int data_ports(Module *m, const Value *port[MAX_PORTS]) {
    const Training *t = m->training;
    int n = t->inputs + t->targets.n;
    if (n > MAX_PORTS)
        fatal(m, EXIT_UNSUPPORTED, "nncc train: expected at most %d inputs and targets, saw %d", MAX_PORTS, n);
    for (int i = 0; i < n; i++) port[i] = i < t->inputs ? m->main->in[i] : t->targets.at[i - t->inputs];
    return n;
}

static int64_t per_example(const Type *t) { return type_count(t) / (t->rank && t->dim[0].max ? t->dim[0].max : 1); }

/* Its entries are of inputs and targets. */
void check_data_line(Module *m) {
    const Value *port[MAX_PORTS];
    check_data_numbers(m, port, data_ports(m, port), true);
}

static void put_numbers(Str *s, const char *name, const Attr *a) {
    put(s, ", .%s = (const double[]){", name);
    for (int i = 0; i < a->n; i++) put(s, "%s%.17g", i ? ", " : "", number_said(a, i));
    put_text(s, "}");
}

static void put_normalising(Str *s, const Module *m, const Value *x) {
    const Attr *scale = data_said(m, x->name, "scale"), *mean = data_said(m, x->name, "mean"),
               *std = data_said(m, x->name, "std");
    if (scale) put(s, ", .scale = %.17g", number_said(scale, 0));
    if (!mean || !std || mean->n != std->n || !mean->n) return;
    put(s, ", .channels = %d", mean->n);
    put_numbers(s, "mean", mean), put_numbers(s, "std", std);
}

/* A literal of C with whatever a model's name holds. */
static void put_literal(Str *s, const char *text) {
    put_text(s, "\"");
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("_.-", *text))
            put(s, "%c", *text);
        else
            put(s, "\\%03o", (unsigned char)*text);
    put_text(s, "\"");
}

/* What the numbers of an input lie below, as they choose rows of a table; 0: not known. */
static int64_t rows_chosen_by(const Module *m, const Value *v) {
    for (Node *n = m->main->first; n; n = n->next)
        if (IS(n, Gather) && resolve(n->in[1]) == v && type_known(&n->in[0]->type))
            return n->in[0]->type.dim[attr_axis(n, "axis", n->in[0]->type.rank)].max;
    return 0;
}

static int64_t classes_of(const Module *m, const Value *v, const LossTerm *l) {
    if (!l) return is_float(v->type.dtype) ? 0 : rows_chosen_by(m, v);
    return of_classes(l->row) ? l->scores.dim[1].max : 0;
}

/* A class that is no answer, if a setting of the loss says so. */
static void put_ignored(Str *s, const LossTerm *l) {
    for (int i = 0; l && i < MAX_OPTIONS && l->row->option[i].name; i++)
        if (!strcmp(l->row->option[i].name, "ignore_index") && l->option[i].given)
            put(s, ", .ignores = 1, .ignored = %lld", (long long)l->option[i].value);
}

static void put_port(Str *s, Module *m, const Value *v, bool target) {
    const Type *t = &v->type;
    const LossTerm *l = target ? loss_about(m->training, v) : NULL;
    put_text(s, "{"), put_literal(s, port_name(v));
    put(s, ", %s, %d, {", port_type(m, v), t->rank - 1);
    for (int d = 1; d < t->rank; d++) put(s, "%lld, ", (long long)t->dim[d].max);
    put(s, "0}, %lld, %d, %lld, %d", (long long)per_example(t), target, (long long)classes_of(m, v, l),
        l && l->row->probabilities);
    put_normalising(s, m, v), put_ignored(s, l);
    put_text(s, "}, ");
}

static void put_ports(Str *s, Module *m) {
    const Value *port[MAX_PORTS];
    int n = data_ports(m, port);
    put_text(s, "#define NNCC_PORT_ROWS ");
    for (int i = 0; i < n; i++) put_port(s, m, port[i], i >= m->training->inputs);
    put_text(s, "\n#define NNCC_FEEDS(X)");
    for (int i = 0; i < n; i++) put(s, " X(%s, %d)", port[i]->emit.cname, i);
    put_text(s, "\n");
}

/* head: fc.* out.*, rate 0.1, weight_decay 0; rest ... */
static const char *groups_text(Arena *a, const Training *t) {
    Str s = {.arena = a};
    for (int i = 0; i < t->groups.n; i++) {
        const ParamGroup *g = t->groups.at[i];
        if (!g->name) continue;
        put(&s, "%s%s:", s.n ? "; " : "", g->name);
        for (int k = 0; k < g->patterns.n; k++) put(&s, " %s", (const char *)g->patterns.at[k]);
        put(&s, ", rate %g", g->rate);
        for (int k = 1; k < MAX_SETTINGS && g->setting[k].name; k++)
            if (!strcmp(g->setting[k].name, "weight_decay")) put(&s, ", weight_decay %g", g->setting[k].value);
    }
    return s.n ? s.s : "none";
}

static void put_optimizer(Str *s, const Training *t) {
    put(s, "#define NNCC_OPTIMIZER \"%s\"\n#define NNCC_FLAVOR \"%s\"\n", t->optimizer->name, flavor_of(t->optimizer));
    put_text(s, "#define NNCC_SETTINGS ");
    for (const Setting *i = t->setting; i < t->setting + MAX_SETTINGS && i->name; i++)
        put(s, "{\"%s\", %.17g}, ", i->name, i->value);
    if (t->clip) put(s, "{\"%s\", %.17g}, ", t->clip, t->limit);
    if (t->ema != 0) put(s, "{\"ema\", %.17g}, ", t->ema);
    put_text(s, "\n");
    put_text(s, "#define NNCC_SCHEDULE "), put_literal(s, t->schedule ? t->schedule->text : "none");
    put_text(s, "\n#define NNCC_GROUPS "), put_literal(s, groups_text(s->arena, t));
    put_text(s, t->schedule ? "\n#define NNCC_RATE model_lr\n" : "\n");
}

/* Outputs in types that data can have; without a dim that counts examples there is one for all of them. */
static void put_outputs(Str *s, Module *m) {
    const Graph *g = m->main;
    int64_t batch = g->in[0]->type.dim[0].max;
    bool fine = g->nout <= MAX_PORTS;
    for (int i = 0; i < g->nout; i++) fine = fine && has_port_type(g->out[i]);
    put_text(s, "#define NNCC_OUTPUT_ROWS ");
    for (int i = 0; fine && i < g->nout; i++) {
        const Type *t = &g->out[i]->type;
        bool alone = !t->rank || t->dim[0].max != batch;
        put_text(s, "{"), put_literal(s, port_name(g->out[i]));
        put(s, ", %s, %d, {", port_type(m, g->out[i]), t->rank - !alone);
        for (int d = !alone; d < t->rank; d++) put(s, "%lld, ", (long long)t->dim[d].max);
        put(s, "0}, %lld, .alone = %d}, ", (long long)(alone ? type_count(t) : per_example(t)), alone);
    }
    put_text(s, "\n#define NNCC_TAKES(X)");
    for (int i = 0; fine && i < g->nout; i++) put(s, " X(%s, %d)", g->out[i]->emit.cname, i);
    put(s, "\n#define NNCC_OUTPUTS %d\n", fine ? g->nout : 0);
}

/* How metrics compare the output of a loss with its target: a letter of nncc_model.judged_as. */
static char judged_as(const LossTerm *l) {
    const Loss *row = l->row;
    if (of_classes(row)) return 'c';
    if (row->metric) return strstr(row->metric, "ArgMax") ? 'p' : 'b';
    return 'n';
}

/* Above it an answer is yes. */
static double threshold_of(const LossTerm *l) {
    return l->applied || (l->row->metric && strstr(l->row->metric, "y > 0.5")) ? 0.5 : 0;
}

static void put_judged(Str *s, Module *m) {
    const Value *port[MAX_PORTS];
    int n = data_ports(m, port);
    for (int i = 0; i < m->training->losses.n; i++) {
        const LossTerm *l = m->training->losses.at[i];
        for (int p = 0; p < n && l->row && l->judged && l->row->target; p++) {
            if (port[p] != l->target || type_count(&m->main->in[0]->type) < 1) continue;
            put(s, "#define NNCC_JUDGED_AS '%c'\n#define NNCC_JUDGED %d\n#define NNCC_JUDGE %d\n", judged_as(l),
                l->judged - 1, p);
            put(s, "#define NNCC_THRESHOLD %g\n", threshold_of(l));
            return;
        }
    }
    put_text(s, "#define NNCC_JUDGED_AS 0\n#define NNCC_JUDGED 0\n#define NNCC_JUDGE 0\n#define NNCC_THRESHOLD 0\n");
}

/* The loss whose right answers are counted; NULL: none is. */
static const LossTerm *counted_loss(const Training *t) {
    for (int i = 0; i < t->losses.n; i++) {
        const LossTerm *l = t->losses.at[i];
        if (l->row && l->row->metric && (l->counted || !l->name)) return l;
    }
    return NULL;
}

/* Parameters that no update moves: --freeze and --trainable say so. */
static void put_frozen(Str *s, const Module *m) {
    put_text(s, "#define NNCC_FROZEN ");
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        bool trained = v->train.block != BLOCK_PARAMS;
        for (int k = 0; k < m->training->trained.n; k++)
            trained = trained || ((const Trained *)m->training->trained.at[k])->param == v;
        if (!trained) put_literal(s, v->name), put_text(s, ", ");
    }
    put_text(s, "\n");
}

static void put_losses(Str *s, Module *m) {
    const Training *t = m->training;
    const Value *loss = m->main->out[0];
    const LossTerm *l = counted_loss(t);
    int scalars = 1 + named_losses(t);
    bool counts = m->main->nout > scalars;
    put(s, "#define NNCC_LOSS %s\n#define NNCC_LOSS_TYPE %s\n", loss->emit.cname, dtypes[loss->type.dtype].c);
    put_text(s, "#define NNCC_LOSSES(X)");
    for (int i = 1; i < scalars; i++)
        put(s, " X(%s, %s)", m->main->out[i]->emit.cname, dtypes[m->main->out[i]->type.dtype].c);
    if (counts) put(s, "\n#define NNCC_CORRECT %s", m->main->out[scalars]->emit.cname);
    put(s, "\n#define NNCC_LABELS %lld\n", (long long)(counts && l ? per_example(&l->target->type) : 0));
    if (l && of_classes(l->row) && l->scores.rank > 2)
        put(s, "#define NNCC_SCORES \"%s\"\n", type_text(m->arena, &l->scores));
    put_optimizer(s, t), put_judged(s, m), put_frozen(s, m);
}

/* train: NULL where the network is only run. */
void put_training_facts(Str *s, Module *train, Module *predict) {
    Module *m = train ? train : predict;
    put(s, "#define NNCC_TRAINS %d\n", train != NULL);
    put_ports(s, m);
    put_text(s, "#define NNCC_BOUNDS(X)");
    for (int i = 0; i < m->bounds.n; i++) put(s, " X(%s)", ((DimBinding *)m->bounds.at[i])->cname);
    put(s, "\n#define NNCC_FIXED %d\n#define NNCC_BATCH %lld\n", !m->bounds.n,
        (long long)m->main->in[0]->type.dim[0].max);
    put(s, "#define NNCC_DEVICE %d\n#define NNCC_PARTS %d\n", on_device(m), m->opt->distributed != NULL);
    put(s, "#define NNCC_THREADS %d\n", runs_in_pool(m->opt) ? m->opt->threads : 0);
    put(s, "#define INSTRUCTION_SET \"%s\"\n", isa_here(m->target) ? isa_here(m->target) : m->target->name);
    if (train) put_losses(s, train);
    put_outputs(s, predict);
}

/* The first dim of all that data gives counts examples. */
void check_ports(Module *m) {
    const Value *port[MAX_PORTS];
    int n = data_ports(m, port);
    const Type *x = &m->main->in[0]->type;
    if (!m->training->inputs) fatal(m, EXIT_INPUT, "the network has no input; there is nothing that data could give");
    if (!x->rank) fatal(m, EXIT_INPUT, "its input is a scalar; the first dim of what is trained counts examples");
    for (int i = 1; i < n; i++) {
        const Type *t = &port[i]->type;
        if (!t->rank || t->dim[0].max != x->dim[0].max)
            fatal(m, EXIT_INPUT, "its input is %s and '%s' is %s: the first dim of both counts examples",
                  type_text(m->arena, x), escaped(m->arena, port_name(port[i]), 60), type_text(m->arena, t));
    }
}

void check_trainer(Module *m) {
    const Training *t = m->training;
    int batch = training_count(m, "batch");
    if (!t->trained.n) fatal(m, EXIT_INPUT, "the network has no parameter that can be trained");
    check_ports(m);
    const Type *x = &m->main->in[0]->type;
    if (batch && !m->bounds.n && !m->opt->dims.n && batch != x->dim[0].max)
        fatal(m, EXIT_INPUT, "expected an input with the train line's batch of %d, saw %s", batch,
              type_text(m->arena, x));
}
