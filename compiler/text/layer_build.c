/* layer_build.c - what layers are made of: attributes with one meaning for all, parameters, operators, activations. */
#include "text/layer_build.h"
#include "ir/build.h"
#include "ir/symbols.h"
#include "ops/ops.h"

/* One meaning of a word for all layers. */
static const struct {
    const char *name;
    AttrKind kind;
    const char *what;
} vocabulary[] = {{"units", A_INT, "a whole number"},
                  {"filters", A_INT, "a whole number"},
                  {"size", A_INT, "a whole number"},
                  {"groups", A_INT, "a whole number"},
                  {"kernel", A_INTS, "a number for each dim"},
                  {"stride", A_INTS, "a number for each dim"},
                  {"dilation", A_INTS, "a number for each dim"},
                  {"scale", A_INTS, "a number for each dim"},
                  {"pad", A_NONE, "same, valid or numbers"},
                  {"activation", A_STR, "a word such as relu"},
                  {"init", A_STR, "a word such as he_normal"},
                  {"bias", A_INT, "true or false"},
                  {"ratio", A_FLOAT, "a number"},
                  {"epsilon", A_FLOAT, "a number"},
                  {"momentum", A_FLOAT, "a number"},
                  {"mode", A_STR, "nearest or linear"},
                  {"sequences", A_INT, "true or false"},
                  {"direction", A_STR, "forward, reverse or bidirectional"}};

static const struct {
    const char *name, *op;
    int limits;
    double limit[2];
} activations[] = {{"relu", "Relu", 0, {0}},
                   {"relu6", "Clip", 2, {0, 6}},
                   {"sigmoid", "Sigmoid", 0, {0}},
                   {"tanh", "Tanh", 0, {0}},
                   {"softmax", "Softmax", 0, {0}},
                   {"log_softmax", "LogSoftmax", 0, {0}},
                   {"leaky_relu", "LeakyRelu", 0, {0}},
                   {"elu", "Elu", 0, {0}},
                   {"selu", "Selu", 0, {0}},
                   {"gelu", "Gelu", 0, {0}},
                   {"silu", "Swish", 0, {0}},
                   {"mish", "Mish", 0, {0}},
                   {"softplus", "Softplus", 0, {0}},
                   {"hard_sigmoid", "HardSigmoid", 0, {0}}};

/* What train/initialise.c fills parameters with. */
static const struct {
    const char *name, *doc;
} initializers[] = {
    {"zeros", "all 0"},
    {"ones", "all 1"},
    {"uniform", "uniform(low, high); uniform(a) from -a to a; uniform alone from -0.05 to 0.05"},
    {"normal", "normal(mean, deviation); normal(deviation) of mean 0; normal alone of deviation 0.05"},
    {"truncated_normal", "normal, without what is more than two deviations from the mean"},
    {"glorot_uniform", "uniform, variance 2 / (fan_in + fan_out); also called Xavier"},
    {"glorot_normal", "truncated normal of the same variance"},
    {"he_uniform", "uniform, variance 2 / fan_in; also called Kaiming"},
    {"he_normal", "truncated normal of the same variance"},
    {"lecun_uniform", "uniform, variance 1 / fan_in"},
    {"lecun_normal", "truncated normal of the same variance"},
    {"orthogonal", "orthonormal rows"},
};

const char *initializer_choices(Arena *a, const char *name) {
    const char *names[COUNT(initializers)];
    for (int i = 0; i < COUNT(initializers); i++) names[i] = initializers[i].name;
    return choices(a, name, "there are", COUNT(initializers), names);
}

bool is_initializer(const char *name) {
    for (int i = 0; i < COUNT(initializers); i++)
        if (!strcmp(initializers[i].name, name)) return true;
    return false;
}

void list_initialisers(FILE *f) {
    for (int i = 0; i < COUNT(initializers); i++) fprintf(f, "%-16s  %s\n", initializers[i].name, initializers[i].doc);
}

