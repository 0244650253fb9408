/* infer_data.c - operators that move elements: join, cut, pad, repeat. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"

/* ---- join and split ---- */

void infer_concat(Node *n) {
    const Type *first = in_type(n, 0);
    if (!need_rank_from(n, 0, 1)) return;
    int axis = (int)attr_axis(n, "axis", first->rank);
    Dim dim[MAX_RANK];
    memcpy(dim, first->dim, sizeof dim);
    for (int i = 1; i < n->nin; i++) {
        const Type *t = in_type(n, i);
        bool ok = t->rank == first->rank;
        int clash = -1;
        for (int k = 0; k < t->rank && ok; k++)
            if (k != axis && !same_dim(t->dim[k], dim[k])) ok = false, clash = k;
        if (!ok) {
            problem(n, EXIT_INPUT, "expected dims that are equal but for axis %d, saw %s %s and %s %s%s", axis,
                    arg_text(n, 0), in_text(n, 0), arg_text(n, i), in_text(n, i),
                    clash < 0 ? "" : equal_text(n, dim[clash], t->dim[clash]));
            return;
        }
        if (!dim_add(n->graph->module, dim[axis], t->dim[axis], &dim[axis])) {
            need_fixed(n, dim[axis].symbol ? dim[axis] : t->dim[axis], "the joined axis");
            return;
        }
    }
    set_shape(n, 0, first->rank, dim);
}

void infer_interleave(Node *n) {
    const Type *first = in_type(n, 0);
    Dim dim[MAX_RANK];
    if (!need_rank_from(n, 0, 2) || !need_fixed(n, first->dim[1], "the joined axis")) return;
    memcpy(dim, first->dim, sizeof dim);
    for (int i = 1; i < n->nin; i++)
        if (!same_shape(in_type(n, i), first)) {
            do_not_fit(n, 0, i);
            return;
        }
    dim[1].max = times(dim[1].max, n->nin);
    set_shape(n, 0, first->rank, dim);
}

/* How many parts there are: trailing ones may be unused, so that the node has fewer results. */
static int64_t part_count(Node *n) {
    if (input(n, 1)) return type_count(in_type(n, 1));
    return given_attr(n, "num_outputs") ? attr_i(n, "num_outputs") : n->nout;
}

/* Equal parts of which the last may be smaller (opset 18). */
static bool equal_parts(Node *n, Dim extent, int64_t parts, Dim *size) {
    Module *m = n->graph->module;
    Dim each, left = extent;
    if (!dim_add(m, extent, fixed(parts - 1), &each) || !dim_quotient(m, each, fixed(parts), &each)) return false;
    for (int i = 0; i < n->nout; i++)
        if (!dim_less(m, left, each, &size[i]) || !dim_sub(m, left, size[i], &left)) return false;
    return true;
}

enum { MAX_PARTS = 1 << 20 };

/* Sizes of the parts as input 1 has them, and their sum. */
static bool given_parts(Node *n, int64_t parts, Dim *size, Dim *sum) {
    Dim *given = NEW_ARRAY(n->graph->module->arena, Dim, parts + 1);
    int count;
    bool ok = need_dims(n, 1, (int)parts, &count, given);
    *sum = fixed(0);
    for (int i = 0; i < parts && ok; i++)
        ok = dim_least(given[i]) >= 0 && dim_add(n->graph->module, *sum, given[i], sum);
    if (ok) memcpy(size, given, sizeof *size * (size_t)n->nout);
    return ok;
}

/* Whether the node's results are parts that there are. */
static bool parts_fit(Node *n) {
    int64_t parts = part_count(n);
    if (input(n, 1) && given_attr(n, "num_outputs"))
        problem(n, EXIT_INPUT, "expected split or num_outputs, saw both");
    else if (parts < n->nout || parts < 1)
        problem(n, EXIT_INPUT, "%d result%s, but %lld parts", n->nout, n->nout == 1 ? "" : "s", (long long)parts);
    else
        return true;
    return false;
}

