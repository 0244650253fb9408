/* body.c - what stands in braces in the .nn language: statements, repeats, regions. */
#include "io/io.h"
#include "ir/build.h"
#include "text/parser.h"

/* ---- statements ---- */

static void parse_targets(Parser *p, List *targets) {
    do {
        Defined *t = NEW(p->m->arena, Defined);
        t->loc = here(p);
        t->used = !eat(p, "_");
        if (t->used) t->name = take(p, T_VALUE, "a result: %name or _");
        push(p->m->arena, targets, t);
    } while (eat(p, ","));
}

static void result_type(Parser *p, Call *c, int i) {
    Value *v = c->result[i];
    Loc at = here(p);
    if (eat(p, "_")) return;
    Type t = parse_type(p);
    if (!v) FAIL(p, at, "an unused result has no type; write _");
    if (c->node) {
        v->type = t;
        parse_layout(p, v);
    } else if (v->type.dtype != t.dtype || !same_shape(&v->type, &t)) {
        FAIL(p, at, "the result is %s", type_text(p->m->arena, &v->type));
    }
}

static void result_types(Parser *p, Call *c) {
    if (!eat(p, ":")) return;
    for (int i = 0; i < c->targets.n; i++) {
        if (i) expect(p, ",");
        result_type(p, c, i);
    }
}

static int parse_label(Parser *p) {
    Loc at = here(p);
    int64_t i = parse_int(p);
    if (i < 0 || i > 1 << 30) FAIL(p, at, "a label is a number from 0 to 2^30");
    return (int)i;
}

static void parse_addresses(Parser *p, const Node *n) {
    for (int i = 0; i < n->nout; i++) {
        if (i) expect(p, ",");
        Loc where = here(p);
        int64_t at = parse_int(p);
        if (at < -1 || at > INT64_MAX / 4) FAIL(p, where, "expected a byte offset from 0 on, or -1 for none");
        if (n->out[i]) n->out[i]->plan.offset = at, n->out[i]->plan.asked = at + 1;
    }
}

static void parse_number_note(Parser *p, Node *n) {
    bool k = eat(p, "k");
    if (!k && !eat(p, "at")) expected(p, "a note: k or at");
    expect(p, "=");
    if (k)
        n->kernel = parse_label(p);
    else
        parse_addresses(p, n);
    if (n->kernel > p->m->kernels) p->m->kernels = n->kernel;
}

static void parse_notes(Parser *p, Node *n) {
    while (see(p, "#") || see(p, "loc") || see(p, "from")) {
        if (!n) FAIL(p, here(p), "only an operator takes notes");
        if (eat(p, "#")) {
            parse_number_note(p, n);
            continue;
        }
        bool loc = see(p, "loc");
        next(p);
        expect(p, "(");
        const char *text = take(p, T_STR, "a string");
        expect(p, ")");
        if (loc)
            n->name = n->loc.name = text;
        else
            n->origin = text;
    }
}

static void parse_assignment(Parser *p) {
    Call c = {0};
    parse_targets(p, &c.targets);
    expect(p, "=");
    parse_call(p, &c);
    result_types(p, &c);
    parse_notes(p, c.node);
    if (c.node) type_now(p, c.node);
    for (int i = 0; i < c.targets.n; i++) {
        const Defined *t = c.targets.at[i];
        if (t->name) define(p, *t, c.result[i]);
    }
}

static void parse_statement(Parser *);

static void parse_turn(Parser *p, const char *counter, int64_t i) {
    if (counter) define_word(p, counter, &(Attr){.name = counter, .kind = A_INT, .i = i, .set = true});
    expect(p, "{");
    while (!see(p, "}")) parse_statement(p);
    next(p);
}

/* What is opened many times is paid for; what stands in a file once is bounded by the file. */
static void pay(Parser *p) {
    if (p->opened && --p->budget < 0)
        FAIL(p, here(p), "more than %d statements when functions and repeats are opened", OPENED_STATEMENTS);
}

/* "3" or "i in 0..3": how often, and the word that counts. */
static void parse_turns(Parser *p, const char **counter, int64_t *from, int64_t *to) {
    Lexer after = p->l;
    lex_next(&after);
    *from = 0, *counter = NULL;
    if (lex_is(&after, "in")) {
        *counter = take(p, T_NAME, "a number of turns, or a counter");
        next(p);
        *from = parse_int(p);
        expect(p, "..");
    }
    *to = parse_int(p);
}

