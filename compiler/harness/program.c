/* program.c - a network as a program: its C, a main() around it, the system's compiler; or its nests interpreted.
 *
 * Everything lies in one directory. main() is that of runtime/main, with a header for what differs between networks. */
#include "base/embedded.h"
#include "base/process.h"
#include "driver.h"
#include "harness/harness.h"
#include "interp/interp.h"
#include "io/io.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ir/target.h"
#include "passes/passes.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static const char log_file[] = "log.txt", prefix[] = "model";

/* A list of what inputs and outputs are for the main() of runtime/main. */
static void put_ports(Str *s, const char *name, int n, Value *const *v) {
    put(s, "#define NNCC_%s(X)", name);
    for (int i = 0; i < n; i++)
        if (v[i]->type.dtype != DT_str)
            put(s, " X(%s, %d, %lld)", v[i]->emit.cname, i, (long long)type_bytes(&v[i]->type));
    put_text(s, "\n");
}

static void put_string_inputs(Str *s, int n, Value *const *v) {
    bool any = false;
    put_text(s, "#define NNCC_STRINGS(X)");
    for (int i = 0; i < n; i++) any = any || v[i]->type.dtype == DT_str;
    for (int i = 0; i < n; i++)
        if (v[i]->type.dtype == DT_str)
            put(s, " X(%s, %d, %lld)", v[i]->emit.cname, i, (long long)type_count(&v[i]->type));
    put(s, "\n#define NNCC_TEXTS %d\n", any);
}

/* On a device there is one thread to wait for it. */
bool runs_in_pool(const Options *o) { return o->threads && !o->target->backend->device; }

/* program.h: what differs between the programs of networks. */
static void put_program(Str *s, const Module *m, bool weights, int runs) {
    const Graph *g = m->main;
    put_ports(s, "INPUTS", g->nin, g->in), put_ports(s, "OUTPUTS", g->nout, g->out);
    put_string_inputs(s, g->nin, g->in);
    put_text(s, "#define NNCC_BOUNDS(X)");
    for (int i = 0, word = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (!b->computed) put(s, " X(%s, %d)", b->cname, ++word);
    }
    put(s,
        "\n#define NNCC_TENSORS %d\n#define NNCC_FILE_OF_WEIGHTS %d\n#define NNCC_CALLERS_ARENA %d\n#define "
        "NNCC_DEVICE %d\n",
        g->nin + g->nout, weights, m->arena_bytes && !on_device(m), on_device(m));
    put(s, "#define NNCC_THREADS %d\n", runs_in_pool(m->opt) ? m->opt->threads : 0);
    put(s, "#define NNCC_CARRIES_STATE %d\n#define NNCC_TIMED %d\n#define NNCC_STEPS %d\n#define NNCC_RUNS %d\n",
        m->carried.n > 0, m->opt->timed, m->steps, runs);
}

void write_text(Module *m, const char *dir, const char *name, const char *text, size_t n) {
    const char *path = format(m->arena, "%s/%s", dir, name);
    if (n && !write_file(path, text, n))
        fatal(m, EXIT_INPUT, "cannot write '%s': %s", escaped(m->arena, path, 200), strerror(errno));
}

static void write_str(Module *m, const char *dir, const char *name, const Str *s) {
    write_text(m, dir, name, s->s, s->n);
}

static void take_facts(Program *p, const Module *m) {
    p->api = interface_of(p->arena, m);
    p->cost = 0, p->carries = m->carried.n > 0;
    for (int i = 0; i < m->kernel_list.n; i++)
        p->cost = saturating_add(p->cost, nest_cost(((Kernel *)m->kernel_list.at[i])->body));
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (b->computed) continue;
        DimBinding *copy = arena_copy(p->arena, b, sizeof *b);
        copy->name = arena_str(p->arena, b->name), copy->symbol = copy_symbol(p->arena, b->symbol);
        push(p->arena, &p->bounds, copy);
    }
}

/* Kernels have their functions' names once the C is there. */
static void take_steps(Program *p, const Module *m) {
    Map *seen = map_new(m->arena);
    p->nsteps = m->steps;
    p->bytes = saturating_add(ram_bytes(m), m->weights_bytes);
    for (int i = 0; i < m->kernel_list.n; i++) {
        const Kernel *k = m->kernel_list.at[i];
        TimedStep *s = NEW(p->arena, TimedStep);
        s->row = step_row(p->arena, k, seen), s->function = arena_str(p->arena, k->name);
        push(p->arena, &p->steps, s);
    }
}

