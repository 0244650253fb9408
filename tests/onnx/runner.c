/* runner.c - ONNX's own tests through nncc: model to C, C to a program, the program on the test's data. Every test runs
 * in a child, so that a fault ends only itself.
 *
 * usage: runner [-j N] [-e EXPECTED] [-u] [-c CC] [-i] [-p] [-t TARGET] [-n N] [-v] DIR [FILTER]
 * -i interprets instead of compiling C, -p poisons buffers outside their lives (with -fsanitize=address in CC), -t
 * generates for another target (cuda: runs emulated where there is no GPU; what is expected to be unsupported is left
 * out), -n takes every Nth test, -v shows all that is said. EXPECTED holds one line per test, `name PASS`, `name PASS
 * const`, `name PASS const drawn` or `name UNSUPPORTED reason`; -u writes it anew. The tolerance is ONNX's own, which
 * a data.json may hold, but for the tests in loosened[]. */
#include "base/process.h"
#include "cli/command.h"
#include "emit/emit.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "passes/passes.h"
#include "targets.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REASON = 400, LIMIT = 120, ONE_RUN = 60 };

typedef enum { PASS, UNSUPPORTED, WRONG, CRASHED, STATUSES } Status;
static const char *const status_names[] = {"PASS", "UNSUPPORTED", "WRONG", "CRASHED"};

typedef struct {
    Status status;
    bool with_const, drawn; /* drawn: judged by what random numbers have in common */
    char reason[REASON];
} Result;
typedef struct {
    const char *name, *dir;
    Result result, expected;
    bool known;
    pid_t child;
    int pipe;
    FILE *said;
} Test;

typedef struct {
    int jobs;
    int every;
    const char *expected, *cc, *dir, *filter, *target;
    bool update, interpret, poison, verbose;
} Settings;

/* Tests whose data nncc does not give on purpose (docs/behaviour.md), with the reason. They count as unsupported. */
#define FRACTIONAL                                                                                                     \
    "the reference aligns corners by the length before it is rounded; nncc, ONNX Runtime, PyTorch and the text by "    \
    "that "                                                                                                            \
    "of the result"
static const struct {
    const char *name, *why;
} on_purpose[] = {
    {"node/test_resize_downsample_scales_cubic_align_corners", FRACTIONAL},
    {"node/test_resize_downsample_scales_linear_align_corners", FRACTIONAL},
};

/* Looser than the package's own tolerance, where this is less than its data are exact by.
 * DFT: zeros in its data are up to 1.5e-6, by an FFT in single precision; the exact result, computed in double, fails
 * at its 1e-7 (10 of 200 elements), and ONNX Runtime 1.32 by 1.9e-5. Attention in nodes: its softmax is a node by
 * itself, of f16, each step of which the reference rounds. nncc, ONNX Runtime 1.32 and PyTorch 2.15 round the result of
 * that node (docs/behaviour.md), two units in the last place apart at the end; 1e-3 is one. On 200 such draws the exact
 * result, rounded once, fails 28 times. */
static const struct {
    const char *name;
    double rtol, atol;
} loosened[] = {
    {"node/test_attention_4d_causal_fp16_expanded", 0x1p-9, 0},
    {"node/test_dft_inverse", 0, 2e-6},
    {"node/test_dft_inverse_opset19", 0, 2e-6},
};

/* ONNX's own runner allows outputs of bf16, and no others, two units in the last place. */
#define TWO_BF16_ULPS 0x1p-6

/* ---- one test, in the child ---- */

/* The first line that says something, without a heading such as "model.onnx: 3 unsupported constructs". */
static void first_reason(FILE *f, char reason[REASON]) {
    char line[REASON];
    rewind(f);
    *reason = 0;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (!*reason || strstr(reason, " unsupported construct"))
            snprintf(reason, REASON, "%s", line + strspn(line, " "));
    }
}

/* The line of the first output that disagrees. */
static void first_wrong(FILE *f, char reason[REASON]) {
    char line[2 * REASON];
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (!strstr(line, "WRONG")) continue;
        snprintf(reason, REASON, "%.*s", REASON - 1, line);
        return;
    }
}

static Status judge(int code, int wrong) {
    if (code == EXIT_OK) return PASS;
    if (code == EXIT_UNSUPPORTED) return UNSUPPORTED;
    return wrong || code == EXIT_INPUT ? WRONG : CRASHED;
}

