/* nncc_train.c - the loop over epochs, and checkpoints that survive whatever ends the program. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_train.h"
#include "nncc_random.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- checkpoints: safetensors ---- */

enum { HEADER_MOST = 1 << 24 };
static const char meta_mark[] = "\"__metadata__\":{";

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

static void add_name(Text *t, const char *s) {
    char u[8];
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 32 || c == '"' || c == '\\')
            add_text(t, u, (size_t)snprintf(u, sizeof u, "\\u%04x", c));
        else
            add_text(t, s, 1);
    }
}

static int is_kept(const nncc_tensor *t) { return strcmp(t->block, "grads") != 0; }

static const char *type_name(const char *type) {
    return !strcmp(type, "f32") ? "F32" : !strcmp(type, "f64") ? "F64" : !strcmp(type, "i64") ? "I64" : "I32";
}

/* What the header says of the tensors: the same for every checkpoint of a network. */
static Text tensors_text(const nncc_model *m, int64_t *bytes) {
    Text t = {0};
    char s[96];
    *bytes = 0;
    add_text(&t, "{", 1);
    for (const nncc_tensor *p = m->tensors; p->name; p++) {
        if (!is_kept(p)) continue;
        add_text(&t, "\"", 1), add_text(&t, p->block, strlen(p->block)), add_text(&t, ".", 1), add_name(&t, p->name);
        add_text(&t, s, (size_t)snprintf(s, sizeof s, "\":{\"dtype\":\"%s\",\"shape\":[", type_name(p->type)));
        for (int d = 0; d < p->rank; d++)
            add_text(&t, s, (size_t)snprintf(s, sizeof s, "%s%lld", d ? "," : "", (long long)p->dim[d]));
        add_text(&t, s,
                 (size_t)snprintf(s, sizeof s, "],\"data_offsets\":[%lld,%lld]},", (long long)*bytes,
                                  (long long)(*bytes + p->bytes)));
        *bytes += p->bytes;
    }
    add_text(&t, meta_mark, sizeof meta_mark - 1);
    return t;
}

static char *place_of(const nncc_model *m, const nncc_tensor *t) {
    void *block = !strcmp(t->block, "params") ? m->params : !strcmp(t->block, "opt") ? m->opt : m->state;
    return (char *)block + t->offset;
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
    char dir[4096] = ".";
    if (slash) snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), bad = fd < 0 || fsync(fd);
    if (fd >= 0) close(fd);
    return bad ? -1 : 0;
}

static int complain(const char *path) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return -1;
}

int nncc_save_checkpoint(const nncc_model *m, const char *path, int epoch, uint32_t seed) {
    int64_t bytes;
    char s[128], tmp[4096];
    if (m->fetch && m->fetch(m->net)) return fprintf(stderr, "%s: the GPU gives nothing to write\n", path), -1;
    Text t = tensors_text(m, &bytes);
    add_text(&t, s,
             (size_t)snprintf(s, sizeof s, "\"abi\":\"%08x\",\"epoch\":\"%d\",\"seed\":\"%u\"}}", (unsigned)m->abi,
                              epoch, (unsigned)seed));
    while (!t.failed && t.n % 64 != 56) add_text(&t, " ", 1);
    uint64_t length = t.n;
    unsigned char head[8];
    for (int i = 0; i < 8; i++) head[i] = (unsigned char)(length >> 8 * i);
    if (t.failed || snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid()) >= (int)sizeof tmp)
        return free(t.s), -1;
    unlink(tmp); /* of a run that was killed, and had this number */
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int bad = fd < 0 || write_whole(fd, head, 8) || write_whole(fd, t.s, t.n) || write_tensors(m, fd) || fsync(fd);
    if (fd >= 0 && close(fd)) bad = 1;
    free(t.s);
    if (!bad && !rename(tmp, path)) return sync_directory(path);
    complain(path);
    if (fd >= 0) unlink(tmp);
    return -1;
}

static int read_whole(FILE *f, void *p, size_t n) { return fread(p, 1, n, f) == n ? 0 : -1; }

/* Only a checkpoint of exactly these tensors, in this order, is taken. */
static int read_checkpoint(const nncc_model *m, FILE *f, int *epoch, uint32_t *seed) {
    int64_t bytes;
    unsigned char head[8];
    uint64_t n = 0;
    Text want = tensors_text(m, &bytes);
    if (want.failed || read_whole(f, head, 8)) return free(want.s), -1;
    for (int i = 0; i < 8; i++) n |= (uint64_t)head[i] << 8 * i;
    char *text = n < HEADER_MOST ? calloc(1, (size_t)n + 1) : NULL;
    unsigned said;
    int bad = !text || read_whole(f, text, (size_t)n) || n < want.n || memcmp(text, want.s, want.n) ||
              sscanf(text + want.n, "\"abi\":\"%*x\",\"epoch\":\"%d\",\"seed\":\"%u\"}}", epoch, &said) != 2;
    free(text), free(want.s);
    for (const nncc_tensor *t = m->tensors; !bad && t->name; t++)
        if (is_kept(t)) bad = read_whole(f, place_of(m, t), (size_t)t->bytes);
    if (bad || fgetc(f) != EOF) return -1;
    *seed = said;
    return 0;
}

