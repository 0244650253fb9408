/* trees.c - tree ensembles of ai.onnx.ml as tables: see forest.h, DecisionTrees and lower/trees.c */
#include "ir/build.h"
#include "ir/diag.h"
#include "ml/forest.h"
#include "ml/ml.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include <math.h>

enum { LANES = 16, MOST_LEVELS = 1 << 16 };

/* ---- order, then tables ---- */

static bool is_tested(const Node *n, const Forest *f, int64_t features) {
    for (int64_t i = 0; i < f->branches; i++)
        if (f->branch[i].feature < 0 || f->branch[i].feature >= features) {
            problem((Node *)n, EXIT_INPUT, "nodes_featureids: expected one of %lld features, saw %lld",
                    (long long)features, (long long)f->branch[i].feature);
            return false;
        }
    return true;
}

/* How many branches lie at most on the way from each branch to a leaf, itself included; NULL: some way has no end. */
static int64_t *heights(Arena *a, const Forest *f) {
    int64_t *parents = NEW_ARRAY(a, int64_t, f->branches + 1), *order = NEW_ARRAY(a, int64_t, f->branches + 1);
    int64_t *height = NEW_ARRAY(a, int64_t, f->branches + 1), n = 0;
    for (int64_t i = 0; i < f->branches; i++) {
        if (f->branch[i].yes >= 0) parents[f->branch[i].yes]++;
        if (f->branch[i].no >= 0) parents[f->branch[i].no]++;
    }
    for (int64_t i = 0; i < f->branches; i++)
        if (!parents[i]) order[n++] = i;
    for (int64_t k = 0; k < n; k++) {
        const int64_t to[] = {f->branch[order[k]].yes, f->branch[order[k]].no};
        for (int j = 0; j < 2; j++)
            if (to[j] >= 0 && !--parents[to[j]]) order[n++] = to[j];
    }
    if (n < f->branches) return NULL;
    while (n--) {
        const Branch *b = &f->branch[order[n]];
        int64_t yes = b->yes < 0 ? 0 : height[b->yes], no = b->no < 0 ? 0 : height[b->no];
        height[order[n]] = 1 + (yes > no ? yes : no);
    }
    return height;
}

static bool has_end(Node *n, const Forest *f) {
    const int64_t *height = heights(n->graph->module->arena, f);
    for (int64_t t = 0; height && t < f->trees; t++)
        if (f->root[t] >= 0 && height[f->root[t]] > MOST_LEVELS) height = NULL;
    if (!height) problem(n, EXIT_INPUT, "expected ways of at most %d nodes to a leaf, saw a longer one", MOST_LEVELS);
    return height != NULL;
}

static int64_t node_id(const Forest *f, int64_t to) { return to < 0 ? f->branches + -1 - to : to; }

typedef struct {
    Tensor *feature, *threshold, *next, *root, *depth, *equal, *missing;
} Tables;

Tensor *table_new(Arena *a, DType t, int64_t n) { return tensor_new(a, t, 1, &n); }

static void fill_branch(const Forest *f, int64_t i, DType t, Tables *s) {
    Test test = test_of(&f->branch[i], t);
    set_i(s->feature, i, test.feature);
    set_f(s->threshold, i, test.threshold);
    set_i(s->next, 2 * i + 1, node_id(f, test.pass));
    set_i(s->next, 2 * i, node_id(f, test.fail));
    set_i(s->equal, i, test.equal);
    set_i(s->missing, i, test.missing);
}

