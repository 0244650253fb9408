/* program.c - a network as a program: its C, a main() around it, the system's compiler; or its nests interpreted.
 *
 * Everything lies in one directory. main() reads in0, in1 … and writes out0, out1 …, raw bytes in the order of the
 * network's inputs and outputs; its arguments are the extents of bounded dims. */
#include "io.h"
#include "process.h"
#include "verify.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static const char log_file[] = "log.txt", prefix[] = "model";

static const char includes[] = "#define _POSIX_C_SOURCE 200809L\n"
                               "#include \"model.h\"\n"
                               "#include <stdio.h>\n"
                               "#include <stdlib.h>\n"
                               "#include <string.h>\n"
                               "\n";

static const char helpers[] =
    "/* Memory that shows what is read before it is written: as floats these bytes are NaN. */\n"
    "static void *memory(size_t bytes) {\n"
    "    void *p;\n"
    "    if (posix_memalign(&p, 64, bytes ? bytes : 1)) { fputs(\"out of memory\\n\", stderr); exit(90); }\n"
    "    return all[taken++] = memset(p, 0xff, bytes ? bytes : 1);\n"
    "}\n"
    "\n"
    "/* A file's bytes in memory of its own; a run with a small extent brings fewer than there is room for. */\n"
    "static void *load(const char *path, size_t bytes) {\n"
    "    void *p = memory(bytes);\n"
    "    FILE *f = fopen(path, \"rb\");\n"
    "    if (!f || (bytes && !fread(p, 1, bytes, f) && ferror(f))) { perror(path); exit(91); }\n"
    "    fclose(f);\n"
    "    return p;\n"
    "}\n"
    "\n"
    "static void save(const char *path, const void *p, size_t bytes) {\n"
    "    FILE *f = fopen(path, \"wb\");\n"
    "    if (!f || fwrite(p, 1, bytes, f) != bytes || fclose(f)) { perror(path); exit(92); }\n"
    "}\n"
    "\n";

static void put_main(Str *s, const Module *m, bool weights) {
    const Graph *g = m->main;
    put_text(s, includes);
    put(s, "static void *all[%d];\nstatic int taken;\n\n", g->nin + g->nout + 2);
    put_text(s, helpers);
    put_text(s, "int main(int argc, char **argv) {\n    model_net net;\n    memset(&net, 0, sizeof net);\n    "
                "(void)argc, (void)argv;\n");
    for (int i = 0; i < g->nin; i++)
        put(s, "    net.%s = load(\"in%d\", %lld);\n", g->in[i]->cname, i, (long long)type_bytes(&g->in[i]->type));
    for (int i = 0; i < g->nout; i++)
        put(s, "    net.%s = memory(%lld);\n", g->out[i]->cname, (long long)type_bytes(&g->out[i]->type));
    for (int i = 0; i < m->bounds.n; i++)
        put(s, "    net.%s = atoi(argv[%d]);\n", ((DimBinding *)m->bounds.at[i])->cname, i + 1);
    if (weights) put_text(s, "    net.weights = load(\"model.weights\", MODEL_WEIGHTS_BYTES);\n");
    if (m->arena_bytes) put_text(s, "    net.arena = memory(MODEL_ARENA_BYTES);\n");
    put_text(s, "    int code = model_open(&net);\n    if (!code) code = model_run(&net);\n");
    put_text(s, "    if (code) return fprintf(stderr, \"the network returned %d\\n\", code), code;\n");
    for (int i = 0; i < g->nout; i++)
        put(s, "    save(\"out%d\", net.%s, %lld);\n", i, g->out[i]->cname, (long long)type_bytes(&g->out[i]->type));
    put_text(s, "    while (taken) free(all[--taken]);\n    return 0;\n}\n");
}

static void write_text(Module *m, const char *dir, const char *name, const Str *text) {
    const char *path = format(m->arena, "%s/%s", dir, name);
    if (text->n && !write_file(path, text->s, text->n))
        fatal(m, EXIT_INPUT, "cannot write '%s': %s", escaped(m->arena, path, 200), strerror(errno));
}

static void take_facts(Program *p, const Module *m) {
    p->api = interface_of(p->arena, m);
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        DimBinding *copy = arena_copy(p->arena, b, sizeof *b);
        copy->name = arena_str(p->arena, b->name);
        push(p->arena, &p->bounds, copy);
    }
}

