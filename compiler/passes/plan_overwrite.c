/* plan_overwrite.c - whether a kernel may write a result over one of its inputs.
 *
 * It may if every load of the input comes before every store of the result to the same place. For a load and a store,
 * take the loops around both. If in them both indices move alike, and by so much that no two iterations meet in what
 * the remaining terms span, then an iteration accesses only elements of its own; and in it the load has to come first.
 * An elementwise loop is the simple case; a softmax, which reads its row three times before and while it writes it,
 * is another. A recurrence or a convolution fails: it reads what other iterations have written. */
#include "loop/loop.h"
#include "passes/plan.h"

enum { MAX_DEPTH = 24, MAX_TERMS = 24, MAX_ACCESSES = 64 };

typedef struct {
    const Expr *index;
    int64_t below, above;        /* how far it reaches to either side of the index */
    const Stmt *loop[MAX_DEPTH]; /* around it, outermost first */
    int depth;
    int64_t place; /* of its statement, counted in the order of the text */
} Access;

typedef struct {
    const Value *x, *y;
    const Stmt *loop[MAX_DEPTH];
    int depth, loads, stores;
    int64_t place;
    bool lost;     /* too many, too deep, or inside a loop that is not counted */
    int64_t *seen; /* per expression: the last statement that it was looked at for */
    Access *load, *store;
} Scan;

/* ---- collecting ---- */

static Access *add_access(Scan *s, Access *list, int *n, const Expr *index) {
    Access *a = &list[*n < MAX_ACCESSES ? (*n)++ : 0];
    if (*n == MAX_ACCESSES) s->lost = true;
    *a = (Access){.index = index, .depth = s->depth, .place = s->place};
    memcpy(a->loop, s->loop, sizeof a->loop);
    return a;
}

static void scan_expr(Scan *s, const Expr *e) {
    if (!e || s->lost || s->seen[e->id] == s->place) return;
    s->seen[e->id] = s->place;
    if (e->kind == E_LOAD && e->value->plan.base == s->x) add_access(s, s->load, &s->loads, e->arg[0]);
    for (int i = 0; i < e->n; i++) scan_expr(s, e->arg[i]);
}

/* By `count` times a step, at the most that both can be. */
static void widen(Scan *s, Access *a, int64_t count, const Expr *step) {
    int64_t lo, hi;
    if (!bounds_of(step, &lo, &hi)) {
        s->lost = true;
        return;
    }
    if (lo < 0) a->below += (count - 1) * lo;
    if (hi > 0) a->above += (count - 1) * hi;
}

/* A tile reads rows of x and of w around where it stands. */
static void scan_tile(Scan *s, const Tile *t) {
    scan_expr(s, t->x_at), scan_expr(s, t->w_at);
    if (t->x->plan.base == s->x) {
        Access *a = add_access(s, s->load, &s->loads, t->x_at);
        widen(s, a, t->rows, t->x_row), widen(s, a, most_of(t->taps), t->x_tap);
        if (t->lines) widen(s, a, t->lines, t->x_line);
        widen(s, a, most_of(t->n), t->x_step);
    }
    if (!t->copy && t->w->plan.base == s->x) {
        Access *a = add_access(s, s->load, &s->loads, t->w_at);
        a->above += t->cols - 1;
        widen(s, a, most_of(t->taps), t->w_tap), widen(s, a, most_of(t->n), t->w_step);
    }
}

static void scan(Scan *s, const Stmt *st);

static void scan_body(Scan *s, const Stmt *st) {
    bool loop = st->kind == S_FOR;
    if (loop && s->depth == MAX_DEPTH) s->lost = true;
    if (s->lost) return;
    if (loop) s->loop[s->depth++] = st;
    scan(s, st->body);
    scan(s, st->other);
    s->depth -= loop;
}

