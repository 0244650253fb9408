"""What a valid node of every row of ops/ops.def looks like, for structural.py: a function for each row, or for a family of rows,
that draws inputs, attributes and results at random."""
import math

F, I, U = ["f32", "f64", "f16", "bf16"], ["i8", "i16", "i32", "i64"], ["u8", "u16", "u32", "u64"]
NUM = ["f32"] * 6 + F + I + U
FLOATS = ["f32"] * 6 + F


class Arg:
    """An input: what a run is given, a constant if there are contents, or a state."""

    def __init__(self, dtype, shape, data=None, state=False):
        self.dtype, self.shape, self.data, self.state = dtype, list(shape), data, state


class Node:
    def __init__(self, op, args, attrs=None, outs=1):
        self.op, self.args, self.attrs = op, list(args), dict(attrs or {})
        self.outs = [True] * outs if isinstance(outs, int) else list(outs)


class Made(Arg):
    """An input that another node gives, such as a sequence."""

    def __init__(self, node):
        super().__init__("f32", [2])
        self.node = node


class Draw:
    """Random parts of nodes; r is a random.Random."""

    def __init__(self, r):
        self.r = r
        self.maybe = lambda p=0.5: r.random() < p
        self.of = r.choice
        self.int = r.randint

    def dim(self):
        return 0 if self.maybe(0.02) else self.int(1, 4)

    def shape(self, least=0, most=4):
        return [self.dim() for _ in range(self.int(least, most))]

    def x(self, shape, dtype="f32"):
        return Arg(dtype, shape)

    def size(self, shape):
        return math.prod(shape)

    def const(self, dtype, data, shape=None):
        return Arg(dtype, [len(data)] if shape is None else shape, list(data))

    def ints(self, *data):
        """Known, or what only a call tells."""
        return self.const("i64", data) if self.maybe(0.9) else Arg("i64", [len(data)])

    def floats(self, shape, dtype="f32"):
        """Weights: known or not."""
        n = self.size(shape)
        return Arg(dtype, shape, [self.r.uniform(-1, 1) for _ in range(n)]) if self.maybe(0.6) and n < 500 else Arg(dtype, shape)

    def flags(self, *names):
        return {n: self.int(0, 1) for n in names if self.maybe()}

    def broadcast(self, shape):
        return [1 if self.maybe(0.2) else d for d in shape][self.int(0, len(shape)) if self.maybe(0.3) else 0:]

    def axis(self, shape, more=0):
        n = len(shape) + more
        return self.int(-n, n - 1)


def unary(dtypes):
    return lambda d, op: Node(op, [d.x(d.shape(), d.of(dtypes))])


def binary(dtypes):
    def make(d, op):
        s, t = d.shape(), d.of(dtypes)
        args = [d.x(s, t), d.x(d.broadcast(s), t)]
        return Node(op, args[::-1] if d.maybe(0.3) else args)
    return make


def nary(dtypes):
    def make(d, op):
        s, t = d.shape(), d.of(dtypes)
        return Node(op, [d.x(s, t)] + [d.x(d.broadcast(s), t) for _ in range(d.int(0, 4))])
    return make


def activation(*names):
    return lambda d, op: Node(op, [d.x(d.shape(), d.of(FLOATS))], {n: d.r.uniform(-2, 2) for n in names if d.maybe()})


def reduction(dtypes):
    def make(d, op):
        s = d.shape()
        args = [d.x(s, d.of(dtypes))]
        if d.maybe(0.7):
            args.append(d.ints(*[a - len(s) if d.maybe(0.3) else a for a in range(len(s)) if d.maybe()]))
        return Node(op, args, d.flags("keepdims", "noop_with_empty_axes"))
    return make


def along(dtypes, attrs=lambda d: {}, outs=1):
    def make(d, op):
        s = [max(1, k) for k in d.shape(1)]
        return Node(op, [d.x(s, d.of(dtypes))], {**({"axis": d.axis(s)} if d.maybe(0.7) else {}), **attrs(d)}, outs)
    return make


def where(d, op):
    s, t = d.shape(), d.of(NUM)
    return Node(op, [d.x(d.broadcast(s), "bool"), d.x(s, t), d.x(d.broadcast(s), t)])


def reshape(d, op):
    s = [max(1, k) for k in d.shape()]
    to = s[::-1] if d.maybe() else [d.size(s)]
    if to and d.maybe():
        to[d.int(0, len(to) - 1)] = -1
    return Node(op, [d.x(s, d.of(NUM)), d.ints(*to)], d.flags("allowzero"))


def flatten(d, op):
    s = d.shape()
    return Node(op, [d.x(s)], {"axis": d.int(-len(s), len(s))})


def squeeze(d, op):
    s = d.shape(0, 3)
    at = d.int(0, len(s))
    return Node(op, [d.x(s[:at] + [1] + s[at:])] + ([d.ints(at)] if d.maybe(0.7) else []))


def unsqueeze(d, op):
    s = d.shape(0, 3)
    return Node(op, [d.x(s), d.ints(d.axis(s, 1))])


def shape_of(d, op):
    s = d.shape()
    return Node(op, [d.x(s, d.of(NUM))], {k: d.int(-5, 5) for k in ("start", "end") if d.maybe(0.4)})


TYPES = {"f32": 1, "u8": 2, "i8": 3, "u16": 4, "i16": 5, "i32": 6, "i64": 7, "bool": 9, "f16": 10, "f64": 11, "u32": 12, "u64": 13, "bf16": 16}


