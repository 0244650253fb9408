/* nncc_train.h - training on a computer: data from files, the loop over epochs, checkpoints. For programs around a
 * network that `nncc --train` generated; needs POSIX and zlib. */
#ifndef NNCC_TRAIN_RUNTIME_H
#define NNCC_TRAIN_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NNCC_STOPPED = -3, NNCC_ERROR = 240, NNCC_KEPT = 4, NNCC_KEPT_MOST = 256, NNCC_PORTS = 32, NNCC_RANK = 12 };

typedef enum { NNCC_F32, NNCC_F64, NNCC_I32, NNCC_I64, NNCC_U8, NNCC_BOOL } nncc_type;

/* What a network takes of each example: an input, or a target of its losses. */
typedef struct {
    const char *name; /* the network's, by which data is matched to it */
    nncc_type type;
    int rank; /* of one example, the dim of the batch left out */
    int64_t dim[NNCC_RANK];
    int64_t each;      /* numbers of one example */
    int target;        /* 1: losses compare with it; 0: an input */
    int64_t classes;   /* above 0: its numbers are classes, from 0 to below it */
    int probabilities; /* its numbers lie between 0 and 1 */
    double scale;      /* what a file has, x, becomes (x * scale - mean) / std; 0: 1 */
    int channels;      /* mean and std have as many, one for each index of the first dim; 0: there are none */
    const double *mean, *std;
    int ignores; /* 1: the class `ignored` is no answer */
    int64_t ignored;
    int alone; /* of an output: 1: there is one for all examples */
} nncc_port;

/* What classes are called: class i is at[i]. The strings belong to it. */
typedef struct {
    int64_t n;
    char **at;
} nncc_words;

/* Examples. at[p]: the numbers of port p in its type, step[p] of them from one example to the next. itself: no file has
 * the target, which is the input. */
typedef struct {
    int64_t n;
    void *at[NNCC_PORTS];
    int64_t step[NNCC_PORTS];
    int itself;
} nncc_data;

/* Where data lies. Lists end with NULL and may be NULL; the strings stay the caller's. */
typedef struct {
    /* Files: PATH for all ports, or NAME=PATH for each. */
    const char *const *data, *const *validation;
    const char *const *columns; /* of csv files: NAME=COLUMN,COLUMN... */
    /* Without files for it, which part of the data is for validation: every n-th example so that there are as many, or
     * the last ones. 0: a tenth; below 0: none. */
    double held_out;
    int held_last;
    int text; /* files are texts, taken as 1 characters, 2 words; 0: as characters if they end in .txt */
    const nncc_port *port;
    int ports;
    /* Names of classes: those that are given say what a label means, others are filled in by what is read first. */
    nncc_words words[NNCC_PORTS];
} nncc_source;

/* Reads examples. A PATH is
 *   a directory with idx files under MNIST's names, or CIFAR's binaries, for one input and one target,
 *   a directory with x_train.npy, y_train.npy, x_test.npy, y_test.npy, likewise, or
 *   a directory with NAME.npy of each port, or NAME_train.npy and NAME_test.npy,
 *   an npz file with arrays under these names, x_train and so on among them,
 *   a csv file: columns by the names of its first line, or inputs first and targets last; labels may be words.
 *   a text: sequences as long as the only input, whose target is the next character or word, or the one behind each;
 *   held out is its last part.
 *   a directory of folders of PNG pictures, one for each class; train and test may be apart. Needs libpng: compile
 *   nncc_png.c with -DNNCC_PNG.
 * NAME=PATH is an npy or idx file for one port, or a folder of PNG pictures, in the order of their names. All but npz
 * may be compressed by gzip. A target that no file has, of the only input's size, is that input, scaled. The data is
 * the caller's, to be given back with nncc_free_data(), also where it fails. 0, or -1 with a message. */