/* ---- attributes of a call ---- */

int find_given(const Layer *l, const char *name) {
    for (int i = 0; i < l->nattr; i++)
        if (!strcmp(l->attr[i].name, name)) return i;
    return -1;
}

const Attr *given(const Layer *l, const char *name, AttrKind kind, const char *what) {
    int i = find_given(l, name);
    if (i < 0) return NULL;
    Attr *a = arena_copy(l->m->arena, &l->attr[i], sizeof *a);
    if (kind && !coerce_attr(l->m->arena, a, kind))
        fatal_at(l->m, EXIT_INPUT, l->attr_loc[i], "'%s' of %s is %s", name, l->name, what);
    return a;
}

const Attr *find_attr(const Layer *l, const char *name) {
    for (int i = 0; i < COUNT(vocabulary); i++)
        if (!strcmp(vocabulary[i].name, name)) return given(l, name, vocabulary[i].kind, vocabulary[i].what);
    bug(__FILE__, __LINE__, "a layer asks for an attribute that is not in the vocabulary");
}

_Noreturn void refuse_attr(const Layer *l, const char *name, const char *what) {
    int i = find_given(l, name);
    fatal_at(l->m, EXIT_INPUT, i < 0 ? l->loc : l->attr_loc[i], "'%s' of %s %s", name, l->name, what);
}

int64_t count_of(const Layer *l, const char *name, int64_t otherwise) {
    const Attr *a = find_attr(l, name);
    int64_t n = a ? a->i : otherwise;
    if (n < 1 || n > (int64_t)1 << 31) refuse_attr(l, name, "is from 1 to 2^31");
    return n;
}

bool flag_of(const Layer *l, const char *name, bool otherwise) {
    const Attr *a = find_attr(l, name);
    return a ? a->i != 0 : otherwise;
}

double number_of(const Layer *l, const char *name, double otherwise) {
    const Attr *a = find_attr(l, name);
    return a ? a->f : otherwise;
}

const char *word_of(const Layer *l, const char *name, const char *choices) {
    const Attr *a = find_attr(l, name);
    if (!a) return copy_word(l->m->arena, choices);
    if (has_word(choices, a->s)) return a->s;
    refuse_attr(l, name, format(l->m->arena, "is one of: %s", choices));
}

bool counts_of(const Layer *l, const char *name, int n, int64_t otherwise, int64_t *out) {
    const Attr *a = find_attr(l, name);
    if (a && a->n != 1 && a->n != n) refuse_attr(l, name, format(l->m->arena, "is one number or %d", n));
    for (int i = 0; i < n; i++) {
        out[i] = a ? a->ints[a->n == 1 ? 0 : i] : otherwise;
        if (out[i] < 1 || out[i] > 1 << 20) refuse_attr(l, name, "is from 1 to 2^20");
    }
    return a != NULL;
}

/* ---- what layers are built of ---- */

const char *part_name(const Layer *l, const char *part) {
    char *s = format(l->m->arena, "%s.%s", l->loc.name, part);
    for (char *c = s + strlen(l->loc.name); *c; c++) *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return s;
}

Node *make(Layer *l, const char *name, int n, Value *const *in, int result) {
    const Op *op = find_op(NULL, name);
    if (!op)
        fatal_at(l->m, EXIT_UNSUPPORTED, l->loc, "%s needs the operator %s, which nncc does not have", l->name, name);
    Node *node = node_new(l->g, NULL, op, n, in, 0, NULL, l->loc);
    node->nout = result + 1, node->out = NEW_ARRAY(l->m->arena, Value *, node->nout);
    Value *v = value_new(l->g, part_name(l, name), (Type){.dtype = DT_none, .rank = -1});
    v->def = node, v->result = result, v->loc = l->loc;
    node->out[result] = v;
    return node;
}

