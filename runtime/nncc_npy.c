/* nncc_npy.c - arrays of numpy: npy files, alone or in a zip (npz). */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEADER_MOST = 4096, NPY_RANK = 12, MEMBERS_MOST = 4096 };

static int is_readable(const Array *a) {
    static const char *const types[] = {"u1", "b1", "i1", "f4", "f8", "i2", "u2", "i4", "u4", "i8", "u8"};
    for (int i = 0; i < (int)(sizeof types / sizeof *types); i++)
        if (!strcmp(a->type + 1, types[i])) return *a->type != '>';
    return 0;
}

/* What the header says of the bytes behind it; -1: it is none that can be read. */
static int read_npy_bytes(unsigned char *bytes, int64_t size, Array *a) {
    int64_t header, start, count = 1, dim[NPY_RANK] = {0};
    int rank = 0, wide;
    char text[HEADER_MOST + 1];
    a->bytes = bytes;
    if (!bytes || size < 12 || memcmp(bytes, "\x93NUMPY", 6) || bytes[6] < 1 || bytes[6] > 3) return -1;
    start = bytes[6] == 1 ? 10 : 12;
    header = bytes[8] + 256 * bytes[9] + (bytes[6] == 1 ? 0 : (int64_t)bytes[10] << 16 | (int64_t)bytes[11] << 24);
    if (header > HEADER_MOST || start + header > size) return -1;
    memcpy(text, bytes + start, (size_t)header), text[header] = 0;
    const char *type = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    if (!type || !shape || strstr(text, "'fortran_order': True") || sscanf(type + 10, "%7[^']", a->type) != 1)
        return -1;
    snprintf(a->shape, sizeof a->shape, "%.*s", (int)strcspn(shape + 9, ")") + 1, shape + 9);
    char *p = (char *)(uintptr_t)shape + 10;
    for (; rank < NPY_RANK && *p >= '0' && *p <= '9'; p += strspn(p, ", ")) dim[rank++] = strtoll(p, &p, 10);
    a->n = rank ? dim[0] : 0;
    if (rank == NPY_RANK && *p >= '0' && *p <= '9') return -1;
    for (int i = 1; i < rank; i++)
        if (nncc_multiply_extent(&count, dim[i])) return -1;
    a->each = count, wide = strlen(a->type) == 3 ? a->type[2] - '0' : 0;
    a->data = bytes + start + header;
    if (wide < 1 || wide > 8 || !is_readable(a)) return -1;
    return a->n < 0 || a->n > (size - start - header) / wide / (count ? count : 1) ? -1 : 0;
}

int nncc_read_npy_file(const char *path, Array *a) {
    int64_t n;
    unsigned char *p = nncc_read_file_bytes(path, &n);
    return read_npy_bytes(p, n, a);
}

/* ---- the names of ports in a set of arrays ---- */

/* Whether `stem` is what a port's array is called in a part: NAME or NAME_PART, x or y_PART of the only ones. */
static int names_port(const Reader *r, int p, const char *stem, size_t n, const char *part) {
    const char *names[2] = {r->port[p].name, NULL};
    if (nncc_only_input(r) == p) names[1] = "x";
    if (nncc_only_target(r) == p) names[1] = "y";
    for (int i = 0; i < 2 && names[i]; i++) {
        size_t m = strlen(names[i]);
        if (n < m || memcmp(stem, names[i], m)) continue;
        if (n == m && (i == 0 || part[1] == 'r')) return !strcmp(part, "train");
        if (n == m + 1 + strlen(part) && stem[m] == '_' && !memcmp(stem + m + 1, part, n - m - 1)) return 1;
    }
    return 0;
}

/* A set of arrays by name: gives one array, into *a, and its path; 1: there is none; -1: after a message. */
typedef struct Arrays Arrays;
struct Arrays {
    const char *path;
    int (*take)(const Reader *, Arrays *, int port, const char *part, Array *a, char where[PATH_MOST]);
    const unsigned char *zip;
    int64_t size;
};

