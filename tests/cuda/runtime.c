/* A small network by hand, in the form of a generated one, through all of nncc_cuda.c. usage: runtime TEST */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nncc_cuda.h"

enum { COLS = 40, MOST = 50, SHARED = 16000 * 4 };
enum { SCALE, SUMS, MIRROR };
enum { X, Y, S, LR };

static const char *const kernels[] = {"scale", "sums", "mirror"};
static const nncc_cuda_field fields[] = {{"x", NNCC_CUDA_INPUT, 0, {0, 4 * COLS, 0}},
                                         {"y", NNCC_CUDA_OUTPUT, 8192, {0, 4 * COLS, 0}},
                                         {"s", NNCC_CUDA_OUTPUT, 16384, {0, 4, 0}},
                                         {"lr", NNCC_CUDA_VALUE, 16640, {8, 0, 0}}};
#define SCALE_ARGS                                                                                                     \
    NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_IN(X), NNCC_CUDA_IN(NNCC_CUDA_WEIGHTS, 256, 4 * COLS), NNCC_CUDA_FIELD_IN(LR),      \
                   NNCC_CUDA_FIELD_OUT(Y), NNCC_CUDA_INT_OF(0, 1, 0))
static const nncc_cuda_launch launches[] = {
    {SCALE, "Mul a", {NNCC_CUDA_GRID_OF(0, COLS, 0, 64)}, {64}, 0, 0, SCALE_ARGS},
    {SUMS,
     "ReduceSum b",
     {NNCC_CUDA_GRID_OF(0, 1, 0, 1)},
     {32},
     SHARED,
     0,
     NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_IN(Y), NNCC_CUDA_OUT(NNCC_CUDA_ARENA, 0, 4 * MOST))},
    {NNCC_CUDA_FILL,
     "barrier",
     {NNCC_CUDA_GRID(1, 1)},
     {1},
     0,
     0,
     NNCC_CUDA_ARGS(NNCC_CUDA_OUT(NNCC_CUDA_ARENA, 512, 8), NNCC_CUDA_INT(0))},
    {MIRROR,
     "Add c",
     {NNCC_CUDA_GRID_OF(0, 1, 0, 1)},
     {1},
     0,
     1,
     NNCC_CUDA_ARGS(NNCC_CUDA_INOUT(NNCC_CUDA_ARENA, 0, 4 * MOST), NNCC_CUDA_INOUT(NNCC_CUDA_ARENA, 256, 4 * MOST),
                    NNCC_CUDA_INOUT(NNCC_CUDA_ARENA, 512, 8), NNCC_CUDA_INT_OF(0, 1, 0))},
    {NNCC_CUDA_COPY,
     "s",
     {NNCC_CUDA_GRID(1, 1)},
     {1},
     0,
     0,
     NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_OUT(S), NNCC_CUDA_IN(NNCC_CUDA_ARENA, 0, 4 * MOST))},
};
/* Declares less than it writes, by a row. */
static const nncc_cuda_launch short_launches[] = {
    {SUMS,
     "ReduceSum short",
     {NNCC_CUDA_GRID_OF(0, 1, 0, 1)},
     {32},
     SHARED,
     0,
     NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_IN(Y), NNCC_CUDA_OUT(NNCC_CUDA_ARENA, 0, 4))},
};
static const nncc_cuda_launch wrong_launches[] = {
    {SCALE, "Mul large", {NNCC_CUDA_GRID(1, 1)}, {2048}, 0, 0, SCALE_ARGS},
    {SCALE, "Mul greedy", {NNCC_CUDA_GRID(1, 1)}, {64}, 300000, 0, SCALE_ARGS},
    {SCALE, "Mul empty", {NNCC_CUDA_GRID_OF(-3, 1, 0, 1)}, {64}, 0, 0, SCALE_ARGS},
    {SCALE, "Mul together", {NNCC_CUDA_GRID(1, 1), NNCC_CUDA_GRID(1000, 1)}, {64}, 0, 1, SCALE_ARGS},
    {SCALE, "Mul many", {NNCC_CUDA_GRID(1, 1)}, {512}, 0, 0, SCALE_ARGS},
    {SCALE, "Mul tall", {NNCC_CUDA_GRID(1, 1), NNCC_CUDA_GRID(70000, 1)}, {64}, 0, 0, SCALE_ARGS},
    {SCALE, "Mul wide", {NNCC_CUDA_GRID(3000000000, 1)}, {64}, 0, 0, SCALE_ARGS}};
