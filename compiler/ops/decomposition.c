/* decomposition.c - the definition language: infix text to nodes.
 *
 *   meaning ::= (name '=' expr ';')* expr (',' expr)*
 *   expr    ::= expr infix expr | '-' expr | '!' expr | expr '?' expr ':' expr | number | string | '[' expr,* ']' |
 * name | Op '(' (expr | attr '=' expr),* ')' | helper '(' expr,* ')' | '(' expr ')'
 *
 * An expression is a value of the graph, or known at compile time: a number, a string, a list of integers. Operators
 * between two known numbers compute; between a number and a value, the number becomes a constant of the value's type. A
 * condition before '?' must be known. Names are looked up among the meaning's own, the inputs (a b c … and the row's
 * .args), the row's attributes, and T and Y, the types of the first input and the first result. */
#include "ops/decomposition.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_nn.h"
#include <math.h>

static Item expression(Decomposition *, int prec);

/* ---- faults: a meaning is ours, so a wrong one is a bug ---- */

void wrong_decomposition(Decomposition *g, const char *what) {
    if (g->dry) {
        if (!g->wrong) g->wrong = format(g->arena, "%s at %s in \"%s\"", what, lex_seen(&g->lex), g->text);
        return;
    }
    if (g->typing) { /* the text was checked: it is the model that does not fit */
        problem(g->node, EXIT_INPUT, "expected inputs of other ranks or extents: %s", what);
        g->dry = true;
        return;
    }
    fprintf(stderr, "nncc: meaning \"%s\": %s at %s\n", g->text, what, lex_seen(&g->lex));
    bug(__FILE__, __LINE__, "a meaning is wrong");
}

static void expect(Decomposition *g, const char *punct) {
    if (!lex_accept(&g->lex, punct)) wrong_decomposition(g, format(g->arena, "expected '%s'", punct));
}

Item an_int(int64_t i) { return (Item){.kind = I_INT, .i = i}; }
Item a_value(Value *v) { return (Item){.kind = v ? I_VALUE : I_NONE, .v = v}; }
bool is_number(Item x) { return x.kind == I_INT || x.kind == I_FLOAT; }
double item_number(Item x) { return x.kind == I_INT ? (double)x.i : x.f; }

/* A value for names that stand for one while a text is only checked. */
Item any_value(Decomposition *g) {
    Item x = {.kind = I_VALUE};
    x.v = NEW(g->arena, Value);
    x.v->type = (Type){.dtype = DT_f32, .rank = 4, .dim = {{2, NULL}, {2, NULL}, {2, NULL}, {2, NULL}}};
    return x;
}

/* ---- nodes ---- */

static Value *constant_value(Decomposition *g, Item x, DType t) {
    if (x.kind == I_VALUE) return x.v;
    if (x.kind == I_NONE) return NULL;
    if (g->dry) return any_value(g).v;
    if (x.kind == I_INTS) return const_ints(g->m, x.n, x.ints);
    if (!is_number(x)) {
        wrong_decomposition(g, "expected a value or a number");
        return NULL;
    }
    return const_scalar(g->m, t, item_number(x));
}

static DType first_type(const Item *x, int n) {
    for (int i = 0; i < n; i++)
        if (x[i].kind == I_VALUE && x[i].v->type.dtype != DT_bool) return x[i].v->type.dtype;
    return DT_f32;
}

static char letter_of(const Op *op, int i) {
    const char *s = op->in_types ? op->in_types : "T";
    size_t n = strlen(s);
    char c = (size_t)i < n ? s[i] : s[n - 1];
    return c == '.' && n > 1 ? s[n - 2] : c;
}

Node *build_call(Decomposition *g, const Op *op, const Item *x, int n) {
    Value *in[MAX_ARGS];
    DType t = first_type(x, n);
    for (int i = 0; i < n; i++) {
        bool axes = letter_of(op, i) == 'l', whole = letter_of(op, i) == 'i' && is_number(x[i]);
        if (axes && x[i].kind == I_INT)
            in[i] = g->dry ? any_value(g).v : const_ints(g->m, 1, &x[i].i);
        else
            in[i] = constant_value(g, x[i], axes || whole ? DT_i64 : t);
    }
    while (n && !in[n - 1]) n--;
    if (g->dry) return NULL;
    return insert_node(g->at, op, n, in);
}

