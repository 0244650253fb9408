/* Runs the kernels of planted.cu and compares. usage: planted [GRID-COUNT]: how many elements the grids are made for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nncc_cuda.h"

enum { N = 200, BLOCK = 64, BYTES = 4 * N };
enum { REVERSE, COPY, SUM, TOTAL, BLUR, STEP };
enum { X, R, C, B, Y, T, W };

/* In the arena, of which each tensor's end is another's begin. */
enum {
    IN = 0,
    PART = IN + BYTES,
    SUMMED = PART + 32,
    REVERSED = SUMMED + 32,
    BARRIER = REVERSED + BYTES,
    END = BARRIER + 16
};

#define GRID                                                                                                           \
    {NNCC_CUDA_GRID_OF(0, 1, 0, BLOCK)}, { BLOCK }
static const char *const kernels[] = {"reverse", "copy", "sum", "total", "blur", "step"};
static const nncc_cuda_field fields[] = {
    {"x", NNCC_CUDA_INPUT, 0, {BYTES, 0, 0}},           {"reversed", NNCC_CUDA_OUTPUT, 1024, {BYTES, 0, 0}},
    {"copied", NNCC_CUDA_OUTPUT, 2048, {BYTES, 0, 0}},  {"blurred", NNCC_CUDA_OUTPUT, 3072, {BYTES, 0, 0}},
    {"product", NNCC_CUDA_OUTPUT, 4096, {BYTES, 0, 0}}, {"total", NNCC_CUDA_OUTPUT, 5120, {4, 0, 0}},
    {"weight", NNCC_CUDA_OUTPUT, 5376, {4, 0, 0}}};
#define ARENA(access, at, bytes) NNCC_CUDA_##access(NNCC_CUDA_ARENA, at, bytes)
static const nncc_cuda_launch launches[] = {
    {NNCC_CUDA_COPY, "x", {{{0}}}, {0}, 0, 0, NNCC_CUDA_ARGS(ARENA(OUT, IN, BYTES), NNCC_CUDA_FIELD_IN(X))},
    {NNCC_CUDA_FILL, "sum", {{{0}}}, {0}, 0, 0, NNCC_CUDA_ARGS(ARENA(OUT, SUMMED, 4), NNCC_CUDA_INT(0))},
    {NNCC_CUDA_FILL, "barrier", {{{0}}}, {0}, 0, 0, NNCC_CUDA_ARGS(ARENA(OUT, BARRIER, 8), NNCC_CUDA_INT(0))},
    {REVERSE, "Reverse", GRID, 4 * BLOCK, 0, NNCC_CUDA_ARGS(ARENA(IN, IN, BYTES), ARENA(OUT, REVERSED, BYTES))},
    {COPY,
     "Identity",
     {NNCC_CUDA_GRID_OF(0, 1, 0, 4 * BLOCK)},
     {BLOCK},
     16 * BLOCK,
     0,
     NNCC_CUDA_ARGS(ARENA(IN, IN, BYTES), NNCC_CUDA_FIELD_OUT(C))},
    {SUM, "ReduceSum", GRID, 8, 0, NNCC_CUDA_ARGS(ARENA(IN, IN, BYTES), ARENA(OUT, PART, 32), ARENA(INOUT, SUMMED, 4))},
    {TOTAL,
     "ReduceSum",
     {{{0}}},
     {1},
     0,
     0,
     NNCC_CUDA_ARGS(ARENA(IN, PART, 32), ARENA(INOUT, SUMMED, 4), NNCC_CUDA_INT((N + BLOCK - 1) / BLOCK))},
    {BLUR, "Conv", GRID, 0, 0, NNCC_CUDA_ARGS(ARENA(IN, IN, BYTES), NNCC_CUDA_FIELD_OUT(B))},
    {STEP, "Mul", GRID, 0, 1,
     NNCC_CUDA_ARGS(ARENA(IN, IN, BYTES), NNCC_CUDA_INOUT(NNCC_CUDA_PARAMS, 0, 4), NNCC_CUDA_FIELD_INOUT(Y),
                    ARENA(INOUT, BARRIER, 8))},
    {NNCC_CUDA_COPY, "out", {{{0}}}, {0}, 0, 0, NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_OUT(R), ARENA(IN, REVERSED, BYTES))},
    {NNCC_CUDA_COPY, "out", {{{0}}}, {0}, 0, 0, NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_OUT(T), ARENA(IN, SUMMED, 4))},
    {NNCC_CUDA_COPY,
     "out",
     {{{0}}},
     {0},
     0,
     0,
     NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_OUT(W), NNCC_CUDA_IN(NNCC_CUDA_PARAMS, 0, 4))},
};
static const int used[] = {X, R, C, B, Y, T, W};
static const nncc_cuda_entry entry = {"planted_run", sizeof launches / sizeof *launches, 7, launches, used};
static const nncc_cuda_program program = {"planted", 0xb6, NULL, NULL,   kernels,
                                          6,         7,    1,    fields, {0, 4, 0, 0, 0, END, 5632}};

static float x[N], out[7][N];

/* x is whole numbers: all but thirds are exact. */
static float expected(int what, int i) {
    const int last = i / BLOCK * BLOCK + BLOCK - 1 - i % BLOCK;
    float sum = 0;
    switch (what) {
    case R: return last < N ? x[last] : 0.0f;
    case C: return x[i];
    case B: return (x[i ? i - 1 : 0] + x[i] + x[i + 1 < N ? i + 1 : N - 1]) / 3.0f;
    case Y: return x[i] * 2.0f;
    case W: return 2.0f - x[0];
    }
    for (int k = 0; k < N; k++) sum += x[k];
    return sum;
}

static int judge(int what, int n) {
    for (int i = 0; i < n; i++)
        if (!(out[what][i] == expected(what, i)))
            return printf("%s[%d] is %g, not %g\n", fields[what].name, i, (double)out[what][i],
                          (double)expected(what, i)),
                   1;
    return 0;
}

int main(int n, char **arg) {
    nncc_cuda *net;
    const float weight = 2.0f;
    const int dims[] = {n > 1 ? atoi(arg[1]) : N};
    void *const given[] = {x, out[R], out[C], out[B], out[Y], out[T], out[W]};
    for (int i = 0; i < N; i++) x[i] = (float)((i * 37 + 5) % 101 - 50);
    memset(out, 0xFF, sizeof out);
    int bad = nncc_cuda_open(&net, &program, NULL) || nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, &weight, 4) ||
              nncc_cuda_run(net, &entry, dims, given);
    if (bad)
        puts(nncc_cuda_error(net));
    else
        bad = judge(R, N) + judge(C, N) + judge(B, N) + judge(Y, N) + judge(T, 1) + judge(W, 1);
    nncc_cuda_close(net);
    if (!bad) puts("all equal");
    return bad != 0;
}
