/* clipping.c - gradients of four batches, their mean clipped to a norm of 0.5, one update: net FILE. */
#include "net.h"
#include "recorded.h"

enum { BATCHES = 4 };

NET_PARAMS(params);
NET_GRADS(grads);
NET_OPT(opt);
NET_ARENA(arena);
static double x[NET_X_LEN], wanted[NET_WANTED_LEN];

/* Multiplies the gradients by a number; the sum of their squares before. What lies between tensors is not touched. */
static double scale(double by) {
    double sum = 0;
    for (const net_tensor *t = net_tensors; t->name; t++) {
        if (strcmp(t->block, "grads")) continue;
        double *g = (double *)(void *)(grads + t->offset);
        for (int64_t i = 0; i < t->bytes / 8; i++) sum += g[i] * g[i], g[i] *= by;
    }
    return sum;
}

int main(int argc, char **argv) {
    const double most = 0.5;
    double loss, error;
    FILE *f = argc == 2 ? recorded_for(argv[1], "clipping") : NULL;
    net_net net = {.x = x, .wanted = wanted, .loss = &loss, .error = &error, .params = params, .grads = grads};
    net.opt = opt, net.arena = arena, net.batch = NET_MAX_BATCH, net.lr = NET_LR;
    if (!f || net_init(&net, 1)) return 2;
    FILL_PARAMS(net_tensors, params);
    for (int s = 0; s < STEPS; s++) {
        double sum = 0;
        for (int b = 0; b < BATCHES; b++) {
            for (int i = 0; i < NET_X_LEN; i++) x[i] = drawn(b, s, i);
            for (int i = 0; i < NET_WANTED_LEN; i++) wanted[i] = 3 * drawn(b, 2 * s, i);
            if (net_forward_backward(&net)) return 3;
            sum += loss;
        }
        scale(1.0 / BATCHES);
        const double norm = sqrt(scale(1)), by = most / (norm + 1e-6);
        if (!agrees(f, "loss", s, sum / BATCHES) || !agrees(f, "norm", s, norm)) return 1;
        scale(by < 1 ? by : 1);
        if (net_apply(&net)) return 3;
    }
    fclose(f);
    return scale(1) != 0; /* apply leaves a cleared block */
}
