/* The bits of net_run for 1, 2, 3, 4 and 7 threads of a pool, and of net_run_part in threads of this program, are those
 * of plain_run, whose C was made without --threads. usage: threads, or threads EXTENT for the field n */
#include "net.h"
#include "nncc_threads.h"
#include "plain.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, CALLS = 3 };
static float x[NET_X_LEN], y[NET_Y_LEN], want[NET_Y_LEN];

typedef struct {
    const net_net *net;
    int t, code;
} Part;

static void *run_part(void *arg) {
    Part *p = arg;
    p->code = net_run_part(p->net, p->t, THREADS);
    return NULL;
}

static int wrong(const char *what, int number) {
    fprintf(stderr, "%s %d: other bits\n", what, number);
    return 1;
}

static int in_pool(net_net *net) {
    static const int counts[] = {1, 2, 3, 4, 7, 0};
    net->pool = nncc_pool_open(4); /* for 7, too: each of them gets a part of 4 */
    for (int call = 0; call < CALLS; call++)
        for (int i = 0; i < (int)(sizeof counts / sizeof *counts); i++) {
            memset(y, 255, sizeof y);
            net->threads = counts[i];
            if (net_run(net) || memcmp(y, want, sizeof y)) return wrong("a pool, threads", counts[i]);
            if (call || counts[i] != 4) continue;
            nncc_pool_close(net->pool);
            net->pool = nncc_pool_open(7);
        }
    nncc_pool_close(net->pool);
    net->threads = NET_MAX_THREADS + 1;
    return net_run(net) != NET_E_THREADS;
}

static int in_own_threads(net_net *net) {
    pthread_t thread[THREADS];
    Part part[THREADS];
    net->threads = 0, net->pool = NULL;
    memset(net->arena, 0, 4);
    for (int call = 0; call < CALLS; call++) { /* the first word is 0 again when all have returned */
        memset(y, 255, sizeof y);
        for (int t = 0; t < THREADS; t++) {
            part[t] = (Part){net, t, -1};
            if (pthread_create(&thread[t], NULL, run_part, &part[t])) return 2;
        }
        for (int t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
        for (int t = 0; t < THREADS; t++)
            if (part[t].code) return wrong("a part returned", part[t].code);
        if (memcmp(y, want, sizeof y)) return wrong("own threads, call", call);
    }
    return net_run_part(net, 1, 1) != NET_E_THREADS || net_run_part(net, 0, NET_MAX_THREADS + 1) != NET_E_THREADS;
}

int main(int argc, char **argv) {
    net_net net = {.x = x, .y = y};
    plain_net plain = {.x = x, .y = want};
    uint32_t seed = 1;
    for (size_t i = 0; i < NET_X_LEN; i++)
        seed = seed * 1664525u + 1013904223u, x[i] = (float)(seed >> 8) / 8388608 - 1;
#ifdef NET_MAX_N
    net.n = plain.n = argc > 1 ? atoi(argv[1]) : NET_MAX_N;
#endif
    (void)argc, (void)argv;
    if (posix_memalign(&net.arena, 64, NET_ARENA_BYTES) || posix_memalign(&plain.arena, 64, PLAIN_ARENA_BYTES))
        return 2;
    memset(net.arena, 255, NET_ARENA_BYTES); /* NaN: what is read before it is written shows */
    memset(want, 255, sizeof want);          /* as y before each call: what lies behind the extents of the call stays */
    if (plain_run(&plain) || want[0] == want[1]) return 2;
    int failed = in_pool(&net) || in_own_threads(&net);
    free(net.arena), free(plain.arena);
    return failed;
}
