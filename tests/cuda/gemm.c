/* The matrix product of templates/cuda: `gemm print` prints kernels of many kinds, `gemm run [NAME]` runs them and
 * compares with sums by fmaf, to the bit, and with double. */
#include <math.h>

#include "loop/loop.h"
#include "nncc_cuda.h"
#include "render/template.h"

enum { ALONG_K, ALONG_ROW };

/* An operand: how it lies, and how many floats a row of memory has. */
typedef struct {
    int along, width, pitch;
} Operand;

typedef struct {
    const char *name;
    int bm, bn, bk, tm, tn, stages, resident;
    Operand a, b;
    int m, n, k;
    bool conv; /* m: filters; k: 3 channels of 3x3; n: pixels of CONV_N pictures, padded by 1, every other pixel */
} Case;

enum { CONV_N = 2, CONV_C = 3, CONV_H = 11, CONV_W = 9, CONV_OH = 6, CONV_OW = 5, CONV_P = CONV_OH * CONV_OW };

static const Case cases[] = {
    {"kk4", 64, 64, 16, 4, 4, 3, 1, {ALONG_K, 4, 40}, {ALONG_K, 4, 40}, 70, 67, 37, false},
    {"kk1", 64, 64, 16, 4, 4, 3, 1, {ALONG_K, 1, 37}, {ALONG_K, 1, 37}, 70, 67, 37, false},
    {"kn4", 64, 64, 16, 4, 4, 3, 1, {ALONG_K, 4, 52}, {ALONG_ROW, 4, 68}, 130, 67, 50, false},
    {"kn1", 64, 64, 16, 4, 4, 2, 1, {ALONG_K, 1, 50}, {ALONG_ROW, 1, 67}, 130, 67, 50, false},
    {"mn4", 64, 64, 16, 4, 4, 4, 1, {ALONG_ROW, 4, 72}, {ALONG_ROW, 4, 68}, 70, 65, 17, false},
    {"mk1", 64, 64, 16, 4, 4, 3, 1, {ALONG_ROW, 1, 70}, {ALONG_K, 1, 33}, 70, 65, 33, false},
    {"large_kn", 128, 128, 16, 8, 8, 3, 1, {ALONG_K, 4, 48}, {ALONG_ROW, 4, 132}, 131, 129, 47, false},
    {"large_kk", 128, 128, 16, 8, 8, 3, 1, {ALONG_K, 4, 48}, {ALONG_K, 4, 48}, 131, 129, 47, false},
    {"large_mn", 128, 128, 16, 8, 8, 3, 1, {ALONG_ROW, 4, 132}, {ALONG_ROW, 4, 132}, 131, 129, 20, false},
    {"large_k8", 128, 128, 8, 8, 8, 4, 1, {ALONG_K, 4, 48}, {ALONG_K, 4, 48}, 131, 129, 47, false},
    {"tall_kn", 128, 32, 16, 8, 4, 3, 1, {ALONG_K, 4, 64}, {ALONG_ROW, 4, 12}, 200, 10, 64, false},
    {"wide_k32", 32, 128, 32, 4, 8, 2, 1, {ALONG_K, 4, 72}, {ALONG_K, 4, 72}, 33, 130, 70, false},
    {"small", 32, 32, 16, 2, 4, 3, 1, {ALONG_K, 4, 4}, {ALONG_ROW, 4, 4}, 1, 1, 1, false},
    {"short_k", 64, 64, 16, 4, 4, 3, 1, {ALONG_K, 1, 3}, {ALONG_ROW, 1, 64}, 64, 64, 3, false},
    /* Whole tiles, for the counters. */
    {"full_kn", 128, 128, 16, 8, 8, 3, 1, {ALONG_K, 4, 64}, {ALONG_ROW, 4, 128}, 128, 128, 64, false},
    {"full_kk", 128, 128, 16, 8, 8, 3, 1, {ALONG_K, 4, 64}, {ALONG_K, 4, 64}, 128, 128, 64, false},
    {"full_mn", 64, 64, 16, 4, 4, 3, 1, {ALONG_ROW, 4, 64}, {ALONG_ROW, 4, 128}, 64, 128, 32, false},
    {"full_mk", 64, 64, 32, 4, 4, 3, 1, {ALONG_ROW, 4, 64}, {ALONG_K, 4, 64}, 64, 64, 64, false},
    {"full_k8", 64, 64, 8, 4, 4, 3, 1, {ALONG_K, 4, 64}, {ALONG_K, 4, 64}, 64, 64, 64, false},
    {"full_kn1", 64, 64, 16, 4, 4, 3, 1, {ALONG_K, 1, 64}, {ALONG_ROW, 1, 64}, 64, 64, 64, false},
    {"full_mk1", 64, 64, 16, 4, 4, 3, 1, {ALONG_ROW, 1, 64}, {ALONG_K, 1, 64}, 64, 64, 64, false},
    {"conv", 32, 64, 16, 4, 4, 3, 1, {ALONG_K, 1, 27}, {ALONG_ROW, 1, 0}, 35, CONV_N *CONV_P, 27, true},
    {"conv_large", 64, 128, 8, 8, 8, 3, 1, {ALONG_K, 1, 27}, {ALONG_ROW, 1, 0}, 35, CONV_N *CONV_P, 27, true},
};

