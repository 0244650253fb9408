/* plan - lower every kernel and place every buffer in one arena. needs: no composites; keeps: the graph, but for copies
 * that outputs need.
 *
 * Steps are kernels in the order they run; a region's steps lie inside those of its If or Loop. A view is another shape
 * of its base; bases lie in buffers, mostly their own (plan_share.c); buffers are placed (plan_place.c).
 */
#include "passes/plan.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "lower/lower.h"
#include "passes/passes.h"
#include "schedule/schedule.h"
#include "train/train.h"

/* ---- outputs: each needs memory of its own, which the caller gives ---- */

/* What a Loop carries lies where its result does, from the first iteration on. */
static Value *carried_result(const Value *v) {
    const Node *loop = v->kind == V_INPUT && v->graph->owner ? v->graph->owner : NULL;
    return loop && v->result >= LOOP_CARRIED ? loop->out[v->result - LOOP_CARRIED] : NULL;
}

/* What a value is the same memory as, or a part of; NULL: none. */
static Value *shown_by(const Value *v) {
    return v->def && (v->def->op->view || v->def->row) ? v->def->in[0] : carried_result(v);
}

Value *base_of(Value *v) {
    for (Value *of; (of = shown_by(v));) v = of;
    return v;
}

static Value *row_of(Value *v) {
    while (v && !(v->def && v->def->row)) v = shown_by(v);
    return v;
}

void copy_output(Graph *g, int i, bool again) {
    Value *v = g->out[i];
    Node *n = node_new(g, NULL, &ops[OP_Copy], 1, &v, 1, NULL, v->loc);
    n->out[0]->type = v->type;
    n->origin = "output";
    bool ours = v->kind == V_CONST || (v->kind == V_NODE && v->graph == g);
    if (ours && !again) { /* the output keeps its name */
        const char *name = v->name;
        v->name = n->out[0]->name, n->out[0]->name = name;
        n->out[0]->port = v->port, v->port = NULL;
    } else {
        n->out[0]->port = port_name(v);
    }
    set_output(g, i, n->out[0]);
}

static Node *first_write(const Module *m) {
    Node *n = m->main->first;
    while (n && !n->op->effect) n = n->next;
    return m->carried.n ? n : NULL;
}

static bool is_carried(const Value *base) { return base->kind == V_STATE && base->train.block; }

/* What a call found in a state and leaves in another is taken out before it writes any. */
static void copy_found(Module *m, Node *write) {
    for (Node *n = write; n; n = n->next) {
        if (!n->op->effect || !is_carried(base_of(n->in[1]))) continue;
        Node *copy = node_new(m->main, write, &ops[OP_Copy], 1, &n->in[1], 1, NULL, n->loc);
        copy->out[0]->type = n->in[1]->type, copy->origin = "state";
        n->in[1] = copy->out[0];
    }
}

/* An iteration's results are copied to where the next one finds them, one after the other, behind rows that are kept:
 * none may lie where an earlier one goes. */
static void part_carried(Graph *body, void *unused) {
    (void)unused;
    const Node *loop = body->owner;
    if (!loop || !IS(loop, Loop)) return;
    for (int i = 0; i < body->nout - BODY_CARRIED; i++) {
        const Value *v = body->out[BODY_CARRIED + i], *r = base_of(body->out[BODY_CARRIED + i]);
        bool row = i >= loop_carried(loop), overwritten = r->def == loop && r->result < i && !row;
        if (overwritten || !is_dense(v)) copy_output(body, BODY_CARRIED + i, true);
    }
}

/* After this every output is the only one of its storage, and computed. A branch's results are copied by the If itself.
 */
static void give_outputs_storage(Module *m) {
    Graph *g = m->main;
    each_graph(m, part_carried, NULL);
    Node *write = first_write(m);
    int n = number_values(m);
    enum { LEAD = 1, VALUE = 2 }; /* what an output before is, or lies in */
    unsigned char *before = arena_alloc(m->arena, (size_t)n + 1);
    for (int i = 0; i < g->nout; i++) {
        Value *v = g->out[i], *r = base_of(v);
        if (r->kind != V_NODE || !is_dense(r) || before[r->id] & LEAD)
            copy_output(g, i, before[v->id] & VALUE);
        else
            before[r->id] |= LEAD, before[v->id] |= VALUE;
        if (write && is_carried(r)) move_before(g->last, write);
    }
    copy_found(m, write);
}

