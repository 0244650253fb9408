/* emit_cuda_host.c - the C beside model.cu: tables of what lies where and what is launched, for runtime/nncc_cuda.h. */
#include "emit_cuda.h"
#include "loop/gemm.h"
#include "train.h"

enum {
    FIELD_ALIGN = 256,
    OWN_BYTES = 256 /* behind the state, zeros at first: barrier, conditions */,
    CONDITION_AT = 64
};

static int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* ---- fields: what the caller's struct points to ---- */

static HostField *find_field(CudaHost *h, const char *name) {
    for (int i = 0; i < h->fields.n; i++) {
        HostField *f = h->fields.at[i];
        if (!strcmp(f->name, name)) return f;
    }
    return NULL;
}

static void add_field(CudaHost *h, const Value *v, bool out) {
    if (find_field(h, v->cname)) return;
    HostField *f = NEW(h->e->arena, HostField);
    *f = (HostField){v->cname, v, out, h->fields.n, h->io_bytes};
    h->io_bytes += rounded_up(value_bytes(v) ? value_bytes(v) : 1, FIELD_ALIGN);
    push(h->e->arena, &h->fields, f);
}

void add_host_fields(CudaHost *h, const Module *m) {
    for (int i = 0; i < m->main->nin; i++) add_field(h, m->main->in[i], false);
    for (int i = 0; i < m->main->nout; i++) add_field(h, m->main->out[i], true);
}

static int dim_index(const Module *m, const char *symbol) {
    for (int i = 0; i < m->bounds.n; i++)
        if (!strcmp(((DimBinding *)m->bounds.at[i])->name, symbol)) return i;
    bug(__FILE__, __LINE__, "a symbol without bounds");
}

static int64_t bound_of(const Module *m, int dim) { return ((DimBinding *)m->bounds.at[dim])->max; }

/* Only the outermost dim's extent tells how many bytes there are; else it is all of them. */
static const char *field_bytes(CudaHost *h, const Value *v) {
    const Type *t = &v->type;
    int open = 0;
    for (int i = 0; i < t->rank; i++) open += t->dim[i].symbol != NULL;
    if (open != 1 || !t->dim[0].symbol) return format(h->e->arena, "{%lld, 0, 0}", (long long)value_bytes(v));
    int dim = dim_index(h->m, t->dim[0].symbol);
    return format(h->e->arena, "{0, %lld, %d}", (long long)(value_bytes(v) / bound_of(h->m, dim)), dim);
}

static void put_fields(CudaHost *h) {
    Str *s = &h->e->c;
    if (!h->fields.n) return;
    put_text(s, "enum {");
    for (int i = 0; i < h->fields.n; i++) put(s, "%s F_%s", i ? "," : "", ((HostField *)h->fields.at[i])->name);
    put_text(s, " };\nstatic const nncc_cuda_field fields[] = {\n");
    for (int i = 0; i < h->fields.n; i++) {
        const HostField *f = h->fields.at[i];
        const char *kind = f->v->part == PART_FIELD ? "VALUE" : f->out ? "OUTPUT" : "INPUT";
        put(s, "    {\"%s\", NNCC_CUDA_%s, %lld, %s}, /* %s */\n", f->name, kind, (long long)f->offset,
            field_bytes(h, f->v), shape_text(h->e->arena, &f->v->type));
    }
    put_text(s, "};\n\n");
}

/* ---- launches ---- */

static const char *const block_names[] = {
    [HOME_ARENA] = "ARENA", [HOME_WEIGHTS] = "WEIGHTS", [HOME_LITERAL] = "WEIGHTS"};
static const char *const part_blocks[] = {
    [PART_PARAMS] = "PARAMS", [PART_GRADS] = "GRADS", [PART_OPT] = "OPT", [PART_STATE] = "STATE"};

/* "NNCC_CUDA_ARENA, -1, 4096" or "0, F_x, 0". */
static const char *place_text(CudaHost *h, const Value *v) {
    Arena *a = h->e->arena;
    const Value *lead = v->lead, *root = lead->root;
    int64_t shift = root == lead ? 0 : lead->shift;
    if (root->home == HOME_INPUT || root->home == HOME_OUTPUT) {
        const Graph *g = h->m->main;
        const Value *port = root->home == HOME_INPUT ? g->in[root->slot] : g->out[root->slot];
        return format(a, "0, F_%s, %lld", port->cname, (long long)shift);
    }
    const char *block = root->home == HOME_PART ? part_blocks[root->part] : block_names[root->home];
    int64_t at = root->home == HOME_ARENA ? root->offset : root->where;
    ASSERT(block && at >= 0);
    return format(a, "NNCC_CUDA_%s, -1, %lld", block, (long long)(at + shift));
}

