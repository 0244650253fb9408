/* layer_plain.c - layers on features: products, norms, what is dropped or added in training, other shapes. */
#include "ir/build.h"
#include "text/layer_build.h"

Value *build_dense(Layer *l) {
    need_input_rank(l, 2, MAX_RANK, "[batch, features]");
    int rank = l->x->type.rank;
    int64_t units = count_of(l, "units", 0), features = extent_at(l, rank - 1);
    bool bias = flag_of(l, "bias", true);
    if (rank > 2) return activated(l, projected(l, l->x, "", units, bias));
    Value *w = weight(l, "weight", 2, (int64_t[]){units, features}, "glorot_uniform");
    Value *b = bias ? bias_of(l, "bias", 1, &units) : NULL;
    Node *n = make(l, "Gemm", 2 + bias, (Value *[]){l->x, w, b}, 0);
    set_attr_i(n, "transB", 1);
    return activated(l, finish(l, n));
}

/* ---- norms ---- */

Value *build_batchnorm(Layer *l) {
    need_input_rank(l, 2, MAX_RANK, "[batch, channels, …]");
    int64_t c = extent_at(l, 1);
    Value *scale = filled(l, V_PARAM, "scale", 1, &c, 1), *bias = filled(l, V_PARAM, "bias", 1, &c, 0);
    Value *mean = filled(l, V_STATE, "mean", 1, &c, 0), *var = filled(l, V_STATE, "var", 1, &c, 1);
    Node *n = make(l, l->row->op, 5, (Value *[]){l->x, scale, bias, mean, var}, 0);
    set_attr_f(n, "epsilon", number_of(l, "epsilon", 1e-5));
    set_attr_f(n, "momentum", number_of(l, "momentum", 0.9));
    return activated(l, finish(l, n));
}

/* Over the dims from an axis on. */
Value *build_layernorm(Layer *l) {
    need_input_rank(l, 1, MAX_RANK, "[…, features]");
    int rank = l->x->type.rank;
    const Attr *a = find_attr(l, "axis");
    int64_t axis = a ? a->i : -1, dim[MAX_RANK];
    if (axis < -rank || axis >= rank) refuse_attr(l, "axis", format(l->m->arena, "is from %d to %d", -rank, rank - 1));
    int first = (int)(axis < 0 ? axis + rank : axis), n = rank - first;
    for (int i = 0; i < n; i++) dim[i] = extent_at(l, first + i);
    Value *scale = filled(l, V_PARAM, "scale", n, dim, 1), *bias = filled(l, V_PARAM, "bias", n, dim, 0);
    Node *norm = make(l, l->row->op, 3, (Value *[]){l->x, scale, bias}, 0);
    if (a) set_attr_i(norm, "axis", axis);
    set_attr_f(norm, "epsilon", number_of(l, "epsilon", 1e-5));
    return finish(l, norm);
}

Value *build_groupnorm(Layer *l) {
    need_input_rank(l, 3, MAX_RANK, "[batch, channels, …]");
    int64_t c = extent_at(l, 1), groups = count_of(l, "groups", 0);
    if (c % groups) refuse_attr(l, "groups", format(l->m->arena, "divides the %lld channels", (long long)c));
    Value *scale = filled(l, V_PARAM, "scale", 1, &c, 1), *bias = filled(l, V_PARAM, "bias", 1, &c, 0);
    Node *n = make(l, l->row->op, 3, (Value *[]){l->x, scale, bias}, 0);
    set_attr_i(n, "num_groups", groups);
    set_attr_f(n, "epsilon", number_of(l, "epsilon", 1e-5));
    return activated(l, finish(l, n));
}

/* ---- training only ---- */

Value *dropped(Layer *l, Value *v, const char *attr, double usual) {
    double ratio = number_of(l, attr, usual);
    if (!(ratio >= 0 && ratio < 1)) refuse_attr(l, attr, "is from 0 to less than 1");
    return ratio == 0 && v != l->x ? v : apply(l, "Dropout", 2, (Value *[]){v, constant(l, "ratio", DT_f32, ratio)});
}

Value *build_dropout(Layer *l) { return dropped(l, l->x, "ratio", 0.5); }

Value *build_noise(Layer *l) {
    double deviation = number_of(l, "deviation", 0);
    if (!(deviation >= 0 && deviation < 1e30)) refuse_attr(l, "deviation", "is a number from 0 on");
    Node *n = make(l, l->row->op, 1, &l->x, 0);
    set_attr_f(n, "deviation", deviation);
    return finish(l, n);
}

/* ---- shapes ---- */

Value *build_flatten(Layer *l) { return apply(l, l->row->op, 1, &l->x); }

/* The batch stays: a 0 of Reshape. */
Value *build_reshape(Layer *l) {
    const Attr *a = find_attr(l, "shape");
    int64_t shape[MAX_RANK] = {0};
    need_input_rank(l, 1, MAX_RANK, "[batch, …]");
    if (a->n < 1 || a->n >= MAX_RANK) refuse_attr(l, "shape", format(l->m->arena, "is 1 to %d numbers", MAX_RANK - 1));
    for (int i = 0; i < a->n; i++) {
        shape[i + 1] = a->ints[i];
        if (shape[i + 1] < -1 || shape[i + 1] == 0) refuse_attr(l, "shape", "is extents, of which one may be -1");
    }
    return apply(l, l->row->op, 2, (Value *[]){l->x, const_ints(l->m, (int)a->n + 1, shape)});
}
