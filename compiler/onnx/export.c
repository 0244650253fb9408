/* export.c - the graph IR to an ONNX model. Contents of tensors are packed from where they lie. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/symbols.h"
#include "onnx/importer.h"
#include "onnx/onnx.h"

enum { OPSET = 22 };

typedef struct {
    Module *m;
    Arena *arena;
    int opset;    /* of the default domain */
    List imports; /* OperatorSetIdProto of other domains */
    Map *nodes;   /* names given to nodes: int, how many asked for it */
} Writer;

/* The IR version that an opset came with. */
static const struct { int opset, ir; } ir_versions[] = {{22, 10}, {23, 11}, {24, 12}, {27, 13}, {MAX_OPSET, 14}};

/* What came after opset 22: operators, attributes, and inputs beyond so many. Other later versions only added element
 * types, so that a model of common types can be written for opset 22, which more programs read. */
static const struct {
    const char *op;
    int opset, inputs;
    const char *attr;
} newer[] = {
    {"RMSNormalization", 23, 0, NULL},
    {"RotaryEmbedding", 23, 0, NULL},
    {"QuantizeLinear", 23, 0, "precision"},
    {"DequantizeLinear", 23, 0, "output_dtype"},
    {"Attention", 23, 0, NULL},
    {"Attention", 24, 6, NULL},
    {"Attention", 25, 0, "left_window_size"},
    {"Attention", 25, 0, "right_window_size"},
    {"Swish", 24, 0, NULL},
    {"TensorScatter", 24, 0, NULL},
    {"Cast", 24, 0, "round_mode"},
    {"CastLike", 24, 0, "round_mode"},
    {"BitCast", 26, 0, NULL},
    {"CumProd", 26, 0, NULL},
    {"CausalConvWithState", 27, 0, NULL},
    {"LinearAttention", 27, 0, NULL},
    {"Range", 27, 0, "stash_type"},
    {"SwiGLU", 28, 0, NULL},
    {"SpaceToDepth", 28, 0, "mode"},
};

/* nncc's own rows that are operators of ONNX with an attribute set. `ints`: for integers alone. */
static const struct {
    int op;
    const char *name, *attr, *text;
    int64_t number;
    bool ints;
} equivalents[] = {
    {OP_Power, "Pow", NULL, NULL, 0, false},
    {OP_FloorMod, "Mod", "fmod", NULL, 0, true},
    {OP_TruncMod, "Mod", "fmod", NULL, 1, false},
    {OP_ShiftLeft, "BitShift", "direction", "LEFT", 0, true},
    {OP_ShiftRight, "BitShift", "direction", "RIGHT", 0, true},
    {OP_Copy, "Identity", NULL, NULL, 0, false}, /* to another place in memory */
    {OP_GaussianNoise, "Identity", NULL, NULL, 0, false},
};

/* protobuf-c takes texts and bytes that it does not write to without const. */
static char *text(const char *s) { return (char *)(uintptr_t)(s ? s : ""); }

static Onnx__TensorProto *tensor_proto(Writer *w, const Tensor *t, const char *name) {
    Onnx__TensorProto *p = NEW(w->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(p);
    p->n_dims = (size_t)t->rank;
    p->dims = arena_copy(w->arena, t->dim, sizeof *t->dim * (size_t)t->rank);
    p->has_data_type = 1, p->data_type = dtypes[t->dtype].onnx;
    p->name = name ? text(name) : NULL;
    if (t->dtype == DT_str) {
        p->n_string_data = (size_t)t->count;
        p->string_data = NEW_ARRAY(w->arena, ProtobufCBinaryData, t->count);
        for (int64_t i = 0; i < t->count; i++)
            p->string_data[i] = (ProtobufCBinaryData){strlen(get_s(t, i)), (uint8_t *)text(get_s(t, i))};
        return p;
    }
    p->has_raw_data = 1;
    p->raw_data.len = (size_t)packed_bytes(t->dtype, t->count);
    p->raw_data.data = (uint8_t *)(uintptr_t)packed_contents(w->arena, t);
    return p;
}

static Onnx__TensorShapeProto *shape_proto(Writer *w, const Type *t) {
    Onnx__TensorShapeProto *s = NEW(w->arena, Onnx__TensorShapeProto);
    onnx__tensor_shape_proto__init(s);
    s->n_dim = (size_t)t->rank;
    s->dim = NEW_ARRAY(w->arena, Onnx__TensorShapeProto__Dimension *, t->rank);
    for (int i = 0; i < t->rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = s->dim[i] = NEW(w->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(d);
        if (t->dim[i].symbol) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = text(t->dim[i].symbol->text);
        } else if (t->dim[i].max >= 0) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = t->dim[i].max;
        }
    }
    return s;
}

