/* nncc_csv.c - examples from rows of text: numbers, and labels in words.
 *
 * A first line that begins with no number is a heading. Columns belong to inputs and targets by its names, if one of
 * them is called so or the caller says which; else by their place, inputs first and targets last. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LINE_MOST = 1 << 16, SHOWN = 24 };

static const char blanks[] = " \t\r\n", ends[] = " \t\r\n,;";

typedef struct {
    double v;
    const char *s; /* as it stands in the line, without quotes */
    size_t n;
    int number, quoted;
} Field;

/* A line's fields. `between`: what stands between them, ',', ';' or ' ' for blanks alone; 0: not known. apart: behind
 * which field, from 1 on, another mark stands, open: which has a quote that does not end; 0: none. */
typedef struct {
    Field *at;
    int64_t n, room, apart, open;
    char between, other;
} Row;

/* Whose a column is; port -1: nobody's; k -1: its texts are all that the port gets. */
typedef struct {
    int port;
    int64_t k;
} Column;

typedef struct {
    const Reader *r;
    const char *path;
    nncc_data *d;
    Row row;
    Column *column;
    int64_t columns, line, room;
    nncc_words learnt[NNCC_PORTS]; /* labels in words, in the order in which they came */
    char seen[NNCC_PORTS];         /* of labels: 'n' for numbers, 'w' for words, 0 before there was any */
    TextColumn *text[NNCC_PORTS];  /* of ports whose column has texts */
    int64_t first;                 /* the first example that this file added */
} Csv;

/* ---- lines ---- */

static void end_field(Row *f, char c) {
    if (!f->between) f->between = c;
    if (c != f->between && !f->apart) f->apart = f->n + 1, f->other = c;
}

static int add_field(Row *f, Field e) {
    if (f->n == f->room) {
        Field *more = realloc(f->at, (size_t)(f->room = 2 * f->room + 16) * sizeof *more);
        if (!more) return -1;
        f->at = more;
    }
    f->at[f->n++] = e;
    return 0;
}

/* A field that begins with a letter may have blanks within, where these do not separate fields. */
static size_t width_of(const char *p, const char *line, char between) {
    size_t n;
    int words = between ? between != ' ' : strpbrk(line, ",;") != NULL;
    if (strchr("0123456789+-.", *p) || !words) return strcspn(p, ends);
    n = strcspn(p, ",;\r\n");
    while (n && strchr(blanks, p[n - 1])) n--;
    return n;
}

/* Takes a line apart; the text of quoted fields stays where it is, with its quotes doubled. -1: out of memory. */
static int read_fields(const char *line, Row *f) {
    f->n = f->apart = f->open = 0;
    for (const char *p = line + strspn(line, blanks); *p;) {
        const char *quoted = *p == '"' ? strchr(p + 1, '"') : NULL;
        Field e = {.s = p};
        char *end;
        while (quoted && quoted[1] == '"') quoted = strchr(quoted + 2, '"');
        if (quoted)
            e.s++, e.n = (size_t)(quoted - p - 1), e.quoted = 1, p = quoted + 1;
        else
            e.n = width_of(p, line, f->between), p += e.n;
        if (*e.s == '"' && !quoted && !f->open) f->open = f->n + 1;
        e.v = strtod(e.s, &end), e.number = e.n && end == e.s + e.n;
        p += strspn(p, blanks);
        int mark = *p == ',' || *p == ';';
        if (*p) end_field(f, mark ? *p : ' ');
        if (mark) p++, p += strspn(p, blanks);
        if (add_field(f, e)) return -1;
    }
    return 0;
}

/* What a field has, for messages. */
static const char *shown(char text[SHOWN + 1], const char *s, size_t n) {
    snprintf(text, SHOWN + 1, "%.*s", (int)(n < SHOWN ? n : SHOWN), s);
    return text;
}

/* ---- columns ---- */

