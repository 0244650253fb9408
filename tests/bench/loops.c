/* loops.c - times two networks in turn: prints microseconds of each, their ratio, and an element of what they give. */
#include "loop.h"
#include "op.h"
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 60, RUNS = 5 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

int main(void) {
    static float x[12800], out[128];
    static _Alignas(64) unsigned char op_arena[OP_ARENA_BYTES], loop_arena[LOOP_ARENA_BYTES];
    const op_net op = {.x = x, .out = out, .arena = op_arena};
    const loop_net loop = {.x = x, .out = out, .arena = loop_arena};
    double least[2] = {1e18, 1e18};
    for (int i = 0; i < 12800; i++) x[i] = (float)(i * 37 % 101) / 101 - 0.5f;
    for (int round = 0; round < ROUNDS; round++)
        for (int form = 0; form < 2; form++) {
            double t = now();
            for (int i = 0; i < RUNS; i++)
                if (form ? loop_run(&loop) : op_run(&op)) return 1;
            t = (now() - t) / RUNS;
            if (t < least[form]) least[form] = t;
        }
    printf("%.1f %.1f %.3f %g\n", least[0], least[1], least[1] / least[0], (double)out[5]);
    return 0;
}
