/* data_line.c - the data line of a text: what is done to numbers of a file before the network sees them, and on request
 * within the network. */
#include "train/data_line.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"

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

static bool normalise(Module *m, Value *x) {
    static const struct {
        const char *what, *text;
    } steps[] = {{"scale", "x * k"}, {"mean", "x - k"}, {"std", "x / k"}};
    Value *y = x;
    Node *at = node_new(m->main, m->main->first, &ops[OP_Identity], 0, NULL, 0, NULL, (Loc){.node = -1});
    at->origin = "data";
    for (int i = 0; i < COUNT(steps); i++) {
        const Attr *a = data_said(m, x->name, steps[i].what);
        if (!a || !is_float(x->type.dtype)) continue;
        y = build_value(at, steps[i].text, 2, (const char *[]){"x", "k"},
                        (Value *[]){y, said_value(m, x, a, steps[i].what)});
    }
    const Node *last = at->prev;
    unlink_node(at);
    if (y != x) each_graph(m, read_in_graph, &(Instead){last, x, y});
    return y != x;
}

void normalise_inputs(Module *m) {
    bool any = false;
    for (int i = 0; i < m->main->nin; i++) any |= normalise(m, m->main->in[i]);
    if (!any) fatal(m, EXIT_INPUT, "--normalise: expected a data line with scale, or mean and std, saw none");
}
