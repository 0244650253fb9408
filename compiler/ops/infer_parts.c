/* infer_parts.c - what the rules share: names in messages, arithmetic with dims, results, attributes, known inputs. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/spelling.h"

static const int64_t MAX_ELEMENTS = (int64_t)1 << 40;

/* ---- messages ---- */

/* Word i of a list of words; the last one repeats for variadic operators. */
static const char *word(Arena *a, const char *words, int i) {
    for (; words && i && *next_word(words); i--) words = next_word(words);
    return words ? copy_word(a, words) : NULL;
}

const char *arg_name(const Node *n, int i) {
    const char *arg = word(n->graph->module->arena, n->op->args, i);
    return arg ? arg : format(n->graph->module->arena, "input %d", i + 1);
}

const char *arg_text(const Node *n, int i) {
    Arena *a = n->graph->module->arena;
    const char *arg = arg_name(n, i);
    const Value *v = input(n, i);
    return v ? format(a, "%s '%s'", arg, escaped(a, v->name, 60)) : arg;
}

const char *type_shown(const Node *n, const Type *t) {
    Str s = {.arena = n->graph->module->arena};
    put_type(&s, t);
    return s.s;
}

const char *in_text(const Node *n, int i) { return type_shown(n, in_type(n, i)); }

const char *dim_text(Arena *a, Dim d) {
    return d.symbol ? format(a, "%s (%lld at most)", escaped(a, d.symbol->text, 60), (long long)d.max)
                    : format(a, "%lld", (long long)d.max);
}

/* "; fix it with --dim h=N --dim w=N": all that a dim follows from. */
const char *fix_text(const Node *n, Dim d) {
    Str s = {.arena = n->graph->module->arena};
    if (!d.symbol) return "";
    for (int i = 0; i < d.symbol->names && i < SYMBOL_NAMES; i++) {
        const DimBinding *b = binding_of(n->graph->module, d.symbol->name[i]);
        if (b && b->computed) return "; only the data of a call tells it";
    }
    put_text(&s, "; fix it with");
    for (int i = 0; i < d.symbol->names && i < SYMBOL_NAMES; i++)
        put(&s, " --dim %s=N", escaped(s.arena, d.symbol->name[i]->text, 40));
    return s.s;
}

/* The one name that a dim follows from; NULL: it follows from none, or several. */
static const Symbol *name_in(Dim d) { return d.symbol && d.symbol->names == 1 ? d.symbol->name[0] : NULL; }

const char *only_text(const Node *n, Dim d, int64_t extent) {
    Arena *a = n->graph->module->arena;
    const Symbol *name = name_in(d);
    int64_t value = name ? solve_symbol(d.symbol, name, extent) : -1;
    if (!d.symbol || dim_least(d) > extent) return "";
    return value < 0 ? fix_text(n, d) : format(a, "; give --dim %s=%lld", escaped(a, name->text, 40), (long long)value);
}

const char *enough_text(const Node *n, Dim d, int64_t value) {
    Arena *a = n->graph->module->arena;
    const Symbol *name = name_in(d);
    int64_t least = name ? least_for(d.symbol, value) : -1;
    if (!d.symbol) return "";
    if (least < 0) return fix_text(n, d);
    const char *step = name->step > 1 ? format(a, ":%lld", (long long)name->step) : "";
    return format(a, "; give --dim %s=%lld..%lld%s", escaped(a, name->text, 40), (long long)least, (long long)name->max,
                  step);
}

/* "; these are equal for multiples of 16: give --dim h=16..512:16", if there are such. */
const char *equal_text(const Node *n, Dim a, Dim b) {
    Module *m = n->graph->module;
    const Symbol *name;
    int64_t step = equal_in_steps(m, a, b, &name);
    if (!step) return fix_text(n, a.symbol ? a : b);
    return format(m->arena, "; they are where '%s' is a multiple of %lld: give --dim %s=%lld..%lld:%lld",
                  escaped(m->arena, name->text, 40), (long long)step, escaped(m->arena, name->text, 40),
                  (long long)ceil_div(name->min, step) * step, (long long)(name->max / step * step), (long long)step);
}

bool need_fixed(Node *n, Dim d, const char *what) {
    if (!d.symbol) return true;
    problem(n, EXIT_UNSUPPORTED, "%s: expected a fixed extent, saw %s%s", what, dim_text(n->graph->module->arena, d),
            fix_text(n, d));
    return false;
}

