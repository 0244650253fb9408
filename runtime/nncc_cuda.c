/* nncc_cuda.c - launches what a generated network's tables say, through the CUDA driver. One file, so that a program
 * adds one file. Types and numbers are those of cuda.h and nvrtc.h, which need not be there. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "nncc_cuda.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int Result;
typedef uint64_t Address;
typedef void *Handle;

/* ---- the driver's functions ---- */

#define DRIVER(F)                                                                                                      \
    F(cuInit, (unsigned))                                                                                              \
    F(cuDriverGetVersion, (int *))                                                                                     \
    F(cuDeviceGetCount, (int *))                                                                                       \
    F(cuDeviceGet, (int *, int))                                                                                       \
    F(cuDeviceGetName, (char *, int, int))                                                                             \
    F(cuDeviceGetAttribute, (int *, int, int))                                                                         \
    F(cuDevicePrimaryCtxRetain, (Handle *, int))                                                                       \
    F(cuDevicePrimaryCtxRelease_v2, (int))                                                                             \
    F(cuCtxPushCurrent_v2, (Handle))                                                                                   \
    F(cuCtxPopCurrent_v2, (Handle *))                                                                                  \
    F(cuModuleLoadData, (Handle *, const void *))                                                                      \
    F(cuModuleGetFunction, (Handle *, Handle, const char *))                                                           \
    F(cuModuleUnload, (Handle))                                                                                        \
    F(cuFuncSetAttribute, (Handle, int, int))                                                                          \
    F(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *, Handle, int, size_t))                                       \
    F(cuMemAlloc_v2, (Address *, size_t))                                                                              \
    F(cuMemFree_v2, (Address))                                                                                         \
    F(cuMemAllocHost_v2, (void **, size_t))                                                                            \
    F(cuMemFreeHost, (void *))                                                                                         \
    F(cuPointerGetAttribute, (void *, int, Address))                                                                   \
    F(cuMemcpyHtoDAsync_v2, (Address, const void *, size_t, Handle))                                                   \
    F(cuMemcpyDtoHAsync_v2, (void *, Address, size_t, Handle))                                                         \
    F(cuMemcpyDtoDAsync_v2, (Address, Address, size_t, Handle))                                                        \
    F(cuMemsetD8Async, (Address, unsigned char, size_t, Handle))                                                       \
    F(cuMemsetD32Async, (Address, unsigned, size_t, Handle))                                                           \
    F(cuStreamCreate, (Handle *, unsigned))                                                                            \
    F(cuStreamDestroy_v2, (Handle))                                                                                    \
    F(cuStreamSynchronize, (Handle))                                                                                   \
    F(cuStreamWaitEvent, (Handle, Handle, unsigned))                                                                   \
    F(cuStreamIsCapturing, (Handle, int *))                                                                            \
    F(cuStreamBeginCapture_v2, (Handle, int))                                                                          \
    F(cuStreamEndCapture, (Handle, Handle *))                                                                          \
    F(cuEventCreate, (Handle *, unsigned))                                                                             \
    F(cuEventRecord, (Handle, Handle))                                                                                 \
    F(cuEventDestroy_v2, (Handle))                                                                                     \
    F(cuGraphInstantiateWithFlags, (Handle *, Handle, unsigned long long))                                             \
    F(cuGraphLaunch, (Handle, Handle))                                                                                 \
    F(cuGraphExecDestroy, (Handle))                                                                                    \
    F(cuGraphDestroy, (Handle))                                                                                        \
    F(cuLaunchKernel,                                                                                                  \
      (Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void **, void **))        \
    F(cuLaunchCooperativeKernel,                                                                                       \
      (Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void **))                 \
    F(cuGetErrorName, (Result, const char **))                                                                         \
    F(cuGetErrorString, (Result, const char **))

#define NVRTC(F)                                                                                                       \
    F(nvrtcVersion, (int *, int *))                                                                                    \
    F(nvrtcGetNumSupportedArchs, (int *))                                                                              \
    F(nvrtcGetSupportedArchs, (int *))                                                                                 \
    F(nvrtcCreateProgram, (Handle *, const char *, const char *, int, const char *const *, const char *const *))       \
    F(nvrtcDestroyProgram, (Handle *))                                                                                 \
    F(nvrtcCompileProgram, (Handle, int, const char *const *))                                                         \
    F(nvrtcGetCUBINSize, (Handle, size_t *))                                                                           \
    F(nvrtcGetCUBIN, (Handle, char *))                                                                                 \
    F(nvrtcGetPTXSize, (Handle, size_t *))                                                                             \
    F(nvrtcGetPTX, (Handle, char *))                                                                                   \
    F(nvrtcGetProgramLogSize, (Handle, size_t *))                                                                      \
    F(nvrtcGetProgramLog, (Handle, char *))

#define MEMBER(name, args) Result(*name) args;
typedef struct {
    DRIVER(MEMBER)
    /* The emulator's: what the next launch may touch. */
    Result (*nncc_emu_declare)(int, const uint64_t *, const uint64_t *, const unsigned char *);
    Result (*cuFuncLoad)(Handle); /* since CUDA 12.4 */
} Driver;
typedef struct {
    NVRTC(MEMBER)
    int capability, architecture; /* asked for, and the highest that NVRTC knows up to that */
    int major, minor;
    char version[24];
} Nvrtc;

/* ---- a network ---- */

enum { GRAPHS = 8, MOST_PLACES = 4, ERROR_SIZE = 4096 };

/* What a graph depends on. */
typedef struct {
    const nncc_cuda_entry *entry;
    int *dims;      /* of the program, all of them */
    Address *field; /* likewise; 0: not used by the entry */
} Key;
typedef struct {
    Key key;
    Handle graph, exec;
    uint64_t used;
} Graph;

typedef struct {
    Handle function;
    int shared; /* bytes asked for so far */
} Kernel;

/* Where a call's data of a field is: nowhere, on the host, on the device and used there, or copied there from the
 * caller's place on the device. */
enum { MISSING, HOST, DIRECT, COPIED };
/* What is known of an NNCC_CUDA_VALUE on the device: nothing, its number, or that a graph of the caller's may write it
 * at any time. */
enum { UNKNOWN, KNOWN, CAPTURED };

struct nncc_cuda {
    const nncc_cuda_program *program;
    Driver d;
    int device, ordinal, driver, retained, pushed, capability, multiprocessors, sync_each, no_graphs, begins, capturing;
    Handle context, module, own_stream, capture_stream, event, stream;
    Address memory, block[NNCC_CUDA_BLOCKS];
    char **pinned; /* of each field that was ever the host's */
    char *where;   /* this call's fields */
    Kernel *kernels;
    uint64_t *value; /* of each NNCC_CUDA_VALUE, if it is known */
    char *known;
    Key now; /* this call's */
    Graph graphs[GRAPHS];
    uint64_t turn;
    char name[128], error[ERROR_SIZE];
};

static int fail(nncc_cuda *c, int code, const char *format, ...) {
    va_list more;
    va_start(more, format);
    const int n = snprintf(c->error, sizeof c->error, "nncc: CUDA: ");
    vsnprintf(c->error + n, sizeof c->error - (size_t)n, format, more);
    va_end(more);
    return code;
}

