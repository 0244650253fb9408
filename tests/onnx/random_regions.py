"""Random graphs of nested If, Loop and Scan against ONNX Runtime.

usage: random_regions.py NNCC [GRAPHS] [SEED] [OPTIONS] [--only N] [--keep DIR]

A graph is a few operators, and regions up to three deep in each other: loops that count, that data ends, or both; values of several
types that are carried, exchanged, handed on or never changed; rows that are kept, read, or end early; values read from graphs
outside, at any depth. ONNX Runtime, without its optimizations, judges each on sets of data whose numbers of iterations and
conditions differ. `nncc verify` compares it as C, interpreted, and under so many other options (1; `all`), every EIGHTHth with
sanitizers and poison, every TWENTIETHth as CUDA in the emulator. A graph that differs is printed with its number, by which --only
makes it again; --keep leaves models and data. Last line: N passed, N failed.
"""
import argparse
import concurrent.futures
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

EIGHTH, TWENTIETH, SETS = 8, 20, 3
OPTIONS = [["-O0"], ["-O1"], ["-O3"], ["--target=c"], ["--off=fuse"], ["--off=simplify"], ["--off=layout"]]
SANITIZED = ["--poison", "--cc", "cc -O0 -fsanitize=address,undefined -fno-sanitize-recover"]
OPSETS = [13, 16, 18, 21]
ELEMENT = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
NUMPY = {"f": np.float32, "i": np.int64, "b": np.bool_}
MOST = 5  # iterations of a loop


class Value:
    def __init__(self, name, kind, shape):
        self.name, self.kind, self.shape = name, kind, tuple(shape)

    @property
    def type(self):
        return self.kind, self.shape


class Graph:
    """What a graph or region has so far; values of the ones outside are visible."""

    def __init__(self, build, outer=None):
        self.build, self.outer = build, outer
        self.nodes, self.inits, self.values = [], [], []
        self.depth = outer.depth + 1 if outer else 0

    def visible(self):
        g, found = self, []
        while g:
            found += g.values
            g = g.outer
        return found

    def node(self, op, inputs, *types, **attrs):
        b = self.build
        outs = [Value(b.name(op.lower()), *t) for t in types]
        names = [v if isinstance(v, str) else v.name if v else "" for v in inputs]
        while names and not names[-1] and (op != "Loop" or len(names) > 2):
            names.pop()
        self.nodes.append(helper.make_node(op, names, [v.name for v in outs], name=b.name("n"), **attrs))
        self.values += outs
        return outs[0] if len(outs) == 1 else outs

    def const(self, array):
        """A constant: of the network, of this region, or a node's."""
        b, where = self.build, self.build.r.random()
        name = b.name("c")
        t = numpy_helper.from_array(array, name)
        if where < 0.4:
            b.main.inits.append(t)
        elif where < 0.6:
            self.inits.append(t)
        else:
            self.nodes.append(helper.make_node("Constant", [], [name], value=t))
        return Value(name, {"f": "f", "i": "i", "b": "b"}[array.dtype.kind], array.shape)

    def ints(self, *x):
        return self.const(np.array(x, np.int64))

    def scalar(self, x, kind="i"):
        return self.const(np.array(x, NUMPY[kind]))