Value *finish(Layer *l, Node *n) {
    Value *v = n->out[n->nout - 1];
    infer_node(n);
    if (type_known(&v->type)) return v;
    stop_on_problems(l->m);
    REFUSE(l, "%s needs to know the shape of its input", l->name);
}

Value *apply(Layer *l, const char *op, int n, Value *const *in) { return finish(l, make(l, op, n, in, 0)); }

static Value *new_param(Layer *l, ValueKind kind, const char *part, int rank, const int64_t *dim) {
    Type t = type_make(l->x->type.dtype, rank, dim);
    if (!is_float(t.dtype)) t.dtype = DT_f32;
    if (type_count(&t) < 0) REFUSE(l, "the parameters of %s are too large", l->name);
    Value *v = outside_new(l->m, kind, part_name(l, part), NULL);
    v->type = t, v->loc = l->loc;
    return v;
}

Value *weight(Layer *l, const char *part, int rank, const int64_t *dim, const char *usual) {
    const Attr *init = !strcmp(part, "weight") ? find_attr(l, "init") : NULL;
    if (init && !is_initializer(init->s))
        refuse_attr(l, "init",
                    format(l->m->arena, "expects an initialiser, saw '%s'%s", escaped(l->m->arena, init->s, 40),
                           initializer_choices(l->m->arena, init->s)));
    Value *v = new_param(l, V_PARAM, part, rank, dim);
    v->init = init ? init->s : usual;
    return v;
}

Value *filled(Layer *l, ValueKind kind, const char *part, int rank, const int64_t *dim, double x) {
    Value *v = new_param(l, kind, part, rank, dim);
    v->data = tensor_new(l->m->arena, v->type.dtype, rank, dim);
    for (int64_t i = 0; i < v->data->count; i++) set_f(v->data, i, x);
    return v;
}

Value *constant(Layer *l, const char *part, DType t, double x) {
    Tensor *c = tensor_new(l->m->arena, t, 0, NULL);
    set_f(c, 0, x);
    return const_new(l->m, part_name(l, part), c);
}

void need_input_rank(const Layer *l, int least, int most, const char *layout) {
    int rank = l->x->type.rank;
    if (rank >= least && rank <= most) return;
    REFUSE(l, "%s takes %s; the input is %s", l->name, layout, type_text(l->m->arena, &l->x->type));
}

int64_t extent_at(const Layer *l, int i) {
    Dim d = l->x->type.dim[i];
    if (d.symbol)
        REFUSE(l, "dim %d of the input, %s, sizes parameters: it cannot change at run time", i,
               escaped(l->m->arena, d.symbol->text, 40));
    return d.max;
}

Value *activate(Layer *l, Value *v, int i) {
    Value *in[3] = {v};
    int n = 1;
    for (; n <= activations[i].limits; n++)
        in[n] = constant(l, n == 1 ? "min" : "max", v->type.dtype, activations[i].limit[n - 1]);
    return apply(l, activations[i].op, n, in);
}

int layer_activation(const char *name) {
    for (int i = 0; i < COUNT(activations); i++)
        if (!strcmp(activations[i].name, name)) return i;
    return -1;
}

const char *const *activation_names(Arena *a, int *n) {
    const char **names = NEW_ARRAY(a, const char *, COUNT(activations));
    for (int i = 0; i < COUNT(activations); i++) names[i] = activations[i].name;
    return *n = COUNT(activations), names;
}

const char *activation_op(int i) { return activations[i].op; }

Value *activated(Layer *l, Value *v) {
    const Attr *a = find_attr(l, "activation");
    if (!a || !strcmp(a->s, "none")) return v;
    int i = layer_activation(a->s), n;
    if (i >= 0) return activate(l, v, i);
    const char *const *names = activation_names(l->m->arena, &n);
    refuse_attr(l, "activation",
                format(l->m->arena, "expects an activation, saw '%s'%s", escaped(l->m->arena, a->s, 40),
                       choices(l->m->arena, a->s, "there are", n, names)));
}
