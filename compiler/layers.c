/* layers.c - the layers of the .nn language: a lower-case call that opens into operators and the parameters it owns.
 *
 * Tensors are laid out as in ONNX: images N C H W, sequences batch, step, feature. Parameters are called after the result:
 * %a = dense(…) owns a.weight and a.bias. */
#include "layers.h"
#include "text.h"

typedef struct Layer Layer;

typedef struct {
    const char *name;
    Value *(*build)(Layer *);
    const char *attrs;   /* "units! bias": what it takes, needed ones with ! */
    const char *op;
    int spatial;         /* dims a window moves over */
} LayerRow;

/* One call. */
struct Layer {
    const LayerRow *row;
    const char *name;
    Module *m;
    Graph *g;
    Loc loc;             /* its name is the stem of the values' names */
    Value *x;
    int nattr;
    const Attr *attr;
    const Loc *attr_loc;
};

/* One meaning of a word for all layers. */
static const struct { const char *name; AttrKind kind; const char *what; } vocabulary[] = {
    {"units", A_INT, "a whole number"},           {"filters", A_INT, "a whole number"},
    {"size", A_INT, "a whole number"},            {"groups", A_INT, "a whole number"},
    {"kernel", A_INTS, "a number for each dim"},  {"stride", A_INTS, "a number for each dim"},
    {"dilation", A_INTS, "a number for each dim"}, {"scale", A_INTS, "a number for each dim"},
    {"pad", A_NONE, "same, valid or numbers"},    {"activation", A_STR, "a word such as relu"},
    {"init", A_STR, "a word such as he_normal"},  {"bias", A_INT, "true or false"},
    {"ratio", A_FLOAT, "a number"},               {"epsilon", A_FLOAT, "a number"},
    {"momentum", A_FLOAT, "a number"},            {"mode", A_STR, "nearest or linear"},
    {"sequences", A_INT, "true or false"},        {"direction", A_STR, "forward, reverse or bidirectional"}};

static const struct { const char *name, *op; int n; double limit[2]; } activations[] = {
    {"relu", "Relu", 0, {0}},           {"relu6", "Clip", 2, {0, 6}},          {"sigmoid", "Sigmoid", 0, {0}},
    {"tanh", "Tanh", 0, {0}},           {"softmax", "Softmax", 0, {0}},        {"log_softmax", "LogSoftmax", 0, {0}},
    {"leaky_relu", "LeakyRelu", 0, {0}}, {"elu", "Elu", 0, {0}},               {"selu", "Selu", 0, {0}},
    {"gelu", "Gelu", 0, {0}},           {"silu", "Swish", 0, {0}},             {"mish", "Mish", 0, {0}},
    {"softplus", "Softplus", 0, {0}},   {"hard_sigmoid", "HardSigmoid", 0, {0}}};

static const char *const initializers[] = {"zeros",       "ones",          "uniform",      "normal",        "truncated_normal",
                                           "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",     "lecun_uniform",
                                           "lecun_normal", "orthogonal"};

const char *const *initializer_names(int *n) { return *n = COUNT(initializers), initializers; }

bool is_initializer(const char *name) {
    for (int i = 0; i < COUNT(initializers); i++)
        if (!strcmp(initializers[i], name)) return true;
    return false;
}

/* ---- attributes of a call -------------------------------------------------------------------- */

#define REFUSE(l, ...) fatal_at((l)->m, EXIT_INPUT, (l)->loc, __VA_ARGS__)

static int find_given(const Layer *l, const char *name) {
    for (int i = 0; i < l->nattr; i++)
        if (!strcmp(l->attr[i].name, name)) return i;
    return -1;
}

/* The attribute as `kind`; NULL if it is not given. */
static const Attr *given(const Layer *l, const char *name, AttrKind kind, const char *what) {
    int i = find_given(l, name);
    if (i < 0) return NULL;
    Attr *a = arena_copy(l->m->arena, &l->attr[i], sizeof *a);
    if (kind && !coerce_attr(l->m->arena, a, kind)) fatal_at(l->m, EXIT_INPUT, l->attr_loc[i], "'%s' of %s is %s", name, l->name, what);
    return a;
}

static const Attr *find_attr(const Layer *l, const char *name) {
    for (int i = 0; i < COUNT(vocabulary); i++)
        if (!strcmp(vocabulary[i].name, name)) return given(l, name, vocabulary[i].kind, vocabulary[i].what);
    bug(__FILE__, __LINE__, "a layer asks for an attribute that is not in the vocabulary");
}

