/* infer_shape.c - results that are the input under another shape, and operators that compute with shapes. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"
#include <math.h>

/* ---- views ---- */

static bool has_symbols(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].symbol) return true;
    return false;
}

/* "; fix it with --dim h=N": of the first dim of either shape that is none. */
static const char *fix_shapes(const Node *n, const Type *from, const Type *to) {
    for (int i = 0; i < from->rank; i++)
        if (from->dim[i].symbol) return fix_text(n, from->dim[i]);
    for (int i = 0; i < to->rank; i++)
        if (to->dim[i].symbol) return fix_text(n, to->dim[i]);
    return "";
}

/* Elements of a shape; false where no symbol says how many. */
static bool elements_of(Module *m, const Type *t, int but, Dim *all) {
    *all = fixed(1);
    for (int i = 0; i < t->rank; i++)
        if (i != but && !dim_mul(m, *all, t->dim[i], all)) return false;
    return true;
}

static void set_view(Node *n, const Type *to) {
    Module *m = n->graph->module;
    const Type *from = in_type(n, 0);
    Dim have, want;
    if (elements_of(m, from, -1, &have) && elements_of(m, to, -1, &want) && same_dim(have, want))
        set_shape(n, 0, to->rank, to->dim);
    else if (!has_symbols(from) && !has_symbols(to))
        problem(n, EXIT_INPUT, "expected a shape with the %lld elements of %s, saw %s with %lld",
                (long long)type_count(from), type_shown(n, from), type_shown(n, to), (long long)type_count(to));
    else
        problem(n, EXIT_UNSUPPORTED, "expected a shape with the elements of %s whatever its extents are, saw %s%s",
                type_shown(n, from), type_shown(n, to), fix_shapes(n, from, to));
}

/* The one extent that a shape leaves open. */
static bool fill_hole(Node *n, const Type *from, Type *to, int hole) {
    Dim all, rest;
    if (elements_of(n->graph->module, from, -1, &all) && elements_of(n->graph->module, to, hole, &rest) &&
        (rest.symbol || rest.max > 0) && dim_div(n->graph->module, all, rest, &to->dim[hole]))
        return true;
    to->dim[hole] = (Dim){-1, NULL};
    if (has_symbols(from) || has_symbols(to))
        problem(n, EXIT_UNSUPPORTED, "expected a shape with the elements of %s whatever its extents are, saw %s%s",
                in_text(n, 0), type_shown(n, to), fix_shapes(n, from, to));
    else
        problem(n, EXIT_INPUT, "%s does not divide into a shape whose other dims hold %lld elements", in_text(n, 0),
                (long long)rest.max);
    return false;
}

void infer_reshape(Node *n) {
    const Type *from = in_type(n, 0);
    Type to = {.dtype = from->dtype};
    int hole = -1;
    if (!need_rank(n, 1, 1) || !need_dims(n, 1, MAX_RANK, &to.rank, to.dim)) return;
    for (int i = 0; i < to.rank; i++) {
        Dim *d = &to.dim[i];
        if (d->max == 0 && !attr_i(n, "allowzero") && i < from->rank) *d = from->dim[i];
        if (d->max >= 0) continue;
        if (d->max != -1 || hole >= 0) {
            problem(n, EXIT_INPUT, "shape: expected extents from 0 on%s, saw %lld",
                    hole >= 0 ? " and one -1" : ", or -1", (long long)d->max);
            return;
        }
        hole = i;
    }
    if (hole < 0 || fill_hole(n, from, &to, hole)) set_view(n, &to);
}

static bool merged(Node *n, int from, int end, Dim *d) {
    const Type *t = in_type(n, 0);
    Type part = {.dtype = t->dtype, .rank = end - from};
    memcpy(part.dim, t->dim + from, sizeof *part.dim * (size_t)(end - from));
    if (elements_of(n->graph->module, &part, -1, d)) return true;
    problem(n, EXIT_UNSUPPORTED, "expected fewer extents that are chosen at run time, saw %s", in_text(n, 0));
    return false;
}

