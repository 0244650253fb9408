"""Values where runtimes disagree, one or more cases for each row of compiler/harness/behaviour.def.

`want` is what nncc gives. `others` says who gave what instead, when all of them ran it: ONNX Runtime 1.32.0 (ort), onnx.reference
1.23.2 (ref), OpenVINO 2026.4.1 (ov), on x86-64 with AVX2; REFUSES if it did not run, UNSTEADY if its result is not worth recording.
Who is not named agreed with `want`. `near` is a form of the same operator to which the row does not apply."""
import math
from onnx_file import Node, Tensor

NAN, INF = math.nan, math.inf
REFUSES, UNSTEADY = 'refuses', 'unsteady'
LOWEST = -3.4028234663852886e38


def ints(dtype, *values, shape=None):
    return Tensor(dtype, [len(values)] if shape is None else shape, values)


def f32(*values, shape=None, dtype='f32'):
    return ints(dtype, *(float(v) for v in values), shape=shape)


def count(n, *shape, start=1):
    return f32(*range(start, start + n), shape=shape)


class Case:
    def __init__(self, name, row, opset, nodes, inputs, want, others=None, constants=None, both=(), near=None, known=True, note=None):
        self.name, self.row, self.opset, self.known, self.both, self.note = name, row, opset, known, both, note
        self.nodes = nodes if isinstance(nodes, list) else [nodes]
        self.inputs, self.constants, self.others, self.near = inputs, constants or {}, others or {}, near
        self.want = want if isinstance(want, dict) else {'y': want}


def case(row, opset, nodes, inputs, want, name=None, **more):
    made.append(Case(name or row, row, opset, nodes, inputs, want, **more))


def same(x, *values):
    """A tensor like x, of these values."""
    return Tensor(x.dtype, x.shape, values)


made = []

# ---- pools ----
five = count(5, 1, 1, 5)
for opset in 10, 22:
    overhang = dict(kernel_shape=[4], strides=[2], pads=[1, 1], ceil_mode=1)
    case('average_pool_overhang', opset, Node('AveragePool', 'x', count_include_pad=1, **overhang), {'x': five},
         f32(1.5, 3.5, 3, shape=[1, 1, 3]), name=f'average_pool_overhang_{opset}', others={'ov': f32(1.5, 3.5, 2.25, shape=[1, 1, 3])},
         near=dict(nodes=Node('AveragePool', 'x', **overhang)))
window = dict(kernel_shape=[3], strides=[3], pads=[1, 1])
case('max_pool_padding_window', 22, Node('MaxPool', 'x', ceil_mode=1, **window), {'x': five}, f32(2, 5, shape=[1, 1, 2]),
     others={'ov': f32(2, 5, LOWEST, shape=[1, 1, 3])}, near=dict(nodes=Node('MaxPool', 'x', **window)))
six = f32(5, 1, 7, 2, 6, 3, shape=[1, 1, 6])
apart = dict(kernel_shape=[2], strides=[1], auto_pad='SAME_UPPER')
case('pool_same_dilations', 22, Node('MaxPool', 'x', dilations=[3], **apart), {'x': six}, same(six, 7, 5, 6, 7, 2, 6),
     others={'ort': f32(5, 6, 7, 2, shape=[1, 1, 4])}, near=dict(nodes=Node('MaxPool', 'x', **apart)))
case('pool_same_dilations', 22, Node('AveragePool', 'x', dilations=[3], **apart), {'x': six}, same(six, 7, 3.5, 3.5, 5, 2, 6),
     name='pool_same_dilations_mean', others={'ort': f32(3.5, 3.5, 5, 2, shape=[1, 1, 4]), 'ref': same(six, 3.5, 3.5, 5, 2, 0, 0)})