Item item_of(Decomposition *g, Node *n) {
    if (g->dry) return any_value(g);
    infer_node(n);
    if (g->typing && !type_known(&n->out[0]->type)) { /* it has said what is wrong; nothing more is built */
        g->dry = true;
        return any_value(g);
    }
    if (!type_known(&n->out[0]->type)) { /* inputs that no type letter of the composite's row ruled out */
        if (!g->m->problems.n) problem(g->at, EXIT_UNSUPPORTED, "its meaning does not take these types");
        stop_on_problems(g->m);
    }
    return a_value(n->out[0]);
}

Item call_row(Decomposition *g, int op, const Item *x, int n) { return item_of(g, build_call(g, &ops[op], x, n)); }

/* ---- operators on known numbers ---- */

static Item compute(Decomposition *g, const Op *op, Item a, Item b) {
    if (a.kind == I_STR || b.kind == I_STR) {
        if (a.kind != b.kind || op != &ops[OP_Equal]) wrong_decomposition(g, "strings can only be compared");
        return an_int(a.kind == b.kind && a.s && b.s && !strcmp(a.s, b.s));
    }
    bool whole = a.kind == I_INT && b.kind == I_INT;
    if (op == &ops[OP_Div] && whole && (b.i == 0 || a.i % b.i)) whole = false;
    if (whole) return an_int(op->eval_i(a.i, b.i, 0));
    double f = op->eval_f(item_number(a), item_number(b), 0);
    return op->out_types && op->out_types[0] == 'b' ? an_int(f != 0) : (Item){.kind = I_FLOAT, .f = f};
}

static Item combine(Decomposition *g, const Op *op, Item a, Item b) {
    if (op == &ops[OP_And] && a.kind == I_INT && b.kind == I_INT) return an_int(a.i && b.i);
    if (op == &ops[OP_Or] && a.kind == I_INT && b.kind == I_INT) return an_int(a.i || b.i);
    if (a.kind != I_VALUE && b.kind != I_VALUE) return compute(g, op, a, b);
    return item_of(g, build_call(g, op, (Item[]){a, b}, 2));
}

/* ---- names ---- */

/* A list of numbers is a vector of floats, which are doubles with --real=f64. */
static Item floats_item(Decomposition *g, const Attr *a) {
    Tensor *t = tensor_new(g->arena, g->m->opt->real_f64 ? DT_f64 : DT_f32, 1, (int64_t[]){a->n});
    for (int i = 0; i < a->n; i++) set_f(t, i, a->floats[i]);
    return a_value(const_new(g->m, NULL, t));
}

static Item attr_item(Decomposition *g, const Attr *a) {
    bool list = a->kind == A_FLOATS || a->kind == A_STRS;
    if (list && g->dry) return any_value(g);
    if (list && !a->n) return (Item){.kind = I_NONE};
    switch (a->kind) {
    case A_FLOATS: return floats_item(g, a);
    case A_STRS: return a_value(const_new(g->m, NULL, strings_new(g->arena, 1, (int64_t[]){a->n}, a->strs)));
    case A_INT: return (Item){.kind = I_INT, .i = a->i, .unset = !a->set && !a->i};
    case A_FLOAT: return (Item){.kind = I_FLOAT, .f = a->f, .unset = !a->set && a->f == 0};
    case A_STR: return (Item){.kind = I_STR, .s = a->s ? a->s : ""};
    case A_INTS: return a->set || a->n ? (Item){.kind = I_INTS, .n = a->n, .ints = a->ints} : (Item){.kind = I_NONE};
    default: return (Item){.kind = I_NONE};
    }
}

static bool same_word(const char *word, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        char c = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
        if (c != name[i]) return false;
    }
    return name[n] == 0;
}

/* The index of an input by its letter or its name in .args; -1 if it is none. */
static int input_index(const Op *op, const char *name) {
    if (name[0] && !name[1] && name[0] >= 'a' && name[0] <= 'p' && name[0] - 'a' < max_inputs(op)) return name[0] - 'a';
    int i = 0;
    for (const char *w = op->args; w && *w; w = next_word(w), i++)
        if (same_word(w, word_length(w), name)) return i;
    return -1;
}

/* y0 y1 …: results; g0 g1 …: their gradients. */
static bool find_result(Decomposition *g, const char *name, Item *x) {
    if ((name[0] != 'y' && name[0] != 'g') || name[1] < '0' || name[1] > '9' || name[2]) return false;
    int i = name[1] - '0';
    if (i >= max_outputs(g->op)) return false;
    if (g->dry)
        *x = any_value(g);
    else
        *x = a_value(name[0] == 'y' ? output(g->node, i) : i < g->node->nout ? g->upstream[i] : NULL);
    return true;
}