static int write_program(Module *m, void *arg) {
    Program *p = arg;
    Output out = emit_all(m);
    Str text = {.arena = m->arena};
    put_main(&text, m, out.weights.n && !out.object.n);
    write_text(m, p->dir, "model.c", &out.c);
    write_text(m, p->dir, "model.h", &out.h);
    write_text(m, p->dir, "model.weights", &out.weights);
    write_text(m, p->dir, "model.S", &out.object);
    write_text(m, p->dir, "main.c", &text);
    p->object = out.object.n > 0;
    take_facts(p, m);
    return EXIT_OK;
}

static int keep_facts(Module *m, void *arg) {
    take_facts(arg, m);
    return EXIT_OK;
}

/* What a child said, cut to its first lines. */
static void show_log(const Program *p, FILE *err) {
    enum { LINES = 12, WIDTH = 200 };
    char line[WIDTH];
    FILE *f = fopen(format(p->arena, "%s/%s", p->dir, log_file), "r");
    for (int i = 0; f && i < LINES && fgets(line, sizeof line, f); i++) {
        line[strcspn(line, "\n")] = 0;
        fprintf(err, "  %s\n", escaped(p->arena, line, WIDTH));
    }
    if (f) fclose(f);
}

static int process_failed(const Program *p, const char *what, ProcessResult r, FILE *err) {
    const char *how = r.end == P_SIGNALLED   ? format(p->arena, "was ended by signal %d", r.code)
                      : r.end == P_TIMED_OUT ? format(p->arena, "took longer than %d seconds", p->c->seconds)
                      : r.end == P_NOT_FOUND ? "cannot be run"
                                             : format(p->arena, "failed with exit status %d", r.code);
    fprintf(err, "nncc: %s %s\n", escaped(p->arena, what, 80), how);
    show_log(p, err);
    return EXIT_BUG;
}

/* cc -std=c11 -O2 …: options in the user's command come last and win. */
static int compile_program(Program *p, FILE *err) {
    static const char *const ours[] = {"-std=c11", "-O2"}, *const rest[] = {"-o", "program", "main.c", "model.c"};
    List words = {0}, argv = {0};
    split_words(p->arena, p->c->cc, &words);
    if (!words.n) return fputs("nncc: --cc names no compiler\n", err), EXIT_USAGE;
    push(p->arena, &argv, words.at[0]);
    for (int i = 0; i < COUNT(ours); i++) push(p->arena, &argv, (void *)(uintptr_t)ours[i]);
    for (int i = 1; i < words.n; i++) push(p->arena, &argv, words.at[i]);
    for (int i = 0; i < COUNT(rest); i++) push(p->arena, &argv, (void *)(uintptr_t)rest[i]);
    if (p->object) push(p->arena, &argv, (void *)(uintptr_t) "model.S");
    push(p->arena, &argv, (void *)(uintptr_t) "-lm");
    push(p->arena, &argv, NULL);
    ProcessResult r = run_process((const char *const *)argv.at, p->dir, log_file, p->c->seconds);
    p->seconds = r.seconds;
    if (r.end == P_NOT_FOUND)
        return fprintf(err, "nncc: the C compiler '%s' cannot be run; see --cc\n", escaped(p->arena, argv.at[0], 80)),
               EXIT_USAGE;
    return r.end == P_EXITED && !r.code ? EXIT_OK : process_failed(p, "the C compiler", r, err);
}

/* The interpreter knows no extents of a run: bounded dims get their largest. */
static void fix_bounded_dims(Program *p) {
    List fixed = {0};
    for (int i = 0; i < p->opt.dims.n; i++) {
        DimBinding *d = arena_copy(p->arena, p->opt.dims.at[i], sizeof *d);
        d->min = d->max;
        push(p->arena, &fixed, d);
    }
    p->opt.dims = fixed;
}

int program_new(Program *p, Command *c, const Options *opt, const char *keep, FILE *err) {
    *p = (Program){.c = c, .opt = *opt, .arena = c->arena, .interpret = c->interpret, .kept = keep};
    p->opt.prefix = prefix, p->opt.output = NULL;
    if (p->interpret) {
        fix_bounded_dims(p);
        return compile(&p->opt, err, keep_facts, p);
    }
    p->dir = working_dir(p->arena, keep);
    if (!p->dir) return fprintf(err, "nncc: no directory to work in: %s\n", strerror(errno)), EXIT_INPUT;
    int code = compile(&p->opt, err, write_program, p);
    if (!code) code = compile_program(p, err);
    if (code) program_free(p);
    return code;
}

void program_free(Program *p) {
    if (p->dir && !p->kept) remove_dir(p->dir);
    p->dir = NULL;
}

/* ---- running ---- */

