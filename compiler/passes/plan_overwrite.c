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

static void widen(Access *a, int64_t count, int64_t step) { *(step < 0 ? &a->below : &a->above) += (count - 1) * step; }

/* A tile reads rows of x and of w around where it stands. */
static void scan_tile(Scan *s, const Tile *t) {
    scan_expr(s, t->x_at), scan_expr(s, t->w_at);
    if (t->x->plan.base == s->x) {
        Access *a = add_access(s, s->load, &s->loads, t->x_at);
        widen(a, t->rows, t->x_row), widen(a, most_of(t->taps), t->x_tap), widen(a, most_of(t->n), t->x_step);
    }
    if (t->w->plan.base == s->x) {
        Access *a = add_access(s, s->load, &s->loads, t->w_at);
        widen(a, t->cols, 1), widen(a, most_of(t->taps), t->w_tap), widen(a, most_of(t->n), t->w_step);
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
    int64_t coef[MAX_DEPTH], lo, hi; /* of the common loops; the range of all other terms */
} Reach;

static int loop_of(const Expr *term, const Stmt *const *loop, int n) {
    for (int i = 0; i < n; i++)
        if (term->kind == E_AXIS && term->axis == loop[i]->axis) return i;
    return -1;
}

static bool uses_any(const Expr *term, const Stmt *const *loop, int n) {
    for (int i = 0; i < n; i++)
        if (uses_axis(term, loop[i]->axis)) return true;
    return false;
}

static bool reach_of(const Access *access, const Stmt *const *loop, int n, Reach *r) {
    const Expr *term[MAX_TERMS];
    int64_t c[MAX_TERMS], k, lo, hi;
    int terms = affine(access->index, MAX_TERMS, term, c, &k);
    *r = (Reach){.lo = k + access->below, .hi = k + access->above};
    for (int i = 0; i < terms; i++) {
        int at = loop_of(term[i], loop, n);
        if (at >= 0) {
            r->coef[at] += c[i];
            continue;
        }
        if (uses_any(term[i], loop, n) || !bounds_of(term[i], &lo, &hi)) return false;
        r->lo += c[i] * (c[i] > 0 ? lo : hi), r->hi += c[i] * (c[i] > 0 ? hi : lo);
    }
    return terms >= 0;
}

/* Whether no two iterations meet: taken from the smallest step up, each step is longer than what lies below it. */
static bool apart(const Reach *r, const Stmt *const *loop, int n, int64_t span) {
    bool used[MAX_DEPTH] = {false};
    for (int k = 0; k < n; k++) {
        int least = -1;
        for (int i = 0; i < n; i++)
            if (!used[i] && (least < 0 || llabs(r->coef[i]) < llabs(r->coef[least]))) least = i;
        used[least] = true;
        int64_t extent = loop[least]->axis->extent, step = llabs(r->coef[least]);
        if (extent > 1 && step < span) return false;
        if (extent > 1) span += step * (extent - 1);
    }
    return true;
}

static bool comes_first(const Access *load, const Access *store) {
    Reach a, b;
    int n = 0;
    if (load->place > store->place) return false;
    while (n < load->depth && n < store->depth && load->loop[n] == store->loop[n]) n++;
    if (!reach_of(load, load->loop, n, &a) || !reach_of(store, load->loop, n, &b)) return false;
    for (int i = 0; i < n; i++)
        if (a.coef[i] != b.coef[i]) return false;
    int64_t lo = a.lo < b.lo ? a.lo : b.lo, hi = a.hi > b.hi ? a.hi : b.hi;
    return apart(&a, load->loop, n, hi - lo + 1);
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
            if (!comes_first(&s.load[i], &s.store[j]) && !never_meet(&s.load[i], &s.store[j])) return false;
    return !s.lost;
}
