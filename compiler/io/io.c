/* io.c - tensors in files: the format follows from the file's ending; any other file is raw bytes in C order. */
#include "io/io.h"
#include <errno.h>
#include <sys/mman.h>

static ReadTensor read_raw;
static WriteTensor put_raw;

static const struct Format {
    const char *ending;
    ReadTensor *read;
    WriteTensor *put;
} formats[] = {
    {".pb", read_proto, put_proto},      /* ONNX TensorProto */
    {".npy", read_npy, put_npy},         /* NumPy */
    {".pgm", read_picture, put_picture}, /* grey and colour pictures */
    {".ppm", read_picture, put_picture}, {".pnm", read_picture, put_picture}, {"", read_raw, put_raw},
};

void *io_error(char error[IO_ERROR], const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(error, IO_ERROR, fmt, ap);
    va_end(ap);
    return NULL;
}

static const struct Format *format_of(const char *path) {
    size_t n = strlen(path);
    const struct Format *f = formats;
    for (;; f++) {
        size_t k = strlen(f->ending);
        if (k <= n && !strcmp(path + n - k, f->ending)) return f;
    }
}

Tensor *claimed_tensor(Arena *a, DType dtype, int rank, const int64_t *dim, uint64_t most, char error[IO_ERROR]) {
    int64_t count = 1, bytes;
    if (rank < 0 || rank > MAX_RANK) return io_error(error, "expected at most %d dimensions, saw %d", MAX_RANK, rank);
    for (int i = 0; i < rank; i++)
        if (dim[i] < 0 || !mul_ok(count, dim[i], &count)) return io_error(error, "its shape is negative or too large");
    if (!mul_ok(count, dtypes[dtype].bytes, &bytes) || (uint64_t)bytes > most)
        return io_error(error, "its shape needs more data than the file holds");
    return tensor_new(a, dtype, rank, dim);
}

/* Strings in a plain file: one a line. */
static Tensor *read_lines(Arena *a, const char *bytes, size_t n, const Type *want, char error[IO_ERROR]) {
    int64_t dim[MAX_RANK], count = type_count(want), lines = 0;
    for (int i = 0; i < want->rank; i++) dim[i] = want->dim[i].max;
    if (n && memchr(bytes, 0, n)) return io_error(error, "it has a NUL byte in it");
    for (size_t i = 0; i < n; i++) lines += bytes[i] == '\n' || i + 1 == n;
    if (lines != count)
        return io_error(error, "expected %lld lines, one for each string, saw %lld", (long long)count,
                        (long long)lines);
    Tensor *t = strings_new(a, want->rank, dim, NULL);
    for (int64_t i = 0; i < count; i++) {
        const char *end = memchr(bytes, '\n', n);
        size_t length = end ? (size_t)(end - bytes) : n;
        ((char **)tensor_data(t))[i] = format(a, "%.*s", (int)length, bytes);
        bytes += end ? length + 1 : length, n -= end ? length + 1 : length;
    }
    return t;
}

static Tensor *read_raw(Arena *a, const void *bytes, size_t n, const Type *want, const char **name,
                        char error[IO_ERROR]) {
    int64_t dim[MAX_RANK], need;
    if (name) *name = NULL;
    if (want && want->dtype == DT_str) return read_lines(a, bytes, n, want, error);
    if (!want || !type_known(want) || type_bytes(want) < 0)
        return io_error(error, "a raw file needs a known type and shape to be read as");
    need = packed_bytes(want->dtype, type_count(want));
    if ((uint64_t)need != n)
        return io_error(error, "expected the %lld bytes of %s, saw %zu", (long long)need, type_text(a, want), n);
    for (int i = 0; i < want->rank; i++) dim[i] = want->dim[i].max;
    if (!is_packed(want->dtype)) return tensor_of(a, want->dtype, want->rank, dim, arena_copy(a, bytes, n));
    Tensor *t = tensor_new(a, want->dtype, want->rank, dim);
    unpack_elements(t->dtype, bytes, t->count, tensor_data(t));
    return t;
}

static bool put_raw(Str *out, const Tensor *t, char error[IO_ERROR]) {
    (void)error;
    put_bytes(out, packed_contents(out->arena, t), (size_t)packed_bytes(t->dtype, t->count));
    return true;
}

Tensor *read_named_tensor(Arena *a, const char *path, const Type *want, const char **name, char error[IO_ERROR]) {
    size_t n = 0;
    errno = 0;
    const void *bytes = map_file(path, &n);
    if (!bytes) return io_error(error, "cannot be read: %s", strerror(errno));
    Tensor *t = format_of(path)->read(a, bytes, n, want, name, error);
    if (n) munmap((void *)(uintptr_t)bytes, n);
    return t;
}

bool read_list(Arena *a, const char *path, List *tensors, bool *list, char error[IO_ERROR]) {
    size_t n = 0;
    errno = 0;
    *list = false;
    if (format_of(path)->read != read_proto) return true;
    const void *bytes = map_file(path, &n);
    if (!bytes) return io_error(error, "cannot be read: %s", strerror(errno)), false;
    bool ok = read_list_proto(a, bytes, n, tensors, list, error);
    if (n) munmap((void *)(uintptr_t)bytes, n);
    return ok;
}

Tensor *read_tensor(Arena *a, const char *path, const Type *want, char error[IO_ERROR]) {
    return read_named_tensor(a, path, want, NULL, error);
}

bool write_tensor(const char *path, const Tensor *t, char error[IO_ERROR]) {
    Str out = {.arena = arena_new(0, NULL, NULL)};
    bool ok = t->dtype != DT_str || format_of(path)->put == put_proto;
    if (!ok)
        io_error(error, "strings are written as .pb alone");
    else if ((ok = format_of(path)->put(&out, t, error)) && !(ok = write_file(path, out.s ? out.s : "", out.n)))
        io_error(error, "cannot be written: %s", strerror(errno));
    arena_free(out.arena);
    return ok;
}
