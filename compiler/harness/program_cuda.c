/* program_cuda.c - programs whose networks run on a GPU: what is compiled for them, and where they run. Without a GPU
 * that is the emulator of runtime/emu, built beside the program unless $NNCC_CUDA_DRIVER names one. Tests, which build
 * many programs, name in $NNCC_CUDA_RUNTIME the object that nncc_cuda.c gives, too. */
#include "base/embedded.h"
#include "base/process.h"
#include "emit/emit.h"
#include "harness/harness.h"
#include <dlfcn.h>

static void write_runtime(Module *m, const char *dir) {
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (f->use & (BESIDE_CUDA | EMULATOR)) write_text(m, dir, embedded_name(f), f->text, strlen(f->text));
}

static const char *driver_given(void) {
    const char *s = getenv("NNCC_CUDA_DRIVER");
    return s && *s ? s : NULL;
}

/* Whether a driver is there and finds a GPU. */
static bool has_gpu(void) {
    typedef int (*Init)(unsigned);
    typedef int (*Count)(int *);
    void *h = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int n = 0;
    if (!h) return false;
    Init init = (Init)(uintptr_t)dlsym(h, "cuInit");
    Count count = (Count)(uintptr_t)dlsym(h, "cuDeviceGetCount");
    bool ok = init && count && !init(0) && !count(&n) && n > 0;
    dlclose(h);
    return ok;
}

static bool emulated(void) {
    const char *driver = driver_given();
    return driver ? strstr(driver, "emu") != NULL : !has_gpu();
}

/* A step of building the program, as words; false after a message. */
static int run_step(Program *p, const char *what, const char *command, FILE *err) {
    List words = {0};
    split_words(p->arena, command, &words);
    push(p->arena, &words, NULL);
    ProcessResult r = run_process((const char *const *)words.at, p->dir, "log.txt", p->settings->seconds);
    p->seconds += r.seconds;
    if (r.end == P_NOT_FOUND)
        return fprintf(err, "nncc: %s '%s' cannot be run\n", what, escaped(p->arena, words.at[0], 80)), EXIT_USAGE;
    return r.end == P_EXITED && !r.code ? EXIT_OK : process_failed(p, what, r, err);
}

static const char *cxx(void) {
    const char *s = getenv("CXX");
    return s && *s ? s : "c++";
}

/* With --poison the emulator learns of every access: it finds races, and what lies outside the arguments' bytes.
 * Nothing of ThreadSanitizer but the compiler's part is used. */
static int build_module(Program *p, FILE *err) {
    const char *flags = compiler_flags[FLAGS_EMULATED_KERNELS];
    if (!p->opt.poison)
        return run_step(p, "the C++ compiler",
                        format(p->arena, "%s %s -shared -x c++ model.cu -o model_emu.so", cxx(), flags), err);
    int code =
        run_step(p, "the C++ compiler",
                 format(p->arena, "%s %s -g -fsanitize=thread -c -x c++ model.cu -o model_emu.o", cxx(), flags), err);
    return code ? code
                : run_step(p, "the C++ compiler", format(p->arena, "%s -shared model_emu.o -o model_emu.so", cxx()),
                           err);
}

static int build_emulated(Program *p, FILE *err) {
    Str sources = {.arena = p->arena};
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (f->use & EMULATOR) put(&sources, " %s", embedded_name(f));
    int code = EXIT_OK;
    if (!driver_given())
        code = run_step(p, "the C++ compiler",
                        format(p->arena, "%s %s -shared%s -o libcuda_emu.so -ldl", cxx(),
                               compiler_flags[FLAGS_EMULATOR], sources.s),
                        err);
    if (code) return code;
    return build_module(p, err);
}

static int build(Program *p, FILE *err) {
    p->seconds = 0;
    const char *runtime = getenv("NNCC_CUDA_RUNTIME");
    size_t word = strcspn(p->settings->cc, " ");
    int code = run_step(p, "the C compiler",
                        format(p->arena, "%.*s %s%s -o program main.c model.c %s%s%s -ldl -lm -lpthread", (int)word,
                               p->settings->cc, compiler_flags[FLAGS_LAUNCHES], p->settings->cc + word,
                               runtime ? runtime : "nncc_cuda.c", p->object ? " model.S" : "", p->more ? p->more : ""),
                        err);
    if (!code && emulated()) code = build_emulated(p, err);
    return code;
}

/* What stands before ./program: where its kernels and its driver are. */
static void put_run_words(const Program *p, List *argv) {
    if (!emulated()) return;
    push(p->arena, argv, (void *)(uintptr_t) "env");
    if (!driver_given()) push(p->arena, argv, (void *)(uintptr_t) "NNCC_CUDA_DRIVER=./libcuda_emu.so");
    push(p->arena, argv, (void *)(uintptr_t) "NNCC_CUDA_IMAGE=./model_emu.so");
}

static const char *where(void) { return emulated() ? "no GPU: emulated" : "on the GPU"; }

const Runner cuda_runner = {write_runtime, build, put_run_words, where};
