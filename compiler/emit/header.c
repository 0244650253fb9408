/* header.c - the header of a generated network: its manual, its sizes, its one struct. */
#include "emit/interface.h"
#include "ir/build.h"
#include "ir/symbols.h"
#include "passes/passes.h"
#include "render/render.h"
#include "strings/strings.h"
#include "train/train.h"
#include <math.h>

const char *upper(Arena *a, const char *s) {
    char *u = arena_str(a, s);
    for (char *c = u; *c; c++)
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
    return u;
}

static void put_dim_name(Str *s, const Symbol *dim, const void *unused) {
    (void)unused;
    put_text(s, comment_text(s->arena, dim->text, 24));
}

const char *shape_text(Arena *a, const Type *t) {
    Str s = {.arena = a};
    put_text(&s, t->rank ? "" : "scalar");
    for (int i = 0; i < t->rank; i++) {
        put_text(&s, "[");
        if (t->dim[i].symbol)
            put_symbol(&s, t->dim[i].symbol, false, (SymbolStyle){put_dim_name, NULL, false});
        else
            put(&s, "%lld", (long long)t->dim[i].max);
        put_text(&s, "]");
    }
    return s.s;
}

const char *source_text(Emit *e) {
    const char *file = e->m->source ? comment_text(e->arena, e->m->source, 60) : "a model";
    return format(e->arena, "%s (sha256 %.12s)", file, e->m->sha);
}

/* What a port holds: its type is that of bytes where elements are packed. */
static const Type *elements_of(const Value *v) { return v->packed ? v->packed : &v->type; }

/* An output of strings: its type is that of their bytes. */
static bool is_text(const Value *v) { return v->packed && v->packed->dtype == DT_str; }

/* "4-bit elements, 2 to a byte, the first in the low half" */
static const char *packing_text(const Emit *e, const Value *v) {
    if (!v->packed) return "";
    if (is_text(v))
        return format(e->arena, ", one after the other, each with its NUL; %s_offset says where each begins",
                      v->emit.cname);
    int bits = dtypes[v->packed->dtype].bits;
    const char *share =
        8 % bits ? format(e->arena, "%d in %d bytes", 24 / bits, 3) : format(e->arena, "%d to a byte", 8 / bits);
    return format(e->arena, ", %s, the first in the low bits", share);
}

static void ports_line(Emit *e, Value *const *v, int n) {
    for (int i = 0; i < n; i++) {
        put(&e->h, "%s%s %s", i ? ", " : "", dtypes[elements_of(v[i])->dtype].name, v[i]->emit.cname);
        if (elements_of(v[i])->rank) put_text(&e->h, shape_text(e->arena, elements_of(v[i])));
    }
}

static void example_ports(Emit *e, Value *const *v, int n) {
    for (int i = 0; i < n; i++)
        put(&e->h, " *     static %s%s[%s_%s_%s];\n",
            v[i]->type.dtype == DT_str ? "const char *"
            : is_text(v[i])            ? "char "
                                       : format(e->arena, "%s ", dtypes[v[i]->type.dtype].c),
            v[i]->emit.cname, e->macro, upper(e->arena, v[i]->emit.cname), is_text(v[i]) ? "BYTES" : "LEN");
}

/* Floats that C has no type for: the caller's tensors hold their bits. */
static bool raw_bits(DType t) { return holds_floats(t) && t != DT_f32 && t != DT_f64; }

static const char *print_format(DType t) {
    return raw_bits(t) ? dtypes[t].small ? "0x%02x" : "0x%04x" : is_float(t) ? "%g" : "%ld";
}

static const char *print_type(DType t) { return raw_bits(t) ? "unsigned" : is_float(t) ? "double" : "long"; }