static Onnx__ValueInfoProto *value_proto(Writer *w, const Value *v) {
    Onnx__ValueInfoProto *p = NEW(w->arena, Onnx__ValueInfoProto);
    onnx__value_info_proto__init(p);
    p->name = text(v->name);
    if (v->type.dtype == DT_none) return p;
    p->type = NEW(w->arena, Onnx__TypeProto);
    onnx__type_proto__init(p->type);
    p->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    p->type->tensor_type = NEW(w->arena, Onnx__TypeProto__Tensor);
    onnx__type_proto__tensor__init(p->type->tensor_type);
    p->type->tensor_type->has_elem_type = 1;
    p->type->tensor_type->elem_type = dtypes[v->type.dtype].onnx;
    if (v->type.rank >= 0) p->type->tensor_type->shape = shape_proto(w, &v->type);
    return p;
}

static Onnx__ValueInfoProto **value_protos(Writer *w, int n, Value *const *v) {
    Onnx__ValueInfoProto **list = NEW_ARRAY(w->arena, Onnx__ValueInfoProto *, n);
    for (int i = 0; i < n; i++) list[i] = value_proto(w, v[i]);
    return list;
}

static char **names(Writer *w, int n, Value *const *v) {
    char **list = NEW_ARRAY(w->arena, char *, n);
    for (int i = 0; i < n; i++) list[i] = text(v[i] ? v[i]->name : "");
    return list;
}

/* ---- attributes ---- */

static Onnx__GraphProto *graph_proto(Writer *, Graph *);

static void put_list(Writer *w, const Attr *a, Onnx__AttributeProto *p) {
    size_t n = (size_t)a->n;
    if (a->kind == A_INTS) p->n_ints = n, p->ints = (int64_t *)(uintptr_t)a->ints;
    if (a->kind == A_FLOATS) {
        p->n_floats = n, p->floats = NEW_ARRAY(w->arena, float, n);
        for (size_t i = 0; i < n; i++) p->floats[i] = (float)a->floats[i];
    }
    if (a->kind == A_STRS) {
        p->n_strings = n, p->strings = NEW_ARRAY(w->arena, ProtobufCBinaryData, n);
        for (size_t i = 0; i < n; i++)
            p->strings[i] = (ProtobufCBinaryData){strlen(a->strs[i]), (uint8_t *)text(a->strs[i])};
    }
}

static const Onnx__AttributeProto__AttributeType attr_types[] = {
    [A_INT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT,
    [A_FLOAT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT,
    [A_STR] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING,
    [A_INTS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS,
    [A_FLOATS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS,
    [A_STRS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS,
    [A_TENSOR] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR,
    [A_GRAPH] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH,
};

static Onnx__AttributeProto *attr_proto(Writer *w, const Attr *a) {
    Onnx__AttributeProto *p = NEW(w->arena, Onnx__AttributeProto);
    onnx__attribute_proto__init(p);
    p->name = text(a->name);
    p->has_type = 1, p->type = attr_types[a->kind];
    if (a->kind == A_INT) p->has_i = 1, p->i = a->i;
    if (a->kind == A_FLOAT) p->has_f = 1, p->f = (float)a->f;
    if (a->kind == A_STR) p->has_s = 1, p->s = (ProtobufCBinaryData){strlen(text(a->s)), (uint8_t *)text(a->s)};
    if (a->kind == A_TENSOR) p->t = tensor_proto(w, a->tensor, NULL);
    if (a->kind == A_GRAPH) p->g = graph_proto(w, a->graph);
    put_list(w, a, p);
    return p;
}

static void put_attrs(Writer *w, const Node *n, Onnx__NodeProto *p) {
    p->attribute = NEW_ARRAY(w->arena, Onnx__AttributeProto *, ROW_ATTRS + 1);
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].set || n->op->attr[i].must) p->attribute[p->n_attribute++] = attr_proto(w, &n->attr[i]);
}

/* ---- nodes ---- */

static bool gives(const Node *n, const char *name) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].set && !strcmp(n->op->attr[i].name, name)) return true;
    return false;
}

/* The opset of the default domain that a node needs. */
static int opset_for(const Node *n) {
    int need = OPSET;
    for (int i = 0; i < COUNT(newer); i++) {
        if (strcmp(newer[i].op, n->op->name) || newer[i].opset <= need) continue;
        if (n->nin > newer[i].inputs && (!newer[i].attr || gives(n, newer[i].attr))) need = newer[i].opset;
    }
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && n->in[i]->type.dtype == DT_bf16 && n->op->since > need) need = n->op->since;
    return need;
}

