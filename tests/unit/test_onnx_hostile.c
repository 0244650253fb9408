/* Hostile ONNX files end in an error: cut off anywhere, any byte changed, nested, huge, repeated, with lengths that
 * lie. */
#include "check.h"
#include "onnx_bytes.h"

static Arena *arena;

static void import(Trial *t, void *bytes) {
    Str *s = bytes;
    import_onnx(t->m, "test.onnx", s->s, s->n);
}

/* The exit code for a file with so much memory; its messages must not be empty if it fails. */
static int outcome_within(size_t limit, Str bytes, const char *said) {
    Trial t = {0};
    char *exact = malloc(bytes.n ? bytes.n : 1); /* so that a read past the end is seen */
    if (bytes.n) memcpy(exact, bytes.s, bytes.n);
    Str copy = {.s = exact, .n = bytes.n};
    attempt(&t, limit, import, &copy);
    int code = t.code;
    CHECK(!code || t.n > 0);
    if (said && !says(&t, said)) {
        CHECK(!"the expected message");
        fprintf(stderr, "expected '%s', got '%s'\n", said, t.said);
    }
    end_trial(&t);
    free(exact);
    return code;
}

static int outcome(Str bytes, const char *said) { return outcome_within(64 << 20, bytes, said); }

/* A model with something of everything: initializers in several forms, a region, a function, attributes of every kind.
 */
static Str sample(void) {
    float w[6] = {1, 2, 3, 4, 5, 6};
    Str g = message(arena), then = message(arena), other = message(arena);
    put_string(&g, 2, "g");
    put_message(&g, INITIALIZER, raw_tensor(arena, "w", T_FLOAT, 2, (int64_t[]){2, 3}, w, sizeof w));
    Str axes = tensor_head(arena, "axes", T_INT64, 1, (int64_t[]){1});
    put_int(&axes, 7, 1);
    put_message(&g, INITIALIZER, axes);
    put_message(&g, INPUT, value_info(arena, "x", T_FLOAT, 2, (int64_t[]){2, 3}, NULL));
    put_message(&g, INPUT, value_info(arena, "c", T_BOOL, 0, NULL, NULL));
    put_message(&g, OUTPUT, value_info(arena, "y", T_FLOAT, 2, (int64_t[]){2, 3}, NULL));
    put_message(&then, NODE, node(arena, "Relu", "s", "t"));
    put_message(&then, OUTPUT, value_info(arena, "t", T_FLOAT, 2, (int64_t[]){2, 3}, NULL));
    put_message(&other, NODE, node(arena, "Neg", "s", "t"));
    put_message(&other, OUTPUT, value_info(arena, "t", T_FLOAT, 2, (int64_t[]){2, 3}, NULL));
    put_message(&g, NODE, node(arena, "Add", "x w", "s"));
    put_message(&g, NODE,
                with(with(node(arena, "If", "c", "u"), graph_attr(arena, "then_branch", then)),
                     graph_attr(arena, "else_branch", other)));
    Str call = with(node(arena, "Twice", "u", "v"), float_attr(arena, "by", 2));
    put_string(&call, 7, "local");
    put_message(&g, NODE, call);
    put_message(&g, NODE, with(node(arena, "ReduceSum", "v axes", "r"), int_attr(arena, "keepdims", 1)));
    put_message(&g, NODE, node(arena, "Add", "v r", "y"));
    Str f = message(arena), m = model_of(arena, 17, g);
    put_string(&f, 1, "Twice"), put_string(&f, 10, "local"), put_string(&f, 4, "a"), put_string(&f, 5, "b"),
        put_string(&f, 6, "by");
    put_message(&f, 7, with(node(arena, "Constant", "", "k"), reference(arena, "value_float", "by", 1)));
    put_message(&f, 7, node(arena, "Mul", "a k", "b"));
    put_message(&f, 9, opset(arena, "", 17));
    put_message(&m, FUNCTION, f);
    return m;
}

static void cut_off(void) {
    Str m = sample();
    CHECK(outcome(m, NULL) == EXIT_OK);
    for (size_t n = 0; n < m.n; n++) {
        Str part = {.s = m.s, .n = n};
        char error[200];
        if (!onnx_scan(m.s, n, error))
            CHECK(outcome(part, "byte ") == EXIT_INPUT);
        else
            CHECK(outcome(part, NULL) != EXIT_BUG);
    }
}

static void any_byte_changed(void) {
    Str m = sample();
    static const unsigned char with_what[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < m.n; i++)
        for (int k = 0; k < COUNT(with_what); k++) {
            Str bad = {.arena = arena};
            put_bytes(&bad, m.s, m.n);
            bad.s[i] = (char)with_what[k];
            CHECK(outcome(bad, NULL) != EXIT_BUG);
        }
}

