/* trainable.c - which constants of a model are trained.
 *
 * A .nn text says it itself: param, state, const. An ONNX file has initializers and Constant nodes. There a constant of
 * floats is a parameter in a slot of weights (`.params` of a row), and, where it meets data, in one that scales,
 * positions and class tokens lie in (`.learns`). Exporters write other constants into the latter too: why_not() says
 * which those are. Views and casts may lie in between. --trainable and --freeze have the last word.
 *
 * Habits of exporters are undone first: equal initial values are merged into one initializer, a graph may have been
 * exported in training mode, and a softmax may be written with what it gives where all is masked. */
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "train/train.h"
#include <fnmatch.h>
#include <limits.h>

/* ---- constants ---- */

static bool constant_floats(const Value *v) {
    return v && v->kind == V_CONST && v->data && v->data->dtype != DT_str && is_float(v->data->dtype);
}

static bool uniform(const Tensor *t) {
    for (int64_t i = 1; i < t->count; i++)
        if (get_f(t, i) != get_f(t, 0)) return false;
    return true;
}

/* 0 where something may be seen, and at most -100 where it may not. */
static bool is_mask(const Tensor *t) {
    bool hides = false;
    for (int64_t i = 0; i < t->count; i++) {
        double x = get_f(t, i);
        if (x != 0 && !(x <= -100)) return false;
        hides = hides || x != 0;
    }
    return hides;
}

/* A text that names parameters means what it says; other texts and ONNX files are searched. */
static bool words_hold(const Module *m) {
    for (int i = 0; i < m->outside.n && m->text; i++)
        if (((const Value *)m->outside.at[i])->kind == V_PARAM) return true;
    return false;
}

/* ---- what exporters do to a graph, undone ---- */

/* The name of a value that v stands for from now on. */
static void take_name(Value *v, Value *old) {
    Module *m = old->graph->module;
    const char *name = old->name;
    old->name = v->name, v->name = name;
    map_set(m->names, v->name, v), map_set(m->names, old->name, old), map_set(old->graph->names, v->name, v);
}

/* PyTorch's exporter writes a tensor whose numbers equal another's as an Identity of that, under its own name. */
static void open_identity(Node *n) {
    Module *m = n->graph->module;
    Value *v = n->in[0], *y = n->out[0];
    if (v->uses > 1) {
        Value *copy = outside_new(m, V_CONST, NULL, v->data);
        copy->loc = v->loc, copy->literal = v->literal, copy->uses = y->uses;
        take_name(copy, y);
        v->uses--, v = copy;
    } else {
        v->uses = y->uses;
    }
    replace_keeping_name(y, v);
    unlink_node(n);
}

static void open_identities(Module *m) {
    count_uses(m);
    for (Node *n = m->main->first, *next; n; n = next) {
        next = n->next;
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        if (IS(n, Identity) && constant_floats(n->in[0]) && !is_output(n->out[0])) open_identity(n);
    }
    resolve_graph(m->main);
}

/* A tensor of its own, with the same numbers, for input i of a node. */
static void own(Node *n, int i, ValueKind kind, const char *what) {
    Module *m = n->graph->module;
    Value *shared = n->in[i], *v = outside_new(m, kind, format(m->arena, "%s.%s", n->out[0]->name, what), shared->data);
    v->loc = shared->loc, v->literal = shared->literal, v->uses = 1;
    shared->uses--;
    n->in[i] = v;
}

/* Running statistics are their layer's alone, whatever else reads the tensor they came in. */
static void own_statistics(Node *n) {
    static const char *const what[] = {"running_mean", "running_var"};
    for (int i = 3; i < 5; i++) {
        Value *v = input(n, i);
        if (!constant_floats(v)) continue;
        if (v->uses > 1)
            own(n, i, V_STATE, what[i - 3]);
        else
            v->kind = V_STATE;
    }
}

/* Tensors of ones or zeros that several layers read were merged by the exporter: each reader gets its own. Other shared
 * tensors are tied weights, and stay one parameter. */
