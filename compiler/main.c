/* main.c - the command: what it was asked, and who does it. */
#include "cli/command.h"
#include "ir/build.h"
#include <signal.h>

/* Whether the verb works on a model, as all but requests such as --help do. */
static bool needs_model(const Command *c) {
    for (const Verb *v = verbs; v->name; v++)
        if (v->run == c->verb) return true;
    return false;
}

int main(int argc, char **argv) {
    Command c;
    signal(SIGPIPE, SIG_IGN);
    command_new(&c);
    int code = parse_command(&c, argc - 1, argv + 1, stderr);
    if (!code && needs_model(&c) && !c.opt.input) {
        fputs("nncc: expected a MODEL argument, saw none; see nncc --help\n", stderr);
        code = EXIT_USAGE;
    }
    if (!code) code = c.verb(&c);
    if (fflush(stdout) && !code) {
        perror("nncc: standard output");
        code = EXIT_INPUT;
    }
    command_free(&c);
    return code;
}
