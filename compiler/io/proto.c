/* proto.c - ONNX TensorProto files, with contents in any of the message's fields. */
#include "io/io.h"
#include "onnx-ml.pb-c.h"

static void *allocate(void *arena, size_t n) { return arena_alloc(arena, n); }
static void release(void *arena, void *p) { (void)arena, (void)p; }

/* The typed field that ONNX prescribes for a type: how many elements are in it, and the bits of each. */
typedef struct {
    size_t n;
    Scalar (*at)(const Onnx__TensorProto *, int64_t);
    DType stored;
} Field;
static Scalar float_at(const Onnx__TensorProto *p, int64_t i) { return (Scalar){.f = (double)p->float_data[i]}; }
static Scalar double_at(const Onnx__TensorProto *p, int64_t i) { return (Scalar){.f = p->double_data[i]}; }
static Scalar int32_at(const Onnx__TensorProto *p, int64_t i) { return (Scalar){.i = p->int32_data[i]}; }
static Scalar int64_at(const Onnx__TensorProto *p, int64_t i) { return (Scalar){.i = p->int64_data[i]}; }
static Scalar uint64_at(const Onnx__TensorProto *p, int64_t i) { return (Scalar){.u = p->uint64_data[i]}; }

static Field field_of(const Onnx__TensorProto *p, DType t) {
    switch (t) {
    case DT_f32: return (Field){p->n_float_data, float_at, t};
    case DT_f64: return (Field){p->n_double_data, double_at, t};
    case DT_i64: return (Field){p->n_int64_data, int64_at, t};
    case DT_u32:
    case DT_u64: return (Field){p->n_uint64_data, uint64_at, t};
    case DT_f16:
    case DT_bf16: return (Field){p->n_int32_data, int32_at, DT_u16};
    default: return dtypes[t].small ? (Field){p->n_int32_data, int32_at, DT_u8} : (Field){p->n_int32_data, int32_at, t};
    }
}

static Tensor *strings(Arena *a, const Onnx__TensorProto *p, char error[IO_ERROR]) {
    Tensor *t = claimed_tensor(a, DT_str, (int)p->n_dims, p->dims, p->n_string_data * sizeof(char *), error);
    if (!t) return NULL;
    if ((uint64_t)t->count != p->n_string_data)
        return io_error(error, "expected the %lld strings of its shape, saw %zu", (long long)t->count,
                        p->n_string_data);
    for (size_t i = 0; i < p->n_string_data; i++) {
        const ProtobufCBinaryData *b = &p->string_data[i];
        if (b->len && memchr(b->data, 0, b->len)) return io_error(error, "string %zu has a NUL byte in it", i);
        ((char **)tensor_data(t))[i] = format(a, "%.*s", (int)b->len, b->len ? (const char *)b->data : "");
    }
    return t;
}

/* What a list holds for elements of 4 and 2 bits is bytes that hold them packed, too; one of 6 bits has a number. */
static bool packed_list(DType t) { return is_packed(t) && 8 % dtypes[t].bits == 0; }

static Tensor *contents(Arena *a, const Onnx__TensorProto *p, DType dtype, char error[IO_ERROR]) {
    Field f = field_of(p, dtype);
    size_t bytes = (size_t)dtypes[f.stored].bytes;
    bool packed = is_packed(dtype) && (p->has_raw_data || packed_list(dtype));
    uint64_t have = p->has_raw_data ? p->raw_data.len : (uint64_t)f.n * bytes;
    Tensor *t = claimed_tensor(a, dtype, (int)p->n_dims, p->dims, packed ? 8 * have : have, error);
    if (!t) return NULL;
    uint64_t need = (uint64_t)(packed ? packed_bytes(dtype, t->count) : t->count * (int64_t)bytes);
    if (need != have)
        return io_error(error, "expected the %llu bytes of its shape, saw %llu", (unsigned long long)need,
                        (unsigned long long)have);
    unsigned char *out = packed ? arena_alloc(a, (size_t)need) : tensor_data(t);
    if (p->has_raw_data && need) memcpy(out, p->raw_data.data, need);
    for (uint64_t i = 0; !p->has_raw_data && i < f.n; i++)
        store_scalar(f.stored, out + (size_t)i * bytes, f.at(p, (int64_t)i));
    if (packed)
        unpack_elements(dtype, out, t->count, tensor_data(t));
    else
        clear_unused_bits(dtype, out, t->count);
    return t;
}

