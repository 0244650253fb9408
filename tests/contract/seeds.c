/* seeds.c - forward and backward against forward_backward and against differences, in double; on a CPU and a GPU. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

NET_PARAMS(params);
NET_GRADS(grads);
NET_STATE(state);
#ifndef NNCC_CUDA_H
NET_ARENA(arena);
#endif
static double x[NET_X_LEN], y[NET_Y_LEN], hidden[NET_HIDDEN_LEN], target[NET_TARGET_LEN], y_grad[NET_Y_LEN],
    hidden_grad[NET_HIDDEN_LEN], x_grad[NET_X_LEN];
static double loss;
static net_net net = {
    .x = x, .y = y, .hidden = hidden, .target = target, .loss = &loss, .params = params, .grads = grads};

/* The gradients, where this program sees them. */
static int fetch(int code) {
#ifdef NNCC_CUDA_H
    return code ? code : net_download(&net);
#else
    return code;
#endif
}

static int wrong(const char *what, int i, double saw, double expected) {
    return fprintf(stderr, "%s %d: %.17g, expected %.17g\n", what, i, saw, expected), 1;
}

/* The sum of the outputs, weighted by the gradients, with the random numbers of the first step. */
static double projected(void) {
    double sum = 0;
    net_init(&net, 7);
    if (net_forward(&net)) return NAN;
    for (int i = 0; i < NET_Y_LEN; i++) sum += y_grad[i] * y[i];
    for (int i = 0; i < NET_HIDDEN_LEN; i++) sum += hidden_grad[i] * hidden[i];
    return sum;
}

/* The two ways to the gradients of the parameters. */
static int parameters(void) {
    static unsigned char expected[NET_GRADS_BYTES];
    if (net_init(&net, 7) || fetch(net_forward_backward(&net))) return 2;
    memcpy(expected, grads, sizeof grads);
    if (net_init(&net, 7) || net_forward(&net)) return 2;
    for (int i = 0; i < NET_Y_LEN; i++) y_grad[i] = 2 * (y[i] - target[i]) / NET_Y_LEN;
    memset(y, 0xff, sizeof y), memset(hidden, 0xff, sizeof hidden); /* the caller's again: backward needs neither */
    if (fetch(net_backward(&net))) return 2;
    const double *e = (const double *)(const void *)expected, *g = (const double *)(const void *)grads;
    double most = 0;
    for (int i = 0; i < NET_GRADS_BYTES / 8; i++) most = fmax(most, fabs(e[i]));
    for (int i = 0; i < NET_GRADS_BYTES / 8; i++)
        if (!(fabs(e[i] - g[i]) <= 1e-13 * most)) return wrong("gradient", i, g[i], e[i]);
    return most > 1e-3 ? 0 : wrong("largest gradient", 0, most, 1e-3);
}

/* Those of the input: of both outputs, and with one left out. */
static int inputs(void) {
    for (int i = 0; i < NET_X_LEN; i += 4) {
        const double h = 1e-5, before = x[i];
        x[i] = before + h;
        const double more = projected();
        x[i] = before - h;
        const double less = projected();
        x[i] = before;
        if (isnan(projected()) || net_backward(&net)) return 2;
        if (!(fabs(x_grad[i] - (more - less) / (2 * h)) <= 1e-8))
            return wrong("input", i, x_grad[i], (more - less) / (2 * h));
    }
    return 0;
}

static int left_out(void) {
    net.y_grad = NULL, net.hidden_grad = NULL, net.x_grad = NULL;
    if (net_init(&net, 7) || net_forward(&net) || fetch(net_backward(&net))) return 2;
    for (int i = 0; i < NET_GRADS_BYTES; i++)
        if (grads[i] & 0x7f) return wrong("byte", i, grads[i], 0);
    return 0;
}

int main(void) {
    const char *field;
#ifndef NNCC_CUDA_H
    net.arena = arena;
#endif
    net.batch = NET_MAX_BATCH, net.lr = NET_LR, net.state = state;
    if (net_open(&net)) return 5;
    if (net_check(&net, NET_FN_FORWARD | NET_FN_BACKWARD, &field)) return 4; /* gradients may be NULL */
    net.y_grad = y_grad, net.x_grad = x_grad;
    for (int i = 0; i < NET_X_LEN; i++) x[i] = sin(i + 1.0);
    for (int i = 0; i < NET_TARGET_LEN; i++) target[i] = 0.5 + 0.5 * cos(3.0 * i);
    if (parameters()) return 1;
    net.hidden_grad = hidden_grad;
    for (int i = 0; i < NET_HIDDEN_LEN; i++) hidden_grad[i] = cos(5.0 * i);
    if (inputs()) return 1;
    net.hidden_grad = NULL, memset(hidden_grad, 0, sizeof hidden_grad);
    if (inputs() || left_out()) return 1;
    net.x = NULL, net_close(&net);
    return net_check(&net, NET_FN_BACKWARD, &field) != NET_E_NULL || strcmp(field, "x");
}
