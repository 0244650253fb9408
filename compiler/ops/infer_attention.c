/* infer_attention.c - attention and rotary positions: heads, positions and widths that must agree. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_nn.h"

/* [batch, heads, positions, width], whichever of its two forms input i has. */
typedef struct {
    Dim batch, heads, positions, width;
} Heads;

static bool read_heads(Node *n, int i, const char *count, Heads *h) {
    const Type *t = in_type(n, i);
    if (t->rank == 4) {
        *h = (Heads){t->dim[0], t->dim[1], t->dim[2], t->dim[3]};
    } else {
        int64_t heads = attr_i(n, count);
        if (!need_rank(n, i, 3) || !need_fixed(n, t->dim[2], "the width")) return false;
        if (heads < 1 || t->dim[2].max % heads) {
            problem(n, EXIT_INPUT, "%s: expected a divisor of the width of %s, %s, saw %lld", count, arg_text(n, i),
                    in_text(n, i), (long long)heads);
            return false;
        }
        *h = (Heads){t->dim[0], fixed(heads), t->dim[1], fixed(t->dim[2].max / heads)};
    }
    return need_fixed(n, h->heads, "the number of heads") && need_fixed(n, h->width, "the width of a head");
}

/* The positions of keys or values with those of the past before them. */
static bool with_past(Node *n, int past, const Heads *now, Dim *total) {
    *total = now->positions;
    if (!input(n, past)) return true;
    const Type *t = in_type(n, past);
    bool ok = t->rank == 4 && same_dim(t->dim[0], now->batch) && same_dim(t->dim[1], now->heads) &&
              same_dim(t->dim[3], now->width);
    if (!ok) return do_not_fit(n, past - 3, past);
    return dim_add(n->graph->module, t->dim[2], *total, total) || need_fixed(n, t->dim[2], "the number of positions");
}

static bool masks_fit(Node *n, const Heads *q, Dim total) {
    if (input(n, 3)) {
        Type scores = {.dtype = DT_f32, .rank = 4, .dim = {q->batch, q->heads, q->positions, total}};
        const Type *mask = in_type(n, 3);
        if (!need_rank_from(n, 3, 1)) return false;
        Dim last = mask->dim[mask->rank - 1];
        if (last.max < total.max) { /* ONNX: padded to the right */
            if (!need_fixed(n, last, "the mask's positions") || !need_fixed(n, total, "the number of positions"))
                return false;
            scores.dim[3] = last;
        }
        if (!broadcasts_to(n, 3, &scores)) return false;
    }
    if (!input(n, 6)) return true;
    if (input(n, 4)) {
        problem(n, EXIT_INPUT, "expected nonpad_kv_seqlen or past_key, saw both");
        return false;
    }
    return (in_type(n, 6)->rank == 1 && same_dim(in_type(n, 6)->dim[0], q->batch)) || do_not_fit(n, 0, 6);
}

static bool heads_fit(Node *n, const Heads *q, const Heads *k, const Heads *v) {
    if (!same_dim(q->batch, k->batch) || !same_dim(q->width, k->width) || k->heads.max < 1 ||
        q->heads.max % k->heads.max)
        return do_not_fit(n, 0, 1);
    if (!same_dim(k->batch, v->batch) || !same_dim(k->heads, v->heads) || !same_dim(k->positions, v->positions))
        return do_not_fit(n, 1, 2);
    if (!input(n, 4) == !input(n, 5)) return true;
    problem(n, EXIT_INPUT, "expected both past_key and past_value, saw one");
    return false;
}

void infer_attention(Node *n) {
    Heads q, k, v;
    Dim total, values;
    if (in_type(n, 0)->rank != in_type(n, 1)->rank || in_type(n, 1)->rank != in_type(n, 2)->rank) {
        do_not_fit(n, 0, 1);
        return;
    }
    if (!read_heads(n, 0, "q_num_heads", &q) || !read_heads(n, 1, "kv_num_heads", &k) ||
        !read_heads(n, 2, "kv_num_heads", &v))
        return;
    if (!heads_fit(n, &q, &k, &v) || !with_past(n, 4, &k, &total) || !with_past(n, 5, &v, &values)) return;
    if (!same_dim(total, values)) {
        do_not_fit(n, 4, 5);
        return;
    }
    if (!masks_fit(n, &q, total)) return;
    if (in_type(n, 0)->rank == 3)
        set_shape(n, 0, 3, (Dim[]){q.batch, q.positions, fixed(times(q.heads.max, v.width.max))});
    else
        set_shape(n, 0, 4, (Dim[]){q.batch, q.heads, q.positions, v.width});
    set_shape(n, 1, 4, (Dim[]){k.batch, k.heads, total, k.width});
    set_shape(n, 2, 4, (Dim[]){v.batch, v.heads, total, v.width});
    set_shape(n, 3, 4, (Dim[]){q.batch, q.heads, q.positions, total});
}

void infer_rotary(Node *n) {
    const Type *cos = in_type(n, 1);
    Heads x;
    int64_t width = attr_i(n, "rotary_embedding_dim");
    if (!read_heads(n, 0, "num_heads", &x)) return;
    if (width == 0) width = x.width.max;
    bool ok = width > 0 && width <= x.width.max && width % 2 == 0 && same_shape(cos, in_type(n, 2));
    if (ok && input(n, 3)) {
        const Type *at = in_type(n, 3);
        ok = cos->rank == 2 && at->rank == 2 && same_dim(at->dim[0], x.batch) && same_dim(at->dim[1], x.positions);
    } else if (ok) {
        ok = cos->rank == 3 && same_dim(cos->dim[0], x.batch) && same_dim(cos->dim[1], x.positions);
    }
    if (ok && same_dim(cos->dim[cos->rank - 1], fixed(width / 2)))
        infer_same(n);
    else
        do_not_fit(n, 0, 1);
}