/* As fail, for a call that returned `r`; `where` says during what. */
static int failed(nncc_cuda *c, int code, Result r, const char *call, const char *where) {
    const char *name = NULL, *text = NULL;
    c->d.cuGetErrorName(r, &name), c->d.cuGetErrorString(r, &text);
    /* What kernels did wrong comes up in a later call. */
    const char *hint =
        r < 700 || r >= 720 || c->sync_each ? "" : "; NNCC_CUDA_SYNC=1 in the environment names the kernel";
    return fail(c, code, "%s%s%s: %s (%d), %s%s", call, *where ? " " : "", where, name ? name : "error", r,
                text ? text : "which the driver does not explain", hint);
}

/* Returns from the function with `code` if a driver function does not succeed. */
#define TRY(code, where, function, ...)                                                                                \
    do {                                                                                                               \
        const Result r_ = c->d.function(__VA_ARGS__);                                                                  \
        if (r_) return failed(c, code, r_, #function, where);                                                          \
    } while (0)
#define OR_RETURN(call)                                                                                                \
    do {                                                                                                               \
        const int e_ = (call);                                                                                         \
        if (e_) return e_;                                                                                             \
    } while (0)

const char *nncc_cuda_error(const nncc_cuda *c) { return c ? c->error : "nncc: CUDA: out of memory"; }
const char *nncc_cuda_device(const nncc_cuda *c) { return c->name; }

static int64_t count(const nncc_cuda_count *n, const int *dims) {
    return n->add + (n->times ? n->times * dims[n->dim] : 0);
}

/* ---- opening: the driver and the device ---- */

/* The library is never closed: once it is initialised, threads of its own run in it. */
static int load_driver(nncc_cuda *c) {
    static const char advice[] = "install NVIDIA's driver, or use this network's C";
    const char *path = getenv("NNCC_CUDA_DRIVER");
    void *library = dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(c, NNCC_CUDA_E_NO_DRIVER, "no CUDA driver was found (%s); %s", dlerror(), advice);
#define LOOK_UP(name, args)                                                                                            \
    *(void **)&c->d.name = dlsym(library, #name);                                                                      \
    if (!c->d.name)                                                                                                    \
        return fail(c, NNCC_CUDA_E_NO_DRIVER, "the driver is older than CUDA 12: it lacks " #name "; %s", advice);
    DRIVER(LOOK_UP)
    *(void **)&c->d.nncc_emu_declare = dlsym(library, "nncc_emu_declare");
    *(void **)&c->d.cuFuncLoad = dlsym(library, "cuFuncLoad");
    const Result r = c->d.cuInit(0);
    if (r == 34) /* CUDA_ERROR_STUB_LIBRARY */
        return fail(c, NNCC_CUDA_E_NO_DRIVER, "no CUDA driver was found, only the toolkit's stub; %s", advice);
    if (r == 100) return fail(c, NNCC_CUDA_E_NO_DEVICE, "the driver finds no GPU");
    return r ? failed(c, NNCC_CUDA_E_NO_DRIVER, r, "cuInit", "") : 0;
}

static int open_device(nncc_cuda *c, int which) {
    int n = 0, minor = 0;
    TRY(NNCC_CUDA_E_NO_DRIVER, "", cuDriverGetVersion, &c->driver);
    TRY(NNCC_CUDA_E_NO_DRIVER, "", cuDeviceGetCount, &n);
    if (which < 0 || which >= n) return fail(c, NNCC_CUDA_E_NO_DEVICE, "expected a GPU below %d, saw %d", n, which);
    c->ordinal = which;
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuDeviceGet, &c->device, which);
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuDeviceGetName, c->name, (int)sizeof c->name, c->device);
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuDeviceGetAttribute, &c->multiprocessors, 16, c->device);
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuDeviceGetAttribute, &c->capability, 75, c->device);
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuDeviceGetAttribute, &minor, 76, c->device);
    c->capability = 10 * c->capability + minor;
    if (c->capability < 80)
        return fail(c, NNCC_CUDA_E_NO_DEVICE, "%s: expected compute capability 8.0 or later, saw %d.%d", c->name,
                    c->capability / 10, minor);
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuDevicePrimaryCtxRetain, &c->context, c->device);
    c->retained = 1;
    return 0;
}

/* The caller's thread gets its own context back. */
static int enter(nncc_cuda *c) {
    if (!c->retained) return fail(c, NNCC_CUDA_E_ARGUMENT, "the network is not open");
    TRY(NNCC_CUDA_E_NO_DEVICE, "", cuCtxPushCurrent_v2, c->context);
    c->pushed = 1;
    return 0;
}
static int leave(nncc_cuda *c, int result) {
    Handle ignored;
    if (c->pushed) c->d.cuCtxPopCurrent_v2(&ignored);
    c->pushed = 0;
    return result;
}

/* ---- opening: NVRTC ---- */

static void say(char *error, size_t size, const char *format, ...) {
    va_list more;
    va_start(more, format);
    vsnprintf(error, size, format, more);
    va_end(more);
}

/* NVRTC looks for its second library where the system has libraries; beside a path that NNCC_NVRTC names, it must be
 * found for it. */
static void load_builtins(const char *path, const char *version) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    char name[2048];
    if (!slash) return;
    snprintf(name, sizeof name, "%.*s/libnvrtc-builtins.so.%s", (int)(slash - path), path, version);
    dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

/* The highest architecture that NVRTC knows up to a capability; 0: none. */
static int choose_architecture(const Nvrtc *n, int capability) {
    int known = 0, best = 0;
    int *list = n->nvrtcGetNumSupportedArchs(&known) || known < 1 ? NULL : (int *)malloc(sizeof(int) * (size_t)known);
    if (list && !n->nvrtcGetSupportedArchs(list))
        for (int i = 0; i < known; i++)
            if (list[i] <= capability && list[i] > best) best = list[i];
    free(list);
    return best;
}

/* A GPU that NVRTC does not know gets PTX of an older one, which its driver understands. */
static int as_ptx(const Nvrtc *n) { return n->architecture != n->capability; }

/* Whether a driver (12040: of CUDA 12.4; 0: any) reads what NVRTC makes: code of its own generation, PTX of no later
 * version. */
static int suits_driver(const Nvrtc *n, int driver) {
    const int major = driver / 1000, minor = driver % 1000 / 10;
    return !driver || n->major < major || (n->major == major && (n->minor <= minor || !as_ptx(n)));
}

