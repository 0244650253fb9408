/* Small types: ir/small.c and the functions of runtime/nncc_math.h against hashes of what ml_dtypes 0.5 gives, for all
 * codes and, on their way in, for all numbers of f16 and bf16; then one against the other, and packing. */
#include "../../runtime/nncc_math.h"
#include "ir/tensor.h"
#include <stdio.h>

static int failures;

static void check(int ok, const char *what, const char *type, double x) {
    if (!ok && failures++ < 20) printf("FAIL %s of %s (%.17g)\n", what, type, x);
}

static uint64_t hash_byte(uint64_t h, unsigned byte) { return (h ^ (byte & 255)) * 0x100000001b3u; }

static uint64_t hash_float(uint64_t h, float f) {
    uint32_t bits = isnan(f) ? 0x7fc00000u : nncc_float_bits(f);
    for (int i = 0; i < 32; i += 8) h = hash_byte(h, bits >> i);
    return h;
}

static const uint64_t begin = 0xcbf29ce484222325u;

/* What a program has for a type, and FNV-1a hashes: of all codes as floats, and of the codes of the numbers of f16 and
 * bf16 that are no NaN, saturated and not. */
typedef struct {
    DType type;
    float (*load)(uint8_t);
    uint8_t (*store)(float);
    float (*round)(float, float);
    uint64_t floats, saturated, plain;
} Case;

#define CASE(id) DT_##id, nncc_##id##_load, nncc_##id##_store, nncc_##id##_round
static const Case cases[] = {
    {CASE(f8e4m3fn), 0xdad1d9c50f749ca5u, 0x7fc1853016bca801u, 0xc3154cd394098821u},
    {CASE(f8e4m3fnuz), 0xf51851cb11c63018u, 0xffd20a7717f53421u, 0xe5693b1141171b75u},
    {CASE(f8e5m2), 0x6c1e56b6fb09c905u, 0x3d70eec0feba6a99u, 0x996b38cc33ae7425u},
    {CASE(f8e5m2fnuz), 0x94ae6fc493d49818u, 0xd4686724af7d6871u, 0xf4434ab4470f6bf5u},
    {CASE(f6e2m3), 0x7ffacb24ad8b0aa5u, 0xec7c12102c0ea661u, 0xec7c12102c0ea661u},
    {CASE(f6e3m2), 0x25da13434201d785u, 0xe9dae27167215671u, 0xe9dae27167215671u},
    {CASE(f4e2m1), 0x2403bb76b85dfea5u, 0x60abb108bc8e09d1u, 0x60abb108bc8e09d1u},
};

static bool same(float a, float b) { return nncc_float_bits(a) == nncc_float_bits(b); }

static void test_codes(const Case *c) {
    const char *name = dtypes[c->type].name;
    uint64_t h = begin;
    for (unsigned i = 0; i < 1u << dtypes[c->type].bits; i++) {
        float f = c->load((uint8_t)i);
        h = hash_float(h, f);
        check(same(f, (float)small_float(c->type, (unsigned char)i)), "load", name, i);
        check(c->store(f) == i, "store", name, i);
        check(small_code(c->type, (double)f) == i, "code", name, i);
    }
    check(h == c->floats, "floats", name, 0);
}

static uint64_t hash_rounded(uint64_t h, const Case *c, float x, double beyond) {
    float y = c->round(x, (float)beyond);
    check(isnan(y) == isnan(small_round(c->type, (double)x, beyond)), "nan", dtypes[c->type].name, (double)x);
    check(isnan(y) || same(y, (float)small_round(c->type, (double)x, beyond)), "round", dtypes[c->type].name,
          (double)x);
    return hash_byte(h, c->store(y));
}

static uint64_t hash_all(const Case *c, double beyond) {
    uint64_t h = begin;
    for (unsigned i = 0; i < 1u << 16; i++)
        if (!isnan(f16_to_f32((uint16_t)i))) h = hash_rounded(h, c, f16_to_f32((uint16_t)i), beyond);
    for (unsigned i = 0; i < 1u << 16; i++)
        if (!isnan(bf16_to_f32((uint16_t)i))) h = hash_rounded(h, c, bf16_to_f32((uint16_t)i), beyond);
    return h;
}

