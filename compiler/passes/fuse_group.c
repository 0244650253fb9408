/* fuse_group.c - kernels in the making, and how operators with loop nests of their own go through their inputs. */
#include "ir/build.h"
#include "ops/ops.h"
#include "passes/fuse_cost.h"

enum { SLOW = 4 };

/* ---- how operators with loop nests go through their inputs ---- */

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

Walk walk_of(const Node *n) {
    for (int i = 0; i < COUNT(walks); i++)
        if (n->op == &ops[walks[i].op]) return walks[i].walk;
    return WALK_OWN;
}

int64_t terms_of(const Node *n) {
    for (int i = 0; i < COUNT(walks); i++)
        if (n->op == &ops[walks[i].op] && walks[i].terms) return walks[i].terms(n);
    return 1;
}

double elements_of(const Value *v) {
    double n = (double)type_count(&v->type);
    return n > 0 ? n : 1;
}

const Value *result_of(const Node *n) { return n->nout && n->out[0] ? n->out[0] : n->in[0]; }

static bool keeps_last_dim(const Node *n) {
    if (IS(n, DepthToSpace) || IS(n, SpaceToDepth)) return false;
    int rank = n->out[0]->type.rank;
    if (!IS(n, Transpose) || !rank) return true;
    const Attr *perm = attr(n, "perm");
    return perm->n ? perm->ints[rank - 1] == rank - 1 : rank == 1;
}

/* How many times slower arithmetic gets that is done along with the nest: it is not vectorised where elements come from
 * here and there. */
double slowdown(const Node *nest) {
    if (!nest) return 1;
    Walk w = walk_of(nest);
    return w == WALK_OWN || (w == WALK_MOVE && !keeps_last_dim(nest)) ? SLOW : 1;
}

/* ---- groups ---- */

bool elementwise(const Node *n) { return n->op->kind == K_MAP || IS(n, Cast); }

bool simple(const Node *n) { return elementwise(n) || n->op->kind == K_RED; }

bool has_nest(const Node *n) { return n->op->kind == K_OP && n->op->at && !n->op->lower && !n->op->view; }

Group group_of(Node *n) {
    Group g = {n, n, 0, 0, NULL, NULL};
    while (n->kernel && g.first->prev && g.first->prev->kernel == n->kernel) g.first = g.first->prev;
    while (n->kernel && g.last->next && g.last->next->kernel == n->kernel) g.last = g.last->next;
    for (Node *p = g.first;; p = p->next) {
        g.n++, g.reads += p->nin;
        if (!simple(p) && (!g.nest || walk_of(p) != WALK_MOVE)) g.nest = p;
        if (p->op->kind == K_RED) g.reduction = p;
        if (p == g.last) return g;
    }
}

bool in_group(const Group *g, const Node *n) {
    return n == g->first || (n->kernel && n->kernel == g->first->kernel && n->graph == g->first->graph);
}

int uses_in(const Group *g, const Value *v) {
    int n = 0;
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nin; i++) n += p->in[i] == v;
        if (p == g->last) return n;
    }
}

bool stored_by(const Group *g, const Value *v) { return v->uses > uses_in(g, v); }

void leave_out_uses(const Group *g, int sign) {
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nin; i++)
            if (p->in[i]) p->in[i]->uses -= sign;
        if (p == g->last) return;
    }
}

static bool unread_but_for(const Group *g, const Value *v) {
    for (const Node *p = g->first;; p = p->next) {
        for (int i = 0; i < p->nout; i++)
            if (p->out[i] && p->out[i] != v && p->out[i]->uses > 0) return false;
        if (p == g->last) return true;
    }
}

/* Whether the group's only result for others is v. */
bool gives_only(const Group *g, const Value *v) {
    leave_out_uses(g, 1);
    bool only = unread_but_for(g, v);
    leave_out_uses(g, -1);
    return only;
}
