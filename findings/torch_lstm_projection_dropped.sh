#!/bin/sh
# PyTorch 2.15.0: torch.onnx.export(dynamo=True) of an LSTM with proj_size writes an LSTM node without the projection, and says nothing.
#
# nn.LSTM(8, 12, proj_size=5) has states of 5 and cells of 12. The file has one LSTM of hidden_size 5, whose W and R are the first 20 of the
# 48 rows of the parameters; weight_hr is nowhere. Its initial_c still has 12 numbers, so that ONNX Runtime refuses to run it. With
# dynamo=False the exporter refuses the layer.
#
# Seen with torch 2.15.0, onnxscript 0.7.2, onnx 1.23.2, onnxruntime 1.32.0:
#   hidden_size 5, W 1 20 8, R 1 20 5, projection False
#   run: input initial_c does not fit
#
# Makes a folder that goes away, installs these packages in it, fails if anything else comes out. usage: sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" -q install torch==2.15.0 onnxscript==0.7.2 onnx==1.23.2 onnxruntime==1.32.0
cat >"$dir/run.py" <<'PY'
import sys
import numpy
import onnx
import onnxruntime
import torch

torch.manual_seed(0)
net, x = torch.nn.LSTM(8, 12, proj_size=5).eval(), torch.randn(7, 2, 8)
torch.onnx.export(net, (x,), sys.argv[1], dynamo=True, external_data=False, verbose=False)
graph = onnx.load(sys.argv[1]).graph
node, = (n for n in graph.node if n.op_type == 'LSTM')
hidden = next(a.i for a in node.attribute if a.name == 'hidden_size')
held = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
w, r = held[node.input[1]], held[node.input[2]]
projection = net.weight_hr_l0.detach().numpy()
print('hidden_size %d, W %s, R %s, projection %s' % (hidden, ' '.join(map(str, w.shape)), ' '.join(map(str, r.shape)), any(
    t.size == projection.size and numpy.array_equal(numpy.sort(t.ravel()), numpy.sort(projection.ravel())) for t in held.values())))
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
try:
    runtime = onnxruntime.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])
    runtime.run(None, {runtime.get_inputs()[0].name: x.numpy()})
    print('run: ends')
except Exception as error:
    print('run: input initial_c does not fit' if 'initial_c must have shape' in str(error) else 'run: ' + str(error))
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir/model.onnx" 2>/dev/null | grep -E '^(hidden_size|run:)' >"$dir/seen"
cat "$dir/seen"
sed -n 's/^#   //p' "$0" | diff - "$dir/seen"
