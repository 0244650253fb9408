/* simplify_pad.c - the padding that a Pad puts around an image becomes the pads of the window that slides over it.
 *
 * Convolutions and means that count the padding read it as 0. A maximum never sees it: the padding has to be what no
 * element is below, and every window has to hold an element. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "passes/simplify.h"
#include <math.h>

/* Whether the padding is around the spatial dims alone, and takes nothing away. */
static bool is_frame(Node *pad, int64_t *begin, int64_t *end) {
    if (strcmp(attr_s(pad, "mode"), "constant") || !fixed_pads_of(pad, begin, end)) return false;
    for (int i = 0; i < in_type(pad, 0)->rank; i++)
        if (begin[i] < 0 || end[i] < 0 || (i < 2 && (begin[i] || end[i]))) return false;
    return true;
}

static bool frame_is_zero(Node *pad) {
    const Tensor *t = known(in_of(pad, 2));
    return !in_of(pad, 2) || (t && all_are(t, 0));
}

static double least(DType t) {
    return t == DT_f64   ? -1.7976931348623157e308
           : t == DT_f32 ? -3.4028234663852886e38
           : t == DT_f16 ? -65504.0
                         : -INFINITY;
}

static bool frame_is_least(Node *pad) {
    const Tensor *t = known(in_of(pad, 2));
    if (!t || t->count != 1) return false;
    return is_float(t->dtype) ? get_f(t, 0) <= least(t->dtype) : get_i(t, 0) == dtype_min(t->dtype);
}

static bool is_given(const Node *n, const char *name) { return attr_i(n, name) != 0; }

static bool has_own_pads(const Window *w) {
    for (int k = 0; k < w->n; k++)
        if (w->begin[k] || w->end[k]) return true;
    return false;
}

static bool mean_may(Node *n, const Window *w) {
    return is_given(n, "count_include_pad") || (!has_own_pads(w) && !is_given(n, "ceil_mode"));
}

static bool maximum_may(const Node *n, const Window *w, const int64_t *begin, const int64_t *end) {
    for (int k = 0; k < w->n; k++)
        if (w->dilation[k] != 1 || begin[k + 2] + w->begin[k] >= w->kernel[k] || end[k + 2] + w->end[k] >= w->kernel[k])
            return false;
    return only_result(n) && !is_given(n, "ceil_mode");
}

bool rule_pad_into_window(Rewrite *r, Node *n) {
    Node *pad = sole_maker(n, n->in[0]);
    int64_t begin[MAX_RANK], end[MAX_RANK], pads[2 * MAX_RANK];
    if (!pad || !IS(pad, Pad) || !is_frame(pad, begin, end)) return false;
    Window w = window_of(n);
    if (w.n < 0) return false;
    bool fits = IS(n, MaxPool) ? frame_is_least(pad) && maximum_may(n, &w, begin, end) : frame_is_zero(pad);
    if (!fits || (IS(n, AveragePool) && !mean_may(n, &w))) return false;
    for (int k = 0; k < w.n; k++) {
        pads[k] = w.begin[k] + begin[k + 2], pads[k + w.n] = w.end[k] + end[k + 2];
        if (pads[k] > 1 << 16 || pads[k + w.n] > 1 << 16) return false;
    }
    if (IS(n, AveragePool)) set_attr_i(n, "count_include_pad", 1);
    set_attr_s(n, "auto_pad", "NOTSET");
    set_attr_ints(n, "pads", 2 * w.n, pads);
    comes_from(n, pad, n);
    rewire(r, n, 0, in_of(pad, 0));
    return true;
}
