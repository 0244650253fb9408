/* A target that is not in the table, every function of it set, goes through driver, emission and harness: each is
 * called. Schedules that break a nest are found by the verifier, each by its own message. */
#include "check.h"
#include "cli/command.h"
#include "driver.h"
#include "emit/interface.h"
#include "harness/harness.h"
#include "render/renderer.h"
#include "schedule/schedule.h"
#include "targets.h"
#include "train/train.h"
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEDULED, PLANNED, PRINTED, EMITTED, TRAINING, FIELDS, OPEN, TRANSFERS, RUNTIME, BUILT, RAN, WHERE, FUNCTIONS };
static int called[FUNCTIONS];

/* ---- the backend ---- */

static void scheduled(Lower *l, Stmt **nest) {
    CHECK(l->m->target->backend->schedules[0].run == scheduled && *nest == l->k->body);
    called[SCHEDULED]++;
}

static void planned(Lower *l, Stmt **nest) {
    CHECK(l->m->planned && *nest);
    called[PLANNED]++;
}

static const Schedule schedules[] = {{"before", scheduled, .optional = true, .doc = "before the plan"},
                                     {"behind", planned, .planned = true, .doc = "behind the plan"},
                                     {.name = NULL}};

static void printed(Kernel *k, Str *out) {
    print_nest(k, &dialect_c, out);
    called[PRINTED]++;
}

static void emitted(Module *m, Output *out) {
    Emit e = begin_inference(m, out, add_function);
    emit_header(&e);
    out->cu = (Str){.arena = m->arena}, out->h = e.h, out->c = e.c;
    put_text(&out->cu, "kernels\n"), put_text(&out->c, "/* the C */\n");
    called[EMITTED]++;
}

static void emitted_training(Module **m, int n, Output *out) {
    Emit e = begin_training(m, n, add_function);
    emit_training_header(&e, m, n);
    *out = (Output){.c = e.c, .h = e.h, .cu.arena = e.arena, .weights.arena = e.arena, .object.arena = e.arena};
    called[TRAINING]++;
}

static void fields(Emit *e) {
    put_member(e, "fake *device", NULL);
    called[FIELDS]++;
}

static void opened(Emit *e) {
    put_prototype(e, "int ", "open", "void");
    called[OPEN]++;
}

static void transfers(Emit *e) {
    (void)e;
    called[TRANSFERS]++;
}

static const Backend backend = {.device = true,
                                .pads_on_copy = true,
                                .ending = ".fake",
                                .schedules = schedules,
                                .print_nest = printed,
                                .emit = emitted,
                                .emit_training = emitted_training,
                                .include = "#include \"fake.h\"\n",
                                .put_fields = fields,
                                .put_open = opened,
                                .put_transfers = transfers};

/* ---- the runner: a program that copies its input ---- */

static void write_runtime(Module *m, const char *dir) {
    write_text(m, dir, "fake.h", "/* */\n", 6);
    called[RUNTIME]++;
}

static int build(Program *p, FILE *err) {
    const char *script = "#!/bin/sh\n[ $LOADED = yes ] && cp in0 out0\n",
               *path = format(p->arena, "%s/program", p->dir);
    (void)err;
    CHECK(!access(format(p->arena, "%s/model.fake", p->dir), F_OK) &&
          !access(format(p->arena, "%s/fake.h", p->dir), F_OK));
    called[BUILT]++;
    return write_file(path, script, strlen(script)) && !chmod(path, 0700) ? EXIT_OK : EXIT_BUG;
}

static void put_run_words(const Program *p, List *argv) {
    push(p->arena, argv, (void *)(uintptr_t) "env"), push(p->arena, argv, (void *)(uintptr_t) "LOADED=yes");
    called[RAN]++;
}

static const char *where(void) {
    called[WHERE]++;
    return "nowhere";
}

static const Runner runner = {write_runtime, build, put_run_words, where};
static const Target fake = {.name = "fake", .doc = "no machine", .backend = &backend, .runner = &runner, .lanes = 1};

/* ---- through the driver ---- */

static const char network[] = "network @f(%x: f32[4]) {\n  %y = Abs(%x)\n  return %y\n}\n";
static const char perceptron[] =
    "param %w: f32[4,2]\nnetwork @f(%x: f32[1,4]) {\n  %y = MatMul(%x, %w)\n  return %y\n}\n"
    "train @f {loss = MeanSquaredError, optimizer = SGD, lr = 0.1}\n";

static int emit_it(Module *m, void *arg) {
    Output out = emit_all(m);
    (void)arg;
    CHECK(strstr(out.h.s, "#include \"fake.h\"\n") && strstr(out.h.s, "fake *device;") &&
          strstr(out.h.s, "target fake"));
    CHECK(strstr(out.h.s, "int model_open(void);") && !strstr(out.h.s, "void *arena"));
    return EXIT_OK;
}

