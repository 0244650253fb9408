/* blocked.c - graphs that ONNX Runtime laid out for one machine (domain com.microsoft.nchwc): channels lie in blocks of
 * 8 or of 16, after how many floats a vector holds, filled up with zeros. Here they are plain images with as many
 * channels, the weights put back in order. */
#include "ir/build.h"
#include "onnx/importer.h"

static const char domain[] = "com.microsoft.nchwc";

static bool is_blocked(const Onnx__NodeProto *n, const char *op) {
    return n->domain && !strcmp(n->domain, domain) && (!op || !strcmp(n->op_type, op));
}

static int64_t filled_up(int64_t channels, int64_t block) { return (channels + block - 1) / block * block; }

/* ---- how large the blocks are, which no file says: as far as it follows from extents ---- */

static const Onnx__TensorProto *weights_of(const Onnx__GraphProto *g, const Onnx__NodeProto *conv) {
    for (size_t i = 0; i < g->n_initializer && conv->n_input > 1; i++)
        if (g->initializer[i]->name && !strcmp(g->initializer[i]->name, conv->input[1]))
            return g->initializer[i]->n_dims == 4 ? g->initializer[i] : NULL;
    return NULL;
}

static const Onnx__NodeProto *maker_of(const Onnx__GraphProto *g, const char *name) {
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_output; k++)
            if (!strcmp(g->node[i]->output[k], name)) return g->node[i];
    return NULL;
}

/* Filters are filled up; so are the channels that they read, unless these are fewer than a block: then they lie as in
 * any image. */
static int64_t block_of_conv(const Onnx__GraphProto *g, const Onnx__NodeProto *conv) {
    const Onnx__TensorProto *w = weights_of(g, conv);
    if (!w) return 0;
    int64_t filters = w->dims[0], channels = w->dims[1];
    if (filters % 16) return 8;
    if (channels > 8 && channels % 8) return 16;
    if (channels > 8 && channels % 16) return 8;
    if (channels != 8) return 0;
    const Onnx__NodeProto *maker = maker_of(g, conv->input[0]);
    return maker ? is_blocked(maker, NULL) ? 8 : 0 : 16;
}

/* The weights of the convolution whose channels a value has, behind activations and pools. */
static const Onnx__TensorProto *filters_of(const Onnx__GraphProto *g, const Onnx__NodeProto *n) {
    for (int step = 0; step < 16 && n && n->n_input && strcmp(n->op_type, "Concat"); step++) {
        if (is_blocked(n, "Conv")) return weights_of(g, n);
        n = maker_of(g, n->input[0]);
    }
    return NULL;
}

static int64_t block_of_output(const Onnx__GraphProto *g, const Onnx__NodeProto *reorder) {
    const Onnx__TensorProto *w = filters_of(g, reorder);
    for (size_t i = 0; w && i < reorder->n_attribute; i++)
        if (!strcmp(reorder->attribute[i]->name, "channels") && w->dims[0] - reorder->attribute[i]->i >= 8) return 16;
    return 0;
}

/* 0: nothing tells. */
static int64_t block_of(Form *f) {
    const Onnx__GraphProto *g = f->im->model->graph;
    const char *said = f->im->m->opt->channel_blocks;
    int64_t block = 0;
    for (size_t i = 0; i < g->n_node && !block; i++) {
        if (is_blocked(g->node[i], "Conv")) block = block_of_conv(g, g->node[i]);
        if (is_blocked(g->node[i], "ReorderOutput")) block = block_of_output(g, g->node[i]);
    }
    return block || !said ? block : !strcmp(said, "8") ? 8 : 16;
}

static bool need_block(Form *f, int64_t *block) {
    if (!f->im->block) f->im->block = block_of(f);
    *block = f->im->block;
    if (!*block)
        refuse(f, EXIT_UNSUPPORTED,
               "channels lie in blocks of 8 or of 16, and nothing in the model says which: give --channel-blocks=16 if "
               "it was saved on a machine with AVX-512, else 8");
    return *block != 0;
}

/* ---- the operators ---- */

/* What an operator of ONNX does to images it does to these. */
static void plain(Form *f) { f->domain = "", f->version = MAX_OPSET; }

static bool channels_last(Form *f) {
    const Attr *a = take_attr(f, "channels_last");
    return a && a->i;
}

static Value *moved(Form *f, Value *x, const int64_t *perm) {
    return made(f, "Transpose", 1, &x, 1, &(Attr){.name = "perm", .kind = A_INTS, .set = true, .n = 4, .ints = perm});
}

