/* infer_norm.c - normalisation and losses. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_nn.h"

/* True if input i is a vector of one number for each channel of input 0. */
static bool is_per_channel(Node *n, int i) {
    const Type *x = in_type(n, 0), *t = in_type(n, i);
    if (t->rank == 1 && same_dim(t->dim[0], x->dim[1])) return true;
    problem(n, EXIT_INPUT, "%s: expected one number for each of the %lld channels, saw %s", arg_text(n, i),
            (long long)x->dim[1].max, in_text(n, i));
    return false;
}

void infer_channel_norm(Node *n) {
    if (!need_rank_from(n, 0, 2)) return;
    for (int i = 1; i < n->nin; i++)
        if (!is_per_channel(n, i)) return;
    infer_same(n);
    for (int i = 1; i < n->nout; i++) set_shape(n, i, 1, &in_type(n, 0)->dim[1]);
}

void infer_group_norm(Node *n) {
    int64_t groups = attr_i(n, "num_groups");
    if (!need_rank_from(n, 0, 2)) return;
    if (in_type(n, 0)->dim[1].max % groups == 0)
        infer_channel_norm(n);
    else
        problem(n, EXIT_INPUT, "num_groups: expected a divisor of the channels of %s, saw %lld", in_text(n, 0),
                (long long)groups);
}

/* LayerNormalization's further results have 1 in place of the normalised dims, in the type that stash_type names. */
void infer_layer_norm(Node *n) {
    const Type *t = in_type(n, 0);
    if (!need_rank_from(n, 0, 1)) return;
    int axis = (int)attr_axis(n, "axis", t->rank);
    DType stash = attr_dtype(n, "stash_type");
    for (int i = 1; i < n->nin; i++)
        if (n->in[i] && !broadcasts_to(n, i, t)) return;
    Dim dim[MAX_RANK];
    for (int i = 0; i < t->rank; i++) dim[i] = i < axis ? t->dim[i] : fixed(1);
    set_shape(n, 0, t->rank, t->dim);
    for (int i = 1; i < n->nout && stash != DT_none; i++) set_result(n, i, stash, t->rank, dim);
}

void infer_mvn(Node *n) {
    bool mask[MAX_RANK];
    if (known_axes(n, 1, in_type(n, 0)->rank, mask)) infer_same(n);
}

void infer_lrn(Node *n) {
    if (need_rank_from(n, 0, 2)) infer_same(n);
}

/* Classes are dim 1 of the first input; the second has every other dim. */
void infer_loss(Node *n) {
    const Type *x = in_type(n, 0), *target = in_type(n, 1);
    if (!need_rank_from(n, 0, 2)) return;
    bool ok = target->rank == x->rank - 1;
    for (int i = 0; i < target->rank && ok; i++) ok = same_dim(target->dim[i], x->dim[i + (i > 0)]);
    if (!ok) do_not_fit(n, 0, 1);
    if (!ok || (input(n, 2) && !is_per_channel(n, 2))) return;
    bool none = !strcmp(attr_s(n, "reduction"), "none");
    set_shape(n, 0, none ? target->rank : 0, target->dim);
    set_shape(n, 1, x->rank, x->dim);
}

/* Log-probabilities [batch, classes, steps], labels [batch, room], how many steps and labels count: [batch] each. */
void infer_ctc(Node *n) {
    const Type *p = in_type(n, 0), *labels = in_type(n, 1);
    if (!need_rank(n, 0, 3) || !need_rank(n, 1, 2) || !need_fixed(n, labels->dim[1], "the room for labels")) return;
    int64_t places = times(2, labels->dim[1].max) + 1, blank = attr_i(n, "blank");
    Dim paths[] = {p->dim[0], p->dim[2], fixed(places)};
    bool known = !p->dim[1].symbol;
    if (!same_dim(p->dim[0], labels->dim[0])) {
        do_not_fit(n, 0, 1);
        return;
    }
    if (!has_dims(n, 2, 1, p->dim) || !has_dims(n, 3, 1, p->dim)) return;
    for (int i = 4; i < 6 && i < n->nin; i++)
        if (!has_dims(n, i, 3, paths)) return;
    if (n->nin > 6 && !has_dims(n, 6, 1, p->dim)) return;
    if (labels->dim[1].max < 1)
        problem(n, EXIT_INPUT, "%s: expected room for a label, saw %s", arg_text(n, 1), in_text(n, 1));
    else if (!known || blank >= p->dim[1].max)
        problem(n, EXIT_INPUT, "attribute 'blank': expected one of the classes of %s, saw %lld", in_text(n, 0),
                (long long)blank);
    else if (IS(n, CTCPaths))
        set_shape(n, 0, 3, paths);
    else if (IS(n, CTCGrad))
        infer_same(n);
    else
        set_shape(n, 0, 1, p->dim);
}