/* "rtol": 1e-2 in the test's data.json, if it has one. */
static void read_tolerance(const Test *t, const char *key, double *value) {
    char path[4096], text[4096];
    snprintf(path, sizeof path, "%s/data.json", t->dir);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f) fclose(f);
    const char *at = strstr(text, key), *colon = at ? strchr(at, ':') : NULL;
    if (colon) *value = strtod(colon + 1, NULL);
}

static void new_command(Command *c, const Settings *s, const Test *t) {
    command_new(c);
    c->tol = (Tolerance){.rtol = 1e-3, .atol = 1e-7, .bf16 = TWO_BF16_ULPS};
    read_tolerance(t, "\"rtol\"", &c->tol.rtol);
    read_tolerance(t, "\"atol\"", &c->tol.atol);
    for (int i = 0; i < COUNT(loosened); i++) {
        if (strcmp(t->name, loosened[i].name)) continue;
        c->tol.rtol = fmax(c->tol.rtol, loosened[i].rtol), c->tol.atol = fmax(c->tol.atol, loosened[i].atol);
    }
    c->run.seconds = ONE_RUN, c->run.interpret = s->interpret, c->run.cc = s->cc, c->opt.poison = s->poison;
    if (s->target) c->opt.target = find_target(s->target);
    c->opt.input = format(c->arena, "%s/model.onnx", t->dir);
    push(c->arena, &c->words, (void *)(uintptr_t)c->opt.input);
    push(c->arena, &c->words, (void *)(uintptr_t)t->dir);
}

/* Which inputs are bound to their contents as constants, in turn, until nncc takes the model: what decides shapes is
 * small and seldom the first input. */
typedef struct {
    bool ints, floats, first;
} Binding;
static const Binding bindings[] = {
    {false, false, false}, {true, false, false}, {true, true, false}, {true, false, true}, {true, true, true}};

static bool is_bound(const Binding *b, const Port *p, int i) {
    bool real = p->type.dtype != DT_none && is_float(p->type.dtype);
    return (b->ints || b->floats) && (i || b->first) && p->type.rank <= 1 && (real ? b->floats : b->ints);
}

/* A bit for each input that is bound. */
static uint64_t bind_inputs(Command *c, const Binding *b, const Interface *api, const char *dir) {
    uint64_t bound = 0;
    for (int i = 0; i < api->nin; i++) {
        if (!is_bound(b, &api->in[i], i)) continue;
        bound |= (uint64_t)1 << i % 64;
        Rename *r = NEW(c->arena, Rename);
        r->from = api->in[i].name, r->to = format(c->arena, "%s/test_data_set_0/input_%d.pb", dir, i);
        push(c->arena, &c->opt.consts, r);
    }
    return bound;
}

/* ---- random numbers: ONNX's outputs are what NumPy's generator of 2011 draws, and nobody else ---- */

static bool is_drawn(const Test *t) {
    static const char *const drawn[] = {"", "_mask", "_default", "_default_mask"};
    const char *variant = strstr(t->name, "test_training_dropout");
    for (int i = 0; variant && i < COUNT(drawn); i++)
        if (!strcmp(variant + strlen("test_training_dropout"), drawn[i])) return true;
    return false;
}

static bool is_bernoulli(const Test *t) { return strstr(t->name, "test_bernoulli"); }

/* Every element is 0 or 1, and their sum that of the probabilities: within four deviations. */
static bool drawn_well(const Tensor *p, const Tensor *y) {
    double sum = 0, variance = 0;
    if (p->count != y->count) return false;
    for (int64_t i = 0; i < p->count; i++) {
        double here = get_f(y, i), likely = get_f(p, i);
        if (here != 0 && here != 1) return false;
        sum += here - likely, variance += likely * (1 - likely);
    }
    return fabs(sum) <= 4 * sqrt(variance);
}

/* Every element is either 0, or kept and 1 / (1 - ratio) as large, as the mask says if there is one; about as many are
 * kept as are to be: within four deviations, which one seed in 16,000 is not. */
