/* interp.c - runs loop nests: constant folding and the reference evaluator.
 *
 * A loop whose iterations are independent and that holds no other such loop runs as up to LANES iterations at once:
 * every expression is evaluated for all lanes before the next one, and branches become masks. Floats are held as
 * doubles and rounded to their type after every operation, which for + - * / and sqrt equals computing in that type. */
#include "interp/interp.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "ir/symbols.h"

enum { LANES = 256 };

typedef struct {
    const Kernel *k;
    void *const *at;
    int lanes;
    const Axis *lane_axis;
    int64_t lane_base;
    int64_t *axis; /* current iteration of each axis */
    Scalar (*temp)[LANES];
    Scalar **local; /* contents of each local array: count * LANES */
    int64_t *count;
    Arena *arena;
} Run;

typedef unsigned char Mask[LANES];

static void eval(Run *, const Expr *, const unsigned char *on, Scalar *out);

static void broadcast_scalar(Run *r, Scalar s, Scalar *out) {
    for (int i = 0; i < r->lanes; i++) out[i] = s;
}

static Scalar axis_value(const Run *r, const Axis *a, int lane) {
    return (Scalar){.i = a == r->lane_axis ? r->lane_base + lane : r->axis[a->id]};
}

/* Contents that are known stand for a run, but not where the kernel reads what it has written itself so far. */
static const void *contents(const Run *r, const Value *v) {
    bool known = is_known(v) && is_dense(v) && !(v->def && v->def == r->k->node[0]);
    return known ? v->data->data : r->at[v->id];
}

static Scalar load_bits_of(DType t, const void *p) {
    Scalar s = load_scalar(bits_type(t), p);
    if (dtypes[t].small) s.u &= (1u << dtypes[t].bits) - 1;
    return s;
}

/* In the form that a load finds: one of a small integer's bytes, 0 or 1 for a boolean. */
static void store_bits_of(DType t, void *p, Scalar s) {
    store_scalar(bits_type(t), p, s);
    if (t == DT_bool || (dtypes[t].small && holds_ints(t))) store_scalar(t, p, load_scalar(t, p));
}

static void eval_char(Run *r, const Expr *e, const char *base, const unsigned char *on, Scalar *out) {
    Scalar at[LANES];
    eval(r, e->arg[1], on, at);
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) out[i] = (Scalar){.u = (unsigned char)((const char *const *)base)[out[i].i][at[i].i]};
}

static void eval_load(Run *r, const Expr *e, const unsigned char *on, Scalar *out) {
    DType t = e->value->type.dtype;
    const char *base = contents(r, e->value);
    int bytes = dtypes[t].bytes;
    eval(r, e->arg[0], on, out);
    if (t == DT_str) {
        eval_char(r, e, base, on, out);
        return;
    }
    for (int i = 0; i < r->lanes; i++)
        if (on[i])
            out[i] = e->bits ? load_bits_of(t, base + out[i].i * bytes) : load_scalar(t, base + out[i].i * bytes);
}

static void eval_local(Run *r, const Expr *e, const unsigned char *on, Scalar *out) {
    eval(r, e->arg[0], on, out);
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) out[i] = r->local[e->local->id][out[i].i * LANES + i];
}

static void eval_cast(Run *r, const Expr *e, const unsigned char *on, Scalar *out) {
    DType from = e->arg[0]->dtype;
    eval(r, e->arg[0], on, out);
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) out[i] = cast_scalar(out[i], from, e->dtype);
}

/* Arguments that a condition protects are evaluated only where it holds. */
static void eval_guarded(Run *r, const Expr *e, const unsigned char *on, Scalar *out) {
    Scalar c[LANES];
    Mask yes, no;
    bool where = e->op == &ops[OP_Where], either = e->op == &ops[OP_Or];
    eval(r, e->arg[0], on, c);
    for (int i = 0; i < r->lanes; i++) yes[i] = on[i] && c[i].i, no[i] = on[i] && !c[i].i;
    if (where) {
        Scalar other[LANES];
        eval(r, e->arg[1], yes, out);
        eval(r, e->arg[2], no, other);
        for (int i = 0; i < r->lanes; i++)
            if (no[i]) out[i] = other[i];
        return;
    }
    eval(r, e->arg[1], either ? no : yes, out);
    for (int i = 0; i < r->lanes; i++)
        if (on[i] && (c[i].i != 0) == either) out[i].i = either;
}

static float round_f32(double d) { return (float)d; }

