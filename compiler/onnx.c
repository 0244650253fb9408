/* onnx.c - ONNX models to the graph IR: versions, inputs, initializers, outputs, and what names stand for. */
#include "onnx.h"
#include <ctype.h>

enum { MAX_NESTING = 64 };

void model_fault(Importer *im, const char *fmt, ...) {
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    problem_at(im->m, EXIT_INPUT, (Loc){0}, NULL, "%s", text);
}

/* ---- names ---- */

void bind_name(Scope *s, const char *name, Value *v, const char *why) {
    Binding *b = NEW(s->im->m->arena, Binding);
    b->value = v, b->why = why;
    map_set(s->names, name, b);
}

const Binding *lookup(const Scope *s, const char *name) {
    for (; s; s = s->outer) {
        Binding *b = map_get(s->names, name);
        if (b) {
            b->value = resolve(b->value);
            return b;
        }
    }
    return NULL;
}

const char *scoped_name(const Scope *s, const char *name) {
    Arena *a = s->im->m->arena;
    if (s->call) return format(a, "%s/%s", s->call->name, name);
    return s->region && map_get(s->im->taken, name) ? format(a, "%s/%s", s->region, name) : name;
}

/* Notes that this graph defines a name; a second definition is a fault. */
static void define(Scope *s, const char *name) {
    Arena *a = s->im->m->arena;
    if (map_get(s->defined, name)) model_fault(s->im, "'%s' is defined twice", escaped(a, name, 60));
    map_set(s->defined, name, (void *)(uintptr_t)name);
}

const char *plain_domain(const char *domain) { return !domain || !strcmp(domain, "ai.onnx") ? "" : domain; }

static int64_t imported_opset(size_t n, Onnx__OperatorSetIdProto *const *at, const char *domain) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(plain_domain(at[i]->domain), domain)) return at[i]->version;
    return 0;
}

/* A function that imports no version of a domain has the model's; a model that imports none has the first. */
int64_t opset_of(const Scope *s, const char *domain) {
    const Onnx__FunctionProto *f = s->call ? s->call->function : NULL;
    const Onnx__ModelProto *m = s->im->model;
    int64_t v = f ? imported_opset(f->n_opset_import, f->opset_import, domain) : 0;
    if (!v) v = imported_opset(m->n_opset_import, m->opset_import, domain);
    return v ? v : 1;
}

/* ---- types of inputs ---- */

static DimBinding *dim_binding(Module *m, const char *name) {
    for (int i = 0; i < m->opt->dims.n; i++) {
        DimBinding *b = m->opt->dims.at[i];
        if (!strcmp(b->name, name)) return b;
    }
    return NULL;
}

static void keep_bound(Module *m, DimBinding *b) {
    for (int i = 0; i < m->bounds.n; i++)
        if (m->bounds.at[i] == b) return;
    push(m->arena, &m->bounds, b);
}

/* The extent that --dim gives to a name: fixed, or bounded, which only the outermost dim may be. */
static Dim bound_dim(Importer *im, const char *input, int place, DimBinding *b) {
    b->used = true;
    if (b->min == b->max) return (Dim){b->max, NULL};
    if (place == 0) {
        keep_bound(im->m, b);
        return (Dim){b->max, symbol(im->m, b->name)};
    }
    model_fault(im, "dim '%s' is not the outermost of input '%s': it needs one extent, --dim %s=N", escaped(im->m->arena, b->name, 60),
                escaped(im->m->arena, input, 60), escaped(im->m->arena, b->name, 60));
    return (Dim){b->max, NULL};
}

/* Some exporters call every open dim "?": that is no name, for equal names would be equal extents. */
static bool says_something(const char *name) {
    for (; *name; name++)
        if (isalnum((unsigned char)*name)) return true;
    return false;
}

/* An extent goes by the name it has in the model, or by its input and place. */
static Dim input_dim(Importer *im, const char *input, int place, const Onnx__TensorShapeProto__Dimension *d) {
    Module *m = im->m;
    bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && says_something(d->dim_param);
    bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    if (fixed && d->dim_value > 0) return (Dim){d->dim_value, NULL};
    const char *name = named ? d->dim_param : format(m->arena, "%s_dim%d", input, place);
    DimBinding *b = dim_binding(m, name);
    if (b) return bound_dim(im, input, place, b);
    if (fixed && d->dim_value == 0) return (Dim){0, NULL}; /* some models do take empty tensors */
    if (!map_get(im->asked, name)) push(m->arena, &im->open, (void *)(uintptr_t)name);
    map_set(im->asked, name, im);
    return (Dim){-1, symbol(m, name)};
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
        return (size_t)t->value_case < COUNT(kinds) && kinds[t->value_case] ? kinds[t->value_case] : "of an unknown kind";
    DType dtype = dtype_of_onnx(t->tensor_type->elem_type);
    if (dtype != DT_none && dtype != DT_str) return NULL;
    return format(a, "a tensor of %s", element_name(a, t->tensor_type->elem_type));
}

