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
#include "onnx/onnx.h"
#include "train/data_line.h"
#include "train/metrics.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
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
    TrainingBlock block;
} Learnt;

typedef struct {
    Command *c;
    Program program;
    List learnt;    /* Learnt* */
    List given;     /* Learnt*: outputs, of which only name and type are known */
    List ports;     /* char*: names of what data is read for */
    List known;     /* Rename*: what the models say that classes are called, by the port's name */
    bool normalise; /* what is written does to its inputs what the data line says */
    int epochs, seed;
    const char *metrics; /* with commas between */
    const char *start;   /* the file of parameters that it begins with */
    const char *mode;    /* what the program does: train, eval, predict */
} Trainer;

static bool trains(const Trainer *t) { return !strcmp(t->mode, "train"); }
static bool predicts(const Trainer *t) { return !strcmp(t->mode, "predict"); }

static Module *function_called(Module **m, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (!strcmp(m[i]->entry->name, name)) return m[i];
    bug(__FILE__, __LINE__, "a function of the program is missing");
}

/* What a model says of the names of classes. */
static const char words_key[] = "nncc.words.";

static void take_props(Trainer *t, const Module *m) {
    Arena *a = t->program.arena;
    for (int i = 0; i < m->props.n; i++) {
        const Rename *said = m->props.at[i];
        Rename *r = NEW(a, Rename);
        if (strncmp(said->from, words_key, sizeof words_key - 1)) continue;
        *r = (Rename){.from = arena_str(a, said->from + sizeof words_key - 1), .to = arena_str(a, said->to)};
        push(a, &t->known, r);
    }
}

static const char *words_file(Module *m, const Trainer *t, const char *what, int port) {
    return format(m->arena, "%s/%s.%d", t->program.dir, what, port);
}

/* Names of classes for the program: of --start-from, else of the model. Files of another run are none of this one's. */
static void write_known(Trainer *t, Module *m) {
    const Value *port[MAX_PORTS];
    int n = data_ports(m, port);
    take_props(t, m);
    for (int k = 0; k < n; k++) {
        push(t->program.arena, &t->ports, arena_str(t->program.arena, port_name(port[k])));
        remove(words_file(m, t, "known", k)), remove(words_file(m, t, "words", k));
        for (int i = t->known.n - 1; i >= 0; i--) {
            const Rename *r = t->known.at[i];
            if (!strcmp(r->from, t->ports.at[k]))
                write_text(m, t->program.dir, format(m->arena, "known.%d", k), r->to, strlen(r->to));
        }
    }
}

/* Types of outputs, which a model that is only loaded does not know. */
static void remember_outputs(Trainer *t, const Module *predict) {
    for (int i = 0; i < predict->main->nout; i++) {
        const Value *v = predict->main->out[i];
        Learnt *l = NEW(t->program.arena, Learnt);
        l->name = arena_str(t->program.arena, port_name(v));
        l->type = v->type;
        if (predict->opt->real_f64 && v->type.dtype == DT_f64) l->type.dtype = DT_f32;
        for (int d = 0; d < v->type.rank; d++)
            l->type.dim[d] = (Dim){.max = v->type.dim[d].symbol ? -1 : v->type.dim[d].max};
        push(t->program.arena, &t->given, l);
    }
}

static void give_output_types(Module *m, const Trainer *t) {
    for (int i = 0; i < m->main->nout; i++)
        for (int k = 0; k < t->given.n; k++) {
            const Learnt *l = t->given.at[k];
            Value *v = m->main->out[i];
            if (v->type.dtype == DT_none && !strcmp(l->name, port_name(v))) v->type = l->type;
        }
}

static void remember(Trainer *t, const Module *m) {
    Arena *a = t->program.arena;
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if ((v->train.block != BLOCK_PARAMS && v->train.block != BLOCK_STATE) || v == m->training->rng) continue;
        Learnt *l = NEW(a, Learnt);
        *l = (Learnt){arena_str(a, v->name), v->type, v->emit.block_offset, type_bytes(&v->type), v->train.block};
        push(a, &t->learnt, l);
    }
    for (int i = 0; i < m->bounds.n; i++) {
        DimBinding *b = arena_copy(a, m->bounds.at[i], sizeof *b);
        b->name = arena_str(a, b->name), b->used = true;
        push(a, &t->c->opt.dims, b);
    }
}

