/* flat.c - values whose shape an iteration or a branch decides: they are handed on as their elements one after the
 * other, with room for the most that there can be, and how many there are beside them. */
#include "bounded/bounded.h"
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/clone.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "ops/infer.h"
#include "ops/ops.h"

enum { MAX_ROUNDS = 6, MOST_TRIPS = 1 << 24 };

/* A shape of which a call decides the open axes, between least and most; the others are those of `like`. */
typedef struct {
    Type like;
    unsigned open;
    int64_t least[MAX_RANK], most[MAX_RANK];
    const char *dim[MAX_RANK]; /* what the open extents are called; NULL: by a fresh name */
    unsigned checked;          /* axes of which the call is told where data exceeds that */
    int64_t by[MAX_RANK];      /* what an iteration seems to add at most; no proof */
} Shape;

/* ---- what a region decides ---- */

static bool measures_dim(const Graph *g, const char *dim) {
    for (const Node *n = g->first; n; n = n->next) {
        if (n->op->measures && !strcmp(attr_s(n, "dim"), dim)) return true;
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph && measures_dim(n->attr[i].graph, dim)) return true;
    }
    return false;
}

/* Whether a dim has its value from nodes of the region. */
static bool is_decided_in(const Graph *region, Dim d) {
    for (int i = 0; d.symbol && i < d.symbol->names && i < SYMBOL_NAMES; i++) {
        const DimBinding *b = binding_of(region->module, d.symbol->name[i]);
        if (b && b->computed && measures_dim(region, b->name)) return true;
    }
    return d.symbol && d.symbol->names > SYMBOL_NAMES;
}

static bool any_decided_in(const Graph *region, const Type *t) {
    for (int k = 0; k < t->rank; k++)
        if (is_decided_in(region, t->dim[k])) return true;
    return false;
}

static bool of_one_kind(const Type *a, const Type *b) {
    return a->dtype == b->dtype && a->rank == b->rank && a->dtype != DT_str && type_known(a) && type_known(b);
}

/* ---- flat and back ---- */

static int64_t room_of(const Shape *s) {
    int64_t all = 1;
    for (int k = 0; k < s->like.rank; k++) all = times(all, s->open >> k & 1 ? s->most[k] : s->like.dim[k].max);
    return all;
}

static Value *flattened(Node *at, Value *v, const Shape *s) {
    const char *text =
        format(at->graph->module->arena, "Pad(Reshape(m, [-1]), Concat([0], Reshape(%lld - Size(m), [1]), axis = 0))",
               (long long)room_of(s));
    return build_text(at, text, 1, &v);
}

static Value *open_extents(Node *at, Value *v, const Shape *s) {
    int64_t axis[MAX_RANK];
    int count = 0;
    for (int k = 0; k < s->like.rank; k++)
        if (s->open >> k & 1) axis[count++] = k;
    return build_text(at, "Gather(Shape(m), p)", 2, (Value *[]){v, const_ints(at->graph->module, count, axis)});
}

static bool has_dim(const Value *v, Dim d, int *axis) {
    for (int k = 0; v && type_known(&v->type) && k < v->type.rank; k++)
        if (!v->items && same_dim(v->type.dim[k], d)) return *axis = k, true;
    return false;
}

/* A value with that extent that can be read before `at`, and the axis; NULL: none. */
static Value *value_with(Node *at, Dim d, int *axis) {
    for (const Graph *g = at->graph; g; at = g->owner, g = g->outer) {
        for (const Node *n = at ? at->prev : g->last; n; n = n->prev)
            for (int i = 0; i < n->nout; i++)
                if (n->out[i] && !n->out[i]->replacement && has_dim(n->out[i], d, axis)) return n->out[i];
        for (int i = 0; i < g->nin; i++)
            if (has_dim(g->in[i], d, axis)) return g->in[i];
    }
    return NULL;
}

