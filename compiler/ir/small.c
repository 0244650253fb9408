/* small.c - floats of 8 bits and less, and elements of less than a byte: what dtypes.def says of them, carried out. */
#include "ir/tensor.h"
#include <math.h>

/* ---- floats ---- */

static unsigned sign_bit(DType t) { return t == DT_f8e8m0 ? 0 : 1u << (dtypes[t].bits - 1); }

static unsigned mask_of(DType t) { return (1u << dtypes[t].bits) - 1; }

/* ONNX's tests make -0 of a NaN that a type does not have. */
static bool has_nan(DType t) {
    unsigned largest = mask_of(t) & ~sign_bit(t);
    return dtypes[t].uz || dtypes[t].top < largest;
}

/* The usual NaN, with what a code says beyond being one: two bits behind that which makes it quiet. */
static double nan_with(unsigned payload, bool negative) {
    uint32_t bits = 0x7fc00000u | payload << 20 | (uint32_t)negative << 31;
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

double small_float(DType t, unsigned char code) {
    const DTypeRow *r = &dtypes[t];
    unsigned sign = sign_bit(t), c = code & mask_of(t), magnitude = c & ~sign;
    bool negative = c & sign;
    if (r->uz && c == sign) return nan_with(0, false);
    if (r->inf && magnitude == r->inf) return negative ? -(double)INFINITY : (double)INFINITY;
    if (magnitude > r->top) return nan_with(r->inf ? magnitude - r->inf : 0, negative);
    if (t == DT_f8e8m0) return ldexp(1, (int)c - r->bias);
    int exponent = (int)(magnitude >> r->mantissa), m = (int)(magnitude & ((1u << r->mantissa) - 1));
    double v = exponent ? ldexp((1 << r->mantissa) + m, exponent - r->bias - r->mantissa)
                        : ldexp(m, 1 - r->bias - r->mantissa);
    return negative ? -v : v;
}

double small_top(DType t) { return small_float(t, dtypes[t].top); }

double small_round(DType t, double x, double beyond) {
    const DTypeRow *r = &dtypes[t];
    if (x != x) return has_nan(t) ? x : -0.0;
    int exponent, least = 1 - r->bias;
    double a = fabs(x);
    frexp(a, &exponent);
    if (isinf(a) || exponent - 1 < least) exponent = least + 1;
    double step = ldexp(1, exponent - 1 - r->mantissa), y = isinf(a) ? a : nearbyint(a / step) * step;
    if (y > small_top(t)) y = beyond;
    return r->uz && y == 0 ? 0 : copysign(y, x);
}

double round_e8m0(double x, double up, double saturates) {
    int exponent;
    if (!(x >= 0)) return (double)NAN;
    if (x < 0x1p-127) return saturates != 0 ? 0x1p-127 : (double)NAN;
    double m = isinf(x) ? 1 : frexp(x, &exponent), y = isinf(x) ? x : ldexp(1, exponent - 1);
    if (!isinf(x) && m > 0.5 && (up == 1 || (up > 0 && m >= 0.75))) y *= 2;
    return y <= 0x1p127 ? y : saturates != 0 ? 0x1p127 : (double)NAN;
}

static unsigned char nan_code(DType t, double x, unsigned sign) {
    const DTypeRow *r = &dtypes[t];
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    unsigned payload = bits >> 20 & 3;
    if (r->uz || !has_nan(t)) return (unsigned char)sign_bit(t);
    return (unsigned char)(sign | (r->inf ? r->inf + (payload ? payload : 2) : r->top + 1u));
}

/* Codes are in the order of their magnitudes. */
unsigned char small_code(DType t, double x) {
    const DTypeRow *r = &dtypes[t];
    unsigned sign = signbit(x) ? sign_bit(t) : 0, low = 0, high = r->top;
    if (x != x) return nan_code(t, x, sign);
    if (r->inf && isinf(x)) return (unsigned char)(sign | r->inf);
    double a = t == DT_f8e8m0 ? round_e8m0(fabs(x), 0.5, 1) : fabs(small_round(t, x, small_top(t)));
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (small_float(t, (unsigned char)middle) < a)
            low = middle + 1;
        else
            high = middle;
    }
    return (unsigned char)(r->uz && !low ? 0 : sign | low);
}

float odd_f32(double x) {
    float f = (float)x;
    uint32_t bits;
    if (x != x || (double)f == x) return f;
    memcpy(&bits, &f, sizeof bits);
    if (isinf(f) || (fabs((double)f) > fabs(x))) bits--; /* towards zero */
    bits |= 1;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* ---- elements of less than a byte ---- */

int64_t packed_bytes(DType t, int64_t count) {
    if (!is_packed(t)) return count * dtypes[t].bytes;
    int64_t bits = dtypes[t].bits; /* count * bits may not fit 64 bits */
    return count / 8 * bits + (count % 8 * bits + 7) / 8;
}

void pack_elements(DType t, const void *elements, int64_t count, unsigned char *packed) {
    const unsigned char *in = elements;
    int bits = dtypes[t].bits;
    memset(packed, 0, (size_t)packed_bytes(t, count));
    for (int64_t i = 0; i < count; i++) {
        int64_t byte = i / 8 * bits + i % 8 * bits / 8;
        unsigned at = (unsigned)(i % 8 * bits % 8), v = (in[i] & mask_of(t)) << at;
        packed[byte] |= (unsigned char)v;
        if (v > 255) packed[byte + 1] |= (unsigned char)(v >> 8);
    }
}

/* As memory has an element whose bits are the lowest of v. */
static unsigned char in_byte(DType t, unsigned v) {
    v &= mask_of(t);
    bool negative = dtypes[t].kind == 'i' && v >> (dtypes[t].bits - 1);
    return (unsigned char)(negative ? v | ~mask_of(t) : v);
}

void unpack_elements(DType t, const unsigned char *packed, int64_t count, void *elements) {
    unsigned char *out = elements;
    int bits = dtypes[t].bits;
    for (int64_t i = 0; i < count; i++) {
        int64_t byte = i / 8 * bits + i % 8 * bits / 8;
        unsigned at = (unsigned)(i % 8 * bits % 8), v = packed[byte] >> at;
        if (at + (unsigned)bits > 8) v |= (unsigned)packed[byte + 1] << (8 - at);
        out[i] = in_byte(t, v);
    }
}

void clear_unused_bits(DType t, void *elements, int64_t count) {
    unsigned char *e = elements;
    for (int64_t i = 0; i < count && is_packed(t); i++) e[i] = in_byte(t, e[i]);
}

const void *packed_contents(Arena *a, const Tensor *t) {
    if (!is_packed(t->dtype)) return t->data;
    unsigned char *packed = arena_alloc(a, (size_t)packed_bytes(t->dtype, t->count));
    pack_elements(t->dtype, t->data, t->count, packed);
    return packed;
}
