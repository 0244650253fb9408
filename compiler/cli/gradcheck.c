/* gradcheck.c - nncc gradcheck: the gradient of every parameter and input against finite differences of the loss,
 * in double, both interpreted.
 *
 * A difference is taken at two step widths and extrapolated (Richardson); where the two disagree the loss has a kink
 * nearby, which tells nothing about the gradient: such an element is passed over and counted. At the kink itself the
 * two agree, but the slopes of either side differ by as much at half the width, where those of a smooth loss differ by
 * half. Which one-sided slope a row takes there is tests/grad/torch.txt's matter. */
#include "cli/command.h"
#include "driver.h"
#include "interp/interp.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "train/train.h"
#include <math.h>

static const double tolerance = 1e-6, step_width = 1e-3;
enum { INPUT_SEED = 7 };

/* ---- a module whose kernels are lowered once and run often ---- */

typedef struct {
    Module *m;
    void **at; /* memory by Value.id */
    Interpreted *run;
} Machine;

static void *memory(Arena *a, const Value *v) { return arena_alloc(a, (size_t)type_bytes(&v->type) + 16); }

/* Parameters get a copy of their contents, to be varied. */
static void give_memory(Machine *x, Value *v, Arena *a) {
    if (v->data && v->kind == V_CONST) return;
    x->at[v->id] = memory(a, v);
    if (v->data) memcpy(x->at[v->id], v->data->data, (size_t)type_bytes(&v->type));
    v->data = NULL;
}

static Machine machine_of(Module *m, Arena *a) {
    int values = number_values(m);
    Machine x = {.m = m, .at = NEW_ARRAY(a, void *, values)};
    count_uses(m);
    for (int i = 0; i < m->outside.n; i++) give_memory(&x, m->outside.at[i], a);
    for (int i = 0; i < m->main->nin; i++) give_memory(&x, m->main->in[i], a);
    x.run = interpreted_new(m, x.at, values);
    return x;
}

static double *numbers(const Machine *x, const Value *v) { return x->at[v->id]; }

static double loss_of(const Machine *x) {
    run_again(x->run);
    return *numbers(x, x->m->main->out[0]);
}

/* ---- data ---- */

/* Of a target that counts steps, or labels in them: all steps, and one or two labels; 0: v is no such target. */
static int64_t count_for(const Training *t, const Value *v, int64_t example) {
    for (int i = 0; i < t->losses.n; i++) {
        const LossTerm *l = t->losses.at[i];
        for (int k = 1; l->row && l->row->target && l->row->target[k]; k++)
            if (l->arg[loss_values(l->row) + k] == v) return k == 1 ? l->scores.dim[2].max : 1 + example % 2;
    }
    return 0;
}

/* Classes for labels; for probabilities numbers between 0 and 1; else normal numbers. */
static void fill_input(const Machine *x, int i, Arena *a, uint64_t *seed) {
    const Module *m = x->m;
    const Value *v = m->main->in[i];
    int64_t dim[MAX_RANK], n = type_count(&v->type);
    for (int d = 0; d < v->type.rank; d++) dim[d] = v->type.dim[d].max;
    Tensor *t = random_tensor(a, v->type.dtype, v->type.rank, dim, seed);
    const LossTerm *l = loss_about(m->training, v);
    for (int64_t k = 0; k < n; k++) {
        if (l && (of_classes(l->row) || *l->row->target == 'l')) set_i(t, k, (k * 7 + 3) % l->scores.dim[1].max);
        if (!l && count_for(m->training, v, k)) set_i(t, k, count_for(m->training, v, k));
        if (l && l->row->probabilities) set_f(t, k, 1 / (1 + exp(-get_f(t, k))));
    }
    memcpy(x->at[v->id], t->data, (size_t)type_bytes(&v->type));
}

static void fill_inputs(const Machine *x, Arena *a) {
    uint64_t seed = INPUT_SEED;
    for (int i = 0; i < x->m->main->nin; i++) fill_input(x, i, a, &seed);
}

/* ---- differences ---- */

/* The slope of the loss along one element; false at a kink. */
static bool slope_at(const Machine *x, double *p, double *slope) {
    double kept = *p, h = step_width * fmax(1, fabs(kept)), d[2], jump[2], here = loss_of(x);
    for (int k = 0; k < 2; k++, h /= 2) {
        *p = kept + h;
        double above = loss_of(x);
        *p = kept - h;
        double below = loss_of(x);
        d[k] = (above - below) / (2 * h), jump[k] = fabs(above - 2 * here + below) / h;
    }
    *p = kept;
    *slope = (4 * d[1] - d[0]) / 3;
    double size = fmax(fabs(d[0]), fabs(d[1]));
    bool agree = fabs(d[1] - d[0]) <= 1e-4 * size + 1e-9;
    return agree && !(jump[1] > 0.75 * jump[0] && jump[1] > 1e-3 * size + 1e-6);
}

