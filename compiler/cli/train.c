/* train.c - compiling a program that trains; nncc train: that program with the fit loop of libnncc around it, built
 * and run on data, and what it learnt written back as a model. */
#include "train/train.h"
#include "base/embedded.h"
#include "base/process.h"
#include "cli/command.h"
#include "driver.h"
#include "emit/emit.h"
#include "harness/harness.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/target.h"
#include "onnx/onnx.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static int no_entry(const Command *c) {
    const char *names[MAX_ENTRIES];
    int n = 0;
    for (const Entry *e = entries; e->name; e++) names[n++] = e->name;
    fprintf(stderr, "nncc: --entry: there is no function '%s'%s\n", escaped(c->arena, c->entry, 40),
            choices(c->arena, c->entry, "there are", n, names));
    return EXIT_USAGE;
}

int compile_training(Command *c, int (*then)(Module **, int, void *)) {
    const Entry *entry[MAX_ENTRIES];
    int n = 0;
    for (const Entry *e = entries; e->name; e++)
        if (!c->entry || !strcmp(c->entry, e->name)) entry[n++] = e;
    if (!n) return no_entry(c);
    return compile_entries(&c->opt, stderr, n, entry, then, c);
}

/* ---- nncc train ---- */

static bool is_c(const char *name) { return name[strlen(name) - 1] == 'c'; }

/* A tensor that was trained, and where it lies in its block. */
typedef struct {
    const char *name;
    Type type;
    int64_t where, bytes;
    Part part;
} Learnt;

typedef struct {
    Command *c;
    Program program;
    List learnt; /* Learnt* */
    int epochs, seed;
} Trainer;

static Module *function_called(Module **m, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(m[i]->entry->name, name)) return m[i];
    bug(__FILE__, __LINE__, "a function of the program is missing");
}

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

static void check_data_line(Module *m, const Value *x) {
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

/* program.h: what differs between programs that train (runtime/main/train_main.c). */
static void put_program(Str *s, Module *m) {
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
    put(s, "#define NNCC_ISA \"%s\"\n", m->target->name);
    put_optimizer(s, t);
}

static void remember(Trainer *t, const Module *m) {
    Arena *a = t->program.arena;
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if ((v->train.part != PART_PARAMS && v->train.part != PART_STATE) || v == m->training->rng) continue;
        Learnt *l = NEW(a, Learnt);
        *l = (Learnt){arena_str(a, v->name), v->type, v->emit.block_offset, type_bytes(&v->type), v->train.part};
        push(a, &t->learnt, l);
    }
    for (int i = 0; i < m->bounds.n; i++) {
        DimBinding *b = arena_copy(a, m->bounds.at[i], sizeof *b);
        b->name = arena_str(a, b->name), b->used = true;
        push(a, &t->c->opt.dims, b);
    }
}

