/* ngrams.c - TfIdfVectorizer: for each length and each number of skipped elements, windows that equal an n-gram,
 * counted */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include "strings/strings.h"

enum { MOST_TERMS = 512 }; /* lengths times skips */

static int64_t elements_in_pool(const Node *n) {
    return attr(n, "pool_strings")->n ? attr(n, "pool_strings")->n : attr(n, "pool_int64s")->n;
}

/* Where the n-grams of a length begin in the pool, and where they end. */
static void section(const Node *n, int64_t length, int64_t *begin, int64_t *end) {
    const Attr *counts = attr(n, "ngram_counts");
    *begin = length <= counts->n ? counts->ints[length - 1] : elements_in_pool(n);
    *end = length < counts->n ? counts->ints[length] : elements_in_pool(n);
}

/* Whether the sections are whole n-grams, in order, with an index each. */
static bool is_pool(const Node *n) {
    const Attr *counts = attr(n, "ngram_counts");
    int64_t grams = 0, begin, end;
    for (int64_t length = 1; length <= counts->n; length++) {
        section(n, length, &begin, &end);
        if (begin < 0 || end < begin || end > elements_in_pool(n) || (end - begin) % length) return false;
        grams += (end - begin) / length;
    }
    const Attr *weights = attr(n, "weights"), *indexes = attr(n, "ngram_indexes");
    return counts->n && grams == indexes->n && (!weights->n || weights->n == indexes->n);
}

static int64_t columns(const Node *n) {
    const Attr *indexes = attr(n, "ngram_indexes");
    int64_t most = -1;
    for (int i = 0; i < indexes->n; i++) {
        if (indexes->ints[i] < 0 || indexes->ints[i] >= 1 << 24) return -1;
        if (indexes->ints[i] > most) most = indexes->ints[i];
    }
    return most + 1;
}

void infer_tfidf(Node *n) {
    Type t = *in_type(n, 0);
    bool strings = t.dtype == DT_str, given = attr(n, "pool_strings")->n > 0;
    int64_t least = attr_i(n, "min_gram_length"), most = attr_i(n, "max_gram_length");
    if (t.rank < 1 || t.rank > 2 || (strings ? !given : given || (t.dtype != DT_i32 && t.dtype != DT_i64)))
        problem(n, EXIT_INPUT, "%s: expected [C] or [N,C], strings with pool_strings, else i32 or i64, saw %s",
                arg_text(n, 0), in_text(n, 0));
    else if (least > most || !is_pool(n) || columns(n) <= 0)
        problem(n, EXIT_INPUT,
                "expected a pool of whole n-grams, an index (and a weight) for each, saw %lld elements, %d counts and "
                "%d indexes",
                (long long)elements_in_pool(n), attr(n, "ngram_counts")->n, attr(n, "ngram_indexes")->n);
    else if (attr_i(n, "max_skip_count") >= MOST_TERMS || most - least >= MOST_TERMS)
        problem(n, EXIT_UNSUPPORTED, "expected less than %d lengths and skips, saw more", MOST_TERMS);
    else if (need_fixed(n, t.dim[0], "what n-grams are counted in") &&
             need_fixed(n, t.dim[t.rank - 1], "elements of n-grams")) {
        t.dim[t.rank - 1] = fixed(columns(n));
        set_result(n, 0, float_of(n), t.rank, t.dim);
    }
}

/* Strings as numbers: that of the first in the pool that is the same, or -1. */
static Value *numbers_of(Node *n, Value *rows) {
    Module *m = n->graph->module;
    const Attr *pool = attr(n, "pool_strings");
    const Tensor *t = strings_new(m->arena, 1, (int64_t[]){pool->n}, pool->strs);
    int64_t *number = NEW_ARRAY(m->arena, int64_t, pool->n);
    for (int i = 0; i < pool->n; i++) number[i] = i;
    Value *with[] = {rows, const_new(m, NULL, strings_as_rows(m->arena, t, longest_string(t) + 1)),
                     const_ints(m, pool->n, number)};
    as_wide(n, 2, with);
    return rows_built(
        n,
        "e = ReduceMin(Unsqueeze(m, [-2]) == p, [-1], keepdims = 0); w = Where(e, q, 9223372036854775807); "
        "l = ReduceMin(w, [-1], keepdims = 0); Where(l == 9223372036854775807, cast(-1, \"i64\"), l)",
        3, with);
}

/* The pool in the same numbers. */
static const int64_t *numbers_of_pool(const Node *n) {
    const Attr *strings = attr(n, "pool_strings");
    if (!strings->n) return attr(n, "pool_int64s")->ints;
    int64_t *number = NEW_ARRAY(n->graph->module->arena, int64_t, strings->n);
    Map *first = map_new(n->graph->module->arena);
    for (int i = 0; i < strings->n; i++) {
        int64_t *known = map_get(first, strings->strs[i]);
        number[i] = known ? *known : i;
        if (!known) map_set(first, strings->strs[i], &number[i]);
    }
    return number;
}

