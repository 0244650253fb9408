/* rows.c - the string operators of ONNX in terms of rows of bytes */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/decomposition.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include "strings/strings.h"

/* ---- types: of strings, then of rows ---- */

void infer_string_concat(Node *n) {
    Type t;
    if (broadcast(n, 2, n->in, &t)) set_result(n, 0, DT_str, t.rank, t.dim);
}

/* With stop words as many as there can be; none is one that is empty. */
void infer_string_normalizer(Node *n) {
    Type t = *in_type(n, 0);
    bool ok = t.rank == 1 || (t.rank == 2 && is_unit(t.dim[0]));
    if (!ok) {
        problem(n, EXIT_INPUT, "%s: expected strings [C] or [1,C], saw %s", arg_text(n, 0), in_text(n, 0));
        return;
    }
    if (!need_fixed(n, t.dim[t.rank - 1], "strings that are normalised")) return;
    if (t.dim[t.rank - 1].max == 0) t.dim[t.rank - 1] = fixed(1);
    set_result(n, 0, DT_str, t.rank, t.dim);
}

static const char *delimiter_of(const Node *n) { return attr_s(n, "delimiter") ? attr_s(n, "delimiter") : ""; }

/* As many parts as the longest string can have. */
static int64_t most_parts(const Node *n) {
    int64_t split = given_attr(n, "maxsplit") ? attr_i(n, "maxsplit") : -1, length = (int64_t)strlen(delimiter_of(n));
    int64_t width = n->graph->module->opt->string_bytes ? n->graph->module->opt->string_bytes : STRING_WIDTH;
    const Value *x = n->in[0];
    if (x->type.dtype == DT_u8) width = width_of_rows(x);
    if (x->data && x->data->dtype == DT_str) width = longest_string(x->data) + 1;
    int64_t most = length ? (width - 1) / length + 1 : (width + 1) / 2;
    return split >= 0 && split + 1 < most ? split + 1 : most;
}

void infer_string_split(Node *n) {
    Type t = *in_type(n, 0);
    if (t.rank + 2 > MAX_RANK) {
        problem(n, EXIT_UNSUPPORTED, "%s: expected at most %d dims, saw %s", arg_text(n, 0), MAX_RANK - 2,
                in_text(n, 0));
        return;
    }
    set_result(n, 1, DT_i64, t.rank, t.dim);
    t.dim[t.rank] = fixed(type_count(&t) ? most_parts(n) : 0);
    set_result(n, 0, DT_str, t.rank + 1, t.dim);
}

void infer_text_in(Node *n) {
    Type t = *in_type(n, 0);
    if (t.rank == MAX_RANK) {
        problem(n, EXIT_UNSUPPORTED, "%s: expected strings of at most %d dims, saw %s", arg_text(n, 0), MAX_RANK - 1,
                in_text(n, 0));
        return;
    }
    t.dim[t.rank] = fixed(attr_i(n, "width"));
    set_result(n, 0, DT_u8, t.rank + 1, t.dim);
}

static bool are_rows(Node *n, int i) {
    const Type *t = in_type(n, i);
    if (t->rank > 0 && t->dtype == DT_u8 && !t->dim[t->rank - 1].symbol && t->dim[t->rank - 1].max > 0) return true;
    problem(n, EXIT_INPUT, "%s: expected rows of bytes, saw %s", arg_text(n, i), in_text(n, i));
    return false;
}

void infer_text_out(Node *n) {
    const Type *t = in_type(n, 0);
    if (!are_rows(n, 0)) return;
    for (int i = 0; i < t->rank; i++)
        if (!need_fixed(n, t->dim[i], "strings that are an output")) return;
    int64_t bytes = type_count(t), width = t->dim[t->rank - 1].max, axis = attr_i(n, "axis");
    if (bytes > INT32_MAX || axis < 0 || axis >= t->rank) {
        problem(n, EXIT_UNSUPPORTED, "expected at most 2^31 bytes of strings and an axis of them, saw %s",
                in_text(n, 0));
        return;
    }
    set_result(n, 0, DT_u8, 1, (Dim[]){fixed(bytes)});
    set_result(n, 1, DT_i32, 1, (Dim[]){fixed(bytes / width + 1)});
}

void infer_text_join(Node *n) {
    Type t, a = *in_type(n, 0), b = *in_type(n, 1);
    if (!are_rows(n, 0) || !are_rows(n, 1)) return;
    Value x = *n->in[0], y = *n->in[1];
    x.type.rank--, y.type.rank--;
    if (!broadcast(n, 2, (Value *[]){&x, &y}, &t)) return;
    t.dim[t.rank] = fixed(a.dim[a.rank - 1].max + b.dim[b.rank - 1].max);
    set_result(n, 0, DT_u8, t.rank + 1, t.dim);
}

void infer_text_split(Node *n) {
    Type t = *in_type(n, 0);
    if (!are_rows(n, 0)) return;
    Dim width = t.dim[t.rank - 1];
    set_result(n, 1, DT_i64, t.rank - 1, t.dim);
    if (t.rank == MAX_RANK)
        problem(n, EXIT_UNSUPPORTED, "expected at most %d dims, saw %s", MAX_RANK - 1, in_text(n, 0));
    if (t.rank == MAX_RANK) return;
    t.dim[t.rank - 1] = fixed(attr_i(n, "parts")), t.dim[t.rank] = width;
    set_result(n, 0, DT_u8, t.rank + 1, t.dim);
}

