/* main.c - weights-1.nn with the file of weights that is its argument: what open says, and the results. */
#include "kept.h"
#include <stdio.h>

KEPT_WEIGHTS(weights);

int main(int argc, char **argv) {
    static const float x[KEPT_X_LEN] = {1, 2, -0.5f, 0.25f};
    static float y[KEPT_Y_LEN];
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!f || fread(weights, 1, sizeof weights, f) != sizeof weights) return 2;
    fclose(f);
    kept_net net = {.x = x, .y = y, .weights = weights};
    int code = kept_open(&net);
    printf("open %d\n", code);
    if (code) return 0;
    printf("run %d:", kept_run(&net));
    for (int i = 0; i < KEPT_Y_LEN; i++) printf(" %g", (double)y[i]);
    putchar('\n');
    kept_close(&net);
    return 0;
}
