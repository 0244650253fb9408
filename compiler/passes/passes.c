/* passes.c - the pass manager: runs the rows of passes.def, verifies after each, prints what was asked for. */
#include "passes/passes.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "schedule/schedule.h"
#include "text/text.h"
#include "train/train.h"
#include <time.h>

const Pass passes[] = {
#define PASS(id, ...) {.name = #id, .run = pass_##id, __VA_ARGS__},
#include "passes/passes.def"
#undef PASS
    {.name = NULL},
};

/* "fold", and "fold.2" where it runs again. */
static const char *label_of(Arena *a, const Pass *p) { return turn_label(a, passes, p, sizeof *p); }

void list_passes(FILE *f) {
    Arena *a = arena_new(0, NULL, NULL);
    for (const Pass *p = passes; p->name; p++)
        fprintf(f, "%-10s -O%d%s  %s\n", label_of(a, p), p->level, p->optional ? ", optional" : "          ", p->doc);
    arena_free(a);
}

/* A list that names a pass means all its turns, one that names a turn that one. */
static bool named(Arena *a, const char *list, const Pass *p) {
    return in_list(list, p->name) || in_list(list, label_of(a, p));
}

static const Pass *find_pass(Arena *a, const char *label) {
    for (const Pass *p = passes; p->name; p++)
        if (!strcmp(label, label_of(a, p))) return p;
    return NULL;
}

/* What an option takes: names of passes, of the target's schedules, and one word besides. */
typedef struct {
    const char *option, *list, *also;
    bool passes, schedules, only_optional;
} NameList;

static _Noreturn void no_such_name(Module *m, const NameList *l, const char *name) {
    List names = {0};
    const Schedule *schedules = m->target->backend->schedules;
    for (const Pass *p = passes; l->passes && p->name; p++)
        push(m->arena, &names, (void *)(uintptr_t)label_of(m->arena, p));
    for (const Schedule *s = schedules; l->schedules && s->name; s++)
        push(m->arena, &names, (void *)(uintptr_t)schedule_label(m->arena, schedules, s));
    if (l->also) push(m->arena, &names, (void *)(uintptr_t)l->also);
    const char *who = l->passes ? "there is" : format(m->arena, "target %s has", m->target->name),
               *what = !l->schedules ? "pass"
                       : l->passes   ? "pass or schedule"
                                     : "schedule";
    fatal(m, EXIT_USAGE, "%s: %s no %s '%s'%s", l->option, who, what, escaped(m->arena, name, 40),
          choices(m->arena, name, "the choices are", names.n, (const char *const *)names.at));
}

static void check_list(Module *m, const NameList *l) {
    for (const char *s = l->list; s && *s; s += strcspn(s, ","), s += *s == ',') {
        const char *word = format(m->arena, "%.*s", (int)strcspn(s, ","), s);
        const Pass *p = l->passes ? find_pass(m->arena, word) : NULL;
        const Schedule *nest = l->schedules ? find_schedule(m->arena, m->target, word) : NULL;
        if (l->also && !strcmp(l->also, word)) continue;
        if (!p && !nest) no_such_name(m, l, word);
        if (l->only_optional && !(p ? p->optional : nest->optional))
            fatal(m, EXIT_USAGE, "%s: %s '%s' cannot be switched off", l->option, p ? "pass" : "schedule", word);
    }
}

/* Whether the graph is the output, after whichever passes have run, not code or a run, which need all of them. */
static bool wants_graph(const Options *o) {
    return o->emit && (!strcmp(o->emit, "nn") || !strcmp(o->emit, "dot") || !strcmp(o->emit, "onnx"));
}

static bool selected(const Module *m, const Pass *p) {
    const Options *o = m->opt;
    bool types = p == passes && o->passes && strcmp(o->passes, "none"); /* every other pass needs them */
    if (p->training && !m->entry && m->segments <= 1) return false;
    if (o->passes) return types || named(m->arena, o->passes, p) || (!p->optional && !wants_graph(o));
    return p->level <= o->level && !(p->optional && named(m->arena, o->off, p));
}

static const char *dump(Module *m) {
    Str s = {.arena = m->arena};
    print_module(m, &s, NULL);
    return s.s;
}

static void print_after(Module *m, const Pass *p, const char *before) {
    const Options *o = m->opt;
    bool listed = o->print_after && (named(m->arena, o->print_after, p) || in_list(o->print_after, "all"));
    if (!listed && !o->print_change) return;
    const char *now = dump(m);
    if (o->print_change && before && !strcmp(before, now)) return;
    fprintf(m->err, "// ----- after %s\n%s", label_of(m->arena, p), now);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* nncc has one thread; what else the machine does is not its time */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_pass(Module *m, const Pass *p) {
    double start = seconds();
    p->run(m);
    stop_on_problems(m);
    m->after = label_of(m->arena, p);
    verify(m, m->after);
    if (m->opt->time_passes) fprintf(m->err, "%-10s %9.3f ms\n", m->after, 1e3 * (seconds() - start));
}

void run_passes(Module *m) {
    const Options *o = m->opt;
    check_list(m, &(NameList){"--passes", o->passes, "none", .passes = true});
    check_list(m, &(NameList){"--off", o->off, .passes = true, .schedules = true, .only_optional = true});
    check_list(m, &(NameList){"--print-ir-after", o->print_after, "all", .passes = true});
    check_list(m, &(NameList){"--print-nest-after", o->print_nest, "all", .schedules = true});
    const Pass *p = passes;
    initialise_params(m);
    prepare_training(m);
    prepare_random(m);
    prepare_state(m);
    stop_on_problems(m);
    if (o->quantized_io) quantize_io(m);
    if (o->real_f64) promote_to_f64(m);
    if (m->after) {
        const Pass *last = find_pass(m->arena, m->after);
        if (!last)
            fatal(m, EXIT_INPUT, "the dump was taken after '%s', which is no pass", escaped(m->arena, m->after, 40));
        pass_infer(m); /* gives back what a dump leaves out: known contents of shape arithmetic */
        stop_on_problems(m);
        p = last + 1;
    }
    for (; p->name; p++) {
        if (!selected(m, p)) continue;
        const char *before = o->print_change ? dump(m) : NULL;
        run_pass(m, p);
        print_after(m, p, before);
    }
}
