/* emit_host.c - the C beside model.cu: tables of what lies where and what is launched, for runtime/nncc_cuda.h. */
#include "cuda/emit_cuda.h"
#include "emit/interface.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "train/train.h"

enum { FIELD_ALIGN = 256, CONDITION_AT = 64 };

/* ---- fields: what the caller's struct points to ---- */

HostField *find_field(CudaHost *h, const char *name) {
    for (int i = 0; i < h->fields.n; i++) {
        HostField *f = h->fields.at[i];
        if (!strcmp(f->name, name)) return f;
    }
    return NULL;
}

static void add_field(CudaHost *h, const Module *m, const Value *v, bool out) {
    HostField *f = find_field(h, v->emit.cname);
    bool optional = is_optional(m, v->plan.base);
    if (f) {
        f->optional = f->optional || optional;
        return;
    }
    f = NEW(h->e->arena, HostField);
    *f = (HostField){v->emit.cname, v, out, optional, h->fields.n, h->io_bytes};
    h->io_bytes += align_up(value_bytes(v) ? value_bytes(v) : 1, FIELD_ALIGN);
    push(h->e->arena, &h->fields, f);
}

static void add_state_field(CudaHost *h, const Module *m) {
    HostField *f = NEW(h->e->arena, HostField);
    *f = (HostField){.name = block_fields[BLOCK_STATE], .out = true, .index = h->fields.n, .offset = h->io_bytes};
    h->io_bytes += align_up(m->state_bytes, FIELD_ALIGN);
    push(h->e->arena, &h->fields, f);
}

void add_host_fields(CudaHost *h, const Module *m) {
    if (has_state(m)) add_state_field(h, m);
    for (int i = 0; i < m->main->nin; i++) add_field(h, m, m->main->in[i], false);
    for (int i = 0; i < m->main->nout; i++) add_field(h, m, m->main->out[i], true);
}

/* Launches of one function have places of their own, for they may be one launch; functions have the same. */
void place_partials(CudaHost *h, Module **m, int n) {
    for (int k = 0; k < n; k++) {
        int64_t tickets = 0, partials = 0;
        for (int i = 0; i < m[k]->kernel_list.n; i++) {
            const Kernel *kernel = m[k]->kernel_list.at[i];
            for (int j = 0; j < kernel->launches.n; j++) {
                Launch *x = kernel->launches.at[j];
                if (x->parts < 2) continue;
                x->tickets_at = tickets, x->partials_at = partials;
                tickets += align_up(4 * column_blocks(x), FIELD_ALIGN);
                partials += align_up(partial_bytes(x), FIELD_ALIGN);
            }
        }
        if (tickets > h->ticket_bytes) h->ticket_bytes = tickets;
        if (partials > h->partial_bytes) h->partial_bytes = partials;
    }
}

int dim_index(const Module *m, const Symbol *name) {
    for (int i = 0; i < m->bounds.n; i++)
        if (!strcmp(((DimBinding *)m->bounds.at[i])->name, name->text)) return i;
    bug(__FILE__, __LINE__, "a symbol without bounds");
}

static int64_t bound_of(const Module *m, int dim) { return ((DimBinding *)m->bounds.at[dim])->max; }

/* Only the outermost dim's extent tells how many bytes there are; else it is all of them. */
static const char *field_bytes(CudaHost *h, const Value *v) {
    if (!v) return format(h->e->arena, "{%lld, 0, 0}", (long long)h->m->state_bytes);
    const Type *t = &v->type;
    int open = 0;
    for (int i = 0; i < t->rank; i++) open += t->dim[i].symbol != NULL;
    if (open != 1 || !t->dim[0].symbol || t->dim[0].symbol->kind != SYMBOL_NAME)
        return format(h->e->arena, "{%lld, 0, 0}", (long long)value_bytes(v));
    int dim = dim_index(h->m, t->dim[0].symbol);
    return format(h->e->arena, "{0, %lld, %d}", (long long)(value_bytes(v) / bound_of(h->m, dim)), dim);
}

static const char *field_kind(const HostField *f) {
    if (!f->v) return "CARRIED";
    return f->v->train.block == BLOCK_FIELD ? "VALUE" : f->out ? "OUTPUT" : "INPUT";
}

static void put_fields(CudaHost *h) {
    Str *s = &h->e->c;
    if (!h->fields.n) return;
    put_text(s, "enum {");
    for (int i = 0; i < h->fields.n; i++) put(s, "%s F_%s", i ? "," : "", ((HostField *)h->fields.at[i])->name);
    put_text(s, " };\nstatic const nncc_cuda_field fields[] = {\n");
    for (int i = 0; i < h->fields.n; i++) {
        const HostField *f = h->fields.at[i];
        put(s, "    {\"%s\", NNCC_CUDA_%s%s, %lld, %s}, /* %s */\n", f->name, field_kind(f),
            f->optional ? " | NNCC_CUDA_OPTIONAL" : "", (long long)f->offset, field_bytes(h, f->v),
            f->v ? shape_text(h->e->arena, &f->v->type) : "carried from call to call");
    }
    put_text(s, "};\n\n");
}