/* Those of the option, else of the train line. */
static const char *metrics_of(Arena *a, const Module *m, const char *asked) {
    const Attr *line = asked ? NULL : train_word(m, "metrics");
    Str s = {.arena = a};
    put_text(&s, asked ? asked : line && line->kind == A_STR ? line->s : "");
    for (int i = 0; line && line->kind == A_STRS && i < line->n; i++) put(&s, "%s%s", i ? "," : "", line->strs[i]);
    return s.s;
}

static void check_metrics_asked(Module *m, const char *asked) {
    for (const char *s = asked; s && *s; s += strcspn(s, ","), s += *s == ',') {
        const char *wrong = wrong_metric(m->arena, m->training, format(m->arena, "%.*s", (int)strcspn(s, ","), s));
        if (wrong) fatal(m, EXIT_INPUT, "--metrics: %s", wrong);
    }
}

static int write_trainer(Module **m, int n, void *arg) {
    Trainer *t = arg;
    Program *p = &t->program;
    Str text = {.arena = m[0]->arena};
    int epochs = training_count(m[0], "epochs"), seed = training_count(m[0], "seed");
    t->epochs = t->c->epochs ? t->c->epochs : epochs ? epochs : 1;
    t->seed = t->c->seed ? t->c->seed : seed ? seed : 1;
    if (!predicts(t)) check_data_line(m[0]);
    if (t->normalise) expect_data_line(m[0], m[0]->training->inputs);
    check_ports(m[0]);
    Output out = emit_training(m, n);
    if (!predicts(t)) {
        check_trainer(m[0]);
        if (trains(t)) print_parameters(m[0], false);
        check_metrics_asked(m[0], t->c->metrics);
        t->metrics = metrics_of(t->program.arena, m[0], t->c->metrics);
    }
    fflush(stdout);
    const char *step = t->c->opt.distributed ? "forward_backward" : "train_batch";
    put_training_facts(&text, predicts(t) ? NULL : function_called(m, n, step), function_called(m, n, "predict"));
    write_program_files(m[0], p, &out, embedded_train_main_c, &text);
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (f->use & BESIDE_TRAINING) write_text(m[0], p->dir, embedded_name(f), f->text, strlen(f->text));
    write_known(t, m[0]);
    remember(t, m[0]), remember_outputs(t, function_called(m, n, "predict"));
    return EXIT_OK;
}

static const char version[] = "-DNNCC_VERSION=\"" NNCC_VERSION "\"";

/* Of NAME=PATH, unless there is a file of that name, the path. */
static const char *path_in(const char *word) {
    const char *eq = strchr(word, '=');
    return eq && access(word, F_OK) ? eq + 1 : word;
}

#ifdef NNCC_HAS_PNG
enum { NNCC_PICTURES = 1 };
#else
enum { NNCC_PICTURES = 0 };
#endif

/* Folders may hold pictures. */
static bool any_folder(const Command *c) {
    struct stat st;
    const List *lists[] = {&c->data, &c->validation};
    for (int k = 0; k < COUNT(lists); k++)
        for (int i = 0; i < lists[k]->n; i++)
            if (!stat(path_in(lists[k]->at[i]), &st) && S_ISDIR(st.st_mode)) return true;
    return false;
}

