/* train_step.c - one training step behind a function without arguments, for train.py. */
#define _POSIX_C_SOURCE 200809L
#include "net.h"
#include <stdlib.h>
#include <string.h>

static net_net net;
static float loss;
static int32_t correct;

static void *block(size_t bytes) {
    void *p;
    return posix_memalign(&p, NET_ALIGN, bytes ? bytes : NET_ALIGN) ? NULL : memset(p, 0, bytes);
}

/* The target's name follows from the loss. */
#ifndef NET_LABEL_LEN
#define NET_LABEL_LEN NET_TARGET_LEN
#define label         target
#endif

/* Batches of inputs and targets, which the caller keeps, are used in turn. */
static const float *inputs;
static const char *targets;
static int batches, turn;

int bench_open(int n, const float *x, const void *y, double lr) {
    inputs = x, targets = y, batches = n;
    net.params = block(NET_PARAMS_BYTES), net.opt = block(NET_OPT_BYTES), net.state = block(NET_STATE_BYTES);
    net.arena = block(NET_ARENA_BYTES);
    net.loss = &loss, net.correct = &correct, net.batch = NET_MAX_BATCH, net.lr = lr;
    return net_init(&net, 1);
}

int bench_run(void) {
    net.image = inputs + (size_t)turn * NET_IMAGE_LEN;
    net.label = (const void *)(targets + (size_t)turn * NET_LABEL_LEN * sizeof *net.label);
    turn = (turn + 1) % batches;
    return net_train_batch(&net);
}

double bench_loss(void) { return (double)loss; }