static const int all_fields[] = {X, Y, S, LR};
static const nncc_cuda_entry run_entry = {"toy_run", 5, 4, launches, all_fields},
                             short_entry = {"toy_short", 1, 2, short_launches, all_fields},
                             wrong_entry = {"toy_wrong", 1, 4, wrong_launches, all_fields},
                             greedy_entry = {"toy_greedy", 1, 4, wrong_launches + 1, all_fields},
                             empty_entry = {"toy_empty", 1, 4, wrong_launches + 2, all_fields},
                             together_entry = {"toy_together", 1, 4, wrong_launches + 3, all_fields},
                             many_entry = {"toy_many", 1, 4, wrong_launches + 4, all_fields},
                             tall_entry = {"toy_tall", 1, 4, wrong_launches + 5, all_fields},
                             wide_entry = {"toy_wide", 1, 4, wrong_launches + 6, all_fields};
/* Its first launch is right, its second is refused. */
static const nncc_cuda_launch half_launches[] = {
    {SCALE, "Mul first", {NNCC_CUDA_GRID_OF(0, COLS, 0, 64)}, {64}, 0, 0, SCALE_ARGS},
    {SCALE, "Mul second", {NNCC_CUDA_GRID(1, 1)}, {2048}, 0, 0, SCALE_ARGS}};
static const nncc_cuda_entry half_entry = {"toy_half", 2, 4, half_launches, all_fields};

static nncc_cuda_program program = {
    "toy", 0x00c0ffee00c0ffee, NULL, NULL, kernels, 3, 4, 1, fields, {1024, 65536, 0, 0, 0, 1024, 16896}};

static float x[MOST * COLS], y[MOST * COLS], s[MOST], w[COLS], want_y[MOST * COLS], want_s[MOST];

/* In double; x and w are multiples of 1/8 so that all sums are exact. */
static void expect(int n, double lr) {
    double sum[MOST] = {0};
    for (int i = 0; i < n * COLS; i++) {
        want_y[i] = (float)((double)x[i] * (double)w[i % COLS] + lr);
        sum[i / COLS] += (double)want_y[i];
    }
    for (int r = 0; r < n; r++) want_s[r] = (float)(sum[r] + sum[n - 1 - r]);
}

static int differs(const char *what, const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++)
        if (!(a[i] == b[i])) return printf("%s[%d] is %g, not %g\n", what, i, (double)a[i], (double)b[i]), 1;
    return 0;
}

static nncc_cuda *net;

static int quit(int code) {
    printf("%d %s\n", code, nncc_cuda_error(net));
    nncc_cuda_close(net);
    exit(1);
}
#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        const int code_ = (call);                                                                                      \
        if (code_) quit(code_);                                                                                        \
    } while (0)

static void open_net(const nncc_cuda_options *o) {
    CHECK(nncc_cuda_open(&net, &program, o));
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_WEIGHTS, 256, w, sizeof w));
}

static int step(int n, double lr) {
    void *const given[] = {x, y, s, &lr};
    memset(y, 0xFF, sizeof y), memset(s, 0xFF, sizeof s);
    expect(n, lr);
    nncc_cuda_begin(net);
    CHECK(nncc_cuda_run(net, &run_entry, &n, given));
    return differs("y", y, want_y, n * COLS) + differs("s", s, want_s, n);
}

