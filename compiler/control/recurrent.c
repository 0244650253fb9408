/* recurrent.c - RNN, GRU and LSTM (ONNX, since 7) as what they say: a Scan over steps for each direction, which has the
 * gradients that a Loop has. Inference computes them whole: lower/rnn.c; but for DynamicQuantizeLSTM, whose state is
 * quantised in every step. */
#include "control/control.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include "ops/rules_nn.h"

enum { X, W, R, B, LENS, H0, C0, P, QUANTISED }; /* and of W and R scale and zero point */
enum { MAX_FUNCTIONS = 3, MAX_DIRECTIONS = 2, MAX_STATES = 2 };
enum { GATE_Z, GATE_R, GATE_H };         /* of GRU */
enum { GATE_I, GATE_O, GATE_F, GATE_C }; /* of LSTM */

/* What an activation makes of a, with alpha p and beta q (ONNX, RNN: activations). */
typedef struct {
    const char *name;
    bool has_alpha, has_beta;
    double alpha, beta;
} Activation;

static const Activation activations[] = {
#define ACTIVATION(name, has_alpha, has_beta, alpha, beta, f) {#name, has_alpha, has_beta, alpha, beta},
#include "ops/rnn_activations.def"
#undef ACTIVATION
};

static const struct {
    const char *name, *text;
} meanings[] = {
    {"Relu", "Relu(a)"},
    {"Tanh", "Tanh(a)"},
    {"Sigmoid", "Sigmoid(a)"},
    {"Affine", "a * b + c"},
    {"LeakyRelu", "Where(a < 0, a * b, a)"},
    {"ThresholdedRelu", "Where(a < b, 0, a)"},
    {"ScaledTanh", "Tanh(a * c) * b"},
    {"HardSigmoid", "Max(Min(a * b + c, 1), 0)"},
    {"Elu", "Where(a < 0, Expm1(Min(a, 0)) * b, a)"},
    {"Softsign", "a / (Abs(a) + 1)"},
    {"Softplus", "Relu(a) + Log1p(Exp(-Abs(a)))"},
};

/* One direction of a layer while it is built. */
typedef struct {
    Node *n;
    Node *at;  /* new nodes of a step go before it */
    Node *out; /* those of all steps, or of a segment of them */
    int dir;
    bool backward;
    int64_t units;
    double clip; /* 0: none */
    struct {
        const char *text;
        double alpha, beta;
    } f[MAX_FUNCTIONS];
    Value *w, *bias;           /* [inputs, gates * units]; what is added to it, or NULL */
    Value *r, *r_bias;         /* [units, gates * units]; the candidate's bias that a reset gate scales, or NULL */
    Value *scale[2], *zero[2]; /* of w and of r, where these are quantised, or NULL */
} Direction;

/* Some consecutive steps: what they read, the states before and after them, and the rows that they give. */
typedef struct {
    Value *x, *t; /* [steps, batch, inputs]; numbers of the steps where sequences have lengths, else NULL */
    Value *state[MAX_STATES], *rows;
} Steps;

static Value *built(Node *at, const char *text, int count, Value *const *with) {
    static const char *const names[] = {"a", "b", "c", "d"};
    return build_value(at, text, count, names, with);
}

static Value *made_of(Node *at, const char *text, Value *a, Value *b, Value *c, Value *d) {
    return built(at, text, d ? 4 : c ? 3 : b ? 2 : 1, (Value *[]){a, b, c, d});
}

/* ---- activations: alphas and betas are consumed in the order of the functions, by those that have one ---- */

static const char *meaning_of(const char *name) {
    for (int i = 0; i < COUNT(meanings); i++)
        if (!strcmp(meanings[i].name, name)) return meanings[i].text;
    bug(__FILE__, __LINE__, "an activation without a meaning");
}

