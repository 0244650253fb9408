/* nncc_checkpoint.c - checkpoints that survive whatever ends the program: safetensors files. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_sha256.h"
#include "nncc_train.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MOST = 1 << 24, PATH_MOST = 4096, NAME_MOST = 1024, LINKS_MOST = 40, FORMAT = 2 };

/* What the metadata say, in the order in which their own sha256 covers it, but for that of the data, which speaks for
 * itself: who puts the tensors in another order changes it. */
enum { SAID_FORMAT, SAID_NNCC, SAID_EPOCH, SAID_STEP, SAID_SEED, SAID_OPTIMIZER, SAID_SHA, KEYS, VALUE_MOST = 80 };
static const char *const keys[KEYS] = {"format", "nncc", "epoch", "step", "seed", "optimizer", "sha256"};

typedef struct {
    char value[KEYS][VALUE_MOST]; /* "": not said */
    char sha[65];                 /* metadata_sha256 */
} Metadata;

static int is_kept(const nncc_tensor *t) { return strcmp(t->block, "grads") != 0; }

static const char *type_name(const char *type) {
    return !strcmp(type, "f32") ? "F32" : !strcmp(type, "f64") ? "F64" : !strcmp(type, "i64") ? "I64" : "I32";
}

static char *place_of(const nncc_model *m, const nncc_tensor *t) {
    void *block = !strcmp(t->block, "params") ? m->params : !strcmp(t->block, "opt") ? m->opt : m->state;
    return (char *)block + t->offset;
}

static int complain(const char *path, const char *why) {
    fprintf(stderr, "%s: %s\n", path, why);
    return -1;
}

/* ---- the header that is written ---- */

typedef struct {
    char *s;
    size_t n, cap;
    int failed;
} Text;

static void add_text(Text *t, const char *s, size_t n) {
    if (t->n + n + 1 > t->cap) {
        char *more = realloc(t->s, t->cap = 2 * (t->n + n + 1));
        if (!more) {
            t->failed = 1;
            return;
        }
        t->s = more;
    }
    memcpy(t->s + t->n, s, n);
    t->s[t->n += n] = 0;
}

__attribute__((format(printf, 2, 3))) static void add(Text *t, const char *fmt, ...) {
    char s[160];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(s, sizeof s, fmt, ap);
    va_end(ap);
    add_text(t, s, n < 0 ? 0 : n < (int)sizeof s ? (size_t)n : sizeof s - 1);
}

static void add_name(Text *t, const char *s) {
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 32 || c == '"' || c == '\\')
            add(t, "\\u%04x", c);
        else
            add_text(t, s, 1);
    }
}

static void add_tensors(Text *t, const nncc_model *m) {
    int64_t at = 0;
    for (const nncc_tensor *p = m->tensors; p->name; p++) {
        if (!is_kept(p)) continue;
        add(t, "\"%s.", p->block), add_name(t, p->name);
        add(t, "\":{\"dtype\":\"%s\",\"shape\":[", type_name(p->type));
        for (int d = 0; d < p->rank; d++) add(t, "%s%lld", d ? "," : "", (long long)p->dim[d]);
        add(t, "],\"data_offsets\":[%lld,%lld]},", (long long)at, (long long)(at + p->bytes));
        at += p->bytes;
    }
}

static void hash_tensors(const nncc_model *m, char hex[65]) {
    nncc_sha256 s;
    nncc_sha_start(&s);
    for (const nncc_tensor *t = m->tensors; t->name; t++)
        if (is_kept(t)) nncc_sha_add(&s, place_of(m, t), (size_t)t->bytes);
    nncc_sha_hex(&s, hex);
}

/* Of the lines KEY=VALUE, without those that are not said: whoever writes the JSON anew keeps it. */
static void hash_metadata(const Metadata *d, char hex[65]) {
    nncc_sha256 s;
    nncc_sha_start(&s);
    for (int i = 0; i < SAID_SHA; i++) {
        if (!*d->value[i]) continue;
        nncc_sha_add(&s, keys[i], strlen(keys[i])), nncc_sha_add(&s, "=", 1);
        nncc_sha_add(&s, d->value[i], strlen(d->value[i])), nncc_sha_add(&s, "\n", 1);
    }
    nncc_sha_hex(&s, hex);
}

