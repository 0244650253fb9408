/* call.c - calls of the .nn language: of operators, layers, and functions, which are inlined. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ops/ops.h"
#include "text/layers.h"
#include "text/parser.h"
#include "text/text.h"

/* ---- literals among arguments ---- */

static Value *literal_value(Parser *p, const Attr *a, DType t, Loc at) {
    bool list = a->kind == A_INTS || a->kind == A_FLOATS, ints = a->kind == A_INT || a->kind == A_INTS;
    if (!ints && a->kind != A_FLOAT && a->kind != A_FLOATS) FAIL(p, at, "expected a value or a number");
    if (!ints && !is_float(t)) FAIL(p, at, "expected a whole number: the operator takes %s here", dtypes[t].name);
    Tensor *c = tensor_new(p->m->arena, t, list, (int64_t[]){a->n});
    for (int i = 0; i < c->count; i++) {
        if (ints)
            set_i(c, i, list ? a->ints[i] : a->i);
        else
            set_f(c, i, list ? a->floats[i] : a->f);
    }
    Value *v = const_new(p->m, NULL, c);
    v->loc = at;
    return v;
}

/* The letter of the row's types for argument i. */
static char arg_letter(const Op *op, int i) {
    const char *s = op->in_types;
    if (!s) return 'T';
    int n = (int)strlen(s);
    char c = s[i < n ? i : n - 1];
    return c == '.' && n > 1 ? s[n - 2] : c;
}

/* A number takes the type of the tensors that share its letter; alone it is f32, among indices i64. */
static DType literal_dtype(const Op *op, const List *args, int i) {
    const Arg *a = args->at[i];
    char c = op ? arg_letter(op, i) : '*';
    if (c == 'l' || c == 'i') return DT_i64;
    if (c == 'b') return DT_bool;
    for (int k = 0; op && k < args->n; k++) {
        const Arg *other = args->at[k];
        if (other->value && arg_letter(op, k) == c && other->value->type.dtype != DT_none)
            return other->value->type.dtype;
    }
    return !op && (a->literal.kind == A_INT || a->literal.kind == A_INTS) ? DT_i64 : DT_f32;
}

/* The arguments as values; op NULL: of a layer or function. */
static Value **arg_values(Parser *p, const Op *op, const List *args) {
    Value **v = NEW_ARRAY(p->m->arena, Value *, args->n);
    for (int i = 0; i < args->n; i++) {
        const Arg *a = args->at[i];
        v[i] = a->literal.kind ? literal_value(p, &a->literal, literal_dtype(op, args, i), a->loc) : a->value;
    }
    return v;
}

/* ---- calls ---- */

/* From the innermost scope outwards. */
static const char *suggest_value(Parser *p, const char *name) {
    const char *hint = "";
    for (const Scope *s = p->scope; s && !*hint; s = s->outer) hint = suggest_key(p->m->arena, name, s->values);
    return *hint ? hint : suggest_key(p->m->arena, name, p->globals->values);
}

static Value *use(Parser *p) {
    Loc at = here(p);
    const char *name = take(p, T_VALUE, "a value");
    Value *v = find_named(p, name);
    if (!v) FAIL(p, at, "'%%%s' is not defined here%s", show(p, name), suggest_value(p, name));
    return v;
}

void rename_value(Module *m, Value *v, const char *name) {
    if (v->kind != V_NODE || map_get(m->names, name)) return;
    v->name = arena_str(m->arena, name);
    map_set(m->names, v->name, v);
    map_set(v->graph->names, v->name, v);
}

/* Types are needed while reading, for layers to size their parameters by; nodes with regions wait for the pass, which
 * may put a branch in their place. */
void type_now(Parser *p, Node *n) {
    bool regions = false;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) regions |= n->attr[i].graph != NULL;
    if (!p->typed || regions) return;
    int said = p->m->problems.n;
    (n->graph->outer ? infer_node : infer_sized)(n);
    if (n->graph->outer) p->m->problems.n = said; /* what a region decides the pass will see */
}

static Defined *unnamed(Parser *p) {
    Defined *t = NEW(p->m->arena, Defined);
    t->used = true;
    return t;
}

static Value *nested_call(Parser *p) {
    Call c = {0};
    push(p->m->arena, &c.targets, unnamed(p));
    parse_call(p, &c);
    if (c.node) type_now(p, c.node);
    return c.result[0];
}

Arg *parse_arg(Parser *p) {
    Arg *a = NEW(p->m->arena, Arg);
    TokenKind kind = p->l.tok.kind;
    a->loc = here(p);
    if (kind == T_VALUE)
        a->value = use(p);
    else if (eat(p, "_"))
        return a;
    else if (kind == T_AT || (kind == T_NAME && !find_word(p, p->l.tok.s)))
        a->value = nested_call(p);
    else if (kind == T_NAME || kind == T_INT || kind == T_FLOAT || see(p, "-") || see(p, "["))
        parse_literal(p, &a->literal);
    else
        expected(p, "a value, a number or a call");
    return a;
}