static void put_pointer(CudaHost *h, const Value *v, bool reads, bool writes) {
    const char *kind = reads && writes ? "NNCC_CUDA_READS | NNCC_CUDA_WRITES"
                       : writes        ? "NNCC_CUDA_WRITES"
                                       : "NNCC_CUDA_READS";
    put(&h->e->c, "{%s, %s, {%lld, 0, 0}, 0}", kind, place_text(h, v), (long long)value_bytes(v));
}

static const char *arg_comment(CudaHost *h, const Value *v) {
    if (h->m->opt->plain_names || !v->name || (v->kind == V_NODE && !v->graph)) return "";
    return format(h->e->arena, " /* %s */", comment_text(h->e->arena, v->name, 32));
}

static void put_args(CudaHost *h, const Launch *x) {
    Str *s = &h->e->c;
    const Kernel *k = x->k;
    const char *comma = "";
    for (int i = 0; i < k->narg; i++) {
        if (!launch_takes(x, i)) continue;
        put(s, "%s\n                    ", comma), comma = ",";
        put_pointer(h, k->arg[i], launch_reads(x, i), launch_writes(x, i));
        put_text(s, arg_comment(h, k->arg[i]));
    }
    for (int i = 0; i < x->symbols.n; i++, comma = ",")
        put(s, "%s\n                    NNCC_CUDA_INT_OF(0, 1, %d)", comma, dim_index(h->m, x->symbols.at[i]));
    if (x->cooperative)
        put(s, "%s\n                    NNCC_CUDA_INOUT(NNCC_CUDA_STATE, %lld, 8)", comma, (long long)h->own_at);
}

/* "NNCC_CUDA_GRID(784, 256)": as many blocks as there are items, or `per` of them to a block. */
static void put_items(CudaHost *h, const Expr *items, int per) {
    const Expr *term[1];
    int64_t coef[1] = {0}, c = 1;
    int n = items ? affine(items, 1, term, coef, &c) : 0;
    if (n == 1 && term[0]->kind == E_SYM)
        put(&h->e->c, "NNCC_CUDA_GRID_OF(%lld, %lld, %d, %d)", (long long)c, (long long)coef[0],
            dim_index(h->m, term[0]->dim.symbol), per);
    else
        put(&h->e->c, "NNCC_CUDA_GRID(%lld, %d)", (long long)(n ? most_of(items) : c), per);
}

static void put_grid(CudaHost *h, const Launch *x) {
    if (!x->gemm) {
        put_items(h, x->items, x->rows ? 1 : x->threads);
        return;
    }
    Lower l = {.k = x->k, .m = h->m, .arena = h->e->arena};
    const Gemm *g = x->gemm;
    put_items(h, product_of_extents(&l, g->a.axis, g->a.n), g->tile.bm);
    put_text(&h->e->c, ", ");
    put_items(h, product_of_extents(&l, g->b.axis, g->b.n), g->tile.bn);
    put_text(&h->e->c, ", ");
    put_items(h, product_of_extents(&l, g->separate, g->nseparate), 1);
}

static const char *quoted(Arena *a, const char *s) {
    Str q = {.arena = a};
    for (; *s; s++)
        if (*s != '"' && *s != '\\') put_bytes(&q, s, 1);
    return q.s ? q.s : "";
}

static void put_launch(CudaHost *h, const Launch *x) {
    Str *s = &h->e->c, origin = {.arena = h->e->arena};
    put_node_origin(h->e, &origin, main_node(x->k) ? main_node(x->k) : x->k->node[0]);
    put(s, "    {K_%s, \"%s\", {", x->name, quoted(h->e->arena, origin.s ? origin.s : ""));
    put_grid(h, x);
    put(s, "}, {%d}, %lld, %d,\n     NNCC_CUDA_ARGS(", x->threads, (long long)x->shared, x->cooperative);
    put_args(h, x);
    put_text(s, ")},\n");
}

/* ---- entries: a function is one run of launches, or several with branches of the host between ---- */

static void open_part(CudaHost *h) {
    h->parts++, h->launches = 0;
    put(&h->e->c, "static const nncc_cuda_launch %s_launches_%d[] = {\n", h->verb, h->parts);
}

static void put_call_of_part(CudaHost *h, int indent) {
    put(&h->calls, "%*sif (!code) code = nncc_cuda_run(net->device, &%s_%d, dims, given);\n", 4 * indent, "", h->verb,
        h->parts);
}

static void close_part(CudaHost *h, int indent) {
    Str *s = &h->e->c;
    put(s, "};\nstatic const nncc_cuda_entry %s_%d = {\"%s_%s\", %d, %s, %s_launches_%d, %s};\n\n", h->verb, h->parts,
        h->e->prefix, h->verb, h->launches, h->used.n ? format(h->e->arena, "%d", h->used.n) : "0", h->verb, h->parts,
        h->used.n ? format(h->e->arena, "%s_fields", h->verb) : "0");
    put_call_of_part(h, indent);
}

