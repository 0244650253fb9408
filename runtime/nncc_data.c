/* nncc_data.c - examples from files: idx, CIFAR's binaries, npy, csv, each plain or compressed by gzip. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_train.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { PATH_MOST = 4096, HEADER_MOST = 4096, LINE_MOST = 1 << 16 };
static const int64_t most_bytes = (int64_t)1 << 34;

static int fail(char *error, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(char *error, const char *path, const char *fmt, ...) {
    va_list ap;
    int n = snprintf(error, NNCC_ERROR, "%.100s: ", path);
    va_start(ap, fmt);
    vsnprintf(error + n, NNCC_ERROR - (size_t)n, fmt, ap);
    va_end(ap);
    return -1;
}

/* What an example is to be compared with: classes, or numbers. */
static int64_t answers(const nncc_data *d) { return d->targets ? d->targets : d->labels; }
static const char *answers_name(const nncc_data *d) {
    return d->targets ? "targets" : d->labels > 1 ? "classes" : "class";
}

static int is_class(double v) { return v >= INT32_MIN && v <= INT32_MAX && v == (double)(int32_t)v; }

/* ---- files ---- */

/* All bytes of a file, uncompressed; NULL if it cannot be read. */
static unsigned char *read_all(const char *path, int64_t *n) {
    gzFile f = gzopen(path, "rb");
    int64_t cap = 1 << 20;
    unsigned char *p = f ? malloc((size_t)cap) : NULL;
    int got = 1;
    *n = 0;
    while (p && got > 0 && *n < most_bytes) {
        if (*n == cap) {
            unsigned char *more = realloc(p, (size_t)(cap *= 2));
            if (!more) free(p);
            p = more;
        }
        int64_t room = cap - *n < 1 << 30 ? cap - *n : 1 << 30;
        got = p ? gzread(f, p + *n, (unsigned)room) : -1;
        if (got > 0) *n += got;
    }
    if (f) gzclose(f);
    if (got >= 0) return p;
    free(p);
    return NULL;
}

/* DIR/NAME, or DIR/NAME.gz; "" if there is neither. */
static void find_file(const char *dir, const char *name, char path[PATH_MOST]) {
    struct stat st;
    for (int i = 0; i < 2; i++) {
        int n = snprintf(path, PATH_MOST, "%s/%s%s", dir, name, i ? ".gz" : "");
        if (n > 0 && n < PATH_MOST && !stat(path, &st)) return;
    }
    path[0] = 0;
}

/* ---- growing data ---- */

static int add_examples(nncc_data *d, int64_t more) {
    size_t n = (size_t)(d->n + more);
    float *x = realloc(d->x, n * (size_t)d->values * sizeof *x);
    if (x) d->x = x;
    int32_t *label = d->targets ? NULL : realloc(d->label, n * (size_t)d->labels * sizeof *label);
    float *target = d->targets ? realloc(d->target, n * (size_t)d->targets * sizeof *target) : NULL;
    if (label) d->label = label;
    if (target) d->target = target;
    return x && (label || target) ? 0 : -1;
}

void nncc_free_data(nncc_data *d) {
    free(d->x), free(d->target), free(d->label);
    *d = (nncc_data){0};
}

/* Example i is to be given back: what there is to learn is the input where no other target is meant. */
static void copy_target(nncc_data *d, int64_t i, double label) {
    if (!d->targets)
        d->label[i] = (int32_t)label;
    else if (d->targets == d->values)
        memcpy(d->target + i * d->targets, d->x + i * d->values, (size_t)d->values * sizeof *d->x);
    else
        d->target[i * d->targets] = (float)label;
}

/* ---- what does not fit ---- */

/* shape: of the whole array where it is known. */
static int misfit(char *error, const char *path, const char *shape, int64_t seen, int64_t expected) {
    return fail(error, path, "%s%sexpected %lld numbers in each example, saw %lld", shape, *shape ? ": " : "",
                (long long)expected, (long long)seen);
}

static int few_answers(char *error, const char *path, const char *shape, int64_t seen, const nncc_data *d) {
    return fail(error, path, "%s%sexpected %lld %s for each example, saw %lld", shape, *shape ? ": " : "",
                (long long)answers(d), answers_name(d), (long long)seen);
}

