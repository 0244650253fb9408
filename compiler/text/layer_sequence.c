/* layer_sequence.c - layers over [batch, step, feature]: tables of vectors, recurrence, attention. */
#include "ir/build.h"
#include "text/layer_build.h"

Value *build_embedding(Layer *l) {
    int64_t dim[2] = {count_of(l, "size", 0), count_of(l, "units", 0)};
    if (is_float(l->x->type.dtype))
        REFUSE(l, "%s takes integers; the input is %s", l->name, type_text(l->m->arena, &l->x->type));
    return apply(l, l->row->op, 2, (Value *[]){weight(l, "weight", 2, dim, "uniform"), l->x});
}

/* ---- recurrence ---- */

/* A stack of recurrent layers: what all have in common. */
typedef struct {
    int64_t units, gates, directions, layers;
    const char *direction;
    bool all; /* steps of the last layer */
    int states;
    Value *state[2]; /* first ones, NULL: zeros */
    List last[2];    /* a value of each layer, if they are asked for */
} Stack;

static Value *transpose(Layer *l, Value *v, int n, const int64_t *perm) {
    Node *t = make(l, "Transpose", 1, &v, 0);
    set_attr_ints(t, "perm", n, perm);
    return finish(l, t);
}

/* weight, or 2.weight of the second layer. */
static const char *of_layer(const Layer *l, const Stack *s, int64_t k, const char *part) {
    return s->layers == 1 ? part : format(l->m->arena, "%lld.%s", (long long)k + 1, part);
}

/* Of an LSTM with a forget gate that is open at first (Jozefowicz et al. 2015). Gates lie in ONNX's order: i o f c. */
static Value *new_biases(Layer *l, const Stack *s, const char *name) {
    int64_t n = s->gates * s->units;
    Value *b = bias_of(l, name, 2, (int64_t[]){s->directions, 2 * n});
    double open = s->gates == 4 && b->data ? number_of(l, "forget_bias", 1) : 0;
    for (int64_t d = 0; d < s->directions && open != 0; d++)
        for (int64_t i = 2 * s->units; i < 3 * s->units; i++) set_f(b->data, d * 2 * n + i, open);
    return b;
}

/* The operator's names of activations, of each direction: of the gates first where there are any. */
static void set_activations(Layer *l, Node *n, const Stack *s) {
    const char *words[6], *cell = cell_activation(l, "activation"), *gate = cell_activation(l, "gate_activation");
    int each = s->gates == 4 ? 3 : s->gates == 3 ? 2 : 1;
    if (!cell && !gate) return;
    for (int i = 0; i < each * s->directions; i++)
        words[i] = each > 1 && i % each == 0 ? (gate ? gate : "Sigmoid") : cell ? cell : "Tanh";
    set_attr(n, &(Attr){.name = "activations",
                        .kind = A_STRS,
                        .n = (int)(each * s->directions),
                        .strs = arena_copy(l->m->arena, words, sizeof words)});
}

/* The first state of layer k: [direction, batch, unit]. */
static Value *state_of_layer(Layer *l, const Stack *s, Value *v, int64_t k) {
    if (!v || s->layers == 1) return v;
    Value *from = const_ints(l->m, 1, (int64_t[]){k * s->directions}),
          *to = const_ints(l->m, 1, (int64_t[]){(k + 1) * s->directions}), *axis = const_ints(l->m, 1, (int64_t[]){0});
    return apply(l, "Slice", 4, (Value *[]){v, from, to, axis});
}

/* Layer k over x, [step, batch, feature]: result 0 is [step, direction, batch, unit], 1 and 2 the states at the end. */
static Node *make_recurrent(Layer *l, const Stack *s, Value *x, int64_t k, bool all) {
    int64_t rows = s->gates * s->units, features = x->type.dim[2].max, d = s->directions;
    Value *w = weight_of(l, of_layer(l, s, k, "weight"), 3, (int64_t[]){d, rows, features}, "glorot_uniform",
                         (Fans){.attr = "init", .in = features, .out = rows});
    Value *r = weight_of(l, of_layer(l, s, k, "recurrent"), 3, (int64_t[]){d, rows, s->units}, "orthogonal",
                         (Fans){.attr = "recurrent_init", .in = s->units, .out = rows, .rows = rows, .cols = s->units});
    Value *b = flag_of(l, "bias", true) ? new_biases(l, s, of_layer(l, s, k, "bias")) : NULL;
    Value *in[7] = {x, w, r, b, NULL, state_of_layer(l, s, s->state[0], k), state_of_layer(l, s, s->state[1], k)};
    int nin = 7;
    while (!in[nin - 1]) nin--;
    Node *n = make(l, l->row->op, nin, in, l->nout > 2 ? 2 : l->nout > 1 || !all ? 1 : 0);
    if (all && n->nout > 1) add_result(l, n, 0);
    if (n->nout > 2) add_result(l, n, 1);
    set_attr_i(n, "hidden_size", s->units);
    if (*s->direction != 'f') set_attr_s(n, "direction", s->direction);
    if (s->gates == 3 && flag_of(l, "reset_after", true)) set_attr_i(n, "linear_before_reset", 1);
    set_activations(l, n, s);
    return n;
}

