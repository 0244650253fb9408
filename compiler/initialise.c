/* initialise.c - contents for parameters that a .nn file only describes ("glorot_uniform"): seeded, the same
 * everywhere. */
#include "../runtime/nncc_random.h"
#include "nncc.h"
#include <math.h>

typedef struct {
    uint32_t seed, stream;
} Source;

static double uniform_at(const Source *s, int64_t i) { return nncc_uniform_at(s->seed, s->stream, i); }
static double normal_at(const Source *s, int64_t i) { return nncc_normal_at(s->seed, s->stream, i); }
static double truncated_at(const Source *s, int64_t i) { return nncc_truncated_at(s->seed, s->stream, i); }

/* Inputs and outputs of one unit: [out, in, kernel...], as in Conv and in Gemm with transB. */
static void fans(const Type *t, double *in, double *out) {
    double field = 1;
    for (int i = 2; i < t->rank; i++) field *= (double)t->dim[i].max;
    *out = field * (double)(t->rank > 0 ? t->dim[0].max : 1);
    *in = field * (double)(t->rank > 1 ? t->dim[1].max : t->rank > 0 ? t->dim[0].max : 1);
}

/* scale / fan is the variance; Glorot and Bengio 2010, He et al. 2015, LeCun et al. 1998. */
static const struct {
    const char *name;
    double scale;
    char fan, shape;
} scaled[] = {{"glorot_uniform", 1, 'a', 'u'}, {"glorot_normal", 1, 'a', 't'}, {"he_uniform", 2, 'i', 'u'},
              {"he_normal", 2, 'i', 't'},      {"lecun_uniform", 1, 'i', 'u'}, {"lecun_normal", 1, 'i', 't'}};

static void fill_scaled(Tensor *t, const Type *type, const Source *s, int row) {
    double in, out;
    fans(type, &in, &out);
    double variance = scaled[row].scale / (scaled[row].fan == 'a' ? (in + out) / 2 : in);
    for (int64_t i = 0; i < t->count; i++) {
        if (scaled[row].shape == 'u')
            set_f(t, i, (2 * uniform_at(s, i) - 1) * sqrt(3 * variance));
        else
            set_f(t, i, truncated_at(s, i) * sqrt(variance) / 0.87962566103423978); /* deviation of a normal cut at 2 */
    }
}

/* Rows made orthonormal one after the other (modified Gram-Schmidt); more rows than columns start afresh. */
static void fill_orthogonal(Arena *a, Tensor *t, const Source *s) {
    int64_t rows = t->rank ? t->dim[0] : 1, cols = rows ? t->count / rows : 0;
    double *q = NEW_ARRAY(a, double, t->count);
    for (int64_t i = 0; i < t->count; i++) q[i] = normal_at(s, i);
    for (int64_t r = 0; r < rows; r++) {
        double *v = q + r * cols, norm = 0;
        for (int64_t p = r / (cols ? cols : 1) * cols; p < r; p++) {
            double dot = 0;
            for (int64_t c = 0; c < cols; c++) dot += v[c] * q[p * cols + c];
            for (int64_t c = 0; c < cols; c++) v[c] -= dot * q[p * cols + c];
        }
        for (int64_t c = 0; c < cols; c++) norm += v[c] * v[c];
        for (int64_t c = 0; c < cols; c++) set_f(t, r * cols + c, v[c] /= norm > 0 ? sqrt(norm) : 1);
    }
}

static void fill(Module *m, Tensor *t, const Type *type, const char *init, const Source *s) {
    double a = 0, b = 0;
    int given = 0;
    const char *args = strchr(init, '(');
    size_t n = strcspn(init, "(");
    if (args) given = sscanf(args, "(%lf, %lf", &a, &b);
    for (int i = 0; i < COUNT(scaled); i++)
        if (strlen(scaled[i].name) == n && !strncmp(init, scaled[i].name, n)) {
            fill_scaled(t, type, s, i);
            return;
        }
    if (!strncmp(init, "orthogonal", n)) {
        fill_orthogonal(m->arena, t, s);
        return;
    }
    bool uniform = !strncmp(init, "uniform", n), truncated = !strncmp(init, "truncated_normal", n),
         ones = !strncmp(init, "ones", n);
    if (uniform && given < 2) a = given ? -fabs(a) : -0.05, b = -a;
    if (!uniform && given < 2) b = given ? a : 0.05, a = given ? 0 : a;
    for (int64_t i = 0; i < t->count; i++) {
        double v = ones ? 1 : 0;
        if (uniform)
            v = a + (b - a) * uniform_at(s, i);
        else if (truncated)
            v = a + b * truncated_at(s, i);
        else if (!strncmp(init, "normal", n))
            v = a + b * normal_at(s, i);
        set_f(t, i, v);
    }
}

/* A parameter's stream follows from its name, so that adding a layer changes no other. */
void initialise_params(Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        int64_t dim[MAX_RANK];
        if (v->data || v->kind == V_CONST || !type_known(&v->type)) continue;
        for (int d = 0; d < v->type.rank; d++) dim[d] = v->type.dim[d].max;
        v->data = tensor_new(m->arena, v->type.dtype, v->type.rank, dim);
        Source s = {0, hash_bytes(v->name, strlen(v->name), 0)};
        fill(m, v->data, &v->type, v->init ? v->init : "zeros", &s);
    }
}
