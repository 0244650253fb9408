/* Numbers read back, whatever the locale; runtime text comes with all it calls, and each helper once. */
#include "check.h"
#include "render/dialects.h"
#include <locale.h>
#include <math.h>

static Arena *arena;

static void number(DType t, Scalar s, const char *want) {
    const char *got = number_text(arena, t, s);
    if (strcmp(got, want)) fprintf(stderr, "%s: %s, not %s\n", dtypes[t].name, got, want);
    CHECK(!strcmp(got, want));
}

static void float_texts(void) {
    static const struct {
        double x;
        const char *f32, *f64;
    } row[] = {
        {0.0, "0.0f", "0.0"},
        {-0.0, "-0.0f", "-0.0"},
        {0.5, "0.5f", "0.5"},
        {1.0, "1.0f", "1.0"},
        {-3.0, "-3.0f", "-3.0"},
        {0.1, "0.1f", "0.1"},
        {1e-4, "0.0001f", "0.0001"},
        {1e-5, "1e-05f", "1e-05"},
        {0.00015, "0.00015f", "0.00015"},
        {3.14159265358979311600, "3.1415927f", "3.141592653589793"},
        {16777216.0, "16777216.0f", "16777216.0"},
        {123456789.0, "123456790.0f", "123456789.0"},
        {1e10, "1e+10f", "1e+10"},
        {1.5e20, "1.5e+20f", "1.5e+20"},
        {3.4028234663852886e+38, "3.4028235e+38f", "3.4028234663852886e+38"},
        {1.4012984643248171e-45, "1.4013e-45f", "1.401298464324817e-45"},
        {1.1754943508222875e-38, "1.1754944e-38f", "1.1754943508222875e-38"},
        {(double)INFINITY, "INFINITY", "(double)INFINITY"},
        {-(double)INFINITY, "-INFINITY", "-(double)INFINITY"},
        {(double)NAN, "NAN", "(double)NAN"},
    };
    for (int i = 0; i < COUNT(row); i++) {
        const Scalar s = {.f = row[i].x};
        number(DT_f32, s, row[i].f32);
        number(DT_f16, s, row[i].f32);
        number(DT_f64, s, row[i].f64);
        CHECK(needs_math_h(DT_f32, s) == (strstr(row[i].f32, "N") != NULL));
    }
    CHECK(needs_math_h(DT_f32, (Scalar){.f = 1e300}) && !needs_math_h(DT_f64, (Scalar){.f = 1e300}));
    CHECK(!needs_math_h(DT_i64, (Scalar){.i = -1}));
}

static void integer_texts(void) {
    number(DT_i32, (Scalar){.i = -7}, "-7");
    number(DT_i32, (Scalar){.i = INT32_MIN}, "(-2147483647 - 1)");
    number(DT_i64, (Scalar){.i = INT32_MIN}, "-2147483648");
    number(DT_i64, (Scalar){.i = INT64_MIN}, "(-9223372036854775807 - 1)");
    number(DT_i8, (Scalar){.i = INT8_MIN}, "-128");
    number(DT_u8, (Scalar){.u = 255}, "255u");
    number(DT_u64, (Scalar){.u = UINT64_MAX}, "18446744073709551615u");
    number(DT_bool, (Scalar){.i = 1}, "1");
    number(DT_index, (Scalar){.i = -1}, "-1");
}

/* Floats of every exponent, as bits. */
static void round_trips(void) {
    for (uint64_t b = 0; b <= UINT32_MAX; b += 65521) {
        const uint32_t bits = (uint32_t)b;
        float x;
        memcpy(&x, &bits, sizeof x);
        const uint64_t wide = b << 32 | (b * 2654435761u & UINT32_MAX);
        double d;
        memcpy(&d, &wide, sizeof d);
        if (x - x == 0) CHECK(strtof(number_text(arena, DT_f32, (Scalar){.f = (double)x}), NULL) == x);
        if (d - d == 0) CHECK(strtod(number_text(arena, DT_f64, (Scalar){.f = d}), NULL) == d);
    }
}

static bool defined_before(const char *text, const char *call, size_t length) {
    for (const char *p = text; p < call; p++)
        if (!strncmp(p, call, length + 1) && p > text && p[-1] == ' ') return true;
    return false;
}

/* Every nncc_ function called in `text` is defined before, and no line that defines one comes twice. */
static void complete(const char *helper, const char *text) {
    CHECK(strstr(text, format(arena, " %s(", helper)));
    for (const char *p = text; (p = strstr(p, "nncc_")); p++) {
        const size_t length = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789");
        const char *line = p;
        while (line > text && line[-1] != '\n') line--;
        const bool defines = !strncmp(line, "static inline ", 14) && strcspn(line, "(") == (size_t)(p - line) + length;
        if (p[length] == '(') CHECK(defined_before(text, p, length) == !defines);
    }
}

extern const char embedded_nncc_math_h[];

static void runtime_texts(void) {
    static const char mark[] = "/* @helper ";
    int helpers = 0;
    for (const char *p = embedded_nncc_math_h; (p = strstr(p, mark)); helpers++) {
        p += sizeof mark - 1;
        char *name = format(arena, "%.*s", (int)strcspn(p, ":"), p);
        List needs = {0};
        push(arena, &needs, name);
        Str text = {.arena = arena};
        put_runtime(&text, &needs);
        CHECK(is_helper(name));
        complete(name, text.s);
    }
    CHECK(helpers > 60);
    CHECK(!is_helper("nncc_exp") && !is_helper("sqrtf") && !is_helper(""));
}

static void names_are_helpers(void) {
    static const char *const widths[] = {"i32", "i64", "u32", "u64"};
    for (const MathName *m = math_names; m->name; m++) {
        CHECK(math_name(m->name) == m);
        if (m->f32) CHECK(is_helper(m->f32) == !strncmp(m->f32, "nncc_", 5));
        bool wide = !strncmp(m->name, "philox", 6); /* of 64-bit numbers alone */
        for (int i = wide; m->int_ && i < COUNT(widths); i += wide ? COUNT(widths) : 1)
            CHECK(is_helper(format(arena, "%s_%s", m->int_, widths[i])));
    }
    CHECK(!math_name("system"));
}

int main(void) {
    arena = arena_new(0, NULL, NULL);
    float_texts();
    integer_texts();
    round_trips();
    runtime_texts();
    names_are_helpers();
    static const char *const comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8"};
    for (int i = 0; i < COUNT(comma); i++)
        if (setlocale(LC_NUMERIC, comma[i])) float_texts();
    arena_free(arena);
    return failures();
}
