/* driver.c - one compilation: a model read by its contents, the passes, and what the caller wants done with the result.
 */
#include "driver.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/open_dims.h"
#include "ir/part.h"
#include "ir/target.h"
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "text/text.h"
#include "train/data_line.h"
#include "train/head.h"
#include "train/train.h"
#include <errno.h>
#include <sys/mman.h>

enum { SNIFFED = 256 };
/* What a compilation may take by default: so much, more for a model of many nodes, and a multiple of the file. */
static const size_t least_memory = (size_t)256 << 20, most_extra = (size_t)1 << 30;

/* A model's bytes: mapped, or read from standard input. */
typedef struct {
    const void *bytes;
    size_t n;
    bool mapped;
} Source;

/* Everything on standard input; NULL bytes if it cannot be had. */
static Source read_stdin(void) {
    size_t n = 0, cap = 1 << 16, k;
    char *p = malloc(cap);
    while (p && (k = fread(p + n, 1, cap - n, stdin)) > 0) {
        n += k;
        if (n < cap) continue;
        char *more = realloc(p, cap *= 2);
        if (!more) free(p);
        p = more;
    }
    return (Source){p, n, false};
}

static Source open_source(const char *path) {
    Source s = {.mapped = true};
    errno = 0;
    if (!strcmp(path, "-")) return read_stdin();
    s.bytes = map_file(path, &s.n);
    return s;
}

static void close_source(Source s) {
    if (!s.mapped)
        free((void *)(uintptr_t)s.bytes);
    else if (s.bytes && s.n)
        munmap((void *)(uintptr_t)s.bytes, s.n);
}

/* Text begins with a letter or a comment and holds no control characters early on; no ONNX file does both, since the
 * tags and lengths of its first fields are such characters. */
