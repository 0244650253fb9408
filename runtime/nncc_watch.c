/* nncc_watch.c - what epochs do to a run: the best of them is kept, one that no longer gets better ends, the rate falls
 * where the loss does not. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCHEDULE, EARLY_STOP, BEST }; /* in nncc_progress.kept */

/* The extent of a block in memory. */
static size_t block_bytes(const nncc_model *m, const char *block) {
    int64_t n = 0;
    for (const nncc_tensor *t = m->tensors; t->name; t++)
        if (!strcmp(t->block, block) && t->offset + t->bytes > n) n = t->offset + t->bytes;
    return (size_t)n;
}

static void best_path(const Watch *w, char *path, size_t n) { snprintf(path, n, "%s.best", w->o->checkpoint); }

int nncc_watch_new(Watch *w, const nncc_model *m, const nncc_options *o) {
    *w = (Watch){.m = m, .o = o, .best = NAN, .level = NAN, .scale = 1, .best_epoch = -1};
    return 0;
}

void nncc_watch_free(Watch *w) { free(w->params), free(w->state); }

/* ---- the best parameters ---- */

static int remember_best(Watch *w) {
    size_t np = block_bytes(w->m, "params"), ns = block_bytes(w->m, "state");
    if (w->m->fetch && w->m->fetch(w->m->net)) return fputs("the GPU gives no parameters\n", stderr), -1;
    if (!w->params) w->params = malloc(np + 1), w->state = malloc(ns + 1);
    if (!w->params || !w->state) return fputs("out of memory for the best parameters\n", stderr), -1;
    if (np) memcpy(w->params, w->m->params, np);
    if (ns) memcpy(w->state, w->m->state, ns);
    return 0;
}

int nncc_watch_restore(const Watch *w) {
    if (!w->params) return 0;
    memcpy(w->m->params, w->params, block_bytes(w->m, "params"));
    if (block_bytes(w->m, "state")) memcpy(w->m->state, w->state, block_bytes(w->m, "state"));
    printf("kept: epoch %d, the best\n", w->best_epoch);
    return w->m->send ? w->m->send(w->m->net) : 0;
}

/* ---- checkpoints ---- */

int nncc_watch_read(Watch *w, const nncc_progress *p) {
    char path[4096];
    nncc_progress best;
    sscanf(p->kept[SCHEDULE], "plateau %lg %lg %d", &w->scale, &w->level, &w->level_wait);
    sscanf(p->kept[EARLY_STOP], "%d %d", &w->wait, &w->stopped);
    sscanf(p->kept[BEST], "%lg %d", &w->best, &w->best_epoch);
    w->stopped = w->stopped && w->o->patience && w->wait >= w->o->patience; /* by the patience of this run */
    if (!w->o->keep_best || w->best_epoch < 0) return 0;
    best_path(w, path, sizeof path);
    if (access(path, R_OK)) return fprintf(stderr, "%s: the best epoch is not there\n", path), -1;
    if (nncc_read_checkpoint(w->m, path, &best) || remember_best(w)) return -1;
    return nncc_read_checkpoint(w->m, w->o->checkpoint, &best);
}

void nncc_watch_write(const Watch *w, nncc_progress *p) {
    if (w->o->plateau > 0)
        snprintf(p->kept[SCHEDULE], NNCC_KEPT_MOST, "plateau %.17g %.17g %d", w->scale, w->level, w->level_wait);
    if (w->o->patience) snprintf(p->kept[EARLY_STOP], NNCC_KEPT_MOST, "%d %d", w->wait, w->stopped);
    if (w->o->patience || w->o->keep_best) snprintf(p->kept[BEST], NNCC_KEPT_MOST, "%.17g %d", w->best, w->best_epoch);
}

/* ---- epochs ---- */

static int is_better(const char *name, double a, double b) {
    if (b != b) return a == a;
    return nncc_metric_falls(name) ? a < b : a > b;
}

static void watch_plateau(Watch *w, const char *name, double v) {
    if (is_better(name, v, w->level)) {
        w->level = v, w->level_wait = 0;
    } else if (++w->level_wait >= w->o->plateau_patience) {
        w->scale *= w->o->plateau, w->level_wait = 0;
        if (w->o->rate)
            printf("the learning rate is %g times the schedule's from here on\n", w->scale);
        else
            printf("the learning rate is %g from here on\n", w->o->lr * w->scale);
    }
}

static int watch_best(Watch *w, const char *name, double v, nncc_progress *p) {
    char path[4096];
    if (!is_better(name, v, w->best)) {
        w->wait++;
        return 0;
    }
    w->best = v, w->best_epoch = p->epoch, w->wait = 0;
    if (!w->o->keep_best) return 0;
    nncc_watch_write(w, p);
    if (w->o->checkpoint) best_path(w, path, sizeof path);
    return remember_best(w) || (w->o->checkpoint && nncc_is_first(w->m) && nncc_write_checkpoint(w->m, path, p)) ? -1
                                                                                                                 : 0;
}

int nncc_watch_epoch(Watch *w, const Figures *f, nncc_progress *p) {
    const nncc_options *o = w->o;
    const char *name = o->monitor ? o->monitor : nncc_find_figure(f, "val_loss") ? "val_loss" : "loss";
    const double *v = nncc_find_figure(f, name);
    if (!o->patience && !o->keep_best && !(o->plateau > 0)) return 0;
    if (!v) return fprintf(stderr, "there is no figure '%.40s' to watch\n", name), -1;
    if (watch_best(w, name, *v, p)) return -1;
    if (o->plateau > 0) watch_plateau(w, name, *v);
    if (o->patience && w->wait >= o->patience) {
        w->stopped = 1;
        printf("early stopping: %s was best in epoch %d, %d epochs ago\n", name, w->best_epoch, w->wait);
    }
    nncc_watch_write(w, p);
    return 0;
}
