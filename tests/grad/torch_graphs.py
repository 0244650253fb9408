"""Random graphs of many operators, each beside the same in PyTorch: graph(rng) gives a case as torch_cases.py does.

Every node reads values made before it, newer ones rather; what nothing reads is an output. Values stay within a few hundred elements.
"""
import math

import torch

F = torch.nn.functional
MOST = 400


class Graph:
    def __init__(self, rng):
        self.rng, self.inputs, self.text, self.consts, self.shape, self.steps, self.unread = rng, [], [], [], {}, [], []

    def new_input(self, shape):
        name = "x%d" % len(self.inputs)
        self.inputs.append((name, list(shape)))
        self.shape[name] = list(shape)
        return name

    def value(self, rank=None):
        """A value of that rank, one of the newest; a new input if there is none."""
        rng = self.rng
        fit = [n for n, s in self.shape.items() if rank is None or len(s) == rank]
        if not fit:
            return self.new_input([rng.randint(1, 5) for _ in range(rank)])
        return fit[-1 - min(int(rng.expovariate(0.5)), len(fit) - 1)]

    def add(self, text, reads, f, shape):
        """One node: its text with {} for what it reads, what it computes, the shape of the result."""
        if math.prod(shape) > MOST or not math.prod(shape):
            return
        name = "v%d" % len(self.steps)
        self.text.append("%%%s = %s" % (name, text.format(*("%" + r for r in reads))))
        self.steps.append((name, reads, f))
        self.unread = [u for u in self.unread if u not in reads] + [name]
        self.shape[name] = list(shape)

    def table(self, values, kind="i64"):
        name = "c%d" % len(self.consts)
        self.consts.append("const %%%s: %s[%d] = [%s]" % (name, kind, len(values), ", ".join(map(str, values))))
        return "%" + name


UNARY = [("Tanh({})", torch.tanh), ("Sigmoid({})", torch.sigmoid), ("Sin({})", torch.sin), ("Relu({})", torch.relu), ("Softplus({})", lambda x: F.softplus(x, threshold=1e9)),
         ("Gelu({})", F.gelu), ("Abs({})", torch.abs), ("Sqrt(Add(Abs({}), 0.5))", lambda x: torch.sqrt(torch.abs(x) + 0.5)), ("Exp(Tanh({}))", lambda x: torch.exp(torch.tanh(x))),
         ("Log(Add(Abs({}), 1.0))", lambda x: torch.log(torch.abs(x) + 1)), ("Erf({})", torch.erf), ("Neg({})", torch.neg), ("Mul({}, 0.5)", lambda x: x * 0.5),
         ("Clip({}, -1.0, 1.5)", lambda x: torch.clamp(x, -1, 1.5)), ("Mish({})", F.mish), ("Swish({})", F.silu), ("Cos({})", torch.cos), ("Atan({})", torch.atan)]
BINARY = [("Add({}, {})", torch.add), ("Sub({}, {})", torch.sub), ("Mul({}, {})", torch.mul), ("Div({}, Add(Abs({}), 1.0))", lambda a, b: a / (b.abs() + 1)),
          ("Max({}, {})", torch.maximum), ("Min({}, {})", torch.minimum), ("Where(Greater({0}, 0.0), {0}, {1})", lambda a, b: torch.where(a > 0, a, b))]


def unary(g):
    x = g.value()
    text, f = g.rng.choice(UNARY)
    g.add(text, [x], f, g.shape[x])


def binary(g):
    a = g.value()
    same = [n for n, s in g.shape.items() if s == g.shape[a]]
    b = g.rng.choice(same) if g.rng.random() < 0.6 else g.new_input([1 if g.rng.random() < 0.4 else d for d in g.shape[a][g.rng.randint(0, len(g.shape[a])):]])
    text, f = g.rng.choice(BINARY)
    g.add(text, [a, b], f, g.shape[a])


def product(g):
    a = g.value(g.rng.choice([2, 3]))
    b = g.new_input([g.shape[a][-1], g.rng.randint(1, 5)])
    g.add("MatMul({}, {})", [a, b], torch.matmul, g.shape[a][:-1] + [g.shape[b][1]])


def reduction(g):
    x = g.value()
    s = g.shape[x]
    if not s:
        return
    axis, keep = g.rng.randrange(len(s)), g.rng.randint(0, 1)
    name, f = g.rng.choice([("ReduceSum", torch.sum), ("ReduceMean", torch.mean), ("ReduceMax", torch.amax), ("ReduceMin", torch.amin), ("ReduceLogSumExp", torch.logsumexp),
                            ("ReduceL2", lambda v, dim, keepdim: torch.sqrt((v * v).sum(dim, keepdim) + 0)), ("ReduceProd", torch.prod)])
    g.add("%s({}, [%d]) {{keepdims = %d}}" % (name, axis, keep), [x], lambda v: f(v, dim=axis, keepdim=bool(keep)), [1 if i == axis else d for i, d in enumerate(s) if i != axis or keep])


