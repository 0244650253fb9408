/* rows_move.h - functions that rows of ops.def name in .at and .lower: elements that move, are made from an index, or
 * are selected. */
#ifndef NNCC_LOWER_ROWS_MOVE_H
#define NNCC_LOWER_ROWS_MOVE_H

#include "loop/loop.h"

#define AT(f)    Expr *f(Lower *, Node *, int out, Expr *const *idx)
#define LOWER(f) void f(Lower *, Node *)

/* move.c: elements that keep their value and change their index */
AT(at_identity);
AT(at_reshape);
AT(at_transpose);
AT(at_slice);
AT(at_concat);
LOWER(lower_concat);
LOWER(lower_interleave);
AT(at_split);
AT(at_expand);
AT(at_tile);
AT(at_pad);
LOWER(lower_pad_grad);
AT(at_center_crop_pad);
AT(at_reverse_sequence);
AT(at_depth_to_space);
AT(at_space_to_depth);

/* fill.c: elements made from their index, or from their own value alone */
AT(at_cast);
AT(at_unpack);
LOWER(lower_bit_cast);
LOWER(lower_pack);
LOWER(lower_text_in);
LOWER(lower_text_out);
LOWER(lower_text_join);
LOWER(lower_text_split);
LOWER(lower_text_match);
AT(at_trilu);
AT(at_eye_like);
AT(at_range);
AT(at_constant_of_shape);
LOWER(lower_shape);
AT(at_size);
AT(at_extent);
AT(at_unflatten);
AT(at_one_hot);

/* index.c: indices that are read at run time */
AT(at_gather);
AT(at_gather_elements);
AT(at_gather_nd);
LOWER(lower_scatter_elements);
LOWER(lower_scatter_nd);
LOWER(lower_tensor_scatter);

/* select.c: the index of an extreme, order, running sums */
AT(at_arg_max);
AT(at_arg_min);
LOWER(lower_top_k);
LOWER(lower_cum_sum);
LOWER(lower_cum_prod);
LOWER(lower_cum_prod_grad);
LOWER(lower_hardmax);
LOWER(lower_sort_rows);

/* trees.c, coupling.c */
LOWER(lower_decision_trees);
LOWER(lower_masked_trees);
LOWER(lower_coupled_probabilities);

/* boxes.c */
LOWER(lower_select_boxes);

#undef AT
#undef LOWER

#endif
