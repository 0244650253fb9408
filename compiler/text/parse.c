/* parse.c - the .nn language: files, statements, calls. LL(1), one function a production.
 *
 *   file      ::= version? module? (dim | outside | func | network | meta)*
 *   version   ::= 'nncc' number ('.' int)?           of the nncc that the text is written for, as in: nncc 0.1
 *   module    ::= 'module' attrs                     source, sha, producer; after, serial, kernels, weights: a dump's
 *   dim       ::= 'dim' name '=' int ('..' int (':' int)?)?
 *   outside   ::= ('const' | 'param' | 'state') %name ':' type layout? ('=' (contents | initialiser))?
 *   network   ::= 'network' @name '(' (%name ':' type layout?),* ')' block
 *   func      ::= 'func' @name '(' (%name (':' type)? | name '=' attr),* ')' block
 *   meta      ::= ('data' | 'train' | 'io') @network attrs    among them, by name in loss = {…}: losses
 *   block     ::= '{' statement* 'return' (arg ('as' %name)?),* '}'
 *   statement ::= (%name | '_'),* '=' call (':' (type layout? | '_'),*)? note*
 *               | 'repeat' (int | name 'in' int '..' int) '{' statement* '}'
 *   call      ::= (Operator | layer | @func | func) '(' arg,* ')' attrs?
 *   arg       ::= %name | '_' | number | '[' number,* ']' | name | call
 *   attrs     ::= '{' (name '=' attr),* '}'
 *   attr      ::= scalar ('*' scalar)* | '[' attr,* ']' | type contents | region
 *   scalar    ::= '-'? number | word | string
 *   loss      ::= (scalar '*')* (Loss | @func | func) '(' (name | %name),* ')'
 *   region    ::= (@name? '(' (%name (':' type layout?)?),* ')')? block
 *   type      ::= dtype '[' (extent | '?'),* ']' | dtype '[' '*' ']'
 *   extent    ::= sum (('<' | '>') sum '?' sum ':' sum)?   of ints, names of dims, + - * / and parentheses
 *   layout    ::= '{' ('strides' '=' ints | 'halo' '=' ints | 'block' '=' ints),* '}'
 *   contents  ::= number | list | 'splat' '(' number ')' | 'weights' '(' offset ')'
 *   list      ::= '[' (number | list),* ']'          all elements in one, or as deep as there are axes
 *   initialiser ::= word ('(' number,* ')')?
 *   note      ::= '#k=' int | '#at=' int,* | 'loc' '(' string ')' | 'from' '(' string ')'
 *
 * An output `as` another name has that in the interface, which an input may have, too.
 * Layers, functions and repeats are opened as they are read: the graph is flat. A func's `name = attr` parameters are
 * words that stand for values among attributes, dims and arguments inside it; its body is read anew at each call. The
 * statements of a repeat are read once per turn; in it, a name that is defined already may be defined again, and stands
 * for its latest definition from there on, behind the repeat too. Elsewhere a name is defined once. */
#include "ir/build.h"
#include "text/layers.h"
#include "text/parser.h"
#include "text/text.h"

/* ---- tokens ---- */

static Loc loc_of(const Parser *p, const Token *t) {
    return (Loc){.file = p->path, .line = t->line, .col = t->col, .width = t->width};
}

Loc here(const Parser *p) { return loc_of(p, &p->l.tok); }

const char *show(const Parser *p, const char *text) { return escaped(p->m->arena, text, 60); }

_Noreturn void expected(Parser *p, const char *what) {
    if (p->l.tok.kind == T_BAD) FAIL(p, here(p), "%s", p->l.tok.s);
    FAIL(p, here(p), "expected %s, saw %s", what, lex_seen(&p->l));
}

bool see(const Parser *p, const char *spelling) { return lex_is(&p->l, spelling); }
bool eat(Parser *p, const char *spelling) { return lex_accept(&p->l, spelling); }
void next(Parser *p) { lex_next(&p->l); }

void expect(Parser *p, const char *spelling) {
    if (!eat(p, spelling)) expected(p, format(p->m->arena, "'%s'", spelling));
}

const char *take(Parser *p, TokenKind kind, const char *what) {
    if (p->l.tok.kind != kind) expected(p, what);
    const char *s = p->l.tok.s;
    next(p);
    return s;
}

