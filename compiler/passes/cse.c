/* cse - merge equal nodes, drop dead nodes and consts nobody reads. needs: types; keeps: order, labels. */
#include "ir/build.h"
#include "ir/storage.h"
#include "passes/passes.h"

static void attr_key(Str *s, const Attr *a) {
    put(s, "|%d:%lld:%a:%d", (int)a->kind, (long long)a->i, a->f, a->n);
    if (a->s) put(s, "\"%s\"", a->s);
    for (int i = 0; a->kind == A_INTS && i < a->n; i++) put(s, ",%lld", (long long)a->ints[i]);
    for (int i = 0; a->kind == A_FLOATS && i < a->n; i++) put(s, ",%a", a->floats[i]);
    if (a->tensor) put_bytes(s, a->tensor->data, (size_t)a->tensor->count * (size_t)dtypes[a->tensor->dtype].bytes);
}

static bool mergeable(const Node *n) {
    if (stays(n)) return false;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].kind == A_GRAPH || n->attr[i].tensor || n->attr[i].kind == A_STRS) return false;
    return true;
}

/* Small constants, such as axes and shapes, are equal if their contents are. */
static void value_key(Str *s, const Value *v) {
    enum { SMALL = 64 };
    bool small = v && v->kind == V_CONST && v->data && v->type.dtype != DT_str && type_bytes(&v->type) <= SMALL;
    if (!small || !is_dense(v)) {
        put(s, " %p", (const void *)v);
        return;
    }
    put(s, " %s", dtypes[v->type.dtype].name);
    for (int i = 0; i < v->type.rank; i++) put(s, ",%lld", (long long)v->type.dim[i].max);
    put_text(s, "=");
    for (int64_t i = 0; i < type_bytes(&v->type); i++) put(s, "%02x", ((const unsigned char *)v->data->data)[i]);
}

static const char *key_of(Node *n, Str *s) {
    s->n = 0;
    put(s, "%s/%d/%d", n->op->name, n->nout, n->kernel);
    for (int i = 0; i < n->nin; i++) value_key(s, n->in[i] ? resolve(n->in[i]) : NULL);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) attr_key(s, &n->attr[i]);
    return s->s;
}

static bool same_results(const Node *a, const Node *b) {
    for (int i = 0; i < a->nout; i++)
        if (!a->out[i] != !b->out[i]) return false;
    return true;
}

/* Names of a graph's results are its interface: a node that defines one is kept. */
static bool defines_output(const Node *n) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && is_output(n->out[i])) return true;
    return false;
}

static void merge_graph(Graph *g, void *unused) {
    (void)unused;
    Arena *arena = g->module->arena;
    Map *seen = map_new(arena);
    Str s = {.arena = arena};
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        if (!mergeable(n) || n->kernel)
            continue; /* labelled nodes stand together: merging across kernels would part them */
        const char *key = key_of(n, &s);
        Node *twin = map_get(seen, key);
        if (!twin) {
            map_set(seen, arena_str(arena, key), n);
            continue;
        }
        if (!same_results(n, twin) || defines_output(n)) continue;
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) replace(n->out[i], twin->out[i]);
        unlink_node(n);
    }
}

static bool dead(const Node *n) {
    if (stays(n)) return false;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && n->out[i]->uses) return false;
    return true;
}

static void release(Node *n);

static void release_region(Graph *g) {
    for (int i = 0; i < g->nout; i++) g->out[i]->uses--;
    for (Node *n = g->last; n; n = n->prev) release(n);
}

static void release(Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]) n->in[i]->uses--;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].graph) release_region(n->attr[i].graph);
}

/* Last to first, so that a chain of dead nodes goes in one sweep. */
static void sweep_graph(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (!dead(n)) continue;
        release(n);
        unlink_node(n);
    }
}

void pass_cse(Module *m) {
    each_graph(m, merge_graph, NULL);
    resolve_graph(m->main);
    count_uses(m);
    sweep_graph(m->main, NULL);
    each_graph(m, sweep_graph, NULL);
    drop_unread(m);
}
