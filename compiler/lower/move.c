/* move.c - operators that move elements to indices known when compiling. */
#include "ir/build.h"
#include "ir/storage.h"
#include "lower/parts.h"
#include "lower/rows_move.h"
#include "ops/infer.h"

Expr *at_identity(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    return value_at(l, n->in[0], idx);
}

/* ---- shapes ---- */

/* Dims [i, j) of `from` hold as many elements as dims [p, q) of `to`: takes the index apart within them. */
static void regroup(Lower *l, const Type *to, int p, int q, Expr *const *idx, const Type *from, int i, int j,
                    Expr **in) {
    Expr *flat = ix(l, 0);
    for (; p < q; p++) flat = ix_add(l, ix_mul(l, flat, extent(l, to->dim[p])), idx[p]);
    while (j-- > i) {
        Expr *d = extent(l, from->dim[j]);
        in[j] = from->dim[j].max == 1 ? ix(l, 0) : j == i ? flat : ix_mod(l, flat, d);
        if (from->dim[j].max > 1) flat = ix_div(l, flat, d);
    }
}

static void times_dim(Module *m, Dim *product, Dim d) {
    if (!dim_mul(m, *product, d, product)) *product = (Dim){INT64_MAX, NULL}; /* equal to no other */
}

/* Cuts both shapes, from the right, into the shortest runs of dims with equal products, so that dims which merely stay
 * keep their index and no division. */
Expr *at_reshape(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *from = in_shape(n, 0), *to = &n->out[out]->type;
    Expr *in[MAX_RANK];
    for (int i = from->rank, q = to->rank; i > 0 || q > 0;) {
        Dim a = {1, NULL}, b = {1, NULL};
        int j = i, p = q;
        do
            if (p == 0 || (j > 0 && a.max <= b.max))
                times_dim(l->m, &a, from->dim[--j]);
            else
                times_dim(l->m, &b, to->dim[--p]);
        while (!same_dim(a, b) && (j > 0 || p > 0));
        regroup(l, to, p, q, idx, from, j, i, in);
        i = j, q = p;
    }
    return value_at(l, n->in[0], in);
}

Expr *at_transpose(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Attr *perm = attr(n, "perm");
    Expr *in[MAX_RANK];
    int rank = in_shape(n, 0)->rank;
    for (int i = 0; i < rank; i++) in[perm->n ? perm->ints[i] : rank - 1 - i] = idx[i];
    return value_at(l, n->in[0], in);
}

Expr *at_expand(Lower *l, Node *n, int out, Expr *const *idx) {
    return broadcast_at(l, n->in[0], n->out[out]->type.rank, idx);
}

Expr *at_tile(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *from = in_shape(n, 0), *to = &n->out[out]->type;
    Expr *in[MAX_RANK];
    for (int i = 0; i < from->rank; i++)
        in[i] = same_dim(from->dim[i], to->dim[i]) ? idx[i] : ix_mod(l, idx[i], extent(l, from->dim[i]));
    return value_at(l, n->in[0], in);
}

/* ---- Slice, Split, Concat ---- */

Expr *at_slice(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *y = &n->out[out]->type;
    int64_t step[MAX_RANK];
    Dim begin[MAX_RANK], dim[MAX_RANK];
    Expr *in[MAX_RANK];
    ASSERT(slice_of(n, begin, step, dim));
    for (int i = 0; i < y->rank; i++) in[i] = ix_add(l, ix_mul(l, idx[i], ix(l, step[i])), extent(l, begin[i]));
    return value_at(l, n->in[0], in);
}

/* Of a Split of many parts each is asked for. */
static Expr *part_offset(Lower *l, Node *n, int out) {
    if (l->split != n) {
        l->split = n, l->part_at = NEW_ARRAY(l->arena, Expr *, n->nout);
        Dim *at = NEW_ARRAY(l->arena, Dim, n->nout);
        ASSERT(split_offsets(n, at));
        for (int i = 0; i < n->nout; i++) l->part_at[i] = extent(l, at[i]);
    }
    return l->part_at[out];
}

