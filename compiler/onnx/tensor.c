/* tensor.c - tensors of a model. Contents stay in the mapped file where they lie there as they are needed. */
#include "onnx/importer.h"

/* Fields of TensorProto. */
enum {
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11
};

/* Which list holds the elements of a type, and as what they are stored there: f16, bf16 and small types by their bits,
 * those of 4 and 2 bits by bytes that hold them packed. */
static const struct {
    DType dtype, stored;
    int field;
} lists[] = {
    {DT_f32, DT_f32, FLOAT_DATA},  {DT_f64, DT_f64, DOUBLE_DATA},  {DT_i64, DT_i64, INT64_DATA},
    {DT_u64, DT_u64, UINT64_DATA}, {DT_u32, DT_u32, UINT64_DATA},  {DT_i32, DT_i32, INT32_DATA},
    {DT_i16, DT_i16, INT32_DATA},  {DT_i8, DT_i8, INT32_DATA},     {DT_u16, DT_u16, INT32_DATA},
    {DT_u8, DT_u8, INT32_DATA},    {DT_bool, DT_bool, INT32_DATA}, {DT_f16, DT_u16, INT32_DATA},
    {DT_bf16, DT_u16, INT32_DATA},
};

static bool is_listed_packed(DType t) { return is_packed(t) && 8 % dtypes[t].bits == 0; }

/* Bytes of one field in the file: one element, a packed list of them, or raw contents. */
typedef struct {
    int field;
    const uint8_t *at;
    size_t n;
} Chunk;

/* Goes through the fields that the notes of a skeleton point to. */
typedef struct {
    const uint8_t *in;
    const Onnx__TensorProto *t;
    size_t note, at, end;
} Walk;

static bool next_chunk(Walk *w, Chunk *c) {
    while (w->at == w->end) {
        if (w->note == w->t->n_string_data) return false;
        Contents run;
        memcpy(&run, w->t->string_data[w->note++].data, sizeof run);
        w->at = run.start, w->end = run.start + run.length;
    }
    uint64_t tag, value = 0;
    bool ok = read_varint(w->in, &w->at, w->end, &tag);
    size_t start = w->at;
    int wire = (int)(tag & 7);
    if (wire == 0 || wire == 2) ok = ok && read_varint(w->in, &w->at, w->end, &value);
    ASSERT(ok); /* the scan went over these bytes */
    if (wire != 0) start = w->at;
    w->at += wire == 1 ? 8 : wire == 5 ? 4 : wire == 2 ? value : 0;
    *c = (Chunk){(int)(tag >> 3), w->in + start, w->at - start};
    return true;
}

/* What the notes hold in all: contents come in one field only. */
typedef struct {
    int field, chunks;
    size_t bytes, varints;
    Chunk last;
    bool mixed, torn;
} Sum;

static Sum sum_of(Importer *im, const Onnx__TensorProto *t) {
    Walk w = {.in = im->bytes, .t = t};
    Sum s = {0};
    for (Chunk c; next_chunk(&w, &c);) {
        if (!c.n) continue;
        s.mixed = s.mixed || (s.field && s.field != c.field);
        s.field = c.field, s.chunks++, s.bytes += c.n, s.last = c;
        if (c.field != INT32_DATA && c.field != INT64_DATA && c.field != UINT64_DATA) continue;
        uint64_t v;
        for (size_t at = 0; at < c.n && !s.torn; s.varints++) s.torn = !read_varint(c.at, &at, c.n, &v);
    }
    return s;
}

static void decode_varints(Importer *im, const Onnx__TensorProto *t, DType stored, uint8_t *out) {
    Walk w = {.in = im->bytes, .t = t};
    for (Chunk c; next_chunk(&w, &c);)
        for (size_t at = 0; at < c.n; out += dtypes[stored].bytes) {
            uint64_t v;
            read_varint(c.at, &at, c.n, &v);
            store_scalar(stored, out, (Scalar){.u = v});
        }
}

static void copy_chunks(Importer *im, const Onnx__TensorProto *t, uint8_t *out) {
    Walk w = {.in = im->bytes, .t = t};
    for (Chunk c; next_chunk(&w, &c); out += c.n)
        if (c.n) memcpy(out, c.at, c.n);
}

static const char *shape_text(Arena *a, DType dtype, const Onnx__TensorProto *t) {
    Type type = type_make(dtype, (int)t->n_dims, t->dims);
    return type_text(a, &type);
}

