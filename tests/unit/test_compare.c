/* Comparison: tolerances, infinities and NaN, integers beyond 2^53, distances in ulp, and the line it prints. */
#include "check.h"
#include "harness/compare.h"
#include <math.h>

static Arena *arena;

static Tensor *floats(DType t, int n, const double *v) {
    Tensor *r = tensor_new(arena, t, 1, (int64_t[]){n});
    for (int i = 0; i < n; i++) set_f(r, i, v[i]);
    return r;
}
#define F(t, ...) floats(t, COUNT(((double[]){__VA_ARGS__})), (double[]){__VA_ARGS__})

static Tensor *ints(int64_t v) {
    Tensor *r = tensor_new(arena, DT_i64, 0, NULL);
    set_i(r, 0, v);
    return r;
}

static const Tolerance usual = {.rtol = 1e-3, .atol = -1}, exact = {.rtol = 0};

static void tolerances(void) {
    Difference d = compare_tensors(F(DT_f32, 100, 0), F(DT_f32, 100.2, 0), usual);
    CHECK(!d.ok && d.wrong == 1 && d.at == 0 && fabs(d.abs - 0.2) < 1e-4 && fabs(d.rel - 0.002) < 1e-6);
    CHECK(compare_tensors(F(DT_f32, 100, 0), F(DT_f32, 100.05, 0), usual).ok);
    CHECK(compare_tensors(F(DT_f32, 100, 0), F(DT_f32, 100, 9e-4), usual).ok); /* 1e-5 of 100 */
    CHECK(!compare_tensors(F(DT_f32, 100, 0), F(DT_f32, 100, 2e-3), usual).ok);
    CHECK(!compare_tensors(F(DT_f32, 100, 0), F(DT_f32, 100, 9e-4), (Tolerance){.rtol = 1e-3, .atol = 1e-7}).ok);
    CHECK(compare_tensors(F(DT_f64, 1, 2), F(DT_f32, 1, 2), exact).ok); /* any two float types */
    Tolerance wide = {.rtol = 1e-3, .atol = 1e-7, .bf16 = 0x1p-6};
    CHECK(compare_tensors(F(DT_bf16, 100), F(DT_bf16, 101), wide).ok);
    CHECK(!compare_tensors(F(DT_bf16, 100), F(DT_bf16, 102), wide).ok);
    CHECK(!compare_tensors(F(DT_f32, 100), F(DT_f32, 101), wide).ok); /* other types have their own */
}

static void specials(void) {
    Difference d =
        compare_tensors(F(DT_f32, NAN, INFINITY, -INFINITY, 1), F(DT_f32, NAN, INFINITY, -INFINITY, 1), exact);
    CHECK(d.ok && d.abs == 0 && d.largest == 1);
    CHECK(!compare_tensors(F(DT_f32, 1), F(DT_f32, NAN), usual).ok);
    CHECK(!compare_tensors(F(DT_f32, NAN), F(DT_f32, 1), usual).ok);
    CHECK(!compare_tensors(F(DT_f32, INFINITY), F(DT_f32, -INFINITY), usual).ok);
    CHECK(!compare_tensors(F(DT_f32, 3e38), F(DT_f32, INFINITY), usual).ok);
    CHECK(compare_tensors(F(DT_f32, 0.0), F(DT_f32, -0.0), exact).ok);
    CHECK(compare_tensors(F(DT_f32, 2, 2), F(DT_f32, 2, 2), exact).constant);
    CHECK(!compare_tensors(F(DT_f32, 2), F(DT_f32, 2), exact).constant);
    CHECK(compare_tensors(floats(DT_f32, 0, NULL), floats(DT_f32, 0, NULL), usual).ok);
}

static void integers(void) {
    CHECK(!compare_tensors(ints(INT64_MAX), ints(INT64_MAX - 1), usual).ok);
    CHECK(compare_tensors(ints(INT64_MAX), ints(INT64_MAX), usual).ok);
    CHECK(!compare_tensors(ints(1000), ints(1001), usual).ok);
    CHECK(compare_tensors(ints(1000), ints(1001), (Tolerance){.rtol = 0, .atol = 1}).ok);
    CHECK(!compare_tensors(ints(1), F(DT_f32, 1), usual).same_type);
}

static void ulps(void) {
    CHECK(compare_tensors(F(DT_f32, 1), F(DT_f32, 1 + 0x1p-23), usual).ulp == 1);
    CHECK(compare_tensors(F(DT_f32, 1), F(DT_f32, 1 - 0x1p-24), usual).ulp == 1);
    CHECK(compare_tensors(F(DT_f32, -1), F(DT_f32, -1 - 3 * 0x1p-23), usual).ulp == 3);
    CHECK(compare_tensors(F(DT_f16, 1), F(DT_f16, 1 + 0x1p-9), usual).ulp == 2);
    CHECK(compare_tensors(F(DT_f32, 0), F(DT_f32, -0x1p-149), usual).ulp == 1);
}

static void lines(void) {
    Tensor *a = tensor_new(arena, DT_f32, 2, (int64_t[]){2, 3}), *b = tensor_new(arena, DT_f32, 2, (int64_t[]){2, 3});
    Str s = {.arena = arena}, wrong = {.arena = arena}, shape = {.arena = arena};
    set_f(a, 5, 5.5), set_f(b, 5, 2.25);
    Difference d = compare_tensors(a, b, usual);
    put_difference(&wrong, "a\x1b[2Jb", a, b, &d);
    CHECK(strstr(wrong.s, "[2,3]") && strstr(wrong.s, "at [1,2]: expected 5.5, got 2.25") &&
          strstr(wrong.s, "WRONG (1 of 6)"));
    CHECK(!strchr(wrong.s, '\x1b'));
    d = compare_tensors(a, a, usual);
    put_difference(&s, "y", a, a, &d);
    CHECK(strstr(s.s, "0 ulp") && strstr(s.s, "ok"));
    d = compare_tensors(a, ints(3), usual);
    put_difference(&shape, "y", a, ints(3), &d);
    CHECK(strstr(shape.s, "expected f32, got i64") && strstr(shape.s, "WRONG"));
}

int main(void) {
    arena = arena_new(0, NULL, NULL);
    tolerances(), specials(), integers(), ulps(), lines();
    arena_free(arena);
    return failures();
}