static Value *extent_of_axis(Node *at, Value *numbers, const Shape *s, int k, int i, const char *stem) {
    Module *m = at->graph->module;
    if (s->open >> k & 1) {
        const char *dim = s->dim[k] ? s->dim[k] : fresh_dim(m, format(m->arena, "%s_count", stem));
        Value *extent = extent_called(at, numbers, i, dim, s->least[k], s->most[k], s->checked >> k & 1);
        return build_text(at, "Reshape(m, [1])", 1, &extent);
    }
    Dim d = s->like.dim[k];
    int axis;
    Value *v = d.symbol ? value_with(at, d, &axis) : NULL;
    if (!v) return const_ints(m, 1, &d.max);
    return build_text(at, format(m->arena, "Slice(Shape(m), [%d], [%d], [0])", axis, axis + 1), 1, &v);
}

/* The value behind what was flattened, and the numbers of its open axes; or each row of such values. */
static Value *unflattened(Node *at, Value *flat, Value *numbers, const Shape *s, const char *stem, bool rows) {
    Value *extent[MAX_RANK + 1];
    for (int k = 0, i = 0; k < s->like.rank; k++) {
        extent[k] = extent_of_axis(at, numbers, s, k, i, stem);
        i += s->open >> k & 1;
    }
    Node *all = insert_node(at, &ops[OP_Concat], s->like.rank, extent);
    set_attr_i(all, "axis", 0);
    infer_node(all);
    const char *text = rows ? "Unflatten(Reshape(Slice(m, [0], Reshape(ReduceProd(p, keepdims = 0), [1]), [1]), [-1]), "
                              "Concat(Slice(Shape(m), [0], [1], [0]), p, axis = 0))"
                            : "Unflatten(Slice(m, [0], Reshape(ReduceProd(p, keepdims = 0), [1]), [0]), p)";
    return build_text(at, text, 2, (Value *[]){flat, all->out[0]});
}

/* A place behind a graph's last node, for as long as nodes are made there. */
static Node *end_of(Graph *g) {
    Value *none = const_scalar(g->module, DT_i64, 0);
    return node_new(g, NULL, &ops[OP_Identity], 1, &none, 1, NULL, (Loc){0});
}

static Value *new_result(Node *n, int i) {
    Value *v = value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1});
    v->kind = V_NODE, v->def = n, v->result = i, v->loc = n->loc;
    return v;
}

static Type flat_type(const Shape *s) { return (Type){.dtype = s->like.dtype, .rank = 1, .dim = {fixed(room_of(s))}}; }

static Type numbers_type(const Shape *s) {
    int count = 0;
    for (int k = 0; k < s->like.rank; k++) count += s->open >> k & 1;
    return (Type){.dtype = DT_i64, .rank = 1, .dim = {fixed(count)}};
}

/* ---- If ---- */

/* What result i of both branches together may be; false: nothing, if they differ in more than extents. */
static bool joined_shape(Node *n, int i, const Graph *yes, const Graph *no, Shape *s) {
    const Type *a = &yes->out[i]->type, *b = &no->out[i]->type;
    int64_t lo, hi;
    *s = (Shape){.like = *a};
    if (!of_one_kind(a, b)) return false;
    for (int k = 0; k < a->rank; k++) {
        Dim x = a->dim[k], y = b->dim[k];
        if (same_dim(x, y) && !is_decided_in(yes, x) && !is_decided_in(no, y)) continue;
        int64_t p = dim_least(x), q = dim_least(y);
        s->open |= 1u << k, s->least[k] = p < q ? p : q, s->most[k] = x.max > y.max ? x.max : y.max;
        if (!given_range(n->graph->module, n->out[i], &lo, &hi) || hi >= s->most[k]) continue;
        s->most[k] = hi, s->checked |= 1u << k;
        if (s->least[k] > hi) s->least[k] = hi;
    }
    return room_of(s) < INT32_MAX;
}

