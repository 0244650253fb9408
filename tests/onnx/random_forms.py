"""Random forms of windows, resampling and recurrence against ONNX Runtime.

usage: random_forms.py NNCC [FORMS] [SEED] [OPTIONS]

A form is one node of Conv, ConvTranspose, the pools, Resize, RNN, GRU or LSTM with random attributes, shapes, inputs and outputs.
ONNX Runtime, without its optimizations, judges it alone; those that it takes are gathered into models of up to BATCH nodes, and
`nncc verify` compares each of these as it is, interpreted, and under so many other options (1). A form that differs is printed
with what is needed to build it; the same seed gives the same forms. Last line: N passed, N failed.

What is left out, because ONNX Runtime 1.32 departs from the specification or has no kernel: see `unjudged`.
"""
import concurrent.futures
import math
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

BATCH = 20
OPTIONS = [["-O0"], ["-O1"], ["-O3"], ["--target=native"], ["--no-templates"], ["--off=layout"], ["--off=fuse"], ["--off=layout,simplify"]]
OPSETS = [10, 11, 13, 18, 19, 22]


def maybe(r, p=0.5):
    return r.random() < p


def dims_of(r, n, lo, hi):
    return [r.randint(lo, hi) for _ in range(n)]


class Form:
    """One node, and perhaps an elementwise node behind it."""

    def __init__(self, r, op, opset):
        self.r, self.op, self.opset, self.attr = r, op, opset, {}
        self.inputs = []   # (array or None, whether it is a constant)
        self.outputs = []  # whether each is wanted
        self.behind = None

    def add(self, array, const=False):
        self.inputs.append((array, const))

    def tensor(self, *shape):
        return np.random.default_rng(self.r.getrandbits(32)).standard_normal(shape).astype(np.float32)

    def unless(self, name, value, plain):
        """An attribute; where it has its default it is left out half of the time."""
        if value != plain or maybe(self.r):
            self.attr[name] = value

    def resized(self):
        """The shape that a Resize gives, before keep_aspect_ratio_policy."""
        x, axes = self.inputs[0][0], self.attr.get("axes")
        shape, scales = list(x.shape), self.inputs[2 if self.opset > 10 else 1][0]
        for k, a in enumerate(axes or range(x.ndim)):
            given = self.inputs[3][0][k] if len(self.inputs) > 3 else math.floor(np.float32(x.shape[a]) * scales[k])
            shape[a] = int(given)
        return tuple(shape)

    def build(self, prefix, g_inputs, g_inits, feeds):
        names = []
        for i, (a, const) in enumerate(self.inputs):
            if a is None:
                names.append("")
                continue
            name = f"{prefix}_i{i}"
            names.append(name)
            if const:
                g_inits.append(numpy_helper.from_array(a, name))
            else:
                g_inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape))
                feeds[name] = a
        while names and not names[-1]:
            names.pop()
        outs = [f"{prefix}_o{i}" if wanted else "" for i, wanted in enumerate(self.outputs)]
        while not outs[-1]:
            outs.pop()
        nodes = [helper.make_node(self.op, names, outs, name=prefix, **self.attr)]
        results = [o for o in outs if o]
        if self.behind and outs[0]:
            nodes.append(helper.make_node(self.behind, [outs[0]], [prefix + "_b"]))
            results[0] = prefix + "_b"
        return nodes, results

    def __str__(self):
        shapes = ["-" if a is None else f"{a.dtype}{list(a.shape)}{' const' if c else ''}" for a, c in self.inputs]
        small = [f"input {i} = {a.tolist()}" for i, (a, c) in enumerate(self.inputs) if a is not None and c and a.size <= 12 and a.ndim == 1]
        return (f"{self.op} opset {self.opset} {self.attr} inputs {', '.join(shapes)} {'; '.join(small)}"
                f" outputs {self.outputs}{' then ' + self.behind if self.behind else ''}")


# ---- windows ----

def spatial(r):
    return r.choice([1, 1, 2, 2, 2, 3])


