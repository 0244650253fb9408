/* infer.c - result types: what every operator has in common. Rules of one family each are in infer_*.c. */
#include "ops/infer.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"
#include "ops/rules_shape.h"
#include <limits.h>

enum { FOLD_ELEMENTS = 1024, FOLD_INPUT = 1 << 16 };

/* ---- letters of types ---- */

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

/* ---- checks by the row ---- */

int missing_input(const Node *n) {
    const Op *op = n->op;
    int last = max_inputs(op) == INT_MAX ? n->nin : op->in;
    for (int i = op->omitted; i < last; i++)
        if (!input(n, i) && !names_operand(op, op->optional, i)) return i;
    return -1;
}

static bool arity_fits(Node *n) {
    const Op *op = n->op;
    int least = op->nary ? 1 : op->in, most = max_inputs(op), results = max_outputs(op);
    if (n->nin < least || n->nin > most) {
        const char *at = least == most ? "" : n->nin < least ? "at least " : "at most ";
        int limit = n->nin < least ? least : most;
        problem(n, EXIT_INPUT, "expected %s%d input%s, saw %d", at, limit, limit == 1 ? "" : "s", n->nin);
        return false;
    }
    int missing = missing_input(n);
    if (missing >= 0) {
        const char *name =
            most == INT_MAX ? format(n->graph->module->arena, "input %d", missing + 1) : arg_text(n, missing);
        problem(n, EXIT_INPUT, "%s is missing", name);
        return false;
    }
    if (n->nout > results) problem(n, EXIT_INPUT, "expected at most %d results, saw %d", results, n->nout);
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
    char kind = kind_letter(t);
    if (c == 'T' && op->types && !strchr(op->types, kind)) return "another type";
    if (c == 'b' && t != DT_bool) return "bool";
    if (c == 'l' && t != DT_i64) return "i64";
    if (c == 'i' && !is_int(t)) return "integers";
    if (c == 'f' && !is_float(t)) return "floats";
    return NULL;
}

void put_kinds(Str *s, const char *kinds) {
    static const struct {
        char kind;
        const char *name;
    } names[] = {{'f', "floats"},  {'i', "signed integers"},         {'u', "unsigned integers"},       {'b', "bool"},
                 {'s', "strings"}, {'n', "integers of 4 or 2 bits"}, {'q', "floats of 8 bits or less"}};
    const char *between = "";
    for (int i = 0; i < COUNT(names); i++)
        if (strchr(kinds, names[i].kind)) put(s, "%s%s", between, names[i].name), between = ", ";
}

static const char *kinds_text(const char *kinds, Arena *a) {
    Str s = {.arena = a};
    put_kinds(&s, kinds);
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
            problem(n, EXIT_UNSUPPORTED, "%s: expected %s, saw %s", arg_text(n, i), expected, dtypes[t].name);
            return false;
        }
        DType bound = c >= 'A' && c <= 'Z' ? bound_dtype(n, c) : t;
        if (bound == t) continue;
        problem(n, EXIT_INPUT, "%s: expected %s as for the inputs before, saw %s", arg_text(n, i), dtypes[bound].name,
                dtypes[t].name);
        return false;
    }
    return true;
}

static bool inputs_known(Node *n) {
    for (int i = 0; i < n->nin; i++) {
        if (!n->in[i]) continue;
        if (!type_known(in_type(n, i))) return false;
        if (type_fits(in_type(n, i))) continue;
        problem(n, EXIT_INPUT, "%s: expected at most 2^40 elements, saw %s", arg_text(n, i), in_text(n, i));
        return false;
    }
    return true;
}

/* ---- rules of the kinds ---- */

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
                dims_do_not_fit(n, from[at], i, *d, t->dim[k]);
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
    for (int k = 0; k < t->rank && ok; k++)
        ok = same_dim(t->dim[k], fixed(1)) || same_dim(t->dim[k], to->dim[to->rank - t->rank + k]);
    if (!ok)
        problem(n, EXIT_INPUT, "%s: expected a shape that broadcasts to %s, saw %s", arg_text(n, i), type_shown(n, to),
                in_text(n, i));
    return ok;
}

