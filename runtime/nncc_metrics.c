/* nncc_metrics.c - how good outputs are, beside the loss: from answers counted by class, or from differences. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MOST = 16, CLASSES_MOST = 4096, SHOWN_MOST = 40 };

/* What has been counted. `seen`: answers; top[k]: of them, those whose class has one of the k + 1 best scores. */
struct Metrics {
    const nncc_model *m;
    int n;
    char name[METRICS_MOST][FIGURE_NAME];
    int64_t classes, *confusion; /* [of the target][predicted] */
    int64_t seen, *top;
    double absolute, squares;
    int64_t numbers;
};

/* ---- figures ---- */

void nncc_add_figure(Figures *f, const char *prefix, const char *name, double v) {
    if (f->n == FIGURES_MOST) return;
    snprintf(f->name[f->n], FIGURE_NAME, "%s%s", prefix, name);
    f->value[f->n++] = v;
}

const double *nncc_find_figure(const Figures *f, const char *name) {
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->name[i], name)) return &f->value[i];
    return NULL;
}

/* ---- rows ---- */

static double ratio(double a, double b) { return b ? a / b : 0; }

static int64_t count(const Metrics *t, int64_t is, int64_t says) { return t->confusion[is * t->classes + says]; }

/* Of a class: right answers, those that are it, those that the network says are. */
static void counts_of(const Metrics *t, int64_t c, double *right, double *are, double *said) {
    *right = (double)count(t, c, c), *are = *said = 0;
    for (int64_t k = 0; k < t->classes; k++) *are += (double)count(t, c, k), *said += (double)count(t, k, c);
}

static double precision(double right, double are, double said) { return (void)are, ratio(right, said); }
static double recall(double right, double are, double said) { return (void)said, ratio(right, are); }
static double f1(double right, double are, double said) { return ratio(2 * right, are + said); }
static double iou(double right, double are, double said) { return ratio(right, are + said - right); }

/* The mean over the classes that there are; of yes and no, that of yes. */
static double mean_of(const Metrics *t, double (*of)(double, double, double)) {
    double sum = 0, right, are, said;
    int64_t n = 0, from = t->m->judged_as == 'b';
    for (int64_t c = from; c < t->classes; c++) {
        counts_of(t, c, &right, &are, &said);
        if (are + said > 0) sum += of(right, are, said), n++;
    }
    return ratio(sum, (double)n);
}

static double accuracy(const Metrics *t) {
    double right = 0;
    for (int64_t c = 0; c < t->classes; c++) right += (double)count(t, c, c);
    return ratio(right, (double)t->seen);
}
static double mean_precision(const Metrics *t) { return mean_of(t, precision); }
static double mean_recall(const Metrics *t) { return mean_of(t, recall); }
static double mean_f1(const Metrics *t) { return mean_of(t, f1); }
static double mean_iou(const Metrics *t) { return mean_of(t, iou); }
static double mae(const Metrics *t) { return ratio(t->absolute, (double)t->numbers); }
static double mse(const Metrics *t) { return ratio(t->squares, (double)t->numbers); }
static double rmse(const Metrics *t) { return sqrt(mse(t)); }

static double no_number(const Metrics *t) { return (void)t, (double)NAN; }

static const struct {
    const char *name;
    char needs;
    int falls;
    double (*value)(const Metrics *);
} rows[] = {
#define METRIC(id, needs, falls, value, doc) {#id, needs, falls, value},
#include "nncc_metrics.def"
#undef METRIC
    {"loss", 0, 1, no_number}};
enum { ROWS = sizeof rows / sizeof *rows };

static int row_called(const char *name) {
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].name, name)) return i;
    return -1;
}

/* "top5": 5; 0: it is no such name. */
static int64_t top_of(const char *name) {
    char *end;
    if (strncmp(name, "top", 3)) return 0;
    long k = strtol(name + 3, &end, 10);
    return *end || k < 1 || k > CLASSES_MOST ? 0 : k;
}

int nncc_metric_falls(const char *name) {
    int row = row_called(strncmp(name, "val_", 4) ? name : name + 4);
    return row >= 0 && rows[row].falls;
}

/* ---- making them ---- */

static int judges_classes(const nncc_model *m) { return strchr("cpb", m->judged_as) != NULL && m->judged_as; }

static int64_t classes_of(const nncc_model *m) {
    if (!judges_classes(m)) return 0;
    return m->judged_as == 'b' ? 2 : m->output[m->judged].dim[0];
}