static bool dropped_well(const Tensor *x, double ratio, const Tensor *y, const Tensor *mask) {
    double n = (double)x->count, kept = 0;
    for (int64_t i = 0; i < x->count; i++) {
        bool here = get_f(y, i) != 0;
        double want = here ? get_f(x, i) / (1 - ratio) : 0;
        if (fabs(get_f(y, i) - want) > 1e-6 * fabs(want) || (mask && get_i(mask, i) != here)) return false;
        kept += here;
    }
    return fabs(kept / n - (1 - ratio)) <= 4 * sqrt(ratio * (1 - ratio) / n);
}

static int run_drawn(Command *c, const Interface *model, const char *dir, bool bernoulli, int *wrong, FILE *out,
                     FILE *err) {
    List sets = {0};
    Program p = {0};
    Tensor *y[2] = {NULL, NULL};
    bool held = load_sets(c->arena, dir, &sets, err) && sets.n == 1 && name_set(c->arena, sets.at[0], model, err);
    const DataSet *s = held ? sets.at[0] : NULL;
    bool fits = s && model->nout <= 2 && (bernoulli ? s->nin == 1 && s->nout == 1 : s->nin == 3);
    int code = fits ? program_new(&p, c->arena, &c->run, &c->opt, NULL, err) : EXIT_INPUT;
    if (!code) code = program_run(&p, s, y, err);
    if (!code && bernoulli) {
        if (!drawn_well(s->in[0], s->out[0])) *wrong = 1, fputs("WRONG the test's own data do not look drawn\n", out);
        if (!drawn_well(s->in[0], y[0]) || y[0]->dtype != s->out[0]->dtype)
            *wrong = 1, fputs("WRONG elements drawn, or their share\n", out);
    } else if (!code) {
        double ratio = get_f(s->in[1], 0);
        if (!dropped_well(s->in[0], ratio, s->out[0], model->nout > 1 ? s->out[1] : NULL))
            *wrong = 1, fputs("WRONG the test's own data do not look drawn\n", out);
        if (!dropped_well(s->in[0], ratio, y[0], y[1]))
            *wrong = 1, fputs("WRONG elements dropped, their scale or their share\n", out);
    }
    if (p.settings) program_free(&p);
    return code ? code : *wrong ? EXIT_INPUT : EXIT_OK;
}

static int attempt(const Settings *s, const Test *t, const Binding *b, uint64_t *bound, Result *r) {
    Command c;
    Interface api;
    int wrong = 0;
    FILE *out = tmpfile(), *err = tmpfile();
    if (!out || !err) exit(EXIT_BUG);
    new_command(&c, s, t);
    int code = model_interface(&c, &api, err);
    *bound = code ? 0 : bind_inputs(&c, b, &api, t->dir);
    bool bernoulli = is_bernoulli(t), drawn = bernoulli || is_drawn(t);
    if (!code)
        code = drawn ? run_drawn(&c, &api, t->dir, bernoulli, &wrong, out, err) : verify_model(&c, &wrong, out, err);
    *r = (Result){.status = judge(code, wrong), .with_const = *bound != 0, .drawn = drawn};
    if (wrong)
        first_wrong(out, r->reason);
    else
        first_reason(err, r->reason);
    if (r->status == UNSUPPORTED && !*r->reason)
        *r = (Result){.status = WRONG, .reason = "WRONG refused without a reason"};
    if (s->verbose) fprintf(stderr, "exit code %d\n", code), rewind(out), rewind(err);
    for (int ch; s->verbose && ((ch = fgetc(out)) != EOF || (ch = fgetc(err)) != EOF);) fputc(ch, stderr);
    fclose(out), fclose(err);
    command_free(&c);
    return code;
}

/* Without constants first; where nncc refuses that, with more and more of them. The first refusal is the one reported.
 */
static Result run_test(const Settings *s, const Test *t) {
    Result first = {0};
    uint64_t bound, before = 0;
    for (int i = 0; i < COUNT(bindings); i++) {
        Result r;
        int code = attempt(s, t, &bindings[i], &bound, &r);
        if (i == 0) first = r;
        if (i && bound == before) continue;
        if (code == EXIT_OK || r.status == CRASHED || (r.status == WRONG && strstr(r.reason, "WRONG"))) return r;
        before = bound;
    }
    return first;
}

