/* Importing ONNX: initializers in every form, old operators, functions, regions, names, dims, external data, and back.
 * What a graph of constants computes is seen from what infer folds. */
#include "check.h"
#include "ir/symbols.h"
#include "onnx_bytes.h"
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static Arena *arena;

/* ---- a model under construction ---- */

typedef struct {
    Str graph, model;
    int version;
    bool evaluate;
} Draft;

static Draft draft(int version) {
    Draft d = {message(arena), message(arena), version, true};
    put_string(&d.graph, 2, "g");
    return d;
}

static void constant(Draft *d, const char *name, int rank, const int64_t *dim, int n, const float *v) {
    put_message(&d->graph, INITIALIZER, raw_tensor(arena, name, T_FLOAT, rank, dim, v, sizeof *v * (size_t)n));
}

static void ramp(Draft *d, const char *name, int rank, const int64_t *dim) {
    float v[512];
    int n = 1;
    for (int i = 0; i < rank; i++) n *= (int)dim[i];
    for (int i = 0; i < n; i++) v[i] = (float)(i + 1);
    constant(d, name, rank, dim, n, v);
}

static void add(Draft *d, Str n) { put_message(&d->graph, NODE, n); }

static const char *model_path = "test.onnx"; /* external data may lie beside it */

static void import(Trial *t, void *draft_) {
    Draft *d = draft_;
    Str m = model_of(arena, d->version, d->graph);
    put_bytes(&m, d->model.s, d->model.n);
    import_onnx(t->m, model_path, m.s, m.n);
    if (!d->evaluate) return;
    pass_infer(t->m);
    stop_on_problems(t->m);
    pass_expand(t->m);
    pass_fold(t->m);
}