/* The shape with room checked for it: false with a reason if it is absurd. */
static bool check_shape(Importer *im, const Onnx__TensorProto *t, DType dtype, int64_t *count, const char **why) {
    Arena *a = im->m->arena;
    if (t->n_dims > MAX_RANK) {
        *why = format(a, "expected at most %d dims, saw %zu", MAX_RANK, t->n_dims);
        return false;
    }
    *count = 1;
    int64_t bytes;
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || !mul_ok(*count, t->dims[i], count)) {
            *why = format(a, "dim %zu: expected an extent that fits in 63 bits, saw %lld", i, (long long)t->dims[i]);
            return false;
        }
    if (mul_ok(*count, dtypes[dtype].bytes, &bytes)) return true;
    *why = format(a, "its shape needs more than 2^63 bytes");
    return false;
}

/* Small types are in the list of i32. */
static int list_row(DType dtype) {
    int row = 0;
    while (lists[row].dtype != (dtypes[dtype].small ? DT_u8 : dtype)) row++;
    return row;
}

/* Elements in a typed list, or the bytes that hold them packed: fixed-size ones stay in the file when they lie there in
 * one piece. */
static const void *list_contents(Importer *im, const Onnx__TensorProto *t, const Sum *s, DType dtype, int64_t count,
                                 const char **why) {
    int row = list_row(dtype);
    size_t size = (size_t)dtypes[dtype].bytes;
    bool fixed = s->field == FLOAT_DATA || s->field == DOUBLE_DATA;
    if (lists[row].field != s->field) {
        *why = format(im->m->arena, "expected contents of %s in field %d of TensorProto, saw field %d",
                      dtypes[dtype].name, lists[row].field, s->field);
        return NULL;
    }
    int64_t want = is_listed_packed(dtype) ? packed_bytes(dtype, count) : count;
    uint64_t have = fixed ? s->bytes / size : s->varints;
    if (have != (uint64_t)want || s->torn || (fixed && s->bytes % size)) {
        *why =
            format(im->m->arena, "expected the %lld %s of its type %s, saw %llu", (long long)want,
                   want == count ? "elements" : "bytes", shape_text(im->m->arena, dtype, t), (unsigned long long)have);
        return NULL;
    }
    if (fixed && s->chunks == 1) return s->last.at;
    uint8_t *out = arena_alloc(im->m->arena, size * (size_t)want);
    if (fixed)
        copy_chunks(im, t, out);
    else
        decode_varints(im, t, lists[row].stored, out);
    if (want == count) clear_unused_bits(dtype, out, count);
    return out;
}

/* The elements' bytes as the file has them, `need` where they are raw; NULL with a reason. */
static const void *bytes_of(Importer *im, const Onnx__TensorProto *t, DType dtype, int64_t count, bool *packed,
                            const char **why) {
    Arena *a = im->m->arena;
    size_t need = (size_t)packed_bytes(dtype, count);
    *packed = is_packed(dtype);
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return external_contents(im, t, need, why);
    Sum s = sum_of(im, t);
    if (s.mixed)
        *why = "it has contents in two fields of TensorProto";
    else if (!s.field && need)
        *why = format(a, "expected the %zu bytes of its type %s, saw no contents", need, shape_text(a, dtype, t));
    else if (!s.field)
        return "";
    else if (s.field != RAW_DATA)
        return *packed = is_listed_packed(dtype), list_contents(im, t, &s, dtype, count, why);
    else if (s.last.n != need)
        *why = format(a, "expected the %zu bytes of its type %s, saw %zu", need, shape_text(a, dtype, t), s.last.n);
    else
        return s.last.at;
    return NULL;
}

/* The same, one after the other as tensors in memory have them. */
static const void *contents_of(Importer *im, const Onnx__TensorProto *t, DType dtype, int64_t count, const char **why) {
    bool packed;
    const void *bytes = bytes_of(im, t, dtype, count, &packed, why);
    if (!bytes || !packed) return bytes;
    void *elements = arena_alloc(im->m->arena, (size_t)count);
    unpack_elements(dtype, bytes, count, elements);
    return elements;
}

/* Element types from 17 on, which an older onnx-ml.proto has no names for. */
static const char *const newer_types[] = {"FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
                                          "UINT4",        "INT4",           "FLOAT4E2M1", "FLOAT8E8M0",
                                          "UINT2",        "INT2",           "FLOAT6E2M3", "FLOAT6E3M2"};

const char *element_name(Arena *a, int type) {
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value(&onnx__tensor_proto__data_type__descriptor, type);
    if (v) return v->name;
    return type >= 17 && type < 17 + COUNT(newer_types) ? newer_types[type - 17]
                                                        : format(a, "type %d of TensorProto.DataType", type);
}

