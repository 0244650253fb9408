/* nncc_text.c - sequences of characters or words, and what comes next in them.
 *
 * Of a network whose input is a row of numbers that choose from a table, and whose target is a class for each of them,
 * or one for all. Classes are the characters, or words, of the text, in the order of their bytes. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char nncc_other_words[] = "<unk>";

/* Words with how often each was seen, found by a hash. */
typedef struct {
    nncc_words words;
    int64_t *count, *slot, slots; /* slot: a word's number + 1; 0: free */
} Vocabulary;

/* ---- pieces of a text ---- */

/* Bytes of a character of UTF-8; of what is none, 1. */
static size_t character(const unsigned char *s, size_t n) {
    size_t more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : *s >= 0xc0 ? 1 : 0;
    if (more >= n) return 1;
    for (size_t i = 1; i <= more; i++)
        if ((s[i] & 0xc0) != 0x80) return 1;
    return more + 1;
}

static int in_word(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' || c >= 128;
}

size_t nncc_next_piece(const unsigned char *s, size_t n, int words, size_t *at) {
    size_t length = 0;
    if (!words) return *at < n ? character(s + *at, n - *at) : 0;
    while (*at < n && strchr(" \t\r", s[*at]) && s[*at]) ++*at;
    while (*at + length < n && in_word(s[*at + length])) length++;
    return length || *at >= n ? length : 1;
}

/* ---- vocabulary ---- */

static uint64_t hash_of(const char *s, size_t n) {
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h ^ h >> 29;
}

static int64_t *find_slot(const Vocabulary *v, const char *s, size_t n) {
    for (uint64_t i = hash_of(s, n);; i++) {
        int64_t *slot = &v->slot[i & ((uint64_t)v->slots - 1)];
        const char *word = *slot ? v->words.at[*slot - 1] : NULL;
        if (!word || (!strncmp(word, s, n) && !word[n])) return slot;
    }
}

static int make_slots(Vocabulary *v) {
    free(v->slot);
    v->slots = v->slots ? 2 * v->slots : 4096;
    v->slot = calloc((size_t)v->slots, sizeof *v->slot);
    int64_t *count = v->slot ? realloc(v->count, (size_t)v->slots * sizeof *count) : NULL;
    if (!count) return -1;
    v->count = count;
    for (int64_t i = 0; i < v->words.n; i++) *find_slot(v, v->words.at[i], strlen(v->words.at[i])) = i + 1;
    return 0;
}

/* The number of a piece, which is added; -1: out of memory. */
static int64_t count_piece(Vocabulary *v, const char *s, size_t n) {
    if (2 * v->words.n >= v->slots && make_slots(v)) return -1;
    int64_t *slot = find_slot(v, s, n);
    if (!*slot) {
        if (nncc_add_word(&v->words, s, n) < 0) return -1;
        *slot = v->words.n, v->count[v->words.n - 1] = 0;
    }
    v->count[*slot - 1]++;
    return *slot - 1;
}

static void free_vocabulary(Vocabulary *v) {
    nncc_free_words(&v->words);
    free(v->count), free(v->slot);
}

/* How often a word has to be seen to be one of the `most` that are kept, and how many seen just as often are. */
static int64_t least_count(const Vocabulary *v, int64_t most, int64_t *ties) {
    int64_t low = 1, high = 1;
    for (int64_t i = 0; i < v->words.n; i++)
        if (v->count[i] > high) high = v->count[i];
    while (low < high) { /* the least count of which not more than `most` are above */
        int64_t middle = low + (high - low) / 2, above = 0;
        for (int64_t i = 0; i < v->words.n; i++) above += v->count[i] > middle;
        if (above <= most)
            high = middle;
        else
            low = middle + 1;
    }
    *ties = most;
    for (int64_t i = 0; i < v->words.n; i++) *ties -= v->count[i] > low;
    return low;
}

/* The words that have classes, nncc_other_words among them if not all do; of equal ones those that came first. */
static int choose_words(const Vocabulary *v, int64_t classes, nncc_words *w) {
    int all = v->words.n <= classes;
    int64_t ties = 0, least = all ? 1 : least_count(v, classes - 1, &ties);
    for (int64_t i = 0; i < v->words.n; i++) {
        int tie = !all && v->count[i] == least;
        if (v->count[i] < least || (tie && ties-- <= 0)) continue;
        if (nncc_add_word(w, v->words.at[i], strlen(v->words.at[i])) < 0) return -1;
    }
    if (!all && nncc_add_word(w, nncc_other_words, strlen(nncc_other_words)) < 0) return -1;
    int64_t *place = malloc((size_t)w->n * sizeof *place + 1);
    int bad = !place || nncc_sort_words(w, place);
    free(place);
    return bad ? -1 : 0;
}

static int copy_words(const nncc_words *from, nncc_words *to) {
    for (int64_t i = 0; i < from->n; i++)
        if (nncc_add_word(to, from->at[i], strlen(from->at[i])) < 0) return -1;
    return 0;
}