/* Imports; the first output is called y. */
static void build(Trial *t, Draft *d) {
    put_message(&d->graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    attempt(t, 0, import, d);
    if (t->code) fprintf(stderr, "%s", t->said);
}

/* The model must compute these numbers, in this shape. */
#define computes(...) computes_at(__LINE__, __VA_ARGS__)
static void computes_at(int line, Draft *d, int rank, const int64_t *dim, const double *want) {
    int before = checks_failed;
    Trial t = {0};
    build(&t, d);
    CHECK(!t.code);
    const Tensor *y = t.code ? NULL : t.m->main->out[0]->data;
    CHECK(y && y->rank == rank);
    for (int i = 0; y && i < rank; i++) CHECK(y->dim[i] == dim[i]);
    for (int64_t i = 0; y && i < y->count; i++) {
        double got = get_f(y, i);
        CHECK(fabs(got - want[i]) < 1e-5 * (1 + fabs(want[i])));
    }
    if (before != checks_failed) fprintf(stderr, "%s:%d: in this model\n", __FILE__, line);
    end_trial(&t);
}

static void fails(Draft *d, int code, const char *said) {
    Trial t = {0};
    put_message(&d->graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    attempt(&t, 0, import, d);
    CHECK(t.code == code);
    CHECK(says(&t, said));
    if (!says(&t, said)) fprintf(stderr, "expected '%s', got '%s'\n", said, t.said ? t.said : "");
    end_trial(&t);
}

#define DIMS(...)                                                                                                      \
    (int64_t[]) { __VA_ARGS__ }
#define NUMBERS(...)                                                                                                   \
    (double[]) { __VA_ARGS__ }

/* ---- initializers ---- */

enum { RAW, PACKED, FIELDS, SPLIT };

static void put_element(Str *s, int field, DType stored, double v) {
    if (stored == DT_f32)
        put_bytes(s, &(float){(float)v}, 4);
    else if (stored == DT_f64)
        put_bytes(s, &v, 8);
    else
        put_varint(s, (uint64_t)(int64_t)v);
    (void)field;
}

static Tensor *elements(DType dtype, int n, const double *v) {
    Tensor *x = tensor_new(arena, dtype, 1, DIMS(n));
    for (int i = 0; i < n; i++) set_f(x, i, v[i]);
    return x;
}

/* What the list of i32 has of small types: bytes that hold elements of 4 and 2 bits packed, the bits of others. */
static int small_list(const Tensor *x, double *codes) {
    bool packed = dtypes[x->dtype].bits <= 4;
    const unsigned char *bytes = packed ? packed_contents(arena, x) : x->data;
    int n = packed ? (int)packed_bytes(x->dtype, x->count) : (int)x->count;
    for (int i = 0; i < n; i++) codes[i] = bytes[i];
    return n;
}

/* Elements in the list that ONNX has for their type: packed, one field each, or packed in two pieces. */
static Str listed(const char *name, DType dtype, int form, int n, const double *v) {
    static const int fields[] = {
        [DT_f32] = 4, [DT_f64] = 10, [DT_f16] = 5, [DT_bf16] = 5, [DT_i8] = 5,   [DT_i16] = 5, [DT_i32] = 5,
        [DT_i64] = 7, [DT_u8] = 5,   [DT_u16] = 5, [DT_u32] = 11, [DT_u64] = 11, [DT_bool] = 5};
    Str t = tensor_head(arena, name, dtypes[dtype].onnx, 1, DIMS(n));
    double codes[8];
    if (dtypes[dtype].small) n = small_list(elements(dtype, n, v), codes), v = codes;
    int field = dtypes[dtype].small ? 5 : fields[dtype], each = form == FIELDS ? 1 : form == SPLIT ? 2 : n;
    for (int i = 0; i < n; i += each) {
        Str piece = message(arena);
        for (int k = i; k < i + each && k < n; k++) {
            double x = v[k];
            if (dtype == DT_f16) x = f32_to_f16((float)x);
            if (dtype == DT_bf16) x = f32_to_bf16((float)x);
            put_element(&piece, field, dtypes[dtype].small ? DT_u8 : dtype, x);
        }
        if (form != FIELDS)
            put_message(&t, field, piece);
        else {
            put_varint(&t, (uint64_t)field << 3 | (field == 4 ? 5 : field == 10 ? 1 : 0));
            put_bytes(&t, piece.s, piece.n);
        }
    }
    return t;
}

static Str as_raw(const char *name, DType dtype, int n, const double *v) {
    const Tensor *x = elements(dtype, n, v);
    return raw_tensor(arena, name, dtypes[dtype].onnx, 1, DIMS(n), packed_contents(arena, x),
                      (size_t)packed_bytes(dtype, n));
}

static void storage_forms(void) {
    static const double numbers[] = {1, 0, 100, 3, 7}, negative[] = {-1, 0, 100, -128, 7}, flags[] = {1, 0, 1, 1, 0};
    for (int t = 0; t < DT_str; t++)
        for (int form = RAW; form <= SPLIT; form++) {
            const double *v = t == DT_bool ? flags : dtypes[t].kind == 'u' ? numbers : negative;
            Draft d = draft(17);
            Trial trial = {0};
            put_message(&d.graph, INITIALIZER,
                        form == RAW ? as_raw("w", (DType)t, 5, v) : listed("w", (DType)t, form, 5, v));
            add(&d, node(arena, "Identity", "w", "y"));
            d.evaluate = false;
            build(&trial, &d);
            CHECK(!trial.code);
            const Tensor *w = trial.code ? NULL : trial.m->main->first->in[0]->data;
            CHECK(w && w->dtype == (DType)t && w->count == 5);
            for (int i = 0; w && i < 5; i++) CHECK(get_f(w, i) == get_f(elements((DType)t, 5, v), i));
            end_trial(&trial);
        }
}

/* Two strings, of which the second has `n` bytes. */
static Str two_strings(const char *name, const char *second, size_t n) {
    Str t = tensor_head(arena, name, T_STRING, 1, DIMS(2));
    put_string(&t, 6, "first \"*/ \\");
    put_blob(&t, 6, second, n);
    return t;
}

static void wrong_strings(void) {
    Draft d = draft(17);
    put_message(&d.graph, INITIALIZER, tensor_head(arena, "s", T_STRING, 1, DIMS(1)));
    add(&d, node(arena, "Identity", "s", "y"));
    fails(&d, EXIT_INPUT, "initializer 's': expected the 1 strings of its shape, saw 0");
    d = draft(17);
    put_message(&d.graph, INITIALIZER, two_strings("s", "a\0b", 3));
    add(&d, node(arena, "Identity", "s", "y"));
    fails(&d, EXIT_INPUT, "expected strings of less than 65536 bytes without a NUL, saw another for element 1");
    d = draft(17);
    put_message(&d.graph, INITIALIZER, two_strings("unused", "b", 1));
    ramp(&d, "x", 1, DIMS(2));
    add(&d, node(arena, "Neg", "x", "y"));
    computes(&d, 1, DIMS(2), NUMBERS(-1, -2));
}

static void wrong_initializers(void) {
    Draft d = draft(17);
    put_message(&d.graph, INITIALIZER, raw_tensor(arena, "w", T_FLOAT, 1, DIMS(3), "abcd", 4));
    add(&d, node(arena, "Identity", "w", "y"));
    fails(&d, EXIT_INPUT, "initializer 'w': expected the 12 bytes of its type f32[3], saw 4");
    d = draft(17);
    Str mixed = raw_tensor(arena, "w", T_FLOAT, 1, DIMS(1), "abcd", 4);
    put_blob(&mixed, 4, "abcd", 4);
    put_message(&d.graph, INITIALIZER, mixed);
    fails(&d, EXIT_INPUT, "two fields");
    wrong_strings();
}

/* ---- old forms ---- */

static void old_arithmetic(void) {
    Draft d = draft(6);
    ramp(&d, "x", 3, DIMS(2, 2, 2)), ramp(&d, "b", 1, DIMS(2));
    add(&d, with(with(node(arena, "Add", "x b", "y"), int_attr(arena, "broadcast", 1)), int_attr(arena, "axis", 0)));
    computes(&d, 3, DIMS(2, 2, 2), NUMBERS(2, 3, 4, 5, 7, 8, 9, 10));
    d = draft(6);
    ramp(&d, "x", 3, DIMS(2, 2, 2)), ramp(&d, "b", 1, DIMS(2));
    add(&d, with(with(node(arena, "Sub", "x b", "y"), int_attr(arena, "broadcast", 1)), int_attr(arena, "axis", 1)));
    computes(&d, 3, DIMS(2, 2, 2), NUMBERS(0, 1, 1, 2, 4, 5, 5, 6));
    d = draft(6);
    ramp(&d, "x", 2, DIMS(2, 2)), ramp(&d, "b", 1, DIMS(2));
    add(&d, with(with(node(arena, "Mul", "x b", "t"), int_attr(arena, "broadcast", 1)),
                 ints_attr(arena, "consumed_inputs", 2, DIMS(0, 0))));
    add(&d, node(arena, "Neg", "t", "y"));
    d.version = 5;
    computes(&d, 2, DIMS(2, 2), NUMBERS(-1, -4, -3, -8));
    d = draft(6);
    ramp(&d, "x", 1, DIMS(4));
    add(&d, with(with(node(arena, "Clip", "x", "y"), float_attr(arena, "min", 2)), float_attr(arena, "max", 3)));
    computes(&d, 1, DIMS(4), NUMBERS(2, 2, 3, 3));
    d = draft(6);
    constant(&d, "x", 4, DIMS(1, 2, 1, 2), 4, (float[]){-1, -2, -3, 4}), ramp(&d, "s", 1, DIMS(2));
    add(&d, node(arena, "PRelu", "x s", "y"));
    computes(&d, 4, DIMS(1, 2, 1, 2), NUMBERS(-1, -2, -6, 4));
    d = draft(8);
    ramp(&d, "a", 1, DIMS(2)), constant(&d, "b", 1, DIMS(2), 2, (float[]){3, 6});
    add(&d, node(arena, "Mean", "a b", "y"));
    computes(&d, 1, DIMS(2), NUMBERS(2, 4));
}

static void softmax_rows(void) {
    double e = 1 / 4.0;
    Draft d = draft(11);
    constant(&d, "x", 3, DIMS(1, 2, 2), 4, (float[]){5, 5, 5, 5});
    add(&d, node(arena, "Softmax", "x", "y"));
    computes(&d, 3, DIMS(1, 2, 2), NUMBERS(e, e, e, e));
    d = draft(13);
    constant(&d, "x", 3, DIMS(1, 2, 2), 4, (float[]){5, 5, 5, 5});
    add(&d, node(arena, "Softmax", "x", "y"));
    computes(&d, 3, DIMS(1, 2, 2), NUMBERS(.5, .5, .5, .5));
    d = draft(11);
    constant(&d, "x", 2, DIMS(1, 2), 2, (float[]){5, 5});
    add(&d, node(arena, "Softmax", "x", "y"));
    d.evaluate = false;
    Trial t = {0};
    build(&t, &d);
    CHECK(!t.code && IS(t.m->main->first, Softmax) && !t.m->main->first->next); /* a matrix needs no detour */
    end_trial(&t);
}

static void attributes_to_inputs(void) {
    Draft d = draft(11);
    ramp(&d, "x", 2, DIMS(2, 3));
    add(&d, with(with(node(arena, "ReduceMax", "x", "r"), ints_attr(arena, "axes", 1, DIMS(1))),
                 int_attr(arena, "keepdims", 0)));
    add(&d, with(node(arena, "Unsqueeze", "r", "u"), ints_attr(arena, "axes", 1, DIMS(0))));
    add(&d, with(node(arena, "Squeeze", "u", "y"), ints_attr(arena, "axes", 1, DIMS(0))));
    computes(&d, 1, DIMS(2), NUMBERS(3, 6));
    d = draft(9);
    ramp(&d, "x", 2, DIMS(2, 3));
    Str slice = with(node(arena, "Slice", "x", "y"), ints_attr(arena, "starts", 2, DIMS(0, 1)));
    add(&d, with(with(slice, ints_attr(arena, "ends", 2, DIMS(1, 3))), ints_attr(arena, "axes", 2, DIMS(0, 1))));
    computes(&d, 2, DIMS(1, 2), NUMBERS(2, 3));
    d = draft(2);
    ramp(&d, "x", 2, DIMS(1, 2));
    add(&d, with(with(node(arena, "Pad", "x", "y"), ints_attr(arena, "pads", 4, DIMS(0, 1, 1, 0))),
                 float_attr(arena, "value", 7)));
    computes(&d, 2, DIMS(2, 3), NUMBERS(7, 1, 2, 7, 7, 7));
    d = draft(1);
    ramp(&d, "x", 2, DIMS(2, 2));
    add(&d, with(node(arena, "Reshape", "x", "r"), ints_attr(arena, "shape", 1, DIMS(4))));
    add(&d, with(node(arena, "Split", "r", "_ y"), ints_attr(arena, "split", 2, DIMS(3, 1))));
    computes(&d, 1, DIMS(1), NUMBERS(4));
    d = draft(13);
    ramp(&d, "x", 1, DIMS(4));
    add(&d, node(arena, "Split", "x", "_ y"));
    computes(&d, 1, DIMS(2), NUMBERS(3, 4));
}

static void old_images(void) {
    Draft d = draft(7);
    ramp(&d, "x", 4, DIMS(1, 2, 1, 2));
    Str bias = attr_head(arena, "bias", 6);
    put_float(&bias, 7, 10), put_float(&bias, 7, 20);
    add(&d, with(with(node(arena, "ImageScaler", "x", "i"), bias), float_attr(arena, "scale", 2)));
    add(&d, with(with(node(arena, "Affine", "i", "y"), float_attr(arena, "alpha", 2)), float_attr(arena, "beta", 1)));
    computes(&d, 4, DIMS(1, 2, 1, 2), NUMBERS(25, 29, 53, 57));
    d = draft(7);
    ramp(&d, "x", 4, DIMS(1, 1, 3, 4));
    add(&d, with(node(arena, "Crop", "x", "y"), ints_attr(arena, "border", 4, DIMS(1, 0, 2, 1))));
    computes(&d, 4, DIMS(1, 1, 2, 1), NUMBERS(2, 6));
    d = draft(6);
    ramp(&d, "x", 1, DIMS(2));
    add(&d, with(node(arena, "Cast", "x", "c"), text_attr(arena, "to", "INT32")));
    d.version = 5;
    add(&d, with(node(arena, "Cast", "c", "y"), text_attr(arena, "to", "DOUBLE")));
    computes(&d, 1, DIMS(2), NUMBERS(1, 2));
    d = draft(18);
    constant(&d, "x", 3, DIMS(1, 4, 2), 8, (float[]){1, 3, 1, 3, 5, 9, 5, 9});
    constant(&d, "s", 1, DIMS(2), 2, (float[]){1, 2}), constant(&d, "b", 1, DIMS(2), 2, (float[]){0, 1});
    add(&d, with(with(node(arena, "GroupNormalization", "x s b", "y"), int_attr(arena, "num_groups", 2)),
                 float_attr(arena, "epsilon", 0)));
    computes(&d, 3, DIMS(1, 4, 2), NUMBERS(-1, 1, -1, 1, -1, 3, -1, 3));
}

/* ---- functions and regions ---- */

static void put_domain(Str *n) { put_string(n, 7, "local"); }

/* Scale(a; by) = a * by, and Twice(a) = Scale(Scale(a)), with the same names inside as outside. */
static void put_functions(Draft *d) {
    Str scale = message(arena), twice = message(arena), first = node(arena, "Scale", "x", "t"),
        second = node(arena, "Scale", "t", "y");
    put_string(&scale, 1, "Scale"), put_domain(&scale), scale = message(arena);
    put_string(&scale, 1, "Scale"), put_string(&scale, 10, "local"), put_string(&scale, 4, "x"),
        put_string(&scale, 5, "y");
    put_string(&scale, 6, "by");
    put_message(&scale, 7, with(node(arena, "Constant", "", "k"), reference(arena, "value_float", "by", 1)));
    put_message(&scale, 7, node(arena, "Mul", "x k", "y"));
    put_message(&scale, 9, opset(arena, "", 17));
    put_string(&twice, 1, "Twice"), put_string(&twice, 10, "local"), put_string(&twice, 4, "x"),
        put_string(&twice, 5, "y");
    put_string(&twice, 6, "factor");
    put_domain(&first), put_domain(&second);
    put_message(&twice, 7, with(first, reference(arena, "by", "factor", 1)));
    put_message(&twice, 7, with(second, reference(arena, "by", "factor", 1)));
    put_message(&twice, 9, opset(arena, "", 17)), put_message(&twice, 9, opset(arena, "local", 1));
    put_message(&d->model, FUNCTION, scale), put_message(&d->model, FUNCTION, twice);
    put_message(&d->model, 8, opset(arena, "local", 1));
}

static void functions(void) {
    Draft d = draft(17);
    Str call = with(node(arena, "Twice", "x", "y"), float_attr(arena, "factor", 3));
    put_domain(&call), put_string(&call, 3, "outer");
    ramp(&d, "x", 1, DIMS(2));
    add(&d, call);
    put_functions(&d);
    Draft again = d;
    computes(&d, 1, DIMS(2), NUMBERS(9, 18));
    Trial t = {0};
    again.evaluate = false;
    build(&t, &again);
    CHECK(!t.code && !strcmp(t.m->main->out[0]->name, "y"));
    CHECK(!t.code && IS(t.m->main->first, Mul) && !strcmp(t.m->main->first->out[0]->name, "outer/t"));
    end_trial(&t);
    d = draft(17);
    call = node(arena, "Missing", "x", "y");
    put_domain(&call);
    ramp(&d, "x", 1, DIMS(2));
    add(&d, call);
    fails(&d, EXIT_UNSUPPORTED, "local:Missing");
}

/* Operators that are not where the model says: TensorFlow's in ONNX's domain, ONNX's in another. */
static void wrong_domains(void) {
    static const struct {
        const char *op;
        double y0, y1;
    } foreign[] = {{"Expm1", 1.718281828459045, 6.38905609893065},
                   {"Log1p", 0.6931471805599453, 1.0986122886681098},
                   {"Erfc", 0.15729920705028513, 0.004677734981047266}};
    for (int i = 0; i < COUNT(foreign); i++) {
        Draft d = draft(17), again;
        ramp(&d, "x", 1, DIMS(2));
        add(&d, node(arena, foreign[i].op, "x", "y"));
        again = d;
        computes(&d, 1, DIMS(2), NUMBERS(foreign[i].y0, foreign[i].y1));
        Trial t = {0};
        build(&t, &again);
        CHECK(says(&t, "ONNX has no such operator; taken as"));
        end_trial(&t);
    }
    static const struct {
        const char *op;
        bool local;
        const char *said;
    } faults[] = {{"Relu", true, "custom operator without a body; one of this name is in the domain ai.onnx"},
                  {"QLinearAdd", false, "not an operator of ONNX: one of this name is in the domain com.microsoft"},
                  {"Twice", false, "not an operator of ONNX: one of this name is in the domain local"},
                  {"Lgamma", false, "unknown operator, nor in ONNX up to opset"},
                  {"MaxRoiPool", false, "unknown operator;"}};
    for (int i = 0; i < COUNT(faults); i++) {
        Draft d = draft(17);
        Str n = node(arena, faults[i].op, "x", "y");
        if (faults[i].local) put_domain(&n);
        ramp(&d, "x", 1, DIMS(2));
        add(&d, n);
        put_functions(&d);
        fails(&d, EXIT_UNSUPPORTED, faults[i].said);
    }
}

/* Overloads and default attributes came with IR versions 9 and 10, which an older onnx-ml.proto does not know. The
 * default is 5 (ONNX Runtime 1.32 agrees); a call may give another. */
static void newer_functions(void) {
    Draft d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    for (int i = 0; i < 2; i++) {
        Str f = message(arena);
        put_string(&f, 1, "F"), put_string(&f, 10, "local"), put_string(&f, 4, "a"), put_string(&f, 5, "b");
        put_string(&f, 13, i ? "second" : "first");
        put_message(&f, 11, float_attr(arena, "by", 5));
        put_message(&f, 7, with(node(arena, "Constant", "", "k"), reference(arena, "value_float", "by", 1)));
        put_message(&f, 7, node(arena, i ? "Mul" : "Add", "a k", "b"));
        put_message(&d.model, FUNCTION, f);
    }
    Str call = node(arena, "F", "x", "y");
    put_domain(&call), put_string(&call, 8, "second");
    Draft given = d;
    add(&given, with(call, float_attr(arena, "by", 7)));
    computes(&given, 1, DIMS(2), NUMBERS(7, 14));
    add(&d, call);
    put_message(&d.graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    Trial t = {0};
    attempt(&t, 0, import, &d);
    CHECK(!t.code && get_f(t.m->main->out[0]->data, 1) == 10);
    end_trial(&t);
}

/* Two branches that use the same name, which the graph around them uses as well. */
static void regions(void) {
    Draft d = draft(17);
    Str then = message(arena), other = message(arena);
    put_message(&then, NODE, node(arena, "Neg", "x", "t"));
    put_message(&then, NODE, node(arena, "Neg", "t", "r"));
    put_message(&then, OUTPUT, value_info(arena, "r", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&other, NODE, node(arena, "Neg", "x", "r"));
    put_message(&other, OUTPUT, value_info(arena, "r", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, INPUT, value_info(arena, "c", T_BOOL, 0, NULL, NULL));
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    add(&d, with(with(node(arena, "If", "c", "u"), graph_attr(arena, "then_branch", then)),
                 graph_attr(arena, "else_branch", other)));
    add(&d, node(arena, "Neg", "u", "r"));
    add(&d, node(arena, "Neg", "r", "y"));
    d.evaluate = false;
    Trial t = {0};
    build(&t, &d);
    CHECK(!t.code);
    Node *n = t.code ? NULL : t.m->main->first;
    CHECK(n && IS(n, If) && attr(n, "then_branch")->graph->owner == n);
    if (n) {
        Graph *a = attr(n, "then_branch")->graph, *b = attr(n, "else_branch")->graph;
        CHECK(a->outer == t.m->main && a->nout == 1 && a->first->next && a->first->in[0] == t.m->main->in[1]);
        CHECK(a->out[0] == a->last->out[0] && b->out[0] == b->first->out[0] &&
              strcmp(a->out[0]->name, b->out[0]->name));
        CHECK(!strcmp(t.m->main->last->prev->out[0]->name, "r"));
    }
    end_trial(&t);
}

/* ---- constants that tf2onnx leaves to the caller ---- */

static void captured(const char *producer, const char *name, bool told) {
    Draft d = draft(17);
    Trial t = {0};
    put_string(&d.model, 2, producer);
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, INPUT, value_info(arena, name, T_FLOAT, 1, DIMS(2), NULL));
    add(&d, node(arena, "Add", format(arena, "x %s", name), "y"));
    d.evaluate = false;
    build(&t, &d);
    CHECK(!t.code && told == (says(&t, "constant that the exporter left out") && says(&t, name)));
    end_trial(&t);
}

/* One that nothing reads is no input: tf2onnx folds a Normalization's variance into its reciprocal. */
static void captured_in_vain(const char *name, int inputs) {
    Draft d = draft(17);
    Trial t = {0};
    put_string(&d.model, 2, "tf2onnx");
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, INPUT, value_info(arena, name, T_FLOAT, 1, DIMS(2), NULL));
    add(&d, node(arena, "Neg", "x", "y"));
    d.evaluate = false;
    build(&t, &d);
    CHECK(!t.code && t.m->main->nin == inputs && !says(&t, "left out"));
    end_trial(&t);
}

static void all_captured(void) {
    captured_in_vain("norm/Sqrt/x:0", 1), captured_in_vain("mask", 2);
    captured("tf2onnx", "dense/Sub/y:0", true), captured("tf2onnx", "unknown_3:0", true);
    captured("tf2onnx", "unknown:0", true), captured("tf2onnx", "unknown_dim", false);
    captured("tf2onnx", "mask", false), captured("pytorch", "dense/Sub/y:0", false);
}

/* ---- a part of a network ---- */

static void part(const char *name, const char *said, int inputs) {
    Draft d = draft(17);
    Str body = message(arena), call = node(arena, "Twice", "x", "m"), tail = node(arena, "Missing", "m w q", "y");
    Trial t = {0};
    put_message(&body, NODE, node(arena, "Neg", "x", "r"));
    put_message(&body, OUTPUT, value_info(arena, "r", T_FLOAT, 1, DIMS(2), NULL));
    put_domain(&call), put_string(&call, 3, "call"), put_domain(&tail);
    put_message(&d.graph, INPUT, value_info(arena, "c", T_BOOL, 0, NULL, NULL));
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, INPUT, value_info(arena, "q", T_FLOAT, 2, DIMS(-1, -1), "A B"));
    put_message(&d.graph, INITIALIZER, tensor_head(arena, "w", T_FLOAT, 1, DIMS(2)));
    add(&d, with(with(node(arena, "If", "c", "u"), graph_attr(arena, "then_branch", body)),
                 graph_attr(arena, "else_branch", body)));
    add(&d, with(call, float_attr(arena, "factor", 3)));
    add(&d, tail);
    put_functions(&d);
    d.evaluate = false;
    push(arena, &t.opt.outputs, (void *)(uintptr_t)name);
    build(&t, &d);
    CHECK(said ? t.code && says(&t, said) : !t.code);
    CHECK(t.code || (t.m->main->nin == inputs && t.m->main->nout == 1));
    CHECK(t.code || !strcmp(port_name(t.m->main->out[0]), name));
    end_trial(&t);
}

/* What a part does not need may be unsupported, unreadable, and of extents that nobody gives: unless it lies within a
 * function, for whose sake all is read. */
static void parts(void) {
    part("u", NULL, 2);
    part("m", NULL, 1);
    part("x", NULL, 1);
    part("y", "saw no contents", 0);
    part("call/t", "saw no contents", 0);
    part("mm", "no value 'mm'; the nearest is 'm'", 0);
}

/* ---- inputs, outputs, order ---- */

static DimBinding *bound(const char *name, int64_t min, int64_t max) {
    DimBinding *b = NEW(arena, DimBinding);
    *b = (DimBinding){.name = name, .min = min, .max = max};
    return b;
}

static void dims(void) {
    Draft d = draft(17);
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 3, DIMS(-1, -1, 4), "N"));
    put_message(&d.graph, INPUT, value_info(arena, "z", T_FLOAT, 2, DIMS(-1, 5), NULL));
    add(&d, node(arena, "Neg", "x", "y"));
    Draft open = d, inner = d;
    fails(&open, EXIT_INPUT, "not known: 'N', 'z_dim0'; give each with --dim N=N --dim z_dim0=N");
    Trial t = {0};
    push(arena, &t.opt.dims, bound("N", 3, 3)), push(arena, &t.opt.dims, bound("z_dim0", 1, 8));
    build(&t, &d);
    CHECK(!t.code);
    if (!t.code) {
        const Type *x = &t.m->main->in[0]->type, *z = &t.m->main->in[1]->type;
        CHECK(x->dim[0].max == 3 && x->dim[1].max == 3 && x->dim[2].max == 4 && !x->dim[0].symbol);
        CHECK(z->dim[0].max == 8 && z->dim[0].symbol == symbol_called(t.m, "z_dim0") && t.m->bounds.n == 1);
    }
    end_trial(&t);
    t = (Trial){0};
    push(arena, &t.opt.dims, bound("N", 1, 3)), push(arena, &t.opt.dims, bound("z_dim0", 1, 8));
    put_message(&inner.graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    attempt(&t, 0, import, &inner);
    CHECK(!t.code);
    if (!t.code) CHECK(t.m->main->in[0]->type.dim[1].symbol == symbol_called(t.m, "N") && t.m->bounds.n == 2);
    end_trial(&t);
}

/* What stands at axis 0 alone is 1 unless something is said; the note says so, and so does an error that may follow. */
static void default_dims(void) {
    Draft d = draft(17);
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 2, DIMS(-1, 4), "N"));
    put_message(&d.graph, INPUT, value_info(arena, "z", T_FLOAT, 2, DIMS(-1, 5), NULL));
    add(&d, node(arena, "Neg", "x", "y"));
    Draft given = d, wrong = d;
    Trial t = {0};
    build(&t, &d);
    CHECK(!t.code && says(&t, "note: dims 'N', 'z_dim0' are not given: taken as 1"));
    if (!t.code) CHECK(t.m->main->in[0]->type.dim[0].max == 1 && t.m->main->in[1]->type.dim[0].max == 1);
    end_trial(&t);
    t = (Trial){0};
    push(arena, &t.opt.dims, bound("N", 3, 3));
    build(&t, &given);
    CHECK(!t.code && says(&t, "note: dim 'z_dim0' is not given"));
    if (!t.code) CHECK(t.m->main->in[0]->type.dim[0].max == 3);
    end_trial(&t);
    add(&wrong, node(arena, "MatMul", "x z", "w"));
    put_message(&wrong.graph, OUTPUT, value_info(arena, "w", T_FLOAT, 0, NULL, NULL));
    t = (Trial){0};
    build(&t, &wrong);
    CHECK(t.code == EXIT_INPUT && says(&t, "saw 4 in A") && says(&t, "'N', 'z_dim0' were taken as 1, which may be"));
    end_trial(&t);
}

