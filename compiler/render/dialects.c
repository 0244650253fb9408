/* dialects.c - the strings of the C that is printed: names of functions, the runtime text behind them, numbers. */
#include "render/dialects.h"
#include "base/embedded.h"

const Dialect dialect_c = {
    .name = "c", .function = "static void", .restrict_ = "restrict", .wide = "ptrdiff_t", .arrays = true};

/* ---- functions ---- */

const MathName math_names[] = {
    {"exp", "nncc_expf", "exp", NULL},
    {"log", "nncc_logf", "log", NULL},
    {"log1p", "nncc_log1pf", "log1p", NULL},
    {"expm1", "nncc_expm1f", "expm1", NULL},
    {"sin", "nncc_sinf", "sin", NULL},
    {"cos", "nncc_cosf", "cos", NULL},
    {"tan", "nncc_tanf", "tan", NULL},
    {"asin", "nncc_asinf", "asin", NULL},
    {"acos", "nncc_acosf", "acos", NULL},
    {"atan", "nncc_atanf", "atan", NULL},
    {"sinh", "nncc_sinhf", "sinh", NULL},
    {"cosh", "nncc_coshf", "cosh", NULL},
    {"tanh", "nncc_tanhf", "tanh", NULL},
    {"asinh", "nncc_asinhf", "asinh", NULL},
    {"acosh", "nncc_acoshf", "acosh", NULL},
    {"atanh", "nncc_atanhf", "atanh", NULL},
    {"erf", "nncc_erff", "erf", NULL},
    {"sigmoid", "nncc_sigmoidf", "nncc_sigmoid", NULL},
    {"pow", "nncc_powf", "pow", NULL},
    {"relu", "nncc_reluf", NULL, NULL},
    {"max", "nncc_maxf", NULL, NULL},
    {"min", "nncc_minf", NULL, NULL},
    {"sqrt", "sqrtf", "sqrt", NULL},
    {"fabs", "fabsf", "fabs", NULL},
    {"floor", "floorf", "floor", NULL},
    {"ceil", "ceilf", "ceil", NULL},
    {"rint", "rintf", "rint", NULL},
    {"trunc", "truncf", "trunc", NULL},
    {"fmod", "fmodf", "fmod", NULL},
    {"floormod", "nncc_floormodf", "nncc_floormod", NULL},
    {"round_f16", "nncc_f16_round", "nncc_f16_round", NULL},
    {"round_bf16", "nncc_bf16_round", "nncc_bf16_round", NULL},
    {"round_f8e4m3fn", "nncc_f8e4m3fn_round", "nncc_f8e4m3fn_round", NULL},
    {"round_f8e4m3fnuz", "nncc_f8e4m3fnuz_round", "nncc_f8e4m3fnuz_round", NULL},
    {"round_f8e5m2", "nncc_f8e5m2_round", "nncc_f8e5m2_round", NULL},
    {"round_f8e5m2fnuz", "nncc_f8e5m2fnuz_round", "nncc_f8e5m2fnuz_round", NULL},
    {"round_f6e2m3", "nncc_f6e2m3_round", "nncc_f6e2m3_round", NULL},
    {"round_f6e3m2", "nncc_f6e3m2_round", "nncc_f6e3m2_round", NULL},
    {"round_f4e2m1", "nncc_f4e2m1_round", "nncc_f4e2m1_round", NULL},
    {"round_f8e8m0", "nncc_f8e8m0_round", "nncc_f8e8m0_round", NULL},
    {"round_odd", "nncc_round_odd", "nncc_round_odd", NULL},
    {"iabs", NULL, NULL, "nncc_iabs"},
    {"idiv", NULL, NULL, "nncc_idiv"},
    {"imod", NULL, NULL, "nncc_imod"},
    {"irem", NULL, NULL, "nncc_irem"},
    {"ipow", NULL, NULL, "nncc_ipow"},
    {"ishl", NULL, NULL, "nncc_ishl"},
    {"ishr", NULL, NULL, "nncc_ishr"},
    {"trailing_zeros", NULL, NULL, "nncc_trailing_zeros"},
    {"philox_first", NULL, NULL, "nncc_philox_first"},
    {"philox_last", NULL, NULL, "nncc_philox_last"},
    {NULL, NULL, NULL, NULL},
};

const MathName *math_name(const char *name) {
    for (const MathName *m = math_names; m->name; m++)
        if (!strcmp(m->name, name)) return m;
    return NULL;
}

/* ---- runtime text: sections of runtime/nncc_math.h and nncc_random.h, "@helper name: needs" to "@end" ---- */

typedef struct {
    const char *needs, *text, *end;
} Section;

static bool find_in(const char *text, const char *name, Section *s) {
    static const char mark[] = "/* @helper ";
    const size_t length = strlen(name);
    for (const char *p = text; (p = strstr(p, mark));) {
        p += sizeof mark - 1;
        if (strncmp(p, name, length) || p[length] != ':') continue;
        s->needs = p + length + 1;
        s->text = strchr(p, '\n') + 1;
        s->end = strstr(s->text, "/* @end */");
        return true;
    }
    return false;
}