/* Makes sure that the model imports another domain, in a version that has an operator. */
static void import_domain(Writer *w, const Op *op) {
    for (int i = 0; i < w->imports.n; i++) {
        Onnx__OperatorSetIdProto *o = w->imports.at[i];
        if (strcmp(o->domain, op->domain)) continue;
        if (o->version < op->since) o->version = op->since;
        return;
    }
    Onnx__OperatorSetIdProto *o = NEW(w->arena, Onnx__OperatorSetIdProto);
    onnx__operator_set_id_proto__init(o);
    o->domain = text(op->domain), o->has_version = 1, o->version = op->since;
    push(w->arena, &w->imports, o);
}

/* Writes an operator of nncc's own as one of ONNX, or reports that there is none. */
static void put_equivalent(Writer *w, Node *n, Onnx__NodeProto *p) {
    bool is_integer = n->nin && n->in[0] && is_int(n->in[0]->type.dtype);
    for (int i = 0; i < COUNT(equivalents); i++) {
        if (n->op != &ops[equivalents[i].op] || (equivalents[i].ints && !is_integer)) continue;
        Attr a = {.name = equivalents[i].attr, .i = equivalents[i].number, .s = equivalents[i].text};
        a.kind = a.s ? A_STR : A_INT;
        p->op_type = text(equivalents[i].name), p->n_attribute = 0;
        if (a.name) p->attribute[p->n_attribute++] = attr_proto(w, &a);
        return;
    }
    problem(n, EXIT_UNSUPPORTED, "this operator is nncc's own; ONNX has none like it");
}

static void refuse_own_attrs(Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->op->attr[i].own && n->attr[i].set)
            problem(n, EXIT_UNSUPPORTED, "attribute '%s' is nncc's own; ONNX has none like it", n->op->attr[i].name);
}

/* ONNX Runtime refuses two nodes with one name; the nodes of a layer share theirs. */
static char *unique_name(Writer *w, const char *preferred) {
    const char *name = preferred;
    if (!preferred || !*preferred) return NULL;
    int *asked = map_get(w->nodes, preferred);
    while (map_get(w->nodes, name)) name = format(w->arena, "%s/%d", preferred, ++*asked);
    asked = NEW(w->arena, int), *asked = 1;
    map_set(w->nodes, name, asked);
    return text(name);
}

/* ONNX Runtime refuses nodes with regions whose results in between have no name. */
static void name_results(const Node *n, Onnx__NodeProto *p) {
    bool region = false;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) region = region || n->attr[i].kind == A_GRAPH;
    for (int i = 0; region && i < n->nout; i++)
        if (!n->out[i]) p->output[i] = text(value_new(n->graph, NULL, (Type){.dtype = DT_none, .rank = -1})->name);
}

static Onnx__NodeProto *node_proto(Writer *w, Node *n) {
    Onnx__NodeProto *p = NEW(w->arena, Onnx__NodeProto);
    onnx__node_proto__init(p);
    p->name = unique_name(w, n->name);
    p->op_type = text(n->op->name);
    p->domain = n->op->domain ? text(n->op->domain) : NULL;
    p->n_input = (size_t)n->nin, p->input = names(w, n->nin, n->in);
    p->n_output = (size_t)n->nout, p->output = names(w, n->nout, n->out);
    name_results(n, p);
    put_attrs(w, n, p);
    refuse_own_attrs(n);
    bool other_domain = n->op->domain && *n->op->domain;
    int opset = opset_for(n);
    if (IS(n, Resize) && !strcmp(attr_s(n, "nearest_mode"), "simple"))
        problem(n, EXIT_UNSUPPORTED, "nearest_mode simple, of opset 10, where one dim grows and another shrinks");
    if (!n->op->since)
        put_equivalent(w, n, p);
    else if (other_domain)
        import_domain(w, n->op);
    else if (opset > w->opset)
        w->opset = opset;
    return p;
}

/* ONNX wants outputs that nodes of the same graph compute: others go through an Identity. */
static void put_outputs(Writer *w, const Graph *g, Onnx__GraphProto *p) {
    p->n_output = (size_t)g->nout, p->output = value_protos(w, g->nout, g->out);
    for (int i = 0; i < g->nout; i++) {
        const Value *v = g->out[i];
        if (v->port) p->output[i]->name = text(v->port);
        if (v->kind == V_NODE && v->graph == g) continue;
        Onnx__NodeProto *n = p->node[p->n_node++] = NEW(w->arena, Onnx__NodeProto);
        onnx__node_proto__init(n);
        p->output[i]->name = format(w->arena, "%s/%s/%d", p->name, v->name, i);
        n->op_type = text("Identity");
        n->n_input = 1, n->input = names(w, 1, &g->out[i]);
        n->n_output = 1, n->output = arena_copy(w->arena, &p->output[i]->name, sizeof(char *));
    }
}

