/* models.c - verbs that take several models. */
#include "cli/command.h"

/* The worst of two exit codes: a fault of ours, then of the command, of the model, then what is not supported. */
static int worse(int a, int b) {
    static const int order[] = {EXIT_BUG, EXIT_USAGE, EXIT_INPUT, EXIT_UNSUPPORTED};
    for (int i = 0; i < COUNT(order); i++)
        if (a == order[i] || b == order[i]) return order[i];
    return EXIT_OK;
}

int each_model(Command *c, int (*verb)(Command *)) {
    const Options given = c->opt;
    int code = EXIT_OK;
    for (int i = 0; i < c->words.n; i++) {
        c->opt = given, c->opt.input = c->words.at[i];
        for (int k = 0; k < given.dims.n; k++) ((DimBinding *)given.dims.at[k])->used = false;
        for (int k = 0; k < given.consts.n; k++) ((Rename *)given.consts.at[k])->used = false;
        code = worse(code, verb(c));
        for (int k = 0; k < given.bounds.n; k++) ((Rename *)given.bounds.at[k])->used = false;
        fflush(stdout); /* in order with what is on standard error */
    }
    return code;
}