def cast(d, op):
    return Node(op, [d.x(d.shape(), d.of(NUM + ["bool"]))], {"to": d.of(list(TYPES.values()))})


def cast_like(d, op):
    return Node(op, [d.x(d.shape(), d.of(NUM)), d.x([1], d.of(NUM))])


def constant_of_shape(d, op):
    return Node(op, [d.ints(*d.shape())], {"value": d.const(d.of(NUM), [d.int(0, 5)])} if d.maybe() else {})


def range_of(d, op):
    t = d.of(["i64", "i32", "f32", "f64"])
    return Node(op, [d.const(t, [v], []) for v in (d.int(-5, 5), d.int(-5, 9), d.of([1, 2, -1, 3]))])


def transpose(d, op):
    s = d.shape()
    perm = list(range(len(s)))
    d.r.shuffle(perm)
    return Node(op, [d.x(s, d.of(NUM))], {"perm": perm} if d.maybe(0.8) else {})


def concat(d, op):
    s = d.shape(1)
    a, t = d.axis(s), d.of(NUM)
    return Node(op, [d.x([d.dim() if i == a % len(s) else k for i, k in enumerate(s)], t) for _ in range(d.int(1, 4))], {"axis": a})


def split(d, op):
    s, n = d.shape(1), d.int(1, 4)
    a = d.axis(s)
    if d.maybe():
        parts = [d.int(0, 3) for _ in range(n)]
        s[a] = sum(parts)
        return Node(op, [d.x(s), d.ints(*parts)], {"axis": a}, n)
    s[a] = d.int(0, 9)
    return Node(op, [d.x(s)], {"axis": a, "num_outputs": n}, n)


def slice_of(d, op):
    s = d.shape(1)
    axes = [a for a in range(len(s)) if d.maybe(0.6)]
    n = len(axes)
    args = [d.x(s, d.of(NUM)), d.ints(*[d.int(-5, 5) for _ in axes]), d.ints(*[d.int(-5, 9) for _ in axes])]
    if n != len(s) or d.maybe():
        args.append(d.ints(*[a - len(s) if d.maybe(0.3) else a for a in axes]))
        if d.maybe():
            args.append(d.ints(*[d.of([1, 2, -1, -2, 3]) for _ in axes]))
    return Node(op, args)


def gather(d, op):
    s = [max(1, k) for k in d.shape(1, 3)]
    return Node(op, [d.x(s), d.x(d.shape(0, 2), d.of(["i64", "i32"]))], {"axis": d.axis(s)} if d.maybe(0.8) else {})


def gather_elements(d, op):
    s = [max(1, k) for k in d.shape(1, 3)]
    return Node(op, [d.x(s), d.x([d.int(0, k) for k in s], d.of(["i64", "i32"]))], {"axis": d.axis(s)})


def gather_nd(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 4))]
    b = d.int(0, len(s) - 1)
    q = s[:b] + d.shape(0, 2) + [d.int(1, len(s) - b)]
    return Node(op, [d.x(s), d.x(q, "i64")], {"batch_dims": b})


REDUCE = ["none", "add", "mul", "max", "min"]


def scatter_elements(d, op):
    s = [max(1, k) for k in d.shape(1, 3)]
    q = [d.int(0, k) for k in s]
    return Node(op, [d.x(s), d.x(q, d.of(["i64", "i32"])), d.x(q)], {"axis": d.axis(s), "reduction": d.of(REDUCE)})


def scatter_nd(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 4))]
    k = d.int(1, len(s))
    q = d.shape(0, 2)
    return Node(op, [d.x(s), d.x(q + [k], "i64"), d.x(q + s[k:])], {"reduction": d.of(REDUCE)})


def pad(d, op):
    s = [d.int(2, 4) for _ in range(d.int(1, 4))]
    args = [d.x(s), d.ints(*[d.int(-1, 2) for _ in range(2 * len(s))])]
    if d.maybe():
        args.append(d.const("f32", [1.5], []))
    return Node(op, args, {"mode": d.of(["constant", "reflect", "edge", "wrap"])} if d.maybe(0.7) else {})


def expand(d, op):
    s = [max(1, k) for k in d.shape()]
    return Node(op, [d.x(d.broadcast(s)), d.ints(*s)])


def tile(d, op):
    s = d.shape()
    return Node(op, [d.x(s), d.ints(*[d.int(0, 3) for _ in s])])


def trilu(d, op):
    args = [d.x(d.shape(2))]
    if d.maybe():
        args.append(d.const("i64", [d.int(-5, 5)], []) if d.maybe() else d.x([], "i64"))
    return Node(op, args, d.flags("upper"))


def eye(d, op):
    return Node(op, [d.x(d.shape(2, 2))], {**({"k": d.int(-3, 3)} if d.maybe() else {}), **({"dtype": d.of([1, 7, 9, 11])} if d.maybe() else {})})


def one_hot(d, op):
    s, t = d.shape(0, 3), d.of(["f32", "i64", "u8"])
    return Node(op, [d.x(s, d.of(["i64", "i32", "f32", "u8"])), d.const(d.of(["i64", "f32"]), [d.int(1, 5)], d.of([[], [1]])), d.x([2], t)], {"axis": d.axis(s, 1)})


def reverse_sequence(d, op):
    s = d.shape(2)
    b, t = (0, 1) if d.maybe() else (1, 0)
    return Node(op, [d.x(s), d.x([s[b]], "i64")], {"batch_axis": b, "time_axis": t})


def crop(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 4))]
    axes = [a for a in range(len(s)) if d.maybe()] or [0]
    return Node(op, [d.x(s), d.ints(*[d.int(0, 6) for _ in axes])], {"axes": axes})


