#!/bin/sh
# ONNX Runtime 1.32.0, CPU: asking MaxPool for its second output changes the first.
#
# A NaN in the input, windows of two elements: without Indices the 1-D pool passes the NaN over, and the 2-D pool of the same row keeps
# it where it comes last in its window. With Indices both keep it where it comes first. Nothing but the list of outputs
# and a dim of 1 differs; PyTorch, for one, gives NaN for every window that holds one.
#
# Seen on x86-64, onnxruntime 1.32.0, onnx 1.23.2, input 1 nan 2 3 nan 4:
#   1-D, Y          1 2 3 3 4
#   1-D, Y Indices  1 nan 3 3 nan
#   2-D, Y          nan 2 3 nan 4
#   2-D, Y Indices  1 nan 3 3 nan
#
# Makes a folder that goes away, installs these packages in it, fails if anything else comes out. usage: sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" -q install onnxruntime==1.32.0 onnx==1.23.2
cat >"$dir/run.py" <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

row = np.array([1, np.nan, 2, 3, np.nan, 4], np.float32)
for dims in 1, 2:
    for outputs in ['Y'], ['Y', 'Indices']:
        shape = [1] * (dims + 1) + [6]
        node = helper.make_node('MaxPool', ['X'], outputs, kernel_shape=[1] * (dims - 1) + [2])
        types = {'Y': TensorProto.FLOAT, 'Indices': TensorProto.INT64}
        graph = helper.make_graph([node], 'g', [helper.make_tensor_value_info('X', TensorProto.FLOAT, shape)],
                                  [helper.make_tensor_value_info(o, types[o], shape[:-1] + [5]) for o in outputs])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 22)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
        y = session.run(['Y'] if len(outputs) == 1 else outputs, {'X': row.reshape(shape)})[0]
        print(f'{dims}-D, {" ".join(outputs)}:', *(f'{v:g}' for v in y.ravel()))
PY
"$dir/venv/bin/python" "$dir/run.py" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
1-D, Y: 1 2 3 3 4
1-D, Y Indices: 1 nan 3 3 nan
2-D, Y: nan 2 3 nan 4
2-D, Y Indices: 1 nan 3 3 nan
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
