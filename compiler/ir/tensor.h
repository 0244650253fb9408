/* tensor.h - shapes, and contents of tensors. */
#ifndef NNCC_IR_TENSOR_H
#define NNCC_IR_TENSOR_H

#include "ir/dtypes.h"

typedef struct Tensor Tensor;

enum { MAX_RANK = 12 };

/* A dim is a number, or a symbol (symbols.h): an extent of the call, or what follows from such. Symbols are interned:
 * equal ones are one pointer. `max` is what it is at most; memory is as large. max -1: unknown. */
typedef struct Symbol Symbol;
typedef struct {
    int64_t max;
    const Symbol *symbol;
} Dim;
typedef struct {
    DType dtype;
    int rank;
    Dim dim[MAX_RANK];
} Type; /* rank -1: unknown */

/* Contents of a dense row-major tensor. `data` may be unaligned (it may lie in a mapped file) and is never written. */
struct Tensor {
    DType dtype;
    int rank;
    int64_t dim[MAX_RANK];
    int64_t count;    /* elements */
    const void *data; /* NULL only when count is 0; of strings pointers, each to bytes that end with a NUL */
};
Tensor *tensor_new(Arena *, DType, int rank, const int64_t *dim); /* zeroed; data is writable: tensor_data() */
Tensor *tensor_of(Arena *, DType, int rank, const int64_t *dim, const void *data);
void *tensor_data(Tensor *);
double get_f(const Tensor *, int64_t i);  /* any numeric type as double */
int64_t get_i(const Tensor *, int64_t i); /* floats truncate */
void set_f(Tensor *, int64_t i, double);
void set_i(Tensor *, int64_t i, int64_t);
/* Strings of the arena; `from` NULL: empty ones. */
Tensor *strings_new(Arena *, int rank, const int64_t *dim, const char *const *from);
const char *get_s(const Tensor *, int64_t i);
/* The strings in rows of `width` bytes, one more dim, filled with NULs; what is longer is cut. */
Tensor *strings_as_rows(Arena *, const Tensor *, int64_t width);
int64_t longest_string(const Tensor *); /* without its NUL */
Tensor *tensor_cast(Arena *, const Tensor *, DType);
Scalar load_scalar(DType, const void *p);         /* floats in .f, unsigned in .u, the rest in .i */
void store_scalar(DType, void *p, Scalar);        /* integers wrap, floats round */
Scalar cast_scalar(Scalar, DType from, DType to); /* float to int saturates, NaN gives 0 */
float f16_to_f32(uint16_t);
uint16_t f32_to_f16(float);
float bf16_to_f32(uint16_t);
uint16_t f32_to_bf16(float);

/* ---- small types (small.c) ---- */

double small_float(DType, unsigned char code);
/* The nearest number that a small float holds; of two, the even one. What is beyond the largest becomes `beyond`, with
 * its sign. */
double small_round(DType, double, double beyond);
unsigned char small_code(DType, double); /* of the nearest number; the largest for what is beyond */
double small_top(DType);                 /* the largest finite number */
/* To a power of two: up (1), down (0) or to the nearest (0.5, of two the larger); out of range NaN, unless it
 * saturates. */
double round_e8m0(double, double up, double saturates);
float odd_f32(double); /* of the two floats around it the odd one, so that rounding again is exact */

int64_t packed_bytes(DType, int64_t count); /* of elements that are packed as callers and files have them */
void pack_elements(DType, const void *elements, int64_t count, unsigned char *packed);
void unpack_elements(DType, const unsigned char *packed, int64_t count, void *elements);
void clear_unused_bits(DType, void *elements, int64_t count); /* of a byte each, from a file that may hold anything */
const void *packed_contents(Arena *, const Tensor *);         /* packed_bytes() of its type and count */

static inline bool is_unit(Dim d) { return d.max == 1 && !d.symbol; }
int64_t type_count(const Type *); /* elements for the bounds; -1 if unknown or beyond 2^62 bytes */
int64_t type_bytes(const Type *);
bool has_open_dims(const Type *); /* whether a call gives some extent */
bool type_known(const Type *);    /* dtype, rank and every dim */
Type type_make(DType, int rank, const int64_t *dim);
Type tensor_type(const Tensor *);
bool same_shape(const Type *, const Type *);
char *type_text(Arena *, const Type *); /* f32[batch,3,224,224] */
/* What --dim calls an extent that the model gives no name. */
const char *unnamed_dim(Arena *, const char *input, int dim);
const char *dim_place(Arena *, const char *input, int axis); /* as --dim has it */
#define ANY_DIM "*"                                          /* in --dim: all that nothing else binds */

#endif
