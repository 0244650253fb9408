/* nncc_train.c - the loop over epochs, and what has to hold before it begins. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_train.h"
#include "nncc_random.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the loop ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The order of an epoch follows from seed and epoch alone: going on from a checkpoint needs no more, but for how many
 * examples of it were seen. */
static void shuffle(int64_t *order, int64_t n, uint32_t seed, int epoch) {
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)(nncc_uniform_at(seed, 0x5eed0000u + (uint32_t)epoch, i) * (double)(i + 1)), t = order[i];
        order[i] = order[j], order[j] = t;
    }
}

typedef struct {
    void *value[NNCC_PORTS];
    double first, last; /* losses of this run: the first, and the last that was a number */
} Batch;

static size_t size_of(nncc_type t) {
    return t == NNCC_F64 || t == NNCC_I64 ? 8 : t == NNCC_U8 || t == NNCC_BOOL ? 1 : 4;
}

/* n examples from place `at` of an order on, which begins again where it ends. */
static void gather(const nncc_model *m, const nncc_data *d, const int64_t *order, int64_t length, int64_t at, int n,
                   Batch *b) {
    for (int p = 0; p < m->ports; p++) {
        size_t size = size_of(m->port[p].type), bytes = size * (size_t)m->port[p].each;
        for (int i = 0; i < n; i++) {
            size_t from = (size_t)(order[(at + i) % length] * d->step[p]) * size;
            memcpy((char *)b->value[p] + (size_t)i * bytes, (const char *)d->at[p] + from, bytes);
        }
    }
}

static double number_of(const nncc_model *m, const nncc_data *d, int p, int64_t i, int64_t k) {
    int64_t at = i * d->step[p] + k;
    switch (m->port[p].type) {
    case NNCC_F32: return (double)((const float *)d->at[p])[at];
    case NNCC_F64: return ((const double *)d->at[p])[at];
    case NNCC_I32: return ((const int32_t *)d->at[p])[at];
    case NNCC_I64: return (double)((const int64_t *)d->at[p])[at];
    default: return ((const uint8_t *)d->at[p])[at];
    }
}

/* The least and the greatest number that inputs of floats have. */
static void range_of_inputs(const nncc_model *m, const nncc_data *d, double *least, double *most) {
    *least = INFINITY, *most = -INFINITY;
    for (int p = 0; p < m->ports; p++)
        for (int64_t i = 0; !m->port[p].target && m->port[p].type <= NNCC_F64 && i < d->n; i++)
            for (int64_t k = 0; k < m->port[p].each; k++) {
                double v = number_of(m, d, p, i, k);
                *least = fmin(*least, v), *most = fmax(*most, v);
            }
}

typedef struct {
    double loss;
    int64_t correct, seen;
} Sums;

static void print_sums(const nncc_model *m, const Sums *s, const char *prefix) {
    printf(" - %sloss: %.4f", prefix, s->seen ? s->loss / (double)s->seen : 0);
    if (m->answers)
        printf(" - %saccuracy: %.4f", prefix, s->seen ? (double)s->correct / ((double)s->seen * m->answers) : 0);
}

static void print_progress(const nncc_model *m, const Sums *s, int64_t done, int64_t all, double took) {
    enum { WIDTH = 30 };
    int bar = (int)(done * WIDTH / all);
    printf("\r%lld/%lld [", (long long)done, (long long)all);
    for (int i = 0; i < WIDTH; i++) putchar(i < bar ? '=' : i == bar ? '>' : '.');
    if (done < all)
        printf("] ETA %.0fs", took / (double)done * (double)(all - done));
    else
        printf("] %.0fs %.0fms/step", took, 1e3 * took / (double)done);
    print_sums(m, s, "");
}

static void add_batch(Sums *s, const nncc_result *r, int n) {
    s->loss += r->loss * n, s->correct += r->correct, s->seen += n;
}

static int64_t steps_of(const nncc_model *m, const nncc_data *d) { return (d->n + m->batch - 1) / m->batch; }

/* "it went from 1 to 2", or "it was 1" where both print alike. */
enum { RANGE_MOST = 100 };
static const char *range_text(char s[RANGE_MOST], const char *was, const char *went, double from, double to) {
    char a[32], b[32];
    snprintf(a, sizeof a, "%g", from), snprintf(b, sizeof b, "%g", to);
    if (strcmp(a, b))
        snprintf(s, RANGE_MOST, "%s%s to %s", went, a, b);
    else
        snprintf(s, RANGE_MOST, "%s%s", was, a);
    return s;
}

