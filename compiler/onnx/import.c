/* import.c - ONNX models to the graph IR: versions, what names stand for, graphs and regions. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/part.h"
#include "onnx/importer.h"
#include "onnx/onnx.h"

enum { MAX_NESTING = 64, MAX_PROBLEMS = 10000 };

/* ---- errors ---- */

void enough(Importer *im) {
    if (im->m->problems.n > MAX_PROBLEMS) stop_on_problems(im->m);
}

void model_fault(Importer *im, const char *fmt, ...) {
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    problem_at(im->m, EXIT_INPUT, (Loc){0}, NULL, "%s", text);
    enough(im);
}

const char *shown(Importer *im, const char *name) { return escaped(im->m->arena, name, 60); }

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

void define_name(Scope *s, const char *name) {
    if (map_get(s->defined, name)) model_fault(s->im, "'%s' is defined twice", shown(s->im, name));
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

/* ---- graphs ---- */

bool is_needed(const Scope *s, const char *name) {
    return s->outer || s->call || !s->im->needed || !name || map_get(s->im->needed, name);
}

static bool node_needed(const Scope *s, const Onnx__NodeProto *p) {
    bool needed = !s->im->needed;
    for (size_t j = 0; j < p->n_output && !needed; j++) needed = is_needed(s, p->output[j]);
    return needed;
}

void import_nodes(Scope *s, size_t n, Onnx__NodeProto *const *nodes) {
    Importer *im = s->im;
    if (++im->depth > MAX_NESTING)
        fatal(im->m, EXIT_INPUT, "functions and graphs are nested more than %d deep", MAX_NESTING);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < nodes[i]->n_output; j++)
            if (*nodes[i]->output[j]) define_name(s, nodes[i]->output[j]);
    if (!im->taken) im->taken = s->defined;
    const int *order = order_of_use(s, (int)n, nodes);
    for (size_t i = 0; i < n; i++)
        if (node_needed(s, nodes[order[i]])) import_node(s, nodes[order[i]], order[i]);
    im->depth--;
}

/* What an output's name is bound to; nothing after an error. */
static const Binding *output_binding(Scope *s, const char *name) {
    Importer *im = s->im;
    const char *text = shown(im, name);
    const Binding *b = lookup(s, name);
    if (!b)
        model_fault(im, "output '%s' is not defined by any node", text);
    else if (b->why)
        problem_at(im->m, EXIT_UNSUPPORTED, (Loc){0}, NULL, "output '%s': %s", text, b->why);
    else if (!b->value)
        model_fault(im, "output '%s' is an omitted value", text);
    return b;
}

/* The value of a graph's output; NULL after an error. */
static Value *output_value(Scope *s, const Onnx__ValueInfoProto *info) {
    Importer *im = s->im;
    const char *name = info->name ? info->name : "", *text = shown(im, name);
    const Binding *b = output_binding(s, name);
    DType want = declared_type(im, info, false).dtype, got = b && b->value ? b->value->type.dtype : DT_none;
    if (want != DT_none && got != DT_none && want != got)
        model_fault(im, "output '%s': expected the declared %s, saw %s", text, dtypes[want].name, dtypes[got].name);
    return b ? b->value : NULL;
}

static void import_outputs(Scope *s, const Onnx__GraphProto *p) {
    Graph *g = s->building->graph;
    g->out = NEW_ARRAY(g->module->arena, Value *, p->n_output);
    for (size_t i = 0; i < p->n_output; i++) {
        Value *v = output_value(s, p->output[i]);
        /* The interface of the generated code needs a value for each output of the model. */
        if (v) set_output(g, g->nout++, g->outer ? v : output_as(g, v, p->output[i]->name));
    }
}

/* ---- a part of a network ---- */

/* Of a part that lies within functions, nothing is known before they are inlined. */
static void find_needed(Scope *s, const Onnx__GraphProto *p) {
    const List *outputs = &s->im->m->opt->outputs;
    Map *own = map_new(s->im->m->arena);
    for (size_t i = 0; i < p->n_input; i++)
        if (p->input[i]->name) map_set(own, p->input[i]->name, own);
    for (size_t i = 0; i < p->n_initializer; i++)
        if (p->initializer[i]->name) map_set(own, p->initializer[i]->name, own);
    for (size_t i = 0; i < p->n_node; i++)
        for (size_t j = 0; j < p->node[i]->n_output; j++) map_set(own, p->node[i]->output[j], own);
    for (int i = 0; i < outputs->n; i++)
        if (!map_get(own, outputs->at[i])) {
            if (!s->im->functions) no_such_value(s->im->m, outputs->at[i], own), stop_on_problems(s->im->m);
            return;
        }
    if (outputs->n) s->im->needed = names_needed(s, p, outputs);
}