class Build:
    """One random model."""

    def __init__(self, r):
        self.r, self.count, self.inputs, self.rows, self.unread = r, 0, [], [], set()
        self.open = self.maybe(0.25)
        self.opset = r.choice(OPSETS)
        self.data = np.random.default_rng(r.getrandbits(32))
        self.main = Graph(self)

    def is_open(self):
        return any("N" in v.shape for v, _ in self.inputs)

    def maybe(self, p=0.5):
        return self.r.random() < p

    def name(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def floats(self, *shape):
        return self.data.uniform(-1, 1, shape).astype(np.float32)

    def input(self, kind, shape, draw):
        v = Value(self.name("x"), kind, shape)
        self.inputs.append((v, draw))
        self.main.values.append(v)
        return v

    # ---- values ----

    def shape(self):
        rank = self.r.choice([0, 1, 1, 2, 2, 3])
        s = [self.r.choice([1, 2, 3, 4]) for _ in range(rank)]
        if s and self.open and self.maybe():
            s[0] = "N"
        return tuple(s)

    def pick(self, g, kind, fits=lambda s: True, local=0.6):
        """A visible value, rather one of this graph."""
        near = [v for v in g.values if v.kind == kind and fits(v.shape)]
        far = [v for v in g.visible() if v.kind == kind and fits(v.shape)]
        if near and self.maybe(local):
            return self.r.choice(near[-6:])
        return self.r.choice(far) if far else None

    def some(self, g, kind, fits=lambda s: True):
        v = self.pick(g, kind, fits)
        if v is None:
            s = next(s for s in iter(self.shape, None) if "N" not in s and (fits(s) or not s))
            v = g.const(self.constant(kind, s))
        return v

    def constant(self, kind, shape):
        if kind == "f":
            return self.floats(*shape)
        return self.data.integers(0, 2 if kind == "b" else 5, shape).astype(NUMPY[kind])

    def condition(self, g):
        """One bool: of data, of a number, or of what is there."""
        how = self.r.random()
        b = self.pick(g, "b", lambda s: s == ())
        if b and how < 0.5:
            return b
        if how < 0.7:
            i = self.pick(g, "i", lambda s: s == ())
            if i:
                return g.node(self.r.choice(["Less", "Greater"]), [i, g.scalar(self.r.randint(0, 3))], ("b", ()))
        mean = self.mean(g, self.some(g, "f"))
        return g.node(self.r.choice(["Less", "Greater"]), [mean, g.scalar(self.r.uniform(-0.2, 0.2), "f")], ("b", ()))

    def mean(self, g, v):
        return g.node("ReduceMean", [v], ("f", ()), keepdims=0) if v.shape else v

    def typed(self, g, kind, shape, new=0.5):
        """A value of a type: one that is there, or made for it."""
        v = None if self.maybe(new) else self.pick(g, kind, lambda s: s == shape, 0.8)
        if v:
            return v
        like = self.pick(g, kind, lambda s: s == shape, 0.8)
        if kind == "f":
            base = like or g.const(self.constant("f", shape))
            other = self.pick(g, "f")
            if other and other.shape != shape:
                other = self.mean(g, other)
            y = g.node("Add", [base, other or base], ("f", shape))
            return g.node(self.r.choice(["Tanh", "Sigmoid", "Tanh"]), [y], ("f", shape))
        if kind == "i":
            base = like or g.const(self.constant("i", shape))
            y = g.node("Add", [base, g.scalar(self.r.randint(1, 3))], ("i", shape))
            return g.node("Mod", [y, g.scalar(self.r.choice([5, 7]))], ("i", shape))
        base = like or g.const(self.constant("b", shape))
        return g.node(self.r.choice(["And", "Or", "Xor"]), [base, self.condition(g)], ("b", shape))

    def local(self, g, v):
        """A region's result is a value of its own."""
        if v in g.values:
            return v
        return g.node("Identity", [v], v.type)

    # ---- operators ----

    def unary(self, g):
        v = self.some(g, "f")
        g.node(self.r.choice(["Tanh", "Sigmoid", "Relu", "Neg", "Abs", "Identity"]), [v], v.type)

    def binary(self, g):
        a = self.some(g, "f")
        b = self.pick(g, "f", lambda s: s == a.shape or s == () or (s and s == a.shape[-len(s):] and "N" not in s)) or a
        y = g.node(self.r.choice(["Add", "Sub", "Max", "Mul"]), [a, b], a.type)
        g.node("Mul", [y, g.scalar(0.5, "f")], a.type) if self.maybe(0.7) else g.node("Tanh", [y], a.type)

    def softmax(self, g):
        v = self.some(g, "f", lambda s: len(s) > 0)
        if v.shape:
            g.node("Softmax", [v], v.type, axis=self.r.choice([-1, len(v.shape) - 1]))

    def matmul(self, g):
        v = self.some(g, "f", lambda s: len(s) > 1 and s[-1] != "N")
        if len(v.shape) < 2:
            return
        k, n = v.shape[-1], self.r.choice([1, 2, 3, 4, 8])
        w = self.pick(g, "f", lambda s: len(s) == 2 and s[0] == k, 0.3) if self.maybe(0.4) else None
        w = w or g.const(self.floats(k, n))
        y = g.node("MatMul", [v, w], ("f", v.shape[:-1] + w.shape[1:]))
        g.node("Tanh", [y], y.type)

    def conv(self, g):
        v = self.some(g, "f", lambda s: len(s) == 2)
        if len(v.shape) != 2 or "N" in v.shape:
            return
        x = g.node("Unsqueeze", [v, g.ints(0, 1)], ("f", (1, 1) + v.shape))
        c = self.r.choice([1, 2, 4])
        y = g.node("Conv", [x, g.const(self.floats(c, 1, 3, 3) * np.float32(0.4))], ("f", (1, c) + v.shape), pads=[1, 1, 1, 1])
        if self.maybe():
            y = g.node("Relu", [y], y.type)
        if self.maybe(0.6):
            y = g.node("Conv", [y, g.const(self.floats(1, c, 3, 3) * np.float32(0.4))], ("f", (1, 1) + v.shape), pads=[1, 1, 1, 1])
            g.node("Reshape", [y, g.ints(*v.shape)], v.type)

    def reduce(self, g):
        v = self.some(g, "f", lambda s: len(s) > 0)
        if not v.shape:
            return
        axis, keep = self.r.randrange(len(v.shape)), self.r.randint(0, 1)
        s = v.shape[:axis] + (1,) * keep + v.shape[axis + 1:]
        if v.shape[axis] == "N":
            return
        op = self.r.choice(["ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum"])
        by_input = op == "ReduceSum" or self.opset >= 18
        y = g.node(op, [v, g.ints(axis)] if by_input else [v], ("f", s), keepdims=keep, **({} if by_input else {"axes": [axis]}))
        if op == "ReduceSum":
            g.node("Tanh", [y], y.type)

    def number(self, g, below):
        """A number that follows from an iteration number or from data, from 0 and below `below`."""
        i = self.pick(g, "i", lambda s: s == (), 0.8)
        if i is None:
            return g.scalar(self.r.randrange(below))
        return g.node("Mod", [i, g.scalar(below)], ("i", ()))

    def gather(self, g):
        v = self.some(g, "f", lambda s: len(s) > 0)
        if not v.shape:
            return
        axis = self.r.randrange(len(v.shape))
        if v.shape[axis] == "N":
            return
        at = self.number(g, v.shape[axis])
        if self.maybe():
            g.node("Gather", [v, at], ("f", v.shape[:axis] + v.shape[axis + 1:]), axis=axis)
            return
        start = g.node("Unsqueeze", [at, g.ints(0)], ("i", (1,)))
        end = g.node("Add", [start, g.ints(1)], ("i", (1,)))
        g.node("Slice", [v, start, end, g.ints(axis)], ("f", v.shape[:axis] + (1,) + v.shape[axis + 1:]))

    def concat(self, g):
        a = self.some(g, "f", lambda s: len(s) > 0)
        if not a.shape:
            return
        axis = self.r.randrange(len(a.shape))
        b = self.pick(g, "f", lambda s: len(s) == len(a.shape) and s[:axis] + s[axis + 1:] == a.shape[:axis] + a.shape[axis + 1:]) or a
        if "N" in (a.shape[axis], b.shape[axis]):
            return
        s = a.shape[:axis] + (a.shape[axis] + b.shape[axis],) + a.shape[axis + 1:]
        y = g.node("Concat", [a, b], ("f", s), axis=axis)
        if self.maybe(0.7) or s[axis] > 8:
            at = self.r.randint(0, b.shape[axis])
            g.node("Slice", [y, g.ints(at), g.ints(at + a.shape[axis]), g.ints(axis)], a.type)

    def where(self, g):
        a = self.some(g, "f")
        b = self.typed(g, "f", a.shape)
        c = self.pick(g, "b", lambda s: s in ((), a.shape)) or g.node("Less", [a, b], ("b", a.shape))
        g.node("Where", [c, a, b], a.type)

    def whole(self, g):
        """Integers and bools."""
        how = self.r.randrange(5)
        i = self.some(g, "i")
        if how == 0:
            g.node("Add", [i, self.pick(g, "i", lambda s: s in ((), i.shape)) or i], i.type)
            g.node("Mod", [g.values[-1], g.scalar(11)], i.type)
        elif how == 1:
            y = g.node("Cast", [i], ("f", i.shape), to=TensorProto.FLOAT)
            g.node("Mul", [y, g.scalar(0.125, "f")], y.type)
        elif how == 2:
            g.node("Equal", [g.node("Mod", [i, g.scalar(2)], i.type), g.scalar(0)], ("b", i.shape))
        elif how == 3:
            b = self.some(g, "b")
            g.node("Not", [b], b.type)
        else:
            b = self.some(g, "b")
            g.node("Cast", [b], ("f", b.shape), to=TensorProto.FLOAT)

    def move(self, g):
        v = self.some(g, "f", lambda s: len(s) == 2)
        if len(v.shape) == 2 and "N" not in v.shape:
            y = g.node("Transpose", [v], ("f", v.shape[::-1]), perm=[1, 0])
            if self.maybe():
                g.node("Reshape", [y, g.ints(-1)], ("f", (v.shape[0] * v.shape[1],)))

    def lstm(self, g):
        v = self.some(g, "f", lambda s: len(s) == 2)
        if len(v.shape) != 2 or "N" in v.shape or self.count > 400:
            return
        seq, width, hidden = v.shape[0], v.shape[1], self.r.randint(1, 3)
        x = g.node("Unsqueeze", [v, g.ints(1)], ("f", (seq, 1, width)))
        w = g.const(self.floats(1, 4 * hidden, width))
        k = g.const(self.floats(1, 4 * hidden, hidden))
        y, h = g.node("LSTM", [x, w, k], ("f", (seq, 1, 1, hidden)), ("f", (1, 1, hidden)), hidden_size=hidden)
        g.node("Squeeze", [y, g.ints(1, 2)], ("f", (seq, hidden)))

    # ---- regions ----

    def region(self, g, inputs, results, shapes=True, apart=()):
        """A GraphProto of a region; results in order. `apart`: inputs that ONNX Runtime 1.32 hands on wrongly."""
        def info(v, told):
            return helper.make_tensor_value_info(v.name, ELEMENT[v.kind], v.shape if told else None)
        outs, seen = [], set()
        for v in results:
            v = self.local(g, v)
            if v.name in seen or v in apart:
                v = g.node("Identity", [v], v.type)
            seen.add(v.name)
            outs.append(v)
        told = self.maybe(0.6)
        return helper.make_graph(g.nodes, self.name("g"), [info(v, told and shapes or v.shape == ()) for v in inputs],
                                 [info(v, shapes) for v in outs], g.inits)

    def branches(self, g):
        cond = self.condition(g)
        types = [self.r.choice(g.visible()).type for _ in range(self.r.randint(1, 3))]
        regions = []
        for _ in range(2):
            inner = Graph(self, g)
            self.statements(inner, self.r.randint(0, 3))
            regions.append(self.region(inner, [], [self.typed(inner, *t) for t in types]))
        g.node("If", [cond], *types, then_branch=regions[0], else_branch=regions[1])

    def carried_types(self, g):
        types = []
        for _ in range(self.r.choice([0, 1, 1, 2, 2, 3, 4])):
            how = self.r.random()
            if types and how < 0.3:
                types.append(types[-1])
            elif how < 0.6:
                types.append(("f", self.shape()))
            else:
                types.append(self.r.choice(g.visible()).type)
        return types

    def initial(self, g, kind, shape):
        if "N" in shape and not any(v.type == (kind, shape) for v in g.visible()):
            return None
        return self.typed(g, kind, shape, 0.3)

    def trip_inputs(self, g, kind):
        """M and cond of a loop, and the most iterations it makes."""
        r = self.r
        true = lambda: g.scalar(True, "b")
        if kind == "static":
            n = r.choice([0, 1, 2, 3, 3, 4, MOST])
            return g.scalar(n) if self.maybe(0.8) else g.ints(n), r.choice([None, true()]), n
        if kind == "given":
            return r.choice(self.trips), r.choice([None, true()]), None
        if kind == "while":
            return None, r.choice([true(), self.condition(g)]), None
        if kind == "counted":
            return g.scalar(MOST + 3), true(), None
        return g.scalar(r.randint(1, MOST)), r.choice([true(), self.condition(g)]), None

    def next_condition(self, g, kind, i, cond, limit):
        if kind in ("static", "given"):
            return cond if self.maybe() else g.node("Identity", [cond], ("b", ())) if self.maybe() else g.scalar(True, "b")
        below = g.node("Less", [g.node("Add", [i, g.scalar(1)], ("i", ())), g.scalar(limit)], ("b", ()))
        if kind == "counted":
            return g.node("And", [below, cond], ("b", ())) if self.maybe() else below
        return g.node("And", [below, self.condition(g)], ("b", ()))

    def loop(self, g):
        kind = self.r.choice(["static", "static", "static", "given", "while", "both", "counted"])
        m, cond, trips = self.trip_inputs(g, kind)
        limit = self.r.randint(1, MOST)
        if kind == "counted":
            trips = limit
        types = self.carried_types(g)
        grown = None
        if trips is not None and trips <= 4 and kind == "static" and self.maybe(0.15):
            grown = ("f", (self.r.randint(1, 3), self.r.randint(1, 3)))
            types.append(grown)
        first = [self.initial(g, *t) for t in types]
        types, first = [t for t, v in zip(types, first) if v], [v for v in first if v]
        body = Graph(self, g)
        i, more = Value(self.name("i"), "i", ()), Value(self.name("more"), "b", ())
        inputs = [Value(self.name("in"), *t) for t in types]
        hidden = inputs[-1] if grown else None  # its shape is no constant in the body
        body.values = [i, more] + [v for v in inputs if v is not hidden]
        self.statements(body, self.r.randint(1, 4))
        after = []
        for v in inputs:
            if v is hidden:
                row = self.typed(body, "f", (1, grown[1][1]))
                name = self.name("grown")
                body.nodes.append(helper.make_node("Concat", [hidden.name, row.name], [name], axis=0))
                after.append(Value(name, *grown))
                body.values.append(after[-1])
            elif self.maybe(0.15):
                after.append(v)
            else:
                after.append(self.typed(body, *v.type))
        rows = [self.r.choice([v for v in body.values if v not in after or v.type != grown] or [i])
                for _ in range(self.r.choice([0, 0, 1, 1, 2]))]
        rows = [v for v in rows if not hidden or v.name not in (hidden.name, after[-1].name)]
        if not after and not rows:
            rows = [i]
        go_on = self.next_condition(body, kind, i, more, limit)
        graph = self.region(body, [i, more] + inputs, [go_on] + after + rows, not hidden, apart=[i])
        exact = kind in ("static", "counted")
        kept = []
        for v in rows:
            bounded = exact or (kind == "both" and g is self.main)
            kept.append((v.kind, (trips if exact else "ends",) + v.shape) if bounded and self.maybe(0.8) else None)
        results = list(types)
        if grown:
            results[-1] = ("f", (grown[1][0] + trips, grown[1][1]))
        if not any(results + kept):
            if not exact:
                return
            kept[0] = (rows[0].kind, (trips,) + rows[0].shape)
        unread = [t is None for t in kept]
        outs = results + [t or (v.kind, ("ends",) + v.shape) for t, v in zip(kept, rows)]
        made = g.node("Loop", [m, cond] + first, *outs, body=graph)
        made = made if isinstance(made, list) else [made]
        for v, u in zip(made[len(results):], unread):
            if u and self.maybe():
                self.unread.add(v.name)
            if u or "ends" in v.shape or 0 in v.shape:
                g.values.remove(v)
                if not u and g is self.main:
                    self.rows.append(v)

    def scan(self, g):
        scanned = [self.pick(g, "f", lambda s: len(s) > 0)]
        if not scanned[0]:
            return
        axes = [self.r.randrange(len(scanned[0].shape))]
        length = scanned[0].shape[axes[0]]
        if self.maybe(0.4):
            other = self.pick(g, "f", lambda s: length in s)
            scanned.append(other)
            axes.append(other.shape.index(length))
        types = self.carried_types(g)
        first = [self.initial(g, *t) for t in types]
        types, first = [t for t, v in zip(types, first) if v], [v for v in first if v]
        body = Graph(self, g)
        inputs = [Value(self.name("in"), *t) for t in types]
        elements = [Value(self.name("e"), "f", v.shape[:a] + v.shape[a + 1:]) for v, a in zip(scanned, axes)]
        body.values = inputs + elements
        self.statements(body, self.r.randint(1, 4))
        after = [v if self.maybe(0.1) else self.typed(body, *v.type) for v in inputs]
        rows = [self.r.choice(body.values) for _ in range(self.r.choice([1, 1, 2]))]
        graph = self.region(body, inputs + elements, after + rows, apart=inputs + elements)
        attrs, shapes = {}, []
        out_axes = [self.r.randint(0, len(v.shape)) for v in rows]
        for v, a in zip(rows, out_axes):
            shapes.append((v.kind, v.shape[:a] + (length,) + v.shape[a:]))
        if any(axes) or self.maybe(0.3):
            attrs["scan_input_axes"] = [a - len(v.shape) if self.maybe(0.2) else a for a, v in zip(axes, scanned)]
        if any(out_axes):
            attrs["scan_output_axes"] = out_axes
        for key, n in (("scan_input_directions", len(scanned)), ("scan_output_directions", len(rows))):
            if self.maybe(0.4) and (length != "N" or key[5] == "i"):
                attrs[key] = [self.r.randint(0, 1) for _ in range(n)]
        g.node("Scan", first + scanned, *(types + shapes), num_scan_inputs=len(scanned), body=graph, **attrs)
        for v in g.values[-len(shapes):]:
            if "N" in v.shape[1:] or v.shape.count("N") > 1:
                g.values.remove(v)

    def statements(self, g, n):
        plain = [self.unary, self.binary, self.binary, self.softmax, self.matmul, self.conv, self.reduce, self.gather, self.gather,
                 self.concat, self.where, self.whole, self.whole, self.move]
        for _ in range(n):
            if g.depth < 3 and self.count < 500 and self.maybe(0.35 if g.depth else 0.6):
                self.r.choice([self.branches, self.loop, self.loop, self.scan])(g)
            elif g.depth and self.maybe(0.04):
                self.lstm(g)
            else:
                self.r.choice(plain)(g)

    # ---- the model ----

    def make(self):
        uniform = lambda s: (lambda d, n: d.uniform(-1, 1, [n if e == "N" else e for e in s]).astype(np.float32))
        shapes = [(3, 4), (4,)] + [self.shape() for _ in range(self.r.randint(1, 3))] + ([("N", 3)] if self.open else [])
        for s in shapes:
            self.input("f", s, uniform(s))
        trips = lambda s: (lambda d, n: d.integers(0, MOST + 1, s))
        self.trips = [self.input("i", (), trips(())), self.input("i", (1,), trips((1,)))][:self.r.randint(1, 2)]
        self.input("b", (), lambda d, n: d.integers(0, 2, ()).astype(bool))
        self.input("i", (3,), lambda d, n: d.integers(0, 5, 3))
        while not any(n.op_type in ("If", "Loop", "Scan") for n in self.main.nodes):
            self.statements(self.main, self.r.randint(2, 6))
        g = self.main
        read = {i for n in g.nodes for i in n.input}
        ends = [v for v in g.values if v.name not in read and v not in [i for i, _ in self.inputs] and 0 not in v.shape]
        regional = {o for n in g.nodes if n.op_type in ("If", "Loop", "Scan") for o in n.output}
        more = [v for v in g.values if v.name in regional and v.name in read and 0 not in v.shape and self.maybe(0.3)]
        outs = [v for v in ends[-8:] + more[:2] + self.rows[:3] if "N" not in v.shape[1:]]
        self.names = [v.name for v in outs]
        info = lambda v: helper.make_tensor_value_info(v.name, ELEMENT[v.kind], None if "ends" in v.shape else v.shape)
        graph = helper.make_graph(g.nodes, "regions", [info(v) for v, _ in self.inputs], [info(v) for v in outs], g.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8 if self.opset < 21 else 10
        return model

    def feeds(self, k):
        n = int(self.data.integers(1, 5)) if k else 4
        return {v.name: np.asarray(draw(self.data, n)) for v, draw in self.inputs}


# ---- judging ----

def judge(model, sets):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    o.log_severity_level = 4
    o.intra_op_num_threads = 1
    s = onnxruntime.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])
    return [s.run(None, f) for f in sets]