/* ---- the text as numbers ---- */

typedef struct {
    const Reader *r;
    const char *path;
    int x, y, words; /* y: -1: nothing is learnt, the network is only run */
    Vocabulary v;
    int64_t *piece, n, room; /* numbers in v */
} Text;

static int split_text(Text *t, const unsigned char *s, size_t size) {
    size_t at = 0, n;
    while ((n = nncc_next_piece(s, size, t->words, &at))) {
        int64_t p = count_piece(&t->v, (const char *)s + at, n);
        if (t->n == t->room) {
            int64_t *more = realloc(t->piece, (size_t)(t->room = 2 * t->room + 65536) * sizeof *more);
            if (!more) return -1;
            t->piece = more;
        }
        if (p < 0) return -1;
        t->piece[t->n++] = p, at += n;
    }
    return 0;
}

/* The port whose words the text has. */
static nncc_words *known_words(const Text *t) { return &t->r->source->words[t->y < 0 ? t->x : t->y]; }

static int64_t classes_for(const Text *t) {
    int64_t a = t->r->port[t->y].classes, b = t->r->port[t->x].classes;
    return b && b < a ? b : a;
}

static int learn_words(Text *t) {
    nncc_words *w = t->r->source->words;
    if (t->y < 0)
        return nncc_data_error(t->r, t->path,
                               "which numbers its characters or words are is not known: expected --start-from with a "
                               "checkpoint of a training on text");
    int64_t classes = classes_for(t);
    if (!t->words && t->v.words.n > classes)
        return nncc_data_error(t->r, t->path, "it has %lld characters, and the network %lld classes for them",
                               (long long)t->v.words.n, (long long)classes);
    if (choose_words(&t->v, classes, &w[t->y]) || copy_words(&w[t->y], &w[t->x]))
        return nncc_data_error(t->r, t->path, "out of memory");
    return 0;
}

static int unknown_piece(const Text *t, const char *s) {
    return nncc_data_error(t->r, t->path, "expected %ss that training has seen, saw '%.20s'",
                           t->words ? "word" : "character", s);
}

/* From numbers in v to classes. */
static int number_pieces(Text *t) {
    const nncc_words *w = known_words(t);
    int64_t rest = nncc_find_word(w, nncc_other_words, strlen(nncc_other_words)),
            *class = malloc((size_t)t->v.words.n * sizeof *class + 1);
    if (!class) return nncc_data_error(t->r, t->path, "out of memory");
    for (int64_t i = 0; i < t->v.words.n; i++) {
        const char *word = t->v.words.at[i];
        class[i] = nncc_find_word(w, word, strlen(word));
        if (class[i] < 0) class[i] = rest;
        if (class[i] < 0) return free(class), unknown_piece(t, word);
    }
    for (int64_t i = 0; i < t->n; i++) t->piece[i] = class[t->piece[i]];
    free(class);
    return 0;
}

/* ---- a column of texts ---- */

struct TextColumn {
    Vocabulary v;
    int64_t *piece, n, room, length; /* numbers in v, `length` of each text; -1: it is at its end */
    int words;
};

static const char filling[] = ""; /* what the class behind the end of a text is called */

TextColumn *nncc_column_new(int words, int64_t length) {
    TextColumn *c = calloc(1, sizeof *c);
    if (c) c->words = words, c->length = length;
    return c;
}

void nncc_column_free(TextColumn *c) {
    if (c) free_vocabulary(&c->v), free(c->piece);
    free(c);
}

int nncc_column_add(TextColumn *c, const char *s, size_t size) {
    size_t at = 0;
    if (c->n + c->length > c->room) {
        int64_t *more = realloc(c->piece, (size_t)(c->room = 2 * c->room + 64 * c->length) * sizeof *more);
        if (!more) return -1;
        c->piece = more;
    }
    for (int64_t k = 0; k < c->length; k++) {
        size_t n = nncc_next_piece((const unsigned char *)s, size, c->words, &at);
        int64_t p = n ? count_piece(&c->v, s + at, n) : -1;
        if (n && p < 0) return -1;
        c->piece[c->n++] = p, at += n;
    }
    return 0;
}

/* The class of each piece, and behind them that of the filling. NULL after a message. */
static int64_t *number_column(TextColumn *c, const Reader *r, const char *path, int port) {
    nncc_words *w = &r->source->words[port];
    int64_t *class = malloc((size_t)(c->v.words.n + 1) * sizeof *class);
    int bad =
        !class || (!w->n && (nncc_add_word(w, filling, 0) < 0 || choose_words(&c->v, r->port[port].classes - 1, w)));
    if (bad) return free(class), nncc_data_error(r, path, "out of memory"), NULL;
    int64_t rest = nncc_find_word(w, nncc_other_words, strlen(nncc_other_words)), end = nncc_find_word(w, filling, 0);
    for (int64_t i = 0; i < c->v.words.n; i++) {
        const char *word = c->v.words.at[i];
        class[i] = nncc_find_word(w, word, strlen(word));
        if (class[i] < 0) class[i] = rest;
        if (class[i] >= 0) continue;
        nncc_data_error(r, path, "expected %ss that training has seen, saw '%.20s'", c->words ? "word" : "character",
                        word);
        return free(class), NULL;
    }
    class[c->v.words.n] = end < 0 ? 0 : end;
    return class;
}

