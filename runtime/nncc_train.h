/* nncc_train.h - training on a computer: data from files, the loop over epochs, checkpoints. For programs around a
 * network that `nncc --train` generated; needs POSIX and zlib. */
#ifndef NNCC_TRAIN_RUNTIME_H
#define NNCC_TRAIN_RUNTIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NNCC_ERROR = 240 };

/* Examples, one after the other: `values` numbers each, and a class or `targets` numbers (0: a class). */
typedef struct {
    int64_t n, values, targets;
    float *x, *target;
    int32_t *label;
} nncc_data;

/* Reads a directory with idx files (MNIST's names), CIFAR binaries or x_train.npy, y_train.npy, x_test.npy, y_test.npy,
 * or a .csv file whose last columns are the targets; all may be compressed by gzip. Without a part for tests the last
 * tenth is one. 0, or -1 with a message. */
int nncc_read_data(const char *path, int64_t values, int64_t targets, nncc_data *train, nncc_data *test,
                   char error[NNCC_ERROR]);
/* x becomes (x * scale - mean) / std, the latter two per channel (channels 0: neither). */
void nncc_normalise(nncc_data *, double scale, int channels, const double *mean, const double *std);
void nncc_free_data(nncc_data *);

/* As in the generated table of tensors. */
typedef struct {
    const char *name, *block, *type;
    int rank;
    int64_t dim[12], offset, bytes;
} nncc_tensor;

typedef struct {
    const nncc_tensor *tensors;
    void *params, *opt, *state;
    int batch;    /* the most examples of one call */
    int answers;  /* per example, of which the right ones are counted; 0: they are not */
    uint32_t abi; /* of the generated header */
    void *net;    /* for the functions below: one step, and one evaluation, of n examples */
    int (*train)(void *net, int n, const float *x, const void *target, double lr, float *loss, int32_t *correct);
    int (*eval)(void *net, int n, const float *x, const void *target, float *loss, int32_t *correct);
    /* Where a GPU has the blocks, and the ones above are copies: bring them from there, before they are written to a
     * checkpoint, and take them there, after one was read; 0 if all went well. NULL: there is only one of each. */
    int (*fetch)(void *net), (*send)(void *net);
} nncc_model;

typedef struct {
    int epochs;
    uint32_t seed;
    double lr;
    const char *checkpoint; /* written after every epoch; NULL: none */
    int resume;             /* go on from it */
    int quiet;              /* no progress line */
} nncc_options;

/* 0, or a code of the network, or -1 after a message on stderr. */
int nncc_fit(const nncc_model *, const nncc_data *train, const nncc_data *test, const nncc_options *);

/* Checkpoints are safetensors files: what they hold is all that a run goes on from. The old file stays whole until the
 * new one is. */
int nncc_save_checkpoint(const nncc_model *, const char *path, int epoch, uint32_t seed);
int nncc_load_checkpoint(const nncc_model *, const char *path, int *epoch, uint32_t *seed);

#ifdef __cplusplus
}
#endif
#endif