def window(f, n, kernel, pooling=False):
    """Strides, dilations and pads; returns strides, dilations."""
    r = f.r
    stride = dims_of(r, n, 1, 3) if maybe(r, 0.6) else [1] * n
    dilation = dims_of(r, n, 1, 3) if maybe(r, 0.3) else [1] * n
    pads = [0] * (2 * n)
    if maybe(r, 0.25):
        f.attr["auto_pad"] = r.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif maybe(r, 0.6):
        for i in range(2 * n):
            pads[i] = r.randint(0, kernel[i % n] - 1 if pooling else 2)
        f.unless("pads", pads, [0] * (2 * n))
    f.unless("strides", stride, [1] * n)
    return stride, dilation


def extents(r, n, kernel, dilation):
    most = {1: 24, 2: 13, 3: 7}[n]
    return [r.randint(max(1, (k - 1) * d + 1 - r.randint(0, 1)), (k - 1) * d + most) for k, d in zip(kernel, dilation)]


def elementwise_behind(f):
    if maybe(f.r, 0.3):
        f.behind = f.r.choice(["Relu", "Neg", "Sigmoid", "Tanh", "Abs"])


def conv(r, opset):
    f = Form(r, "Conv", opset)
    n = spatial(r)
    kernel = dims_of(r, n, 1, 4)
    group = r.choice([1, 1, 1, 2, 3, 5])
    cin = r.choice([1, 1, 2, 3, 4, 8])
    cout = r.choice([1, 1, 2, 3, 4, 8, 17])
    if maybe(r, 0.2):
        cin, group = 1, r.randint(2, 17)  # depthwise
    _, dilation = window(f, n, kernel)
    f.unless("dilations", dilation, [1] * n)
    f.unless("group", group, 1)
    f.unless("kernel_shape", kernel, None)
    if maybe(r):
        f.attr.pop("kernel_shape")
    const = maybe(r, 0.7)
    f.add(f.tensor(r.randint(1, 2), group * cin, *extents(r, n, kernel, dilation)))
    f.add(f.tensor(group * cout, cin, *kernel), const)
    if maybe(r):
        f.add(f.tensor(group * cout), maybe(r, 0.8))
    f.outputs = [True]
    elementwise_behind(f)
    return f


def conv_transpose(r, opset):
    f = Form(r, "ConvTranspose", opset)
    n = spatial(r)
    kernel = dims_of(r, n, 1, 4)
    group = r.choice([1, 1, 1, 1, 2, 3])
    cin, cout = r.choice([1, 1, 2, 3, 8]), r.choice([1, 1, 2, 3, 8, 17])
    if maybe(r, 0.15):
        cin, cout, group = 1, 1, r.randint(2, 9)
    stride, dilation = window(f, n, kernel)
    f.unless("dilations", dilation, [1] * n)
    f.unless("group", group, 1)
    if maybe(r):
        f.attr["kernel_shape"] = kernel
    size = extents(r, n, [1] * n, [1] * n)
    if maybe(r, 0.4):
        f.attr["output_padding"] = [r.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation)]
    if maybe(r, 0.15):
        f.attr.pop("pads", None)
        f.attr["output_shape"] = [max(1, (e - 1) * s + (k - 1) * d + 1 - r.randint(0, 2))
                                  for e, s, k, d in zip(size, stride, kernel, dilation)]
    f.add(f.tensor(r.randint(1, 2), group * cin, *size))
    f.add(f.tensor(group * cin, cout, *kernel), maybe(r, 0.7))
    if maybe(r):
        f.add(f.tensor(group * cout), maybe(r, 0.8))
    f.outputs = [True]
    elementwise_behind(f)
    return f


def pool(r, opset):
    f = Form(r, r.choice(["MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool"]), opset)
    n = spatial(r)
    kernel = dims_of(r, n, 1, 4)
    _, dilation = window(f, n, kernel, True)
    f.attr["kernel_shape"] = kernel
    if f.op == "MaxPool" or opset >= (19 if f.op == "AveragePool" else 18):
        f.unless("dilations", dilation, [1] * n)
    else:
        dilation = [1] * n
    if f.op != "LpPool" or opset >= 18:
        f.unless("ceil_mode", r.randint(0, 1), 0)
    if f.op == "AveragePool":
        f.unless("count_include_pad", r.randint(0, 1), 0)
    if f.op == "LpPool":
        f.unless("p", r.choice([1, 2, 2, 3]), 2)
    f.add(f.tensor(r.randint(1, 2), r.choice([1, 2, 3, 16]), *extents(r, n, kernel, dilation)))
    f.outputs = [True]
    if f.op == "MaxPool" and maybe(r, 0.3):
        f.outputs = [True, True]
        if maybe(r, 0.3):
            f.attr["storage_order"] = 1
    else:
        elementwise_behind(f)
    return f


