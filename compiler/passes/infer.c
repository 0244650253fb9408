/* infer - one sweep that gives every value a type and evaluates small known results; needs: SSA order. */
#include "../nncc.h"

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
}