static void example_fields(Emit *e) {
    Graph *g = e->m->main;
    const char *comma = "";
    put(&e->h, " *         %s_net net = {", e->prefix);
    for (int i = 0; i < g->nin; i++, comma = ", ")
        put(&e->h, "%s.%s = %s", comma, g->in[i]->emit.cname, g->in[i]->emit.cname);
    for (int i = 0; i < g->nout; i++, comma = ", ")
        put(&e->h, "%s.%s = %s", comma, g->out[i]->emit.cname, g->out[i]->emit.cname);
    for (int i = 0; i < e->m->bounds.n; i++) {
        const DimBinding *b = e->m->bounds.at[i];
        if (b->computed) continue;
        put(&e->h, "%s.%s = %lld", comma, b->cname, (long long)b->max);
        comma = ", ";
    }
    if (needs_arena(e->m)) put(&e->h, "%s.arena = arena", comma), comma = ", ";
    if (has_state(e->m)) put(&e->h, "%s.state = state", comma), comma = ", ";
    if (e->weights_apart && !e->weights_linked) put(&e->h, "%s.weights = weights", comma);
    put_text(&e->h, "};\n");
}

static void example_main(Emit *e) {
    Graph *g = e->m->main;
    bool file = e->weights_apart && !e->weights_linked;
    put_text(&e->h, " *\n *     #include <stdio.h>\n");
    put(&e->h, " *     #include \"%s.h\"\n *\n", e->file);
    if (needs_arena(e->m)) put(&e->h, " *     %s_ARENA(arena);\n", e->macro);
    if (has_state(e->m)) put(&e->h, " *     %s_STATE(state);\n", e->macro);
    if (file) put(&e->h, " *     %s_WEIGHTS(weights);\n", e->macro);
    example_ports(e, g->in, g->nin);
    example_ports(e, g->out, g->nout);
    put_text(&e->h, " *\n *     int main(void) {\n");
    if (file) {
        put(&e->h, " *         FILE *f = fopen(\"%s.weights\", \"rb\");\n", e->file);
        put_text(&e->h, " *         if (!f || fread(weights, 1, sizeof weights, f) != sizeof weights) return 1;\n *    "
                        "     fclose(f);\n");
    }
    example_fields(e);
    put(&e->h, " *         if (%s_open(&net) != %s_OK", e->prefix, e->macro);
    if (has_state(e->m)) put(&e->h, " || %s_reset(&net) != %s_OK", e->prefix, e->macro);
    put(&e->h, " || %s_%s(&net) != %s_OK) return 1;\n", e->prefix, run_verb(e->m), e->macro);
    const Value *y = g->nout ? g->out[0] : NULL;
    if (y) {
        const char *element = is_text(y) ? format(e->arena, "%s + %s_offset[i]", y->emit.cname, y->emit.cname)
                                         : format(e->arena, "(%s)%s[i]", print_type(y->type.dtype), y->emit.cname);
        put(&e->h, " *         for (int i = 0; i < %s_%s_LEN && i < 10; i++) printf(\"%s\\n\", %s);\n", e->macro,
            upper(e->arena, y->emit.cname), is_text(y) ? "%s" : print_format(y->type.dtype), element);
    }
    put_text(&e->h, " *         return 0;\n *     }\n");
}

/* What fills the arena when it is fullest: where to look if it is too large. */
static void peak_line(Emit *e) {
    enum { SHOWN = 4 };
    Held *h;
    int n = at_peak(e->m, &h);
    if (!n) return;
    put(&e->h, " * Arena: lower bound %s; fullest at step %d:", bytes_text(e->arena, e->m->bound_bytes), e->m->peak);
    for (int i = 0; i < n && i < SHOWN; i++) {
        const char *hidden = h[i].v->emit.cname ? h[i].v->emit.cname : "t";
        put(&e->h, "%s %s %s", i ? "," : "", e->m->opt->plain_names ? hidden : comment_text(e->arena, h[i].v->name, 24),
            bytes_text(e->arena, h[i].bytes));
    }
    put_text(&e->h, n > SHOWN ? format(e->arena, " and %d more.\n", n - SHOWN) : ".\n");
}

/* docs/contract.md, 8. */
void determinism_line(Emit *e) {
    put(&e->h, " * The same version, target, instruction set, compiler, flags and input give the same bits%s.\n",
        e->m->opt->threads ? ", whatever the number of threads" : "");
}