/* ---- building ---- */

Value *rows_built(Node *at, const char *text, int n, Value *const *with) {
    static const char *const names[] = {"m", "p", "q", "x"};
    Value *v;
    build_decomposition(at, text, n, names, with, 1, &v);
    return v;
}

int64_t width_of_rows(const Value *rows) { return rows->type.dim[rows->type.rank - 1].max; }

Value *rows_widened(Node *at, Value *rows, int64_t width) {
    int64_t more = width - width_of_rows(rows);
    return more <= 0 ? rows
                     : rows_built(at, format(at->graph->module->arena, "Pad(m, [0, %lld], 0, [-1])", (long long)more),
                                  1, &rows);
}

void as_wide(Node *at, int n, Value **rows) {
    int64_t width = 1;
    for (int i = 0; i < n; i++)
        if (width_of_rows(rows[i]) > width) width = width_of_rows(rows[i]);
    for (int i = 0; i < n; i++) rows[i] = rows_widened(at, rows[i], width);
}

static Node *made(Node *at, int op, int n, Value *const *in, int nout) {
    Node *node = node_new(at->graph, at, &ops[op], n, in, nout, NULL, at->loc);
    node->origin = node_origin(at);
    return node;
}

/* ---- operators ---- */

void expand_string_concat(Node *n) {
    Node *join = made(n, OP_TextJoin, 2, n->in, 1);
    infer_node(join);
    replaced_by(n, 1, join->out);
}

void expand_string_split(Node *n) {
    int axis = n->in[0]->type.rank - 1;
    Node *split = made(n, OP_TextSplit, 1, n->in, 2);
    set_attr_s(split, "delimiter", delimiter_of(n));
    set_attr_i(split, "parts", most_parts(n));
    infer_node(split);
    Value *count = rows_built(n, "ReduceMax(m, keepdims = 0)", 1, &split->out[1]);
    bool whole = given_attr(n, "maxsplit") && attr_i(n, "maxsplit") == 0 && *delimiter_of(n); /* one part each */
    if (output(n, 0) && !whole && !sized_by_call(n, 0, axis, count)) return;
    replaced_by(n, 2, split->out);
}

static Value *in_case(Node *at, Value *rows, const char *action) {
    const char *text = !strcmp(action, "LOWER")   ? "Where(m >= 65 && m <= 90, m + 32, m)"
                       : !strcmp(action, "UPPER") ? "Where(m >= 97 && m <= 122, m - 32, m)"
                                                  : NULL;
    return text ? rows_built(at, text, 1, &rows) : rows;
}

/* Which of the rows [C, width] are none of the words. */
static Value *kept(Node *n, Value *rows) {
    const Attr *words = attr(n, "stopwords");
    bool exact = attr_i(n, "is_case_sensitive") != 0;
    const Tensor *t = strings_new(n->graph->module->arena, 1, (int64_t[]){words->n}, words->strs);
    Value *both[] = {
        rows, const_new(n->graph->module, NULL, strings_as_rows(n->graph->module->arena, t, longest_string(t) + 1))};
    for (int i = 0; i < 2; i++) both[i] = in_case(n, both[i], exact ? "NONE" : "LOWER");
    as_wide(n, 2, both);
    return rows_built(n, "!ReduceMax(ReduceMin(Unsqueeze(m, [1]) == p, [-1], keepdims = 0), [-1], keepdims = 0)", 2,
                      both);
}

/* The rows that stay come to the front; behind them are empty ones, of which one counts if there is no other. */
void expand_string_normalizer(Node *n) {
    Arena *a = n->graph->module->arena;
    Value *x = n->in[0], *y;
    int64_t width = width_of_rows(x);
    const char *flat = format(a, "Reshape(m, [-1, %lld])", (long long)width);
    bool deep = x->type.rank == 3, none = type_count(&x->type) == 0;
    if (none) {
        int64_t dim[] = {1, 1, width};
        y = const_new(n->graph->module, NULL, tensor_new(a, DT_u8, deep ? 3 : 2, deep ? dim : dim + 1));
        replaced_by(n, 1, &y);
        return;
    }
    y = x = rows_built(n, flat, 1, &x);
    if (attr(n, "stopwords")->n) {
        Value *with[] = {kept(n, x), x, NULL};
        with[2] = rows_built(n, "CumSum(Cast(m, to = 7), 0)", 1, with);
        y = rows_built(
            n,
            "k = Where(Unsqueeze(m, [1]), p, 0); n = ReduceSum(Cast(m, to = 7), keepdims = 0); "
            "to = Where(m, q - 1, n + CumSum(1 - Cast(m, to = 7), 0) - 1); ScatterND(zeros(k), Unsqueeze(to, [1]), k)",
            3, with);
        Value *count = rows_built(n, "Max(ReduceSum(Cast(m, to = 7), keepdims = 0), 1)", 1, with);
        if (!sized_by_call(n, 0, deep, count)) return;
    }
    y = in_case(n, y, attr_s(n, "case_change_action"));
    if (deep) y = rows_built(n, format(a, "Reshape(m, [1, -1, %lld])", (long long)width), 1, &y);
    replaced_by(n, 1, &y);
}
