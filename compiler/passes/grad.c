/* grad - what a function of a training program computes beyond the network: the loss, gradients, updates. needs: types;
 * keeps: types (new nodes are typed as they are built).
 *
 * Reverse mode on the graph: from the loss backwards every node turns the gradients of its results into those of its
 * inputs, by the text of its row; a value that several nodes read gets the sum. Composites whose row has no gradient
 * are replaced by their meaning first. Only what lies between the values of Gradients.wrt and the loss is built. */
#include "control/control.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/target.h"
#include "ops/composite.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "train/train.h"

/* ---- composites without a gradient of their own ---- */

static bool differentiable(const Value *v) { return v && v->type.dtype != DT_none && is_float(v->type.dtype); }

static bool has_own_gradient(const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (differentiable(n->in[i]) && n->in[i]->kind != V_CONST && n->in[i]->kind != V_STATE &&
            !gradient_text(n->op, i))
            return false;
    return true;
}

static bool must_decompose(const Node *n) {
    return (n->op->kind == K_DEF || n->op->opened || n->op->expand || is_recurrent(n)) && !has_own_gradient(n);
}

static void decompose(Node *n) {
    if (is_recurrent(n))
        expand_recurrent(n);
    else
        (n->op->expand ? n->op->expand : expand_def)(n);
}

static void decompose_composites(Graph *g, void *unused) {
    Module *m = g->module;
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        if (!must_decompose(n)) continue;
        Node *before = n->prev;
        if (--m->fuel < 0) fatal(m, EXIT_INPUT, "the model is too large to expand");
        int said = m->problems.n;
        decompose(n);
        if (m->problems.n == said) next = before ? before->next : g->first;
    }
    resolve_graph(g);
}

/* ---- batch norm by the batch's own statistics ---- */

/* `first`: of the nodes up to the one that makes it, which are there for nothing else; or NULL. */
static void update_later(Training *t, Value *state, Value *becomes, Node *first, Arena *a) {
    push(a, &t->updated, state);
    push(a, &t->updated, becomes);
    push(a, &t->updated, first);
}

/* The running statistics, blended with the batch's. The variance that is kept is as in PyTorch that of the population
 * that the batch was drawn from, n / (n - 1) of the batch's own, as in Keras the latter. */
static void blend(Node *at, Value *state, Value *batch, double momentum, bool variance) {
    Module *m = at->graph->module;
    Value *in[4] = {state, batch, const_scalar(m, state->type.dtype, momentum), at->in[0]}, *r;
    const Node *before = at->prev;
    bool population = variance && !m->training->optimizer->flavor;
    build_decomposition(at,
                        population ? "n = cast(Max(ratio(x, b), 2), b); r * k + b * (n / (n - 1)) * (1 - k)"
                                   : "r * k + b * (1 - k)",
                        4, (const char *[]){"r", "b", "k", "x"}, in, 1, &r);
    update_later(m->training, state, r, before ? before->next : m->main->first, m->arena);
}

static void use_batch_statistics(Node *n) {
    Graph *g = n->graph;
    Node *s = node_new(g, n, &ops[OP_BatchStatistics], 1, n->in, 3, NULL, n->loc);
    s->origin = node_text(g->module->arena, n);
    set_attr_f(s, "epsilon", attr_f(n, "epsilon"));
    infer_node(s);
    Value *in[5] = {n->in[0], n->in[1], n->in[2], s->out[0], s->out[2]};
    Node *y = insert_node(n, &ops[OP_BatchNormalize], 5, in);
    infer_node(y);
    for (int i = 3; i < 5; i++)
        if (n->in[i]->kind == V_STATE) blend(n, n->in[i], s->out[i - 3], attr_f(n, "momentum"), i == 4);
    replace_keeping_name(n->out[0], y->out[0]);
    unlink_node(n);
}

/* A layer whose scale and bias stay as they are keeps its statistics too. */
static bool is_frozen(const Node *n) { return !attr_i(n, "training_mode") && !trained(n->in[1]) && !trained(n->in[2]); }

static void norms_in_training(Module *m) {
    for (Node *n = m->main->first, *next; n; n = next) {
        next = n->next;
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        if (IS(n, BatchNormalization) && !is_frozen(n)) use_batch_statistics(n);
    }
    resolve_graph(m->main);
}

/* ---- reverse mode ---- */

