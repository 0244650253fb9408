/* layer_build.c - what layers are made of: attributes with one meaning for all, parameters, operators, activations. */
#include "text/layer_build.h"
#include "ir/build.h"
#include "ir/symbols.h"
#include "ops/ops.h"
#include <math.h>

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
                  {"dropout", A_FLOAT, "a number"},
                  {"deviation", A_FLOAT, "a number"},
                  {"forget_bias", A_FLOAT, "a number"},
                  {"epsilon", A_FLOAT, "a number"},
                  {"momentum", A_FLOAT, "a number"},
                  {"mode", A_STR, "nearest or linear"},
                  {"layers", A_INT, "a whole number"},
                  {"heads", A_INT, "a whole number"},
                  {"axis", A_INT, "a whole number"},
                  {"shape", A_INTS, "a list of whole numbers"},
                  {"output_pad", A_INTS, "a number for each dim"},
                  {"gate_activation", A_STR, "a word such as sigmoid"},
                  {"bias_init", A_STR, "a word such as zeros"},
                  {"recurrent_init", A_STR, "a word such as orthogonal"},
                  {"reset_after", A_INT, "true or false"},
                  {"causal", A_INT, "true or false"},
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
typedef enum { TAKES_NOTHING, TAKES_UP_TO_TWO, TAKES_TWO_OR_NONE } Takes;
static const struct {
    const char *name;
    Takes takes;
    const char *doc;
} initializers[] = {
    {"zeros", TAKES_NOTHING, "all 0"},
    {"ones", TAKES_NOTHING, "all 1"},
    {"uniform", TAKES_UP_TO_TWO, "uniform(low, high); uniform(a) from -a to a; uniform alone from -0.05 to 0.05"},
    {"normal", TAKES_UP_TO_TWO, "normal(mean, deviation); normal(deviation) of mean 0; normal alone of deviation 0.05"},
    {"truncated_normal", TAKES_UP_TO_TWO, "normal, without what is more than two deviations from the mean"},
    {"glorot_uniform", TAKES_TWO_OR_NONE, "uniform, variance 2 / (fan_in + fan_out); also called Xavier"},
    {"glorot_normal", TAKES_TWO_OR_NONE, "truncated normal of the same variance"},
    {"he_uniform", TAKES_TWO_OR_NONE, "uniform, variance 2 / fan_in; also called Kaiming"},
    {"he_normal", TAKES_TWO_OR_NONE, "truncated normal of the same variance"},
    {"lecun_uniform", TAKES_TWO_OR_NONE, "uniform, variance 1 / fan_in"},
    {"lecun_normal", TAKES_TWO_OR_NONE, "truncated normal of the same variance"},
    {"orthogonal", TAKES_TWO_OR_NONE, "orthonormal rows, or columns where these are fewer"},
};

const char *initializer_choices(Arena *a, const char *name) {
    const char *names[COUNT(initializers)];
    for (int i = 0; i < COUNT(initializers); i++) names[i] = initializers[i].name;
    return choices(a, name, "there are", COUNT(initializers), names);
}

static int find_initializer(const char *name) {
    for (int i = 0; i < COUNT(initializers); i++)
        if (!strcmp(initializers[i].name, name)) return i;
    return -1;
}

bool is_initializer(const char *name) { return find_initializer(name) >= 0; }

const char *initializer_misfit(const char *name, int n) {
    static const struct {
        int most, step;
        const char *what;
    } takes[] = {
        [TAKES_NOTHING] = {0, 1, "no numbers"},
        [TAKES_UP_TO_TWO] = {2, 1, "at most two numbers"},
        [TAKES_TWO_OR_NONE] = {2, 2, "two numbers or none"},
    };
    Takes t = initializers[find_initializer(name)].takes;
    return n > takes[t].most || n % takes[t].step ? takes[t].what : NULL;
}