int nncc_load_checkpoint(const nncc_model *m, const char *path, int *epoch, uint32_t *seed) {
    FILE *f = fopen(path, "rb");
    if (!f) return complain(path);
    int bad = read_checkpoint(m, f, epoch, seed);
    fclose(f);
    if (bad) return fprintf(stderr, "%s: it is no checkpoint of this network\n", path), -1;
    if (m->send && m->send(m->net)) return fprintf(stderr, "%s: the GPU does not take it\n", path), -1;
    return 0;
}

/* ---- the loop ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The order of an epoch follows from seed and epoch alone: going on from a checkpoint needs no more. */
static void shuffle(int64_t *order, int64_t n, uint32_t seed, int epoch) {
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)(nncc_uniform_at(seed, 0x5eed0000u + (uint32_t)epoch, i) * (double)(i + 1)), t = order[i];
        order[i] = order[j], order[j] = t;
    }
}

typedef struct {
    float *x;
    void *target;
} Batch;

static void gather(const nncc_data *d, const int64_t *order, int n, Batch *b) {
    size_t values = (size_t)d->values, targets = (size_t)d->targets;
    for (int i = 0; i < n; i++) {
        memcpy(b->x + (size_t)i * values, d->x + (size_t)order[i] * values, values * sizeof *d->x);
        if (d->targets)
            memcpy((float *)b->target + (size_t)i * targets, d->target + (size_t)order[i] * targets,
                   targets * sizeof(float));
        else
            ((int32_t *)b->target)[i] = d->label[order[i]];
    }
}

typedef struct {
    double loss;
    int64_t correct, seen;
} Sums;

static void print_sums(const nncc_model *m, const Sums *s, const char *prefix) {
    printf(" - %sloss: %.4f", prefix, s->seen ? s->loss / (double)s->seen : 0);
    if (m->answers)
        printf(" - %saccuracy: %.4f", prefix, s->seen ? (double)s->correct / ((double)s->seen * m->answers) : 0);
}

static void print_progress(const nncc_model *m, const Sums *s, int64_t done, int64_t all, double took) {
    enum { WIDTH = 30 };
    int bar = (int)(done * WIDTH / all);
    printf("\r%lld/%lld [", (long long)done, (long long)all);
    for (int i = 0; i < WIDTH; i++) putchar(i < bar ? '=' : i == bar ? '>' : '.');
    if (done < all)
        printf("] ETA %.0fs", took / (double)done * (double)(all - done));
    else
        printf("] %.0fs %.0fms/step", took, 1e3 * took / (double)done);
    print_sums(m, s, "");
}

static void add_batch(Sums *s, float loss, int32_t correct, int n) {
    s->loss += (double)loss * n, s->correct += correct, s->seen += n;
}

static int run_epoch(const nncc_model *m, const nncc_data *d, const int64_t *order, Batch *b, const nncc_options *o,
                     Sums *s) {
    int64_t all = (d->n + m->batch - 1) / m->batch;
    double start = now(), shown = start;
    int live = !o->quiet && isatty(1);
    for (int64_t k = 0; k < all; k++) {
        int n = (int)(d->n - k * m->batch < m->batch ? d->n - k * m->batch : m->batch);
        float loss = 0;
        int32_t correct = 0;
        gather(d, order + k * m->batch, n, b);
        int code = m->train(m->net, n, b->x, b->target, o->lr, &loss, &correct);
        if (code) return code;
        add_batch(s, loss, correct, n);
        if (live && now() - shown > 0.1) print_progress(m, s, k + 1, all, now() - start), fflush(stdout), shown = now();
    }
    print_progress(m, s, all, all, now() - start);
    return 0;
}

static int evaluate(const nncc_model *m, const nncc_data *d, const int64_t *order, Batch *b, Sums *s) {
    for (int64_t at = 0; at < d->n; at += m->batch) {
        int n = (int)(d->n - at < m->batch ? d->n - at : m->batch);
        float loss = 0;
        int32_t correct = 0;
        gather(d, order + at, n, b);
        int code = m->eval(m->net, n, b->x, b->target, &loss, &correct);
        if (code) return code;
        add_batch(s, loss, correct, n);
    }
    return 0;
}

static int run_epochs(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o,
                      int64_t *order, Batch *b) {
    uint32_t seed = o->seed;
    int first = 0, code = 0;
    if (o->resume && nncc_load_checkpoint(m, o->checkpoint, &first, &seed)) return -1;
    for (int e = first; e < o->epochs && !code; e++) {
        Sums s = {0}, v = {0};
        printf("Epoch %d/%d\n", e + 1, o->epochs);
        shuffle(order, train->n, seed, e);
        code = run_epoch(m, train, order, b, o, &s);
        for (int64_t i = 0; i < test->n; i++) order[i] = i;
        if (!code) code = evaluate(m, test, order, b, &v);
        if (v.seen) print_sums(m, &v, "val_");
        printf("\n"), fflush(stdout);
        if (!code && s.loss != s.loss)
            return fputs("the loss is no number any more: a smaller learning rate may help\n", stderr), -1;
        if (!code && o->checkpoint) code = nncc_save_checkpoint(m, o->checkpoint, e + 1, seed);
    }
    return code;
}

int nncc_fit(const nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o) {
    size_t most = (size_t)(train->n > test->n ? train->n : test->n) + 1, batch = (size_t)m->batch;
    int64_t *order = malloc(most * sizeof *order);
    Batch b = {malloc(batch * (size_t)train->values * sizeof(float)),
               malloc(batch * (size_t)(train->targets + 1) * sizeof(float))};
    int code = order && b.x && b.target ? run_epochs(m, train, test, o, order, &b) : -1;
    free(order), free(b.x), free(b.target);
    return code;
}
