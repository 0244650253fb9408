/* train_line.c - what a network is trained with: the `train` line of a .nn file, and options, which win over it. */
#include "lexer.h"
#include "train.h"

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
    return option ? option : a && a->kind == A_STR ? a->s : NULL;
}

static const Loss *loss_of(Module *m) {
    const char *name = word(m, m->opt->loss, "loss");
    for (const Loss *l = losses; name && l->name; l++)
        if (!strcmp(l->name, name)) return l;
    if (name) fatal(m, EXIT_INPUT, "there is no loss '%s'; see nncc --help", escaped(m->arena, name, 60));
    return NULL;
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
    fatal(m, EXIT_INPUT, "there is no optimizer '%s'; see nncc --help", escaped(m->arena, name, 60));
}

/* A setting from the command line, the train line, or the row. */
static double setting(Module *m, const Setting *s) {
    const Attr *a = said(m, s->name);
    double value = s->value;
    if (a && a->kind == A_INT) value = (double)a->i;
    if (a && a->kind == A_FLOAT) value = a->f;
    for (int i = 0; i < m->opt->hyper.n; i++) {
        Rename *r = m->opt->hyper.at[i];
        if (strcmp(r->from, s->name)) continue;
        r->used = true;
        value = strtod(r->to, NULL);
    }
    return value;
}

static void take_settings(Module *m, Training *t) {
    for (int i = 0; i < MOST_SETTINGS && t->optimizer->setting[i].name; i++) {
        t->setting[i] = t->optimizer->setting[i];
        t->setting[i].value = setting(m, &t->setting[i]);
    }
}

static bool has_momentum(const Training *t) {
    for (int i = 0; i < MOST_SETTINGS && t->setting[i].name; i++)
        if (!strcmp(t->setting[i].name, "momentum")) return t->setting[i].value != 0;
    return false;
}

/* A word of the train line that means nothing is a slip. */
static void check_line(Module *m, const Training *t) {
    static const char *const others[] = {"loss", "optimizer", "batch", "metrics", "epochs", "seed"};
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "train"); k++) {
            bool known = false;
            for (int j = 0; j < COUNT(others); j++) known = known || !strcmp(others[j], meta->attr[k].name);
            for (int j = 0; j < MOST_SETTINGS && t->setting[j].name; j++)
                known = known || !strcmp(t->setting[j].name, meta->attr[k].name);
            if (!known)
                fatal(m, EXIT_INPUT, "the train line has '%s', which %s does not take",
                      escaped(m->arena, meta->attr[k].name, 60), t->optimizer->name);
        }
    }
    for (int i = 0; i < m->opt->hyper.n; i++) {
        const Rename *r = m->opt->hyper.at[i];
        if (!r->used)
            fatal(m, EXIT_INPUT, "%s has no setting '%s'", t->optimizer->name, escaped(m->arena, r->from, 60));
    }
}

Training *training_of(Module *m) {
    Training *t = NEW(m->arena, Training);
    t->loss = loss_of(m);
    t->optimizer = optimizer_of(m);
    take_settings(m, t);
    if (t->optimizer->with_momentum && has_momentum(t)) t->optimizer = find_optimizer(t->optimizer->with_momentum);
    check_line(m, t);
    return t;
}

/* ---- the batch: needed before the line is reached ---- */

/* The number behind `batch =` in the line that begins with `train`; 0 if there is none. */
static int64_t batch_said(Module *m) {
    enum { USUAL = 64 };
    Lexer l;
    bool inside = false;
    lex_start(&l, m->arena, m->text);
    while (l.tok.kind != T_END && l.tok.kind != T_BAD) {
        if (l.tok.kind == T_NAME && !strcmp(l.tok.s, "train")) inside = true;
        bool batch = inside && l.tok.kind == T_NAME && !strcmp(l.tok.s, "batch");
        lex_next(&l);
        if (batch && lex_accept(&l, "=") && l.tok.kind == T_INT) return (int64_t)l.tok.u;
    }
    return USUAL;
}

const DimBinding *training_batch(Module *m, const char *dim) {
    DimBinding *d = NEW(m->arena, DimBinding);
    if (strcmp(dim, "batch")) return NULL;
    *d = (DimBinding){.name = symbol(m, "batch"), .min = 1, .max = batch_said(m), .used = true};
    if (d->max < 1 || d->max > 1 << 20) d->max = 64;
    return d;
}
