/* image.c - images whose extents a call computes: cropped and padded, sampled at other resolutions. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include <math.h>

/* The axes that an attribute lists, all without it; false: they are none. */
static bool axes_of(const Node *n, const char *name, int *count, int64_t *axis) {
    const Attr *a = attr(n, name);
    int rank = in_type(n, 0)->rank;
    *count = a->set ? a->n : rank;
    if (*count < 1 || *count > rank) return false;
    for (int i = 0; i < *count; i++)
        if ((axis[i] = a->set ? axis_in(a->ints[i], rank) : i) < 0) return false;
    return true;
}

/* ---- CenterCropPad: a Pad, which may be negative ---- */

void measure_crop(Node *n, int i) {
    int64_t axis[MAX_RANK];
    int count;
    Value *x = n->in[0], *shape = n->in[i];
    bool open = false;
    if (!axes_of(n, "axes", &count, axis) || shape->type.rank != 1 || type_count(&shape->type) != count) return;
    measure_extents(n, i);
    shape = n->in[i];
    if (!shape->data && !shape->known) return;
    for (int k = 0; k < count; k++) open = open || x->type.dim[axis[k]].symbol;
    if (shape->data && !open) return;
    Value *at = const_ints(n->graph->module, count, axis);
    Value *pads = build_text(
        n,
        "d = Cast(m, to = 7) - Gather(Shape(q), p); b = Max(d, 0) / 2 - Max(0 - d, 0) / 2; Concat(b, d - b, axis = 0)",
        3, (Value *[]){shape, at, x});
    Node *pad = insert_node(n, &ops[OP_Pad], 4, (Value *[]){x, pads, NULL, at});
    infer_sized(pad);
    replaced_by(n, 1, pad->out);
}

/* ---- AffineGrid: height and width ---- */

void measure_grid(Node *n, int i) {
    Value *size = n->in[i], *theta = n->in[0], *part[MAX_RANK];
    int64_t count = type_count(&size->type), one = 1;
    if (size->data || size->type.rank != 1 || count < 4 || count > 5 || theta->type.rank != 3) return;
    if (size->known && same_dim(size->known[0], theta->type.dim[0])) return;
    for (int k = 2; k < count; k++) {
        part[k] = size->known
                      ? build_text(n, format(n->graph->module->arena, "Slice(m, [%d], [%d], [0])", k, k + 1), 1, &size)
                      : extent_within(n, size, k, (Range){0, INFINITY});
        if (!part[k]) return;
    }
    must_be_equal(n, build_text(n, "Gather(m, 0)", 1, &size), build_text(n, "Gather(Shape(m), 0)", 1, &theta));
    part[0] = build_text(n, "Slice(Shape(m), [0], [1], [0])", 1, &theta),
    part[1] = const_ints(n->graph->module, 1, &one);
    n->in[i] = numbers_joined(n, size, (int)count, part);
}

/* ---- Resize by scales: the extents that they give, beside them ---- */

static Range narrowed(Module *m, const Value *v, Range r) {
    int64_t lo, hi;
    if (given_range(m, v, &lo, &hi)) r.lo = fmax(r.lo, (double)lo), r.hi = fmin(r.hi, (double)hi);
    return r;
}

void measure_scales(Node *n, int i) {
    Module *m = n->graph->module;
    Value *scales = n->in[i], *x = n->in[0], *part[MAX_RANK];
    int64_t axis[MAX_RANK];
    int count;
    bool simple = !strcmp(attr_s(n, "mode"), "nearest") && !strcmp(attr_s(n, "nearest_mode"), "simple");
    if (is_known(scales) || simple || (input(n, 3) && type_count(in_type(n, 3)) > 0)) return;
    if (!axes_of(n, "axes", &count, axis) || scales->type.rank != 1 || type_count(&scales->type) != count) return;
    Value *sizes = build_text(n, "Cast(Floor(Cast(Gather(Shape(m), p), to = 1) * q), to = 7)", 3,
                              (Value *[]){x, const_ints(m, count, axis), scales});
    for (int k = 0; k < count; k++) {
        Range scale = narrowed(m, scales, numbers_of(scales, k));
        Range size = narrowed(m, n->out[0], (Range){1, floor((double)x->type.dim[axis[k]].max * scale.hi)});
        bool stays = scale.lo == 1 && scale.hi == 1;
        part[k] =
            stays ? build_text(n, format(m->arena, "Slice(Shape(m), [%d], [%d], [0])", (int)axis[k], (int)axis[k] + 1),
                               1, &x)
                  : extent_within(n, sizes, k, size);
        if (!part[k]) return;
    }
    Value **in = NEW_ARRAY(m->arena, Value *, 4);
    for (int k = 0; k < n->nin; k++) in[k] = n->in[k];
    in[3] = numbers_joined(n, sizes, count, part);
    n->in = in, n->nin = 4;
}
