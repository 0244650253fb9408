/* svm.c - support vector machines of ai.onnx.ml, as libsvm has them (Chang and Lin, 2011): kernels of examples and
 * support vectors, and sums of them for each pair of classes */
#include "ir/build.h"
#include "ir/diag.h"
#include "ml/ml.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

/* MOST_COUPLED: whose pairs, each with each, lie on the stack while their probabilities are made of them. */
enum { MOST_CLASSES = 1024, MOST_COUPLED = 512 };

typedef struct {
    int64_t vectors, features, classes;
    Dim count;
} Machine;

static double kernel_param(const Node *n, int i) {
    const Attr *p = attr(n, "kernel_params");
    return i < p->n ? p->floats[i] : 0;
}

static Value *floats_value(Node *n, const char *name, int rank, const int64_t *dim) {
    Tensor *t = tensor_new(n->graph->module->arena, float_of(n), rank, dim);
    for (int64_t i = 0; i < t->count; i++) set_f(t, i, attr(n, name)->floats[i]);
    return const_new(n->graph->module, NULL, t);
}

/* [N, vectors]; distances are summed as they are, which loses no digits. */
static Value *kernels_of(Node *n, const Machine *s, const char *vectors, int64_t count) {
    Module *m = n->graph->module;
    const char *kind = s->vectors ? attr_s(n, "kernel_type") : "LINEAR";
    double gamma = kernel_param(n, 0), add = kernel_param(n, 1), degree = kernel_param(n, 2);
    Value *with[] = {examples_as(n, 0, float_of(n)), floats_value(n, vectors, 2, (int64_t[]){count, s->features}),
                     const_scalar(m, float_of(n), gamma), const_scalar(m, float_of(n), add),
                     const_scalar(m, float_of(n), degree)};
    const char *text = !strcmp(kind, "RBF")
                           ? "d = Unsqueeze(m, [1]) - p; Exp(-(g * ReduceSum(d * d, [2], keepdims = 0)))"
                       : !strcmp(kind, "POLY")    ? "Pow(g * Gemm(m, p, transB = 1) + c, k)"
                       : !strcmp(kind, "SIGMOID") ? "Tanh(g * Gemm(m, p, transB = 1) + c)"
                                                  : "Gemm(m, p, transB = 1)";
    return build_value(n, text, 5, (const char *const[]){"m", "p", "g", "c", "k"}, with);
}

static bool has_count(Node *n, const char *name, int64_t expected) {
    int seen = attr(n, name)->n;
    if (seen == expected) return true;
    problem(n, EXIT_INPUT, "%s: expected %lld numbers, saw %d", name, (long long)expected, seen);
    return false;
}

/* ---- SVMRegressor ---- */

void infer_svm_regressor(Node *n) {
    Machine s = {.vectors = attr_i(n, "n_supports")};
    if (!examples_of(n, 0, &s.count, &s.features)) return;
    bool fits = s.vectors ? has_count(n, "support_vectors", times(s.vectors, s.features)) &&
                                has_count(n, "coefficients", s.vectors)
                          : has_count(n, "coefficients", s.features);
    if (fits && has_count(n, "rho", 1)) set_result(n, 0, float_of(n), 2, (Dim[]){s.count, fixed(1)});
}

void expand_svm_regressor(Node *n) {
    const Type *x = in_type(n, 0);
    Machine s = {.vectors = attr_i(n, "n_supports"), .features = x->dim[x->rank - 1].max};
    Module *m = n->graph->module;
    Value *y;
    if (s.vectors) {
        Value *with[] = {kernels_of(n, &s, "support_vectors", s.vectors),
                         floats_value(n, "coefficients", 2, (int64_t[]){s.vectors, 1})};
        y = build_text(n, "MatMul(m, p)", 2, with);
    } else {
        y = kernels_of(n, &s, "coefficients", 1);
    }
    const char *text = attr_i(n, "one_class") ? "Where(m + p > 0, cast(1, m), -1)" : "m + p";
    Value *rho = const_scalar(m, float_of(n), attr(n, "rho")->floats[0]);
    y = build_text(n, text, 2, (Value *[]){y, rho});
    if (!strcmp(attr_s(n, "post_transform"), "PROBIT"))
        y = build_text(n, "Transformed(m, post_transform = \"PROBIT\")", 1, &y);
    replaced_by(n, 1, &y);
}

