/* cmd_compile.c - nncc MODEL -o model.c, and --emit. */
#include "command.h"
#include "train.h"
#include <errno.h>

/* The name of a path's file, without folders and ending. */
static char *stem_of(Arena *a, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return format(a, "%.*s", dot && dot > name ? (int)(dot - name) : (int)strlen(name), name);
}

/* The C includes PREFIX.h and names PREFIX.weights: under these names they lie beside it. */
static char *beside(const Command *c, const char *ending) {
    const char *slash = strrchr(c->opt.output, '/');
    return format(c->arena, "%.*s%s%s", slash ? (int)(slash + 1 - c->opt.output) : 0, c->opt.output, c->opt.prefix,
                  ending);
}

static bool to_stdout(const Command *c) { return !c->opt.output || !strcmp(c->opt.output, "-"); }

static void save(Command *c, Module *m, const char *path, const Str *text) {
    const char *bytes = text->s ? text->s : "";
    bool ok = to_stdout(c) ? fwrite(bytes, 1, text->n, stdout) == text->n && !fflush(stdout)
                           : write_file(path, bytes, text->n);
    if (!ok)
        fatal(m, EXIT_INPUT, "cannot write '%s': %s", to_stdout(c) ? "standard output" : escaped(m->arena, path, 200),
              strerror(errno));
}

static void emit_nn(Module *m, Command *c) {
    Str text = {.arena = m->arena}, weights = {.arena = m->arena};
    bool sidecar = !to_stdout(c) && !c->opt.inline_data;
    print_module(m, &text, sidecar ? &weights : NULL);
    save(c, m, c->opt.output, &text);
    if (weights.n) save(c, m, format(m->arena, "%s.weights", c->opt.output), &weights);
}

static void emit_source(Module *m, Command *c) {
    Output out = emit_all(m);
    save(c, m, c->opt.output, &out.c);
}

static void emit_header(Module *m, Command *c) {
    Output out = emit_all(m);
    save(c, m, c->opt.output, &out.h);
}

static void emit_kernels(Module *m, Command *c) {
    Output out = emit_all(m);
    save(c, m, c->opt.output, &out.cu);
}

static void emit_drawing(Module *m, Command *c) {
    Str text = {.arena = m->arena};
    emit_dot(m, &text);
    save(c, m, c->opt.output, &text);
}

static void emit_model(Module *m, Command *c) {
    Str bytes = {.arena = m->arena};
    export_onnx(m, &bytes);
    save(c, m, c->opt.output, &bytes);
}

static const struct {
    const char *name;
    void (*emit)(Module *, Command *);
} stages[] = {
    {"nn", emit_nn},        {"c", emit_source},    {"h", emit_header},
    {"cuda", emit_kernels}, {"dot", emit_drawing}, {"onnx", emit_model},
};

/* Writes the header before the C that includes it, and the weights before both: a build that watches the C finds all.
 */
static void emit_files(Module *m, Command *c) {
    Output out = emit_all(m);
    const char *path = c->opt.output;
    if (out.weights.n) save(c, m, beside(c, ".weights"), &out.weights);
    if (out.object.n) save(c, m, beside(c, ".S"), &out.object);
    save(c, m, beside(c, ".h"), &out.h);
    if (out.cu.n) save(c, m, beside(c, ".c"), &out.c);
    save(c, m, path, out.cu.n ? &out.cu : &out.c);
}

static int emit_requested(Module *m, void *arg) {
    Command *c = arg;
    for (int i = 0; i < COUNT(stages); i++)
        if (c->opt.emit && !strcmp(stages[i].name, c->opt.emit)) return stages[i].emit(m, c), EXIT_OK;
    emit_files(m, c);
    return EXIT_OK;
}

/* The functions of a program that trains. --emit=nn prints the one that --entry names. */
static int emit_trained(Module **m, int n, void *arg) {
    Command *c = arg;
    Output out;
    if (c->opt.emit && !strcmp(c->opt.emit, "nn")) return emit_nn(m[0], c), EXIT_OK;
    emit_training(m, n, &out);
    if (c->opt.emit && !strcmp(c->opt.emit, "cuda")) return save(c, m[0], c->opt.output, &out.cu), EXIT_OK;
    bool one = c->opt.emit && (!strcmp(c->opt.emit, "c") || !strcmp(c->opt.emit, "h"));
    if (one) return save(c, m[0], c->opt.output, *c->opt.emit == 'c' ? &out.c : &out.h), EXIT_OK;
    if (c->opt.emit) fatal(m[0], EXIT_USAGE, "--emit=%s is not for --train: nn, c, h or cuda", c->opt.emit);
    save(c, m[0], beside(c, ".h"), &out.h);
    if (out.cu.n) save(c, m[0], beside(c, ".c"), &out.c);
    save(c, m[0], c->opt.output, out.cu.n ? &out.cu : &out.c);
    return EXIT_OK;
}

/* The prefix of exported names, from the name of the file written or read. */
static const char *default_prefix(Command *c) {
    return make_prefix(c->arena, stem_of(c->arena, to_stdout(c) ? c->opt.input : c->opt.output));
}

/* Tells of a command line that asks for nothing that can be done; NULL if it is fine. */
static const char *misused(const Command *c) {
    const char *o = c->opt.output;
    size_t n = o ? strlen(o) : 0;
    if (c->words.n > 1) return "one model at a time, please";
    if (!c->opt.emit && !o) return "where to? Give -o model.c, or --emit=c for standard output";
    if (!c->opt.emit && n > 2 && !strcmp(o + n - 2, ".h"))
        return "-o names the C file, model.c; its header is written beside it";
    return NULL;
}

int verb_compile(Command *c) {
    const char *wrong = c->explain ? NULL : misused(c);
    if (wrong) return fprintf(stderr, "nncc: %s\n", wrong), EXIT_USAGE;
    if (c->explain) return explain(c);
    if (!c->opt.emit && to_stdout(c)) c->opt.emit = "c";
    if (!c->opt.prefix) c->opt.prefix = default_prefix(c);
    if (c->opt.train) return compile_training(c, emit_trained);
    return compile(&c->opt, stderr, emit_requested, c);
}
