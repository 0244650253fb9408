/* nncc_checkpoint.c - checkpoints that survive whatever ends the program: safetensors files. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_sha256.h"
#include "nncc_train.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MOST = 1 << 24, PATH_MOST = 4096, NAME_MOST = 1024, LINKS_MOST = 40, KEY_MOST = 64, FORMAT = 2 };

/* Names that a later nncc gives a meaning: what a file says of them is written back. */
static const char *const kept_names[NNCC_KEPT] = {"schedule", "early_stop", "best", "ema"};

/* What metadata_sha256 covers in files without metadata_keys. */
static const char first_keys[] = "format nncc epoch step seed optimizer";
static const char setting_prefix[] = "optimizer.";

static int is_kept(const nncc_tensor *t) { return strcmp(t->block, "grads") != 0; }

static const char *type_name(const char *type) {
    return !strcmp(type, "f32") ? "F32" : !strcmp(type, "f64") ? "F64" : !strcmp(type, "i64") ? "I64" : "I32";
}

static char *place_of(const nncc_model *m, const nncc_tensor *t) {
    void *block = !strcmp(t->block, "params") ? m->params : !strcmp(t->block, "opt") ? m->opt : m->state;
    return (char *)block + t->offset;
}

/* Control characters, those of two bytes in UTF-8 as well. */
char *nncc_printable(char *s) {
    for (unsigned char *c = (unsigned char *)s; *c; c++)
        if (*c < 32 || *c == 127 || (*c == 0xc2 && c[1] >= 128 && c[1] < 160)) *c = '?';
    return s;
}

static int complain(const char *path, const char *why) {
    char text[NNCC_ERROR];
    snprintf(text, sizeof text, "%s", why);
    fprintf(stderr, "%s: %s\n", path, nncc_printable(text));
    return -1;
}

/* ---- the header that is written ---- */

typedef struct {
    char *s;
    size_t n, cap;
    int failed;
} Text;

