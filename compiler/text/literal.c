/* literal.c - what stands for itself in .nn: numbers, types, contents of tensors. */
#include "ir/build.h"
#include "ir/storage.h"
#include "ops/infer.h"
#include "text/parser.h"
#include <math.h>

static bool is_kind(const Parser *p, TokenKind kind) { return p->l.tok.kind == kind; }

/* ---- numbers ---- */

int64_t parse_int(Parser *p) {
    bool negative = eat(p, "-");
    const Attr *word = is_kind(p, T_NAME) ? find_word(p, p->l.tok.s) : NULL;
    uint64_t u = p->l.tok.u;
    if (word && word->kind == A_INT) {
        next(p);
        return negative && word->i != INT64_MIN ? -word->i : word->i;
    }
    if (!is_kind(p, T_INT)) expected(p, "an integer");
    if (u > (uint64_t)INT64_MAX + negative) FAIL(p, here(p), "the integer does not fit 64 bits");
    next(p);
    return negative ? (int64_t)(0 - u) : (int64_t)u;
}

/* nan, or nan(0x7f800001) for one with other bits than the usual. */
static void parse_nan(Parser *p, DType t, bool negative, void *to) {
    store_scalar(t, to, (Scalar){.f = negative ? -(double)NAN : (double)NAN});
    if (!eat(p, "(")) return;
    if (!is_kind(p, T_INT)) expected(p, "the bits of a NaN");
    for (int i = 0; i < dtypes[t].bytes; i++) ((unsigned char *)to)[i] = (unsigned char)(p->l.tok.u >> 8 * i);
    next(p);
    expect(p, ")");
}

static void parse_float(Parser *p, DType t, bool negative, void *to) {
    double f = p->l.tok.f;
    if (eat(p, "nan")) {
        parse_nan(p, t, negative, to);
        return;
    }
    if (eat(p, "inf"))
        f = (double)INFINITY;
    else if (is_kind(p, T_INT) || is_kind(p, T_FLOAT))
        next(p);
    else
        expected(p, "a number");
    store_scalar(t, to, (Scalar){.f = negative ? -f : f});
}

static bool int_fits(DType t, bool negative, uint64_t u) {
    return negative ? u <= 0 - (uint64_t)dtype_min(t) : u <= dtype_max(t);
}

/* One element of type t, stored at `to`. */
static void parse_element(Parser *p, DType t, void *to) {
    bool negative = eat(p, "-");
    if (holds_floats(t)) {
        parse_float(p, t, negative, to);
        return;
    }
    uint64_t u = p->l.tok.u;
    if (t == DT_bool && (see(p, "true") || see(p, "false")))
        u = see(p, "true");
    else if (!is_kind(p, T_INT))
        expected(p, t == DT_bool ? "true or false" : "an integer");
    if (!int_fits(t, negative, u)) FAIL(p, here(p), "the number does not fit %s", dtypes[t].name);
    next(p);
    store_scalar(t, to, (Scalar){.u = negative ? 0 - u : u});
}

/* ---- types ---- */

static DType parse_dtype(Parser *p) {
    if (eat(p, "?")) return DT_none;
    DType t = is_kind(p, T_NAME) ? find_dtype(p->l.tok.s) : DT_none;
    if (t == DT_none) expected(p, "a type such as f32[2,3]");
    next(p);
    return t;
}

static Dim parse_choice(Parser *p, int depth);

static Dim parse_named(Parser *p) {
    Loc at = here(p);
    return named_dim(p, take(p, is_kind(p, T_STR) ? T_STR : T_NAME, "a dim"), at);
}

static Dim parse_factor(Parser *p, int depth) {
    enum { DEEPEST = 64 };
    if (depth > DEEPEST) FAIL(p, here(p), "a dim in more than %d parentheses", DEEPEST);
    if (eat(p, "(")) {
        Dim d = parse_choice(p, depth + 1);
        expect(p, ")");
        return d;
    }
    if (!is_kind(p, T_INT) && !see(p, "-") && !(is_kind(p, T_NAME) && find_word(p, p->l.tok.s))) return parse_named(p);
    return (Dim){parse_int(p), NULL};
}

