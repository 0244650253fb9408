/* simplify - batch norm into the convolution before it. needs: types, composites not expanded; keeps: names.
 *
 * y = (conv(x, w) + b - mean) * f + B with f = scale / sqrt(var + epsilon) is conv(x, w * f) + (b - mean) * f + B:
 * known numbers all of them, so that the network loses a node. Computed in double, rounded once. */
#include "../nncc.h"
#include <math.h>

static const Tensor *known(const Value *v) { return v && v->data && v->kind == V_CONST ? v->data : NULL; }

static bool known_vector(const Value *v, int64_t n) {
    return known(v) && v->data->count == n && is_float(v->data->dtype);
}

/* The convolution that feeds n and nobody else, with known weights; NULL if there is none. */
static Node *convolution_before(const Node *n) {
    Value *v = n->in[0];
    Node *c = v->def;
    if (!c || !IS(c, Conv) || v->uses != 1 || is_output(v) || v->graph != n->graph || !known(c->in[1])) return NULL;
    return !input(c, 2) || known(c->in[2]) ? c : NULL;
}

static bool is_plain_norm(const Node *n) {
    if (!IS(n, BatchNormalization) || attr_i(n, "training_mode") || n->nin != 5) return false;
    for (int i = 1; i < n->nout; i++)
        if (n->out[i] && n->out[i]->uses) return false;
    return true;
}

/* w * f, f along the outermost dim. */
static Tensor *scaled(Arena *a, const Tensor *w, const double *f) {
    Tensor *t = tensor_new(a, w->dtype, w->rank, w->dim);
    int64_t rows = w->dim[0], n = rows ? w->count / rows : 0;
    bool f32 = w->dtype == DT_f32;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = r * n; i < (r + 1) * n; i++) {
            float x;
            if (!f32) {
                set_f(t, i, get_f(w, i) * f[r]);
                continue;
            }
            memcpy(&x, (const char *)w->data + 4 * i, 4); /* the many go fast: weights may be a hundred megabytes */
            ((float *)tensor_data(t))[i] = (float)((double)x * f[r]);
        }
    return t;
}

static void fold_norm(Node *n, Node *c) {
    Module *m = n->graph->module;
    const Tensor *w = c->in[1]->data, *b = input(c, 2) ? c->in[2]->data : NULL;
    int64_t rows = w->dim[0];
    double *f = NEW_ARRAY(m->arena, double, rows), epsilon = attr_f(n, "epsilon");
    Tensor *shift = tensor_new(m->arena, w->dtype, 1, &rows);
    for (int64_t i = 0; i < rows; i++) {
        f[i] = get_f(n->in[1]->data, i) / sqrt(get_f(n->in[4]->data, i) + epsilon);
        set_f(shift, i, ((b ? get_f(b, i) : 0) - get_f(n->in[3]->data, i)) * f[i] + get_f(n->in[2]->data, i));
    }
    Value *in[3] = {c->in[0], const_new(m, c->in[1]->name, scaled(m->arena, w, f)),
                    const_new(m, n->in[2]->name, shift)};
    release_mapped(m, w->data, (size_t)w->count * (size_t)dtypes[w->dtype].bytes);
    Node *folded = emit(n, c->op, 3, in);
    for (int i = 0; i < ROW_ATTRS && c->op->attr[i].name; i++) folded->attr[i] = c->attr[i];
    folded->name = c->name, folded->loc = c->loc, folded->origin = NULL;
    infer_node(folded);
    take_place(n->out[0], folded->out[0]);
    unlink_node(n);
    unlink_node(c);
}

static void simplify_graph(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        Node *c = is_plain_norm(n) ? convolution_before(n) : NULL;
        bool vectors = c != NULL;
        for (int i = 1; i < 5 && vectors; i++) vectors = known_vector(n->in[i], c->in[1]->data->dim[0]);
        if (vectors) fold_norm(n, c);
    }
    resolve_graph(g);
}

void pass_simplify(Module *m) {
    count_uses(m);
    each_graph(m, simplify_graph, NULL);
    resolve_graph(m->main);
}