def blocks(d, op):
    b, down = d.int(1, 2), op == "SpaceToDepth"
    s = [d.int(1, 2), d.int(1, 2) * (1 if down else b * b), d.int(1, 3) * (b if down else 1), d.int(1, 3) * (b if down else 1)]
    return Node(op, [d.x(s)], {"blocksize": b, "mode": d.of(["DCR", "CRD"])})


def tensor_scatter(d, op):
    s = [d.int(1, 3), d.int(1, 3), d.int(2, 5), d.int(1, 3)]
    return Node(op, [d.x(s), d.x([s[0], s[1], d.int(1, s[2]), s[3]])] + ([d.x([s[0]], "i64")] if d.maybe(0.7) else []), {"mode": d.of(["linear", "circular"])})


def compress(d, op):
    s = [max(1, k) for k in d.shape(1, 3)]
    a = d.axis(s)
    if d.maybe():  # only a call tells which
        return Node(op, [d.x(s), Arg("bool", [s[a]], None, False)], {"axis": a} if d.maybe() else {})
    return Node(op, [d.x(s), d.const("bool", [d.int(0, 1) for _ in range(s[a])])], {"axis": a})


def non_zero(d, op):
    s = d.shape(0, 3)
    if d.maybe():
        return Node(op, [Arg(d.of(["f32", "i64", "bool"]), s, None, False)])
    return Node(op, [d.const(d.of(["f32", "i64", "bool"]), [d.int(0, 1) for _ in range(d.size(s))], s)])


def suppression(d, op):
    b, c, n = d.int(1, 2), d.int(1, 2), d.int(1, 6)
    options = [d.ints(d.int(0, n + 1)), d.const("f32", [d.of([0.0, 0.25, 0.5])], []), d.const("f32", [d.of([-1.0, 0.0, 0.5])], [1])]
    return Node(op, [d.x([b, n, 4]), d.x([b, c, n])] + options[: d.int(1, 3)], {"center_point_box": d.int(0, 1)})


def unique(d, op):
    s = [max(1, k) for k in d.shape(1, 3)]
    attrs = {"axis": d.axis(s)} if d.maybe() else {}
    return Node(op, [Arg(d.of(["f32", "i64", "bool"]), s, None, False)], {**attrs, "sorted": d.int(0, 1)})


def col2im(d, op):
    k, e = d.int(1, 2), d.int(2, 4)
    return Node(op, [d.x([d.int(1, 2), d.int(1, 2) * k * k, (e - k + 1) ** 2]), d.ints(e, e), d.ints(k, k)])


def resize(d, op):
    s = [1, d.int(1, 2), d.int(1, 5), d.int(1, 5)]
    m = d.of(["nearest", "linear", "cubic"])
    place = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"]
    attrs = {"mode": m, "coordinate_transformation_mode": d.of(place), "nearest_mode": d.of(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]), **d.flags("antialias", "exclude_outside")}
    roi = d.const("f32", [0, 0, .1, .2, 1, 1, .8, .9])
    if d.maybe():
        return Node(op, [d.x(s), roi, d.const("f32", [1, 1, d.of([.5, 1.3, 2, 3]), d.of([.6, 1, 2.5])])], attrs)
    return Node(op, [d.x(s), roi, None, d.ints(*s[:2], d.int(1, 7), d.int(1, 7))], {**attrs, "keep_aspect_ratio_policy": "stretch"})


def grid_sample(d, op):
    n = d.int(1, 2)
    return Node(op, [d.x([n, d.int(1, 2), d.int(1, 4), d.int(1, 4)]), d.x([n, d.int(1, 3), d.int(1, 3), 2])],
                {"mode": d.of(["linear", "nearest", "cubic"]), "padding_mode": d.of(["zeros", "border", "reflection"]), **d.flags("align_corners")})


def affine_grid(d, op):
    n = d.int(1, 3)
    return Node(op, [d.x([n, 2, 3]), d.ints(n, 2, d.int(1, 4), d.int(1, 4))] if d.maybe() else [d.x([n, 3, 4]), d.ints(n, 2, 2, 3, d.int(1, 3))], d.flags("align_corners"))


def roi_align(d, op):
    k = d.int(0, 3)
    return Node(op, [d.x([d.int(1, 2), 2, 4, 5]), d.x([k, 4]), d.x([k], "i64")], {"output_height": d.int(1, 3), "output_width": d.int(1, 3), "sampling_ratio": d.int(0, 2), "mode": d.of(["avg", "max"])})


def dft(d, op):
    s = [d.int(1, 2), d.int(1, 6), d.int(1, 4), d.int(1, 2)]
    return Node(op, [d.x(s)] + ([d.const("i64", [d.int(1, 6)], [])] if d.maybe() else [None]) + ([d.const("i64", [d.of([1, 2, -2])], [])] if d.maybe() else []), {"inverse": d.int(0, 1)} if s[3] == 2 else d.flags("onesided"))


def stft(d, op):
    n = d.int(1, 5)
    return Node(op, [d.x([d.int(1, 2), d.int(n, 12), d.int(1, 2)]), d.const("i64", [d.int(1, 4)], []), d.floats([n])] + ([d.const("i64", [n], [])] if d.maybe() else []), {"onesided": 0} if d.maybe() else {})


def signal_window(d, op):
    return Node(op, [d.const("i64", [d.int(0, 9)], [])], {**({"output_datatype": d.of([1, 11])} if d.maybe() else {}), **d.flags("periodic")})