const char *extent_text(const Node *n, Dim d) {
    Arena *a = n->graph->module->arena;
    return d.symbol ? escaped(a, d.symbol->text, 60) : format(a, "%lld", (long long)d.max);
}

bool do_not_fit(Node *n, int a, int b) {
    problem(n, EXIT_INPUT, "expected shapes that fit each other, saw %s %s and %s %s", arg_text(n, a), in_text(n, a),
            arg_text(n, b), in_text(n, b));
    return false;
}

bool dims_do_not_fit(Node *n, int a, int b, Dim x, Dim y) {
    Arena *arena = n->graph->module->arena;
    problem(n, EXIT_INPUT, "expected equal dims, saw %s in %s %s and %s in %s %s%s", dim_text(arena, x), arg_text(n, a),
            in_text(n, a), dim_text(arena, y), arg_text(n, b), in_text(n, b), equal_text(n, x, y));
    return false;
}

/* ---- results ---- */

/* A type written in the text of a program must be the one the operator gives. */
static bool as_declared(Node *n, int i, const Type *t) {
    Module *m = n->graph->module;
    const Type *old = &n->out[i]->type;
    if (!m->text || !type_known(old) || (old->dtype == t->dtype && same_shape(old, t))) return true;
    problem(n, EXIT_INPUT, "result: expected the declared %s, saw %s", type_shown(n, old), type_shown(n, t));
    return false;
}

/* Bounds on every extent hold also where another is 0, so that rules can compute with them. */
bool type_fits(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].max > MAX_ELEMENTS) return false;
    int64_t count = type_count(t);
    return count >= 0 && count <= MAX_ELEMENTS;
}

void set_result(Node *n, int i, DType dtype, int rank, const Dim *dim) {
    Value *v = output(n, i);
    if (!v) return;
    if (rank > MAX_RANK) {
        problem(n, EXIT_UNSUPPORTED, "result: expected a rank of at most %d, saw %d", MAX_RANK, rank);
        return;
    }
    Type t = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim[k];
    if (!type_fits(&t)) {
        problem(n, EXIT_INPUT, "result: expected at most 2^40 elements, saw %s", type_shown(n, &t));
        return;
    }
    if (as_declared(n, i, &t)) v->type = t;
}

void set_shape(Node *n, int i, int rank, const Dim *dim) { set_result(n, i, result_dtype(n, i), rank, dim); }

DType float_of(const Node *n) { return n->graph->module->opt->real_f64 ? DT_f64 : DT_f32; }

void infer_same(Node *n) { set_shape(n, 0, in_type(n, 0)->rank, in_type(n, 0)->dim); }

void know(Node *n, int i, int count, const Dim *dim) {
    Value *v = output(n, i);
    if (!v || !type_known(&v->type)) return;
    Arena *a = n->graph->module->arena;
    bool symbols = false;
    for (int k = 0; k < count; k++) symbols |= dim[k].symbol != NULL;
    if (symbols) {
        v->known = arena_copy(a, dim, sizeof *dim * (size_t)count);
        return;
    }
    int64_t extent[MAX_RANK];
    for (int k = 0; k < v->type.rank; k++) extent[k] = v->type.dim[k].max;
    v->data = tensor_new(a, v->type.dtype, v->type.rank, extent);
    for (int k = 0; k < count; k++) set_i(v->data, k, dim[k].max);
}

/* ---- attributes and known inputs ---- */

const Attr *given_attr(const Node *n, const char *name) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (!strcmp(n->op->attr[i].name, name)) return n->attr[i].set || n->attr[i].n ? &n->attr[i] : NULL;
    return NULL;
}

int64_t attr_axis(Node *n, const char *name, int rank) {
    int64_t given = attr_i(n, name), axis = axis_in(given, rank);
    if (axis >= 0) return axis;
    problem(n, EXIT_INPUT, "%s: expected an axis of an input of rank %d, saw %lld", name, rank, (long long)given);
    return 0;
}

bool has_dims(Node *n, int i, int rank, const Dim *dim) {
    if (!input(n, i)) return true;
    Type t = *in_type(n, i), want = {.dtype = t.dtype, .rank = rank};
    for (int k = 0; k < rank; k++) want.dim[k] = dim[k];
    if (same_shape(&t, &want)) return true;
    problem(n, EXIT_INPUT, "%s: expected %s, saw %s", arg_text(n, i), type_shown(n, &want), in_text(n, i));
    return false;
}