Tensor *read_proto(Arena *a, const void *bytes, size_t n, const Type *want, const char **name, char error[IO_ERROR]) {
    (void)want;
    ProtobufCAllocator in_arena = {allocate, release, a};
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(&in_arena, n, bytes);
    if (!p) return io_error(error, "it is not an ONNX tensor (TensorProto)");
    DType dtype = dtype_of_onnx(p->data_type);
    if (name) *name = p->name && *p->name ? p->name : NULL;
    if (p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL || p->segment)
        return io_error(error, "its contents lie in another file");
    if (p->n_dims > MAX_RANK) return io_error(error, "it has more than %d dimensions", MAX_RANK);
    if (dtype == DT_none)
        return io_error(error, "its type (%d in TensorProto.DataType) is not supported", p->data_type);
    return dtype == DT_str ? strings(a, p, error) : contents(a, p, dtype, error);
}

/* ---- SequenceProto and OptionalProto: a name (1), a type (2), tensors (3), the sequence that an optional holds (5)
 * ---- */

typedef struct {
    const unsigned char *at, *end;
} Wire;

static bool varint(Wire *w, uint64_t *v) {
    *v = 0;
    for (int shift = 0; w->at < w->end && shift < 64; shift += 7) {
        unsigned char c = *w->at++;
        *v |= (uint64_t)(c & 127) << shift;
        if (c < 128) return true;
    }
    return false;
}

/* The next field of a message that has only numbers and strings of bytes; 0: none, or it is no such message. */
static int next_field(Wire *w, Wire *bytes) {
    uint64_t key, n;
    *bytes = (Wire){NULL, NULL};
    if (w->at == w->end || !varint(w, &key) || key > 127 || !varint(w, &n)) return 0;
    if ((key & 7) == 0) return (int)(key >> 3);
    if ((key & 7) != 2 || n > (uint64_t)(w->end - w->at)) return 0;
    *bytes = (Wire){w->at, w->at + n};
    w->at += n;
    return (int)(key >> 3);
}

static bool is_list(Wire w) {
    Wire bytes;
    bool named = false, filled = false;
    for (int field; w.at < w.end;) {
        field = next_field(&w, &bytes);
        bool number = !bytes.at;
        if (field != 1 && field != 2 && field != 3 && field != 5) return false;
        if (number != (field == 2)) return false;
        named |= field == 1, filled |= field == 3;
    }
    return named || filled;
}

static bool list_tensors(Arena *a, Wire w, List *tensors, bool nested, char error[IO_ERROR]) {
    Wire bytes;
    for (int field; (field = next_field(&w, &bytes));) {
        if (field == 5 && !nested && !list_tensors(a, bytes, tensors, true, error)) return false;
        if (field == 5 && nested) return io_error(error, "it is a sequence of sequences"), false;
        if (field != 3) continue;
        Tensor *t = read_proto(a, bytes.at, (size_t)(bytes.end - bytes.at), NULL, NULL, error);
        if (!t) return false;
        push(a, tensors, t);
    }
    return true;
}

bool read_list_proto(Arena *a, const void *bytes, size_t n, List *tensors, bool *list, char error[IO_ERROR]) {
    Wire w = {bytes, (const unsigned char *)bytes + n};
    *list = is_list(w);
    return !*list || list_tensors(a, w, tensors, false, error);
}

bool put_proto(Str *out, const Tensor *t, char error[IO_ERROR]) {
    (void)error;
    Onnx__TensorProto p = ONNX__TENSOR_PROTO__INIT;
    int64_t dims[MAX_RANK];
    for (int i = 0; i < t->rank; i++) dims[i] = t->dim[i];
    p.n_dims = (size_t)t->rank, p.dims = dims;
    p.has_data_type = 1, p.data_type = dtypes[t->dtype].onnx;
    p.has_raw_data = 1, p.raw_data.len = (size_t)packed_bytes(t->dtype, t->count);
    p.raw_data.data = (uint8_t *)(uintptr_t)packed_contents(out->arena, t);
    if (t->dtype == DT_str) {
        p.has_raw_data = 0, p.n_string_data = (size_t)t->count;
        p.string_data = NEW_ARRAY(out->arena, ProtobufCBinaryData, t->count);
        for (int64_t i = 0; i < t->count; i++)
            p.string_data[i] = (ProtobufCBinaryData){strlen(get_s(t, i)), (uint8_t *)(uintptr_t)get_s(t, i)};
    }
    void *packed = arena_alloc(out->arena, onnx__tensor_proto__get_packed_size(&p));
    put_bytes(out, packed, onnx__tensor_proto__pack(&p, packed));
    return true;
}
