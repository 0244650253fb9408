/* Runs the kernels of words.cu: every thread has to leave a 1. On a GPU too, where there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nncc_cuda.h"

enum { MOST = 1024, X = 0, GOOD = 16384, BARRIER = GOOD + 4 * MOST };

static const char *const kernels[] = {"indices", "shuffles", "halves", "leavers", "copies", "rounds", "memory"};
static const nncc_cuda_program base = {"words", 0x33, NULL, NULL, kernels,
                                       7,       0,    0,    NULL, {0, 0, 0, 0, BARRIER + 256, 0, 0}};

#define A_GOOD    NNCC_CUDA_OUT(NNCC_CUDA_STATE, GOOD, 4 * MOST)
#define A_X       NNCC_CUDA_INOUT(NNCC_CUDA_STATE, X, 16384)
#define A_BARRIER NNCC_CUDA_INOUT(NNCC_CUDA_STATE, BARRIER, 8)
#define ONE                                                                                                            \
    { {1, 0, 0}, 1 }
static const nncc_cuda_launch clear = {
    NNCC_CUDA_FILL,
    "clear",
    {{{0}}},
    {0},
    0,
    0,
    NNCC_CUDA_ARGS(NNCC_CUDA_OUT(NNCC_CUDA_STATE, GOOD, 4 * MOST + 256), NNCC_CUDA_INT(0))};
static const nncc_cuda_launch launches[] = {
    {0, "indices", {{{3, 0, 0}, 1}, {{2, 0, 0}, 1}, {{2, 0, 0}, 1}}, {4, 3, 2}, 0, 0, NNCC_CUDA_ARGS(A_GOOD)},
    {1, "shuffles", {{{2, 0, 0}, 1}}, {96}, 0, 0, NNCC_CUDA_ARGS(A_GOOD)},
    {2, "halves", {ONE}, {64}, 0, 0, NNCC_CUDA_ARGS(A_GOOD)},
    {3, "leavers", {{{3, 0, 0}, 1}}, {50}, 256, 0, NNCC_CUDA_ARGS(A_GOOD)},
    {4, "copies", {ONE}, {64}, 48 * 64, 0, NNCC_CUDA_ARGS(A_X, A_GOOD)},
    {5, "rounds", {{{4, 0, 0}, 1}}, {48}, 0, 1, NNCC_CUDA_ARGS(A_X, A_BARRIER, A_GOOD)},
    {6, "memory", {{{4, 0, 0}, 1}}, {64}, 0, 0, NNCC_CUDA_ARGS(A_X, A_GOOD)},
};

static int threads_of(const nncc_cuda_launch *l) {
    int n = 1;
    for (int i = 0; i < 3; i++)
        n *= (l->grid[i].per ? (int)l->grid[i].count.add : 1) * (l->threads[i] ? l->threads[i] : 1);
    return n;
}

static int run(nncc_cuda *net, const nncc_cuda_launch *l, int *good) {
    const nncc_cuda_entry entries[] = {{"clear", 1, 0, &clear, NULL}, {l->node, 1, 0, l, NULL}};
    const int bad = nncc_cuda_run(net, &entries[0], NULL, NULL) || nncc_cuda_run(net, &entries[1], NULL, NULL) ||
                    nncc_cuda_download(net, NNCC_CUDA_STATE, GOOD, good, 4 * MOST);
    if (bad) return puts(nncc_cuda_error(net)), 1;
    for (int i = 0; i < threads_of(l); i++)
        if (good[i] != 1) return printf("%s: thread %d is not content\n", l->node, i), 1;
    return 0;
}

static char *read_source(const char *path) {
    FILE *f = path ? fopen(path, "rb") : NULL;
    char *text = f ? (char *)calloc(1, 1 << 20) : NULL;
    if (text && !fread(text, 1, (1 << 20) - 1, f)) text = NULL;
    if (f) fclose(f);
    return text;
}

int main(void) {
    static int good[MOST];
    static float x[4096];
    nncc_cuda_program program = base;
    nncc_cuda_options options = {0};
    nncc_cuda *net;
    int bad = 0;
    options.no_graphs = 1; /* entries are this function's */
    program.source = read_source(getenv("SOURCE"));
    for (int i = 0; i < 4096; i++) x[i] = (float)i;
    if (nncc_cuda_open(&net, &program, &options)) return puts(nncc_cuda_error(net)), 1;
    for (size_t i = 0; i < sizeof launches / sizeof *launches; i++) {
        if (nncc_cuda_upload(net, NNCC_CUDA_STATE, X, x, sizeof x)) return puts(nncc_cuda_error(net)), 1;
        bad += run(net, &launches[i], good);
    }
    printf("%s on %s\n", bad ? "differs" : "all content", nncc_cuda_device(net));
    nncc_cuda_close(net);
    free((void *)program.source);
    return bad != 0;
}