/* What is declared of a tensor; NULL for anything else. */
static const Onnx__TypeProto__Tensor *tensor_type_of(const Onnx__ValueInfoProto *info) {
    const Onnx__TypeProto *t = info->type;
    return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? t->tensor_type : NULL;
}

/* The declared type. With `ask`, extents may come from --dim, and those that do not are noted. */
static Type declared_type(Importer *im, const Onnx__ValueInfoProto *info, bool ask) {
    Type t = {.dtype = DT_none, .rank = -1};
    const Onnx__TypeProto__Tensor *tensor = tensor_type_of(info);
    if (!tensor) return t;
    t.dtype = dtype_of_onnx(tensor->elem_type);
    if (!tensor->shape || tensor->shape->n_dim > MAX_RANK) return t;
    t.rank = (int)tensor->shape->n_dim;
    for (int i = 0; i < t.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = tensor->shape->dim[i];
        bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0;
        if (ask) t.dim[i] = input_dim(im, info->name, i, d);
        else t.dim[i] = (Dim){fixed ? d->dim_value : -1, NULL};
    }
    return t;
}

/* ---- initializers and inputs ---- */

/* What cannot be read is an error only if something uses it; what is wrong with the file always is. */
static void import_initializer(Scope *s, const Onnx__TensorProto *t) {
    Importer *im = s->im;
    const char *name = t->name ? t->name : "", *why = NULL;
    int code;
    if (!*name) model_fault(im, "an initializer has no name");
    define(s, name);
    Tensor *data = tensor_of_proto(im, t, &why, &code);
    if (!data && code == EXIT_INPUT) model_fault(im, "initializer '%s': %s", escaped(im->m->arena, name, 60), why);
    bind_name(s, name, data ? const_new(im->m, scoped_name(s, name), data) : NULL, why);
}

static void import_initializers(Scope *s, const Onnx__GraphProto *g) {
    for (size_t i = 0; i < g->n_initializer; i++) import_initializer(s, g->initializer[i]);
    for (size_t i = 0; i < g->n_sparse_initializer; i++) {
        const Onnx__TensorProto *t = g->sparse_initializer[i]->values;
        if (!t || !t->name) continue;
        define(s, t->name);
        bind_name(s, t->name, NULL, "sparse initializers are not supported");
    }
}

static bool fits(const Tensor *t, const Type *want) {
    if (want->dtype != DT_none && want->dtype != t->dtype) return false;
    for (int i = 0; want->rank == t->rank && i < t->rank; i++)
        if (want->dim[i].max >= 0 && want->dim[i].max != t->dim[i]) return false;
    return want->rank < 0 || want->rank == t->rank;
}

/* The contents that --const gives to an input; NULL if it gives none. */
static Tensor *const_for(Importer *im, const Onnx__ValueInfoProto *info) {
    Module *m = im->m;
    Rename *r = NULL;
    for (int i = 0; i < m->opt->consts.n && !r; i++) {
        r = m->opt->consts.at[i];
        if (strcmp(r->from, info->name)) r = NULL;
    }
    if (!r) return NULL;
    char error[200];
    Type want = declared_type(im, info, false);
    r->used = true;
    Tensor *t = read_tensor(m->arena, r->to, &want, error);
    const char *name = escaped(m->arena, info->name, 60), *file = escaped(m->arena, r->to, 120);
    if (!t) fatal(m, EXIT_INPUT, "--const %s=%s: %s", name, file, error);
    Type got = tensor_type(t);
    if (!fits(t, &want))
        fatal(m, EXIT_INPUT, "--const %s=%s: it holds %s where the model declares %s", name, file, type_text(m->arena, &got),
              type_text(m->arena, &want));
    return t;
}

static void refuse_input(Scope *s, const char *name, const char *what) {
    Module *m = s->im->m;
    problem_at(m, EXIT_UNSUPPORTED, (Loc){0}, NULL, "input '%s' is %s; nncc takes tensors of numbers", escaped(m->arena, name, 60), what);
    bind_name(s, name, NULL, format(m->arena, "it is %s", what));
}

