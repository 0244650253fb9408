/* emit_launch.c - the tables of launches, and the functions of the network that run them. */
#include "control/trips.h"
#include "cuda/emit_cuda.h"
#include "cuda/gemm.h"
#include "emit/interface.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "lower/lower.h"
#include "train/train.h"

enum { CONDITION_AT = 64 };

/* ---- launches ---- */

static const char *const home_blocks[] = {
    [HOME_ARENA] = "ARENA", [HOME_WEIGHTS] = "WEIGHTS", [HOME_LITERAL] = "WEIGHTS"};

Place place_of(const Module *m, const Value *v) {
    const Value *base = v->plan.base, *buffer = base->plan.buffer;
    int64_t shift = buffer == base ? 0 : base->plan.shift;
    if (buffer->plan.home == HOME_INPUT || buffer->plan.home == HOME_OUTPUT) {
        const Graph *g = m->main;
        const Value *port = buffer->plan.home == HOME_INPUT ? g->in[buffer->plan.slot] : g->out[buffer->plan.slot];
        return (Place){NULL, port->emit.cname, shift};
    }
    if (buffer->plan.home == HOME_BLOCK && has_state(m))
        return (Place){NULL, block_fields[BLOCK_STATE], buffer->emit.block_offset + shift};
    const char *block =
        buffer->plan.home == HOME_BLOCK ? cuda_blocks[buffer->train.block] : home_blocks[buffer->plan.home];
    int64_t at = buffer->plan.home == HOME_ARENA ? buffer->plan.offset : buffer->emit.block_offset;
    ASSERT(block && at >= 0);
    return (Place){block, NULL, at + shift};
}

/* "NNCC_CUDA_IN(NNCC_CUDA_WEIGHTS, 192, 48)": what a kernel or a copy does there. */
static const char *pointer_text(CudaHost *h, const Value *v, bool reads, bool writes, int64_t bytes) {
    Arena *a = h->e->arena;
    Place p = place_of(h->m, v);
    const char *way = reads && writes ? "INOUT" : writes ? "OUT" : "IN";
    if (p.block)
        return format(a, "NNCC_CUDA_%s(NNCC_CUDA_%s, %lld, %lld)", way, p.block, (long long)p.offset, (long long)bytes);
    if (!p.offset) return format(a, "NNCC_CUDA_FIELD_%s(F_%s)", way, p.field);
    return format(a, "{%s%s%s, 0, F_%s, %lld, {%lld, 0, 0}, 0}", reads ? "NNCC_CUDA_READS" : "",
                  reads && writes ? " | " : "", writes ? "NNCC_CUDA_WRITES" : "", p.field, (long long)p.offset,
                  (long long)bytes);
}

static const char *arg_comment(CudaHost *h, const Value *v) {
    if (h->m->opt->plain_names || !v->name || (v->kind == V_NODE && !v->graph)) return "";
    return format(h->e->arena, " /* %s */", comment_text(h->e->arena, v->name, 32));
}

static void put_argument(CudaHost *h, bool first, const char *text, const char *comment, bool last) {
    put(&h->e->c, "%s%s%s%s%s", first ? "" : "                    ", text, last ? ")}," : ",", comment, "\n");
}

static const char *own_text(CudaHost *h, int64_t at, int64_t bytes) {
    return format(h->e->arena, "NNCC_CUDA_INOUT(NNCC_CUDA_STATE, %lld, %lld)", (long long)at, (long long)bytes);
}

/* Of `all` arguments those from number n + 1 on; how many there are then. */
static int put_pointers(CudaHost *h, const Launch *x, int n, int all) {
    const Kernel *k = x->k;
    for (int i = 0; i < k->narg; i++) {
        const Value *v = k->arg[i];
        if (!launch_takes(x, i)) continue;
        n++;
        put_argument(h, n == 1, pointer_text(h, v, launch_reads(x, i), launch_writes(x, i), value_bytes(v)),
                     arg_comment(h, v), n == all);
    }
    if (x->parts < 2) return n;
    const int64_t tickets = h->own_at + OWN_BYTES, partials = tickets + h->ticket_bytes;
    put_argument(h, !n, own_text(h, partials + x->partials_at, partial_bytes(x)), " /* partial sums */", false);
    put_argument(h, false, own_text(h, tickets + x->tickets_at, 4 * column_blocks(x)), " /* tickets */", n + 2 == all);
    return n + 2;
}

