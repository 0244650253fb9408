/* rules_nn.h - type rules that rows of ops.def name: products, windows, layers, signals, quantisation. */
#ifndef NNCC_RULES_NN_H
#define NNCC_RULES_NN_H

#include "ir/ir.h"

/* decomposition.c */
void infer_by_meaning(Node *); /* DEF: the types that its meaning has, which is built and taken away */

/* infer_window.c */
void infer_conv(Node *);
void infer_winograd(Node *);
void infer_conv_transpose(Node *);
void infer_deform_conv(Node *);
void infer_deform_columns(Node *);
void infer_conv_grad(Node *);
void infer_pool_grad(Node *);
void infer_pool(Node *);
void infer_global_pool(Node *);
void infer_max_unpool(Node *);
void infer_causal_conv(Node *);

/* infer_grad.c */
void infer_slice_grad(Node *);
void infer_max_unpool_grad(Node *);
void infer_resize_grad(Node *);
void infer_grid_sample_grad(Node *);
void infer_roi_align_grad(Node *);
void infer_deform_columns_grad(Node *);
void infer_col2im_grad(Node *);
void infer_cumulate_grad(Node *);
void infer_random_drop(Node *);
void infer_assign(Node *);
void infer_batch_statistics(Node *);

/* infer_attention.c */
void infer_attention(Node *);
void infer_rotary(Node *);

/* infer_rnn.c */
void infer_rnn(Node *);

/* infer_einsum.c */
void infer_einsum(Node *);

/* infer_vision.c */
void infer_resize(Node *);
void infer_grid_sample(Node *);
void infer_affine_grid(Node *);
void infer_roi_align(Node *);
void infer_depth_to_space(Node *);
void infer_space_to_depth(Node *);

/* infer_signal.c */
void infer_dft(Node *);
void infer_stft(Node *);
void infer_signal_window(Node *);
void infer_mel_weights(Node *);

/* infer_matmul.c */
void infer_matmul(Node *);
void infer_gemm(Node *);

/* infer_norm.c */
void infer_channel_norm(Node *);
void infer_group_norm(Node *);
void infer_layer_norm(Node *);
void infer_mvn(Node *);
void infer_lrn(Node *);
void infer_loss(Node *);
void infer_ctc(Node *);

/* infer_quant.c */
void infer_quantize(Node *);
void infer_dequantize(Node *);
void infer_dynamic_quantize(Node *);
void infer_matmul_integer(Node *);
void infer_qlinear_matmul(Node *);
void infer_qlinear_add(Node *);
void infer_few_bits(Node *);
void infer_qlinear_concat(Node *);

/* infer_random.c */
void infer_draw(Node *);
bool need_rng(Node *);
void infer_random(Node *);
void infer_random_like(Node *);
void infer_bernoulli(Node *);
void infer_multinomial(Node *);

#endif