static void parse_repeat(Parser *p) {
    int64_t from, to;
    const char *counter;
    parse_turns(p, &counter, &from, &to);
    const Attr *hidden = counter && p->scope->words ? map_get(p->scope->words, counter) : NULL;
    Lexer body = p->l;
    if (from >= to) skip_group(p, "{", "}");
    enter(p);
    p->opened++, p->scope->repeats++;
    for (int64_t i = from; i < to; i++) {
        pay(p);
        p->l = body;
        parse_turn(p, counter, i);
    }
    p->opened--, p->scope->repeats--;
    if (counter && p->scope->words) map_set(p->scope->words, counter, (void *)(uintptr_t)hidden);
    leave(p);
}

static void parse_statement(Parser *p) {
    pay(p);
    if (eat(p, "repeat"))
        parse_repeat(p);
    else
        parse_assignment(p);
}

/* A result under another name. */
static Value *returned_as(Parser *p, Value *v) {
    const char *name = take(p, T_VALUE, "the name of an output");
    if (v->kind != V_NODE || v->graph != p->g || v->port) return output_as(p->g, v, name);
    v->port = name;
    return v;
}

void parse_block(Parser *p, List *results) {
    enter(p);
    expect(p, "{");
    while (!eat(p, "return")) parse_statement(p);
    while (!see(p, "}")) {
        const Arg *a = parse_arg(p);
        if (!a->value) FAIL(p, a->loc, "a value is returned, not a number");
        push(p->m->arena, results, eat(p, "as") ? returned_as(p, resolve(a->value)) : resolve(a->value));
        if (!eat(p, ",")) break;
    }
    expect(p, "}");
    leave(p);
}

/* ---- graphs ---- */

/* The contents that --const gives to an input of the network; NULL if it gives none. */
static Tensor *given_contents(Parser *p, const Defined *t, const Type *type) {
    const List *consts = &p->m->opt->consts;
    char error[200];
    Rename *r = NULL;
    for (int i = 0; i < consts->n && !r; i++)
        if (!strcmp(((Rename *)consts->at[i])->from, t->name)) r = consts->at[i];
    if (!r) return NULL;
    r->used = true;
    Tensor *c = read_tensor(p->m->arena, r->to, type, error);
    if (!c) FAIL(p, t->loc, "--const %s=%s: %s", show(p, r->from), show(p, r->to), error);
    Type got = tensor_type(c);
    if (got.dtype != type->dtype || !same_shape(&got, type))
        FAIL(p, t->loc, "--const %s=%s: it holds %s", show(p, r->from), show(p, r->to), type_text(p->m->arena, &got));
    return c;
}

static void parse_input(Parser *p, Graph *g, bool of_network) {
    Defined t = {.loc = here(p), .used = true};
    Type type = {.dtype = DT_none, .rank = -1};
    t.name = take(p, T_VALUE, "an input: %name: type");
    if (of_network && !see(p, ":")) expected(p, "':' and the type of the input");
    if (eat(p, ":")) type = parse_type(p);
    if (of_network) bind_unknown(p, &t, &type);
    Tensor *given = of_network ? given_contents(p, &t, &type) : NULL;
    Value *v = given ? const_new(p->m, t.name, given) : input_new(g, full_name(p, t.name), type_for_now(p, &type));
    if (of_network && !given) remember_open(p, v, &type);
    v->loc = t.loc;
    define(p, t, v);
}

void parse_inputs(Parser *p, Graph *g, bool of_network) {
    expect(p, "(");
    p->signature = of_network;
    while (!see(p, ")")) {
        parse_input(p, g, of_network);
        if (!eat(p, ",")) break;
    }
    expect(p, ")");
    p->signature = false;
}

void parse_body(Parser *p, Graph *g) {
    List results = {0};
    parse_block(p, &results);
    set_outputs(g, &results);
}

Graph *parse_region(Parser *p) {
    Graph *outer = p->g;
    Scope *around = p->scope;
    const char *name = p->l.tok.kind == T_AT ? p->l.tok.s : NULL;
    if (name) next(p);
    p->g = graph_new(p->m, name, outer);
    p->scope = open_scope(p, around, around ? around->stem : NULL);
    if (see(p, "(") || name) parse_inputs(p, p->g, false);
    parse_body(p, p->g);
    Graph *g = p->g;
    p->g = outer, p->scope = around;
    return g;
}
