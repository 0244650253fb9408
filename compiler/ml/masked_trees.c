/* masked_trees.c - trees of few leaves as masks: QuickScorer of C. Lucchese et al., SIGIR 2015.
 *
 * The leaves of a tree are numbered so that those behind a test that passes come before those behind one that fails. A
 * test that fails rules the former out: its mask has their bits cleared. The least leaf that no test of the tree has
 * ruled out is the one that an example reaches, in whatever order the tests are made.
 *
 * For one example, tests lie by feature, so that those that fail are a run from the first one on, and each is written
 * so that it is likely to pass, as far as thresholds tell what examples are like. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/target.h"
#include "ml/forest.h"
#include "ml/ml.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include <math.h>

/* BLOCK: examples that take a test at once, whose masks are then one vector or a few. ENOUGH: examples from
 * which on they do. MOST_TREES, MOST_FEATURES: what lies on the stack then. FEWEST: branches below which a tree is
 * better walked. */
enum { WORD = 32, MOST_WORDS = 2, BLOCK = 16, ENOUGH = 8, MOST_TREES = 4096, MOST_FEATURES = 256, FEWEST = 33 };

/* It fails unless x <= threshold, so that what is no number fails; `below`: if x <= threshold, so that it passes. */
typedef struct {
    int64_t feature, tree;
    double threshold;
    bool below;
    uint64_t mask;
    int64_t place; /* in the order of the trees */
} Masked;

typedef struct {
    const Forest *f;
    DType type;
    Masked *test;
    int64_t tests, leaves; /* of the tree so far */
    int64_t most_leaves;
    int64_t *leaf; /* by tree and place in it: its number in the forest; MOST_WORDS * WORD for each tree */
    int64_t tree, features;
    double *middle;      /* by feature, of the thresholds; NULL: no test is turned */
    bool negated, plain; /* whether some test is of -x; of x */
} Reading;

/* x <= v, or no number, is what fails -x <= -(the next number above v). */
static double negated_threshold(double v, DType type) {
    double above = type == DT_f64 ? nextafter(v, INFINITY) : (double)nextafterf((float)v, INFINITY);
    return v == (double)INFINITY ? NAN : -above;
}

/* A test that fails as it has to for no number, and seldom otherwise. Changes the ways of t if it has to be turned. */
static Masked turned_test(const Reading *r, Test *t) {
    bool low = r->middle && t->threshold < r->middle[t->feature];
    Masked m = {.feature = t->feature, .tree = r->tree, .threshold = t->threshold, .below = low};
    if (t->missing) {
        m.feature += r->features, m.threshold = negated_threshold(t->threshold, r->type);
        m.below = r->middle && !low;
    }
    if (m.below != t->missing) {
        int64_t pass = t->pass;
        t->pass = t->fail, t->fail = pass;
    }
    return m;
}

static bool read_subtree(Reading *r, int64_t at) {
    if (at < 0) {
        if (r->leaves == MOST_WORDS * WORD) return false;
        r->leaf[r->tree * MOST_WORDS * WORD + r->leaves++] = -1 - at;
        return true;
    }
    Test t = test_of(&r->f->branch[at], r->type);
    if (t.equal || r->leaves == MOST_WORDS * WORD) return false;
    int64_t first = r->leaves, place = r->tests++;
    Masked m = turned_test(r, &t);
    if (!read_subtree(r, t.pass)) return false;
    uint64_t below = first ? ~(uint64_t)0 >> (64 - first) : 0;
    uint64_t upto = r->leaves < 64 ? ((uint64_t)1 << r->leaves) - 1 : ~(uint64_t)0;
    m.mask = ~(upto & ~below), m.place = place, r->test[place] = m;
    *(m.feature < r->features ? &r->plain : &r->negated) = true;
    return read_subtree(r, t.fail);
}

/* How many branches there are on all ways; more than `most`: most + 1. Ways may meet again. */
static int64_t count_branches(const Forest *f, int64_t at, int64_t most) {
    if (at < 0 || most <= 0) return at >= 0;
    int64_t n = 1 + count_branches(f, f->branch[at].yes, most - 1);
    return n > most ? n : n + count_branches(f, f->branch[at].no, most - n);
}

typedef struct {
    int64_t feature;
    double threshold;
} Threshold;

static int by_threshold(const void *a, const void *b) {
    const Threshold *x = a, *y = b;
    if (x->feature != y->feature) return x->feature < y->feature ? -1 : 1;
    return x->threshold < y->threshold ? -1 : x->threshold > y->threshold;
}

/* The middle one of each feature's thresholds: about as many examples are above it as below. */
static double *middles(Arena *a, const Reading *r) {
    const Forest *f = r->f;
    double *middle = NEW_ARRAY(a, double, r->features);
    Threshold *all = NEW_ARRAY(a, Threshold, f->branches);
    for (int64_t i = 0; i < f->branches; i++) {
        Test t = test_of(&f->branch[i], r->type);
        all[i] = (Threshold){t.feature, isnan(t.threshold) ? -(double)INFINITY : t.threshold};
    }
    qsort(all, (size_t)f->branches, sizeof *all, by_threshold);
    for (int64_t i = 0, end; i < f->branches; i = end) {
        for (end = i; end < f->branches && all[end].feature == all[i].feature;) end++;
        middle[all[i].feature] = all[i + (end - i) / 2].threshold;
    }
    return middle;
}