static int take_part(const Reader *r, Arrays *s, const char *part, nncc_data *d) {
    Array a[NNCC_PORTS] = {{0}};
    const Array *of[NNCC_PORTS] = {NULL};
    const char *path[NNCC_PORTS] = {NULL};
    char(*where)[PATH_MOST] = calloc((size_t)r->ports + 1, sizeof *where);
    int found = 0, bad = where ? 0 : nncc_data_error(r, s->path, "out of memory");
    for (int p = 0; p < r->ports && !bad; p++) {
        int got = s->take(r, s, p, part, &a[p], where[p]);
        if (got < 0) bad = -1;
        if (!got) of[p] = &a[p], path[p] = where[p], found++;
    }
    if (!bad && found) bad = nncc_add_arrays(r, d, of, path);
    for (int p = 0; p < r->ports; p++) free(a[p].bytes);
    free(where);
    return bad ? bad : !found;
}

static int take_parts(const Reader *r, Arrays *s, nncc_data *train, nncc_data *test) {
    int bad = take_part(r, s, "train", train);
    if (bad) return bad;
    bad = test == train ? 0 : take_part(r, s, "test", test);
    return bad < 0 ? bad : 0;
}

/* ---- a directory ---- */

static int take_file(const Reader *r, Arrays *s, int p, const char *part, Array *a, char where[PATH_MOST]) {
    const char *names[2] = {r->port[p].name, nncc_only_input(r) == p ? "x" : nncc_only_target(r) == p ? "y" : NULL};
    char name[PATH_MOST];
    for (int i = 0; i < 4; i++) {
        const char *base = names[i / 2];
        int bare = i % 2;
        if (!base || (bare && (strcmp(part, "train") || strchr(base, '/')))) continue;
        snprintf(name, sizeof name, bare ? "%s.npy" : "%s_%s.npy", base, part);
        if (strchr(base, '/')) continue;
        nncc_find_data_file(s->path, name, where);
        if (*where) return nncc_read_npy_file(where, a) ? nncc_data_error(r, where, "it cannot be read as npy") : 0;
    }
    return 1;
}

int nncc_read_npy_directory(const Reader *r, const char *dir, nncc_data *train, nncc_data *test) {
    Arrays s = {.path = dir, .take = take_file};
    return take_parts(r, &s, train, test);
}

/* ---- npz: a zip of npy files, stored or deflated ---- */

