/* trees.c - DecisionTrees: the leaf of every tree that an example reaches, or the sum of what these leaves give.
 *
 * Trees lie in tables, which the rule has checked. A group of trees is walked in step, without branches: a leaf leads
 * to itself. A few nodes become nested ifs. */
#include "ir/build.h"
#include "ir/target.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

enum { FEATURE = 1, THRESHOLD, NEXT, ROOT, DEPTH, EQUAL, MISSING, WEIGHTS };
enum { NODES_AS_IFS = 32 };

typedef struct {
    Lower *l;
    Node *n;
    Expr *example;
    int64_t inner;   /* nodes that are no leaf come first */
    int64_t targets; /* that weights are summed for; 0: numbers of leaves are stored */
    Expr *sum;       /* of one target */
    Local *sums;     /* of more */
} Walk;

static void add_weight(const Walk *w, Expr *target, Expr *weight) {
    if (w->sum)
        set(w->l, w->sum, add(w->l, w->sum, weight));
    else
        put_local(w->l, w->sums, target, add(w->l, local_at(w->l, w->sums, target), weight));
}

static Expr *over_targets(const Walk *w, int *opened) {
    return open_dim(w->l, 't', AX_SEQ, (Dim){w->targets, NULL}, opened);
}

/* The leaf of a tree, both known only to a run. */
static void take_leaf(const Walk *w, Expr *tree, Expr *leaf) {
    Lower *l = w->l;
    int opened = 0;
    if (!w->targets) {
        store(l, w->n->out[0], (Expr *[]){w->example, tree}, cast(l, leaf, DT_i32));
        return;
    }
    leaf = let(l, "leaf", leaf);
    Expr *t = over_targets(w, &opened);
    add_weight(w, t, load(l, w->n->in[WEIGHTS], (Expr *[]){leaf, t}));
    close_blocks(l, opened);
}

static Expr *table_at(const Walk *w, int i, Expr *at) {
    Expr *e = load(w->l, w->n->in[i], &at);
    return i == THRESHOLD || e->dtype == DT_bool ? e : cast(w->l, e, DT_index);
}

static Expr *feature_at(const Walk *w, Expr *feature) {
    return let(w->l, "x", value_at(w->l, w->n->in[0], (Expr *[]){w->example, feature}));
}

static Expr *is_nan(Lower *l, Expr *x) { return map1(l, OP_Not, map2(l, OP_Equal, x, x)); }

/* ---- nested ifs ---- */

static int64_t entry(const Walk *w, int i, int64_t at) { return get_i(w->n->in[i]->data, at); }

static Expr *known_test(const Walk *w, int64_t node) {
    Lower *l = w->l;
    Expr *x = feature_at(w, ix(l, entry(w, FEATURE, node)));
    Expr *v = num(l, computed(w->n, 0), get_f(w->n->in[THRESHOLD]->data, node));
    bool equal = input(w->n, EQUAL) && entry(w, EQUAL, node), missing = input(w->n, MISSING) && entry(w, MISSING, node);
    Expr *yes = map2(l, equal ? OP_Equal : OP_LessOrEqual, x, v);
    return missing ? either(l, yes, is_nan(l, x)) : yes;
}

/* What a leaf gives, as numbers in the text. */
static void take_known_leaf(const Walk *w, int64_t leaf, Expr *tree) {
    Lower *l = w->l;
    if (!w->targets) {
        store(l, w->n->out[0], (Expr *[]){w->example, tree}, num(l, DT_i32, (double)leaf));
        return;
    }
    for (int64_t t = 0; t < w->targets; t++) {
        double weight = get_f(w->n->in[WEIGHTS]->data, leaf * w->targets + t);
        if (weight != 0) add_weight(w, ix(l, t), num(l, computed(w->n, WEIGHTS), weight));
    }
}

static void branch(const Walk *w, int64_t node, Expr *tree) {
    Lower *l = w->l;
    if (node >= w->inner) {
        take_known_leaf(w, node - w->inner, tree);
        return;
    }
    open_if(l, known_test(w, node));
    branch(w, entry(w, NEXT, 2 * node + 1), tree);
    open_else(l);
    branch(w, entry(w, NEXT, 2 * node), tree);
    close_block(l);
}

/* Nodes that branch() goes through, which are more than there are where ways meet again; no more than `most` + 1. */
static int64_t count_ifs(const Walk *w, int64_t node, int64_t most) {
    int64_t n = 1;
    if (node >= w->inner) return 0;
    for (int way = 0; way < 2 && n <= most; way++) n += count_ifs(w, entry(w, NEXT, 2 * node + way), most - n);
    return n;
}

