/* functions.c - model-local functions: a call becomes the nodes of its body, named after the call. */
#include "ir/build.h"
#include "onnx/importer.h"

static const char *function_key(Arena *a, const char *domain, const char *name, const char *overload) {
    return format(a, "%s\n%s\n%s", plain_domain(domain), name ? name : "", overload ? overload : "");
}

void index_functions(Importer *im) {
    Arena *a = im->m->arena;
    const Onnx__ModelProto *m = im->model;
    if (m->n_functions) im->functions = map_new(a);
    for (size_t i = 0; i < m->n_functions; i++) {
        Onnx__FunctionProto *f = m->functions[i];
        const char *key = function_key(a, f->domain, f->name, f->overload);
        if (map_get(im->functions, key))
            model_fault(im, "function '%s' is defined twice", escaped(a, f->name ? f->name : "", 60));
        map_set(im->functions, key, f);
    }
}

const Onnx__FunctionProto *find_function(const Scope *s, const Onnx__NodeProto *p) {
    Arena *a = s->im->m->arena;
    if (!s->im->functions) return NULL;
    return map_get(s->im->functions, function_key(a, p->domain, p->op_type, p->overload));
}

/* The default that a function has for an attribute: its message, NULL if there is none. */
static const Onnx__AttributeProto *default_attr(const Onnx__FunctionProto *f, const char *name) {
    for (size_t i = 0; i < f->n_attribute_proto; i++)
        if (f->attribute_proto[i]->name && !strcmp(f->attribute_proto[i]->name, name)) return f->attribute_proto[i];
    return NULL;
}

const Attr *referenced_attr(Form *f, const char *name) {
    const Call *call = f->scope->call;
    if (!call) {
        refuse(f, EXIT_INPUT, "it refers to attribute '%s' of a function, but is in none", shown(f->im, name));
        return NULL;
    }
    for (int i = 0; i < call->nattr; i++)
        if (!strcmp(call->attr[i].name, name)) return &call->attr[i];
    const Onnx__AttributeProto *p = default_attr(call->function, name);
    if (!p) return NULL;
    Attr *a = NEW(f->im->m->arena, Attr);
    *a = attr_of_proto(f, p);
    return a;
}

static bool is_recursive(const Call *call, const Onnx__FunctionProto *f) {
    for (; call; call = call->caller)
        if (call->function == f) return true;
    return false;
}

static bool check_call(Form *f, const Onnx__FunctionProto *body) {
    if (body->n_attribute_proto > MAX_ATTRS || body->n_opset_import > MAX_IMPORTS)
        refuse(f, EXIT_INPUT, "a function with too many attributes or imports");
    for (size_t i = 0; i < body->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = body->opset_import[i];
        if (!*plain_domain(o->domain) && o->version > MAX_OPSET)
            refuse(f, EXIT_UNSUPPORTED, "expected a function of opset %d at most, saw %lld", MAX_OPSET,
                   (long long)o->version);
    }
    if (is_recursive(f->scope->call, body)) refuse(f, EXIT_INPUT, "the function calls itself");
    if ((size_t)f->nin > body->n_input)
        refuse(f, EXIT_INPUT, "expected at most %zu inputs as the function has, saw %d", body->n_input, f->nin);
    if ((size_t)f->nout > body->n_output)
        refuse(f, EXIT_INPUT, "expected at most %zu results as the function has, saw %d", body->n_output, f->nout);
    return !f->refused;
}

/* Gives the caller's names to the results of the body. */
static void bind_results(Form *f, const Scope *inner, const Onnx__FunctionProto *body) {
    for (int i = 0; i < f->nout; i++) {
        const Binding *b = f->out[i] ? lookup(inner, body->output[i]) : NULL;
        if (f->out[i] && (!b || (!b->value && !b->why)))
            refuse(f, EXIT_INPUT, "the function does not define its result '%s'", shown(f->im, body->output[i]));
        if (f->out[i])
            bind_name(f->scope, f->out[i], b ? b->value : NULL, b ? b->why : "its function does not define it");
    }
}

void inline_call(Form *f, const Onnx__FunctionProto *body) {
    Arena *a = f->im->m->arena;
    Call call = {.caller = f->scope->call, .function = body, .name = f->loc.name, .nattr = f->nattr, .attr = f->attr};
    Scope inner = {.im = f->im, .building = f->scope->building, .call = &call};
    if (!check_call(f, body)) {
        bind_nothing(f);
        return;
    }
    call.results = map_new(a), inner.names = map_new(a), inner.defined = map_new(a);
    for (size_t i = 0; i < body->n_input; i++) {
        bind_name(&inner, body->input[i], i < (size_t)f->nin ? f->in[i] : NULL, NULL);
        map_set(inner.defined, body->input[i], body->input[i]);
    }
    for (int i = 0; i < f->nout; i++)
        if (f->out[i]) map_set(call.results, body->output[i], (void *)(uintptr_t)result_name(f->scope, f->out[i]));
    import_nodes(&inner, body->n_node, body->node);
    bind_results(f, &inner, body);
}