/* Trees that fill the last group are a leaf without weights, behind all others. */
static Tables tables_of(Arena *a, const Forest *f, DType t) {
    int64_t nodes = f->branches + f->leaves + 1, lanes = f->trees < LANES / 2 ? f->trees : LANES;
    int64_t groups = (f->trees + lanes - 1) / lanes;
    const int64_t *height = heights(a, f);
    Tables s = {.feature = table_new(a, DT_i32, nodes),
                .threshold = table_new(a, t, nodes),
                .next = table_new(a, DT_i32, 2 * nodes),
                .root = table_new(a, DT_i32, groups * lanes),
                .depth = table_new(a, DT_i32, groups),
                .equal = table_new(a, DT_bool, nodes),
                .missing = table_new(a, DT_bool, nodes)};
    for (int64_t i = f->branches; i < nodes; i++) set_i(s.next, 2 * i, i), set_i(s.next, 2 * i + 1, i);
    for (int64_t i = 0; i < f->branches; i++) fill_branch(f, i, t, &s);
    for (int64_t i = 0; i < groups * lanes; i++) {
        set_i(s.root, i, i < f->trees ? node_id(f, f->root[i]) : nodes - 1);
        int64_t high = i < f->trees && f->root[i] >= 0 ? height[f->root[i]] : 0;
        if (high > get_i(s.depth, i / lanes)) set_i(s.depth, i / lanes, high);
    }
    return s;
}

static bool is_needed(const Tensor *flags) {
    for (int64_t i = 0; i < flags->count; i++)
        if (get_i(flags, i)) return true;
    return false;
}

static DType compared_in(const Node *n) { return in_type(n, 0)->dtype == DT_f64 ? DT_f64 : float_of(n); }

/* The number of the leaf that each example reaches in each tree, [N, trees]; with weights their sum, [N, targets]. */
static Value *walked(Node *n, const Forest *f, Value *weights) {
    Module *m = n->graph->module;
    DType t = compared_in(n);
    Tables s = tables_of(m->arena, f, t);
    bool missing = is_needed(s.missing), equal = is_needed(s.equal);
    Value *in[] = {examples_as(n, 0, t),
                   const_new(m, NULL, s.feature),
                   const_new(m, NULL, s.threshold),
                   const_new(m, NULL, s.next),
                   const_new(m, NULL, s.root),
                   const_new(m, NULL, s.depth),
                   equal ? const_new(m, NULL, s.equal) : NULL,
                   missing ? const_new(m, NULL, s.missing) : NULL,
                   weights};
    Node *trees = insert_node(n, &ops[OP_DecisionTrees], weights ? 9 : missing ? 8 : equal ? 7 : 6, in);
    set_attr_i(trees, "inner", f->branches);
    infer_node(trees);
    return trees->out[0];
}

/* What the leaves give, [leaves, targets]; `none` where a leaf has no weight for a target. */
static Value *weights_of(Node *n, const Forest *f, DType t, double none) {
    Module *m = n->graph->module;
    Tensor *w = tensor_new(m->arena, t, 2, (int64_t[]){f->leaves + 1, f->targets});
    for (int64_t i = 0; i < w->count; i++)
        set_f(w, i, i < f->leaves * f->targets && f->has_weight[i] ? f->weight[i] : none);
    return const_new(m, NULL, w);
}

/* A reduction over the weights of the leaves that each example reaches. */
static Value *reached(Node *n, const Forest *f, Value *weights, const char *reduce) {
    const char *text = format(n->graph->module->arena, "%s(Gather(p, m), [1], keepdims = 0)", reduce);
    return build_text(n, text, 2, (Value *[]){walked(n, f, NULL), weights});
}

/* Scores of all targets, [N, targets], without what is added to all. */
static Value *scores_of(Node *n, const Forest *f, const char *aggregate) {
    bool least = !strcmp(aggregate, "MIN"), most = !strcmp(aggregate, "MAX"), average = !strcmp(aggregate, "AVERAGE");
    double none = least ? (double)INFINITY : most ? -(double)INFINITY : 0;
    Value *weights = weights_of(n, f, compared_in(n), none), *masked = NULL;
    Arena *a = n->graph->module->arena;
    if (!least && !most) {
        if (f->targets <= MOST_SUMS) masked = masked_scores(n, f, weights, compared_in(n));
        Value *sum = masked                    ? masked
                     : f->targets <= MOST_SUMS ? walked(n, f, weights)
                                               : reached(n, f, weights, "ReduceSum");
        const char *mean = format(a, "m / %lld", (long long)f->trees);
        return average ? build_text(n, mean, 1, &sum) : sum;
    }
    Value *s = reached(n, f, weights, least ? "ReduceMin" : "ReduceMax");
    return build_text(n, "Where(IsInf(m), 0, m)", 1, &s);
}