for dims, kernel, last in (1, [2], 3), (2, [1, 2], 3):
    nan6, shape5 = f32(1, NAN, 2, 3, NAN, 4, shape=[1] * (dims + 1) + [6]), [1] * (dims + 1) + [5]
    passed_over = f32(1, 2, 3, 3, 4, shape=shape5)
    case('max_pool_nan', 22, Node('MaxPool', 'x', kernel_shape=kernel), {'x': nan6}, f32(NAN, NAN, 3, NAN, NAN, shape=shape5),
         name=f'max_pool_nan_{dims}d', near=dict(inputs={'x': f32(1, 9, 2, 3, 9, 4, shape=nan6.shape)}),
         others={'ort': passed_over if dims == 1 else f32(NAN, 2, 3, NAN, 4, shape=shape5), 'ref': passed_over, 'ov': passed_over})
    case('max_pool_nan', 22, Node('MaxPool', 'x', 'y i', kernel_shape=kernel), {'x': nan6},
         {'y': f32(NAN, NAN, 3, NAN, NAN, shape=shape5), 'i': ints('i64', 1, 1, 3, 4, 4, shape=shape5)}, name=f'max_pool_nan_{dims}d_indices',
         others={'ort': {'y': f32(1, NAN, 3, 3, NAN, shape=shape5), 'i': ints('i64', 0, 1, 3, 3, 4, shape=shape5)},
                 'ref': {'y': passed_over, 'i': ints('i64', 0, 1, 3, 3, 4, shape=shape5)},
                 'ov': {'y': passed_over, 'i': ints('i64', 0, 2, 3, 3, 5, shape=shape5)}})

# ---- elements that are no numbers ----
case('relu_nan', 14, Node('Relu', 'x'), {'x': f32(NAN, -1, 2)}, f32(NAN, 0, 2), others={'ov': f32(0, 0, 2)},
     near=dict(inputs={'x': f32(1, -1, 2)}))
case('relu_nan', 13, Node('Max', 'a b'), {'a': f32(NAN, 1, NAN), 'b': f32(1, NAN, NAN)}, f32(NAN, NAN, NAN), name='max_nan',
     others={'ov': f32(1, NAN, NAN)})
nan4 = f32(1, NAN, 3, 2)
case('reduce_nan', 18, Node('ReduceMax', 'x', keepdims=0), {'x': nan4}, f32(NAN, shape=[]), name='reduce_nan_all',
     others={'ort': f32(3, shape=[]), 'ov': f32(3, shape=[])}, near=dict(inputs={'x': f32(1, 5, 3, 2)}))
case('reduce_nan', 18, Node('ReduceMax', 'x axes', keepdims=0), {'x': f32(1, NAN, 3, 2, 1, 5, NAN, 6, shape=[4, 2])}, f32(NAN, NAN),
     name='reduce_nan_columns', constants={'axes': ints('i64', 0)}, others={'ort': f32(3, NAN), 'ov': f32(NAN, 6)})
case('reduce_nan', 13, Node('GlobalMaxPool', 'x'), {'x': f32(1, NAN, 3, 2, shape=[1, 1, 4])}, f32(NAN, shape=[1, 1, 1]),
     name='global_max_pool_nan', others={'ort': f32(3, shape=[1, 1, 1]), 'ov': f32(3, shape=[1, 1, 1]), 'ref': UNSTEADY})
nan6 = f32(1, NAN, 3, 2, NAN, 0)
for largest, y, i, ov_y, ov_i in ((1, (NAN, NAN, 3, 2, 1, 0), (1, 4, 2, 3, 0, 5), (1, NAN, 3, 2, NAN, 0), (0, 1, 2, 3, 4, 5)),
                                  (0, (0, 1, 2, 3, NAN, NAN), (5, 0, 3, 2, 1, 4), (0, NAN, 1, 2, NAN, 3), (5, 4, 0, 3, 1, 2))):
    case('top_k_nan', 11, Node('TopK', 'x k', 'y i', largest=largest), {'x': nan6}, {'y': f32(*y), 'i': ints('i64', *i)},
         name=f'top_k_nan_{("smallest", "largest")[largest]}', constants={'k': ints('i64', 6)},
         others={'ov': {'y': f32(*ov_y), 'i': ints('i64', *ov_i)}}, near=dict(inputs={'x': f32(1, 2, 3, 4, 5, 0)}))