/* With --taps every value becomes an output, in the order of execution. */
static void tap_everything(Module *m) {
    Graph *g = m->main;
    List all = {0};
    for (int i = 0; i < g->nout; i++) push(m->arena, &all, g->out[i]);
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (n->out[i] && !is_output(n->out[i]) && !n->op->view) push(m->arena, &all, n->out[i]);
    set_outputs(g, &all);
}

/* ---- kernels nobody needs: those of shapes that views have, which no code reads ---- */

static void want(Value *v) { base_of(v)->plan.wanted = true; }

static bool idle(const Kernel *k) {
    for (int i = 0; i < k->nnode; i++)
        if (stays(k->node[i])) return false;
    for (int i = k->nread; i < k->nread + k->nwritten; i++)
        if (k->arg[i]->kind != V_NODE || base_of(k->arg[i])->plan.wanted) return false;
    return true;
}

/* Whether nothing follows from a number in a loop's body but where rows are, and `next`, its own next one. */
static bool only_places(const Graph *body, const Value *v, const Node *next, int depth) {
    for (int i = 0; i < body->nout; i++)
        if (body->out[i] == v) return false;
    for (const Node *x = body->first; x; x = x->next)
        for (int i = 0; i < x->nin; i++) {
            if (x->in[i] != v || x == next || (x->row && i == 1)) continue;
            bool number = x->op->kind == K_MAP && !x->kernel && type_count(&x->out[0]->type) == 1;
            if (!number || !depth || !only_places(body, x->out[0], next, depth - 1)) return false;
        }
    return true;
}

/* Whether carried value k is a number that the code of rows takes from the loop itself. */
static bool only_counts(const Node *loop, int k) {
    enum { DEPTH = 4 };
    const Graph *body = loop_body(loop);
    const Value *v = body->in[LOOP_CARRIED + k], *next = body->out[BODY_CARRIED + k];
    Affine at;
    if (on_device(body->module) || body->regions || loop->out[k]->uses || next->kind != V_NODE || next->uses != 1)
        return false;
    return is_int(v->type.dtype) && affine_in_loop(loop, body->in[LOOP_CARRIED + k], &at) && !next->def->kernel &&
           only_places(body, v, next->def, DEPTH);
}

static void want_carried(const Node *loop) {
    for (int k = 0; k < loop_carried(loop); k++)
        if (!only_counts(loop, k)) want(loop->out[k]), want(loop_body(loop)->out[BODY_CARRIED + k]);
}

/* Whether input i of a Loop is the beginning of what its code does not carry. */
static bool is_left_out(const Node *n, int i) {
    int k = i - LOOP_CARRIED;
    return IS(n, Loop) && k >= 0 && k < loop_carried(n) && !base_of(n->out[k])->plan.wanted;
}

static void drop_idle_kernels(Graph *g) {
    int first = g->owner && IS(g->owner, Loop) ? BODY_CARRIED + loop_carried(g->owner) : 0;
    if (first) want(g->out[BODY_COND]), want_carried(g->owner);
    for (int i = first; i < g->nout; i++) want(g->out[i]);
    for (Node *n = g->last; n; n = n->prev) {
        bool control = IS(n, If) || IS(n, Loop);
        for (int i = 0; control && i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) drop_idle_kernels(n->attr[i].graph);
        for (int i = 0; control && i < n->nin; i++)
            if (n->in[i] && !is_left_out(n, i)) want(n->in[i]);
        Kernel *k = n->code;
        if (!k) continue;
        if (idle(k)) n->code = NULL;
        for (int i = 0; n->code && i < k->nread; i++) want(k->arg[i]);
    }
}

/* ---- steps and lives ---- */

static void touch(Value *v, int step) {
    Value *base = v->plan.base;
    if (step < base->plan.first) base->plan.first = step;
    if (step > base->plan.last) base->plan.last = step;
}

