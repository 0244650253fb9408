/* train_config.c - what a network is trained with: the `train` line of a .nn file, and options, which win over it. */
#include "base/lexer.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "train/train.h"
#include <math.h>

/* Every fault of the line and of the options that win over it is listed. */
#define WRONG(m, ...) problem_at(m, EXIT_INPUT, (Loc){0}, NULL, __VA_ARGS__)

/* What the line may say besides the optimizer's settings. */
static const struct {
    const char *name;
    AttrKind kind;
    const char *what;
} words[] = {{"loss", A_STR, "a name"},
             {"optimizer", A_STR, "a name"},
             {"metrics", A_STRS, "a list of names"},
             {"batch", A_INT, "a whole number from 1 on"},
             {"epochs", A_INT, "a whole number from 1 on"},
             {"seed", A_INT, "a whole number from 1 on"}};

enum { MAX_COUNT = 1000000 /* as the command line's */, MAX_ROWS = 32 };

/* What settings of optimizers may be, as PyTorch has them. */
static const struct {
    const char *name;
    double least, most;
    bool below; /* `most` itself is too much */
} limits[] = {{"lr", 0, INFINITY, false},      {"weight_decay", 0, INFINITY, false},
              {"epsilon", 0, INFINITY, false}, {"momentum", 0, 1, true},
              {"nesterov", 0, 1, false},       {"beta1", 0, 1, true},
              {"beta2", 0, 1, true},           {"rho", 0, 1, false},
              {"alpha", 0, 1, false}};

static const Attr *said(const Module *m, const char *name) {
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "train"); k++)
            if (!strcmp(meta->attr[k].name, name)) return &meta->attr[k];
    }
    return NULL;
}

static const char *word(const Module *m, const char *option, const char *name) {
    const Attr *a = said(m, name);
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
    for (const Optimizer *o = optimizers; o->name; o++) names[n++] = o->name;
    return choices(a, name, "there are", n, names);
}

/* What the line may say with this optimizer, without the words of others if only settings are meant. */
static const char *suggest_word(Module *m, const Training *t, const char *name, bool settings) {
    const char *names[MAX_SETTINGS + COUNT(words)];
    int n = 0;
    for (int i = 0; i < MAX_SETTINGS && t->setting[i].name; i++) names[n++] = t->setting[i].name;
    if (settings) return choices(m->arena, name, "it has", n, names);
    for (int i = 0; i < COUNT(words); i++) names[n++] = words[i].name;
    return choices(m->arena, name, "it takes", n, names);
}

const Loss *find_loss(const char *name) {
    for (const Loss *l = losses; l->name; l++)
        if (!strcmp(l->name, name)) return l;
    return NULL;
}

/* The one that is named alone, else those that the line gives by name. */
static void take_losses(Module *m, Training *t) {
    const char *name = word(m, m->opt->loss, "loss");
    if (!name) {
        t->losses = m->losses, t->targets = m->targets;
        return;
    }
    push(m->arena, &t->losses, read_loss(m, name));
}

static const Optimizer *find_optimizer(const char *name) {
    for (const Optimizer *o = optimizers; o->name; o++)
        if (!strcmp(o->name, name)) return o;
    return NULL;
}

static const Optimizer *optimizer_of(Module *m) {
    const char *name = word(m, m->opt->optimizer, "optimizer");
    const Optimizer *o = find_optimizer(name ? name : "Adam");
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
            WRONG(m, "%s is %g; it has to be a number from %g on", name, v, limits[i].least);
        else
            WRONG(m, "%s is %g; it has to be a number from %g to %s%g", name, v, limits[i].least,
                  limits[i].below ? "below " : "", limits[i].most);
    }
}

/* A setting from the command line, the train line, or the row. */
static double setting(Module *m, const Setting *s) {
    const Attr *a = said(m, s->name);
    double value = s->value;
    if (a && a->kind == A_INT) value = (double)a->i;
    if (a && a->kind == A_FLOAT) value = a->f;
    if (a && a->kind != A_INT && a->kind != A_FLOAT) WRONG(m, "the train line's %s has to be a number", s->name);
    for (int i = 0; i < m->opt->hyper.n; i++) {
        Rename *r = m->opt->hyper.at[i];
        if (strcmp(r->from, s->name)) continue;
        char *end;
        r->used = true;
        value = strtod(r->to, &end);
        if (end == r->to || *end) WRONG(m, "--set %s=%s is no number", s->name, escaped(m->arena, r->to, 40));
    }
    check_limits(m, s->name, value);
    return value;
}

static void take_settings(Module *m, Training *t) {
    for (int i = 0; i < MAX_SETTINGS && t->optimizer->setting[i].name; i++) {
        t->setting[i] = t->optimizer->setting[i];
        t->setting[i].value = setting(m, &t->setting[i]);
    }
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
        if (counts && fits) fits = a->i >= 1 && a->i <= (strcmp(a->name, "seed") ? MAX_COUNT : INT32_MAX);
        if (!fits && !(words[i].kind == A_STRS && (a->kind == A_STR || a->n == 0)))
            WRONG(m, "the train line's %s has to be %s", a->name, words[i].what);
        return true;
    }
    return false;
}

static bool any_metric(const Training *t) {
    for (int i = 0; i < t->losses.n; i++) {
        const LossTerm *l = t->losses.at[i];
        if (l->row && l->row->metric) return true;
    }
    return false;
}

static void check_metric(Module *m, const Training *t, const char *name) {
    if (strcmp(name, "accuracy"))
        WRONG(m, "there is no metric '%s'; there is accuracy", escaped(m->arena, name, 60));
    else if (named_losses(t) && !any_metric(t))
        WRONG(m, "the train line asks for accuracy, which none of its losses has: they have no right and wrong");
    else if (t->losses.n && !any_metric(t))
        WRONG(m, "the train line asks for accuracy, which%s does not have: it has no right and wrong",
              losses_text(m->arena, t) + strlen("Loss"));
}

static void check_metrics(Module *m, const Training *t) {
    const Attr *a = said(m, "metrics");
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

int training_count(const Module *m, const char *name) {
    const Attr *a = said(m, name);
    return a && a->kind == A_INT ? (int)a->i : 0;
}

Training *training_of(Module *m) {
    Training *t = NEW(m->arena, Training);
    take_losses(m, t);
    t->optimizer = optimizer_of(m);
    take_settings(m, t);
    if (t->optimizer->with_momentum && has_momentum(t)) t->optimizer = find_optimizer(t->optimizer->with_momentum);
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
