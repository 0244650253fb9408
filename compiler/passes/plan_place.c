/* plan_place.c - places intervals of time in memory: greedy in several orders, then a local search over orders. What
 * are too many for that are placed as they come, and as they would come backwards in time.
 *
 * Greedy: in a given order, each interval goes to a gap between those already placed that are alive at the same time,
 * the lowest that holds it or the tightest. Every placement that cannot be pushed down comes from some order, so the
 * search moves intervals within the order and keeps what is not worse. It begins only while the bound is not reached,
 * and its random numbers and its effort are counted: the same intervals always give the same offsets. */
#include "passes/plan.h"

typedef struct {
    int first, last;
    int64_t at, end;
} Taken;

typedef struct {
    Interval *v;
    int n, steps;
    int64_t bound, best;
    int *order, *best_order;
    bool tight, best_tight;
    int64_t *key, *offset;
    int64_t *live;
    int *born, *dead; /* intervals that begin, end at or before each step */
    Taken *placed;    /* sorted by place */
    int64_t *effort;
    uint32_t random;
} Placer;

/* ---- the bound ---- */

static int count_steps(const Interval *v, int n) {
    int last = 0;
    for (int i = 0; i < n; i++)
        if (v[i].last > last) last = v[i].last;
    return last + 1;
}

int64_t live_bound(Arena *a, const Interval *v, int n, int *step) {
    int steps = count_steps(v, n);
    int64_t *change = NEW_ARRAY(a, int64_t, steps + 1), live = 0, most = 0;
    for (int i = 0; i < n; i++) change[v[i].first] += v[i].size, change[v[i].last + 1] -= v[i].size;
    *step = 0;
    for (int i = 0; i < steps; i++) {
        live += change[i];
        if (live > most) most = live, *step = i;
    }
    return most;
}

/* ---- one placement ---- */

static int64_t find_gap(const Taken *b, int n, const Interval *v, bool tight) {
    int64_t top = 0, at = -1, slack = INT64_MAX;
    for (int i = 0; i < n; i++) {
        if (b[i].first > v->last || b[i].last < v->first) continue;
        int64_t room = b[i].at - top - v->size;
        if (room >= 0 && room < slack) {
            if (!tight) return top;
            at = top, slack = room;
        }
        if (b[i].end > top) top = b[i].end;
    }
    return at >= 0 ? at : top;
}

static void insert(Taken *b, int n, Taken new) {
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (b[mid].at <= new.at)
            lo = mid + 1;
        else
            hi = mid;
    }
    memmove(b + lo + 1, b + lo, sizeof *b * (size_t)(n - lo));
    b[lo] = new;
}

/* The memory taken; gives up as soon as that is more than `most`. */
static int64_t place_in_order(Placer *p, int64_t most) {
    int64_t top = 0;
    for (int i = 0; i < p->n; i++) {
        const Interval *v = &p->v[p->order[i]];
        int64_t at = find_gap(p->placed, i, v, p->tight), end = at + v->size;
        *p->effort -= 4 + i;
        if (end > most) return INT64_MAX;
        if (end > top) top = end;
        p->offset[p->order[i]] = at;
        insert(p->placed, i, (Taken){v->first, v->last, at, end});
    }
    return top;
}

static void keep(Placer *p, int64_t size) {
    for (int i = 0; i < p->n; i++) p->v[i].offset = p->offset[i];
    memcpy(p->best_order, p->order, sizeof *p->order * (size_t)p->n);
    p->best = size, p->best_tight = p->tight;
}

/* ---- greedy orders: the largest key first ---- */

static int64_t length(const Interval *v) { return (int64_t)v->last - v->first + 1; }

static int64_t key_size(const Placer *p, int i) { return p->v[i].size; }

static int64_t key_area(const Placer *p, int i) {
    int64_t area;
    return mul_ok(p->v[i].size, length(&p->v[i]), &area) ? area : INT64_MAX;
}

static int64_t key_length(const Placer *p, int i) { return length(&p->v[i]); }

static int64_t key_start(const Placer *p, int i) { return -p->v[i].first; }

/* What is alive when most is: a placement is as tight as its fullest step. */
static int64_t key_pressure(const Placer *p, int i) {
    int64_t most = 0;
    for (int s = p->v[i].first; s <= p->v[i].last; s++)
        if (p->live[s] > most) most = p->live[s];
    *p->effort -= p->v[i].last - p->v[i].first;
    return most;
}

static int64_t key_conflicts(const Placer *p, int i) {
    int before = p->v[i].first ? p->dead[p->v[i].first - 1] : 0;
    return p->born[p->v[i].last] - before;
}

static int64_t (*const keys[])(const Placer *, int) = {key_size,  key_area,      key_length,
                                                       key_start, key_conflicts, key_pressure};

