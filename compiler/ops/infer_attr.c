/* infer_attr.c - attributes against the columns of their row: the one place where their values are checked, whether
 * they come from ONNX, from a text or from a dump. Rules and lowerings may use them as indices and extents after that.
 */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"

/* A value as a text for messages, cut where it is long. */
static const char *seen(Arena *arena, const Attr *a) {
    enum { SHOWN = 16 };
    Str s = {.arena = arena};
    if (a->kind == A_INT) return format(arena, "%lld", (long long)a->i);
    if (a->kind == A_STR) return format(arena, "'%s'", escaped(arena, a->s ? a->s : "", 40));
    put(&s, "[");
    for (int i = 0; i < a->n && i < SHOWN; i++) {
        if (a->kind == A_INTS) put(&s, "%s%lld", i ? ", " : "", (long long)a->ints[i]);
        if (a->kind == A_STRS) put(&s, "%s'%s'", i ? ", " : "", escaped(arena, a->strs[i] ? a->strs[i] : "", 40));
    }
    put(&s, a->n > SHOWN ? ", …]" : "]");
    return s.s;
}

static bool is_type(const Attr *row) {
    return row->fit == FIT_TYPE || row->fit == FIT_TYPE_OR_0 || row->fit == FIT_FLOAT_TYPE;
}

static bool type_named(const Attr *row, int64_t i) {
    DType t = dtype_of_onnx(i);
    if (row->fit == FIT_TYPE_OR_0 && i == 0) return true;
    return t != DT_none && t != DT_str && (row->fit != FIT_FLOAT_TYPE || is_float(t));
}

/* How many numbers a list has, for inputs of that rank; -1: any number. */
static int list_length(const Attr *row, int rank) {
    if (row->fit == FIT_PERMUTATION || row->fit == FIT_DIMS) return rank;
    if (row->fit == FIT_SPATIAL) return rank - 2;
    if (row->fit == FIT_SPATIAL_PAIRS) return 2 * (rank - 2);
    return -1;
}

/* The least and the largest that each integer may be; false if it may be any. */
static bool limits_of(const Attr *row, int rank, int64_t *lo, int64_t *hi) {
    *lo = row->lo, *hi = row->hi;
    switch (row->fit) {
    case FIT_AXIS:
    case FIT_AXES: *lo = -rank, *hi = rank - 1; return true;
    case FIT_AXIS_OR_END: *lo = -rank, *hi = rank; return true;
    case FIT_RESULT_AXIS: *lo = -rank - 1, *hi = rank; return true;
    case FIT_LEADING_DIMS:
    case FIT_PERMUTATION: *lo = 0, *hi = rank - 1; return true;
    default: return *lo || *hi;
    }
}

static const char *range_text(Arena *arena, int64_t lo, int64_t hi) {
    if (hi < lo) return "none";
    if (hi == INT64_MAX) return format(arena, "at least %lld", (long long)lo);
    if (hi == lo + 1) return format(arena, "%lld or %lld", (long long)lo, (long long)hi);
    return format(arena, "from %lld to %lld", (long long)lo, (long long)hi);
}

static const char *expected(Arena *arena, const Attr *row, int rank) {
    int64_t lo, hi;
    int length = list_length(row, rank);
    if (row->words) return format(arena, "one of: %s", row->words);
    if (row->fit == FIT_FLOAT_TYPE) return "the number of a float type";
    if (is_type(row)) return "the number of an element type that nncc has";
    if (row->fit == FIT_PERMUTATION) return format(arena, "the numbers from 0 to %d in any order", rank - 1);
    bool bounded = limits_of(row, rank, &lo, &hi);
    const char *range = bounded ? range_text(arena, lo, hi) : "any";
    if (row->kind == A_INT) return range;
    if (row->fit == FIT_AXES) return format(arena, "axes %s, each once", range);
    if (length < 0) return format(arena, "numbers %s", range);
    return format(arena, "%d number%s%s%s", length, length == 1 ? "" : "s", bounded ? ", each " : "",
                  bounded ? range : "");
}

/* Axes that were met: as bits of both ways to count them. */
static bool again(uint64_t *met, int64_t axis, int rank) {
    uint64_t bit = (uint64_t)1 << (axis < 0 ? axis + rank : axis);
    bool twice = (*met & bit) != 0;
    *met |= bit;
    return twice;
}

static bool ints_fit(const Attr *row, int rank, int n, const int64_t *v) {
    int64_t lo, hi;
    uint64_t met = 0;
    bool bounded = limits_of(row, rank, &lo, &hi), once = row->fit == FIT_AXES || row->fit == FIT_PERMUTATION;
    int length = list_length(row, rank);
    if (row->kind == A_INTS && length >= 0 && n != length) return false;
    for (int i = 0; i < n; i++) {
        if (is_type(row) && !type_named(row, v[i])) return false;
        if (bounded && (v[i] < lo || v[i] > hi)) return false;
        if (once && again(&met, v[i], rank)) return false;
    }
    return true;
}

static bool fits(const Attr *row, const Attr *a, int rank) {
    if (a->kind == A_INT) return ints_fit(row, rank, 1, &a->i);
    if (a->kind == A_INTS) return ints_fit(row, rank, a->n, a->ints);
    if (!row->words) return true;
    if (a->kind == A_STR) return (a->s && has_word(row->words, a->s));
    for (int i = 0; a->kind == A_STRS && i < a->n; i++)
        if (!(a->strs[i] && has_word(row->words, a->strs[i]))) return false;
    return true;
}

static bool by_rank(const Attr *row) { return row->fit != FIT_NUMBER && !is_type(row); }

/* Whether the first input has the dims that a row speaks of; if not, the rule says so. */
static bool can_check(const Attr *row, int rank) {
    bool spatial = row->fit == FIT_SPATIAL || row->fit == FIT_SPATIAL_PAIRS;
    return !by_rank(row) || (rank >= 0 && rank >= 2 * spatial);
}

bool attrs_fit(Node *n) {
    Arena *arena = n->graph->module->arena;
    const Value *x = input(n, 0);
    int rank = x ? x->type.rank : -1;
    bool ok = true;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Attr *row = &n->op->attr[i], *a = &n->attr[i];
        if (!a->set || !can_check(row, rank) || fits(row, a, rank)) continue;
        problem(n, row->words || is_type(row) ? EXIT_UNSUPPORTED : EXIT_INPUT, "attribute '%s': expected %s%s, saw %s",
                row->name, expected(arena, row, rank),
                by_rank(row) ? format(arena, " for an input of rank %d", rank) : "", seen(arena, a));
        ok = false;
    }
    return ok;
}
