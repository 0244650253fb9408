/* train_main.c - the main() of a program that nncc train builds.
 *
 * Data, the loop of nncc_train.h around the network, and what was learnt into the files `params` and `state`. Its
 * arguments: data, epochs, seed, checkpoint or "", whether to resume. What differs between networks is in program.h,
 * which nncc writes; its names begin with NNCC_, so that they are apart from the network's:
 *
 *   X, TARGET, LOSS         members of model_net; CORRECT: that of the right answers, if they are counted
 *   LOSSES(X)               X(member, type) for each loss that has a name
 *   X_LEN, X_EACH, X_WIDE   elements of a batch, of an example; 1: they are doubles. Likewise for the others
 *   BOUNDS(X)               X(member of model_net) for each bounded dim: the examples of a batch
 *   BATCH, FIXED            examples of a batch; 1: never fewer
 *   LABELS, CLASSES         answers of an example; scores of each answer, 0 if targets are numbers
 *   DATA_LABELS             what nncc_read_data() is to find
 *   SCORES                  the type of the scores, if each place of an example has a class
 *   SCALE                   what the data is divided by; CHANNELS, MEAN, STD: what it is normalised by, if it is
 *   PROBABILITIES           1: targets lie between 0 and 1
 *   OPTIMIZER, FLAVOR       its name, and whose formulas it follows
 *   SETTINGS                {"name", value}, for each setting of it
 *   ISA                     the instruction set that the program is built for
 *   DEVICE                  1: blocks lie in a device's memory */
#define _POSIX_C_SOURCE 200809L
#include "model.h"
#include "nncc_train.h"
#include "program.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *block(size_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, MODEL_ALIGN, bytes ? bytes : 1)) exit(90);
    return memset(p, 0, bytes);
}

static int save(const char *path, const void *p, size_t n) {
    FILE *f = fopen(path, "wb");
    return !f || fwrite(p, 1, n, f) != n || fclose(f);
}

#if NNCC_DEVICE
static int fetch(void *p) { return model_download(p); }
static int send(void *p) { return model_upload(p); }

static int failed(const model_net *net) {
    fprintf(stderr, "%s\n", model_error(net));
    return 1;
}
#else
static int (*const fetch)(void *) = NULL, (*const send)(void *) = NULL;
#endif

/* Sets the members that change, and calls a function of the network. */
static int step(int (*call)(const model_net *), model_net *net, int n, const float *x, const void *target, float *loss,
                int32_t *correct) {
#if NNCC_X_WIDE
    static double wide_x[NNCC_X_LEN];
    for (int64_t i = 0; i < (int64_t)n * NNCC_X_EACH; i++) wide_x[i] = (double)x[i];
    net->NNCC_X = wide_x;
#else
    net->NNCC_X = x;
#endif
#if NNCC_TARGET_WIDE
    static double wide_target[NNCC_TARGET_LEN];
    for (int64_t i = 0; i < (int64_t)n * NNCC_TARGET_EACH; i++) wide_target[i] = (double)((const float *)target)[i];
    net->NNCC_TARGET = wide_target;
#else
    net->NNCC_TARGET = target;
#endif
#if NNCC_LOSS_WIDE
    double wide_loss = 0;
    net->NNCC_LOSS = &wide_loss;
#else
    net->NNCC_LOSS = loss;
#endif
#define NAMED(member, type)                                                                                            \
    type of_##member;                                                                                                  \
    net->member = &of_##member;
    NNCC_LOSSES(NAMED)
#ifdef NNCC_CORRECT
    net->NNCC_CORRECT = correct;
#else
    (void)correct;
#endif
#define BOUND(member) net->member = n;
    NNCC_BOUNDS(BOUND)
    (void)n;
    const int code = call(net);
#if NNCC_LOSS_WIDE
    *loss = (float)wide_loss;
#endif
    return code;
}

static int train_step(void *net, int n, const float *x, const void *target, double lr, float *loss, int32_t *correct) {
    ((model_net *)net)->lr = lr;
    return step(model_train_batch, net, n, x, target, loss, correct);
}

static int eval_step(void *net, int n, const float *x, const void *target, float *loss, int32_t *correct) {
    return step(model_eval_batch, net, n, x, target, loss, correct);
}

static void normalise(nncc_data *data) {
#ifdef NNCC_CHANNELS
    static const double mean[] = NNCC_MEAN, std[] = NNCC_STD;
    nncc_normalise(data, NNCC_SCALE, NNCC_CHANNELS, mean, std);
#else
    nncc_normalise(data, NNCC_SCALE, 0, 0, 0);
#endif
}

int main(int argc, char **argv) {
    static nncc_tensor table[MODEL_TENSORS + 1];
    static const nncc_setting settings[] = {NNCC_SETTINGS{NULL, 0}};
    char error[NNCC_ERROR];
    nncc_data train, test;
    model_net net;
    if (argc < 6) return 2;
    for (int i = 0; i < MODEL_TENSORS; i++) memcpy(&table[i], &model_tensors[i], sizeof table[i]);
    memset(&net, 0, sizeof net);
    net.params = block(MODEL_PARAMS_BYTES), net.opt = block(MODEL_OPT_BYTES), net.state = block(MODEL_STATE_BYTES);
#if NNCC_DEVICE
    if (model_open(&net)) return failed(&net);
#else
    net.arena = block(MODEL_ARENA_BYTES);
#endif
    if (nncc_read_data(argv[1], NNCC_X_EACH, NNCC_DATA_LABELS, &train, &test, error)) {
        fprintf(stderr, "%s\n", error);
#ifdef NNCC_SCORES
        fputs("the scores are " NNCC_SCORES
              ": classes are along the second dim, and the others have a class each; with one class for all they are "
              "[batch, classes], behind a Flatten or a mean\n",
              stderr);
#endif
        return 1;
    }
    normalise(&train);
    normalise(&test);
    nncc_model model = {table,
                        net.params,
                        net.opt,
                        net.state,
                        NNCC_BATCH,
                        NNCC_LABELS,
                        MODEL_ABI,
                        &net,
                        train_step,
                        eval_step,
                        fetch,
                        send,
                        .fixed = NNCC_FIXED,
                        .classes = NNCC_CLASSES,
                        .probabilities = NNCC_PROBABILITIES,
                        .optimizer = NNCC_OPTIMIZER,
                        .flavor = NNCC_FLAVOR,
                        .isa = INSTRUCTION_SET,
                        .settings = settings};
    nncc_options o = {.epochs = atoi(argv[2]), .seed = (uint32_t)strtoul(argv[3], 0, 10), .lr = MODEL_LR};
    if (*argv[4]) o.checkpoint = argv[4];
    o.resume = atoi(argv[5]);
    if (model_init(&net, o.seed)) return 1;
    int code = nncc_fit(&model, &train, &test, &o);
#if NNCC_DEVICE
    if (code > 0 || (!code && model_download(&net))) return failed(&net);
    model_close(&net);
#endif
    if (code) return code < 0 ? 1 : code;
    return save("params", net.params, MODEL_PARAMS_BYTES) || save("state", net.state, MODEL_STATE_BYTES);
}