static void choose_activations(Direction *d, int count, const char *const *otherwise) {
    const Attr *names = attr(d->n, "activations");
    const Attr *alphas = attr(d->n, "activation_alpha"), *betas = attr(d->n, "activation_beta");
    int alpha = 0, beta = 0;
    for (int i = 0; i < (d->dir + 1) * count; i++) {
        const char *name = i < names->n ? names->strs[i] : otherwise[i % count];
        const Activation *row = activations;
        while (strcmp(row->name, name)) row++;
        d->f[i % count].text = meaning_of(name);
        d->f[i % count].alpha = row->has_alpha && alpha < alphas->n ? alphas->floats[alpha++] : row->alpha;
        d->f[i % count].beta = row->has_beta && beta < betas->n ? betas->floats[beta++] : row->beta;
    }
}

/* Activation i of the sum of a gate, clipped if it is one. */
static Value *activate(const Direction *d, int i, Value *x, bool gate) {
    Module *m = d->n->graph->module;
    DType t = x->type.dtype;
    if (gate && d->clip > 0) x = made_of(d->at, "Max(Min(a, b), -b)", x, const_scalar(m, t, d->clip), NULL, NULL);
    return made_of(d->at, d->f[i].text, x, const_scalar(m, t, d->f[i].alpha), const_scalar(m, t, d->f[i].beta), NULL);
}

/* ---- cells: the next state from what the step's input and the state add to the gates ---- */

/* Times w or r (which 1). Quantised, both are: each by its own range. */
static Value *product(const Direction *d, Node *at, Value *x, int which) {
    Value *with[] = {x, which ? d->r : d->w, d->scale[which], d->zero[which]};
    return with[2] ? built(at, "DynamicQuantizeMatMul(a, b, c, d)", 4, with) : built(at, "MatMul(a, b)", 2, with);
}

/* Gates from the k-th on, `count` of them, along the last dim. */
static Value *gates(const Direction *d, Value *v, int k, int count) {
    long long from = k * d->units, to = (k + count) * d->units;
    return made_of(d->at, format(d->n->graph->module->arena, "Slice(a, [%lld], [%lld], [-1])", from, to), v, NULL, NULL,
                   NULL);
}

/* The sums of all gates at once: the backward pass then needs them alone, and not what they were made of. */
static Value *sums(const Direction *d, Value *x, Value *h) { return made_of(d->at, "a + b", x, h, NULL, NULL); }

static void step_rnn(const Direction *d, Value *x, Value *const *state, Value **next) {
    next[0] = activate(d, 0, made_of(d->at, "a + MatMul(b, c)", x, state[0], d->r, NULL), true);
}

static void step_gru(const Direction *d, Value *x, Value *const *state, Value **next) {
    bool linear = attr_i(d->n, "linear_before_reset") != 0;
    Value *h = state[0],
          *from_h = made_of(d->at, "MatMul(a, b)", h, linear ? d->r : gates(d, d->r, 0, GATE_H), NULL, NULL);
    Value *zr = sums(d, gates(d, x, 0, GATE_H), linear ? gates(d, from_h, 0, GATE_H) : from_h);
    Value *z = activate(d, 0, gates(d, zr, GATE_Z, 1), true), *r = activate(d, 0, gates(d, zr, GATE_R, 1), true);
    Value *sum = gates(d, x, GATE_H, 1);
    if (linear) {
        Value *scaled = gates(d, from_h, GATE_H, 1);
        if (d->r_bias) scaled = made_of(d->at, "a + b", scaled, d->r_bias, NULL, NULL);
        sum = made_of(d->at, "a + b * c", sum, r, scaled, NULL);
    } else {
        sum = made_of(d->at, "a + MatMul(b * c, d)", sum, r, h, gates(d, d->r, GATE_H, 1));
    }
    next[0] = made_of(d->at, "(1 - a) * b + a * c", z, activate(d, 1, sum, true), h, NULL);
}

/* A unit's weighted share of c in a gate, if the node has peepholes. */
static Value *with_peephole(const Direction *d, Value *sum, Value *p, int gate, Value *c) {
    return p ? made_of(d->at, "a + b * c", sum, c, gates(d, p, gate, 1), NULL) : sum;
}

static Value *of_direction(Node *at, const Direction *d, int i, int axis);