int nncc_column_settle(TextColumn *c, const Reader *r, const char *path, nncc_data *d, int port, int64_t first) {
    int64_t *class = number_column(c, r, path, port);
    for (int64_t i = 0; class && i < c->n; i++)
        nncc_store_class(r, d, port, first, i, class[c->piece[i] < 0 ? c->v.words.n : c->piece[i]]);
    free(class);
    return class ? 0 : -1;
}

/* ---- examples ---- */

/* `n` pieces from `from` on become examples: with a target for each piece, or without any, one behind the other, else
 * one for each piece. */
static int add_text(const Text *t, nncc_data *d, int64_t from, int64_t n) {
    int64_t length = t->r->port[t->x].each, next = t->y >= 0;
    int64_t all = !next || (t->r->port[t->y].each == length && length > 1);
    int64_t step = all ? length : 1, examples = n >= length + next ? (n - length - next) / step + 1 : 0;
    const int at[2] = {t->x, t->y};
    if (d->n) return nncc_data_error(t->r, t->path, "expected one text, saw another");
    for (int k = 0; k <= next; k++) {
        int p = at[k];
        d->at[p] = malloc((size_t)n * nncc_type_size(t->r->port[p].type) + 1);
        if (!d->at[p]) return nncc_data_error(t->r, t->path, "out of memory");
        int64_t shift = k == 0 ? 0 : all ? 1 : length;
        for (int64_t i = 0; i + shift < n; i++)
            nncc_put_number(t->r->port[p].type, d->at[p], i, (double)t->piece[from + i + shift]);
        d->step[p] = step;
    }
    d->n = examples;
    return 0;
}

static int check_ports(const Text *t) {
    const Reader *r = t->r;
    if (t->x < 0 || (t->y < 0 && r->ports > 1))
        return nncc_data_error(r, t->path, "a text is for networks of one input and one target, saw %d together",
                               r->ports);
    const nncc_port *x = &r->port[t->x], *y = t->y < 0 ? NULL : &r->port[t->y];
    if (x->type == NNCC_F32 || x->type == NNCC_F64 || x->rank != 1)
        return nncc_data_error(
            r, t->path,
            "a text is for an input of integers, [batch, length], that choose from a table, which '%.40s' is not",
            x->name);
    if (y && (!y->classes || (y->each != x->each && y->each != 1)))
        return nncc_data_error(r, t->path,
                               "a text is for a target of classes, %lld or 1 for each example, which '%.40s' is not",
                               (long long)x->each, y->name);
    return 0;
}

int nncc_read_text(const Reader *r, const char *path, nncc_data *train, nncc_data *test) {
    Text t = {.r = r, .path = path, .x = nncc_only_input(r), .y = nncc_only_target(r), .words = r->source->text == 2};
    int64_t size = 0, length, least;
    if (check_ports(&t)) return -1;
    unsigned char *bytes = nncc_read_file_bytes(path, &size);
    int bad = !bytes || memchr(bytes, 0, (size_t)size)
                  ? nncc_data_error(r, path, bytes ? "it holds bytes of 0, which no text has" : "it cannot be read")
                  : 0;
    if (!bad && split_text(&t, bytes, (size_t)size)) bad = nncc_data_error(r, path, "out of memory");
    free(bytes);
    length = r->port[t.x].each, least = length + (t.y >= 0);
    if (!bad && t.n < least)
        bad = nncc_data_error(r, path, "expected at least %lld %ss, as many as the network takes%s, saw %lld",
                              (long long)least, t.words ? "word" : "character", t.y < 0 ? "" : " and the next",
                              (long long)t.n);
    nncc_words *w = r->source->words, *known = known_words(&t);
    if (!bad && !known->n && copy_words(&w[t.x], known)) bad = nncc_data_error(r, path, "out of memory");
    if (!bad && !known->n) bad = learn_words(&t);
    if (!bad) bad = number_pieces(&t);
    int64_t held = test == train || r->source->held_out < 0
                       ? 0
                       : (int64_t)((r->source->held_out > 0 ? r->source->held_out : 0.1) * (double)t.n);
    if (held < least) held = 0;
    if (t.n - held < least) held = 0;
    if (!bad) bad = add_text(&t, train, 0, t.n - held);
    if (!bad && held) bad = add_text(&t, test, t.n - held, held);
    free_vocabulary(&t.v), free(t.piece);
    return bad;
}