static void reorder_input(Form *f) {
    static const int64_t first[] = {0, 3, 1, 2};
    int64_t block;
    Value *x = channels_last(f) ? moved(f, f->in[0], first) : f->in[0];
    const Type *t = type_of(f, x);
    if (t->rank < 0 || (t->rank == 4 && t->dim[1].max < 0)) {
        form_needs(f, 0, "the channels");
        return;
    }
    if (t->rank != 4 || t->dim[1].symbol || t->dim[1].max % 4) {
        refuse(f, EXIT_INPUT, "expected an image with a known number of channels, a multiple of 4");
        return;
    }
    int64_t channels = t->dim[1].max;
    plain(f);
    if (channels % 16 == 0 || !need_block(f, &block) || channels % block == 0) {
        form_becomes(f, "Identity", 1, &x);
        return;
    }
    const int64_t pads[8] = {[5] = filled_up(channels, block) - channels};
    form_becomes(f, "Pad", 2, (Value *[]){x, int_list(f, "pads", 8, pads)});
}

static void reorder_output(Form *f) {
    static const int64_t last[] = {0, 2, 3, 1};
    const Attr *channels = take_attr(f, "channels");
    bool turned = channels_last(f);
    if (!channels || channels->kind != A_INT) {
        refuse(f, EXIT_INPUT, "attribute 'channels' is missing");
        return;
    }
    int64_t from = 0, to = channels->i, axis = 1;
    Value *cut[] = {f->in[0], int_list(f, "starts", 1, &from), int_list(f, "ends", 1, &to),
                    int_list(f, "axes", 1, &axis)};
    plain(f);
    if (!turned) {
        form_becomes(f, "Slice", 4, cut);
        return;
    }
    Value *x = made(f, "Slice", 4, cut, 0, NULL);
    form_becomes(f, "Identity", 1, (Value *[]){moved(f, x, last)});
}

/* Weights that lie [filters / block][channels / block][height][width][channels within][filters within], or, where
 * channels are not in blocks, [filters / block][channels][height][width][filters within]. */
static Tensor *in_order(Arena *arena, const Tensor *w, int64_t block, bool both) {
    Tensor *plain = tensor_new(arena, w->dtype, 4, w->dim);
    int64_t filters = w->dim[0], channels = w->dim[1], places = w->dim[2] * w->dim[3], to = 0;
    int64_t inner = both ? block : 1;
    for (int64_t o = 0; o < filters; o++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t p = 0; p < places; p++) {
                int64_t at = ((o / block) * (channels / inner) + c / inner) * places + p;
                set_f(plain, to++, get_f(w, (at * inner + c % inner) * block + o % block));
            }
    return plain;
}

static void conv(Form *f) {
    const Tensor *w = f->nin > 1 && f->in[1] ? f->in[1]->data : NULL;
    const Attr *group = form_attr(f, "group");
    int64_t block;
    if (!w || w->rank != 4 || !is_float(w->dtype)) {
        refuse(f, EXIT_UNSUPPORTED, "expected weights of rank 4 that are known");
        return;
    }
    if (!need_block(f, &block)) return;
    if (w->dim[0] % block) {
        refuse(f, EXIT_INPUT, "expected filters in blocks of %lld, saw %lld", (long long)block, (long long)w->dim[0]);
        return;
    }
    bool depthwise = group && group->i > 1 && w->dim[1] == 1;
    Tensor *t = in_order(f->im->m->arena, w, block, !depthwise && w->dim[1] % block == 0);
    set_input(f, 1, const_new(f->im->m, helper_name(f, "weights"), t));
    if (depthwise) give_attr(f, (Attr){.name = "group", .kind = A_INT, .set = true, .i = w->dim[0]});
    f->op = "FusedConv", f->domain = "com.microsoft", f->version = 1;
}

static void upsample(Form *f) {
    const Attr *scales = take_attr(f, "scales"), *mode = form_attr(f, "mode");
    double factor[4];
    if (!scales || scales->kind != A_INTS || scales->n != 4) {
        refuse(f, EXIT_INPUT, "attribute 'scales': expected 4 ints");
        return;
    }
    for (int i = 0; i < 4; i++) factor[i] = (double)scales->ints[i];
    set_input(f, 2, float_list(f, "scales", 4, factor));
    if (!mode || mode->kind != A_STR || !strcmp(mode->s, "nearest")) {
        give_attr(f, (Attr){.name = "coordinate_transformation_mode", .kind = A_STR, .set = true, .s = "asymmetric"});
        give_attr(f, (Attr){.name = "nearest_mode", .kind = A_STR, .set = true, .s = "floor"});
    }
    plain(f);
    f->op = "Resize";
}

static const struct {
    const char *op;
    void (*apply)(Form *);
} forms[] = {
    {"ReorderInput", reorder_input},
    {"ReorderOutput", reorder_output},
    {"Conv", conv},
    {"Upsample", upsample},
    {"MaxPool", plain},
    {"AveragePool", plain},
    {"GlobalMaxPool", plain},
    {"GlobalAveragePool", plain},
};

void out_of_blocks(Form *f) {
    for (int i = 0; i < COUNT(forms); i++)
        if (!strcmp(forms[i].op, f->op) && f->nin && f->in[0]) {
            forms[i].apply(f);
            return;
        }
}
