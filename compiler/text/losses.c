/* losses.c - the losses that a train line gives by name: calls of rows of losses.def and of functions of the file,
 * whose arguments are values of the network, and inputs beside them for what the network does not have.
 *
 * They are read with the line, and built when the whole file is read, into the functions of a program that compute a
 * loss: their values become the last outputs of the graph, so that passes keep them. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/spelling.h"
#include "text/parser.h"
#include "train/train.h"
#include <fnmatch.h>
#include <math.h>
#include <strings.h>

/* ---- reading ---- */

static bool before_call(const Lexer *l) {
    Lexer after = *l;
    lex_next(&after);
    return (l->tok.kind == T_NAME || l->tok.kind == T_AT) && lex_is(&after, "(");
}

/* What may stand in front of a call: factors. */
static bool may_be_factor(const Lexer *l) {
    TokenKind k = l->tok.kind;
    return k == T_INT || k == T_FLOAT || k == T_NAME || k == T_STR || lex_is(l, "-") || lex_is(l, "*");
}

bool see_loss(const Parser *p) {
    Lexer l = p->l;
    while (!before_call(&l) && may_be_factor(&l)) lex_next(&l);
    return before_call(&l);
}

static void parse_factor(Parser *p, double *product) {
    Loc at = here(p);
    const char *seen = lex_seen(&p->l);
    Attr a = {0};
    parse_scalar(p, &a);
    if (!coerce_attr(p->m->arena, &a, A_FLOAT) || !isfinite(a.f))
        FAIL(p, at, "expected a number as the factor of a loss, saw %s", seen);
    *product *= a.f;
    if (!isfinite(*product)) FAIL(p, at, "expected factors with a finite product, saw %g", *product);
    expect(p, "*");
}

static void parse_setting(Parser *p, LossCall *c) {
    Attr a = {.set = true};
    Loc at = here(p);
    a.name = take(p, T_NAME, "the name of a setting");
    expect(p, "=");
    parse_literal(p, &a);
    add_attr(p, &c->settings, &a, at);
}

static bool see_setting(const Parser *p) {
    Lexer after = p->l;
    lex_next(&after);
    return p->l.tok.kind == T_NAME && lex_is(&after, "=");
}

static void parse_argument(Parser *p, LossCall *c) {
    TokenKind kind = p->l.tok.kind;
    if (see_setting(p)) {
        parse_setting(p, c);
        return;
    }
    LossArgument *d = NEW(p->m->arena, LossArgument);
    if (c->settings.n) expected(p, "a setting behind a setting, as in name = 0.5");
    d->pattern = kind == T_STR, d->name.loc = here(p);
    d->name.name = take(p, kind == T_VALUE || kind == T_STR ? kind : T_NAME, "the name of a value or of a target");
    push(p->m->arena, &c->args, d);
}

static const Defined *argument(const LossCall *c, int i) { return &((const LossArgument *)c->args.at[i])->name; }
static bool is_pattern(const LossCall *c, int i) { return ((const LossArgument *)c->args.at[i])->pattern; }

static void put_argument(Str *s, const LossCall *c, int i) {
    const char *name = argument(c, i)->name;
    if (is_pattern(c, i))
        put_quoted(s, name);
    else if (bare_name(name))
        put_text(s, name);
    else
        put_name(s, '%', name);
}

/* One spelling, whichever was read: dumps are read and printed again. */
static const char *text_of(Parser *p, const LossCall *c) {
    Str s = {.arena = p->m->arena};
    if (c->term->factor != 1) put_double(&s, c->term->factor, true), put_text(&s, " * ");
    if (bare_name(c->name))
        put_text(&s, c->name);
    else
        put_name(&s, '@', c->name);
    put_text(&s, "(");
    for (int i = 0; i < c->args.n; i++) put_text(&s, i ? ", " : ""), put_argument(&s, c, i);
    for (int i = 0; i < c->settings.n; i++) {
        put(&s, "%s%s = ", i || c->args.n ? ", " : "", c->settings.at[i].name);
        put_setting(&s, &c->settings.at[i]);
    }
    put_text(&s, ")");
    return s.s;
}