static void parse_args(Parser *p, List *args) {
    expect(p, "(");
    while (!see(p, ")")) {
        push(p->m->arena, args, parse_arg(p));
        if (!eat(p, ",")) break;
    }
    expect(p, ")");
}

static const char *kind_text(AttrKind kind) {
    static const char *const text[] = {
        [A_NONE] = "nothing",         [A_INT] = "an integer",          [A_FLOAT] = "a number",
        [A_STR] = "a word",           [A_INTS] = "a list of integers", [A_FLOATS] = "a list of numbers",
        [A_STRS] = "a list of words", [A_TENSOR] = "a tensor",         [A_GRAPH] = "a graph in braces",
        [A_LOSS] = "a loss"};
    return text[kind];
}

static void set_op_attr(Parser *p, Node *n, Attr a, Loc at) {
    const char *names[ROW_ATTRS];
    int count = 0;
    for (const Attr *row = n->op->attr; count < ROW_ATTRS && row->name; row++) {
        names[count++] = row->name;
        if (strcmp(row->name, a.name)) continue;
        if (!coerce_attr(p->m->arena, &a, row->kind))
            FAIL(p, at, "'%s' of %s is %s", row->name, n->op->name, kind_text(row->kind));
        set_attr(n, &a);
        if (a.kind == A_GRAPH) a.graph->owner = n;
        return;
    }
    FAIL(p, at, "'%s' has no attribute '%s'%s", n->op->name, show(p, a.name),
         choices(p->m->arena, a.name, "it has", count, names));
}

static const char *lower_case(Arena *a, const char *name) {
    char *s = arena_str(a, name);
    for (char *c = s; *c; c++) *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return s;
}

static Value *new_result(Parser *p, Node *n, const Defined *t, int i) {
    const char *name = t->name ? t->name : lower_case(p->m->arena, n->op->name);
    Value *v = value_new(p->g, fresh_name(p, name), (Type){.dtype = DT_none, .rank = -1});
    v->def = n, v->result = i, v->loc = n->loc;
    return v;
}

static void call_operator(Parser *p, Call *c, const Op *op) {
    Node *n = node_new(p->g, NULL, op, c->args.n, arg_values(p, op, &c->args), 0, NULL, c->loc);
    n->nout = c->targets.n, n->out = NEW_ARRAY(p->m->arena, Value *, n->nout);
    for (int i = 0; i < n->nout; i++) {
        const Defined *t = c->targets.at[i];
        if (t->used) n->out[i] = new_result(p, n, t, i);
    }
    for (int i = 0; i < c->attrs.n; i++) set_op_attr(p, n, c->attrs.at[i], c->attrs.loc[i]);
    c->node = n, c->result = n->out;
}

/* The name under which a layer or function opens: its result's, else its own. */
static const char *stem_of(Parser *p, const Call *c) {
    const Defined *t = c->targets.n ? c->targets.at[0] : NULL;
    return fresh_name(p, t && t->name ? t->name : c->name);
}

static void call_layer(Parser *p, Call *c) {
    const char *stem = stem_of(p, c);
    if (!c->targets.n) FAIL(p, c->loc, "expected a name for the result of '%s'", c->name);
    build_layer(p, c, arg_values(p, NULL, &c->args), stem);
}

/* ---- functions ---- */

static const char *bind_word(Parser *p, const Call *c, bool *used) {
    const char *name = take(p, T_NAME, "a parameter: %value or name = default");
    Attr a = {.name = name, .set = true};
    expect(p, "=");
    parse_literal(p, &a);
    for (int i = 0; i < c->attrs.n; i++)
        if (!strcmp(c->attrs.at[i].name, name)) a = c->attrs.at[i], used[i] = true;
    define_word(p, name, &a);
    return name;
}

static void bind_value(Parser *p, const Call *c, Value *const *args, int i) {
    Defined t = {.loc = here(p), .used = true};
    t.name = take(p, T_VALUE, "a parameter");
    if (i >= c->args.n || !args[i]) FAIL(p, c->loc, "'%s' needs a value for '%%%s'", show(p, c->name), show(p, t.name));
    define(p, t, args[i]);
    if (!eat(p, ":")) return;
    Type type = parse_type(p);
    if (args[i]->type.dtype != type.dtype || !same_shape(&args[i]->type, &type))
        FAIL(p, c->loc, "'%%%s' of '%s': expected %s, saw %s", show(p, t.name), show(p, c->name),
             type_text(p->m->arena, &type), type_text(p->m->arena, &args[i]->type));
}

