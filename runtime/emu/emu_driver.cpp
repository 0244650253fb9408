/* emu_driver.cpp - the CUDA driver's functions that nncc_cuda.c calls, over the emulator. A module is a shared object,
 * made from model.cu by a C++ compiler; its image is "NNCC-EMU", a 0, and its path. As with a GPU, what goes wrong in a
 * kernel is reported by whatever waits for it, and from then on by everything. Numbers are cuda.h's. */
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <functional>
#include <memory>
#include <mutex>

#include "emu.h"

using namespace nncc_emu;

namespace {

typedef int Result;
typedef uint64_t Address;

enum {
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NO_BINARY = 209,
    NOT_FOUND = 500,
    LAUNCH_FAILED = 719,
    COOPERATIVE_TOO_LARGE = 720,
    CAPTURE_UNSUPPORTED = 900
};
const struct {
    Result code;
    const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {COOPERATIVE_TOO_LARGE, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "too many blocks in cooperative launch"},
    {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}};

struct Function {
    const nncc_emu_kernel *kernel;
    size_t most_shared;
};
struct Module {
    void *library;
    std::string cubin; /* that the library stands in for */
    std::vector<std::unique_ptr<Function>> functions;
};
typedef std::vector<std::function<void()>> Graph;
struct Stream {
    Graph *capture = nullptr;
};

std::mutex turn; /* one call at a time */
Stream null_stream;
std::string lost;                         /* what a kernel ended with */
thread_local std::vector<Extent> pending; /* of the next launch */
int contexts;

Stream *stream_of(void *s) { return s ? (Stream *)s : &null_stream; }

Result enqueue(void *stream, std::function<void()> operation) {
    Stream *s = stream_of(stream);
    if (s->capture)
        s->capture->push_back(std::move(operation));
    else if (lost.empty())
        operation();
    return 0;
}

Result state() { return lost.empty() ? 0 : LAUNCH_FAILED; }

unsigned multiprocessors() { return getenv("NNCC_EMU_SMS") ? (unsigned)atoi(getenv("NNCC_EMU_SMS")) : 4; }

/* An H100's: 2,048 threads, 228 KB of which each block takes 1 KB more than it asks for, 32 blocks. */
int resident(int threads, size_t shared) {
    const size_t by_threads = 2048 / (size_t)((threads + WARP - 1) / WARP * WARP),
                 by_shared = 228 * 1024 / (shared + 1024);
    const size_t n = by_threads < by_shared ? by_threads : by_shared;
    return (int)(n < 32 ? n : 32);
}

bool valid(const Launch &l, size_t most_shared) {
    const dim3 &b = l.blocks, &t = l.threads;
    return b.x && b.y && b.z && t.x && t.y && t.z && b.x <= 0x7fffffff && b.y <= 65535 && b.z <= 65535 && t.x <= 1024 &&
           t.y <= 1024 && t.z <= 64 && (uint64_t)t.x * t.y * t.z <= MOST_THREADS && l.shared <= most_shared;
}

Result launch(Function *f, std::shared_ptr<Launch> l, void *stream, void **args) {
    l->extents.swap(pending);
    pending.clear();
    if (state()) return state();
    if (!valid(*l, f->most_shared)) return INVALID_VALUE;
    const unsigned threads = l->threads.x * l->threads.y * l->threads.z,
                   blocks = l->blocks.x * l->blocks.y * l->blocks.z;
    if (l->cooperative && blocks > (unsigned)resident((int)threads, l->shared) * multiprocessors())
        return COOPERATIVE_TOO_LARGE;
    l->kernel = f->kernel;
    for (int i = 0; i < f->kernel->args; i++)
        l->arg.emplace_back((unsigned char *)args[i], (unsigned char *)args[i] + f->kernel->bytes[i]);
    return enqueue(stream, [l] {
        if (lost.empty()) lost = run(*l);
    });
}

/* What a module refers to is found in the global scope only. */
void offer_symbols() {
    Dl_info self;
    if (dladdr((void *)&offer_symbols, &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

} // namespace

#define CALL          extern "C" __attribute__((visibility("default"))) Result
#define ONE_AT_A_TIME std::lock_guard<std::mutex> guard(turn)

/* Before a launch: what it may touch. Not in the real driver. */
CALL nncc_emu_declare(int n, const uint64_t *at, const uint64_t *bytes, const unsigned char *writes) {
    ONE_AT_A_TIME;
    pending.clear();
    for (int i = 0; i < n; i++) pending.push_back({(uintptr_t)at[i], (size_t)bytes[i], writes[i] != 0});
    return 0;
}

/* ---- device and context ---- */

CALL cuInit(unsigned) { return getenv("NNCC_EMU_INIT") ? atoi(getenv("NNCC_EMU_INIT")) : 0; }
CALL cuDriverGetVersion(int *version) { return *version = 13000, 0; }
CALL cuDeviceGetCount(int *n) { return *n = getenv("NNCC_EMU_DEVICES") ? atoi(getenv("NNCC_EMU_DEVICES")) : 1, 0; }
CALL cuDeviceGet(int *device, int i) { return *device = i, 0; }
CALL cuDeviceGetName(char *name, int n, int) { return snprintf(name, (size_t)n, "nncc's emulator"), 0; }
CALL cuDeviceGetAttribute(int *v, int attribute, int) {
    switch (attribute) {
    case 16: *v = (int)multiprocessors(); break;
    case 75: *v = 9; break;                /* compute capability, major */
    case 95: *v = 1; break;                /* cooperative launches */
    case 97: *v = (int)MOST_SHARED; break; /* shared memory of a block that asks for it */
    default: *v = 0;
    }
    return 0;
}
CALL cuDevicePrimaryCtxRetain(void **context, int) {
    ONE_AT_A_TIME;
    contexts++;
    return *context = &contexts, 0;
}
CALL cuDevicePrimaryCtxRelease_v2(int) {
    ONE_AT_A_TIME;
    if (--contexts) return 0;
    count_report();
    lost.clear();
    while (!regions.empty()) release((void *)regions[0].at);
    return 0;
}
CALL cuCtxPushCurrent_v2(void *) { return 0; }
CALL cuCtxPopCurrent_v2(void **context) { return *context = &contexts, 0; }

/* ---- modules ---- */

/* A cubin is an ELF file of NVIDIA's machine; its section headers come last (fields of <elf.h>). */
static std::string cubin_bytes(const char *image) {
    uint16_t machine_type, entry_bytes, entries;
    uint64_t headers;
    if (memcmp(image, "\177ELF", 4)) return "";
    memcpy(&machine_type, image + 18, 2), memcpy(&headers, image + 40, 8);
    memcpy(&entry_bytes, image + 58, 2), memcpy(&entries, image + 60, 2);
    return machine_type == 190 ? std::string(image, (size_t)headers + (size_t)entry_bytes * entries) : "";
}

CALL cuModuleLoadData(void **module, const void *image) {
    ONE_AT_A_TIME;
    const char *path = getenv("NNCC_EMU_STANDIN");
    std::string cubin;
    if (!memcmp(image, "NNCC-EMU", 9))
        path = (const char *)image + 9;
    else if (cubin = cubin_bytes((const char *)image), cubin.empty() || !path)
        return NO_BINARY;
    offer_symbols();
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "nncc-emu: %s\n", dlerror()), NO_BINARY;
    *module = new Module{library, cubin, {}};
    return 0;
}
CALL cuModuleGetFunction(void **function, void *module, const char *name) {
    ONE_AT_A_TIME;
    Module *m = (Module *)module;
    if (!m->cubin.empty() && m->cubin.find(name) == std::string::npos) return NOT_FOUND;
    const void *kernel = dlsym(m->library, ("nncc_emu_kernel_" + std::string(name)).c_str());
    if (!kernel) return NOT_FOUND;
    m->functions.emplace_back(new Function{(const nncc_emu_kernel *)kernel, SHARED_UNASKED});
    return *function = m->functions.back().get(), 0;
}
CALL cuModuleUnload(void *module) {
    ONE_AT_A_TIME;
    count_report(); /* while its code can still be named */
    dlclose(((Module *)module)->library);
    delete (Module *)module;
    return 0;
}
CALL cuFuncSetAttribute(void *function, int attribute, int v) {
    if (attribute != 8) return 0; /* dynamic shared memory */
    if (v < 0 || v > MOST_SHARED) return INVALID_VALUE;
    return ((Function *)function)->most_shared = (size_t)v, 0;
}
CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, void *, int threads, size_t shared) {
    return *n = resident(threads, shared), 0;
}

/* ---- memory ---- */

CALL cuMemAlloc_v2(Address *p, size_t bytes) {
    ONE_AT_A_TIME;
    if (state()) return state();
    *p = (Address)(uintptr_t)allocate(bytes);
    return *p ? 0 : OUT_OF_MEMORY;
}
CALL cuMemFree_v2(Address p) {
    ONE_AT_A_TIME;
    if (!release((void *)p)) return INVALID_VALUE;
    return state();
}
CALL cuMemAllocHost_v2(void **p, size_t bytes) { return *p = malloc(bytes), *p ? 0 : OUT_OF_MEMORY; }
CALL cuMemFreeHost(void *p) { return free(p), 0; }
CALL cuPointerGetAttribute(void *v, int attribute, Address p) {
    ONE_AT_A_TIME;
    if (attribute != 2 || !within((void *)p, 1)) return INVALID_VALUE;
    return *(unsigned *)v = 2, 0; /* memory of a device */
}
CALL cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t n, void *stream) {
    ONE_AT_A_TIME;
    if (state() || !within((void *)to, n)) return state() ? state() : INVALID_VALUE;
    return enqueue(stream, [=] { memcpy((void *)to, from, n); });
}
CALL cuMemcpyDtoHAsync_v2(void *to, Address from, size_t n, void *stream) {
    ONE_AT_A_TIME;
    if (state() || !within((void *)from, n)) return state() ? state() : INVALID_VALUE;
    return enqueue(stream, [=] { memcpy(to, (void *)from, n); });
}
CALL cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, void *stream) {
    ONE_AT_A_TIME;
    if (state() || !within((void *)to, n) || !within((void *)from, n)) return state() ? state() : INVALID_VALUE;
    return enqueue(stream, [=] { memmove((void *)to, (void *)from, n); });
}
CALL cuMemsetD8Async(Address to, unsigned char byte, size_t n, void *stream) {
    ONE_AT_A_TIME;
    if (state() || !within((void *)to, n)) return state() ? state() : INVALID_VALUE;
    return enqueue(stream, [=] { memset((void *)to, byte, n); });
}
CALL cuMemsetD32Async(Address to, unsigned word, size_t n, void *stream) {
    ONE_AT_A_TIME;
    if (state() || to % 4 || !within((void *)to, 4 * n)) return state() ? state() : INVALID_VALUE;
    return enqueue(stream, [=] {
        for (size_t i = 0; i < n; i++) ((unsigned *)to)[i] = word;
    });
}