/* What is one call with settings: a loss of the first outputs, a schedule. */
static bool is_alone(const char *name) { return !strcmp(name, "loss") || !strcmp(name, "schedule"); }

void parse_loss(Parser *p, Attr *a) {
    LossCall *c = NEW(p->m->arena, LossCall);
    c->term = NEW(p->m->arena, LossTerm), c->term->factor = 1, c->entry = a->name;
    while (!before_call(&p->l)) parse_factor(p, &c->term->factor);
    c->loc = here(p);
    c->name = take(p, p->l.tok.kind == T_AT ? T_AT : T_NAME, "a loss");
    expect(p, "(");
    while (!see(p, ")")) {
        parse_argument(p, c);
        if (!eat(p, ",")) break;
    }
    expect(p, ")");
    a->kind = A_LOSS, a->s = c->term->text = text_of(p, c);
    if (is_alone(a->name) && !c->args.n && c->term->factor == 1) return;
    push(p->m->arena, &p->losses, c);
}

static bool with_values(const Parser *p, const char *entry) {
    for (int i = 0; i < p->losses.n; i++)
        if (!strcmp(((const LossCall *)p->losses.at[i])->entry, entry)) return true;
    return false;
}

/* Only the train line's loss takes calls, each under one name, and nothing else by name. */
void check_loss_entries(Parser *p, const char *keyword, const Attrs *attrs) {
    for (int i = 0; i < attrs->n; i++) {
        const Attr *a = &attrs->at[i];
        bool train = !strcmp(keyword, "train"), entry = train && !strncmp(a->name, "loss.", 5);
        if (entry && (a->kind != A_LOSS || strchr(a->name + 5, '.')))
            FAIL(p, attrs->loc[i], "expected a loss with its values, as in %s = MeanSquaredError(y, target), saw %s",
                 show(p, a->name + 5),
                 a->kind == A_STR    ? format(p->m->arena, "'%s'", show(p, a->s))
                 : a->kind == A_LOSS ? "a group"
                                     : "no call");
        if (train && a->kind == A_LOSS && is_alone(a->name) && with_values(p, a->name))
            FAIL(p, attrs->loc[i], "expected the name of a loss, or losses by name in braces, as in loss = {main = %s}",
                 show(p, a->s));
        if (a->kind == A_LOSS && !entry && !(train && is_alone(a->name)))
            FAIL(p, attrs->loc[i], "expected calls only as losses of a train line, saw %s", show(p, a->s));
    }
}

static void check_not_alone(Parser *p) {
    for (int i = 0; i < p->m->metas.n && p->losses.n; i++) {
        const Meta *meta = p->m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "train"); k++)
            if (!strcmp(meta->attr[k].name, "loss"))
                FAIL(p, ((const LossCall *)p->losses.at[0])->loc,
                     "expected a loss alone or losses by name, saw both in the train line");
    }
}

/* ---- what they call ---- */

static void find_callee(Parser *p, LossCall *c) {
    enum { MOST = 100 };
    Arena *a = p->m->arena;
    const char *const *functions, *names[2 * MOST];
    c->f = map_get(p->functions, c->name), c->term->row = c->f ? NULL : find_loss(c->name);
    if (c->f || c->term->row) return;
    int n = map_keys(p->functions, a, MOST, &functions);
    memcpy(names, functions, sizeof *names * (size_t)n);
    for (const Loss *l = losses; l->name && n < 2 * MOST; l++) names[n++] = l->name;
    FAIL(p, c->loc, "there is no loss or function '%s'%s", show(p, c->name),
         choices(a, c->name, "there are", n, names));
}