static void step_lstm(const Direction *d, Value *x, Value *const *state, Value **next) {
    Value *p = input(d->n, P) ? of_direction(d->at, d, P, 0) : NULL, *c = state[1];
    Value *sum = sums(d, x, product(d, d->at, state[0], 1));
    Value *in = activate(d, 0, with_peephole(d, gates(d, sum, GATE_I, 1), p, GATE_I, c), true), *kept;
    if (attr_i(d->n, "input_forget"))
        kept = made_of(d->at, "1 - a", in, NULL, NULL, NULL);
    else
        kept = activate(d, 0, with_peephole(d, gates(d, sum, GATE_F, 1), p, GATE_F, c), true);
    Value *new = activate(d, 1, gates(d, sum, GATE_C, 1), true);
    next[1] = made_of(d->at, "a * b + c * d", kept, c, in, new);
    Value *out = activate(d, 0, with_peephole(d, gates(d, sum, GATE_O, 1), p, GATE_O, next[1]), true);
    next[0] = made_of(d->at, "a * b", out, activate(d, 2, next[1], false), NULL, NULL);
}

typedef struct {
    int gates, functions, states;
    const char *otherwise[MAX_FUNCTIONS]; /* activations if none are given */
    void (*step)(const Direction *, Value *x, Value *const *state, Value **next);
} Cell;

static const Cell rnn = {1, 1, 1, {"Tanh"}, step_rnn};
static const Cell gru = {3, 2, 1, {"Sigmoid", "Tanh"}, step_gru};
static const Cell lstm = {4, 3, 2, {"Sigmoid", "Tanh", "Tanh"}, step_lstm};

/* ---- a direction ---- */

static Value *of_direction(Node *at, const Direction *d, int i, int axis) {
    const char *text =
        format(d->n->graph->module->arena, "Squeeze(Slice(a, [%d], [%d], [%d]), [%d])", d->dir, d->dir + 1, axis, axis);
    return made_of(at, text, d->n->in[i], NULL, NULL, NULL);
}

/* The biases of both products. A GRU's of R go with those of W, but that of the candidate where the reset gate scales
 * it.
 */
static Value *sum_of_biases(Direction *d, const Cell *cell) {
    Node *n = d->n;
    Arena *a = n->graph->module->arena;
    if (!input(n, B)) return NULL;
    Value *b = of_direction(n, d, B, 0);
    long long half = cell->gates * d->units, apart = half - d->units;
    if (cell != &gru || !attr_i(n, "linear_before_reset"))
        return made_of(n, format(a, "Slice(a, [0], [%lld], [0]) + Slice(a, [%lld], [%lld], [0])", half, half, 2 * half),
                       b, NULL, NULL, NULL);
    d->r_bias = made_of(n, format(a, "Slice(a, [%lld], [%lld], [0])", half + apart, 2 * half), b, NULL, NULL, NULL);
    Value *both =
        made_of(n, format(a, "Slice(a, [0], [%lld], [0]) + Slice(a, [%lld], [%lld], [0])", apart, half, half + apart),
                b, NULL, NULL, NULL);
    Value *w_bias = made_of(n, format(a, "Slice(a, [%lld], [%lld], [0])", apart, half), b, NULL, NULL, NULL);
    Node *joined = insert_node(n, &ops[OP_Concat], 2, (Value *[]){both, w_bias});
    set_attr_i(joined, "axis", 0);
    infer_node(joined);
    return joined->out[0];
}

static bool is_quantised(const Node *n) { return IS(n, DynamicQuantizeLSTM); }

/* Weights of ONNX's operators are transposed, quantised ones are not. */
static Value *weights_of(const Direction *d, int i) {
    Value *w = of_direction(d->n, d, i, 0);
    return is_quantised(d->n) ? w : made_of(d->n, "Transpose(a, perm = [1, 0])", w, NULL, NULL, NULL);
}

static void find_weights(Direction *d, const Cell *cell) {
    d->w = weights_of(d, W);
    d->bias = sum_of_biases(d, cell);
    d->r = weights_of(d, R);
    for (int i = 0; i < 2 && is_quantised(d->n); i++) {
        d->scale[i] = of_direction(d->n, d, QUANTISED + 2 * i, 0);
        d->zero[i] = of_direction(d->n, d, QUANTISED + 2 * i + 1, 0);
    }
}

