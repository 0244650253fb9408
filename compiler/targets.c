/* targets.c - the table of targets, and which of them this machine is. */
#include "targets.h"
#include "cuda/emit_cuda.h"
#include "harness/harness.h"

#if defined __x86_64__ && defined __GNUC__
static bool has_sse2(void) { return true; }
static bool has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool has_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}
#define HAS_SSE2   has_sse2
#define HAS_AVX2   has_avx2
#define HAS_AVX512 has_avx512
#else
#define HAS_SSE2   NULL
#define HAS_AVX2   NULL
#define HAS_AVX512 NULL
#endif

#ifdef __aarch64__
static bool has_neon(void) { return true; }
#define HAS_NEON has_neon
#else
#define HAS_NEON NULL
#endif

#ifdef __riscv_vector
static bool has_rvv(void) { return true; }
#define HAS_RVV has_rvv
#else
#define HAS_RVV NULL
#endif

enum {
#define TARGET(id, ...) TARGET_##id,
#include "targets.def"
#undef TARGET
};

const Target targets[] = {
#define TARGET(id, ...) {.name = #id, __VA_ARGS__},
#include "targets.def"
#undef TARGET
    {.name = NULL},
};

static const Target *native(void) {
    const Target *best = targets;
    for (const Target *t = targets; t->name; t++)
        if (t->is_native && t->is_native()) best = t;
    return best;
}

const Target *find_target(const char *name) {
    if (!strcmp(name, "native")) return native();
    for (const Target *t = targets; t->name; t++)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}