/* base_values, if there is one for each target. */
static Value *base_of(Node *n, int64_t targets, DType t) {
    Numbers base = numbers_in(n, "base_values", "base_values_as_tensor");
    if (base.n != targets) return NULL;
    Tensor *b = table_new(n->graph->module->arena, t, targets);
    for (int64_t i = 0; i < targets; i++) set_f(b, i, number_at(&base, i));
    return const_new(n->graph->module, NULL, b);
}

/* ---- DecisionTrees: the tables of a text are checked like any other ---- */

const Tensor *known_table(Node *n, int i, int64_t count) {
    const Value *v = n->in[i];
    if (v->data && v->type.rank == 1 && (count < 0 || v->data->count == count)) return v->data;
    problem(n, EXIT_INPUT, "%s: expected a constant vector%s, saw %s", arg_text(n, i),
            count < 0 ? "" : format(n->graph->module->arena, " of %lld elements", (long long)count), in_text(n, i));
    return NULL;
}

bool entries_below(Node *n, int i, int64_t count, int64_t limit) {
    const Tensor *t = known_table(n, i, count);
    for (int64_t k = 0; t && k < t->count; k++)
        if (get_i(t, k) < 0 || get_i(t, k) >= limit) {
            problem(n, EXIT_INPUT, "%s: expected from 0 to %lld, saw %lld", arg_text(n, i), (long long)limit - 1,
                    (long long)get_i(t, k));
            return false;
        }
    return t != NULL;
}

static bool are_weights(Node *n, int64_t leaves) {
    const Type *w = in_type(n, 8);
    bool fit =
        n->in[8]->data && w->rank == 2 && w->dim[0].max == leaves && w->dim[1].max > 0 && w->dim[1].max <= MOST_SUMS;
    if (!fit)
        problem(n, EXIT_INPUT, "%s: expected a constant [%lld,targets] of at most %d targets, saw %s", arg_text(n, 8),
                (long long)leaves, MOST_SUMS, in_text(n, 8));
    return fit;
}

/* Branches by a table of the two that follow each; a leaf must lead to itself, so that trees can wait for a longer one
 * of their group. */
static bool follow(Node *n, const Tensor *next, Forest *f) {
    f->branch = NEW_ARRAY(n->graph->module->arena, Branch, f->branches + 1);
    for (int64_t i = 0; i < next->count / 2; i++) {
        int64_t no = get_i(next, 2 * i), yes = get_i(next, 2 * i + 1);
        if (i < f->branches) {
            f->branch[i].no = no < f->branches ? no : -1, f->branch[i].yes = yes < f->branches ? yes : -1;
        } else if (no != i || yes != i) {
            problem(n, EXIT_INPUT, "%s: expected %lld twice behind the leaf %lld, saw %lld and %lld", arg_text(n, 3),
                    (long long)i, (long long)i, (long long)no, (long long)yes);
            return false;
        }
    }
    return true;
}

/* Whether every tree has come to a leaf after as many tests as its group makes. */
static bool depth_suffices(Node *n) {
    const Tensor *root = n->in[4]->data, *depth = n->in[5]->data;
    Forest f = {.branches = attr_i(n, "inner")};
    if (!follow(n, n->in[3]->data, &f)) return false;
    const int64_t *height = heights(n->graph->module->arena, &f);
    for (int64_t t = 0; t < root->count; t++) {
        int64_t at = get_i(root, t), tests = get_i(depth, t / (root->count / depth->count));
        if (at >= f.branches || (height && height[at] <= tests)) continue;
        problem(n, EXIT_INPUT, "%s: expected ways of tree %lld to end in a leaf after %lld tests, saw longer ones",
                arg_text(n, 5), (long long)t, (long long)tests);
        return false;
    }
    return true;
}