/* An output that goes by the name of an input is that input in ONNX; else it takes the name, from a constant too, which
 * ONNX's checker does not take for an output. */
static void settle_ports(Graph *g) {
    for (int i = 0; i < g->nout; i++) {
        Value *v = g->out[i], *named = v->port ? find_value(g, v->port) : NULL;
        bool has_it = named && !strcmp(named->name, v->port);
        if (has_it && !named->graph) named->name = v->name;
        if (v->port && !(has_it && named->graph)) v->name = v->port;
    }
}

static Onnx__GraphProto *graph_proto(Writer *w, Graph *g) {
    Onnx__GraphProto *p = NEW(w->arena, Onnx__GraphProto);
    onnx__graph_proto__init(p);
    int n = 0;
    for (Node *node = g->first; node; node = node->next) n++;
    p->name = text(g->name && *g->name ? g->name : "graph");
    p->node = NEW_ARRAY(w->arena, Onnx__NodeProto *, n + g->nout);
    settle_ports(g);
    for (Node *node = g->first; node; node = node->next) p->node[p->n_node++] = node_proto(w, node);
    p->n_input = (size_t)g->nin, p->input = value_protos(w, g->nin, g->in);
    put_outputs(w, g, p);
    return p;
}

/* Constants, parameters and states that something uses. */
static void put_initializers(Writer *w, Onnx__GraphProto *p) {
    Module *m = w->m;
    p->initializer = NEW_ARRAY(w->arena, Onnx__TensorProto *, m->outside.n);
    count_uses(m);
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (!v->uses) continue;
        if (v->data)
            p->initializer[p->n_initializer++] = tensor_proto(w, v->data, v->name);
        else
            fatal(m, EXIT_UNSUPPORTED, "'%s' has no numbers to write", escaped(w->arena, v->name, 60));
    }
}

static void put_imports(Writer *w, Onnx__ModelProto *p) {
    Onnx__OperatorSetIdProto *o = NEW(w->arena, Onnx__OperatorSetIdProto);
    onnx__operator_set_id_proto__init(o);
    o->domain = text(""), o->has_version = 1, o->version = w->opset;
    push(w->arena, &w->imports, o);
    p->n_opset_import = (size_t)w->imports.n;
    p->opset_import = (Onnx__OperatorSetIdProto **)w->imports.at;
    int row = 0;
    while (row + 1 < COUNT(ir_versions) && ir_versions[row].opset < w->opset) row++;
    p->has_ir_version = 1, p->ir_version = ir_versions[row].ir;
}

static void put_props(Writer *w, Onnx__ModelProto *p) {
    List props = {0};
    for (int i = 0; i < w->m->props.n; i++) {
        const Rename *r = w->m->props.at[i];
        Onnx__StringStringEntryProto *e = NEW(w->arena, Onnx__StringStringEntryProto);
        onnx__string_string_entry_proto__init(e);
        e->key = text(r->from), e->value = text(r->to);
        push(w->arena, &props, e);
    }
    p->n_metadata_props = (size_t)props.n, p->metadata_props = (Onnx__StringStringEntryProto **)props.at;
}

/* ---- packing ---- */

typedef struct {
    ProtobufCBuffer base;
    Str *out;
} Sink;

static void append(ProtobufCBuffer *sink, size_t n, const uint8_t *bytes) { put_bytes(((Sink *)sink)->out, bytes, n); }

/* Room for all of it at once: growing by doubling would take three times the model. */
static void make_room(Str *s, size_t n) {
    if (s->cap - s->n > n) return;
    char *p = arena_alloc(s->arena, s->n + n + 1);
    if (s->n) memcpy(p, s->s, s->n);
    s->s = p, s->cap = s->n + n + 1;
}

void export_onnx(Module *m, Str *bytes) {
    Writer w = {.m = m, .arena = m->arena, .opset = OPSET, .nodes = map_new(m->arena)};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    model.producer_name = text("nncc"), model.producer_version = text(NNCC_VERSION);
    resolve_graph(m->main);
    model.graph = graph_proto(&w, m->main);
    put_initializers(&w, model.graph);
    put_imports(&w, &model), put_props(&w, &model);
    stop_on_problems(m);
    Sink sink = {{append}, bytes};
    make_room(bytes, onnx__model_proto__get_packed_size(&model));
    onnx__model_proto__pack_to_buffer(&model, &sink.base);
}