static Metadata metadata_of(const nncc_model *m, const nncc_progress *p) {
    Metadata d;
    char hex[65];
    memset(&d, 0, sizeof d);
    hash_tensors(m, hex);
    snprintf(d.value[SAID_FORMAT], VALUE_MOST, "%d", FORMAT);
#ifdef NNCC_VERSION
    snprintf(d.value[SAID_NNCC], VALUE_MOST, "%s", NNCC_VERSION);
#endif
    snprintf(d.value[SAID_EPOCH], VALUE_MOST, "%d", p->epoch);
    if (p->step >= 0) snprintf(d.value[SAID_STEP], VALUE_MOST, "%lld", (long long)p->step);
    snprintf(d.value[SAID_SEED], VALUE_MOST, "%u", (unsigned)p->seed);
    if (m->optimizer) snprintf(d.value[SAID_OPTIMIZER], VALUE_MOST, "%s", m->optimizer);
    snprintf(d.value[SAID_SHA], VALUE_MOST, "%s", hex);
    hash_metadata(&d, d.sha);
    return d;
}

static Text header_text(const nncc_model *m, const nncc_progress *p) {
    Text t = {0};
    const Metadata d = metadata_of(m, p);
    add(&t, "{"), add_tensors(&t, m);
    add(&t, "\"__metadata__\":{");
    for (int i = 0; i < KEYS; i++)
        if (*d.value[i]) add(&t, "\"%s\":\"", keys[i]), add_name(&t, d.value[i]), add(&t, "\",");
    add(&t, "\"metadata_sha256\":\"%s\"}}", d.sha);
    while (!t.failed && t.n % 64 != 56) add(&t, " "); /* with the 8 bytes of its length: tensors are aligned */
    return t;
}

/* ---- the file ---- */

/* Where a checkpoint's bytes go: a file beside the one they replace, or a pipe or a device itself. */
typedef struct {
    char path[PATH_MOST], temp[PATH_MOST]; /* temp: "" if it is written in place */
    int fd;
} Target;

/* The file behind symbolic links, which need not be there; what is renamed to `path` would replace the link. */
static int follow_links(const char *path, char out[PATH_MOST]) {
    char link[PATH_MOST], next[PATH_MOST];
    struct stat st;
    if (snprintf(out, PATH_MOST, "%s", path) >= PATH_MOST) return errno = ENAMETOOLONG, -1;
    for (int i = 0; !lstat(out, &st) && S_ISLNK(st.st_mode); i++) {
        ssize_t n = i < LINKS_MOST ? readlink(out, link, sizeof link - 1) : -1;
        const char *slash = strrchr(out, '/');
        if (n < 0) return errno = i < LINKS_MOST ? errno : ELOOP, -1;
        link[n] = 0;
        int dir = *link == '/' || !slash ? 0 : (int)(slash - out) + 1;
        if (dir + n >= PATH_MOST) return errno = ENAMETOOLONG, -1;
        memcpy(next, out, (size_t)dir), memcpy(next + dir, link, (size_t)n + 1);
        memcpy(out, next, (size_t)(dir + n) + 1);
    }
    return 0;
}

static int open_target(const char *path, Target *t) {
    struct stat st;
    t->fd = -1, t->temp[0] = 0;
    if (follow_links(path, t->path)) return -1;
    if (!stat(t->path, &st) && !S_ISREG(st.st_mode)) return (t->fd = open(t->path, O_WRONLY | O_CLOEXEC)) < 0 ? -1 : 0;
    size_t n = strlen(t->path);
    if (n + 24 > sizeof t->temp) return errno = ENAMETOOLONG, -1;
    memcpy(t->temp, t->path, n), snprintf(t->temp + n, 24, ".tmp.%ld", (long)getpid());
    unlink(t->temp); /* of a run that was killed, and had this number */
    t->fd = open(t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    return t->fd < 0 ? -1 : 0;
}

static int write_whole(int fd, const void *p, size_t n) {
    for (const char *s = p; n;) {
        ssize_t done = write(fd, s, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return -1;
        s += done, n -= (size_t)done;
    }
    return 0;
}

static int write_tensors(const nncc_model *m, int fd) {
    for (const nncc_tensor *t = m->tensors; t->name; t++)
        if (is_kept(t) && write_whole(fd, place_of(m, t), (size_t)t->bytes)) return -1;
    return 0;
}

/* The name of a file is only then that of the new contents when these are on the disk. */
static int sync_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    char dir[PATH_MOST] = ".";
    if (slash) snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), bad = fd < 0 || fsync(fd);
    if (fd >= 0) close(fd);
    return bad ? -1 : 0;
}

