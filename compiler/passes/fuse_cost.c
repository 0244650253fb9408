/* fuse_cost.c - what it costs and saves to compute elements where they are read.
 *
 * Apart, a value is stored once and loaded wherever it is read; in one kernel it is computed each time an element is
 * asked for. Lowering asks once per loop nest that depends on it: the reductions of the kernel are such nests, and the
 * loops over its results. Within a nest a value is computed in the innermost loop it depends on: [rows, 1] once a row,
 * but [1, columns] again in every row. */
#include "fuse.h"

enum { MOST_NODES = KERNEL_NODES, SMALL_PRODUCT = 4096, SLOW = 4 };

/* Operations that a byte to or from memory is worth; the work of a call and of a division, where an addition is 1;
 * bytes that a step less is worth. */
static const double byte_worth = 0.5, call_work = 20, divide_work = 4, step_bytes = 64;

const char *const fuse_reasons[WHY_COUNT] = {
#define REASON(id, text) text,
#include "fuse_reasons.def"
#undef REASON
};

/* ---- how operators with loop nests go through their inputs ---- */

typedef enum { WALK_OWN, WALK_PRODUCT, WALK_WINDOW, WALK_MOVE } Walk;

/* Products add `terms` up for every element; windows too; moves take every element from one place. */
static int64_t matmul_terms(const Node *n) { return n->in[0]->type.dim[n->in[0]->type.rank - 1].max; }
static int64_t gemm_terms(const Node *n) { return n->in[0]->type.dim[!attr_i(n, "transA")].max; }

static int64_t kernel_terms(const Node *n) {
    int64_t count = 1;
    Window w = window_of((Node *)(uintptr_t)n);
    for (int i = 0; i < w.n; i++) count *= w.kernel[i];
    return count;
}

static int64_t conv_terms(const Node *n) {
    int64_t results = n->in[1]->type.dim[0].max;
    return results ? type_count(&n->in[1]->type) / results : 0;
}

static int64_t transpose_terms(const Node *n) {
    return kernel_terms(n) * n->in[1]->type.dim[0].max / attr_i(n, "group");
}

static const struct {
    int op;
    Walk walk;
    int64_t (*terms)(const Node *);
} walks[] = {
    {OP_Conv, WALK_PRODUCT, conv_terms},
    {OP_ConvInteger, WALK_PRODUCT, conv_terms},
    {OP_ConvTranspose, WALK_PRODUCT, transpose_terms},
    {OP_MatMul, WALK_PRODUCT, matmul_terms},
    {OP_MatMulInteger, WALK_PRODUCT, matmul_terms},
    {OP_Gemm, WALK_PRODUCT, gemm_terms},
    {OP_MaxPool, WALK_WINDOW, kernel_terms},
    {OP_AveragePool, WALK_WINDOW, kernel_terms},
    {OP_LpPool, WALK_WINDOW, kernel_terms},
    {OP_Transpose, WALK_MOVE, NULL},
    {OP_Slice, WALK_MOVE, NULL},
    {OP_Pad, WALK_MOVE, NULL},
    {OP_Expand, WALK_MOVE, NULL},
    {OP_Tile, WALK_MOVE, NULL},
    {OP_Trilu, WALK_MOVE, NULL},
    {OP_CenterCropPad, WALK_MOVE, NULL},
    {OP_DepthToSpace, WALK_MOVE, NULL},
    {OP_SpaceToDepth, WALK_MOVE, NULL},
};

static Walk walk_of(const Node *n) {
    for (int i = 0; i < COUNT(walks); i++)
        if (n->op == &ops[walks[i].op]) return walks[i].walk;
    return WALK_OWN;
}

static int64_t terms_of(const Node *n) {
    for (int i = 0; i < COUNT(walks); i++)
        if (n->op == &ops[walks[i].op] && walks[i].terms) return walks[i].terms(n);
    return 1;
}

/* ---- groups ---- */

bool elementwise(const Node *n) { return n->op->kind == K_MAP || IS(n, Cast); }

static bool simple(const Node *n) { return elementwise(n) || n->op->kind == K_RED; }

static bool has_nest(const Node *n) { return n->op->kind == K_OP && n->op->at && !n->op->lower && !n->op->view; }

