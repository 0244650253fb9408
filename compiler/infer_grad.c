/* infer_grad.c - operators that only training brings along. */
#include "infer.h"

/* Result 0 is as input 1. */
void infer_second(Node *n) { set_shape(n, 0, in_type(n, 1)->rank, in_type(n, 1)->dim); }

void infer_random_drop(Node *n) {
    double ratio = attr_f(n, "ratio");
    if (ratio >= 0 && ratio < 1 && type_count(in_type(n, 1)) == 2)
        infer_same(n);
    else
        problem(n, EXIT_INPUT, "ratio is %g, expected from 0 to less than 1", ratio);
}

/* It has no result that could be read: the target is the result. */
void infer_assign(Node *n) {
    if (broadcasts_to(n, 1, in_type(n, 0))) infer_same(n);
}

void infer_batch_statistics(Node *n) {
    if (!need_rank_from(n, 0, 2)) return;
    for (int i = 0; i < n->nout; i++) set_shape(n, i, 1, &in_type(n, 0)->dim[1]);
}
