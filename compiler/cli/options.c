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
#include <limits.h>
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
    EVAL = 256,
    PREDICT = 512,
    ON_DATA = TRAIN | EVAL | PREDICT,
    BUILDING = VERIFY | RUN | BENCH | ON_DATA,
    GENERATING = COMPILE | SUMMARY | CHECK | BUILDING,
    TRAINING = COMPILE | SUMMARY | ON_DATA,
    ALL = GENERATING | GRADCHECK
};

const Verb verbs[] = {
    {"compile", "MODEL -o model.c", "compile the model to C", verb_compile, .bit = COMPILE},
    {"summary", "MODEL...", "print its steps, shapes, parameters, multiply-adds and memory", verb_summary, .more = true,
     .bit = SUMMARY},
    {"check", "MODEL...", "list everything in it that is not supported; exit status 3 if there is any", verb_check,
     .more = true, .bit = CHECK},
    {"verify", "MODEL [DIR...]",
     "compile, run the test_data_set_* in DIR and compare outputs; without DIR: compare random inputs with nncc's "
     "reference, naive loop nests in double, compiled and interpreted",
     verb_verify, .more = true, .bit = VERIFY},
    {"run", "MODEL", "run it once on --input files", verb_run, .bit = RUN},
    {"bench", "MODEL", "time each step of the generated C on random inputs", verb_bench, .on_cpu = true, .bit = BENCH},
    {"train", "MODEL --data PATH", "train it; -o trained.onnx writes the trained network", verb_train, .trains = true,
     .bit = TRAIN},
    {"gradcheck", "MODEL", "compare its gradients with finite differences, in double", verb_gradcheck, .trains = true,
     .bit = GRADCHECK},
    {"eval", "MODEL --data PATH", "print its loss and metrics on data", verb_eval, .trains = true, .bit = EVAL},
    {"predict", "MODEL --data PATH", "write its outputs for each example of data into --output files", verb_predict,
     .trains = true, .bit = PREDICT},
    {.name = "init", .later = true},
    {.name = "quantize", .later = true},
    {.name = "report", .later = true},
    {.name = "diff", .later = true},
    {.name = "fmt", .later = true},
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
        WITHOUT_TRAIN,
        WITH_NN /* it goes with --emit=nn */
    } with;
    int (*request)(Command *); /* what is done instead of a verb */
    bool later;                /* reserved for a later version */
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

static const char *check_word(Command *c, const Flag *f, const char *value) {
    const char *wrong;
    which_word(c, f, value, &wrong);
    return wrong;
}

static const char *check_nothing(Command *c, const Flag *f, const char *value) {
    (void)c, (void)f, (void)value;
    return NULL;
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
    if (!whole_number(value, &v, &end)) return "is not a number of bytes, such as 500M";
    if (*end && (unit = strchr(units, *end)) && !end[1]) {
        if (!mul_ok(v, (int64_t)1 << 10 * ((unit - units) / 2 + 1), &v)) return "is too large";
    } else if (*end) {
        return "is not a number of bytes, such as 500M";
    }
    *(int64_t *)(void *)((char *)c + f->at) = v;
    return NULL;
}

static const char *set_count(Command *c, const Flag *f, const char *value) {
    const char *end;
    int64_t v;
    if (!whole_number(value, &v, &end) || *end || v < 1 || v > 1000000)
        return "is not a whole number from 1 to 1000000";
    *(int *)(void *)((char *)c + f->at) = (int)v;
    return NULL;
}

/* Adds a row of NAME=VALUE, whose first member is its name: one name has one value. */
static const char *push_named(Command *c, const Flag *f, const char *name, void *row) {
    List *rows = (List *)(void *)((char *)c + f->at);
    for (int i = 0; i < rows->n; i++)
        if (!strcmp(*(const char **)rows->at[i], name))
            return format(c->arena, "is given twice: '%s' has a value already", escaped(c->arena, name, 60));
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
    const char *name = format(c->arena, "%.*s", (int)strcspn(value, "( "), value);
    (void)f;
    if (!find_loss(name) && strncmp(value, "output:", strlen("output:")))
        return format(c->arena, "is no loss%s", loss_choices(c->arena, name));
    c->opt.loss = value;
    return NULL;
}