/* The types that a function's parameters are declared with, unknown ones where it says none; how many. */
static int declared_types(Parser *p, const Function *f, int most, Type *type) {
    Lexer after = p->l;
    Scope *around = p->scope;
    int n = 0;
    p->l = f->start, p->scope = open_scope(p, NULL, NULL);
    expect(p, "(");
    while (!see(p, ")")) {
        Attr word = {.set = true};
        Type t = {.dtype = DT_none, .rank = -1};
        if (p->l.tok.kind == T_VALUE) {
            next(p);
            if (eat(p, ":")) t = parse_type(p);
            if (n < most) type[n] = t;
            n++;
        } else {
            word.name = take(p, T_NAME, "a parameter: %value or name = default");
            expect(p, "=");
            parse_literal(p, &word);
            define_word(p, word.name, &word);
        }
        if (!eat(p, ",")) break;
    }
    p->l = after, p->scope = around;
    return n;
}

/* How many %values a function takes; types are not looked at, whose dims need not be bound. */
static int parameters_of(const Function *f) {
    Lexer l = f->start;
    int n = 0;
    for (lex_next(&l); !lex_is(&l, ")") && l.tok.kind != T_END && l.tok.kind != T_BAD; lex_next(&l))
        n += l.tok.kind == T_VALUE;
    return n;
}

static const char *expected_count(Parser *p, const LossCall *c, int n) {
    const char *values = format(p->m->arena, "%d value%s", n, n == 1 ? "" : "s");
    if (c->f || !c->term->row->target) return values;
    return format(p->m->arena, "%s, %s", values,
                  n == 2                   ? "an output and its target"
                  : compares(c->term->row) ? "outputs and a target"
                                           : "an output and its targets");
}

static void check_count(Parser *p, const LossCall *c) {
    int n = c->f ? parameters_of(c->f) : loss_arguments(c->term->row);
    bool each = !c->f && c->term->row->each;
    if (each ? !c->args.n : n != c->args.n)
        FAIL(p, c->loc, "'%s': expected %s, saw %d", show(p, c->name),
             each ? "values, or patterns of the names of parameters" : expected_count(p, c, n), c->args.n);
    for (int i = 0; i < c->args.n && !each; i++)
        if (is_pattern(c, i))
            FAIL(p, argument(c, i)->loc, "'%s': expected the name of a value or of a target, saw a pattern of names",
                 show(p, c->name));
}

/* Of a row; a function's own are looked at where it is called. */
static void take_settings(Parser *p, const LossCall *c) {
    if (c->f) return;
    default_options(c->term->row->option, c->term->option);
    for (int i = 0; i < c->settings.n; i++) {
        const char *wrong =
            take_option(p->m->arena, c->name, c->term->row->option, c->term->option, &c->settings.at[i]);
        if (wrong) FAIL(p, c->settings.loc[i], "%s", wrong);
    }
}

/* ---- functions that dumps carry along ---- */

static void keep_function(Parser *p, Function *f) {
    Lexer l = f->start;
    if (f->kept) return;
    f->kept = true;
    for (; l.tok.at < f->end; lex_next(&l)) {
        Function *called = l.tok.kind == T_NAME || l.tok.kind == T_AT ? map_get(p->functions, l.tok.s) : NULL;
        const DimBinding *d = l.tok.kind == T_NAME ? find_dim(p, l.tok.s) : NULL;
        if (called) keep_function(p, called);
        if (d && d->min == d->max && !map_get(p->kept_dims, d->name)) {
            map_set(p->kept_dims, d->name, p);
            put_text(&p->kept, "dim "), put_word(&p->kept, d->name);
            put(&p->kept, " = %lld\n", (long long)d->min);
        }
    }
    put_text(&p->kept, "func "), put_name(&p->kept, '@', f->name);
    put(&p->kept, "%.*s\n", (int)(f->end - f->start.tok.at), f->start.tok.at);
}

/* ---- arguments ---- */