/* With the loop around it. */
static int build_trainer(const Trainer *t, Program *p) {
    Str more = {.arena = p->arena};
    put(&more, " %s%s", version, t->c->opt.distributed ? " -DNNCC_MPI" : "");
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (f->use & BESIDE_TRAINING && is_c(f->path)) put(&more, " %s", embedded_name(f));
    put_text(&more, NNCC_PICTURES && any_folder(t->c) ? " -DNNCC_PNG -lpng -lz" : " -lz");
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

static void push_files(Arena *a, List *argv, const char *key, const List *words) {
    for (int i = 0; i < words->n; i++) {
        const char *word = words->at[i], *path = path_in(word);
        push(a, argv, format(a, "%s=%.*s%s", key, (int)(path - word), word, absolute(a, path)));
    }
}

static void push_words(Arena *a, List *argv, const char *key, const List *words) {
    for (int i = 0; i < words->n; i++) push(a, argv, format(a, "%s=%s", key, (const char *)words->at[i]));
}

/* A part of the data such as 0.2 or last:0.2, for 0 below 0, as nncc_source has it; 0: the word is none. */
static double held_out(const char *word, bool *last) {
    char *end;
    if (!strcmp(word, "0")) return -1;
    *last = !strncmp(word, "last:", 5);
    double v = strtod(word + (*last ? 5 : 0), &end);
    return *end || !(v > 0 && v < 1) ? 0 : v;
}

static void push_path(Arena *a, List *argv, const char *key, const char *path) {
    if (path) push(a, argv, format(a, "%s=%s", key, absolute(a, path)));
}

/* What watches and writes down the run. */
static void push_watching(const Trainer *t, List *argv) {
    const Command *c = t->c;
    Arena *a = c->arena;
    push_path(a, argv, "log", c->log), push_path(a, argv, "tensorboard", c->tensorboard);
    push_path(a, argv, "plot", c->plot);
    if (*t->metrics) push(a, argv, format(a, "metrics=%s", t->metrics));
    if (c->augment) push(a, argv, format(a, "augment=%s", c->augment));
    if (c->monitor) push(a, argv, format(a, "monitor=%s", c->monitor));
    if (c->plateau) push(a, argv, format(a, "plateau=%s", c->plateau));
    push(a, argv, format(a, "patience=%d", c->patience)), push(a, argv, format(a, "every=%d", c->every));
    push(a, argv, format(a, "keep_best=%d", c->keep_best));
}

/* What it does, and what it begins with. */
static void push_task(const Trainer *t, List *argv) {
    const Command *c = t->c;
    Arena *a = c->arena;
    push(a, argv, format(a, "mode=%s", t->mode));
    if (c->start_from) push(a, argv, format(a, "start=%s", t->start)), push(a, argv, format(a, "all=%d", !trains(t)));
    push_words(a, argv, "head", &c->head);
    if (c->sample)
        push(a, argv, format(a, "sample=%d", c->sample)), push(a, argv, format(a, "temperature=%.17g", c->temperature));
    if (c->prompt) push(a, argv, format(a, "prompt=%s", c->prompt));
    for (int i = 0; i < c->outputs.n; i++) {
        const Rename *r = c->outputs.at[i];
        push(a, argv, format(a, "output=%s=%s", r->from, absolute(a, r->to)));
    }
}

/* What the program takes behind its first arguments. */
static void push_options(const Trainer *t, List *argv) {
    const Command *c = t->c;
    Arena *a = c->arena;
    bool last = false;
    double part = c->validation.n == 1 ? held_out(c->validation.at[0], &last) : 0;
    push_files(a, argv, "data", &c->data);
    if (part)
        push(a, argv, format(a, "held_out=%.17g", part)), push(a, argv, format(a, "held_last=%d", last));
    else
        push_files(a, argv, "validation", &c->validation);
    push_words(a, argv, "columns", &c->columns), push_words(a, argv, "classes", &c->classes);
    if (c->text) push(a, argv, format(a, "text=%d", strcmp(c->text, "words") ? 1 : 2));
    push_watching(t, argv), push_task(t, argv);
}

static int run_trainer(const Trainer *t) {
    const Program *p = &t->program;
    const Command *c = t->c;
    Arena *a = c->arena;
    const char *words[] = {"./program",
                           "",
                           format(a, "%d", t->epochs),
                           format(a, "%d", t->seed),
                           c->checkpoint ? absolute(a, c->checkpoint) : "",
                           c->resume ? "1" : "0"};
    List argv = {0};
    run_words(p, &argv);
    for (int i = 0; i < COUNT(words); i++) push(a, &argv, (void *)(uintptr_t)words[i]);
    push_options(t, &argv);
    push(a, &argv, NULL);
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
        Tensor *trained = tensor_of(m->arena, l->type.dtype, l->type.rank, dim,
                                    (l->block == BLOCK_PARAMS ? params : state) + l->where);
        DType own = v->data ? v->data->dtype : v->type.dtype; /* with --real=f64 it was trained in another */
        v->data = own == trained->dtype ? trained : tensor_cast(m->arena, trained, own);
    }
}