void infer_decision_trees(Node *n) {
    const Type *x = in_type(n, 0);
    if (!need_rank(n, 0, 2) || !need_fixed(n, x->dim[1], "features") || !known_table(n, 1, -1)) return;
    int64_t nodes = n->in[1]->data->count, inner = attr_i(n, "inner");
    if (inner > nodes)
        problem(n, EXIT_INPUT, "inner: expected at most %lld, saw %lld", (long long)nodes, (long long)inner);
    if (inner > nodes || !entries_below(n, 1, nodes, x->dim[1].max) || !known_table(n, 2, nodes) ||
        !entries_below(n, 3, 2 * nodes, nodes) || !entries_below(n, 4, -1, nodes) ||
        !entries_below(n, 5, -1, MOST_LEVELS + 1))
        return;
    for (int i = 6; i < 8; i++)
        if (input(n, i) && !known_table(n, i, nodes)) return;
    int64_t trees = n->in[4]->data->count, groups = n->in[5]->data->count;
    if (!groups || trees % groups || trees / groups > LANES)
        problem(n, EXIT_INPUT, "expected groups of at most %d trees, saw %lld groups of %lld trees", LANES,
                (long long)groups, (long long)trees);
    else if (!depth_suffices(n))
        return;
    else if (!input(n, 8))
        set_result(n, 0, DT_i32, 2, (Dim[]){x->dim[0], fixed(trees)});
    else if (are_weights(n, nodes - inner))
        set_result(n, 0, in_type(n, 8)->dtype, 2, (Dim[]){x->dim[0], in_type(n, 8)->dim[1]});
}

/* ---- rows ---- */

static bool forest_fits(Node *n, const Forest *f, int64_t features) {
    return is_tested(n, f, features) && has_end(n, f);
}

void infer_tree_regressor(Node *n) {
    Forest f = {0};
    Dim count;
    int64_t features;
    if (!examples_of(n, 0, &count, &features) || !read_listed(n, "target", targets_of(n), &f)) return;
    if (forest_fits(n, &f, features)) set_result(n, 0, float_of(n), 2, (Dim[]){count, fixed(f.targets)});
}

/* Scores become the node's result; one target is transformed by PROBIT alone, as in LinearRegressor. */
static void give_scores(Node *n, const Forest *f, Value *z, const char *how) {
    const char *taken = f->targets == 1 && strcmp(how, "PROBIT") != 0 ? "NONE" : how;
    const char *text = format(n->graph->module->arena, "cast(Transformed(m, post_transform = \"%s\"), \"%s\")", taken,
                              dtypes[n->out[0]->type.dtype].name);
    Value *y = build_text(n, text, 1, &z);
    replaced_by(n, 1, &y);
}

static Value *plus_base(Node *n, Value *z, Value *base) {
    return base ? build_text(n, "m + p", 2, (Value *[]){z, base}) : z;
}

void expand_tree_regressor(Node *n) {
    Forest f = {0};
    read_listed(n, "target", targets_of(n), &f);
    Value *z = scores_of(n, &f, attr_s(n, "aggregate_function"));
    z = plus_base(n, z, base_of(n, f.targets, compared_in(n)));
    give_scores(n, &f, z, attr_s(n, "post_transform"));
}

void infer_tree_ensemble(Node *n) {
    Forest f = {0};
    Dim count;
    int64_t features;
    if (!examples_of(n, 0, &count, &features) || !read_split(n, &f)) return;
    if (forest_fits(n, &f, features)) set_shape(n, 0, 2, (Dim[]){count, fixed(f.targets)});
}

void expand_tree_ensemble(Node *n) {
    static const char *const aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    static const char *const transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    Forest f = {0};
    read_split(n, &f);
    Value *z = scores_of(n, &f, aggregates[attr_i(n, "aggregate_function")]);
    give_scores(n, &f, z, transforms[attr_i(n, "post_transform")]);
}

