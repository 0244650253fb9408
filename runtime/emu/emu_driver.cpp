/* emu_driver.cpp - the CUDA driver's functions that nncc_cuda.c calls, over the emulator. A module is a shared object,
 * made from model.cu by a C++ compiler; its image is "NNCC-EMU", a 0, and its path. As with a GPU, what goes wrong in a
 * kernel is reported by whatever waits for it, and from then on by everything. Numbers are cuda.h's. */
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "emu.h"

using namespace nncc_emu;

namespace {

typedef int Result;
typedef uint64_t Address;

enum {
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    INVALID_DEVICE = 101,
    NO_BINARY = 209,
    INVALID_PTX = 218,
    UNSUPPORTED_PTX = 222,
    NOT_FOUND = 500,
    OUT_OF_RESOURCES = 701,
    LAUNCH_FAILED = 719,
    COOPERATIVE_TOO_LARGE = 720,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_ISOLATION = 905
};
const struct {
    Result code;
    const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX was compiled with an unsupported toolchain"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency on uncaptured work in another stream"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {COOPERATIVE_TOO_LARGE, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "too many blocks in cooperative launch"},
    {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}};

struct Function {
    const nncc_emu_kernel *kernel;
    size_t most_shared;
};
struct Module {
    void *library;
    std::string code; /* that the library stands in for */
    std::vector<std::unique_ptr<Function>> functions;
};
typedef std::function<void()> Operation;
typedef std::vector<Operation> Graph;
struct Stream {
    bool waits = true; /* for the default stream, and it for this one */
    Graph *capture = nullptr;
    std::deque<Operation> queue;      /* with NNCC_EMU_LATE: what was started, and nothing has waited for */
    unsigned long begun = 0, ran = 0; /* operations so far */
};
struct Event {
    Stream *stream;
    unsigned long after; /* its operations before the event */
};
struct Context {
    int retained = 0;
};

std::mutex turn; /* one call at a time */
Stream null_stream;
std::set<Stream *> streams;
std::map<const void *, size_t> pinned;
std::string lost;                         /* what a kernel ended with */
thread_local std::vector<Extent> pending; /* of the next launch */
thread_local int gpu;                     /* whose context is current */
enum { MOST_GPUS = 8 };
Context context_of[MOST_GPUS];
long launches, replays; /* of kernels by themselves, and of graphs */

int setting(const char *name, int otherwise) { return getenv(name) ? atoi(getenv(name)) : otherwise; }

Stream *stream_of(void *s) { return s ? (Stream *)s : &null_stream; }

/* A GPU may run what a stream was given at any time before something waits for it: with NNCC_EMU_LATE as late as it
 * can, otherwise at once. */
void run_until(Stream *s, unsigned long end) {
    while (s->ran < end && !s->queue.empty()) {
        Operation operation = std::move(s->queue.front());
        s->queue.pop_front();
        s->ran++;
        if (lost.empty()) operation();
    }
}
void run_all(Stream *s) { run_until(s, s->begun); }

Result enqueue(void *stream, Operation operation) {
    Stream *s = stream_of(stream);
    if (s->capture) return s->capture->push_back(std::move(operation)), 0;
    for (Stream *other : streams)
        if (!stream && other->waits) run_all(other);
    s->queue.push_back(std::move(operation));
    s->begun++;
    if (!stream || !setting("NNCC_EMU_LATE", 0)) run_all(s);
    return 0;
}

Result state() { return lost.empty() ? 0 : LAUNCH_FAILED; }

unsigned multiprocessors() { return (unsigned)setting("NNCC_EMU_SMS", 4); }
int capability() { return setting("NNCC_EMU_CAPABILITY", 90); }
int driver_version() { return setting("NNCC_EMU_DRIVER", 13000); }

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

/* A kernel that does not say how many threads a block has may take all registers that a thread can have. */
unsigned most_threads(const nncc_emu_kernel *k) {
    return k->most_threads ? (unsigned)k->most_threads : REGISTERS / (THREAD_REGISTERS + 1);
}

Result launch(Function *f, std::shared_ptr<Launch> l, void *stream, void **args) {
    l->extents.swap(pending);
    pending.clear();
    if (state()) return state();
    if (!valid(*l, f->most_shared)) return INVALID_VALUE;
    const unsigned threads = l->threads.x * l->threads.y * l->threads.z;
    const uint64_t blocks = (uint64_t)l->blocks.x * l->blocks.y * l->blocks.z;
    if (threads > most_threads(f->kernel)) return OUT_OF_RESOURCES;
    if (l->cooperative && blocks > (unsigned)resident((int)threads, l->shared) * multiprocessors())
        return COOPERATIVE_TOO_LARGE;
    launches += !stream_of(stream)->capture;
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

CALL cuInit(unsigned) { return setting("NNCC_EMU_INIT", 0); }
CALL cuDriverGetVersion(int *version) { return *version = driver_version(), 0; }
CALL cuDeviceGetCount(int *n) { return *n = setting("NNCC_EMU_DEVICES", 1), 0; }
CALL cuDeviceGet(int *device, int i) { return *device = i, i < 0 || i >= MOST_GPUS ? INVALID_DEVICE : 0; }
CALL cuDeviceGetName(char *name, int n, int) { return snprintf(name, (size_t)n, "nncc's emulator"), 0; }
CALL cuDeviceGetAttribute(int *v, int attribute, int) {
    switch (attribute) {
    case 16: *v = (int)multiprocessors(); break;
    case 75: *v = capability() / 10; break;
    case 76: *v = capability() % 10; break;
    case 95: *v = 1; break;                /* cooperative launches */
    case 97: *v = (int)MOST_SHARED; break; /* shared memory of a block that asks for it */
    default: *v = 0;
    }
    return 0;
}
CALL cuDevicePrimaryCtxRetain(void **context, int device) {
    ONE_AT_A_TIME;
    context_of[device].retained++;
    return *context = &context_of[device], 0;
}
CALL cuDevicePrimaryCtxRelease_v2(int device) {
    ONE_AT_A_TIME;
    if (--context_of[device].retained) return 0;
    for (Stream *s : streams) run_all(s);
    count_report();
    lost.clear();
    for (size_t i = regions.size(); i--;)
        if (regions[i].gpu == device) release((void *)regions[i].at);
    return 0;
}
CALL cuCtxPushCurrent_v2(void *context) { return gpu = (int)((Context *)context - context_of), 0; }
CALL cuCtxPopCurrent_v2(void **context) { return *context = &context_of[gpu], gpu = 0; }

/* What has happened so far: kernels launched by themselves, graphs launched, bytes that are pinned. Not in the real
 * driver. */
CALL nncc_emu_counts(long counts[3]) {
    ONE_AT_A_TIME;
    counts[0] = launches, counts[1] = replays, counts[2] = 0;
    for (const auto &p : pinned) counts[2] += (long)p.second;
    return 0;
}

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

/* PTX is text. The driver reads no later version than its own (CUDA 12.0 is PTX 8.0, 13.0 is 9.0), and compiles for the
 * GPU if that is no older than what the text is for. */
static Result check_ptx(const std::string &ptx) {
    const size_t version = ptx.find("\n.version "), target = ptx.find("\n.target sm_");
    if (version == std::string::npos || target == std::string::npos) return INVALID_PTX;
    const double own = driver_version() / 1000 - 4 + driver_version() % 1000 / 100.0;
    if (atof(ptx.c_str() + version + 10) > own + 0.01) return UNSUPPORTED_PTX;
    return atoi(ptx.c_str() + target + 12) > capability() ? INVALID_PTX : 0;
}

CALL cuModuleLoadData(void **module, const void *image) {
    ONE_AT_A_TIME;
    const char *path = getenv("NNCC_EMU_STANDIN");
    std::string code;
    if (!memcmp(image, "NNCC-EMU", 9)) {
        path = (const char *)image + 9;
    } else {
        code = cubin_bytes((const char *)image);
        if (!memcmp(image, "//", 2)) {
            code = (const char *)image;
            if (const Result r = check_ptx(code)) return r;
        }
        if (code.empty() || !path) return NO_BINARY;
    }
    offer_symbols();
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "nncc-emu: %s\n", dlerror()), NO_BINARY;
    *module = new Module{library, code, {}};
    return 0;
}
CALL cuModuleGetFunction(void **function, void *module, const char *name) {
    ONE_AT_A_TIME;
    Module *m = (Module *)module;
    if (!m->code.empty() && m->code.find(name) == std::string::npos) return NOT_FOUND;
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
    *p = (Address)(uintptr_t)allocate(bytes, gpu, false);
    return *p ? 0 : OUT_OF_MEMORY;
}
CALL cuMemAllocManaged(Address *p, size_t bytes, unsigned) {
    ONE_AT_A_TIME;
    *p = (Address)(uintptr_t)allocate(bytes, gpu, true);
    return *p ? 0 : OUT_OF_MEMORY;
}
CALL cuMemFree_v2(Address p) {
    ONE_AT_A_TIME;
    for (Stream *s : streams) run_all(s);
    if (!release((void *)p)) return INVALID_VALUE;
    return state();
}
CALL cuMemAllocHost_v2(void **p, size_t bytes) {
    ONE_AT_A_TIME;
    *p = malloc(bytes);
    if (*p) pinned[*p] = bytes;
    return *p ? 0 : OUT_OF_MEMORY;
}
CALL cuMemFreeHost(void *p) {
    ONE_AT_A_TIME;
    return pinned.erase(p), free(p), 0;
}
CALL cuPointerGetAttribute(void *v, int attribute, Address p) {
    ONE_AT_A_TIME;
    const Region *r = region_around((void *)p, 1);
    if (!r) return INVALID_VALUE;
    switch (attribute) {
    case 2: return *(unsigned *)v = 2, 0; /* memory of a device */
    case 8: return *(unsigned *)v = r->managed, 0;
    case 9: return *(int *)v = r->gpu, 0;
    default: return INVALID_VALUE;
    }
}

/* Memory that is not pinned is read before the call returns. */
static bool is_pinned(const void *p) {
    auto next = pinned.upper_bound(p);
    if (next == pinned.begin()) return false;
    const auto &at = *--next;
    return (const char *)p < (const char *)at.first + at.second;
}
CALL cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t n, void *stream) {
    ONE_AT_A_TIME;
    if (state() || !within((void *)to, n)) return state() ? state() : INVALID_VALUE;
    if (is_pinned(from)) return enqueue(stream, [=] { memcpy((void *)to, from, n); });
    const std::string bytes((const char *)from, n);
    return enqueue(stream, [=] { memcpy((void *)to, bytes.data(), n); });
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

CALL cuStreamCreate(void **stream, unsigned flags) {
    ONE_AT_A_TIME;
    Stream *s = new Stream;
    s->waits = !flags;
    streams.insert(s);
    return *stream = s, 0;
}
CALL cuStreamDestroy_v2(void *stream) {
    ONE_AT_A_TIME;
    run_all((Stream *)stream);
    streams.erase((Stream *)stream);
    return delete (Stream *)stream, 0;
}
CALL cuStreamSynchronize(void *stream) {
    ONE_AT_A_TIME;
    if (stream_of(stream)->capture) return CAPTURE_UNSUPPORTED;
    run_all(stream_of(stream));
    return state();
}
CALL cuEventCreate(void **event, unsigned) { return *event = new Event{nullptr, 0}, 0; }
CALL cuEventDestroy_v2(void *event) { return delete (Event *)event, 0; }
CALL cuEventRecord(void *event, void *stream) {
    ONE_AT_A_TIME;
    *(Event *)event = {stream_of(stream), stream_of(stream)->begun};
    return 0;
}
CALL cuStreamWaitEvent(void *stream, void *event, unsigned) {
    ONE_AT_A_TIME;
    const Event e = *(Event *)event;
    if (!e.stream) return 0;
    if (stream_of(stream)->capture) return CAPTURE_ISOLATION;
    return enqueue(stream, [e] { run_until(e.stream, e.after); });
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
    replays++;
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
