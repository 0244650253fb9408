/* steps.c - STEPS steps of training on made-up batches; loss and right answers of each to standard output, then the
 * parameters and how far they moved, as text. Compiled twice, for the C and for CUDA (-DCUDA): what they print is
 * compared. -DINPUT=image -DINPUT_LEN=NET_IMAGE_LEN -DTARGET=label -DTARGET_LEN=NET_LABEL_LEN -DCLASSES=10 name the
 * fields. */
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef STEPS
#define STEPS 20
#endif

NET_PARAMS(params);
#if NET_OPT_BYTES
NET_OPT(opt);
#else
static char opt[1];
#endif
#if NET_STATE_BYTES
NET_STATE(state);
#else
static char state[1];
#endif
#ifndef CUDA
NET_ARENA(arena);
#endif
static unsigned char first[NET_PARAMS_BYTES];
#ifndef REAL
#define REAL float
#endif
static REAL x[INPUT_LEN], loss;
static int32_t label[TARGET_LEN], correct;

/* A class lights up a place of its own, in noise. */
static void draw_batch(void) {
    static uint32_t r = 1;
    for (int i = 0; i < TARGET_LEN; i++) label[i] = (int32_t)((r = r * 1664525u + 1013904223u) >> 16) % CLASSES;
    for (int i = 0; i < INPUT_LEN; i++) {
        r = r * 1664525u + 1013904223u;
        int image = i / (INPUT_LEN / TARGET_LEN), at = i % (INPUT_LEN / TARGET_LEN);
        x[i] = (REAL)(r >> 8) / 33554432.0f + (at % CLASSES == label[image] ? 0.5f : 0.0f);
    }
}

static void print_floats(const char *name, const void *block) {
    const REAL *p = block;
    printf("%s", name);
    for (long i = 0; i < NET_PARAMS_BYTES / (long)sizeof(REAL); i++) printf(" %.9g", (double)p[i]);
    printf("\n");
}

int main(void) {
    net_net net;
    memset(&net, 0, sizeof net);
    net.INPUT = x, net.TARGET = label, net.loss = &loss, net.correct = &correct, net.lr = NET_LR;
#ifdef BATCH
    net.batch = BATCH;
#endif
    net.params = params, net.opt = opt, net.state = state;
#ifdef CUDA
    if (net_open(&net)) return fprintf(stderr, "%s\n", net_error(&net)), 1;
#else
    net.arena = arena;
#endif
    if (net_init(&net, 7)) return fputs("init\n", stderr), 1;
    memcpy(first, params, sizeof first);
    for (int s = 0; s < STEPS; s++) {
        draw_batch();
        int code = net_train_batch(&net);
        if (code) {
#ifdef CUDA
            fprintf(stderr, "%s\n", net_error(&net));
#endif
            return fprintf(stderr, "step %d: %d\n", s, code), 1;
        }
        printf("step %.9g %d\n", (double)loss, correct);
    }
#ifdef CUDA
    if (net_download(&net)) return fprintf(stderr, "%s\n", net_error(&net)), 1;
    net_close(&net);
#endif
    print_floats("params", params);
    for (size_t i = 0; i < sizeof first / sizeof(REAL); i++)
        ((REAL *)(void *)first)[i] = ((const REAL *)(void *)params)[i] - ((REAL *)(void *)first)[i];
    print_floats("moved", first);
    return 0;
}
