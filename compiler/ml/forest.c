/* forest.c - tree ensembles of ai.onnx.ml as both generations have them: nodes by tree and number, or branches and
 * leaves apart */
#include "ml/forest.h"
#include "ir/build.h"
#include "ir/diag.h"
#include <math.h>

int64_t targets_of(const Node *n) { return attr_i(n, "n_targets") ? attr_i(n, "n_targets") : 1; }

/* ---- tests in one form: x <= v or x == v, the others with their ways exchanged ---- */

static bool is_exchanged(Mode m) { return m == GTE || m == GT || m == NEQ; }

static double below(DType t, double v) {
    double b = t == DT_f64 ? nextafter(v, -INFINITY) : (double)nextafterf((float)v, -INFINITY);
    return v == -(double)INFINITY ? NAN : b;
}

/* Whether what is no number has to pass the test as it is written down. */
static bool passes_nan(const Branch *b) {
    bool yes = b->missing || b->mode == NEQ;
    return is_exchanged(b->mode) ? !yes : yes;
}

Test test_of(const Branch *b, DType t) {
    bool strictly = b->mode == LT || b->mode == GTE, exchanged = is_exchanged(b->mode);
    return (Test){.feature = b->feature,
                  .threshold = strictly ? below(t, b->value) : b->value,
                  .equal = b->mode == EQ || b->mode == NEQ,
                  .missing = passes_nan(b),
                  .pass = exchanged ? b->no : b->yes,
                  .fail = exchanged ? b->yes : b->no};
}

/* ---- the first generation: nodes by tree and number ---- */

typedef struct {
    int64_t tree, node;
    int index;
} NodeKey;