static _Noreturn void refuse_attr(const Layer *l, const char *name, const char *what) {
    int i = find_given(l, name);
    fatal_at(l->m, EXIT_INPUT, i < 0 ? l->loc : l->attr_loc[i], "'%s' of %s %s", name, l->name, what);
}

/* A count: from 1 to 2^31. */
static int64_t count_of(const Layer *l, const char *name, int64_t otherwise) {
    const Attr *a = find_attr(l, name);
    int64_t n = a ? a->i : otherwise;
    if (n < 1 || n > (int64_t)1 << 31) refuse_attr(l, name, "is from 1 to 2^31");
    return n;
}

static bool flag_of(const Layer *l, const char *name, bool otherwise) {
    const Attr *a = find_attr(l, name);
    return a ? a->i != 0 : otherwise;
}

static double number_of(const Layer *l, const char *name, double otherwise) {
    const Attr *a = find_attr(l, name);
    return a ? a->f : otherwise;
}

/* One of the words in `choices` ("nearest linear"), the first if it is not given. */
static const char *word_of(const Layer *l, const char *name, const char *choices) {
    const Attr *a = find_attr(l, name);
    for (const char *s = choices; *s; s += strcspn(s, " "), s += *s == ' ') {
        size_t n = strcspn(s, " ");
        if (!a || (strlen(a->s) == n && !strncmp(a->s, s, n))) return format(l->m->arena, "%.*s", (int)n, s);
    }
    refuse_attr(l, name, format(l->m->arena, "is one of: %s", choices));
}

/* A number for each of n dims; one stands for all. Whether it was given. */
static bool counts_of(const Layer *l, const char *name, int n, int64_t otherwise, int64_t *out) {
    const Attr *a = find_attr(l, name);
    if (a && a->n != 1 && a->n != n) refuse_attr(l, name, format(l->m->arena, "is one number or %d", n));
    for (int i = 0; i < n; i++) {
        out[i] = a ? a->ints[a->n == 1 ? 0 : i] : otherwise;
        if (out[i] < 1 || out[i] > 1 << 20) refuse_attr(l, name, "is from 1 to 2^20");
    }
    return a != NULL;
}

/* ---- what layers are built of ---------------------------------------------------------------- */

static const char *part_name(const Layer *l, const char *part) {
    char *s = format(l->m->arena, "%s.%s", l->loc.name, part);
    for (char *c = s + strlen(l->loc.name); *c; c++) *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return s;
}

/* A node of which only result `wanted` is used; `n` of its inputs are given. Its type is known. */
static Node *make(Layer *l, const char *name, int n, Value *const *in, int wanted) {
    const Op *op = find_op(NULL, name);
    if (!op) fatal_at(l->m, EXIT_UNSUPPORTED, l->loc, "%s needs the operator %s, which nncc does not have", l->name, name);
    Node *node = node_new(l->g, NULL, op, n, in, 0, NULL, l->loc);
    node->nout = wanted + 1, node->out = NEW_ARRAY(l->m->arena, Value *, node->nout);
    Value *v = value_new(l->g, part_name(l, name), (Type){.dtype = DT_none, .rank = -1});
    v->def = node, v->result = wanted, v->loc = l->loc;
    node->out[wanted] = v;
    return node;
}

static Value *finish(Layer *l, Node *n) {
    Value *v = n->out[n->nout - 1];
    infer_node(n);
    if (type_known(&v->type)) return v;
    stop_on_problems(l->m);
    REFUSE(l, "%s needs to know the shape of its input", l->name);
}

static Value *apply(Layer *l, const char *op, int n, Value *const *in) { return finish(l, make(l, op, n, in, 0)); }

static Value *new_param(Layer *l, ValueKind kind, const char *part, int rank, const int64_t *dim) {
    Type t = type_make(l->x->type.dtype, rank, dim);
    if (!is_float(t.dtype)) t.dtype = DT_f32;
    if (type_count(&t) < 0) REFUSE(l, "the parameters of %s are too large", l->name);
    Value *v = outside_new(l->m, kind, part_name(l, part), NULL);
    v->type = t, v->loc = l->loc;
    return v;
}