/* The outputs that --outputs names: by the model's names, else by those that a dump shows. */
static void import_part(Scope *s) {
    const List *outputs = &s->im->m->opt->outputs;
    List values = {0};
    for (int i = 0; i < outputs->n; i++) {
        const char *name = outputs->at[i];
        const Binding *b = lookup(s, name) ? output_binding(s, name) : NULL;
        Value *v = b ? b->value : part_value(s->im->m, name);
        push(s->im->m->arena, &values, v);
    }
    keep_part(s->im->m, &values);
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

typedef struct {
    const Node *dropout; /* the first that is told to train */
    int count;
    bool norm; /* a BatchNormalization in inference form */
} Modes;

static void look_at_modes(Graph *g, void *arg) {
    Modes *modes = arg;
    for (const Node *n = g->first; n; n = n->next) {
        double training = 0;
        if (IS(n, BatchNormalization) && !attr_i(n, "training_mode")) modes->norm = true;
        if (!IS(n, Dropout) || !input(n, 2) || !known_float(resolve(n->in[2]), &training) || !training) continue;
        if (!modes->count++) modes->dropout = n;
    }
}

/* PyTorch exports a network in training mode as neither: batch norms in inference form, dropout that stays active. */
static void warn_of_modes(Module *m) {
    Modes modes = {0};
    char more[40] = "";
    if (m->opt->train) return;
    each_graph(m, look_at_modes, &modes);
    if (!modes.count) return;
    if (modes.count > 1) snprintf(more, sizeof more, " and %d more", modes.count - 1);
    warn(m, "%s%s drops elements in every call: its training_mode is true%s", node_text(m->arena, modes.dropout), more,
         modes.norm ? ", while BatchNormalization is in inference form, as PyTorch exports a network without "
                      "model.eval()"
                    : "");
}

static void import_main(Importer *im, const Onnx__GraphProto *p) {
    Module *m = im->m;
    Building building = {NULL, graph_new(m, p->name ? p->name : "", NULL), NULL};
    Scope s = {.im = im, .building = &building, .names = map_new(m->arena), .defined = map_new(m->arena)};
    m->main = building.graph;
    find_needed(&s, p);
    import_initializers(&s, p);
    import_inputs(&s, p);
    settle_open_dims(im);
    import_nodes(&s, p->n_node, p->node);
    if (m->opt->outputs.n)
        import_part(&s);
    else
        import_outputs(&s, p);
    if (!p->n_output) model_fault(im, "the graph has no outputs");
    warn_of_modes(m);
}

/* ---- the model ---- */

static void *allocate(void *arena, size_t n) { return arena_alloc(arena, n); }
static void release(void *arena, void *p) { (void)arena, (void)p; }

static const Onnx__ModelProto *unpack(Module *m, const void *bytes, size_t n) {
    char error[200];
    size_t size;
    if (!scan_message(&onnx__model_proto__descriptor, bytes, n, NULL, &size, error))
        fatal(m, EXIT_INPUT, "expected an ONNX model: %s", error);
    uint8_t *skeleton = arena_alloc(m->arena, size);
    scan_message(&onnx__model_proto__descriptor, bytes, n, skeleton, &size, error);
    ProtobufCAllocator in_arena = {allocate, release, m->arena};
    const Onnx__ModelProto *model = onnx__model_proto__unpack(&in_arena, size, skeleton);
    if (!model) fatal(m, EXIT_INPUT, "expected an ONNX model, saw bytes that do not unpack");
    if (!model->graph) fatal(m, EXIT_INPUT, "expected an ONNX model with a graph, saw none");
    return model;
}

static void take_props(Module *m, const Onnx__ModelProto *p) {
    for (size_t i = 0; i < p->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *e = p->metadata_props[i];
        Rename *r = NEW(m->arena, Rename);
        *r = (Rename){.from = arena_str(m->arena, e->key ? e->key : ""),
                      .to = arena_str(m->arena, e->value ? e->value : "")};
        push(m->arena, &m->props, r);
    }
}

static void check_versions(Importer *im) {
    const Onnx__ModelProto *p = im->model;
    Module *m = im->m;
    int64_t opset = imported_opset(p->n_opset_import, p->opset_import, "");
    if (p->ir_version > MAX_IR)
        warn(m, "IR version %lld is newer than %d, which nncc knows; nothing in the file is of a kind it does not know",
             (long long)p->ir_version, MAX_IR);
    if (p->n_opset_import > MAX_IMPORTS)
        fatal(m, EXIT_INPUT, "expected at most %d opset imports, saw %zu", MAX_IMPORTS, p->n_opset_import);
    if (opset > MAX_OPSET)
        fatal(m, EXIT_UNSUPPORTED, "expected an opset of at most %d, saw %lld", MAX_OPSET, (long long)opset);
    const char *name = p->producer_name ? p->producer_name : "",
               *version = p->producer_version ? p->producer_version : "";
    m->opset = opset ? opset : 1;
    take_props(m, p);
    m->producer = format(m->arena, "ONNX IR %lld, opset %lld%s%s%s%s", (long long)p->ir_version,
                         (long long)(opset ? opset : 1), *name ? ", " : "", escaped(m->arena, name, 60),
                         *name && *version ? " " : "", *name ? escaped(m->arena, version, 60) : "");
}

void import_onnx(Module *m, const char *path, const void *bytes, size_t n) {
    Importer im = {.m = m, .path = path, .bytes = bytes, .files = map_new(m->arena)};
    if (!m->source) m->source = path;
    im.model = unpack(m, bytes, n);
    check_versions(&im);
    index_functions(&im);
    import_main(&im, im.model->graph);
    stop_on_problems(m);
    resolve_graph(m->main);
}
