/* nncc_data.c - examples from files: which format they have, what a network takes of them, the part for validation. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

int nncc_data_error(const Reader *r, const char *path, const char *fmt, ...) {
    va_list ap;
    int n = snprintf(r->error, NNCC_ERROR, "%.100s: ", path);
    va_start(ap, fmt);
    vsnprintf(r->error + n, NNCC_ERROR - (size_t)n, fmt, ap);
    va_end(ap);
    nncc_printable(r->error);
    return -1;
}

/* ---- files ---- */

unsigned char *nncc_read_file_bytes(const char *path, int64_t *n) {
    gzFile f = gzopen(path, "rb");
    int64_t cap = 1 << 20;
    unsigned char *p = f ? malloc((size_t)cap + 1) : NULL;
    int got = 1;
    *n = 0;
    while (p && got > 0 && *n < DATA_BYTES_MOST) {
        if (*n == cap) {
            unsigned char *more = realloc(p, (size_t)(cap *= 2) + 1);
            if (!more) free(p);
            p = more;
        }
        int64_t room = cap - *n < 1 << 30 ? cap - *n : 1 << 30;
        got = p ? gzread(f, p + *n, (unsigned)room) : -1;
        if (got > 0) *n += got;
    }
    /* gzclose() says whether a compressed file is cut off. */
    if (f && gzclose(f) != Z_OK) got = -1;
    if (p && got == 0) return p[*n] = 0, p;
    free(p);
    return NULL;
}

void nncc_find_data_file(const char *dir, const char *name, char path[PATH_MOST]) {
    struct stat st;
    for (int i = 0; i < 2; i++) {
        int n = snprintf(path, PATH_MOST, "%s/%s%s", dir, name, i ? ".gz" : "");
        if (n > 0 && n < PATH_MOST && !stat(path, &st)) return;
    }
    path[0] = 0;
}

int nncc_multiply_extent(int64_t *count, int64_t extent) {
    if (extent < 0 || extent > DATA_BYTES_MOST || (extent && *count > DATA_BYTES_MOST / extent)) return -1;
    *count *= extent;
    return 0;
}

/* ---- ports ---- */

static const struct {
    size_t size;
    double least, most; /* of whole numbers; 0: any number */
} types[] = {[NNCC_F32] = {4, 0, 0},
             [NNCC_F64] = {8, 0, 0},
             [NNCC_I32] = {4, INT32_MIN, INT32_MAX},
             [NNCC_I64] = {8, -0x1p53, 0x1p53},
             [NNCC_U8] = {1, 0, UINT8_MAX},
             [NNCC_BOOL] = {1, 0, 1}};

size_t nncc_type_size(nncc_type t) { return types[t].size; }

static int only(const Reader *r, int target) {
    int found = -1;
    for (int p = 0; p < r->ports; p++) {
        if (r->port[p].target != target) continue;
        if (found >= 0) return -1;
        found = p;
    }
    return found;
}

int nncc_only_input(const Reader *r) { return only(r, 0); }
int nncc_only_target(const Reader *r) { return only(r, 1); }

int nncc_port_called(const Reader *r, const char *name, size_t n) {
    for (int p = 0; p < r->ports; p++)
        if (strlen(r->port[p].name) == n && !memcmp(r->port[p].name, name, n)) return p;
    return -1;
}

/* What there is to learn may be the input: whether it is, the data say. */
int nncc_gives_itself(const Reader *r, int p) {
    int x = nncc_only_input(r);
    const nncc_port *t = &r->port[p];
    return x >= 0 && nncc_only_target(r) == p && !t->classes && t->type == r->port[x].type &&
           t->each == r->port[x].each;
}

/* ---- growing data ---- */

int nncc_grow_data(const Reader *r, nncc_data *d, int64_t more) {
    for (int p = 0; p < r->ports; p++) {
        size_t size = nncc_type_size(r->port[p].type), each = (size_t)r->port[p].each, n = (size_t)(d->n + more);
        if (each && n > SIZE_MAX / 2 / each / size) return -1;
        void *at = realloc(d->at[p], n * each * size + 1);
        if (!at) return -1;
        d->at[p] = at, d->step[p] = r->port[p].each;
    }
    return 0;
}

