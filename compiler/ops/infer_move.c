/* infer_move.c - rearrangements: reversed, cropped, folded, chosen by a mask; caches that are written in place. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/open_dims.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"

void infer_reverse_sequence(Node *n) {
    const Type *t = in_type(n, 0);
    if (!need_rank_from(n, 0, 2)) return;
    int64_t batch = attr_axis(n, "batch_axis", t->rank), time = attr_axis(n, "time_axis", t->rank);
    if (batch == time)
        problem(n, EXIT_INPUT, "expected different batch_axis and time_axis, saw %lld for both", (long long)time);
    else if (in_type(n, 1)->rank != 1 || !same_dim(in_type(n, 1)->dim[0], t->dim[batch]))
        do_not_fit(n, 0, 1);
    else
        infer_same(n);
}

void infer_center_crop_pad(Node *n) {
    const Type *t = in_type(n, 0);
    const Attr *axes = given_attr(n, "axes");
    Dim size[MAX_RANK], dim[MAX_RANK];
    int count;
    if (!need_dims(n, 1, MAX_RANK, &count, size)) return;
    memcpy(dim, t->dim, sizeof dim);
    bool ok = count == (axes ? axes->n : t->rank), seen[MAX_RANK] = {false};
    for (int i = 0; i < count && ok; i++) {
        int64_t a = axes ? axis_in(axes->ints[i], t->rank) : i;
        ok = a >= 0 && !seen[a] && size[i].max >= 0;
        if (!ok) break;
        seen[a] = true;
        if (same_dim(dim[a], size[i])) continue;
        if (!need_fixed(n, dim[a], "a cropped extent") || !need_fixed(n, size[i], arg_text(n, 1))) return;
        dim[a] = size[i];
    }
    if (ok)
        set_shape(n, 0, t->rank, dim);
    else
        do_not_fit(n, 0, 1);
}

/* Columns [N, C * elements of a block, L] back to an image [N, C, ...]; L is how often the block fits. */
void infer_col2im(Node *n) {
    const Type *t = in_type(n, 0);
    Window w;
    Dim dim[MAX_RANK], blocks[MAX_RANK], all;
    int64_t elements = 1;
    int spatial;
    if (!need_rank(n, 0, 3) || !need_dims(n, 1, MAX_RANK - 2, &spatial, dim + 2) ||
        !blocks_in(n, dim + 2, &w, blocks, &all))
        return;
    bool ok = !t->dim[1].symbol && same_dim(t->dim[2], all);
    for (int k = 0; k < w.n && ok; k++) ok = mul_ok(elements, w.kernel[k], &elements);
    if (!ok || t->dim[1].max % elements) {
        problem(n, EXIT_INPUT, "%s: expected the columns of the image in blocks of %lld, saw %s", arg_text(n, 0),
                (long long)elements, in_text(n, 0));
        return;
    }
    dim[0] = t->dim[0], dim[1] = fixed(t->dim[1].max / elements);
    set_shape(n, 0, w.n + 2, dim);
}

void infer_tensor_scatter(Node *n) {
    const Type *cache = in_type(n, 0), *update = in_type(n, 1);
    if (!need_rank_from(n, 0, 2)) return;
    int64_t axis = attr_axis(n, "axis", cache->rank);
    bool ok = update->rank == cache->rank && axis > 0;
    for (int i = 0; i < cache->rank && ok; i++)
        ok = i == axis ? update->dim[i].max <= cache->dim[i].max : same_dim(update->dim[i], cache->dim[i]);
    if (!ok)
        do_not_fit(n, 0, 1);
    else if (input(n, 2) && (in_type(n, 2)->rank != 1 || !same_dim(in_type(n, 2)->dim[0], cache->dim[0])))
        do_not_fit(n, 0, 2);
    else
        infer_same(n);
}

static bool are_square(Node *n) {
    const Type *t = in_type(n, 0);
    if (!need_rank_from(n, 0, 2)) return false;
    if (same_dim(t->dim[t->rank - 1], t->dim[t->rank - 2]))
        return need_fixed(n, t->dim[t->rank - 1], "a square matrix");
    problem(n, EXIT_INPUT, "%s: expected square matrices, saw %s", arg_text(n, 0), in_text(n, 0));
    return false;
}

void infer_det(Node *n) {
    if (are_square(n)) set_shape(n, 0, in_type(n, 0)->rank - 2, in_type(n, 0)->dim);
}

void infer_inverse(Node *n) {
    if (are_square(n)) infer_same(n);
}

