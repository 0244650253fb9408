/* dtypes.h - element types (dtypes.def), and a number of any of them. */
#ifndef NNCC_IR_DTYPES_H
#define NNCC_IR_DTYPES_H

#include "base/base.h"

typedef enum {
#define DTYPE(name, ...) DT_##name,
#include "ir/dtypes.def"
#undef DTYPE
    DT_COUNT,
    DT_none = -1
} DType;

typedef struct {
    const char *name; /* as spelled in .nn */
    char kind;        /* f float, i signed, u unsigned, b bool, x index (internal), s string */
    int bytes;
    int onnx;      /* TensorProto.DataType */
    const char *c; /* C type */
    const char *cuda;
    const char *suffix; /* of literals */
    double unit;        /* of floats: from 1 to the next */
    bool small;         /* one of those at the end of dtypes.def */
    int bits;           /* of those: of an element, where elements are packed */
    int mantissa, bias; /* of small floats, and below */
    unsigned char top, inf;
    bool uz;
} DTypeRow;
extern const DTypeRow dtypes[DT_COUNT];
/* What is computed with: none of these is small, nor a type that is not known. */
static inline bool is_float(DType t) { return t != DT_none && dtypes[t].kind == 'f' && !dtypes[t].small; }
static inline bool is_int(DType t) {
    return t != DT_none && (dtypes[t].kind == 'i' || dtypes[t].kind == 'u') && !dtypes[t].small;
}
/* Small ones too: an element is a float, an integer; a Scalar has it in .f, in .i or .u. */
static inline bool holds_floats(DType t) { return dtypes[t].kind == 'f'; }
static inline bool holds_ints(DType t) { return dtypes[t].kind == 'i' || dtypes[t].kind == 'u'; }
/* DTypeRow.kind; of small types n for integers, q for floats. */
static inline char kind_letter(DType t) { return !dtypes[t].small ? dtypes[t].kind : holds_floats(t) ? 'q' : 'n'; }
/* Elements that share a byte where they are packed. */
static inline bool is_packed(DType t) { return dtypes[t].small && dtypes[t].bits < 8; }
DType find_dtype(const char *name); /* DT_none if unknown */
DType dtype_of_onnx(int64_t onnx);  /* DT_none if unknown */
int64_t dtype_min(DType);           /* integers and bool */
uint64_t dtype_max(DType);
/* f16, bf16 and small floats are computed in f32, small integers in i8 and u8; expressions never have a type that is
 * for storage only. */
DType compute_type(DType);
DType bits_type(DType); /* the unsigned integer that holds an element's bits */

typedef union {
    double f;
    int64_t i;
    uint64_t u;
} Scalar;

#endif