def mel(d, op):
    return Node(op, [d.const("i64", [v], []) for v in (d.int(1, 6), d.int(2, 16), d.int(100, 9000))] + [d.const("f32", [0.0], []), d.const("f32", [d.r.uniform(10, 4000)], [])])


def window(d, spatial, pads=True):
    attrs = {}
    if d.maybe():
        attrs["strides"] = [d.int(1, 3) for _ in range(spatial)]
    if d.maybe(0.3):
        attrs["dilations"] = [d.int(1, 2) for _ in range(spatial)]
    if pads and d.maybe(0.3):
        attrs["auto_pad"] = d.of(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif pads and d.maybe():
        attrs["pads"] = [d.int(0, 1) for _ in range(2 * spatial)]
    return attrs


def conv(d, op):
    n, g = d.int(1, 2), d.int(1, 2)
    c, m, k = d.int(1, 2), d.int(1, 3), [d.int(1, 3) for _ in range(n)]
    x = [d.int(1, 2), c * g] + [d.int(5, 7) for _ in range(n)]
    w = [c * g, m] + k if op == "ConvTranspose" else [m * g, c] + k
    attrs = {**window(d, n, op != "DeformConv"), "group": g}
    if op == "ConvInteger":
        a, b = d.of(["u8", "i8"]), d.of(["u8", "i8"])
        return Node(op, [d.x(x, a), d.x(w, b)] + ([d.const(a, [3], [])] if d.maybe() else []), attrs)
    if op == "QLinearConv":
        q = [d.const("f32", [0.1], []), d.const("u8", [3], [])]
        return Node(op, [d.x(x, "u8")] + q + [d.x(w, "u8")] + q + q + ([d.x([m * g], "i32")] if d.maybe() else []), attrs)
    t = d.of(FLOATS)
    if op == "ConvTranspose" and d.maybe(0.3):
        attrs["output_padding"] = [d.int(0, 1) for _ in range(n)]
    return Node(op, [d.x(x, t), d.floats(w, t)] + ([d.floats([m * g], t)] if d.maybe() else []), attrs)


def out_size(x, k, a, i, n):
    p = a.get("pads", [0] * 2 * n)
    return (x + p[i] + p[i + n] - (k - 1) * a.get("dilations", [1] * n)[i] - 1) // a.get("strides", [1] * n)[i] + 1


def plain_window(d, n):
    a = window(d, n)
    a.pop("auto_pad", None)
    return a


def deform(d, op):
    k, a = [d.int(1, 2), d.int(1, 2)], plain_window(d, 2)
    x = [1, 2, 5, 5]
    y = [out_size(5, k[i], a, i, 2) for i in range(2)]
    args = [d.x(x), d.x([2, 2] + k), d.x([1, 2 * k[0] * k[1]] + y)]
    return Node(op, args + ([d.x([2]), d.x([1, k[0] * k[1]] + y)] if d.maybe() else []), a)


def conv_grad(d, op):
    k, a, n, m, c = [d.int(1, 3), d.int(1, 3)], plain_window(d, 2), d.int(1, 2), d.int(1, 3), d.int(1, 2)
    y = [out_size(5, k[i], a, i, 2) for i in range(2)]
    return Node(op, [d.x([n, c, 5, 5]), d.x([m, c] + k), d.x([n, m] + y)], {**a, "kernel_shape": k})


def pool_grad(d, op):
    k, a, n, c = [d.int(1, 3), d.int(1, 3)], plain_window(d, 2), d.int(1, 2), d.int(1, 2)
    y = [out_size(5, k[i], a, i, 2) for i in range(2)]
    return Node(op, [d.x([n, c, 5, 5]), d.x([n, c] + y)], {**a, "kernel_shape": k})


def pool(d, op):
    n = d.int(1, 3)
    x = [d.int(1, 2), d.int(1, 3)] + [d.int(4, 6) for _ in range(n)]
    attrs = {**window(d, n), "kernel_shape": [d.int(1, 3) for _ in range(n)], **d.flags("ceil_mode")}
    outs = 1
    if op == "MaxPool":
        attrs.update(d.flags("storage_order"))
        outs = d.int(1, 2)
    if op == "AveragePool":
        attrs.update(d.flags("count_include_pad"))
    if op == "LpPool":
        attrs["p"] = d.int(1, 4)
    return Node(op, [d.x(x, d.of(FLOATS))], attrs, outs)


def unpool(d, op):
    n, k = d.int(1, 2), d.int(1, 3)
    s = [1, d.int(1, 2)] + [d.int(1, 3) for _ in range(n)]
    return Node(op, [d.x(s), d.x(s, "i64")], {"kernel_shape": [k] * n, "strides": [k] * n})


def causal(d, op):
    c, k, b = d.int(1, 3), d.int(1, 3), d.int(1, 2)
    return Node(op, [d.x([b, c, d.int(1, 5)]), d.floats([c, 1, k])] + ([d.floats([c]), d.x([b, c, k - 1])] if d.maybe() else []), {"activation": d.of(["none", "silu", "swish"])}, 2)


def matmul(d, op):
    a, b, t = d.shape(0, 2), [d.int(1, 5) for _ in range(3)], d.of(NUM)
    x, w = a + [b[0], b[1]], (d.broadcast(a) if d.maybe(0.3) else []) + [b[1], b[2]]
    if op == "MatMulInteger":
        return Node(op, [d.x(x, "u8"), d.x(w, d.of(["i8", "u8"]))] + ([d.const("u8", [d.int(0, 255)], [])] if d.maybe() else []))
    if op == "QLinearMatMul":
        q = [d.const("f32", [0.1], []), d.const("u8", [3], [])]
        return Node(op, [d.x(x, "u8")] + q + [d.x(w, "u8")] + q + q)
    return Node(op, [d.x(x, t), d.floats(w, t) if t in F else d.x(w, t)])


def gemm(d, op):
    m, k, n, t = d.dim(), d.dim(), d.dim(), d.of(FLOATS)
    f = d.flags("transA", "transB")
    c = [d.x(d.broadcast([m, n]), t)] if d.maybe() else []
    return Node(op, [d.x([k, m] if f.get("transA") else [m, k], t), d.floats([n, k] if f.get("transB") else [k, n], t)] + c, {**f, **({"alpha": 0.5} if d.maybe() else {}), **({"beta": 2.0} if d.maybe() else {})})


def einsum(d, op):
    size = {c: d.int(1, 3) for c in "abcd"}
    terms = ["".join(d.r.sample("abcd", d.int(1, 3))) for _ in range(d.int(1, 3))]
    used = sorted(set("".join(terms)))
    eq = ",".join(terms) + ("->" + "".join(d.r.sample(used, d.int(0, len(used)))) if d.maybe(0.8) else "")
    return Node(op, [d.x([size[c] for c in t]) for t in terms], {"equation": eq})


def det(d, op):
    n = d.int(1, 3)
    return Node(op, [d.x(d.shape(0, 2) + [n, n])])


def gather_grad(d, op):
    s, q = [d.int(1, 4) for _ in range(d.int(1, 3))], d.shape(0, 2)
    a = d.int(0, len(s) - 1)
    return Node(op, [d.x(s), d.x(q, "i64"), d.x(s[:a] + q + s[a + 1:])], {"axis": a})


def slice_grad(d, op):
    s = [d.int(2, 5) for _ in range(d.int(1, 3))]
    steps = [d.of([1, 2, -1]) for _ in s]
    return Node(op, [d.x(s), d.x([1 if t < 0 else (k + t - 1) // t for k, t in zip(s, steps)])], {"begins": [0] * len(s), "steps": steps})


def resize_grad(d, op):
    s, a = [d.int(1, 2), d.int(1, 2), d.int(1, 5), d.int(1, 5)], d.int(0, 3)
    size = d.int(1, 7)
    place = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"]
    attrs = {"axis": a, "mode": d.of(["nearest", "linear", "cubic"]), "coordinate_transformation_mode": d.of(place), "nearest_mode": d.of(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
             **d.flags("antialias", "exclude_outside")}
    return Node(op, [d.x(s), None, None, d.ints(*s[:a], size, *s[a + 1:]), d.x(s[:a] + [size] + s[a + 1:])], attrs)


def pad_grad(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 3))]
    a, before, after, mode = d.axis(s), d.int(0, 4), d.int(0, 4), d.of(["reflect", "edge", "wrap"])
    s[a] = max(s[a], 2) + before + after
    return Node(op, [d.x(s)], {"axis": a, "before": before, "after": after, "mode": mode})


def grid_grad(d, op):
    node = grid_sample(d, op)
    x, grid = node.args
    node.args.append(d.x(x.shape[:2] + grid.shape[1:3]))
    return node


def roi_grad(d, op):
    node = roi_align(d, op)
    node.args.append(d.x([node.args[1].shape[0], 2, node.attrs["output_height"], node.attrs["output_width"]]))
    return node


def unpool_grad(d, op):
    s, k = [d.int(1, 2), d.int(1, 2), d.int(1, 3), d.int(1, 3)], d.int(1, 3)
    return Node(op, [d.x(s), d.x(s, "i64"), None, d.x(s[:2] + [(e - 1) * k + k for e in s[2:]])], {"kernel_shape": [k, k], "strides": [k, k]})


def col2im_grad(d, op):
    k, e, n = d.int(1, 2), d.int(2, 4), d.int(1, 2)
    c = d.int(1, 2)
    return Node(op, [d.x([n, c * k * k, (e - k + 1) ** 2]), d.ints(e, e), d.ints(k, k), d.x([n, c, e, e])])


def cumulate_grad(d, op):
    s = [max(1, k) for k in d.shape(1)]
    return Node(op, [d.x(s), d.const("i64", [d.axis(s)], []), d.x(s)], d.flags("exclusive", "reverse"))


def deform_columns(d, op):
    k, a = [d.int(1, 2), d.int(1, 2)], plain_window(d, 2)
    y = [out_size(5, k[i], a, i, 2) for i in range(2)]
    mask = d.maybe() or op == "DeformMaskGrad"
    args = [d.x([1, 2, 5, 5]), d.x([1, 2 * k[0] * k[1]] + y)] + ([d.x([1, k[0] * k[1]] + y)] if mask else [None])
    if op != "DeformColumns":
        args.append(d.x([1, 2 * k[0] * k[1]] + y))
    return Node(op, args if args[-1] else args[:-1], {**a, "kernel_shape": k})


def philox(d, op):
    s = d.shape(0, 2)
    return Node(op, [d.x(s, "i64")] * 3)


def random_drop(d, op):
    return Node(op, [d.x(d.shape()), d.x([2], "i64")], {"ratio": d.r.uniform(0, 0.99), "stream": d.int(0, 99)})


def statistics(d, op):
    return Node(op, [d.x([max(1, k) for k in d.shape(2)], d.of(FLOATS))], {}, 3)


def channel_norm(more, outs=1, attrs=lambda d: {}):
    def make(d, op):
        s, t = [max(1, k) for k in d.shape(2)], d.of(FLOATS)
        return Node(op, [d.x(s, t)] + [d.floats([s[1]], t) for _ in range(more)], attrs(d), d.int(1, outs) if outs > 1 else 1)
    return make


def batch_norm(d, op):
    training = d.int(0, 1)
    n = channel_norm(4, 3 if training else 1)(d, op)
    n.attrs = {"training_mode": training, "epsilon": d.of([1e-5, 0.0])}
    return n


def group_norm(d, op):
    g = d.int(1, 3)
    s = [d.int(1, 2), g * d.int(1, 2)] + d.shape(0, 2)
    return Node(op, [d.x([max(1, k) for k in s]), d.floats([s[1]]), d.floats([s[1]])], {"num_groups": g})


def layer_norm(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 4))]
    a = d.axis(s)
    w = s[a:] if a < 0 else s[a:]
    if op == "RMSNormalization":
        return Node(op, [d.x(s), d.floats(w)], {"axis": a})
    return Node(op, [d.x(s), d.floats(w)] + ([d.floats(w)] if d.maybe() else []), {"axis": a}, d.int(1, 3))


def recurrent(d, op):
    g = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    t, b, w, h, two = d.int(1, 3), d.int(1, 2), d.int(1, 3), d.int(1, 4), d.int(1, 2)
    args = [d.x([t, b, w]), d.floats([two, g * h, w]), d.floats([two, g * h, h])]
    attrs = {"hidden_size": h, "direction": "bidirectional" if two == 2 else d.of(["forward", "reverse"])}
    if d.maybe():
        args.append(d.floats([two, 2 * g * h]))
        if d.maybe():
            args += [d.x([b], "i32") if d.maybe() else None, d.x([two, b, h])]
    if d.maybe(0.3):
        attrs["clip"] = 3.0
    return Node(op, args, attrs, d.int(1, 3 if op == "LSTM" else 2))


def prelu(d, op):
    s = d.shape()
    return Node(op, [d.x(s), d.x([1 if k == 1 or d.maybe(0.2) else k for k in s])])


def clip(d, op):
    t = d.of(NUM)
    bound = lambda: Arg(t, [], [d.int(0, 3)]) if d.maybe(0.7) else (d.x([], t) if d.maybe() else None)
    return Node(op, [d.x(d.shape(), t), bound(), bound()])


def mod(d, op):
    n = binary(NUM)(d, op)
    n.attrs = {"fmod": 1} if n.args[0].dtype in F or d.maybe() else {}
    return n


def power(d, op):
    s = d.shape()
    return Node(op, [d.x(s, d.of(["f32", "f64", "i32", "i64"])), d.x(d.broadcast(s), d.of(["f32", "i32", "i64"]))])


def shift(d, op):
    n = binary(U)(d, op)
    n.attrs = {"direction": d.of(["LEFT", "RIGHT"])}
    return n


def cumulate(d, op):
    s = [max(1, k) for k in d.shape(1)]
    return Node(op, [d.x(s, d.of(["f32", "f64", "i32", "i64"])), d.const("i64", [d.axis(s)], [])], d.flags("exclusive", "reverse"))


def top_k(d, op):
    s = [d.int(1, 5) for _ in range(d.int(1, 3))]
    a = d.axis(s)
    return Node(op, [d.x(s, d.of(NUM)), d.ints(d.int(0, s[a]))], {"axis": a, **d.flags("largest", "sorted")}, 2)


def mvn(d, op):
    s = [d.int(1, 3) for _ in range(4)]
    return Node(op, [d.x(s)], {"axes": [a for a in range(4) if d.maybe()] or [1]} if d.maybe() else {})


def lrn(d, op):
    return Node(op, [d.x([1, d.int(1, 5)] + d.shape(0, 2))], {"size": d.int(1, 4)})


def spatial(attrs=lambda d: {}):
    return lambda d, op: Node(op, [d.x([max(1, k) for k in d.shape(2)])], attrs(d))


def dropout(d, op):
    return Node(op, [d.x(d.shape())] + ([d.const("f32", [0.5], [])] if d.maybe() else []), {}, d.int(1, 2))


def loss(d, op):
    n, c, rest = d.int(1, 3), d.int(1, 4), d.shape(0, 2)
    args = [d.x([n, c] + rest), d.x([n] + rest, d.of(["i64", "i32"]))] + ([d.floats([c])] if d.maybe() else [])
    return Node(op, args, {"reduction": d.of(["none", "sum", "mean"]), **({"ignore_index": d.int(-1, c)} if d.maybe() else {})}, d.int(1, 2) if op == "SoftmaxCrossEntropyLoss" else 1)


def ctc(d, op):
    n, c, t, s = d.int(1, 3), d.int(1, 4), d.int(1, 5), d.int(1, 4)
    places = [d.x([n, t, 2 * s + 1]), d.x([n, t, 2 * s + 1]), d.x([n])] if op == "CTCGrad" else []
    args = [d.x([n, c, t]), d.x([n, s], d.of(["i64", "i32"])), d.x([n], "i32"), d.x([n], "i64")]
    return Node(op, args + places, {**({"blank": d.int(0, c)} if d.maybe() else {}), **(d.flags("reverse") if op == "CTCPaths" else {})})


def quantize(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 3))]
    down, z = op == "QuantizeLinear", d.of(["u8", "i8"])
    a = d.axis(s)
    p = [s[a]] if d.maybe() else []
    return Node(op, [d.x(s, "f32" if down else z), d.x(p)] + ([d.x(p, z)] if d.maybe(0.7) else []), {"axis": a} if p else {})


