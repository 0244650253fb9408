/* structural.c - compiles a pack of models in this process and says what became of each; structural.py writes the
 * packs.
 *
 *   structural PACK DIR [FIRST]     the pack: a byte, 'o' ONNX or 't' text, four bytes of length, the model; and so on
 *
 * A line for each: its index, the exit code (0: accepted), milliseconds, whether DIR/INDEX.c was written, the first
 * message. What is accepted and small enough to run becomes DIR/INDEX.c and .h, with a function that runs it on wild
 * inputs whose blocks are exactly as large as they have to be. */
#include "cli/command.h"
#include "driver.h"
#include "emit/emit.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "targets.h"
#include "text/text.h"
#include <time.h>

#if defined __x86_64__
#define HAVE_SSE2 true
#else
#define HAVE_SSE2 false
#endif

enum { MEMORY = 192 << 20, MAX_BYTES = 1 << 20, FIRST_LINE = 160 };

typedef struct {
    const uint8_t *bytes;
    size_t n;
    char kind;
    int index;
    const char *dir;
    bool written;
} Model;

static void put_buffers(Str *s, const Graph *g) {
    for (int i = 0; i < g->nin; i++)
        put(s, "    net.%s = wild('%c', %lld, %d);\n", g->in[i]->emit.cname, dtypes[g->in[i]->type.dtype].kind,
            (long long)type_bytes(&g->in[i]->type), dtypes[g->in[i]->type.dtype].bytes);
    for (int i = 0; i < g->nout; i++)
        put(s, "    net.%s = block(%lld);\n", g->out[i]->emit.cname, (long long)type_bytes(&g->out[i]->type));
}

static void put_frees(Str *s, const Graph *g) {
    for (int i = 0; i < g->nin; i++) put(s, "    free((void *)net.%s);\n", g->in[i]->emit.cname);
    for (int i = 0; i < g->nout; i++) put(s, "    free(net.%s);\n", g->out[i]->emit.cname);
}

/* Whether a call looks at numbers that the data gives. */
static bool may_refuse(const Module *m) {
    for (const Node *n = m->main->first; n; n = n->next)
        if (IS(n, Extent) && attr_i(n, "checked")) return true;
    return false;
}

/* The function that runs the model: behind its C, so that it needs no header of its own. */
static void put_runner(Module *m, Str *s, int index) {
    const Graph *g = m->main;
    put(s, "void *wild(char kind, long long bytes, int size);\nvoid *block(long long bytes);\nvoid free(void *);\n");
    put(s, "int try_%d(void);\nint try_%d(void) {\n    m%d_net net = {0};\n    int code;\n", index, index, index);
    put_buffers(s, g);
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (b->cname && !b->computed)
            put(s, "    net.%s = %lld;\n", b->cname, (long long)(b->min + index % (b->max - b->min + 1)));
    }
    if (needs_arena(m)) put(s, "    net.arena = block(%lld);\n", (long long)m->arena_bytes);
    if (m->carried.n)
        put(s, "    net.state = block(%lld);\n    code = m%d_reset(&net);\n    if (!code) code = m%d_step(&net);\n",
            (long long)m->state_bytes, index, index);
    put(s, "    %scode = m%d_%s(&net);\n", m->carried.n ? "if (!code) " : "", index, m->carried.n ? "step" : "run");
    if (may_refuse(m)) put_text(s, "    if (code == 5) code = 0; /* E_BOUND: the data is wild */\n");
    put_frees(s, g);
    put(s, "%s%s    return code;\n}\n", needs_arena(m) ? "    free(net.arena);\n" : "",
        m->carried.n ? "    free(net.state);\n" : "");
}

static bool may_run(const Module *m) {
    int64_t bytes = m->arena_bytes + m->state_bytes;
    for (int i = 0; i < m->main->nin; i++) bytes = saturating_add(bytes, type_bytes(&m->main->in[i]->type));
    for (int i = 0; i < m->main->nout; i++) bytes = saturating_add(bytes, type_bytes(&m->main->out[i]->type));
    return bytes <= MAX_BYTES;
}

