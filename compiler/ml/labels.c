/* labels.c - operators of ai.onnx.ml that put labels in place of numbers, or the reverse */
#include "ir/build.h"
#include "ir/diag.h"
#include "ml/ml.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"

/* ---- labels of classifiers ---- */

int count_labels(const Node *n, const char *ints, const char *strings) {
    return attr(n, strings)->n ? attr(n, strings)->n : attr(n, ints)->n;
}

void set_labels(Node *n, int result, const char *strings, Dim count) {
    set_result(n, result, attr(n, strings)->n ? DT_str : DT_i64, 1, &count);
}

Value *labels_at(Node *n, const char *ints, const char *strings, Value *classes) {
    Module *m = n->graph->module;
    const Attr *words = attr(n, strings);
    Value *labels = words->n ? const_new(m, NULL, strings_new(m->arena, 1, (int64_t[]){words->n}, words->strs))
                             : const_ints(m, attr(n, ints)->n, attr(n, ints)->ints);
    return build_text(n, "Gather(m, p)", 2, (Value *[]){labels, classes});
}

/* The maps of a ZipMap are one tensor: a row for each, a column for each key. */
void infer_zip_map(Node *n) {
    Dim count;
    int64_t columns;
    int keys = count_labels(n, "classlabels_int64s", "classlabels_strings");
    if (!examples_of(n, 0, &count, &columns)) return;
    if (keys == columns)
        set_result(n, 0, float_of(n), 2, (Dim[]){count, fixed(columns)});
    else
        problem(n, EXIT_INPUT, "expected a label for each of %lld columns, saw %d", (long long)columns, keys);
}

/* ---- LabelEncoder and CategoryMapper: the value beside the first key that is equal ---- */

typedef struct {
    Tensor *keys, *values, *other;
} Mapping;

static Tensor *numbered(Arena *a, int n) {
    Tensor *t = tensor_new(a, DT_i64, 1, (int64_t[]){n});
    for (int i = 0; i < n; i++) set_i(t, i, i);
    return t;
}

static Tensor *string_of(Arena *a, const char *s) { return strings_new(a, 1, (int64_t[]){1}, &s); }

/* An attribute as a vector; NULL if it is not given. */
static Tensor *vector_of(const Node *n, const char *name) {
    Arena *arena = n->graph->module->arena;
    const Attr *a = attr(n, name);
    int64_t count = a->n;
    Tensor *t = NULL;
    if (a->kind == A_TENSOR) return a->tensor;
    if (!a->set || !count) return NULL;
    if (a->kind == A_STRS) return strings_new(arena, 1, &count, a->strs);
    if (a->kind == A_INTS) return tensor_of(arena, DT_i64, 1, &count, a->ints);
    t = tensor_new(arena, float_of(n), 1, &count);
    for (int i = 0; i < a->n; i++) set_f(t, i, a->floats[i]);
    return t;
}

static Tensor *first_given(const Node *n, int count, const char *const *names) {
    for (int i = 0; i < count; i++) {
        Tensor *t = vector_of(n, names[i]);
        if (t) return t;
    }
    return NULL;
}

/* What a key that is not listed becomes, of the type of the values. */
static Tensor *default_of(const Node *n, DType t) {
    Arena *a = n->graph->module->arena;
    Tensor *d = IS(n, LabelEncoder) ? attr(n, "default_tensor")->tensor : NULL;
    if (d) return d;
    if (t == DT_str) return string_of(a, attr_s(n, "default_string"));
    d = tensor_new(a, t, 1, (int64_t[]){1});
    if (is_float(t))
        set_f(d, 0, attr_f(n, "default_float"));
    else
        set_i(d, 0, attr_i(n, "default_int64"));
    return d;
}

static Mapping encoder_of(const Node *n) {
    static const char *const keys[] = {"keys_tensor", "keys_strings", "keys_int64s", "keys_floats"};
    static const char *const values[] = {"values_tensor", "values_strings", "values_int64s", "values_floats"};
    Mapping f = {first_given(n, COUNT(keys), keys), first_given(n, COUNT(values), values), NULL};
    Tensor *classes = vector_of(n, "classes_strings");
    if (classes) { /* version 1: strings and their numbers, either way */
        Tensor *numbers = numbered(n->graph->module->arena, (int)classes->count);
        bool forth = n->in[0]->type.dtype == DT_str;
        f.keys = forth ? classes : numbers, f.values = forth ? numbers : classes;
    }
    if (f.values) f.other = default_of(n, f.values->dtype);
    return f;
}

static Mapping mapper_of(const Node *n) {
    Tensor *strings = vector_of(n, "cats_strings"), *ints = vector_of(n, "cats_int64s");
    bool forth = n->in[0]->type.dtype == DT_str;
    Mapping f = {forth ? strings : ints, forth ? ints : strings, NULL};
    if (f.values) f.other = default_of(n, f.values->dtype);
    return f;
}

static void infer_mapping(Node *n, Mapping f) {
    const Type *t = in_type(n, 0);
    if (!f.keys || !f.values || f.keys->count != f.values->count)
        problem(n, EXIT_INPUT, "expected as many keys as values, saw %lld and %lld",
                f.keys ? (long long)f.keys->count : 0, f.values ? (long long)f.values->count : 0);
    else if (f.keys->dtype != t->dtype)
        problem(n, EXIT_INPUT, "%s: expected %s, as the keys are, saw %s", arg_text(n, 0), dtypes[f.keys->dtype].name,
                in_text(n, 0));
    else if (f.other->count != 1 || f.other->dtype != f.values->dtype)
        problem(n, EXIT_INPUT, "expected one default of type %s, saw %lld of %s", dtypes[f.values->dtype].name,
                (long long)f.other->count, dtypes[f.other->dtype].name);
    else
        set_result(n, 0, f.values->dtype, t->rank, t->dim);
}

static bool holds_nan(const Tensor *t) {
    for (int64_t i = 0; is_float(t->dtype) && i < t->count; i++)
        if (get_f(t, i) != get_f(t, i)) return true;
    return false;
}

/* A key that is no number is equal to another one (LabelEncoder, version 2). */
static void expand_mapping(Node *n, Mapping f) {
    Module *m = n->graph->module;
    Value *with[] = {n->in[0], const_new(m, NULL, f.keys), const_new(m, NULL, f.values), const_new(m, NULL, f.other)};
    const char *text =
        format(m->arena,
               "x = Unsqueeze(m, [%d]); k = Reshape(p, [-1]); e = x == k%s; i = Range(cast(0, \"i64\"), %lld, 1); "
               "j = ReduceMin(Where(e, i, %lld), [-1], keepdims = 0); Gather(Concat(Reshape(q, [-1]), Reshape(n, "
               "[-1]), axis = 0), j)",
               n->in[0]->type.rank, holds_nan(f.keys) ? " || IsNaN(x) && IsNaN(k)" : "", (long long)f.keys->count,
               (long long)f.keys->count);
    Value *y = build_text(n, text, 4, with);
    replaced_by(n, 1, &y);
}

void infer_label_encoder(Node *n) { infer_mapping(n, encoder_of(n)); }
void expand_label_encoder(Node *n) { expand_mapping(n, encoder_of(n)); }
void infer_category_mapper(Node *n) { infer_mapping(n, mapper_of(n)); }
void expand_category_mapper(Node *n) { expand_mapping(n, mapper_of(n)); }
