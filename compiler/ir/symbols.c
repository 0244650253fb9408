/* symbols.c - polynomials of the extents of a call: kept in one form, so that equal ones are one symbol. */
#include "base/lexer.h"
#include "ir/build.h"
#include "ir/symbols_parts.h"

/* ---- the names in a symbol ---- */

static void add_name(const Symbol **name, int *n, const Symbol *s) {
    for (int i = 0; i < *n && i < SYMBOL_NAMES; i++)
        if (same_name(name[i], s)) return;
    if (*n < SYMBOL_NAMES) name[*n] = s;
    if (*n <= SYMBOL_NAMES) ++*n;
}

void add_names(const Symbol **name, int *n, const Symbol *s) {
    for (int i = 0; i < s->names && i < SYMBOL_NAMES; i++) add_name(name, n, s->name[i]);
    if (s->names > SYMBOL_NAMES) *n = SYMBOL_NAMES + 1;
}

void find_names(Symbol *s) {
    if (s->kind == SYMBOL_NAME) add_name(s->name, &s->names, s);
    if (s->a) add_names(s->name, &s->names, s->a);
    if (s->b) add_names(s->name, &s->names, s->b);
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->term[i].n; k++) add_names(s->name, &s->names, s->term[i].factor[k]);
}

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

const Symbol *intern_symbol(Module *m, Symbol proto) {
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
    return intern_symbol(m, (Symbol){.kind = SYMBOL_NAME, .text = arena_str(m->arena, name), .max = -1, .step = 1});
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

Dim dim_of_binding(Module *m, const DimBinding *b) {
    if (b->min == b->max) return (Dim){b->max, NULL};
    const Symbol *s = symbol_called(m, b->name);
    Dim d;
    if (!s) {
        int64_t step = step_of_binding(b);
        DimBinding *mine = arena_copy(m->arena, b, sizeof *b);
        Symbol name = {.kind = SYMBOL_NAME, .text = arena_str(m->arena, b->name), .step = step};
        name.min = b->min, name.max = b->max;
        mine->symbol = s = intern_symbol(m, name), mine->name = s->text;
        push(m->arena, &m->bounds, mine);
    }
    if (s->step == 1) return dim_of_symbol(s);
    Symbol part = {.kind = SYMBOL_QUOTIENT, .a = s, .by = s->step};
    bool ok = dim_mul(m, dim_of_symbol(intern_symbol(m, part)), (Dim){s->step, NULL}, &d);
    ASSERT(ok);
    return d;
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
