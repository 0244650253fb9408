/* ports.c - forward and backward of outputs that are inputs, views or other outputs, against differences; fewer
 * examples than there is room for, in blocks that end where they do. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 2, ROW = 4, N = BATCH * ROW };
NET_PARAMS(params);
NET_GRADS(grads);
NET_ARENA(arena);
static net_net net = {.params = params, .grads = grads, .arena = arena, .batch = BATCH};

static double *block(int n, double phase) {
    double *p = malloc(sizeof *p * (size_t)n);
    for (int i = 0; p && i < n; i++) p[i] = sin(phase + 1.7 * i);
    return p;
}

static double dot(const double *g, const double *y, int n) {
    double sum = 0;
    for (int i = 0; g && i < n; i++) sum += g[i] * y[i];
    return sum;
}

static double projected(void) {
    if (net_init(&net, 3) || net_forward(&net)) return NAN;
    return dot(net.h_grad, net.h, N) + dot(net.x_2_grad, net.x_2, N) + dot(net.left_grad, net.left, BATCH) +
           dot(net.g_grad, net.g, N);
}

static int compare(const char *name, double *x, const double *gradient) {
    const double step = 1e-5;
    for (int i = 0; i < N; i++) {
        const double before = x[i];
        x[i] = before + step;
        const double more = projected();
        x[i] = before - step;
        const double expected = (more - projected()) / (2 * step);
        x[i] = before;
        if (!(fabs(gradient[i] - expected) < 1e-8))
            return fprintf(stderr, "%s %d: %.12g, expected %.12g\n", name, i, gradient[i], expected), 1;
    }
    return 0;
}

int main(void) {
    double *a = block(N, 1), *x = block(N, 2), *h = block(N, 0), *x_2 = block(N, 0), *left = block(BATCH, 0),
           *g = block(N, 0), *a_grad = block(N, 0), *x_grad = block(N, 0), *seed[4];
    int64_t kind[BATCH];
    const int length[4] = {N, N, BATCH, N};
    for (int i = 0; i < 4; i++) seed[i] = block(length[i], 3 + i);
    net.a_2 = a, net.x = x, net.h = h, net.x_2 = x_2, net.left = left, net.g = g, net.class_2 = kind;
    int bad = 0;
    for (int given = 0; given < 16 && !bad; given++) {
        net.h_grad = given & 1 ? seed[0] : NULL, net.x_2_grad = given & 2 ? seed[1] : NULL;
        net.left_grad = given & 4 ? seed[2] : NULL, net.g_grad = given & 8 ? seed[3] : NULL;
        net.a_2_grad = a_grad, net.x_grad = x_grad;
        bad = isnan(projected()) || net_backward(&net) || compare("a", a, a_grad) || compare("x", x, x_grad);
        net.a_2_grad = NULL, net.x_grad = given & 1 ? x_grad : NULL;
        bad = bad || isnan(projected()) || net_backward(&net) || compare("x", x, x_grad);
    }
    double *const all[] = {a, x, h, x_2, left, g, a_grad, x_grad, seed[0], seed[1], seed[2], seed[3]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    return bad;
}
