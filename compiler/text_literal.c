/* text_literal.c - what stands for itself in .nn: numbers, types, contents of tensors, attributes. */
#include "text.h"
#include <math.h>

static bool is_kind(const Parser *p, TokenKind kind) { return p->l.tok.kind == kind; }

/* ---- numbers --------------------------------------------------------------------------------- */

int64_t parse_int(Parser *p) {
    bool negative = eat(p, "-");
    const Attr *word = is_kind(p, T_NAME) ? find_word(p, p->l.tok.s) : NULL;
    uint64_t u = p->l.tok.u;
    if (word && word->kind == A_INT) {
        next(p);
        return negative && word->i != INT64_MIN ? -word->i : word->i;
    }
    if (!is_kind(p, T_INT)) expected(p, "an integer");
    if (u > (uint64_t)INT64_MAX + negative) FAIL(p, here(p), "the integer does not fit 64 bits");
    next(p);
    return negative ? (int64_t)(0 - u) : (int64_t)u;
}

/* nan, or nan(0x7f800001) for one with other bits than the usual. */
static void parse_nan(Parser *p, DType t, bool negative, void *to) {
    store_scalar(t, to, (Scalar){.f = negative ? -(double)NAN : (double)NAN});
    if (!eat(p, "(")) return;
    if (!is_kind(p, T_INT)) expected(p, "the bits of a NaN");
    for (int i = 0; i < dtypes[t].bytes; i++) ((unsigned char *)to)[i] = (unsigned char)(p->l.tok.u >> 8 * i);
    next(p);
    expect(p, ")");
}

static void parse_float(Parser *p, DType t, bool negative, void *to) {
    double f = p->l.tok.f;
    if (eat(p, "nan")) { parse_nan(p, t, negative, to); return; }
    if (eat(p, "inf")) f = (double)INFINITY;
    else if (is_kind(p, T_INT) || is_kind(p, T_FLOAT)) next(p);
    else expected(p, "a number");
    store_scalar(t, to, (Scalar){.f = negative ? -f : f});
}

static bool int_fits(DType t, bool negative, uint64_t u) {
    return negative ? u <= 0 - (uint64_t)dtype_min(t) : u <= dtype_max(t);
}

/* One element of type t, stored at `to`. */
static void parse_element(Parser *p, DType t, void *to) {
    bool negative = eat(p, "-");
    if (is_float(t)) { parse_float(p, t, negative, to); return; }
    uint64_t u = p->l.tok.u;
    if (t == DT_bool && (see(p, "true") || see(p, "false"))) u = see(p, "true");
    else if (!is_kind(p, T_INT)) expected(p, t == DT_bool ? "true or false" : "an integer");
    if (!int_fits(t, negative, u)) FAIL(p, here(p), "the number does not fit %s", dtypes[t].name);
    next(p);
    store_scalar(t, to, (Scalar){.u = negative ? 0 - u : u});
}

/* ---- types ----------------------------------------------------------------------------------- */

static DType parse_dtype(Parser *p) {
    if (eat(p, "?")) return DT_none;
    DType t = is_kind(p, T_NAME) ? find_dtype(p->l.tok.s) : DT_none;
    if (t == DT_none) expected(p, "a type such as f32[2,3]");
    next(p);
    return t;
}

/* A bound given on the command line, else by a dim line. */
const DimBinding *find_dim(Parser *p, const char *name) {
    for (int i = 0; i < p->m->opt->dims.n; i++) {
        DimBinding *d = p->m->opt->dims.at[i];
        if (!strcmp(d->name, name)) { d->used = true; return d; }
    }
    return map_get(p->dims, name);
}

void use_bound(Parser *p, const DimBinding *d) {
    for (int i = 0; i < p->m->bounds.n; i++)
        if (!strcmp(((DimBinding *)p->m->bounds.at[i])->name, d->name)) return;
    DimBinding *mine = arena_copy(p->m->arena, d, sizeof *d);
    mine->name = symbol(p->m, d->name);
    push(p->m->arena, &p->m->bounds, mine);
}

/* batch, batch*2: a symbol and its factor. */
static Dim parse_symbol(Parser *p) {
    Loc at = here(p);
    const char *name = take(p, is_kind(p, T_STR) ? T_STR : T_NAME, "a dim");
    const DimBinding *d = find_dim(p, name);
    int64_t factor = eat(p, "*") ? parse_int(p) : 1, max;
    if (!d)
        FAIL(p, at, "dim '%s' is not bound; give --dim %s=N, or --dim %s=1..N for an extent chosen at run time",
             show(p, name), show(p, name), show(p, name));
    if (factor < 1 || !mul_ok(d->max, factor, &max)) FAIL(p, at, "dim '%s' is too large", show(p, name));
    if (d->min == d->max) return (Dim){max, NULL};
    use_bound(p, d);
    return (Dim){max, symbol(p->m, name)};
}

