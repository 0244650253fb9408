/* infer.c - result types: what every operator has in common. Rules of one family each are in infer_*.c. */
#include "infer.h"
#include <limits.h>

enum { FOLD_ELEMENTS = 1024, FOLD_INPUT = 1 << 16 };
static const int64_t MAX_ELEMENTS = (int64_t)1 << 40;

/* ---- messages ---------------------------------------------------------------------------------- */

/* Word i of a list of words; the last one repeats for variadic operators. */
static const char *word(Arena *a, const char *list, int i) {
    if (!list) return NULL;
    const char *s = list, *end;
    for (int k = 0;; k++) {
        end = s + strcspn(s, " ");
        if (k == i || !*end) return format(a, "%.*s", (int)(end - s), s);
        s = end + 1;
    }
}

const char *arg_text(const Node *n, int i) {
    Arena *a = n->graph->module->arena;
    const char *arg = word(a, n->op->args, i);
    if (!arg) arg = format(a, "input %d", i + 1);
    const Value *v = input(n, i);
    return v ? format(a, "%s '%s'", arg, escaped(a, v->name, 60)) : arg;
}

const char *in_text(const Node *n, int i) { return type_text(n->graph->module->arena, in_type(n, i)); }

const char *dim_text(Arena *a, Dim d) {
    return d.symbol ? format(a, "%lld (%s)", (long long)d.max, escaped(a, d.symbol, 40)) : format(a, "%lld", (long long)d.max);
}

/* ---- dims -------------------------------------------------------------------------------------- */

int64_t symbol_max(const Module *m, const char *name) {
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (!strcmp(b->name, name)) return b->max;
    }
    return 0;
}

bool dim_whole(Module *m, Dim d) {
    int64_t max = d.symbol ? symbol_max(m, d.symbol) : 1;
    return max > 0 && d.max % max == 0;
}

bool dim_mul(Module *m, Dim a, Dim b, Dim *out) {
    if (a.symbol && b.symbol) return false;
    out->symbol = a.symbol ? a.symbol : b.symbol;
    return mul_ok(a.max, b.max, &out->max) && dim_whole(m, *out);
}

bool dim_div(Module *m, Dim a, Dim b, Dim *out) {
    if (b.max <= 0 || a.max % b.max || (b.symbol && a.symbol != b.symbol)) return false;
    *out = (Dim){a.max / b.max, b.symbol ? NULL : a.symbol};
    return dim_whole(m, *out);
}

bool dim_add(Module *m, Dim a, Dim b, Dim *out) {
    if (a.symbol != b.symbol) return false;
    out->symbol = a.symbol;
    return add_ok(a.max, b.max, &out->max) && dim_whole(m, *out);
}

bool need_fixed(Node *n, Dim d, const char *what) {
    if (!d.symbol) return true;
    Arena *a = n->graph->module->arena;
    problem(n, EXIT_UNSUPPORTED, "%s is %s, an extent known at run time only; fix it with --dim %s=N", what, dim_text(a, d),
            escaped(a, d.symbol, 40));
    return false;
}

/* ---- results ----------------------------------------------------------------------------------- */

/* A type written in the text of a program must be the one the operator gives. */
static bool as_declared(Node *n, int i, const Type *t) {
    Module *m = n->graph->module;
    const Type *old = &n->out[i]->type;
    if (!m->text || !type_known(old) || (old->dtype == t->dtype && same_shape(old, t))) return true;
    problem(n, EXIT_INPUT, "the result is declared %s, but the operator gives %s", type_text(m->arena, old), type_text(m->arena, t));
    return false;
}

/* Bounds on every extent hold also where another is 0, so that rules can compute with them. */
static bool type_fits(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i].max > MAX_ELEMENTS) return false;
    int64_t count = type_count(t);
    return count >= 0 && count <= MAX_ELEMENTS;
}