/* ---- sizes that depend on contents: those known when compiling, or at most so much ---- */

static bool fixed_shape(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].symbol || t->dim[i].max < 0) return false;
    return t->rank >= 0;
}

/* Whether the result may have the most elements that there can be: in functions that train none does. Extents of a
 * call are at their most for those that only look at what there is. */
static bool may_be_bounded(const Node *n) {
    const Type *t = in_type(n, 0);
    bool fits = fixed_shape(t) || ((IS(n, NonZero) || IS(n, Compress)) && type_count(t) < INT32_MAX);
    return !n->graph->module->entry && fits && t->rank && type_count(t) > 0;
}

static const Tensor *contents(Node *n, int i, bool bounded) {
    const Value *v = n->in[i];
    if (v->data && v->kind != V_PARAM && v->kind != V_STATE) return v->data;
    if (bounded && may_be_bounded(n)) return NULL;
    problem(n, EXIT_UNSUPPORTED,
            "the size of its result depends on the contents of %s, which are not known when compiling", arg_text(n, i));
    return NULL;
}

void infer_compress(Node *n) {
    const Type *t = in_type(n, 0);
    const Attr *axis = given_attr(n, "axis");
    const Type *mask = in_type(n, 1);
    bool rows = mask->rank == 1 && mask->dim[0].max >= 0;
    const Tensor *keep = contents(n, 1, rows);
    if (!keep && !(rows && may_be_bounded(n))) return;
    int64_t count = 0, at = axis ? attr_axis(n, "axis", t->rank) : 0, most = axis ? t->dim[at].max : type_count(t);
    for (int64_t i = 0; keep && i < keep->count; i++) count += get_i(keep, i) != 0;
    if (!keep) count = mask->dim[0].max;
    Dim dim[MAX_RANK] = {fixed(count)};
    for (int i = 0; i < t->rank && axis; i++) dim[i] = i == at ? fixed(count) : t->dim[i];
    if (keep ? keep->rank != 1 || keep->count > most : count > most)
        do_not_fit(n, 0, 1);
    else
        set_shape(n, 0, axis ? t->rank : 1, dim);
}

static bool is_nonzero(const Tensor *t, int64_t i) { return is_float(t->dtype) ? get_f(t, i) != 0 : get_i(t, i) != 0; }

/* The indices of what is not 0, one column each. */
void infer_non_zero(Node *n) {
    const Tensor *t = contents(n, 0, true);
    int64_t count = 0, column = 0;
    if (!t && may_be_bounded(n))
        set_result(n, 0, DT_i64, 2, (Dim[]){fixed(in_type(n, 0)->rank), fixed(type_count(in_type(n, 0)))});
    if (!t || !output(n, 0)) return;
    for (int64_t i = 0; i < t->count; i++) count += is_nonzero(t, i);
    set_result(n, 0, DT_i64, 2, (Dim[]){fixed(t->rank), fixed(count)});
    Tensor *indices = tensor_new(n->graph->module->arena, DT_i64, 2, (int64_t[]){t->rank, count});
    for (int64_t i = 0; i < t->count; i++) {
        if (!is_nonzero(t, i)) continue;
        int64_t rest = i;
        for (int k = t->rank - 1; k >= 0; rest /= t->dim[k--]) set_i(indices, k * count + column, rest % t->dim[k]);
        column++;
    }
    n->out[0]->data = indices;
}

/* ---- NonMaxSuppression, Unique ---- */

static bool need_bounded(Node *n) {
    if (may_be_bounded(n)) return true;
    problem(n, EXIT_UNSUPPORTED,
            "the size of its result depends on contents: expected a tensor of known extents that has elements, in a "
            "network to run, saw %s",
            in_text(n, 0));
    return false;
}

static bool boxes_fit(Node *n) {
    const Type *boxes = in_type(n, 0), *scores = in_type(n, 1);
    if (boxes->rank == 3 && scores->rank == 3 && same_dim(boxes->dim[2], fixed(4)) &&
        same_dim(boxes->dim[0], scores->dim[0]) && same_dim(boxes->dim[1], scores->dim[2]))
        return fixed_shape(scores) && fixed_shape(boxes) ? true : need_bounded(n);
    return do_not_fit(n, 0, 1);
}

/* How many boxes of a class there can be at most: as many as are asked for, none where nobody asks. */
static int64_t most_boxes(const Node *n) {
    int64_t most = 0, boxes = in_type(n, 0)->dim[1].max;
    int count;
    if (input(n, 2) && !(known_ints(n->in[2], 1, &count, &most) && count == 1)) most = boxes;
    return most < 0 ? 0 : most < boxes ? most : boxes;
}

