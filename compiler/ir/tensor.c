/* tensor.c - contents of tensors, scalars of any type, types and shapes. */
#include "ir/build.h"
#include "ir/symbols.h"
#include <math.h>

Tensor *tensor_of(Arena *a, DType dtype, int rank, const int64_t *dim, const void *data) {
    Tensor *t = NEW(a, Tensor);
    ASSERT(rank >= 0 && rank <= MAX_RANK);
    t->dtype = dtype, t->rank = rank, t->data = data, t->count = 1;
    for (int i = 0; i < rank; i++)
        if (dim[i] == 0) t->count = 0; /* however large the others are */
    for (int i = 0; i < rank; i++) {
        t->dim[i] = dim[i];
        ASSERT(dim[i] >= 0 && mul_ok(t->count, dim[i], &t->count));
    }
    return t;
}

Tensor *tensor_new(Arena *a, DType dtype, int rank, const int64_t *dim) {
    Tensor *t = tensor_of(a, dtype, rank, dim, NULL);
    t->data = arena_alloc(a, (size_t)t->count * (size_t)dtypes[dtype].bytes);
    return t;
}

void *tensor_data(Tensor *t) { return (void *)(uintptr_t)t->data; }

/* Round to nearest even, subnormals and infinities kept (IEEE 754 binary16). */
uint16_t f32_to_f16(float f) {
    uint32_t x;
    memcpy(&x, &f, 4);
    uint32_t sign = x >> 16 & 0x8000, e = x >> 23 & 255, m = x & 0x7fffff;
    if (e == 255) return (uint16_t)(sign | 0x7c00 | (m ? 0x200 | m >> 13 : 0));
    if (e >= 143) return (uint16_t)(sign | 0x7c00);
    if (e < 102) return (uint16_t)sign;
    int shift = e < 113 ? 126 - (int)e : 13;
    uint32_t full = e < 113 ? m | 0x800000 : (e - 112) << 23 | m;
    uint32_t half = full >> shift, rest = full & ((1u << shift) - 1), mid = 1u << (shift - 1);
    half += rest > mid || (rest == mid && (half & 1));
    return (uint16_t)(sign | half);
}

float f16_to_f32(uint16_t h) {
    int e = h >> 10 & 31, m = h & 1023;
    double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return (float)(h & 0x8000 ? -v : v);
}

uint16_t f32_to_bf16(float f) {
    uint32_t x;
    memcpy(&x, &f, 4);
    if ((x & 0x7fffffff) > 0x7f800000) return (uint16_t)(x >> 16 | 0x40);
    return (uint16_t)((x + 0x7fff + (x >> 16 & 1)) >> 16);
}

float bf16_to_f32(uint16_t h) {
    uint32_t x = (uint32_t)h << 16;
    float f;
    memcpy(&f, &x, 4);
    return f;
}

#define LOAD(T, field)                                                                                                 \
    {                                                                                                                  \
        T v;                                                                                                           \
        memcpy(&v, p, sizeof v);                                                                                       \
        return (Scalar){.field = v};                                                                                   \
    }

/* The value of a small integer in a byte, whatever the bits above it are. */
static int small_int(DType t, int v) {
    int top = 1 << (dtypes[t].bits - 1), bits = v & (2 * top - 1);
    return dtypes[t].kind == 'i' && bits & top ? bits - 2 * top : bits;
}

static Scalar load_small(DType t, unsigned char code) {
    if (holds_floats(t)) return (Scalar){.f = small_float(t, code)};
    int v = small_int(t, code);
    return dtypes[t].kind == 'u' ? (Scalar){.u = (uint64_t)v} : (Scalar){.i = v};
}

Scalar load_scalar(DType t, const void *p) {
    if (dtypes[t].small) return load_small(t, *(const unsigned char *)p);
    switch (t) {
    case DT_f32: LOAD(float, f)
    case DT_f64: LOAD(double, f)
    case DT_f16: {
        uint16_t v;
        memcpy(&v, p, 2);
        return (Scalar){.f = (double)f16_to_f32(v)};
    }
    case DT_bf16: {
        uint16_t v;
        memcpy(&v, p, 2);
        return (Scalar){.f = (double)bf16_to_f32(v)};
    }
    case DT_i8: LOAD(int8_t, i)
    case DT_i16: LOAD(int16_t, i)
    case DT_i32: LOAD(int32_t, i)
    case DT_i64:
    case DT_index: LOAD(int64_t, i)
    case DT_u8: LOAD(uint8_t, u)
    case DT_u16: LOAD(uint16_t, u)
    case DT_u32: LOAD(uint32_t, u)
    case DT_u64: LOAD(uint64_t, u)
    case DT_bool: {
        uint8_t v;
        memcpy(&v, p, 1);
        return (Scalar){.i = v != 0};
    }
    default: bug(__FILE__, __LINE__, "load of a type without numbers");
    }
}

