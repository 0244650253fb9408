/* infer_quant.c - quantisation: scales and zero points, products of quantised tensors. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_nn.h"

/* Whether input i is one number, one for each index of the axis, or one for each block of it. */
static bool is_granular(Node *n, int i) {
    const Type *x = in_type(n, 0), *t = in_type(n, i);
    int64_t block = attr_i(n, "block_size"), axis = axis_in(attr_i(n, "axis"), x->rank);
    if (block == 0 && t->rank <= 1 && type_count(t) == 1) return true;
    bool ok = axis >= 0 && block >= 0;
    if (ok && block == 0) {
        ok = t->rank == 1 && same_dim(t->dim[0], x->dim[axis]);
    } else if (ok) {
        ok = t->rank == x->rank;
        for (int k = 0; k < x->rank && ok; k++)
            ok = k == axis ? !x->dim[k].symbol && t->dim[k].max == ceil_div(x->dim[k].max, block)
                           : same_dim(t->dim[k], x->dim[k]);
    }
    if (!ok)
        problem(n, EXIT_INPUT, "%s: expected a shape that fits %s, or its axis %lld in blocks of %lld, saw %s",
                arg_text(n, i), in_text(n, 0), (long long)attr_i(n, "axis"), (long long)block, in_text(n, i));
    return ok;
}

static bool parts_fit(Node *n) {
    if (!is_granular(n, 1)) return false;
    if (!input(n, 2)) return true;
    if (same_shape(in_type(n, 1), in_type(n, 2)) || type_count(in_type(n, 1)) == type_count(in_type(n, 2)))
        return is_granular(n, 2);
    return do_not_fit(n, 1, 2);
}

static bool is_scale(Node *n, int i) {
    if (is_float(in_type(n, i)->dtype) || in_type(n, i)->dtype == DT_f8e8m0) return true;
    problem(n, EXIT_INPUT, "%s: expected floats, saw %s", arg_text(n, i), in_text(n, i));
    return false;
}

static void set_like_input(Node *n, DType dtype) {
    if (dtype != DT_none) set_result(n, 0, dtype, in_type(n, 0)->rank, in_type(n, 0)->dim);
}

/* Floats that quotients are rounded to, and integers. */
static bool is_quantised(DType t) { return t != DT_bool && t != DT_f8e8m0 && (!is_float(t) || dtypes[t].small); }

/* ONNX: u8 if neither a zero point nor output_dtype names a type. */
void infer_quantize(Node *n) {
    bool named = attr_i(n, "output_dtype") != 0;
    int64_t precision = attr_i(n, "precision");
    if (!is_scale(n, 1) || !parts_fit(n)) return;
    DType to = input(n, 2) ? in_type(n, 2)->dtype : named ? attr_dtype(n, "output_dtype") : DT_u8;
    if (precision && !is_float(dtype_of_onnx(precision)))
        problem(n, EXIT_UNSUPPORTED, "precision: expected the number of a float type, saw %lld", (long long)precision);
    else if (to != DT_none && !is_quantised(to))
        problem(n, EXIT_UNSUPPORTED, "expected quantisation to integers or small floats, saw %s", dtypes[to].name);
    else
        set_like_input(n, to);
}

void infer_dequantize(Node *n) {
    if (!is_scale(n, 1) || !parts_fit(n)) return;
    DType to = attr_i(n, "output_dtype") ? attr_dtype(n, "output_dtype") : in_type(n, 1)->dtype;
    if (to != DT_none && !is_float(to))
        problem(n, EXIT_UNSUPPORTED, "expected a result of floats, saw %s", dtypes[to].name);
    else
        set_like_input(n, to);
}

void infer_dynamic_quantize(Node *n) {
    set_like_input(n, DT_u8);
    set_result(n, 1, in_type(n, 0)->dtype, 0, NULL);
    set_result(n, 2, DT_u8, 0, NULL);
}

/* The shape of a product of inputs a and b, as MatMul's. */
static void product(Node *n, int a, int b, DType dtype) {
    Type out;
    if (matmul_type(n, a, b, &out)) set_result(n, 0, dtype, out.rank, out.dim);
}

bool is_quant_param(Node *n, int i, const Type *of, int axis, int summed) {
    if (!input(n, i) || type_count(in_type(n, i)) == 1) return true;
    const Type *t = in_type(n, i);
    if (axis < 0 || of->rank <= axis) {
        problem(n, EXIT_INPUT, "%s: expected one number, saw %s", arg_text(n, i), in_text(n, i));
        return false;
    }
    if (t->rank == 1 && same_dim(t->dim[0], of->dim[axis])) return true;
    Type lines = *of;
    if (summed >= 0) lines.dim[summed] = fixed(1);
    bool ok = t->rank > 1 && t->rank <= of->rank;
    for (int k = 0; k < t->rank && ok; k++) {
        Dim d = lines.dim[of->rank - t->rank + k];
        ok = same_dim(t->dim[k], fixed(1)) || same_dim(t->dim[k], d);
    }
    if (!ok)
        problem(n, EXIT_INPUT, "%s: expected one number or one for each of the %lld of axis %d of %s, saw %s",
                arg_text(n, i), (long long)of->dim[axis].max, axis, type_shown(n, of), in_text(n, i));
    return ok;
}