static void manual(Emit *e) {
    Module *m = e->m;
    put(&e->h, GENERATED_BY " from %s, target %s. Do not edit.\n *\n * %s: ", source_text(e), e->m->target->name,
        e->prefix);
    ports_line(e, m->main->in, m->main->nin);
    put_text(&e->h, " -> ");
    ports_line(e, m->main->out, m->main->nout);
    put_text(&e->h, "\n *\n");
    put(&e->h, " * Weights %s bytes %s, arena %s bytes %s.\n", bytes_text(e->arena, m->weights_bytes),
        e->weights_linked  ? "linked in"
        : e->weights_apart ? "from the caller"
                           : "in the program",
        bytes_text(e->arena, m->arena_bytes), on_device(m) ? "on the device" : "from the caller");
    if (has_state(m))
        put(&e->h, " * State %s bytes from the caller: what a call leaves for the next one.\n",
            bytes_text(e->arena, m->state_bytes));
    peak_line(e);
    determinism_line(e);
    example_main(e);
    put_text(&e->h, " */\n");
}

/* The interface as it is hashed: each declaration in its order, without the comments, which may be reworded. */
void record_abi(Emit *e, const char *declaration) { put(&e->abi, "%s\n", declaration); }

static const char *ending(Emit *e, const char *comment) {
    return comment ? format(e->arena, " /* %s */\n", comment) : "\n";
}

void put_macro(Emit *e, const char *name, const char *value, const char *comment) {
    const char *text = format(e->arena, "#define %s_%s %s", e->macro, name, value);
    record_abi(e, text);
    put(&e->h, "%s%s", text, ending(e, comment));
}

void put_size_macro(Emit *e, const char *name, int64_t value) {
    put_macro(e, name, format(e->arena, "%lld", (long long)value), NULL);
}

void put_member(Emit *e, const char *declaration, const char *comment) {
    record_abi(e, declaration);
    put(&e->h, "    %s;%s", declaration, ending(e, comment));
}

void put_prototype(Emit *e, const char *result, const char *verb, const char *parameters) {
    const char *text = format(e->arena, "%s%s_%s(%s)", result, e->prefix, verb, parameters);
    record_abi(e, text);
    put(&e->h, "%s;\n", text);
    put_link_name(e, verb);
}

void put_link_name(Emit *e, const char *name) { push(e->arena, &e->linked, (void *)(uintptr_t)name); }

/* Of what is declared before and in `rest`, which comes behind. */
void put_abi(Emit *e, const Str *rest) {
    unsigned hash = (unsigned)hash_bytes(e->abi.s, e->abi.n, (uint32_t)e->weights_tag);
    put_text(&e->h,
             "\n/* A hash of this header's declarations, without comments. The linker's names end in it: what was "
             "compiled against\n * other declarations does not link. */\n");
    put(&e->h, "#define %s_ABI 0x%08xu\n", e->macro, hash);
    for (int i = 0; i < e->linked.n; i++) {
        const char *name = e->linked.at[i];
        put(&e->h, "#define %s_%s %s_%s_abi_%08x\n", e->prefix, name, e->prefix, name, hash);
    }
    put_text(&e->h, rest->s);
}

const char *net_parameter(Emit *e, const char *qualifier) {
    return format(e->arena, "%s%s_net *net", qualifier, e->prefix);
}

void length_macros(Emit *e, Value *const *v, int n) {
    for (int i = 0; i < n; i++) {
        DType t = elements_of(v[i])->dtype;
        bool raw = raw_bits(t) && !v[i]->packed;
        const char *type = raw ? format(e->arena, "raw bits of %s", dtypes[t].name) : dtypes[t].name,
                   *shape = shape_text(e->arena, elements_of(v[i])), *packing = packing_text(e, v[i]);
        const char *port = upper(e->arena, v[i]->emit.cname);
        int64_t length = type_count(t == DT_str ? elements_of(v[i]) : &v[i]->type);
        put_macro(e, format(e->arena, "%s_LEN", port), format(e->arena, "%lld", (long long)length),
                  t == DT_str ? format(e->arena, "strings %s", shape)
                              : format(e->arena, "%s%s %s%s", v[i]->packed ? "bytes: " : "", type, shape, packing));
        if (is_text(v[i])) put_size_macro(e, format(e->arena, "%s_BYTES", port), type_count(&v[i]->type));
        record_abi(e, raw || dtypes[t].small || t == DT_str ? format(e->arena, "%s %s", type, shape) : shape);
    }
}