static void flatten_result(Graph *g, int i, const Shape *s) {
    List out = {0};
    Node *end = end_of(g);
    Value *v = resolve(g->out[i]), *flat = flattened(end, v, s), *numbers = open_extents(end, v, s);
    for (int k = 0; k < g->nout; k++) push(g->module->arena, &out, k == i ? flat : g->out[k]);
    push(g->module->arena, &out, numbers);
    set_outputs(g, &out);
    unlink_node(end);
}

bool join_by_call(Node *n, int i) {
    Graph *yes = attr(n, "then_branch")->graph, *no = attr(n, "else_branch")->graph;
    Shape s;
    if (!n->out[i] || !joined_shape(n, i, yes, no, &s) || !s.open) return false;
    flatten_result(yes, i, &s), flatten_result(no, i, &s);
    Value *v = n->out[i], **out = NEW_ARRAY(n->graph->module->arena, Value *, n->nout + 1);
    for (int k = 0; k < n->nout; k++) out[k] = n->out[k];
    Value *flat = out[i] = new_result(n, i), *numbers = out[n->nout] = new_result(n, n->nout);
    n->out = out, n->nout++;
    flat->type = flat_type(&s), numbers->type = numbers_type(&s);
    Node *end = n->next ? NULL : end_of(n->graph), *at = end ? end : n->next;
    Value *y = unflattened(at, flat, numbers, &s, port_name(v), false);
    v->type = y->type;
    replace_keeping_name(v, y);
    if (end) unlink_node(end);
    return true;
}

/* ---- Loop: which carried values change their extents, and between which they stay ---- */

typedef struct {
    Node *n;
    Graph *body;
    const List *names;     /* what the model calls its values: each_named() */
    const Graph *pristine; /* the body, not inferred: what is inferred for some extents need not hold for others */
    int carried;
    Shape *shape;  /* of each carried value */
    int64_t trips; /* at most; -1: any number */
} Handed;

static int64_t most_trips(const Node *n, Trips t) {
    if (t.most.max >= 0) return t.most.max;
    if (!input(n, LOOP_M)) return -1;
    double most = numbers_of(n->in[LOOP_M], 0).hi;
    return most <= MOST_TRIPS ? (int64_t)(most > 0 ? most : 0) : -1;
}

/* What an iteration adds to an extent, at most, whatever that is. */
static bool growth(Module *m, Dim next, Dim own, int64_t *by) {
    Dim more;
    if (!dim_sub(m, next, own, &more)) return false;
    for (int i = 0; own.symbol && more.symbol && i < more.symbol->names && i < SYMBOL_NAMES; i++)
        if (more.symbol->name[i] == own.symbol) return false;
    *by = more.max;
    return true;
}

static bool open_axis(Handed *h, int k, int axis, Dim first) {
    Shape *s = &h->shape[k];
    int64_t lo, hi;
    s->open |= 1u << axis, s->least[axis] = dim_least(first), s->most[axis] = first.max;
    if (given_range(h->n->graph->module, h->n->out[k], &lo, &hi)) {
        s->least[axis] = 0, s->checked |= 1u << axis;
        if (hi > s->most[axis]) s->most[axis] = hi;
    }
    return true;
}

/* An axis whose extents leave the range that they were taken for gets a wider one; `changed` if so. */
static void widen_axis(Handed *h, int k, int axis, bool *changed) {
    Shape *s = &h->shape[k];
    Dim own = h->body->in[LOOP_CARRIED + k]->type.dim[axis],
        next = resolve(h->body->out[BODY_CARRIED + k])->type.dim[axis],
        first = h->n->in[LOOP_CARRIED + k]->type.dim[axis];
    int64_t by = 0, all;
    if (!(s->open >> axis & 1)) {
        if (same_dim(own, next) && !is_decided_in(h->body, next)) return;
        *changed = open_axis(h, k, axis, first);
    }
    if (s->checked >> axis & 1 && !s->by[axis]) return;
    if (dim_least(next) < s->least[axis]) s->least[axis] = 0, *changed = true;
    if (next.max <= s->most[axis]) return;
    bool certain = growth(h->body->module, next, own, &by);
    if (!certain) by = next.max - s->most[axis];
    if (!certain && by == s->by[axis]) return; /* as much as from less: if that is not always so, the call is told */
    if (h->trips < 0 || !mul_ok(by, h->trips, &all) || !add_ok(all, first.max, &all)) all = next.max;
    if (!certain) s->by[axis] = by, s->checked |= 1u << axis;
    if (!certain && all < next.max) all = next.max;
    if (all > s->most[axis]) s->most[axis] = all, *changed = true;
}

