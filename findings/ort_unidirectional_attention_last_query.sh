#!/bin/sh
# ONNX Runtime 1.32.0, CPU: com.microsoft.MultiHeadAttention with unidirectional = 1 masks no key for the last query.
#
# "Every token can only attend to previous tokens": with three queries and six keys the first query sees one key and the second two, but
# the third all six. With as many keys as queries that is no difference; with a single query, unidirectional has no effect at all. All
# scores are equal here and values are 1 2 4 8 16 32, so that a result is the mean of the values that were seen.
#
# Seen on x86-64, onnxruntime 1.32.0, onnx 1.23.2:
#   3 queries  1 1.5 10.5
#   2 queries  1 10.5
#   1 query    10.5
#
# Makes a folder that goes away, installs these packages in it, fails if anything else comes out. usage: sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" -q install onnxruntime==1.32.0 onnx==1.23.2
cat >"$dir/run.py" <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

values = np.array([1, 2, 4, 8, 16, 32], np.float32).reshape(1, 6, 1)
for queries in 3, 2, 1:
    node = helper.make_node('MultiHeadAttention', ['q', 'k', 'v'], ['y'], domain='com.microsoft', num_heads=1, unidirectional=1)
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s, 1]) for n, s in (('q', queries), ('k', 6), ('v', 6), ('y', queries))]
    graph = helper.make_graph([node], 'g', info[:3], info[3:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=8)
    loaded = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    y = loaded.run(None, {'q': np.zeros((1, queries, 1), np.float32), 'k': np.zeros((1, 6, 1), np.float32), 'v': values})[0]
    print(queries, *(f'{x:g}' for x in y.ravel()))
PY
"$dir/venv/bin/python" "$dir/run.py" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
3 1 1.5 10.5
2 1 10.5
1 10.5
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