void set_result(Node *n, int i, DType dtype, int rank, const Dim *dim) {
    Value *v = output(n, i);
    if (!v) return;
    if (rank > MAX_RANK) {
        problem(n, EXIT_UNSUPPORTED, "a result of rank %d; the most is %d", rank, MAX_RANK);
        return;
    }
    Type t = {.dtype = dtype, .rank = rank};
    for (int k = 0; k < rank; k++) t.dim[k] = dim[k];
    if (!type_fits(&t)) {
        problem(n, EXIT_INPUT, "a result of type %s is larger than any memory", type_text(n->graph->module->arena, &t));
        return;
    }
    if (as_declared(n, i, &t)) v->type = t;
}

static char letter(const char *types, int i) {
    if (!types) return 'T';
    int last = (int)strlen(types) - 1;
    char c = types[i < last ? i : last];
    return c == '.' && last > 0 ? types[last - 1] : c;
}

/* The type of the first input whose letter is c. */
static DType bound_dtype(const Node *n, char c) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && letter(n->op->in_types, i) == c) return n->in[i]->type.dtype;
    return DT_none;
}

DType result_dtype(const Node *n, int i) {
    char c = letter(n->op->out_types, i);
    return c == 'b' ? DT_bool : c == 'l' ? DT_i64 : c >= 'A' && c <= 'Z' ? bound_dtype(n, c) : DT_none;
}

void set_shape(Node *n, int i, int rank, const Dim *dim) { set_result(n, i, result_dtype(n, i), rank, dim); }

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

/* ---- attributes and known inputs ----------------------------------------------------------------- */

const Attr *given_attr(const Node *n, const char *name) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (!strcmp(n->op->attr[i].name, name)) return n->attr[i].set || n->attr[i].n ? &n->attr[i] : NULL;
    return NULL;
}

int64_t attr_axis(Node *n, const char *name, int rank) {
    int64_t given = attr_i(n, name), axis = axis_in(given, rank);
    if (axis >= 0) return axis;
    problem(n, EXIT_INPUT, "%s is %lld, but the input has rank %d", name, (long long)given, rank);
    return 0;
}

bool one_of(Node *n, const char *name, const char *choices) {
    const char *given = attr_s(n, name);
    size_t len = given ? strlen(given) : 0;
    for (const char *s = choices; *s; s += strcspn(s, " "), s += *s == ' ')
        if (strcspn(s, " ") == len && given && !memcmp(s, given, len)) return true;
    problem(n, EXIT_UNSUPPORTED, "%s is '%s', expected one of: %s", name, escaped(n->graph->module->arena, given ? given : "", 40),
            choices);
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

static void not_known(Node *n, int i) {
    Arena *a = n->graph->module->arena;
    const Value *v = n->in[i], *from = source_of(v);
    const char *name = from ? escaped(a, from->name, 60) : NULL;
    if (from && (from == v || !is_float(from->type.dtype)))
        problem(n, EXIT_UNSUPPORTED, "%s is not known when compiling; give it with --const %s=FILE", arg_text(n, i), name);
    else
        problem(n, EXIT_UNSUPPORTED, "%s is not known when compiling: it is computed from %s", arg_text(n, i),
                name ? format(a, "the input '%s'", name) : "data");
}

bool need_dims(Node *n, int i, int max, int *count, Dim *out) {
    const Value *v = n->in[i];
    if (known_dims(v, max, count, out)) return true;
    int64_t size = type_count(&v->type);
    if (size > max && (v->data || v->known))
        problem(n, EXIT_UNSUPPORTED, "%s has %lld elements; the most is %d", arg_text(n, i), (long long)size, max);
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
    problem(n, EXIT_INPUT, "%s is %s, expected a rank of at least %d", arg_text(n, i), in_text(n, i), least);
    return false;
}

bool need_rank(Node *n, int i, int rank) {
    if (in_type(n, i)->rank == rank) return true;
    problem(n, EXIT_INPUT, "%s is %s, expected rank %d", arg_text(n, i), in_text(n, i), rank);
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
            problem(n, EXIT_INPUT, a < 0 ? "axis %lld, but the rank is %d" : "axis %lld is given twice (rank %d)", (long long)given, rank);
            return false;
        }
        mask[a] = true;
    }
    return true;
}

