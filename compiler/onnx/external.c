/* external.c - contents of tensors in other files. A model names those files, so nothing is opened but regular files
 * below one folder, reached without a link: that of --external-data, else the model's own. */
#include "onnx/importer.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    const char *at;
    size_t size;
    const char *why;
} Mapped;

static const char *entry(const Onnx__TensorProto *t, const char *key) {
    for (size_t i = 0; i < t->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = t->external_data[i];
        if (e->key && !strcmp(e->key, key)) return e->value;
    }
    return NULL;
}

/* A decimal number that fits into 63 bits; -1 if it is none. */
static int64_t number_of(const char *s) {
    int64_t v = 0;
    for (; *s; s++)
        if (*s < '0' || *s > '9' || !mul_ok(v, 10, &v) || !add_ok(v, *s - '0', &v)) return -1;
    return v;
}

/* The way to a file without ".", ".." and empty parts, as text alone: "./w.bin" is "w.bin". NULL if it leads out of the
 * folder it begins in, or to a folder. */
static char *normal_path(Arena *a, const char *path) {
    char *normal = arena_alloc(a, strlen(path) + 1), *end = normal;
    bool at_file = false;
    if (*path == '/') return NULL;
    for (const char *part = path; *part; part += strspn(part, "/")) {
        size_t n = strcspn(part, "/");
        at_file = !part[n] && !(n == 1 && *part == '.') && !(n == 2 && !strncmp(part, "..", 2));
        if (n == 2 && !strncmp(part, "..", 2)) {
            if (end == normal) return NULL;
            while (end > normal && *--end != '/') {}
        } else if (n != 1 || *part != '.') {
            if (end > normal) *end++ = '/';
            memcpy(end, part, n), end += n;
        }
        part += n;
    }
    *end = 0;
    return at_file ? normal : NULL;
}

/* Opens `path` below the folder `dir`, one component at a time: never up, never through a link; -1 with errno. This is
 * the one place where a file is opened that a model names. */
static int open_below(const char *dir, char *path) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), why = errno;
    for (char *part = path, *slash; fd >= 0; part = slash + 1) {
        slash = strchr(part, '/');
        if (slash) *slash = 0;
        bool bad = !*part || !strcmp(part, ".") || !strcmp(part, "..");
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (slash ? O_DIRECTORY : O_NONBLOCK);
        int next = bad ? -1 : openat(fd, part, flags);
        why = bad ? EINVAL : errno;
        close(fd);
        fd = next;
        if (!slash) break;
    }
    errno = why;
    return fd;
}

/* The folder that files are looked for in, and what it is called in messages. NULL: a model from standard input has
 * none. */
static const char *folder_of(const Importer *im, const char **called) {
    const char *given = im->m->opt->external_data, *slash = strrchr(im->path, '/');
    *called = given ? "the folder given by --external-data" : "the model's folder; --external-data DIR names another";
    if (given || !strcmp(im->path, "-")) return given;
    return slash == im->path ? "/" : slash ? format(im->m->arena, "%.*s", (int)(slash - im->path), im->path) : ".";
}

/* Maps a file that the model names. The mapping stays until nncc ends: tensors point into it. */
static Mapped *map_below(Arena *a, const char *dir, const char *called, const char *location) {
    Mapped *m = NEW(a, Mapped);
    struct stat st;
    char *path = normal_path(a, location);
    int fd = path ? open_below(dir, path) : -1;
    if (!path)
        m->why = format(a, "it is not below %s", called);
    else if (fd < 0 && errno == ENOENT)
        m->why = format(a, "there is none below %s", called);
    else if (fd < 0 || fstat(fd, &st))
        m->why = format(a, "it cannot be opened, or a link leads to it, below %s", called);
    else if (!S_ISREG(st.st_mode))
        m->why = "it is not a regular file";
    else if (st.st_nlink != 1)
        m->why = "it has more than one name";
    else if (st.st_size == 0)
        m->at = "";
    else {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED)
            m->why = "it cannot be mapped";
        else
            m->at = at, m->size = (size_t)st.st_size;
    }
    if (fd >= 0) close(fd);
    return m;
}

static const Mapped *file_of(Importer *im, const char *dir, const char *called, const char *location) {
    Mapped *m = map_get(im->files, location);
    if (m) return m;
    m = map_below(im->m->arena, dir, called, location);
    map_set(im->files, location, m);
    im->m->external_bytes += m->size;
    push(im->m->arena, &im->m->external, format(im->m->arena, "%s/%s", dir, location));
    return m;
}

const void *external_contents(Importer *im, const Onnx__TensorProto *t, size_t need, const char **why) {
    Arena *a = im->m->arena;
    const char *called, *dir = folder_of(im, &called), *location = entry(t, "location");
    const char *from = entry(t, "offset"), *length = entry(t, "length");
    if (!location)
        *why = "its contents are external, but it names no file";
    else if (!dir)
        *why = format(a, "its contents are in the file '%s'; give its folder with --external-data DIR",
                      escaped(a, location, 80));
    if (!location || !dir) return NULL;
    const Mapped *file = file_of(im, dir, called, location);
    int64_t offset = from ? number_of(from) : 0, bytes = length ? number_of(length) : (int64_t)need;
    if (file->why)
        *why = format(a, "its contents are in the file '%s': %s", escaped(a, location, 80), file->why);
    else if (offset < 0 || bytes < 0)
        *why = "the offset or length of its external contents is not a number";
    else if ((size_t)bytes != need)
        *why = format(a, "expected the %zu bytes of its type, saw %lld", need, (long long)bytes);
    else if ((uint64_t)offset > file->size || need > file->size - (size_t)offset)
        *why = format(a, "the file '%s' ends before its contents: %zu bytes, of which it uses %zu from %lld on",
                      escaped(a, location, 80), file->size, need, (long long)offset);
    else
        return file->at + offset;
    return NULL;
}