/* The same extents again and again, others between them (more than are kept), and values that change. */
static int test_run(void) {
    static const int extent[] = {3, 3, 3, 50, 3, 1, 2, 4, 5, 6, 7, 8, 9, 3, 3, 50, 50, 50};
    int bad = 0;
    for (size_t i = 0; i < sizeof extent / sizeof *extent; i++) {
        for (int k = 0; k < extent[i] * COLS; k++) x[k] += 0.125f;
        bad += step(extent[i], 0.25 * (double)(i / 2));
    }
    return bad;
}

/* x, y and s in device memory, here in the block of parameters; the results stay there. */
static int test_device(void) {
    const uint64_t at = nncc_cuda_address(net, NNCC_CUDA_PARAMS);
    int n = 7, bad = 0;
    for (int i = 0; i < 8; i++) {
        double lr = i / 3;
        const int64_t slot = i % 4 == 3 ? 32768 : 0; /* another place now and then */
        void *const given[] = {(void *)(uintptr_t)(at + (uint64_t)slot), (void *)(uintptr_t)(at + 8192),
                               (void *)(uintptr_t)(at + 16384), &lr};
        x[i] += 1.0f;
        expect(n, lr);
        CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, slot, x, sizeof x));
        CHECK(nncc_cuda_run(net, &run_entry, &n, given));
        CHECK(nncc_cuda_sync(net));
        CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, 8192, y, (int64_t)sizeof y));
        CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, 16384, s, (int64_t)sizeof s));
        bad += differs("y", y, want_y, n * COLS) + differs("s", s, want_s, n);
    }
    return bad;
}

static int test_mixed(void) {
    const uint64_t at = nncc_cuda_address(net, NNCC_CUDA_PARAMS);
    int n = 5;
    double lr = 0.5;
    void *const given[] = {(void *)(uintptr_t)at, y, s, &lr};
    expect(n, lr);
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, x, sizeof x));
    for (int i = 0; i < 3; i++) CHECK(nncc_cuda_run(net, &run_entry, &n, given));
    return differs("y", y, want_y, n * COLS) + differs("s", s, want_s, n);
}

static int run_bad(const nncc_cuda_entry *e, int n, float *input) {
    double lr = 0;
    void *const given[] = {input, y, s, &lr};
    CHECK(nncc_cuda_run(net, e, &n, given));
    return 0;
}

static const nncc_cuda_launch copies[] = {
    {NNCC_CUDA_COPY,
     "s",
     {NNCC_CUDA_GRID(1, 1)},
     {1},
     0,
     0,
     NNCC_CUDA_ARGS(NNCC_CUDA_FIELD_OUT(S), NNCC_CUDA_IN(NNCC_CUDA_ARENA, 0, 4 * MOST))}};
static const int used[] = {S};
static const nncc_cuda_entry copy_entry = {"toy_copy", 1, 1, copies, used};

/* What an entry leaves in the arena is there for the next, unless a call begins. */
static int test_begin(void) {
    int n = 3, bad = step(n, 0.0);
    void *const given[] = {NULL, NULL, s, NULL};
    memset(s, 0, sizeof s);
    CHECK(nncc_cuda_run(net, &copy_entry, &n, given));
    bad += differs("s", s, want_s, n);
    nncc_cuda_begin(net);
    CHECK(nncc_cuda_run(net, &copy_entry, &n, given));
    return bad + (s[0] == s[0]);
}

/* Each prints an error. */
static int test_wrong(void) { return run_bad(&wrong_entry, 2, x); }
static int test_greedy(void) { return run_bad(&greedy_entry, 2, x); }
static int test_empty(void) { return run_bad(&empty_entry, 2, x); }
static int test_together(void) { return run_bad(&together_entry, 2, x); }
static int test_many(void) { return run_bad(&many_entry, 2, x); }
static int test_tall(void) { return run_bad(&tall_entry, 2, x); }
static int test_wide(void) { return run_bad(&wide_entry, 2, x); }
static int test_null(void) { return run_bad(&run_entry, 2, NULL); }
static int test_short(void) { return run_bad(&run_entry, 2, x) + run_bad(&short_entry, 2, x); }
static int test_range(void) {
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_ARENA, 1000, x, 100));
    return 0;
}
static int test_misaligned(void) {
    return run_bad(&run_entry, 2, (float *)(uintptr_t)(nncc_cuda_address(net, NNCC_CUDA_PARAMS) + 4));
}