/* ---- printing ---- */

static char *read_text(Arena *a, const char *file) {
    const char *folder = getenv("TEMPLATES");
    FILE *f = fopen(format(a, "%s/%s", folder ? folder : "templates/cuda", file), "rb");
    char *text = arena_alloc(a, 1 << 16);
    if (!f || !fread(text, 1, (1 << 16) - 1, f)) exit(2);
    fclose(f);
    return text;
}

static const char *filled(Arena *a, const char *file, int n, Blank *blanks) {
    Str out = {.arena = a};
    fill_template(&out, read_text(a, file), n, blanks);
    return format(a, "%s", out.s);
}

static const char *address(Arena *a, const Case *c, const Operand *o, const char *index) {
    if (c->conv && o == &c->b)
        return format(a,
                      "n / %d * %d + k / 9 * %d + (n %% %d / %d * 2 - 1 + k / 3 %% 3) * %d + n %% %d * 2 - 1 + k %% 3",
                      CONV_P, CONV_C * CONV_H * CONV_W, CONV_H * CONV_W, CONV_P, CONV_OW, CONV_W, CONV_OW);
    return o->along == ALONG_K ? format(a, "%s * %d + k", index, o->pitch) : format(a, "k * %d + %s", o->pitch, index);
}

static const char *valid(Arena *a, const Case *c, const Operand *o) {
    if (!c->conv || o != &c->b) return "true";
    return format(a, "(unsigned)(n %% %d / %d * 2 - 1 + k / 3 %% 3) < %d && (unsigned)(n %% %d * 2 - 1 + k %% 3) < %d",
                  CONV_P, CONV_OW, CONV_H, CONV_OW, CONV_W);
}

static const char *copy_of(Arena *a, const Case *c, const Operand *o) {
    const bool is_a = o == &c->a;
    const char *index = is_a ? "m" : "n", *limit = is_a ? "M" : "N";
    const char *in = o->along == ALONG_K ? "K - k" : format(a, "%s - %s", limit, index);
    const char *bytes = o->width == 1 ? "4" : format(a, "%s < 4 ? 4 * (%s) : 16", in, in);
    Blank blanks[] = {{.name = "x", .text = is_a ? "a" : "b"},
                      {.name = "index", .text = index},
                      {.name = "index_type", .text = "int"},
                      {.name = "first", .text = is_a ? "m0" : "n0"},
                      {.name = "rows", .text = is_a ? "BM" : "BN"},
                      {.name = "limit", .text = limit},
                      {.name = "width", .number = o->width},
                      {.name = "from", .text = is_a ? "a" : "b"},
                      {.name = "at", .text = address(a, c, o, index)},
                      {.name = "ok", .text = valid(a, c, o)},
                      {.name = "bytes", .text = bytes}};
    return filled(a, o->along == ALONG_K ? "gemm_copy_k.cu" : "gemm_copy_row.cu", COUNT(blanks), blanks);
}

