/* metrics.c - which metrics nncc train knows, and which of them a network's losses allow. */
#include "train/metrics.h"
#include "ir/diag.h"
#include <ctype.h>

const Metric metrics[] = {
#define METRIC(id, needs, falls, value, doc) {#id, needs, doc},
#include "../runtime/nncc_metrics.def"
#undef METRIC
    {.name = NULL},
};

void list_metrics(FILE *f) {
    for (const Metric *m = metrics; m->name; m++) fprintf(f, "%-10s  %s\n", m->name, m->doc);
    fprintf(f, "%-10s  %s\n", "top5", "answers whose class has one of the five best scores; likewise top2 and so on");
}

static bool is_top(const char *name) {
    return !strncmp(name, "top", 3) && isdigit((unsigned char)name[3]) && !name[3 + strspn(name + 3, "0123456789")];
}

static const char *metric_choices(Arena *a, const char *name) {
    enum { MOST = 32 };
    const char *names[MOST];
    int n = 0;
    for (const Metric *m = metrics; m->name && n + 1 < MOST; m++) names[n++] = m->name;
    names[n++] = "top5";
    return choices(a, name, "there are", n, names);
}

static bool any_classes(const Training *t) {
    for (int i = 0; i < t->losses.n; i++) {
        const LossTerm *l = t->losses.at[i];
        if (l->row && l->row->metric) return true;
    }
    return false;
}

const char *wrong_metric(Arena *a, const Training *t, const char *name) {
    const Metric *m = metrics;
    while (m->name && strcmp(m->name, name)) m++;
    if (!m->name && !is_top(name))
        return format(a, "there is no metric '%s'%s", escaped(a, name, 60), metric_choices(a, name));
    if ((m->name && m->needs != 'c') || !t->losses.n || any_classes(t)) return NULL;
    if (named_losses(t))
        return format(a, "%s is asked for, which none of the losses has: they have no right and wrong", name);
    return format(a, "%s is asked for, which%s does not have: it has no right and wrong", name,
                  losses_text(a, t) + strlen("Loss"));
}
