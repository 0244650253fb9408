/* behaviour.c - the rows of behaviour.def: when they apply, the table for users, what verify says beside a mismatch. */
#include "harness/behaviour.h"
#include "ir/build.h"
#include "loop/loop.h"
#include <math.h>

/* ---- conditions ---- */

static const Type *in_type_of(const Sight *s, int i) {
    static const Type none = {.dtype = DT_none, .rank = -1};
    const Value *v = input(s->node, i);
    return v ? &v->type : &none;
}

static bool given(const Sight *s, int i) { return input(s->node, i) != NULL; }
static bool is_set(const Sight *s, const char *name) { return attr(s->node, name)->set; }
static bool on(const Sight *s, const char *name) { return attr_i(s->node, name) != 0; }
static bool word(const Sight *s, const char *name, const char *is) { return !strcmp(attr_s(s->node, name), is); }
static bool takes(const Sight *s, int i, DType t) { return in_type_of(s, i)->dtype == t; }
static bool takes_int(const Sight *s, int i) {
    return in_type_of(s, i)->dtype != DT_none && is_int(in_type_of(s, i)->dtype);
}
static bool takes_float(const Sight *s, int i) {
    return in_type_of(s, i)->dtype != DT_none && is_float(in_type_of(s, i)->dtype);
}
static bool opset_below(const Sight *s, int opset) {
    int64_t has = s->node->graph->module->opset;
    return has && has < opset;
}
static bool same_padding(const Sight *s) { return !strncmp(attr_s(s->node, "auto_pad"), "SAME", 4); }

static bool any_int(const Sight *s, const char *name, bool (*f)(int64_t)) {
    const Attr *a = attr(s->node, name);
    for (int i = 0; i < a->n; i++)
        if (f(a->ints[i])) return true;
    return false;
}
static bool is_above_1(int64_t v) { return v > 1; }

/* Whether an input is the first result of such an operator. */
static bool made_by(const Sight *s, int i, int op) {
    const Value *v = input(s->node, i);
    return v && v->def && v->def->op == &ops[op];
}

static const Tensor *contents_of(const Sight *s, int i) {
    const Value *v = input(s->node, i);
    return !v ? NULL : v->data ? v->data : s->contents(s->arg, v);
}

static bool any_number(const Sight *s, int i, bool (*f)(double, void *), void *arg) {
    const Tensor *t = contents_of(s, i);
    if (!t || t->dtype == DT_str) return false;
    for (int64_t k = 0; k < t->count; k++)
        if (f(get_f(t, k), arg)) return true;
    return false;
}

static bool is_nan_number(double v, void *unused) {
    (void)unused;
    return isnan(v);
}
static bool is_one(double v, void *unused) {
    (void)unused;
    return v == 1;
}
static bool is_outside(double v, void *range) {
    const double *r = range;
    return !(trunc(v) >= r[0] && trunc(v) <= r[1]);
}

static bool nan_in(const Sight *s, int i) { return takes_float(s, i) && any_number(s, i, is_nan_number, NULL); }
static bool nan_in_any(const Sight *s) {
    for (int i = 0; i < s->node->nin; i++)
        if (nan_in(s, i)) return true;
    return false;
}
static bool empty(const Sight *s, int i) { return type_known(in_type_of(s, i)) && !type_count(in_type_of(s, i)); }

/* Floats that the integer type of the result does not hold. */
static bool leaves_range(const Sight *s) {
    DType to = s->node->out[0] ? s->node->out[0]->type.dtype : DT_none;
    if (to == DT_none || !holds_ints(to) || !takes_float(s, 0)) return false;
    return any_number(s, 0, is_outside, (double[]){(double)dtype_min(to), (double)dtype_max(to)});
}

static bool adds_up(double v, void *sum) {
    double *p = sum;
    p[0] += fabs(v), p[1] *= fabs(v) > 1 ? fabs(v) : 1;
    return false;
}
/* Whether the sum, or the product, of all that is reduced may leave its type. */
static bool may_overflow(const Sight *s, bool product) {
    double sum[2] = {0, 1};
    if (!takes_int(s, 0)) return false;
    any_number(s, 0, adds_up, sum);
    return sum[product] > (double)dtype_max(in_type_of(s, 0)->dtype);
}

static bool shrinks(const Sight *s) {
    const Type *x = in_type_of(s, 0), *y = &s->node->out[0]->type;
    for (int i = 0; i < x->rank && i < y->rank; i++)
        if (y->dim[i].max < x->dim[i].max) return true;
    return false;
}

/* A window that is smaller than its stride along some dim. */
static bool gaps(const Sight *s) {
    const Attr *stride = attr(s->node, "strides");
    const Type *w = in_type_of(s, 1);
    for (int i = 0; i < stride->n && i + 2 < w->rank; i++)
        if (w->dim[i + 2].max < stride->ints[i]) return true;
    return false;
}

/* Weights in blocks with a scale each. */
static bool takes_blocks(const Sight *s) {
    return made_by(s, 1, OP_DequantizeLinear) && attr_i(s->node->in[1]->def, "block_size") > 0;
}

/* A node between dequantised inputs and a quantised result, which other runtimes replace by one in integers. */
static bool requantizes(const Sight *s) {
    const Node *n = given(s, 0) ? s->node->in[0]->def : NULL;
    for (int i = 0; n && i < n->nin; i++)
        if (n->in[i] && n->in[i]->def && n->in[i]->def->op == &ops[OP_DequantizeLinear]) return true;
    return false;
}