void nncc_free_data(nncc_data *d) {
    for (int p = 0; p < NNCC_PORTS; p++) free(d->at[p]);
    *d = (nncc_data){0};
}

void nncc_put_number(nncc_type t, void *at, int64_t i, double v) {
    switch (t) {
    case NNCC_F32: ((float *)at)[i] = (float)v; return;
    case NNCC_F64: ((double *)at)[i] = v; return;
    case NNCC_I32: ((int32_t *)at)[i] = (int32_t)v; return;
    case NNCC_I64: ((int64_t *)at)[i] = (int64_t)v; return;
    default: ((uint8_t *)at)[i] = (uint8_t)v;
    }
}

/* The class that a number stands for, where classes have names. */
static double named_class(const nncc_words *w, double v) {
    for (int64_t i = 0; i < w->n; i++) {
        char *end;
        double of = strtod(w->at[i], &end);
        if (end != w->at[i] && !*end && of == v) return (double)i;
    }
    return NAN;
}

int nncc_store_number(const Reader *r, nncc_data *d, int p, int64_t i, int64_t k, double v, const char **why) {
    const nncc_port *t = &r->port[p];
    const nncc_words *w = &r->source->words[p];
    *why = t->classes ? "a class" : "a whole number that its type holds";
    if (t->classes && w->n && isnan(v = named_class(w, v))) return *why = "one of the classes that were named", -1;
    if (types[t->type].least < types[t->type].most &&
        !(v >= types[t->type].least && v <= types[t->type].most && v == floor(v)))
        return -1;
    nncc_put_number(t->type, d->at[p], i * t->each + k, v);
    return 0;
}

void nncc_store_class(const Reader *r, nncc_data *d, int p, int64_t i, int64_t k, int64_t class) {
    nncc_put_number(r->port[p].type, d->at[p], i * r->port[p].each + k, (double)class);
}

/* Number i of all that a port of classes has. */
int64_t nncc_class_at(const Reader *r, const nncc_data *d, int p, int64_t i) {
    nncc_type t = r->port[p].type;
    return t == NNCC_I32   ? ((int32_t *)d->at[p])[i]
           : t == NNCC_I64 ? ((int64_t *)d->at[p])[i]
                           : ((uint8_t *)d->at[p])[i];
}

/* ---- arrays ---- */

static double number_at(const Array *a, int64_t i) {
    float f;
    double d;
    int32_t s;
    int64_t l;
    int16_t h;
    const unsigned char *p = a->data;
    const char *t = a->type + 1;
    if (!strcmp(t, "u1") || !strcmp(t, "b1")) return p[i];
    if (!strcmp(t, "i1")) return (signed char)p[i];
    if (!strcmp(t, "f4")) return memcpy(&f, p + 4 * i, 4), (double)f;
    if (!strcmp(t, "f8")) return memcpy(&d, p + 8 * i, 8), d;
    if (!strcmp(t, "i2")) return memcpy(&h, p + 2 * i, 2), h;
    if (!strcmp(t, "u2")) return memcpy(&h, p + 2 * i, 2), (uint16_t)h;
    if (!strcmp(t, "i4")) return memcpy(&s, p + 4 * i, 4), s;
    if (!strcmp(t, "u4")) return memcpy(&s, p + 4 * i, 4), (uint32_t)s;
    return memcpy(&l, p + 8 * i, 8), (double)l;
}

static const char *answers_name(const nncc_port *t) {
    return !t->target ? "numbers" : !t->classes ? "targets" : t->each > 1 ? "classes" : "class";
}

/* A class as a 1 among zeros. */
static int is_one_hot(const Array *a, const nncc_port *t) {
    return t->target && t->classes > 1 && t->each == 1 && a->each == t->classes && !a->classes;
}