static void put_args(CudaHost *h, const Launch *x) {
    Arena *a = h->e->arena;
    const Kernel *k = x->k;
    int n = 0, all = x->symbols.n + x->cooperative + extra_pointers(x);
    for (int i = 0; i < k->narg; i++) all += launch_takes(x, i);
    n = put_pointers(h, x, n, all);
    for (int i = 0; i < x->symbols.n; i++) {
        const Symbol *symbol = x->symbols.at[i];
        n++;
        put_argument(h, n == 1, format(a, "NNCC_CUDA_INT_OF(0, 1, %d)", dim_index(h->m, symbol)), "", n == all);
    }
    if (x->cooperative) put_argument(h, !n, own_text(h, h->own_at, 8), " /* barrier */", true);
}

/* "NNCC_CUDA_GRID(784, 256)": as many blocks as there are items, or `per` of them to a block. */
static void put_items(CudaHost *h, const Expr *items, int per) {
    const Expr *term[1];
    int64_t coef[1] = {0}, c = 1;
    int n = items ? affine(items, 1, term, coef, &c) : 0;
    if (n == 1 && term[0]->kind == E_SYM && term[0]->symbol->kind == SYMBOL_NAME)
        put(&h->e->c, "NNCC_CUDA_GRID_OF(%lld, %lld, %d, %d)", (long long)c, (long long)coef[0],
            dim_index(h->m, term[0]->symbol), per);
    else
        put(&h->e->c, "NNCC_CUDA_GRID(%lld, %d)", (long long)(n ? most_of(items) : c), per);
}

static void put_grid(CudaHost *h, const Launch *x) {
    if (x->parts > 1) {
        put(&h->e->c, "NNCC_CUDA_GRID(%lld, 1)", (long long)column_blocks(x) * x->parts);
        return;
    }
    if (!x->gemm) {
        put_items(h, x->items, x->groups ? x->groups : x->threads);
        return;
    }
    Lower l = {.k = x->k, .m = h->m, .arena = h->e->arena};
    const Gemm *g = x->gemm;
    Expr *rows = product_of_extents(&l, g->a.axis, g->a.n), *columns = product_of_extents(&l, g->b.axis, g->b.n);
    bool first = g->columns_first;
    put_items(h, first ? columns : rows, first ? g->tile.bn : g->tile.bm);
    put_text(&h->e->c, ", ");
    put_items(h, first ? rows : columns, first ? g->tile.bm : g->tile.bn);
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
}

static void open_part(CudaHost *h) {
    h->parts++, h->launches = 0;
    put(&h->e->c, "static const nncc_cuda_launch L_%s_%d[] = {\n", h->verb, h->parts);
}

static void put_batch(CudaHost *h, const Batch *b) {
    Str origin = {.arena = h->e->arena};
    const Launch *first = b->launches.at[0];
    int n = 0;
    put_node_origin(h->e, &origin, main_node(first->k) ? main_node(first->k) : first->k->node[0]);
    put(&h->e->c, "    {K_%s, \"%s and %d more\", {NNCC_CUDA_GRID(%lld, 1)}, {%d}, %lld, 0,\n     NNCC_CUDA_ARGS(",
        b->name, quoted(h->e->arena, origin.s ? origin.s : ""), b->launches.n - 1, (long long)b->blocks, b->threads,
        (long long)b->shared);
    for (int i = 0; i < b->launches.n; i++) n = put_pointers(h, b->launches.at[i], n, b->arguments);
}

/* A launch, or the batch that it begins. */
static void put_next(CudaHost *h, const Launch *x) {
    const Batch *b = x->batch;
    if (b && b->launches.at[0] != x) return;
    if (!h->open) open_part(h), h->open = true;
    h->launches++;
    if (b && b->launches.n > 1)
        put_batch(h, b);
    else
        put_launch(h, x);
}

/* ---- entries: a function is one run of launches, or several with branches of the host between ---- */

static void put_call_of_part(CudaHost *h, int indent) {
    put(&h->calls, "%*sif (!code) code = nncc_cuda_run(net->device, &E_%s_%d, dims, given);\n", 4 * indent, "", h->verb,
        h->parts);
}

static void close_part(CudaHost *h, int indent) {
    Str *s = &h->e->c;
    put(s, "};\nstatic const nncc_cuda_entry E_%s_%d = {\"%s_%s\", %d, %s, L_%s_%d, %s};\n\n", h->verb, h->parts,
        h->e->prefix, h->verb, h->launches, h->used.n ? format(h->e->arena, "%d", h->used.n) : "0", h->verb, h->parts,
        h->used.n ? format(h->e->arena, "U_%s", h->verb) : "0");
    put_call_of_part(h, indent);
}