void enter(Parser *p) {
    if (++p->depth > MAX_NESTING) FAIL(p, here(p), "nested deeper than %d levels", MAX_NESTING);
}

void leave(Parser *p) { p->depth--; }

const char *skip_group(Parser *p, const char *open, const char *close) {
    const char *end;
    int depth = 0;
    do {
        if (see(p, open))
            depth++;
        else if (see(p, close))
            depth--;
        else if (p->l.tok.kind == T_END || p->l.tok.kind == T_BAD || !depth)
            expected(p, format(p->m->arena, "'%s'", depth ? close : open));
        end = p->l.p;
        next(p);
    } while (depth);
    return end;
}

/* ---- names ---- */

Value *find_named(const Parser *p, const char *name) {
    for (const Scope *s = p->scope; s; s = s->outer) {
        Value *v = map_get(s->values, name);
        if (v) return v;
    }
    return map_get(p->globals->values, name);
}

void define(Parser *p, Defined t, Value *v) {
    const Value *old = find_named(p, t.name);
    if (old && !p->scope->repeats)
        FAIL(p, t.loc, "'%%%s' is defined already, in line %d", show(p, t.name), old->loc.line);
    map_set(p->scope->values, t.name, v);
}

/* The name that a value gets in the module: behind that of the call it is inlined at. */
const char *full_name(const Parser *p, const char *name) {
    const char *stem = p->scope->stem;
    return stem ? format(p->m->arena, "%s.%s", stem, name) : name;
}

static int *count_name(Parser *p, const char *name) {
    int *n = NEW(p->m->arena, int);
    map_set(p->taken, name, n);
    return n;
}

const char *fresh_name(Parser *p, const char *name) {
    const char *full = full_name(p, name), *s;
    int *used = map_get(p->taken, full);
    bool first = !used;
    if (first) used = count_name(p, full), *used = 1;
    if (first && !map_get(p->m->names, full)) return full;
    do s = format(p->m->arena, "%s.%d", full, ++*used);
    while (map_get(p->m->names, s) || map_get(p->taken, s));
    *count_name(p, s) = 1;
    return s;
}

Scope *open_scope(Parser *p, Scope *outer, const char *stem) {
    Scope *s = NEW(p->m->arena, Scope);
    s->outer = outer, s->stem = stem, s->values = map_new(p->m->arena);
    return s;
}

void define_word(Parser *p, const char *name, const Attr *a) {
    if (!p->scope->words) p->scope->words = map_new(p->m->arena);
    map_set(p->scope->words, name, arena_copy(p->m->arena, a, sizeof *a));
}

/* ---- networks and functions ---- */

static void parse_network(Parser *p) {
    Loc at = here(p);
    const char *name = take(p, T_AT, "the name of the network, as in @main");
    if (p->m->main) FAIL(p, at, "a file has one network; '@%s' is the second", show(p, name));
    p->m->main = p->g = graph_new(p->m, name, NULL);
    p->network = p->scope = open_scope(p, NULL, NULL);
    parse_inputs(p, p->g, true);
    tell_defaults(p->m);
    parse_body(p, p->g);
    name_open_dims(p);
    p->g = NULL, p->scope = p->globals;
}

static void parse_func(Parser *p) {
    Loc at = here(p);
    Function *f = NEW(p->m->arena, Function);
    f->name = take(p, T_AT, "the name of the function, as in @block");
    if (map_get(p->functions, f->name)) FAIL(p, at, "function '@%s' is defined already", show(p, f->name));
    f->start = p->l;
    skip_group(p, "(", ")");
    f->end = skip_group(p, "{", "}");
    map_set(p->functions, f->name, f);
}

/* ---- the module ---- */

static bool text_field(Module *m, const Attr *a) {
    if (a->kind != A_STR) return false;
    if (!strcmp(a->name, "source"))
        m->source = a->s;
    else if (!strcmp(a->name, "producer"))
        m->producer = a->s;
    else if (!strcmp(a->name, "after"))
        m->after = a->s;
    else if (!strcmp(a->name, "sha") && strlen(a->s) < sizeof m->sha)
        strcpy(m->sha, a->s);
    else
        return false;
    return true;
}

