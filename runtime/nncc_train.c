/* nncc_train.c - the loop over epochs. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STOPPED = -2 };

/* A run. */
typedef struct {
    const nncc_model *m;
    const nncc_data *train, *test;
    const nncc_options *o;
    nncc_progress p;
    Batch batch;
    Watch watch;
    Metrics *metrics;
    Augment augment;
    Log *log; /* NULL: another process writes it */
    Team team;
    int64_t *order;
} Run;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- ^C: the batch at hand is finished, and a checkpoint written ---- */

static volatile sig_atomic_t asked_to_stop;
static void stop(int sig) { (void)sig, asked_to_stop = 1; }

static const int stopping[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof stopping / sizeof *stopping };

/* What is ignored, as by nohup, stays so. */
static void take_signals(struct sigaction before[SIGNALS]) {
    struct sigaction mine = {.sa_handler = stop};
    for (int i = 0; i < SIGNALS; i++)
        if (!sigaction(stopping[i], NULL, &before[i]) && before[i].sa_handler == SIG_DFL)
            sigaction(stopping[i], &mine, NULL);
}

static void give_signals_back(const struct sigaction before[SIGNALS]) {
    for (int i = 0; i < SIGNALS; i++) sigaction(stopping[i], &before[i], NULL);
}

/* ---- sums and progress ---- */

typedef struct {
    double loss;
    int64_t correct, seen;
} Sums;

static void add_batch(Sums *s, const nncc_result *r, int64_t n) {
    s->loss += r->loss * (double)n, s->correct += r->correct, s->seen += n;
}

static void figures_of(const nncc_model *m, const Sums *s, const char *prefix, Figures *f) {
    nncc_add_figure(f, prefix, "loss", s->seen ? s->loss / (double)s->seen : 0);
    if (m->answers)
        nncc_add_figure(f, prefix, "accuracy", s->seen ? (double)s->correct / ((double)s->seen * m->answers) : 0);
}

static void print_figures(const Figures *f, int from) {
    for (int i = from; i < f->n; i++) printf(" - %s: %.4f", f->name[i], f->value[i]);
}

static void print_progress(const nncc_model *m, const Sums *s, int64_t done, int64_t all, double took) {
    enum { WIDTH = 30 };
    int bar = (int)(done * WIDTH / all);
    Figures f = {.n = 0};
    printf("%s%lld/%lld [", isatty(1) ? "\r" : "", (long long)done, (long long)all);
    for (int i = 0; i < WIDTH; i++) putchar(i < bar ? '=' : i == bar ? '>' : '.');
    if (done < all)
        printf("] ETA %.0fs", took / (double)done * (double)(all - done));
    else
        printf("] %.0fs %.0fms/step", took, 1e3 * took / (double)done);
    figures_of(m, s, "", &f), print_figures(&f, 0);
}

/* A line that is written anew on a terminal, and one every ten seconds elsewhere. */
static void show_progress(const Run *r, const Sums *s, int64_t done, int64_t all, double start, double *shown) {
    int live = isatty(1);
    if (r->o->quiet || now() - *shown < (live ? 0.1 : 10)) return;
    print_progress(r->m, s, done, all, now() - start);
    if (!live) printf("\n");
    fflush(stdout), *shown = now();
}

/* ---- an epoch ---- */

static int64_t steps_of(const nncc_model *m, const nncc_data *d) {
    return (d->n + nncc_whole_batch(m) - 1) / nncc_whole_batch(m);
}

static double rate_of(const Run *r) { return (r->o->rate ? r->o->rate(r->p.step) : r->o->lr) * r->watch.scale; }

/* The part of this process in the next n examples, and with mixup the one that comes next among these. */
static Part gather_part(Run *r, int64_t n) {
    const nncc_model *m = r->m;
    const Part part = nncc_part_of(m, n);
    const int64_t next = r->p.sample + (part.from + part.n) % n;
    nncc_gather(m, r->train, r->order, r->train->n, r->p.sample + part.from, part.n ? (int)part.n : 1, &r->batch);
    if (r->augment.mixup > 0) nncc_take_example(m, r->train, r->order[next % r->train->n], (int)part.n, &r->batch);
    nncc_augment(&r->augment, m, &r->batch, part, n, &r->p);
    return part;
}

/* stop: whether this process is asked to; then whether any is. */
static int take_step(Run *r, int64_t n, nncc_result *result, int *stop) {
    const nncc_model *m = r->m;
    const Part part = gather_part(r, n);
    const void *const *value = nncc_values_of(&r->batch);
    *stop = asked_to_stop;
    if (m->ranks > 1) return nncc_team_step(&r->team, part, n, value, rate_of(r), result, stop);
    return m->train(m->net, (int)n, value, rate_of(r), result);
}

