/* symbols_sum.c - arithmetic of dims: polynomials in one form, and quotients rounded down. */
#include "ir/symbols_parts.h"

/* c + sum of terms, on its way to be a symbol. */
typedef struct {
    int n;
    SymbolTerm term[SYMBOL_TERMS];
    int64_t c;
} Sum;

/* ---- sums ---- */

static bool sum_of(Dim d, Sum *s) {
    *s = (Sum){.c = d.symbol ? 0 : d.max};
    if (!d.symbol) return true;
    if (d.symbol->kind == SYMBOL_SUM) {
        s->n = d.symbol->n, s->c = d.symbol->c;
        memcpy(s->term, d.symbol->term, sizeof *s->term * (size_t)s->n);
    } else {
        s->n = 1, s->term[0] = (SymbolTerm){.coef = 1, .n = 1, .factor = {d.symbol}};
    }
    return d.symbol->max >= d.symbol->min; /* else it is a name without bounds */
}

/* Of higher degree, then of the older symbols: an order that products keep. */
static int compare_terms(const SymbolTerm *a, const SymbolTerm *b) {
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    for (int i = 0; i < a->n; i++)
        if (a->factor[i] != b->factor[i]) return a->factor[i]->id < b->factor[i]->id ? -1 : 1;
    return 0;
}

static bool add_term(Sum *s, const SymbolTerm *t, int64_t times) {
    int64_t coef;
    int at = 0;
    if (!mul_ok(t->coef, times, &coef)) return false;
    if (!t->n) return add_ok(s->c, coef, &s->c);
    while (at < s->n && compare_terms(&s->term[at], t) < 0) at++;
    if (at < s->n && !compare_terms(&s->term[at], t)) {
        if (!add_ok(s->term[at].coef, coef, &s->term[at].coef)) return false;
        if (s->term[at].coef) return true;
        memmove(s->term + at, s->term + at + 1, sizeof *s->term * (size_t)(--s->n - at));
        return true;
    }
    if (!coef) return true;
    if (s->n == SYMBOL_TERMS) return false;
    memmove(s->term + at + 1, s->term + at, sizeof *s->term * (size_t)(s->n++ - at));
    s->term[at] = *t, s->term[at].coef = coef;
    return true;
}

static bool add_sum(Sum *s, const Sum *t, int64_t times) {
    int64_t c;
    if (!mul_ok(t->c, times, &c) || !add_ok(s->c, c, &s->c)) return false;
    for (int i = 0; i < t->n; i++)
        if (!add_term(s, &t->term[i], times)) return false;
    return true;
}

static bool dim_of_sum(Module *m, Sum *s, Dim *d) {
    const Symbol *symbol;
    if (!s->n) {
        *d = (Dim){s->c, NULL};
        return true;
    }
    if (s->n == 1 && !s->c && s->term[0].coef == 1 && s->term[0].n == 1)
        symbol = s->term[0].factor[0];
    else
        symbol = intern_symbol(m, (Symbol){.kind = SYMBOL_SUM, .n = s->n, .term = s->term, .c = s->c});
    if (!symbol) return false;
    *d = symbol->min == symbol->max ? (Dim){symbol->max, NULL} : dim_of_symbol(symbol);
    return true;
}

static bool times_term(const SymbolTerm *a, const SymbolTerm *b, SymbolTerm *out) {
    *out = (SymbolTerm){0};
    if (a->n + b->n > SYMBOL_FACTORS || !mul_ok(a->coef, b->coef, &out->coef)) return false;
    for (int i = 0, k = 0; i < a->n || k < b->n;) {
        bool first = k == b->n || (i < a->n && a->factor[i]->id <= b->factor[k]->id);
        out->factor[out->n++] = first ? a->factor[i++] : b->factor[k++];
    }
    return true;
}

static bool multiply(const Sum *a, const Sum *b, Sum *out) {
    *out = (Sum){0};
    for (int i = -1; i < a->n; i++)
        for (int k = -1; k < b->n; k++) {
            SymbolTerm ca = {.coef = a->c}, cb = {.coef = b->c}, t;
            if (!times_term(i < 0 ? &ca : &a->term[i], k < 0 ? &cb : &b->term[k], &t) || !add_term(out, &t, 1))
                return false;
        }
    return true;
}

bool dim_add(Module *m, Dim a, Dim b, Dim *out) {
    Sum s, t;
    if (!a.symbol && !b.symbol) return *out = (Dim){0, NULL}, add_ok(a.max, b.max, &out->max);
    return sum_of(a, &s) && sum_of(b, &t) && add_sum(&s, &t, 1) && dim_of_sum(m, &s, out);
}

