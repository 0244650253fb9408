/* networks.h - what programs that follow PyTorch's losses share: parameters and batches by the formulas of
 * torch_networks.py, and the losses that record_networks.py wrote. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 10, PATTERNS = 1000, NOISE = 2000, LABELS = 3000, DRAWS = 4000 };

/* From 0 to 1: the finalizer of SplitMix64 over a counter that starts at stream * 2^32. */
static double uniform(int stream, int64_t i) {
    uint64_t z = (((uint64_t)stream << 32) + (uint64_t)i) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Tensors of three dims are those of recurrent layers. */
static double first_value(const char *name, int rank, const int64_t *dim, int k, int64_t i) {
    const double u = 2 * uniform(k, i) - 1;
    const char *dot = strrchr(name, '.');
    int64_t each = 1;
    for (int d = 1; d < rank; d++) each *= dim[d];
    if (rank == 3) return u / sqrt((double)dim[2]);
    if (rank > 1) return u * sqrt(6.0 / (double)each);
    return 0.1 * u + (dot && !strcmp(dot, ".scale"));
}

/* Parameters in the order of their table. */
#define FILL_PARAMS(tensors, params)                                                                                   \
    for (int at = 0, k = 0; (tensors)[at].name; at++) {                                                                \
        if (strcmp((tensors)[at].block, "params")) continue;                                                           \
        REAL *const p = (REAL *)(void *)((params) + (tensors)[at].offset);                                             \
        for (int64_t i = 0; i < (tensors)[at].bytes / (int64_t)sizeof(REAL); i++)                                      \
            p[i] = (REAL)first_value((tensors)[at].name, (tensors)[at].rank, (tensors)[at].dim, k, i);                 \
        k++;                                                                                                           \
    }

static inline int kind(int step, int n) { return (int)(KINDS * uniform(LABELS + step, n)); }

/* Pictures of `size` pixels: a quarter is a pattern, the rest noise, less `middle`. */
static inline void draw_pictures(int step, double middle, REAL *x, int n, int size) {
    for (int i = 0; i < n * size; i++) {
        const int pattern = kind(step, i / size) * size + i % size;
        x[i] = (REAL)(0.25 * uniform(PATTERNS, pattern) + 0.75 * uniform(NOISE + step, i) - middle);
    }
}

/* The losses behind the line of this network and type: how many steps; 0: there are none. */
static int open_line(FILE *f, const char *name, const char *type, int most, double *lr) {
    char net[64], real[8];
    int batch, steps;
    while (f && fscanf(f, "%63s %7s %*s %lf %d %d", net, real, lr, &batch, &steps) > 0) {
        if (!strcmp(net, name) && !strcmp(real, type))
            return batch == most ? steps : (fprintf(stderr, "the batch was %d\n", batch), 0);
        if (fscanf(f, "%*[^\n]") == EOF) break;
    }
    return fprintf(stderr, "no losses of %s, %s\n", name, type), 0;
}

/* Whether a loss is the next of these, as far as `most` says; the worst so far. */
static int follows(FILE *f, int step, REAL loss, double most, double *worst) {
    double expected;
    if (fscanf(f, "%lf", &expected) != 1) return 0;
    const double error = fabs((double)loss - expected) / fabs(expected);
    if (error > *worst) *worst = error;
    if (error <= most) return 1;
    return fprintf(stderr, "step %d: loss %.10g, PyTorch %.10g\n", step, (double)loss, expected), 0;
}
