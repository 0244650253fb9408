/* retype.c - other element types than the model's, chosen before the first pass: --io=quantized, where the caller's
 * tensors are the integers behind a QuantizeLinear and before a DequantizeLinear; --real=f64, the same network with
 * every float a double, the oracle for networks too large for the interpreter. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include <math.h>

/* What integers mean: (i - zero) * scale. `readers` of an input have it; where one has not, the input is `mixed`. */
typedef struct {
    DType dtype;
    double scale;
    int64_t zero;
    int readers;
    bool mixed;
} Scaling;

typedef struct {
    Module *m;
    Meta *io;  /* what the header says of ports that have changed */
    List left; /* char *: names of those that could have, but for a scale that is not one known number */
} Boundary;

static const Type unknown = {.dtype = DT_none, .rank = -1};

static bool same_scaling(const Scaling *a, const Scaling *b) {
    return a->dtype == b->dtype && a->scale == b->scale && a->zero == b->zero;
}

/* Whether scale and zero point are one known number each. */
static bool scaling_of(const Node *n, Scaling *s) {
    const Value *zero = input(n, 2);
    int64_t named = IS(n, QuantizeLinear) ? attr_i(n, "output_dtype") : 0;
    int count = 1;
    s->zero = 0, s->dtype = zero ? zero->type.dtype : named ? dtype_of_onnx(named) : DT_u8;
    return known_float(n->in[1], &s->scale) && isfinite(s->scale) &&
           (!zero || (known_ints(zero, 1, &count, &s->zero) && count == 1)) && s->dtype != DT_none && is_int(s->dtype);
}

/* Operators that change where elements are, not what they are: they do the same to integers. */
static bool only_moves(const Node *n) {
    return IS(n, Identity) || IS(n, Reshape) || IS(n, Flatten) || IS(n, Squeeze) || IS(n, Unsqueeze) ||
           IS(n, Transpose);
}

/* The value that v is, but for the order of its elements; nothing else reads what lies between. */
static Value *unmoved(Value *v) {
    while (v->kind == V_NODE && v->uses == 1 && only_moves(v->def)) v = v->def->in[0];
    return v;
}

static void add_number(Boundary *b, const char *port, const char *what, Attr a) {
    a.name = format(b->m->arena, "%s.%s", port, what);
    b->io->attr[b->io->n++] = a;
}

static void describe(Boundary *b, const char *side, int i, const Scaling *s) {
    const char *port = format(b->m->arena, "%s%d", side, i);
    add_number(b, port, "scale", (Attr){.kind = A_FLOAT, .f = s->scale});
    add_number(b, port, "zero_point", (Attr){.kind = A_INT, .i = s->zero});
}

static void leave(Boundary *b, const Value *v) { push(b->m->arena, &b->left, (void *)(uintptr_t)port_name(v)); }

/* ---- inputs ---- */

static Scaling *scaling_of_input(const Map *inputs, const Node *n) {
    if (!IS(n, QuantizeLinear) || is_output(n->out[0])) return NULL;
    const Value *v = unmoved(n->in[0]);
    return v->kind == V_INPUT && v->graph == n->graph ? map_get(inputs, v->name) : NULL;
}

static void see_reader(const Node *n, Scaling *known) {
    Scaling s = {0};
    bool first = !known->readers++;
    if (!scaling_of(n, &s) || (!first && !same_scaling(&s, known)))
        known->mixed = true;
    else if (first)
        known->dtype = s.dtype, known->scale = s.scale, known->zero = s.zero;
}

/* Between the input and n the types are found again. */
static void take_integers(Node *n, DType dtype) {
    Value *v = n->in[0];
    for (; v->kind == V_NODE; v = v->def->in[0]) v->type = unknown;
    v->type.dtype = dtype;
    replace(n->out[0], n->in[0]);
    unlink_node(n);
}

static void quantize_inputs(Boundary *b) {
    Graph *g = b->m->main;
    Map *inputs = map_new(b->m->arena);
    Scaling *all = NEW_ARRAY(b->m->arena, Scaling, g->nin + 1), *s;
    for (int i = 0; i < g->nin; i++) map_set(inputs, g->in[i]->name, &all[i]);
    for (Node *n = g->first; n; n = n->next)
        if ((s = scaling_of_input(inputs, n))) see_reader(n, s);
    for (int i = 0; i < g->nin; i++) {
        bool alone = all[i].readers && all[i].readers == g->in[i]->uses;
        if (alone && all[i].mixed) leave(b, g->in[i]);
        if (alone && !all[i].mixed) describe(b, "in", i, &all[i]);
        all[i].mixed |= !alone;
    }
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if ((s = scaling_of_input(inputs, n)) && !s->mixed) take_integers(n, s->dtype);
    }
    resolve_graph(g);
}