/* A parameter that is drawn: as `init` says, else as usual for the layer. */
static Value *weight(Layer *l, const char *part, int rank, const int64_t *dim, const char *usual) {
    const Attr *init = !strcmp(part, "weight") ? find_attr(l, "init") : NULL;
    const char *hint = init ? suggest(l->m->arena, init->s, COUNT(initializers), initializers) : "";
    if (init && !is_initializer(init->s)) refuse_attr(l, "init", format(l->m->arena, "is no initialiser%s", hint));
    Value *v = new_param(l, V_PARAM, part, rank, dim);
    v->init = init ? init->s : usual;
    return v;
}

/* A parameter or state that begins as one number everywhere. */
static Value *filled(Layer *l, ValueKind kind, const char *part, int rank, const int64_t *dim, double x) {
    Value *v = new_param(l, kind, part, rank, dim);
    v->data = tensor_new(l->m->arena, v->type.dtype, rank, dim);
    for (int64_t i = 0; i < v->data->count; i++) set_f(v->data, i, x);
    return v;
}

static Value *ints(Layer *l, int n, const int64_t *v) { return const_ints(l->m, n, v); }

static void need_input_rank(const Layer *l, int least, int most, const char *layout) {
    int rank = l->x->type.rank;
    if (rank >= least && rank <= most) return;
    REFUSE(l, "%s takes %s; the input is %s", l->name, layout, type_text(l->m->arena, &l->x->type));
}

/* An extent that sizes parameters. */
static int64_t extent_at(const Layer *l, int i) {
    Dim d = l->x->type.dim[i];
    if (d.symbol) REFUSE(l, "dim %d of the input, %s, sizes parameters: it cannot change at run time", i, escaped(l->m->arena, d.symbol, 40));
    return d.max;
}

static Value *activate(Layer *l, Value *v, int i) {
    Value *in[3] = {v};
    for (int k = 0; k < activations[i].n; k++) in[1 + k] = const_scalar(l->m, v->type.dtype, activations[i].limit[k]);
    return apply(l, activations[i].op, 1 + activations[i].n, in);
}

static int find_activation(const char *name) {
    for (int i = 0; i < COUNT(activations); i++)
        if (!strcmp(activations[i].name, name)) return i;
    return -1;
}

/* The value behind the layer's activation, if it has one. */
static Value *activated(Layer *l, Value *v) {
    const Attr *a = find_attr(l, "activation");
    const char *names[COUNT(activations)];
    if (!a || !strcmp(a->s, "none")) return v;
    int i = find_activation(a->s);
    if (i >= 0) return activate(l, v, i);
    for (i = 0; i < COUNT(activations); i++) names[i] = activations[i].name;
    refuse_attr(l, "activation", format(l->m->arena, "is no activation%s", suggest(l->m->arena, a->s, COUNT(activations), names)));
}

/* ---- the layers ------------------------------------------------------------------------------ */

static Value *build_dense(Layer *l) {
    need_input_rank(l, 2, MAX_RANK, "[batch, features]");
    int rank = l->x->type.rank;
    bool flat = rank == 2, bias = flag_of(l, "bias", true);
    int64_t units = count_of(l, "units", 0), features = extent_at(l, rank - 1);
    int64_t dim[2] = {flat ? units : features, flat ? features : units};
    Value *w = weight(l, "weight", 2, dim, "glorot_uniform"), *b = bias ? filled(l, V_PARAM, "bias", 1, &units, 0) : NULL;
    if (flat) {
        Node *n = make(l, "Gemm", 2 + bias, (Value *[]){l->x, w, b}, 0);
        set_attr_i(n, "transB", 1);
        return activated(l, finish(l, n));
    }
    Value *y = apply(l, "MatMul", 2, (Value *[]){l->x, w});
    return activated(l, bias ? apply(l, "Add", 2, (Value *[]){y, b}) : y);
}

/* pad = same | valid | numbers: one for all, one for each dim, or those before and those after. */
static void set_pads(Layer *l, Node *n, int dims) {
    Attr *a = (Attr *)(uintptr_t)find_attr(l, "pad");
    int64_t pads[2 * MAX_RANK];
    if (!a || (a->kind == A_STR && !strcmp(a->s, "valid"))) return;
    if (a->kind == A_STR && !strcmp(a->s, "same")) { set_attr_s(n, "auto_pad", "SAME_UPPER"); return; }
    if (a->kind == A_STR || !coerce_attr(l->m->arena, a, A_INTS) || (a->n != 1 && a->n != dims && a->n != 2 * dims))
        refuse_attr(l, "pad", format(l->m->arena, "is same, valid, or 1, %d or %d numbers", dims, 2 * dims));
    for (int i = 0; i < 2 * dims; i++) pads[i] = a->ints[a->n == 1 ? 0 : i % a->n];
    set_attr_ints(n, "pads", 2 * dims, pads);
}

