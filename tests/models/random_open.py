"""Random networks with several extents that a call gives, against ONNX Runtime and against builds for some extents alone.

usage: random_open.py NNCC [GRAPHS] [SEED] [--only N] [--keep DIR] [--interpret]

A network is a few operators over tokens [b, t, c], images [b, c, h, w] or both, among them regions and sizes that data tells. ONNX
Runtime, without its optimizations, judges it on sets of data of different extents (`nncc verify`, as C and, every third, interpreted);
open_dims.py compares its bytes with those of builds for three sizes alone, in portable C, where compilers do not contract multiply and
add, so that every difference is one of order. Sums over an extent of the call may differ. A network that differs is printed with its number, by which
--only makes it again; --keep leaves models and data. --interpret: interpreted alone,
for the extents of each set, which takes no compiler. Last line: N passed, N failed.
"""
import argparse
import concurrent.futures
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RANGES = {"b": (1, 3), "steps": (1, 19), "h": (4, 11), "w": (5, 20)}
SETS = 3
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
here = os.path.dirname(os.path.abspath(__file__))


class Dim:
    """An extent that follows from those of a call; those with one text are equal."""

    def __init__(self, text, of):
        self.text, self.of = text, of

    def __eq__(self, other):
        return isinstance(other, Dim) and self.text == other.text

    def __hash__(self):
        return hash(self.text)


def at(d, env):
    return d.of(env) if isinstance(d, Dim) else d


def derived(d, text, of):
    return Dim(f"{text}({d.text})", lambda e: of(d.of(e))) if isinstance(d, Dim) else of(d)


class Value:
    def __init__(self, name, shape, kind=F, loose=False, told=True):
        self.name, self.shape, self.kind, self.loose, self.told = name, tuple(shape), kind, loose, told