static void eval_map_lanes(Run *r, const Expr *e, const unsigned char *on, Scalar *out) {
    Scalar b[LANES], c[LANES];
    const Op *op = e->op;
    DType t = e->arg[0]->dtype;
    eval(r, e->arg[0], on, out);
    if (e->n > 1) eval(r, e->arg[1], on, b);
    if (e->n > 2) eval(r, e->arg[2], on, c);
    if (t == DT_index && op == &ops[OP_Add]) {
        for (int i = 0; i < r->lanes; i++) out[i].i += on[i] ? b[i].i : 0;
    } else if (t == DT_index && op == &ops[OP_Mul]) {
        for (int i = 0; i < r->lanes; i++) out[i].i *= on[i] ? b[i].i : 0;
    } else if (t == DT_f32 && e->dtype == DT_f32) {
        for (int i = 0; i < r->lanes; i++)
            if (on[i]) out[i].f = (double)round_f32(op->eval_f(out[i].f, e->n > 1 ? b[i].f : 0, e->n > 2 ? c[i].f : 0));
    } else {
        for (int i = 0; i < r->lanes; i++)
            if (on[i])
                out[i] =
                    eval_map(op, t, (Scalar[]){out[i], e->n > 1 ? b[i] : (Scalar){0}, e->n > 2 ? c[i] : (Scalar){0}});
    }
}

/* Extents of the caller are at their largest; the others a run has computed. */
static int64_t extent_of(const void *module, const Symbol *name) {
    const DimBinding *b = binding_of(module, name);
    return b && b->computed ? b->value : name->max;
}

static void eval(Run *r, const Expr *e, const unsigned char *on, Scalar *out) {
    switch (e->kind) {
    case E_INT:
    case E_NUM: broadcast_scalar(r, constant_of(e), out); return;
    case E_SYM: broadcast_scalar(r, (Scalar){.i = symbol_value(e->symbol, extent_of, r->k->module)}, out); return;
    case E_AXIS:
        for (int i = 0; i < r->lanes; i++) out[i] = axis_value(r, e->axis, i);
        return;
    case E_TEMP: memcpy(out, r->temp[e->temp->id], sizeof *out * (size_t)r->lanes); return;
    case E_LOAD: eval_load(r, e, on, out); return;
    case E_LOCAL: eval_local(r, e, on, out); return;
    case E_CAST: eval_cast(r, e, on, out); return;
    case E_MAP:
        if (e->op == &ops[OP_Where] || e->op == &ops[OP_And] || e->op == &ops[OP_Or])
            eval_guarded(r, e, on, out);
        else
            eval_map_lanes(r, e, on, out);
        return;
    }
}

static int64_t eval_uniform(Run *r, const Expr *e, const unsigned char *on) {
    Scalar s[LANES];
    int i = 0;
    while (i < r->lanes - 1 && !on[i]) i++;
    eval(r, e, on, s);
    return s[i].i;
}

static bool any(const Run *r, const unsigned char *on) {
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) return true;
    return false;
}

static bool has_parallel_loop(const Stmt *s) {
    for (; s; s = s->next)
        if ((s->kind == S_FOR && s->axis->kind == AX_PAR) || has_parallel_loop(s->body) || has_parallel_loop(s->other))
            return true;
    return false;
}

static void run(Run *, const Stmt *, const unsigned char *on);

/* What was set outside, in lane 0, holds for every iteration. */
static void spread(Run *r, int lanes) {
    for (int t = 0; t < r->k->temps; t++)
        for (int i = 1; i < lanes; i++) r->temp[t][i] = r->temp[t][0];
    for (int a = 0; a < r->k->locals; a++)
        for (int64_t k = 0; r->local[a] && k < r->count[a]; k++)
            for (int i = 1; i < lanes; i++) r->local[a][k * LANES + i] = r->local[a][k * LANES];
}

static void run_lanes(Run *r, const Stmt *s, int64_t n) {
    Mask on;
    memset(on, 1, sizeof on);
    spread(r, n < LANES ? (int)n : LANES);
    r->lane_axis = s->axis;
    for (r->lane_base = 0; r->lane_base < n; r->lane_base += LANES) {
        r->lanes = n - r->lane_base < LANES ? (int)(n - r->lane_base) : LANES;
        run(r, s->body, on);
    }
    r->lanes = 1, r->lane_axis = NULL;
}

static void run_for(Run *r, const Stmt *s, const unsigned char *on) {
    int64_t lo = s->lo ? eval_uniform(r, s->lo, on) : 0;
    int64_t n = s->hi ? eval_uniform(r, s->hi, on) : eval_uniform(r, s->axis->size, on);
    if (r->lanes == 1 && !r->lane_axis && on[0] && s->axis->kind == AX_PAR && !lo && !has_parallel_loop(s->body)) {
        run_lanes(r, s, n);
        return;
    }
    for (int64_t i = lo; i < n; i++) {
        r->axis[s->axis->id] = i;
        run(r, s->body, on);
    }
}

