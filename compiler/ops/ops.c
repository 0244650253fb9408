/* ops.c - the tables instantiated: element types, operators, passes; their listing and their check. */
#include "ops/ops.h"
#include "../runtime/nncc_random.h"
#include "ir/build.h"
#include "lower/rows_move.h"
#include "lower/rows_nn.h"
#include "ops/infer.h"
#include "ops/rules_control.h"
#include "ops/rules_nn.h"
#include "ops/rules_shape.h"
#include <limits.h>
#include <math.h>

/* Integer functions of MAP texts, for folding and the interpreter: wide enough for every integer type, the result is
 * wrapped to the type afterwards. Their C twins are in runtime/nncc_math.h. */
static inline int64_t s_idiv(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b; }
static inline int64_t s_irem(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
static inline int64_t s_imod(int64_t a, int64_t b) {
    int64_t r = s_irem(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static inline int64_t s_iabs(int64_t a) { return a < 0 ? (int64_t)(0 - (uint64_t)a) : a; }
static inline int64_t s_ishl(int64_t a, int64_t b) { return b < 0 || b > 63 ? 0 : (int64_t)((uint64_t)a << b); }
static inline int64_t s_ishr(int64_t a, int64_t b) { return b < 0 || b > 63 ? (a < 0 ? -1 : 0) : a >> b; }
static inline uint64_t u_ipow(uint64_t a, uint64_t b) {
    uint64_t r = 1;
    for (; b; b >>= 1, a *= a)
        if (b & 1) r *= a;
    return r;
}
static inline int64_t s_ipow(int64_t a, int64_t b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    return (int64_t)u_ipow((uint64_t)a, (uint64_t)b);
}
static inline uint64_t u_idiv(uint64_t a, uint64_t b) { return b ? a / b : 0; }
static inline uint64_t u_irem(uint64_t a, uint64_t b) { return b ? a % b : 0; }
static inline uint64_t u_imod(uint64_t a, uint64_t b) { return u_irem(a, b); }
static inline uint64_t u_iabs(uint64_t a) { return a; }
static inline uint64_t trailing_zeros(uint64_t a) { return a ? (uint64_t)__builtin_ctzll(a) : 0; }
static inline uint64_t u_ishl(uint64_t a, uint64_t b) { return b > 63 ? 0 : a << b; }
static inline uint64_t u_ishr(uint64_t a, uint64_t b) { return b > 63 ? 0 : a >> b; }

#define PHILOX(half)                                                                                                   \
    static inline int64_t s_philox_##half(int64_t a, int64_t b, int64_t c) {                                           \
        return nncc_philox_##half##_i64(a, b, c);                                                                      \
    }                                                                                                                  \
    static inline uint64_t u_philox_##half(uint64_t a, uint64_t b, uint64_t c) {                                       \
        return (uint64_t)nncc_philox_##half##_i64((int64_t)a, (int64_t)b, (int64_t)c);                                 \
    }
PHILOX(first)
PHILOX(last)
#undef PHILOX

static inline double round_f16(double a) { return (double)f16_to_f32(f32_to_f16((float)a)); }
static inline double round_bf16(double a) { return (double)bf16_to_f32(f32_to_bf16((float)a)); }
#define ROUNDED(id)                                                                                                    \
    static inline double round_##id(double a, double b) { return small_round(DT_##id, a, b); }
ROUNDED(f8e4m3fn)
ROUNDED(f8e4m3fnuz)
ROUNDED(f8e5m2)
ROUNDED(f8e5m2fnuz)
ROUNDED(f6e2m3)
ROUNDED(f6e3m2)
ROUNDED(f4e2m1)
#undef ROUNDED
static inline double round_f8e8m0(double a, double b, double c) { return round_e8m0(a, b, c); }
static inline double round_odd(double a) { return (double)odd_f32(a); }
/* The remainder with the sign of the divisor, exact as fmod is; a zero has that sign too. */
static inline double floormod(double a, double b) {
    double r = fmod(a, b);
    if (r == 0) return copysign(0, b);
    return (r < 0) != (b < 0) ? r + b : r; /* NaN stays NaN */
}
/* The logistic function by way of what does not overflow; its C twins are nncc_sigmoidf and nncc_sigmoid. */
static inline double sigmoid(double a) {
    double e = exp(-fabs(a));
    return (a < 0 ? e : 1) / (1 + e);
}

/* Every MAP text compiled three times: in double, in int64_t, in uint64_t. */
#define RED(...)
#define DEF(...)
#define OP(...)
#define NAMED(...)
#define UNUSED_ARGS (void)a, (void)b, (void)c
#define MAP(id, n, text, itext, ...)                                                                                   \
    static double f_##id(double a, double b, double c) {                                                               \
        UNUSED_ARGS;                                                                                                   \
        return (double)(text);                                                                                         \
    }
