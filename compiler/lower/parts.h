/* parts.h - pieces that lowerings share. */
#ifndef NNCC_LOWER_PARTS_H
#define NNCC_LOWER_PARTS_H

#include "ir/ir.h"
#include "lower/lower.h"
#include "ops/ops.h"

/* activation.c: what RNN, GRU and LSTM may name. */
typedef struct {
    const char *name;
    bool has_alpha, has_beta; /* takes one from activation_alpha, activation_beta */
    double alpha, beta;       /* unless they are used up */
    Expr *(*at)(Lower *, Expr *, double alpha, double beta);
} Activation;
const Activation *find_activation(const char *name); /* NULL if there is none */

/* ---- shared pieces (parts.c) ---- */

static inline Expr *add(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Add, a, b); }
static inline Expr *sub(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Sub, a, b); }
static inline Expr *mul(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Mul, a, b); }
static inline Expr *quotient(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Div, a, b); }
static inline Expr *less(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Less, a, b); }
static inline Expr *greater(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Greater, a, b); }
static inline Expr *either(Lower *l, Expr *a, Expr *b) { return map2(l, OP_Or, a, b); }
static inline Expr *both(Lower *l, Expr *a, Expr *b) { return map2(l, OP_And, a, b); }

static inline const Type *in_shape(const Node *n, int i) { return &n->in[i]->type; }
static inline bool is_empty(const Node *n, int i) { return type_count(&n->in[i]->type) == 0; }
/* The type results of input i are computed in. */
static inline DType computed(const Node *n, int i) { return compute_type(n->in[i]->type.dtype); }

/* The only element of a tensor, whatever its rank. */
Expr *element_of(Lower *, Value *);
/* The least and the greatest value of a type; infinities for floats. */
Expr *lowest(Lower *, DType);
Expr *highest(Lower *, DType);
/* lo <= result <= hi; NaN gives lo. */
Expr *clamp(Lower *, Expr *, Expr *lo, Expr *hi);
/* An index forced into [0, size). */
Expr *clamp_index(Lower *, Expr *, Expr *size);
/* The index that integer tensor v holds at idx, named. Negative ones count from the end of a dim of `size`; any others
 * outside it are forced into it, so that memory stays safe whatever the tensor holds. */
Expr *index_from(Lower *, const char *name, Value *v, Expr *const *idx, Dim size);
/* A loop over a dim, or index 0 without a loop if its extent is 1; `opened` counts blocks to close. */
Expr *open_dim(Lower *, char letter, AxisKind, Dim, int *opened);
/* Loops over every dim of a type with their usual letters; bit i of `ordered` makes loop i sequential. */
int open_dims(Lower *, const Type *, unsigned ordered, Expr **idx);
/* An if unless the condition certainly holds. */
void open_guard(Lower *, Expr *cond, int *opened);
void close_blocks(Lower *, int opened);
/* Copies a whole tensor into another of the same shape. */
void copy_value(Lower *, Value *from, Value *to);
void fill_with_zeros(Lower *, Value *);
void add_to(Lower *, Value *, Expr *const *idx, Expr *); /* to a stored element */

/* Integer operands: value minus zero point in i32. `zero` NULL: none. */
Expr *less_zero_point(Lower *, Expr *value, Expr *zero);
/* A quantisation parameter: one for the tensor, one per index along `axis`, or one per index with dims of 1. NULL stays
 * NULL. */
Expr *quant_param(Lower *, Value *, int rank, Expr *const *idx, int axis);
/* Rounds acc * scale half to even, adds the zero point, saturates to `to`. */
Expr *requantize(Lower *, Expr *acc, Expr *scale, Expr *zero, DType to);

/* Opens loops over the taps of a window at spatial index `at` (conv.c): tap[] gets the index within the kernel,
 * pos[] the index in x; taps that fall into the padding are skipped. Returns the number of blocks to close.
 * `halo`: the zeros stored around x, which may be read (NULL: none). */
int open_window(Lower *, const Window *, const Type *x, const int64_t *halo, Expr *const *at, Expr **tap, Expr **pos);

/* The part of a dim that can be read: its halo included. */
Expr *within(Lower *, Expr *pos, Dim, const int64_t *halo, int dim);

/* The transpose of a window: the spatial dims of what is spread, its halo and the weights' (NULL: none). */
typedef struct {
    Window w;
    const Dim *in;
    const int64_t *halo, *tap_halo;
} Transposed;
Transposed transposed_of(Node *, const Value *x, const Value *w);
/* As open_window, for the transpose: result element at[] gets input pos[] times tap[] where
 * at + begin = pos * stride + tap * dilation. */
int open_transposed(Lower *, const Transposed *, Expr *const *at, Expr **tap, Expr **pos);
/* The first of the `channels` of the group that channel o, of `results` in all groups, belongs to. */
Expr *group_start(Lower *, const Node *, Expr *o, int64_t results, int64_t channels);
/* A window clipped to the input and, if they count, its pads: those that ceil_mode adds at the end never do. How many
 * taps of it lie in that area at an index (pool.c). */
Type counted_area(const Node *, const Window *, Window *shifted);
Expr *taps_in(Lower *, const Window *, const Type *area, const Type *y, Expr *const *at);

/* Interpolation along one dim (taps.c): the filter's reach on both sides (1: linear, 2: cubic), which `stretch`
 * below 1 widens, and what stands for elements outside the dim. */
typedef enum { OUTSIDE_CLAMP, OUTSIDE_SKIP, OUTSIDE_REFLECT, OUTSIDE_REFLECT_EDGE } Outside;
typedef struct {
    int reach;
    double stretch, cubic_a;
    Outside outside;
} Filter;
/* Opens a loop over the elements around coordinate x, in a dim of `size`; gives their index and weight, and how that
 * changes with x (NULL: not wanted). */
void open_taps(Lower *, char letter, const Filter *, Expr *x, Dim size, Expr **pos, Expr **weight, Expr **slope,
               int *opened);

#endif