int nncc_read_data(nncc_source *, nncc_data *train, nncc_data *test, char error[NNCC_ERROR]);
void nncc_free_data(nncc_data *);
void nncc_free_words(nncc_words *);
/* Puts ? for what a terminal would obey, in words of files. */
char *nncc_printable(char *);
/* Adds the names of a list with commas between them. 0, or -1: out of memory. */
int nncc_split_words(nncc_words *, const char *list);

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

/* What a call says of a batch. */
typedef struct {
    double loss;
    int32_t correct;
} nncc_result;

typedef struct {
    const nncc_tensor *tensors;
    void *params, *opt, *state;
    int batch;    /* the most examples of one call */
    int answers;  /* per example, of which the right ones are counted; 0: they are not */
    uint32_t abi; /* of the generated header */
    const nncc_port *port;
    int ports;
    /* For the functions below: one step, and one evaluation, of n examples; value[p]: those of port p. */
    void *net;
    int (*train)(void *net, int n, const void *const *value, double lr, nncc_result *);
    int (*eval)(void *net, int n, const void *const *value, nncc_result *);
    /* Where a GPU has the blocks, and the ones above are copies: bring them from there, before they are written to a
     * checkpoint, and take them there, after one was read; 0 if all went well. NULL: there is only one of each. */
    int (*fetch)(void *net), (*send)(void *net);
    int fixed; /* every call takes exactly `batch` examples */
    /* Kept in a checkpoint; NULL: not said. A run with another optimizer, or of another flavor (whose formulas it
     * follows), does not go on from it; other settings, and another instruction set, are a warning. */
    const char *optimizer, *flavor, *isa;
    const nncc_setting *settings; /* ends with a NULL name */
    /* Likewise, and what a run goes on with has to be the same: how the rate follows from the step, and which
     * parameters have a rate or a decay of their own; "none". */
    const char *schedule, *groups;
    const char *const *frozen; /* parameters that are not trained, ending with NULL; NULL: there are none */
    /* Outputs, for metrics and predictions; out[p] has room for a batch of output p. NULL: there are none. */
    const nncc_port *output;
    int outputs;
    int (*predict)(void *net, int n, const void *const *value, void *const *out);
    /* What metrics compare: an output with a port, as 'c' scores with a class (classes are its first dim), 'p' scores
     * with probabilities, 'b' numbers above a threshold with yes and no, 'n' numbers; 0: nothing. */
    char judged_as;
    int judged, judge;
    double threshold;
    const nncc_words *words; /* what classes of each port are called, kept in checkpoints; NULL: they are numbers */
    /* Several processes that train one network together, each with at most `batch` examples of a step: process `rank`
     * of `ranks`; ranks 0 or 1: there is one, and none of this is needed. A step is `gradients` of n examples, of which
     * the first is number `first` of all that the processes have in it, into the block `grads`; their sum over all
     * processes, by the hook; and `apply`. The hook sums n numbers, NNCC_F32 or NNCC_F64, in place, and gives all
     * processes the same bits; stream is for GPUs, NULL here. */
    int rank, ranks;
    void *grads;
    int (*gradients)(void *net, int n, int64_t first, const void *const *value, nncc_result *);
    int (*apply)(void *net, double lr);
    int (*all_reduce)(void *user, void *data, size_t n, int type, void *stream);
    void *user; /* the hook's */
} nncc_model;

/* nncc_mpi.c, which needs MPI and -DNNCC_MPI, and without does nothing: the processes of mpirun are those of the run.
 * 0, or -1. */
int nncc_mpi_start(nncc_model *);
void nncc_mpi_end(void);
/* What all processes make of what each has: its own code, or -1 if only others failed; 0 if none did. */
int nncc_agree(const nncc_model *, int code);

