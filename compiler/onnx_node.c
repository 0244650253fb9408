/* onnx_node.c - a node of a model on its way in: its inputs looked up, its form upgraded, its attributes checked against the
 * operator's row. */
#include "onnx.h"

enum { MAX_NODES = 1 << 20, MAX_PROBLEMS = 10000 };

/* ---- errors ---- */

void refuse(Form *f, int code, const char *fmt, ...) {
    Module *m = f->im->m;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *op = *f->domain ? format(m->arena, "%s:%s", f->domain, f->was) : f->was;
    problem_at(m, code, f->loc, op, "%s", text);
    f->refused = true;
    if (m->problems.n > MAX_PROBLEMS) stop_on_problems(m);
}

/* ---- attributes ---- */

Attr *form_attr(Form *f, const char *name) {
    for (int i = 0; i < f->nattr; i++)
        if (f->attr[i].name && !strcmp(f->attr[i].name, name)) return &f->attr[i];
    return NULL;
}

Attr *take_attr(Form *f, const char *name) {
    Attr *a = form_attr(f, name);
    if (!a) return NULL;
    Attr *copy = arena_copy(f->im->m->arena, a, sizeof *a);
    *a = f->attr[--f->nattr];
    return copy;
}

void give_attr(Form *f, Attr a) {
    Attr *old = form_attr(f, a.name);
    if (old) {
        *old = a;
        return;
    }
    Attr *grown = NEW_ARRAY(f->im->m->arena, Attr, f->nattr + 1);
    if (f->nattr) memcpy(grown, f->attr, sizeof *grown * (size_t)f->nattr);
    grown[f->nattr++] = a;
    f->attr = grown;
}

static Onnx__AttributeProto__AttributeType type_of_attr(const Onnx__AttributeProto *p) {
    if (p->has_type && p->type) return p->type;
    /* IR versions 1 and 2 do not say: it is the field that is there. */
    const struct { bool there; Onnx__AttributeProto__AttributeType type; } fields[] = {
        {p->has_f, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT},
        {p->has_i, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT},
        {p->has_s, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING},
        {p->t != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR},
        {p->g != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH},
        {p->n_floats > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS},
        {p->n_ints > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS},
        {p->n_strings > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS},
    };
    for (int i = 0; i < COUNT(fields); i++)
        if (fields[i].there) return fields[i].type;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static const char *text_of(Form *f, ProtobufCBinaryData b) {
    if (b.len && memchr(b.data, 0, b.len)) refuse(f, EXIT_INPUT, "a text attribute has a zero byte in it");
    char *s = arena_alloc(f->im->m->arena, b.len + 1);
    if (b.len) memcpy(s, b.data, b.len);
    return s;
}

static void read_lists(Form *f, const Onnx__AttributeProto *p, Attr *a) {
    Arena *arena = f->im->m->arena;
    if (a->kind == A_INTS) a->n = (int)p->n_ints, a->ints = p->ints;
    if (a->kind == A_FLOATS) {
        double *v = NEW_ARRAY(arena, double, p->n_floats);
        for (size_t i = 0; i < p->n_floats; i++) v[i] = (double)p->floats[i];
        a->n = (int)p->n_floats, a->floats = v;
    }
    if (a->kind == A_STRS) {
        const char **v = NEW_ARRAY(arena, const char *, p->n_strings);
        for (size_t i = 0; i < p->n_strings; i++) v[i] = text_of(f, p->strings[i]);
        a->n = (int)p->n_strings, a->strs = v;
    }
}

static void read_tensor_attr(Form *f, const Onnx__AttributeProto *p, Attr *a) {
    static const Onnx__TensorProto empty = ONNX__TENSOR_PROTO__INIT;
    const char *why = NULL;
    int code;
    a->tensor = tensor_of_proto(f->im, p->t ? p->t : &empty, &why, &code);
    if (a->tensor) return;
    if (code == EXIT_INPUT) refuse(f, code, "attribute '%s': %s", escaped(f->im->m->arena, a->name, 60), why);
    a->kind = A_NONE, a->s = why;
}

static const AttrKind kind_of[] = {
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT] = A_FLOAT,   [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT] = A_INT,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING] = A_STR,    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR] = A_TENSOR,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH] = A_GRAPH,   [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS] = A_FLOATS,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS] = A_INTS,     [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS] = A_STRS,
};

