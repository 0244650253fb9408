/* settings.c - calls of rows with settings by name, HuberLoss(delta = 2): what a row takes, what is said, what is
 * wrong. */
#include "base/lexer.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "train/train.h"
#include <math.h>

void default_options(const Option *o, OptionValue *v) {
    for (int i = 0; i < MAX_OPTIONS && o[i].name; i++)
        v[i] = (OptionValue){.given = !isnan(o[i].value), .value = o[i].value};
}

static const char *unknown(Arena *a, const char *row, const Option *o, const char *name) {
    const char *names[MAX_OPTIONS];
    int n = 0;
    for (; n < MAX_OPTIONS && o[n].name; n++) names[n] = o[n].name;
    if (!n) return format(a, "'%s' has no settings, saw '%s'", row, escaped(a, name, 60));
    return format(a, "'%s' has no setting '%s'%s", row, escaped(a, name, 60), choices(a, name, "it has", n, names));
}

static bool in_range(const Option *o, double x) {
    bool whole = x == floor(x) && fabs(x) <= INT32_MAX;
    return isfinite(x) && x >= o->least && (o->most == 0 || x <= o->most) && (o->kind != 'i' || whole);
}

const char *least_text(Arena *a, double least) { return least == ABOVE_0 ? "above 0" : format(a, "from %g on", least); }

static const char *range_text(Arena *a, const Option *o) {
    const char *what = o->kind == 'i' ? "a whole number" : o->kind == 'l' ? "a list of numbers" : "a number";
    if (o->most != 0)
        return format(a, "%s %s to %g", what, o->least == ABOVE_0 ? "above 0 up" : format(a, "from %g", o->least),
                      o->most);
    return isfinite(o->least) ? format(a, "%s %s", what, least_text(a, o->least)) : what;
}

static double number_at(const Attr *a, int i) {
    return a->kind == A_INT     ? (double)a->i
           : a->kind == A_FLOAT ? a->f
           : a->kind == A_INTS  ? (double)a->ints[i]
                                : a->floats[i];
}

static const char *seen(Arena *a, const Attr *said) {
    if (said->kind == A_INT || said->kind == A_FLOAT) return format(a, "%.9g", number_at(said, 0));
    return said->kind == A_STR ? format(a, "'%s'", escaped(a, said->s, 40)) : "a list";
}

const char *take_option(Arena *a, const char *row, const Option *o, OptionValue *v, const Attr *said) {
    int i = 0;
    while (i < MAX_OPTIONS && o[i].name && strcmp(o[i].name, said->name)) i++;
    if (i == MAX_OPTIONS || !o[i].name) return unknown(a, row, o, said->name);
    bool one = said->kind == A_INT || said->kind == A_FLOAT, list = said->kind == A_INTS || said->kind == A_FLOATS;
    int n = list ? said->n : 1;
    bool fits = o[i].kind == 'l' ? list && n : one;
    double *x = NEW_ARRAY(a, double, n + 1);
    for (int k = 0; k < n && fits; k++) x[k] = number_at(said, k), fits = in_range(&o[i], x[k]);
    if (!fits)
        return format(a, "'%s': expected %s for %s, saw %s", row, range_text(a, &o[i]), o[i].name, seen(a, said));
    v[i] = (OptionValue){.given = true, .value = x[0], .n = list ? n : 0, .list = x};
    return NULL;
}

/* ---- from a text of its own ---- */

static bool read_number(Lexer *l, double *x) {
    bool negative = lex_accept(l, "-"), number = l->tok.kind == T_INT || l->tok.kind == T_FLOAT;
    *x = negative ? -l->tok.f : l->tok.f;
    if (number) lex_next(l);
    return number;
}

static bool read_list(Arena *a, Lexer *l, Attr *said) {
    enum { MOST = 4096 };
    double *x = NEW_ARRAY(a, double, MOST);
    said->kind = A_FLOATS, said->floats = x;
    while (!lex_is(l, "]") && said->n < MOST) {
        if (!read_number(l, &x[said->n++])) return false;
        if (!lex_accept(l, ",")) break;
    }
    return lex_accept(l, "]");
}

static const char *read_option(Arena *a, Lexer *l, const char *row, const Option *o, OptionValue *v) {
    Attr said = {.set = true, .name = l->tok.s};
    if (l->tok.kind != T_NAME) return format(a, "'%s': expected the name of a setting, saw %s", row, lex_seen(l));
    lex_next(l);
    if (!lex_accept(l, "=")) return format(a, "'%s': expected '=' behind '%s', saw %s", row, said.name, lex_seen(l));
    said.kind = A_FLOAT;
    if (lex_accept(l, "[") ? !read_list(a, l, &said) : !read_number(l, &said.f))
        return format(a, "'%s': expected a number or a list of numbers for %s, saw %s", row, said.name, lex_seen(l));
    return take_option(a, row, o, v, &said);
}

const char *read_options(Arena *a, const char *text, const char *row, const Option *o, OptionValue *v) {
    Lexer l;
    lex_start(&l, a, text);
    lex_next(&l); /* the name */
    default_options(o, v);
    if (l.tok.kind == T_END) return NULL;
    if (!lex_accept(&l, "(")) return format(a, "'%s': expected '(', saw %s", row, lex_seen(&l));
    while (!lex_is(&l, ")")) {
        const char *wrong = read_option(a, &l, row, o, v);
        if (wrong) return wrong;
        if (!lex_accept(&l, ",")) break;
    }
    if (!lex_accept(&l, ")") || l.tok.kind != T_END) return format(a, "'%s': expected ')', saw %s", row, lex_seen(&l));
    return NULL;
}

/* With the fewest digits that read back. */
static void put_number(Str *s, double x) {
    int digits = 1;
    if (x == floor(x) && fabs(x) < 1e9) {
        put(s, "%.0f", x);
        return;
    }
    while (digits < 17 && strtod(format(s->arena, "%.*g", digits, x), NULL) != x) digits++;
    put(s, "%.*g", digits, x);
}

const char *options_text(Arena *a, const Option *o, const OptionValue *v) {
    Str s = {.arena = a};
    put_text(&s, "");
    for (int i = 0; i < MAX_OPTIONS && o[i].name; i++) {
        if (!v[i].given || (!v[i].n && v[i].value == o[i].value)) continue;
        put(&s, "%s%s = ", *s.s ? ", " : "", o[i].name);
        if (!v[i].n) put_number(&s, v[i].value);
        for (int k = 0; k < v[i].n; k++) put_text(&s, k ? ", " : "["), put_number(&s, v[i].list[k]);
        if (v[i].n) put_text(&s, "]");
    }
    return s.s;
}