def global_pool(r, opset):
    f = Form(r, r.choice(["GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"]), opset)
    if f.op == "GlobalLpPool":
        f.unless("p", r.choice([1, 2, 3]), 2)
    f.add(f.tensor(r.randint(1, 2), r.randint(1, 5), *dims_of(r, spatial(r), 1, 9)))
    f.outputs = [True]
    return f


# ---- Resize ----

def resize(r, opset):
    f = Form(r, "Resize", opset)
    mode = r.choice(["nearest", "linear"] + (["cubic"] if opset >= 11 else []))
    f.unless("mode", mode, "nearest")
    n = 2 if mode == "cubic" else spatial(r)
    shape = [r.randint(1, 2), r.randint(1, 3)] + dims_of(r, n, 1, 9 if n < 3 else 5)
    rank = len(shape)
    x = f.tensor(*shape)
    scales = [1.0, 1.0] + [r.choice([0.3, 0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 1.6, 2.0, 2.5, 3.0]) for _ in range(n)]
    for i in range(2, rank):
        if shape[i] * scales[i] < 1:
            scales[i] = 1.0
    if opset < 11:
        f.add(x)
        f.add(np.array(scales, np.float32), True)
        f.outputs = [True]
        return f
    how = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"]
    how += ["tf_half_pixel_for_nn"] if opset < 13 else []
    how += ["half_pixel_symmetric"] if opset >= 19 else []
    where = r.choice(how)
    f.unless("coordinate_transformation_mode", where, "half_pixel")
    if mode == "nearest":
        f.unless("nearest_mode", r.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]), "round_prefer_floor")
    if mode == "cubic":
        f.unless("cubic_coeff_a", r.choice([-0.75, -0.5]), -0.75)
    if mode == "cubic" or (opset >= 18 and mode == "linear"):
        f.unless("exclude_outside", r.randint(0, 1), 0)
    if opset >= 18 and mode != "nearest":
        f.unless("antialias", r.randint(0, 1), 0)
    axes = list(range(rank))
    if opset >= 18 and maybe(r, 0.4):
        axes = list(range(2, rank))
        f.attr["axes"] = [a - rank if maybe(r, 0.3) else a for a in axes]
    roi = None
    if where == "tf_crop_and_resize":
        start = [r.choice([0.0, 0.1, 0.25]) if a >= 2 else 0.0 for a in axes]
        end = [r.choice([0.7, 1.0, 1.2]) if a >= 2 else 1.0 for a in axes]
        roi = np.array(start + end, np.float32)
        f.unless("extrapolation_value", r.choice([0.0, -3.0]), 0.0)
    f.add(x)
    f.add(roi if roi is not None else np.zeros(0, np.float32) if opset < 13 else None, True)
    if maybe(r):
        f.add(np.array([scales[a] for a in axes], np.float32), True)
    else:
        sizes = [shape[a] if a < 2 else r.randint(1, 14) for a in axes]
        f.add(np.zeros(0, np.float32) if opset < 13 else None, True)
        f.add(np.array(sizes, np.int64), True)
        if opset >= 18 and maybe(r, 0.3):
            f.attr["keep_aspect_ratio_policy"] = r.choice(["not_larger", "not_smaller"])
            f.attr["axes"] = [a for a in range(2, rank)]
            f.inputs[3] = (np.array([r.randint(1, 14) for _ in range(n)], np.int64), True)
            if roi is not None:
                f.inputs[1] = (np.array([0.1] * n + [0.9] * n, np.float32), True)
    f.outputs = [True]
    return f


# ---- recurrence ----

ACTIVATIONS = {"Relu": 0, "Tanh": 0, "Sigmoid": 0, "Affine": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "ScaledTanh": 2,
               "HardSigmoid": 2, "Elu": 1, "Softsign": 0, "Softplus": 0}