/* What a network without training gives by chance is about ln(classes): far more than that comes from its inputs. */
static void look_at_first_loss(const nncc_model *m, const nncc_data *d, double loss) {
    int64_t classes = 0;
    int targets = 0;
    double least, most;
    char range[RANGE_MOST];
    for (int p = 0; p < m->ports; p++) {
        int64_t n = m->port[p].probabilities ? 2 : m->port[p].target ? m->port[p].classes : 0;
        targets += m->port[p].target;
        if (n > classes) classes = n;
    }
    if (targets > 1 || classes < 2 || !(loss > 4 * log((double)classes))) return;
    range_of_inputs(m, d, &least, &most);
    fprintf(stderr, "hint: the first loss is %.4g, where chance among %lld classes gives %.4g; %s%s\n", loss,
            (long long)classes, log((double)classes),
            range_text(range, "inputs are all ", "inputs go from ", least, most),
            most > 50 && least >= 0 ? "; a data line can scale them, as in {image = {scale = 0.00392157}}" : "");
}

/* The loss of step `step` is NaN. A learning rate is the cause only where something was learnt at it before. */
static int explain_nan(const nncc_model *m, const nncc_data *d, const nncc_options *o, const Batch *b, int64_t step) {
    enum { SOON = 3, GROWN = 4, LARGE = 10000 };
    double least, most;
    char range[RANGE_MOST];
    range_of_inputs(m, d, &least, &most);
    most = fmax(fabs(least), fabs(most));
    int early = !isfinite(b->first); /* nothing can have been learnt since */
    if (isatty(1)) putchar('\n');    /* behind the progress */
    fflush(stdout);
    fprintf(stderr, "the loss of step %lld is no number", (long long)step);
    if (b->last != b->last && step > 1 && early)
        fputs(", the first after the checkpoint, which held such values already\n", stderr);
    else if (early && most > LARGE)
        fprintf(stderr, ", before anything was learnt: inputs reach %g; a data line can scale them\n", most);
    else if (early)
        fputs(
            ", before anything was learnt, so that a learning rate is not why: the network divides by zero, or takes a "
            "logarithm or a root outside its domain\n",
            stderr);
    else if (isinf(b->last) || b->last > GROWN * fabs(b->first) || step <= SOON)
        fprintf(stderr, ", after it %s: a smaller learning rate than %g may help\n",
                range_text(range, "was ", "went from ", b->first, b->last), o->lr);
    else
        fprintf(stderr,
                ", though it %s and had not grown: likelier than the learning rate of %g is a logarithm of 0 or a "
                "division by 0 in the network or its loss\n",
                range_text(range, "was as at first, ", "went from ", b->first, b->last), o->lr);
    return -1;
}

static const void *const *values_of(const Batch *b) { return (const void *const *)b->value; }

static int run_epoch(const nncc_model *m, const nncc_data *d, const int64_t *order, Batch *b, const nncc_options *o,
                     nncc_progress *p, Sums *s) {
    int64_t left = d->n - p->sample, all = (left + m->batch - 1) / m->batch;
    double start = now(), shown = start;
    int live = !o->quiet && isatty(1);
    for (int64_t k = 0; k < all; k++) {
        int n = (int)(left - k * m->batch < m->batch && !m->fixed ? left - k * m->batch : m->batch);
        nncc_result r = {0, 0};
        gather(m, d, order, d->n, p->sample + k * m->batch, n, b);
        int code = m->train(m->net, n, values_of(b), o->rate ? o->rate(p->step) : o->lr, &r);
        if (code) return code;
        if (b->first != b->first) b->first = r.loss;
        if (!p->step++) look_at_first_loss(m, d, r.loss);
        if (r.loss != r.loss) return explain_nan(m, d, o, b, p->step);
        b->last = r.loss;
        add_batch(s, &r, n);
        if (live && now() - shown > 0.1) print_progress(m, s, k + 1, all, now() - start), fflush(stdout), shown = now();
    }
    print_progress(m, s, all, all, now() - start);
    return 0;
}

/* Fewer examples than a batch of one size holds: the last one fills it up, and what it adds is known from a batch of it
 * alone. Losses are means over the batch, and in inference examples do not see each other. */
static int evaluate_filled(const nncc_model *m, const nncc_data *d, const int64_t *order, int n, Batch *b, Sums *s) {
    nncc_result r[2] = {{0, 0}, {0, 0}};
    int code = 0, all = m->batch, more = all - n;
    int64_t *filled = malloc((size_t)all * sizeof *filled);
    if (!filled) return -1;
    for (int k = 0; k < 2 && !code; k++) {
        for (int i = 0; i < all; i++) filled[i] = order[k || i >= n ? n - 1 : i];
        gather(m, d, filled, all, 0, all, b);
        code = m->eval(m->net, all, values_of(b), &r[k]);
    }
    free(filled);
    if (code) return code;
    double sum = r[0].loss * all - (isfinite(r[1].loss) ? r[1].loss * more : 0);
    s->loss += sum, s->seen += n, s->correct += r[0].correct - (int64_t)r[1].correct * more / all;
    return 0;
}

static int evaluate(const nncc_model *m, const nncc_data *d, const int64_t *order, Batch *b, Sums *s) {
    for (int64_t at = 0; at < d->n; at += m->batch) {
        int n = (int)(d->n - at < m->batch ? d->n - at : m->batch), code;
        nncc_result r = {0, 0};
        if (m->fixed && n < m->batch) return evaluate_filled(m, d, order + at, n, b, s);
        gather(m, d, order, d->n, at, n, b);
        if ((code = m->eval(m->net, n, values_of(b), &r))) return code;
        add_batch(s, &r, n);
    }
    return 0;
}