static const char *read_of(Arena *a, const Case *c, const Operand *o) {
    const bool is_a = o == &c->a;
    if (o->along == ALONG_ROW) return "";
    Blank blanks[] = {{.name = "x", .text = is_a ? "a" : "b"},
                      {.name = "count", .text = is_a ? "TM" : "TN"},
                      {.name = "thread", .text = is_a ? "ty" : "tx"},
                      {.name = "step", .text = is_a ? "TY" : "TX"}};
    return filled(a, "gemm_read_k.cu", COUNT(blanks), blanks);
}

static const char *quad(Arena *a, const char *name) {
    return format(a, "k == 0 ? %s.x : k == 1 ? %s.y : k == 2 ? %s.z : %s.w", name, name, name, name);
}

static void print_kernel(Arena *a, const Case *c) {
    const char *store =
        c->conv ? format(a, "                y[(n / %d * M + m) * %d + n %% %d] = sum;\n", CONV_P, CONV_P, CONV_P)
                : "                y[m * N + n] = sum;\n";
    const bool ak = c->a.along == ALONG_K, bk = c->b.along == ALONG_K;
    Blank blanks[] = {
        {.name = "about", .text = c->name},
        {.name = "name", .text = c->name},
        {.name = "parameters",
         .text = "const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ y, int rows"},
        {.name = "begin", .text = ""},
        {.name = "index_type", .text = "int"},
        {.name = "rows_block", .text = "x"},
        {.name = "columns_block", .text = "y"},
        {.name = "store", .text = store},
        {.name = "m", .text = "rows"},
        {.name = "n", .number = c->n},
        {.name = "k", .number = c->k},
        {.name = "bm", .number = c->bm},
        {.name = "bn", .number = c->bn},
        {.name = "bk", .number = c->bk},
        {.name = "tm", .number = c->tm},
        {.name = "tn", .number = c->tn},
        {.name = "stages", .number = c->stages},
        {.name = "threads", .number = c->bm / c->tm * (c->bn / c->tn)},
        {.name = "resident", .number = c->resident},
        {.name = "copy_a", .text = copy_of(a, c, &c->a)},
        {.name = "copy_b", .text = copy_of(a, c, &c->b)},
        {.name = "read_a", .text = read_of(a, c, &c->a)},
        {.name = "read_b", .text = read_of(a, c, &c->b)},
        {.name = "u", .text = ak ? quad(a, "a4[i]") : "as[(q * 4 + k) * BM + ty + i * TY]"},
        {.name = "v", .text = bk ? quad(a, "b4[j]") : "bs[(q * 4 + k) * BN + tx + j * TX]"},
        {.name = "row", .text = "ty + i * TY"},
        {.name = "col", .text = "tx + j * TX"}};
    printf("%s\n", filled(a, "gemm.cu", COUNT(blanks), blanks));
}

static int print_all(void) {
    Arena *arena = arena_new(0, NULL, NULL);
    puts("#ifdef NNCC_EMU\n#include \"nncc_emu.h\"\n#else\n#include \"nncc_device.h\"\n#endif");
    for (int i = 0; i < COUNT(cases); i++) print_kernel(arena, &cases[i]);
    puts("NNCC_MODULE_HASH(0000000000000001)\n#ifdef NNCC_EMU");
    for (int i = 0; i < COUNT(cases); i++) printf("NNCC_EMU_KERNEL(%s)\n", cases[i].name);
    puts("#endif");
    arena_free(arena);
    return 0;
}

/* ---- running ---- */

enum { MOST = 1 << 16 }; /* floats of an operand */

static float a[MOST], b[MOST], y[MOST];

static float element_a(const Case *c, int m, int k) {
    return a[c->a.along == ALONG_K ? m * c->a.pitch + k : k * c->a.pitch + m];
}

static float element_b(const Case *c, int k, int n) {
    if (!c->conv) return b[c->b.along == ALONG_K ? n * c->b.pitch + k : k * c->b.pitch + n];
    const int h = n % CONV_P / CONV_OW * 2 - 1 + k / 3 % 3, w = n % CONV_OW * 2 - 1 + k % 3;
    if (h < 0 || h >= CONV_H || w < 0 || w >= CONV_W) return 0.0f;
    return b[((n / CONV_P * CONV_C + k / 9) * CONV_H + h) * CONV_W + w];
}

