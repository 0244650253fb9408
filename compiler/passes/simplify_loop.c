/* simplify_loop.c - loops as tight as recurrent operators: what does not depend on the iteration, or on the one before
 * it, is computed outside. */
#include "control/control.h"
#include "control/trips.h"
#include "ir/build.h"
#include "ops/ops.h"
#include "passes/simplify.h"

static bool is_outside(const Graph *body, const Value *v) { return !v || !lies_in(v->graph, body); }

bool rule_loop_invariant(Rewrite *r, Node *n) {
    int moved = hoist_invariants(n);
    r->m->fuel -= moved;
    return moved > 0;
}

/* ---- products of elements ---- */

/* All elements, one behind the other along dim 0. */
static Value *all_elements(Rewrite *r, Node *loop, Node *g) {
    Value *x = in_of(g, 0);
    int perm[MAX_RANK], axis = (int)attr_axis(g, "axis", x->type.rank), n = 0;
    perm[n++] = axis;
    for (int i = 0; i < x->type.rank; i++)
        if (i != axis) perm[n++] = i;
    return transposed(r, loop, x, perm);
}

/* An elementwise node costs nothing outside if it can be written over its operand. */
static Value *elementwise_of_all(Rewrite *r, Node *loop, Node *x) {
    Value **in = NEW_ARRAY(r->m->arena, Value *, x->nin);
    bool any = false;
    for (int i = 0; i < x->nin; i++) {
        Node *g = loop_element(loop, in_of(x, i));
        bool same = g && x->in[i]->type.rank == x->out[0]->type.rank;
        if (g ? !same || g->in[0]->uses > 1 || g->out[0]->uses > 1 : !is_outside(loop_body(loop), x->in[i]))
            return NULL;
        if (!g && x->in[i]->type.rank > x->out[0]->type.rank) return NULL;
        any = any || g;
    }
    if (!any) return NULL;
    for (int i = 0; i < x->nin; i++) {
        Node *g = loop_element(loop, x->in[i]);
        in[i] = g ? all_elements(r, loop, g) : x->in[i];
    }
    return typed(r, insert_like(r, loop, x, x->nin, in));
}

static Value *matmul_of_all(Rewrite *r, Node *loop, Node *x) {
    Node *g = loop_element(loop, in_of(x, 0));
    const Value *w = in_of(x, 1);
    if (!g || !is_outside(loop_body(loop), w) || w->type.rank != 2 || !x->in[0]->type.rank) return NULL;
    return typed(r, insert_like(r, loop, x, 2, (Value *[]){all_elements(r, loop, g), x->in[1]}));
}

static Value *gemm_of_all(Rewrite *r, Node *loop, Node *x) {
    Node *g = loop_element(loop, in_of(x, 0));
    Value *w = in_of(x, 1), *c = attr_f(x, "beta") != 0 ? in_of(x, 2) : NULL;
    bool plain = attr_f(x, "alpha") == 1 && !attr_i(x, "transA") && (!c || attr_f(x, "beta") == 1);
    if (!g || !plain || !is_outside(loop_body(loop), w) || !is_outside(loop_body(loop), c)) return NULL;
    if (attr_i(x, "transB")) w = transposed(r, loop, w, (int[]){1, 0});
    Node *product = insert(r, loop, &ops[OP_MatMul], 2, (Value *[]){all_elements(r, loop, g), w});
    comes_from(product, x, x);
    Value *y = typed(r, product);
    return c ? typed(r, insert(r, loop, &ops[OP_Add], 2, (Value *[]){y, c})) : y;
}

/* The type with another dim in front, or with the first two as one. */
static Type with_dim(const Type *t, Dim d) {
    Type y = *t;
    memmove(y.dim + 1, y.dim, sizeof *y.dim * (size_t)t->rank);
    y.rank++, y.dim[0] = d;
    return y;
}

static Type joined(const Type *t) {
    Type y = *t;
    memmove(y.dim + 1, y.dim + 2, sizeof *y.dim * (size_t)(t->rank - 2));
    y.rank--;
    y.dim[0].max = t->dim[0].max * t->dim[1].max;
    if (!y.dim[0].symbol) y.dim[0].symbol = t->dim[1].symbol;
    return y;
}

static Value *view_of_all(Rewrite *r, Node *loop, Node *x) {
    Node *g = loop_element(loop, in_of(x, 0));
    if (!g || x->out[0]->type.rank + 1 > MAX_RANK) return NULL;
    Type y = with_dim(&x->out[0]->type, loop_trips(loop).most);
    return reshaped(r, loop, all_elements(r, loop, g), &y);
}

