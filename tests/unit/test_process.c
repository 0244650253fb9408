/* Children: exit codes, signals, limits, programs that are not there; no shell reads their arguments. */
#include "base/process.h"
#include "check.h"
#include <signal.h>
#include <unistd.h>

static char *dir;

static ProcessResult run_sh(const char *script, int limit) {
    return run_process((const char *const[]){"sh", "-c", script, NULL}, dir, "log", limit);
}

int main(void) {
    Arena *a = arena_new(0, NULL, NULL);
    List words = {0};
    size_t n = 0;
    dir = working_dir(a, NULL);
    CHECK(dir && access(dir, W_OK) == 0);

    CHECK(run_sh("exit 7", 10).end == P_EXITED && run_sh("exit 7", 10).code == 7);
    ProcessResult killed = run_sh("kill -SEGV $$", 10);
    CHECK(killed.end == P_SIGNALLED && killed.code == SIGSEGV);
    CHECK(run_sh("while :; do :; done", 1).end == P_TIMED_OUT);
    CHECK(run_process((const char *const[]){"no-such-program-here", NULL}, dir, "log", 5).end == P_NOT_FOUND);

    char *log = format(a, "%s/log", dir);
    run_process((const char *const[]){"echo", "$HOME; exit", NULL}, dir, "log", 5);
    const char *text = map_file(log, &n);
    CHECK(text && n == 12 && !memcmp(text, "$HOME; exit\n", 12));

    split_words(a, "  gcc  -O2 -m64 ", &words);
    CHECK(words.n == 3 && !strcmp(words.at[0], "gcc") && !strcmp(words.at[2], "-m64"));
    remove_dir(dir);
    CHECK(access(dir, F_OK) != 0);
    arena_free(a);
    return failures();
}