for op, x, last, want, others in (('ArgMax', nan6, 0, 1, {'ort': 2, 'ov': 2}), ('ArgMax', nan6, 1, 4, {'ort': 2, 'ov': 2}),
                                  ('ArgMin', nan6, 0, 1, {'ort': 5, 'ov': 5}), ('ArgMin', nan6, 1, 4, {'ort': 5, 'ov': 0}),
                                  ('ArgMax', f32(NAN, 1, 2), 0, 0, {})):
    case('arg_max_nan', 13, Node(op, 'x', axis=0, keepdims=0, select_last_index=last), {'x': x}, ints('i64', want, shape=[]),
         name=f'{op.lower()}_nan_{len(x.values)}_{last}', near=dict(inputs={'x': f32(*range(len(x.values)))}),
         others={who: ints('i64', v, shape=[]) for who, v in others.items()})
nothing = f32(shape=[2, 0])
for op, opset, want, others in (('Max', 18, -INF, {'ov': LOWEST}), ('Max', 20, -INF, {'ov': LOWEST}), ('Min', 18, INF, {'ov': -LOWEST}),
                                ('Mean', 18, NAN, {'ort': 0, 'ov': 0}), ('Sum', 13, 0, {}), ('Prod', 18, 1, {})):
    case('reduce_empty', opset, Node('Reduce' + op, 'x axes', keepdims=0), {'x': nothing}, f32(want, want),
         name=f'reduce_empty_{op.lower()}_{opset}', constants={'axes': ints('i64', 1)}, known=op in ('Max', 'Min', 'Mean'),
         others={who: f32(v, v) for who, v in others.items()}, near=dict(inputs={'x': f32(1, 2, shape=[2, 1])}))

# ---- other forms before ----
e3 = f32(0, 0, 0, 0, math.log(3), 0, 0, 0, shape=[1, 4, 2])
matrix, column = (.1, .1, .1, .1, .3, .1, .1, .1), (1 / 6, .25, 1 / 6, .25, .5, .25, 1 / 6, .25)
case('softmax_before_13', 11, Node('Softmax', 'x', axis=1), {'x': e3}, same(e3, *matrix), name='softmax_11',
     others={'ref': same(e3, *column), 'ov': same(e3, *column)}, near=dict(opset=13))
case('softmax_before_13', 10, Node('Softmax', 'x', axis=1), {'x': e3}, same(e3, *matrix), name='softmax_1', others={'ref': same(e3, *column)})
case('softmax_before_13', 11, Node('LogSoftmax', 'x', axis=1), {'x': e3}, same(e3, *map(math.log, matrix)), name='log_softmax_11',
     others={'ref': same(e3, *map(math.log, column))})
case('softmax_before_13', 11, Node('Hardmax', 'x', axis=1), {'x': e3}, same(e3, 0, 0, 0, 0, 1, 0, 0, 0), name='hardmax_11',
     others={'ref': same(e3, 0, 1, 0, 0, 1, 0, 0, 0)})
row = count(4, 1, 1, 1, 4)
case('resize_10_nearest', 10, Node('Resize', 'x s', mode='nearest'), {'x': row}, f32(1, 3, shape=[1, 1, 1, 2]),
     constants={'s': f32(1, 1, 1, .6)}, others={'ref': REFUSES, 'torch': f32(1, 2, shape=[1, 1, 1, 2])},
     near=dict(constants={'s': f32(1, 1, 1, 2)}))
regions = dict(inputs={'x': count(16, 1, 1, 4, 4, start=0), 'r': f32(0, 0, 2, 2, shape=[1, 4]), 'b': ints('i64', 0)})
for opset, want, others in ((10, (2.5, 3.5, 6.5, 7.5), {'ref': f32(.625, 1.5, 4.125, 5, shape=[1, 1, 2, 2])}),
                            (22, (.625, 1.5, 4.125, 5), {'ort': REFUSES})):
    case('roi_align_10', opset, Node('RoiAlign', 'x r b', output_height=2, output_width=2, sampling_ratio=2), want=f32(*want, shape=[1, 1, 2, 2]),
         name=f'roi_align_{opset}', known=opset < 16, others=others, near=dict(opset=16), **regions)