static bool one_number(Node *n, int i) {
    if (!input(n, i) || type_count(in_type(n, i)) == 1) return true;
    problem(n, EXIT_INPUT, "%s: expected one number, saw %s", arg_text(n, i), in_text(n, i));
    return false;
}

void infer_select_boxes(Node *n) {
    const Type *scores = in_type(n, 1);
    for (int i = 2; i < 5; i++)
        if (!one_number(n, i)) return;
    if (!boxes_fit(n)) return;
    set_result(n, 0, DT_i64, 3, (Dim[]){scores->dim[0], scores->dim[1], fixed(most_boxes(n))});
}

void infer_non_max_suppression(Node *n) {
    const Type *scores = in_type(n, 1);
    for (int i = 2; i < 5; i++)
        if (!one_number(n, i)) return;
    if (!boxes_fit(n)) return;
    int64_t most = times(times(scores->dim[0].max, scores->dim[1].max), most_boxes(n));
    if (most && !need_bounded(n)) return;
    set_result(n, 0, DT_i64, 2, (Dim[]){fixed(most), fixed(3)});
    if (!most && output(n, 0)) n->out[0]->data = tensor_new(n->graph->module->arena, DT_i64, 2, (int64_t[]){0, 3});
}

void infer_unflatten(Node *n) {
    Dim dim[MAX_RANK];
    int rank;
    if (!need_rank(n, 0, 1) || !need_rank(n, 1, 1) || !need_dims(n, 1, MAX_RANK, &rank, dim)) return;
    for (int i = 0; i < rank; i++)
        if (dim_least(dim[i]) < 0) {
            problem(n, EXIT_INPUT, "%s: expected extents from 0 on, saw %s", arg_text(n, 1), extent_text(n, dim[i]));
            return;
        }
    set_shape(n, 0, rank, dim);
}

/* From here on a dim may be called after it; one that can only be one number has no need of a name. */
void infer_extent(Node *n) {
    Module *m = n->graph->module;
    DimBinding b = {.name = attr_s(n, "dim"), .min = attr_i(n, "least"), .max = attr_i(n, "most")};
    int64_t i = attr_i(n, "index");
    if (i < 0 || i >= type_count(in_type(n, 0)) || (i && in_type(n, 0)->rank != 1)) {
        problem(n, EXIT_INPUT, "%s: expected a number at %lld, saw %s", arg_text(n, 0), (long long)i, in_text(n, 0));
        return;
    }
    if (b.min > b.max || b.max >= INT32_MAX || b.min <= INT32_MIN) {
        problem(n, EXIT_INPUT, "expected bounds of which a C int holds both, saw %lld and %lld", (long long)b.min,
                (long long)b.max);
        return;
    }
    const Symbol *given = b.min < b.max ? symbol_called(m, b.name) : NULL;
    if (given && (given->min != b.min || given->max != b.max)) {
        problem(n, EXIT_INPUT, "expected dim '%s' from %lld to %lld as before, saw %lld to %lld", b.name,
                (long long)given->min, (long long)given->max, (long long)b.min, (long long)b.max);
        return;
    }
    set_result(n, 0, DT_i64, 0, NULL);
    if (m->bounds.n == MAX_SYMBOLS && !symbol_called(m, b.name)) {
        problem(n, EXIT_UNSUPPORTED, "expected at most %d extents that only a call tells", MAX_SYMBOLS);
        return;
    }
    Dim d = dim_of_binding(m, &b);
    if (d.symbol) computed_by(n)->computed = true;
    if (d.symbol && output(n, 0)) know(n, 0, 1, &d);
}

void infer_sort_rows(Node *n) {
    if (!need_rank(n, 0, 2)) return;
    set_result(n, 0, DT_i64, 1, in_type(n, 0)->dim);
    set_result(n, 1, DT_bool, 1, in_type(n, 0)->dim);
}

void infer_unique(Node *n) {
    const Type *t = in_type(n, 0);
    const Attr *axis = given_attr(n, "axis");
    if (!need_bounded(n)) return;
    Dim rows = axis ? t->dim[attr_axis(n, "axis", t->rank)] : fixed(type_count(t));
    if (axis)
        set_shape(n, 0, t->rank, t->dim);
    else
        set_shape(n, 0, 1, &rows);
    for (int i = 1; i < n->nout; i++) set_result(n, i, DT_i64, 1, &rows);
}
