/* infer_vision.c - images: sampling at other coordinates, depth and space. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_nn.h"
#include <math.h>

/* ---- Resize ---- */

static void axes_do_not_fit(Node *n, const char *what, int count, int naxes) {
    problem(n, EXIT_INPUT, "%s: expected %d numbers for %s, saw %d", what, naxes, in_text(n, 0), count);
}

/* Floats of input i, `count` of them; false after a problem(). */
static bool known_floats(Node *n, int i, int count, double *out) {
    const Tensor *t = n->in[i]->data;
    int most;
    Dim none;
    if (!t) return need_dims(n, i, 0, &most, &none) && false;
    if (t->count != count) {
        axes_do_not_fit(n, arg_text(n, i), (int)t->count, count);
        return false;
    }
    for (int k = 0; k < count; k++) out[k] = get_f(t, k);
    return true;
}

/* Which axes the inputs speak of, in their order, and how many they are. */
static int resized_axes(Node *n, int64_t *axis) {
    const Attr *a = given_attr(n, "axes");
    int rank = in_type(n, 0)->rank, count = a ? a->n : rank;
    for (int i = 0; i < count; i++) axis[i] = a ? axis_in(a->ints[i], rank) : i;
    return count;
}

/* floor(in * scale), of a scale that is a ratio of small numbers: then f32 has the product, or is off by less than what
 * is left of it. */
static bool open_size(Node *n, Dim in, double scale, Dim *size) {
    enum { LARGEST = 64 };
    Module *m = n->graph->module;
    for (int64_t over = 1; over <= LARGEST; over++) {
        int64_t times = (int64_t)(scale * (double)over + 0.5);
        if (times < 1 || (float)((double)times / (double)over) != (float)scale) continue;
        if (dim_mul(m, in, fixed(times), size) && dim_quotient(m, *size, fixed(over), size)) {
            if (dim_least(*size) > 0) return true;
            problem(n, EXIT_INPUT, "expected a result with elements, saw %s times %g%s", extent_text(n, in), scale,
                    enough_text(n, *size, 1));
            return false;
        }
    }
    problem(n, EXIT_UNSUPPORTED, "%s: expected for %s a scale that is a ratio of numbers up to %d, saw %g%s",
            arg_text(n, 2), extent_text(n, in), LARGEST, scale, fix_text(n, in));
    return false;
}

/* Extents from scales. ONNX Runtime rounds in f32, so this does. */
static bool sizes_by_scale(Node *n, int count, const int64_t *axis, Resized *r) {
    double scale[MAX_RANK];
    if (!known_floats(n, 2, count, scale)) return false;
    for (int i = 0; i < count; i++) {
        Dim in = in_type(n, 0)->dim[axis[i]];
        float size = (float)in.max * (float)scale[i];
        if (!(scale[i] > 0) || !(size >= 0) || size > 1e12f) {
            problem(n, EXIT_INPUT,
                    "%s: expected a scale above 0 with an extent that fits in memory, saw %g for the extent %lld",
                    arg_text(n, 2), scale[i], (long long)in.max);
            return false;
        }
        r->scale[axis[i]] = scale[i];
        if (scale[i] == 1) continue;
        if (in.symbol && !open_size(n, in, scale[i], &r->dim[axis[i]])) return false;
        if (!in.symbol) r->dim[axis[i]] = fixed((int64_t)floorf(size));
    }
    return true;
}

/* The scale that all axes share: the least that any size asks for (not_larger), or the largest. */
static double common_scale(Node *n, int count, const int64_t *axis, const Dim *size, bool least) {
    double common = 0;
    for (int i = 0; i < count; i++) {
        double scale = (double)size[i].max / (double)in_type(n, 0)->dim[axis[i]].max;
        if (i == 0 || (least ? scale < common : scale > common)) common = scale;
    }
    return common;
}

/* A scale that is the same in every call is a number. */
static void open_scale(Node *n, Dim in, Dim size, double *scale) {
    Module *m = n->graph->module;
    Dim k;
    if (dim_div(m, size, in, &k) && !k.symbol)
        *scale = (double)k.max;
    else if (dim_div(m, in, size, &k) && !k.symbol)
        *scale = 1 / (double)k.max;
}

static bool resize_axis(Node *n, int64_t axis, Dim size, Resized *r) {
    Dim in = in_type(n, 0)->dim[axis];
    if (same_dim(in, size)) return true;
    if (in.symbol || size.symbol) open_scale(n, in, size, &r->scale[axis]);
    r->dim[axis] = size;
    return true;
}

static bool open_policy(Node *n, int count, const int64_t *axis, const Dim *size, bool stretch) {
    for (int i = 0; i < count && !stretch; i++)
        if (!need_fixed(n, in_type(n, 0)->dim[axis[i]], "an extent whose proportions are kept") ||
            !need_fixed(n, size[i], arg_text(n, 3)))
            return false;
    return true;
}