static void scan(Scan *s, const Stmt *st) {
    for (; st && !s->lost; st = st->next) {
        int before = s->loads + s->stores;
        s->place++;
        if (st->kind == S_FOR) scan_expr(s, st->axis->size);
        scan_expr(s, st->lo), scan_expr(s, st->hi);
        scan_expr(s, st->index), scan_expr(s, st->expr);
        if (st->kind == S_TILE) scan_tile(s, st->tile);
        if (st->kind == S_STORE && st->value->plan.base == s->y) add_access(s, s->store, &s->stores, st->index);
        scan_body(s, st);
        if (st->kind == S_WHILE && s->loads + s->stores > before) s->lost = true;
    }
}

/* ---- comparing ---- */

typedef struct {
    Dim coef[MAX_DEPTH]; /* of the common loops */
    int64_t lo;          /* the range of all other terms: its end may follow from the extents of the call */
    Dim hi;
} Reach;

static bool uses_any(const Expr *term, const Stmt *const *loop, int n) {
    for (int i = 0; i < n; i++)
        if (uses_axis(term, loop[i]->axis)) return true;
    return false;
}

/* A term that is a loop's variable times what a call does not change: adds that to *by. */
static bool per_loop(Module *m, const Expr *term, const Stmt *const *loop, int n, int *at, Dim *by) {
    Dim d;
    for (int i = 0; i < n; i++)
        if (term->kind == E_AXIS && term->axis == loop[i]->axis) return *at = i, true;
    if (term->kind != E_MAP || term->op != &ops[OP_Mul]) return dim_of_expr(m, term, &d) && dim_mul(m, *by, d, by);
    return per_loop(m, term->arg[0], loop, n, at, by) && per_loop(m, term->arg[1], loop, n, at, by);
}

/* A term that is an axis times what a call does not change, neither below 0. */
static const Axis *axis_times(Module *m, const Expr *term, Dim *by) {
    Dim d;
    if (term->kind == E_AXIS) return term->axis;
    if (term->kind != E_MAP || term->op != &ops[OP_Mul]) return NULL;
    for (int i = 0; i < 2; i++)
        if (dim_of_expr(m, term->arg[i], &d) && dim_least(d) >= 0 && dim_mul(m, *by, d, by))
            return axis_times(m, term->arg[1 - i], by);
    return NULL;
}

/* Adds the range of `c` times a term of other loops than the common ones. */
static bool add_range(Module *m, const Expr *term, int64_t c, Reach *r) {
    Dim most = {c, NULL}, size;
    const Axis *a = c > 0 ? axis_times(m, term, &most) : NULL;
    int64_t lo, hi;
    if (a && dim_of_expr(m, a->size, &size) && dim_least(size) > 0)
        return dim_sub(m, size, (Dim){1, NULL}, &size) && dim_mul(m, most, size, &most) &&
               dim_add(m, r->hi, most, &r->hi);
    if (!bounds_of(term, &lo, &hi)) return false;
    r->lo += c * (c > 0 ? lo : hi);
    return dim_add(m, r->hi, (Dim){c * (c > 0 ? hi : lo), NULL}, &r->hi);
}

static bool reach_of(Module *m, const Access *access, const Stmt *const *loop, int n, Reach *r) {
    const Expr *term[MAX_TERMS];
    int64_t c[MAX_TERMS], k;
    int terms = affine(access->index, MAX_TERMS, term, c, &k);
    *r = (Reach){.lo = k + access->below, .hi = {k + access->above, NULL}};
    for (int i = 0; i < terms; i++) {
        int at = -1;
        Dim by = {c[i], NULL};
        if (uses_any(term[i], loop, n)) {
            if (!per_loop(m, term[i], loop, n, &at, &by) || at < 0 || !dim_add(m, r->coef[at], by, &r->coef[at]))
                return false;
            continue;
        }
        if (!add_range(m, term[i], c[i], r)) return false;
    }
    return terms >= 0;
}

static Dim magnitude(Dim d) { return d.symbol ? d : (Dim){llabs(d.max), NULL}; }

/* Whether no two iterations meet: taken from the smallest step up, each step is longer than what lies below it,
 * whatever the extents of the call. */