/* Sets a list of the node from the layer's, unless every number is what is meant without it. */
static void set_counts(Layer *l, Node *n, const char *name, const char *onnx, int dims) {
    int64_t v[MAX_RANK];
    bool plain = true;
    counts_of(l, name, dims, 1, v);
    for (int i = 0; i < dims; i++) plain = plain && v[i] == 1;
    if (!plain) set_attr_ints(n, onnx, dims, v);
}

static Value *build_conv(Layer *l) {
    int dims = l->row->spatial, bias = flag_of(l, "bias", true);
    bool transposed = !strcmp(l->row->op, "ConvTranspose");
    need_input_rank(l, dims + 2, dims + 2, dims == 1 ? "[batch, channels, steps]" : "[batch, channels, height, width]");
    int64_t filters = count_of(l, "filters", 0), groups = count_of(l, "groups", 1), channels = extent_at(l, 1);
    int64_t dim[MAX_RANK] = {transposed ? channels : filters, (transposed ? filters : channels) / groups};
    if (channels % groups || filters % groups)
        refuse_attr(l, "groups", format(l->m->arena, "divides the %lld channels and the filters", (long long)channels));
    counts_of(l, "kernel", dims, 0, dim + 2);
    Value *w = weight(l, "weight", dims + 2, dim, "glorot_uniform");
    Value *b = bias ? filled(l, V_PARAM, "bias", 1, &filters, 0) : NULL;
    Node *n = make(l, l->row->op, 2 + bias, (Value *[]){l->x, w, b}, 0);
    set_pads(l, n, dims);
    set_counts(l, n, "stride", "strides", dims);
    set_counts(l, n, "dilation", "dilations", dims);
    if (groups > 1) set_attr_i(n, "group", groups);
    return activated(l, finish(l, n));
}

static Value *build_pool(Layer *l) {
    int dims = l->row->spatial;
    int64_t kernel[MAX_RANK], stride[MAX_RANK];
    need_input_rank(l, dims + 2, dims + 2, "[batch, channels, height, width]");
    counts_of(l, "kernel", dims, 0, kernel);
    if (!counts_of(l, "stride", dims, 1, stride)) memcpy(stride, kernel, sizeof stride);
    Node *n = make(l, l->row->op, 1, &l->x, 0);
    set_attr_ints(n, "kernel_shape", dims, kernel);
    set_attr_ints(n, "strides", dims, stride);
    set_pads(l, n, dims);
    return finish(l, n);
}

static Value *build_global_pool(Layer *l) {
    need_input_rank(l, 3, MAX_RANK, "[batch, channels, …]");
    return apply(l, l->row->op, 1, &l->x);
}

static Value *build_batchnorm(Layer *l) {
    need_input_rank(l, 2, MAX_RANK, "[batch, channels, …]");
    int64_t c = extent_at(l, 1);
    Value *scale = filled(l, V_PARAM, "scale", 1, &c, 1), *bias = filled(l, V_PARAM, "bias", 1, &c, 0);
    Value *mean = filled(l, V_STATE, "mean", 1, &c, 0), *var = filled(l, V_STATE, "var", 1, &c, 1);
    Node *n = make(l, l->row->op, 5, (Value *[]){l->x, scale, bias, mean, var}, 0);
    set_attr_f(n, "epsilon", number_of(l, "epsilon", 1e-5));
    set_attr_f(n, "momentum", number_of(l, "momentum", 0.9));
    return activated(l, finish(l, n));
}

static Value *build_layernorm(Layer *l) {
    need_input_rank(l, 1, MAX_RANK, "[…, features]");
    int64_t features = extent_at(l, l->x->type.rank - 1);
    Value *scale = filled(l, V_PARAM, "scale", 1, &features, 1), *bias = filled(l, V_PARAM, "bias", 1, &features, 0);
    Node *n = make(l, l->row->op, 3, (Value *[]){l->x, scale, bias}, 0);
    set_attr_f(n, "epsilon", number_of(l, "epsilon", 1e-5));
    return finish(l, n);
}

static Value *build_dropout(Layer *l) {
    double ratio = number_of(l, "ratio", 0.5);
    if (!(ratio >= 0 && ratio < 1)) refuse_attr(l, "ratio", "is from 0 to less than 1");
    return apply(l, l->row->op, 2, (Value *[]){l->x, const_scalar(l->m, DT_f32, ratio)});
}

