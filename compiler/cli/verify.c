/* verify.c - the generated program against data with known results, or against nncc's own arithmetic in double. */
#include "cli/command.h"
#include "driver.h"
#include "emit/emit.h"
#include "harness/behaviour.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "passes/passes.h"
#include "targets.h"
#include <math.h>

enum { RANDOM_SEED = 1, RANDOM_STEPS = 4 /* of a network with state, one after the other */ };

static List copy_list(Arena *a, List from) {
    List to = {0};
    for (int i = 0; i < from.n; i++) push(a, &to, from.at[i]);
    return to;
}

/* Options that can be added to without touching the ones they came from. */
static Options copy_options(Arena *a, const Options *from) {
    Options to = *from;
    to.dims = copy_list(a, from->dims), to.consts = copy_list(a, from->consts),
    to.renames = copy_list(a, from->renames), to.bounds = copy_list(a, from->bounds);
    return to;
}

typedef struct {
    Arena *arena;
    Interface *api;
} Ask;

static int take_interface(Module *m, void *arg) {
    Ask *ask = arg;
    *ask->api = interface_of(ask->arena, m);
    return EXIT_OK;
}

int model_interface(Command *c, Interface *api, FILE *err) {
    Options opt = c->opt;
    FILE *nowhere = fopen("/dev/null", "w");
    opt.consts = opt.bounds = (List){0}, opt.dims = (List){0}, opt.renames = (List){0}, opt.quiet = true;
    opt.print_after = NULL, opt.print_change = opt.time_passes = false;
    int code = nowhere ? EXIT_INPUT : EXIT_BUG;
    for (int mode = OPEN_DIMS_UNKNOWN; code && nowhere && mode <= OPEN_DIMS_1; mode++) {
        opt.open_dims = mode;
        code = load_only(&opt, nowhere, take_interface, &(Ask){c->arena, api});
    }
    if (nowhere) fclose(nowhere);
    if (!code) return code;
    opt.dims = c->opt.dims, opt.bounds = c->opt.bounds, opt.consts = c->opt.consts, opt.open_dims = OPEN_DIMS_IN_ONNX;
    return load_only(&opt, err, take_interface, &(Ask){c->arena, api});
}

/* The oracle: naive nests in double. */
static Options oracle_options(Arena *a, const Options *from) {
    Options opt = copy_options(a, from);
    opt.real_f64 = opt.quiet = true, opt.level = 0, opt.max_ram = 0, opt.no_templates = true, opt.print_after = NULL,
    opt.print_change = opt.time_passes = false;
    if (opt.target->backend->device) opt.target = targets, opt.poison = false;
    return opt;
}

/* A program and the outputs of one run of it. */
typedef struct {
    Program p;
    Tensor **out;
} Run;

/* On the last of the sets; a network with state on those before it, too. */
static int run_once(Run *r, Command *c, const Options *opt, const List *sets, int last, FILE *err) {
    int code = program_new(&r->p, c->arena, &c->run, opt, NULL, err);
    if (code) return code;
    r->out = NEW_ARRAY(c->arena, Tensor *, r->p.api.nout);
    for (int i = r->p.carries ? 0 : last; i <= last && !code; i++) code = program_run(&r->p, sets->at[i], r->out, err);
    program_free(&r->p);
    return code;
}

static int index_of(const Interface *api, const char *name) {
    for (int i = 0; i < api->nout; i++)
        if (!strcmp(api->out[i].name, name)) return i;
    return -1;
}

/* The difference of one value of the tapped runs, relative to its size; -1 if the oracle has no such value. */
static double tap_error(const Run *run, const Run *oracle, int i, Difference *d, Tensor **reference) {
    int j = index_of(&oracle->p.api, run->p.api.out[i].name);
    if (j < 0) return -1;
    *reference = oracle->out[j];
    *d = compare_tensors(*reference, run->out[i], (Tolerance){.rtol = 0});
    return d->same_type ? d->rel : -1;
}

/* The largest error among what a value is computed from. */
static double source_error(const Run *run, const Run *oracle, const Port *p) {
    double worst = 0;
    for (int k = 0; k < p->nfrom; k++) {
        int i = index_of(&run->p.api, p->from[k]);
        Difference d;
        Tensor *reference;
        if (i >= 0) worst = fmax(worst, tap_error(run, oracle, i, &d, &reference));
    }
    return worst;
}

/* Beside the user's tolerance a value may be a few of its type's units away, for it and its inputs are rounded to them.
 */
static Tolerance rounding_tolerance(const Command *c, const Tensor *t, double largest) {
    enum { UNITS = 4 };
    double allowed = fmax(c->tol.rtol, UNITS * dtypes[t->dtype].unit);
    return (Tolerance){.rtol = allowed, .atol = allowed * largest};
}