void infer_split(Node *n) {
    const Type *t = in_type(n, 0);
    if (!need_rank_from(n, 0, 1)) return;
    int axis = (int)attr_axis(n, "axis", t->rank), before = n->graph->module->problems.n;
    Dim dim[MAX_RANK];
    memcpy(dim, t->dim, sizeof dim);
    if (!parts_fit(n)) return;
    if (part_count(n) == 1 && !input(n, 1)) {
        set_shape(n, 0, t->rank, dim);
        return;
    }
    Dim *size = NEW_ARRAY(n->graph->module->arena, Dim, n->nout + 1), whole = dim[axis], sum = whole;
    int64_t parts = part_count(n);
    bool ok =
        parts <= MAX_PARTS && (input(n, 1) ? given_parts(n, parts, size, &sum) : equal_parts(n, whole, parts, size));
    if (!ok || !same_dim(sum, whole)) {
        if (n->graph->module->problems.n == before)
            problem(n, EXIT_INPUT, "expected %lld parts with the %s elements of axis %d of %s, saw %s%s",
                    (long long)parts, extent_text(n, whole), axis, in_text(n, 0), extent_text(n, sum),
                    fix_text(n, whole));
        return;
    }
    for (int i = 0; i < n->nout; i++) {
        dim[axis] = size[i];
        set_shape(n, i, t->rank, dim);
    }
}

bool split_offsets(Node *n, Dim *at) {
    const Type *t = in_type(n, 0);
    Dim *size = NEW_ARRAY(n->graph->module->arena, Dim, n->nout + 1), whole = t->dim[attr_axis(n, "axis", t->rank)],
        sum;
    int64_t parts = part_count(n);
    if (!(input(n, 1) ? given_parts(n, parts, size, &sum) : equal_parts(n, whole, parts, size))) return false;
    at[0] = fixed(0);
    for (int i = 1; i < n->nout; i++)
        if (!dim_add(n->graph->module, at[i - 1], size[i - 1], &at[i])) return false;
    return true;
}

/* ---- Slice ---- */

static int64_t clamp(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }

/* Where a slice begins, and how many elements it takes (ONNX: out-of-range bounds are clamped). */
static int64_t slice_extent(int64_t extent, int64_t start, int64_t end, int64_t step, int64_t *begin) {
    if (start < 0) start += extent;
    if (end < 0) end = end < -extent ? -1 : end + extent;
    start = step > 0 ? clamp(start, 0, extent) : clamp(start, 0, extent - 1);
    end = step > 0 ? clamp(end, 0, extent) : clamp(end, -1, extent);
    *begin = start;
    if (extent == 0 || (step > 0 ? end <= start : end >= start)) return 0;
    return step > 0 ? ceil_div(end - start, step) : step == INT64_MIN ? 1 : ceil_div(start - end, -step);
}

static bool is_whole_axis(Dim extent, Dim start, Dim end, int64_t step) {
    return step == 1 && same_dim(start, fixed(0)) && (same_dim(end, extent) || (!end.symbol && end.max >= extent.max));
}

/* From the end, if it is counted from there; false where only the call tells. */
static bool from_the_front(Module *m, Dim extent, Dim at, Dim *out) {
    *out = at;
    if (dim_least(at) >= 0) return true;
    return at.max < 0 && (at.symbol || at.max > -((int64_t)1 << 40) ? dim_add(m, at, extent, out) : true);
}

static bool clamped(Module *m, Dim d, Dim lo, Dim hi, Dim *out) {
    return dim_greater(m, d, lo, out) && dim_less(m, *out, hi, out);
}

/* slice_extent for extents of the call. */
static bool open_slice(Module *m, Dim extent, Dim start, Dim end, int64_t step, Dim *begin, Dim *count) {
    Dim zero = fixed(0), last, length;
    int64_t by = step < 0 ? -step : step;
    if (by > (int64_t)1 << 40 || !dim_add(m, extent, fixed(-1), &last)) return false;
    if (!from_the_front(m, extent, start, &start) || !from_the_front(m, extent, end, &end)) return false;
    if (!clamped(m, start, zero, step > 0 ? extent : last, begin)) return false;
    if (!(step > 0 ? clamped(m, end, zero, extent, &end) : clamped(m, end, fixed(-1), last, &end))) return false;
    return (step > 0 ? dim_sub(m, end, *begin, &length) : dim_sub(m, *begin, end, &length)) &&
           dim_add(m, length, fixed(by - 1), &length) && dim_quotient(m, length, fixed(by), &length) &&
           dim_greater(m, length, zero, count);
}