/* Extents as given, or the largest within them, or the smallest around them, that keep the proportions. */
static bool sizes_as_given(Node *n, bool by_call, int count, const int64_t *axis, Resized *r) {
    Dim size[MAX_RANK];
    int given;
    const Type *t = in_type(n, 0);
    if (!need_dims(n, 3, MAX_RANK, &given, size)) return false;
    if (given != count) {
        axes_do_not_fit(n, arg_text(n, 3), given, count);
        return false;
    }
    for (int i = 0; i < count; i++)
        if (size[i].max < 0 || size[i].max > (int64_t)1 << 40 || t->dim[axis[i]].max == 0) {
            problem(n, EXIT_INPUT,
                    "sizes: expected extents from 0 to 2^40 of dims with elements, saw %lld for the extent %lld",
                    (long long)size[i].max, (long long)t->dim[axis[i]].max);
            return false;
        }
    const char *policy = attr_s(n, "keep_aspect_ratio_policy");
    bool stretch = by_call || !strcmp(policy, "stretch");
    if (!open_policy(n, count, axis, size, stretch)) return false;
    double common = stretch ? 0 : common_scale(n, count, axis, size, !strcmp(policy, "not_larger"));
    for (int i = 0; i < count; i++) {
        double in = (double)t->dim[axis[i]].max;
        r->scale[axis[i]] = stretch ? (double)size[i].max / in : common;
        if (!stretch) size[i].max = (int64_t)fmin(floor(common * in + 0.5), 1e15);
        if (!resize_axis(n, axis[i], size[i], r)) return false;
    }
    return true;
}

/* Axes whose mapping follows from the extents of the call. */
static bool find_open(Node *n, bool scales, bool by_call, Resized *r) {
    const char *mode = attr_s(n, "coordinate_transformation_mode");
    bool corners = !strcmp(mode, "align_corners"), torch = !strcmp(mode, "pytorch_half_pixel");
    Module *m = n->graph->module;
    for (int i = 0; i < in_type(n, 0)->rank; i++) {
        Dim in = in_type(n, 0)->dim[i], out = r->dim[i], k;
        bool fixed_scale = scales || (dim_div(m, out, in, &k) && !k.symbol) || (dim_div(m, in, out, &k) && !k.symbol);
        r->open[i] = !same_dim(in, out) && (in.symbol || out.symbol) &&
                     (!fixed_scale || corners || (torch && dim_least(out) < 2));
        if (by_call) r->open[i] = !same_dim(in, out) || !in.symbol;
        bool refused = !strcmp(mode, "half_pixel_symmetric") || !strcmp(mode, "tf_crop_and_resize") ||
                       (attr_i(n, "antialias") && r->open[i]);
        if (by_call && r->open[i] && refused) {
            problem(n, EXIT_UNSUPPORTED,
                    "%s: expected scales that are known when compiling, for this mode or antialias", arg_text(n, 2));
            return false;
        }
        if (same_dim(in, out) || !refused) continue;
        if (!need_fixed(n, in, "a resized extent in this mode") || !need_fixed(n, out, "a resized extent in this mode"))
            return false;
    }
    return true;
}

bool resized(Node *n, Resized *r) {
    int64_t axis[MAX_RANK];
    int count = resized_axes(n, axis);
    bool scales = input(n, 2) && type_count(in_type(n, 2)) > 0, sizes = input(n, 3) && type_count(in_type(n, 3)) > 0;
    for (int i = 0; i < in_type(n, 0)->rank; i++) r->dim[i] = in_type(n, 0)->dim[i], r->scale[i] = 1;
    /* Only a call tells the scales: what follows from them is beside them (measure_scales). */
    bool by_call = scales && sizes && !n->in[2]->data && n->in[3]->known;
    if (scales == sizes && !by_call) {
        problem(n, EXIT_INPUT, "expected either scales or sizes");
        return false;
    }
    bool ok = scales && !by_call ? sizes_by_scale(n, count, axis, r) : sizes_as_given(n, by_call, count, axis, r);
    return ok && find_open(n, scales && !by_call, by_call, r);
}

/* The text says that a crop scales what it leaves; ONNX's shape inference and every runtime scale the whole extent. */
static void warn_of_crop(Node *n, const Resized *r) {
    int64_t axis[MAX_RANK];
    double roi[2 * MAX_RANK];
    int count = resized_axes(n, axis);
    Module *m = n->graph->module;
    if (!input(n, 2) || !input(n, 1) || !known_floats(n, 1, 2 * count, roi)) return;
    for (int i = 0; i < count; i++) {
        double scaled = (double)in_type(n, 0)->dim[axis[i]].max * r->scale[axis[i]];
        double text = floor(scaled * (roi[count + i] - roi[i])), all = (double)r->dim[axis[i]].max;
        if (text == all) continue;
        warn(m,
             "%s: dim %d becomes %.0f, its extent times the scale, as in ONNX's shape inference and the runtimes; "
             "ONNX's "
             "text scales only the region of interest: %.0f",
             node_text(m->arena, n), (int)axis[i], all, text);
        return;
    }
}

