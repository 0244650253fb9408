/* nncc_device.h - what generated kernels use beyond plain C++, for nvcc and NVRTC. nncc pastes it into model.cu, so it
 * includes nothing. ../emu/nncc_emu.h gives the same names to the emulator; README.md says what they mean.
 * The PTX is that of the PTX ISA, sections "cp.async", "ld" and "atom"; it needs sm_80. */
#ifndef NNCC_DEVICE_H
#define NNCC_DEVICE_H

/* <stdint.h>, which NVRTC lacks; what nvcc may have read by itself is the same. */
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
#if defined _WIN32
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
typedef long int64_t;
typedef unsigned long uint64_t;
#endif
#ifndef INT32_MAX
#define INT32_MAX  2147483647
#define INT32_MIN  (-INT32_MAX - 1)
#define UINT32_MAX 4294967295u
#endif
#ifndef INT64_MAX
#define INT64_MAX  9223372036854775807
#define INT64_MIN  (-INT64_MAX - 1)
#define UINT64_MAX 18446744073709551615u
#endif
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fc00000)
#endif

#define NNCC_DEVICE static __device__ __attribute__((unused)) __forceinline__

/* A function for some blocks of a kernel; the compiler decides whether it stands in it. */
#define NNCC_PART static __device__

/* Declares `name`, a pointer to the kernel's dynamic shared memory. */
#define NNCC_SHARED(type, name)                                                                                        \
    extern __shared__ __align__(128) unsigned char nncc_shared_bytes[];                                                \
    type *const name = (type *)nncc_shared_bytes

/* Four floats at a multiple of 16 bytes, in global or shared memory. */
NNCC_DEVICE float4 nncc_ld4(const float *p) { return *(const float4 *)p; }
NNCC_DEVICE void nncc_st4(float *p, float4 v) { *(float4 *)p = v; }

/* From the L2 cache, for what other blocks have written during this launch. */
NNCC_DEVICE float nncc_ld_cg(const float *p) {
    float v;
    asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
    return v;
}

/* Starts to copy from global to shared memory; of the 16 or 4 bytes the first `bytes` come from src, the rest is 0. */
NNCC_DEVICE void nncc_cp_async16(void *dst, const void *src, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(dst)),
                 "l"(src), "r"(bytes)
                 : "memory");
}
NNCC_DEVICE void nncc_cp_async4(void *dst, const void *src, int bytes) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"((unsigned)__cvta_generic_to_shared(dst)),
                 "l"(src), "r"(bytes)
                 : "memory");
}
NNCC_DEVICE void nncc_cp_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Waits until at most `groups` (a constant) of this thread's groups are on their way. */
#define NNCC_CP_WAIT(groups) asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory")

/* All threads of a cooperative launch wait for each other, and see what the others wrote. barrier[0] counts blocks,
 * barrier[1] barriers; both were 0 once, and every barrier leaves barrier[0] at 0. */
NNCC_DEVICE void nncc_grid_sync(unsigned *barrier) {
    __syncthreads();
    if (threadIdx.x + threadIdx.y + threadIdx.z == 0) {
        const unsigned blocks = gridDim.x * gridDim.y * gridDim.z;
        unsigned turn, arrived, now;
        asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(turn) : "l"(barrier + 1) : "memory");
        asm volatile("atom.acq_rel.gpu.add.u32 %0, [%1], 1;" : "=r"(arrived) : "l"(barrier) : "memory");
        if (arrived == blocks - 1) {
            asm volatile("st.relaxed.gpu.u32 [%0], 0;" ::"l"(barrier) : "memory");
            asm volatile("st.release.gpu.u32 [%0], %1;" ::"l"(barrier + 1), "r"(turn + 1) : "memory");
        } else {
            do asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(now) : "l"(barrier + 1) : "memory");
            while (now == turn);
        }
    }
    __syncthreads();
}

/* What other blocks wrote before their tickets. */
NNCC_DEVICE float nncc_ld_new(const float *p) { return *(const volatile float *)p; }
NNCC_DEVICE double nncc_ld_new(const double *p) { return *(const volatile double *)p; }

/* Whether this block is the last of `parts` to come here: then it sees what the others wrote before. The ticket is 0
 * before and after. All threads of the block come, with the shared memory that they do not use. */
NNCC_DEVICE bool nncc_last_part(unsigned *ticket, unsigned parts, void *shared) {
    unsigned *const last = (unsigned *)shared;
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned before;
        asm volatile("atom.acq_rel.gpu.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(ticket) : "memory");
        *last = before == parts - 1;
        if (*last) asm volatile("st.relaxed.gpu.u32 [%0], 0;" ::"l"(ticket) : "memory");
    }
    __syncthreads();
    const bool mine = *last != 0;
    __syncthreads();
    return mine;
}

/* A kernel whose name says which source this module was made from: the host program asks for it by name, and so
 * refuses modules of other sources. `hash` is 16 hexadecimal digits. What it computes says whether products are rounded
 * before they are added to, as with -fmad=false. */
#define NNCC_MODULE_HASH(hash)                                                                                         \
    extern "C" __global__ void __launch_bounds__(1) nncc_module_##hash(const float *x, float *y) {                     \
        *y = x[0] * x[1] + x[2];                                                                                       \
    }

/* Helpers pasted from nncc_math.h are `static inline`: here they are for the device. */
#define inline __device__ __inline__
#endif
