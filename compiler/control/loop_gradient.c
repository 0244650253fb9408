/* loop_gradient.c - the gradient of a Loop is a Loop that goes back through its iterations.
 *
 * The forward loop keeps a row of each carried value, as the iteration found it, and of each product, or of the sum
 * that it goes into; the rest of an iteration is computed again where its gradients are. What carried values hand back
 * is carried; gradients of what is read from outside are added up, but for elements that each iteration takes: theirs
 * are rows again, in the order of the forward loop's. */
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* Rows of all iterations: what the forward loop or another node made, or else a result of the backward loop. */
typedef struct {
    Value *made;
    int result;
} Rows;

typedef struct {
    Node *n;   /* the forward loop */
    Node *end; /* what is built goes before it */
    Graph *body, *back;
    Map *of;     /* what stands in the backward body for the forward's values */
    Value *turn; /* which iteration of the forward loop is gone through */
    Node *last;  /* the end of the backward body while it is built */
    const RegionGradient *how;
    Value *const *upstream; /* of so many results */
    int nout;
    List live;         /* int: carried values that gradients flow through; and their gradients' parameters */
    List outside;      /* Value*: read from outside, with a gradient that is added up */
    List elements;     /* Node*: Gathers of what is read from outside one element at a time */
    List factors;      /* Value*: of each of `outside` the two whose product is a gradient's part, or NULL twice */
    List init, result; /* Value*: of the backward loop */
    List given;        /* Value*: what its body gives, behind the condition */
    List rows;         /* Rows*: of gradients of `elements`, then of factors */
} Back;

enum { MANY_ROWS = 256 };

/* Whether an iteration is a segment, of which nothing is kept but what it began with. */
static bool is_segment(const Graph *body) { return body->module->segments > 1 && body->regions; }

static bool differentiable(const Value *v) { return v && is_float(v->type.dtype); }

static Value *built(Node *at, const char *text, int count, Value *const *with) {
    static const char *const names[] = {"x", "i"};
    return build_value(at, text, count, names, with);
}

static Value *gather(Node *at, Value *rows, Value *index) {
    Node *g = node_new(at->graph, at, &ops[OP_Gather], 2, (Value *[]){rows, index}, 1, NULL, at->loc);
    g->name = NULL, g->origin = "saved row";
    infer_node(g);
    return g->out[0];
}

/* ---- what the forward loop keeps ---- */

static Value **longer(Arena *a, Value **list, int *n, Value *v) {
    Value **grown = NEW_ARRAY(a, Value *, *n + 1);
    memcpy(grown, list, sizeof *list * (size_t)*n);
    grown[(*n)++] = v;
    return grown;
}

/* Another scan output: v as each iteration has it. */
static Value *keep_rows(Back *b, Value *v) {
    Node *n = b->n;
    Arena *a = b->body->module->arena;
    Dim dim[MAX_RANK + 1] = {loop_trips(n).most};
    Value *rows = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
    rows->def = n, rows->result = n->nout, rows->loc = n->loc;
    n->out = longer(a, n->out, &n->nout, rows);
    b->body->out = longer(a, b->body->out, &b->body->nout, v);
    for (int d = 0; d < v->type.rank; d++) dim[d + 1] = v->type.dim[d];
    set_result(n, rows->result, v->type.dtype, v->type.rank + 1, dim);
    return rows;
}

static Value *read_back(Back *b, Node *at, Value *v) { return gather(at, keep_rows(b, v), b->turn); }

/* Carried values that count iterations are not kept. */
static Value *counted(Back *b, Value *v) {
    Affine at;
    if (v->type.dtype != DT_i64 || v->type.rank || !affine_in_loop(b->n, v, &at) || at.base.symbol) return NULL;
    if (at.base.max == 0 && at.step == 1) return b->turn;
    return built(b->last, format(b->body->module->arena, "x * %lld + %lld", (long long)at.step, (long long)at.base.max),
                 1, &b->turn);
}