#define STORE(T, field)                                                                                                \
    {                                                                                                                  \
        T v = (T)s.field;                                                                                              \
        memcpy(p, &v, sizeof v);                                                                                       \
        return;                                                                                                        \
    }

void store_scalar(DType t, void *p, Scalar s) {
    if (dtypes[t].small) {
        *(unsigned char *)p = holds_floats(t) ? small_code(t, s.f) : (unsigned char)small_int(t, (int)(s.u & 255));
        return;
    }
    switch (t) {
    case DT_f32: STORE(float, f)
    case DT_f64: STORE(double, f)
    case DT_f16: {
        uint16_t v = f32_to_f16((float)s.f);
        memcpy(p, &v, 2);
        return;
    }
    case DT_bf16: {
        uint16_t v = f32_to_bf16((float)s.f);
        memcpy(p, &v, 2);
        return;
    }
    case DT_i8: STORE(int8_t, i)
    case DT_i16: STORE(int16_t, i)
    case DT_i32: STORE(int32_t, i)
    case DT_i64:
    case DT_index: STORE(int64_t, i)
    case DT_u8: STORE(uint8_t, u)
    case DT_u16: STORE(uint16_t, u)
    case DT_u32: STORE(uint32_t, u)
    case DT_u64: STORE(uint64_t, u)
    case DT_bool: {
        uint8_t v = s.i != 0;
        memcpy(p, &v, 1);
        return;
    }
    default: bug(__FILE__, __LINE__, "store of a type without numbers");
    }
}

static int bits_of(DType t) { return dtypes[t].bits ? dtypes[t].bits : 8 * dtypes[t].bytes; }

int64_t dtype_min(DType t) {
    return dtypes[t].kind == 'i' || dtypes[t].kind == 'x' ? (int64_t)((uint64_t)-1 << (bits_of(t) - 1)) : 0;
}

uint64_t dtype_max(DType t) {
    if (t == DT_bool) return 1;
    uint64_t all = ~(uint64_t)0 >> (64 - bits_of(t));
    return dtypes[t].kind == 'u' ? all : all >> 1;
}

static Scalar wrap_int(uint64_t u, DType to);

/* What a small integer does not hold keeps its low bits, as in ONNX's tests. */
static Scalar float_to_int(double f, DType to) {
    if (dtypes[to].small) return wrap_int(float_to_int(f, DT_i32).u, to);
    if (dtypes[to].kind == 'b') return (Scalar){.i = f != 0};
    if (f != f) return (Scalar){.i = 0};
    f = trunc(f);
    if (dtypes[to].kind == 'u') {
        if (f <= 0) return (Scalar){.u = 0};
        return (Scalar){.u = f >= (double)dtype_max(to) ? dtype_max(to) : (uint64_t)f};
    }
    if (f <= (double)dtype_min(to)) return (Scalar){.i = dtype_min(to)};
    return (Scalar){.i = f >= (double)dtype_max(to) ? (int64_t)dtype_max(to) : (int64_t)f};
}

/* Wraps the 64 bits of an integer to the width of a type. */
static Scalar wrap_int(uint64_t u, DType to) {
    unsigned char bytes[8];
    if (dtypes[to].kind == 'b') return (Scalar){.i = u != 0};
    store_scalar(to, bytes, (Scalar){.u = u});
    return load_scalar(to, bytes);
}

Scalar cast_scalar(Scalar s, DType from, DType to) {
    if (holds_floats(from)) {
        if (!holds_floats(to)) return float_to_int(s.f, to);
        unsigned char bytes[8];
        store_scalar(to, bytes, s);
        return load_scalar(to, bytes);
    }
    if (holds_floats(to)) {
        double f = dtypes[from].kind == 'u' ? (double)s.u : (double)s.i;
        float exact = dtypes[from].kind == 'u' ? (float)s.u : (float)s.i; /* one rounding, not two */
        return to == DT_f64 ? (Scalar){.f = f}
                            : cast_scalar((Scalar){.f = (double)exact}, DT_f32, to == DT_f32 ? DT_f64 : to);
    }
    return wrap_int(s.u, to);
}

static const char *element(const Tensor *t, int64_t i) { return (const char *)t->data + i * dtypes[t->dtype].bytes; }

double get_f(const Tensor *t, int64_t i) {
    Scalar s = load_scalar(t->dtype, element(t, i));
    return cast_scalar(s, t->dtype, DT_f64).f;
}