static int can_judge(const nncc_model *m, const char *name) {
    int row = row_called(name);
    int64_t k = top_of(name);
    char needs = row >= 0 ? rows[row].needs : 'c';
    if (row < 0 && !k) return fprintf(stderr, "there is no metric '%.40s'\n", name), 0;
    if (needs == 'c' && !judges_classes(m))
        return fprintf(stderr, "'%.40s' needs classes, of which an output of the network has scores\n", name), 0;
    if (needs == 'n' && !m->judged_as)
        return fprintf(stderr, "'%.40s' needs an output that its target is compared with\n", name), 0;
    if (needs == 'c' && classes_of(m) > CLASSES_MOST)
        return fprintf(stderr, "'%.40s': %lld classes are too many\n", name, (long long)classes_of(m)), 0;
    return 1;
}

static int take_names(Metrics *t, const char *names) {
    size_t n;
    for (const char *s = names; s && *s; s += n + (s[n] == ',')) {
        n = strcspn(s, ",");
        if (!n || t->n == METRICS_MOST) continue;
        snprintf(t->name[t->n], FIGURE_NAME, "%.*s", (int)(n < 32 ? n : 32), s);
        if (!can_judge(t->m, t->name[t->n])) return -1;
        if (strcmp(t->name[t->n], "accuracy") || !t->m->answers) t->n++;
    }
    return 0;
}

int nncc_metrics_new(const nncc_model *m, const char *names, Metrics **made) {
    Metrics *t = calloc(1, sizeof *t);
    *made = NULL;
    if (!t) return -1;
    t->m = m, t->classes = classes_of(m);
    int bad = take_names(t, names);
    if (t->classes > CLASSES_MOST) t->classes = 0; /* nothing that counts them was asked for */
    t->confusion = calloc((size_t)(t->classes * t->classes) + 1, sizeof *t->confusion);
    t->top = calloc((size_t)t->classes + 1, sizeof *t->top);
    if (!t->confusion || !t->top) bad = -1;
    if (bad || !t->n)
        nncc_metrics_free(t);
    else
        *made = t;
    return bad;
}

void nncc_metrics_free(Metrics *t) {
    if (t) free(t->confusion), free(t->top);
    free(t);
}

void nncc_metrics_clear(Metrics *t) {
    memset(t->confusion, 0, (size_t)(t->classes * t->classes) * sizeof *t->confusion);
    memset(t->top, 0, (size_t)t->classes * sizeof *t->top);
    t->seen = t->numbers = 0, t->absolute = t->squares = 0;
}

/* ---- counting ---- */

/* Of numbers `step` apart, the place of the greatest; of equal ones, and of no numbers, the first. */
static int64_t greatest(const nncc_port *p, const void *at, int64_t from, int64_t step, int64_t n) {
    int64_t best = 0;
    for (int64_t c = 1; c < n; c++)
        if (nncc_number_at(p->type, at, from + c * step) > nncc_number_at(p->type, at, from + best * step)) best = c;
    return best;
}

/* How many scores are above that of class c. */
static int64_t rank_of(const nncc_port *p, const void *at, int64_t from, int64_t step, int64_t n, int64_t c) {
    int64_t above = 0;
    double mine = nncc_number_at(p->type, at, from + c * step);
    for (int64_t k = 0; k < n; k++) {
        double v = nncc_number_at(p->type, at, from + k * step);
        above += v > mine || (v == mine && k < c);
    }
    return above;
}

/* Place j of example i has scores at from, from + step and so on. */
static void count_scores(Metrics *t, const Batch *b, int64_t i, int64_t j, int64_t places) {
    const nncc_port *out = &t->m->output[t->m->judged], *target = &t->m->port[t->m->judge];
    const void *y = b->out[t->m->judged], *is = b->value[t->m->judge];
    int64_t from = i * out->each + j, says = greatest(out, y, from, places, t->classes), c;
    c = t->m->judged_as == 'p' ? greatest(target, is, from, places, t->classes)
                               : (int64_t)nncc_number_at(target->type, is, i * target->each + j);
    if (c < 0 || c >= t->classes) return; /* ignored */
    t->confusion[c * t->classes + says]++, t->seen++;
    t->top[rank_of(out, y, from, places, t->classes, c)]++;
}