static void run_if(Run *r, const Stmt *s, const unsigned char *on) {
    Scalar c[LANES];
    Mask yes, no;
    eval(r, s->expr, on, c);
    for (int i = 0; i < r->lanes; i++) yes[i] = on[i] && c[i].i, no[i] = on[i] && !c[i].i;
    if (any(r, yes)) run(r, s->body, yes);
    if (s->other && any(r, no)) run(r, s->other, no);
}

static void run_while(Run *r, const Stmt *s, const unsigned char *on) {
    Scalar c[LANES];
    Mask yes;
    memcpy(yes, on, sizeof yes);
    for (;;) {
        eval(r, s->expr, yes, c);
        for (int i = 0; i < r->lanes; i++) yes[i] = yes[i] && c[i].i;
        if (!any(r, yes)) return;
        run(r, s->body, yes);
    }
}

static void run_store(Run *r, const Stmt *s, const unsigned char *on) {
    Scalar index[LANES], v[LANES];
    DType t = s->value->type.dtype;
    char *base = r->at[s->value->id];
    eval(r, s->index, on, index);
    eval(r, s->expr, on, v);
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) (s->bits ? store_bits_of : store_scalar)(t, base + index[i].i * dtypes[t].bytes, v[i]);
}

static void run_assign(Run *r, const Stmt *s, const unsigned char *on) {
    Scalar v[LANES];
    Scalar *t = r->temp[s->temp->id];
    eval(r, s->expr, on, v);
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) t[i] = v[i];
}

static void run_put(Run *r, const Stmt *s, const unsigned char *on) {
    Scalar index[LANES], v[LANES];
    eval(r, s->index, on, index);
    eval(r, s->expr, on, v);
    for (int i = 0; i < r->lanes; i++)
        if (on[i]) r->local[s->local->id][index[i].i * LANES + i] = v[i];
}

static void run(Run *r, const Stmt *s, const unsigned char *on) {
    for (; s; s = s->next) switch (s->kind) {
        case S_FOR: run_for(r, s, on); break;
        case S_IF: run_if(r, s, on); break;
        case S_WHILE: run_while(r, s, on); break;
        case S_LET:
        case S_SET: run_assign(r, s, on); break;
        case S_STORE: run_store(r, s, on); break;
        case S_PUT: run_put(r, s, on); break;
        case S_LOCAL:
            r->count[s->local->id] = s->local->count;
            if (!r->local[s->local->id])
                r->local[s->local->id] = arena_alloc(r->arena, sizeof(Scalar) * LANES * (size_t)s->local->count);
            break;
        case S_SYNC:
        case S_COMBINE:
        case S_TILE: bug(__FILE__, __LINE__, "a scheduled nest is not interpreted");
        }
}

void interpret(Kernel *k, void *const *at) {
    Arena *arena = arena_new(0, NULL, NULL);
    Run r = {.k = k, .at = at, .lanes = 1, .arena = arena};
    Mask on;
    memset(on, 1, sizeof on);
    r.axis = NEW_ARRAY(arena, int64_t, k->axes + 1);
    r.temp = arena_alloc(arena, sizeof *r.temp * (size_t)(k->temps + 1));
    r.local = NEW_ARRAY(arena, Scalar *, k->locals + 1);
    r.count = NEW_ARRAY(arena, int64_t, k->locals + 1);
    run(&r, k->body, on);
    arena_free(arena);
}

/* ---- nodes and networks ---- */

/* Gives each scratch tensor an id behind the kernel's values and memory; returns the table that interpret() wants. */
static void **with_scratch(Kernel *k, void *const *at, int values, Arena *arena) {
    void **all = NEW_ARRAY(arena, void *, values + k->scratch.n + 1);
    if (values) memcpy(all, at, sizeof *all * (size_t)values);
    for (int i = 0; i < k->scratch.n; i++) {
        Value *v = k->scratch.at[i];
        v->id = values + i;
        all[v->id] = arena_alloc(arena, (size_t)value_bytes(v));
    }
    return all;
}

void run_kernel(Kernel *k, void *const *at, int values) {
    Arena *arena = arena_new(0, NULL, NULL);
    interpret(k, with_scratch(k, at, values, arena));
    arena_free(arena);
}

int64_t nest_cost(const Stmt *s) {
    int64_t cost = 0, part;
    for (; s; s = s->next) {
        part = 4 + nest_cost(s->body) + nest_cost(s->other);
        if (s->kind == S_FOR && !mul_ok(part, s->axis->extent, &part)) return INT64_MAX / 4;
        if (!add_ok(cost, part, &cost) || cost > INT64_MAX / 4) return INT64_MAX / 4;
    }
    return cost;
}
