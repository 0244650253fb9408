/* check.c - everything in a model that is not supported, at once. */
#include "cli/command.h"
#include "driver.h"
#include "ir/build.h"
#include "ir/diag.h"

/* Whatever the passes cannot refuse, lowering and emission may: they run too. */
static int emit_unseen(Module *m, void *arg) {
    (void)arg;
    emit_all(m);
    stop_on_problems(m);
    printf("%s: everything in it compiles\n", escaped(m->arena, m->source, 200));
    return EXIT_OK;
}

/* The model is checked with 1 for every dim that nobody gave: what is not supported seldom depends on them. */
static void say_open_dims(const Command *c, int given) {
    for (int i = given; i < c->opt.dims.n; i++) {
        const DimBinding *d = c->opt.dims.at[i];
        printf("%s: checked with --dim %s=1; to compile for another extent, give it\n",
               escaped(c->arena, source_name(c->opt.input), 200), escaped(c->arena, d->name, 60));
    }
}

static int check_model(Command *c) {
    Interface model;
    int given = c->opt.dims.n, code = model_interface(c, &model, stdout);
    if (code) return code;
    bind_open_dims(c->arena, &c->opt, &model, 1);
    if (!c->opt.prefix) c->opt.prefix = "model";
    code = compile(&c->opt, stdout, emit_unseen, NULL);
    say_open_dims(c, given);
    return code;
}

int verb_check(Command *c) { return each_model(c, check_model); }