def recurrent(r, opset):
    f = Form(r, r.choice(["RNN", "GRU", "LSTM"]), opset)
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[f.op]
    seq, batch, width, hidden = r.randint(1, 5), r.randint(1, 3), r.randint(1, 6), r.randint(1, 9)
    direction = r.choice(["forward", "reverse", "bidirectional"])
    d = 2 if direction == "bidirectional" else 1
    f.attr["hidden_size"] = hidden
    f.unless("direction", direction, "forward")
    if maybe(r, 0.3):
        f.attr["clip"] = r.choice([0.3, 1.0, 3.0])
    if maybe(r, 0.4):
        names = [r.choice(list(ACTIVATIONS)) for _ in range(d * {"RNN": 1, "GRU": 2, "LSTM": 3}[f.op])]
        f.attr["activations"] = names
        # ONNX Runtime counts alpha and beta by the activations that take them.
        f.attr["activation_alpha"] = [r.choice([0.2, 0.5, 0.9]) for a in names if ACTIVATIONS[a] > 0]
        f.attr["activation_beta"] = [r.choice([0.1, 0.4]) for a in names if ACTIVATIONS[a] > 1]
        for k in ("activation_alpha", "activation_beta"):
            if not f.attr[k]:
                del f.attr[k]
    if f.op == "GRU":
        f.unless("linear_before_reset", r.randint(0, 1), 0)
    if f.op == "LSTM" and maybe(r, 0.2):
        f.attr["input_forget"] = 1
    const = maybe(r, 0.7)
    f.add(f.tensor(seq, batch, width))
    f.add(f.tensor(d, gates * hidden, width) * np.float32(0.5), const)
    f.add(f.tensor(d, gates * hidden, hidden) * np.float32(0.5), const)
    f.add(f.tensor(d, 2 * gates * hidden) if maybe(r, 0.7) else None, const)
    f.add(np.array(dims_of(r, batch, 1, seq), np.int32) if maybe(r, 0.4) else None, maybe(r))
    f.add(f.tensor(d, batch, hidden) if maybe(r) else None)
    if f.op == "LSTM":
        f.add(f.tensor(d, batch, hidden) if maybe(r) else None)
        f.add(f.tensor(d, 3 * hidden) if maybe(r, 0.3) else None, const)
    count = 3 if f.op == "LSTM" else 2
    f.outputs = [maybe(r, 0.7) for _ in range(count)]
    if not any(f.outputs):
        f.outputs[r.randrange(count)] = True
    return f


MAKERS = [conv] * 5 + [conv_transpose] * 6 + [pool] * 5 + [global_pool] + [resize] * 7 + [recurrent] * 6


def unjudged(f):
    """Why ONNX Runtime's answer is not asked for, or None."""
    if f.op == "Resize" and f.resized() == f.inputs[0][0].shape:
        return "it copies its input where no extent changes, whatever the scales"
    if f.op == "Resize" and f.attr.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        if any(a == b for a, b in zip(f.resized()[2:], f.inputs[0][0].shape[2:])):
            return "it crops no dim whose scale is 1"
    same = f.attr.get("auto_pad", "").startswith("SAME")
    if same and f.op.endswith("Pool") and max(f.attr.get("dilations", [1])) > 1:
        return "it pads as if there were no dilations"
    if f.op.endswith("Pool") and "kernel_shape" in f.attr and not same and not f.attr.get("ceil_mode"):
        n = len(f.attr["kernel_shape"])
        pads = f.attr.get("pads", [0] * (2 * n)) if f.attr.get("auto_pad") != "VALID" else [0] * (2 * n)
        reach = [(k - 1) * d + 1 for k, d in zip(f.attr["kernel_shape"], f.attr.get("dilations", [1] * n))]
        if any(x + pads[i] + pads[n + i] < reach[i] for i, x in enumerate(f.inputs[0][0].shape[2:])):
            return "it rounds what is below 0 up to 0, so that a window fits once where it does not"
    kernel = f.attr.get("kernel_shape") or f.inputs[1][0].shape[2:] if same else []
    if any(k < s for k, s in zip(kernel, f.attr.get("strides", [1] * len(kernel)))):
        if f.op.endswith("Pool"):
            return "its pads become negative, and the windows shift"
        if f.op == "ConvTranspose":
            return "its result is smaller than the input times the stride, which the text says"
    return None


# ---- models ----