void infer_flatten(Node *n) {
    const Type *t = in_type(n, 0);
    int64_t axis = attr_i(n, "axis");
    if (axis < 0) axis += t->rank;
    if (axis > t->rank) axis = t->rank; /* the default, for a scalar */
    Type to = {.dtype = t->dtype, .rank = 2};
    if (merged(n, 0, (int)axis, &to.dim[0]) && merged(n, (int)axis, t->rank, &to.dim[1])) set_view(n, &to);
}

void infer_squeeze(Node *n) {
    const Type *t = in_type(n, 0);
    bool mask[MAX_RANK], given = input(n, 1) && type_count(in_type(n, 1)) > 0;
    Dim dim[MAX_RANK];
    int rank = 0;
    if (!known_axes(n, 1, t->rank, mask)) return;
    for (int i = 0; i < t->rank; i++) {
        bool one = same_dim(t->dim[i], fixed(1));
        if (given && mask[i] && !one) {
            problem(n, EXIT_INPUT, "axis %d of %s is not 1%s", i, in_text(n, 0), only_text(n, t->dim[i], 1));
            return;
        }
        if (!(given ? mask[i] : one)) dim[rank++] = t->dim[i];
    }
    set_shape(n, 0, rank, dim);
}

void infer_unsqueeze(Node *n) {
    const Type *t = in_type(n, 0);
    bool mask[MAX_RANK];
    Dim dim[MAX_RANK];
    int64_t added = type_count(in_type(n, 1));
    int rank = t->rank + (added < MAX_RANK ? (int)added : MAX_RANK);
    if (rank > MAX_RANK) {
        problem(n, EXIT_UNSUPPORTED, "result: expected a rank of at most %d, saw %d", MAX_RANK, rank);
        return;
    }
    if (!known_axes(n, 1, rank, mask)) return;
    for (int i = 0, from = 0; i < rank; i++) dim[i] = mask[i] ? fixed(1) : t->dim[from++];
    set_shape(n, 0, rank, dim);
}

void infer_transpose(Node *n) {
    const Type *t = in_type(n, 0);
    const Attr *perm = given_attr(n, "perm");
    Dim dim[MAX_RANK];
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[perm ? perm->ints[i] : t->rank - 1 - i];
    set_shape(n, 0, t->rank, dim);
}

/* ---- arithmetic with shapes ---- */

static int64_t clamp_axis(int64_t a, int rank) {
    if (a < 0) a += rank;
    return a < 0 ? 0 : a > rank ? rank : a;
}

void infer_shape(Node *n) {
    const Type *t = in_type(n, 0);
    int64_t start = clamp_axis(attr_i(n, "start"), t->rank);
    int64_t end = given_attr(n, "end") ? clamp_axis(attr_i(n, "end"), t->rank) : t->rank;
    int64_t count = end > start ? end - start : 0;
    set_result(n, 0, DT_i64, 1, (Dim[]){fixed(count)});
    know(n, 0, (int)count, t->dim + start);
}

void infer_size(Node *n) {
    const Type *t = in_type(n, 0);
    Dim d = fixed(1);
    bool ok = true;
    for (int i = 0; i < t->rank; i++) ok = ok && dim_mul(n->graph->module, d, t->dim[i], &d);
    set_result(n, 0, DT_i64, 0, NULL);
    if (ok) know(n, 0, 1, &d);
}

void infer_expand(Node *n) {
    Type shape = {.dtype = DT_i64}, out;
    if (!need_rank(n, 1, 1) || !need_dims(n, 1, MAX_RANK, &shape.rank, shape.dim)) return;
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i].max < 0) {
            problem(n, EXIT_INPUT, "shape: expected extents from 0 on, saw %lld", (long long)shape.dim[i].max);
            return;
        }
    Value as_value = {.name = n->in[1]->name, .type = shape};
    if (broadcast(n, 2, (Value *[]){n->in[0], &as_value}, &out)) set_shape(n, 0, out.rank, out.dim);
}

enum { SMALL_CONSTANT = 1024 };

