/* Measures runtime/nncc_math.h: float functions against libm's in double, integers against 128-bit arithmetic.
 *
 *     cc -O2 tests/unit/test_math.c -lm -o /tmp/test_math && /tmp/test_math
 *     /tmp/test_math --all [NAME...]     all 2^32 floats instead of a sample, for the functions named (minutes each)
 *
 * Prints the largest error of each function in units in the last place (ulp); exit status 1 if one is above its limit.
 */
#include "../../runtime/nncc_math.h"

#include <float.h>
#include <stdio.h>

__extension__ typedef __int128 Wide;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

typedef struct {
    const char *name;
    float (*f)(float);
    double (*reference)(double);
    double limit;
} Function;
static const Function functions[] = {
    {"exp", nncc_expf, exp, 1},
    {"log", nncc_logf, log, 1},
    {"tanh", nncc_tanhf, tanh, 2},
    {"erf", nncc_erff, erf, 2},
    {"sigmoid", nncc_sigmoidf, sigmoid, 2},
    {"sin", nncc_sinf, sin, 1},
    {"cos", nncc_cosf, cos, 1},
    {"tan", nncc_tanf, tan, 1},
    {"asin", nncc_asinf, asin, 1},
    {"acos", nncc_acosf, acos, 1},
    {"atan", nncc_atanf, atan, 1},
    {"expm1", nncc_expm1f, expm1, 1},
    {"log1p", nncc_log1pf, log1p, 1},
    {"sinh", nncc_sinhf, sinh, 1},
    {"cosh", nncc_coshf, cosh, 1},
    {"asinh", nncc_asinhf, asinh, 1},
    {"acosh", nncc_acoshf, acosh, 1},
    {"atanh", nncc_atanhf, atanh, 1},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static int failures;

static void check(int ok, const char *what, double a, double b) {
    if (ok) return;
    if (failures++ < 20) printf("FAIL %s (%.9g, %.9g)\n", what, a, b);
}

/* The distance of `got` from `want` in steps of float around `want`; infinite if they differ in kind or sign. */
static double ulps(float got, double want) {
    const double endless = (double)INFINITY;
    if (got != got || want != want) return got != got && want != want ? 0 : endless;
    if ((copysign(1, (double)got) < 0) != (copysign(1, want) < 0)) return endless;
    if (isinf(want) || want == 0) return (double)got == want ? 0 : endless;
    int exponent;
    (void)frexp(want, &exponent); /* want = m 2^exponent, m in [1/2, 1) */
    const double step = ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
    const double beyond = ldexp(copysign(1, want), 128);
    if (isinf(got)) return fabs(want) >= fabs(beyond) ? 0 : fabs(beyond - want) / ldexp(1, 104);
    return fabs((double)got - want) / step;
}

static void test_function(const Function *t, uint32_t stride) {
    double worst = 0;
    float at = 0;
    for (uint64_t b = 0; b <= UINT32_MAX; b += stride) {
        const float x = nncc_bits_float((uint32_t)b);
        const double error = ulps(t->f(x), t->reference((double)x));
        if (error > worst) worst = error, at = x;
    }
    static const float special[] = {
        0.0f, -0.0f,   1.0f,    -1.0f,    INFINITY,        -INFINITY,
        NAN,  FLT_MIN, FLT_MAX, -FLT_MAX, 1.26145879e+38f, 2.52291757e+38f}; /* all but multiples of pi/2 */
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        check(ulps(t->f(special[i]), t->reference((double)special[i])) <= t->limit, t->name, (double)special[i], 0);
    printf("%-8s %.3f ulp at %.9g\n", t->name, worst, (double)at);
    check(worst <= t->limit, t->name, (double)at, worst);
}

static uint64_t random_bits(void) {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state ^ (state >> 29);
}

static void test_pow(void) {
    static const float edge[] = {0.0f,        -0.0f,   1.0f,     -1.0f,    2.0f,      -2.0f,   3.0f,       -3.0f,
                                 0.5f,        -0.5f,   1.5f,     -1.5f,    1e-40f,    -1e-40f, 8388609.0f, -8388609.0f,
                                 16777216.0f, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN};
    enum { EDGES = sizeof edge / sizeof *edge };
    for (int i = 0; i < EDGES * EDGES; i++) {
        const float x = edge[i / EDGES], y = edge[i % EDGES];
        check(ulps(nncc_powf(x, y), pow((double)x, (double)y)) <= 1, "pow", (double)x, (double)y);
    }
    double worst = 0;
    for (int i = 0; i < 2000000; i++) {
        const float x = nncc_bits_float((uint32_t)random_bits());
        const float any = nncc_bits_float((uint32_t)random_bits()), small = (float)(int)(random_bits() % 41) - 20;
        const float y = i % 4 == 0 ? any : i % 4 == 1 ? small : (float)(100 / log(fabs((double)x))) * (small / 20);
        const double error = ulps(nncc_powf(x, y), pow((double)x, (double)y));
        check(error <= 1, "pow", (double)x, (double)y);
        if (error > worst) worst = error;
    }
    printf("%-8s %.3f ulp\n", "pow", worst);
}

/* `wide` reduced to `bits` bits, as C's unsigned types do it and processors do it for signed ones. */
static Wide wrapped(Wide wide, int bits, int is_signed) {
    const Wide size = (Wide)1 << bits, low = ((wide % size) + size) % size;
    return is_signed && low >= size / 2 ? low - size : low;
}

static Wide power(Wide a, Wide b, int bits, int is_signed) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    Wide y = 1, base = wrapped(a, bits, 1); /* signed residues, so that no product overflows */
    for (; b > 0; b /= 2) {
        if (b % 2 == 1) y = wrapped(y * base, bits, 1);
        base = wrapped(base * base, bits, 1);
    }
    return wrapped(y, bits, is_signed);
}

