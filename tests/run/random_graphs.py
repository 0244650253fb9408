"""usage: random_graphs.py NNCC COUNT [SEED [OPTION...]]: random networks of elementwise nodes, reductions, moves, casts, products and pools, whose
fused nests have to agree with nncc's own arithmetic in double, node by node
(or with OPTIONs of verify instead of --interpret). A network that fails is left in fails-SEED.nn."""
import os
import random
import subprocess
import sys

UNARY = ["Relu", "Exp", "Tanh", "Neg", "Sigmoid", "Abs"]
BINARY = ["Add", "Sub", "Mul", "Max", "Min"]


class Net:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.lines, self.inputs, self.values = [], [], []
        for shape in ([5, 12], [12], [5, 1], [5, 12], [1], [2, 3, 6, 6]):
            self.values.append((f"%in{len(self.inputs)}", shape))
            self.inputs.append(f"%in{len(self.inputs)}: f32{shape}".replace(" ", ""))
            self.inputs[-1] = self.inputs[-1].replace(":", ": ")

    def new(self, text, shape):
        self.values.append((f"%v{len(self.lines)}", shape))
        self.lines.append(f"  %v{len(self.lines)} = {text}")

    def pick(self, fits=lambda s: True):
        """A value, rather a young one."""
        some = [v for v in self.values if fits(v[1])]
        return some[min(int(self.r.expovariate(0.25)), len(some) - 1) * -1 - 1] if some else None

    def elementwise(self):
        x, shape = self.pick()
        op = self.r.choice(UNARY)
        if self.r.random() < 0.1:
            self.cast(x, shape)
        else:
            self.new(f"Exp(Min({x}, 2.0))" if op == "Exp" else f"{op}({x})", shape)

    def cast(self, x, shape):
        self.new(f"Cast({x}) {{to = {self.r.choice([10, 11, 11])}}}", shape)
        self.new(f"Cast(%v{len(self.lines) - 1}) {{to = 1}}", shape)
        self.values.pop(-2)

    def binary(self):
        x, a = self.pick()
        y, b = self.pick(lambda s: len(s) == len(a) and all(i == j or 1 in (i, j) for i, j in zip(s, a)) or s == [1] or s == a[-1:])
        n = max(len(a), len(b))
        a, b = [1] * (n - len(a)) + a, [1] * (n - len(b)) + b
        self.new(f"{self.r.choice(BINARY)}({x}, {y})", [max(i, j) for i, j in zip(a, b)])

    def reduction(self):
        x, shape = self.pick(lambda s: len(s) > 1)
        axes = sorted(self.r.sample(range(len(shape)), self.r.choice([1, 1, 2])) if self.r.random() < 0.5 else [len(shape) - 1])
        op = self.r.choice(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"])
        self.new(f"{op}({x}, {axes})", [1 if i in axes else d for i, d in enumerate(shape)])

    def normal(self):
        """A softmax or a layer norm, written out."""
        x, shape = self.pick(lambda s: len(s) > 1 and s[-1] > 1)
        last, row = len(shape) - 1, shape[:-1] + [1]
        self.new(f"{self.r.choice(['ReduceMax', 'ReduceMean'])}({x}, [{last}])", row)
        m = self.values[-1][0]
        self.new(f"Sub({x}, {m})", shape)
        d = self.values[-1][0]
        if self.r.random() < 0.5:
            self.new(f"Exp(Min({d}, 3.0))", shape)
            e = self.values[-1][0]
            self.new(f"Div({e}, ReduceSum({e}, [{last}]))", shape)
        else:
            self.new(f"Div({d}, Sqrt(Add(ReduceMean(Mul({d}, {d}), [{last}]), 1e-3)))", shape)

    def product(self):
        x, shape = self.pick(lambda s: len(s) == 2 and s[1] == 12)
        y, other = self.pick(lambda s: len(s) == 2 and s[0] == 5)
        self.new(f"MatMul(Transpose({y}) {{perm = [1, 0]}}, {x})", [other[1], 12]) if shape[0] == 5 else self.new(
            f"MatMul({x}, Transpose(%in0) {{perm = [1, 0]}})", [shape[0], 5])

    def image(self):
        x, shape = self.pick(lambda s: len(s) == 4 and min(s[2:]) >= 4)
        kind = self.r.randrange(4)
        n, c, h, w = shape
        if kind == 0:
            self.new(f"Pad({x}, [0, 0, 1, 0, 0, 0, 1, 2])", [n, c, h + 2, w + 2])
        elif kind == 1:
            self.new(f"{self.r.choice(['MaxPool', 'AveragePool'])}({x}) {{kernel_shape = [2, 2], strides = [1, 2]}}", [n, c, h - 1, (w - 2) // 2 + 1])
        elif kind == 2:
            self.new(f"Transpose({x}) {{perm = [0, 1, 3, 2]}}", [n, c, w, h])
        else:
            self.new(f"Slice({x}, [1], [{h}], [2])", [n, c, h - 1, w])

    def text(self, n):
        makers = [self.elementwise] * 4 + [self.binary] * 5 + [self.reduction] * 2 + [self.normal, self.product, self.image, self.image]
        for _ in range(n):
            self.r.choice(makers)()
        read = "\n".join(self.lines)
        ends = [v for v, _ in self.values if v.startswith("%v") and f"({v}," not in read and f"({v})" not in read and f", {v}" not in read]
        return f"network @f({', '.join(self.inputs)}) {{\n{read}\n  return {', '.join(ends)}\n}}\n"


def main():
    nncc, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    options = sys.argv[4:] or ["--interpret"]
    wrong = 0
    for s in range(seed, seed + count):
        path = f"fails-{s}.nn"
        with open(path, "w") as f:
            f.write(Net(s).text(4 + s % 29))
        done = subprocess.run([nncc, "verify", path, *options, "--rtol=1e-2", "--atol=1e-2"], capture_output=True, text=True)
        if done.returncode == 0:
            os.remove(path)
            continue
        wrong += 1
        print(f"seed {s}: {(done.stderr + done.stdout).strip()[:600]}")
    print(f"{count - wrong} networks agree, {wrong} do not")
    return wrong > 0


sys.exit(main())
