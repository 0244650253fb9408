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

DType compute_type(DType t) {
    if (t == DT_f16 || t == DT_bf16) return DT_f32;
    return !dtypes[t].small ? t : holds_floats(t) ? DT_f32 : dtypes[t].kind == 'i' ? DT_i8 : DT_u8;
}

DType bits_type(DType t) {
    static const DType of_bytes[] = {[1] = DT_u8, [2] = DT_u16, [4] = DT_u32, [8] = DT_u64};
    return of_bytes[dtypes[t].bytes];
}