def draw(r):
    """A model that ONNX Runtime takes and runs to results that tell something; how many it refused."""
    refused = 0
    while True:
        b = Build(r)
        model = b.make()
        sets = [b.feeds(k) for k in range(SETS)]
        try:
            results = judge(model, sets)
        except Exception:  # whatever its bindings throw
            refused += 1
            continue
        if b.names and all(x.size and np.isfinite(x).all() and abs(x).max() < 1e3 for xs in results for x in xs if x.dtype == np.float32):
            return b, model, sets, results, refused


def leave_out(graph, names):
    """Results that nobody reads, which ONNX Runtime wants to have names."""
    for n in graph.node:
        n.output[:] = ["" if o in names else o for o in n.output]
        while not n.output[-1]:
            n.output.pop()
        for a in n.attribute:
            if a.HasField("g"):
                leave_out(a.g, names)


def write(folder, b, model, sets, results):
    leave_out(model.graph, b.unread)
    os.makedirs(folder, exist_ok=True)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for k, (feeds, outs) in enumerate(zip(sets, results)):
        data = os.path.join(folder, f"test_data_set_{k}")
        os.makedirs(data, exist_ok=True)
        named = [("input", i, v.name, feeds[v.name]) for i, (v, _) in enumerate(b.inputs)]
        named += [("output", i, name, x) for i, (name, x) in enumerate(zip(b.names, outs))]
        for what, i, name, x in named:
            with open(os.path.join(data, f"{what}_{i}.pb"), "wb") as out:
                out.write(numpy_helper.from_array(np.asarray(x), name).SerializeToString())


