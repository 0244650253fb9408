/* run_main.c - the main() of a program that nncc builds to run a network.
 *
 * It reads in0, in1 ... and writes out0, out1 ..., raw bytes in the order of the network's inputs and outputs; its
 * arguments are the extents of bounded dims. What differs between networks is in program.h, which nncc writes; its
 * names begin with NNCC_, so that they are apart from the network's:
 *
 *   INPUTS(X), OUTPUTS(X)  X(member of model_net, its number, bytes) for each
 *   STRINGS(X), TEXTS      X(member, its number, how many) for each input of strings; 1: there is one
 *   BOUNDS(X)              X(member of model_net, its argument) for each bounded dim
 *   TENSORS                how many inputs and outputs there are
 *   FILE_OF_WEIGHTS        1: model.weights holds them
 *   CALLERS_ARENA          1: the network wants an arena
 *   CARRIES_STATE          1: it has a state, which the file `state` keeps from one run of the program to the next
 *   THREADS                of a pool that runs it; 0: it has none
 *   DEVICE                 1: it runs on a device, which may fail
 *   TIMED, STEPS, RUNS     1: times of its steps go into the file `times`, for each of RUNS calls (0: for a second) */
#define _POSIX_C_SOURCE 200809L
#include "model.h"
#include "program.h"
#if NNCC_THREADS
#include "nncc_threads.h"
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *all[2 * NNCC_TENSORS + 3];
static int taken;

/* Memory that shows what is read before it is written: as floats these bytes are NaN. */
static void *memory(size_t bytes) {
    void *p;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) {
        fputs("out of memory\n", stderr);
        exit(90);
    }
    return all[taken++] = memset(p, 0xff, bytes ? bytes : 1);
}

/* A file's bytes in memory of its own; a run with a small extent brings fewer than there is room for. */
static void *load(const char *path, size_t bytes) {
    void *p = memory(bytes);
    FILE *f = fopen(path, "rb");
    if (!f || (bytes && !fread(p, 1, bytes, f) && ferror(f))) {
        perror(path);
        exit(91);
    }
    fclose(f);
    return p;
}

#if NNCC_TEXTS
/* Room for `count` strings, of which the file has as many as this run brings. */
static const char *const *load_strings(const char *path, size_t count) {
    FILE *f = fopen(path, "rb");
    long size = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    if (f) fclose(f);
    if (size < 0) {
        perror(path);
        exit(91);
    }
    char *text = load(path, (size_t)size), *end = text + size;
    const char **list = memory(count * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        list[i] = text < end ? text : "";
        if (text < end) text += strlen(text) + 1;
    }
    return list;
}
#endif

static void save(const char *path, const void *p, size_t bytes) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, bytes, f) != bytes || fclose(f)) {
        perror(path);
        exit(92);
    }
}

#if NNCC_CARRIES_STATE
#define CALL model_step
#else
#define CALL model_run
#endif

#if NNCC_TIMED
/* Two runs to warm up, then as many as were asked for, or as a second allows. */
enum { WARM_UP = 2, LEAST = 5 };
static double took[NNCC_STEPS + 1], last;
void model_done(int);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void model_done(int step) {
    double t = now();
    took[step] += t - last, last = t;
}

static int run(const model_net *net) {
    FILE *f = fopen("times", "wb");
    double start = now();
    for (int i = -WARM_UP; i < NNCC_RUNS || (!NNCC_RUNS && (i < LEAST || last < start + 1)); i++) {
        if (!i) start = now();
        memset(took, 0, sizeof took);
        last = now();
        int code = CALL(net);
        if (code) return code;
        if (i >= 0 && (!f || fwrite(took, sizeof *took, NNCC_STEPS, f) != NNCC_STEPS)) exit(93);
    }
    return fclose(f);
}
#else
static int run(const model_net *net) { return CALL(net); }
#endif

int main(int argc, char **argv) {
    model_net net;
    memset(&net, 0, sizeof net);
    (void)argc, (void)argv;
#define LOAD(member, i, bytes) net.member = load("in" #i, bytes);
    NNCC_INPUTS(LOAD)
#define LOAD_STRINGS(member, i, count) net.member = load_strings("in" #i, count);
    NNCC_STRINGS(LOAD_STRINGS)
#define ROOM(member, i, bytes) net.member = memory(bytes);
    NNCC_OUTPUTS(ROOM)
#define EXTENT(member, i) net.member = atoi(argv[i]);
    NNCC_BOUNDS(EXTENT)
#if NNCC_FILE_OF_WEIGHTS
    net.weights = load("model.weights", MODEL_WEIGHTS_BYTES);
#endif
#if NNCC_CALLERS_ARENA
    net.arena = memory(MODEL_ARENA_BYTES);
#endif
#if NNCC_THREADS
    net.threads = NNCC_THREADS, net.pool = nncc_pool_open(NNCC_THREADS);
#endif
    int code = model_open(&net);
#if NNCC_CARRIES_STATE
    FILE *before = fopen("state", "rb");
    if (before) fclose(before);
    net.state = before ? load("state", MODEL_STATE_BYTES) : memory(MODEL_STATE_BYTES);
    if (!code && !before) code = model_reset(&net);
#endif
    if (!code) code = run(&net);
#if NNCC_THREADS
    nncc_pool_close(net.pool);
#endif
#if NNCC_DEVICE
    if (code) fprintf(stderr, "%s\n", model_error(&net));
#endif
    if (code) return fprintf(stderr, "the network returned %d\n", code), code;
#define SAVE(member, i, bytes) save("out" #i, net.member, bytes);
    NNCC_OUTPUTS(SAVE)
#if NNCC_CARRIES_STATE
    save("state", net.state, MODEL_STATE_BYTES);
#endif
#if NNCC_DEVICE
    model_close(&net);
#endif
    while (taken) free(all[--taken]);
    return 0;
}
