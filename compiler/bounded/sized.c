/* sized.c - inference of a node of the network: what its shape follows from, its type, and what stands for it then. */
#include "bounded/bounded.h"
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/ops.h"

void infer_sized(Node *n) {
    measure_shape(n);
    if (is_gone(n)) return;
    infer_node(n);
    if (!is_gone(n) && size_follows_from_call(n)) bound_results(n);
}
