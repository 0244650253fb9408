/* npy.c - NumPy's .npy files, versions 1 to 3: little-endian, C order. */
#include "io/io.h"

static const struct {
    const char *descr;
    DType dtype;
} descriptions[] = {
    {"f4", DT_f32}, {"f8", DT_f64}, {"f2", DT_f16}, {"i1", DT_i8},  {"i2", DT_i16}, {"i4", DT_i32},
    {"i8", DT_i64}, {"u1", DT_u8},  {"u2", DT_u16}, {"u4", DT_u32}, {"u8", DT_u64}, {"b1", DT_bool},
};

/* The text after "'key':" in a header, blanks skipped; NULL if absent. */
static const char *field(const char *header, const char *key) {
    const char *s = strstr(header, key);
    if (!s) return NULL;
    s += strlen(key);
    s += strspn(s, " ");
    return *s == ':' ? s + 1 + strspn(s + 1, " ") : NULL;
}

static DType parse_descr(const char *s) {
    if (!s || (*s != '\'' && *s != '"') || !s[1] || !strchr("<|=", s[1])) return DT_none;
    for (int i = 0; i < COUNT(descriptions); i++)
        if (!strncmp(s + 2, descriptions[i].descr, 2) && s[4] == *s) return descriptions[i].dtype;
    return DT_none;
}

/* Reads "(2, 3)"; the rank, or -1. */
static int parse_shape(const char *s, int64_t dim[MAX_RANK]) {
    int rank = 0;
    if (!s || *s++ != '(') return -1;
    for (;;) {
        s += strspn(s, " ,");
        if (*s == ')') return rank;
        if (rank == MAX_RANK || *s < '0' || *s > '9') return -1;
        for (dim[rank] = 0; *s >= '0' && *s <= '9'; s++)
            if (!mul_ok(dim[rank], 10, &dim[rank]) || !add_ok(dim[rank], *s - '0', &dim[rank])) return -1;
        rank++;
    }
}

/* Finds header and contents; false if the file is cut short. */
static bool open_npy(const unsigned char *p, size_t n, size_t *header, size_t *length) {
    static const char magic[] = "\x93NUMPY";
    if (n < 10 || memcmp(p, magic, 6) || p[6] < 1 || p[6] > 3) return false;
    *header = p[6] == 1 ? 10 : 12;
    if (n < *header) return false;
    *length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) *length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    return *length <= n - *header;
}

Tensor *read_npy(Arena *a, const void *bytes, size_t n, const Type *want, const char **name, char error[IO_ERROR]) {
    size_t start, length;
    int64_t dim[MAX_RANK];
    (void)want;
    if (name) *name = NULL;
    if (!open_npy(bytes, n, &start, &length))
        return io_error(error, "it is not a .npy file of version 1 to 3, or is cut short");
    char *header = arena_alloc(a, length + 1);
    memcpy(header, (const char *)bytes + start, length);
    DType dtype = parse_descr(field(header, "'descr'"));
    int rank = parse_shape(field(header, "'shape'"), dim);
    const char *order = field(header, "'fortran_order'");
    if (dtype == DT_none) return io_error(error, "its element type is not a little-endian number or bool");
    if (rank < 0) return io_error(error, "its shape cannot be read, or has more than %d dimensions", MAX_RANK);
    if (!order || (strncmp(order, "False", 5) && rank > 1))
        return io_error(error, "it is in Fortran order; save numpy.ascontiguousarray(x)");
    uint64_t most = n - start - length;
    Tensor *t = claimed_tensor(a, dtype, rank, dim, most, error);
    if (!t) return NULL;
    uint64_t size = (uint64_t)t->count * (uint64_t)dtypes[dtype].bytes;
    if (size != most)
        return io_error(error, "it holds %llu bytes more than its shape needs", (unsigned long long)(most - size));
    if (size) memcpy(tensor_data(t), (const char *)bytes + start + length, size);
    return t;
}

bool put_npy(Str *out, const Tensor *t, char error[IO_ERROR]) {
    Str h = {.arena = out->arena};
    const char *descr = NULL;
    for (int i = 0; i < COUNT(descriptions); i++)
        if (descriptions[i].dtype == t->dtype) descr = descriptions[i].descr;
    if (!descr) return io_error(error, "NumPy has no type for %s", dtypes[t->dtype].name), false;
    put(&h, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", dtypes[t->dtype].bytes > 1 ? '<' : '|', descr);
    for (int i = 0; i < t->rank; i++)
        put(&h, "%s%lld%s", i ? " " : "", (long long)t->dim[i], i + 1 < t->rank || t->rank == 1 ? "," : "");
    put_text(&h, "), }");
    while ((10 + h.n + 1) % 64) put_text(&h, " ");
    put_text(&h, "\n");
    unsigned char head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)h.n, (unsigned char)(h.n >> 8)};
    put_bytes(out, head, sizeof head);
    put_bytes(out, h.s, h.n);
    put_bytes(out, t->data, (size_t)t->count * (size_t)dtypes[t->dtype].bytes);
    return true;
}
