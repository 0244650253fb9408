/* suggest.c - what was probably meant, for messages about unknown names. */
#include "base/base.h"

enum { LONGEST = 40, MAX_KEYS = 4096 };

static int min3(int a, int b, int c) { return a < b ? (a < c ? a : c) : b < c ? b : c; }

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

/* The fewest letters to insert, drop, change or swap with a neighbour; case does not count. */
static int distance(const char *a, const char *b) {
    int before[LONGEST + 1] = {0}, last[LONGEST + 1], row[LONGEST + 1], n = (int)strlen(b);
    for (int j = 0; j <= n; j++) last[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = min3(last[j - 1] + (x != y), last[j] + 1, row[j - 1] + 1);
            bool swapped = i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]);
            if (swapped && before[j - 2] + 1 < row[j]) row[j] = before[j - 2] + 1;
        }
        memcpy(before, last, sizeof last);
        memcpy(last, row, sizeof row);
    }
    return last[n];
}

const char *suggest(Arena *a, const char *name, int n, const char *const *names) {
    int best = -1, letters = strlen(name) > LONGEST ? 0 : (int)strlen(name), least = letters > 5 ? 3 : 2;
    if (least > letters) least = letters; /* any letter is near any other */
    for (int i = 0; i < n; i++) {
        int d = strlen(names[i]) > LONGEST ? LONGEST : distance(name, names[i]);
        if (d < least) least = d, best = i;
    }
    return best < 0 ? "" : format(a, "; the nearest is '%s'", escaped(a, names[best], LONGEST));
}

const char *suggest_key(Arena *a, const char *name, const Map *m) {
    const char *const *keys;
    int n = map_keys(m, a, MAX_KEYS, &keys);
    return suggest(a, name, n, keys);
}

static void put_names(Str *s, int n, const char *const *names) {
    put_text(s, n ? " " : " none");
    for (int i = 0; i < n; i++) put(s, "%s%s", i ? ", " : "", escaped(s->arena, names[i], LONGEST));
}

const char *names_listed(Arena *a, const char *before, int n, const char *const *names) {
    Str s = {.arena = a};
    put(&s, "; %s", before);
    put_names(&s, n, names);
    return s.s;
}

const char *choices(Arena *a, const char *name, const char *before, int n, const char *const *names) {
    return format(a, "%s%s", suggest(a, name, n, names), names_listed(a, before, n, names));
}
