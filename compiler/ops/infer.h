/* infer.h - the rules that give results their types: named by rows of ops.def, and what they share. */
#ifndef NNCC_INFER_H
#define NNCC_INFER_H

#include "ir/symbols.h"
#include "ops/composite.h"

/* ---- shared by the rules (infer_parts.c) ---- */

/* The name of input i for messages: ONNX's, and the model's in parentheses. */
const char *arg_name(const Node *, int i); /* of an input, as its row has it */
const char *arg_text(const Node *, int i);
int missing_input(const Node *); /* one that the row needs and the node leaves out; -1 if it has them all */
/* What to type so that a dim is at least 1, or another number; so that it is that alone. "" if it is a number. */
const char *enough_text(const Node *, Dim, int64_t least);
const char *only_text(const Node *, Dim, int64_t extent);
const char *equal_text(const Node *, Dim, Dim); /* what to type so that they are equal */
/* The kinds of types that letters of kind_letter() stand for, as words. */
void put_kinds(Str *, const char *kinds);
/* A type and that of input i as text for messages. */
const char *type_shown(const Node *, const Type *);
const char *in_text(const Node *, int i);
/* A problem() that shows inputs a and b, and the dims of them that clash; false. */
bool do_not_fit(Node *, int a, int b);
bool dims_do_not_fit(Node *, int a, int b, Dim, Dim);
static inline const Type *in_type(const Node *n, int i) { return &n->in[i]->type; }
static inline Dim fixed(int64_t max) { return (Dim){max, NULL}; }
/* a * b, or an extent that set_result refuses. */
static inline int64_t times(int64_t a, int64_t b) { return mul_ok(a, b, &a) ? a : INT64_MAX; }
static inline bool same_dim(Dim a, Dim b) { return a.max == b.max && a.symbol == b.symbol; }
/* Whether a type has a size that a machine may hold. */
bool type_fits(const Type *);
/* Sets the type of result i; an impossible size is a problem(). Rules may rely on inputs having no extent above 2^40.
 */
void set_result(Node *, int i, DType, int rank, const Dim *);
/* The same with the type its letter stands for: that of the inputs of the same letter. */
void set_shape(Node *, int i, int rank, const Dim *);
/* The type of results that the standard gives as float: with --real=f64 a double, as every float. */
DType float_of(const Node *);
/* Result 0 is as input 0. */
void infer_same(Node *);
/* What letter i of the row's results stands for; DT_none if only the rule knows. */
DType result_dtype(const Node *, int i);
/* The attribute of that name, NULL if the row lacks it or the node leaves it out and it has no list by default. */
const Attr *given_attr(const Node *, const char *name);
/* infer_attr.c: whether the attributes are what the row allows; a problem() for each that is not. */
bool attrs_fit(Node *);
/* Contents of input i, at most `max`; without them a problem() that says how to give them. */
bool need_dims(Node *, int i, int max, int *count, Dim *);
bool need_ints(Node *, int i, int max, int *count, int64_t *);
/* True if input i has exactly these dims, or is left out; else a problem(). */
bool has_dims(Node *, int i, int rank, const Dim *);
/* True if input i has the rank; else a problem(). */
bool need_rank(Node *, int i, int rank);
bool need_rank_from(Node *, int i, int least);
/* True if input i broadcasts to the type without changing it; else a problem(). */
bool broadcasts_to(Node *, int i, const Type *);
/* True if the dim has no run-time symbol; else a problem(). */
bool need_fixed(Node *, Dim, const char *what);
const char *fix_text(const Node *, Dim); /* what to type so that it is a number; "" if it is one */
const char *dim_text(Arena *, Dim);
const char *extent_text(const Node *, Dim); /* the same without its bound */
/* Records the contents of a small integer result; symbols allowed. */
void know(Node *, int i, int count, const Dim *);
/* Axis `a` of `rank` counted from the front, -1 if out of range. */
static inline int64_t axis_in(int64_t a, int rank) { return a < -rank || a >= rank ? -1 : a < 0 ? a + rank : a; }

/* infer_known.c: contents of small results whose inputs involve symbols. */
void infer_known(Node *);
/* Rules that rows of ops.def name, beside those of symbols.h; the last four say 1 or 0 where that is certain. */
bool dim_truncated(Module *, Dim a, Dim b, Dim *); /* a / b towards zero */
bool dim_rest(Module *, Dim a, Dim b, Dim *);      /* a - floor(a / b) * b */
bool dim_is_less(Module *, Dim a, Dim b, Dim *);
bool dim_is_at_most(Module *, Dim a, Dim b, Dim *);
bool dim_is_more(Module *, Dim a, Dim b, Dim *);
bool dim_is_at_least(Module *, Dim a, Dim b, Dim *);
/* infer_type.c */
DType attr_dtype(const Node *, const char *name); /* the element type it names */

/* infer_data.c */
/* Where the slice begins and how it steps in every dim of input 0, and the dims it leaves; false after a problem(). */
bool slice_of(Node *, Dim *begin, int64_t *step, Dim *);
bool split_offsets(Node *, Dim *at); /* where each part of a Split begins */
/* Elements added before and after every dim of input 0, fewer than 0 where it is cut; false after a problem(). */
bool pads_of(Node *, Dim *begin, Dim *end);
bool fixed_pads_of(Node *, int64_t *begin, int64_t *end); /* false also where only a call tells them */

/* infer_vision.c */
typedef struct {
    Dim dim[MAX_RANK];
    double scale[MAX_RANK];
    bool open[MAX_RANK]; /* the scale, or what else the mapping takes, follows from the extents of the call */
} Resized;
bool resized(Node *, Resized *); /* extents of a Resize and the scale of each; false after a problem() */

/* infer_signal.c */
bool dft_of(Node *, int *axis, int64_t *length); /* which axis, and over how many samples; false after a problem() */
bool frames_of(Node *, int64_t *step,
               int64_t *length); /* of a STFT: how far apart, how long; false after a problem() */

/* infer_einsum.c: labels are letters, and the dims of the ellipsis counted from the right */
enum { EINSUM_LETTERS = 52, EINSUM_LABELS = EINSUM_LETTERS + MAX_RANK };
/* The labels of an Einsum's operand i, or of its result, i = nin: one for each dim. */
void einsum_term(const Node *, int i, int *label);

/* infer_matmul.c */
/* The shape of the matrix product of inputs i and j; false after a problem(). */
bool matmul_type(Node *, int i, int j, Type *);

/* infer_quant.c */
/* Whether input i, if given, is one number, or one for each index of an axis of `of` (-1: none), as a vector or in a
 * shape that broadcasts but on the axis that is summed (-1: none); else a problem(). */
bool is_quant_param(Node *, int i, const Type *of, int axis, int summed);

#endif