static int by_key(const void *a, const void *b) {
    const NodeKey *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static int find_key(const NodeKey *keys, int n, int64_t tree, int64_t node) {
    NodeKey wanted = {tree, node, 0}, *found = bsearch(&wanted, keys, (size_t)n, sizeof *keys, by_key);
    return found ? found->index : -1;
}

static Mode mode_named(const char *name) {
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
    int i = 0;
    while (i < COUNT(names) && strcmp(names[i], name) != 0) i++;
    return i == MEMBER ? COUNT(names) : (Mode)i;
}

Numbers numbers_in(const Node *n, const char *list, const char *tensor) {
    Numbers x = {.list = attr(n, list), .tensor = tensor ? attr(n, tensor)->tensor : NULL};
    x.n = x.tensor ? x.tensor->count : x.list->n;
    return x;
}

double number_at(const Numbers *x, int64_t i) { return x->tensor ? get_f(x->tensor, i) : x->list->floats[i]; }

/* A problem() unless a list has so many elements. */
static bool has_length(Node *n, const char *name, int64_t seen, int64_t expected) {
    if (seen == expected) return true;
    problem(n, EXIT_INPUT, "%s: expected %lld elements, as the others, saw %lld", name, (long long)expected,
            (long long)seen);
    return false;
}

static bool lists_fit(Node *n, int64_t count, int names, const char *const *name) {
    for (int i = 0; i < names; i++)
        if (!has_length(n, name[i], attr(n, name[i])->n, count)) return false;
    return true;
}

typedef struct {
    Node *n;
    int count;
    NodeKey *keys;
    int64_t *number; /* of a branch, or -1 - that of a leaf */
    bool *is_child;
} Listed;

static bool read_child(Listed *s, const char *list, int i, int64_t *to) {
    int64_t tree = attr(s->n, "nodes_treeids")->ints[i], node = attr(s->n, list)->ints[i];
    int child = find_key(s->keys, s->count, tree, node);
    if (child < 0) {
        problem(s->n, EXIT_INPUT, "%s: expected a node of tree %lld, saw %lld", list, (long long)tree, (long long)node);
        return false;
    }
    s->is_child[child] = true;
    *to = s->number[child];
    return true;
}

static bool number_nodes(Listed *s, Forest *f) {
    const char *const *modes = attr(s->n, "nodes_modes")->strs;
    for (int i = 0; i < s->count; i++) {
        Mode mode = mode_named(modes[i]);
        if (mode > LEAF) {
            problem(s->n, EXIT_INPUT, "nodes_modes: expected BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ or LEAF, saw '%s'",
                    escaped(s->n->graph->module->arena, modes[i], 40));
            return false;
        }
        s->number[i] = mode == LEAF ? -1 - f->leaves++ : f->branches++;
    }
    return true;
}

static bool read_branches(Listed *s, Forest *f) {
    Node *n = s->n;
    Numbers values = numbers_in(n, "nodes_values", "nodes_values_as_tensor");
    const Attr *missing = attr(n, "nodes_missing_value_tracks_true");
    if (!has_length(n, "nodes_values", values.n, s->count)) return false;
    if (missing->n && !has_length(n, "nodes_missing_value_tracks_true", missing->n, s->count)) return false;
    f->branch = NEW_ARRAY(n->graph->module->arena, Branch, f->branches);
    for (int i = 0; i < s->count; i++) {
        if (s->number[i] < 0) continue;
        Branch *b = &f->branch[s->number[i]];
        b->feature = attr(n, "nodes_featureids")->ints[i], b->value = number_at(&values, i);
        b->mode = mode_named(attr(n, "nodes_modes")->strs[i]), b->missing = missing->n && missing->ints[i];
        if (!read_child(s, "nodes_truenodeids", i, &b->yes) || !read_child(s, "nodes_falsenodeids", i, &b->no))
            return false;
    }
    return true;
}

/* The nodes that are nobody's child, one of each tree. */
static bool read_roots(Listed *s, Forest *f) {
    f->root = NEW_ARRAY(s->n->graph->module->arena, int64_t, s->count);
    for (int i = 0; i < s->count; i++) {
        int roots = 0, end = i;
        for (; end < s->count && s->keys[end].tree == s->keys[i].tree; end++)
            if (!s->is_child[s->keys[end].index]) roots++, f->root[f->trees] = s->number[s->keys[end].index];
        if (roots != 1) {
            problem(s->n, EXIT_INPUT, "expected one root in tree %lld, a node that is nobody's child, saw %d",
                    (long long)s->keys[i].tree, roots);
            return false;
        }
        f->trees++, i = end - 1;
    }
    return true;
}

/* The weights of leaves: lists of trees, nodes, targets (or classes) and numbers. */
static bool read_weights(Listed *s, Forest *f, const char *kind) {
    Node *n = s->n;
    Arena *a = n->graph->module->arena;
    const char *names[] = {format(a, "%s_treeids", kind), format(a, "%s_nodeids", kind), format(a, "%s_ids", kind)};
    char *weights = format(a, "%s_weights", kind), *tensor = format(a, "%s_weights_as_tensor", kind);
    Numbers values = numbers_in(n, weights, tensor);
    int64_t size = f->leaves * f->targets;
    bool *has = NEW_ARRAY(a, bool, size);
    if (!lists_fit(n, values.n, COUNT(names), names)) return false;
    f->weight = NEW_ARRAY(a, double, size), f->has_weight = has;
    for (int64_t i = 0; i < values.n; i++) {
        int64_t tree = attr(n, names[0])->ints[i], node = attr(n, names[1])->ints[i], id = attr(n, names[2])->ints[i];
        int at = find_key(s->keys, s->count, tree, node);
        if (at < 0 || id < 0 || id >= f->targets) {
            problem(n, EXIT_INPUT, "%s: expected a node and one of %lld targets, saw node %lld of tree %lld and %lld",
                    kind, (long long)f->targets, (long long)node, (long long)tree, (long long)id);
            return false;
        }
        if (s->number[at] >= 0) continue; /* no example ends in a branch */
        int64_t to = (-1 - s->number[at]) * f->targets + id;
        f->weight[to] += number_at(&values, i), has[to] = true;
    }
    return true;
}

bool read_listed(Node *n, const char *kind, int64_t targets, Forest *f) {
    static const char *const lists[] = {"nodes_treeids",     "nodes_nodeids",      "nodes_featureids",
                                        "nodes_truenodeids", "nodes_falsenodeids", "nodes_modes"};
    Arena *a = n->graph->module->arena;
    Listed s = {.n = n, .count = attr(n, "nodes_nodeids")->n};
    f->targets = targets;
    if (!s.count || s.count > MOST_NODES || targets < 1 || targets > MOST_NODES ||
        s.count * targets > MOST_NODES * 4LL) {
        problem(n, EXIT_INPUT, "expected from 1 to %d nodes, saw %d, and of %lld targets", MOST_NODES, s.count,
                (long long)targets);
        return false;
    }
    if (!lists_fit(n, s.count, COUNT(lists), lists)) return false;
    s.keys = NEW_ARRAY(a, NodeKey, s.count), s.number = NEW_ARRAY(a, int64_t, s.count);
    s.is_child = NEW_ARRAY(a, bool, s.count);
    for (int i = 0; i < s.count; i++)
        s.keys[i] = (NodeKey){attr(n, "nodes_treeids")->ints[i], attr(n, "nodes_nodeids")->ints[i], i};
    qsort(s.keys, (size_t)s.count, sizeof *s.keys, by_key);
    for (int i = 1; i < s.count; i++)
        if (!by_key(&s.keys[i - 1], &s.keys[i])) {
            problem(n, EXIT_INPUT, "expected every node of tree %lld once, saw %lld twice", (long long)s.keys[i].tree,
                    (long long)s.keys[i].node);
            return false;
        }
    return number_nodes(&s, f) && read_branches(&s, f) && read_roots(&s, f) && read_weights(&s, f, kind);
}

/* ---- the second generation: branches and leaves apart ---- */

static bool read_way(Node *n, const Forest *f, const char *ids, const char *leaves, int64_t i, int64_t *to) {
    int64_t id = attr(n, ids)->ints[i];
    bool leaf = attr(n, leaves)->ints[i] != 0;
    if (id < 0 || id >= (leaf ? f->leaves : f->branches)) {
        problem(n, EXIT_INPUT, "%s: expected one of %lld %s, saw %lld", ids,
                (long long)(leaf ? f->leaves : f->branches), leaf ? "leaves" : "nodes", (long long)id);
        return false;
    }
    *to = leaf ? -1 - id : id;
    return true;
}

/* Membership in a set is a chain of tests for each of its elements, which end at NaN in the list. */
static bool open_members(Node *n, Forest *f) {
    const Tensor *sets = attr(n, "membership_values")->tensor;
    int64_t at = 0, more = sets ? sets->count : 0, given = f->branches;
    Branch *grown = NEW_ARRAY(n->graph->module->arena, Branch, given + more);
    memcpy(grown, f->branch, sizeof *grown * (size_t)given);
    f->branch = grown;
    for (int64_t i = 0; i < given; i++) {
        Branch *b = &grown[i];
        if (b->mode != MEMBER) continue;
        Branch last = *b;
        bool any = false;
        for (; sets && at < sets->count && !isnan(get_f(sets, at)); at++, any = true) {
            Branch *test = any ? &grown[f->branches] : b;
            if (any) b->no = f->branches++, *test = last, b = test;
            test->mode = EQ, test->value = get_f(sets, at);
        }
        if (!any) b->mode = EQ, b->value = NAN;
        at++;
    }
    return true;
}

bool read_split(Node *n, Forest *f) {
    static const char *const lists[] = {"nodes_truenodeids", "nodes_trueleafs", "nodes_falsenodeids",
                                        "nodes_falseleafs"};
    Arena *a = n->graph->module->arena;
    const Tensor *splits = attr(n, "nodes_splits")->tensor, *modes = attr(n, "nodes_modes")->tensor;
    const Tensor *weights = attr(n, "leaf_weights")->tensor;
    const Attr *roots = attr(n, "tree_roots"), *missing = attr(n, "nodes_missing_value_tracks_true");
    f->branches = attr(n, "nodes_featureids")->n, f->leaves = attr(n, "leaf_targetids")->n, f->trees = roots->n;
    f->targets = targets_of(n);
    if (!f->trees || !f->leaves || f->leaves * f->targets > 4LL * MOST_NODES) {
        problem(n, EXIT_INPUT, "expected trees and leaves, saw %lld and %lld, of %lld targets", (long long)f->trees,
                (long long)f->leaves, (long long)f->targets);
        return false;
    }
    if (!lists_fit(n, f->branches, COUNT(lists), lists) ||
        !has_length(n, "nodes_splits", splits ? splits->count : 0, f->branches) ||
        !has_length(n, "nodes_modes", modes ? modes->count : 0, f->branches) ||
        !has_length(n, "leaf_weights", weights ? weights->count : 0, f->leaves) ||
        (missing->n && !has_length(n, "nodes_missing_value_tracks_true", missing->n, f->branches)))
        return false;
    f->branch = NEW_ARRAY(a, Branch, f->branches + 1), f->root = NEW_ARRAY(a, int64_t, f->trees);
    for (int64_t i = 0; i < f->branches; i++) {
        Branch *b = &f->branch[i];
        int64_t mode = get_i(modes, i);
        if (mode < LEQ || mode > MEMBER) {
            problem(n, EXIT_INPUT, "nodes_modes: expected from 0 to 6, saw %lld", (long long)mode);
            return false;
        }
        b->mode = (Mode)mode, b->feature = attr(n, "nodes_featureids")->ints[i], b->value = get_f(splits, i);
        b->missing = missing->n && missing->ints[i];
        if (!read_way(n, f, lists[0], lists[1], i, &b->yes) || !read_way(n, f, lists[2], lists[3], i, &b->no))
            return false;
    }
    /* A tree of one leaf is a branch both of whose ways lead there. */
    for (int64_t t = 0; t < f->trees; t++) {
        f->root[t] = roots->ints[t];
        if (f->root[t] >= 0 && f->root[t] < f->branches) continue;
        problem(n, EXIT_INPUT, "tree_roots: expected one of %lld nodes, saw %lld", (long long)f->branches,
                (long long)f->root[t]);
        return false;
    }
    bool *has = NEW_ARRAY(a, bool, f->leaves * f->targets);
    f->weight = NEW_ARRAY(a, double, f->leaves * f->targets), f->has_weight = has;
    for (int64_t i = 0; i < f->leaves; i++) {
        int64_t target = attr(n, "leaf_targetids")->ints[i];
        if (target < 0 || target >= f->targets) {
            problem(n, EXIT_INPUT, "leaf_targetids: expected one of %lld targets, saw %lld", (long long)f->targets,
                    (long long)target);
            return false;
        }
        f->weight[i * f->targets + target] = get_f(weights, i), has[i * f->targets + target] = true;
    }
    return open_members(n, f);
}