static void count_lives(Placer *p, Arena *a) {
    p->born = NEW_ARRAY(a, int, p->steps + 1), p->dead = NEW_ARRAY(a, int, p->steps + 1);
    p->live = NEW_ARRAY(a, int64_t, p->steps + 1);
    for (int i = 0; i < p->n; i++) p->born[p->v[i].first]++, p->dead[p->v[i].last]++;
    for (int i = 0; i < p->n; i++) p->live[p->v[i].first] += p->v[i].size, p->live[p->v[i].last + 1] -= p->v[i].size;
    for (int s = 1; s < p->steps; s++) p->live[s] += p->live[s - 1];
    for (int s = 1; s < p->steps; s++) p->born[s] += p->born[s - 1], p->dead[s] += p->dead[s - 1];
}

typedef struct {
    int64_t key, size;
    int first, i;
} Ranked;

static int by_key(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x->i > y->i) - (x->i < y->i);
}

static void sort_by(Placer *p, Ranked *r, int64_t (*key)(const Placer *, int)) {
    for (int i = 0; i < p->n; i++) r[i] = (Ranked){key(p, i), p->v[i].size, p->v[i].first, i};
    qsort(r, (size_t)p->n, sizeof *r, by_key);
    for (int i = 0; i < p->n; i++) p->order[i] = r[i].i;
}

/* ---- in the order of time: what is alive then leaves gaps, sorted by place ---- */

/* A treap: `most` is the largest gap below. */
typedef struct Gap {
    int64_t at, size, most;
    uint32_t rank;
    struct Gap *left, *right;
} Gap;

static uint32_t next_random(Placer *p) {
    p->random ^= p->random << 13, p->random ^= p->random >> 17, p->random ^= p->random << 5;
    return p->random;
}

static int64_t most_in(const Gap *g) { return g ? g->most : -1; }

static Gap *with_most(Gap *g) {
    g->most = g->size;
    if (most_in(g->left) > g->most) g->most = g->left->most;
    if (most_in(g->right) > g->most) g->most = g->right->most;
    return g;
}

static Gap *merge(Gap *a, Gap *b) {
    if (!a || !b) return a ? a : b;
    if (a->rank > b->rank) {
        a->right = merge(a->right, b);
        return with_most(a);
    }
    b->left = merge(a, b->left);
    return with_most(b);
}

/* Gaps that begin below `at`, and the others. */
static void split(Gap *g, int64_t at, Gap **below, Gap **above) {
    *below = *above = NULL;
    if (!g) return;
    if (g->at < at) {
        split(g->right, at, &g->right, above);
        *below = with_most(g);
    } else {
        split(g->left, at, below, &g->left);
        *above = with_most(g);
    }
}

typedef struct {
    Placer *p;
    Arena *arena;
    Gap *gaps, *spare;
} Sweep;

static Gap *new_gap(Sweep *s, int64_t at, int64_t size) {
    Gap *g = s->spare ? s->spare : NEW(s->arena, Gap);
    s->spare = s->spare ? s->spare->right : NULL;
    *g = (Gap){.at = at, .size = size, .most = size, .rank = next_random(s->p)};
    return g;
}

static Gap *without_first(Sweep *s, Gap *g, Gap **first) {
    if (g->left) {
        g->left = without_first(s, g->left, first);
        return with_most(g);
    }
    *first = g;
    return g->right;
}

/* The lowest gap that holds so much; the last one holds everything. */
static int64_t take_gap(Sweep *s, int64_t size) {
    const Gap *g = s->gaps;
    while (most_in(g->left) >= size || g->size < size) g = most_in(g->left) >= size ? g->left : g->right;
    int64_t at = g->at;
    Gap *below, *above, *mine = NULL;
    split(s->gaps, at, &below, &above);
    above = without_first(s, above, &mine);
    Gap *rest = mine->size > size ? new_gap(s, at + size, mine->size - size) : NULL;
    mine->right = s->spare, s->spare = mine;
    s->gaps = merge(below, merge(rest, above));
    return at;
}

/* A gap again, one with those that it accesses. */
static void give_gap(Sweep *s, int64_t at, int64_t size) {
    Gap *below, *above, *last, *next = NULL;
    if (!size) return;
    split(s->gaps, at, &below, &above);
    above = without_first(s, above, &next); /* there is the last gap at least */
    for (last = below; last && last->right;) last = last->right;
    if (last && last->at + last->size == at) {
        at = last->at, size += last->size;
        split(below, at, &below, &last);
    }
    if (at + size == next->at)
        size += next->size;
    else
        above = merge(new_gap(s, next->at, next->size), above);
    s->gaps = merge(below, merge(new_gap(s, at, size), above));
}

