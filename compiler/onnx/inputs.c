/* inputs.c - inputs and initializers of a graph: types, extents given by --dim, contents given by --const. */
#include "io/io.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "onnx/importer.h"
#include "ops/ops.h"
#include "train/train.h"
#include <ctype.h>
#include <fnmatch.h>

/* ---- types of inputs ---- */

/* Some exporters call every open dim "?": that is no name, for equal names would be equal extents. */
static bool says_something(const char *name) {
    for (; *name; name++)
        if (isalnum((unsigned char)*name)) return true;
    return false;
}

static bool fixed_dim(const Onnx__TensorShapeProto__Dimension *d) {
    return d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
}

/* An extent goes by the name it has in the model, or by its input and dim. */
static const char *dim_name(Module *m, const char *input, int dim, const Onnx__TensorShapeProto__Dimension *d) {
    bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && says_something(d->dim_param);
    return named ? d->dim_param : unnamed_dim(m->arena, input, dim);
}

static Dim input_dim(Importer *im, const char *input, int dim, const Onnx__TensorShapeProto__Dimension *d) {
    Module *m = im->m;
    if (fixed_dim(d) && d->dim_value > 0) return (Dim){d->dim_value, NULL};
    const char *name = dim_name(m, input, dim, d);
    bool empty = fixed_dim(d) && d->dim_value == 0; /* some models do take empty tensors */
    DimBinding *b = given_dim(m, name);
    if (!b && !empty) b = any_dim(m, name);
    if (b) return dim_of_binding(m, b);
    if (empty) return (Dim){0, NULL};
    leave_dim_open(m->arena, &im->open, name, dim);
    return (Dim){-1, symbol_unbound(m, name)};
}

static const char *const kinds[] = {
    [ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE] = "a sequence",
    [ONNX__TYPE_PROTO__VALUE_MAP_TYPE] = "a map",
    [ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE] = "an optional",
    [ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE] = "a sparse tensor",
    [ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE] = "opaque",
};

