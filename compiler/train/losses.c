/* losses.c - what training minimises: the rows of losses.def, their settings, and the sum of several. */
#include "control/control.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/ops.h"
#include "train/train.h"
#include <fnmatch.h>
#include <math.h>

const Loss losses[] = {
#define LOSS(id, ...) {.name = #id, __VA_ARGS__},
#include "train/losses.def"
#undef LOSS
    {.name = NULL},
};

void list_losses(FILE *f) {
    for (const Loss *l = losses; l->name; l++) fprintf(f, "%-28s  %s\n", l->name, l->doc);
}

int named_losses(const Training *t) {
    const LossTerm *first = t->losses.n ? t->losses.at[0] : NULL;
    return first && first->name ? t->losses.n : 0;
}

const char *losses_text(Arena *a, const Training *t) {
    Str s = {.arena = a};
    put_text(&s, named_losses(t) ? "Losses" : "Loss");
    for (int i = 0; i < t->losses.n; i++) {
        const LossTerm *l = t->losses.at[i];
        if (l->name)
            put(&s, "%s %s = %s", i ? "," : "", l->name, l->text);
        else if (l->output)
            put(&s, " output:%s", escaped(a, l->output, 60));
        else
            put(&s, *l->text ? " %s(%s)" : " %s", l->row->name, l->text);
    }
    return s.s;
}

const LossTerm *loss_about(const Training *t, const Value *target) {
    for (int i = 0; i < t->losses.n; i++) {
        const LossTerm *l = t->losses.at[i];
        if (l->target == target) return l;
    }
    return NULL;
}