static void own_initial_values(Node *n) {
    for (int i = 0; i < n->nin; i++) {
        const Value *v = n->in[i];
        bool wanted = names_operand(n->op, n->op->params, i) || names_operand(n->op, n->op->learns, i);
        if (!wanted || !constant_floats(v) || v->literal || v->uses < 2 || v->data->count < 2) continue;
        if (uniform(v->data)) own(n, i, V_CONST, n->op->args ? arg_name(n, i) : "constant");
    }
}

static void infer_by_running_statistics(Node *n) {
    for (int k = 1; k < n->nout; k++)
        if (n->out[k]) replace_keeping_name(n->out[k], n->in[2 + k]);
    set_attr_i(n, "training_mode", 0);
    n->nout = 1;
}

/* The function that is compiled says whether it trains, not the file. */
static void leave_training_mode(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        if (IS(n, BatchNormalization) && n->nin == 5) infer_by_running_statistics(n);
        if (IS(n, Dropout) && n->nin == 3) n->nin = n->in[1] ? 2 : 1;
    }
}

/* PyTorch's exporter writes a softmax that gives 0 where all is masked as Where(IsNaN(y), 0, y); but its gradient does
 * not pass through the NaN. */
static void close_softmax(Node *n) {
    const Node *test = n->in[0]->def, *softmax = n->in[2]->def;
    const Value *zero = n->in[1];
    bool fits = test && IS(test, IsNaN) && test->in[0] == n->in[2] && softmax && IS(softmax, Softmax);
    if (!fits || !zero->data || zero->data->count != 1 || get_f(zero->data, 0) != 0) return;
    Value *x = softmax->in[0];
    Node *whole = insert_node(n, &ops[OP_SoftmaxOrZero], 1, &x);
    if (attr(softmax, "axis")->set) set_attr_i(whole, "axis", attr_i(softmax, "axis"));
    replace_keeping_name(n->out[0], whole->out[0]);
    unlink_node(n);
}

static void close_softmaxes(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (IS(n, Where)) close_softmax(n);
    }
}

void undo_export(Module *m) {
    each_graph(m, leave_training_mode, NULL);
    resolve_graph(m->main);
    each_graph(m, close_softmaxes, NULL);
    open_identities(m);
    count_uses(m);
    for (Node *n = m->main->first; n; n = n->next)
        if (IS(n, BatchNormalization)) own_statistics(n);
    for (Node *n = m->main->first; n && !words_hold(m); n = n->next) own_initial_values(n);
}

/* ---- what is trained ---- */

/* What a value is made of. RAW: the network's input, moved, or scaled and shifted by constants. */
typedef enum { OTHER, CONSTANT, RAW, DATA } Stuff;

typedef struct {
    Module *m;
    unsigned char *stuff; /* by id */
    Value **source;       /* by id: the constant that a CONSTANT was before views and casts */
    bool *reaches;        /* by id: the loss depends on it */
} Search;

/* Views, casts and parts: recurrent layers' weights are cut into gates, tables of positions to a length. */
static bool moves(const Node *n) { return n->op->view || n->op->keeps || IS(n, Slice) || IS(n, Split); }

static bool is_product(const Value *v) { return v && v->def && access_of(v->def->op) == ACCESS_CONTRACTION; }

static Stuff stuff_of(const Search *s, const Value *v) {
    Stuff x = v ? s->stuff[v->id] : OTHER;
    return x == CONSTANT && s->source[v->id]->kind == V_PARAM ? DATA : x;
}

static Stuff most_beside(const Search *s, const Node *n, int i) {
    Stuff most = OTHER;
    for (int k = 0; k < n->nin; k++) {
        Stuff x = k == i ? OTHER : stuff_of(s, n->in[k]);
        if (x > most) most = x;
    }
    return most;
}

static bool is_bias(const Node *n, int i, const Tensor *t) {
    return IS(n, Add) && t->rank > 0 && is_product(n->in[1 - i]);
}

