/* features.c - operators of ai.onnx.ml that prepare features */
#include "ir/build.h"
#include "ir/diag.h"
#include "ml/ml.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

bool examples_of(Node *n, int i, Dim *count, int64_t *features) {
    const Type *t = in_type(n, i);
    if (t->rank != 1 && t->rank != 2) {
        problem(n, EXIT_INPUT, "%s: expected [C] or [N,C], saw %s", arg_text(n, i), in_text(n, i));
        return false;
    }
    *count = t->rank == 2 ? t->dim[0] : fixed(1);
    *features = t->dim[t->rank - 1].max;
    return need_fixed(n, t->dim[t->rank - 1], "features");
}

Value *examples_as(Node *n, int i, DType t) {
    const char *text = format(n->graph->module->arena, "cast(%s, \"%s\")",
                              in_type(n, i)->rank == 1 ? "Unsqueeze(m, [0])" : "m", dtypes[t].name);
    return build_text(n, text, 1, &n->in[i]);
}

/* The last axis of the input, one example or many, at the indices. */
void infer_feature_extractor(Node *n) {
    Type t = *in_type(n, 0), indices = *in_type(n, 1);
    Dim count = fixed(1);
    if (!need_rank_from(n, 0, 1)) return;
    for (int i = 0; i < indices.rank; i++)
        if (!dim_mul(n->graph->module, count, indices.dim[i], &count)) {
            problem(n, EXIT_UNSUPPORTED, "%s: expected a known number of indices, saw %s", arg_text(n, 1),
                    in_text(n, 1));
            return;
        }
    if (t.rank == 1) t.rank = 2, t.dim[0] = fixed(1);
    t.dim[t.rank - 1] = count;
    set_shape(n, 0, t.rank, t.dim);
}

/* Whether a list has an element for all features or for each; else a problem(). */
static bool fits_features(Node *n, const char *name) {
    const Type *t = in_type(n, 0);
    int count = attr(n, name)->n;
    Dim features = t->rank ? t->dim[t->rank - 1] : fixed(1);
    if (!count || count == 1) return true;
    if (!need_fixed(n, features, "features")) return false;
    if (count == features.max) return true;
    problem(n, EXIT_INPUT, "%s: expected 1 element or %lld, as features of %s, saw %d", name, (long long)features.max,
            in_text(n, 0), count);
    return false;
}

void infer_features(Node *n) {
    const Type *t = in_type(n, 0);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->op->attr[i].kind == A_FLOATS && !fits_features(n, n->op->attr[i].name)) return;
    set_result(n, 0, float_of(n), t->rank, t->dim);
}

void infer_imputer(Node *n) {
    bool floats = is_float(in_type(n, 0)->dtype);
    const char *name = floats ? "imputed_value_floats" : "imputed_value_int64s";
    if (!attr(n, name)->n)
        problem(n, EXIT_INPUT, "expected %s for %s, saw none", name, in_text(n, 0));
    else if (fits_features(n, name))
        infer_same(n);
}

void infer_one_hot_encoder(Node *n) {
    Type t = *in_type(n, 0);
    const char *name = t.dtype == DT_str ? "cats_strings" : "cats_int64s";
    if (!attr(n, name)->n)
        problem(n, EXIT_INPUT, "expected %s for %s, saw none", name, in_text(n, 0));
    else if (t.rank == MAX_RANK)
        problem(n, EXIT_UNSUPPORTED, "%s: expected at most %d dims, saw %s", arg_text(n, 0), MAX_RANK - 1,
                in_text(n, 0));
    else
        t.dim[t.rank] = fixed(attr(n, name)->n), set_result(n, 0, float_of(n), t.rank + 1, t.dim);
}

/* ---- FeatureVectorizer: inputs beside each other, each cut or filled up to its number of features ---- */

static int64_t features_taken(const Node *n, int i) {
    const Attr *taken = attr(n, "inputdimensions");
    const Type *t = &n->in[i]->type;
    return i < taken->n ? taken->ints[i] : t->dim[t->rank - 1].max;
}

void infer_feature_vectorizer(Node *n) {
    Dim count = fixed(1), dim[2];
    int64_t features, all = 0;
    for (int i = 0; i < n->nin; i++) {
        Dim these;
        if (!examples_of(n, i, &these, &features)) return;
        if (i && !same_dim(count, these)) {
            do_not_fit(n, 0, i);
            return;
        }
        count = these, features = features_taken(n, i);
        if (features < 0 || features > 1 << 24) {
            problem(n, EXIT_INPUT, "inputdimensions: expected from 0 to %d features, saw %lld", 1 << 24,
                    (long long)features);
            return;
        }
        all += features;
    }
    dim[0] = count, dim[1] = fixed(all);
    set_result(n, 0, float_of(n), 2, dim);
}

void expand_feature_vectorizer(Node *n) {
    Module *m = n->graph->module;
    Value *all = NULL;
    for (int i = 0; i < n->nin; i++) {
        const Type *t = &n->in[i]->type;
        int64_t has = t->dim[t->rank - 1].max, takes = features_taken(n, i);
        Value *with[] = {examples_as(n, i, float_of(n)), all};
        const char *text = format(m->arena, "y = Pad(m, [0, %lld], 0, [1]); %s", (long long)(takes - has),
                                  all ? "Concat(p, y, axis = 1)" : "y");
        all = build_text(n, text, all ? 2 : 1, with);
    }
    replaced_by(n, 1, &all);
}
