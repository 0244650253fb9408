/* trips.c - how often a Loop runs its body: the condition is a conjunction of comparisons of numbers that grow by the
 * same amount in every iteration, as exporters write it (i < n and j + 1 < n, often in floats). */
#include "control/trips.h"
#include "control/control.h"
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"

enum { MAX_DEPTH = 32, EXACT_FLOAT = 1 << 24 };

Graph *loop_body(const Node *n) { return attr(n, "body")->graph; }

int loop_carried(const Node *n) { return n->nin - LOOP_CARRIED; }

bool has_rows(const Node *n) {
    for (int i = loop_carried(n); i < n->nout; i++)
        if (n->out[i]) return true;
    return false;
}

bool rows_from_end(const Node *n) { return attr_i(n, "rows_from_end") != 0; }

/* ---- numbers ---- */

typedef struct {
    const Node *loop;
    int depth;
} Walk;

static bool affine_of(const Walk *, Value *, Affine *);

static bool deeper(const Walk *w, Walk *inner) {
    *inner = (Walk){w->loop, w->depth + 1};
    return inner->depth < MAX_DEPTH;
}

/* Floats count as well while they are whole and exact. */
static bool constant_of(const Value *v, Affine *out) {
    Dim d;
    int count;
    double x;
    if (!v->data && known_dims(v, 1, &count, &d) && count == 1) {
        *out = (Affine){d, 0};
        return true;
    }
    if (!is_known(v) || v->data->count != 1 || v->data->dtype == DT_str) return false;
    x = get_f(v->data, 0);
    if (is_float(v->data->dtype) && !(x >= -EXACT_FLOAT && x <= EXACT_FLOAT && x == (double)(int64_t)x)) return false;
    *out = (Affine){fixed(get_i(v->data, 0)), 0};
    return true;
}

/* Types that hold whole numbers of a loop's size exactly. */
static bool holds_numbers(DType t) { return t == DT_i32 || t == DT_i64 || t == DT_f32 || t == DT_f64; }

static bool keeps_number(const Node *n) {
    if (IS(n, Cast)) return holds_numbers(n->out[0]->type.dtype);
    return IS(n, Identity) || IS(n, Squeeze) || IS(n, Unsqueeze) || IS(n, Reshape) || IS(n, Flatten);
}

/* What is behind nodes that leave a number as it is. */
static Value *source_of(Value *v) {
    v = resolve(v);
    for (int i = 0; i < MAX_DEPTH && v->kind == V_NODE && keeps_number(v->def) && !v->data; i++)
        v = resolve(v->def->in[0]);
    return v;
}

/* Carried value k if every iteration adds the same constant to it. */
static bool counter_of(const Walk *w, int k, Affine *out) {
    const Graph *body = loop_body(w->loop);
    Value *next = source_of(body->out[BODY_CARRIED + k]), *in = body->in[LOOP_CARRIED + k];
    Affine first, by;
    Walk inner;
    if (!deeper(w, &inner) || next->kind != V_NODE || !IS(next->def, Add) || next->def->nin != 2) return false;
    int side = source_of(next->def->in[0]) == in ? 1 : 0;
    if (!side && source_of(next->def->in[1]) != in) return false;
    if (!constant_of(source_of(next->def->in[side]), &by) || by.base.symbol) return false;
    if (!affine_of(&inner, w->loop->in[LOOP_CARRIED + k], &first) || first.step) return false;
    *out = (Affine){first.base, by.base.max};
    return true;
}

static bool sum_of(const Walk *w, Node *n, int sign, Affine *out) {
    Affine a, b;
    if (n->nin != 2 || !affine_of(w, n->in[0], &a) || !affine_of(w, n->in[1], &b)) return false;
    if (a.base.symbol && b.base.symbol) return false;
    if (!mul_ok(b.base.max, sign, &b.base.max) || !mul_ok(b.step, sign, &b.step)) return false;
    if (!b.base.max && !b.base.symbol) {
        out->base = a.base;
    } else if (!a.base.max && !a.base.symbol && sign > 0) {
        out->base = b.base;
    } else {
        if (a.base.symbol || b.base.symbol || !add_ok(a.base.max, b.base.max, &out->base.max)) return false;
        out->base.symbol = NULL;
    }
    return add_ok(a.step, b.step, &out->step);
}

static bool affine_of(const Walk *w, Value *v, Affine *out) {
    const Graph *body = loop_body(w->loop);
    Walk inner;
    v = source_of(v);
    if (type_count(&v->type) != 1 || !deeper(w, &inner)) return false;
    if (constant_of(v, out)) return true;
    if (v == body->in[LOOP_M]) {
        *out = (Affine){fixed(0), 1};
        return true;
    }
    for (int k = 0; v->kind == V_INPUT && k < loop_carried(w->loop); k++)
        if (v == body->in[LOOP_CARRIED + k]) return counter_of(w, k, out);
    if (v->kind != V_NODE) return false;
    return (IS(v->def, Add) && sum_of(&inner, v->def, 1, out)) || (IS(v->def, Sub) && sum_of(&inner, v->def, -1, out));
}

bool affine_in_loop(const Node *loop, Value *v, Affine *out) { return affine_of(&(Walk){loop, 0}, v, out); }

/* ---- conditions ---- */

/* a < b or, with `or_equal`, a <= b, as op(in[x], in[y]). */
static const struct {
    int op, x, y;
    bool or_equal;
} comparisons[] = {
    {OP_Less, 0, 1, false}, {OP_LessOrEqual, 0, 1, true}, {OP_Greater, 1, 0, false}, {OP_GreaterOrEqual, 1, 0, true}};

/* A loop whose condition is asked after every iteration ends with the one after which it first fails: how many
 * iterations that makes, extent + more. `ever`: it does fail. */
