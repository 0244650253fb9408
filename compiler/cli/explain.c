/* explain.c - --explain NODE: the kernel that computes a node, and what keeps that apart from its neighbours. */
#include "cli/command.h"
#include "driver.h"
#include "ir/build.h"
#include "loop/loop.h"
#include "passes/fuse.h"
#include "text/parser.h"

/* ---- names ---- */

/* Whether a node goes by the name: its own, that of a result, or, behind the passes, of the node it came from. */
static bool goes_by(Arena *a, const Node *n, const char *name) {
    if (n->name && !strcmp(n->name, name)) return true;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && !strcmp(n->out[i]->name, name)) return true;
    const char *quote = n->origin ? strchr(n->origin, '\'') : NULL;
    return quote && !strcmp(quote, format(a, "'%s'", escaped(a, name, 60)));
}

typedef struct {
    Arena *arena;
    const char *name;
    List found; /* Node* */
    List names; /* char*, kept in an arena that outlives the module */
} Search;

static void search_graph(Graph *g, void *arg) {
    Search *s = arg;
    for (Node *n = g->first; n; n = n->next) {
        if (goes_by(g->module->arena, n, s->name)) push(s->arena, &s->found, n);
        if (n->name && *n->name) push(s->arena, &s->names, arena_str(s->arena, n->name));
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) push(s->arena, &s->names, arena_str(s->arena, n->out[i]->name));
    }
}

static int search_module(Module *m, void *arg) {
    each_graph(m, search_graph, arg);
    return EXIT_OK;
}

/* ---- one kernel ---- */

typedef struct {
    Command *c;
    Module *m;
    Fuse fuse;
    Group g;
    int printed;
} Page;

static const char *value_text(Page *p, const Value *v) {
    return v->def && v->kind == V_NODE ? node_text(p->m->arena, v->def)
                                       : format(p->m->arena, "'%s'", escaped(p->m->arena, v->name, 60));
}

/* What keeps the maker of v and a reader apart, in words. */
static const char *reason(Page *p, Value *v, Node *reader) {
    Decision d = may_fuse(&p->fuse, v, reader, false);
    const char *text = fuse_reasons[d.why];
    if (d.why == WHY_JOIN) return "nothing: the pass 'fuse' did not run, or came to its end in so large a network";
    if (d.why != WHY_COST) return text;
    return format(p->m->arena, "%s (%.3g bytes saved an element, %.3g operations more)", text, d.saved, d.work);
}

static void put_edge(Page *p, const char *head, const char *neighbour, const char *text) {
    printf("  %-8s %s: %s\n", p->printed++ ? "" : head, neighbour, text);
}

static bool seen_before(const Group *g, const Node *n, int i) {
    for (const Node *q = g->first; q; q = q->next) {
        for (int j = 0; j < (q == n ? i : q->nin); j++)
            if (q->in[j] == n->in[i]) return true;
        if (q == n) return false;
    }
    return false;
}

/* Constants and parameters are no neighbours. */
static void put_sources(Page *p) {
    p->printed = 0;
    for (Node *n = p->g.first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            Value *v = n->in[i];
            if (!v || !v->graph || v->data || seen_before(&p->g, n, i)) continue;
            if (!v->def || !in_group(&p->g, v->def)) put_edge(p, "reads", value_text(p, v), reason(p, v, n));
        }
        if (n == p->g.last) return;
    }
}

static void put_readers_of(Page *p, Value *v) {
    for (Node *n = v->graph->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++) {
            if (n->in[i] != v || in_group(&p->g, n)) continue;
            put_edge(p, "read by", node_text(p->m->arena, n), reason(p, v, n));
            break;
        }
    const Graph *g = v->graph;
    if (is_output(v) && g->outer)
        put_edge(p, "read by", node_text(p->m->arena, g->owner), fuse_reasons[WHY_CONTROL]);
    else if (is_output(v))
        put_edge(p, "read by", "the caller", fuse_reasons[WHY_OUTPUT]);
}

static void put_readers(Page *p) {
    p->printed = 0;
    for (Node *n = p->g.first;; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) put_readers_of(p, n->out[i]);
        if (n == p->g.last) return;
    }
}

static void put_kernel(Page *p) {
    const Node *first = p->g.first;
    if (first->code)
        printf("step %d, function %s:", first->code->step, first->code->name);
    else
        printf(IS(first, If)     ? "no kernel, a choice between two lists of them:"
               : IS(first, Loop) ? "no kernel, a loop around those of its body:"
                                 : "no kernel:");
    for (const Node *n = first;; n = n->next) {
        const char *from = n->origin ? format(p->m->arena, "%s of %s", n->op->name, n->origin) : NULL;
        printf("%s %s", n == first ? "" : ",", from ? from : node_text(p->m->arena, n));
        if (n == p->g.last) break;
    }
    putchar('\n');
    put_sources(p);
    put_readers(p);
}

static int explain_module(Module *m, void *arg) {
    Page p = {.c = arg, .m = m};
    Search s = {.arena = m->arena, .name = p.c->explain};
    emit_all(m); /* names the functions */
    search_module(m, &s);
    p.fuse = fuse_new(m);
    for (int i = 0; i < s.found.n; i++) {
        p.g = group_of(s.found.at[i]);
        bool again = false;
        for (int j = 0; j < i; j++) again = again || in_group(&p.g, s.found.at[j]);
        if (!again) put_kernel(&p);
    }
    if (!s.found.n)
        printf("nothing is left of '%s': it was folded, merged into another node, or is not needed\n",
               escaped(m->arena, s.name, 60));
    return EXIT_OK;
}

int explain(Command *c) {
    Options opt = c->opt;
    Search s = {.arena = c->arena, .name = c->explain};
    opt.open_dims = OPEN_DIMS_IN_ONNX, opt.quiet = true;
    int code = load_only(&opt, stderr, search_module, &s);
    if (code) return code;
    if (!s.found.n) {
        const char *hint = suggest(c->arena, s.name, s.names.n, (const char *const *)s.names.at);
        fprintf(stderr, "nncc: --explain: the model has no node or value '%s'%s\n", escaped(c->arena, s.name, 60),
                *hint ? hint : "; summary lists them");
        return EXIT_INPUT;
    }
    return compile(&c->opt, stderr, explain_module, c);
}
