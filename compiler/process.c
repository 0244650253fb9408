/* process.c - children without a shell, and the directory that their files lie in. */
#include "process.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NO_SUCH_PROGRAM = 127 };

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The child's side: never returns. alarm() outlives exec; the limit of processor time also reaches the child's
 * children. */
static void become(const char *const *argv, const char *dir, const char *log, int limit) {
    struct rlimit cpu = {.rlim_cur = (rlim_t)limit, .rlim_max = (rlim_t)limit + 1};
    if (chdir(dir)) _exit(NO_SUCH_PROGRAM);
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (log && (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)) _exit(NO_SUCH_PROGRAM);
    if (limit) setrlimit(RLIMIT_CPU, &cpu);
    alarm(2u * (unsigned)limit);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(NO_SUCH_PROGRAM);
}

ProcessResult run_process(const char *const *argv, const char *dir, const char *log, int limit) {
    double start = seconds_now();
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) become(argv, dir, log, limit);
    if (child < 0) return (ProcessResult){P_NOT_FOUND, errno, 0};
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    ProcessResult r = {.end = P_EXITED, .seconds = seconds_now() - start};
    if (WIFSIGNALED(status)) {
        r.code = WTERMSIG(status);
        r.end = r.code == SIGALRM || r.code == SIGXCPU ? P_TIMED_OUT : P_SIGNALLED;
    } else {
        r.code = WEXITSTATUS(status);
        if (r.code == NO_SUCH_PROGRAM) r.end = P_NOT_FOUND;
    }
    return r;
}

void split_words(Arena *a, const char *s, List *words) {
    for (s += strspn(s, " \t"); *s; s += strspn(s, " \t")) {
        size_t n = strcspn(s, " \t");
        push(a, words, format(a, "%.*s", (int)n, s));
        s += n;
    }
}

char *working_dir(Arena *a, const char *wanted) {
    const char *base = getenv("TMPDIR");
    if (wanted) return mkdir(wanted, 0777) && errno != EEXIST ? NULL : arena_str(a, wanted);
    return mkdtemp(format(a, "%s/nncc-XXXXXX", base && *base ? base : "/tmp"));
}

void remove_dir(const char *path) {
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(path);
}