/* Whether the body as it is inferred now gives what it is given, but for open extents that stay in their ranges. */
static bool widen(Handed *h, bool *sound) {
    bool changed = false;
    for (int k = 0; k < h->carried; k++) {
        const Type *a = &h->body->in[LOOP_CARRIED + k]->type, *b = &resolve(h->body->out[BODY_CARRIED + k])->type;
        if (a->dtype == b->dtype && same_shape(a, b) && !any_decided_in(h->body, b)) continue;
        if (!of_one_kind(a, b)) return *sound = false;
        for (int axis = 0; axis < a->rank; axis++) widen_axis(h, k, axis, &changed);
        *sound = *sound && room_of(&h->shape[k]) < INT32_MAX;
    }
    return changed;
}

void forget_extents(const Graph *region) {
    Module *m = region->module;
    int kept = 0;
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (!b->computed || !measures_dim(region, b->name)) m->bounds.at[kept++] = m->bounds.at[i];
    }
    m->bounds.n = kept;
}

/* Names of extents that nodes of the body have, or its carried values, stand for nothing once it is thrown away. */
static void forget_dims(Handed *h) {
    Module *m = h->body->module;
    int kept = 0;
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        bool own = b->computed && measures_dim(h->body, b->name);
        for (int k = 0; k < h->carried; k++)
            for (int axis = 0; axis < h->shape[k].like.rank; axis++)
                own = own || (h->shape[k].dim[axis] && !strcmp(h->shape[k].dim[axis], b->name));
        if (!own) m->bounds.at[kept++] = m->bounds.at[i];
    }
    m->bounds.n = kept;
}

/* The type of carried value k in the body: its open extents are dims. */
static Type carried_type(Handed *h, int k) {
    Module *m = h->n->graph->module;
    Shape *s = &h->shape[k];
    Type t = s->like = h->n->in[LOOP_CARRIED + k]->type;
    for (int axis = 0; axis < t.rank; axis++) {
        if (!(s->open >> axis & 1)) continue;
        s->dim[axis] = fresh_dim(m, format(m->arena, "%s_extent", h->pristine->in[LOOP_CARRIED + k]->name));
        t.dim[axis] =
            dim_of_binding(m, &(DimBinding){.name = s->dim[axis], .min = s->least[axis], .max = s->most[axis]});
        if (t.dim[axis].symbol) binding_of(m, t.dim[axis].symbol)->computed = true;
    }
    return t;
}

/* The body that is kept has the names of the model's, whose values are gone. */
static void take_name(Value *v, void *arg) {
    const char ***next = arg;
    v->name = *(*next)++;
    map_set(v->graph->module->names, v->name, v), map_set(v->graph->names, v->name, v);
}

static bool infer_copy(Handed *h) {
    Graph *body = h->body = clone_graph(h->pristine, h->pristine->outer, map_new(h->n->graph->module->arena));
    const char **name = (const char **)h->names->at;
    body->owner = h->n;
    each_named(body, take_name, &name);
    body->in[LOOP_M]->type = (Type){.dtype = DT_i64, .rank = 0};
    body->in[LOOP_COND]->type = (Type){.dtype = DT_bool, .rank = 0};
    for (int k = 0; k < h->carried; k++) body->in[LOOP_CARRIED + k]->type = carried_type(h, k);
    infer_graph(body);
    for (int i = 0; i < body->nout; i++)
        if (!type_known(&body->out[i]->type)) return false;
    return true;
}