def telling(report):
    """The line of a report that says most."""
    lines = report.splitlines() or ["no output"]
    return next((l for l in lines if "WRONG" in l or "ERROR" in l or "error" in l or "nncc:" in l), lines[0])


def check(nncc, folder, b, ways):
    failures = []
    for way in ways:
        sets = os.path.join(folder, "test_data_set_0") if "--interpret" in way else folder  # only that one has the largest extents
        command = [nncc, "verify", os.path.join(folder, "model.onnx"), sets] + way + (["--dim", "N=1..4"] if b.is_open() else [])
        try:
            p = subprocess.run(command, capture_output=True, text=True, timeout=600)
            code, text = p.returncode, p.stdout + p.stderr
        except subprocess.TimeoutExpired:
            code, text = -1, "error: no end within 600 s"
        if code:
            failures.append(f"{' '.join(way)}: {telling(text)} (exit status {code})")
    return failures


def ways_of(r, number, options):
    ways = [["--cc", "cc -O1"], ["--interpret"]]
    if options == "all":
        ways += [o + ["--cc", "cc -O1"] for o in OPTIONS[:3]]
    else:
        ways += [o + ["--cc", "cc -O0"] for o in r.sample(OPTIONS, int(options))]
    if number % EIGHTH == EIGHTH - 1:
        ways.append(SANITIZED)
    if number % TWENTIETH == TWENTIETH - 1:
        ways.append(["--target=cuda"])
    return ways