/* Extents that stay open are not computed with. */
static Dim combined(Parser *p, Loc at, bool (*rule)(Module *, Dim, Dim, Dim *), Dim a, Dim b) {
    bool open = a.max < 0 || b.max < 0;
    if (open && stays_open(p)) return (Dim){-1, NULL};
    if (!rule(p->m, a, b, &a)) FAIL(p, at, "no extent can be computed so");
    return a;
}

static Dim parse_product(Parser *p, int depth) {
    Dim d = parse_factor(p, depth);
    for (Loc at = here(p); see(p, "*") || see(p, "/"); at = here(p)) {
        bool times = eat(p, "*");
        if (!times) expect(p, "/");
        d = combined(p, at, times ? dim_mul : dim_quotient, d, parse_factor(p, depth));
    }
    return d;
}

static Dim parse_sum(Parser *p, int depth) {
    Dim d = parse_product(p, depth);
    for (Loc at = here(p); see(p, "+") || see(p, "-"); at = here(p)) {
        bool plus = eat(p, "+");
        if (!plus) expect(p, "-");
        d = combined(p, at, plus ? dim_add : dim_sub, d, parse_product(p, depth));
    }
    return d;
}

/* (h + 1) / 2, or a > b ? a : b. */
static Dim parse_choice(Parser *p, int depth) {
    Loc at = here(p);
    Dim a = parse_sum(p, depth);
    bool greater = see(p, ">");
    if (!eat(p, ">") && !eat(p, "<")) return a;
    Dim b = parse_sum(p, depth);
    expect(p, "?");
    Dim then = parse_sum(p, depth);
    expect(p, ":");
    Dim other = parse_sum(p, depth);
    if (!same_dim(a, then) || !same_dim(b, other)) FAIL(p, at, "a choice of dims is a > b ? a : b, or with <");
    return combined(p, at, greater ? dim_greater : dim_less, a, b);
}

static Dim parse_dim(Parser *p) {
    if (eat(p, "?")) return (Dim){-1, NULL};
    Loc at = here(p);
    Dim d = parse_choice(p, 0);
    if (!d.symbol && d.max < 0 && !stays_open(p)) FAIL(p, at, "a dim cannot be negative");
    return d;
}

/* f32[batch,3,8,8], f32[] a scalar; unknown parts are ?[*] and ? for a dim. */
Type parse_type(Parser *p) {
    Loc at = here(p);
    Type t = {.dtype = parse_dtype(p)};
    expect(p, "[");
    if (eat(p, "*"))
        t.rank = -1;
    else
        while (!see(p, "]")) {
            if (t.rank == MAX_RANK) FAIL(p, here(p), "more than %d dims", MAX_RANK);
            t.dim[t.rank++] = parse_dim(p);
            if (!eat(p, ",")) break;
        }
    expect(p, "]");
    if (type_known(&t) && type_count(&t) < 0) FAIL(p, at, "the tensor is too large");
    return t;
}

static int64_t *parse_ints(Parser *p, int n) {
    int64_t *v = NEW_ARRAY(p->m->arena, int64_t, n + 1);
    expect(p, "[");
    for (int i = 0; i < n; i++) {
        if (i) expect(p, ",");
        Loc at = here(p);
        v[i] = parse_int(p);
        if (v[i] < 0 || v[i] > (int64_t)1 << 40) FAIL(p, at, "a layout's numbers are between 0 and 2^40");
    }
    expect(p, "]");
    return v;
}

static int64_t *parse_block_of(Parser *p, const Type *t) {
    Loc at = here(p);
    int64_t *b = parse_ints(p, 3);
    if (b[0] >= t->rank || b[1] < 1) FAIL(p, at, "a block is [dim, size, step], with a dim of the type and a size");
    return b;
}