/* ---- idx: LeCun's files ---- */

static int64_t big_endian(const unsigned char *p) {
    return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
}

/* Bytes of a file of unsigned bytes, and how many items of how many; NULL if it is none. */
static unsigned char *read_idx(const char *path, int64_t *items, int64_t *each, int64_t *start) {
    int64_t n, size = 1;
    unsigned char *p = read_all(path, &n);
    if (!p || n < 8 || p[0] || p[1] || p[2] != 8 || n < 4 + 4 * p[3]) return free(p), NULL;
    *items = big_endian(p + 4), *start = 4 + 4 * p[3];
    for (int i = 1; i < p[3]; i++) size *= big_endian(p + 4 + 4 * i);
    *each = size;
    if (*items < 0 || size < 0 || size > most_bytes || *items * size > n - *start) return free(p), NULL;
    return p;
}

static int read_idx_pair(const char *images, const char *labels, nncc_data *d, char *error) {
    int64_t n, each, start, nlabel, one, from;
    unsigned char *x = read_idx(images, &n, &each, &start), *y = read_idx(labels, &nlabel, &one, &from);
    int64_t expected = d->targets ? 1 : d->labels;
    int bad = !x || !y            ? fail(error, images, "it or its labels cannot be read as idx")
              : each != d->values ? misfit(error, images, "", each, d->values)
              : n != nlabel ? fail(error, labels, "expected %lld items, one for each example, saw %lld", (long long)n,
                                   (long long)nlabel)
              : one != expected    ? few_answers(error, labels, "", one, d)
              : add_examples(d, n) ? fail(error, images, "out of memory")
                                   : 0;
    for (int64_t i = 0; !bad && i < n; i++) {
        for (int64_t k = 0; k < each; k++) d->x[(d->n + i) * each + k] = (float)x[start + i * each + k];
        if (d->targets)
            copy_target(d, d->n + i, y[from + i]);
        else
            for (int64_t k = 0; k < one; k++) d->label[(d->n + i) * one + k] = y[from + i * one + k];
    }
    if (!bad) d->n += n;
    free(x), free(y);
    return bad;
}

static int read_mnist(const char *dir, nncc_data *train, nncc_data *test, char *error) {
    static const char *const name[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                       "t10k-labels-idx1-ubyte"};
    char path[4][PATH_MOST];
    for (int i = 0; i < 4; i++) find_file(dir, name[i], path[i]);
    if (!path[0][0]) return 1;
    if (read_idx_pair(path[0], path[1], train, error)) return -1;
    return path[2][0] ? read_idx_pair(path[2], path[3], test, error) : 0;
}

/* ---- CIFAR-10: a label and 3,072 bytes, again and again ---- */

static int read_cifar_file(const char *path, nncc_data *d, char *error) {
    int64_t n, record = d->values + 1;
    unsigned char *p = read_all(path, &n);
    int bad = !p || n % record ? fail(error, path, "it is not made of labels and pictures of the network's size")
              : !d->targets && d->labels != 1 ? few_answers(error, path, "", 1, d)
              : add_examples(d, n / record)   ? fail(error, path, "out of memory")
                                              : 0;
    for (int64_t i = 0; !bad && i < n / record; i++) {
        for (int64_t k = 0; k < d->values; k++) d->x[(d->n + i) * d->values + k] = (float)p[i * record + 1 + k];
        copy_target(d, d->n + i, p[i * record]);
    }
    if (!bad) d->n += n / record;
    free(p);
    return bad;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int read_cifar(const char *dir, nncc_data *train, nncc_data *test, char *error) {
    enum { FILES = 64 };
    char *name[FILES], path[PATH_MOST];
    int n = 0, bad = 1;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && n < FILES && (e = readdir(d));)
        if (strstr(e->d_name, ".bin")) name[n++] = strdup(e->d_name);
    if (d) closedir(d);
    qsort(name, (size_t)n, sizeof *name, by_name);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, name[i]);
        if (bad >= 0) bad = read_cifar_file(path, strstr(name[i], "test") ? test : train, error);
        free(name[i]);
    }
    return bad;
}

/* ---- npy ---- */