/* All trees, tests in the order of the trees; false: one has too many leaves, or a test of another form. */
static bool read_trees(Arena *a, Reading *r) {
    int64_t most = 0;
    for (int64_t t = 0; t < r->f->trees; t++) {
        int64_t n = count_branches(r->f, r->f->root[t], MOST_WORDS * WORD);
        if (n >= MOST_WORDS * WORD) return false;
        most += n;
    }
    if (most < FEWEST) return false;
    r->test = NEW_ARRAY(a, Masked, most), r->leaf = NEW_ARRAY(a, int64_t, r->f->trees * MOST_WORDS * WORD);
    for (int64_t i = 0; i < r->f->trees * MOST_WORDS * WORD; i++) r->leaf[i] = -1;
    for (r->tree = 0; r->tree < r->f->trees; r->tree++) {
        r->leaves = 0;
        if (!read_subtree(r, r->f->root[r->tree])) return false;
        if (r->leaves > r->most_leaves) r->most_leaves = r->leaves;
    }
    return true;
}

static int64_t group_of(const Masked *m, bool by_feature) { return by_feature ? 2 * m->feature + m->below : m->tree; }

/* By group, then those that an example fails first: from the least threshold on; `below`: from the greatest. No number
 * as a threshold fails all, or none. */
static int by_feature(const void *a, const void *b) {
    const Masked *x = a, *y = b;
    int64_t gx = group_of(x, true), gy = group_of(y, true);
    if (gx != gy) return gx < gy ? -1 : 1;
    if (isnan(x->threshold) != isnan(y->threshold)) return isnan(x->threshold) == x->below ? 1 : -1;
    if (x->threshold < y->threshold || x->threshold > y->threshold)
        return (x->threshold < y->threshold) == x->below ? 1 : -1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Where each group's tests begin, and where the last one's end. */
static Tensor *begins(Arena *a, const Reading *r, int64_t groups, bool features) {
    Tensor *begin = table_new(a, DT_i32, groups + 1);
    for (int64_t i = 0, g = 0; i <= r->tests; i++)
        for (; g <= groups && (i == r->tests || g <= group_of(&r->test[i], features)); g++) set_i(begin, g, i);
    return begin;
}

/* Weights in the order of the leaves of each tree. */
static Value *weights_by_place(Node *n, const Reading *r, const Tensor *weights, Tensor *first) {
    Arena *a = n->graph->module->arena;
    int64_t targets = weights->dim[1], rows = 0;
    int64_t each = MOST_WORDS * WORD;
    for (int64_t t = 0; t < r->f->trees; t++) {
        set_i(first, t, rows);
        for (int64_t k = 0; k < each && r->leaf[t * each + k] >= 0; k++) rows++;
    }
    Tensor *w = tensor_new(a, weights->dtype, 2, (int64_t[]){rows, targets});
    for (int64_t t = 0, row = 0; t < r->f->trees; t++)
        for (int64_t k = 0; k < each && r->leaf[t * each + k] >= 0; k++, row++)
            for (int64_t i = 0; i < targets; i++)
                set_f(w, row * targets + i, get_f(weights, r->leaf[t * each + k] * targets + i));
    return const_new(n->graph->module, NULL, w);
}

/* The features that tests are of: x, -x, or both one behind the other. */
static Value *tested(Node *n, Reading *r) {
    Value *x = examples_as(n, 0, r->type);
    if (!r->negated) return x;
    if (r->plain) return build_text(n, "Concat(m, -m, axis = 1)", 1, &x);
    for (int64_t i = 0; i < r->tests; i++) r->test[i].feature -= r->features;
    return build_text(n, "-m", 1, &x);
}

Value *masked_scores(Node *n, const Forest *f, Value *weights, DType compared) {
    Module *m = n->graph->module;
    Arena *a = m->arena;
    Dim count;
    Reading r = {.f = f, .type = compared};
    if (on_device(m) || f->trees > MOST_TREES || !examples_of(n, 0, &count, &r.features)) return NULL;
    bool blocks = !count.symbol && count.max >= ENOUGH && 2 * r.features <= MOST_FEATURES;
    if (!blocks) r.middle = middles(a, &r);
    if (!read_trees(a, &r)) return NULL;
    Value *x = tested(n, &r);
    int64_t features = x->type.dim[1].max, words = (r.most_leaves + WORD - 1) / WORD;
    if (!blocks) qsort(r.test, (size_t)r.tests, sizeof *r.test, by_feature);
    Tensor *threshold = table_new(a, compared, r.tests + 1), *owner = table_new(a, DT_i32, r.tests + 1),
           *mask = table_new(a, DT_u32, (r.tests + 1) * words), *first = table_new(a, DT_i32, f->trees);
    for (int64_t i = 0; i < r.tests; i++) {
        set_f(threshold, i, r.test[i].threshold);
        set_i(owner, i, blocks ? r.test[i].feature : r.test[i].tree);
        for (int64_t w = 0; w < words; w++) set_i(mask, i * words + w, r.test[i].mask >> WORD * w & UINT32_MAX);
    }
    Value *by_place = weights_by_place(n, &r, weights->data, first);
    Value *in[] = {x,
                   const_new(m, NULL, threshold),
                   const_new(m, NULL, owner),
                   const_new(m, NULL, begins(a, &r, blocks ? f->trees : 2 * features, !blocks)),
                   const_new(m, NULL, mask),
                   const_new(m, NULL, first),
                   by_place};
    Node *trees = insert_node(n, &ops[OP_MaskedTrees], COUNT(in), in);
    set_attr_i(trees, "block", blocks ? BLOCK : 0);
    infer_node(trees);
    return trees->out[0];
}

/* ---- MaskedTrees: the tables of a text are checked like any other ---- */

static bool ascends(Node *n, int i, int64_t last) {
    const Tensor *begin = n->in[i]->data;
    bool fits = get_i(begin, 0) == 0 && get_i(begin, begin->count - 1) == last;
    for (int64_t k = 1; k < begin->count; k++) fits = fits && get_i(begin, k - 1) <= get_i(begin, k);
    if (!fits)
        problem(n, EXIT_INPUT, "%s: expected numbers that ascend from 0 to %lld", arg_text(n, i), (long long)last);
    return fits;
}

/* Whether some leaf of each tree is left whatever fails, and all up to it have weights: the one that is reached is none
 * behind it. */
static bool has_leaves(Node *n, int64_t words, int64_t rows) {
    const Tensor *owner = n->in[2]->data, *begin = n->in[3]->data, *mask = n->in[4]->data, *first = n->in[5]->data;
    uint64_t *left = NEW_ARRAY(n->graph->module->arena, uint64_t, first->count);
    for (int64_t t = 0; t < first->count; t++) left[t] = words == 1 ? UINT32_MAX : ~(uint64_t)0;
    for (int64_t g = 0; g + 1 < begin->count; g++)
        for (int64_t k = get_i(begin, g); k < get_i(begin, g + 1); k++) {
            uint64_t bits = 0;
            for (int64_t w = 0; w < words; w++) bits |= (uint64_t)get_i(mask, k * words + w) << WORD * w;
            left[attr_i(n, "block") ? g : get_i(owner, k)] &= bits;
        }
    for (int64_t t = 0; t < first->count; t++) {
        int64_t last = 0;
        while (last < WORD * words && !(left[t] >> last & 1)) last++;
        if (last < WORD * words && get_i(first, t) + last < rows) continue;
        problem(n, EXIT_INPUT, "%s: expected a leaf of tree %lld that no test rules out, with weights", arg_text(n, 4),
                (long long)t);
        return false;
    }
    return true;
}

void infer_masked_trees(Node *n) {
    const Type *x = in_type(n, 0), *w = in_type(n, 6);
    bool blocks = attr_i(n, "block") != 0;
    const Value *weights = n->in[6];
    if (!need_rank(n, 0, 2) || !need_fixed(n, x->dim[1], "features")) return;
    if (blocks && attr_i(n, "block") != BLOCK)
        problem(n, EXIT_INPUT, "attribute 'block': expected 0 or %d, saw %lld", BLOCK, (long long)attr_i(n, "block"));
    if (!weights->data || w->rank != 2 || w->dim[1].max < 1 || w->dim[1].max > MOST_SUMS) {
        problem(n, EXIT_INPUT, "%s: expected a constant [leaves,targets] of at most %d targets, saw %s", arg_text(n, 6),
                MOST_SUMS, in_text(n, 6));
        return;
    }
    int64_t features = x->dim[1].max, rows = w->dim[0].max;
    if (!known_table(n, 1, -1) || !entries_below(n, 5, -1, rows)) return;
    const Tensor *threshold = n->in[1]->data, *first = n->in[5]->data;
    if (!threshold->count || !first->count || first->count > MOST_TREES || (blocks && features > MOST_FEATURES)) {
        problem(n, EXIT_INPUT, "expected thresholds, from 1 to %d trees and at most %d features, saw %lld, %lld, %lld",
                MOST_TREES, MOST_FEATURES, (long long)threshold->count, (long long)first->count, (long long)features);
        return;
    }
    int64_t tests = threshold->count, trees = first->count;
    int64_t words = in_type(n, 4)->rank == 1 && in_type(n, 4)->dim[0].max == 2 * tests ? 2 : 1;
    if (!entries_below(n, 2, tests, blocks ? features : trees) ||
        !entries_below(n, 3, (blocks ? trees : 2 * features) + 1, tests) || !known_table(n, 4, words * tests) ||
        !ascends(n, 3, tests - 1) || !has_leaves(n, words, rows))
        return;
    set_result(n, 0, w->dtype, 2, (Dim[]){x->dim[0], w->dim[1]});
}
