/* build.c - making and changing graphs. */
#include "ir/build.h"
#include "ir/diag.h"
#include <math.h>

static void memory_full(void *arg) {
    Module *m = arg;
    fatal(m, EXIT_INPUT, "the model needs more memory to compile than it may take; raise it with --max-bytes");
}

Module *module_new(Options *opt, FILE *err, jmp_buf *escape, size_t memory_limit) {
    Module *m = calloc(1, sizeof *m);
    if (!m) {
        fputs("nncc: out of memory\n", stderr);
        exit(EXIT_INPUT);
    }
    m->arena = arena_new(0, memory_full, m); /* what a module begins with is not worth an error */
    m->opt = opt, m->err = err, m->escape = escape;
    m->target = opt->target;
    m->names = map_new(m->arena), m->symbols = map_new(m->arena);
    m->overridable = map_new(m->arena);
    m->fuel = 20000000;
    arena_limit(m->arena, memory_limit);
    return m;
}

void module_free(Module *m) {
    arena_free(m->arena);
    free(m);
}

Graph *graph_new(Module *m, const char *name, Graph *outer) {
    Graph *g = NEW(m->arena, Graph);
    g->name = arena_str(m->arena, name), g->module = m, g->outer = outer;
    g->names = map_new(m->arena);
    return g;
}

/* A rewrite names its result after what it replaces; a thousand in turn would each append a number: t_1_2_3_… */
static const char *without_numbers(Module *m, const char *name) {
    enum { LONG = 200 };
    size_t n = name ? strlen(name) : 0, stem;
    while (n > LONG) {
        for (stem = n; stem && name[stem - 1] >= '0' && name[stem - 1] <= '9';) stem--;
        if (stem == n || stem < 2 || name[stem - 1] != '_') break;
        n = stem - 1;
    }
    return name && name[n] ? format(m->arena, "%.*s", (int)n, name) : name;
}

static const char *unique_name(Module *m, const char *name) {
    if (name && *name && !map_get(m->names, name)) return arena_str(m->arena, name);
    name = without_numbers(m, name);
    for (;;) {
        char *s = name && *name ? format(m->arena, "%s_%d", name, ++m->serial) : format(m->arena, "t%d", ++m->serial);
        if (!map_get(m->names, s)) return s;
    }
}

static Value *make_value(Module *m, Graph *g, ValueKind kind, const char *name, Type type) {
    Value *v = NEW(m->arena, Value);
    v->kind = kind, v->graph = g, v->type = type, v->plan.offset = -1;
    v->name = unique_name(m, name);
    map_set(m->names, v->name, v);
    if (g) map_set(g->names, v->name, v);
    return v;
}

Value *value_new(Graph *g, const char *name, Type type) { return make_value(g->module, g, V_NODE, name, type); }

static Value **append(Arena *a, Value **list, int n, Value *v) {
    if (n & (n - 1) || n == 0) { /* capacity is the next power of two */
        if (n) {
            list[n] = v;
            return list;
        }
    }
    Value **grown = NEW_ARRAY(a, Value *, n ? 2 * n : 1);
    if (n) memcpy(grown, list, sizeof *list * (size_t)n);
    grown[n] = v;
    return grown;
}

Value *input_new(Graph *g, const char *name, Type type) {
    Value *v = make_value(g->module, g, V_INPUT, name, type);
    g->in = append(g->module->arena, g->in, g->nin, v);
    v->result = g->nin++;
    return v;
}

Value *outside_new(Module *m, ValueKind kind, const char *name, Tensor *t) {
    Value *v = make_value(m, NULL, kind, name, t ? tensor_type(t) : (Type){.dtype = DT_none, .rank = -1});
    v->data = t;
    push(m->arena, &m->outside, v);
    return v;
}

Value *const_new(Module *m, const char *name, Tensor *t) { return outside_new(m, V_CONST, name, t); }

Value *const_ints(Module *m, int n, const int64_t *v) {
    Tensor *t = tensor_new(m->arena, DT_i64, 1, (int64_t[]){n});
    if (n) memcpy(tensor_data(t), v, sizeof *v * (size_t)n);
    return const_new(m, NULL, t);
}

Value *const_scalar(Module *m, DType dtype, double x) {
    Tensor *t = tensor_new(m->arena, dtype, 0, NULL);
    set_f(t, 0, x);
    return const_new(m, NULL, t);
}

Value *find_value(Graph *g, const char *name) {
    for (Graph *s = g; s; s = s->outer) {
        Value *v = map_get(s->names, name);
        if (v) return v;
    }
    Value *v = map_get(g->module->names, name);
    return v && !v->graph ? v : NULL;
}

static bool may_have_regions(const Op *op) {
    for (int i = 0; i < ROW_ATTRS && op->attr[i].name; i++)
        if (op->attr[i].kind == A_GRAPH) return true;
    return false;
}