typedef struct {
    unsigned char *bytes, *data;
    int64_t n, each;
    char type[8], shape[48]; /* shape: as the header writes it, "(64, 28, 28)" */
} Array;

static int read_npy(const char *path, Array *a) {
    int64_t size, header, count = 1, dim[12] = {0};
    int rank = 0, wide = 4;
    a->bytes = read_all(path, &size);
    if (!a->bytes || size < 10 || memcmp(a->bytes, "\x93NUMPY", 6)) return -1;
    header = 10 + a->bytes[8] + 256 * a->bytes[9];
    if (a->bytes[6] != 1 || header > size || header > HEADER_MOST) return -1;
    char text[HEADER_MOST + 1];
    memcpy(text, a->bytes + 10, (size_t)(header - 10)), text[header - 10] = 0;
    const char *type = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    if (!type || !shape || strstr(text, "'fortran_order': True") || sscanf(type + 10, "%7[^']", a->type) != 1)
        return -1;
    snprintf(a->shape, sizeof a->shape, "%.*s", (int)strcspn(shape + 9, ")") + 1, shape + 9);
    for (char *p = (char *)(uintptr_t)shape + 10; rank < 12 && *p >= '0' && *p <= '9'; p += strspn(p, ", "))
        dim[rank++] = strtoll(p, &p, 10);
    a->n = rank ? dim[0] : 0;
    for (int i = 1; i < rank; i++)
        if (dim[i] < 0 || (count *= dim[i]) > most_bytes) return -1;
    a->each = count, wide = a->type[2] - '0';
    a->data = a->bytes + header;
    return a->n < 0 || wide < 1 || wide > 8 || a->n > (size - header) / wide / (count ? count : 1) ? -1 : 0;
}

static double number_at(const Array *a, int64_t i) {
    float f;
    double d;
    int32_t s;
    int64_t l;
    const char *t = a->type + 1;
    if (!strcmp(t, "u1") || !strcmp(t, "b1")) return a->data[i];
    if (!strcmp(t, "f4")) return memcpy(&f, a->data + 4 * i, 4), (double)f;
    if (!strcmp(t, "f8")) return memcpy(&d, a->data + 8 * i, 8), d;
    if (!strcmp(t, "i4")) return memcpy(&s, a->data + 4 * i, 4), s;
    if (!strcmp(t, "i8")) return memcpy(&l, a->data + 8 * i, 8), (double)l;
    return 0; /* is_readable() let no other through */
}

static int is_readable(const Array *a) {
    static const char *const types[] = {"u1", "b1", "f4", "f8", "i4", "i8"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(a->type + 1, types[i])) return *a->type != '>';
    return 0;
}

static int read_npy_pair(const char *xs, const char *ys, nncc_data *d, char *error) {
    Array x = {0}, y = {0};
    int64_t expected = answers(d);
    int own = !ys[0] && d->targets == d->values; /* the input is the target */
    int bad = read_npy(xs, &x) || !is_readable(&x) || (!own && (read_npy(ys, &y) || !is_readable(&y)))
                  ? fail(error, xs, "it or its targets cannot be read as npy")
              : x.each != d->values ? misfit(error, xs, x.shape, x.each, d->values)
              : !own && y.n != x.n ? fail(error, ys, "%s: expected %lld items, one for each example, saw %lld", y.shape,
                                          (long long)x.n, (long long)y.n)
              : !own && y.each != expected ? few_answers(error, ys, y.shape, y.each, d)
              : add_examples(d, x.n)       ? fail(error, xs, "out of memory")
                                           : 0;
    for (int64_t i = 0; !bad && i < x.n; i++) {
        for (int64_t k = 0; k < x.each; k++) d->x[(d->n + i) * x.each + k] = (float)number_at(&x, i * x.each + k);
        if (own) copy_target(d, d->n + i, 0);
        for (int64_t k = 0; !own && !bad && k < expected; k++) {
            double v = number_at(&y, i * expected + k);
            if (!d->targets && !is_class(v))
                bad = fail(error, ys, "example %lld: expected a class, saw the label %g", (long long)i + 1, v);
            else if (d->targets)
                d->target[(d->n + i) * expected + k] = (float)v;
            else
                d->label[(d->n + i) * expected + k] = (int32_t)v;
        }
    }
    if (!bad) d->n += x.n;
    free(x.bytes), free(y.bytes);
    return bad;
}

