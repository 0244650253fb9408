/* train_facts.c - what a network and its data line say to the program that trains it, checked and as program.h. */
#include "cli/command.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/target.h"
#include "train/train.h"

/* The network's one input of floats, in a type that C computes in. */
static Value *only_input(Module *m) {
    const Type *t = &m->main->in[0]->type;
    if (m->training->inputs == 1 && (t->dtype == DT_f32 || t->dtype == DT_f64)) return m->main->in[0];
    fatal(m, EXIT_UNSUPPORTED,
          "nncc train: expected one input of f32, saw %d, %s; for other networks write the loop around the generated "
          "C, or use --real=f64",
          m->training->inputs, type_text(m->arena, t));
}

/* The one target, and the loss that says what it is; NULL: a function of the file. */
static const Value *only_target(Module *m) {
    const List *targets = &m->training->targets;
    Str names = {.arena = m->arena};
    put_text(&names, "");
    for (int i = 0; i < targets->n; i++)
        put(&names, "%s '%s'", i ? "," : "", escaped(m->arena, port_name(targets->at[i]), 60));
    if (targets->n != 1)
        fatal(m, EXIT_UNSUPPORTED,
              "nncc train: expected losses with one target, saw %s%s; for others write the loop around "
              "the generated C",
              targets->n ? format(m->arena, "%d:", targets->n) : "none", names.s);
    const Value *v = targets->at[0];
    if (!loss_about(m->training, v) && !is_float(v->type.dtype))
        fatal(m, EXIT_UNSUPPORTED, "nncc train: expected a target of floats for a loss of the file's own, saw '%s' %s",
              escaped(m->arena, port_name(v), 60), type_text(m->arena, &v->type));
    return v;
}

static int64_t per_example(const Type *t) { return type_count(t) / (t->rank && t->dim[0].max ? t->dim[0].max : 1); }

/* An entry of the data line, "image.scale". */
static const Attr *data_said(const Module *m, const char *input, const char *what) {
    const char *name = format(m->arena, "%s.%s", input, what);
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "data"); k++)
            if (!strcmp(meta->attr[k].name, name)) return &meta->attr[k];
    }
    return NULL;
}

/* Every fault of the data line is listed. */
#define WRONG(m, ...) problem_at(m, EXIT_INPUT, (Loc){0}, NULL, __VA_ARGS__)

static double number_of(const Attr *a, int i) {
    return a->kind == A_INT     ? (double)a->i
           : a->kind == A_FLOAT ? a->f
           : a->kind == A_INTS  ? (double)a->ints[i]
                                : a->floats[i];
}

/* An entry such as "image.scale": of the input, with a word that means something, and of its kind. */
static void check_data_entry(Module *m, const Value *x, const Attr *a) {
    static const struct {
        const char *name;
        AttrKind kind[2];
        const char *what;
    } known[] = {{"layout", {A_STR, A_STR}, "NCHW"},
                 {"scale", {A_INT, A_FLOAT}, "a number"},
                 {"mean", {A_INTS, A_FLOATS}, "a list of numbers"},
                 {"std", {A_INTS, A_FLOATS}, "a list of numbers"}};
    const char *dot = strrchr(a->name, '.'), *word = dot ? dot + 1 : a->name;
    const char *input = format(m->arena, "%.*s", (int)(dot ? dot - a->name : 0), a->name);
    if (strcmp(input, x->name)) {
        WRONG(m, "the data line names input '%s'; the network's input is '%s'",
              escaped(m->arena, dot ? input : a->name, 60), escaped(m->arena, x->name, 60));
        return;
    }
    for (int i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].name, word)) continue;
        bool fits = a->kind == known[i].kind[0] || a->kind == known[i].kind[1];
        if (fits && a->kind == A_STR && strcmp(a->s, known[i].what))
            WRONG(m, "the data line's layout is '%s'; it can only be NCHW", escaped(m->arena, a->s, 60));
        else if (!fits)
            WRONG(m, "the data line's %s has to be %s", word, known[i].what);
        return;
    }
    WRONG(m, "the data line has '%s', which means nothing", escaped(m->arena, word, 60));
}

void check_data_line(Module *m) {
    const Value *x = only_input(m);
    const Attr *mean = data_said(m, x->name, "mean"), *std = data_said(m, x->name, "std");
    int64_t channels = x->type.rank > 1 ? x->type.dim[1].max : 1;
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "data"); k++) check_data_entry(m, x, &meta->attr[k]);
    }
    stop_on_problems(m);
    if (!mean != !std) WRONG(m, "the data line needs mean and std, or neither");
    if (mean && std && (mean->n != std->n || mean->n != channels))
        WRONG(m, "the data line has %d means and %d numbers of std; the input %s has %lld channels", mean->n, std->n,
              type_text(m->arena, &x->type), (long long)channels);
    for (int i = 0; std && i < std->n; i++)
        if (!(number_of(std, i) > 0)) WRONG(m, "std in the data line is %g; it has to be above 0", number_of(std, i));
    stop_on_problems(m);
}

