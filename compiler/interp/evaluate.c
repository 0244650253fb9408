/* evaluate.c - the interpreter applied to nodes (folding) and to whole networks (the reference). */
#include "control/trips.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include "ir/symbols.h"
#include "lower/lower.h"

enum { MAX_FOLD_COST = 100000000, ITERATION_FUEL = 16 };

static bool foldable(const Node *n) {
    const Op *op = n->op;
    if (stays(n) || op->no_fold || op->unsupported || op->kind == K_DEF) return false;
    if (op->kind == K_OP && !op->at && !op->lower && !op->blocks && !op->view) return false;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && (!is_known(n->in[i]) || n->in[i]->data->dtype == DT_str)) return false;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && (!type_known(&n->out[i]->type) || type_count(&n->out[i]->type) < 0 ||
                          n->out[i]->type.dtype == DT_str || n->out[i]->data))
            return false;
    for (int i = 0; i < n->nout; i++)
        for (int d = 0; n->out[i] && d < n->out[i]->type.rank; d++)
            if (n->out[i]->type.dim[d].symbol) return false;
    return true;
}

static void dims_of(const Type *t, int64_t *dim) {
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i].max;
}

static void fold_view(Node *n) {
    int64_t dim[MAX_RANK];
    Value *y = n->out[0];
    dims_of(&y->type, dim);
    y->data = tensor_of(n->graph->module->arena, y->type.dtype, y->type.rank, dim, n->in[0]->data->data);
}

bool fold_node(Node *n) {
    Module *m = n->graph->module;
    void *at[2 * MAX_RANK + 8];
    if (!foldable(n) || n->nout > COUNT(at)) return false;
    if (n->op->view) {
        fold_view(n);
        return true;
    }
    int label = n->kernel;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) n->out[i]->uses = 1, n->out[i]->id = i;
    n->kernel = 0;
    Kernel *k = lower_kernel(m, &n, 1);
    n->kernel = label;
    int64_t cost = nest_cost(k->body);
    if (cost > MAX_FOLD_COST || (m->fuel -= cost / 1000) < 0) return false;
    Tensor *t[COUNT(at)];
    for (int i = 0; i < n->nout; i++) {
        int64_t dim[MAX_RANK];
        if (!n->out[i]) continue;
        dims_of(&n->out[i]->type, dim);
        t[i] = tensor_new(m->arena, n->out[i]->type.dtype, n->out[i]->type.rank, dim);
        at[i] = tensor_data(t[i]);
    }
    run_kernel(k, at, n->nout);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) n->out[i]->data = t[i];
    return true;
}

/* A network while it is interpreted: by Value.id where contents lie, and by that of its first result a node's kernel,
 * once an iteration of a loop has needed it. */
struct Interpreted {
    Module *m;
    void **at;
    Kernel **code;
    int values;
    bool again; /* nodes of the network itself run again, too */
};

static void run_graph(Interpreted *, Graph *);

static bool truth_of(const Value *v, void *const *at) {
    const void *p = v->data ? v->data->data : at[v->id];
    return load_scalar(DT_bool, p).i != 0;
}

static void give_memory(Module *m, Value *v, void **at) {
    if (v && !at[v->id]) at[v->id] = arena_alloc(m->arena, (size_t)value_bytes(v) + 1);
}

/* Contents that do not lie row by row are read from a copy. */
static void lay_out(Module *m, Value *v, void **at) {
    if (!v->data || is_dense(v)) return;
    give_memory(m, v, at);
    write_laid_out(v, at[v->id]);
}

static const void *memory_of(const Value *v, void *const *at) {
    return v->data && !at[v->id] ? v->data->data : at[v->id];
}

static void run_if_node(Interpreted *r, Node *n) {
    void **at = r->at;
    Graph *g = attr(n, truth_of(n->in[0], at) ? "then_branch" : "else_branch")->graph;
    run_graph(r, g);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) memcpy(at[n->out[i]->id], memory_of(g->out[i], at), (size_t)type_bytes(&n->out[i]->type));
}

/* Values are handed on together: an iteration may exchange two. */
static void hand_on(int n, Value *const *from, Value *const *to, void **spare, void **at) {
    for (int i = 0; i < n; i++) memcpy(spare[i], memory_of(from[i], at), (size_t)type_bytes(&from[i]->type));
    for (int i = 0; i < n; i++) memcpy(at[to[i]->id], spare[i], (size_t)type_bytes(&to[i]->type));
}

static void **spare_memory(Module *m, int n, Value *const *like) {
    void **spare = NEW_ARRAY(m->arena, void *, n + 1);
    for (int i = 0; i < n; i++) spare[i] = arena_alloc(m->arena, (size_t)type_bytes(&like[i]->type) + 1);
    return spare;
}

static int64_t most_iterations(const Node *n, void *const *at) {
    const Value *v = input(n, LOOP_M);
    if (!v) return INT64_MAX;
    Scalar s = load_scalar(v->type.dtype, memory_of(v, at));
    return dtypes[v->type.dtype].kind == 'u' ? (int64_t)s.u : s.i;
}

static void keep_row(const Value *scan, const Value *row, int64_t i, void *const *at) {
    int64_t bytes = type_bytes(&row->type);
    memcpy((char *)at[scan->id] + i * bytes, memory_of(row, at), (size_t)bytes);
}

