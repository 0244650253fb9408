// Small kernels, each right unless a BUG_ is defined; planted.c runs them all.
#ifdef NNCC_EMU
#include "nncc_emu.h"
#else
#include "nncc_device.h"
#endif
enum { N = 200, BLOCK = 64 };

// y is x, backwards within each block.
extern "C" __global__ void reverse(const float *__restrict__ x, float *__restrict__ y) {
    NNCC_SHARED(float, s);
    const int t = (int)threadIdx.x, i = (int)(blockIdx.x * BLOCK) + t;
#ifdef BUG_SHARED_END
    if (t == BLOCK - 1) s[BLOCK + 1] = 0.0f;
#endif
#ifdef BUG_SHARED_READ
    if (t == BLOCK - 1 && s[BLOCK + 1] == 1.0f) y[i] = 1.0f;
#endif
#if defined BUG_GUARD
    s[t] = x[i];
#else
    s[t] = i < N ? x[i] : 0.0f;
#endif
#if defined BUG_DIVERGENT
    if (t < 32) __syncthreads();
    else __syncthreads();
#elif defined BUG_DEADLOCK
    if (t >= 32 && t < 48) s[t] += __shfl_xor_sync(0xffffffffu, 0.0f, 1);
    else __syncthreads();
#elif !defined BUG_SYNC
    __syncthreads();
#endif
#if defined BUG_STORE_GUARD
    y[i] = s[BLOCK - 1 - t];
#else
    if (i < N) y[i] = s[BLOCK - 1 - t];
#endif
#ifdef BUG_WILD
    if (i == 77) y[i + 100000] = 1.0f;
#endif
#ifdef BUG_READ_ONLY
    if (i == 0) *(float *)x = 1.0f;
#endif
}

// y is x, by way of shared memory.
extern "C" __global__ void copy(const float *__restrict__ x, float *__restrict__ y) {
    NNCC_SHARED(float, s);
    const int t = (int)threadIdx.x, i = ((int)(blockIdx.x * BLOCK) + t) * 4;
#ifdef BUG_ALIGN
    nncc_cp_async16(s + 4 * t, x + i + (i ? -1 : 0), i < N ? 16 : 0);
#else
    nncc_cp_async16(s + 4 * t, i < N ? x + i : x, i < N ? 16 : 0);
#endif
    nncc_cp_commit();
#if defined BUG_WAIT
    float4 v = nncc_ld4(s + 4 * t);
    NNCC_CP_WAIT(0);
#elif defined BUG_IN_FLIGHT
    float4 v = make_float4(0, 0, 0, 0);
#else
    NNCC_CP_WAIT(0);
    float4 v = nncc_ld4(s + 4 * t);
#endif
#ifdef BUG_ALIGN4
    if (i < N) nncc_st4(y + i + (i == 40), v);
#else
    if (i < N) nncc_st4(y + i, v);
#endif
}

// part[b] is the sum of block b's part of x; total adds them up.
extern "C" __global__ void sum(const float *__restrict__ x, float *part, float *total) {
    NNCC_SHARED(float, s);
    const int t = (int)threadIdx.x, i = (int)(blockIdx.x * BLOCK) + t;
    float v = i < N ? x[i] : 0.0f;
    for (int o = 16; o; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
    if (t % 32 == 0) s[t / 32] = v;
    __syncthreads();
#ifdef BUG_ADD
    if (t == 0) *total += s[0] + s[1];
#else
    if (t == 0) part[blockIdx.x] = s[0] + s[1];
#endif
}
extern "C" __global__ void total(const float *__restrict__ part, float *total_, int parts) {
#ifndef BUG_ADD
    float v = 0.0f;
    for (int i = 0; i < parts; i++) v += part[i];
    *total_ = v;
#endif
}

// y[i] is the mean of x[i - 1], x[i], x[i + 1], within bounds.
extern "C" __global__ void blur(const float *__restrict__ x, float *__restrict__ y) {
    const int i = (int)(blockIdx.x * BLOCK + threadIdx.x);
#ifdef BUG_OFF_BY_ONE
    if (i < N) y[i] = (x[i ? i - 1 : 0] + x[i] + x[i + 1]) / 3.0f;
#else
    if (i < N) y[i] = (x[i ? i - 1 : 0] + x[i] + x[i + 1 < N ? i + 1 : N - 1]) / 3.0f;
#endif
}

// A weight, its use by all blocks, and its update by one.
extern "C" __global__ void step(const float *__restrict__ x, float *w, float *y, unsigned *barrier) {
    const int i = (int)(blockIdx.x * BLOCK + threadIdx.x);
    for (int k = i; k < N; k += (int)(gridDim.x * BLOCK)) y[k] = x[k] * nncc_ld_cg(w);
#ifdef BUG_EARLY
    __syncthreads();
#else
    nncc_grid_sync(barrier);
#endif
    if (i == 0) w[0] -= 0.5f * y[0];
}
NNCC_MODULE_HASH(00000000000000b6)
#ifdef NNCC_EMU
NNCC_EMU_KERNEL(reverse)
NNCC_EMU_KERNEL(copy)
NNCC_EMU_KERNEL(sum)
NNCC_EMU_KERNEL(total)
NNCC_EMU_KERNEL(blur)
NNCC_EMU_KERNEL(step)
#endif