/* Why the constant t in input i of a node is no parameter; NULL if it is one. */
static const char *why_not(const Search *s, const Node *n, int i, bool literal, const Tensor *t) {
    Arena *a = s->m->arena;
    if (!s->reaches[n->out[0]->id]) return "the loss does not depend on it";
    if (IS(n, Gemm) && i == 2 && attr_f(n, "beta") == 0) return "its factor, beta, is 0";
    if (names_operand(n->op, n->op->params, i))
        return literal && uniform(t) ? "one number throughout, from a Constant node" : NULL;
    if (!names_operand(n->op, n->op->learns, i))
        return format(a, "%s of %s is no parameter", arg_name(n, i), n->op->name);
    if (literal) return "from a Constant node: a literal";
    if (t->count < 2 && !is_bias(n, i, t)) return "one number: a literal";
    if (is_mask(t)) return "0 and at most -100: a mask";
    if (IS(n, Where) && uniform(t)) return "one number throughout: a literal";
    Stuff beside = most_beside(s, n, i);
    if (beside == RAW) return "it meets the input before any parameter: part of its preparation";
    return beside == DATA ? NULL : "it meets no data";
}

static void decide(const Search *s, Node *n, int i) {
    Value *v = s->source[n->in[i]->id];
    const char *why = why_not(s, n, i, v->literal, v->data);
    if (!why)
        v->kind = V_PARAM, v->train.untrained = NULL;
    else if (!v->train.untrained)
        v->train.untrained = why;
}

static bool carries_gradient(const Op *op, int i) {
    const char *text = gradient_text(op, i);
    char c =
        !op->in_types ? 'T' : op->in_types[(size_t)i < strlen(op->in_types) ? (size_t)i : strlen(op->in_types) - 1];
    if (c == 'b' || c == 'i' || c == 'l') return false;
    return text ? strcmp(text, "0") != 0 : !gradient_text(op, 0);
}

static Stuff result_stuff(const Search *s, const Node *n) {
    Stuff most = OTHER;
    for (int i = 0; i < n->nin; i++) {
        Stuff x = carries_gradient(n->op, i) ? stuff_of(s, n->in[i]) : OTHER;
        if (x > most) most = x;
    }
    if (most == RAW && !moves(n) && !n->op->affine) most = DATA;
    return most == CONSTANT ? OTHER : most;
}

static void same_stuff(Search *s, const Value *as, const Value *v) {
    s->stuff[v->id] = as ? s->stuff[as->id] : OTHER;
    s->source[v->id] = as ? s->source[as->id] : NULL;
}

/* What a body is given: `first` inputs of it and of its node say nothing, of the rest those that an iteration hands on
 * as they are stay what they were. */
static void enter_body(Search *s, const Node *n, const Graph *body, int first) {
    for (int i = 0; i < body->nin; i++) {
        Value *v = body->in[i], *given = i >= first && i < n->nin ? n->in[i] : NULL;
        int k = i - first + (first ? BODY_CARRIED : 0);
        bool carried = IS(n, Loop) || (IS(n, Scan) && i < n->nin - attr_i(n, "num_scan_inputs"));
        bool kept = carried && k >= 0 && k < body->nout && behind_identities(body->out[k]) == v;
        if (given && (kept || !carried))
            same_stuff(s, given, v);
        else
            s->stuff[v->id] = given && is_float(v->type.dtype) ? DATA : OTHER;
    }
}

static void visit(Search *, Node *);

/* Bodies and branches, and results of floats that depend on them. */
static void visit_regions(Search *s, Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        Graph *g = n->attr[i].graph;
        if (!g) continue;
        enter_body(s, n, g, IS(n, Loop) ? LOOP_CARRIED : 0);
        for (Node *x = g->first; x; x = x->next) visit(s, x);
    }
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) s->stuff[n->out[i]->id] = DATA;
}

