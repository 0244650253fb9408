/* lower.c - from nodes to loop nests.
 *
 * Lowering pulls: the nest of a kernel opens loops over its results and asks for each element. An element of a value
 * that the same kernel computes is built in place (value_at); anything else is a load. A reduction is emitted in the
 * innermost open loop its index depends on, and remembered there, so that a softmax asks for its maximum once a row. */
#include "lower/lower.h"
#include "ir/build.h"
#include "ops/ops.h"
#include <math.h>

const char *axis_letters(int rank) {
    static const char *const letters[MAX_RANK + 1] = {
        "",        "i",        "ij",        "ijk",        "noij",        "noijk",        "noijkl",
        "noijklm", "noijklmr", "noijklmrs", "noijklmrst", "noijklmrstu", "noijklmrstuv",
    };
    return letters[rank];
}

static const char *letter(Lower *l, const char *names, int i) { return format(l->arena, "%c", names[i]); }

Expr *open_loops(Lower *l, const Type *t, const char *names, Expr **idx) {
    if (!names) names = axis_letters(t->rank);
    for (int i = 0; i < t->rank; i++)
        idx[i] = is_unit(t->dim[i]) ? ix(l, 0) : open_for(l, letter(l, names, i), AX_PAR, extent(l, t->dim[i]));
    return t->rank ? idx[0] : NULL;
}

void close_loops(Lower *l, const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (!is_unit(t->dim[i])) close_block(l);
}

/* ---- what a kernel computes ---- */

static bool in_kernel(const Lower *l, const Value *v) {
    const Node *first = l->k->node[0];
    return v->def && first->kernel && v->def->kernel == first->kernel && v->def->graph == first->graph;
}

static int uses_inside(const Kernel *k, const Value *v) {
    int n = 0;
    for (int i = 0; i < k->nnode; i++)
        for (int j = 0; j < k->node[i]->nin; j++) n += k->node[i]->in[j] == v;
    return n;
}

/* ---- memo and hoisting ---- */

static bool has_temp(const Expr *e) {
    if (e->kind == E_TEMP || e->kind == E_LOAD || e->kind == E_LOCAL) return true;
    for (int i = 0; i < e->n; i++)
        if (has_temp(e->arg[i])) return true;
    return false;
}

static bool depends(const Block *b, int rank, Expr *const *idx) {
    if (!b->owner) return true;
    if (b->owner->kind != S_FOR) return true; /* never above a guard: what it protects may be out of range there */
    for (int i = 0; i < rank; i++)
        if (uses_axis(idx[i], b->owner->axis) || has_temp(idx[i])) return true;
    return false;
}

/* The number of open blocks that an element at idx needs. */
static int needed_depth(const Lower *l, int rank, Expr *const *idx) {
    int d = l->depth;
    while (d > 1 && !depends(&l->block[d - 1], rank, idx)) d--;
    return d;
}

static Expr *recall(Lower *l, const Value *v, int rank, Expr *const *idx) {
    for (int d = l->depth - 1; d >= 0; d--)
        for (const Memo *m = l->block[d].memo; m; m = m->next)
            if (m->value == v && m->rank == rank && !memcmp(m->idx, idx, sizeof *idx * (size_t)(rank - !!m->row)))
                return m->row ? local_at(l, m->row, idx[rank - 1]) : m->result;
    return NULL;
}

static Memo *remember(Lower *l, int depth, Value *v, int rank, Expr *const *idx, Expr *result) {
    Memo *m = NEW(l->arena, Memo);
    m->value = v, m->rank = rank, m->result = result;
    memcpy(m->idx, idx, sizeof *idx * (size_t)rank);
    m->next = l->block[depth - 1].memo;
    return l->block[depth - 1].memo = m;
}

/* ---- elements ---- */

Expr *broadcast_at(Lower *l, Value *v, int rank, Expr *const *idx) {
    Expr *mine[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) mine[i] = is_unit(v->type.dim[i]) ? ix(l, 0) : idx[rank - v->type.rank + i];
    return value_at(l, v, mine);
}

/* Operands of one expression: an expression is as deep as it is long, and what walks it recurses. */
enum { LONGEST_CHAIN = 64 };