static int misfit(const Reader *r, const char *path, const Array *a, const nncc_port *t) {
    const char *gap = *a->shape ? ": " : "";
    if (!t->target)
        return nncc_data_error(r, path, "%s%sexpected %lld numbers in each example, saw %lld", a->shape, gap,
                               (long long)t->each, (long long)a->each);
    return nncc_data_error(r, path, "%s%sexpected %lld %s for each example, saw %lld", a->shape, gap,
                           (long long)t->each, answers_name(t), (long long)a->each);
}

static int check_arrays(const Reader *r, const Array *const *a, const char *const *path, int64_t *n) {
    int first = -1;
    for (int p = 0; p < r->ports; p++) {
        const nncc_port *t = &r->port[p];
        if (!a[p] && nncc_gives_itself(r, p)) continue;
        if (!a[p])
            return nncc_data_error(r, path[first < 0 ? 0 : first] ? path[first < 0 ? 0 : first] : "data",
                                   "there is nothing for %s '%.60s'", t->target ? "target" : "input", t->name);
        if (a[p]->each != t->each && !is_one_hot(a[p], t)) return misfit(r, path[p], a[p], t);
        if (first >= 0 && a[p]->n != a[first]->n)
            return nncc_data_error(r, path[p], "%s%sexpected %lld items, one for each example, saw %lld", a[p]->shape,
                                   *a[p]->shape ? ": " : "", (long long)a[first]->n, (long long)a[p]->n);
        if (first < 0) first = p;
    }
    *n = first < 0 ? 0 : a[first]->n;
    return 0;
}

static int store_one_hot(const Reader *r, nncc_data *d, int p, const Array *a, const char *path) {
    for (int64_t i = 0; i < a->n; i++) {
        int64_t class = 0, others = 0;
        for (int64_t k = 0; k < a->each; k++) {
            double v = number_at(a, i * a->each + k);
            if (v == 1) class = k;
            others += v == 1 ? 1 << 20 : v != 0;
        }
        if (others != 1 << 20)
            return nncc_data_error(r, path, "example %lld: expected a class, or one 1 among %lld zeros",
                                   (long long)i + 1, (long long)a->each - 1);
        nncc_store_class(r, d, p, d->n + i, 0, class);
    }
    return 0;
}

static int store_array(const Reader *r, nncc_data *d, int p, const Array *a, const char *path) {
    const nncc_port *t = &r->port[p];
    const char *why;
    if (is_one_hot(a, t)) return store_one_hot(r, d, p, a, path);
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t k = 0; k < t->each; k++) {
            double v = number_at(a, i * t->each + k);
            if (a->classes)
                nncc_store_class(r, d, p, d->n + i, k, (int64_t)v);
            else if (nncc_store_number(r, d, p, d->n + i, k, v, &why))
                return nncc_data_error(r, path, "example %lld: expected %s, saw %s%g", (long long)i + 1, why,
                                       t->classes ? "the label " : "", v);
        }
    return 0;
}

int nncc_add_arrays(const Reader *r, nncc_data *d, const Array *const *a, const char *const *path) {
    int64_t n = 0;
    int x = nncc_only_input(r);
    if (check_arrays(r, a, path, &n)) return -1;
    if (nncc_grow_data(r, d, n)) return nncc_data_error(r, path[0] ? path[0] : "data", "out of memory");
    for (int p = 0; p < r->ports; p++)
        if (a[p] && store_array(r, d, p, a[p], path[p])) return -1;
    for (int p = 0; p < r->ports; p++) {
        size_t bytes = nncc_type_size(r->port[p].type) * (size_t)r->port[p].each;
        if (a[p]) continue;
        memcpy((char *)d->at[p] + (size_t)d->n * bytes, (char *)d->at[x] + (size_t)d->n * bytes, (size_t)n * bytes);
        d->itself = 1;
    }
    d->n += n;
    return 0;
}

/* ---- files that are named for a port each ---- */

