/* onnx_bytes.h - ONNX models written by hand, field by field, and a harness that imports them. Field numbers are those
 * of onnx-ml.proto. */
#ifndef ONNX_BYTES_H
#define ONNX_BYTES_H

#include "driver.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "onnx/onnx.h"
#include "passes/passes.h"

/* ---- the wire format ---- */

static inline void put_varint(Str *s, uint64_t v) {
    for (; v > 127; v >>= 7) put_bytes(s, &(unsigned char){(unsigned char)(v | 128)}, 1);
    put_bytes(s, &(unsigned char){(unsigned char)v}, 1);
}
static inline void put_int(Str *s, int field, int64_t v) {
    put_varint(s, (uint64_t)field << 3), put_varint(s, (uint64_t)v);
}
static inline void put_blob(Str *s, int field, const void *p, size_t n) {
    put_varint(s, (uint64_t)field << 3 | 2), put_varint(s, n), put_bytes(s, p, n);
}
static inline void put_string(Str *s, int field, const char *text) { put_blob(s, field, text, strlen(text)); }
static inline void put_message(Str *s, int field, Str m) { put_blob(s, field, m.s, m.n); }
static inline void put_float(Str *s, int field, float f) {
    put_varint(s, (uint64_t)field << 3 | 5), put_bytes(s, &f, 4);
}

/* ---- messages ---- */

static inline Str message(Arena *a) {
    Str s = {.arena = a};
    put_text(&s, "");
    return s;
}

/* A TensorProto without contents. */
static inline Str tensor_head(Arena *a, const char *name, int type, int rank, const int64_t *dim) {
    Str t = message(a);
    for (int i = 0; i < rank; i++) put_int(&t, 1, dim[i]);
    put_int(&t, 2, type);
    if (name) put_string(&t, 8, name);
    return t;
}

static inline Str raw_tensor(Arena *a, const char *name, int type, int rank, const int64_t *dim, const void *p,
                             size_t n) {
    Str t = tensor_head(a, name, type, rank, dim);
    put_blob(&t, 9, p, n);
    return t;
}

static inline Str attr_head(Arena *a, const char *name, int type) {
    Str s = message(a);
    put_string(&s, 1, name);
    if (type) put_int(&s, 20, type);
    return s;
}

static inline Str int_attr(Arena *a, const char *name, int64_t v) {
    Str s = attr_head(a, name, 2);
    put_int(&s, 3, v);
    return s;
}

static inline Str ints_attr(Arena *a, const char *name, int n, const int64_t *v) {
    Str s = attr_head(a, name, 7);
    for (int i = 0; i < n; i++) put_int(&s, 8, v[i]);
    return s;
}

static inline Str float_attr(Arena *a, const char *name, float v) {
    Str s = attr_head(a, name, 1);
    put_float(&s, 2, v);
    return s;
}

static inline Str text_attr(Arena *a, const char *name, const char *v) {
    Str s = attr_head(a, name, 3);
    put_string(&s, 4, v);
    return s;
}

static inline Str graph_attr(Arena *a, const char *name, Str graph) {
    Str s = attr_head(a, name, 5);
    put_message(&s, 6, graph);
    return s;
}

static inline Str reference(Arena *a, const char *name, const char *to, int type) {
    Str s = attr_head(a, name, type);
    put_string(&s, 21, to);
    return s;
}

static inline void put_words(Str *s, int field, const char *words) {
    for (const char *end; *words; words = *end ? end + 1 : end) {
        end = words + strcspn(words, " ");
        put_blob(s, field, *words == '_' ? "" : words, *words == '_' ? 0 : (size_t)(end - words));
    }
}

/* A NodeProto called after its first result; "_" is an omitted input or result. */
static inline Str node(Arena *a, const char *op, const char *in, const char *out) {
    Str s = message(a);
    put_words(&s, 1, in), put_words(&s, 2, out), put_string(&s, 4, op);
    return s;
}

static inline Str with(Str n, Str attr) {
    put_message(&n, 5, attr);
    return n;
}

/* A ValueInfoProto; dim -1 is unknown, and has the name in `dims` if that is not NULL. */
static inline Str value_info(Arena *a, const char *name, int type, int rank, const int64_t *dim, const char *dims) {
    Str shape = message(a), tensor = message(a), t = message(a), s = message(a);
    for (int i = 0; i < rank; i++) {
        Str d = message(a);
        if (dim[i] >= 0)
            put_int(&d, 1, dim[i]);
        else if (dims)
            put_string(&d, 2, dims);
        put_message(&shape, 1, d);
    }
    put_int(&tensor, 1, type), put_message(&tensor, 2, shape);
    put_message(&t, 1, tensor);
    put_string(&s, 1, name), put_message(&s, 2, t);
    return s;
}

static inline Str opset(Arena *a, const char *domain, int version) {
    Str s = message(a);
    put_string(&s, 1, domain), put_int(&s, 2, version);
    return s;
}

static inline Str model_of(Arena *a, int version, Str graph) {
    Str s = message(a);
    put_int(&s, 1, 8);
    put_string(&s, 2, "test");
    put_message(&s, 8, opset(a, "", version));
    put_message(&s, 7, graph);
    return s;
}

enum {
    NODE = 1,
    INITIALIZER = 5,
    INPUT = 11,
    OUTPUT = 12,
    FUNCTION = 25,
    T_FLOAT = 1,
    T_UINT8 = 2,
    T_INT8 = 3,
    T_UINT16 = 4,
    T_INT16 = 5,
    T_INT32 = 6,
    T_INT64 = 7,
    T_STRING = 8,
    T_BOOL = 9,
    T_FLOAT16 = 10,
    T_DOUBLE = 11,
    T_UINT32 = 12,
    T_UINT64 = 13,
    T_BFLOAT16 = 16
};

/* ---- importing ---- */

typedef struct {
    Module *m;
    Options opt;
    int code;
    char *said;
    size_t n;
    jmp_buf escape;
    FILE *err;
} Trial;

/* Runs `f` on a module of its own; code and messages are kept. `limit` bounds its memory. */
static inline void attempt(Trial *t, size_t limit, void (*f)(Trial *, void *), void *arg) {
    t->err = open_memstream(&t->said, &t->n);
    t->m = new_module(&t->opt, t->err, &t->escape, limit);
    t->m->source = "test.onnx";
    t->code = setjmp(t->escape);
    if (!t->code) f(t, arg);
    fflush(t->err);
}

static inline void end_trial(Trial *t) {
    module_free(t->m);
    fclose(t->err);
    free(t->said);
}

static inline bool says(const Trial *t, const char *what) { return t->said && strstr(t->said, what); }

#endif