Group group_of(Node *n) {
    Group g = {n, n, 0, NULL, NULL};
    while (n->kernel && g.first->prev && g.first->prev->kernel == n->kernel) g.first = g.first->prev;
    while (n->kernel && g.last->next && g.last->next->kernel == n->kernel) g.last = g.last->next;
    for (Node *p = g.first;; p = p->next) {
        g.n++;
        if (!simple(p) && (!g.nest || walk_of(p) != WALK_MOVE)) g.nest = p;
        if (p->op->kind == K_RED) g.reduction = p;
        if (p == g.last) return g;
    }
}

bool in_group(const Group *g, const Node *n) {
    for (const Node *p = g->first;; p = p->next) {
        if (p == n) return true;
        if (p == g->last) return false;
    }
}

int uses_in(const Group *g, const Value *v) {
    int n = 0;
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nin; i++) n += p->in[i] == v;
        if (p == g->last) return n;
    }
}

static bool stored(const Group *g, const Value *v) { return v->uses > uses_in(g, v); }

/* Whether the group's only result for others is v. */
static bool gives_only(const Group *g, const Value *v) {
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nout; i++)
            if (p->out[i] && p->out[i] != v && stored(g, p->out[i])) return false;
        if (p == g->last) return true;
    }
}

/* ---- work ---- */

static double count_of(const Value *v) {
    double n = (double)type_count(&v->type);
    return n > 0 ? n : 1;
}

static bool keeps_last_dim(const Node *n) {
    if (IS(n, DepthToSpace) || IS(n, SpaceToDepth)) return false;
    int rank = n->out[0]->type.rank;
    if (!IS(n, Transpose) || !rank) return true;
    const Attr *perm = attr(n, "perm");
    return perm->n ? perm->ints[rank - 1] == rank - 1 : rank == 1;
}

/* How many times slower arithmetic gets that is done along with the nest: it is not vectorised where elements come from
 * here and there. */
static double slowdown(const Node *nest) {
    if (!nest) return 1;
    Walk w = walk_of(nest);
    return w == WALK_OWN || (w == WALK_MOVE && !keeps_last_dim(nest)) ? SLOW : 1;
}

double work_of(const Op *op) {
    static const char *const quick[] = {"fabs(", "floor(", "ceil(", "rint(", "trunc(", "sqrt("};
    double work = 1;
    if (op->kind != K_MAP) return work;
    for (int i = 0; i < COUNT(quick); i++)
        if (!strncmp(op->c, quick[i], strlen(quick[i]))) return i == COUNT(quick) - 1 ? divide_work : work;
    for (const char *s = op->c; *s; s++) {
        if (*s == '/' && work < divide_work) work = divide_work;
        if (*s == '(' && s > op->c && s[-1] >= 'a' && s[-1] <= 'z') work = call_work;
    }
    return work;
}

static void mark(Fuse *f, const Value *v) { f->mark[v->id] = 1; }
static bool marked(const Fuse *f, const Value *v) { return v && f->mark[v->id]; }

static void clear_marks(Fuse *f, const Group *g) {
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nin; i++)
            if (p->in[i]) f->mark[p->in[i]->id] = 0;
        for (int i = 0; i < p->nout; i++)
            if (p->out[i]) f->mark[p->out[i]->id] = 0;
        if (p == g->last) return;
    }
}

/* Work and bytes loaded for one element of a value of a group; the same elements are asked for together. */
typedef struct {
    double work, bytes;
} Price;

static double own_work(const Node *n) {
    if (n->op->kind == K_RED) return count_of(n->in[0]) / count_of(n->out[0]);
    if (simple(n)) return work_of(n->op);
    return walk_of(n) == WALK_OWN ? call_work : (double)terms_of(n);
}

/* From v backwards. What has fewer elements than v is computed in an outer loop, and does not count. */
static Price price_of(Fuse *f, const Group *g, const Value *v) {
    Price p = {0, 0};
    clear_marks(f, g);
    mark(f, v);
    for (const Node *n = g->last;; n = n->prev) {
        double share = n->nout && n->out[0] ? count_of(n->out[0]) / count_of(v) : 0;
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
            if (!marked(f, x) || (x->def && in_group(g, x->def)) || count_of(x) < count_of(v)) continue;
            p.bytes += dtypes[x->type.dtype].bytes * count_of(x) / count_of(v);
            f->mark[x->id] = 0;
        }
        if (n == g->last) break;
    }
    clear_marks(f, g);
    return p;
}

/* ---- how often an element is asked for ---- */

static bool unit(Dim d) { return d.max == 1 && !d.symbol; }