static int read_array_file(const Reader *r, const char *path, const nncc_port *t, Array *a) {
    struct stat st;
    if (!stat(path, &st) && S_ISDIR(st.st_mode)) return nncc_read_pictures(r, path, t, a);
    if (!nncc_read_npy_file(path, a)) return 0;
    free(a->bytes);
    *a = (Array){0};
    return nncc_read_idx_file(path, a) ? nncc_data_error(r, path, "it cannot be read as npy or idx") : 0;
}

/* The port that a word such as image=FILE names; -1: it is a path. */
static int named_port(const Reader *r, const char *word) {
    const char *eq = strchr(word, '=');
    return eq ? nncc_port_called(r, word, (size_t)(eq - word)) : -1;
}

static int read_named(const Reader *r, const char *const *words, nncc_data *d) {
    Array a[NNCC_PORTS] = {{0}};
    const Array *of[NNCC_PORTS] = {NULL};
    const char *path[NNCC_PORTS] = {NULL};
    int bad = 0;
    for (; *words && !bad; words++) {
        int p = named_port(r, *words);
        if (p < 0)
            bad = nncc_data_error(r, *words, "expected a file for a port of the network, as in %.60s=%.60s",
                                  r->port[0].name, *words);
        else if (of[p])
            bad = nncc_data_error(r, *words, "the network's '%.60s' has a file already", r->port[p].name);
        else
            path[p] = strchr(*words, '=') + 1, of[p] = &a[p], bad = read_array_file(r, path[p], &r->port[p], &a[p]);
    }
    if (!bad) bad = nncc_add_arrays(r, d, of, path);
    for (int p = 0; p < r->ports; p++) free(a[p].bytes);
    return bad;
}

/* ---- all ---- */

static int ends_in(const char *path, const char *ending) {
    size_t n = strlen(path), m = strlen(ending);
    return n > m && !strcmp(path + n - m, ending);
}

/* In a csv file texts are a column. */
static int is_text(const Reader *r, const char *path) {
    if (ends_in(path, ".csv") || ends_in(path, ".csv.gz")) return 0;
    return r->source->text || ends_in(path, ".txt") || ends_in(path, ".txt.gz");
}

/* An npy or idx file, by its first bytes, which are no text's. */
static int is_array(const char *path) {
    unsigned char head[6];
    gzFile f = gzopen(path, "rb");
    int n = f ? gzread(f, head, sizeof head) : 0;
    if (f) gzclose(f);
    return n == sizeof head && (!memcmp(head, "\x93NUMPY", 6) || (!head[0] && !head[1] && head[2] >= 8 && head[3]));
}

/* One array is the input's. */
static int read_array(const Reader *r, const char *path, nncc_data *d) {
    int x = nncc_only_input(r);
    Array a = {0};
    const Array *of[NNCC_PORTS] = {NULL};
    const char *where[NNCC_PORTS] = {NULL};
    if (x < 0)
        return nncc_data_error(r, path, "expected a file for each input, as in %.60s=%.60s", r->port[0].name, path);
    of[x] = &a, where[x] = path;
    int bad = read_array_file(r, path, &r->port[x], &a) || nncc_add_arrays(r, d, of, where);
    free(a.bytes);
    return bad ? -1 : 0;
}

static int read_file(const Reader *r, const char *path, int regular, nncc_data *train, nncc_data *rest) {
    if (is_text(r, path)) return nncc_read_text(r, path, train, rest);
    if (ends_in(path, ".npz")) return nncc_read_npz(r, path, train, rest);
    return regular && is_array(path) ? read_array(r, path, train) : nncc_read_csv(r, path, train);
}