static void start_life(Value *v, void *unused) {
    (void)unused;
    v->plan.base = v->plan.buffer = base_of(v), v->plan.shift = 0, v->plan.row = row_of(v);
    v->plan.first = INT32_MAX, v->plan.last = -1, v->plan.offset = -1, v->plan.home = HOME_NONE;
    v->plan.handed = false;
}

static void number_steps(Module *m, Graph *g);

static void step_if(Module *m, Node *n) {
    touch(n->in[0], m->steps);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        Graph *branch = n->attr[i].graph;
        if (!branch) continue;
        number_steps(m, branch);
        int end = m->steps++;
        for (int j = 0; j < branch->nout; j++) {
            touch(branch->out[j], end);
            if (n->out[j]) touch(n->out[j], end);
        }
    }
}

/* Whether v is a number of iterations or a condition that code holds itself. */
static bool is_told(const Value *v, bool control) { return control && is_known(v) && v->data->count == 1; }

static void keep(Value *v, const Graph *body, int end) {
    bool stored = v->graph || v->kind != V_NODE;
    if (stored && v->plan.base && !lies_in(v->plan.base->graph, body)) touch(v, end);
}

/* What control flow in a body reads, its own or that of loops and branches in it. */
static void keep_control(const Graph *g, const Graph *body, int end) {
    for (const Node *n = g->regions ? g->first : NULL; n; n = n->next) {
        if (!IS(n, If) && !IS(n, Loop)) continue;
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && !is_told(n->in[i], i < LOOP_CARRIED) && !is_left_out(n, i)) keep(n->in[i], body, end);
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) keep_control(n->attr[i].graph, body, end);
    }
    bool loop = IS(g->owner, Loop);
    for (int i = 0; i < g->nout; i++)
        if (!is_told(g->out[i], loop && i == BODY_COND)) keep(g->out[i], body, end);
}

static void touch_results(const Node *loop, int step) {
    for (int i = 0; i < loop->nout; i++)
        if (loop->out[i] && !is_left_out(loop, LOOP_CARRIED + i)) touch(loop->out[i], step);
}

/* A first step fills what is carried, a last one hands it on. What an iteration reads from outside lives until then. */
static void step_loop(Module *m, Node *n) {
    Graph *body = loop_body(n);
    int begin = m->steps++, first = m->kernel_list.n;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && !is_told(n->in[i], i < LOOP_CARRIED) && !is_left_out(n, i)) touch(n->in[i], begin);
    touch_results(n, begin);
    number_steps(m, body);
    int end = m->steps++;
    for (int i = 0; i < body->nout; i++)
        if (!is_told(body->out[i], i == BODY_COND) && !is_left_out(n, i - BODY_CARRIED + LOOP_CARRIED))
            touch(body->out[i], end);
    for (int i = 0; i < loop_carried(n); i++) body->out[BODY_CARRIED + i]->plan.base->plan.handed = true;
    touch_results(n, end);
    for (int i = first; i < m->kernel_list.n; i++) {
        const Kernel *k = m->kernel_list.at[i];
        for (int j = 0; j < k->narg; j++) keep(k->arg[j], body, end);
    }
    keep_control(body, body, end);
}

static void number_steps(Module *m, Graph *g) {
    for (Node *n = g->first; n; n = n->next) {
        if (n == m->second) m->second_step = m->steps;
        if (IS(n, If) || IS(n, Loop)) {
            (IS(n, If) ? step_if : step_loop)(m, n);
            continue;
        }
        Kernel *k = n->code;
        if (!k) continue;
        k->step = m->steps++;
        push(m->arena, &m->kernel_list, k);
        for (int i = 0; i < k->narg; i++)
            if (k->arg[i]->graph || k->arg[i]->kind != V_NODE) touch(k->arg[i], k->step);
        for (int i = 0; i < k->scratch.n; i++) {
            Value *s = k->scratch.at[i];
            s->plan.base = s->plan.buffer = s, s->plan.first = s->plan.last = k->step;
        }
    }
}

/* ---- homes ---- */

static void add_buffer(Module *m, Value *v, void *unused) {
    (void)unused;
    if (v->plan.buffer != v || v->plan.home != HOME_NONE || v->plan.last < 0 || v->kind != V_NODE) return;
    v->plan.home = HOME_ARENA;
    push(m->arena, &m->buffers, v);
}