/* Element j of all n-grams of a length. */
static Value *elements_of_grams(const Node *n, const int64_t *pool, int64_t length, int64_t j) {
    int64_t begin, end;
    section(n, length, &begin, &end);
    int64_t count = (end - begin) / length, *part = NEW_ARRAY(n->graph->module->arena, int64_t, count);
    for (int64_t i = 0; i < count; i++) part[i] = pool[begin + i * length + j];
    return const_ints(n->graph->module, (int)count, part);
}

/* x [N, C]: how often each n-gram of a length occurs in a row with elements `apart` from each other, [N, grams]. */
static Value *occurrences(Node *n, Value *x, const int64_t *pool, int64_t length, int64_t apart) {
    int64_t windows = x->type.dim[1].max - (length - 1) * apart;
    Value *all = NULL;
    if (windows <= 0) return NULL;
    for (int64_t j = 0; j < length; j++) {
        Value *with[] = {x, elements_of_grams(n, pool, length, j), all};
        const char *text = format(n->graph->module->arena, "Unsqueeze(Slice(m, [%lld], [%lld], [1]), [2]) == p%s",
                                  (long long)(j * apart), (long long)(j * apart + windows), all ? " && q" : "");
        all = rows_built(n, text, all ? 3 : 2, with);
    }
    const char *sum =
        format(n->graph->module->arena, "ReduceSum(cast(m, \"%s\"), [1], keepdims = 0)", dtypes[float_of(n)].name);
    return rows_built(n, sum, 1, &all);
}

static bool is_counted(const Node *n, int64_t length) {
    return length >= attr_i(n, "min_gram_length") && length <= attr_i(n, "max_gram_length");
}

/* Counts of the n-grams of a length for every number of skips; a 1-gram skips nothing. */
static Value *counts_of(Node *n, Value *x, const int64_t *pool, int64_t length) {
    Value *sum = NULL;
    for (int64_t skip = 0; skip <= (length > 1 ? attr_i(n, "max_skip_count") : 0); skip++) {
        Value *with[] = {occurrences(n, x, pool, length, skip + 1), sum};
        if (!with[0]) break;
        sum = sum ? rows_built(n, "m + p", 2, with) : with[0];
    }
    return sum;
}

/* Where in a row of the result each n-gram of a length is added, and by how much. */
static Value *places(const Node *n, int64_t length, int64_t first) {
    Module *m = n->graph->module;
    const Attr *weights = attr(n, "weights"), *indexes = attr(n, "ngram_indexes");
    bool weighted = weights->n && strcmp(attr_s(n, "mode"), "TF") != 0;
    int64_t begin, end;
    section(n, length, &begin, &end);
    Tensor *t = tensor_new(m->arena, float_of(n), 2, (int64_t[]){(end - begin) / length, columns(n)});
    for (int64_t i = 0; i < t->dim[0]; i++)
        set_f(t, i * t->dim[1] + indexes->ints[first + i], weighted ? weights->floats[first + i] : 1);
    return const_new(m, NULL, t);
}

void expand_tfidf(Node *n) {
    Module *m = n->graph->module;
    Value *x = n->in[0], *y = NULL;
    bool flat = n->out[0]->type.rank == 1;
    if (attr(n, "pool_strings")->n) x = numbers_of(n, x);
    x = rows_built(n, flat ? "Unsqueeze(Cast(m, to = 7), [0])" : "Cast(m, to = 7)", 1, &x);
    const int64_t *pool = numbers_of_pool(n);
    int64_t first = 0, begin, end;
    for (int64_t length = 1; length <= attr(n, "ngram_counts")->n; length++) {
        section(n, length, &begin, &end);
        Value *count = is_counted(n, length) && end > begin ? counts_of(n, x, pool, length) : NULL;
        Value *with[] = {count, count ? places(n, length, first) : NULL, y};
        const char *text = !strcmp(attr_s(n, "mode"), "IDF") ? "MatMul(Min(m, 1), p)" : "MatMul(m, p)";
        if (count) with[0] = rows_built(n, text, 2, with), with[1] = y;
        if (count) y = y ? rows_built(n, "m + p", 2, with) : with[0];
        first += (end - begin) / length;
    }
    if (!y) y = const_new(m, NULL, tensor_new(m->arena, float_of(n), 2, (int64_t[]){x->type.dim[0].max, columns(n)}));
    if (flat) y = rows_built(n, "Squeeze(m, [0])", 1, &y);
    replaced_by(n, 1, &y);
}
