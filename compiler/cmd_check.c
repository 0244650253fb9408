/* cmd_check.c - everything in a model that is not supported, at once. */
#include "command.h"

/* Whatever the passes cannot refuse, lowering and emission may: they run too. */
static int emit_unseen(Module *m, void *arg) {
    (void)arg;
    emit_all(m);
    stop_on_problems(m);
    printf("%s: everything in it compiles\n", escaped(m->arena, m->source, 200));
    return EXIT_OK;
}

int verb_check(Command *c) {
    if (!c->opt.prefix) c->opt.prefix = "model";
    return compile(&c->opt, stdout, emit_unseen, NULL);
}