/* What a loss says for itself. */
static int look_at_loss(Run *r, double loss) {
    const int first = nncc_is_first(r->m);
    if (r->batch.first != r->batch.first) r->batch.first = loss;
    if (!r->p.step++ && first) nncc_look_at_first_loss(r->m, r->train, loss);
    if (loss != loss) return first ? nncc_explain_nan(r->m, r->train, rate_of(r), &r->batch, r->p.step) : -1;
    r->batch.last = loss;
    return 0;
}

static int run_epoch(Run *r, Sums *s) {
    const nncc_model *m = r->m;
    nncc_progress *p = &r->p;
    const int64_t batch = nncc_whole_batch(m);
    int64_t left = r->train->n - p->sample, all = (left + batch - 1) / batch;
    double start = now(), shown = start;
    for (int64_t k = 0; k < all; k++) {
        int64_t n = left < batch && !m->fixed ? left : batch;
        nncc_result result = {0, 0};
        int stop = 0, code = take_step(r, n, &result, &stop);
        if (!code) code = look_at_loss(r, result.loss);
        if (code) return code;
        add_batch(s, &result, n);
        p->batch++, p->sample += n, left -= n;
        if (stop || (m->ranks < 2 && asked_to_stop)) return STOPPED;
        if (k + 1 < all) show_progress(r, s, k + 1, all, start, &shown);
    }
    if (all) print_progress(m, s, all, all, now() - start);
    return 0;
}

/* Fewer examples than a batch of one size holds: the last one fills it up, and what it adds is known from a batch of it
 * alone. Losses are means over the batch, and in inference examples do not see each other. */
static int evaluate_filled(Run *r, const nncc_data *d, const int64_t *order, int n, Sums *s) {
    const nncc_model *m = r->m;
    nncc_result result[2] = {{0, 0}, {0, 0}};
    int code = 0, all = m->batch, more = all - n;
    int64_t *filled = malloc((size_t)all * sizeof *filled);
    if (!filled) return -1;
    for (int k = 1; k >= 0 && !code; k--) {
        for (int i = 0; i < all; i++) filled[i] = order[k || i >= n ? n - 1 : i];
        nncc_gather(m, d, filled, all, 0, all, &r->batch);
        code = m->eval(m->net, all, nncc_values_of(&r->batch), &result[k]);
    }
    free(filled);
    if (code) return code;
    double sum = result[0].loss * all - (isfinite(result[1].loss) ? result[1].loss * more : 0);
    s->loss += sum, s->seen += n, s->correct += result[0].correct - (int64_t)result[1].correct * more / all;
    return 0;
}

static int evaluate_batch(Run *r, const nncc_data *d, int64_t at, int n, Sums *s) {
    const nncc_model *m = r->m;
    nncc_result result = {0, 0};
    if (m->fixed && n < m->batch) return evaluate_filled(r, d, r->order + at, n, s);
    nncc_gather(m, d, r->order, d->n, at, n, &r->batch);
    int code = m->eval(m->net, n, nncc_values_of(&r->batch), &result);
    if (!code) add_batch(s, &result, n);
    return code;
}

static int evaluate_part(Run *r, const nncc_data *d, Part part, Sums *s) {
    const nncc_model *m = r->m;
    const int64_t end = part.from + part.n;
    if (r->metrics) nncc_metrics_clear(r->metrics);
    for (int64_t i = 0; i < d->n; i++) r->order[i] = i;
    for (int64_t at = part.from; at < end; at += m->batch) {
        int n = (int)(end - at < m->batch ? end - at : m->batch), code = evaluate_batch(r, d, at, n, s);
        if (!code && r->metrics)
            code = m->predict(m->net, m->fixed ? m->batch : n, nncc_values_of(&r->batch), r->batch.out);
        if (code) return code;
        if (r->metrics) nncc_metrics_add(r->metrics, &r->batch, n);
    }
    return 0;
}

/* The examples in their own order, each process its part. */
static int evaluate(Run *r, const nncc_data *d, Sums *s) {
    const nncc_model *m = r->m;
    int code = nncc_agree(m, evaluate_part(r, d, nncc_part_of(m, d->n), s));
    double sums[3] = {s->loss, (double)s->correct, (double)s->seen};
    if (!code) code = nncc_add_up(m, sums, 3);
    if (!code && r->metrics) code = nncc_metrics_add_up(r->metrics);
    *s = (Sums){sums[0], (int64_t)sums[1], (int64_t)sums[2]};
    return code;
}

/* ---- before it begins ---- */