/* Why a declared type cannot be one of ours; NULL if it can. */
static const char *refused_type(Arena *a, const Onnx__TypeProto *t) {
    if (!t || t->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET) return NULL;
    if (t->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return (size_t)t->value_case < COUNT(kinds) && kinds[t->value_case] ? kinds[t->value_case]
                                                                            : "of an unknown kind";
    DType dtype = dtype_of_onnx(t->tensor_type->elem_type);
    if (dtype != DT_none) return NULL;
    return format(a, "a tensor of %s", element_name(a, t->tensor_type->elem_type));
}

/* What is declared of a tensor; NULL for anything else. */
static const Onnx__TypeProto__Tensor *tensor_type_of(const Onnx__ValueInfoProto *info) {
    const Onnx__TypeProto *t = info->type;
    return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? t->tensor_type : NULL;
}

Type declared_type(Importer *im, const Onnx__ValueInfoProto *info, bool ask) {
    Type t = {.dtype = DT_none, .rank = -1};
    const Onnx__TypeProto__Tensor *tensor = tensor_type_of(info);
    if (!tensor) return t;
    t.dtype = dtype_of_onnx(tensor->elem_type);
    if (!tensor->shape || tensor->shape->n_dim > MAX_RANK) return t;
    t.rank = (int)tensor->shape->n_dim;
    for (int i = 0; i < t.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = tensor->shape->dim[i];
        bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0;
        if (ask)
            t.dim[i] = input_dim(im, info->name, i, d);
        else
            t.dim[i] = (Dim){fixed ? d->dim_value : -1, NULL};
    }
    return t;
}

/* ---- initializers and inputs ---- */

/* What cannot be read is an error only if something uses it; what is wrong with the file always is. */
static void import_initializer(Scope *s, const Onnx__TensorProto *t, const Onnx__SparseTensorProto *sparse) {
    Importer *im = s->im;
    const char *name = t->name ? t->name : "", *why = NULL;
    int code;
    if (!*name) model_fault(im, "an initializer has no name");
    define_name(s, name);
    Tensor *data = sparse ? tensor_of_sparse(im, sparse, &why, &code) : tensor_of_proto(im, t, &why, &code);
    if (!data && code == EXIT_INPUT) model_fault(im, "initializer '%s': %s", shown(im, name), why);
    bind_name(s, name, data ? const_new(im->m, scoped_name(s, name), data) : NULL, why);
}

static Map *names_of_inputs(Arena *a, const Onnx__GraphProto *g) {
    Map *names = map_new(a);
    for (size_t i = 0; i < g->n_input; i++)
        if (g->input[i]->name) map_set(names, g->input[i]->name, g->input[i]);
    return names;
}

/* Whether --input-initializers leaves an initializer to the caller. */
static bool caller_gives(Module *m, const char *name) {
    bool gives = false;
    for (int i = 0; i < m->opt->initializer_inputs.n; i++) {
        char *pattern = m->opt->initializer_inputs.at[i];
        if (fnmatch(pattern, name, 0)) continue;
        map_set(m->overridable, pattern, pattern);
        gives = true;
    }
    return gives;
}

/* From IR version 4 on, initializers that are inputs are defaults, which the caller may override; here they are not. */
static void warn_of_defaults(Importer *im, int count, const char *first) {
    const char *name = shown(im, first);
    if (im->model->ir_version < 4 || !count) return;
    if (count == 1)
        warn(im->m, "initializer '%s' is also an input: its value is fixed, unless --input-initializers says otherwise",
             name);
    else
        warn(im->m,
             "initializer '%s' and %d more are also inputs: their values are fixed, unless --input-initializers says "
             "otherwise",
             name, count - 1);
}

void import_initializers(Scope *s, const Onnx__GraphProto *g) {
    Map *inputs = s->outer ? NULL : names_of_inputs(s->im->m->arena, g);
    const char *first = NULL;
    int defaults = 0;
    for (size_t i = 0; i < g->n_initializer; i++) {
        const char *name = g->initializer[i]->name;
        bool is_default = inputs && name && map_get(inputs, name);
        if (!is_needed(s, name)) continue;
        if (is_default && caller_gives(s->im->m, name)) continue;
        if (is_default && !defaults++) first = name;
        import_initializer(s, g->initializer[i], NULL);
    }
    warn_of_defaults(s->im, defaults, first ? first : "");
    for (size_t i = 0; i < g->n_sparse_initializer; i++) {
        const Onnx__TensorProto *t = g->sparse_initializer[i]->values;
        if (t && is_needed(s, t->name)) import_initializer(s, t, g->sparse_initializer[i]);
    }
}

/* Whether contents agree with what is declared, as far as anything is. */
static bool fits(const Tensor *t, const Type *want) {
    if (want->dtype != DT_none && want->dtype != t->dtype) return false;
    for (int i = 0; want->rank == t->rank && i < t->rank; i++)
        if (want->dim[i].max >= 0 && want->dim[i].max != t->dim[i]) return false;
    return want->rank < 0 || want->rank == t->rank;
}

static Rename *const_option(Module *m, const char *name) {
    for (int i = 0; i < m->opt->consts.n; i++) {
        Rename *r = m->opt->consts.at[i];
        if (!strcmp(r->from, name)) return r;
    }
    return NULL;
}

/* The contents that --const gives to an input; NULL if it gives none. */
static Tensor *const_for(Importer *im, const Onnx__ValueInfoProto *info) {
    Module *m = im->m;
    Rename *r = const_option(m, info->name);
    if (!r) return NULL;
    char error[200];
    Type want = declared_type(im, info, false);
    r->used = true;
    Tensor *t = read_tensor(m->arena, r->to, &want, error);
    const char *name = shown(im, info->name), *file = escaped(m->arena, r->to, 120);
    if (!t) fatal(m, EXIT_INPUT, "--const %s=%s: %s", name, file, error);
    Type got = tensor_type(t);
    if (!fits(t, &want))
        fatal(m, EXIT_INPUT, "--const %s=%s: expected the declared %s, saw %s", name, file, type_text(m->arena, &want),
              type_text(m->arena, &got));
    return t;
}

/* Reports an input of a kind that no network of nncc takes. */
static void refuse_input(Scope *s, const char *name, const char *what) {
    Module *m = s->im->m;
    problem_at(m, EXIT_UNSUPPORTED, (Loc){0}, NULL, "input '%s': expected a tensor of numbers, saw %s",
               shown(s->im, name), what);
    bind_name(s, name, NULL, format(m->arena, "it is %s", what));
}

static void check_size(Importer *im, const char *input, const Type *t) {
    if (type_known(t) && type_count(t) < 0)
        model_fault(im, "input '%s': expected at most 2^62 bytes, saw %s", shown(im, input),
                    type_text(im->m->arena, t));
}

/* Whether the type of an input is one that can be had: nncc asks for a shape, and memory for it. */
static void check_input(Importer *im, const Onnx__ValueInfoProto *info, const Type *t) {
    Module *m = im->m;
    const Onnx__TypeProto__Tensor *tensor = tensor_type_of(info);
    const char *name = shown(im, info->name);
    if (!tensor || !tensor->shape)
        model_fault(im, "input '%s' has no shape", name);
    else if (tensor->shape->n_dim > MAX_RANK)
        problem_at(m, EXIT_UNSUPPORTED, (Loc){0}, NULL, "input '%s' has more than %d dims", name, MAX_RANK);
    else
        check_size(im, info->name, t);
}

/* ---- sequences and optionals ---- */

/* The type of what a sequence or an optional holds; `list`: whether it is a sequence in the end. */
static Onnx__TypeProto *element_type(const Onnx__TypeProto *t, bool *list) {
    *list = t->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    if (*list) return t->sequence_type ? t->sequence_type->elem_type : NULL;
    Onnx__TypeProto *inner = t->optional_type ? t->optional_type->elem_type : NULL;
    return inner && inner->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE ? element_type(inner, list) : inner;
}

static bool is_list(const Onnx__TypeProto *t) {
    return t && (t->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE ||
                 t->value_case == ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE);
}

/* The number of tensors that --bound gives to an input; -1: none. */
static int bound_of(Module *m, const char *name) {
    enum { MAX_TENSORS = 4096 };
    for (int i = 0; i < m->opt->bounds.n; i++) {
        Rename *r = m->opt->bounds.at[i];
        char *end;
        if (strcmp(r->from, name)) continue;
        long n = strtol(r->to, &end, 10);
        r->used = true;
        if (*end || n < 0 || n > MAX_TENSORS)
            fatal(m, EXIT_USAGE, "--bound %s=%s: expected a number from 0 to %d", escaped(m->arena, name, 60),
                  escaped(m->arena, r->to, 20), MAX_TENSORS);
        return (int)n;
    }
    return -1;
}

/* Tensor k of an input: a constant, or an input of its own. */
static Value *list_item(Scope *s, Onnx__TypeProto *type, const char *name, const List *given, int k) {
    Module *m = s->im->m;
    if (given) return const_new(m, name, given->at[k]);
    Onnx__ValueInfoProto item = ONNX__VALUE_INFO_PROTO__INIT;
    item.name = (char *)(uintptr_t)name, item.type = type;
    Type t = declared_type(s->im, &item, true);
    check_input(s->im, &item, &t);
    return input_new(s->building->graph, name, t);
}

static void make_list(Scope *s, const Onnx__ValueInfoProto *info, const List *given, int n) {
    Module *m = s->im->m;
    bool list;
    Onnx__TypeProto *type = element_type(info->type, &list);
    bool optional = info->type->value_case == ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE, none = optional && !n;
    const char *name = info->name;
    if (!type || (!given && refused_type(m->arena, type))) {
        refuse_input(s, name, "a sequence of something else");
        return;
    }
    Value **at = NEW_ARRAY(m->arena, Value *, n + 1);
    for (int k = 0; k < n; k++) at[k] = list_item(s, type, list ? format(m->arena, "%s_%d", name, k) : name, given, k);
    if (!list && n == 1) {
        bind_name(s, name, at[0], NULL);
        return;
    }
    const Op *op = &ops[none ? OP_Optional : n ? OP_SequenceConstruct : OP_SequenceEmpty];
    Node *node = node_new(s->building->graph, NULL, op, n, at, 1, &name, (Loc){.node = -1, .name = name});
    bind_name(s, name, node->out[0], NULL);
}

/* A sequence is as many tensors as --const or --bound says, an optional tensor one or none. */
static void import_list(Scope *s, const Onnx__ValueInfoProto *info) {
    Module *m = s->im->m;
    Rename *r = const_option(m, info->name);
    List given = {0};
    bool list = true;
    char error[200];
    int bound = bound_of(m, info->name);
    if (r) {
        r->used = true;
        bool ok = read_list(m->arena, r->to, &given, &list, error);
        Tensor *t = list || !ok ? NULL : read_tensor(m->arena, r->to, NULL, error);
        if (t) push(m->arena, &given, t);
        if (!ok || (!list && !t))
            fatal(m, EXIT_INPUT, "--const %s=%s: %s", shown(s->im, info->name), escaped(m->arena, r->to, 120), error);
        make_list(s, info, &given, given.n);
    } else if (bound >= 0) {
        make_list(s, info, NULL, bound);
    } else {
        refuse_input(s, info->name,
                     format(m->arena, "%s; --bound %s=N says how many tensors it holds, --const which",
                            kinds[info->type->value_case], info->name));
    }
}

/* An input that is an initializer as well has the model's default for its value. */
static void import_input(Scope *s, const Onnx__ValueInfoProto *info) {
    Importer *im = s->im;
    const char *name = info->name, *refused = refused_type(im->m->arena, info->type);
    bool outermost = !s->outer;
    const Binding *bound = map_get(s->names, name);
    bool repeated = bound && bound->value && bound->value->kind == V_INPUT;
    if (bound && !repeated) return;
    define_name(s, name);
    if (repeated) return;
    Tensor *given = outermost && !is_list(info->type) ? const_for(im, info) : NULL;
    Type t = given ? tensor_type(given) : declared_type(im, info, outermost);
    if (given)
        bind_name(s, name, const_new(im->m, name, given), NULL);
    else if (outermost && is_list(info->type) && im->m->opt->open_dims != OPEN_DIMS_UNKNOWN)
        import_list(s, info);
    else if (refused && !im->m->opt->open_dims && !is_list(info->type))
        refuse_input(s, name, refused);
    else {
        if (outermost && !refused) check_input(im, info, &t);
        bind_name(s, name, input_new(s->building->graph, scoped_name(s, name), t), NULL);
    }
}

/* The extent that a default gives to the outermost dim. */
static Dim dim_by_default(Module *m, Map *bound, const char *name) {
    const DimBinding *d = map_get(bound, name);
    if (!d) map_set(bound, name, (void *)(uintptr_t)(d = default_dim(m, name)));
    return dim_of_binding(m, d);
}

static void take_defaults(Importer *im) {
    Module *m = im->m;
    Map *bound = map_new(m->arena);
    for (int i = 0; i < m->main->nin; i++) {
        Value *v = m->main->in[i];
        if (v->type.rank < 1 || v->type.dim[0].max >= 0) continue;
        v->type.dim[0] = dim_by_default(m, bound, v->type.dim[0].symbol->text);
        check_size(im, v->name, &v->type);
    }
    tell_defaults(m);
}

void settle_open_dims(Importer *im) {
    if (!im->open.names.n || im->m->opt->open_dims) return;
    if (has_default(&im->open)) {
        take_defaults(im);
        return;
    }
    const char *options, *names = ask_for(im->m->arena, &im->open, &options);
    model_fault(im, "extents of inputs are not known: %s; give %s with %s%s", names,
                im->open.names.n > 1 ? "each" : "it", options, slips_of_dims(im->m, &im->open));
}

/* Of all inputs, before one of them has a type. */
static void find_places(const Scope *s, const Onnx__GraphProto *g) {
    Module *m = s->im->m;
    for (size_t i = 0; i < g->n_input; i++) {
        const char *input = g->input[i]->name;
        const Onnx__TypeProto__Tensor *t = input && is_needed(s, input) ? tensor_type_of(g->input[i]) : NULL;
        for (size_t k = 0; t && t->shape && k < t->shape->n_dim && k < MAX_RANK; k++) {
            const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[k];
            if (!fixed_dim(d) || d->dim_value <= 0) dim_lies_at(m, input, (int)k, dim_name(m, input, (int)k, d));
        }
    }
}

/* Whether an input is called as tf2onnx calls a constant that a TensorFlow function captured: like an operand of a
 * node, "dense/Sub/y:0", or not at all, "unknown_3:0". Keras' own inputs have plain names. */
static bool called_as_captured(const char *name) {
    static const char nameless[] = "unknown";
    size_t n = strcspn(name, ":"), end = strlen(nameless);
    if (memchr(name, '/', n)) return true;
    if (strncmp(name, nameless, end)) return false;
    if (name[end] == '_') end += 1 + strspn(name + end + 1, "0123456789");
    return end == n;
}

static bool is_written_by_tf2onnx(const Importer *im) {
    return im->model->producer_name && !strcmp(im->model->producer_name, "tf2onnx");
}

/* Whether a node of the graph or of a region in it, or an output, reads that. */
static bool reads_name(const Onnx__GraphProto *g, const char *name) {
    for (size_t i = 0; i < g->n_output; i++)
        if (g->output[i]->name && !strcmp(g->output[i]->name, name)) return true;
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        for (size_t k = 0; k < n->n_input; k++)
            if (!strcmp(n->input[k], name)) return true;
        for (size_t k = 0; k < n->n_attribute; k++)
            if (n->attribute[k]->g && reads_name(n->attribute[k]->g, name)) return true;
    }
    return false;
}