/* What is asked for and cannot be: told before anything is built. */
static void check_trainer(Module *m) {
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

static int write_trainer(Module **m, int n, void *arg) {
    Trainer *t = arg;
    Program *p = &t->program;
    Str text = {.arena = m[0]->arena};
    int epochs = training_count(m[0], "epochs"), seed = training_count(m[0], "seed");
    t->epochs = t->c->epochs ? t->c->epochs : epochs ? epochs : 1;
    t->seed = t->c->seed ? t->c->seed : seed ? seed : 1;
    check_data_line(m[0], only_input(m[0]));
    Output out = emit_training(m, n);
    check_trainer(m[0]);
    print_parameters(m[0], false);
    fflush(stdout);
    put_program(&text, function_called(m, n, "train_batch"));
    write_program_files(m[0], p, &out, embedded_train_main_c, &text);
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (f->use & BESIDE_TRAINING) write_text(m[0], p->dir, embedded_name(f), f->text, strlen(f->text));
    remember(t, m[0]);
    return EXIT_OK;
}

static const char version[] = "-DNNCC_VERSION=\"" NNCC_VERSION "\"";

/* With the loop around it. */
static int build_trainer(Program *p) {
    Str more = {.arena = p->arena};
    put(&more, " %s", version);
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (f->use & BESIDE_TRAINING && is_c(f->path)) put(&more, " %s", embedded_name(f));
    put_text(&more, " -lz");
    p->more = more.s, p->fast = true;
    int code = build_program(p, stderr);
    if (!code && runs_where(p)) puts(runs_where(p)), fflush(stdout);
    return code;
}

/* Paths of the command line are seen from another directory by the program. */
static const char *absolute(Arena *a, const char *path) {
    char here[4096];
    return *path == '/' || !getcwd(here, sizeof here) ? path : format(a, "%s/%s", here, path);
}

static int run_trainer(const Trainer *t) {
    const Program *p = &t->program;
    const Command *c = t->c;
    Arena *a = c->arena;
    const char *words[] = {"./program",
                           absolute(a, c->data),
                           format(a, "%d", t->epochs),
                           format(a, "%d", t->seed),
                           c->checkpoint ? absolute(a, c->checkpoint) : "",
                           c->resume ? "1" : "0",
                           NULL};
    List argv = {0};
    run_words(p, &argv);
    for (int i = 0; i < COUNT(words); i++) push(a, &argv, (void *)(uintptr_t)words[i]);
    ProcessResult r = run_process((const char *const *)argv.at, p->dir, NULL, 0);
    if (r.end != P_EXITED) {
        bool crashed =
            r.code == SIGSEGV || r.code == SIGBUS || r.code == SIGILL || r.code == SIGFPE || r.code == SIGABRT;
        if (r.code != SIGPIPE) fprintf(stderr, "nncc: the program was ended by signal %d\n", r.code);
        return crashed ? EXIT_BUG : EXIT_INPUT;
    }
    return r.code ? EXIT_INPUT : EXIT_OK;
}

/* ---- what was learnt ---- */

static void take_learnt(Module *m, const Trainer *t, const unsigned char *params, const unsigned char *state) {
    for (int i = 0; i < t->learnt.n; i++) {
        const Learnt *l = t->learnt.at[i];
        Value *v = find_value(m->main, l->name);
        int64_t dim[MAX_RANK];
        ASSERT(v && !v->graph);
        for (int d = 0; d < l->type.rank; d++) dim[d] = l->type.dim[d].max;
        Tensor *trained =
            tensor_of(m->arena, l->type.dtype, l->type.rank, dim, (l->part == PART_PARAMS ? params : state) + l->where);
        DType own = v->data ? v->data->dtype : v->type.dtype; /* with --real=f64 it was trained in another */
        v->data = own == trained->dtype ? trained : tensor_cast(m->arena, trained, own);
    }
}

static int export_trained(Module *m, void *arg) {
    const Trainer *t = arg;
    size_t np, ns;
    Str bytes = {.arena = m->arena};
    const void *params = map_file(format(m->arena, "%s/params", t->program.dir), &np),
               *state = map_file(format(m->arena, "%s/state", t->program.dir), &ns);
    if (!params) fatal(m, EXIT_BUG, "the program left no parameters");
    undo_export(m);
    take_learnt(m, t, params, state);
    export_onnx(m, &bytes);
    if (!write_file(t->c->opt.output, bytes.s, bytes.n))
        fatal(m, EXIT_INPUT, "cannot write '%s': %s", escaped(m->arena, t->c->opt.output, 200), strerror(errno));
    return EXIT_OK;
}

/* Whether one would overwrite the other; devices take anything. */
static bool collide(const char *a, const char *b) {
    return a && b && !written_in_place(a) && (!strcmp(a, b) || same_file(a, b));
}

/* What would only show after the last epoch. */
static int check_files(const Command *c) {
    const char *o = c->opt.output, *k = c->checkpoint;
    if (!c->data) return fputs("nncc: train needs --data PATH\n", stderr), EXIT_USAGE;
    if (c->resume && !k) return fputs("nncc: --resume needs --checkpoint FILE\n", stderr), EXIT_USAGE;
    if (c->resume && c->seed)
        fputs("nncc: warning: --resume uses the checkpoint's seed; --seed has no effect\n", stderr);
    if (o && !strcmp(c->opt.input, "-"))
        return fputs("nncc: -o reads the model twice: expected a file, saw standard input\n", stderr), EXIT_USAGE;
    if (collide(o, k)) return fputs("nncc: -o and --checkpoint name the same file\n", stderr), EXIT_USAGE;
    if (collide(k, c->opt.input) || collide(k, c->data))
        return fputs("nncc: --checkpoint names the model or the data, which are inputs\n", stderr), EXIT_USAGE;
    if (collide(o, c->opt.input) || collide(o, c->data))
        return fputs("nncc: -o names the model or the data, which are inputs\n", stderr), EXIT_USAGE;
    const char *wrong = o ? misnamed(c->arena, "-o", o, "onnx") : NULL;
    if (!wrong && k) wrong = misnamed(c->arena, "--checkpoint", k, "checkpoint");
    if (wrong) return fprintf(stderr, "nncc: %s\n", wrong), EXIT_USAGE;
    if (o && !can_write_file(o))
        return fprintf(stderr, "nncc: cannot write '%s': %s\n", escaped(c->arena, o, 200), strerror(errno)), EXIT_INPUT;
    if (!o && !k) fputs("nncc: warning: the trained network is not saved; give -o or --checkpoint\n", stderr);
    return EXIT_OK;
}

int verb_train(Command *c) {
    Trainer t = {.c = c, .program = {.settings = &c->run, .arena = c->arena}};
    Program *p = &t.program;
    const Entry *entry[MAX_ENTRIES];
    int n = 0, code = check_files(c);
    if (code) return code;
    for (const Entry *e = entries; e->name; e++)
        if (!strcmp(e->name, "train_batch") || !strcmp(e->name, "eval_batch")) entry[n++] = e;
    c->opt.prefix = "model", p->opt = c->opt;
    p->dir = working_dir(c->arena, c->keep);
    if (!p->dir) return fprintf(stderr, "nncc: no directory to work in: %s\n", strerror(errno)), EXIT_INPUT;
    code = compile_entries(&c->opt, stderr, n, entry, write_trainer, &t);
    if (!code) code = build_trainer(p);
    if (!code) code = run_trainer(&t);
    if (!code && c->opt.output) code = load_only(&c->opt, stderr, export_trained, &t);
    if (!c->keep) remove_dir(p->dir);
    return code;
}
