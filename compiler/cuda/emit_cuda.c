/* emit_cuda.c - the kernels of a network as one file of CUDA C++: what nvcc, NVRTC and, through runtime/emu, any C++
 * compiler takes. */
#include "cuda/emit_cuda.h"
#include "base/embedded.h"
#include "render/template.h"

/* ---- functions ---- */

static Function *add_launch(Emit *e, Launch *x, Map *by_text, int place) {
    Str text = {.arena = e->arena};
    List needs = {0};
    render_launch(x, "\1", e->taken, &text, &needs);
    Function *f = map_get(by_text, text.s);
    if (!f) {
        const char *name = format(e->arena, "%.21s_%d", function_stem(e, x->k), x->k->step);
        f = NEW(e->arena, Function);
        f->k = x->k, f->text = text.s, f->threads = x->threads;
        f->name =
            identifier(e->arena, e->taken, place ? format(e->arena, "%s%c", name, 'a' + place % 26) : name, "kernel");
        map_set(by_text, text.s, f);
        push(e->arena, &e->functions, f);
        for (int i = 0; i < needs.n; i++) push(e->arena, &e->needs, needs.at[i]);
    }
    push(e->arena, &f->uses, x->k);
    x->name = f->name;
    return f;
}

void add_launches(Emit *e, Kernel *k, Map *by_text) {
    if (!k->body) return;
    for (int i = 0; i < k->launches.n; i++) add_launch(e, k->launches.at[i], by_text, k->launches.n > 1 ? i : 0);
    k->name = k->launches.n ? ((Launch *)k->launches.at[0])->name : "";
}

/* ---- helpers: reductions over a thread group ---- */

static bool seen(Arena *a, List *done, const char *name) {
    for (int i = 0; i < done->n; i++)
        if (!strcmp(done->at[i], name)) return true;
    push(a, done, (void *)(uintptr_t)name);
    return false;
}

static void put_reduction_helpers(Emit *e) {
    List done = {0};
    for (int i = 0; i < e->needs.n; i++) {
        const Op *op;
        DType t;
        int groups;
        const char *name = e->needs.at[i];
        if (!parse_reduction_name(e->m->target, name, &op, &t, &groups) || seen(e->arena, &done, name)) continue;
        Blank blanks[] = {{"name", name, 0, 0},
                          {"type", dtypes[t].c, 0, 0},
                          {"what", op->name, 0, 0},
                          {"whose", groups > 1 ? "v of every thread of a group" : "v of every thread", 0, 0},
                          {"own", groups > 1 ? format(e->arena, "thread %% %d", groups) : "0", 0, 0},
                          {"groups", NULL, groups, 0},
                          {"text", is_float(t) ? op->c : op->ci, 0, 0}};
        fill_template(&e->c, embedded_group_reduction_h, COUNT(blanks), blanks);
        put_text(&e->c, "\n");
    }
}

/* ---- the file ---- */

static void put_cuda_top(Emit *e) {
    put(&e->c, GENERATED_BY " from %s, target %s. Do not edit.\n", source_text(e), e->m->target->name);
    put_text(&e->c, " * For nvcc, NVRTC, or with -DNNCC_EMU any C++17 compiler. */\n#ifdef NNCC_EMU\n#include "
                    "\"nncc_emu.h\"\n#else\n");
    put_text(&e->c, embedded_nncc_device_h);
    put_text(&e->c, "#endif\n\n");
    size_t before = e->c.n;
    put_runtime(&e->c, &e->needs);
    if (e->c.n > before) put_text(&e->c, "\n");
    put_reduction_helpers(e);
}

static void put_cuda_end(Emit *e) {
    put_text(&e->c, "#ifdef NNCC_EMU\n");
    for (int i = 0; i < e->functions.n; i++) {
        const Function *f = e->functions.at[i];
        if (!is_part(f)) put(&e->c, "NNCC_EMU_KERNEL(%s, %d)\n", f->name, f->threads);
    }
    put_text(&e->c, "#endif\n");
}

/* FNV-1a: tells a module that was made from another source. */
static uint64_t hash_text(const char *s, size_t n) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h;
}

void put_cuda_file(Emit *e) {
    put_cuda_top(e);
    for (int i = 0; i < e->functions.n; i++) put_function(e, e->functions.at[i]);
    e->module_hash = hash_text(e->c.s, e->c.n);
    put(&e->c, "NNCC_MODULE_HASH(%016llx)\n\n", (unsigned long long)e->module_hash);
    put_cuda_end(e);
}

/* Takes model.cu out of e->c and begins the host's file. */
static Str begin_host(CudaHost *h, Emit *e, Module **m, int n) {
    const Str cu = e->c;
    *h = (CudaHost){.e = e, .m = m[0], .calls.arena = e->arena};
    e->c = (Str){.arena = e->arena};
    if (e->weights_apart) h->weights_bytes = m[0]->weights_bytes;
    if (e->constant_bytes) h->weights_bytes = e->constant_bytes;
    for (int k = 0; k < n; k++) add_host_fields(h, m[k]);
    place_partials(h, m, n);
    put_host_top(h, &cu);
    for (int k = 0; k < n; k++) e->m = m[k], emit_weight_arrays(e);
    put_host_weights(h, m, n);
    put_host_program(h, m, n);
    e->m = m[0];
    return cu;
}

void emit_cuda(Module *m, Output *out) {
    CudaHost host;
    Emit e = begin_inference(m, out, add_launches);
    batch_launches(&e, &m, 1);
    put_cuda_file(&e);
    out->cu = begin_host(&host, &e, &m, 1);
    put_weight_checks(&e);
    put_host_open(&host);
    put_reset(&e);
    put_host_run(&host, m, run_verb(m));
    put_run_part(&e);
    emit_header(&e);
    out->c = e.c, out->h = e.h;
}

/* ---- networks that train ---- */

static void put_host_function(Emit *e, const char *name, const char *doc, void *host) {
    (void)doc;
    put_text(&e->c, "\n");
    put_host_run(host, e->m, name);
}

void emit_cuda_training(Module **m, int n, Output *out) {
    Emit e = begin_training(m, n, add_launches);
    Str init = {.arena = e.arena};
    CudaHost host;
    batch_launches(&e, m, n);
    put_cuda_file(&e);
    const Str cu = begin_host(&host, &e, m, n);
    e.needs = (List){0};
    put_init(&e, &init);
    put_runtime(&e.c, &e.needs);
    put_text(&e.c, "\n");
    put_tensors(&e);
    put_host_open(&host);
    put_host_transfers(&host);
    put_text(&e.c, init.s);
    each_function(&e, m, n, put_host_function, &host);
    emit_training_header(&e, m, n);
    *out = (Output){.c = e.c, .h = e.h, .cu = cu, .weights.arena = e.arena, .object.arena = e.arena};
}
