/* accuracy.c - counts how many labelled images a classifier gets right. Built with the model.h of a network whose input
 * is `x` and whose output is `y`; reads from standard input, for each image, a byte with its label and the floats of x.
 */
#include "model.h"
#include <stdio.h>

#if MODEL_ARENA_BYTES
MODEL_ARENA(arena);
#endif
static float x[MODEL_X_LEN], y[MODEL_Y_LEN];

int main(void) {
    model_net net = {.x = x, .y = y};
    int right = 0, n = 0;
#if MODEL_ARENA_BYTES
    net.arena = arena;
#endif
    for (int label; (label = getchar()) != EOF && fread(x, sizeof x, 1, stdin) == 1; n++) {
        int best = 0;
        if (model_run(&net) != MODEL_OK) return 1;
        for (int i = 1; i < MODEL_Y_LEN; i++)
            if (y[i] > y[best]) best = i;
        right += best == label;
    }
    printf("%d of %d\n", right, n);
    return n == 0;
}