/* ---- SVMClassifier ---- */

static int64_t pairs_of(int64_t classes) { return classes * (classes - 1) / 2; }

static bool machine_of(Node *n, Machine *s) {
    const Attr *per_class = attr(n, "vectors_per_class");
    bool probabilities = attr(n, "prob_a")->n > 0;
    int most = probabilities ? MOST_COUPLED : MOST_CLASSES;
    s->classes = count_labels(n, "classlabels_ints", "classlabels_strings");
    if (!examples_of(n, 0, &s->count, &s->features)) return false;
    for (int i = 0; i < per_class->n; i++) {
        if (per_class->ints[i] < 0 || per_class->ints[i] > 1 << 24) {
            problem(n, EXIT_INPUT, "vectors_per_class: expected from 0 to %d, saw %lld", 1 << 24,
                    (long long)per_class->ints[i]);
            return false;
        }
        s->vectors += per_class->ints[i];
    }
    if (s->classes < 2 || s->classes > most) {
        problem(n, EXIT_INPUT, "expected from 2 to %d labels%s, saw %lld", most,
                probabilities ? " with probabilities" : "", (long long)s->classes);
        return false;
    }
    if (!s->vectors) return has_count(n, "coefficients", s->classes * s->features) && has_count(n, "rho", 1);
    return has_count(n, "vectors_per_class", s->classes) &&
           has_count(n, "support_vectors", times(s->vectors, s->features)) &&
           has_count(n, "coefficients", s->vectors * (s->classes - 1)) && has_count(n, "rho", pairs_of(s->classes)) &&
           (!probabilities ||
            (has_count(n, "prob_a", pairs_of(s->classes)) && has_count(n, "prob_b", pairs_of(s->classes))));
}

static int64_t columns_of(const Node *n, const Machine *s) {
    bool pairs = s->vectors && !attr(n, "prob_a")->n && s->classes > 2;
    return pairs ? pairs_of(s->classes) : s->classes;
}

void infer_svm_classifier(Node *n) {
    Machine s = {0};
    if (!machine_of(n, &s)) return;
    set_labels(n, 0, "classlabels_strings", s.count);
    set_result(n, 1, float_of(n), 2, (Dim[]){s.count, fixed(columns_of(n, &s))});
}

/* Coefficients of each pair of classes i < j: those of i's vectors against j, and of j's against i; else 0. */
static Value *pair_coefficients(Node *n, const Machine *s) {
    const int64_t *count = attr(n, "vectors_per_class")->ints;
    const double *given = attr(n, "coefficients")->floats;
    int64_t pairs = pairs_of(s->classes), pair = 0, start_i = 0;
    Tensor *t = tensor_new(n->graph->module->arena, float_of(n), 2, (int64_t[]){s->vectors, pairs});
    for (int64_t i = 0; i < s->classes; start_i += count[i++]) {
        int64_t start_j = start_i + count[i];
        for (int64_t j = i + 1; j < s->classes; start_j += count[j++], pair++) {
            for (int64_t k = start_i; k < start_i + count[i]; k++)
                set_f(t, k * pairs + pair, given[(j - 1) * s->vectors + k]);
            for (int64_t k = start_j; k < start_j + count[j]; k++)
                set_f(t, k * pairs + pair, given[i * s->vectors + k]);
        }
    }
    return const_new(n->graph->module, NULL, t);
}

/* What a pair's vote adds to the classes if its first one wins: 1 there, less the 1 that its second one has else. */
static Value *votes_of(Node *n, const Machine *s) {
    int64_t pair = 0;
    Tensor *t = tensor_new(n->graph->module->arena, float_of(n), 2, (int64_t[]){pairs_of(s->classes), s->classes});
    for (int64_t i = 0; i < s->classes; i++)
        for (int64_t j = i + 1; j < s->classes; j++, pair++)
            set_f(t, pair * s->classes + i, 1), set_f(t, pair * s->classes + j, -1);
    return const_new(n->graph->module, NULL, t);
}

