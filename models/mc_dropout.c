/* How sure a network is, by dropout that goes on in use: mc_dropout
 *
 * For x from -1 to 1 the mean and the deviation of a hundred answers, and the sine that was to be learnt. mc.c is the
 * trained network with dropout: each step draws other numbers. */
#include "mc.h"

#include <math.h>
#include <stdio.h>

enum { POINTS = MC_X_LEN, ASKED = 100 };

MC_ARENA(arena);
MC_STATE(state);

int main(void) {
    float x[POINTS], y[POINTS];
    double sum[POINTS] = {0}, squares[POINTS] = {0}, seen = 0, unseen = 0;
    const mc_net net = {.x = x, .y = y, .arena = arena, .state = state};
    int inside = 0;
    for (int i = 0; i < POINTS; i++) x[i] = (float)(2 * i) / (POINTS - 1) - 1;
    if (mc_reset(&net)) return 1;
    for (int n = 0; n < ASKED; n++) {
        if (mc_step(&net)) return 1;
        for (int i = 0; i < POINTS; i++) sum[i] += (double)y[i], squares[i] += (double)y[i] * (double)y[i];
    }
    for (int i = 0; i < POINTS; i++) {
        const double mean = sum[i] / ASKED, deviation = sqrt(squares[i] / ASKED - mean * mean);
        const int gap = fabsf(x[i]) < 0.25f;
        printf("%5.1f: %5.2f +- %.2f, the sine %5.2f%s\n", (double)x[i], mean, deviation, sin(4 * (double)x[i]),
               gap ? ", never seen" : "");
        if (gap)
            unseen += deviation, inside++;
        else
            seen += deviation;
    }
    printf("deviation %.3f where it has seen points, %.3f where not\n", seen / (POINTS - inside), unseen / inside);
    return 0;
}