/* Small ones are shape arithmetic and known at once; large ones stay a node, so that no file holds a million zeros. */
void infer_constant_of_shape(Node *n) {
    const Tensor *value = attr(n, "value")->tensor;
    Dim dim[MAX_RANK];
    int64_t extent[MAX_RANK];
    int rank;
    if (!need_rank(n, 0, 1) || !need_dims(n, 0, MAX_RANK, &rank, dim)) return;
    if (value && value->count != 1) {
        problem(n, EXIT_INPUT, "value: expected 1 element, saw %lld", (long long)value->count);
        return;
    }
    bool constant = true;
    for (int i = 0; i < rank; i++) extent[i] = dim[i].max, constant &= !dim[i].symbol;
    set_result(n, 0, value ? value->dtype : DT_f32, rank, dim);
    Value *v = output(n, 0);
    if (!constant || !v || !type_known(&v->type) || v->type.dtype == DT_str || type_count(&v->type) > SMALL_CONSTANT)
        return;
    v->data = tensor_new(n->graph->module->arena, v->type.dtype, rank, extent);
    int bytes = dtypes[v->type.dtype].bytes;
    for (int64_t i = 0; value && i < v->data->count; i++)
        memcpy((char *)tensor_data(v->data) + i * bytes, value->data, (size_t)bytes);
}

static bool is_one_number(Node *n, int i) {
    if (type_count(in_type(n, i)) == 1) return true;
    problem(n, EXIT_INPUT, "%s: expected one number, saw %s", arg_text(n, i), in_text(n, i));
    return false;
}

/* How many elements a range of integers has; -1 if that is no number. */
static int64_t int_range(int64_t start, int64_t limit, int64_t delta) {
    int64_t span;
    if (delta == 0 || delta == INT64_MIN || start == INT64_MIN || !add_ok(limit, -start, &span)) return -1;
    if (span == INT64_MIN) return -1;
    if (span == 0 || (span < 0) != (delta < 0)) return 0;
    return ceil_div(delta < 0 ? -span : span, delta < 0 ? -delta : delta);
}

static void infer_float_range(Node *n) {
    double x[3], count;
    for (int i = 0; i < 3; i++)
        if (!known_float(n->in[i], &x[i])) {
            Dim d;
            int one;
            need_dims(n, i, 1, &one, &d);
            return;
        }
    count = ceil((x[1] - x[0]) / x[2]);
    if (!(count < 1e12))
        problem(n, EXIT_INPUT, "a range from %g to %g in steps of %g has no end", x[0], x[1], x[2]);
    else
        set_shape(n, 0, 1, (Dim[]){fixed(count > 0 ? (int64_t)count : 0)});
}

/* ceil((limit - start) / delta), and 0 where that is less. */
static void open_range(Node *n, const Dim *d) {
    Module *m = n->graph->module;
    Dim span, count;
    int64_t by = llabs(d[2].max);
    if (d[2].symbol || !by || by > (int64_t)1 << 40) {
        problem(n, EXIT_UNSUPPORTED, "%s: expected a step that is known and not 0, saw %s%s", arg_text(n, 2),
                extent_text(n, d[2]), fix_text(n, d[2]));
        return;
    }
    bool ok = (d[2].max > 0 ? dim_sub(m, d[1], d[0], &span) : dim_sub(m, d[0], d[1], &span)) &&
              dim_add(m, span, fixed(by - 1), &span) && dim_quotient(m, span, fixed(by), &span) &&
              dim_greater(m, span, fixed(0), &count);
    if (ok)
        set_shape(n, 0, 1, &count);
    else
        need_fixed(n, d[1].symbol ? d[1] : d[0], arg_text(n, 1));
}

void infer_range(Node *n) {
    Dim d[3];
    int one;
    for (int i = 0; i < 3; i++)
        if (!is_one_number(n, i)) return;
    if (is_float(in_type(n, 0)->dtype)) {
        infer_float_range(n);
        return;
    }
    for (int i = 0; i < 3; i++)
        if (!need_dims(n, i, 1, &one, &d[i])) return;
    if (d[0].symbol || d[1].symbol || d[2].symbol) {
        open_range(n, d);
        return;
    }
    int64_t count = int_range(d[0].max, d[1].max, d[2].max);
    if (count < 0)
        problem(n, EXIT_INPUT, "a range from %lld to %lld in steps of %lld", (long long)d[0].max, (long long)d[1].max,
                (long long)d[2].max);
    else
        set_shape(n, 0, 1, (Dim[]){fixed(count)});
}