static void link_before(Graph *g, Node *n, Node *at) {
    g->regions = g->regions || may_have_regions(n->op);
    n->next = at, n->prev = at ? at->prev : g->last;
    *(n->prev ? &n->prev->next : &g->first) = n;
    *(at ? &at->prev : &g->last) = n;
}

static Attr *default_attrs(Module *m, const Op *op) {
    int n = 0;
    while (n < ROW_ATTRS && op->attr[n].name) n++;
    return arena_copy(m->arena, op->attr, sizeof(Attr) * (size_t)n);
}

Node *node_new(Graph *g, Node *at, const Op *op, int nin, Value *const *in, int nout, const char *const *names,
               Loc loc) {
    Module *m = g->module;
    Node *n = NEW(m->arena, Node);
    n->op = op, n->graph = g, n->loc = loc, n->name = loc.name;
    n->nin = nin, n->nout = nout;
    n->in = nin ? arena_copy(m->arena, in, sizeof *in * (size_t)nin) : NULL;
    n->out = NEW_ARRAY(m->arena, Value *, nout);
    n->attr = default_attrs(m, op);
    for (int i = 0; i < nout; i++) {
        n->out[i] = value_new(g, names ? names[i] : NULL, (Type){.dtype = DT_none, .rank = -1});
        n->out[i]->def = n, n->out[i]->result = i, n->out[i]->loc = loc;
    }
    link_before(g, n, at);
    return n;
}

Node *insert_node(Node *at, const Op *op, int nin, Value *const *in) {
    Node *n = node_new(at->graph, at, op, nin, in, 1, NULL, at->loc);
    n->origin = at->origin ? at->origin : at->op->since ? node_text(at->graph->module->arena, at) : NULL;
    return n;
}

static Attr *find_attr(const Node *n, const char *name) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (!strcmp(n->op->attr[i].name, name)) return &n->attr[i];
    fprintf(stderr, "nncc: %s has no attribute '%s'\n", n->op->name, name);
    bug(__FILE__, __LINE__, "attribute unknown to the row");
}

const Attr *attr(const Node *n, const char *name) { return find_attr(n, name); }

void set_attr(Node *n, const Attr *a) {
    Attr *mine = find_attr(n, a->name);
    const char *name = mine->name;
    *mine = *a;
    mine->name = name, mine->set = true;
}

void set_attr_i(Node *n, const char *name, int64_t i) { set_attr(n, &(Attr){.name = name, .kind = A_INT, .i = i}); }
void set_attr_f(Node *n, const char *name, double f) { set_attr(n, &(Attr){.name = name, .kind = A_FLOAT, .f = f}); }
void set_attr_s(Node *n, const char *name, const char *s) { set_attr(n, &(Attr){.name = name, .kind = A_STR, .s = s}); }

void set_attr_ints(Node *n, const char *name, int count, const int64_t *v) {
    const int64_t *copy = arena_copy(n->graph->module->arena, v, sizeof *v * (size_t)count);
    set_attr(n, &(Attr){.name = name, .kind = A_INTS, .n = count, .ints = copy});
}

void unlink_node(Node *n) {
    *(n->prev ? &n->prev->next : &n->graph->first) = n->next;
    *(n->next ? &n->next->prev : &n->graph->last) = n->prev;
    n->prev = n->next = NULL;
}

void move_before(Node *n, Node *at) {
    unlink_node(n);
    n->graph = at->graph;
    link_before(at->graph, n, at);
}

void one_kernel(Module *m, Node *first, const Node *at) {
    int k = ++m->kernels;
    for (Node *n = first ? first->next : m->main->first; n != at; n = n->next) n->kernel = k;
}

/* Union-find with path halving keeps chains of replacements short. */
Value *resolve(Value *v) {
    if (!v) return NULL;
    while (v->replacement) {
        if (v->replacement->replacement) v->replacement = v->replacement->replacement;
        v = v->replacement;
    }
    return v;
}

void replace(Value *old, Value *with) {
    with = resolve(with);
    ASSERT(!old->replacement);
    if (old != with) old->replacement = with;
}

static bool fresh_name(const char *s) { return s[0] == 't' && s[1 + strspn(s + 1, "0123456789")] == 0; }

void swap_names(Module *m, Value *a, Value *b) {
    Map *all = m->names;
    const char *t = a->name, *port = a->port;
    a->name = b->name, b->name = t;
    a->port = b->port, b->port = port;
    map_set(all, a->name, a), map_set(all, b->name, b);
    if (a->graph) map_set(a->graph->names, a->name, a), map_set(b->graph->names, b->name, b);
}