/* All that is wrong before hours have gone by. */
static int check_run(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o) {
    int bad = nncc_check_examples(m, train, "training");
    if (nncc_check_examples(m, test, "test")) bad = -1;
    if (!(o->lr >= 0 && isfinite(o->lr))) fprintf(stderr, "a learning rate of %g\n", o->lr), bad = -1;
    if (o->checkpoint && nncc_is_first(m) && nncc_can_write_checkpoint(o->checkpoint)) bad = -1;
    return bad;
}

static void say_repeated(const nncc_model *m, const nncc_data *train) {
    int64_t more = m->fixed ? steps_of(m, train) * nncc_whole_batch(m) - train->n : 0;
    if (more && nncc_is_first(m))
        fprintf(stderr,
                "note: the network takes %d examples at a time: each epoch's last batch is filled up with %lld that it "
                "has seen\n",
                (int)nncc_whole_batch(m), (long long)more);
}

static int resume(Run *r) {
    const nncc_options *o = r->o;
    nncc_progress *p = &r->p;
    if (nncc_read_checkpoint(r->m, o->checkpoint, p) || nncc_watch_read(&r->watch, p)) return -1;
    if (p->step < 0) p->step = p->epoch * steps_of(r->m, r->train) + p->batch;
    if (p->sample > r->train->n + (r->m->fixed ? nncc_whole_batch(r->m) - 1 : 0)) {
        fprintf(stderr, "%s: it has seen %lld examples of an epoch, and the data has %lld\n", o->checkpoint,
                (long long)p->sample, (long long)r->train->n);
        return -1;
    }
    if (!nncc_is_first(r->m)) return 0;
    if (p->epoch >= o->epochs)
        fprintf(stderr, "note: nothing is left to do: %s has seen %d epochs, and %d are asked for in all\n",
                o->checkpoint, p->epoch, o->epochs);
    else if (r->watch.stopped)
        fprintf(stderr, "note: nothing is left to do: early stopping ended the run of %s after %d epochs\n",
                o->checkpoint, p->epoch);
    return 0;
}

/* ---- parameters that nothing reaches ---- */

/* A copy of what they are at first; NULL where a GPU has them, or there is no memory for it. */
static void *first_parameters(const nncc_model *m) {
    int64_t bytes = 0;
    for (const nncc_tensor *t = m->tensors; t->name; t++)
        if (!strcmp(t->block, "params") && t->offset + t->bytes > bytes) bytes = t->offset + t->bytes;
    void *copy = m->fetch || !bytes ? NULL : malloc((size_t)bytes);
    return copy ? memcpy(copy, m->params, (size_t)bytes) : NULL;
}

static int is_frozen(const nncc_model *m, const char *name) {
    for (const char *const *f = m->frozen; f && *f; f++)
        if (!strcmp(*f, name)) return 1;
    return 0;
}

/* A gradient that is 0 in every step is a fault more often than not, and nothing else shows it. */
static void say_still(const Run *r, const unsigned char *first) {
    enum { SHOWN = 10 };
    const unsigned char *now = r->m->params;
    int still = 0;
    for (const nncc_tensor *t = r->m->tensors; t->name; t++) {
        if (strcmp(t->block, "params") || !t->bytes || memcmp(first + t->offset, now + t->offset, (size_t)t->bytes))
            continue;
        if (is_frozen(r->m, t->name)) continue;
        if (still++ < SHOWN)
            fprintf(stderr,
                    "note: '%s' is what it was at first: its gradient was 0 in every step; no example reaches it "
                    "through units that are on, or it is before a batch norm over one number\n",
                    t->name);
    }
    if (still > SHOWN) fprintf(stderr, "note: and so are %d more\n", still - SHOWN);
}

/* ---- all ---- */

static int finish_epoch(Run *r, const Figures *f) {
    const nncc_options *o = r->o;
    nncc_progress *p = &r->p;
    double rate = rate_of(r);
    p->epoch++, p->batch = p->sample = 0;
    if (r->log && nncc_log_epoch(r->log, p->epoch, p->step, rate, f)) return -1;
    if (nncc_watch_epoch(&r->watch, f, p)) return -1;
    int last = p->epoch >= o->epochs || r->watch.stopped, every = o->checkpoint_every ? o->checkpoint_every : 1;
    if (!o->checkpoint || !nncc_is_first(r->m) || (!last && p->epoch % every)) return 0;
    return nncc_write_checkpoint(r->m, o->checkpoint, p);
}

