/* simplify_known.c - what is known when compiling: results, conditions, target shapes. */
#include "control/control.h"
#include "ir/build.h"
#include "ops/infer.h"
#include "passes/passes.h"
#include "passes/simplify.h"

/* Shape arithmetic that infer evaluated: Shape, Gather, Concat chains. */
bool rule_known_result(Rewrite *r, Node *n) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && !n->out[i]->data) return false;
    if (stays(n) || !n->nout) return false;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) make_const(r->m, n->out[i]);
    drop(r, n);
    return true;
}

bool rule_known_branch(Rewrite *r, Node *n) {
    const Tensor *condition = known(n->in[0]);
    if (!condition) return false;
    Value **out = n->out;
    int count = n->nout;
    r->m->fuel -= 1 + n->graph->nout / 64;
    inline_branch(n, attr(n, get_i(condition, 0) ? "then_branch" : "else_branch")->graph);
    for (int i = 0; i < count; i++) {
        Value *now = out[i] ? resolve(out[i]) : NULL;
        if (now && now != out[i]) now->uses += out[i]->uses, now->simplify_marks |= out[i]->simplify_marks;
    }
    return true;
}

bool rule_known_where(Rewrite *r, Node *n) {
    const Tensor *c = known(n->in[0]);
    if (n->in[1] == n->in[2]) return become(r, n, n->in[1]);
    if (!c) return false;
    bool all = all_are(c, 1), none = all_are(c, 0);
    return (all || none) && become(r, n, n->in[all ? 1 : 2]);
}

/* The shape may involve an extent that is known at run time only; its arithmetic is then dead. */
bool rule_known_shape(Rewrite *r, Node *n) {
    bool zero;
    const Type *t = &n->out[0]->type;
    if (known(n->in[1])) return false;
    for (int i = 0; i < t->rank && IS(n, Expand); i++)
        if (t->dim[i].symbol) return false;
    Value *target = target_of(r, t, &zero);
    if (!target) return false;
    if (zero && IS(n, Reshape)) set_attr_i(n, "allowzero", 1);
    rewire(r, n, 1, target);
    return true;
}
