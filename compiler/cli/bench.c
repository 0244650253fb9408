/* bench.c - how long each step of the generated C takes on this machine, and how near that is to what a core can do. */
#include "cli/command.h"
#include "emit/emit.h"

enum { SEED = 1, JSON_SCHEMA = 1 };

typedef struct {
    const double *at; /* seconds: [run][step] */
    int runs, steps;
} Times;

/* Of all runs: the median, and how far apart the quartiles are, over the median. */
typedef struct {
    double seconds, spread;
} Timing;

/* What is printed of a step, or of them all. */
typedef struct {
    const TimedStep *step; /* NULL: of them all */
    Timing took;
    double macs, bytes;
} Row;

typedef struct {
    const Program *p;
    int runs, nrows;
    Row *row, total;
    Roofs roofs;
    double one_thread; /* seconds of all steps, with --threads; 0: not measured */
    bool repeated;     /* there are steps in loops */
} Report;

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What a part of the sorted numbers is at most. */
static double quantile(const double *v, int n, double part) {
    double place = part * (n - 1);
    int i = (int)place;
    return i + 1 < n ? v[i] + (place - i) * (v[i + 1] - v[i]) : v[i];
}

static Timing timing_of(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_size);
    double median = quantile(v, n, 0.5);
    return (Timing){median, median > 0 ? (quantile(v, n, 0.75) - quantile(v, n, 0.25)) / median : 0};
}

static Timing step_time(Arena *a, const Times *t, int step) {
    double *v = NEW_ARRAY(a, double, t->runs);
    for (int i = 0; i < t->runs; i++) v[i] = t->at[(int64_t)i * t->steps + step];
    return timing_of(v, t->runs);
}

static Timing whole_time(Arena *a, const Times *t) {
    double *v = NEW_ARRAY(a, double, t->runs);
    for (int i = 0; i < t->runs; i++)
        for (int k = 0; k < t->steps; k++) v[i] += t->at[(int64_t)i * t->steps + k];
    return timing_of(v, t->runs);
}

static Report report_of(Arena *a, const Program *p, const Times *t) {
    Report r = {.p = p, .runs = t->runs, .nrows = p->steps.n, .row = NEW_ARRAY(a, Row, p->steps.n)};
    if (!t->runs) return r;
    r.total.took = whole_time(a, t);
    for (int i = 0; i < r.nrows; i++) {
        const TimedStep *s = p->steps.at[i];
        r.row[i] = (Row){s, step_time(a, t, s->row.step), (double)s->row.macs, (double)s->row.moved};
        r.repeated = r.repeated || s->row.repeated;
        r.total.macs += r.row[i].macs, r.total.bytes += r.row[i].bytes;
    }
    return r;
}

/* Per second: 2 operations for each multiply-add, and bytes. 0: it has none, or took no time. */
static double flops_of(const Row *r) { return r->took.seconds > 0 ? 2 * r->macs / r->took.seconds : 0; }
static double rate_of(const Row *r) { return r->took.seconds > 0 ? r->bytes / r->took.seconds : 0; }

/* ---- for people ---- */

static int wider(int width, const char *text) { return (int)strlen(text) > width ? (int)strlen(text) : width; }

/* In billions, and of what there could be at most; nothing in place of 0. */
static void print_rate(Arena *a, double rate, double most) {
    printf(" %9s", rate > 0 ? format(a, "%.2f", 1e-9 * rate) : "");
    printf(" %7s", rate > 0 ? format(a, "%.1f%%", 100 * rate / most) : "");
}

static void print_row(Arena *a, const Report *r, const Row *row) {
    double whole = r->total.took.seconds;
    printf(" %10.1f %6.1f%% %16s", 1e6 * row->took.seconds, whole > 0 ? 100 * row->took.seconds / whole : 0,
           bytes_text(a, (int64_t)row->macs));
    print_rate(a, flops_of(row), r->roofs.flops);
    printf(" %14s", bytes_text(a, (int64_t)row->bytes));
    print_rate(a, rate_of(row), r->roofs.bytes);
    putchar('\n');
}