Expr *at_split(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = in_shape(n, 0);
    int64_t axis = attr_axis(n, "axis", t->rank);
    Expr *in[MAX_RANK];
    for (int i = 0; i < t->rank; i++) in[i] = idx[i];
    in[axis] = ix_add(l, idx[axis], part_offset(l, n, out));
    return value_at(l, n->in[0], in);
}

/* One nest per input, so that each is a plain copy; none for an input that lies there already. */
void lower_concat(Lower *l, Node *n) {
    Value *y = n->out[0];
    int64_t axis = attr_axis(n, "axis", y->type.rank), before = 0;
    Expr *offset = ix(l, 0), *idx[MAX_RANK], *to[MAX_RANK];
    for (int i = 0; i < n->nin; i++) {
        const Type *t = in_shape(n, i);
        if (type_count(t) == 0) continue;
        if (!l->planned || (before && !is_steady(y, (int)axis)) ||
            !is_part_of(n->in[i], y, before * step_of(y, (int)axis))) {
            open_loops(l, t, NULL, idx);
            memcpy(to, idx, sizeof to);
            to[axis] = ix_add(l, idx[axis], offset);
            store(l, y, to, value_at(l, n->in[i], idx));
            close_loops(l, t);
        }
        offset = ix_add(l, offset, extent(l, t->dim[axis])), before += t->dim[axis].max;
    }
}

void lower_interleave(Lower *l, Node *n) {
    Expr *idx[MAX_RANK], *to[MAX_RANK];
    const Type *t = in_shape(n, 0);
    open_loops(l, t, NULL, idx);
    for (int i = 0; i < n->nin; i++) {
        memcpy(to, idx, sizeof to);
        to[1] = ix_add(l, ix_mul(l, idx[1], ix(l, n->nin)), ix(l, i));
        store(l, n->out[0], to, value_at(l, n->in[i], idx));
    }
    close_loops(l, t);
}

/* Inside another kernel: the input is chosen by the index. */
Expr *at_concat(Lower *l, Node *n, int out, Expr *const *idx) {
    int64_t axis = attr_axis(n, "axis", n->out[out]->type.rank);
    Expr *end = extent(l, n->out[out]->type.dim[axis]), *e = NULL, *in[MAX_RANK];
    for (int i = 0; i < n->out[out]->type.rank; i++) in[i] = idx[i];
    for (int i = n->nin - 1; i >= 0; i--) {
        if (type_count(in_shape(n, i)) == 0) continue;
        Expr *begin = ix_sub(l, end, extent(l, in_shape(n, i)->dim[axis]));
        in[axis] = ix_sub(l, idx[axis], begin);
        Expr *part = value_at(l, n->in[i], in);
        e = e ? select_of(l, ix_less(l, idx[axis], end), part, e) : part;
        end = begin;
    }
    return e ? e : num(l, n->out[out]->type.dtype, 0);
}

/* Within the elements that there are, whatever the shape says. */
Expr *at_unflatten(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = &n->out[out]->type;
    Expr *at = ix(l, 0);
    for (int i = 0; i < t->rank; i++) at = ix_add(l, ix_mul(l, at, extent(l, t->dim[i])), idx[i]);
    at = clamp_index(l, at, extent(l, in_shape(n, 0)->dim[0]));
    return value_at(l, n->in[0], &at);
}

/* ---- Pad ---- */