static int emit_training_it(Module **m, int n, void *arg) {
    Output out = emit_training(m, n);
    (void)arg;
    CHECK(strstr(out.h.s, "fake *device;") && !strstr(out.h.s, "void *arena"));
    return EXIT_OK;
}

static int nothing(Module *m, void *arg) {
    (void)m, (void)arg;
    return EXIT_OK;
}

/* A file of a network; its options. */
static Options options_for(const char *text, char path[32]) {
    strcpy(path, "/tmp/nncc-target-XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd));
    return (Options){.input = path, .target = &fake, .level = 2, .prefix = "model", .quiet = true};
}

static void test_functions(void) {
    char path[32];
    Options opt = options_for(network, path);
    Command c;
    Program p;
    command_new(&c);
    opt.print_nest = "before";
    CHECK(!compile(&opt, stderr, emit_it, NULL));
    CHECK(called[EMITTED] == 1 && called[SCHEDULED] == 1 && called[PLANNED] == 1 && called[PRINTED] == 1);
    opt.print_nest = NULL, opt.off = "before";
    CHECK(!compile(&opt, stderr, emit_it, NULL) && called[SCHEDULED] == 1 && called[PLANNED] == 2);
    opt.off = NULL, c.opt = opt;
    CHECK(!program_new(&p, c.arena, &c.run, &opt, NULL, stderr));
    CHECK(runs_where(&p) && !strcmp(runs_where(&p), "nowhere"));
    DataSet *s = random_set(c.arena, &p, false, 1);
    Tensor *out[1] = {NULL};
    CHECK(!program_run(&p, s, out, stderr) && out[0] && get_f(out[0], 3) == get_f(s->in[0], 3));
    program_free(&p);
    command_free(&c);
    unlink(path);
}

static void test_training(void) {
    char path[32];
    Options opt = options_for(perceptron, path);
    const Entry *wanted[MAX_ENTRIES];
    int n = 0;
    opt.train = true;
    for (const Entry *e = entries; e->name; e++) wanted[n++] = e;
    CHECK(!compile_entries(&opt, stderr, n, wanted, emit_training_it, NULL) && called[TRAINING] == 1);
    unlink(path);
}

/* ---- nests that are broken ---- */

static Stmt *find(Stmt *s, StmtKind kind) {
    for (; s; s = s->next) {
        if (s->kind == kind) return s;
        Stmt *in = find(s->body, kind);
        if (in) return in;
    }
    return NULL;
}

static void undefined(Lower *l, Stmt **nest) {
    Stmt *let = find(*nest, S_LET);
    (void)l;
    *let = *let->next;
}

static void twice(Lower *l, Stmt **nest) {
    Stmt *let = find(*nest, S_LET), *again = arena_copy(l->arena, let, sizeof *let);
    let->next = again;
}

static void outside(Lower *l, Stmt **nest) {
    Stmt *loop = find(*nest, S_FOR);
    (void)l;
    *nest = loop->body;
}

static void other_type(Lower *l, Stmt **nest) { find(*nest, S_STORE)->expr = ix(l, 7); }

static void to_input(Lower *l, Stmt **nest) { find(*nest, S_STORE)->value = l->k->arg[0]; }

static void beyond(Lower *l, Stmt **nest) {
    Stmt *store = find(*nest, S_STORE);
    store->index = ix_add(l, store->index, ix(l, 1));
}

static const struct {
    void (*run)(Lower *, Stmt **);
    const char *message;
} faults[] = {
    {undefined, "is used before it is defined"},  {twice, "is defined again"},
    {outside, "an axis is used outside"},         {other_type, "a store of another type"},
    {to_input, "what the kernel does not write"}, {beyond, "a store beyond the tensor"},
};

static void test_faults(void) {
    static const char sum[] = "network @f(%x: f32[4,8]) {\n  %y = ReduceSum(%x, [1])\n  return %y\n}\n";
    for (int i = 0; i < COUNT(faults); i++) {
        char path[32], *said = NULL;
        size_t n;
        FILE *err = open_memstream(&said, &n);
        const Schedule broken[] = {{.name = "broken", .run = faults[i].run}, {.name = NULL}};
        const Backend b = {.schedules = broken};
        const Target t = {.name = "broken", .backend = &b, .lanes = 1};
        Options opt = options_for(sum, path);
        opt.target = &t;
        CHECK(compile(&opt, err, nothing, NULL) == EXIT_BUG);
        fclose(err);
        CHECK(strstr(said, "after schedule 'broken'") && strstr(said, faults[i].message));
        if (!strstr(said, faults[i].message)) fprintf(stderr, "%s", said);
        free(said);
        unlink(path);
    }
}

int main(void) {
    test_functions();
    test_training();
    test_faults();
    for (int i = 0; i < FUNCTIONS; i++) {
        if (!called[i]) fprintf(stderr, "function %d of the target was not called\n", i);
        CHECK(called[i]);
    }
    return failures();
}