static void work(Module *m, Model *x) {
    char error[200];
    Output out;
    m->source = "fuzz";
    if (x->kind == 'o') {
        if (!onnx_scan(x->bytes, x->n, error)) fatal(m, EXIT_INPUT, "%s", error);
        import_onnx(m, "-", x->bytes, x->n);
    } else {
        char *text = arena_alloc(m->arena, x->n + 1);
        memcpy(text, x->bytes, x->n);
        parse_text(m, "fuzz.nn", text, x->n);
    }
    stop_on_problems(m);
    run_passes(m);
    stop_on_problems(m);
    out = emit_all(m);
    if (on_device(m) || !may_run(m)) return;
    put_runner(m, &out.c, x->index);
    if (!write_file(format(m->arena, "%s/m%d.c", x->dir, x->index), out.c.s, out.c.n)) abort();
    if (!write_file(format(m->arena, "%s/m%d.h", x->dir, x->index), out.h.s, out.h.n)) abort();
    x->written = true;
}

/* Now and then kernels for a GPU are written as well, but not run. */
static bool is_cuda(int index) { return index % 11 == 10; }

/* How the index chooses: -O0 to -O3, now and then passes left out. */
static Options options_of(int index, char *prefix, bool cuda) {
    static const char *const some[] = {"none", "infer", "fold,layout", "infer,expand,fuse"};
    return (Options){.level = index % 4,
                     .prefix = prefix,
                     .weights = W_EMBED,
                     .target = find_target(cuda                          ? "cuda"
                                           : index % 7 == 6 && HAVE_SSE2 ? "sse2"
                                                                         : "c"),
                     .passes = index % 13 == 12 ? some[index % COUNT(some)] : NULL};
}

static int compile_one(Model *x, bool cuda, FILE *err) {
    char prefix[20];
    snprintf(prefix, sizeof prefix, "m%d", x->index);
    Options opt = options_of(x->index, prefix, cuda);
    DimBinding dim = {.name = "N", .min = 1, .max = 3};
    void *dims[] = {&dim};
    jmp_buf escape;
    opt.dims = (List){dims, 1, 1};
    Module *m = new_module(&opt, err, &escape, MEMORY);
    volatile int code = 0;
    switch (setjmp(escape)) {
    case 0: work(m, x); break;
    case EXIT_UNSUPPORTED: code = EXIT_UNSUPPORTED; break;
    case EXIT_BUG: code = EXIT_BUG; break;
    default: code = EXIT_INPUT;
    }
    module_free(m);
    return code;
}

static void report(Model *x) {
    char *text = NULL;
    size_t n = 0;
    FILE *err = open_memstream(&text, &n);
    clock_t start = clock();
    if (!err) abort();
    int code = compile_one(x, false, err);
    if (!code && is_cuda(x->index)) code = compile_one(x, true, err);
    fclose(err);
    text[strcspn(text, "\n")] = 0;
    printf("%d %d %ld %d %.*s\n", x->index, code, (long)((clock() - start) * 1000 / CLOCKS_PER_SEC), x->written,
           FIRST_LINE, text);
    free(text);
}

int main(int argc, char **argv) {
    size_t n = 0, at = 0;
    const uint8_t *pack = argc > 2 ? map_file(argv[1], &n) : NULL;
    int first = argc > 3 ? atoi(argv[3]) : 0;
    if (!pack) return EXIT_USAGE;
    for (int i = 0; at + 5 <= n; i++) {
        uint32_t length;
        memcpy(&length, pack + at + 1, 4);
        Model x = {pack + at + 5, length, (char)pack[at], i, argv[2], false};
        if (i >= first) printf("%d\n", i), fflush(stdout), report(&x), fflush(stdout);
        at += 5 + length;
    }
    return EXIT_OK;
}