static Dim parse_dim(Parser *p) {
    if (eat(p, "?")) return (Dim){-1, NULL};
    if (!is_kind(p, T_INT) && !see(p, "-") && !(is_kind(p, T_NAME) && find_word(p, p->l.tok.s))) return parse_symbol(p);
    Loc at = here(p);
    int64_t n = parse_int(p);
    if (n < 0) FAIL(p, at, "a dim cannot be negative");
    return (Dim){n, NULL};
}

/* f32[batch,3,8,8], f32[] a scalar; unknown parts are ?[*] and ? for a dim. */
Type parse_type(Parser *p) {
    Loc at = here(p);
    Type t = {.dtype = parse_dtype(p)};
    expect(p, "[");
    if (eat(p, "*")) t.rank = -1;
    else
        while (!see(p, "]")) {
            if (t.rank == MAX_RANK) FAIL(p, here(p), "more than %d dims", MAX_RANK);
            t.dim[t.rank++] = parse_dim(p);
            if (!eat(p, ",")) break;
        }
    expect(p, "]");
    if (type_known(&t) && type_count(&t) < 0) FAIL(p, at, "the tensor is too large");
    return t;
}

static int64_t *parse_ints(Parser *p, int n) {
    int64_t *v = NEW_ARRAY(p->m->arena, int64_t, n + 1);
    expect(p, "[");
    for (int i = 0; i < n; i++) {
        if (i) expect(p, ",");
        Loc at = here(p);
        v[i] = parse_int(p);
        if (v[i] < 0 || v[i] > (int64_t)1 << 40) FAIL(p, at, "a layout's numbers are between 0 and 2^40");
    }
    expect(p, "]");
    return v;
}

void parse_layout(Parser *p, const Type *t, int64_t **stride, int64_t **halo) {
    if (!eat(p, "{")) return;
    do {
        if (eat(p, "strides")) expect(p, "="), *stride = parse_ints(p, t->rank);
        else if (eat(p, "halo")) expect(p, "="), *halo = parse_ints(p, 2 * t->rank);
        else expected(p, "'strides' or 'halo'");
    } while (eat(p, ","));
    expect(p, "}");
}

/* ---- contents -------------------------------------------------------------------------------- */

static void open_weights(Parser *p, Loc at) {
    if (p->weights) return;
    const char *path = format(p->m->arena, "%s.weights", p->path);
    p->weights = map_file(path, &p->weights_size);
    if (!p->weights) FAIL(p, at, "cannot read the weights in '%s'", show(p, path));
    if (p->weights_said >= 0 && p->weights_size != (size_t)p->weights_said)
        FAIL(p, at, "'%s' has %zu bytes, but this file goes with one of %lld", show(p, path), p->weights_size,
             (long long)p->weights_said);
}

/* weights(offset): bytes of the sidecar, which stay where they are. */
static void parse_weights(Parser *p, Tensor *t) {
    Loc at = here(p);
    expect(p, "(");
    int64_t offset = parse_int(p), bytes = t->count * dtypes[t->dtype].bytes;
    expect(p, ")");
    open_weights(p, at);
    if (offset < 0 || (uint64_t)offset > p->weights_size || (uint64_t)bytes > p->weights_size - (uint64_t)offset)
        FAIL(p, at, "the weights end before this tensor does");
    t->data = p->weights + offset;
}

static void parse_splat(Parser *p, Tensor *t) {
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    char one[8] = {0};
    expect(p, "(");
    parse_element(p, t->dtype, one);
    expect(p, ")");
    char *data = arena_alloc(p->m->arena, (size_t)t->count * bytes);
    for (int64_t i = 0; i < t->count; i++) memcpy(data + (size_t)i * bytes, one, bytes);
    t->data = data;
}

/* The list is read before memory is taken, so that a short file cannot ask for much. */
static void parse_elements(Parser *p, Tensor *t) {
    Str data = {.arena = p->m->arena};
    Loc at = here(p);
    int64_t n = 0;
    char one[8];
    put_text(&data, "");
    expect(p, "[");
    while (!see(p, "]")) {
        parse_element(p, t->dtype, one);
        put_bytes(&data, one, (size_t)dtypes[t->dtype].bytes);
        n++;
        if (!eat(p, ",")) break;
    }
    expect(p, "]");
    if (n != t->count) FAIL(p, at, "the type says %lld elements, here are %lld", (long long)t->count, (long long)n);
    t->data = data.s;
}

