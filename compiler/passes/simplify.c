/* simplify - rewrite rules (simplify.def) to a fixed point. needs: types; keeps: names of outputs, kernel labels.
 *
 * Sweeps go over the nodes in order until one changes nothing. What a rule inserts is looked at at once, so that most
 * chains are done in the first sweep, and a sweep is linear. Nodes that carry a label stand together and are left. */
#include "passes/simplify.h"
#include "ir/build.h"
#include "ops/ops.h"
#include "passes/passes.h"

enum { MAX_SWEEPS = 16, REWRITES_PER_NODE = 16 };

typedef struct {
    const char *name, *ops, *doc;
    RuleFunction *apply;
} Rule;

static const Rule rules[] = {
#define RULE(id, operators, text) {.name = #id, .ops = operators, .doc = text, .apply = rule_##id},
#include "passes/simplify.def"
#undef RULE
};

void list_rules(FILE *f) {
    for (int i = 0; i < COUNT(rules); i++) fprintf(f, "%-22s %s\n", rules[i].name, rules[i].doc);
}

/* ---- looking ---- */

Value *in_of(Node *n, int i) {
    if (i >= n->nin) return NULL;
    return n->in[i] = resolve(n->in[i]);
}

Node *maker(const Node *n, const Value *v) { return v && v->kind == V_NODE && v->graph == n->graph ? v->def : NULL; }

/* An output counts as a reader. */
Node *sole_maker(const Node *n, const Value *v) { return v && v->uses == 1 ? maker(n, v) : NULL; }

const Tensor *known(const Value *v) { return v && v->kind != V_NODE && is_known(v) ? v->data : NULL; }

bool may_copy(const Value *v) {
    enum { SMALL = 4096 };
    return v->uses <= 1 || type_bytes(&v->type) <= SMALL;
}

bool only_result(const Node *n) {
    for (int i = 1; i < n->nout; i++)
        if (n->out[i] && n->out[i]->uses) return false;
    return n->nout && n->out[0];
}

static bool unread(const Node *n) {
    bool none = !stays(n) && n->nout;
    for (int i = 0; i < n->nout && none; i++) none = !n->out[i] || !n->out[i]->uses;
    return none;
}

/* ---- rewriting ---- */

Node *insert(Rewrite *r, Node *at, const Op *op, int count, Value *const *in) {
    Node *n = insert_node(at, op, count, in);
    for (int i = 0; i < count; i++)
        if ((n->in[i] = resolve(n->in[i]))) n->in[i]->uses++;
    push(r->m->arena, &r->todo, n);
    return n;
}

Value *typed(Rewrite *r, Node *n) {
    (void)r;
    infer_node(n);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) n->out[i]->uses = 0, n->out[i]->simplify_marks = 0;
    return n->out[0];
}

Node *insert_like(Rewrite *r, Node *at, const Node *like, int count, Value *const *in) {
    Node *n = insert(r, at, like->op, count, in);
    for (int i = 0; i < ROW_ATTRS && like->op->attr[i].name; i++) n->attr[i] = like->attr[i];
    n->name = like->name, n->loc = like->loc, n->origin = like->origin;
    return n;
}

void comes_from(Node *made, const Node *a, const Node *b) {
    enum { LONG = 200 }; /* a comment's worth */
    const char *x = node_origin(a), *y = node_origin(b);
    made->origin = strlen(x) > LONG || strstr(x, y) ? x : format(made->graph->module->arena, "%s, %s", x, y);
}

/* What takes an output's place has to carry its name. */
static bool can_carry(const Value *old, const Value *with) {
    return !(old->simplify_marks & OUTPUT) ||
           (with->kind == V_NODE && with->graph == old->graph && !(with->simplify_marks & OUTPUT));
}

bool can_become(const Node *n, const Value *v) {
    return only_result(n) && same_type(&n->out[0]->type, &v->type) && can_carry(n->out[0], v);
}

void redirect(Rewrite *r, Node *n, int i, Value *v) {
    Value *old = n->out[i];
    ASSERT(same_type(&old->type, &v->type));
    replace_keeping_name(old, v);
    Value *now = resolve(old);
    if (now != v) v->uses++; /* an Identity carries the name */
    now->uses += old->uses, now->simplify_marks |= old->simplify_marks;
    if (!now->known) now->known = old->known;
    r->m->fuel -= 1 + n->graph->nout / 64;
}