static void put_numbers(Str *s, const char *name, const Attr *a) {
    put(s, "#define NNCC_%s {", name);
    for (int i = 0; i < a->n; i++) put(s, "%s%.17g", i ? ", " : "", number_of(a, i));
    put_text(s, "}\n");
}

static void put_normalising(Str *s, Module *m, const Value *x) {
    const Attr *scale = data_said(m, x->name, "scale"), *mean = data_said(m, x->name, "mean"),
               *std = data_said(m, x->name, "std");
    put(s, "#define NNCC_SCALE %.17g\n", scale ? number_of(scale, 0) : 1);
    if (!mean || !std || mean->n != std->n || !mean->n) return;
    put(s, "#define NNCC_CHANNELS %d\n", mean->n);
    put_numbers(s, "MEAN", mean), put_numbers(s, "STD", std);
}

/* A member of the network's struct: its size, and whether it is not what the loop holds. */
static void put_value(Str *s, const char *name, const Value *v) {
    const Type *t = &v->type;
    put(s, "#define NNCC_%s %s\n#define NNCC_%s_LEN %lld\n", name, v->emit.cname, name, (long long)type_count(t));
    put(s, "#define NNCC_%s_EACH %lld\n#define NNCC_%s_WIDE %d\n", name, (long long)per_example(t), name,
        t->dtype == DT_f64);
}

static void put_optimizer(Str *s, const Training *t) {
    put(s, "#define NNCC_OPTIMIZER \"%s\"\n#define NNCC_FLAVOR \"%s\"\n", t->optimizer->name, OPTIMIZER_FLAVOR);
    put_text(s, "#define NNCC_SETTINGS ");
    for (const Setting *i = t->setting; i < t->setting + MAX_SETTINGS && i->name; i++)
        put(s, "{\"%s\", %.17g}, ", i->name, i->value);
    put_text(s, "\n");
}

void put_training_facts(Str *s, Module *m) {
    const Training *t = m->training;
    const Value *x = only_input(m), *target = only_target(m);
    const LossTerm *l = loss_about(t, target);
    int scalars = 1 + named_losses(t);
    bool classes = l && l->row->target == 'c', counts = m->main->nout > scalars;
    int64_t labels = per_example(&target->type);
    put_value(s, "X", x), put_value(s, "TARGET", target), put_value(s, "LOSS", m->main->out[0]);
    put_text(s, "#define NNCC_LOSSES(X)");
    for (int i = 1; i < scalars; i++)
        put(s, " X(%s, %s)", m->main->out[i]->emit.cname, dtypes[m->main->out[i]->type.dtype].c);
    if (counts) put(s, "\n#define NNCC_CORRECT %s", m->main->out[scalars]->emit.cname);
    put_text(s, "\n");
    put_text(s, "#define NNCC_BOUNDS(X)");
    for (int i = 0; i < m->bounds.n; i++) put(s, " X(%s)", ((DimBinding *)m->bounds.at[i])->cname);
    put(s, "\n#define NNCC_FIXED %d\n#define NNCC_BATCH %lld\n", !m->bounds.n, (long long)x->type.dim[0].max);
    put(s, "#define NNCC_LABELS %lld\n#define NNCC_CLASSES %lld\n", (long long)(counts ? labels : 0),
        (long long)(classes ? l->scores.dim[1].max : 0));
    put(s, "#define NNCC_DATA_LABELS %lld\n", (long long)(!classes ? labels : labels > 1 ? -labels : 0));
    if (classes && l->scores.rank > 2) put(s, "#define NNCC_SCORES \"%s\"\n", type_text(m->arena, &l->scores));
    put_normalising(s, m, x);
    put(s, "#define NNCC_PROBABILITIES %d\n#define NNCC_DEVICE %d\n", l && l->row->probabilities, on_device(m));
    put(s, "#define INSTRUCTION_SET \"%s\"\n", isa_here(m->target) ? isa_here(m->target) : m->target->name);
    put_optimizer(s, t);
}

void check_trainer(Module *m) {
    const Training *t = m->training;
    const Type *x = &m->main->in[0]->type, *target = &only_target(m)->type;
    int batch = training_count(m, "batch");
    if (!t->trained.n) fatal(m, EXIT_INPUT, "the network has no parameter that can be trained");
    if (!x->rank) fatal(m, EXIT_INPUT, "its input is a scalar; the first dim of what is trained counts examples");
    if (batch && !m->bounds.n && !m->opt->dims.n && batch != x->dim[0].max)
        fatal(m, EXIT_INPUT, "expected an input with the train line's batch of %d, saw %s", batch,
              type_text(m->arena, x));
    if (m->main->nout && target->rank && target->dim[0].max != x->dim[0].max)
        fatal(m, EXIT_INPUT, "its input is %s and what it should give is %s: the first dim of both counts examples",
              type_text(m->arena, x), type_text(m->arena, target));
}