static void scale_macros(Emit *e, const char *side, Value *const *v, int n) {
    for (int i = 0; i < n; i++) {
        const char *name = v[i]->emit.cname, *port = upper(e->arena, name);
        const Attr *scale = said_of_port(e->m, side, i, "scale", A_FLOAT),
                   *zero = said_of_port(e->m, side, i, "zero_point", A_INT);
        if (!scale || !isfinite(scale->f) || !zero) continue;
        put_macro(e, format(e->arena, "%s_SCALE", port), number_text(e->arena, DT_f32, (Scalar){.f = scale->f}),
                  format(e->arena, "%s stands for (%s - zero point) * scale", name, name));
        put_macro(e, format(e->arena, "%s_ZERO_POINT", port), format(e->arena, "%lld", (long long)zero->i), NULL);
    }
}

void bound_macros(Emit *e) {
    for (int i = 0; i < e->m->bounds.n; i++) {
        const DimBinding *b = e->m->bounds.at[i];
        if (b->computed) continue;
        put_size_macro(e, format(e->arena, "MAX_%s", upper(e->arena, b->cname)), b->max);
        record_abi(e, format(e->arena, "from %lld", (long long)b->min));
        if (b->step > 1) record_abi(e, format(e->arena, "step %lld", (long long)b->step));
    }
}

/* In the order of their values, which never change: new ones come last. */
static const struct {
    const char *name, *meaning;
} codes[] = {{"OK", NULL},
             {"E_NULL", "a pointer that the function needs is NULL"},
             {"E_ALIGN", "a block is not aligned"},
             {"E_WEIGHTS", "the weights are damaged or another network's"},
             {"E_DIM", "an extent is out of range"},
             {"E_BOUND", "the data gives more elements than an output's bound"},
             {"E_THREADS", "more threads than there may be"},
             {"E_STATE", "the state was never reset, or is another network's"}};

void thread_macros(Emit *e) {
    if (e->m->opt->threads)
        put_macro(e, "MAX_THREADS", format(e->arena, "%d", e->m->opt->threads),
                  format(e->arena, "more are %s_E_THREADS", e->macro));
}

/* What every field's comment would have to say. */
void begin_context(Emit *e, const char *note) {
    if (e->m->opt->threads)
        put_text(&e->h, "\n#ifndef NNCC_POOL\n#define NNCC_POOL\ntypedef struct nncc_pool nncc_pool;\n#endif\n");
    put(&e->h, "\n/* All memory is the caller's, and used during calls only. %s */\ntypedef struct {\n", note);
}

void status_codes(Emit *e) {
    put_text(&e->h, "\nenum {\n");
    for (int i = 0; i < COUNT(codes); i++) {
        const char *text = format(e->arena, "%s_%s = %d", e->macro, codes[i].name, i);
        record_abi(e, text);
        put(&e->h, "    %s%s%s", text, i + 1 < COUNT(codes) ? "," : "", ending(e, codes[i].meaning));
    }
    put_text(&e->h, "};\n");
}

void put_check_line(Emit *e, const Check *c, const char *when) {
    const char *test = *when && strstr(c->condition, " || ") ? "%s(%s)" : "%s%s";
    put(&e->h, "    if (%s) return *field = \"%s\", %s_E_%s;\n", format(e->arena, test, when, c->condition), c->field,
        e->macro, c->code);
}

