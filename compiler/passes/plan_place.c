/* plan_place.c - places intervals of time in memory: greedy in several orders, then a local search over orders.
 *
 * Greedy: in a given order, each interval goes to a gap between those already placed that are alive at the same time,
 * the lowest that holds it or the tightest. Every placement that cannot be pushed down comes from some order, so the
 * search moves intervals within the order and keeps what is not worse. It begins only while the bound is not reached,
 * and its random numbers and its effort are counted: the same intervals always give the same offsets. */
#include "plan.h"

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

static bool goes_on(const Placer *p) { return p->best > p->bound && *p->effort > 0; }

static void greedy(Placer *p, Arena *a) {
    Ranked *r = NEW_ARRAY(a, Ranked, p->n);
    p->best = INT64_MAX;
    for (int k = 0; k < 2 * COUNT(keys) && (k == 0 || goes_on(p)); k++) {
        sort_by(p, r, keys[k / 2]);
        p->tight = k % 2;
        int64_t size = place_in_order(p, p->best - 1);
        if (size < p->best) keep(p, size);
    }
}

/* ---- search ---- */

static int random_below(Placer *p, int n) {
    p->random ^= p->random << 13, p->random ^= p->random >> 17, p->random ^= p->random << 5;
    return (int)(p->random % (uint32_t)n);
}

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