def model_of(forms, opset):
    inputs, inits, nodes, outputs, feeds = [], [], [], [], {}
    for prefix, f in forms:
        n, outs = f.build(prefix, inputs, inits, feeds)
        nodes += n
        outputs += outs
    values = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
    graph = helper.make_graph(nodes, "forms", inputs, values, inits)
    for v, o in zip(graph.output, outputs):
        node = next(n for n in nodes if o in n.output)
        integer = (node.op_type == "MaxPool" and list(node.output).index(o) == 1)
        v.type.tensor_type.elem_type = TensorProto.INT64 if integer else TensorProto.FLOAT
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model, feeds, outputs


def judge(model, feeds):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    o.log_severity_level = 4
    o.intra_op_num_threads = 1
    s = onnxruntime.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])
    return s.run(None, feeds)


def draw(r, opset):
    """Forms until ONNX Runtime takes one; how many it refused."""
    refused = 0
    while True:
        f = r.choice(MAKERS)(r, opset)
        if unjudged(f):
            continue
        model, feeds, outputs = model_of([("n", f)], opset)
        try:
            results = judge(model, feeds)
        except Exception:  # whatever its bindings throw
            refused += 1
            continue
        if any(x.size == 0 or not np.isfinite(x).all() or abs(x).max() < 1e-3 for x in results):
            continue  # next to nothing is left: it says more of rounding than of meaning
        return f, results, refused


def write_set(folder, model, feeds, outputs, results):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    for i, v in enumerate(model.graph.input):
        with open(os.path.join(data, f"input_{i}.pb"), "wb") as out:
            out.write(numpy_helper.from_array(feeds[v.name], v.name).SerializeToString())
    for i, (name, a) in enumerate(zip(outputs, results)):
        with open(os.path.join(data, f"output_{i}.pb"), "wb") as out:
            out.write(numpy_helper.from_array(np.asarray(a), name).SerializeToString())
    return path


def verify(nncc, folder, options):
    command = [nncc, "verify", os.path.join(folder, "model.onnx"), folder] + options
    p = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return p.returncode, p.stdout + p.stderr


def telling(report):
    """The line of a report that says most."""
    lines = report.splitlines() or ["no output"]
    return next((l for l in lines if "WRONG" in l or "nncc:" in l or "error" in l), lines[0])


def alone(nncc, work, name, f, results, options):
    """The report on one form by itself, or None if it is right."""
    folder = os.path.join(work, name)
    write_set(folder, *model_of([("n", f)], f.opset), results)
    code, text = verify(nncc, folder, options)
    return None if code == 0 else text


def check_batch(nncc, work, number, opset, forms, chosen):
    """Failures of one model under each set of options: lines to print, and the forms that failed."""
    folder = os.path.join(work, f"batch{number}")
    named = [(f"f{i}", f) for i, (f, _) in enumerate(forms)]
    model, feeds, outputs = model_of(named, opset)
    write_set(folder, model, feeds, outputs, [x for _, results in forms for x in results])
    lines, failed = [], set()
    for options in chosen:
        code, text = verify(nncc, folder, options)
        if code == 0:
            continue
        found = False
        for i, (f, results) in enumerate(forms):
            report = alone(nncc, work, f"batch{number}_{i}", f, results, options)
            if report is None:
                continue
            found = True
            failed.add(i)
            lines.append(f"FAIL  {' '.join(options)}: {f}\n      {telling(report)}")
        if not found:
            failed.add(0)
            lines.append(f"FAIL  model {number} as a whole, {' '.join(options)}: {telling(text)}")
    return lines, len(failed)


def main():
    nncc, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    options = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    print(f"{count} forms, seed {seed}, ONNX Runtime {onnxruntime.__version__}")
    failed = refused = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool_of_threads:
        jobs = []
        for number in range(math.ceil(count / BATCH)):
            r = random.Random(f"{seed}.{number}")
            opset = OPSETS[number % len(OPSETS)]
            forms = []
            for _ in range(min(BATCH, count - number * BATCH)):
                f, results, n = draw(r, opset)
                refused += n
                forms.append((f, results))
            chosen = [["--cc", "cc -O1"], ["--interpret"]] + [o + ["--cc", "cc -O0"] for o in r.sample(OPTIONS, options)]
            jobs.append(pool_of_threads.submit(check_batch, nncc, work, number, opset, forms, chosen))
        for j in jobs:
            lines, n = j.result()
            failed += n
            for l in lines:
                print(l, flush=True)
    print(f"ONNX Runtime refused {refused} more")
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
