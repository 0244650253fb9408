/* files.c - files that are written: all of a set or none, through links, never half of one. */
#include "base/base.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_FILES = 8, MAX_PATH = 4096, TRIES = 100 };

/* A file on its way: where it goes, links followed, and the temporary that holds it until all are written. */
typedef struct {
    char target[MAX_PATH], temp[MAX_PATH + 64];
    bool staged;
} Staged;

static bool write_all(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k, n -= (size_t)k;
    }
    return true;
}

/* The descriptor that a path such as /dev/stdout or /dev/fd/3 stands for, else -1: to open it anew would begin at the
 * start of its file. */
static int descriptor_of(const char *path) {
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    if (!strcmp(path, "/dev/stdout")) return STDOUT_FILENO;
    if (!strcmp(path, "/dev/stderr")) return STDERR_FILENO;
    for (int i = 0; i < COUNT(folders); i++) {
        size_t n = strlen(folders[i]);
        if (!strncmp(path, folders[i], n) && isdigit((unsigned char)path[n])) return atoi(path + n);
    }
    return -1;
}

bool written_in_place(const char *path) {
    struct stat st;
    return descriptor_of(path) >= 0 || (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

bool same_file(const char *a, const char *b) {
    struct stat s, t;
    return !stat(a, &s) && !stat(b, &t) && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash + 1 - path) : 0;
}

/* Replaces the link in `path` by what it points to; false if that is too long. */
static bool follow(char path[MAX_PATH], const char *to) {
    size_t folder = *to == '/' ? 0 : folder_length(path), n = strlen(to);
    if (folder + n >= MAX_PATH) return errno = ENAMETOOLONG, false;
    memcpy(path + folder, to, n + 1);
    return true;
}

/* Where a file is that a path names, or will be: rename() would replace a link by the file. */
static bool follow_links(const char *from, char path[MAX_PATH]) {
    struct stat st;
    if (!follow(memset(path, 0, MAX_PATH), from)) return false;
    for (int i = 0; i < MAX_LINKS; i++) {
        char to[MAX_PATH];
        if (lstat(path, &st)) return errno == ENOENT;
        if (!S_ISLNK(st.st_mode)) return true;
        ssize_t n = readlink(path, to, sizeof to - 1);
        if (n < 0) return false;
        to[n] = 0;
        if (!follow(path, to)) return false;
    }
    return errno = ELOOP, false;
}

/* A new file in the target's folder: its name is short, so that it fits wherever the target's does. */
static int open_temporary(Staged *s) {
    int fd = -1, folder = (int)folder_length(s->target);
    for (int i = 0; i < TRIES && fd < 0 && (!i || errno == EEXIST); i++) {
        snprintf(s->temp, sizeof s->temp, "%.*snncc.%ld.%d.tmp", folder, s->target, (long)getpid(), i);
        fd = open(s->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    return fd;
}

/* Writes the temporary of a regular file. One that is there already keeps its mode, and a write-protected one its
 * contents. */
static bool stage(Staged *s, const NewFile *f) {
    struct stat st;
    if (written_in_place(f->path)) return true;
    if (!follow_links(f->path, s->target)) return false;
    bool there = !stat(s->target, &st);
    if (there && S_ISDIR(st.st_mode)) return errno = EISDIR, false;
    if (there && access(s->target, W_OK)) return false;
    int fd = open_temporary(s);
    if (fd < 0) return false;
    s->staged = true;
    bool ok = write_all(fd, f->bytes, f->n) && (!there || !fchmod(fd, st.st_mode & 07777));
    return !close(fd) && ok;
}

static bool write_in_place(const NewFile *f) {
    int own = descriptor_of(f->path), fd = own < 0 ? open(f->path, O_WRONLY | O_CLOEXEC) : own;
    bool ok = fd >= 0 && write_all(fd, f->bytes, f->n);
    return (fd < 0 || own >= 0 || !close(fd)) && ok;
}

static bool commit(Staged *s, const NewFile *f) {
    if (!s->staged) return write_in_place(f);
    if (rename(s->temp, s->target)) return false;
    s->staged = false;
    return true;
}

bool write_files(const NewFile *f, int n, const char **failed) {
    Staged *s = calloc(MAX_FILES, sizeof *s);
    bool ok = s != NULL;
    int i;
    ASSERT(n <= MAX_FILES);
    *failed = n ? f->path : NULL;
    for (i = 0; ok && i < n; i++) *failed = f[i].path, ok = stage(&s[i], &f[i]);
    for (i = 0; ok && i < n; i++) *failed = f[i].path, ok = commit(&s[i], &f[i]);
    int e = errno;
    for (i = 0; s && i < n; i++)
        if (s[i].staged) unlink(s[i].temp);
    free(s);
    errno = e;
    return ok;
}

bool write_file(const char *path, const void *bytes, size_t n) {
    const char *failed;
    return write_files(&(NewFile){path, bytes, n}, 1, &failed);
}

bool can_write_file(const char *path) {
    Staged *s = calloc(1, sizeof *s);
    if (!s) return false;
    bool ok =
        written_in_place(path) ? descriptor_of(path) >= 0 || !access(path, W_OK) : stage(s, &(NewFile){path, "", 0});
    int e = errno;
    if (s->staged) unlink(s->temp);
    free(s);
    errno = e;
    return ok;
}
