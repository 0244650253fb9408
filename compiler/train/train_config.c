/* train_config.c - what a network is trained with: the `train` line of a .nn file, and options, which win over it. */
#include "base/lexer.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "train/metrics.h"
#include "train/train.h"
#include <math.h>

/* Every fault of the line and of the options that win over it is listed. */
#define WRONG(m, ...) problem_at(m, EXIT_INPUT, (Loc){0}, NULL, __VA_ARGS__)

/* What the line may say besides the optimizer's settings. --set may say what has no option of its own. */
static const struct {
    const char *name;
    AttrKind kind;
    const char *what;
    bool set;
} words[] = {{"loss", A_STR, "a name", false},
             {"optimizer", A_STR, "a name", false},
             {"flavor", A_STR, "torch or keras", false},
             {"schedule", A_STR, "a schedule, as in cosine(steps = 1000)", false},
             {"metrics", A_STRS, "a list of names", false},
             {"batch", A_INT, "a whole number from 1 on", false},
             {"epochs", A_INT, "a whole number from 1 on", false},
             {"seed", A_INT, "a whole number from 1 on", false},
             {"clip_value", A_FLOAT, "a number above 0", true},
             {"clip_norm", A_FLOAT, "a number above 0", true},
             {"clip_global_norm", A_FLOAT, "a number above 0", true},
             {"ema", A_FLOAT, "a number from 0 to below 1", true},
             {"keep_dropout", A_STR, "true or false", false}};

enum { MAX_COUNT = 1000000 /* as the command line's */, MAX_ROWS = 64 };
static const char group_prefix[] = "groups.";

/* What settings of optimizers may be, as PyTorch has them. */
static const struct {
    const char *name;
    double least, most;
    bool below; /* `most` itself is too much */
} limits[] = {{"lr", 0, INFINITY, false},
              {"weight_decay", 0, INFINITY, false},
              {"epsilon", 0, INFINITY, false},
              {"epsilon1", 0, INFINITY, false},
              {"epsilon2", 0, INFINITY, false},
              {"initial_accumulator", 0, INFINITY, false},
              {"momentum_decay", 0, INFINITY, false},
              {"clip_threshold", ABOVE_0, INFINITY, false},
              {"clip_value", ABOVE_0, INFINITY, false},
              {"clip_norm", ABOVE_0, INFINITY, false},
              {"clip_global_norm", ABOVE_0, INFINITY, false},
              {"rate", 0, INFINITY, false},
              {"beta2_decay", -100, 0, false},
              {"momentum", 0, 1, true},
              {"nesterov", 0, 1, false},
              {"beta1", 0, 1, true},
              {"beta2", 0, 1, true},
              {"ema", 0, 1, true},
              {"rho", 0, 1, false},
              {"alpha", 0, 1, false}};

static const Attr *in_line(const Module *m, const char *name) {
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "train"); k++)
            if (!strcmp(meta->attr[k].name, name)) return &meta->attr[k];
    }
    return NULL;
}

/* A word of the line, or of --set: a number if it reads as one. */
static const Attr *said(const Module *m, const char *name) {
    const Attr *a = in_line(m, name);
    for (int i = 0; i < m->opt->hyper.n; i++) {
        Rename *r = m->opt->hyper.at[i];
        if (strcmp(r->from, name)) continue;
        char *end;
        Attr *set = NEW(m->arena, Attr);
        set->name = name, set->f = strtod(r->to, &end), set->s = r->to, r->used = true;
        set->kind = end == r->to || *end ? A_STR : A_FLOAT;
        a = set;
    }
    return a;
}

static const char *word(const Module *m, const char *option, const char *name) {
    const Attr *a = in_line(m, name);
    return option ? option : a && (a->kind == A_STR || a->kind == A_LOSS) ? a->s : NULL;
}

const char *loss_choices(Arena *a, const char *name) {
    const char *names[MAX_ROWS];
    int n = 0;
    for (const Loss *l = losses; l->name; l++) names[n++] = l->name;
    return choices(a, name, "there are", n, names);
}

const char *optimizer_choices(Arena *a, const char *name) {
    const char *names[MAX_ROWS];
    int n = 0;
    for (const Optimizer *o = optimizers; o->name && !o->flavor; o++) names[n++] = o->name;
    return choices(a, name, "there are", n, names);
}

