/* attr.c - attributes of a node on its way in: read, and checked against the operator's row. */
#include "ir/build.h"
#include "onnx/importer.h"

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

/* The type of an attribute, found from the field that is there if the file does not say, as before IR version 3. */
static Onnx__AttributeProto__AttributeType type_of_attr(const Onnx__AttributeProto *p) {
    if (p->has_type && p->type) return p->type;
    const struct {
        bool there;
        Onnx__AttributeProto__AttributeType type;
    } fields[] = {
        {p->has_f, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT},
        {p->has_i, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT},
        {p->has_s, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING},
        {p->t != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR},
        {p->sparse_tensor != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR},
        {p->g != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH},
        {p->n_floats > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS},
        {p->n_ints > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS},
        {p->n_strings > 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS},
    };
    for (int i = 0; i < COUNT(fields); i++)
        if (fields[i].there) return fields[i].type;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

/* Bytes as a text of its own. */
static const char *text_of(Form *f, ProtobufCBinaryData b) {
    if (b.len && memchr(b.data, 0, b.len)) refuse(f, EXIT_INPUT, "expected a string without NUL bytes in an attribute");
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

/* A tensor that cannot be had leaves the reason in its place. */
static void read_tensor_attr(Form *f, const Onnx__AttributeProto *p, Attr *a) {
    static const Onnx__TensorProto empty = ONNX__TENSOR_PROTO__INIT;
    const char *why = NULL;
    int code;
    a->tensor = p->sparse_tensor ? tensor_of_sparse(f->im, p->sparse_tensor, &why, &code)
                                 : tensor_of_proto(f->im, p->t ? p->t : &empty, &why, &code);
    if (a->tensor) return;
    if (code == EXIT_INPUT) refuse(f, code, "attribute '%s': %s", shown(f->im, a->name), why);
    a->kind = A_NONE, a->s = why;
}

static const AttrKind kind_of[] = {
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT] = A_FLOAT,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT] = A_INT,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING] = A_STR,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR] = A_TENSOR,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR] = A_TENSOR,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH] = A_GRAPH,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS] = A_FLOATS,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS] = A_INTS,
    [ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS] = A_STRS,
};

Attr attr_of_proto(Form *f, const Onnx__AttributeProto *p) {
    Arena *arena = f->im->m->arena;
    Onnx__AttributeProto__AttributeType type = type_of_attr(p);
    Attr a = {.name = p->name ? p->name : "", .set = true};
    a.kind = (size_t)type < COUNT(kind_of) ? kind_of[type] : A_NONE;
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

void read_attrs(Form *f, const Onnx__NodeProto *p) {
    f->attr = NEW_ARRAY(f->im->m->arena, Attr, p->n_attribute);
    if (p->n_attribute > MAX_ATTRS)
        refuse(f, EXIT_INPUT, "expected at most %d attributes, saw %zu", MAX_ATTRS, p->n_attribute);
    for (size_t i = 0; i < p->n_attribute && i < MAX_ATTRS; i++) {
        const Onnx__AttributeProto *a = p->attribute[i];
        const char *name = a->name ? a->name : "";
        bool reference = a->ref_attr_name && *a->ref_attr_name;
        const Attr *given = reference ? referenced_attr(f, a->ref_attr_name) : NULL;
        if (given && given->kind == A_GRAPH)
            refuse(f, EXIT_UNSUPPORTED, "graphs as attributes of functions are not supported");
        else if (form_attr(f, name))
            refuse(f, EXIT_INPUT, "attribute '%s' is given twice", shown(f->im, name));
        else if (given)
            f->attr[f->nattr] = *given, f->attr[f->nattr++].name = name;
        else if (!reference) {
            Attr read = attr_of_proto(f, a);
            f->attr[f->nattr++] = read;
        }
    }
}

static const char *const kind_texts[] = {
    "of another kind",   "an int",   "a float", "a string", "a list of ints", "a list of floats",
    "a list of strings", "a tensor", "a graph",
};

/* Takes over an attribute if it is of the row's kind. One without a value is an empty list or a zero, which writers
 * leave out. */
static void fit_attr(Form *f, Attr *a, const Attr *row) {
    bool list = row->kind == A_INTS || row->kind == A_FLOATS || row->kind == A_STRS;
    bool given_list = a->kind == A_INTS || a->kind == A_FLOATS || a->kind == A_STRS;
    const char *name = shown(f->im, a->name);
    if (a->kind == A_NONE && a->s)
        refuse(f, EXIT_UNSUPPORTED, "attribute '%s': %s", name, a->s);
    else if (a->kind == row->kind)
        return;
    else if (a->kind == A_NONE && row->kind != A_TENSOR && row->kind != A_GRAPH)
        a->s = row->kind == A_STR ? "" : NULL;
    else if (!list || !given_list || a->n)
        refuse(f, EXIT_INPUT, "attribute '%s': expected %s, saw %s", name, kind_texts[row->kind], kind_texts[a->kind]);
    a->kind = row->kind;
}

static const Attr *row_attr(const Op *op, const char *name) {
    for (int i = 0; i < ROW_ATTRS && op->attr[i].name; i++)
        if (!strcmp(op->attr[i].name, name)) return &op->attr[i];
    return NULL;
}

void check_attrs(Form *f, const Op *op) {
    Arena *arena = f->im->m->arena;
    for (int i = 0; i < f->nattr; i++) {
        const Attr *row = row_attr(op, f->attr[i].name);
        if (row && !row->own)
            fit_attr(f, &f->attr[i], row);
        else
            refuse(f, EXIT_UNSUPPORTED, "unknown attribute '%s'", escaped(arena, f->attr[i].name, 60));
    }
    for (int i = 0; i < ROW_ATTRS && op->attr[i].name; i++)
        if (op->attr[i].must && !form_attr(f, op->attr[i].name))
            refuse(f, EXIT_INPUT, "attribute '%s' is missing", op->attr[i].name);
}