static Value *transpose_of_all(Rewrite *r, Node *loop, Node *x) {
    Node *g = loop_element(loop, in_of(x, 0));
    int perm[MAX_RANK], of_all[MAX_RANK + 1] = {0};
    if (!g || x->out[0]->type.rank + 1 > MAX_RANK) return NULL;
    perm_of(x, perm);
    for (int i = 0; i < x->out[0]->type.rank; i++) of_all[i + 1] = perm[i] + 1;
    return transposed(r, loop, all_elements(r, loop, g), of_all);
}

/* The elements lie along the batch. */
static Value *conv_of_all(Rewrite *r, Node *loop, Node *x) {
    Node *g = loop_element(loop, in_of(x, 0));
    Value *in[3] = {NULL, in_of(x, 1), in_of(x, 2)};
    const Graph *body = loop_body(loop);
    if (!g || !is_outside(body, in[1]) || !is_outside(body, in[2])) return NULL;
    Value *all = all_elements(r, loop, g);
    Dim steps = all->type.dim[0];
    if (steps.symbol && all->type.dim[1].symbol) return NULL;
    Type flat = joined(&all->type), y = with_dim(&x->out[0]->type, steps);
    in[0] = reshaped(r, loop, all, &flat);
    return in[0] ? reshaped(r, loop, typed(r, insert_like(r, loop, x, in[2] ? 3 : 2, in)), &y) : NULL;
}

static Value *of_all(Rewrite *r, Node *loop, Node *x) {
    if (x->nout != 1 || !x->out[0] || x->kernel) return NULL;
    if (IS(x, MatMul)) return matmul_of_all(r, loop, x);
    if (IS(x, Gemm)) return gemm_of_all(r, loop, x);
    if (IS(x, Conv)) return conv_of_all(r, loop, x);
    if (IS(x, Transpose)) return transpose_of_all(r, loop, x);
    if (is_view(x)) return view_of_all(r, loop, x);
    return x->op->kind == K_MAP ? elementwise_of_all(r, loop, x) : NULL;
}

static Node *gather_under(Node *x) {
    for (int i = 0; i < x->nin; i++)
        if (x->in[i] && x->in[i]->kind == V_NODE && IS(x->in[i]->def, Gather)) return x->in[i]->def;
    return NULL;
}

bool rule_loop_product(Rewrite *r, Node *n) {
    if (r->m->segments > 1 && loop_body(n)->regions) return false; /* a segment is to take little memory */
    for (Node *x = loop_body(n)->first; x; x = x->next) {
        Node *g = gather_under(x);
        Value *index = g ? in_of(g, 1) : NULL, *all = index ? of_all(r, n, x) : NULL;
        if (!all) continue;
        Value *y = typed(r, insert(r, x, &ops[OP_Gather], 2, (Value *[]){all, index}));
        y->def->origin = node_origin(g);
        redirect(r, x, 0, y);
        drop(r, x);
        return true;
    }
    return false;
}

/* ---- parts ---- */

/* Outside, parts lie in the whole if nothing has to be copied; in a loop a copy would be made again and again. */
bool rule_loop_split(Rewrite *r, Node *n) {
    const Node *owner = n->graph->owner;
    if (!owner || !IS(owner, Loop)) return false;
    int axis = (int)attr_axis(n, "axis", n->in[0]->type.rank);
    int64_t at = 0;
    for (int i = 0; i < n->nout; i++)
        if (!n->out[i] || n->out[i]->type.dim[axis].symbol) return false;
    Value *axes = const_ints(r->m, 1, (int64_t[]){axis});
    const char *origin = node_origin(n);
    for (int i = 0; i < n->nout; i++) {
        int64_t end = at + n->out[i]->type.dim[axis].max;
        Value *from = const_ints(r->m, 1, &at), *to = const_ints(r->m, 1, &end);
        Value *y = typed(r, insert(r, n, &ops[OP_Slice], 4, (Value *[]){n->in[0], from, to, axes}));
        y->def->origin = origin;
        redirect(r, n, i, y);
        at = end;
    }
    drop(r, n);
    return true;
}

/* ---- the last row ---- */

/* The carried value that a scan output's rows are; -1: none. */
static int carried_row(const Node *loop, int k) {
    const Graph *body = loop_body(loop);
    const Value *row = behind_identities(body->out[BODY_CARRIED + k]);
    for (int i = 0; i < loop_carried(loop); i++)
        if (behind_identities(body->out[BODY_CARRIED + i]) == row) return i;
    return -1;
}

