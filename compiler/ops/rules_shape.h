/* rules_shape.h - type rules that rows of ops.def name: shapes, movement of elements, elementwise, reductions. */
#ifndef NNCC_RULES_SHAPE_H
#define NNCC_RULES_SHAPE_H

#include "ir/ir.h"

/* infer_shape.c */
void infer_reshape(Node *);
void infer_flatten(Node *);
void infer_squeeze(Node *);
void infer_unsqueeze(Node *);
void infer_shape(Node *);
void infer_size(Node *);
void infer_expand(Node *);
void infer_constant_of_shape(Node *);
void infer_range(Node *);
void infer_transpose(Node *);

/* infer_type.c */
void infer_cast(Node *);
DType bit_cast_from(const Node *); /* what the input of a BitCast is in the model */
void infer_bit_cast(Node *);
void infer_unpack(Node *);
void infer_pack(Node *);
void infer_cast_like(Node *);
void infer_eye(Node *);

/* infer_data.c */
void infer_concat(Node *);
void infer_interleave(Node *);
void infer_split(Node *);
void infer_slice(Node *);
void infer_pad(Node *);
void infer_pad_grad(Node *);
void infer_tile(Node *);
void infer_trilu(Node *);
void infer_one_hot(Node *);

/* infer_gather.c */
void infer_gather(Node *);
void infer_gather_grad(Node *);
void infer_gather_elements(Node *);
void infer_gather_nd(Node *);
void infer_scatter_elements(Node *);
void infer_scatter_nd(Node *);

/* infer_move.c */
void infer_reverse_sequence(Node *);
void infer_center_crop_pad(Node *);
void infer_col2im(Node *);
void infer_tensor_scatter(Node *);
void infer_det(Node *);
void infer_inverse(Node *);
void infer_compress(Node *);
void infer_non_zero(Node *);
void infer_non_max_suppression(Node *);
void infer_select_boxes(Node *);
void infer_unique(Node *);
void infer_sort_rows(Node *);
void infer_extent(Node *);
void infer_unflatten(Node *);

/* infer_reduce.c */
void infer_reduction(Node *);
void infer_along_axis(Node *);
void infer_arg(Node *);
void infer_cumulate(Node *);
void infer_top_k(Node *);

/* infer_elementwise.c */
void infer_prelu(Node *);
void infer_clip(Node *);
void infer_mean(Node *);
void infer_dropout(Node *);

#endif