# ---- images ----
tens = f32(0, 10, 20, 30, 40, shape=[1, 1, 5])
corners = dict(mode='linear', coordinate_transformation_mode='align_corners')
case('resize_align_corners', 19, Node('Resize', 'x - s', **corners), {'x': tens}, f32(0, 8, 16, 24, 32, 40, shape=[1, 1, 6]),
     constants={'s': f32(1, 1, 1.3)}, others={'ref': f32(*(i * 40 / 5.5 for i in range(6)), shape=[1, 1, 6])},
     near=dict(nodes=Node('Resize', 'x - s', mode='linear')))
eight = f32(0, 8, 0, 0, 4, 0, 0, 4, shape=[1, 1, 8])
case('resize_antialias_aspect', 19, Node('Resize', 'x - s', mode='linear', antialias=1), {'x': eight}, f32(3, 1.5, 1.5, 2, shape=[1, 1, 4]),
     name='resize_antialias', constants={'s': f32(1, 1, .5)}, others={'ov': f32(4, 0, 2, 2, shape=[1, 1, 4])},
     near=dict(nodes=Node('Resize', 'x - s', mode='linear')))
case('resize_antialias_aspect', 19, Node('Resize', 'x - - s', mode='nearest', keep_aspect_ratio_policy='not_larger', axes=[2, 3]),
     {'x': count(4, 1, 1, 2, 2)}, f32(1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4, shape=[1, 1, 4, 4]), name='resize_aspect',
     constants={'s': ints('i64', 4, 6)},
     others={'ov': f32(*(v for r in (1, 1, 3, 3) for v in (r, r, r, r + 1, r + 1, r + 1)), shape=[1, 1, 4, 6])})
crop = Node('Resize', 'x r s', mode='nearest', coordinate_transformation_mode='tf_crop_and_resize')
case('crop_and_resize_scales', 13, crop, {'x': count(8, 8, start=0)}, f32(0, 0, 1, 1, 2, 2, 3, 3), constants={'r': f32(0, .5), 's': f32(1)},
     others={'ort': f32(*range(8)), 'ov': REFUSES},
     near=dict(nodes=Node('Resize', 'x r s', mode='nearest')))
case('grid_sample_cubic_border', 20, Node('GridSample', 'x g', mode='cubic', padding_mode='border', align_corners=1),
     {'x': f32(1, 5, 2, 8, shape=[1, 1, 1, 4]), 'g': f32(-1.5, 0, -1, 0, -.5, 0, .9, 0, shape=[1, 1, 4, 2])},
     f32(.859375, 1, 4.41015625, 7.1908426, shape=[1, 1, 1, 4]), others={'ref': f32(1, 1, 4.41015625, 7.1908426, shape=[1, 1, 1, 4])},
     near=dict(nodes=Node('GridSample', 'x g', mode='cubic', align_corners=1)))
case('affine_grid_one', 20, Node('AffineGrid', 't s', align_corners=1), {'t': f32(1, 0, 0, 0, 1, 0, shape=[1, 2, 3])},
     f32(-1, 0, 0, 0, 1, 0, shape=[1, 1, 3, 2]), constants={'s': ints('i64', 1, 1, 1, 3)},
     others={'ort': f32(-1, 1, 0, 1, 1, 1, shape=[1, 1, 3, 2]), 'ref': f32(-1, -1, 0, -1, 1, -1, shape=[1, 1, 3, 2]), 'ov': UNSTEADY},
     near=dict(nodes=Node('AffineGrid', 't s')))
