/* infer_type.c - operators that change the element type. */
#include "ir/build.h"
#include "ops/infer.h"
#include "ops/rules_shape.h"

DType attr_dtype(const Node *n, const char *name) { return dtype_of_onnx(attr_i(n, name)); }

void infer_cast(Node *n) {
    const Type *t = in_type(n, 0);
    DType to = attr_dtype(n, "to");
    if (to != DT_none) set_result(n, 0, to, t->rank, t->dim);
}

void infer_cast_like(Node *n) {
    const Type *t = in_type(n, 0);
    set_result(n, 0, in_type(n, 1)->dtype, t->rank, t->dim);
}

void infer_eye(Node *n) {
    const Type *t = in_type(n, 0);
    DType to = given_attr(n, "dtype") ? attr_dtype(n, "dtype") : t->dtype;
    if (to != DT_none && need_rank(n, 0, 2)) set_result(n, 0, to, t->rank, t->dim);
}