static const char *answers_name(const Reader *r) {
    int64_t n = 0;
    int numbers = 0;
    for (int p = 0; p < r->ports; p++)
        if (r->port[p].target) n += r->port[p].each, numbers |= !r->port[p].classes;
    return numbers ? "targets" : n > 1 ? "classes" : "class";
}

/* Whether one column of texts is all that a port gets. */
static int takes_texts(const Reader *r, int p) {
    const nncc_port *t = &r->port[p];
    return r->source->text && !t->target && t->rank == 1 && t->each > 1 && t->classes > 1 && t->type > NNCC_F64;
}

static int64_t width_of_port(const Reader *r, int p) { return takes_texts(r, p) ? 1 : r->port[p].each; }

static int64_t numbers_of(const Reader *r, int target) {
    int64_t n = 0;
    for (int p = 0; p < r->ports; p++)
        if (r->port[p].target == target) n += width_of_port(r, p);
    return n;
}

static int make_columns(Csv *c, int64_t n) {
    c->columns = n;
    c->column = malloc((size_t)n * sizeof *c->column + 1);
    for (int64_t i = 0; c->column && i < n; i++) c->column[i] = (Column){-1, 0};
    return c->column ? 0 : nncc_data_error(c->r, c->path, "out of memory");
}

/* Without columns for it, the target is the input. */
static int columns_by_place(Csv *c) {
    int64_t at = 0, inputs = numbers_of(c->r, 0), targets = numbers_of(c->r, 1);
    int y = nncc_only_target(c->r);
    if (y >= 0 && c->row.n == inputs && nncc_gives_itself(c->r, y)) c->d->itself = 1, targets = 0;
    if (make_columns(c, inputs + targets)) return -1;
    for (int target = 0; target < 2 - c->d->itself; target++)
        for (int p = 0; p < c->r->ports; p++)
            for (int64_t k = 0; c->r->port[p].target == target && k < width_of_port(c->r, p); k++)
                c->column[at++] = (Column){p, takes_texts(c->r, p) ? -1 : k};
    return 0;
}

static int64_t column_called(const Csv *c, const char *name, size_t n) {
    for (int64_t i = 0; i < c->row.n; i++)
        if (c->row.at[i].n == n && !memcmp(c->row.at[i].s, name, n)) return i;
    return -1;
}

static int give_column(Csv *c, int64_t i, int p, int64_t k) {
    if (c->column[i].port >= 0)
        return nncc_data_error(c->r, c->path, "line 1: column %lld is asked for twice, for '%.40s' and '%.40s'",
                               (long long)i + 1, c->r->port[c->column[i].port].name, c->r->port[p].name);
    c->column[i] = (Column){p, k};
    return 0;
}

/* The columns that the caller lists for a port; 1: none are listed. */
static int columns_listed(Csv *c, int p) {
    const nncc_port *t = &c->r->port[p];
    const char *const *words = c->r->source->columns;
    char text[SHOWN + 1];
    int64_t k = 0;
    size_t n = strlen(t->name);
    for (; words && *words; words++)
        if (!strncmp(*words, t->name, n) && (*words)[n] == '=') break;
    if (!words || !*words) return 1;
    for (const char *s = *words + n + 1; *s; k++) {
        size_t m = strcspn(s, ",");
        int64_t i = column_called(c, s, m);
        if (i < 0) return nncc_data_error(c->r, c->path, "line 1: expected a column '%s', saw none", shown(text, s, m));
        if (k < width_of_port(c->r, p) && give_column(c, i, p, takes_texts(c->r, p) ? -1 : k)) return -1;
        s += m + (s[m] == ',');
    }
    return k == width_of_port(c->r, p)
               ? 0
               : nncc_data_error(c->r, c->path, "expected %lld columns for '%.40s', saw %lld in the list",
                                 (long long)width_of_port(c->r, p), t->name, (long long)k);
}