static void run_loop_node(Interpreted *r, Node *n) {
    Module *m = r->m;
    void **at = r->at;
    Graph *body = loop_body(n);
    int carried = loop_carried(n);
    Value *const *in = body->in + LOOP_CARRIED, *const *next = body->out + BODY_CARRIED;
    int64_t most = most_iterations(n, at);
    bool more = !input(n, LOOP_COND) || truth_of(n->in[LOOP_COND], at);
    void **spare = spare_memory(m, carried, in);
    for (int k = 0; k < body->nin; k++) give_memory(m, body->in[k], at);
    hand_on(carried, n->in + LOOP_CARRIED, in, spare, at);
    for (int64_t i = 0; i < most && more; i++) {
        if ((m->fuel -= ITERATION_FUEL) < 0)
            fatal(m, EXIT_UNSUPPORTED, "%s: more iterations than an interpreter goes through", node_text(m->arena, n));
        run_graph(r, body);
        for (int k = carried; k < n->nout; k++)
            if (n->out[k]) keep_row(n->out[k], next[k], rows_from_end(n) ? most - 1 - i : i, at);
        more = truth_of(body->out[BODY_COND], at);
        hand_on(carried, next, in, spare, at);
    }
    hand_on(carried, in, n->out, spare, at);
}

static int first_result(const Node *n) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) return n->out[i]->id;
    return -1;
}

static Kernel *kernel_of(Interpreted *r, Node *n) {
    int label = n->kernel, id = n->graph->outer || r->again ? first_result(n) : -1;
    if (id >= 0 && r->code[id]) return r->code[id];
    n->kernel = 0;
    Kernel *k = lower_kernel(r->m, &n, 1);
    n->kernel = label;
    if (id >= 0) r->code[id] = k;
    return k;
}

/* Dims are called after it from here on. */
static void take_extent(const Node *n, void *const *at) {
    DimBinding *b = computed_by(n);
    int64_t value = load_scalar(DT_i64, at[n->out[0]->id]).i, least = attr_i(n, "least"), most = attr_i(n, "most");
    if (value < least || value > most)
        fatal(n->graph->module, EXIT_INPUT, "%s: expected an extent from %lld to %lld, saw %lld",
              node_text(n->graph->module->arena, n), (long long)least, (long long)most, (long long)value);
    if (b) b->value = value;
}

static void run_graph(Interpreted *r, Graph *g) {
    Module *m = r->m;
    void **at = r->at;
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++) give_memory(m, n->out[i], at);
        if (IS(n, If) || IS(n, Loop)) {
            (IS(n, If) ? run_if_node : run_loop_node)(r, n);
            continue;
        }
        if (n->op->view) {
            memcpy(at[n->out[0]->id], memory_of(n->in[0], at), (size_t)value_bytes(n->out[0]));
            continue;
        }
        run_kernel(kernel_of(r, n), at, r->values);
        if (n->op->measures) take_extent(n, at);
    }
}

Interpreted *interpreted_new(Module *m, void **at, int values) {
    Interpreted *r = NEW(m->arena, Interpreted);
    *r = (Interpreted){m, at, NEW_ARRAY(m->arena, Kernel *, values + 1), values, true};
    return r;
}

void run_again(Interpreted *r) { run_graph(r, r->m->main); }

/* ---- half precision ---- */

static bool same_operator(const Node *a, const Node *b) {
    bool simple = (a->op->kind == K_MAP || a->op->kind == K_RED) && (b->op->kind == K_MAP || b->op->kind == K_RED);
    return simple && a->origin && b->origin && !strcmp(a->origin, b->origin);
}

static void count_steps(Graph *g, void *steps) {
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->def) ((int *)steps)[n->in[i]->id] += same_operator(n, n->in[i]->def);
}

static void widen_steps(Graph *g, void *steps) {
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++) {
            Value *v = n->out[i];
            if (!v || !v->uses || v->uses > ((int *)steps)[v->id] || rounds_steps(g->module->arena, n->origin))
                continue;
            if (v->type.dtype == DT_f16 || v->type.dtype == DT_bf16) v->type.dtype = DT_f32;
        }
}

/* What an operator computes on the way to its result is rounded no more here than in a kernel: is_step() of lower.c. */
static void keep_precision(Module *m, int values) {
    int *steps = NEW_ARRAY(m->arena, int, values);
    each_graph(m, count_steps, steps);
    each_graph(m, widen_steps, steps);
}

void interpret_module(Module *m, Tensor *const *in, Tensor **out, Tensor *const *state) {
    int values = number_values(m);
    void **at = NEW_ARRAY(m->arena, void *, values);
    Graph *g = m->main;
    count_uses(m);
    keep_precision(m, values);
    for (int i = 0; i < g->nin; i++) at[g->in[i]->id] = tensor_data(in[i]);
    for (int i = 0; i < m->carried.n; i++) at[((const Value *)m->carried.at[i])->id] = tensor_data(state[i]);
    for (int i = 0; i < m->outside.n; i++) lay_out(m, m->outside.at[i], at);
    run_graph(&(Interpreted){m, at, NEW_ARRAY(m->arena, Kernel *, values + 1), values, false}, g);
    for (int i = 0; i < g->nout; i++) {
        int64_t dim[MAX_RANK];
        dims_of(&g->out[i]->type, dim);
        out[i] = tensor_of(m->arena, g->out[i]->type.dtype, g->out[i]->type.rank, dim, memory_of(g->out[i], at));
    }
}
