/* rows_nn.h - functions that rows of ops.def name in .at and .lower: products, windows, recurrences, sampling, signals.
 */
#ifndef NNCC_LOWER_ROWS_NN_H
#define NNCC_LOWER_ROWS_NN_H

#include "loop/loop.h"

#define AT(f)    Expr *f(Lower *, Node *, int out, Expr *const *idx)
#define LOWER(f) void f(Lower *, Node *)

/* matmul.c */
AT(at_matmul);
AT(at_gemm);
AT(at_matmul_integer);
AT(at_qlinear_matmul);

/* elimination.c */
LOWER(lower_det);
LOWER(lower_inverse);

/* einsum.c */
AT(at_einsum);

/* conv.c */
AT(at_conv);
AT(at_conv_integer);
AT(at_qlinear_conv);
AT(at_conv_transpose);
AT(at_col2im);
AT(at_col2im_grad);
AT(at_causal_conv_with_state);

/* winograd.c */
void lower_winograd(Lower *, Node *);

/* pool.c */
AT(at_max_pool);
AT(at_average_pool);
AT(at_lp_pool);
AT(at_lrn);
LOWER(lower_max_unpool);
AT(at_max_unpool_grad);

/* grad.c */
AT(at_conv_grad_x);
LOWER(lower_conv_grad_w);
LOWER(lower_max_pool_grad);
AT(at_average_pool_grad);
AT(at_slice_grad);
LOWER(lower_gather_grad);
LOWER(lower_random_drop);
AT(at_draw);
AT(at_assign);

/* ctc.c */
LOWER(lower_ctc_paths);
LOWER(lower_ctc_grad);

/* rnn.c */
LOWER(lower_rnn);
LOWER(lower_gru);
LOWER(lower_lstm);

/* resize.c */
AT(at_resize);
LOWER(lower_resize_grad);

/* sample.c, roi.c, deform.c: interpolation at coordinates that are read or computed at run time */
AT(at_affine_grid);
AT(at_grid_sample);
LOWER(lower_grid_sample_grad);
LOWER(lower_grid_grad);
AT(at_roi_align);
LOWER(lower_roi_align_grad);
AT(at_deform_conv);
AT(at_deform_columns);
LOWER(lower_deform_image_grad);
LOWER(lower_deform_offset_grad);
LOWER(lower_deform_mask_grad);

/* signal.c */
LOWER(lower_dft);
LOWER(lower_stft);
AT(at_signal_window);
AT(at_mel_weight_matrix);

#undef AT
#undef LOWER

#endif
