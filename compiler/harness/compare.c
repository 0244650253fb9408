/* compare.c - how far a result is from its reference. */
#include "harness/compare.h"
#include <math.h>

static const void *element(const Tensor *t, int64_t i) { return (const char *)t->data + i * dtypes[t->dtype].bytes; }

static bool comparable(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype && !(holds_floats(a->dtype) && holds_floats(b->dtype))) return false;
    return a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank);
}

/* A float's ordinal among all floats of its type, so that neighbours differ by one; both zeros have the same. */
static double ordinal(DType t, double f) {
    unsigned char bytes[8] = {0};
    int bits = dtypes[t].small ? dtypes[t].bits : 8 * dtypes[t].bytes;
    uint64_t u = 0, sign = t == DT_f8e8m0 ? 0 : (uint64_t)1 << (bits - 1);
    store_scalar(t, bytes, (Scalar){.f = f});
    for (int i = 0; i < dtypes[t].bytes; i++) u |= (uint64_t)bytes[i] << 8 * i;
    return u & sign ? -(double)(u & ~sign) : (double)u;
}

/* The error of one pair of floats, its infinities and NaNs included: those agree or are infinitely far apart. */
static double float_error(double reference, double got) {
    if (isnan(reference) || isnan(got)) return isnan(reference) && isnan(got) ? 0 : INFINITY;
    if (isinf(reference) || isinf(got)) return reference == got ? 0 : INFINITY;
    return fabs(reference - got);
}

/* Integers are compared as integers: 2^63 - 1 and 2^63 - 2 are one double. */
static double int_error(const Tensor *reference, const Tensor *got, int64_t i) {
    Scalar a = load_scalar(reference->dtype, element(reference, i)), b = load_scalar(got->dtype, element(got, i));
    if (a.u == b.u) return 0;
    double e = fabs(get_f(reference, i) - get_f(got, i));
    return e < 1 ? 1 : e;
}

static double largest_of(const Tensor *t) {
    double largest = 0;
    for (int64_t i = 0; i < t->count; i++) {
        double v = fabs(get_f(t, i));
        if (isfinite(v) && v > largest) largest = v;
    }
    return largest;
}

static bool is_constant(const Tensor *t) {
    size_t n = (size_t)dtypes[t->dtype].bytes;
    for (int64_t i = 1; i < t->count; i++)
        if (memcmp(element(t, i), element(t, 0), n)) return false;
    return t->count > 1;
}

static void compare_element(Difference *d, const Tensor *reference, const Tensor *got, int64_t i, Tolerance tol) {
    bool real = holds_floats(got->dtype);
    double want = get_f(reference, i), have = get_f(got, i);
    double e = real ? float_error(want, have) : int_error(reference, got, i);
    double allowed = real || tol.atol > 0 ? tol.atol + tol.rtol * (isfinite(want) ? fabs(want) : 0) : 0;
    if (e > d->abs) d->abs = e;
    if (real && isfinite(e)) d->ulp = fmax(d->ulp, fabs(ordinal(got->dtype, have) - ordinal(got->dtype, want)));
    if (e > allowed && !d->wrong++) d->at = i;
}

static Difference compare_strings(const Tensor *reference, const Tensor *got) {
    Difference d = {.same_type = true, .largest = 1};
    for (int64_t i = 0; i < reference->count; i++)
        if (strcmp(get_s(reference, i), get_s(got, i)) && !d.wrong++) d.at = i, d.abs = 1;
    d.rel = d.abs, d.ok = !d.wrong;
    return d;
}

Difference compare_tensors(const Tensor *reference, const Tensor *got, Tolerance tol) {
    Difference d = {.same_type = comparable(reference, got)};
    if (!d.same_type) return d;
    if (got->dtype == DT_str) return compare_strings(reference, got);
    d.largest = largest_of(reference);
    d.constant = is_constant(reference);
    if (got->dtype == DT_bf16 && tol.rtol < tol.bf16) tol.rtol = tol.bf16;
    if (tol.atol < 0) {
        if (holds_floats(got->dtype))
            tol.atol = 1e-5 * d.largest;
        else
            tol = (Tolerance){.rtol = 0};
    }
    for (int64_t i = 0; i < reference->count; i++) compare_element(&d, reference, got, i, tol);
    d.rel = d.abs == 0 ? 0 : d.abs / d.largest;
    d.ok = !d.wrong;
    return d;
}

static void put_shape(Str *s, const Tensor *t) {
    put_text(s, "[");
    for (int i = 0; i < t->rank; i++) put(s, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    put_text(s, "]");
}

static void put_index(Str *s, const Tensor *t, int64_t at) {
    int64_t rest = t->count;
    put_text(s, "[");
    for (int i = 0; i < t->rank; i++) {
        rest /= t->dim[i];
        put(s, "%s%lld", i ? "," : "", (long long)(at / rest));
        at %= rest;
    }
    put_text(s, "]");
}

/* A NaN's sign says nothing. */
static const char *value_text(Arena *a, double v) { return isnan(v) ? "nan" : format(a, "%.9g", v); }

static const char *element_text(Arena *a, const Tensor *t, int64_t i) {
    if (t->dtype == DT_str) return format(a, "\"%s\"", escaped(a, get_s(t, i), 60));
    return value_text(a, get_f(t, i));
}

void put_difference(Str *s, const char *name, const Tensor *reference, const Tensor *got, const Difference *d) {
    put(s, "%s ", escaped(s->arena, name, 60));
    put_shape(s, reference);
    if (!d->same_type) {
        put(s, "   expected %s, got %s ", dtypes[reference->dtype].name, dtypes[got->dtype].name);
        put_shape(s, got);
        put_text(s, "   WRONG");
        return;
    }
    if (got->dtype != DT_str) put(s, "   max abs %.1e   max rel %.1e", d->abs, d->rel);
    if (holds_floats(got->dtype)) put(s, "   %.0f ulp", d->ulp);
    if (d->ok) {
        put_text(s, "   ok");
        return;
    }
    put_text(s, "   at ");
    put_index(s, reference, d->at);
    put(s, ": expected %s", element_text(s->arena, reference, d->at));
    put(s, ", got %s", element_text(s->arena, got, d->at));
    put(s, "   WRONG (%lld of %lld)", (long long)d->wrong, (long long)reference->count);
}