static int write_to(const nncc_model *m, const Text *header, const char *path) {
    Target t;
    unsigned char head[8];
    for (int i = 0; i < 8; i++) head[i] = (unsigned char)((uint64_t)header->n >> 8 * i);
    int bad = open_target(path, &t) || write_whole(t.fd, head, 8) || write_whole(t.fd, header->s, header->n) ||
              write_tensors(m, t.fd) || (*t.temp && fsync(t.fd));
    int why = errno;
    if (t.fd >= 0 && close(t.fd) && !bad) bad = 1, why = errno;
    if (!bad && *t.temp && (rename(t.temp, t.path) || sync_directory(t.path))) bad = 1, why = errno;
    if (bad && *t.temp && t.fd >= 0) unlink(t.temp);
    errno = why;
    return bad ? -1 : 0;
}

/* A signal that ends the program waits until the file is whole: no other is left beside it. */
static void hold_signals(sigset_t *before) {
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < (int)(sizeof ending / sizeof *ending); i++) sigaddset(&set, ending[i]);
    sigprocmask(SIG_BLOCK, &set, before);
}

int nncc_write_checkpoint(const nncc_model *m, const char *path, const nncc_progress *p) {
    sigset_t before;
    if (m->fetch && m->fetch(m->net)) return complain(path, "the GPU gives nothing to write");
    Text header = header_text(m, p);
    if (header.failed) return free(header.s), complain(path, "out of memory");
    hold_signals(&before);
    int bad = write_to(m, &header, path);
    if (bad) complain(path, strerror(errno));
    free(header.s);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return bad;
}

int nncc_can_write_checkpoint(const char *path) {
    struct stat st;
    Target t;
    if (!follow_links(path, t.path) && !stat(t.path, &st) && !S_ISREG(st.st_mode)) {
        if (S_ISDIR(st.st_mode)) return complain(path, strerror(EISDIR));
        return access(t.path, W_OK) ? complain(path, strerror(errno)) : 0;
    }
    if (open_target(path, &t)) return complain(path, strerror(errno));
    close(t.fd);
    unlink(t.temp);
    return 0;
}

/* ---- the header that is read: JSON of anyone's writing ---- */

typedef struct {
    const char *s, *end;
    int bad;
} Json;

static void skip_blanks(Json *j) {
    while (j->s < j->end && strchr(" \t\r\n", *j->s) && *j->s) j->s++;
}

static int accept(Json *j, char c) {
    skip_blanks(j);
    if (j->bad || j->s == j->end || *j->s != c) return 0;
    j->s++;
    return 1;
}

static void expect(Json *j, char c) {
    if (!accept(j, c)) j->bad = 1;
}

/* Whether there is another element; the first call comes behind the opening bracket. */
static int another(Json *j, char close, int first) {
    if (j->bad || accept(j, close)) return 0;
    if (!first) expect(j, ',');
    return !j->bad;
}

static size_t put_utf8(unsigned code, char *out) {
    if (code < 0x80) return out[0] = (char)code, 1;
    if (code < 0x800) return out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2;
    out[0] = (char)(0xe0 | code >> 12), out[1] = (char)(0x80 | (code >> 6 & 63)), out[2] = (char)(0x80 | (code & 63));
    return 3;
}

/* One character behind a backslash. */
static size_t unescape(Json *j, char out[3]) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char digits[5] = {0}, *stop = digits;
    if (j->s == j->end) return j->bad = 1, 0;
    char c = *j->s++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) return out[0] = to[known - from], 1;
    if (c != 'u' || j->end - j->s < 4) return j->bad = 1, 0;
    memcpy(digits, j->s, 4), j->s += 4;
    unsigned code = (unsigned)strtoul(digits, &stop, 16);
    if (stop != digits + 4) j->bad = 1;
    return put_utf8(code, out);
}