/* It is never closed: NVRTC leaves memory behind that only it could free. */
static int use_nvrtc(Nvrtc *n, void *library, const char *path, int driver, char *error, size_t size) {
#define LOOK_UP_NVRTC(name, args)                                                                                      \
    *(void **)&n->name = dlsym(library, #name);                                                                        \
    if (!n->name) {                                                                                                    \
        say(error, size, "NVRTC is too old: it lacks " #name);                                                         \
        return NNCC_CUDA_E_COMPILE;                                                                                    \
    }
    NVRTC(LOOK_UP_NVRTC)
    n->nvrtcVersion(&n->major, &n->minor);
    snprintf(n->version, sizeof n->version, "%d.%d", n->major, n->minor);
    n->architecture = choose_architecture(n, n->capability);
    if (!n->architecture) {
        say(error, size, "NVRTC %s knows no GPU up to compute capability %d.%d", n->version, n->capability / 10,
            n->capability % 10);
        return NNCC_CUDA_E_COMPILE;
    }
    if (!suits_driver(n, driver)) {
        say(error, size, "expected an NVRTC up to the driver's CUDA %d.%d, saw %s", driver / 1000, driver % 1000 / 10,
            n->version);
        return NNCC_CUDA_E_COMPILE;
    }
    load_builtins(path, n->version);
    return 0;
}

/* The newest that suits the driver, or the one that NNCC_NVRTC names. */
static int load_nvrtc(Nvrtc *n, int capability, int driver, char *error, size_t size) {
    static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
    const char *path = getenv("NNCC_NVRTC");
    const int named = path && *path, tries = named ? 1 : (int)(sizeof names / sizeof *names);
    int result = -1;
    for (int i = 0; i < tries && result; i++) {
        void *library = dlopen(named ? path : names[i], RTLD_NOW | RTLD_LOCAL);
        memset(n, 0, sizeof *n), n->capability = capability;
        if (library) result = use_nvrtc(n, library, named ? path : NULL, driver, error, size);
    }
    if (result < 0) {
        say(error, size, "the kernels have to be compiled, but NVRTC was not found (%s)", dlerror());
        result = NNCC_CUDA_E_COMPILE;
    }
    return result;
}

static void *take_result(const Nvrtc *n, Handle program, size_t *bytes) {
    const int ptx = as_ptx(n);
    if (ptx ? n->nvrtcGetPTXSize(program, bytes) : n->nvrtcGetCUBINSize(program, bytes)) return NULL;
    char *image = *bytes ? (char *)malloc(*bytes) : NULL;
    if (!image) return NULL;
    if (!(ptx ? n->nvrtcGetPTX(program, image) : n->nvrtcGetCUBIN(program, image))) return image;
    free(image);
    return NULL;
}

static void take_log(const Nvrtc *n, Handle program, const char *name, char *error, size_t size) {
    size_t bytes = 0;
    char *log = n->nvrtcGetProgramLogSize(program, &bytes) ? NULL : (char *)malloc(bytes + 1);
    if (log && !n->nvrtcGetProgramLog(program, log))
        log[bytes] = 0, say(error, size, "NVRTC cannot compile %s.cu: %s", name, log);
    else
        say(error, size, "NVRTC cannot compile %s.cu", name);
    free(log);
}

static void *compile(const Nvrtc *n, const char *source, const char *name, size_t *bytes, char *error, size_t size) {
    char architecture[48], file[128];
    snprintf(architecture, sizeof architecture, "--gpu-architecture=%s_%d", as_ptx(n) ? "compute" : "sm",
             n->architecture);
    snprintf(file, sizeof file, "%s.cu", name);
    const char *const option[] = {architecture, "--std=c++17", "--fmad=false"};
    Handle program = NULL;
    void *image = NULL;
    if (n->nvrtcCreateProgram(&program, source, file, 0, NULL, NULL)) {
        say(error, size, "NVRTC creates no program of %s", file);
        return NULL;
    }
    if (n->nvrtcCompileProgram(program, 3, option))
        take_log(n, program, name, error, size);
    else if (!(image = take_result(n, program, bytes)))
        say(error, size, "NVRTC compiles %s, but returns no code", file);
    n->nvrtcDestroyProgram(&program);
    return image;
}

int nncc_cuda_compile(const char *source, const char *name, int capability, void **image, size_t *bytes, char *error,
                      size_t error_size) {
    Nvrtc n = {0};
    *image = NULL;
    int result = load_nvrtc(&n, capability, 0, error, error_size);
    if (!result && !(*image = compile(&n, source, name, bytes, error, error_size))) result = NNCC_CUDA_E_COMPILE;
    return result;
}

/* ---- opening: the cache ---- */

/* FNV-1a. */
static uint64_t hash(uint64_t h, const char *s) {
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

/* Whether only this user can write there. */
static int is_own(const struct stat *s) { return s->st_uid == geteuid() && !(s->st_mode & (S_IWGRP | S_IWOTH)); }

/* The folder for what NVRTC makes, with a place for each part of its path; empty: there is none. */
static void cache_folder(const char *folder, char *dir, size_t size) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    struct stat s;
    *dir = 0;
    if (folder)
        snprintf(dir, size, "%s", folder);
    else if (base && *base == '/')
        snprintf(dir, size, "%s/nncc", base);
    else if (home && *home == '/')
        snprintf(dir, size, "%s/.cache/nncc", home);
    if (!*dir) return;
    for (char *slash = dir + 1;; slash++) {
        if (*slash && *slash != '/') continue;
        const char was = *slash;
        *slash = 0;
        mkdir(dir, 0700);
        *slash = was;
        if (!was) break;
    }
    if (stat(dir, &s) || !S_ISDIR(s.st_mode) || !is_own(&s)) *dir = 0;
}

/* The file for this source and this GPU. */
static void cache_path(const nncc_cuda *c, const Nvrtc *n, const char *folder, char *path, size_t size) {
    char dir[2048], capability[16];
    cache_folder(folder, dir, sizeof dir);
    *path = 0;
    if (!*dir) return;
    snprintf(capability, sizeof capability, " %d ", c->capability);
    const uint64_t h = hash(hash(hash(0xcbf29ce484222325u, c->program->source), capability), n->version);
    snprintf(path, size, "%s/%016llx%016llx.cubin", dir, (unsigned long long)c->program->hash, (unsigned long long)h);
}

static char *read_bytes(int fd, size_t n) {
    char *bytes = (char *)malloc(n + 1);
    size_t done = 0;
    for (ssize_t k = 1; bytes && done < n && k > 0; done += k > 0 ? (size_t)k : 0) k = read(fd, bytes + done, n - done);
    if (bytes && done == n) return bytes[n] = 0, bytes;
    free(bytes);
    return NULL;
}

/* A whole file, with a 0 behind it; of this user alone, if it is `own`. */
static char *read_file(const char *path, int own, size_t *n) {
    const int fd = open(path, O_RDONLY | (own ? O_NOFOLLOW : 0));
    struct stat s;
    char *bytes = NULL;
    if (fd < 0) return NULL;
    if (!fstat(fd, &s) && S_ISREG(s.st_mode) && s.st_size > 0 && (!own || is_own(&s)))
        bytes = read_bytes(fd, *n = (size_t)s.st_size);
    close(fd);
    return bytes;
}

/* ---- the cache's files: a module, and behind it 8 bytes with its checksum ---- */

static uint64_t checksum(const char *bytes, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return h;
}

static void *read_cached(const char *path) {
    size_t n = 0;
    uint64_t sum = 0;
    char *bytes = *path ? read_file(path, 1, &n) : NULL;
    if (bytes && n > sizeof sum) memcpy(&sum, bytes + n - sizeof sum, sizeof sum);
    if (bytes && n > sizeof sum && sum == checksum(bytes, n - sizeof sum)) {
        const struct timespec used[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
        utimensat(AT_FDCWD, path, used, 0); /* eviction takes what was not used for the longest time */
        bytes[n - sizeof sum] = 0;
        return bytes;
    }
    free(bytes);
    return NULL;
}

static int write_all(int fd, const void *bytes, size_t n) {
    const char *p = (const char *)bytes;
    for (ssize_t k; n; p += k, n -= (size_t)k)
        if ((k = write(fd, p, n)) <= 0) return 0;
    return 1;
}

enum { MOST_CACHED = 64 };

/* Removes the file that was not used for the longest time; how many there were. */
static int evict_one(const char *folder) {
    char path[2400], oldest[2400] = "";
    struct stat s;
    time_t when = 0;
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (!strstr(e->d_name, ".cubin")) continue; /* the temporary files of programs that died are such, too */
        snprintf(path, sizeof path, "%.2100s/%.255s", folder, e->d_name);
        if (stat(path, &s)) continue;
        if (!n++ || s.st_atime < when) when = s.st_atime, memcpy(oldest, path, sizeof oldest);
    }
    if (d) closedir(d);
    if (n >= MOST_CACHED) remove(oldest);
    return n;
}

/* Other processes see the whole file or none, after a loss of power as well. That it cannot be written is no error. */
static void write_cached(const char *path, const void *bytes, size_t n) {
    char temporary[2200], folder[2100];
    if (!*path) return;
    snprintf(folder, sizeof folder, "%.2099s", path), *strrchr(folder, '/') = 0;
    for (int i = 0; i < MOST_CACHED && evict_one(folder) > MOST_CACHED; i++) {}
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    const uint64_t sum = checksum((const char *)bytes, n);
    const int fd = mkstemp(temporary);
    if (fd < 0) return;
    const int written = write_all(fd, bytes, n) && write_all(fd, &sum, sizeof sum) && !fsync(fd);
    if (close(fd) || !written || rename(temporary, path)) remove(temporary);
}

/* ---- opening: the module ---- */

/* The sum that the module's mark computes: 0 where a product is rounded before it is added to, as -fmad=false has it.
 */
static int multiply_and_add(nncc_cuda *c, Handle mark, float *sum) {
    static const float x[4] = {1.0f + 0x1p-12f, 1.0f + 0x1p-12f, -1.0f - 0x1p-11f, 1.0f};
    Address at = 0, to = 0;
    void *args[2] = {&at, &to};
    TRY(NNCC_CUDA_E_MEMORY, "for a test of the kernels", cuMemAlloc_v2, &at, 256);
    to = at + 12;
    Result r = c->d.cuMemcpyHtoDAsync_v2(at, x, sizeof x, c->own_stream);
    if (!r) r = c->d.cuLaunchKernel(mark, 1, 1, 1, 1, 1, 1, 0, c->own_stream, args, NULL);
    if (!r) r = c->d.cuMemcpyDtoHAsync_v2(sum, to, sizeof *sum, c->own_stream);
    if (!r) r = c->d.cuStreamSynchronize(c->own_stream);
    c->d.cuMemFree_v2(at);
    return r ? failed(c, NNCC_CUDA_E_LAUNCH, r, "a test of the kernels", "") : 0;
}

/* Whether the module is of this program's source, made so that it gives the same bits. */
static int check_module(nncc_cuda *c, const char *from) {
    char name[40];
    float sum = 1;
    Handle mark;
    snprintf(name, sizeof name, "nncc_module_%016llx", (unsigned long long)c->program->hash);
    if (c->d.cuModuleGetFunction(&mark, c->module, name))
        return fail(c, NNCC_CUDA_E_MODULE, "the kernels %s are of another version of %s", from, c->program->name);
    OR_RETURN(multiply_and_add(c, mark, &sum));
    if (sum != 0)
        return fail(c, NNCC_CUDA_E_MODULE, "the kernels %s were compiled without -fmad=false, and give other bits",
                    from);
    return 0;
}

static int load_image(nncc_cuda *c, const void *image, const char *from) {
    TRY(NNCC_CUDA_E_MODULE, from, cuModuleLoadData, &c->module, image);
    const int result = check_module(c, from);
    if (result) c->d.cuModuleUnload(c->module), c->module = NULL;
    return result;
}

/* From what NNCC_CUDA_IMAGE names. The emulator loads a path. */
static int load_named(nncc_cuda *c, const char *named) {
    const int emulated = c->d.nncc_emu_declare != NULL, folder = named[strlen(named) - 1] == '/';
    char path[2048], from[2100];
    size_t n = 0;
    static const char mark[] = "NNCC-EMU";
    snprintf(path, sizeof path, "%s%s%s", named, folder ? c->program->name : "",
             !folder    ? ""
             : emulated ? ".so"
                        : ".cubin");
    snprintf(from, sizeof from, "in %s", path);
    char *image = emulated ? (char *)calloc(1, sizeof mark + sizeof path) : read_file(path, 0, &n);
    if (!image) return fail(c, NNCC_CUDA_E_MODULE, "cannot read the kernels %s", from);
    if (emulated) memcpy(image, mark, sizeof mark), memcpy(image + sizeof mark, path, strlen(path));
    const int result = load_image(c, image, from);
    free(image);
    return result;
}

static int load_compiled(nncc_cuda *c, const Nvrtc *n, const char *folder) {
    char path[2100];
    size_t bytes = 0;
    cache_path(c, n, folder, path, sizeof path);
    void *image = read_cached(path);
    int result = image ? load_image(c, image, "in the cache") : NNCC_CUDA_E_MODULE;
    free(image);
    if (!result) return 0; /* else it is damaged, and made anew */
    image = compile(n, c->program->source, c->program->name, &bytes, c->error, sizeof c->error);
    if (!image) return NNCC_CUDA_E_COMPILE;
    result = load_image(c, image, "from NVRTC");
    if (!result) write_cached(path, image, bytes);
    free(image);
    return result;
}

static int load_module(nncc_cuda *c, const nncc_cuda_options *o) {
    const char *named = getenv("NNCC_CUDA_IMAGE");
    if (o->image) return load_image(c, o->image, "of the options");
    if (named && *named) return load_named(c, named);
    if (c->program->image && !load_image(c, c->program->image, "in the program")) return 0;
    if (!c->program->source)
        return c->program->image ? NNCC_CUDA_E_MODULE
                                 : fail(c, NNCC_CUDA_E_MODULE, "%s has no kernels", c->program->name);
    Nvrtc n = {0};
    int result = load_nvrtc(&n, c->capability, c->driver, c->error, sizeof c->error);
    if (!result) result = load_compiled(c, &n, o->cache);
    return result;
}

/* Loads them as well: a first launch under capture could not. Drivers before CUDA 12.4 do it at once. */
static int find_kernels(nncc_cuda *c) {
    for (int i = 0; i < c->program->nkernels; i++) {
        TRY(NNCC_CUDA_E_MODULE, c->program->kernels[i], cuModuleGetFunction, &c->kernels[i].function, c->module,
            c->program->kernels[i]);
        if (c->d.cuFuncLoad) TRY(NNCC_CUDA_E_MODULE, c->program->kernels[i], cuFuncLoad, c->kernels[i].function);
    }
    return 0;
}

/* ---- opening: memory ---- */

static int64_t rounded(int64_t n) { return (n + 255) / 256 * 256; }

static int take_memory(nncc_cuda *c) {
    const nncc_cuda_program *p = c->program;
    int64_t total = 0, zeros = 0;
    for (int i = 0; i < NNCC_CUDA_BLOCKS; i++) {
        if (i == NNCC_CUDA_ARENA) zeros = total;
        total += rounded(p->bytes[i]);
    }
    char what[160];
    snprintf(what, sizeof what, "of %lld bytes for %.100s", (long long)total, p->name);
    if (total) TRY(NNCC_CUDA_E_MEMORY, what, cuMemAlloc_v2, &c->memory, (size_t)total);
    Address at = c->memory;
    for (int i = 0; i < NNCC_CUDA_BLOCKS; i++) c->block[i] = at, at += (Address)rounded(p->bytes[i]);
    if (zeros) TRY(NNCC_CUDA_E_MEMORY, what, cuMemsetD8Async, c->memory, 0, (size_t)zeros, c->stream);
    TRY(NNCC_CUDA_E_MEMORY, "", cuStreamSynchronize, c->stream);
    return 0;
}

static int take_key(nncc_cuda *c, Key *k) {
    k->dims = (int *)calloc((size_t)c->program->ndims + 1, sizeof *k->dims);
    k->field = (Address *)calloc((size_t)c->program->nfields + 1, sizeof *k->field);
    return k->dims && k->field ? 0 : fail(c, NNCC_CUDA_E_MEMORY, "out of the host's memory");
}

static int take_tables(nncc_cuda *c) {
    const size_t fields = (size_t)c->program->nfields + 1;
    OR_RETURN(take_key(c, &c->now));
    for (int i = 0; i < GRAPHS; i++) OR_RETURN(take_key(c, &c->graphs[i].key));
    c->kernels = (Kernel *)calloc((size_t)c->program->nkernels + 1, sizeof *c->kernels);
    c->value = (uint64_t *)calloc(fields, sizeof *c->value);
    c->known = (char *)calloc(fields, 1);
    c->where = (char *)calloc(fields, 1);
    c->pinned = (char **)calloc(fields, sizeof *c->pinned);
    if (!c->kernels || !c->value || !c->known || !c->where || !c->pinned)
        return fail(c, NNCC_CUDA_E_MEMORY, "out of the host's memory");
    return 0;
}

/* Work in its own stream and in the default stream, which frameworks use, is in the order in which it was started. A
 * capture there would be broken by what other threads start in the default stream: it has a stream that is apart. */
static int take_streams(nncc_cuda *c) {
    TRY(NNCC_CUDA_E_MEMORY, "", cuStreamCreate, &c->own_stream, 0);
    TRY(NNCC_CUDA_E_MEMORY, "", cuStreamCreate, &c->capture_stream, 1 /* does not wait for the default stream */);
    TRY(NNCC_CUDA_E_MEMORY, "", cuEventCreate, &c->event, 2 /* without times */);
    return 0;
}

static int set_up(nncc_cuda *c, const nncc_cuda_options *o) {
    OR_RETURN(take_tables(c));
    OR_RETURN(load_driver(c));
    OR_RETURN(open_device(c, o->device));
    OR_RETURN(enter(c));
    OR_RETURN(take_streams(c));
    c->stream = o->stream ? o->stream : c->own_stream;
    OR_RETURN(load_module(c, o));
    OR_RETURN(find_kernels(c));
    return take_memory(c);
}

int nncc_cuda_open(nncc_cuda **net, const nncc_cuda_program *program, const nncc_cuda_options *options) {
    static const nncc_cuda_options none = {0};
    const nncc_cuda_options *o = options ? options : &none;
    nncc_cuda *c = *net = (nncc_cuda *)calloc(1, sizeof *c);
    if (!c) return NNCC_CUDA_E_MEMORY;
    const char *sync = getenv("NNCC_CUDA_SYNC");
    c->program = program;
    c->sync_each = sync && *sync && strcmp(sync, "0");
    c->no_graphs = o->no_graphs || c->sync_each;
    return leave(c, set_up(c, o));
}

static void forget(nncc_cuda *c, Graph *g) {
    if (g->exec) c->d.cuGraphExecDestroy(g->exec);
    if (g->graph) c->d.cuGraphDestroy(g->graph);
    g->exec = g->graph = NULL, g->used = 0, g->key.entry = NULL;
}

static void give_back(nncc_cuda *c) {
    if (c->stream) c->d.cuStreamSynchronize(c->stream);
    for (int i = 0; i < GRAPHS; i++) forget(c, &c->graphs[i]);
    for (int i = 0; i < c->program->nfields; i++)
        if (c->pinned[i]) c->d.cuMemFreeHost(c->pinned[i]);
    if (c->memory) c->d.cuMemFree_v2(c->memory);
    if (c->event) c->d.cuEventDestroy_v2(c->event);
    if (c->own_stream) c->d.cuStreamDestroy_v2(c->own_stream);
    if (c->capture_stream) c->d.cuStreamDestroy_v2(c->capture_stream);
    if (c->module) c->d.cuModuleUnload(c->module);
}

void nncc_cuda_close(nncc_cuda *c) {
    if (!c) return;
    if (c->retained && !enter(c)) give_back(c), leave(c, 0);
    if (c->retained) c->d.cuDevicePrimaryCtxRelease_v2(c->device);
    for (int i = 0; i < GRAPHS; i++) free(c->graphs[i].key.dims), free(c->graphs[i].key.field);
    free(c->now.dims), free(c->now.field), free(c->kernels), free(c->value), free(c->known);
    free(c->where), free(c->pinned), free(c);
}

/* ---- one launch ---- */

typedef union {
    Address pointer;
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
} Value;

/* The arguments of one launch, as the driver wants them. */
typedef struct {
    Value *value;
    void **at;
    uint64_t *extent, *bytes;
    unsigned char *writes;
    int pointers;
} Arguments;

/* What a call does, for messages. */
typedef struct {
    const nncc_cuda_entry *entry;
    const nncc_cuda_launch *launch;
    const int *dims;
    const Address *field;
    Handle stream;
} Call;

static const char *describe(const nncc_cuda *c, const Call *call, char text[512]) {
    const nncc_cuda_launch *l = call->launch;
    snprintf(text, 512, "of %s (%s) in %s",
             l->kernel >= 0                ? c->program->kernels[l->kernel]
             : l->kernel == NNCC_CUDA_FILL ? "fill"
                                           : "copy",
             l->node ? l->node : "?", call->entry->name);
    return text;
}

static Address pointer(const nncc_cuda *c, const Call *call, const nncc_cuda_arg *a) {
    return (a->field >= 0 ? call->field[a->field] : c->block[a->block]) + (Address)a->offset;
}

static int64_t givenbytes(const nncc_cuda *c, const Call *call, const nncc_cuda_arg *a) {
    return count(a->field >= 0 ? &c->program->fields[a->field].bytes : &a->count, call->dims);
}

static void set_argument(const nncc_cuda *c, const Call *call, const nncc_cuda_arg *a, Arguments *to, int i) {
    to->at[i] = &to->value[i];
    switch (a->kind) {
    case NNCC_CUDA_INT32: to->value[i].i32 = (int32_t)count(&a->count, call->dims); break;
    case NNCC_CUDA_INT64: to->value[i].i64 = count(&a->count, call->dims); break;
    case NNCC_CUDA_F32: to->value[i].f32 = (float)a->real; break;
    case NNCC_CUDA_F64: to->value[i].f64 = a->real; break;
    default:
        to->value[i].pointer = to->extent[to->pointers] = pointer(c, call, a);
        to->bytes[to->pointers] = (uint64_t)givenbytes(c, call, a);
        to->writes[to->pointers++] = (a->kind & NNCC_CUDA_WRITES) != 0;
    }
}

/* In one piece, to free. */
static void *new_arguments(Arguments *a, int n) {
    const size_t m = (size_t)n + 1;
    char *p = (char *)calloc(m, sizeof *a->value + sizeof *a->at + sizeof *a->extent + sizeof *a->bytes + 1);
    if (!p) return NULL;
    a->value = (Value *)(void *)p, p += m * sizeof *a->value;
    a->at = (void **)(void *)p, p += m * sizeof *a->at;
    a->extent = (uint64_t *)(void *)p, p += m * sizeof *a->extent;
    a->bytes = (uint64_t *)(void *)p, p += m * sizeof *a->bytes;
    a->writes = (unsigned char *)p, a->pointers = 0;
    return a->value;
}

static int set_grid(nncc_cuda *c, const Call *call, unsigned grid[3], unsigned threads[3]) {
    char text[512];
    for (int i = 0; i < 3; i++) {
        const nncc_cuda_grid *g = &call->launch->grid[i];
        const int64_t n = g->per ? (count(&g->count, call->dims) + g->per - 1) / g->per : 1;
        const int64_t most = i ? 65535 : 0x7fffffff; /* what every GPU allows along x, y and z */
        const int none = n == 0 && g->count.times;   /* an extent of this call is 0 */
        if ((n < 1 && !none) || n > most)
            return fail(c, NNCC_CUDA_E_ARGUMENT, "%s: expected 1 to %lld blocks along %c, saw %lld",
                        describe(c, call, text), (long long)most, "xyz"[i], (long long)n);
        grid[i] = (unsigned)n;
        threads[i] = call->launch->threads[i] ? (unsigned)call->launch->threads[i] : 1;
    }
    return 0;
}

/* No more blocks than run at once: they wait for each other. */
static int limit_grid(nncc_cuda *c, const Call *call, const Kernel *k, unsigned grid[3], const unsigned threads[3]) {
    char text[512];
    int each = 0;
    TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuOccupancyMaxActiveBlocksPerMultiprocessor, &each, k->function,
        (int)(threads[0] * threads[1] * threads[2]), (size_t)call->launch->shared);
    const unsigned most = (unsigned)(each * c->multiprocessors) / (grid[1] * grid[2]);
    if (!most)
        return fail(c, NNCC_CUDA_E_LAUNCH, "%s has too few multiprocessors for the cooperative launch %s", c->name,
                    describe(c, call, text));
    if (grid[0] > most) grid[0] = most;
    return 0;
}

static int ask_for_shared(nncc_cuda *c, const Call *call, Kernel *k) {
    char text[512];
    if (call->launch->shared <= 48 * 1024 || call->launch->shared <= k->shared) return 0;
    TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuFuncSetAttribute, k->function, 8, call->launch->shared);
    k->shared = call->launch->shared;
    return 0;
}