/* How far apart the elements of a dim lie, and how many there are. */
typedef struct {
    int64_t step, count;
} Stride;

static int add_stride(Stride *s, int n, int64_t step, int64_t count) {
    if (count < 2) return n;
    int i = n;
    for (; i > 0 && s[i - 1].step > step; i--) s[i] = s[i - 1];
    s[i] = (Stride){step, count};
    return n + 1;
}

/* Whether each element has a place of its own: from the smallest step up, each is longer than what lies within it. */
static bool elements_apart(const Value *v) {
    Stride s[MAX_RANK + 1];
    int n = 0;
    int64_t span = 1, part;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t extent = v->type.dim[i].max + (v->layout.halo ? v->layout.halo[2 * i] + v->layout.halo[2 * i + 1] : 0);
        bool blocked = v->layout.block && v->layout.block[0] == i;
        if (blocked) n = add_stride(s, n, v->layout.block[2], ceil_div(extent, v->layout.block[1]));
        n = add_stride(s, n, step_of(v, i), blocked && extent > v->layout.block[1] ? v->layout.block[1] : extent);
    }
    for (int i = 0; i < n; i++)
        if (s[i].step < span || !mul_ok(s[i].step, s[i].count - 1, &part) || !add_ok(span, part, &span)) return false;
    return true;
}

void parse_layout(Parser *p, Value *v) {
    Loc at = here(p);
    if (!eat(p, "{")) return;
    do {
        if (eat(p, "strides"))
            expect(p, "="), v->layout.stride = parse_ints(p, v->type.rank);
        else if (eat(p, "halo"))
            expect(p, "="), v->layout.halo = parse_ints(p, 2 * v->type.rank);
        else if (eat(p, "block"))
            expect(p, "="), v->layout.block = parse_block_of(p, &v->type);
        else
            expected(p, "'strides', 'halo' or 'block'");
    } while (eat(p, ","));
    expect(p, "}");
    if (type_known(&v->type) && value_bytes(v) < 0) FAIL(p, at, "this layout takes more memory than there can be");
    if (type_known(&v->type) && !elements_apart(v)) FAIL(p, at, "in this layout two elements share an address");
}

/* ---- contents ---- */

static void open_weights(Parser *p, Loc at) {
    if (p->weights) return;
    const char *path = format(p->m->arena, "%s.weights", p->path);
    p->weights = map_file(path, &p->weights_size);
    if (!p->weights) FAIL(p, at, "cannot read the weights in '%s'", show(p, path));
    if (p->weights_said >= 0 && p->weights_size != (size_t)p->weights_said)
        FAIL(p, at, "'%s': expected %lld bytes, saw %zu", show(p, path), (long long)p->weights_said, p->weights_size);
}

/* weights(offset): bytes of the sidecar, which stay where they are. */
static void parse_weights(Parser *p, Tensor *t) {
    Loc at = here(p);
    expect(p, "(");
    int64_t offset = parse_int(p), bytes = t->count * dtypes[t->dtype].bytes;
    expect(p, ")");
    open_weights(p, at);
    if (offset < 0 || (uint64_t)offset > p->weights_size || (uint64_t)bytes > p->weights_size - (uint64_t)offset)
        FAIL(p, at, "the weights end before this tensor does");
    t->data = p->weights + offset;
    if (!is_packed(t->dtype) || !bytes) return;
    t->data = arena_copy(p->m->arena, t->data, (size_t)bytes);
    clear_unused_bits(t->dtype, tensor_data(t), t->count);
}

static void parse_splat(Parser *p, Tensor *t) {
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    char one[8] = {0};
    expect(p, "(");
    parse_element(p, t->dtype, one);
    expect(p, ")");
    char *data = arena_alloc(p->m->arena, (size_t)t->count * bytes);
    for (int64_t i = 0; i < t->count; i++) memcpy(data + (size_t)i * bytes, one, bytes);
    t->data = data;
}