const char *initializer_number_misfit(const char *name, double x) {
    bool counts = initializers[find_initializer(name)].takes == TAKES_TWO_OR_NONE; /* fans or extents */
    if (!isfinite(x)) return "finite numbers";
    return counts && x <= 0 ? "numbers above 0" : NULL;
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

/* "expects an activation, saw 'rellu'; the nearest is 'relu'; there are …" */
static const char *expected_word(const Layer *l, const char *what, const char *saw, int n, const char *const *names) {
    Arena *a = l->m->arena;
    return format(a, "expects %s, saw '%s'%s", what, escaped(a, saw, 40), choices(a, saw, "there are", n, names));
}

const char *word_of(const Layer *l, const char *name, const char *words) {
    const Attr *a = find_attr(l, name);
    if (!a) return copy_word(l->m->arena, words);
    if (has_word(words, a->s)) return a->s;
    const char *names[LAYER_ATTRS];
    int n = 0;
    for (const char *s = words; *s; s = next_word(s)) names[n++] = copy_word(l->m->arena, s);
    refuse_attr(l, name, expected_word(l, "a word it knows", a->s, n, names));
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

Value *add_result(Layer *l, Node *n, int result) {
    Value *v = value_new(l->g, part_name(l, n->op->name), (Type){.dtype = DT_none, .rank = -1});
    v->def = n, v->result = result, v->loc = l->loc;
    return n->out[result] = v;
}

Node *make(Layer *l, const char *name, int n, Value *const *in, int result) {
    const Op *op = find_op(NULL, name);
    if (!op)
        fatal_at(l->m, EXIT_UNSUPPORTED, l->loc, "%s needs the operator %s, which nncc does not have", l->name, name);
    Node *node = node_new(l->g, NULL, op, n, in, 0, NULL, l->loc);
    node->nout = result + 1, node->out = NEW_ARRAY(l->m->arena, Value *, node->nout);
    add_result(l, node, result);
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

/* With fans or extents in parentheses, where it takes them and has none. */
static const char *with_fans(const Layer *l, const char *init, const Fans *f) {
    bool matrices = !strncmp(init, "orthogonal", 10);
    int64_t a = matrices ? f->rows : f->in, b = matrices ? f->cols : f->out;
    if (!a || strchr(init, '(') || initializer_misfit(init, 2) || !initializer_misfit(init, 1)) return init;
    return format(l->m->arena, "%s(%lld, %lld)", init, (long long)a, (long long)b);
}

Value *weight_of(Layer *l, const char *part, int rank, const int64_t *dim, const char *usual, Fans f) {
    const Attr *init = find_attr(l, f.attr);
    if (init && !is_initializer(format(l->m->arena, "%.*s", (int)strcspn(init->s, "("), init->s)))
        refuse_attr(l, f.attr,
                    format(l->m->arena, "expects an initialiser, saw '%s'%s", escaped(l->m->arena, init->s, 40),
                           initializer_choices(l->m->arena, init->s)));
    Value *v = new_param(l, V_PARAM, part, rank, dim);
    v->init = with_fans(l, init ? init->s : usual, &f);
    return v;
}

Value *weight(Layer *l, const char *part, int rank, const int64_t *dim, const char *usual) {
    return weight_of(l, part, rank, dim, usual, (Fans){.attr = "init"});
}

Value *filled(Layer *l, ValueKind kind, const char *part, int rank, const int64_t *dim, double x) {
    Value *v = new_param(l, kind, part, rank, dim);
    v->data = tensor_new(l->m->arena, v->type.dtype, rank, dim);
    for (int64_t i = 0; i < v->data->count; i++) set_f(v->data, i, x);
    return v;
}

Value *bias_of(Layer *l, const char *part, int rank, const int64_t *dim) {
    if (find_given(l, "bias_init") < 0) return filled(l, V_PARAM, part, rank, dim, 0);
    return weight_of(l, part, rank, dim, NULL, (Fans){.attr = "bias_init"});
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

/* A word of the table, or a function of the file. */
Value *activated(Layer *l, Value *v) {
    const Attr *a = find_attr(l, "activation");
    if (!a || !strcmp(a->s, "none")) return v;
    int i = layer_activation(a->s), n;
    if (i >= 0) return activate(l, v, i);
    Function *f = map_get(l->p->functions, a->s);
    List args = {0};
    const char *const *names = activation_names(l->m->arena, &n);
    if (!f) refuse_attr(l, "activation", expected_word(l, "an activation", a->s, n, names));
    push(l->m->arena, &args, &(Arg){.value = v, .loc = l->loc});
    return call_by_value(l->p, f, &args, &(Attrs){0}, l->attr_loc[find_given(l, "activation")]);
}

/* Those of the table that recurrent operators have, too. */
static int cell_activations(const char **names) {
    static const char *const ops_of_cells[] = {
#define ACTIVATION(name, ...) #name,
#include "ops/rnn_activations.def"
#undef ACTIVATION
    };
    int n = 0;
    for (int i = 0; i < COUNT(activations); i++)
        for (int k = 0; k < COUNT(ops_of_cells); k++)
            if (!strcmp(activations[i].op, ops_of_cells[k])) names[n++] = activations[i].name;
    return n;
}

const char *cell_activation(const Layer *l, const char *attr) {
    const char *names[COUNT(activations)];
    const Attr *a = find_attr(l, attr);
    int n = cell_activations(names);
    if (!a) return NULL;
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], a->s)) return activations[layer_activation(a->s)].op;
    refuse_attr(l, attr, expected_word(l, "an activation", a->s, n, names));
}

Value *projected(Layer *l, Value *x, const char *prefix, int64_t units, bool bias) {
    const char *w = format(l->m->arena, "%sweight", prefix), *b = format(l->m->arena, "%sbias", prefix);
    int64_t dim[2] = {x->type.dim[x->type.rank - 1].max, units};
    Value *in[2] = {x, weight_of(l, w, 2, dim, "glorot_uniform", (Fans){.attr = "init", .in = dim[0], .out = units})};
    in[0] = apply(l, "MatMul", 2, in);
    if (!bias) return in[0];
    in[1] = bias_of(l, b, 1, &units);
    return apply(l, "Add", 2, in);
}