static void keep_carried(Back *b) {
    for (int k = 0; k < loop_carried(b->n); k++) {
        Value *v = b->body->in[LOOP_CARRIED + k], *number = counted(b, v);
        clone_stands_for(b->of, v, number ? number : read_back(b, b->last, v));
    }
}

/* The one node of a body that reads v once, if nothing else does; NULL. */
static Node *sole_reader(const Graph *body, const Value *v) {
    Node *reader = NULL;
    int reads = 0;
    for (Node *x = body->first; x; x = x->next)
        for (int i = 0; i < x->nin; i++)
            if (resolve(x->in[i]) == v) reader = x, reads++;
    for (int i = 0; i < body->nout; i++) reads += resolve(body->out[i]) == v;
    return reads == 1 && !body->regions ? reader : NULL;
}

/* What to keep in a product's place: a sum that it goes into, whose other terms are then not needed either. */
static Value *worth_keeping(const Graph *body, Value *v) {
    for (const Node *x; (x = sole_reader(body, v)) && IS(x, Add) && same_shape(&x->out[0]->type, &v->type);)
        v = x->out[0];
    return v;
}

/* Products are not made again. Their gradients are built already: what read the copies reads what was kept. */
static void keep_products(Back *b) {
    for (Node *x = is_segment(b->body) ? NULL : b->body->first; x; x = x->next) {
        bool product = access_of(x->op) == ACCESS_CONTRACTION && x->nout == 1 && x->out[0];
        if (!product || x->out[0]->type.rank == MAX_RANK) continue;
        Value *v = worth_keeping(b->body, x->out[0]), *again = clone_of(b->of, v);
        bool ours = again->kind == V_NODE && again->graph == b->back;
        if (ours && !again->replacement) /* not yet the sum of another product */
            replace(again, read_back(b, again->def, v));
    }
}

/* ---- what is read from outside ---- */

static bool listed(const List *list, const void *x) {
    for (int i = 0; i < list->n; i++)
        if (list->at[i] == x) return true;
    return false;
}

/* Whether a body reads v otherwise than an element at a time. */
static bool read_whole(const Back *b, const Graph *g, const Value *v) {
    for (const Node *x = g->first; x; x = x->next) {
        for (int i = 0; i < x->nin; i++)
            if (resolve(x->in[i]) == v && !(i == 0 && loop_element(b->n, x->out[0]) == x)) return true;
        for (int i = 0; i < ROW_ATTRS && x->op->attr[i].name; i++)
            if (x->attr[i].graph && read_whole(b, x->attr[i].graph, v)) return true;
    }
    for (int i = 0; i < g->nout; i++)
        if (resolve(g->out[i]) == v) return true;
    return false;
}

static void note_read(Back *b, Node *x, Value *v) {
    v = resolve(v);
    if (!differentiable(v) || lies_in(v->graph, b->body) || !b->how->is_live(b->how->arg, v)) return;
    if (!read_whole(b, b->body, v))
        push(b->body->module->arena, &b->elements, x);
    else if (!listed(&b->outside, v))
        push(b->body->module->arena, &b->outside, v);
}

static void note_reads(Back *b, Graph *g) {
    for (Node *x = g->first; x; x = x->next) {
        for (int i = 0; i < x->nin; i++)
            if (x->in[i]) note_read(b, x, x->in[i]);
        for (int i = 0; i < ROW_ATTRS && x->op->attr[i].name; i++)
            if (x->attr[i].graph) note_reads(b, x->attr[i].graph);
    }
    for (int i = 0; i < g->nout; i++) note_read(b, NULL, g->out[i]);
}

/* ---- the backward body ---- */

static Value *parameter(Back *b, const char *name, const Value *like) {
    Type t = like->type;
    return input_new(b->back, format(b->back->module->arena, "%s.back", name), t);
}