Attr attr_of_proto(Form *f, const Onnx__AttributeProto *p) {
    Arena *arena = f->im->m->arena;
    Onnx__AttributeProto__AttributeType type = type_of_attr(p);
    Attr a = {.name = p->name ? p->name : "", .kind = (size_t)type < COUNT(kind_of) ? kind_of[type] : A_NONE, .set = true};
    if (a.kind == A_NONE && type)
        a.s = format(arena, "it is of type %d in AttributeProto.AttributeType, which is not supported", (int)type);
    if (a.kind == A_INT) a.i = p->i;
    if (a.kind == A_FLOAT) a.f = (double)p->f;
    if (a.kind == A_STR) a.s = text_of(f, p->s);
    if (a.kind == A_TENSOR) read_tensor_attr(f, p, &a);
    if (a.kind == A_GRAPH && p->g) a.graph = import_region(f->scope, p->g, format(arena, "%s/%s", f->loc.name, a.name));
    if (a.kind == A_GRAPH && !p->g) a.kind = A_NONE, a.s = "it holds no graph";
    read_lists(f, p, &a);
    return a;
}

static void read_attrs(Form *f, const Onnx__NodeProto *p) {
    f->attr = NEW_ARRAY(f->im->m->arena, Attr, p->n_attribute);
    if (p->n_attribute > MAX_ATTRS) refuse(f, EXIT_INPUT, "%zu attributes", p->n_attribute);
    for (size_t i = 0; i < p->n_attribute && i < MAX_ATTRS; i++) {
        const Onnx__AttributeProto *a = p->attribute[i];
        const char *name = a->name ? a->name : "";
        bool reference = a->ref_attr_name && *a->ref_attr_name;
        const Attr *given = reference ? referenced_attr(f, a->ref_attr_name) : NULL;
        if (given && given->kind == A_GRAPH) refuse(f, EXIT_UNSUPPORTED, "graphs handed to functions are not supported");
        else if (form_attr(f, name)) refuse(f, EXIT_INPUT, "attribute '%s' is given twice", escaped(f->im->m->arena, name, 60));
        else if (given) f->attr[f->nattr] = *given, f->attr[f->nattr++].name = name;
        else if (!reference) {
            Attr read = attr_of_proto(f, a);
            f->attr[f->nattr++] = read;
        }
    }
}

static const char *const kind_texts[] = {"of another kind", "an int",  "a float",     "a string", "a list of ints",
                                         "a list of floats", "a list of strings", "a tensor", "a graph"};

/* Takes over an attribute if it is of the row's kind. One without a value is an empty list or a zero, which writers leave out. */
static bool fit_attr(Form *f, Attr *a, const Attr *row) {
    bool list = row->kind == A_INTS || row->kind == A_FLOATS || row->kind == A_STRS;
    bool given_list = a->kind == A_INTS || a->kind == A_FLOATS || a->kind == A_STRS;
    const char *name = escaped(f->im->m->arena, a->name, 60);
    if (a->kind == A_NONE && a->s) refuse(f, EXIT_UNSUPPORTED, "attribute '%s': %s", name, a->s);
    else if (a->kind == row->kind) return true;
    else if (a->kind == A_NONE && row->kind != A_TENSOR && row->kind != A_GRAPH) a->s = row->kind == A_STR ? "" : NULL;
    else if (!(list && given_list && a->n == 0)) {
        refuse(f, EXIT_INPUT, "attribute '%s' is %s where %s is expected", name, kind_texts[a->kind], kind_texts[row->kind]);
        return false;
    }
    a->kind = row->kind;
    return !f->refused;
}

static const Attr *row_attr(const Op *op, const char *name) {
    for (int i = 0; i < ROW_ATTRS && op->attr[i].name; i++)
        if (!strcmp(op->attr[i].name, name)) return &op->attr[i];
    return NULL;
}

static void check_attrs(Form *f, const Op *op) {
    Arena *arena = f->im->m->arena;
    for (int i = 0; i < f->nattr; i++) {
        const Attr *row = row_attr(op, f->attr[i].name);
        if (row) fit_attr(f, &f->attr[i], row);
        else refuse(f, EXIT_UNSUPPORTED, "attribute '%s' is not known", escaped(arena, f->attr[i].name, 60));
    }
    for (int i = 0; i < ROW_ATTRS && op->attr[i].name; i++)
        if (op->attr[i].must && !form_attr(f, op->attr[i].name)) refuse(f, EXIT_INPUT, "attribute '%s' is missing", op->attr[i].name);
}

/* ---- inputs ---- */

