/* symbols.c - polynomials of the extents of a call: kept in one form, so that equal ones are one symbol. */
#include "ir/symbols.h"
#include "base/lexer.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/open_dims.h"

enum { MOST_TRIED = 1 << 13, MOST_STEP = 4096 };

/* c + sum of terms, on its way to be a symbol. */
typedef struct {
    int n;
    SymbolTerm term[SYMBOL_TERMS];
    int64_t c;
} Sum;

static int64_t gcd(int64_t a, int64_t b) {
    if (a < 0) a = -a;
    if (b < 0) b = -b;
    while (b) {
        int64_t r = a % b;
        a = b, b = r;
    }
    return a;
}

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

/* Copies of a symbol (copy_symbol) have names of their own. */
static bool same_name(const Symbol *a, const Symbol *b) { return a == b || !strcmp(a->text, b->text); }

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

/* ---- the names in a symbol ---- */

static void add_name(const Symbol **name, int *n, const Symbol *s) {
    for (int i = 0; i < *n && i < SYMBOL_NAMES; i++)
        if (same_name(name[i], s)) return;
    if (*n < SYMBOL_NAMES) name[*n] = s;
    if (*n <= SYMBOL_NAMES) ++*n;
}

static void add_names(const Symbol **name, int *n, const Symbol *s) {
    for (int i = 0; i < s->names && i < SYMBOL_NAMES; i++) add_name(name, n, s->name[i]);
    if (s->names > SYMBOL_NAMES) *n = SYMBOL_NAMES + 1;
}

static void find_names(Symbol *s) {
    if (s->kind == SYMBOL_NAME) add_name(s->name, &s->names, s);
    if (s->a) add_names(s->name, &s->names, s->a);
    if (s->b) add_names(s->name, &s->names, s->b);
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->term[i].n; k++) add_names(s->name, &s->names, s->term[i].factor[k]);
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