/* [step, direction, batch, unit] to [step, batch, feature]. */
static Value *steps_in_order(Layer *l, const Stack *s, Value *v) {
    int64_t shape[] = {0, 0, s->directions * s->units};
    return apply(l, "Reshape", 2, (Value *[]){transpose(l, v, 4, (int64_t[]){0, 2, 1, 3}), const_ints(l->m, 3, shape)});
}

/* Of the last layer: [batch, step, unit] or, of the state at the end, [batch, unit]; both directions side by side. */
static Value *answer(Layer *l, const Stack *s, Node *n) {
    int64_t shape[] = {0, 0, s->directions * s->units};
    Value *y =
        s->all ? transpose(l, n->out[0], 4, (int64_t[]){2, 0, 1, 3}) : transpose(l, n->out[1], 3, (int64_t[]){1, 0, 2});
    return apply(l, "Reshape", 2, (Value *[]){y, const_ints(l->m, s->all ? 3 : 2, s->all ? shape : shape + 1)});
}

/* A state that is given: [batch, unit], or of several layers and directions [layer and direction, batch, unit]. */
static Value *given_state(Layer *l, const Stack *s, int i) {
    Value *v = i < l->nin ? l->in[i] : NULL;
    int64_t n = s->layers * s->directions;
    bool one = n == 1;
    if (!v) return NULL;
    const Type *t = &v->type;
    if (t->rank != (one ? 2 : 3) || t->dim[t->rank - 1].max != s->units || (!one && t->dim[0].max != n))
        REFUSE(l, "%s takes states [%sbatch, %lld]; argument %d is %s", l->name,
               one ? "" : format(l->m->arena, "%lld, ", (long long)n), (long long)s->units, i + 1,
               type_text(l->m->arena, t));
    return one ? apply(l, "Unsqueeze", 2, (Value *[]){v, const_ints(l->m, 1, (int64_t[]){0})}) : v;
}

/* In the form that a first state has. */
static Value *last_state(Layer *l, const Stack *s, const List *last) {
    Value *axis = const_ints(l->m, 1, (int64_t[]){0});
    if (s->layers * s->directions == 1) return apply(l, "Squeeze", 2, (Value *[]){last->at[0], axis});
    if (s->layers == 1) return last->at[0];
    Node *n = make(l, "Concat", last->n, (Value **)(void *)last->at, 0);
    set_attr_i(n, "axis", 0);
    return finish(l, n);
}

static Stack read_stack(Layer *l) {
    Stack s = {
        .units = count_of(l, "units", 0), .layers = count_of(l, "layers", 1), .all = flag_of(l, "sequences", false)};
    s.gates = l->row->op[0] == 'L' ? 4 : l->row->op[0] == 'G' ? 3 : 1;
    s.states = s.gates == 4 ? 2 : 1;
    s.direction = word_of(l, "direction", "forward reverse bidirectional");
    s.directions = *s.direction == 'b' ? 2 : 1;
    if (s.units > 1 << 24) refuse_attr(l, "units", "is at most 2^24");
    if (s.layers > 1000) refuse_attr(l, "layers", "is at most 1000");
    for (int i = 0; i < s.states; i++) s.state[i] = given_state(l, &s, i + 1);
    return s;
}

Value *build_recurrent(Layer *l) {
    need_input_rank(l, 3, 3, "[batch, steps, features]");
    extent_at(l, 2);
    Stack s = read_stack(l);
    Value *x = transpose(l, l->x, 3, (int64_t[]){1, 0, 2}), *y = NULL;
    for (int64_t k = 0; k < s.layers; k++) {
        bool top = k + 1 == s.layers;
        Node *n = make_recurrent(l, &s, x, k, !top || s.all);
        finish(l, n);
        for (int i = 1; i < l->nout; i++) push(l->m->arena, &s.last[i - 1], n->out[i]);
        if (top)
            y = answer(l, &s, n);
        else
            x = dropped(l, steps_in_order(l, &s, n->out[0]), "dropout", 0);
    }
    for (int i = 1; i < l->nout; i++) l->out[i] = last_state(l, &s, &s.last[i - 1]);
    return y;
}

/* ---- attention ---- */

/* Queries of the first input look at keys and values of the second, or of the first itself; a mask says where they may.
 */
Value *build_attention(Layer *l) {
    Value *x = l->x, *memory = l->nin > 1 && l->in[1] ? l->in[1] : x, *mask = l->nin > 2 ? l->in[2] : NULL;
    need_input_rank(l, 3, 3, "[batch, steps, features]");
    if (memory->type.rank != 3 || memory->type.dim[2].symbol)
        REFUSE(l, "%s takes [batch, steps, features]; argument 2 is %s", l->name,
               type_text(l->m->arena, &memory->type));
    int64_t features = extent_at(l, 2), units = count_of(l, "units", features), heads = count_of(l, "heads", 0);
    bool bias = flag_of(l, "bias", true);
    if (units % heads) refuse_attr(l, "heads", format(l->m->arena, "divides the %lld units", (long long)units));
    Value *in[4] = {projected(l, x, "query.", units, bias), projected(l, memory, "key.", units, bias),
                    projected(l, memory, "value.", units, bias), mask};
    Node *n = make(l, l->row->op, mask ? 4 : 3, in, 0);
    set_attr_i(n, "q_num_heads", heads);
    set_attr_i(n, "kv_num_heads", heads);
    if (flag_of(l, "causal", false)) set_attr_i(n, "is_causal", 1);
    return projected(l, finish(l, n), "output.", features, bias);
}