enum { MAX_STRING = 1 << 16 };

static bool is_string(const Chunk *c) {
    return c->field == STRING_DATA && c->n < MAX_STRING && !(c->n && memchr(c->at, 0, c->n));
}

static Tensor *strings_of(Importer *im, const Onnx__TensorProto *t, int64_t count, const char **why) {
    Arena *a = im->m->arena;
    Walk w = {.in = im->bytes, .t = t};
    List found = {0};
    for (Chunk c; next_chunk(&w, &c);) {
        if (!is_string(&c)) {
            *why = format(a, "expected strings of less than %d bytes without a NUL, saw another for element %d",
                          MAX_STRING, found.n);
            return NULL;
        }
        push(a, &found, format(a, "%.*s", (int)c.n, (const char *)c.at));
    }
    if (found.n == count) return strings_new(a, (int)t->n_dims, t->dims, (const char *const *)found.at);
    *why = format(a, "expected the %lld strings of its shape, saw %d", (long long)count, found.n);
    return NULL;
}

Tensor *tensor_of_proto(Importer *im, const Onnx__TensorProto *t, const char **why, int *code) {
    DType dtype = dtype_of_onnx(t->data_type);
    int64_t count;
    *code = EXIT_UNSUPPORTED;
    if (dtype == DT_none) {
        *why = format(im->m->arena, "elements of type %s are not supported", element_name(im->m->arena, t->data_type));
        return NULL;
    }
    if (t->segment) {
        *why = "tensors in segments are not supported";
        return NULL;
    }
    if (t->n_dims <= MAX_RANK) *code = EXIT_INPUT;
    if (!check_shape(im, t, dtype, &count, why)) return NULL;
    if (dtype == DT_str) return strings_of(im, t, count, why);
    const void *data = contents_of(im, t, dtype, count, why);
    return data ? tensor_of(im->m->arena, dtype, (int)t->n_dims, t->dims, data) : NULL;
}

/* ---- sparse tensors ---- */

/* Where element i lies in the dense tensor: its index, or its index in each dim; -1 if that is outside. */
static int64_t dense_index(const Tensor *index, int64_t i, const Tensor *dense) {
    int64_t at = 0;
    if (index->rank == 1) {
        at = get_i(index, i);
        return at >= 0 && at < dense->count ? at : -1;
    }
    for (int d = 0; d < dense->rank; d++) {
        int64_t k = get_i(index, i * dense->rank + d);
        if (k < 0 || k >= dense->dim[d]) return -1;
        at = at * dense->dim[d] + k;
    }
    return at;
}

static bool scatter(Tensor *dense, const Tensor *value, const Tensor *index) {
    size_t size = (size_t)dtypes[dense->dtype].bytes;
    for (int64_t i = 0, before = -1; i < value->count; i++) {
        int64_t at = dense_index(index, i, dense);
        if (at <= before) return false; /* outside, twice or out of order */
        memcpy((char *)tensor_data(dense) + (size_t)at * size, (const char *)value->data + (size_t)i * size, size);
        before = at;
    }
    return true;
}

/* Whether the indices are one number for each value, or one for each of its dims. */
static bool indices_fit(const Tensor *value, const Tensor *index, size_t rank) {
    if (value->rank != 1 || index->dtype != DT_i64 || index->rank < 1 || index->dim[0] != value->count) return false;
    return index->rank == 1 || (index->rank == 2 && index->dim[1] == (int64_t)rank);
}

Tensor *tensor_of_sparse(Importer *im, const Onnx__SparseTensorProto *p, const char **why, int *code) {
    *code = EXIT_INPUT, *why = "a sparse tensor needs values and indices";
    Tensor *value = p->values ? tensor_of_proto(im, p->values, why, code) : NULL;
    Tensor *index = value && p->indices ? tensor_of_proto(im, p->indices, why, code) : NULL;
    if (!index) return NULL;
    Onnx__TensorProto shape = ONNX__TENSOR_PROTO__INIT;
    shape.n_dims = p->n_dims, shape.dims = p->dims;
    int64_t count;
    *code = p->n_dims > MAX_RANK ? EXIT_UNSUPPORTED : EXIT_INPUT;
    if (!check_shape(im, &shape, value->dtype, &count, why)) return NULL;
    Tensor *dense = tensor_new(im->m->arena, value->dtype, (int)p->n_dims, p->dims);
    bool fits = indices_fit(value, index, p->n_dims) && scatter(dense, value, index);
    *why = fits ? NULL : "the indices of its values do not fit its shape, or are not in order";
    return fits ? dense : NULL;
}
