/* draws.c - how the random numbers of draws.nn are distributed, and who gets which: each context its own sequence, the
 * same ones after a reset. Bounds are such that true randomness exceeds one of them with a probability of 1e-9. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 8, ROWS = 4, SAMPLES = NET_M_LEN / ROWS, MANY = NET_U_LEN, CALLS = 3 };
#define SHARE 1e-9

NET_STATE(one);
NET_STATE(two);
NET_ARENA(arena);
static double p[NET_P_LEN], w[NET_ODDS_LEN], sorted[MANY];
typedef struct {
    double u[NET_U_LEN], v[NET_V_LEN], n[NET_N_LEN], b[NET_B_LEN], s[NET_S_LEN], t[NET_TWIN_LEN];
    int32_t m[NET_M_LEN];
} Drawn;
static Drawn drawn[CALLS], again[CALLS];

static int step(void *state, Drawn *d) {
    net_net net = {.p = p,
                   .odds = w,
                   .u = d->u,
                   .v = d->v,
                   .n = d->n,
                   .b = d->b,
                   .m = d->m,
                   .s = d->s,
                   .twin = d->t,
                   .state = state,
                   .arena = arena};
    return net_step(&net);
}

static int reset(void *state) {
    net_net net = {.state = state};
    return net_reset(&net);
}

static int fault(const char *what, double seen, double most) {
    if (seen <= most) return 0;
    printf("%s: %g, expected at most %g\n", what, seen, most);
    return 1;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static double normal(double x) { return 0.5 * erfc(-x / sqrt(2)); }

/* The largest distance of the distribution of (x - shift) / scale from that which it should be: Dvoretzky, Kiefer,
 * Wolfowitz, with Massart's constant. */
static int distributed(const char *what, const double *x, double shift, double scale, double (*wanted)(double)) {
    double worst = 0;
    for (int i = 0; i < MANY; i++) sorted[i] = (x[i] - shift) / scale;
    qsort(sorted, MANY, sizeof *sorted, by_size);
    for (int i = 0; i < MANY; i++) {
        const double at = wanted(sorted[i]);
        worst = fmax(worst, fmax(at - (double)i / MANY, (double)(i + 1) / MANY - at));
    }
    return fault(what, worst, sqrt(log(2 / SHARE) / (2.0 * MANY)));
}

/* Mean and variance of (x - shift) / scale: deviations of both are normal to so many numbers, and 6.2 of them are
 * passed with that probability. `fourth`: the fourth central moment. */
static int moments(const char *what, const double *x, double shift, double scale, double mean, double variance,
                   double fourth) {
    double sum = 0, squares = 0;
    for (int i = 0; i < MANY; i++) {
        const double d = (x[i] - shift) / scale - mean;
        sum += d, squares += d * d;
    }
    return fault(what, fabs(sum / MANY), 6.2 * sqrt(variance / MANY)) +
           fault(what, fabs(squares / MANY - variance), 6.2 * sqrt((fourth - variance * variance) / MANY));
}

/* Numbers of those means and variances are not correlated. */
typedef struct {
    const double *at;
    double mean, variance;
} Numbers;
static int independent(const char *what, Numbers x, Numbers y) {
    const int n = MANY - 1;
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (x.at[i] - x.mean) * (y.at[i] - y.mean);
    return fault(what, fabs(sum / n), 6.2 * sqrt(x.variance * y.variance / n));
}

static int shares(const Drawn *d) {
    double sum = 0, variance = 0;
    int bad = 0;
    for (int i = 0; i < NET_B_LEN; i++) {
        if (d->b[i] != 0 && d->b[i] != 1) return fault("a draw of Bernoulli", 1, 0);
        if ((p[i] == 0 && d->b[i] != 0) || (p[i] == 1 && d->b[i] != 1)) return fault("a certain draw", 1, 0);
        sum += d->b[i] - p[i], variance += p[i] * (1 - p[i]);
    }
    bad += fault("share of Bernoulli's", fabs(sum), 6.2 * sqrt(variance));
    for (int r = 0; r < ROWS; r++) {
        double count[CLASSES] = {0}, total = 0;
        for (int i = 0; i < SAMPLES; i++) {
            const int32_t k = d->m[r * SAMPLES + i];
            if (k < 0 || k >= CLASSES) return fault("a class", k, CLASSES - 1);
            count[k]++;
        }
        for (int k = 0; k < CLASSES; k++) total += exp(w[r * CLASSES + k]);
        for (int k = 0; k < CLASSES; k++) {
            const double share = exp(w[r * CLASSES + k]) / total;
            bad += fault("a class' share", fabs(count[k] - SAMPLES * share),
                         6.2 * sqrt(SAMPLES * share * (1 - share)) + 1e-9);
        }
    }
    return bad;
}

int main(void) {
    int bad = 0;
    for (int i = 0; i < NET_P_LEN; i++) p[i] = i % 17 / 16.0; /* 0 and 1 are among them */
    for (int i = 0; i < NET_ODDS_LEN; i++) w[i] = i % CLASSES == 3 ? -INFINITY : 0.5 * (i % 5) - 1;
    if (reset(one) || reset(two)) return 1;
    for (int k = 0; k < CALLS; k++) /* two contexts, one call each in turn */
        if (step(one, &drawn[k]) || step(two, &again[k])) return 2;
    if (memcmp(drawn, again, sizeof drawn)) return 3;
    memcpy(two, one, sizeof two);
    if (reset(one)) return 1;
    for (int k = 0; k < CALLS; k++)
        if (step(one, &again[k])) return 2;
    if (memcmp(drawn, again, sizeof drawn)) return 4;
    for (int k = 1; k < CALLS; k++)
        if (!memcmp(drawn[k - 1].u, drawn[k].u, sizeof drawn->u) ||
            !memcmp(drawn[k - 1].s, drawn[k].s, sizeof drawn->s))
            return 5;
    if (step(one, &again[0]) || step(two, &again[1]) || memcmp(&again[0], &again[1], sizeof *again)) return 6;
    for (int k = 0; k < CALLS; k++) {
        const Drawn *d = &drawn[k];
        if (memcmp(d->s, d->t, sizeof d->s)) return 7; /* of one seed */
        bad += distributed("uniform", d->u, 0, 1, uniform) + moments("uniform", d->u, 0, 1, 0.5, 1 / 12.0, 1 / 80.0);
        bad += distributed("uniform between", d->v, -3, 8, uniform) +
               moments("uniform between", d->v, -3, 8, 0.5, 1 / 12.0, 1 / 80.0);
        bad += distributed("normal", d->n, 1, 2, normal) + moments("normal", d->n, 1, 2, 0, 1, 3);
        const Numbers u = {d->u, 0.5, 1 / 12.0}, n = {d->n, 1, 4};
        bad += independent("calls", u, (Numbers){drawn[(k + 1) % CALLS].u, 0.5, 1 / 12.0}) + independent("nodes", u, n);
        bad += independent("neighbours", n, (Numbers){d->n + 1, 1, 4}) + shares(d);
    }
    return bad ? 8 : 0;
}
