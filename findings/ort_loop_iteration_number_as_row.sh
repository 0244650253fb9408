#!/bin/sh
# ONNX Runtime 1.32.0: a Loop's scan output that is the iteration number itself holds the number of iterations in every row.
#
# Loop (ONNX, opset 21): each iteration appends its value of a scan output, so that a body which returns its iteration number gives 0 1 2 3.
# In ONNX Runtime all rows are the number that was counted to: as if the body's parameter were one buffer that is counted up, and rows were
# references to it. So is a carried value that takes the iteration number. Through an Identity in the body, which the optimizer leaves
# there, both are right: a tool that drops Identity nodes at the end of a body changes what the network gives.
#
# Seen on x86-64, onnxruntime 1.32.0, onnx 1.23.2, four iterations; rows of what the body returns
#   i          4 4 4 4
#   Identity(i) 0 1 2 3
# and of a carried value that starts as 100 and becomes i, as each iteration found it
#   i          100 4 4 4
#   Identity(i) 100 0 1 2
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
import onnxruntime
from onnx import TensorProto, helper


def info(name, kind, shape=()):
    return helper.make_tensor_value_info(name, kind, shape)


def rows(carried, through_identity):
    nodes = [helper.make_node('Identity', ['go'], ['goes_on'])]
    if through_identity:
        nodes.append(helper.make_node('Identity', ['i'], ['number']))
    number = 'number' if through_identity else 'i'
    results = [info('goes_on', TensorProto.BOOL), info(number if carried else 'same', TensorProto.INT64),
               info('v' if carried else number, TensorProto.INT64)]
    if carried:
        nodes.append(helper.make_node('Identity', ['v'], ['found']))
        results[2] = info('found', TensorProto.INT64)
    else:
        nodes.append(helper.make_node('Identity', ['v'], ['same']))
    body = helper.make_graph(nodes, 'body', [info('i', TensorProto.INT64), info('go', TensorProto.BOOL), info('v', TensorProto.INT64)], results)
    graph = helper.make_graph([helper.make_node('Loop', ['m', 'c', 'first'], ['last', 'rows'], body=body)], 'g',
                              [info('m', TensorProto.INT64), info('c', TensorProto.BOOL), info('first', TensorProto.INT64)],
                              [info('last', TensorProto.INT64), info('rows', TensorProto.INT64, (None,))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 21)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return runtime.run(['rows'], {'m': numpy.array(4), 'c': numpy.array(True), 'first': numpy.array(100)})[0]


for carried in (False, True):
    for through_identity in (False, True):
        print('carried' if carried else 'rows', 'Identity(i)' if through_identity else 'i', *rows(carried, through_identity))
PY
"$dir/venv/bin/python" "$dir/run.py" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
rows i 4 4 4 4
rows Identity(i) 0 1 2 3
carried i 100 4 4 4
carried Identity(i) 100 0 1 2
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