Tensor *parse_contents(Parser *p, const Type *type) {
    int64_t dim[MAX_RANK];
    if (!type_known(type) || type->dtype == DT_str)
        FAIL(p, here(p), "contents need a full type of numbers before them");
    for (int i = 0; i < type->rank; i++) {
        dim[i] = type->dim[i].max;
        if (type->dim[i].symbol) FAIL(p, here(p), "contents need extents that are numbers");
    }
    Tensor *t = tensor_of(p->m->arena, type->dtype, type->rank, dim, NULL);
    if (eat(p, "splat")) parse_splat(p, t);
    else if (eat(p, "weights")) parse_weights(p, t);
    else if (t->rank || see(p, "[")) parse_elements(p, t);
    else {
        t->data = arena_alloc(p->m->arena, 8);
        parse_element(p, t->dtype, tensor_data(t));
    }
    return t;
}

/* ---- attributes ------------------------------------------------------------------------------ */

const Attr *find_word(const Parser *p, const char *name) {
    for (const Scope *s = p->scope; s; s = s->outer) {
        const Attr *a = s->words ? map_get(s->words, name) : NULL;
        if (a) return a;
    }
    return NULL;
}

static void set_number(Parser *p, Attr *a, bool negative) {
    const Token *t = &p->l.tok;
    if (t->kind == T_INT && t->u <= (uint64_t)INT64_MAX + negative) {
        a->kind = A_INT, a->i = negative ? (int64_t)(0 - t->u) : (int64_t)t->u;
    } else if (t->kind == T_FLOAT || lex_is(&p->l, "inf") || lex_is(&p->l, "nan")) {
        double f = t->kind == T_FLOAT ? t->f : t->s[0] == 'i' ? (double)INFINITY : (double)NAN;
        a->kind = A_FLOAT, a->f = negative ? -f : f;
    } else {
        expected(p, "a number of at most 64 bits");
    }
    next(p);
}

/* A name: of a parameter, of a tensor's type, or a word that stands for itself. */
static void set_word(Parser *p, Attr *a) {
    const char *name = p->l.tok.s;
    const Attr *word = find_word(p, name);
    if (word) {
        const char *mine = a->name;
        *a = *word, a->name = mine;
        next(p);
        return;
    }
    if (lex_is(&p->l, "inf") || lex_is(&p->l, "nan")) { set_number(p, a, false); return; }
    Lexer start = p->l;
    next(p);
    a->kind = A_STR, a->s = name;
    if (find_dtype(name) == DT_none || !see(p, "[")) return;
    p->l = start;
    Type t = parse_type(p);
    a->kind = A_TENSOR, a->tensor = parse_contents(p, &t);
}

static void set_scalar(Parser *p, Attr *a) {
    TokenKind kind = p->l.tok.kind;
    if (eat(p, "-")) set_number(p, a, true);
    else if (kind == T_INT || kind == T_FLOAT) set_number(p, a, false);
    else if (kind == T_NAME) set_word(p, a);
    else a->s = take(p, T_STR, "a value: a number, a word, a string, a list or braces"), a->kind = A_STR;
}

/* 2 * width: numbers and parameters may be multiplied. */
static void set_product(Parser *p, Attr *a) {
    set_scalar(p, a);
    while (see(p, "*")) {
        Loc at = here(p);
        Attr b = {0};
        next(p);
        set_scalar(p, &b);
        if (a->kind == A_INT && b.kind == A_INT) {
            if (!mul_ok(a->i, b.i, &a->i)) FAIL(p, at, "the product does not fit 64 bits");
        } else if (coerce_attr(p->m->arena, a, A_FLOAT) && coerce_attr(p->m->arena, &b, A_FLOAT)) {
            a->f *= b.f;
        } else {
            FAIL(p, at, "only numbers can be multiplied");
        }
    }
}

/* A list takes the kind of its elements; integers among floats are floats. */
static void unify(Parser *p, Attr *a, int n, Attr *const *item, Loc at) {
    AttrKind kind = A_INT;
    for (int i = 0; i < n; i++)
        if (item[i]->kind == A_STR || kind == A_INT) kind = item[i]->kind;
    int64_t *ints = NEW_ARRAY(p->m->arena, int64_t, n);
    double *floats = NEW_ARRAY(p->m->arena, double, n);
    const char **strs = NEW_ARRAY(p->m->arena, const char *, n);
    for (int i = 0; i < n; i++) {
        if (kind > A_STR || !coerce_attr(p->m->arena, item[i], kind))
            FAIL(p, at, "a list holds numbers only, or words only");
        ints[i] = item[i]->i, floats[i] = item[i]->f, strs[i] = item[i]->s;
    }
    a->n = n, a->kind = kind == A_INT ? A_INTS : kind == A_FLOAT ? A_FLOATS : A_STRS;
    a->ints = kind == A_INT ? ints : NULL, a->floats = kind == A_FLOAT ? floats : NULL;
    a->strs = kind == A_STR ? strs : NULL;
}