typedef struct {
    Module *m;
    Graph *g;
    Node *end;           /* what is built goes before it */
    Map *inner;          /* in a loop's body: of what has a gradient there or could, by name, Inner *; NULL: in main */
    unsigned char *live; /* by id: depends on a value of wrt */
    Value **gradient;    /* by id */
    int *wrt_index;      /* by id: 1 + its index in wrt */
    Node **first_reader; /* by that index: its first reader, behind which its gradient is complete */
} Reverse;

typedef struct {
    bool live;
    Value *gradient;
} Inner;

static Inner *inner_of(const Reverse *r, const Value *v) {
    Inner *i = map_get(r->inner, v->name);
    if (!i) map_set(r->inner, v->name, i = NEW(r->m->arena, Inner));
    return i;
}

static bool is_live(const Reverse *r, const Value *v) {
    return differentiable(v) && (r->inner ? inner_of(r, v)->live : r->live[v->id]);
}

static void set_live(Reverse *r, const Value *v, bool live) {
    if (r->inner)
        inner_of(r, v)->live = live;
    else
        r->live[v->id] = live;
}

static Value **gradient_at(const Reverse *r, const Value *v) {
    return r->inner ? &inner_of(r, v)->gradient : &r->gradient[v->id];
}

static bool regions_read_live(const Reverse *, const Node *);

static bool reads_live(const Reverse *r, const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (is_live(r, n->in[i])) return true;
    return regions_read_live(r, n);
}

static bool graph_reads_live(const Reverse *r, const Graph *g) {
    for (const Node *n = g->first; n; n = n->next)
        if (reads_live(r, n)) return true;
    for (int i = 0; i < g->nout; i++)
        if (is_live(r, g->out[i])) return true;
    return false;
}

static bool regions_read_live(const Reverse *r, const Node *n) {
    for (int i = 0; (IS(n, If) || IS(n, Loop)) && i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].graph && graph_reads_live(r, n->attr[i].graph)) return true;
    return false;
}

static void mark_live(Reverse *r) {
    for (Node *n = r->g->first; n != r->end; n = n->next) {
        bool live = reads_live(r, n);
        for (int i = 0; i < n->nout; i++)
            if (n->out[i] && !is_live(r, n->out[i])) set_live(r, n->out[i], live && differentiable(n->out[i]));
    }
}

static const Node *next_on_path(const Reverse *r, const Node *n) {
    for (const Node *p = n->next; p != r->end; p = p->next)
        for (int i = 0; i < p->nin; i++)
            for (int k = 0; k < n->nout; k++)
                if (n->out[k] && p->in[i] == n->out[k] && p->nout && p->out[0] && *gradient_at(r, p->out[0])) return p;
    return NULL;
}

/* The operator, and how the loss depends on it. */
static void no_gradient(const Reverse *r, Node *n, int i) {
    enum { SHOWN = 6 };
    Str path = {.arena = r->m->arena};
    const Node *p = n;
    for (int k = 0; p && k < SHOWN; k++, p = next_on_path(r, p)) put(&path, "%s -> ", node_text(r->m->arena, p));
    problem(n, EXIT_UNSUPPORTED, "it has no gradient for input %d, which the loss depends on: %s%sloss", i + 1, path.s,
            p ? "… -> " : "");
}

static void accumulate(Reverse *r, Value *v, Value *g) {
    Value **sum = gradient_at(r, v);
    if (*sum) {
        Node *add = insert_node(r->end, &ops[OP_Add], 2, (Value *[]){*sum, g});
        infer_node(add);
        g = add->out[0];
    }
    *sum = g;
}

static const char *gradient_origin(Arena *a, const Node *n) {
    const char *from = node_origin(n);
    int op = (int)strcspn(from, " ");
    return format(a, "%.*sGrad%s", op, from, from + op);
}

static void reverse_node(Reverse *r, Node *n);

static bool is_live_outside(void *r, const Value *v) { return is_live(r, v); }

static void accumulate_in(void *arg, Value *v, Value *g) {
    if (is_live(arg, v)) accumulate(arg, v, g);
}

static void reverse_region(void *arg, Node *end, const List *root, const List *seed, const List *wrt,
                           Value **gradient) {
    const Reverse *outer = arg;
    Reverse r = {.m = outer->m, .g = end->graph, .end = end, .inner = map_new(outer->m->arena)};
    Node *last = end->prev;
    for (int i = 0; i < wrt->n; i++) set_live(&r, wrt->at[i], true);
    mark_live(&r);
    for (int i = 0; i < root->n; i++) accumulate(&r, root->at[i], seed->at[i]);
    for (Node *n = last; n; n = n->prev) reverse_node(&r, n);
    for (int i = 0; i < wrt->n; i++) gradient[i] = *gradient_at(&r, wrt->at[i]);
}