/* What a check asks of an input of strings. */
static void strings_function(Emit *e) {
    bool any = false;
    for (int i = 0; i < e->m->main->nin; i++) any = any || e->m->main->in[i]->type.dtype == DT_str;
    if (!any) return;
    put_text(&e->h,
             "\n/* 1: one of n strings is missing; 2: one has `bytes` bytes or more before its NUL; else 0. */\n");
    put(&e->h, "static inline int %s_strings(const char *const *s, long n, int bytes) {\n", e->prefix);
    put_text(&e->h, "    for (long i = 0; i < n; i++) {\n        int k = 0;\n        if (!s[i]) return 1;\n");
    put_text(&e->h,
             "        while (k < bytes && s[i][k]) k++;\n        if (k == bytes) return 2;\n    }\n    return 0;\n}\n");
}

static void check_function(Emit *e) {
    List checks = checks_of(e);
    put(&e->h, "static inline int %s_check(const %s_net *net, const char **field) {\n", e->prefix, e->prefix);
    put(&e->h, "    if (!net) return *field = \"net\", %s_E_NULL;\n", e->macro);
    for (int i = 0; i < checks.n; i++) put_check_line(e, checks.at[i], "");
    put(&e->h, "    return *field = 0, %s_OK;\n}\n", e->macro);
}

void storage_macro(Emit *e, const char *what, const char *doc) {
    const char *p = e->macro;
    put(&e->h, "\n/* Defines a static, aligned array for %s. */\n", doc);
    put_text(&e->h, "#if defined __cplusplus\n");
    put(&e->h, "#define %s_%s(name) alignas(%s_ALIGN) static unsigned char name[%s_%s_BYTES]\n", p, what, p, p, what);
    put_text(&e->h, "#elif defined __GNUC__\n");
    put(&e->h, "#define %s_%s(name) static unsigned char name[%s_%s_BYTES] __attribute__((aligned(%s_ALIGN)))\n", p,
        what, p, what, p);
    put_text(&e->h, "#else\n");
    put(&e->h, "#define %s_%s(name) static _Alignas(%s_ALIGN) unsigned char name[%s_%s_BYTES]\n#endif\n", p, what, p, p,
        what);
}

static void macros(Emit *e) {
    Module *m = e->m;
    length_macros(e, m->main->in, m->main->nin);
    length_macros(e, m->main->out, m->main->nout);
    scale_macros(e, "in", m->main->in, m->main->nin);
    scale_macros(e, "out", m->main->out, m->main->nout);
    bound_macros(e);
    put_size_macro(e, "ARENA_BYTES", m->arena_bytes);
    put_size_macro(e, "WEIGHTS_BYTES", e->weights_apart && !e->weights_linked ? m->weights_bytes : 0);
    if (has_state(m)) {
        put_size_macro(e, "STATE_BYTES", m->state_bytes);
        record_abi(e, format(e->arena, "state %016llx", (unsigned long long)state_tag(m)));
    }
    put_size_macro(e, "ALIGN", BUFFER_ALIGN);
    thread_macros(e);
    if (needs_arena(m)) storage_macro(e, "ARENA", "the arena");
    if (has_state(m)) storage_macro(e, "STATE", "the state");
    if (e->weights_apart && !e->weights_linked) storage_macro(e, "WEIGHTS", "the buffer for the weights file");
    status_codes(e);
}

static const char *axes_text(Arena *a, unsigned axes) {
    Str s = {.arena = a};
    put_text(&s, axes & (axes - 1) ? "axes" : "axis");
    for (int k = 0, left = 0; axes >> k; k++)
        if (axes >> k & 1) put(&s, "%s %d", left++ ? "," : "", k);
    return s.s;
}

/* What an output's comment says behind its shape, if the data tells its size, or if it is the size of another. */
static const char *extent_text(const Emit *e, const Value *v) {
    const Module *m = e->m;
    unsigned axes;
    int i = is_output(v) && !m->entry ? v->output - 1 : -1, extent = i < 0 ? -1 : extent_output(m, i, &axes);
    if (extent >= 0)
        return format(e->arena, " at most, packed; %s is its extent in %s", m->main->out[extent]->emit.cname,
                      axes_text(e->arena, axes));
    int of = i < 0 ? -1 : output_of_extent(m, i);
    if (of < 0 || extent_output(m, of, &axes) != i) return NULL;
    return format(e->arena, ", the extent of %s in %s; NULL: not wanted", m->main->out[of]->emit.cname,
                  axes_text(e->arena, axes));
}