/* What was captured only to be folded into another constant: Keras' Normalization and its variance. */
static bool is_folded_away(const Scope *s, const Onnx__GraphProto *g, const char *name) {
    return !s->outer && name && is_written_by_tf2onnx(s->im) && called_as_captured(name) && !reads_name(g, name);
}

/* Such constants are not in the file: a call has to give them, which nobody who exported a network expects. */
static void warn_of_captured(Importer *im, const Graph *g) {
    const char *first = NULL;
    char more[40] = "";
    int captured = 0;
    if (!is_written_by_tf2onnx(im)) return;
    for (int i = 0; i < g->nin; i++)
        if (called_as_captured(g->in[i]->name) && !captured++) first = g->in[i]->name;
    if (!captured || captured == g->nin) return;
    if (captured > 1) snprintf(more, sizeof more, " and %d more", captured - 1);
    warn(
        im->m,
        "input '%s'%s: called like a constant that the exporter left out of the file; --const NAME=FILE gives it, else "
        "every call has to",
        shown(im, first), more);
}

void import_inputs(Scope *s, const Onnx__GraphProto *g) {
    if (!s->outer) find_places(s, g);
    for (size_t i = 0; i < g->n_input; i++) {
        Onnx__ValueInfoProto *info = g->input[i];
        if (!is_needed(s, info->name) || is_folded_away(s, g, info->name)) continue;
        if (info->name && *info->name)
            import_input(s, info);
        else
            model_fault(s->im, "input %zu has no name", i);
    }
    if (!s->outer) warn_of_captured(s->im, s->building->graph);
}