static Value *argument_called(const Parser *p, const char *name) {
    const Graph *g = p->m->main;
    Value *v = map_get(p->network->values, name);
    for (int i = 0; i < g->nout && !v; i++)
        if (!strcmp(port_name(g->out[i]), name)) v = g->out[i];
    return v ? resolve(v) : find_value(p->m->main, name);
}

/* The parameters of floats whose names match; of a text without `param`, constants are. */
static void find_parameters(Parser *p, const LossCall *c, int i, List *found) {
    const List *all = &p->m->outside;
    bool params = false;
    int before = found->n;
    for (int k = 0; k < all->n; k++) params = params || ((const Value *)all->at[k])->kind == V_PARAM;
    for (int k = 0; k < all->n; k++) {
        const Value *v = all->at[k];
        bool right = params ? v->kind == V_PARAM : v->kind == V_CONST && v->data;
        if (right && is_float(v->type.dtype) && !fnmatch(argument(c, i)->name, v->name, 0))
            push(p->m->arena, found, all->at[k]);
    }
    if (found->n == before)
        FAIL(p, argument(c, i)->loc, "'%s': no parameter is called '%s'; nncc summary --train lists them", c->name,
             show(p, argument(c, i)->name));
}

static void find_arguments(Parser *p, LossCall *c) {
    LossTerm *t = c->term;
    List found = {0};
    for (int i = 0; i < c->args.n; i++) {
        if (is_pattern(c, i))
            find_parameters(p, c, i, &found);
        else
            push(p->m->arena, &found, argument_called(p, argument(c, i)->name));
    }
    t->n = found.n, t->arg = (Value **)found.at;
}

/* What a field of the struct is called already, where case is not told apart; NULL: nothing. */
static const char *field_called(const Parser *p, const char *name) {
    const Module *m = p->m;
    const Graph *g = m->main;
    for (int i = 0; training_fields[i]; i++)
        if (!strcasecmp(training_fields[i], name)) return "a field of every network that trains";
    if (!strcasecmp(name, "loss") || !strcasecmp(name, "correct")) return "a field of every network that trains";
    for (int i = 0; i < m->bounds.n; i++)
        if (!strcasecmp(((const DimBinding *)m->bounds.at[i])->name, name)) return "an extent";
    for (int i = 0; i < g->nin + g->nout; i++) {
        const char *port = port_name(i < g->nin ? g->in[i] : g->out[i - g->nin]);
        size_t n = strlen(port);
        if (!strcasecmp(port, name)) return i < g->nin ? "an input" : "an output";
        if (!strncasecmp(port, name, n) && !strcasecmp(name + n, "_grad")) return "a gradient";
    }
    return NULL;
}

static const char *loss_called(const Parser *p, const char *name, const LossCall *but) {
    for (int i = 0; i < p->losses.n; i++) {
        const LossCall *c = p->losses.at[i];
        if (c != but && !strcasecmp(c->term->name, name)) return "a loss";
    }
    return NULL;
}

static void check_field(Parser *p, const char *name, const LossCall *but, Loc at) {
    const char *is = field_called(p, name);
    if (!is) is = loss_called(p, name, but);
    if (is)
        FAIL(p, at, "expected a name that no field has for %s, saw '%s', which is %s", but ? "a loss" : "a target",
             show(p, name), is);
}

/* ---- targets ---- */

static const char *scores_text(const Loss *row) {
    if (of_classes(row)) return "floats [batch, classes, …]";
    return compares(row) ? "floats" : "floats [batch, classes, steps]";
}

static Type wanted_by_row(Parser *p, const LossCall *c, int i) {
    const Type *y = &c->term->scores;
    Type t = target_type(c->term, i);
    if (y->dtype == DT_none || !is_float(y->dtype) || t.rank < 0)
        FAIL(p, argument(c, 0)->loc, "'%s': expected %s, saw %s", c->name, scores_text(c->term->row),
             type_text(p->m->arena, y));
    return t;
}