/* A column of the port's name, or NAME.0, NAME.1 and so on; 1: there is none. */
static int columns_named(Csv *c, int p) {
    const nncc_port *t = &c->r->port[p];
    char name[256];
    int64_t found = 0;
    const int64_t width = width_of_port(c->r, p);
    for (int64_t k = 0; k < width; k++) {
        snprintf(name, sizeof name, width == 1 ? "%.200s" : "%.200s.%lld", t->name, (long long)k);
        int64_t i = column_called(c, name, strlen(name));
        if (i < 0 && !found) return 1;
        if (i < 0) return nncc_data_error(c->r, c->path, "line 1: expected a column '%.80s', saw none", name);
        if (give_column(c, i, p, takes_texts(c->r, p) ? -1 : k)) return -1;
        found++;
    }
    return !found;
}

/* The columns that are left go to the one port that has none. */
static int columns_left(Csv *c, int p) {
    const nncc_port *t = &c->r->port[p];
    int64_t k = 0;
    for (int64_t i = 0; i < c->columns; i++) {
        if (c->column[i].port >= 0) continue;
        if (k < width_of_port(c->r, p)) c->column[i] = (Column){p, takes_texts(c->r, p) ? -1 : k};
        k++;
    }
    c->d->itself = !k && t->target && nncc_gives_itself(c->r, p);
    if (k == width_of_port(c->r, p) || c->d->itself) return 0;
    return nncc_data_error(c->r, c->path,
                           "line 1: expected %lld columns for '%.40s', saw %lld that belong to nothing else",
                           (long long)width_of_port(c->r, p), t->name, (long long)k);
}

/* By the heading in c->row, if it names anything. */
static int columns_by_name(Csv *c) {
    int left = -1, several = 0, named = 0;
    if (make_columns(c, c->row.n)) return -1;
    for (int p = 0; p < c->r->ports; p++) {
        int got = columns_listed(c, p);
        if (got > 0) got = columns_named(c, p);
        if (got < 0) return -1;
        if (!got) named++;
        if (got) several += left >= 0, left = p;
    }
    if (!named) return free(c->column), c->column = NULL, columns_by_place(c);
    if (several)
        return nncc_data_error(c->r, c->path, "line 1: expected columns for '%.40s', saw none of that name",
                               c->r->port[left].name);
    return left >= 0 ? columns_left(c, left) : 0;
}

/* ---- rows ---- */

static int bad_number(const Csv *c, int64_t column, const Field *f) {
    char text[SHOWN + 1];
    if (!f->n)
        return nncc_data_error(c->r, c->path, "line %lld, column %lld: expected a number, saw nothing",
                               (long long)c->line, (long long)column + 1);
    return nncc_data_error(c->r, c->path, "line %lld, column %lld: expected a number, saw '%s'", (long long)c->line,
                           (long long)column + 1, shown(text, f->s, f->n));
}

static int bad_count(const Csv *c) {
    const Reader *r = c->r;
    int64_t in = numbers_of(r, 0), out = numbers_of(r, 1);
    if (c->columns != in + out)
        return nncc_data_error(r, c->path, "line %lld: expected %lld columns as in the first line, saw %lld",
                               (long long)c->line, (long long)c->columns, (long long)c->row.n);
    return nncc_data_error(r, c->path, "line %lld: expected %lld columns, %lld inputs and %lld %s, saw %lld",
                           (long long)c->line, (long long)c->columns, (long long)in, (long long)out, answers_name(r),
                           (long long)c->row.n);
}

/* A label in words; or any, where classes have names. */
static int take_label(Csv *c, int64_t column, int p, int64_t k, const Field *f) {
    nncc_words *given = &c->r->source->words[p];
    char text[SHOWN + 1];
    int64_t i = nncc_find_word(given->n ? given : &c->learnt[p], f->s, f->n);
    if (given->n && i < 0)
        return nncc_data_error(c->r, c->path, "line %lld, column %lld: expected one of the %lld known labels, saw '%s'",
                               (long long)c->line, (long long)column + 1, (long long)given->n, shown(text, f->s, f->n));
    if (!given->n && c->learnt[p].n >= c->r->port[p].classes && i < 0)
        return nncc_data_error(c->r, c->path, "line %lld, column %lld: expected at most %lld labels, saw another, '%s'",
                               (long long)c->line, (long long)column + 1, (long long)c->r->port[p].classes,
                               shown(text, f->s, f->n));
    if (i < 0 && (i = nncc_add_word(&c->learnt[p], f->s, f->n)) < 0)
        return nncc_data_error(c->r, c->path, "out of memory");
    nncc_store_class(c->r, c->d, p, c->d->n, k, i);
    return 0;
}

