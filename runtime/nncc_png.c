/* nncc_png.c - PNG pictures in folders: one for each class, or one for each input and target. Needs libpng, and
 * -DNNCC_PNG. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#ifdef NNCC_PNG
#include <png.h>
#endif

/* ---- names in a folder ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int is_png(const char *name) {
    size_t n = strlen(name);
    return n > 4 && !strcasecmp(name + n - 4, ".png");
}

static int is_folder(const char *path) {
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Pictures, or folders, in order of their names; nothing hidden. -1: out of memory. */
static int list_names(const char *dir, int folders, nncc_words *names) {
    char path[PATH_MOST];
    int bad = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && !bad && (e = readdir(d));) {
        if (*e->d_name == '.' || snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= PATH_MOST) continue;
        if (folders ? is_folder(path) : is_png(e->d_name)) bad = nncc_add_word(names, e->d_name, strlen(e->d_name)) < 0;
    }
    if (d) closedir(d);
    if (names->n) qsort(names->at, (size_t)names->n, sizeof *names->at, by_name);
    return bad ? -1 : 0;
}

/* ---- a picture ---- */

/* Its channels, height and width: of [height, width] or [channels, height, width]; 0: the port is no picture. */
static int shape_of(const nncc_port *t, int64_t *c, int64_t *h, int64_t *w) {
    int plain = t->rank == 2;
    *c = plain ? 1 : t->dim[0], *h = t->dim[!plain], *w = t->dim[1 + !plain];
    return (plain || t->rank == 3) && (*c == 1 || *c == 3 || *c == 4);
}

#ifdef NNCC_PNG
static int decode(const Reader *r, const char *path, const nncc_port *t, unsigned char *out) {
    int64_t c, h, w;
    const png_color black = {0, 0, 0}; /* behind what is transparent, where the port has no channel for that */
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!shape_of(t, &c, &h, &w))
        return nncc_data_error(r, path, "a picture is for [1, 3 or 4, height, width], which '%.40s' is not", t->name);
    if (!png_image_begin_read_from_file(&image, path))
        return nncc_data_error(r, path, "it cannot be read: %s", image.message);
    if (image.width != w || image.height != h) {
        png_image_free(&image);
        return nncc_data_error(r, path, "expected a picture of %lld x %lld, saw %u x %u", (long long)w, (long long)h,
                               image.width, image.height);
    }
    image.format = c == 1 ? PNG_FORMAT_GRAY : c == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
    unsigned char *row = malloc(PNG_IMAGE_SIZE(image));
    int bad = !row ? nncc_data_error(r, path, "out of memory")
              : !png_image_finish_read(&image, &black, row, 0, NULL)
                  ? nncc_data_error(r, path, "it cannot be read: %s", image.message)
                  : 0;
    for (int64_t i = 0; !bad && i < h * w; i++)
        for (int64_t k = 0; k < c; k++) out[k * h * w + i] = row[i * c + k];
    free(row), png_image_free(&image);
    return bad;
}
#else
static int decode(const Reader *r, const char *path, const nncc_port *t, unsigned char *out) {
    int64_t c, h, w;
    (void)shape_of(t, &c, &h, &w), (void)out;
    return nncc_data_error(r, path, "this nncc was built without libpng, which PNG pictures need (Debian: libpng-dev)");
}
#endif

/* Pictures of a folder, behind those that are in `a`. */
static int add_pictures(const Reader *r, const char *dir, const nncc_words *names, const nncc_port *t, Array *a) {
    char path[PATH_MOST];
    if ((a->n + names->n) * t->each > DATA_BYTES_MOST)
        return nncc_data_error(r, dir, "its pictures are too many bytes");
    unsigned char *bytes = realloc(a->bytes, (size_t)((a->n + names->n) * t->each) + 1);
    if (!bytes) return nncc_data_error(r, dir, "out of memory");
    a->bytes = bytes, a->data = bytes, a->each = t->each, strcpy(a->type, "|u1");
    for (int64_t i = 0; i < names->n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names->at[i]);
        if (decode(r, path, t, bytes + a->n * t->each)) return -1;
        a->n++;
    }
    return 0;
}

/* ---- folders ---- */