static int by_end(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key ? 1 : -1) : x->i - y->i;
}

/* Backwards, what ends last comes first. */
static int64_t begins(const Interval *v, bool back) { return back ? -(int64_t)v->last : v->first; }
static int64_t ends(const Interval *v, bool back) { return back ? -(int64_t)v->first : v->last; }

static int64_t sweep(Placer *p, Arena *a, bool back) {
    Sweep s = {.p = p, .arena = a};
    Ranked *in = NEW_ARRAY(a, Ranked, p->n), *out = NEW_ARRAY(a, Ranked, p->n);
    int64_t top = 0;
    for (int i = 0; i < p->n; i++) {
        in[i] = (Ranked){-begins(&p->v[i], back), p->v[i].size, p->v[i].first, i};
        out[i] = (Ranked){.key = ends(&p->v[i], back), .i = i};
    }
    qsort(in, (size_t)p->n, sizeof *in, by_key), qsort(out, (size_t)p->n, sizeof *out, by_end);
    s.gaps = new_gap(&s, 0, INT64_MAX / 2);
    for (int i = 0, done = 0; i < p->n; i++) {
        const Interval *v = &p->v[in[i].i];
        for (; out[done].key < begins(v, back); done++) give_gap(&s, p->offset[out[done].i], p->v[out[done].i].size);
        int64_t at = p->offset[in[i].i] = take_gap(&s, v->size);
        p->order[i] = in[i].i;
        if (at + v->size > top) top = at + v->size;
    }
    *p->effort -= p->n;
    return top;
}

/* ---- all of them ---- */

/* What an order costs grows with the square of the intervals. */
enum { MANY = 2048 };

static int64_t cost_of_order(const Placer *p) { return (int64_t)p->n * p->n / 2; }

static bool goes_on(const Placer *p) {
    return p->best > p->bound && *p->effort > 0 && (p->n <= MANY || *p->effort > cost_of_order(p));
}

static void consider(Placer *p, int64_t size) {
    if (size < p->best) keep(p, size);
}

static void greedy(Placer *p, Arena *a) {
    Ranked *r = NEW_ARRAY(a, Ranked, p->n);
    p->best = INT64_MAX;
    if (p->n > MANY) consider(p, sweep(p, a, false));
    if (p->n > MANY && p->best > p->bound) consider(p, sweep(p, a, true));
    for (int k = 0; k < 2 * COUNT(keys) && (p->best == INT64_MAX || goes_on(p)); k++) {
        sort_by(p, r, keys[k / 2]);
        p->tight = k % 2;
        consider(p, place_in_order(p, p->best - 1));
    }
}

/* ---- search ---- */

static int random_below(Placer *p, int n) { return (int)(next_random(p) % (uint32_t)n); }

/* Where in the order an interval stands whose end makes the memory as large as it is. */
static int at_the_top(Placer *p) {
    int start = random_below(p, p->n);
    for (int k = 0; k < p->n; k++) {
        int i = (start + k) % p->n;
        const Interval *v = &p->v[p->order[i]];
        if (v->offset + v->size == p->best) return i;
    }
    return start;
}

static void move(int *order, int from, int to) {
    int v = order[from];
    memmove(order + to + 1, order + to, sizeof *order * (size_t)(from - to));
    order[to] = v;
}

static void change_order(Placer *p) {
    memcpy(p->order, p->best_order, sizeof *p->order * (size_t)p->n);
    if (random_below(p, 2)) {
        int from = at_the_top(p);
        move(p->order, from, random_below(p, from + 1));
        return;
    }
    int i = random_below(p, p->n), j = random_below(p, p->n), v = p->order[i];
    p->order[i] = p->order[j], p->order[j] = v;
}

/* What is as good is taken too: the way down leads over flat ground. */
static void search(Placer *p) {
    p->tight = p->best_tight;
    while (goes_on(p)) {
        change_order(p);
        *p->effort -= p->n;
        int64_t size = place_in_order(p, p->best);
        if (size <= p->best) keep(p, size);
    }
}

int64_t place_intervals(Arena *a, Interval *v, int n, int64_t *effort) {
    int step;
    Placer p = {.v = v, .n = n, .steps = count_steps(v, n), .effort = effort, .random = 2463534242u};
    if (!n) return 0;
    p.bound = live_bound(a, v, n, &step);
    p.order = NEW_ARRAY(a, int, n), p.best_order = NEW_ARRAY(a, int, n);
    p.offset = NEW_ARRAY(a, int64_t, n), p.placed = NEW_ARRAY(a, Taken, n);
    count_lives(&p, a);
    greedy(&p, a);
    search(&p);
    return p.best;
}