Value *output_as(Graph *g, Value *v, const char *name) {
    if (v->kind == V_NODE && v->graph == g && !strcmp(port_name(v), name) && !is_output(v)) return v;
    Node *n = node_new(g, NULL, &ops[OP_Identity], 1, &v, 1, &name, (Loc){.node = -1, .name = name});
    n->name = NULL, n->out[0]->type = v->type, n->out[0]->items = v->items;
    if (strcmp(n->out[0]->name, name)) n->out[0]->port = arena_str(g->module->arena, name);
    return n->out[0];
}

/* An output's name is part of the interface: what takes its place must carry it, if need be through an Identity. */
void replace_keeping_name(Value *old, Value *with) {
    with = resolve(with);
    bool ours = with->kind == V_NODE && with->graph == old->graph && !is_output(with);
    if (is_output(old) && !ours) {
        const Items *items = with->items;
        with = insert_node(old->def, &ops[OP_Identity], 1, &with)->out[0];
        with->type = old->type, with->items = items, ours = true;
    }
    if (ours && (is_output(old) || fresh_name(with->name))) swap_names(old->graph->module, old, with);
    replace(old, with);
}

static void each_in(Graph *g, void (*f)(Graph *, void *), void *arg) {
    for (Node *n = g->regions ? g->first : NULL; n; n = n->next)
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].kind == A_GRAPH && n->attr[i].graph) each_in(n->attr[i].graph, f, arg);
    f(g, arg);
}

void each_graph(Module *m, void (*f)(Graph *, void *), void *arg) {
    for (Graph *g = m->functions; g; g = g->next) each_in(g, f, arg);
    if (m->main) each_in(m->main, f, arg);
}

static void resolve_one(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
    for (int i = 0; i < g->nout; i++) set_output(g, i, resolve(g->out[i]));
}

void resolve_graph(Graph *g) { each_in(g, resolve_one, NULL); }

typedef struct {
    void (*f)(Value *, void *);
    void *arg;
} Visit;

static void visit_values(Graph *g, void *arg) {
    const Visit *v = arg;
    for (int i = 0; i < g->nin; i++) v->f(g->in[i], v->arg);
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) v->f(n->out[i], v->arg);
}

void each_value(Module *m, void (*f)(Value *, void *), void *arg) {
    for (int i = 0; i < m->outside.n; i++) f(m->outside.at[i], arg);
    each_graph(m, visit_values, &(Visit){f, arg});
}

static void number_one(Value *v, void *n) { v->id = (*(int *)n)++; }

int number_values(Module *m) {
    int n = 0;
    each_value(m, number_one, &n);
    return n;
}

static void forget_uses(Value *v, void *unused) {
    (void)unused;
    v->uses = 0;
}

static void add_uses(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++)
            if (n->in[i]) n->in[i]->uses++;
        if (n->op->measures) n->out[0]->uses++; /* by the dims that are called after it */
    }
    for (int i = 0; i < g->nout; i++) g->out[i]->uses++;
}

void count_uses(Module *m) {
    each_value(m, forget_uses, NULL);
    each_graph(m, add_uses, NULL);
}

void drop_unread(Module *m) {
    int kept = 0;
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (v->uses || v->kind != V_CONST) m->outside.at[kept++] = v;
    }
    m->outside.n = kept;
}

/* ---- what is said of ports ---- */

const Attr *said_of_port(const Module *m, const char *side, int i, const char *what, AttrKind kind) {
    for (int k = 0; k < m->metas.n; k++) {
        const Meta *meta = m->metas.at[k];
        if (strcmp(meta->keyword, "io")) continue;
        const char *name = format(m->arena, "%s%d.%s", side, i, what);
        for (int a = 0; a < meta->n; a++)
            if (!strcmp(meta->attr[a].name, name) && meta->attr[a].kind == kind) return &meta->attr[a];
    }
    return NULL;
}

static void say_of_output(Module *m, int i, const char *what, Attr said) {
    Meta *meta = NEW(m->arena, Meta);
    said.name = format(m->arena, "out%d.%s", i, what);
    *meta = (Meta){"io", m->main->name, 1, arena_copy(m->arena, &said, sizeof said)};
    push(m->arena, &m->metas, meta);
}

void say_extent(Module *m, int i, unsigned axes, int output) {
    int64_t axis[MAX_RANK];
    int n = 0;
    for (int k = 0; k < MAX_RANK; k++)
        if (axes >> k & 1) axis[n++] = k;
    say_of_output(m, i, "extent", (Attr){.kind = A_INT, .i = output});
    if (n == 1)
        say_of_output(m, i, "axis", (Attr){.kind = A_INT, .i = axis[0]});
    else
        say_of_output(m, i, "axes", (Attr){.kind = A_INTS, .n = n, .ints = arena_copy(m->arena, axis, sizeof axis)});
}

void say_offsets(Module *m, int i, int output) { say_of_output(m, i, "offset", (Attr){.kind = A_INT, .i = output}); }