static Value *build_flatten(Layer *l) { return apply(l, l->row->op, 1, &l->x); }

static Value *build_upsample(Layer *l) {
    int64_t scale[2], one[1] = {4};
    const char *mode = word_of(l, "mode", "nearest linear");
    need_input_rank(l, 4, 4, "[batch, channels, height, width]");
    counts_of(l, "scale", 2, 2, scale);
    Tensor *t = tensor_new(l->m->arena, DT_f32, 1, one);
    for (int i = 0; i < 4; i++) set_f(t, i, i < 2 ? 1 : (double)scale[i - 2]);
    Node *n = make(l, l->row->op, 3, (Value *[]){l->x, NULL, const_new(l->m, part_name(l, "scales"), t)}, 0);
    set_attr_s(n, "mode", mode);
    if (*mode == 'n') set_attr_s(n, "coordinate_transformation_mode", "asymmetric"), set_attr_s(n, "nearest_mode", "floor");
    return finish(l, n);
}

static Value *build_embedding(Layer *l) {
    int64_t dim[2] = {count_of(l, "size", 0), count_of(l, "units", 0)};
    return apply(l, l->row->op, 2, (Value *[]){weight(l, "weight", 2, dim, "normal"), l->x});
}

static Value *transpose(Layer *l, Value *v, int n, const int64_t *perm) {
    Node *t = make(l, "Transpose", 1, &v, 0);
    set_attr_ints(t, "perm", n, perm);
    return finish(l, t);
}

/* A recurrent node over [step, batch, feature]; its result 0 is [step, direction, batch, unit], 1 the last of each. */
static Node *make_recurrent(Layer *l, Value *x, int64_t units, int64_t directions, int wanted) {
    int64_t gates = l->row->op[0] == 'L' ? 4 : l->row->op[0] == 'G' ? 3 : 1, features = extent_at(l, 2);
    Value *w = weight(l, "weight", 3, (int64_t[]){directions, gates * units, features}, "glorot_uniform");
    Value *r = weight(l, "recurrent", 3, (int64_t[]){directions, gates * units, units}, "orthogonal");
    Value *b = filled(l, V_PARAM, "bias", 2, (int64_t[]){directions, 2 * gates * units}, 0);
    Node *n = make(l, l->row->op, 4, (Value *[]){x, w, r, b}, wanted);
    set_attr_i(n, "hidden_size", units);
    if (gates == 3) set_attr_i(n, "linear_before_reset", 1);
    return n;
}

/* [batch, step, feature] to [batch, step, unit], or to [batch, unit] of the last step; both directions side by side. */
static Value *build_recurrent(Layer *l) {
    need_input_rank(l, 3, 3, "[batch, steps, features]");
    bool all = flag_of(l, "sequences", false);
    const char *direction = word_of(l, "direction", "forward reverse bidirectional");
    int64_t units = count_of(l, "units", 0), directions = *direction == 'b' ? 2 : 1;
    if (units > 1 << 24) refuse_attr(l, "units", "is at most 2^24");
    Value *x = transpose(l, l->x, 3, (int64_t[]){1, 0, 2});
    Node *n = make_recurrent(l, x, units, directions, all ? 0 : 1);
    if (*direction != 'f') set_attr_s(n, "direction", direction);
    Value *y = finish(l, n);
    y = all ? transpose(l, y, 4, (int64_t[]){2, 0, 1, 3}) : transpose(l, y, 3, (int64_t[]){1, 0, 2});
    Value *shape = all ? ints(l, 3, (int64_t[]){0, 0, directions * units}) : ints(l, 2, (int64_t[]){0, directions * units});
    return apply(l, "Reshape", 2, (Value *[]){y, shape});
}