int64_t get_i(const Tensor *t, int64_t i) {
    return cast_scalar(load_scalar(t->dtype, element(t, i)), t->dtype, DT_i64).i;
}

void set_f(Tensor *t, int64_t i, double f) {
    store_scalar(t->dtype, (char *)tensor_data(t) + i * dtypes[t->dtype].bytes,
                 cast_scalar((Scalar){.f = f}, DT_f64, t->dtype));
}

void set_i(Tensor *t, int64_t i, int64_t v) {
    store_scalar(t->dtype, (char *)tensor_data(t) + i * dtypes[t->dtype].bytes,
                 cast_scalar((Scalar){.i = v}, DT_i64, t->dtype));
}

/* ---- strings ---- */

const char *get_s(const Tensor *t, int64_t i) { return ((const char *const *)t->data)[i]; }

Tensor *strings_new(Arena *a, int rank, const int64_t *dim, const char *const *from) {
    Tensor *t = tensor_new(a, DT_str, rank, dim);
    const char **to = tensor_data(t);
    for (int64_t i = 0; i < t->count; i++) to[i] = from ? arena_str(a, from[i]) : "";
    return t;
}

int64_t longest_string(const Tensor *t) {
    size_t most = 0, n;
    for (int64_t i = 0; i < t->count; i++)
        if ((n = strlen(get_s(t, i))) > most) most = n;
    return (int64_t)most;
}

Tensor *strings_as_rows(Arena *a, const Tensor *t, int64_t width) {
    int64_t dim[MAX_RANK];
    ASSERT(t->rank < MAX_RANK);
    memcpy(dim, t->dim, sizeof *dim * (size_t)t->rank);
    dim[t->rank] = width;
    Tensor *rows = tensor_new(a, DT_u8, t->rank + 1, dim);
    for (int64_t i = 0; i < t->count; i++) {
        size_t n = strlen(get_s(t, i));
        memcpy((char *)tensor_data(rows) + i * width, get_s(t, i), n < (size_t)width ? n : (size_t)width);
    }
    return rows;
}

/* ---- conversions of tensors ---- */

Tensor *tensor_cast(Arena *a, const Tensor *t, DType to) {
    Tensor *r = tensor_new(a, to, t->rank, t->dim);
    for (int64_t i = 0; i < t->count; i++)
        store_scalar(to, (char *)tensor_data(r) + i * dtypes[to].bytes,
                     cast_scalar(load_scalar(t->dtype, element(t, i)), t->dtype, to));
    return r;
}

int64_t type_count(const Type *t) {
    int64_t n = 1;
    if (t->rank < 0) return -1;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].max == 0) return 0;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].max < 0 || !mul_ok(n, t->dim[i].max, &n) || n > (int64_t)1 << 58) return -1;
    return n;
}

int64_t type_bytes(const Type *t) {
    int64_t n = type_count(t);
    return n < 0 || t->dtype == DT_none ? -1 : n * dtypes[t->dtype].bytes;
}

bool has_open_dims(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].symbol) return true;
    return false;
}

bool type_known(const Type *t) {
    if (t->dtype == DT_none || t->rank < 0) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].max < 0) return false;
    return true;
}

Type type_make(DType dtype, int rank, const int64_t *dim) {
    Type t = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++) t.dim[i].max = dim[i];
    return t;
}

Type tensor_type(const Tensor *t) { return type_make(t->dtype, t->rank, t->dim); }

bool same_shape(const Type *a, const Type *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i].max != b->dim[i].max || a->dim[i].symbol != b->dim[i].symbol) return false;
    return true;
}

char *type_text(Arena *a, const Type *t) {
    Str s = {.arena = a};
    put(&s, "%s", t->dtype == DT_none ? "?" : dtypes[t->dtype].name);
    if (t->rank < 0) {
        put_text(&s, "[?]");
        return s.s;
    }
    put_text(&s, "[");
    for (int i = 0; i < t->rank; i++) {
        if (t->dim[i].symbol)
            put(&s, "%s%s", i ? "," : "", escaped(a, t->dim[i].symbol->text, 40));
        else if (t->dim[i].max < 0)
            put(&s, "%s?", i ? "," : "");
        else
            put(&s, "%s%lld", i ? "," : "", (long long)t->dim[i].max);
    }
    put_text(&s, "]");
    return s.s;
}

const char *unnamed_dim(Arena *a, const char *input, int dim) { return format(a, "%s_dim%d", input, dim); }
const char *dim_place(Arena *a, const char *input, int axis) { return format(a, "%s:%d", input, axis); }