/* An initial value of the backward loop; NULL: zeros of the type of `like`. */
static void begin_with(Back *b, Value *v, Value *like) {
    push(b->back->module->arena, &b->init, v ? v : built(b->end, "zeros(x)", 1, &like));
}

static void add_parameters(Back *b) {
    Arena *a = b->back->module->arena;
    for (int k = 0; k < loop_carried(b->n); k++) {
        Value *first = b->n->in[LOOP_CARRIED + k];
        if (!differentiable(first)) continue;
        push(a, &b->live, (void *)(intptr_t)k);
        parameter(b, b->body->in[LOOP_CARRIED + k]->name, first);
        begin_with(b, b->upstream[k], first);
    }
    for (int i = 0; i < b->outside.n; i++) {
        Value *v = b->outside.at[i];
        parameter(b, v->name, v);
        begin_with(b, NULL, v);
    }
}

/* Whether its trip count is that extent: a condition may end it instead. */
static bool counts_to(const Node *loop, Dim extent) {
    Value *m = input(loop, LOOP_M);
    Affine count;
    return m && !m->type.rank && m->type.dtype == DT_i64 && affine_in_loop(loop, m, &count) &&
           same_dim(count.base, extent);
}

/* Iterations are gone through from the last to the first. */
static bool find_turn(Back *b) {
    Trips trips = loop_trips(b->n);
    Value *iteration = b->back->in[LOOP_M], *m = input(b->n, LOOP_M);
    if (!trips.exact || (trips.most.symbol && !counts_to(b->n, trips.most))) {
        problem(b->n, EXIT_UNSUPPORTED,
                "the loss depends on it, and a loop whose number of iterations follows from data has no gradient");
        return false;
    }
    Value *last = trips.most.symbol ? built(b->end, "x - 1", 1, &m)
                                    : const_scalar(b->back->module, DT_i64, (double)(trips.most.max - 1));
    b->turn = built(b->last, "x - i", 2, (Value *[]){last, iteration});
    return true;
}

static void infer_all(Back *b) {
    for (Node *x = b->back->first, *next; x != b->last; x = next) {
        next = x->next;
        infer_node(x);
    }
}

/* Gradients that enter an iteration: of what it hands on, and of its rows. */
static void seeds(Back *b, List *root, List *seed) {
    Arena *a = b->back->module->arena;
    int carried = loop_carried(b->n);
    for (int i = 0; i < b->live.n; i++) {
        push(a, root, clone_of(b->of, b->body->out[BODY_CARRIED + (intptr_t)b->live.at[i]]));
        push(a, seed, b->back->in[LOOP_CARRIED + i]);
    }
    for (int k = carried; k < b->nout; k++) {
        if (!b->n->out[k] || !b->upstream[k]) continue;
        push(a, root, clone_of(b->of, b->body->out[BODY_CARRIED + k]));
        push(a, seed, gather(b->last, b->upstream[k], b->turn));
    }
}

static Value *zeros_like(Back *b, Value *v) { return built(b->last, "zeros(x)", 1, &v); }

/* Whether v is a^T b of few rows, as the gradients of weights are: the sum over iterations is then one product of all
 * their rows. Where there are many it costs little to add up, and the rows need not be kept. */
static bool is_product(const Value *v, Value **a, Value **b) {
    const Node *n = v && v->kind == V_NODE ? v->def : NULL;
    if (!n || v->type.rank != 2 || n->nin != 2) return false;
    *a = resolve(n->in[0]), *b = resolve(n->in[1]);
    if ((*b)->type.dim[0].max >= MANY_ROWS) return false;
    if (IS(n, Gemm)) return attr_i(n, "transA") && !attr_i(n, "transB") && attr_f(n, "alpha") == 1;
    bool turned = IS(n, MatMul) && (*a)->kind == V_NODE && IS((*a)->def, Transpose);
    if (turned) *a = resolve((*a)->def->in[0]);
    return turned;
}