/* Two networks at once. */
static int test_two(void) {
    nncc_cuda *first = net;
    int bad = step(4, 1.0);
    for (int i = 0; i < COLS; i++) w[i] += 1.0f;
    open_net(NULL);
    bad += step(4, 1.0);
    nncc_cuda_close(first);
    return bad + step(4, 2.0);
}

/* In a stream of the caller's, then under its capture, by the driver's own functions. */
typedef int (*Call)(void **, unsigned);
typedef int (*Capture)(void *, int);
typedef int (*End)(void *, void **);
typedef int (*Instantiate)(void **, void *, unsigned long long);
typedef int (*Start)(void *, void *);
typedef int (*Destroy)(void *);
static void *driver_function(const char *name) {
    const char *path = getenv("NNCC_CUDA_DRIVER");
    void *library = dlopen(path ? path : "libcuda.so.1", RTLD_NOW), *f = library ? dlsym(library, name) : NULL;
    return f ? f : (puts(name), exit(2), NULL);
}
#define DRIVER(type, name, ...)                                                                                        \
    do {                                                                                                               \
        type f_;                                                                                                       \
        *(void **)&f_ = driver_function(name);                                                                         \
        if (f_(__VA_ARGS__)) return puts(name), 1;                                                                     \
    } while (0)

static int test_stream(void) {
    void *stream, *graph, *exec;
    int n = 6, bad;
    double lr = 2.0;
    const uint64_t at = nncc_cuda_address(net, NNCC_CUDA_PARAMS);
    void *const given[] = {(void *)(uintptr_t)at, (void *)(uintptr_t)(at + 8192), (void *)(uintptr_t)(at + 16384), &lr};
    DRIVER(Call, "cuStreamCreate", &stream, 0);
    nncc_cuda_set_stream(net, stream);
    bad = step(n, 1.0);
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, x, sizeof x));
    DRIVER(Capture, "cuStreamBeginCapture_v2", stream, 1);
    CHECK(nncc_cuda_run(net, &run_entry, &n, given));
    DRIVER(End, "cuStreamEndCapture", stream, &graph);
    DRIVER(Instantiate, "cuGraphInstantiateWithFlags", &exec, graph, 0);
    x[3] += 1.0f;
    expect(n, lr);
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, x, sizeof x));
    DRIVER(Start, "cuGraphLaunch", exec, stream);
    CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, 8192, y, (int64_t)sizeof y));
    CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, 16384, s, (int64_t)sizeof s));
    bad += differs("y", y, want_y, n * COLS) + differs("s", s, want_s, n);
    if (bad) return bad;
    DRIVER(Capture, "cuStreamBeginCapture_v2", stream, 1);
    return run_bad(&run_entry, n, x); /* refused: x is the host's */
}

/* ---- what a GPU does later, or at another place ---- */

/* The device's own memory in tests: the block of parameters. */
static void *place(int64_t offset) {
    return (void *)(uintptr_t)(nncc_cuda_address(net, NNCC_CUDA_PARAMS) + (uint64_t)offset);
}

static void call(int n, double lr, int64_t from, int64_t to, int64_t sums_to) {
    void *const given[] = {place(from), place(to), place(sums_to), &lr};
    CHECK(nncc_cuda_run(net, &run_entry, &n, given));
}

static int finds(int n, double lr, int64_t to, int64_t sums_to) {
    expect(n, lr);
    CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, to, y, (int64_t)sizeof y));
    CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, sums_to, s, (int64_t)sizeof s));
    return differs("y", y, want_y, n * COLS) + differs("s", s, want_s, n);
}