bool slice_of(Node *n, Dim *begin, int64_t *step, Dim *dim) {
    const Type *t = in_type(n, 0);
    Dim start[MAX_RANK], end[MAX_RANK];
    int64_t axes[MAX_RANK], steps[MAX_RANK];
    int count, ends, naxes, nsteps;
    bool seen[MAX_RANK] = {false};
    if (!need_dims(n, 1, MAX_RANK, &count, start) || !need_dims(n, 2, MAX_RANK, &ends, end)) return false;
    naxes = nsteps = count;
    for (int i = 0; i < MAX_RANK; i++) axes[i] = i, steps[i] = 1;
    if (input(n, 3) && !need_ints(n, 3, MAX_RANK, &naxes, axes)) return false;
    if (input(n, 4) && !need_ints(n, 4, MAX_RANK, &nsteps, steps)) return false;
    for (int i = 0; i < t->rank; i++) begin[i] = fixed(0), step[i] = 1, dim[i] = t->dim[i];
    bool ok = ends == count && naxes == count && nsteps == count && count <= t->rank;
    for (int i = 0; i < count && ok; i++) {
        int64_t a = axis_in(axes[i], t->rank);
        ok = a >= 0 && !seen[a] && steps[i] != 0;
        if (!ok) break;
        seen[a] = true;
        if (is_whole_axis(t->dim[a], start[i], end[i], steps[i])) continue;
        step[a] = steps[i];
        if (t->dim[a].symbol || start[i].symbol || end[i].symbol) {
            if (open_slice(n->graph->module, t->dim[a], start[i], end[i], steps[i], &begin[a], &dim[a])) continue;
            problem(n, EXIT_UNSUPPORTED,
                    "axis %d of %s: expected a start and an end whose order is known, saw %s and %s%s", (int)a,
                    in_text(n, 0), extent_text(n, start[i]), extent_text(n, end[i]),
                    fix_text(n, t->dim[a].symbol  ? t->dim[a]
                                : start[i].symbol ? start[i]
                                                  : end[i]));
            return false;
        }
        dim[a] = fixed(slice_extent(t->dim[a].max, start[i].max, end[i].max, steps[i], &begin[a].max));
    }
    if (!ok) problem(n, EXIT_INPUT, "expected starts, ends, axes and steps that fit each other and %s", in_text(n, 0));
    return ok;
}

void infer_slice(Node *n) {
    int64_t step[MAX_RANK];
    Dim begin[MAX_RANK], dim[MAX_RANK];
    if (gather_moving_slice(n)) return;
    if (slice_of(n, begin, step, dim)) set_shape(n, 0, in_type(n, 0)->rank, dim);
}

/* ---- Pad, Tile ---- */

bool pads_of(Node *n, Dim *begin, Dim *end) {
    const Type *t = in_type(n, 0);
    Dim pads[2 * MAX_RANK];
    int64_t axes[MAX_RANK];
    int count, naxes = t->rank;
    bool seen[MAX_RANK] = {false};
    for (int i = 0; i < MAX_RANK; i++) axes[i] = i;
    if (!need_dims(n, 1, 2 * MAX_RANK, &count, pads)) return false;
    if (input(n, 3) && !need_ints(n, 3, MAX_RANK, &naxes, axes)) return false;
    for (int i = 0; i < t->rank; i++) begin[i] = end[i] = fixed(0);
    bool ok = count == 2 * naxes && naxes <= t->rank;
    for (int i = 0; i < naxes && ok; i++) {
        int64_t a = axis_in(axes[i], t->rank);
        ok = a >= 0 && !seen[a];
        if (ok) seen[a] = true, begin[a] = pads[i], end[a] = pads[naxes + i];
    }
    if (!ok)
        problem(n, EXIT_INPUT, "expected 2 pads for each of the %d axes of %s, saw %d", naxes, in_text(n, 0), count);
    return ok;
}

bool fixed_pads_of(Node *n, int64_t *begin, int64_t *end) {
    Dim before[MAX_RANK], after[MAX_RANK];
    if (!pads_of(n, before, after)) return false;
    for (int i = 0; i < in_type(n, 0)->rank; i++) {
        if (before[i].symbol || after[i].symbol) return false;
        begin[i] = before[i].max, end[i] = after[i].max;
    }
    return true;
}

/* What the modes that take their pads from the input can give: reflect needs another element, edge and wrap one. */
static bool pad_has_source(Node *n, Dim d, int64_t begin, int64_t end) {
    const char *mode = attr_s(n, "mode");
    int64_t most = begin > end ? begin : end;
    if (!strcmp(mode, "constant") || most <= 0) return true;
    int64_t least = strcmp(mode, "reflect") ? 1 : 2;
    if (dim_least(d) >= least) return true;
    problem(n, EXIT_INPUT, "mode '%s' cannot pad an axis of %lld by %lld%s", mode, (long long)dim_least(d),
            (long long)most, enough_text(n, d, least));
    return false;
}

