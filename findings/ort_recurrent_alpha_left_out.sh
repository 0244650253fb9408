#!/bin/sh
# ONNX Runtime 1.32.0: RNN, GRU and LSTM with Affine, ThresholdedRelu or ScaledTanh and no activation_alpha compute with an alpha of 0.
#
# RNN-22, GRU-22 and LSTM-22 say of activation_alpha: "Default values are the same as of corresponding ONNX operators", which are 1 for
# ThresholdedRelu, and was 1 for Affine while that was an operator; ScaledTanh never had one. ONNX Runtime has the defaults of LeakyRelu, Elu and
# HardSigmoid, and 0 for these three: Affine and ScaledTanh then give 0 whatever the input is, without a word, and ThresholdedRelu is Relu. With activation_alpha given all six are as the text says.
#
# Seen on x86-64, onnxruntime 1.32.0, onnx 1.23.2: an RNN of one unit, W = 1, R = 0, on x = -2 and x = 0.5
#   without alpha   LeakyRelu -0.02 0.5   Elu -0.8647 0.5   HardSigmoid 0.1 0.6   ThresholdedRelu 0 0.5   Affine 0 0    ScaledTanh 0 0
#   with it         LeakyRelu -0.02 0.5   Elu -0.8647 0.5   HardSigmoid 0.1 0.6   ThresholdedRelu 0 0     Affine -2 0.5
#
# Makes a folder that goes away, installs these packages in it, fails if anything else comes out. usage: sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" -q install onnxruntime==1.32.0 onnx==1.23.2
cat >"$dir/run.py" <<'PY'
import numpy
import onnx
import onnx.numpy_helper
import onnxruntime
from onnx import TensorProto, helper


def run(activation, **given):
    node = helper.make_node('RNN', ['x', 'w', 'r'], ['y'], hidden_size=1, activations=[activation], **given)
    one = numpy.ones((1, 1, 1), numpy.float32)
    graph = helper.make_graph([node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, (1, 1, 1))],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, (1, 1, 1, 1))],
                              [onnx.numpy_helper.from_array(one, 'w'), onnx.numpy_helper.from_array(0 * one, 'r')])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return ['%.4g' % runtime.run(None, {'x': x * one})[0].item() for x in (numpy.float32(-2), numpy.float32(0.5))]


for name, alpha in ('LeakyRelu', 0.01), ('Elu', 1.0), ('HardSigmoid', 0.2), ('ThresholdedRelu', 1.0), ('Affine', 1.0):
    print(name, *run(name), 'with alpha', *run(name, activation_alpha=[alpha]))
print('ScaledTanh', *run('ScaledTanh'))
PY
"$dir/venv/bin/python" "$dir/run.py" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
LeakyRelu -0.02 0.5 with alpha -0.02 0.5
Elu -0.8647 0.5 with alpha -0.8647 0.5
HardSigmoid 0.1 0.6 with alpha 0.1 0.6
ThresholdedRelu 0 0.5 with alpha 0 0
Affine 0 0 with alpha -2 0.5
ScaledTanh 0 0
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