static Type wanted_by_function(Parser *p, const LossCall *c, int i, const Type *declared) {
    const Value *first = c->term->arg[0];
    Type t = declared[i];
    if (t.dtype == DT_none && first) t = first->type;
    if (t.dtype == DT_none || !type_known(&t))
        FAIL(p, argument(c, i)->loc,
             "target '%s': expected a type, as in %%%s: f32[4]; '%s' declares none for it, nor is its first value one "
             "of the network",
             show(p, argument(c, i)->name), show(p, argument(c, i)->name), show(p, c->name));
    return t;
}

static Value *new_target(Parser *p, const Defined *d, const Type *type) {
    check_field(p, d->name, NULL, d->loc);
    Value *v = input_new(p->m->main, d->name, *type);
    if (strcmp(v->name, d->name)) v->port = d->name;
    v->loc = d->loc;
    push(p->m->arena, &p->m->targets, v);
    return v;
}

static Value *target_called(Parser *p, const Defined *d, const Type *type) {
    for (int i = 0; i < p->m->targets.n; i++) {
        Value *v = p->m->targets.at[i];
        if (strcmp(port_name(v), d->name)) continue;
        if (v->type.dtype != type->dtype || !same_shape(&v->type, type))
            FAIL(p, d->loc, "target '%s': expected %s, as it is in line %d, saw %s", show(p, d->name),
                 type_text(p->m->arena, &v->type), v->loc.line, type_text(p->m->arena, type));
        return v;
    }
    return new_target(p, d, type);
}

/* ---- building ---- */

/* Integers may be of either size where the network has them. */
static bool can_be_target(const Type *is, const Type *wanted) {
    bool same = is->dtype == wanted->dtype || (wanted->dtype == DT_i32 && is->dtype == DT_i64);
    return same && same_shape(is, wanted);
}

static void find_target(Parser *p, LossCall *c, int i) {
    LossTerm *t = c->term;
    int at = loss_values(t->row) + i;
    Type wanted = wanted_by_row(p, c, i);
    if (!t->arg[at]) {
        t->arg[at] = target_called(p, argument(c, at), &wanted);
        if (!i) t->target = t->arg[at];
    }
    if (!can_be_target(&t->arg[at]->type, &wanted))
        FAIL(p, argument(c, at)->loc, "'%s' of '%s': expected %s, saw %s", show(p, argument(c, at)->name), c->name,
             type_text(p->m->arena, &wanted), type_text(p->m->arena, &t->arg[at]->type));
}

/* The output that metrics judge: what the loss reads, or what its softmax or sigmoid makes of that. */
static void find_judged(const Graph *g, LossTerm *t) {
    for (int i = g->nout - 1; i >= 0; i--) {
        Value *y = resolve(g->out[i]), *scores = scores_of(t->row, y);
        if (compares(t->row) && (y == t->arg[0] || scores == t->arg[0])) t->judged = i + 1, t->applied = scores != y;
    }
}

static Value *build_row(Parser *p, LossCall *c) {
    LossTerm *t = c->term;
    int values = t->row->each ? t->n : loss_values(t->row);
    for (int i = 0; i < values; i++)
        if (!t->arg[i])
            FAIL(p, argument(c, i)->loc, "'%s': expected a value of the network, saw '%s', which it does not have",
                 c->name, show(p, argument(c, i)->name));
    t->scores = t->arg[0]->type;
    find_judged(p->m->main, t);
    for (int i = values; i < t->n; i++) find_target(p, c, i - values);
    for (int i = 0; i < values; i++) t->arg[i] = scores_of(t->row, t->arg[i]);
    return build_comparison(p->m, format(p->m->arena, "Loss '%s'", t->name), t->row->value, t);
}

/* What a loss may not have, since only some functions of a program compute it: state of its own. */
static void check_own(Parser *p, const LossCall *c, const Node *before, int outside) {
    const Module *m = p->m;
    const char *has = NULL;
    for (int i = outside; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (v->kind != V_CONST) has = format(m->arena, "'%s'", show(p, v->name));
    }
    for (const Node *n = before ? before->next : m->main->first; n; n = n->next)
        if (IS(n, Dropout)) has = node_text(m->arena, n);
    if (has) FAIL(p, c->loc, "expected a loss without parameters, state or dropout of its own, saw %s", has);
}