/* Parameters of a product's operands: one per row of a matrix a, per column of a matrix b. */
static bool is_row_param(Node *n, int i, int a) {
    int rank = in_type(n, a)->rank;
    return is_quant_param(n, i, in_type(n, a), rank < 2 ? -1 : rank - 2, rank - 1);
}

static bool is_column_param(Node *n, int i, int b) {
    int rank = in_type(n, b)->rank;
    return is_quant_param(n, i, in_type(n, b), rank < 2 ? -1 : rank - 1, rank - 2);
}

void infer_matmul_integer(Node *n) {
    if (is_row_param(n, 2, 0) && is_column_param(n, 3, 1)) product(n, 0, 1, DT_i32);
}

void infer_qlinear_matmul(Node *n) {
    Type y;
    if (!is_row_param(n, 1, 0) || !is_row_param(n, 2, 0) || !is_column_param(n, 4, 3) || !is_column_param(n, 5, 3) ||
        !matmul_type(n, 0, 3, &y) || !is_quant_param(n, 6, &y, y.rank - 1, -1) ||
        !is_quant_param(n, 7, &y, y.rank - 1, -1))
        return;
    product(n, 0, 3, in_type(n, 7)->dtype);
}

void infer_qlinear_add(Node *n) {
    static const int params[] = {1, 2, 4, 5, 6, 7};
    Type t;
    for (int i = 0; i < COUNT(params); i++) {
        const Value *v = input(n, params[i]);
        if (!is_quant_param(n, params[i], in_type(n, 0), -1, -1)) return;
        if (!v || v->type.rank == 0 || v->type.rank <= in_type(n, 0)->rank) continue;
        do_not_fit(n, 0, params[i]);
        return;
    }
    if (broadcast(n, 2, (Value *[]){n->in[0], n->in[3]}, &t)) set_result(n, 0, in_type(n, 0)->dtype, t.rank, t.dim);
}

/* Blocks along the axis that is gathered on would be taken apart. */
static bool blocks_stay_whole(Node *n) {
    int rank = in_type(n, 0)->rank;
    if (!IS(n, GatherBlockQuantized) || attr_axis(n, "gather_axis", rank) != attr_axis(n, "quantize_axis", rank))
        return true;
    problem(n, EXIT_UNSUPPORTED, "expected gather_axis and quantize_axis to differ, saw %lld twice",
            (long long)attr_i(n, "gather_axis"));
    return false;
}

void infer_few_bits(Node *n) {
    int64_t bits = attr_i(n, "bits");
    if (bits != 2 && bits != 4 && bits != 8)
        problem(n, EXIT_UNSUPPORTED, "bits: expected 2, 4 or 8, saw %lld", (long long)bits);
    else if (blocks_stay_whole(n))
        infer_by_meaning(n);
}

/* ---- QLinearConcat: behind the result's scale and zero point each tensor with its own ---- */

enum { JOINED = 2, EACH = 3 };

/* A Concat before the node, of its tensors or of these. */
static Node *join_before(Node *n, Value *const *with) {
    int count = (n->nin - JOINED) / EACH;
    Value **in = NEW_ARRAY(n->graph->module->arena, Value *, count);
    for (int i = 0; i < count; i++) in[i] = with ? with[i] : n->in[JOINED + EACH * i];
    Node *join = insert_node(n, &ops[OP_Concat], count, in);
    set_attr_i(join, "axis", attr_i(n, "axis"));
    infer_node(join);
    return join;
}

static bool are_quantised(Node *n) {
    DType t = in_type(n, 1)->dtype;
    for (int i = 0; i < n->nin; i++) {
        bool scale = i >= JOINED ? (i - JOINED) % EACH == 1 : i == 0, tensor = i >= JOINED && (i - JOINED) % EACH == 0;
        bool fits = n->in[i] && (scale ? is_float(in_type(n, i)->dtype) : in_type(n, i)->dtype == t);
        if (fits && (tensor || type_count(in_type(n, i)) == 1)) continue;
        problem(n, EXIT_INPUT, "input %d: expected %s, saw %s", i + 1,
                scale ? "a scale"
                      : format(n->graph->module->arena, "%s%s", tensor ? "a tensor of " : "a zero point of ",
                               dtypes[t].name),
                n->in[i] ? in_text(n, i) : "none");
        return false;
    }
    return true;
}

void infer_qlinear_concat(Node *n) {
    if ((n->nin - JOINED) % EACH != 0 || n->nin < JOINED + EACH) {
        problem(n, EXIT_INPUT, "expected a scale, a zero point, and three inputs for each tensor, saw %d inputs",
                n->nin);
        return;
    }
    if (!are_quantised(n)) return;
    Node *join = join_before(n, NULL);
    const Type *t = &join->out[0]->type;
    if (type_known(t)) set_result(n, 0, t->dtype, t->rank, t->dim);
    unlink_node(join);
}

void expand_qlinear_concat(Node *n) {
    int count = (n->nin - JOINED) / EACH;
    Value **part = NEW_ARRAY(n->graph->module->arena, Value *, count);
    for (int i = 0; i < count; i++)
        part[i] = build_text(n, "DequantizeLinear(m, p, q)", EACH, n->in + JOINED + EACH * i);
    Value *y =
        build_text(n, "QuantizeLinear(m, p, q)", 3, (Value *[]){join_before(n, part)->out[0], n->in[0], n->in[1]});
    replaced_by(n, 1, &y);
}
