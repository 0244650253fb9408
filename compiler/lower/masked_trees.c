/* masked_trees.c - MaskedTrees: sums of the weights of the leaves that examples reach (ml/masked_trees.c has why).
 *
 * One example takes the features in turn: the tests of each that it fails are two runs of thresholds. A block of
 * examples takes all tests, each for the whole block at once, without a branch. */
#include "ir/build.h"
#include "ir/target.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

enum { THRESHOLD = 1, OWNER, BEGIN, MASK, FIRST, WEIGHTS };
enum { WORD = 32 };

typedef struct {
    Lower *l;
    Node *n;
    int64_t words, targets, features, trees;
    int64_t block; /* examples at once; 0: one takes its tests by feature */
    Local *bits, *sums;
} Trees;

static Expr *table_at(const Trees *t, int i, Expr *at) { return load(t->l, t->n->in[i], &at); }
static Expr *index_at(const Trees *t, int i, Expr *at) { return cast(t->l, table_at(t, i, at), DT_index); }
static Expr *times(const Trees *t, Expr *e, int64_t by) { return ix_mul(t->l, e, ix(t->l, by)); }
static Expr *all_bits(const Trees *t) { return num(t->l, DT_u32, UINT32_MAX); }

static void fill(const Trees *t, Local *local, Expr *with) {
    Expr *i = open_for(t->l, "j", AX_SEQ, ix(t->l, local->count));
    put_local(t->l, local, i, with);
    close_block(t->l);
}

/* Word w of what test k leaves, as a u32. */
static Expr *mask_at(const Trees *t, Expr *k, int64_t w) {
    return cast(t->l, table_at(t, MASK, ix_add(t->l, times(t, k, t->words), ix(t->l, w))), DT_u32);
}

static void rule_out(const Trees *t, Expr *at, Expr *mask) {
    put_local(t->l, t->bits, at, map2(t->l, OP_BitwiseAnd, local_at(t->l, t->bits, at), mask));
}

/* The number of the least bit of words that lie `apart`, the first `at`. */
static Expr *least_bit(const Trees *t, Expr *at, int64_t apart) {
    Lower *l = t->l;
    Expr *low = let(l, "low", local_at(l, t->bits, at)), *place = map1(l, OP_TrailingZeros, low);
    if (t->words > 1) {
        Expr *high = map1(l, OP_TrailingZeros, local_at(l, t->bits, ix_add(l, at, ix(l, apart))));
        Expr *some = map1(l, OP_Not, map2(l, OP_Equal, low, num(l, DT_u32, 0)));
        place = select_of(l, some, place, add(l, high, num(l, DT_u32, WORD)));
    }
    return cast(l, place, DT_index);
}

/* The weights of the leaf of a tree, added to the sums of an example: `stride` apart, from `from` on. */
static void add_weights(const Trees *t, Expr *tree, Expr *place, Expr *from, int64_t stride) {
    Lower *l = t->l;
    Expr *leaf = let(l, "leaf", ix_add(l, index_at(t, FIRST, tree), place));
    int opened = 0;
    Expr *target = open_dim(l, 't', AX_SEQ, (Dim){t->targets, NULL}, &opened),
         *to = ix_add(l, times(t, target, stride), from),
         *weight = load(l, t->n->in[WEIGHTS], (Expr *[]){leaf, target});
    put_local(l, t->sums, to, add(l, local_at(l, t->sums, to), weight));
    close_blocks(l, opened);
}

static void store_sums(const Trees *t, Expr *example, Expr *from, int64_t stride) {
    Lower *l = t->l;
    int opened = 0;
    Expr *target = open_dim(l, 't', AX_SEQ, (Dim){t->targets, NULL}, &opened);
    store(l, t->n->out[0], (Expr *[]){example, target},
          local_at(l, t->sums, ix_add(l, times(t, target, stride), from)));
    close_blocks(l, opened);
}

/* The run of tests that fail: of those with x above their thresholds, or no number; `below`: of those with x not above.
 */
static void take_run(const Trees *t, Expr *x, Expr *group, bool below) {
    Lower *l = t->l;
    Expr *k = var(l, "k", DT_index, index_at(t, BEGIN, group)),
         *end = let(l, "end", index_at(t, BEGIN, ix_add(l, group, ix(l, 1))));
    Expr *under = map2(l, OP_LessOrEqual, x, table_at(t, THRESHOLD, k));
    open_while(l, both(l, ix_less(l, k, end), below ? under : map1(l, OP_Not, under)));
    Expr *tree = let(l, "tree", times(t, index_at(t, OWNER, k), t->words));
    for (int64_t w = 0; w < t->words; w++) rule_out(t, ix_add(l, tree, ix(l, w)), mask_at(t, k, w));
    set(l, k, ix_add(l, k, ix(l, 1)));
    close_block(l);
}