/* ---- Loop: its interface ---- */

static Value *parameter(Graph *body, const char *name, Type t) {
    Value **in = body->in;
    int nin = body->nin;
    body->in = NULL, body->nin = 0;
    Value *v = input_new(body, name, t);
    body->in = in, body->nin = nin;
    return v;
}

typedef struct {
    List in, param, next, out;                     /* of the node, of the body, in their order */
    List more_in, more_param, more_next, more_out; /* numbers of open axes, behind the values that are carried */
} Interface;

static void hand_on_value(Handed *h, Interface *f, Node *first, Node *end, int k) {
    Arena *a = h->body->module->arena;
    const Shape *s = &h->shape[k];
    Value *in = h->n->in[LOOP_CARRIED + k], *param = h->body->in[LOOP_CARRIED + k],
          *next = resolve(h->body->out[BODY_CARRIED + k]), *out = h->n->out[k];
    if (s->open) {
        Value *flat = parameter(h->body, NULL, flat_type(s)), *numbers = parameter(h->body, NULL, numbers_type(s));
        push(a, &f->more_in, open_extents(h->n, in, s)), push(a, &f->more_param, numbers);
        push(a, &f->more_next, open_extents(end, next, s)), push(a, &f->more_out, new_result(h->n, 0));
        in = flattened(h->n, in, s), next = flattened(end, next, s);
        replace(param, unflattened(first, flat, numbers, s, "", false));
        param = flat, out = new_result(h->n, 0);
    }
    push(a, &f->in, in), push(a, &f->param, param), push(a, &f->next, next), push(a, &f->out, out);
}

static void append_all(Arena *a, List *to, const List *from) {
    for (int i = 0; i < from->n; i++) push(a, to, from->at[i]);
}

/* Rows whose extents the iterations decide have as many numbers beside them, and are of one shape in the end. */
static void hand_on_rows(Handed *h, Interface *f, Node *end, Shape *row) {
    Arena *a = h->body->module->arena;
    List more_next = {0}, more_out = {0};
    for (int i = h->carried; i < h->n->nout; i++) {
        Shape *s = &row[i];
        Value *y = resolve(h->body->out[BODY_CARRIED + i]), *out = h->n->out[i];
        *s = (Shape){.like = y->type};
        for (int k = 0; k < y->type.rank && out; k++)
            if (is_decided_in(h->body, y->type.dim[k]))
                s->open |= 1u << k, s->least[k] = dim_least(y->type.dim[k]), s->most[k] = y->type.dim[k].max;
        if (s->open) {
            push(a, &more_next, open_extents(end, y, s)), push(a, &more_out, new_result(h->n, 0));
            y = flattened(end, y, s), out = new_result(h->n, 0);
        }
        push(a, &f->next, y), push(a, &f->out, out);
    }
    append_all(a, &f->next, &more_next), append_all(a, &f->out, &more_out);
}

static void install(Handed *h, Interface *f) {
    Node *n = h->n;
    n->in = (Value **)f->in.at, n->nin = f->in.n;
    n->out = (Value **)f->out.at, n->nout = f->out.n;
    h->body->in = (Value **)f->param.at, h->body->nin = f->param.n;
    set_outputs(h->body, &f->next);
    set_attr(n, &(Attr){.name = "body", .kind = A_GRAPH, .graph = h->body});
    renumber_loop(n);
}

/* The numbers of all rows, which have to be one: there may be no row. */
static Value *numbers_of_rows(Node *at, Value *numbers) {
    Value *most = build_text(at, "Where(Gather(Shape(m), 0) > 0, ReduceMax(m, [0], keepdims = 0), 0)", 1, &numbers);
    must_be_equal(at, build_text(at, "ReduceSum(Abs(m - p), keepdims = 0)", 2, (Value *[]){numbers, most}),
                  const_scalar(at->graph->module, DT_i64, 0));
    return most;
}

