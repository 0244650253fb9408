/* nncc_math.h - the functions that generated programs call where libm's are missing, slow or undefined.
 *
 * A program carries only those it needs: nncc pastes the text between the @helper and @end lines, after the helpers
 * named behind the colon. Sections are plain C99 that is also C++ and CUDA; they need <math.h>, <stdint.h> and
 * <string.h>.
 *
 * Functions of float have no branches, so that compilers vectorise the loops around them, and keep to 2 ulp (most to 1)
 * over all floats, NaN, infinities and denormals included; tests/unit/test_math.c measures them. exp, log, tanh,
 * sigmoid and erf compute in float, for processors without double; the others compute in double, which is shorter and
 * exact enough to need no care. Polynomials are minimax fits, made with Sollya. None of this survives -ffast-math. */
#ifndef NNCC_MATH_H
#define NNCC_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* CUDA wants a mark on each function, which the pasted text must do without. */
#if defined __CUDACC__
#define inline __host__ __device__ __inline__
#endif

/* ---- bits of floats ---- */

/* @helper nncc_float_bits: */
static inline uint32_t nncc_float_bits(float x) {
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}
/* @end */

/* @helper nncc_bits_float: */
static inline float nncc_bits_float(uint32_t b) {
    float x;
    memcpy(&x, &b, sizeof x);
    return x;
}
/* @end */

/* @helper nncc_double_bits: */
static inline uint64_t nncc_double_bits(double x) {
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}
/* @end */

/* @helper nncc_bits_double: */
static inline double nncc_bits_double(uint64_t b) {
    double x;
    memcpy(&x, &b, sizeof x);
    return x;
}
/* @end */

/* @helper nncc_pick: nncc_float_bits nncc_bits_float */
/* `when ? a : b` by masks: gcc makes jumps of the operator, and a loop with jumps stays scalar. */
static inline float nncc_pick(int when, float a, float b) {
    const uint32_t mask = 0u - (uint32_t)(when != 0);
    return nncc_bits_float((nncc_float_bits(a) & mask) | (nncc_float_bits(b) & ~mask));
}
/* @end */

/* @helper nncc_reluf: nncc_float_bits nncc_bits_float */
/* `x < 0 ? 0 : x` without a choice. */
static inline float nncc_reluf(float x) { return nncc_bits_float(nncc_float_bits(x) & ((uint32_t)(x < 0.0f) - 1u)); }
/* @end */

/* @helper nncc_maxf: nncc_pick */
static inline float nncc_maxf(float a, float b) { return nncc_pick((a > b) | (a != a), a, b); }
/* @end */

/* @helper nncc_minf: nncc_pick */
static inline float nncc_minf(float a, float b) { return nncc_pick((a < b) | (a != a), a, b); }
/* @end */

/* @helper nncc_wide_pick: nncc_double_bits nncc_bits_double */
static inline double nncc_wide_pick(int when, double a, double b) {
    const uint64_t mask = 0u - (uint64_t)(when != 0);
    return nncc_bits_double((nncc_double_bits(a) & mask) | (nncc_double_bits(b) & ~mask));
}
/* @end */

/* ---- float functions that compute in float ---- */

/* @helper nncc_expf: nncc_float_bits nncc_bits_float nncc_pick */
/* e^x to 1 ulp: x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 leaves n in the low bits; 2^n is multiplied in
 * two halves, so that denormal results round once and large ones reach infinity. */
static inline float nncc_expf(float x) {
    const float low = nncc_pick(x < -104.0f, -104.0f, x);
    const float c = nncc_pick(low > 89.0f, 89.0f, low);
    const float shifted = c * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    const float r = (c - n * 0.693145752f) - n * 1.4286068e-06f;
    float p = 0.0013782502f;
    p = (p * r + 0.008368674f) * r + 0.041668963f;
    p = (p * r + 0.16666521f) * r + 0.4999999f;
    const uint32_t biased = nncc_float_bits(shifted) - 0x4b400000u + 254u; /* n + 2 * 127 */
    const uint32_t half = biased >> 1;
    const float scale1 = nncc_bits_float(half << 23);
    const float scale2 = nncc_bits_float((biased - half) << 23);
    const float y = 1.0f + r;
    return (y + ((r - (y - 1.0f)) + p * r * r)) * scale1 * scale2;
}
/* @end */