void infer_tree_classifier(Node *n) {
    Forest f = {0};
    Dim count;
    int64_t features, labels = count_labels(n, "classlabels_int64s", "classlabels_strings");
    if (!examples_of(n, 0, &count, &features) || !read_listed(n, "class", labels, &f)) return;
    if (!forest_fits(n, &f, features)) return;
    set_labels(n, 0, "classlabels_strings", count);
    set_result(n, 1, float_of(n), 2, (Dim[]){count, fixed(labels)});
}

/* The only class that leaves have weights for; -1: there are more. */
static int64_t only_class(const Forest *f) {
    int64_t only = -1;
    for (int64_t i = 0; i < f->leaves * f->targets; i++) {
        if (!f->has_weight[i]) continue;
        if (only >= 0 && only != i % f->targets) return -1;
        only = i % f->targets;
    }
    return only;
}

static bool is_never_negative(const Forest *f) {
    for (int64_t i = 0; i < f->leaves * f->targets; i++)
        if (f->weight[i] < 0) return false;
    return true;
}

static void keep_class(Arena *a, Forest *f, int64_t c) {
    bool *has = NEW_ARRAY(a, bool, f->leaves);
    for (int64_t i = 0; i < f->leaves; i++)
        f->weight[i] = f->weight[i * f->targets + c], has[i] = f->has_weight[i * f->targets + c];
    f->has_weight = has, f->targets = 1;
}

/* One score tells two classes apart: the second is meant above 0, or, where no weight is negative and the score is a
 * probability, above one half. As ONNX Runtime 1.32 has it, which the standard leaves open. */
static int expand_two_classes(Node *n, Forest *f, int64_t class, Value **y) {
    bool positive = is_never_negative(f);
    keep_class(n->graph->module->arena, f, class);
    Value *s = scores_of(n, f, "SUM");
    if (class == 0) s = plus_base(n, s, base_of(n, 1, compared_in(n)));
    const char *how = attr_s(n, "post_transform"), *threshold = positive ? "0.5" : "0";
    const char *scores = class == 1                 ? format(n->graph->module->arena,
                                                             "Transformed(Concat(0 * m, m, axis = 1), post_transform = \"%s\")", how)
                         : !strcmp(how, "LOGISTIC") ? "Concat(Sigmoid(-m), Sigmoid(m), axis = 1)"
                         : positive                 ? "Concat(1 - m, m, axis = 1)"
                                                    : "Concat(-m, m, axis = 1)";
    const char *text = format(n->graph->module->arena, "cast(Squeeze(m, [1]) > %s, \"i64\"), %s", threshold, scores);
    return build_decomposition(n, text, 1, (const char *const[]){"m"}, &s, 2, y);
}

static int expand_classes(Node *n, Forest *f, Value **y) {
    Value *z = plus_base(n, scores_of(n, f, "SUM"), base_of(n, f->targets, compared_in(n)));
    const char *text =
        format(n->graph->module->arena, "ArgMax(m, axis = 1, keepdims = 0), Transformed(m, post_transform = \"%s\")",
               attr_s(n, "post_transform"));
    return build_decomposition(n, text, 1, (const char *const[]){"m"}, &z, 2, y);
}

void expand_tree_classifier(Node *n) {
    Forest f = {0};
    Value *y[2];
    read_listed(n, "class", count_labels(n, "classlabels_int64s", "classlabels_strings"), &f);
    int64_t class = f.targets == 2 && numbers_in(n, "base_values", "base_values_as_tensor").n < 2 ? only_class(&f) : -1;
    if (class >= 0)
        expand_two_classes(n, &f, class, y);
    else
        expand_classes(n, &f, y);
    y[0] = labels_at(n, "classlabels_int64s", "classlabels_strings", y[0]);
    y[1] = build_text(n, format(n->graph->module->arena, "cast(m, \"%s\")", dtypes[float_of(n)].name), 1, &y[1]);
    replaced_by(n, 2, y);
}
