/* attr.c - attributes of the .nn language: numbers, words, lists, tensors, and what kind each can be taken for. */
#include "text/layers.h"
#include "text/parser.h"
#include <math.h>

const Attr *find_word(const Parser *p, const char *name) {
    for (const Scope *s = p->scope; s; s = s->outer) {
        const Attr *a = s->words ? map_get(s->words, name) : NULL;
        if (a) return a;
    }
    return NULL;
}

/* (0, 0.05), if it is there; how many numbers. */
static int parse_numbers(Parser *p, const char *name, Str *text) {
    const char *between = "(", *wrong;
    int n = 0;
    if (!eat(p, "(")) return 0;
    while (!see(p, ")")) {
        Attr a = {0};
        Loc at = here(p);
        parse_literal(p, &a);
        if (!coerce_attr(p->m->arena, &a, A_FLOAT)) FAIL(p, at, "an initialiser takes numbers");
        if ((wrong = initializer_number_misfit(name, a.f))) FAIL(p, at, "'%s' takes %s, saw %g", name, wrong, a.f);
        put_text(text, between);
        if (a.f >= 0 && a.f < 1e15 && a.f == floor(a.f))
            put(text, "%lld", (long long)a.f);
        else
            put_double(text, a.f, false);
        between = ", ", n++;
        if (!eat(p, ",")) break;
    }
    expect(p, ")");
    if (n) put_text(text, ")");
    return n;
}

const char *initializer_here(Parser *p) {
    Str text = {.arena = p->m->arena};
    Loc at = here(p);
    const char *name = take(p, T_NAME, "an initialiser"), *wrong;
    if (!is_initializer(name))
        FAIL(p, at, "unknown initialiser '%s'%s", show(p, name), initializer_choices(p->m->arena, name));
    put_text(&text, name);
    int n = parse_numbers(p, name, &text);
    if ((wrong = initializer_misfit(name, n))) FAIL(p, at, "'%s' takes %s, saw %d", name, wrong, n);
    return text.s;
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
    if (lex_is(&p->l, "inf") || lex_is(&p->l, "nan")) {
        set_number(p, a, false);
        return;
    }
    Lexer start = p->l;
    next(p);
    a->kind = A_STR, a->s = name;
    if (see(p, "(") && is_initializer(name)) {
        p->l = start;
        a->s = initializer_here(p);
        return;
    }
    if (find_dtype(name) == DT_none || !see(p, "[")) return;
    p->l = start;
    Type t = parse_type(p);
    a->kind = A_TENSOR, a->tensor = parse_contents(p, &t);
}

void parse_scalar(Parser *p, Attr *a) {
    TokenKind kind = p->l.tok.kind;
    if (eat(p, "-"))
        set_number(p, a, true);
    else if (kind == T_INT || kind == T_FLOAT)
        set_number(p, a, false);
    else if (kind == T_NAME)
        set_word(p, a);
    else
        a->s = take(p, T_STR, "a value: a number, a word, a string, a list or braces"), a->kind = A_STR;
}

/* 2 * width: numbers and parameters may be multiplied. */
static void set_product(Parser *p, Attr *a) {
    parse_scalar(p, a);
    while (see(p, "*")) {
        Loc at = here(p);
        Attr b = {0};
        next(p);
        parse_scalar(p, &b);
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
    if (see(p, "["))
        set_list(p, a);
    else
        set_product(p, a);
}

static void parse_value(Parser *p, Attr *a) {
    if (see(p, "{") || see(p, "(") || p->l.tok.kind == T_AT)
        a->kind = A_GRAPH, a->graph = parse_region(p);
    else
        parse_literal(p, a);
}

void add_attr(Parser *p, Attrs *list, const Attr *a, Loc at) {
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
        if (meta && see(p, "{"))
            parse_group(p, list, a.name, meta);
        else if (meta && see_loss(p))
            parse_loss(p, &a), add_attr(p, list, &a, at);
        else
            parse_value(p, &a), add_attr(p, list, &a, at);
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
    if (!strcmp(a->s, "true") || !strcmp(a->s, "false"))
        a->i = a->s[0] == 't';
    else if (t != DT_none)
        a->i = dtypes[t].onnx;
    else
        return false;
    a->kind = A_INT;
    return true;
}

/* One value as a list of one. */
static bool to_list(Arena *arena, Attr *a, AttrKind kind) {
    AttrKind item = kind == A_INTS ? A_INT : kind == A_FLOATS ? A_FLOAT : A_STR;
    if (!coerce_attr(arena, a, item)) return false;
    a->kind = kind, a->n = 1;
    if (item == A_INT)
        a->ints = arena_copy(arena, &a->i, sizeof a->i);
    else if (item == A_FLOAT)
        a->floats = arena_copy(arena, &a->f, sizeof a->f);
    else
        a->strs = arena_copy(arena, &a->s, sizeof a->s);
    return true;
}

bool coerce_attr(Arena *arena, Attr *a, AttrKind kind) {
    if (a->kind == kind) return true;
    if (kind == A_FLOAT && a->kind == A_INT) {
        a->kind = kind, a->f = (double)a->i;
        return true;
    }
    if (kind == A_INT && a->kind == A_STR) return word_to_int(a);
    bool list = kind == A_INTS || kind == A_FLOATS || kind == A_STRS;
    if (list && (a->kind == A_INT || a->kind == A_FLOAT || a->kind == A_STR)) return to_list(arena, a, kind);
    if (list && a->kind == A_INTS && a->n == 0) {
        a->kind = kind;
        return true;
    }
    if (kind != A_FLOATS || a->kind != A_INTS) return false;
    double *f = NEW_ARRAY(arena, double, a->n);
    for (int i = 0; i < a->n; i++) f[i] = (double)a->ints[i];
    a->kind = kind, a->floats = f;
    return true;
}
