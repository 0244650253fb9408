/* peak.c - what the machine can do at most in float multiply-adds, and what the generated matrix product does: GFLOP/s,
 * the best of many turns of both. Compiled with the product's C beside it as gemm.c. */
#include "gemm.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float vector __attribute__((vector_size(4 * LANES)));
enum { SUMS = 12, TURNS = 200000, ROUNDS = 400, M = 256, N = 512, K = 512 };

static float x[GEMM_X_LEN], y[GEMM_Y_LEN];
static volatile float sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve sums in registers, each waiting for itself alone. */
static double peak(void) {
    vector f = (vector){0} + 0.999f, s0 = f, s1 = f, s2 = f, s3 = f, s4 = f, s5 = f, s6 = f, s7 = f, s8 = f, s9 = f,
           s10 = f, s11 = f;
    double start = now();
    for (int i = 0; i < TURNS; i++) {
        s0 = s0 * f + f, s1 = s1 * f + f, s2 = s2 * f + f, s3 = s3 * f + f, s4 = s4 * f + f, s5 = s5 * f + f;
        s6 = s6 * f + f, s7 = s7 * f + f, s8 = s8 * f + f, s9 = s9 * f + f, s10 = s10 * f + f, s11 = s11 * f + f;
        __asm__ volatile("" : "+x"(s0), "+x"(s1), "+x"(s2), "+x"(s3), "+x"(s4), "+x"(s5));
        __asm__ volatile("" : "+x"(s6), "+x"(s7), "+x"(s8), "+x"(s9), "+x"(s10), "+x"(s11));
    }
    double seconds = now() - start;
    vector s = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;
    sink = s[0];
    return 2.0 * LANES * SUMS * TURNS / seconds * 1e-9;
}

static double product(const gemm_net *net) {
    double start = now();
    if (gemm_run(net) != GEMM_OK) exit(1);
    return 2.0 * M * N * K / (now() - start) * 1e-9;
}

int main(int argc, char **argv) {
    double most = 0, reached = 0, sum = 0;
    static unsigned char weights[GEMM_WEIGHTS_BYTES + 1] __attribute__((aligned(64)));
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!f || fread(weights, 1, GEMM_WEIGHTS_BYTES, f) != GEMM_WEIGHTS_BYTES) return 1;
    fclose(f);
    for (int i = 0; i < GEMM_X_LEN; i++) x[i] = (float)(i % 17) * 0.1f - 0.8f;
    const gemm_net net = {.x = x, .y = y, .weights = weights};
    if (gemm_open(&net) != GEMM_OK) return 1;
    for (int i = 0; i < ROUNDS; i++) {
        double p = peak(), g = product(&net);
        if (p > most) most = p;
        if (g > reached) reached = g;
    }
    for (int i = 0; i < GEMM_Y_LEN; i++) sum += (double)y[i];
    printf("%.1f %.1f %g\n", most, reached, sum);
    return sum > 0 ? 0 : 1;
}