bool dim_sub(Module *m, Dim a, Dim b, Dim *out) {
    Sum s, t;
    return sum_of(a, &s) && sum_of(b, &t) && add_sum(&s, &t, -1) && dim_of_sum(m, &s, out);
}

bool dim_mul(Module *m, Dim a, Dim b, Dim *out) {
    Sum s, t, product;
    if (!a.symbol && !b.symbol) return *out = (Dim){0, NULL}, mul_ok(a.max, b.max, &out->max);
    return sum_of(a, &s) && sum_of(b, &t) && multiply(&s, &t, &product) && dim_of_sum(m, &product, out);
}

/* ---- quotients ---- */

/* a / b as a term, if b's factors are all in a. */
static bool quotient_term(const SymbolTerm *a, const SymbolTerm *b, SymbolTerm *out) {
    *out = (SymbolTerm){0};
    if (!b->coef || a->coef % b->coef) return false;
    out->coef = a->coef / b->coef;
    int k = 0;
    for (int i = 0; i < a->n; i++)
        if (k < b->n && b->factor[k] == a->factor[i])
            k++;
        else
            out->factor[out->n++] = a->factor[i];
    return k == b->n;
}

static SymbolTerm leading(const Sum *s) { return s->n ? s->term[0] : (SymbolTerm){.coef = s->c}; }

bool dim_div(Module *m, Dim a, Dim b, Dim *out) {
    Sum left, by, result = {0};
    if (!sum_of(a, &left) || !sum_of(b, &by) || (!by.n && !by.c)) return false;
    for (int turn = 0; left.n || left.c; turn++) {
        SymbolTerm la = leading(&left), lb = leading(&by), q, t;
        if (turn == 2 * SYMBOL_TERMS || !quotient_term(&la, &lb, &q) || !add_term(&result, &q, 1)) return false;
        for (int k = -1; k < by.n; k++) {
            SymbolTerm c = {.coef = by.c};
            if (!times_term(&q, k < 0 ? &c : &by.term[k], &t) || !add_term(&left, &t, -1)) return false;
        }
    }
    return dim_of_sum(m, &result, out);
}

/* floor(s / by) of what is left when whole multiples are taken out: coefficients from 0 to by - 1. */
static bool quotient_of_rest(Module *m, Sum *rest, int64_t by, Dim *out) {
    int64_t g = by, c;
    for (int i = 0; i < rest->n; i++) g = greatest_common_divisor(g, rest->term[i].coef);
    for (int i = 0; i < rest->n; i++) rest->term[i].coef /= g;
    rest->c = floor_div(rest->c, g), by /= g;
    Dim a;
    if (by == 1 || !rest->n) return dim_of_sum(m, rest, out);
    const Symbol *inner =
        rest->n == 1 && rest->term[0].coef == 1 && rest->term[0].n == 1 ? rest->term[0].factor[0] : NULL;
    if (inner && inner->kind == SYMBOL_QUOTIENT && !stepped(inner)) { /* of a quotient: one by both */
        Dim whole = dim_of_symbol(inner->a), d;
        if (!mul_ok(rest->c, inner->by, &c) || !mul_ok(inner->by, by, &by)) return false;
        return dim_add(m, whole, (Dim){c, NULL}, &d) && dim_quotient(m, d, (Dim){by, NULL}, out);
    }
    if (!dim_of_sum(m, rest, &a)) return false;
    if (!a.symbol) return *out = (Dim){floor_div(a.max, by), NULL}, true;
    if (a.symbol->min < 0) return false;
    const Symbol *s = intern_symbol(m, (Symbol){.kind = SYMBOL_QUOTIENT, .a = a.symbol, .by = by});
    if (!s) return false;
    *out = s->min == s->max ? (Dim){s->max, NULL} : dim_of_symbol(s);
    return true;
}

bool dim_quotient(Module *m, Dim a, Dim b, Dim *out) {
    Sum s, whole = {0}, rest = {0};
    if (b.symbol || b.max < 1) return dim_div(m, a, b, out);
    if (!a.symbol) return *out = (Dim){floor_div(a.max, b.max), NULL}, true;
    if (!sum_of(a, &s)) return false;
    whole.c = floor_div(s.c, b.max), rest.c = s.c - whole.c * b.max;
    for (int i = 0; i < s.n; i++) {
        SymbolTerm t = s.term[i];
        int64_t q = floor_div(t.coef, b.max), r = t.coef - q * b.max;
        t.coef = q;
        if (q && !add_term(&whole, &t, 1)) return false;
        t.coef = r;
        if (r && !add_term(&rest, &t, 1)) return false;
    }
    Dim d, w;
    return quotient_of_rest(m, &rest, b.max, &d) && dim_of_sum(m, &whole, &w) && dim_add(m, d, w, out);
}