def along(g):
    x = g.value()
    s = g.shape[x]
    if not s:
        return
    axis = g.rng.randrange(len(s))
    text, f = g.rng.choice([("Softmax({}) {{axis = %d}}" % axis, lambda v: v.softmax(axis)), ("LogSoftmax({}) {{axis = %d}}" % axis, lambda v: v.log_softmax(axis)),
                            ("CumSum({}, %d)" % axis, lambda v: v.cumsum(axis)), ("CumProd({}, %d)" % axis, lambda v: v.cumprod(axis)),
                            ("LpNormalization({}) {{axis = %d}}" % axis, lambda v: v / v.norm(dim=axis, keepdim=True))])
    g.add(text, [x], f, s)


def movement(g):
    x, rng = g.value(), g.rng
    s = g.shape[x]
    if not s:
        return
    axis = rng.randrange(len(s))
    kind = rng.choice(["transpose", "slice", "flip", "gather", "tile", "expand", "reshape", "pad", "split", "elements"])
    if kind == "transpose":
        perm = rng.sample(range(len(s)), len(s))
        g.add("Transpose({}) {{perm = %s}}" % perm, [x], lambda v: v.permute(perm), [s[p] for p in perm])
    elif kind == "slice" and s[axis] > 1:
        lo = rng.randint(0, s[axis] - 1)
        hi = rng.randint(lo + 1, s[axis])
        g.add("Slice({}, [%d], [%d], [%d])" % (lo, hi, axis), [x], lambda v: v.narrow(axis, lo, hi - lo), s[:axis] + [hi - lo] + s[axis + 1:])
    elif kind == "flip":
        g.add("Slice({}, [-1], [-99], [%d], [-1])" % axis, [x], lambda v: v.flip(axis), s)
    elif kind == "gather":
        at = [rng.randrange(s[axis]) for _ in range(rng.randint(1, 5))]
        g.add("Gather({}, %s) {{axis = %d}}" % (g.table(at), axis), [x], lambda v: v.index_select(axis, torch.tensor(at)), s[:axis] + [len(at)] + s[axis + 1:])
    elif kind == "elements":
        at = [rng.randrange(s[axis]) for _ in range(math.prod(s))]
        g.add("GatherElements({}, Reshape(%s, %s)) {{axis = %d}}" % (g.table(at), s, axis), [x], lambda v: v.gather(axis, torch.tensor(at).reshape(s)), s)
    elif kind == "tile":
        times = [rng.randint(1, 2) for _ in s]
        g.add("Tile({}, %s)" % times, [x], lambda v: v.repeat(times), [d * t for d, t in zip(s, times)])
    elif kind == "expand":
        to = [rng.randint(1, 3)] + s
        g.add("Expand({}, %s)" % to, [x], lambda v: v.expand(to), to)
    elif kind == "reshape":
        to = [s[0], math.prod(s[1:])] if rng.random() < 0.5 else [math.prod(s)]
        g.add("Reshape({}, %s)" % to, [x], lambda v: v.reshape(to), to)
    elif kind == "split" and s[axis] > 1:
        first = rng.randint(1, s[axis] - 1)
        name = "s%d" % len(g.steps)
        g.text.append("%%%s, %%%s.rest = Split(%%%s, [%d, %d]) {axis = %d}" % (name, name, x, first, s[axis] - first, axis))
        g.add("Identity(%%%s.rest)" % name, [x], lambda v: v.narrow(axis, first, s[axis] - first), s[:axis] + [s[axis] - first] + s[axis + 1:])
    elif kind == "pad":
        padding(g, x, s, axis)


def padding(g, x, s, axis):
    mode = g.rng.choice(["constant", "reflect", "edge", "wrap"])
    most = s[axis] - 1 if mode == "reflect" else s[axis]
    before, after = g.rng.randint(0, most), g.rng.randint(0, most)
    n = s[axis]
    source = {"reflect": lambda i: n - 1 - abs(n - 1 - abs(i)), "edge": lambda i: min(max(i, 0), n - 1), "wrap": lambda i: i % n, "constant": lambda i: i if 0 <= i < n else n}[mode]
    at = torch.tensor([source(i - before) for i in range(before + n + after)])

    def meaning(v):
        zeros = torch.zeros_like(v.narrow(axis, 0, 1))
        return torch.cat([v, zeros], axis).index_select(axis, at)

    g.add("Pad({}, [%d, %d], _, [%d]) {{mode = %s}}" % (before, after, axis, mode), [x], meaning, s[:axis] + [before + n + after] + s[axis + 1:])


