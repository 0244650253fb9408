/* torch.c - a hundred steps, compared with what PyTorch did: net OPTIMIZER FILE.
 * APPLY: by the block of gradients. SCHEDULE: the rate is the network's own. AVERAGE: at last the loss by the averages
 * of parameters is compared, too. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 100, BATCH = 8 };

NET_PARAMS(params);
#if NET_OPT_BYTES
NET_OPT(opt);
#else
static char opt[1];
#endif
NET_STATE(state);
NET_ARENA(arena);

/* In PyTorch's order, which is that of the layers. */
static void fill(void) {
    int k = 0;
    for (const net_tensor *t = net_tensors; t->name; t++) {
        if (strcmp(t->block, "params")) continue;
        double *p = (double *)(void *)(params + t->offset);
        for (int64_t i = 0; i < t->bytes / 8; i++) p[i] = 0.3 * sin(1.0 + (double)i + 100.0 * k);
        k++;
    }
}

static void draw(int step, double *x, int32_t *label) {
    for (int i = 0; i < NET_X_LEN; i++) x[i] = sin(0.37 * i + 0.11 * (i % 7) * (step + 1));
    for (int i = 0; i < BATCH; i++) label[i] = (i * i + step) % 3;
}

/* The line of the file that begins with the name, behind it. */
static int open_line(FILE *f, const char *name) {
    char word[64];
    while (fscanf(f, "%63s", word) == 1)
        if (!strcmp(word, name)) return 0;
    return fprintf(stderr, "no losses of %s\n", name), 1;
}

static int compared(int step, double loss, FILE *f, double *worst) {
    double expected;
    if (fscanf(f, "%lf", &expected) != 1) return 4;
    const double error = fabs(loss - expected) / fabs(expected);
    if (error > *worst) *worst = error;
    return error > 1e-6 ? fprintf(stderr, "step %d: loss %.10g, PyTorch %.10g\n", step, loss, expected), 1 : 0;
}

#ifdef APPLY
NET_GRADS(grads);
static int step_of(net_net *net) {
    net->grads = grads;
    return net_forward_backward(net) || net_apply(net);
}
#else
static int step_of(const net_net *net) { return net_train_batch(net); }
#endif

int main(int argc, char **argv) {
    static double x[NET_X_LEN], y[NET_Y_LEN], worst;
    static int32_t label[NET_LABEL_LEN], correct;
    double loss;
    FILE *f = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!f || open_line(f, argv[1])) return 2;
    net_net net = {.x = x, .label = label, .y = y, .loss = &loss, .correct = &correct, .batch = BATCH, .lr = NET_LR};
    net.params = params, net.opt = opt, net.state = state, net.arena = arena;
    if (net_init(&net, 1)) return 3;
    fill();
#ifdef AVERAGE /* before the first step they are the parameters */
    static unsigned char first[sizeof params];
    memcpy(first, params, sizeof first);
    if (net_swap_ema(&net) || memcmp(first, params, sizeof first)) return 7;
#endif
    for (int s = 0; s < STEPS; s++) {
        draw(s, x, label);
#ifdef SCHEDULE
        net.lr = net_lr(s);
#endif
        if (step_of(&net) || compared(s, loss, f, &worst)) return 1;
    }
#ifdef AVERAGE
    draw(0, x, label);
    if (net_swap_ema(&net) || net_eval_batch(&net) || compared(STEPS, loss, f, &worst)) return 1;
    const double averaged = loss;
    if (net_swap_ema(&net) || net_swap_ema(&net) || net_eval_batch(&net) || loss != averaged) return 6;
#endif
    printf("%s: worst relative error %.1e\n", argv[1], worst);
    fclose(f);
    return 0;
}