static Value *build_function(Parser *p, LossCall *c) {
    LossTerm *t = c->term;
    Module *m = p->m;
    const Node *before = m->main->last;
    int outside = m->outside.n;
    Type *declared = NEW_ARRAY(m->arena, Type, t->n + 1);
    List args = {0};
    declared_types(p, c->f, t->n, declared);
    for (int i = 0; i < t->n; i++) {
        const Defined *d = argument(c, i);
        Arg *a = NEW(m->arena, Arg);
        Type wanted = t->arg[i] ? t->arg[i]->type : wanted_by_function(p, c, i, declared);
        if (!t->arg[i]) t->arg[i] = target_called(p, d, &wanted);
        a->value = t->arg[i], a->loc = d->loc;
        push(m->arena, &args, a);
    }
    Value *v = call_by_value(p, c->f, &args, &c->settings, c->loc);
    check_own(p, c, before, outside);
    return v;
}

/* Under a name that is the loss's alone: the value may be an output already, or an input. */
static Value *as_output(Module *m, Value *v) {
    Node *n = node_new(m->main, NULL, &ops[OP_Identity], 1, &v, 1, NULL, (Loc){.node = -1});
    n->out[0]->type = v->type;
    return n->out[0];
}

static void build_term(Parser *p, LossCall *c, List *outputs) {
    Value *v = c->f ? build_function(p, c) : build_row(p, c);
    stop_on_problems(p->m);
    if (v->type.rank || v->type.dtype == DT_none || !is_float(v->type.dtype))
        FAIL(p, c->loc, "loss '%s': expected a scalar of floats from '%s', saw %s", show(p, c->term->name),
             show(p, c->name), type_text(p->m->arena, &v->type));
    push(p->m->arena, outputs, as_output(p->m, v));
}

/* Right answers are those of the first loss that knows which are. */
static void build_right_answers(Parser *p, List *outputs) {
    for (int i = 0; i < p->losses.n; i++) {
        LossTerm *t = ((LossCall *)p->losses.at[i])->term;
        if (!t->row || !t->row->metric) continue;
        t->counted = true;
        push(p->m->arena, outputs, as_output(p->m, build_comparison(p->m, "Accuracy", t->row->metric, t)));
        return;
    }
}

static void build_losses(Parser *p) {
    Graph *g = p->m->main;
    List outputs = {0};
    p->g = g, p->scope = p->network, p->typed = true;
    for (int i = 0; i < g->nout; i++) push(p->m->arena, &outputs, g->out[i]);
    for (int i = 0; i < p->losses.n; i++) build_term(p, p->losses.at[i], &outputs);
    if (p->m->entry->metrics) build_right_answers(p, &outputs);
    set_outputs(g, &outputs);
    p->g = NULL, p->scope = p->globals;
}

void finish_losses(Parser *p) {
    Module *m = p->m;
    check_not_alone(p);
    p->kept.arena = m->arena, p->kept_dims = map_new(m->arena);
    for (int i = 0; i < p->losses.n; i++) {
        LossCall *c = p->losses.at[i];
        find_callee(p, c);
        check_count(p, c);
        take_settings(p, c);
        if (c->f) keep_function(p, c->f);
        c->term->name = c->entry + strlen("loss.");
        push(m->arena, &m->losses, c->term);
    }
    m->loss_functions = p->kept.s;
    for (int i = 0; i < p->losses.n && m->entry; i++) {
        LossCall *c = p->losses.at[i];
        check_field(p, c->term->name, c, c->loc);
        find_arguments(p, c);
    }
    if (p->losses.n && m->entry && m->entry->loss && !m->opt->loss) build_losses(p);
}