/* The votes that each class has if no first one wins. */
static Value *votes_without(Node *n, const Machine *s) {
    Tensor *t = tensor_new(n->graph->module->arena, float_of(n), 1, &s->classes);
    for (int64_t i = 0; i < s->classes; i++) set_f(t, i, (double)i);
    return const_new(n->graph->module, NULL, t);
}

/* How far each pair is decided, [N, pairs]. */
static Value *decisions_of(Node *n, const Machine *s) {
    Value *with[] = {kernels_of(n, s, "support_vectors", s->vectors), pair_coefficients(n, s),
                     floats_value(n, "rho", 1, (int64_t[]){pairs_of(s->classes)})};
    return build_text(n, "Gemm(m, p, q)", 3, with);
}

/* Scores of pairs; of two classes as ONNX Runtime 1.32 has them. */
static const char *scores_text(const Node *n, const Machine *s) {
    const char *how = attr_s(n, "post_transform");
    if (s->classes > 2) return format(n->graph->module->arena, "Transformed(m, post_transform = \"%s\")", how);
    if (!strcmp(how, "LOGISTIC")) return "Concat(Sigmoid(-m), Sigmoid(m), axis = 1)";
    return strcmp(how, "NONE") != 0 ? "Concat(1 - m, m, axis = 1)" : "Concat(-m, m, axis = 1)";
}

/* A probability for each pair (Platt, 2000), and of these one for each class (Wu, Lin and Weng, 2004). */
static const char *probabilities_text(const Node *n, const Machine *s) {
    return format(n->graph->module->arena,
                  "Transformed(CoupledProbabilities(Min(Max(Sigmoid(-(m * a + b)), 1e-7), 0.9999999), classes = %lld), "
                  "post_transform = \"%s\")",
                  (long long)s->classes, attr_s(n, "post_transform"));
}

/* The class is that with most votes, the first of such, whatever its probability. */
static void expand_votes(Node *n, const Machine *s, Value **y) {
    int64_t pairs = pairs_of(s->classes);
    bool sure = attr(n, "prob_a")->n > 0;
    Value *with[] = {decisions_of(n, s), votes_of(n, s), votes_without(n, s),
                     sure ? floats_value(n, "prob_a", 1, &pairs) : NULL,
                     sure ? floats_value(n, "prob_b", 1, &pairs) : NULL};
    const char *text = format(n->graph->module->arena, "ArgMax(Gemm(cast(m > 0, m), p, q), axis = 1, keepdims = 0), %s",
                              (sure ? probabilities_text : scores_text)(n, s));
    build_decomposition(n, text, 5, (const char *const[]){"m", "p", "q", "a", "b"}, with, 2, y);
}

/* Without support vectors a linear function of each class. */
static void expand_linear(Node *n, const Machine *s, Value **y) {
    Value *with[] = {kernels_of(n, s, "coefficients", s->classes),
                     const_scalar(n->graph->module, float_of(n), attr(n, "rho")->floats[0])};
    const char *text = format(n->graph->module->arena,
                              "z = m + p; ArgMax(z, axis = 1, keepdims = 0), Transformed(z, post_transform = \"%s\")",
                              attr_s(n, "post_transform"));
    build_decomposition(n, text, 2, (const char *const[]){"m", "p"}, with, 2, y);
}

void expand_svm_classifier(Node *n) {
    Machine s = {0};
    Value *y[2];
    machine_of(n, &s);
    (s.vectors ? expand_votes : expand_linear)(n, &s, y);
    y[0] = labels_at(n, "classlabels_ints", "classlabels_strings", y[0]);
    replaced_by(n, 2, y);
}

void infer_coupled_probabilities(Node *n) {
    const Type *t = in_type(n, 0);
    int64_t classes = attr_i(n, "classes");
    if (!need_rank(n, 0, 2)) return;
    if (!t->dim[1].symbol && t->dim[1].max == pairs_of(classes))
        set_shape(n, 0, 2, (Dim[]){t->dim[0], fixed(classes)});
    else
        problem(n, EXIT_INPUT, "expected [N,%lld] for %lld classes, saw %s", (long long)pairs_of(classes),
                (long long)classes, in_text(n, 0));
}