static void reverse_node(Reverse *r, Node *n) {
    Value **upstream = NEW_ARRAY(r->m->arena, Value *, n->nout + 1);
    bool any = false;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && (upstream[i] = *gradient_at(r, n->out[i]))) any = true;
    r->end->origin = gradient_origin(r->m->arena, n), r->end->loc = n->loc;
    if (any && (IS(n, Loop) || IS(n, If))) {
        RegionGradient how = {r, is_live_outside, reverse_region, accumulate_in};
        (IS(n, Loop) ? reverse_loop : reverse_if)(n, r->end, upstream, &how);
        return;
    }
    for (int i = 0; i < n->nin && any; i++) {
        if (!is_live(r, n->in[i])) continue;
        if ((r->m->fuel -= 4) < 0) fatal(r->m, EXIT_INPUT, "the model is too large to differentiate");
        if (!gradient_text(n->op, i)) {
            no_gradient(r, n, i);
            continue;
        }
        Value *g = build_gradient(n, r->end, i, upstream);
        if (g) accumulate(r, n->in[i], g);
    }
}

typedef struct {
    Reverse *r;
    const Gradients *w;
    Node *n;
} Reader;

static int wrt_of(const Reader *a, const Value *v) {
    int k = a->r->wrt_index[v->id] - 1;
    return k >= 0 && a->w->wrt[k] == v ? k : -1;
}

static void note_reader(void *arg, Value *v) {
    const Reader *a = arg;
    int k = wrt_of(a, v);
    if (k >= 0 && !a->r->first_reader[k]) a->r->first_reader[k] = a->n;
}

/* The first node that reads a value of wrt: what comes before it adds nothing to its gradient. */
static void find_first_readers(Reverse *r, const Gradients *w) {
    for (Node *n = r->m->main->first; n != r->end; n = n->next) each_read(n, note_reader, &(Reader){r, w, n});
}

static void pass_on_value(void *arg, Value *v) {
    const Reader *a = arg;
    int k = wrt_of(a, v);
    if (k < 0 || a->r->first_reader[k] != a->n || !a->r->gradient[v->id]) return;
    a->r->first_reader[k] = NULL; /* read twice by one node, handed over once */
    if (a->w->ready) a->w->ready(a->r->m, a->r->end, k, a->r->gradient[v->id]);
}

static void pass_on(Reverse *r, const Gradients *w, Node *n) { each_read(n, pass_on_value, &(Reader){r, w, n}); }