/* ---- before it begins ---- */

static int refuse(const char *what, const char *set, int64_t example, double seen) {
    fprintf(stderr, "%s example %lld: %s %g\n", set, (long long)example + 1, what, seen);
    return -1;
}

static const double slack = 1e-4; /* 255 * 0.00392157 is a little more than 1 */

static int check_number(const nncc_port *t, double v, const char *set, int64_t example) {
    if (!isfinite(v)) return refuse(t->target ? "a target is" : "an input is", set, example, v);
    if (t->probabilities && (v < -slack || v > 1 + slack))
        return refuse("a target has to be a probability, from 0 to 1; it is", set, example, v);
    if (!t->classes || (v >= 0 && v < (double)t->classes)) return 0;
    if (t->target)
        fprintf(stderr, "%s example %lld: its label is %.0f; the network has %lld classes, 0 to %lld\n", set,
                (long long)example + 1, v, (long long)t->classes, (long long)t->classes - 1);
    else
        fprintf(stderr, "%s example %lld: '%s' is %.0f; it lies between 0 and %lld\n", set, (long long)example + 1,
                t->name, v, (long long)t->classes - 1);
    return -1;
}

static int check_examples(const nncc_model *m, const nncc_data *d, const char *set) {
    for (int p = 0; p < m->ports; p++)
        for (int64_t i = 0; i < d->n; i++)
            for (int64_t k = 0; k < m->port[p].each; k++)
                if (check_number(&m->port[p], number_of(m, d, p, i, k), set, i)) return -1;
    return 0;
}

/* All that is wrong before hours have gone by. */
static int check_run(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o) {
    int bad = check_examples(m, train, "training");
    if (check_examples(m, test, "test")) bad = -1;
    if (!(o->lr >= 0 && isfinite(o->lr))) fprintf(stderr, "a learning rate of %g\n", o->lr), bad = -1;
    if (o->checkpoint && nncc_can_write_checkpoint(o->checkpoint)) bad = -1;
    return bad;
}

static void say_repeated(const nncc_model *m, const nncc_data *train) {
    int64_t more = m->fixed ? steps_of(m, train) * m->batch - train->n : 0;
    if (more)
        fprintf(stderr,
                "note: the network takes %d examples at a time: each epoch's last batch is filled up with %lld that it "
                "has seen\n",
                m->batch, (long long)more);
}

static int resume(const nncc_model *m, const nncc_data *train, const nncc_options *o, nncc_progress *p) {
    if (nncc_read_checkpoint(m, o->checkpoint, p)) return -1;
    if (p->step < 0) p->step = p->epoch * steps_of(m, train) + p->batch;
    if (p->sample > train->n) {
        fprintf(stderr, "%s: it has seen %lld examples of an epoch, and the data has %lld\n", o->checkpoint,
                (long long)p->sample, (long long)train->n);
        return -1;
    }
    if (p->epoch >= o->epochs)
        fprintf(stderr, "note: nothing is left to do: %s has seen %d epochs, and %d are asked for in all\n",
                o->checkpoint, p->epoch, o->epochs);
    return 0;
}

static int run_epochs(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o,
                      int64_t *order, Batch *b) {
    nncc_progress p = {.seed = o->seed};
    int code = 0;
    if (o->resume && resume(m, train, o, &p)) return -1;
    while (p.epoch < o->epochs && !code) {
        Sums s = {0}, v = {0};
        printf("Epoch %d/%d\n", p.epoch + 1, o->epochs);
        shuffle(order, train->n, p.seed, p.epoch);
        code = run_epoch(m, train, order, b, o, &p, &s);
        for (int64_t i = 0; i < test->n; i++) order[i] = i;
        if (!code) code = evaluate(m, test, order, b, &v);
        if (v.seen) print_sums(m, &v, "val_");
        printf("\n"), fflush(stdout);
        p.epoch++, p.batch = p.sample = 0;
        if (!code && o->checkpoint) code = nncc_write_checkpoint(m, o->checkpoint, &p);
    }
    return code;
}

int nncc_fit(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o) {
    size_t most = (size_t)(train->n > test->n ? train->n : test->n) + 1;
    if (m->ports > NNCC_PORTS || check_run(m, train, test, o)) return -1;
    say_repeated(m, train);
    int64_t *order = malloc(most * sizeof *order);
    Batch b = {.first = NAN, .last = NAN};
    int code = order ? 0 : -1;
    for (int p = 0; p < m->ports; p++) {
        b.value[p] = malloc((size_t)m->batch * (size_t)m->port[p].each * size_of(m->port[p].type) + 1);
        if (!b.value[p]) code = -1;
    }
    if (!code) code = run_epochs(m, train, test, o, order, &b);
    for (int p = 0; p < m->ports; p++) free(b.value[p]);
    free(order);
    return code;
}