static Wide shifted_left(Wide a, Wide b, int bits, int is_signed) {
    if (b < 0 || b >= bits) return 0;
    for (int i = 0; i < (int)b; i++) a = wrapped(a * 2, bits, is_signed);
    return a;
}

static Wide shifted_right(Wide a, Wide b, int bits) {
    const Wide size = (Wide)1 << (b < 0 || b >= bits ? bits : (int)b);
    return (a - ((a % size) + size) % size) / size;
}

/* Every integer helper of one type on one pair of operands. */
#define TEST_PAIR(suffix, T, bits, is_signed)                                                                          \
    static void test_pair_##suffix(T a, T b) {                                                                         \
        const Wide x = a, y = b, rem = y == 0 ? 0 : x % y, mod = rem != 0 && (rem < 0) != (y < 0) ? rem + y : rem;     \
        const double p = (double)a, q = (double)b;                                                                     \
        check(nncc_idiv_##suffix(a, b) == (y == 0 ? 0 : wrapped(x / y, bits, is_signed)), "idiv_" #suffix, p, q);      \
        check(nncc_irem_##suffix(a, b) == rem, "irem_" #suffix, p, q);                                                 \
        check(nncc_imod_##suffix(a, b) == mod, "imod_" #suffix, p, q);                                                 \
        check(nncc_iabs_##suffix(a) == wrapped(x < 0 ? -x : x, bits, is_signed), "iabs_" #suffix, p, q);               \
        check(nncc_ipow_##suffix(a, b) == power(x, y, bits, is_signed), "ipow_" #suffix, p, q);                        \
        check(nncc_ishl_##suffix(a, b) == shifted_left(x, y, bits, is_signed), "ishl_" #suffix, p, q);                 \
        check(nncc_ishr_##suffix(a, b) == shifted_right(x, y, bits), "ishr_" #suffix, p, q);                           \
    }
TEST_PAIR(i32, int32_t, 32, 1)
TEST_PAIR(i64, int64_t, 64, 1)
TEST_PAIR(u32, uint32_t, 32, 0)
TEST_PAIR(u64, uint64_t, 64, 0)

static void test_pairs(uint64_t a, uint64_t b) {
    test_pair_i32((int32_t)a, (int32_t)b);
    test_pair_i64((int64_t)a, (int64_t)b);
    test_pair_u32((uint32_t)a, (uint32_t)b);
    test_pair_u64(a, b);
}

static void test_integers(void) {
    uint64_t edge[64];
    int n = 0;
    static const int powers[] = {0, 1, 3, 5, 6, 31, 32, 63};
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++)
        for (uint64_t near = 0; near < 5; near++) edge[n++] = ((uint64_t)1 << powers[i]) + near - 2;
    for (int i = 0; i < n * n; i++) test_pairs(edge[i / n], edge[i % n]);
    for (int i = 0; i < 200000; i++) {
        const uint64_t a = random_bits(), b = random_bits();
        test_pairs(a >> (a % 64), b >> (b % 64));
        test_pairs(0 - (a >> (a % 64)), 0 - (b >> (b % 64)));
    }
}

static Wide saturated(double x, Wide low, Wide high) {
    if (isnan(x)) return 0;
    if (fabs(x) > 1e30) return x < 0 ? low : high;
    const Wide i = (Wide)x;
    return i < low ? low : i > high ? high : i;
}

#define TEST_CAST(to, low, high)                                                                                       \
    check(nncc_f32_to_##to(x) == saturated((double)x, low, high), "f32_to_" #to, (double)x, 0);                        \
    check(nncc_f64_to_##to(d) == saturated(d, low, high), "f64_to_" #to, d, 0);                                        \
    check(nncc_f64_to_##to((double)x) == saturated((double)x, low, high), "f64_to_" #to, (double)x, 0)

static void test_casts_of(float x, double d) {
    TEST_CAST(i8, INT8_MIN, INT8_MAX);
    TEST_CAST(i16, INT16_MIN, INT16_MAX);
    TEST_CAST(i32, INT32_MIN, INT32_MAX);
    TEST_CAST(i64, INT64_MIN, INT64_MAX);
    TEST_CAST(u8, 0, UINT8_MAX);
    TEST_CAST(u16, 0, UINT16_MAX);
    TEST_CAST(u32, 0, UINT32_MAX);
    TEST_CAST(u64, 0, UINT64_MAX);
}

static void test_casts(void) {
    for (uint64_t b = 0; b <= UINT32_MAX; b += 4099) {
        const uint64_t exponent = (960 + (b >> 8) % 144) << 52, sign = b << 63;
        test_casts_of(nncc_bits_float((uint32_t)b), nncc_bits_double((random_bits() >> 12) | exponent | sign));
    }
    for (int e = 6; e <= 64; e++) /* around the ends of every type */
        for (int near = -4; near <= 4; near++) {
            const double end = ldexp(near < 0 ? -1 : 1, e);
            test_casts_of(nncc_bits_float(nncc_float_bits((float)end) + (uint32_t)near), end + near * 0.5);
        }
}

/* The nearest to x with `digits` bits of precision and least exponent `least`, halves to even; the double is exact. */
static double narrowed(double x, int digits, int least) {
    int exponent;
    (void)frexp(x, &exponent);
    const double step = ldexp(1, (exponent < least ? least : exponent) - digits);
    return rint(x / step) * step;
}

static void test_halves(void) {
    for (uint32_t h = 0; h <= UINT16_MAX; h++) {
        const int e = (int)(h >> 10) & 31, m = (int)h & 1023;
        const double size = e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);
        const double want = e < 31 ? size : m == 0 ? (double)INFINITY : (double)NAN;
        const float got = nncc_f16_load((uint16_t)h);
        check(ulps(got, h & 0x8000 ? -want : want) == 0, "f16_load", h, (double)got);
        check(isnan(got) ? isnan(nncc_f16_load(nncc_f16_store(got))) : nncc_f16_store(got) == h, "f16_store", h, 0);
        const float b = nncc_bf16_load((uint16_t)h);
        check(isnan(b) ? isnan(nncc_bf16_load(nncc_bf16_store(b))) : nncc_bf16_store(b) == h, "bf16_store", h, 0);
    }
    for (uint64_t b = 0; b <= UINT32_MAX; b += 509) {
        const float x = nncc_bits_float((uint32_t)b);
        const float h = nncc_f16_load(nncc_f16_store(x)), g = nncc_bf16_load(nncc_bf16_store(x));
        const double half = narrowed((double)x, 11, -13), brain = narrowed((double)x, 8, -125);
        const double endless = copysign((double)INFINITY, (double)x);
        check(isnan(x) ? isnan(h) : (double)h == (fabs(half) >= 65536 ? endless : half), "f16_store", (double)x, half);
        check(isnan(x) ? isnan(g) : (double)g == (fabs(brain) >= ldexp(1, 128) ? endless : brain), "bf16_store",
              (double)x, brain);
    }
}

static int named(const char *name, int n, char **names) {
    for (int i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0) return 1;
    return n == 0;
}

int main(int argc, char **argv) {
    const int all = argc > 1 && strcmp(argv[1], "--all") == 0;
    for (int i = 0; i < FUNCTIONS; i++)
        if (named(functions[i].name, all ? argc - 2 : 0, argv + 2)) test_function(&functions[i], all ? 1 : 4099);
    test_pow();
    test_integers();
    test_casts();
    test_halves();
    printf(failures ? "%d FAILED\n" : "all passed\n", failures);
    return failures != 0;
}