static void open_copy(CudaHost *h, const char *kind, const char *op) {
    if (!h->open) open_part(h);
    h->open = true, h->launches++;
    put(&h->e->c, "    {NNCC_CUDA_%s, \"%s\", {{{0, 0, 0}, 0}}, {0}, 0, 0,\n     NNCC_CUDA_ARGS(", kind, op);
}

/* Copies bytes of a value to another, or to the place that a text names. */
static void put_copy(CudaHost *h, const char *op, const Value *to, const Value *from, const char *where,
                     int64_t bytes) {
    open_copy(h, "COPY", op);
    put_argument(h, true, to ? pointer_text(h, to, false, true, bytes) : where, "", false);
    put_argument(h, false, pointer_text(h, from, true, false, bytes), "", true);
}

static void end_part(CudaHost *h, int indent) {
    if (h->open) close_part(h, indent);
    h->open = false, h->launches = 0;
}

static void put_graph(CudaHost *h, const Graph *g, int indent);

static void put_branch(CudaHost *h, const Node *n, const Graph *g, int indent) {
    put_graph(h, g, indent);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && in_use(n->out[i]->plan.base) && value_bytes(n->out[i]))
            put_copy(h, "If", n->out[i], g->out[i], NULL, value_bytes(n->out[i]));
    end_part(h, indent);
}

static bool get_truth(const Value *v) { return is_known(v) && get_i(v->data, 0); }

static bool is_told(const Value *v) { return v->data && v->data->count == 1 && !in_use(v); }

/* What decides is copied behind the state, and from there to a variable of the host. */
static void ask(CudaHost *h, const char *op, const Value *v, const char *variable, int indent) {
    int64_t at = h->own_at + CONDITION_AT;
    int bytes = dtypes[v->type.dtype].bytes;
    put_copy(h, op, NULL, v, format(h->e->arena, "NNCC_CUDA_OUT(NNCC_CUDA_STATE, %lld, %d)", (long long)at, bytes),
             bytes);
    end_part(h, indent);
    put(&h->calls, "%*sif (!code) code = nncc_cuda_download(net->device, NNCC_CUDA_STATE, %lld, &%s, %d);\n",
        4 * indent, "", (long long)at, variable, bytes);
}

static void put_if(CudaHost *h, const Node *n, int indent) {
    const Value *c = n->in[0];
    bool known = is_told(c);
    if (!known) ask(h, "If", c, "condition", indent), h->conditions = true;
    end_part(h, indent);
    put(&h->calls, "%*sif (%s) {\n", 4 * indent, "", known ? (get_i(c->data, 0) ? "1" : "0") : "condition");
    put_branch(h, n, attr(n, "then_branch")->graph, indent + 1);
    put(&h->calls, "%*s} else {\n", 4 * indent, "");
    put_branch(h, n, attr(n, "else_branch")->graph, indent + 1);
    put(&h->calls, "%*s}\n", 4 * indent, "");
}

static void put_carried(CudaHost *h, const Node *n, Value *const *from) {
    for (int k = 0; k < loop_carried(n); k++)
        if (is_stored(n->out[k]) && from[k]->plan.base != n->out[k]->plan.base)
            put_copy(h, "Loop", n->out[k], from[k], NULL, value_bytes(n->out[k]));
}

/* Behind the dims of a call entries are told where a row goes and how long it is: in rows, or in bytes where an extent
 * of the call decides. */
static void put_row_dims(CudaHost *h, const Value *row, const char *iteration, int indent) {
    int at = h->m->bounds.n;
    const char *bytes = bytes_in_call(h->e, row);
    if (has_open_dims(&row->type))
        put(&h->calls, "%*sdims[%d] = (int)(%s * (%s)), dims[%d] = (int)(%s);\n", 4 * indent, "", at, iteration, bytes,
            at + 1, bytes);
    else
        put(&h->calls, "%*sdims[%d] = (int)%s, dims[%d] = 1;\n", 4 * indent, "", at, iteration, at + 1);
}