/* The network's own outputs stand first among the taps, but are computed last. */
static void report_divergence(Command *c, const Run *run, const Run *oracle, int own, FILE *out) {
    for (int k = 0; k < run->p.api.nout; k++) {
        int i = (k + own) % run->p.api.nout;
        const Port *p = &run->p.api.out[i];
        Difference d = {0};
        Tensor *reference;
        Str s = {.arena = c->arena};
        double error = tap_error(run, oracle, i, &d, &reference);
        Tolerance allowed = rounding_tolerance(c, run->out[i], d.largest);
        if (error <= allowed.rtol) continue;
        d = compare_tensors(reference, run->out[i], allowed);
        put_difference(&s, p->name, reference, run->out[i], &d);
        fprintf(out, "first node that diverges from double precision: %s\n  %s\n", p->node ? p->node : "an input", s.s);
        fprintf(out, "  its inputs agree to %.1e\n", source_error(run, oracle, p));
        return;
    }
    fputs("no node diverges from nncc's own arithmetic in double: model and expected values differ in meaning\n", out);
}

/* What the report on a mismatch looks at: a set and its wrong outputs, and every value in double. */
typedef struct {
    const DataSet *set;
    const Run *oracle;
    const bool *wrong; /* by the network's outputs */
    FILE *out;
} Mismatch;

static const Tensor *contents_in_run(void *arg, const Value *v) {
    const Mismatch *m = arg;
    for (int i = 0; i < m->set->nin; i++)
        if (!strcmp(m->set->in_name[i], v->name)) return m->set->in[i];
    int i = m->oracle->out ? index_of(&m->oracle->p.api, v->name) : -1;
    return i < 0 ? NULL : m->oracle->out[i];
}

static int report_known(Module *m, void *arg) {
    Mismatch *mismatch = arg;
    report_behaviours(m, mismatch->wrong, contents_in_run, mismatch, mismatch->out);
    return EXIT_OK;
}

/* Says which known differences between runtimes can explain the mismatch: of the model's own nodes, so before passes.
 */
static void find_known(Command *c, const Options *from, Mismatch *mismatch, FILE *err) {
    Options opt = copy_options(c->arena, from);
    opt.level = 0, opt.passes = "infer", opt.quiet = true, opt.print_after = NULL;
    opt.emit = "nn"; /* the graph is the output, not code, for which the other passes would run */
    opt.print_change = opt.time_passes = false;
    compile(&opt, err, report_known, mismatch);
}

/* Runs the network with every value as an output, as it is and as its oracle, and names the first that differs. */
static void find_divergence(Command *c, const Options *opt, const List *sets, int at, const bool *wrong, int own,
                            FILE *out, FILE *err) {
    Options taps = copy_options(c->arena, opt), exact;
    Run run = {0}, oracle = {0};
    taps.taps = taps.quiet = true;
    exact = oracle_options(c->arena, &taps);
    if (!run_once(&run, c, &taps, sets, at, err) && !run_once(&oracle, c, &exact, sets, at, err))
        report_divergence(c, &run, &oracle, own, out);
    find_known(c, opt, &(Mismatch){sets->at[at], &oracle, wrong, out}, err);
}

/* Whether what is expected was computed in double for a type of fewer digits than a float's, which it is not rounded
 * to. */
static bool of_oracle(const Tensor *expected, const Tensor *t) {
    return expected->dtype == DT_f64 && dtypes[t->dtype].unit > dtypes[DT_f32].unit;
}

/* Prints one line per output, and notes those that are wrong; true if all agree. */
static bool compare_set(Command *c, const DataSet *s, Tensor **got, bool *wrong, FILE *out) {
    bool ok = true;
    for (int i = 0; i < s->nout; i++) {
        Str line = {.arena = c->arena};
        const Tensor *mine = got[s->out_at[i]];
        s->out[i] = as_bits_of(c->arena, s->out[i], mine->dtype);
        Difference d = compare_tensors(s->out[i], mine, c->tol);
        if (!d.ok && of_oracle(s->out[i], mine) && c->tol.atol < 0)
            d = compare_tensors(s->out[i], mine, rounding_tolerance(c, mine, d.largest));
        put_difference(&line, s->out_name[i], s->out[i], mine, &d);
        fprintf(out, "%-16s  %s%s\n", escaped(c->arena, s->label, 40), line.s,
                d.constant ? "   (the same everywhere)" : "");
        wrong[s->out_at[i]] = !d.ok, ok = ok && d.ok;
    }
    fflush(out);
    return ok;
}