#include "ops/ops.def"
#undef MAP
#define idiv         s_idiv
#define irem         s_irem
#define imod         s_imod
#define iabs         s_iabs
#define ishl         s_ishl
#define ishr         s_ishr
#define ipow         s_ipow
#define philox_first s_philox_first
#define philox_last  s_philox_last
#define MAP(id, n, text, itext, ...)                                                                                   \
    static int64_t i_##id(int64_t a, int64_t b, int64_t c) {                                                           \
        UNUSED_ARGS;                                                                                                   \
        return (int64_t)(itext);                                                                                       \
    }
#include "ops/ops.def"
#undef MAP
#undef idiv
#undef irem
#undef imod
#undef iabs
#undef ishl
#undef ishr
#undef ipow
#undef philox_first
#undef philox_last
#define idiv         u_idiv
#define irem         u_irem
#define imod         u_imod
#define iabs         u_iabs
#define ishl         u_ishl
#define ishr         u_ishr
#define ipow         u_ipow
#define philox_first u_philox_first
#define philox_last  u_philox_last
#define MAP(id, n, text, itext, ...)                                                                                   \
    static uint64_t u_##id(uint64_t a, uint64_t b, uint64_t c) {                                                       \
        UNUSED_ARGS;                                                                                                   \
        return (uint64_t)(itext);                                                                                      \
    }
#if defined __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits"
#endif
#include "ops/ops.def"
#if defined __GNUC__
#pragma GCC diagnostic pop
#endif
#undef MAP
#undef RED
#undef DEF
#undef OP
#undef NAMED

#define MAP(id, n, text, itext, ...)                                                                                   \
    [OP_##id] = {.kind = K_MAP,                                                                                        \
                 .name = #id,                                                                                          \
                 .in = n,                                                                                              \
                 .c = #text,                                                                                           \
                 .ci = #itext,                                                                                         \
                 .eval_f = f_##id,                                                                                     \
                 .eval_i = i_##id,                                                                                     \
                 .eval_u = u_##id,                                                                                     \
                 __VA_ARGS__},
#define RED(id, ...)                [OP_##id] = {.kind = K_RED, .name = #id, __VA_ARGS__},
#define DEF(id, n, text, ...)       [OP_##id] = {.kind = K_DEF, .name = #id, .in = n, .def = text, __VA_ARGS__},
#define OP(id, n, ...)              [OP_##id] = {.kind = K_OP, .name = #id, .in = n, __VA_ARGS__},
#define NAMED(id, as, n, text, ...) [OP_##id] = {.kind = K_DEF, .name = as, .in = n, .def = text, __VA_ARGS__},
const Op ops[] = {
#include "ops/ops.def"
};
const int n_ops = COUNT(ops);

static bool same_domain(const char *a, const char *b) {
    if (!a || !strcmp(a, "ai.onnx")) a = "";
    if (!b || !strcmp(b, "ai.onnx")) b = "";
    return !strcmp(a, b);
}

const Op *find_op(const char *domain, const char *name) {
    for (int i = 0; i < n_ops; i++)
        if (!strcmp(ops[i].name, name) && same_domain(ops[i].domain, domain)) return &ops[i];
    return NULL;
}

int max_inputs(const Op *op) { return op->nary || op->in_max < 0 ? INT_MAX : op->in_max ? op->in_max : op->in; }

int max_outputs(const Op *op) {
    int out = op->out ? op->out : 1;
    return op->out_max < 0 ? INT_MAX : op->out_max ? op->out_max : out;
}

/* ---- listing ---- */

static const char *const kind_names[] = {"map", "reduce", "define", "op"};
static const char *const attr_kinds[] = {"", "int", "float", "string", "ints", "floats", "strings", "tensor", "graph"};

static void put_default(FILE *f, const Attr *a) {
    if (a->must) {
        fputs(" (required)", f);
        return;
    }
    if (a->kind == A_INT) fprintf(f, " = %lld", (long long)a->i);
    if (a->kind == A_FLOAT) fprintf(f, " = %.9g", a->f);
    if (a->kind == A_STR && a->s) fprintf(f, " = \"%s\"", a->s);
}

static void put_attrs(FILE *f, const Op *op) {
    for (int i = 0; i < ROW_ATTRS && op->attr[i].name && !op->attr[i].own; i++) {
        fprintf(f, "%s%s: %s", i ? ", " : "", op->attr[i].name, attr_kinds[op->attr[i].kind]);
        put_default(f, &op->attr[i]);
    }
}