static bool is_text(const char *s, size_t n) {
    size_t i = 0, end = n < SNIFFED ? n : SNIFFED;
    while (i < end && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r')) i++;
    if (i == end || !((s[i] >= 'a' && s[i] <= 'z') || s[i] == '/')) return false;
    for (i = 0; i < end; i++)
        if ((unsigned char)s[i] < 32 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r') return false;
    return true;
}

const char *source_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return !strcmp(path, "-") ? "stdin" : slash ? slash + 1 : path;
}

static void load_source(Module *m, const char *path, Source s) {
    m->source = arena_str(m->arena, source_name(path));
    if (s.mapped) m->file = s.bytes, m->file_bytes = s.n;
    sha256_hex(s.bytes, s.n, m->sha);
    if (!is_text(s.bytes, s.n)) {
        import_onnx(m, path, s.bytes, s.n);
    } else {
        char *text = arena_alloc(m->arena, s.n + 1);
        memcpy(text, s.bytes, s.n);
        parse_text(m, path, text, s.n);
        if (m->opt->outputs.n) select_outputs(m);
    }
    if (!m->opt->open_dims) stop_on_problems(m);
    if (m->opt->heads.n) resize_heads(m);
    if (m->opt->normalise) normalise_inputs(m);
}

int load_model(Module *m, const char *path) {
    Source s = open_source(path);
    if (!s.bytes) fatal(m, EXIT_INPUT, "cannot read '%s': %s", escaped(m->arena, path, 200), strerror(errno));
    load_source(m, path, s);
    return EXIT_OK;
}

static size_t memory_limit(const Options *opt, size_t file) {
    if (opt->max_bytes) return (size_t)opt->max_bytes;
    size_t enough = least_memory + (file < most_extra / 512 ? 512 * file : most_extra);
    return file > enough / 12 ? 12 * file : enough;
}

static const char *suggest_input(Module *m, const char *name) {
    const char **names = NEW_ARRAY(m->arena, const char *, m->main->nin);
    for (int i = 0; i < m->main->nin; i++) names[i] = m->main->in[i]->name;
    return suggest(m->arena, name, m->main->nin, names);
}

static const char *suggest_dim(Module *m, const char *name) {
    enum { MOST = 1000 };
    const char *const *names = NULL;
    int n = m->dims ? map_keys(m->dims, m->arena, MOST, &names) : 0;
    return n ? choices(m->arena, name, "open are", n, names) : "";
}

/* An option for a name that the model does not have is a slip of the pen: better told than ignored. */
static void check_all_used(Module *m) {
    const Options *o = m->opt;
    check_places(m);
    for (int i = 0; i < o->dims.n; i++) {
        const DimBinding *d = o->dims.at[i];
        if (!d->used && strcmp(d->name, ANY_DIM))
            problem_at(m, EXIT_INPUT, (Loc){0}, NULL, "--dim: the model leaves no dim '%s' open%s",
                       escaped(m->arena, d->name, 60), suggest_dim(m, d->name));
    }
    for (int i = 0; i < o->consts.n; i++) {
        const Rename *r = o->consts.at[i];
        if (!r->used)
            problem_at(m, EXIT_INPUT, (Loc){0}, NULL, "--const: the model has no input '%s'%s",
                       escaped(m->arena, r->from, 60), suggest_input(m, r->from));
    }
    for (int i = 0; i < o->bounds.n; i++) {
        const Rename *r = o->bounds.at[i];
        if (!r->used && !map_get(m->names, r->from))
            problem_at(m, EXIT_INPUT, (Loc){0}, NULL, "--bound: the model has no value '%s'%s",
                       escaped(m->arena, r->from, 60), suggest_input(m, r->from));
    }
    for (int i = 0; i < o->initializer_inputs.n; i++)
        if (!map_get(m->overridable, o->initializer_inputs.at[i]))
            problem_at(m, EXIT_INPUT, (Loc){0}, NULL,
                       "--input-initializers: no initializer that is an input is called '%s'",
                       escaped(m->arena, o->initializer_inputs.at[i], 60));
    stop_on_problems(m);
}

/* What happens inside one module; `passes` false stops behind the front end. */
typedef struct {
    bool passes;
    int (*then)(Module *, void *);
    void *arg;
} Work;

static int translate(Module *m, Source s, Work work) {
    load_source(m, m->opt->input, s);
    if (m->external_bytes) arena_limit(m->arena, memory_limit(m->opt, s.n + m->external_bytes));
    if (work.passes) {
        check_all_used(m);
        run_passes(m);
        stop_on_problems(m);
        if (m->too_large) return EXIT_OK; /* it is compiled again */
    }
    return work.then(m, work.arg);
}

static int cannot_read(const Options *opt, FILE *err) {
    Arena *a = arena_new(0, NULL, NULL);
    fprintf(err, "nncc: cannot read '%s': %s\n", escaped(a, opt->input, 200), strerror(errno));
    arena_free(a);
    return EXIT_INPUT;
}

/* Does the work; a fatal error in it comes back as its exit code. */
static int guarded(jmp_buf *escape, int (*work)(void *), void *arg) {
    switch (setjmp(*escape)) { /* C allows setjmp in few places; an assignment is not one of them */
    case 0: return work(arg);
    case EXIT_UNSUPPORTED: return EXIT_UNSUPPORTED;
    case EXIT_USAGE: return EXIT_USAGE;
    case EXIT_BUG: return EXIT_BUG;
    default: return EXIT_INPUT;
    }
}

typedef struct {
    Module *m;
    Source s;
    Work work;
} Job;

static int do_job(void *arg) {
    Job *job = arg;
    return translate(job->m, job->s, job->work);
}

Module *new_module(Options *opt, FILE *err, jmp_buf *escape, size_t limit) {
    Module *m = module_new(opt, err, escape, limit);
    m->fold = fold_node;
    return m;
}

/* A module of a source with its work done; where it takes too much memory, recurrent layers are divided until it fits.
 * `later`: another of the same source has printed the warnings. */
static Module *in_new_module(Options *opt, FILE *err, jmp_buf *escape, const Entry *entry, bool later, Source s,
                             Work work, int *code) {
    for (int64_t segments = 1;; segments *= 2) {
        Module *m = new_module(opt, err, escape, memory_limit(opt, s.n));
        m->entry = entry, m->quiet = later || segments > 1, m->segments = segments;
        *code = guarded(escape, do_job, &(Job){m, s, work});
        if (*code || !m->too_large) return m;
        module_free(m);
    }
}

static int in_module(Options *opt, FILE *err, Work work) {
    jmp_buf escape;
    int code;
    Source s = open_source(opt->input);
    if (!s.bytes) return cannot_read(opt, err);
    module_free(in_new_module(opt, err, &escape, NULL, false, s, work, &code));
    close_source(s);
    return code;
}

int compile(Options *opt, FILE *err, int (*then)(Module *, void *), void *arg) {
    return in_module(opt, err, (Work){true, then, arg});
}

/* The functions of a training program: modules of one source, alive together. */
typedef struct {
    Module *m[MAX_ENTRIES];
    int n;
    int (*then)(Module **, int, void *);
    void *arg;
} Entries;

static int nothing_more(Module *m, void *unused) {
    (void)m, (void)unused;
    return EXIT_OK;
}

static int use_entries(void *arg) {
    Entries *e = arg;
    return e->then(e->m, e->n, e->arg);
}

/* Without a loss a network still has the functions that need none; gradcheck's have one of their own. Averages are
 * kept, and samples drawn, where the train line asks for them. */
static bool needs_more(const Entry *e, const Module *first) {
    if (e->averages) return first->training->ema == 0;
    if (e->samples) return !first->training->samples;
    return e->loss && !first->entry->loss && !first->training->losses.n;
}

int compile_entries(Options *opt, FILE *err, int n, const Entry *const *entry, int (*then)(Module **, int, void *),
                    void *arg) {
    Entries e = {.then = then, .arg = arg};
    jmp_buf escape;
    int code = EXIT_OK;
    Source s = open_source(opt->input);
    if (!s.bytes) return cannot_read(opt, err);
    for (int i = 0; i < n && !code; i++) {
        if (e.n && needs_more(entry[i], e.m[0])) continue;
        Work work = {true, nothing_more, NULL};
        e.m[e.n] = in_new_module(opt, err, &escape, entry[i], e.n > 0, s, work, &code);
        e.n++;
    }
    if (!code) code = guarded(&escape, use_entries, &e);
    while (e.n) module_free(e.m[--e.n]);
    close_source(s);
    return code;
}

int load_only(Options *opt, FILE *err, int (*then)(Module *, void *), void *arg) {
    return in_module(opt, err, (Work){false, then, arg});
}

Output emit_all(Module *m) {
    Output out;
    if (!m->planned) pass_plan(m);
    m->target->backend->emit(m, &out);
    return out;
}

Output emit_training(Module **m, int n) {
    Output out;
    if (!m[0]->training->losses.n && m[0]->entry->loss)
        fatal(m[0], EXIT_INPUT,
              "expected a loss to minimise, saw no train line in the model and no --loss; nncc --list-losses prints "
              "them");
    m[0]->target->backend->emit_training(m, n, &out);
    return out;
}