/* What the input and the biases add to the gates in each of these steps: [steps, batch, gates * units]. */
static Value *from_input(const Direction *d, Value *x) {
    Value *y = product(d, d->out, x, 0);
    return d->bias ? made_of(d->out, "a + b", y, d->bias, NULL, NULL) : y;
}

static Value *first_state(const Direction *d, int i, Value *x) {
    if (input(d->n, i)) return of_direction(d->n, d, i, attr_i(d->n, "layout") != 0);
    const char *text =
        format(d->n->graph->module->arena,
               "zeros(MatMul(Squeeze(Slice(a, [0], [1], [0]), [0]), cast(Slice(b, [0], [%lld], [1]), a)))",
               (long long)d->units);
    return made_of(d->n, text, x, d->w, NULL, NULL);
}

/* Sequences that have ended keep their states, and give zeros (ONNX, sequence_lens). */
static Value *end_sequences(Direction *d, const Cell *cell, Value *t, Value *const *state, Value **next) {
    Value *runs =
        made_of(d->at, "Unsqueeze(Less(Cast(a, to = 6), Cast(b, to = 6)), [1])", t, d->n->in[LENS], NULL, NULL);
    Value *row = made_of(d->at, "Where(a, b, 0)", runs, next[0], NULL, NULL);
    for (int i = 0; i < cell->states; i++) next[i] = made_of(d->at, "Where(a, b, c)", runs, next[i], state[i], NULL);
    return row;
}

static Type element_type(const Value *v) {
    Type t = v->type;
    memmove(t.dim, t.dim + 1, sizeof *t.dim * (size_t)--t.rank);
    return t;
}

/* A graph for the body of a Scan over what steps read, with their states. */
static Graph *body_of(const Direction *d, const char *name, int states, const Steps *s, Node **end) {
    static const char *const names[] = {"h", "c"};
    Graph *body = graph_new(d->n->graph->module, name, d->out->graph);
    for (int i = 0; i < states; i++) input_new(body, names[i], s->state[i]->type);
    input_new(body, "x", element_type(s->x));
    if (s->t) input_new(body, "t", element_type(s->t));
    *end = node_new(body, NULL, &ops[OP_Identity], 0, NULL, 0, NULL, d->n->loc);
    (*end)->origin = node_origin(d->n);
    return body;
}

/* The Scan of a body, which gives the next states and a row; false: it does not fit, and said so. */
static bool scan(const Direction *d, int states, Graph *body, Node *end, Value *const *given, Steps *s) {
    Module *m = d->n->graph->module;
    Value *in[MAX_STATES + 2], *result[MAX_STATES + 1];
    List out = {0};
    int count = 0, said = m->problems.n;
    int64_t turned[] = {1, 1};
    for (int i = 0; i <= states; i++) push(m->arena, &out, given[i]);
    unlink_node(end);
    set_outputs(body, &out);
    for (int i = 0; i < states; i++) in[count++] = s->state[i];
    in[count++] = s->x;
    if (s->t) in[count++] = s->t;
    Node *scan = node_new(d->out->graph, d->out, &ops[OP_Scan], count, in, states + 1, NULL, d->n->loc);
    scan->name = NULL, scan->origin = node_origin(d->n);
    set_attr_i(scan, "num_scan_inputs", count - states);
    if (d->backward) set_attr_ints(scan, "scan_input_directions", count - states, turned);
    if (d->backward) set_attr_ints(scan, "scan_output_directions", 1, turned);
    set_attr(scan, &(Attr){.name = "body", .kind = A_GRAPH, .graph = body});
    body->owner = scan;
    for (int i = 0; i <= states; i++) result[i] = scan->out[i];
    infer_node(scan);
    for (int i = 0; i < states; i++) s->state[i] = resolve(result[i]);
    s->rows = resolve(result[states]);
    return m->problems.n == said;
}

