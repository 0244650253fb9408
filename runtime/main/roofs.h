/* roofs.h - what one core does at most: multiply-adds of floats, and bytes that it reads. For gcc and clang with the
 * machine's vectors; other compilers get scalars. _POSIX_C_SOURCE is 200809L. */
#ifndef NNCC_ROOFS_H
#define NNCC_ROOFS_H

#include <stddef.h>
#include <time.h>

#if !defined __GNUC__
enum { ROOF_LANES = 1 };
typedef float roof_vector;
#else
#if defined __AVX512F__
enum { ROOF_LANES = 16 };
#elif defined __AVX__
enum { ROOF_LANES = 8 };
#else
enum { ROOF_LANES = 4 };
#endif
typedef float roof_vector __attribute__((vector_size(4 * ROOF_LANES)));
#endif

static double roof_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float roof_first(roof_vector v) { return *(const float *)(const void *)&v; }

/* Operations of multiply-adds per second, in one turn: twelve sums in registers, each waiting for itself alone. They
 * begin at different numbers that no compiler knows, else it would compute one of them. */
static double roof_flops(void) {
    enum { SUMS = 12, STEPS = 200000 };
    static volatile float unknown = 0.999f, sink;
    float u = unknown;
    roof_vector f = (roof_vector){0} + u, s0 = f, s1 = s0 + f, s2 = s1 + f, s3 = s2 + f, s4 = s3 + f, s5 = s4 + f,
                s6 = s5 + f, s7 = s6 + f, s8 = s7 + f, s9 = s8 + f, s10 = s9 + f, s11 = s10 + f;
    double start = roof_now();
    for (int i = 0; i < STEPS; i++) {
        s0 = s0 * f + f, s1 = s1 * f + f, s2 = s2 * f + f, s3 = s3 * f + f, s4 = s4 * f + f, s5 = s5 * f + f;
        s6 = s6 * f + f, s7 = s7 * f + f, s8 = s8 * f + f, s9 = s9 * f + f, s10 = s10 * f + f, s11 = s11 * f + f;
    }
    sink = roof_first(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    return 2.0 * ROOF_LANES * SUMS * STEPS / (roof_now() - start);
}

/* Bytes read per second, in one turn over a block of zeros again and again; n is a multiple of ROOF_BLOCK. */
enum { ROOF_BLOCK = 8 * sizeof(roof_vector) };
static double roof_bytes(const void *block, size_t n) {
    enum { LEAST = 1 << 25 };
    static volatile float sink;
    const roof_vector *v = block;
    size_t count = n / sizeof *v, turns = n < LEAST ? LEAST / n : 1;
    roof_vector s0 = (roof_vector){0} + sink, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    double start = roof_now();
    for (size_t t = 0; t < turns; t++)
        for (size_t i = 0; i < count; i += 8) {
            s0 += v[i], s1 += v[i + 1], s2 += v[i + 2], s3 += v[i + 3];
            s4 += v[i + 4], s5 += v[i + 5], s6 += v[i + 6], s7 += v[i + 7];
        }
    sink = roof_first(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
    return (double)n * (double)turns / (roof_now() - start);
}

#endif