/* Graphs in graphs, as nodes with a graph attribute. */
static Str nested(int depth) {
    Str g = message(arena);
    for (int i = 0; i < depth; i++) {
        Str outer = message(arena);
        put_message(&outer, NODE, with(node(arena, "If", "", ""), graph_attr(arena, "then_branch", g)));
        g = outer;
    }
    return model_of(arena, 17, g);
}

static void deep(void) {
    CHECK(outcome(nested(3000), "nested more than 64 deep") == EXIT_INPUT);
    CHECK(outcome(nested(10), NULL) != EXIT_OK);
}

/* A model whose only initializer is this tensor. */
static Str model_with(Str tensor) {
    Str g = message(arena);
    put_message(&g, INITIALIZER, tensor);
    put_message(&g, INPUT, value_info(arena, "x", T_FLOAT, 1, (int64_t[]){2}, NULL));
    put_message(&g, NODE, node(arena, "Relu", "x", "y"));
    put_message(&g, OUTPUT, value_info(arena, "y", T_FLOAT, 1, (int64_t[]){2}, NULL));
    return model_of(arena, 17, g);
}

static void huge(void) {
    int64_t two62[] = {(int64_t)1 << 31, (int64_t)1 << 31}, over[] = {(int64_t)1 << 40, (int64_t)1 << 40},
            minus[] = {-4};
    int64_t thirteen[13] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, big[] = {(int64_t)1 << 40};
    CHECK(outcome(model_with(tensor_head(arena, "w", T_FLOAT, 2, two62)), "2^63 bytes") == EXIT_INPUT);
    CHECK(outcome(model_with(tensor_head(arena, "w", T_INT8, 2, two62)), "no contents") == EXIT_INPUT);
    CHECK(outcome(model_with(tensor_head(arena, "w", T_FLOAT, 2, over)), "expected an extent") == EXIT_INPUT);
    CHECK(outcome(model_with(tensor_head(arena, "w", T_FLOAT, 1, minus)), "expected an extent") == EXIT_INPUT);
    CHECK(outcome(model_with(tensor_head(arena, "w", T_FLOAT, 13, thirteen)), NULL) == EXIT_OK); /* not used */
    Str t = tensor_head(arena, "w", T_INT64, 1, big);
    put_int(&t, 7, 5);
    CHECK(outcome(model_with(t), "saw 1") == EXIT_INPUT);
    int64_t two61[] = {(int64_t)1 << 61, 2};
    Str g = message(arena);
    put_message(&g, INPUT, value_info(arena, "x", T_FLOAT, 2, two61, NULL));
    put_message(&g, NODE, node(arena, "Relu", "x", "y"));
    put_message(&g, OUTPUT, value_info(arena, "y", T_FLOAT, 2, two61, NULL));
    CHECK(outcome(model_of(arena, 17, g), "expected at most") == EXIT_INPUT);
    int64_t empty[] = {0, (int64_t)1 << 62};
    CHECK(outcome(model_with(tensor_head(arena, "w", T_FLOAT, 2, empty)), NULL) == EXIT_OK);
}

/* Varints that end late must not be counted as one element and stored as many. */
static void long_varints(void) {
    Str t = tensor_head(arena, "w", T_INT64, 1, (int64_t[]){1});
    char late[30];
    memset(late, 0x80, sizeof late);
    late[29] = 1;
    put_blob(&t, 7, late, sizeof late);
    CHECK(outcome(model_with(t), "w") == EXIT_INPUT);
    Str cut = tensor_head(arena, "w", T_INT64, 1, (int64_t[]){1});
    put_blob(&cut, 7, "\x80", 1);
    CHECK(outcome(model_with(cut), "w") == EXIT_INPUT);
}