static bool number_field(Parser *p, const Attr *a) {
    if (a->kind != A_INT || a->i < 0) return false;
    if (!strcmp(a->name, "weights"))
        p->weights_said = a->i;
    else if (!strcmp(a->name, "serial") && a->i <= 1 << 30)
        p->serial = (int)a->i;
    else if (!strcmp(a->name, "kernels") && a->i <= 1 << 30)
        p->m->kernels = (int)a->i;
    else
        return false;
    return true;
}

typedef struct {
    int major, minor;
} Version;

/* MAJOR.MINOR; what follows them does not count. */
static bool read_version(const char *s, Version *v) {
    char *end;
    v->major = (int)strtol(s, &end, 10), v->minor = 0;
    if (end == s || *end != '.') return false;
    s = end + 1;
    v->minor = (int)strtol(s, &end, 10);
    return end > s && !*end;
}

/* What a later nncc has added is an error where it stands. */
static void parse_version(Parser *p) {
    Version given, own = {0, 0};
    if (!eat(p, "nncc")) return;
    const Token number = p->l.tok;
    const char *text = format(p->m->arena, "%.*s", number.width, number.at);
    if (number.kind != T_FLOAT || !read_version(text, &given)) expected(p, "a version, as in: nncc " NNCC_VERSION);
    next(p);
    if (eat(p, ".")) take(p, T_INT, "the third part of the version");
    read_version(NNCC_VERSION, &own);
    if (given.major > own.major || (given.major == own.major && given.minor > own.minor))
        warn(p->m, "the text is for nncc %s, this one is " NNCC_VERSION ": what it does not know is an error",
             show(p, text));
}

static void parse_header(Parser *p) {
    if (!eat(p, "module")) return;
    if (!see(p, "{")) expected(p, "'{'");
    Attrs fields = parse_attrs(p, false);
    p->serial = 0;
    for (int i = 0; i < fields.n; i++)
        if (!text_field(p->m, &fields.at[i]) && !number_field(p, &fields.at[i]))
            FAIL(p, fields.loc[i],
                 "a module has source, sha, producer, after (strings), serial, kernels, weights (numbers)");
    p->typed = p->m->after != NULL;
}

/* A bound on the command line goes before the file's, but a dump's is part of what was computed with it. */
static void parse_dim_line(Parser *p) {
    Loc at = here(p);
    DimBinding *d = NEW(p->m->arena, DimBinding);
    d->name = take(p, p->l.tok.kind == T_STR ? T_STR : T_NAME, "the name of a dim");
    expect(p, "=");
    d->min = d->max = parse_int(p);
    if (eat(p, "..")) d->max = parse_int(p);
    if (d->max > d->min && eat(p, ":")) d->step = parse_int(p);
    bool counted = p->serial >= 0; /* in a dump, which has dims that data gives, too */
    if (d->min < 0 || d->max < !counted || d->max < d->min)
        FAIL(p, at, "expected 0 <= lowest <= highest, and the highest at least 1");
    if (d->step < 0 || (d->step && (d->min % d->step || d->max % d->step)))
        FAIL(p, at, "expected a lowest and a highest that are multiples of the step");
    if (map_get(p->defaults, d->name))
        FAIL(p, at, "the dim line of '%s' has to be before what uses it", show(p, d->name));
    map_set(p->dims, d->name, d);
    const DimBinding *used = find_dim(p, d->name);
    if (p->m->after && (used->min != d->min || used->max != d->max || used->step != d->step))
        FAIL(p, at, "the dump was taken with %s = %lld..%lld", show(p, d->name), (long long)d->min, (long long)d->max);
    if (used->min < used->max) use_bound(p, used);
}

/* NULL: contents are meant. */
static const char *parse_initializer(Parser *p) {
    static const char *const contents[] = {"splat", "weights", "inf", "nan", "true", "false"};
    if (p->l.tok.kind != T_NAME) return NULL;
    for (int i = 0; i < COUNT(contents); i++)
        if (see(p, contents[i])) return NULL;
    return initializer_here(p);
}

/* Texts of before have a type for strings, and no contents. */
static Tensor *no_strings(Parser *p, const Type *t) {
    int64_t dim[MAX_RANK];
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i].max;
    return strings_new(p->m->arena, t->rank, dim, NULL);
}