static void import_input(Scope *s, const Onnx__ValueInfoProto *info) {
    Importer *im = s->im;
    bool outermost = !s->outer;
    Module *m = im->m;
    const char *name = info->name, *refused = refused_type(m->arena, info->type);
    const Binding *bound = map_get(s->names, name);
    bool repeated = bound && bound->value && bound->value->kind == V_INPUT;
    if (bound && !repeated) return; /* an initializer: the model's default is taken as its value */
    define(s, name);
    if (repeated) return;
    Tensor *given = outermost ? const_for(im, info) : NULL;
    if (given) {
        bind_name(s, name, const_new(m, name, given), NULL);
        return;
    }
    if (refused && !m->opt->open_dims) {
        refuse_input(s, name, refused);
        return;
    }
    Type t = declared_type(im, info, outermost);
    const Onnx__TypeProto__Tensor *tensor = tensor_type_of(info);
    if (outermost && !refused && !(tensor && tensor->shape)) model_fault(im, "input '%s' has no shape", escaped(m->arena, name, 60));
    if (outermost && tensor && tensor->shape && tensor->shape->n_dim > MAX_RANK)
        problem_at(m, EXIT_UNSUPPORTED, (Loc){0}, NULL, "input '%s' has more than %d dims", escaped(m->arena, name, 60), MAX_RANK);
    bind_name(s, name, input_new(s->building->graph, scoped_name(s, name), t), NULL);
}

/* One error for all extents that are not known: each of them by the name that --dim takes. */
static void ask_for_dims(Importer *im) {
    Arena *a = im->m->arena;
    const List *open = &im->open;
    Str names = {.arena = a}, remedy = {.arena = a};
    put_text(&names, ""), put_text(&remedy, "");
    for (int i = 0; i < open->n && i < 12; i++) {
        const char *name = escaped(a, open->at[i], 60);
        put(&names, "%s'%s'", i ? ", " : "", name);
        put(&remedy, " --dim %s=N", name);
    }
    if (open->n > 12) put(&names, " and %d more", open->n - 12);
    if (open->n && !im->m->opt->open_dims)
        model_fault(im, "extents of inputs are not known: %s; give %s with%s", names.s, open->n > 1 ? "each" : "it", remedy.s);
}

static void import_inputs(Scope *s, const Onnx__GraphProto *g) {
    for (size_t i = 0; i < g->n_input; i++) {
        Onnx__ValueInfoProto *info = g->input[i];
        if (info->name && *info->name) import_input(s, info);
        else model_fault(s->im, "input %zu has no name", i);
    }
}

/* ---- graphs ---- */

void import_nodes(Scope *s, size_t n, Onnx__NodeProto *const *nodes) {
    Importer *im = s->im;
    if (++im->depth > MAX_NESTING) fatal(im->m, EXIT_INPUT, "functions and graphs are nested more than %d deep", MAX_NESTING);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < nodes[i]->n_output; j++)
            if (*nodes[i]->output[j]) define(s, nodes[i]->output[j]);
    if (!im->taken) im->taken = s->defined;
    for (size_t i = 0; i < n; i++) import_node(s, nodes[i], (int)i);
    im->depth--;
}

/* The value of a graph's output; NULL after an error. */
static Value *output_value(Scope *s, const Onnx__ValueInfoProto *info) {
    Importer *im = s->im;
    const char *name = info->name ? info->name : "", *shown = escaped(im->m->arena, name, 60);
    const Binding *b = lookup(s, name);
    if (!b) model_fault(im, "output '%s' is not defined by any node", shown);
    else if (b->why) problem_at(im->m, EXIT_UNSUPPORTED, (Loc){0}, NULL, "output '%s': %s", shown, b->why);
    else if (!b->value) model_fault(im, "output '%s' stands for nothing", shown);
    DType want = declared_type(im, info, false).dtype, got = b && b->value ? b->value->type.dtype : DT_none;
    if (want != DT_none && got != DT_none && want != got)
        model_fault(im, "output '%s' is declared %s, but is %s", shown, dtypes[want].name, dtypes[got].name);
    return b ? b->value : NULL;
}

/* An output of the model is the result of a node, under the model's name, and no other output: the interface of the generated
 * code needs that. */
static Value *own_output(Scope *s, Value *v, const char *name, Map *outputs) {
    Graph *g = s->building->graph;
    bool own = v->kind == V_NODE && !strcmp(v->name, name) && !map_get(outputs, name);
    map_set(outputs, name, v);
    if (own) return v;
    Node *n = node_new(g, NULL, &ops[OP_Identity], 1, &v, 1, &name, (Loc){.node = -1, .name = name});
    n->name = NULL;
    return n->out[0];
}