static bool same_dims(const Options *a, const Options *b) {
    if (a->dims.n != b->dims.n) return false;
    for (int i = 0; i < a->dims.n; i++) {
        const DimBinding *p = a->dims.at[i], *q = b->dims.at[i];
        if (strcmp(p->name, q->name) || p->min != q->min || p->max != q->max) return false;
    }
    return true;
}

/* Names the compiler, and the options that give the open dims the data's extents. */
static void say_compiled(const Program *p, FILE *out) {
    if (p->interpret)
        fputs("interpreted", out);
    else
        fprintf(out, "compiled with %s in %.1f s", escaped(p->arena, p->settings->cc, 80), p->seconds);
    if (runs_where(p)) fprintf(out, ", %s", runs_where(p));
    for (int i = 0; i < p->opt.dims.n; i++) {
        const DimBinding *d = p->opt.dims.at[i];
        fprintf(out, " --dim %s=%lld", escaped(p->arena, d->name, 60), (long long)d->min);
        if (d->max > d->min) fprintf(out, "..%lld", (long long)d->max);
    }
    fputc('\n', out);
}

/* One set after the other; the program is built anew only when the next one needs other dims. */
static int verify_all(Command *c, List *sets, const Interface *model, Program *p, int *wrong, FILE *out, FILE *err) {
    for (int i = 0; i < sets->n; i++) {
        DataSet *s = sets->at[i];
        Options opt = copy_options(c->arena, &c->opt);
        if (!bind_dims(c->arena, &opt, model, s, err)) return EXIT_INPUT;
        if (!p->settings || !same_dims(&opt, &p->opt)) {
            if (p->settings && p->carries)
                return fputs("nncc: expected sets of equal extents, since each goes on with the state that the one "
                             "before "
                             "left; saw others: give the dims a range, --dim NAME=1..8\n",
                             err),
                       EXIT_INPUT;
            if (p->settings) program_free(p);
            int fault = program_new(p, c->arena, &c->run, &opt, c->keep, err);
            if (fault) return fault;
            say_compiled(p, out);
        }
        if (s->out_from && !place_outputs(c->arena, s, model, &p->api, err)) return EXIT_INPUT;
        Tensor **got = NEW_ARRAY(c->arena, Tensor *, p->api.nout);
        int fault = program_run(p, s, got, err);
        if (fault) return fault;
        bool *differs = NEW_ARRAY(c->arena, bool, p->api.nout);
        if (compare_set(c, s, got, differs, out)) continue;
        if (!(*wrong)++) find_divergence(c, &opt, sets, i, differs, model->nout, out, err);
    }
    return *wrong ? EXIT_INPUT : EXIT_OK;
}

/* The oracle's inputs are doubles, and numbers that the model's own type holds. */
static void round_inputs(Arena *a, const Interface *model, DataSet *s) {
    for (int i = 0; i < s->nin; i++) {
        const Port *p = model->in;
        while (p < model->in + model->nin && strcmp(p->name, s->in_name[i])) p++;
        DType own = p < model->in + model->nin ? p->type.dtype : DT_none, wide = s->in[i]->dtype;
        if (own != DT_none && is_float(own) && is_float(wide))
            s->in[i] = tensor_cast(a, tensor_cast(a, s->in[i], own), wide);
    }
}

/* One set of random inputs, with the oracle's outputs as the expected ones. */
static int random_set_of(Command *c, const Interface *model, Program *oracle, bool smallest, List *sets, FILE *err) {
    DataSet *s = random_set(c->arena, oracle, smallest, RANDOM_SEED + (uint64_t)(oracle->carries ? sets->n : 0));
    round_inputs(c->arena, model, s);
    s->nout = oracle->api.nout;
    s->out = NEW_ARRAY(c->arena, Tensor *, s->nout), s->out_name = NEW_ARRAY(c->arena, const char *, s->nout);
    s->out_at = NEW_ARRAY(c->arena, int, s->nout);
    for (int i = 0; i < s->nout; i++)
        s->out_name[i] = i < model->nout ? model->out[i].name : oracle->api.out[i].name, s->out_at[i] = i;
    push(c->arena, sets, s);
    return program_run(oracle, s, s->out, err);
}

/* That set, or one for each step if there are steps. */
static int random_steps(Command *c, const Interface *model, Program *oracle, bool smallest, List *sets, FILE *err) {
    int code = EXIT_OK;
    for (int i = 0; i < (oracle->carries ? RANDOM_STEPS : 1) && !code; i++)
        code = random_set_of(c, model, oracle, smallest, sets, err);
    return code;
}

/* ---- the interpreter beside compiled C ---- */

/* Scalar operations that the interpreter is given for a check: a fraction of a second. */
enum { MAX_INTERPRETED = 30000000 };

static const RunSettings *interpreting(const Command *c, bool on) {
    RunSettings *settings = arena_copy(c->arena, &c->run, sizeof c->run);
    settings->interpret = on;
    return settings;
}