case('lrn_even', 13, Node('LRN', 'x', size=2, alpha=1., beta=1.), {'x': count(4, 1, 4, 1, 1)}, f32(2 / 7, 4 / 15, 2 / 9, 4 / 9, shape=[1, 4, 1, 1]),
     others={'ort': REFUSES, 'ref': f32(2 / 7, 2, 3, 4, shape=[1, 4, 1, 1]), 'ov': f32(2 / 3, 2 / 3, 6 / 11, 4 / 9, shape=[1, 4, 1, 1])},
     near=dict(nodes=Node('LRN', 'x', size=3)))
case('conv_transpose_same', 11, Node('ConvTranspose', 'x w', auto_pad='SAME_UPPER', strides=[3]), {'x': count(2, 1, 1, 2)},
     f32(1, 1, 0, 2, 2, 0, shape=[1, 1, 6]), constants={'w': f32(1, 1, shape=[1, 1, 2])},
     others={'ort': f32(1, 1, 0, 2, 2, shape=[1, 1, 5]), 'ref': f32(0, 1, 1, 0, 2, 2, shape=[1, 1, 6]), 'ov': f32(1, 1, 0, 2, 2, shape=[1, 1, 5])},
     near=dict(nodes=Node('ConvTranspose', 'x w', auto_pad='SAME_UPPER', strides=[2])))

# ---- recurrence, attention, normalisation ----
gates = {'w': f32(.5, .4, .3, .2, shape=[1, 4, 1]), 'r': f32(.1, .2, .3, .4, shape=[1, 4, 1])}
plain = (.07318579, .24921608)
for name, options, lengths, want, others in (
        ('activations', dict(activations=['Sigmoid', 'Relu', 'Tanh']), {}, (.07414908, .26082766), ('ref',)),
        ('clip', dict(clip=.1), {}, (.02744377, .04180069), ('ref',)),
        ('input_forget', dict(input_forget=1), {}, (.07318579, .22034007), ('ref', 'ov')),
        ('sequence_lens', {}, {'l': ints('i32', 1)}, (.07318579, 0), ('ref',))):
    case('rnn_options', 14, Node('LSTM', 'x w r - l' if lengths else 'x w r', 'y h', hidden_size=1, **options), {'x': f32(1, 2, shape=[2, 1, 1])},
         {'y': f32(*want, shape=[2, 1, 1, 1]), 'h': f32(want[1] or want[0], shape=[1, 1, 1])}, name='lstm_' + name, constants={**gates, **lengths},
         others={who: {'y': f32(*plain, shape=[2, 1, 1, 1]), 'h': f32(plain[1], shape=[1, 1, 1])} for who in others},
         near=dict(nodes=Node('LSTM', 'x w r', 'y h', hidden_size=1)))
case('rnn_layout', 14, Node('LSTM', 'x w r', 'y h', hidden_size=1, layout=1), {'x': f32(1, 2, 3, 4, shape=[2, 2, 1])},
     {'y': f32(*plain, .31730846, .6364743, shape=[2, 2, 1, 1]), 'h': f32(plain[1], .6364743, shape=[2, 1, 1])}, constants=gates,
     others={'ort': REFUSES, 'ov': {'y': f32(.07318579, .18686941, .3826831, .57301307, shape=[2, 1, 2, 1]), 'h': f32(.3826831, .57301307, shape=[1, 2, 1])}},
     near=dict(nodes=Node('LSTM', 'x w r', 'y h', hidden_size=1)))
two = {n: f32(*v, shape=[1, 1, 2, 1]) for n, v in (('q', (1, 2)), ('k', (1, 2)), ('v', (3, 5)))}
case('attention_scores', 24, Node('Attention', 'q k v', 'y - - s', softcap=1., qk_matmul_output_mode=0), two,
     {'y': f32(4.1008725, 4.017649, shape=[1, 1, 2, 1]), 's': f32(1, 2, 2, 4, shape=[1, 1, 2, 2])}, name='attention_softcap_mode_0',
     others={'ref': {'y': f32(4.1008725, 4.017649, shape=[1, 1, 2, 1]), 's': f32(*map(math.tanh, (1, 2, 2, 4)), shape=[1, 1, 2, 2])}},
     near=dict(nodes=Node('Attention', 'q k v', 'y - - s', qk_matmul_output_mode=0)))