static void visit(Search *s, Node *n) {
    if (has_regions(n)) {
        visit_regions(s, n);
        return;
    }
    bool moved = moves(n) && n->in[0] && s->stuff[n->in[0]->id] == CONSTANT;
    for (int i = 0; i < n->nin && !moved; i++)
        if (stuff_of(s, n->in[i]) == CONSTANT) decide(s, n, i);
    Stuff x = moved ? CONSTANT : result_stuff(s, n);
    for (int i = 0; i < n->nout; i++) {
        if (!n->out[i]) continue;
        s->stuff[n->out[i]->id] = (unsigned char)x;
        if (moved) s->source[n->out[i]->id] = s->source[n->in[0]->id];
    }
}

/* From what is made small backwards: what named losses read, the first output, or all. */
static void mark_losses(Search *s) {
    const Graph *g = s->m->main;
    const Training *t = s->m->training;
    int outputs = named_losses(t) ? 0 : t->losses.n && g->nout ? 1 : g->nout;
    for (int i = 0; i < outputs; i++) s->reaches[g->out[i]->id] = true;
    for (int i = 0; i < named_losses(t); i++) {
        const LossTerm *l = t->losses.at[i];
        for (int k = 0; k < l->n; k++)
            if (l->arg[k]) s->reaches[resolve(l->arg[k])->id] = true;
    }
}

/* Of a region that the loss depends on everything counts. */
static void mark_read(void *arg, Value *v) { ((Search *)arg)->reaches[v->id] = true; }

static void mark_made(Graph *g, void *arg) {
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) mark_read(arg, n->out[i]);
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) mark_made(n->attr[i].graph, arg);
    }
}

static void mark_regions(Search *s, const Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].graph) mark_made(n->attr[i].graph, s);
    each_read(n, mark_read, s);
}

static void mark_reaching(Search *s) {
    const Graph *g = s->m->main;
    mark_losses(s);
    for (const Node *n = g->last; n; n = n->prev) {
        bool any = false;
        for (int i = 0; i < n->nout; i++) any = any || (n->out[i] && s->reaches[n->out[i]->id]);
        for (int i = 0; i < n->nout && any; i++)
            if (n->out[i]) s->reaches[n->out[i]->id] = true;
        for (int i = 0; i < n->nin && any; i++)
            if (n->in[i]) s->reaches[n->in[i]->id] = true;
        if (any && has_regions(n)) mark_regions(s, n);
    }
}

static void search(Module *m) {
    int values = number_values(m);
    Search s = {.m = m, .stuff = arena_alloc(m->arena, (size_t)values + 1)};
    s.source = NEW_ARRAY(m->arena, Value *, values + 1), s.reaches = NEW_ARRAY(m->arena, bool, values + 1);
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        s.stuff[v->id] = v->kind == V_PARAM ? DATA : constant_floats(v) ? CONSTANT : OTHER, s.source[v->id] = v;
    }
    for (int i = 0; i < m->main->nin; i++)
        s.stuff[m->main->in[i]->id] = is_float(m->main->in[i]->type.dtype) ? RAW : OTHER;
    mark_reaching(&s);
    for (Node *n = m->main->first; n; n = n->next) visit(&s, n);
}

static void match(Module *m, const char *option, const List *patterns, ValueKind kind, void (*f)(Value *)) {
    for (int i = 0; i < patterns->n; i++) {
        bool any = false;
        for (int k = 0; k < m->outside.n; k++) {
            Value *v = m->outside.at[k];
            bool right = v->kind == V_PARAM || (kind == V_CONST && constant_floats(v));
            if (!right || fnmatch(patterns->at[i], v->name, 0)) continue;
            f(v), any = true;
        }
        if (!any)
            fatal(m, EXIT_INPUT, "%s: no %s is called '%s'", option, kind == V_PARAM ? "parameter" : "tensor of floats",
                  escaped(m->arena, patterns->at[i], 60));
    }
}

static void train_it(Value *v) { v->kind = V_PARAM, v->train.untrained = NULL; }
static void freeze_it(Value *v) { v->train.frozen = true, v->train.untrained = "--freeze"; }

static bool any_trained(const Module *m) {
    for (int i = 0; i < m->outside.n; i++)
        if (trained(m->outside.at[i])) return true;
    return false;
}

