/* fuzz_onnx - bytes as an ONNX model: scanned, imported, run through the passes. Whatever they are, the outcome is a program or
 * an error. Build with clang -fsanitize=fuzzer,address,undefined; FUZZ_LAST_PASS=infer in the environment stops after that pass. */
#include "nncc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 256 << 20 };

static const struct { const char *name; int64_t min, max; } dims[] = {{"N", 2, 2}, {"batch", 1, 4}, {"x_dim0", 1, 3}};

static void run(Module *m, const uint8_t *data, size_t size) {
    const char *last = getenv("FUZZ_LAST_PASS");
    char error[200];
    if (!onnx_scan(data, size, error)) fatal(m, EXIT_INPUT, "%s", error);
    import_onnx(m, "fuzz.onnx", data, size);
    if (!last) {
        run_passes(m);
        return;
    }
    for (const Pass *p = passes; p->name; p++) {
        p->run(m);
        stop_on_problems(m);
        if (!strcmp(p->name, last)) return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    if (!nowhere) nowhere = fopen("/dev/null", "w");
    jmp_buf escape;
    Options opt = {.level = 1};
    DimBinding bound[COUNT(dims)];
    void *at[COUNT(dims)];
    for (int i = 0; i < COUNT(dims); i++) {
        bound[i] = (DimBinding){.name = dims[i].name, .min = dims[i].min, .max = dims[i].max};
        at[i] = &bound[i];
    }
    opt.dims = (List){at, COUNT(dims), COUNT(dims)};
    Module *m = module_new(&opt, nowhere, &escape, MEMORY);
    if (!setjmp(escape)) run(m, data, size);
    module_free(m);
    return 0;
}