static const char *const access_names[] = {[ACCESS_OTHER] = "",
                                           [ACCESS_ELEMENTWISE] = "elementwise",
                                           [ACCESS_REDUCTION] = "reduction",
                                           [ACCESS_CONTRACTION] = "contraction",
                                           [ACCESS_WINDOW] = "window",
                                           [ACCESS_MOVEMENT] = "movement",
                                           [ACCESS_RECURRENCE] = "recurrence"};

static const char *row_status(const Op *op) { return op->unsupported ? "refused" : op->since ? "" : "internal"; }

static bool has_gradient(const Op *op) {
    for (int i = 0; i < MAX_GRAD; i++)
        if (gradient_text(op, i)) return true;
    return false;
}

/* Whether a letter of a row's types may stand for floats. */
static bool may_be_float(const Op *op, const char *types) {
    if (!types) types = "T";
    for (; *types; types++)
        if (strchr("UVWf*", *types) || (*types == 'T' && (!op->types || strchr(op->types, 'f')))) return true;
    return false;
}

static bool only_zeros(const Op *op) {
    for (int i = 0; i < MAX_GRAD; i++)
        if (gradient_text(op, i) && strcmp(gradient_text(op, i), "0")) return false;
    return has_gradient(op);
}

/* Composites of floats are opened before they are differentiated. */
static bool is_opened(const Op *op) { return op->opened || op->kind == K_DEF || op->expand; }

const char *gradient_kind(const Op *op) {
    if (op->no_grad) return op->no_grad;
    if (has_gradient(op) && !only_zeros(op)) return "rule";
    bool through = may_be_float(op, op->in_types) && may_be_float(op, op->out_types) && !op->draws && !only_zeros(op);
    return !through ? "none flows" : is_opened(op) ? "meaning" : NULL;
}

static void row_markdown(FILE *f, const Op *op, Arena *a) {
    fprintf(f, "| %s | ", op->name);
    if (op->since) fprintf(f, "%d", op->since);
    fputs(" | ", f);
    Str kinds = {.arena = a};
    if (op->types) put_kinds(&kinds, op->types);
    fprintf(f, "%s | %s | ",
            op->unsupported ? ""
            : op->types     ? kinds.s
                            : "any",
            gradient_kind(op) ? gradient_kind(op) : "");
    fprintf(f, "%s | ", op->unsupported ? "" : access_names[access_of(op)]);
    fprintf(f, "%s%s", op->unsupported ? "refused: " : "", op->unsupported ? op->unsupported : op->doc);
    const char *text = op->kind == K_MAP ? op->c[0] == '0' && !op->c[1] ? op->ci : op->c : op->def;
    if (text) {
        fputs(" `", f);
        for (const char *s = text; *s; s++) fputs(*s == '|' ? "\\|" : (char[]){*s, 0}, f);
        fputs("`", f);
    }
    fputs(" | ", f);
    put_attrs(f, op);
    fputs(" |\n", f);
}

static const char *domain_shown(const Op *op) {
    return op->domain ? op->domain : op->since || op->unsupported ? "ai.onnx" : "nncc";
}

static void list_markdown(FILE *f) {
    fputs("# Operators\n\nThe rows of `compiler/ops/ops.def`, by domain. `since` is the opset whose meaning nncc "
          "holds; older "
          "forms are\nupgraded when a model is read. `types`: what T may be.\n\n"
          "`gradient`: rule, where the row has one; meaning, where it follows from the rows it stands for; none flows, "
          "from\nintegers or to them; else what is done instead, or why there is none.\n\n"
          "`access`: which elements of its inputs an element of a result is made of; fusion goes by it.\n",
          f);
    Arena *a = arena_new(0, NULL, NULL);
    for (int i = 0; i < n_ops; i++) {
        const char *domain = domain_shown(&ops[i]);
        int k = 0;
        while (strcmp(domain_shown(&ops[k]), domain)) k++;
        if (k < i) continue; /* its section is written */
        fprintf(f, "\n## %s\n\n| operator | since | types | gradient | access | meaning | attributes |\n", domain);
        fputs("|---|---|---|---|---|---|---|\n", f);
        for (k = i; k < n_ops; k++)
            if (!strcmp(domain_shown(&ops[k]), domain)) row_markdown(f, &ops[k], a);
    }
    arena_free(a);
}

void list_ops(FILE *f, bool markdown) {
    if (markdown) {
        list_markdown(f);
        return;
    }
    for (int i = 0; i < n_ops; i++) {
        const Op *op = &ops[i];
        fprintf(f, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t", op->domain ? op->domain : "", op->name, op->since,
                kind_names[op->kind], op->in, max_inputs(op), op->out ? op->out : 1, max_outputs(op));
        put_attrs(f, op);
        fprintf(f, "\t%s\t%s\n", row_status(op), has_gradient(op) ? "gradient" : "");
    }
}
