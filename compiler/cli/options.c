/* options.c - every verb and option of the command line is one row; parsing, hints and --help follow from the rows. */
#include "cli/command.h"
#include "emit/emit.h"
#include "harness/behaviour.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "targets.h"
#include "train/train.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <unistd.h>

enum { MAX_PREFIX = 31, NAME_COLUMN = 26, PAGE_WIDTH = 100 };

/* The verbs as bits; which of them have a use for an option is in its row. GENERATING: C is made of the whole network.
 * BUILDING: it is compiled and run. */
enum {
    COMPILE = 1,
    SUMMARY = 2,
    CHECK = 4,
    VERIFY = 8,
    RUN = 16,
    BENCH = 32,
    TRAIN = 64,
    GRADCHECK = 128,
    BUILDING = VERIFY | RUN | BENCH | TRAIN,
    GENERATING = COMPILE | SUMMARY | CHECK | BUILDING,
    TRAINING = COMPILE | SUMMARY | TRAIN,
    ALL = GENERATING | GRADCHECK
};

const Verb verbs[] = {
    {"compile", "MODEL -o model.c", "compile the model to C", verb_compile, .bit = COMPILE},
    {"summary", "MODEL...", "its steps, shapes, parameters, multiply-adds and memory", verb_summary, .more = true,
     .bit = SUMMARY},
    {"check", "MODEL...", "everything in it that is not supported, at once; exit status 3 if there is any", verb_check,
     .more = true, .bit = CHECK},
    {"verify", "MODEL [DIR...]",
     "compile, run the test_data_set_* in DIR, compare; without DIR random inputs, against nncc's own arithmetic in "
     "double, compiled and interpreted",
     verb_verify, .more = true, .bit = VERIFY},
    {"run", "MODEL", "run it once on --input files", verb_run, .bit = RUN},
    {"bench", "MODEL", "time each step of the generated C on random inputs", verb_bench, .on_cpu = true, .bit = BENCH},
    {"train", "MODEL --data DIR", "train it; -o trained.onnx for what it learnt", verb_train, "native", .trains = true,
     .bit = TRAIN},
    {"gradcheck", "MODEL", "compare its gradients with finite differences, in double", verb_gradcheck, .trains = true,
     .bit = GRADCHECK},
    {.name = NULL},
};

#define AT(field) offsetof(Command, field)

typedef struct Flag Flag;
struct Flag {
    const char *name, *arg;                                    /* arg "[=x]": may be left out; NULL: takes none */
    const char *(*set)(Command *, const Flag *, const char *); /* NULL, or what is wrong */
    size_t at;                                                 /* the field that the general setters fill */
    unsigned verbs; /* those that have a use for it; of a request any, for it is done instead */
    const char *doc;
    enum {
        ALONE,
        WITH_TRAIN, /* it goes with --train, unless the verb trains */
        WITH_NN     /* it goes with --emit=nn */
    } with;
};

static const char *set_true(Command *c, const Flag *f, const char *value) {
    (void)value;
    *(bool *)((char *)c + f->at) = true;
    return NULL;
}

static const char *set_text(Command *c, const Flag *f, const char *value) {
    *(const char **)((char *)c + f->at) = value;
    return NULL;
}

/* Which of the words in `arg`, "a|b|c", the value is; -1 with *wrong, what is wrong. */
static int which_word(Command *c, const Flag *f, const char *value, const char **wrong) {
    List words = {0};
    *wrong = NULL;
    for (const char *s = f->arg; *s; s += strcspn(s, "|"), s += *s == '|') {
        char *word = format(c->arena, "%.*s", (int)strcspn(s, "|"), s);
        if (!strcmp(word, value)) return words.n;
        push(c->arena, &words, word);
    }
    *wrong = format(c->arena, "has to be one of %s%s", f->arg,
                    suggest(c->arena, value, words.n, (const char *const *)words.at));
    return -1;
}

/* The field gets the word's text. */
static const char *set_word(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    return which_word(c, f, value, &wrong) < 0 ? wrong : set_text(c, f, value);
}