/* New nodes go before it; the caller unlinks it. */
static Node *end_of_graph(Module *m, const char *origin) {
    Node *at = node_new(m->main, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    at->origin = origin;
    return at;
}

/* ---- rows ---- */

static const char *arguments_of(const Loss *l) { return l->args ? l->args : "y t"; }

int loss_arguments(const Loss *l) {
    int n = 0;
    for (const char *s = arguments_of(l); *s; s = next_word(s)) n++;
    return n;
}

int loss_values(const Loss *l) { return loss_arguments(l) - (l->target ? (int)strlen(l->target) : 0); }

/* A list is one number for each class: a vector of the type of the scores. */
static Item option_item(Module *m, const Option *o, const OptionValue *v, DType t) {
    if (!v->given) return (Item){.kind = I_NONE};
    if (o->kind == 'i') return an_int((int64_t)v->value);
    if (!v->n) return (Item){.kind = I_FLOAT, .f = v->value};
    Tensor *list = tensor_new(m->arena, t, 1, (int64_t[]){v->n});
    for (int i = 0; i < v->n; i++) set_f(list, i, v->list[i]);
    return a_value(const_new(m, NULL, list));
}

static void check_lists(Module *m, const LossTerm *l) {
    const Type *t = &l->arg[0]->type;
    int64_t classes = t->rank > 1 ? t->dim[1].max : 0;
    for (int i = 0; i < MAX_OPTIONS && l->row->option[i].name; i++)
        if (l->option[i].n && l->option[i].n != classes)
            fatal(m, EXIT_INPUT, "'%s': expected %lld %s, one for each class of %s, saw %d", l->row->name,
                  (long long)classes, l->row->option[i].name, type_text(m->arena, t), l->option[i].n);
}

/* In double where the network will be: its numbers are not rounded on the way. */
static Value *in_double(Node *at, Value *v) {
    if (!at->graph->module->opt->real_f64 || !is_float(v->type.dtype) || v->type.dtype == DT_f64) return v;
    Node *c = insert_node(at, &ops[OP_Cast], 1, &v);
    set_attr_i(c, "to", dtypes[DT_f64].onnx);
    infer_node(c);
    return c->out[0];
}

static int bind_arguments(Module *m, Node *at, const LossTerm *l, Binding *b) {
    const char *name[MAX_SETTINGS];
    int n = split_names(m->arena, arguments_of(l->row), name);
    for (int i = 0; i < n; i++) b[i] = (Binding){name[i], a_value(in_double(at, resolve(l->arg[i])))};
    DType t = b[0].item.v->type.dtype;
    check_lists(m, l);
    for (int i = 0; i < MAX_OPTIONS && l->row->option[i].name; i++)
        b[n++] = (Binding){l->row->option[i].name, option_item(m, &l->row->option[i], &l->option[i], t)};
    return n;
}

Value *build_comparison(Module *m, const char *origin, const char *text, const LossTerm *l) {
    Node *at = end_of_graph(m, origin);
    Binding b[MAX_BINDINGS];
    Value *r = NULL;
    if (!l->row->each) build_bound(at, text, bind_arguments(m, at, l, b), b, 1, &r);
    for (int i = 0; i < l->n && l->row->each; i++) {
        Value *in[2] = {r, in_double(at, resolve(l->arg[i]))}, *sum;
        build_decomposition(at, text, 1, (const char *[]){"y"}, &in[1], 1, &sum);
        in[1] = r = sum;
        if (in[0]) build_decomposition(at, "a + b", 2, (const char *[]){"a", "b"}, in, 1, &r);
    }
    unlink_node(at);
    return r;
}

Value *build_metric(Module *m) {
    Training *t = m->training;
    const LossTerm *only = t->losses.n ? t->losses.at[0] : NULL;
    if (t->correct) return resolve(t->correct);
    if (!only || only->name || !only->row || !only->row->metric) return NULL;
    return build_comparison(m, "Accuracy", only->row->metric, only);
}

static Value *scalar_sum(Node *at, Value *v) {
    Value *r;
    build_decomposition(at, "ReduceSum(y, keepdims = 0)", 1, (const char *[]){"y"}, &v, 1, &r);
    return r;
}

/* Any gradient shows in a weighted sum: for checking networks that say nothing of training. */
static Value *projection(Module *m) {
    Value *sum = NULL;
    Graph *g = m->main;
    Node *at = end_of_graph(m, "Loss");
    for (int i = 0; i < g->nout; i++) {
        if (!is_float(g->out[i]->type.dtype)) continue;
        Value *w = input_new(g, format(m->arena, "weight_of_%d", i), g->out[i]->type), *r;
        build_decomposition(at, "y * w", 2, (const char *[]){"y", "w"}, (Value *[]){g->out[i], w}, 1, &r);
        r = scalar_sum(at, r);
        if (sum) build_decomposition(at, "a + b", 2, (const char *[]){"a", "b"}, (Value *[]){sum, r}, 1, &r);
        sum = r;
    }
    if (!sum) fatal(m, EXIT_UNSUPPORTED, "the network has no output of floats that a loss could be computed from");
    unlink_node(at);
    return sum;
}

/* Without the dim that classes, or numbers of one answer, are along. */
static Type without_classes(const Type *is, DType dtype) {
    Type t = *is;
    if (t.rank < 2) return (Type){.dtype = dtype, .rank = -1};
    for (int i = 1; i + 1 < t.rank; i++) t.dim[i] = t.dim[i + 1];
    t.rank--, t.dtype = dtype;
    return t;
}

/* The room for labels is said, or there are as many as steps. */
static Type labels_type(const LossTerm *l) {
    const Type *y = &l->arg[0]->type;
    Type t = {.dtype = DT_i32, .rank = y->rank == 3 ? 2 : -1, .dim = {y->dim[0], y->dim[2]}};
    for (int i = 0; i < MAX_OPTIONS && l->row->option[i].name; i++)
        if (!strcmp(l->row->option[i].name, "room") && l->option[i].given)
            t.dim[1] = (Dim){(int64_t)l->option[i].value, NULL};
    return t;
}

Type target_type(const LossTerm *l, int i) {
    const Type *y = &l->arg[0]->type, *second = l->arg[1] ? &l->arg[1]->type : y;
    switch (l->row->target[i]) {
    case 'c': return without_classes(y, DT_i32);
    case 'p': return without_classes(second, second->dtype);
    case 'l': return labels_type(l);
    case 'n': return (Type){.dtype = DT_i32, .rank = y->rank ? 1 : -1, .dim = {y->dim[0]}};
    default: return *y;
    }
}

Value *scores_of(const Loss *loss, Value *y) {
    if (!loss->before || !y->def || strcmp(y->def->op->name, loss->before)) return y;
    bool classes = !IS(y->def, Softmax) || attr_axis(y->def, "axis", y->type.rank) == 1;
    return classes ? y->def->in[0] : y;
}

/* ---- a loss alone ---- */

static const char *first_word(Arena *a, const char *text) { return format(a, "%.*s", (int)strcspn(text, "( "), text); }

LossTerm *read_loss(Module *m, const char *text) {
    static const char output[] = "output:";
    LossTerm *l = NEW(m->arena, LossTerm);
    const char *name = first_word(m->arena, text);
    l->factor = 1, l->text = "";
    if (!strncmp(text, output, sizeof output - 1)) {
        l->output = text + sizeof output - 1;
        return l;
    }
    l->row = find_loss(name);
    if (!l->row)
        fatal(m, EXIT_INPUT, "there is no loss '%s'%s", escaped(m->arena, name, 60), loss_choices(m->arena, name));
    if (l->row->each)
        fatal(m, EXIT_INPUT,
              "'%s' is added to another loss: expected losses by name, as in loss = {main = "
              "MeanSquaredError(y, target), decay = 0.001 * %s(\"*\")}",
              l->row->name, l->row->name);
    const char *wrong = read_options(m->arena, text, name, l->row->option, l->option);
    if (wrong) fatal(m, EXIT_INPUT, "%s", wrong);
    l->text = options_text(m->arena, l->row->option, l->option);
    return l;
}

/* A target is an input: the first is a label or the target, others are called as the row's argument is. */
static void add_target(Module *m, LossTerm *l, int i) {
    const char *name[MAX_SETTINGS];
    int n = loss_values(l->row);
    Type t = target_type(l, i);
    split_names(m->arena, arguments_of(l->row), name);
    if (t.rank < 0)
        fatal(m, EXIT_INPUT, "%s needs scores [batch, classes, %s]; the output is %s", l->row->name,
              of_classes(l->row) ? "…" : "steps", type_text(m->arena, &m->main->out[0]->type));
    const char *first = strchr("cl", *l->row->target) ? "label" : "target";
    l->arg[n + i] = input_new(m->main, i ? name[n + i] : first, t);
    push(m->arena, &m->training->targets, l->arg[n + i]);
}

/* Of the first outputs. */
static Value *only_loss(Module *m, LossTerm *l) {
    Graph *g = m->main;
    int n = loss_values(l->row);
    if (g->nout < n) fatal(m, EXIT_INPUT, "%s compares %d outputs; the network has %d", l->row->name, n, g->nout);
    l->n = loss_arguments(l->row), l->arg = NEW_ARRAY(m->arena, Value *, l->n + 1);
    for (int i = 0; i < n; i++) l->arg[i] = scores_of(l->row, g->out[i]);
    l->scores = l->arg[0]->type, l->judged = compares(l->row), l->applied = l->arg[0] != g->out[0];
    for (int i = n; i < l->n; i++) add_target(m, l, i - n);
    if (n < l->n) l->target = l->arg[n];
    return build_comparison(m, "Loss", l->row->value, l);
}

/* ---- an output that is the loss ---- */

static int output_called(const Graph *g, const char *name) {
    for (int i = 0; i < g->nout; i++)
        if (!strcmp(port_name(g->out[i]), name)) return i;
    return -1;
}

static int loss_output(Module *m, const LossTerm *l) {
    const Graph *g = m->main;
    const char **names = NEW_ARRAY(m->arena, const char *, g->nout + 1);
    int k = output_called(g, l->output);
    for (int i = 0; i < g->nout; i++) names[i] = port_name(g->out[i]);
    if (k < 0)
        fatal(m, EXIT_INPUT, "--loss=output:%s: there is no such output%s", escaped(m->arena, l->output, 60),
              choices(m->arena, l->output, "there are", g->nout, names));
    return k;
}

static void mark_read(void *needed, Value *v) { ((bool *)needed)[v->id] = true; }

/* What is needed for the other outputs; nodes that are not may go. */
static bool *needed_without(Module *m, const Value *loss, bool drop) {
    const Graph *g = m->main;
    bool *needed = NEW_ARRAY(m->arena, bool, number_values(m) + 1);
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] != loss) needed[g->out[i]->id] = true;
    for (Node *n = g->last, *before; n; n = before) {
        bool any = n->op->effect;
        before = n->prev;
        for (int i = 0; i < n->nout; i++) any = any || (n->out[i] && needed[n->out[i]->id]);
        if (any)
            each_read(n, mark_read, needed);
        else if (drop)
            unlink_node(n);
    }
    return needed;
}

