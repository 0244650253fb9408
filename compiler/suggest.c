/* suggest.c - what was probably meant, for messages about unknown names. */
#include "text.h"

enum { LONGEST = 40 };

static int min3(int a, int b, int c) { return a < b ? (a < c ? a : c) : b < c ? b : c; }

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

/* The fewest letters to insert, drop or change; case does not count. */
static int distance(const char *a, const char *b) {
    int row[LONGEST + 1], n = (int)strlen(b);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
            diagonal = row[j];
            row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[n];
}

const char *suggest(Arena *a, const char *name, int n, const char *const *names) {
    int best = -1, least = strlen(name) > 5 ? 3 : 2;
    if (strlen(name) > LONGEST) return "";
    for (int i = 0; i < n; i++) {
        int d = strlen(names[i]) > LONGEST ? LONGEST : distance(name, names[i]);
        if (d < least) least = d, best = i;
    }
    return best < 0 ? "" : format(a, "; did you mean '%s'?", escaped(a, names[best], LONGEST));
}

const char *listed(Arena *a, const char *before, int n, const char *const *names) {
    Str s = {.arena = a};
    put(&s, "; %s %s", before, n ? "" : "none");
    for (int i = 0; i < n; i++) put(&s, "%s%s", i ? ", " : "", escaped(a, names[i], LONGEST));
    return s.s;
}
