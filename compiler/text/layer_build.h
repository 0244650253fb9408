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
    int spatial;           /* dims a window moves over */
    int most_in, most_out; /* arguments and results; one is needed of each */
    const char *doc;
} LayerRow;

/* One call. */
struct Layer {
    const LayerRow *row; /* NULL: an activation */
    const char *name;
    Parser *p;
    Module *m;
    Graph *g;
    Loc loc; /* its name is the stem of the values' names */
    int nin, nout;
    Value *const *in, *x; /* x: the first */
    Value **out;          /* what is given beside the first result */
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
Value *add_result(Layer *, Node *, int result);                   /* before finish() */
/* How a weight is drawn: by the initialiser of an attribute, for so many inputs and outputs of a unit if the shape does
 * not tell them, as matrices of rows and cols. */
typedef struct {
    const char *attr;
    int64_t in, out, rows, cols;
} Fans;
/* A parameter that is drawn, as an attribute or else as usual; `init`, with fans by shape; a single number everywhere.
 */
Value *weight_of(Layer *, const char *part, int rank, const int64_t *dim, const char *usual, Fans);
Value *weight(Layer *, const char *part, int rank, const int64_t *dim, const char *usual);
Value *filled(Layer *, ValueKind, const char *part, int rank, const int64_t *dim, double);
Value *bias_of(Layer *, const char *part, int rank, const int64_t *dim); /* zeros, or as bias_init says */
Value *constant(Layer *, const char *part, DType, double);
void need_input_rank(const Layer *, int least, int most, const char *layout);
int64_t extent_at(const Layer *, int dim); /* of the input; one that sizes parameters */
int layer_activation(const char *name);    /* -1 if it is none */
const char *const *activation_names(Arena *, int *n);
const char *activation_op(int i);
Value *activate(Layer *, Value *, int i);
Value *activated(Layer *, Value *); /* behind the layer's activation, if it has one */
/* What a recurrent operator calls the activation of that attribute; NULL if it is not given. */
const char *cell_activation(const Layer *, const char *attr);
/* Over the last dim: a matrix product with part "weight" and, if there is one, "bias", behind a prefix. */
Value *projected(Layer *, Value *, const char *prefix, int64_t units, bool bias);

/* layer_plain.c */
Value *build_dense(Layer *), *build_batchnorm(Layer *), *build_layernorm(Layer *), *build_groupnorm(Layer *);
Value *build_dropout(Layer *), *build_noise(Layer *), *build_flatten(Layer *), *build_reshape(Layer *);
Value *dropped(Layer *, Value *, const char *attr, double usual); /* at the ratio of that attribute */
/* layer_window.c */
Value *build_conv(Layer *), *build_pool(Layer *), *build_global_pool(Layer *), *build_upsample(Layer *);
/* layer_sequence.c */
Value *build_embedding(Layer *), *build_recurrent(Layer *), *build_attention(Layer *);
#endif