/* What the program calls classes takes the place of what the model did. */
static void put_words(Module *m, const Trainer *t) {
    for (int k = 0; k < t->ports.n; k++) {
        size_t n = 0;
        const char *key = format(m->arena, "%s%s", words_key, (const char *)t->ports.at[k]),
                   *text = map_file(words_file(m, t, "words", k), &n);
        if (!text || !n) continue;
        Rename *r = NEW(m->arena, Rename);
        *r = (Rename){.from = key, .to = format(m->arena, "%.*s", (int)n, text)};
        int i = 0;
        while (i < m->props.n && strcmp(((const Rename *)m->props.at[i])->from, key)) i++;
        if (i < m->props.n)
            m->props.at[i] = r;
        else
            push(m->arena, &m->props, r);
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
    put_words(m, t), give_output_types(m, t);
    export_onnx(m, &bytes);
    if (!write_file(t->c->opt.output, bytes.s, bytes.n))
        fatal(m, EXIT_INPUT, "cannot write '%s': %s", escaped(m->arena, t->c->opt.output, 200), strerror(errno));
    return EXIT_OK;
}

/* Whether one would overwrite the other; devices take anything. */
static bool collide(const char *a, const char *b) {
    return a && b && !written_in_place(a) && (!strcmp(a, b) || same_file(a, b));
}

/* The model, data, or parameters to begin with. */
static bool is_input(const Command *c, const char *path) {
    const List *lists[] = {&c->data, &c->validation};
    for (int k = 0; k < COUNT(lists); k++)
        for (int i = 0; i < lists[k]->n; i++)
            if (collide(path, path_in(lists[k]->at[i]))) return true;
    return collide(path, c->opt.input) || collide(path, c->start_from);
}

/* A file that is written, and the option that names it. */
typedef struct {
    const char *option, *path;
} Written;

/* Each has to be a file of its own, and none an input. */
static int check_written(const Command *c, const Written *w, int n) {
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++)
            if (collide(w[k].path, w[i].path))
                return fprintf(stderr, "nncc: %s and %s name the same file\n", w[k].option, w[i].option), EXIT_USAGE;
        if (is_input(c, w[i].path))
            return fprintf(stderr, "nncc: %s names the model, the data or --start-from, which are inputs\n",
                           w[i].option),
                   EXIT_USAGE;
    }
    return EXIT_OK;
}

/* What would only show after the last epoch. */
static int check_files(const Command *c) {
    const char *o = c->opt.output, *k = c->checkpoint;
    if (!c->data.n) return fputs("nncc: train needs --data PATH\n", stderr), EXIT_USAGE;
    if (c->resume && !k) return fputs("nncc: --resume needs --checkpoint FILE\n", stderr), EXIT_USAGE;
    if (c->opt.normalise && !o)
        return fputs("nncc: --normalise needs -o FILE, the model that takes numbers as the data has them\n", stderr),
               EXIT_USAGE;
    if (c->resume && c->seed)
        fputs("nncc: warning: --resume uses the checkpoint's seed; --seed has no effect\n", stderr);
    if (o && !strcmp(c->opt.input, "-"))
        return fputs("nncc: -o reads the model twice: expected a file, saw standard input\n", stderr), EXIT_USAGE;
    const Written written[] = {{"-o", o},
                               {"--checkpoint", k},
                               {"--keep-best", k && c->keep_best ? format(c->arena, "%s.best", k) : NULL},
                               {"--log", c->log},
                               {"--plot", c->plot}};
    int code = check_written(c, written, COUNT(written));
    if (code) return code;
    const char *wrong = o ? misnamed(c->arena, "-o", o, "onnx") : NULL;
    if (!wrong && k) wrong = misnamed(c->arena, "--checkpoint", k, "checkpoint");
    if (wrong) return fprintf(stderr, "nncc: %s\n", wrong), EXIT_USAGE;
    if (o && !can_write_file(o))
        return fprintf(stderr, "nncc: cannot write '%s': %s\n", escaped(c->arena, o, 200), strerror(errno)), EXIT_INPUT;
    if (!o && !k) fputs("nncc: warning: the trained network is not saved; give -o or --checkpoint\n", stderr);
    return EXIT_OK;
}