static bool find_name(Decomposition *g, const char *name, Item *x) {
    for (int i = g->nbound - 1; i >= 0; i--)
        if (!strcmp(g->bound[i].name, name)) {
            *x = g->bound[i].item;
            return true;
        }
    if (!g->op) return false;
    for (int i = 0; i < ROW_ATTRS && g->op->attr[i].name; i++)
        if (!strcmp(g->op->attr[i].name, name)) {
            *x = attr_item(g, g->dry ? &g->op->attr[i] : &g->node->attr[i]);
            return true;
        }
    int i = input_index(g->op, name);
    if (i >= 0) {
        *x = g->dry ? any_value(g) : a_value(input(g->node, i));
        return true;
    }
    if (g->gradient && find_result(g, name, x)) return true;
    bool result = !strcmp(name, "Y");
    if (strcmp(name, "T") && !result) return false;
    *x = (Item){.kind = I_TYPE,
                .i = g->dry   ? DT_f32
                     : result ? g->node->out[0]->type.dtype
                              : g->node->in[0]->type.dtype};
    return true;
}

/* ---- the grammar ---- */

static void set_item_attr(Decomposition *g, Node *n, const char *name, Item x) {
    bool found = false;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) found = found || !strcmp(n->op->attr[i].name, name);
    if (!found) {
        wrong_decomposition(g, format(g->arena, "%s has no attribute '%s'", n->op->name, name));
        return;
    }
    AttrKind kind = attr(n, name)->kind;
    if (x.kind == I_NONE) return;
    if (kind == A_FLOAT)
        set_attr_f(n, name, item_number(x));
    else if (x.kind == I_INT)
        set_attr_i(n, name, x.i);
    else if (x.kind == I_TYPE)
        set_attr_i(n, name, dtypes[x.i].onnx);
    else if (x.kind == I_STR)
        set_attr_s(n, name, x.s);
    else if (x.kind == I_INTS)
        set_attr_ints(n, name, x.n, x.ints);
    else
        wrong_decomposition(g, "an attribute must be known at compile time");
}

static Item call_op(Decomposition *g, const Op *op) {
    Item x[MAX_ARGS];
    const char *attr_name[ROW_ATTRS];
    Item attr_value[ROW_ATTRS];
    int n = 0, nattr = 0;
    while (!lex_is(&g->lex, ")") && n < MAX_ARGS && !g->wrong) {
        Lexer before = g->lex;
        const char *name = g->lex.tok.kind == T_NAME ? g->lex.tok.s : NULL;
        lex_next(&g->lex);
        if (name && lex_accept(&g->lex, "=") && nattr < ROW_ATTRS) {
            attr_name[nattr] = name;
            attr_value[nattr++] = expression(g, 0);
        } else {
            g->lex = before;
            x[n++] = expression(g, 0);
        }
        if (!lex_accept(&g->lex, ",")) break;
    }
    expect(g, ")");
    Node *node = build_call(g, op, x, n);
    for (int i = 0; i < nattr && node; i++) set_item_attr(g, node, attr_name[i], attr_value[i]);
    return item_of(g, node);
}

static Item call_helper(Decomposition *g, int h) {
    Item x[4] = {{.kind = I_NONE}, {.kind = I_NONE}, {.kind = I_NONE}, {.kind = I_NONE}};
    int n = 0;
    while (!lex_is(&g->lex, ")") && n < 4 && !g->wrong) {
        x[n] = expression(g, 0);
        if (g->dry && x[n].kind == I_NONE) x[n] = any_value(g); /* of a part that is read over */
        n++;
        if (!lex_accept(&g->lex, ",")) break;
    }
    expect(g, ")");
    if (n < helpers[h].least || n > helpers[h].most) {
        wrong_decomposition(g, "wrong number of arguments");
        return any_value(g);
    }
    return helpers[h].f(g, x, n);
}

static Item call(Decomposition *g, const char *name) {
    for (int i = 0; helpers[i].name; i++)
        if (!strcmp(helpers[i].name, name)) return call_helper(g, i);
    const Op *op = find_op(NULL, name);
    if (!op) op = find_op("com.microsoft", name);
    if (!op) {
        wrong_decomposition(g, format(g->arena, "unknown function '%s'", name));
        return any_value(g);
    }
    return call_op(g, op);
}

static Item list(Decomposition *g) {
    int64_t v[MAX_RANK * 2];
    int n = 0;
    while (!lex_is(&g->lex, "]") && n < COUNT(v) && !g->wrong) {
        Item x = expression(g, 0);
        if (x.kind != I_INT) wrong_decomposition(g, "a list holds known integers");
        v[n++] = x.i;
        if (!lex_accept(&g->lex, ",")) break;
    }
    expect(g, "]");
    return ints_item(g, n, v);
}