/* ---- the program ---- */

/* With loops, entries are told which row is copied behind the dims that a call gives: put_row_dims(). */
static bool has_loops(const Graph *g) {
    for (const Node *n = g->regions ? g->first : NULL; n; n = n->next) {
        if (IS(n, Loop)) return true;
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph && has_loops(n->attr[i].graph)) return true;
    }
    return false;
}

/* Text as bytes: a string literal may hold 4,095 of them (C11 5.2.4.1). */
static void put_source(CudaHost *h, const Str *cu) {
    Str *s = &h->e->c;
    put_text(s, "/* model.cu, for NVRTC. */\nstatic const char source[] = {");
    for (size_t i = 0; i <= cu->n; i++) put(s, "%s%d,", i % 24 ? " " : "\n    ", i < cu->n ? cu->s[i] : 0);
    put_text(s, "\n};\n\n");
}

static List kernel_names(const Emit *e) {
    List names = {0};
    for (int i = 0; i < e->functions.n; i++) {
        const Function *f = e->functions.at[i];
        if (!is_part(f)) push(e->arena, &names, (void *)(uintptr_t)f->name);
    }
    return names;
}

static void put_kernels(CudaHost *h) {
    Emit *e = h->e;
    const List names = kernel_names(e);
    put_text(&e->c, names.n ? "enum {" : "");
    for (int i = 0; i < names.n; i++)
        put(&e->c, "%s%sK_%s", i ? "," : "", i % 6 ? " " : "\n    ", (const char *)names.at[i]);
    put_text(&e->c, names.n ? "\n};\n" : "");
    put_text(&e->c, "static const char *const kernels[] = {");
    for (int i = 0; i < names.n; i++)
        put(&e->c, "%s%s\"%s\"", i ? "," : "", i % 6 ? " " : "\n    ", (const char *)names.at[i]);
    put_text(&e->c, names.n ? "\n};\n\n" : "0};\n\n");
}

static int64_t weights_end(const Module *m) {
    int64_t end = 0;
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (embedded(v) && v->emit.block_offset + align_up(value_bytes(v), BUFFER_ALIGN) > end)
            end = v->emit.block_offset + align_up(value_bytes(v), BUFFER_ALIGN);
    }
    return end;
}

void put_host_program(CudaHost *h, Module **m, int n) {
    Emit *e = h->e;
    int64_t arena = 0, weights = h->weights_bytes;
    for (int k = 0; k < n; k++) {
        if (m[k]->arena_bytes > arena) arena = m[k]->arena_bytes;
        if (!weights) weights = weights_end(m[k]);
    }
    h->own_at = align_up(e->block_bytes[BLOCK_STATE], FIELD_ALIGN);
    put_kernels(h);
    put_fields(h);
    put(&e->c,
        "static const nncc_cuda_program program = {\n    \"%s\", 0x%016llxu, source, 0, kernels, %d, %d, %d, %s,\n    "
        "{",
        e->file, (unsigned long long)e->module_hash, kernel_names(e).n, h->fields.n,
        h->m->bounds.n + 2 * has_loops(h->m->main), h->fields.n ? "fields" : "0");
    const int64_t bytes[] = {weights,
                             e->block_bytes[BLOCK_PARAMS],
                             e->block_bytes[BLOCK_GRADS],
                             e->block_bytes[BLOCK_OPT],
                             h->own_at + OWN_BYTES + h->ticket_bytes + h->partial_bytes,
                             arena,
                             h->io_bytes};
    for (int i = 0; i < COUNT(bytes); i++) put(&e->c, "%s%lld", i ? ", " : "", (long long)bytes[i]);
    put_text(&e->c, "}, /* weights, params, grads, opt, state, arena, fields */\n};\n\n");
}

/* The arrays in the C, and where they go. */
void put_host_weights(CudaHost *h, Module **m, int n) {
    Emit *e = h->e;
    int count = 0;
    Str table = {.arena = e->arena};
    Map *seen = map_new(e->arena);
    for (int k = 0; k < n && !e->weights_apart; k++)
        for (int i = 0; i < m[k]->outside.n; i++) {
            const Value *v = m[k]->outside.at[i];
            if (!embedded(v) || !value_bytes(v) || map_get(seen, v->emit.cname)) continue;
            map_set(seen, v->emit.cname, e);
            put(&table, "    {%s, %lld, %lld},\n", v->emit.cname, (long long)v->emit.block_offset,
                (long long)value_bytes(v));
            count++;
        }
    h->weight_arrays = count;
    if (count)
        put(&e->c, "static const struct {\n    const void *from;\n    int64_t at, bytes;\n} weights[] = {\n%s};\n\n",
            table.s);
}