/* ---- parameters to begin with ---- */

static void put_json_name(Str *s, const char *name) {
    put_text(s, "\"");
    for (; *name; name++)
        if ((unsigned char)*name < 32 || *name == '"' || *name == '\\')
            put(s, "\\u%04x", (unsigned char)*name);
        else
            put(s, "%c", *name);
    put_text(s, "\"");
}

/* The floats of an ONNX model as a safetensors file, which the program reads as it reads checkpoints. */
static int write_start(Module *m, void *arg) {
    Trainer *t = arg;
    take_props(t, m);
    Str header = {.arena = m->arena}, data = {.arena = m->arena}, file = {.arena = m->arena};
    undo_export(m);
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (!v->data || !is_float(v->data->dtype)) continue;
        Tensor *single = v->data->dtype == DT_f64 ? v->data : tensor_cast(m->arena, v->data, DT_f32);
        size_t n = (size_t)single->count * (single->dtype == DT_f64 ? 8 : 4);
        put_text(&header, header.n ? "," : "{"), put_json_name(&header, v->name);
        put(&header, ":{\"dtype\":\"%s\",\"shape\":[", single->dtype == DT_f64 ? "F64" : "F32");
        for (int d = 0; d < single->rank; d++) put(&header, "%s%lld", d ? "," : "", (long long)single->dim[d]);
        put(&header, "],\"data_offsets\":[%zu,%zu]}", data.n, data.n + n);
        put_bytes(&data, single->data, n);
    }
    put_text(&header, header.n ? "}" : "{}");
    for (int i = 0; i < 8; i++) put_bytes(&file, &(unsigned char){(unsigned char)((uint64_t)header.n >> 8 * i)}, 1);
    put_bytes(&file, header.s, header.n), put_bytes(&file, data.s, data.n);
    write_text(m, t->program.dir, "start", file.s, file.n);
    return EXIT_OK;
}

static bool is_onnx(const char *path) {
    size_t n = strlen(path);
    return n > 5 && !strcmp(path + n - 5, ".onnx");
}

static int prepare_start(Trainer *t) {
    Command *c = t->c;
    if (!c->start_from) return EXIT_OK;
    t->start = absolute(c->arena, c->start_from);
    if (!is_onnx(c->start_from)) return EXIT_OK;
    Options o = c->opt;
    o.input = c->start_from, o.output = NULL, o.quiet = true, o.heads.n = 0, t->start = "start";
    return load_only(&o, stderr, write_start, t);
}

/* ---- verbs ---- */

/* Functions of the program; the first knows all of a loss. Several processes update once all have their gradients. */
static int entries_of(const Trainer *t, const Entry **entry) {
    static const char *const alone[] = {"train_batch", "eval_batch", "predict", NULL},
                             *const several[] = {"forward_backward", "apply", "eval_batch", "predict", NULL},
                             *const running[] = {"predict", NULL};
    const char *const *name = predicts(t) ? running : t->c->opt.distributed ? several : alone;
    int n = 0;
    for (; *name; name++)
        for (const Entry *e = entries; e->name; e++)
            if (!strcmp(e->name, *name)) entry[n++] = e;
    return n;
}

/* ---- weights of classes ---- */

/* Examples of each class, as the program counted them: the rarer a class, the more one counts. */
static int read_counts(const Trainer *t, Command *c) {
    enum { LINE = 32 };
    char line[LINE];
    List counts = {0};
    double sum = 0;
    FILE *f = fopen(format(c->arena, "%s/counts", t->program.dir), "r");
    while (f && fgets(line, sizeof line, f)) {
        double *n = NEW(c->arena, double);
        sum += *n = strtod(line, NULL);
        push(c->arena, &counts, n);
    }
    if (f) fclose(f);
    if (!counts.n) return fputs("nncc: --class-weights: the network has no target of classes\n", stderr), EXIT_INPUT;
    double *weight = NEW_ARRAY(c->arena, double, counts.n);
    for (int i = 0; i < counts.n; i++) {
        double n = *(double *)counts.at[i];
        weight[i] = n > 0 ? sum / (counts.n * n) : 1;
        printf("%s%.4g", i ? " " : "weights of the classes: ", weight[i]);
    }
    puts("");
    c->opt.class_weights = counts.n, c->opt.class_weight = weight;
    return EXIT_OK;
}

