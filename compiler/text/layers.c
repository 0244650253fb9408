/* layers.c - the layers of the .nn language: a lower-case call that opens into operators and the parameters it owns.
 *
 * Tensors are laid out as in ONNX: images N C H W, sequences batch, step, feature. Parameters are called after the
 * result: %a = dense(…) owns a.weight and a.bias. */
#include "ir/build.h"
#include "text/layer_build.h"
#include "text/text.h"

/* ---- the layers ---- */

static Value *build_dense(Layer *l) {
    need_input_rank(l, 2, MAX_RANK, "[batch, features]");
    int rank = l->x->type.rank;
    bool flat = rank == 2, bias = flag_of(l, "bias", true);
    int64_t units = count_of(l, "units", 0), features = extent_at(l, rank - 1);
    int64_t dim[2] = {flat ? units : features, flat ? features : units};
    Value *w = weight(l, "weight", 2, dim, "glorot_uniform"),
          *b = bias ? filled(l, V_PARAM, "bias", 1, &units, 0) : NULL;
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
    if (a->kind == A_STR && !strcmp(a->s, "same")) {
        set_attr_s(n, "auto_pad", "SAME_UPPER");
        return;
    }
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
    return apply(l, l->row->op, 2, (Value *[]){l->x, constant(l, "ratio", DT_f32, ratio)});
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
    if (*mode == 'n')
        set_attr_s(n, "coordinate_transformation_mode", "asymmetric"), set_attr_s(n, "nearest_mode", "floor");
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
static Node *make_recurrent(Layer *l, Value *x, int64_t units, int64_t directions, int result) {
    int64_t gates = l->row->op[0] == 'L' ? 4 : l->row->op[0] == 'G' ? 3 : 1, features = extent_at(l, 2);
    Value *w = weight(l, "weight", 3, (int64_t[]){directions, gates * units, features}, "glorot_uniform");
    Value *r = weight(l, "recurrent", 3, (int64_t[]){directions, gates * units, units}, "orthogonal");
    Value *b = filled(l, V_PARAM, "bias", 2, (int64_t[]){directions, 2 * gates * units}, 0);
    Node *n = make(l, l->row->op, 4, (Value *[]){x, w, r, b}, result);
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
    int64_t shape[] = {0, 0, directions * units};
    return apply(l, "Reshape", 2, (Value *[]){y, const_ints(l->m, all ? 3 : 2, all ? shape : shape + 1)});
}

#define CONV_ATTRS      "filters! kernel! stride pad dilation groups activation bias init"
#define RECURRENT_ATTRS "units! sequences direction init"
static const LayerRow rows[] = {
    {"dense", build_dense, "units! activation bias init", NULL, 0,
     "fully connected: a matrix product over the last dim, and a bias"},
    {"conv1d", build_conv, CONV_ATTRS, "Conv", 1, "convolution over [batch, channels, steps]"},
    {"conv2d", build_conv, CONV_ATTRS, "Conv", 2, "convolution over [batch, channels, height, width]"},
    {"conv2d_transpose", build_conv, CONV_ATTRS, "ConvTranspose", 2, "transposed convolution"},
    {"maxpool2d", build_pool, "kernel! stride pad", "MaxPool", 2, "maximum of each window"},
    {"avgpool2d", build_pool, "kernel! stride pad", "AveragePool", 2, "mean of each window"},
    {"global_avgpool", build_global_pool, "", "GlobalAveragePool", 0, "mean of each channel"},
    {"batchnorm", build_batchnorm, "epsilon momentum activation", "BatchNormalization", 0,
     "batch normalization: by the batch in training, by running statistics in inference"},
    {"layernorm", build_layernorm, "epsilon", "LayerNormalization", 0, "layer normalization over the last dim"},
    {"dropout", build_dropout, "ratio", "Dropout", 0,
     "zeroes elements at random in training, does nothing in inference"},
    {"flatten", build_flatten, "", "Flatten", 0, "all dims but the first become one"},
    {"upsample2d", build_upsample, "scale mode", "Resize", 0,
     "larger images, by nearest neighbour or linear interpolation"},
    {"embedding", build_embedding, "size! units! init", "Gather", 0, "a row of a table for each index"},
    {"rnn", build_recurrent, RECURRENT_ATTRS, "RNN", 0,
     "recurrent layer over [batch, steps, features]: the last step, or all (sequences)"},
    {"gru", build_recurrent, RECURRENT_ATTRS, "GRU", 0, "gated recurrent unit, likewise"},
    {"lstm", build_recurrent, RECURRENT_ATTRS, "LSTM", 0, "long short-term memory, likewise"},
};

/* ---- calls ---- */

static const LayerRow *find_row(const char *name) {
    for (int i = 0; i < COUNT(rows); i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

bool is_layer(const char *name) { return find_row(name) || layer_activation(name) >= 0; }

const char *const *layer_names(Arena *a, int *n) {
    int more;
    const char *const *activation = activation_names(a, &more),
                      **names = NEW_ARRAY(a, const char *, COUNT(rows) + more);
    for (int i = 0; i < COUNT(rows); i++) names[i] = rows[i].name;
    for (int i = 0; i < more; i++) names[COUNT(rows) + i] = activation[i];
    return *n = COUNT(rows) + more, names;
}

void list_layers(FILE *f) {
    Arena *a = arena_new(0, NULL, NULL);
    int n;
    const char *const *activation = activation_names(a, &n);
    for (int i = 0; i < COUNT(rows); i++)
        fprintf(f, "%-16s  %s\n%*s{%s}\n", rows[i].name, rows[i].doc, 18, "", rows[i].attrs);
    fputs("An attribute with ! is required. Activations:\n", f);
    for (int i = 0; i < n; i++)
        fprintf(f, "%-16s  %s\n", activation[i], activation_op(layer_activation(activation[i])));
    arena_free(a);
}

/* The words of a row's list, and which are needed. */
static int split_attrs(const Layer *l, const char **names, bool *needed) {
    int n = 0;
    for (const char *s = l->row->attrs; *s; s = next_word(s), n++) {
        size_t len = word_length(s);
        needed[n] = s[len - 1] == '!';
        names[n] = format(l->m->arena, "%.*s", (int)len - needed[n], s);
    }
    return n;
}

/* Which of the names attribute k of the call has; none is an error that lists them. */
static int match_attr(const Layer *l, int k, int n, const char *const *names) {
    Arena *a = l->m->arena;
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], l->attr[k].name)) return i;
    fatal_at(l->m, EXIT_INPUT, l->attr_loc[k], "'%s' has no attribute '%s'%s", l->name, escaped(a, l->attr[k].name, 60),
             choices(a, l->attr[k].name, "it has", n, names));
}