static const char *set_optimizer(Command *c, const Flag *f, const char *value) {
    (void)f;
    for (const Optimizer *o = optimizers; o->name && !o->flavor; o++)
        if (!strcmp(o->name, value)) return c->opt.optimizer = o->name, NULL;
    return format(c->arena, "is no optimizer%s", optimizer_choices(c->arena, value));
}

static const char *set_flavor(Command *c, const Flag *f, const char *value) {
    (void)f;
    c->opt.flavor = value;
    return is_flavor(value) ? NULL : "is no flavor; there are torch and keras";
}

static const char *set_schedule(Command *c, const Flag *f, const char *value) {
    const char *name = format(c->arena, "%.*s", (int)strcspn(value, "( "), value);
    (void)f;
    c->opt.schedule = value;
    return find_rate(name) ? NULL : format(c->arena, "is no schedule%s", rate_choices(c->arena, name));
}

/* PATTERN, or PATTERN=N. */
static const char *push_head(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '='), *rest;
    int64_t n;
    if (!eq) return push(c->arena, &c->head, (void *)(uintptr_t)value), NULL;
    if (eq == value || !whole_number(eq + 1, &n, &rest) || *rest || n < 1 || n > 1000000)
        return "has to be a pattern, or a pattern and a number of classes, as in fc.*=10";
    push(c->arena, &c->head, format(c->arena, "%.*s", (int)(eq - value), value));
    return push_pair(c, f, value);
}

static const char *set_weigh(Command *c, const Flag *f, const char *value) {
    c->weigh = true;
    return check_word(c, f, value);
}

static const char *set_lr(Command *c, const Flag *f, const char *value) {
    char *end;
    double v = strtod(value, &end);
    (void)f;
    if (end == value || *end || !isfinite(v)) return "has to be a number, such as 1e-3";
    return push_pair(c, &(Flag){.at = AT(opt.hyper)}, format(c->arena, "lr=%s", value));
}

/* FACTOR:N, as in 0.5:10. */
static const char *set_plateau(Command *c, const Flag *f, const char *value) {
    static const char wrong[] = "has to be a factor below 1 and a number of epochs, as in 0.5:10";
    char *end;
    const char *rest;
    int64_t n;
    double v = strtod(value, &end);
    if (end == value || *end != ':' || !(v > 0 && v < 1)) return wrong;
    if (!whole_number(end + 1, &n, &rest) || *rest || n < 1 || n > 1000000) return wrong;
    return set_text(c, f, value);
}

static const char *push_text(Command *c, const Flag *f, const char *value) {
    push(c->arena, (List *)(void *)((char *)c + f->at), (void *)(uintptr_t)value);
    return NULL;
}

/* Names between commas, each an element; none twice. */
static const char *push_names(Command *c, const Flag *f, const char *value) {
    List *names = (List *)(void *)((char *)c + f->at);
    for (const char *s = value; *s; s += strcspn(s, ","), s += *s == ',') {
        char *name = format(c->arena, "%.*s", (int)strcspn(s, ","), s);
        if (!*name) return "has to be names with commas between";
        for (int i = 0; i < names->n; i++)
            if (!strcmp(names->at[i], name)) return format(c->arena, "has '%s' twice", escaped(c->arena, name, 60));
        push(c->arena, names, name);
    }
    return *value ? NULL : "has to be names with commas between";
}

static const char *set_number(Command *c, const Flag *f, const char *value) {
    char *end;
    double v = strtod(value, &end);
    if (end == value || *end || !isfinite(v) || v < 0) return "has to be a number from 0 on, such as 1e-3";
    *(double *)(void *)((char *)c + f->at) = v;
    return NULL;
}

