/* print_value.c - what stands for itself in .nn text: names, numbers, types, contents. */
#include "ir/storage.h"
#include "ops/infer.h"
#include "ops/spelling.h"
#include "text/parser.h"
#include "text/print.h"
#include <math.h>

enum { WEIGHTS_ALIGN = 64 };

/* ---- names and numbers ---- */

/* Whether text, rounded to the type as the parser does, gives f. */
static bool reads_back(const char *text, double f, DType t) {
    return cast_scalar((Scalar){.f = strtod(text, NULL)}, DT_f64, t).f == f;
}

/* The fewest digits that read back as a finite number. Most trained weights need as many as are tried first, or one
 * more; with fewer, what is printed is no nearer. */
static void shortest(char text[40], double f, DType t) {
    int digits = dtypes[t].bytes == 8 ? 16 : dtypes[t].bytes == 4 ? 8 : 4;
    char less[40];
    snprintf(text, 40, "%.*g", digits, f);
    if (!reads_back(text, f, t)) {
        do snprintf(text, 40, "%.*g", ++digits, f);
        while (!reads_back(text, f, t));
        return;
    }
    while (digits > 1) {
        snprintf(less, 40, "%.*g", --digits, f);
        if (!reads_back(less, f, t)) return;
        strcpy(text, less);
    }
}

static void put_float(Str *s, double f, DType t) {
    char text[40];
    if (isnan(f))
        strcpy(text, "nan");
    else if (isinf(f))
        strcpy(text, f < 0 ? "-inf" : "inf");
    else
        shortest(text, f, t);
    put_text(s, text);
}

void put_double(Str *s, double f, bool point) {
    char text[40], single[40];
    if (!isfinite(f)) {
        put_float(s, f, DT_f64);
        return;
    }
    bool is_single = (double)(float)f == f;
    shortest(text, f, DT_f64);
    if (is_single) shortest(single, f, DT_f32);
    if (is_single && strlen(single) + 1 < strlen(text))
        put(s, "%sf", single);
    else
        put(s, point && !strpbrk(text, ".e") ? "%s.0" : "%s", text);
}

/* ---- types ---- */

void put_ints(Str *s, int n, const int64_t *v) {
    put_text(s, "[");
    for (int i = 0; i < n; i++) put(s, "%s%lld", i ? ", " : "", (long long)v[i]);
    put_text(s, "]");
}

void put_value_type(Str *s, const Value *v) {
    put_type(s, &v->type);
    const struct {
        const char *name;
        const int64_t *numbers;
        int n;
    } part[] = {{"strides", v->layout.stride, v->type.rank},
                {"halo", v->layout.halo, 2 * v->type.rank},
                {"block", v->layout.block, 3}};
    const char *before = "{";
    for (int i = 0; i < COUNT(part); i++) {
        if (!part[i].numbers) continue;
        put(s, "%s%s = ", before, part[i].name);
        put_ints(s, part[i].n, part[i].numbers);
        before = ", ";
    }
    if (!is_dense(v)) put_text(s, "}");
}

/* ---- contents ---- */

static const char *element(const Tensor *t, int64_t i) { return (const char *)t->data + i * dtypes[t->dtype].bytes; }

/* A NaN other than the one that 'nan' reads as shows its bits. */
static void put_nan(Str *s, DType t, const char *at) {
    unsigned char usual[8];
    uint64_t bits = 0;
    for (int sign = 0; sign < 2; sign++) {
        store_scalar(t, usual, (Scalar){.f = sign ? -(double)NAN : (double)NAN});
        if (!memcmp(usual, at, (size_t)dtypes[t].bytes)) {
            put_text(s, sign ? "-nan" : "nan");
            return;
        }
    }
    for (int i = 0; i < dtypes[t].bytes; i++) bits |= (uint64_t)(unsigned char)at[i] << 8 * i;
    put(s, "nan(0x%llx)", (unsigned long long)bits);
}

static void put_element(Str *s, DType t, const char *at) {
    if (t == DT_str) {
        const char *string;
        memcpy(&string, at, sizeof string);
        put_quoted(s, string);
        return;
    }
    Scalar x = load_scalar(t, at);
    if (holds_floats(t) && isnan(x.f))
        put_nan(s, t, at);
    else if (holds_floats(t))
        put_float(s, x.f, t);
    else if (t == DT_bool)
        put_text(s, x.i ? "true" : "false");
    else if (dtypes[t].kind == 'u')
        put(s, "%llu", (unsigned long long)x.u);
    else
        put(s, "%lld", (long long)x.i);
}

static bool all_equal(const Tensor *t) {
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    for (int64_t i = 1; i < t->count; i++)
        if (memcmp(element(t, i), t->data, bytes)) return false;
    return t->count > 1;
}

/* The offset at which the contents stand in the sidecar, where they are appended. */
static size_t add_weights(Str *w, const Tensor *t) {
    static const char zeros[WEIGHTS_ALIGN];
    put_bytes(w, zeros, (WEIGHTS_ALIGN - w->n % WEIGHTS_ALIGN) % WEIGHTS_ALIGN);
    size_t offset = w->n;
    put_bytes(w, t->data, (size_t)t->count * (size_t)dtypes[t->dtype].bytes);
    return offset;
}

static void put_list(Str *s, const Tensor *t) {
    put_text(s, "[");
    for (int64_t i = 0; i < t->count; i++) {
        if (i) put_text(s, ", ");
        put_element(s, t->dtype, element(t, i));
    }
    put_text(s, "]");
}

void put_contents(Printer *p, const Tensor *t) {
    Str *s = p->out;
    if (t->rank == 0) {
        put_element(s, t->dtype, t->data);
    } else if (t->dtype == DT_str) {
        put_list(s, t);
    } else if (all_equal(t)) {
        put_text(s, "splat(");
        put_element(s, t->dtype, t->data);
        put_text(s, ")");
    } else if (t->count <= INLINE_ELEMENTS || !p->weights) {
        put_list(s, t);
    } else {
        put(s, "weights(%zu)", add_weights(p->weights, t));
    }
}

bool has_contents(const Tensor *t) { return t != NULL; }