/* From what the steps' input adds to the gates on: one after the other. */
static bool go_through(Direction *d, const Cell *cell, Steps *s) {
    Value *next[MAX_STATES + 1] = {NULL};
    int states = cell->states;
    s->x = from_input(d, s->x);
    Graph *body = body_of(d, "step", states, s, &d->at);
    cell->step(d, body->in[states], body->in, next);
    next[states] = s->t ? end_sequences(d, cell, body->in[states + 1], body->in, next) : next[0];
    return scan(d, states, body, d->at, next, s);
}

/* ---- segments: less is kept for the backward pass, which computes a segment again when it comes to it ---- */

static Value *part_of(const Direction *d, Value *v, int64_t from, int64_t to) {
    const char *text =
        format(d->n->graph->module->arena, "Slice(a, [%lld], [%lld], [0])", (long long)from, (long long)to);
    return v ? made_of(d->out, text, v, NULL, NULL, NULL) : NULL;
}

static Steps part_of_steps(const Direction *d, const Steps *s, int64_t from, int64_t to) {
    Steps part = *s;
    part.x = part_of(d, s->x, from, to), part.t = part_of(d, s->t, from, to);
    return part;
}

/* So many segments of so many steps, as a Scan over segments. */
static bool go_through_segments(Direction *d, const Cell *cell, Steps *s, int64_t segments, int64_t length) {
    Arena *a = d->n->graph->module->arena;
    int states = cell->states;
    Steps whole = *s, one = *s;
    Value *next[MAX_STATES + 1];
    Node *out = d->out, *end;
    long long inputs = (long long)s->x->type.dim[2].max, all = (long long)(segments * length);
    whole.x =
        made_of(out, format(a, "Reshape(a, [%lld, %lld, -1, %lld])", (long long)segments, (long long)length, inputs),
                s->x, NULL, NULL, NULL);
    if (s->t)
        whole.t = made_of(out, format(a, "Reshape(a, [%lld, %lld])", (long long)segments, (long long)length), s->t,
                          NULL, NULL, NULL);
    Graph *body = body_of(d, "segment", states, &whole, &end);
    for (int i = 0; i < states; i++) one.state[i] = body->in[i];
    one.x = body->in[states], one.t = s->t ? body->in[states + 1] : NULL;
    d->out = end;
    if (!go_through(d, cell, &one)) return false;
    d->out = out;
    for (int i = 0; i < states; i++) next[i] = one.state[i];
    next[states] = one.rows;
    if (!scan(d, states, body, end, next, &whole)) return false;
    memcpy(s->state, whole.state, sizeof s->state);
    s->rows =
        made_of(out, format(a, "Reshape(a, [%lld, -1, %lld])", all, (long long)d->units), whole.rows, NULL, NULL, NULL);
    return true;
}

/* Steps that make no whole segment come last. */
static bool divide_steps(Direction *d, const Cell *cell, Steps *s, int64_t segments) {
    int64_t steps = s->x->type.dim[0].max, length = steps / segments, rest = steps % segments;
    if (!rest) return go_through_segments(d, cell, s, segments, length);
    Steps most = d->backward ? part_of_steps(d, s, rest, steps) : part_of_steps(d, s, 0, steps - rest);
    Steps last = d->backward ? part_of_steps(d, s, 0, rest) : part_of_steps(d, s, steps - rest, steps);
    if (!go_through_segments(d, cell, &most, segments, length)) return false;
    memcpy(last.state, most.state, sizeof last.state);
    if (!go_through(d, cell, &last)) return false;
    Node *all = insert_node(d->out, &ops[OP_Concat], 2,
                            d->backward ? (Value *[]){last.rows, most.rows} : (Value *[]){most.rows, last.rows});
    set_attr_i(all, "axis", 0);
    infer_node(all);
    memcpy(s->state, last.state, sizeof s->state);
    s->rows = all->out[0];
    return true;
}

/* ---- a direction ---- */

/* Steps in order, 0 to their number; NULL where every sequence has all. */
static Value *step_numbers(const Direction *d, Value *x) {
    if (!input(d->n, LENS)) return NULL;
    return made_of(d->n, "Range(0, Squeeze(Gather(Shape(a), [0]), [0]), 1)", x, NULL, NULL, NULL);
}

