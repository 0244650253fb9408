/* render_launch.c - a launch of CUDA as a __global__ function, and the statements that only such have. */
#include "cuda/cuda.h"

/* ---- statements ---- */

/* Whether the loop is over groups of which a block has several: then each thread knows its iteration from the start. */
static bool over_groups(Render *r, const Stmt *s) {
    if (s->axis->kind != AX_BLOCKS || r->launch->groups < 2) return false;
    r->axis_name[s->axis->id] = "column";
    return true;
}

/* What an iteration of CUDA's loops is: one for each thread, for each block, or distributed over a thread group. */
static bool parallel_head(Render *r, const Stmt *s) {
    if (over_groups(r, s)) return false;
    if (s->axis == r->launch->share) return r->axis_name[s->axis->id] = "share", false;
    const char *one = s->axis->kind == AX_BLOCKS ? "block" : "thread";
    bool once = s->axis->kind == AX_GROUP && s->axis->size->kind == E_INT && s->axis->size->i == 1;
    start_line(r);
    if (s->axis->kind == AX_GROUP && !once) {
        r->axis_name[s->axis->id] = take_name(r, s->axis->name);
        put(r->out, "for (%s %s = ", r->index_type, r->axis_name[s->axis->id]);
        if (s->lo) expr(r, s->lo, PREC_ADD), put_text(r->out, " + ");
        put(r->out, "thread; %s < ", r->axis_name[s->axis->id]);
        expr(r, s->hi ? s->hi : s->axis->size, PREC_LESS + 1);
        put(r->out, "; %s += threads)", r->axis_name[s->axis->id]);
        return true;
    }
    r->axis_name[s->axis->id] = once ? "0" : one;
    put(r->out, once ? "if (%s == " : "if (%s < ", one);
    if (once)
        put_text(r->out, "0");
    else
        expr(r, s->axis->size, PREC_LESS + 1);
    put_text(r->out, ")");
    return true;
}

static void line(Render *r, const char *text) {
    start_line(r);
    put(r->out, "%s\n", text);
}

/* Each block leaves its part of the sums; the last one goes on with all of them. */
static void combine_parts(Render *r, const Stmt *s, const char *t, const char *f) {
    const Launch *x = r->launch;
    Arena *a = r->arena;
    const char *width = format(a, "%lld", (long long)column_blocks(x) * x->groups);
    const char *mine =
        format(a, "blockIdx.x %% %lld * %d + threadIdx.x %% %d", (long long)column_blocks(x), x->groups, x->groups);
    line(r, format(a, "const int mine = %s;", mine));
    line(r, format(a, "if (lane == 0) partials[part * %s + mine] = %s;", width, t));
    line(r, format(a, "if (!nncc_last_part(tickets + blockIdx.x %% %lld, %d, shared)) return;",
                   (long long)column_blocks(x), x->parts));
    line(r, format(a, "%s = 0;", t));
    line(r, format(a, "for (int p = lane; p < %d; p += threads) %s += nncc_ld_new(partials + p * %s + mine);", x->parts,
                   t, width));
    line(r, format(a, "%s = %s(%s, shared);", t, f, t));
    (void)s;
}

/* sum = group_sum_f32(sum, shared); */
static void combine(Render *r, const Stmt *s) {
    const char *t = r->temp_name[s->temp->id];
    const char *f = reduction_name(r->arena, s->op, s->temp->dtype, r->launch->groups);
    need(r, f);
    put(r->out, "%s = %s(%s, shared);\n", t, f, t);
    if (r->launch->parts > 1) combine_parts(r, s, t, f);
}

static void parallel_stmt(Render *r, const Stmt *s) {
    start_line(r);
    if (s->kind == S_COMBINE)
        combine(r, s);
    else
        put_text(r->out, r->launch->cooperative ? "nncc_grid_sync(barrier);\n" : "__syncthreads();\n");
}

static const Dialect dialect_cuda = {.name = "cuda",
                                     .function = "extern \"C\" __global__ void",
                                     .restrict_ = "__restrict__",
                                     .wide = "int64_t",
                                     .parallel_head = parallel_head,
                                     .parallel_stmt = parallel_stmt};

void print_cuda_nest(Kernel *k, Str *out) {
    List needs = {0};
    const char **own = k->arg_name;
    k->arg_name = arena_copy(out->arena, own, sizeof *own * (size_t)k->narg);
    for (int i = 0; i < k->launches.n; i++) render_launch(k->launches.at[i], "launch", NULL, out, &needs);
    k->arg_name = own;
    if (!k->launches.n) print_nest(k, &dialect_cuda, out);
}

/* ---- a launch's function ---- */

DType partial_type(const Launch *x) {
    const Stmt *s = x->body->body;
    while (s->kind != S_COMBINE) s = s->next;
    return s->temp->dtype;
}