static _Noreturn void be_child(const Settings *s, const Test *t, int fd) {
    if (!s->verbose) dup2(fileno(t->said), STDERR_FILENO);
    alarm(LIMIT);
    Result r = run_test(s, t);
    _exit(write(fd, &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
}

/* ---- all tests, in the parent ---- */

static void start(const Settings *s, Test *t) {
    int fd[2];
    if (pipe(fd) || !(t->said = tmpfile())) perror("runner"), exit(EXIT_BUG);
    fflush(NULL);
    t->child = fork();
    if (t->child < 0) perror("fork"), exit(EXIT_BUG);
    if (t->child == 0) close(fd[0]), be_child(s, t, fd[1]);
    close(fd[1]);
    t->pipe = fd[0];
}

/* What is left to say about a child that told no result: its signal, or its own last words. */
static void describe_crash(Test *t, int status) {
    char *reason = t->result.reason;
    t->result = (Result){.status = CRASHED};
    first_reason(t->said, reason);
    if (WIFSIGNALED(status))
        snprintf(reason, REASON, "nncc was ended by signal %d%s", WTERMSIG(status),
                 WTERMSIG(status) == SIGALRM ? " (time limit)" : "");
    else if (!*reason)
        snprintf(reason, REASON, "nncc left with exit status %d", WEXITSTATUS(status));
}

static void finish(Test *t, int status) {
    if (read(t->pipe, &t->result, sizeof t->result) != (ssize_t)sizeof t->result) describe_crash(t, status);
    close(t->pipe), fclose(t->said);
    t->child = 0;
    for (int i = 0; i < COUNT(on_purpose) && t->result.status == WRONG; i++) {
        if (strcmp(t->name, on_purpose[i].name)) continue;
        t->result.status = UNSUPPORTED;
        snprintf(t->result.reason, REASON, "differs on purpose: %s", on_purpose[i].why);
    }
    if (t->result.status >= WRONG)
        printf("%s %s: %s\n", status_names[t->result.status], t->name, t->result.reason), fflush(stdout);
}

static void run_all(const Settings *s, Test *const *tests, int n) {
    for (int started = 0, running = 0; started < n || running;) {
        while (started < n && running < s->jobs) start(s, tests[started++]), running++;
        int status;
        pid_t child = wait(&status);
        if (child < 0 && errno == EINTR) continue;
        for (int i = 0; i < started; i++)
            if (tests[i]->child && tests[i]->child == child) finish(tests[i], status), running--;
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(Test *const *)a)->name, (*(Test *const *)b)->name);
}

/* Every folder of `dir/kind` with a model.onnx. */
static void collect(Arena *a, const Settings *s, const char *kind, List *tests) {
    const char *folder = *kind ? format(a, "%s/%s", s->dir, kind) : s->dir;
    struct stat st;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        Test *t = NEW(a, Test);
        t->dir = format(a, "%s/%s", folder, e->d_name);
        t->name = *kind ? format(a, "%s/%s", kind, e->d_name) : arena_str(a, e->d_name);
        if (stat(format(a, "%s/model.onnx", t->dir), &st) || (s->filter && !strstr(t->name, s->filter))) continue;
        push(a, tests, t);
    }
    if (d) closedir(d);
}

static void load_expected(const Settings *s, Map *by_test) {
    char line[2 * REASON], name[REASON], status[32];
    FILE *f = s->expected ? fopen(s->expected, "r") : NULL;
    while (f && fgets(line, sizeof line, f)) {
        int at = 0;
        Test *t = sscanf(line, "%399s %31s %n", name, status, &at) == 2 ? map_get(by_test, name) : NULL;
        if (!t) continue;
        t->known = true;
        t->expected.status = strcmp(status, "PASS") ? UNSUPPORTED : PASS;
        t->expected.with_const = !strncmp(line + at, "const", 5);
        t->expected.drawn = strstr(line + at, "drawn") != NULL;
        snprintf(t->expected.reason, REASON, "%.*s", (int)strcspn(line + at, "\n"), line + at);
    }
    if (f) fclose(f);
}

/* For another target: of the tests that pass for C, every Nth. */
static void leave_out(const Settings *s, List *tests) {
    int kept = 0, seen = 0;
    for (int i = 0; i < tests->n; i++) {
        const Test *t = tests->at[i];
        if (t->known && t->expected.status != PASS) continue;
        if (seen++ % s->every == 0) tests->at[kept++] = tests->at[i];
    }
    tests->n = kept;
}

