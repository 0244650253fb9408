/* dims.c - what names of dims stand for in .nn: --dim, dim lines, defaults of the network's inputs. */
#include "ir/build.h"
#include "ir/symbols.h"
#include "text/parser.h"
#include "train/train.h"

const DimBinding *find_dim(Parser *p, const char *name) {
    const DimBinding *d = given_dim(p->m, name);
    if (!d) d = map_get(p->dims, name);
    return d ? d : any_dim(p->m, name);
}

void use_bound(Parser *p, const DimBinding *d) {
    if (p->m->bounds.n == MAX_SYMBOLS && !symbol_called(p->m, d->name))
        FAIL(p, here(p), "more than %d dims that are chosen at run time", MAX_SYMBOLS);
    dim_of_binding(p->m, d);
}

/* ---- a look ahead at the network's inputs: whether a dim is the batch shows only there ---- */

/* "batch": in training this one has a bound wherever it stands. */
static bool trained_batch(const Parser *p, const char *name) { return p->m->entry && !strcmp(name, "batch"); }

typedef void See(Parser *, const char *input, int dim, const char *name, bool multiple);

static void see_open(Parser *p, const char *input, int dim, const char *name, bool multiple) {
    (void)input, (void)multiple;
    if (!find_dim(p, name) && !trained_batch(p, name)) leave_dim_open(p->m->arena, &p->open, name, dim);
}

static void see_place(Parser *p, const char *input, int dim, const char *name, bool multiple) {
    if (!multiple) dim_lies_at(p->m, input, dim, name);
}

/* One extent of an input's type; what cannot be one is for the parser to refuse. */
static void scan_dim(Parser *p, Lexer *l, See *tell, const char *input, int dim) {
    const char *name = l->tok.kind == T_NAME || l->tok.kind == T_STR ? l->tok.s : NULL;
    if (lex_is(l, "?")) tell(p, input, dim, unnamed_dim(p->m->arena, input, dim), false);
    lex_next(l);
    if (name) tell(p, input, dim, name, lex_is(l, "*"));
    if (name && lex_accept(l, "*")) lex_next(l);
}

static bool scan_input(Parser *p, Lexer *l, See *tell) {
    const char *input = l->tok.s;
    if (l->tok.kind != T_VALUE) return false;
    lex_next(l);
    if (!lex_accept(l, ":")) return false;
    lex_next(l);
    if (!lex_accept(l, "[")) return false;
    for (int i = 0; !lex_is(l, "]") && !lex_is(l, "*"); i++) {
        if (i == MAX_RANK) return false;
        scan_dim(p, l, tell, input, i);
        if (!lex_accept(l, ",")) break;
    }
    lex_accept(l, "*");
    if (!lex_accept(l, "]")) return false;
    if (lex_accept(l, "{")) {
        while (!lex_is(l, "}") && l->tok.kind != T_END && l->tok.kind != T_BAD) lex_next(l);
        lex_next(l);
    }
    return lex_accept(l, ",");
}

static void scan_inputs(Parser *p, See *tell) {
    Lexer l;
    bool network = false;
    lex_start(&l, p->m->arena, p->m->text);
    while (l.tok.kind != T_END && l.tok.kind != T_BAD && !(network && l.tok.kind == T_AT)) {
        network = l.tok.kind == T_NAME && !strcmp(l.tok.s, "network");
        lex_next(&l);
    }
    lex_next(&l);
    if (!lex_accept(&l, "(")) return;
    while (scan_input(p, &l, tell)) continue;
}

void find_places(Parser *p) {
    bool asked = false;
    for (int i = 0; i < p->m->opt->dims.n; i++)
        asked |= strchr(((DimBinding *)p->m->opt->dims.at[i])->name, ':') != NULL;
    if (asked) scan_inputs(p, see_place);
}

/* ---- names ---- */

bool stays_open(const Parser *p) {
    return p->m->opt->open_dims == OPEN_DIMS_UNKNOWN || p->m->opt->open_dims == OPEN_DIMS_1;
}

/* Of an extent that stays open: it is known by its name alone. */
static Dim named_alone(const Parser *p, const char *name) { return (Dim){-1, symbol_unbound(p->m, name)}; }

/* And what it is taken for while the network is read. */
static Dim for_now(const Parser *p) { return (Dim){p->m->opt->open_dims == OPEN_DIMS_UNKNOWN ? -1 : 1, NULL}; }

/* The default of a dim that nothing binds; NULL if it has none. */
static const DimBinding *default_of(Parser *p, const char *name) {
    const DimBinding *d = map_get(p->defaults, name);
    if (d) return d;
    if (!p->scanned) p->scanned = true, scan_inputs(p, see_open);
    bool open = p->open.known && map_get(p->open.known, name);
    if (!trained_batch(p, name) && !(open && has_default(&p->open))) return NULL;
    d = default_dim(p->m, name);
    map_set(p->defaults, name, (void *)(uintptr_t)d);
    return d;
}

static _Noreturn void not_bound(Parser *p, const char *name, Loc at) {
    bool open = p->open.known && map_get(p->open.known, name);
    const char *options, *names = ask_for(p->m->arena, &p->open, &options), *slips = slips_of_dims(p->m, &p->open);
    if (open && p->open.names.n > 1) FAIL(p, at, "dims %s are not bound; give %s%s", names, options, slips);
    FAIL(p, at, "dim '%s' is not bound; give --dim %s=N, or --dim %s=1..N for an extent chosen at run time%s",
         show(p, name), show(p, name), show(p, name), slips);
}

static Dim bound_dim(Parser *p, const DimBinding *d) {
    if (d->min < d->max) use_bound(p, d);
    return dim_of_binding(p->m, d);
}

Dim named_dim(Parser *p, const char *name, Loc at) {
    const DimBinding *d = find_dim(p, name);
    if (!d && stays_open(p) && p->signature) return named_alone(p, name);
    if (!d && stays_open(p)) return for_now(p);
    if (!d) d = default_of(p, name);
    if (!d) not_bound(p, name, at);
    return bound_dim(p, d);
}

void bind_unknown(Parser *p, const Defined *t, Type *type) {
    for (int i = 0; i < type->rank; i++) {
        if (type->dim[i].max >= 0 || type->dim[i].symbol) continue;
        const char *name = unnamed_dim(p->m->arena, t->name, i);
        const DimBinding *d = find_dim(p, name);
        if (!d && stays_open(p)) type->dim[i] = named_alone(p, name);
        if (!d && !stays_open(p) && p->typed) d = default_of(p, name);
        if (d) type->dim[i] = bound_dim(p, d);
    }
}

/* ---- only the interface ---- */

typedef struct {
    Value *input;
    Type type;
} OpenInput;

Type type_for_now(const Parser *p, const Type *declared) {
    Type t = *declared;
    for (int i = 0; i < t.rank; i++)
        if (t.dim[i].max < 0 && t.dim[i].symbol) t.dim[i] = for_now(p);
    return t;
}

void remember_open(Parser *p, Value *input, const Type *declared) {
    OpenInput *o = NEW(p->m->arena, OpenInput);
    *o = (OpenInput){input, *declared};
    if (stays_open(p)) push(p->m->arena, &p->open_inputs, o);
}

void name_open_dims(Parser *p) {
    for (int i = 0; i < p->open_inputs.n; i++) {
        const OpenInput *o = p->open_inputs.at[i];
        o->input->type = o->type;
    }
}