static uint64_t little(const unsigned char *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

typedef struct {
    const char *name;
    size_t length;
    int method;
    uint32_t crc;
    uint64_t packed, size, at;
} Member;

/* Sizes of 2^32 and more stand in an extra field of their own. */
static void take_wide(Member *m, const unsigned char *extra, int64_t n) {
    uint64_t *const wide[] = {&m->size, &m->packed, &m->at};
    while (n >= 4) {
        int64_t length = (int64_t)little(extra + 2, 2), at = 4;
        if (length > n - 4) return;
        for (int i = 0; i < 3 && little(extra, 2) == 1; i++)
            if (*wide[i] == UINT32_MAX && at + 8 <= length + 4) *wide[i] = little(extra + at, 8), at += 8;
        extra += 4 + length, n -= 4 + length;
    }
}

/* The entry at *at of the zip's directory, which moves on; -1: there is none. */
static int next_member(const Arrays *s, int64_t *at, Member *m) {
    const unsigned char *p = s->zip + *at;
    if (*at < 0 || *at + 46 > s->size || little(p, 4) != 0x02014b50) return -1;
    int64_t name = (int64_t)little(p + 28, 2), extra = (int64_t)little(p + 30, 2), note = (int64_t)little(p + 32, 2);
    if (*at + 46 + name + extra + note > s->size) return -1;
    *m = (Member){.name = (const char *)p + 46,
                  .length = (size_t)name,
                  .method = (int)little(p + 10, 2),
                  .crc = (uint32_t)little(p + 16, 4),
                  .packed = little(p + 20, 4),
                  .size = little(p + 24, 4),
                  .at = little(p + 42, 4)};
    take_wide(m, p + 46 + name, extra);
    *at += 46 + name + extra + note;
    return 0;
}

/* Where the directory begins; -1: it is no zip. */
static int64_t find_directory(const Arrays *s) {
    for (int64_t at = s->size - 22; at >= 0 && at >= s->size - 22 - 65535; at--) {
        const unsigned char *p = s->zip + at;
        if (little(p, 4) != 0x06054b50) continue;
        uint64_t start = little(p + 16, 4);
        if (start == UINT32_MAX && at >= 20 && little(p - 20, 4) == 0x07064b50) {
            uint64_t record = little(p - 12, 8);
            if (s->size < 56 || record > (uint64_t)s->size - 56 || little(s->zip + record, 4) != 0x06064b50) return -1;
            start = little(s->zip + record + 48, 8);
        }
        return start <= (uint64_t)s->size ? (int64_t)start : -1;
    }
    return -1;
}

static int inflate_member(const unsigned char *from, uint64_t packed, unsigned char *to, uint64_t size) {
    z_stream z = {0};
    int code = Z_OK;
    uint64_t in = 0, out = 0;
    const uint64_t most = 1 << 30;
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return -1;
    while (code == Z_OK) {
        uInt give = (uInt)(packed - in < most ? packed - in : most),
             room = (uInt)(size - out < most ? size - out : most);
        z.next_in = (Bytef *)(uintptr_t)(from + in), z.avail_in = give;
        z.next_out = to + out, z.avail_out = room;
        code = inflate(&z, Z_NO_FLUSH);
        if (z.avail_in == give && z.avail_out == room && code == Z_OK) break;
        in += give - z.avail_in, out += room - z.avail_out;
    }
    inflateEnd(&z);
    return code == Z_STREAM_END && out == size ? 0 : -1;
}

/* A member's bytes, memory of their own; NULL: they are damaged, or claim more than there can be. */
static unsigned char *member_bytes(const Arrays *s, const Member *m) {
    const uint64_t size = (uint64_t)s->size;
    if (m->at > size - 30 || little(s->zip + m->at, 4) != 0x04034b50) return NULL;
    uint64_t start = m->at + 30 + little(s->zip + m->at + 26, 2) + little(s->zip + m->at + 28, 2);
    /* deflate makes at most 1,032 times as many bytes of what it has */
    if (start > size || m->packed > size - start || m->size > (uint64_t)DATA_BYTES_MOST || m->size / 1032 > m->packed ||
        (m->method != 0 && m->method != 8) || (!m->method && m->size != m->packed))
        return NULL;
    unsigned char *to = malloc((size_t)m->size + 1);
    if (to && !m->method) memcpy(to, s->zip + start, (size_t)m->size);
    int bad = to && m->method && inflate_member(s->zip + start, m->packed, to, m->size);
    if (!to || bad || crc32_z(0, to, (size_t)m->size) != m->crc) return free(to), NULL;
    return to;
}

static int take_member(const Reader *r, Arrays *s, int p, const char *part, Array *a, char where[PATH_MOST]) {
    int64_t at = find_directory(s);
    Member m;
    if (at < 0) return nncc_data_error(r, s->path, "it cannot be read as npz: it has no directory of a zip file");
    for (int i = 0; i < MEMBERS_MOST && !next_member(s, &at, &m); i++) {
        if (m.length < 5 || memcmp(m.name + m.length - 4, ".npy", 4)) continue;
        if (!names_port(r, p, m.name, m.length - 4, part)) continue;
        unsigned char *bytes = member_bytes(s, &m);
        snprintf(where, PATH_MOST, "%s: %.*s", s->path, (int)(m.length - 4 < 200 ? m.length - 4 : 200), m.name);
        if (!bytes) return nncc_data_error(r, where, "it is damaged, or packed in another way than stored or deflated");
        return read_npy_bytes(bytes, (int64_t)m.size, a) ? nncc_data_error(r, where, "it cannot be read as npy") : 0;
    }
    return 1;
}

int nncc_read_npz(const Reader *r, const char *path, nncc_data *train, nncc_data *test) {
    Arrays s = {.path = path, .take = take_member};
    unsigned char *zip = nncc_read_file_bytes(path, &s.size);
    s.zip = zip;
    int bad = !zip          ? nncc_data_error(r, path, "it cannot be read")
              : s.size < 30 ? nncc_data_error(r, path, "it cannot be read as npz: it has %lld bytes", (long long)s.size)
                            : take_parts(r, &s, train, test);
    free(zip);
    return bad > 0 ? nncc_data_error(r, path, "it has no array for '%.60s'", r->port[0].name) : bad;
}
