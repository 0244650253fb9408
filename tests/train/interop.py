"""What nncc train leaves, in other programs' eyes: interop.py checkpoint DIR FILE | data DIR MODEL | arrays FILE PORT... | onnx NNCC MODEL
WORKDIR [BELOW] | events DIR CSV.

checkpoint: PyPI's safetensors reads FILE, which holds what the program in DIR has in its blocks. data: random x_train.npy for a network of
models/; arrays: an npz file for one of ports NAME:SHAPE:BELOW, integers below that, or f numbers. onnx: ONNX Runtime runs MODEL to what
nncc run gives; inputs of integers lie below BELOW. events: TensorBoard's own reader finds what the csv file has.
"""
import csv
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


def arrays(path, *ports):
    rng, held = np.random.RandomState(1), {}
    for port in ports:
        name, shape, below = port.split(":")
        shape = [40, *(int(d) for d in shape.split("x") if d)]
        held[name] = rng.standard_normal(shape).astype(np.float32) if below == "f" else rng.randint(0, int(below), shape).astype(np.int32)
    np.savez(path, **held)


def events(directory, path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = {}
    for run in ("train", "validation"):
        log = EventAccumulator(f"{directory}/{run}")
        log.Reload()
        read.update({(run, tag, e.step): e.value for tag in log.Tags()["scalars"] for e in log.Scalars(tag)})
    for row in csv.DictReader(open(path)):
        for name, value in row.items():
            if name not in ("epoch", "step"):
                run, tag = ("validation", name[4:]) if name.startswith("val_") else ("train", "learning_rate" if name == "lr" else name)
                got = read.pop((run, "epoch_" + tag, int(row["epoch"])))
                assert abs(got - float(value)) <= 1e-6 * max(1, abs(float(value))), (run, tag, got, value)
    assert not read, f"events that the csv file does not have: {list(read)}"


def random_input(x, below):
    shape = [d if isinstance(d, int) else 16 if k else 3 for k, d in enumerate(x.shape)]
    rng = np.random.RandomState(2)
    return rng.standard_normal(shape).astype(np.float32) if "float" in x.type else rng.randint(0, below, shape).astype("i8" if "64" in x.type else "i4")


def older(path):
    """The same network for opset 21: ONNX Runtime draws random numbers as of opset 1, and 22 only has more types."""
    import onnx

    model = onnx.load(path)
    model.opset_import[0].version = 21
    return model.SerializeToString()


def onnx(nncc, model, work, below="2"):
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    random = b"RandomNormalLike" in open(model, "rb").read()
    run = ort.InferenceSession(older(model) if random else model, providers=["CPUExecutionProvider"])
    feeds = {x.name: random_input(x, int(below)) for x in run.get_inputs()}
    outputs = [o.name for o in run.get_outputs()]
    files = [w for k, o in enumerate(outputs) for w in ("--output", f"{o}={work}/y{k}.npy")]
    for k, (name, value) in enumerate(feeds.items()):
        np.save(f"{work}/x{k}.npy", value)
        files += ["--input", f"{name}={work}/x{k}.npy"]
    dims = ["--dim", "batch=3"] if any(isinstance(x.shape[0], str) for x in run.get_inputs()) else []
    subprocess.run([nncc, "run", model, *dims, *files], check=True)
    for k, want in enumerate(run.run(None, feeds)):
        if random and outputs[k] == "picture":
            continue  # of a draw, which are others there
        got = np.load(f"{work}/y{k}.npy")
        largest = np.abs(want).max()
        assert got.shape == want.shape and np.ptp(want, axis=0 if len(want) > 1 else None).max() > 1e-3 * largest, (outputs[k], got.shape, want.shape)
        error = np.abs(got - want).max() / largest
        assert error <= ATOL_OF_LARGEST, f"{outputs[k]} is off by {error:.1e} of the largest value"
        print(f"{outputs[k]} {list(want.shape)}: off by {error:.1e} of the largest value")


verb, *rest = sys.argv[1:]
if verb == "data":
    data(rest[0], [int(n) for n in rest[1].split("x")], int(rest[2]))
else:
    {"checkpoint": checkpoint, "onnx": onnx, "arrays": arrays, "events": events}[verb](*rest)