/* Opset 10's rounding is one of today's, unless some axes shrink and others grow. */
static void settle_simple(Node *n, const Resized *r) {
    int rank = in_type(n, 0)->rank, shrinking = 0, growing = 0;
    for (int i = 0; i < rank; i++) shrinking += r->scale[i]<1, growing += r->scale[i]> 1;
    if (strcmp(attr_s(n, "nearest_mode"), "simple") || (shrinking && growing)) return;
    set_attr_s(n, "nearest_mode", shrinking ? "ceil" : "floor");
}

void infer_resize(Node *n) {
    Resized r;
    bool before = output(n, 0) && type_known(&n->out[0]->type);
    if (!resized(n, &r)) return;
    set_shape(n, 0, in_type(n, 0)->rank, r.dim);
    settle_simple(n, &r);
    if (!before && !strcmp(attr_s(n, "coordinate_transformation_mode"), "tf_crop_and_resize")) warn_of_crop(n, &r);
}

/* ---- sampling at coordinates that come as a tensor ---- */

void infer_grid_sample(Node *n) {
    const Type *x = in_type(n, 0), *grid = in_type(n, 1);
    if (!need_rank_from(n, 0, 3) || !need_rank(n, 1, x->rank)) return;
    Dim dim[MAX_RANK] = {x->dim[0], x->dim[1]};
    for (int i = 2; i < x->rank; i++) dim[i] = grid->dim[i - 1];
    if (same_dim(grid->dim[0], x->dim[0]) && same_dim(grid->dim[x->rank - 1], fixed(x->rank - 2)))
        set_shape(n, 0, x->rank, dim);
    else
        do_not_fit(n, 0, 1);
}

void infer_affine_grid(Node *n) {
    const Type *theta = in_type(n, 0);
    Dim size[MAX_RANK], dim[MAX_RANK];
    int rank;
    if (!need_rank(n, 0, 3) || !need_dims(n, 1, MAX_RANK, &rank, size)) return;
    int spatial = rank - 2;
    if ((spatial != 2 && spatial != 3) || !same_dim(theta->dim[0], size[0]) ||
        !same_dim(theta->dim[1], fixed(spatial)) || !same_dim(theta->dim[2], fixed(spatial + 1))) {
        do_not_fit(n, 0, 1);
        return;
    }
    dim[0] = size[0];
    for (int i = 0; i < spatial; i++) dim[i + 1] = size[i + 2];
    dim[spatial + 1] = fixed(spatial);
    for (int i = 0; i < spatial + 2; i++)
        if (dim[i].max < 0) {
            problem(n, EXIT_INPUT, "size: expected extents from 0 on, saw %lld", (long long)dim[i].max);
            return;
        }
    set_shape(n, 0, spatial + 2, dim);
}

void infer_roi_align(Node *n) {
    const Type *x = in_type(n, 0), *rois = in_type(n, 1);
    int64_t height = attr_i(n, "output_height"), width = attr_i(n, "output_width");
    if (!need_rank(n, 0, 4) || !need_rank(n, 1, 2) || !need_rank(n, 2, 1)) return;
    if (!same_dim(rois->dim[1], fixed(4)) || !same_dim(in_type(n, 2)->dim[0], rois->dim[0])) {
        do_not_fit(n, 1, 2);
        return;
    }
    set_shape(n, 0, 4, (Dim[]){rois->dim[0], x->dim[1], fixed(height), fixed(width)});
}

/* ---- depth and space ---- */

static bool block_of(Node *n, int64_t *block) {
    *block = attr_i(n, "blocksize");
    const Dim *d = in_type(n, 0)->dim;
    return need_rank(n, 0, 4) && need_fixed(n, d[1], "the number of channels") && need_fixed(n, d[2], "the height") &&
           need_fixed(n, d[3], "the width");
}

static void uneven(Node *n, int64_t block) {
    problem(n, EXIT_INPUT, "%s does not divide into blocks of %lld", in_text(n, 0), (long long)block);
}

/* Height and width times the block, or over it. */
static void set_blocks(Node *n, Dim *dim, bool (*rule)(Module *, Dim, Dim, Dim *), int64_t block) {
    Module *m = n->graph->module;
    if (rule(m, dim[2], fixed(block), &dim[2]) && rule(m, dim[3], fixed(block), &dim[3]))
        set_shape(n, 0, 4, dim);
    else
        uneven(n, block);
}

void infer_depth_to_space(Node *n) {
    int64_t block;
    const Dim *d = in_type(n, 0)->dim;
    if (!block_of(n, &block)) return;
    if (d[1].max % (block * block))
        uneven(n, block);
    else
        set_blocks(n, (Dim[]){d[0], fixed(d[1].max / (block * block)), d[2], d[3]}, dim_mul, block);
}

void infer_space_to_depth(Node *n) {
    int64_t block;
    const Dim *d = in_type(n, 0)->dim;
    if (!block_of(n, &block)) return;
    set_blocks(n, (Dim[]){d[0], fixed(d[1].max * block * block), d[2], d[3]}, dim_div, block);
}
