/* nncc_fit.h - what the parts of the loop over epochs share; not for programs. */
#ifndef NNCC_FIT_H
#define NNCC_FIT_H

#include "nncc_train.h"
#include <stddef.h>
#include <stdio.h>

/* The arrays of a call. */
typedef struct {
    void *value[NNCC_PORTS], *out[NNCC_PORTS];
    double first, last; /* losses of this run: the first, and the last that was a number */
} Batch;

/* Of the examples of a batch, those that this process has. */
typedef struct {
    int64_t from, n;
} Part;

/* What an epoch gave: loss, val_accuracy and so on. */
enum { FIGURES_MOST = 40, FIGURE_NAME = 40 };
typedef struct {
    int n;
    char name[FIGURES_MOST][FIGURE_NAME];
    double value[FIGURES_MOST];
} Figures;

/* nncc_batch.c */
void nncc_shuffle_examples(int64_t *order, int64_t n, uint32_t seed, int epoch);
size_t nncc_number_size(nncc_type);
double nncc_number_at(nncc_type, const void *at, int64_t i);
/* Example i of the data becomes example `to` of the batch. */
void nncc_take_example(const nncc_model *, const nncc_data *, int64_t i, int to, Batch *);
/* n examples from place `at` of an order on, which begins again where it ends. */
void nncc_gather(const nncc_model *, const nncc_data *, const int64_t *order, int64_t length, int64_t at, int n,
                 Batch *);
double nncc_number_of(const nncc_model *, const nncc_data *, int port, int64_t i, int64_t k);
/* The least and the greatest number that inputs of floats have. */
void nncc_range_of_inputs(const nncc_model *, const nncc_data *, double *least, double *most);
int nncc_batch_new(const nncc_model *, Batch *); /* -1: out of memory */
void nncc_batch_free(Batch *);
static inline const void *const *nncc_values_of(const Batch *b) { return (const void *const *)b->value; }

/* nncc_augment.c: what is done to examples; 0: it is not. */
typedef struct {
    int any;
    double flip, crop, shift, rotate, noise, cutout, mixup; /* as nncc_options.augment has them */
    double *room;                                           /* for an example */
} Augment;
/* -1 after a message, or out of memory. */
int nncc_augment_new(Augment *, const nncc_model *, const char *text);
/* Part of the `whole` examples of a batch that begins at a place of an epoch. With mixup the batch has one more, that
 * which comes next in it, or its first behind the last. */
void nncc_augment(const Augment *, const nncc_model *, Batch *, Part, int64_t whole, const nncc_progress *at);

/* nncc_team.c: several processes, or one. */
int nncc_is_first(const nncc_model *);
int64_t nncc_whole_batch(const nncc_model *);     /* of all processes */
Part nncc_part_of(const nncc_model *, int64_t n); /* this one's of n examples */
int nncc_add_up(const nncc_model *, double *,
                size_t);                  /* each number becomes its sum over processes; -1 after a message */
int nncc_check_alike(const nncc_model *); /* -1, after a message: parameters differ */
enum { TEAM_FIGURES = 4 };
typedef struct {
    const nncc_model *m;
    void *sums; /* n numbers of gradients and statistics, and some more */
    size_t n;
    int wide; /* they are doubles */
} Team;
int nncc_team_new(Team *, const nncc_model *); /* -1 after a message */
void nncc_team_free(Team *);
/* A step of all processes, of `whole` examples; the result is theirs. stop: whether one is asked to. */
int nncc_team_step(Team *, Part, int64_t whole, const void *const *value, double lr, nncc_result *, int *stop);

/* nncc_checks.c */
int nncc_check_examples(const nncc_model *, const nncc_data *, const char *set);
/* What a network without training gives by chance is about ln(classes): far more than that comes from its inputs. */
void nncc_look_at_first_loss(const nncc_model *, const nncc_data *, double loss);
int nncc_explain_nan(const nncc_model *, const nncc_data *, double lr, const Batch *, int64_t step);

/* nncc_metrics.c */
typedef struct Metrics Metrics;
/* Of names with commas between, into *made, which stays NULL if the loop counts them itself. -1, after a message, if
 * the network cannot be judged so. */
int nncc_metrics_new(const nncc_model *, const char *names, Metrics **made);
void nncc_metrics_free(Metrics *);
void nncc_metrics_clear(Metrics *);
/* n examples, their outputs computed. */
void nncc_metrics_add(Metrics *, const Batch *, int n);
int nncc_metrics_add_up(Metrics *); /* of all processes; -1 after a message */
void nncc_metrics_put(const Metrics *, Figures *);
/* The confusion matrix and what follows from it for each class. words: NULL, or what classes are called. */
void nncc_metrics_report(const Metrics *, const nncc_words *, FILE *);
/* Whether less is better. */
int nncc_metric_falls(const char *name);
void nncc_add_figure(Figures *, const char *prefix, const char *name, double);
const double *nncc_find_figure(const Figures *, const char *name); /* NULL: there is none */

/* nncc_watch.c: what epochs do to the run: the best of them, early stopping, the rate on a plateau. */
typedef struct {
    const nncc_model *m;
    const nncc_options *o;
    double best, level, scale; /* the best figure, the one that the plateau waits for to fall, the rate's factor */
    int best_epoch, wait, level_wait, stopped;
    void *params, *state; /* of the best; NULL: there is none yet */
} Watch;
int nncc_watch_new(Watch *, const nncc_model *, const nncc_options *);
/* Goes on from what a checkpoint keeps, and puts it there. */
int nncc_watch_read(Watch *, const nncc_progress *);
void nncc_watch_write(const Watch *, nncc_progress *);
/* After an epoch. -1 after a message. */
int nncc_watch_epoch(Watch *, const Figures *, nncc_progress *);
/* The best parameters take the place of the last ones. */
int nncc_watch_restore(const Watch *);
void nncc_watch_free(Watch *);

/* nncc_log.c */
typedef struct Log Log;
/* Keeps what a file holds of the epochs before `epoch`. NULL after a message. */
Log *nncc_log_new(const nncc_options *, int epoch);
int nncc_log_epoch(Log *, int epoch, int64_t step, double lr, const Figures *);
void nncc_log_free(Log *);

#endif