/* ---- streams and graphs ---- */

CALL cuStreamCreate(void **stream, unsigned) { return *stream = new Stream, 0; }
CALL cuStreamDestroy_v2(void *stream) { return delete (Stream *)stream, 0; }
CALL cuStreamSynchronize(void *stream) {
    ONE_AT_A_TIME;
    return stream_of(stream)->capture ? CAPTURE_UNSUPPORTED : state();
}
CALL cuStreamIsCapturing(void *stream, int *status) { return *status = stream_of(stream)->capture != nullptr, 0; }
CALL cuStreamBeginCapture_v2(void *stream, int) {
    ONE_AT_A_TIME;
    if (!stream || stream_of(stream)->capture) return CAPTURE_UNSUPPORTED;
    return stream_of(stream)->capture = new Graph, 0;
}
CALL cuStreamEndCapture(void *stream, void **graph) {
    ONE_AT_A_TIME;
    if (!stream_of(stream)->capture) return INVALID_VALUE;
    *graph = stream_of(stream)->capture;
    return stream_of(stream)->capture = nullptr, 0;
}
CALL cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long) {
    return *exec = new Graph(*(Graph *)graph), 0;
}
CALL cuGraphLaunch(void *exec, void *stream) {
    ONE_AT_A_TIME;
    if (state()) return state();
    for (const auto &operation : *(Graph *)exec) enqueue(stream, operation);
    return 0;
}
CALL cuGraphExecDestroy(void *exec) { return delete (Graph *)exec, 0; }
CALL cuGraphDestroy(void *graph) { return delete (Graph *)graph, 0; }