static Expr *map_at(Lower *l, Node *n, Expr *const *idx) {
    int op = (int)(n->op - ops), rank = n->out[0]->type.rank;
    Expr *a[3] = {NULL, NULL, NULL};
    if (n->op->nary) {
        Expr *acc = broadcast_at(l, n->in[0], rank, idx);
        for (int i = 1; i < n->nin; i++) {
            acc = map2(l, op, acc, broadcast_at(l, n->in[i], rank, idx));
            if (i % LONGEST_CHAIN == 0) acc = let(l, "partial", acc);
        }
        return acc;
    }
    for (int i = 0; i < n->nin; i++) a[i] = broadcast_at(l, n->in[i], rank, idx);
    return n->nin == 1 ? map1(l, op, a[0]) : n->nin == 2 ? map2(l, op, a[0], a[1]) : map3(l, op, a[0], a[1], a[2]);
}

/* sum, prod, max, min. */
static const char *accumulator_name(Arena *a, const Op *combine) { return format(a, "%.4s", combine->sum); }

/* A sum over more elements than this adds up rows first: its error then grows with the row, not with the whole. */
enum { LONG_SUM = 1024 };

typedef struct {
    const Op *combine;
    DType t;
    Expr *start, *acc, *row;
    int loops, opened;
    bool by_rows;
} Reduction;

static Reduction new_reduction(Lower *l, const Node *n, const bool *mask) {
    const Type *in = &n->in[0]->type;
    Reduction r = {.combine = find_op(NULL, n->op->combine), .t = compute_type(in->dtype)};
    int64_t count = 1;
    for (int i = 0; i < in->rank; i++)
        if (mask[i]) count *= in->dim[i].max, r.loops += !is_unit(in->dim[i]);
    r.by_rows = r.loops > 1 && count > LONG_SUM && r.combine == &ops[OP_Add] && is_float(r.t);
    r.start = neutral_element(l, r.combine, r.t);
    r.acc = var(l, accumulator_name(l->arena, r.combine), r.t, r.start);
    return r;
}

/* Maps the index of a reduction's result to one of its input: reduced axes get loops. */
static void open_reduction(Lower *l, Reduction *r, const Node *n, const bool *mask, Expr *const *idx, Expr **in_idx) {
    static const char names[] = "rstuvxyzpqlm";
    const Type *t = &n->in[0]->type;
    bool keep = attr_i(n, "keepdims") != 0;
    for (int i = 0, o = 0; i < t->rank; i++) {
        if (!mask[i]) {
            in_idx[i] = idx[o++];
            continue;
        }
        o += keep;
        if (is_unit(t->dim[i])) {
            in_idx[i] = ix(l, 0);
            continue;
        }
        if (r->by_rows && r->opened == r->loops - 1) r->row = var(l, "row", r->t, r->start);
        in_idx[i] = open_for(l, letter(l, names, r->opened++), AX_SEQ, extent(l, t->dim[i]));
    }
}

/* The reduction that keeps v, which it reads, for others in the kernel: expensive elements are not computed again. */
static Node *keeper(const Lower *l, const Value *v) {
    if (!in_kernel(l, v) || uses_inside(l->k, v) < 2) return NULL;
    for (int i = 0; i < l->k->nnode; i++) {
        Node *n = l->k->node[i];
        if (n->op->kind == K_RED && n->in[0] == v && row_value(n)) return n;
    }
    return NULL;
}

static Expr *reduced_element(Lower *l, Node *n, Expr *const *idx, Local *row) {
    Node *outer = l->filling;
    l->filling = n;
    Expr *e = value_at(l, n->in[0], idx);
    l->filling = outer;
    if (!row) return e;
    e = let(l, "t", e);
    put_local(l, row, idx[n->in[0]->type.rank - 1], e);
    return e;
}

static Expr *reduce_at(Lower *l, Node *n, Expr *const *idx) {
    bool mask[MAX_RANK] = {false};
    Expr *in_idx[MAX_RANK];
    const Type *t = &n->in[0]->type;
    known_axes(n, 1, t->rank, mask);
    Local *row = keeper(l, n->in[0]) == n ? local_new(l, "row", t->dtype, t->dim[t->rank - 1].max) : NULL;
    Reduction r = new_reduction(l, n, mask);
    int op = (int)(r.combine - ops);
    open_reduction(l, &r, n, mask, idx, in_idx);
    Expr *into = r.row ? r.row : r.acc;
    set(l, into, map2(l, op, into, reduced_element(l, n, in_idx, row)));
    for (int i = 0; i < r.opened; i++) {
        close_block(l);
        if (i == 0 && r.row) set(l, r.acc, map2(l, op, r.acc, r.row));
    }
    if (row) remember(l, l->depth, n->in[0], t->rank, in_idx, NULL)->row = row;
    return r.acc;
}