#define BEHAVIOUR(id, operators, when, ...)                                                                            \
    static bool applies_##id(const Sight *s) {                                                                         \
        (void)s;                                                                                                       \
        return when;                                                                                                   \
    }
#include "harness/behaviour.def"
#undef BEHAVIOUR

const Behaviour behaviours[] = {
#define BEHAVIOUR(id, operators, when, ...) {.name = #id, .ops = operators, .applies = applies_##id, __VA_ARGS__},
#include "harness/behaviour.def"
#undef BEHAVIOUR
    {.name = NULL},
};

/* ---- the table for users ---- */

static const char preface[] =
    "# Where results differ between runtimes\n"
    "\n"
    "Written by `nncc --list-behaviour=md` from `compiler/harness/behaviour.def`; tests compare the two.\n"
    "\n"
    "ONNX leaves some results open, and runtimes do not follow it everywhere. If the outputs of a network that nncc "
    "compiled\n"
    "differ from those of another runtime by more than rounding, look for its operators here: each row is a case of "
    "valid input\n"
    "for which we saw results differ, by running all of them. `nncc verify MODEL DIR` prints the rows that can explain "
    "a\n"
    "mismatch beside it, as far as operators, attributes, types and the data say.\n"
    "\n"
    "Measured on x86-64 with AVX2 and without VNNI: ONNX Runtime 1.32.0 (CPU provider, default optimisations), "
    "onnx.reference of\n"
    "onnx 1.23.2 (\"the reference\"), OpenVINO 2026.4.1 (CPU, f32), PyTorch 2.15.0, Keras 3.15.1. \"The text\" is "
    "ONNX's\n"
    "operator specification; a number behind an operator is its version.\n"
    "\n"
    "The tests are cases of these names in `tests/behaviour/`.\n"
    "\n";

static void put_cell(FILE *f, const char *text) {
    fputs(" ", f);
    for (const char *s = text ? text : ""; *s; s++) fputs(*s == '|' ? "\\|" : (char[]){*s, 0}, f);
    fputs(" |", f);
}

static void put_row(FILE *f, const Behaviour *b) {
    const char *cells[] = {b->topic, b->does, b->same, b->other, b->why};
    fputs("|", f);
    for (int i = 0; i < COUNT(cells); i++) put_cell(f, cells[i]);
    fprintf(f, " `%s` |\n", b->name);
}

void list_behaviours(FILE *f, bool markdown) {
    if (markdown)
        fprintf(f, "%s| topic | nncc | the same | otherwise | why | test |\n|---|---|---|---|---|---|\n", preface);
    for (const Behaviour *b = behaviours; b->name; b++)
        if (markdown)
            put_row(f, b);
        else
            fprintf(f, "%s\t%s\t%s\n", b->name, b->ops ? b->ops : "", b->topic);
}

/* ---- beside a mismatch ---- */

typedef struct {
    List values; /* still to be followed */
    List nodes;
    unsigned char *seen; /* by Value.id */
} Reach;

enum { VALUE_SEEN = 1, NODE_SEEN = 2 }; /* a node is known by the first of its results that is used */

static void reach_value(Arena *a, Reach *r, Value *v) {
    if (!v || r->seen[v->id] & VALUE_SEEN) return;
    r->seen[v->id] |= VALUE_SEEN;
    push(a, &r->values, v);
}

static bool node_is_new(Reach *r, const Node *n) {
    int i = 0;
    while (!n->out[i]) i++;
    unsigned char *seen = &r->seen[n->out[i]->id], before = *seen;
    *seen |= NODE_SEEN;
    return !(before & NODE_SEEN);
}

/* A node with the regions it owns: what is computed in them counts from their results on. */
static void reach_node(Arena *a, Reach *r, Node *n) {
    push(a, &r->nodes, n);
    for (int i = 0; i < n->nin; i++) reach_value(a, r, n->in[i]);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Graph *g = n->attr[i].graph;
        for (int k = 0; g && k < g->nout; k++) reach_value(a, r, g->out[k]);
    }
}

static void follow(Arena *a, Reach *r) {
    while (r->values.n) {
        Value *v = r->values.at[--r->values.n];
        if (v->def && node_is_new(r, v->def)) reach_node(a, r, v->def);
    }
}

static void report_row(Arena *a, const Behaviour *b, const Node *n, int more, FILE *out) {
    char others[40] = "";
    if (more) snprintf(others, sizeof others, " and %d more", more);
    fprintf(out, "known difference, %s%s: %s. nncc: %s. (docs/behaviour.md: %s)\n", node_text(a, n), others, b->other,
            b->does, b->name);
}

void report_behaviours(Module *m, const bool *wrong, const Tensor *(*contents)(void *, const Value *), void *arg,
                       FILE *out) {
    Reach r = {.seen = arena_alloc(m->arena, (size_t)number_values(m) + 1)};
    for (int i = 0; i < m->main->nout; i++)
        if (wrong[i]) reach_value(m->arena, &r, m->main->out[i]);
    follow(m->arena, &r);
    for (const Behaviour *b = behaviours; b->name; b++) {
        const Node *first = NULL;
        int count = 0;
        for (int i = 0; b->ops && i < r.nodes.n; i++) {
            const Node *n = r.nodes.at[i];
            if (!has_word(b->ops, n->op->name) || !b->applies(&(Sight){n, contents, arg})) continue;
            first = n, count++; /* the last that is reached stands nearest to the inputs */
        }
        if (first) report_row(m->arena, b, first, count - 1, out);
    }
}