/* Quotes within quotes are doubled. */
static int take_text(Csv *c, int p, const Field *f) {
    char *s = malloc(f->n + 1);
    size_t n = 0;
    if (!c->text[p]) c->text[p] = nncc_column_new(c->r->source->text == 2, c->r->port[p].each);
    for (size_t i = 0; s && i < f->n; i++) {
        s[n++] = f->s[i];
        if (f->quoted && f->s[i] == '"') i++;
    }
    int bad = !s || !c->text[p] || nncc_column_add(c->text[p], s, n);
    free(s);
    return bad ? nncc_data_error(c->r, c->path, "out of memory") : 0;
}

static int take_field(Csv *c, int64_t column, const Field *f) {
    const Column at = c->column[column];
    char text[SHOWN + 1], kind = f->number ? 'n' : 'w';
    const char *why;
    if (at.port < 0) return 0;
    if (at.k < 0) return take_text(c, at.port, f);
    const nncc_port *t = &c->r->port[at.port];
    if (t->classes && f->n) {
        char *seen = &c->seen[at.port];
        if (c->r->source->words[at.port].n) return take_label(c, column, at.port, at.k, f);
        if (*seen == 'w' && kind == 'n')
            return nncc_data_error(c->r, c->path,
                                   "line %lld, column %lld: expected a word, as the labels before it are, saw '%s'",
                                   (long long)c->line, (long long)column + 1, shown(text, f->s, f->n));
        if (*seen == 'n' && kind == 'w')
            return nncc_data_error(c->r, c->path, "line %lld, column %lld: expected a class, saw the label '%s'",
                                   (long long)c->line, (long long)column + 1, shown(text, f->s, f->n));
        *seen = kind;
        if (kind == 'w') return take_label(c, column, at.port, at.k, f);
    }
    if (!f->number) return bad_number(c, column, f);
    if (nncc_store_number(c->r, c->d, at.port, c->d->n, at.k, f->v, &why))
        return nncc_data_error(c->r, c->path, "line %lld, column %lld: expected %s, saw %s%g", (long long)c->line,
                               (long long)column + 1, why, t->classes ? "the label " : "", f->v);
    return 0;
}

static int make_room(Csv *c) {
    if (c->d->n < c->room) return 0;
    int64_t more = c->d->n ? c->d->n : 1024;
    c->room = c->d->n + more;
    return nncc_grow_data(c->r, c->d, more) ? nncc_data_error(c->r, c->path, "out of memory") : 0;
}

/* The first that is no number where one has to be: what it is tells more than how many there are. */
static int check_row(const Csv *c) {
    const Row *f = &c->row;
    for (int64_t i = 0; i < f->n && i < c->columns; i++) {
        int p = c->column[i].port;
        if (p >= 0 && !c->r->port[p].classes && !f->at[i].number) return bad_number(c, i, &f->at[i]);
        if (p >= 0 && !f->at[i].n && c->column[i].k >= 0) return bad_number(c, i, &f->at[i]);
    }
    if (f->apart)
        return nncc_data_error(c->r, c->path,
                               "line %lld: expected '%c' after column %lld as after those before, saw '%c'",
                               (long long)c->line, f->between, (long long)f->apart, f->other);
    return f->n != c->columns ? bad_count(c) : 0;
}

static int check_file(const Csv *c, gzFile f) {
    int code;
    gzerror(f, &code);
    return code == Z_OK ? 0 : nncc_data_error(c->r, c->path, "it is damaged or cut off");
}

