/* interchange.c - the order of parallel loops: the one along which memory runs goes inside. */
#include "schedule/schedule.h"

const Stmt *first_store(const Stmt *s) {
    for (; s; s = s->next) {
        const Stmt *in = s->kind == S_STORE ? s : first_store(s->body);
        if (!in) in = first_store(s->other);
        if (in) return in;
    }
    return NULL;
}

/* The most that a product is for each index of the axis in it. */
static int64_t most_per_index(const Expr *term, const Axis *a) {
    int64_t lo, hi, product;
    if (term->kind == E_AXIS && term->axis == a) return 1;
    if (term->kind == E_MAP && term->op == &ops[OP_Mul])
        return mul_ok(most_per_index(term->arg[0], a), most_per_index(term->arg[1], a), &product) ? product : INT64_MAX;
    return !uses_axis(term, a) && bounds_of(term, &lo, &hi) && hi > 0 ? hi : INT64_MAX;
}

/* How far the store moves along a loop at most; loops that do not move it stay outside. */
int64_t store_step(const Stmt *store, const Axis *a) {
    const Expr *term[24];
    int64_t coef[24], c, step = 0;
    int n = affine(store->index, COUNT(term), term, coef, &c);
    for (int i = 0; i < n; i++) {
        int64_t by = 0;
        if (!uses_axis(term[i], a)) continue;
        if (!mul_ok(most_per_index(term[i], a), llabs(coef[i]), &by) || !add_ok(step, by, &step)) return INT64_MAX;
    }
    return step ? step : INT64_MAX;
}

/* How often a nest reads or writes with unit stride along an axis, for one turn of its parallel loops. */
static double unit_reads(const Expr *e, const Axis *a) {
    int64_t coef;
    double n = 0;
    if (!e) return 0;
    if ((e->kind == E_LOAD || e->kind == E_LOCAL) && coefficient(e->arg[0], a, &coef) && llabs(coef) == 1) n++;
    for (int i = 0; i < e->n; i++) n += unit_reads(e->arg[i], a);
    return n;
}

static double unit_steps(const Stmt *s, const Axis *a) {
    int64_t coef;
    double n = 0;
    for (; s; s = s->next) {
        double turns = s->kind == S_FOR && s->axis->kind == AX_SEQ ? (double)s->axis->extent : 1;
        if (s->index && coefficient(s->index, a, &coef) && llabs(coef) == 1) n++;
        n += unit_reads(s->expr, a) + turns * unit_steps(s->body, a) + unit_steps(s->other, a);
    }
    return n;
}

/* Whether all that is read stands still along an axis, or runs with it. */
static bool runs_or_stands(const Expr *e, const Axis *a) {
    int64_t coef;
    if (!e) return true;
    if ((e->kind == E_LOAD || e->kind == E_LOCAL) && (!coefficient(e->arg[0], a, &coef) || llabs(coef) > 1))
        return false;
    for (int i = 0; i < e->n; i++)
        if (!runs_or_stands(e->arg[i], a)) return false;
    return true;
}

static bool reads_along(const Stmt *s, const Axis *a) {
    for (; s; s = s->next)
        if (!runs_or_stands(s->expr, a) || !reads_along(s->body, a) || !reads_along(s->other, a)) return false;
    return true;
}

bool runs_along(const Stmt *s, const Axis *a) { return reads_along(s, a) && unit_steps(s, a) > 0; }

/* Whether `a` is the better innermost loop: the store runs along it, unless what is read runs along the other alone and
 * there is more of that. */
static bool runs_better(const Stmt *body, const Stmt *store, const Axis *a, const Axis *b) {
    bool by_store = store_step(store, a) < store_step(store, b);
    const Axis *better = by_store ? a : b, *other = by_store ? b : a;
    double runs = unit_steps(body, other);
    bool swap = other->extent >= MIN_ROW && reads_along(body, other) && !reads_along(body, better) && runs >= 2 &&
                runs >= 2 * unit_steps(body, better);
    return swap != by_store;
}

/* Parallel loops around a store: the one along which memory runs goes inside. */
void interchange(Stmt *s) {
    for (; s; s = s->next) {
        const Stmt *store = s->kind == S_FOR && s->axis->kind == AX_PAR ? first_store(s->body) : NULL;
        for (Stmt *a = s; store && plain_parallel(a); a = a->body) {
            for (Stmt *b = a->body; plain_parallel(b) && !b->next; b = b->body) {
                if (!runs_better(b->body, store, a->axis, b->axis) || uses_axis(b->axis->size, a->axis)) continue;
                Axis *t = a->axis;
                a->axis = b->axis, b->axis = t;
            }
            if (a->body && a->body->next) break;
        }
        interchange(s->body), interchange(s->other);
    }
}
