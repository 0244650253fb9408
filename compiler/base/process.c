/* process.c - children without a shell, the directories that their files lie in, and what becomes of both when a signal
 * ends nncc. */
#include "base/process.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* ---- signals ---- */

enum { MAX_DIRS = 8, GRACE = 250, TICK = 20 };
static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/* What a handler of signals has to know cannot be passed to it. */
static struct {
    bool handled;
    volatile pid_t child; /* 0: none */
    volatile bool leads;  /* it leads a process group of its own, with its children in it */
    struct {
        DIR *volatile open; /* NULL: not in use */
        char path[4096];
    } dir[MAX_DIRS];
} ours;

static void block_signals(sigset_t *before) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < COUNT(ending); i++) sigaddset(&set, ending[i]);
    sigprocmask(SIG_BLOCK, &set, before);
}

static void restore_signals(const sigset_t *before) { sigprocmask(SIG_SETMASK, before, NULL); }

/* The child gets the same signal, and some seconds to finish what it is writing. */
static void end_child(int sig) {
    pid_t child = ours.child, to = ours.leads ? -child : child;
    if (child <= 0) return;
    kill(to, sig), kill(to, SIGCONT);
    for (int i = 0; i < GRACE && waitpid(child, NULL, WNOHANG) == 0; i++) poll(NULL, 0, TICK);
    kill(ours.leads ? to : child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Only system calls, and readdir() of what was opened before: nothing that could wait for a lock of malloc's. A
 * grandchild may still have made a file while it was ended. */
static void empty_dir(DIR *d, const char *path) {
    for (int i = 0; i < 5; i++) {
        rewinddir(d);
        for (struct dirent *e; (e = readdir(d));)
            if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlinkat(dirfd(d), e->d_name, 0);
        if (!rmdir(path) || errno != ENOTEMPTY) return;
        poll(NULL, 0, TICK);
    }
}

static void remove_dirs(void) {
    for (int i = 0; i < MAX_DIRS; i++)
        if (ours.dir[i].open) empty_dir(ours.dir[i].open, ours.dir[i].path);
}

static void on_signal(int sig) {
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    end_child(sig);
    remove_dirs();
    sigaction(sig, &by_default, NULL);
    raise(sig); /* blocked until this returns: then nncc ends as it would have */
}

/* What was ignored when nncc started, as by nohup, stays so. A fault of nncc's own leaves through exit(). */
static void handle_signals(void) {
    struct sigaction mine = {.sa_handler = on_signal}, before;
    if (ours.handled) return;
    ours.handled = true;
    atexit(remove_dirs);
    for (int i = 0; i < COUNT(ending); i++) sigaddset(&mine.sa_mask, ending[i]);
    for (int i = 0; i < COUNT(ending); i++)
        if (!sigaction(ending[i], NULL, &before) && before.sa_handler == SIG_DFL) sigaction(ending[i], &mine, NULL);
}

/* ---- children ---- */

/* The child's side: never returns. alarm() outlives exec; the limit of processor time also reaches the child's
 * children. What has a log is no part of the terminal's job: its children end with it, compilers' too. */
static void become(const char *const *argv, const char *dir, const char *log, int limit, const sigset_t *mask) {
    struct rlimit cpu = {.rlim_cur = (rlim_t)limit, .rlim_max = (rlim_t)limit + 1};
    struct sigaction now, by_default = {.sa_handler = SIG_DFL};
    for (int i = 0; i < COUNT(ending); i++)
        if (!sigaction(ending[i], NULL, &now) && now.sa_handler == on_signal) sigaction(ending[i], &by_default, NULL);
    sigaction(SIGPIPE, &by_default, NULL); /* ignored by nncc itself, which looks at what it writes */
    if (log) setpgid(0, 0);
    restore_signals(mask);
    if (chdir(dir)) _exit(NO_SUCH_PROGRAM);
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (log && (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)) _exit(NO_SUCH_PROGRAM);
    if (limit) setrlimit(RLIMIT_CPU, &cpu);
    alarm(2u * (unsigned)limit);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(NO_SUCH_PROGRAM);
}

/* Its status; it stays a process until no handler can take its number for another's. */
static int wait_for(pid_t child) {
    sigset_t before;
    siginfo_t info;
    int status = 0;
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) && errno == EINTR) continue;
    block_signals(&before);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    ours.child = 0;
    restore_signals(&before);
    return status;
}

ProcessResult run_process(const char *const *argv, const char *dir, const char *log, int limit) {
    double start = seconds_now();
    sigset_t before;
    handle_signals();
    fflush(NULL);
    block_signals(&before);
    pid_t child = fork();
    if (child == 0) become(argv, dir, log, limit, &before);
    int why = errno;
    if (child > 0 && log) setpgid(child, child); /* whichever of the two comes first */
    if (child > 0) ours.child = child, ours.leads = log != NULL;
    restore_signals(&before);
    if (child < 0) return (ProcessResult){P_NOT_FOUND, why, 0};
    int status = wait_for(child);
    ProcessResult r = {.end = P_EXITED, .seconds = seconds_now() - start};
    if (WIFSIGNALED(status)) {
        r.code = WTERMSIG(status);
        r.end = r.code == SIGALRM || r.code == SIGXCPU ? P_TIMED_OUT : P_SIGNALLED;
        if (log) kill(-child, SIGKILL); /* what it left running */
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

/* A directory that goes away with nncc, whatever ends it. */
static void remember_dir(const char *path) {
    sigset_t before;
    block_signals(&before);
    for (int i = 0; i < MAX_DIRS; i++) {
        if (ours.dir[i].open || strlen(path) >= sizeof ours.dir[i].path) continue;
        strcpy(ours.dir[i].path, path);
        ours.dir[i].open = opendir(path);
        break;
    }
    restore_signals(&before);
}

static void forget_dir(const char *path) {
    sigset_t before;
    block_signals(&before);
    for (int i = 0; i < MAX_DIRS; i++) {
        if (!ours.dir[i].open || strcmp(ours.dir[i].path, path)) continue;
        closedir(ours.dir[i].open);
        ours.dir[i].open = NULL;
    }
    restore_signals(&before);
}

char *working_dir(Arena *a, const char *dir) {
    const char *base = getenv("TMPDIR");
    sigset_t before;
    if (dir) return mkdir(dir, 0777) && errno != EEXIST ? NULL : arena_str(a, dir);
    handle_signals();
    block_signals(&before);
    char *path = mkdtemp(format(a, "%s/nncc-XXXXXX", base && *base ? base : "/tmp"));
    if (path) remember_dir(path);
    restore_signals(&before);
    return path;
}

void remove_dir(const char *path) {
    DIR *d = opendir(path);
    if (d) empty_dir(d, path), closedir(d);
    forget_dir(path);
}