typedef struct {
    void (*f)(Module *, Value *, void *);
    void *arg;
} Visit;

static void visit_stored(Graph *g, void *arg) {
    const Visit *v = arg;
    for (int i = 0; i < g->nin; i++) v->f(g->module, g->in[i], v->arg);
    for (Node *n = g->first; n; n = n->next) {
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) v->f(g->module, n->out[i], v->arg);
        for (int i = 0; n->code && i < n->code->scratch.n; i++) v->f(g->module, n->code->scratch.at[i], v->arg);
    }
}

void each_stored(Module *m, void (*f)(Module *, Value *, void *), void *arg) {
    each_graph(m, visit_stored, &(Visit){f, arg});
}

static void home_outside(Module *m) {
    Graph *g = m->main;
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        v->plan.home = v->train.block ? HOME_BLOCK : HOME_WEIGHTS;
    }
    for (int i = 0; i < g->nin; i++) g->in[i]->plan.home = HOME_INPUT, g->in[i]->plan.slot = i;
    for (int i = 0; i < g->nout; i++)
        g->out[i]->plan.base->plan.home = HOME_OUTPUT, g->out[i]->plan.base->plan.slot = i;
}

/* ---- placing -------------------------------------------------------------------------------------------------------
 */

/* Elementary steps that placing may take: some 0.05 s; -O3 waits longer. */
enum { EFFORT = 50000000, MORE_EFFORT = 20 };

/* Where threads wait for each other has a line of the cache of its own. */
static void leave_room_to_meet(Module *m) {
    for (int i = 0; i < m->buffers.n; i++) ((Value *)m->buffers.at[i])->plan.offset += BUFFER_ALIGN;
    m->arena_bytes += BUFFER_ALIGN, m->bound_bytes += BUFFER_ALIGN;
}

static void place(Module *m) {
    int n = m->buffers.n;
    int64_t effort = m->opt->level > 2 ? (int64_t)EFFORT * MORE_EFFORT : EFFORT;
    Interval *life = NEW_ARRAY(m->arena, Interval, n + 1);
    for (int i = 0; i < n; i++) {
        const Value *v = m->buffers.at[i];
        life[i] = (Interval){v->plan.begin, v->plan.end, aligned_size(value_bytes(v)), 0};
    }
    m->bound_bytes = live_bound(m->arena, life, n, &m->peak);
    m->arena_bytes = place_intervals(m->arena, life, n, &effort);
    for (int i = 0; i < n; i++) ((Value *)m->buffers.at[i])->plan.offset = life[i].offset;
    if (m->opt->level > 0 && !m->opt->taps) obey_places(m, life); /* else other values have buffers */
    if (m->meets) leave_room_to_meet(m);
    for (int i = 0; i < m->aliases.n; i++) {
        Value *v = m->aliases.at[i];
        v->plan.home = v->plan.buffer->plan.home;
        if (v->plan.home == HOME_ARENA) v->plan.offset = v->plan.buffer->plan.offset + v->plan.shift;
    }
    if (!m->opt->level) tell_ignored_places(m);
}

static void lower_graph(Graph *g, void *unused) {
    (void)unused;
    List kernels = {0};
    kernels_of(g->module, g, &kernels);
    for (int i = 0; i < kernels.n; i++) schedule(kernels.at[i]);
}

void pass_plan(Module *m) {
    if (m->opt->taps) tap_everything(m);
    give_outputs_storage(m);
    split_functions(m);
    count_uses(m);
    if (m->opt->level && !on_device(m)) each_graph(m, find_in_loops, NULL);
    each_graph(m, lower_graph, NULL);
    drop_idle_kernels(m->main);
    choose_divided(m);
    m->steps = 0, m->kernel_list.n = 0, m->buffers.n = 0, m->aliases.n = 0;
    each_value(m, start_life, NULL);
    number_steps(m, m->main);
    if (!m->second) m->second_step = m->steps;
    home_outside(m);
    lay_out_state(m);
    share_buffers(m);
    each_stored(m, add_buffer, NULL);
    place(m);
    check_plan(m);
    check_ram(m);
    m->planned = true;
}