static void test_rounding(const Case *c) {
    const DTypeRow *r = &dtypes[c->type];
    double top = small_top(c->type), other = r->bits < 8 ? top : r->inf ? (double)INFINITY : (double)NAN;
    check(hash_all(c, top) == c->saturated, "saturated", r->name, 0);
    check(hash_all(c, other) == c->plain, "plain", r->name, 0);
    for (uint64_t b = 0; b <= UINT32_MAX; b += 8191) hash_rounded(begin, c, nncc_bits_float((uint32_t)b), top);
}

/* A double between two floats is rounded as itself, not as either of them. */
static void test_doubles(const Case *c) {
    for (unsigned i = 0; i + 1 < dtypes[c->type].top; i++) {
        double a = small_float(c->type, (unsigned char)i), b = small_float(c->type, (unsigned char)(i + 1));
        for (int side = -1; side <= 1; side++) {
            double x = side ? nextafter((a + b) / 2, side * 1e9) : (a + b) / 2;
            float y = c->round(nncc_round_odd(x), 1);
            check((double)y == small_round(c->type, x, 1), "double", dtypes[c->type].name, x);
            check(side == 0 || (double)y == (side < 0 ? a : b), "side", dtypes[c->type].name, x);
            check(same(nncc_round_odd(x), odd_f32(x)), "odd", dtypes[c->type].name, x);
        }
    }
}

/* Powers of two: the numbers on both sides of each, in every mode. */
static void test_scales(void) {
    uint64_t h = begin;
    for (unsigned i = 0; i < 256; i++) {
        float f = nncc_f8e8m0_load((uint8_t)i);
        h = hash_float(h, f);
        check(nncc_f8e8m0_store(f) == i, "store", "f8e8m0", i);
        check(same(f, (float)small_float(DT_f8e8m0, (unsigned char)i)), "load", "f8e8m0", i);
    }
    check(h == 0x6d2c8b41c3f0e5a5u, "floats", "f8e8m0", 0);
    for (uint64_t b = 0; b <= UINT32_MAX; b += 2047)
        for (int mode = 0; mode < 6; mode++) {
            float x = nncc_bits_float((uint32_t)b), up = (float)(mode % 3) / 2, saturates = (float)(mode / 3);
            float y = nncc_f8e8m0_round(x, up, saturates);
            double want = round_e8m0((double)x, (double)up, (double)saturates);
            check(isnan(y) ? isnan(want) : (double)y == want, "round", "f8e8m0", (double)x);
        }
}

/* The first element is in the lowest bits; as onnx.numpy_helper packs them. */
static void test_packing(void) {
    static const DType types[] = {DT_i4, DT_u4, DT_i2, DT_u2, DT_f4e2m1, DT_f6e2m3, DT_f6e3m2};
    static const unsigned char few[] = {1, 2, 3, 4, 5}, as_4[] = {0x21, 0x43, 0x05}, as_6[] = {0x81, 0x30, 0x10, 0x05};
    unsigned char packed[16], elements[16], back[16];
    pack_elements(DT_u4, few, 5, packed);
    check(packed_bytes(DT_u4, 5) == 3 && !memcmp(packed, as_4, sizeof as_4), "pack", "u4", 5);
    pack_elements(DT_f6e3m2, few, 5, packed);
    check(packed_bytes(DT_f6e3m2, 5) == 4 && !memcmp(packed, as_6, sizeof as_6), "pack", "f6e3m2", 5);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int n = 0; n <= 16; n++) {
            for (int i = 0; i < n; i++) {
                Scalar s = {.u = (uint64_t)(7 * i)};
                elements[i] = (unsigned char)(7 * i & ((1 << dtypes[types[t]].bits) - 1));
                if (holds_ints(types[t])) store_scalar(types[t], &elements[i], s);
            }
            pack_elements(types[t], elements, n, packed);
            unpack_elements(types[t], packed, n, back);
            check(!memcmp(elements, back, (size_t)n), "pack and unpack", dtypes[types[t]].name, n);
        }
}

int main(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        test_codes(&cases[i]), test_rounding(&cases[i]), test_doubles(&cases[i]);
    test_scales();
    test_packing();
    printf(failures ? "%d FAILED\n" : "all passed\n", failures);
    return failures != 0;
}