/* It comes last, and behind the inputs come those that nothing else needs: targets. Functions without a loss have
 * neither. */
void prepare_loss_output(Module *m) {
    Training *t = m->training;
    Graph *g = m->main;
    LossTerm *l = t->losses.n ? t->losses.at[0] : NULL;
    if (!l || !l->output || m->after) return;
    Value *loss = g->out[loss_output(m, l)];
    l->n = 1, l->arg = arena_copy(m->arena, &loss, sizeof loss);
    if (g->nout == 1) return;
    List in = {0}, out = {0};
    resolve_graph(g);
    const bool *needed = needed_without(m, loss, !m->entry->loss);
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] != loss) push(m->arena, &out, g->out[i]);
    if (m->entry->loss) push(m->arena, &out, loss);
    for (int i = 0; i < g->nin; i++) push(m->arena, needed[g->in[i]->id] ? &in : &t->targets, g->in[i]);
    for (int i = 0; i < t->targets.n && m->entry->loss; i++) push(m->arena, &in, t->targets.at[i]);
    if (!m->entry->loss) t->targets.n = 0;
    g->nin = in.n, memcpy(g->in, in.at, sizeof *g->in * (size_t)in.n);
    set_outputs(g, &out);
}

static Value *given_loss(Module *m, const LossTerm *l) {
    Value *v = m->main->out[m->main->nout > 1 ? m->main->nout - 1 : 0], *r;
    if (!is_float(v->type.dtype) || type_count(&v->type) != 1 || has_open_dims(&v->type))
        fatal(m, EXIT_INPUT, "--loss=output:%s: expected one number of floats, saw %s",
              escaped(m->arena, l->output, 60), type_text(m->arena, &v->type));
    Node *at = end_of_graph(m, "Loss");
    build_decomposition(at, "ReduceSum(y, keepdims = 0)", 1, (const char *[]){"y"}, &v, 1, &r);
    unlink_node(at);
    return r;
}