/* Another part of the sum, or its factors among the rows that are kept. */
static Value *add_part(Back *b, Value *sum, Value *part) {
    Arena *a = b->back->module->arena;
    Value *x = NULL, *y = NULL;
    bool product = !is_segment(b->body) && is_product(part, &x, &y);
    push(a, &b->factors, product ? x : NULL), push(a, &b->factors, product ? y : NULL);
    return product || !part ? sum : built(b->last, "x + i", 2, (Value *[]){sum, part});
}

/* Rows that an iteration reads one of, at its turn: they need not be collected. */
static Value *rows_outside(const Back *b, const Value *v) {
    Node *g = v->kind == V_NODE && IS(v->def, Gather) ? v->def : NULL;
    Value *rows = g ? resolve(g->in[0]) : NULL;
    if (!g || resolve(g->in[1]) != b->turn || attr_axis(g, "axis", rows->type.rank)) return NULL;
    return lies_in(rows->graph, b->back) || !same_dim(rows->type.dim[0], loop_trips(b->n).most) ? NULL : rows;
}

/* Rows of v, which are collected if nothing has them. */
static void want_rows(Back *b, Value *v) {
    Arena *a = b->back->module->arena;
    Rows *rows = NEW(a, Rows);
    v = resolve(v);
    rows->made = rows_outside(b, v), rows->result = b->live.n + b->outside.n;
    push(a, &b->rows, rows);
    if (rows->made) return;
    while (rows->result < b->given.n && resolve(b->given.at[rows->result]) != v) rows->result++;
    if (rows->result == b->given.n) push(a, &b->given, v);
}

/* What the iteration's gradients make of the parameters: handed back, added up, or kept as a row. */
static void give_results(Back *b, Value **gradient) {
    Arena *a = b->back->module->arena;
    List out = {0};
    int n = 0;
    for (int i = 0; i < b->live.n; i++, n++)
        push(a, &b->given, gradient[n] ? gradient[n] : zeros_like(b, b->back->in[LOOP_CARRIED + i]));
    for (int i = 0; i < b->outside.n; i++, n++)
        push(a, &b->given, add_part(b, b->back->in[LOOP_CARRIED + n], gradient[n]));
    for (int i = 0; i < b->elements.n; i++, n++) {
        Value *element = clone_of(b->of, ((Node *)b->elements.at[i])->out[0]);
        want_rows(b, gradient[n] ? gradient[n] : zeros_like(b, element));
    }
    for (int i = 0; i < b->factors.n; i++)
        if (b->factors.at[i]) want_rows(b, b->factors.at[i]);
    push(a, &out, const_scalar(b->back->module, DT_bool, 1));
    for (int i = 0; i < b->given.n; i++) push(a, &out, b->given.at[i]);
    set_outputs(b->back, &out);
}

static void build_back(Back *b) {
    Module *m = b->back->module;
    List root = {0}, seed = {0}, wrt = {0};
    clone_stands_for(b->of, b->body->in[LOOP_M], b->turn);
    clone_stands_for(b->of, b->body->in[LOOP_COND], const_scalar(m, DT_bool, 1));
    keep_carried(b);
    clone_nodes(b->body, b->back, b->last, b->of);
    infer_all(b);
    seeds(b, &root, &seed);
    for (int i = 0; i < b->live.n; i++)
        push(m->arena, &wrt, clone_of(b->of, b->body->in[LOOP_CARRIED + (intptr_t)b->live.at[i]]));
    for (int i = 0; i < b->outside.n; i++) push(m->arena, &wrt, b->outside.at[i]);
    for (int i = 0; i < b->elements.n; i++) push(m->arena, &wrt, clone_of(b->of, ((Node *)b->elements.at[i])->out[0]));
    Value **gradient = NEW_ARRAY(m->arena, Value *, wrt.n + 1);
    b->how->reverse(b->how->arg, b->last, &root, &seed, &wrt, gradient);
    keep_products(b);
    give_results(b, gradient);
}

/* ---- the backward loop, and what it gives ---- */