/* What is read of a list: bytes of numbers, or strings. */
typedef struct {
    const Tensor *t;
    Str bytes;
    List strings;
} Elements;

static const char *parse_string(Parser *p) {
    if (!is_kind(p, T_STR)) expected(p, "a string");
    const char *s = p->l.tok.s;
    next(p);
    return s;
}

static void parse_item_of(Parser *p, Elements *e) {
    char one[8];
    if (e->t->dtype == DT_str) {
        push(p->m->arena, &e->strings, (void *)(uintptr_t)parse_string(p));
        return;
    }
    parse_element(p, e->t->dtype, one);
    put_bytes(&e->bytes, one, (size_t)dtypes[e->t->dtype].bytes);
}

static void parse_row(Parser *p, Elements *e, int axis);

/* Items of a list up to its end; how many. */
static int64_t parse_items(Parser *p, Elements *e, int axis, bool rows) {
    int64_t n = 0;
    while (!see(p, "]")) {
        if (rows)
            parse_row(p, e, axis + 1);
        else
            parse_item_of(p, e);
        n++;
        if (!eat(p, ",")) break;
    }
    expect(p, "]");
    return n;
}

/* The elements of an axis and of those behind it, in lists as deep as there are axes. */
static void parse_row(Parser *p, Elements *e, int axis) {
    Loc at = here(p);
    expect(p, "[");
    int64_t n = parse_items(p, e, axis, axis + 1 < e->t->rank), wanted = e->t->dim[axis];
    if (n != wanted)
        FAIL(p, at, "expected a list of %lld along axis %d, saw %lld", (long long)wanted, axis, (long long)n);
}

/* All elements in one list, or lists in it. They are read before memory is taken, so that a short file cannot ask for
 * much. */
static void parse_elements(Parser *p, Elements *e) {
    Loc at = here(p);
    Lexer start = p->l;
    put_text(&e->bytes, "");
    expect(p, "[");
    if (see(p, "[") && e->t->rank) {
        p->l = start;
        parse_row(p, e, 0);
        return;
    }
    int64_t n = parse_items(p, e, 0, false);
    if (n != e->t->count) FAIL(p, at, "expected %lld elements, saw %lld", (long long)e->t->count, (long long)n);
}

static Tensor *parse_strings(Parser *p, const Tensor *t) {
    Elements e = {.t = t, .bytes = {.arena = p->m->arena}};
    if (t->rank)
        parse_elements(p, &e);
    else
        parse_item_of(p, &e);
    return strings_new(p->m->arena, t->rank, t->dim, (const char *const *)e.strings.at);
}

static void parse_numbers_of(Parser *p, Tensor *t) {
    Elements e = {.t = t, .bytes = {.arena = p->m->arena}};
    parse_elements(p, &e);
    t->data = e.bytes.s;
}

Tensor *parse_contents(Parser *p, const Type *type) {
    int64_t dim[MAX_RANK];
    if (!type_known(type)) FAIL(p, here(p), "contents need a full type before them");
    for (int i = 0; i < type->rank; i++) {
        dim[i] = type->dim[i].max;
        if (type->dim[i].symbol) FAIL(p, here(p), "contents need extents that are numbers");
    }
    Tensor *t = tensor_of(p->m->arena, type->dtype, type->rank, dim, NULL);
    if (type->dtype == DT_str) return parse_strings(p, t);
    if (eat(p, "splat"))
        parse_splat(p, t);
    else if (eat(p, "weights"))
        parse_weights(p, t);
    else if (t->rank || see(p, "["))
        parse_numbers_of(p, t);
    else {
        t->data = arena_alloc(p->m->arena, 8);
        parse_element(p, t->dtype, tensor_data(t));
    }
    return t;
}