static void bind_params(Parser *p, const Call *c, Value *const *args) {
    bool *used = NEW_ARRAY(p->m->arena, bool, c->attrs.n);
    List words = {0};
    int n = 0;
    expect(p, "(");
    while (!see(p, ")")) {
        if (p->l.tok.kind == T_VALUE)
            bind_value(p, c, args, n++);
        else
            push(p->m->arena, &words, (void *)(uintptr_t)bind_word(p, c, used));
        if (!eat(p, ",")) break;
    }
    expect(p, ")");
    if (n < c->args.n) FAIL(p, c->loc, "'%s': expected %d values, saw %d", show(p, c->name), n, c->args.n);
    for (int i = 0; i < c->attrs.n; i++)
        if (!used[i])
            FAIL(p, c->attrs.loc[i], "'%s' has no parameter '%s'%s", show(p, c->name), show(p, c->attrs.at[i].name),
                 choices(p->m->arena, c->attrs.at[i].name, "it has", words.n, (const char *const *)(void *)words.at));
}

/* A result made inside gets the name it is given outside. */
static void take_results(Parser *p, Call *c, const List *results, const char *stem) {
    if (results->n != c->targets.n)
        FAIL(p, c->loc, "'%s': expected names for %d values, saw %d", show(p, c->name), results->n, c->targets.n);
    c->result = (Value **)(void *)results->at;
    for (int i = 0; i < results->n; i++) {
        const Defined *t = c->targets.at[i];
        size_t n = strlen(stem);
        bool inside = !strncmp(c->result[i]->name, stem, n) && c->result[i]->name[n] == '.';
        if (inside && (t->name || i == 0)) rename_value(p->m, c->result[i], i == 0 ? stem : fresh_name(p, t->name));
    }
}

static void call_function(Parser *p, Call *c, Function *f) {
    Lexer after = p->l;
    Scope *caller = p->scope;
    Value **args = arg_values(p, NULL, &c->args);
    const char *stem = stem_of(p, c);
    List results = {0};
    if (f->active) FAIL(p, c->loc, "'%s' calls itself", show(p, f->name));
    f->active = true, p->opened++;
    p->l = f->start, p->scope = open_scope(p, NULL, stem);
    bind_params(p, c, args);
    parse_block(p, &results);
    f->active = false, p->opened--;
    p->l = after, p->scope = caller;
    take_results(p, c, &results, stem);
}

Value *call_by_value(Parser *p, Function *f, const List *args, const Attrs *attrs, Loc at) {
    Call c = {.name = f->name, .loc = at, .args = *args, .attrs = *attrs};
    push(p->m->arena, &c.targets, unnamed(p));
    call_function(p, &c, f);
    return c.result[0];
}

/* ---- any call ---- */

/* A name with points: what is before the last is the domain. */
static const Op *find_operator(Parser *p, const char *name) {
    const char *point = strrchr(name, '.');
    if (!point) return find_op(NULL, name);
    return find_op(format(p->m->arena, "%.*s", (int)(point - name), name), point + 1);
}

/* Names in lower case are layers, others operators: the likelier are searched first. All layers are listed; operators
 * are too many. */
static const char *suggest_call(Parser *p, const char *name) {
    Arena *a = p->m->arena;
    int layers;
    const char *const *layer = layer_names(a, &layers), **op = NEW_ARRAY(a, const char *, n_ops);
    for (int i = 0; i < n_ops; i++) op[i] = ops[i].name;
    const char *of_layers = suggest(a, name, layers, layer), *of_ops = suggest(a, name, n_ops, op);
    if (name[0] < 'a') return *of_ops ? of_ops : *of_layers ? of_layers : "; nncc --list-ops prints those there are";
    return *of_layers || !*of_ops ? choices(a, name, "there are", layers, layer) : of_ops;
}

static _Noreturn void unknown_call(Parser *p, const Call *c, bool function) {
    const char *near = suggest_key(p->m->arena, c->name, p->functions);
    if (function)
        FAIL(p, c->loc, "unknown function '%s'%s", show(p, c->name),
             *near ? near : "; a function has to be defined before its first use");
    const char *what = c->name[0] >= 'a' ? "layer or function" : "operator";
    FAIL(p, c->loc, "unknown %s '%s'%s", what, show(p, c->name), *near ? near : suggest_call(p, c->name));
}

void parse_call(Parser *p, Call *c) {
    bool function = p->l.tok.kind == T_AT;
    enter(p);
    c->loc = here(p);
    c->name = take(p, function ? T_AT : T_NAME, "an operator, a layer or a function");
    Function *f = map_get(p->functions, c->name);
    const Op *op = function ? NULL : find_operator(p, c->name);
    if (!f && !op && (function || !is_layer(c->name))) unknown_call(p, c, function);
    parse_args(p, &c->args);
    c->attrs = parse_attrs(p, false);
    if (f)
        call_function(p, c, f);
    else if (op)
        call_operator(p, c, op);
    else
        call_layer(p, c);
    leave(p);
}
