"""Random nodes of one domain against ONNX Runtime: what random_ml.py and random_microsoft.py share.

usage: random_nodes.py NNCC ml|microsoft [EACH] [SEED] [OPERATOR]

A model is one node with random attributes on random inputs. `nncc verify` compares it with what ONNX Runtime gives: interpreted, every
fourth also as C. What differs is named with its attributes; the same seed gives the same models. Last line: N passed, N failed.

What is left out, because ONNX Runtime 1.32 departs from the specification, or that leaves it open: see `unjudged`.
"""
import concurrent.futures
import importlib
import os
import random
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from random_forms import judge, maybe, telling, verify, write_set

WORDS = ["", "a", "ab", "cat", "dog", "Dog", "a longer one", "zebra"]
ELEMENT = {"f": TensorProto.FLOAT, "d": TensorProto.DOUBLE, "l": TensorProto.INT64, "s": TensorProto.STRING, "u": TensorProto.UINT8,
           "b": TensorProto.INT8, "i": TensorProto.INT32, "o": TensorProto.BOOL, "h": TensorProto.INT16, "H": TensorProto.UINT16}
KINDS = {"float32": "f", "float64": "d", "int64": "l", "object": "s", "uint8": "u", "int8": "b", "int32": "i", "bool": "o",
         "int16": "h", "uint16": "H"}


class Model:
    """One node: its inputs by kind of number, its attributes, the kinds of its results."""

    def __init__(self, r, version, outputs="f", domain="ai.onnx.ml"):
        self.r, self.version, self.outputs, self.domain = r, version, outputs, domain
        self.constants = set()
        self.rng = np.random.default_rng(r.getrandbits(32))
        self.inputs, self.attr = [], {}

    def floats(self, *shape, kind="f"):
        """Few digits, so that values meet thresholds, and no sum of them is close to one."""
        x = np.round(self.rng.normal(size=shape), 1)
        self.inputs.append(x.astype({"f": np.float32, "d": np.float64}[kind]))
        return self.inputs[-1]

    def whole(self, *shape, lo=-3, hi=4):
        self.inputs.append(self.rng.integers(lo, hi, shape))
        return self.inputs[-1]

    def numbers(self, *shape):
        return self.whole(*shape) if maybe(self.r, 0.3) else self.floats(*shape)

    def words(self, *shape):
        self.inputs.append(self.rng.choice(np.array(WORDS, dtype=object), shape))
        return self.inputs[-1]

    def list(self, n):
        return [float(v) for v in np.float32(np.round(self.rng.normal(size=n), 2))]

    def labels(self, n, ints):
        if maybe(self.r):
            self.attr["classlabels_strings"] = self.r.sample(WORDS[1:], n)
            self.outputs = "s" + self.outputs[1:]
        else:
            self.attr[ints] = self.r.sample(range(-5, 50), n)

    def built(self, op):
        names = [f"x{i}" if x is not None else "" for i, x in enumerate(self.inputs)]
        ins = [helper.make_tensor_value_info(n, ELEMENT[KINDS[x.dtype.name]], x.shape)
               for i, (n, x) in enumerate(zip(names, self.inputs)) if n and i not in self.constants]
        inits = [numpy_helper.from_array(self.inputs[i], names[i]) for i in sorted(self.constants)]
        outs = [helper.make_tensor_value_info(f"y{i}", ELEMENT[k], None) for i, k in enumerate(self.outputs)]
        node = helper.make_node(op, names, [o.name for o in outs], domain=self.domain, **self.attr)
        graph = helper.make_graph([node], "model", ins, outs, inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(self.domain, self.version)])
        model.ir_version = 8
        feeds = {n: x for i, (n, x) in enumerate(zip(names, self.inputs)) if n and i not in self.constants}
        return model, feeds, [o.name for o in outs]


def unjudged(op, m, results):
    """A label that hangs on rounding; a softmax of nothing but zeros, which is 0 / 0."""
    if any(x.dtype.kind == "f" and not np.isfinite(x).all() for x in results) and "SOFTMAX_ZERO" in m.attr.values():
        return True
    if len(m.outputs) < 2 or m.outputs[0] not in "ls":
        return False
    scores = np.sort(results[1], axis=1)
    return bool((scores[:, -1] - scores[:, -2] < 1e-5).any())


def draw(makers, op, r):
    while True:
        m = makers[op](r)
        model, feeds, outputs = m.built(op)
        results = judge(model, feeds)
        if not unjudged(op, m, results):
            return model, feeds, outputs, results


def check(nncc, work, makers, op, k, seed):
    drawn = draw(makers, op, random.Random(f"{seed}.{op}.{k}"))
    folder = os.path.join(work, f"{op}_{k}")
    write_set(folder, *drawn)
    for options in [["--interpret"]] + [["--cc", "cc -O1"]] * (k % 4 == 0):
        code, text = verify(nncc, folder, options)
        if code:
            attributes = {a.name: helper.get_attribute_value(a) for a in drawn[0].graph.node[0].attribute}
            return f"FAIL  {op} {k} {' '.join(options)}: {telling(text)}\n      {str(attributes)[:600]}"
    return None


def main():
    nncc, each = os.path.abspath(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 40
    makers = importlib.import_module(f"random_{sys.argv[2]}").MAKERS
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    names = [n for n in makers if sys.argv[5:] in ([], [n])]
    onnxruntime.set_default_logger_severity(4)
    print(f"{each} of each of {len(names)} operators, seed {seed}, ONNX Runtime {onnxruntime.__version__}")
    failed = passed = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check, nncc, work, makers, op, k, seed) for op in names for k in range(each)]
        for j in jobs:
            report = j.result()
            failed += report is not None
            passed += report is None
            if report:
                print(report, flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
