/* nncc_random.h - everything random: a function of a seed, a stream and a counter, the same everywhere and for any
 * order of asking. Used by nncc itself, by libnncc, and pasted section by section into generated programs
 * (nncc_math.h).
 *
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11). */
#ifndef NNCC_RANDOM_H
#define NNCC_RANDOM_H

#include <math.h>
#include <stdint.h>

#if defined __CUDACC__
#define inline __host__ __device__ __inline__
#endif

/* @helper nncc_philox: */
/* Replaces the counter x by four random words. */
static inline void nncc_philox(uint32_t key0, uint32_t key1, uint32_t x[4]) {
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * x[0], b = (uint64_t)0xCD9E8D57u * x[2];
        const uint32_t y0 = (uint32_t)(b >> 32) ^ x[1] ^ key0, y2 = (uint32_t)(a >> 32) ^ x[3] ^ key1;
        x[0] = y0, x[1] = (uint32_t)b, x[2] = y2, x[3] = (uint32_t)a;
        key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
    }
}
/* @end */

/* @helper nncc_philox_block: nncc_philox */
/* The four words for a key and a counter of two 64-bit numbers. */
static inline void nncc_philox_block(int64_t key, int64_t step, int64_t counter, uint32_t x[4]) {
    const uint64_t k = (uint64_t)key, s = (uint64_t)step, p = (uint64_t)counter;
    x[0] = (uint32_t)p, x[1] = (uint32_t)(p >> 32), x[2] = (uint32_t)s, x[3] = (uint32_t)(s >> 32);
    nncc_philox((uint32_t)k, (uint32_t)(k >> 32), x);
}
/* @end */

/* @helper nncc_philox_first_i64: nncc_philox_block */
static inline int64_t nncc_philox_first_i64(int64_t key, int64_t step, int64_t counter) {
    uint32_t x[4];
    nncc_philox_block(key, step, counter, x);
    return (int64_t)((uint64_t)x[1] << 32 | x[0]);
}
/* @end */

/* @helper nncc_philox_last_i64: nncc_philox_block */
static inline int64_t nncc_philox_last_i64(int64_t key, int64_t step, int64_t counter) {
    uint32_t x[4];
    nncc_philox_block(key, step, counter, x);
    return (int64_t)((uint64_t)x[3] << 32 | x[2]);
}
/* @end */

/* @helper nncc_uniform_at: nncc_philox */
/* The i-th number of a stream, uniform in (0, 1): never 0 or 1, so that its logarithm exists. */
static inline double nncc_uniform_at(uint32_t seed, uint32_t stream, int64_t i) {
    uint32_t x[4] = {(uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), 0, 0};
    nncc_philox(seed, stream, x);
    return ((double)x[i % 4] + 0.5) / 4294967296.0;
}
/* @end */

/* @helper nncc_normal_at: nncc_uniform_at */
static inline double nncc_normal_at(uint32_t seed, uint32_t stream, int64_t i) { /* Box and Muller, 1958 */
    const double u = nncc_uniform_at(seed, stream, 2 * i), v = nncc_uniform_at(seed, stream, 2 * i + 1);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}
/* @end */

/* @helper nncc_truncated_at: nncc_normal_at */
/* Draws again whatever lies more than two deviations out. */
static inline double nncc_truncated_at(uint32_t seed, uint32_t stream, int64_t i) {
    for (uint32_t again = 0;; again++) {
        const double v = nncc_normal_at(seed + again, stream, i);
        if (fabs(v) <= 2) return v;
    }
}
/* @end */

/* @helper nncc_draw_f32: */
/* shift + scale * the i-th number of a stream, for each of n elements. */
static inline void nncc_draw_f32(float *p, int64_t n, double at(uint32_t seed, uint32_t stream, int64_t i),
                                 double shift, double scale, uint32_t seed, uint32_t stream) {
    for (int64_t i = 0; i < n; i++) p[i] = (float)(shift + scale * at(seed, stream, i));
}
/* @end */

/* @helper nncc_draw_f64: */
static inline void nncc_draw_f64(double *p, int64_t n, double at(uint32_t seed, uint32_t stream, int64_t i),
                                 double shift, double scale, uint32_t seed, uint32_t stream) {
    for (int64_t i = 0; i < n; i++) p[i] = shift + scale * at(seed, stream, i);
}
/* @end */

/* @helper nncc_orthogonal: nncc_normal_at */
/* Matrices of orthonormal rows, or columns where these are fewer, by modified Gram-Schmidt. */
#define NNCC_ORTHOGONAL(name, real)                                                                                    \
    static inline void name(real *p, int64_t count, int64_t rows, int64_t cols, uint32_t seed, uint32_t stream) {      \
        const int64_t n = rows < cols ? rows : cols, length = rows < cols ? cols : rows;                               \
        const int64_t next = rows < cols ? cols : 1, step = rows < cols ? 1 : cols;                                    \
        for (int64_t i = 0; i < count; i++) p[i] = (real)nncc_normal_at(seed, stream, i);                              \
        for (int64_t v = 0; v < count / length; v++) {                                                                 \
            real *const matrix = p + v / n * n * length, *const x = matrix + v % n * next;                             \
            double norm = 0;                                                                                           \
            for (real *y = matrix; y != x; y += next) {                                                                \
                double dot = 0;                                                                                        \
                for (int64_t i = 0; i < length; i++) dot += (double)x[i * step] * (double)y[i * step];                 \
                for (int64_t i = 0; i < length; i++) x[i * step] -= (real)(dot * (double)y[i * step]);                 \
            }                                                                                                          \
            for (int64_t i = 0; i < length; i++) norm += (double)x[i * step] * (double)x[i * step];                    \
            for (int64_t i = 0; i < length && norm > 0; i++) x[i * step] = (real)((double)x[i * step] / sqrt(norm));   \
        }                                                                                                              \
    }
/* @end */

/* @helper nncc_orthogonal_f32: nncc_orthogonal */
NNCC_ORTHOGONAL(nncc_orthogonal_f32, float)
/* @end */

/* @helper nncc_orthogonal_f64: nncc_orthogonal */
NNCC_ORTHOGONAL(nncc_orthogonal_f64, double)
/* @end */

#undef inline
#endif
