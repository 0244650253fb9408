/* facts.c - what the loops and conditions around a place say of indices there: i + p - 1 is at least 0 under a guard.
 */
#include "render/facts.h"

enum { MAX_TERMS = 24, FACT_TERMS = 6 };

/* lo <= sum coef * term <= hi; the terms come in the order of their ids, the first with a positive factor. */
typedef struct {
    int n;
    const Expr *term[FACT_TERMS];
    int64_t coef[FACT_TERMS];
    Range range;
} Fact;

static bool is_bounded(Range r) { return r.lo > INT64_MIN && r.hi < INT64_MAX; }

static Range intersection(Range a, Range b) { return (Range){a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi}; }

static bool scaled(Range r, int64_t k, Range *out) {
    int64_t a, b;
    if (!mul_ok(r.lo, k, &a) || !mul_ok(r.hi, k, &b)) return false;
    *out = k < 0 ? (Range){b, a} : (Range){a, b};
    return true;
}

static bool add_range(Range *r, Range term, int64_t k) {
    Range s;
    return scaled(term, k, &s) && add_ok(r->lo, s.lo, &r->lo) && add_ok(r->hi, s.hi, &r->hi);
}

Facts facts_new(const Kernel *k, Arena *arena) {
    Facts f = {.arena = arena, .temp = NEW_ARRAY(arena, Range, k->temps + 1)};
    for (int i = 0; i < k->temps; i++) f.temp[i] = (Range){1, 0};
    f.axis = NEW_ARRAY(arena, const Expr *, k->axes + 1);
    for (int i = 0; i < k->buckets; i++)
        for (const Expr *e = k->table[i]; e; e = e->chain)
            if (e->kind == E_AXIS) f.axis[e->axis->id] = e;
    return f;
}

void forget(Facts *f, int known) { f->known.n = known; }

/* ---- what is known of a sum ---- */

static bool term_range(const Facts *f, const Expr *e, Range *r) {
    if (e->kind != E_TEMP) return bounds_of(e, &r->lo, &r->hi);
    *r = f->temp[e->temp->id];
    return r->lo <= r->hi;
}

/* Term by term. */
static bool loose_range(const Facts *f, int n, const Expr *const *term, const int64_t *coef, Range *r) {
    *r = (Range){0, 0};
    for (int i = 0; i < n; i++) {
        Range t;
        if (coef[i] && (!term_range(f, term[i], &t) || !add_range(r, t, coef[i]))) return false;
    }
    return true;
}

static int place_of(int n, const Expr *const *term, const Expr *e) {
    for (int i = 0; i < n; i++)
        if (term[i] == e) return i;
    return -1;
}

/* How often the fact's sum is in another; 0: it is not. */
static int64_t times_in(const Fact *fact, int n, const Expr *const *term, const int64_t *coef) {
    int first = place_of(n, term, fact->term[0]);
    if (first < 0 || coef[first] % fact->coef[0]) return 0;
    int64_t k = coef[first] / fact->coef[0], product;
    for (int i = 1; i < fact->n; i++) {
        int at = place_of(n, term, fact->term[i]);
        if (at < 0 || !mul_ok(k, fact->coef[i], &product) || coef[at] != product) return 0;
    }
    return k;
}

/* Takes the fact's sum out of what is left of another. */
static bool use_fact(const Facts *f, const Fact *fact, int n, const Expr *const *term, int64_t *left, Range *sum) {
    int64_t k = times_in(fact, n, term, left);
    Range r;
    if (!k) return true;
    r = loose_range(f, fact->n, fact->term, fact->coef, &r) ? intersection(r, fact->range) : fact->range;
    if (!is_bounded(r)) return true;
    for (int i = 0; i < fact->n; i++) left[place_of(n, term, fact->term[i])] = 0;
    return add_range(sum, r, k);
}

bool range_of(const Facts *f, int n, const Expr *const *term, const int64_t *coef, Range *sum) {
    int64_t left[MAX_TERMS];
    Range rest;
    ASSERT(n <= MAX_TERMS);
    memcpy(left, coef, sizeof *left * (size_t)n);
    *sum = (Range){0, 0};
    for (int terms = FACT_TERMS; terms > 0; terms--)
        for (int i = f->known.n - 1; i >= 0; i--) {
            const Fact *fact = f->known.at[i];
            if (fact->n == terms && !use_fact(f, fact, n, term, left, sum)) return false;
        }
    return loose_range(f, n, term, left, &rest) && add_range(sum, rest, 1);
}

/* ---- learning ---- */

/* Whether an expression keeps its value while the statements below run. */
static bool is_steady(const Expr *e) {
    if (e->kind == E_LOAD || e->kind == E_LOCAL || (e->kind == E_TEMP && e->temp->mutable)) return false;
    for (int i = 0; i < e->n; i++)
        if (!is_steady(e->arg[i])) return false;
    return true;
}