/* @helper nncc_logf: nncc_float_bits nncc_bits_float nncc_pick */
/* ln x to 1 ulp: x = 2^e (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). */
static inline float nncc_logf(float x) {
    const int tiny = x < 1.17549435e-38f;
    const float normal = x * nncc_pick(tiny, 8388608.0f, 1.0f);
    const uint32_t t = nncc_float_bits(normal) - 0x3f3504f3u; /* less sqrt(1/2): the exponent field is e, modulo 2^9 */
    const float e = (float)((int32_t)((t + 0x40000000u) >> 23) - 128 - 23 * tiny);
    const float f = nncc_bits_float((t & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    float p = -0.072358996f * f + 0.12537841f;
    p = (p * f - 0.13219914f) * f + 0.14244244f;
    p = (p * f - 0.16620891f) * f + 0.19998668f;
    p = (p * f - 0.25000843f) * f + 0.3333338f;
    const float y = e * 0.693145752f + (f + (e * 1.4286068e-06f + (p * f - 0.5f) * f * f));
    const float finite = nncc_pick(x <= 3.40282347e+38f, y, x);
    return nncc_pick(x == 0.0f, -INFINITY, nncc_pick(x < 0.0f, NAN, finite));
}
/* @end */

/* @helper nncc_tanhf: nncc_pick nncc_expf */
/* tanh x to 2 ulp: a polynomial near 0, else 1 - 2 / (e^2x + 1). */
static inline float nncc_tanhf(float x) {
    const float a = fabsf(x), s = a * a;
    float p = -0.005700092f;
    p = (p * s + 0.020634118f) * s - 0.05373794f;
    p = (p * s + 0.13331416f) * s - 0.3333328f;
    const float inner = a + a * s * p;
    const float outer = 1.0f - 2.0f / (nncc_expf(2.0f * a) + 1.0f);
    return copysignf(nncc_pick(a < 0.625f, inner, outer), x);
}
/* @end */

/* @helper nncc_sigmoidf: nncc_pick nncc_expf */
/* 1 / (1 + e^-x) to 2 ulp. With e = e^-|x| it is 1 - e / (1 + e), and for negative x e times that. */
static inline float nncc_sigmoidf(float x) {
    const float e = nncc_expf(-fabsf(x));
    const float size = nncc_pick(x < 0.0f, e, 1.0f);
    return size - size * (e / (1.0f + e));
}
/* @end */

/* @helper nncc_erff: nncc_pick nncc_expf */
/* erf x to 2 ulp: a polynomial near 0, else 1 - e^-q with q a polynomial too. */
static inline float nncc_erff(float x) {
    const float a = nncc_pick(fabsf(x) > 4.0f, 4.0f, fabsf(x));
    const float s = a * a;
    float p = 8.1690436e-05f;
    p = (p * s - 0.00080892374f) * s + 0.0051956214f;
    p = (p * s - 0.026856821f) * s + 0.11283638f;
    p = (p * s - 0.3761263f) * s + 0.12837917f;
    float q = -0.00020099623f;
    q = (q * a + 0.0030922922f) * a - 0.022420218f;
    q = (q * a + 0.10432751f) * a + 0.6367372f;
    q = (q * a + 1.1279361f) * a + 0.00013357506f;
    const float inner = a + a * p;
    const float outer = 1.0f - nncc_expf(-q);
    return copysignf(nncc_pick(a < 0.9f, inner, outer), x);
}
/* @end */

/* ---- float functions that compute in double ---- */

/* @helper nncc_wide_exp: nncc_double_bits nncc_bits_double nncc_wide_pick */
/* e^x - less, where less is 0 or 1; more exact than a float can show, and beyond floats large or small enough. */
static inline double nncc_wide_exp(double x, double less) {
    const double low = nncc_wide_pick(x < -200.0, -200.0, x);
    const double c = nncc_wide_pick(low > 200.0, 200.0, low);
    const double shifted = c * 1.4426950408889634 + 6755399441055744.0; /* 1.5 * 2^52: leaves n in the low bits */
    const double n = shifted - 6755399441055744.0;
    const double r = (c - n * 0.6931471805598903) - n * 5.497923018708371e-14;
    double p = 2.7554033326081106e-07;
    p = (p * r + 2.7630693465454234e-06) * r + 2.4801696412245256e-05;
    p = (p * r + 0.0001984119584841571) * r + 0.0013888888764246555;
    p = (p * r + 0.00833333336271837) * r + 0.0416666666671062;
    p = (p * r + 0.16666666666630425) * r + 0.49999999999999634;
    const double scale = nncc_bits_double((nncc_double_bits(shifted) + 1023u) << 52);
    return (p * r * r + r) * scale + (scale - less);
}
/* @end */

/* @helper nncc_wide_log: nncc_double_bits nncc_bits_double nncc_wide_pick */
/* ln(x + rest) for normal x, where rest is what rounding took from x; more exact than a float can show. */
static inline double nncc_wide_log(double x, double rest) {
    const uint64_t t = nncc_double_bits(x) - 0x3fe6a09e667f3bcdu; /* less sqrt(1/2): the exponent field is e */
    const double e = nncc_bits_double(0x4330000000000000u | ((t + 0x4000000000000000u) >> 52)) - 4503599627371520.0;
    const double f = nncc_bits_double((t & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    double p = 0.16819421758675926 * z + 0.18123678255870992;
    p = (p * z + 0.22223370499560288) * z + 0.28571417147612344;
    p = (p * z + 0.4000000005215656) * z + 0.6666666666658746;
    const double y = e * 0.6931471805599453 + ((p * z * s + 2.0 * s) + rest / x);
    const double finite = nncc_wide_pick(x <= 1.7976931348623157e+308, y, x);
    return nncc_wide_pick(x == 0.0, -(double)INFINITY, nncc_wide_pick(x < 0.0, (double)NAN, finite));
}
/* @end */

/* @helper nncc_wide_log1p: nncc_wide_log */
static inline double nncc_wide_log1p(double x) {
    const double y = 1.0 + x;
    return nncc_wide_log(y, x - (y - 1.0));
}
/* @end */

/* @helper nncc_wide_atan: nncc_wide_pick */
/* atan x for x >= 0. */
static inline double nncc_wide_atan(double x) {
    const double t = nncc_wide_pick(x > 1.0, 1.0 / x, x);
    const double s = t * t;
    double p = 0.0011137900384379756 * s - 0.007317962781982728;
    p = (p * s + 0.02253987988945932) * s - 0.04468995617590691;
    p = (p * s + 0.06741598100833447) * s - 0.08811091791483764;
    p = (p * s + 0.11058223774102266) * s - 0.14279833063781244;
    p = (p * s + 0.19999671123662474) * s - 0.3333332689956417;
    const double y = p * s * t + t;
    return nncc_wide_pick(x > 1.0, 1.5707963267948966 - y, y);
}
/* @end */

/* @helper nncc_wide_turn: nncc_double_bits */
/* Reduces x >= 0 to quarter turns: x = (quarter + f) pi/2 modulo whole turns, with f, the result, in [-1/2, 1/2].
 * 2/pi comes in pieces of 29 bits, whose products with a float are exact, and a last one; multiples of 4 in the
 * products are whole turns. */
static inline double nncc_wide_turn(float x, uint32_t *quarter) {
    const double t0 = (double)x * 0.636619770899415, t1 = (double)x * 1.4681663246252086e-09;
    const double t2 = (double)x * 2.2760100671971816e-18, t3 = (double)x * 5.8812147387730434e-27;
    const double t4 = (double)x * 1.0346868700836215e-35, t5 = (double)x * 3.7832563882960676e-45;
    const double f0 = t0 - 4.0 * rint(0.25 * t0), f1 = t1 - 4.0 * rint(0.25 * t1);
    const double f2 = t2 - 4.0 * rint(0.25 * t2), f3 = t3 - 4.0 * rint(0.25 * t3);
    const double shifted = (f0 + (f1 + (f2 + (f3 + (t4 + t5))))) + 6755399441055744.0;
    *quarter = (uint32_t)nncc_double_bits(shifted);
    /* Largest first, after the whole part: so every sum is exact or rounds at the size of what remains. */
    return (((((f0 - (shifted - 6755399441055744.0)) + f1) + f2) + f3) + t4) + t5;
}
/* @end */

/* @helper nncc_wide_sin: */
/* The sine of f quarter turns, |f| <= 1/2. */
static inline double nncc_wide_sin(double f) {
    const double z = f * f;
    double y = -3.5569218424133635e-06 * z + 0.0001604296453419536;
    y = (y * z - 0.0046817526900114785) * z + 0.07969262616695683;
    y = (y * z - 0.6459640975048303) * z + 1.5707963267948966;
    return y * f;
}
/* @end */

/* @helper nncc_wide_cos: */
/* The cosine of f quarter turns, |f| <= 1/2. */
static inline double nncc_wide_cos(double f) {
    const double z = f * f;
    double y = -2.4852065826814098e-05 * z + 0.000919162843263611;
    y = (y * z - 0.020863468386205116) * z + 0.25366950721051296;
    y = (y * z - 1.233700550123545) * z + 1.0;
    return y;
}
/* @end */

/* @helper nncc_sinf: nncc_wide_pick nncc_wide_turn nncc_wide_sin nncc_wide_cos */
static inline float nncc_sinf(float x) {
    uint32_t quarter;
    const double f = nncc_wide_turn(fabsf(x), &quarter);
    const double y = nncc_wide_pick((quarter & 1u) != 0, nncc_wide_cos(f), nncc_wide_sin(f));
    return (float)y * (1.0f - (float)(int32_t)(quarter & 2u)) * copysignf(1.0f, x);
}
/* @end */

/* @helper nncc_cosf: nncc_wide_pick nncc_wide_turn nncc_wide_sin nncc_wide_cos */
static inline float nncc_cosf(float x) {
    uint32_t quarter;
    const double f = nncc_wide_turn(fabsf(x), &quarter);
    const double y = nncc_wide_pick((quarter & 1u) != 0, nncc_wide_sin(f), nncc_wide_cos(f));
    return (float)y * (1.0f - (float)(int32_t)((quarter + 1u) & 2u));
}
/* @end */

/* @helper nncc_tanf: nncc_wide_pick nncc_wide_turn nncc_wide_sin nncc_wide_cos */
static inline float nncc_tanf(float x) {
    uint32_t quarter;
    const double f = nncc_wide_turn(fabsf(x), &quarter);
    const double s = nncc_wide_sin(f), c = nncc_wide_cos(f);
    const int odd = (quarter & 1u) != 0;
    return (float)(nncc_wide_pick(odd, -c, s) / nncc_wide_pick(odd, s, c)) * copysignf(1.0f, x);
}
/* @end */

/* @helper nncc_asinf: nncc_wide_atan */
static inline float nncc_asinf(float x) {
    const double a = (double)fabsf(x);
    return copysignf((float)nncc_wide_atan(a / sqrt((1.0 - a) * (1.0 + a))), x);
}
/* @end */

/* @helper nncc_acosf: nncc_wide_atan */
static inline float nncc_acosf(float x) {
    return (float)(2.0 * nncc_wide_atan(sqrt((1.0 - (double)x) / (1.0 + (double)x))));
}
/* @end */

/* @helper nncc_atanf: nncc_wide_atan */
static inline float nncc_atanf(float x) { return copysignf((float)nncc_wide_atan((double)fabsf(x)), x); }
/* @end */

/* @helper nncc_expm1f: nncc_wide_exp */
static inline float nncc_expm1f(float x) { return copysignf((float)nncc_wide_exp((double)x, 1.0), x); }
/* @end */

/* @helper nncc_sinhf: nncc_wide_exp */
static inline float nncc_sinhf(float x) {
    const double e = nncc_wide_exp((double)fabsf(x), 1.0);
    return copysignf((float)(0.5 * (e + e / (e + 1.0))), x);
}
/* @end */

/* @helper nncc_coshf: nncc_wide_exp */
static inline float nncc_coshf(float x) {
    const double e = nncc_wide_exp((double)fabsf(x), 0.0);
    return (float)(0.5 * (e + 1.0 / e));
}
/* @end */

/* @helper nncc_log1pf: nncc_wide_log1p */
static inline float nncc_log1pf(float x) { return copysignf((float)nncc_wide_log1p((double)x), x); }
/* @end */

/* @helper nncc_asinhf: nncc_wide_pick nncc_wide_log1p */
static inline float nncc_asinhf(float x) {
    const double a = (double)fabsf(x);
    const double y = nncc_wide_log1p(a + a * a / (1.0 + sqrt(1.0 + a * a)));
    return copysignf((float)nncc_wide_pick(a <= 3.4028234663852886e+38, y, a), x);
}
/* @end */

/* @helper nncc_acoshf: nncc_wide_log1p */
static inline float nncc_acoshf(float x) {
    const double t = (double)x - 1.0;
    return (float)nncc_wide_log1p(t + sqrt(t) * sqrt(t + 2.0));
}
/* @end */

/* @helper nncc_atanhf: nncc_wide_log1p */
static inline float nncc_atanhf(float x) {
    return copysignf((float)(0.5 * nncc_wide_log1p(2.0 * (double)x / (1.0 - (double)x))), x);
}
/* @end */

/* @helper nncc_powf: nncc_pick nncc_wide_exp nncc_wide_log */
/* x^y with C's special cases: 1 for y = 0 and for x = 1, whatever the other is; negative x takes only whole y. */
static inline float nncc_powf(float x, float y) {
    const float a = fabsf(x), half = y * 0.5f;
    const int whole = rintf(y) == y;
    const int odd = whole & (rintf(half) != half);
    const float e = (float)nncc_wide_exp((double)y * nncc_wide_log((double)a, 0.0), 0.0);
    const float size = nncc_pick((a == 1.0f) & (y == y), 1.0f, e);
    const float real = nncc_pick((x < 0.0f) & (a <= 3.40282347e+38f) & !whole, NAN, size);
    return nncc_pick((x == 1.0f) | (y == 0.0f), 1.0f, real * nncc_pick(odd, copysignf(1.0f, x), 1.0f));
}
/* @end */

/* ---- the logistic function in double ---- */

/* @helper nncc_floormodf: */
static inline float nncc_floormodf(float a, float b) {
    const float r = fmodf(a, b);
    return r == 0.0f ? copysignf(0.0f, b) : (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
/* @end */

/* @helper nncc_floormod: */
/* The remainder with the sign of the divisor, exact as fmod is; a zero has that sign too. */
static inline double nncc_floormod(double a, double b) {
    const double r = fmod(a, b);
    return r == 0.0 ? copysign(0.0, b) : (r < 0.0) != (b < 0.0) ? r + b : r;
}
/* @end */

/* @helper nncc_sigmoid: */
static inline double nncc_sigmoid(double x) {
    const double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
/* @end */

/* ---- integers: C's operators where they are defined, and something harmless where they are not ---- */

/* @helper nncc_idiv_i32: */
/* Truncates; 0 for a divisor of 0; wraps for the least integer by -1. */
static inline int32_t nncc_idiv_i32(int32_t a, int32_t b) {
    return b == 0 ? 0 : b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}
/* @end */

/* @helper nncc_idiv_i64: */
static inline int64_t nncc_idiv_i64(int64_t a, int64_t b) {
    return b == 0 ? 0 : b == -1 ? (int64_t)(0u - (uint64_t)a) : a / b;
}
/* @end */

/* @helper nncc_idiv_u32: */
static inline uint32_t nncc_idiv_u32(uint32_t a, uint32_t b) { return b == 0 ? 0 : a / b; }
/* @end */

/* @helper nncc_idiv_u64: */
static inline uint64_t nncc_idiv_u64(uint64_t a, uint64_t b) { return b == 0 ? 0 : a / b; }
/* @end */

/* @helper nncc_irem_i32: */
/* The remainder with the sign of the dividend; 0 for a divisor of 0. */
static inline int32_t nncc_irem_i32(int32_t a, int32_t b) { return b == 0 || b == -1 ? 0 : a % b; }
/* @end */

/* @helper nncc_irem_i64: */
static inline int64_t nncc_irem_i64(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
/* @end */

/* @helper nncc_irem_u32: */
static inline uint32_t nncc_irem_u32(uint32_t a, uint32_t b) { return b == 0 ? 0 : a % b; }
/* @end */

/* @helper nncc_irem_u64: */
static inline uint64_t nncc_irem_u64(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }
/* @end */

/* @helper nncc_imod_i32: nncc_irem_i32 */
/* The remainder with the sign of the divisor; 0 for a divisor of 0. */
static inline int32_t nncc_imod_i32(int32_t a, int32_t b) {
    const int32_t r = nncc_irem_i32(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
/* @end */

/* @helper nncc_imod_i64: nncc_irem_i64 */
static inline int64_t nncc_imod_i64(int64_t a, int64_t b) {
    const int64_t r = nncc_irem_i64(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
/* @end */

/* @helper nncc_imod_u32: */
static inline uint32_t nncc_imod_u32(uint32_t a, uint32_t b) { return b == 0 ? 0 : a % b; }
/* @end */

/* @helper nncc_imod_u64: */
static inline uint64_t nncc_imod_u64(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }
/* @end */

/* @helper nncc_iabs_i32: */
/* The magnitude; the least integer stays as it is. */
static inline int32_t nncc_iabs_i32(int32_t a) { return a < 0 ? (int32_t)(0u - (uint32_t)a) : a; }
/* @end */

/* @helper nncc_iabs_i64: */
static inline int64_t nncc_iabs_i64(int64_t a) { return a < 0 ? (int64_t)(0u - (uint64_t)a) : a; }
/* @end */

/* @helper nncc_iabs_u32: */
static inline uint32_t nncc_iabs_u32(uint32_t a) { return a; }
/* @end */

/* @helper nncc_iabs_u64: */
static inline uint64_t nncc_iabs_u64(uint64_t a) { return a; }
/* @end */

/* @helper nncc_ipow_u32: */
/* a to the b modulo 2^32. */
static inline uint32_t nncc_ipow_u32(uint32_t a, uint32_t b) {
    uint32_t y = 1;
    for (; b != 0; b >>= 1, a *= a)
        if ((b & 1u) != 0) y *= a;
    return y;
}
/* @end */

/* @helper nncc_ipow_u64: */
/* a to the b modulo 2^64. */
static inline uint64_t nncc_ipow_u64(uint64_t a, uint64_t b) {
    uint64_t y = 1;
    for (; b != 0; b >>= 1, a *= a)
        if ((b & 1u) != 0) y *= a;
    return y;
}
/* @end */

/* @helper nncc_ipow_i32: nncc_ipow_u32 */
/* a to the b, wrapping; for a negative b the fraction is cut off, which leaves 1 and -1 alone. */
static inline int32_t nncc_ipow_i32(int32_t a, int32_t b) {
    if (b < 0 && a != 1 && a != -1) return 0;
    return (int32_t)nncc_ipow_u32((uint32_t)a, (uint32_t)b);
}
/* @end */

/* @helper nncc_ipow_i64: nncc_ipow_u64 */
/* a to the b, wrapping; for a negative b the fraction is cut off, which leaves 1 and -1 alone. */
static inline int64_t nncc_ipow_i64(int64_t a, int64_t b) {
    if (b < 0 && a != 1 && a != -1) return 0;
    return (int64_t)nncc_ipow_u64((uint64_t)a, (uint64_t)b);
}
/* @end */

/* @helper nncc_ishl_i32: */
/* A count from the width on, or a negative one, shifts every bit out. */
static inline int32_t nncc_ishl_i32(int32_t a, int32_t b) { return (uint32_t)b < 32 ? (int32_t)((uint32_t)a << b) : 0; }
/* @end */

/* @helper nncc_ishl_i64: */
static inline int64_t nncc_ishl_i64(int64_t a, int64_t b) { return (uint64_t)b < 64 ? (int64_t)((uint64_t)a << b) : 0; }
/* @end */

/* @helper nncc_ishl_u32: */
static inline uint32_t nncc_ishl_u32(uint32_t a, uint32_t b) { return b < 32 ? a << b : 0; }
/* @end */

/* @helper nncc_ishl_u64: */
static inline uint64_t nncc_ishl_u64(uint64_t a, uint64_t b) { return b < 64 ? a << b : 0; }
/* @end */

/* @helper nncc_ishr_i32: */
/* Keeps the sign, which is all that is left from the width on. */
static inline int32_t nncc_ishr_i32(int32_t a, int32_t b) { return a >> ((uint32_t)b < 32 ? b : 31); }
/* @end */

/* @helper nncc_ishr_i64: */
static inline int64_t nncc_ishr_i64(int64_t a, int64_t b) { return a >> ((uint64_t)b < 64 ? b : 63); }
/* @end */

/* @helper nncc_ishr_u32: */
static inline uint32_t nncc_ishr_u32(uint32_t a, uint32_t b) { return b < 32 ? a >> b : 0; }
/* @end */

/* @helper nncc_ishr_u64: */
static inline uint64_t nncc_ishr_u64(uint64_t a, uint64_t b) { return b < 64 ? a >> b : 0; }
/* @end */

/* @helper nncc_trailing_zeros_u32: nncc_float_bits */
/* The lowest bit that is set is a power of two: as a float it has its place as exponent. Of 0 it is 0. */
static inline uint32_t nncc_trailing_zeros_u32(uint32_t a) {
    return a ? (nncc_float_bits((float)(int32_t)(a & (0u - a))) >> 23 & 255u) - 127u : 0u;
}
/* @end */

/* @helper nncc_trailing_zeros_u64: nncc_trailing_zeros_u32 */
static inline uint64_t nncc_trailing_zeros_u64(uint64_t a) {
    return (uint32_t)a ? nncc_trailing_zeros_u32((uint32_t)a)
                       : (a ? 32u : 0u) + nncc_trailing_zeros_u32((uint32_t)(a >> 32));
}
/* @end */

/* @helper nncc_trailing_zeros_i32: nncc_trailing_zeros_u32 */
static inline int32_t nncc_trailing_zeros_i32(int32_t a) { return (int32_t)nncc_trailing_zeros_u32((uint32_t)a); }
/* @end */

/* @helper nncc_trailing_zeros_i64: nncc_trailing_zeros_u64 */
static inline int64_t nncc_trailing_zeros_i64(int64_t a) { return (int64_t)nncc_trailing_zeros_u64((uint64_t)a); }
/* @end */

/* ---- floats to integers: truncating, saturating, 0 for NaN ---- */

/* @helper nncc_f32_to_i32: */
/* Truncates; what does not fit gives the nearest that does, NaN gives 0. */
static inline int32_t nncc_f32_to_i32(float x) {
    const int32_t i = (int32_t)(x >= -2147483648.0f && x < 2147483648.0f ? x : 0.0f);
    return x >= 2147483648.0f ? INT32_MAX : x < -2147483648.0f ? INT32_MIN : i;
}
/* @end */

/* @helper nncc_f32_to_i64: */
static inline int64_t nncc_f32_to_i64(float x) {
    const int64_t i = (int64_t)(x >= -9223372036854775808.0f && x < 9223372036854775808.0f ? x : 0.0f);
    return x >= 9223372036854775808.0f ? INT64_MAX : x < -9223372036854775808.0f ? INT64_MIN : i;
}
/* @end */

/* @helper nncc_f32_to_u32: */
static inline uint32_t nncc_f32_to_u32(float x) {
    const uint32_t i = (uint32_t)(x > 0.0f && x < 4294967296.0f ? x : 0.0f);
    return x >= 4294967296.0f ? UINT32_MAX : i;
}
/* @end */

/* @helper nncc_f32_to_u64: */
static inline uint64_t nncc_f32_to_u64(float x) {
    const uint64_t i = (uint64_t)(x > 0.0f && x < 18446744073709551616.0f ? x : 0.0f);
    return x >= 18446744073709551616.0f ? UINT64_MAX : i;
}
/* @end */

/* @helper nncc_clampf: nncc_pick */
/* The nearest to x from low to high; 0 for NaN. */
static inline float nncc_clampf(float x, float low, float high) {
    return nncc_pick(x == x, nncc_pick(x < low, low, nncc_pick(x > high, high, x)), 0.0f);
}
/* @end */

/* @helper nncc_f32_to_i8: nncc_clampf */
static inline int8_t nncc_f32_to_i8(float x) { return (int8_t)(int32_t)nncc_clampf(x, -128.0f, 127.0f); }
/* @end */

/* @helper nncc_f32_to_i16: nncc_clampf */
static inline int16_t nncc_f32_to_i16(float x) { return (int16_t)(int32_t)nncc_clampf(x, -32768.0f, 32767.0f); }
/* @end */

/* @helper nncc_f32_to_u8: nncc_clampf */
static inline uint8_t nncc_f32_to_u8(float x) { return (uint8_t)(int32_t)nncc_clampf(x, 0.0f, 255.0f); }
/* @end */

/* @helper nncc_f32_to_u16: nncc_clampf */
static inline uint16_t nncc_f32_to_u16(float x) { return (uint16_t)(int32_t)nncc_clampf(x, 0.0f, 65535.0f); }
/* @end */

/* @helper nncc_clamp: nncc_wide_pick */
/* The nearest to x from low to high; 0 for NaN. */
static inline double nncc_clamp(double x, double low, double high) {
    return nncc_wide_pick(x == x, nncc_wide_pick(x < low, low, nncc_wide_pick(x > high, high, x)), 0.0);
}
/* @end */

/* @helper nncc_f64_to_i32: nncc_clamp */
static inline int32_t nncc_f64_to_i32(double x) { return (int32_t)nncc_clamp(x, -2147483648.0, 2147483647.0); }
/* @end */

/* @helper nncc_f64_to_i64: */
static inline int64_t nncc_f64_to_i64(double x) {
    const int64_t i = (int64_t)(x >= -9223372036854775808.0 && x < 9223372036854775808.0 ? x : 0.0);
    return x >= 9223372036854775808.0 ? INT64_MAX : x < -9223372036854775808.0 ? INT64_MIN : i;
}
/* @end */

/* @helper nncc_f64_to_u32: nncc_clamp */
static inline uint32_t nncc_f64_to_u32(double x) { return (uint32_t)nncc_clamp(x, 0.0, 4294967295.0); }
/* @end */

/* @helper nncc_f64_to_u64: */
static inline uint64_t nncc_f64_to_u64(double x) {
    const uint64_t i = (uint64_t)(x > 0.0 && x < 18446744073709551616.0 ? x : 0.0);
    return x >= 18446744073709551616.0 ? UINT64_MAX : i;
}
/* @end */

/* @helper nncc_f64_to_i8: nncc_clamp */
static inline int8_t nncc_f64_to_i8(double x) { return (int8_t)(int32_t)nncc_clamp(x, -128.0, 127.0); }
/* @end */

/* @helper nncc_f64_to_i16: nncc_clamp */
static inline int16_t nncc_f64_to_i16(double x) { return (int16_t)(int32_t)nncc_clamp(x, -32768.0, 32767.0); }
/* @end */

/* @helper nncc_f64_to_u8: nncc_clamp */
static inline uint8_t nncc_f64_to_u8(double x) { return (uint8_t)(int32_t)nncc_clamp(x, 0.0, 255.0); }
/* @end */

/* @helper nncc_f64_to_u16: nncc_clamp */
static inline uint16_t nncc_f64_to_u16(double x) { return (uint16_t)(int32_t)nncc_clamp(x, 0.0, 65535.0); }
/* @end */

/* ---- 16-bit floats, which are for storage: they load as float, and round to nearest even when stored ---- */

/* @helper nncc_f16_load: nncc_float_bits nncc_bits_float */
/* The product moves the exponent's bias, and makes denormals right on the way. */
static inline float nncc_f16_load(uint16_t h) {
    const uint32_t a = h & 0x7fffu, sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t special = a >= 0x7c00u ? 0x7f800000u : 0u;
    return nncc_bits_float(sign | special | nncc_float_bits(nncc_bits_float(a << 13) * 5.19229686e+33f));
}
/* @end */

/* @helper nncc_f16_store: nncc_float_bits */
static inline uint16_t nncc_f16_store(float x) {
    const uint32_t b = nncc_float_bits(x), a = b & 0x7fffffffu;
    const uint32_t normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
    const uint32_t denormal = nncc_float_bits(fabsf(x) + 0.5f) - 0x3f000000u; /* 0.5 has the step of denormals */
    const uint32_t is_small = 0u - (uint32_t)(a < 0x38800000u), is_big = 0u - (uint32_t)(a >= 0x477ff000u);
    const uint32_t finite = (denormal & is_small) | (normal & ~is_small);
    const uint32_t special = 0x7c00u + ((uint32_t)(a > 0x7f800000u) << 9);
    return (uint16_t)(((b >> 16) & 0x8000u) | (finite & ~is_big) | (special & is_big));
}
/* @end */

/* @helper nncc_f16_round: nncc_f16_load nncc_f16_store */
static inline float nncc_f16_round(float x) { return nncc_f16_load(nncc_f16_store(x)); }
/* @end */

/* @helper nncc_bf16_load: nncc_bits_float */
static inline float nncc_bf16_load(uint16_t h) { return nncc_bits_float((uint32_t)h << 16); }
/* @end */

/* @helper nncc_bf16_store: nncc_float_bits */
static inline uint16_t nncc_bf16_store(float x) {
    const uint32_t b = nncc_float_bits(x);
    const uint32_t rounded = b + 0x7fffu + ((b >> 16) & 1u);
    return (uint16_t)(((b & 0x7fffffffu) > 0x7f800000u ? b | 0x400000u : rounded) >> 16);
}
/* @end */

/* @helper nncc_bf16_round: nncc_bf16_load nncc_bf16_store */
static inline float nncc_bf16_round(float x) { return nncc_bf16_load(nncc_bf16_store(x)); }
/* @end */

/* ---- small floats: a byte holds the bits of one; what is stored has been rounded to what it can hold ---- */

/* @helper nncc_small_load: nncc_bits_float */
/* The bits of a magnitude where a float has its own; the product moves the exponent's bias. */
static inline float nncc_small_load(uint32_t magnitude, uint32_t negative, int mantissa, float scale) {
    const float x = nncc_bits_float(magnitude << (23 - mantissa)) * scale;
    return negative ? -x : x;
}
/* @end */

/* @helper nncc_small_store: nncc_float_bits */
static inline uint32_t nncc_small_store(float x, int mantissa, float scale) {
    return nncc_float_bits(fabsf(x) * scale) >> (23 - mantissa);
}
/* @end */

/* @helper nncc_small_round: nncc_float_bits nncc_bits_float */
/* To the nearest, of two to the even one; `step` is that of denormals, `least` the first number above them. */
static inline float nncc_small_round(float x, int mantissa, float step, float least, float top, float beyond) {
    const uint32_t b = nncc_float_bits(x), a = b & 0x7fffffffu, drop = 23u - (uint32_t)mantissa;
    const uint32_t normal = (a + ((1u << (drop - 1u)) - 1u) + ((a >> drop) & 1u)) & ~((1u << drop) - 1u);
    const float shifter = step * 8388608.0f; /* its step is that of denormals */
    const float denormal = (float)(nncc_float_bits(fabsf(x) + shifter) - nncc_float_bits(shifter)) * step;
    const float nearest = fabsf(x) < least ? denormal : nncc_bits_float(normal);
    const float y = nearest > top ? beyond : nearest;
    return x != x ? x : nncc_bits_float(nncc_float_bits(y) | (b & 0x80000000u));
}
/* @end */

/* @helper nncc_f8e4m3fn_load: nncc_small_load nncc_bits_float */
static inline float nncc_f8e4m3fn_load(uint8_t c) {
    const uint32_t nan = 0x7fc00000u | (uint32_t)(c & 0x80u) << 24;
    return (c & 0x7fu) == 0x7fu ? nncc_bits_float(nan) : nncc_small_load(c & 0x7fu, c & 0x80u, 3, 1.32922800e+36f);
}
/* @end */

/* @helper nncc_f8e4m3fn_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f8e4m3fn_store(float x) {
    return (uint8_t)(((nncc_float_bits(x) >> 24) & 0x80u) | (x != x ? 0x7fu : nncc_small_store(x, 3, 7.52316385e-37f)));
}
/* @end */

/* @helper nncc_f8e4m3fn_round: nncc_small_round */
static inline float nncc_f8e4m3fn_round(float x, float beyond) {
    return nncc_small_round(x, 3, 0.001953125f, 0.015625f, 448.0f, beyond);
}
/* @end */

/* @helper nncc_f8e4m3fnuz_load: nncc_small_load nncc_bits_float */
static inline float nncc_f8e4m3fnuz_load(uint8_t c) {
    return c == 0x80u ? nncc_bits_float(0x7fc00000u) : nncc_small_load(c & 0x7fu, c & 0x80u, 3, 6.64613998e+35f);
}
/* @end */

/* @helper nncc_f8e4m3fnuz_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f8e4m3fnuz_store(float x) {
    const uint32_t a = nncc_small_store(x, 3, 1.50463277e-36f);
    return (uint8_t)(x != x ? 0x80u : a ? ((nncc_float_bits(x) >> 24) & 0x80u) | a : 0u);
}
/* @end */

/* @helper nncc_f8e4m3fnuz_round: nncc_small_round */
static inline float nncc_f8e4m3fnuz_round(float x, float beyond) {
    return nncc_small_round(x, 3, 0.0009765625f, 0.0078125f, 240.0f, beyond) + 0.0f; /* there is no -0 */
}
/* @end */

/* @helper nncc_f8e5m2_load: nncc_small_load nncc_bits_float */
/* A NaN keeps what its bits say beyond that, behind the bit that makes it quiet. */
static inline float nncc_f8e5m2_load(uint8_t c) {
    const uint32_t a = c & 0x7fu, special = a > 0x7cu ? 0x7fc00000u | (a & 3u) << 20 : 0x7f800000u;
    return a >= 0x7cu ? nncc_bits_float(special | (uint32_t)(c & 0x80u) << 24)
                      : nncc_small_load(c & 0x7fu, c & 0x80u, 2, 5.19229686e+33f);
}
/* @end */

/* @helper nncc_f8e5m2_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f8e5m2_store(float x) {
    const uint32_t payload = (nncc_float_bits(x) >> 20) & 3u, nan = 0x7cu + (payload ? payload : 2u);
    const uint32_t finite = nncc_small_store(x, 2, 1.92592994e-34f);
    return (uint8_t)(((nncc_float_bits(x) >> 24) & 0x80u) | (x != x ? nan : fabsf(x) > 57344.0f ? 0x7cu : finite));
}
/* @end */

/* @helper nncc_f8e5m2_round: nncc_small_round */
static inline float nncc_f8e5m2_round(float x, float beyond) {
    return nncc_small_round(x, 2, 1.52587890625e-05f, 6.103515625e-05f, 57344.0f, beyond);
}
/* @end */

/* @helper nncc_f8e5m2fnuz_load: nncc_small_load nncc_bits_float */
static inline float nncc_f8e5m2fnuz_load(uint8_t c) {
    return c == 0x80u ? nncc_bits_float(0x7fc00000u) : nncc_small_load(c & 0x7fu, c & 0x80u, 2, 2.59614843e+33f);
}
/* @end */

/* @helper nncc_f8e5m2fnuz_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f8e5m2fnuz_store(float x) {
    const uint32_t a = nncc_small_store(x, 2, 3.85185989e-34f);
    return (uint8_t)(x != x ? 0x80u : a ? ((nncc_float_bits(x) >> 24) & 0x80u) | a : 0u);
}
/* @end */

/* @helper nncc_f8e5m2fnuz_round: nncc_small_round */
static inline float nncc_f8e5m2fnuz_round(float x, float beyond) {
    return nncc_small_round(x, 2, 7.62939453125e-06f, 3.0517578125e-05f, 57344.0f, beyond) + 0.0f; /* there is no -0 */
}
/* @end */

/* @helper nncc_f6e2m3_load: nncc_small_load nncc_bits_float */
static inline float nncc_f6e2m3_load(uint8_t c) { return nncc_small_load(c & 0x1fu, c & 0x20u, 3, 8.50705917e+37f); }
/* @end */

/* @helper nncc_f6e2m3_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f6e2m3_store(float x) {
    return (uint8_t)(((nncc_float_bits(x) >> 26) & 0x20u) | nncc_small_store(x, 3, 1.17549435e-38f));
}
/* @end */

/* @helper nncc_f6e2m3_round: nncc_small_round */
static inline float nncc_f6e2m3_round(float x, float beyond) {
    return x != x ? -0.0f : nncc_small_round(x, 3, 0.125f, 1.0f, 7.5f, beyond); /* there is no NaN */
}
/* @end */

/* @helper nncc_f6e3m2_load: nncc_small_load nncc_bits_float */
static inline float nncc_f6e3m2_load(uint8_t c) { return nncc_small_load(c & 0x1fu, c & 0x20u, 2, 2.12676479e+37f); }
/* @end */

/* @helper nncc_f6e3m2_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f6e3m2_store(float x) {
    return (uint8_t)(((nncc_float_bits(x) >> 26) & 0x20u) | nncc_small_store(x, 2, 4.70197740e-38f));
}
/* @end */

/* @helper nncc_f6e3m2_round: nncc_small_round */
static inline float nncc_f6e3m2_round(float x, float beyond) {
    return x != x ? -0.0f : nncc_small_round(x, 2, 0.0625f, 0.25f, 28.0f, beyond); /* there is no NaN */
}
/* @end */

/* @helper nncc_f4e2m1_load: nncc_small_load nncc_bits_float */
static inline float nncc_f4e2m1_load(uint8_t c) { return nncc_small_load(c & 0x7u, c & 0x8u, 1, 8.50705917e+37f); }
/* @end */

/* @helper nncc_f4e2m1_store: nncc_small_store nncc_float_bits */
static inline uint8_t nncc_f4e2m1_store(float x) {
    return (uint8_t)(((nncc_float_bits(x) >> 28) & 0x8u) | nncc_small_store(x, 1, 1.17549435e-38f));
}
/* @end */

/* @helper nncc_f4e2m1_round: nncc_small_round */
static inline float nncc_f4e2m1_round(float x, float beyond) {
    return x != x ? -0.0f : nncc_small_round(x, 1, 0.5f, 1.0f, 6.0f, beyond); /* there is no NaN */
}
/* @end */

/* @helper nncc_f8e8m0_load: nncc_bits_float */
static inline float nncc_f8e8m0_load(uint8_t c) {
    return nncc_bits_float(c == 0xffu ? 0x7fc00000u : c ? (uint32_t)c << 23 : 0x00400000u);
}
/* @end */

/* @helper nncc_f8e8m0_store: nncc_float_bits */
static inline uint8_t nncc_f8e8m0_store(float x) { return (uint8_t)(x != x ? 0xffu : nncc_float_bits(x) >> 23); }
/* @end */

/* @helper nncc_f8e8m0_round: nncc_float_bits nncc_bits_float */
static inline float nncc_f8e8m0_round(float x, float up, float saturates) {
    const float scale = x < 1.0f ? 18446744073709551616.0f : 1.0f; /* past denormals */
    const uint32_t add = up == 1.0f ? 0x7fffffu : up > 0.0f ? 0x400000u : 0u;
    const float y = nncc_bits_float((nncc_float_bits(x * scale) + add) & 0x7f800000u) / scale;
    const float least = nncc_bits_float(0x00400000u), top = nncc_bits_float(0x7f000000u);
    const float nan = nncc_bits_float(0x7fc00000u);
    if (!(x >= 0.0f)) return nan;
    if (x < least) return saturates != 0.0f ? least : nan;
    return y <= top ? y : saturates != 0.0f ? top : nan;
}
/* @end */

/* @helper nncc_round_odd: nncc_float_bits nncc_bits_float */
/* Of the two floats around a double the one whose last bit is set, so that what is rounded again is rounded right. */
static inline float nncc_round_odd(double x) {
    const float f = (float)x;
    const uint32_t b = nncc_float_bits(f), too_far = fabs((double)f) > fabs(x);
    return (double)f == x || x != x ? f : nncc_bits_float((b - too_far) | 1u);
}
/* @end */

/* @helper nncc_first: */
/* The first of those of n iterations that are thread t's: it has the ones before thread t + 1's first. */
static inline int nncc_first(int n, int t, int nt) { return (int)((int64_t)n * t / nt); }
/* @end */

/* @helper nncc_first_of_row: nncc_first */
/* Likewise of a row that becomes vectors: at multiples of 64, so that no vector of the whole row is divided. */
static inline int nncc_first_of_row(int n, int t, int nt) {
    const int first = 64 * nncc_first(n / 64 + (n % 64 > 0), t, nt);
    return first < n ? first : n;
}
/* @end */

#undef inline
#endif