/* What the interpreter makes of the oracle's own network; false after a report if it is something else. */
static bool interpreter_agrees(Command *c, const DataSet *s, Tensor *const *got, FILE *out) {
    bool ok = true;
    for (int i = 0; i < s->nout; i++) {
        Str line = {.arena = c->arena};
        const Tensor *want = s->out[i];
        Difference d = compare_tensors(want, got[i], (Tolerance){.rtol = 0});
        if (d.same_type && is_float(want->dtype))
            d = compare_tensors(want, got[i], (Tolerance){.rtol = 1e-9, .atol = 1e-9 * d.largest});
        if (d.ok) continue;
        put_difference(&line, s->out_name[i], want, got[i], &d);
        fprintf(out, "interpreter       %s\n", line.s);
        ok = false;
    }
    return ok;
}

/* The oracle's network once more, interpreted: no compiled program has the interpreter's faults. */
static int check_interpreter(Command *c, const Program *oracle, const List *sets, int *wrong, FILE *out, FILE *err) {
    Program p;
    bool ok = true;
    if (oracle->cost > MAX_INTERPRETED)
        return fprintf(out, "interpreter not compared: the network takes %.1e scalar operations\n",
                       (double)oracle->cost),
               EXIT_OK;
    int code = program_new(&p, c->arena, interpreting(c, true), &oracle->opt, NULL, err);
    for (int i = 0; i < sets->n && !code && ok; i++) {
        const DataSet *s = sets->at[i];
        Tensor **got = NEW_ARRAY(c->arena, Tensor *, s->nout + 1);
        code = program_run(&p, s, got, err);
        ok = !code && interpreter_agrees(c, s, got, out);
    }
    if (!code && !ok) ++*wrong;
    if (ok) fputs("interpreter agrees with the same network compiled with -O0, in double\n", out);
    return code;
}

/* No data: random inputs against the oracle, which is compiled, with bounded dims at their largest and at their
 * smallest. The interpreter takes the largest alone. */
static int random_sets(Command *c, const Interface *model, List *sets, int *wrong, FILE *out, FILE *err) {
    Options opt = oracle_options(c->arena, &c->opt);
    Program oracle;
    int code = program_new(&oracle, c->arena, interpreting(c, false), &opt, NULL, err);
    if (code) return code;
    code = random_steps(c, model, &oracle, false, sets, err);
    if (!code) code = check_interpreter(c, &oracle, sets, wrong, out, err);
    if (!code && oracle.bounds.n && !c->run.interpret) code = random_steps(c, model, &oracle, true, sets, err);
    program_free(&oracle);
    return code;
}

static int ignore_result(Module *m, void *arg) {
    (void)m, (void)arg;
    return EXIT_OK;
}

/* Whether the model compiles whatever its open dims are: with 1 for each. An exit code. */
static int compiles_at_all(Command *c, const Interface *model, FILE *err) {
    Options opt = copy_options(c->arena, &c->opt);
    bind_open_dims(c->arena, &opt, model, 1);
    return compile(&opt, err, ignore_result, NULL);
}

/* Reads the sets of every folder. If one cannot be used, what is wrong with the model comes first: a type that nncc
 * does not have is missing in both. */
static int load_data(Command *c, const Interface *model, List *sets, FILE *err) {
    char *said = NULL;
    size_t n = 0;
    bool ok = true;
    FILE *held = open_memstream(&said, &n);
    if (!held) return EXIT_BUG;
    for (int i = 1; ok && i < c->words.n; i++) ok = load_sets(c->arena, c->words.at[i], sets, held);
    for (int i = 0; ok && i < sets->n && c->opt.outputs.n; i++) ok = keep_ports(c->arena, sets->at[i], model, held);
    for (int i = 0; ok && i < sets->n; i++) ok = name_set(c->arena, sets->at[i], model, held);
    fclose(held);
    int code = ok ? EXIT_OK : compiles_at_all(c, model, err);
    if (!ok && !code) fputs(said, err), code = EXIT_INPUT;
    free(said);
    return code;
}

int verify_model(Command *c, int *wrong, FILE *out, FILE *err) {
    List sets = {0};
    Interface model;
    Program p = {0};
    int code = model_interface(c, &model, err);
    *wrong = 0;
    if (!code)
        code = c->words.n > 1 ? load_data(c, &model, &sets, err) : random_sets(c, &model, &sets, wrong, out, err);
    if (!code) code = verify_all(c, &sets, &model, &p, wrong, out, err);
    if (p.settings) program_free(&p);
    return code;
}

int verb_verify(Command *c) {
    int wrong;
    return verify_model(c, &wrong, stdout, stderr);
}
