"""cell.py - a cell of the matrix: FOLDER/EXPORTER/NETWORK with model.onnx and test_data_set_0, whose outputs are ONNX Runtime's.

What an exporter cannot write has a file failed instead, with the last line of its error.
"""
import os
import re
import shutil
import warnings
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

warnings.filterwarnings("ignore")


def failed(cell, stage, error):
    while str(error).startswith("Failed to") and error.__cause__:  # PyTorch's steps; what stopped one is its cause
        error = error.__cause__
    text = f"{stage}: {type(error).__name__}: " + " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())
    with open(os.path.join(cell, "failed"), "w") as f:
        f.write(text[:300] + "\n")


def save(folder, values):
    os.makedirs(folder, exist_ok=True)
    for kind, arrays in values.items():
        for k, (name, a) in enumerate(arrays):
            with open(os.path.join(folder, f"{kind}_{k}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(np.asarray(a), name).SerializeToString())


def of_dtype(a, text):
    """What the model declares: exporters turn 64-bit inputs into 32-bit ones, and back."""
    dtype = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2", "tensor(int64)": "i8", "tensor(int32)": "i4",
             "tensor(bool)": "?", "tensor(string)": "O"}.get(text)
    return np.asarray(a, dtype) if dtype else np.asarray(a)


def tensors(values):
    """Outputs that are tensors; a sequence of maps (ZipMap) is the matrix of its numbers."""
    for name, v in values:
        if isinstance(v, list) and v and isinstance(v[0], dict):
            v = np.array([list(row.values()) for row in v], np.float32)
        yield name, v


def run(cell, inputs):
    """Runs model.onnx of a cell in ONNX Runtime as the file is (no optimisation), and keeps inputs and outputs."""
    path = os.path.join(cell, "model.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    runner = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = runner.get_inputs()
    if not isinstance(inputs, dict):
        inputs = {i.name: a for i, a in zip(wanted, inputs)}
    inputs = {i.name: of_dtype(inputs[i.name], i.type) for i in wanted}
    outputs = runner.run(None, inputs)
    named = zip([o.name for o in runner.get_outputs()], outputs)
    save(os.path.join(cell, "test_data_set_0"), {"input": list(inputs.items()), "output": list(tensors(named))})


def export(folder, exporter, name, write, inputs):
    """write(path) makes the model; a cell that exists is left alone."""
    cell = os.path.join(folder, exporter, name)
    if os.path.exists(cell):
        return
    os.makedirs(cell + ".new", exist_ok=True)
    path = os.path.join(cell + ".new", "model.onnx")
    stage = "export"
    try:
        write(path)
        stage = "ONNX Runtime"
        run(cell + ".new", inputs)
    except Exception as error:
        failed(cell + ".new", stage, error)
    shutil.move(cell + ".new", cell)
    print(exporter, name, "made" if not os.path.exists(os.path.join(cell, "failed")) else "failed", flush=True)


def inputs_of(cell):
    folder = os.path.join(cell, "test_data_set_0")
    out = {}
    for f in sorted(os.listdir(folder)):
        if f.startswith("input_"):
            t = onnx.load_tensor(os.path.join(folder, f))
            out[t.name] = numpy_helper.to_array(t)
    return out
