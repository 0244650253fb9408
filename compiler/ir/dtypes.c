/* dtypes.c - the rows of dtypes.def. */
#include "ir/dtypes.h"

const DTypeRow dtypes[DT_COUNT] = {
#define DTYPE(id, ...) [DT_##id] = {.name = #id, __VA_ARGS__},
#include "ir/dtypes.def"
#undef DTYPE
};

DType find_dtype(const char *name) {
    for (int i = 0; i < DT_COUNT; i++)
        if (i != DT_index && !strcmp(dtypes[i].name, name)) return (DType)i;
    return DT_none;
}

DType dtype_of_onnx(int64_t onnx) {
    for (int i = 0; i < DT_COUNT; i++)
        if (dtypes[i].onnx == onnx && onnx) return (DType)i;
    return DT_none;
}

DType compute_type(DType t) { return t == DT_f16 || t == DT_bf16 ? DT_f32 : t; }