typedef struct {
    int epochs;
    uint32_t seed;
    double lr;
    const char *checkpoint;       /* written after every epoch; NULL: none */
    int resume;                   /* go on from it */
    int quiet;                    /* no progress line */
    double (*rate)(int64_t step); /* the learning rate of each step, from 0 on; NULL: lr */
    int checkpoint_every;         /* epochs; 0: 1. The last one and an interrupted one are written anyway */
    /* Of the data that is not trained on, after each epoch: names of nncc_metrics.def with commas between. NULL: none
     * but loss and accuracy. */
    const char *metrics;
    /* What is done to examples at random while they are trained on, with commas between: flip (=how often, 0.5), crop
     * (=pixels that are added around before, 4), shift (=pixels, 2), rotate (=degrees, 10), cutout (=pixels, 8) of
     * inputs [channels, height, width], and but for the last of targets with a class for each pixel; noise (=deviation,
     * 0.1), mixup (=parameter of the beta distribution, 0.2) of floats. NULL: nothing. */
    const char *augment;
    const char *log;         /* a csv file with a line for each epoch; NULL: none. Likewise the next two */
    const char *tensorboard; /* a directory for events */
    const char *plot;        /* an SVG picture of the loss */
    const char *monitor; /* the figure that the next ones watch; NULL: val_loss, or loss where nothing is held out */
    int patience;        /* ends after so many epochs without a better figure; 0: never */
    int keep_best;  /* 1: at the end the parameters are those of the best epoch, which is kept in CHECKPOINT.best */
    double plateau; /* what the rate is multiplied with after plateau_patience epochs without; 0: nothing */
    int plateau_patience;
} nncc_options;

/* 0, or a code of the network, or -1 after a message on stderr, or NNCC_STOPPED. Of several processes, all have all
 * data and return alike; the first writes files and messages. With a checkpoint, SIGINT and SIGTERM
 * end the run after the batch at hand, and the checkpoint is that of this batch: it may be resumed. Nothing is global
 * but what their handler sets: one run at a time in a process. */
int nncc_fit(const nncc_model *, const nncc_data *train, const nncc_data *test, const nncc_options *);

/* How many answers each class of the first target of classes has, into a file of a line each. 0, or -1 after a message.
 */
int nncc_count_classes(const nncc_model *, const nncc_data *, const char *path);

/* Prints loss and metrics of data, and the confusion matrix if it is one of them. What the loop returns. */
int nncc_evaluate(const nncc_model *, const nncc_data *, const nncc_options *);
/* Writes outputs of all examples: NAME=FILE of each, ending with NULL; csv if the file ends so, else npy. Ports are the
 * inputs alone then. */
int nncc_predict(const nncc_model *, const nncc_data *, const char *const *files);

/* A text that the network writes, whose input is a row of characters or words and whose scores are those of the next
 * one, or of the one behind each: the prompt and `length` pieces more, to stdout. What its numbers are is nncc_model's
 * `words`, of the input. What the loop returns. */
typedef struct {
    int64_t length;
    double temperature; /* scores are divided by it; 0: the likeliest piece is taken, not drawn */
    const char *prompt; /* NULL: a line begins */
    uint32_t seed;
} nncc_sampling;
int nncc_sample(const nncc_model *, const nncc_sampling *);

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
/* Takes parameters and statistics from a checkpoint or another safetensors file, by name and shape, in either
 * precision; those that are not there, or whose name one of the patterns of `head` (* and ?; NULL: none) matches, stay
 * as they are, and are told on stdout. all: each parameter has to be there. 0, or -1 after a message. */
int nncc_take_parameters(const nncc_model *, const char *path, const char *const *head, int all);
/* What a checkpoint says classes are called, unless the source has names already. 0, or -1 after a message. */
int nncc_read_words(const nncc_model *, const char *path, nncc_source *);
/* The same as a file of lines, and back. 0, or -1 after a message. */
int nncc_save_words(const nncc_words *, const char *path);
int nncc_load_words(nncc_words *, const char *path);
/* Whether there is a place for one: asked before a long run. 0, or -1 after a message. */
int nncc_can_write_checkpoint(const char *path);
/* The same without a step. */
int nncc_save_checkpoint(const nncc_model *, const char *path, int epoch, uint32_t seed);
int nncc_load_checkpoint(const nncc_model *, const char *path, int *epoch, uint32_t *seed);

#ifdef __cplusplus
}
#endif
#endif
