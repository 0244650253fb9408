/* tables.c - what prints tables: --list-ops and its like. A table prints itself. */
#include "cli/command.h"
#include "harness/behaviour.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "schedule/schedule.h"
#include "targets.h"
#include "text/layers.h"
#include "train/metrics.h"
#include "train/train.h"

static bool markdown(const Command *c) { return c->topic && !strcmp(c->topic, "md"); }

int print_ops(Command *c) { return list_ops(stdout, markdown(c)), EXIT_OK; }
int print_behaviours(Command *c) { return list_behaviours(stdout, markdown(c)), EXIT_OK; }
int print_schedules(Command *c) { return list_schedules(stdout, c->opt.target), EXIT_OK; }

#define PRINTER(name, list)                                                                                            \
    int name(Command *c) {                                                                                             \
        (void)c;                                                                                                       \
        list(stdout);                                                                                                  \
        return EXIT_OK;                                                                                                \
    }
PRINTER(print_layers, list_layers)
PRINTER(print_initialisers, list_initialisers)
PRINTER(print_losses, list_losses)
PRINTER(print_rates, list_rates)
PRINTER(print_optimizers, list_optimizers)
PRINTER(print_metrics, list_metrics)
PRINTER(print_passes, list_passes)
PRINTER(print_rules, list_rules)

int print_targets(Command *c) {
    (void)c;
    for (const Target *t = targets; t->name; t++)
        printf("%-8s  %s%s%s\n", t->name, t->doc, t == targets ? "; the default" : "",
               t == find_target("native") ? "; native here" : "");
    return EXIT_OK;
}

int print_faults(Command *c) {
    (void)c;
    int faults = check_ops(stdout);
    printf("%d rows, %d faults\n", n_ops, faults);
    return faults ? EXIT_BUG : EXIT_OK;
}

int print_version(Command *c) {
    (void)c;
    puts("nncc " NNCC_VERSION);
    return EXIT_OK;
}