/* A value that a captured call records is not yet there, and whenever the graph runs, it is there again. */
static int test_value(void) {
    void *stream, *graph, *exec;
    int bad;
    DRIVER(Call, "cuStreamCreate", &stream, 0);
    nncc_cuda_set_stream(net, stream);
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, x, sizeof x));
    call(6, 1.0, 0, 8192, 16384);
    DRIVER(Capture, "cuStreamBeginCapture_v2", stream, 1);
    call(6, 2.0, 0, 8192, 16384);
    DRIVER(End, "cuStreamEndCapture", stream, &graph);
    DRIVER(Instantiate, "cuGraphInstantiateWithFlags", &exec, graph, 0);
    call(6, 2.0, 0, 8192, 16384);
    bad = finds(6, 2.0, 8192, 16384);
    call(6, 5.0, 0, 8192, 16384);
    DRIVER(Start, "cuGraphLaunch", exec, stream);
    call(6, 5.0, 0, 8192, 16384);
    bad += finds(6, 5.0, 8192, 16384);
    CHECK(nncc_cuda_set_stream(net, NULL));
    DRIVER(Destroy, "cuGraphExecDestroy", exec);
    DRIVER(Destroy, "cuGraphDestroy", graph);
    DRIVER(Destroy, "cuStreamDestroy_v2", stream);
    return bad;
}

static long counted(int which) {
    typedef int (*Counts)(long *);
    long counts[3] = {-1, -1, -1};
    Counts f;
    *(void **)&f = driver_function("nncc_emu_counts");
    f(counts);
    return counts[which];
}

/* Data on the device, in ten places in turn: graphs all the same. */
static int test_rotate(void) {
    long launched = 0, replayed = 0;
    int bad = 0;
    for (int i = 0; i < 40; i++) {
        const int64_t from = i % 5 * 8192, to = (5 + i % 2) * 8192, sums_to = 57344 + i % 2 * 256;
        if (i == 20) launched = counted(0), replayed = counted(1);
        x[i] += 1.0f;
        CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, from, x, sizeof x));
        call(7, i / 4, from, to, sums_to);
        bad += finds(7, i / 4, to, sums_to);
    }
    if (counted(0) != launched || counted(1) != replayed + 20)
        bad += printf("%ld launches and %ld graphs in 20 calls\n", counted(0) - launched, counted(1) - replayed);
    return bad;
}

/* What a call that fails has started still reads what the caller gave it. */
static int test_half(void) {
    int n = 3, bad = 0;
    double lr = 1.0;
    for (int i = 0; i < 2; i++) {
        void *const given[] = {x, place(8192 + 16384 * i), place(16384), &lr};
        bad += nncc_cuda_run(net, &half_entry, &n, given) != NNCC_CUDA_E_LAUNCH;
        if (!i) expect(n, lr);
        x[5] += 1.0f;
    }
    CHECK(nncc_cuda_download(net, NNCC_CUDA_PARAMS, 8192, y, (int64_t)sizeof y));
    return bad + differs("y", y, want_y, n * COLS);
}

/* Each call reads what the one before wrote, in another stream; the last is read in the default stream. */
static int test_streams(void) {
    typedef int (*Fetch)(void *, uint64_t, size_t, void *);
    typedef int (*Sync)(void *);
    void *stream;
    int n = 4;
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, x, sizeof x));
    call(n, 1.0, 0, 8192, 57344);
    DRIVER(Call, "cuStreamCreate", &stream, 1);
    CHECK(nncc_cuda_set_stream(net, stream));
    call(n, 2.0, 8192, 16384, 57344);
    CHECK(nncc_cuda_set_stream(net, NULL));
    if (nncc_cuda_stream(net) == stream) return puts("still in the caller's stream"), 1;
    call(n, 3.0, 16384, 24576, 57344);
    DRIVER(Fetch, "cuMemcpyDtoHAsync_v2", y, (uint64_t)(uintptr_t)place(24576), (size_t)(n * COLS) * sizeof *y, NULL);
    DRIVER(Sync, "cuStreamSynchronize", NULL);
    DRIVER(Destroy, "cuStreamDestroy_v2", stream);
    for (int i = 1; i <= 3; i++) expect(n, i), memcpy(x, want_y, sizeof x);
    return differs("y", y, want_y, n * COLS);
}