static int launch_kernel(nncc_cuda *c, const Call *call, const Arguments *a) {
    const nncc_cuda_launch *l = call->launch;
    Kernel *k = &c->kernels[l->kernel];
    unsigned g[3], t[3];
    char text[512];
    OR_RETURN(set_grid(c, call, g, t));
    if (!g[0] || !g[1] || !g[2]) return 0;
    OR_RETURN(ask_for_shared(c, call, k));
    if (l->cooperative) OR_RETURN(limit_grid(c, call, k, g, t));
    if (c->d.nncc_emu_declare) c->d.nncc_emu_declare(a->pointers, a->extent, a->bytes, a->writes);
    if (l->cooperative)
        TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuLaunchCooperativeKernel, k->function, g[0], g[1], g[2], t[0],
            t[1], t[2], (unsigned)l->shared, call->stream, a->at);
    else
        TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuLaunchKernel, k->function, g[0], g[1], g[2], t[0], t[1],
            t[2], (unsigned)l->shared, call->stream, a->at, NULL);
    return 0;
}

static int launch_copy(nncc_cuda *c, const Call *call, const Arguments *a) {
    char text[512];
    if (call->launch->kernel == NNCC_CUDA_FILL)
        TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuMemsetD8Async, a->value[0].pointer,
            (unsigned char)a->value[1].i32, (size_t)a->bytes[0], call->stream);
    else if (call->launch->kernel == NNCC_CUDA_ROW)
        TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuMemcpyDtoDAsync_v2,
            a->value[0].pointer + (Address)a->value[2].i64, a->value[1].pointer, (size_t)a->value[3].i64, call->stream);
    else
        TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuMemcpyDtoDAsync_v2, a->value[0].pointer, a->value[1].pointer,
            (size_t)a->bytes[0], call->stream);
    return 0;
}