class Build:
    def __init__(self, r):
        self.r, self.count, self.nodes, self.inits, self.values, self.inputs = r, 0, [], [], [], []
        self.data = np.random.default_rng(r.getrandbits(32))
        self.dims = {n: Dim(n, (lambda k: lambda e: e[k])(n)) for n in RANGES}
        self.corners = [dict(zip(RANGES, c)) for c in itertools.product(*RANGES.values())]
        self.used = set()

    def name(self, stem):
        self.count += 1
        return f"{stem}{self.count}"

    def least(self, d):
        return min(at(d, e) for e in self.corners)

    def const(self, x):
        n = self.name("c")
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(x), n))
        return n

    def weight(self, *shape):
        return self.const((self.data.uniform(-1, 1, shape) / max(1, np.prod(shape[1:])) ** 0.5).astype(np.float32))

    def ints(self, *x):
        return self.const(np.array(x, np.int64))

    def node(self, op, ins, shape=None, kind=F, sums=False, told=True, **attrs):
        names = [i.name if isinstance(i, Value) else i for i in ins]
        y = Value(self.name(op.lower()), shape or (), kind, sums or any(isinstance(i, Value) and i.loose for i in ins), told)
        self.nodes.append(helper.make_node(op, names, [y.name], **attrs))
        return y

    def keep(self, v):
        if v is not None:
            self.values.append(v)
        return v

    def input(self, shape, kind=F):
        v = Value(self.name("x"), shape, kind)
        self.inputs.append(v)
        self.used |= {d.text for d in shape if isinstance(d, Dim)}
        return self.keep(v)

    def pick(self, fits, kind=F):
        found = [v for v in self.values if v.kind == kind and v.told and fits(v.shape)]
        return self.r.choice(found[-5:]) if found else None

    # ---- any shape ----

    def unary(self):
        x = self.pick(lambda s: True)
        op = self.r.choice(["Relu", "Tanh", "Sigmoid", "Neg", "Abs", "Elu", "HardSwish", "Erf", "Softplus"])
        return self.node(op, [x], x.shape)

    def binary(self):
        x = self.pick(lambda s: True)
        y = self.pick(lambda s: s == x.shape)
        return self.node(self.r.choice(["Add", "Sub", "Mul", "Max"]), [x, y], x.shape)

    def reduce(self):
        x = self.pick(lambda s: len(s) >= 3)
        if x is None:
            return None
        axis = self.r.randrange(1, len(x.shape))
        op = self.r.choice(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"])
        y = self.node(op, [x, self.ints(axis)], [1 if i == axis else d for i, d in enumerate(x.shape)],
                      sums=isinstance(x.shape[axis], Dim) and op != "ReduceMax", keepdims=1)
        z = self.node(self.r.choice(["Add", "Sub"]), [x, y], x.shape)
        return z

    def softmax(self):
        x = self.pick(lambda s: len(s) >= 2)
        if x is None:
            return None
        axis = self.r.randrange(1, len(x.shape))
        return self.node("Softmax", [x], x.shape, sums=isinstance(x.shape[axis], Dim), axis=axis)

    def concat(self):
        x = self.pick(lambda s: len(s) >= 3)
        if x is None:
            return None
        axis = self.r.randrange(1, len(x.shape))
        y = self.pick(lambda s: len(s) == len(x.shape) and all(a == b for i, (a, b) in enumerate(zip(s, x.shape)) if i != axis))
        a, b = x.shape[axis], y.shape[axis]
        both = a + b if isinstance(a, int) and isinstance(b, int) else Dim(
            f"({getattr(a, 'text', a)}+{getattr(b, 'text', b)})", lambda e: at(a, e) + at(b, e))
        if max(at(both, e) for e in self.corners) > 48:
            return None
        return self.node("Concat", [x, y], [both if i == axis else d for i, d in enumerate(x.shape)], axis=axis)

    def slice(self):
        x = self.pick(lambda s: any(isinstance(d, Dim) and self.least(d) > 1 for d in s[1:]))
        if x is None:
            return None
        axis = self.r.choice([i for i, d in enumerate(x.shape) if i and isinstance(d, Dim) and self.least(d) > 1])
        d = x.shape[axis]
        if self.r.random() < 0.5:
            step = self.r.choice([1, 2])
            s = derived(d, f"from1by{step}", lambda n: (n - 1 + step - 1) // step)
            return self.node("Slice", [x, self.ints(1), self.ints(1 << 40), self.ints(axis), self.ints(step)],
                             [s if i == axis else e for i, e in enumerate(x.shape)])
        return self.node("Slice", [x, self.ints(0), self.ints(-1), self.ints(axis)],
                         [derived(d, "less1", lambda n: n - 1) if i == axis else e for i, e in enumerate(x.shape)])

    def pad(self):
        x = self.pick(lambda s: len(s) >= 3)
        if x is None:
            return None
        axis, a, b = self.r.randrange(1, len(x.shape)), self.r.randint(0, 2), self.r.randint(0, 2)
        d = derived(x.shape[axis], f"pad{a + b}", lambda n: n + a + b)
        pads = [0] * (2 * len(x.shape))
        pads[axis], pads[axis + len(x.shape)] = a, b
        mode = "edge" if self.r.random() < 0.4 else "constant"
        return self.node("Pad", [x, self.ints(*pads)], [d if i == axis else e for i, e in enumerate(x.shape)], mode=mode)

    def where(self):
        x = self.pick(lambda s: True)
        y = self.pick(lambda s: s == x.shape)
        if x.loose:
            return None
        m = self.node("Greater", [x, self.const(np.float32(0.1))], x.shape, B)
        return self.node("Where", [m, x, y], x.shape)

    # ---- tokens: [b, t, c] ----

    def tokens(self):
        return self.pick(lambda s: len(s) == 3 and isinstance(s[2], int))

    def dense(self):
        x = self.tokens()
        if x is None:
            return None
        n = self.r.choice([3, 8, 17, 32, 100, 130])
        y = self.node("MatMul", [x, self.weight(x.shape[2], n)], [*x.shape[:2], n])
        return self.node("Add", [y, self.weight(n)], y.shape) if self.r.random() < 0.6 else y

    def narrow(self):
        x = self.pick(lambda s: len(s) == 3 and isinstance(s[2], int) and s[2] > 40)
        return x and self.node("MatMul", [x, self.weight(x.shape[2], 8)], [*x.shape[:2], 8])

    def norm(self):
        x = self.tokens()
        if x is None:
            return None
        c = x.shape[2]
        return self.node("LayerNormalization", [x, self.weight(c), self.weight(c)], x.shape, axis=-1)

    def attention(self):
        x = self.tokens()
        if x is None:
            return None
        c = self.r.choice([8, 16, 100, 128])
        q, k, v = (self.node("MatMul", [x, self.weight(x.shape[2], c)], [*x.shape[:2], c]) for _ in range(3))
        if c != 100 and self.r.random() < 0.6:
            heads = self.r.choice([2, 4])
            shape = [x.shape[0], heads, x.shape[1], c // heads]
            q, k, v = (self.node("Transpose", [self.node("Reshape", [i, self.ints(0, 0, heads, c // heads)])], shape, perm=[0, 2, 1, 3]) for i in (q, k, v))
            kt = self.node("Transpose", [k], perm=[0, 1, 3, 2])
        else:
            heads, shape = 0, [*x.shape[:2], c]
            kt = self.node("Transpose", [k], perm=[0, 2, 1])
        for a, b in ((q, v), (kt, v)):
            a.loose = b.loose = x.loose
        s = self.node("MatMul", [q, kt], [*shape[:-2], shape[-2], shape[-2]])
        s = self.node("Mul", [s, self.const(np.float32(0.3))], s.shape)
        p = self.node("Softmax", [s], s.shape, sums=True, axis=-1)
        y = self.node("MatMul", [p, v], shape, sums=True)
        if self.r.random() < 0.3 and not heads:
            self.keep(s)
        if heads:
            y = self.node("Reshape", [self.node("Transpose", [y], perm=[0, 2, 1, 3], sums=True), self.ints(0, 0, c)], [*x.shape[:2], c], sums=True)
        return y

    def product(self):
        """Of two activations, in any of four forms."""
        x = self.tokens()
        y = x and self.pick(lambda s: len(s) == 3 and s[0] == x.shape[0] and (s[2] == x.shape[2] or s[1] == x.shape[1]))
        if y is None:
            return None
        if y.shape[2] == x.shape[2]:
            yt = self.node("Transpose", [y], perm=[0, 2, 1])
            return self.node("MatMul", [x, yt], [*x.shape[:2], y.shape[1]])
        xt = self.node("Transpose", [x], perm=[0, 2, 1])
        return self.node("MatMul", [xt, y], [x.shape[0], x.shape[2], y.shape[2]], sums=isinstance(x.shape[1], Dim))

    def recurrent(self):
        x = self.tokens()
        if x is None:
            return None
        h, c = self.r.choice([4, 9, 24]), x.shape[2]
        op, gates = self.r.choice([("GRU", 3), ("LSTM", 4), ("RNN", 1)])
        xt = self.node("Transpose", [x], perm=[1, 0, 2])
        y = self.node(op, [xt, self.weight(1, gates * h, c), self.weight(1, gates * h, h), self.weight(1, 2 * gates * h)], hidden_size=h)
        y = self.node("Squeeze", [y, self.ints(1)])
        return self.node("Transpose", [y], [*x.shape[:2], h], perm=[1, 0, 2])

    def conv1(self):
        x = self.tokens()
        if x is None:
            return None
        k, s, c = self.r.choice([1, 3, 4]), self.r.choice([1, 1, 2]), self.r.choice([4, 12, 33])
        p = k - 1
        d = derived(x.shape[1], f"c{k}/{s}", lambda n: (n + p - k) // s + 1)
        xt = self.node("Transpose", [x], perm=[0, 2, 1])
        y = self.node("Conv", [xt, self.weight(c, x.shape[2], k), self.weight(c)], kernel_shape=[k], strides=[s], pads=[p - p // 2, p // 2])
        return self.node("Transpose", [y], [x.shape[0], d, c], perm=[0, 2, 1])

    def places(self):
        x = self.tokens()
        if x is None or not isinstance(x.shape[1], Dim) or max(at(x.shape[1], e) for e in self.corners) > 64:
            return None
        n = self.node("Gather", [self.node("Shape", [x], kind=I), self.const(np.int64(1))], kind=I)
        r = self.node("Range", [self.const(np.int64(0)), n, self.const(np.int64(1))], kind=I)
        e = self.node("Gather", [self.weight(64, x.shape[2]), r])
        return self.node("Add", [x, e], x.shape)

    def merge(self):
        """Heads and back: [b, t, c] as [b t, c] for a product."""
        x = self.tokens()
        if x is None:
            return None
        y = self.node("Reshape", [x, self.ints(-1, x.shape[2])])
        y = self.node("Gemm", [y, self.weight(20, x.shape[2]), self.weight(20)], transB=1)
        to = self.node("Concat", [self.node("Slice", [self.node("Shape", [x], kind=I), self.ints(0), self.ints(2)], kind=I), self.ints(20)], kind=I, axis=0)
        return self.node("Reshape", [y, to], [*x.shape[:2], 20])

    # ---- images: [b, c, h, w] ----

    def image(self):
        return self.pick(lambda s: len(s) == 4 and isinstance(s[1], int) and not isinstance(s[1], Dim) and s[1] < 80)

    def conv2(self):
        x = self.image()
        if x is None:
            return None
        k, s, c, g = self.r.choice([(1, 1), (3, 3), (1, 3), (3, 2), (5, 5)]), self.r.choice([(1, 1), (1, 1), (2, 2), (1, 2)]), self.r.choice([4, 6, 16, 21]), 1
        if self.r.random() < 0.25:
            c = g = x.shape[1]
        p = [n - 1 for n in k]
        dims = [derived(d, f"c{k[i]}/{s[i]}", (lambda i: lambda n: (n + p[i] - k[i]) // s[i] + 1)(i)) for i, d in enumerate(x.shape[2:])]
        begin, end = [n - n // 2 for n in p], [n // 2 for n in p]
        return self.node("Conv", [x, self.weight(c, x.shape[1] // g, *k), self.weight(c)], [x.shape[0], c, *dims], kernel_shape=k, strides=s, group=g, pads=begin + end)

    def up(self):
        x = self.image()
        if x is None or any(max(at(d, e) for e in self.corners) > 26 for d in x.shape[2:]):
            return None
        k, s, c = self.r.choice([2, 3, 4]), self.r.choice([1, 2, 2, 3]), self.r.choice([3, 8])
        if k < s:
            return None
        p = self.r.choice([0, (k - s) // 2])
        dims = [derived(d, f"u{k}*{s}-{p}", lambda n: (n - 1) * s + k - 2 * p) for d in x.shape[2:]]
        return self.node("ConvTranspose", [x, self.weight(x.shape[1], c, k, k), self.weight(c)], [x.shape[0], c, *dims], kernel_shape=[k, k], strides=[s, s], pads=[p] * 4)

    def pool(self):
        x = self.image()
        if x is None or min(self.least(d) for d in x.shape[2:]) < 2:
            return None
        k, ceil = self.r.choice([2, 3]), self.r.choice([0, 0, 1])
        if min(self.least(d) for d in x.shape[2:]) < k:
            return None
        op = self.r.choice(["MaxPool", "AveragePool"])
        dims = [derived(d, f"p{k}{ceil}", lambda n: (-((k - n) // 2) if ceil else (n - k) // 2) + 1) for d in x.shape[2:]]
        return self.node(op, [x], [*x.shape[:2], *dims], kernel_shape=[k, k], strides=[2, 2], ceil_mode=ceil)

    def resize(self):
        x = self.image()
        if x is None or any(max(at(d, e) for e in self.corners) > 26 for d in x.shape[2:]):
            return None
        mode = self.r.choice(["nearest", "linear"])
        dims = [derived(d, "*2", lambda n: 2 * n) for d in x.shape[2:]]
        return self.node("Resize", [x, "", self.const(np.float32([1, 1, 2, 2]))], [*x.shape[:2], *dims], mode=mode,
                         coordinate_transformation_mode="asymmetric" if mode == "nearest" else "half_pixel", **({"nearest_mode": "floor"} if mode == "nearest" else {}))

    def channel_norm(self):
        x = self.image()
        if x is None:
            return None
        c = x.shape[1]
        if self.r.random() < 0.3:
            return self.node("InstanceNormalization", [x, self.weight(c), self.weight(c)], x.shape, sums=True)
        return self.node("BatchNormalization", [x, self.weight(c), self.weight(c), self.weight(c), self.const(self.data.uniform(0.5, 2, c).astype(np.float32))], x.shape)

    def pooled(self):
        x = self.image()
        if x is None:
            return None
        s = self.node("GlobalAveragePool", [x], [*x.shape[:2], 1, 1], sums=True)
        s = self.node("Conv", [s, self.weight(x.shape[1], x.shape[1], 1, 1)], s.shape)
        return self.node("Mul", [x, self.node("Sigmoid", [s], s.shape)], x.shape)

    def as_tokens(self):
        x = self.image()
        if x is None or any(max(at(d, e) for e in self.corners) > 20 for d in x.shape[2:]):
            return None
        b, c, h, w = x.shape
        if isinstance(h, int) and isinstance(w, int):
            n = h * w
        else:
            n = Dim(f"({getattr(h, 'text', h)}*{getattr(w, 'text', w)})", lambda e: at(h, e) * at(w, e))
        y = self.node("Reshape", [x, self.ints(0, c, -1)])
        return self.node("Transpose", [y], [b, n, c], perm=[0, 2, 1])

    def conv3(self):
        x = self.image()
        if x is None or x.shape[1] % 2:
            return None
        k, c = self.r.choice([(1, 3, 1), (3, 3, 1), (2, 3, 3), (1, 1, 1), (2, 1, 1)]), self.r.choice([2, 5, 16])
        b, n, h, w = x.shape
        deep = self.r.choice([2, 4])
        five, p = self.node("Unsqueeze", [x, self.ints(deep)]), [e - 1 for e in k]
        y = self.node("Conv", [five, self.weight(c, n, *k), self.weight(c)], kernel_shape=k, pads=[e - e // 2 for e in p] + [e // 2 for e in p])
        return self.node("Squeeze", [y, self.ints(deep)], [b, c, h, w])

    # ---- regions, and sizes that data tells ----

    def branch(self):
        x = self.tokens()
        if x is None or x.loose:
            return None
        c = x.shape[2]
        m = self.node("ReduceMax", [x], [], keepdims=0)
        m = self.node("Greater", [m, self.const(np.float32(0.9))], [], B)
        w = [self.weight(c, c) for _ in range(2)]
        graphs = []
        for i in range(2):
            y = self.name("y")
            nodes = [helper.make_node("MatMul", [x.name, w[i]], [y + "a"]), helper.make_node(self.r.choice(["Relu", "Neg", "Tanh"]), [y + "a"], [y])]
            if self.r.random() < 0.3:
                nodes = [helper.make_node("Identity", [x.name], [y])]
            graphs.append(helper.make_graph(nodes, y + "g", [], [helper.make_tensor_value_info(y, F, None)]))
        return self.node("If", [m], x.shape, then_branch=graphs[0], else_branch=graphs[1])

    def steps(self):
        """A Scan over time, or a Loop of as many iterations as there are steps."""
        x = self.tokens()
        if x is None:
            return None
        b, t, c = x.shape
        w = self.weight(c, c)
        xt = self.node("Transpose", [x], perm=[1, 0, 2])
        first = self.node("Mul", [self.node("ReduceMax", [xt, self.ints(0)], keepdims=0), self.const(np.float32(0))])
        n = self.name("s")
        info = lambda k, s=None: helper.make_tensor_value_info(k, F, s)
        inner = [helper.make_node("MatMul", [n + "h", w], [n + "m"]), helper.make_node("Add", [n + "m", n + "x"], [n + "a"]),
                 helper.make_node("Tanh", [n + "a"], [n + "o"]), helper.make_node("Identity", [n + "o"], [n + "r"])]
        outs = [self.name("last"), self.name("rows")]
        if self.r.random() < 0.5:
            body = helper.make_graph(inner, n, [info(n + "h"), info(n + "x")], [info(n + "o"), info(n + "r")])
            self.nodes.append(helper.make_node("Scan", [first.name, xt.name], outs, body=body, num_scan_inputs=1))
        else:
            count = self.node("Gather", [self.node("Shape", [xt], kind=I), self.const(np.int64(0))], kind=I)
            inner = [helper.make_node("Gather", [xt.name, n + "i"], [n + "x"])] + inner + [helper.make_node("Identity", [n + "c"], [n + "d"])]
            body = helper.make_graph(inner, n, [helper.make_tensor_value_info(n + "i", I, []), helper.make_tensor_value_info(n + "c", B, []), info(n + "h")],
                                     [helper.make_tensor_value_info(n + "d", B, []), info(n + "o"), info(n + "r")])
            self.nodes.append(helper.make_node("Loop", [count.name, "", first.name], outs, body=body))
        rows = Value(outs[1], [t, b, c], F, x.loose)
        return self.node("Transpose", [rows], x.shape, perm=[1, 0, 2])

    def kept(self):
        """The steps whose first element is positive, for a product, and how many there are."""
        x = self.tokens()
        if x is None or x.loose:
            return None
        c = x.shape[2]
        flat = self.node("Reshape", [x, self.ints(-1, c)])
        m = self.node("Greater", [self.node("Squeeze", [self.node("Slice", [flat, self.ints(0), self.ints(1), self.ints(1)]), self.ints(1)]), self.const(np.float32(0))], kind=B)
        y = self.node("Compress", [flat, m], axis=0)
        y = self.node("MatMul", [y, self.weight(c, 5)])
        self.keep(Value(y.name, ["rows", 5], F, False, False))
        s = self.node("ReduceMax", [y, self.ints(1)], keepdims=0)
        return self.keep(self.node("Shape", [s], [1], I, told=False)) and None

    def make(self):
        r, d = self.r, self.dims
        family = r.choice(["tokens", "image", "both"])
        plain = [self.unary, self.unary, self.binary, self.reduce, self.softmax, self.concat, self.slice, self.pad, self.where]
        tokens = [self.dense, self.dense, self.narrow, self.norm, self.attention, self.product, self.recurrent, self.conv1, self.places, self.merge, self.branch,
                  self.steps, self.kept]
        image = [self.conv2, self.conv2, self.conv2, self.up, self.pool, self.resize, self.channel_norm, self.pooled, self.as_tokens, self.conv3]
        pool = list(plain)
        batch = r.choice([d["b"], d["b"], 1, 2])
        if family != "image":
            self.input([batch, d["steps"], r.choice([3, 8, 16, 110])])
            pool += tokens * 2
            if r.random() < 0.3:
                self.input([batch, d["steps"], r.choice([8, 110])])
        if family != "tokens":
            self.input([batch, r.choice([1, 3, 8]), d["h"], d["w"] if r.random() < 0.8 else 9])
            pool += image * 2 + (tokens if family == "image" else [])
        want = r.randint(3, 9)
        for _ in range(200):
            if len(self.values) >= want + len(self.inputs):
                break
            v = r.choice(pool)()
            if v is not None and len(v.shape) and max(np.prod([at(e, c) for e in v.shape], dtype=float) for c in self.corners) < 40000:
                self.keep(v)
        read = {i for n in self.nodes for i in n.input}
        ends = [v for v in self.values if v.name not in read and v not in self.inputs]
        self.outs = (ends or [self.values[-1]])[-6:]
        info = lambda v, known: helper.make_tensor_value_info(v.name, v.kind, [e.text if isinstance(e, Dim) else e for e in v.shape] if known else None)
        # Nodes that nothing reads are left out, so that no input is in vain.
        need, nodes = {v.name for v in self.outs}, []
        for n in reversed(self.nodes):
            if need & set(n.output):
                nodes.insert(0, n)
                need |= set(n.input)
                for a in n.attribute:
                    need |= {i for x in a.g.node for i in x.input}
        self.inputs = [v for v in self.inputs if v.name in need]
        self.used = {e.text for v in self.inputs for e in v.shape if isinstance(e, Dim)}
        g = helper.make_graph(nodes, "open", [info(v, True) for v in self.inputs], [info(v, False) for v in self.outs], [i for i in self.inits if i.name in need])
        return helper.make_model(g, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    def feeds(self, k):
        env = {n: hi if k == 0 else self.r.randint(lo, hi) if k > 1 else lo for n, (lo, hi) in RANGES.items()}
        return {v.name: self.data.uniform(-1, 1, [at(e, env) for e in v.shape]).astype(np.float32) for v in self.inputs}


def judge(model, sets):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    o.log_severity_level, o.intra_op_num_threads = 4, 1
    s = onnxruntime.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])
    return [s.run(None, f) for f in sets]


def draw(r, refused):
    while True:
        b = Build(r)
        model = b.make()
        sets = [b.feeds(k) for k in range(SETS)]
        if not b.inputs or not b.used:
            continue
        try:
            results = judge(model, sets)
        except Exception as e:  # whatever its bindings throw
            refused.append(str(e).splitlines()[0][:200])
            continue
        if all(np.isfinite(x).all() and (not x.size or abs(x).max() < 1e3) for xs in results for x in xs if x.dtype == np.float32):
            return b, model, sets, results


def write(folder, b, model, sets, results):
    os.makedirs(folder, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for k, (feeds, outs) in enumerate(zip(sets, results)):
        data = os.path.join(folder, f"test_data_set_{k}")
        os.makedirs(data, exist_ok=True)
        named = [("input", i, v.name, feeds[v.name]) for i, v in enumerate(b.inputs)] + [("output", i, v.name, x) for i, (v, x) in enumerate(zip(b.outs, outs))]
        for what, i, name, x in named:
            with open(os.path.join(data, f"{what}_{i}.pb"), "wb") as out:
                out.write(numpy_helper.from_array(np.asarray(x), name).SerializeToString())


def telling(report):
    lines = [l for l in report.splitlines() if l.strip()] or ["no output"]
    return next((l for l in lines if "WRONG" in l or "FAIL" in l or "error" in l.lower() or "nncc:" in l), lines[-1])[:400]


def run(command, env=None):
    try:
        p = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)
        return None if p.returncode == 0 else telling(p.stdout + p.stderr) + f" (exit status {p.returncode})"
    except subprocess.TimeoutExpired:
        return "no end within 600 s"


def interpreted(nncc, path, folder, b, sets, dims):
    """The first set by ranges, the others by the extents that they have."""
    for k, feeds in enumerate(sets):
        env = {d.text: n for v in b.inputs for d, n in zip(v.shape, feeds[v.name].shape) if isinstance(d, Dim)}
        given = [f"--dim={d}={n}" for d, n in env.items()] if k else dims
        said = run([nncc, "verify", path, os.path.join(folder, f"test_data_set_{k}"), "--interpret", *given])
        if said:
            return said
    return None


def one(nncc, seed, number, work, keep, interpret):
    refused = []
    b, model, sets, results = draw(random.Random(f"{seed}.{number}"), refused)
    folder = os.path.join(keep or work, f"network{number}")
    write(folder, b, model, sets, results)
    ranges = {n: RANGES[n] for n in sorted(b.used)}
    dims = [f"--dim={n}={lo}..{hi}" for n, (lo, hi) in ranges.items()]
    path = os.path.join(folder, "model.onnx")
    if interpret:
        said = interpreted(nncc, path, folder, b, sets, dims)
        if not keep:
            shutil.rmtree(folder)
        return number, refused, [f"interpreted: {said}"] if said else []
    failures = [("C", run([nncc, "verify", path, folder, "--cc", "cc -O0", *dims]))]
    if number % 3 == 0:
        failures.append(("interpreted", run([nncc, "verify", path, os.path.join(folder, "test_data_set_0"), "--interpret", *dims])))
    loose = ",".join(v.name for v in b.outs if v.loose)
    text = path[:-5] + ".onnx:" + ":".join(f"{n}={lo}..{hi}" for n, (lo, hi) in ranges.items()) + (f":~{loose}" if loose else "")
    env = dict(os.environ, NNCC_CFLAGS="-O1 -DNNCC_ISA=plain")
    failures.append(("sizes", run([sys.executable, os.path.join(here, "open_dims.py"), nncc, text], env)))
    if not keep:
        shutil.rmtree(folder)
    return number, refused, [f"{w}: {f}" for w, f in failures if f]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("nncc")
    p.add_argument("graphs", nargs="?", type=int, default=20)
    p.add_argument("seed", nargs="?", default="1")
    p.add_argument("--only", type=int)
    p.add_argument("--keep")
    p.add_argument("--interpret", action="store_true")
    a = p.parse_args()
    nncc = os.path.abspath(a.nncc)
    print(f"{a.graphs} networks, seed {a.seed}, ONNX Runtime {onnxruntime.__version__}")
    failed, refused = 0, []
    numbers = range(a.graphs) if a.only is None else [a.only]
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(one, nncc, a.seed, n, work, a.keep, a.interpret) for n in numbers]
        for j in concurrent.futures.as_completed(jobs):
            number, said, failures = j.result()
            refused += said
            failed += bool(failures)
            for f in failures:
                print(f"FAIL  network {number}, {f}", flush=True)
    print(f"ONNX Runtime refused {len(refused)} more")
    print(f"{len(numbers) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