typedef struct {
    double error, mine, measured;
    int64_t place;
    int tried, kinks;
} Worst;

/* Errors are relative to the largest gradient of the tensor: what is 0 beside it is not held to its own size. */
static Worst check_tensor(const Machine *value, double *p, const double *gradient, int64_t n, int samples) {
    Worst w = {.error = 0};
    double largest = 0, slope;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(gradient[i]));
    int64_t stride = n > samples ? n / samples : 1;
    for (int64_t i = 0; i < n; i += stride) {
        int64_t at = i + (stride > 1 ? (i / stride * 7919) % stride : 0); /* no regular pattern of places */
        if (at >= n) break;
        if (!slope_at(value, p + at, &slope)) {
            w.kinks++;
            continue;
        }
        double error = fabs(slope - gradient[at]) / fmax(fmax(largest, fabs(slope)), 1e-3);
        w.tried++;
        if (isnan(error)) error = (double)INFINITY;
        if (error <= w.error) continue;
        w.error = error, w.place = at, w.mine = gradient[at], w.measured = slope;
    }
    return w;
}

static void print_row(Arena *a, const Value *v, const Worst *w) {
    const char *shape = strchr(type_text(a, &v->type), '[');
    bool ok = w->error <= tolerance;
    printf("%-28s %-16s %6d %6d   %8.1e   %s\n", escaped(a, v->name, 28), shape, w->tried, w->kinks, w->error,
           ok ? "ok" : "WRONG");
    if (!ok) printf("  at element %lld: gradient %.9g, difference %.9g\n", (long long)w->place, w->mine, w->measured);
}

/* The value of the other module with this name: both come from one source. */
static Value *same_value(Module *m, const Value *v) {
    Value *w = find_value(m->main, v->name);
    ASSERT(w && same_shape(&w->type, &v->type));
    return w;
}

static const Value *subject_of(const Module *m, int i) {
    const char *name = m->main->out[i]->name;
    return find_value(m->main, format(m->arena, "%.*s", (int)(strlen(name) - strlen(".grad")), name));
}

static int check_gradients(Module **m, int n, void *arg) {
    const Command *c = arg;
    Arena *a = arena_new(0, NULL, NULL);
    Machine value = machine_of(m[0], a), gradient = machine_of(m[1], a);
    int wrong = 0, unseen = 0;
    (void)n;
    fill_inputs(&value, a);
    fill_inputs(&gradient, a);
    run_again(gradient.run);
    printf("loss %.9g\n\n%-28s %-16s %6s %6s   %8s\n", *numbers(&gradient, m[1]->main->out[0]), "gradient of", "shape",
           "tried", "kinks", "error");
    for (int i = 1; i < m[1]->main->nout; i++) {
        const Value *v = subject_of(m[1], i);
        Worst w = check_tensor(&value, numbers(&value, same_value(m[0], v)), numbers(&gradient, m[1]->main->out[i]),
                               type_count(&v->type), c->samples);
        print_row(a, v, &w);
        wrong += !(w.error <= tolerance), unseen += !w.tried;
    }
    if (unseen) printf("%d of them only at kinks\n", unseen);
    arena_free(a);
    return wrong || unseen ? EXIT_INPUT : EXIT_OK;
}

/* A batch of 3 unless the command line says otherwise. */
static void bind_bounded_dims(Command *c) {
    DimBinding *batch = NEW(c->arena, DimBinding);
    *batch = (DimBinding){.name = "batch", .min = 3, .max = 3, .used = true};
    if (!c->opt.dims.n) push(c->arena, &c->opt.dims, batch);
    for (int i = 0; i < c->opt.dims.n; i++) {
        DimBinding *d = c->opt.dims.at[i];
        d->min = d->max;
    }
}

int verb_gradcheck(Command *c) {
    const Entry *const functions[] = {&entry_value, &entry_gradient};
    Interface api;
    bind_bounded_dims(c);
    int code = model_interface(c, &api, stderr);
    if (code) return code;
    bind_open_dims(c->arena, &c->opt, &api, 3);
    c->opt.real_f64 = true, c->opt.level = 0;
    if (!c->opt.max_bytes) c->opt.max_bytes = (int64_t)2 << 30;
    return compile_entries(&c->opt, stderr, COUNT(functions), functions, check_gradients, c);
}