static void count_number(Metrics *t, const Batch *b, int64_t i) {
    double y = nncc_number_at(t->m->output[t->m->judged].type, b->out[t->m->judged], i);
    double is = nncc_number_at(t->m->port[t->m->judge].type, b->value[t->m->judge], i), d = fabs(y - is);
    t->absolute += d, t->squares += d * d, t->numbers++;
    if (t->m->judged_as == 'b') t->confusion[2 * (is > 0.5) + (y > t->m->threshold)]++, t->seen++;
}

void nncc_metrics_add(Metrics *t, const Batch *b, int n) {
    const nncc_model *m = t->m;
    if (!m->judged_as) return;
    int64_t each = m->output[m->judged].each, places = t->classes ? each / t->classes : 0;
    for (int64_t i = 0; i < n && t->classes; i++)
        for (int64_t j = 0; m->judged_as != 'b' && j < places; j++) count_scores(t, b, i, j, places);
    for (int64_t i = 0; strchr("bn", m->judged_as) && i < n * each; i++) count_number(t, b, i);
}

/* ---- of several processes ---- */

static void add_up_counts(const nncc_model *m, int64_t *count, size_t n, double *room, int *bad) {
    for (size_t i = 0; i < n; i++) room[i] = (double)count[i];
    *bad |= nncc_add_up(m, room, n);
    for (size_t i = 0; i < n; i++) count[i] = (int64_t)room[i];
}

int nncc_metrics_add_up(Metrics *t) {
    if (t->m->ranks < 2) return 0;
    size_t pairs = (size_t)(t->classes * t->classes);
    double sums[2] = {t->absolute, t->squares}, *room = malloc((pairs + 1) * sizeof *room);
    int bad = nncc_agree(t->m, room ? 0 : -1);
    if (!bad) add_up_counts(t->m, t->confusion, pairs, room, &bad);
    if (!bad) add_up_counts(t->m, t->top, (size_t)t->classes, room, &bad);
    if (!bad) add_up_counts(t->m, &t->seen, 1, room, &bad), add_up_counts(t->m, &t->numbers, 1, room, &bad);
    if (!bad) bad = nncc_add_up(t->m, sums, 2);
    t->absolute = sums[0], t->squares = sums[1];
    free(room);
    return bad ? -1 : 0;
}

/* ---- what they are ---- */

static double top_value(const Metrics *t, int64_t k) {
    double right = 0;
    for (int64_t i = 0; i < k && i < t->classes; i++) right += (double)t->top[i];
    return ratio(right, (double)t->seen);
}

void nncc_metrics_put(const Metrics *t, Figures *f) {
    for (int i = 0; i < t->n; i++) {
        int row = row_called(t->name[i]);
        char known[FIGURE_NAME];
        snprintf(known, sizeof known, "val_%.30s", t->name[i]);
        const double *loss = nncc_find_figure(f, "val_loss");
        if (nncc_find_figure(f, known)) continue;
        if (row < 0) nncc_add_figure(f, "val_", t->name[i], top_value(t, top_of(t->name[i])));
        if (row >= 0 && rows[row].value != no_number) nncc_add_figure(f, "val_", t->name[i], rows[row].value(t));
        if (loss && !strcmp(t->name[i], "perplexity")) nncc_add_figure(f, "val_", t->name[i], exp(*loss));
    }
}

static const char *class_name(const nncc_words *w, int64_t c, char text[24]) {
    if (w && c < w->n)
        snprintf(text, 24, "%s", w->at[c]);
    else
        snprintf(text, 24, "%lld", (long long)c);
    return nncc_printable(text);
}

void nncc_metrics_report(const Metrics *t, const nncc_words *w, FILE *f) {
    char text[24];
    double right, are, said;
    int shown = t->classes && t->classes <= SHOWN_MOST;
    for (int i = 0; i < t->n; i++)
        if (shown && !strcmp(t->name[i], "confusion")) shown = 2;
    if (shown != 2) return;
    fputs("confusion matrix; rows: classes of the target, columns: predicted ones\n", f);
    for (int64_t c = 0; c < t->classes; c++) {
        fprintf(f, "%-12.12s", class_name(w, c, text));
        for (int64_t k = 0; k < t->classes; k++) fprintf(f, " %8lld", (long long)count(t, c, k));
        counts_of(t, c, &right, &are, &said);
        fprintf(f, "   precision %.4f recall %.4f dice %.4f iou %.4f\n", precision(right, are, said),
                recall(right, are, said), f1(right, are, said), iou(right, are, said));
    }
}