/* Nodes come in any order, in functions and regions too; what is in order stays in it. ONNX Runtime 1.32 runs them. */
static void sorted(void) {
    Draft d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    add(&d, node(arena, "Mul", "later x", "y"));
    add(&d, node(arena, "Add", "last x", "later"));
    add(&d, node(arena, "Neg", "x", "last"));
    computes(&d, 1, DIMS(2), NUMBERS(0, 0));
    d = draft(17);
    Str f = message(arena), call = node(arena, "F", "x", "y");
    put_string(&f, 1, "F"), put_string(&f, 10, "local"), put_string(&f, 4, "a"), put_string(&f, 5, "b");
    put_message(&f, 7, node(arena, "Add", "n a", "b")), put_message(&f, 7, node(arena, "Exp", "a", "n"));
    put_message(&d.model, FUNCTION, f);
    put_domain(&call), add(&d, call);
    ramp(&d, "x", 1, DIMS(2));
    computes(&d, 1, DIMS(2), NUMBERS(3.718281828, 9.389056099));
    /* A region that uses a later node's result; names that it defines itself are no such use. */
    d = draft(17);
    Str then = message(arena), other = message(arena);
    put_message(&then, NODE, node(arena, "Neg", "t", "r"));
    put_message(&then, NODE, node(arena, "Add", "x later", "t"));
    put_message(&then, OUTPUT, value_info(arena, "r", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&other, NODE, node(arena, "Neg", "x", "r"));
    put_message(&other, OUTPUT, value_info(arena, "r", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, INITIALIZER, raw_tensor(arena, "c", T_BOOL, 0, NULL, "\1", 1));
    ramp(&d, "x", 1, DIMS(2));
    add(&d, node(arena, "Mul", "u u", "r"));
    add(&d, with(with(node(arena, "If", "c", "u"), graph_attr(arena, "then_branch", then)),
                 graph_attr(arena, "else_branch", other)));
    add(&d, node(arena, "Exp", "x", "later"));
    add(&d, node(arena, "Neg", "r", "y"));
    computes(&d, 1, DIMS(2), NUMBERS(-13.82568945, -88.15437439));
}

/* The rest of the model is looked at; what waits for a cycle is not told again. */
static void cycles(void) {
    Draft d = draft(17), same;
    ramp(&d, "x", 1, DIMS(2));
    add(&d, node(arena, "Mul", "x c", "a"));
    add(&d, node(arena, "Neg", "a", "b"));
    add(&d, node(arena, "Exp", "b", "c"));
    add(&d, node(arena, "Neg", "c", "y"));
    same = d;
    fails(&d, EXIT_INPUT, "nodes that need each other's results: 'a' (Mul), 'c' (Exp), 'b' (Neg)");
    Trial t = {0};
    put_message(&same.graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    attempt(&t, 0, import, &same);
    CHECK(t.m->problems.n == 1);
    end_trial(&t);
    d = draft(17);
    add(&d, node(arena, "Neg", "y", "y"));
    fails(&d, EXIT_INPUT, "a node that needs its own result: 'y' (Neg)");
    d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    Str f = message(arena), call = node(arena, "F", "x", "y");
    put_string(&f, 1, "F"), put_string(&f, 10, "local"), put_string(&f, 4, "a"), put_string(&f, 5, "b");
    put_message(&f, 7, node(arena, "Add", "b a", "n")), put_message(&f, 7, node(arena, "Neg", "n", "b"));
    put_message(&d.model, FUNCTION, f);
    put_domain(&call), add(&d, call);
    fails(&d, EXIT_INPUT, "'y/n' (Add), 'y/b' (Neg)");
}

static void order(void) {
    Draft d = draft(17);
    add(&d, node(arena, "Neg", "nowhere", "y"));
    fails(&d, EXIT_INPUT, "nothing defines");
    d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    add(&d, node(arena, "Neg", "x", "y"));
    add(&d, node(arena, "Neg", "x", "y"));
    fails(&d, EXIT_INPUT, "defined twice");
    d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    add(&d, with(with(node(arena, "Neg", "x", "y"), int_attr(arena, "axis", 1)), text_attr(arena, "axis", "a")));
    fails(&d, EXIT_INPUT, "given twice");
    d = draft(17);
    ramp(&d, "x", 2, DIMS(2, 2));
    add(&d, with(node(arena, "Softmax", "x", "y"), float_attr(arena, "axis", 1)));
    fails(&d, EXIT_INPUT, "attribute 'axis': expected an int, saw a float");
    d = draft(17);
    ramp(&d, "x", 2, DIMS(2, 2));
    add(&d, with(node(arena, "Softmax", "x", "y"), int_attr(arena, "axes", 1)));
    fails(&d, EXIT_UNSUPPORTED, "unknown attribute 'axes'");
    d = draft(17);
    ramp(&d, "x", 2, DIMS(2, 2));
    add(&d, node(arena, "Concat", "x x", "y"));
    fails(&d, EXIT_INPUT, "attribute 'axis' is missing");
}

/* Every unsupported operator is told, and what follows from one is not. */
static void all_at_once(void) {
    Draft d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    add(&d, node(arena, "Foo", "x", "a"));
    add(&d, node(arena, "Bar", "a", "b"));
    add(&d, node(arena, "Softmax", "b", "y"));
    d.version = 11;
    Draft same = d;
    fails(&d, EXIT_UNSUPPORTED, "Foo");
    fails(&same, EXIT_UNSUPPORTED, "Bar");
}

/* An input or constant that is an output, and an output named twice, get a node of their own. */
static void passed_through(void) {
    Draft d = draft(17);
    put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, OUTPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    add(&d, node(arena, "Neg", "x", "y"));
    Trial t = {0};
    build(&t, &d);
    CHECK(!t.code && t.m->main->nout == 2 && t.m->main->out[0]->kind == V_NODE && t.m->main->out[1]->kind == V_NODE);
    CHECK(!t.code && !strcmp(port_name(t.m->main->out[0]), "x") && !strcmp(port_name(t.m->main->out[1]), "y"));
    end_trial(&t);
    t = (Trial){0}, d = draft(17);
    ramp(&d, "x", 1, DIMS(2));
    put_message(&d.graph, OUTPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(2), NULL));
    put_message(&d.graph, OUTPUT, value_info(arena, "y", T_FLOAT, 1, DIMS(2), NULL));
    add(&d, node(arena, "Neg", "x", "y"));
    build(&t, &d);
    static const char *const names[] = {"x", "y", "y"};
    for (int i = 0; !t.code && i < 3; i++) CHECK(!strcmp(port_name(t.m->main->out[i]), names[i]));
    CHECK(!t.code && t.m->main->nout == 3 && t.m->main->out[1] != t.m->main->out[2]);
    end_trial(&t);
}

/* Sparse contents, by one index for each element or by one in each dim, become dense ones; of a Constant and of an
 * initializer. ONNX Runtime 1.32 takes them, and wants indices in order. */
static Str sparse(const char *name, int rank, int64_t last) {
    Str s = message(arena);
    int64_t flat[] = {1, last}, pairs[] = {0, 1, 1, last - 3};
    put_message(&s, 1, raw_tensor(arena, name, T_FLOAT, 1, DIMS(2), (float[]){7, 8}, 8));
    put_message(&s, 2, raw_tensor(arena, NULL, T_INT64, rank, DIMS(2, 2), rank > 1 ? pairs : flat, (size_t)rank * 16));
    put_int(&s, 3, 2), put_int(&s, 3, 3);
    return s;
}

static void sparse_contents(void) {
    for (int rank = 1; rank < 3; rank++) {
        for (int as_initializer = 0; as_initializer < 2; as_initializer++) {
            Draft d = draft(13);
            Str a = attr_head(arena, "sparse_value", 11);
            put_message(&a, 22, sparse(NULL, rank, 5));
            if (as_initializer)
                put_message(&d.graph, 15, sparse("w", rank, 5));
            else
                add(&d, with(node(arena, "Constant", "", "w"), a));
            add(&d, node(arena, "Neg", "w", "y"));
            computes(&d, 2, DIMS(2, 3), NUMBERS(0, -7, 0, 0, 0, -8));
        }
        for (int bad = 0; bad < 2; bad++) { /* outside, and out of order */
            Draft d = draft(13);
            put_message(&d.graph, 15, sparse("w", rank, bad ? (rank > 1 ? 2 : 0) : 6));
            add(&d, node(arena, "Neg", "w", "y"));
            fails(&d, EXIT_INPUT, "do not fit its shape");
        }
    }
}

/* A Dropout that is told to train becomes random numbers behind nodes whose types come with infer, too; its mask is one
 * of them. */
static void dropout(void) {
    static const struct {
        int version;
        const char *out;
    } forms[] = {{12, "y"}, {13, "h"}, {22, "y m"}};
    for (int i = 0; i < COUNT(forms); i++) {
        Draft d = draft(forms[i].version);
        Trial t = {0};
        int drops = 0;
        put_message(&d.graph, INPUT, value_info(arena, "x", T_FLOAT, 1, DIMS(8), NULL));
        put_message(&d.graph, INITIALIZER, raw_tensor(arena, "t", T_BOOL, 0, NULL, "\1", 1));
        constant(&d, "r", 0, NULL, 1, (float[]){0.25F});
        add(&d, node(arena, "Neg", "x", "a"));
        add(&d, node(arena, "Dropout", "a r t", forms[i].out));
        if (*forms[i].out == 'h') add(&d, node(arena, "Relu", "h", "y"));
        if (forms[i].version > 13) put_message(&d.graph, OUTPUT, value_info(arena, "m", T_BOOL, 1, DIMS(8), NULL));
        build(&t, &d);
        CHECK(!t.code);
        for (const Node *n = t.code ? NULL : t.m->main->first; n; n = n->next) drops += IS(n, RandomDrop);
        CHECK(drops >= 1); /* what gives the mask is known, and may be folded */
        end_trial(&t);
    }
}

/* ---- external data ---- */

static Str external(const char *file, const char *offset, const char *length) {
    Str t = tensor_head(arena, "w", T_FLOAT, 1, DIMS(2));
    const char *const entries[][2] = {{"location", file}, {"offset", offset}, {"length", length}};
    for (int i = 0; i < COUNT(entries); i++) {
        Str e = message(arena);
        if (!entries[i][1]) continue;
        put_string(&e, 1, entries[i][0]), put_string(&e, 2, entries[i][1]);
        put_message(&t, 13, e);
    }
    put_int(&t, 14, 1);
    return t;
}

static void try_external(const char *dir, const char *file, const char *offset, const char *length, const char *said) {
    Draft d = draft(17);
    Trial t = {.opt.external_data = dir};
    put_message(&d.graph, INITIALIZER, external(file, offset, length));
    add(&d, node(arena, "Neg", "w", "y"));
    put_message(&d.graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    attempt(&t, 0, import, &d);
    CHECK(said ? t.code == EXIT_INPUT && says(&t, said) : !t.code);
    if (!said && !t.code) CHECK(get_f(t.m->main->out[0]->data, 1) == -8);
    if (said && !says(&t, said)) fprintf(stderr, "expected '%s', got '%s'\n", said, t.said);
    end_trial(&t);
}

static void external_data(void) {
    char dir[] = "/tmp/nncc-onnx.XXXXXX";
    float v[] = {6, 7, 8, 9};
    CHECK(mkdtemp(dir) != NULL);
    char *sub = format(arena, "%s/sub", dir), *file = format(arena, "%s/sub/w.bin", dir),
         *twin = format(arena, "%s/twin", dir);
    char *leads = format(arena, "%s/link", dir), *folder = format(arena, "%s/folder", dir);
    CHECK(!mkdir(sub, 0700) && write_file(file, v, sizeof v) && !symlink("sub/w.bin", leads) &&
          !symlink("sub", folder));
    try_external(NULL, "sub/w.bin", "4", "8", "below the model's folder; --external-data DIR");
    try_external(dir, "sub/w.bin", "4", "8", NULL);
    try_external(dir, "sub/w.bin", "4", NULL, NULL);
    try_external(dir, "sub/w.bin", "12", "8", "ends before");
    try_external(dir, "sub/w.bin", "18446744073709551612", "8", "not a number");
    try_external(dir, "sub/w.bin", "-4", "8", "not a number");
    try_external(dir, "sub/w.bin", "4", "12", "the 8 bytes");
    static const char *const bad[] = {
        "link",   "folder/w.bin", "../sub/w.bin",   "sub/../../sub/w.bin", "/etc/passwd", "",
        "sub",    "sub/",         "missing",        "sub/w.bin/x",         "..",          ".",
        "sub/..", "sub/w.bin/",   "folder/../link", "./../sub/w.bin"};
    static const char *const inside[] = {"./sub/w.bin", "sub/../sub/w.bin", "sub//w.bin", "sub/./w.bin",
                                         "x/../sub/w.bin"};
    for (int i = 0; i < COUNT(inside); i++) try_external(dir, inside[i], "4", "8", NULL);
    for (int i = 0; i < COUNT(bad); i++) try_external(dir, bad[i], "0", "8", "its contents are in the file");
    for (int pass = 0; pass < 2; pass++) { /* without --external-data the folder is the model's, with the same bounds */
        model_path = pass ? format(arena, "%s/net.onnx", dir) : "-";
        try_external(NULL, "sub/w.bin", "4", "8", pass ? NULL : "give its folder with --external-data DIR");
        for (int i = 0; i < COUNT(bad); i++) try_external(NULL, bad[i], "0", "8", "its contents are in the file");
    }
    model_path = "test.onnx";
    CHECK(!link(file, twin));
    try_external(dir, "twin", "0", "8", "more than one name");
    unlink(twin), unlink(leads), unlink(folder), unlink(file), rmdir(sub), rmdir(dir);
}

/* ---- and back ---- */

static void export(Trial *t, void *bytes) {
    Str *s = bytes;
    import_onnx(t->m, "test.onnx", s->s, s->n);
    Str out = {.arena = arena};
    export_onnx(t->m, &out);
    *s = out;
}

static void evaluate(Trial *t, void *bytes) {
    Str *s = bytes;
    import_onnx(t->m, "test.onnx", s->s, s->n);
    pass_infer(t->m);
    stop_on_problems(t->m);
    pass_expand(t->m);
    pass_fold(t->m);
}

/* An exported model computes what the imported one did, and exporting it again changes nothing. */
static void round_trip(void) {
    Draft d = draft(9);
    ramp(&d, "x", 3, DIMS(2, 2, 2)), constant(&d, "b", 1, DIMS(2), 2, (float[]){2, 5});
    add(&d, node(arena, "Add", "x b", "s"));
    add(&d, with(node(arena, "Transpose", "s", "t"), ints_attr(arena, "perm", 3, DIMS(2, 0, 1))));
    add(&d, with(node(arena, "Softmax", "t", "u"), int_attr(arena, "axis", 1)));
    add(&d, with(node(arena, "ReduceSum", "u", "y"), ints_attr(arena, "axes", 1, DIMS(1))));
    put_message(&d.graph, OUTPUT, value_info(arena, "y", T_FLOAT, 0, NULL, NULL));
    Str first = model_of(arena, 9, d.graph), second = first;
    Trial t[4] = {{0}};
    attempt(&t[0], 0, evaluate, &first);
    attempt(&t[1], 0, export, &second);
    attempt(&t[2], 0, evaluate, &second);
    Str third = second;
    attempt(&t[3], 0, export, &third);
    CHECK(!t[0].code && !t[1].code && !t[2].code && !t[3].code);
    for (int i = 0; i < 4; i++) fprintf(stderr, "%s", t[i].said);
    CHECK(second.n == third.n && !memcmp(second.s, third.s, second.n));
    const Tensor *a = t[0].code ? NULL : t[0].m->main->out[0]->data, *b = t[2].code ? NULL : t[2].m->main->out[0]->data;
    CHECK(a && b && a->count == b->count && !memcmp(a->data, b->data, (size_t)a->count * 4));
    for (int i = 0; i < 4; i++) end_trial(&t[i]);
}

int main(void) {
    arena = arena_new(0, NULL, NULL);
    storage_forms();
    wrong_initializers();
    old_arithmetic();
    softmax_rows();
    attributes_to_inputs();
    old_images();
    functions();
    newer_functions();
    wrong_domains();
    regions();
    all_captured();
    parts();
    dims();
    default_dims();
    sorted();
    cycles();
    order();
    all_at_once();
    passed_through();
    dropout();
    sparse_contents();
    external_data();
    round_trip();
    arena_free(arena);
    return failures();
}
