/* fuzz_onnx.c - libFuzzer target: any bytes are either refused as an ONNX model, or become a program. */
#include "driver.h"
#include "emit/output.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 256 << 20 };

static const struct {
    const char *name;
    int64_t min, max;
} dims[] = {{"N", 2, 2}, {"batch", 1, 4}, {"x_dim0", 1, 3}};

static void run(Module *m, const uint8_t *data, size_t size) {
    char error[200];
    if (!onnx_scan(data, size, error)) fatal(m, EXIT_INPUT, "%s", error);
    import_onnx(m, "-", data, size);
    run_passes(m);
    stop_on_problems(m);
    emit_all(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    if (!nowhere) nowhere = fopen("/dev/null", "w");
    jmp_buf escape;
    Options opt = {.level = 1, .prefix = "model", .target = targets};
    DimBinding bound[COUNT(dims)];
    void *at[COUNT(dims)];
    for (int i = 0; i < COUNT(dims); i++) {
        bound[i] = (DimBinding){.name = dims[i].name, .min = dims[i].min, .max = dims[i].max};
        at[i] = &bound[i];
    }
    opt.dims = (List){at, COUNT(dims), COUNT(dims)};
    Module *m = new_module(&opt, nowhere, &escape, MEMORY);
    if (!setjmp(escape)) run(m, data, size);
    module_free(m);
    return 0;
}