/* In loops over t, those over `inner` dims (NULL: none) inside the others: evaluations of an element of v. */
static double evaluations(const Value *v, const Type *t, const bool *inner) {
    double done = 1, needed = 1;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < t->rank; i++) {
            int mine = i - (t->rank - v->type.rank);
            if ((inner && inner[i]) != (pass == 1)) continue;
            done *= (double)t->dim[i].max;
            if (mine >= 0 && !unit(v->type.dim[mine])) needed = done;
        }
    return needed / count_of(v);
}

/* Whether v is the same along all that is reduced: then it is computed outside, with the reduction's result. */
static bool constant_along(const Value *v, const Type *t, const bool *mask) {
    for (int i = 0; i < v->type.rank; i++)
        if (mask[t->rank - v->type.rank + i] && !unit(v->type.dim[i])) return false;
    return true;
}

Value *row_value(Node *n) {
    const Value *v = n->in[0];
    const Type *t = &v->type;
    bool mask[MAX_RANK] = {false};
    int last = t->rank - 1;
    if (n->op->kind != K_RED || !v->def || work_of(v->def->op) < call_work || !known_axes(n, 1, t->rank, mask))
        return NULL;
    if (last < 0 || !mask[last] || t->dim[last].symbol || t->dim[last].max > ROW_ELEMENTS) return NULL;
    for (int i = 0; i < last; i++)
        if (mask[i] && !unit(t->dim[i])) return NULL;
    return n->in[0];
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

static double new_loops(Loops *seen, const Value *v, const Type *t) {
    for (int i = 0; i < seen->n; i++)
        if (same_shape(seen->shape[i], t)) return 0;
    if (seen->n < COUNT(seen->shape)) seen->shape[seen->n++] = t;
    return evaluations(v, t, NULL);
}

/* Evaluations of an element of v by a node that reads what is marked, if its loops are where that happens; otherwise
 * the mark is handed on to the result. */
static double evaluations_at(Fuse *f, const Group *g, Node *n, const Value *v, Loops *seen) {
    bool mask[MAX_RANK] = {false};
    const Type *t = &n->in[0]->type;
    if (!simple(n)) return count_of(n->out[0]) * (double)terms_of(n) / count_of(v) * slowdown(n);
    if (n->op->kind == K_RED && (!known_axes(n, 1, t->rank, mask) || !constant_along(v, t, mask)))
        return evaluations(v, t, mask);
    if (kept_in_row(g, n->out[0])) return 1;
    mark(f, n->out[0]);
    return stored(g, n->out[0]) ? new_loops(seen, v, &n->out[0]->type) : 0;
}

static bool reads_marked(const Fuse *f, const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (marked(f, n->in[i])) return true;
    return false;
}

/* How often an element of v is computed if the group, which reads v, does that for itself. */
static double asked(Fuse *f, const Group *g, const Value *v) {
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

/* ---- the verdict ---- */

static double arithmetic(const Group *g, const Value *v) {
    double work = 0;
    for (const Node *n = g->first;; n = n->next) {
        if (elementwise(n)) work += work_of(n->op) * count_of(n->out[0]) / count_of(v);
        if (n == g->last) return work;
    }
}

/* `times` an element is computed in place of once. */
static Verdict by_cost(Fuse *f, const Group *p, const Group *c, const Value *v, double times) {
    Price price = price_of(f, p, v);
    Verdict d = {WHY_JOIN, times,
                 dtypes[v->type.dtype].bytes * (1 + times) + price.bytes * (1 - times) + step_bytes / count_of(v),
                 price.work * (times - 1) + (c ? (slowdown(p->nest) - 1) * arithmetic(c, v) : 0)};
    if (d.work >= byte_worth * d.saved) d.why = WHY_COST;
    return d;
}

/* Bytes of what is computed for the group alone: they are free behind it. */
static int64_t dying_bytes(const Group *g) {
    int64_t bytes = 0;
    for (const Node *n = g->first;; n = n->next) {
        for (int i = 0; i < n->nin; i++) {
            const Value *x = n->in[i];
            bool again = false;
            for (int j = 0; j < i; j++) again = again || n->in[j] == x;
            if (x && !again && x->kind == V_NODE && x->graph == n->graph && !in_group(g, x->def) && !stored(g, x))
                bytes += value_bytes(x);
        }
        if (n == g->last) return bytes;
    }
}

static Why cannot_produce(const Node *n) {
    if (simple(n)) return WHY_JOIN;
    if (n->op->view) return WHY_VIEW;
    return has_nest(n) && n->nout == 1 ? WHY_JOIN : WHY_WHOLE;
}

static Why cannot_read(const Node *n, const Value *v) {
    if (IS(n, Copy)) return WHY_COPY;
    if (simple(n)) return n->op->kind == K_RED && n->in[0] != v ? WHY_OWN_ORDER : WHY_JOIN;
    if (n->op->view) return WHY_VIEW;
    if (!has_nest(n) || n->nout != 1 || walk_of(n) == WALK_OWN) return WHY_OWN_ORDER;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v && i > (walk_of(n) == WALK_PRODUCT)) return WHY_OWN_ORDER;
    return WHY_JOIN;
}

static bool reads(const Node *n, const Value *v) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v) return true;
    return false;
}

