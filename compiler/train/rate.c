/* rate.c - schedules: the learning rate as a function of the step, which has no state. */
#include "ir/build.h"
#include "ir/diag.h"
#include "train/train.h"
#include <math.h>

const RateRow rates[] = {
#define RATE(id, ...) {.name = #id, __VA_ARGS__},
#include "train/rates.def"
#undef RATE
    {.name = NULL},
};

static void list_settings(FILE *f, const Option *o) {
    for (int i = 0; i < MAX_OPTIONS && o[i].name; i++) {
        fprintf(f, "%s%s", i ? ", " : "", o[i].name);
        if (!isnan(o[i].value)) fprintf(f, " = %g", o[i].value);
    }
}

void list_rates(FILE *f) {
    for (const RateRow *r = rates; r->name; r++) {
        fprintf(f, "%-12s  %s\n              ", r->name, r->doc);
        list_settings(f, r->option);
        fputs("\n", f);
    }
}

const RateRow *find_rate(const char *name) {
    for (const RateRow *r = rates; r->name; r++)
        if (!strcmp(r->name, name)) return r;
    return NULL;
}

const char *rate_choices(Arena *a, const char *name) {
    enum { MOST = 32 };
    const char *names[MOST];
    int n = 0;
    for (const RateRow *r = rates; r->name; r++) names[n++] = r->name;
    return choices(a, name, "there are", n, names);
}

Rate *read_rate(Module *m, const char *text) {
    Rate *r = NEW(m->arena, Rate);
    const char *name = format(m->arena, "%.*s", (int)strcspn(text, "( "), text);
    r->row = find_rate(name);
    if (!r->row)
        fatal(m, EXIT_INPUT, "there is no schedule '%s'%s", escaped(m->arena, name, 60), rate_choices(m->arena, name));
    const char *wrong = read_options(m->arena, text, name, r->row->option, r->option);
    if (wrong) fatal(m, EXIT_INPUT, "%s", wrong);
    for (int i = 0; i < MAX_OPTIONS && r->row->option[i].name; i++)
        if (!r->option[i].given)
            fatal(m, EXIT_INPUT, "'%s': expected %s, as in %s(%s = 1000)", name, r->row->option[i].name, name,
                  r->row->option[i].name);
    const char *settings = options_text(m->arena, r->row->option, r->option);
    r->text = *settings ? format(m->arena, "%s(%s)", name, settings) : name;
    return r;
}

double warmup_of(const Rate *r) {
    for (int i = 0; i < MAX_OPTIONS && r->row->option[i].name; i++)
        if (!strcmp(r->row->option[i].name, "warmup")) return r->option[i].value;
    return 0;
}