/* What does not fit is cut off: no name of ours is as long. */
static void read_string(Json *j, char *out, size_t cap) {
    size_t n = 0;
    char c[3];
    expect(j, '"');
    while (!j->bad && j->s < j->end && *j->s != '"') {
        size_t more = 1;
        if (*j->s == '\\')
            j->s++, more = unescape(j, c);
        else
            c[0] = *j->s++;
        for (size_t i = 0; i < more && n + 1 < cap; i++) out[n++] = c[i];
    }
    out[n] = 0;
    expect(j, '"');
}

static int64_t read_whole_number(Json *j) {
    char *end;
    skip_blanks(j);
    errno = 0;
    int64_t v = strtoll(j->s, &end, 10);
    if (end == j->s || errno) j->bad = 1;
    j->s = end;
    return v;
}

/* Any value, however deep. */
static void skip_value(Json *j) {
    char name[2];
    int64_t depth = 0;
    do {
        skip_blanks(j);
        if (j->s == j->end)
            j->bad = 1;
        else if (*j->s == '"')
            read_string(j, name, sizeof name);
        else if (*j->s == '{' || *j->s == '[')
            depth++, j->s++;
        else if (*j->s == '}' || *j->s == ']')
            depth--, j->s++;
        else
            j->s++;
        skip_blanks(j);
    } while (!j->bad && (depth > 0 || (j->s < j->end && *j->s != ',' && *j->s != '}' && *j->s != ']')));
}

typedef struct {
    const nncc_model *m;
    const char *path;
    FILE *f;
    int n;                /* tensors of the model */
    int64_t start, bytes; /* of the tensors in the file */
    int64_t *at;          /* where each of the model's lies, from there; -1: not found */
    Metadata said;
    nncc_progress progress;
    char why[NNCC_ERROR];
} Reading;