/* What the line may say with this optimizer, without the words of others if only settings are meant. */
static const char *suggest_word(Module *m, const Training *t, const char *name, bool settings) {
    const char *names[MAX_SETTINGS + COUNT(words) + 3];
    int n = 0;
    for (int i = 0; i < MAX_SETTINGS && t->setting[i].name; i++) names[n++] = t->setting[i].name;
    for (int i = 0; i < COUNT(words); i++)
        if (!settings || words[i].set) names[n++] = words[i].name;
    names[n++] = "groups.NAME.params", names[n++] = "groups.NAME.rate", names[n++] = "groups.NAME.weight_decay";
    if (settings) return choices(m->arena, name, "it has", n, names);
    return choices(m->arena, name, "it takes", n, names);
}

const Loss *find_loss(const char *name) {
    for (const Loss *l = losses; l->name; l++)
        if (!strcmp(l->name, name)) return l;
    return NULL;
}

/* Those of the options take the place of none. */
static void weigh_classes(Module *m, LossTerm *l) {
    int i = 0;
    while (l->row && i < MAX_OPTIONS && l->row->option[i].name && strcmp(l->row->option[i].name, "weights")) i++;
    if (!l->row || i == MAX_OPTIONS || !l->row->option[i].name)
        fatal(m, EXIT_INPUT, "--class-weights: expected a loss with weights of classes, saw %s",
              l->row ? l->row->name : "an output");
    if (l->option[i].given) fatal(m, EXIT_INPUT, "--class-weights: the loss has weights already");
    l->option[i] = (OptionValue){.given = true, .n = m->opt->class_weights, .list = m->opt->class_weight};
    l->text = options_text(m->arena, l->row->option, l->option);
}

/* The one that is named alone, else those that the line gives by name. */
static void take_losses(Module *m, Training *t) {
    const char *name = word(m, m->opt->loss, "loss");
    if (!name) {
        t->losses = m->losses, t->targets = m->targets;
        if (m->opt->class_weights)
            fatal(
                m, EXIT_INPUT,
                "--class-weights: expected one loss, named alone, saw losses by name: they have weights of their own");
        return;
    }
    LossTerm *l = read_loss(m, name);
    if (m->opt->class_weights) weigh_classes(m, l);
    push(m->arena, &t->losses, l);
}

static const Optimizer *find_optimizer(const char *name, const char *flavor) {
    for (const Optimizer *o = optimizers; o->name; o++)
        if (!strcmp(o->name, name) && !strcmp(flavor_of(o), flavor)) return o;
    return NULL;
}

bool is_flavor(const char *name) {
    for (const Optimizer *o = optimizers; o->name; o++)
        if (!strcmp(flavor_of(o), name)) return true;
    return false;
}

static const Optimizer *optimizer_of(Module *m) {
    const char *name = word(m, m->opt->optimizer, "optimizer"), *flavor = word(m, m->opt->flavor, "flavor");
    if (flavor && !is_flavor(flavor))
        fatal(m, EXIT_INPUT, "there is no flavor '%s'; there are torch and keras", escaped(m->arena, flavor, 60));
    const Optimizer *o = find_optimizer(name ? name : "Adam", flavor ? flavor : "torch");
    if (o) return o;
    fatal(m, EXIT_INPUT, "there is no optimizer '%s'%s", escaped(m->arena, name, 60),
          optimizer_choices(m->arena, name));
}

static void check_limits(Module *m, const char *name, double v) {
    for (int i = 0; i < COUNT(limits); i++) {
        if (strcmp(limits[i].name, name)) continue;
        bool fits = v >= limits[i].least && (limits[i].below ? v < limits[i].most : v <= limits[i].most) && isfinite(v);
        if (fits) return;
        if (isinf(limits[i].most))
            WRONG(m, "%s is %g; it has to be a number %s", name, v, least_text(m->arena, limits[i].least));
        else
            WRONG(m, "%s is %g; it has to be a number from %g to %s%g", name, v, limits[i].least,
                  limits[i].below ? "below " : "", limits[i].most);
    }
}

/* A number of the line, or `value`. */
static double number(Module *m, const char *name, double value) {
    const Attr *a = said(m, name);
    const char *dot = strrchr(name, '.');
    if (a && a->kind == A_INT) value = (double)a->i;
    if (a && a->kind == A_FLOAT) value = a->f;
    if (a && a->kind != A_INT && a->kind != A_FLOAT) {
        if (in_line(m, name) == a)
            WRONG(m, "the train line's %s has to be a number", name);
        else
            WRONG(m, "--set %s=%s is no number", name, escaped(m->arena, a->s, 40));
    }
    if (a) check_limits(m, dot ? dot + 1 : name, value);
    return value;
}