/* What stands before the shape where C's type does not say it. */
static const char *type_word(const Value *v) {
    DType t = elements_of(v)->dtype;
    return t == DT_str ? "strings" : dtypes[t].small ? dtypes[t].name : "";
}

static const char *more_text(const Emit *e, const Value *v) {
    int of = is_output(v) && !e->m->entry ? output_of_offsets(e->m, v->output - 1) : -1;
    const char *extent = is_output(v) ? extent_text(e, v) : NULL;
    if (of >= 0)
        return format(e->arena, ", where each string of %s begins, and where the last ends",
                      e->m->main->out[of]->emit.cname);
    if (is_text(v)) return format(e->arena, "%s%s", extent ? extent : "", packing_text(e, v));
    if (v->type.dtype == DT_str)
        return format(e->arena, ", UTF-8, each of less than %lld bytes", (long long)width_of_strings(e->m, v));
    return v->packed ? packing_text(e, v) : extent;
}

void field(Emit *e, const Value *v, const char *qualifier, const char *direction) {
    const char *shape = shape_text(e->arena, elements_of(v)), *name = comment_text(e->arena, port_name(v), 60),
               *more = more_text(e, v), *type = type_word(v);
    const char *text = format(e->arena, "%s %s%s%s%s", direction, type, *type ? " " : "", shape, more ? more : "");
    bool offsets = is_output(v) && !e->m->entry && output_of_offsets(e->m, v->output - 1) >= 0;
    bool ours = e->m->opt->plain_names || offsets || (more && !elements_of(v)->rank); /* the model has no such name */
    put_member(e, format(e->arena, "%s%s *%s", qualifier, is_text(v) ? "char" : dtypes[v->type.dtype].c, v->emit.cname),
               ours ? text : format(e->arena, "%s, \"%s\" in the model", text, name));
}

void put_c_open(Emit *e) {
    put_text(&e->h, e->weights_apart ? "/* open validates the weights' identity and checksum; call it once before run. "
                    : has_state(e->m)
                        ? "/* open has nothing to do: what the network carries between calls is in your memory. "
                        : "/* open has nothing to do: the network holds nothing between calls. ");
    put_text(&e->h, "close is a no-op on this target. */\n");
    put_prototype(e, "int ", "open", net_parameter(e, ""));
    put_prototype(e, "void ", "close", net_parameter(e, ""));
    put_text(&e->h, "\n");
}

void put_of_backend(Emit *e, void (*part)(Emit *)) {
    if (part) part(e);
}

void dim_fields(Emit *e) {
    for (int i = 0; i < e->m->bounds.n; i++) {
        const DimBinding *b = e->m->bounds.at[i];
        if (b->computed) continue;
        put_member(e, format(e->arena, "int %s", b->cname),
                   format(e->arena,
                          b->step > 1 ? "extent in this call, %lld to %lld, a multiple of %lld"
                                      : "extent in this call, %lld to %lld",
                          (long long)b->min, (long long)b->max, (long long)b->step));
    }
}

static void weights_fields(Emit *e) {
    if (e->weights_apart && !e->weights_linked)
        put_member(e, "const void *weights",
                   format(e->arena, "contents of %s.weights, aligned to %s_ALIGN", e->file, e->macro));
}

void thread_fields(Emit *e) {
    if (!e->m->opt->threads) return;
    put_member(e, "int threads", format(e->arena, "that the call may use, 1 to %s_MAX_THREADS; 0: one", e->macro));
    put_member(e, "nncc_pool *pool", "who runs them; NULL: one thread");
}