/* What is wrong or crashed is never expected: its line stays as it is. */
static void save_expected(const Settings *s, Test *const *tests, int n) {
    FILE *f = fopen(s->expected, "w");
    if (!f) perror(s->expected), exit(1);
    for (int i = 0; i < n; i++) {
        const Test *t = tests[i];
        const Result *r = t->result.status >= WRONG ? &t->expected : &t->result;
        if (r == &t->expected && !t->known) continue;
        if (r->status == PASS)
            fprintf(f, "%s PASS%s%s\n", t->name, r->with_const ? " const" : "", r->drawn ? " drawn" : "");
        else
            fprintf(f, "%s UNSUPPORTED %s\n", t->name, r->reason);
    }
    fclose(f);
}

/* Counts what is worse than expected, and says so. */
static int regressions(Test *const *tests, int n) {
    int worse = 0, better = 0;
    for (int i = 0; i < n; i++) {
        const Test *t = tests[i];
        bool target = t->result.status == UNSUPPORTED && strstr(t->result.reason, "for target "); /* C has it */
        bool lost = t->known && !target && t->expected.status == PASS
        &&(t->result.status != PASS || (t->result.with_const && !t->expected.with_const));
        if (lost)
            printf("no longer passes%s: %s: %s\n", t->result.status == PASS ? " without --const" : "", t->name,
                   t->result.reason);
        worse += lost || t->result.status >= WRONG;
        better += t->known && t->expected.status == UNSUPPORTED && t->result.status == PASS;
    }
    if (better) printf("%d tests pass that are not expected to: run with --update\n", better);
    return worse;
}

static void settings(Settings *s, int argc, char **argv) {
    *s = (Settings){.jobs = 1, .cc = "cc -O0", .every = 1};
    for (int o; (o = getopt(argc, argv, "j:e:uc:ipt:n:v")) != -1;) switch (o) {
        case 'j': s->jobs = atoi(optarg); break;
        case 'e': s->expected = optarg; break;
        case 'u': s->update = true; break;
        case 'c': s->cc = optarg; break;
        case 'i': s->interpret = true; break;
        case 'p': s->poison = true; break;
        case 't': s->target = optarg; break;
        case 'n': s->every = atoi(optarg); break;
        case 'v': s->verbose = true; break;
        default: exit(EXIT_USAGE);
        }
    if (optind >= argc || s->jobs < 1 || s->every < 1)
        fputs("usage: runner [-j N] [-e EXPECTED] [-u] [-c CC] [-i] [-p] [-t TARGET] [-n N] [-v] DIR [FILTER]\n",
              stderr),
            exit(EXIT_USAGE);
    s->dir = argv[optind];
    s->filter = argv[optind + 1];
}

int main(int argc, char **argv) {
    static const char *const kinds[] = {"node", "simple", "pytorch-converted", "pytorch-operator", ""};
    Settings s;
    List tests = {0};
    int count[STATUSES] = {0}, with_const = 0, drawn = 0;
    Arena *a = arena_new(0, NULL, NULL);
    settings(&s, argc, argv);
    for (int i = 0; i < COUNT(kinds); i++) collect(a, &s, kinds[i], &tests);
    if (!tests.n) return fprintf(stderr, "runner: no tests in %s\n", s.dir), EXIT_INPUT;
    qsort(tests.at, (size_t)tests.n, sizeof *tests.at, by_name);
    Map *by_test = map_new(a);
    for (int i = 0; i < tests.n; i++) map_set(by_test, ((Test *)tests.at[i])->name, tests.at[i]);
    load_expected(&s, by_test);
    if (s.target) leave_out(&s, &tests);
    double begun = seconds_now();
    run_all(&s, (Test *const *)tests.at, tests.n);
    for (int i = 0; i < tests.n; i++) {
        const Result *r = &((Test *)tests.at[i])->result;
        bool passed = r->status == PASS;
        count[r->status]++, with_const += passed && r->with_const, drawn += passed && r->drawn;
    }
    int worse = regressions((Test *const *)tests.at, tests.n);
    if (s.update && s.expected) save_expected(&s, (Test *const *)tests.at, tests.n);
    printf("%d tests in %.0f s; of the passes %d with --const, %d by what random draws have in common\n", tests.n,
           seconds_now() - begun, with_const, drawn);
    printf("%d pass, %d unsupported, %d wrong, %d crashed\n", count[PASS], count[UNSUPPORTED], count[WRONG],
           count[CRASHED]);
    arena_free(a);
    return worse != 0;
}