def qlinear_add(d, op):
    s, q = d.shape(), [d.const("f32", [0.1], []), d.const("u8", [3], [])]
    return Node(op, [d.x(s, "u8")] + q + [d.x(d.broadcast(s), "u8")] + q + q)


def attention(d, op):
    b, g, h, n, m, w, v = d.int(1, 2), d.int(1, 2), d.int(1, 2), d.int(1, 3), d.int(1, 4), d.int(1, 3), d.int(1, 3)
    attrs = {**d.flags("is_causal"), **({"softcap": 2.0} if d.maybe(0.2) else {})}
    if d.maybe():
        args = [d.x([b, h * g, n, w]), d.x([b, h, m, w]), d.x([b, h, m, v])]
    else:
        args = [d.x([b, n, h * g * w]), d.x([b, m, h * w]), d.x([b, m, h * v])]
        attrs.update(q_num_heads=h * g, kv_num_heads=h)
    past = d.maybe(0.3)
    mask = d.x([n, m], d.of(["f32", "bool"])) if d.maybe() and not past else None
    return Node(op, args + [mask] + ([d.x([b, h, 2, w]), d.x([b, h, 2, v])] if past else []), attrs, d.of([1, 1, 3, 4]))


def rotary(d, op):
    b, h, n, w = d.int(1, 2), d.int(1, 2), d.int(1, 3), 2 * d.int(1, 2)
    return Node(op, [d.x([b, h, n, w]), d.x([5, w // 2]), d.x([5, w // 2]), d.x([b, n], "i64")], d.flags("interleaved"))


def linear_attention(d, op):
    b, n, kv, g, w, v = d.int(1, 2), d.int(1, 3), d.int(1, 2), d.int(1, 2), d.int(1, 3), d.int(1, 3)
    rule = d.of(["linear", "gated", "delta", "gated_delta"])
    past = d.x([b, kv, w, v]) if d.maybe() else None
    decay = d.x([b, n, kv * d.of([1, w])]) if "gated" in rule else None
    beta = d.x([b, n, kv]) if "delta" in rule else None
    return Node(op, [d.x([b, n, kv * g * w]), d.x([b, n, kv * w]), d.x([b, n, kv * v]), past, decay, beta],
                {"q_num_heads": kv * g, "kv_num_heads": kv, "update_rule": rule}, d.int(1, 2))


def sequence(d):
    s, t = [d.int(1, 3) for _ in range(d.int(1, 3))], d.of(NUM)
    return Made(Node("SequenceConstruct", [d.x(s, t) for _ in range(d.int(1, 4))])), s, t


def on_sequence(d, op):
    """The operators that read one."""
    seq, s, t = sequence(d)
    at = [d.const("i64", [d.int(-2, 2)], []) if d.maybe(0.7) else d.x([], "i64")] if d.maybe(0.7) else []
    if op == "SequenceInsert":
        return Node(op, [seq, d.x(s, t)] + at)
    if op == "SequenceErase":
        return Node(op, [seq] + at)
    if op == "SequenceAt":
        return Node(op, [seq, d.const("i64", [d.int(-1, 0)], []) if d.maybe() else d.x([], "i64")])
    if op == "ConcatFromSequence":
        return Node(op, [seq], {"axis": d.axis(s), **d.flags("new_axis")})
    return Node(op, [seq])


def construct(d, op):
    return sequence(d)[0].node


def split_to_sequence(d, op):
    s = [d.int(1, 4) for _ in range(d.int(1, 3))]
    a = d.axis(s)
    args = [d.x(s, d.of(NUM))] + ([d.const("i64", [d.int(1, s[a])], [])] if d.maybe() else [])
    return Node(op, args, {"axis": a, **d.flags("keepdims")})


def branch(d, op):
    """Both regions are a node on outer values: structural.py writes them."""
    s = d.shape()
    return Node(op, [d.x([], "bool"), d.x(s), d.x(s)])


def assign(d, op):
    s = d.shape()
    return Node(op, [Arg("f32", s, None, True), d.x(d.broadcast(s))], {}, [False])


def swiglu(d, op):
    n = binary(FLOATS)(d, op)
    n.attrs = {"alpha": d.r.uniform(-2, 2)} if d.maybe() else {}
    return n


ROWS = {
    **dict.fromkeys("Add Sub Mul Div FloorMod TruncMod Power Less LessOrEqual Greater GreaterOrEqual".split(), binary(NUM)),
    "Equal": binary(NUM + ["bool"]), **dict.fromkeys("Max Min".split(), nary(NUM)), **dict.fromkeys("Sum Mean".split(), nary(FLOATS)),
    **dict.fromkeys("And Or Xor".split(), binary(["bool"])), "Not": unary(["bool"]),
    **dict.fromkeys("BitwiseAnd BitwiseOr BitwiseXor ShiftLeft ShiftRight".split(), binary(I + U)), "BitwiseNot": unary(I + U),
    "Where": where, **dict.fromkeys("Copy Identity Size".split(), unary(NUM + ["bool"])), "Neg": unary(FLOATS + I),
    **dict.fromkeys("Abs Sign Relu".split(), unary(NUM)),
    **dict.fromkeys("Sqrt Exp Log Log1p Expm1 Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Erf Ceil Floor Round Trunc IsNaN "
                    "Sigmoid Reciprocal Softplus Softsign Mish HardSwish DynamicQuantizeLinear".split(), unary(FLOATS)),
    "DynamicQuantizeLinear": lambda d, op: Node(op, [d.x([d.int(1, 4)])], {}, 3),
    **dict.fromkeys("ReduceSum ReduceProd ReduceMean ReduceL1 ReduceSumSquare".split(), reduction(NUM)),
    **dict.fromkeys("ReduceMax ReduceMin".split(), reduction(NUM + ["bool"])),
    **dict.fromkeys("ReduceL2 ReduceLogSum ReduceLogSumExp".split(), reduction(FLOATS)),
    "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Shape": shape_of, "Cast": cast, "CastLike": cast_like,
    "ConstantOfShape": constant_of_shape, "Range": range_of, "Transpose": transpose, "Concat": concat, "Split": split, "Slice": slice_of,
    "Gather": gather, "GatherElements": gather_elements, "GatherND": gather_nd, "ScatterElements": scatter_elements, "ScatterND": scatter_nd,
    "Pad": pad, "Expand": expand, "Tile": tile, "Trilu": trilu, "EyeLike": eye, "OneHot": one_hot, "ReverseSequence": reverse_sequence,
    "CenterCropPad": crop, "DepthToSpace": blocks, "SpaceToDepth": blocks, "TensorScatter": tensor_scatter, "Compress": compress,
    "NonZero": non_zero, "NonMaxSuppression": suppression, "Unique": unique, "Col2Im": col2im, "Resize": resize, "GridSample": grid_sample, "AffineGrid": affine_grid, "RoiAlign": roi_align,
    "DFT": dft, "STFT": stft, **dict.fromkeys("HannWindow HammingWindow BlackmanWindow".split(), signal_window), "MelWeightMatrix": mel,
    **dict.fromkeys("Conv ConvTranspose ConvInteger QLinearConv".split(), conv), "DeformConv": deform,
    **dict.fromkeys("MaxPool AveragePool LpPool".split(), pool), "MaxUnpool": unpool, "CausalConvWithState": causal,
    **dict.fromkeys("MatMul MatMulInteger QLinearMatMul".split(), matmul), "Gemm": gemm, "Einsum": einsum, "Det": det,
    "ConvGradX": conv_grad, "ConvGradW": conv_grad, "MaxPoolGrad": pool_grad, "AveragePoolGrad": pool_grad, "GatherGrad": gather_grad,
    "ResizeGrad": resize_grad, "PadGrad": pad_grad, "GridSampleGrad": grid_grad, "GridGrad": grid_grad, "RoiAlignGrad": roi_grad,
    "MaxUnpoolGrad": unpool_grad, "Col2ImGrad": col2im_grad, "CumProdGrad": cumulate_grad,
    **dict.fromkeys("DeformColumns DeformImageGrad DeformOffsetGrad DeformMaskGrad".split(), deform_columns),
    "SliceGrad": slice_grad, "PhiloxFirst": philox, "PhiloxLast": philox, "RandomDrop": random_drop, "Assign": assign,
    "BatchStatistics": statistics, "BatchNormalize": channel_norm(4), **dict.fromkeys("RNN GRU LSTM".split(), recurrent), "If": branch,
    **dict.fromkeys("LeakyRelu Elu Celu Swish ThresholdedRelu".split(), activation("alpha")), "Selu": activation("alpha", "gamma"),
    "HardSigmoid": activation("alpha", "beta"), "Shrink": activation("lambd", "bias"), "PRelu": prelu, "SwiGLU": swiglu,
    "Gelu": lambda d, op: Node(op, [d.x(d.shape(), d.of(FLOATS))], {"approximate": d.of(["none", "tanh"])}),
    "Clip": clip, "Mod": mod, "Pow": power, "BitShift": shift,
    "IsInf": lambda d, op: Node(op, [d.x(d.shape(), d.of(FLOATS))], d.flags("detect_negative", "detect_positive")),
    **dict.fromkeys("ArgMax ArgMin".split(), along(NUM, lambda d: d.flags("keepdims", "select_last_index"))),
    "CumSum": cumulate, "CumProd": cumulate, "TopK": top_k, **dict.fromkeys("Softmax SoftmaxOrZero LogSoftmax Hardmax".split(), along(FLOATS)),
    "LpNormalization": along(FLOATS, lambda d: {"p": d.int(1, 2)}), "BatchNormalization": batch_norm,
    "InstanceNormalization": channel_norm(2), "GroupNormalization": group_norm, "LayerNormalization": layer_norm, "RMSNormalization": layer_norm,
    "MeanVarianceNormalization": mvn, "LRN": lrn, "GlobalAveragePool": spatial(), "GlobalMaxPool": spatial(),
    "GlobalLpPool": spatial(lambda d: {"p": d.int(1, 3)}), "Dropout": dropout, "NegativeLogLikelihoodLoss": loss, "SoftmaxCrossEntropyLoss": loss,
    **dict.fromkeys("CTCLoss CTCPaths CTCGrad".split(), ctc),
    "QuantizeLinear": quantize, "DequantizeLinear": quantize, "QLinearAdd": qlinear_add, "Attention": attention, "RotaryEmbedding": rotary,
    "LinearAttention": linear_attention, "SequenceConstruct": construct, "SplitToSequence": split_to_sequence,
    "SequenceEmpty": lambda d, op: Node(op, [], {"dtype": d.of(list(TYPES.values()))}),
    **dict.fromkeys("SequenceInsert SequenceErase SequenceAt SequenceLength ConcatFromSequence".split(), on_sequence),
    **dict.fromkeys("Optional OptionalHasElement OptionalGetElement".split(), unary(NUM)),
}
