"""usage: expected.py MODELS DIR: for each network a standard normal input and what ONNX Runtime's unoptimised graph makes of
it, as DIR/NAME/test_data_set_0/{input,output}_0.pb."""
import os
import sys
import zlib

import numpy as np
import onnxruntime as ort
from onnx import numpy_helper

models, directory = sys.argv[1:]
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
options.log_severity_level = 3
for name in sorted(f[:-5] for f in os.listdir(models) if f.endswith(".onnx")):
    session = ort.InferenceSession(os.path.join(models, name + ".onnx"), options, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    x = np.random.RandomState(zlib.crc32(b"x of " + name.encode())).standard_normal(port.shape).astype(np.float32)
    (y,) = session.run(None, {port.name: x})
    to = os.path.join(directory, name, "test_data_set_0")
    os.makedirs(to, exist_ok=True)
    for kind, tensor_name, contents in (("input", port.name, x), ("output", session.get_outputs()[0].name, y)):
        with open(os.path.join(to, kind + "_0.pb"), "wb") as f:
            f.write(numpy_helper.from_array(contents, tensor_name).SerializeToString())
