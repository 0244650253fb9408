#!/bin/sh
# OpenVINO 2026.4.1: bfloat16 weights in a TensorProto's int32_data are read as integers, so 1 becomes 16256.
#
# onnx.proto: bfloat16 values in int32_data are the 16 bits of each number. That is how onnx.helper.make_tensor writes them unless it is
# told raw=True. OpenVINO converts the integer instead: 0x3f80, which is 1, comes out as 16256. The same tensor in raw_data, and float16 in
# int32_data, are read right; so a model may work until it is saved by another tool.
#
# Seen on x86-64, openvino 2026.4.1, onnx 1.23.2, the numbers 1 2 -3 through Cast to float:
#   bfloat16 int32_data  16256 16384 49152
#   bfloat16 raw_data    1 2 -3
#   float16 int32_data   1 2 -3
#
# Makes a folder that goes away, installs these packages in it, fails if anything else comes out. usage: sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" -q install openvino==2026.4.1 onnx==1.23.2
cat >"$dir/run.py" <<'PY'
import struct
import sys
import onnx
import onnx.reference
import openvino
from onnx import TensorProto, helper

numbers = [1.0, 2.0, -3.0]
bf16 = [struct.unpack('<I', struct.pack('<f', v))[0] >> 16 for v in numbers]
f16 = [struct.unpack('<H', struct.pack('<e', v))[0] for v in numbers]
for name, dtype, bits, raw in (('bfloat16 int32_data', TensorProto.BFLOAT16, bf16, False), ('bfloat16 raw_data', TensorProto.BFLOAT16, bf16, True),
                               ('float16 int32_data', TensorProto.FLOAT16, f16, False)):
    w = TensorProto(name='w', data_type=dtype, dims=[3])
    if raw:
        w.raw_data = struct.pack('<3H', *bits)
    else:
        w.int32_data.extend(bits)
    graph = helper.make_graph([helper.make_node('Cast', ['w'], ['y'], to=TensorProto.FLOAT)], 'g', [],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, [3])], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    assert list(onnx.reference.ReferenceEvaluator(model).run(None, {})[0]) == numbers
    path = sys.argv[1] + '/cast.onnx'
    onnx.save(model, path)
    core = openvino.Core()
    print(name, *(f'{v:g}' for v in core.compile_model(core.read_model(path), 'CPU')({})[0]))
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir" >"$dir/seen"
cat >"$dir/expected" <<'TEXT'
bfloat16 int32_data 16256 16384 49152
bfloat16 raw_data 1 2 -3
float16 int32_data 1 2 -3
TEXT
cat "$dir/seen"
diff "$dir/expected" "$dir/seen"
