/* nncc_words.c - what classes are called: labels, characters, words of a text. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <stdlib.h>
#include <string.h>

void nncc_free_words(nncc_words *w) {
    for (int64_t i = 0; i < w->n; i++) free(w->at[i]);
    free(w->at);
    *w = (nncc_words){0};
}

int64_t nncc_find_word(const nncc_words *w, const char *s, size_t n) {
    for (int64_t i = 0; i < w->n; i++)
        if (!strncmp(w->at[i], s, n) && !w->at[i][n]) return i;
    return -1;
}

int64_t nncc_add_word(nncc_words *w, const char *s, size_t n) {
    char **at = w->n & (w->n - 1) ? w->at : realloc(w->at, 2 * (size_t)(w->n ? w->n : 1) * sizeof *at);
    char *copy = at ? malloc(n + 1) : NULL;
    if (at) w->at = at;
    if (!copy) return -1;
    memcpy(copy, s, n), copy[n] = 0;
    w->at[w->n] = copy;
    return w->n++;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int nncc_sort_words(nncc_words *w, int64_t *place) {
    if (!w->n) return 0;
    char **before = malloc((size_t)w->n * sizeof *before);
    if (!before) return -1;
    memcpy(before, w->at, (size_t)w->n * sizeof *before);
    qsort(w->at, (size_t)w->n, sizeof *w->at, by_text);
    for (int64_t i = 0; i < w->n; i++) {
        char **found = bsearch(&before[i], w->at, (size_t)w->n, sizeof *w->at, by_text);
        place[i] = found - w->at;
    }
    free(before);
    return 0;
}

int nncc_split_words(nncc_words *w, const char *list) {
    for (const char *s = list; *s;) {
        size_t n = strcspn(s, ",");
        if (nncc_add_word(w, s, n) < 0) return -1;
        s += n + (s[n] == ',');
    }
    return 0;
}