void set_input(Form *f, int i, Value *v) {
    if (i >= f->nin) {
        Value **grown = NEW_ARRAY(f->im->m->arena, Value *, i + 1);
        if (f->nin) memcpy(grown, f->in, sizeof *grown * (size_t)f->nin);
        f->in = grown, f->nin = i + 1;
    }
    f->in[i] = v;
}

static Value *input_value(Form *f, int i, const char *name) {
    const char *shown = escaped(f->im->m->arena, name, 60);
    const Binding *b = lookup(f->scope, name);
    if (b && b->why) refuse(f, EXIT_UNSUPPORTED, "input '%s': %s", shown, b->why);
    if (b) return b->value;
    if (map_get(f->scope->defined, name))
        refuse(f, EXIT_INPUT, "input %d is '%s', which a later node computes: nodes must be in the order of use", i, shown);
    else refuse(f, EXIT_INPUT, "input %d is '%s', which nothing defines", i, shown);
    return NULL;
}

static void read_inputs(Form *f, const Onnx__NodeProto *p) {
    f->in = NEW_ARRAY(f->im->m->arena, Value *, p->n_input);
    for (size_t i = 0; i < p->n_input; i++)
        if (*p->input[i]) f->in[i] = input_value(f, (int)i, p->input[i]);
    f->nin = (int)p->n_input;
}

static void read_outputs(Form *f, const Onnx__NodeProto *p) {
    f->out = NEW_ARRAY(f->im->m->arena, const char *, p->n_output);
    for (size_t i = 0; i < p->n_output; i++)
        if (*p->output[i]) f->out[i] = p->output[i], f->nout = (int)i + 1;
}

/* ---- types ---- */

static bool inputs_known(const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && !type_known(&n->in[i]->type)) return false;
    return true;
}

/* A node may leave another in its place, as an If does whose condition is known: that is why the last one is kept, not the next. */
static void infer_so_far(Building *b) {
    if (b->outer) infer_so_far(b->outer);
    for (Node *n; (n = b->inferred ? b->inferred->next : b->graph->first);) {
        Node *before = n->prev;
        if (inputs_known(n)) infer_node(n);
        bool gone = !n->prev && !n->next && b->graph->first != n;
        b->inferred = gone ? before : n;
    }
}

const Type *type_of(Form *f, Value *v) {
    v = resolve(v);
    if (v->type.dtype == DT_none || v->type.rank < 0) infer_so_far(f->scope->building);
    return &resolve(v)->type;
}

/* ---- results ---- */

static const Type unknown_type = {.dtype = DT_none, .rank = -1};

/* A name for what a form becomes besides its own results: short, and none that the model uses. */
static const char *helper_name(Form *f, const char *op) {
    Arena *a = f->im->m->arena;
    const char *base = f->nout && f->out[0] ? f->out[0] : f->was;
    char *name = format(a, "%s_%s", scoped_name(f->scope, base), op);
    for (char *c = name + strlen(name) - strlen(op); *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    while (f->im->taken && map_get(f->im->taken, name)) name = format(a, "%s_", name);
    return name;
}

static void say_origin(Form *f, Node *n) {
    Arena *a = f->im->m->arena;
    n->name = NULL;
    n->origin = format(a, "%s '%s'", f->was, escaped(a, f->loc.name, 60));
}

static void own_regions(Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].kind == A_GRAPH && n->attr[i].graph) n->attr[i].graph->owner = n;
}

Value *made(Form *f, const char *op, int nin, Value *const *in, int nattr, const Attr *attrs) {
    const Op *row = find_op(NULL, op);
    const char *name = helper_name(f, op);
    Graph *g = f->scope->building->graph;
    if (!row || row->unsupported) {
        refuse(f, EXIT_UNSUPPORTED, "this form needs operator %s, which is not supported", op);
        return value_new(g, name, unknown_type);
    }
    Node *n = node_new(g, NULL, row, nin, in, 1, &name, f->loc);
    for (int i = 0; i < nattr; i++) set_attr(n, &attrs[i]);
    say_origin(f, n);
    return n->out[0];
}

const char *result_name(const Scope *s, const char *name) {
    const char *given = s->call && !s->outer ? map_get(s->call->results, name) : NULL;
    return given ? given : scoped_name(s, name);
}

void bind_nothing(Form *f) {
    for (int i = 0; i < f->nout; i++)
        if (f->out[i]) bind_name(f->scope, f->out[i], value_new(f->scope->building->graph, f->out[i], unknown_type), NULL);
}