/* test may be NULL: what is read is one part. */
static int read_path(const Reader *r, const char *path, nncc_data *train, nncc_data *test) {
    struct stat st;
    nncc_data *rest = test ? test : train;
    int bad = 1;
    if (stat(path, &st)) return nncc_data_error(r, path, "it cannot be read");
    if (!S_ISDIR(st.st_mode)) return read_file(r, path, S_ISREG(st.st_mode), train, rest);
    if (bad > 0) bad = nncc_read_mnist(r, path, train, rest);
    if (bad > 0) bad = nncc_read_npy_directory(r, path, train, rest);
    if (bad > 0) bad = nncc_read_cifar(r, path, train, rest);
    if (bad > 0) bad = nncc_read_folders(r, path, train, rest);
    return bad > 0
               ? nncc_data_error(
                     r, path, "it holds neither idx files, nor x_train.npy, nor .bin files, nor folders of .png files")
               : bad;
}

static int read_words(const Reader *r, const char *const *words, nncc_data *train, nncc_data *test) {
    if (!words || !*words) return nncc_data_error(r, "data", "there is no file of it");
    if (!words[1] && named_port(r, *words) < 0) return read_path(r, *words, train, test);
    return read_named(r, words, train);
}

static void move_example(const Reader *r, nncc_data *to, int64_t at, const nncc_data *from, int64_t i) {
    for (int p = 0; p < r->ports; p++) {
        size_t bytes = nncc_type_size(r->port[p].type) * (size_t)r->port[p].each;
        memmove((char *)to->at[p] + (size_t)at * bytes, (const char *)from->at[p] + (size_t)i * bytes, bytes);
    }
}

/* Csv files are often sorted: what is held out lies everywhere among the examples, unless it is to be the last ones. */
static int split_off(const Reader *r, nncc_data *train, nncc_data *test, const char *path) {
    const nncc_source *s = r->source;
    double part = s->held_out > 0 ? s->held_out : 0.1;
    int64_t n = train->n, some = (int64_t)(part * (double)n + 1e-9), kept = 0;
    if (test->n || s->held_out < 0 || !some || is_text(r, path)) return 0;
    if (nncc_grow_data(r, test, some)) return nncc_data_error(r, path, "out of memory");
    test->itself = train->itself;
    for (int64_t i = 0; i < n; i++) {
        int64_t due = (int64_t)((double)(i + 1) * part + 1e-9);
        int out = s->held_last ? i >= n - some : test->n < some && due > test->n;
        nncc_data *d = out ? test : train;
        move_example(r, d, out ? test->n++ : kept++, train, i);
    }
    train->n = kept;
    return 0;
}

/* A target that is the input gets its scale alone: pictures that are to be given back stay between 0 and 1. */
static void normalise(const Reader *r, nncc_data *d, int p) {
    const nncc_port *t = &r->port[p];
    int own = t->target && !t->scale && d->itself, channels = t->channels;
    double scale = own ? r->port[nncc_only_input(r)].scale : t->scale;
    int64_t plane = channels ? t->each / channels : t->each;
    if (t->type > NNCC_F64 || (!channels && (!scale || scale == 1))) return;
    for (int64_t i = 0; i < d->n * t->each; i++) {
        double v = t->type == NNCC_F32 ? (double)((float *)d->at[p])[i] : ((double *)d->at[p])[i];
        int64_t c = plane ? i / plane % (channels ? channels : 1) : 0;
        v *= scale ? scale : 1;
        nncc_put_number(t->type, d->at[p], i, channels ? (v - t->mean[c]) / t->std[c] : v);
    }
}

int nncc_read_data(nncc_source *s, nncc_data *train, nncc_data *test, char error[NNCC_ERROR]) {
    const Reader r = {s, s->port, s->ports, error};
    *train = *test = (nncc_data){0};
    if (s->ports > NNCC_PORTS) return nncc_data_error(&r, "data", "%d inputs and targets are too many", s->ports);
    int apart = s->validation && *s->validation, bad = read_words(&r, s->data, train, apart ? NULL : test);
    if (!bad && apart) bad = read_words(&r, s->validation, test, NULL);
    if (!bad && !train->n) bad = nncc_data_error(&r, *s->data, "it holds no examples");
    if (!bad) bad = split_off(&r, train, test, *s->data);
    for (int p = 0; p < s->ports && !bad; p++) normalise(&r, train, p), normalise(&r, test, p);
    return bad;
}