/* ---- checks by the row --------------------------------------------------------------------------- */

static bool arity_fits(Node *n) {
    const Op *op = n->op;
    int least = op->nary ? 1 : op->in, most = max_inputs(op), results = max_outputs(op);
    if (n->nin < least || n->nin > most) {
        const char *at = least == most ? "" : n->nin < least ? "at least " : "at most ";
        problem(n, EXIT_INPUT, "%d input%s, expected %s%d", n->nin, n->nin == 1 ? "" : "s", at, n->nin < least ? least : most);
        return false;
    }
    for (int i = 0; i < (most == INT_MAX ? n->nin : least); i++)
        if (!n->in[i]) {
            problem(n, EXIT_INPUT, "%s is missing", arg_text(n, i));
            return false;
        }
    if (n->nout > results) problem(n, EXIT_INPUT, "%d results, expected at most %d", n->nout, results);
    return n->nout <= results;
}

static bool attrs_given(Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->op->attr[i].must && !n->attr[i].set) {
            problem(n, EXIT_INPUT, "attribute '%s' is missing", n->op->attr[i].name);
            return false;
        }
    return true;
}

/* Whether a type is what a letter and the row's kinds allow; else what was expected. */
static const char *misfit(const Op *op, char c, DType t) {
    char kind = dtypes[t].kind;
    if (c == 'T' && op->types && !strchr(op->types, kind)) return "another type";
    if (c == 'b' && t != DT_bool) return "bool";
    if (c == 'l' && t != DT_i64) return "i64";
    if (c == 'i' && !is_int(t)) return "integers";
    if (c == 'f' && !is_float(t)) return "floats";
    return NULL;
}

static const char *kinds_text(const char *kinds, Arena *a) {
    static const struct { char kind; const char *name; } names[] = {
        {'f', "floats"}, {'i', "signed integers"}, {'u', "unsigned integers"}, {'b', "bool"}};
    Str s = {.arena = a};
    for (int i = 0; i < COUNT(names); i++)
        if (strchr(kinds, names[i].kind)) put(&s, "%s%s", s.n ? ", " : "", names[i].name);
    return s.s;
}

static bool types_fit(Node *n) {
    const Op *op = n->op;
    for (int i = 0; i < n->nin; i++) {
        if (!n->in[i]) continue;
        DType t = in_type(n, i)->dtype;
        char c = letter(op->in_types, i);
        const char *expected = misfit(op, c, t);
        if (expected) {
            if (c == 'T') expected = kinds_text(op->types, n->graph->module->arena);
            problem(n, EXIT_UNSUPPORTED, "%s is %s, expected %s", arg_text(n, i), dtypes[t].name, expected);
            return false;
        }
        DType bound = c >= 'A' && c <= 'Z' ? bound_dtype(n, c) : t;
        if (bound == t) continue;
        problem(n, EXIT_INPUT, "%s is %s, expected %s as for the inputs before", arg_text(n, i), dtypes[t].name, dtypes[bound].name);
        return false;
    }
    return true;
}

static bool inputs_known(Node *n) {
    for (int i = 0; i < n->nin; i++) {
        if (!n->in[i]) continue;
        if (!type_known(in_type(n, i))) return false;
        if (type_fits(in_type(n, i))) continue;
        problem(n, EXIT_INPUT, "%s is %s, larger than any memory", arg_text(n, i), in_text(n, i));
        return false;
    }
    return true;
}

/* ---- rules of the kinds ---------------------------------------------------------------------------- */

static void do_not_fit(Node *n, int a, int b, Dim x, Dim y) {
    Arena *arena = n->graph->module->arena;
    problem(n, EXIT_INPUT, "inputs do not fit: %s is %s, %s is %s: %s against %s", arg_text(n, a), in_text(n, a), arg_text(n, b),
            in_text(n, b), dim_text(arena, x), dim_text(arena, y));
}

