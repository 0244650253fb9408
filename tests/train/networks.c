/* networks.c - a network of models/ trained as PyTorch trained it: net NAME f32|f64 TOLERANCE FILE.
 *
 * Parameters and batches follow from the formulas of torch_networks.py; FILE holds the losses that record_networks.py
 * wrote. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NET_PARAMS(params);
NET_OPT(opt);
#if NET_STATE_BYTES
NET_STATE(state);
#else
static char state[1];
#endif
NET_ARENA(arena);

enum { PICTURE = NET_IMAGE_LEN / NET_MAX_BATCH, KINDS = 10, PATTERNS = 1000, NOISE = 2000, LABELS = 3000 };

/* From 0 to 1: the finalizer of SplitMix64 over a counter that starts at stream * 2^32. */
static double uniform(uint64_t stream, uint64_t i) {
    uint64_t z = ((stream << 32) + i) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double first_value(const net_tensor *t, int k, int64_t i) {
    const double u = 2 * uniform((uint64_t)k, (uint64_t)i) - 1;
    const char *dot = strrchr(t->name, '.');
    int64_t each = 1;
    for (int d = 1; d < t->rank; d++) each *= t->dim[d];
    if (t->rank > 1) return u * sqrt(6.0 / (double)each);
    return 0.1 * u + (dot && !strcmp(dot, ".scale"));
}

static void fill(void) {
    int k = 0;
    for (const net_tensor *t = net_tensors; t->name; t++) {
        if (strcmp(t->block, "params")) continue;
        REAL *p = (REAL *)(void *)(params + t->offset);
        for (int64_t i = 0; i < t->bytes / (int64_t)sizeof(REAL); i++) p[i] = (REAL)first_value(t, k, i);
        k++;
    }
}

static int kind(int step, int n) { return (int)(KINDS * uniform(LABELS + (uint64_t)step, (uint64_t)n)); }

static void draw(int step, double middle, REAL *x) {
    for (int i = 0; i < NET_IMAGE_LEN; i++) {
        const int pattern = kind(step, i / PICTURE) * PICTURE + i % PICTURE;
        x[i] = (REAL)(0.25 * uniform(PATTERNS, (uint64_t)pattern) +
                      0.75 * uniform(NOISE + (uint64_t)step, (uint64_t)i) - middle);
    }
}

/* The losses behind the line of this network and type: how many. */
static int open_line(FILE *f, const char *name, const char *type, double *lr) {
    char net[64], real[8];
    int batch, steps;
    while (fscanf(f, "%63s %7s %*s %lf %d %d", net, real, lr, &batch, &steps) > 0) {
        if (!strcmp(net, name) && !strcmp(real, type))
            return batch == NET_MAX_BATCH ? steps : (fprintf(stderr, "the batch was %d\n", batch), 0);
        if (fscanf(f, "%*[^\n]") == EOF) break;
    }
    return fprintf(stderr, "no losses of %s, %s\n", name, type), 0;
}

int main(int argc, char **argv) {
    static REAL x[NET_IMAGE_LEN];
    int32_t correct;
    REAL loss;
    double expected, worst = 0, lr, most;
    FILE *f = argc == 5 ? fopen(argv[4], "r") : NULL;
    int steps = f ? open_line(f, argv[1], argv[2], &lr) : 0;
    net_net net = {.image = x, .loss = &loss, .batch = NET_MAX_BATCH};
#ifdef NET_TARGET_LEN
    net.target = x;
#else
    static int32_t label[NET_LABEL_LEN];
    net.label = label;
#endif
    net.correct = &correct;
    net.params = params, net.opt = opt, net.state = state, net.arena = arena;
    if (!steps || net_init(&net, 1)) return 2;
    net.lr = lr, most = strtod(argv[3], NULL);
    fill();
    for (int s = 0; s < steps; s++) {
#ifdef NET_TARGET_LEN
        draw(s, 0, x);
#else
        draw(s, 0.5, x);
        for (int i = 0; i < NET_LABEL_LEN; i++) label[i] = kind(s, i);
#endif
        if (net_train_batch(&net) || fscanf(f, "%lf", &expected) != 1) return 3;
        const double error = fabs((double)loss - expected) / fabs(expected);
        if (error > worst) worst = error;
        if (!(error <= most))
            return fprintf(stderr, "step %d: loss %.10g, PyTorch %.10g\n", s, (double)loss, expected), 1;
    }
    printf("%s %s: %d losses, worst relative error %.1e\n", argv[1], argv[2], steps, worst);
    fclose(f);
    return 0;
}