case('attention_scores', 24, Node('Attention', 'q k v m', 'y - - s', qk_matmul_output_mode=2), {**two, 'q': f32(1, 1, shape=[1, 1, 2, 1])},
     {'y': f32(4.462117, 3, shape=[1, 1, 2, 1]), 's': f32(1, 2, 1, -INF, shape=[1, 1, 2, 2])}, name='attention_masked_mode_2',
     constants={'m': ints('bool', True, True, True, False, shape=[2, 2])},
     others={'ort': {'y': f32(4.462117, 3, shape=[1, 1, 2, 1]), 's': f32(1, 2, 1, LOWEST, shape=[1, 1, 2, 2])}})
case('attention_all_masked', 23, Node('Attention', 'q k v m'), {**two, 'q': f32(1, 1, shape=[1, 1, 2, 1])}, f32(0, 3, shape=[1, 1, 2, 1]),
     constants={'m': ints('bool', False, False, True, False, shape=[2, 2])}, known=False)
past = {'q': f32(1, 1, shape=[1, 1, 2, 1]), 'k': f32(1, 1, shape=[1, 1, 2, 1]), 'v': f32(3, 8, shape=[1, 1, 2, 1]),
        'pk': f32(1, shape=[1, 1, 1, 1]), 'pv': f32(7, shape=[1, 1, 1, 1])}
case('attention_all_masked', 24, Node('Attention', 'q k v - pk pv', 'y o p', is_causal=1), past,
     {'y': f32(5, 6, shape=[1, 1, 2, 1]), 'o': f32(1, 1, 1, shape=[1, 1, 3, 1]), 'p': f32(7, 3, 8, shape=[1, 1, 3, 1])},
     name='attention_causal_past', known=False)
halves = f32(2e4, 1e4, -1e4, -2e4, shape=[1, 4], dtype='f16')
case('layer_norm_half', 17, Node('LayerNormalization', 'x s'), {'x': halves}, same(halves, 1.265, .6323, -.6323, -1.265),
     constants={'s': f32(1, 1, 1, 1, dtype='f16')}, others={'ref': same(halves, 0, 0, 0, 0)},
     near=dict(inputs={'x': f32(2e4, 1e4, -1e4, -2e4, shape=[1, 4])}, constants={'s': f32(1, 1, 1, 1)}))
# The difference, 4 + 2^-9, is a tie in f16.
apart = (2.001953125, -2, -2, -2)
case('softmax_half', 13, Node('Softmax', 'x'), {'x': f32(*apart, dtype='f16')}, f32(.9482421875, *[.017333984375] * 3, dtype='f16'),
     others={'ref': f32(.9482421875, *[.017364501953125] * 3, dtype='f16')}, near=dict(inputs={'x': f32(*apart)}))
# (1 + 2^-10)^2 is 1 + 2^-9 + 2^-20, whose last term f16 does not hold; 2^14 makes it visible.
chain = [Node('Mul', 'a a', 't'), Node('Sub', 't b', 'u'), Node('Mul', 'u c')]
links = {'a': 1.0009765625, 'b': 1.001953125, 'c': 16384}
case('half_chains', 17, chain, {n: f32(v, 1, dtype='f16') for n, v in links.items()}, f32(0, 0, dtype='f16'),
     others={'ort': f32(0.015625, 0, dtype='f16')}, near=dict(inputs={n: f32(v, 1) for n, v in links.items()}))
norm = {'s': f32(1), 'b': f32(0), 'm': f32(0), 'v': f32(1)}
case('running_variance', 15, Node('BatchNormalization', 'x s b m v', 'y rm rv', training_mode=1, momentum=0., epsilon=0.), {'x': f32(1, 3, shape=[2, 1])},
     {'y': f32(-1, 1, shape=[2, 1]), 'rm': f32(2), 'rv': f32(1)}, constants=norm,
     others={'torch': {'y': f32(-1, 1, shape=[2, 1]), 'rm': f32(2), 'rv': f32(2)}},
     near=dict(nodes=Node('BatchNormalization', 'x s b m v')))