/* The index of the reduction's result that an element of its input goes into. */
static void reduced_index(Node *n, Expr *zero, Expr *const *idx, Expr **to) {
    bool mask[MAX_RANK] = {false}, keep = attr_i(n, "keepdims") != 0;
    int rank = n->in[0]->type.rank;
    known_axes(n, 1, rank, mask);
    for (int i = 0, o = 0; i < rank; i++)
        if (!mask[i])
            to[o++] = idx[i];
        else if (keep)
            to[o++] = zero;
}

/* From the row that a reduction keeps, which is computed first if need be; NULL if none does. */
static Expr *from_row(Lower *l, Value *v, Expr *const *idx) {
    Node *n = keeper(l, v);
    Expr *to[MAX_RANK];
    if (!n || n == l->filling) return NULL;
    reduced_index(n, ix(l, 0), idx, to);
    value_at(l, n->out[0], to);
    return recall(l, v, v->type.rank, idx);
}

static Expr *node_at(Lower *l, Node *n, int out, Expr *const *idx) {
    if (n->op->kind == K_MAP) return map_at(l, n, idx);
    if (n->op->kind == K_RED) return reduce_at(l, n, idx);
    ASSERT(n->op->at);
    return n->op->at(l, n, out, idx);
}

/* Whether the operator of the model that a node stands for rounds its steps. */
bool rounds_steps(Arena *a, const char *origin) {
    const Op *op = find_op("", copy_word(a, origin));
    return op && op->rounds;
}

/* A step within one operator of the model: what came from the same node reads it, and nothing else. */
static bool is_step(Lower *l, const Value *v) {
    const Kernel *k = l->k;
    if (!v->def->origin || v->uses > uses_inside(k, v) || rounds_steps(l->arena, v->def->origin)) return false;
    for (int i = 0; i < k->nnode; i++)
        for (int j = 0; j < k->node[i]->nin; j++)
            if (k->node[i]->in[j] == v && (!k->node[i]->origin || strcmp(k->node[i]->origin, v->def->origin)))
                return false;
    return true;
}

/* Half precision is computed in f32: what stays in the kernel is rounded as if it were stored. */
static Expr *rounded(Lower *l, const Value *v, Expr *e) {
    DType t = v->type.dtype;
    if ((t != DT_f16 && t != DT_bf16) || l->m->opt->fast_half || is_step(l, v)) return e;
    return map1(l, t == DT_f16 ? OP_RoundF16 : OP_RoundBF16, e);
}

/* Runs node_at as if only the first `depth` blocks were open. */
static Expr *node_at_depth(Lower *l, int depth, Node *n, int out, Expr *const *idx) {
    int above = l->depth - depth;
    Block *saved = arena_copy(l->arena, l->block + depth, sizeof(Block) * (size_t)above);
    l->depth = depth;
    Expr *made = node_at(l, n, out, idx), *e = rounded(l, n->out[out], made);
    if (n->op->kind == K_MAP || e != made) e = let(l, "t", e);
    while (l->cap < depth + above) push_block(l, NULL);
    memcpy(l->block + depth, saved, sizeof(Block) * (size_t)above);
    l->depth = depth + above;
    return e;
}

Expr *value_at(Lower *l, Value *v, Expr *const *idx) {
    Dim d;
    if (is_extent(v, &d)) return cast(l, extent(l, d), compute_type(v->type.dtype));
    if (!in_kernel(l, v)) return load(l, v, idx);
    int rank = v->type.rank;
    Expr *e = recall(l, v, rank, idx);
    if (!e) e = from_row(l, v, idx);
    if (e) return e;
    bool map = v->def->op->kind == K_MAP;
    int depth = needed_depth(l, rank, idx);
    if (map && v->uses < 2 && depth == l->depth) return rounded(l, v, node_at(l, v->def, v->result, idx));
    e = node_at_depth(l, depth, v->def, v->result, idx);
    remember(l, depth, v, rank, idx, e);
    return e;
}

