/* summary.c - a network's steps: what each computes, its shape, parameters, multiply-adds and bytes. */
#include "cli/command.h"
#include "driver.h"
#include "emit/emit.h"
#include "harness/harness.h"
#include "ir/build.h"
#include "passes/passes.h"
#include "train/train.h"

enum { LAYER_WIDTH = 48 };

static int wider(int width, const char *text) { return (int)strlen(text) > width ? (int)strlen(text) : width; }

static void print_rows(Arena *a, const StepRow *row, int n) {
    int layer = wider(5, ""), shape = wider(6, "");
    for (int i = 0; i < n; i++) layer = wider(layer, row[i].layer), shape = wider(shape, row[i].shape);
    printf("%4s  %-*s  %-*s %12s %16s %14s\n", "step", layer, "layer", shape, "output", "params", "MACs", "bytes out");
    for (int i = 0; i < n; i++)
        printf("%4d  %-*s  %-*s %12s %16s %14s\n", row[i].step, layer, row[i].layer, shape, row[i].shape,
               bytes_text(a, row[i].params), bytes_text(a, row[i].macs), bytes_text(a, row[i].bytes));
}

/* What fills the arena when it is fullest. */
static void print_peak(const Module *m) {
    enum { SHOWN = 10 };
    Held *h;
    int n = at_peak(m, &h);
    if (n) printf("fullest at step %d, %s:\n", m->peak, peak_step(m));
    for (int i = 0; i < n && i < SHOWN; i++)
        printf("%14s  %s %s\n", bytes_text(m->arena, h[i].bytes), escaped(m->arena, h[i].v->name, LAYER_WIDTH),
               type_text(m->arena, &h[i].v->type));
    if (n > SHOWN) printf("%14s  and %d more\n", "", n - SHOWN);
}

/* Of a text, as it was written: passes take batch norms into weights. What calls carry on is no parameter. */
static void print_written(const Module *m) {
    int64_t n[2] = {0, 0};
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        bool state = v->kind == V_STATE, carried = false;
        for (int k = 0; k < m->carried.n && !carried; k++) carried = m->carried.at[k] == v;
        if (v->kind == V_PARAM || (state && !carried && is_float(v->type.dtype)))
            n[state] = saturating_add(n[state], type_count(&v->type));
    }
    if (n[0] + n[1])
        printf("parameters %s: %s trainable, %s non-trainable\n", bytes_text(m->arena, saturating_add(n[0], n[1])),
               bytes_text(m->arena, n[0]), bytes_text(m->arena, n[1]));
}

static int summarize(Module *m, void *arg) {
    Map *seen = map_new(m->arena);
    int n = m->kernel_list.n;
    StepRow *row = NEW_ARRAY(m->arena, StepRow, n);
    int64_t params = 0, macs = 0;
    bool repeated = false;
    (void)arg;
    emit_all(m); /* decides where the weights lie */
    printf("%s", escaped(m->arena, m->source, 200));
    if (m->producer) printf(": %s", escaped(m->arena, m->producer, 200));
    puts("\n");
    for (int i = 0; i < n; i++) {
        row[i] = step_row(m->arena, m->kernel_list.at[i], seen);
        params = saturating_add(params, row[i].params), macs = saturating_add(macs, row[i].macs);
        repeated = repeated || row[i].repeated;
    }
    print_rows(m->arena, row, n);
    printf("total %s params, %s MACs\n", bytes_text(m->arena, params), bytes_text(m->arena, macs));
    print_written(m);
    if (repeated) puts("steps in loops are counted once");
    printf("arena %lld bytes\nbound %lld bytes\nweights %lld bytes\n", (long long)m->arena_bytes,
           (long long)m->bound_bytes, (long long)m->weights_bytes);
    if (m->carried.n) printf("state %lld bytes\n", (long long)m->state_bytes);
    printf("ram %lld bytes: arena, %sinputs, outputs\n", (long long)ram_bytes(m), m->carried.n ? "state, " : "");
    print_peak(m);
    return EXIT_OK;
}

static int list_parameters(Module **m, int n, void *arg) {
    (void)n, (void)arg;
    puts("");
    print_parameters(m[0], true);
    return EXIT_OK;
}

static int summarize_model(Command *c) {
    const Entry *e = entries;
    if (c->opt.input != c->words.at[0]) puts("");
    int code = compile(&c->opt, stderr, summarize, NULL);
    while (strcmp(e->name, "forward_backward")) e++;
    return code || !c->opt.train ? code : compile_entries(&c->opt, stderr, 1, &e, list_parameters, NULL);
}

int verb_summary(Command *c) { return each_model(c, summarize_model); }