/* Of another GPU. */
static int test_foreign(void) {
    typedef int (*Retain)(void **, int);
    typedef int (*Push)(void *);
    typedef int (*Pop)(void **);
    typedef int (*Allocate)(uint64_t *, size_t);
    void *other;
    uint64_t at;
    DRIVER(Retain, "cuDevicePrimaryCtxRetain", &other, 1);
    DRIVER(Push, "cuCtxPushCurrent_v2", other);
    DRIVER(Allocate, "cuMemAlloc_v2", &at, sizeof x);
    DRIVER(Pop, "cuCtxPopCurrent_v2", &other);
    return run_bad(&run_entry, 2, (float *)(uintptr_t)at);
}

/* Managed memory can be read as soon as the call is over. */
static int test_managed(void) {
    typedef int (*Allocate)(uint64_t *, size_t, unsigned);
    uint64_t at;
    double lr = 1.0;
    int n = 5;
    DRIVER(Allocate, "cuMemAllocManaged", &at, 24576, 1);
    char *memory = (char *)(uintptr_t)at;
    void *const given[] = {memory, memory + 8192, memory + 16384, &lr};
    memcpy(memory, x, sizeof x);
    expect(n, lr);
    CHECK(nncc_cuda_run(net, &run_entry, &n, given));
    return differs("y", (float *)(void *)(memory + 8192), want_y, n * COLS) +
           differs("s", (float *)(void *)(memory + 16384), want_s, n);
}

/* Data on the device needs no pinned memory; data of the host as much as it is. */
static int test_pinned(void) {
    CHECK(nncc_cuda_upload(net, NNCC_CUDA_PARAMS, 0, x, sizeof x));
    call(6, 1.0, 0, 8192, 16384);
    if (counted(2)) return printf("%ld bytes are pinned\n", counted(2)), 1;
    if (step(6, 2.0)) return 1;
    return counted(2) <= 0 || counted(2) > 16640;
}

static char *source_of(const char *path) {
    FILE *f = fopen(path, "rb");
    char *text = (char *)calloc(1, 1 << 20);
    if (!f || !text || !fread(text, 1, (1 << 20) - 1, f)) exit(2);
    fclose(f);
    return text;
}

int main(int n, char **arg) {
    static const struct {
        const char *name;
        int (*run)(void);
    } tests[] = {{"run", test_run},           {"device", test_device},   {"mixed", test_mixed},
                 {"wrong", test_wrong},       {"null", test_null},       {"misaligned", test_misaligned},
                 {"short", test_short},       {"range", test_range},     {"two", test_two},
                 {"begin", test_begin},       {"greedy", test_greedy},   {"empty", test_empty},
                 {"together", test_together}, {"stream", test_stream},   {"many", test_many},
                 {"tall", test_tall},         {"wide", test_wide},       {"value", test_value},
                 {"rotate", test_rotate},     {"half", test_half},       {"streams", test_streams},
                 {"foreign", test_foreign},   {"managed", test_managed}, {"pinned", test_pinned}};
    nncc_cuda_options options = {0};
    options.no_graphs = getenv("NO_GRAPHS") != NULL;
    if (getenv("DEVICE")) options.device = atoi(getenv("DEVICE"));
    if (getenv("HASH")) program.hash = strtoull(getenv("HASH"), NULL, 16);
    if (getenv("SOURCE")) program.source = source_of(getenv("SOURCE"));
    for (int i = 0; i < MOST * COLS; i++) x[i] = (float)(i % 17 - 8) / 8;
    for (int i = 0; i < COLS; i++) w[i] = (float)(i % 5 - 2) / 4;
    open_net(&options);
    for (size_t i = 0; n > 1 && i < sizeof tests / sizeof *tests; i++) {
        if (strcmp(tests[i].name, arg[1])) continue;
        const int bad = tests[i].run();
        nncc_cuda_close(net);
        return puts(bad ? "differs" : "ok"), bad != 0;
    }
    return 2;
}