static bool is_number(Node *n, int i, int64_t *x) {
    int count;
    return in_of(n, i) && known_ints(n->in[i], 1, &count, x) && count == 1;
}

/* Whether a Gather or Slice takes the last of so many rows. */
static bool takes_last(Node *n, Dim rows) {
    int64_t at, end = 0, axis = 0, step = 1;
    if (!is_number(n, 1, &at) || (rows.symbol ? at != -1 : at != -1 && at != rows.max - 1)) return false;
    if (IS(n, Gather)) return n->in[1]->type.rank == 0 && attr_axis(n, "axis", n->in[0]->type.rank) == 0;
    if (in_of(n, 3) && !is_number(n, 3, &axis)) return false;
    if (in_of(n, 4) && !is_number(n, 4, &step)) return false;
    return is_number(n, 2, &end) && end >= rows.max && axis == 0 && step == 1;
}

bool rule_loop_last_row(Rewrite *r, Node *n) {
    Node *loop = maker(n, in_of(n, 0));
    if (!loop || !IS(loop, Loop) || n->in[0]->result < loop_carried(loop) || rows_from_end(loop)) return false;
    Trips trips = loop_trips(loop);
    int k = carried_row(loop, n->in[0]->result);
    if (k < 0 || !trips.exact || trips.most.max < 1 || !takes_last(n, trips.most)) return false;
    Value *y = reshaped(r, n, loop->out[k], &n->out[0]->type);
    return y && become(r, n, y);
}

/* ---- results that nobody reads ---- */

typedef struct {
    const Node *loop;
    List todo; /* Value*: to be followed */
    Map *seen;
    bool *kept; /* by carried value */
} Live;

static void follow(Live *l, Value *v) {
    v = resolve(v);
    if (!v || !v->graph || map_get(l->seen, v->name)) return;
    map_set(l->seen, v->name, v);
    push(v->graph->module->arena, &l->todo, v);
}

static void follow_node(Live *l, const Node *n) {
    for (int i = 0; i < n->nin; i++) follow(l, n->in[i]);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Graph *g = n->attr[i].graph;
        for (const Node *x = g ? g->first : NULL; x; x = x->next) follow_node(l, x);
        for (int k = 0; g && k < g->nout; k++) follow(l, g->out[k]);
    }
}

/* Which carried values results follow from that somebody reads. Regions that are still there read what they read. */
static void find_live(Live *l) {
    const Graph *body = loop_body(l->loop);
    int carried = loop_carried(l->loop);
    follow(l, body->out[BODY_COND]);
    for (const Node *x = body->first; x; x = x->next)
        if (has_regions(x)) follow_node(l, x);
    for (int k = 0; k < l->loop->nout; k++)
        if (l->loop->out[k] && l->loop->out[k]->uses) follow(l, body->out[BODY_CARRIED + k]);
    for (int k = 0; k < carried; k++) l->kept[k] = l->loop->out[k]->uses > 0;
    while (l->todo.n) {
        Value *v = l->todo.at[--l->todo.n];
        if (v->kind == V_NODE && v->graph == body) follow_node(l, v->def);
        int k = v->kind == V_INPUT && v->graph == body ? v->result - LOOP_CARRIED : -1;
        if (k < 0 || l->kept[k]) continue;
        l->kept[k] = true;
        follow(l, body->out[BODY_CARRIED + k]);
    }
}

static void forget_read(Value *v) {
    if (v && (v = resolve(v))->uses > 0) v->uses--;
}

bool rule_loop_unread(Rewrite *r, Node *n) {
    Graph *body = loop_body(n);
    int carried = loop_carried(n), before = n->nout;
    Live l = {.loop = n, .seen = map_new(r->m->arena), .kept = NEW_ARRAY(r->m->arena, bool, carried + 1)};
    bool any = false;
    for (int k = 0; k < n->nout; k++) any = any || !n->out[k] || !n->out[k]->uses;
    if (!any) return false;
    find_live(&l);
    for (int k = n->nout - 1; k >= 0; k--) {
        if (k < carried ? l.kept[k] : n->out[k] && n->out[k]->uses) continue;
        forget_read(body->out[BODY_CARRIED + k]);
        if (k < carried) forget_read(n->in[LOOP_CARRIED + k]);
        drop_loop_result(n, k);
    }
    return n->nout < before;
}