/* Whether gzgets() gave a line as it is in the file. */
static int check_line(const Csv *c, gzFile f, const char *line) {
    size_t n = strlen(line);
    if (check_file(c, f)) return -1;
    if (n == LINE_MOST - 1 && line[n - 1] != '\n')
        return nncc_data_error(c->r, c->path, "line %lld is longer than %d bytes", (long long)c->line, LINE_MOST - 2);
    if ((!n || line[n - 1] != '\n') && !gzeof(f))
        return nncc_data_error(c->r, c->path, "line %lld holds bytes of 0, which no text has", (long long)c->line);
    return 0;
}

static int read_row(Csv *c, const char *line) {
    Row *f = &c->row;
    char between = f->between;
    if (read_fields(line, f)) return nncc_data_error(c->r, c->path, "out of memory");
    if (!f->n) return f->between = between, 0;
    if (f->open)
        return nncc_data_error(c->r, c->path,
                               "line %lld, column %lld: expected a quote that ends on its line, saw none",
                               (long long)c->line, (long long)f->open);
    if (c->line == 1 && !f->at[0].number) {
        f->between = between;
        return columns_by_name(c);
    }
    if (!c->column && c->r->source->columns && *c->r->source->columns)
        return nncc_data_error(c->r, c->path, "line 1: expected a heading with the columns of '%.60s', saw numbers",
                               *c->r->source->columns);
    if (!c->column && columns_by_place(c)) return -1;
    if (check_row(c) || make_room(c)) return -1;
    for (int64_t i = 0; i < f->n; i++)
        if (take_field(c, i, &f->at[i])) return -1;
    c->d->n++;
    return 0;
}

/* ---- all ---- */

/* Labels in words get their numbers in the order of the alphabet, whichever came first. */
static int settle_labels(Csv *c) {
    for (int p = 0; p < c->r->ports; p++) {
        nncc_words *w = &c->learnt[p];
        int64_t *place = malloc((size_t)w->n * sizeof *place + 1), each = c->r->port[p].each;
        if (!place || nncc_sort_words(w, place)) return free(place), nncc_data_error(c->r, c->path, "out of memory");
        for (int64_t i = c->first * each; w->n && i < c->d->n * each; i++)
            nncc_store_class(c->r, c->d, p, 0, i, place[nncc_class_at(c->r, c->d, p, i)]);
        free(place);
        if (w->n) c->r->source->words[p] = *w, *w = (nncc_words){0};
    }
    return 0;
}

static void copy_inputs(const Csv *c) {
    int x = nncc_only_input(c->r), y = nncc_only_target(c->r);
    size_t bytes = nncc_type_size(c->r->port[x].type) * (size_t)c->r->port[x].each, at = (size_t)c->first * bytes;
    memcpy((char *)c->d->at[y] + at, (const char *)c->d->at[x] + at, (size_t)(c->d->n - c->first) * bytes);
}

int nncc_read_csv(const Reader *r, const char *path, nncc_data *d) {
    Csv c = {.r = r, .path = path, .d = d, .room = d->n, .first = d->n};
    gzFile f = gzopen(path, "rb");
    char *line = malloc(LINE_MOST);
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, which some programs put first */
    int bad = f && line ? 0 : nncc_data_error(r, path, "it cannot be read");
    while (!bad && gzgets(f, line, LINE_MOST)) {
        const char *text = c.line++ || strncmp(line, mark, strlen(mark)) ? line : line + strlen(mark);
        bad = check_line(&c, f, line) || read_row(&c, text) ? -1 : 0;
    }
    if (!bad) bad = check_file(&c, f);
    if (!bad) bad = settle_labels(&c);
    for (int p = 0; p < r->ports; p++) {
        if (!bad && c.text[p]) bad = nncc_column_settle(c.text[p], r, path, d, p, c.first);
        nncc_column_free(c.text[p]);
    }
    if (!bad && d->itself && d->n > c.first) copy_inputs(&c);
    if (f) gzclose(f);
    for (int p = 0; p < r->ports; p++) nncc_free_words(&c.learnt[p]);
    free(line), free(c.column), free(c.row.at);
    return bad;
}
