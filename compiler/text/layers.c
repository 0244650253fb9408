/* layers.c - the layers of the .nn language: a lower-case call that opens into operators and the parameters it owns.
 *
 * Tensors are laid out as in ONNX: images N C H W, sequences batch, step, feature. Parameters are called after the
 * result: %a = dense(…) owns a.weight and a.bias. */
#include "ir/build.h"
#include "text/layer_build.h"
#include "text/text.h"

#define CONV_ATTRS      "filters! kernel! stride pad dilation groups activation bias init bias_init"
#define TRANSPOSE_ATTRS CONV_ATTRS " output_pad"
#define POOL_ATTRS      "kernel! stride pad"
#define RECURRENT_ATTRS "units! layers sequences direction dropout activation bias init recurrent_init bias_init"
static const LayerRow rows[] = {
    {"dense", build_dense, "units! activation bias init bias_init", NULL, 0, 1, 1,
     "fully connected: a matrix product over the last dim, and a bias"},
    {"conv1d", build_conv, CONV_ATTRS, "Conv", 1, 1, 1,
     "convolution over [batch, channels, steps]; pad = causal: over steps before"},
    {"conv2d", build_conv, CONV_ATTRS, "Conv", 2, 1, 1, "convolution over [batch, channels, height, width]"},
    {"conv3d", build_conv, CONV_ATTRS, "Conv", 3, 1, 1, "convolution over [batch, channels, depth, height, width]"},
    {"conv1d_transpose", build_conv, TRANSPOSE_ATTRS, "ConvTranspose", 1, 1, 1, "transposed convolution of signals"},
    {"conv2d_transpose", build_conv, TRANSPOSE_ATTRS, "ConvTranspose", 2, 1, 1, "transposed convolution"},
    {"conv3d_transpose", build_conv, TRANSPOSE_ATTRS, "ConvTranspose", 3, 1, 1, "transposed convolution of volumes"},
    {"maxpool1d", build_pool, POOL_ATTRS, "MaxPool", 1, 1, 1, "maximum of each window of a signal"},
    {"maxpool2d", build_pool, POOL_ATTRS, "MaxPool", 2, 1, 1, "maximum of each window"},
    {"maxpool3d", build_pool, POOL_ATTRS, "MaxPool", 3, 1, 1, "maximum of each window of a volume"},
    {"avgpool1d", build_pool, POOL_ATTRS, "AveragePool", 1, 1, 1, "mean of each window of a signal"},
    {"avgpool2d", build_pool, POOL_ATTRS, "AveragePool", 2, 1, 1, "mean of each window"},
    {"avgpool3d", build_pool, POOL_ATTRS, "AveragePool", 3, 1, 1, "mean of each window of a volume"},
    {"global_avgpool", build_global_pool, "", "GlobalAveragePool", 0, 1, 1, "mean of each channel"},
    {"global_maxpool", build_global_pool, "", "GlobalMaxPool", 0, 1, 1, "maximum of each channel"},
    {"upsample1d", build_upsample, "scale mode", "Resize", 1, 1, 1,
     "longer signals, by nearest neighbour or linear interpolation"},
    {"upsample2d", build_upsample, "scale mode", "Resize", 2, 1, 1, "larger images, likewise"},
    {"upsample3d", build_upsample, "scale mode", "Resize", 3, 1, 1, "larger volumes, likewise"},
    {"batchnorm", build_batchnorm, "epsilon momentum activation", "BatchNormalization", 0, 1, 1,
     "batch normalization: by the batch in training, by running statistics in inference"},
    {"layernorm", build_layernorm, "axis epsilon", "LayerNormalization", 0, 1, 1,
     "layer normalization over the last dim, or those from axis on"},
    {"groupnorm", build_groupnorm, "groups! epsilon activation", "GroupNormalization", 0, 1, 1,
     "each group of channels of an example normalised by itself"},
    {"dropout", build_dropout, "ratio", "Dropout", 0, 1, 1,
     "zeroes elements at random in training, does nothing in inference"},
    {"gaussian_noise", build_noise, "deviation!", "GaussianNoise", 0, 1, 1,
     "adds normal random numbers in training, does nothing in inference"},
    {"flatten", build_flatten, "", "Flatten", 0, 1, 1, "all dims but the first become one"},
    {"reshape", build_reshape, "shape!", "Reshape", 0, 1, 1, "the dims behind the first become these; one may be -1"},
    {"embedding", build_embedding, "size! units! init", "Gather", 0, 1, 1, "a row of a table for each index"},
    {"rnn", build_recurrent, RECURRENT_ATTRS, "RNN", 0, 2, 2,
     "recurrent layer over [batch, steps, features]: the last step, or all (sequences)"},
    {"gru", build_recurrent, RECURRENT_ATTRS " gate_activation reset_after", "GRU", 0, 2, 2,
     "gated recurrent unit, likewise"},
    {"lstm", build_recurrent, RECURRENT_ATTRS " gate_activation forget_bias", "LSTM", 0, 3, 3,
     "long short-term memory, likewise"},
    {"attention", build_attention, "heads! units causal bias init bias_init", "Attention", 0, 3, 1,
     "multi-head attention of [batch, steps, features] to itself, or to a second input"},
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

static bool known_inputs(const Layer *l) {
    for (int i = 0; i < l->nin; i++)
        if (l->in[i] && !type_known(&l->in[i]->type)) return false;
    return true;
}

static void check_call(Layer *l) {
    int in = l->row ? l->row->most_in : 1, out = l->row ? l->row->most_out : 1;
    if (l->nin < 1 || l->nin > in || !l->in[0])
        REFUSE(l, "%s takes one value%s; saw %d", l->name, in == 1 ? "" : format(l->m->arena, ", at most %d", in),
               l->nin);
    if (l->nout > out) REFUSE(l, "%s gives at most %d, saw %d names", l->name, out, l->nout);
    if (!known_inputs(l)) {
        stop_on_problems(l->m);
        REFUSE(l, "%s needs to know the shape of its input", l->name);
    }
    if (l->row) check_attrs(l);
}

void build_layer(Parser *p, Call *c, Value *const *in, const char *stem) {
    Layer l = {.row = find_row(c->name),
               .name = c->name,
               .p = p,
               .m = p->m,
               .g = p->g,
               .loc = c->loc,
               .nin = c->args.n,
               .in = in,
               .x = c->args.n ? in[0] : NULL,
               .nout = c->targets.n,
               .nattr = c->attrs.n,
               .attr = c->attrs.at,
               .attr_loc = c->attrs.loc};
    l.loc.name = stem, l.out = c->result = NEW_ARRAY(l.m->arena, Value *, l.nout);
    check_call(&l);
    l.out[0] = l.row ? l.row->build(&l) : build_activation(&l);
    for (int i = 0; i < l.nout; i++) {
        const Defined *t = c->targets.at[i];
        if (i == 0 || t->name) rename_value(l.m, l.out[i], i == 0 ? stem : fresh_name(p, t->name));
    }
}
