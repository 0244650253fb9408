/* small.c - conversions between element types, bits under another type, elements of less than a byte in and out of
 * bytes */
#include "ir/build.h"
#include "ir/storage.h"
#include "lower/parts.h"
#include "lower/rows_move.h"
#include "ops/rules_shape.h"
#include <math.h>

/* ---- conversions ---- */

static int rounding_of(DType t) {
    static const struct {
        DType dtype;
        int op;
    } rows[] = {{DT_f8e4m3fn, OP_RoundF8E4M3FN},     {DT_f8e4m3fnuz, OP_RoundF8E4M3FNUZ}, {DT_f8e5m2, OP_RoundF8E5M2},
                {DT_f8e5m2fnuz, OP_RoundF8E5M2FNUZ}, {DT_f6e2m3, OP_RoundF6E2M3},         {DT_f6e3m2, OP_RoundF6E3M2},
                {DT_f4e2m1, OP_RoundF4E2M1}};
    int i = 0;
    while (rows[i].dtype != t) i++;
    return rows[i].op;
}

/* What is beyond the largest: a type without infinities has NaN, or neither. */
static double beyond(DType t, bool saturates) {
    if (saturates || dtypes[t].bits < 8) return small_top(t);
    return dtypes[t].inf ? (double)INFINITY : (double)NAN;
}

/* Rounded once: f64 goes by way of the odd float beside it. */
static Expr *to_small_float(Lower *l, const Node *n, Expr *e, DType t) {
    bool saturates = attr_i(n, "saturate") != 0;
    const char *mode = attr_s(n, "round_mode");
    double up = !strcmp(mode, "up") ? 1 : !strcmp(mode, "down") ? 0 : 0.5;
    if (e->dtype == DT_f64) e = map1(l, OP_RoundOdd, e);
    e = cast(l, e, DT_f32);
    if (t == DT_f8e8m0) return map3(l, OP_RoundF8E8M0, e, num(l, DT_f32, up), num(l, DT_f32, saturates));
    return map2(l, rounding_of(t), e, num(l, DT_f32, beyond(t, saturates)));
}

/* A small integer from its bits, an index. */
static Expr *from_bits(Lower *l, Expr *bits, DType t) {
    if (dtypes[t].kind == 'u') return cast(l, bits, t);
    int64_t top = (int64_t)1 << (dtypes[t].bits - 1);
    bits = let(l, "bits", bits);
    return cast(l, select_of(l, ix_less(l, bits, ix(l, top)), bits, ix_sub(l, bits, ix(l, 2 * top))), t);
}

static Expr *lowest_bits(Lower *l, Expr *e, DType t) {
    double all = ldexp(1, dtypes[t].bits) - 1;
    return cast(l, map2(l, OP_BitwiseAnd, cast(l, e, DT_i32), num(l, DT_i32, all)), DT_index);
}

Expr *at_cast(Lower *l, Node *n, int out, Expr *const *idx) {
    DType from = in_shape(n, 0)->dtype, to = n->out[out]->type.dtype;
    Expr *e = value_at(l, n->in[0], idx);
    if (from == to || !dtypes[to].small) return cast(l, e, to);
    return holds_floats(to) ? to_small_float(l, n, e, to) : from_bits(l, lowest_bits(l, e, to), to);
}

/* ---- bits ---- */

/* y's elements by `each` of x's at their index. */
static void each_element(Lower *l, Value *x, Value *y, void (*each)(Lower *, Value *, Value *, Expr *const *)) {
    Expr *idx[MAX_RANK];
    int opened = open_dims(l, &x->type, 0, idx);
    each(l, x, y, idx);
    close_blocks(l, opened);
}

static void convert(Lower *l, Value *x, Value *y, Expr *const *idx) { store(l, y, idx, load(l, x, idx)); }
static void copy_bits(Lower *l, Value *x, Value *y, Expr *const *idx) { store_bits(l, y, idx, load_bits(l, x, idx)); }

/* Where doubles stand for other floats, the bits are those of the others. */
static Value *as_other(Lower *l, const Value *v, DType t) {
    int64_t dim[MAX_RANK];
    for (int i = 0; i < v->type.rank; i++) dim[i] = v->type.dim[i].max;
    return scratch(l, "other", t, v->type.rank, dim);
}

void lower_bit_cast(Lower *l, Node *n) {
    DType from = bit_cast_from(n), to = dtype_of_onnx(attr_i(n, "to"));
    Value *x = n->in[0], *y = n->out[0], *in = x->type.dtype == from ? x : as_other(l, x, from),
          *out = y->type.dtype == to ? y : as_other(l, y, to);
    if (in != x) each_element(l, x, in, convert);
    each_element(l, in, out, copy_bits);
    if (out != y) each_element(l, out, y, convert);
}

/* ---- elements of less than a byte ---- */

