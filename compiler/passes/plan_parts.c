/* plan_parts.c - copies that need not be made. The parts of a Concat can be written where the whole will be; a Slice,
 * a part of a Split, or the row that a turn of a loop takes, can be read where it already is. */
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "lower/lower.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "passes/plan.h"
#include "schedule/schedule.h"

/* Whether part can be seen as the elements of whole that are step apart in each dim. */
static bool congruent(const Value *part, const Value *whole, const int64_t *step) {
    if (part->layout.halo || part->layout.block || whole->layout.halo || whole->layout.block ||
        part->type.rank != whole->type.rank)
        return false;
    return steps_agree(part, whole, step) && type_count(&part->type) > 0;
}

static int add_part(Piece *p, int n, Value *part, Value *whole, int64_t at, const int64_t *step) {
    if (!part || part->plan.row || whole->plan.row || !congruent(part, whole, step)) return n;
    p[n] = (Piece){part, whole, at};
    return n + 1;
}

/* What is in several places of the whole cannot be written in all of them. */
static void count_places(const Node *n) {
    for (int i = 0; i < n->nin; i++) n->in[i]->plan.base->plan.places = 0;
    for (int i = 0; i < n->nin; i++) n->in[i]->plan.base->plan.places++;
}

static int concat_parts(Node *n, Piece *p) {
    Value *y = n->out[0];
    int axis = (int)attr_axis(n, "axis", y->type.rank), count = 0;
    int64_t before = 0;
    count_places(n);
    for (int i = 0; i < n->nin; i++) {
        Dim d = n->in[i]->type.dim[axis];
        if (n->in[i]->plan.base->plan.places == 1)
            count = add_part(p, count, n->in[i], y, before * step_of(y, axis), NULL);
        if (d.symbol || !is_steady(y, axis)) return count; /* where the next one begins is known at run time only */
        before += d.max;
    }
    return count;
}

static int split_parts(Node *n, Piece *p) {
    Value *x = n->in[0];
    int axis = (int)attr_axis(n, "axis", x->type.rank), count = 0;
    int64_t before = 0;
    if (x->type.dim[axis].symbol || !is_steady(x, axis)) return 0;
    for (int i = 0; i < n->nout; i++) {
        if (!n->out[i]) return 0; /* its length would have to be known */
        count = add_part(p, count, n->out[i], x, before * step_of(x, axis), NULL);
        before += n->out[i]->type.dim[axis].max;
    }
    return count;
}

static int slice_parts(Node *n, Piece *p) {
    int64_t step[MAX_RANK], at = 0;
    Dim begin[MAX_RANK], dim[MAX_RANK];
    Value *x = n->in[0];
    if (!slice_of(n, begin, step, dim)) return 0;
    for (int i = 0; i < x->type.rank; i++) {
        if (begin[i].symbol || (begin[i].max && !is_steady(x, i))) return 0;
        at += begin[i].max * step_of(x, i);
    }
    return add_part(p, 0, n->out[0], x, at, step);
}

int parts_of(Node *n, Piece *p) {
    if (!n->code || n->code->nnode != 1) return 0;
    return IS(n, Concat) ? concat_parts(n, p) : IS(n, Split) ? split_parts(n, p) : IS(n, Slice) ? slice_parts(n, p) : 0;
}

static bool together(const Piece *p) {
    return p->part->plan.buffer == p->whole->plan.buffer &&
           p->part->plan.shift == p->whole->plan.shift + p->at * dtypes[p->whole->type.dtype].bytes;
}

void drop_copies(Module *m, Node *n) {
    Piece *p = NEW_ARRAY(m->arena, Piece, n->nin + n->nout);
    int count = parts_of(n, p), joined = 0, step = n->code->step;
    for (int i = 0; i < count; i++) joined += together(&p[i]);
    if (!joined) return;
    if (IS(n, Concat)) {
        n->code = lower_planned(m, n);
        schedule(n->code);
        n->code->step = step;
    } else if (joined == n->nout) {
        n->code->body = NULL, n->code->narg = n->code->nread = n->code->nwritten = 0;
    }
}

/* ---- in loops, where a copy would be made again and again ---- */

/* Whether each turn of the loop reads a row that there is. */
static bool rows_are_there(const Node *loop, const Affine *at, Dim rows) {
    Trips trips = loop_trips(loop);
    if (!trips.exact || trips.most.symbol || trips.most.max < 1 || rows.symbol || at->base.symbol) return false;
    int64_t first = at->base.max, last = first + at->step * (trips.most.max - 1);
    return first >= 0 && first < rows.max && last >= 0 && last < rows.max;
}

void row_in_turn(const Node *n, int64_t *first, int64_t *step) {
    Affine at = {{0, NULL}, 0};
    affine_in_loop(n->graph->owner, n->in[1], &at);
    *first = at.base.max, *step = at.step;
}

/* Of what stays as it is while the loop runs: that comes from outside, and nothing in it writes there. */
static bool is_row(Node *n) {
    const Node *loop = n->graph->owner;
    Affine at;
    if (!IS(n, Gather) || n->kernel || !loop || !IS(loop, Loop) || n->in[1]->type.rank) return false;
    const Value *x = n->in[0], *base = base_of(n->in[0]);
    bool ours = base->graph && (base->kind == V_NODE || base->kind == V_INPUT) && !lies_in(x->graph, n->graph);
    if (!ours || base->train.block || !is_float(x->type.dtype) || attr_axis(n, "axis", x->type.rank)) return false;
    return is_dense(x) && is_dense(n->out[0]) && affine_in_loop(loop, n->in[1], &at) &&
           rows_are_there(loop, &at, x->type.dim[0]);
}

/* Whether v is made for this Concat alone, by a kernel that can leave gaps between its rows. */
static bool can_lie_in(const Value *v, const Value *whole) {
    return v->kind == V_NODE && v->graph == whole->graph && v->uses == 1 && !v->def->op->view && !v->def->row &&
           !has_regions(v->def) && is_dense(v) && v->type.dtype == whole->type.dtype && type_count(&v->type) > 0;
}

static void lie_in_whole(Node *n) {
    Value *whole = n->out[0];
    if (!IS(n, Concat) || n->kernel || !n->graph->owner || !IS(n->graph->owner, Loop) || !is_dense(whole)) return;
    for (int i = 0; i < n->nin; i++)
        if (!can_lie_in(n->in[i], whole)) return;
    for (int d = 0; d < whole->type.rank; d++)
        if (!is_steady(whole, d)) return;
    for (int i = 0; i < n->nin; i++) {
        Value *v = n->in[i];
        if (steps_agree(v, whole, NULL)) continue;
        v->layout.stride = NEW_ARRAY(n->graph->module->arena, int64_t, MAX_RANK);
        for (int d = 0; d < whole->type.rank; d++) v->layout.stride[d] = step_of(whole, d);
    }
}

void find_in_loops(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; n; n = n->next) {
        n->row = is_row(n);
        lie_in_whole(n);
    }
}
