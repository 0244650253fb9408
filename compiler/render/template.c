/* template.c - fills in templates: names, sums of products, and one way to repeat. */
#include "render/template.h"

typedef struct {
    Str *out;
    Blank *blank;
    int n;
} Fill;

static Blank *find_blank(const Fill *f, const char *name, size_t length) {
    for (int i = 0; i < f->n; i++)
        if (strlen(f->blank[i].name) == length && !strncmp(f->blank[i].name, name, length)) return &f->blank[i];
    return NULL;
}

static int factor(const Fill *f, const char **s, const char *end) {
    size_t n = 0;
    while (*s + n < end && !strchr("+*", (*s)[n])) n++;
    const char *word = *s;
    *s += n;
    if (*word >= '0' && *word <= '9') return atoi(word);
    const Blank *b = find_blank(f, word, n);
    ASSERT(b && !b->text);
    return b->number;
}

static int product(const Fill *f, const char **s, const char *end) {
    int v = factor(f, s, end);
    while (*s < end && **s == '*') ++*s, v *= factor(f, s, end);
    return v;
}

static void put_sum(Fill *f, const char *s, const char *end) {
    const Blank *b = find_blank(f, s, (size_t)(end - s));
    if (b && b->text) {
        put_text(f->out, b->text);
        return;
    }
    int v = product(f, &s, end);
    while (s < end) ++s, v += product(f, &s, end);
    put(f->out, "%d", v);
}

static void fill(Fill *, const char *s, const char *end);

/* ${q|, :inside$} from behind the brace; returns what follows. */
static const char *repetition(Fill *f, const char *s, const char *end) {
    const char *bar = strchr(s, '|'), *colon = strchr(s, ':'), *close = strstr(s, "$}");
    ASSERT(bar && colon && close && bar < colon && colon < close && close < end);
    Blank *b = find_blank(f, s, (size_t)(bar - s));
    ASSERT(b && b->count);
    for (b->number = 0; b->number < b->count; b->number++) {
        if (b->number) put_bytes(f->out, bar + 1, (size_t)(colon - bar - 1));
        fill(f, colon + 1, close);
    }
    return close + 2;
}

static void fill(Fill *f, const char *s, const char *end) {
    while (s < end) {
        if (s[0] == '$' && s[1] == '(') {
            const char *close = strchr(s, ')');
            ASSERT(close && close < end);
            put_sum(f, s + 2, close);
            s = close + 1;
        } else if (s[0] == '$' && s[1] == '{') {
            s = repetition(f, s + 2, end);
        } else {
            put_bytes(f->out, s++, 1);
        }
    }
}

void fill_template(Str *out, const char *text, int n, Blank *blank) {
    Fill f = {out, blank, n};
    for (const char *s = text, *end; *s; s = end) {
        end = strchr(s, '\n') ? strchr(s, '\n') + 1 : s + strlen(s);
        if (*s != '@') {
            fill(&f, s, end);
            continue;
        }
        Blank *b = find_blank(&f, s + 1, 1);
        ASSERT(b && b->count);
        for (b->number = 0; b->number < b->count; b->number++) fill(&f, s + 2, end);
    }
}
