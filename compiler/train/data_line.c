/* data_line.c - the data line of a text: what is done to numbers of a file before the network sees them, and on request
 * within the network. */
#include "train/data_line.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"
#include <math.h>

const Attr *data_said(const Module *m, const char *input, const char *what) {
    const char *name = format(m->arena, "%s.%s", input, what);
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "data"); k++)
            if (!strcmp(meta->attr[k].name, name)) return &meta->attr[k];
    }
    return NULL;
}

double number_said(const Attr *a, int i) {
    return a->kind == A_INT     ? (double)a->i
           : a->kind == A_FLOAT ? a->f
           : a->kind == A_INTS  ? (double)a->ints[i]
                                : a->floats[i];
}

/* ---- its faults ---- */

/* All of them are listed. */
#define WRONG(m, ...) problem_at(m, EXIT_INPUT, (Loc){0}, NULL, __VA_ARGS__)

/* Words that mean something, and the kinds that they have. */
static const struct {
    const char *name;
    AttrKind kind[2];
    const char *what;
} words[] = {{"layout", {A_STR, A_STR}, "NCHW"},
             {"scale", {A_INT, A_FLOAT}, "a number"},
             {"mean", {A_INTS, A_FLOATS}, "a list of numbers"},
             {"std", {A_INTS, A_FLOATS}, "a list of numbers"}};

/* Of an entry such as "image.scale". */
static void check_word(Module *m, const Attr *a, const char *word) {
    for (int i = 0; i < COUNT(words); i++) {
        if (strcmp(words[i].name, word)) continue;
        bool fits = a->kind == words[i].kind[0] || a->kind == words[i].kind[1];
        if (fits && a->kind == A_STR && strcmp(a->s, words[i].what))
            WRONG(m, "the data line's layout is '%s'; it can only be NCHW", escaped(m->arena, a->s, 60));
        else if (!fits)
            WRONG(m, "the data line's %s has to be %s", word, words[i].what);
        return;
    }
    WRONG(m, "the data line has '%s', which means nothing", escaped(m->arena, word, 60));
}

static void check_entry(Module *m, const Attr *a, const Value *const *port, int n, bool all) {
    const char *dot = strrchr(a->name, '.');
    const char *input = format(m->arena, "%.*s", (int)(dot ? dot - a->name : 0), a->name);
    bool found = false;
    for (int i = 0; i < n; i++) found = found || !strcmp(port[i]->name, input);
    if (found)
        check_word(m, a, dot + 1);
    else if (all)
        WRONG(m, "the data line names input '%s'; the network's input is '%s'",
              escaped(m->arena, dot ? input : a->name, 60), escaped(m->arena, port[0]->name, 60));
}

static void check_normalising(Module *m, const Value *x) {
    const Attr *scale = data_said(m, x->name, "scale"), *mean = data_said(m, x->name, "mean"),
               *std = data_said(m, x->name, "std");
    int64_t channels = x->type.rank > 1 ? x->type.dim[1].max : 1;
    if (!mean != !std) WRONG(m, "the data line needs mean and std, or neither");
    if (mean && std && (mean->n != std->n || mean->n != channels))
        WRONG(m, "the data line has %d means and %d numbers of std; the input %s has %lld channels", mean->n, std->n,
              type_text(m->arena, &x->type), (long long)channels);
    if (scale && (!isfinite(number_said(scale, 0)) || number_said(scale, 0) == 0))
        WRONG(m, "scale in the data line is %g; it has to be a finite number other than 0", number_said(scale, 0));
    for (int i = 0; mean && i < mean->n; i++)
        if (!isfinite(number_said(mean, i)))
            WRONG(m, "mean in the data line is %g; it has to be finite", number_said(mean, i));
    for (int i = 0; std && i < std->n; i++)
        if (!(number_said(std, i) > 0 && isfinite(number_said(std, i))))
            WRONG(m, "std in the data line is %g; it has to be above 0, and finite", number_said(std, i));
    if ((mean || scale) && !is_float(x->type.dtype))
        WRONG(m, "the data line scales '%s', which is %s; only floats are scaled", escaped(m->arena, x->name, 60),
              type_text(m->arena, &x->type));
}

void check_data_numbers(Module *m, const Value *const *port, int n, bool all) {
    for (int i = 0; i < m->metas.n; i++) {
        const Meta *meta = m->metas.at[i];
        for (int k = 0; k < meta->n && !strcmp(meta->keyword, "data"); k++)
            check_entry(m, &meta->attr[k], port, n, all);
    }
    stop_on_problems(m);
    for (int i = 0; i < n; i++) check_normalising(m, port[i]);
    stop_on_problems(m);
}

/* ---- within the network ---- */

/* Its numbers along the second dim. */
static Value *said_value(Module *m, const Value *x, const Attr *a, const char *what) {
    int64_t dim[MAX_RANK];
    int rank = a->n > 1 ? x->type.rank - 1 : 0, count = a->n > 1 ? a->n : 1;
    for (int i = 0; i < rank; i++) dim[i] = i ? 1 : a->n;
    Tensor *t = tensor_new(m->arena, x->type.dtype, rank, dim);
    for (int i = 0; i < count; i++) set_f(t, i, number_said(a, i));
    return const_new(m, format(m->arena, "%s.%s", x->name, what), t);
}

/* Whoever reads x behind the nodes up to `last` reads y. */
static void read_instead(Module *m, Graph *g, const Node *last, Value *x, Value *y) {
    for (Node *n = g == m->main ? last->next : g->first; n; n = n->next) {
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && resolve(n->in[i]) == x) n->in[i] = y;
    }
    for (int i = 0; i < g->nout; i++)
        if (resolve(g->out[i]) == x && g != m->main) g->out[i] = y;
}

typedef struct {
    const Node *last;
    Value *x, *y;
} Instead;

static void read_in_graph(Graph *g, void *arg) {
    const Instead *r = arg;
    read_instead(g->module, g, r->last, r->x, r->y);
}

/* What the line says, in the order in which it is done. */
static const struct { const char *what, *text; } steps[] = {{"scale", "x * k"}, {"mean", "x - k"}, {"std", "x / k"}};

static void normalise(Module *m, Value *x) {
    Value *y = x;
    Node *at = node_new(m->main, m->main->first, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    at->origin = "data";
    for (int i = 0; i < COUNT(steps); i++) {
        const Attr *a = data_said(m, x->name, steps[i].what);
        if (!a) continue;
        y = build_value(at, steps[i].text, 2, (const char *[]){"x", "k"},
                        (Value *[]){y, said_value(m, x, a, steps[i].what)});
    }
    const Node *last = at->prev;
    unlink_node(at);
    if (y != x) each_graph(m, read_in_graph, &(Instead){last, x, y});
}

void expect_data_line(Module *m, int inputs) {
    for (int i = 0; i < inputs; i++)
        for (int k = 0; k < COUNT(steps); k++)
            if (data_said(m, m->main->in[i]->name, steps[k].what)) return;
    fatal(m, EXIT_INPUT, "--normalise: expected a data line with scale, or mean and std, saw none");
}

void normalise_inputs(Module *m) {
    check_data_numbers(m, (const Value *const *)m->main->in, m->main->nin, false);
    expect_data_line(m, m->main->nin);
    for (int i = 0; i < m->main->nin; i++) normalise(m, m->main->in[i]);
}
