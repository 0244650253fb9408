/* fuse_group.c - kernels in the making. */
#include "ir/build.h"
#include "ops/ops.h"
#include "passes/fuse.h"

enum { SLOW = 4 };

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
    AccessPattern a = access_of(nest->op);
    return a == ACCESS_OTHER || (a == ACCESS_MOVEMENT && !keeps_last_dim(nest)) ? SLOW : 1;
}

/* ---- groups ---- */

bool elementwise(const Node *n) { return access_of(n->op) == ACCESS_ELEMENTWISE; }

bool simple(const Node *n) { return elementwise(n) || n->op->kind == K_RED; }

bool has_nest(const Node *n) {
    return n->op->kind == K_OP && (n->op->at || n->op->blocks) && !n->op->lower && !n->op->view;
}

Group group_of(Node *n) {
    Group g = {n, n, 0, 0, NULL, NULL};
    while (n->kernel && g.first->prev && g.first->prev->kernel == n->kernel) g.first = g.first->prev;
    while (n->kernel && g.last->next && g.last->next->kernel == n->kernel) g.last = g.last->next;
    for (Node *p = g.first;; p = p->next) {
        g.n++, g.reads += p->nin;
        if (!simple(p) && (!g.nest || access_of(p->op) != ACCESS_MOVEMENT)) g.nest = p;
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