/* ---- kernels ---- */

static void stored_values(Lower *l, List *out) {
    for (int i = 0; i < l->k->nnode; i++)
        for (int j = 0; j < l->k->node[i]->nout; j++) {
            Value *v = l->k->node[i]->out[j];
            if (v && v->uses > uses_inside(l->k, v)) push(l->arena, out, v);
        }
}

static Expr *element(Lower *l, Value *v, Expr *const *idx) {
    return uses_inside(l->k, v) ? value_at(l, v, idx) : node_at(l, v->def, v->result, idx);
}

/* ---- writes into what the kernel reads ---- */

static bool not_yet_written(Node *const *done, int n, const Node *node) {
    for (int i = 0; i < n; i++)
        if (done[i] == node) return false;
    return IS(node, Assign);
}

/* All elements at one index are computed before any is written: they may depend on each other's old values. */
static void assign_together(Lower *l, const Type *t, Node **node, int n) {
    Expr *idx[MAX_RANK], **element = NEW_ARRAY(l->arena, Expr *, n);
    open_loops(l, t, NULL, idx);
    for (int i = 0; i < n; i++) element[i] = let(l, "t", broadcast_at(l, node[i]->in[1], t->rank, idx));
    for (int i = 0; i < n; i++) store(l, node[i]->in[0], idx, element[i]);
    close_loops(l, t);
}

static void lower_assigns(Lower *l) {
    Node **done = NEW_ARRAY(l->arena, Node *, l->k->nnode);
    int n = 0;
    for (int i = 0; i < l->k->nnode; i++) {
        const Type *t = &l->k->node[i]->in[0]->type;
        int first = n;
        if (!not_yet_written(done, n, l->k->node[i])) continue;
        for (int j = i; j < l->k->nnode; j++)
            if (not_yet_written(done, n, l->k->node[j]) && same_shape(t, &l->k->node[j]->in[0]->type))
                done[n++] = l->k->node[j];
        assign_together(l, t, done + first, n - first);
    }
}

/* What has loops of its own is computed before anything else at the index: tiles look for a sum at the beginning. */
static void sum_first(Lower *l, const Type *t, Expr *const *idx) {
    const Node *n = l->k->nnode > 1 ? main_node(l->k) : NULL;
    if (n && n->nout == 1 && n->out[0] && same_shape(t, &n->out[0]->type) && uses_inside(l->k, n->out[0]))
        value_at(l, n->out[0], idx);
}

void give_element(Lower *l, Value *v, Expr *const *idx, Expr *e) { remember(l, l->depth, v, v->type.rank, idx, e); }

void store_results(Lower *l, Expr *const *idx) {
    List stored = {0};
    stored_values(l, &stored);
    for (int i = 0; i < stored.n; i++) {
        Value *v = stored.at[i];
        Expr *given = recall(l, v, v->type.rank, idx); /* of a node that is alone, too */
        store(l, v, idx, given ? given : value_at(l, v, idx));
    }
}

/* Results of one shape share their loops. */
static void lower_by_element(Lower *l) {
    List stored = {0};
    stored_values(l, &stored);
    for (int i = 0; i < stored.n; i++) {
        Value *v = stored.at[i];
        Expr *idx[MAX_RANK];
        if (!v) continue;
        open_loops(l, &v->type, NULL, idx);
        for (int j = i; j < stored.n; j++) {
            Value *w = stored.at[j];
            if (!w || !same_shape(&v->type, &w->type)) continue;
            sum_first(l, &v->type, idx);
            store(l, w, idx, element(l, w, idx));
            stored.at[j] = NULL;
        }
        close_loops(l, &v->type);
    }
    lower_assigns(l);
}

/* ---- arguments: what a kernel reads and writes ---- */

typedef struct {
    Kernel *k;
    Arena *arena;
    List list[2]; /* what it reads, what it writes: Value.arg_place says where in them */
} Accessed;

enum { READ, WRITTEN };

static bool listed(const Accessed *t, int which, const Value *v) {
    const List *l = &t->list[which];
    return v && v->arg_place[which] < l->n && l->at[v->arg_place[which]] == v;
}

static void add_access(Accessed *t, int which, Value *v) {
    if (listed(t, which, v)) return;
    v->arg_place[which] = t->list[which].n;
    push(t->arena, &t->list[which], v);
}