def one(nncc, seed, number, options, work, keep):
    r = random.Random(f"{seed}.{number}")
    b, model, sets, results, refused = draw(r)
    folder = os.path.join(keep or work, f"graph{number}")
    write(folder, b, model, sets, results)
    failures = check(nncc, folder, b, ways_of(r, number, options))
    if not keep:
        shutil.rmtree(folder)
    return number, refused, failures


def main():
    p = argparse.ArgumentParser()
    p.add_argument("nncc")
    p.add_argument("graphs", nargs="?", type=int, default=25)
    p.add_argument("seed", nargs="?", default="1")
    p.add_argument("options", nargs="?", default="1")
    p.add_argument("--only", type=int)
    p.add_argument("--keep")
    a = p.parse_args()
    nncc = os.path.abspath(a.nncc)
    print(f"{a.graphs} graphs, seed {a.seed}, ONNX Runtime {onnxruntime.__version__}")
    failed = refused = 0
    numbers = range(a.graphs) if a.only is None else [a.only]
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(one, nncc, a.seed, n, a.options, work, a.keep) for n in numbers]
        for j in jobs:
            number, n, failures = j.result()
            refused += n
            failed += bool(failures)
            for f in failures:
                print(f"FAIL  graph {number}, {f}", flush=True)
    print(f"ONNX Runtime refused {refused} more")
    print(f"{len(numbers) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
