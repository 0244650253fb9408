/* nncc_train.h - training on a computer: data from files, the loop over epochs, checkpoints. For programs around a
 * network that `nncc --train` generated; needs POSIX and zlib. */
#ifndef NNCC_TRAIN_RUNTIME_H
#define NNCC_TRAIN_RUNTIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NNCC_ERROR = 240, NNCC_KEPT = 4, NNCC_KEPT_MOST = 256 };

/* Examples, one after the other: `values` numbers each, and `targets` numbers; 0 of them: `labels` classes. */
typedef struct {
    int64_t n, values, targets;
    float *x, *target;
    int32_t *label;
    int64_t labels;
} nncc_data;

/* Reads a directory with idx files (MNIST's names), CIFAR binaries or x_train.npy, y_train.npy, x_test.npy, y_test.npy,
 * or a .csv file whose last columns are the targets; all may be compressed by gzip. Without a part for tests every
 * tenth example is one. targets: 0 for a class, -n for n of them, one for each pixel or step. 0, or -1 with a message.
 */
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
    const char *name; /* of a setting of the optimizer, such as beta1 */
    double value;
} nncc_setting;

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
    int fixed;         /* every call takes exactly `batch` examples */
    int classes;       /* labels lie below it; 0: not known, or there are none */
    int probabilities; /* targets lie between 0 and 1 */
    /* Kept in a checkpoint; NULL: not said. A run with another optimizer, or of another flavor (whose formulas it
     * follows), does not go on from it; other settings, and another instruction set, are a warning. */
    const char *optimizer, *flavor, *isa;
    const nncc_setting *settings; /* ends with a NULL name */
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

/* How far a run has come. */
typedef struct {
    int epoch;
    int64_t step; /* updates so far; -1: not known */
    uint32_t seed;
    int64_t batch, sample; /* of the next epoch: how many batches, and examples, are done */
    /* Reserved, and written back as they were read: schedule, early_stop, best, ema. "": not said. */
    char kept[NNCC_KEPT][NNCC_KEPT_MOST];
} nncc_progress;

/* Checkpoints are safetensors files: what they hold is all that a run goes on from. The old file stays whole until the
 * new one is; a symbolic link is followed, a pipe or a device is written in place. Reading changes nothing unless all
 * of the file is as it was written. 0, or -1 after a message on stderr. */
int nncc_write_checkpoint(const nncc_model *, const char *path, const nncc_progress *);
int nncc_read_checkpoint(const nncc_model *, const char *path, nncc_progress *);
/* Whether there is a place for one: asked before a long run. 0, or -1 after a message. */
int nncc_can_write_checkpoint(const char *path);
/* The same without a step. */
int nncc_save_checkpoint(const nncc_model *, const char *path, int epoch, uint32_t seed);
int nncc_load_checkpoint(const nncc_model *, const char *path, int *epoch, uint32_t *seed);

#ifdef __cplusplus
}
#endif
#endif