static void wire(void) {
    Str group = message(arena), zero = message(arena), lies = message(arena), wide = message(arena),
        kind = message(arena);
    put_varint(&group, 7 << 3 | 3);
    CHECK(outcome(group, "group") == EXIT_INPUT);
    put_varint(&zero, 2);
    CHECK(outcome(zero, "no field") == EXIT_INPUT);
    put_varint(&lies, 7 << 3 | 2), put_varint(&lies, UINT64_MAX);
    CHECK(outcome(lies, "a field of at most") == EXIT_INPUT);
    put_varint(&wide, 1 << 3), put_text(&wide, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    CHECK(outcome(wide, "too long") == EXIT_INPUT);
    put_string(&kind, 1, "8");
    CHECK(outcome(kind, "wire type") == EXIT_INPUT);
    Str nul = message(arena);
    put_blob(&nul, 2, "a\0b", 3);
    CHECK(outcome(nul, "zero byte") == EXIT_INPUT);
    Str text = message(arena), g = message(arena);
    char *name = arena_alloc(arena, 70000);
    memset(name, 'n', 69999);
    put_string(&g, 2, name), put_message(&text, 7, g);
    CHECK(outcome(text, "names up to") == EXIT_INPUT);
    CHECK(outcome(message(arena), "with a graph") == EXIT_INPUT);
}

/* A newer file: harmless fields are passed over, others name the remedy. */
static void newer(void) {
    Str m = sample(), n = message(arena), facts[2] = {message(arena), message(arena)}, text = {.arena = arena};
    for (int i = 0; i < 100000; i++) put_text(&text, "long");
    put_string(&facts[0], 1, "key"), put_string(&facts[0], 2, text.s);
    put_string(&facts[1], 2, "value");
    put_string(&m, 26, "configuration");
    for (int i = 0; i < COUNT(facts); i++) put_message(&m, 14, facts[i]);
    CHECK(outcome(m, NULL) == EXIT_OK);
    Str g = message(arena), field = node(arena, "Relu", "x", "y");
    put_int(&field, 1000, 1);
    put_message(&g, NODE, field);
    n = model_of(arena, 17, g);
    CHECK(outcome(n, "-DNNCC_ONNX_PROTO") == EXIT_INPUT);
    CHECK(outcome(model_of(arena, 99, g = message(arena)), "saw 99") == EXIT_UNSUPPORTED);
    Str ir = message(arena);
    put_int(&ir, 1, 99), put_message(&ir, 7, g);
    CHECK(outcome(ir, "no outputs") == EXIT_INPUT);
    ir = sample(), put_int(&ir, 1, 14);
    CHECK(outcome(ir, NULL) == EXIT_OK);
    put_int(&ir, 1, 99);
    CHECK(outcome(ir, "warning: IR version 99 is newer than 14") == EXIT_OK);
}

/* Functions that call themselves, and ones that double at every level. */
static void functions(void) {
    Str g = message(arena), call = node(arena, "F0", "x", "y");
    put_string(&call, 7, "local");
    put_message(&g, INPUT, value_info(arena, "x", T_FLOAT, 1, (int64_t[]){2}, NULL));
    put_message(&g, NODE, call);
    put_message(&g, OUTPUT, value_info(arena, "y", T_FLOAT, 1, (int64_t[]){2}, NULL));
    for (int circle = 0; circle < 2; circle++) {
        Str m = model_of(arena, 17, g);
        for (int i = 0; i < 40; i++) {
            Str f = message(arena), first, second;
            const char *next = format(arena, "F%d", circle && i == 5 ? 0 : i + 1);
            put_string(&f, 1, format(arena, "F%d", i)), put_string(&f, 10, "local"), put_string(&f, 4, "a"),
                put_string(&f, 5, "b");
            first = node(arena, i == 39 ? "Relu" : next, "a", "t"),
            second = node(arena, i == 39 ? "Neg" : next, "t", "b");
            if (i < 39) put_string(&first, 7, "local"), put_string(&second, 7, "local");
            put_message(&f, 7, first), put_message(&f, 7, second);
            put_message(&m, FUNCTION, f);
        }
        CHECK(outcome_within(0, m, circle ? "calls itself" : "functions inlined") == EXIT_INPUT);
    }
}

/* Elements in fields of their own take two bytes each in the file, and much more once unpacked where others lie between
 * them. Those of a list do not: a forest of a million nodes has millions. */
static Str list_with(int elements, bool apart) {
    Str g = message(arena), n = node(arena, "Relu", "x", "y"), a = attr_head(arena, "ints", 7);
    for (int i = 0; i < elements; i++) {
        put_int(&a, 8, 1);
        if (apart) put_int(&a, 20, 7);
    }
    put_message(&g, INPUT, value_info(arena, "x", T_FLOAT, 1, (int64_t[]){2}, NULL));
    put_message(&g, NODE, with(n, a));
    put_message(&g, OUTPUT, value_info(arena, "y", T_FLOAT, 1, (int64_t[]){2}, NULL));
    return model_of(arena, 17, g);
}

static void many_fields(void) {
    CHECK(outcome(list_with(4000000, true), "to unpack") == EXIT_INPUT);
    CHECK(outcome(list_with(2000000, false), "unknown attribute 'ints'") == EXIT_UNSUPPORTED);
}

int main(void) {
    arena = arena_new(0, NULL, NULL);
    cut_off();
    any_byte_changed();
    deep();
    huge();
    long_varints();
    wire();
    newer();
    functions();
    many_fields();
    arena_free(arena);
    return failures();
}