/* A mirror that does not repeat the edge; pads longer than the dim go back and forth. */
static Expr *reflected(Lower *l, Expr *q, Dim size, int64_t before, int64_t after) {
    int64_t d = dim_least(size); /* pads of an extent of the call are shorter than it */
    if (size.max < 2) return ix(l, 0);
    if (size.symbol) {
        Expr *last = ix_sub(l, extent(l, size), ix(l, 1));
        if (before > 0) q = select_of(l, ix_less(l, q, ix(l, 0)), ix_sub(l, ix(l, 0), q), q);
        Expr *back = ix_sub(l, ix_mul(l, last, ix(l, 2)), q);
        return after > 0 ? select_of(l, ix_less(l, last, q), back, q) : q;
    }
    int64_t period = 2 * (d - 1), lift = before > 0 ? ceil_div(before, period) * period : 0;
    bool often = before >= d || after >= d;
    if (often)
        q = ix_mod(l, ix_add(l, q, ix(l, lift)), ix(l, period));
    else if (before > 0)
        q = select_of(l, ix_less(l, q, ix(l, 0)), ix_sub(l, ix(l, 0), q), q);
    if (often || after > 0) q = select_of(l, ix_less(l, q, ix(l, d)), q, ix_sub(l, ix(l, period), q));
    return q;
}

static Expr *wrapped(Lower *l, Expr *q, Dim size, int64_t before) {
    int64_t least = dim_least(size);
    if (least < 1) return ix(l, 0);
    Expr *d = extent(l, size), *turns = ix(l, before > 0 ? ceil_div(before, least) : 0);
    return ix_mod(l, ix_add(l, q, ix_mul(l, turns, d)), d);
}

static Expr *padded_index(Lower *l, const char *mode, Expr *q, Dim d, int64_t before, int64_t after) {
    if (before <= 0 && after <= 0) return q;
    if (!strcmp(mode, "reflect")) return reflected(l, q, d, before, after);
    if (!strcmp(mode, "wrap")) return wrapped(l, q, d, before);
    return !strcmp(mode, "edge") ? clamp_index(l, q, extent(l, d)) : q;
}

Expr *at_pad(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = in_shape(n, 0);
    const char *mode = attr_s(n, "mode");
    bool constant = !strcmp(mode, "constant");
    Dim before[MAX_RANK], after[MAX_RANK];
    Expr *in[MAX_RANK], *inside = ix_less(l, ix(l, 0), ix(l, 1));
    ASSERT(pads_of(n, before, after));
    for (int i = 0; i < t->rank; i++) {
        in[i] = padded_index(l, mode, ix_sub(l, idx[i], extent(l, before[i])), t->dim[i], before[i].max, after[i].max);
        if (constant && (before[i].max > 0 || after[i].max > 0))
            inside = both(l, inside, in_range(l, in[i], ix(l, 0), extent(l, t->dim[i])));
    }
    if (!constant) return value_at(l, n->in[0], in);
    Expr *fill = input(n, 2) ? element_of(l, n->in[2]) : num(l, n->out[out]->type.dtype, 0);
    return select_of(l, inside, value_at(l, n->in[0], in), fill);
}

/* Input dY, one axis: the middle, and what lies in the pads added to the elements that it was taken from. */
void lower_pad_grad(Lower *l, Node *n) {
    const Type *g = in_shape(n, 0);
    Value *y = n->out[0];
    int axis = (int)attr_axis(n, "axis", g->rank);
    int64_t pad[2] = {attr_i(n, "before"), attr_i(n, "after")};
    Expr *idx[MAX_RANK], *from[MAX_RANK], *size = extent(l, y->type.dim[axis]), *before = ix(l, pad[0]);
    open_loops(l, &y->type, NULL, idx);
    memcpy(from, idx, sizeof from);
    from[axis] = ix_add(l, idx[axis], before);
    store(l, y, idx, value_at(l, n->in[0], from));
    close_loops(l, &y->type);
    for (int side = 0; side < 2; side++) {
        Type border = *g;
        border.dim[axis] = (Dim){pad[side], NULL};
        if (!pad[side]) continue;
        int opened = open_dims(l, &border, 1u << axis, idx);
        memcpy(from, idx, sizeof from);
        if (side) from[axis] = ix_add(l, ix_add(l, size, before), idx[axis]);
        idx[axis] =
            padded_index(l, attr_s(n, "mode"), ix_sub(l, from[axis], before), y->type.dim[axis], pad[0], pad[1]);
        add_to(l, y, idx, value_at(l, n->in[0], from));
        close_blocks(l, opened);
    }
}

