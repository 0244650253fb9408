/* program.c - the tree of a regular expression as a program over the bytes of UTF-8 */
#include "strings/regex.h"

enum { MOST_STEPS = 1 << 16 };

typedef struct {
    Arena *arena;
    RegexStep *step;
    int n, cap, calls;
    int tail[4]; /* of the set that is being written: so many bytes that go on a character, then what follows */
} Writer;

static bool is_full(const Writer *w) { return w->n >= MOST_STEPS || w->calls >= 4 * MOST_STEPS; }

static int emit(Writer *w, RegexStep s) {
    if (w->n == w->cap) {
        RegexStep *more = NEW_ARRAY(w->arena, RegexStep, w->cap = 2 * w->cap + 64);
        if (w->n) memcpy(more, w->step, sizeof *more * (size_t)w->n);
        w->step = more;
    }
    w->step[w->n] = s;
    return w->n++;
}

static int emit_bytes(Writer *w, unsigned lo, unsigned hi, int next) {
    return emit(w, (RegexStep){.kind = STEP_BYTE, .lo = (unsigned char)lo, .hi = (unsigned char)hi, .next = next});
}

static int emit_either(Writer *w, int next, int other) {
    if (next < 0 || other < 0) return next < 0 ? other : next;
    return emit(w, (RegexStep){.kind = STEP_EITHER, .next = next, .other = other});
}

static int tail(Writer *w, int bytes) {
    if (w->tail[bytes] < 0) w->tail[bytes] = emit_bytes(w, 0x80, 0xBF, tail(w, bytes - 1));
    return w->tail[bytes];
}

/* How many bytes a character has, and one of them, where the last is 0. */
static int bytes_of(uint32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }
static unsigned byte_of(uint32_t c, int i) {
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    int n = bytes_of(c);
    unsigned bits = c >> (6 * i);
    return n == 1 ? c : i == n - 1 ? lead[n] | bits : 0x80 | (bits & 0x3F);
}

/* Characters of which each byte takes any value between that of the first and that of the last. */
static int emit_block(Writer *w, uint32_t lo, uint32_t hi) {
    int to = w->tail[0], whole = 0, n = bytes_of(lo);
    for (int i = 0; i < n; i++) {
        unsigned a = byte_of(lo, i), b = byte_of(hi, i);
        bool any = a == 0x80 && b == 0xBF && whole == i && i + 1 < n;
        to = any ? tail(w, ++whole) : emit_bytes(w, a, b, to);
    }
    return to;
}

/* A range in such blocks: all have as many bytes, and what is behind a byte that differs is whole. */
static int emit_range(Writer *w, uint32_t lo, uint32_t hi) {
    static const uint32_t last[] = {0x7F, 0x7FF, 0xFFFF};
    for (int i = 0; i < COUNT(last); i++)
        if (lo <= last[i] && hi > last[i])
            return emit_either(w, emit_range(w, lo, last[i]), emit_range(w, last[i] + 1, hi));
    for (int i = 1; i < bytes_of(lo); i++) {
        uint32_t rest = (1u << (6 * i)) - 1;
        if ((lo | rest) == (hi | rest)) continue;
        if (lo & rest) return emit_either(w, emit_range(w, lo, lo | rest), emit_range(w, (lo | rest) + 1, hi));
        if ((hi & rest) != rest)
            return emit_either(w, emit_range(w, lo, (hi & ~rest) - 1), emit_range(w, hi & ~rest, hi));
    }
    return emit_block(w, lo, hi);
}

/* One of a set: a byte that does not exist where that is empty. */
static int emit_chars(Writer *w, const Ranges *r, int next) {
    int start = -1;
    w->tail[0] = next, w->tail[1] = w->tail[2] = w->tail[3] = -1;
    for (int i = 0; i < r->n; i++) start = emit_either(w, emit_range(w, r->at[i].lo, r->at[i].hi), start);
    return start < 0 ? emit_bytes(w, 1, 0, next) : start;
}

static int emit_tree(Writer *, const Tree *, int next);

static int emit_repeat(Writer *w, const Tree *t, int next) {
    const Tree *body = t->parts.at[0];
    int end = next;
    if (t->most < 0) {
        int loop = emit(w, (RegexStep){.kind = STEP_EITHER, .next = next, .other = next});
        int once = emit_tree(w, body, loop);
        w->step[loop].other = once, next = loop;
    }
    for (int i = t->least; i < t->most && !is_full(w); i++) next = emit_either(w, emit_tree(w, body, next), end);
    for (int i = 0; i < t->least && !is_full(w); i++) next = emit_tree(w, body, next);
    return next;
}

/* The steps of a part of the pattern, which go on at `next`; where they begin. */
static int emit_tree(Writer *w, const Tree *t, int next) {
    int start = -1;
    w->calls++;
    if (is_full(w)) return next;
    switch (t->kind) {
    case TREE_CHARS: return emit_chars(w, &t->chars, next);
    case TREE_ANY_BYTE: return emit_bytes(w, 1, 255, next);
    case TREE_ASSERT: return emit(w, (RegexStep){.kind = STEP_ASSERT, .needs = t->needs, .next = next});
    case TREE_REPEAT: return emit_repeat(w, t, next);
    case TREE_CHAIN:
        for (int i = t->parts.n - 1; i >= 0; i--) next = emit_tree(w, t->parts.at[i], next);
        return next;
    case TREE_CHOICE:
        for (int i = t->parts.n - 1; i >= 0; i--) start = emit_either(w, emit_tree(w, t->parts.at[i], next), start);
        return start;
    }
    return next;
}

const char *regex_program(Arena *a, const char *pattern, RegexProgram *program) {
    Writer w = {.arena = a};
    Tree *t;
    const char *wrong = regex_tree(a, pattern, &t);
    if (wrong) return wrong;
    int match = emit(&w, (RegexStep){.kind = STEP_MATCH});
    int start = emit_tree(&w, t, match);
    *program = (RegexProgram){w.step, w.n, start};
    return is_full(&w) ? "it is too long, or repeats too much" : NULL;
}