static void add_text(Text *t, const char *s, size_t n) {
    if (t->failed) return;
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

/* ---- metadata: strings by name, one behind the other: key, 0, value, 0 ---- */

static void say(Text *d, const char *key, const char *value) {
    add_text(d, key, strlen(key) + 1);
    add_text(d, value, strlen(value) + 1);
}

__attribute__((format(printf, 3, 4))) static void sayf(Text *d, const char *key, const char *fmt, ...) {
    char value[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    say(d, key, value);
}

static const char *value_behind(const char *key) { return key + strlen(key) + 1; }
static const char *entry_behind(const char *key) { return value_behind(value_behind(key)); }

/* NULL: not said. */
static const char *said(const Text *d, const char *key) {
    for (const char *s = d->s; s && s < d->s + d->n; s = entry_behind(s))
        if (!strcmp(s, key)) return value_behind(s);
    return NULL;
}

/* Of the lines KEY=VALUE in the order of `names`, without those that are not said: whoever writes the JSON anew keeps
 * it, and keys that are added later, or by others, do not change it. */
static void hash_metadata(const Text *d, const char *names, char hex[65]) {
    nncc_sha256 s;
    char key[KEY_MOST];
    nncc_sha_start(&s);
    for (size_t n; n = strcspn(names, " "), *names; names += n + (names[n] == ' ')) {
        snprintf(key, sizeof key, "%.*s", (int)(n < KEY_MOST ? n : KEY_MOST - 1), names);
        const char *value = said(d, key);
        if (!value) continue;
        nncc_sha_add(&s, key, strlen(key)), nncc_sha_add(&s, "=", 1);
        nncc_sha_add(&s, value, strlen(value)), nncc_sha_add(&s, "\n", 1);
    }
    nncc_sha_hex(&s, hex);
}

static void say_progress(Text *d, const nncc_progress *p) {
    sayf(d, "epoch", "%d", p->epoch);
    if (p->step >= 0) sayf(d, "step", "%lld", (long long)p->step);
    sayf(d, "batch", "%lld", (long long)p->batch), sayf(d, "sample", "%lld", (long long)p->sample);
    sayf(d, "order_seed", "%u", (unsigned)p->seed);
    for (int i = 0; i < NNCC_KEPT; i++)
        if (*p->kept[i]) say(d, kept_names[i], p->kept[i]);
}

/* The fewest digits that read back as the same number. */
static void say_number(Text *d, const char *key, double v) {
    char s[32];
    int digits = 15;
    do snprintf(s, sizeof s, "%.*g", digits, v);
    while (strtod(s, NULL) != v && ++digits <= 17);
    say(d, key, s);
}

static void say_optimizer(Text *d, const nncc_model *m) {
    char key[KEY_MOST];
    if (m->optimizer) say(d, "optimizer", m->optimizer);
    if (m->flavor) say(d, "flavor", m->flavor);
    if (m->schedule) say(d, "rate_schedule", m->schedule);
    if (m->groups) say(d, "groups", m->groups);
    for (const nncc_setting *s = m->settings; s && s->name; s++)
        snprintf(key, sizeof key, "%s%s", setting_prefix, s->name), say_number(d, key, s->value);
    if (m->isa) say(d, "isa", m->isa);
}

static void hash_name(nncc_sha256 *s, const nncc_tensor *t) {
    nncc_sha_add(s, t->block, strlen(t->block)), nncc_sha_add(s, ".", 1);
    nncc_sha_add(s, t->name, strlen(t->name)), nncc_sha_add(s, "\n", 1);
}

static int is_utf8(const char *s) {
    while (*s) {
        unsigned char c = (unsigned char)*s++;
        int more = c < 0x80                ? 0
                   : c >= 0xc2 && c < 0xe0 ? 1
                   : c >= 0xe0 && c < 0xf0 ? 2
                   : c >= 0xf0 && c < 0xf5 ? 3
                                           : -1;
        if (more < 0) return 0;
        for (; more; more--, s++)
            if (((unsigned char)*s & 0xc0) != 0x80) return 0;
    }
    return 1;
}

/* One a line, with \n, \\ and \xHH for what would end a line and for bytes that are no character of UTF-8. */
static void add_word_line(Text *t, const char *s) {
    int plain = is_utf8(s);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n' || c == '\\' || c < 32 || (c > 127 && !plain))
            add(t, c == '\n' ? "\\n" : c == '\\' ? "\\\\" : "\\x%02x", c);
        else
            add_text(t, s, 1);
    }
    add_text(t, "\n", 1);
}

static Text words_text(const nncc_words *w) {
    Text t = {0};
    for (int64_t i = 0; i < w->n; i++) add_word_line(&t, w->at[i]);
    return t;
}

/* What classes are called, by the place of their port. */
static void say_words(Text *d, const nncc_model *m) {
    char key[KEY_MOST];
    for (int p = 0; m->words && p < m->ports; p++) {
        Text t = words_text(&m->words[p]);
        snprintf(key, sizeof key, "words.%d", p);
        if (t.n) say(d, key, t.s);
        d->failed |= t.failed;
        free(t.s);
    }
}

/* Names in the order of the data, which stay the same if two of them are exchanged. */
static void hash_names(const nncc_model *m, char hex[65]) {
    nncc_sha256 s;
    nncc_sha_start(&s);
    for (const nncc_tensor *t = m->tensors; t->name; t++)
        if (is_kept(t)) hash_name(&s, t);
    nncc_sha_hex(&s, hex);
}

/* That of the data stays outside of metadata_sha256: who puts the tensors in another order, and leaves it out, has a
 * file that is read. */
static Text metadata_of(const nncc_model *m, const nncc_progress *p) {
    Text d = {0}, names = {0};
    char hex[65];
    sayf(&d, "format", "%d", FORMAT);
#ifdef NNCC_VERSION
    say(&d, "nncc", NNCC_VERSION);
#endif
    say_progress(&d, p), say_optimizer(&d, m), say_words(&d, m);
    hash_names(m, hex), say(&d, "tensors_sha256", hex);
    for (const char *s = d.s; !d.failed && s < d.s + d.n; s = entry_behind(s))
        add(&names, "%s%s", names.n ? " " : "", s);
    d.failed |= names.failed;
    if (!d.failed) hash_metadata(&d, names.s, hex), say(&d, "metadata_keys", names.s), say(&d, "metadata_sha256", hex);
    hash_tensors(m, hex), say(&d, "sha256", hex);
    free(names.s);
    return d;
}

static Text header_text(const nncc_model *m, const nncc_progress *p) {
    Text t = {0}, d = metadata_of(m, p);
    add(&t, "{"), add_tensors(&t, m);
    add(&t, "\"__metadata__\":{");
    for (const char *s = d.s; !d.failed && s < d.s + d.n; s = entry_behind(s)) {
        add(&t, "%s\"", s == d.s ? "" : ","), add_name(&t, s);
        add(&t, "\":\""), add_name(&t, value_behind(s)), add(&t, "\"");
    }
    add(&t, "}}");
    t.failed |= d.failed;
    free(d.s);
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
    /* Parameters alone are taken, as far as they are there and no pattern of `head` is theirs. */
    int lenient;
    const char *const *head;
    int n;                /* tensors of the model */
    int64_t start, bytes; /* of the tensors in the file */
    int64_t *at;          /* where each of the model's lies, from there; -1: not found */
    char *wide;           /* of a lenient reading: 1: it is in double there */
    Text metadata;
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

static const char *said_of(const Reading *r, const char *key) { return said(&r->metadata, key); }

/* A number that the metadata say, or what stands for one that they do not. */
static int64_t number_said(Reading *r, const char *key, int64_t most, int64_t missing) {
    const char *value = said_of(r, key);
    char *end;
    if (!value) return missing;
    errno = 0;
    int64_t v = strtoll(value, &end, 10);
    if (end == value || *end || errno || v < 0 || v > most) wrong(r, "its %s is '%.40s', no such number", key, value);
    return v;
}

static void read_metadata(Reading *r, Json *j) {
    char key[KEY_MOST], *value = malloc((size_t)(j->end - j->s) + 1); /* no text is longer than the header */
    if (!value) wrong(r, "out of memory");
    expect(j, '{');
    for (int first = 1; value && another(j, '}', first); first = 0) {
        read_string(j, key, sizeof key), expect(j, ':');
        skip_blanks(j);
        if (j->bad || j->s == j->end || *j->s != '"') {
            skip_value(j);
            continue;
        }
        read_string(j, value, (size_t)(j->end - j->s) + 1);
        say(&r->metadata, key, value);
    }
    free(value);
    if (r->metadata.failed) wrong(r, "out of memory");
}

/* `seed` is what order_seed was called first. */
static void take_progress(Reading *r) {
    nncc_progress *p = &r->progress;
    const char *seed = said_of(r, "order_seed") ? "order_seed" : "seed";
    p->epoch = (int)number_said(r, "epoch", INT32_MAX, 0);
    p->step = number_said(r, "step", INT64_MAX, -1);
    p->batch = number_said(r, "batch", INT32_MAX, 0);
    p->sample = number_said(r, "sample", INT64_MAX, p->batch * r->m->batch);
    p->seed = (uint32_t)number_said(r, seed, UINT32_MAX, 1);
    for (int i = 0; i < NNCC_KEPT; i++) {
        const char *value = said_of(r, kept_names[i]);
        if (value && strlen(value) >= sizeof p->kept[i])
            wrong(r, "its %s has more than %d characters", kept_names[i], (int)sizeof p->kept[i] - 1);
        else if (value)
            strcpy(p->kept[i], value);
    }
}

/* What has to be as it was. */
static void check_same(Reading *r, const char *key, const char *mine) {
    const char *theirs = said_of(r, key);
    if (mine && theirs && strcmp(mine, theirs)) wrong(r, "its %s is %.80s, the network's is %.80s", key, theirs, mine);
}

/* Classes are numbers in the network: other names would give it other data. */
static void check_words(Reading *r) {
    char key[KEY_MOST];
    for (int p = 0; r->m->words && p < r->m->ports; p++) {
        Text mine = words_text(&r->m->words[p]);
        snprintf(key, sizeof key, "words.%d", p);
        const char *theirs = said_of(r, key);
        if (mine.n && theirs && strcmp(mine.s, theirs))
            wrong(r, "its classes of '%.60s' are called otherwise than in the data", r->m->port[p].name);
        free(mine.s);
    }
}

/* What may differ, but is told: the command line wins. */
static void tell_differences(const Reading *r) {
    const char *isa = said_of(r, "isa");
    char key[KEY_MOST], text[48];
    for (const nncc_setting *s = r->m->settings; s && s->name; s++) {
        snprintf(key, sizeof key, "%s%s", setting_prefix, s->name);
        const char *theirs = said_of(r, key);
        if (!theirs || strtod(theirs, NULL) == s->value) continue;
        snprintf(text, sizeof text, "%.40s", theirs);
        fprintf(stderr, "%s: warning: its %s is %s; the run goes on with %g\n", r->path, s->name, nncc_printable(text),
                s->value);
    }
    if (!isa || !r->m->isa || !strcmp(isa, r->m->isa)) return;
    snprintf(text, sizeof text, "%.40s", isa);
    fprintf(stderr,
            "%s: warning: it was written by a program for %s, and this one is for %s: from here on the bits are not "
            "those of a run without interruption\n",
            r->path, nncc_printable(text), r->m->isa);
}

/* Files of before have no metadata_sha256 and no optimizer, other programs' none of all: what is missing is not
 * checked. */
static int take_metadata(Reading *r) {
    const char *sha = said_of(r, "metadata_sha256"), *names = said_of(r, "metadata_keys");
    char hex[65];
    int64_t format = number_said(r, "format", INT32_MAX, 1);
    if (format > FORMAT) return wrong(r, "it has format %lld, and this nncc reads up to %d", (long long)format, FORMAT);
    take_progress(r);
    hash_metadata(&r->metadata, names ? names : first_keys, hex);
    if (sha && strcmp(hex, sha))
        return wrong(r, "its metadata are damaged: their sha256 is %.12s..., not %.12s...", hex, sha);
    if (r->lenient) return *r->why ? -1 : 0;
    check_same(r, "optimizer", r->m->optimizer), check_same(r, "flavor", r->m->flavor);
    check_same(r, "rate_schedule", r->m->schedule), check_same(r, "groups", r->m->groups);
    check_words(r);
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

/* A parameter or statistic by its name, with its block before it or without. */
static int find_parameter(const Reading *r, const char *name) {
    for (int i = 0; i < r->n; i++) {
        const nncc_tensor *t = &r->m->tensors[i];
        size_t block = strlen(t->block);
        if (strcmp(t->block, "params") && (strcmp(t->block, "state") || *t->type != 'f')) continue;
        if (!strcmp(name, t->name) ||
            (!strncmp(name, t->block, block) && name[block] == '.' && !strcmp(name + block + 1, t->name)))
            return i;
    }
    return -1;
}

static int is_head(const Reading *r, const char *name) {
    for (const char *const *h = r->head; h && *h; h++)
        if (!fnmatch(*h, name, 0)) return 1;
    return 0;
}

static int is_float_type(const char *type) { return !strcmp(type, "F32") || !strcmp(type, "F64"); }

/* What does not fit stays as it is. */
static void take_if_fits(Reading *r, const char *name, const Found *e) {
    int i = find_parameter(r, name);
    if (i < 0 || is_head(r, r->m->tensors[i].name)) return;
    const nncc_tensor *t = &r->m->tensors[i];
    int64_t size = !strcmp(e->type, "F64") || !strcmp(e->type, "I64") ? 8 : 4, n = 1;
    int same = e->rank == t->rank &&
               (!strcmp(e->type, type_name(t->type)) || (is_float_type(e->type) && is_float_type(type_name(t->type))));
    for (int d = 0; same && d < t->rank; d++) same = e->dim[d] == t->dim[d], n *= t->dim[d];
    if (!same) return;
    if (e->from < 0 || e->to < e->from || e->to > r->bytes || e->to - e->from != n * size)
        wrong(r, "it is cut off: '%.80s' does not lie within it", name);
    else
        r->at[i] = e->from, r->wide[i] = size == 8;
}

static void take_entry(Reading *r, const char *name, const Found *e, int *next) {
    char seen[64], want[64];
    if (r->lenient) {
        take_if_fits(r, name, e);
        return;
    }
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
    else if (e->from < 0 || e->to < e->from || e->to > r->bytes || e->to - e->from != t->bytes)
        wrong(r, "it is cut off: '%.80s' does not lie within it", name);
    else if (r->at[i] >= 0)
        wrong(r, "it holds '%.80s' twice", name);
    else
        r->at[i] = e->from;
}

typedef struct {
    int64_t from;
    const nncc_tensor *tensor;
} Place;

static int compare_places(const void *a, const void *b) {
    const Place *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->tensor->bytes < y->tensor->bytes ? -1 : x->tensor->bytes > y->tensor->bytes;
}

/* Whether the tensors fill the data without holes and overlaps, and, of data in the order that they were written in,
 * under the names that they had. */
static void check_order(Reading *r, const Place *at, int n) {
    const char *sha = said_of(r, "sha256") ? said_of(r, "tensors_sha256") : NULL;
    char hex[65];
    int64_t end = 0;
    nncc_sha256 s;
    nncc_sha_start(&s);
    for (int i = 0; i < n; i++) {
        const nncc_tensor *t = at[i].tensor;
        if (at[i].from != end)
            wrong(r, "'%s.%.80s' begins at byte %lld of its data, where %lld was to be expected", t->block, t->name,
                  (long long)at[i].from, (long long)end);
        end = at[i].from + t->bytes;
        hash_name(&s, t);
    }
    nncc_sha_hex(&s, hex);
    if (sha && strcmp(hex, sha)) wrong(r, "its tensors do not lie where they were written: their names are exchanged");
}

static int check_places(Reading *r) {
    Place *at = malloc(((size_t)r->n + 1) * sizeof *at);
    int64_t bytes = 0;
    int n = 0;
    if (!at) return wrong(r, "out of memory");
    for (int i = 0; i < r->n; i++) {
        const nncc_tensor *t = &r->m->tensors[i];
        if (!is_kept(t)) continue;
        if (r->at[i] < 0) wrong(r, "it lacks '%s.%.80s' of this network", t->block, t->name);
        at[n++] = (Place){r->at[i], t}, bytes += t->bytes;
    }
    if (bytes != r->bytes)
        wrong(r, "it holds %lld bytes of data, the network's are %lld", (long long)r->bytes, (long long)bytes);
    qsort(at, (size_t)n, sizeof *at, compare_places);
    if (!*r->why) check_order(r, at, n);
    free(at);
    return *r->why ? -1 : 0;
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
    return take_metadata(r) || (!r->lenient && check_places(r)) ? -1 : 0;
}

/* Flipped bits are seen before anything of the model is changed. */
static int check_data(Reading *r) {
    const char *sha = said_of(r, "sha256");
    char block[1 << 14], hex[65];
    nncc_sha256 s;
    nncc_sha_start(&s);
    for (int64_t at = 0; at < r->bytes;) {
        size_t n = r->bytes - at < (int64_t)sizeof block ? (size_t)(r->bytes - at) : sizeof block;
        if (fread(block, 1, n, r->f) != n) return wrong(r, "%s", "it is cut off");
        nncc_sha_add(&s, block, n), at += (int64_t)n;
    }
    nncc_sha_hex(&s, hex);
    return !sha || !strcmp(hex, sha)
               ? 0
               : wrong(r, "its data are damaged: their sha256 is %.12s..., not %.12s...", hex, sha);
}

/* One that may have the other precision in the file. */
static int take_converted(Reading *r, int i) {
    const nncc_tensor *t = &r->m->tensors[i];
    int wide = !strcmp(t->type, "f64") || !strcmp(t->type, "i64");
    if (fseeko(r->f, (off_t)(r->start + r->at[i]), SEEK_SET)) return -1;
    if (wide == r->wide[i]) return fread(place_of(r->m, t), 1, (size_t)t->bytes, r->f) != (size_t)t->bytes;
    for (int64_t k = 0, n = t->bytes / (wide ? 8 : 4); k < n; k++) {
        float single;
        double real;
        if (wide ? fread(&single, sizeof single, 1, r->f) != 1 : fread(&real, sizeof real, 1, r->f) != 1) return -1;
        if (wide)
            ((double *)(void *)place_of(r->m, t))[k] = (double)single;
        else
            ((float *)(void *)place_of(r->m, t))[k] = (float)real;
    }
    return 0;
}

static int take_data(Reading *r) {
    for (int i = 0; r->lenient && i < r->n; i++)
        if (r->at[i] >= 0 && take_converted(r, i)) return wrong(r, "%s", "it is cut off");
    if (r->lenient) return 0;
    for (int i = 0; i < r->n; i++) {
        const nncc_tensor *t = &r->m->tensors[i];
        if (!is_kept(t)) continue;
        if (fseeko(r->f, (off_t)(r->start + r->at[i]), SEEK_SET) ||
            fread(place_of(r->m, t), 1, (size_t)t->bytes, r->f) != (size_t)t->bytes)
            return wrong(r, "%s", "it is cut off");
    }
    return 0;
}

static int read_file_header(Reading *r, int64_t size) {
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
    return bad;
}

static int read_file(Reading *r, int64_t size) {
    return read_file_header(r, size) || check_data(r) || take_data(r) ? -1 : 0;
}

/* A pipe could wait for its writer for ever, and cannot be gone back in. */
static FILE *open_regular(const char *path, int64_t *size) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return complain(path, strerror(errno)), NULL;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return complain(path, "expected a regular file, saw a pipe, a device or a directory"), NULL;
    }
    *size = st.st_size;
    return fdopen(fd, "rb");
}

static int open_reading(Reading *r, int64_t *size) {
    while (r->m->tensors[r->n].name) r->n++;
    r->f = open_regular(r->path, size);
    if (!r->f) return -1;
    r->at = malloc(((size_t)r->n + 1) * sizeof *r->at), r->wide = calloc((size_t)r->n + 1, 1);
    for (int i = 0; r->at && i < r->n; i++) r->at[i] = -1;
    return r->at && r->wide ? 0 : wrong(r, "out of memory");
}

static void close_reading(Reading *r) {
    if (r->f) fclose(r->f);
    free(r->at), free(r->wide), free(r->metadata.s);
}

int nncc_read_checkpoint(const nncc_model *m, const char *path, nncc_progress *p) {
    Reading r = {.m = m, .path = path};
    int64_t size = 0;
    int bad = open_reading(&r, &size);
    if (!bad) bad = read_file(&r, size);
    if (!bad) tell_differences(&r);
    close_reading(&r);
    if (bad) return *r.why ? complain(path, r.why) : -1;
    if (m->send && m->send(m->net)) return complain(path, "the GPU does not take it");
    *p = r.progress;
    return 0;
}

/* ---- parameters of another run ---- */

static void tell_taken(const Reading *r) {
    int64_t taken = 0;
    int left = 0;
    for (int i = 0; i < r->n; i++) {
        const nncc_tensor *t = &r->m->tensors[i];
        if (strcmp(t->block, "params")) continue;
        taken += r->at[i] >= 0;
        left += r->at[i] < 0;
        if (r->at[i] < 0 && left <= 8) printf("%s '%s'", left == 1 ? "begins anew:" : ",", t->name);
    }
    if (left > 8) printf(" and %d more", left - 8);
    if (left) printf("\n");
    printf("taken from %s: %lld of %lld parameters\n", r->path, (long long)taken, (long long)(taken + left));
}

static int any_taken(const Reading *r) {
    for (int i = 0; i < r->n; i++)
        if (r->at[i] >= 0) return 1;
    return 0;
}

int nncc_take_parameters(const nncc_model *m, const char *path, const char *const *head, int all) {
    Reading r = {.m = m, .path = path, .lenient = 1, .head = head};
    int64_t size = 0;
    int bad = open_reading(&r, &size);
    if (!bad) bad = read_file(&r, size);
    if (!bad && !any_taken(&r)) bad = wrong(&r, "none of its tensors has the name and the shape of a parameter");
    for (int i = 0; all && !bad && i < r.n; i++)
        if (r.at[i] < 0 && !strcmp(m->tensors[i].block, "params"))
            bad = wrong(&r, "it lacks '%.80s' in the shape that the network has", m->tensors[i].name);
    if (!bad && !all) tell_taken(&r);
    close_reading(&r);
    if (bad) return *r.why ? complain(path, r.why) : -1;
    return m->send && m->send(m->net) ? complain(path, "the GPU does not take it") : 0;
}

/* ---- names of classes ---- */

/* Lines as add_word_line() writes them. */
static int split_lines(const char *text, nncc_words *w) {
    while (*text) {
        Text t = {0};
        for (; *text && *text != '\n'; text++) {
            unsigned code = (unsigned char)*text;
            if (*text == '\\' && text[1] == 'n')
                code = '\n', text++;
            else if (*text == '\\' && text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
                     isxdigit((unsigned char)text[3]))
                sscanf(text + 2, "%2x", &code), text += 3;
            else if (*text == '\\' && text[1])
                text++;
            add_text(&t, &(char){(char)code}, 1);
        }
        text += *text == '\n';
        char *copy = t.failed ? NULL : t.s ? t.s : calloc(1, 1);
        char **at = copy ? realloc(w->at, (size_t)(2 * w->n + 2) * sizeof *at) : NULL;
        if (!at) return free(copy), -1;
        w->at = at, w->at[w->n++] = copy;
    }
    return 0;
}

int nncc_read_words(const nncc_model *m, const char *path, nncc_source *s) {
    Reading r = {.m = m, .path = path, .lenient = 1};
    char key[KEY_MOST];
    int64_t size = 0;
    int bad = open_reading(&r, &size);
    if (!bad) bad = read_file_header(&r, size);
    for (int p = 0; p < s->ports && !bad; p++) {
        snprintf(key, sizeof key, "words.%d", p);
        const char *text = said_of(&r, key);
        if (text && !s->words[p].n) bad = split_lines(text, &s->words[p]);
    }
    close_reading(&r);
    return bad && *r.why ? complain(path, r.why) : bad;
}

int nncc_save_words(const nncc_words *w, const char *path) {
    Text t = words_text(w);
    FILE *f = t.failed ? NULL : fopen(path, "wb");
    int bad = !f || fwrite(t.s, 1, t.n, f) != t.n;
    if (f && fclose(f)) bad = 1;
    free(t.s);
    return bad ? complain(path, strerror(errno)) : 0;
}

int nncc_load_words(nncc_words *w, const char *path) {
    Text t = {0};
    char block[4096];
    FILE *f = fopen(path, "rb");
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;) add_text(&t, block, n);
    if (f) fclose(f);
    int bad = !f || t.failed || (t.s && split_lines(t.s, w));
    free(t.s);
    return bad ? complain(path, "it cannot be read") : 0;
}

int nncc_save_checkpoint(const nncc_model *m, const char *path, int epoch, uint32_t seed) {
    const nncc_progress p = {.epoch = epoch, .step = -1, .seed = seed};
    return nncc_write_checkpoint(m, path, &p);
}

int nncc_load_checkpoint(const nncc_model *m, const char *path, int *epoch, uint32_t *seed) {
    nncc_progress p;
    if (nncc_read_checkpoint(m, path, &p)) return -1;
    *epoch = p.epoch, *seed = p.seed;
    return 0;
}