static int launch(nncc_cuda *c, const Call *call) {
    const nncc_cuda_launch *l = call->launch;
    Arguments a;
    char text[512];
    void *memory = new_arguments(&a, l->nargs);
    if (!memory) return fail(c, NNCC_CUDA_E_MEMORY, "out of the host's memory");
    for (int i = 0; i < l->nargs; i++) set_argument(c, call, &l->args[i], &a, i);
    const int result = l->kernel >= 0 ? launch_kernel(c, call, &a) : launch_copy(c, call, &a);
    free(memory);
    if (!result && c->sync_each) TRY(NNCC_CUDA_E_LAUNCH, describe(c, call, text), cuStreamSynchronize, call->stream);
    return result;
}

static int launch_all(nncc_cuda *c, const Key *key, Handle stream) {
    Call call = {key->entry, NULL, key->dims, key->field, stream};
    for (int i = 0; i < key->entry->nlaunches; i++) {
        call.launch = &key->entry->launches[i];
        OR_RETURN(launch(c, &call));
    }
    return 0;
}

/* ---- graphs ---- */

static size_t dims_bytes(const nncc_cuda *c) { return sizeof(int) * (size_t)c->program->ndims; }
static size_t field_bytes(const nncc_cuda *c) { return sizeof(Address) * (size_t)c->program->nfields; }

