/* node.c - a node of a model on its way in: its inputs looked up, its form upgraded, its results named. */
#include "ir/build.h"
#include "ir/diag.h"
#include "onnx/importer.h"
#include "ops/ops.h"

enum { MAX_NODES = 1 << 17 };

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
    enough(f->im);
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

/* The value that an input's name stands for; NULL and the node refused if it cannot be used. */
static Value *input_value(Form *f, int i, const char *name) {
    const char *text = shown(f->im, name);
    const Binding *b = lookup(f->scope, name);
    if (b && b->why) refuse(f, EXIT_UNSUPPORTED, "input '%s': %s", text, b->why);
    if (b) return b->value;
    bool waits = false; /* for a node of a cycle, which was reported */
    for (const Scope *s = f->scope; s && !waits; s = s->outer) waits = map_get(s->defined, name) != NULL;
    if (waits)
        f->refused = true;
    else
        refuse(f, EXIT_INPUT, "input %d is '%s', which nothing defines", i, text);
    return NULL;
}

static void read_inputs(Form *f, const Onnx__NodeProto *p) {
    f->in = NEW_ARRAY(f->im->m->arena, Value *, p->n_input);
    for (size_t i = 0; i < p->n_input; i++)
        if (*p->input[i]) f->in[i] = input_value(f, (int)i, p->input[i]);
    f->nin = (int)p->n_input;
}

static void read_outputs(Form *f, const Onnx__NodeProto *p) {
    f->out = NEW_ARRAY(f->im->m->arena, const char *, p->n_output + 1);
    f->listed = (int)p->n_output;
    for (size_t i = 0; i < p->n_output; i++)
        if (*p->output[i]) f->out[i] = p->output[i], f->nout = (int)i + 1;
}

/* ---- types ---- */

static bool inputs_known(const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && !type_known(&n->in[i]->type)) return false;
    return true;
}

/* Infers the nodes that came since the last time. A node may leave others in its place, as an If does whose condition
 * is known: that is why the last one is remembered, not the next. */
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

const char *result_name(const Scope *s, const char *name) {
    const char *given = s->call && !s->outer ? map_get(s->call->results, name) : NULL;
    return given ? given : scoped_name(s, name);
}