static const char *set_target(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    if (which_word(c, f, value, &wrong) >= 0) c->opt.target = find_target(value);
    return wrong;
}

static const char *set_weights(Command *c, const Flag *f, const char *value) {
    static const WeightsMode modes[] = {W_AUTO, W_EMBED, W_FILE, W_OBJECT}; /* in the order of the row's words */
    const char *wrong;
    int i = which_word(c, f, value, &wrong);
    if (i >= 0) c->opt.weights = modes[i];
    return wrong;
}

/* The field is true for the second of two words. */
static const char *set_second(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    *(bool *)((char *)c + f->at) = which_word(c, f, value, &wrong) == 1;
    return wrong;
}

static const char *set_level(Command *c, const Flag *f, const char *value) {
    (void)f;
    if (strlen(value) != 1 || *value < '0' || *value > '3') return "has to be -O0, -O1, -O2 or -O3";
    c->opt.level = *value - '0';
    return NULL;
}

static bool whole_number(const char *s, int64_t *v, const char **end) {
    errno = 0;
    *v = strtoll(s, (char **)(uintptr_t)end, 10);
    return isdigit((unsigned char)*s) && !errno;
}

static const char *set_bytes(Command *c, const Flag *f, const char *value) {
    static const char units[] = "kKmMgG";
    const char *end, *unit;
    int64_t v;
    if (!whole_number(value, &v, &end)) return "has to be a number of bytes, such as 500M";
    if (*end && (unit = strchr(units, *end)) && !end[1]) {
        if (!mul_ok(v, (int64_t)1 << 10 * ((unit - units) / 2 + 1), &v)) return "is too large";
    } else if (*end) {
        return "has to be a number of bytes, such as 500M";
    }
    *(int64_t *)(void *)((char *)c + f->at) = v;
    return NULL;
}

static const char *set_count(Command *c, const Flag *f, const char *value) {
    const char *end;
    int64_t v;
    if (!whole_number(value, &v, &end) || *end || v < 1 || v > 1000000) return "has to be a whole number from 1 on";
    *(int *)(void *)((char *)c + f->at) = (int)v;
    return NULL;
}

/* Adds a row of NAME=VALUE, whose first member is its name: one name has one value. */
static const char *push_named(Command *c, const Flag *f, const char *name, void *row) {
    List *rows = (List *)(void *)((char *)c + f->at);
    for (int i = 0; i < rows->n; i++)
        if (!strcmp(*(const char **)rows->at[i], name))
            return format(c->arena, "comes second: '%s' has a value already", escaped(c->arena, name, 60));
    push(c->arena, rows, row);
    return NULL;
}

static const char *push_pair(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '=');
    if (!eq || eq == value || !eq[1]) return format(c->arena, "has to be written %s", f->arg);
    Rename *r = NEW(c->arena, Rename);
    r->from = format(c->arena, "%.*s", (int)(eq - value), value), r->to = eq + 1;
    return push_named(c, f, r->from, r);
}

static const char *set_loss(Command *c, const Flag *f, const char *value) {
    (void)f;
    for (const Loss *l = losses; l->name; l++)
        if (!strcmp(l->name, value)) return c->opt.loss = l->name, NULL;
    return format(c->arena, "is no loss%s", suggest_loss(c->arena, value));
}

static const char *set_optimizer(Command *c, const Flag *f, const char *value) {
    (void)f;
    for (const Optimizer *o = optimizers; o->name; o++)
        if (!strcmp(o->name, value)) return c->opt.optimizer = o->name, NULL;
    return format(c->arena, "is no optimizer%s", suggest_optimizer(c->arena, value));
}

static const char *set_lr(Command *c, const Flag *f, const char *value) {
    char *end;
    double v = strtod(value, &end);
    (void)f;
    if (end == value || *end || !isfinite(v)) return "has to be a number, such as 1e-3";
    return push_pair(c, &(Flag){.at = AT(opt.hyper)}, format(c->arena, "lr=%s", value));
}