# ---- quantisation and integers ----
n = 8
wide, narrow = ints('u8', *[255] * n, shape=[1, n]), ints('i8', *[127] * 4 * n, shape=[n, 4])
scales = {'s': f32(1, shape=[]), 't': f32(1024, shape=[]), 'z': ints('u8', 0, shape=[]), 'zb': ints('i8', 0, shape=[])}
case('integer_products', 10, Node('MatMulInteger', 'a b'), {'a': wide}, ints('i32', *[255 * 127 * n] * 4, shape=[1, 4]), name='matmul_integer',
     constants={'b': narrow}, others={'ort': ints('i32', *[32767 * n // 2] * 4, shape=[1, 4])},
     near=dict(constants={'b': ints('u8', *[127] * 4 * n, shape=[n, 4])}))
case('integer_products', 21, Node('QLinearMatMul', 'a s z b s zb t z'), {'a': wide}, ints('u8', *[253] * 4, shape=[1, 4]), name='qlinear_matmul',
     constants={'b': narrow, **scales}, others={who: ints('u8', *[128] * 4, shape=[1, 4]) for who in ('ort', 'ov')})
k = 32
wave = f32(*(math.sin(1.7 * i) * (1 if i else 100) for i in range(k)), shape=[1, k])
weights = [(5 * i + 3 * (i // 7)) % 16 - 8 for i in range(2 * k)]
blocks = [Node('DequantizeLinear', 'w s', 'd', axis=0, block_size=k), Node('MatMul', 'x d')]
case('block_weights', 21, blocks, {'x': wave}, f32(-2.1904886, 1.434014, shape=[1, 2]),
     constants={'w': ints('i8', *weights, shape=[k, 2]), 's': f32(.1, .2, shape=[1, 2])}, others={'ort': f32(-2.1869488, 1.4390717, shape=[1, 2])},
     near=dict(nodes=Node('MatMul', 'x w'), constants={'w': f32(*weights, shape=[k, 2])}))
group = [Node('DequantizeLinear', 'a s z', 'x'), Node('DequantizeLinear', 'b s zb', 'w'), Node('Conv', 'x w', 'm'), Node('QuantizeLinear', 'm t z', 'y')]
steps = ints('u8', *range(24), shape=[1, 1, 1, 24])
exact = (0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 8, 9, 10, 10, 11, 11, 12)
merged = (0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12)
case('qdq_rounding', 21, group, {'a': steps}, same(steps, *exact), name='qdq_conv',
     constants={**scales, 's': f32(.1, shape=[]), 't': f32(.02, shape=[]), 'b': ints('i8', 1, shape=[1, 1, 1, 1])},
     others={'ort': same(steps, *merged), 'ov': UNSTEADY},
     near=dict(nodes=Node('QuantizeLinear', 'x t z'), inputs={'x': f32(*range(24), shape=[1, 1, 1, 24])},
               constants={'t': f32(.02, shape=[]), 'z': ints('u8', 0, shape=[])}))
group = [Node('DequantizeLinear', 'a s z', 'x'), Node('DequantizeLinear', 'b s zb', 'w'), Node('MatMul', 'x w', 'm'), Node('QuantizeLinear', 'm t z', 'y')]
case('qdq_rounding', 21, group, {'a': wide}, ints('u8', *[253] * 4, shape=[1, 4]), name='qdq_matmul', constants={'b': narrow, **scales},
     others={who: ints('u8', *[128] * 4, shape=[1, 4]) for who in ('ort', 'ov')})
for opset, refuse in (28, ('ov',)), (13, ('ort', 'ov')):
    others = {who: REFUSES for who in refuse}
    case('mod_floor', opset, Node('Mod', 'a b'), {'a': f32(1, -1, 0, -0., 5, -5), 'b': f32(INF, INF, -3, 3, -INF, -INF)}, f32(1, INF, -0., 0, -INF, -5),
         name=f'mod_infinite_{opset}', known=False, others=others if opset == 28 else {**others, 'ref': UNSTEADY})
    case('mod_floor', opset, Node('Mod', 'a b'), {'a': f32(1e8, 1e7, -1e7), 'b': f32(.7, .3, .3)}, f32(.20298988, .00263572, .2973643),
         name=f'mod_large_{opset}', known=False, others=others if opset == 28 else {**others, 'ref': UNSTEADY})
case('mod_floor', 28, [Node('Mod', 'a b', 'm'), Node('Reciprocal', 'm')], {'a': f32(0, -0.), 'b': f32(-3, 3)}, f32(-INF, INF), name='mod_signed_zero',
     known=False, others={'ov': REFUSES})
case('pow_integers', 15, Node('Pow', 'a b'), {'a': ints('i64', 3, -3), 'b': ints('i64', 39, 39)}, ints('i64', 3**39, -3**39),
     others={'ort': ints('i64', 4052555153018976256, -4052555153018976256), 'ov': ints('i64', -2**31, -2**31)},
     near=dict(inputs={'a': f32(3, 2), 'b': f32(2, 2)}))
case('pow_integers', 15, Node('Pow', 'a b'), {'a': ints('i32', 2, 1, -1, 0), 'b': ints('i32', *[-1] * 4)}, ints('i32', 0, 1, -1, 0),
     name='pow_negative', others={'ort': ints('i32', 0, 1, -1, -2**31), 'ov': ints('i32', 0, 1, -1, -2**31), 'ref': REFUSES})
beyond = f32(3e9, -3e9, 300, -1.5, NAN, INF, -INF, 1e20)
for dtype, want, others in (('i32', (2**31 - 1, -2**31, 300, -1, 0, 2**31 - 1, -2**31, 2**31 - 1), (-2**31, -2**31, 300, -1, *[-2**31] * 4)),
                            ('u8', (255, 0, 255, 0, 0, 255, 0, 255), (0, 0, 44, 255, 0, 0, 0, 0))):
    case('cast_out_of_range', 13, Node('Cast', 'x', to={'i32': 6, 'u8': 2}[dtype]), {'x': beyond}, ints(dtype, *want), name=f'cast_to_{dtype}',
         others={who: ints(dtype, *others) for who in ('ort', 'ref', 'ov')}, near=dict(inputs={'x': f32(*[100.5] * 8)}))
most = 2**31 - 1
case('integer_reductions', 13, Node('ReduceSum', 'x', keepdims=0), {'x': ints('i32', most, 1, 1)}, ints('i32', -most, shape=[]), name='reduce_sum_i32',
     others={'ort': ints('i32', most, shape=[]), 'ov': ints('i32', -2**31, shape=[])}, near=dict(inputs={'x': ints('i32', 1, 2, 3)}))
case('integer_reductions', 18, Node('ReduceProd', 'x', keepdims=0), {'x': ints('i32', 2**30, 4, 3)}, ints('i32', 0, shape=[]), name='reduce_prod_i32',
     others={'ort': ints('i32', most, shape=[])}, near=dict(inputs={'x': ints('i32', 1, 2, 3)}))
case('narrow_floats_as_bits', 13, Node('Cast', 'w', to=1), {}, f32(1, 2, -3), name='bf16_as_bits', known=False,
     constants={'w': Tensor('bf16', [3], [0x3f80, 0x4000, 0xc040], bits=True)}, others={'ov': f32(16256, 16384, 49152)})

# ---- graphs ----
bounds = {'lo': f32(3, shape=[]), 'hi': f32(1, shape=[])}
case('clip_min_above_max', 13, Node('Clip', 'x lo hi'), {'x': f32(0, 2, 4), **bounds}, f32(1, 1, 1), name='clip_13', known=False)
case('clip_min_above_max', 6, Node('Clip', 'x', min=3., max=1.), {'x': f32(0, 2, 4)}, f32(1, 1, 1), name='clip_6', known=False,
     others={'ort': REFUSES, 'ov': REFUSES})
