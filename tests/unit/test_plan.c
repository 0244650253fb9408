/* The placer alone: random lives and sizes, and instances cut from a full rectangle, whose bound is known to be reached
 * by some placement. No two that are alive at once may share a byte, nothing is below the bound, the same input gives
 * the same offsets. */
#include "check.h"
#include "passes/plan.h"

static Arena *arena;
static uint32_t state = 1;

static int below(int n) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return (int)(state % (uint32_t)n);
}

static int64_t top_of(const Interval *v, int n) {
    int64_t top = 0;
    for (int i = 0; i < n; i++)
        if (v[i].offset + v[i].size > top) top = v[i].offset + v[i].size;
    return top;
}

static bool disjoint(const Interval *a, const Interval *b) {
    return a->last < b->first || b->last < a->first || a->offset + a->size <= b->offset ||
           b->offset + b->size <= a->offset;
}

static bool all_disjoint(const Interval *v, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (!disjoint(&v[i], &v[j])) return false;
    return true;
}

/* The largest sum over the steps, counted step by step. */
static int64_t slow_bound(const Interval *v, int n, int steps) {
    int64_t most = 0;
    for (int s = 0; s < steps; s++) {
        int64_t live = 0;
        for (int i = 0; i < n; i++)
            if (v[i].first <= s && s <= v[i].last) live += v[i].size;
        if (live > most) most = live;
    }
    return most;
}

/* Places, checks everything that must hold, and returns the memory over the bound. */
static double placed(Interval *v, int n, int steps, int64_t effort) {
    int64_t left = effort, again = effort, bound = slow_bound(v, n, steps);
    Interval *w = arena_copy(arena, v, sizeof *v * (size_t)n);
    int step;
    CHECK(live_bound(arena, v, n, &step) == bound);
    int64_t size = place_intervals(arena, v, n, &left);
    CHECK(size == top_of(v, n) && size >= bound && all_disjoint(v, n));
    CHECK(place_intervals(arena, w, n, &again) == size && again == left);
    for (int i = 0; i < n; i++) CHECK(v[i].offset >= 0 && v[i].offset % 64 == 0 && v[i].offset == w[i].offset);
    return bound ? (double)size / (double)bound : 1;
}

static Interval *random_lives(int n, int steps, int longest) {
    Interval *v = NEW_ARRAY(arena, Interval, n);
    for (int i = 0; i < n; i++) {
        v[i].first = below(steps);
        v[i].last = v[i].first + below(longest);
        if (v[i].last >= steps) v[i].last = steps - 1;
        v[i].size = 64 * (int64_t)below(below(4) ? 40 : 400);
    }
    return v;
}

/* A rectangle of steps and bytes is cut in two, and each part again, until there are n parts. */
static Interval *cut_rectangle(int n, int steps, int units) {
    Interval *v = NEW_ARRAY(arena, Interval, n);
    v[0] = (Interval){0, steps - 1, 64 * (int64_t)units, 0};
    for (int have = 1; have < n;) {
        Interval *a = &v[below(have)], *b = &v[have];
        int length = a->last - a->first + 1, height = (int)(a->size / 64);
        bool in_time = below(2);
        if ((in_time ? length : height) < 2) continue;
        *b = *a;
        if (in_time) {
            b->first = a->first + 1 + below(length - 1), a->last = b->first - 1;
        } else {
            int at = 1 + below(height - 1);
            b->size = a->size - 64 * at, a->size = 64 * at;
        }
        have++;
    }
    for (int i = n - 1; i > 0; i--) {
        int j = below(i + 1);
        Interval t = v[i];
        v[i] = v[j], v[j] = t;
    }
    return v;
}

static void trivial(void) {
    int64_t effort = 1000;
    Interval none[1], two[2] = {{0, 3, 128, 0}, {3, 5, 64, 0}}, empty[2] = {{0, 9, 0, 0}, {0, 9, 64, 0}};
    CHECK(place_intervals(arena, none, 0, &effort) == 0);
    CHECK(place_intervals(arena, two, 2, &effort) == 192);
    CHECK(place_intervals(arena, empty, 2, &effort) == 64);
}

/* By size alone, first fit, this takes 5 units: the long one goes on top of both big ones. */
static void search_helps(void) {
    int64_t none = 0, some = 100000;
    Interval v[] = {{0, 1, 128, 0}, {1, 2, 64, 0}, {2, 3, 128, 0}, {3, 4, 64, 0}, {0, 0, 64, 0}, {4, 4, 128, 0}};
    CHECK(place_intervals(arena, v, COUNT(v), &none) >= 192 && all_disjoint(v, COUNT(v)));
    CHECK(place_intervals(arena, v, COUNT(v), &some) == 192 && all_disjoint(v, COUNT(v)));
}

static void instances(void) {
    double worst = 1, sum = 0;
    enum { MANY = 40 };
    for (int i = 0; i < 200; i++) {
        int n = 1 + below(60);
        CHECK(placed(random_lives(n, 1 + below(40), 1 + below(12)), n, 64, 200000) < 1.35);
    }
    for (int i = 0; i < MANY; i++) {
        double r = placed(cut_rectangle(12 + i, 30, 60), 12 + i, 30, 3000000);
        sum += r, worst = r > worst ? r : worst;
    }
    printf("cut rectangles: mean %.3f, worst %.3f of the bound\n", sum / MANY, worst);
    CHECK(sum / MANY < 1.05 && worst < 1.12);
    double hard = placed(cut_rectangle(400, 300, 16384), 400, 300, 50000000);
    printf("400 parts: %.3f of the bound\n", hard);
    CHECK(hard < 1.25);
}

int main(void) {
    arena = arena_new(0, NULL, NULL);
    trivial();
    search_helps();
    instances();
    arena_free(arena);
    return failures();
}