static bool find_section(const char *name, Section *s) {
    return find_in(embedded_nncc_math_h, name, s) || find_in(embedded_nncc_random_h, name, s);
}

bool is_helper(const char *name) {
    Section s;
    return find_section(name, &s);
}

/* The next word of a list that ends with the comment; NULL at its end. */
static const char *next_need(Arena *a, const char **p) {
    *p += strspn(*p, " ");
    const size_t n = strcspn(*p, " *");
    if (!n) return NULL;
    *p += n;
    return format(a, "%.*s", (int)n, *p - n);
}

static bool listed(const List *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (!strcmp(l->at[i], name)) return true;
    return false;
}

static void paste(Str *out, List *done, const char *name) {
    Section s;
    if (listed(done, name) || !find_section(name, &s)) return;
    for (const char *need; (need = next_need(out->arena, &s.needs));) paste(out, done, need);
    if (done->n) put_text(out, "\n");
    put_bytes(out, s.text, (size_t)(s.end - s.text));
    push(out->arena, done, arena_str(out->arena, name));
}

void put_runtime(Str *out, const List *needs) {
    List done = {0};
    for (int i = 0; i < needs->n; i++) paste(out, &done, needs->at[i]);
}

/* ---- numbers ---- */

/* A decimal number: 0.d1d2d3… times 10^point, digits without trailing zeros. */
typedef struct {
    bool negative;
    char digits[24];
    int n, point;
} Decimal;

/* Takes apart what printf's %e gave; the locale's decimal point, whatever its bytes, is what is no digit before the e.
 */
static Decimal decimal_of(const char *text) {
    Decimal d = {.negative = *text == '-'};
    for (; *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && d.n < (int)sizeof d.digits) d.digits[d.n++] = *text;
    d.point = (int)strtol(text + 1, NULL, 10) + 1;
    while (d.n > 1 && d.digits[d.n - 1] == '0') d.n--;
    return d;
}

/* The shortest decimal that reads back as x: most numbers of a network need 8 or 9 digits (15 to 17 for double). */
static Decimal shortest(DType t, double x) {
    char text[48];
    const int last = t == DT_f64 ? 17 : 9;
    for (int digits = t == DT_f64 ? 15 : 6;; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, x);
        const double back = t == DT_f64 ? strtod(text, NULL) : (double)strtof(text, NULL);
        if (digits == last || back == x) return decimal_of(text);
    }
}

/* 0.00015 1.5 15000.0, and 1.5e-05 1.5e+20 beyond. */
static const char *decimal_text(Arena *a, const Decimal *d, const char *suffix) {
    const char *sign = d->negative ? "-" : "";
    if (d->point < -3 || d->point > 9)
        return format(a, "%s%c%s%.*se%+03d%s", sign, d->digits[0], d->n > 1 ? "." : "", d->n - 1, d->digits + 1,
                      d->point - 1, suffix);
    if (d->point <= 0) return format(a, "%s0.%.*s%.*s%s", sign, -d->point, "0000", d->n, d->digits, suffix);
    const int whole = d->point < d->n ? d->point : d->n, part = d->n - whole;
    return format(a, "%s%.*s%.*s.%.*s%s", sign, whole, d->digits, d->point - whole, "000000000", part ? part : 1,
                  part ? d->digits + whole : "0", suffix);
}

static const char *float_text(Arena *a, DType t, double x) {
    const char *promoted = t == DT_f64 ? "(double)" : "";
    if (x != x) return format(a, "%sNAN", promoted);
    if (x - x != 0) return format(a, "%s%sINFINITY", x < 0 ? "-" : "", promoted);
    const Decimal d = shortest(t, x);
    return decimal_text(a, &d, dtypes[t].suffix);
}

/* The least integer of a type that is not promoted has no literal: its digits alone are too large for the type. */
static const char *signed_text(Arena *a, DType t, int64_t i) {
    const bool least = dtypes[t].kind == 'i' && dtypes[t].bytes >= 4 && i == dtype_min(t);
    return format(a, least ? "(%lld - 1)" : "%lld", (long long)(least ? i + 1 : i));
}

const char *number_text(Arena *a, DType t, Scalar s) {
    ASSERT(t != DT_str);
    if (t == DT_f64) return float_text(a, t, s.f);
    if (is_float(t)) return float_text(a, t, (double)(float)s.f);
    if (dtypes[t].kind == 'u') return format(a, "%llu%s", (unsigned long long)s.u, dtypes[t].suffix);
    return signed_text(a, t, s.i);
}

bool needs_math_h(DType t, Scalar s) {
    return is_float(t) && (t == DT_f64 ? s.f - s.f != 0 : (double)(float)s.f - (double)(float)s.f != 0);
}
