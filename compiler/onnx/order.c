/* order.c - nodes in the order of use. ONNX wants them written so, but not every writer does. */
#include "ir/build.h"
#include "onnx/importer.h"

enum { SHOWN_NODES = 8 };

/* A node being sorted: the nodes whose results it uses, and how far the walk has come with them. */
typedef struct {
    List on;
    int next;
    enum { NEW_NODE, OPEN, DONE } state;
} Visit;

typedef struct {
    Scope *scope;
    Onnx__NodeProto *const *node;
    Map *by_result; /* Visit of the node that computes a name */
    Visit *visit;
    int *stack, depth; /* nodes that wait for those above them */
    int *order, count;
    bool cyclic;
    Map *used; /* names that the nodes in order use; NULL: nobody asks */
} Sorting;

/* Names that a graph of a node defines itself, and those of the graphs around it, up to the node's own. */
typedef struct Inner {
    const struct Inner *outer;
    Map *defined;
} Inner;

static void use(Sorting *s, Visit *v, const Inner *inside, const char *name) {
    for (; inside; inside = inside->outer)
        if (map_get(inside->defined, name)) return;
    if (s->used) map_set(s->used, name, s->used);
    Visit *producer = *name ? map_get(s->by_result, name) : NULL;
    if (producer) push(s->scope->im->m->arena, &v->on, producer);
}

static void define(Map *defined, const char *name) {
    if (name && *name) map_set(defined, name, defined);
}

static void use_node(Sorting *, Visit *, const Inner *, const Onnx__NodeProto *);

/* What a graph of a node uses of the graph around it. Graphs are nested no deeper than the scan lets messages be. */
static void use_graph(Sorting *s, Visit *v, const Inner *outer, const Onnx__GraphProto *g) {
    Inner here = {outer, map_new(s->scope->im->m->arena)};
    for (size_t i = 0; i < g->n_input; i++) define(here.defined, g->input[i]->name);
    for (size_t i = 0; i < g->n_initializer; i++) define(here.defined, g->initializer[i]->name);
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t j = 0; j < g->node[i]->n_output; j++) define(here.defined, g->node[i]->output[j]);
    for (size_t i = 0; i < g->n_node; i++) use_node(s, v, &here, g->node[i]);
    for (size_t i = 0; i < g->n_output; i++)
        if (g->output[i]->name) use(s, v, &here, g->output[i]->name);
}

static void use_node(Sorting *s, Visit *v, const Inner *inside, const Onnx__NodeProto *p) {
    for (size_t i = 0; i < p->n_input; i++) use(s, v, inside, p->input[i]);
    for (size_t i = 0; i < p->n_attribute; i++) {
        const Onnx__AttributeProto *a = p->attribute[i];
        if (a->g) use_graph(s, v, inside, a->g);
        for (size_t j = 0; j < a->n_graphs; j++) use_graph(s, v, inside, a->graphs[j]);
    }
}

/* The nodes that wait for each other, from the one at `from` on the stack to the last, by name. */
static void report_cycle(Sorting *s, int from) {
    Importer *im = s->scope->im;
    Str names = {.arena = im->m->arena};
    int count = s->depth - from;
    for (int i = 0; i < count && i < SHOWN_NODES; i++) {
        const Onnx__NodeProto *p = s->node[s->stack[from + i]];
        const char *name = p->name && *p->name ? p->name : p->n_output ? p->output[0] : "";
        put(&names, "%s'%s' (%s)", i ? ", " : "", shown(im, scoped_name(s->scope, name)),
            shown(im, p->op_type ? p->op_type : ""));
    }
    if (count > SHOWN_NODES) put(&names, " and %d more", count - SHOWN_NODES);
    model_fault(im, "%s %s: no order of the nodes computes %s",
                count > 1 ? "nodes that need each other's results:" : "a node that needs its own result:", names.s,
                count > 1 ? "them" : "it");
}

static void enter(Sorting *s, int node) {
    Visit *v = &s->visit[node];
    use_node(s, v, NULL, s->node[node]);
    v->state = OPEN, s->stack[s->depth++] = node;
}

/* A node on the stack is needed by the last one: only the first such cycle is told. */
static void close_cycle(Sorting *s, const Visit *first) {
    int from = s->depth - 1;
    while (&s->visit[s->stack[from]] != first) from--;
    if (!s->cyclic) report_cycle(s, from);
    s->cyclic = true;
}

/* Places a node behind those whose results it uses. */
static void visit_from(Sorting *s, int node) {
    if (s->visit[node].state == NEW_NODE) enter(s, node);
    while (s->depth) {
        Visit *v = &s->visit[s->stack[s->depth - 1]];
        if (v->next == v->on.n) {
            v->state = DONE, s->order[s->count++] = s->stack[--s->depth];
            continue;
        }
        Visit *first = v->on.at[v->next++];
        if (first->state == OPEN) close_cycle(s, first);
        if (first->state == NEW_NODE) enter(s, (int)(first - s->visit));
    }
}

static Sorting sorting(Scope *scope, int n, Onnx__NodeProto *const *nodes) {
    Arena *a = scope->im->m->arena;
    Sorting s = {.scope = scope, .node = nodes, .by_result = map_new(a)};
    s.visit = NEW_ARRAY(a, Visit, n), s.stack = NEW_ARRAY(a, int, n), s.order = NEW_ARRAY(a, int, n);
    for (int i = n - 1; i >= 0; i--) /* of a name that two define, the first holds */
        for (size_t j = 0; j < nodes[i]->n_output; j++)
            if (*nodes[i]->output[j]) map_set(s.by_result, nodes[i]->output[j], &s.visit[i]);
    return s;
}

Map *names_needed(Scope *scope, const Onnx__GraphProto *g, const List *outputs) {
    Sorting s = sorting(scope, (int)g->n_node, g->node);
    s.used = map_new(scope->im->m->arena), s.cyclic = true; /* cycles are reported when the nodes come in */
    for (int i = 0; i < outputs->n; i++) {
        Visit *v = map_get(s.by_result, outputs->at[i]);
        map_set(s.used, outputs->at[i], s.used);
        if (v) visit_from(&s, (int)(v - s.visit));
    }
    return s.used;
}

const int *order_of_use(Scope *scope, int n, Onnx__NodeProto *const *nodes) {
    Sorting s = sorting(scope, n, nodes);
    for (int i = 0; i < n; i++) visit_from(&s, i);
    return s.order;
}
