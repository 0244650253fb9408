/* importer.h - what the files of the ONNX front end share.
 *
 *   scan.c    bytes to a checked skeleton    tensor.c     contents of tensors
 *   import.c  a model to the graph IR        external.c   contents in other files
 *   inputs.c  inputs and initializers        upgrade.c    old forms of operators to today's
 *   node.c    a node on its way in           blocked.c    images in blocks of channels, as plain ones
 *   attr.c    its attributes                 functions.c  model-local functions, inlined
 *   order.c   nodes in the order of use      export.c     the graph IR to a model */
#ifndef NNCC_IMPORTER_H
#define NNCC_IMPORTER_H

#include "ir/ir.h"
#include "ir/open_dims.h"
#include "onnx-ml.pb-c.h"

enum { MAX_IR = 14, MAX_OPSET = 28, MAX_IMPORTS = 100, MAX_ATTRS = 1000 };

/* ---- scan.c ---- */

/* Where a run of fields with contents of a tensor lies in the file. A skeleton has these in string_data of tensors. */
typedef struct {
    uint64_t start, length;
} Contents;

/* Checks a message of a known type. `size` receives its skeleton's size; that is written unless `skeleton` is NULL. */
bool scan_message(const ProtobufCMessageDescriptor *, const void *bytes, size_t n, uint8_t *skeleton, size_t *size,
                  char error[200]);
bool read_varint(const uint8_t *in, size_t *at, size_t end, uint64_t *value); /* false: cut off or above 64 bits */

/* ---- import.c ---- */

typedef struct Importer {
    Module *m;
    const char *path;     /* of the model; "-": standard input */
    const uint8_t *bytes; /* the mapped file */
    const Onnx__ModelProto *model;
    Map *functions; /* FunctionProto by function_key() */
    Map *files;     /* external.c: the files it has mapped */
    OpenDims open;  /* extents of inputs that are not known */
    Map *taken;     /* names of the model's outer graph, which keep their spelling */
    Map *needed;    /* those that --outputs leaves; NULL: all */
    Map *foreign;   /* names of operators that are not ONNX's, of which the user was told; NULL: none */
    int depth, nodes;
    int64_t block; /* blocked.c: channels in a block; 0: not looked for, or not to be told */
} Importer;

/* What a name stands for. No value and no reason: an optional input that the caller of a function left out. */
typedef struct {
    Value *value;
    const char *why;
} Binding;

/* A graph that nodes are being added to, and its last node whose result types are inferred already. */
typedef struct Building {
    struct Building *outer;
    Graph *graph;
    Node *inferred;
} Building;

/* A call of a model-local function that is being inlined. */
typedef struct Call {
    const struct Call *caller;
    const Onnx__FunctionProto *function;
    const char *name; /* prefix of the names within */
    int nattr;
    const Attr *attr; /* what references to attributes stand for */
    Map *results;     /* the function's output names to the names that the caller gives them */
} Call;

/* Where names are looked up and nodes go. */
typedef struct Scope {
    Importer *im;
    const struct Scope *outer; /* lexical; NULL for the model's graph and for the body of a function */
    Map *names;                /* Binding */
    Map *defined;              /* names of this graph's results to what defines them */
    Building *building;
    const Call *call;   /* NULL: the model itself */
    const char *region; /* prefix for names that the outer graph uses as well; NULL: it is the outer graph */
} Scope;

void model_fault(Importer *, const char *fmt, ...) PRINTF_LIKE(2, 3); /* an error that no node is to blame for */
const char *shown(Importer *, const char *name);                      /* for messages: escaped and cut */
void enough(Importer *);                                              /* stops a list of problems that has no end */
void define_name(Scope *, const char *name); /* notes that this graph defines a name; a second time is a fault */
void bind_name(Scope *, const char *name, Value *, const char *why);
const Binding *lookup(const Scope *, const char *name);
void import_nodes(Scope *, size_t n, Onnx__NodeProto *const *);
Graph *import_region(const Scope *, const Onnx__GraphProto *, const char *name);
int64_t opset_of(const Scope *, const char *domain);
/* A name for a value or node of this scope that says where it was inlined and does not take one of the outer graph. */
const char *scoped_name(const Scope *, const char *name);
const char *plain_domain(const char *domain);    /* "" for ai.onnx and NULL */
bool is_needed(const Scope *, const char *name); /* else --outputs leaves it out */

/* ---- inputs.c ---- */

