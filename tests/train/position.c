/* position.c - a run that goes on within an epoch: what training has seen, in a network that only remembers.
 *
 * usage: position CHECKPOINT BATCH FIXED. Without a pause it runs three epochs of 10 examples; with one, a checkpoint
 * is written by the third batch of the second epoch, and another run goes on from there. Both have to see the same. */
#include "nncc_train.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 10, EPOCHS = 3, EPOCH_OF_PAUSE = 1, BATCH_OF_PAUSE = 3 };

typedef struct {
    double seen;
    int64_t steps;
    int stop_at; /* 0: nowhere */
    const char *path;
    nncc_model model;
} Memory;

/* The next number depends on all before it, and on their order. */
static int remember(void *p, int n, const void *const *value, double lr, nncc_result *r) {
    Memory *m = p;
    const float *x = value[0];
    int64_t each = (N + m->model.batch - 1) / m->model.batch;
    for (int i = 0; i < n; i++) m->seen = m->seen * 0.75 + lr * (double)x[i];
    m->steps++, r->loss = 1;
    if (m->steps != m->stop_at) return 0;
    const nncc_progress here = {.epoch = EPOCH_OF_PAUSE,
                                .step = m->steps,
                                .seed = 7,
                                .batch = m->steps - each * EPOCH_OF_PAUSE,
                                .sample = (m->steps - each * EPOCH_OF_PAUSE) * m->model.batch,
                                .kept = {"cosine"}};
    return nncc_write_checkpoint(&m->model, m->path, &here) ? -1 : 77;
}

static int nothing(void *p, int n, const void *const *value, nncc_result *r) {
    (void)p, (void)n, (void)value;
    return r->loss = 0, 0;
}

static int fit(Memory *m, const char *checkpoint, int resume) {
    static float x[N];
    static const nncc_port port = {.name = "x", .each = 1};
    nncc_data train = {.n = N, .at = {x}, .step = {1}}, test = train;
    const nncc_options o = {
        .epochs = EPOCHS, .seed = 7, .lr = 1, .checkpoint = checkpoint, .resume = resume, .quiet = 1};
    for (int i = 0; i < N; i++) x[i] = (float)(i + 1);
    test.n = 0;
    m->model.net = m, m->model.port = &port, m->model.ports = 1, m->model.params = &m->seen;
    return nncc_fit(&m->model, &train, &test, &o);
}

int main(int argc, char **argv) {
    static const nncc_tensor table[] = {{"seen", "params", "f64", 0, {0}, 0, sizeof(double)}, {NULL}};
    if (argc < 4) return 2;
    const int batch = atoi(argv[2]), each = (N + batch - 1) / batch;
    Memory whole = {
        .model = {.tensors = table, .batch = batch, .fixed = atoi(argv[3]), .train = remember, .eval = nothing}};
    Memory stopped = whole, more = whole;
    stopped.stop_at = each * EPOCH_OF_PAUSE + BATCH_OF_PAUSE, stopped.path = argv[1];
    if (fit(&whole, NULL, 0) || fit(&stopped, NULL, 0) != 77 || fit(&more, argv[1], 1)) return 1;
    printf("%.17g in %lld steps; %.17g, stopped after %lld of them, with %lld more\n", whole.seen,
           (long long)whole.steps, more.seen, (long long)stopped.steps, (long long)more.steps);
    return whole.seen != more.seen || whole.steps != stopped.steps + more.steps || stopped.steps == whole.steps;
}