bool broadcast(Node *n, int count, Value *const *in, Type *out) {
    int from[MAX_RANK] = {0};
    *out = (Type){.dtype = DT_none, .rank = 0};
    for (int i = 0; i < count; i++)
        if (in[i] && in[i]->type.rank > out->rank) out->rank = in[i]->type.rank;
    for (int k = 0; k < out->rank; k++) out->dim[k] = fixed(1);
    for (int i = 0; i < count; i++) {
        if (!in[i]) continue;
        const Type *t = &in[i]->type;
        if (out->dtype == DT_none) out->dtype = t->dtype;
        for (int k = 0, at = out->rank - t->rank; k < t->rank; k++, at++) {
            Dim *d = &out->dim[at];
            if (same_dim(*d, t->dim[k]) || same_dim(t->dim[k], fixed(1))) continue;
            if (!same_dim(*d, fixed(1))) {
                do_not_fit(n, from[at], i, *d, t->dim[k]);
                return false;
            }
            *d = t->dim[k], from[at] = i;
        }
    }
    return true;
}

bool broadcasts_to(Node *n, int i, const Type *to) {
    const Type *t = in_type(n, i);
    bool ok = t->rank <= to->rank;
    for (int k = 0; k < t->rank && ok; k++) ok = same_dim(t->dim[k], fixed(1)) || same_dim(t->dim[k], to->dim[to->rank - t->rank + k]);
    if (!ok)
        problem(n, EXIT_INPUT, "%s is %s, which does not broadcast to %s", arg_text(n, i), in_text(n, i),
                type_text(n->graph->module->arena, to));
    return ok;
}

static void infer_broadcast(Node *n) {
    Type t;
    if (broadcast(n, n->nin, n->in, &t)) set_shape(n, 0, t.rank, t.dim);
}

/* Whether a node is cheap enough to evaluate at once: shape arithmetic. */
static bool is_small(const Node *n) {
    if (n->op->no_fold || n->op->random || n->op->effect || !n->nin) return false;
    for (int i = 0; i < n->nin; i++) {
        const Value *v = n->in[i];
        if (v && (!v->data || v->kind == V_PARAM || v->kind == V_STATE || v->data->count > FOLD_INPUT)) return false;
    }
    for (int i = 0; i < n->nout; i++) {
        const Value *v = n->out[i];
        if (v && (v->data || !type_known(&v->type) || type_count(&v->type) > FOLD_ELEMENTS || v->type.dtype == DT_str)) return false;
    }
    return true;
}

/* Evaluates a composite through its meaning, built beside it and taken away again. */
static void fold_meaning(Node *n) {
    Graph *g = n->graph;
    Node *before = n->prev, *copy = node_new(g, n, n->op, n->nin, n->in, n->nout, NULL, n->loc);
    copy->attr = n->attr;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) copy->out[i]->type = n->out[i]->type;
        else copy->out[i] = NULL;
    Value **result = copy->out;
    expand_def(copy);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) n->out[i]->data = resolve(result[i])->data;
    for (Node *x = before ? before->next : g->first, *next; x != n; x = next) {
        next = x->next;
        unlink_node(x);
    }
}

void infer_node(Node *n) {
    const Op *op = n->op;
    for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
    if (op->unsupported) {
        problem(n, EXIT_UNSUPPORTED, "%s", op->unsupported);
        return;
    }
    if (!arity_fits(n) || !attrs_given(n) || !inputs_known(n) || !types_fit(n)) return;
    if (op->infer) op->infer(n);
    else if (op->kind == K_RED) infer_reduction(n);
    else infer_broadcast(n);
    if (is_small(n) && op->kind == K_DEF) fold_meaning(n);
    else if (is_small(n)) fold_node(n);
    infer_known(n);
}