static void parse_outside(Parser *p, ValueKind kind) {
    Defined t = {.loc = here(p), .used = true};
    t.name = take(p, T_VALUE, "a name and a type");
    Value *v = outside_new(p->m, kind, t.name, NULL);
    v->loc = t.loc;
    define(p, t, v);
    expect(p, ":");
    v->type = parse_type(p);
    parse_layout(p, v);
    bool given = eat(p, "=");
    if (given && kind != V_CONST) v->init = parse_initializer(p);
    if (given && !v->init) v->data = parse_contents(p, &v->type);
    if (!given && v->type.dtype == DT_str && type_known(&v->type)) v->data = no_strings(p, &v->type);
    if (kind == V_CONST ? !v->data : !type_known(&v->type))
        FAIL(p, t.loc, "'%%%s' needs %s", show(p, t.name), kind == V_CONST ? "contents" : "a full type");
}

static void parse_const(Parser *p) { parse_outside(p, V_CONST); }
static void parse_param(Parser *p) { parse_outside(p, V_PARAM); }
static void parse_state(Parser *p) { parse_outside(p, V_STATE); }

static void parse_meta(Parser *p, const char *keyword) {
    Meta *meta = NEW(p->m->arena, Meta);
    Loc *at = NEW(p->m->arena, Loc);
    *at = here(p);
    meta->keyword = keyword;
    meta->network = take(p, T_AT, "the name of the network");
    if (!see(p, "{")) expected(p, "'{'");
    Attrs attrs = parse_attrs(p, true);
    check_loss_entries(p, keyword, &attrs);
    meta->n = attrs.n, meta->attr = attrs.at;
    push(p->m->arena, &p->m->metas, meta);
    push(p->m->arena, &p->meta_locs, at);
}

static void parse_data(Parser *p) { parse_meta(p, "data"); }
static void parse_train(Parser *p) { parse_meta(p, "train"); }
static void parse_io(Parser *p) { parse_meta(p, "io"); }

static void check_file(Parser *p) {
    if (!p->m->main) FAIL(p, here(p), "the file has no network; it begins with: network @name(%%input: f32[1,2]) {");
    for (int i = 0; i < p->m->metas.n; i++) {
        const Meta *meta = p->m->metas.at[i];
        if (strcmp(meta->network, p->m->main->name))
            FAIL(p, *(Loc *)p->meta_locs.at[i], "the network is called '@%s'", show(p, p->m->main->name));
    }
    stop_on_problems(p->m);
    finish_losses(p);
    stop_on_problems(p->m);
}

static const struct {
    const char *keyword;
    void (*parse)(Parser *);
} items[] = {{"network", parse_network}, {"func", parse_func},   {"const", parse_const},
             {"param", parse_param},     {"state", parse_state}, {"dim", parse_dim_line},
             {"data", parse_data},       {"train", parse_train}, {"io", parse_io}};

static void parse_item(Parser *p) {
    for (int i = 0; i < COUNT(items); i++)
        if (eat(p, items[i].keyword)) {
            items[i].parse(p);
            return;
        }
    expected(p, "network, func, const, param, state, dim, data, train or io");
}

/* text[n] is 0. */
void parse_text(Module *m, const char *path, const char *text, size_t n) {
    Parser p = {.m = m,
                .path = strcmp(path, "-") ? arena_str(m->arena, path) : "<stdin>",
                .weights_said = -1,
                .serial = -1,
                .typed = true,
                .budget = OPENED_STATEMENTS};
    m->text = text;
    if (strlen(text) != n) fatal(m, EXIT_INPUT, "the text has a NUL byte in it");
    p.functions = map_new(m->arena), p.taken = map_new(m->arena), p.dims = map_new(m->arena);
    p.defaults = map_new(m->arena);
    p.scope = p.globals = open_scope(&p, NULL, NULL);
    lex_start(&p.l, m->arena, text);
    find_places(&p);
    parse_version(&p);
    parse_header(&p);
    while (p.l.tok.kind != T_END) parse_item(&p);
    check_file(&p);
    if (p.serial >= 0) m->serial = p.serial;
}