static void put_fill(CudaHost *h) {
    Emit *e = h->e;
    if (e->weights_apart)
        put(&e->c, "    if (!code) code = nncc_cuda_upload(net->device, NNCC_CUDA_WEIGHTS, 0, w, %lld);\n",
            (long long)e->m->weights_bytes);
    else if (h->weight_arrays)
        put(&e->c,
            "    for (int i = 0; i < %d && !code; i++)\n        code = nncc_cuda_upload(net->device, "
            "NNCC_CUDA_WEIGHTS, "
            "weights[i].at, weights[i].from, weights[i].bytes);\n",
            h->weight_arrays);
}

void put_host_open(CudaHost *h) {
    Emit *e = h->e;
    const char *p = e->prefix;
    put(&e->c, "int %s_open(%s_net *net) {\n    if (!net) return %s_E_NULL;\n", p, p, e->macro);
    if (e->weights_apart) put_weights_whole(e);
    put_text(&e->c, "    int code = nncc_cuda_open(&net->device, &program, net->options);\n");
    put_fill(h);
    put_text(&e->c, "    return code;\n}\n\n");
    put(&e->c, "void %s_close(%s_net *net) {\n    if (!net) return;\n", p, p);
    put_text(&e->c, "    nncc_cuda_close(net->device);\n    net->device = NULL;\n}\n\n");
    put(&e->c, "const char *%s_error(const %s_net *net) { return nncc_cuda_error(net->device); }\n\n", p, p);
}

void put_host_top(CudaHost *h, const Str *cu) {
    Emit *e = h->e;
    put(&e->c, GENERATED_BY " from %s, target %s. Do not edit. */\n", source_text(e), "cuda");
    put(&e->c,
        "#include \"%s.h\"\n#include <stddef.h>\n#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n",
        e->file);
    put_source(h, cu);
}

/* ---- blocks of a network that trains ---- */

const char *const cuda_blocks[BLOCKS] = {
#define BLOCK(name, ...) [BLOCK_##name] = #name,
#include "base/blocks.def"
#undef BLOCK
};

static void put_transfer(CudaHost *h, const char *verb) {
    Emit *e = h->e;
    put(&e->c, "int %s_%s(const %s_net *net) {\n    int code = net && net->device ? %s_OK : %s_E_NULL;\n", e->prefix,
        verb, e->prefix, e->macro, e->macro);
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        if (e->block_bytes[i])
            put(&e->c, "    if (!code && net->%s) code = nncc_cuda_%s(net->device, NNCC_CUDA_%s, 0, net->%s, %lld);\n",
                block_fields[i], verb, cuda_blocks[i], block_fields[i], (long long)e->block_bytes[i]);
    put_text(&e->c, "    return code;\n}\n\n");
}

void put_host_transfers(CudaHost *h) {
    put_transfer(h, "upload");
    put_transfer(h, "download");
}

/* ---- parts of the header ---- */

static void put_fields_of_net(Emit *e) {
    put_member(e, "nncc_cuda *device", format(e->arena, "set by %s_open", e->prefix));
    put_member(e, "const nncc_cuda_options *options", "GPU and stream; NULL: the first GPU, a new stream");
}

/* A network keeps a device, and can tell what went wrong there. */
static void put_open_prototypes(Emit *e) {
    put_text(&e->h,
             "/* Opens a GPU: loads the kernels, allocates device memory, copies the weights; close releases it.\n"
             " * Fields may point to host memory, or to device memory aligned to 16 bytes. */\n");
    put_prototype(e, "int ", "open", net_parameter(e, ""));
    put_prototype(e, "void ", "close", net_parameter(e, ""));
    put_text(&e->h, "/* The text of the last error of the device. */\n");
    put_prototype(e, "const char *", "error", net_parameter(e, "const "));
    put_text(&e->h, "\n");
}

/* Where the blocks are. */
static void put_block_prototypes(Emit *e) {
    const char *p = e->prefix;
    put(&e->h,
        "/* %s_init also fills the caller's params, opt and state; afterwards only the device's blocks are read and "
        "changed.\n * %s_download copies them to the caller's blocks, %s_upload from them; a NULL block is left "
        "out. */\n",
        p, p, p);
    put_prototype(e, "int ", "upload", net_parameter(e, "const "));
    put_prototype(e, "int ", "download", net_parameter(e, "const "));
}

/* ---- the backend ---- */

const Backend cuda_backend = {.device = true,
                              .pads_on_copy = true,
                              .ending = ".cu",
                              .schedules = cuda_schedules,
                              .print_nest = print_cuda_nest,
                              .emit = emit_cuda,
                              .emit_training = emit_cuda_training,
                              .include = "#include \"nncc_cuda.h\"\n",
                              .put_fields = put_fields_of_net,
                              .put_open = put_open_prototypes,
                              .put_transfers = put_block_prototypes};