static bool are_few(const Walk *w, int64_t trees) {
    int64_t n = 0;
    for (int64_t t = 0; t < trees && n <= NODES_AS_IFS; t++) n += count_ifs(w, entry(w, ROOT, t), NODES_AS_IFS - n);
    return n <= NODES_AS_IFS && trees <= NODES_AS_IFS;
}

static void walk_by_ifs(const Walk *w, int64_t trees) {
    for (int64_t t = 0; t < trees; t++) branch(w, entry(w, ROOT, t), ix(w->l, t));
}

/* ---- groups in step ---- */

/* Whether the test of a node holds; of a number that is none, where the table says so. */
static Expr *test_at(const Walk *w, Expr *node) {
    Lower *l = w->l;
    Expr *x = feature_at(w, table_at(w, FEATURE, node)), *v = let(l, "v", table_at(w, THRESHOLD, node));
    Expr *yes = map2(l, OP_LessOrEqual, x, v);
    if (input(w->n, EQUAL)) yes = select_of(l, table_at(w, EQUAL, node), map2(l, OP_Equal, x, v), yes);
    return input(w->n, MISSING) ? either(l, yes, both(l, is_nan(l, x), table_at(w, MISSING, node))) : yes;
}

static void walk_group(const Walk *w, Expr *group, int64_t lanes) {
    Lower *l = w->l;
    Local *at = local_new(l, "at", DT_i32, lanes);
    Expr *first = ix_mul(l, group, ix(l, lanes));
    Expr *j = open_for(l, "j", AX_SEQ, ix(l, lanes));
    put_local(l, at, j, cast(l, table_at(w, ROOT, ix_add(l, first, j)), DT_i32));
    close_block(l);
    Expr *level = var(l, "level", DT_index, ix(l, 0));
    open_while(l, ix_less(l, level, table_at(w, DEPTH, group)));
    j = open_for(l, "j", AX_SEQ, ix(l, lanes));
    Expr *node = let(l, "node", cast(l, local_at(l, at, j), DT_index));
    Expr *next = ix_add(l, ix_mul(l, node, ix(l, 2)), cast(l, test_at(w, node), DT_index));
    put_local(l, at, j, cast(l, table_at(w, NEXT, next), DT_i32));
    close_block(l);
    set(l, level, ix_add(l, level, ix(l, 1)));
    close_block(l);
    j = open_for(l, "j", AX_SEQ, ix(l, lanes));
    take_leaf(w, ix_add(l, first, j), ix_sub(l, cast(l, local_at(l, at, j), DT_index), ix(l, w->inner)));
    close_block(l);
}

static void begin_sums(Walk *w) {
    Lower *l = w->l;
    DType type = computed(w->n, WEIGHTS);
    if (w->targets == 1) {
        w->sum = var(l, "sum", type, num(l, type, 0));
        return;
    }
    w->sums = local_new(l, "sum", type, w->targets);
    w->sums->in_memory = !on_device(l->m);
    Expr *t = open_for(l, "t", AX_SEQ, ix(l, w->targets));
    put_local(l, w->sums, t, num(l, type, 0));
    close_block(l);
}

static void store_sums(const Walk *w) {
    Lower *l = w->l;
    int opened = 0;
    Expr *t = over_targets(w, &opened);
    store(l, w->n->out[0], (Expr *[]){w->example, t}, w->sum ? w->sum : local_at(l, w->sums, t));
    close_blocks(l, opened);
}

void lower_decision_trees(Lower *l, Node *n) {
    int64_t trees = type_count(in_shape(n, ROOT)), groups = type_count(in_shape(n, DEPTH));
    int opened = 0;
    Walk w = {.l = l, .n = n, .inner = attr_i(n, "inner")};
    w.example = open_dim(l, 'n', AX_PAR, n->out[0]->type.dim[0], &opened);
    if (input(n, WEIGHTS)) w.targets = in_shape(n, WEIGHTS)->dim[1].max, begin_sums(&w);
    if (are_few(&w, trees)) {
        walk_by_ifs(&w, trees);
    } else {
        walk_group(&w, open_for(l, "g", AX_SEQ, ix(l, groups)), trees / groups);
        close_block(l);
    }
    if (w.targets) store_sums(&w);
    close_blocks(l, opened);
}
