/* plan_overwrite.c - whether a kernel may write a result over one of its inputs.
 *
 * It may if every load of the input comes before every store of the result to the same place. For a load and a store,
 * take the loops around both. If in them both indices move alike, and by so much that no two iterations meet in what
 * the remaining terms span, then an iteration touches only elements of its own; and in it the load has to come first.
 * An elementwise loop is the simple case; a softmax, which reads its row three times before and while it writes it,
 * is another. A recurrence or a convolution fails: it reads what other iterations have written. */
#include "plan.h"

enum { MOST_DEPTH = 24, MOST_TERMS = 24, MOST_ACCESSES = 64 };

typedef struct {
    const Expr *index;
    const Stmt *loop[MOST_DEPTH]; /* around it, outermost first */
    int depth, place;             /* place: of its statement, counted in the order of the text */
} Access;

typedef struct {
    const Value *x, *y;
    const Stmt *loop[MOST_DEPTH];
    int depth, place, loads, stores;
    bool lost; /* too many, too deep, or inside a loop that is not counted */
    int *seen; /* per expression: the last statement that it was looked at for */
    Access load[MOST_ACCESSES], store[MOST_ACCESSES];
} Scan;

/* ---- collecting ---- */

static void add_access(Scan *s, Access *list, int *n, const Expr *index) {
    if (*n == MOST_ACCESSES) {
        s->lost = true;
        return;
    }
    Access *a = &list[(*n)++];
    *a = (Access){.index = index, .depth = s->depth, .place = s->place};
    memcpy(a->loop, s->loop, sizeof a->loop);
}

static void scan_expr(Scan *s, const Expr *e) {
    if (!e || s->lost || s->seen[e->id] == s->place) return;
    s->seen[e->id] = s->place;
    if (e->kind == E_LOAD && e->value->lead == s->x) add_access(s, s->load, &s->loads, e->arg[0]);
    for (int i = 0; i < e->n; i++) scan_expr(s, e->arg[i]);
}

static void scan(Scan *s, const Stmt *st);

static void scan_body(Scan *s, const Stmt *st) {
    bool loop = st->kind == S_FOR;
    if (loop && s->depth == MOST_DEPTH) s->lost = true;
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
        if (st->kind == S_STORE && st->value->lead == s->y) add_access(s, s->store, &s->stores, st->index);
        scan_body(s, st);
        if (st->kind == S_WHILE && s->loads + s->stores > before) s->lost = true;
    }
}

/* ---- comparing ---- */

typedef struct {
    int64_t coef[MOST_DEPTH], lo, hi; /* of the common loops; the range of all other terms */
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

static bool reach_of(const Expr *index, const Stmt *const *loop, int n, Reach *r) {
    const Expr *term[MOST_TERMS];
    int64_t c[MOST_TERMS], k, lo, hi;
    int terms = affine(index, MOST_TERMS, term, c, &k);
    *r = (Reach){.lo = k, .hi = k};
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
    bool used[MOST_DEPTH] = {false};
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
    if (!reach_of(load->index, load->loop, n, &a) || !reach_of(store->index, load->loop, n, &b)) return false;
    for (int i = 0; i < n; i++)
        if (a.coef[i] != b.coef[i]) return false;
    int64_t lo = a.lo < b.lo ? a.lo : b.lo, hi = a.hi > b.hi ? a.hi : b.hi;
    return apart(&a, load->loop, n, hi - lo + 1);
}

bool may_overwrite(const Kernel *k, const Value *x, const Value *y) {
    Scan s = {.x = x, .y = y, .seen = NEW_ARRAY(k->module->arena, int, k->nexpr + 1)};
    scan(&s, k->body);
    for (int i = 0; i < s.loads && !s.lost; i++)
        for (int j = 0; j < s.stores; j++)
            if (!comes_first(&s.load[i], &s.store[j])) return false;
    return !s.lost;
}