static void run_back(Back *b) {
    Node *n = b->n;
    Arena *a = b->back->module->arena;
    int nin = LOOP_CARRIED + b->init.n, nout = b->back->nout - BODY_CARRIED;
    Value **in = NEW_ARRAY(a, Value *, nin);
    in[LOOP_M] = n->in[LOOP_M], in[LOOP_COND] = NULL;
    for (int i = 0; i < b->init.n; i++) in[LOOP_CARRIED + i] = b->init.at[i];
    Node *loop = node_new(n->graph, b->end, &ops[OP_Loop], nin, in, nout, NULL, n->loc);
    loop->name = NULL, loop->origin = b->end->origin;
    set_attr(loop, &(Attr){.name = "body", .kind = A_GRAPH, .graph = b->back});
    set_attr_i(loop, "rows_from_end", 1);
    b->back->owner = loop;
    for (int i = 0; i < nout; i++) push(a, &b->result, loop->out[i]);
    infer_node(loop);
    if (loop->next && loop_body(loop) == b->back) hoist_invariants(loop);
}

/* Rows along the axis that the elements were taken from. */
static Value *along_axis(Back *b, Node *g, Value *rows) {
    Arena *a = b->back->module->arena;
    int axis = (int)attr_axis(g, "axis", g->in[0]->type.rank);
    Str perm = {.arena = a};
    for (int d = 0; d < rows->type.rank; d++) put(&perm, "%s%d", d ? ", " : "", d < axis ? d + 1 : d == axis ? 0 : d);
    return axis ? built(b->end, format(a, "Transpose(x, perm = [%s])", perm.s), 1, &rows) : rows;
}

static Value *product_of_rows(Back *b, Value *x, Value *y) {
    return built(b->end, "Gemm(Reshape(x, [-1, dim(x, -1)]), Reshape(i, [-1, dim(i, -1)]), transA = 1)", 2,
                 (Value *[]){resolve(x), resolve(y)});
}

static Value *rows_at(const Back *b, int i) {
    const Rows *rows = b->rows.at[i];
    return resolve(rows->made ? rows->made : b->result.at[rows->result]);
}

static void give_gradients(Back *b) {
    const RegionGradient *how = b->how;
    int n = 0, rows = b->elements.n;
    for (int i = 0; i < b->live.n; i++, n++)
        how->give(how->arg, b->n->in[LOOP_CARRIED + (intptr_t)b->live.at[i]], resolve(b->result.at[n]));
    for (int i = 0; i < b->outside.n; i++, n++) {
        bool product = b->factors.at[2 * i];
        Value *g = product ? product_of_rows(b, rows_at(b, rows), rows_at(b, rows + 1)) : resolve(b->result.at[n]);
        if (product) rows += 2;
        how->give(how->arg, b->outside.at[i], g);
    }
    for (int i = 0; i < b->elements.n; i++) {
        Node *g = b->elements.at[i];
        how->give(how->arg, resolve(g->in[0]), along_axis(b, g, rows_at(b, i)));
    }
}

void reverse_loop(Node *n, Node *end, Value *const *upstream, const RegionGradient *how) {
    Module *m = n->graph->module;
    int said = m->problems.n;
    Back b = {.n = n,
              .end = end,
              .body = loop_body(n),
              .how = how,
              .of = map_new(m->arena),
              .upstream = upstream,
              .nout = n->nout};
    b.back = graph_new(m, "backward", n->graph);
    input_new(b.back, "iteration", (Type){.dtype = DT_i64, .rank = 0});
    input_new(b.back, "cond", (Type){.dtype = DT_bool, .rank = 0});
    b.last = node_new(b.back, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, n->loc);
    b.last->origin = end->origin;
    if (find_turn(&b)) {
        note_reads(&b, b.body);
        add_parameters(&b);
        build_back(&b);
        unlink_node(b.last);
        if (m->problems.n == said) run_back(&b);
        if (m->problems.n == said) give_gradients(&b);
    }
}
