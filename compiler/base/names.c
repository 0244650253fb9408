/* names.c - text of a model on its way into C: identifiers and comments. Nothing else may carry it there. */
#include "base/base.h"

/* clang-format off */
static const char *const c_keywords[] = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for",
    "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
    "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex",
    "_Generic", "_Imaginary", "_Noreturn", "_Static_assert", "_Thread_local"};
/* Keywords of C++ alone, macros of the headers that generated files include, and names they use themselves. */
static const char *const other_reserved[] = {
#define BLOCK(name, field, ...) #field,
#include "base/blocks.def"
#undef BLOCK
    "alignas", "alignof", "and", "and_eq", "asm", "bitand", "bitor", "bool", "catch", "class", "compl", "concept", "constexpr",
    "const_cast", "co_await", "co_return", "co_yield", "decltype", "delete", "dynamic_cast", "explicit", "export", "false",
    "friend", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private",
    "protected", "public", "reinterpret_cast", "requires", "static_assert", "static_cast", "template", "this", "thread_local",
    "throw", "true", "try", "typeid", "typename", "typeof", "using", "virtual", "wchar_t", "xor", "xor_eq", "linux", "unix",
    "i386", "errno", "offsetof", "assert", "memcpy", "memset", "memcmp", "arena", "weights", "net",
    "device", "threads", "huge_val", "infinity", "nan", "isnan", "isinf", "signbit", "signgam", "near", "far",
    "index", "y0", "y1", "yn", "j0", "j1", "jn", "gamma", "exp", "log", "sin", "cos", "tan", "sqrt", "pow", "floor", "ceil",
    "fabs", "fmod", "rint", "trunc", "round", "erf", "tanh", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh",
    "expm1", "log1p", "stdin", "stdout", "stderr", "null", "a", "w", "abs", "div", "time", "signal", "select", "read", "write",
    "open", "close", "add_product_4", "add_product_8", "add_product_16", "vector4", "vector8", "vector16"};
/* clang-format on */

enum { LONGEST = 24 };

bool is_c_keyword(const char *s) {
    for (int i = 0; i < COUNT(c_keywords); i++)
        if (!strcmp(c_keywords[i], s)) return true;
    return false;
}

/* Functions behind products (render/put_tiles.c): "tile_6x16", of a part "part_6x16". */
static bool is_tile(const char *s) {
    int rows, cols, end = 0;
    return (sscanf(s, "tile_%dx%d%n", &rows, &cols, &end) == 2 ||
            sscanf(s, "tile_upto_%dx%d%n", &rows, &cols, &end) == 2 ||
            sscanf(s, "part_%dx%d%n", &rows, &cols, &end) == 2) &&
           !s[end];
}

static bool is_reserved(const char *s) {
    for (int i = 0; i < COUNT(other_reserved); i++)
        if (!strcmp(other_reserved[i], s)) return true;
    return is_c_keyword(s) || is_tile(s);
}

/* Lower case, one underscore for a run of anything else, no digit in front. */
static void safe(const char *name, char out[LONGEST + 1]) {
    int n = 0;
    for (const char *s = name; *s && n < LONGEST; s++) {
        char c = *s;
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        if (letter || (digit && n))
            out[n++] = c;
        else if (digit)
            out[n++] = 't', out[n++] = c;
        else if (n && out[n - 1] != '_')
            out[n++] = '_';
    }
    while (n && out[n - 1] == '_') n--;
    out[n] = 0;
}

/* stem_2, stem_3 …: the first that is free. Names are never given back, so that each stem goes on where it stopped; its
 * counter lies among the names, under a key that is none. */
static const char *numbered(Arena *a, Map *taken, const char *stem, int from) {
    const char *key = format(a, "%d %.*s", from, LONGEST - 6, stem), *s;
    int *next = map_get(taken, key);
    if (!next) map_set(taken, key, next = NEW(a, int)), *next = from;
    do s = format(a, "%.*s_%d", LONGEST - 6, stem, (*next)++);
    while (is_reserved(s) || map_get(taken, s));
    return s;
}

const char *identifier(Arena *a, Map *taken, const char *name, const char *fallback) {
    char stem[LONGEST + 2];
    safe(name ? name : "", stem);
    bool bare = !stem[0] || (stem[1] == 0 && !strchr("ijk", stem[0]) && stem[0] == 't');
    if (bare) snprintf(stem, sizeof stem, "%s", fallback);
    const char *s = arena_str(a, stem);
    if (bare || is_reserved(s) || map_get(taken, s)) s = numbered(a, taken, stem, bare ? 1 : 2);
    map_set(taken, s, (void *)(uintptr_t)s);
    return s;
}

/* Letters, digits and these marks. No quote, backslash, slash, trigraph or line end can leave here. */
static const char *only(Arena *a, const char *s, int max, const char *marks) {
    char *out = arena_alloc(a, (size_t)max + 4);
    int n = 0;
    for (; *s && n < max; s++) {
        char c = *s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(marks, c);
        out[n++] = plain ? c : c == '/' ? '.' : '_';
    }
    if (*s) memcpy(out + n, "...", 4);
    return out;
}

const char *comment_text(Arena *a, const char *s, int max) { return only(a, s, max, "_.:-[]"); }
const char *comment_expression(Arena *a, const char *s, int max) { return only(a, s, max, "_.:-[] ,()=*%@"); }