/* ---- several ---- */

/* a + k * b; a may be NULL. */
static Value *add_weighted(Node *at, Value *a, double k, Value *b) {
    Module *m = at->graph->module;
    if (a && a->type.dtype != b->type.dtype)
        build_decomposition(at, "cast(b, a)", 2, (const char *[]){"a", "b"}, (Value *[]){a, b}, 1, &b);
    Value *in[3] = {a, b, const_scalar(m, b->type.dtype, k)};
    if (k != 1) build_decomposition(at, "b * k", 2, (const char *[]){"b", "k"}, in + 1, 1, &in[1]);
    if (a) build_decomposition(at, "a + b", 2, (const char *[]){"a", "b"}, in, 1, &in[1]);
    return in[1];
}

/* What text/losses.c built are the graph's last outputs: losses, and behind them right answers. */
static Value *sum_of_losses(Module *m) {
    Training *t = m->training;
    Graph *g = m->main;
    Value *sum = NULL;
    Node *at = end_of_graph(m, "Loss");
    bool counted = false;
    for (int i = 0; i < t->losses.n; i++) counted = counted || ((LossTerm *)t->losses.at[i])->counted;
    int first = g->nout - t->losses.n - counted;
    for (int i = 0; i < t->losses.n; i++) {
        LossTerm *l = t->losses.at[i];
        l->value = g->out[first + i];
        sum = add_weighted(at, sum, l->factor, l->value);
    }
    if (counted) t->correct = g->out[g->nout - 1];
    unlink_node(at);
    return sum;
}

/* ---- --add-loss: 0.001 * L2("*.weight", "head.*") ---- */

static _Noreturn void no_added_loss(Module *m, const char *text) {
    fatal(m, EXIT_INPUT,
          "--add-loss: expected a factor and a loss of parameters, as in '0.001 * L2(\"*.weight\")', saw '%s'",
          escaped(m->arena, text, 80));
}

/* Adds the parameters that the pattern names. */
static void take_parameters(Module *m, LossTerm *l, const char *pattern, List *values) {
    int before = values->n;
    for (int i = 0; i < m->training->trained.n; i++) {
        const Trained *p = m->training->trained.at[i];
        if (!fnmatch(pattern, p->param->name, 0)) push(m->arena, values, p->param);
    }
    if (values->n == before)
        fatal(m, EXIT_INPUT, "--add-loss: no parameter that is trained is called '%s'", escaped(m->arena, pattern, 60));
    l->arg = (Value **)values->at, l->n = values->n;
}

static LossTerm *read_added(Module *m, const char *text) {
    LossTerm *l = NEW(m->arena, LossTerm);
    List values = {0};
    char *end;
    l->factor = strtod(text, &end);
    const char *s = end + strspn(end, " ");
    if (end == text) l->factor = 1;
    if (end != text && *s++ != '*') no_added_loss(m, text);
    s += strspn(s, " ");
    l->row = find_loss(format(m->arena, "%.*s", (int)strcspn(s, "( "), s));
    s += strcspn(s, "(");
    if (!l->row || !l->row->each || l->row->args || !isfinite(l->factor) || *s != '(') no_added_loss(m, text);
    do {
        s++, s += strspn(s, " ");
        size_t n = *s == '"' ? strcspn(s + 1, "\"") : 0;
        if (!n || s[n + 1] != '"') no_added_loss(m, text);
        take_parameters(m, l, format(m->arena, "%.*s", (int)n, s + 1), &values);
        s += n + 2, s += strspn(s, " ");
    } while (*s == ',');
    if (strcmp(s, ")")) no_added_loss(m, text);
    return l;
}

static Value *with_added(Module *m, Value *loss) {
    for (int i = 0; i < m->opt->added_losses.n; i++) {
        const LossTerm *l = read_added(m, m->opt->added_losses.at[i]);
        Value *v = build_comparison(m, l->row->name, l->row->value, l);
        Node *at = end_of_graph(m, "Loss");
        loss = add_weighted(at, loss, l->factor, v);
        unlink_node(at);
    }
    return loss;
}

Value *build_loss(Module *m) {
    Training *t = m->training;
    if (!t->losses.n) return projection(m);
    LossTerm *first = t->losses.at[0];
    return with_added(m, first->output ? given_loss(m, first) : first->name ? sum_of_losses(m) : only_loss(m, first));
}
