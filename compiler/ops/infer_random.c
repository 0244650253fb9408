/* infer_random.c - operators that draw random numbers. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_nn.h"

static DType dtype_asked(const Node *n) {
    int64_t dtype = attr_i(n, "dtype");
    return dtype ? dtype_of_onnx(dtype) : in_type(n, 0)->dtype;
}

/* A generator's seed and step, and where several processes draw, the number of this one's first example. */
bool need_rng(Node *n) {
    const Type *t = in_type(n, 1);
    return (t->rank == 1 && t->dim[0].max == 3 && !t->dim[0].symbol) || has_dims(n, 1, 1, (Dim[]){fixed(2)});
}

void infer_draw(Node *n) {
    Dim dim[MAX_RANK];
    int rank;
    if (!need_rank(n, 0, 1) || !need_dims(n, 0, MAX_RANK, &rank, dim) || !need_rng(n)) return;
    set_result(n, 0, dtype_of_onnx(attr_i(n, "dtype")), rank, dim);
}

void infer_random(Node *n) {
    const Attr *shape = attr(n, "shape");
    Dim dim[MAX_RANK];
    if (shape->n > MAX_RANK) {
        problem(n, EXIT_UNSUPPORTED, "shape: expected at most %d extents, saw %d", MAX_RANK, shape->n);
        return;
    }
    for (int i = 0; i < shape->n; i++) {
        dim[i] = fixed(shape->ints[i]);
        if (shape->ints[i] >= 0) continue;
        problem(n, EXIT_INPUT, "shape: expected extents from 0 on, saw %lld", (long long)shape->ints[i]);
        return;
    }
    set_result(n, 0, dtype_of_onnx(attr_i(n, "dtype")), shape->n, dim);
}

void infer_random_like(Node *n) {
    DType t = dtype_asked(n);
    if (t == DT_str || !is_float(t))
        problem(n, EXIT_INPUT, "expected floats to draw, saw %s: attribute 'dtype' names another type", dtypes[t].name);
    else
        set_result(n, 0, t, in_type(n, 0)->rank, in_type(n, 0)->dim);
}

void infer_bernoulli(Node *n) { set_result(n, 0, dtype_asked(n), in_type(n, 0)->rank, in_type(n, 0)->dim); }

void infer_multinomial(Node *n) {
    const Type *t = in_type(n, 0);
    DType dtype = dtype_asked(n);
    if (!need_rank(n, 0, 2) || !need_fixed(n, t->dim[1], "the number of classes")) return;
    if (t->dim[1].max < 1)
        problem(n, EXIT_INPUT, "%s: expected a class at least, saw %s", arg_text(n, 0), in_text(n, 0));
    else if (dtype != DT_i32 && dtype != DT_i64)
        problem(n, EXIT_INPUT, "dtype: expected i32 or i64, saw %s", dtypes[dtype].name);
    else
        set_result(n, 0, dtype, 2, (Dim[]){t->dim[0], fixed(attr_i(n, "sample_size"))});
}