/* By a program for that alone: it is built quickly, and has all data, as one of several processes may start MPI once.
 */
static int weigh_classes(Command *c) {
    Command quick = *c;
    quick.run.cc = format(c->arena, "%s -O0", c->run.cc);
    quick.opt.level = 0, quick.opt.quiet = true, quick.opt.normalise = false, quick.opt.prefix = "model",
    quick.opt.output = NULL, quick.opt.distributed = NULL;
    Trainer t = {.c = &quick, .mode = "count", .metrics = "", .program = {.settings = &quick.run, .arena = c->arena}};
    const Entry *entry[MAX_ENTRIES];
    int n = entries_of(&t, entry);
    t.program.opt = quick.opt, t.program.dir = working_dir(c->arena, NULL);
    if (!t.program.dir) return fprintf(stderr, "nncc: no directory to work in: %s\n", strerror(errno)), EXIT_INPUT;
    quick.start_from = NULL;
    int code = compile_entries(&quick.opt, stderr, n, entry, write_trainer, &t);
    if (!code) code = build_trainer(&t, &t.program);
    if (!code) code = run_trainer(&t);
    if (!code) code = read_counts(&t, c);
    remove_dir(t.program.dir);
    return code;
}

static int on_data(Command *c, const char *mode) {
    Trainer t = {.c = c, .mode = mode, .metrics = "", .program = {.settings = &c->run, .arena = c->arena}};
    Program *p = &t.program;
    const Entry *entry[MAX_ENTRIES];
    int n = entries_of(&t, entry), code;
    t.normalise = c->opt.normalise;
    c->opt.prefix = "model", c->opt.normalise = false, p->opt = c->opt; /* the program reads data as the line says */
    p->dir = working_dir(c->arena, c->keep);
    if (!p->dir) return fprintf(stderr, "nncc: no directory to work in: %s\n", strerror(errno)), EXIT_INPUT;
    code = prepare_start(&t);
    if (!code) code = compile_entries(&c->opt, stderr, n, entry, write_trainer, &t);
    if (!code) code = build_trainer(&t, p);
    if (!code) code = run_trainer(&t);
    c->opt.normalise = t.normalise;
    if (!code && c->opt.output && is_first_process(c)) code = load_only(&c->opt, stderr, export_trained, &t);
    if (!c->keep) remove_dir(p->dir);
    return code;
}

int verb_train(Command *c) {
    int code = prepare_processes(c);
    if (!code) code = check_files(c);
    if (!code && c->weigh) code = weigh_classes(c);
    return code ? code : on_data(c, "train");
}

int verb_eval(Command *c) {
    if (!c->data.n) return fputs("nncc: eval needs --data PATH\n", stderr), EXIT_USAGE;
    return on_data(c, "eval");
}

int verb_predict(Command *c) {
    if (c->sample && (c->data.n || c->outputs.n))
        return fputs("nncc: --sample writes a text to standard output: it does not go with --data and --output\n",
                     stderr),
               EXIT_USAGE;
    if ((c->prompt || c->temperature != 1) && !c->sample)
        return fprintf(stderr, "nncc: %s needs --sample N\n", c->prompt ? "--prompt" : "--temperature"), EXIT_USAGE;
    if (c->sample) return on_data(c, "predict");
    if (!c->data.n) return fputs("nncc: predict needs --data PATH\n", stderr), EXIT_USAGE;
    if (!c->outputs.n) return fputs("nncc: predict needs --output NAME=FILE\n", stderr), EXIT_USAGE;
    Written *written = NEW_ARRAY(c->arena, Written, c->outputs.n);
    for (int i = 0; i < c->outputs.n; i++) written[i] = (Written){"--output", ((const Rename *)c->outputs.at[i])->to};
    int code = check_written(c, written, c->outputs.n);
    return code ? code : on_data(c, "predict");
}
