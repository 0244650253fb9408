/* time.c - how long a function of a network takes on a GPU, in microseconds: a call with all data on the device, and
 * one with all data on the host. "fields.h" has FIELD(name, kind, bytes) for each; -DRUN=net_run names the function,
 * and -DTRAINS if there are parameters to begin with. usage: time CALLS */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "net.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5, MAX_FIELDS = 64 };
static net_net net;

/* ---- memory of the device, as a caller's own program takes it ---- */

typedef int (*Retain)(void **, int);
typedef int (*Push)(void *);
typedef int (*Allocate)(uint64_t *, size_t);
typedef int (*Fill)(uint64_t, unsigned char, size_t, void *);

static void *driver_function(const char *name) {
    const char *path = getenv("NNCC_CUDA_DRIVER");
    void *library = dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW), *f = library ? dlsym(library, name) : NULL;
    if (!f) fprintf(stderr, "no %s\n", name), exit(2);
    return f;
}

static void *device_memory(size_t bytes) {
    Allocate allocate;
    Fill fill;
    uint64_t at;
    *(void **)&allocate = driver_function("cuMemAlloc_v2"), *(void **)&fill = driver_function("cuMemsetD8Async");
    if (allocate(&at, bytes) || fill(at, 0, bytes, NULL)) fputs("no memory on the device\n", stderr), exit(2);
    return (void *)(uintptr_t)at;
}

static void use_context(void) {
    Retain retain;
    Push push;
    void *context;
    *(void **)&retain = driver_function("cuDevicePrimaryCtxRetain"),
           *(void **)&push = driver_function("cuCtxPushCurrent_v2");
    if (retain(&context, 0) || push(context)) fputs("no context\n", stderr), exit(2);
}

/* ---- calls ---- */

/* Where the struct's members for fields are; the learning rate is a number, which stays. */
static void give(void *(*memory)(size_t)) {
    void *p;
#define IF_INPUT(name, bytes)    p = memory(bytes), memcpy(&net.name, &p, sizeof p);
#define IF_OUTPUT(name, bytes)   IF_INPUT(name, bytes)
#define IF_CARRIED(name, bytes)  IF_INPUT(name, bytes)
#define IF_VALUE(name, bytes)    net.name = (float)1e-3;
#define FIELD(name, kind, bytes) IF_##kind(name, bytes)
#include "fields.h"
#undef FIELD
}

static void *host_memory(size_t bytes) { return calloc(1, bytes); }

static int check(int code) {
    if (code) fprintf(stderr, "%d %s\n", code, net_error(&net)), exit(1);
    return code;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* The least of some rounds; the first calls load kernels and make the graph. */
static double microseconds(int calls) {
    double best = 0;
    for (int i = 0; i < 3; i++) check(RUN(&net));
    for (int r = 0; r < ROUNDS; r++) {
        check(nncc_cuda_sync(net.device));
        const double start = now();
        for (int i = 0; i < calls; i++) check(RUN(&net));
        check(nncc_cuda_sync(net.device));
        const double each = (now() - start) / calls;
        if (!r || each < best) best = each;
    }
    return best;
}

#ifdef TRAINS
NET_PARAMS(params);
static char opt[NET_OPT_BYTES + 1], state[NET_STATE_BYTES + 1];
static void begin(void) {
    net.params = params, net.opt = (void *)opt, net.state = (void *)state;
    check(net_open(&net));
    check(net_init(&net, 7));
}
#else
#ifdef WEIGHTS
NET_WEIGHTS(weights);
#endif
static void begin(void) {
#ifdef WEIGHTS
    FILE *f = fopen(WEIGHTS, "rb");
    if (!f || fread(weights, 1, sizeof weights, f) != sizeof weights) fputs("no " WEIGHTS "\n", stderr), exit(2);
    fclose(f);
    net.weights = weights;
#endif
    check(net_open(&net));
}
#endif

int main(int argc, char **argv) {
    const int calls = argc > 1 ? atoi(argv[1]) : 100;
    begin();
    use_context();
    give(device_memory);
    const double device = microseconds(calls);
    give(host_memory);
    printf("%.1f | %.1f\n", device, microseconds(calls));
    net_close(&net);
    return 0;
}