void infer_pad(Node *n) {
    const Type *t = in_type(n, 0);
    Dim dim[MAX_RANK], begin[MAX_RANK], end[MAX_RANK];
    if (!pads_of(n, begin, end)) return;
    for (int i = 0; i < t->rank; i++) {
        dim[i] = t->dim[i];
        if (same_dim(begin[i], fixed(0)) && same_dim(end[i], fixed(0))) continue;
        if (!pad_has_source(n, dim[i], begin[i].max, end[i].max)) return;
        if (!dim_add(n->graph->module, dim[i], begin[i], &dim[i]) ||
            !dim_add(n->graph->module, dim[i], end[i], &dim[i]) || dim_least(dim[i]) < 0) {
            problem(n, EXIT_INPUT, "expected pads that leave elements of axis %d of %s, saw %s and %s%s", i,
                    in_text(n, 0), extent_text(n, begin[i]), extent_text(n, end[i]), enough_text(n, dim[i], 1));
            return;
        }
    }
    set_shape(n, 0, t->rank, dim);
}

/* dY without its pads. Those of an extent of the call are shorter than it. */
void infer_pad_grad(Node *n) {
    const Type *g = in_type(n, 0);
    int64_t before = attr_i(n, "before"), after = attr_i(n, "after"), most = before > after ? before : after, both;
    if (!need_rank_from(n, 0, 1)) return;
    int axis = (int)attr_axis(n, "axis", g->rank);
    Dim dim[MAX_RANK];
    memcpy(dim, g->dim, sizeof dim);
    bool ok = add_ok(before, after, &both) && both <= g->dim[axis].max &&
              dim_add(n->graph->module, g->dim[axis], fixed(-both), &dim[axis]) && dim_least(dim[axis]) > 0;
    if (!ok || (dim[axis].symbol && most >= dim_least(dim[axis])))
        problem(n, EXIT_INPUT, "expected pads shorter than axis %d of %s, saw %lld and %lld", axis, in_text(n, 0),
                (long long)before, (long long)after);
    else if (pad_has_source(n, dim[axis], before, after))
        set_shape(n, 0, g->rank, dim);
}

void infer_tile(Node *n) {
    const Type *t = in_type(n, 0);
    Dim times[MAX_RANK], dim[MAX_RANK];
    int count;
    if (!need_dims(n, 1, MAX_RANK, &count, times)) return;
    bool ok = count == t->rank;
    for (int i = 0; i < t->rank && ok; i++)
        ok = dim_least(times[i]) >= 0 && dim_mul(n->graph->module, t->dim[i], times[i], &dim[i]);
    if (ok)
        set_shape(n, 0, t->rank, dim);
    else
        problem(n, EXIT_INPUT, "expected one repeat from 0 on for each axis of %s", in_text(n, 0));
}

/* ---- fill ---- */

void infer_trilu(Node *n) {
    if (!need_rank_from(n, 0, 2)) return;
    if (!input(n, 1) || type_count(in_type(n, 1)) == 1)
        infer_same(n);
    else
        problem(n, EXIT_INPUT, "%s: expected one number, saw %s", arg_text(n, 1), in_text(n, 1));
}

/* The depth may come as a float (ONNX); it is a whole number anyway. */
void infer_one_hot(Node *n) {
    const Type *t = in_type(n, 0);
    double depth;
    Dim dim[MAX_RANK + 1], d;
    int one;
    if (in_type(n, 2)->rank != 1 || type_count(in_type(n, 2)) != 2) {
        problem(n, EXIT_INPUT, "%s: expected the two numbers off and on, saw %s", arg_text(n, 2), in_text(n, 2));
        return;
    }
    if (known_float(n->in[1], &depth)) {
        if (!(depth >= 1 && depth < 1e12)) {
            problem(n, EXIT_INPUT, "%s is %g", arg_text(n, 1), depth);
            return;
        }
        d = fixed((int64_t)depth);
    } else if (!need_dims(n, 1, 1, &one, &d)) {
        return;
    }
    int axis = (int)attr_axis(n, "axis", t->rank + 1);
    for (int i = 0; i <= t->rank; i++) dim[i] = i == axis ? d : t->dim[i - (i > axis)];
    set_shape(n, 0, t->rank + 1, dim);
}
