/* infer_type.c - operators that change the element type. */
#include "ir/build.h"
#include "ir/diag.h"
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

static int bits_of(DType t) { return dtypes[t].small ? dtypes[t].bits : 8 * dtypes[t].bytes; }

/* With --real=f64 a double stands for a float: its bits are those of the float that it was, of i32's or u32's width. */
DType bit_cast_from(const Node *n) {
    DType from = in_type(n, 0)->dtype, to = attr_dtype(n, "to");
    bool stands = n->graph->module->opt->real_f64 && from == DT_f64 && holds_ints(to) && bits_of(to) == 32;
    return stands ? DT_f32 : from;
}

void infer_bit_cast(Node *n) {
    const Type *t = in_type(n, 0);
    DType from = bit_cast_from(n), to = attr_dtype(n, "to");
    bool widens = n->graph->module->opt->real_f64 && to != DT_none && is_float(to);
    if (to == DT_none) return;
    if (bits_of(to) == bits_of(from))
        set_result(n, 0, widens ? DT_f64 : to, t->rank, t->dim);
    else
        problem(n, EXIT_INPUT, "expected a type of %d bits like %s, saw %s", bits_of(from), dtypes[from].name,
                dtypes[to].name);
}

/* Its first extent follows from that of the bytes, which may be open, if the shape says -1. */
void infer_unpack(Node *n) {
    const Type *t = in_type(n, 0);
    const Attr *shape = attr(n, "shape");
    DType to = attr_dtype(n, "to");
    Dim dim[MAX_RANK];
    int64_t count = 1, rest = 1;
    bool ok = to != DT_none && is_packed(to) && t->dtype == DT_u8 && t->rank == 1 && shape->n <= MAX_RANK;
    bool follows = shape->n && shape->ints[0] < 0;
    for (int i = follows; i < shape->n && ok; i++) ok = shape->ints[i] >= 0 && mul_ok(rest, shape->ints[i], &rest);
    if (ok && follows) ok = rest > 0 && rest < (int64_t)1 << 40 && t->dim[0].max * 8 / bits_of(to) % rest == 0;
    for (int i = 0; i < shape->n && ok; i++) dim[i] = fixed(shape->ints[i]);
    if (ok && follows)
        ok = dim_mul(n->graph->module, t->dim[0], fixed(8 / bits_of(to)), &dim[0]) &&
             dim_div(n->graph->module, dim[0], fixed(rest), &dim[0]);
    for (int i = 0; i < shape->n && ok; i++) ok = mul_ok(count, dim[i].max, &count);
    if (ok && (follows || (!t->dim[0].symbol && packed_bytes(to, count) == t->dim[0].max)))
        set_result(n, 0, to, shape->n, dim);
    else
        problem(n, EXIT_INPUT, "expected bytes for the elements of its shape, saw %s", in_text(n, 0));
}

/* Where the number of elements is open, each of what there may be has whole bytes. */
void infer_pack(Node *n) {
    const Type *t = in_type(n, 0);
    Dim bytes = fixed(packed_bytes(t->dtype, type_count(t)));
    int64_t rest = 1;
    for (int i = 1; i < t->rank; i++) {
        rest *= t->dim[i].max;
        if (!need_fixed(n, t->dim[i], "an extent behind the first")) return;
    }
    bool open = t->rank && t->dim[0].symbol;
    if (open && rest * bits_of(t->dtype) % 8 == 0)
        dim_mul(n->graph->module, t->dim[0], fixed(rest * bits_of(t->dtype) / 8), &bytes);
    if (!is_packed(t->dtype))
        problem(n, EXIT_INPUT, "%s: expected elements of less than a byte, saw %s", arg_text(n, 0), in_text(n, 0));
    else if (open && !bytes.symbol)
        problem(n, EXIT_UNSUPPORTED,
                "expected whole bytes for each index of the open dim '%s', saw %lld elements of %d bits",
                extent_text(n, t->dim[0]), (long long)rest, bits_of(t->dtype));
    else
        set_result(n, 0, DT_u8, 1, &bytes);
}

void infer_eye(Node *n) {
    const Type *t = in_type(n, 0);
    DType to = given_attr(n, "dtype") ? attr_dtype(n, "dtype") : t->dtype;
    if (to != DT_none && need_rank(n, 0, 2)) set_result(n, 0, to, t->rank, t->dim);
}