static void import_outputs(Scope *s, const Onnx__GraphProto *p) {
    Graph *g = s->building->graph;
    Map *outputs = map_new(g->module->arena);
    g->out = NEW_ARRAY(g->module->arena, Value *, p->n_output);
    for (size_t i = 0; i < p->n_output; i++) {
        Value *v = output_value(s, p->output[i]);
        if (v) g->out[g->nout] = g->outer ? v : own_output(s, v, p->output[i]->name, outputs);
        g->nout += v != NULL;
    }
}

Graph *import_region(const Scope *outer, const Onnx__GraphProto *p, const char *name) {
    Module *m = outer->im->m;
    Building building = {outer->building, graph_new(m, name, outer->building->graph), NULL};
    Scope s = {.im = outer->im, .outer = outer, .building = &building, .call = outer->call, .region = name};
    s.names = map_new(m->arena), s.defined = map_new(m->arena);
    import_initializers(&s, p);
    import_inputs(&s, p);
    import_nodes(&s, p->n_node, p->node);
    import_outputs(&s, p);
    return building.graph;
}

static void import_main(Importer *im, const Onnx__GraphProto *p) {
    Module *m = im->m;
    Building building = {NULL, graph_new(m, p->name ? p->name : "", NULL), NULL};
    Scope s = {.im = im, .building = &building, .names = map_new(m->arena), .defined = map_new(m->arena)};
    m->main = building.graph;
    import_initializers(&s, p);
    import_inputs(&s, p);
    ask_for_dims(im);
    import_nodes(&s, p->n_node, p->node);
    import_outputs(&s, p);
    if (!p->n_output) model_fault(im, "the graph has no outputs");
}

/* ---- the model ---- */

static void *allocate(void *arena, size_t n) { return arena_alloc(arena, n); }
static void release(void *arena, void *p) { (void)arena, (void)p; }

static const Onnx__ModelProto *unpack(Module *m, const void *bytes, size_t n) {
    char error[200];
    size_t size;
    if (!scan_message(&onnx__model_proto__descriptor, bytes, n, NULL, &size, error))
        fatal(m, EXIT_INPUT, "this is not an ONNX model that can be read: %s", error);
    uint8_t *skeleton = arena_alloc(m->arena, size);
    scan_message(&onnx__model_proto__descriptor, bytes, n, skeleton, &size, error);
    ProtobufCAllocator in_arena = {allocate, release, m->arena};
    const Onnx__ModelProto *model = onnx__model_proto__unpack(&in_arena, size, skeleton);
    if (!model) fatal(m, EXIT_INPUT, "this is not an ONNX model that can be read");
    if (!model->graph) fatal(m, EXIT_INPUT, "this is not an ONNX model: it holds no graph");
    return model;
}

static void check_versions(Importer *im) {
    const Onnx__ModelProto *p = im->model;
    Module *m = im->m;
    int64_t opset = imported_opset(p->n_opset_import, p->opset_import, "");
    if (p->ir_version > MAX_IR)
        fatal(m, EXIT_UNSUPPORTED, "IR version %lld; nncc reads up to %d", (long long)p->ir_version, MAX_IR);
    if (p->n_opset_import > MAX_IMPORTS) fatal(m, EXIT_INPUT, "%zu opset imports", p->n_opset_import);
    if (opset > MAX_OPSET) fatal(m, EXIT_UNSUPPORTED, "opset %lld; nncc knows up to %d", (long long)opset, MAX_OPSET);
    const char *name = p->producer_name ? p->producer_name : "", *version = p->producer_version ? p->producer_version : "";
    m->producer = format(m->arena, "ONNX IR %lld, opset %lld%s%s%s%s", (long long)p->ir_version, (long long)(opset ? opset : 1),
                         *name ? ", " : "", escaped(m->arena, name, 60), *name && *version ? " " : "",
                         *name ? escaped(m->arena, version, 60) : "");
}

void import_onnx(Module *m, const char *path, const void *bytes, size_t n) {
    Importer im = {.m = m, .bytes = bytes, .files = map_new(m->arena), .asked = map_new(m->arena)};
    if (!m->source) m->source = path;
    im.model = unpack(m, bytes, n);
    check_versions(&im);
    index_functions(&im);
    import_main(&im, im.model->graph);
    stop_on_problems(m);
    resolve_graph(m->main);
}