static Item negative(Decomposition *g, Item x) {
    if (x.kind == I_INT) return an_int(-x.i);
    if (x.kind == I_FLOAT) return (Item){.kind = I_FLOAT, .f = -x.f};
    return call_row(g, OP_Neg, &x, 1);
}

static Item inverse(Decomposition *g, Item x) {
    return x.kind == I_VALUE ? call_row(g, OP_Not, &x, 1) : an_int(!item_number(x));
}

static Item primary(Decomposition *g) {
    Token t = g->lex.tok;
    Item x = {.kind = I_NONE};
    if (++g->depth > DEEPEST) {
        wrong_decomposition(g, "nested too deeply");
        return any_value(g);
    }
    lex_next(&g->lex);
    if (t.kind == T_INT)
        x = an_int((int64_t)t.u);
    else if (t.kind == T_FLOAT)
        x = (Item){.kind = I_FLOAT, .f = t.f};
    else if (t.kind == T_STR)
        x = (Item){.kind = I_STR, .s = t.s};
    else if (t.kind == T_NAME && lex_accept(&g->lex, "("))
        x = call(g, t.s);
    else if (t.kind == T_NAME) {
        if (!find_name(g, t.s, &x)) wrong_decomposition(g, format(g->arena, "unknown name '%s'", t.s));
    } else if (t.kind == T_PUNCT && !strcmp(t.s, "(")) {
        x = expression(g, 0);
        expect(g, ")");
    } else if (t.kind == T_PUNCT && !strcmp(t.s, "["))
        x = list(g);
    else if (t.kind == T_PUNCT && !strcmp(t.s, "-"))
        x = negative(g, expression(g, 13));
    else if (t.kind == T_PUNCT && !strcmp(t.s, "!"))
        x = inverse(g, expression(g, 13));
    else
        wrong_decomposition(g, "expected an expression");
    g->depth--;
    return x;
}

static const Op *infix_row(const Token *t) {
    if (t->kind != T_PUNCT) return NULL;
    for (int i = 0; i < n_ops; i++)
        if (ops[i].infix && !strcmp(ops[i].infix, t->s)) return &ops[i];
    return NULL;
}

static bool truth(Decomposition *g, Item x) {
    if (is_number(x)) return item_number(x) != 0;
    wrong_decomposition(g, "a condition must be known at compile time");
    return false;
}

/* Reads a part that is not chosen without building it. */
static void skip(Decomposition *g, int prec) {
    bool dry = g->dry;
    g->dry = true;
    expression(g, prec);
    g->dry = dry;
}

static Item choose(Decomposition *g, Item condition) {
    bool yes = g->dry || truth(g, condition);
    Item x = {.kind = I_NONE};
    if (yes)
        x = expression(g, 0);
    else
        skip(g, 0);
    expect(g, ":");
    if (yes)
        skip(g, 1);
    else
        x = expression(g, 1);
    return x;
}

static Item expression(Decomposition *g, int prec) {
    Item x = primary(g);
    for (;;) {
        const Op *op = infix_row(&g->lex.tok);
        if (op && op->prec > prec) {
            lex_next(&g->lex);
            Item y = expression(g, op->prec);
            x = combine(g, op, x, y);
        } else if (prec < ops[OP_Equal].prec && lex_accept(&g->lex, "!=")) {
            x = inverse(g, combine(g, &ops[OP_Equal], x, expression(g, ops[OP_Equal].prec)));
        } else if (prec <= 1 && lex_accept(&g->lex, "?")) {
            x = choose(g, x);
        } else {
            return x;
        }
        if (g->wrong) return x;
    }
}

static void bind(Decomposition *g, const char *name, Item x) {
    if (g->nbound == MAX_BINDINGS) {
        wrong_decomposition(g, "too many names");
        return;
    }
    g->bound[g->nbound++] = (Binding){name, x};
}

/* name '=' at the start of a statement; anything else is a result. */
static bool statement(Decomposition *g) {
    if (g->lex.tok.kind != T_NAME) return false;
    Lexer before = g->lex;
    const char *name = g->lex.tok.s;
    lex_next(&g->lex);
    if (!lex_accept(&g->lex, "=")) {
        g->lex = before;
        return false;
    }
    bind(g, name, expression(g, 0));
    expect(g, ";");
    return true;
}

static int results(Decomposition *g, int max, Item *out) {
    int n = 0;
    do {
        if (n == max) {
            wrong_decomposition(g, "too many results");
            break;
        }
        out[n++] = expression(g, 0);
    } while (lex_accept(&g->lex, ","));
    if (g->lex.tok.kind != T_END) wrong_decomposition(g, "expected the end");
    return n;
}