void import_initializers(Scope *, const Onnx__GraphProto *); /* one that cannot be used is refused where it is used */
void import_inputs(Scope *, const Onnx__GraphProto *);
/* Extents that are not known get their default, or there is one error for all, each by the name that --dim takes. */
void settle_open_dims(Importer *);
/* The declared type. With `ask`, extents may come from --dim, and those that do not are noted. */
Type declared_type(Importer *, const Onnx__ValueInfoProto *, bool ask);

/* ---- order.c ---- */

/* The indices of a graph's nodes in an order in which each comes after those whose results it uses: that of the file,
 * as far as possible. A cycle is a fault. */
const int *order_of_use(Scope *, int n, Onnx__NodeProto *const *);
/* The names of a graph that these outputs are computed from, and their own. */
Map *names_needed(Scope *, const Onnx__GraphProto *, const List *outputs);

/* ---- node.c: a node on its way in ---- */

typedef struct Form {
    Importer *im;
    Scope *scope;
    const char *domain, *op;
    int64_t version; /* of its domain */
    const char *was; /* the operator in the model */
    int nin, nattr, nout;
    Value **in;       /* NULL: omitted */
    Attr *attr;       /* kind A_NONE: `s` says why it cannot be used, or it is a list without elements */
    const char **out; /* names in the model; NULL: not used */
    int listed;       /* results that the model lists, also those at the end that it does not want */
    Loc loc;
    bool named;   /* in the model; else loc.name is its first result */
    bool refused; /* a problem was reported: no node comes of it */
} Form;

void import_node(Scope *, const Onnx__NodeProto *, int index);
void refuse(Form *, int code, const char *fmt, ...) PRINTF_LIKE(3, 4); /* reports a problem: no node comes of it */
void set_input(Form *, int i, Value *);                                /* those left out before it are omitted */
/* Adds a node before the one to come; its result, of unknown type if there is no such operator. */
Value *made(Form *, const char *op, int nin, Value *const *in, int nattr, const Attr *);
/* The type of a value, as far as it follows from what was imported so far. */
const Type *type_of(Form *, Value *);
void bind_nothing(Form *); /* results of a refused node, so that what follows is still looked at */
/* A name for what a form becomes besides its own results: short, and none that the model uses. */
const char *helper_name(Form *, const char *what);
const char *result_name(const Scope *, const char *); /* what a result is called: in a function, as its caller says */

/* ---- attr.c ---- */

Attr *form_attr(Form *, const char *name); /* NULL if not given */
Attr *take_attr(Form *, const char *name); /* the same, and no longer given */
void give_attr(Form *, Attr);              /* replaces one of that name */
void read_attrs(Form *, const Onnx__NodeProto *);
Attr attr_of_proto(Form *, const Onnx__AttributeProto *);
void check_attrs(Form *, const Op *); /* against the operator's row: names, kinds, what must be there */

/* ---- upgrade.c ---- */

void upgrade(Form *); /* to the meaning that ops/ops.def holds */
/* Refuses a form that needs to know more of an input than there is to know. Nothing is said where that is no wonder:
 * after other problems, or as long as extents of the model's inputs are open. */
void form_needs(Form *, int input, const char *what);
/* Becomes an operator over these inputs, without attributes. */
void form_becomes(Form *, const char *op, int nin, Value *const *in);
Value *int_list(Form *, const char *what, int n, const int64_t *); /* a constant */
Value *float_list(Form *, const char *what, int n, const double *);

/* ---- blocked.c ---- */

void out_of_blocks(Form *); /* an operator of com.microsoft.nchwc as one of plain images */

/* ---- functions.c ---- */

void index_functions(Importer *);
const Onnx__FunctionProto *find_function(const Scope *, const Onnx__NodeProto *);
void inline_call(Form *, const Onnx__FunctionProto *);
/* A reference's attribute in the call it stands in; NULL if the caller gives none and there is no default. */
const Attr *referenced_attr(Form *, const char *name);

/* ---- tensor.c, external.c ---- */

/* The contents of a tensor, pointing into the file where they can. NULL with a reason and EXIT_INPUT (the file is
 * wrong) or EXIT_UNSUPPORTED. */
Tensor *tensor_of_proto(Importer *, const Onnx__TensorProto *, const char **why, int *code);
/* The same of a sparse tensor, as a dense one. */
Tensor *tensor_of_sparse(Importer *, const Onnx__SparseTensorProto *, const char **why, int *code);
const char *element_name(Arena *, int type); /* ONNX's name of an element type */
/* The bytes of a tensor in another file; `need` of them if the model does not say how many. NULL with a reason. */
const void *external_contents(Importer *, const Onnx__TensorProto *, size_t need, const char **why);

#endif