/* Adds k * e to the fact's sum, its constant to *c. */
static bool add_sum(Fact *fact, const Expr *e, int64_t k, int64_t *c) {
    const Expr *term[MAX_TERMS];
    int64_t coef[MAX_TERMS], constant;
    int n = affine(e, MAX_TERMS, term, coef, &constant);
    if (n < 0 || llabs(constant) > INT32_MAX) return false;
    *c += k * constant;
    for (int i = 0; i < n; i++) {
        int at = place_of(fact->n, fact->term, term[i]);
        if (at < 0 && fact->n == FACT_TERMS) return false;
        if (at < 0) at = fact->n++, fact->term[at] = term[i], fact->coef[at] = 0;
        if (llabs(coef[i]) > INT32_MAX) return false;
        fact->coef[at] += k * coef[i];
    }
    return true;
}

static void drop_zeros(Fact *fact) {
    int n = 0;
    for (int i = 0; i < fact->n; i++)
        if (fact->coef[i]) fact->term[n] = fact->term[i], fact->coef[n++] = fact->coef[i];
    fact->n = n;
}

static void order_terms(Fact *fact) {
    for (int i = 1; i < fact->n; i++)
        for (int j = i; j > 0 && fact->term[j]->id < fact->term[j - 1]->id; j--) {
            const Expr *t = fact->term[j];
            int64_t c = fact->coef[j];
            fact->term[j] = fact->term[j - 1], fact->coef[j] = fact->coef[j - 1];
            fact->term[j - 1] = t, fact->coef[j - 1] = c;
        }
}

static bool same_sum(const Fact *a, const Fact *b) {
    for (int i = 0; i < a->n; i++)
        if (a->n != b->n || a->term[i] != b->term[i] || a->coef[i] != b->coef[i]) return false;
    return true;
}

/* With what is known of the same sum: the last fact about it says all. */
static void add_fact(Facts *f, Fact *fact) {
    for (int i = f->known.n - 1; i >= 0; i--) {
        const Fact *old = f->known.at[i];
        if (!same_sum(fact, old)) continue;
        fact->range = intersection(fact->range, old->range);
        break;
    }
    push(f->arena, &f->known, arena_copy(f->arena, fact, sizeof *fact));
}

/* a - b is at least lo and at most hi. */
static void learn(Facts *f, const Expr *a, const Expr *b, Range range) {
    Fact fact = {.range = range};
    int64_t c = 0;
    if (a->dtype != DT_index || !is_steady(a) || !is_steady(b)) return;
    if (!add_sum(&fact, a, 1, &c) || !add_sum(&fact, b, -1, &c)) return;
    drop_zeros(&fact), order_terms(&fact);
    if (!fact.n) return;
    if (fact.range.lo > INT64_MIN) fact.range.lo -= c;
    if (fact.range.hi < INT64_MAX) fact.range.hi -= c;
    if (fact.coef[0] < 0) {
        Range r = fact.range;
        fact.range.lo = r.hi < INT64_MAX ? -r.hi : INT64_MIN, fact.range.hi = r.lo > INT64_MIN ? -r.lo : INT64_MAX;
        for (int i = 0; i < fact.n; i++) fact.coef[i] = -fact.coef[i];
    }
    add_fact(f, &fact);
}

static bool is_op(const Expr *e, int op) { return e->kind == E_MAP && e->op == &ops[op]; }

/* A loop from the greatest of several bounds, or to the least, keeps all of them. */
static void learn_limit(Facts *f, const Expr *axis, const Expr *limit, int op, Range range) {
    if (is_op(limit, op)) {
        learn_limit(f, axis, limit->arg[0], op, range);
        learn_limit(f, axis, limit->arg[1], op, range);
    }
    learn(f, axis, limit, range);
}

void learn_loop(Facts *f, const Stmt *loop) {
    const Expr *axis = f->axis[loop->axis->id];
    if (axis && loop->lo) learn_limit(f, axis, loop->lo, OP_Max, (Range){0, INT64_MAX});
    if (axis && loop->hi) learn_limit(f, axis, loop->hi, OP_Min, (Range){INT64_MIN, -1});
}

void learn_condition(Facts *f, const Expr *e, bool holds) {
    static const struct {
        int op;
        Range holds, fails; /* of the difference of its operands */
    } forms[] = {{OP_Less, {INT64_MIN, -1}, {0, INT64_MAX}},
                 {OP_GreaterOrEqual, {0, INT64_MAX}, {INT64_MIN, -1}},
                 {OP_Equal, {0, 0}, {INT64_MIN, INT64_MAX}}};
    if (is_op(e, holds ? OP_And : OP_Or)) learn_condition(f, e->arg[0], holds), learn_condition(f, e->arg[1], holds);
    if (is_op(e, OP_Not)) learn_condition(f, e->arg[0], !holds);
    for (int i = 0; i < COUNT(forms); i++)
        if (is_op(e, forms[i].op)) learn(f, e->arg[0], e->arg[1], holds ? forms[i].holds : forms[i].fails);
}

void learn_temp(Facts *f, const Stmt *let) {
    const Expr *term[MAX_TERMS];
    int64_t coef[MAX_TERMS], c;
    Range r;
    if (let->temp->mutable || let->expr->dtype != DT_index) return;
    int n = affine(let->expr, MAX_TERMS, term, coef, &c);
    if (n >= 0 && range_of(f, n, term, coef, &r) && add_ok(r.lo, c, &r.lo) && add_ok(r.hi, c, &r.hi))
        f->temp[let->temp->id] = r;
}