static void print_report(Arena *a, const Report *r) {
    int name = wider(5, "total"), layer = wider(5, "");
    for (int i = 0; i < r->nrows; i++)
        name = wider(name, r->row[i].step->function), layer = wider(layer, r->row[i].step->row.layer);
    printf("%4s  %-*s  %-*s %10s %7s %16s %9s %7s %14s %9s %7s\n", "step", name, "function", layer, "layer", "us",
           "share", "MACs", "GFLOP/s", "of peak", "bytes", "GB/s", "of peak");
    for (int i = 0; i < r->nrows; i++) {
        const TimedStep *s = r->row[i].step;
        printf("%4d  %-*s  %-*s", s->row.step, name, s->function, layer, s->row.layer);
        print_row(a, r, &r->row[i]);
    }
    printf("total %.4f ms, %.4g MACs", 1e3 * r->total.took.seconds, r->total.macs);
    if (r->total.macs > 0) printf(", %.2f GFLOP/s", 1e-9 * flops_of(&r->total));
    printf("; medians of %d run%s\n", r->runs, r->runs == 1 ? "" : "s");
    if (r->one_thread > 0)
        printf("with %d threads; with one %.4f ms, %.2f times as long\n", r->p->opt.threads, 1e3 * r->one_thread,
               r->one_thread / r->total.took.seconds);
    if (r->repeated) puts("of steps in loops the time is that of all iterations, MACs and bytes are counted once");
    printf("compiled for %s with %s %s\n", r->p->opt.target->name, r->p->compiler, r->p->flags);
    printf("peak of one core: %.1f GFLOP/s of multiply-adds, %.1f GB/s read from a block of %s bytes\n",
           1e-9 * r->roofs.flops, 1e-9 * r->roofs.bytes, bytes_text(a, r->roofs.block));
}

/* ---- for programs: docs/manual.md lists the fields ---- */

static const char *json_text(Arena *a, const char *s) {
    Str out = {.arena = a};
    put_text(&out, "\"");
    for (; *s; s++)
        if ((unsigned char)*s < 32)
            put(&out, "\\u%04x", *s);
        else
            put(&out, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
    put_text(&out, "\"");
    return out.s;
}

static void print_json_row(const Report *r, const Row *row) {
    double flops = flops_of(row), rate = rate_of(row);
    printf("\"us\": %.6g, \"spread\": %.3f, \"macs\": %.0f, \"bytes\": %.0f, \"gflops\": %.6g, \"of_flops\": %.4f, "
           "\"gbytes\": %.6g, \"of_bytes\": %.4f}",
           1e6 * row->took.seconds, row->took.spread, row->macs, row->bytes, 1e-9 * flops,
           r->roofs.flops > 0 ? flops / r->roofs.flops : 0, 1e-9 * rate,
           r->roofs.bytes > 0 ? rate / r->roofs.bytes : 0);
}

static void print_json(Arena *a, const char *model, const Report *r) {
    const Program *p = r->p;
    printf("{\n  \"schema\": %d, \"nncc\": %s, \"model\": %s, \"target\": %s,\n", JSON_SCHEMA,
           json_text(a, NNCC_VERSION), json_text(a, model), json_text(a, p->opt.target->name));
    printf("  \"compiler\": %s, \"compiler_version\": %s, \"flags\": %s,\n", json_text(a, p->compiler),
           json_text(a, r->roofs.compiler), json_text(a, p->flags));
    if (r->one_thread > 0) printf("  \"threads\": %d, \"one_thread_us\": %.6g,\n", p->opt.threads, 1e6 * r->one_thread);
    printf("  \"runs\": %d, \"peak\": {\"gflops\": %.6g, \"gbytes\": %.6g, \"block\": %lld},\n  \"total\": {", r->runs,
           1e-9 * r->roofs.flops, 1e-9 * r->roofs.bytes, (long long)r->roofs.block);
    print_json_row(r, &r->total);
    printf(",\n  \"steps\": [");
    for (int i = 0; i < r->nrows; i++) {
        const TimedStep *s = r->row[i].step;
        printf("%s\n    {\"step\": %d, \"function\": %s, \"layer\": %s, ", i ? "," : "", s->row.step,
               json_text(a, s->function), json_text(a, s->row.layer));
        print_json_row(r, &r->row[i]);
    }
    puts("\n  ]\n}");
}

static int time_one_thread(Command *c, Options opt, double *seconds) {
    Program p;
    Times t = {0};
    opt.threads = 0;
    int code = program_new(&p, c->arena, &c->run, &opt, NULL, stderr);
    if (code) return code;
    t.steps = p.nsteps;
    code = program_time(&p, random_set(c->arena, &p, false, SEED), &t.at, &t.runs, stderr);
    if (!code && t.runs) *seconds = whole_time(c->arena, &t).seconds;
    program_free(&p);
    return code;
}

int verb_bench(Command *c) {
    Program p;
    Options opt = c->opt;
    Times t = {0};
    double one_thread = 0;
    opt.timed = true;
    if (opt.threads > 1 && !opt.target->backend->device) {
        int failed = time_one_thread(c, opt, &one_thread);
        if (failed) return failed;
    }
    int code = program_new(&p, c->arena, &c->run, &opt, c->keep, stderr);
    if (code) return code;
    t.steps = p.nsteps;
    code = program_time(&p, random_set(c->arena, &p, false, SEED), &t.at, &t.runs, stderr);
    Report r = {.runs = 0};
    if (!code) r = report_of(c->arena, &p, &t), r.one_thread = one_thread, code = measure_roofs(&p, &r.roofs, stderr);
    if (!code && c->json)
        print_json(c->arena, c->opt.input, &r);
    else if (!code && r.runs)
        print_report(c->arena, &r);
    else if (!code)
        puts("it computes nothing");
    program_free(&p);
    return code;
}