static int same(const nncc_cuda *c, const Key *a, const Key *b) {
    return a->entry == b->entry && !memcmp(a->dims, b->dims, dims_bytes(c)) &&
           !memcmp(a->field, b->field, field_bytes(c));
}

static Graph *find_graph(nncc_cuda *c, const Key *key) {
    Graph *oldest = &c->graphs[0];
    for (int i = 0; i < GRAPHS; i++) {
        if (same(c, &c->graphs[i].key, key)) return &c->graphs[i];
        if (c->graphs[i].used < oldest->used) oldest = &c->graphs[i];
    }
    forget(c, oldest);
    oldest->key.entry = key->entry;
    memcpy(oldest->key.dims, key->dims, dims_bytes(c)), memcpy(oldest->key.field, key->field, field_bytes(c));
    return oldest;
}

static int capture(nncc_cuda *c, Graph *g) {
    TRY(NNCC_CUDA_E_LAUNCH, "", cuStreamBeginCapture_v2, c->capture_stream, 1 /* this thread's calls only */);
    const int result = launch_all(c, &g->key, c->capture_stream);
    const Result r = c->d.cuStreamEndCapture(c->capture_stream, &g->graph);
    if (result) return result;
    if (r) return failed(c, NNCC_CUDA_E_LAUNCH, r, "cuStreamEndCapture", g->key.entry->name);
    TRY(NNCC_CUDA_E_LAUNCH, g->key.entry->name, cuGraphInstantiateWithFlags, &g->exec, g->graph, 0);
    return 0;
}

/* Launches at the first sight of a key, captures at the second. */
static int launch_graph(nncc_cuda *c, const Key *key) {
    Graph *g = find_graph(c, key);
    const int seen = g->used != 0;
    g->used = ++c->turn;
    if (!seen) return launch_all(c, key, c->stream);
    if (!g->exec) {
        const int result = capture(c, g);
        if (result) return forget(c, g), result;
    }
    TRY(NNCC_CUDA_E_LAUNCH, key->entry->name, cuGraphLaunch, g->exec, c->stream);
    return 0;
}

/* ---- a call ---- */

enum { HOST_MEMORY, DEVICE_MEMORY, MANAGED_MEMORY };

