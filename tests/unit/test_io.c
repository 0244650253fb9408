/* Tensor files: what is written reads back, in every type; what is malformed is refused with a message. */
#include "base/process.h"
#include "check.h"
#include "io/io.h"
#include <unistd.h>

static Arena *arena;
static char *dir;

static char *path_of(const char *name) { return format(arena, "%s/%s", dir, name); }

static Tensor *parse(ReadTensor *read, const char *bytes, size_t n, const Type *want, char error[IO_ERROR]) {
    *error = 0;
    return read(arena, arena_copy(arena, bytes, n), n, want, NULL, error);
}

static Tensor *ramp(DType t, int rank, const int64_t *dim) {
    Tensor *r = tensor_new(arena, t, rank, dim);
    for (int64_t i = 0; i < r->count; i++) set_i(r, i, t == DT_bool ? i % 2 : i * 5 % 100);
    return r;
}

static bool equal(const Tensor *a, const Tensor *b) {
    return a && b && a->dtype == b->dtype && a->rank == b->rank &&
           !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank) &&
           !memcmp(a->data, b->data, (size_t)a->count * (size_t)dtypes[a->dtype].bytes);
}

static void round_trips(void) {
    static const char *const names[] = {"x.pb", "x.npy", "x.raw"};
    const int64_t dim[] = {2, 3, 4};
    char error[IO_ERROR];
    for (int t = 0; t < DT_str; t++)
        for (int rank = 0; rank <= 3; rank++)
            for (int k = 0; k < COUNT(names); k++) {
                Tensor *x = ramp((DType)t, rank, dim);
                Type type = tensor_type(x);
                bool written = write_tensor(path_of(names[k]), x, error);
                CHECK(written == !(k == 1 && (t == DT_bf16 || dtypes[t].small)));
                if (written) CHECK(equal(x, read_tensor(arena, path_of(names[k]), &type, error)));
            }
    unlink(path_of("x.pb")), unlink(path_of("x.npy")), unlink(path_of("x.raw"));
}

static char *npy(const char *header, int version, const void *data, size_t size, size_t *n) {
    Str s = {.arena = arena};
    size_t len = strlen(header);
    unsigned char head[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0, (unsigned char)len, 0, 0, 0};
    put_bytes(&s, head, version == 1 ? 10 : 12);
    put_bytes(&s, header, len);
    put_bytes(&s, data, size);
    *n = s.n;
    return s.s;
}

static void npy_headers(void) {
    static const struct {
        const char *header;
        bool ok;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", true},
        {"{'shape': (1, 2), 'fortran_order': False, 'descr': '<f4'}\n", true},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", true}, /* one dimension has no order */
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", false},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", false},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,2), }", false},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", false},
        {"{'descr': '<f4", false},
        {"", false},
    };
    const float data[2] = {1.5f, -2};
    char error[IO_ERROR];
    size_t n;
    for (int i = 0; i < COUNT(cases); i++)
        for (int version = 1; version <= 3; version++) {
            char *bytes = npy(cases[i].header, version, data, sizeof data, &n);
            Tensor *t = parse(read_npy, bytes, n, NULL, error);
            CHECK((t != NULL) == cases[i].ok);
            CHECK((*error == 0) == cases[i].ok);
            if (t) CHECK(t->count == 2 && get_f(t, 1) == -2);
        }
    char *whole = npy(cases[0].header, 1, data, sizeof data, &n);
    for (size_t k = 0; k < n; k++) CHECK(!parse(read_npy, whole, k, NULL, error) && *error);
}