static void infer_broadcast(Node *n) {
    Type t;
    if (broadcast(n, n->nin, n->in, &t)) set_shape(n, 0, t.rank, t.dim);
}

/* Whether a node is cheap enough to evaluate at once: shape arithmetic. */
static bool is_small(const Node *n) {
    if (n->op->no_fold || stays(n) || !n->nin) return false;
    for (int i = 0; i < n->nin; i++) {
        const Value *v = n->in[i];
        if (v && (!v->data || v->kind == V_PARAM || v->kind == V_STATE || v->data->count > FOLD_INPUT)) return false;
    }
    bool used = false;
    for (int i = 0; i < n->nout; i++) {
        const Value *v = n->out[i];
        used |= v != NULL;
        if (v && (v->data || !type_known(&v->type) || type_count(&v->type) > FOLD_ELEMENTS || v->type.dtype == DT_str))
            return false;
    }
    return used;
}

/* Evaluates a composite through what it stands for, built beside it and taken away again. */
static void fold_composite(Node *n) {
    Graph *g = n->graph;
    Node *before = n->prev, *copy = node_new(g, n, n->op, n->nin, n->in, n->nout, NULL, n->loc);
    copy->attr = n->attr;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i])
            copy->out[i]->type = n->out[i]->type;
        else
            copy->out[i] = NULL;
    Value **result = copy->out;
    (n->op->expand ? n->op->expand : expand_def)(copy);
    for (int i = 0; i < n->nout; i++)
        if (n->out[i]) n->out[i]->data = resolve(result[i])->data;
    for (Node *x = before ? before->next : g->first, *next; x != n; x = next) {
        next = x->next;
        unlink_node(x);
    }
}

static void fold_small(Node *n) { n->graph->module->fold(n); }

/* A rule that leaves a result without a type has said why; if one forgets to, this does. */
static void complain(Node *n, int said) {
    for (int i = 0; i < n->nout && n->graph->module->problems.n == said; i++)
        if (n->out[i] && !n->out[i]->replacement && !type_known(&n->out[i]->type))
            problem(n, EXIT_INPUT, "its inputs and attributes determine no shape for result %d", i + 1);
}

void drop_unused(Node *n) {
    bool used = stays(n) || is_gone(n);
    for (int i = 0; i < n->nout && !used; i++) used = n->out[i] != NULL;
    if (!used) unlink_node(n);
}

/* Sequences go through Identity and Loop; operators that know them are asked themselves. True after a problem, and
 * where nothing is left to do. */
static bool takes_list(Node *n) {
    for (int i = 0; i < n->nin && !n->op->lists && !IS(n, Loop); i++) {
        if (!n->in[i] || !n->in[i]->items) continue;
        if (IS(n, Identity))
            infer_same(n), n->out[0]->items = n->in[i]->items;
        else
            problem(n, EXIT_UNSUPPORTED, "%s: expected a tensor, saw %s", arg_text(n, i),
                    n->in[i]->items->none ? "an optional without an element" : "a sequence");
        return true;
    }
    return false;
}

void infer_node(Node *n) {
    const Op *op = n->op;
    int said = n->graph->module->problems.n;
    for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
    if (op->unsupported) {
        problem(n, EXIT_UNSUPPORTED, "%s", op->unsupported);
        return;
    }
    bool sound = arity_fits(n) && attrs_given(n), known = sound && inputs_known(n);
    if (!attrs_fit(n) || !known || (!op->lists && !types_fit(n))) return;
    if (takes_list(n)) return;
    if (op->infer)
        op->infer(n);
    else if (op->kind == K_RED)
        infer_reduction(n);
    else
        infer_broadcast(n);
    if (is_gone(n) || op->lists) return;
    complain(n, said);
    if (is_small(n)) (op->kind == K_DEF || op->expand ? fold_composite : fold_small)(n);
    infer_known(n);
}