static int run_text(Decomposition *g, int max, Item *out) {
    lex_start(&g->lex, g->arena, g->text);
    while (!g->wrong && statement(g)) {}
    return g->wrong ? 0 : results(g, max, out);
}

enum { MAX_RESULTS = 8 };

void expand_def(Node *n) {
    Item out[MAX_RESULTS];
    Decomposition g = {.m = n->graph->module, .arena = n->graph->module->arena, .at = n, .node = n, .op = n->op};
    g.text = n->op->def ? n->op->def : n->op->opened;
    int count = run_text(&g, MAX_RESULTS, out);
    for (int i = 0; i < n->nout; i++) {
        if (!n->out[i]) continue;
        if (i >= count) {
            problem(n, EXIT_UNSUPPORTED, "its result %d is not supported", i + 1);
            return;
        }
        Value *v = constant_value(&g, out[i], n->out[i]->type.dtype);
        if (!v) bug(__FILE__, __LINE__, "a meaning without a value");
        replace_keeping_name(n->out[i], v);
    }
    unlink_node(n);
}

void infer_by_meaning(Node *n) {
    Item out[MAX_RESULTS];
    Decomposition g = {.m = n->graph->module, .arena = n->graph->module->arena, .at = n, .node = n, .op = n->op};
    Node *before = n->prev;
    g.text = n->op->def, g.typing = true;
    int count = run_text(&g, MAX_RESULTS, out);
    for (int i = 0; i < n->nout && i < count && !g.dry; i++) {
        const Value *v = n->out[i] ? constant_value(&g, out[i], DT_f32) : NULL;
        if (v) set_result(n, i, v->type.dtype, v->type.rank, v->type.dim);
    }
    while (n->prev != before) unlink_node(n->prev);
}

int build_decomposition(Node *at, const char *text, int n, const char *const *names, Value *const *values, int max,
                        Value **out) {
    Binding b[MAX_BINDINGS];
    for (int i = 0; i < n && i < MAX_BINDINGS; i++) b[i] = (Binding){names[i], a_value(values[i])};
    return build_bound(at, text, n, b, max, out);
}

int build_bound(Node *at, const char *text, int n, const Binding *b, int max, Value **out) {
    Item x[MAX_RESULTS];
    Decomposition g = {.m = at->graph->module, .arena = at->graph->module->arena, .at = at, .text = text};
    for (int i = 0; i < n; i++) bind(&g, b[i].name, b[i].item);
    int count = run_text(&g, max < MAX_RESULTS ? max : MAX_RESULTS, x);
    for (int i = 0; i < count; i++) out[i] = constant_value(&g, x[i], DT_f32);
    return count;
}

const char *check_decomposition(Arena *arena, const Op *op, const char *text) {
    Item out[MAX_RESULTS];
    Decomposition g = {.arena = arena, .op = op, .text = text, .dry = true};
    run_text(&g, MAX_RESULTS, out);
    return g.wrong;
}

/* ---- gradients ---- */

const char *gradient_text(const Op *op, int i) {
    return op->grad_each ? op->grad_each : i < MAX_GRAD ? op->grad[i] : NULL;
}

Value *build_value(Node *at, const char *text, int n, const char *const *names, Value *const *values) {
    Value *v;
    build_decomposition(at, text, n, names, values, 1, &v);
    return v;
}

Value *build_text(Node *at, const char *text, int n, Value *const *with) {
    static const char *const names[] = {"m", "p", "q", "n", "x"};
    return build_value(at, text, n, names, with);
}

Value *build_gradient(Node *n, Node *at, int i, Value *const *upstream) {
    Module *m = n->graph->module;
    Decomposition g = {.m = m, .arena = m->arena, .at = at, .node = n, .op = n->op, .text = gradient_text(n->op, i)};
    Item x;
    g.gradient = true, g.upstream = upstream, g.each = i;
    bind(&g, "x", a_value(n->in[i]));
    run_text(&g, 1, &x);
    if (is_number(x) || x.kind == I_NONE) return NULL;
    return help_sum_to(&g, (Item[]){x, a_value(n->in[i])}, 2).v;
}

const char *check_gradient(Arena *arena, const Op *op, int i) {
    Item x;
    Decomposition g = {
        .arena = arena, .op = op, .text = gradient_text(op, i), .dry = true, .gradient = true, .each = i};
    bind(&g, "x", any_value(&g));
    run_text(&g, 1, &x);
    return g.wrong;
}