/* What kind of memory a pointer of the caller's points to, and (if it is a GPU's) of which GPU. */
static int memory_of(nncc_cuda *c, const void *p, int *gpu) {
    const Address at = (Address)(uintptr_t)p;
    unsigned type = 0, managed = 0;
    *gpu = c->ordinal;
    if (c->d.cuPointerGetAttribute(&type, 2 /* memory type */, at) || type != 2 /* a device's */) return HOST_MEMORY;
    if (!c->d.cuPointerGetAttribute(&managed, 8 /* is managed */, at) && managed) return MANAGED_MEMORY;
    c->d.cuPointerGetAttribute(gpu, 9 /* device ordinal */, at);
    return DEVICE_MEMORY;
}

static int kind_of(const nncc_cuda_field *f) { return f->kind & ~NNCC_CUDA_OPTIONAL; }
static int is_input(const nncc_cuda_field *f) {
    return kind_of(f) == NNCC_CUDA_INPUT || kind_of(f) == NNCC_CUDA_CARRIED;
}
static int is_output(const nncc_cuda_field *f) {
    return kind_of(f) == NNCC_CUDA_OUTPUT || kind_of(f) == NNCC_CUDA_CARRIED;
}

/* A field's place in NNCC_CUDA_IO. */
static Address staging(const nncc_cuda *c, int i) {
    return c->block[NNCC_CUDA_IO] + (Address)c->program->fields[i].offset;
}

static int set_value(nncc_cuda *c, int i, const void *from) {
    const nncc_cuda_field *f = &c->program->fields[i];
    uint64_t v = 0;
    uint32_t word[2];
    memcpy(&v, from, f->bytes.add == 8 ? 8 : 4);
    if (c->known[i] == KNOWN && !c->capturing && c->value[i] == v) return 0;
    memcpy(word, &v, sizeof word);
    for (int k = 0; k < (f->bytes.add == 8 ? 2 : 1); k++)
        TRY(NNCC_CUDA_E_LAUNCH, f->name, cuMemsetD32Async, staging(c, i) + 4 * (Address)k, word[k], 1, c->stream);
    c->known[i] = c->capturing || c->known[i] == CAPTURED ? CAPTURED : KNOWN, c->value[i] = v;
    return 0;
}

/* What a kernel reads or writes in place of a field that is NULL. */
static int set_missing(nncc_cuda *c, int i, const Key *key) {
    const nncc_cuda_field *f = &c->program->fields[i];
    if (!(f->kind & NNCC_CUDA_OPTIONAL))
        return fail(c, NNCC_CUDA_E_ARGUMENT, "%s is NULL in %s", f->name, key->entry->name);
    if (is_input(f))
        TRY(NNCC_CUDA_E_LAUNCH, f->name, cuMemsetD8Async, key->field[i], 0, (size_t)count(&f->bytes, key->dims),
            c->stream);
    return 0;
}

/* Pinned memory for a field that is the host's: as much as its place on the device has. */
static int take_pinned(nncc_cuda *c, int i) {
    int64_t end = c->program->bytes[NNCC_CUDA_IO];
    const int64_t offset = c->program->fields[i].offset;
    if (c->pinned[i]) return 0;
    for (int k = 0; k < c->program->nfields; k++)
        if (c->program->fields[k].offset > offset && c->program->fields[k].offset < end)
            end = c->program->fields[k].offset;
    TRY(NNCC_CUDA_E_MEMORY, c->program->fields[i].name, cuMemAllocHost_v2, (void **)&c->pinned[i],
        (size_t)(end - offset));
    return 0;
}

static int set_host(nncc_cuda *c, int i, const void *given, const Key *key) {
    const nncc_cuda_field *f = &c->program->fields[i];
    const size_t bytes = (size_t)count(&f->bytes, key->dims);
    OR_RETURN(take_pinned(c, i));
    c->where[i] = HOST;
    if (!is_input(f)) return 0;
    memcpy(c->pinned[i], given, bytes);
    TRY(NNCC_CUDA_E_LAUNCH, f->name, cuMemcpyHtoDAsync_v2, key->field[i], c->pinned[i], bytes, c->stream);
    return 0;
}

/* Where a field's data is on the device; host data is sent there. *blocks: the caller may look at it when this returns.
 */
static int set_field(nncc_cuda *c, int i, void *given, Key *key, int *blocks) {
    const nncc_cuda_field *f = &c->program->fields[i];
    int gpu = 0;
    key->field[i] = staging(c, i), c->where[i] = MISSING;
    if (!given) return set_missing(c, i, key);
    if (f->kind == NNCC_CUDA_VALUE) return set_value(c, i, given);
    const int memory = memory_of(c, given, &gpu);
    if (memory != DEVICE_MEMORY) *blocks = 1;
    if (memory == HOST_MEMORY) return set_host(c, i, given, key);
    if (gpu != c->ordinal)
        return fail(c, NNCC_CUDA_E_ARGUMENT, "%s: expected memory of GPU %d, saw GPU %d's", f->name, c->ordinal, gpu);
    if ((uintptr_t)given % 16) return fail(c, NNCC_CUDA_E_ARGUMENT, "%s is not a multiple of 16 bytes", f->name);
    c->where[i] = DIRECT;
    return key->field[i] = (Address)(uintptr_t)given, 0;
}

static int wait(nncc_cuda *c, const nncc_cuda_entry *entry) {
    const Result r = c->d.cuStreamSynchronize(c->stream);
    return r ? failed(c, NNCC_CUDA_E_LAUNCH, r, "cuStreamSynchronize", entry ? entry->name : "") : 0;
}

static int fetch(nncc_cuda *c, const Key *key, int i) {
    const nncc_cuda_field *f = &c->program->fields[i];
    char text[256];
    snprintf(text, sizeof text, "of %.100s in %.100s", f->name, key->entry->name);
    TRY(NNCC_CUDA_E_LAUNCH, text, cuMemcpyDtoHAsync_v2, c->pinned[i], key->field[i],
        (size_t)count(&f->bytes, key->dims), c->stream);
    return 0;
}

static int is_fetched(const nncc_cuda *c, int i) { return c->where[i] == HOST && is_output(&c->program->fields[i]); }

static int fetch_outputs(nncc_cuda *c, const Key *key, void *const *fields) {
    const nncc_cuda_entry *e = key->entry;
    for (int k = 0; k < e->nfields; k++)
        if (is_fetched(c, e->fields[k])) OR_RETURN(fetch(c, key, e->fields[k]));
    OR_RETURN(wait(c, e));
    for (int k = 0; k < e->nfields; k++) {
        const int i = e->fields[k];
        if (is_fetched(c, i)) memcpy(fields[i], c->pinned[i], (size_t)count(&c->program->fields[i].bytes, key->dims));
    }
    return 0;
}

/* In the emulator scratch and results hold NaN at first, so that none of them can be an earlier call's. */
static int spoil(nncc_cuda *c, const Key *key) {
    const size_t arena = (size_t)c->program->bytes[NNCC_CUDA_ARENA];
    if (!c->begins || !c->d.nncc_emu_declare) return 0;
    c->begins = 0;
    if (arena) TRY(NNCC_CUDA_E_LAUNCH, "", cuMemsetD8Async, c->block[NNCC_CUDA_ARENA], 0xFF, arena, c->stream);
    for (int k = 0; k < key->entry->nfields; k++) {
        const int i = key->entry->fields[k];
        const nncc_cuda_field *f = &c->program->fields[i];
        if (key->field[i] == staging(c, i) && kind_of(f) == NNCC_CUDA_OUTPUT)
            TRY(NNCC_CUDA_E_LAUNCH, "", cuMemsetD8Async, key->field[i], 0xFF, (size_t)count(&f->bytes, key->dims),
                c->stream);
    }
    return 0;
}