/* ---- outputs ---- */

/* The output becomes what n read; what only moves elements stays behind it. */
static void give_integers(Value *y, Node *n) {
    Value *v = y;
    if (v == n->out[0]) {
        v->type = unknown;
        replace_keeping_name(v, n->in[0]);
    }
    for (Node *move = v->def; move != n; move = v->def) {
        v->type = unknown, v = move->in[0];
        if (v == n->out[0]) move->in[0] = n->in[0];
    }
    unlink_node(n);
}

static void quantize_outputs(Boundary *b) {
    Graph *g = b->m->main;
    for (int i = 0; i < g->nout; i++) {
        Value *y = g->out[i], *v = unmoved(y);
        Scaling s = {0};
        if (v->kind != V_NODE || v->uses != 1 || !IS(v->def, DequantizeLinear)) continue;
        if (scaling_of(v->def, &s)) {
            describe(b, "out", i, &s);
            give_integers(y, v->def);
        } else {
            leave(b, y);
        }
    }
    resolve_graph(g);
}

/* ---- both ---- */

static void tell_left(const Boundary *b) {
    enum { LISTED = 4 };
    Str s = {.arena = b->m->arena};
    for (int i = 0; i < b->left.n && i < LISTED; i++)
        put(&s, "%s'%s'", i ? ", " : "", escaped(b->m->arena, b->left.at[i], 60));
    if (b->left.n > LISTED) put(&s, " and %d more", b->left.n - LISTED);
    if (b->left.n)
        inform(b->m,
               "--io=quantized: %s stay%s floating-point: expected one constant scale and zero point for all "
               "elements and readers",
               s.s, b->left.n > 1 ? "" : "s");
}

void quantize_io(Module *m) {
    Boundary b = {.m = m, .io = NEW(m->arena, Meta)};
    for (int i = 0; i < m->metas.n; i++)
        if (!strcmp(((Meta *)m->metas.at[i])->keyword, "io")) return; /* a dump of what has been through here */
    *b.io = (Meta){"io", m->main->name, 0, NEW_ARRAY(m->arena, Attr, 2 * (m->main->nin + m->main->nout) + 1)};
    count_uses(m);
    quantize_inputs(&b);
    count_uses(m);
    quantize_outputs(&b);
    tell_left(&b);
    if (b.io->n)
        push(m->arena, &m->metas, b.io);
    else
        warn(m, "--io=quantized changes nothing: no input is read by a QuantizeLinear alone, and no output is what a "
                "DequantizeLinear gives");
}

/* ---- every float a double ---- */

static DType widened(DType t) { return t != DT_none && is_float(t) ? DT_f64 : t; }

/* Attributes that name an element type by its ONNX number. */
static bool names_type(const char *attr) {
    static const char *const names[] = {"to",         "dtype",           "output_dtype",
                                        "stash_type", "output_datatype", "softmax_precision"};
    for (int i = 0; i < COUNT(names); i++)
        if (!strcmp(names[i], attr)) return true;
    return false;
}

static void widen_attr(Module *m, Attr *a) {
    if (a->kind == A_TENSOR && a->tensor && a->tensor->dtype != DT_str && is_float(a->tensor->dtype))
        a->tensor = tensor_cast(m->arena, a->tensor, DT_f64);
    if (a->kind == A_INT && names_type(a->name) && dtype_of_onnx(a->i) != DT_none)
        a->i = dtypes[widened(dtype_of_onnx(a->i))].onnx;
}

static void widen_graph(Graph *g, void *unused) {
    (void)unused;
    for (int i = 0; i < g->nin; i++) g->in[i]->type.dtype = widened(g->in[i]->type.dtype);
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++) {
            Value *v = n->out[i];
            if (!v) continue;
            v->type.dtype = widened(v->type.dtype);
            if (v->data && v->data->dtype != v->type.dtype) v->data = NULL; /* known in f32: computed again */
        }
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name && !IS(n, BitCast); i++)
            widen_attr(g->module, &n->attr[i]);
    }
}

void promote_to_f64(Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (v->data && v->data->dtype != DT_str && is_float(v->data->dtype))
            v->data = tensor_cast(m->arena, v->data, DT_f64);
        v->type.dtype = widened(v->type.dtype);
    }
    each_graph(m, widen_graph, NULL);
}