int nncc_read_pictures(const Reader *r, const char *dir, const nncc_port *t, Array *a) {
    nncc_words names = {0};
    int bad = list_names(dir, 0, &names) ? nncc_data_error(r, dir, "out of memory") : 0;
    if (!bad && !names.n) bad = nncc_data_error(r, dir, "it holds no .png files");
    if (!bad) bad = add_pictures(r, dir, &names, t, a);
    nncc_free_words(&names);
    return bad;
}

/* The classes are the folders of the first part that is read. */
static int learn_classes(const Reader *r, const char *dir, nncc_words *folders, int y) {
    nncc_words *w = &r->source->words[y];
    if (folders->n > r->port[y].classes)
        return nncc_data_error(r, dir, "it holds %lld folders, and the network has %lld classes", (long long)folders->n,
                               (long long)r->port[y].classes);
    if (w->n) return 0;
    for (int64_t i = 0; i < folders->n; i++)
        if (nncc_add_word(w, folders->at[i], strlen(folders->at[i])) < 0)
            return nncc_data_error(r, dir, "out of memory");
    return 0;
}

static int add_class(const Reader *r, const char *dir, const char *name, int x, int y, Array *image, Array *label) {
    char path[PATH_MOST];
    nncc_words names = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int64_t class = y < 0 ? 0 : nncc_find_word(&r->source->words[y], name, strlen(name));
    int bad = class < 0 ? nncc_data_error(r, path, "expected a folder named for a class, saw another")
                        : list_names(path, 0, &names);
    if (!bad) bad = add_pictures(r, path, &names, &r->port[x], image);
    int32_t *at = bad ? NULL : realloc(label->bytes, (size_t)image->n * sizeof *at + 1);
    if (!bad && !at) bad = nncc_data_error(r, path, "out of memory");
    for (int64_t i = label->n; at && i < image->n; i++) at[i] = (int32_t) class;
    if (at) label->bytes = (unsigned char *)at, label->data = label->bytes, label->n = image->n;
    nncc_free_words(&names);
    return bad;
}

static int read_classes(const Reader *r, const char *dir, nncc_data *d) {
    int x = nncc_only_input(r), y = nncc_only_target(r);
    nncc_words folders = {0};
    int classes = y >= 0 && !nncc_gives_itself(r, y);
    Array image = {.type = "|u1", .each = r->port[x].each}, label = {.type = "<i4", .each = 1, .classes = 1};
    const Array *of[NNCC_PORTS] = {NULL};
    const char *where[NNCC_PORTS] = {NULL};
    int bad = list_names(dir, 1, &folders) ? nncc_data_error(r, dir, "out of memory") : 0;
    if (!bad && classes) bad = learn_classes(r, dir, &folders, y);
    for (int64_t i = 0; i < folders.n && !bad; i++)
        bad = add_class(r, dir, folders.at[i], x, classes ? y : -1, &image, &label);
    of[x] = &image, where[x] = dir;
    if (classes) of[y] = &label, where[y] = dir;
    if (!bad) bad = nncc_add_arrays(r, d, of, where);
    free(image.bytes), free(label.bytes);
    nncc_free_words(&folders);
    return bad;
}

static int has_classes(const char *dir) {
    char path[PATH_MOST];
    nncc_words folders = {0}, names = {0};
    list_names(dir, 1, &folders);
    for (int64_t i = 0; i < folders.n && !names.n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders.at[i]);
        list_names(path, 0, &names);
    }
    int found = names.n > 0;
    nncc_free_words(&folders), nncc_free_words(&names);
    return found;
}

int nncc_read_folders(const Reader *r, const char *dir, nncc_data *train, nncc_data *test) {
    char part[2][PATH_MOST];
    int x = nncc_only_input(r), y = nncc_only_target(r);
    snprintf(part[0], PATH_MOST, "%.4000s/train", dir), snprintf(part[1], PATH_MOST, "%.4000s/test", dir);
    int parts = has_classes(part[0]);
    if (!parts && !has_classes(dir)) return 1;
    if (x < 0 || (y < 0 && r->ports > 1) ||
        (y >= 0 && !nncc_gives_itself(r, y) && (!r->port[y].classes || r->port[y].each != 1)))
        return nncc_data_error(r, dir, "folders of pictures are for networks of one input and one class");
    if (read_classes(r, parts ? part[0] : dir, train)) return -1;
    return parts && test != train && has_classes(part[1]) ? read_classes(r, part[1], test) : 0;
}
