/* peak.c - what the machine can do at most in float multiply-adds, and what the generated matrix product does: GFLOP/s,
 * the best of many turns of both. Compiled with the product's C beside it as gemm.c. */
#define _POSIX_C_SOURCE 200809L
#include "gemm.h"
#include "roofs.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 400, M = 256, N = 512, K = 512 };

static float x[GEMM_X_LEN], y[GEMM_Y_LEN];

static double product(const gemm_net *net) {
    double start = roof_now();
    if (gemm_run(net) != GEMM_OK) exit(1);
    return 2.0 * M * N * K / (roof_now() - start) * 1e-9;
}

int main(int argc, char **argv) {
    double most = 0, reached = 0, sum = 0;
    static unsigned char weights[GEMM_WEIGHTS_BYTES + 1] __attribute__((aligned(64)));
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!f || fread(weights, 1, GEMM_WEIGHTS_BYTES, f) != GEMM_WEIGHTS_BYTES) return 1;
    fclose(f);
    for (int i = 0; i < GEMM_X_LEN; i++) x[i] = (float)(i % 17) * 0.1f - 0.8f;
    gemm_net net = {.x = x, .y = y, .weights = weights};
    if (gemm_open(&net) != GEMM_OK) return 1;
    for (int i = 0; i < ROUNDS; i++) {
        double p = 1e-9 * roof_flops(), g = product(&net);
        if (p > most) most = p;
        if (g > reached) reached = g;
    }
    for (int i = 0; i < GEMM_Y_LEN; i++) sum += (double)y[i];
    printf("%.1f %.1f %g\n", most, reached, sum);
    return sum > 0 ? 0 : 1;
}