static int wrong(Reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(Reading *r, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (!*r->why) vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return -1;
}

/* A number that the metadata say, or what stands for one that they do not. */
static int64_t number_said(Reading *r, int key, int64_t most, int64_t missing) {
    const char *value = r->said.value[key];
    char *end;
    errno = 0;
    int64_t v = *value ? strtoll(value, &end, 10) : missing;
    if (*value && (*end || errno || v < 0 || v > most)) wrong(r, "its %s is '%.40s', no such number", keys[key], value);
    return v;
}

/* What is not known is for a later nncc. */
static void read_metadata(Reading *r, Json *j) {
    char key[64], value[NAME_MOST];
    expect(j, '{');
    for (int first = 1; another(j, '}', first); first = 0) {
        read_string(j, key, sizeof key), expect(j, ':');
        skip_blanks(j);
        if (j->bad || j->s == j->end || *j->s != '"') {
            skip_value(j);
            continue;
        }
        read_string(j, value, sizeof value);
        for (int i = 0; i < KEYS; i++)
            if (!strcmp(key, keys[i])) snprintf(r->said.value[i], VALUE_MOST, "%.*s", VALUE_MOST - 1, value);
        if (!strcmp(key, "metadata_sha256")) snprintf(r->said.sha, sizeof r->said.sha, "%.64s", value);
    }
}

/* Files of before have no metadata_sha256 and no optimizer, other programs' none of all: what is missing is not
 * checked. */
static int take_metadata(Reading *r) {
    const char *mine = r->m->optimizer, *theirs = r->said.value[SAID_OPTIMIZER];
    char hex[65];
    int64_t format = number_said(r, SAID_FORMAT, INT32_MAX, 1);
    r->progress.epoch = (int)number_said(r, SAID_EPOCH, INT32_MAX, 0);
    r->progress.step = number_said(r, SAID_STEP, INT64_MAX, -1);
    r->progress.seed = (uint32_t)number_said(r, SAID_SEED, UINT32_MAX, 1);
    if (format > FORMAT) return wrong(r, "it has format %lld, and this nncc reads up to %d", (long long)format, FORMAT);
    hash_metadata(&r->said, hex);
    if (*r->said.sha && strcmp(hex, r->said.sha))
        return wrong(r, "its metadata are damaged: their sha256 is %.12s..., not %.12s...", hex, r->said.sha);
    if (mine && *theirs && strcmp(mine, theirs))
        return wrong(r, "its optimizer is %.40s, the network's is %.40s", theirs, mine);
    return *r->why ? -1 : 0;
}

typedef struct {
    char type[8];
    int64_t dim[64], from, to;
    int rank;
} Found;

static void read_entry(Json *j, Found *e) {
    char key[16];
    *e = (Found){.from = -1};
    expect(j, '{');
    for (int first = 1; another(j, '}', first); first = 0) {
        read_string(j, key, sizeof key), expect(j, ':');
        if (!strcmp(key, "dtype")) {
            read_string(j, e->type, sizeof e->type);
        } else if (!strcmp(key, "shape")) {
            expect(j, '[');
            for (int one = 1; another(j, ']', one); one = 0) {
                if (e->rank == (int)(sizeof e->dim / sizeof *e->dim)) j->bad = 1;
                if (!j->bad) e->dim[e->rank++] = read_whole_number(j);
            }
        } else if (!strcmp(key, "data_offsets")) {
            expect(j, '['), e->from = read_whole_number(j);
            expect(j, ','), e->to = read_whole_number(j), expect(j, ']');
        } else {
            skip_value(j);
        }
    }
}

static const char *shape_text(char *s, size_t cap, const char *type, int rank, const int64_t *dim) {
    size_t n = (size_t)snprintf(s, cap, "%s[", type);
    for (int d = 0; d < rank && n < cap; d++)
        n += (size_t)snprintf(s + n, cap - n, "%s%lld", d ? "," : "", (long long)dim[d]);
    if (n < cap) snprintf(s + n, cap - n, "]");
    return s;
}

/* Tensors mostly come in the model's order: the search begins where the last one ended. */
static int find_tensor(const nncc_model *m, int n, const char *name, int *next) {
    for (int k = 0; k < n; k++) {
        int i = (*next + k) % n;
        const nncc_tensor *t = &m->tensors[i];
        size_t block = strlen(t->block);
        if (is_kept(t) && !strncmp(name, t->block, block) && name[block] == '.' && !strcmp(name + block + 1, t->name))
            return *next = i + 1, i;
    }
    return -1;
}

static void take_entry(Reading *r, const char *name, const Found *e, int *next) {
    char seen[64], want[64];
    int i = find_tensor(r->m, r->n, name, next);
    if (i < 0) {
        wrong(r, "it holds '%.80s', which this network and its optimizer do not have", name);
        return;
    }
    const nncc_tensor *t = &r->m->tensors[i];
    int same = e->rank == t->rank && !strcmp(e->type, type_name(t->type));
    for (int d = 0; same && d < t->rank; d++) same = e->dim[d] == t->dim[d];
    if (!same)
        wrong(r, "'%.60s' is %s, the network's is %s", name, shape_text(seen, sizeof seen, e->type, e->rank, e->dim),
              shape_text(want, sizeof want, type_name(t->type), t->rank, t->dim));
    else if (e->from < 0 || e->from > r->bytes || e->to > r->bytes || e->to - e->from != t->bytes)
        wrong(r, "it is cut off: '%.80s' does not lie within it", name);
    else
        r->at[i] = e->from;
}

static int read_header(Reading *r, const char *text, size_t n) {
    Json j = {text, text + n, 0};
    char name[NAME_MOST];
    int next = 0;
    Found e;
    expect(&j, '{');
    for (int first = 1; !*r->why && another(&j, '}', first); first = 0) {
        read_string(&j, name, sizeof name), expect(&j, ':');
        if (!strcmp(name, "__metadata__"))
            read_metadata(r, &j);
        else if (read_entry(&j, &e), !j.bad)
            take_entry(r, name, &e, &next);
    }
    skip_blanks(&j);
    if (!*r->why && (j.bad || j.s != j.end)) return wrong(r, "its header cannot be read");
    if (take_metadata(r)) return -1;
    int64_t bytes = 0;
    for (int i = 0; i < r->n; i++) {
        const nncc_tensor *t = &r->m->tensors[i];
        if (!is_kept(t)) continue;
        if (r->at[i] < 0) wrong(r, "it lacks '%s.%.80s' of this network", t->block, t->name);
        bytes += t->bytes;
    }
    if (bytes != r->bytes)
        wrong(r, "it holds %lld bytes of data, the network's are %lld", (long long)r->bytes, (long long)bytes);
    return *r->why ? -1 : 0;
}

/* Flipped bits are seen before anything of the model is changed. */
static int check_data(Reading *r) {
    const char *sha = r->said.value[SAID_SHA];
    char block[1 << 14], hex[65];
    nncc_sha256 s;
    nncc_sha_start(&s);
    for (int64_t at = 0; at < r->bytes;) {
        size_t n = r->bytes - at < (int64_t)sizeof block ? (size_t)(r->bytes - at) : sizeof block;
        if (fread(block, 1, n, r->f) != n) return wrong(r, "%s", "it is cut off");
        nncc_sha_add(&s, block, n), at += (int64_t)n;
    }
    nncc_sha_hex(&s, hex);
    return !*sha || !strcmp(hex, sha)
               ? 0
               : wrong(r, "its data are damaged: their sha256 is %.12s..., not %.12s...", hex, sha);
}

static int take_data(Reading *r) {
    for (int i = 0; i < r->n; i++) {
        const nncc_tensor *t = &r->m->tensors[i];
        if (!is_kept(t)) continue;
        if (fseeko(r->f, (off_t)(r->start + r->at[i]), SEEK_SET) ||
            fread(place_of(r->m, t), 1, (size_t)t->bytes, r->f) != (size_t)t->bytes)
            return wrong(r, "%s", "it is cut off");
    }
    return 0;
}

static int read_file(Reading *r, int64_t size) {
    unsigned char head[8];
    uint64_t n = 0;
    if (fread(head, 1, 8, r->f) != 8) return wrong(r, "it is no checkpoint: it has %lld bytes", (long long)size);
    for (int i = 0; i < 8; i++) n |= (uint64_t)head[i] << 8 * i;
    if (n > HEADER_MOST || (int64_t)n > size - 8) return wrong(r, "it is no checkpoint, or cut off in its header");
    char *text = calloc(1, (size_t)n + 1);
    r->start = 8 + (int64_t)n, r->bytes = size - r->start;
    int bad =
        !text || fread(text, 1, (size_t)n, r->f) != n ? wrong(r, "it cannot be read") : read_header(r, text, (size_t)n);
    free(text);
    return bad || check_data(r) || take_data(r) ? -1 : 0;
}

/* A pipe could wait for its writer for ever, and cannot be gone back in. */
static FILE *open_regular(const char *path, int64_t *size) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return complain(path, strerror(errno)), NULL;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return complain(path, "it is no file that a run can go on from: a pipe, a device or a directory"), NULL;
    }
    *size = st.st_size;
    return fdopen(fd, "rb");
}

int nncc_read_checkpoint(const nncc_model *m, const char *path, nncc_progress *p) {
    Reading r = {.m = m, .path = path};
    int64_t size = 0;
    while (m->tensors[r.n].name) r.n++;
    r.f = open_regular(path, &size);
    if (!r.f) return -1;
    r.at = malloc(((size_t)r.n + 1) * sizeof *r.at);
    for (int i = 0; r.at && i < r.n; i++) r.at[i] = -1;
    int bad = r.at ? read_file(&r, size) : wrong(&r, "out of memory");
    fclose(r.f), free(r.at);
    if (bad) return complain(path, r.why);
    if (m->send && m->send(m->net)) return complain(path, "the GPU does not take it");
    *p = r.progress;
    return 0;
}

int nncc_save_checkpoint(const nncc_model *m, const char *path, int epoch, uint32_t seed) {
    return nncc_write_checkpoint(m, path, &(nncc_progress){epoch, -1, seed});
}

int nncc_load_checkpoint(const nncc_model *m, const char *path, int *epoch, uint32_t *seed) {
    nncc_progress p;
    if (nncc_read_checkpoint(m, path, &p)) return -1;
    *epoch = p.epoch, *seed = p.seed;
    return 0;
}
