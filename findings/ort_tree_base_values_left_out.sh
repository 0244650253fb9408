#!/bin/sh
# ONNX Runtime 1.32.0: TreeEnsembleRegressor adds base_values only to targets that the leaf of a lone tree has a weight for.
#
# TreeEnsembleRegressor (ai.onnx.ml 3): base_values are added to the final prediction of each target. A leaf may leave out targets, which then
# get 0 from it. With one tree ONNX Runtime gives 0 for such a target, not its base value; with a second tree, all of whose weights are 0 and
# which names the targets, the base values are there. What a booster gives after its first round differs so from all later ones.
#
# Seen on x86-64, onnxruntime 1.32.0, onnx 1.23.2: two targets with base values 10 and 20; x <= 0 ends in the weight 1 of the first target,
# else in 2 of the second. For x = -1 and 1
#   one tree                     11 0, 0 22
#   and a tree of zeros besides  11 20, 10 22
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


def predicted(trees):
    node = helper.make_node(
        'TreeEnsembleRegressor', ['x'], ['y'], domain='ai.onnx.ml', n_targets=2, base_values=[10.0, 20.0],
        nodes_treeids=[0, 0, 0, 1][:3 + trees - 1], nodes_nodeids=[0, 1, 2, 0][:3 + trees - 1], nodes_featureids=[0, 0, 0, 0][:3 + trees - 1],
        nodes_modes=['BRANCH_LEQ', 'LEAF', 'LEAF', 'LEAF'][:3 + trees - 1], nodes_values=[0.0, 0.0, 0.0, 0.0][:3 + trees - 1],
        nodes_truenodeids=[1, 0, 0, 0][:3 + trees - 1], nodes_falsenodeids=[2, 0, 0, 0][:3 + trees - 1],
        target_treeids=[0, 0, 1, 1][:2 * trees], target_nodeids=[1, 2, 0, 0][:2 * trees], target_ids=[0, 1, 0, 1][:2 * trees],
        target_weights=[1.0, 2.0, 0.0, 0.0][:2 * trees])
    graph = helper.make_graph([node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, (2, 1))],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, (2, 2))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('ai.onnx.ml', 3)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return runtime.run(None, {'x': numpy.array([[-1], [1]], numpy.float32)})[0]


for trees in (1, 2):
    print('trees', trees, *('%g' % y for y in predicted(trees).ravel()))
PY
"$dir/venv/bin/python" "$dir/run.py" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
trees 1 11 0 0 22
trees 2 11 20 10 22
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