typedef struct {
    bool known, ever;
    Dim extent;
    int64_t more;
} Count;

static const Count unknown = {false, false, {0, NULL}, 0}, endless = {true, false, {0, NULL}, 0};

static Count count_of(Dim extent, int64_t more) {
    if (!extent.symbol) extent.max += more, more = 0;
    return (Count){true, true, extent, more};
}

/* a < b first fails after ceil((b - a) / gain) iterations where the left side gains on the right one. */
static Count until_failure(const Affine *a, const Affine *b, bool or_equal) {
    int64_t gain, ahead;
    if (!add_ok(a->step, -b->step, &gain) || a->base.symbol) return unknown;
    if (b->base.symbol) {
        if (gain <= 0 && a->base.max < dim_least(b->base)) return endless;
        bool near = a->base.max > -EXACT_FLOAT && a->base.max < EXACT_FLOAT;
        return gain == 1 && near ? count_of(b->base, 1 - a->base.max + or_equal) : unknown;
    }
    if (!add_ok(b->base.max, -a->base.max, &ahead) || !add_ok(ahead, or_equal, &ahead)) return unknown;
    if (ahead <= 0) return count_of(fixed(1), 0);
    return gain <= 0 ? endless : count_of(fixed(ceil_div(ahead, gain)), 1);
}

/* The smaller; unknown if that depends on an extent. */
static Count fewer(Count a, Count b) {
    if (!a.known || !b.known) return unknown;
    if (!a.ever || !b.ever) return a.ever ? a : b;
    if (a.extent.symbol != b.extent.symbol || (a.extent.symbol && a.extent.max != b.extent.max)) return unknown;
    return a.extent.max + a.more < b.extent.max + b.more ? a : b;
}

static Count count_until(const Walk *w, Value *v) {
    Walk inner;
    v = source_of(v);
    if (!deeper(w, &inner)) return unknown;
    if (is_known(v) && v->data->count == 1 && v->data->dtype != DT_str)
        return get_f(v->data, 0) != 0 ? endless : count_of(fixed(1), 0);
    if (v == loop_body(w->loop)->in[LOOP_COND]) return endless; /* it holds wherever the body runs */
    if (v->kind != V_NODE || v->def->nin != 2) return unknown;
    if (IS(v->def, And)) return fewer(count_until(&inner, v->def->in[0]), count_until(&inner, v->def->in[1]));
    for (int i = 0; i < COUNT(comparisons); i++) {
        Affine a, b;
        if (v->def->op != &ops[comparisons[i].op]) continue;
        if (!affine_of(&inner, v->def->in[comparisons[i].x], &a)) return unknown;
        if (!affine_of(&inner, v->def->in[comparisons[i].y], &b)) return unknown;
        Count c = until_failure(&a, &b, comparisons[i].or_equal);
        bool exact = v->def->in[0]->type.dtype != DT_f32 || !c.ever || c.extent.max < EXACT_FLOAT;
        return exact ? c : unknown;
    }
    return unknown;
}

/* Whether the condition holds before the first iteration: 1, 0, or -1 if that is not known. */
static int begins(const Node *n) {
    if (!input(n, LOOP_COND)) return 1;
    Count c = count_until(&(Walk){n, 0}, n->in[LOOP_COND]);
    if (!c.known) return -1;
    if (!c.ever) return 1;
    return c.extent.symbol ? -1 : c.extent.max > 1;
}

/* The trip count M, if there is one: beyond 2^31 exporters mean none. */
static Count given_count(const Node *n) {
    Affine m;
    if (!input(n, LOOP_M)) return endless;
    if (!affine_in_loop(n, n->in[LOOP_M], &m)) return unknown;
    if (m.base.symbol) return count_of(m.base, 0);
    return m.base.max > INT32_MAX ? endless : count_of(fixed(m.base.max > 0 ? m.base.max : 0), 0);
}

Trips loop_trips(const Node *n) {
    const Trips none = {true, fixed(0)}, any = {false, {-1, NULL}};
    int first = begins(n);
    Count given = given_count(n), all = fewer(given, count_until(&(Walk){n, 0}, loop_body(n)->out[BODY_COND]));
    if (!first) return none;
    if (first > 0 && all.known && all.ever && !all.more) return (Trips){true, all.extent};
    if (given.known && given.ever && !given.more) return (Trips){false, given.extent};
    return any;
}

/* ---- elements ---- */

Node *loop_element(const Node *loop, const Value *v) {
    const Graph *body = loop_body(loop);
    Affine at;
    Node *g = v && v->kind == V_NODE && v->graph == body && IS(v->def, Gather) ? v->def : NULL;
    const Value *x = g ? resolve(g->in[0]) : NULL;
    Trips trips = loop_trips(loop);
    if (!g || lies_in(x->graph, body) || !trips.exact) return NULL;
    Dim all = x->type.dim[attr_axis(g, "axis", x->type.rank)];
    if (!same_dim(all, trips.most) || resolve(g->in[1])->type.rank) return NULL;
    if (!affine_in_loop(loop, g->in[1], &at) || at.base.symbol || at.base.max || at.step != 1) return NULL;
    return g;
}

int64_t counted_trips(const Node *n) {
    const Value *m = n->in[LOOP_M], *cond = n->in[LOOP_COND],
                *goes_on = behind_identities(loop_body(n)->out[BODY_COND]);
    if (cond && is_known(cond) && !get_i(cond->data, 0)) return 0;
    bool ends = (cond && !is_known(cond)) ||
                !(goes_on == loop_body(n)->in[LOOP_COND] || (is_known(goes_on) && get_i(goes_on->data, 0)));
    if (!m || !is_known(m) || ends) return -1;
    int64_t count = get_i(m->data, 0);
    return count < 0 ? 0 : count;
}