/* Both the excess and the lack are split evenly, the odd one at the end (ONNX, CenterCropPad). */
Expr *at_center_crop_pad(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *from = in_shape(n, 0), *to = &n->out[out]->type;
    Expr *in[MAX_RANK], *inside = ix_less(l, ix(l, 0), ix(l, 1));
    for (int i = 0; i < from->rank; i++) {
        int64_t have = from->dim[i].max, want = to->dim[i].max;
        in[i] = ix_add(l, idx[i], ix(l, want < have ? (have - want) / 2 : -((want - have) / 2)));
        if (want > have) inside = both(l, inside, in_range(l, in[i], ix(l, 0), extent(l, from->dim[i])));
    }
    return select_of(l, inside, value_at(l, n->in[0], in), num(l, to->dtype, 0));
}

/* ---- order and blocks ---- */

Expr *at_reverse_sequence(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    const Type *t = in_shape(n, 0);
    int64_t batch = attr_axis(n, "batch_axis", t->rank), time = attr_axis(n, "time_axis", t->rank);
    Expr *in[MAX_RANK], *steps = extent(l, t->dim[time]);
    for (int i = 0; i < t->rank; i++) in[i] = idx[i];
    Expr *len = cast(l, value_at(l, n->in[1], &idx[batch]), DT_index);
    len = let(l, "len", clamp(l, len, ix(l, 0), steps));
    Expr *mirrored = ix_sub(l, ix_sub(l, len, ix(l, 1)), idx[time]);
    in[time] = let(l, "t", select_of(l, ix_less(l, idx[time], len), mirrored, idx[time]));
    return value_at(l, n->in[0], in);
}

/* The channel that holds element (y, x) of a block of channel c: DCR counts blocks first, CRD last. */
static Expr *block_channel(Lower *l, const Node *n, int64_t channels, Expr *c, Expr *y, Expr *x) {
    int64_t b = attr_i(n, "blocksize");
    Expr *within = ix_add(l, ix_mul(l, y, ix(l, b)), x);
    if (!strcmp(attr_s(n, "mode"), "CRD")) return ix_add(l, ix_mul(l, c, ix(l, b * b)), within);
    return ix_add(l, ix_mul(l, within, ix(l, channels)), c);
}

Expr *at_depth_to_space(Lower *l, Node *n, int out, Expr *const *idx) {
    Expr *b = ix(l, attr_i(n, "blocksize"));
    Expr *c = block_channel(l, n, n->out[out]->type.dim[1].max, idx[1], ix_mod(l, idx[2], b), ix_mod(l, idx[3], b));
    return value_at(l, n->in[0], (Expr *[]){idx[0], c, ix_div(l, idx[2], b), ix_div(l, idx[3], b)});
}

/* The inverse: the channel is taken apart into c, y, x. */
Expr *at_space_to_depth(Lower *l, Node *n, int out, Expr *const *idx) {
    (void)out;
    int64_t size = attr_i(n, "blocksize");
    Expr *b = ix(l, size), *bb = ix(l, size * size), *channels = ix(l, in_shape(n, 0)->dim[1].max);
    bool last = !strcmp(attr_s(n, "mode"), "CRD");
    Expr *c = last ? ix_div(l, idx[1], bb) : ix_mod(l, idx[1], channels);
    Expr *within = last ? ix_mod(l, idx[1], bb) : ix_div(l, idx[1], channels);
    Expr *y = ix_add(l, ix_mul(l, idx[2], b), ix_div(l, within, b));
    Expr *x = ix_add(l, ix_mul(l, idx[3], b), ix_mod(l, within, b));
    return value_at(l, n->in[0], (Expr *[]){idx[0], c, y, x});
}
