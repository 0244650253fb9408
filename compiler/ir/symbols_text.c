/* symbols_text.c - a symbol as text, C and .nn alike. */
#include "ir/symbols_parts.h"

typedef struct {
    Str *out;
    const SymbolStyle *style;
} Writer;

static void put_operator(const Writer *w, const char *op) { put(w->out, w->style->tight ? "%s" : " %s ", op); }

static void put_expr(const Writer *w, const Symbol *s, bool atom);

static void put_term(const Writer *w, const SymbolTerm *t) {
    int64_t coef = t->coef < 0 ? -t->coef : t->coef, under[SYMBOL_FACTORS];
    for (int k = 0; k < t->n; k++) {
        under[k] = 1;
        if (!stepped(t->factor[k])) continue;
        int64_t g = greatest_common_divisor(coef, t->factor[k]->by);
        coef /= g, under[k] = t->factor[k]->by / g;
    }
    for (int k = 0; k < t->n; k++) {
        const Symbol *name = stepped(t->factor[k]);
        if (k) put_operator(w, "*");
        if (name)
            w->style->put_name(w->out, name, w->style->arg);
        else
            put_expr(w, t->factor[k], k || t->factor[k]->kind != SYMBOL_QUOTIENT);
    }
    if (coef != 1) put_operator(w, "*"), put(w->out, "%lld", (long long)coef);
    for (int k = 0; k < t->n; k++)
        if (under[k] > 1) put_operator(w, "/"), put(w->out, "%lld", (long long)under[k]);
}

static void put_sum(const Writer *w, const Symbol *s) {
    int first = 0;
    while (first < s->n && s->term[first].coef < 0) first++;
    if (first < s->n)
        put_term(w, &s->term[first]);
    else
        put(w->out, "%lld", (long long)s->c);
    for (int i = 0; i < s->n; i++) {
        if (i == first) continue;
        put_operator(w, s->term[i].coef < 0 ? "-" : "+");
        put_term(w, &s->term[i]);
    }
    if (!s->c || first == s->n) return;
    put_operator(w, s->c < 0 ? "-" : "+");
    put(w->out, "%lld", (long long)(s->c < 0 ? -s->c : s->c));
}

static void put_limit(const Writer *w, const Symbol *s) {
    if (s->b)
        put_expr(w, s->b, true);
    else
        put(w->out, "%lld", (long long)s->c);
}

/* Whether it is written as its name alone. */
static bool is_name(const Symbol *s) {
    if (s->kind != SYMBOL_SUM || s->n != 1 || s->c || s->term[0].n != 1) return s->kind == SYMBOL_NAME;
    return stepped(s->term[0].factor[0]) && s->term[0].coef == s->term[0].factor[0]->by;
}

static void put_expr(const Writer *w, const Symbol *s, bool atom) {
    bool parens = atom && !is_name(s);
    if (parens) put_text(w->out, "(");
    switch (s->kind) {
    case SYMBOL_NAME: w->style->put_name(w->out, s, w->style->arg); break;
    case SYMBOL_SUM: put_sum(w, s); break;
    case SYMBOL_QUOTIENT:
        put_expr(w, s->a, true);
        put_operator(w, "/");
        put(w->out, "%lld", (long long)s->by);
        break;
    case SYMBOL_GREATER:
    case SYMBOL_LESS:
        put_expr(w, s->a, true);
        put_operator(w, s->kind == SYMBOL_GREATER ? ">" : "<");
        put_limit(w, s);
        put_operator(w, "?");
        put_expr(w, s->a, true);
        put_operator(w, ":");
        put_limit(w, s);
        break;
    }
    if (parens) put_text(w->out, ")");
}

void put_symbol(Str *out, const Symbol *s, bool atom, SymbolStyle style) { put_expr(&(Writer){out, &style}, s, atom); }