static void bind_constant(Form *f) {
    Module *m = f->im->m;
    Attr *a = f->nattr == 1 ? &f->attr[0] : NULL;
    Tensor *t = NULL;
    if (!a || f->nout != 1) refuse(f, EXIT_INPUT, "a constant has one attribute and one result");
    else if (a->kind == A_TENSOR) t = a->tensor;
    else if (a->kind == A_FLOAT) t = tensor_new(m->arena, DT_f32, 0, NULL), set_f(t, 0, a->f);
    else if (a->kind == A_INT) t = tensor_new(m->arena, DT_i64, 0, NULL), set_i(t, 0, a->i);
    else if (a->kind == A_INTS) t = tensor_of(m->arena, DT_i64, 1, (int64_t[]){a->n}, a->ints);
    else if (a->kind == A_FLOATS) {
        t = tensor_new(m->arena, DT_f32, 1, (int64_t[]){a->n});
        for (int i = 0; i < a->n; i++) set_f(t, i, a->floats[i]);
    }
    if (f->refused) bind_nothing(f);
    else if (t) bind_name(f->scope, f->out[0], const_new(m, result_name(f->scope, f->out[0]), t), NULL);
    else bind_name(f->scope, f->out[0], NULL, a->kind == A_NONE && a->s ? a->s : "constants of this kind are not supported");
}

static const Op *row_of(Form *f) {
    const Op *op = find_op(f->domain, f->op);
    bool ours = f->op != f->was; /* an upgrade may name rows that models cannot */
    if (!op && ours) refuse(f, EXIT_UNSUPPORTED, "this form needs operator %s, which is not supported", f->op);
    else if (!op || (!op->since && !ours))
        refuse(f, EXIT_UNSUPPORTED, *f->domain ? "custom operator without a body; add it to the model as a model-local function"
                                               : "there is no such operator in nncc");
    else if (op->unsupported) refuse(f, EXIT_UNSUPPORTED, "%s", op->unsupported);
    else return op;
    return NULL;
}

static int trimmed(int n, Value *const *v) {
    while (n && !v[n - 1]) n--;
    return n;
}

static void build_node(Form *f) {
    Module *m = f->im->m;
    const Op *op = row_of(f);
    if (op) check_attrs(f, op);
    if (f->refused) {
        bind_nothing(f);
        return;
    }
    int nout = f->nout < max_outputs(op) ? f->nout : max_outputs(op);
    const char **names = NEW_ARRAY(m->arena, const char *, nout);
    for (int i = 0; i < nout; i++) names[i] = f->out[i] ? result_name(f->scope, f->out[i]) : NULL;
    for (int i = 0; i < f->nin; i++) f->in[i] = resolve(f->in[i]);
    Node *n = node_new(f->scope->building->graph, NULL, op, trimmed(f->nin, f->in), f->in, nout, names, f->loc);
    for (int i = 0; i < f->nattr; i++) set_attr(n, &f->attr[i]);
    own_regions(n);
    if (!f->named) n->name = NULL;
    if (f->op != f->was) say_origin(f, n);
    for (int i = 0; i < f->nout; i++) {
        if (!f->out[i] && i < nout) n->out[i] = NULL;
        else if (i < nout) bind_name(f->scope, f->out[i], n->out[i], NULL);
        else if (f->out[i]) bind_name(f->scope, f->out[i], NULL, format(m->arena, "result %d of %s is not supported", i, f->was));
    }
}

void import_node(Scope *s, const Onnx__NodeProto *p, int index) {
    Importer *im = s->im;
    bool named = p->name && *p->name;
    const char *name = named ? p->name : p->n_output ? p->output[0] : "";
    Form f = {.im = im, .scope = s, .domain = plain_domain(p->domain), .op = p->op_type ? p->op_type : "", .named = named};
    if (++im->nodes > MAX_NODES) fatal(im->m, EXIT_INPUT, "more than %d nodes, functions inlined", MAX_NODES);
    f.was = f.op, f.version = opset_of(s, f.domain);
    f.loc = (Loc){.node = index, .name = s->call ? scoped_name(s, name) : name};
    read_outputs(&f, p);
    read_inputs(&f, p);
    read_attrs(&f, p);
    const Onnx__FunctionProto *body = find_function(s, p);
    if (body && !f.refused) inline_call(&f, body);
    else if (f.refused) bind_nothing(&f);
    else {
        upgrade(&f);
        if (f.refused) bind_nothing(&f);
        else if (!*f.domain && !strcmp(f.op, "Constant")) bind_constant(&f);
        else build_node(&f);
    }
}
