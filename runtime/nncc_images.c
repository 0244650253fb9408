/* nncc_images.c - pictures with a class each: idx files, LeCun's, and CIFAR's binaries. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- idx ---- */

static int64_t big_endian(const unsigned char *p) {
    return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
}

/* A file of unsigned bytes. */
int nncc_read_idx_file(const char *path, Array *a) {
    int64_t n, size = 1;
    unsigned char *p = a->bytes = nncc_read_file_bytes(path, &n);
    if (!p || n < 8 || p[0] || p[1] || p[2] != 8 || !p[3] || n < 4 + 4 * p[3]) return -1;
    a->n = big_endian(p + 4), a->data = p + 4 + 4 * p[3];
    for (int i = 1; i < p[3]; i++)
        if (nncc_multiply_extent(&size, big_endian(p + 4 + 4 * i))) return -1;
    a->each = size;
    strcpy(a->type, "|u1");
    return size && a->n > (n - 4 - 4 * p[3]) / size ? -1 : 0;
}

/* Labels that are not what the target asks for: it is the picture itself, if that fits. */
static int read_idx_pair(const Reader *r, const char *const *path, nncc_data *d) {
    int x = nncc_only_input(r), y = nncc_only_target(r);
    Array a[2] = {{0}};
    const Array *of[NNCC_PORTS] = {NULL};
    const char *where[NNCC_PORTS] = {NULL};
    int bad = x < 0 || (y < 0 && r->ports > 1)
                  ? nncc_data_error(r, path[0], "idx files are for networks of one input and one target")
                  : 0;
    if (!bad && (nncc_read_idx_file(path[0], &a[0]) || nncc_read_idx_file(path[1], &a[1])))
        bad = nncc_data_error(r, path[0], "it or its labels cannot be read as idx");
    if (!bad) {
        int own = y >= 0 && !r->port[y].classes && r->port[y].each == r->port[x].each && a[1].each != r->port[y].each;
        of[x] = &a[0], where[x] = path[0];
        if (y >= 0) of[y] = own ? NULL : &a[1], where[y] = path[1];
        bad = nncc_add_arrays(r, d, of, where);
    }
    free(a[0].bytes), free(a[1].bytes);
    return bad;
}

int nncc_read_mnist(const Reader *r, const char *dir, nncc_data *train, nncc_data *test) {
    static const char *const name[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                       "t10k-labels-idx1-ubyte"};
    char path[4][PATH_MOST];
    for (int i = 0; i < 4; i++) nncc_find_data_file(dir, name[i], path[i]);
    if (!path[0][0]) return 1;
    if (read_idx_pair(r, (const char *const[]){path[0], path[1]}, train)) return -1;
    return path[2][0] && test != train ? read_idx_pair(r, (const char *const[]){path[2], path[3]}, test) : 0;
}

/* ---- CIFAR-10: a label and 3,072 bytes, again and again ---- */

static int read_cifar_file(const Reader *r, const char *path, nncc_data *d) {
    int x = nncc_only_input(r), y = nncc_only_target(r);
    const Array *of[NNCC_PORTS] = {NULL};
    const char *where[NNCC_PORTS] = {NULL};
    int64_t size, values;
    if (x < 0 || (y < 0 && r->ports > 1))
        return nncc_data_error(r, path, "CIFAR's binaries are for networks of one input and one target");
    values = r->port[x].each;
    unsigned char *p = nncc_read_file_bytes(path, &size), *apart = p ? malloc((size_t)size + 1) : NULL;
    int64_t n = size / (values + 1);
    int bad = !apart || size % (values + 1)
                  ? nncc_data_error(r, path, "it is not made of labels and pictures of the network's size")
                  : 0;
    for (int64_t i = 0; i < n && !bad; i++) {
        apart[i] = p[i * (values + 1)];
        memcpy(apart + n + i * values, p + i * (values + 1) + 1, (size_t)values);
    }
    const Array label = {.data = apart, .type = "|u1", .n = n, .each = 1};
    const Array image = {.data = apart + n, .type = "|u1", .n = n, .each = values};
    int own = y >= 0 && !r->port[y].classes && r->port[y].each == values && values != 1;
    of[x] = &image, where[x] = path;
    if (y >= 0) of[y] = own ? NULL : &label, where[y] = path;
    if (!bad) bad = nncc_add_arrays(r, d, of, where);
    free(p), free(apart);
    return bad;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int nncc_read_cifar(const Reader *r, const char *dir, nncc_data *train, nncc_data *test) {
    nncc_words name = {0};
    char path[PATH_MOST];
    int bad = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && !bad && (e = readdir(d));)
        if (strstr(e->d_name, ".bin") && nncc_add_word(&name, e->d_name, strlen(e->d_name)) < 0)
            bad = nncc_data_error(r, dir, "out of memory");
    if (d) closedir(d);
    if (!bad && !name.n) bad = 1;
    if (name.n) qsort(name.at, (size_t)name.n, sizeof *name.at, by_name);
    for (int64_t i = 0; i < name.n && !bad; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, name.at[i]);
        bad = read_cifar_file(r, path, strstr(name.at[i], "test") ? test : train);
    }
    nncc_free_words(&name);
    return bad;
}