static void take_settings(Module *m, Training *t) {
    for (int i = 0; i < MAX_SETTINGS && t->optimizer->setting[i].name; i++) {
        t->setting[i] = t->optimizer->setting[i];
        t->setting[i].value = number(m, t->setting[i].name, t->setting[i].value);
    }
}

static bool yes(Module *m, const char *name) {
    const Attr *a = in_line(m, name);
    bool is = a && a->kind == A_STR && !strcmp(a->s, "true");
    if (a && !is && (a->kind != A_STR || strcmp(a->s, "false")))
        WRONG(m, "the train line's %s has to be true or false", name);
    return is;
}

/* One of the ways to limit gradients. */
static void take_clip(Module *m, Training *t) {
    static const char *const ways[] = {"clip_value", "clip_norm", "clip_global_norm"};
    for (int i = 0; i < COUNT(ways); i++) {
        if (!said(m, ways[i])) continue;
        if (t->clip) WRONG(m, "expected one limit on gradients, saw %s and %s", t->clip, ways[i]);
        t->clip = ways[i], t->limit = number(m, ways[i], 0);
    }
}

/* ---- groups ---- */

static void take_patterns(Module *m, ParamGroup *g) {
    const Attr *a = said(m, format(m->arena, "%s%s.params", group_prefix, g->name));
    if (a && a->kind == A_STR) push(m->arena, &g->patterns, (void *)(uintptr_t)a->s);
    for (int i = 0; a && a->kind == A_STRS && i < a->n; i++)
        push(m->arena, &g->patterns, (void *)(uintptr_t)a->strs[i]);
    if (!g->patterns.n)
        WRONG(m, "group '%s' of the train line: expected the names of its parameters, as in params = \"fc.*\"",
              escaped(m->arena, g->name, 60));
}

static ParamGroup *new_group(Module *m, Training *t, const char *name) {
    ParamGroup *g = NEW(m->arena, ParamGroup);
    g->name = name, g->rate = 1;
    memcpy(g->setting, t->setting, sizeof g->setting);
    push(m->arena, &t->groups, g);
    return g;
}

static void add_group(Module *m, Training *t, const char *name) {
    for (int i = 0; i < t->groups.n; i++)
        if (!strcmp(((const ParamGroup *)t->groups.at[i])->name, name)) return;
    ParamGroup *g = new_group(m, t, name);
    take_patterns(m, g);
    g->rate = number(m, format(m->arena, "%s%s.rate", group_prefix, name), 1);
    for (int i = 1; i < MAX_SETTINGS && g->setting[i].name; i++)
        if (!strcmp(g->setting[i].name, "weight_decay"))
            g->setting[i].value =
                number(m, format(m->arena, "%s%s.weight_decay", group_prefix, name), g->setting[i].value);
}

/* The word of a group that `groups.head.rate` is; NULL: it is none. */
static const char *word_of_group(const char *name) {
    static const char *const known[] = {"params", "rate", "weight_decay"};
    const char *dot = strrchr(name, '.');
    for (int i = 0; i < COUNT(known) && dot; i++)
        if (!strncmp(name, group_prefix, sizeof group_prefix - 1) && !strcmp(dot + 1, known[i]) &&
            dot > name + sizeof group_prefix - 1)
            return known[i];
    return NULL;
}

static void take_group(Module *m, Training *t, const char *name) {
    const char *word = word_of_group(name);
    size_t n = strlen(name) - sizeof group_prefix + 1;
    if (word) add_group(m, t, format(m->arena, "%.*s", (int)(n - strlen(word) - 1), name + sizeof group_prefix - 1));
}

static void take_groups(Module *m, Training *t) {
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "train"); k++) take_group(m, t, meta->attr[k].name);
    }
    for (int i = 0; i < m->opt->hyper.n; i++) take_group(m, t, ((const Rename *)m->opt->hyper.at[i])->from);
    new_group(m, t, NULL);
}

static bool has_momentum(const Training *t) {
    for (int i = 0; i < MAX_SETTINGS && t->setting[i].name; i++)
        if (!strcmp(t->setting[i].name, "momentum")) return t->setting[i].value != 0;
    return false;
}