static void put_copy(CudaHost *h, const Value *to, const Value *from, const char *where, int64_t bytes) {
    Str *s = &h->e->c;
    if (!h->launches++ && !h->open) open_part(h), h->launches = 1, h->open = true;
    put_text(s, "    {NNCC_CUDA_COPY, \"If\", {{{0, 0, 0}, 0}}, {0}, 0, 0,\n     NNCC_CUDA_ARGS(");
    if (to)
        put(s, "{NNCC_CUDA_WRITES, %s, {%lld, 0, 0}, 0}", place_text(h, to), (long long)bytes);
    else
        put_text(s, where);
    put(s, ",\n                    {NNCC_CUDA_READS, %s, {%lld, 0, 0}, 0})},\n", place_text(h, from), (long long)bytes);
}

static void end_part(CudaHost *h, int indent) {
    if (h->open) close_part(h, indent);
    h->open = false, h->launches = 0;
}

static void put_graph(CudaHost *h, const Graph *g, int indent);

static void put_branch(CudaHost *h, const Node *n, const Graph *g, int indent) {
    put_graph(h, g, indent);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && in_use(n->out[i]->lead) && value_bytes(n->out[i]))
            put_copy(h, n->out[i], g->out[i], NULL, value_bytes(n->out[i]));
    end_part(h, indent);
}

/* What decides is copied behind the state, and from there to the host. */
static void put_if(CudaHost *h, const Node *n, int indent) {
    const Value *c = n->in[0];
    bool known = c->data && c->data->count == 1 && !in_use(c);
    if (!known) {
        int64_t at = h->own_at + CONDITION_AT;
        put_copy(h, NULL, c, format(h->e->arena, "NNCC_CUDA_OUT(NNCC_CUDA_STATE, %lld, 1)", (long long)at), 1);
        end_part(h, indent);
        put(&h->calls, "%*sif (!code) code = nncc_cuda_download(net->device, NNCC_CUDA_STATE, %lld, &condition, 1);\n",
            4 * indent, "", (long long)at);
        h->conditions = true;
    }
    end_part(h, indent);
    put(&h->calls, "%*sif (%s) {\n", 4 * indent, "", known ? (get_i(c->data, 0) ? "1" : "0") : "condition");
    put_branch(h, n, attr(n, "then_branch")->graph, indent + 1);
    put(&h->calls, "%*s} else {\n", 4 * indent, "");
    put_branch(h, n, attr(n, "else_branch")->graph, indent + 1);
    put(&h->calls, "%*s}\n", 4 * indent, "");
}

static void put_graph(CudaHost *h, const Graph *g, int indent) {
    for (const Node *n = g->first; n; n = n->next) {
        if (IS(n, If)) put_if(h, n, indent);
        for (int i = 0; n->code && !IS(n, If) && i < n->code->launches.n; i++) {
            if (!h->open) open_part(h), h->open = true;
            h->launches++;
            put_launch(h, n->code->launches.at[i]);
        }
    }
}

static void put_used_fields(CudaHost *h) {
    h->used.n = 0;
    const Graph *g = h->m->main;
    for (int i = 0; i < g->nin; i++)
        if (in_use(g->in[i]->lead)) push(h->e->arena, &h->used, find_field(h, g->in[i]->cname));
    for (int i = 0; i < g->nout; i++) push(h->e->arena, &h->used, find_field(h, g->out[i]->cname));
    if (!h->used.n) return;
    put(&h->e->c, "static const int %s_fields[] = {", h->verb);
    for (int i = 0; i < h->used.n; i++) put(&h->e->c, "%sF_%s", i ? ", " : "", ((HostField *)h->used.at[i])->name);
    put_text(&h->e->c, "};\n");
}

/* ---- a function of the network ---- */

static void put_given(CudaHost *h) {
    Str *s = &h->e->c;
    if (h->fields.n) {
        put(s, "    void *given[%d] = {0};\n", h->fields.n);
        for (int i = 0; i < h->used.n; i++) {
            const HostField *f = h->used.at[i];
            if (f->v->part == PART_FIELD)
                put(s, "    given[F_%s] = (void *)(uintptr_t)&net->%s;\n", f->name, f->name);
            else
                put(s, "    given[F_%s] = %snet->%s;\n", f->name, f->out ? "" : "(void *)(uintptr_t)", f->name);
        }
    } else {
        put_text(s, "    void *given[1] = {0};\n");
    }
    put_text(s, "    const int dims[] = {");
    for (int i = 0; i < h->m->bounds.n; i++)
        put(s, "%snet->%s", i ? ", " : "", ((DimBinding *)h->m->bounds.at[i])->cname);
    put_text(s, h->m->bounds.n ? "};\n" : "0};\n");
}