void write_program_files(Module *m, Program *p, const Output *out, const char *main_c, const Str *facts) {
    const Target *t = m->target;
    write_str(m, p->dir, "model.c", &out->c);
    write_str(m, p->dir, "model.h", &out->h);
    write_str(m, p->dir, "model.weights", &out->weights);
    write_str(m, p->dir, "model.S", &out->object);
    write_text(m, p->dir, "main.c", main_c, strlen(main_c));
    write_str(m, p->dir, "program.h", facts);
    if (out->cu.n) write_str(m, p->dir, format(m->arena, "model%s", t->backend->ending), &out->cu);
    for (const EmbeddedFile *f = embedded_files; f->path && runs_in_pool(m->opt); f++)
        if (f->use & BESIDE_THREADS) write_text(m, p->dir, embedded_name(f), f->text, strlen(f->text));
    if (t->runner->write_runtime) t->runner->write_runtime(m, p->dir);
    p->object = out->object.n > 0, p->runner = t->runner;
}

static int write_program(Module *m, void *arg) {
    Program *p = arg;
    Output out = emit_all(m);
    Str text = {.arena = m->arena};
    put_program(&text, m, out.weights.n && !out.object.n, p->settings->runs);
    write_program_files(m, p, &out, embedded_run_main_c, &text);
    remove(format(m->arena, "%s/state", p->dir)); /* of another program, in a directory that is kept */
    take_facts(p, m);
    if (m->opt->timed) take_steps(p, m);
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

int process_failed(const Program *p, const char *what, ProcessResult r, FILE *err) {
    const char *how = r.end == P_SIGNALLED   ? format(p->arena, "was ended by signal %d", r.code)
                      : r.end == P_TIMED_OUT ? format(p->arena, "took longer than %d seconds", p->settings->seconds)
                      : r.end == P_NOT_FOUND ? "cannot be run"
                                             : format(p->arena, "failed with exit status %d", r.code);
    fprintf(err, "nncc: %s %s\n", escaped(p->arena, what, 80), how);
    show_log(p, err);
    return EXIT_BUG;
}

const char *const compiler_flags[] = {
    [FLAGS_PLAIN] = "-std=c11 -O2",
    [FLAGS_FAST] = "-std=gnu11 -O3 -march=native -ffp-contract=fast",
    [FLAGS_LAUNCHES] = "-std=c11 -O1",
    [FLAGS_EMULATED_KERNELS] = "-std=c++17 -O1 -ffp-contract=off -w -fPIC -DNNCC_EMU -I.",
    [FLAGS_EMULATOR] = "-std=c++17 -O2 -fPIC",
};

/* The words from the second on, as one text. */
static const char *joined(Arena *a, const List *words) {
    Str s = {.arena = a};
    put_text(&s, "");
    for (int i = 1; i < words->n; i++) put(&s, "%s%s", i > 1 ? " " : "", (const char *)words->at[i]);
    return s.s;
}

/* Options in the user's command come last and win. */
static int compile_program(Program *p, FILE *err) {
    static const char *const rest[] = {"-o", "program", "main.c", "model.c"};
    List words = {0}, argv = {0};
    split_words(p->arena, p->settings->cc, &words);
    if (!words.n) return fputs("nncc: --cc names no compiler\n", err), EXIT_USAGE;
    /* What these make is for this machine: other instruction sets would be compiled for nothing. */
    bool native = !strcmp(words.at[0], "cc") || !strcmp(words.at[0], "gcc") || !strcmp(words.at[0], "mpicc");
    const char *isa = native ? isa_here(p->opt.target) : NULL;
    push(p->arena, &argv, words.at[0]);
    split_words(p->arena, compiler_flags[p->fast ? FLAGS_FAST : FLAGS_PLAIN], &argv);
    split_words(p->arena, target_flags(p->arena, p->opt.target), &argv);
    if (isa) push(p->arena, &argv, format(p->arena, "-DNNCC_ISA=%s", isa));
    for (int i = 1; i < words.n; i++) push(p->arena, &argv, words.at[i]);
    p->compiler = words.at[0], p->flags = joined(p->arena, &argv);
    for (int i = 0; i < COUNT(rest); i++) push(p->arena, &argv, (void *)(uintptr_t)rest[i]);
    if (p->object) push(p->arena, &argv, (void *)(uintptr_t) "model.S");
    if (p->more) split_words(p->arena, p->more, &argv);
    if (runs_in_pool(&p->opt)) split_words(p->arena, "nncc_threads.c -pthread", &argv);
    push(p->arena, &argv, (void *)(uintptr_t) "-lm");
    push(p->arena, &argv, NULL);
    ProcessResult r = run_process((const char *const *)argv.at, p->dir, log_file, p->settings->seconds);
    p->seconds = r.seconds;
    if (r.end == P_NOT_FOUND)
        return fprintf(err, "nncc: the C compiler '%s' cannot be run; see --cc\n", escaped(p->arena, argv.at[0], 80)),
               EXIT_USAGE;
    return r.end == P_EXITED && !r.code ? EXIT_OK : process_failed(p, "the C compiler", r, err);
}

const Runner cpu_runner = {.build = compile_program};

int build_program(Program *p, FILE *err) { return p->runner->build(p, err); }

void run_words(const Program *p, List *argv) {
    if (p->runner->put_run_words) p->runner->put_run_words(p, argv);
}

const char *runs_where(const Program *p) { return p->runner && p->runner->where ? p->runner->where() : NULL; }

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

int program_new(Program *p, Arena *a, const RunSettings *settings, const Options *opt, const char *keep, FILE *err) {
    *p = (Program){.settings = settings, .opt = *opt, .arena = a, .interpret = settings->interpret, .kept = keep};
    p->opt.prefix = prefix, p->opt.output = NULL, p->fast = opt->timed;
    if (p->interpret) {
        fix_bounded_dims(p);
        int code = compile(&p->opt, err, keep_facts, p);
        p->opt.quiet = true; /* each run compiles anew */
        return code;
    }
    p->dir = working_dir(p->arena, keep);
    if (!p->dir) return fprintf(err, "nncc: no directory to work in: %s\n", strerror(errno)), EXIT_INPUT;
    int code = compile(&p->opt, err, write_program, p);
    if (!code) code = build_program(p, err);
    if (code) program_free(p);
    return code;
}

void program_free(Program *p) {
    if (p->dir && !p->kept) remove_dir(p->dir);
    p->dir = NULL;
}

/* ---- running ---- */

/* What was run on which inputs. */
typedef struct {
    const Program *p;
    Tensor *const *in;
} Call;

/* The extent of a name, from those of the inputs. */
static int64_t extent_in(const void *arg, const Symbol *name) {
    const Call *call = arg;
    for (int i = 0; i < call->p->api.nin; i++)
        for (int d = 0; d < call->in[i]->rank; d++) {
            Dim dim = call->p->api.in[i].type.dim[d];
            int64_t value = dim.symbol ? solve_symbol(dim.symbol, name, call->in[i]->dim[d]) : -1;
            if (value >= 0) return value;
        }
    return name->max;
}

/* Strings that lie one after the other in `bytes`; NULL if they do not. */
static Tensor *strings_from(Arena *a, const char *bytes, size_t n, const int32_t *begin, int rank, const int64_t *dim) {
    Tensor *t = strings_new(a, rank, dim, NULL);
    for (int64_t i = 0; i < t->count; i++) {
        bool empty = begin[i] == begin[t->count]; /* behind the last that the call gave */
        if (!empty && (begin[i] < 0 || (size_t)begin[i] >= n || !memchr(bytes + begin[i], 0, n - (size_t)begin[i])))
            return NULL;
        if (!empty) ((char **)tensor_data(t))[i] = arena_str(a, bytes + begin[i]);
    }
    return t;
}

static Tensor *read_strings(const Program *p, int i, const int64_t *dim, FILE *err) {
    const Port *port = &p->api.out[i];
    size_t n = 0, most = 0;
    const char *bytes = map_file(format(p->arena, "%s/out%d", p->dir, i), &n);
    const int32_t *begin = map_file(format(p->arena, "%s/out%d", p->dir, port->offset), &most);
    bool whole = bytes && begin && most >= sizeof *begin * ((size_t)type_count(&port->type) + 1);
    Tensor *out = whole ? strings_from(p->arena, bytes, n, begin, port->type.rank, dim) : NULL;
    if (bytes && n) munmap((void *)(uintptr_t)bytes, n);
    if (begin && most) munmap((void *)(uintptr_t)begin, most);
    if (!out) fprintf(err, "nncc: the program wrote no strings for output %d\n", i);
    return out;
}

/* Output i as the program wrote it. It is packed at the extents of the call. */
static Tensor *read_output(const Program *p, int i, Tensor *const *in, FILE *err) {
    const Type *t = &p->api.out[i].type;
    int64_t dim[MAX_RANK];
    size_t n = 0;
    for (int d = 0; d < t->rank; d++) dim[d] = dim_value(t->dim[d], extent_in, &(Call){p, in});
    if (t->dtype == DT_str) return read_strings(p, i, dim, err);
    const void *bytes = map_file(format(p->arena, "%s/out%d", p->dir, i), &n);
    if (!bytes || n != (size_t)packed_bytes(t->dtype, type_count(t)))
        return fprintf(err, "nncc: the program wrote no output %d\n", i), NULL;
    Tensor *out = tensor_new(p->arena, t->dtype, t->rank, dim);
    size_t size = (size_t)out->count * (size_t)dtypes[t->dtype].bytes;
    if (is_packed(t->dtype))
        unpack_elements(t->dtype, bytes, out->count, tensor_data(out));
    else if (size)
        memcpy(tensor_data(out), bytes, size);
    if (n) munmap((void *)(uintptr_t)bytes, n);
    return out;
}

static const void *contents_in_file(Arena *a, const Tensor *t, size_t *n) {
    Str s = {.arena = a};
    *n = (size_t)packed_bytes(t->dtype, t->count);
    if (t->dtype != DT_str) return packed_contents(a, t);
    for (int64_t i = 0; i < t->count; i++) put_bytes(&s, get_s(t, i), strlen(get_s(t, i)) + 1);
    *n = s.n;
    return s.s;
}

static bool write_inputs(const Program *p, Tensor *const *in, FILE *err) {
    for (int i = 0; i < p->api.nin; i++) {
        const char *path = format(p->arena, "%s/in%d", p->dir, i);
        size_t n;
        const void *contents = contents_in_file(p->arena, in[i], &n);
        if (!write_file(path, n ? contents : "", n))
            return fprintf(err, "nncc: cannot write '%s': %s\n", escaped(p->arena, path, 200), strerror(errno)), false;
    }
    return true;
}

/* Runs the program; its results are files. */
static int run_files(const Program *p, Tensor *const *in, FILE *err) {
    List argv = {0};
    run_words(p, &argv);
    push(p->arena, &argv, (void *)(uintptr_t) "./program");
    for (int i = 0; i < p->bounds.n; i++)
        push(p->arena, &argv,
             format(p->arena, "%lld", (long long)extent_in(&(Call){p, in}, ((DimBinding *)p->bounds.at[i])->symbol)));
    push(p->arena, &argv, NULL);
    if (!write_inputs(p, in, err)) return EXIT_INPUT;
    ProcessResult r = run_process((const char *const *)argv.at, p->dir, log_file, p->settings->seconds);
    return r.end == P_EXITED && !r.code ? EXIT_OK : process_failed(p, "the generated program", r, err);
}

/* Cuts off what lies behind the extents that the call gave: contents are packed. */
static void cut_outputs(const Program *p, Tensor **out) {
    for (int i = 0; i < p->api.nout; i++) {
        const Port *port = &p->api.out[i];
        int64_t dim[MAX_RANK];
        if (port->extent < 0) continue;
        memcpy(dim, out[i]->dim, sizeof dim);
        for (int d = 0, k = 0; d < out[i]->rank; d++) {
            if (!(port->axes >> d & 1)) continue;
            int64_t count = get_i(out[port->extent], k++);
            if (count >= 0 && count < dim[d]) dim[d] = count;
        }
        out[i] = tensor_of(p->arena, out[i]->dtype, out[i]->rank, dim, out[i]->data);
    }
}

static int run_compiled(const Program *p, Tensor *const *in, Tensor **out, FILE *err) {
    int code = run_files(p, in, err);
    if (code) return code;
    for (int i = 0; i < p->api.nout; i++)
        if (!(out[i] = read_output(p, i, in, err))) return EXIT_BUG;
    cut_outputs(p, out);
    return EXIT_OK;
}

typedef struct {
    Program *p;
    Tensor *const *in;
    Tensor **out;
} Interpretation;

static Tensor *keep_tensor(Arena *a, const Tensor *t) {
    if (t->dtype == DT_str) return strings_new(a, t->rank, t->dim, t->data);
    Tensor *kept = tensor_new(a, t->dtype, t->rank, t->dim);
    size_t n = (size_t)t->count * (size_t)dtypes[t->dtype].bytes;
    if (n) memcpy(tensor_data(kept), t->data, n);
    return kept;
}

static void reset_state(Program *p, const Module *m) {
    p->state = NEW_ARRAY(p->arena, Tensor *, m->carried.n + 1);
    for (int i = 0; i < m->carried.n; i++) p->state[i] = keep_tensor(p->arena, ((const Value *)m->carried.at[i])->data);
}

/* As the caller of a network has it: in bytes where elements are packed. */
static Tensor *in_bytes(Arena *a, Tensor *t) {
    int64_t n = packed_bytes(t->dtype, t->count);
    return is_packed(t->dtype) ? tensor_of(a, DT_u8, 1, &n, packed_contents(a, t)) : t;
}

static Tensor *of_elements(Arena *a, const Tensor *t, const Type *elements) {
    int64_t dim[MAX_RANK];
    for (int i = 0; i < elements->rank; i++) dim[i] = elements->dim[i].max;
    Tensor *of = tensor_new(a, elements->dtype, elements->rank, dim);
    unpack_elements(of->dtype, t->data, of->count, tensor_data(of));
    return of;
}

static Tensor *strings_of_output(Arena *a, Tensor *const *out, int i, int offset, const Type *strings) {
    int64_t dim[MAX_RANK];
    for (int d = 0; d < strings->rank; d++) dim[d] = strings->dim[d].max;
    Tensor *t = strings_from(a, out[i]->data, (size_t)out[i]->count, out[offset]->data, strings->rank, dim);
    ASSERT(t);
    return t;
}

static int interpret_here(Module *m, void *arg) {
    Interpretation *r = arg;
    Tensor **out = NEW_ARRAY(m->arena, Tensor *, m->main->nout), **in = NEW_ARRAY(m->arena, Tensor *, m->main->nin);
    if (!r->p->state) reset_state(r->p, m);
    for (int i = 0; i < m->main->nin; i++) in[i] = in_bytes(m->arena, r->in[i]);
    interpret_module(m, in, out, r->p->state);
    for (int i = 0; i < m->main->nout; i++) {
        const Type *elements = m->main->out[i]->packed;
        bool text = elements && elements->dtype == DT_str;
        r->out[i] = text       ? strings_of_output(r->p->arena, out, i, offset_output(m, i), elements)
                    : elements ? of_elements(r->p->arena, out[i], elements)
                               : keep_tensor(r->p->arena, out[i]);
    }
    cut_outputs(r->p, r->out);
    return EXIT_OK;
}

/* The tensors that a set gives the program, in order; NULL after a message. */
static Tensor **inputs_from(Program *p, const DataSet *s, FILE *err) {
    Tensor **in = NEW_ARRAY(p->arena, Tensor *, p->api.nin);
    for (int i = 0; i < p->api.nin; i++) {
        char error[IO_ERROR];
        if (!(in[i] = input_for(p->arena, s, &p->api.in[i], error))) return fprintf(err, "nncc: %s\n", error), NULL;
    }
    return in;
}

int program_run(Program *p, const DataSet *s, Tensor **out, FILE *err) {
    Tensor **in = inputs_from(p, s, err);
    if (!in) return EXIT_INPUT;
    if (p->interpret) return compile(&p->opt, err, interpret_here, &(Interpretation){p, in, out});
    return run_compiled(p, in, out, err);
}

int program_time(Program *p, const DataSet *s, const double **times, int *runs, FILE *err) {
    Tensor **in = inputs_from(p, s, err);
    size_t n = 0, row = sizeof(double) * (size_t)p->nsteps;
    int code = in ? run_files(p, in, err) : EXIT_INPUT;
    *runs = 0;
    if (code || !row) return code;
    const void *bytes = map_file(format(p->arena, "%s/times", p->dir), &n);
    *runs = (int)(n / row);
    if (!bytes || !*runs) return fputs("nncc: the program took no times\n", err), EXIT_BUG;
    *times = arena_copy(p->arena, bytes, n);
    munmap((void *)(uintptr_t)bytes, n);
    return EXIT_OK;
}