static bool apart(Module *m, const Reach *r, const Stmt *const *loop, int n, Dim span) {
    bool used[MAX_DEPTH] = {false};
    Dim more, size;
    for (int k = 0; k < n; k++) {
        int least = -1;
        for (int i = 0; i < n; i++)
            if (!used[i] && (least < 0 || magnitude(r->coef[i]).max < magnitude(r->coef[least]).max)) least = i;
        used[least] = true;
        Dim step = magnitude(r->coef[least]);
        if (loop[least]->axis->extent <= 1) continue;
        if (dim_least(step) < 0 || !never_less(m, step, span)) return false;
        if (!dim_of_expr(m, loop[least]->axis->size, &size)) size = (Dim){loop[least]->axis->extent, NULL};
        if (!dim_sub(m, size, (Dim){1, NULL}, &more) || !dim_mul(m, step, more, &more) ||
            !dim_add(m, span, more, &span))
            return false;
    }
    return true;
}

static bool same_dim(Dim a, Dim b) { return a.max == b.max && a.symbol == b.symbol; }

static bool comes_first(Module *m, const Access *load, const Access *store) {
    Reach a, b;
    int n = 0;
    if (load->place > store->place) return false;
    while (n < load->depth && n < store->depth && load->loop[n] == store->loop[n]) n++;
    if (!reach_of(m, load, load->loop, n, &a) || !reach_of(m, store, load->loop, n, &b)) return false;
    for (int i = 0; i < n; i++)
        if (!same_dim(a.coef[i], b.coef[i])) return false;
    int64_t lo = a.lo < b.lo ? a.lo : b.lo;
    Dim hi = never_less(m, a.hi, b.hi) ? a.hi : b.hi, width;
    return never_less(m, hi, a.hi) && dim_sub(m, hi, (Dim){lo - 1, NULL}, &width) && apart(m, &a, load->loop, n, width);
}

/* ---- places that never meet: of a halo and what it surrounds, of neighbouring tiles ---- */

/* The range of an index, but for what moves it by multiples of `period` (0: of everything). */
static bool range_of(const Access *a, int64_t period, int64_t *lo, int64_t *hi) {
    const Expr *term[MAX_TERMS];
    int64_t c[MAX_TERMS], k, l, h;
    int terms = affine(a->index, MAX_TERMS, term, c, &k);
    *lo = k + a->below, *hi = k + a->above;
    for (int i = 0; i < terms; i++) {
        if (period && c[i] % period == 0) continue;
        if (!bounds_of(term[i], &l, &h)) return false;
        *lo += c[i] * (c[i] > 0 ? l : h), *hi += c[i] * (c[i] > 0 ? h : l);
    }
    return terms >= 0;
}

/* Whether the two lie in different parts of every period. */
static bool apart_within(const Access *a, const Access *b, int64_t period) {
    int64_t alo, ahi, blo, bhi;
    if (!range_of(a, period, &alo, &ahi) || !range_of(b, period, &blo, &bhi)) return false;
    if (!period) return ahi < blo || bhi < alo;
    int64_t from = alo - floor_div(alo, period) * period, to = from + (ahi - alo);
    int64_t start = blo - floor_div(blo, period) * period, end = start + (bhi - blo);
    return to < period && end < period && (to < start || end < from);
}

static bool never_meet(const Access *a, const Access *b) {
    const Expr *term[MAX_TERMS];
    int64_t c[MAX_TERMS], k;
    int terms = affine(a->index, MAX_TERMS, term, c, &k);
    if (apart_within(a, b, 0)) return true;
    for (int i = 0; i < terms; i++)
        if (c[i] > 1 && apart_within(a, b, c[i])) return true;
    return false;
}

bool may_overwrite(const Kernel *k, const Value *x, const Value *y) {
    Marks *seen = &k->module->seen;
    marks_fit(k->module->arena, seen, k->nexpr);
    Access load[MAX_ACCESSES], store[MAX_ACCESSES];
    Scan s = {.x = x, .y = y, .seen = seen->turn, .place = seen->now, .load = load, .store = store};
    scan(&s, k->body);
    seen->now = s.place;
    for (int i = 0; i < s.loads && !s.lost; i++)
        for (int j = 0; j < s.stores; j++)
            if (!comes_first(k->module, &s.load[i], &s.store[j]) && !never_meet(&s.load[i], &s.store[j])) return false;
    return !s.lost;
}
