/* command_line.c - a command line against the rows of verbs and options. */
#include "cli/options.h"
#include "targets.h"
#include <unistd.h>

/* The row that an argument names, and where its value starts in the same argument (NULL: not there). */
static const Flag *find_flag(const char *word, const char **value) {
    size_t n = strcspn(word, "=");
    *value = word[n] ? word + n + 1 : NULL;
    for (const Flag *f = flags; f->name || f->doc; f++) {
        if (!f->name) continue;
        if (strlen(f->name) == n && !strncmp(f->name, word, n)) return f;
        if (f->name[1] != '-' && !strncmp(f->name, word, 2)) return *value = word + 2, f; /* -O2, -omodel.c */
    }
    return NULL;
}

static int unknown_option(Command *c, const char *word, FILE *err) {
    List names = {0};
    char *name = format(c->arena, "%.*s", (int)strcspn(word, "="), word);
    for (const Flag *f = flags; f->name || f->doc; f++)
        if (f->name) push(c->arena, &names, (void *)(uintptr_t)f->name);
    const char *hint = suggest(c->arena, name, names.n, (const char *const *)names.at);
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
    List names = {0};
    for (const Verb *v = verbs; v->name; v++) push(c->arena, &names, (void *)(uintptr_t)v->name);
    const char *hint = suggest(c->arena, word, names.n, (const char *const *)names.at);
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