/* The run-time value of a symbol, from the extents of the inputs. */
static int64_t symbol_value(const Program *p, Tensor *const *in, const DimBinding *b) {
    for (int i = 0; i < p->api.nin; i++)
        for (int d = 0; d < in[i]->rank; d++) {
            Dim dim = p->api.in[i].type.dim[d];
            if (dim.symbol && !strcmp(dim.symbol, b->name)) return in[i]->dim[d] * b->max / (dim.max ? dim.max : 1);
        }
    return b->max;
}

static int64_t extent_of(const Program *p, Tensor *const *in, Dim d) {
    for (int i = 0; i < p->bounds.n; i++) {
        const DimBinding *b = p->bounds.at[i];
        if (d.symbol && !strcmp(d.symbol, b->name)) return d.max * symbol_value(p, in, b) / b->max;
    }
    return d.max;
}

/* Output i as the program wrote it. A bounded dim is the outermost one: its extent cuts off the end. */
static Tensor *read_output(const Program *p, int i, Tensor *const *in, FILE *err) {
    const Type *t = &p->api.out[i].type;
    int64_t dim[MAX_RANK];
    size_t n = 0;
    for (int d = 0; d < t->rank; d++) dim[d] = extent_of(p, in, t->dim[d]);
    const void *bytes = map_file(format(p->arena, "%s/out%d", p->dir, i), &n);
    if (!bytes || n != (size_t)type_bytes(t)) return fprintf(err, "nncc: the program wrote no output %d\n", i), NULL;
    Tensor *out = tensor_new(p->arena, t->dtype, t->rank, dim);
    size_t size = (size_t)out->count * (size_t)dtypes[t->dtype].bytes;
    if (size) memcpy(tensor_data(out), bytes, size);
    if (n) munmap((void *)(uintptr_t)bytes, n);
    return out;
}

static bool write_inputs(const Program *p, Tensor *const *in, FILE *err) {
    for (int i = 0; i < p->api.nin; i++) {
        const char *path = format(p->arena, "%s/in%d", p->dir, i);
        size_t n = (size_t)in[i]->count * (size_t)dtypes[in[i]->dtype].bytes;
        if (!write_file(path, n ? in[i]->data : "", n))
            return fprintf(err, "nncc: cannot write '%s': %s\n", escaped(p->arena, path, 200), strerror(errno)), false;
    }
    return true;
}

static int run_compiled(const Program *p, Tensor *const *in, Tensor **out, FILE *err) {
    List argv = {0};
    push(p->arena, &argv, (void *)(uintptr_t) "./program");
    for (int i = 0; i < p->bounds.n; i++)
        push(p->arena, &argv, format(p->arena, "%lld", (long long)symbol_value(p, in, p->bounds.at[i])));
    push(p->arena, &argv, NULL);
    if (!write_inputs(p, in, err)) return EXIT_INPUT;
    ProcessResult r = run_process((const char *const *)argv.at, p->dir, log_file, p->c->seconds);
    if (r.end != P_EXITED || r.code) return process_failed(p, "the generated program", r, err);
    for (int i = 0; i < p->api.nout; i++)
        if (!(out[i] = read_output(p, i, in, err))) return EXIT_BUG;
    return EXIT_OK;
}

typedef struct {
    const Program *p;
    Tensor *const *in;
    Tensor **out;
} Interpretation;

static int interpret_here(Module *m, void *arg) {
    Interpretation *r = arg;
    Tensor **out = NEW_ARRAY(m->arena, Tensor *, m->main->nout);
    interpret_module(m, r->in, out);
    for (int i = 0; i < m->main->nout; i++) {
        r->out[i] = tensor_new(r->p->arena, out[i]->dtype, out[i]->rank, out[i]->dim);
        size_t n = (size_t)out[i]->count * (size_t)dtypes[out[i]->dtype].bytes;
        if (n) memcpy(tensor_data(r->out[i]), out[i]->data, n);
    }
    return EXIT_OK;
}

int program_run(Program *p, const DataSet *s, Tensor **out, FILE *err) {
    Tensor **in = NEW_ARRAY(p->arena, Tensor *, p->api.nin);
    for (int i = 0; i < p->api.nin; i++) {
        char error[IO_ERROR];
        if (!(in[i] = input_for(p->arena, s, &p->api.in[i], error)))
            return fprintf(err, "nncc: %s\n", error), EXIT_INPUT;
    }
    if (p->interpret) return compile(&p->opt, err, interpret_here, &(Interpretation){p, in, out});
    return run_compiled(p, in, out, err);
}
