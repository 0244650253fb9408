/* fuse_decision.c - whether two kernels become one: what must not be, then what it costs and saves. */
#include "ir/build.h"
#include "ir/storage.h"
#include "ir/target.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes/fuse.h"
#include "passes/passes.h"

enum { SMALL_PRODUCT = 4096 };

/* Operations that a byte to or from memory is worth, where an addition is 1, and bytes that a step less is worth. */
static const double byte_worth = 0.5, step_bytes = 64;

const char *const fuse_reasons[WHY_COUNT] = {
#define REASON(id, text) text,
#include "passes/fuse_reasons.def"
#undef REASON
};

static double arithmetic(const Group *g, const Value *v) {
    double work = 0;
    for (const Node *n = g->first;; n = n->next) {
        if (elementwise(n)) work += cost_of(n->op) * elements_of(n->out[0]) / elements_of(v);
        if (n == g->last) return work;
    }
}

/* `times` an element is computed in place of once. */
static Decision by_cost(Fuse *f, const Group *p, const Group *c, const Value *v, double times) {
    ElementCost price = element_cost(f, p, v);
    Decision d = {WHY_JOIN, times,
                  dtypes[v->type.dtype].bytes * (1 + times) + price.bytes * (1 - times) + step_bytes / elements_of(v),
                  price.work * (times - 1) + (c ? (slowdown(p->nest) - 1) * arithmetic(c, v) : 0)};
    if (d.work >= byte_worth * d.saved) d.why = WHY_COST;
    return d;
}

/* Bytes of what is computed for the group alone: they are free behind it. */
static int64_t dying_bytes(Fuse *f, const Group *g) {
    int64_t bytes = 0;
    clear_marks(f, g);
    leave_out_uses(g, 1);
    for (const Node *n = g->first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            const Value *x = n->in[i];
            if (!x || x->kind != V_NODE || x->graph != n->graph || in_group(g, x->def) || f->mark[x->id]) continue;
            f->mark[x->id] = 1;
            if (x->uses <= 0) bytes += value_bytes(x);
        }
        if (n == g->last) break;
    }
    leave_out_uses(g, -1);
    clear_marks(f, g);
    return bytes;
}

/* Whether the group reads a value's memory: itself, or a view of it. */
static bool reads_memory(const Group *g, const Value *v) {
    for (const Node *n = g->first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            const Value *x = n->in[i];
            while (x && x != v && x->def && x->def->op->view) x = x->def->in[0];
            if (x == v) return true;
        }
        if (n == g->last) return false;
    }
}

/* Whether something between the two writes into what the producer reads: then it has to stay before. */
static bool written_between(const Fuse *f, const Group *p, const Group *c) {
    for (const Node *n = p->last->next; f->writes && n && n != c->first; n = n->next)
        if (IS(n, Assign) && reads_memory(p, n->in[0])) return true;
    return false;
}

static bool is_control(const Node *n) { return IS(n, If) || IS(n, Loop); }

static Why cannot_produce(const Node *n) {
    if (is_control(n)) return WHY_CONTROL;
    if (IS(n, Copy)) return WHY_COPY;
    if (IS(n, Cast) && compute_type(n->out[0]->type.dtype) != n->out[0]->type.dtype) return WHY_ROUNDS;
    if (simple(n)) return WHY_JOIN;
    if (n->op->view) return WHY_VIEW;
    return has_nest(n) && n->nout == 1 ? WHY_JOIN : WHY_WHOLE;
}

static Why cannot_read(const Node *n, const Value *v) {
    if (is_control(n)) return WHY_CONTROL;
    if (simple(n)) return n->op->kind == K_RED && n->in[0] != v ? WHY_OWN_ORDER : WHY_JOIN;
    if (n->op->view) return WHY_VIEW;
    if (!has_nest(n) || n->nout != 1 || access_of(n->op) == ACCESS_OTHER) return WHY_OWN_ORDER;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v && i > (access_of(n->op) == ACCESS_CONTRACTION)) return WHY_OWN_ORDER;
    return WHY_JOIN;
}

static bool reads(const Node *n, const Value *v) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v) return true;
    return false;
}

static Why none_can_read(const Group *g, const Value *v) {
    for (const Node *n = g->first;; n = n->next) {
        Why why = reads(n, v) ? cannot_read(n, v) : WHY_JOIN;
        if (why || n == g->last) return why;
    }
}

static bool read_in_shape(const Group *g, const Value *v) {
    for (const Node *n = g->first;; n = n->next) {
        if (reads(n, v) && !same_shape(&v->type, &result_of(n)->type)) return false;
        if (n == g->last) return true;
    }
}

static bool moves_rows(const Node *nest) { return access_of(nest->op) == ACCESS_MOVEMENT && slowdown(nest) == 1; }

/* Operators with nests next to each other: a move can be read by a move or a window, an epilogue follows anything that
 * it asks for each element once. An elementwise node may read what several moves give, if all keep rows together. */