static Reverse start_reverse(Module *m, const Gradients *w) {
    int values = number_values(m);
    Reverse r = {.m = m, .g = m->main, .live = arena_alloc(m->arena, (size_t)values + 1)};
    r.gradient = NEW_ARRAY(m->arena, Value *, values + 1), r.wrt_index = NEW_ARRAY(m->arena, int, values + 1);
    r.first_reader = NEW_ARRAY(m->arena, Node *, w->n + 1);
    r.end = node_new(m->main, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    for (int i = 0; i < w->n; i++) r.live[w->wrt[i]->id] = 1, r.wrt_index[w->wrt[i]->id] = i + 1;
    mark_live(&r);
    find_first_readers(&r, w);
    return r;
}

/* From each of n roots and the gradient that it has. */
static void differentiate_from(Module *m, int n, Value *const *root, Value *const *seed, Gradients *w) {
    Node *last = m->main->last;
    Reverse r = start_reverse(m, w);
    for (int i = 0; i < n; i++) accumulate(&r, root[i], seed[i]);
    for (Node *p = last; p; p = p->prev) {
        reverse_node(&r, p);
        pass_on(&r, w, p);
    }
    for (int i = 0; i < w->n; i++) w->gradient[i] = r.gradient[w->wrt[i]->id];
    unlink_node(r.end);
}

void differentiate(Module *m, Value *loss, Gradients *w) {
    Value *one = const_scalar(m, loss->type.dtype, 1);
    differentiate_from(m, 1, &loss, &one, w);
}

/* ---- the functions ---- */

static void collect(Module *m, List *wrt) {
    const Training *t = m->training;
    for (int i = 0; i < t->trained.n && m->entry->grads; i++) push(m->arena, wrt, ((Trained *)t->trained.at[i])->param);
    for (int i = 0; i < t->inputs && m->entry->input_grads; i++)
        if (differentiable(m->main->in[i])) push(m->arena, wrt, m->main->in[i]);
}

/* An output under a name of its own. */
static void add_output(Module *m, List *out, const char *name, Value *v) {
    Node *n = node_new(m->main, NULL, &ops[OP_Identity], 1, &v, 1, &name, v->loc);
    infer_node(n);
    push(m->arena, out, n->out[0]);
}

/* Its value has a name that no value of the network has, in every function of the program the same. */
static void add_named_loss(Module *m, List *out, const LossTerm *l) {
    add_output(m, out, format(m->arena, "loss.%s", l->name), resolve(l->value));
    ((Value *)out->at[out->n - 1])->port = l->name;
}

/* A value on which the loss does not depend has zeros for a gradient. */
static Value *zeros_like(Module *m, Value *v) {
    Node *shape = node_new(m->main, NULL, &ops[OP_Shape], 1, &v, 1, NULL, v->loc);
    infer_node(shape);
    Value *in[2] = {const_scalar(m, v->type.dtype, 0), shape->out[0]};
    Node *n = node_new(m->main, NULL, &ops[OP_Expand], 2, in, 1, NULL, v->loc);
    infer_node(n);
    return n->out[0];
}

static Value *gradient_of(Module *m, const Gradients *w, int i) {
    return w->gradient[i] ? w->gradient[i] : zeros_like(m, w->wrt[i]);
}

static Node *end_of(Module *m, const char *origin) {
    Node *at = node_new(m->main, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    at->origin = origin;
    return at;
}

static void accumulate_in_block(Module *m, Node *at, int i, Value *gradient) {
    if (i >= m->training->trained.n) return; /* an input's */
    Trained *p = m->training->trained.at[i];
    Value *in[2] = {p->grad, gradient}, *sum;
    build_decomposition(at, "a + b", 2, (const char *[]){"a", "b"}, in, 1, &sum);
    build_assign(at, p->grad, sum, gradient);
}

static void update_at_once(Module *m, Node *at, int i, Value *gradient) {
    build_update(m, at, m->training->trained.at[i], gradient, NULL);
}

/* Once all gradients are there: their common length limits each. */
static void update_together(Module *m, Node *at, Value *const *gradient) {
    Value *scale = clips_together(m->training) ? build_common_scale(m, at, gradient) : NULL;
    for (int i = 0; i < m->training->trained.n; i++)
        build_update(m, at, m->training->trained.at[i], gradient[i], scale);
}

/* The nodes from first to last, to before another; none if they do not stand so. */
static void move_range(Node *first, const Node *last, Node *at) {
    const Node *end = first;
    while (end && end != last) end = end->next;
    for (Node *n = end ? first : NULL, *next; n; n = n == last ? NULL : next) next = n->next, move_before(n, at);
}

/* Running statistics, and the step that random numbers follow from. */
static void update_states(Module *m) {
    Training *t = m->training;
    Node *at = end_of(m, "State");
    for (int i = 0; i < t->updated.n; i += 3) {
        Value *becomes = resolve(t->updated.at[i + 1]);
        Node *before = at->prev;
        if (on_device(m)) move_range(t->updated.at[i + 2], becomes->def, at); /* all of them are one launch */
        build_assign(at, t->updated.at[i], becomes, NULL);
        if (on_device(m)) one_kernel(m, before, at);
    }
    if (t->rng) {
        Node *before = at->prev;
        Value *in[2] = {t->rng, const_ints(m, 2, (int64_t[]){0, 1})}, *next;
        build_decomposition(at, "a + b", 2, (const char *[]){"a", "b"}, in, 1, &next);
        build_assign(at, t->rng, next, NULL);
        if (on_device(m)) one_kernel(m, before, at);
    }
    unlink_node(at);
}

static void start_without_network(Module *m) {
    m->main->first = m->main->last = NULL;
    m->main->nin = m->main->nout = 0;
}

/* Only the update, by the gradients in their block, which it clears. */
static void apply_block(Module *m) {
    start_without_network(m);
    start_step(m);
    Node *at = end_of(m, "Update");
    List gradients = {0};
    for (int i = 0; i < m->training->trained.n; i++)
        push(m->arena, &gradients, ((const Trained *)m->training->trained.at[i])->grad);
    update_together(m, at, (Value **)gradients.at);
    for (int i = 0; i < gradients.n; i++) {
        Value *grad = gradients.at[i];
        build_assign(at, grad, const_scalar(m, grad->type.dtype, 0), NULL);
    }
    unlink_node(at);
}

static void exchange_averages(Module *m) {
    start_without_network(m);
    build_exchange(m);
}

static void give_outputs(Module *m, Value *loss, const Gradients *w, bool gradients) {
    List out = {0};
    Value *correct = m->entry->metrics ? build_metric(m) : NULL;
    add_output(m, &out, "loss", loss);
    for (int i = 0; i < named_losses(m->training) && m->entry->metrics; i++)
        add_named_loss(m, &out, m->training->losses.at[i]);
    if (correct) add_output(m, &out, "correct", correct);
    for (int i = 0; i < w->n && gradients; i++)
        add_output(m, &out, format(m->arena, "%s.grad", w->wrt[i]->name), gradient_of(m, w, i));
    set_outputs(m->main, &out);
}

static void update_from(Module *m, const Gradients *w) {
    List gradients = {0};
    Node *at = NULL;
    for (int i = 0; i < w->n; i++) push(m->arena, &gradients, gradient_of(m, w, i));
    at = end_of(m, "Update");
    update_together(m, at, (Value **)gradients.at);
    unlink_node(at);
}

/* The loss and what follows from it. */
static void differentiate_loss(Module *m) {
    const Entry *e = m->entry;
    List wrt = {0};
    if (e->update) start_step(m);
    Value *loss = build_loss(m);
    if (e->grads || e->input_grads) each_graph(m, decompose_composites, NULL);
    collect(m, &wrt);
    Gradients w = {.n = wrt.n, .wrt = (Value **)wrt.at, .gradient = NEW_ARRAY(m->arena, Value *, wrt.n + 1)};
    bool together = e->update && (clips_together(m->training) || on_device(m)); /* there they are one launch */
    w.ready = together ? NULL : e->update ? update_at_once : e->accumulate ? accumulate_in_block : NULL;
    if (w.n) differentiate(m, resolve(loss), &w);
    if (together) update_from(m, &w);
    give_outputs(m, resolve(loss), &w, !w.ready && !together);
    if (e->training && (w.ready || together)) update_states(m);
}

/* ---- forward and backward: from gradients that the caller gives ---- */

static Value *copy_of(Module *m, Value *v, const char *name) {
    Node *n = node_new(m->main, NULL, &ops[OP_Copy], 1, &v, 1, name ? &name : NULL, v->loc);
    n->origin = "gradient";
    if (name) n->out[0]->port = name;
    infer_node(n);
    return n->out[0];
}

/* Of every output of floats: itself, and its gradient, an input that the caller may leave out. */
static void add_seeds(Module *m, List *root, List *seed) {
    for (int i = 0; i < m->training->outputs; i++) {
        Value *y = resolve(m->main->out[i]);
        if (!differentiable(y)) continue;
        const char *name = format(m->arena, "%s.grad", port_name(m->main->out[i]));
        Value *given = input_new(m->main, name, y->type);
        given->port = name;
        push(m->arena, root, y);
        push(m->arena, seed, copy_of(m, given, NULL));
    }
}

static void add_input_gradients(Module *m, List *out, const Gradients *w) {
    for (int i = m->training->trained.n; i < w->n; i++) {
        Value *g = gradient_of(m, w, i);
        push(m->arena, out, copy_of(m, g, format(m->arena, "%s.grad", w->wrt[i]->name)));
    }
}

static void differentiate_outputs(Module *m) {
    List wrt = {0}, root = {0}, seed = {0}, out = {0};
    m->training->outputs = m->main->nout;
    each_graph(m, decompose_composites, NULL);
    for (int i = 0; i < m->main->nout; i++) push(m->arena, &out, resolve(m->main->out[i]));
    add_seeds(m, &root, &seed);
    collect(m, &wrt);
    Gradients w = {.n = wrt.n, .wrt = (Value **)wrt.at, .gradient = NEW_ARRAY(m->arena, Value *, wrt.n + 1)};
    w.ready = accumulate_in_block;
    differentiate_from(m, root.n, (Value **)root.at, (Value **)seed.at, &w);
    add_input_gradients(m, &out, &w);
    set_outputs(m->main, &out);
    update_states(m);
}

/* Layers that keep their meaning are divided, too, if the memory asks for it. */
static void divide_layers(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (is_recurrent(n) && note_steps(n) && g->module->segments > 1) expand_recurrent(n);
    }
    resolve_graph(g);
}

void pass_grad(Module *m) {
    const Entry *e = m->entry;
    if (m->opt->max_ram) each_graph(m, divide_layers, NULL);
    if (!e) return;
    if (e->training) norms_in_training(m);
    if (e->second)
        differentiate_outputs(m);
    else if (e->loss)
        differentiate_loss(m);
    else if (e->update)
        apply_block(m);
    else if (e->averages)
        exchange_averages(m);
    else if (e->samples)
        update_states(m);
}
