// Each thread says by a 1 in its place of `good` that a word of the kernels' language means what CUDA says it does.
#ifdef NNCC_EMU
#include "nncc_emu.h"
#else
#include "nncc_device.h"
#endif

NNCC_DEVICE int rank() { // of the thread in the grid
    const int block = (int)(blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z));
    const int thread = (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
    return block * (int)(blockDim.x * blockDim.y * blockDim.z) + thread;
}

// 3 x 2 x 2 blocks of 4 x 3 x 2 threads
extern "C" __global__ void indices(int *good) {
    good[rank()] = gridDim.x == 3 && gridDim.y == 2 && gridDim.z == 2 && blockDim.x == 4 && blockDim.y == 3 && blockDim.z == 2 &&
                   threadIdx.x < 4 && threadIdx.y < 3 && threadIdx.z < 2 && blockIdx.x < 3 && blockIdx.y < 2 && blockIdx.z < 2;
}

// The PTX ISA's pseudo-code of shfl.sync, with the lanes of `width` as segments.
NNCC_DEVICE int shuffled_from(int lane, int by, int width, int kind) {
    const int first = lane / width * width, last = first + width - 1;
    if (kind == 0) return first + by % width;
    if (kind == 1) return lane - by >= first ? lane - by : lane;
    if (kind == 2) return lane + by <= last ? lane + by : lane;
    return (lane ^ by) <= last ? lane ^ by : lane;
}
extern "C" __global__ void shuffles(int *good) {
    const int lane = (int)threadIdx.x % 32;
    int all = 1;
    for (int width = 4; width <= 32; width *= 2)
        for (int by = 0; by < 32; by++) {
            const int v = 100 * (int)(threadIdx.x / 32) + lane, base = v - lane;
            all &= __shfl_sync(0xffffffffu, v, by, width) == base + shuffled_from(lane, by, width, 0);
            if (by < width) all &= __shfl_up_sync(0xffffffffu, v, by, width) == base + shuffled_from(lane, by, width, 1);
            if (by < width) all &= __shfl_down_sync(0xffffffffu, v, by, width) == base + shuffled_from(lane, by, width, 2);
            all &= __shfl_xor_sync(0xffffffffu, v, by, width) == base + shuffled_from(lane, by, width, 3);
        }
    const double d = __shfl_xor_sync(0xffffffffu, lane + 0.5, 1);
    good[rank()] = all && d == (lane ^ 1) + 0.5;
}

// The halves of a warp go different ways, and again together.
extern "C" __global__ void halves(int *good) {
    const int lane = (int)threadIdx.x % 32;
    int v;
    if (lane < 16) v = __shfl_xor_sync(0xffffu, lane, 1) == (lane ^ 1);
    else v = __shfl_sync(0xffff0000u, lane, 20) == 20;
    __syncwarp();
    good[rank()] = v && __shfl_down_sync(0xffffffffu, lane, 16) == (lane < 16 ? lane + 16 : lane);
}

// Threads that leave are not waited for.
extern "C" __global__ void leavers(int *good) {
    NNCC_SHARED(int, s);
    const int t = (int)threadIdx.x;
    good[rank()] = 1;
    if (t >= 40) return;
    s[t] = t;
    __syncthreads();
    good[rank()] = s[39 - t] == 39 - t;
}

// Groups of copies arrive in order; of a copy's bytes those beyond the given are 0.
extern "C" __global__ void copies(const float *x, int *good) {
    NNCC_SHARED(float, s);
    float *const mine = s + 12 * (int)threadIdx.x;
    nncc_cp_async16(mine, x + 4 * threadIdx.x, 12);
    nncc_cp_commit();
    nncc_cp_async16(mine + 4, x + 4 * threadIdx.x, 16);
    nncc_cp_async4(mine + 8, x + 4 * threadIdx.x + 1, 4);
    nncc_cp_async4(mine + 9, x, 0);
    nncc_cp_commit();
    NNCC_CP_WAIT(1);
    const float4 a = nncc_ld4(mine);
    NNCC_CP_WAIT(0);
    const float4 b = nncc_ld4(mine + 4);
    const float first = 4.0f * (float)threadIdx.x;
    good[rank()] = a.x == first && a.y == first + 1.0f && a.z == first + 2.0f && a.w == 0.0f && b.x == first && b.w == first + 3.0f &&
                   mine[8] == first + 1.0f && mine[9] == 0.0f;
}

// All blocks go round, each reading what the next one wrote.
extern "C" __global__ void rounds(float *ring, unsigned *barrier, int *good) {
    int all = 1;
    for (int r = 0; r < 7; r++) {
        if (threadIdx.x == 0) ring[blockIdx.x] = (float)(100 * r + (int)blockIdx.x);
        nncc_grid_sync(barrier);
        const int next = (int)((blockIdx.x + 1) % gridDim.x);
        all &= nncc_ld_cg(ring + next) == (float)(100 * r + next);
        nncc_grid_sync(barrier);
    }
    good[rank()] = all;
}

extern "C" __global__ void memory(float *x, int *good) {
    const int i = 4 * rank();
    nncc_st4(x + i, make_float4((float)i, 1.0f, -2.5f, INFINITY));
    const float4 v = nncc_ld4(x + i);
    int64_t wide = (int64_t)i << 40;
    uint32_t bits;
    memcpy(&bits, &v.y, sizeof bits);
    good[rank()] = v.x == (float)i && v.z == -2.5f && v.w > 3e38f && bits == 0x3f800000u && wide >> 40 == i && NAN != NAN;
}
NNCC_MODULE_HASH(0000000000000033)
#ifdef NNCC_EMU
NNCC_EMU_KERNEL(indices)
NNCC_EMU_KERNEL(shuffles)
NNCC_EMU_KERNEL(halves)
NNCC_EMU_KERNEL(leavers)
NNCC_EMU_KERNEL(copies)
NNCC_EMU_KERNEL(rounds)
NNCC_EMU_KERNEL(memory)
#endif