int offset_output(const Module *m, int i) {
    const Attr *a = said_of_port(m, "out", i, "offset", A_INT);
    return a && a->i >= 0 && a->i < m->main->nout ? (int)a->i : -1;
}

int output_of_offsets(const Module *m, int out) {
    for (int i = 0; i < m->main->nout; i++)
        if (offset_output(m, i) == out) return i;
    return -1;
}

static unsigned axes_said(const Module *m, int i) {
    const Attr *one = said_of_port(m, "out", i, "axis", A_INT), *more = said_of_port(m, "out", i, "axes", A_INTS);
    const Value *v = m->main->out[i];
    int rank = v->packed ? v->packed->rank : v->type.rank;
    unsigned axes = 0;
    for (int k = 0; k < rank; k++) {
        if (one && one->i == k) axes |= 1u << k;
        for (int j = 0; more && j < more->n; j++)
            if (more->ints[j] == k) axes |= 1u << k;
    }
    return axes;
}

int extent_output(const Module *m, int i, unsigned *axes) {
    const Attr *a = said_of_port(m, "out", i, "extent", A_INT);
    unsigned along = a && i < m->main->nout ? axes_said(m, i) : 0;
    if (!along || a->i < 0 || a->i >= m->main->nout) return -1;
    if (axes) *axes = along;
    return (int)a->i;
}

int output_of_extent(const Module *m, int out) {
    for (int k = 0; k < m->metas.n; k++) {
        const Meta *meta = m->metas.at[k];
        int of, end = 0;
        for (int a = 0; a < meta->n && !strcmp(meta->keyword, "io"); a++)
            if (sscanf(meta->attr[a].name, "out%d.extent%n", &of, &end) == 1 && end && !meta->attr[a].name[end] &&
                extent_output(m, of, NULL) == out)
                return of;
    }
    return -1;
}

void set_output(Graph *g, int i, Value *v) {
    g->out[i] = v;
    if (v) v->output = i + 1;
}

void set_outputs(Graph *g, const List *out) {
    g->out = (Value **)out->at, g->nout = out->n;
    for (int i = 0; i < g->nout; i++) set_output(g, i, g->out[i]);
}

bool is_output(const Value *v) {
    const Graph *g = v->graph;
    if (!g || !v->output) return false;
    if (v->output <= g->nout && g->out[v->output - 1] == v) return true;
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == v) return true;
    return false;
}

const char *node_origin(const Node *n) { return n->origin ? n->origin : node_text(n->graph->module->arena, n); }

const char *node_text(Arena *a, const Node *n) {
    const char *name = n->name && *n->name ? n->name : NULL;
    for (int i = 0; i < n->nout && !name; i++)
        if (n->out[i]) name = n->out[i]->name;
    return name ? format(a, "%s '%s'", n->op->name, escaped(a, name, 60)) : arena_str(a, n->op->name);
}

bool known_dims(const Value *v, int max, int *n, Dim *out) {
    if (!v) return false;
    int64_t count = v->data ? v->data->count : v->known ? type_count(&v->type) : -1;
    if (count < 0 || count > max || (v->data && !is_int(v->data->dtype) && v->data->dtype != DT_bool)) return false;
    if (!v->data && is_float(v->type.dtype)) return false;
    for (int i = 0; i < count; i++) out[i] = v->data ? (Dim){get_i(v->data, i), NULL} : v->known[i];
    *n = (int)count;
    return true;
}

bool known_ints(const Value *v, int max, int *n, int64_t *out) {
    Dim d[64];
    if (max > 64 && v && v->data && is_int(v->data->dtype) && v->data->count <= max) {
        *n = (int)v->data->count;
        for (int i = 0; i < *n; i++) out[i] = get_i(v->data, i);
        return true;
    }
    if (!known_dims(v, max < 64 ? max : 64, n, d)) return false;
    for (int i = 0; i < *n; i++) {
        if (d[i].symbol) return false;
        out[i] = d[i].max;
    }
    return true;
}

bool is_extent(const Value *v, Dim *d) {
    int n;
    DType t = v->type.dtype;
    if (v->kind == V_NODE && IS(v->def, Cast) && is_float(t) && compute_type(t) == t) v = v->def->in[0];
    return v->kind == V_NODE && !v->data && known_dims(v, 1, &n, d) && n == 1 && d->symbol && d->max < INT32_MAX / 2;
}

bool known_float(const Value *v, double *x) {
    if (!v || !v->data || v->data->count != 1 || v->data->dtype == DT_str) return false;
    *x = get_f(v->data, 0);
    return true;
}

bool in_use(const Value *v) { return v->plan.last >= 0; }

bool lies_in(const Graph *g, const Graph *region) {
    while (g && g != region) g = g->outer;
    return g != NULL;
}