static void context(Emit *e) {
    Module *m = e->m;
    begin_context(e, "Tensors are dense and row-major.");
    for (int i = 0; i < m->main->nin; i++) field(e, m->main->in[i], "const ", "in ");
    for (int i = 0; i < m->main->nout; i++) field(e, m->main->out[i], "", "out");
    dim_fields(e);
    weights_fields(e);
    thread_fields(e);
    put_of_backend(e, e->m->target->backend->put_fields);
    if (needs_arena(m))
        put_member(e, "void *arena",
                   format(e->arena, "scratch memory, %s_ARENA_BYTES, aligned; not kept between calls", e->macro));
    if (has_state(m))
        put_member(e, "void *state",
                   format(e->arena, "carried from call to call, %s_STATE_BYTES, aligned%s; %s_reset fills it", e->macro,
                          on_device(m) ? ", in host memory" : "", e->prefix));
    if (!m->main->nin && !m->main->nout && !m->target->backend->put_fields) put_member(e, "int unused", NULL);
    put(&e->h, "} %s_net;\n", e->prefix);
}

/* What a caller does with the state, and then with it in each call. */
static void step_comment(Emit *e) {
    const char *p = e->prefix, *macro = e->macro;
    put(&e->h,
        "/* Writes the state's first values: before the first %s_step, and whenever the network is to forget. */\n", p);
    put_prototype(e, "int ", "reset", net_parameter(e, "const "));
    put(&e->h,
        "/* Runs the network once, from the state that the call before left, and leaves its own. Threads may call it "
        "at "
        "the\n * same time, each with its own %s_net, state and arena. Returns %s_OK; on %s_E_* the outputs are "
        "undefined, and\n * the state is as it was. */\n",
        p, macro, macro);
}

static void run_comment(Emit *e) {
    put(&e->h, "/* Runs the network once. Threads may call it at the same time, each with its own %s_net and arena.\n",
        e->prefix);
    put(&e->h, " * Returns %s_OK; on %s_E_* the outputs are undefined. */\n", e->macro, e->macro);
}

static const char part_comment[] =
    "/* The part of thread t of nt, for threads of the caller's own: all of 0 ... nt - 1 call it with the same fields, "
    "and\n * outputs are valid when all have returned. The arena's first 4 bytes are 0 before, and again then. */\n";

static void prototypes(Emit *e) {
    const char *p = e->prefix, *verb = run_verb(e->m);
    put_text(&e->h, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    put_of_backend(e, e->m->target->backend->put_open);
    (has_state(e->m) ? step_comment : run_comment)(e);
    put_prototype(e, "int ", verb, net_parameter(e, "const "));
    if (e->m->opt->threads) {
        put_text(&e->h, part_comment);
        put_prototype(e, "int ", format(e->arena, "%s_part", verb),
                      format(e->arena, "const %s_net *net, int t, int nt", p));
    }
    put_text(&e->h, "\n#ifdef __cplusplus\n}\n#endif\n");
    strings_function(e);
    put(&e->h,
        "\n/* The code that %s_%s would return for these fields, and the name of the field at fault (0: none). The "
        "contents of\n * weights are open's to check%s. A program that does not call it does not contain it. */\n",
        p, verb, has_state(e->m) ? ", those of the state step's" : "");
    check_function(e);
}

static void name_table(Emit *e) {
    const Graph *g = e->m->main;
    if (!e->m->opt->plain_names) return;
    put_text(&e->h, "\n/* Names in the model:\n");
    for (int i = 0; i < g->nin; i++)
        put(&e->h, " * %s: %s\n", g->in[i]->emit.cname, comment_text(e->arena, g->in[i]->name, 60));
    for (int i = 0; i < g->nout; i++)
        put(&e->h, " * %s: %s\n", g->out[i]->emit.cname, comment_text(e->arena, port_name(g->out[i]), 60));
    put_text(&e->h, " */\n");
}

const char *include_of(const Emit *e) {
    const char *include = e->m->target->backend->include;
    return include ? include : "";
}

void emit_header(Emit *e) {
    manual(e);
    put(&e->h, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n%s\n", e->macro, e->macro, include_of(e));
    macros(e);
    context(e);
    Str before = e->h;
    e->h = (Str){.arena = e->arena};
    prototypes(e);
    Str rest = e->h;
    e->h = before;
    put_abi(e, &rest);
    put_text(&e->h, "#endif\n");
    name_table(e);
}
