/* nncc_checks.c - what is wrong with examples, before it begins; and why a loss is strange. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
void nncc_look_at_first_loss(const nncc_model *m, const nncc_data *d, double loss) {
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
    nncc_range_of_inputs(m, d, &least, &most);
    fprintf(stderr, "hint: the first loss is %.4g, where chance among %lld classes gives %.4g; %s%s\n", loss,
            (long long)classes, log((double)classes),
            range_text(range, "inputs are all ", "inputs go from ", least, most),
            most > 50 && least >= 0 ? "; a data line can scale them, as in {image = {scale = 0.00392157}}" : "");
}

/* The loss of step `step` is NaN. A learning rate is the cause only where something was learnt at it before. */
int nncc_explain_nan(const nncc_model *m, const nncc_data *d, double lr, const Batch *b, int64_t step) {
    enum { SOON = 3, GROWN = 4, LARGE = 10000 };
    double least, most;
    char range[RANGE_MOST];
    nncc_range_of_inputs(m, d, &least, &most);
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
                range_text(range, "was ", "went from ", b->first, b->last), lr);
    else
        fprintf(stderr,
                ", though it %s and had not grown: likelier than the learning rate of %g is a logarithm of 0 or a "
                "division by 0 in the network or its loss\n",
                range_text(range, "was as at first, ", "went from ", b->first, b->last), lr);
    return -1;
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
    if (!t->classes || (v >= 0 && v < (double)t->classes) || (t->ignores && v == (double)t->ignored)) return 0;
    if (t->target)
        fprintf(stderr, "%s example %lld: its label is %.0f; the network has %lld classes, 0 to %lld\n", set,
                (long long)example + 1, v, (long long)t->classes, (long long)t->classes - 1);
    else
        fprintf(stderr, "%s example %lld: '%s' is %.0f; it lies between 0 and %lld\n", set, (long long)example + 1,
                t->name, v, (long long)t->classes - 1);
    return -1;
}

int nncc_check_examples(const nncc_model *m, const nncc_data *d, const char *set) {
    for (int p = 0; p < m->ports; p++)
        for (int64_t i = 0; i < d->n; i++)
            for (int64_t k = 0; k < m->port[p].each; k++)
                if (check_number(&m->port[p], nncc_number_of(m, d, p, i, k), set, i)) return -1;
    return 0;
}

int nncc_count_classes(const nncc_model *m, const nncc_data *d, const char *path) {
    int p = 0;
    if (nncc_check_examples(m, d, "training")) return -1;
    while (p < m->ports && !(m->port[p].target && m->port[p].classes)) p++;
    int64_t classes = p < m->ports ? m->port[p].classes : 0, *count = calloc((size_t)classes + 1, sizeof *count);
    FILE *f = count ? fopen(path, "w") : NULL;
    for (int64_t i = 0; f && classes && i < d->n; i++)
        for (int64_t k = 0; k < m->port[p].each; k++) {
            int64_t c = (int64_t)nncc_number_of(m, d, p, i, k);
            if (c >= 0 && c < classes && !(m->port[p].ignores && c == m->port[p].ignored)) count[c]++;
        }
    for (int64_t c = 0; f && c < classes; c++) fprintf(f, "%lld\n", (long long)count[c]);
    int bad = !f || fclose(f) ? (fprintf(stderr, "cannot write '%s'\n", path), -1) : 0;
    free(count);
    return bad;
}
