"""What nncc train leaves, in other programs' eyes: interop.py checkpoint DIR FILE | interop.py data DIR MODEL | interop.py onnx NNCC MODEL WORKDIR.

checkpoint: PyPI's safetensors reads FILE, which holds what the program in DIR has in its blocks. data: random x_train.npy for a network of
models/. onnx: ONNX Runtime runs MODEL to what nncc run gives.
"""
import re
import subprocess
import sys

import numpy as np

TYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32}
ATOL_OF_LARGEST = 1e-5  # float sums in another order; ONNX Runtime fuses too


def table_of(source):
    """What the generated table says: name, block, type, shape, offset, bytes of each tensor."""
    text = source[source.index("model_tensors[] = {") :]
    for m in re.finditer(r'\{"((?:[^"\\]|\\.)*)", "(\w+)", "(\w+)", (\d+), \{([\d, ]*)\}, (\d+), (\d+)\},', text):
        shape = [int(d) for d in m[5].split(",")][: int(m[4])]
        yield m[1].encode().decode("unicode_escape"), m[2], m[3], shape, int(m[6]), int(m[7])


def checkpoint(directory, path):
    from safetensors.numpy import load_file

    held = load_file(path)
    for name, block, kind, shape, offset, size in table_of(open(f"{directory}/model.c").read()):
        if block == "grads":
            continue
        with open(f"{directory}/{block}.raw", "rb") as f:
            f.seek(offset)
            own = np.frombuffer(f.read(size), TYPES[kind]).reshape(shape)
        read = held.pop(f"{block}.{name}")
        assert read.dtype == own.dtype and list(read.shape) == shape, (name, read.dtype, read.shape)
        assert read.tobytes() == own.tobytes(), f"{name} has other values"
        assert block != "params" or read.size == 1 or np.ptp(read) > 0, f"{name} is the same everywhere"
    assert not held, f"tensors that are not in the table: {list(held)}"


def data(directory, shape, classes):
    rng = np.random.RandomState(1)
    np.save(f"{directory}/x_train.npy", rng.randint(0, 256, [40, *shape]).astype(np.uint8))
    if classes:
        np.save(f"{directory}/y_train.npy", rng.randint(0, classes, [40]).astype(np.int32))


def onnx(nncc, model, work):
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = session.get_inputs()[0]
    batch = np.random.RandomState(2).standard_normal([3, *x.shape[1:]]).astype(np.float32)
    np.save(f"{work}/x.npy", batch)
    outputs = [o.name for o in session.get_outputs()]
    files = [w for k, o in enumerate(outputs) for w in ("--output", f"{o}={work}/y{k}.npy")]
    subprocess.run([nncc, "run", model, "--dim", "batch=3", "--input", f"{x.name}={work}/x.npy", *files], check=True)
    for k, want in enumerate(session.run(None, {x.name: batch})):
        got = np.load(f"{work}/y{k}.npy")
        largest = np.abs(want).max()
        assert got.shape == want.shape and np.ptp(want, axis=0).max() > 1e-3 * largest, (outputs[k], got.shape, want.shape)
        error = np.abs(got - want).max() / largest
        assert error <= ATOL_OF_LARGEST, f"{outputs[k]} is off by {error:.1e} of the largest value"
        print(f"{outputs[k]} {list(want.shape)}: off by {error:.1e} of the largest value")


verb, *rest = sys.argv[1:]
if verb == "data":
    data(rest[0], [int(n) for n in rest[1].split("x")], int(rest[2]))
else:
    {"checkpoint": checkpoint, "onnx": onnx}[verb](*rest)