const char *nothing_to_train(const Module *m) {
    int n = 0;
    if (any_trained(m)) return NULL;
    if (m->opt->freeze.n) return "--freeze leaves nothing to train";
    for (int i = 0; i < m->outside.n; i++) n += constant_floats(m->outside.at[i]);
    return n ? format(
                   m->arena,
                   "there is nothing to train: expected a param, or weights of floats where operators have them, saw "
                   "%d other tensor%s of floats; --trainable=PATTERN takes them, nncc summary --train lists them",
                   n, n == 1 ? "" : "s")
             : "there is nothing to train: expected a parameter, saw no tensor of floats";
}

void choose_parameters(Module *m) {
    bool said = words_hold(m);
    if (!said) search(m);
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (constant_floats(v) && !v->train.untrained)
            v->train.untrained = said ? "the text says const" : "no operator reads it";
    }
    match(m, "--trainable", &m->opt->trainable, V_CONST, train_it);
    match(m, "--freeze", &m->opt->freeze, V_PARAM, freeze_it);
    const char *nothing = nothing_to_train(m);
    if (nothing && m->opt->freeze.n && m->entry->update) fatal(m, EXIT_INPUT, "%s", nothing);
    if (nothing && m->training->losses.n) warn(m, "%s", nothing); /* gradients of inputs may be all that is wanted */
    for (int i = 0; i < m->outside.n; i++) push(m->arena, &m->training->given, m->outside.at[i]);
}

/* ---- saying so ---- */

static bool is_trained(const Value *v) { return trained(v); }
static bool is_statistic(const Value *v) {
    return v->kind == V_STATE && v->train.block == BLOCK_STATE && is_float(v->type.dtype);
}

static void print_sum(const Module *m, const char *what, bool (*is)(const Value *)) {
    int64_t floats = 0;
    int tensors = 0;
    for (int i = 0; i < m->training->given.n; i++)
        if (is(m->training->given.at[i]))
            floats = saturating_add(floats, type_count(&((const Value *)m->training->given.at[i])->type)), tensors++;
    if (tensors || is == is_trained)
        printf("%s %s floats in %d tensor%s\n", what, bytes_text(m->arena, floats), tensors, tensors == 1 ? "" : "s");
}

/* A number written into a text has a name that was made up. */
static bool anonymous(const Value *v) { return v->name[0] == 't' && !v->name[1 + strspn(v->name + 1, "0123456789")]; }

/* Up to `most` constants that are not trained: those of one number for themselves, in one line. */
static void print_left_out(const Module *m, bool single, int most) {
    enum { NAME_WIDTH = 60 };
    int n = 0;
    for (int i = 0; i < m->training->given.n; i++) {
        const Value *v = m->training->given.at[i];
        if (!v->train.untrained || (type_count(&v->type) == 1 && !v->train.frozen) != single ||
            (single && anonymous(v)))
            continue;
        if (++n > most) continue;
        const char *name = escaped(m->arena, v->name, NAME_WIDTH);
        if (single)
            printf("%s%s", n == 1 ? "not trained, one number each: " : ", ", name);
        else
            printf("not trained: %s %s: %s\n", name, type_text(m->arena, &v->type), v->train.untrained);
    }
    if (n > most) printf(single ? " and %d more" : "not trained: %d more; nncc summary --train lists them", n - most);
    if (n > most || (n && single)) puts("");
}

void print_parameters(const Module *m, bool all) {
    enum { SHOWN = 12 };
    int most = all ? INT_MAX : SHOWN;
    for (int i = 0; i < m->training->given.n && all; i++) {
        const Value *v = m->training->given.at[i];
        if (trained(v)) printf("trained: %s %s\n", escaped(m->arena, v->name, 60), type_text(m->arena, &v->type));
    }
    print_sum(m, "trains", is_trained);
    print_sum(m, "keeps running statistics:", is_statistic);
    print_left_out(m, false, most);
    print_left_out(m, true, most);
}