void put_host_run(CudaHost *h, Module *m, const char *verb) {
    Emit *e = h->e;
    h->m = e->m = m, h->verb = verb, h->parts = 0, h->open = h->conditions = false, h->calls.n = 0;
    put_used_fields(h);
    put_graph(h, m->main, 1);
    end_part(h, 1);
    put(&e->c, "int %s_%s(const %s_net *net) {\n", e->prefix, verb, e->prefix);
    put_checks(e);
    put_given(h);
    if (h->conditions) put_text(&e->c, "    unsigned char condition = 0;\n");
    put(&e->c, "    int code = %s_OK;\n", e->macro);
    if (!h->parts) put_text(&e->c, "    (void)given, (void)dims;\n");
    if (h->calls.n) put_bytes(&e->c, h->calls.s, h->calls.n);
    put_text(&e->c, "    return code;\n}\n");
}

/* ---- the program ---- */

/* Text as bytes: a string literal may hold 4,095 of them (C11 5.2.4.1). */
static void put_source(CudaHost *h, const Str *cu) {
    Str *s = &h->e->c;
    put_text(s, "/* model.cu, for NVRTC. */\nstatic const char source[] = {");
    for (size_t i = 0; i <= cu->n; i++) put(s, "%s%d,", i % 24 ? " " : "\n    ", i < cu->n ? cu->s[i] : 0);
    put_text(s, "\n};\n\n");
}

static void put_kernels(CudaHost *h) {
    Emit *e = h->e;
    put_text(&e->c, e->functions.n ? "enum {" : "");
    for (int i = 0; i < e->functions.n; i++)
        put(&e->c, "%s%sK_%s", i ? "," : "", i % 6 ? " " : "\n    ", ((Function *)e->functions.at[i])->name);
    put_text(&e->c, e->functions.n ? "\n};\n" : "");
    put_text(&e->c, "static const char *const kernels[] = {");
    for (int i = 0; i < e->functions.n; i++)
        put(&e->c, "%s%s\"%s\"", i ? "," : "", i % 6 ? " " : "\n    ", ((Function *)e->functions.at[i])->name);
    put_text(&e->c, e->functions.n ? "\n};\n\n" : "0};\n\n");
}

static int64_t weights_end(const Module *m) {
    int64_t end = 0;
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (embedded(v) && v->where + rounded_up(value_bytes(v), BUFFER_ALIGN) > end)
            end = v->where + rounded_up(value_bytes(v), BUFFER_ALIGN);
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
    h->own_at = rounded_up(e->part_bytes[PART_STATE], FIELD_ALIGN);
    put_kernels(h);
    put_fields(h);
    put(&e->c,
        "static const nncc_cuda_program program = {\n    \"%s\", 0x%016llxu, source, 0, kernels, %d, %d, %d, %s,\n    "
        "{",
        e->prefix, (unsigned long long)e->module_hash, e->functions.n, h->fields.n, h->m->bounds.n,
        h->fields.n ? "fields" : "0");
    const int64_t bytes[] = {weights,
                             e->part_bytes[PART_PARAMS],
                             e->part_bytes[PART_GRADS],
                             e->part_bytes[PART_OPT],
                             h->own_at + OWN_BYTES,
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
            if (!embedded(v) || !value_bytes(v) || map_get(seen, v->cname)) continue;
            map_set(seen, v->cname, e);
            put(&table, "    {%s, %lld, %lld},\n", v->cname, (long long)v->where, (long long)value_bytes(v));
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
    put(&e->c, "/* Generated by nncc " NNCC_VERSION " from %s, target %s. Do not edit. */\n", source_text(e), "cuda");
    put(&e->c,
        "#include \"%s.h\"\n#include <stddef.h>\n#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n",
        e->prefix);
    put_source(h, cu);
}

/* ---- blocks of a network that trains ---- */

static void put_transfer(CudaHost *h, const char *verb) {
    Emit *e = h->e;
    put(&e->c, "int %s_%s(const %s_net *net) {\n    int code = net && net->device ? %s_OK : %s_E_NULL;\n", e->prefix,
        verb, e->prefix, e->macro, e->macro);
    for (int i = PART_PARAMS; i <= PART_STATE; i++)
        if (e->part_bytes[i])
            put(&e->c, "    if (!code && net->%s) code = nncc_cuda_%s(net->device, NNCC_CUDA_%s, 0, net->%s, %lld);\n",
                part_names[i], verb, part_blocks[i], part_names[i], (long long)e->part_bytes[i]);
    put_text(&e->c, "    return code;\n}\n\n");
}

void put_host_transfers(CudaHost *h) {
    put_transfer(h, "upload");
    put_transfer(h, "download");
}