/* Whether one of the words has the kind of value that it takes; what it is instead is told. */
static bool check_word(Module *m, const Attr *a) {
    for (int i = 0; i < COUNT(words); i++) {
        if (strcmp(words[i].name, a->name)) continue;
        bool counts = words[i].kind == A_INT, fits = a->kind == words[i].kind;
        if (words[i].set) return true; /* number() has looked at it */
        if (counts && fits) fits = a->i >= 1 && a->i <= (strcmp(a->name, "seed") ? MAX_COUNT : INT32_MAX);
        if (!fits && !(words[i].kind == A_STRS && (a->kind == A_STR || a->n == 0)))
            WRONG(m, "the train line's %s has to be %s", a->name, words[i].what);
        return true;
    }
    return false;
}

static void check_metric(Module *m, const Training *t, const char *name) {
    const char *wrong = wrong_metric(m->arena, t, name);
    if (wrong) WRONG(m, "%s", wrong);
}

static void check_metrics(Module *m, const Training *t) {
    const Attr *a = in_line(m, "metrics");
    if (a && a->kind == A_STR) check_metric(m, t, a->s);
    for (int i = 0; a && a->kind == A_STRS && i < a->n; i++) check_metric(m, t, a->strs[i]);
}

/* A word of the train line that means nothing is a slip. */
static void check_line(Module *m, const Training *t) {
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "train"); k++) {
            bool known = meta->attr[k].kind == A_LOSS || check_word(m, &meta->attr[k]);
            for (int j = 0; j < MAX_SETTINGS && t->setting[j].name; j++)
                known = known || !strcmp(t->setting[j].name, meta->attr[k].name);
            known = known || word_of_group(meta->attr[k].name);
            if (!known)
                WRONG(m, "the train line has '%s', which %s does not take%s", escaped(m->arena, meta->attr[k].name, 60),
                      t->optimizer->name, suggest_word(m, t, meta->attr[k].name, false));
        }
    }
    for (int i = 0; i < m->opt->hyper.n; i++) {
        const Rename *r = m->opt->hyper.at[i];
        if (!r->used)
            WRONG(m, "%s has no setting '%s'%s", t->optimizer->name, escaped(m->arena, r->from, 60),
                  suggest_word(m, t, r->from, true));
    }
    check_metrics(m, t);
}

const Attr *train_word(const Module *m, const char *name) { return in_line(m, name); }

int training_count(const Module *m, const char *name) {
    const Attr *a = in_line(m, name);
    return a && a->kind == A_INT ? (int)a->i : 0;
}

Training *training_of(Module *m) {
    Training *t = NEW(m->arena, Training);
    take_losses(m, t);
    t->optimizer = optimizer_of(m);
    take_settings(m, t);
    if (t->optimizer->with_momentum && has_momentum(t))
        t->optimizer = find_optimizer(t->optimizer->with_momentum, flavor_of(t->optimizer));
    take_clip(m, t);
    const char *schedule = word(m, m->opt->schedule, "schedule");
    if (schedule) t->schedule = read_rate(m, schedule);
    t->ema = number(m, "ema", 0);
    t->samples = m->opt->keep_dropout || yes(m, "keep_dropout");
    take_groups(m, t);
    check_line(m, t);
    stop_on_problems(m);
    return t;
}

/* ---- the batch: needed before the line is reached ---- */

/* The number behind `batch =` in the line that begins with `train`; 0 if there is none. */
static int64_t batch_said(Module *m) {
    Lexer l;
    bool inside = false;
    if (!m->text) return 0; /* an ONNX model has no such line */
    lex_start(&l, m->arena, m->text);
    while (l.tok.kind != T_END && l.tok.kind != T_BAD) {
        if (l.tok.kind == T_NAME && !strcmp(l.tok.s, "train")) inside = true;
        bool batch = inside && l.tok.kind == T_NAME && !strcmp(l.tok.s, "batch");
        lex_next(&l);
        if (batch && lex_accept(&l, "=") && l.tok.kind == T_INT) return (int64_t)l.tok.u;
    }
    return 0;
}

int64_t training_batch(Module *m, bool *said) {
    enum { USUAL = 64 };
    int64_t n = batch_said(m);
    *said = n >= 1 && n <= 1 << 20;
    return *said ? n : USUAL;
}

const DimBinding *default_dim(Module *m, const char *name) {
    DimBinding *d = NEW(m->arena, DimBinding);
    *d = (DimBinding){.name = arena_str(m->arena, name), .min = 1, .max = 1, .used = true};
    if (m->entry) d->max = training_batch(m, &d->told);
    push(m->arena, &m->defaults, d);
    return d;
}