/* The float that a magnitude's bits stand for: each exponent has a step of its own, and begins where the last ends. */
static Expr *magnitude_of(Lower *l, Expr *bits, DType t) {
    const DTypeRow *r = &dtypes[t];
    int block = 1 << r->mantissa, blocks = (1 << (r->bits - 1)) / block;
    Expr *x = let(l, "x", cast(l, bits, DT_f32)), *y = NULL;
    for (int k = blocks - 1; k >= 1; k--) {
        double step = ldexp(1, k - r->bias - r->mantissa);
        Expr *here = k > 1 ? sub(l, x, num(l, DT_f32, (k - 1) * block)) : x;
        if (step != 1) here = mul(l, here, num(l, DT_f32, step));
        y = y ? select_of(l, less(l, x, num(l, DT_f32, (k + 1) * block)), here, y) : here;
    }
    return let(l, "magnitude", y);
}

/* Which unit of `to` bits holds the first bit of unit i of `from` bits, and where in it: without i * from, which may be
 * large. Units come together again after as many as have whole bytes. */
static Expr *place_of(Lower *l, Expr *i, int to, int from, Expr **at) {
    int together = to % from == 0 ? to / from : to == 8 ? 4 : 3;
    Expr *group = ix_div(l, i, ix(l, together)), *bit = ix_mul(l, ix_mod(l, i, ix(l, together)), ix(l, from));
    Expr *first = ix_mul(l, group, ix(l, together * from / to));
    if (together * from == to) return *at = bit, first;
    *at = ix_mod(l, bit, ix(l, to));
    return ix_add(l, first, ix_div(l, bit, ix(l, to)));
}

/* The byte and the next one, where elements may lie in both. */
static Expr *bytes_at(Lower *l, Value *packed, Expr *byte, int bits) {
    Expr *e = cast(l, value_at(l, packed, &byte), DT_i32), *last = ix(l, packed->type.dim[0].max - 1);
    if (8 % bits == 0) return e;
    Expr *next = map2(l, OP_Min, ix_add(l, byte, ix(l, 1)), last), *more = cast(l, value_at(l, packed, &next), DT_i32);
    return map2(l, OP_BitwiseOr, e, map2(l, OP_ShiftLeft, more, num(l, DT_i32, 8)));
}

Expr *at_unpack(Lower *l, Node *n, int out, Expr *const *idx) {
    const Type *t = &n->out[out]->type;
    int bits = dtypes[t->dtype].bits;
    Expr *i = ix(l, 0), *sign = ix(l, (int64_t)1 << (bits - 1));
    for (int k = 0; k < t->rank; k++) i = ix_add(l, ix_mul(l, i, ix(l, t->dim[k].max)), idx[k]);
    Expr *at, *byte = place_of(l, i, 8, bits, &at);
    Expr *e = bytes_at(l, n->in[0], byte, bits);
    e = lowest_bits(l, map2(l, OP_ShiftRight, e, cast(l, at, DT_i32)), t->dtype);
    if (!holds_floats(t->dtype)) return from_bits(l, e, t->dtype);
    e = let(l, "bits", e);
    Expr *magnitude = magnitude_of(l, ix_mod(l, e, sign), t->dtype);
    return select_of(l, ix_less(l, e, sign), magnitude, map1(l, OP_Neg, magnitude));
}

/* Element i as its bits, 0 behind the last. */
static Expr *bits_at(Lower *l, Value *x, Expr *i) {
    const Type *t = &x->type;
    int64_t count = type_count(t);
    bool whole = count * dtypes[t->dtype].bits % 8 == 0; /* the last byte has all of its elements */
    Expr *idx[MAX_RANK], *last = ix(l, count - 1), *rest = i;
    if (!whole) rest = let(l, "at", map2(l, OP_Min, i, last));
    for (int k = t->rank; k-- > 0 && !is_dense(x);) {
        idx[k] = k ? ix_mod(l, rest, ix(l, t->dim[k].max)) : rest;
        rest = ix_div(l, rest, ix(l, t->dim[k].max));
    }
    Expr *e = cast(l, is_dense(x) ? load_bits_flat(l, x, rest) : load_bits(l, x, idx), DT_index);
    return whole ? e : select_of(l, ix_less(l, i, ix(l, count)), e, ix(l, 0));
}

void lower_pack(Lower *l, Node *n) {
    int bits = dtypes[in_shape(n, 0)->dtype].bits, share = 8 % bits ? 2 : 8 / bits, opened = 0;
    if (is_empty(n, 0)) return;
    Expr *byte = open_dim(l, 'i', AX_PAR, n->out[0]->type.dim[0], &opened), *at = ix(l, 0), *e = ix(l, 0);
    Expr *first = 8 % bits ? place_of(l, byte, bits, 8, &at) : ix_mul(l, byte, ix(l, share));
    for (int k = 0; k < share; k++) {
        Expr *part = let(l, "part", bits_at(l, n->in[0], ix_add(l, first, ix(l, k))));
        e = ix_add(l, e, ix_mul(l, part, ix(l, (int64_t)1 << k * bits)));
    }
    if (8 % bits) e = cast(l, map2(l, OP_ShiftRight, cast(l, e, DT_i32), cast(l, at, DT_i32)), DT_index);
    store_flat(l, n->out[0], byte, cast(l, e, DT_u8));
    close_blocks(l, opened);
}
