/* roofs.c - what one core of this machine does at most, measured by a program of runtime/main beside a network's. */
#include "base/embedded.h"
#include "base/process.h"
#include "harness/harness.h"
#include <errno.h>

/* Of the block that is read: smaller ones are read too soon to be timed well, larger ones have left every cache. */
enum { SMALLEST = 1 << 14, LARGEST = 1 << 28 };
enum { LINE = 200 };

static bool write_beside(const Program *p, const char *name, const char *text, FILE *err) {
    const char *path = format(p->arena, "%s/%s", p->dir, name);
    if (write_file(path, text, strlen(text))) return true;
    return fprintf(err, "nncc: cannot write '%s': %s\n", escaped(p->arena, path, LINE), strerror(errno)), false;
}

static int run_command(const Program *p, const char *what, const char *command, const char *log, FILE *err) {
    List words = {0};
    split_words(p->arena, command, &words);
    push(p->arena, &words, NULL);
    ProcessResult r = run_process((const char *const *)words.at, p->dir, log, p->settings->seconds);
    return r.end == P_EXITED && !r.code ? EXIT_OK : process_failed(p, what, r, err);
}

/* The first line of a file of the program; "" if there is none. */
static const char *first_line(const Program *p, const char *name) {
    char line[LINE] = "";
    FILE *f = fopen(format(p->arena, "%s/%s", p->dir, name), "r");
    if (f && !fgets(line, sizeof line, f)) *line = 0;
    if (f) fclose(f);
    line[strcspn(line, "\n")] = 0;
    return arena_str(p->arena, line);
}

static const char *compiler_version(const Program *p) {
    static const char log[] = "compiler.txt";
    const char *words[] = {p->compiler, "--version", NULL};
    ProcessResult r = run_process(words, p->dir, log, p->settings->seconds);
    return r.end == P_EXITED && !r.code ? first_line(p, log) : "";
}

int measure_roofs(const Program *p, Roofs *r, FILE *err) {
    int64_t n = p->bytes < SMALLEST ? SMALLEST : p->bytes > LARGEST ? LARGEST : p->bytes;
    if (!write_beside(p, "roofs.h", embedded_text("roofs.h"), err) ||
        !write_beside(p, "roofs_main.c", embedded_text("roofs_main.c"), err))
        return EXIT_INPUT;
    const char *build = format(p->arena, "%s %s roofs_main.c -o roofs", p->compiler, compiler_flags[FLAGS_FAST]);
    int code = run_command(p, "the C compiler", build, "log.txt", err);
    if (!code) code = run_command(p, "roofs", format(p->arena, "./roofs %lld", (long long)n), "log.txt", err);
    if (code) return code;
    if (sscanf(first_line(p, "roofs.txt"), "%lf %lf", &r->flops, &r->bytes) != 2)
        return fputs("nncc: the program took no roofs\n", err), EXIT_BUG;
    r->block = n, r->compiler = compiler_version(p);
    return EXIT_OK;
}
