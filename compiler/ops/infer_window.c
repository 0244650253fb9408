/* infer_window.c - convolutions and pools: windows that slide over the spatial dims. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_nn.h"

static const int64_t MAX_STEP = 1 << 20; /* of a kernel, as for the attributes of ops.def */

/* ---- the window ---- */

static int64_t item(const Attr *a, int k, int64_t otherwise) { return a ? a->ints[k] : otherwise; }

/* Which input holds the weights of a convolution; 0 for pools. */
static int weights_of(const Node *n) { return n->op->weights ? find_operand(n->op, n->op->weights) : 0; }

/* A tile of results has so many more points than a window has taps. */
static int64_t more_points(const Node *n) { return IS(n, Winograd) ? attr_i(n, "tile") - 1 : 0; }

static bool read_window(Node *n, Window *w) {
    bool bad = false;
    int weights = weights_of(n), spatial = in_type(n, 0)->rank - 2;
    const Attr *kernel = given_attr(n, "kernel_shape"), *stride = given_attr(n, "strides");
    const Attr *dilation = given_attr(n, "dilations"), *pads = given_attr(n, "pads");
    const Attr *outpad = given_attr(n, "output_padding");
    for (int k = 0; k < spatial && !bad; k++) {
        int64_t size = weights ? in_type(n, weights)->dim[k + 2].max - more_points(n) : 1;
        w->kernel[k] = item(kernel, k, size);
        w->stride[k] = item(stride, k, 1), w->dilation[k] = item(dilation, k, 1), w->outpad[k] = item(outpad, k, 0);
        w->begin[k] = item(pads, k, 0), w->end[k] = item(pads, k + spatial, 0);
        if (!weights || (w->kernel[k] == size && size > 0 && size <= MAX_STEP)) continue;
        problem(n, EXIT_INPUT, "kernel_shape: expected the spatial dims of the weights %s, saw %lld in dim %d",
                in_text(n, weights), (long long)w->kernel[k], k);
        bad = true;
    }
    w->n = spatial;
    return !bad;
}

static int64_t reach_of(const Window *w, int k) { return (w->kernel[k] - 1) * w->dilation[k] + 1; }

/* Pads that make up `total`: the odd one goes last (SAME_UPPER) or first. */
static void share_pads(Window *w, int k, int64_t total, bool upper) {
    if (total < 0) total = 0;
    w->begin[k] = upper ? total / 2 : total - total / 2;
    w->end[k] = total - w->begin[k];
}

/* How often the window fits; ceil_mode counts a last one that juts out, be it the only one, unless it would start in
 * the end pads. */
static int64_t slide_count(const Window *w, int k, int64_t in, bool ceil_mode) {
    int64_t span = in + w->begin[k] + w->end[k] - reach_of(w, k);
    int64_t out = (ceil_mode ? ceil_div : floor_div)(span, w->stride[k]) + 1;
    if (out <= 0) return 0;
    return ceil_mode && (out - 1) * w->stride[k] >= in + w->begin[k] ? out - 1 : out;
}

typedef enum { PAD_GIVEN, PAD_UPPER, PAD_LOWER, PAD_NONE } AutoPad;

static void slide(Node *n, Window *w, int k, int64_t in, AutoPad how) {
    const Attr *ceil_mode = given_attr(n, "ceil_mode");
    if (how == PAD_NONE) w->begin[k] = w->end[k] = 0;
    if (how == PAD_UPPER || how == PAD_LOWER)
        share_pads(w, k, (ceil_div(in, w->stride[k]) - 1) * w->stride[k] + reach_of(w, k) - in, how == PAD_UPPER);
    w->out[k] = slide_count(w, k, in, ceil_mode && ceil_mode->i);
}