/* name=N, name=MIN..MAX, or name=MIN..MAX:STEP for multiples of it. */
static const char *push_dim(Command *c, const Flag *f, const char *value) {
    const char *eq = strrchr(value, '='), *end;
    DimBinding *d = NEW(c->arena, DimBinding);
    if (!eq || eq == value || !whole_number(eq + 1, &d->min, &end)) return "has to be written name=N or name=1..N";
    d->max = d->min;
    if (!strncmp(end, "..", 2) && !whole_number(end + 2, &d->max, &end)) return "has to be written name=N or name=1..N";
    if (d->max > d->min && *end == ':' && !whole_number(end + 1, &d->step, &end))
        return "has to be written name=N..M:STEP";
    if (d->step < 0 || (d->step && (d->min % d->step || d->max % d->step)))
        return "has to be written name=N..M:STEP, with N and M multiples of STEP";
    if (*end || d->min < 0 || d->max < 1 || d->max < d->min)
        return "has to be written name=N or name=LEAST..N, with N at least 1";
    if (d->max > d->min && d->max >= INT_MAX) return "is an int in the C: its bound has to be less than 2147483647";
    d->name = format(c->arena, "%.*s", (int)(eq - value), value);
    return push_named(c, f, d->name, d);
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static const char *set_prefix(Command *c, const Flag *f, const char *value) {
    size_t n = strspn(value, letters);
    if (!n || value[n] || n > MAX_PREFIX || isdigit((unsigned char)*value))
        return "has to be a C identifier of at most 31 letters, digits and underscores";
    if (is_c_keyword(value)) return "is a keyword of C";
    return set_text(c, f, value);
}

const char *make_prefix(Arena *a, const char *name) {
    bool fine = *name && !isdigit((unsigned char)*name) && *name != '_' && !is_c_keyword(name);
    char *s = format(a, "%s%.*s", fine ? "" : "m_", MAX_PREFIX - 2, name);
    for (char *p = s + strspn(s, letters); *p; p += strspn(p, letters)) *p = '_';
    return s;
}

/* The option is done instead of a verb. */
static const char *set_request(Command *c, const Flag *f, const char *value) {
    const char *word = f->arg ? "md" : NULL;
    if (value && word && strcmp(value, word)) return format(c->arena, "has to be %s or %s=%s", f->name, f->name, word);
    c->verb = f->request, c->topic = value;
    return NULL;
}

static const char target_words[] =
#define TARGET(id, ...) #id "|"
#include "targets.def"
#undef TARGET
    "native";

/* A row without a name is a heading of --help. */
static const Flag flags[] = {
    {NULL, NULL, NULL, 0, 0, "Output"},
    {"-o", "FILE", set_text, AT(opt.output), COMPILE | TRAIN,
     "the C file; header and weights are written beside it under the same name. With --emit: the file for that text (- "
     "or absent: standard output)"},
    {"--emit", "nn|c|h|cuda|dot|onnx", set_word, AT(opt.emit), COMPILE,
     "write one thing instead: the network as .nn text, the C, the header, the CUDA kernels, a Graphviz drawing, or an "
     "ONNX file"},
    {"--prefix", "NAME", set_prefix, AT(opt.prefix), COMPILE,
     "prefix of every exported C name; default: from the file's name. It does not change file names"},
    {"--names", "model|plain", set_second, AT(opt.plain_names), COMPILE | BUILDING,
     "C identifiers from the model's names (default), or numbered ones; then the model's names appear in one table "
     "alone"},
    {"--rename", "OLD=NEW", push_pair, AT(opt.renames), COMPILE | CHECK | VERIFY,
     "C name of an input or output; may be given several times"},
    {"--weights", "auto|embed|file|object", set_weights, 0, GENERATING & ~ON_DATA,
     "where weights are stored: embed, as literals in the C; file, a .weights file that the caller loads; object, an "
     "assembly file that links it in; auto: embed up to 256 KB, else file"},
    {"--target", target_words, set_target, 0, GENERATING,
     "what to generate code for (see --list-targets): auto, C that runs with the best vectors of the machine; c, "
     "portable C alone; C with vectors of one instruction set (native: this machine's); CUDA kernels"},
    {"--poison", NULL, set_true, AT(opt.poison), COMPILE | BUILDING,
     "instrument for AddressSanitizer: a buffer is poisoned outside its lifetime; with --target=cuda: run emulated, "
     "with checks for races and bounds"},
    {"--inline-data", NULL, set_true, AT(opt.inline_data), COMPILE,
     "with --emit=nn: keep large tensors in the text instead of FILE.weights", .with = WITH_NN},

    {NULL, NULL, NULL, 0, 0, "Shapes and external inputs"},
    {"--dim", "NAME=N|NAME=1..N[:STEP]", push_dim, AT(opt.dims), ALL,
     "extent of a named dimension; a range makes it an argument of the C functions, with memory for N; STEP: "
     "multiples of it. INPUT:AXIS in "
     "place of NAME is the dimension that lies there, * all that nothing else gives. Without it, a "
     "dimension that is outermost everywhere (the batch) is 1; in training 1..64, or what the train line says; verify "
     "and run take it from the data"},
    {"--io", "float|quantized", set_second, AT(opt.quantized_io), GENERATING & ~ON_DATA,
     "quantized: where an input goes into a QuantizeLinear alone, and an output comes from a DequantizeLinear, the C "
     "takes and gives the integers; the header says what they mean",
     .with = WITHOUT_TRAIN},
    {"--const", "NAME=FILE", push_pair, AT(opt.consts), ALL,
     "fix the value of an input that shapes depend on (.pb, .npy); it is then no longer an input"},
    {"--bound", "NAME=N", push_pair, AT(opt.bounds), ALL,
     "of an input that is a sequence, how many tensors it holds, which become the inputs NAME_0, NAME_1 …, or whether "
     "an "
     "optional one is there, 1 or 0; of integers that shapes follow from, the most that each can be (LEAST..N: and the "
     "least); of a result whose size the data tells, the most that there can be. Data beyond it is P_E_BOUND"},
    {"--input-initializers", "PATTERN", push_text, AT(opt.initializer_inputs), ALL,
     "turn initializers that are also listed as inputs into inputs without a default"},
    {"--outputs", "NAME,NAME...", push_names, AT(opt.outputs), GENERATING & ~ON_DATA,
     "a part of the network: these values, any of the model's, are the outputs, and what they do not need is left out",
     .with = WITHOUT_TRAIN},
    {"--external-data", "DIR", set_text, AT(opt.external_data), ALL,
     "where tensors that the model keeps in other files are, if not in its own directory"},
    {"--channel-blocks", "8|16", set_word, AT(opt.channel_blocks), ALL,
     "how many channels lie together in a model that ONNX Runtime saved with all optimizations, if it does not say: 16 "
     "where it was saved on a machine with AVX-512, else 8"},
    {"--max-bytes", "N", set_bytes, AT(opt.max_bytes), ALL,
     "limit of memory while compiling (k, M, G); default: 12 times the files of the model, at least 256M"},
    {"--string-bytes", "N", set_bytes, AT(opt.string_bytes), GENERATING,
     "bytes that a string of an input may have, with its NUL (64)"},
    {"--max-ram", "N", set_bytes, AT(opt.max_ram), ALL,
     "most RAM that a call of the generated C may need for arena, inputs and outputs (k, M): recurrent layers go "
     "through their steps in segments, which the backward pass computes again, until it is enough, or it is an error. "
     "Weights (constant, in flash on a microcontroller) and the stack do not count"},

    {NULL, NULL, NULL, 0, 0, "Compilation"},
    {"-O", "0..3", set_level, 0, GENERATING,
     "-O0 naive loop nests, -O1 graph passes, memory planning and what vectorises of plain loops, -O2 loop schedules "
     "(default), -O3 also what grows the code"},
    {"--real", "f32|f64", set_second, AT(opt.real_f64), GENERATING, "f64: compute every float of the model in double"},
    {"--fast-half", NULL, set_true, AT(opt.fast_half), GENERATING,
     "round f16 and bf16 only where they are stored, not after every operator: faster, and more precise than the model "
     "specifies"},
    {"--no-templates", NULL, set_true, AT(opt.no_templates), GENERATING, "no tiled kernels: plain loop nests"},
    {"--no-winograd", NULL, set_true, AT(opt.no_winograd), GENERATING,
     "3x3 convolutions without Winograd's fewer multiplications: slower; errors below 1e-6 of the largest result, not "
     "1e-5"},
    {"--passes", "LIST|none", set_text, AT(opt.passes), ALL, "run only these passes, and the required ones"},
    {"--off", "LIST", set_text, AT(opt.off), ALL, "switch off these passes and schedules"},

    {NULL, NULL, NULL, 0, 0, "Debugging"},
    {"--print-ir-after", "PASS|all", set_text, AT(opt.print_after), ALL, "print the network as .nn text after a pass"},
    {"--print-ir-after-change", NULL, set_true, AT(opt.print_change), ALL, "print it after every pass that changed it"},
    {"--print-nest-after", "SCHEDULE|all", set_text, AT(opt.print_nest), ALL,
     "print each loop nest as C after a schedule"},
    {"--explain", "NODE", set_text, AT(explain), COMPILE,
     "which kernel computes a node, what is fused into it, and what prevented more"},
    {"--time-passes", NULL, set_true, AT(opt.time_passes), ALL, "print how long each pass took"},

    {NULL, NULL, NULL, 0, 0, "Training"},
    {"--loss", "NAME", set_loss, 0, TRAINING | GRADCHECK, "the loss to minimise (see --list-losses)",
     .with = WITH_TRAIN},
    {"--add-loss", "TEXT", push_text, AT(opt.added_losses), TRAINING | GRADCHECK,
     "is added to the loss, such as '0.001 * L2(\"*.weight\")', of parameters by patterns; may be given several times",
     .with = WITH_TRAIN},
    {"--class-weights", "frequency", set_weigh, 0, TRAIN,
     "weights of the loss for each class, so that rare ones count as much as frequent ones: examples / (classes * "
     "those of "
     "the class)"},
    {"--data", "PATH|NAME=FILE", push_text, AT(data), ON_DATA,
     "data: an npz, csv or text file, or a directory of npy files, idx files, CIFAR binaries, or folders of PNG "
     "pictures "
     "by class. NAME=FILE: an npy or idx file, or a folder of pictures, for one input or target; may be given several "
     "times"},
    {"--validation", "PART|PATH", push_text, AT(validation), TRAIN,
     "data that is not trained on: a part of it such as 0.2, taken evenly, or last:0.2; 0: none; or files, as for "
     "--data. "
     "Default: the data's own, else 0.1"},
    {"--text", "chars|words", set_word, AT(text), ON_DATA,
     "data files are texts, of which the network learns what comes next; default: chars where they end in .txt"},
    {"--columns", "NAME=A,B...", push_text, AT(columns), ON_DATA,
     "the columns of a csv file for an input or target; default: those with its name, else by their order"},
    {"--classes", "NAME=A,B...", push_text, AT(classes), ON_DATA,
     "what the classes of a target are called in the data, class 0 first, as in mask=0,255"},
    {"--start-from", "FILE", set_text, AT(start_from), ON_DATA,
     "parameters to begin with, by name and shape: a checkpoint, another safetensors file, or an ONNX model. train: "
     "those "
     "that are not there begin anew"},
    {"--head", "PATTERN[=N]", push_head, AT(opt.heads), TRAIN,
     "parameters with these names (* and ? match) begin anew; with =N they are for N classes, of an ONNX model, too; "
     "may be "
     "given several times"},
    {"--sample", "N", set_count, AT(sample), PREDICT,
     "without --data: write a text of N characters or words more than --prompt, of a network that was trained on text"},
    {"--prompt", "TEXT", set_text, AT(prompt), PREDICT,
     "with --sample: how the text begins (default: with a new line)"},
    {"--temperature", "X", set_number, AT(temperature), PREDICT,
     "with --sample: scores are divided by it before a piece is drawn (1); at 0 the likeliest one is taken"},
    {"--epochs", "N", set_count, AT(epochs), TRAIN,
     "number of passes over the data (default: from the train line, else 1)"},
    {"--seed", "N", set_count, AT(seed), TRAIN | PREDICT,
     "seed of initial parameters, data order and dropout, or of --sample (default: from the train line, else 1)"},
    {"--checkpoint", "FILE", set_text, AT(checkpoint), TRAIN, "safetensors file written after every epoch"},
    {"--resume", NULL, set_true, AT(resume), TRAIN,
     "continue from --checkpoint; the result equals that of a run without interruption, bit for bit"},
    {"--checkpoint-every", "N", set_count, AT(every), TRAIN, "write it after every N epochs only"},
    {"--metrics", "A,B...", set_text, AT(metrics), TRAIN | EVAL,
     "figures of the data that is not trained on, after each epoch (see --list-metrics); default: from the train line"},
    {"--augment", "A,B...", set_text, AT(augment), TRAIN,
     "change examples at random while they are trained on: flip, crop=4, shift=2, rotate=10, cutout=8 of pictures and "
     "their masks, noise=0.1, mixup=0.2"},
    {"--patience", "N", set_count, AT(patience), TRAIN, "end after N epochs in which --monitor did not get better"},
    {"--keep-best", NULL, set_true, AT(keep_best), TRAIN,
     "keep the parameters of the best epoch by --monitor, in CHECKPOINT.best too"},
    {"--monitor", "FIGURE", set_text, AT(monitor), TRAIN,
     "the figure that is watched, such as val_accuracy (val_loss; loss where nothing is held out)"},
    {"--plateau", "FACTOR:N", set_plateau, AT(plateau), TRAIN,
     "multiply the learning rate with FACTOR after N epochs in which --monitor did not get better"},
    {"--log", "FILE", set_text, AT(log), TRAIN, "a csv file with a line for each epoch"},
    {"--tensorboard", "DIR", set_text, AT(tensorboard), TRAIN, "events for TensorBoard"},
    {"--plot", "FILE", set_text, AT(plot), TRAIN, "an SVG picture of the loss, drawn anew after each epoch"},
    {"--threads", "N", set_count, AT(opt.threads), COMPILE,
     "an interface for at most N threads (docs/contract.md); this version computes with one"},
    {"--train", NULL, set_true, AT(opt.train), COMPILE | SUMMARY,
     "generate training functions as well: init, train_batch, eval_batch, …"},
    {"--normalise", NULL, set_true, AT(opt.normalise), COMPILE | TRAIN,
     "the network does to its inputs what the data line says, scale, mean and std: it takes numbers as the data has "
     "them. "
     "train: the one that -o writes"},
    {"--distributed", "mpi", set_word, AT(opt.distributed), COMPILE | TRAIN,
     "as one of the processes that mpirun started: each has a part of every batch, N processes with batches of B are "
     "one "
     "with N * B. Of --train: the C draws random numbers by the field `first` (docs/contract.md)",
     .with = WITH_TRAIN},
    {"--keep-dropout", NULL, set_true, AT(opt.keep_dropout), GENERATING | TRAINING,
     "dropout drops in inference, too, by other random numbers in each call: NET_step carries them on in its state; "
     "with --train in a function of its own, NET_sample"},
    {"--optimizer", "NAME", set_optimizer, 0, TRAINING,
     "the optimizer (see --list-optimizers); default: from the train line, else Adam", .with = WITH_TRAIN},
    {"--lr", "X", set_lr, 0, TRAINING, "the learning rate", .with = WITH_TRAIN},
    {"--flavor", "torch|keras", set_flavor, 0, TRAINING,
     "whose formulas and defaults optimizers and batch normalisation follow; default: the train line's, else PyTorch's",
     .with = WITH_TRAIN},
    {"--schedule", "TEXT", set_schedule, 0, TRAINING,
     "the learning rate by steps (see --list-rates), such as cosine(steps = 1000, warmup = 50)", .with = WITH_TRAIN},
    {"--set", "NAME=X", push_pair, AT(opt.hyper), TRAINING,
     "another word of the train line: a setting of the optimizer, such as momentum=0.9, clip_norm=1, ema=0.999",
     .with = WITH_TRAIN},
    {"--entry", "NAME", set_text, AT(entry), COMPILE, "with --emit=nn: the function to print, such as train_batch",
     .with = WITH_TRAIN},
    {"--freeze", "PATTERN", push_text, AT(opt.freeze), TRAINING | GRADCHECK,
     "do not train parameters with these names (* and ? match); may be given several times", .with = WITH_TRAIN},
    {"--trainable", "PATTERN", push_text, AT(opt.trainable), TRAINING | GRADCHECK,
     "train constants with these names, too. By default are trained: param of .nn text; of an ONNX file weights, "
     "biases and tables in the inputs that operators have for them, and initializers of more than one number that are "
     "added to, multiplied with or joined with data beside a parameter. Not trained: Constant nodes, masks, and "
     "preprocessing of the input. summary --train lists them",
     .with = WITH_TRAIN},
    {"--samples", "N", set_count, AT(samples), GRADCHECK,
     "gradcheck: number of elements of each tensor that are varied (16)"},

    {NULL, NULL, NULL, 0, 0, "Running, verifying and timing"},
    {"--input", "NAME=FILE", push_pair, AT(inputs), RUN,
     "contents of an input: .pb, .npy, .pgm, .ppm, other endings: raw; without it random"},
    {"--output", "NAME=FILE", push_pair, AT(outputs), RUN | PREDICT,
     "file for an output, in the same formats; without it outputs are printed. predict: .npy or .csv, all examples"},
    {"--rtol", "X", set_number, AT(tol.rtol), VERIFY,
     "allowed error relative to each expected value (1e-3; without data, four units of f16 or bf16)"},
    {"--atol", "X", set_number, AT(tol.atol), VERIFY, "allowed absolute error (1e-5 of the largest expected value)"},
    {"--cc", "COMMAND", set_text, AT(run.cc), BUILDING, "the C compiler, with its options ($CC, else cc)"},
    {"--keep", "DIR", set_text, AT(keep), BUILDING, "leave the generated program in DIR"},
    {"--seconds", "N", set_count, AT(run.seconds), BUILDING, "time limit of each program that is run (600)"},
    {"--runs", "N", set_count, AT(run.runs), BENCH,
     "bench: number of runs (default: what fits into a second, at least 5)"},
    {"--json", NULL, set_true, AT(json), BENCH, "bench: print JSON, whose fields the manual lists"},
    {"--interpret", NULL, set_true, AT(run.interpret), VERIFY | RUN, "interpret the loop nests instead of compiling C"},

    {NULL, NULL, NULL, 0, 0, "Information"},
    {"--help", NULL, set_request, 0, ALL, "this page", .request = verb_help},
    {"--version", NULL, set_request, 0, ALL, "the version", .request = print_version},
    {"--list-ops", "[=md]", set_request, 0, ALL, "the operators, as text or Markdown", .request = print_ops},
    {"--list-layers", NULL, set_request, 0, ALL, "the layers of .nn text, their attributes, and the activations",
     .request = print_layers},
    {"--list-initialisers", NULL, set_request, 0, ALL, "the initial values that a parameter of .nn text can have",
     .request = print_initialisers},
    {"--list-losses", NULL, set_request, 0, ALL, "the losses", .request = print_losses},
    {"--list-metrics", NULL, set_request, 0, ALL, "what nncc train can tell besides the loss",
     .request = print_metrics},
    {"--list-optimizers", NULL, set_request, 0, ALL, "the optimizers, their settings and defaults",
     .request = print_optimizers},
    {"--list-rates", NULL, set_request, 0, ALL, "schedules of learning rates, and their settings",
     .request = print_rates},
    {"--list-targets", NULL, set_request, 0, ALL, "the targets that code is generated for", .request = print_targets},
    {"--list-passes", NULL, set_request, 0, ALL, "the passes over the graph, in the order they run",
     .request = print_passes},
    {"--list-rules", NULL, set_request, 0, ALL, "the rewrite rules of the pass simplify", .request = print_rules},
    {"--list-schedules", NULL, set_request, 0, ALL, "the schedules of loop nests for --target, in the order they run",
     .request = print_schedules},
    {"--list-behaviour", "[=md]", set_request, 0, ALL,
     "where runtimes give different results for valid models, and what nncc does, as text or Markdown",
     .request = print_behaviours},
    {"--check-ops", NULL, set_request, 0, ALL, "check the operator table", .request = print_faults},

    {"--prefer", "ram|flash|speed", check_word, .later = true},
    {"--math", "f32|tf32|bf16|f16", check_word, .later = true},
    {"--kernels", "source|ptx|cubin|fatbin", check_word, .later = true},
    {"--stream", NULL, check_nothing, .later = true},
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
    for (const Verb *v = verbs; v->name && !v->later; v++) {
        char head[80];
        snprintf(head, sizeof head, "nncc %s%s%s", v == verbs ? "" : v->name, v == verbs ? "" : " ", v->words);
        print_row(head, v->doc);
    }
    puts("\nMODEL is a file, or - for standard input. Its format is recognised by its contents.");
    for (const Flag *f = flags; f < flags + COUNT(flags); f++)
        if (!f->name)
            printf("\n%s\n", f->doc);
        else if (f->doc)
            print_flag(f);
    puts("\nExit status: 0 success; 1 an error in the input, or a failed verify; 2 an error in the command line;\n"
         "3 something in the model is not supported; 70 an internal error of nncc.");
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

static int not_yet(const char *name, FILE *err) {
    fprintf(err, "nncc: %s: not yet: the name is reserved for a later version\n", name);
    return EXIT_UNSUPPORTED;
}

/* Takes the option at args[*i] and, where it needs one, the value behind it. */
static int parse_flag(Command *c, int n, char **args, int *i, FILE *err) {
    const char *value, *wrong;
    const char *word = args[*i];
    const Flag *f = find_flag(word, &value);
    if (!f) return unknown_option(c, word, err);
    bool needed = f->arg && *f->arg != '[', empty = needed && value && !*value && f->name[1] == '-'; /* --name= */
    if (needed && !empty && (!value || !*value)) value = *i + 1 < n ? args[++*i] : NULL;
    if (!f->arg && value)
        wrong = "takes no value";
    else if (empty || (needed && !value))
        wrong = format(c->arena, "needs a value: %s", f->arg);
    else
        wrong = f->set(c, f, value);
    if (!wrong && f->later) return not_yet(f->name, err);
    if (!wrong) return push(c->arena, &c->given, (void *)(uintptr_t)f), EXIT_OK;
    fprintf(err, "nncc: %s", f->name);
    if (value) fprintf(err, " '%s'", escaped(c->arena, value, 60));
    fprintf(err, " %s\n", wrong);
    return EXIT_USAGE;
}

void command_new(Command *c) {
    const char *cc = getenv("CC");
    *c = (Command){.opt = {.level = 2},
                   .arena = arena_new(0, NULL, NULL),
                   .samples = 16,
                   .temperature = 1,
                   .run = {.seconds = 600}};
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
            fprintf(err, "nncc: %s is for %s; %s does not take it\n", name, users_of(c->arena, f), verb->name);
        else if (untrained)
            fprintf(err, "nncc: %s needs --train\n", name);
        else if (f->with == WITHOUT_TRAIN && c->opt.train)
            fprintf(err, "nncc: %s is for inference: it does not go with --train\n", name), useless = true;
        else if (not_nn)
            fprintf(err, "nncc: %s needs --emit=nn\n", name);
        fine = fine && !useless && !untrained && !not_nn;
    }
    return fine;
}

/* What the command line asks for and the verb cannot do, instead of leaving it out without a word. */
static int check_command(const Command *c, const Verb *verb, FILE *err) {
    const char *output = c->opt.output, *input = NULL;
    if (c->verb != verb->run) return EXIT_OK; /* a request such as --help */
    if (verb->on_cpu && c->opt.target->backend->device)
        return fprintf(err, "nncc: %s runs networks on the CPU; it does not take --target=%s\n", verb->name,
                       c->opt.target->name),
               EXIT_USAGE;
    if (c->words.n > 1 && !verb->more) {
        const char *extra = escaped(c->arena, c->words.at[1], 60);
        return fprintf(err, "nncc: %s takes one model; saw a second argument, '%s'\n", verb->name, extra), EXIT_USAGE;
    }
    if (!all_useful(c, verb, err)) return EXIT_USAGE;
    if (c->run.interpret && c->keep)
        return fputs("nncc: --keep needs a generated program; --interpret makes none\n", err), EXIT_USAGE;
    if (output && c->opt.input) input = overwritten_input(c, NULL, output);
    for (int i = 0; i < c->outputs.n && !input && c->opt.input; i++)
        input = overwritten_input(c, NULL, output = ((Rename *)c->outputs.at[i])->to);
    if (!input) return EXIT_OK;
    fprintf(err, "nncc: writing '%s' would overwrite '%s', which is an input\n", escaped(c->arena, output, 200),
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
    if (verb && verb->later) return not_yet(verb->name, err);
    if (verb) c->verb = verb->run;
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