/* Rows are copied behind those of the iterations before. */
static void put_rows(CudaHost *h, const Node *n, const char *iteration, int indent) {
    const Graph *body = loop_body(n);
    int at = h->m->bounds.n;
    for (int k = loop_carried(n); k < n->nout; k++) {
        const Value *row = body->out[BODY_CARRIED + k];
        long long unit = has_open_dims(&row->type) ? 1 : (long long)value_bytes(row);
        if (!is_stored(n->out[k])) continue;
        put_row_dims(h, row, iteration, indent);
        open_copy(h, "ROW", "Loop");
        put_argument(h, true, pointer_text(h, n->out[k], false, true, value_bytes(n->out[k])), "", false);
        put_argument(h, false, pointer_text(h, row, true, false, value_bytes(row)), "", false);
        put_argument(h, false, format(h->e->arena, "{NNCC_CUDA_INT64, 0, -1, 0, {0, %lld, %d}, 0}", unit, at), "",
                     false);
        put_argument(h, false, format(h->e->arena, "{NNCC_CUDA_INT64, 0, -1, 0, {0, %lld, %d}, 0}", unit, at + 1), "",
                     true);
        end_part(h, indent);
    }
}

static bool stores_rows(const Node *n) {
    for (int k = loop_carried(n); k < n->nout; k++)
        if (is_stored(n->out[k])) return true;
    return false;
}

/* Data may end the loop before all rows are written. */
static void clear_rows(CudaHost *h, const Node *n) {
    for (int k = loop_carried(n); k < n->nout; k++) {
        if (!is_stored(n->out[k])) continue;
        open_copy(h, "FILL", "Loop");
        put_argument(h, true, pointer_text(h, n->out[k], false, true, value_bytes(n->out[k])), "", false);
        put_argument(h, false, "NNCC_CUDA_INT(0)", "", true);
    }
}

/* The number of iterations, or the variable that is to have it; NULL: there is none. */
static const char *trip_count(CudaHost *h, const Node *n, int number) {
    const Value *m = input(n, LOOP_M);
    const char *most = m ? iterations(h->e, m) : NULL;
    return m && !most ? format(h->e->arena, "most%d", number) : most;
}

/* "more1 && i1 < 100", with the variables that it needs. */
static const char *loop_test(CudaHost *h, const Node *n, int number, bool asked, int indent) {
    Arena *a = h->e->arena;
    const Value *m = input(n, LOOP_M), *cond = input(n, LOOP_COND);
    const char *most = trip_count(h, n, number), *more = format(a, "more%d", number);
    if (asked) put(&h->calls, "%*sunsigned char %s = %d;\n", 4 * indent, "", more, !cond || get_truth(cond));
    if (asked && cond && !is_told(cond)) ask(h, "Loop", cond, more, indent);
    if (m && !iterations(h->e, m)) {
        put(&h->calls, "%*s%s %s = 0;\n", 4 * indent, "", dtypes[m->type.dtype].c, most);
        ask(h, "Loop", m, most, indent);
    }
    return format(a, "!code%s%s%s", asked ? format(a, " && %s", more) : "", most ? format(a, " && i%d < ", number) : "",
                  most ? most : "");
}

static void put_loop(CudaHost *h, const Node *n, int indent) {
    const Graph *body = loop_body(n);
    int number = ++h->loops;
    bool asked = input(n, LOOP_COND) || !is_known(body->out[BODY_COND]), rows = stores_rows(n);
    put_carried(h, n, n->in + LOOP_CARRIED);
    if (rows && !loop_trips(n).exact) clear_rows(h, n);
    end_part(h, indent);
    const char *test = loop_test(h, n, number, asked, indent);
    end_part(h, indent);
    put(&h->calls, "%*sfor (int64_t i%d = 0; %s; i%d++) {\n", 4 * indent, "", number, test, number);
    put_graph(h, body, indent + 1);
    end_part(h, indent + 1);
    const char *row = format(h->e->arena, "i%d", number);
    if (rows_from_end(n)) row = format(h->e->arena, "(%s - 1 - %s)", trip_count(h, n, number), row);
    put_rows(h, n, row, indent + 1);
    if (rows) put(&h->calls, "%*sdims[%d] = dims[%d] = 0;\n", 4 * indent + 4, "", h->m->bounds.n, h->m->bounds.n + 1);
    if (asked && !is_told(body->out[BODY_COND]))
        ask(h, "Loop", body->out[BODY_COND], format(h->e->arena, "more%d", number), indent + 1);
    else if (asked)
        put(&h->calls, "%*smore%d = %d;\n", 4 * indent + 4, "", number, get_truth(body->out[BODY_COND]));
    put_carried(h, n, body->out + BODY_CARRIED);
    end_part(h, indent + 1);
    put(&h->calls, "%*s}\n", 4 * indent, "");
}