/* TensorProto by hand: field 1 dims, 2 data_type, 4 float_data, 5 int32_data, 9 raw_data. */
static void protos(void) {
    static const struct {
        const char *bytes;
        size_t n;
        double second;
    } good[] = {
        {"\x08\x02\x10\x01\x22\x08\0\0\x80\x3f\0\0\0\x40", 14, 2}, /* f32, packed float_data 1 2 */
        {"\x08\x02\x10\x01\x25\0\0\x80\x3f\x25\0\0\0\x40", 14, 2}, /* the same, not packed */
        {"\x08\x02\x10\x02\x2a\x03\x07\xc8\x01", 9, 200},          /* u8 in int32_data: 7 200 */
        {"\x08\x02\x10\x0a\x2a\x05\x00\x80\x80\x01\x00", 11, -1},  /* three numbers where two belong */
        {"\x08\x02\x10\x03\x4a\x02\x01\xff", 8, -1},               /* i8 raw: 1 -1 */
        {"\x08\x02\x10\x0a\x2a\x04\x80\x78\x80\x78", 10, 1},       /* f16 bits 0x3c00 in int32_data */
    };
    char error[IO_ERROR];
    for (int i = 0; i < COUNT(good); i++) {
        Tensor *t = parse(read_proto, good[i].bytes, good[i].n, NULL, error);
        if (i == 3)
            CHECK(!t && *error);
        else
            CHECK(t && t->count == 2 && get_f(t, 1) == good[i].second);
        for (size_t k = 0; k < good[i].n; k++) CHECK(!parse(read_proto, good[i].bytes, k, NULL, error) || k == 0);
    }
    CHECK(!parse(read_proto, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01", 12, NULL, error) &&
          *error);                                                           /* 2^63 - 1 */
    CHECK(!parse(read_proto, "\x08\x02\x10\x63", 4, NULL, error) && *error); /* type 99 */
}

static void pictures(void) {
    static const char grey[] = "P5 # a comment\n3 2\n255\n\0\1\2\3\4\xff", rgb[] = "P6\n1 2\n15\n\0\1\2\3\4\17";
    const int64_t nchw[] = {1, 1, 2, 3}, three[] = {1, 3, 2, 3}, flat[] = {1, 6}, chw[] = {3, 2, 1}, hwc[] = {2, 1, 3},
                  other[] = {1, 1, 3, 2};
    char error[IO_ERROR];
    Type type = type_make(DT_f32, 4, nchw);
    Tensor *t = parse(read_picture, grey, sizeof grey - 1, &type, error);
    CHECK(t && t->dtype == DT_f32 && t->rank == 4 && get_f(t, 5) == 255 && get_f(t, 1) == 1);
    type = type_make(DT_u8, 4, three);
    t = parse(read_picture, grey, sizeof grey - 1, &type, error);
    CHECK(t && get_f(t, 5) == 255 && get_f(t, 11) == 255 && get_f(t, 17) == 255);
    type = type_make(DT_f32, 2, flat);
    CHECK(parse(read_picture, grey, sizeof grey - 1, &type, error));
    type = type_make(DT_f32, 4, other);
    CHECK(!parse(read_picture, grey, sizeof grey - 1, &type, error) && strstr(error, "3 wide, 2 high"));
    type = type_make(DT_f32, 3, chw);
    t = parse(read_picture, rgb, sizeof rgb - 1, &type, error);
    CHECK(t && get_f(t, 1) == 51 && get_f(t, 5) == 255);
    type = type_make(DT_f32, 3, hwc);
    t = parse(read_picture, rgb, sizeof rgb - 1, &type, error);
    CHECK(t && get_f(t, 3) == 51 && get_f(t, 5) == 255);
    for (size_t k = 0; k < sizeof rgb - 1; k++) CHECK(!parse(read_picture, rgb, k, &type, error) && *error);
    CHECK(!parse(read_picture, "P5 99999999 99999999 255 x", 26, NULL, error));

    Tensor *x = tensor_new(arena, DT_f32, 3, (int64_t[]){1, 2, 2});
    for (int i = 0; i < 4; i++) set_f(x, i, (double[]){-3, 0.6, 254.4, 1e9}[i]);
    CHECK(write_tensor(path_of("x.pgm"), x, error));
    t = read_tensor(arena, path_of("x.pgm"), NULL, error);
    CHECK(t && t->dtype == DT_u8 && get_i(t, 0) == 0 && get_i(t, 1) == 1 && get_i(t, 2) == 254 && get_i(t, 3) == 255);
    unlink(path_of("x.pgm"));
}

static void raw_files(void) {
    char error[IO_ERROR] = "";
    const int64_t dim[] = {4};
    Type type = type_make(DT_i16, 1, dim), open = {.dtype = DT_f32, .rank = 1, .dim = {{-1, NULL}}};
    CHECK(write_file(path_of("x"), "12345678", 8));
    CHECK(read_tensor(arena, path_of("x"), &type, error));
    CHECK(!read_tensor(arena, path_of("x"), &open, error) && *error);
    CHECK(!read_tensor(arena, path_of("x"), NULL, error));
    type.dtype = DT_f32;
    CHECK(!read_tensor(arena, path_of("x"), &type, error) && strstr(error, "16 bytes") && strstr(error, "saw 8"));
    CHECK(!read_tensor(arena, path_of("absent"), &type, error) && strstr(error, "No such file"));
    CHECK(!read_tensor(arena, dir, &type, error) && *error);
    unlink(path_of("x"));
}

int main(void) {
    arena = arena_new(0, NULL, NULL);
    dir = working_dir(arena, NULL);
    CHECK(dir);
    round_trips(), npy_headers(), protos(), pictures(), raw_files();
    remove_dir(dir);
    arena_free(arena);
    return failures();
}