/* The checkpoint of a run that is asked to stop is that of its last batch. */
static int stop_here(Run *r) {
    const int first = nncc_is_first(r->m);
    nncc_watch_write(&r->watch, &r->p);
    if (nncc_agree(r->m, first ? nncc_write_checkpoint(r->m, r->o->checkpoint, &r->p) : 0)) return -1;
    if (first)
        fprintf(stderr, "\nstopped after step %lld; to go on: --resume --checkpoint %s\n", (long long)r->p.step,
                r->o->checkpoint);
    return NNCC_STOPPED;
}

static int run_epochs(Run *r) {
    int code = 0;
    while (r->p.epoch < r->o->epochs && !r->watch.stopped && !code) {
        Sums s = {0}, v = {0};
        Figures f = {.n = 0};
        printf("Epoch %d/%d\n", r->p.epoch + 1, r->o->epochs);
        nncc_shuffle_examples(r->order, r->train->n, r->p.seed, r->p.epoch);
        code = run_epoch(r, &s);
        if (code == STOPPED) return stop_here(r);
        figures_of(r->m, &s, "", &f);
        int shown = f.n;
        if (!code) code = evaluate(r, r->test, &v);
        if (v.seen) figures_of(r->m, &v, "val_", &f);
        if (v.seen && r->metrics) nncc_metrics_put(r->metrics, &f);
        if (!code) print_figures(&f, shown);
        printf("\n"), fflush(stdout);
        if (!code) code = nncc_agree(r->m, finish_epoch(r, &f));
        if (!code) code = nncc_check_alike(r->m);
    }
    if (!code && r->o->keep_best) code = nncc_watch_restore(&r->watch);
    if (!code && r->metrics && r->test->n)
        nncc_metrics_report(r->metrics, r->m->words ? &r->m->words[r->m->judge] : NULL, stdout);
    return code;
}

static int start_run(Run *r) {
    if (nncc_batch_new(r->m, &r->batch) || !r->order) return fputs("out of memory\n", stderr), -1;
    if (nncc_watch_new(&r->watch, r->m, r->o)) return -1;
    if (r->o->resume && resume(r)) return -1;
    if (nncc_metrics_new(r->m, r->o->metrics, &r->metrics)) return -1;
    if (nncc_augment_new(&r->augment, r->m, r->o->augment) || nncc_team_new(&r->team, r->m)) return -1;
    return !nncc_is_first(r->m) || (r->log = nncc_log_new(r->o, r->p.epoch)) ? 0 : -1;
}

int nncc_fit(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o) {
    size_t most = (size_t)(train->n > test->n ? train->n : test->n) + 1;
    struct sigaction before[SIGNALS];
    if (m->ports > NNCC_PORTS || m->outputs > NNCC_PORTS) return -1;
    if (nncc_agree(m, check_run(m, train, test, o))) return -1;
    say_repeated(m, train);
    Run r = {.m = m, .train = train, .test = test, .o = o, .p = {.seed = o->seed}};
    r.order = malloc(most * sizeof *r.order);
    asked_to_stop = 0;
    if (o->checkpoint) take_signals(before);
    int code = nncc_agree(m, start_run(&r));
    if (!code) code = nncc_check_alike(m);
    int64_t done = r.p.step;
    void *first = nncc_is_first(m) && !code ? first_parameters(m) : NULL;
    if (!code) code = run_epochs(&r);
    if (!code && first && r.p.step > done && o->lr > 0) say_still(&r, first);
    free(first);
    if (o->checkpoint) give_signals_back(before);
    nncc_batch_free(&r.batch), nncc_watch_free(&r.watch), nncc_metrics_free(r.metrics), nncc_log_free(r.log);
    nncc_team_free(&r.team), free(r.order), free(r.augment.room);
    return code;
}

int nncc_evaluate(const nncc_model *m, const nncc_data *d, const nncc_options *o) {
    Run r = {.m = m, .test = d, .o = o};
    Sums s = {0};
    Figures f = {.n = 0};
    int code = nncc_check_examples(m, d, "test");
    r.order = malloc((size_t)d->n * sizeof *r.order + 1);
    if (!code && (!r.order || nncc_batch_new(m, &r.batch))) code = -1;
    if (!code) code = nncc_metrics_new(m, o->metrics, &r.metrics);
    if (!code) code = evaluate(&r, d, &s);
    if (!code) figures_of(m, &s, "val_", &f);
    if (!code && r.metrics) nncc_metrics_put(r.metrics, &f);
    if (!code) printf("%lld examples\n", (long long)d->n);
    for (int i = 0; i < f.n && !code; i++) printf("%s: %.6g\n", f.name[i] + strlen("val_"), f.value[i]);
    if (!code && r.metrics) nncc_metrics_report(r.metrics, m->words ? &m->words[m->judge] : NULL, stdout);
    nncc_batch_free(&r.batch), nncc_metrics_free(r.metrics);
    free(r.order);
    return code;
}
