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
} DTypeRow;
extern const DTypeRow dtypes[DT_COUNT];
static inline bool is_float(DType t) { return dtypes[t].kind == 'f'; }
static inline bool is_int(DType t) { return dtypes[t].kind == 'i' || dtypes[t].kind == 'u'; }
DType find_dtype(const char *name); /* DT_none if unknown */
DType dtype_of_onnx(int64_t onnx);  /* DT_none if unknown */
int64_t dtype_min(DType);           /* integers and bool */
uint64_t dtype_max(DType);
DType compute_type(DType); /* f16 and bf16 compute in f32; expressions never have a storage-only type */

typedef union {
    double f;
    int64_t i;
    uint64_t u;
} Scalar;

#endif
