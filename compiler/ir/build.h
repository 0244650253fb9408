/* build.h - making and changing graphs. */
#ifndef NNCC_IR_BUILD_H
#define NNCC_IR_BUILD_H

#include "ir/ir.h"

bool in_use(const Value *);                                                          /* plan: some step accesses it */
static inline bool stays(const Node *n) { return n->op->effect || n->op->measures; } /* never merged, never dropped */
Module *module_new(Options *, FILE *err, jmp_buf *escape, size_t memory_limit);
void module_free(Module *);
Graph *graph_new(Module *, const char *name, Graph *outer);
/* A new value; `name` is made unique by a suffix if taken, NULL gives a fresh one. */
Value *value_new(Graph *, const char *name, Type);
Value *input_new(Graph *, const char *name, Type);
Value *outside_new(Module *, ValueKind, const char *name, Tensor *); /* const, param, state */
Value *const_new(Module *, const char *name, Tensor *);
Value *const_ints(Module *, int n, const int64_t *); /* i64[n] */
Value *const_scalar(Module *, DType, double);
Value *find_value(Graph *, const char *name); /* here, in outer graphs, outside; NULL */
/* A node before `at` (NULL: at the end), attributes at their defaults, `nout` results made (names NULL: fresh). */
Node *node_new(Graph *, Node *at, const Op *, int nin, Value *const *in, int nout, const char *const *names, Loc);
Node *insert_node(Node *at, const Op *, int nin,
                  Value *const *in); /* before `at`, inherits loc and origin; one result */
void set_attr_i(Node *, const char *name, int64_t);
void set_attr_f(Node *, const char *name, double);
void set_attr_s(Node *, const char *name, const char *);
void set_attr_ints(Node *, const char *name, int n, const int64_t *);
void set_attr(Node *, const Attr *); /* by name */
/* The attribute of a row's name; asking for one the row lacks is a bug. */
const Attr *attr(const Node *, const char *name);
static inline int64_t attr_i(const Node *n, const char *name) { return attr(n, name)->i; }
static inline double attr_f(const Node *n, const char *name) { return attr(n, name)->f; }
static inline const char *attr_s(const Node *n, const char *name) { return attr(n, name)->s; }
void unlink_node(Node *);
/* A rule may leave other nodes in a node's place. */
static inline bool is_gone(const Node *n) { return !n->prev && !n->next && n->graph->first != n; }
void move_before(Node *, Node *at);
/* The nodes between `first` (NULL: the start) and `at` become one kernel. */
void one_kernel(Module *, Node *first, const Node *at);
void swap_names(Module *, Value *, Value *);        /* of one graph, or both outside */
void replace(Value *old, Value *with);              /* O(1): uses are redirected when next resolved */
void replace_keeping_name(Value *old, Value *with); /* replace, and `with` takes over the name where that matters */
Value *resolve(Value *);                            /* follows replacements; NULL stays NULL */
void resolve_graph(Graph *);                        /* in and out arrays of every node, regions too */
/* Calls f on every value: what is outside of graphs, then each graph's inputs and its nodes' results, in order. */
void each_value(Module *, void (*f)(Value *, void *arg), void *arg);
int number_values(Module *); /* sets Value.id; returns how many */
void count_uses(Module *);
void drop_unread(Module *); /* forgets consts whose counted uses are none */
/* Contents that no run changes: constants, and the parameters and states of a network that is not trained. */
static inline bool is_known(const Value *v) { return v->data && !v->train.block; }
bool is_output(const Value *); /* of its graph */
/* What an io line says of a port, in0.scale; NULL: nothing, or not in this kind. */
const Attr *said_of_port(const Module *, const char *side, int i, const char *what, AttrKind);
/* The output that holds output i's extents in this call, a number for each of its axes that are bits of `axes` (NULL:
 * not asked); -1: its type says them. */
int extent_output(const Module *, int i, unsigned *axes);
void say_extent(Module *, int i, unsigned axes, int output); /* so that there is one */
int output_of_extent(const Module *, int out);               /* the reverse */
/* The output that says where each string of output i begins; -1: it holds none. */
int offset_output(const Module *, int i);
void say_offsets(Module *, int i, int output);
int output_of_offsets(const Module *, int out); /* the reverse */
void set_output(Graph *, int i, Value *);       /* whoever gives a graph an output does it here */
void set_outputs(Graph *, const List *);
/* The value as one more output called `name`: itself if that is its name, else through an Identity. */
Value *output_as(Graph *, Value *, const char *name);
static inline const char *port_name(const Value *v) { return v->port ? v->port : v->name; }
const char *node_text(Arena *, const Node *); /* Conv 'conv1' for messages and comments (escaped, cut) */
const char *node_origin(const Node *);        /* the model's node that it comes from: it, if no other is noted */
/* True and the contents if the value is known integers (any count up to `max`). */
bool known_ints(const Value *, int max, int *n, int64_t *out);
bool known_dims(const Value *, int max, int *n, Dim *out); /* the same, symbols allowed */
bool known_float(const Value *, double *);                 /* one known number */
/* Whether the value is one number that follows from an extent of the run, 144 * batch, also as a float. */
bool is_extent(const Value *, Dim *);
static inline Value *input(const Node *n, int i) { return i < n->nin ? n->in[i] : NULL; }
static inline Value *output(const Node *n, int i) { return i < n->nout ? n->out[i] : NULL; }
/* Calls f on every graph: main, functions, regions (inner first). */
void each_graph(Module *, void (*f)(Graph *, void *), void *);

bool lies_in(const Graph *, const Graph *region); /* whether it is the region, or in it; NULL is nowhere */

#endif