CALL cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned x, unsigned y, unsigned z, unsigned shared,
                    void *stream, void **args, void **) {
    ONE_AT_A_TIME;
    std::shared_ptr<Launch> l(new Launch);
    l->blocks = dim3(gx, gy, gz), l->threads = dim3(x, y, z), l->shared = shared;
    return launch((Function *)f, l, stream, args);
}
CALL cuLaunchCooperativeKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned x, unsigned y, unsigned z,
                               unsigned shared, void *stream, void **args) {
    ONE_AT_A_TIME;
    std::shared_ptr<Launch> l(new Launch);
    l->blocks = dim3(gx, gy, gz), l->threads = dim3(x, y, z), l->shared = shared, l->cooperative = true;
    return launch((Function *)f, l, stream, args);
}

/* ---- errors ---- */

CALL cuGetErrorName(Result r, const char **name) {
    for (const auto &e : errors)
        if (e.code == r) return *name = e.name, 0;
    return *name = nullptr, INVALID_VALUE;
}
/* The emulator knows more than a GPU would say. */
CALL cuGetErrorString(Result r, const char **text) {
    if (r == LAUNCH_FAILED && !lost.empty()) return *text = lost.c_str(), 0;
    for (const auto &e : errors)
        if (e.code == r) return *text = e.text, 0;
    return *text = nullptr, INVALID_VALUE;
}