def join(g):
    x = g.value()
    s = g.shape[x]
    if not s:
        return
    axis = g.rng.randrange(len(s))
    fit = [n for n, t in g.shape.items() if len(t) == len(s) and t[:axis] + t[axis + 1:] == s[:axis] + s[axis + 1:]]
    others = [g.rng.choice(fit) for _ in range(g.rng.randint(1, 2))]
    total = s[axis] + sum(g.shape[o][axis] for o in others)
    g.add("Concat({}%s) {{axis = %d}}" % (", {}" * len(others), axis), [x] + others, lambda *v: torch.cat(v, axis), s[:axis] + [total] + s[axis + 1:])


def picture(g):
    """Convolutions, pools, norms and resampling of [N,C,H,W]."""
    rng = g.rng
    x = g.value(4)
    n, c, h, w = s = g.shape[x]
    kind = rng.choice(["conv", "transposed", "max", "mean", "norm", "resize", "nearest", "group", "depth", "global"])
    if kind == "conv":
        k, out = g.new_input([rng.randint(1, 3), c, min(2, h), min(2, w)]), None
        out = g.shape[k][0]
        b = g.new_input([out])
        g.add("Conv({}, {}, {}) {{pads = [1, 0, 0, 1]}}", [x, k, b], lambda v, q, r: F.conv2d(F.pad(v, (0, 1, 1, 0)), q, r), [n, out, h + 2 - g.shape[k][2], w + 2 - g.shape[k][3]])
    elif kind == "transposed":
        k = g.new_input([c, 2, 2, 2])
        g.add("ConvTranspose({}, {}) {{strides = [2, 1]}}", [x, k], lambda v, q: F.conv_transpose2d(v, q, stride=(2, 1)), [n, 2, 2 * h, w + 1])
    elif kind == "max" and h > 1 and w > 1:
        g.add("MaxPool({}) {{kernel_shape = [2, 2]}}", [x], lambda v: F.max_pool2d(v, 2, 1), [n, c, h - 1, w - 1])
    elif kind == "mean" and h > 1:
        g.add("AveragePool({}) {{kernel_shape = [2, 1], strides = [2, 1]}}", [x], lambda v: F.avg_pool2d(v, (2, 1)), [n, c, h // 2, w])
    elif kind == "norm" and h * w > 1:
        a, b = g.new_input([c]), g.new_input([c])
        g.add("InstanceNormalization({}, {}, {}) {{epsilon = 0.125}}", [x, a, b], lambda v, q, r: F.instance_norm(v, weight=q, bias=r, eps=0.125), s)
    elif kind == "group":
        a, b = g.new_input([c]), g.new_input([c])
        g.add("GroupNormalization({}, {}, {}) {{num_groups = 1, epsilon = 0.125}}", [x, a, b], lambda v, q, r: F.group_norm(v, 1, q, r, 0.125), s)
    elif kind == "resize":
        size = [rng.randint(1, 6), rng.randint(1, 6)]
        g.add("Resize({}, _, _, [%d, %d, %d, %d]) {{mode = linear}}" % (n, c, *size), [x], lambda v: F.interpolate(v, size=size, mode="bilinear"), [n, c] + size)
    elif kind == "nearest":
        g.add("Resize({}, _, [1, 1, 2, 2]) {{coordinate_transformation_mode = asymmetric, nearest_mode = floor}}", [x], lambda v: F.interpolate(v, scale_factor=2), [n, c, 2 * h, 2 * w])
    elif kind == "depth" and c % 4 == 0:
        g.add("DepthToSpace({}) {{blocksize = 2, mode = CRD}}", [x], lambda v: F.pixel_shuffle(v, 2), [n, c // 4, 2 * h, 2 * w])
    elif kind == "global":
        g.add("GlobalAveragePool({})", [x], lambda v: v.mean((2, 3), keepdim=True), [n, c, 1, 1])


def layer(g):
    x = g.value()
    s = g.shape[x]
    if not s or s[-1] < 2:
        return
    a, b = g.new_input([s[-1]]), g.new_input([s[-1]])
    g.add("LayerNormalization({}, {}, {}) {{epsilon = 0.125}}", [x, a, b], lambda v, q, r: F.layer_norm(v, [s[-1]], q, r, 0.125), s)


NODES = [unary, unary, binary, binary, product, reduction, along, movement, movement, movement, join, picture, picture, layer]


def meaning_of(g):
    def meaning(*x):
        at = dict(zip((name for name, _ in g.inputs), x))
        for name, reads, f in g.steps:
            at[name] = f(*(at[r] for r in reads))
        return [at[name] for name in g.unread]

    return meaning


def graph(rng):
    g = Graph(rng)
    for _ in range(rng.randint(1, 2)):
        g.new_input([rng.randint(1, 4) for _ in range(rng.choice([2, 3, 4, 4]))])
    wanted = rng.randint(5, 14)
    while len(g.steps) < wanted:
        rng.choice(NODES)(g)
    outputs = list(g.unread)
    return {"inputs": g.inputs, "outputs": outputs, "text": g.text, "consts": g.consts, "torch": meaning_of(g)}
