/* symbols_range.c - the values that a symbol can have, and which extents give a value. */
#include "ir/symbols_parts.h"

enum { MOST_TRIED = 1 << 13, MOST_STEP = 4096 };

/* ---- values ---- */

static int64_t wrapped(uint64_t a) { return (int64_t)a; }

int64_t symbol_value(const Symbol *s, SymbolValue *value, const void *arg) {
    if (s->kind == SYMBOL_NAME) return value(arg, s);
    if (s->kind == SYMBOL_QUOTIENT) return floor_div(symbol_value(s->a, value, arg), s->by);
    if (s->kind == SYMBOL_SUM) {
        uint64_t sum = (uint64_t)s->c;
        for (int i = 0; i < s->n; i++) {
            uint64_t product = (uint64_t)s->term[i].coef;
            for (int k = 0; k < s->term[i].n; k++) product *= (uint64_t)symbol_value(s->term[i].factor[k], value, arg);
            sum += product;
        }
        return wrapped(sum);
    }
    int64_t a = symbol_value(s->a, value, arg), b = s->b ? symbol_value(s->b, value, arg) : s->c;
    return (s->kind == SYMBOL_GREATER) == (a > b) ? a : b;
}

/* One extent for each name at hand. */
typedef struct {
    const Symbol *const *name;
    int n;
    int64_t value[SYMBOL_NAMES];
} Extents;

static int64_t value_at(const void *arg, const Symbol *name) {
    const Extents *x = arg;
    for (int i = 0; i < x->n; i++)
        if (same_name(x->name[i], name)) return x->value[i];
    return name->max;
}

/* ---- ranges: by trying all extents where there are few, else from those of the parts ---- */

static int64_t extents_of(const Symbol *name) { return (name->max - name->min) / name->step + 1; }

static int64_t tries(const Symbol *const *name, int n) {
    int64_t all = 1;
    for (int i = 0; i < n; i++)
        if (n > SYMBOL_NAMES || !mul_ok(all, extents_of(name[i]), &all) || all > MOST_TRIED) return 0;
    return all;
}

/* The next extents; false after the last. */
static bool next_extents(Extents *x) {
    for (int i = 0; i < x->n; i++) {
        x->value[i] += x->name[i]->step;
        if (x->value[i] <= x->name[i]->max) return true;
        x->value[i] = x->name[i]->min;
    }
    return false;
}

static Extents first_extents(const Symbol *const *name, int n) {
    Extents x = {.name = name, .n = n};
    for (int i = 0; i < n; i++) x.value[i] = name[i]->min;
    return x;
}

static void try_all(const Symbol *s, int64_t *min, int64_t *max) {
    Extents x = first_extents(s->name, s->names);
    *min = INT64_MAX, *max = INT64_MIN;
    do {
        int64_t v = symbol_value(s, value_at, &x);
        if (v < *min) *min = v;
        if (v > *max) *max = v;
    } while (next_extents(&x));
}

static bool widen(int64_t a, int64_t b, int64_t *lo, int64_t *hi) {
    int64_t p;
    if (!mul_ok(a, b, &p)) return false;
    if (p < *lo) *lo = p;
    if (p > *hi) *hi = p;
    return true;
}

static bool product_range(int64_t a, int64_t b, int64_t c, int64_t d, int64_t *lo, int64_t *hi) {
    *lo = INT64_MAX, *hi = INT64_MIN;
    return widen(a, c, lo, hi) && widen(a, d, lo, hi) && widen(b, c, lo, hi) && widen(b, d, lo, hi);
}

static bool term_range(const SymbolTerm *t, int64_t *lo, int64_t *hi) {
    int64_t a = t->coef, b = t->coef;
    for (int k = 0; k < t->n; k++)
        if (!product_range(a, b, t->factor[k]->min, t->factor[k]->max, &a, &b)) return false;
    *lo = a, *hi = b;
    return true;
}

/* Terms of the same names are tried together; `done` are those of an earlier group. */
static bool group_range(const Symbol *s, int first, bool *done, int64_t *lo, int64_t *hi) {
    Symbol group = {.kind = SYMBOL_SUM};
    SymbolTerm term[SYMBOL_TERMS];
    const Symbol *own[SYMBOL_NAMES];
    int names = 0;
    group.term = term;
    for (int k = 0; k < s->term[first].n; k++) add_names(own, &names, s->term[first].factor[k]);
    for (int i = first; i < s->n; i++) {
        int all = names;
        const Symbol *name[SYMBOL_NAMES];
        memcpy(name, own, sizeof name);
        for (int k = 0; k < s->term[i].n; k++) add_names(name, &all, s->term[i].factor[k]);
        if (all == names && !done[i]) term[group.n++] = s->term[i], done[i] = true;
    }
    find_names(&group);
    if (tries(group.name, group.names)) {
        try_all(&group, lo, hi);
        return true;
    }
    *lo = *hi = 0;
    for (int i = 0; i < group.n; i++) {
        int64_t a, b;
        if (!term_range(&term[i], &a, &b) || !add_ok(*lo, a, lo) || !add_ok(*hi, b, hi)) return false;
    }
    return true;
}