static void forget_read(Rewrite *r, const Graph *g, Value *v, List *dead) {
    v = resolve(v);
    if (!v || --v->uses > 0 || v->kind != V_NODE || !unread(v->def)) return;
    while (g && g != v->graph) g = g->outer;
    if (g) push(r->m->arena, dead, v->def); /* else it goes with its region */
}

/* What a node of a graph reads, and what its regions do. */
static void forget_reads(Rewrite *r, const Graph *g, const Node *n, List *dead) {
    for (int i = 0; i < n->nin; i++) forget_read(r, g, n->in[i], dead);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Graph *region = n->attr[i].graph;
        for (const Node *x = region ? region->first : NULL; x; x = x->next) forget_reads(r, g, x, dead);
        for (int k = 0; region && k < region->nout; k++) forget_read(r, g, region->out[k], dead);
    }
}

void drop(Rewrite *r, Node *first) {
    List dead = {0};
    push(r->m->arena, &dead, first);
    while (dead.n) {
        Node *n = dead.at[--dead.n];
        forget_reads(r, n->graph, n, &dead);
        unlink_node(n);
    }
}

bool become(Rewrite *r, Node *n, Value *v) {
    if (!can_become(n, v)) return false;
    redirect(r, n, 0, v);
    drop(r, n);
    return true;
}

void rewire(Rewrite *r, Node *n, int i, Value *v) {
    Value *old = in_of(n, i);
    v->uses++;
    n->in[i] = v;
    Node *from = --old->uses > 0 ? NULL : maker(n, old);
    if (from && unread(from)) drop(r, from);
}

/* ---- sweeps ---- */

static bool looks_at(const Rule *rule, const Op *op) {
    size_t n = strlen(op->name);
    for (const char *s = rule->ops; *s; s += strcspn(s, " "), s += *s == ' ')
        if (*s == '*' || (strcspn(s, " ") == n && !strncmp(s, op->name, n))) return true;
    return false;
}

/* Which rules look at each operator, in the order of the table. */
static const List *rules_by_operator(Arena *a) {
    List *by = NEW_ARRAY(a, List, n_ops);
    for (int i = 0; i < n_ops; i++)
        for (int k = 0; k < COUNT(rules); k++)
            if (!ops[i].domain && looks_at(&rules[k], &ops[i])) push(a, &by[i], (void *)(uintptr_t)&rules[k]);
    return by;
}

static bool linked(const Node *n) { return n->prev || n->next || n->graph->first == n; }

static bool apply_one(Rewrite *r, const List *by, Node *n) {
    const List *mine = &by[n->op - ops];
    for (int i = 0; i < mine->n; i++) {
        const Rule *rule = mine->at[i];
        if (!rule->apply(r, n)) continue;
        r->left--, r->m->fuel--, r->changed = true;
        if (linked(n)) push(r->m->arena, &r->todo, n);
        return true;
    }
    return false;
}

static void work(Rewrite *r, const List *by, Node *first) {
    r->todo.n = 0;
    push(r->m->arena, &r->todo, first);
    while (r->todo.n && r->left > 0) {
        Node *n = r->todo.at[--r->todo.n];
        if (!linked(n) || n->kernel) continue;
        for (int i = 0; i < n->nin; i++) in_of(n, i);
        if (unread(n))
            drop(r, n);
        else
            apply_one(r, by, n);
    }
}

static void sweep_graph(Graph *g, void *arg) {
    Rewrite *r = ((void **)arg)[0];
    const List *by = ((void **)arg)[1];
    for (Node *n = g->first, *next; n && r->left > 0; n = next) {
        next = n->next;
        work(r, by, n);
    }
    resolve_graph(g);
}

static void count_nodes(Graph *g, void *arg) {
    int64_t *count = arg;
    for (Node *n = g->first; n; n = n->next) ++*count;
}

void pass_simplify(Module *m) {
    Rewrite r = {.m = m};
    each_graph(m, count_nodes, &r.left);
    r.left = r.left * REWRITES_PER_NODE + 1000;
    if (r.left > m->fuel / 2) r.left = m->fuel / 2; /* the passes to come need theirs */
    const List *by = rules_by_operator(m->arena);
    for (int i = 0; i < MAX_SWEEPS && (i == 0 || r.changed); i++) {
        r.changed = false;
        count_uses(m);
        mark_values(m);
        each_graph(m, sweep_graph, (void *[]){&r, (void *)(uintptr_t)by});
        resolve_graph(m->main);
    }
}