/* What readers of the node's old results have in their place, of those that it has now. */
static void decode(Handed *h, Node *at, int nout, Value *const *old, Value *const *made, const Shape *row) {
    int carried = loop_carried(h->n), numbers = h->carried, row_numbers = carried + nout - h->carried;
    for (int i = 0; i < nout; i++) {
        bool is_row = i >= h->carried;
        const Shape *s = is_row ? &row[i] : &h->shape[i];
        if (!old[i] || !s->open) continue;
        Value *flat = resolve(made[is_row ? carried + i - h->carried : i]),
              *count = resolve(made[is_row ? row_numbers++ : numbers++]);
        if (is_row) count = numbers_of_rows(at, count);
        Shape fresh = *s;
        memset(fresh.dim, 0, sizeof fresh.dim);
        Value *y = unflattened(at, flat, count, &fresh, port_name(old[i]), is_row);
        old[i]->type = y->type;
        replace_keeping_name(old[i], y);
    }
}

static Interface flat_interface(Handed *h, Shape *row) {
    Interface f = {0};
    Graph *body = h->body;
    Arena *a = body->module->arena;
    Node *end = end_of(body), *first = body->first;
    for (int i = 0; i < LOOP_CARRIED; i++) push(a, &f.in, h->n->in[i]), push(a, &f.param, body->in[i]);
    push(a, &f.next, resolve(body->out[BODY_COND]));
    for (int k = 0; k < h->carried; k++) hand_on_value(h, &f, first, end, k);
    append_all(a, &f.in, &f.more_in), append_all(a, &f.param, &f.more_param);
    append_all(a, &f.next, &f.more_next), append_all(a, &f.out, &f.more_out);
    hand_on_rows(h, &f, end, row);
    unlink_node(end);
    return f;
}

static bool rows_are_open(const Node *n, const Graph *body) {
    for (int i = loop_carried(n); i < n->nout; i++)
        if (n->out[i] && any_decided_in(body, &resolve(body->out[BODY_CARRIED + i])->type)) return true;
    return false;
}

/* What extents the carried values go through; false: no bound for some. */
static bool find_ranges(Handed *h) {
    bool sound = true;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (!widen(h, &sound)) return sound;
        forget_dims(h);
        if (!sound || !infer_copy(h)) return false;
    }
    return false;
}

bool is_open_loop(const Node *n) {
    const Graph *body = loop_body(n);
    for (int k = 0; k < loop_carried(n); k++)
        if (any_decided_in(body, &body->out[BODY_CARRIED + k]->type)) return true;
    return rows_are_open(n, body);
}

bool hand_on_by_call(Node *n, const Graph *pristine, const List *names, Trips trips) {
    Module *m = n->graph->module;
    int nout = n->nout, said = m->problems.n;
    Handed h = {.n = n, .body = loop_body(n), .pristine = pristine, .names = names, .carried = loop_carried(n)};
    h.shape = NEW_ARRAY(m->arena, Shape, h.carried + 1);
    h.trips = most_trips(n, trips);
    for (int k = 0; k < h.carried; k++) h.shape[k].like = n->in[LOOP_CARRIED + k]->type;
    bool sound = find_ranges(&h), rows = rows_are_open(n, h.body);
    if (!sound || (rows && trips.most.max < 0)) {
        m->problems.n = said;
        return false;
    }
    Shape *row = NEW_ARRAY(m->arena, Shape, nout + 1);
    Value **old = n->out;
    Interface f = flat_interface(&h, row);
    install(&h, &f);
    finish_loop(n);
    Value **made = arena_copy(m->arena, n->out, sizeof *made * (size_t)n->nout);
    Node *end = n->next ? NULL : end_of(n->graph), *at = end ? end : n->next;
    cut_rows(n);
    decode(&h, at, nout, old, made, row);
    if (end) unlink_node(end);
    return true;
}
