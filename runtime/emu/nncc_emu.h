/* nncc_emu.h - CUDA's words for kernels that run on the CPU: what ../cuda/nncc_device.h is to a GPU. Behind it stands
 * libcuda_emu.so (emu_*.cpp), which a module needs not be linked with. Light, since every generated kernel file
 * includes it. C++17. */
#ifndef NNCC_EMU_H
#define NNCC_EMU_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define __global__ __attribute__((visibility("hidden"))) /* a kernel may be called like a function of libc */
#define __device__
#define __host__
#define __constant__    static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define NNCC_DEVICE  static inline
#define NNCC_PART    static

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x1 = 1, unsigned y1 = 1, unsigned z1 = 1) : x(x1), y(y1), z(z1) {}
};
struct __attribute__((aligned(8))) float2 {
    float x, y;
};
struct __attribute__((aligned(16))) float4 {
    float x, y, z, w;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

/* The thread that runs now. */
struct nncc_emu_thread {
    uint3 thread, block;
    dim3 threads, blocks;
    unsigned char *shared;
};
/* A place in a kernel: barriers and collectives are told apart by its address. */
struct nncc_emu_site {
    const char *file;
    int line;
};
#define NNCC_EMU_SITE                                                                                                  \
    ([] {                                                                                                              \
        static const nncc_emu_site site = {__FILE__, __LINE__};                                                        \
        return &site;                                                                                                  \
    }())

extern "C" {
extern nncc_emu_thread *nncc_emu_now;
void nncc_emu_barrier(const nncc_emu_site *);
void nncc_emu_grid_barrier(unsigned *barrier, const nncc_emu_site *);
int nncc_emu_last_part(unsigned *ticket, unsigned parts, const nncc_emu_site *);
/* kind: 0 from `lane`, 1 up, 2 down, 3 xor. The result is NaN where the other lane has left the kernel. */
uint64_t nncc_emu_shuffle(unsigned mask, uint64_t bits, int lane, int width, int kind, const nncc_emu_site *);
void nncc_emu_copy_async(void *dst, const void *src, int size, int bytes, const nncc_emu_site *);
void nncc_emu_copy_commit(void);
void nncc_emu_copy_wait(int groups);
float4 nncc_emu_load4(const float *, const nncc_emu_site *);
void nncc_emu_store4(float *, float4, const nncc_emu_site *);
[[noreturn]] void nncc_emu_misaligned(const void *, int bytes, const nncc_emu_site *);
}

#define threadIdx               (nncc_emu_now->thread)
#define blockIdx                (nncc_emu_now->block)
#define blockDim                (nncc_emu_now->threads)
#define gridDim                 (nncc_emu_now->blocks)
#define warpSize                32
#define __syncthreads()         nncc_emu_barrier(NNCC_EMU_SITE)
#define __syncwarp(...)         ((void)nncc_emu_shuffle(0xffffffffu, 0, 0, 32, 0, NNCC_EMU_SITE))
#define NNCC_SHARED(type, name) type *const name = (type *)(void *)nncc_emu_now->shared
#define nncc_grid_sync(barrier) nncc_emu_grid_barrier(barrier, NNCC_EMU_SITE)

template <class T>
static inline T nncc_emu_shuffled(int kind, const nncc_emu_site *site, unsigned mask, T v, int lane, int width = 32) {
    static_assert(sizeof(T) <= 8, "shuffles move 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof v);
    bits = nncc_emu_shuffle(mask, bits, lane, width, kind, site);
    memcpy(&v, &bits, sizeof v);
    return v;
}
#define __shfl_sync(...)      nncc_emu_shuffled(0, NNCC_EMU_SITE, __VA_ARGS__)
#define __shfl_up_sync(...)   nncc_emu_shuffled(1, NNCC_EMU_SITE, __VA_ARGS__)
#define __shfl_down_sync(...) nncc_emu_shuffled(2, NNCC_EMU_SITE, __VA_ARGS__)
#define __shfl_xor_sync(...)  nncc_emu_shuffled(3, NNCC_EMU_SITE, __VA_ARGS__)

#if defined __SANITIZE_THREAD__
#define NNCC_EMU_INSTRUMENTED 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define NNCC_EMU_INSTRUMENTED 1
#endif
#endif
#ifdef NNCC_EMU_INSTRUMENTED /* 16 bytes are one access for the checks, which the compiler might split */
#define nncc_ld4(p)    nncc_emu_load4(p, NNCC_EMU_SITE)
#define nncc_st4(p, v) nncc_emu_store4(p, v, NNCC_EMU_SITE)
#else
static inline float4 nncc_emu_ld4(const float *p, const nncc_emu_site *site) {
    if ((uintptr_t)p & 15) nncc_emu_misaligned(p, 16, site);
    return *(const float4 *)p;
}
static inline void nncc_emu_st4(float *p, float4 v, const nncc_emu_site *site) {
    if ((uintptr_t)p & 15) nncc_emu_misaligned(p, 16, site);
    *(float4 *)p = v;
}
#define nncc_ld4(p)    nncc_emu_ld4(p, NNCC_EMU_SITE)
#define nncc_st4(p, v) nncc_emu_st4(p, v, NNCC_EMU_SITE)
#endif
#define nncc_ld_new(p)                        (*(p))
#define nncc_last_part(ticket, parts, shared) ((void)(shared), nncc_emu_last_part(ticket, parts, NNCC_EMU_SITE) != 0)
#define nncc_ld_cg(p)                         (*(const float *)(p))
#define nncc_cp_async16(dst, src, bytes)      nncc_emu_copy_async(dst, src, 16, bytes, NNCC_EMU_SITE)
#define nncc_cp_async4(dst, src, bytes)       nncc_emu_copy_async(dst, src, 4, bytes, NNCC_EMU_SITE)
#define nncc_cp_commit()                      nncc_emu_copy_commit()
#define NNCC_CP_WAIT(groups)                  nncc_emu_copy_wait(groups)

static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
template <class T> static inline T __ldg(const T *p) { return *p; }
static inline unsigned __float_as_uint(float x) {
    unsigned u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float __uint_as_float(unsigned u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* A kernel as the driver sees it: how long its arguments are, which ones point to what it only reads, and a call. */
struct nncc_emu_kernel {
    const char *name;
    int args;
    const unsigned char *bytes, *reads; /* per argument */
    void (*call)(void **);
    int most_threads; /* of a block, by __launch_bounds__; 0: it has none */
};
namespace { /* of this module: two modules may have kernels of one name */
template <class T> struct nncc_emu_reads {
    enum { value = 0 };
};
template <class T> struct nncc_emu_reads<const T *> {
    enum { value = 1 };
};
template <int... I> struct nncc_emu_indices {};
template <int N, int... I> struct nncc_emu_count : nncc_emu_count<N - 1, N - 1, I...> {};
template <int... I> struct nncc_emu_count<0, I...> { typedef nncc_emu_indices<I...> type; };
template <class F, F *k> struct nncc_emu_binder;
template <class... A, void (*k)(A...)> struct nncc_emu_binder<void(A...), k> {
    static constexpr unsigned char bytes[] = {sizeof(A)..., 0}, reads[] = {nncc_emu_reads<A>::value..., 0};
    enum { args = sizeof...(A) };
    template <int... I> static void spread(void **a, nncc_emu_indices<I...>) {
        (void)a;
        k(*(A *)a[I]...);
    }
    static void call(void **a) { spread(a, typename nncc_emu_count<args>::type()); }
};
} // namespace
/* Stands once per kernel at the end of the file: NNCC_EMU_KERNEL(name), or (name, threads) with the threads of its
 * __launch_bounds__. */
#define NNCC_EMU_KERNEL(...) NNCC_EMU_BOUNDED(__VA_ARGS__, 0, )
#define NNCC_EMU_BOUNDED(k, threads, ...)                                                                              \
    extern "C" __attribute__((visibility("default")))                                                                  \
    const nncc_emu_kernel nncc_emu_kernel_##k = {#k,                                                                   \
                                                 nncc_emu_binder<decltype(k), k>::args,                                \
                                                 nncc_emu_binder<decltype(k), k>::bytes,                               \
                                                 nncc_emu_binder<decltype(k), k>::reads,                               \
                                                 nncc_emu_binder<decltype(k), k>::call,                                \
                                                 threads};
#define NNCC_MODULE_HASH(hash)                                                                                         \
    extern "C" __global__ void nncc_module_##hash(const float *x, float *y) { *y = x[0] * x[1] + x[2]; }               \
    NNCC_EMU_KERNEL(nncc_module_##hash)
#endif
