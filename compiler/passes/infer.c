/* infer - one sweep that gives every value a type and evaluates small known results; needs: SSA order. */
#include "../nncc.h"

/* Callers see dense tensors: an extent chosen at run time can only be the outermost of an output. */
static void check_outputs(Module *m) {
    for (int i = 0; i < m->main->nout; i++) {
        const Value *v = m->main->out[i];
        for (int d = 1; d < v->type.rank; d++)
            if (v->type.dim[d].symbol)
                problem_at(
                    m, EXIT_UNSUPPORTED, v->loc, "output",
                    "'%s' is %s: an extent chosen at run time can only be its outermost; give one with --dim %s=N",
                    escaped(m->arena, v->name, 60), type_text(m->arena, &v->type),
                    escaped(m->arena, v->type.dim[d].symbol, 40));
    }
}

void pass_infer(Module *m) {
    for (Node *n = m->main->first, *next; n; n = next) {
        next = n->next;
        Node *before = n->prev;
        infer_node(n);
        /* An If whose condition is known leaves its branch's nodes in its place, already typed. */
        if (!n->prev && !n->next && m->main->first != n) next = before ? before->next : m->main->first;
        if (next && !next->prev && m->main->first != next) next = before ? before->next : m->main->first;
    }
    resolve_graph(m->main);
    check_outputs(m);
}
