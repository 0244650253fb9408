/* fuse_cost.c - what it costs to compute elements where they are read.
 *
 * Apart, a value is stored once and loaded wherever it is read; in one kernel it is computed each time an element is
 * asked for. Lowering asks once per loop nest that depends on it: the reductions of the kernel are such nests, and the
 * loops over its results. Within a nest a value is computed in the innermost loop it depends on: [rows, 1] once a row,
 * but [1, columns] again in every row. */
#include "ir/build.h"
#include "ir/storage.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes/fuse.h"
#include "passes/passes.h"

static void mark(Fuse *f, const Value *v) { f->mark[v->id] = 1; }
static bool marked(const Fuse *f, const Value *v) { return v && f->mark[v->id]; }

void clear_marks(Fuse *f, const Group *g) {
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nin; i++)
            if (p->in[i]) f->mark[p->in[i]->id] = 0;
        for (int i = 0; i < p->nout; i++)
            if (p->out[i]) f->mark[p->out[i]->id] = 0;
        if (p == g->last) return;
    }
}

static double own_work(const Node *n) {
    if (n->op->kind == K_RED) return elements_of(n->in[0]) / elements_of(n->out[0]);
    if (simple(n)) return cost_of(n->op);
    return access_of(n->op) == ACCESS_OTHER ? COST_CALL : (double)terms_of(n);
}

/* From v backwards. What has fewer elements than v is computed in an outer loop, and does not count. */
ElementCost element_cost(Fuse *f, const Group *g, const Value *v) {
    ElementCost p = {0, 0};
    clear_marks(f, g);
    mark(f, v);
    for (const Node *n = g->last;; n = n->prev) {
        double share = n->nout && n->out[0] ? elements_of(n->out[0]) / elements_of(v) : 0;
        if (n->nout && marked(f, n->out[0]) && share >= 1) {
            p.work += own_work(n) * share;
            for (int i = 0; i < n->nin; i++)
                if (n->in[i]) mark(f, n->in[i]);
        }
        if (n == g->first) break;
    }
    for (const Node *n = g->first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            const Value *x = n->in[i];
            if (!marked(f, x) || (x->def && in_group(g, x->def)) || elements_of(x) < elements_of(v)) continue;
            p.bytes += dtypes[x->type.dtype].bytes * elements_of(x) / elements_of(v);
            f->mark[x->id] = 0;
        }
        if (n == g->last) break;
    }
    clear_marks(f, g);
    return p;
}

/* ---- how often an element is asked for ---- */

/* Dims of a value from the one outside, in memory, to the one inside; those of a reduction come last. */
static void loop_order(const Value *of, const bool *reduced, int *order) {
    for (int i = 0; i < of->type.rank; i++) {
        int j = i;
        bool late = reduced && reduced[i];
        for (; j > 0; j--) {
            bool other = reduced && reduced[order[j - 1]];
            if (late != other ? late : late || step_of(of, order[j - 1]) >= step_of(of, i)) break;
            order[j] = order[j - 1];
        }
        order[j] = i;
    }
}

/* In loops over `of`: evaluations of an element of v. */
static double evaluations(const Value *v, const Value *of, const bool *reduced) {
    double done = 1, needed = 1;
    int order[MAX_RANK];
    loop_order(of, reduced, order);
    for (int k = 0; k < of->type.rank; k++) {
        int mine = order[k] - (of->type.rank - v->type.rank);
        done *= (double)of->type.dim[order[k]].max;
        if (mine >= 0 && !is_unit(v->type.dim[mine])) needed = done;
    }
    return needed / elements_of(v);
}

/* Whether v is the same along all that is reduced: then it is computed outside, with the reduction's result. */
static bool constant_along(const Value *v, const Type *t, const bool *mask) {
    for (int i = 0; i < v->type.rank; i++)
        if (mask[t->rank - v->type.rank + i] && !is_unit(v->type.dim[i])) return false;
    return true;
}

/* Whether the group keeps v of a row at hand, once it is computed for a reduction. */
static bool kept_in_row(const Group *g, const Value *v) {
    if (uses_in(g, v) < 2) return false;
    for (Node *n = g->first;; n = n->next) {
        if (n->op->kind == K_RED && row_value(n) == v) return true;
        if (n == g->last) return false;
    }
}

/* The loops over a group's results that were counted already: results of one shape share theirs. */
typedef struct {
    const Type *shape[4];
    int n;
} Loops;

static double new_loops(Loops *seen, const Value *v, const Value *result) {
    for (int i = 0; i < seen->n; i++)
        if (same_shape(seen->shape[i], &result->type)) return 0;
    if (seen->n < COUNT(seen->shape)) seen->shape[seen->n++] = &result->type;
    return evaluations(v, result, NULL);
}

/* Evaluations of an element of v by a node that reads what is marked, if its loops are where that happens; otherwise
 * the mark is handed on to the result. */
static double evaluations_at(Fuse *f, const Group *g, Node *n, const Value *v, Loops *seen) {
    bool mask[MAX_RANK] = {false};
    const Type *t = &n->in[0]->type;
    if (IS(n, Assign)) return new_loops(seen, v, n->in[0]);
    if (!simple(n)) return elements_of(n->out[0]) * (double)terms_of(n) / elements_of(v) * slowdown(n);
    if (n->op->kind == K_RED && (!known_axes(n, 1, t->rank, mask) || !constant_along(v, t, mask)))
        return evaluations(v, n->in[0], mask);
    if (kept_in_row(g, n->out[0])) return 1;
    mark(f, n->out[0]);
    return stored_by(g, n->out[0]) ? new_loops(seen, v, n->out[0]) : 0;
}

static bool reads_marked(const Fuse *f, const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (marked(f, n->in[i])) return true;
    return false;
}

/* How often an element of v is computed if the group, which reads v, does that for itself. */
double asked(Fuse *f, const Group *g, const Value *v) {
    Loops seen = {.n = 0};
    double count = 0;
    if (kept_in_row(g, v)) return 1;
    clear_marks(f, g);
    mark(f, v);
    for (Node *n = g->first;; n = n->next) {
        if (reads_marked(f, n)) count += evaluations_at(f, g, n, v, &seen);
        if (n == g->last) break;
    }
    clear_marks(f, g);
    return count;
}