static int read_npys(const char *dir, nncc_data *train, nncc_data *test, char *error) {
    static const char *const name[] = {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"};
    char path[4][PATH_MOST];
    for (int i = 0; i < 4; i++) find_file(dir, name[i], path[i]);
    if (!path[0][0]) return 1;
    if (read_npy_pair(path[0], path[1], train, error)) return -1;
    return path[2][0] ? read_npy_pair(path[2], path[3], test, error) : 0;
}

/* ---- csv: numbers in columns, the targets last; a first line that begins with none is a heading ---- */

static const char blanks[] = " \t\r\n", ends[] = " \t\r\n,;";

/* A line's fields: how many there are; the first that is no number, from 1 on, and where it stands; what stands between
 * them, ',', ';' or ' ' for blanks alone, and the first that ends otherwise. 0: there is none. */
typedef struct {
    int64_t n, bad, apart;
    const char *seen;
    char between, other;
} Fields;

static void end_field(Fields *f, char c) {
    if (!f->between) f->between = c;
    if (c != f->between && !f->apart) f->apart = f->n + 1, f->other = c;
}

/* Reads the numbers of a line into v, `most` of them at most. `between`: what the lines before have; 0: not known. */
static Fields read_fields(const char *p, double *v, int64_t most, char between) {
    Fields f = {.between = between};
    for (p += strspn(p, blanks); *p; f.n++) {
        char *end;
        size_t width = strcspn(p, ends);
        double x = strtod(p, &end);
        if (!f.bad && (!width || end != p + width)) f.bad = f.n + 1, f.seen = p;
        if (f.n < most) v[f.n] = x;
        p += width, p += strspn(p, blanks);
        int mark = *p == ',' || *p == ';';
        if (*p) end_field(&f, mark ? *p : ' ');
        if (mark) p++, p += strspn(p, blanks);
    }
    return f;
}

static int bad_field(char *error, const char *path, int64_t line, int64_t column, const char *seen) {
    enum { SHOWN = 24 };
    char text[SHOWN + 1];
    size_t n = strcspn(seen, ends);
    if (!n)
        return fail(error, path, "line %lld, column %lld: expected a number, saw nothing", (long long)line,
                    (long long)column);
    snprintf(text, sizeof text, "%.*s", (int)(n < SHOWN ? n : SHOWN), seen);
    for (char *c = text; *c; c++)
        if (*c < 32 || *c > 126) *c = '?';
    return fail(error, path, "line %lld, column %lld: expected a number, saw '%s'", (long long)line, (long long)column,
                text);
}

static int bad_count(char *error, const char *path, int64_t line, int64_t seen, const nncc_data *d) {
    return fail(error, path, "line %lld: expected %lld columns, %lld inputs and %lld %s, saw %lld", (long long)line,
                (long long)(d->values + answers(d)), (long long)d->values, (long long)answers(d), answers_name(d),
                (long long)seen);
}

static int add_row(nncc_data *d, const double *v, int64_t *room) {
    if (d->n == *room) {
        if (add_examples(d, d->n ? d->n : 1024)) return -1;
        *room = d->n ? 2 * d->n : 1024;
    }
    for (int64_t k = 0; k < d->values; k++) d->x[d->n * d->values + k] = (float)v[k];
    for (int64_t k = 0; !d->targets && k < d->labels; k++) d->label[d->n * d->labels + k] = (int32_t)v[d->values + k];
    for (int64_t k = 0; k < d->targets; k++) d->target[d->n * d->targets + k] = (float)v[d->values + k];
    d->n++;
    return 0;
}

/* The column of a label that is no whole number, from 1 on; 0: there is none. */
static int64_t wrong_class(const nncc_data *d, const double *v) {
    for (int64_t k = d->values; !d->targets && k < d->values + d->labels; k++)
        if (!is_class(v[k])) return k + 1;
    return 0;
}

static int read_row(const char *path, const char *line, int64_t number, double *v, nncc_data *d, int64_t *room,
                    char *between, char *error) {
    int64_t columns = d->values + answers(d), at;
    const Fields f = read_fields(line, v, columns, *between);
    if (strlen(line) == LINE_MOST - 1 && line[LINE_MOST - 2] != '\n')
        return fail(error, path, "line %lld is longer than %d bytes", (long long)number, LINE_MOST - 2);
    if (!f.n || (number == 1 && f.bad == 1)) return 0;
    if (f.bad) return bad_field(error, path, number, f.bad, f.seen);
    if (f.apart)
        return fail(error, path, "line %lld: expected '%c' after column %lld as after those before, saw '%c'",
                    (long long)number, f.between, (long long)f.apart, f.other);
    if (f.n != columns) return bad_count(error, path, number, f.n, d);
    *between = f.between;
    if ((at = wrong_class(d, v)))
        return fail(error, path, "line %lld, column %lld: expected a class, saw the label %g", (long long)number,
                    (long long)at, v[at - 1]);
    return add_row(d, v, room) ? fail(error, path, "out of memory") : 0;
}

static int read_csv(const char *path, nncc_data *d, char *error) {
    int64_t columns = d->values + answers(d), room = 0, number = 0;
    char between = 0;
    gzFile f = gzopen(path, "rb");
    char *line = malloc(LINE_MOST);
    double *v = malloc((size_t)columns * sizeof *v);
    int bad = f && line && v ? 0 : fail(error, path, "it cannot be read");
    while (!bad && gzgets(f, line, LINE_MOST)) bad = read_row(path, line, ++number, v, d, &room, &between, error);
    if (f) gzclose(f);
    free(line), free(v);
    return bad;
}

/* ---- all ---- */

/* Csv files are often sorted: every tenth example is for tests. Elsewhere too, where no file holds any. */
static int split_off(nncc_data *train, nncc_data *test, char *error, const char *path) {
    int64_t kept = 0, tenth = train->n / 10;
    if (test->n || !tenth) return 0;
    if (add_examples(test, tenth)) return fail(error, path, "out of memory");
    for (int64_t i = 0; i < train->n; i++) {
        int out = i % 10 == 9 && test->n < tenth;
        nncc_data *d = out ? test : train;
        int64_t at = out ? test->n++ : kept++;
        memmove(d->x + at * d->values, train->x + i * d->values, (size_t)d->values * sizeof *d->x);
        if (d->label)
            memmove(d->label + at * d->labels, train->label + i * d->labels, (size_t)d->labels * sizeof *d->label);
        if (d->target)
            memmove(d->target + at * d->targets, train->target + i * d->targets, (size_t)d->targets * sizeof *d->x);
    }
    train->n = kept;
    return 0;
}

int nncc_read_data(const char *path, int64_t values, int64_t targets, nncc_data *train, nncc_data *test,
                   char error[NNCC_ERROR]) {
    struct stat st;
    int bad = 1;
    *train = *test =
        (nncc_data){.values = values, .targets = targets > 0 ? targets : 0, .labels = targets < 0 ? -targets : 1};
    if (stat(path, &st)) return fail(error, path, "it cannot be read");
    if (!S_ISDIR(st.st_mode)) bad = read_csv(path, train, error);
    if (bad > 0) bad = read_mnist(path, train, test, error);
    if (bad > 0) bad = read_npys(path, train, test, error);
    if (bad > 0) bad = read_cifar(path, train, test, error);
    if (bad > 0) bad = fail(error, path, "it holds neither idx files, nor x_train.npy, nor .bin files");
    if (!bad && !train->n) bad = fail(error, path, "it holds no examples");
    return bad ? bad : split_off(train, test, error, path);
}

void nncc_normalise(nncc_data *d, double scale, int channels, const double *mean, const double *std) {
    int64_t plane = channels ? d->values / channels : d->values;
    int own = d->target && d->targets == d->values; /* pictures that are to be given back stay between 0 and 1 */
    for (int64_t i = 0; i < d->n * d->values; i++) {
        double v = (double)d->x[i] * scale;
        int64_t c = plane ? i / plane % (channels ? channels : 1) : 0;
        if (own) d->target[i] = (float)((double)d->target[i] * scale);
        d->x[i] = (float)(channels ? (v - mean[c]) / std[c] : v);
    }
}