/* A sum of K products by fmaf is off by at most K rounding errors of the sum of magnitudes. */
static bool judge(const Case *c, int m, int n) {
    float sum = 0.0f;
    double exact = 0, size = 0;
    for (int k = 0; k < c->k; k++) {
        const float u = element_a(c, m, k), v = element_b(c, k, n);
        sum = fmaf(u, v, sum), exact += (double)u * (double)v, size += fabs((double)u * (double)v);
    }
    const float got = c->conv ? y[(n / CONV_P * c->m + m) * CONV_P + n % CONV_P] : y[m * c->n + n];
    if (!memcmp(&got, &sum, sizeof sum) && fabs((double)got - exact) <= c->k * 0x1p-24 * size) return true;
    printf("%s: (%d,%d) is %.9g, and should be %.9g, exactly %.9g\n", c->name, m, n, (double)got, (double)sum, exact);
    return false;
}

static int floats_of(const Case *c, const Operand *o, int rows) {
    if (c->conv && o == &c->b) return CONV_N * CONV_C * CONV_H * CONV_W;
    return o->along == ALONG_K ? rows * o->pitch : c->k * o->pitch;
}

static bool run_case(int i) {
    const Case *c = &cases[i];
    static const nncc_cuda_field fields[] = {{"a", NNCC_CUDA_INPUT, 0, {0, 4, 0}},
                                             {"b", NNCC_CUDA_INPUT, 4 * MOST, {0, 4, 1}},
                                             {"y", NNCC_CUDA_OUTPUT, 8 * MOST, {0, 4, 2}}};
    static const nncc_cuda_arg args[] = {NNCC_CUDA_FIELD_IN(0), NNCC_CUDA_FIELD_IN(1), NNCC_CUDA_FIELD_OUT(2),
                                         NNCC_CUDA_INT_OF(0, 1, 3)};
    static const int used[] = {0, 1, 2};
    const nncc_cuda_program program = {"gemm", 1, NULL, NULL, &c->name, 1, 3, 4, fields, {0, 0, 0, 0, 0, 0, 12 * MOST}};
    const nncc_cuda_launch launch = {0,
                                     c->name,
                                     {NNCC_CUDA_GRID_OF(0, 1, 3, c->bm), NNCC_CUDA_GRID(c->n, c->bn)},
                                     {c->bm / c->tm * (c->bn / c->tn)},
                                     c->stages * (c->bm + c->bn) * c->bk * 4,
                                     0,
                                     4,
                                     args};
    const nncc_cuda_entry entry = {"gemm_run", 1, 3, &launch, used};
    const int dims[] = {floats_of(c, &c->a, c->m), floats_of(c, &c->b, c->n), c->m * c->n, c->m};
    void *const given[] = {a, b, y};
    nncc_cuda *net;
    memset(y, 0xFF, sizeof y);
    bool good = !nncc_cuda_open(&net, &program, NULL) && !nncc_cuda_run(net, &entry, dims, given);
    if (!good) puts(nncc_cuda_error(net));
    for (int e = 0; e < c->m * c->n && good; e++) good = judge(c, e / c->n, e % c->n);
    nncc_cuda_close(net);
    return good;
}

int main(int n, char **arg) {
    if (n > 1 && !strcmp(arg[1], "print")) return print_all();
    int bad = 0;
    for (int i = 0; i < MOST; i++)
        a[i] = (float)((int64_t)i * 7919 % 2003 - 1001) / 997, b[i] = (float)((int64_t)i * 104729 % 1999 - 999) / 1009;
    for (int i = 0; i < COUNT(cases); i++) {
        if (n > 2 && strcmp(arg[2], cases[i].name)) continue;
        const bool good = run_case(i);
        printf("%s %s\n", good ? "ok  " : "FAIL", cases[i].name);
        bad += !good;
    }
    return bad != 0;
}
