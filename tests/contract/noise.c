/* noise.c - a random generator that is carried: every call drops other elements, and reset begins again; a running
 * mean. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CALLS = 4 };
NET_STATE(state);
NET_STATE(copy);
#ifdef NET_ARENA
NET_ARENA(arena);
#endif
static double x[NET_X_LEN], y[2][CALLS][NET_Y_LEN], before[NET_BEFORE_LEN];

int main(void) {
    net_net net = {.x = x, .before = before, .state = state};
#ifdef NET_ARENA
    net.arena = arena;
#endif
    for (int i = 0; i < NET_X_LEN; i++) x[i] = i + 1.0;
    for (int turn = 0; turn < 2; turn++) {
        if (net_reset(&net)) return 1;
        for (int k = 0; k < CALLS; k++) {
            net.y = y[turn][k];
            if (net_step(&net)) return 2;
            for (int i = 0; i < NET_X_LEN; i++) /* a mean of 1 and k times i + 1 */
                if (!(fabs(before[i] - (1 + i * (1 - pow(0.75, k)))) <= 1e-12))
                    return printf("mean %g\n", before[i]), 3;
        }
    }
    if (memcmp(y[0], y[1], sizeof y[0])) return 4; /* reset began again */
    for (int k = 1; k < CALLS; k++)
        if (!memcmp(y[0][k - 1], y[0][k], sizeof y[0][k])) return 5;
    /* The block is the caller's: a copy of it goes on as the original does. */
    memcpy(copy, state, sizeof copy);
    net.y = y[0][0];
    if (net_step(&net)) return 6;
    net.state = copy, net.y = y[0][1];
    return net_step(&net) || memcmp(y[0][0], y[0][1], sizeof y[0][0]) ? 7 : 0;
}
