/* bench.c - how long each step of the generated C takes on this machine. */
#include "cli/command.h"
#include "emit/emit.h"

enum { SEED = 1 };

typedef struct {
    const double *at; /* seconds: [run][step] */
    int runs, steps;
} Times;

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_size);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double step_time(Arena *a, const Times *t, int step) {
    double *v = NEW_ARRAY(a, double, t->runs);
    for (int i = 0; i < t->runs; i++) v[i] = t->at[(int64_t)i * t->steps + step];
    return median(v, t->runs);
}

static double whole_time(Arena *a, const Times *t) {
    double *v = NEW_ARRAY(a, double, t->runs);
    for (int i = 0; i < t->runs; i++)
        for (int k = 0; k < t->steps; k++) v[i] += t->at[(int64_t)i * t->steps + k];
    return median(v, t->runs);
}

/* 2 operations per multiply-add; a step without any has no rate. */
static const char *rate_text(Arena *a, double macs, double seconds) {
    return macs > 0 && seconds > 0 ? format(a, "%.2f", 2e-9 * macs / seconds) : "";
}

static int wider(int width, const char *text) { return (int)strlen(text) > width ? (int)strlen(text) : width; }

static void print_times(Command *c, const Program *p, const Times *t) {
    int name = wider(5, "total"), layer = wider(5, "");
    double whole = whole_time(c->arena, t), macs = 0;
    for (int i = 0; i < p->steps.n; i++) {
        const TimedStep *s = p->steps.at[i];
        name = wider(name, s->function), layer = wider(layer, s->row.layer);
    }
    printf("%4s  %-*s  %-*s %10s %7s %16s %9s\n", "step", name, "function", layer, "layer", "us", "share", "MACs",
           "GFLOP/s");
    for (int i = 0; i < p->steps.n; i++) {
        const TimedStep *s = p->steps.at[i];
        double seconds = step_time(c->arena, t, s->row.step);
        printf("%4d  %-*s  %-*s %10.1f %6.1f%% %16s %9s\n", s->row.step, name, s->function, layer, s->row.layer,
               1e6 * seconds, whole > 0 ? 100 * seconds / whole : 0, bytes_text(c->arena, s->row.macs),
               rate_text(c->arena, (double)s->row.macs, seconds));
        macs += (double)s->row.macs;
    }
    printf("total %.4f ms, %.4g MACs", 1e3 * whole, macs);
    if (macs > 0) printf(", %s GFLOP/s", rate_text(c->arena, macs, whole));
    printf("; medians of %d run%s\n", t->runs, t->runs == 1 ? "" : "s");
}

int verb_bench(Command *c) {
    Program p;
    Options opt = c->opt;
    Times t = {0};
    opt.timed = true;
    int code = program_new(&p, c->arena, &c->run, &opt, c->keep, stderr);
    if (code) return code;
    t.steps = p.nsteps;
    code = program_time(&p, random_set(c->arena, &p, false, SEED), &t.at, &t.runs, stderr);
    if (!code && t.runs) print_times(c, &p, &t);
    if (!code && !t.runs) puts("it computes nothing");
    program_free(&p);
    return code;
}
