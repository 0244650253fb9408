/* initialise.c - contents for parameters that a .nn file only describes ("glorot_uniform"): seeded, the same
 * everywhere. */
#include "../runtime/nncc_random.h"
#include "train/train.h"
#include <math.h>

/* Inputs and outputs of one unit: [out, in, kernel...], as in Conv and in Gemm with transB. */
static void fans(const Type *t, double *in, double *out) {
    double field = 1;
    for (int i = 2; i < t->rank; i++) field *= (double)t->dim[i].max;
    *out = field * (double)(t->rank > 0 ? t->dim[0].max : 1);
    *in = field * (double)(t->rank > 1 ? t->dim[1].max : t->rank > 0 ? t->dim[0].max : 1);
}

/* What stands in parentheses; how many numbers. */
static int two_given(const char *init, double *a, double *b) {
    const char *args = strchr(init, '(');
    return args ? sscanf(args, "(%lf, %lf", a, b) : 0;
}

/* scale / fan is the variance; Glorot and Bengio 2010, He et al. 2015, LeCun et al. 1998. */
static const struct {
    const char *name;
    double scale;
    char fan, shape;
} scaled[] = {{"glorot_uniform", 1, 'a', 'u'}, {"glorot_normal", 1, 'a', 't'}, {"he_uniform", 2, 'i', 'u'},
              {"he_normal", 2, 'i', 't'},      {"lecun_uniform", 1, 'i', 'u'}, {"lecun_normal", 1, 'i', 't'}};

static const double truncated_deviation = 0.87962566103423978; /* of a normal cut at 2 */

/* glorot_uniform(fan_in, fan_out), for weights of another layout. */
static Draw scaled_draw(const Value *v, int row) {
    double in, out;
    fans(&v->type, &in, &out);
    two_given(v->init, &in, &out);
    double variance = scaled[row].scale / (scaled[row].fan == 'a' ? (in + out) / 2 : in), limit = sqrt(3 * variance);
    if (scaled[row].shape == 'u') return (Draw){DRAW_UNIFORM, 0, -limit, 2 * limit};
    return (Draw){DRAW_TRUNCATED, 0, 0, sqrt(variance) / truncated_deviation};
}

static bool called(const char *init, const char *name) {
    size_t n = strcspn(init, "(");
    return strlen(name) == n && !strncmp(init, name, n);
}

/* uniform(a, b), uniform(a) for -a..a, normal(mean, deviation), normal(deviation). */
static Draw plain_draw(const char *init, DrawKind kind) {
    double a = 0, b = 0;
    int given = two_given(init, &a, &b);
    if (kind == DRAW_UNIFORM && given < 2) a = given ? -fabs(a) : -0.05, b = -a;
    if (kind != DRAW_UNIFORM && given < 2) b = given ? a : 0.05, a = 0;
    return (Draw){kind, 0, a, kind == DRAW_UNIFORM ? b - a : b};
}

/* orthogonal(rows, columns): as many such matrices as there is room for; alone one, of a row for each index of axis 0.
 */
static Draw orthogonal_draw(const Value *v) {
    int64_t count = type_count(&v->type), first = v->type.rank ? v->type.dim[0].max : 1;
    double rows = (double)first, cols = first ? (double)(count / first) : 0;
    two_given(v->init, &rows, &cols);
    Draw d = {.kind = DRAW_ORTHOGONAL, .rows = count, .cols = 1};
    bool fits = rows >= 1 && cols >= 1 && rows * cols <= (double)count;
    if (fits && count % ((int64_t)rows * (int64_t)cols) == 0) d.rows = (int64_t)rows, d.cols = (int64_t)cols;
    return d;
}

/* A parameter's stream follows from its name, so that adding a layer changes no other. */
static uint32_t stream_of(const Value *v) { return hash_bytes(v->name, strlen(v->name), 0); }

bool draw_of(const Value *v, Draw *d) {
    static const char *const plain[] = {
        [DRAW_UNIFORM] = "uniform", [DRAW_NORMAL] = "normal", [DRAW_TRUNCATED] = "truncated_normal"};
    bool found = false;
    for (int i = 0; i < COUNT(scaled) && v->init; i++)
        if (called(v->init, scaled[i].name)) *d = scaled_draw(v, i), found = true;
    for (int i = 0; i < COUNT(plain) && v->init; i++)
        if (called(v->init, plain[i])) *d = plain_draw(v->init, (DrawKind)i), found = true;
    if (v->init && called(v->init, "orthogonal")) *d = orthogonal_draw(v), found = true;
    d->stream = stream_of(v);
    return found;
}

static double drawn_at(const Draw *d, int64_t i) {
    static double (*const at[])(uint32_t, uint32_t, int64_t) = {nncc_uniform_at, nncc_normal_at, nncc_truncated_at};
    return d->shift + d->scale * at[d->kind](0, d->stream, i);
}

static void fill_orthogonal(Arena *a, Tensor *t, const Draw *d) {
    double *p = NEW_ARRAY(a, double, t->count);
    nncc_orthogonal_f64(p, t->count, d->rows, d->cols, 0, d->stream);
    for (int64_t i = 0; i < t->count; i++) set_f(t, i, p[i]);
}

static void fill(Module *m, const Value *v) {
    Tensor *t = v->data;
    Draw d;
    bool random = draw_of(v, &d), ones = v->init && called(v->init, "ones");
    if (random && d.kind == DRAW_ORTHOGONAL)
        fill_orthogonal(m->arena, t, &d);
    else
        for (int64_t i = 0; i < t->count && (random || ones); i++) set_f(t, i, ones ? 1 : drawn_at(&d, i));
}

void initialise_params(Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        int64_t dim[MAX_RANK];
        if (v->data || v->kind == V_CONST || !type_known(&v->type)) continue;
        for (int d = 0; d < v->type.rank; d++) dim[d] = v->type.dim[d].max;
        v->data = tensor_new(m->arena, v->type.dtype, v->type.rank, dim);
        fill(m, v);
    }
}
