#!/bin/sh
# ONNX Runtime 1.32.0: TreeEnsembleClassifier with weights for both of two classes gives labels that the model does not have.
#
# TreeEnsembleClassifier (ai.onnx.ml 3): leaves have weights of classes, and the label is that of the class with the greatest sum. With three
# classes it is so. With two classes, both of which leaves have weights for, ONNX Runtime gives 1 where the sum of the second class is above 0
# and 0 elsewhere, whatever the labels are and however large the first sum is; with labels in words the words are those of the model, but the
# second one wins as soon as it is above 0. Scores are right. A model whose labels are 0 and 1 has labels that contradict its scores.
#
# Seen on x86-64, onnxruntime 1.32.0, onnx 1.23.2: one tree, x <= 0 ends in the weights 3 and 1 of the first two classes, else in 1 and 3; the
# third class, where there is one, has 0. For x = -1 and 1
#   labels 10 11      1 1   scores 3 1, 1 3
#   labels 10 11 12   10 11 scores 3 1 0, 1 3 0
#   labels a b        b b   scores 3 1, 1 3
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


def classified(labels):
    words = isinstance(labels[0], str)
    third = [0.0] * (len(labels) - 2)
    weights = [3.0, 1.0] + third + [1.0, 3.0] + third
    node = helper.make_node(
        'TreeEnsembleClassifier', ['x'], ['label', 'scores'], domain='ai.onnx.ml',
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_modes=['BRANCH_LEQ', 'LEAF', 'LEAF'],
        nodes_values=[0.0, 0.0, 0.0], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0] * len(weights), class_nodeids=[1] * len(labels) + [2] * len(labels), class_ids=list(range(len(labels))) * 2,
        class_weights=weights, **{'classlabels_strings' if words else 'classlabels_int64s': labels})
    graph = helper.make_graph([node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, (2, 1))],
                              [helper.make_tensor_value_info('label', TensorProto.STRING if words else TensorProto.INT64, (2,)),
                               helper.make_tensor_value_info('scores', TensorProto.FLOAT, (2, len(labels)))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('ai.onnx.ml', 3)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return runtime.run(None, {'x': numpy.array([[-1], [1]], numpy.float32)})


for labels in ([10, 11], [10, 11, 12], ['a', 'b']):
    label, scores = classified(labels)
    print('labels', *labels, '->', *label, 'scores', *('%g' % s for s in scores.ravel()))
PY
"$dir/venv/bin/python" "$dir/run.py" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
labels 10 11 -> 1 1 scores 3 1 1 3
labels 10 11 12 -> 10 11 scores 3 1 0 1 3 0
labels a b -> b b scores 3 1 1 3
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