/* Tests lie by feature, those that fail first. */
static void take_example(Trees *t) {
    Lower *l = t->l;
    DType type = computed(t->n, WEIGHTS);
    int opened = 0;
    Expr *n = open_dim(l, 'n', AX_PAR, t->n->out[0]->type.dim[0], &opened);
    t->bits = local_new(l, "bits", DT_u32, t->trees * t->words);
    t->bits->in_memory = !on_device(l->m);
    t->sums = local_new(l, "sum", type, t->targets);
    fill(t, t->bits, all_bits(t)), fill(t, t->sums, num(l, type, 0));
    Expr *f = open_for(l, "f", AX_SEQ, ix(l, t->features));
    Expr *x = let(l, "x", load(l, t->n->in[0], (Expr *[]){n, f}));
    take_run(t, x, times(t, f, 2), false);
    take_run(t, x, ix_add(l, times(t, f, 2), ix(l, 1)), true);
    close_block(l);
    Expr *i = open_for(l, "i", AX_SEQ, ix(l, t->trees));
    add_weights(t, i, least_bit(t, times(t, i, t->words), 1), ix(l, 0), 1);
    close_block(l);
    store_sums(t, n, ix(l, 0), 1);
    close_blocks(l, opened);
}

/* The features of a block, feature by feature; of examples that there are not, 0. */
static Local *turned(const Trees *t, Expr *first, Expr *examples) {
    Lower *l = t->l;
    Local *x = local_new(l, "rows", computed(t->n, 0), t->features * t->block);
    Expr *f = open_for(l, "f", AX_SEQ, ix(l, t->features)), *j = open_for(l, "j", AX_SEQ, ix(l, t->block));
    Expr *example = ix_add(l, first, j), *one = load(l, t->n->in[0], (Expr *[]){example, f});
    put_local(l, x, ix_add(l, times(t, f, t->block), j),
              select_of(l, ix_less(l, example, examples), one, num(l, one->dtype, 0)));
    close_block(l), close_block(l);
    return x;
}

static void take_tests(const Trees *t, Expr *tree, Local *rows) {
    Lower *l = t->l;
    Expr *k = var(l, "k", DT_index, index_at(t, BEGIN, tree)),
         *end = let(l, "end", index_at(t, BEGIN, ix_add(l, tree, ix(l, 1)))), *mask[2];
    open_while(l, ix_less(l, k, end));
    Expr *feature = let(l, "feature", times(t, index_at(t, OWNER, k), t->block)),
         *v = let(l, "v", table_at(t, THRESHOLD, k));
    for (int64_t w = 0; w < t->words; w++) mask[w] = let(l, w ? "high" : "mask", mask_at(t, k, w));
    for (int64_t w = 0; w < t->words; w++) {
        Expr *j = open_for(l, "j", AX_SEQ, ix(l, t->block));
        l->block[l->depth - 1].owner->vector = true;
        Expr *passes = map2(l, OP_LessOrEqual, local_at(l, rows, ix_add(l, feature, j)), v);
        Expr *all_or_none = sub(l, num(l, DT_u32, 0), cast(l, passes, DT_u32)); /* no choice, which gcc 12 jumps for */
        rule_out(t, ix_add(l, j, ix(l, w * t->block)), map2(l, OP_BitwiseOr, mask[w], all_or_none));
        close_block(l);
    }
    set(l, k, ix_add(l, k, ix(l, 1)));
    close_block(l);
}

/* Tests lie by tree. */
static void take_blocks(Trees *t) {
    Lower *l = t->l;
    DType type = computed(t->n, WEIGHTS);
    Expr *examples = extent(l, t->n->out[0]->type.dim[0]);
    Expr *block = open_for(l, "n0", AX_PAR, ix_div(l, ix_add(l, examples, ix(l, t->block - 1)), ix(l, t->block)));
    Expr *first = times(t, block, t->block);
    Local *rows = turned(t, first, examples);
    t->sums = local_new(l, "sum", type, t->targets * t->block),
    t->bits = local_new(l, "bits", DT_u32, t->block * t->words);
    fill(t, t->sums, num(l, type, 0));
    Expr *tree = open_for(l, "i", AX_SEQ, ix(l, t->trees));
    fill(t, t->bits, all_bits(t));
    take_tests(t, tree, rows);
    Expr *j = open_for(l, "j", AX_SEQ, ix(l, t->block));
    add_weights(t, tree, least_bit(t, j, t->block), j, t->block);
    close_block(l), close_block(l);
    j = open_for(l, "j", AX_SEQ, ix(l, t->block));
    open_if(l, ix_less(l, ix_add(l, first, j), examples));
    store_sums(t, ix_add(l, first, j), j, t->block);
    close_block(l), close_block(l), close_block(l);
}

void lower_masked_trees(Lower *l, Node *n) {
    Trees t = {.l = l, .n = n, .targets = in_shape(n, WEIGHTS)->dim[1].max, .features = in_shape(n, 0)->dim[1].max};
    t.trees = type_count(in_shape(n, FIRST)), t.words = type_count(in_shape(n, MASK)) / type_count(in_shape(n, OWNER));
    t.block = attr_i(n, "block");
    if (t.block)
        take_blocks(&t);
    else
        take_example(&t);
}
