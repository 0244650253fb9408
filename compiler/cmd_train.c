/* cmd_train.c - compiling a program that trains; nncc train: that program built and run on data. */
#include "command.h"
#include "train.h"

int compile_training(Command *c, int (*then)(Module **, int, void *)) {
    const Entry *wanted[MOST_ENTRIES];
    int n = 0;
    for (const Entry *e = entries; e->name; e++)
        if (!c->entry || !strcmp(c->entry, e->name)) wanted[n++] = e;
    if (!n)
        return fprintf(stderr, "nncc: --entry: there is no function '%s'\n", escaped(c->arena, c->entry, 40)),
               EXIT_USAGE;
    return compile_entries(&c->opt, stderr, n, wanted, then, c);
}