static Why nests_clash(const Group *p, const Group *c, const Value *v, double times) {
    bool move = p->nest && access_of(p->nest->op) == ACCESS_MOVEMENT, into = c->nest && reads(c->nest, v);
    bool beside = p->nest && c->nest && !into && times <= 1 && moves_rows(p->nest) && moves_rows(c->nest);
    if (p->nest && c->nest && !beside && !(move && into && access_of(c->nest->op) != ACCESS_CONTRACTION))
        return WHY_NESTS;
    if (p->reduction && c->nest) return into ? WHY_NEST_AGAIN : WHY_NESTS;
    if (p->nest && IS(c->first, Copy)) return WHY_COPY;
    if (c->nest && access_of(c->nest->op) == ACCESS_CONTRACTION && !into && elements_of(v) > 1 && !read_in_shape(c, v))
        return WHY_NEST_SHAPE;
    if (!p->nest || move) return WHY_JOIN;
    if (c->reduction || times > 1) return WHY_NEST_AGAIN;
    return read_in_shape(c, v) ? WHY_JOIN : WHY_NEST_SHAPE;
}

/* The fast loops of products want plain operands. What is read but once may be widened on the way: that is memory
 * saved. */
static bool stays_plain(Fuse *f, const Group *p, const Node *reader, const Value *v, double times) {
    if (!reader || !reads(reader, v) || access_of(reader->op) != ACCESS_CONTRACTION) return false;
    if (elements_of(reader->out[0]) * (double)terms_of(reader) <= SMALL_PRODUCT) return false;
    return times > 1 || element_cost(f, p, v).bytes >= dtypes[v->type.dtype].bytes;
}

/* Transposes that keep rows: whose heads a product takes or gives. Where extents are open, no layout can make them
 * nothing (layout.c, heads): the product reads or writes rows where the other side has them. */
static bool moves_open_rows(const Group *g) {
    const Node *n = g->first;
    const Attr *perm = g->n == 1 && IS(n, Transpose) ? attr(n, "perm") : NULL;
    return perm && perm->n > 3 && perm->ints[perm->n - 1] == perm->n - 1 && has_open_dims(&n->out[0]->type);
}

static bool is_product(const Node *n) {
    return n && access_of(n->op) == ACCESS_CONTRACTION && !n->op->image && n->out[0]->type.dtype == DT_f32;
}

static bool joins_heads(const Group *p, const Group *c, const Value *v) {
    if (on_device(v->graph->module)) return false;
    if (is_product(c->nest)) return moves_open_rows(p) && reads(c->nest, v);
    return is_product(p->nest) && moves_open_rows(c);
}

/* Whether each node gives as many elements as v, each where its own lie. */
static bool stays_in_step(const Group *g, const Value *v) {
    for (const Node *n = g->first;; n = n->next) {
        bool moves = access_of(n->op) == ACCESS_MOVEMENT && has_nest(n) && moves_rows(n);
        if (!(elementwise(n) || moves) || n->nout != 1 || !same_shape(&n->out[0]->type, &v->type)) return false;
        if (n == g->last) return true;
    }
}

static bool read_between(const Group *p, const Group *c) {
    for (const Node *n = p->last->next; n && n != c->first; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->def && in_group(p, n->in[i]->def)) return true;
    return false;
}

/* A step of a recurrent network is many elementwise nodes that read each other's results: one loop computes them all,
 * whoever else reads what it stores. */
static bool joins_step(const Group *p, const Group *c, const Value *v) {
    return v->graph->outer && !on_device(v->graph->module) && stays_in_step(p, v) && stays_in_step(c, v) &&
           !read_between(p, c);
}

Decision may_fuse(Fuse *f, Value *v, Node *reader, bool copy) {
    Decision d = {WHY_JOIN, 0, 0, 0};
    if (v->kind == V_INPUT && v->graph && v->graph->outer) return d.why = WHY_CARRIED, d;
    if (v->kind != V_NODE || !v->def) return d.why = WHY_OUTSIDE, d;
    if (v->graph != reader->graph) return d.why = WHY_REGION, d;
    Group p = group_of(v->def), c = group_of(reader);
    if (is_extent(v, &(Dim){0})) return d.why = WHY_EXTENT, d;
    if ((d.why = cannot_produce(v->def)) || (d.why = none_can_read(&c, v))) return d;
    if (in_group(&c, v->def)) return d;
    if ((f->effort -= p.n + p.reads + c.n + c.reads) < 0) return d.why = WHY_EFFORT, d;
    if (!copy && p.n + c.n <= KERNEL_NODES && joins_step(&p, &c, v) && !written_between(f, &p, &c)) return d;
    if (is_output(v)) return d.why = v->graph->outer ? WHY_CONTROL : WHY_OUTPUT, d;
    if (!copy && stored_by(&c, v)) return d.why = WHY_READERS, d;
    if (!gives_only(&p, v)) return d.why = WHY_OTHERS, d;
    if (written_between(f, &p, &c)) return d.why = WHY_WRITTEN, d;
    if (p.n + c.n > KERNEL_NODES) return d.why = WHY_SIZE, d;
    if (joins_heads(&p, &c, v)) return d;
    double times = asked(f, &c, v);
    if ((d.why = nests_clash(&p, &c, v, times))) return d;
    if (p.reduction && c.reduction && !same_axes(p.reduction, c.reduction)) return d.why = WHY_AXES, d;
    if (stays_plain(f, &p, c.nest, v, times)) return d.why = WHY_PLAIN, d;
    d = by_cost(f, &p, &c, v, times);
    if (!d.why && !copy && p.last->next != c.first && dying_bytes(f, &p) > value_bytes(v)) d.why = WHY_MEMORY;
    return d;
}

bool worth_copying(Fuse *f, const Value *v, double times) {
    Group p = group_of(v->def);
    return dying_bytes(f, &p) <= value_bytes(v) && !by_cost(f, &p, NULL, v, times).why;
}