static void add_load(void *t, const Expr *e) {
    if (e->kind == E_LOAD) add_access(t, READ, e->value);
}

static void add_store(void *t, const Stmt *s) {
    if (s->kind == S_STORE) add_access(t, WRITTEN, s->value);
}

/* The i-th word of a row's .args or .outs in lower case; NULL behind the last. */
static const char *role(Arena *a, const char *words, int i) {
    const char *w = words;
    for (; i && w && *w; i--) w = next_word(w);
    if (!w || !*w) return NULL;
    char *s = arena_str(a, copy_word(a, w));
    for (char *c = s; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    return s;
}

static int roles(const char *words) {
    int n = 1;
    for (const char *w = words; (w = strchr(w, ' ')); w++) n++;
    return n;
}

/* The name that a row gives one of n inputs or results; NULL if v is none of them, or has no name of its own. */
static const char *role_among(Arena *a, const char *words, Value *const *all, int n, const Value *v) {
    if (!words) return NULL;
    for (int j = 0; j < n && j < roles(words); j++)
        if (all[j] == v) return role(a, words, j);
    return NULL;
}

/* The node of the kernel that has a nest of its own: its inputs keep the names of their roles, x and w. */
const Node *main_node(const Kernel *k) {
    if (k->nnode == 1) return k->node[0]->op->kind == K_MAP ? NULL : k->node[0];
    for (int i = k->nnode - 1; i >= 0; i--)
        if (k->node[i]->op->kind == K_OP && !IS(k->node[i], Cast)) return k->node[i];
    return NULL;
}

static const char *argument_name(Arena *a, const Kernel *k, const Value *v, int i, bool written) {
    const Node *n = k->node[0], *nest = main_node(k);
    const char *s = NULL;
    if (!v->graph && !v->def && v->kind == V_NODE) return v->name;
    if (k->nnode == 1 && written) s = role_among(a, n->op->outs, n->out, n->nout, v);
    if (!written && nest) s = role_among(a, nest->op->args, nest->in, nest->nin, v);
    if (s) return s;
    if (written) return i ? format(a, "y%d", i + 1) : "y";
    if (nest && i > 0) return i < 4 ? format(a, "%c", 'a' + i - 1) : format(a, "x%d", i);
    return i < 3 ? format(a, "%c", 'a' + i) : format(a, "x%d", i);
}

static void add_argument(Kernel *k, Arena *a, Value *v, int i, bool written) {
    k->arg_name[k->narg] = argument_name(a, k, v, i, written);
    k->arg[k->narg++] = v;
}

/* What the node itself reads or writes comes first, in its order. */
static void order_by_node(const Node *n, Accessed *t, int which) {
    int count = which == WRITTEN ? n->nout : n->nin, at = 0;
    void **list = t->list[which].at;
    for (int i = 0; i < count; i++) {
        Value *v = which == WRITTEN ? n->out[i] : n->in[i];
        if (!listed(t, which, v) || v->arg_place[which] < at) continue;
        Value *other = list[at];
        list[v->arg_place[which]] = other, other->arg_place[which] = v->arg_place[which];
        list[at] = v, v->arg_place[which] = at++;
    }
}

static void find_arguments(Lower *l) {
    Kernel *k = l->k;
    Accessed t = {.k = k, .arena = l->arena};
    const List *read = &t.list[READ], *written = &t.list[WRITTEN];
    visit_stmts(&(Visitor){add_load, add_store, &t, arena_alloc(l->arena, (size_t)k->nexpr + 1)}, k->body);
    if (main_node(k) || k->nnode == 1) order_by_node(main_node(k) ? main_node(k) : k->node[0], &t, READ);
    if (k->nnode == 1) order_by_node(k->node[0], &t, WRITTEN);
    k->arg = NEW_ARRAY(l->arena, Value *, read->n + written->n);
    k->arg_name = NEW_ARRAY(l->arena, const char *, read->n + written->n);
    for (int i = 0; i < read->n; i++)
        if (!listed(&t, WRITTEN, read->at[i])) add_argument(k, l->arena, read->at[i], i, false);
    k->nread = k->narg;
    for (int i = 0; i < written->n; i++) add_argument(k, l->arena, written->at[i], i, true);
    k->nwritten = k->narg - k->nread;
}

/* Zeros around the results that have a halo: for each dim what lies before and after it, between the halos of the
 * dims before. */
static void lower_halo(Lower *l, Value *v, int dim, bool after) {
    Expr *idx[MAX_RANK];
    int opened = 0;
    const int64_t *halo = v->layout.halo;
    for (int i = 0; i < v->type.rank; i++) {
        Expr *all = extent(l, v->type.dim[i]), *before = ix(l, halo[2 * i]);
        Expr *size = i < dim    ? all
                     : i == dim ? ix(l, halo[2 * i + after])
                                : ix_add(l, ix_add(l, all, before), ix(l, halo[2 * i + 1]));
        Expr *a = ix(l, 0);
        if (size->kind != E_INT || size->i != 1)
            a = open_for(l, letter(l, axis_letters(v->type.rank), i), AX_PAR, size), opened++;
        idx[i] = i < dim ? a : i == dim && after ? ix_add(l, all, a) : ix_sub(l, a, before);
    }
    store(l, v, idx, num(l, v->type.dtype, 0));
    while (opened--) close_block(l);
    if (l->block[l->depth - 1].last) l->block[l->depth - 1].last->fills_halo = true;
}

static void lower_halos(Lower *l, Node *const *nodes, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < nodes[i]->nout; j++) {
            Value *v = nodes[i]->out[j];
            if (!v || !v->layout.halo || v->uses <= uses_inside(l->k, v)) continue;
            for (int d = 0; d < v->type.rank; d++)
                for (int after = 0; after < 2; after++)
                    if (v->layout.halo[2 * d + after]) lower_halo(l, v, d, after);
        }
}