#define CONV_ATTRS "filters! kernel! stride pad dilation groups activation bias init"
#define RECURRENT_ATTRS "units! sequences direction init"
static const LayerRow rows[] = {
    {"dense", build_dense, "units! activation bias init", NULL, 0},
    {"conv1d", build_conv, CONV_ATTRS, "Conv", 1},
    {"conv2d", build_conv, CONV_ATTRS, "Conv", 2},
    {"conv2d_transpose", build_conv, CONV_ATTRS, "ConvTranspose", 2},
    {"maxpool2d", build_pool, "kernel! stride pad", "MaxPool", 2},
    {"avgpool2d", build_pool, "kernel! stride pad", "AveragePool", 2},
    {"global_avgpool", build_global_pool, "", "GlobalAveragePool", 0},
    {"batchnorm", build_batchnorm, "epsilon momentum activation", "BatchNormalization", 0},
    {"layernorm", build_layernorm, "epsilon", "LayerNormalization", 0},
    {"dropout", build_dropout, "ratio", "Dropout", 0},
    {"flatten", build_flatten, "", "Flatten", 0},
    {"upsample2d", build_upsample, "scale mode", "Resize", 0},
    {"embedding", build_embedding, "size! units! init", "Gather", 0},
    {"rnn", build_recurrent, RECURRENT_ATTRS, "RNN", 0},
    {"gru", build_recurrent, RECURRENT_ATTRS, "GRU", 0},
    {"lstm", build_recurrent, RECURRENT_ATTRS, "LSTM", 0}};

/* ---- calls ----------------------------------------------------------------------------------- */

static const LayerRow *find_row(const char *name) {
    for (int i = 0; i < COUNT(rows); i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

bool is_layer(const char *name) { return find_row(name) || find_activation(name) >= 0; }

const char *const *layer_names(Arena *a, int *n) {
    const char **names = NEW_ARRAY(a, const char *, COUNT(rows) + COUNT(activations));
    *n = 0;
    for (int i = 0; i < COUNT(rows); i++) names[(*n)++] = rows[i].name;
    for (int i = 0; i < COUNT(activations); i++) names[(*n)++] = activations[i].name;
    return names;
}

/* The words of a row's list, and which are needed. */
static int split_attrs(const Layer *l, const char **names, bool *needed) {
    int n = 0;
    for (const char *s = l->row->attrs; *s; s += strcspn(s, " "), s += *s == ' ', n++) {
        size_t len = strcspn(s, " ");
        needed[n] = s[len - 1] == '!';
        names[n] = format(l->m->arena, "%.*s", (int)len - needed[n], s);
    }
    return n;
}

static void check_attrs(Layer *l) {
    const char *names[COUNT(vocabulary)];
    bool needed[COUNT(vocabulary)];
    int n = split_attrs(l, names, needed);
    for (int i = 0; i < l->nattr; i++) {
        int k = 0;
        while (k < n && strcmp(names[k], l->attr[i].name)) k++;
        if (k == n)
            fatal_at(l->m, EXIT_INPUT, l->attr_loc[i], "'%s' has no attribute '%s'%s", l->name, escaped(l->m->arena, l->attr[i].name, 60),
                     listed(l->m->arena, n, names));
    }
    for (int i = 0; i < n; i++)
        if (needed[i] && find_given(l, names[i]) < 0) REFUSE(l, "%s needs '%s'%s", l->name, names[i], listed(l->m->arena, n, names));
}

/* An activation takes the attributes of its operator. */
static Value *build_activation(Layer *l) {
    int i = find_activation(l->name), n = 0;
    const Op *op = find_op(NULL, activations[i].op);
    const char *names[ROW_ATTRS];
    Value *v = activate(l, l->x, i);
    for (; n < ROW_ATTRS && op->attr[n].name; n++) names[n] = op->attr[n].name;
    for (int k = 0; k < l->nattr; k++) {
        int j = 0;
        while (j < n && strcmp(names[j], l->attr[k].name)) j++;
        if (j == n)
            fatal_at(l->m, EXIT_INPUT, l->attr_loc[k], "'%s' has no attribute '%s'%s", l->name, escaped(l->m->arena, l->attr[k].name, 60),
                     listed(l->m->arena, n, names));
        set_attr(v->def, given(l, names[j], op->attr[j].kind, "of another kind"));
    }
    return finish(l, v->def);
}

Value *build_layer(Graph *g, const char *name, int nin, Value *const *in, int nattr, const Attr *attrs, Loc loc, const Loc *attr_locs) {
    Layer l = {.row = find_row(name), .name = name, .m = g->module, .g = g, .loc = loc, .nattr = nattr, .attr = attrs, .attr_loc = attr_locs};
    if (nin != 1 || !in[0]) REFUSE(&l, "%s takes one value, here are %d", name, nin);
    l.x = in[0];
    if (!type_known(&l.x->type)) {
        stop_on_problems(l.m);
        REFUSE(&l, "%s needs to know the shape of its input", name);
    }
    if (l.row) check_attrs(&l);
    Value *v = l.row ? l.row->build(&l) : build_activation(&l);
    rename_value(l.m, v, loc.name);
    return v;
}
