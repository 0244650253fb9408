/* manager.c - runs the schedules of a target on a nest, verifies it after each, and prints it where that is asked for.
 */
#include "ir/build.h"
#include "lower/lower.h"
#include "schedule/schedule.h"

const char *schedule_label(Arena *a, const Schedule *list, const Schedule *s) {
    return turn_label(a, list, s, sizeof *s);
}

const Schedule *find_schedule(Arena *a, const Target *target, const char *label) {
    const Schedule *list = target->backend->schedules;
    for (const Schedule *s = list; s->name; s++)
        if (!strcmp(label, schedule_label(a, list, s))) return s;
    return NULL;
}

void list_schedules(FILE *f, const Target *t) {
    Arena *a = arena_new(0, NULL, NULL);
    const Schedule *list = t->backend->schedules;
    for (const Schedule *s = list; s->name; s++)
        fprintf(f, "%-11s -O%d%s  %s\n", schedule_label(a, list, s), s->level,
                s->optional ? ", optional" : "          ", s->doc);
    arena_free(a);
}

/* A list that names a schedule means all its turns, one that names a turn that one. */
static bool named(const Module *m, const char *list, const Schedule *s) {
    return in_list(list, s->name) || in_list(list, schedule_label(m->arena, m->target->backend->schedules, s));
}

static bool selected(const Module *m, const Schedule *s) {
    const Options *o = m->opt;
    if (s->fills_templates && o->no_templates) return false;
    return s->level <= o->level && !(s->optional && named(m, o->off, s));
}

static void print_after(Kernel *k, const char *label) {
    Module *m = k->module;
    Str text = {.arena = m->arena};
    const Node *n = main_node(k) ? main_node(k) : k->node[0];
    m->target->backend->print_nest(k, &text);
    fprintf(m->err, "// ----- %s after %s\n%s", node_text(m->arena, n), label, text.s ? text.s : "");
}

static void run(Kernel *k, bool planned) {
    Module *m = k->module;
    Lower l = {.k = k, .m = m, .arena = m->arena};
    const char *printed = m->opt->print_nest;
    for (const Schedule *s = m->target->backend->schedules; s->name; s++) {
        if (s->planned != planned || !selected(m, s)) continue;
        const char *label = schedule_label(m->arena, m->target->backend->schedules, s);
        s->run(&l, &k->body);
        verify_nest(k, k->body, label);
        if (printed && (in_list(printed, "all") || named(m, printed, s))) print_after(k, label);
    }
}

void schedule(Kernel *k) {
    k->macs = count_macs(k->body);
    if (k->module->opt->timed) k->bytes = count_bytes(k);
    verify_nest(k, k->body, "lowering");
    run(k, false);
}

void schedule_planned(Kernel *k) { run(k, true); }