static Kernel *lower_nodes(Module *m, Node **nodes, int n, bool planned) {
    Kernel *k = NEW(m->arena, Kernel);
    Block few[32]; /* nests are rarely as deep */
    Lower l = {.k = k, .m = m, .arena = m->arena, .planned = planned, .block = few, .cap = COUNT(few)};
    k->module = m, k->nnode = n;
    k->node = arena_copy(m->arena, nodes, sizeof *nodes * (size_t)n);
    push_block(&l, NULL);
    lower_halos(&l, nodes, n);
    Node *by_blocks = NULL;
    for (int i = 0; i < n; i++)
        if (nodes[i]->op->blocks) by_blocks = nodes[i];
    if (by_blocks)
        by_blocks->op->blocks(&l, by_blocks);
    else if (n == 1 && nodes[0]->op->lower)
        nodes[0]->op->lower(&l, nodes[0]);
    else
        lower_by_element(&l);
    ASSERT(l.depth == 1);
    k->body = l.block[0].first;
    find_arguments(&l);
    return k;
}

Kernel *lower_kernel(Module *m, Node **nodes, int n) { return lower_nodes(m, nodes, n, false); }

Kernel *lower_planned(Module *m, Node *n) { return lower_nodes(m, &n, 1, true); }

/* The nodes from `n` on that carry its label; they stand together (verify). */
static int label_run(Node *n, Node **run, int max) {
    int count = 0;
    for (Node *p = n; p && count < max && (p == n || (n->kernel && p->kernel == n->kernel)); p = p->next)
        run[count++] = p;
    return count;
}

int kernels_of(Module *m, Graph *g, List *out) {
    Node *run[KERNEL_NODES];
    for (Node *n = g->first; n;) {
        int count = label_run(n, run, KERNEL_NODES);
        Node *next = run[count - 1]->next;
        bool code = n->op->kind != K_DEF && !n->op->view && !n->row &&
                    (n->op->at || n->op->lower || n->op->blocks || n->op->kind != K_OP);
        if (code) push(m->arena, out, n->code = lower_kernel(m, run, count));
        n = next;
    }
    return out->n;
}

Value *row_value(Node *n) {
    const Value *v = n->in[0];
    const Type *t = &v->type;
    bool mask[MAX_RANK] = {false};
    int last = t->rank - 1;
    if (n->op->kind != K_RED || !v->def || cost_of(v->def->op) < COST_CALL || !known_axes(n, 1, t->rank, mask))
        return NULL;
    if (last < 0 || !mask[last] || t->dim[last].max > ROW_ELEMENTS) return NULL;
    for (int i = 0; i < last; i++)
        if (mask[i] && !is_unit(t->dim[i])) return NULL;
    return n->in[0];
}