static const char *push_text(Command *c, const Flag *f, const char *value) {
    push(c->arena, (List *)(void *)((char *)c + f->at), (void *)(uintptr_t)value);
    return NULL;
}

static const char *set_number(Command *c, const Flag *f, const char *value) {
    char *end;
    double v = strtod(value, &end);
    if (end == value || *end || !isfinite(v) || v < 0) return "has to be a number, such as 1e-3";
    *(double *)(void *)((char *)c + f->at) = v;
    return NULL;
}

/* name=N or name=MIN..MAX. */
static const char *push_dim(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '='), *end;
    DimBinding *d = NEW(c->arena, DimBinding);
    if (!eq || eq == value || !whole_number(eq + 1, &d->min, &end)) return "has to be written name=N or name=1..N";
    d->max = d->min;
    if (!strncmp(end, "..", 2) && !whole_number(end + 2, &d->max, &end)) return "has to be written name=N or name=1..N";
    if (*end || d->min < 1 || d->max < d->min) return "has to be written name=N or name=1..N, with N at least 1";
    d->name = format(c->arena, "%.*s", (int)(eq - value), value);
    return push_named(c, f, d->name, d);
}

static bool c_keyword(const char *s) {
    static const char words[] =
        " auto break case char const continue default do double else enum extern float for goto if inline int long "
        "register"
        " restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Alignas"
        " _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local ";
    char word[MAX_PREFIX + 3];
    snprintf(word, sizeof word, " %s ", s);
    return strstr(words, word) != NULL;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static const char *set_prefix(Command *c, const Flag *f, const char *value) {
    size_t n = strspn(value, letters);
    if (!n || value[n] || n > MAX_PREFIX || isdigit((unsigned char)*value))
        return "has to be a C identifier of at most 31 letters, digits and underscores";
    if (c_keyword(value)) return "is a keyword of C";
    return set_text(c, f, value);
}

const char *make_prefix(Arena *a, const char *name) {
    bool fine = *name && !isdigit((unsigned char)*name) && *name != '_' && !c_keyword(name);
    char *s = format(a, "%s%.*s", fine ? "" : "m_", MAX_PREFIX - 2, name);
    for (char *p = s + strspn(s, letters); *p; p += strspn(p, letters)) *p = '_';
    return s;
}

static int list_ops_request(Command *c) {
    list_ops(stdout, c->topic && !strcmp(c->topic, "md"));
    return EXIT_OK;
}

static int list_behaviours_request(Command *c) {
    list_behaviours(stdout, c->topic && !strcmp(c->topic, "md"));
    return EXIT_OK;
}

static int list_passes_request(Command *c) {
    (void)c;
    list_passes(stdout);
    return EXIT_OK;
}

static int list_schedules_request(Command *c) {
    list_schedules(stdout, c->opt.target);
    return EXIT_OK;
}

static int list_targets_request(Command *c) {
    (void)c;
    for (const Target *t = targets; t->name; t++)
        printf("%-8s  %s%s%s\n", t->name, t->doc, t == targets ? "; the default" : "",
               t == find_target("native") ? "; native here" : "");
    return EXIT_OK;
}

static int list_rules_request(Command *c) {
    (void)c;
    list_rules(stdout);
    return EXIT_OK;
}

static int check_ops_request(Command *c) {
    (void)c;
    int faults = check_ops(stdout);
    printf("%d rows, %d faults\n", n_ops, faults);
    return faults ? EXIT_BUG : EXIT_OK;
}

static int version_request(Command *c) {
    (void)c;
    puts("nncc " NNCC_VERSION);
    return EXIT_OK;
}

static const char *request_list_ops(Command *c, const Flag *f, const char *value) {
    (void)f;
    if (value && strcmp(value, "md")) return "has to be --list-ops or --list-ops=md";
    c->verb = list_ops_request, c->topic = value;
    return NULL;
}

static const char *request_list_behaviours(Command *c, const Flag *f, const char *value) {
    (void)f;
    if (value && strcmp(value, "md")) return "has to be --list-behaviour or --list-behaviour=md";
    c->verb = list_behaviours_request, c->topic = value;
    return NULL;
}

#define REQUEST(name, function)                                                                                        \
    static const char *name(Command *c, const Flag *f, const char *value) {                                            \
        (void)f, (void)value;                                                                                          \
        c->verb = function;                                                                                            \
        return NULL;                                                                                                   \
    }
REQUEST(request_list_passes, list_passes_request)
REQUEST(request_list_schedules, list_schedules_request)
REQUEST(request_list_targets, list_targets_request)
REQUEST(request_list_rules, list_rules_request)
REQUEST(request_check_ops, check_ops_request)
REQUEST(request_version, version_request)
REQUEST(request_help, verb_help)

static const char target_words[] =
#define TARGET(id, ...) #id "|"
#include "targets.def"
#undef TARGET
    "native";

/* A row without a name is a heading of --help. */
static const Flag flags[] = {
    {NULL, NULL, NULL, 0, 0, "What to write"},
    {"-o", "FILE", set_text, AT(opt.output), COMPILE | TRAIN,
     "the C file; its header and weights lie beside it under the same name. With --emit: that text (- or nothing: "
     "standard output)"},
    {"--emit", "nn|c|h|cuda|dot|onnx", set_word, AT(opt.emit), COMPILE,
     "write this instead: the network as .nn text, the C, the header or the CUDA kernels alone, a Graphviz drawing, an "
     "ONNX file"},
    {"--prefix", "NAME", set_prefix, AT(opt.prefix), COMPILE,
     "prefix of every exported name in the C; from the file's name if absent. Files are named by -o alone"},
    {"--names", "model|plain", set_second, AT(opt.plain_names), COMPILE | BUILDING,
     "identifiers from the model's names (default), or counters: then no text of the model reaches the C but for one "
     "table of names"},
    {"--rename", "OLD=NEW", push_pair, AT(opt.renames), COMPILE | CHECK | VERIFY,
     "name of an input or output in the C; may be given several times"},
    {"--weights", "auto|embed|file|object", set_weights, 0, GENERATING & ~TRAIN,
     "literals in the C, a .weights file that the caller loads, or a .S that links it in; auto: literals up to 256 KB, "
     "else a file"},
    {"--target", target_words, set_target, 0, GENERATING,
     "what to generate for (--list-targets): portable C, C with vectors of one kind of machine, or kernels for a GPU; "
     "native: this machine's kind, for train the default"},
    {"--poison", NULL, set_true, AT(opt.poison), COMPILE | BUILDING,
     "generated code for AddressSanitizer: a buffer is poisoned outside its life; of CUDA: emulated with checks for "
     "races and bounds"},
    {"--inline-data", NULL, set_true, AT(opt.inline_data), COMPILE,
     "with --emit=nn: large tensors in the text, not in FILE.weights", .with = WITH_NN},

    {NULL, NULL, NULL, 0, 0, "What the model leaves open"},
    {"--dim", "NAME=N|NAME=1..N", push_dim, AT(opt.dims), ALL,
     "extent of a named dimension; a range makes it an argument of the C, with memory for N. One that is only "
     "outermost "
     "(the batch) is 1 unless given, in training 1..64 or what the train line says; verify and run take the data's"},
    {"--const", "NAME=FILE", push_pair, AT(opt.consts), ALL,
     "contents of an input that decides shapes (.pb, .npy); it is no input any more"},
    {"--input-initializers", "PATTERN", push_text, AT(opt.initializer_inputs), ALL,
     "initializers that are inputs as well become inputs: the caller gives them, and they have no default any more"},
    {"--external-data", "DIR", set_text, AT(opt.external_data), ALL,
     "allow tensors that lie in other files of this directory"},
    {"--max-bytes", "N", set_bytes, AT(opt.max_bytes), ALL,
     "memory that compiling may take (k, M, G); default 8 times the file, at least 256M"},
    {"--max-ram", "N", set_bytes, AT(opt.max_ram), GENERATING,
     "fail if a call of the C needs more: arena, inputs and outputs. Weights are constants, which firmware keeps in "
     "flash, and do not count; nor does the stack (k, M)"},

    {NULL, NULL, NULL, 0, 0, "How to compile"},
    {"-O", "0..3", set_level, 0, GENERATING,
     "-O0 meaning only, -O1 graph passes and memory planning, -O2 loop schedules (default), -O3 also what grows the "
     "code"},
    {"--real", "f32|f64", set_second, AT(opt.real_f64), GENERATING, "f64: compute every float of the model in double"},
    {"--fast-half", NULL, set_true, AT(opt.fast_half), GENERATING,
     "round f16 and bf16 only where they are stored, not at every value of the network: faster, and more precise than "
     "the network says"},
    {"--no-templates", NULL, set_true, AT(opt.no_templates), GENERATING, "plain loop nests everywhere"},
    {"--passes", "LIST|none", set_text, AT(opt.passes), ALL,
     "run only these passes, and those that cannot be left out"},
    {"--off", "LIST", set_text, AT(opt.off), ALL, "leave out these passes and schedules"},

    {NULL, NULL, NULL, 0, 0, "What to look at"},
    {"--print-ir-after", "PASS|all", set_text, AT(opt.print_after), ALL, "print the network as .nn text after a pass"},
    {"--print-ir-after-change", NULL, set_true, AT(opt.print_change), ALL, "print it after every pass that changed it"},
    {"--print-nest-after", "SCHEDULE|all", set_text, AT(opt.print_nest), ALL,
     "print each nest of loops as C after a schedule"},
    {"--explain", "NODE", set_text, AT(explain), COMPILE,
     "in which kernel a node is, with which others, and what keeps that apart from its neighbours"},
    {"--time-passes", NULL, set_true, AT(opt.time_passes), ALL, "how long each pass took"},

    {NULL, NULL, NULL, 0, 0, "To train"},
    {"--loss", "NAME", set_loss, 0, TRAINING | GRADCHECK,
     "what is made small: SoftmaxCrossEntropyLoss, MeanSquaredError, …", .with = WITH_TRAIN},
    {"--data", "PATH", set_text, AT(data), TRAIN,
     "of train: a directory with idx files, npy files or CIFAR binaries, or a csv file; plain or gzip"},
    {"--epochs", "N", set_count, AT(epochs), TRAIN,
     "how often it goes through the data (what the train line says, else 1)"},
    {"--seed", "N", set_count, AT(seed), TRAIN, "of parameters, order and dropout (what the train line says, else 1)"},
    {"--checkpoint", "FILE", set_text, AT(checkpoint), TRAIN, "written after every epoch, as safetensors"},
    {"--resume", NULL, set_true, AT(resume), TRAIN, "go on from --checkpoint, as if nothing had happened"},
    {"--train", NULL, set_true, AT(opt.train), COMPILE | SUMMARY,
     "functions that train as well: init, train_batch, eval_batch, …"},
    {"--optimizer", "NAME", set_optimizer, 0, TRAINING,
     "how parameters follow their gradients: SGD, Adam, AdamW, Adadelta, RMSprop, …", .with = WITH_TRAIN},
    {"--lr", "X", set_lr, 0, TRAINING, "its learning rate", .with = WITH_TRAIN},
    {"--set", "NAME=X", push_pair, AT(opt.hyper), TRAINING, "another of its settings, such as momentum=0.9",
     .with = WITH_TRAIN},
    {"--entry", "NAME", set_text, AT(entry), COMPILE, "with --emit=nn: the function to print, such as train_batch",
     .with = WITH_TRAIN},
    {"--freeze", "PATTERN", push_text, AT(opt.freeze), TRAINING | GRADCHECK,
     "parameters that stay as they are, by name (* and ? match); may be given several times", .with = WITH_TRAIN},
    {"--trainable", "PATTERN", push_text, AT(opt.trainable), TRAINING | GRADCHECK,
     "constants of floats that are trained as well, likewise. Trained are the params of a .nn text; of an ONNX file "
     "weights, biases and tables in their operators' inputs, and initializers of more than one number that are added "
     "to, multiplied with or joined with data beside a parameter; not Constant nodes, masks, or what prepares the "
     "input. summary --train lists them",
     .with = WITH_TRAIN},
    {"--samples", "N", set_count, AT(samples), GRADCHECK, "gradcheck: elements of each tensor that are varied (16)"},

    {NULL, NULL, NULL, 0, 0, "For verify, run and bench"},
    {"--input", "NAME=FILE", push_pair, AT(inputs), RUN,
     "contents of an input: .pb, .npy, .pgm, .ppm, anything else raw; random if absent"},
    {"--output", "NAME=FILE", push_pair, AT(outputs), RUN, "where an output goes, likewise; printed if none is given"},
    {"--rtol", "X", set_number, AT(tol.rtol), VERIFY, "allowed error relative to each expected value (1e-3)"},
    {"--atol", "X", set_number, AT(tol.atol), VERIFY, "allowed error besides (1e-5 of the largest expected value)"},
    {"--cc", "COMMAND", set_text, AT(run.cc), BUILDING, "the C compiler, with its options ($CC, else cc)"},
    {"--keep", "DIR", set_text, AT(keep), BUILDING, "leave the generated program in DIR"},
    {"--seconds", "N", set_count, AT(run.seconds), BUILDING, "time limit of each program that is run (600)"},
    {"--runs", "N", set_count, AT(run.runs), BENCH,
     "bench: how often the program runs (as often as a second allows, at least 5 times)"},
    {"--interpret", NULL, set_true, AT(run.interpret), VERIFY | RUN, "interpret the loop nests instead of compiling C"},

    {NULL, NULL, NULL, 0, 0, "About nncc"},
    {"--help", NULL, request_help, 0, ALL, "this page"},
    {"--version", NULL, request_version, 0, ALL, "the version"},
    {"--list-ops", "[=md]", request_list_ops, 0, ALL, "the operators, as text or Markdown"},
    {"--list-behaviour", "[=md]", request_list_behaviours, 0, ALL,
     "where runtimes give different results for valid models, and what nncc does, as text or Markdown"},
    {"--list-passes", NULL, request_list_passes, 0, ALL, "the passes in the order they run"},
    {"--list-schedules", NULL, request_list_schedules, 0, ALL,
     "what a nest of loops goes through for --target, in order"},
    {"--list-targets", NULL, request_list_targets, 0, ALL, "what C is generated for"},
    {"--list-rules", NULL, request_list_rules, 0, ALL, "the rewrite rules of simplify"},
    {"--check-ops", NULL, request_check_ops, 0, ALL, "check the operator table"},
};

/* Prints text from a column on, broken at blanks. */
static void print_wrapped(const char *text, int column) {
    int at = column;
    for (const char *s = text; *s; s += *s == ' ') {
        int n = (int)strcspn(s, " ");
        if (at > column && at + 1 + n > PAGE_WIDTH)
            printf("\n%*s", column, ""), at = column;
        else if (at > column)
            putchar(' '), at++;
        printf("%.*s", n, s);
        at += n, s += n;
    }
    putchar('\n');
}

static void print_row(const char *head, const char *doc) {
    if ((int)strlen(head) > NAME_COLUMN - 4)
        printf("  %s\n%*s", head, NAME_COLUMN, "");
    else
        printf("  %-*s", NAME_COLUMN - 2, head);
    print_wrapped(doc, NAME_COLUMN);
}

static void print_flag(const Flag *f) {
    char head[80];
    const char *gap = !f->arg || *f->arg == '[' || !strcmp(f->name, "-O") ? "" : f->name[1] == '-' ? "=" : " ";
    snprintf(head, sizeof head, "%s%s%s", f->name, gap, f->arg ? f->arg : "");
    print_row(head, f->doc);
}

int verb_help(Command *c) {
    (void)c;
    puts("nncc compiles a neural network (.onnx, or its own .nn text) to readable, standalone C.\n");
    for (const Verb *v = verbs; v->name; v++) {
        char head[80];
        snprintf(head, sizeof head, "nncc %s%s%s", v == verbs ? "" : v->name, v == verbs ? "" : " ", v->words);
        print_row(head, v->doc);
    }
    puts("\nMODEL is a file, or - for standard input; its contents tell what it is.");
    for (const Flag *f = flags; f < flags + COUNT(flags); f++)
        if (f->name)
            print_flag(f);
        else
            printf("\n%s\n", f->doc);
    puts("\nExit status: 0 done; 1 a fault in the input, or a failed verify; 2 a wrong command line;\n"
         "3 something in the model is not supported; 70 a fault of nncc.");
    return EXIT_OK;
}

/* The row that an argument names, and where its value starts in the same argument (NULL: not there). */
static const Flag *find_flag(const char *word, const char **value) {
    size_t n = strcspn(word, "=");
    *value = word[n] ? word + n + 1 : NULL;
    for (const Flag *f = flags; f < flags + COUNT(flags); f++) {
        if (!f->name) continue;
        if (strlen(f->name) == n && !strncmp(f->name, word, n)) return f;
        if (f->name[1] != '-' && !strncmp(f->name, word, 2)) return *value = word + 2, f; /* -O2, -omodel.c */
    }
    return NULL;
}

static int unknown_option(Command *c, const char *word, FILE *err) {
    const char *names[COUNT(flags)];
    char *name = format(c->arena, "%.*s", (int)strcspn(word, "="), word);
    int n = 0;
    for (const Flag *f = flags; f < flags + COUNT(flags); f++)
        if (f->name) names[n++] = f->name;
    const char *hint = suggest(c->arena, name, n, names);
    fprintf(err, "nncc: there is no option '%s'%s\n", escaped(c->arena, name, 60), *hint ? hint : "; see nncc --help");
    return EXIT_USAGE;
}

/* Takes the option at args[*i] and, where it needs one, the value behind it. */
static int parse_flag(Command *c, int n, char **args, int *i, FILE *err) {
    const char *value, *wrong;
    const char *word = args[*i];
    const Flag *f = find_flag(word, &value);
    if (!f) return unknown_option(c, word, err);
    if (f->arg && *f->arg != '[' && (!value || !*value)) value = *i + 1 < n ? args[++*i] : NULL;
    if (!f->arg && value)
        wrong = "takes no value";
    else if (f->arg && *f->arg != '[' && !value)
        wrong = format(c->arena, "needs a value: %s", f->arg);
    else
        wrong = f->set(c, f, value);
    if (!wrong) return push(c->arena, &c->given, (void *)(uintptr_t)f), EXIT_OK;
    fprintf(err, "nncc: %s", f->name);
    if (value) fprintf(err, " '%s'", escaped(c->arena, value, 60));
    fprintf(err, " %s\n", wrong);
    return EXIT_USAGE;
}

void command_new(Command *c) {
    const char *cc = getenv("CC");
    *c = (Command){.opt = {.level = 2}, .arena = arena_new(0, NULL, NULL), .samples = 16, .run = {.seconds = 600}};
    c->tol.rtol = 1e-3, c->tol.atol = -1;
    c->opt.target = targets;
    c->run.cc = cc && *cc ? cc : "cc";
    c->verb = verbs->run;
}

void command_free(Command *c) { arena_free(c->arena); }

static const Verb *find_verb(const char *word) {
    for (const Verb *v = verbs; v->name; v++)
        if (!strcmp(v->name, word)) return v;
    return NULL;
}

/* "verify and run": the verbs that have a use for an option. */
static const char *users_of(Arena *a, const Flag *f) {
    Str s = {.arena = a};
    int left = 0;
    for (const Verb *v = verbs; v->name; v++) left += (f->verbs & v->bit) != 0;
    for (const Verb *v = verbs; v->name; v++)
        if (f->verbs & v->bit) put(&s, "%s%s", v->name, --left > 1 ? ", " : left ? " and " : "");
    return s.s;
}

/* Whether the verb has a use for each option that was given; says so of each that it does not. */
static bool all_useful(const Command *c, const Verb *verb, FILE *err) {
    bool fine = true;
    for (int i = 0; i < c->given.n; i++) {
        const Flag *f = c->given.at[i];
        const char *name = f->name;
        bool useless = !(f->verbs & verb->bit), untrained = f->with == WITH_TRAIN && !verb->trains && !c->opt.train,
             not_nn = f->with == WITH_NN && (!c->opt.emit || strcmp(c->opt.emit, "nn"));
        if (useless)
            fprintf(err, "nncc: %s is for %s; %s has no use for it\n", name, users_of(c->arena, f), verb->name);
        else if (untrained)
            fprintf(err, "nncc: %s is for training: it goes with --train\n", name);
        else if (not_nn)
            fprintf(err, "nncc: %s is for text: it goes with --emit=nn\n", name);
        fine = fine && !useless && !untrained && !not_nn;
    }
    return fine;
}

/* What the command line asks for and the verb cannot do, instead of leaving it out without a word. */
static int check_command(const Command *c, const Verb *verb, FILE *err) {
    const char *output = c->opt.output, *input = NULL;
    if (c->verb != verb->run) return EXIT_OK; /* a request such as --help */
    if (verb->on_cpu && c->opt.target->backend->device)
        return fprintf(err, "nncc: %s is not for --target=%s: it runs networks on the CPU\n", verb->name,
                       c->opt.target->name),
               EXIT_USAGE;
    if (c->words.n > 1 && !verb->more) {
        const char *extra = escaped(c->arena, c->words.at[1], 60);
        return fprintf(err, "nncc: %s takes one model, and there is '%s' behind it\n", verb->name, extra), EXIT_USAGE;
    }
    if (!all_useful(c, verb, err)) return EXIT_USAGE;
    if (c->run.interpret && c->keep)
        return fputs("nncc: --keep leaves a generated program, and with --interpret there is none\n", err), EXIT_USAGE;
    if (output && c->opt.input) input = overwritten_input(c, NULL, output);
    for (int i = 0; i < c->outputs.n && !input && c->opt.input; i++)
        input = overwritten_input(c, NULL, output = ((Rename *)c->outputs.at[i])->to);
    if (!input) return EXIT_OK;
    fprintf(err, "nncc: '%s' would be written over '%s', which is read\n", escaped(c->arena, output, 200),
            escaped(c->arena, input, 200));
    return EXIT_USAGE;
}

/* A first word that is neither a verb nor a file, but near a verb. */
static bool slip_of_verb(Command *c, const char *word, FILE *err) {
    const char *names[COUNT(verbs)], *hint;
    int n = 0;
    for (const Verb *v = verbs; v->name; v++) names[n++] = v->name;
    hint = suggest(c->arena, word, n, names);
    if (*word == '-' || !*hint || !access(word, F_OK)) return false;
    fprintf(err, "nncc: there is no verb and no file '%s'%s\n", escaped(c->arena, word, 60), hint);
    return true;
}

int parse_command(Command *c, int n, char **args, FILE *err) {
    const Verb *verb = n ? find_verb(args[0]) : NULL;
    if (n && !verb && slip_of_verb(c, args[0], err)) return EXIT_USAGE;
    if (verb) c->verb = verb->run;
    if (verb && verb->target) c->opt.target = find_target(verb->target);
    for (int i = verb ? 1 : 0; i < n; i++) {
        int code = EXIT_OK;
        if (args[i][0] != '-' || !args[i][1])
            push(c->arena, &c->words, args[i]);
        else
            code = parse_flag(c, n, args, &i, err);
        if (code) return code;
    }
    if (c->words.n) c->opt.input = c->words.at[0];
    return check_command(c, verb ? verb : verbs, err);
}
