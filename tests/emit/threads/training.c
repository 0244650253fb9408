/* Three steps of training and what predicts for 1 to 4 threads: the bits of parameters, optimizer, statistics and
 * outputs are those of C that was made without --threads. */
#include "net.h"
#include "nncc_threads.h"
#include "plain.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 5, STEPS = 3 };
static float x[NET_X_LEN], y[2][NET_Y_LEN], loss[2];
static int32_t label[NET_LABEL_LEN], correct[2];
static const size_t bytes[BLOCKS] = {NET_PARAMS_BYTES, NET_GRADS_BYTES, NET_OPT_BYTES, NET_STATE_BYTES,
                                     NET_ARENA_BYTES};
static void *block[2][BLOCKS];

#define STEP(P, net, i)                                                                                                \
    P##_net net = {.x = x, .label = label, .y = y[i], .loss = &loss[i], .correct = &correct[i], .lr = 0.01};           \
    net.params = block[i][0], net.grads = block[i][1], net.opt = block[i][2], net.state = block[i][3];                 \
    net.arena = block[i][4];

#define STEPS_OF(P, net)                                                                                               \
    int code = P##_init(&net, 7);                                                                                      \
    for (int i = 0; i < STEPS && !code; i++) code = P##_train_batch(&net);                                             \
    if (!code) code = P##_forward_backward(&net);                                                                      \
    if (!code) code = P##_apply(&net);                                                                                 \
    if (!code) code = P##_predict(&net);                                                                               \
    return code;

static int plain_steps(void) {
    STEP(plain, net, 0)
    STEPS_OF(plain, net)
}

static int threaded_steps(int threads, nncc_pool *pool) {
    STEP(net, net, 1)
    net.threads = threads, net.pool = pool;
    STEPS_OF(net, net)
}

int main(void) {
    uint32_t seed = 1;
    int failed = 0;
    for (size_t i = 0; i < NET_X_LEN; i++)
        seed = seed * 1664525u + 1013904223u, x[i] = (float)(seed >> 8) / 8388608 - 1;
    for (int i = 0; i < NET_LABEL_LEN; i++) label[i] = i % 10;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < BLOCKS; k++) {
            if (posix_memalign(&block[i][k], 64, bytes[k] + 64)) return 2;
            memset(block[i][k], 255, bytes[k]);
        }
    if (plain_steps() || y[0][0] == y[0][1]) return 2;
    nncc_pool *pool = nncc_pool_open(4);
    for (int threads = 0; threads <= 4 && !failed; threads++) {
        failed = threaded_steps(threads, pool);
        for (int k = 0; k + 1 < BLOCKS && !failed; k++) failed = memcmp(block[0][k], block[1][k], bytes[k]) != 0;
        failed = failed || memcmp(y[0], y[1], sizeof y[0]) || loss[0] != loss[1];
        if (failed) fprintf(stderr, "%d threads: other bits\n", threads);
    }
    nncc_pool_close(pool);
    for (int i = 0; i < 2 * BLOCKS; i++) free(block[i / BLOCKS][i % BLOCKS]);
    return failed;
}
