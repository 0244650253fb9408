/* trees.c - DecisionTrees: the leaf of every tree that an example reaches.
 *
 * Trees lie in tables, which the rule has checked. A group of trees is walked in step, without branches: a leaf leads
 * to itself. A few nodes become nested ifs. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

enum { FEATURE = 1, THRESHOLD, NEXT, ROOT, DEPTH, EQUAL, MISSING };
enum { NODES_AS_IFS = 32 };

typedef struct {
    Lower *l;
    Node *n;
    Expr *example;
    int64_t inner; /* nodes that are no leaf come first */
} Walk;

static Expr *table_at(const Walk *w, int i, Expr *at) {
    Expr *e = load(w->l, w->n->in[i], &at);
    return i == THRESHOLD || e->dtype == DT_bool ? e : cast(w->l, e, DT_index);
}

/* Whether the test of a node holds; of a number that is none, where the table says so. */
static Expr *holds(const Walk *w, Expr *node) {
    Lower *l = w->l;
    Expr *x = let(l, "x", value_at(l, w->n->in[0], (Expr *[]){w->example, table_at(w, FEATURE, node)}));
    Expr *v = let(l, "v", table_at(w, THRESHOLD, node)), *yes = map2(l, OP_LessOrEqual, x, v);
    if (input(w->n, EQUAL)) yes = select_of(l, table_at(w, EQUAL, node), map2(l, OP_Equal, x, v), yes);
    if (!input(w->n, MISSING)) return yes;
    return either(l, yes, both(l, map1(l, OP_Not, map2(l, OP_Equal, x, x)), table_at(w, MISSING, node)));
}

/* ---- nested ifs ---- */

static int64_t entry(const Walk *w, int i, int64_t at) { return get_i(w->n->in[i]->data, at); }

static void branch(const Walk *w, int64_t node, Expr *leaf) {
    Lower *l = w->l;
    if (node >= w->inner) {
        set(l, leaf, ix(l, node - w->inner));
        return;
    }
    open_if(l, holds(w, ix(l, node)));
    branch(w, entry(w, NEXT, 2 * node + 1), leaf);
    open_else(l);
    branch(w, entry(w, NEXT, 2 * node), leaf);
    close_block(l);
}

static void walk_by_ifs(const Walk *w, int64_t trees) {
    Lower *l = w->l;
    for (int64_t t = 0; t < trees; t++) {
        Expr *leaf = var(l, "leaf", DT_index, ix(l, 0));
        branch(w, entry(w, ROOT, t), leaf);
        store(l, w->n->out[0], (Expr *[]){w->example, ix(l, t)}, cast(l, leaf, DT_i32));
    }
}

/* ---- groups in step ---- */

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
    Expr *next = ix_add(l, ix_mul(l, node, ix(l, 2)), cast(l, holds(w, node), DT_index));
    put_local(l, at, j, cast(l, table_at(w, NEXT, next), DT_i32));
    close_block(l);
    set(l, level, ix_add(l, level, ix(l, 1)));
    close_block(l);
    j = open_for(l, "j", AX_SEQ, ix(l, lanes));
    Expr *leaf = ix_sub(l, cast(l, local_at(l, at, j), DT_index), ix(l, w->inner));
    store(l, w->n->out[0], (Expr *[]){w->example, ix_add(l, first, j)}, cast(l, leaf, DT_i32));
    close_block(l);
}

void lower_decision_trees(Lower *l, Node *n) {
    const Type *y = &n->out[0]->type;
    int64_t trees = y->dim[1].max, groups = type_count(in_shape(n, DEPTH));
    int opened = 0;
    Walk w = {.l = l, .n = n, .inner = attr_i(n, "inner")};
    w.example = open_dim(l, 'n', AX_PAR, y->dim[0], &opened);
    if (w.inner <= NODES_AS_IFS)
        walk_by_ifs(&w, trees);
    else
        walk_group(&w, open_dim(l, 'g', AX_PAR, (Dim){groups, NULL}, &opened), trees / groups);
    close_blocks(l, opened);
}