static Why none_can_read(const Group *g, const Value *v) {
    for (const Node *n = g->first;; n = n->next) {
        Why why = reads(n, v) ? cannot_read(n, v) : WHY_JOIN;
        if (why || n == g->last) return why;
    }
}

static bool read_in_shape(const Group *g, const Value *v) {
    for (const Node *n = g->first;; n = n->next) {
        if (reads(n, v) && !same_shape(&v->type, &n->out[0]->type)) return false;
        if (n == g->last) return true;
    }
}

/* Operators with nests next to each other: a move can be read by a move or a window, an epilogue follows anything that
 * it asks for each element once. */
static Why nests_clash(const Group *p, const Group *c, const Value *v, double times) {
    bool move = p->nest && walk_of(p->nest) == WALK_MOVE, into = c->nest && reads(c->nest, v);
    if (p->nest && c->nest && !(move && into && walk_of(c->nest) != WALK_PRODUCT)) return WHY_NESTS;
    if (p->reduction && c->nest) return into ? WHY_NEST_AGAIN : WHY_NESTS;
    if (!p->nest || move) return WHY_JOIN;
    if (c->reduction || times > 1) return WHY_NEST_AGAIN;
    return read_in_shape(c, v) ? WHY_JOIN : WHY_NEST_SHAPE;
}

/* The fast loops of products want plain operands. What is read but once may be widened on the way: that is memory
 * saved. */
static bool stays_plain(Fuse *f, const Group *p, const Node *reader, const Value *v, double times) {
    if (!reader || !reads(reader, v) || walk_of(reader) != WALK_PRODUCT) return false;
    if (count_of(reader->out[0]) * (double)terms_of(reader) <= SMALL_PRODUCT) return false;
    return times > 1 || price_of(f, p, v).bytes >= dtypes[v->type.dtype].bytes;
}

Verdict may_fuse(Fuse *f, Value *v, Node *reader, bool copy) {
    Verdict d = {WHY_JOIN, 0, 0, 0};
    if (v->kind != V_NODE || !v->def) return d.why = WHY_OUTSIDE, d;
    if (v->graph != reader->graph) return d.why = WHY_REGION, d;
    Group p = group_of(v->def), c = group_of(reader);
    if ((d.why = cannot_produce(v->def)) || (d.why = none_can_read(&c, v))) return d;
    if (is_output(v)) return d.why = WHY_OUTPUT, d;
    if (in_group(&c, v->def)) return d;
    if ((f->effort -= p.n + c.n) < 0) return d.why = WHY_EFFORT, d;
    if (!copy && stored(&c, v)) return d.why = WHY_READERS, d;
    if (!gives_only(&p, v)) return d.why = WHY_OTHERS, d;
    if (p.n + c.n > KERNEL_NODES) return d.why = WHY_SIZE, d;
    double times = asked(f, &c, v);
    if ((d.why = nests_clash(&p, &c, v, times))) return d;
    if (p.reduction && c.reduction && !same_axes(p.reduction, c.reduction)) return d.why = WHY_AXES, d;
    if (stays_plain(f, &p, c.nest, v, times)) return d.why = WHY_PLAIN, d;
    d = by_cost(f, &p, &c, v, times);
    if (!d.why && !copy && p.last->next != c.first && dying_bytes(&p) > value_bytes(v)) d.why = WHY_MEMORY;
    return d;
}

bool worth_copying(Fuse *f, const Value *v, double times) {
    Group p = group_of(v->def);
    return dying_bytes(&p) <= value_bytes(v) && !by_cost(f, &p, NULL, v, times).why;
}
