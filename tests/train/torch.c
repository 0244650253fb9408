/* torch.c - a hundred steps, compared with what PyTorch did: net OPTIMIZER FILE. */
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

int main(int argc, char **argv) {
    static double x[NET_X_LEN], y[NET_Y_LEN], expected, worst;
    static int32_t label[NET_LABEL_LEN], correct;
    double loss;
    FILE *f = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!f || open_line(f, argv[1])) return 2;
    net_net net = {.x = x, .label = label, .y = y, .loss = &loss, .correct = &correct, .batch = BATCH, .lr = NET_LR};
    net.params = params, net.opt = opt, net.state = state, net.arena = arena;
    if (net_init(&net, 1)) return 3;
    fill();
    for (int s = 0; s < STEPS; s++) {
        draw(s, x, label);
        if (net_train_batch(&net) || fscanf(f, "%lf", &expected) != 1) return 4;
        double error = fabs(loss - expected) / fabs(expected);
        if (error > worst) worst = error;
        if (error > 1e-5) return fprintf(stderr, "step %d: loss %.10g, PyTorch %.10g\n", s, loss, expected), 1;
    }
    printf("%s: worst relative error %.1e\n", argv[1], worst);
    fclose(f);
    return 0;
}