static bool find_range(Symbol *s) {
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

/* ---- text ---- */

/* Where a quotient is a name by its own step: 3 * (h / 16) is 3 * h / 16, and 16 of them are h. */
static const Symbol *stepped(const Symbol *s) {
    return s->kind == SYMBOL_QUOTIENT && s->a->kind == SYMBOL_NAME && s->a->step > 1 && s->a->step == s->by ? s->a
                                                                                                            : NULL;
}

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
        int64_t g = gcd(coef, t->factor[k]->by);
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

static void put_plain_name(Str *out, const Symbol *name, const void *arg) {
    (void)arg;
    put_text(out, name->text);
}

/* ---- interning ---- */

static void put_key(Str *key, const Symbol *s) {
    put(key, "%d:", (int)s->kind);
    if (s->kind == SYMBOL_NAME) put(key, "%lld:%lld:%s", (long long)s->min, (long long)s->max, s->text);
    if (s->a) put(key, "%d", s->a->id);
    if (s->b) put(key, ",%d", s->b->id);
    if (s->by) put(key, "/%lld", (long long)s->by);
    for (int i = 0; i < s->n; i++) {
        put(key, "%+lld", (long long)s->term[i].coef);
        for (int k = 0; k < s->term[i].n; k++) put(key, ".%d", s->term[i].factor[k]->id);
    }
    if (s->c) put(key, "%+lld", (long long)s->c);
}

static const Symbol *intern(Module *m, Symbol proto) {
    Str key = {.arena = m->arena}, text = {.arena = m->arena};
    put_key(&key, &proto);
    const Symbol *known = map_get(m->symbols, key.s);
    if (known) return known;
    Symbol *s = arena_copy(m->arena, &proto, sizeof proto);
    s->id = ++m->symbol_ids;
    if (proto.n) s->term = arena_copy(m->arena, proto.term, sizeof *proto.term * (size_t)proto.n);
    find_names(s);
    if (!find_range(s)) return NULL;
    if (s->kind != SYMBOL_NAME)
        put_symbol(&text, s, false, (SymbolStyle){put_plain_name, NULL, true}), s->text = text.s;
    map_set(m->symbols, key.s, s);
    return s;
}

const Symbol *symbol_unbound(Module *m, const char *name) {
    return intern(m, (Symbol){.kind = SYMBOL_NAME, .text = arena_str(m->arena, name), .max = -1, .step = 1});
}

static DimBinding *binding_called(const Module *m, const char *name) {
    for (int i = 0; i < m->bounds.n; i++) {
        DimBinding *b = m->bounds.at[i];
        if (!strcmp(b->name, name)) return b;
    }
    return NULL;
}

const Symbol *symbol_called(const Module *m, const char *name) {
    const DimBinding *b = binding_called(m, name);
    return b ? b->symbol : NULL;
}

DimBinding *binding_of(const Module *m, const Symbol *name) { return binding_called(m, name->text); }

DimBinding *computed_by(const Node *n) {
    bool one = attr_i(n, "least") == attr_i(n, "most");
    return one ? NULL : binding_called(n->graph->module, attr_s(n, "dim"));
}

static int64_t step_of_binding(const DimBinding *b) { return b->step > 1 ? b->step : 1; }

static Dim of_symbol(const Symbol *s) { return (Dim){s->max, s}; }

Dim dim_of_binding(Module *m, const DimBinding *b) {
    if (b->min == b->max) return (Dim){b->max, NULL};
    const Symbol *s = symbol_called(m, b->name);
    Dim d;
    if (!s) {
        int64_t step = step_of_binding(b);
        DimBinding *mine = arena_copy(m->arena, b, sizeof *b);
        Symbol name = {.kind = SYMBOL_NAME, .text = arena_str(m->arena, b->name), .step = step};
        name.min = b->min, name.max = b->max;
        mine->symbol = s = intern(m, name), mine->name = s->text;
        push(m->arena, &m->bounds, mine);
    }
    if (s->step == 1) return of_symbol(s);
    Symbol part = {.kind = SYMBOL_QUOTIENT, .a = s, .by = s->step};
    bool ok = dim_mul(m, of_symbol(intern(m, part)), (Dim){s->step, NULL}, &d);
    ASSERT(ok);
    return d;
}

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
        symbol = intern(m, (Symbol){.kind = SYMBOL_SUM, .n = s->n, .term = s->term, .c = s->c});
    if (!symbol) return false;
    *d = symbol->min == symbol->max ? (Dim){symbol->max, NULL} : of_symbol(symbol);
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
    for (int i = 0; i < rest->n; i++) g = gcd(g, rest->term[i].coef);
    for (int i = 0; i < rest->n; i++) rest->term[i].coef /= g;
    rest->c = floor_div(rest->c, g), by /= g;
    Dim a;
    if (by == 1 || !rest->n) return dim_of_sum(m, rest, out);
    const Symbol *inner =
        rest->n == 1 && rest->term[0].coef == 1 && rest->term[0].n == 1 ? rest->term[0].factor[0] : NULL;
    if (inner && inner->kind == SYMBOL_QUOTIENT && !stepped(inner)) { /* of a quotient: one by both */
        Dim whole = of_symbol(inner->a), d;
        if (!mul_ok(rest->c, inner->by, &c) || !mul_ok(inner->by, by, &by)) return false;
        return dim_add(m, whole, (Dim){c, NULL}, &d) && dim_quotient(m, d, (Dim){by, NULL}, out);
    }
    if (!dim_of_sum(m, rest, &a)) return false;
    if (!a.symbol) return *out = (Dim){floor_div(a.max, by), NULL}, true;
    if (a.symbol->min < 0) return false;
    const Symbol *s = intern(m, (Symbol){.kind = SYMBOL_QUOTIENT, .a = a.symbol, .by = by});
    if (!s) return false;
    *out = s->min == s->max ? (Dim){s->max, NULL} : of_symbol(s);
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
    const Symbol *s = intern(m, (Symbol){.kind = kind, .a = a.symbol, .b = b.symbol, .c = b.symbol ? 0 : b.max});
    if (!s) return false;
    *out = of_symbol(s);
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

/* ---- copies ---- */

const Symbol *copy_symbol(Arena *a, const Symbol *s) {
    if (!s) return NULL;
    Symbol *c = arena_copy(a, s, sizeof *s);
    c->text = arena_str(a, s->text);
    if (s->a) c->a = copy_symbol(a, s->a);
    if (s->b) c->b = copy_symbol(a, s->b);
    if (s->n) c->term = arena_copy(a, s->term, sizeof *s->term * (size_t)s->n);
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->term[i].n; k++) c->term[i].factor[k] = copy_symbol(a, s->term[i].factor[k]);
    c->names = 0;
    find_names(c);
    return c;
}