static void set_list(Parser *p, Attr *a) {
    List items = {0};
    Loc at = here(p);
    expect(p, "[");
    while (!see(p, "]")) {
        Attr *item = NEW(p->m->arena, Attr);
        set_product(p, item);
        push(p->m->arena, &items, item);
        if (!eat(p, ",")) break;
    }
    expect(p, "]");
    unify(p, a, items.n, (Attr *const *)(void *)items.at, at);
}

void parse_literal(Parser *p, Attr *a) {
    if (see(p, "[")) set_list(p, a);
    else set_product(p, a);
}

static void parse_value(Parser *p, Attr *a) {
    if (see(p, "{") || see(p, "(") || p->l.tok.kind == T_AT) a->kind = A_GRAPH, a->graph = parse_region(p);
    else parse_literal(p, a);
}

static void add_attr(Parser *p, Attrs *list, const Attr *a, Loc at) {
    if ((list->n & (list->n - 1)) == 0) { /* grows at powers of two */
        Attr *attrs = NEW_ARRAY(p->m->arena, Attr, 2 * list->n + 1);
        Loc *locs = NEW_ARRAY(p->m->arena, Loc, 2 * list->n + 1);
        if (list->n)
            memcpy(attrs, list->at, sizeof *attrs * (size_t)list->n),
                memcpy(locs, list->loc, sizeof *locs * (size_t)list->n);
        list->at = attrs, list->loc = locs;
    }
    if (list->n == 1000) FAIL(p, at, "more than 1000 attributes");
    for (int i = 0; i < list->n; i++)
        if (!strcmp(list->at[i].name, a->name)) FAIL(p, at, "'%s' is given twice", show(p, a->name));
    list->at[list->n] = *a, list->loc[list->n++] = at;
}

static void parse_group(Parser *p, Attrs *list, const char *prefix, bool meta) {
    enter(p);
    expect(p, "{");
    while (!see(p, "}")) {
        Attr a = {.set = true};
        Loc at = here(p);
        a.name = take(p, T_NAME, "the name of an attribute");
        if (prefix) a.name = format(p->m->arena, "%s.%s", prefix, a.name);
        expect(p, "=");
        if (meta && see(p, "{")) parse_group(p, list, a.name, meta);
        else parse_value(p, &a), add_attr(p, list, &a, at);
        if (!eat(p, ",")) break;
    }
    expect(p, "}");
    leave(p);
}

Attrs parse_attrs(Parser *p, bool meta) {
    Attrs list = {0};
    if (see(p, "{")) parse_group(p, &list, NULL, meta);
    return list;
}

static bool word_to_int(Attr *a) {
    DType t = find_dtype(a->s);
    if (!strcmp(a->s, "true") || !strcmp(a->s, "false")) a->i = a->s[0] == 't';
    else if (t != DT_none) a->i = dtypes[t].onnx;
    else return false;
    a->kind = A_INT;
    return true;
}

/* One value as a list of one. */
static bool to_list(Arena *arena, Attr *a, AttrKind kind) {
    AttrKind item = kind == A_INTS ? A_INT : kind == A_FLOATS ? A_FLOAT : A_STR;
    if (!coerce_attr(arena, a, item)) return false;
    a->kind = kind, a->n = 1;
    if (item == A_INT) a->ints = arena_copy(arena, &a->i, sizeof a->i);
    else if (item == A_FLOAT) a->floats = arena_copy(arena, &a->f, sizeof a->f);
    else a->strs = arena_copy(arena, &a->s, sizeof a->s);
    return true;
}

bool coerce_attr(Arena *arena, Attr *a, AttrKind kind) {
    if (a->kind == kind) return true;
    if (kind == A_FLOAT && a->kind == A_INT) { a->kind = kind, a->f = (double)a->i; return true; }
    if (kind == A_INT && a->kind == A_STR) return word_to_int(a);
    bool list = kind == A_INTS || kind == A_FLOATS || kind == A_STRS;
    if (list && (a->kind == A_INT || a->kind == A_FLOAT || a->kind == A_STR)) return to_list(arena, a, kind);
    if (list && a->kind == A_INTS && a->n == 0) { a->kind = kind; return true; }
    if (kind != A_FLOATS || a->kind != A_INTS) return false;
    double *f = NEW_ARRAY(arena, double, a->n);
    for (int i = 0; i < a->n; i++) f[i] = (double)a->ints[i];
    a->kind = kind, a->floats = f;
    return true;
}