const char *helper_name(Form *f, const char *what) {
    Arena *a = f->im->m->arena;
    const char *base = f->nout && f->out[0] ? f->out[0] : f->was;
    char *name = format(a, "%s_%s", result_name(f->scope, base), what);
    for (char *c = name + strlen(name) - strlen(what); *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
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

void bind_nothing(Form *f) {
    for (int i = 0; i < f->nout; i++)
        if (f->out[i])
            bind_name(f->scope, f->out[i], value_new(f->scope->building->graph, f->out[i], unknown_type), NULL);
}

static void bind_literal(Form *f, Tensor *t) {
    Value *v = const_new(f->im->m, result_name(f->scope, f->out[0]), t);
    v->literal = true;
    bind_name(f->scope, f->out[0], v, NULL);
}

/* A Constant is no node: its contents are a value that lives outside of all graphs. */
static void bind_constant(Form *f) {
    Module *m = f->im->m;
    Attr *a = f->nattr == 1 ? &f->attr[0] : NULL;
    Tensor *t = NULL;
    if (!a || f->nout != 1)
        refuse(f, EXIT_INPUT, "a constant has one attribute and one result");
    else if (a->kind == A_TENSOR)
        t = a->tensor;
    else if (a->kind == A_FLOAT)
        t = tensor_new(m->arena, DT_f32, 0, NULL), set_f(t, 0, a->f);
    else if (a->kind == A_INT)
        t = tensor_new(m->arena, DT_i64, 0, NULL), set_i(t, 0, a->i);
    else if (a->kind == A_INTS)
        t = tensor_of(m->arena, DT_i64, 1, (int64_t[]){a->n}, a->ints);
    else if (a->kind == A_FLOATS) {
        t = tensor_new(m->arena, DT_f32, 1, (int64_t[]){a->n});
        for (int i = 0; i < a->n; i++) set_f(t, i, a->floats[i]);
    } else if (a->kind == A_STR)
        t = strings_new(m->arena, 0, NULL, &a->s);
    else if (a->kind == A_STRS)
        t = strings_new(m->arena, 1, (int64_t[]){a->n}, a->strs);
    if (f->refused)
        bind_nothing(f);
    else if (t)
        bind_literal(f, t);
    else
        bind_name(f->scope, f->out[0], NULL,
                  a->kind == A_NONE && a->s ? a->s : "constants of this kind are not supported");
}

static const char *suggest_operator(Arena *a, const char *name) {
    const char **names = NEW_ARRAY(a, const char *, n_ops);
    int n = 0;
    for (int i = 0; i < n_ops; i++)
        if (ops[i].since) names[n++] = ops[i].name;
    return suggest(a, name, n, names);
}

/* What ONNX has and ops/ops.def does not. */
static const char *const not_ours[] = {"ImageDecoder", "MaxRoiPool", "RegexFullMatch"};

/* The domain of a row, or of a function of the model, that has an operator's name; NULL: neither. */
static const char *other_domain(const Form *f) {
    const Onnx__ModelProto *m = f->im->model;
    for (int i = 0; i < n_ops; i++)
        if (ops[i].since && !strcmp(ops[i].name, f->op)) return ops[i].domain ? ops[i].domain : "ai.onnx";
    for (size_t i = 0; i < m->n_functions; i++)
        if (m->functions[i]->name && m->functions[i]->domain && !strcmp(m->functions[i]->name, f->op))
            return m->functions[i]->domain;
    return NULL;
}

/* Why nncc has no row for an operator of a model. */
static const char *unknown_text(const Form *f) {
    Arena *a = f->im->m->arena;
    const char *elsewhere = other_domain(f), *domain = elsewhere ? escaped(a, elsewhere, 60) : NULL;
    bool in_onnx = false;
    for (int i = 0; i < COUNT(not_ours); i++) in_onnx = in_onnx || !strcmp(not_ours[i], f->op);
    if (*f->domain && domain)
        return format(a, "custom operator without a body; one of this name is in the domain %s", domain);
    if (*f->domain) return "custom operator without a body; add it to the model as a model-local function";
    if (domain) return format(a, "not an operator of ONNX: one of this name is in the domain %s", domain);
    return format(a, "unknown operator%s%s; nncc --list-ops prints the supported ones",
                  in_onnx ? "" : format(a, ", nor in ONNX up to opset %d", MAX_OPSET), suggest_operator(a, f->op));
}

/* The row of ops/ops.def, if there is one that models may use; else NULL and the node refused. */
static const Op *row_of(Form *f) {
    const Op *op = find_op(f->domain, f->op);
    bool ours = f->op != f->was; /* an upgrade may name rows that models cannot */
    if (!op && ours)
        refuse(f, EXIT_UNSUPPORTED, "this form needs operator %s, which is not supported", f->op);
    else if (!op || (!op->since && !ours))
        refuse(f, EXIT_UNSUPPORTED, "%s", unknown_text(f));
    else if (op->unsupported)
        refuse(f, EXIT_UNSUPPORTED, "%s", op->unsupported);
    else
        return op;
    return NULL;
}

/* How many inputs are left without the omitted ones at the end. */
static int trimmed(int n, Value *const *v) {
    while (n && !v[n - 1]) n--;
    return n;
}

/* A node of a known row from a form that fits it. */
static Node *node_of(Form *f, const Op *op) {
    int nout = f->nout < max_outputs(op) ? f->nout : max_outputs(op);
    const char **names = NEW_ARRAY(f->im->m->arena, const char *, nout);
    for (int i = 0; i < nout; i++) names[i] = f->out[i] ? result_name(f->scope, f->out[i]) : NULL;
    for (int i = 0; i < f->nin; i++) f->in[i] = resolve(f->in[i]);
    Node *n = node_new(f->scope->building->graph, NULL, op, trimmed(f->nin, f->in), f->in, nout, names, f->loc);
    for (int i = 0; i < f->nattr; i++) set_attr(n, &f->attr[i]);
    own_regions(n);
    if (!f->named) n->name = NULL;
    if (f->op != f->was) say_origin(f, n);
    return n;
}

/* Results beyond those of the row are an error only if something uses them. */
static void bind_outputs(Form *f, Node *n) {
    for (int i = 0; i < f->nout; i++) {
        if (!f->out[i] && i < n->nout)
            n->out[i] = NULL;
        else if (i < n->nout)
            bind_name(f->scope, f->out[i], n->out[i], NULL);
        else if (f->out[i])
            bind_name(f->scope, f->out[i], NULL,
                      format(f->im->m->arena, "result %d of %s is not supported", i, f->was));
    }
}

static void build_node(Form *f) {
    const Op *op = row_of(f);
    if (op) check_attrs(f, op);
    if (f->refused)
        bind_nothing(f);
    else
        bind_outputs(f, node_of(f, op));
}

void import_node(Scope *s, const Onnx__NodeProto *p, int index) {
    Importer *im = s->im;
    bool named = p->name && *p->name;
    const char *name = named ? p->name : p->n_output ? p->output[0] : "";
    Form f = {.im = im, .scope = s, .domain = plain_domain(p->domain), .named = named};
    f.op = p->op_type ? p->op_type : "";
    if (++im->nodes > MAX_NODES)
        fatal(im->m, EXIT_INPUT, "expected at most %d nodes with functions inlined, saw more", MAX_NODES);
    f.was = f.op, f.version = opset_of(s, f.domain);
    f.loc = (Loc){.node = index, .name = s->call ? scoped_name(s, name) : name};
    read_outputs(&f, p);
    read_inputs(&f, p);
    read_attrs(&f, p);
    const Onnx__FunctionProto *body = find_function(s, p);
    if (body && !f.refused)
        inline_call(&f, body);
    else if (f.refused)
        bind_nothing(&f);
    else {
        if (!strcmp(f.op, "Optional")) take_attr(&f, "type"); /* of what it does not have */
        upgrade(&f);
        if (f.refused)
            bind_nothing(&f);
        else if (!*f.domain && !strcmp(f.op, "Constant"))
            bind_constant(&f);
        else
            build_node(&f);
    }
}