void launch_parameters(Render *r) {
    enum { IN_A_LINE = 4 };
    Kernel *k = r->k;
    const Launch *x = r->launch;
    const char *comma = "";
    int count = 0;
    for (int i = 0; i < k->narg; i++) {
        if (!launch_takes(x, i)) continue;
        bool writes = launch_writes(x, i), mine = !writes || !x->cooperative; /* else other blocks write it meanwhile */
        k->arg_name[i] = take_name(r, k->arg_name[i]);
        if (count++ % IN_A_LINE == IN_A_LINE - 1) comma = ",\n        ";
        put(r->out, "%s%s%s *%s%s%s", comma, writes ? "" : "const ", dtypes[k->arg[i]->type.dtype].c,
            mine ? r->dialect->restrict_ : "", mine ? " " : "", k->arg_name[i]);
        comma = ", ";
    }
    for (int i = 0; i < k->nread; i++)
        if (written_over(k, i)) k->arg_name[i] = k->arg_name[k->in_place[i]];
    for (int i = 0; i < x->symbols.n; i++, comma = ", ") {
        put(r->out, "%sint %s", comma, take_dim(r, x->symbols.at[i]));
    }
    if (x->cooperative) put(r->out, "%sunsigned *barrier", comma);
    if (x->parts > 1) put(r->out, "%s%s *partials, unsigned *tickets", comma, dtypes[partial_type(x)].c);
}

static bool uses_kind(const Stmt *s, AxisKind kind) {
    for (; s; s = s->next)
        if ((s->kind == S_FOR && s->axis->kind == kind) || uses_kind(s->body, kind) || uses_kind(s->other, kind))
            return true;
    return false;
}

/* Of a block of n groups, thread t is number t / n of group t % n. What is left over of the last block has no share in
 * any loop, and stores nothing, but comes along to barriers. */
static void groups_top(Render *r) {
    const Launch *x = r->launch;
    const char *t = r->index_type;
    const Expr *n = x->items;
    bool whole = n->kind == E_INT && n->i % x->groups == 0;
    const char *block = "blockIdx.x";
    if (x->parts) {
        block = format(r->arena, "(blockIdx.x %% %lld)", (long long)column_blocks(x));
        put(r->out, "    const %s lane = threadIdx.x / %d, part = blockIdx.x / %lld;\n", t, x->groups,
            (long long)column_blocks(x));
        put(r->out, "    const %s share = part * %d + lane;\n", t, x->threads / x->groups);
    }
    put(r->out, "    const %s %s = (%s)%s * %d + threadIdx.x %% %d;\n", t, whole ? "column" : "at", t, block, x->groups,
        x->groups);
    if (whole) {
        put(r->out, "    const %s thread = threadIdx.x / %d;\n", t, x->groups);
    } else {
        const char *count = expr_text(r, n, PREC_LESS + 1);
        put(r->out, "    const %s column = at < %s ? at : %s - 1;\n", t, count, count);
        put(r->out, "    const %s thread = at < %s ? (%s)threadIdx.x / %d : 1 << 30;\n", t, count, t, x->groups);
    }
    put(r->out, "    const %s threads = blockDim.x / %d;\n    NNCC_SHARED(unsigned char, shared);\n", t, x->groups);
}

static void launch_top(Render *r) {
    const Launch *x = r->launch;
    const char *t = r->index_type;
    if (x->groups > 1) {
        groups_top(r);
        return;
    }
    bool grid = uses_kind(x->body, AX_GRID) || x->cooperative;
    if (uses_kind(x->body, AX_BLOCKS)) put(r->out, "    const %s block = blockIdx.x;\n", t);
    if (grid)
        put(r->out, "    const %s thread = (%s)blockIdx.x * blockDim.x + threadIdx.x;\n", t, t);
    else if (uses_kind(x->body, AX_GROUP))
        put(r->out, "    const %s thread = threadIdx.x;\n", t);
    if (uses_kind(x->body, AX_GROUP))
        put(r->out, "    const %s threads = %sblockDim.x;\n", t,
            x->cooperative ? format(r->arena, "(%s)gridDim.x * ", t) : "");
    if (x->shared) put_text(r->out, "    NNCC_SHARED(unsigned char, shared);\n");
}

void start_launch(Render *r, const Launch *x, const Map *outer, Str *out, List *needs) {
    *r = render_new(x->k, &dialect_cuda, outer, out, needs);
    r->launch = x;
}

void render_launch(const Launch *x, const char *name, const Map *outer, Str *out, List *needs) {
    if (x->gemm) {
        render_gemm(x, name, outer, out, needs);
        return;
    }
    static const char *const own[] = {"thread", "threads", "block", "shared", "barrier", "at", "column", "first_block"},
                             *const of_parts[] = {"lane", "part", "share", "partials", "tickets", "mine", "p"};
    Render r;
    start_launch(&r, x, outer, out, needs);
    for (int i = 0; i < COUNT(own); i++) bring_into_scope(&r, own[i]);
    for (int i = 0; x->parts && i < COUNT(of_parts); i++) bring_into_scope(&r, of_parts[i]);
    /* Without it a block of many threads may need more registers than there are. */
    put(out, "%s __launch_bounds__(%d) %s(", dialect_cuda.function, x->threads, name);
    launch_parameters(&r);
    put_text(out, ") {\n");
    launch_top(&r);
    statements(&r, x->body);
    put_text(out, "}\n");
}
