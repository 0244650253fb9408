/* layer_window.c - layers that slide windows over signals, images and volumes, and those that make them larger. */
#include "ir/build.h"
#include "ops/ops.h"
#include "text/layer_build.h"

/* [batch, channels] and as many dims as the layer has. */
static void need_image(const Layer *l) {
    static const char *const layout[] = {NULL, "[batch, channels, steps]", "[batch, channels, height, width]",
                                         "[batch, channels, depth, height, width]"};
    int dims = l->row->spatial;
    need_input_rank(l, dims + 2, dims + 2, layout[dims]);
}

/* Every step sees itself and those before it. */
static void set_causal_pads(Layer *l, Node *n) {
    int64_t kernel, dilation;
    counts_of(l, "kernel", 1, 0, &kernel);
    counts_of(l, "dilation", 1, 1, &dilation);
    set_attr_ints(n, "pads", 2, (int64_t[]){(kernel - 1) * dilation, 0});
}

/* pad = same | valid | causal | numbers: one for all, one for each dim, or those before and those after. */
static void set_pads(Layer *l, Node *n, int dims) {
    Attr *a = (Attr *)(uintptr_t)find_attr(l, "pad");
    int64_t pads[2 * MAX_RANK];
    if (!a || (a->kind == A_STR && !strcmp(a->s, "valid"))) return;
    if (a->kind == A_STR && !strcmp(a->s, "same")) {
        set_attr_s(n, "auto_pad", "SAME_UPPER");
        return;
    }
    bool causal = IS(n, Conv) && dims == 1;
    if (causal && a->kind == A_STR && !strcmp(a->s, "causal")) {
        set_causal_pads(l, n);
        return;
    }
    if (a->kind == A_STR || !coerce_attr(l->m->arena, a, A_INTS) || (a->n != 1 && a->n != dims && a->n != 2 * dims))
        refuse_attr(l, "pad",
                    format(l->m->arena, "is same, valid%s, or 1%s or %d numbers", causal ? ", causal" : "",
                           dims > 1 ? format(l->m->arena, ", %d", dims) : "", 2 * dims));
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

/* Rows and columns that the transpose of a convolution adds at the end, where its stride leaves that open. */
static void set_more(Layer *l, Node *n, const char *name, const char *onnx, int dims) {
    const Attr *a = find_attr(l, name);
    int64_t v[MAX_RANK];
    if (!a) return;
    if (a->n != 1 && a->n != dims) refuse_attr(l, name, format(l->m->arena, "is one number or %d", dims));
    for (int i = 0; i < dims; i++) v[i] = a->ints[a->n == 1 ? 0 : i];
    set_attr_ints(n, onnx, dims, v);
}

Value *build_conv(Layer *l) {
    int dims = l->row->spatial, bias = flag_of(l, "bias", true);
    bool transposed = !strcmp(l->row->op, "ConvTranspose");
    need_image(l);
    int64_t filters = count_of(l, "filters", 0), groups = count_of(l, "groups", 1), channels = extent_at(l, 1);
    int64_t dim[MAX_RANK] = {transposed ? channels : filters, (transposed ? filters : channels) / groups};
    if (channels % groups || filters % groups)
        refuse_attr(l, "groups", format(l->m->arena, "divides the %lld channels and the filters", (long long)channels));
    counts_of(l, "kernel", dims, 0, dim + 2);
    Value *w = weight(l, "weight", dims + 2, dim, "glorot_uniform");
    Value *b = bias ? bias_of(l, "bias", 1, &filters) : NULL;
    Node *n = make(l, l->row->op, 2 + bias, (Value *[]){l->x, w, b}, 0);
    set_pads(l, n, dims);
    set_counts(l, n, "stride", "strides", dims);
    set_counts(l, n, "dilation", "dilations", dims);
    if (transposed) set_more(l, n, "output_pad", "output_padding", dims);
    if (groups > 1) set_attr_i(n, "group", groups);
    return activated(l, finish(l, n));
}

Value *build_pool(Layer *l) {
    int dims = l->row->spatial;
    int64_t kernel[MAX_RANK], stride[MAX_RANK];
    need_image(l);
    counts_of(l, "kernel", dims, 0, kernel);
    if (!counts_of(l, "stride", dims, 1, stride)) memcpy(stride, kernel, sizeof stride);
    Node *n = make(l, l->row->op, 1, &l->x, 0);
    set_attr_ints(n, "kernel_shape", dims, kernel);
    set_attr_ints(n, "strides", dims, stride);
    set_pads(l, n, dims);
    return finish(l, n);
}

Value *build_global_pool(Layer *l) {
    need_input_rank(l, 3, MAX_RANK, "[batch, channels, …]");
    return apply(l, l->row->op, 1, &l->x);
}

Value *build_upsample(Layer *l) {
    int dims = l->row->spatial;
    int64_t scale[MAX_RANK], n = dims + 2;
    const char *mode = word_of(l, "mode", "nearest linear");
    need_image(l);
    counts_of(l, "scale", dims, 2, scale);
    Tensor *t = tensor_new(l->m->arena, DT_f32, 1, &n);
    for (int i = 0; i < n; i++) set_f(t, i, i < 2 ? 1 : (double)scale[i - 2]);
    Node *resize = make(l, l->row->op, 3, (Value *[]){l->x, NULL, const_new(l->m, part_name(l, "scales"), t)}, 0);
    set_attr_s(resize, "mode", mode);
    if (*mode == 'n') {
        set_attr_s(resize, "coordinate_transformation_mode", "asymmetric");
        set_attr_s(resize, "nearest_mode", "floor");
    }
    return finish(l, resize);
}
