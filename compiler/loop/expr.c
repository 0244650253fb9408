/* expr.c - expressions of a kernel: one for all that are equal, and constants computed. */
#include "loop/expr.h"
#include "ir/diag.h"
#include <math.h>

static uint64_t mixed(uint64_t h, uint64_t with) {
    h = (h ^ with) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static uint32_t expr_hash(const Expr *e) {
    uint64_t h = mixed((uint64_t)e->kind << 32 | (uint32_t)e->dtype, (uint64_t)(uintptr_t)e->op);
    h = mixed(h, (uint64_t)e->i);
    for (int i = 0; i < e->n; i++) h = mixed(h, (uint64_t)(uintptr_t)e->arg[i]);
    return (uint32_t)h;
}

static bool expr_equal(const Expr *a, const Expr *b) {
    return a->kind == b->kind && a->dtype == b->dtype && a->op == b->op && a->bits == b->bits && a->n == b->n &&
           a->i == b->i && a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2];
}

static void grow_table(Kernel *k, Arena *arena) {
    Expr **old = k->table;
    int n = k->buckets;
    k->buckets = n ? 2 * n : 32;
    k->table = NEW_ARRAY(arena, Expr *, k->buckets);
    for (int i = 0; i < n; i++)
        for (Expr *e = old[i], *next; e; e = next) {
            Expr **b = &k->table[expr_hash(e) & (uint32_t)(k->buckets - 1)];
            next = e->chain, e->chain = *b, *b = e;
        }
}

Expr *intern_expr(Lower *l, Expr proto) {
    Kernel *k = l->k;
    if (k->nexpr >= k->buckets) grow_table(k, l->arena);
    Expr **b = &k->table[expr_hash(&proto) & (uint32_t)(k->buckets - 1)];
    for (Expr *e = *b; e; e = e->chain)
        if (expr_equal(e, &proto)) return e;
    if (--l->m->fuel < 0)
        fatal(l->m, EXIT_INPUT, "the model is too large to compile: a kernel has too many expressions");
    Expr *e = arena_copy(l->arena, &proto, sizeof proto);
    e->id = k->nexpr++, e->chain = *b, *b = e;
    return e;
}

Expr *ix(Lower *l, int64_t i) { return intern_expr(l, (Expr){.kind = E_INT, .dtype = DT_index, .i = i}); }

Expr *truth(Lower *l, bool b) { return intern_expr(l, (Expr){.kind = E_INT, .dtype = DT_bool, .i = b}); }

Expr *num(Lower *l, DType t, double v) {
    t = compute_type(t);
    if (is_float(t))
        return intern_expr(l, (Expr){.kind = E_NUM, .dtype = t, .num = cast_scalar((Scalar){.f = v}, DT_f64, t).f});
    return intern_expr(l, (Expr){.kind = E_INT, .dtype = t, .i = cast_scalar((Scalar){.f = v}, DT_f64, t).i});
}

Expr *scalar_expr(Lower *l, DType t, Scalar s) {
    if (is_float(t)) return num(l, t, s.f);
    return intern_expr(l, (Expr){.kind = E_INT, .dtype = t, .i = s.i});
}

Scalar constant_of(const Expr *e) { return e->kind == E_NUM ? (Scalar){.f = e->num} : (Scalar){.i = e->i}; }

static DType result_type(const Op *op, DType t) { return op->out_types && op->out_types[0] == 'b' ? DT_bool : t; }

/* Evaluates a row's text on constants of type t. */
Scalar eval_map(const Op *op, DType t, const Scalar *a) {
    DType out = result_type(op, t);
    bool where = op == &ops[OP_Where];
    if (is_float(t)) {
        double r = op->eval_f(where ? (double)a[0].i : a[0].f, a[1].f, a[2].f);
        return is_float(out) ? cast_scalar((Scalar){.f = r}, DT_f64, out) : (Scalar){.i = (int64_t)r};
    }
    Scalar s;
    if (op->wrap || dtypes[t].kind == 'u')
        s.u = op->eval_u(a[0].u, a[1].u, a[2].u);
    else
        s.i = op->eval_i(a[0].i, a[1].i, a[2].i);
    return out == DT_index ? s : cast_scalar(s, DT_u64, out);
}

static Expr *fold_bools(Lower *l, const Op *op, Expr *const *a) {
    if (op == &ops[OP_And] || op == &ops[OP_Or]) {
        bool absorbing = op == &ops[OP_Or];
        for (int i = 0; i < 2; i++)
            if (a[i]->kind == E_INT) return (a[i]->i != 0) == absorbing ? truth(l, absorbing) : a[1 - i];
    }
    if (op == &ops[OP_Where] && a[0]->kind == E_INT) return a[0]->i ? a[1] : a[2];
    return NULL;
}

static Expr *map_n(Lower *l, int op, int n, Expr *a, Expr *b, Expr *c) {
    const Op *row = &ops[op];
    Expr *args[3] = {a, b, c};
    Expr *typed = op == OP_Where ? b : a;
    DType t = typed->dtype;
    Expr *folded = fold_bools(l, row, args);
    if (folded) return folded;
    if (t == DT_index && op == OP_Add) return ix_add(l, a, b);
    if (t == DT_index && op == OP_Sub) return ix_sub(l, a, b);
    if (t == DT_index && op == OP_Mul) return ix_mul(l, a, b);
    bool constant = true;
    Scalar v[3] = {{0}, {0}, {0}};
    for (int i = 0; i < n; i++) {
        constant = constant && is_constant(args[i]);
        if (constant) v[i] = constant_of(args[i]);
    }
    if (constant) return scalar_expr(l, result_type(row, t), eval_map(row, t, v));
    return intern_expr(l, (Expr){.kind = E_MAP, .dtype = result_type(row, t), .op = row, .n = n, .arg = {a, b, c}});
}

Expr *neutral_element(Lower *l, const Op *op, DType t) {
    bool lowest = op->neutral == NEUTRAL_LOWEST;
    if (op->neutral == NEUTRAL_0 || op->neutral == NEUTRAL_1) return num(l, t, op->neutral == NEUTRAL_1);
    if (is_float(t)) return num(l, t, lowest ? -(double)INFINITY : (double)INFINITY);
    return scalar_expr(l, t, lowest ? (Scalar){.i = dtype_min(t)} : (Scalar){.u = dtype_max(t)});
}

Expr *map1(Lower *l, int op, Expr *a) { return map_n(l, op, 1, a, NULL, NULL); }
Expr *map2(Lower *l, int op, Expr *a, Expr *b) { return map_n(l, op, 2, a, b, NULL); }
Expr *map3(Lower *l, int op, Expr *a, Expr *b, Expr *c) { return map_n(l, op, 3, a, b, c); }
Expr *select_of(Lower *l, Expr *cond, Expr *then, Expr *other) { return map_n(l, OP_Where, 3, cond, then, other); }

Expr *cast(Lower *l, Expr *e, DType to) {
    to = compute_type(to);
    if (e->dtype == to) return e;
    if (is_constant(e)) return scalar_expr(l, to, cast_scalar(constant_of(e), e->dtype, to));
    return intern_expr(l, (Expr){.kind = E_CAST, .dtype = to, .n = 1, .arg = {e}});
}

Expr *new_axis_expr(Lower *l, Axis *a) { return intern_expr(l, (Expr){.kind = E_AXIS, .dtype = DT_index, .axis = a}); }

Expr *new_temp_expr(Lower *l, Temp *t) { return intern_expr(l, (Expr){.kind = E_TEMP, .dtype = t->dtype, .temp = t}); }