/* Sequences of unequal length in the other order, each up to its end. */
static Value *turned(const Direction *d, Value *rows) {
    return made_of(d->out, "ReverseSequence(a, Cast(b, to = 7))", rows, d->n->in[LENS], NULL, NULL);
}

/* Its rows and last states. */
static bool run_direction(Direction *d, const Cell *cell, Steps *s) {
    Module *m = d->n->graph->module;
    Value *x = d->n->in[X];
    d->out = d->n;
    find_weights(d, cell);
    s->x = attr_i(d->n, "layout") ? made_of(d->n, "Transpose(a, perm = [1, 0, 2])", x, NULL, NULL, NULL) : x;
    s->t = step_numbers(d, s->x);
    bool from_end = d->backward && s->t;
    if (from_end) s->x = turned(d, s->x), d->backward = false;
    for (int i = 0; i < cell->states; i++) s->state[i] = first_state(d, i ? C0 : H0, s->x);
    bool divided = note_steps(d->n) && m->segments > 1 && s->x->type.dim[0].max >= 2 * m->segments;
    if (!(divided ? divide_steps(d, cell, s, m->segments) : go_through(d, cell, s))) return false;
    if (from_end) s->rows = turned(d, s->rows);
    return true;
}

/* ---- the layer ---- */

/* Both directions side by side, and the batch in front if the node has it there. */
static Value *joined(Node *n, int count, Value **v, int axis, const char *batch_first) {
    char dim[16];
    snprintf(dim, sizeof dim, "[%d]", axis);
    const char *text = format(n->graph->module->arena, "Unsqueeze(a, %s)", dim);
    for (int i = 0; i < count; i++) v[i] = made_of(n, text, v[i], NULL, NULL, NULL);
    Node *all = insert_node(n, &ops[OP_Concat], count, v);
    set_attr_i(all, "axis", axis);
    infer_node(all);
    return attr_i(n, "layout") ? made_of(n, batch_first, all->out[0], NULL, NULL, NULL) : all->out[0];
}

bool is_recurrent(const Node *n) { return IS(n, RNN) || IS(n, GRU) || IS(n, LSTM); }

bool note_steps(const Node *n) {
    Module *m = n->graph->module;
    Dim steps = n->in[X]->type.dim[attr_i(n, "layout") != 0];
    if (steps.symbol) return false;
    if (steps.max > m->longest_scan) m->longest_scan = steps.max;
    return true;
}

static int64_t units_of(const Node *n) { return n->in[R]->type.dim[is_quantised(n) ? 1 : 2].max; }

void expand_recurrent(Node *n) {
    const Cell *cell = IS(n, RNN) ? &rnn : IS(n, GRU) ? &gru : &lstm;
    const Attr *clip = attr(n, "clip");
    int directions = (int)n->in[R]->type.dim[0].max;
    Value *rows[MAX_DIRECTIONS], *h[MAX_DIRECTIONS], *c[MAX_DIRECTIONS], *y[3] = {NULL};
    for (int i = 0; i < directions; i++) {
        Direction d = {.n = n, .dir = i, .units = units_of(n), .clip = clip->set ? clip->f : 0};
        Steps s = {NULL};
        d.backward = i == 1 || !strcmp(attr_s(n, "direction"), "reverse");
        choose_activations(&d, cell->functions, cell->otherwise);
        if (!run_direction(&d, cell, &s)) return;
        rows[i] = s.rows, h[i] = s.state[0], c[i] = s.state[1];
    }
    y[0] = joined(n, directions, rows, 1, "Transpose(a, perm = [2, 0, 1, 3])");
    y[1] = joined(n, directions, h, 0, "Transpose(a, perm = [1, 0, 2])");
    if (cell->states > 1) y[2] = joined(n, directions, c, 0, "Transpose(a, perm = [1, 0, 2])");
    replaced_by(n, n->nout, y);
}

void infer_quantised_lstm(Node *n) {
    int said = n->graph->module->problems.n;
    infer_rnn(n);
    if (n->graph->module->problems.n == said) expand_recurrent(n);
}