static void check_attrs(Layer *l) {
    const char *names[LAYER_ATTRS];
    bool needed[LAYER_ATTRS];
    int n = split_attrs(l, names, needed);
    for (int k = 0; k < l->nattr; k++) match_attr(l, k, n, names);
    for (int i = 0; i < n; i++)
        if (needed[i] && find_given(l, names[i]) < 0)
            REFUSE(l, "%s needs '%s'%s", l->name, names[i], names_listed(l->m->arena, "it has", n, names));
}

/* An activation takes the attributes of its operator. */
static Value *build_activation(Layer *l) {
    int i = layer_activation(l->name), n = 0;
    const Op *op = find_op(NULL, activation_op(i));
    const char *names[ROW_ATTRS];
    Value *v = activate(l, l->x, i);
    for (; n < ROW_ATTRS && op->attr[n].name; n++) names[n] = op->attr[n].name;
    for (int k = 0; k < l->nattr; k++) {
        int j = match_attr(l, k, n, names);
        set_attr(v->def, given(l, names[j], op->attr[j].kind, "of another kind"));
    }
    return finish(l, v->def);
}

Value *build_layer(Graph *g, const char *name, int nin, Value *const *in, int nattr, const Attr *attrs, Loc loc,
                   const Loc *attr_locs) {
    Layer l = {.row = find_row(name),
               .name = name,
               .m = g->module,
               .g = g,
               .loc = loc,
               .nattr = nattr,
               .attr = attrs,
               .attr_loc = attr_locs};
    if (nin != 1 || !in[0]) REFUSE(&l, "%s takes one value; saw %d", name, nin);
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