/* What an Extent has computed is asked for: grids depend on it. */
static void put_computed(CudaHost *h, const Node *n, int indent) {
    const DimBinding *b = computed_by(n);
    bool checked = attr_i(n, "checked");
    if (!b && !checked) return;
    h->measures = true;
    ask(h, "Extent", n->out[0], "extent", indent);
    if (checked)
        put(&h->calls, "%*sif (!code && (extent < %lld || extent > %lld)) code = %s_E_BOUND;\n", 4 * indent, "",
            (long long)attr_i(n, "least"), (long long)attr_i(n, "most"), h->e->macro);
    if (b) put(&h->calls, "%*sif (!code) dims[%d] = (int)extent;\n", 4 * indent, "", dim_index(h->m, b->symbol));
}

static void put_graph(CudaHost *h, const Graph *g, int indent) {
    bool main = g == h->m->main;
    const Node *end = main ? end_node(h->e) : NULL;
    for (const Node *n = main ? first_node(h->e) : g->first; n != end; n = n->next) {
        if (IS(n, If)) put_if(h, n, indent);
        if (IS(n, Loop)) put_loop(h, n, indent);
        for (int i = 0; n->code && i < n->code->launches.n; i++) put_next(h, n->code->launches.at[i]);
        if (n->op->measures && n->code) put_computed(h, n, indent);
    }
}

static void put_used_fields(CudaHost *h) {
    h->used.n = 0;
    const Graph *g = h->m->main;
    if (has_state(h->m)) push(h->e->arena, &h->used, find_field(h, block_fields[BLOCK_STATE]));
    for (int i = 0; i < g->nin; i++)
        if (in_use(g->in[i]->plan.base) && in_function(h->e, g->in[i]->plan.base))
            push(h->e->arena, &h->used, find_field(h, g->in[i]->emit.cname));
    for (int i = 0; i < g->nout; i++)
        if (in_function(h->e, g->out[i]->plan.base)) push(h->e->arena, &h->used, find_field(h, g->out[i]->emit.cname));
    if (!h->used.n) return;
    put(&h->e->c, "static const int U_%s[] = {", h->verb);
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
            if (f->v && f->v->train.block == BLOCK_FIELD)
                put(s, "    given[F_%s] = (void *)(uintptr_t)&net->%s;\n", f->name, f->name);
            else
                put(s, "    given[F_%s] = %snet->%s;\n", f->name, f->out ? "" : "(void *)(uintptr_t)", f->name);
        }
    } else {
        put_text(s, "    void *given[1] = {0};\n");
    }
    put(s, "    %sint dims[] = {", h->loops || h->measures ? "" : "const ");
    for (int i = 0; i < h->m->bounds.n; i++) {
        const DimBinding *b = h->m->bounds.at[i];
        put(s, "%s%s%s", i ? ", " : "", b->computed ? "" : "net->", b->computed ? "0" : b->cname);
    }
    put(s, "%s%s};\n", !h->m->bounds.n ? "0" : h->loops ? ", 0" : "", h->loops ? ", 0" : "");
}

void put_host_run(CudaHost *h, Module *m, const char *verb) {
    Emit *e = h->e;
    h->m = e->m = m, h->verb = verb, h->parts = 0, h->open = h->conditions = h->measures = false, h->loops = 0,
    h->calls.n = 0;
    put_used_fields(h);
    put_graph(h, m->main, 1);
    end_part(h, 1);
    put(&e->c, "int %s_%s(const %s_net *net) {\n", e->prefix, verb, e->prefix);
    put_checks(e);
    put_given(h);
    if (h->parts == 1 && !h->conditions && !h->measures && !h->loops) {
        put(&e->c, "    return nncc_cuda_run(net->device, &E_%s_1, dims, given);\n}\n", verb);
        return;
    }
    if (h->conditions) put_text(&e->c, "    unsigned char condition = 0;\n");
    if (h->measures) put_text(&e->c, "    int64_t extent = 0;\n");
    put(&e->c, "    int code = %s_OK;\n", e->macro);
    if (!h->parts)
        put_text(&e->c, "    (void)given, (void)dims;\n");
    else if (!e->second) /* it needs what the first left */
        put_text(&e->c, "    nncc_cuda_begin(net->device);\n");
    if (h->calls.n) put_bytes(&e->c, h->calls.s, h->calls.n);
    put_text(&e->c, "    return code;\n}\n");
}