/* ---- data on the device that is somewhere else in each call ---- */

/* Whether so many graphs of this call are for other places that there will be none for these. */
static int moves_about(const nncc_cuda *c, const Key *key) {
    int others = 0;
    for (int i = 0; i < GRAPHS; i++) {
        const Key *k = &c->graphs[i].key;
        if (same(c, k, key)) return 0;
        others += k->entry == key->entry && !memcmp(k->dims, key->dims, dims_bytes(c));
    }
    return others >= MOST_PLACES;
}

/* Such data is copied to the fields' own places, and results from there: then one graph serves all calls. */
static int copy_inputs(nncc_cuda *c, Key *key) {
    for (int k = 0; k < key->entry->nfields; k++) {
        const int i = key->entry->fields[k];
        const nncc_cuda_field *f = &c->program->fields[i];
        if (c->where[i] != DIRECT) continue;
        if (is_input(f))
            TRY(NNCC_CUDA_E_LAUNCH, f->name, cuMemcpyDtoDAsync_v2, staging(c, i), key->field[i],
                (size_t)count(&f->bytes, key->dims), c->stream);
        key->field[i] = staging(c, i), c->where[i] = COPIED;
    }
    return 0;
}

static int copy_outputs(nncc_cuda *c, const Key *key, void *const *fields) {
    for (int k = 0; k < key->entry->nfields; k++) {
        const int i = key->entry->fields[k];
        const nncc_cuda_field *f = &c->program->fields[i];
        if (c->where[i] == COPIED && is_output(f))
            TRY(NNCC_CUDA_E_LAUNCH, f->name, cuMemcpyDtoDAsync_v2, (Address)(uintptr_t)fields[i], key->field[i],
                (size_t)count(&f->bytes, key->dims), c->stream);
    }
    return 0;
}

/* ---- the call ---- */

/* Host memory cannot be waited for under capture. */
static int check_capture(nncc_cuda *c, const nncc_cuda_entry *e, void *const *fields) {
    int gpu;
    for (int k = 0; k < e->nfields; k++) {
        const int i = e->fields[k];
        if (c->program->fields[i].kind != NNCC_CUDA_VALUE && fields[i] &&
            memory_of(c, fields[i], &gpu) != DEVICE_MEMORY)
            return fail(c, NNCC_CUDA_E_ARGUMENT, "%s under capture needs all data on the device", e->name);
    }
    return 0;
}

static int start(nncc_cuda *c, Key *key, void *const *fields, int *blocks) {
    const int graphs = !c->capturing && !c->no_graphs;
    for (int k = 0; k < key->entry->nfields; k++)
        OR_RETURN(set_field(c, key->entry->fields[k], fields[key->entry->fields[k]], key, blocks));
    if (graphs && moves_about(c, key)) OR_RETURN(copy_inputs(c, key));
    OR_RETURN(spoil(c, key));
    OR_RETURN(graphs ? launch_graph(c, key) : launch_all(c, key, c->stream));
    return copy_outputs(c, key, fields);
}

static int run(nncc_cuda *c, const nncc_cuda_entry *entry, const int *dims, void *const *fields) {
    Key *key = &c->now;
    int blocks = 0;
    key->entry = entry;
    memset(key->field, 0, field_bytes(c));
    if (c->program->ndims) memcpy(key->dims, dims, dims_bytes(c));
    TRY(NNCC_CUDA_E_LAUNCH, "", cuStreamIsCapturing, c->stream, &c->capturing);
    if (c->capturing) OR_RETURN(check_capture(c, entry, fields));
    int result = start(c, key, fields, &blocks);
    if (!result && blocks) result = fetch_outputs(c, key, fields);
    /* Of a call that fails copies may still be on their way from pinned memory, where the next one writes. */
    if (result && blocks) c->d.cuStreamSynchronize(c->stream);
    return result;
}

void nncc_cuda_begin(nncc_cuda *c) { c->begins = 1; }

int nncc_cuda_run(nncc_cuda *c, const nncc_cuda_entry *entry, const int *dims, void *const *fields) {
    OR_RETURN(enter(c));
    return leave(c, run(c, entry, dims, fields));
}

/* ---- blocks ---- */

static int check_range(nncc_cuda *c, int block, int64_t offset, int64_t bytes) {
    if (block >= 0 && block < NNCC_CUDA_BLOCKS && offset >= 0 && bytes >= 0 &&
        bytes <= c->program->bytes[block] - offset)
        return 0;
    return fail(c, NNCC_CUDA_E_ARGUMENT, "%lld bytes at %lld are not in block %d", (long long)bytes, (long long)offset,
                block);
}

static int upload(nncc_cuda *c, int block, int64_t offset, const void *from, int64_t bytes) {
    OR_RETURN(check_range(c, block, offset, bytes));
    if (!bytes) return 0;
    TRY(NNCC_CUDA_E_LAUNCH, "", cuMemcpyHtoDAsync_v2, c->block[block] + (Address)offset, from, (size_t)bytes,
        c->stream);
    return wait(c, NULL);
}

static int download(nncc_cuda *c, int block, int64_t offset, void *to, int64_t bytes) {
    OR_RETURN(check_range(c, block, offset, bytes));
    if (!bytes) return 0;
    TRY(NNCC_CUDA_E_LAUNCH, "", cuMemcpyDtoHAsync_v2, to, c->block[block] + (Address)offset, (size_t)bytes, c->stream);
    return wait(c, NULL);
}

int nncc_cuda_upload(nncc_cuda *c, int block, int64_t offset, const void *from, int64_t bytes) {
    OR_RETURN(enter(c));
    return leave(c, upload(c, block, offset, from, bytes));
}

int nncc_cuda_download(nncc_cuda *c, int block, int64_t offset, void *to, int64_t bytes) {
    OR_RETURN(enter(c));
    return leave(c, download(c, block, offset, to, bytes));
}

uint64_t nncc_cuda_address(const nncc_cuda *c, int block) { return c->block[block]; }

int nncc_cuda_sync(nncc_cuda *c) {
    OR_RETURN(enter(c));
    return leave(c, wait(c, NULL));
}

void *nncc_cuda_stream(const nncc_cuda *c) { return c->stream; }

/* What runs in the new stream uses what the old one may still be writing. A stream under capture cannot wait for what
 * is not part of it, but the host can. */
static int follow(nncc_cuda *c, Handle stream) {
    int from = 0, to = 0;
    TRY(NNCC_CUDA_E_LAUNCH, "", cuStreamIsCapturing, c->stream, &from);
    TRY(NNCC_CUDA_E_LAUNCH, "", cuStreamIsCapturing, stream, &to);
    if (from) return 0; /* there nothing runs yet */
    if (to) return wait(c, NULL);
    TRY(NNCC_CUDA_E_LAUNCH, "", cuEventRecord, c->event, c->stream);
    TRY(NNCC_CUDA_E_LAUNCH, "", cuStreamWaitEvent, stream, c->event, 0);
    return 0;
}

int nncc_cuda_set_stream(nncc_cuda *c, void *stream) {
    OR_RETURN(enter(c));
    if (!stream) stream = c->own_stream;
    const int result = stream == c->stream ? 0 : follow(c, stream);
    if (!result) c->stream = stream;
    return leave(c, result);
}
