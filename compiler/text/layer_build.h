/* layer_build.h - what layers are made of (layer_build.c), for layers.c. */
#ifndef NNCC_LAYER_H
#define NNCC_LAYER_H
#include "text/layers.h"
#include "text/parser.h"

typedef struct Layer Layer;

typedef struct {
    const char *name;
    Value *(*build)(Layer *);
    const char *attrs; /* "units! bias": what it takes, needed ones with ! */
    const char *op;
    int spatial; /* dims a window moves over */
    const char *doc;
} LayerRow;

/* One call. */
struct Layer {
    const LayerRow *row; /* NULL: an activation */
    const char *name;
    Module *m;
    Graph *g;
    Loc loc; /* its name is the stem of the values' names */
    Value *x;
    int nattr;
    const Attr *attr;
    const Loc *attr_loc;
};

enum { LAYER_ATTRS = 24 }; /* words a layer may take */

#define REFUSE(l, ...) misfit_at((l)->m, (l)->loc, __VA_ARGS__)
_Noreturn void refuse_attr(const Layer *, const char *name, const char *what); /* "'groups' of conv2d <what>" */
int find_given(const Layer *, const char *name);                               /* -1 if it is not given */
/* The attribute as `kind`, else an error that says what it is; NULL if it is not given. */
const Attr *given(const Layer *, const char *name, AttrKind kind, const char *what);
const Attr *find_attr(const Layer *, const char *name);               /* the same by the layers' vocabulary */
int64_t count_of(const Layer *, const char *name, int64_t otherwise); /* from 1 to 2^31 */
bool flag_of(const Layer *, const char *name, bool otherwise);
double number_of(const Layer *, const char *name, double otherwise);
/* One of "nearest linear"; the first if it is not given. */
const char *word_of(const Layer *, const char *name, const char *choices);
/* A number for each of n dims; one stands for all. Whether it was given. */
bool counts_of(const Layer *, const char *name, int n, int64_t otherwise, int64_t *out);

const char *part_name(const Layer *, const char *part); /* a.weight */
/* A node of which only result `result` is used; finish() gives that, its type known. */
Node *make(Layer *, const char *op, int nin, Value *const *in, int result);
Value *finish(Layer *, Node *);
Value *apply(Layer *, const char *op, int nin, Value *const *in); /* both at once */
/* A parameter that is drawn, as `init` says or else as usual; one that is a single number everywhere. */
Value *weight(Layer *, const char *part, int rank, const int64_t *dim, const char *usual);
Value *filled(Layer *, ValueKind, const char *part, int rank, const int64_t *dim, double);
Value *constant(Layer *, const char *part, DType, double);
void need_input_rank(const Layer *, int least, int most, const char *layout);
int64_t extent_at(const Layer *, int dim); /* of the input; one that sizes parameters */
int layer_activation(const char *name);    /* -1 if it is none */
const char *const *activation_names(Arena *, int *n);
const char *activation_op(int i);
Value *activate(Layer *, Value *, int i);
Value *activated(Layer *, Value *); /* behind the layer's activation, if it has one */
#endif