/* ConvTranspose: the extent is computed from the pads, or, with output_shape or SAME, the pads from the extent. */
static void spread(Node *n, Window *w, int k, int64_t in, AutoPad how) {
    const Attr *shape = given_attr(n, "output_shape");
    int64_t full = w->stride[k] * (in - 1) + w->outpad[k] + reach_of(w, k);
    if (how == PAD_NONE) w->begin[k] = w->end[k] = 0;
    if (shape || how == PAD_UPPER || how == PAD_LOWER) {
        w->out[k] = shape ? shape->ints[shape->n - w->n + k] : in * w->stride[k];
        share_pads(w, k, full - w->out[k], how == PAD_UPPER);
    } else {
        w->out[k] = full - w->begin[k] - w->end[k];
    }
}

static AutoPad auto_pad_of(Node *n) {
    static const char *const words[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const Attr *a = given_attr(n, "auto_pad");
    for (int i = 0; i < COUNT(words) && a; i++)
        if (!strcmp(a->s, words[i])) return (AutoPad)i;
    return PAD_GIVEN;
}

Window window_of(Node *n) {
    Window w = {.n = -1};
    const Type *t = in_type(n, 0);
    if (!read_window(n, &w)) return (Window){.n = -1};
    AutoPad how = auto_pad_of(n);
    const Attr *shape = given_attr(n, "output_shape");
    if (shape && shape->n != w.n && shape->n != w.n + 2) {
        problem(n, EXIT_INPUT, "output_shape: expected %d numbers, one for each spatial dim, saw %d", w.n, shape->n);
        return (Window){.n = -1};
    }
    for (int k = 0; k < w.n; k++) (IS(n, ConvTranspose) ? spread : slide)(n, &w, k, t->dim[k + 2].max, how);
    return w;
}

/* ---- results ---- */

static bool plus(Module *m, Dim d, int64_t n, Dim *out) { return dim_add(m, d, fixed(n), out); }

static bool scaled(Module *m, Dim d, int64_t n, Dim *out) { return dim_mul(m, d, fixed(n), out); }

/* floor(d / by) + 1 */
static bool counted(Module *m, Dim d, int64_t by, Dim *out) {
    return dim_quotient(m, d, fixed(by), out) && plus(m, *out, 1, out);
}

/* slide_count for an extent of the call; with ceil_mode no window starts in the end pads. */
static bool open_slide(Node *n, const Window *w, int k, Dim in, Dim *out) {
    Module *m = n->graph->module;
    const Attr *ceil_mode = given_attr(n, "ceil_mode");
    int64_t stride = w->stride[k], pads = w->begin[k] + w->end[k];
    Dim span, starts;
    if (!plus(m, in, pads - reach_of(w, k), &span)) return false;
    if (!ceil_mode || !ceil_mode->i) return counted(m, span, stride, out);
    return plus(m, span, stride - 1, &span) && counted(m, span, stride, out) && plus(m, in, w->begin[k] - 1, &starts) &&
           counted(m, starts, stride, &starts) && dim_less(m, *out, starts, out);
}

/* ceil(in / stride), if the pads that this takes are the same for every extent. */
static bool open_same(Node *n, const Window *w, int k, Dim in, Dim *out) {
    Module *m = n->graph->module;
    Dim total;
    return plus(m, in, w->stride[k] - 1, out) && dim_quotient(m, *out, fixed(w->stride[k]), out) &&
           plus(m, *out, -1, &total) && scaled(m, total, w->stride[k], &total) &&
           plus(m, total, reach_of(w, k), &total) && dim_sub(m, total, in, &total) &&
           (!total.symbol || total.symbol->max <= 0);
}

static bool open_spread(Node *n, const Window *w, int k, Dim in, AutoPad how, Dim *out) {
    Module *m = n->graph->module;
    if (given_attr(n, "output_shape")) return false;
    if (how == PAD_UPPER || how == PAD_LOWER) return scaled(m, in, w->stride[k], out);
    return plus(m, in, -1, out) && scaled(m, *out, w->stride[k], out) &&
           plus(m, *out, w->outpad[k] + reach_of(w, k) - w->begin[k] - w->end[k], out);
}

/* An extent of the call. */
static bool open_dim(Node *n, const Window *w, int k, Dim in, Dim *out) {
    AutoPad how = auto_pad_of(n);
    bool same = how == PAD_UPPER || how == PAD_LOWER;
    bool ok = IS(n, ConvTranspose) ? open_spread(n, w, k, in, how, out)
              : same               ? open_same(n, w, k, in, out)
                                   : open_slide(n, w, k, in, out);
    if (!ok)
        problem(n, EXIT_UNSUPPORTED, "expected pads that are the same for every extent, saw %s of %s%s",
                dim_text(n->graph->module->arena, in), in_text(n, 0), fix_text(n, in));
    return ok;
}

static bool window_dims(Node *n, Dim *dim) {
    const Type *t = in_type(n, 0);
    Window w = window_of(n);
    for (int k = 0; k < w.n; k++) {
        Dim in = t->dim[k + 2];
        dim[k] = fixed(w.out[k]);
        if (in.symbol && !open_dim(n, &w, k, in, &dim[k])) return false;
        if (dim_least(dim[k]) >= (dim_least(in) > 0)) continue;
        problem(n, EXIT_INPUT, "expected a window that fits into the padded extent %s of %s, saw one of %lld%s",
                dim_text(n->graph->module->arena, in), in_text(n, 0), (long long)reach_of(&w, k),
                enough_text(n, dim[k], 1));
        return false;
    }
    return w.n >= 0;
}

static void weights_do_not_fit(Node *n, int weights, int64_t group) {
    problem(n, EXIT_INPUT, "expected shapes that fit each other with group %lld, saw %s %s and %s %s", (long long)group,
            arg_text(n, 0), in_text(n, 0), arg_text(n, weights), in_text(n, weights));
}

static bool bias_fits(Node *n, int i, Dim channels) {
    if (i < 0 || !input(n, i)) return true;
    const Type *t = in_type(n, i);
    if (t->rank == 1 && same_dim(t->dim[0], channels)) return true;
    problem(n, EXIT_INPUT, "%s: expected one number for each of the %lld channels, saw %s", arg_text(n, i),
            (long long)channels.max, in_text(n, i));
    return false;
}

/* Conv and ConvTranspose agree but for the weights' layout: [M, C/group, …] against [C, M/group, …]. */
static bool convolved(Node *n, bool transposed, Dim *dim) {
    int weights = weights_of(n);
    if (!need_rank_from(n, 0, 2) || !need_rank(n, weights, in_type(n, 0)->rank)) return false;
    const Type *x = in_type(n, 0), *w = in_type(n, weights);
    int64_t group = attr_i(n, "group"), channels = x->dim[1].max, per_group;
    bool ok = !x->dim[1].symbol && w->dim[0].max % group == 0 && mul_ok(w->dim[1].max, group, &per_group);
    for (int i = 0; i < w->rank && ok; i++) ok = !w->dim[i].symbol;
    if (!ok || channels != (transposed ? w->dim[0].max : per_group)) {
        weights_do_not_fit(n, weights, group);
        return false;
    }
    dim[0] = x->dim[0], dim[1] = fixed(transposed ? per_group : w->dim[0].max);
    return window_dims(n, dim + 2);
}

/* Scales and zero points: one of x and of y, one of the weights or of each of their channels. */
static bool quantised(Node *n) {
    const Type *w = in_type(n, weights_of(n));
    if (IS(n, ConvInteger)) return is_quant_param(n, 2, w, -1, -1) && is_quant_param(n, 3, w, 0, 1);
    if (!IS(n, QLinearConv)) return true;
    static const int single[] = {1, 2, 6, 7};
    for (int i = 0; i < COUNT(single); i++)
        if (!is_quant_param(n, single[i], w, -1, -1)) return false;
    return is_quant_param(n, 4, w, 0, 1) && is_quant_param(n, 5, w, 0, 1);
}

static void convolution(Node *n, bool transposed) {
    Dim dim[MAX_RANK];
    if (convolved(n, transposed, dim) && quantised(n) && bias_fits(n, find_operand(n->op, "B"), dim[1]))
        set_result(n, 0, IS(n, ConvInteger) ? DT_i32 : result_dtype(n, 0), in_type(n, 0)->rank, dim);
}

void infer_conv(Node *n) { convolution(n, false); }

void infer_winograd(Node *n) {
    bool square = in_type(n, 0)->rank == 4 && attr_i(n, "group") == 1 && attr_i(n, "tile") % 2 == 0;
    Window w = square ? window_of(n) : (Window){.n = -1};
    for (int k = 0; k < w.n; k++)
        square = square && w.kernel[k] == 3 && w.stride[k] == 1 && w.dilation[k] == 1 && w.begin[k] >= 0;
    if (!square)
        problem(
            n, EXIT_INPUT,
            "expected a 3x3 window that moves by 1, one group, and tiles of 2 or 4 results; saw %s and tiles of %lld",
            in_text(n, 1), (long long)attr_i(n, "tile"));
    else if (w.n == 2)
        infer_conv(n);
}
void infer_conv_transpose(Node *n) { convolution(n, true); }

/* The gradient of a convolution's input or weights, from that of its result. */
void infer_conv_grad(Node *n) {
    Dim dim[MAX_RANK];
    int of = find_operand(n->op, n->op->grad_of);
    if (convolved(n, false, dim) && has_dims(n, 2, in_type(n, 0)->rank, dim))
        set_shape(n, 0, in_type(n, of)->rank, in_type(n, of)->dim);
}

static bool pooled(Node *n, Dim *dim) {
    if (!need_rank_from(n, 0, 2)) return false;
    dim[0] = in_type(n, 0)->dim[0], dim[1] = in_type(n, 0)->dim[1];
    return window_dims(n, dim + 2);
}

void infer_pool(Node *n) {
    Dim dim[MAX_RANK];
    if (!pooled(n, dim)) return;
    for (int i = 0; i < n->nout; i++) set_shape(n, i, in_type(n, 0)->rank, dim);
}

void infer_pool_grad(Node *n) {
    Dim dim[MAX_RANK];
    if (pooled(n, dim) && has_dims(n, 1, in_type(n, 0)->rank, dim)) infer_same(n);
}

void infer_global_pool(Node *n) {
    if (!need_rank_from(n, 0, 2)) return;
    const Type *x = in_type(n, 0);
    Dim dim[MAX_RANK] = {x->dim[0], x->dim[1]};
    for (int i = 2; i < x->rank; i++) dim[i] = fixed(1);
    set_shape(n, 0, x->rank, dim);
}

static bool offsets_fit(Node *n, const Dim *place, int64_t taps, int offset, int mask) {
    const Type *x = in_type(n, 0);
    int64_t groups = attr_i(n, "offset_group");
    if (groups > x->dim[1].max || x->dim[1].max % groups) {
        problem(n, EXIT_INPUT, "offset_group: expected a divisor of the channels of %s, saw %lld", in_text(n, 0),
                (long long)groups);
        return false;
    }
    Dim masks = fixed(times(groups, taps)), offsets = fixed(times(2, masks.max));
    return has_dims(n, offset, 4, (Dim[]){x->dim[0], offsets, place[0], place[1]}) &&
           has_dims(n, mask, 4, (Dim[]){x->dim[0], masks, place[0], place[1]});
}

void infer_deform_conv(Node *n) {
    const Type *w = in_type(n, 1);
    Dim dim[MAX_RANK];
    if (!need_rank(n, 0, 4) || !convolved(n, false, dim) || !bias_fits(n, find_operand(n->op, "B"), dim[1])) return;
    if (offsets_fit(n, dim + 2, times(w->dim[2].max, w->dim[3].max), 2, 4)) set_shape(n, 0, 4, dim);
}

void infer_deform_columns(Node *n) {
    Dim dim[MAX_RANK];
    if (!need_rank(n, 0, 4) || !need_fixed(n, in_type(n, 0)->dim[1], "the number of channels") || !pooled(n, dim))
        return;
    const int64_t *kernel = attr(n, "kernel_shape")->ints;
    int64_t taps = times(kernel[0], kernel[1]);
    if (!offsets_fit(n, dim + 2, taps, 1, 2)) return;
    dim[1] = fixed(times(dim[1].max, taps));
    set_shape(n, 0, 4, dim);
}

/* Whether a list of Col2Im, whose spatial dims only its inputs tell, has so many numbers. */
static bool is_long(Node *n, const Attr *a, int count) {
    if (!a || a->n == count) return true;
    problem(n, EXIT_INPUT, "attribute '%s': expected %d numbers, saw %d", a->name, count, a->n);
    return false;
}

bool blocks_in(Node *n, const Dim *image, Window *w, Dim *blocks, Dim *all) {
    const Attr *stride = given_attr(n, "strides"), *dilation = given_attr(n, "dilations"),
               *pads = given_attr(n, "pads");
    *w = (Window){.n = 0};
    if (!need_ints(n, 2, MAX_RANK - 2, &w->n, w->kernel)) return false;
    bool ok = w->n > 0 && type_count(in_type(n, 1)) == w->n;
    if (ok && (!is_long(n, stride, w->n) || !is_long(n, dilation, w->n) || !is_long(n, pads, 2 * w->n))) return false;
    *all = fixed(1);
    for (int k = 0; k < w->n && ok; k++) {
        w->stride[k] = item(stride, k, 1), w->dilation[k] = item(dilation, k, 1);
        w->begin[k] = item(pads, k, 0), w->end[k] = item(pads, k + w->n, 0);
        ok = image[k].max >= 0 && image[k].max <= MAX_STEP && w->kernel[k] > 0 && w->kernel[k] <= MAX_STEP;
        if (ok && !image[k].symbol)
            blocks[k] = fixed(slide_count(w, k, image[k].max, false));
        else
            ok = ok && open_slide(n, w, k, image[k], &blocks[k]);
        ok = ok && dim_mul(n->graph->module, *all, blocks[k], all);
    }
    if (!ok) do_not_fit(n, 1, 2);
    return ok;
}

/* MaxUnpool: what a pool of these windows was made from, unless output_shape says so. */
void infer_max_unpool(Node *n) {
    const Type *x = in_type(n, 0);
    Window w = {.n = -1};
    Dim dim[MAX_RANK] = {x->dim[0], x->dim[1]};
    if (!need_rank_from(n, 0, 3) || !read_window(n, &w)) return;
    if (!same_shape(x, in_type(n, 1))) {
        do_not_fit(n, 0, 1);
        return;
    }
    int rank = x->rank;
    if (input(n, 2) && !need_dims(n, 2, MAX_RANK, &rank, dim)) return;
    for (int k = 0; k < w.n && !input(n, 2); k++) {
        if (!need_fixed(n, x->dim[k + 2], "a spatial extent")) return;
        dim[k + 2] = fixed((x->dim[k + 2].max - 1) * w.stride[k] - w.begin[k] - w.end[k] + w.kernel[k]);
    }
    bool ok = rank == x->rank;
    for (int i = 0; i < rank && ok; i++) ok = dim[i].max >= 0;
    if (ok)
        set_shape(n, 0, rank, dim);
    else
        problem(n, EXIT_INPUT, "expected a result with elements for %s", in_text(n, 0));
}

/* [batch, channels, length], a kernel of its own for each channel, and the k - 1 positions before the first. */
void infer_causal_conv(Node *n) {
    const Type *x = in_type(n, 0), *w = in_type(n, 1);
    if (!need_rank(n, 0, 3) || !need_rank(n, 1, 3)) return;
    Dim state[] = {x->dim[0], x->dim[1], fixed(w->dim[2].max - 1)};
    Type want = {.dtype = x->dtype, .rank = 3, .dim = {state[0], state[1], state[2]}};
    bool ok =
        same_dim(w->dim[0], x->dim[1]) && same_dim(w->dim[1], fixed(1)) && w->dim[2].max >= 1 && !w->dim[2].symbol;
    if (!ok || (input(n, 3) && !same_shape(in_type(n, 3), &want)))
        weights_do_not_fit(n, ok ? 3 : 1, 1);
    else if (bias_fits(n, 2, x->dim[1])) {
        infer_same(n);
        set_shape(n, 1, 3, state);
    }
}