/* The integer graph input that an unknown value hangs on, NULL if none is found. */
static const Value *source_of(const Value *v) {
    for (int step = 0; step < 64 && v; step++) {
        if (v->kind == V_INPUT) return v;
        const Node *def = v->def;
        const Value *next = NULL;
        for (int i = 0; def && i < def->nin && !next; i++) {
            const Value *in = resolve(def->in[i]);
            if (in && !in->data && !in->known) next = in;
        }
        v = next;
    }
    return NULL;
}

/* A Col2Im is a sum of other blocks where these are. */
static bool bound_helps(const Node *n, const Value *v) {
    if (IS(n, Col2Im)) return false;
    return !n->graph->module->entry && (!is_float(v->type.dtype) || IS(n, Resize));
}

/* "--bound k=N with the most that it can be": where a node of a network to run reads integers, or scales. */
static const char *bound_text(const Node *n, const Value *v) {
    Arena *a = n->graph->module->arena;
    if (!bound_helps(n, v)) return "";
    return format(a, "--bound %s=N with the most that %s can be", escaped(a, port_name(v), 60),
                  type_count(&v->type) == 1 ? "it" : "each number");
}

static void not_known(Node *n, int i) {
    Arena *a = n->graph->module->arena;
    const Value *v = n->in[i], *from = source_of(v);
    const char *name = from ? escaped(a, from->name, 60) : NULL,
               *bound = bound_text(n, from && !is_float(from->type.dtype) ? from : v);
    if (from && (from == v || !is_float(from->type.dtype)))
        problem(n, EXIT_UNSUPPORTED, "%s is not known when compiling; give it with --const %s=FILE%s%s", arg_text(n, i),
                name, *bound ? ", or " : "", bound);
    else
        problem(n, EXIT_UNSUPPORTED, "%s is not known when compiling: it is computed from %s%s%s", arg_text(n, i),
                name ? format(a, "the input '%s'", name) : "data", *bound ? "; give " : "", bound);
}

bool need_dims(Node *n, int i, int max, int *count, Dim *out) {
    const Value *v = n->in[i];
    if (known_dims(v, max, count, out)) return true;
    int64_t size = type_count(&v->type);
    if (size > max && (v->data || v->known))
        problem(n, EXIT_UNSUPPORTED, "%s: expected at most %d elements, saw %lld", arg_text(n, i), max,
                (long long)size);
    else
        not_known(n, i);
    return false;
}

bool need_ints(Node *n, int i, int max, int *count, int64_t *out) {
    if (known_ints(n->in[i], max, count, out)) return true;
    Dim *dim = NEW_ARRAY(n->graph->module->arena, Dim, max);
    if (!need_dims(n, i, max, count, dim)) return false;
    for (int k = 0; k < *count; k++)
        if (!need_fixed(n, dim[k], arg_text(n, i))) return false;
    return false;
}

bool need_rank_from(Node *n, int i, int least) {
    if (in_type(n, i)->rank >= least) return true;
    problem(n, EXIT_INPUT, "%s: expected a rank of at least %d, saw %s", arg_text(n, i), least, in_text(n, i));
    return false;
}

bool need_rank(Node *n, int i, int rank) {
    if (in_type(n, i)->rank == rank) return true;
    problem(n, EXIT_INPUT, "%s: expected rank %d, saw %s", arg_text(n, i), rank, in_text(n, i));
    return false;
}

/* A reduction without any axes is over all of them, unless noop_with_empty_axes says otherwise. */
static bool all_axes(const Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (!strcmp(n->op->attr[i].name, "noop_with_empty_axes")) return !n->attr[i].i;
    return false;
}

bool known_axes(Node *n, int arg, int rank, bool *mask) {
    int64_t axis[MAX_RANK];
    int count = 0;
    const Attr *list = input(n, arg) ? NULL : given_attr(n, "axes");
    for (int i = 0; i < rank; i++) mask[i] = false;
    if (input(n, arg) && !need_ints(n, arg, MAX_RANK, &count, axis)) return false;
    if (list) count = list->n;
    for (int i = 0; i < rank && !count; i++) mask[i] = all_axes(n);
    for (int i = 0; i < count; i++) {
        int64_t given = list ? list->ints[i] : axis[i], a = axis_in(given, rank);
        if (a < 0 || mask[a]) {
            problem(n, EXIT_INPUT,
                    a < 0 ? "axis %lld: expected an axis of an input of rank %d"
                          : "axis %lld: expected once, for rank %d, saw twice",
                    (long long)given, rank);
            return false;
        }
        mask[a] = true;
    }
    return true;
}