static int64_t names_in(const SymbolTerm *t) {
    const Symbol *name[SYMBOL_NAMES];
    int n = 0;
    for (int k = 0; k < t->n; k++) add_names(name, &n, t->factor[k]);
    return n;
}

static bool sum_range(Symbol *s) {
    bool done[SYMBOL_TERMS] = {false};
    s->min = s->max = s->c;
    for (int left = s->n; left;) { /* groups of many names first: they take in those of fewer */
        int first = -1, before = left;
        for (int i = 0; i < s->n; i++)
            if (!done[i] && (first < 0 || names_in(&s->term[i]) > names_in(&s->term[first]))) first = i;
        int64_t lo, hi;
        if (!group_range(s, first, done, &lo, &hi) || !add_ok(s->min, lo, &s->min) || !add_ok(s->max, hi, &s->max))
            return false;
        left = 0;
        for (int i = 0; i < s->n; i++) left += !done[i];
        ASSERT(left < before);
    }
    return true;
}

bool find_range(Symbol *s) {
    if (s->kind != SYMBOL_NAME && tries(s->name, s->names)) {
        try_all(s, &s->min, &s->max);
        return true;
    }
    if (s->kind == SYMBOL_SUM) return sum_range(s);
    if (s->kind == SYMBOL_QUOTIENT) s->min = floor_div(s->a->min, s->by), s->max = floor_div(s->a->max, s->by);
    if (s->kind == SYMBOL_GREATER || s->kind == SYMBOL_LESS) {
        bool greater = s->kind == SYMBOL_GREATER;
        int64_t lo = s->b ? s->b->min : s->c, hi = s->b ? s->b->max : s->c;
        s->min = greater == (s->a->min > lo) ? s->a->min : lo, s->max = greater == (s->a->max > hi) ? s->a->max : hi;
    }
    return true;
}

/* ---- order ---- */

int64_t dim_least(Dim d) { return d.symbol ? d.symbol->min : d.max; }

bool never_less(Module *m, Dim a, Dim b) {
    Dim d;
    return dim_sub(m, a, b, &d) && dim_least(d) >= 0;
}

static bool one_of(Module *m, Dim a, Dim b, SymbolKind kind, Dim *out) {
    bool greater = kind == SYMBOL_GREATER;
    if (never_less(m, a, b)) return *out = greater ? a : b, true;
    if (never_less(m, b, a)) return *out = greater ? b : a, true;
    if (!a.symbol) return one_of(m, b, a, kind, out);
    const Symbol *s = intern_symbol(m, (Symbol){.kind = kind, .a = a.symbol, .b = b.symbol, .c = b.symbol ? 0 : b.max});
    if (!s) return false;
    *out = dim_of_symbol(s);
    return true;
}

bool dim_greater(Module *m, Dim a, Dim b, Dim *out) { return one_of(m, a, b, SYMBOL_GREATER, out); }
bool dim_less(Module *m, Dim a, Dim b, Dim *out) { return one_of(m, a, b, SYMBOL_LESS, out); }

bool dim_equal(Module *m, Dim a, Dim b, Dim *out) {
    Dim d;
    if (!dim_sub(m, a, b, &d)) return false;
    bool never = d.symbol ? d.symbol->min > 0 || d.symbol->max < 0 : d.max != 0;
    if (!never && d.symbol) return false;
    *out = (Dim){!never, NULL};
    return true;
}

int64_t equal_in_steps(Module *m, Dim a, Dim b, const Symbol **name) {
    Dim d;
    if (!dim_sub(m, a, b, &d) || !d.symbol || d.symbol->names != 1) return 0;
    *name = d.symbol->name[0];
    Extents x = first_extents(d.symbol->name, 1);
    for (int64_t step = 2 * (*name)->step; step <= (*name)->max && step <= MOST_STEP; step += (*name)->step) {
        bool equal = true;
        for (x.value[0] = step; x.value[0] <= (*name)->max && equal; x.value[0] += step)
            equal = symbol_value(d.symbol, value_at, &x) == 0;
        if (equal) return step;
    }
    return 0;
}

int64_t least_for(const Symbol *s, int64_t value) {
    Extents x = first_extents(s->name, 1);
    int64_t from = -1;
    if (s->names != 1 || extents_of(s->name[0]) > MOST_TRIED) return -1;
    do {
        bool enough = symbol_value(s, value_at, &x) >= value;
        from = !enough ? -1 : from < 0 ? x.value[0] : from;
    } while (next_extents(&x));
    return from;
}

int64_t solve_symbol(const Symbol *s, const Symbol *name, int64_t value) {
    Extents x = first_extents(&name, 1);
    if (s->names != 1 || !same_name(s->name[0], name)) return -1;
    if (s->kind == SYMBOL_NAME) return value;
    if (s->kind == SYMBOL_SUM && s->n == 1 && s->term[0].n == 1) {
        int64_t whole = value - s->c, by = s->term[0].coef;
        const Symbol *f = s->term[0].factor[0];
        if (whole % by) return -1;
        if (f->kind == SYMBOL_NAME) return whole / by;
        if (stepped(f)) return whole / by * f->by;
    }
    do
        if (symbol_value(s, value_at, &x) == value) return x.value[0];
    while (extents_of(name) <= MOST_TRIED && next_extents(&x));
    return -1;
}
