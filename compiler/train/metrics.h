/* metrics.h - what nncc train may tell beside the loss. */
#ifndef NNCC_TRAIN_METRICS_H
#define NNCC_TRAIN_METRICS_H
#include "train/train.h"

/* What `metrics` of a train line and --metrics may name. */
typedef struct {
    const char *name;
    char needs; /* 'c': classes, 'n': numbers, 0: neither */
    const char *doc;
} Metric;
extern const Metric metrics[]; /* ends with a NULL name */
void list_metrics(FILE *);
/* What is wrong with the name of a metric for these losses; NULL: nothing. */
const char *wrong_metric(Arena *, const Training *, const char *name);

#endif
